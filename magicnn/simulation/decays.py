"""Decays in flight of pions, kaons and muons, with exact kinematics.

Two bodies are isotropic in the rest frame; three bodies of kaons fill phase space evenly (no form factors); muons
follow Michel's spectrum without polarisation.
"""

from __future__ import annotations

import math

from magicnn.compiled import compiled
from magicnn.simulation.particles import (
    ELECTRON,
    ELECTRON_MASS_MEV,
    KAON_LONG,
    MASS_MEV,
    MUON_MASS_MEV,
    MUON_MINUS,
    PHOTON,
    PION_MASS_MEV,
    PION_MINUS,
    PION_PLUS,
    PION_ZERO,
    PION_ZERO_MASS_MEV,
    Stack,
    push,
    tilted,
)
from magicnn.simulation.random_numbers import RandomState, uniform

__all__ = ["decay", "push_two_photons"]

_NEUTRINO = -1


@compiled
def _push_boosted(
    stack: Stack,
    n: int,
    parent: Stack,
    direction: tuple[float, float, float],
    gamma: float,
    species: int,
    mass: float,
    px: float,
    py: float,
    pz: float,
    state: RandomState,
) -> int:
    """Put a product with a momentum (MeV) in the rest frame, z along the flight, on the stack; neutrinos are left out.

    A neutral pion decays on the spot. A product that flies backwards in the laboratory has too little energy to
    matter and is left out, too.
    """
    if species == _NEUTRINO:
        return n
    rest_energy = math.sqrt(mass * mass + px * px + py * py + pz * pz)
    beta_gamma = math.sqrt(max(gamma * gamma - 1.0, 0.0))
    along = gamma * pz + beta_gamma * rest_energy
    if along <= 0.0:
        return n
    ux, uy, uz = tilted(direction[0], direction[1], direction[2], px / along, py / along)
    energy = gamma * rest_energy + beta_gamma * pz
    if species == PION_ZERO:
        return push_two_photons(stack, n, parent, ux, uy, uz, energy, PION_ZERO_MASS_MEV, state)
    return push(stack, n, species, energy, parent, ux, uy, uz)


@compiled
def _momentum(mass: float, first: float, second: float) -> float:
    """Give the momentum of the two products of a decay in its rest frame (Kaellen's function)."""
    total, difference = first + second, first - second
    square = (mass * mass - total * total) * (mass * mass - difference * difference)
    return math.sqrt(max(square, 0.0)) / (2.0 * mass)


@compiled
def _isotropic(length: float, state: RandomState) -> tuple[float, float, float]:
    cos = 2.0 * uniform(state) - 1.0
    across = length * math.sqrt(1.0 - cos * cos)
    phi = 2.0 * math.pi * uniform(state)
    return across * math.cos(phi), across * math.sin(phi), length * cos


@compiled
def push_two_photons(
    stack: Stack,
    n: int,
    parent: Stack,
    ux: float,
    uy: float,
    uz: float,
    energy_mev: float,
    mass_mev: float,
    state: RandomState,
) -> int:
    """Put the two photons of a neutral meson on the stack.

    Parameters
    ----------
    stack : float64 array, [capacity, 10]
    n : int
        Height of the stack.
    parent : float64 array, [10]
        Row that gives place, time and weight; not one that may be overwritten.
    ux, uy, uz : float
        Direction of the meson.
    energy_mev, mass_mev : float
        Its total energy and mass.
    state : random state

    Returns
    -------
    int
        The new height of the stack.
    """
    half = 0.5 * mass_mev
    gamma = max(energy_mev / mass_mev, 1.0)
    px, py, pz = _isotropic(half, state)
    beta_gamma = math.sqrt(gamma * gamma - 1.0)
    for sign in (1.0, -1.0):
        along = gamma * sign * pz + beta_gamma * half
        if along > 0.0:
            vx, vy, vz = tilted(ux, uy, uz, sign * px / along, sign * py / along)
            n = push(stack, n, PHOTON, gamma * half + beta_gamma * sign * pz, parent, vx, vy, vz)
    return n


@compiled
def _two_body(stack: Stack, n: int, parent: Stack, mass: float, first: int, second: int, state: RandomState) -> int:
    """Let the parent decay into two; a neutrino is not followed."""
    gamma = max(parent[1] / mass, 1.0)
    direction = (parent[5], parent[6], parent[7])
    first_mass = 0.0 if first == _NEUTRINO else MASS_MEV[first]
    second_mass = 0.0 if second == _NEUTRINO else MASS_MEV[second]
    px, py, pz = _isotropic(_momentum(mass, first_mass, second_mass), state)
    n = _push_boosted(stack, n, parent, direction, gamma, first, first_mass, px, py, pz, state)
    return _push_boosted(stack, n, parent, direction, gamma, second, second_mass, -px, -py, -pz, state)


@compiled
def _three_body(
    stack: Stack, n: int, parent: Stack, mass: float, first: int, second: int, third: int, state: RandomState
) -> int:
    """Let the parent decay into three, evenly over phase space.

    Notes
    -----
    Two decays in sequence over an intermediate mass m, drawn from the product of the momenta of both (particle data
    group, Review of Particle Physics, kinematics, three-body decays).
    """
    gamma = max(parent[1] / mass, 1.0)
    direction = (parent[5], parent[6], parent[7])
    m1, m2 = MASS_MEV[first], MASS_MEV[second]
    m3 = 0.0 if third == _NEUTRINO else MASS_MEV[third]
    low, high = m1 + m2, mass - m3
    bound = _momentum(high, m1, m2) * _momentum(mass, low, m3)
    while True:
        pair = low + (high - low) * uniform(state)
        inner = _momentum(pair, m1, m2)
        outer = _momentum(mass, pair, m3)
        if uniform(state) * bound < inner * outer:
            break
    kx, ky, kz = _isotropic(outer, state)
    n = _push_boosted(stack, n, parent, direction, gamma, third, m3, -kx, -ky, -kz, state)
    qx, qy, qz = _isotropic(inner, state)
    pair_energy = math.sqrt(pair * pair + outer * outer)
    # Boost from the frame of the pair: p = q + k (q.k/(E + m) +- e)/m.
    common = (qx * kx + qy * ky + qz * kz) / (pair_energy + pair)
    f1 = (common + math.sqrt(m1 * m1 + inner * inner)) / pair
    f2 = (-common + math.sqrt(m2 * m2 + inner * inner)) / pair
    n = _push_boosted(stack, n, parent, direction, gamma, first, m1, qx + f1 * kx, qy + f1 * ky, qz + f1 * kz, state)
    return _push_boosted(
        stack, n, parent, direction, gamma, second, m2, f2 * kx - qx, f2 * ky - qy, f2 * kz - qz, state
    )


@compiled
def _decay_muon(stack: Stack, n: int, parent: Stack, state: RandomState) -> int:
    """Put the electron of an unpolarised muon on the stack.

    Notes
    -----
    Michel's spectrum x^2 (3 - 2 x) of the energy in units of half the muon's mass, without radiative corrections and
    without the electron's mass (L. Michel, Proc. Phys. Soc. A 63 (1950) 514).
    """
    while True:
        x = uniform(state)
        if uniform(state) < x * x * (3.0 - 2.0 * x):
            break
    px, py, pz = _isotropic(0.5 * x * MUON_MASS_MEV, state)
    gamma = max(parent[1] / MUON_MASS_MEV, 1.0)
    species = ELECTRON + int(parent[0]) - MUON_MINUS
    direction = (parent[5], parent[6], parent[7])
    return _push_boosted(stack, n, parent, direction, gamma, species, ELECTRON_MASS_MEV, px, py, pz, state)


@compiled
def _decay_charged_kaon(stack: Stack, n: int, parent: Stack, charge: int, state: RandomState) -> int:
    """Let a charged kaon decay, ``charge`` 0 negative, 1 positive; branching ratios of the particle data group 2024."""
    mass = MASS_MEV[int(parent[0])]
    r = uniform(state)
    same, other = PION_MINUS + charge, PION_PLUS - charge
    if r < 0.6356:
        return _two_body(stack, n, parent, mass, MUON_MINUS + charge, _NEUTRINO, state)
    if r < 0.6356 + 0.2067:
        return _two_body(stack, n, parent, mass, same, PION_ZERO, state)
    if r < 0.6356 + 0.2067 + 0.0558:
        return _three_body(stack, n, parent, mass, same, same, other, state)
    if r < 0.6356 + 0.2067 + 0.0558 + 0.0507:
        return _three_body(stack, n, parent, mass, PION_ZERO, ELECTRON + charge, _NEUTRINO, state)
    if r < 0.6356 + 0.2067 + 0.0558 + 0.0507 + 0.0335:
        return _three_body(stack, n, parent, mass, PION_ZERO, MUON_MINUS + charge, _NEUTRINO, state)
    return _three_body(stack, n, parent, mass, same, PION_ZERO, PION_ZERO, state)


@compiled
def _decay_long_kaon(stack: Stack, n: int, parent: Stack, state: RandomState) -> int:
    """Let a long-lived kaon decay; branching ratios of the particle data group 2024."""
    mass = MASS_MEV[KAON_LONG]
    charge = 0 if uniform(state) < 0.5 else 1
    r = uniform(state)
    if r < 0.4055:
        return _three_body(stack, n, parent, mass, PION_MINUS + charge, ELECTRON + 1 - charge, _NEUTRINO, state)
    if r < 0.4055 + 0.2704:
        return _three_body(stack, n, parent, mass, PION_MINUS + charge, MUON_MINUS + 1 - charge, _NEUTRINO, state)
    if r < 0.4055 + 0.2704 + 0.1952:
        return _three_body(stack, n, parent, mass, PION_ZERO, PION_ZERO, PION_ZERO, state)
    return _three_body(stack, n, parent, mass, PION_MINUS, PION_PLUS, PION_ZERO, state)


@compiled
def decay(stack: Stack, n: int, parent: Stack, state: RandomState) -> int:
    """Let a muon, charged pion or kaon decay.

    Parameters
    ----------
    stack : float64 array, [capacity, 10]
        At least six rows must be free.
    n : int
        Height of the stack.
    parent : float64 array, [10]
        The decaying particle; not a row of the stack that may be overwritten.
    state : random state

    Returns
    -------
    int
        The new height of the stack.

    Notes
    -----
    Charged pions: muon and neutrino. Kaons: all modes above 0.1 %. The muons are taken as unpolarised: those of pions
    are polarised, which shifts the mean energy of their electrons by some per cent.
    """
    species = int(parent[0])
    if species <= MUON_MINUS + 1:
        return _decay_muon(stack, n, parent, state)
    if species == KAON_LONG:
        return _decay_long_kaon(stack, n, parent, state)
    charge = (species - PION_MINUS) % 2
    if species <= PION_PLUS:
        return _two_body(stack, n, parent, PION_MASS_MEV, MUON_MINUS + charge, _NEUTRINO, state)
    return _decay_charged_kaon(stack, n, parent, charge, state)
