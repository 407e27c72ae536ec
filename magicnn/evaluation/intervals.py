"""Intervals: Wilson for efficiencies, the bootstrap over showers for everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import erf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "CONFIDENCE",
    "ShowerBootstrap",
    "effective_number",
    "percentile_interval",
    "resampled_quantiles",
    "row_searchsorted",
    "wilson_interval",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONFIDENCE = erf(1.0 / sqrt(2.0))
"""Probability content of every interval: that of one standard deviation, 68.27 %."""

QUANTILES_68 = (0.5 - CONFIDENCE / 2.0, 0.5 + CONFIDENCE / 2.0)

_CHUNK = 2_000_000  # weights held at a time


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


@dataclass(frozen=True)
class ShowerBootstrap:
    """Resampling of whole showers with replacement.

    Attributes
    ----------
    shower_index : int array, [N]
        Which shower each event comes from, 0 to n - 1.
    n_replicates : int
        Number of resampled sets.
    seed : numpy.random.SeedSequence
        The same seed and showers give the same sets, so that methods are compared on the same ones.
    """

    shower_index: Ints
    n_replicates: int
    seed: np.random.SeedSequence

    def multiplicities(self, rows: int) -> Iterator[NDArray[np.int32]]:
        """Yield how often each event is in each set, [<= rows, N] at a time."""
        n_showers = int(self.shower_index.max()) + 1 if len(self.shower_index) else 0
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.n_replicates, rows):
            n = min(rows, self.n_replicates - start)
            if n_showers == 0:
                yield np.zeros((n, 0), dtype=np.int32)
                continue
            drawn = rng.integers(n_showers, size=(n, n_showers)) + n_showers * np.arange(n)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=n * n_showers).reshape(n, n_showers).astype(np.int32)
            yield counts[:, self.shower_index]

    @staticmethod
    def apply(statistic: Callable[..., Floats], *samples: ShowerBootstrap) -> tuple[Floats, Floats]:
        """Compute a statistic of the samples and of their resampled sets.

        Parameters
        ----------
        statistic : callable
            Takes one array of multiplicities [b, N] per sample, gives float [b, K].
        *samples : ShowerBootstrap
            Resampled independently, with the same number of replicates.

        Returns
        -------
        value : float64 array, [K]
            With every event taken once.
        replicates : float64 array, [B, K]
            For the resampled sets.
        """
        total = sum(len(s.shower_index) for s in samples)
        rows = max(1, _CHUNK // max(1, total))
        value = statistic(*(np.ones((1, len(s.shower_index)), dtype=np.int32) for s in samples))[0]
        chunks = [statistic(*weights) for weights in zip(*(s.multiplicities(rows) for s in samples), strict=True)]
        return value, np.concatenate(chunks) if chunks else np.empty((0, len(value)))


def percentile_interval(replicates: ArrayLike) -> tuple[Floats, Floats]:
    """Central 68.27 % interval of bootstrap replicates.

    Parameters
    ----------
    replicates : array_like, [B] or [B, K]
        Infinite values count as such; NaN (the statistic does not exist in that set) is left out.

    Returns
    -------
    low, high : float64 arrays, [] or [K]
        NaN where more than half of the replicates are NaN, or where the limit is infinite.
    """
    values = np.asarray(replicates, dtype=np.float64)
    if not len(values):
        return np.full(values.shape[1:], np.nan), np.full(values.shape[1:], np.nan)
    n = np.sum(~np.isnan(values), axis=0)
    ordered = np.sort(values, axis=0)  # NaN last
    limits = []
    for q in QUANTILES_68:
        rank = np.clip(np.rint(q * n - 0.5), 0, np.maximum(n - 1, 0)).astype(np.int64)
        limit = np.take_along_axis(ordered, rank[None, ...], axis=0)[0]
        limits.append(np.where((2 * n >= len(values)) & np.isfinite(limit), limit, np.nan))
    return limits[0], limits[1]


def row_searchsorted(ascending: NDArray[np.int64], wanted: NDArray[np.int64]) -> Ints:
    """For every row count the entries that are not larger than the wanted ones.

    Parameters
    ----------
    ascending : int array, [b, N]
        Not negative, ascending along each row.
    wanted : int array, [b, K]
        Not negative.

    Returns
    -------
    int64 array, [b, K]
    """
    b, n = ascending.shape
    step = int(max(ascending.max(initial=0), wanted.max(initial=0))) + 1
    shift = step * np.arange(b, dtype=np.int64)[:, None]
    found = np.searchsorted((ascending + shift).ravel(), (wanted + shift).ravel(), side="right").reshape(wanted.shape)
    counts: Ints = found - n * np.arange(b, dtype=np.int64)[:, None]
    return counts


def resampled_quantiles(ascending: Floats, multiplicity: NDArray[np.int32], quantiles: ArrayLike) -> Floats:
    """Quantiles of resampled values, exactly those of the values written out as often as they occur.

    Parameters
    ----------
    ascending : float64 array, [N]
        Sorted values.
    multiplicity : int array, [b, N]
        How often each value occurs in each set.
    quantiles : array_like, [K]
        Between 0 and 1.

    Returns
    -------
    float64 array, [b, K]
        Linear interpolation between order statistics as in `numpy.quantile`; NaN for an empty set.
    """
    q = np.asarray(quantiles, dtype=np.float64)
    b, n = multiplicity.shape
    if n == 0:
        return np.full((b, len(q)), np.nan)
    cumulative = np.cumsum(multiplicity, axis=1, dtype=np.int64)
    total = cumulative[:, -1:]
    position = np.maximum(total - 1, 0) * q
    lower = np.floor(position).astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(total - 1, 0))
    last = n - 1
    below = ascending[np.minimum(row_searchsorted(cumulative, lower), last)]
    above = ascending[np.minimum(row_searchsorted(cumulative, upper), last)]
    values: Floats = np.where(total > 0, below + (above - below) * (position - lower), np.nan)
    return values
