"""Pictures of a shower: its development, its light on the ground, and both cameras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magicnn.array import OBSERVATION_LEVEL_M
from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError
from magicnn.report.camera_plot import camera_outline
from magicnn.report.event_picture import draw_telescope
from magicnn.report.example_shower import ExampleShower, triggering_shower
from magicnn.report.style import axes_or_current, axes_or_new_pair, figure_style
from magicnn.runs import atomic_path
from magicnn.simulation.atmosphere import load_atmosphere
from magicnn.simulation.settings import ProductionSettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_camera", "draw_development", "draw_ground", "save_picture", "show_shower"]

_DEPTH_STEP_G_CM2 = 10.0
_HEIGHT_BINS = 30
_NO_DATE = {".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
_TRACKS, _LIGHT, _MARK = "#0072b2", "#d55e00", "#7fe7ff"


def show_shower(settings: ProductionSettings, path: Path, *, seed: int, overwrite: bool = False) -> Path:
    """Draw the first shower of a production that triggers.

    Parameters
    ----------
    settings : ProductionSettings
    path : Path
        PNG, PDF or SVG file.
    seed : int
    overwrite : bool
        Replace a file that is there.

    Raises
    ------
    ConfigError
        The file's name does not end as a picture's.
    InputError
        The file is there already, or no shower triggers.
    """
    if path.suffix not in _NO_DATE:
        raise ConfigError(f"{path}: a picture ends in {', '.join(_NO_DATE)}; give it as --output")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: is there already; give another --output, or --overwrite")
    save_picture(triggering_shower(settings, seed), path)
    return path


def save_picture(shown: ExampleShower, path: Path) -> None:
    """Draw one shower: development, ground, charge and time in both cameras."""
    from matplotlib.figure import Figure

    with figure_style():
        figure = Figure(figsize=(13.5, 7.6), layout="constrained")
        parts: Any = figure.subfigures(1, 2, width_ratios=(1.0, 2.1))
        development, ground = parts[0].subplots(2, 1, height_ratios=(1.0, 1.25))
        draw_development(shown, ax=development)
        draw_ground(shown, ax=ground)
        for telescope, pair in enumerate(parts[1].subplots(len(shown.telescopes_m), 2)):
            draw_camera(shown, telescope, axes=pair)
        figure.suptitle(_title(shown), fontsize=12)
        with atomic_path(path) as partial:
            figure.savefig(partial, dpi=110, format=path.suffix[1:], metadata=_NO_DATE[path.suffix])


def _title(shown: ExampleShower) -> str:
    energy = f"{shown.energy_gev / 1e3:.2f} TeV" if shown.energy_gev >= 1e3 else f"{shown.energy_gev:.0f} GeV"
    impacts = " and ".join(f"{v:.0f}" for v in shown.impact_m)
    first = shown.truth.first_interaction_height_m
    height = f", first interaction at {first / 1e3:.1f} km" if np.isfinite(first) else ""
    return f"{shown.particle}, {energy}, zenith {shown.zenith_deg:.0f}°, impact {impacts} m{height}"


def draw_development(shown: ExampleShower, *, ax: Axes | None = None) -> Axes:
    """Draw electrons above the Cherenkov threshold, and the heights that the detected light comes from."""
    ax = axes_or_current(ax)
    air = load_atmosphere()
    depth = _DEPTH_STEP_G_CM2 * (np.arange(len(shown.truth.profile)) + 0.5)
    height = np.asarray(air.height_m(depth)) / 1e3
    ground = OBSERVATION_LEVEL_M / 1e3
    number = np.where(height > ground, shown.truth.profile / (_DEPTH_STEP_G_CM2 * _air_mass(shown)), 0.0)
    is_cascade = number.max() > 1.0
    light = shown.emission_height_m / 1e3
    top = float(np.quantile(light, 0.999)) if len(light) else 20.0
    if is_cascade:
        ax.plot(number[height > ground], height[height > ground], color=_TRACKS)
        ax.set_xlabel("electrons above threshold", color=_TRACKS)
        top = max(top, float(height[np.cumsum(number) > 0.002 * number.sum()][0]))
    else:
        ax.set_xticks([])
        ax.set_xlabel("no electrons above threshold", color=_TRACKS)
    other = ax.twiny()
    other.spines["top"].set_visible(True)
    other.grid(visible=False)
    # The light of a step has one height; of a single track there are few.
    n_bins = min(_HEIGHT_BINS, max(len(np.unique(light)) // 4, 4))
    count, edges = np.histogram(light, np.linspace(ground, top, n_bins + 1))
    other.stairs(count / max(count.max(), 1), edges, orientation="horizontal", color=_LIGHT, lw=1.4)
    other.set(xlim=(0.0, 1.15), xticks=[])
    other.set_xlabel("detected light by height of emission", color=_LIGHT)
    ax.set(ylabel="height above sea level [km]", xlim=(0.0, None), ylim=(ground, ground + 1.08 * (top - ground)))
    return ax


def _air_mass(shown: ExampleShower) -> float:
    """Length of track of one particle over one bin of vertical depth, in units of that bin."""
    return float(1.0 / np.cos(np.radians(shown.zenith_deg)))


def draw_ground(shown: ExampleShower, *, ax: Axes | None = None) -> Axes:
    """Draw the light on the ground, telescopes and core; north is up and west to the left."""
    from matplotlib.colors import PowerNorm
    from matplotlib.patheffects import withStroke

    ax = axes_or_current(ax)
    edges = shown.ground_edges_m
    norm = PowerNorm(0.5, vmin=0.0, vmax=max(float(np.quantile(shown.ground_per_m2, 0.998)), 1e-3))
    # Rows are north; columns run from east to west.
    mesh = ax.pcolormesh(-edges, edges, shown.ground_per_m2, cmap="magma", norm=norm)
    edge = [withStroke(linewidth=3, foreground="black")]
    names: dict[tuple[float, float], list[str]] = {}
    for k, place in enumerate(shown.telescopes_m - np.array([*shown.core_m, 0.0])):
        names.setdefault((-float(place[1]), float(place[0])), []).append(f"M{k + 1}")
    for where, there in names.items():
        ax.plot(*where, "o", mfc="none", mec=_MARK, ms=9, mew=1.8, path_effects=edge)
        ax.annotate(
            ", ".join(there),
            where,
            (8, 5),
            textcoords="offset points",
            color=_MARK,
            fontsize=10,
            path_effects=edge,
        )
    ax.plot(0.0, 0.0, "+", color=_MARK, ms=10, mew=1.8, path_effects=edge)
    ax.grid(visible=False)
    reach = edges[-1]
    ax.set(
        xlabel="east of the core [m]",
        ylabel="north of the core [m]",
        aspect="equal",
        xlim=(-reach, reach),
        ylim=(-reach, reach),
    )
    bar = ax.figure.colorbar(mesh, ax=ax, shrink=0.9)
    bar.set_label("photoelectrons per m²")
    bar.outline.set_visible(False)
    return ax


def draw_camera(shown: ExampleShower, telescope: int, *, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
    """Draw charge (all pixels) and time (cleaned pixels) of a telescope, on two axes; empty without a trigger."""
    camera = Camera.magic()
    if shown.event is None:
        return [camera_outline(camera, ax=ax) for ax in axes_or_new_pair(axes)]
    charge, time = shown.event.charge_pe[telescope], shown.event.time_ns[telescope]
    return draw_telescope(camera, charge, time, name=f"M{telescope + 1}", axes=axes)
