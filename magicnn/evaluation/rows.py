"""Rows that several parts of an evaluation make, and the resampling they share."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import Range
from magicnn.evaluation.comparison import Comparison
from magicnn.evaluation.intervals import ShowerBootstrap, effective_number, wilson_interval
from magicnn.evaluation.metrics_table import MetricRow
from magicnn.evaluation.samples import Sample
from magicnn.evaluation.settings import EvaluationSettings
from magicnn.runs import seed_sequence

__all__ = ["bootstrap_of", "comparison_rows", "efficiency_row"]


def bootstrap_of(sample: Sample, zenith: Range, bin_gev: Range, settings: EvaluationSettings) -> ShowerBootstrap:
    """Resampling that depends on the bin and the events alone, the same for every method."""
    place = [f"{edge:g}" for edge in (*zenith, *bin_gev)]
    seed = seed_sequence(settings.seed, "bootstrap", sample.role, *place)
    return ShowerBootstrap(sample.shower, settings.n_replicates, seed)


def efficiency_row(
    method: str,
    task: str,
    metric: str,
    zenith: Range,
    bin_gev: Range,
    passed: NDArray[np.bool_],
    shower: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> MetricRow:
    """Weighted efficiency with the Wilson interval of the effective number of independent events."""
    n = len(passed)
    value = float(np.average(passed, weights=weights)) if weights.any() else math.nan
    effective = effective_number(passed, weights=weights, shower_index=shower)
    low, high = wilson_interval(value * effective, effective)
    return MetricRow(method, task, metric, *zenith, *bin_gev, n, value, float(low), float(high))


def comparison_rows(
    a: str, b: str, task: str, metric: str, zenith: Range, bin_gev: Range, n: int, found: Comparison
) -> Iterator[MetricRow]:
    """Yield a comparison with its interval, and its standard deviation as a row of its own."""
    name = f"{a} vs {b}"
    yield MetricRow(name, task, metric, *zenith, *bin_gev, n, found.value, found.low, found.high)
    yield MetricRow(name, task, f"{metric}_sigma", *zenith, *bin_gev, n, found.sigma, math.nan, math.nan)
