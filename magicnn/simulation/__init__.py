"""Air showers, their Cherenkov light, and the MAGIC telescopes: the Monte Carlo of the package."""
