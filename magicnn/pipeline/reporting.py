"""The report of a comparison: collects what the page shows from the run directory."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import MissingDependencyError
from magicnn.evaluation.metrics_table import MetricsTable
from magicnn.evaluation.response import InstrumentResponse
from magicnn.evaluation.response.many import responses_of
from magicnn.evaluation.signal import find_signals
from magicnn.events import EventBatch
from magicnn.images.cleaning import clean
from magicnn.images.features import FeatureTable
from magicnn.images.quality import passes_quality
from magicnn.io.eventset.reader import EventSet
from magicnn.pipeline.layout import RunLayout, is_test
from magicnn.pipeline.settings import ComparisonSettings
from magicnn.pipeline.stages import stage_counts
from magicnn.pipeline.work import methods_of
from magicnn.predictions import PredictionTable, load_predictions
from magicnn.readout import Readout, readout_difference
from magicnn.report.event_figures import event_caption
from magicnn.report.inputs import ExampleImages, RealEvents, ReportInputs
from magicnn.report.page import build_report
from magicnn.runs import provenance

__all__ = ["write_report"]

_LOG = logging.getLogger(__name__)

_EXAMPLES = 2
_LOOKUP = "Energy lookup tables: mean content and its spread per telescope and zenith range."


def write_report(
    settings: ComparisonSettings, layout: RunLayout, names: Sequence[str], real: str | None, stages: Sequence[str]
) -> Mapping[str, Any]:
    """Write the page of a finished comparison.

    Parameters
    ----------
    settings : ComparisonSettings
        What was done.
    layout : RunLayout
        Where it lies.
    names : sequence of str
        Simulated event sets.
    real : str or None
        Event set of the real files.
    stages : sequence of str
        Names of the stages done so far, for times and counts.

    Returns
    -------
    mapping
        Counts, for the record of the stage.
    """
    counts = stage_counts(layout.root, stages)
    predictions = {m: [load_predictions(layout.predictions(m, n)) for n in names] for m in methods_of(settings)}
    inputs = ReportInputs(
        title=settings.title,
        metrics=MetricsTable.load(layout.report / "metrics.json"),
        predictions=predictions,
        histories={
            title: _history(layout.models / f"{task}.history.csv")
            for task, title in (("classifier", "gamma/hadron network"), ("energy", "energy network"))
        },
        cut_flow={name: _cut_flow(counts, name) for name in names},
        examples=_examples(settings, layout, names),
        pictures={_LOOKUP: picture} if (picture := layout.models / "lookup.png").is_file() else {},
        real=_real_events(settings, layout, real, predictions) if real else None,
        responses=_responses(settings, predictions),
        settings=settings.model_dump(mode="json"),
        provenance=provenance(seed=settings.seed) | {"seconds": {n: round(c["seconds"], 1) for n, c in counts.items()}},
        notes=_notes(settings, layout, names, real),
    )
    # those of an earlier report that this one does not show must not stay
    for folder in ("figures", "tables", "response"):
        for file in (layout.report / folder).glob("*.*"):
            file.unlink()
    build_report(inputs, layout.report)
    return {"figures": len(list((layout.report / "figures").glob("*.png")))}


def _responses(
    settings: ComparisonSettings, predictions: Mapping[str, Sequence[PredictionTable]]
) -> Sequence[InstrumentResponse]:
    try:
        return responses_of(predictions, settings.evaluation.zenith_bins_deg, settings.response)
    except MissingDependencyError as error:
        _LOG.warning("the report shows no instrument response: %s", error)
        return ()


def _notes(settings: ComparisonSettings, layout: RunLayout, names: Sequence[str], real: str | None) -> tuple[str, ...]:
    shared = settings.classifier.inputs.auxiliary
    more = [n for n in settings.energy.inputs.auxiliary if n not in shared]
    notes = [
        "Everything simulated here comes from the package's own shower and detector simulation, not from MAGIC's Monte "
        "Carlo; published points are drawn for orientation.",
        "All methods are trained on the same showers and judged on other ones, on events that pass the same quality "
        f"cuts (size above {settings.quality.min_size_pe:g} phe in each telescope, image axes that cross).",
        "For the separation, diffuse gammas are weighted until their directions in the camera and their pointings are "
        "distributed as those of the protons; protons from farther off the axis than gammas come from count in rates.",
        f"Besides the pixels the networks get these image and stereo parameters: {', '.join(shared)}"
        + (f"; that for the energy also {', '.join(more)}." if more else "."),
    ]
    if real:
        with EventSet(layout.events(names[0])) as simulated, EventSet(layout.events(real)) as events:
            difference = readout_difference(Readout.of(events.meta), Readout.of(simulated.meta))
        if difference:
            notes.append(
                f"The real events were {difference}: what is said of them shows that they go through, no more."
            )
    return tuple(notes)


def _history(path: Path) -> list[dict[str, float]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [{k: float(v) for k, v in row.items() if v not in ("", None)} for row in csv.DictReader(lines)]


def _cut_flow(counts: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, int]:
    flow = {"thrown": counts[f"simulate_{name}"]["thrown"]}
    parametrised = counts[f"features_{name}"]
    flow |= {"triggered": parametrised["triggered"], "two images": parametrised["two_images"]}
    flow |= {"quality cuts": parametrised["quality"]}
    return flow | {"judged, of the test showers": counts["predictions"][f"{name}_judged"]}


def _examples(settings: ComparisonSettings, layout: RunLayout, names: Sequence[str]) -> tuple[ExampleImages, ...]:
    """Show bright events of the first zenith range that no method was trained on."""
    zenith = settings.zenith_ranges[0]
    titles = {"gamma_diffuse": "Simulated gammas", "proton": "Simulated protons"}
    found = []
    for particle, title in titles.items():
        name = f"{particle}_{zenith}"
        features = FeatureTable.load(layout.features(name))
        wanted = is_test(features, fraction=settings.test_fraction, seed=settings.seed)
        wanted &= passes_quality(features, settings.quality)
        found.append(_pictured(settings, layout.events(name), _typical(features, wanted), title))
        found.append(_mistaken(settings, layout, name, features, title))
    return tuple(example for example in found if len(example.batch))


def _mistaken(
    settings: ComparisonSettings, layout: RunLayout, name: str, features: FeatureTable, title: str
) -> ExampleImages:
    """Events of a kind that the first method takes for the other with the greatest certainty."""
    method = methods_of(settings)[0]
    table = load_predictions(layout.predictions(method, name))
    test = np.flatnonzero(is_test(features, fraction=settings.test_fraction, seed=settings.seed))
    is_gamma = name.startswith("gamma")
    score = np.asarray(table["gammaness"])
    wrong = np.flatnonzero(table["is_valid"].astype(bool) & ((score < 0.5) if is_gamma else (score > 0.5)))
    worst = np.sort(wrong[np.argsort(score[wrong] if is_gamma else -score[wrong], kind="stable")][:_EXAMPLES])
    kind = "hadrons" if is_gamma else "gammas"
    shown = _pictured(settings, layout.events(name), test[worst], f"{title} that {method} takes for {kind}")
    captions = tuple(
        f"{event_caption(shown.batch, n)}, gammaness {score[row]:.3g} by {method}" for n, row in enumerate(worst)
    )
    return replace(shown, captions=captions)


def _typical(features: FeatureTable, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of a bright and a median event among the wanted ones, by the size of the fainter image."""
    rows = np.flatnonzero(wanted)
    size = np.min(features["size_pe"][rows], axis=1)
    order = rows[np.argsort(size, kind="stable")]
    return np.unique(order[[len(order) // 2, (9 * len(order)) // 10]][:_EXAMPLES]) if len(order) else rows


def _pictured(settings: ComparisonSettings, path: Path, rows: NDArray[np.int64], title: str) -> ExampleImages:
    with EventSet(path) as events:
        batch = events.read().select(rows)
    return ExampleImages(title, batch, _cleaned(settings, batch))


def _cleaned(settings: ComparisonSettings, batch: EventBatch) -> NDArray[np.bool_]:
    return clean(batch.charge, batch.time, batch.meta.camera, settings.features.cleaning)


def _real_events(
    settings: ComparisonSettings,
    layout: RunLayout,
    name: str,
    simulated: Mapping[str, Sequence[PredictionTable]],
) -> RealEvents:
    features = FeatureTable.load(layout.features(name))
    size = np.nan_to_num(np.min(features["size_pe"], axis=1))
    brightest = np.sort(np.argsort(-size, kind="stable")[:3])
    examples = _pictured(settings, layout.events(name), brightest, "Real events")
    meta = features.meta
    date = np.datetime64(int(features["time_utc_ns"].min()), "ns").astype("datetime64[s]")
    runs = ", ".join(str(run) for run in np.unique(features["run_id"]))
    predictions = {m: load_predictions(layout.predictions(m, name)) for m in methods_of(settings)}
    found = settings.signal
    return RealEvents(
        description=f"{meta.production}, run {runs}, from {date} UTC, {len(features)} stereo events",
        predictions=predictions,
        examples=examples,
        files=tuple(Path(f).name for f in meta.source_files),
        source=found.source.label if found else "",
        signals=find_signals(predictions, simulated, found) if found else (),
    )
