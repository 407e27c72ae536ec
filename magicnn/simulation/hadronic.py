"""Hadronic interactions and decays in a compact model: leading particle, broken stick of mesons, two-body decays.

Every interaction of the simulation goes through `interact` and every decay through `decay`; both take the particle as
a row of the stack and leave the products on the stack.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.compiled import RandomState, compiled, exponential, uniform
from magicnn.simulation.particles import (
    ELECTRON,
    KAON_LONG,
    KAON_MINUS,
    KAON_PLUS,
    MASS_MEV,
    MUON_MASS_MEV,
    MUON_MINUS,
    NEUTRON,
    PHOTON,
    PION_MASS_MEV,
    PION_MINUS,
    PION_PLUS,
    PION_ZERO_MASS_MEV,
    PROTON,
    Stack,
    push,
    push_deflected,
    tilted,
)

__all__ = ["HADRON_CUT_MEV", "decay", "interact", "interaction_length_g_cm2", "sample_products"]

HADRON_CUT_MEV = 300.0
"""Hadrons of less kinetic energy are dropped: what they can still make stays below the Cherenkov threshold."""

_MASS_OF_AIR_OVER_MB = 14.5 * 1.66053907e-24 / 1e-27
_KAON_MASS_MEV = 497.0
_ETA_MASS_MEV = 547.86


@compiled
def interaction_length_g_cm2(species: int, energy_mev: float) -> float:
    """Give the mean path of a hadron in air between inelastic interactions.

    Notes
    -----
    Protons: 290 - 8.7 ln E + 1.14 ln^2 E mb with E in GeV (H. H. Mielke et al., J. Phys. G 20 (1994) 637), held at its
    minimum below 45 GeV; pions and kaons 0.76 and 0.68 of it, the ratios of the quark numbers with the smaller size
    of the strange quark (measured ratios in carbon: A. S. Carroll et al., Phys. Lett. B 80 (1979) 319).
    """
    log = max(math.log(energy_mev * 1e-3), 3.816)
    millibarn = 290.0 - 8.7 * log + 1.14 * log * log
    if species < KAON_MINUS:
        millibarn *= 0.76
    elif species <= KAON_LONG:
        millibarn *= 0.68
    return _MASS_OF_AIR_OVER_MB / millibarn


@compiled
def _transverse_tangent(energy_mev: float, mass_mev: float, mean_mev: float, state: RandomState) -> float:
    """Draw the angle of a product whose transverse momentum follows p exp(-2 p / mean) dp."""
    momentum = math.sqrt(max(energy_mev * energy_mev - mass_mev * mass_mev, 1.0))
    transverse = 0.5 * mean_mev * (exponential(state) + exponential(state))
    ratio = min(transverse / momentum, 0.9)
    return ratio / math.sqrt(1.0 - ratio * ratio)


@compiled
def _push_hadron(
    stack: Stack, n: int, species: int, energy_mev: float, parent: Stack, mean_pt_mev: float, state: RandomState
) -> int:
    mass = MASS_MEV[species]
    if energy_mev - mass < HADRON_CUT_MEV:
        return n
    tangent = _transverse_tangent(energy_mev, mass, mean_pt_mev, state)
    return push_deflected(stack, n, species, energy_mev, parent, tangent, state)


@compiled
def _boosted(rest_energy: float, rest_momentum: float, gamma: float, cos: float) -> tuple[float, float]:
    """Give energy and longitudinal momentum in the laboratory of a decay product at an angle in the rest frame."""
    beta_gamma = math.sqrt(max(gamma * gamma - 1.0, 0.0))
    along = rest_momentum * cos
    return gamma * rest_energy + beta_gamma * along, gamma * along + beta_gamma * rest_energy


@compiled
def _push_two_body(
    stack: Stack,
    n: int,
    parent: Stack,
    energy_mev: float,
    mass_mev: float,
    first: int,
    first_mass: float,
    second: int,
    second_mass: float,
    state: RandomState,
) -> int:
    """Let a particle of some energy along its parent's direction decay isotropically into two; -1 is not followed."""
    gamma = max(energy_mev / mass_mev, 1.0)
    energy1 = (mass_mev * mass_mev + first_mass * first_mass - second_mass * second_mass) / (2.0 * mass_mev)
    momentum = math.sqrt(max(energy1 * energy1 - first_mass * first_mass, 0.0))
    cos = 2.0 * uniform(state) - 1.0
    across = momentum * math.sqrt(1.0 - cos * cos)
    phi = 2.0 * math.pi * uniform(state)
    a, b = math.cos(phi), math.sin(phi)
    lab1, along1 = _boosted(energy1, momentum, gamma, cos)
    lab2, along2 = _boosted(mass_mev - energy1, momentum, gamma, -cos)
    # A product that flies backwards in the laboratory has too little energy to matter.
    if first >= 0 and along1 > 0.0:
        t = across / along1
        ux, uy, uz = tilted(parent[5], parent[6], parent[7], a * t, b * t)
        n = push(stack, n, first, lab1, parent, ux, uy, uz)
    if second >= 0 and along2 > 0.0:
        t = -across / along2
        ux, uy, uz = tilted(parent[5], parent[6], parent[7], a * t, b * t)
        n = push(stack, n, second, lab2, parent, ux, uy, uz)
    return n


@compiled
def _push_two_photons(
    stack: Stack, n: int, parent: Stack, energy_mev: float, mass_mev: float, state: RandomState
) -> int:
    """Put the two photons of a neutral pion or eta on the stack."""
    return _push_two_body(stack, n, parent, energy_mev, mass_mev, PHOTON, 0.0, PHOTON, 0.0, state)


@compiled
def _push_neutral_pion(
    stack: Stack, n: int, energy_mev: float, parent: Stack, mean_pt_mev: float, mass_mev: float, state: RandomState
) -> int:
    """Put a neutral meson that decays at once on the stack as two photons."""
    energy = max(energy_mev, mass_mev)
    tangent = _transverse_tangent(energy, mass_mev, mean_pt_mev, state)
    top = push_deflected(stack, n, PHOTON, energy, parent, tangent, state)
    # The meson itself is not kept: its row gives the direction and is then overwritten from above.
    meson = stack[n].copy()
    return _push_two_photons(stack, top - 1, meson, energy, mass_mev, state)


@compiled
def _push_short_kaon(stack: Stack, n: int, energy_mev: float, parent: Stack, state: RandomState) -> int:
    """Let a short-lived kaon decay at once, 69 % into charged pions."""
    if energy_mev < _KAON_MASS_MEV + HADRON_CUT_MEV:
        return n
    if uniform(state) < 0.69:
        return _push_two_body(
            stack, n, parent, energy_mev, _KAON_MASS_MEV, PION_MINUS, PION_MASS_MEV, PION_PLUS, PION_MASS_MEV, state
        )
    share = 0.5 + 0.42 * (2.0 * uniform(state) - 1.0)
    n = _push_neutral_pion(stack, n, share * energy_mev, parent, 200.0, PION_ZERO_MASS_MEV, state)
    return _push_neutral_pion(stack, n, (1.0 - share) * energy_mev, parent, 200.0, PION_ZERO_MASS_MEV, state)


@compiled
def _push_produced(stack: Stack, n: int, energy_mev: float, parent: Stack, state: RandomState) -> int:
    """Put one meson or baryon of the central region on the stack: 80 % pions, 4 % eta, 10 % kaons, 6 % nucleons."""
    r = uniform(state)
    if r < 0.265:
        return _push_neutral_pion(stack, n, energy_mev, parent, 340.0, PION_ZERO_MASS_MEV, state)
    if r < 0.80:
        species = PION_MINUS if uniform(state) < 0.5 else PION_PLUS
        return _push_hadron(stack, n, species, energy_mev, parent, 340.0, state)
    if r < 0.84:
        return _push_neutral_pion(stack, n, energy_mev, parent, 450.0, _ETA_MASS_MEV, state)
    if r < 0.89:
        species = KAON_MINUS if uniform(state) < 0.5 else KAON_PLUS
        return _push_hadron(stack, n, species, energy_mev, parent, 420.0, state)
    if r < 0.915:
        return _push_hadron(stack, n, KAON_LONG, energy_mev, parent, 420.0, state)
    if r < 0.94:
        return _push_short_kaon(stack, n, energy_mev, parent, state)
    return _push_hadron(stack, n, PROTON if uniform(state) < 0.5 else NEUTRON, energy_mev, parent, 500.0, state)


@compiled
def _leading_species(species: int, state: RandomState) -> int:
    """Choose the leading particle: a nucleon changes its charge in a third, a pion becomes neutral in a fifth."""
    if species >= PROTON:
        return NEUTRON + PROTON - species if uniform(state) < 0.35 else species
    if species in (PION_MINUS, PION_PLUS):
        r = uniform(state)
        if r < 0.2:
            return PHOTON
        return PION_MINUS + PION_PLUS - species if r < 0.35 else species
    return species


@compiled
def interact(stack: Stack, n: int, parent: Stack, state: RandomState) -> int:
    """Let a hadron interact with a nucleus of the air.

    Parameters
    ----------
    stack : float64 array, [capacity, 10]
        At least 500 rows must be free.
    n : int
        Height of the stack.
    parent : float64 array, [10]
        The interacting hadron; not a row of the stack that may be overwritten.
    state : random state

    Returns
    -------
    int
        The new height of the stack.

    Notes
    -----
    The leading particle takes the fraction u^2 of the energy (mean 1/3), or in 8 % of the cases (diffraction) nine
    tenths to all of it. The rest is broken off piece by piece, each piece x of what is left from b (1 - x)^(b - 1):
    the pieces then follow dN/dx = b (1 - x)^(b - 1)/x, the scaling spectrum of the fragmentation region. Our own
    compact model: replace by the events of a generator for hadron physics.
    """
    species = int(parent[0])
    energy = parent[1]
    fraction = 0.9 + 0.1 * uniform(state) if uniform(state) < 0.08 else uniform(state) ** 2.0
    kinetic = energy - MASS_MEV[species]
    leading = _leading_species(species, state)
    leading_energy = MASS_MEV[species] + fraction * kinetic
    if leading == PHOTON:
        n = _push_neutral_pion(stack, n, leading_energy, parent, 400.0, PION_ZERO_MASS_MEV, state)
    else:
        n = _push_hadron(stack, n, leading, leading_energy, parent, 400.0, state)
    rest = energy - leading_energy
    inverse = 1.0 / 3.3
    while rest > HADRON_CUT_MEV:
        piece = rest * (1.0 - uniform(state) ** inverse)
        rest -= piece
        if piece > PION_MASS_MEV:
            n = _push_produced(stack, n, piece, parent, state)
    return n


@compiled
def _decay_muon(stack: Stack, n: int, parent: Stack, state: RandomState) -> int:
    """Put the electron of a muon on the stack, with the energy spectrum of unpolarised muons in flight."""
    # dN/dy = 5/3 - 3 y^2 + 4/3 y^3 (T. K. Gaisser, Cosmic Rays and Particle Physics, table 6.2).
    while True:
        y = uniform(state)
        if 5.0 / 3.0 * uniform(state) < 5.0 / 3.0 - 3.0 * y * y + 4.0 / 3.0 * y * y * y:
            break
    energy = max(y * parent[1], 1.0)
    species = ELECTRON + int(parent[0]) - MUON_MINUS
    return push_deflected(stack, n, species, energy, parent, min(30.0 / energy, 1.0), state)


@compiled
def _decay_long_kaon(stack: Stack, n: int, parent: Stack, state: RandomState) -> int:
    """Share the energy of a long-lived kaon among three bodies, evenly over the simplex; 68 % semileptonic."""
    a, b = uniform(state), uniform(state)
    low, high = min(a, b), max(a, b)
    energy = parent[1]
    first, second, third = low * energy, (high - low) * energy, (1.0 - high) * energy
    charge = 0 if uniform(state) < 0.5 else 1
    r = uniform(state)
    if r < 0.68:
        n = _push_hadron(stack, n, PION_MINUS + charge, first, parent, 150.0, state)
        if r < 0.41:
            return push_deflected(
                stack, n, ELECTRON + 1 - charge, second + 1.0, parent, 150.0 / (second + 150.0), state
            )
        muon = second + MUON_MASS_MEV
        return push_deflected(stack, n, MUON_MINUS + 1 - charge, muon, parent, 150.0 / (muon + 150.0), state)
    n = _push_neutral_pion(stack, n, first, parent, 150.0, PION_ZERO_MASS_MEV, state)
    if r < 0.87:
        n = _push_neutral_pion(stack, n, second, parent, 150.0, PION_ZERO_MASS_MEV, state)
        return _push_neutral_pion(stack, n, third, parent, 150.0, PION_ZERO_MASS_MEV, state)
    n = _push_hadron(stack, n, PION_MINUS, second, parent, 150.0, state)
    return _push_hadron(stack, n, PION_PLUS, third, parent, 150.0, state)


@compiled
def decay(stack: Stack, n: int, parent: Stack, state: RandomState) -> int:
    """Let a muon, charged pion or kaon decay; arguments and result as for `interact`.

    Notes
    -----
    Pions: muon and neutrino. Charged kaons: 65 % muon and neutrino, else a charged and a neutral pion, which stands for
    all hadronic modes. Muon polarisation is neglected.
    """
    species = int(parent[0])
    energy = parent[1]
    if species <= MUON_MINUS + 1:
        return _decay_muon(stack, n, parent, state)
    if species == KAON_LONG:
        return _decay_long_kaon(stack, n, parent, state)
    mass = MASS_MEV[species]
    charge = (species - PION_MINUS) % 2
    if species <= PION_PLUS or uniform(state) < 0.65:
        muon = MUON_MINUS + charge
        return _push_two_body(stack, n, parent, energy, mass, muon, MUON_MASS_MEV, -1, 0.0, state)
    share = 0.5 + 0.4 * (2.0 * uniform(state) - 1.0)
    n = _push_hadron(stack, n, PION_MINUS + charge, share * energy, parent, 200.0, state)
    return _push_neutral_pion(stack, n, (1.0 - share) * energy, parent, 200.0, PION_ZERO_MASS_MEV, state)


def sample_products(species: int, energy_mev: float, state: RandomState) -> NDArray[np.float64]:
    """Give the products of one interaction, for tests and figures.

    Returns
    -------
    float64 array, [n, 10]
        Rows of a stack: species, total energy (MeV), position, direction, time, weight.
    """
    stack = np.zeros((2000, 10))
    parent = np.array([species, energy_mev, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0])
    return stack[: interact(stack, 0, parent, state)].copy()
