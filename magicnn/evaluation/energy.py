"""Energy bias and resolution, each in the three definitions in use, and the energy threshold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.evaluation.intervals import QUANTILES_68, resampled_quantiles

__all__ = ["ENERGY_METRICS", "energy_errors", "energy_statistic", "gaussian_fit", "threshold_statistic"]

Floats = NDArray[np.float64]
Statistic = Callable[[NDArray[np.int32]], Floats]

ENERGY_METRICS = (
    "bias_median",
    "resolution_half68",
    "bias_mean",
    "resolution_rms",
    "bias_gauss",
    "resolution_gauss",
)
"""What `energy_statistic` gives, in that order."""

_FIT_BINS = 24
_FIT_HALF_WIDTH = 2.0  # in units of half the 68 % interval
_FIT_MIN_EVENTS = 10
_FIT_STEPS = 15
_FIT_POINTS = (np.arange(_FIT_BINS) + 0.5) * (2.0 * _FIT_HALF_WIDTH / _FIT_BINS) - _FIT_HALF_WIDTH
_FIT_DESIGN = np.stack([np.ones(_FIT_BINS), _FIT_POINTS, _FIT_POINTS**2], axis=1)

_THRESHOLD_STEP = 0.02  # log10(E)
_THRESHOLD_SMOOTHING = 0.1  # log10(E), standard deviation
_THRESHOLD_EDGES = np.arange(0.5, 5.5, _THRESHOLD_STEP)
_THRESHOLD_MIN_EVENTS = 20


def energy_errors(reco_energy_gev: ArrayLike, true_energy_gev: ArrayLike) -> Floats:
    """Relative error of the estimated energy, E_reco / E_true - 1, [N]."""
    errors: Floats = np.asarray(reco_energy_gev, dtype=np.float64) / np.asarray(true_energy_gev, dtype=np.float64) - 1.0
    return errors


def energy_statistic(errors: ArrayLike) -> Statistic:
    """Prepare bias and resolution of a set of energy errors for resampling.

    Parameters
    ----------
    errors : array_like, [N]
        Finite relative errors.

    Returns
    -------
    callable
        Multiplicities [b, N] to float64 [b, 6] in the order of `ENERGY_METRICS`: median; half the distance of the
        15.87 and 84.13 % quantiles (pyirf's bias and resolution); mean; standard deviation about the mean (the RMS of
        arXiv:1409.5594); centre and width of a Gaussian fit (see `gaussian_fit`). NaN for an empty set.
    """
    values = np.asarray(errors, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    ascending = values[order]

    def statistic(multiplicity: NDArray[np.int32]) -> Floats:
        sets = multiplicity[:, order]
        low, median, high = resampled_quantiles(ascending, sets, [QUANTILES_68[0], 0.5, QUANTILES_68[1]]).T
        half68 = 0.5 * (high - low)
        total = sets.sum(axis=1).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = sets @ ascending / total
            # centred on the full sample's mean before squaring, against cancellation
            centre = ascending.mean() if len(ascending) else 0.0
            second = sets @ (ascending - centre) ** 2 / total
            rms = np.sqrt(np.maximum(second - (mean - centre) ** 2, 0.0))
        mu, sigma = gaussian_fit(ascending, sets, median, half68)
        return np.stack([median, half68, mean, rms, mu, sigma], axis=1)

    return statistic


def gaussian_fit(
    errors: Floats, multiplicity: NDArray[np.int32], median: Floats, half68: Floats
) -> tuple[Floats, Floats]:
    """Fit a Gaussian to the core of resampled distributions.

    Parameters
    ----------
    errors : float64 array, [N]
        Values.
    multiplicity : int array, [b, N]
        How often each occurs in each set.
    median, half68 : float64 arrays, [b]
        Median and half the 68 % interval of the sets: the fit uses the median +- 2 x half68 in 24 bins.

    Returns
    -------
    mean, sigma : float64 arrays, [b]
        NaN with fewer than 10 events in the window, or where the distribution is not peaked.

    Notes
    -----
    Maximum of the Poisson likelihood of log-quadratic bin contents, which is concave; bins outside of the window
    have no say, so that tails do not widen the core. The variance of the bin width is subtracted (Sheppard).
    """
    b = len(multiplicity)
    if errors.size == 0:
        return np.full(b, np.nan), np.full(b, np.nan)
    usable = np.isfinite(half68) & (half68 > 0.0)
    scale = np.where(usable, half68, 1.0)
    position = (errors[None, :] - np.where(usable, median, 0.0)[:, None]) / scale[:, None]
    step = 2.0 * _FIT_HALF_WIDTH / _FIT_BINS
    index = np.clip(np.floor((position + _FIT_HALF_WIDTH) / step), -1, _FIT_BINS).astype(np.int64) + 1
    flat = index + (_FIT_BINS + 2) * np.arange(b)[:, None]
    counts = np.bincount(flat.ravel(), weights=multiplicity.ravel(), minlength=b * (_FIT_BINS + 2))
    counts = counts.reshape(b, _FIT_BINS + 2)[:, 1:-1]
    total = counts.sum(axis=1)
    usable &= total >= _FIT_MIN_EVENTS
    start = np.log(np.maximum(total, 1.0) * step / np.sqrt(2.0 * np.pi))
    beta = np.stack([start, np.zeros(b), np.full(b, -0.5)], axis=1)
    for _ in range(_FIT_STEPS):
        expected = np.exp(np.clip(beta @ _FIT_DESIGN.T, -50.0, 50.0))
        gradient = (counts - expected) @ _FIT_DESIGN
        hessian = np.einsum("bj,jk,jl->bkl", expected, _FIT_DESIGN, _FIT_DESIGN) + 1e-9 * np.eye(3)
        beta = beta + np.clip(np.linalg.solve(hessian, gradient[..., None])[..., 0], -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = -0.5 / beta[:, 2] - step**2 / 12.0
        mean, sigma = -0.5 * beta[:, 1] / beta[:, 2], np.sqrt(variance)
    usable &= (beta[:, 2] < 0.0) & (np.abs(mean) < _FIT_HALF_WIDTH) & (sigma < 2.0 * _FIT_HALF_WIDTH)
    return np.where(usable, median + mean * scale, np.nan), np.where(usable, sigma * scale, np.nan)


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
        Multiplicities [b, N] to float64 [b, 1], GeV: energy at the maximum of the weighted distribution dN/dE of
        the true energies, as a function of log10(E) and smoothed with a Gaussian of 0.1; NaN below 20 events.

    Notes
    -----
    The distribution per logarithmic interval is flat over a wide range, as the effective area near the threshold
    grows about as the spectrum falls: its peak is elsewhere and badly defined.
    """
    energy_gev = np.asarray(true_energy_gev, dtype=np.float64)
    log_energy = np.log10(energy_gev)
    order = np.argsort(log_energy, kind="stable")
    rate = (np.asarray(weights, dtype=np.float64) / energy_gev)[order]
    cut = np.searchsorted(log_energy[order], _THRESHOLD_EDGES)
    centres = 0.5 * (_THRESHOLD_EDGES[1:] + _THRESHOLD_EDGES[:-1])
    kernel = np.exp(-0.5 * ((centres[:, None] - centres[None, :]) / _THRESHOLD_SMOOTHING) ** 2)

    def statistic(multiplicity: NDArray[np.int32]) -> Floats:
        sets = multiplicity[:, order]
        running = np.concatenate([np.zeros((len(sets), 1)), np.cumsum(sets * rate, axis=1)], axis=1)
        density = np.diff(running[:, cut], axis=1) @ kernel
        top = np.clip(np.argmax(density, axis=1), 1, len(centres) - 2)
        rows = np.arange(len(sets))
        left, peak, right = (np.log(np.maximum(density[rows, top + k], 1e-300)) for k in (-1, 0, 1))
        bend = left - 2.0 * peak + right
        with np.errstate(divide="ignore", invalid="ignore"):
            shift = np.where(bend < 0.0, 0.5 * (left - right) / bend, 0.0)
        energy = 10.0 ** (centres[top] + np.clip(shift, -1.0, 1.0) * _THRESHOLD_STEP)
        return np.where(sets.sum(axis=1) >= _THRESHOLD_MIN_EVENTS, energy, np.nan)[:, None]

    return statistic
