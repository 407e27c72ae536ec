"""Rows that several parts of an evaluation make, and the resampling they share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import ALL_ENERGIES, Range
from magicnn.evaluation.comparison import Comparison
from magicnn.evaluation.intervals import effective_number, wilson_interval
from magicnn.evaluation.metrics_table import MetricRow
from magicnn.evaluation.resampling import Resampled, ShowerBootstrap
from magicnn.evaluation.samples import Role, Sample
from magicnn.evaluation.settings import EvaluationSettings
from magicnn.runs import seed_sequence

__all__ = ["Cell", "Scope", "comparison_rows", "efficiency_row"]


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


def comparison_rows(
    cell: Cell, a: str, b: str, task: str, metric: str, n: int, found: Comparison
) -> Iterator[MetricRow]:
    """Yield a comparison with its interval, and its standard deviation as a row of its own."""
    name = f"{a} vs {b}"
    yield cell.row(name, task, metric, n, found.value, found.low, found.high)
    yield cell.row(name, task, f"{metric}_sigma", n, found.sigma)
