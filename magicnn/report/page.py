"""The report: one page that stands alone, with its figures and the metrics beside it."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

from magicnn.evaluation.binning import PUBLISHED_ZENITH_BINS_DEG, Range
from magicnn.evaluation.metrics_table import METRICS
from magicnn.evaluation.published import PUBLISHED_CITATION
from magicnn.evaluation.samples import align
from magicnn.report import figures, tables
from magicnn.report.event_figures import event_figures
from magicnn.report.html import write_page
from magicnn.report.inputs import ExampleImages, RealEvents, ReportInputs
from magicnn.report.real_section import real_values
from magicnn.report.response_section import response_ranges
from magicnn.report.style import colour_property, method_colours
from magicnn.report.table_data import cut_flow_ecsv, metrics_ecsv, with_file

__all__ = ["ExampleImages", "RealEvents", "ReportInputs", "build_report"]

_LOG = logging.getLogger(__name__)


def build_report(inputs: ReportInputs, directory: Path | str) -> Path:
    """Write the report.

    Parameters
    ----------
    inputs : ReportInputs
        What it is made of.
    directory : path
        Folder for ``index.html``, ``metrics.ecsv``, ``metrics.json``, ``figures`` (each as PNG, PDF and ECSV) and
        ``tables``; made when missing, files in it are replaced.

    Returns
    -------
    Path
        The page. It asks for nothing outside of itself; the files beside it are links to download.

    Raises
    ------
    InputError
        The methods' predictions are not for the same events, or the folder cannot be written.
    """
    folder = Path(directory)
    inputs.metrics.save(folder)
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "tables").mkdir(exist_ok=True)
    _write(inputs, folder)
    _LOG.info("report: %s", folder / "index.html")
    return folder / "index.html"


def _write(inputs: ReportInputs, root: Path) -> None:
    folder, beside = root / "figures", root / "tables"
    samples = align(inputs.predictions)
    evaluated = _zenith_bins(inputs)
    judged = _judged_ranges(inputs)
    bins = [z for z in evaluated if z in judged]
    zenith = [_range(inputs, samples, z, root) for z in bins]
    published = [
        {"label": tables.range_label(z), "figures": figures.range_figures(inputs, samples, z, folder)}
        for z in PUBLISHED_ZENITH_BINS_DEG
        if z in judged and inputs.metrics.select(task="energy", zenith_deg=z)
    ]
    write_page(
        root / "index.html",
        "report.html",
        title=inputs.title,
        notes=list(inputs.notes),
        methods=[(m, colour_property(colour)) for m, colour in method_colours(inputs.predictions).items()],
        ranges=zenith,
        unjudged=[tables.range_label(z) for z in evaluated if z not in judged],
        published=published,
        citation=PUBLISHED_CITATION,
        auc=figures.auc_figure(inputs, bins, folder) if bins and figures.gammaness_methods(inputs) else None,
        examples=[
            (e.title, event_figures(e, name=f"example_{k}", folder=folder)) for k, e in enumerate(inputs.examples)
        ],
        training=figures.training_figures(inputs, folder),
        pictures=figures.picture_figures(inputs, folder),
        cut_flow=with_file(tables.cut_flow_table(inputs), beside, "cut_flow", cut_flow_ecsv(inputs)),
        generated=tables.generated_table(inputs),
        responses=response_ranges(inputs.responses, inputs.metrics, root),
        **real_values(inputs.real, samples["proton"], root),
        definitions=METRICS,
        evaluation=inputs.metrics.settings,
        settings=_pretty(inputs.settings),
        provenance=_pretty(inputs.provenance),
    )


def _range(inputs: ReportInputs, samples: Any, zenith_deg: Range, root: Path) -> dict[str, Any]:
    """Everything of one zenith range."""
    folder, code = root / "figures", f"za{zenith_deg[0]:02g}to{zenith_deg[1]:02g}"
    threshold = inputs.metrics.row("trigger", "energy_threshold_gev", zenith_deg)
    return {
        "label": tables.range_label(zenith_deg),
        "id": code,
        "threshold": tables.interval(threshold) if threshold and math.isfinite(threshold.value) else None,
        "valid": [
            (m, tables.interval(row, 100.0))
            for m in inputs.predictions
            if (row := inputs.metrics.row(m, "valid_fraction", zenith_deg)) is not None
        ],
        "verdicts": tables.verdict_sentences(inputs.metrics, zenith_deg),
        "figures": figures.range_figures(inputs, samples, zenith_deg, folder),
        "truth": figures.truth_figures(inputs, zenith_deg, folder),
        "classification": with_file(
            tables.classification_table(inputs.metrics, zenith_deg, figures.gammaness_methods(inputs)),
            root / "tables",
            f"classification_{code}",
            metrics_ecsv(inputs.metrics, "classification", zenith_deg),
        ),
        "energy": with_file(
            tables.energy_table(inputs.metrics, zenith_deg, figures.energy_methods(inputs)),
            root / "tables",
            f"energy_{code}",
            metrics_ecsv(inputs.metrics, "energy", zenith_deg),
        ),
    }


def _zenith_bins(inputs: ReportInputs) -> list[Range]:
    """Zenith ranges of the evaluation but for those that only serve the published points."""
    found = dict.fromkeys((r.zenith_min_deg, r.zenith_max_deg) for r in inputs.metrics.rows)
    return sorted(z for z in found if z not in PUBLISHED_ZENITH_BINS_DEG)


def _judged_ranges(inputs: ReportInputs) -> set[Range]:
    """Zenith ranges with at least one event that every method judged."""
    return {
        (r.zenith_min_deg, r.zenith_max_deg)
        for r in inputs.metrics.rows
        if r.task in ("energy", "classification") and r.n_events > 0
    }


def _pretty(values: Any) -> str:
    return json.dumps(values, indent=2, default=str, ensure_ascii=False) if values else ""
