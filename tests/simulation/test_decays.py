import numpy as np
import pytest

from magicnn.simulation.decays import decay
from magicnn.simulation.particles import (
    ELECTRON,
    KAON_LONG,
    KAON_MINUS,
    KAON_PLUS,
    MASS_MEV,
    MUON_MASS_MEV,
    MUON_MINUS,
    MUON_PLUS,
    PHOTON,
    PION_MASS_MEV,
    PION_MINUS,
    PION_PLUS,
    POSITRON,
)
from magicnn.simulation.random_numbers import random_state


def decayed(species, energy_mev, n, seed):
    state = random_state(seed)
    stack = np.zeros((64, 10))
    parent = np.array([species, energy_mev, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0])
    return [stack[: decay(stack, 0, parent, state)].copy() for _ in range(n)]


def four_momentum(rows):
    """Sum of energy and momentum of rows, [4]."""
    momentum = np.sqrt(rows[:, 1] ** 2 - MASS_MEV[rows[:, 0].astype(int)] ** 2)
    return np.concatenate([[rows[:, 1].sum()], (momentum[:, None] * rows[:, 5:8]).sum(axis=0)])


def square(p):
    return p[0] ** 2 - (p[1:] ** 2).sum()


def unseen_mass2(rows, species, energy_mev):
    beam = np.array([energy_mev, 0.0, 0.0, -np.sqrt(energy_mev**2 - MASS_MEV[species] ** 2)])
    return square(beam - four_momentum(rows))


@pytest.mark.parametrize(("species", "muon"), [(PION_PLUS, MUON_PLUS), (PION_MINUS, MUON_MINUS)])
def test_pions_give_muons_flat_between_the_limits(species, muon):
    rows = np.concatenate(decayed(species, 1e4, 3000, 4))
    assert set(rows[:, 0]) == {muon}
    ratio = (MUON_MASS_MEV / PION_MASS_MEV) ** 2
    # Two-body decay: flat between (m_mu/m_pi)^2 and 1 at high energies.
    assert rows[:, 1].mean() == pytest.approx(0.5e4 * (1.0 + ratio), rel=0.01)
    assert rows[:, 1].std() == pytest.approx(1e4 * (1.0 - ratio) / np.sqrt(12.0), rel=0.03)
    assert rows[:, 1].min() == pytest.approx(1e4 * ratio, rel=0.01)


@pytest.mark.parametrize("species", [PION_MINUS, KAON_PLUS])
def test_what_a_muon_leaves_is_a_massless_neutrino(species):
    single = [rows for rows in decayed(species, 5e3, 200, 5) if len(rows) == 1 and rows[0, 0] <= MUON_PLUS]
    assert len(single) > 80
    unseen = [unseen_mass2(rows, species, 5e3) for rows in single if rows[0, 0] >= MUON_MINUS]
    np.testing.assert_allclose(unseen, 0.0, atol=1e-3)


def test_muons_follow_michel():
    rows = np.concatenate(decayed(MUON_MINUS, 1e5, 20000, 6))
    assert set(rows[:, 0]) == {ELECTRON}
    y = rows[:, 1] / 1e5
    # T. K. Gaisser, Cosmic Rays and Particle Physics, table 6.2: 5/3 - 3 y^2 + 4/3 y^3, with mean 7/20.
    edges = np.linspace(0.0, 1.0, 11)
    expected = np.diff(5.0 / 3.0 * edges - edges**3 + edges**4 / 3.0)
    counts = np.histogram(y, edges)[0]
    pulls = (counts - 20000 * expected) / np.sqrt(20000 * np.maximum(expected, 1e-4))
    # Electrons of the very lowest energies fly backwards and are left out.
    assert (pulls[1:] ** 2).sum() < 30.0
    assert y.mean() == pytest.approx(0.35, abs=0.006)
    across = rows[:, 1] * np.hypot(rows[:, 5], rows[:, 6])
    assert across.max() < 0.5 * MUON_MASS_MEV + 0.01


def test_charged_kaons_decay_by_their_branching_ratios():
    state = decayed(KAON_PLUS, 2e4, 20000, 7)
    kinds = [tuple(sorted(rows[:, 0].astype(int))) for rows in state]
    muonic = np.mean([kind == (MUON_PLUS,) for kind in kinds])
    three_charged = np.mean([kind == (PION_MINUS, PION_PLUS, PION_PLUS) for kind in kinds])
    electronic = np.mean([kind == (PHOTON, PHOTON, POSITRON) for kind in kinds])
    error = 4.0 / np.sqrt(20000)
    assert muonic == pytest.approx(0.6356, abs=0.5 * error)
    assert three_charged == pytest.approx(0.0558, abs=0.25 * error)
    assert electronic == pytest.approx(0.0507, abs=0.25 * error)


def test_negative_kaons_mirror_positive_ones():
    rows = np.concatenate(decayed(KAON_MINUS, 2e4, 500, 8))
    single = rows[(rows[:, 0] >= MUON_MINUS) & (rows[:, 0] <= MUON_PLUS)]
    assert set(single[:, 0]) == {MUON_MINUS}


@pytest.mark.parametrize("energy_mev", [2e3, 5e4])
def test_decays_without_neutrino_keep_energy_momentum_and_mass(energy_mev):
    for species, charges in ((KAON_PLUS, (PION_MINUS, PION_PLUS, PION_PLUS)), (KAON_LONG, None)):
        complete = []
        for rows in decayed(species, energy_mev, 600, 9):
            kind = tuple(sorted(rows[:, 0].astype(int)))
            if kind == (charges or (PHOTON, PHOTON, PION_MINUS, PION_PLUS)):
                complete.append(rows)
        assert len(complete) > 10
        for rows in complete:
            total = four_momentum(rows)
            assert total[0] == pytest.approx(energy_mev, rel=1e-9)
            assert square(total) == pytest.approx(MASS_MEV[species] ** 2, rel=1e-5)
            np.testing.assert_allclose(total[1:3], 0.0, atol=1e-6 * energy_mev)


def test_photon_pairs_have_the_mass_of_the_pion():
    pairs = [rows for rows in decayed(KAON_PLUS, 2e4, 600, 10) if (rows[:, 0] == PHOTON).sum() == 2]
    assert len(pairs) > 100
    masses = [np.sqrt(square(four_momentum(rows[rows[:, 0] == PHOTON]))) for rows in pairs]
    np.testing.assert_allclose(masses, 134.9768, rtol=1e-4)


def test_semileptonic_decays_leave_a_massless_neutrino():
    rows = [event for event in decayed(KAON_LONG, 1e4, 300, 11) if len(event) == 2]
    assert len(rows) > 150
    charge = {ELECTRON: -1, POSITRON: 1, MUON_MINUS: -1, MUON_PLUS: 1, PION_MINUS: -1, PION_PLUS: 1}
    for event in rows:
        assert sum(charge[int(s)] for s in event[:, 0]) == 0
    unseen = [unseen_mass2(event, KAON_LONG, 1e4) for event in rows]
    np.testing.assert_allclose(unseen, 0.0, atol=1e-2)
    # Phase space alone: the muon has a third of the energy or so, and the neutrino too.
    assert 0.5 < np.mean([event[:, 1].sum() for event in rows]) / 1e4 < 0.85


def test_slow_particles_decay_isotropically():
    rows = np.concatenate(decayed(PION_PLUS, PION_MASS_MEV * 1.0001, 3000, 12))
    # Half of the muons go up, which are left out; the others fill the lower hemisphere evenly.
    assert len(rows) == pytest.approx(1500, abs=170)
    assert rows[:, 7].mean() == pytest.approx(-0.5, abs=0.04)
