"""Rows that several parts of an evaluation make, and the resampling they share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import ALL_ENERGIES, Range
from magicnn.evaluation.comparison import Comparison, compare
from magicnn.evaluation.intervals import bootstrap_interval, effective_number, wilson_interval
from magicnn.evaluation.metrics_table import MetricRow
from magicnn.evaluation.resampling import Resampled, ShowerBootstrap
from magicnn.evaluation.samples import Role, Sample
from magicnn.evaluation.settings import EvaluationSettings
from magicnn.runs import seed_sequence

__all__ = ["Cell", "Found", "Scope", "compared_rows", "comparison_rows", "efficiency_row", "metric_rows"]

Found = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Values [K] and replicates [B, K] of some metrics, as `magicnn.evaluation.resampling.resample` gives them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Where in the table a number belongs.

    Attributes
    ----------
    zenith, energy, other : (float, float)
        Zenith range, energy bin, and bin of another quantity; NaN for all.
    suffix : str
        Put behind the name of the metric, ``"_by_size"``.
    """

    zenith: Range
    energy: Range = ALL_ENERGIES
    other: Range = (math.nan, math.nan)
    suffix: str = ""

    def row(
        self, method: str, task: str, metric: str, n: int, value: float, low: float = math.nan, high: float = math.nan
    ) -> MetricRow:
        """Return a number of this cell as a row."""
        name = metric + self.suffix
        return MetricRow(method, task, name, *self.zenith, *self.energy, n, value, low, high, *self.other)


@dataclass(frozen=True)
class Scope:
    """The events of a zenith range and their resampled sets.

    Attributes
    ----------
    zenith : (float, float)
        The range, degrees.
    samples : mapping of role to Sample
        The events inside.
    draws : mapping of role to ShowerBootstrap
        Sets of their showers; the same for every method, bin and metric.
    settings : EvaluationSettings
        Bins, cuts, bootstrap, pairs.
    """

    zenith: Range
    samples: Mapping[Role, Sample]
    draws: Mapping[Role, ShowerBootstrap]
    settings: EvaluationSettings

    @classmethod
    def of(cls, samples: Mapping[Role, Sample], zenith: Range, settings: EvaluationSettings) -> Scope:
        """Take the events of a zenith range, and draw."""
        inside = {role: sample.in_zenith(zenith) for role, sample in samples.items()}
        place = [f"{edge:g}" for edge in zenith]
        draws = {
            role: ShowerBootstrap.draw(
                sample.shower, settings.n_replicates, seed_sequence(settings.seed, "bootstrap", role, *place)
            )
            for role, sample in inside.items()
        }
        return cls(zenith, inside, draws, settings)

    def sets(self, sample: Sample) -> Resampled:
        """Return the resampled sets of some of the events."""
        return self.draws[sample.role].sets(sample.shower)


def efficiency_row(
    cell: Cell,
    method: str,
    task: str,
    metric: str,
    passed: NDArray[np.bool_],
    shower: NDArray[np.int64],
    weights: NDArray[np.float64],
    *,
    scale: float = 1.0,
) -> MetricRow:
    """Weighted efficiency, times a scale, with the Wilson interval of the effective number of independent events."""
    value = float(np.average(passed, weights=weights)) if weights.any() else math.nan
    effective = effective_number(passed, weights=weights, shower_index=shower)
    low, high = wilson_interval(value * effective, effective)
    return cell.row(method, task, metric, len(passed), scale * value, scale * float(low), scale * float(high))


def metric_rows(cell: Cell, method: str, task: str, names: Iterable[str], n: int, found: Found) -> Iterator[MetricRow]:
    """Yield metrics with the intervals of their replicates."""
    low, high = bootstrap_interval(*found)
    for name, *numbers in zip(names, found[0].tolist(), low.tolist(), high.tolist(), strict=True):
        yield cell.row(method, task, name, n, *numbers)


def compared_rows(
    cell: Cell,
    scope: Scope,
    found: Mapping[str, Found],
    column: int,
    task: str,
    metric: str,
    n: int,
    *,
    how: Literal["difference", "ratio"],
) -> Iterator[MetricRow]:
    """Compare one metric of the pairs of methods that are asked for: the difference a - b, or the ratio b / a."""
    for a, b in scope.settings.comparisons:
        if a in found and b in found:
            first, second = (found[m] for m in ((a, b) if how == "difference" else (b, a)))
            values = float(first[0][column]), float(second[0][column])
            compared = compare(*values, first[1][:, column], second[1][:, column], how=how)
            yield from comparison_rows(cell, a, b, task, metric, n, compared)


def comparison_rows(
    cell: Cell, a: str, b: str, task: str, metric: str, n: int, found: Comparison
) -> Iterator[MetricRow]:
    """Yield a comparison with its interval, and its standard deviation as a row of its own."""
    name = f"{a} vs {b}"
    yield cell.row(name, task, metric, n, found.value, found.low, found.high)
    yield cell.row(name, task, f"{metric}_sigma", n, found.sigma)
