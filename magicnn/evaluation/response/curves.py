"""Effective area, energy dispersion, angular containment and background rate of selected events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.errors import InputError
from magicnn.evaluation.response.events import FLUXES, ResponseEvents

__all__ = [
    "Curve",
    "angular_containment",
    "background_per_sr",
    "binned_rate",
    "effective_area",
    "effective_events",
    "energy_dispersion",
    "point_spread",
]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_STEPS = 64  # of the integral of a flux over a bin, in log E


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity in bins.

    Attributes
    ----------
    value, error : float64 array, [K]
        The quantity and its standard error, re-uses of a shower counted as one.
    n_events : float64 array, [K]
        Effective number of independent events behind each value, (sum w)^2 / sum w^2 over showers.
    """

    value: Floats
    error: Floats
    n_events: Floats


def _by_shower(weights: Floats, shower: NDArray[np.int64], index: NDArray[np.int64], n_bins: int) -> Curve:
    """Sum of weights per bin, its error from the scatter of showers, and the effective number of showers."""
    inside = (index >= 0) & (index < n_bins) & (weights > 0.0)
    if not inside.any():
        return Curve(np.zeros(n_bins), np.zeros(n_bins), np.zeros(n_bins))
    n_showers = int(shower.max()) + 1
    pairs, where = np.unique(index[inside] * n_showers + shower[inside], return_inverse=True)
    sums = np.bincount(where, weights=weights[inside])
    first, second = (
        np.bincount(pairs // n_showers, weights=sums**power, minlength=n_bins).astype(np.float64) for power in (1, 2)
    )
    number = np.divide(first**2, second, out=np.zeros(n_bins), where=second > 0.0)
    return Curve(first, np.sqrt(second), number)


def binned_rate(
    events: ResponseEvents,
    values: Floats,
    edges: ArrayLike,
    selected: Mask,
    flux: Callable[[Floats], Floats] | None = None,
) -> Curve:
    """Rate of selected events in bins of any quantity, 1/s.

    Parameters
    ----------
    events : ResponseEvents
    values : float64 array, [N]
        What the bins are of.
    edges : array_like, [K + 1]
        Ascending.
    selected : bool array, [N]
    flux : callable, optional
        Differential flux; that of the kind when not given.

    Returns
    -------
    Curve
    """
    limits = np.asarray(edges, dtype=np.float64)
    index = np.where(np.isfinite(values), np.searchsorted(limits, values, side="right") - 1, -1)
    weights = np.where(selected, events.rates_hz(flux), 0.0)
    return _by_shower(weights, events.shower, index.astype(np.int64), len(limits) - 1)


def effective_events(events: Sequence[ResponseEvents], selected: Sequence[Mask]) -> float:
    """Effective number of independent showers among selected events of several kinds, weighted with their rates."""
    first = second = 0.0
    for kind, mask in zip(events, selected, strict=True):
        total = _by_shower(np.where(mask, kind.rates_hz(), 0.0), kind.shower, np.zeros(len(kind), np.int64), 1)
        first, second = first + total.value[0], second + total.error[0] ** 2
    return first**2 / second if second > 0.0 else 0.0


def effective_area(
    events: ResponseEvents, edges_gev: ArrayLike, selected: Mask, flux: Callable[[Floats], Floats] | None = None
) -> Curve:
    """Effective area in bins of true energy, m2.

    Parameters
    ----------
    events : ResponseEvents
        Gammas of a point source.
    edges_gev : array_like, [K + 1]
        Edges of the bins.
    selected : bool array, [N]
        Which events count.
    flux : callable, optional
        Spectrum inside of a bin; the Crab Nebula's when not given. With the thrown spectrum this is thrown area times
        selected over thrown events, as in pyirf.

    Returns
    -------
    Curve
        Rate of the selected events over the integral of the flux, averaged over the zenith range evenly in cos(zenith).
    """
    edges = np.asarray(edges_gev, dtype=np.float64)
    rate = binned_rate(events, events.true_energy_gev, edges, selected, flux)
    spectrum = flux or FLUXES[events.kind]
    integral = np.array([_integral(spectrum, low, high) for low, high in pairwise(edges)])
    return Curve(rate.value / integral, rate.error / integral, rate.n_events)


@cache
def _gauss_legendre() -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(_STEPS)


def _integral(flux: Callable[[Floats], Floats], low: float, high: float) -> float:
    """Integral of a flux over a bin by Gauss and Legendre in log E."""
    nodes, weights = _gauss_legendre()
    half, middle = 0.5 * np.log(high / low), 0.5 * np.log(high * low)
    energy = np.exp(middle + half * nodes)
    return float(np.sum(weights * flux(energy) * energy) * half)


def energy_dispersion(
    events: ResponseEvents, edges_gev: ArrayLike, migration_edges: ArrayLike, selected: Mask
) -> Floats:
    """Probability density of E_reco / E_true in bins of true energy.

    Parameters
    ----------
    events : ResponseEvents
        Gammas.
    edges_gev : array_like, [K + 1]
        Edges of true energy.
    migration_edges : array_like, [M + 1]
        Edges of E_reco / E_true.
    selected : bool array, [N]
        Which events count.

    Returns
    -------
    float64 array, [K, M]
        Integrates to one over the migration; zero in bins without events.
    """
    migration = np.asarray(migration_edges, dtype=np.float64)
    good = selected & np.isfinite(events.reco_energy_gev)
    ratio = events.reco_energy_gev[good] / events.true_energy_gev[good]
    density: Floats = np.histogram2d(
        events.true_energy_gev[good],
        ratio,
        bins=[np.asarray(edges_gev, dtype=np.float64), migration],
        weights=events.rates_hz()[good],
    )[0]
    norm = density.sum(axis=1)[:, None] * np.diff(migration)[None, :]
    normalised: Floats = np.divide(density, norm, out=np.zeros_like(density), where=norm > 0.0)
    return normalised


def angular_containment(
    events: ResponseEvents, edges_gev: ArrayLike, selected: Mask, shares: Sequence[float] = (0.39, 0.68, 0.95)
) -> Floats:
    """Angles that contain given shares of the gammas, in bins of true energy, deg.

    Parameters
    ----------
    events : ResponseEvents
        Gammas.
    edges_gev : array_like, [K + 1]
        Edges of true energy.
    selected : bool array, [N]
        Which events count.
    shares : sequence of float, [S]
        Shares; 39 % is the sigma of a two-dimensional Gaussian.

    Returns
    -------
    float64 array, [K, S]
        NaN in bins without events.
    """
    edges = np.asarray(edges_gev, dtype=np.float64)
    good = selected & np.isfinite(events.theta_deg)
    index = np.searchsorted(edges, events.true_energy_gev, side="right") - 1
    rates = events.rates_hz()
    angles = np.full((len(edges) - 1, len(shares)), np.nan)
    for k in range(len(edges) - 1):
        here = good & (index == k) & (rates > 0.0)
        if here.any():
            order = np.argsort(events.theta_deg[here])
            cumulative = np.cumsum(rates[here][order])
            found = np.searchsorted(cumulative, np.asarray(shares) * cumulative[-1])
            angles[k] = events.theta_deg[here][order][np.minimum(found, len(order) - 1)]
    return angles


def point_spread(events: ResponseEvents, edges_gev: ArrayLike, theta_edges_deg: ArrayLike, selected: Mask) -> Floats:
    """Density of reconstructed directions around the true one, 1/sr, in bins of true energy, [K, R].

    The integral over solid angle is the share of the events within the last edge; zero in bins without events.
    """
    theta = np.asarray(theta_edges_deg, dtype=np.float64)
    good = selected & np.isfinite(events.theta_deg)
    weights = events.rates_hz()[good]
    edges = np.asarray(edges_gev, dtype=np.float64)
    density: Floats = np.histogram2d(
        events.true_energy_gev[good], events.theta_deg[good], bins=[edges, theta], weights=weights
    )[0]
    total = np.histogram(events.true_energy_gev[good], bins=edges, weights=weights)[0][:, None]
    solid = 2.0 * np.pi * -np.diff(np.cos(np.radians(theta)))
    spread: Floats = np.divide(density, total, out=np.zeros_like(density), where=total > 0.0) / solid
    return spread


def background_per_sr(
    events: Sequence[ResponseEvents], edges_gev: ArrayLike, offsets_deg: ArrayLike, selected: Sequence[Mask]
) -> Floats:
    """Background rate per solid angle and energy in bins of reconstructed energy and offset, 1/(GeV s sr), [K, O].

    Parameters
    ----------
    events : sequence of ResponseEvents
        Hadrons and electrons.
    edges_gev : array_like, [K + 1]
        Edges of reconstructed energy.
    offsets_deg : array_like, [O + 1]
        Edges of the angle between reconstructed direction and pointing.
    selected : sequence of bool array
        Which events of each kind count.

    Raises
    ------
    InputError
        No events are given.
    """
    if not events:
        raise InputError("background: no hadrons or electrons are given")
    edges, offsets = np.asarray(edges_gev, dtype=np.float64), np.asarray(offsets_deg, dtype=np.float64)
    rate = np.zeros((len(edges) - 1, len(offsets) - 1))
    for kind, mask in zip(events, selected, strict=True):
        good = mask & np.isfinite(kind.reco_energy_gev) & np.isfinite(kind.offset_deg)
        rate += np.histogram2d(
            kind.reco_energy_gev[good], kind.offset_deg[good], bins=[edges, offsets], weights=kind.rates_hz()[good]
        )[0]
    solid = 2.0 * np.pi * -np.diff(np.cos(np.radians(offsets)))
    density: Floats = rate / np.diff(edges)[:, None] / solid[None, :]
    return density
