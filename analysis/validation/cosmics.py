"""Real cosmic rays beside simulated protons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.spectra import proton_flux
from magicnn.events import EventBatch
from magicnn.images.cleaning import clean
from magicnn.images.features import FeatureTable, extract_features
from magicnn.io.eventset.reader import EventSet
from magicnn.io.formats import open_events
from validation.drawing import COLOURS, panels
from validation.lines import Figure, Group, Line
from validation.rates import cosmic_rays, rate_of
from validation.store import Store

__all__ = ["validate"]

Floats = NDArray[np.float64]

_SIZE_PE = (80.0, 2000.0)
_N_SHOWN = 5
_SHAPES = (
    ("width_deg", "deg", "width"),
    ("length_deg", "deg", "length"),
    ("n_islands", "", "number of islands"),
    ("concentration_core", "", "share of the charge inside of the ellipse"),
    ("time_rms_ns", "ns", "RMS of the times"),
)


def validate(store: Store, figures: Path) -> Group:
    """Compare shapes of images in real events with those of simulated protons, and draw some of each."""
    folder = None if store.data is None else store.data / "magic_real"
    files = [] if folder is None else sorted(folder.glob("*_M[12]_*_Y_*.root"))
    if not files:
        return Group((), (), "the real files are not here")
    # One by one: few events are in both of these short files.
    real = [open_events([file], require_stereo=False).read() for file in files]
    sample = cosmic_rays(store, "proton")
    rate = np.repeat(rate_of(sample, proton_flux).each_hz[:, None], 2, axis=1)
    tables = [extract_features(batch) for batch in real]
    images = {
        "real": _images([(t, np.ones_like(t["size_pe"])) for t in tables]),
        "simulated": _images([(sample.features, rate)]),
    }
    lines = []
    for name, unit, label in _SHAPES:
        (mean, error, n), (theirs, their_error, m) = (_mean(images[k], name) for k in ("simulated", "real"))
        both = float(np.hypot(error, their_error))
        lines.append(
            Line(
                f"cosmic_{name}",
                f"mean {label} of {n} simulated images of protons",
                mean,
                error,
                unit,
                theirs - 3.0 * both,
                theirs + 3.0 * both,
                f"{theirs:.3f} ± {their_error:.3f} {unit} of {m} real ones, 3 standard deviations".replace("  ", " "),
                "MAGIC run 5029747, Crab Nebula; size 80 – 2000 phe, leakage below 0.2; real: all nuclei",
                "gate",
                digits=3,
            )
        )
    with EventSet(sample.path) as events:
        simulated = next(iter(events.batches(min(200, len(events)))))
    _draw_images(figures / "cosmics.png", [("real", real[0]), ("simulated", simulated)])
    _draw_shapes(figures / "cosmic_shapes.png", images)
    return Group(
        lines,
        (
            Figure(
                "cosmics.png",
                "Cleaned images in M1: real events (top), simulated protons (bottom), as they come; each image "
                "in colours of its own, from its least to its greatest charge.",
            ),
            Figure(
                "cosmic_shapes.png",
                "Shapes of real and simulated images, both telescopes; protons with their spectrum.",
            ),
        ),
    )


def _chosen(features: FeatureTable) -> NDArray[np.bool_]:
    size = features["size_pe"]
    return np.asarray((size > _SIZE_PE[0]) & (size < _SIZE_PE[1]) & (features["leakage2"] < 0.2))


def _images(parts: list[tuple[FeatureTable, NDArray[Any]]]) -> dict[str, Floats]:
    """Shapes and weights of the images that are compared."""
    names = [name for name, _, _ in _SHAPES]
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in (*names, "weight")}
    for features, weight in parts:
        chosen = _chosen(features)
        columns["weight"].append(weight[chosen])
        for name in names:
            columns[name].append(features[name][chosen])
    return {name: np.concatenate(values).astype(np.float64) for name, values in columns.items()}


def _mean(images: dict[str, Floats], name: str) -> tuple[float, float, int]:
    """Weighted mean, its error, and the number of images."""
    known = np.isfinite(images[name])
    value, weight = images[name][known], images["weight"][known]
    mean = float(np.average(value, weights=weight))
    variance = float(np.average((value - mean) ** 2, weights=weight))
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    return mean, float(np.sqrt(variance / effective)), len(value)


def _draw_images(path: Path, batches: list[tuple[str, EventBatch]]) -> None:
    from magicnn.report.camera_plot import camera_image

    with panels(path, len(batches) * _N_SHOWN, columns=_N_SHOWN) as axes:
        for row, (kind, batch) in enumerate(batches):
            features = extract_features(batch)
            good = np.flatnonzero(_chosen(features)[:, 0])[:_N_SHOWN]
            mask = clean(batch.charge[good], batch.time[good], batch.meta.camera)
            for k, n in enumerate(good):
                ax = axes[row * _N_SHOWN + k]
                camera_image(batch.meta.camera, batch.charge[n, 0], ax=ax, mask=mask[k, 0], gamma=0.5)
                ax.set_title(f"{kind}, {features['size_pe'][n, 0]:.0f} phe", fontsize=15)
            for ax in axes[row * _N_SHOWN + len(good) : (row + 1) * _N_SHOWN]:
                ax.axis("off")


def _draw_shapes(path: Path, images: dict[str, dict[str, Floats]]) -> None:
    with panels(path, 3) as axes:
        for ax, (name, label, edges) in zip(
            axes,
            (
                ("width_deg", "width [deg]", np.linspace(0.0, 0.4, 17)),
                ("length_deg", "length [deg]", np.linspace(0.0, 0.7, 15)),
                ("time_rms_ns", "RMS of the times [ns]", np.linspace(0.0, 5.0, 16)),
            ),
            strict=True,
        ):
            for colour, (kind, shown) in zip(COLOURS, images.items(), strict=False):
                ax.hist(
                    shown[name],
                    list(edges),
                    weights=shown["weight"],
                    density=True,
                    histtype="step",
                    color=colour,
                    lw=1.6,
                    label=kind,
                )
            unit = label.partition("[")[2].rstrip("]")
            ax.set(xlabel=label, ylabel=f"density [1/{unit}]", xlim=(0.0, edges[-1]))
