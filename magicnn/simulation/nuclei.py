"""Helium nuclei: some nucleons interact with the nucleus of the air, the others fly on.

Neither a nucleus of the air nor one of helium stays together. The nucleons that take part interact independently
of each other, each as a free nucleon; where all four take part, this is the superposition of four nucleons.
"""

from __future__ import annotations

import math

from magicnn.compiled import compiled
from magicnn.simulation.hadron_library import HadronLibrary
from magicnn.simulation.hadronic import interact
from magicnn.simulation.particles import MASS_MEV, NEUTRON, PROTON, Stack, push_deflected
from magicnn.simulation.random_numbers import RandomState, exponential, uniform

__all__ = ["FERMI_MOMENTUM_MEV", "N_NUCLEONS", "interact_nucleus", "sample_wounded"]

N_NUCLEONS = 4
FERMI_MOMENTUM_MEV = 169.0
"""Of lithium-6, the lightest nucleus measured (E. J. Moniz et al., Phys. Rev. Lett. 26 (1971) 445)."""

_SPREAD_MEV = FERMI_MOMENTUM_MEV / math.sqrt(5.0)


@compiled
def sample_wounded(energy_mev: float, library: HadronLibrary, state: RandomState) -> int:
    """Draw how many nucleons of a helium nucleus take part in an interaction, 1 to 4.

    Parameters
    ----------
    energy_mev : float
        Total energy of the nucleus.
    library : HadronLibrary
    state : random state

    Notes
    -----
    From SIBYLL's Glauber calculation at the nearest tabulated energy per nucleon.
    """
    place = (math.log(energy_mev / N_NUCLEONS) - library.log_energy_min) / library.log_energy_step
    row = int(min(max(place + 0.5, 0.0), library.n_energies - 1.0))
    r = uniform(state)
    wounded = 1
    while wounded < N_NUCLEONS and r > library.wounded[row, wounded - 1]:
        wounded += 1
    return wounded


@compiled
def interact_nucleus(stack: Stack, n: int, parent: Stack, library: HadronLibrary, state: RandomState) -> int:
    """Let a helium nucleus interact with a nucleus of the air.

    Parameters
    ----------
    stack : float64 array, [capacity, 10]
        At least 4000 rows must be free.
    n : int
        Height of the stack.
    parent : float64 array, [10]
        The nucleus; not a row of the stack that may be overwritten.
    library : HadronLibrary
    state : random state

    Returns
    -------
    int
        The new height of the stack.

    Notes
    -----
    Every nucleon has a fourth of the energy. The spectators are set free, each with a normal transverse momentum of
    p_F/sqrt(5) per axis (A. S. Goldhaber, Phys. Lett. B 53 (1974) 306); bound fragments (deuterons, tritons,
    helium-3) are not made, and the spread of their energy is neglected.
    """
    energy = parent[1] / N_NUCLEONS
    wounded = sample_wounded(parent[1], library, state)
    protons = 2
    nucleon = parent.copy()
    for i in range(N_NUCLEONS):
        species = NEUTRON
        if uniform(state) * (N_NUCLEONS - i) < protons:
            species = PROTON
            protons -= 1
        if i < wounded:
            nucleon[0] = species
            nucleon[1] = energy
            n = interact(stack, n, nucleon, library, state)
        else:
            mass = MASS_MEV[species]
            momentum = math.sqrt(max(energy * energy - mass * mass, 1.0))
            ratio = min(_SPREAD_MEV * math.sqrt(2.0 * exponential(state)) / momentum, 0.95)
            n = push_deflected(stack, n, species, energy, parent, ratio / math.sqrt(1.0 - ratio * ratio), state)
    return n
