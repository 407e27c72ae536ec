"""How photons and electrons interact with air: cross sections, sampling, energy loss, multiple scattering.

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

from magicnn.simulation.atmosphere import read_table
from magicnn.simulation.compiled import RandomState, compiled, exponential, normal_pair, uniform
from magicnn.simulation.particles import ELECTRON_MASS_MEV, MUON_MASS_MEV

__all__ = [
    "BREMSSTRAHLUNG_CUT_MEV",
    "KNOCK_ON_CUT_MEV",
    "LOG_BETA_GAMMA_MIN",
    "LOG_BETA_GAMMA_STEP",
    "LOG_ENERGY_MIN",
    "LOG_ENERGY_STEP",
    "PHOTON_CUT_MEV",
    "RADIATION_LENGTH_G_CM2",
    "charged_table",
    "collision_loss_mev_cm2_g",
    "compton_cross_section_cm2_g",
    "density_effect",
    "density_effect_table",
    "emission_tangent",
    "heavy_loss_table",
    "pair_cross_section_cm2_g",
    "photon_table",
    "sample_bremsstrahlung",
    "sample_compton",
    "sample_knock_on",
    "sample_pair",
    "scattering_kick",
]

Floats = NDArray[np.float64]

RADIATION_LENGTH_G_CM2 = 36.66
"""Dry air (particle data group)."""
BREMSSTRAHLUNG_CUT_MEV = 4.0
"""Softer photons are part of the continuous energy loss."""
KNOCK_ON_CUT_MEV = 20.0
"""Softer knock-on electrons are part of the continuous energy loss."""
PHOTON_CUT_MEV = 22.0
"""Softer photons cannot make an electron above the Cherenkov threshold at 2200 m."""

LOG_ENERGY_MIN = math.log(10.0)
LOG_ENERGY_STEP = 0.04
_N_ENERGIES = 460
LOG_BETA_GAMMA_MIN = math.log(0.3)
LOG_BETA_GAMMA_STEP = 0.1
# The tables end at 10 MeV exp(459 * 0.04) = 940 TeV.

_Z_AIR = 7.3
_Z_OVER_A = 0.49919
_HALF_K = 0.1535375 * _Z_OVER_A
# 2 pi r_e^2 m_e N_A Z/A, in MeV cm2/g.
_MEAN_EXCITATION_MEV = 85.7e-6
_REFERENCE_DENSITY = 1.2048e-3
_COULOMB = 1.202 * (_Z_AIR / 137.036) ** 2
_SCREENING_DELTA = 136.0 * _Z_AIR ** (-1.0 / 3.0) * ELECTRON_MASS_MEV
_SHIFT = 4.0 / 3.0 * math.log(_Z_AIR) + 4.0 * _COULOMB
_PHI_ZERO = 0.25 * (20.867 - _SHIFT)
_MASS = ELECTRON_MASS_MEV


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
    # sigma = 2 pi r_e^2 {...}; _HALF_K / m_e is 2 pi r_e^2 times the electrons per gram.
    first = (1.0 + k) / k**2 * (2.0 * (1.0 + k) / (1.0 + 2.0 * k) - log / k)
    return np.asarray(_HALF_K / ELECTRON_MASS_MEV * (first + log / (2.0 * k) - (1.0 + 3.0 * k) / (1.0 + 2.0 * k) ** 2))


def density_effect(beta_gamma: ArrayLike, density_g_cm3: ArrayLike) -> Floats:
    """Give the density correction delta of the energy loss in air.

    Notes
    -----
    R. M. Sternheimer, M. J. Berger, S. M. Seltzer, At. Data Nucl. Data Tables 30 (1984) 261, dry air at
    1.2048e-3 g/cm3; another density shifts the curve by the logarithm of its square root.
    """
    scaled = np.asarray(beta_gamma) * np.sqrt(np.asarray(density_g_cm3) / _REFERENCE_DENSITY)
    x = np.log10(scaled)
    x0, x1, c, a, m = 1.7418, 4.2759, 10.5961, 0.10914, 3.3994
    linear = 2.0 * math.log(10.0) * x - c
    return np.where(x < x0, 0.0, np.where(x < x1, linear + a * np.maximum(x1 - x, 0.0) ** m, linear))


def collision_loss_mev_cm2_g(
    energy_mev: ArrayLike, density_g_cm3: ArrayLike, *, cut_mev: float | None = None, mass_mev: float = _MASS
) -> Floats:
    """Give the mean energy loss by ionisation and excitation per g/cm2 of air.

    Parameters
    ----------
    energy_mev : float array
        Total energy.
    density_g_cm3 : float array
        Density of the air, for the density effect.
    cut_mev : float, optional
        Greatest energy given to one electron that counts as loss; without it all collisions count.
    mass_mev : float
        Electron, or a heavier particle of one elementary charge.

    Notes
    -----
    Moller's formula (S. M. Seltzer, M. J. Berger, Int. J. Appl. Radiat. Isot. 35 (1984) 665) for electrons, Bethe's
    (particle data group, equation 34.5, which `cut_mev` does not restrict) for others.
    """
    energy = np.asarray(energy_mev, dtype=np.float64)
    gamma = energy / mass_mev
    beta2 = 1.0 - gamma**-2.0
    beta_gamma = np.sqrt(gamma**2 - 1.0)
    delta = density_effect(beta_gamma, density_g_cm3)
    if mass_mev != ELECTRON_MASS_MEV:
        ratio = ELECTRON_MASS_MEV / mass_mev
        most = 2.0 * ELECTRON_MASS_MEV * beta_gamma**2 / (1.0 + 2.0 * gamma * ratio + ratio**2)
        argument = 2.0 * ELECTRON_MASS_MEV * beta_gamma**2 * most / _MEAN_EXCITATION_MEV**2
        return np.asarray(2.0 * _HALF_K / beta2 * (0.5 * np.log(argument) - beta2 - delta / 2.0))
    tau = gamma - 1.0
    most = tau / 2.0 if cut_mev is None else np.minimum(cut_mev / ELECTRON_MASS_MEV, tau / 2.0)
    exchange = (
        -1.0
        - beta2
        + np.log((tau - most) * most)
        + tau / (tau - most)
        + (most**2 / 2.0 + (2.0 * tau + 1.0) * np.log1p(-most / tau)) / gamma**2
    )
    excitation = math.log(2.0) - 2.0 * math.log(_MEAN_EXCITATION_MEV / ELECTRON_MASS_MEV) + np.log(tau + 2.0)
    return np.asarray(_HALF_K / beta2 * (excitation + exchange - delta))


@cache
def charged_table() -> Floats:
    """Tabulate electrons against the logarithm of their total energy.

    Returns
    -------
    float64 array, [energies, 3]
        Cross section of hard bremsstrahlung (cm2/g), of hard knock-on collisions (cm2/g), and continuous loss without
        density effect (MeV cm2/g).
    """
    table = np.empty((_N_ENERGIES, 3))
    vacuum = 1e-30
    for i in range(_N_ENERGIES):
        energy = math.exp(LOG_ENERGY_MIN + i * LOG_ENERGY_STEP)
        hard, soft = _bremsstrahlung_integrals(energy, BREMSSTRAHLUNG_CUT_MEV)
        most = 0.5 * (energy - ELECTRON_MASS_MEV)
        knock_on = max(_HALF_K * (1.0 / KNOCK_ON_CUT_MEV - 1.0 / most), 0.0)
        loss = float(collision_loss_mev_cm2_g(energy, vacuum, cut_mev=KNOCK_ON_CUT_MEV))
        table[i] = hard / RADIATION_LENGTH_G_CM2, knock_on, loss + soft / RADIATION_LENGTH_G_CM2
    table.setflags(write=False)
    return table


@cache
def density_effect_table() -> Floats:
    """Tabulate the loss that the density effect removes (MeV cm2/g) against the logarithm of the electron's energy.

    The grid is that of `charged_table`, for the reference density; at another density the energy is to be scaled by
    the square root of the density ratio.
    """
    energy = np.exp(LOG_ENERGY_MIN + LOG_ENERGY_STEP * np.arange(_N_ENERGIES))
    table = _HALF_K * density_effect(energy / ELECTRON_MASS_MEV, _REFERENCE_DENSITY)
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
    table = np.empty((_N_ENERGIES, 2))
    for i in range(_N_ENERGIES):
        energy = math.exp(LOG_ENERGY_MIN + i * LOG_ENERGY_STEP)
        pair = pair_cross_section_cm2_g(energy)
        total = pair + float(compton_cross_section_cm2_g(energy))
        table[i] = total, pair / total
    table.setflags(write=False)
    return table


@cache
def heavy_loss_table() -> Floats:
    """Tabulate the ionisation loss of muons and hadrons (MeV cm2/g) against the logarithm of their beta gamma.

    Returns
    -------
    float64 array, [values]
        From ``LOG_BETA_GAMMA_MIN`` in steps of ``LOG_BETA_GAMMA_STEP``; muons, in air at 6e-4 g/cm3 (about 7 km).
    """
    beta_gamma = np.exp(LOG_BETA_GAMMA_MIN + LOG_BETA_GAMMA_STEP * np.arange(160))
    energy = MUON_MASS_MEV * np.sqrt(1.0 + beta_gamma**2)
    table = collision_loss_mev_cm2_g(energy, 6e-4, mass_mev=MUON_MASS_MEV)
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
def sample_knock_on(energy_mev: float, state: RandomState) -> float:
    """Draw the kinetic energy (MeV) of an electron struck above the cut, from 1/T^2."""
    low = 1.0 / KNOCK_ON_CUT_MEV
    high = 2.0 / (energy_mev - ELECTRON_MASS_MEV)
    return 1.0 / (low + (high - low) * uniform(state))


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
