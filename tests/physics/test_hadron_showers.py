"""Showers of hadrons as a whole."""

import numpy as np
import pytest

from magicnn.array import TELESCOPES_M
from magicnn.simulation.showers import environment, simulate_shower

N_CORES = 8
ZENITH_DEG = 20.0


@pytest.fixture(scope="module")
def surroundings():
    return environment(light_scale=0.45)


def showers(particle, energy_gev, n, seed, surroundings, zenith_deg=ZENITH_DEG):
    """Photoelectrons per telescope with cores spread evenly over 200 m, and the truth, of n showers."""
    rng = np.random.default_rng(seed)
    numbers, truths = [], []
    for i in range(n):
        radius, angle = 200.0 * np.sqrt(rng.uniform(size=N_CORES)), 2.0 * np.pi * rng.uniform(size=N_CORES)
        cores = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        light, truth = simulate_shower(
            particle,
            energy_gev,
            zenith_deg,
            180.0,
            cores,
            np.full(N_CORES, zenith_deg),
            np.full(N_CORES, 180.0),
            TELESCOPES_M,
            surroundings,
            [seed, i],
        )
        numbers.append(light.n_photons_thrown / (2 * N_CORES))
        truths.append(truth)
    return np.array(numbers), truths


def error_of_mean(values):
    return np.std(values) / np.sqrt(len(values))


@pytest.fixture(scope="module")
def protons_1_tev(surroundings):
    return showers("proton", 1000.0, 100, 3, surroundings)


def test_protons_of_1_tev_give_two_fifths_of_the_light_of_gammas(protons_1_tev, surroundings):
    protons, _ = protons_1_tev
    gammas, _ = showers("gamma", 1000.0, 15, 4, surroundings)
    ratio = protons.mean() / gammas.mean()
    error = ratio * np.hypot(error_of_mean(protons) / protons.mean(), error_of_mean(gammas) / gammas.mean())
    # 0.35 to 0.45 of the light.
    assert abs(ratio - 0.40) < 0.05 + 2.5 * error
    assert error < 0.05
    # Some protons give most of their energy to neutral pions at once, others start low.
    assert 0.45 < protons.std() / protons.mean() < 0.9
    assert gammas.std() / gammas.mean() < 0.35


def test_protons_begin_and_peak_where_cross_sections_put_them(protons_1_tev, surroundings):
    _, truths = protons_1_tev
    heights = np.array([truth.first_interaction_height_m for truth in truths])
    slant = surroundings.atmosphere.depth_g_cm2(heights) / np.cos(np.radians(ZENITH_DEG))
    # 14.43 u over 285 mb at 1 TeV: 84 g/cm2, an exponential distribution cut at the ground.
    assert slant.mean() == pytest.approx(84.0, abs=3.5 * 84.0 / np.sqrt(len(slant)))
    xmax = np.array([truth.xmax_gcm2 for truth in truths])
    assert 300.0 < np.mean(xmax) < 400.0


def test_hadrons_make_muons_and_gammas_hardly_any(protons_1_tev, surroundings):
    _, truths = protons_1_tev
    muons = np.mean([truth.n_muons for truth in truths])
    _, gammas = showers("gamma", 1000.0, 10, 5, surroundings)
    assert 10.0 < muons < 40.0
    assert np.mean([truth.n_muons for truth in gammas]) < 0.1 * muons
    # What reaches the ground is a few GeV each.
    energy = np.sum([truth.energy_muons_gev for truth in truths]) / np.sum([truth.n_muons for truth in truths])
    assert 2.0 < energy < 15.0


@pytest.mark.parametrize("particle", ["electron", "muon", "helium", "proton", "gamma"])
@pytest.mark.parametrize("zenith_deg", [0.0, 70.0])
def test_every_primary_flies_at_every_zenith_angle(particle, zenith_deg, surroundings):
    numbers, truths = showers(particle, 300.0, 4, 6, surroundings, zenith_deg)
    assert np.isfinite(numbers).all()
    assert all(truth.n_steps > 0 for truth in truths)
    if particle in ("electron", "helium", "proton") and zenith_deg == 0.0:
        assert numbers.sum() > 0.0


@pytest.mark.parametrize("has_field", [False, True])
def test_electrons_shower_as_gammas_do_but_earlier(has_field, surroundings):
    # The field, too, must not lead an electron off its stated axis before it showers.
    calm = environment(light_scale=0.45, field_north_ut=0.0, field_down_ut=0.0)
    electrons, _ = showers("electron", 300.0, 40, 7, surroundings if has_field else calm)
    gammas, _ = showers("gamma", 300.0, 40, 8, surroundings if has_field else calm)
    error = np.hypot(error_of_mean(electrons) / electrons.mean(), error_of_mean(gammas) / gammas.mean())
    assert electrons.mean() / gammas.mean() == pytest.approx(1.0, abs=0.15 + 2.5 * error)
