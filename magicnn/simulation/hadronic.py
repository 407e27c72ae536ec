"""Interactions of hadrons with the air: events of a generator out of the library, scaled to the energy wanted.

Takes the particle as a row of the stack and leaves the products on the stack. Below the lowest energy of the library,
1.5 GeV, its events are scaled down; what they still make is close to the cuts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.simulation.decays import push_two_photons
from magicnn.simulation.electromagnetic import PHOTON_CUT_MEV
from magicnn.simulation.hadron_library import CROSS_SECTION_STEP, HadronLibrary
from magicnn.simulation.particles import (
    HELIUM,
    MASS_MEV,
    PION_MINUS,
    PION_ZERO,
    PION_ZERO_MASS_MEV,
    PROTON,
    Stack,
    push,
    tilted,
)
from magicnn.simulation.random_numbers import RandomState, uniform

__all__ = ["HADRON_CUT_MEV", "cross_section_mb", "interact", "interaction_length_g_cm2", "sample_products"]

HADRON_CUT_MEV = 300.0
"""Hadrons of less kinetic energy are dropped: what they can still make stays below the Cherenkov threshold."""

_MASS_OF_TARGET_OVER_MB = (0.785 * 14.0031 + 0.215 * 15.9949) * 1.66053907e-24 / 1e-27


@compiled
def cross_section_mb(species: int, energy_mev: float, library: HadronLibrary) -> float:
    """Give the cross section for an interaction of a hadron or of helium on air.

    Parameters
    ----------
    species : int
        Charged pion or kaon, long-lived kaon, nucleon, or helium.
    energy_mev : float
        Total energy.
    library : HadronLibrary

    Notes
    -----
    SIBYLL 2.3d for nitrogen and oxygen from 60 GeV (helium: per nucleon) upwards, without quasi-elastic scattering,
    which makes no particles; below, Geant4's, with it, as its events have it; constant below 1.5 GeV and above 100 TeV.
    Helium below 60 GeV per nucleon follows its nucleons.
    """
    per_hadron = 0.25 * energy_mev if species == HELIUM else energy_mev
    place = math.log(max(per_hadron * 1e-3, 1.0)) / CROSS_SECTION_STEP
    i = min(int(place), library.cross_mb.shape[1] - 2)
    part = min(place - i, 1.0)
    row = species - PION_MINUS
    return float(library.cross_mb[row, i] + part * (library.cross_mb[row, i + 1] - library.cross_mb[row, i]))


@compiled
def interaction_length_g_cm2(species: int, energy_mev: float, library: HadronLibrary) -> float:
    """Give the mean path of a hadron in air between interactions; arguments as in `cross_section_mb`."""
    return _MASS_OF_TARGET_OVER_MB / cross_section_mb(species, energy_mev, library)


@compiled
def _choose_event(species: int, energy_mev: float, library: HadronLibrary, state: RandomState) -> int:
    """Choose an event of one of the two energies beside the one wanted, the nearer the likelier."""
    place = (math.log(energy_mev) - library.log_energy_min) / library.log_energy_step
    place = min(max(place, 0.0), library.n_energies - 1.0)
    bin_of_energy = int(place)
    if uniform(state) < place - bin_of_energy:
        bin_of_energy += 1
    projectile = species - PION_MINUS
    number = library.n_events[projectile]
    return int(library.first_event[projectile] + bin_of_energy * number + int(uniform(state) * number))


@compiled
def interact(stack: Stack, n: int, parent: Stack, library: HadronLibrary, state: RandomState) -> int:
    """Let a hadron interact with a nucleus of the air.

    Parameters
    ----------
    stack : float64 array, [capacity, 10]
        At least 1000 rows must be free.
    n : int
        Height of the stack.
    parent : float64 array, [10]
        The interacting hadron; not a row of the stack that may be overwritten.
    library : HadronLibrary
    state : random state

    Returns
    -------
    int
        The new height of the stack.

    Notes
    -----
    A product keeps its transverse momentum and its share of the energy (kinetic energy of baryons, total energy of
    mesons) from an event of one of the two nearest energies of the library. The event as a whole is turned by a random
    angle about the direction of the projectile, so its transverse momenta stay balanced. Antinucleons travel as
    nucleons with the energy of their annihilation. Neutral pions decay at once. Products below the cuts are dropped.
    """
    species = int(parent[0])
    available = parent[1]
    if species >= PROTON:
        available -= MASS_MEV[species]
    event = _choose_event(species, parent[1], library, state)
    turn = 2.0 * math.pi * uniform(state)
    first, last = library.first[event], library.first[event + 1]
    for i in range(first, last):
        product = abs(library.species[i])
        energy = library.x[i] * available
        mass = MASS_MEV[product]
        if product >= PROTON and product != PION_ZERO:
            energy += mass
        if product >= PION_MINUS and product != PION_ZERO:
            if energy - mass < HADRON_CUT_MEV:
                continue
        elif energy < max(mass, PHOTON_CUT_MEV):
            continue
        momentum = math.sqrt(max(energy * energy - mass * mass, 1.0))
        ratio = min(library.pt_mev[i] / momentum, 0.95)
        tangent = ratio / math.sqrt(1.0 - ratio * ratio)
        phi = library.phi[i] + turn
        ux, uy, uz = tilted(parent[5], parent[6], parent[7], tangent * math.cos(phi), tangent * math.sin(phi))
        if product == PION_ZERO:
            n = push_two_photons(stack, n, parent, ux, uy, uz, energy, PION_ZERO_MASS_MEV, state)
        else:
            n = push(stack, n, product, energy, parent, ux, uy, uz)
    return n


def sample_products(species: int, energy_mev: float, library: HadronLibrary, state: RandomState) -> NDArray[np.float64]:
    """Give the products of one interaction of a downward hadron, for tests and figures.

    Returns
    -------
    float64 array, [n, 10]
        Rows of a stack: species, total energy (MeV), position, direction, time, weight.
    """
    stack = np.zeros((2000, 10))
    parent = np.array([species, energy_mev, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0])
    return stack[: interact(stack, 0, parent, library, state)].copy()
