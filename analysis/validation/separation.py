"""How well a forest tells diffuse gammas from protons on a production."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.baselines.forest import ForestSettings, ParticleForest
from magicnn.events import event_weight
from magicnn.images.features import FeatureTable, concatenate_features, extract_features
from magicnn.io.eventset.reader import EventSet
from magicnn.splits import split_by_shower
from validation.drawing import COLOURS, panels
from validation.lines import Figure, Group, Line
from validation.store import Store

__all__ = ["validate"]

Floats = NDArray[Any]

_SIZES_PE = ((50.0, 125.0, 0.87), (125.0, 400.0, 0.92), (400.0, math.inf, 0.965))
_ZENITH = "za05to35"
_MOST_EVENTS = 30_000
_TOO_GOOD = 0.995
_FEWEST_DRAWN = 3


def _features(paths: list[Path], store: Store, number: int) -> FeatureTable | None:
    """Features of the first events of each of some event sets, kept beside the other results."""
    tables: list[FeatureTable] = []
    for path in paths:
        wanted = number - sum(map(len, tables))
        if wanted <= 0:
            break
        kept = store.folder / f"{path.parent.name}_{path.stem}_{path.stat().st_mtime_ns}_{wanted}_features.h5"
        if not kept.is_file():
            with EventSet(path) as events:
                extract_features(next(iter(events.batches(min(wanted, len(events)))))).save(kept)
        tables.append(FeatureTable.load(kept))
    return concatenate_features(tables) if tables else None


def validate(store: Store, figures: Path) -> Group:
    """Judge the area under the ROC curve in bins of size; direction is no input of the forest."""
    folder = store.production
    if folder is None:
        return Group((), (), "no production was given")
    number = store.number(_MOST_EVENTS, 500)
    gammas, protons = (
        _features(sorted(folder.glob(f"{name}_{_ZENITH}/*.h5")), store, number) for name in ("gamma_diffuse", "proton")
    )
    if gammas is None or protons is None:
        return Group((), (), f"the production has no gamma_diffuse_{_ZENITH} or no proton_{_ZENITH}")
    table = concatenate_features([gammas, protons])
    part = split_by_shower(table["shower_id"], (0.5, 0.5), seed=1)
    forest = ParticleForest.fit(table.select(part == 0), ForestSettings(n_jobs=1, n_trees=100), seed=1)
    test = table.select(part == 1)
    score = forest.predict(test)
    is_gamma = test["true_particle"] == 22
    weight = event_weight(test.columns)
    size = test["size_pe"].min(axis=1)
    lines, curves = [], []
    for low, high, bar in _SIZES_PE:
        chosen = (size > low) & (size < high) & np.isfinite(score)
        g, p = (chosen & k for k in (is_gamma, ~is_gamma))
        name = f"above {low:g} phe" if math.isinf(high) else f"{low:g} to {high:g} phe"
        lines.append(
            Line(
                f"auc_{low:g}",
                f"area under the ROC curve, {g.sum()} diffuse gammas and {p.sum()} protons, smaller size {name}",
                *_area(score, weight, test["shower_id"], g, p),
                "",
                bar - 0.01,
                _TOO_GOOD,
                f"{bar:g} or a little above, never 0.999",
                "first version of this simulation; CTLearn's stereo pairs reach 0.90 to 0.93 at all energies",
                digits=3,
            )
        )
        curves.append((name, g, p))
    _draw(figures / "separation.png", score, weight, curves)
    caption = (
        "Protons kept against diffuse gammas kept, zenith 5 to 35 deg, drawn where at least three protons are left; "
        "by the smaller of the two sizes."
    )
    return Group(lines, (Figure("separation.png", caption),))


def _draw(path: Path, score: Floats, weight: Floats, curves: list[tuple[str, Floats, Floats]]) -> None:
    with panels(path, 1) as (ax,):
        for colour, (name, g, p) in zip(COLOURS, curves, strict=False):
            if not (g.any() and p.any()):
                continue
            cuts = np.quantile(score[g], np.linspace(0.0, 1.0, 201))
            enough = np.array([(score[p] > c).sum() >= _FEWEST_DRAWN for c in cuts])
            kept = [np.array([np.average(score[k] > c, weights=weight[k]) for c in cuts])[enough] for k in (g, p)]
            ax.plot(*kept, color=colour, label=name)
        ax.set(xlabel="share of gammas kept", ylabel="share of protons kept", yscale="log", xlim=(0.0, 1.0))
        ax.set_ylim(top=1.0)
        ax.legend(loc="upper left", title="size", fontsize=8.5)


def _area(
    score: Floats, weight: Floats, shower: NDArray[np.int64], gamma: NDArray[np.bool_], proton: NDArray[np.bool_]
) -> tuple[float, float]:
    """Weighted area under the ROC curve, and its error from showers in Poisson numbers."""
    if not (gamma.any() and proton.any()):
        return math.nan, math.nan
    generator = np.random.default_rng(0)
    values = []
    for replica in range(101):
        drawn = []
        for chosen in (gamma, proton):
            _, index = np.unique(shower[chosen], return_inverse=True)
            times = generator.poisson(1.0, index.max() + 1)[index] if replica else np.ones(len(index))
            drawn.append(times * weight[chosen])
        everything = np.concatenate([score[gamma], score[proton]])
        values.append(_weighted_area(everything, *drawn))
    return values[0], float(np.std(values[1:]))


def _weighted_area(score: Floats, gamma_weight: Floats, proton_weight: Floats) -> float:
    """Share of pairs in which the gamma has the larger score, ties half."""
    level, index = np.unique(score, return_inverse=True)
    n = len(gamma_weight)
    g = np.bincount(index[:n], gamma_weight, len(level))
    p = np.bincount(index[n:], proton_weight, len(level))
    below = np.cumsum(p) - 0.5 * p
    return float((g * below).sum() / (g.sum() * p.sum()))
