"""Splits of simulated events into parts that share no shower."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.errors import ConfigError
from magicnn.runs import seed_sequence

__all__ = ["split_by_shower"]

_PURPOSE = "split by shower"


def split_by_shower(shower_ids: ArrayLike, fractions: Sequence[float], *, seed: int) -> NDArray[np.int64]:
    """Assign every event to a part of the sample, all re-uses of a shower to the same one.

    The part is a hash of the shower's number and the seed alone: it depends neither on the order of the events nor on
    which other events there are, so a sample can grow without any shower changing sides.

    Parameters
    ----------
    shower_ids : int array_like, [N]
        Column ``shower_id``.
    fractions : sequence of float
        Expected share of each part, positive; the sum is 1.
    seed : int
        Another seed gives an independent split.

    Returns
    -------
    int64 array, [N]
        Number of the part, 0 to ``len(fractions) - 1``.

    Raises
    ------
    ConfigError
        A fraction is not positive or their sum is not 1.
    """
    shares = np.asarray(fractions, dtype=np.float64)
    if len(shares) == 0 or np.any(shares <= 0.0) or abs(shares.sum() - 1.0) > 1e-9:
        raise ConfigError(f"fractions of a split: expected positive numbers with sum 1, got {list(fractions)}")
    salt = seed_sequence(seed, _PURPOSE).generate_state(1, np.uint64)[0]
    uniform = _mixed(np.asarray(shower_ids, dtype=np.int64).astype(np.uint64) ^ salt) >> np.uint64(11)
    edges = np.cumsum(shares)[:-1]
    return np.searchsorted(edges, uniform.astype(np.float64) * 2.0**-53, side="right").astype(np.int64)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit words (the finaliser of SplitMix64: Steele, Lea & Flood 2014, OOPSLA, fig. 16)."""
    with np.errstate(over="ignore"):
        mixed = words + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
