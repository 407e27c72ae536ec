import subprocess
import sys

import numpy as np
import pytest

from magicnn.array import TELESCOPES_M, camera_from_sky, direction_vector, pointing_basis
from magicnn.errors import ConfigError, InputError
from magicnn.simulation.atmosphere import load_atmosphere, path_to_height_m
from magicnn.simulation.showers import environment, simulate_shower

LEVEL = 2200.0


@pytest.fixture(scope="module")
def surroundings():
    return environment(light_scale=0.45)


@pytest.fixture(scope="module")
def bright():
    return environment(light_scale=1.0, mode="photons", field_north_ut=0.0, field_down_ut=0.0)


def one(particle, energy_gev, environment, seed, *, core=(60.0, 30.0), zenith=20.0, azimuth=180.0, **options):
    return simulate_shower(
        particle, energy_gev, zenith, azimuth, [core], [zenith], [azimuth], TELESCOPES_M, environment, seed, **options
    )


def test_the_seed_fixes_the_shower(surroundings):
    first, truth = one("proton", 300.0, surroundings, [4, 7])
    one("gamma", 50.0, surroundings, 1)
    again, truth_again = one("proton", 300.0, surroundings, [4, 7])
    other, _ = one("proton", 300.0, surroundings, [4, 8])
    np.testing.assert_array_equal(first.x_deg, again.x_deg)
    np.testing.assert_array_equal(first.time_ns, again.time_ns)
    assert truth.n_steps == truth_again.n_steps
    assert other.n_photons_thrown != first.n_photons_thrown


def test_another_process_makes_the_same_shower(surroundings):
    light, _ = one("gamma", 100.0, surroundings, 11)
    code = (
        "from magicnn.simulation.showers import environment, simulate_shower\n"
        "from magicnn.array import TELESCOPES_M\n"
        "e = environment(light_scale=0.45)\n"
        "l, t = simulate_shower('gamma', 100.0, 20.0, 180.0, [(60.0, 30.0)], [20.0], [180.0], TELESCOPES_M, e, 11)\n"
        "import sys; sys.stdout.write(repr((l.n_photons_thrown, float(l.time_ns.sum()))))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == repr((light.n_photons_thrown, float(light.time_ns.sum())))


@pytest.mark.parametrize(("zenith", "azimuth"), [(0.0, 0.0), (30.0, 0.0), (50.0, 75.0)])
def test_directions_and_times_are_those_of_the_emission_points(bright, zenith, azimuth):
    # A stiff muon flies straight along the axis, so the emission height gives the point a photon came from.
    core = np.array([50.0, -40.0, 0.0])
    towards = direction_vector(zenith, azimuth)
    light, _ = one("muon", 5000.0, bright, 3, core=core[:2], zenith=zenith, azimuth=azimuth, start_height_m=12000.0)
    assert light.n_photons_thrown > 100
    points = core + path_to_height_m(light.emission_height_m, zenith, LEVEL)[:, None] * towards
    telescope = TELESCOPES_M[light.telescope]
    x_axis, y_axis, ahead = pointing_basis(zenith, azimuth)
    hits = telescope + light.mirror_x_m[:, None] * x_axis + light.mirror_y_m[:, None] * y_axis
    away = points - hits
    distance = np.linalg.norm(away, axis=1)
    point_zenith = np.degrees(np.arccos(away[:, 2] / distance))
    point_azimuth = np.degrees(np.arctan2(-away[:, 1], away[:, 0]))
    x_deg, y_deg = camera_from_sky(point_zenith, point_azimuth, zenith, azimuth)
    # Emission heights are single precision and the muon wavers by micrometres per metre.
    np.testing.assert_allclose(light.x_deg, x_deg, atol=0.02)
    np.testing.assert_allclose(light.y_deg, y_deg, atol=0.02)

    air = load_atmosphere()
    heights = np.linspace(LEVEL, 12000.0, 2000)
    optical = np.concatenate([[0.0], np.cumsum(0.5 * (air.refractivity(heights[1:]) + air.refractivity(heights[:-1])))])
    optical *= heights[1] - heights[0]
    delay = np.interp(light.emission_height_m, heights, optical) * distance / (light.emission_height_m - LEVEL)
    emitted = -path_to_height_m(light.emission_height_m, zenith, LEVEL)
    expected = (emitted + distance + delay + (telescope - core) @ ahead) / 0.299792458
    np.testing.assert_allclose(light.time_ns, expected, atol=0.15)


def test_an_image_lies_on_the_far_side_of_its_core(bright):
    # Vertical shower with its core to the north, telescopes looking up with "north" as their azimuth: the light comes
    # from north of the zenith. Camera x points to higher altitude, over the zenith to the south, so x is negative.
    light, _ = one("gamma", 200.0, bright, 5, core=(100.0, 0.0), zenith=0.0, azimuth=0.0)
    assert np.median(light.x_deg) < -0.3
    assert abs(np.median(light.y_deg)) < 0.3
    # A core to the east (y is west) moves the image to the east, which is +y for telescopes facing north.
    light, _ = one("gamma", 200.0, bright, 5, core=(0.0, -100.0), zenith=0.0, azimuth=0.0)
    assert np.median(light.y_deg) > 0.3


def test_light_comes_sorted_by_reuse_and_telescope_with_its_own_pointing(surroundings):
    cores = np.array([[60.0, 30.0], [60.0, 30.0], [-80.0, 40.0]])
    light, _ = simulate_shower(
        "gamma", 300.0, 20.0, 180.0, cores, [20.0, 20.6, 20.0], [180.0, 180.0, 180.0], TELESCOPES_M, surroundings, 2
    )
    key = light.reuse * 2 + light.telescope
    assert (np.diff(key) >= 0).all()
    assert set(key) == set(range(6))
    same, tilted = (np.median(light.x_deg[light.reuse == k]) for k in (0, 1))
    # Pointing 0.6 degrees lower moves the image up by as much.
    assert tilted - same == pytest.approx(0.6, abs=0.06)
    assert np.hypot(light.mirror_x_m, light.mirror_y_m).max() < 8.8
    assert np.hypot(light.x_deg, light.y_deg).max() < np.degrees(np.tan(np.radians(2.2))) + 1e-4


def test_a_muon_on_the_axis_draws_a_ring_of_its_cherenkov_angle(bright):
    light, truth = simulate_shower(
        "muon", 20.0, 0.0, 0.0, [[0.0, 0.0]], [0.0], [0.0], [[0.0, 0.0, 0.0]], bright, 1, start_height_m=2700.0
    )
    radius = np.hypot(light.x_deg - light.x_deg.mean(), light.y_deg - light.y_deg.mean())
    index = 1.0 + float(load_atmosphere().refractivity(2400.0))
    beta = np.sqrt(1.0 - (0.10566 / 20.0) ** 2)
    assert np.median(radius) == pytest.approx(np.degrees(np.arccos(1.0 / (index * beta))), abs=0.02)
    # All light of the last R/tan(theta) metres falls on the reflector.
    sin2 = 1.0 - 1.0 / (index * beta) ** 2
    length = 8.72 / np.tan(np.arccos(1.0 / (index * beta)))
    assert light.n_photons_thrown == pytest.approx(bright.light.per_metre[0, 0] * sin2 * length, rel=0.05)
    assert np.isnan(truth.first_interaction_height_m)


def test_user_mistakes_are_named(surroundings):
    with pytest.raises(ConfigError, match="proton"):
        one("protn", 100.0, surroundings, 1)
    with pytest.raises(InputError, match="zenith"):
        one("gamma", 100.0, surroundings, 1, zenith=80.0)
    with pytest.raises(InputError, match="kinetic"):
        one("gamma", 0.01, surroundings, 1)
    with pytest.raises(InputError, match="one for each of 2 cores"):
        simulate_shower("gamma", 1.0, 0.0, 0.0, [[0, 0], [1, 1]], [0.0], [0.0], TELESCOPES_M, surroundings, 1)
    with pytest.raises(ConfigError, match="step_angle_rad"):
        environment(light_scale=1.0, step_angle_rad=2.0)
    with pytest.raises(ConfigError, match="photons"):
        environment(light_scale=1.0, mode="photon")
