"""Figures of instrument responses: areas, rates, sensitivity and angles, beside the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import Range
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable
from magicnn.evaluation.published import published_direction, published_sensitivity, released_area
from magicnn.evaluation.response.instrument import MIGRATION_EDGES, InstrumentResponse
from magicnn.report.style import INK, PUBLISHED_COLOUR, axes_or_current, figure_style, looks
from magicnn.runs import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "angular_curves",
    "area_curves",
    "dispersion_matrix",
    "draw_areas",
    "draw_sensitivity",
    "rate_curves",
    "sensitivity_curves",
]

Floats = NDArray[np.float64]

_DPI = 130
_SHARED_LEVELS = {"trigger": ":", "two images": "-.", "quality": "--"}
_MIN_EVENTS = 20
_TOP_DENSITY = 5.0  # of the energy dispersion: a Gaussian of 8 %; single events lie higher
_ARROW = 0.25  # of a limit, in its value


def area_curves(responses: Sequence[InstrumentResponse], *, after: str = "cuts", ax: Axes | None = None) -> Axes:
    """Draw effective areas against true energy: what methods share, and what is left after their cuts.

    Parameters
    ----------
    responses : sequence of InstrumentResponse
        Of one zenith range, one per method.
    after : {"cuts", "efficiency"}
        The cuts of best sensitivity, or those of fixed efficiency, which MAGIC's released areas stand beside.
    ax : matplotlib Axes, optional
        Where; the current ones when not given.

    Returns
    -------
    matplotlib Axes
    """
    ax = _log_axes(ax)
    edges = np.array(responses[0].settings.true_edges_gev)
    centre = np.sqrt(edges[1:] * edges[:-1])
    for level, line in _SHARED_LEVELS.items():
        curve = responses[0].areas[level]
        _log_points(ax, centre, curve.value, curve.error, label=level, color=INK, linestyle=line, linewidth=1.2)
    for place, (response, look) in zip(_beside(responses), _looks(responses), strict=True):
        curve = response.areas[after]
        label = f"{response.method}, after cuts"
        _log_points(ax, centre * place, curve.value, curve.error, label=label, markersize=4.5, linewidth=1.2, **look)
    released = released_area(responses[0].zenith_deg) if after == "efficiency" else None
    if released is not None:
        energy = np.sqrt(released["energy_min_gev"] * released["energy_max_gev"])
        ax.plot(energy, released["area_m2"], "x:", color=PUBLISHED_COLOUR, linewidth=1.0, label="MAGIC, released")
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(1e1, 1e6)
    ax.set_xlabel("true energy [GeV]")
    ax.set_ylabel("effective area [m²]")
    _legend(ax, loc="lower right", handlelength=2.4)
    return ax


def sensitivity_curves(
    responses: Sequence[InstrumentResponse], *, is_integral: bool = False, ax: Axes | None = None
) -> Axes:
    """Draw the sensitivity (Li and Ma, five off regions) with the published points; arrows mark limits."""
    ax = _log_axes(ax)
    for place, (response, look) in zip(_beside(responses), _looks(responses), strict=True):
        curve = response.integral if is_integral else response.differential
        value, low, high = (100.0 * part for part in curve.shares["lima_5"])
        upper = curve.energy_max_gev if not is_integral else curve.energy_min_gev
        energy = np.sqrt(curve.energy_min_gev * upper) * place
        _points_and_limits(ax, energy, value, low, high, curve.is_limit, label=response.method, **look)
    published = published_sensitivity(responses[0].zenith_deg, is_integral=is_integral)
    if published is not None:
        upper = published.get("energy_max_gev", published["energy_min_gev"])
        _published_points(
            ax,
            np.sqrt(published["energy_min_gev"] * upper),
            published["sensitivity_lima_5_percent"],
            published["sensitivity_lima_5_percent_err"],
        )
    hours = responses[0].settings.hours
    ax.set_xlabel("energy threshold [GeV]" if is_integral else "estimated energy [GeV]")
    ax.set_ylabel(f"{'integral ' if is_integral else ''}sensitivity, {hours:g} h [% Crab]")
    _legend(ax)
    return ax


def rate_curves(responses: Sequence[InstrumentResponse], *, what: str, ax: Axes | None = None) -> Axes:
    """Draw rates after the cuts of each bin of estimated energy, with the published ones; arrows mark limits.

    Parameters
    ----------
    responses : sequence of InstrumentResponse
        Of one zenith range, one per method.
    what : {"gamma", "background"}
        Gammas of the Crab Nebula, or background, both in the circle around the source.
    ax : matplotlib Axes, optional
        Where; the current ones when not given.

    Returns
    -------
    matplotlib Axes
    """
    ax = _log_axes(ax)
    for place, (response, look) in zip(_beside(responses), _looks(responses), strict=True):
        curve = response.differential
        energy = np.sqrt(curve.energy_min_gev * curve.energy_max_gev) * place
        rate, error, limit = curve.gamma_hz, curve.gamma_error_hz, np.zeros(len(energy), dtype=bool)
        if what == "background":
            rate, error, limit = curve.background_hz, curve.background_error_hz, curve.is_limit
        low, high = (60.0 * rate * np.exp(sign * _relative(rate, error)) for sign in (-1.0, 1.0))
        _points_and_limits(ax, energy, 60.0 * rate, low, high, limit, label=response.method, **look)
    published = published_sensitivity(responses[0].zenith_deg)
    if published is not None:
        energy = np.sqrt(published["energy_min_gev"] * published["energy_max_gev"])
        error = published.get(f"{what}_per_min_err", np.zeros(len(energy)))
        _published_points(ax, energy, published[f"{what}_per_min"], error)
    ax.set_xlabel("estimated energy [GeV]")
    ax.set_ylabel(f"{'gammas' if what == 'gamma' else 'background'} [1/min]")
    _legend(ax)
    return ax


def angular_curves(metrics: MetricsTable, zenith_deg: Range, methods: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw the angles that hold 39 % (filled) and 68 % (open) of the gammas against true energy, with intervals."""
    ax = axes_or_current(ax)
    ax.set_xscale("log")
    colours = looks(methods)
    drawn: list[float] = []
    for method, sharing in _with_same_directions(metrics, zenith_deg, methods).items():
        for share, face in ((39, None), (68, "none")):
            rows = _angular_rows(metrics, zenith_deg, method, share)
            if not rows:
                continue
            energy = np.array([np.sqrt(r.energy_min_gev * r.energy_max_gev) for r in rows])
            value, low, high = (np.array([getattr(r, n) for r in rows]) for n in ("value", "low", "high"))
            error = np.nan_to_num(np.clip(np.stack([value - low, high - value]), 0.0, None))
            look = colours[method] | ({"markerfacecolor": face, "linestyle": "--"} if face else {})
            ax.errorbar(
                energy,
                value,
                error,
                markersize=5,
                linewidth=1.2,
                capsize=2,
                label=f"{', '.join(sharing)}: {share} %",
                **look,
            )
            drawn.append(float(value.max()))
    published = published_direction(zenith_deg)
    if published is not None:
        for share, face in ((39, PUBLISHED_COLOUR), (68, "none")):
            name = f"angular_resolution_{share}"
            error = published[f"{name}_err"]
            _published_points(ax, published["energy_gev"], published[name], error, share=share, face=face)
    ax.set_xlim(40.0, 20000.0)
    ax.set_ylim(0.0, 1.5 * max([*drawn, 0.16]))
    ax.set_xlabel("true energy [GeV]")
    ax.set_ylabel("angular resolution [deg]")
    _legend(ax, loc="upper right", ncols=2, handlelength=2.0, columnspacing=1.0)
    return ax


def _angular_rows(metrics: MetricsTable, zenith_deg: Range, method: str, share: int) -> list[MetricRow]:
    rows = metrics.select(method=method, metric=f"angular_resolution_{share}", zenith_deg=zenith_deg)
    return [r for r in rows if r.n_events >= _MIN_EVENTS and np.isfinite(r.value) and r.energy_min_gev > 0.0]


def _with_same_directions(metrics: MetricsTable, zenith_deg: Range, methods: Sequence[str]) -> dict[str, list[str]]:
    """Methods by the first one that has their directions: several take the direction by DISP."""
    found: dict[tuple[float, ...], list[str]] = {}
    for method in methods:
        key = tuple(r.value for share in (39, 68) for r in _angular_rows(metrics, zenith_deg, method, share))
        found.setdefault(key, []).append(method)
    return {names[0]: names for names in found.values()}


def dispersion_matrix(response: InstrumentResponse, *, ax: Axes | None = None) -> Axes:
    """Draw the density of E_reco / E_true after all cuts in bins of true energy; empty where there are no events."""
    ax = axes_or_current(ax)
    edges = np.array(response.settings.true_edges_gev)
    shown = np.ma.masked_equal(response.dispersion.T, 0.0)
    mesh = ax.pcolormesh(edges, MIGRATION_EDGES, shown, cmap="viridis", vmin=0.0, vmax=_TOP_DENSITY, rasterized=True)
    figure = ax.get_figure()
    assert figure is not None
    figure.colorbar(mesh, ax=ax, pad=0.03, extend="max").set_label("probability density")
    ax.axhline(1.0, color=PUBLISHED_COLOUR, linewidth=0.8, linestyle=":")
    ax.set_xscale("log")
    ax.set_ylim(0.0, 2.5)
    ax.set_xlabel("true energy [GeV]")
    ax.set_ylabel(f"E_reco / E_true, {response.method}")
    return ax


def draw_areas(responses: Sequence[InstrumentResponse], path: Path | str) -> None:
    """Write the effective areas of one zenith range as PNG: after the cuts of best sensitivity and of fixed efficiency.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    with figure_style():
        figure = _figure(1, 2)
        left, right = figure.subplots(1, 2)
        area_curves(responses, ax=left).set_title(_title(responses))
        shares = "/".join(f"{100.0 * s:g}" for s in responses[0].settings.standard_efficiencies)
        area_curves(responses, after="efficiency", ax=right).set_title(f"{shares} % kept by gammaness and angle")
        _save(figure, path)


def draw_sensitivity(responses: Sequence[InstrumentResponse], path: Path | str) -> None:
    """Write rates, differential and integral sensitivity of one zenith range as PNG.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    with figure_style():
        figure = _figure(2, 2)
        axes = figure.subplots(2, 2).ravel()
        rate_curves(responses, what="gamma", ax=axes[0]).set_title(_title(responses))
        rate_curves(responses, what="background", ax=axes[1]).set_title(", ".join(responses[0].kinds))
        sensitivity_curves(responses, ax=axes[2])
        sensitivity_curves(responses, is_integral=True, ax=axes[3])
        _save(figure, path)


def _log_axes(ax: Axes | None) -> Axes:
    """Axes with two logarithmic scales, set before anything is drawn: linear limits have no logarithm."""
    ax = axes_or_current(ax)
    ax.set(xscale="log", yscale="log")
    return ax


def _looks(responses: Sequence[InstrumentResponse]) -> list[tuple[InstrumentResponse, dict[str, Any]]]:
    found = looks([r.method for r in responses])
    return [(r, found[r.method]) for r in responses]


def _beside(responses: Sequence[InstrumentResponse]) -> list[float]:
    """Factors that set the points of several methods apart a little."""
    return [1.03 ** (n - 0.5 * (len(responses) - 1)) for n in range(len(responses))]


def _relative(value: Floats, error: Floats) -> Floats:
    """Relative error, for intervals that stay above zero on a logarithmic axis."""
    relative: Floats = np.divide(error, value, out=np.zeros_like(value), where=value > 0.0)
    return relative


def _log_points(ax: Axes, x: Floats, value: Floats, error: Floats, **look: Any) -> None:
    drawn = value > 0.0
    relative = _relative(value, error)[drawn]
    shown = value[drawn]
    ax.errorbar(x[drawn], shown, np.stack([shown * -np.expm1(-relative), shown * np.expm1(relative)]), **look)


def _points_and_limits(
    ax: Axes, x: Floats, value: Floats, low: Floats, high: Floats, is_limit: NDArray[np.bool_], **look: Any
) -> None:
    """Draw points with intervals, and limits as open points with an arrow."""
    label = look.pop("label")
    style = {**look, "linestyle": "none", "markersize": 4.5, "linewidth": 1.2}
    known = np.isfinite(value) & (value > 0.0)
    for limit in (False, True):
        drawn = known & (is_limit == limit)
        if limit:
            arrows = _ARROW * value[drawn]
            ax.errorbar(
                x[drawn],
                value[drawn],
                arrows,
                uplims=True,
                markerfacecolor="none",
                label=None if (known & ~is_limit).any() else label,
                **style,
            )
        elif drawn.any():
            errors = np.nan_to_num(np.clip(np.stack([value - low, high - value])[:, drawn], 0.0, None))
            ax.errorbar(x[drawn], value[drawn], errors, label=label, **style)


def _published_points(
    ax: Axes, x: Floats, value: Floats, error: Floats, *, share: int | None = None, face: str = PUBLISHED_COLOUR
) -> None:
    name = "MAGIC, published" + (f", {share} %" if share else "")
    line: dict[str, Any] = {"linestyle": ":", "linewidth": 1.0, "marker": "*", "markerfacecolor": face}
    ax.errorbar(x, value, error, color=PUBLISHED_COLOUR, label=name, **line)


def _legend(ax: Axes, *, loc: str = "best", **options: Any) -> None:
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc=loc, fontsize=8.5, **options)


def _title(responses: Sequence[InstrumentResponse]) -> str:
    return "zenith {:g}–{:g} deg".format(*responses[0].zenith_deg)


def _figure(n_rows: int, n_columns: int) -> Figure:
    from matplotlib.figure import Figure as NewFigure

    return NewFigure(figsize=(6.0 * n_columns, 4.4 * n_rows), layout="constrained")


def _save(figure: Figure, path: Path | str) -> None:
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=_DPI)
