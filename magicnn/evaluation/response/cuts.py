"""Cuts on gammaness and angle in bins of energy, chosen where they give the best sensitivity on showers set apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import nan

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import Range, in_range
from magicnn.evaluation.response.curves import effective_events
from magicnn.evaluation.response.events import ResponseEvents
from magicnn.evaluation.response.sensitivity import Exposure, flux_share

__all__ = ["Cut", "CutGrid", "choose_cut", "efficiency_cuts", "in_circle", "quality"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_QUALITY = 2


@dataclass(frozen=True, slots=True)
class Cut:
    """Cuts in one range of reconstructed energy.

    Attributes
    ----------
    gammaness : float
        Smallest gammaness that is kept; NaN when no cut could be chosen.
    theta_deg : float
        Radius of the circle around the source.
    """

    gammaness: float
    theta_deg: float

    @property
    def exists(self) -> bool:
        """Whether the cuts could be chosen."""
        return bool(np.isfinite(self.gammaness))


@dataclass(frozen=True, slots=True)
class CutGrid:
    """What is tried.

    Attributes
    ----------
    gamma_efficiencies : tuple of float
        Shares of the gammas of a bin that the cut on gammaness keeps.
    theta_deg : tuple of float
        Radii of the circle around the source.
    background_radius_deg : float
        The density of background is averaged over reconstructed directions within this angle of the pointing.
    min_background : float
        Effective number of simulated background showers that a cut must leave within that angle.
    """

    gamma_efficiencies: tuple[float, ...]
    theta_deg: tuple[float, ...]
    background_radius_deg: float
    min_background: float


def quality(events: ResponseEvents, energy: Range) -> Mask:
    """Events that pass the quality cuts, have a gammaness, and are reconstructed in an energy range."""
    return (events.level >= _QUALITY) & np.isfinite(events.gammaness) & in_range(events.reco_energy_gev, energy)


def in_circle(
    gammas: ResponseEvents, background: Sequence[ResponseEvents], cut: Cut, energy: Range, radius_deg: float
) -> tuple[Mask, list[Mask]]:
    """Gammas within the circle, and background near the pointing, that pass the cut on gammaness."""
    signal = quality(gammas, energy) & (gammas.gammaness >= cut.gammaness) & (gammas.theta_deg <= cut.theta_deg)
    noise = [
        quality(kind, energy) & (kind.gammaness >= cut.gammaness) & (kind.offset_deg <= radius_deg)
        for kind in background
    ]
    return signal, noise


def choose_cut(
    gammas: ResponseEvents, background: Sequence[ResponseEvents], energy: Range, grid: CutGrid, exposure: Exposure
) -> Cut:
    """Choose the cuts of the smallest detectable flux.

    Parameters
    ----------
    gammas : ResponseEvents
        Gammas of a point source, of showers that the result is not evaluated on.
    background : sequence of ResponseEvents
        Hadrons and electrons, of such showers.
    energy : (float, float)
        Range of reconstructed energy, GeV.
    grid : CutGrid
        What is tried.
    exposure : Exposure
        Time and conditions of a detection.

    Returns
    -------
    Cut
        When none of the grid leaves enough simulated background, the one that leaves most of it; without gammas in the
        range one that does not exist.
    """
    gammas = gammas.select(quality(gammas, energy) & (gammas.exposure > 0.0))
    background = [kind.select(quality(kind, energy)) for kind in background]
    if not len(gammas):
        return Cut(nan, nan)
    order = np.argsort(gammas.gammaness)
    ascending = gammas.gammaness[order]
    share = np.cumsum(gammas.rates_hz()[order])
    best, loosest = (np.inf, Cut(nan, nan)), (-1.0, Cut(nan, nan))
    for efficiency, theta in product(grid.gamma_efficiencies, grid.theta_deg):
        threshold = ascending[min(int(np.searchsorted(share, (1.0 - efficiency) * share[-1])), len(ascending) - 1)]
        cut = Cut(float(threshold), theta)
        signal, noise = in_circle(gammas, background, cut, energy, grid.background_radius_deg)
        number = effective_events(background, noise)
        if number > loosest[0]:
            loosest = (number, cut)
        if number < grid.min_background:
            continue
        circle = (theta / grid.background_radius_deg) ** 2
        rate = sum(float(kind.rates_hz()[mask].sum()) for kind, mask in zip(background, noise, strict=True)) * circle
        flux = flux_share(np.array([gammas.rates_hz()[signal].sum()]), np.array([rate]), exposure)[0]
        if flux < best[0]:
            best = (float(flux), cut)
    return best[1] if best[1].exists else loosest[1]


def efficiency_cuts(
    gammas: ResponseEvents, energies: Sequence[Range], gammaness_share: float, circle_share: float
) -> Mask:
    """Gammas that pass cuts of fixed efficiency in every bin of estimated energy.

    Parameters
    ----------
    gammas : ResponseEvents
        Gammas of a point source.
    energies : sequence of (float, float)
        Bins of estimated energy, GeV.
    gammaness_share : float
        Share of the gammas after quality cuts that the cut on gammaness keeps.
    circle_share : float
        Share of those that the circle around the source holds.

    Returns
    -------
    bool array, [N]
        Found with the same gammas, which is what fixes the efficiency; it says nothing about the background.
    """
    kept = np.zeros(len(gammas), dtype=bool)
    rates = gammas.rates_hz()
    for energy in energies:
        rows = np.flatnonzero(quality(gammas, energy) & np.isfinite(gammas.theta_deg) & (rates > 0.0))
        for order, share in ((-gammas.gammaness, gammaness_share), (gammas.theta_deg, circle_share)):
            rows = rows[np.argsort(order[rows], kind="stable")]
            total = np.cumsum(rates[rows])
            rows = rows[: int(np.searchsorted(total, share * total[-1])) + 1] if len(rows) else rows
        kept[rows] = True
    return kept
