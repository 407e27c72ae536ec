"""Resampling of whole showers: drawn once, asked for sums, histograms and quantiles without writing events out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

__all__ = ["Ranked", "Resampled", "ShowerBootstrap", "resample", "row_searchsorted"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Statistic = Callable[..., Floats]

_COLUMNS = 64  # sets that are counted together
_BLOCK = 32  # neighbours in value that share an entry of the table of ranks


@dataclass(frozen=True)
class Resampled:
    """Resampled sets of some events, told by how often each shower is in each set.

    Attributes
    ----------
    shower : int64 array, [N]
        Row of ``counts`` of the shower that each event comes from.
    counts : unsigned array, [S, b]
        How often each shower is in each set.
    """

    shower: Ints
    counts: NDArray[np.uint8]

    @classmethod
    def whole(cls, n_events: int) -> Resampled:
        """Return one set that holds every event once."""
        return cls(np.zeros(n_events, dtype=np.int64), np.ones((1, 1), dtype=np.uint8))

    @property
    def n_sets(self) -> int:
        """Number of sets, b."""
        return int(self.counts.shape[1])

    def sums(self, *values: ArrayLike) -> list[Floats]:
        """Return the sum over every set of each quantity [N], as [b]."""
        of_showers = [
            np.bincount(self.shower, weights=np.broadcast_to(v, self.shower.shape), minlength=len(self.counts))
            for v in values
        ]
        return list(self._times(np.stack(of_showers)).T)

    def histogram(self, place: Ints, n_places: int, weights: ArrayLike | None = None) -> Floats:
        """Count the events of every set by place.

        Parameters
        ----------
        place : int array, [N]
            0 to ``n_places - 1``.
        n_places : int
        weights : array_like, [N], optional
            Summed instead of counting events.

        Returns
        -------
        float64 array, [b, n_places]
        """
        content = np.ones(len(place)) if weights is None else np.broadcast_to(weights, place.shape)
        table = sparse.csr_array((content, (place, self.shower)), shape=(n_places, len(self.counts)))
        return self._times(table)

    def block_sums(self, size: int, weights: ArrayLike | None = None) -> Floats:
        """Sum weights (the number of events without) over blocks of so many events one after the other, [b, blocks]."""
        n = len(self.shower)
        content = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
        limits = np.append(np.arange(0, n, size), n)
        return self._times(sparse.csr_array((content, self.shower, limits), shape=(len(limits) - 1, len(self.counts))))

    def multiplicity(self, events: Ints) -> NDArray[np.uint8]:
        """Return how often chosen events, [b, ...], are in the set of their row."""
        row = np.arange(self.n_sets).reshape(-1, *(1,) * (events.ndim - 1))
        return self.counts[self.shower[events], row]

    def _times(self, table: Floats | sparse.csr_array) -> Floats:
        """Multiply a table [n, S] with the counts, [b, n]; some sets at a time, which keeps the memory small."""
        product = np.empty((self.n_sets, table.shape[0]))
        for start in range(0, self.n_sets, _COLUMNS):
            part = slice(start, start + _COLUMNS)
            product[part] = (table @ self.counts[:, part].astype(np.float64)).T
        return product


@dataclass(frozen=True)
class ShowerBootstrap:
    """Sets of showers drawn with replacement, the same for all methods, bins and quantities.

    Attributes
    ----------
    showers : int64 array, [S]
        Distinct numbers of the showers, ascending.
    counts : uint8 array, [S, B]
        How often each is in each set.
    """

    showers: Ints
    counts: NDArray[np.uint8]

    @classmethod
    def draw(cls, shower: ArrayLike, n_replicates: int, seed: np.random.SeedSequence) -> ShowerBootstrap:
        """Draw as many showers as there are, for every set.

        Parameters
        ----------
        shower : int array_like, [N]
            Number of the shower that each event comes from.
        n_replicates : int
            Number of sets, B.
        seed : numpy.random.SeedSequence
            The same seed and showers give the same sets.
        """
        showers = np.unique(np.asarray(shower, dtype=np.int64))
        n = len(showers)
        rng = np.random.default_rng(seed)
        counts = np.zeros((n_replicates, n), dtype=np.uint8)
        if n:
            for row in counts:
                row[:] = np.minimum(np.bincount(rng.integers(n, size=n), minlength=n), 255)
        return cls(showers, np.ascontiguousarray(counts.T))

    def sets(self, shower: ArrayLike) -> Resampled:
        """Return the sets of some events, by the numbers [N] of their showers, each one of those drawn."""
        present, position = np.unique(np.asarray(shower, dtype=np.int64), return_inverse=True)
        return Resampled(position.astype(np.int64), self.counts[np.searchsorted(self.showers, present)])


def resample(statistic: Statistic, *samples: Resampled) -> tuple[Floats, Floats]:
    """Compute a statistic of samples and of their resampled sets.

    Parameters
    ----------
    statistic : callable
        Takes one `Resampled` per sample, gives float [b, K].
    *samples : Resampled
        With the same number of sets.

    Returns
    -------
    value : float64 array, [K]
        With every event taken once.
    replicates : float64 array, [B, K]
        For the resampled sets.
    """
    return statistic(*(Resampled.whole(len(s.shower)) for s in samples))[0], statistic(*samples)


class Ranked:
    """Resampled events in the order of a quantity, for its quantiles and cumulative numbers, exactly.

    The events are counted in blocks of neighbours; only the block that a quantile lies in is looked at event by event.
    An event of weight w counts as w events.

    Parameters
    ----------
    sets : Resampled
        The events, [N], in b sets.
    values : float64 array, [N]
        The quantity, finite.
    weights : float64 array, [N], optional
        1 when not given.
    """

    def __init__(self, sets: Resampled, values: Floats, weights: Floats | None = None) -> None:
        order = np.argsort(values, kind="stable")
        self._values = values[order]
        self._weights = None if weights is None or np.all(weights == 1.0) else weights[order]
        self._sets = Resampled(sets.shower[order], sets.counts)
        self._before = self._sums_before(self._weights)

    @property
    def total(self) -> Floats:
        """Sum of the weights of every set, [b]."""
        total: Floats = self._before[:, -1]
        return total

    def quantiles(self, shares: ArrayLike) -> Floats:
        """Return quantiles of every set, [b, K].

        Linear interpolation between order statistics as in `numpy.quantile` of the values written out as often as
        they occur; NaN for an empty set.
        """
        if not len(self._values):
            return np.full((self._sets.n_sets, np.size(shares)), np.nan)
        last = np.maximum(self.total - 1.0, 0.0)[:, None]
        position = last * np.asarray(shares, dtype=np.float64)
        lower = np.floor(position)
        below, above = self._at(lower), self._at(np.minimum(lower + 1.0, last))
        return np.where(self.total[:, None] > 0.0, below + (above - below) * (position - lower), np.nan)

    def below(self, limits: Floats) -> Floats:
        """Return the weight of the values that are smaller than limits, both [b, K]."""
        return self.sums_below(limits)[0]

    def sums_below(self, limits: Floats, *functions: Callable[[Floats], Floats]) -> list[Floats]:
        """Return the weight of the values that are smaller than limits, and sums of functions of them, all [b, K]."""
        if not len(self._values):
            return [np.zeros(limits.shape) for _ in (None, *functions)]
        rank = np.searchsorted(self._values, np.where(np.isnan(limits), -np.inf, limits))
        block = rank // _BLOCK
        inside = np.where(np.arange(_BLOCK) < (rank % _BLOCK)[..., None], self._within(block), 0.0)
        sums = [np.take_along_axis(self._before, block, axis=1) + inside.sum(axis=-1)]
        for values in (function(self._values) for function in functions):
            before = self._sums_before(values if self._weights is None else values * self._weights)
            inner = np.sum(inside * values[self._events(block)], axis=-1)
            sums.append(np.take_along_axis(before, block, axis=1) + inner)
        return sums

    def _at(self, number: Floats) -> Floats:
        """Value that follows the first ``number`` ones, [b, K]."""
        block = np.minimum(row_searchsorted(self._before[:, 1:], number), self._before.shape[1] - 2)
        left = number - np.take_along_axis(self._before, block, axis=1)
        passed = np.sum(np.cumsum(self._within(block), axis=-1) <= left[..., None], axis=-1)
        at: Floats = self._values[np.minimum(block * _BLOCK + passed, len(self._values) - 1)]
        return at

    def _sums_before(self, weights: Floats | None) -> Floats:
        """Sum of weights [N] of the events before each block, [b, blocks + 1]."""
        blocks = self._sets.block_sums(_BLOCK, weights)
        before = np.zeros((len(blocks), blocks.shape[1] + 1))
        np.cumsum(blocks, axis=1, out=before[:, 1:])
        return before

    def _events(self, block: Ints) -> Ints:
        """Places of the events of blocks [b, K], [b, K, events of a block]; the last one's behind it."""
        events: Ints = np.minimum(block[..., None] * _BLOCK + np.arange(_BLOCK), len(self._values) - 1)
        return events

    def _within(self, block: Ints) -> Floats:
        """Weights of the events of blocks [b, K], [b, K, events of a block]; 0 behind the last."""
        known = self._events(block)
        weight = self._sets.multiplicity(known).astype(np.float64)
        if self._weights is not None:
            weight *= self._weights[known]
        return np.where(block[..., None] * _BLOCK + np.arange(_BLOCK) < len(self._values), weight, 0.0)


def row_searchsorted(ascending: NDArray[np.number], wanted: NDArray[np.number]) -> Ints:
    """For every row count the entries that are not larger than the wanted ones.

    Parameters
    ----------
    ascending : array, [b, N]
        Not negative, ascending along each row.
    wanted : array, [b, K]
        Not negative.

    Returns
    -------
    int64 array, [b, K]
    """
    found = [np.searchsorted(row, limits, side="right") for row, limits in zip(ascending, wanted, strict=True)]
    counts: Ints = np.stack(found).astype(np.int64) if found else np.zeros(wanted.shape, dtype=np.int64)
    return counts
