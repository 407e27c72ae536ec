"""Example events on the camera, before and after the cleaning."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from magicnn.events import EventBatch
from magicnn.report.camera_plot import camera_image
from magicnn.report.drawing import Drawn, embedded
from magicnn.report.inputs import ExampleImages
from magicnn.report.style import figure_style

__all__ = ["event_caption", "event_figures"]

_DPI = 110
_N_COLOURS = 128
_GREY = "#7b838f"  # readable on light and on dark
_FAINT = "#9aa1ab55"


def event_figures(examples: ExampleImages, *, name: str, folder: Path) -> list[tuple[str, list[Drawn]]]:
    """Draw every event: per telescope charge and time, all pixels beside those that the cleaning keeps.

    Returns
    -------
    list of (caption, figures)
        One entry per event.
    """
    drawn = []
    meta = examples.batch.meta
    for n in range(len(examples.batch)):
        panels = []
        for t, telescope in enumerate(meta.telescopes):
            kept = examples.cleaned[n, t]
            if not np.isfinite(examples.batch.charge[n, t]).any():
                continue
            for quantity, images, cmap in (
                ("charge", examples.batch.charge, "viridis"),
                ("time", examples.batch.time, "plasma"),
            ):
                panels.append(
                    _pair(
                        examples,
                        images[n, t],
                        kept,
                        f"{telescope} {quantity}",
                        cmap,
                        folder / f"{name}_{n}_{telescope}_{quantity}.png",
                    )
                )
        drawn.append((examples.captions[n] if examples.captions else event_caption(examples.batch, n), panels))
    return drawn


def _pair(examples: ExampleImages, values: Any, kept: Any, title: str, cmap: str, path: Path) -> Drawn:
    """Draw one image before and after the cleaning with a common colour scale."""
    from matplotlib.figure import Figure

    is_time = title.endswith("time")
    seen = values[kept & np.isfinite(values)]
    seen = seen if len(seen) else values[np.isfinite(values)]
    if is_time:
        limits = (float(seen.min()) - 1.0, float(seen.max()) + 1.0) if len(seen) else (0.0, 1.0)
    else:
        limits = (0.0, float(seen.max(initial=5.0)))
    gamma = 1.0 if is_time else 0.5
    with figure_style():
        figure = Figure(figsize=(6.0, 2.75))
        camera = examples.batch.meta.camera
        for left, mask in ((0.0, None), (0.435, kept)):
            ax = figure.add_axes((left, 0.0, 0.435, 1.0))
            camera_image(
                camera,
                values,
                ax=ax,
                limits=limits,
                cmap=cmap,
                gamma=gamma,
                mask=mask,
                outside=_FAINT if is_time else None,
            )
        bar = figure.colorbar(ax.collections[-1], cax=figure.add_axes((0.89, 0.1, 0.02, 0.8)))
        bar.outline.set_visible(False)
        bar.ax.tick_params(colors=_GREY, labelsize=9)
        bar.set_label("time [ns]" if is_time else "charge [phe]", color=_GREY, fontsize=9)
        png = io.BytesIO()
        figure.savefig(png, dpi=_DPI, transparent=True, metadata={"Software": None})
    _save_small(png, path)
    return embedded(path, title=f"{title}: all pixels, and those that the cleaning keeps", caption=title)


def _save_small(png: io.BytesIO, path: Path) -> None:
    """Save an image with a palette: noise in every pixel compresses badly."""
    from PIL import Image

    Image.open(png).quantize(_N_COLOURS, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)


def event_caption(batch: EventBatch, n: int) -> str:
    """Say what is known about an event: its number, and the truth where there is one."""
    columns = batch.columns
    parts = [f"event {columns['event_id'][n]}"] if "event_id" in columns else [f"event {n}"]
    if "true_energy_gev" in columns:
        parts.append(f"{columns['true_energy_gev'][n]:.0f} GeV")
    if "true_impact_m" in columns:
        parts.append("impact " + " / ".join(f"{v:.0f}" for v in columns["true_impact_m"][n]) + " m")
    if "pointing_zenith_deg" in columns:
        parts.append(f"zenith {columns['pointing_zenith_deg'][n]:.0f}°")
    return ", ".join(parts)
