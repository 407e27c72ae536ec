"""Gates of the air-shower simulation against theory and against CORSIKA's published showers."""

import numpy as np
import pytest
from validation import cascade
from validation.cascade import (
    GEANT4_DENSITY_PER_M2,
    GEANT4_TRACK_LENGTH_GCM2,
    expected_profile,
    lateral_light,
    mean_profile,
)

from magicnn.array import TELESCOPES_M
from magicnn.simulation.showers import environment, simulate_shower

RADII_M = np.array([20.0, 40.0, 80.0, 100.0, 120.0, 130.0, 160.0, 190.0])
N_AZIMUTHS = 4
FAR_AWAY = [[4000.0, 0.0]]


@pytest.fixture(scope="module")
def photons():
    return environment(light_scale=1.0, mode="photons", view_radius_deg=30.0, telescope_radius_m=5.0)


def ring_cores(turn):
    azimuth = turn + 2.0 * np.pi / N_AZIMUTHS * np.arange(N_AZIMUTHS)
    radius, azimuth = np.meshgrid(RADII_M, azimuth)
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth)], axis=-1).reshape(-1, 2)


def density(surroundings, particle, energy_gev, n_showers, seed):
    """Photons per square metre of each shower at each radius, with the showers' light."""
    still = np.zeros(N_AZIMUTHS * RADII_M.size)
    rows, lights = [], []
    for i in range(n_showers):
        light, _ = simulate_shower(
            particle,
            energy_gev,
            0.0,
            0.0,
            ring_cores(0.37 * i),
            still,
            still,
            [[0.0, 0.0, 0.0]],
            surroundings,
            [seed, i],
        )
        count = np.bincount(light.reuse, minlength=still.size).reshape(N_AZIMUTHS, -1).mean(axis=0)
        rows.append(count / (np.pi * surroundings.telescope_radius_m**2))
        lights.append(light)
    return np.array(rows), lights


@pytest.fixture(scope="module")
def gammas_100_gev(photons):
    return density(photons, "gamma", 100.0, 150, 1)


def profiles(surroundings, energy_gev, n_showers, zenith_deg=0.0, seed=8):
    truths = [
        simulate_shower(
            "gamma", energy_gev, zenith_deg, 0.0, FAR_AWAY, [zenith_deg], [0.0], TELESCOPES_M, surroundings, [seed, i]
        )[1]
        for i in range(n_showers)
    ]
    return truths, np.mean([truth.profile for truth in truths], axis=0)


def peak_of(profile):
    smooth = np.convolve(profile, [1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9], mode="same")
    k = int(np.argmax(smooth))
    a, b, _ = np.polyfit(np.arange(-4.0, 5.0), smooth[k - 4 : k + 5], 2)
    return 10.0 * (k + 0.5 - 0.5 * b / a), smooth[k] / 10.0


def test_photon_density_per_100_gev(gammas_100_gev):
    rows, _ = gammas_100_gev
    inner = np.median(rows[:, (RADII_M > 50.0) & (RADII_M < 150.0)])
    assert 9.0 < inner < 18.0
    # Shower to shower, at 80 m to 120 m.
    spread = rows[:, 2:5].std(axis=0) / rows[:, 2:5].mean(axis=0)
    assert 0.22 < spread.mean() < 0.42


def test_hump_of_the_light_pool(gammas_100_gev):
    mean = gammas_100_gev[0].mean(axis=0)
    assert 100.0 <= RADII_M[np.argmax(mean)] <= 130.0
    assert 1.02 < mean.max() / mean[:2].mean() < 1.6
    assert mean.max() / mean[RADII_M == 160.0][0] > 1.6
    assert 0.35 < mean[RADII_M == 190.0][0] / mean.max() < 0.75


def test_emission_heights_and_time_spread(gammas_100_gev):
    _, lights = gammas_100_gev
    heights = np.array([np.median(light.emission_height_m) for light in lights if light.n_photons_thrown > 100])
    assert 10_000.0 < np.median(heights) < 13_000.0
    spread = {}
    for radius in (100.0, 190.0):
        ring = np.flatnonzero(np.tile(RADII_M, N_AZIMUTHS) == radius)
        widths = [
            np.diff(np.quantile(light.time_ns[light.reuse == k], [0.16, 0.84]))[0] / 2.0
            for light in lights
            for k in ring
            if (light.reuse == k).sum() > 50
        ]
        spread[radius] = np.median(widths)
    assert 0.35 < spread[100.0] < 0.8
    assert spread[190.0] > 1.5


def test_cascade_agrees_with_geant4():
    # Geant4 11.4, 200 gammas without field: see validation.cascade. Both have an error of 1 to 2 %.
    calm = environment(
        light_scale=1.0, mode="photons", view_radius_deg=80.0, telescope_radius_m=5.0, field_north_ut=0.0,
        field_down_ut=0.0,
    )  # fmt: skip
    rows = lateral_light(calm, 100.0, 400, 8, start_height_m=float(calm.atmosphere.height_m(0.1)))
    for k, radius in enumerate(cascade.RADII_M):
        if radius in GEANT4_DENSITY_PER_M2:
            expected, error = GEANT4_DENSITY_PER_M2[radius]
            error = np.hypot(error, rows[:, k].std() / np.sqrt(len(rows)))
            assert error / expected < 0.035
            assert abs(rows[:, k].mean() - expected) < 3.0 * error
    length = mean_profile(calm, 100.0, 200, 8)[0].sum(axis=1)
    expected, error = GEANT4_TRACK_LENGTH_GCM2
    assert length.mean() == pytest.approx(expected, rel=0.02)
    assert error / expected < 0.01


def test_profile_agrees_with_greisen_and_nerling(photons):
    depth = np.arange(5.0, 900.0, 10.0)
    peaks = {}
    for energy_gev, n_showers in ((100.0, 400), (1000.0, 250)):
        peaks[energy_gev], number = peak_of(profiles(photons, energy_gev, n_showers)[1])
        expected = expected_profile(energy_gev, depth)
        assert peaks[energy_gev] == pytest.approx(depth[np.argmax(expected)], abs=30.0)
        assert number == pytest.approx(expected.max(), rel=0.12)
    # Elongation rate: X0 ln 10 = 84 g/cm2 per decade; 250 showers of 1 TeV give it to about 5.
    assert 70.0 < peaks[1000.0] - peaks[100.0] < 105.0


def test_xmax_is_a_slant_depth(photons):
    vertical, slanted = (
        np.nanmean([truth.xmax_gcm2 for truth in profiles(photons, 300.0, 80, zenith)[0]]) for zenith in (0.0, 60.0)
    )
    assert slanted == pytest.approx(vertical, abs=30.0)


def test_electromagnetic_showers_conserve_energy(photons):
    truths, _ = profiles(photons, 20.0, 150)
    sums = np.array([t.energy_lost_gev + t.energy_dropped_gev + t.energy_ground_gev for t in truths])
    # One photon in 400 interacts with a nucleus instead; its energy leaves the electromagnetic book.
    assert np.median(sums) == pytest.approx(20.0, rel=1e-6)
    assert sums.mean() == pytest.approx(20.0, rel=0.01)


def test_light_does_not_depend_on_the_sphere(photons):
    small = environment(light_scale=1.0, mode="photons", view_radius_deg=30.0, telescope_radius_m=8.72)
    mine, theirs = (density(e, "gamma", 100.0, 200, 3)[0][:, 2:6].mean(axis=1) for e in (small, photons))
    error = np.hypot(mine.std(), theirs.std()) / np.sqrt(200)
    assert abs(mine.mean() - theirs.mean()) < 3.0 * error
    assert error / mine.mean() < 0.045


def test_light_does_not_depend_on_other_reuses():
    # The same shower, alone and with 19 other cores: more light is drawn, but not into this telescope.
    surroundings = environment(light_scale=1.0)
    cores = np.concatenate([[[70.0, 20.0]], np.random.default_rng(1).uniform(-300.0, 300.0, (19, 2))])
    alone, among = [], []
    for i in range(150):
        for k, counts in ((1, alone), (20, among)):
            light, _ = simulate_shower(
                "gamma", 50.0, 0.0, 0.0, cores[:k], np.zeros(k), np.zeros(k), TELESCOPES_M, surroundings, [k, i]
            )
            counts.append((light.reuse == 0).sum())
    error = np.hypot(np.std(alone), np.std(among)) / np.sqrt(150)
    assert abs(np.mean(alone) - np.mean(among)) < 3.0 * error
    assert error / np.mean(alone) < 0.1


@pytest.mark.slow
def test_thinning_keeps_the_mean_light():
    telescopes = np.array([[0.0, 0.0, 0.0]])
    cores = ring_cores(0.0)
    still = np.zeros(len(cores))
    means, errors, steps = [], [], []
    for fraction in (0.0, 2e-3):
        surroundings = environment(light_scale=0.45, thinning_energy_fraction=fraction, thinning_max_weight=10.0)
        light, truths = [], []
        for i in range(120):
            photons, truth = simulate_shower(
                "gamma", 3000.0, 0.0, 0.0, cores, still, still, telescopes, surroundings, [6, i]
            )
            light.append((np.hypot(*cores[photons.reuse].T) > 90.0).sum())
            truths.append(truth.n_steps)
        means.append(np.mean(light))
        errors.append(np.std(light) / np.sqrt(len(light)))
        steps.append(np.mean(truths))
    assert abs(means[1] - means[0]) < 3.0 * np.hypot(*errors)
    assert np.hypot(*errors) / means[0] < 0.03
    assert steps[1] < 0.5 * steps[0]


@pytest.mark.slow
def test_step_size_does_not_change_the_light():
    coarse, fine = (
        density(environment(light_scale=1.0, mode="photons", step_angle_rad=angle), "gamma", 100.0, 800, 9)[0][:, 2:]
        for angle in (0.08, 0.03)
    )
    ratio = coarse.mean() / fine.mean()
    error = np.hypot(coarse.mean(axis=1).std(), fine.mean(axis=1).std()) / np.sqrt(800) / fine.mean()
    assert abs(ratio - 1.0) < 0.02 + 2.0 * error


@pytest.mark.slow
def test_light_depends_on_neither_sphere_nor_other_reuses_within_two_per_cent():
    # Rings of 120 m and more, where the light differs least from shower to shower.
    base = environment(light_scale=1.0, mode="photons", view_radius_deg=30.0, telescope_radius_m=5.0)
    wide = environment(light_scale=1.0, mode="photons", view_radius_deg=30.0, telescope_radius_m=8.72)
    reference, theirs = (density(e, "gamma", 100.0, 800, 41 + k)[0][:, 4:] for k, e in enumerate((base, wide)))
    turn = 2.0 * np.pi / N_AZIMUTHS * np.arange(N_AZIMUTHS)
    alone = []
    for i in range(800):
        radius = RADII_M[4:][i % 4]
        cores = radius * np.stack([np.cos(turn + 0.37 * i), np.sin(turn + 0.37 * i)], axis=1)
        still = np.zeros(N_AZIMUTHS)
        light, _ = simulate_shower("gamma", 100.0, 0.0, 0.0, cores, still, still, [[0.0] * 3], base, [43, i])
        alone.append(light.n_photons_thrown / (N_AZIMUTHS * np.pi * 25.0))
    rings = np.array(alone).reshape(-1, 4)
    for rows in (theirs, rings):
        error = np.sqrt(sum(r.mean(axis=1).var() / len(r) for r in (rows, reference))) / reference.mean()
        assert abs(rows.mean() / reference.mean() - 1.0) < 0.02 + 2.0 * error
        assert error < 0.015
