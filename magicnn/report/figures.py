"""The figures of the page: what is in each panel, and its caption."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magicnn.errors import InputError
from magicnn.evaluation.binning import PUBLISHED_ZENITH_BINS_DEG, Range
from magicnn.evaluation.samples import Role, Sample
from magicnn.report import plots
from magicnn.report.drawing import Drawn, Panel, draw, draw_together, embedded
from magicnn.report.inputs import ReportInputs
from magicnn.report.tables import range_label
from magicnn.report.truth_plots import migration_matrix, reliability_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "auc_figure",
    "energy_methods",
    "gammaness_methods",
    "picture_figures",
    "range_figures",
    "training_figures",
    "truth_figures",
]


def energy_methods(inputs: ReportInputs) -> list[str]:
    """Methods that estimate energies, in the order of the predictions."""
    able = {r.method for r in inputs.metrics.select(metric="resolution_half68")}
    return [m for m in inputs.predictions if m in able]


def gammaness_methods(inputs: ReportInputs) -> list[str]:
    """Methods that give a gammaness, in the order of the predictions."""
    able = {r.method for r in inputs.metrics.select(metric="auc")}
    return [m for m in inputs.predictions if m in able]


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
        draw_together(panels, folder / f"comparison_{code}.png", f"zenith {range_label(zenith_deg)}")
    return [draw(panel, folder) for panel in panels]


def _energy_panels(inputs: ReportInputs, ring: Sample, zenith_deg: Range, code: str) -> list[Panel]:
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
        return lambda ax: plots.energy_metric(
            inputs.metrics, metric, zenith_deg, methods, threshold_gev=threshold, ax=ax
        )

    panels = [
        Panel(f"bias_{code}", f"Energy bias: {counts}; {note}", against_energy(kind[0])),
        Panel(f"resolution_{code}", f"Energy resolution: {counts}; {note}", against_energy(kind[1])),
    ]
    if not is_published and len(judged):
        least = threshold if threshold is not None and np.isfinite(threshold) else 0.0
        above = judged.select(judged.columns["true_energy_gev"] >= least)
        caption = (
            f"Distribution of the energy error: {counts}, {len(above)} of them above threshold. "
            "The outermost bins hold what lies beyond. Bands: statistical."
        )
        panels.append(Panel(f"energy_errors_{code}", caption, lambda ax: plots.error_histograms(above, methods, ax=ax)))
    return panels


def _classification_panels(
    inputs: ReportInputs, gamma: Sample, proton: Sample, zenith_deg: Range, code: str
) -> list[Panel]:
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
        Panel(f"roc_{code}", f"ROC curves: {counts}. Bands: 68 %.", lambda ax: plots.roc_curves(roc, ax=ax)),
        Panel(
            f"gammaness_{code}",
            f"Gammaness: {counts}. Bands: statistical.",
            lambda ax: plots.gammaness_histograms(gamma, proton, methods, ax=ax),
        ),
        Panel(
            f"auc_energy_{code}",
            f"ROC AUC in bins of estimated energy: {counts}.",
            lambda ax: plots.auc_in_energy(inputs.metrics, zenith_deg, methods, ax=ax),
        ),
    ]


def truth_figures(inputs: ReportInputs, zenith_deg: Range, folder: Path) -> list[Drawn]:
    """Draw the calibration of the gammaness, and the migration matrix of every method that estimates energies."""
    metrics, where = inputs.metrics, f"zenith {range_label(zenith_deg)}"
    code = f"za{zenith_deg[0]:02g}to{zenith_deg[1]:02g}"

    def matrix(method: str) -> Callable[[Axes], Any]:
        return lambda ax: migration_matrix(metrics, zenith_deg, method, ax=ax)

    panels = []
    methods = gammaness_methods(inputs)
    if any(r.n_events for r in metrics.select(metric="reliability", zenith_deg=zenith_deg)):
        caption = (
            f"Calibration of the gammaness: {where}, diffuse gammas and protons. On the dotted line a gammaness is the "
            "share of gammas in the sample as it stands."
        )
        panels.append(
            Panel(f"reliability_{code}", caption, lambda ax: reliability_curves(metrics, zenith_deg, methods, ax=ax))
        )
    for k, method in enumerate(energy_methods(inputs)):
        if any(r.n_events for r in metrics.select(method=method, metric="migration", zenith_deg=zenith_deg)):
            caption = (
                f"{method}: migration of the energy, {where}, gammas of the ring. Every bin of true energy adds up to "
                "100 % but for estimates beyond the axis."
            )
            panels.append(Panel(f"migration_{k}_{code}", caption, matrix(method)))
    return [draw(panel, folder) for panel in panels]


def auc_figure(inputs: ReportInputs, zenith_bins_deg: Sequence[Range], folder: Path) -> Drawn:
    """Draw the AUC against the zenith distance."""
    methods = gammaness_methods(inputs)
    caption = "ROC AUC of diffuse gammas against protons, with 68 % intervals (bootstrap over showers)."
    return draw(
        Panel("auc_zenith", caption, lambda ax: plots.auc_by_zenith(inputs.metrics, zenith_bins_deg, methods, ax=ax)),
        folder,
    )


def training_figures(inputs: ReportInputs, folder: Path) -> list[Drawn]:
    """Draw the losses of every network."""

    def losses(history: Sequence[Mapping[str, Any]]) -> Callable[[Axes], Any]:
        return lambda ax: plots.training_curves(history, ax=ax)

    return [
        draw(
            Panel(
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


def picture_figures(inputs: ReportInputs, folder: Path) -> list[Drawn]:
    """Show the pictures that come as they are."""
    shown = []
    for caption, path in inputs.pictures.items():
        copied = folder / path.name
        try:
            copied.write_bytes(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: the picture cannot be copied to {copied} ({error.strerror})") from error
        shown.append(embedded(copied, title=caption, caption=caption))
    return shown
