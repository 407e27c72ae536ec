"""Two methods on the same events: differences and ratios with the paired bootstrap over showers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from magicnn.evaluation.intervals import bootstrap_interval

__all__ = ["Comparison", "compare", "geometric_mean"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one method does against another.

    Attributes
    ----------
    value : float
        Difference or ratio.
    low, high : float
        Its 68.27 % interval.
    sigma : float
        Standard deviation of the replicates.
    parity : float
        Value for equal methods: 0 for a difference, 1 for a ratio.
    """

    value: float
    low: float
    high: float
    sigma: float
    parity: float

    @property
    def significance(self) -> float:
        """Distance above parity in standard deviations; NaN when the deviation is not known."""
        return (self.value - self.parity) / self.sigma if self.sigma > 0.0 else float("nan")

    @property
    def is_not_worse(self) -> bool:
        """Whether the value is at most one standard deviation below parity."""
        return bool(self.value >= self.parity - self.sigma)


def compare(
    first: float,
    second: float,
    first_replicates: ArrayLike,
    second_replicates: ArrayLike,
    *,
    how: Literal["difference", "ratio"],
) -> Comparison:
    """Compare two values that were resampled together.

    Parameters
    ----------
    first, second : float
        Values of the two methods.
    first_replicates, second_replicates : array_like, [B]
        Values on the same resampled sets, row by row.
    how : {"difference", "ratio"}
        first - second, or first / second.

    Returns
    -------
    Comparison
        NaN where a value is NaN.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (first_replicates, second_replicates))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = first - second if how == "difference" else float(np.float64(first) / np.float64(second))
        replicates = a - b if how == "difference" else a / b
    return _comparison(value, replicates, 0.0 if how == "difference" else 1.0)


def geometric_mean(ratios: ArrayLike, replicates: ArrayLike) -> Comparison:
    """Mean of several ratios, each bin counting the same.

    Parameters
    ----------
    ratios : array_like, [K]
        A ratio for each bin.
    replicates : array_like, [B, K]
        Their replicates.

    Returns
    -------
    Comparison
        NaN without bins.
    """
    values, sets = np.asarray(ratios, dtype=np.float64), np.asarray(replicates, dtype=np.float64)
    if not len(values):
        return Comparison(*(float("nan"),) * 4, parity=1.0)
    return _comparison(float(np.exp(np.log(values).mean())), np.exp(np.log(sets).mean(axis=1)), 1.0)


def _comparison(value: float, replicates: np.ndarray, parity: float) -> Comparison:
    finite = replicates[np.isfinite(replicates)]
    low, high = bootstrap_interval(value, replicates)
    sigma = float(finite.std(ddof=1)) if len(finite) > 1 else float("nan")
    return Comparison(float(value), float(low), float(high), sigma, parity)
