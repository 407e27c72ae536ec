"""One event as it is in a file: charge and time of every telescope, with what is known about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError
from magicnn.events import EventBatch
from magicnn.images.cleaning import clean
from magicnn.report.camera_plot import camera_image, camera_outline, hexagon_corners_deg
from magicnn.report.style import axes_or_new_pair, figure_style
from magicnn.runs import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_event", "draw_telescope", "require_picture_name", "save_event"]

_SUFFIXES = (".png", ".pdf", ".svg")
_NOISE = "#e9ecf0"
_KEPT = "#e4572e"
_DPI = 130


def save_event(events: EventBatch, path: Path | str) -> None:
    """Draw the first event of a batch into a file.

    Parameters
    ----------
    events : EventBatch
        At least one event.
    path : path
        PNG, PDF or SVG by its suffix.

    Raises
    ------
    ConfigError
        The suffix is another one.
    InputError
        There is no event, or the file cannot be written.
    """
    target = Path(path)
    require_picture_name(target)
    if not len(events):
        raise InputError("no event to draw")
    with figure_style():
        figure = draw_event(events)
        with atomic_path(target) as partial:
            figure.savefig(partial, dpi=_DPI, format=target.suffix[1:])


def require_picture_name(path: Path) -> None:
    """Make sure that a name tells one of the kinds of pictures that are written.

    Raises
    ------
    ConfigError
        It does not.
    """
    if path.suffix not in _SUFFIXES:
        raise ConfigError(f"--output {path}: expected a name that ends in {', '.join(_SUFFIXES)}")


def draw_event(events: EventBatch) -> Figure:
    """Draw the first event of a batch: a row for each telescope with an image, charge beside time."""
    from matplotlib.figure import Figure

    meta = events.meta
    seen = [t for t in range(len(meta.telescopes)) if np.isfinite(events.charge[0, t]).any()]
    rows = max(len(seen), 1)
    figure = Figure(figsize=(9.6, 0.75 + 4.1 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False)
    for row, t in enumerate(seen):
        charge, time = events.charge[0, t], events.time[0, t]
        draw_telescope(meta.camera, charge, time, name=meta.telescopes[t], axes=axes[row])
    if not seen:
        for ax in axes[0]:
            camera_outline(meta.camera, ax=ax)
    first = {name: values[0] for name, values in events.columns.items()}
    figure.suptitle("\n".join(_told(first, events)), fontsize=10.5)
    return figure


def draw_telescope(
    camera: Camera,
    charge: NDArray[np.float32],
    time: NDArray[np.float32],
    *,
    name: str,
    axes: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Draw the charge of all pixels, and the time of those that the cleaning keeps, which are framed in both.

    Parameters
    ----------
    camera : Camera
    charge : float32 array, [P], photoelectrons
        Pixels that are NaN are drawn empty.
    time : float32 array, [P], ns
    name : str
        Of the telescope.
    axes : (matplotlib Axes, matplotlib Axes), optional
        Where, charge and time; two in a new figure of pyplot when not given.

    Returns
    -------
    (matplotlib Axes, matplotlib Axes)
    """
    charge_ax, time_ax = axes_or_new_pair(axes)
    kept = clean(charge[None], time[None], camera)[0]
    top = float(np.nanmax(charge, initial=1.0))
    camera_image(camera, charge, ax=charge_ax, label=f"{name} charge [phe]", limits=(0.0, top), gamma=0.5)
    seen = time[kept & np.isfinite(time)]
    limits = (float(seen.min()) - 0.5, float(seen.max()) + 0.5) if len(seen) else (0.0, 1.0)
    noise = np.where(kept | np.isnan(time), np.nan, 0.0)
    camera_image(camera, noise, ax=time_ax, limits=(-1.0, 0.0), cmap="Greys_r")
    time_ax.collections[-1].set(array=None, facecolor=_NOISE, edgecolor="white")
    label = f"{name} time, cleaned [ns]"
    camera_image(camera, time, ax=time_ax, label=label, limits=limits, cmap="plasma", mask=kept)
    _frame(charge_ax, camera, kept)
    return charge_ax, time_ax


def _frame(ax: Axes, camera: Camera, kept: NDArray[np.bool_]) -> None:
    """Draw the border between the pixels that are kept and the others."""
    corners = hexagon_corners_deg(camera)
    sides: dict[tuple[Any, ...], list[NDArray[np.float64]]] = {}
    for pixel in np.flatnonzero(kept):
        for side in np.stack([corners[pixel], np.roll(corners[pixel], -1, axis=0)], axis=1):
            key = tuple(np.round(side.mean(axis=0), 4))
            sides.setdefault(key, []).append(side)
    for side, *others in sides.values():
        if not others:
            ax.plot(*side.T, color=_KEPT, linewidth=1.1, solid_capstyle="round")


def _told(first: Mapping[str, Any], events: EventBatch) -> list[str]:
    """Say what is known about an event: whose it is, and its truth or its time."""
    meta = events.meta
    lines = [", ".join(part for part in (meta.production, _numbers(first)) if part)]
    parts = []
    if "true_energy_gev" in first:
        energy = float(first["true_energy_gev"])
        parts.append(f"{energy / 1e3:.2f} TeV" if energy >= 1e3 else f"{energy:.0f} GeV")
        parts[-1] = f"{meta.particle or 'unknown particle'} of {parts[-1]}"
    elif "time_utc_ns" in first:
        parts.append(f"{datetime.fromtimestamp(int(first['time_utc_ns']) / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f} UTC")
    if "pointing_zenith_deg" in first:
        parts.append(f"zenith {first['pointing_zenith_deg']:.1f}°")
    if "pointing_azimuth_deg" in first:
        parts.append(f"azimuth {first['pointing_azimuth_deg']:.1f}°")
    if "true_impact_m" in first:
        parts.append("impact " + " / ".join(f"{v:.0f}" for v in np.atleast_1d(first["true_impact_m"])) + " m")
    lines.append(", ".join(parts))
    return [line for line in lines if line]


def _numbers(first: Mapping[str, Any]) -> str:
    return f"run {first['run_id']}, event {first['event_id']}"
