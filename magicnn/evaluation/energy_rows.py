"""Rows of the energy task: threshold, bias and resolution, migration, and who is better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from magicnn.evaluation.axes import axes
from magicnn.evaluation.binning import ALL_ENERGIES, Range, in_range, ranges
from magicnn.evaluation.comparison import geometric_mean
from magicnn.evaluation.energy import ENERGY_METRICS, energy_errors, energy_statistic, threshold_statistic
from magicnn.evaluation.intervals import bootstrap_interval
from magicnn.evaluation.metrics_table import MetricRow
from magicnn.evaluation.rates import sample_rates_hz
from magicnn.evaluation.resampling import resample
from magicnn.evaluation.rows import (
    Cell,
    Found,
    Scope,
    compared_rows,
    comparison_rows,
    efficiency_row,
    metric_rows,
)
from magicnn.evaluation.samples import Sample
from magicnn.evaluation.spectra import power_law

__all__ = ["energy_rows", "threshold_row"]

_HALF68 = ENERGY_METRICS.index("resolution_half68")
_RATIO = "resolution_half68_ratio"


def threshold_row(scope: Scope) -> MetricRow:
    """Energy threshold of a zenith range: the peak of the true energies of all triggered point-like gammas."""
    ring = scope.samples["ring_gamma"]
    value = low = high = math.nan
    if len(ring) and ring.generated and np.isfinite(ring.columns["true_energy_gev"]).all():
        weights = sample_rates_hz(ring, scope.zenith, power_law(scope.settings.threshold_index))
        statistic = threshold_statistic(ring.columns["true_energy_gev"], np.nan_to_num(weights))
        values, replicates = resample(statistic, scope.sets(ring))
        value, (low, high) = float(values[0]), (float(v[0]) for v in bootstrap_interval(values, replicates))
    return Cell(scope.zenith).row("trigger", "trigger", "energy_threshold_gev", len(ring), value, low, high)


def energy_rows(everything: Sample, scope: Scope, methods: Sequence[str], threshold_gev: float) -> Iterator[MetricRow]:
    """Bias and resolution of every method in bins of several quantities, migration, ratios of compared methods.

    Parameters
    ----------
    everything : Sample
        Point-like gammas of all zenith ranges, which tell who estimates energies.
    scope : Scope
        The zenith range.
    methods : sequence of str
        All methods.
    threshold_gev : float
        Energy bins from here on enter the mean ratio.

    Yields
    ------
    MetricRow
    """
    able = [m for m in methods if everything.has(m, "reco_energy_gev")]
    ring = scope.samples["ring_gamma"]
    judged = ring.select(ring.judged(able, "reco_energy_gev"))
    for axis in axes("true_energy", scope.settings, [everything], able):
        per_bin: list[tuple[Range, int, dict[str, Found]]] = []
        for limits, cell in axis.cells(scope.zenith):
            found, n = {}, 0
            for method in able:
                events = judged.select(axis.inside(judged, limits, method))
                found[method], n = _errors(events, method, scope), len(events)
                yield from metric_rows(cell, method, "energy", ENERGY_METRICS, n, found[method])
            if axis.is_standard:
                yield from compared_rows(cell, scope, found, _HALF68, "energy", _RATIO, n, how="ratio")
                per_bin.append((limits, n, found))
        if axis.is_standard:
            yield from _mean_ratio_rows(scope, able, per_bin, threshold_gev)
    for method in able:
        yield from _migration_rows(scope, judged, method)


def _errors(events: Sample, method: str, scope: Scope) -> Found:
    errors = energy_errors(events.predictions[method]["reco_energy_gev"], events.columns["true_energy_gev"])
    return resample(energy_statistic(errors, events.weight), scope.sets(events))


def _mean_ratio_rows(
    scope: Scope, able: Sequence[str], per_bin: Sequence[tuple[Range, int, dict[str, Found]]], threshold_gev: float
) -> Iterator[MetricRow]:
    """Mean ratios of the resolutions of compared methods over the bins that count."""
    used = [b for b in per_bin if b[0][0] >= threshold_gev and b[1] >= scope.settings.comparison_min_events]
    span = (used[0][0][0], used[-1][0][1]) if used else ALL_ENERGIES
    for a, b in scope.settings.comparisons:
        if a in able and b in able:
            ratios = [found[b][0][_HALF68] / found[a][0][_HALF68] for _, _, found in used]
            sets = [found[b][1][:, _HALF68] / found[a][1][:, _HALF68] for _, _, found in used]
            mean = geometric_mean(ratios, np.stack(sets, axis=1) if sets else np.empty((0, 0)))
            n_used = sum(n for _, n, _ in used)
            yield from comparison_rows(Cell(scope.zenith, span), a, b, "energy", f"{_RATIO}_mean", n_used, mean)


def _migration_rows(scope: Scope, judged: Sample, method: str) -> Iterator[MetricRow]:
    """Shares of the events of a bin of true energy in bins of estimated energy."""
    bins = ranges(scope.settings.energy_edges_gev)
    for true_gev in bins:
        events = judged.select(in_range(judged.columns["true_energy_gev"], true_gev))
        estimate = events.predictions[method]["reco_energy_gev"]
        for reco_gev in bins:
            passed = in_range(estimate, reco_gev)
            cell = Cell(scope.zenith, true_gev, reco_gev)
            yield efficiency_row(cell, method, "energy", "migration", passed, events.shower, events.weight)
