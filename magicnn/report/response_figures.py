"""Figures of instrument responses: effective area, sensitivity and rates, beside the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from magicnn.evaluation.published import published_sensitivity
from magicnn.evaluation.response.instrument import InstrumentResponse
from magicnn.report.style import PUBLISHED_COLOUR, axes_or_current, figure_style, markers, method_colours
from magicnn.runs import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["area_curves", "draw_areas", "draw_sensitivity", "rate_curves", "sensitivity_curves"]

_DPI = 130
_LEVEL_LINES = {"trigger": ":", "two images": "-.", "quality": "--", "cuts": "-"}


def area_curves(responses: Sequence[InstrumentResponse], *, ax: Axes | None = None) -> Axes:
    """Draw effective areas against true energy: at trigger and quality, which methods share, and after their cuts."""
    ax = axes_or_current(ax)
    colours, shapes = method_colours([r.method for r in responses]), markers([r.method for r in responses])
    edges = np.array(responses[0].settings.true_edges_gev)
    centre = np.sqrt(edges[1:] * edges[:-1])
    for level in ("trigger", "two images", "quality"):
        curve = responses[0].areas[level]
        drawn = curve.value > 0.0
        ax.plot(centre[drawn], curve.value[drawn], _LEVEL_LINES[level], color="#555b66", label=level)
    for response in responses:
        curve = response.areas["cuts"]
        drawn = curve.value > 0.0
        ax.errorbar(
            centre[drawn],
            curve.value[drawn],
            curve.error[drawn],
            fmt=shapes[response.method] + "-",
            ms=4.5,
            color=colours[response.method],
            label=f"{response.method}, after cuts",
        )
    ax.set(xscale="log", yscale="log", xlabel="true energy (GeV)", ylabel="effective area (m²)")
    ax.legend(loc="lower right")
    return ax


def sensitivity_curves(
    responses: Sequence[InstrumentResponse], *, is_integral: bool = False, ax: Axes | None = None
) -> Axes:
    """Draw the sensitivity (Li and Ma, five off regions) with the published points; arrows mark limits."""
    ax = axes_or_current(ax)
    ax.set(xscale="log", yscale="log")  # first: linear limits of an empty panel have no logarithm
    colours, shapes = method_colours([r.method for r in responses]), markers([r.method for r in responses])
    for n, response in enumerate(responses):
        curve = response.integral if is_integral else response.differential
        value, low, high = (100.0 * part for part in curve.shares["lima_5"])
        upper = curve.energy_max_gev if not is_integral else curve.energy_min_gev
        energy = np.sqrt(curve.energy_min_gev * upper) * 1.025 ** (n - 0.5 * (len(responses) - 1))
        for limit in (False, True):
            drawn = np.isfinite(value) & (curve.is_limit == limit)
            errors = np.abs(np.nan_to_num(np.stack([value - low, high - value])))[:, drawn]
            ax.errorbar(
                energy[drawn],
                value[drawn],
                errors if not limit else 0.25 * value[drawn],
                uplims=limit,
                fmt=shapes[response.method],
                ms=4.5,
                color=colours[response.method],
                label=None if limit else response.method,
            )
    published = published_sensitivity(responses[0].zenith_deg, is_integral=is_integral)
    if published is not None:
        upper = published.get("energy_max_gev", published["energy_min_gev"])
        ax.errorbar(
            np.sqrt(published["energy_min_gev"] * upper),
            published["sensitivity_lima_5_percent"],
            published["sensitivity_lima_5_percent_err"],
            fmt="*-",
            color=PUBLISHED_COLOUR,
            label="MAGIC, published",
        )
    hours = responses[0].settings.hours
    ax.set(
        xlabel="energy threshold (GeV)" if is_integral else "estimated energy (GeV)",
        ylabel=f"{'integral ' if is_integral else ''}sensitivity in {hours:g} h (% of the Crab Nebula)",
    )
    ax.legend()
    return ax


def rate_curves(responses: Sequence[InstrumentResponse], *, ax: Axes | None = None) -> Axes:
    """Draw rates of gammas (filled) and of background (open) after the cuts of each bin of estimated energy."""
    ax = axes_or_current(ax)
    ax.set(xscale="log", yscale="log")  # first: linear limits of an empty panel have no logarithm
    colours, shapes = method_colours([r.method for r in responses]), markers([r.method for r in responses])
    for n, response in enumerate(responses):
        curve = response.differential
        energy = np.sqrt(curve.energy_min_gev * curve.energy_max_gev) * 1.025 ** (n - 0.5 * (len(responses) - 1))
        for rate, error, face in (
            (curve.gamma_hz, curve.gamma_error_hz, colours[response.method]),
            (curve.background_hz, curve.background_error_hz, "white"),
        ):
            limit = curve.is_limit & (face == "white")
            drawn = rate > 0.0
            ax.errorbar(
                energy[drawn],
                60.0 * rate[drawn],
                60.0 * np.where(limit, 0.4 * rate, error)[drawn],
                uplims=limit[drawn],
                fmt=shapes[response.method],
                mfc=face,
                ms=4.5,
                color=colours[response.method],
                label=response.method if face != "white" else None,
            )
    published = published_sensitivity(responses[0].zenith_deg)
    if published is not None:
        energy = np.sqrt(published["energy_min_gev"] * published["energy_max_gev"])
        ax.plot(energy, published["gamma_per_min"], "*-", color=PUBLISHED_COLOUR, label="MAGIC, published")
        ax.plot(energy, published["background_per_min"], "*--", mfc="white", color=PUBLISHED_COLOUR)
    ax.set(xlabel="estimated energy (GeV)", ylabel="gammas and (open) background per minute")
    ax.legend()
    return ax


def draw_areas(responses: Sequence[InstrumentResponse], path: Path | str) -> None:
    """Write the effective areas of one zenith range as PNG.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    with figure_style():
        figure = _figure(1)
        area_curves(responses, ax=figure.subplots()).set_title(_title(responses))
        _save(figure, path)


def draw_sensitivity(responses: Sequence[InstrumentResponse], path: Path | str) -> None:
    """Write rates, differential and integral sensitivity of one zenith range as PNG.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    with figure_style():
        figure = _figure(3)
        axes = figure.subplots(1, 3)
        rate_curves(responses, ax=axes[0]).set_title(_title(responses))
        sensitivity_curves(responses, ax=axes[1]).set_title(f"background: {', '.join(responses[0].kinds)}")
        sensitivity_curves(responses, is_integral=True, ax=axes[2]).set_title("above a threshold")
        _save(figure, path)


def _title(responses: Sequence[InstrumentResponse]) -> str:
    return "zenith {:g}–{:g} deg".format(*responses[0].zenith_deg)


def _figure(n_panels: int) -> Figure:
    from matplotlib.figure import Figure as NewFigure

    return NewFigure(figsize=(6.0 * n_panels, 4.6), layout="constrained")


def _save(figure: Figure, path: Path | str) -> None:
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=_DPI)
