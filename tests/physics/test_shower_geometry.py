"""Showers over the curved Earth and in the magnetic field, against plain geometry."""

import numpy as np
import pytest

from magicnn.array import direction_vector, geographic_from_magnetic
from magicnn.simulation.atmosphere import EARTH_RADIUS_M, load_atmosphere
from magicnn.simulation.electromagnetic import compton_cross_section_cm2_g, pair_cross_section_cm2_g
from magicnn.simulation.showers import environment, simulate_shower

LEVEL = 2200.0
ORIGIN = [[0.0, 0.0, 0.0]]
SPEED_OF_LIGHT = 0.299792458


def slant_depth(zenith_deg, height_m):
    """Column along a straight line over a spherical Earth, from the top of the air to a height (exact geometry)."""
    air = load_atmosphere()
    edges = np.linspace(0.0, 1.2e6, 240001)
    centre = EARTH_RADIUS_M + LEVEL
    path = 0.5 * (edges[1:] + edges[:-1])
    height = np.sqrt(centre**2 + path**2 + 2.0 * centre * path * np.cos(np.radians(zenith_deg))) - EARTH_RADIUS_M
    inside = height < 1.15e5
    column = np.where(inside, 100.0 * air.density_g_cm3(np.minimum(height, 1.15e5)) * np.diff(edges), 0.0)
    above = np.cumsum(column[::-1])[::-1]
    return np.interp(height_m, height[inside], above[inside])


@pytest.mark.parametrize("zenith", [0.0, 50.0, 70.0])
def test_first_interactions_follow_the_slant_depth_over_a_sphere(zenith):
    calm = environment(light_scale=1.0)
    n = 2500
    heights = [
        simulate_shower("gamma", 1.0, zenith, 40.0, [[5000.0, 0.0]], [zenith], [40.0], ORIGIN, calm, [5, i])[1]
        .first_interaction_height_m
        for i in range(n)
    ]  # fmt: skip
    depth = slant_depth(zenith, np.array(heights))
    free_path = 1.0 / (pair_cross_section_cm2_g(1e3) + float(compton_cross_section_cm2_g(1e3)))
    assert depth.mean() == pytest.approx(free_path, abs=3.5 * free_path / np.sqrt(n))
    # An exponential law has as much of its sum below its median as this.
    assert np.median(depth) == pytest.approx(np.log(2.0) * free_path, abs=3.5 * free_path / np.sqrt(n))


def test_depth_of_the_maximum_is_a_slant_depth_at_70_degrees():
    calm = environment(light_scale=1.0, field_north_ut=0.0, field_down_ut=0.0)
    depth = {}
    for zenith in (0.0, 70.0):
        truths = [
            simulate_shower("gamma", 300.0, zenith, 0.0, [[9000.0, 0.0]], [zenith], [0.0], ORIGIN, calm, [6, i])[1]
            for i in range(60)
        ]
        depth[zenith] = np.array([truth.xmax_gcm2 for truth in truths])
    error = np.hypot(*(d.std() / np.sqrt(len(d)) for d in depth.values()))
    # Thinner air has a higher threshold, which moves the maximum up a little.
    assert abs(depth[70.0].mean() - depth[0.0].mean() + 8.0) < 3.0 * error
    assert error < 15.0


@pytest.mark.parametrize("azimuth", [0.0, 130.0])
def test_the_field_bends_muons_with_the_right_sign_and_radius(azimuth):
    field = 200.0
    surroundings = environment(
        light_scale=1.0, mode="photons", field_north_ut=field, field_down_ut=0.0, telescope_radius_m=100.0,
        view_radius_deg=20.0,
    )  # fmt: skip
    energy, west = 100.0, geographic_from_magnetic(np.array([0.0, 1.0]))
    slopes = []
    for i in range(40):
        light, _ = simulate_shower(
            "muon", energy, 0.0, azimuth, [[0.0, 0.0]], [0.0], [azimuth], ORIGIN, surroundings, [7, i],
            start_height_m=10_000.0,
        )  # fmt: skip
        # Horizontal part of the flight of light, in the frame of the ground: the camera's axes turn with the azimuth.
        up = -direction_vector(90.0, azimuth)[:2]
        along = direction_vector(90.0, azimuth + 90.0)[:2]
        flight = -np.tan(np.radians(light.x_deg))[:, None] * up - np.tan(np.radians(light.y_deg))[:, None] * along
        low = light.emission_height_m < 5500.0
        slopes.append(np.polyfit(light.emission_height_m[low], flight[low] @ west, 1)[0])
    # A negative particle that falls through a field to the north is drawn to the west: 0.3 B/p per metre.
    momentum_mev = 1e3 * energy - 2.4 * 600.0
    expected = SPEED_OF_LIGHT * 1e-3 * field / momentum_mev
    assert -np.mean(slopes) == pytest.approx(expected, rel=0.08)


def light_of_tracks(profile):
    """Photons (290 nm to 700 nm) of a profile of track length, with the electrons' spectrum of Nerling et al."""
    air = load_atmosphere()
    height = air.height_m(5.0 + 10.0 * np.arange(len(profile)))
    threshold = air.cherenkov_threshold_mev(height, 0.511)[:, None]
    energy = np.geomspace(1.0, 1e6, 4000)
    spectrum = energy / ((energy + 4.893) * (energy + 126.03)) * (energy > threshold)
    share = (spectrum * (1.0 - (threshold / energy) ** 2)).sum(axis=1) / spectrum.sum(axis=1)
    per_metre = 2e9 * np.pi / 137.036 * (1.0 / 290.0 - 1.0 / 700.0) * 2.0 * air.refractivity(height) * share
    return float((profile * per_metre / (100.0 * air.density_g_cm3(height))).sum())


@pytest.mark.parametrize("zenith", [0.0, 60.0, 70.0])
def test_all_light_of_the_tracks_reaches_the_ground(zenith):
    photons = environment(
        light_scale=1.0, mode="photons", view_radius_deg=80.0, telescope_radius_m=20.0, field_north_ut=0.0,
        field_down_ut=0.0,
    )  # fmt: skip
    radii = np.geomspace(10.0, 20000.0, 34)
    # Places to the east and west: there the distance is across the plane of the shower, whatever its zenith angle.
    cores = np.stack([np.zeros(68), np.concatenate([radii, -radii])], axis=1)
    still = np.zeros(68)
    counts, profiles = [], []
    for i in range(25):
        light, truth = simulate_shower("gamma", 100.0, zenith, 0.0, cores, still + zenith, still, ORIGIN, photons, i)
        counts.append(np.bincount(light.reuse, minlength=68).reshape(2, 34).sum(axis=0) / 2.0)
        profiles.append(truth.profile)
    density = np.mean(counts, axis=0) / (np.pi * 20.0**2)
    total = np.trapezoid(2.0 * np.pi * radii**2 * density, np.log(radii)) + np.pi * 10.0**2 * density[0]
    assert total == pytest.approx(light_of_tracks(np.mean(profiles, axis=0)), rel=0.05)
