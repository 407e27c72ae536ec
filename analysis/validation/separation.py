"""How well a forest tells diffuse gammas from protons on a production."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.baselines.forest import ForestSettings, ParticleForest
from magicnn.evaluation.classification import roc_auc
from magicnn.images.features import FeatureTable, concatenate_features, extract_features
from magicnn.io.eventset import EventSet
from magicnn.splits import split_by_shower
from validation.drawing import COLOURS, panels
from validation.lines import Figure, Group, Line
from validation.store import Store

__all__ = ["validate"]

_SIZES_PE = ((50.0, 125.0, 0.87), (125.0, 400.0, 0.92), (400.0, math.inf, 0.965))
_MOST_EVENTS = 30_000
_TOO_GOOD = 0.995


def _features(paths: list[Path], store: Store, number: int) -> FeatureTable | None:
    """Features of the first events of each file, kept beside the other results."""
    tables = []
    for path in paths:
        kept = store.folder / f"{path.stem}_{path.stat().st_mtime_ns}_{number}_features.h5"
        if not kept.is_file():
            with EventSet(path) as events:
                extract_features(next(iter(events.batches(number)))).save(kept)
        tables.append(FeatureTable.load(kept))
    return concatenate_features(tables) if tables else None


def validate(store: Store, figures: Path) -> Group:
    """Judge the area under the ROC curve in bins of size; direction is no input of the forest."""
    folder = store.production
    if folder is None:
        return Group((), (), "no production was given")
    number = store.number(_MOST_EVENTS, 500)
    code = "za05to35"
    gammas = _features(sorted(folder.rglob(f"gamma_diffuse_{code}*.h5")), store, number)
    protons = _features(sorted(folder.rglob(f"proton_{code}*.h5")), store, number)
    if gammas is None or protons is None:
        return Group((), (), f"the production has no gamma_diffuse_{code} or no proton_{code}")
    table = concatenate_features([gammas, protons])
    part = split_by_shower(table["shower_id"], (0.5, 0.5), seed=1)
    forest = ParticleForest.fit(table.select(part == 0), ForestSettings(n_jobs=1, n_trees=100), seed=1)
    test = table.select(part == 1)
    score = forest.predict(test)
    is_gamma = test["true_particle"] == 22
    size = test["size_pe"].min(axis=1)
    lines, curves = [], []
    for low, high, bar in _SIZES_PE:
        chosen = (size > low) & (size < high) & np.isfinite(score)
        g, p = score[chosen & is_gamma], score[chosen & ~is_gamma]
        name = f"size above {low:g} phe" if math.isinf(high) else f"size {low:g} to {high:g} phe"
        lines.append(
            Line(
                f"auc_{low:g}",
                f"area under the ROC curve, {len(g)} diffuse gammas and {len(p)} protons, smaller {name}",
                roc_auc(g, p),
                _error(g, p),
                "",
                bar - 0.01,
                _TOO_GOOD,
                f"{bar:g} or a little above, never 0.999",
                "first version of this simulation; CTLearn's stereo pairs reach 0.90 to 0.93 at all energies",
                digits=3,
            )
        )
        curves.append((name, g, p))
    with panels(figures / "separation.png", 1) as (ax,):
        for colour, (name, g, p) in zip(COLOURS, curves, strict=False):
            cut = np.unique(np.concatenate([g, p]))
            ax.plot([np.mean(g > c) for c in cut], [np.mean(p > c) for c in cut], color=colour, label=name)
        ax.set(xlabel="gammas kept", ylabel="protons kept", yscale="log", ylim=(1e-3, 1.0))
    return Group(lines, (Figure("separation.png", "Protons kept against diffuse gammas kept, zenith 5 to 35 deg."),))


def _error(gamma: NDArray[Any], proton: NDArray[Any]) -> float:
    """Error of the area (J. A. Hanley, B. J. McNeil, Radiology 143 (1982) 29), events taken as independent."""
    if not (len(gamma) and len(proton)):
        return math.nan
    a = roc_auc(gamma, proton)
    q1, q2 = a / (2.0 - a), 2.0 * a * a / (1.0 + a)
    variance = a * (1.0 - a) + (len(gamma) - 1) * (q1 - a * a) + (len(proton) - 1) * (q2 - a * a)
    return math.sqrt(max(variance, 0.0) / (len(gamma) * len(proton)))
