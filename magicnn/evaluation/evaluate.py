"""From predictions of all methods for the same events to the table of metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from magicnn.errors import InputError
from magicnn.evaluation.classification_rows import classification_rows, energy_reference
from magicnn.evaluation.direction_rows import direction_rows
from magicnn.evaluation.energy_rows import energy_rows, threshold_row
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable
from magicnn.evaluation.rows import Cell, Scope, efficiency_row
from magicnn.evaluation.samples import align, role_of
from magicnn.evaluation.settings import EvaluationSettings
from magicnn.predictions import PredictionTable

__all__ = ["EvaluationSettings", "evaluate"]

_LOG = logging.getLogger(__name__)


def evaluate(
    predictions: Mapping[str, Sequence[PredictionTable]], settings: EvaluationSettings | None = None
) -> MetricsTable:
    """Judge methods on the same events.

    Parameters
    ----------
    predictions : mapping of method to sequence of PredictionTable
        One table per event set that no method was trained on: point-like gammas (a ring of one angle to the pointing),
        diffuse gammas, protons, of any number of productions. A method that lacks gammaness or energies takes part
        in the other task only. ``generated["n_thrown"]`` is the number thrown for the events of the table.
    settings : EvaluationSettings, optional
        Bins, cuts, bootstrap.

    Returns
    -------
    MetricsTable
        Rows for every method, zenith range and energy bin, empty ones included.

    Raises
    ------
    InputError
        There are tables, but none of simulated gammas or protons; see also `magicnn.evaluation.samples.align`.
    """
    settings = settings or EvaluationSettings()
    tables = [table for many in predictions.values() for table in many]
    if tables and not any(role_of(table) for table in tables):
        raise InputError(
            f"none of the {len(tables)} prediction tables is of simulated gammas or protons, so that nothing can be "
            "judged; give predictions for simulated test events"
        )
    samples = align(predictions)
    methods = sorted(predictions)
    rows: list[MetricRow] = []
    reference = energy_reference(samples, methods, settings)
    for zenith in settings.zenith_bins_deg:
        scope = Scope.of(samples, zenith, settings)
        rows += _selection_rows(scope)
        threshold = threshold_row(scope)
        rows.append(threshold)
        rows += energy_rows(samples["ring_gamma"], scope, methods, threshold.value)
        rows += direction_rows(samples["ring_gamma"], scope, methods, reference)
        rows += classification_rows(samples, scope, methods, reference)
        _LOG.info(
            "zenith %g to %g deg: %s",
            *zenith,
            ", ".join(f"{len(s)} {role.replace('_', ' ')}s" for role, s in scope.samples.items()),
        )
    return MetricsTable(tuple(rows), settings.model_dump(mode="json"))


def _selection_rows(scope: Scope) -> Iterator[MetricRow]:
    """Share of the triggered events that a method's own cuts keep, over all roles it has."""
    inside = scope.samples.values()
    for method in sorted({m for s in inside for m in s.is_valid}):
        kept, shower, weights, n_showers = [], [], [], 0
        for sample in inside:
            if method not in sample.is_valid:
                continue
            said = [
                np.isfinite(values)
                for name, values in sample.predictions[method].items()
                if name in ("gammaness", "reco_energy_gev") and name in sample.estimates[method]
            ]
            kept.append(np.logical_and.reduce([sample.is_valid[method], *said]))
            shower.append(sample.shower + n_showers)
            weights.append(sample.weight)
            n_showers += int(sample.shower.max(initial=-1)) + 1
        events = (np.concatenate(values) for values in (kept, shower, weights))
        yield efficiency_row(Cell(scope.zenith), method, "selection", "valid_fraction", *events)
