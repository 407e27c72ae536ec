"""The smallest detectable share of the Crab Nebula's flux, after Li and Ma, through pyirf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import optional_import

__all__ = ["Exposure", "excess_over_noise", "flux_share"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exposure:
    """Time, and what counts as a detection.

    Attributes
    ----------
    hours : float
        Time of observation.
    n_off : int
        Regions of the size of the circle that the background is measured in.
    significance : float
        Sigma of a detection.
    min_excess : float
        Events of excess.
    min_share : float
        Excess over the background in the circle.
    """

    hours: float = 50.0
    n_off: int = 5
    significance: float = 5.0
    min_excess: float = 10.0
    min_share: float = 0.05


def flux_share(gamma_hz: Floats, background_hz: Floats, exposure: Exposure) -> Floats:
    """Smallest share of the flux that is detected, equation 17 of Li and Ma, ApJ 272 (1983) 317.

    Parameters
    ----------
    gamma_hz : float64 array, [K]
        Rate of gammas in the circle at the full flux.
    background_hz : float64 array, [K]
        Rate of background in the circle.
    exposure : Exposure
        Time and conditions.

    Returns
    -------
    float64 array, [K]
        inf where there are no gammas.

    Raises
    ------
    MissingDependencyError
        pyirf is not installed.
    """
    pyirf: Any = optional_import("pyirf.sensitivity", purpose="compute sensitivities", extra="irf")
    seconds = exposure.hours * 3600.0
    alpha = 1.0 / exposure.n_off
    signal, noise = gamma_hz * seconds, background_hz * seconds
    # the excess that is detected depends on the background alone: solved once for each
    different, where = np.unique(noise, return_inverse=True)
    wanted = exposure.min_excess * pyirf.relative_sensitivity(
        n_on=exposure.min_excess + different,
        n_off=different / alpha,
        alpha=alpha,
        min_significance=exposure.significance,
        min_signal_events=exposure.min_excess,
        min_excess_over_background=exposure.min_share,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(signal > 0.0, wanted[where] / signal, np.inf)
    return np.where(np.isfinite(found), found, np.inf)


def excess_over_noise(gamma_hz: Floats, background_hz: Floats, exposure: Exposure) -> Floats:
    """Share of the flux whose excess is ``significance`` times the square root of the background.

    Parameters
    ----------
    gamma_hz, background_hz : float64 array, [K]
        As for `flux_share`.
    exposure : Exposure
        Time and conditions; the least excess and its share of the background hold as well.

    Returns
    -------
    float64 array, [K]
        inf where there are no gammas.
    """
    seconds = exposure.hours * 3600.0
    noise = background_hz * seconds
    wanted = np.maximum.reduce(
        [exposure.significance * np.sqrt(noise), np.full(len(noise), exposure.min_excess), exposure.min_share * noise]
    )
    with np.errstate(divide="ignore"):
        share: Floats = np.where(gamma_hz > 0.0, wanted / (gamma_hz * seconds), np.inf)
    return share
