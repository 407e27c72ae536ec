"""What each stage of the comparison does; everything it needs is read from, and left in, the run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from magicnn.baselines.suite import BASELINE_FILES, STANDARD_METHODS, Baselines
from magicnn.events import EventBatch, event_weight
from magicnn.images.features import FeatureTable, extract_features
from magicnn.images.quality import passes_quality
from magicnn.io.eventset.reader import EventSet
from magicnn.pipeline.layout import RunLayout, is_test
from magicnn.pipeline.settings import ComparisonSettings
from magicnn.predictions import PredictionTable, load_predictions
from magicnn.report.lookup_plots import draw_lookup
from magicnn.simulation.matching import common_directions, matching_weights
from magicnn.simulation.settings import ProductionSettings

if TYPE_CHECKING:
    from magicnn.nn.checkpoint import TrainedModel
    from magicnn.nn.data import Source

__all__ = [
    "fit_baselines",
    "judge",
    "methods_of",
    "parametrise",
    "predict",
    "predict_real",
    "read_real",
    "simulate",
    "train_network",
]

_NETWORKS = "CNN"

_TASK_PARTICLES = {"classifier": ("gamma_diffuse", "proton"), "energy": ("gamma", "gamma_diffuse")}

Counts = Mapping[str, Any]


def methods_of(settings: ComparisonSettings) -> tuple[str, ...]:
    """Name the methods that are compared, as reports do."""
    return (_NETWORKS, *STANDARD_METHODS, *settings.baselines.classical.methods)


def simulate(
    production: ProductionSettings, layout: RunLayout, name: str, n_events: int, seed: int, workers: int | None
) -> Counts:
    """Simulate one production until enough events have triggered."""
    from magicnn.simulation.production import produce

    path = produce(production, layout.events(name), n_events=n_events, seed=seed, workers=workers)
    with EventSet(path) as events:
        return {"thrown": events.meta.generated["n_thrown"], "triggered": len(events)}


def parametrise(settings: ComparisonSettings, layout: RunLayout, name: str) -> Counts:
    """Clean the images of an event set and compute their parameters."""
    with EventSet(layout.events(name)) as events:
        features = extract_features(events, settings.features)
    features.save(layout.features(name))
    size = np.nan_to_num(features["size_pe"])
    return {
        "triggered": len(features),
        "two_images": int(np.all(size > 0.0, axis=1).sum()),
        "quality": int(passes_quality(features, settings.quality).sum()),
    }


def read_real(layout: RunLayout, name: str, files: Sequence[Path]) -> Counts:
    """Convert real files to an event set."""
    from magicnn.io.convert import convert_events

    return {"events": convert_events(files, layout.events(name)).n_events}


def fit_baselines(settings: ComparisonSettings, layout: RunLayout, names: Sequence[str]) -> Counts:
    """Fit DISP, lookup tables, forests and classical methods to the training showers."""
    training: dict[str, list[FeatureTable]] = {task: [] for task in _TASK_PARTICLES}
    for name in names:
        features = FeatureTable.load(layout.features(name))
        for task in _tasks(name):
            rows, weight = _training_rows(settings, layout, name, task, features)
            training[task].append(features.with_columns(weight=weight).select(rows))
    baselines = settings.baselines.with_quality(settings.quality)
    fitted = Baselines.fit(training["energy"], training["classifier"], baselines, seed=settings.seed)
    fitted.save(layout.models)
    if any(fitted.lookup.n_filled):
        draw_lookup(fitted.lookup, layout.models / "lookup.png")
    return {task: sum(len(table) for table in tables) for task, tables in training.items()}


def train_network(
    settings: ComparisonSettings, layout: RunLayout, names: Sequence[str], task: str, device: str
) -> Counts:
    """Train the network of one task on the training showers."""
    from magicnn.nn.data import Source
    from magicnn.nn.trainer import train

    model = settings.classifier if task == "classifier" else settings.energy
    sources: list[Source] = []
    for name in names:
        if task in _tasks(name):
            features = _all_features(layout, name)
            rows, weight = _training_rows(settings, layout, name, task, features)
            sources.append(Source(EventSet(layout.events(name)), features, rows, weight))
    trained = train(sources, layout.models / f"{task}.pt", settings=model, device=device)
    return {"events": sum(s.n_events for s in sources), "epochs": len(trained.description.history)}


def predict(settings: ComparisonSettings, layout: RunLayout, names: Sequence[str], device: str) -> Counts:
    """Predict the simulated showers that no method was trained on, with every method."""
    counts: dict[str, int] = {}
    methods = _Methods.load(layout, device)
    for name in names:
        features = _all_features(layout, name)
        test = _is_test(settings, features)
        quality, weight = _judgeable(settings, layout, name, features)
        valid, matched = quality[test], weight[test]
        with EventSet(layout.events(name)) as event_set:
            events = event_set.read().select(test)
        generated = dict(events.meta.generated)
        generated["n_thrown"] *= settings.test_fraction
        flags = {"is_valid": valid, "matching_weight": matched}
        methods.predict(settings, layout, name, events, features.select(test), flags, generated)
        counts[name] = len(events)
        counts[f"{name}_judged"] = int((valid & (matched > 0.0)).sum())
    return counts


def predict_real(settings: ComparisonSettings, layout: RunLayout, name: str, device: str) -> Counts:
    """Predict real events with every method."""
    features = _all_features(layout, name)
    valid = passes_quality(features, settings.quality)
    with EventSet(layout.events(name)) as event_set:
        events = event_set.read()
    _Methods.load(layout, device).predict(settings, layout, name, events, features, {"is_valid": valid}, {})
    return {"events": len(events), "quality": int(valid.sum())}


@dataclass(frozen=True)
class _Methods:
    """All trained methods of a run."""

    networks: Sequence[TrainedModel]
    baselines: Baselines

    @classmethod
    def load(cls, layout: RunLayout, device: str) -> _Methods:
        from magicnn.nn.checkpoint import load_model
        from magicnn.nn.trainer import choose_device

        where = choose_device(device)
        networks = [load_model(layout.models / f"{task}.pt", device=where) for task in _TASK_PARTICLES]
        return cls(networks, Baselines.load(layout.models))

    def predict(
        self,
        settings: ComparisonSettings,
        layout: RunLayout,
        name: str,
        events: EventBatch,
        features: FeatureTable,
        flags: Mapping[str, NDArray[Any]],
        generated: Mapping[str, Any],
    ) -> None:
        """Write a table of every method, all with the same quality flags."""
        from magicnn.nn.predict import predict_table

        tables = (
            predict_table(self.networks, events, features, method=_NETWORKS, settings=settings.predict),
            *self.baselines.predict(features, settings.quality),
        )
        for table in tables:
            columns = {**table.columns, **flags}
            PredictionTable(table.method, columns, table.particle, generated, table.meta).save(
                layout.predictions(table.method, name)
            )


def judge(settings: ComparisonSettings, layout: RunLayout, names: Sequence[str]) -> Counts:
    """Compute all metrics on the showers that no method was trained on."""
    from magicnn.evaluation.evaluate import evaluate

    tables = {m: [load_predictions(layout.predictions(m, n)) for n in names] for m in methods_of(settings)}
    metrics = evaluate(tables, settings.evaluation)
    metrics.save(layout.report)
    return {"rows": len(metrics.rows)}


def _tasks(name: str) -> list[str]:
    """Tasks that the events of a production are for."""
    return [task for task, particles in _TASK_PARTICLES.items() if name.rsplit("_", 1)[0] in particles]


def _is_test(settings: ComparisonSettings, features: FeatureTable) -> NDArray[np.bool_]:
    return is_test(features, fraction=settings.test_fraction, seed=settings.seed)


def _judgeable(
    settings: ComparisonSettings, layout: RunLayout, name: str, features: FeatureTable
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Tell which events pass the cuts, and their weights in training and judging the separation.

    Diffuse gammas are weighted to the directions of the protons. Those from directions that the other kind does not
    come from have no weight; they still count for energies and rates.
    """
    rows = passes_quality(features, settings.quality)
    weight = event_weight(features.columns).copy()
    particle, zenith = name.rsplit("_", 1)
    if particle in ("gamma_diffuse", "proton"):
        gammas, protons = (
            features if particle == kind else FeatureTable.load(layout.features(f"{kind}_{zenith}"))
            for kind in ("gamma_diffuse", "proton")
        )
        gammas, protons = (table.select(passes_quality(table, settings.quality)) for table in (gammas, protons))
        common = rows.copy()
        common[rows] = common_directions(features.select(rows).columns, gammas.columns)
        weight[~common] = 0.0
        if particle == "gamma_diffuse":
            protons = protons.select(common_directions(protons.columns, gammas.columns))
            weight[common] = matching_weights(features.select(common).columns, protons.columns)
    return rows, weight


def _training_rows(
    settings: ComparisonSettings, layout: RunLayout, name: str, task: str, features: FeatureTable
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    rows, weight = _judgeable(settings, layout, name, features)
    rows &= ~_is_test(settings, features)
    if task == "classifier":
        return rows & (weight > 0.0), weight
    return rows, event_weight(features.columns)


def _all_features(layout: RunLayout, name: str) -> FeatureTable:
    """Feature table of an event set with the direction by DISP."""
    from magicnn.baselines.disp import DispDirection

    return DispDirection.load(layout.models / BASELINE_FILES[0]).apply(FeatureTable.load(layout.features(name)))
