"""The species a shower is made of, and the stack that holds the particles still to be followed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.simulation.random_numbers import RandomState, uniform

__all__ = [
    "CHARGE",
    "DECAY_LENGTH_M",
    "ELECTRON",
    "ELECTRON_MASS_MEV",
    "HELIUM",
    "KAON_LONG",
    "KAON_MINUS",
    "KAON_PLUS",
    "MASS_MEV",
    "MUON_MASS_MEV",
    "MUON_MINUS",
    "MUON_PLUS",
    "NEUTRON",
    "PHOTON",
    "PION_MASS_MEV",
    "PION_MINUS",
    "PION_PLUS",
    "PION_ZERO",
    "PION_ZERO_MASS_MEV",
    "POSITRON",
    "PROTON",
    "STACK_COLUMNS",
    "Stack",
    "push",
    "push_deflected",
    "survives",
    "tilted",
]

PHOTON, ELECTRON, POSITRON, MUON_MINUS, MUON_PLUS, PION_MINUS, PION_PLUS = range(7)
KAON_MINUS, KAON_PLUS, KAON_LONG, PROTON, NEUTRON, HELIUM, PION_ZERO = range(7, 14)

ELECTRON_MASS_MEV = 0.51099895
MUON_MASS_MEV = 105.6583755
PION_MASS_MEV = 139.57039
PION_ZERO_MASS_MEV = 134.9768

MASS_MEV = np.array(
    [
        0.0,
        0.51099895,
        0.51099895,
        105.6583755,
        105.6583755,
        139.57039,
        139.57039,
        493.677,
        493.677,
        497.611,
        938.27209,
        939.56542,
        3727.3794,
        134.9768,
    ]
)
"""Rest energies, particle data group 2024; antinucleons travel as nucleons. Neutral pions decay before they
reach a stack."""
CHARGE = np.array([0.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, 0.0, 1.0, 0.0, 2.0, 0.0])
DECAY_LENGTH_M = np.array([0.0, 0.0, 0.0, 658.638, 658.638, 7.8045, 7.8045, 3.711, 3.711, 15.34, 0.0, 0.0, 0.0, 0.0])
"""Lifetime times the speed of light, particle data group 2024; 0 for what does not decay here."""

Stack = NDArray[np.float64]
STACK_COLUMNS = 10
"""Species, total energy (MeV), x, y, z (m), direction (3), light travel time (m), statistical weight."""


@compiled
def tilted(ux: float, uy: float, uz: float, a: float, b: float) -> tuple[float, float, float]:
    """Turn a unit vector by the tangents a, b along two axes across it.

    Notes
    -----
    The axes are those of T. Duff et al., J. Computer Graphics Techniques 6 (2017) 1, without a branch.
    """
    sign = math.copysign(1.0, uz)
    f = -1.0 / (sign + uz)
    g = ux * uy * f
    vx = ux + a * (1.0 + sign * ux * ux * f) + b * g
    vy = uy + a * sign * g + b * (sign + uy * uy * f)
    vz = uz - a * sign * ux - b * uy
    norm = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    return vx * norm, vy * norm, vz * norm


@compiled
def push(stack: Stack, n: int, species: int, energy_mev: float, parent: Stack, ux: float, uy: float, uz: float) -> int:
    """Put a particle at the place, time and weight of its parent (a row of the stack); returns the new height."""
    row = stack[n]
    row[0] = species
    row[1] = energy_mev
    row[2] = parent[2]
    row[3] = parent[3]
    row[4] = parent[4]
    row[5] = ux
    row[6] = uy
    row[7] = uz
    row[8] = parent[8]
    row[9] = parent[9]
    return n + 1


@compiled
def push_deflected(
    stack: Stack, n: int, species: int, energy_mev: float, parent: Stack, tangent: float, state: RandomState
) -> int:
    """Put a particle that leaves its parent under an angle (given by its tangent) at a random azimuth."""
    phi = 2.0 * math.pi * uniform(state)
    ux, uy, uz = tilted(parent[5], parent[6], parent[7], tangent * math.cos(phi), tangent * math.sin(phi))
    return push(stack, n, species, energy_mev, parent, ux, uy, uz)


@compiled
def survives(row: Stack, thinning_mev: float, max_weight: float, state: RandomState) -> bool:
    """Keep a particle, or drop it by lot and otherwise raise its weight (thinning).

    Parameters
    ----------
    row : float64 array, [10]
        The particle; its weight may be changed.
    thinning_mev : float
        Particles above this energy are always kept; 0 turns thinning off.
    max_weight : float
        Thinning gives no particle a greater weight.
    state : random state

    Notes
    -----
    The weight wanted of a particle is E_thin/E up to the limit; one of less weight survives with the ratio of the two
    as its probability, so that every mean is kept (M. Kobal, Astropart. Phys. 15 (2001) 259).
    """
    if row[1] >= thinning_mev:
        return True
    wanted = min(thinning_mev / row[1], max_weight)
    if row[9] >= wanted:
        return True
    if uniform(state) * wanted > row[9]:
        return False
    row[9] = wanted
    return True
