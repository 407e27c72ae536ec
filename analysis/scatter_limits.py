"""What triggers beyond the limits of productions: cores, directions and energies of productions with wider limits.

    python analysis/scatter_limits.py mc_configs/proton_za05to35.yaml --showers 4000 --output runs/limits

Prints, for the thrown spectrum and for E^-2.7 (electrons E^-3.4), the share of the triggers that lie beyond the scatter
radius, beyond the view cone, below and above the energies of the production as it is, each with its statistical error
from showers.
"""

import argparse
from pathlib import Path

import numpy as np

from magicnn.array import TELESCOPES_M, impact_m
from magicnn.generated import scatter_radius_m
from magicnn.io.eventset.reader import EventSet
from magicnn.runs import configure_logging
from magicnn.simulation.matching import true_offset_deg
from magicnn.simulation.production import produce
from magicnn.simulation.settings import settings_from_yaml

SKY_INDEX = {"electron": 3.4}
MOST_ZENITH_DEG = 75.0


def wider(settings, radius, cone_deg, energy):
    """Return settings with wider limits, thrown as densely as before."""
    cone = 0.0 if settings.particle == "gamma" else cone_deg
    cone = min(cone, MOST_ZENITH_DEG - settings.zenith_max_deg - settings.viewcone_max_deg)
    changes = {
        "name": f"{settings.name}_wide",
        "scatter_radius_m": settings.scatter_radius_m * radius,
        "viewcone_max_deg": settings.viewcone_max_deg + max(cone, 0.0),
        "energy_min_gev": settings.energy_min_gev / energy,
        "energy_max_gev": settings.energy_max_gev * energy,
    }
    return settings.model_copy(update={**changes, "reuse": min(1000, round(settings.reuse * radius**2))})


def share(beyond, weight, shower):
    """Weighted share with its error, showers being independent."""
    total = weight.sum()
    value = weight[beyond].sum() / total
    residual = np.bincount(shower, weights=weight * (beyond - value))
    return value, np.sqrt(np.sum(residual**2)) / total


def main():
    """Read the arguments, simulate with wider limits, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path("runs/limits"))
    parser.add_argument("--showers", type=int, default=4000)
    parser.add_argument("--radius", type=float, default=1.4, help="factor on the scatter radius")
    parser.add_argument("--cone", type=float, default=2.0, help="deg more of view cone")
    parser.add_argument("--energy", type=float, default=1.6, help="factor on the energies, both ways")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    configure_logging(-1)
    print("production, spectrum: triggers (showers); shares beyond in %: core | direction | energy low | high | any")
    for config in arguments.configs:
        settings = settings_from_yaml(config)
        wide = wider(settings, arguments.radius, arguments.cone, arguments.energy)
        path = produce(
            wide,
            arguments.output / f"{wide.name}.h5",
            n_showers=arguments.showers,
            seed=arguments.seed,
            workers=arguments.workers,
            overwrite=True,
        )
        with EventSet(path) as events:
            columns = events.columns()
        energy, zenith = columns["true_energy_gev"], columns["true_zenith_deg"]
        radius = scatter_radius_m(
            energy,
            zenith,
            radius_m=settings.scatter_radius_m,
            energy_exponent=settings.scatter_energy_exponent,
            zenith_exponent=settings.scatter_zenith_exponent,
        )
        core = [columns[f"true_core_{axis}_m"] for axis in "xy"]
        origin = np.zeros_like(TELESCOPES_M[:1])
        beyond = {
            "core": impact_m(*core, zenith, columns["true_azimuth_deg"], origin)[:, 0] > radius,
            "direction": true_offset_deg(columns) > np.degrees(np.tan(np.radians(settings.viewcone_max_deg))) * 1.0001,
            "low": energy < settings.energy_min_gev,
            "high": energy > settings.energy_max_gev,
        }
        inside = ~beyond["low"] & ~beyond["high"]
        shower = np.unique(columns["shower_id"], return_inverse=True)[1]
        for index in (settings.spectral_index, SKY_INDEX.get(settings.primary, 2.7)):
            weight = columns["weight"] * energy ** (settings.spectral_index - index)
            found = [share(beyond[k] & inside, weight * inside, shower) for k in ("core", "direction")]
            found += [share(beyond[k], weight, shower) for k in ("low", "high")]
            found.append(share(np.logical_or.reduce(list(beyond.values())), weight, shower))
            text = " | ".join(f"{100 * v:.2f} +- {100 * e:.2f}" for v, e in found)
            print(f"{settings.name}, E^-{index:g}: {len(energy)} ({shower.max() + 1}); {text}", flush=True)


if __name__ == "__main__":
    main()
