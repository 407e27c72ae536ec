"""The report: one page that stands alone, with its figures and the metrics beside it."""

from __future__ import annotations

import json
import logging
import math
from importlib import resources
from pathlib import Path
from typing import Any

from magicnn.evaluation.binning import PUBLISHED_ZENITH_BINS_DEG, Range
from magicnn.evaluation.metrics_table import METRICS
from magicnn.evaluation.published import PUBLISHED_CITATION
from magicnn.evaluation.samples import align
from magicnn.report import figures, tables
from magicnn.report.event_figures import event_figures
from magicnn.report.inputs import ExampleImages, RealEvents, ReportInputs
from magicnn.report.style import colour_property, method_colours, palette_css
from magicnn.runs import atomic_path

__all__ = ["ExampleImages", "RealEvents", "ReportInputs", "build_report"]

_LOG = logging.getLogger(__name__)


def build_report(inputs: ReportInputs, directory: Path | str) -> Path:
    """Write the report.

    Parameters
    ----------
    inputs : ReportInputs
        What it is made of.
    directory : path
        Folder for ``index.html``, ``metrics.ecsv``, ``metrics.json`` and ``figures/*.png``; made when missing, files
        in it are replaced.

    Returns
    -------
    Path
        The page. It asks for nothing outside of itself but for the two metrics files that it links to.

    Raises
    ------
    InputError
        The methods' predictions are not for the same events, or the folder cannot be written.
    """
    folder = Path(directory)
    inputs.metrics.save(folder)
    (folder / "figures").mkdir(exist_ok=True)
    page = _render(inputs, folder / "figures")
    with atomic_path(folder / "index.html") as partial:
        partial.write_text(page, encoding="utf-8")
    _LOG.info("report: %s", folder / "index.html")
    return folder / "index.html"


def _render(inputs: ReportInputs, folder: Path) -> str:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(_resource("report.html"))
    samples = align(inputs.predictions)
    evaluated = _zenith_bins(inputs)
    judged = _judged_ranges(inputs)
    bins = [z for z in evaluated if z in judged]
    light, dark = palette_css()
    zenith = [_range(inputs, samples, z, folder) for z in bins]
    published = [
        {"label": tables.range_label(z), "figures": figures.range_figures(inputs, samples, z, folder)}
        for z in PUBLISHED_ZENITH_BINS_DEG
        if z in judged and inputs.metrics.select(task="energy", zenith_deg=z)
    ]
    real = inputs.real
    return template.render(
        title=inputs.title,
        notes=list(inputs.notes),
        style=_resource("style.css"),
        light=light,
        dark=dark,
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
        cut_flow=tables.cut_flow_table(inputs),
        generated=tables.generated_table(inputs),
        real=real,
        real_table=tables.real_table(inputs),
        real_events=event_figures(real.examples, name="real", folder=folder) if real and real.examples else [],
        definitions=METRICS,
        evaluation=inputs.metrics.settings,
        settings=_pretty(inputs.settings),
        provenance=_pretty(inputs.provenance),
    )


def _range(inputs: ReportInputs, samples: Any, zenith_deg: Range, folder: Path) -> dict[str, Any]:
    """Everything of one zenith range."""
    threshold = inputs.metrics.row("trigger", "energy_threshold_gev", zenith_deg)
    return {
        "label": tables.range_label(zenith_deg),
        "id": f"za{zenith_deg[0]:02g}to{zenith_deg[1]:02g}",
        "threshold": tables.interval(threshold) if threshold and math.isfinite(threshold.value) else None,
        "valid": [
            (m, tables.interval(row, 100.0))
            for m in inputs.predictions
            if (row := inputs.metrics.row(m, "valid_fraction", zenith_deg)) is not None
        ],
        "verdicts": tables.verdict_sentences(inputs.metrics, zenith_deg),
        "figures": figures.range_figures(inputs, samples, zenith_deg, folder),
        "classification": tables.classification_table(inputs.metrics, zenith_deg, figures.gammaness_methods(inputs)),
        "energy": tables.energy_table(inputs.metrics, zenith_deg, figures.energy_methods(inputs)),
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


def _resource(name: str) -> str:
    return resources.files("magicnn.report").joinpath(f"templates/{name}").read_text("utf-8")


def _pretty(values: Any) -> str:
    return json.dumps(values, indent=2, default=str, ensure_ascii=False) if values else ""
