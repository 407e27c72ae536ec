import numpy as np
import pytest

from magicnn.array import TELESCOPES_M
from magicnn.simulation.hadron_library import load_hadron_library
from magicnn.simulation.hadronic import cross_section_mb
from magicnn.simulation.nuclei import FERMI_MOMENTUM_MEV, interact_nucleus, sample_wounded
from magicnn.simulation.particles import HELIUM, MASS_MEV, NEUTRON, PROTON
from magicnn.simulation.random_numbers import random_state
from magicnn.simulation.showers import environment, simulate_shower


@pytest.fixture(scope="module")
def library():
    return load_hadron_library()


@pytest.fixture(scope="module")
def surroundings():
    return environment(light_scale=1.0)


def broken(energy_mev, n, seed, library):
    state = random_state(seed)
    stack = np.zeros((8000, 10))
    parent = np.array([HELIUM, energy_mev, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0])
    return [stack[: interact_nucleus(stack, 0, parent, library, state)].copy() for _ in range(n)]


def spectators(rows, energy_mev):
    return rows[(rows[:, 0] >= PROTON) & (np.abs(rows[:, 1] - 0.25 * energy_mev) < 1e-6 * energy_mev)]


def test_wounded_nucleons_agree_with_the_cross_sections(library):
    # N_wounded = A sigma(p)/sigma(A): A. Bialas, M. Bleszynski, W. Czyz, Nucl. Phys. B 111 (1976) 461.
    for energy in (1e6, 1e8):
        state = random_state(1)
        mean = np.mean([sample_wounded(energy, library, state) for _ in range(20000)])
        expected = 4.0 * cross_section_mb(PROTON, 0.25 * energy, library) / cross_section_mb(HELIUM, energy, library)
        assert mean == pytest.approx(expected, rel=0.06)


def test_nucleons_are_conserved_and_spectators_keep_their_speed(library):
    energy = 4e6
    free = [len(spectators(rows, energy)) for rows in broken(energy, 1500, 2, library)]
    state = random_state(3)
    wounded = [sample_wounded(energy, library, state) for _ in range(20000)]
    assert max(free) == 3
    assert np.mean(free) == pytest.approx(4.0 - np.mean(wounded), abs=0.1)


def test_spectators_are_as_often_protons_as_neutrons_with_fermi_momentum(library):
    energy = 4e5
    rows = np.concatenate([spectators(event, energy) for event in broken(energy, 3000, 4, library)])
    assert (rows[:, 0] == PROTON).mean() == pytest.approx(0.5, abs=0.03)
    momentum = np.sqrt(rows[:, 1] ** 2 - MASS_MEV[NEUTRON] ** 2)
    assert (momentum * rows[:, 5]).std() == pytest.approx(FERMI_MOMENTUM_MEV / np.sqrt(5.0), rel=0.05)


def test_energy_is_conserved(library):
    for energy, lowest in ((4e4, 0.93), (4e6, 0.99)):
        sums = [rows[:, 1].sum() for rows in broken(energy, 300, 5, library)]
        # Nucleons that the air gives are not part of the primary's energy: some rest energies more than it had.
        assert lowest < np.mean(sums) / energy < 1.03 + 6e3 / energy


def test_helium_is_four_nucleons_of_a_fourth_of_the_energy_each(surroundings):
    cores = np.array([[60.0, 30.0], [-50.0, 80.0], [20.0, -100.0], [120.0, 40.0]])
    k = len(cores)

    def light(particle, energy_gev, n):
        numbers = []
        for i in range(n):
            rows, _ = simulate_shower(
                particle, energy_gev, 20.0, 180.0, cores, [20.0] * k, [180.0] * k, TELESCOPES_M, surroundings, [9, i]
            )
            numbers.append(rows.n_photons_thrown)
        return np.mean(numbers), np.std(numbers) / np.sqrt(n), np.std(numbers) / np.mean(numbers)

    helium, helium_error, helium_spread = light("helium", 1600.0, 60)
    proton, proton_error, proton_spread = light("proton", 400.0, 150)
    ratio = helium / (4.0 * proton)
    error = ratio * np.hypot(helium_error / helium, proton_error / proton)
    # Spectators begin their own showers deeper, so superposition holds to some ten per cent.
    assert abs(ratio - 1.0) < 0.15 + 3.0 * error
    assert helium_spread < proton_spread


def test_helium_interacts_higher_than_protons(surroundings):
    def heights(particle, n):
        return [
            simulate_shower(
                particle, 100.0, 0.0, 0.0, [[3000.0, 0.0]], [0.0], [0.0], TELESCOPES_M, surroundings, [11, i]
            )[1].first_interaction_height_m
            for i in range(n)
        ]

    assert np.mean(heights("helium", 150)) > np.mean(heights("proton", 150)) + 2000.0
