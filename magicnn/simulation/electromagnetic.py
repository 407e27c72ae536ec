"""How photons and electrons interact with the nuclei of the air: cross sections, sampling, multiple scattering.

Energies in MeV, paths in g/cm2. Bremsstrahlung and pair production follow Bethe and Heitler with the screening
functions of J. C. Butcher and H. Messel, Nucl. Phys. 20 (1960) 15, as in EGS4 (SLAC-265) and the Geant4 Physics
Reference Manual, normalised to the radiation length of air. The number of interactions of a photon comes from NIST's
XCOM tables.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.compiled import compiled
from magicnn.simulation.atmosphere import read_table
from magicnn.simulation.collisions import (
    ELECTRONS_CM2_G_MEV,
    KNOCK_ON_CUT_MEV,
    LOG_ENERGY_MIN,
    LOG_ENERGY_STEP,
    N_ENERGIES,
    annihilation_cross_section_cm2_g,
    collision_loss_mev_cm2_g,
    knock_on_cross_section_cm2_g,
)
from magicnn.simulation.particles import ELECTRON_MASS_MEV
from magicnn.simulation.random_numbers import RandomState, exponential, normal_pair, uniform

__all__ = [
    "BREMSSTRAHLUNG_CUT_MEV",
    "PHOTON_CUT_MEV",
    "RADIATION_LENGTH_G_CM2",
    "charged_table",
    "compton_cross_section_cm2_g",
    "emission_tangent",
    "pair_cross_section_cm2_g",
    "photon_table",
    "sample_bremsstrahlung",
    "sample_compton",
    "sample_pair",
    "scattering_kick",
]

Floats = NDArray[np.float64]

RADIATION_LENGTH_G_CM2 = 36.66
"""Dry air (particle data group)."""
BREMSSTRAHLUNG_CUT_MEV = 4.0
"""Softer photons are part of the continuous energy loss."""
PHOTON_CUT_MEV = 22.0
"""Softer photons cannot make an electron above the Cherenkov threshold at 2200 m."""

_Z_AIR = 7.3
_COULOMB = 1.202 * (_Z_AIR / 137.036) ** 2
_SCREENING_DELTA = 136.0 * _Z_AIR ** (-1.0 / 3.0) * ELECTRON_MASS_MEV
_SHIFT = 4.0 / 3.0 * math.log(_Z_AIR) + 4.0 * _COULOMB
_PHI_ZERO = 0.25 * (20.867 - _SHIFT)


@compiled
def _screening(delta: float) -> tuple[float, float]:
    """Evaluate the Butcher-Messel functions minus their Coulomb terms, relative to full screening."""
    if delta <= 1.0:
        phi1 = 20.867 + delta * (0.625 * delta - 3.242)
        phi2 = 20.209 - delta * (0.086 * delta + 1.930)
    else:
        phi1 = 21.12 - 4.184 * math.log(delta + 0.952)
        phi2 = phi1
    return max(0.25 * (phi1 - _SHIFT) / _PHI_ZERO, 0.0), max(0.25 * (phi2 - _SHIFT) / _PHI_ZERO, 0.0)


@compiled
def _pair_shape(fraction: float, energy_mev: float) -> float:
    """Evaluate X0 times the differential pair cross section in the energy fraction of one partner."""
    product = fraction * (1.0 - fraction)
    phi1, phi2 = _screening(_SCREENING_DELTA / (energy_mev * product))
    return (1.0 - 2.0 * product) * phi1 + 2.0 / 3.0 * product * phi2


@compiled
def _bremsstrahlung_shape(fraction: float, energy_mev: float) -> float:
    """Evaluate X0 times k times the differential bremsstrahlung cross section in k."""
    rest = 1.0 - fraction
    phi1, phi2 = _screening(_SCREENING_DELTA / energy_mev * fraction / rest)
    return (1.0 + rest * rest) * phi1 - 2.0 / 3.0 * rest * phi2


@compiled
def _pair_integral(energy_mev: float) -> float:
    edge = ELECTRON_MASS_MEV / energy_mev
    n = 400
    total = 0.0
    for i in range(n):
        total += _pair_shape(edge + (1.0 - 2.0 * edge) * (i + 0.5) / n, energy_mev)
    return total / n * (1.0 - 2.0 * edge)


@compiled
def _bremsstrahlung_integrals(energy_mev: float, cut_mev: float) -> tuple[float, float]:
    """Integrate over photons above a cut (number) and below it (energy, MeV); both times X0."""
    n = 400
    most = energy_mev - ELECTRON_MASS_MEV
    cut = min(cut_mev, most)
    hard = 0.0
    span = math.log(most / cut)
    soft = 0.0
    for i in range(n):
        hard += _bremsstrahlung_shape(cut * math.exp(span * (i + 0.5) / n) / energy_mev, energy_mev)
        soft += _bremsstrahlung_shape(cut * (i + 0.5) / n / energy_mev, energy_mev)
    return hard / n * span, soft / n * cut


def pair_cross_section_cm2_g(energy_mev: float) -> float:
    """Give the cross section for pair production by a photon of 10 MeV or more, per gram of air.

    Notes
    -----
    XCOM's sum over the fields of nuclei and electrons; above its last energy, 100 GeV, the theory of Bethe and Heitler
    continues it. That theory alone is 4.3 % too high at 30 MeV, 2.5 % at 100 MeV and 0.8 % at 1 GeV.
    """
    return _pair_theory_cm2_g(energy_mev) * float(_xcom_ratio(energy_mev, 1))


def compton_cross_section_cm2_g(energy_mev: ArrayLike) -> Floats:
    """Give the cross section for incoherent scattering of a photon of 10 MeV or more, per gram of air.

    Notes
    -----
    XCOM's, which holds radiative corrections to Klein's and Nishina's: 0.4 % at 20 MeV, 1 % at 100 MeV.
    """
    return np.asarray(_klein_nishina_cm2_g(energy_mev) * _xcom_ratio(energy_mev, 0))


def _pair_theory_cm2_g(energy_mev: float) -> float:
    return _pair_integral(energy_mev) / RADIATION_LENGTH_G_CM2


@cache
def _xcom_ratios() -> Floats:
    """Tabulate the logarithm of the energy, and XCOM's cross sections over theory's: incoherent, pair production."""
    energy, incoherent, nuclear, triplet = read_table("photon_cross_sections.txt").T
    pair = np.array([_pair_theory_cm2_g(float(e)) for e in energy])
    table = np.stack([np.log(energy), incoherent / _klein_nishina_cm2_g(energy), (nuclear + triplet) / pair])
    table.setflags(write=False)
    return table


def _xcom_ratio(energy_mev: ArrayLike, process: int) -> Floats:
    table = _xcom_ratios()
    return np.asarray(np.interp(np.log(np.asarray(energy_mev, dtype=np.float64)), table[0], table[1 + process]))


def _klein_nishina_cm2_g(energy_mev: ArrayLike) -> Floats:
    k = np.asarray(energy_mev, dtype=np.float64) / ELECTRON_MASS_MEV
    log = np.log1p(2.0 * k)
    first = (1.0 + k) / k**2 * (2.0 * (1.0 + k) / (1.0 + 2.0 * k) - log / k)
    bracket = first + log / (2.0 * k) - (1.0 + 3.0 * k) / (1.0 + 2.0 * k) ** 2
    # sigma = 2 pi r_e^2 times the bracket, per electron.
    return np.asarray(ELECTRONS_CM2_G_MEV / ELECTRON_MASS_MEV * bracket)


@cache
def charged_table() -> Floats:
    """Tabulate electrons and positrons against the logarithm of their total energy.

    Returns
    -------
    float64 array, [energies, 8]
        Four columns for electrons, four for positrons: cross sections (cm2/g) of hard bremsstrahlung, of hard knock-on
        collisions and of annihilation, and the continuous loss without density effect (MeV cm2/g). (As an array of
        three dimensions the compiled kernel would take half as long again.)
    """
    table = np.empty((N_ENERGIES, 8))
    vacuum = 1e-30
    for i in range(N_ENERGIES):
        energy = math.exp(LOG_ENERGY_MIN + i * LOG_ENERGY_STEP)
        hard, soft = _bremsstrahlung_integrals(energy, BREMSSTRAHLUNG_CUT_MEV)
        for first, positron in ((0, False), (4, True)):
            loss = float(collision_loss_mev_cm2_g(energy, vacuum, cut_mev=KNOCK_ON_CUT_MEV, positron=positron))
            table[i, first : first + 4] = (
                hard / RADIATION_LENGTH_G_CM2,
                knock_on_cross_section_cm2_g(energy, positron=positron),
                annihilation_cross_section_cm2_g(energy) if positron else 0.0,
                loss + soft / RADIATION_LENGTH_G_CM2,
            )
    table.setflags(write=False)
    return table


@cache
def photon_table() -> Floats:
    """Tabulate photons against the logarithm of their energy, on the grid of `charged_table`.

    Returns
    -------
    float64 array, [energies, 2]
        Cross section of all interactions (cm2/g), and the share of pair production in it.
    """
    table = np.empty((N_ENERGIES, 2))
    for i in range(N_ENERGIES):
        energy = math.exp(LOG_ENERGY_MIN + i * LOG_ENERGY_STEP)
        pair = pair_cross_section_cm2_g(energy)
        total = pair + float(compton_cross_section_cm2_g(energy))
        table[i] = total, pair / total
    table.setflags(write=False)
    return table


@compiled
def sample_pair(energy_mev: float, state: RandomState) -> float:
    """Draw the energy (MeV) of one of the two electrons that a photon makes."""
    edge = ELECTRON_MASS_MEV / energy_mev
    while True:
        fraction = edge + (1.0 - 2.0 * edge) * uniform(state)
        if uniform(state) < _pair_shape(fraction, energy_mev):
            return fraction * energy_mev


@compiled
def sample_bremsstrahlung(energy_mev: float, state: RandomState) -> float:
    """Draw the energy (MeV) of a photon above the cut that an electron radiates."""
    span = math.log((energy_mev - ELECTRON_MASS_MEV) / BREMSSTRAHLUNG_CUT_MEV)
    greatest = 4.0 / 3.0 + 1.0 / (9.0 * _PHI_ZERO)
    while True:
        photon = BREMSSTRAHLUNG_CUT_MEV * math.exp(span * uniform(state))
        if greatest * uniform(state) < _bremsstrahlung_shape(photon / energy_mev, energy_mev):
            return photon


@compiled
def sample_compton(energy_mev: float, state: RandomState) -> tuple[float, float]:
    """Draw the energy (MeV) of a Compton-scattered photon, and the cosine of its angle.

    Notes
    -----
    Composition and rejection of Butcher and Messel, as in the Geant4 Physics Reference Manual.
    """
    k = energy_mev / ELECTRON_MASS_MEV
    least = 1.0 / (1.0 + 2.0 * k)
    log_part = -math.log(least)
    flat_part = 0.5 * (1.0 - least * least)
    while True:
        if uniform(state) * (log_part + flat_part) < log_part:
            fraction = math.exp(-log_part * uniform(state))
        else:
            fraction = math.sqrt(least * least + (1.0 - least * least) * uniform(state))
        t = (1.0 - fraction) / (k * fraction)
        sin2 = t * (2.0 - t)
        if uniform(state) < 1.0 - fraction * sin2 / (1.0 + fraction * fraction):
            return fraction * energy_mev, 1.0 - t


@compiled
def emission_tangent(energy_mev: float, state: RandomState) -> float:
    """Draw the tangent of the emission angle of a photon or of one of a pair, by d(t^2)/(1 + t^2)^2, t = E angle/m."""
    r = 0.995 * uniform(state)
    return ELECTRON_MASS_MEV / energy_mev * math.sqrt(r / (1.0 - r))


@compiled
def scattering_kick(path_g_cm2: float, momentum_beta_mev: float, state: RandomState) -> tuple[float, float]:
    """Draw the two tangents of multiple scattering in air.

    Parameters
    ----------
    path_g_cm2 : float
        Path in air.
    momentum_beta_mev : float
        Momentum times velocity of a particle of one elementary charge.
    state : random state

    Notes
    -----
    Moliere's screened Rutherford scattering (H. A. Bethe, Phys. Rev. 89 (1953) 1256), built up instead of tabulated:
    with chi_c^2 = 0.655 X/(p beta)^2 and the screening angle chi_a, all scatters below 2 chi_c make a Gaussian of mean
    square chi_c^2 (ln(4 chi_c^2/chi_a^2) - 1), and those above come singly, 1/4 per step on average, with an angle
    squared of 4 chi_c^2/u for uniform u.
    """
    chi2 = 0.655 * path_g_cm2 / (momentum_beta_mev * momentum_beta_mev)
    # chi_a^2 = 7.62e-5/p^2 (MeV), so that the ratio does not depend on the momentum.
    core = chi2 * max(math.log(4.0 * 8596.0 * path_g_cm2) - 1.0, 0.1)
    a, b = normal_pair(state)
    scale = math.sqrt(0.5 * core)
    a *= scale
    b *= scale
    remaining = 0.25 - exponential(state)
    while remaining > 0.0:
        angle = math.sqrt(min(4.0 * chi2 / uniform(state), 1.0))
        phi = 2.0 * math.pi * uniform(state)
        a += angle * math.cos(phi)
        b += angle * math.sin(phi)
        remaining -= exponential(state)
    return a, b
