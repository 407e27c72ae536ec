"""Energy bias and resolution, each in the three definitions in use, and the energy threshold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.evaluation.intervals import CONFIDENCE, QUANTILES_68
from magicnn.evaluation.resampling import Ranked, Resampled

__all__ = ["ENERGY_METRICS", "energy_errors", "energy_statistic", "threshold_statistic"]

Floats = NDArray[np.float64]
Statistic = Callable[[Resampled], Floats]

ENERGY_METRICS = (
    "bias_median",
    "resolution_half68",
    "bias_mean",
    "resolution_rms",
    "bias_gauss",
    "resolution_gauss",
    "resolution_abs68",
    "outlier_fraction",
)
"""What `energy_statistic` gives, in that order."""

_OUTLIER = 3.0  # in units of half the 68 % interval, from the median
_FIT_HALF_WIDTH = 2.0  # in units of half the 68 % interval
_FIT_MIN_EVENTS = 10
_FIT_STEPS = 15
_FIT_LAST_STEP = 1e-9  # of the logarithm of the density: converged
_FIT_POINTS, _FIT_SHARES = _FIT_HALF_WIDTH * np.stack(np.polynomial.legendre.leggauss(24))  # integrates over the window
_FIT_DESIGN = np.stack([np.ones_like(_FIT_POINTS), _FIT_POINTS, _FIT_POINTS**2], axis=1)
_FIT_PRODUCTS = (_FIT_DESIGN[:, :, None] * _FIT_DESIGN[:, None, :]).reshape(-1, 9)

_THRESHOLD_STEP = 0.02  # log10(E)
_THRESHOLD_SMOOTHING = 0.1  # log10(E), standard deviation
_THRESHOLD_EDGES = np.arange(0.5, 5.5, _THRESHOLD_STEP)
_THRESHOLD_MIN_EVENTS = 20


def energy_errors(reco_energy_gev: ArrayLike, true_energy_gev: ArrayLike) -> Floats:
    """Relative error of the estimated energy, E_reco / E_true - 1, [N]."""
    errors: Floats = np.asarray(reco_energy_gev, dtype=np.float64) / np.asarray(true_energy_gev, dtype=np.float64) - 1.0
    return errors


def energy_statistic(errors: ArrayLike, weights: ArrayLike | None = None) -> Statistic:
    """Prepare bias and resolution of a set of energy errors for resampling.

    Parameters
    ----------
    errors : array_like, [N]
        Finite relative errors.
    weights : array_like, [N], optional
        Thrown events that each event stands for; an event of weight w counts as w events.

    Returns
    -------
    callable
        Resampled sets of the events to float64 [b, 8] in the order of `ENERGY_METRICS`: median; half the distance of
        the 15.87 and 84.13 % quantiles (pyirf's bias and resolution); mean; standard deviation about the mean (the
        RMS of arXiv:1409.5594); centre and width of a Gaussian fit (see `_gaussian_fit`); 68.27 % quantile of the
        absolute error; share of the events farther from the median than 3 times half the 68 % interval. NaN for an
        empty set.
    """
    values = np.asarray(errors, dtype=np.float64)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    centre = float(values.mean()) if len(values) else 0.0  # taken off before squaring, against cancellation
    total_weight = float(weight.sum())
    unit = float(np.sum(weight**2)) / total_weight if total_weight else 1.0

    def statistic(sets: Resampled) -> Floats:
        ranked = Ranked(sets, values, weight)
        low, median, high = ranked.quantiles([QUANTILES_68[0], 0.5, QUANTILES_68[1]]).T
        half68 = 0.5 * (high - low)
        absolute = Ranked(sets, np.abs(values), weight).quantiles([CONFIDENCE])[:, 0]
        total, first, second = sets.sums(weight, weight * (values - centre), weight * (values - centre) ** 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = first / total
            rms = np.sqrt(np.maximum(second / total - shift**2, 0.0))
            far = np.stack([median - _OUTLIER * half68, np.nextafter(median + _OUTLIER * half68, np.inf)], axis=1)
            below = ranked.below(far)
            outliers = np.where(total > 0.0, 1.0 - (below[:, 1] - below[:, 0]) / total, np.nan)
        mu, sigma = _gaussian_fit(ranked, centre, median, half68, unit)
        found = (median, half68, centre + shift, rms, mu, sigma, absolute, np.maximum(outliers, 0.0))
        return np.stack(found, axis=1)

    return statistic


def _gaussian_fit(ranked: Ranked, centre: float, median: Floats, half68: Floats, unit: float) -> tuple[Floats, Floats]:
    """Fit a Gaussian to the core of resampled distributions.

    Parameters
    ----------
    ranked : Ranked
        The values, in b sets.
    centre : float
        Taken off the values before squaring, against cancellation.
    median, half68 : float64 arrays, [b]
        Median and half the 68 % interval of the sets: the fit uses the median +- 2 x half68.
    unit : float
        Weight that counts as one event.

    Returns
    -------
    mean, sigma : float64 arrays, [b]
        NaN with fewer than 10 events in the window, or where the distribution is not peaked.

    Notes
    -----
    Maximum of the likelihood of a log-quadratic density in the window, which is concave; values outside have no say,
    so that tails do not widen the core. There are no bins: where their edges fall would be another chance, which
    intervals from resampled sets make too much of. Number, mean and square of the values in the window are all that
    the likelihood depends on.
    """
    found = np.full((2, len(median)), np.nan)
    known = np.isfinite(half68) & (half68 > 0.0)
    middle, scale = np.where(known, median, 0.0), np.where(known, half68, 1.0)
    window = np.stack([middle - _FIT_HALF_WIDTH * scale, middle + _FIT_HALF_WIDTH * scale], axis=1)
    sums = ranked.sums_below(window, lambda v: v - centre, lambda v: (v - centre) ** 2)
    total, first, second = (np.diff(s, axis=1)[:, 0] / unit for s in sums)
    rows = np.flatnonzero(known & (total >= _FIT_MIN_EVENTS * (1.0 - 1e-9)))
    if not len(rows):
        return found[0], found[1]
    middle, scale, total, first, second = (v[rows] for v in (middle, scale, total, first, second))
    shift = middle - centre
    moments = np.stack(
        [total, (first - total * shift) / scale, (second - 2.0 * first * shift + total * shift**2) / scale**2], axis=1
    )
    start = np.log(total / np.sqrt(2.0 * np.pi))
    beta = np.stack([start, np.zeros_like(start), np.full_like(start, -0.5)], axis=1)
    for _ in range(_FIT_STEPS):
        expected = _FIT_SHARES * np.exp(np.clip(beta @ _FIT_DESIGN.T, -50.0, 50.0))
        gradient = moments - expected @ _FIT_DESIGN
        hessian = (expected @ _FIT_PRODUCTS).reshape(-1, 3, 3) + 1e-9 * np.eye(3)
        step = np.clip(np.linalg.solve(hessian, gradient[..., None])[..., 0], -1.0, 1.0)
        beta = beta + step
        if np.abs(step).max() < _FIT_LAST_STEP:
            break
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, sigma = -0.5 * beta[:, 1] / beta[:, 2], np.sqrt(-0.5 / beta[:, 2])
    is_peak = (beta[:, 2] < 0.0) & (np.abs(mean) < _FIT_HALF_WIDTH) & (sigma < 2.0 * _FIT_HALF_WIDTH)
    found[:, rows] = np.where(is_peak, np.stack([middle + mean * scale, sigma * scale]), np.nan)
    return found[0], found[1]


def threshold_statistic(true_energy_gev: ArrayLike, weights: ArrayLike) -> Statistic:
    """Prepare the energy threshold of a set of triggered events for resampling.

    Parameters
    ----------
    true_energy_gev : array_like, [N]
        True energies.
    weights : array_like, [N]
        Rates of the events for a spectrum E^-2.6.

    Returns
    -------
    callable
        Resampled sets of the events to float64 [b, 1], GeV: energy at the maximum of the weighted distribution dN/dE of
        the true energies, as a function of log10(E) and smoothed with a Gaussian of 0.1; NaN below 20 events.

    Notes
    -----
    The distribution per logarithmic interval is flat over a wide range, as the effective area near the threshold
    grows about as the spectrum falls: its peak is elsewhere and badly defined.
    """
    energy_gev = np.asarray(true_energy_gev, dtype=np.float64)
    place = np.clip(np.searchsorted(_THRESHOLD_EDGES, np.log10(energy_gev), side="right"), 0, len(_THRESHOLD_EDGES))
    rate = np.asarray(weights, dtype=np.float64) / energy_gev
    centres = 0.5 * (_THRESHOLD_EDGES[1:] + _THRESHOLD_EDGES[:-1])
    kernel = np.exp(-0.5 * ((centres[:, None] - centres[None, :]) / _THRESHOLD_SMOOTHING) ** 2)

    def statistic(sets: Resampled) -> Floats:
        density = sets.histogram(place, len(_THRESHOLD_EDGES) + 1, rate)[:, 1:-1] @ kernel
        top = np.clip(np.argmax(density, axis=1), 1, len(centres) - 2)
        rows = np.arange(len(density))
        left, peak, right = (np.log(np.maximum(density[rows, top + k], 1e-300)) for k in (-1, 0, 1))
        bend = left - 2.0 * peak + right
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(bend < 0.0, 0.5 * (left - right) / bend, 0.0)
        energy = 10.0 ** (centres[top] + np.clip(shift, -1.0, 1.0) * _THRESHOLD_STEP)
        (n_events,) = sets.sums(1.0)
        return np.where(n_events >= _THRESHOLD_MIN_EVENTS, energy, np.nan)[:, None]

    return statistic
