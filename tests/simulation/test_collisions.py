import math

import numpy as np
import pytest
from scipy.integrate import quad

from magicnn.simulation.collisions import (
    KNOCK_ON_CUT_MEV,
    annihilation_cross_section_cm2_g,
    collision_loss_mev_cm2_g,
    knock_on_cross_section_cm2_g,
    photon_tangent,
    sample_annihilation,
    sample_knock_on,
)
from magicnn.simulation.random_numbers import random_state

MASS = 0.51099895
SEA_LEVEL = 1.2048e-3


@pytest.mark.parametrize("kinetic_mev", [2.0, 20.0, 100.0, 3000.0])
def test_positrons_lose_what_rohrlich_and_carlson_say(kinetic_mev):
    # S. M. Seltzer, M. J. Berger, Int. J. Appl. Radiat. Isot. 35 (1984) 665: the two kinds differ in their F only.
    tau = kinetic_mev / MASS
    beta2 = 1.0 - 1.0 / (1.0 + tau) ** 2
    of_electrons = (1.0 - beta2) * (1.0 + tau**2 / 8.0 - (2.0 * tau + 1.0) * math.log(2.0))
    series = 23.0 + 14.0 / (tau + 2.0) + 10.0 / (tau + 2.0) ** 2 + 4.0 / (tau + 2.0) ** 3
    of_positrons = 2.0 * math.log(2.0) - beta2 / 12.0 * series
    electron, positron = (
        float(collision_loss_mev_cm2_g(kinetic_mev + MASS, SEA_LEVEL, positron=kind)) for kind in (False, True)
    )
    per_unit = 0.1535375 * 0.49919 / beta2
    assert positron - electron == pytest.approx(per_unit * (of_positrons - of_electrons), abs=1e-5)
    assert 0.93 < positron / electron < 1.0


@pytest.mark.parametrize("positron", [False, True])
@pytest.mark.parametrize("energy_mev", [60.0, 500.0, 2e4])
def test_loss_and_knock_on_electrons_make_up_the_whole_loss(energy_mev, positron):
    soft, everything = (
        float(collision_loss_mev_cm2_g(energy_mev, 1e-30, cut_mev=cut, positron=positron))
        for cut in (KNOCK_ON_CUT_MEV, None)
    )
    state = random_state(1)
    mean = np.mean([sample_knock_on(energy_mev, positron, state) for _ in range(60_000)])
    hard = mean * knock_on_cross_section_cm2_g(energy_mev, positron=positron)
    assert hard == pytest.approx(everything - soft, rel=0.03)


def test_knock_on_electrons_keep_to_their_limits():
    state = random_state(2)
    for positron, most in ((False, 0.5), (True, 1.0)):
        drawn = np.array([sample_knock_on(100.0, positron, state) for _ in range(20_000)])
        assert drawn.min() > KNOCK_ON_CUT_MEV * (1.0 - 1e-12)
        assert 0.95 * most < drawn.max() / (100.0 - MASS) <= most
    assert sample_knock_on(2.0 * KNOCK_ON_CUT_MEV, False, state) == 0.0
    assert sample_knock_on(KNOCK_ON_CUT_MEV, True, state) == 0.0
    assert knock_on_cross_section_cm2_g(2.0 * KNOCK_ON_CUT_MEV) == 0.0


def differential_annihilation(share, gamma):
    bracket = 1.0 + 2.0 * gamma / (gamma + 1.0) ** 2 - share - 1.0 / ((gamma + 1.0) ** 2 * share)
    return bracket / share


@pytest.mark.parametrize("energy_mev", [5.0, 40.0, 1000.0])
def test_annihilation_shares_its_energy_as_its_cross_section(energy_mev):
    gamma = energy_mev / MASS
    half = 0.5 * math.sqrt((gamma - 1.0) / (gamma + 1.0))
    limits = 0.5 - half, 0.5 + half
    norm = quad(differential_annihilation, *limits, args=(gamma,))[0]
    # The integral of the differential cross section, pi r_e^2/(gamma - 1) per electron, is Heitler's total.
    per_gram = 0.5 * 0.1535375 * 0.49919 / MASS
    assert annihilation_cross_section_cm2_g(energy_mev) == pytest.approx(per_gram / (gamma - 1.0) * norm, rel=1e-6)
    state = random_state(3)
    drawn = np.array([sample_annihilation(energy_mev, state) for _ in range(30_000)]) / (energy_mev + MASS)
    assert limits[0] <= drawn.min()
    assert drawn.max() <= limits[1]
    for edge in (0.1, 0.3, 0.5, 0.7):
        if limits[0] < edge < limits[1]:
            below = quad(differential_annihilation, limits[0], edge, args=(gamma,))[0] / norm
            assert (drawn < edge).mean() == pytest.approx(below, abs=0.012)


def test_photons_of_annihilation_balance_their_momenta():
    energy = 80.0
    state = random_state(4)
    for _ in range(100):
        photons = np.array([sample_annihilation(energy, state), 0.0])
        photons[1] = energy + MASS - photons[0]
        tangents = np.array([photon_tangent(photon, energy) for photon in photons])
        if tangents.max() < 3.0:  # beyond, angles are cut off
            angles = np.arctan(tangents)
            assert photons @ np.cos(angles) == pytest.approx(math.sqrt(energy**2 - MASS**2), rel=1e-6)
            assert photons[0] * np.sin(angles[0]) == pytest.approx(photons[1] * np.sin(angles[1]), rel=1e-4)
