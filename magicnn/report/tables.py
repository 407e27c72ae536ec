"""Numbers as a reader wants them: with their interval, in tables and in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from magicnn.evaluation.binning import Range
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable
from magicnn.evaluation.verdict import CLEAR_SIGMA, better_by, comparison_of, error_digits
from magicnn.report.inputs import RealEvents, ReportInputs

__all__ = [
    "TextTable",
    "classification_table",
    "cut_flow_table",
    "energy_table",
    "generated_table",
    "interval",
    "range_label",
    "real_table",
    "verdict_sentences",
]

_TYPICAL_ENERGY_GEV = 500.0  # the bin in the sentences of the summary lies next to it
_ASYMMETRIC = 1.6  # bootstrap intervals that differ by less are within their own noise

_MOST_REAL = 30
_NOT_DISTINGUISHABLE = "not distinguishable"

MISSING = Markup('<span class="missing">–</span>')

_CLASSIFICATION = (
    ("ROC AUC", "auc", 1.0),
    ("log loss", "log_loss", 1.0),
    ("F1 at gammaness > 0.5", "f1", 1.0),
    ("gamma efficiency at gammaness > 0.5 [%]", "gamma_efficiency_c50", 100.0),
    ("hadron efficiency at gammaness > 0.5 [%]", "hadron_efficiency_c50", 100.0),
)
_AT_CUT = (
    ("gammaness cut", "gammaness_cut", 1.0),
    ("gamma efficiency [%]", "gamma_efficiency", 100.0),
    ("hadron efficiency [%]", "hadron_efficiency", 100.0),
    ("Q", "q", 1.0),
    ("Crab gammas per minute", "gamma_rate_per_min", 1.0),
    ("protons per minute", "hadron_rate_per_min", 1.0),
    ("purity [%]", "purity", 100.0),
)
_CONFUSION = (
    ("gammas taken for gammas", "confusion_tp"),
    ("gammas taken for hadrons", "confusion_fn"),
    ("protons taken for gammas", "confusion_fp"),
    ("protons taken for hadrons", "confusion_tn"),
)


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table for the page.

    Attributes
    ----------
    header : tuple of str
        Column heads.
    rows : tuple of tuple of str
        Cells, the first one the row's head; a row of one cell divides the table.
    caption : str
        What it shows.
    files : tuple of str
        Files with its numbers, relative to the page.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str
    files: tuple[str, ...] = ()


def range_label(zenith_deg: Range) -> str:
    """Return ``"5–35°"``."""
    return f"{zenith_deg[0]:g}–{zenith_deg[1]:g}°"


def interval(row: MetricRow | None, scale: float = 1.0) -> Markup:
    """Format a number with its interval.

    Parameters
    ----------
    row : MetricRow or None
        The number.
    scale : float
        Factor, 100 for percent.

    Returns
    -------
    Markup
        ``0.912 ± 0.006``, both errors when they differ, a limit where only one end exists, a dash where there is
        nothing. The larger error decides on the digits, by the rule of the Particle Data Group. An interval without
        width comes from too few showers to resample and is called not known.
    """
    if row is None:
        return MISSING
    value, low, high = (scale * v for v in (row.value, row.low, row.high))
    if math.isnan(value):
        if math.isnan(low):
            return MISSING
        return Markup("&gt;&thinsp;{}").format(_figures(low))
    if math.isnan(low) or math.isnan(high):
        text = _figures(value)
        return escape(text) if math.isnan(low) else Markup("{} (&gt;&thinsp;{})").format(text, _figures(low))
    if math.isclose(low, high, rel_tol=1e-9, abs_tol=1e-12):
        return Markup('<span class="number">{} <span class="error">(interval not known)</span></span>').format(
            _figures(value)
        )
    below, above = max(0.0, value - low), max(0.0, high - value)
    digits = error_digits(max(below, above))
    number, minus, plus = (_fixed(v, digits) for v in (value, below, above))
    if minus == plus or max(below, above) < _ASYMMETRIC * min(below, above):
        error = _fixed(0.5 * (below + above), digits)
        return Markup('<span class="number">{} <span class="error">±&thinsp;{}</span></span>').format(number, error)
    return Markup(
        '<span class="number">{}<span class="errors">'
        '<span class="error">+{}</span><span class="error">−{}</span></span></span>'
    ).format(number, plus, minus)


def _decimals(value: float) -> int:
    """Decimals that show three figures of a number."""
    return max(0, 2 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else 2


def _figures(value: float) -> str:
    return _fixed(value, _decimals(value))


def _fixed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def classification_table(metrics: MetricsTable, zenith_deg: Range, methods: Sequence[str]) -> TextTable:
    """Return every measure of the classification, one column per method."""
    rows: list[tuple[str, ...]] = [
        (title, *(interval(metrics.row(m, name, zenith_deg), scale) for m in methods))
        for title, name, scale in _CLASSIFICATION
    ]
    suffixes = [f"g{round(100 * e):02d}" for e in metrics.settings.get("gamma_efficiencies", ())]
    for suffix in [*suffixes, "qmax"]:
        rows.append(
            ("at the cut of the largest Q" if suffix == "qmax" else f"at {int(suffix[1:])} % gamma efficiency",)
        )
        rows += [
            (title, *(interval(metrics.row(m, f"{name}_{suffix}", zenith_deg), scale) for m in methods))
            for title, name, scale in _AT_CUT
        ]
    rows.append(("confusion matrix at gammaness > 0.5",))
    rows += [(title, *(interval(metrics.row(m, name, zenith_deg)) for m in methods)) for title, name in _CONFUSION]
    counts = {m: metrics.row(m, "auc", zenith_deg) for m in methods}
    n = max((r.n_events for r in counts.values() if r), default=0)
    caption = f"Gamma/hadron separation at zenith {range_label(zenith_deg)}: {n} diffuse gammas and protons."
    return TextTable(("", *methods), tuple(rows), caption)


def energy_table(metrics: MetricsTable, zenith_deg: Range, methods: Sequence[str]) -> TextTable:
    """Return bias and resolution in every definition, one row per energy bin and method."""
    names = ("bias_median", "resolution_half68", "bias_gauss", "resolution_gauss", "bias_mean", "resolution_rms")
    rows: list[tuple[str, ...]] = []
    bins = sorted({(r.energy_min_gev, r.energy_max_gev) for r in metrics.select(task="energy", metric=names[0])})
    for bin_gev in bins:
        found = {m: metrics.row(m, names[0], zenith_deg, bin_gev) for m in methods}
        n = max((r.n_events for r in found.values() if r), default=0)
        rows.append((f"{bin_gev[0]:g}–{bin_gev[1]:g} GeV, {n} events",))
        if n:
            rows += [
                (m, *(interval(metrics.row(m, name, zenith_deg, bin_gev), 100.0) for name in names)) for m in methods
            ]
    header = ("", "bias, median", "half 68 %", "bias, fit", "σ, fit", "mean", "RMS")
    return TextTable(
        header, tuple(rows), f"Energy error E_reco / E_true − 1 in percent, zenith {range_label(zenith_deg)}."
    )


def cut_flow_table(inputs: ReportInputs) -> TextTable:
    """Return how many events each stage leaves."""
    stages = list(dict.fromkeys(stage for flow in inputs.cut_flow.values() for stage in flow))
    rows = tuple(
        (name, *(f"{flow[s]:,}".replace(",", " ") if s in flow else MISSING for s in stages))
        for name, flow in inputs.cut_flow.items()
    )
    return TextTable(("event set", *stages), rows, "Events left after each stage.")


def generated_table(inputs: ReportInputs) -> TextTable:
    """Return what the productions of the test events threw."""
    rows = []
    tables = [t for many in inputs.predictions.values() for t in many if t.generated]
    for table in sorted(tables, key=lambda t: (t.particle or "", t.generated["zenith_min_deg"])):
        g = table.generated
        is_ring = g["viewcone_max_deg"] <= g["viewcone_min_deg"]
        cone = (
            f"ring of {g['viewcone_min_deg']:g}°"
            if is_ring
            else f"{g['viewcone_min_deg']:g}–{g['viewcone_max_deg']:g}°"
        )
        rows.append(
            (
                table.particle or "",
                range_label((g["zenith_min_deg"], g["zenith_max_deg"])),
                f"{g['energy_min_gev']:g}–{g['energy_max_gev']:g} GeV",
                Markup("E<sup>−{:g}</sup>").format(g["spectral_index"]),
                cone,
                f"{g['scatter_radius_m']:g} m",
                f"{g['n_thrown']:,.0f}".replace(",", " "),
                f"{len(table):,}".replace(",", " "),
            )
        )
    header = (
        "particle",
        "zenith",
        "energy",
        "spectrum",
        "view cone",
        "scatter radius at 1 TeV",
        "thrown",
        "test events",
    )
    return TextTable(header, tuple(dict.fromkeys(rows)), "What was thrown for the test events, and how many remained.")


def real_table(real: RealEvents) -> TextTable:
    """Return gammaness and energy of real events by every method."""
    if not real.predictions:
        return TextTable((), (), "")
    tables = real.predictions
    header, columns = ["event"], []
    first = next(iter(tables.values()))
    for method, table in tables.items():
        if "gammaness" in table and np.isfinite(table["gammaness"]).any():
            header.append(f"gammaness, {method}")
            columns.append([MISSING if math.isnan(v) else f"{v:.3f}" for v in table["gammaness"]])
        if "reco_energy_gev" in table and np.isfinite(table["reco_energy_gev"]).any():
            header.append(f"energy [GeV], {method}")
            error = (
                table["reco_energy_uncert_gev"] if "reco_energy_uncert_gev" in table else np.full(len(table), np.nan)
            )
            columns.append([_with_error(v, e) for v, e in zip(table["reco_energy_gev"], error, strict=True)])
    rows = tuple((str(event), *cells) for event, *cells in zip(first["event_id"].tolist(), *columns, strict=True))
    shown = f"The first {_MOST_REAL} of {len(rows)} real events" if len(rows) > _MOST_REAL else "Real events"
    return TextTable(tuple(header), rows[:_MOST_REAL], f"{shown}; the dash: the method cannot judge the event.")


def _with_error(value: float, error: float) -> str:
    if math.isnan(value):
        return MISSING
    return (
        f"{value:.0f}"
        if math.isnan(error)
        else Markup('<span class="number">{:.0f} <span class="error">±&thinsp;{:.0f}</span></span>').format(
            value, error
        )
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """One sentence of the summary.

    Attributes
    ----------
    text : Markup
        The sentence.
    state : {"better", "par", "worse", "open"}
        Above parity by two standard deviations or more, within two, below by two or more, or not known.
    n_sigma : float
        Distance above parity in standard deviations; NaN when not known.
    """

    text: Markup
    state: str
    n_sigma: float

    @property
    def label(self) -> str:
        """The verdict in a word, with the number of standard deviations."""
        if self.state == "open":
            return "open"
        return f"{_NOT_DISTINGUISHABLE if self.state == 'par' else self.state}, {_fixed(self.n_sigma, 1)} σ"


def verdict_sentences(metrics: MetricsTable, zenith_deg: Range) -> list[Verdict]:
    """Return a sentence per pair of methods and task for a zenith range."""
    sentences = []
    for a, b in (tuple(pair) for pair in metrics.settings.get("comparisons", ())):
        difference = metrics.row(f"{a} vs {b}", "auc_difference", zenith_deg)
        if difference is not None:
            state, words, n_sigma = _standing(metrics, difference)
            text = Markup("ROC AUC: {} {} against {} {}; {}.").format(
                a,
                interval(metrics.row(a, "auc", zenith_deg)),
                b,
                interval(metrics.row(b, "auc", zenith_deg)),
                words,
            )
            sentences.append(Verdict(text, state, n_sigma))
        means = metrics.select(method=f"{a} vs {b}", metric="resolution_half68_ratio_mean", zenith_deg=zenith_deg)
        if means:
            sentences.append(_energy_sentence(metrics, zenith_deg, a, b, means[0]))
    return sentences


def _standing(metrics: MetricsTable, row: MetricRow) -> tuple[str, str, float]:
    found = comparison_of(metrics, row)
    first, distance = row.method.split(" vs ")[0], found.significance
    if not math.isfinite(found.value) or math.isnan(distance):
        return "open", better_by(first, found), math.nan
    state = "better" if distance >= CLEAR_SIGMA else "par" if distance > -CLEAR_SIGMA else "worse"
    return state, better_by(first, found), distance


def _energy_sentence(metrics: MetricsTable, zenith_deg: Range, a: str, b: str, mean: MetricRow) -> Verdict:
    threshold = metrics.row("trigger", "energy_threshold_gev", zenith_deg)
    least = metrics.settings.get("comparison_min_events", 0)
    state, words, n_sigma = _standing(metrics, mean)
    if state == "open":
        text = Markup("Energy resolution of {} against {}: no energy bin above threshold has {} events.").format(
            a, b, least
        )
        return Verdict(text, state, n_sigma)
    bins = [
        r
        for r in metrics.select(method=f"{a} vs {b}", metric="resolution_half68_ratio", zenith_deg=zenith_deg)
        if r.n_events >= least and mean.energy_min_gev <= r.energy_min_gev < mean.energy_max_gev
    ]
    shown = min(bins, key=lambda r: abs(math.log(r.energy_min_gev * r.energy_max_gev / _TYPICAL_ENERGY_GEV**2)))
    bin_gev = (shown.energy_min_gev, shown.energy_max_gev)
    text = Markup(
        "Energy resolution (half 68&nbsp;%): {} {}&nbsp;% against {} {}&nbsp;% at {:g}–{:g}&nbsp;GeV; {} over {} is {} "
        "in the mean over {:g}–{:g}&nbsp;GeV (threshold {}&nbsp;GeV), {}."
    ).format(
        a,
        interval(metrics.row(a, "resolution_half68", zenith_deg, bin_gev), 100.0),
        b,
        interval(metrics.row(b, "resolution_half68", zenith_deg, bin_gev), 100.0),
        *bin_gev,
        b,
        a,
        interval(mean),
        mean.energy_min_gev,
        mean.energy_max_gev,
        interval(threshold),
        words,
    )
    return Verdict(text, state, n_sigma)
