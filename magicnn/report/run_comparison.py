"""Several runs side by side: one page with a figure and a table per task and zenith range."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicnn.errors import InputError
from magicnn.evaluation.binning import Range
from magicnn.evaluation.metrics_table import MetricsTable
from magicnn.report import plots, tables
from magicnn.report.drawing import Drawn, Panel, draw
from magicnn.report.html import write_page
from magicnn.report.table_data import metrics_ecsv, with_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["build_comparison"]

_MEASURES = (
    ("ROC AUC", "auc", 1.0),
    ("log loss", "log_loss", 1.0),
    ("Q at 70 % gamma efficiency", "q_g70", 1.0),
    ("hadron efficiency at 70 % gamma efficiency [%]", "hadron_efficiency_g70", 100.0),
    ("purity at 70 % gamma efficiency [%]", "purity_g70", 100.0),
)


def build_comparison(runs: Mapping[str, MetricsTable], directory: Path | str, *, title: str) -> Path:
    """Write a page that puts runs side by side.

    Parameters
    ----------
    runs : mapping of name to MetricsTable
        Two runs or more.
    directory : path
        Folder for ``index.html``, ``metrics.ecsv`` and ``metrics.json`` (methods named ``method, run``), ``figures``
        and ``tables``; made when missing, files in it are replaced.
    title : str
        Heading.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        Fewer than two runs, or the folder cannot be written.
    """
    if len(runs) < 2:
        raise InputError(f"a comparison needs two runs or more, not {len(runs)}")
    root = Path(directory)
    merged = _merged(runs)
    merged.save(root)
    for name in ("figures", "tables"):
        (root / name).mkdir(exist_ok=True)
    judged = [
        {(r.zenith_min_deg, r.zenith_max_deg) for r in m.rows if r.task in ("classification", "energy") and r.n_events}
        for m in runs.values()
    ]
    shared = sorted(set.intersection(*judged))
    write_page(
        root / "index.html",
        "comparison.html",
        title=title,
        ranges=[_range(merged, zenith, root) for zenith in shared],
        runs=_runs_table(runs),
        differences=_differences(runs),
    )
    return root / "index.html"


def _merged(runs: Mapping[str, MetricsTable]) -> MetricsTable:
    """One table of all runs, each method with the name of its run; the comparisons within runs are left out."""
    rows = [
        replace(row, method=f"{row.method}, {name}")
        for name, metrics in runs.items()
        for row in metrics.rows
        if " vs " not in row.method
    ]
    return MetricsTable(tuple(rows))


def _range(merged: MetricsTable, zenith_deg: Range, root: Path) -> dict[str, Any]:
    code, label = f"za{zenith_deg[0]:02g}to{zenith_deg[1]:02g}", tables.range_label(zenith_deg)
    energy, classes = (
        sorted({r.method for r in merged.select(metric=m, zenith_deg=zenith_deg) if r.n_events})
        for m in ("resolution_half68", "auc")
    )
    drawn: list[Drawn] = []
    shown: list[tables.TextTable] = []

    def add(name: str, caption: str, onto: Callable[[Axes], Any], table: tables.TextTable, task: str) -> None:
        drawn.append(draw(Panel(f"{name}_{code}", caption, onto), root / "figures"))
        shown.append(with_file(table, root / "tables", f"{task}_{code}", metrics_ecsv(merged, task, zenith_deg)))

    if classes:
        rows = [
            (title, *(tables.interval(merged.row(m, name, zenith_deg), scale) for m in classes))
            for title, name, scale in _MEASURES
        ]
        table = tables.TextTable(("", *classes), tuple(rows), f"Gamma/hadron separation at zenith {label}.")
        caption = f"ROC AUC in bins of estimated energy at zenith {label}, every run on its own events."
        add(
            "auc_energy",
            caption,
            lambda ax: plots.auc_in_energy(merged, zenith_deg, classes, ax=ax),
            table,
            "classification",
        )
    if energy:
        caption = f"Energy resolution (half 68 %) at zenith {label}, every run on its own events."
        add(
            "resolution",
            caption,
            lambda ax: plots.energy_metric(merged, "resolution_half68", zenith_deg, energy, ax=ax),
            _energy_table(merged, zenith_deg, energy),
            "energy",
        )
    return {"id": code, "label": label, "figures": drawn, "tables": shown}


def _energy_table(merged: MetricsTable, zenith_deg: Range, methods: list[str]) -> tables.TextTable:
    found = merged.select(metric="resolution_half68", zenith_deg=zenith_deg, is_binned=True)
    bins = sorted({(r.energy_min_gev, r.energy_max_gev) for r in found if r.n_events})
    rows = [
        (
            f"{bin_gev[0]:g}–{bin_gev[1]:g} GeV",
            *(tables.interval(merged.row(m, "resolution_half68", zenith_deg, bin_gev), 100.0) for m in methods),
        )
        for bin_gev in bins
    ]
    caption = f"Energy resolution (half 68 %) in percent at zenith {tables.range_label(zenith_deg)}."
    return tables.TextTable(("true energy", *methods), tuple(rows), caption)


def _runs_table(runs: Mapping[str, MetricsTable]) -> tables.TextTable:
    rows = tuple(
        (
            name,
            ", ".join(
                sorted({r.method for r in m.rows if r.task in ("classification", "energy") and " vs " not in r.method})
            ),
        )
        for name, m in runs.items()
    )
    return tables.TextTable(("run", "methods"), rows, "What is compared.")


def _differences(runs: Mapping[str, MetricsTable]) -> tables.TextTable:
    """Return the settings of the evaluation that are not the same in all runs."""
    names = sorted({name for m in runs.values() for name in m.settings})
    values = {n: [json.dumps(m.settings.get(n)) for m in runs.values()] for n in names}
    rows = tuple((n, *found) for n, found in values.items() if len(set(found)) > 1)
    caption = "Settings of the evaluation that differ: numbers of these runs may not mean the same."
    return tables.TextTable(("setting", *runs), rows, caption)
