"""Rows of the direction task: angular resolution for all energies and in bins, and who is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.axes import axes
from magicnn.evaluation.direction import CONTAINMENT, direction_statistic, theta2_deg2
from magicnn.evaluation.metrics_table import MetricRow
from magicnn.evaluation.resampling import resample
from magicnn.evaluation.rows import Cell, Scope, compared_rows, metric_rows
from magicnn.evaluation.samples import Sample

__all__ = ["direction_rows"]

Floats = NDArray[np.float64]


def direction_rows(
    everything: Sample, scope: Scope, methods: Sequence[str], reference: str | None
) -> Iterator[MetricRow]:
    """Angular resolution of every method that reconstructs directions, and ratios of compared methods.

    Parameters
    ----------
    everything : Sample
        Point-like gammas of all zenith ranges, which tell who reconstructs directions.
    scope : Scope
        The zenith range.
    methods : sequence of str
        All methods.
    reference : str or None
        Method whose estimated energies bin the events.

    Yields
    ------
    MetricRow
    """
    able = [m for m in methods if m in everything.predictions and np.isfinite(theta2_deg2(everything, m)).any()]
    if not able:
        return
    ring = scope.samples["ring_gamma"]
    theta2 = {m: theta2_deg2(ring, m) for m in able}
    is_judged = np.logical_and.reduce([ring.judged([], ""), *(np.isfinite(t) for t in theta2.values())])
    events = ring.select(is_judged)
    theta2 = {m: t[is_judged] for m, t in theta2.items()}
    yield from _cell_rows(Cell(scope.zenith), scope, events, theta2)
    for axis in axes("true_energy", scope.settings, [everything], [reference]):
        for limits, cell in axis.cells(scope.zenith):
            inside = axis.inside(events, limits, reference)
            yield from _cell_rows(cell, scope, events.select(inside), {m: t[inside] for m, t in theta2.items()})


def _cell_rows(cell: Cell, scope: Scope, events: Sample, theta2: Mapping[str, Floats]) -> Iterator[MetricRow]:
    sets, n = scope.sets(events), len(events)
    found = {m: resample(direction_statistic(t, events.weight), sets) for m, t in theta2.items()}
    for method, numbers in found.items():
        yield from metric_rows(cell, method, "direction", CONTAINMENT, n, numbers)
    if not cell.suffix:
        column = list(CONTAINMENT).index("angular_resolution_68")
        yield from compared_rows(cell, scope, found, column, "direction", "angular_resolution_68_ratio", n, how="ratio")
