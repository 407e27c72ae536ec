"""Spectra that turn simulated events into rates, and the rate that each event stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.evaluation.binning import Range
from magicnn.generated import Generated

__all__ = ["crab_flux", "event_rates_hz", "power_law", "proton_flux", "thrown_fraction"]

Floats = NDArray[np.float64]
Flux = Callable[[Floats], Floats]

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


def power_law(index: float) -> Flux:
    """Return the flux E^-index with E in TeV, in arbitrary units."""

    def flux(energy_gev: Floats) -> Floats:
        shape: Floats = (np.asarray(energy_gev, dtype=np.float64) / 1e3) ** -index
        return shape

    return flux


def thrown_fraction(generated: Generated, zenith_range_deg: Range) -> float:
    """Share of a production that was thrown with its pointing in a zenith range.

    Parameters
    ----------
    generated : Generated
        What was thrown, evenly in cos(zenith).
    zenith_range_deg : (float, float)
        Lower edge (inside) and upper edge (outside).

    Returns
    -------
    float
        Between 0 and 1; for a production at one zenith distance either.
    """
    low, high = zenith_range_deg
    if generated.zenith_max_deg <= generated.zenith_min_deg:
        return float(low <= generated.zenith_min_deg < high)
    ends = np.cos(np.radians([generated.zenith_min_deg, generated.zenith_max_deg]))
    wanted = np.clip(np.cos(np.radians([low, high])), ends[1], ends[0])
    return float((wanted[0] - wanted[1]) / (ends[0] - ends[1]))


def event_rates_hz(
    generated: Sequence[Generated], energy_gev: ArrayLike, zenith_deg: ArrayLike, zenith_range_deg: Range, flux: Flux
) -> Floats:
    """Rate that each event of a zenith range stands for, several productions taken together.

    Parameters
    ----------
    generated : sequence of Generated
        Every production that events of the range may come from; each with the number of events thrown for the
        events at hand.
    energy_gev, zenith_deg : array_like, [N]
        True energy and zenith distance of the events, all with pointings in the range.
    zenith_range_deg : (float, float)
        The range.
    flux : callable
        See `Generated.event_weights`.

    Returns
    -------
    float64 array, [N], 1/s
        flux / sum over productions of (thrown density / (area x solid angle)): productions that overlap share the
        exposure. The sum over the events is their rate, averaged over the range as it was thrown.
    """
    energy = np.asarray(energy_gev, dtype=np.float64)
    zenith = np.asarray(zenith_deg, dtype=np.float64)
    exposure: NDArray[Any] = np.zeros(energy.shape)
    for production in generated:
        angle = 1.0 if production.is_point_source else production.solid_angle_sr
        thrown = production.thrown_per_gev(energy) * thrown_fraction(production, zenith_range_deg)
        covered = (energy >= production.energy_min_gev * (1 - 1e-9)) & (
            energy <= production.energy_max_gev * (1 + 1e-9)
        )
        exposure += np.where(covered, thrown / (production.thrown_area_m2(energy, zenith) * angle), 0.0)
    with np.errstate(divide="ignore"):
        rates: Floats = np.where(exposure > 0.0, flux(energy) / exposure, np.nan)
    return rates
