"""The figures of the page: drawn once, put into the page, and saved as PNG beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from magicnn.evaluation.binning import PUBLISHED_ZENITH_BINS_DEG, Range
from magicnn.evaluation.samples import Role, Sample
from magicnn.report import plots
from magicnn.report.inputs import ReportInputs
from magicnn.report.style import figure_style, method_colours, themed_svg
from magicnn.report.tables import range_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Drawn", "auc_figure", "energy_methods", "gammaness_methods", "range_figures", "training_figures"]

_SIZE = (4.8, 3.4)
_DPI = 120
_MARGINS = (0.16, 0.155, 0.795, 0.77)  # fixed: a layout engine would take most of the time


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure in the page.

    Attributes
    ----------
    content : Markup
        ``<svg>`` or ``<img>``.
    caption : str
        What it shows: zenith range, number of events, definition.
    """

    content: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class _Panel:
    """A set of axes to be drawn, alone and together with others."""

    name: str
    caption: str
    draw: Callable[[Axes], Any]


def energy_methods(inputs: ReportInputs) -> list[str]:
    """Methods that estimate energies, in the order of the predictions."""
    able = {r.method for r in inputs.metrics.select(metric="resolution_half68")}
    return [m for m in inputs.predictions if m in able]


def gammaness_methods(inputs: ReportInputs) -> list[str]:
    """Methods that give a gammaness, in the order of the predictions."""
    able = {r.method for r in inputs.metrics.select(metric="auc")}
    return [m for m in inputs.predictions if m in able]


def _draw(panel: _Panel, folder: Path | None = None) -> Drawn:
    """Draw a panel as themed SVG for the page, and as PNG when there is a folder for it."""
    from matplotlib.figure import Figure

    with figure_style():
        figure = Figure(figsize=_SIZE)
        ax = figure.add_axes(_MARGINS)
        panel.draw(ax)
        _legend(ax)
        if folder is not None:
            figure.savefig(folder / f"{panel.name}.png", dpi=_DPI, metadata={"Software": None})
        return Drawn(Markup(themed_svg(figure, name=panel.name, title=panel.caption)), panel.caption)


def _draw_together(panels: Sequence[_Panel], path: Path, title: str) -> None:
    """Save panels as one PNG, two in a row."""
    from matplotlib.figure import Figure

    n_rows = (len(panels) + 1) // 2
    left, bottom, width, height = _MARGINS
    with figure_style():
        figure = Figure(figsize=(2 * _SIZE[0], n_rows * _SIZE[1]))
        for k, panel in enumerate(panels):
            row, column = divmod(k, 2)
            place = ((column + left) / 2, (n_rows - 1 - row + bottom) / n_rows, width / 2, height / n_rows)
            ax = figure.add_axes(place)
            panel.draw(ax)
            ax.set_title(title, loc="right", fontsize=9.5)
            _legend(ax)
        figure.savefig(path, dpi=_DPI, metadata={"Software": None})


def _legend(ax: Axes) -> None:
    if ax.get_legend_handles_labels()[0] and ax.get_legend() is None:
        ax.legend(loc="best")


def range_figures(inputs: ReportInputs, samples: Mapping[Role, Sample], zenith_deg: Range, folder: Path) -> list[Drawn]:
    """Draw everything about a zenith range for the page, and save it together as ``comparison_*.png``.

    Bias, resolution and distribution of the energy error, ROC, gammaness, AUC against energy. The Gaussian fit is shown
    where published points, which are fits, lie over it; elsewhere median and half the 68 % interval, which the verdict
    uses.
    """
    code = f"za{zenith_deg[0]:02g}to{zenith_deg[1]:02g}"
    is_published = zenith_deg in PUBLISHED_ZENITH_BINS_DEG
    panels = _energy_panels(inputs, samples["ring_gamma"].in_zenith(zenith_deg), zenith_deg, code)
    if not is_published:
        gamma, proton = (samples[role].in_zenith(zenith_deg) for role in ("diffuse_gamma", "proton"))
        panels += _classification_panels(inputs, gamma, proton, zenith_deg, code)
    if panels:
        _draw_together(panels, folder / f"comparison_{code}.png", f"zenith {range_label(zenith_deg)}")
    return [_draw(panel) for panel in panels]


def _energy_panels(inputs: ReportInputs, ring: Sample, zenith_deg: Range, code: str) -> list[_Panel]:
    methods = energy_methods(inputs)
    if not methods or not all(m in ring.predictions for m in methods):
        return []
    is_published = zenith_deg in PUBLISHED_ZENITH_BINS_DEG
    found = inputs.metrics.row("trigger", "energy_threshold_gev", zenith_deg)
    threshold = found.value if found else None
    judged = ring.select(ring.judged(methods, "reco_energy_gev"))
    counts = f"zenith {range_label(zenith_deg)}, {len(judged)} gammas of the ring"
    if is_published:
        kind = ("bias_gauss", "resolution_gauss")
        note = "Gaussian fit; crosses: the published lookup tables of MAGIC. Dashed: energy threshold."
    else:
        kind = ("bias_median", "resolution_half68")
        note = "median and half the 68 % interval. Dashed: energy threshold."

    def against_energy(metric: str) -> Callable[[Axes], Any]:
        return lambda ax: plots.energy_metric(ax, inputs.metrics, metric, zenith_deg, methods, threshold_gev=threshold)

    panels = [
        _Panel(f"bias_{code}", f"Energy bias: {counts}; {note}", against_energy(kind[0])),
        _Panel(f"resolution_{code}", f"Energy resolution: {counts}; {note}", against_energy(kind[1])),
    ]
    if not is_published and len(judged):
        least = threshold if threshold is not None and np.isfinite(threshold) else 0.0
        above = judged.select(judged.columns["true_energy_gev"] >= least)
        caption = (
            f"Distribution of the energy error: {counts}, {len(above)} of them above threshold. "
            "The outermost bins hold what lies beyond. Bands: statistical."
        )
        panels.append(_Panel(f"energy_errors_{code}", caption, lambda ax: plots.error_histograms(ax, above, methods)))
    return panels


def _classification_panels(
    inputs: ReportInputs, gamma: Sample, proton: Sample, zenith_deg: Range, code: str
) -> list[_Panel]:
    methods = gammaness_methods(inputs)
    if not methods or not all(m in s.predictions for m in methods for s in (gamma, proton)):
        return []
    gamma, proton = (s.select(s.judged(methods, "gammaness")) for s in (gamma, proton))
    if not len(gamma) or not len(proton):
        return []
    n_gamma, n_proton = (int(np.count_nonzero(s.class_weight)) for s in (gamma, proton))
    counts = f"zenith {range_label(zenith_deg)}, {n_gamma} diffuse gammas, {n_proton} protons"
    roc = plots.compute_roc_curves(gamma, proton, methods)
    return [
        _Panel(f"roc_{code}", f"ROC curves: {counts}. Bands: 68 %.", lambda ax: plots.roc_curves(ax, roc)),
        _Panel(
            f"gammaness_{code}",
            f"Gammaness: {counts}. Bands: statistical.",
            lambda ax: plots.gammaness_histograms(ax, gamma, proton, methods),
        ),
        _Panel(
            f"auc_energy_{code}",
            f"ROC AUC in bins of estimated energy: {counts}.",
            lambda ax: plots.auc_in_energy(ax, inputs.metrics, zenith_deg, methods),
        ),
    ]


def auc_figure(inputs: ReportInputs, zenith_bins_deg: Sequence[Range], folder: Path) -> Drawn:
    """Draw the AUC against the zenith distance."""
    methods = gammaness_methods(inputs)
    caption = "ROC AUC of diffuse gammas against protons, with 68 % intervals (bootstrap over showers)."
    return _draw(
        _Panel("auc_zenith", caption, lambda ax: plots.auc_by_zenith(ax, inputs.metrics, zenith_bins_deg, methods)),
        folder,
    )


def training_figures(inputs: ReportInputs, folder: Path) -> list[Drawn]:
    """Draw the losses of every network."""
    colour = method_colours(["CNN"])["CNN"]

    def losses(history: Sequence[Mapping[str, Any]]) -> Callable[[Axes], Any]:
        return lambda ax: plots.training_curves(ax, history, colour=colour)

    return [
        _draw(
            _Panel(
                f"training_{k}",
                f"{name}: loss per epoch; the dotted line marks the epoch that was kept. The training loss of the "
                "energy weights events by their variance, that of the validation does not: heights differ.",
                losses(history),
            ),
            folder,
        )
        for k, (name, history) in enumerate(inputs.histories.items())
        if history
    ]
