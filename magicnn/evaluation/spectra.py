"""Spectra that turn simulated events into rates, and the rate that each event stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.evaluation.binning import Range
from magicnn.generated import Generated

__all__ = [
    "covered_cosine",
    "crab_flux",
    "electron_flux",
    "event_rates_hz",
    "helium_flux",
    "power_law",
    "proton_flux",
]

Floats = NDArray[np.float64]
Flux = Callable[[Floats], Floats]

_ROUNDING = 1e-6
_PER_TEV_CM2 = 1e-3 * 1e4  # 1/(TeV cm2) in 1/(GeV m2)


def crab_flux(energy_gev: ArrayLike) -> Floats:
    """Flux of the Crab Nebula.

    Parameters
    ----------
    energy_gev : array_like
        Energy.

    Returns
    -------
    float64 array, 1/(GeV m2 s)
        3.23e-11 (E / TeV)^(-2.47 - 0.24 log10(E / TeV)) / (TeV cm2 s), the log parabola of arXiv:1406.6892.
    """
    energy = np.asarray(energy_gev, dtype=np.float64) / 1e3
    flux: Floats = 3.23e-11 * _PER_TEV_CM2 * energy ** (-2.47 - 0.24 * np.log10(energy))
    return flux


def proton_flux(energy_gev: ArrayLike) -> Floats:
    """Flux of cosmic-ray protons.

    Parameters
    ----------
    energy_gev : array_like
        Energy.

    Returns
    -------
    float64 array, 1/(GeV m2 s sr)
        9.8e-6 (E / TeV)^-2.62 / (TeV cm2 s sr), as in pyirf (``IRFDOC_PROTON_SPECTRUM``).
    """
    energy = np.asarray(energy_gev, dtype=np.float64) / 1e3
    flux: Floats = 9.8e-6 * _PER_TEV_CM2 * energy**-2.62
    return flux


def helium_flux(energy_gev: ArrayLike) -> Floats:
    """Flux of cosmic-ray helium.

    Parameters
    ----------
    energy_gev : array_like
        Energy of the nucleus.

    Returns
    -------
    float64 array, 1/(GeV m2 s sr)
        5.71e-2 (E / TeV)^-2.64 / (TeV m2 s sr): J. R. Hörandel, Astropart. Phys. 19 (2003) 193, table 1, without its
        cut-off at a few PeV.
    """
    energy = np.asarray(energy_gev, dtype=np.float64) / 1e3
    flux: Floats = 5.71e-6 * _PER_TEV_CM2 * energy**-2.64
    return flux


def electron_flux(energy_gev: ArrayLike) -> Floats:
    """Flux of cosmic-ray electrons and positrons.

    Parameters
    ----------
    energy_gev : array_like
        Energy.

    Returns
    -------
    float64 array, 1/(GeV m2 s sr)
        2.385e-9 (E / TeV)^-3.43 (1 + 1.95 (exp(G) - 1)) / (TeV cm2 s sr), where G, not normalised, is the Gaussian of
        log10(E / TeV) with the mean -0.101 and the standard deviation 0.741, as in pyirf
        (``IRFDOC_ELECTRON_SPECTRUM``).
    """
    energy = np.asarray(energy_gev, dtype=np.float64) / 1e3
    gauss = np.exp(-0.5 * ((np.log10(energy) + 0.101) / 0.741) ** 2)
    flux: Floats = 2.385e-9 * _PER_TEV_CM2 * energy**-3.43 * (1.0 + 1.95 * np.expm1(gauss))
    return flux


def power_law(index: float) -> Flux:
    """Return the flux E^-index with E in TeV, in arbitrary units."""

    def flux(energy_gev: Floats) -> Floats:
        shape: Floats = (np.asarray(energy_gev, dtype=np.float64) / 1e3) ** -index
        return shape

    return flux


def covered_cosine(generated: Sequence[Generated], zenith_range_deg: Range) -> float:
    """Width in cos(zenith) of the part of a zenith range that productions were thrown in.

    Parameters
    ----------
    generated : sequence of Generated
        Productions, each thrown evenly in cos(zenith); one at a single zenith distance stands for the whole range.
    zenith_range_deg : (float, float)
        Lower edge (inside) and upper edge (outside).

    Returns
    -------
    float
        0 when no production reaches into the range.
    """
    low, high = zenith_range_deg
    whole = float(-np.diff(np.cos(np.radians([low, high])))[0])
    parts = []
    for production in generated:
        if production.zenith_max_deg <= production.zenith_min_deg:
            if low <= production.zenith_min_deg < high:
                return whole
        else:
            parts.append((max(low, production.zenith_min_deg), min(high, production.zenith_max_deg)))
    covered, reached = 0.0, low
    for start, end in sorted(parts):
        start = max(start, reached)
        if end > start:
            covered += float(np.cos(np.radians(start)) - np.cos(np.radians(end)))
            reached = end
    return covered


def event_rates_hz(
    generated: Sequence[Generated],
    energy_gev: ArrayLike,
    zenith_deg: ArrayLike,
    pointing_zenith_deg: ArrayLike,
    zenith_range_deg: Range,
    flux: Flux,
) -> Floats:
    """Rate that each event of a zenith range stands for, several productions taken together.

    Parameters
    ----------
    generated : sequence of Generated
        Every production that events of the range may come from; each with the number of events thrown for the
        events at hand.
    energy_gev, zenith_deg : array_like, [N]
        True energy and zenith distance of the events.
    pointing_zenith_deg : array_like, [N]
        Zenith distance of the pointing, inside of the range.
    zenith_range_deg : (float, float)
        The range.
    flux : callable
        See `Generated.event_weights`.

    Returns
    -------
    float64 array, [N], 1/s
        flux / sum over productions of (density of thrown events in energy and cos(zenith) / (area x solid angle)),
        divided by the covered width in cos(zenith). Productions that overlap share the exposure; the sum over the
        events is their rate, averaged over the covered part of the range evenly in cos(zenith). NaN for events that
        no production can have thrown.
    """
    energy, zenith, pointing = (np.asarray(v, dtype=np.float64) for v in (energy_gev, zenith_deg, pointing_zenith_deg))
    covered = covered_cosine(generated, zenith_range_deg)
    exposure: NDArray[Any] = np.zeros(energy.shape)
    for production in generated:
        low, high = production.zenith_min_deg, production.zenith_max_deg
        if high > low:
            share = covered / float(np.cos(np.radians(low)) - np.cos(np.radians(high)))
            is_thrown = (pointing >= low - _ROUNDING) & (pointing <= high + _ROUNDING)
        else:
            share = float(zenith_range_deg[0] <= low < zenith_range_deg[1])
            is_thrown = np.ones(energy.shape, dtype=bool)
        is_thrown &= (energy >= production.energy_min_gev * (1.0 - _ROUNDING)) & (
            energy <= production.energy_max_gev * (1.0 + _ROUNDING)
        )
        angle = 1.0 if production.is_point_source else production.solid_angle_sr
        density = share * production.thrown_per_gev(energy) / (production.thrown_area_m2(energy, zenith) * angle)
        exposure += np.where(is_thrown, density, 0.0)
    with np.errstate(divide="ignore"):
        rates: Floats = np.where(exposure > 0.0, flux(energy) / exposure, np.nan)
    return rates
