"""Figures of the comparison: each takes data and axes, and returns the axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.evaluation.binning import Range
from magicnn.evaluation.classification import roc_band
from magicnn.evaluation.energy import energy_errors
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable
from magicnn.evaluation.published import published_energy
from magicnn.evaluation.resampling import ShowerBootstrap
from magicnn.evaluation.samples import Sample
from magicnn.report.style import LABELS, PUBLISHED_COLOUR, axes_or_current, looks, method_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "RocCurves",
    "auc_by_zenith",
    "auc_in_energy",
    "compute_roc_curves",
    "density_axis",
    "density_band",
    "energy_metric",
    "error_histograms",
    "gammaness_histograms",
    "roc_curves",
    "say_empty",
    "training_curves",
]

Floats = NDArray[np.float64]
_MIN_EVENTS = 20
_TEXT_TO_THE_LEFT_FROM_GEV = 3000.0
_LARGEST_PERCENT = 200.0  # axes of biases and resolutions reach no further, numbers beyond are written at the edge


def energy_metric(
    metrics: MetricsTable,
    metric: str,
    zenith_deg: Range,
    methods: Sequence[str],
    *,
    ax: Axes | None = None,
    threshold_gev: float | None = None,
    min_events: int = _MIN_EVENTS,
) -> Axes:
    """Draw an energy bias or resolution against true energy, with intervals.

    Parameters
    ----------
    metrics : MetricsTable
        Numbers.
    metric : str
        One of ``ENERGY_METRICS``. The published lookup-table points are added to the Gaussian fit and the RMS in the
        zenith ranges that they are for.
    zenith_deg : (float, float)
        Zenith range.
    methods : sequence of str
        Methods in the order of the legend.
    ax : matplotlib Axes, optional
        Where; the current ones when not given.
    threshold_gev : float, optional
        Energy threshold, drawn as a line.
    min_events : int
        Bins with fewer events are not drawn.

    Returns
    -------
    matplotlib Axes
    """
    ax = axes_or_current(ax)
    look = looks(methods)
    heights = [np.empty(0)]
    for k, method in enumerate(methods):
        rows = metrics.select(method=method, metric=metric, zenith_deg=zenith_deg)
        rows = [r for r in rows if r.n_events >= min_events and np.isfinite(r.value)]
        if not rows:
            continue
        shift = 1.0 + 0.035 * (k - 0.5 * (len(methods) - 1))
        edges = np.array([(r.energy_min_gev, r.energy_max_gev) for r in rows])
        energy = np.sqrt(edges.prod(axis=1)) * shift
        _with_intervals(ax, energy, rows, look[method], label=method)
        heights.append(np.array([r.value for r in rows]))
        _write_beyond(ax, energy, 100.0 * heights[-1], colour=look[method]["color"], line=k)
    published = published_energy(zenith_deg)
    if published is not None and metric in published.values:
        energy = np.sqrt(published.energy_min_gev * published.energy_max_gev)
        value, error = 100.0 * published.values[metric], 100.0 * published.errors[metric]
        ax.errorbar(
            energy,
            value,
            error,
            color=PUBLISHED_COLOUR,
            marker="x",
            linestyle=":",
            linewidth=1.0,
            label="published LUT",
        )
        heights.append(published.values[metric])
    if threshold_gev is not None and np.isfinite(threshold_gev):
        ax.axvline(threshold_gev, color=PUBLISHED_COLOUR, linewidth=0.9, linestyle="--")
    height = 100.0 * np.concatenate(heights)
    largest, smallest = float(np.max(height, initial=0.0)), float(np.min(height, initial=0.0))
    if metric.startswith("bias"):
        ax.axhline(0.0, color=PUBLISHED_COLOUR, linewidth=0.8)
        top = min(max(15.0, 1.15 * largest), _LARGEST_PERCENT)
        ax.set_ylim(-max(min(top, 30.0), -1.15 * smallest), top)
    else:
        ax.set_ylim(0.0, min(max(30.0, 1.45 * largest), _LARGEST_PERCENT))
    _energy_axis(ax, "true energy")
    _mark_cut_intervals(ax)
    ax.set_ylabel(f"{LABELS.get(metric, metric)} [%]")
    if len(heights) == 1 + (published is not None and metric in published.values):
        say_empty(f"fewer than {min_events} events per bin", ax=ax)
    return ax


def say_empty(why: str, *, ax: Axes) -> None:
    """Write into a panel without points why there are none."""
    ax.text(0.5, 0.94, why, transform=ax.transAxes, ha="center", va="top", color=PUBLISHED_COLOUR)


def _write_beyond(ax: Axes, x: Floats, percent: Floats, *, colour: str, line: int) -> None:
    """Write numbers that lie above the largest end of the axis at its edge, in one line per method."""
    for place, number in zip(x.tolist(), percent.tolist(), strict=True):
        if number > _LARGEST_PERCENT:
            text = ax.text(place, 0.99 - 0.07 * line, f" ↑ {number:.0f} % ", color=colour, va="top", fontsize=9)
            text.set_transform(ax.get_xaxis_transform())
            text.set_horizontalalignment("left" if place < _TEXT_TO_THE_LEFT_FROM_GEV else "right")


def _mark_cut_intervals(ax: Axes) -> None:
    """Put an arrow head on every interval that goes on beyond an end of the vertical axis."""
    from matplotlib.container import ErrorbarContainer
    from matplotlib.markers import CARETDOWN, CARETUP

    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    for bars in [c for c in ax.containers if isinstance(c, ErrorbarContainer)]:
        line, _, (segments,) = bars.lines
        for (x, low), (_, high) in segments.get_segments():
            for is_cut, edge, head in ((low < top < high, top, CARETUP), (low < bottom < high, bottom, CARETDOWN)):
                if is_cut and left <= x <= right:
                    ax.plot(x, edge, color=line.get_color(), marker=head, markersize=6, clip_on=False)


def _with_intervals(
    ax: Axes, x: Floats, rows: Sequence[MetricRow], look: Mapping[str, Any], *, label: str, scale: float = 100.0
) -> None:
    value, low, high = (scale * np.array([getattr(r, n) for r in rows]) for n in ("value", "low", "high"))
    error = np.nan_to_num(np.clip(np.stack([value - low, high - value]), 0.0, None))
    ax.errorbar(x, value, error, markersize=5, linewidth=1.2, capsize=2, label=label, **look)


def _energy_axis(ax: Axes, what: str) -> None:
    from matplotlib.ticker import NullFormatter

    ax.set_xscale("log")
    ax.set_xlim(40.0, 20000.0)
    ticks = [50, 100, 300, 1000, 3000, 10000]
    ax.set_xticks(ticks, [str(t) for t in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(f"{what} [GeV]")


def auc_in_energy(metrics: MetricsTable, zenith_deg: Range, methods: Sequence[str], *, ax: Axes | None = None) -> Axes:
    """Draw the AUC in bins of estimated energy, with intervals."""
    ax = axes_or_current(ax)
    look = looks(methods)
    is_empty = True
    for method in methods:
        rows = metrics.select(method=method, metric="auc", zenith_deg=zenith_deg, is_binned=True)
        rows = [r for r in rows if r.n_events >= 2 * _MIN_EVENTS and np.isfinite(r.value)]
        energy = np.array([np.sqrt(r.energy_min_gev * r.energy_max_gev) for r in rows])
        if rows:
            is_empty = False
            _with_intervals(ax, energy, rows, look[method], label=method, scale=1.0)
    _energy_axis(ax, "estimated energy")
    ax.set_ylabel(LABELS["auc"])
    ax.set_ylim(top=1.0 + 0.03 * (1.0 - min(0.9, ax.get_ylim()[0])))
    if is_empty:
        say_empty(f"fewer than {2 * _MIN_EVENTS} events per bin", ax=ax)
    return ax


def auc_by_zenith(
    metrics: MetricsTable, zenith_bins_deg: Sequence[Range], methods: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw the AUC of every method against the zenith distance, with intervals."""
    ax = axes_or_current(ax)
    look = looks(methods)
    step = min(0.8, 0.15 * min((high - low for low, high in zenith_bins_deg), default=0.0))
    is_empty = True
    for k, method in enumerate(methods):
        rows = [r for z in zenith_bins_deg if (r := metrics.row(method, "auc", z)) and np.isfinite(r.value)]
        if not rows:
            continue
        centre = np.array([0.5 * (r.zenith_min_deg + r.zenith_max_deg) for r in rows])
        shift = step * (k - 0.5 * (len(methods) - 1))
        is_empty = False
        _with_intervals(ax, centre + shift, rows, look[method], label=method, scale=1.0)
    ticks = [0.5 * (low + high) for low, high in zenith_bins_deg]
    ax.set_xticks(ticks, [f"{low:g}–{high:g}°" for low, high in zenith_bins_deg])
    if zenith_bins_deg:
        ax.set_xlim(min(low for low, _ in zenith_bins_deg), max(high for _, high in zenith_bins_deg))
    if is_empty:
        say_empty("no gammas and protons to tell apart", ax=ax)
    ax.set_xlabel("zenith distance of the pointing")
    ax.set_ylabel(LABELS["auc"])
    return ax


@dataclass(frozen=True, slots=True)
class RocCurves:
    """ROC curves of several methods for the same events, [K] points each.

    Attributes
    ----------
    hadron_efficiency : float64 array, [K]
        Where the curves are known; at least one proton is left everywhere.
    curves : mapping of method to (float64 array, float64 array, float64 array), [K]
        Gamma efficiency and the ends of its 68 % interval.
    """

    hadron_efficiency: Floats
    curves: Mapping[str, tuple[Floats, Floats, Floats]]


def compute_roc_curves(
    gamma: Sample, proton: Sample, methods: Sequence[str], *, n_replicates: int = 100, seed: int = 0
) -> RocCurves:
    """Compute ROC curves with 68 % bands.

    Parameters
    ----------
    gamma, proton : Sample
        Diffuse gammas and protons, those that every method judged.
    methods : sequence of str
        Methods with a gammaness.
    n_replicates, seed : int
        Bootstrap over showers.

    Returns
    -------
    RocCurves
    """
    grid = np.geomspace(max(1e-3, 1.0 / max(1, len(proton))), 1.0, 60)
    of_gammas, of_protons = (
        ShowerBootstrap.draw(s.shower, n_replicates, np.random.SeedSequence([seed, k])).sets(s.shower)
        for k, s in enumerate((gamma, proton))
    )
    curves = {}
    for method in methods:
        score_g, score_p = (s.predictions[method]["gammaness"] for s in (gamma, proton))
        curves[method] = roc_band(
            score_g,
            score_p,
            of_gammas,
            of_protons,
            grid,
            gamma_weight=gamma.class_weight,
            proton_weight=proton.class_weight,
        )
    return RocCurves(grid, curves)


def roc_curves(roc: RocCurves, *, ax: Axes | None = None) -> Axes:
    """Draw ROC curves with their bands, gamma efficiency against the logarithm of the hadron efficiency."""
    ax = axes_or_current(ax)
    colours = method_colours(roc.curves)
    for method, (value, low, high) in roc.curves.items():
        ax.fill_between(roc.hadron_efficiency, low, high, color=colours[method], alpha=0.22, linewidth=0)
        ax.plot(roc.hadron_efficiency, value, color=colours[method], label=method)
    chance = np.geomspace(1e-3, 1.0, 50)
    ax.plot(chance, chance, color=PUBLISHED_COLOUR, linewidth=0.8, linestyle=":")
    ax.set_xscale("log")
    ax.set_xlim(1e-3, 1.0)
    ax.set_ylim(0.0, 1.02)
    ax.set_xlabel("hadron efficiency")
    ax.set_ylabel("gamma efficiency")
    return ax


def gammaness_histograms(
    gamma: Sample, proton: Sample, methods: Sequence[str], *, ax: Axes | None = None, n_bins: int = 25
) -> Axes:
    """Draw the distributions of gammaness: gammas full, protons dashed, with the statistical band of every bin."""
    ax = axes_or_current(ax)
    colours = method_colours(methods)
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    for method in methods:
        for sample, line in ((gamma, "-"), (proton, "--")):
            score = sample.predictions[method]["gammaness"]
            name = f"{method}, {'gammas' if line == '-' else 'protons'}"
            weights = np.where(np.isfinite(score), sample.class_weight, 0.0)
            density_band(score, edges, colour=colours[method], line=line, label=name, weights=weights, ax=ax)
    density_axis(ax)
    bottom, top = 0.02, ax.get_ylim()[1]
    n_columns = max(1, min(3, len(methods)))
    n_lines = -(-2 * len(methods) // n_columns)
    # headroom for the legend, so that it covers no data
    ax.set_ylim(bottom, bottom * (top / bottom) ** (1.0 / (1.0 - 0.05 - 0.08 * n_lines)))
    ax.legend(loc="upper center", ncols=n_columns, columnspacing=1.0, handlelength=1.6, borderpad=0.1, fontsize=9)
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel("gammaness")
    return ax


def error_histograms(ring: Sample, methods: Sequence[str], *, ax: Axes | None = None, n_bins: int = 40) -> Axes:
    """Draw the distributions of the relative energy error, with the statistical band of every bin.

    The outermost bins hold what lies beyond.
    """
    ax = axes_or_current(ax)
    colours = method_colours(methods)
    edges = np.linspace(-1.0, 1.5, n_bins + 1)
    for method in methods:
        errors = energy_errors(ring.predictions[method]["reco_energy_gev"], ring.columns["true_energy_gev"])
        density_band(np.clip(errors, -0.999, 1.499), edges, colour=colours[method], line="-", label=method, ax=ax)
    if not len(ring):
        say_empty("no events above threshold", ax=ax)
    density_axis(ax)
    ax.set_xlim(-1.0, 1.5)
    ax.set_xlabel("E_reco / E_true − 1")
    return ax


def density_axis(ax: Axes) -> Axes:
    """Logarithmic axis from and to a power of ten: short tick labels, and two of them at least."""
    from matplotlib.patches import StepPatch
    from matplotlib.ticker import NullFormatter

    ax.set_yscale("log")
    drawn = np.concatenate([p.get_data()[0] for p in ax.patches if isinstance(p, StepPatch)] or [np.empty(0)])
    drawn = drawn[drawn > 0.0]
    if len(drawn):
        # 0.7: the emptiest bin stands clear of the axis
        ax.set_ylim(10.0 ** np.floor(np.log10(0.7 * drawn.min())), 10.0 ** np.ceil(np.log10(drawn.max())))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel("density")
    return ax


def density_band(
    values: Floats,
    edges: Floats,
    *,
    colour: str,
    line: str,
    label: str,
    weights: Floats | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a density with the band of its statistical error."""
    ax = axes_or_current(ax)
    weights = np.ones(len(values)) if weights is None else weights
    counts, squares = (np.histogram(values, edges, weights=weights**power)[0] for power in (1, 2))
    scale = 1.0 / (np.diff(edges) * max(1.0, float(weights.sum())))
    density, error = counts * scale, np.sqrt(squares) * scale
    ax.stairs(density, edges, color=colour, linestyle=line, label=label, linewidth=1.4)
    ax.stairs(density + error, edges, baseline=density - error, fill=True, color=colour, alpha=0.18, linewidth=0)
    return ax


def training_curves(history: Sequence[Mapping[str, Any]], *, colour: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw the losses of a training against the epoch and mark the epoch that was kept.

    Parameters
    ----------
    history : sequence of mapping
        One entry per epoch with ``epoch``, ``train_loss`` and ``validation_loss``; what is missing is left out.
    colour : str, optional
        Colour of the method; that of the networks when not given.
    ax : matplotlib Axes, optional
        Where; the current ones when not given.

    Returns
    -------
    matplotlib Axes
    """
    ax = axes_or_current(ax)
    colour = colour or method_colours(["CNN"])["CNN"]
    epoch = _series(history, "epoch")
    train, valid = _series(history, "train_loss"), _series(history, "validation_loss")
    ax.plot(epoch, train, color=colour, linestyle="--", label="training")
    ax.plot(epoch, valid, color=colour, marker="o", markersize=3, label="validation")
    if np.isfinite(valid).any():
        best = int(np.nanargmin(valid))
        ax.axvline(epoch[best], color=PUBLISHED_COLOUR, linewidth=0.9, linestyle=":")
        ax.annotate(
            f"best: {valid[best]:.4g}",
            (epoch[best], valid[best]),
            xytext=(4, 12) if best < 0.7 * len(epoch) else (-4, 12),
            ha="left" if best < 0.7 * len(epoch) else "right",
            textcoords="offset points",
            fontsize=9,
        )
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    ax.legend()
    return ax


def _series(history: Sequence[Mapping[str, Any]], name: str) -> Floats:
    values: ArrayLike = [np.nan if entry.get(name) is None else float(entry[name]) for entry in history]
    return np.asarray(values, dtype=np.float64)
