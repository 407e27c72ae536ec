"""Collisions of charged particles with the electrons of the air: energy loss, knock-on electrons, annihilation.

Energies in MeV, paths in g/cm2. Electrons scatter after Moller, positrons after Bhabha; both as in the Geant4 Physics
Reference Manual (chapters on ionisation and on annihilation in flight).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.compiled import compiled
from magicnn.simulation.particles import ELECTRON_MASS_MEV, MUON_MASS_MEV
from magicnn.simulation.random_numbers import RandomState, uniform

__all__ = [
    "ELECTRONS_CM2_G_MEV",
    "KNOCK_ON_CUT_MEV",
    "LOG_BETA_GAMMA_MIN",
    "LOG_BETA_GAMMA_STEP",
    "LOG_ENERGY_MIN",
    "LOG_ENERGY_STEP",
    "N_ENERGIES",
    "annihilation_cross_section_cm2_g",
    "collision_loss_mev_cm2_g",
    "density_effect",
    "density_effect_table",
    "heavy_loss_table",
    "knock_on_cross_section_cm2_g",
    "photon_tangent",
    "sample_annihilation",
    "sample_knock_on",
]

Floats = NDArray[np.float64]

KNOCK_ON_CUT_MEV = 20.0
"""Softer knock-on electrons are part of the continuous energy loss."""
LOG_ENERGY_MIN = math.log(10.0)
LOG_ENERGY_STEP = 0.04
N_ENERGIES = 460
"""The tables of electrons and photons end at 10 MeV exp(459 * 0.04) = 940 TeV."""
LOG_BETA_GAMMA_MIN = math.log(0.3)
LOG_BETA_GAMMA_STEP = 0.1

ELECTRONS_CM2_G_MEV = 0.1535375 * 0.49919
"""2 pi r_e^2 m_e N_A Z/A of air, in MeV cm2/g."""
_MEAN_EXCITATION_MEV = 85.7e-6
_REFERENCE_DENSITY = 1.2048e-3
_MASS = ELECTRON_MASS_MEV


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
    energy_mev: ArrayLike,
    density_g_cm3: ArrayLike,
    *,
    cut_mev: float | None = None,
    mass_mev: float = _MASS,
    positron: bool = False,
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
    positron : bool
        The particle of the electron's mass is a positron.

    Notes
    -----
    Moller's formula for electrons and Bhabha's for positrons (F. Rohrlich, B. C. Carlson, Phys. Rev. 93 (1954) 38;
    S. M. Seltzer, M. J. Berger, Int. J. Appl. Radiat. Isot. 35 (1984) 665), Bethe's (particle data group, equation
    34.5, which `cut_mev` does not restrict) for others.
    """
    energy = np.asarray(energy_mev, dtype=np.float64)
    gamma = energy / mass_mev
    beta2 = 1.0 - gamma**-2.0
    beta_gamma = np.sqrt(gamma**2 - 1.0)
    delta = density_effect(beta_gamma, density_g_cm3)
    if mass_mev != _MASS:
        ratio = _MASS / mass_mev
        most = 2.0 * _MASS * beta_gamma**2 / (1.0 + 2.0 * gamma * ratio + ratio**2)
        argument = 2.0 * _MASS * beta_gamma**2 * most / _MEAN_EXCITATION_MEV**2
        return np.asarray(2.0 * ELECTRONS_CM2_G_MEV / beta2 * (0.5 * np.log(argument) - beta2 - delta / 2.0))
    tau = gamma - 1.0
    most = tau if positron else tau / 2.0
    if cut_mev is not None:
        most = np.minimum(cut_mev / _MASS, most)
    if positron:
        y = 1.0 / (gamma + 1.0)
        cubic = most - most**3 / 3.0 + y * (most**2 / 2.0 - tau * most**3 / 3.0 + most**4 / 4.0)
        exchange = np.log(tau * most) - beta2 / tau * (tau + 2.0 * most - y * (1.5 * most**2 + y * cubic))
    else:
        exchange = (
            -1.0
            - beta2
            + np.log((tau - most) * most)
            + tau / (tau - most)
            + (most**2 / 2.0 + (2.0 * tau + 1.0) * np.log1p(-most / tau)) / gamma**2
        )
    excitation = math.log(2.0) - 2.0 * math.log(_MEAN_EXCITATION_MEV / _MASS) + np.log(tau + 2.0)
    return np.asarray(ELECTRONS_CM2_G_MEV / beta2 * (excitation + exchange - delta))


@cache
def density_effect_table() -> Floats:
    """Tabulate the loss that the density effect removes (MeV cm2/g) against the logarithm of the electron's energy.

    It is for the reference density; at another density the energy is to be scaled by the square root of the density
    ratio.
    """
    energy = np.exp(LOG_ENERGY_MIN + LOG_ENERGY_STEP * np.arange(N_ENERGIES))
    table = ELECTRONS_CM2_G_MEV * density_effect(energy / _MASS, _REFERENCE_DENSITY)
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
def _knock_on_shape(share: float, energy_mev: float, is_positron: bool) -> float:
    """Evaluate the cross section of a knock-on electron relative to 1/share^2, Moller's or Bhabha's."""
    gamma = energy_mev / ELECTRON_MASS_MEV
    if is_positron:
        y = 1.0 / (gamma + 1.0)
        z = 1.0 - 2.0 * y
        b4 = z * z * z
        falling = share * (2.0 - y * y - share * (z * (3.0 + y * y) - share * (z * z + b4 - share * b4)))
        return 1.0 - (1.0 - 1.0 / (gamma * gamma)) * falling
    other = share / (1.0 - share)
    return 1.0 + other * other + share * share * (1.0 - 1.0 / gamma) ** 2 - (2.0 * gamma - 1.0) / gamma**2 * other


@compiled
def _greatest_share(is_positron: bool) -> float:
    return 1.0 if is_positron else 0.5


@compiled
def _knock_on_integral(energy_mev: float, is_positron: bool) -> float:
    n = 2000
    low = KNOCK_ON_CUT_MEV / (energy_mev - ELECTRON_MASS_MEV)
    high = _greatest_share(is_positron)
    if low >= high:
        return 0.0
    # Evenly in 1/share, where the cross section is nearly flat.
    width = (1.0 / low - 1.0 / high) / n
    total = 0.0
    for i in range(n):
        total += _knock_on_shape(1.0 / (1.0 / high + (i + 0.5) * width), energy_mev, is_positron)
    return total * width


def knock_on_cross_section_cm2_g(energy_mev: float, *, positron: bool = False) -> float:
    """Give the cross section for a knock-on electron above the cut, per gram of air.

    Parameters
    ----------
    energy_mev : float
        Total energy of the electron or positron.
    positron : bool
        Bhabha's cross section instead of Moller's.
    """
    beta2 = 1.0 - (_MASS / energy_mev) ** 2
    return float(ELECTRONS_CM2_G_MEV / beta2 * _knock_on_integral(energy_mev, positron) / (energy_mev - _MASS))


@compiled
def sample_knock_on(energy_mev: float, is_positron: bool, state: RandomState) -> float:
    """Draw the kinetic energy (MeV) of an electron struck above the cut; 0 if there is not enough energy for one."""
    kinetic = energy_mev - ELECTRON_MASS_MEV
    low = kinetic / KNOCK_ON_CUT_MEV
    high = 1.0 / _greatest_share(is_positron)
    if low <= high:
        return 0.0
    # Moller's shape is greatest, 9/4, where both share the energy evenly; Bhabha's is 1 for the softest.
    greatest = 1.0 if is_positron else 2.25
    while True:
        share = 1.0 / (high + (low - high) * uniform(state))
        if greatest * uniform(state) < _knock_on_shape(share, energy_mev, is_positron):
            return kinetic * share


def annihilation_cross_section_cm2_g(energy_mev: ArrayLike) -> Floats:
    """Give the cross section for annihilation in flight of a positron of this total energy, per gram of air.

    Notes
    -----
    W. Heitler, The Quantum Theory of Radiation (1954), section 27, equation 6.
    """
    gamma = np.asarray(energy_mev, dtype=np.float64) / _MASS
    root = np.sqrt(gamma**2 - 1.0)
    bracket = (gamma**2 + 4.0 * gamma + 1.0) / root**2 * np.log(gamma + root) - (gamma + 3.0) / root
    return np.asarray(0.5 * ELECTRONS_CM2_G_MEV / _MASS / (gamma + 1.0) * bracket)


@compiled
def sample_annihilation(energy_mev: float, state: RandomState) -> float:
    """Draw the energy (MeV) of one of the two photons of annihilation in flight; the other has the rest.

    Notes
    -----
    They share the positron's energy and the rest energy of the electron. The share is drawn from its inverse between
    the limits of kinematics and rejected with the rest of the differential cross section.
    """
    gamma = energy_mev / ELECTRON_MASS_MEV
    half = 0.5 * math.sqrt((gamma - 1.0) / (gamma + 1.0))
    low, high = 0.5 - half, 0.5 + half
    span = math.log(high / low)
    lift = 1.0 + 2.0 * gamma / (gamma + 1.0) ** 2
    # The bracket is greatest where share = 1/(gamma + 1).
    greatest = lift - 2.0 / (gamma + 1.0)
    while True:
        share = low * math.exp(span * uniform(state))
        if greatest * uniform(state) < lift - share - 1.0 / ((gamma + 1.0) ** 2 * share):
            return share * (energy_mev + ELECTRON_MASS_MEV)


@compiled
def photon_tangent(photon_mev: float, energy_mev: float) -> float:
    """Give the tangent of the angle to the positron of a photon of annihilation in flight, by kinematics."""
    gamma = energy_mev / ELECTRON_MASS_MEV
    share = photon_mev / (energy_mev + ELECTRON_MASS_MEV)
    cos = (share * (gamma + 1.0) - 1.0) / (share * math.sqrt(gamma * gamma - 1.0))
    cos = min(max(cos, 0.01), 1.0)
    return math.sqrt(1.0 - cos * cos) / cos
