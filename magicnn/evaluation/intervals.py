"""Intervals: Wilson for efficiencies, bias-corrected percentiles of the bootstrap over showers for everything else."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

__all__ = ["CONFIDENCE", "bootstrap_interval", "effective_number", "wilson_interval"]

Floats = NDArray[np.float64]

CONFIDENCE = erf(1.0 / sqrt(2.0))
"""Probability content of every interval: that of one standard deviation, 68.27 %."""

QUANTILES_68 = (0.5 - CONFIDENCE / 2.0, 0.5 + CONFIDENCE / 2.0)

_MOST_BIAS = 0.5  # standard deviations


def wilson_interval(n_passed: ArrayLike, n_all: ArrayLike) -> tuple[Floats, Floats]:
    """Wilson score interval of an efficiency at 68.27 %.

    Parameters
    ----------
    n_passed, n_all : array_like
        Passed and all events; need not be integers, so that effective numbers can be given.

    Returns
    -------
    low, high : float64 arrays
        NaN where ``n_all`` is 0.

    Notes
    -----
    Wilson, J. Am. Stat. Assoc. 22 (1927) 209, with z = 1.
    """
    passed, total = np.broadcast_arrays(np.asarray(n_passed, dtype=np.float64), np.asarray(n_all, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = passed / total
        centre = (share + 0.5 / total) / (1.0 + 1.0 / total)
        half = np.sqrt(share * (1.0 - share) / total + 0.25 / total**2) / (1.0 + 1.0 / total)
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def effective_number(
    has_passed: NDArray[np.bool_], *, weights: ArrayLike | None = None, shower_index: NDArray[np.int64] | None = None
) -> float:
    """Number of independent unweighted events that fix an efficiency as well.

    Parameters
    ----------
    has_passed : bool array, [N]
        Which events pass.
    weights : array_like, [N], optional
        Weights; Kish's effective number (sum w)^2 / sum w^2 is taken.
    shower_index : int array, [N], optional
        Which events come from the same shower. The number is divided by the design effect: the variance of the
        efficiency over that of independent events (Kish, Survey Sampling, 1965), where it is larger.

    Returns
    -------
    float
        N without weights and without repeated showers.
    """
    passed = np.asarray(has_passed, dtype=np.float64)
    w = np.ones(len(passed)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not w.any():
        return 0.0
    number = float(w.sum() ** 2 / np.sum(w**2))
    if shower_index is None:
        return number
    residual = w * (passed - np.average(passed, weights=w))
    independent = float(np.sum(residual**2))
    together = float(np.sum(np.bincount(shower_index, weights=residual) ** 2))
    if independent <= 0.0:
        by_shower = np.bincount(shower_index, weights=w)
        return float(by_shower.sum() ** 2 / np.sum(by_shower**2))
    return number / max(1.0, together / independent)


def bootstrap_interval(value: ArrayLike, replicates: ArrayLike) -> tuple[Floats, Floats]:
    """68.27 % interval from bootstrap replicates: their percentiles, corrected for bias.

    Parameters
    ----------
    value : array_like, [] or [K]
        The statistic of the events themselves.
    replicates : array_like, [B] or [B, K]
        The statistic of resampled sets. Infinite values count as such; NaN (it does not exist in that set) is left out.

    Returns
    -------
    low, high : float64 arrays, [] or [K]
        NaN where more than half of the replicates are NaN, or where the limit is infinite.

    Notes
    -----
    Where the value has a share Phi(b) of the replicates below it, the limits are their quantiles Phi(2 b - 1) and
    Phi(2 b + 1) (Efron, Can. J. Stat. 9 (1981) 139). Plain percentiles lie about the middle of the replicates, which
    scatters less than the value does where the value hangs on single events, as quantiles do, while the replicates
    scatter more: such intervals hold the truth too often. b is kept within -0.5 and 0.5 and is 0 where there is no
    finite value: what is off by more is another quantity than the replicates are.
    """
    values, centre = np.asarray(replicates, dtype=np.float64), np.asarray(value, dtype=np.float64)
    if not len(values):
        return np.full(values.shape[1:], np.nan), np.full(values.shape[1:], np.nan)
    n = np.sum(~np.isnan(values), axis=0)
    below = np.sum(values < centre, axis=0) + 0.5 * np.sum(values == centre, axis=0)
    share = np.where(np.isfinite(centre) & (n > 0), below / np.maximum(n, 1), 0.5)
    bias = np.clip(ndtri(share), -_MOST_BIAS, _MOST_BIAS)
    ordered = np.sort(values, axis=0)  # NaN last
    limits = []
    for side in (-1.0, 1.0):
        rank = np.clip(np.rint(ndtr(2.0 * bias + side) * n - 0.5), 0, np.maximum(n - 1, 0)).astype(np.int64)
        limit = np.take_along_axis(ordered, rank[None, ...], axis=0)[0]
        limits.append(np.where((2 * n >= len(values)) & np.isfinite(limit), limit, np.nan))
    return limits[0], limits[1]
