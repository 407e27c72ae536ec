"""Real events, which have no truth: distributions beside simulated protons, and a source against off regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from magicnn.array import camera_from_sky
from magicnn.evaluation.metrics_table import write_ecsv
from magicnn.evaluation.rates import sample_rates_hz
from magicnn.evaluation.samples import Sample
from magicnn.evaluation.signal import Signal, li_ma_significance
from magicnn.evaluation.spectra import proton_flux
from magicnn.predictions import PredictionTable
from magicnn.report.drawing import Drawn, Panel, draw
from magicnn.report.event_figures import event_figures
from magicnn.report.inputs import RealEvents
from magicnn.report.real_plots import cumulated_significance, real_histograms, theta2_histogram
from magicnn.report.table_data import real_ecsv, with_file
from magicnn.report.tables import TextTable, real_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SignalSection", "real_figures", "real_values", "signal_section"]

Floats = NDArray[np.float64]
Values = Callable[[Mapping[str, Any]], Floats]

_N_BINS = 20
_ZENITH_MARGIN_DEG = 5.0
_COLUMNS = {
    "method": ("string", "", "method"),
    "run_id": ("int64", "", "run; 0 for all together"),
    "gammaness_cut": ("float64", "", "gammaness from which on events are kept"),
    "theta2_cut_deg2": ("float64", "deg2", "circle around source and off positions"),
    "n_on": ("int64", "", "events around the source"),
    "n_off": ("int64", "", "events around all off positions"),
    "alpha": ("float64", "", "exposure of the on region over that of the off regions"),
    "excess": ("float64", "", "n_on - alpha n_off"),
    "excess_error": ("float64", "", "sqrt(n_on + alpha^2 n_off)"),
    "significance": ("float64", "", "Li and Ma 1983, equation 17"),
}


@dataclass(frozen=True, slots=True)
class SignalSection:
    """What is shown of a source.

    Attributes
    ----------
    figures : list of Drawn
        Squared angles to the source and to the off positions per method, significance against time.
    table, runs : TextTable
        Counts, excess and significance of every method, and of every run.
    """

    figures: list[Drawn]
    table: TextTable
    runs: TextTable


def real_values(real: RealEvents | None, proton: Sample, root: Path) -> dict[str, Any]:
    """Draw everything about real events for the templates that show them.

    Parameters
    ----------
    real : RealEvents or None
        The events.
    proton : Sample
        Simulated protons to show beside them.
    root : Path
        Folder of the page, with ``figures`` and ``tables``.

    Returns
    -------
    dict
        ``real`` and what ``macros.html`` shows of it; empty without real events.
    """
    if real is None:
        return {"real": None}
    folder, beside = root / "figures", root / "tables"
    return {
        "real": real,
        "signal": signal_section(real.signals, folder, beside, source=real.source),
        "real_figures": real_figures(real.predictions, proton, folder),
        "real_table": with_file(real_table(real), beside, "real_events", real_ecsv(real)),
        "real_events": event_figures(real.examples, name="real", folder=folder) if real.examples else [],
    }


def real_figures(predictions: Mapping[str, PredictionTable], proton: Sample, folder: Path) -> list[Drawn]:
    """Draw what methods say of real events beside what they say of simulated protons.

    Parameters
    ----------
    predictions : mapping of method to PredictionTable
        Real events; those that pass the quality cuts are drawn.
    proton : Sample
        Simulated protons; those of the zenith distances of the real events are drawn.
    folder : Path
        For the files.

    Returns
    -------
    list of Drawn
        Gammaness, estimated energy, size of the fainter image, angle of the direction to the pointing, as far as known.
    """
    real = {m: t.select(t["is_valid"].astype(bool)) if "is_valid" in t else t for m, t in predictions.items()}
    proton, weights = _protons_like(real, proton)
    spectrum = ", weighted to the spectrum of cosmic rays" if proton.generated else ""
    shown = []
    for name, title, edges, values in (
        ("gammaness", "Gammaness", np.linspace(0.0, 1.0, _N_BINS + 1), _column("gammaness")),
        ("reco_energy_gev", "Estimated energy [GeV]", np.geomspace(40.0, 2e4, _N_BINS + 1), _column("reco_energy_gev")),
        ("size", "Size of the fainter image [phe]", np.geomspace(40.0, 2e4, _N_BINS + 1), _column("size_min_pe")),
        ("offset2", "Squared angle of direction to pointing [deg²]", np.linspace(0.0, 4.0, _N_BINS + 1), _offset2),
    ):
        measured = {m: values(t.columns) for m, t in real.items()}
        measured = {m: v[np.isfinite(v)] for m, v in measured.items() if np.isfinite(v).any()}
        if not measured:
            continue
        simulated = {m: v for m in measured if np.isfinite(v := values(_said(proton, m))).any()}
        judged = np.logical_and.reduce([proton.judged([], ""), weights > 0.0, *map(np.isfinite, simulated.values())])
        same = _that_differ(measured)
        caption = (
            f"{title.split(' [')[0]}: {max(map(len, measured.values()))} real events (full)"
            + (f" and {np.count_nonzero(judged)} simulated protons (dashed{spectrum})" if simulated else "")
            + ", after quality cuts. Bands: statistical."
            + (f" The same for {', '.join(measured)}." if len(same) < len(measured) else "")
        )

        def draw_both(
            ax: Axes,
            measured: Mapping[str, Floats] = {m: measured[m] for m in same},
            simulated: Mapping[str, Floats] = {m: v[judged] for m, v in simulated.items() if m in same},
            weights: Floats = weights[judged],
            edges: Floats = edges,
            title: str = title,
        ) -> None:
            real_histograms(measured, simulated, weights, edges, label=title, ax=ax)

        shown.append(draw(Panel(f"real_{name}", caption, draw_both), folder))
    return shown


def signal_section(signals: Sequence[Signal], folder: Path, beside: Path, *, source: str) -> SignalSection | None:
    """Draw a source and count its events.

    Parameters
    ----------
    signals : sequence of Signal
        One per method.
    folder, beside : Path
        For the files of the figures and of the tables.
    source : str
        What the source is, for the captions.

    Returns
    -------
    SignalSection or None
        None without signals.
    """
    if not signals:
        return None
    figures = [
        draw(Panel(f"theta2_{k}", _theta2_caption(s, source), lambda ax, s=s: theta2_histogram(s, ax=ax)), folder)  # type: ignore[misc]
        for k, s in enumerate(signals)
    ]
    caption = (
        f"Significance of the excess at {source} as it grew, Li and Ma 1983, equation 17, against the time from the "
        "first to the last event of each run, runs one after the other."
    )
    figures.append(draw(Panel("significance", caption, lambda ax: cumulated_significance(signals, ax=ax)), folder))
    rows = [_row(s, 0, s.n_on, s.n_off) for s in signals]
    runs = [_row(s, *counts) for s in signals for counts in s.by_run()]
    cut = signals[0].settings
    table = TextTable(
        ("method", "gammaness ≥", "N on", "N off", "α", "excess", "significance"),
        tuple((r["method"], f"{r['gammaness_cut']:.3f}", *_cells(r)) for r in rows),
        f"Events within θ² < {cut.theta2_cut_deg2:g} deg² of {source}, and of {cut.n_off} off positions at the same "
        f"distance to the pointing{_energies(signals[0])}. Excess: N on − α N off.",
    )
    by_run = TextTable(
        ("run", "method", "N on", "N off", "α", "excess", "significance"),
        tuple((str(r["run_id"]), r["method"], *_cells(r)) for r in sorted(runs, key=lambda r: r["run_id"])),
        "The same run by run.",
    )
    ecsv = write_ecsv(_COLUMNS, [*rows, *runs], meta={"table": "signal", "source": source})
    return SignalSection(figures, with_file(table, beside, "signal", ecsv), by_run)


def _theta2_caption(signal: Signal, source: str) -> str:
    settings = signal.settings
    return (
        f"{signal.method}: squared angle of the reconstructed direction to {source} (points) and, divided by "
        f"{settings.n_off}, to {settings.n_off} off positions at the same distance to the pointing (filled), up to "
        f"where the regions would overlap. Gammaness of at least {signal.gammaness_cut:.3f}{_energies(signal)}. "
        f"Dashed: the circle that events are counted in, θ² < {settings.theta2_cut_deg2:g} deg². Errors: "
        "square roots of counts."
    )


def _energies(signal: Signal) -> str:
    low, high = signal.settings.min_energy_gev, signal.settings.max_energy_gev
    if np.isfinite(high):
        return f", estimated energy {low:g}–{high:g} GeV"
    return f", estimated energy above {low:g} GeV" if low > 0.0 else ""


def _row(signal: Signal, run: int, n_on: int, n_off: int) -> dict[str, Any]:
    alpha = signal.alpha
    return {
        "method": signal.method,
        "run_id": run,
        "gammaness_cut": signal.gammaness_cut,
        "theta2_cut_deg2": signal.settings.theta2_cut_deg2,
        "n_on": n_on,
        "n_off": n_off,
        "alpha": alpha,
        "excess": n_on - alpha * n_off,
        "excess_error": float(np.sqrt(n_on + alpha**2 * n_off)),
        "significance": float(li_ma_significance(n_on, n_off, alpha)),
    }


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    minus = f"{row['excess']:.1f}".replace("-", "−")
    excess = Markup('<span class="number">{} <span class="error">±&thinsp;{:.1f}</span></span>').format(
        minus, row["excess_error"]
    )
    sigma = f"{row['significance']:.1f} σ".replace("-", "−")
    return str(row["n_on"]), str(row["n_off"]), f"{row['alpha']:.3g}", excess, sigma


def _column(name: str) -> Values:
    return lambda columns: np.asarray(columns[name], dtype=np.float64) if name in columns else np.full(1, np.nan)


def _offset2(columns: Mapping[str, Any]) -> Floats:
    """Squared angle of the reconstructed direction to the pointing, deg2."""
    names = ("reco_zenith_deg", "reco_azimuth_deg", "pointing_zenith_deg", "pointing_azimuth_deg")
    if any(name not in columns for name in names):
        return np.full(1, np.nan)
    x, y = camera_from_sky(*(columns[name] for name in names))
    squared: Floats = x**2 + y**2
    return squared


def _said(sample: Sample, method: str) -> Mapping[str, Any]:
    """Columns of the events and what a method says of them."""
    return {**sample.columns, **sample.predictions.get(method, {})} if len(sample) else {}


def _that_differ(values: Mapping[str, Floats]) -> list[str]:
    """Methods without those that say the same as one before."""
    kept: list[str] = []
    for method, mine in values.items():
        if not any(np.array_equal(mine, values[other]) for other in kept):
            kept.append(method)
    return kept


def _protons_like(real: Mapping[str, PredictionTable], proton: Sample) -> tuple[Sample, Floats]:
    """Simulated protons of the zenith distances of the real events, all when these are not known, and their weights."""
    zenith = [t["pointing_zenith_deg"] for t in real.values() if "pointing_zenith_deg" in t and len(t)]
    limits = (0.0, 90.0)
    if zenith:
        limits = (float(np.nanmin(zenith[0])) - _ZENITH_MARGIN_DEG, float(np.nanmax(zenith[0])) + _ZENITH_MARGIN_DEG)
        proton = proton.in_zenith(limits)
    if not proton.generated:
        return proton, proton.class_weight
    return proton, np.nan_to_num(sample_rates_hz(proton, limits, proton_flux))
