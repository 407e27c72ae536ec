"""Real cosmic rays beside simulated protons."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from magicnn.events import EventBatch
from magicnn.images.cleaning import clean
from magicnn.images.features import FeatureTable, extract_features
from magicnn.io.eventset import EventSet
from magicnn.io.formats import open_events
from validation.drawing import COLOURS, panels
from validation.lines import Figure, Group, Line
from validation.rates import cosmic_rays
from validation.store import Store

__all__ = ["validate"]

_SIZE_PE = (80.0, 2000.0)
_N_SHOWN = 4


def validate(store: Store, figures: Path) -> Group:
    """Compare shapes of images in real events with those of simulated protons, and draw some of each."""
    folder = None if store.data is None else store.data / "magic_real"
    if folder is None or not folder.is_dir():
        return Group((), (), "the real files are not here")
    real = open_events(sorted(folder.glob("*_Y_*.root"))).read()
    real_features = extract_features(real)
    sample = cosmic_rays(store, "proton")
    with EventSet(sample.path) as events:
        simulated = next(iter(events.batches(min(400, len(events)))))
    chosen = {"real": _chosen(real_features), "simulated": _chosen(sample.features)}
    tables = {"real": real_features, "simulated": sample.features}
    lines = []
    for name, unit, label in (
        ("width_deg", "deg", "width"),
        ("length_deg", "deg", "length"),
        ("n_islands", "", "islands"),
        ("concentration_core", "", "share of the charge inside of the ellipse"),
        ("time_rms_ns", "ns", "RMS of the times"),
    ):
        a, b = (tables[k][name][chosen[k]] for k in ("real", "simulated"))
        a, b = a[np.isfinite(a)], b[np.isfinite(b)]
        error = math.hypot(a.std() / math.sqrt(len(a)), b.std() / math.sqrt(len(b)))
        lines.append(
            Line(
                f"cosmic_{name}",
                f"mean {label} of {len(b)} simulated proton images minus that of {len(a)} real ones",
                float(b.mean() - a.mean()),
                error,
                unit,
                -3.0 * error,
                3.0 * error,
                f"real mean {a.mean():.3g} {unit} (3 standard deviations)",
                "MAGIC Crab Nebula run 5029747; size 80 – 2000 phe, leakage below 0.2; protons thrown as E^-2",
                "info",
                digits=3,
            )
        )
    _draw_images(figures / "cosmics.png", real, real_features, simulated)
    _draw_shapes(figures / "cosmic_shapes.png", tables, chosen)
    return Group(
        lines,
        (
            Figure(
                "cosmics.png", "M1 images, cleaned pixels in colour: real events (top), simulated protons (bottom)."
            ),
            Figure("cosmic_shapes.png", "Shapes of real and simulated images, both telescopes."),
        ),
    )


def _chosen(features: FeatureTable) -> np.ndarray:
    size = features["size_pe"]
    return np.asarray((size > _SIZE_PE[0]) & (size < _SIZE_PE[1]) & (features["leakage2"] < 0.2))


def _draw_images(path: Path, real: EventBatch, real_features: FeatureTable, simulated: EventBatch) -> None:
    from magicnn.report.camera_plot import camera_image

    with panels(path, 2 * _N_SHOWN, columns=_N_SHOWN) as axes:
        for row, (batch, features) in enumerate(((real, real_features), (simulated, extract_features(simulated)))):
            good = np.flatnonzero(_chosen(features)[:, 0])[:_N_SHOWN]
            mask = clean(batch.charge[good], batch.time[good], batch.meta.camera)
            for k, n in enumerate(good):
                ax = axes[row * _N_SHOWN + k]
                camera_image(ax, batch.meta.camera, batch.charge[n, 0], mask=mask[k, 0], gamma=0.5)
                kind = "simulated" if row else "real"
                ax.set_title(f"{kind}, {features['size_pe'][n, 0]:.0f} phe", fontsize=10)


def _draw_shapes(path: Path, tables: dict[str, FeatureTable], chosen: dict[str, np.ndarray]) -> None:
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
            for colour, kind in zip(COLOURS, tables, strict=False):
                values = tables[kind][name][chosen[kind]]
                ax.hist(values, list(edges), density=True, histtype="step", color=colour, lw=1.6, label=kind)
            ax.set(xlabel=label, ylabel="density")
