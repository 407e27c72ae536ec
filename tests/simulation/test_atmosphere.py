import numpy as np
import pytest

from magicnn.errors import ConfigError
from magicnn.simulation.atmosphere import (
    height_above_sea_m,
    load_atmosphere,
    optical_depth,
    path_to_height_m,
    rayleigh_cross_section_cm2,
)

# Height (km), density, depth, n - 1, Cherenkov angle (deg), electron (MeV) and muon (GeV) threshold of CORSIKA's
# atmosphere 8, to the digits with which they are usually quoted.
WINTER = [
    (5, 7.38e-4, 574, 1.702e-4, 1.06, 27.7, 5.7),
    (8, 5.37e-4, 384, 1.239e-4, 0.90, 32.5, 6.7),
    (10, 4.26e-4, 288, 9.83e-5, 0.80, 36.4, 7.5),
    (14, 2.50e-4, 154, 5.77e-5, 0.62, 47.6, 9.8),
    (20, 9.30e-5, 57.8, 2.14e-5, 0.38, 78.0, 16.1),
]


@pytest.mark.parametrize("row", WINTER, ids=lambda row: f"{row[0]} km")
def test_magic_winter_has_the_published_numbers(row):
    height_km, density, depth, refractivity, angle, electron, muon = row
    air = load_atmosphere("magic-winter")
    height = 1e3 * height_km
    assert air.density_g_cm3(height) == pytest.approx(density, rel=0.01)
    assert air.depth_g_cm2(height) == pytest.approx(depth, rel=0.01)
    assert air.refractivity(height) == pytest.approx(refractivity, rel=0.01)
    assert air.cherenkov_angle_deg(height) == pytest.approx(angle, abs=0.01)
    assert air.cherenkov_threshold_mev(height, 0.51099895) == pytest.approx(electron, rel=0.01)
    assert air.cherenkov_threshold_mev(height, 105.658) / 1e3 == pytest.approx(muon, rel=0.02)


def test_observation_level_lies_under_812_grams():
    air = load_atmosphere()
    assert air.depth_g_cm2(2200.0) == pytest.approx(812, rel=0.01)
    assert air.cherenkov_angle_deg(2200.0) == pytest.approx(1.22, rel=0.01)


def test_depth_is_the_integral_of_density():
    air = load_atmosphere("magic-summer")
    heights = np.linspace(3000.0, 20000.0, 5001)
    density = 100.0 * air.density_g_cm3(heights)
    column = np.trapezoid(density, heights)
    assert column == pytest.approx(float(air.depth_g_cm2(3000.0) - air.depth_g_cm2(20000.0)), rel=0.003)


def test_height_inverts_depth():
    heights = np.array([100.0, 2200.0, 7777.0, 31000.0, 90000.0])
    air = load_atmosphere()
    np.testing.assert_allclose(air.height_m(air.depth_g_cm2(heights)), heights, rtol=1e-9)


@pytest.mark.parametrize("zenith_deg", [0.0, 20.0, 60.0, 70.0])
def test_paths_end_at_their_height_over_the_curved_earth(zenith_deg):
    heights = np.array([2200.0, 5000.0, 20000.0, 100000.0])
    path = path_to_height_m(heights, zenith_deg, 2200.0)
    sin, cos = np.sin(np.radians(zenith_deg)), np.cos(np.radians(zenith_deg))
    np.testing.assert_allclose(height_above_sea_m(path * sin, path * cos, 2200.0), heights, rtol=1e-12)
    exact = np.hypot(path * sin, 6.371e6 + 2200.0 + path * cos) - 6.371e6
    np.testing.assert_allclose(exact, heights, atol=160.0)


def test_rayleigh_cross_section_agrees_with_bodhaine():
    # B. A. Bodhaine et al., J. Atmos. Ocean. Technol. 16 (1999) 1854, table 3 (360 ppm CO2).
    np.testing.assert_allclose(
        rayleigh_cross_section_cm2([300.0, 400.0, 550.0]), [5.60e-26, 1.67e-26, 4.51e-27], rtol=0.02
    )


def test_extinction_agrees_with_corsika(data_dir):
    tables = np.load(data_dir / "simulation_inputs" / "extinction.npz")
    wavelength, height, depth = (tables[key] for key in ("wavelength", "height", "ecoeff"))
    bands = [int(np.argmin(abs(wavelength - nm))) for nm in (300, 320, 350, 400, 450, 500, 600)]
    heights = np.array([5000.0, 8000.0, 10000.0, 15000.0])
    theirs = np.stack([np.interp(heights, height, depth[b]) - np.interp(2200.0, height, depth[b]) for b in bands])
    ours = optical_depth(load_atmosphere(), wavelength[bands][:, None], heights[None, :], 2200.0)
    difference = np.exp(-ours) - np.exp(-theirs)
    # Both are models of a clear night: CORSIKA's holds more aerosol above the observatory, and less ozone, which
    # matters at 300 nm only.
    assert abs(difference[1:]).max() < 0.045
    assert abs(difference[0]).max() < 0.08


def test_unknown_atmosphere_is_a_configuration_error():
    with pytest.raises(ConfigError, match="magic-winter"):
        load_atmosphere("magic-wintr")
