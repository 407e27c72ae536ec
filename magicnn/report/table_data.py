"""The numbers of the page's tables as files beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from magicnn.evaluation.binning import Range
from magicnn.evaluation.metrics_table import MetricsTable, write_ecsv
from magicnn.report.inputs import RealEvents, ReportInputs
from magicnn.report.tables import TextTable
from magicnn.runs import atomic_path

__all__ = ["cut_flow_ecsv", "metrics_ecsv", "real_ecsv", "with_file"]

_CUT_FLOW = {
    "event_set": ("string", "", "event set"),
    "stage": ("string", "", "stage, in their order"),
    "n_events": ("int64", "", "events left after it"),
}
_REAL = {
    "method": ("string", "", "method"),
    "run_id": ("int64", "", "run"),
    "event_id": ("int64", "", "event"),
    "gammaness": ("float64", "", "1 for gammas; nan where the method cannot judge"),
    "reco_energy_gev": ("float64", "GeV", "estimated energy; nan where the method cannot judge"),
}

_MOST_REAL = 10_000


def with_file(table: TextTable, folder: Path, name: str, ecsv: str) -> TextTable:
    """Write the numbers of a table into a folder beside the page, and return the table with the link; not if empty."""
    if not table.rows:
        return table
    with atomic_path(folder / f"{name}.ecsv") as partial:
        partial.write_text(ecsv, encoding="utf-8")
    return replace(table, files=(f"{folder.name}/{name}.ecsv",))


def metrics_ecsv(metrics: MetricsTable, task: str, zenith_deg: Range) -> str:
    """Return all metrics of one task and zenith range as ECSV text."""
    return MetricsTable(tuple(metrics.select(task=task, zenith_deg=zenith_deg))).to_ecsv()


def cut_flow_ecsv(inputs: ReportInputs) -> str:
    """Return the events left after each stage as ECSV text."""
    rows = [
        {"event_set": name, "stage": stage, "n_events": n}
        for name, flow in inputs.cut_flow.items()
        for stage, n in flow.items()
    ]
    return write_ecsv(_CUT_FLOW, rows, meta={"table": "events left after each stage"})


def real_ecsv(real: RealEvents) -> str:
    """Return what every method says of real events, the first ten thousand of them, as ECSV text."""
    rows = [
        {"method": method, **{n: table[n][k].item() if n in table else None for n in _REAL if n != "method"}}
        for method, table in real.predictions.items()
        for k in range(min(len(table), _MOST_REAL))
    ]
    return write_ecsv(_REAL, rows, meta={"table": "real events"})
