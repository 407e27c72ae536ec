"""Instrument response and sensitivity in the report: figures of a zenith range, and the comparison with MAGIC."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from magicnn.evaluation.binning import PUBLISHED_ZENITH_BINS_DEG
from magicnn.evaluation.metrics_table import MetricsTable, write_ecsv
from magicnn.evaluation.response.gates import Gate, area_gates, rate_gates
from magicnn.evaluation.response.instrument import InstrumentResponse
from magicnn.evaluation.response.many import range_code, save_responses
from magicnn.report.drawing import Drawn, Panel, draw
from magicnn.report.response_figures import (
    angular_curves,
    area_curves,
    dispersion_matrix,
    rate_curves,
    sensitivity_curves,
)
from magicnn.report.table_data import with_file
from magicnn.report.tables import TextTable, range_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ResponseRange", "gate_table", "response_panels", "response_ranges"]

_KINDS = ("proton", "helium", "electron")
_STATES = {"pass": "agrees", "fail": "differs", "open": "open", "limit": "limit"}
_COUNTED = {"pass": "agree", "fail": "differ", "open": "open", "limit": "limits"}
_BADGES = {"pass": "better", "fail": "worse", "open": "open", "limit": "open"}
_GATES = {
    "method": ("string", "", "method"),
    "quantity": ("string", "", "what is compared"),
    "zenith_min_deg": ("float64", "deg", "pointing"),
    "zenith_max_deg": ("float64", "deg", "pointing"),
    "energy_min_gev": ("float64", "GeV", "true energy of areas, estimated energy of rates"),
    "energy_max_gev": ("float64", "GeV", "upper edge"),
    "value": ("float64", "", "this simulation"),
    "error": ("float64", "", "standard error"),
    "reference_min": ("float64", "", "MAGIC"),
    "reference_max": ("float64", "", "MAGIC"),
    "allowed_min": ("float64", "", "range that counts as agreement"),
    "allowed_max": ("float64", "", "upper end"),
    "state": ("string", "", "pass, fail, open (too few events to tell), limit (too little simulated background)"),
}


@dataclass(frozen=True, slots=True)
class ResponseRange:
    """What is shown of a zenith range.

    Attributes
    ----------
    label : str
        The range.
    is_published : bool
        Whether published values are drawn.
    figures, dispersions : list of Drawn
        Curves, and the energy dispersion of every method.
    gates : TextTable
        Comparison with MAGIC; empty for ranges without published values.
    """

    label: str
    is_published: bool
    figures: list[Drawn]
    dispersions: list[Drawn]
    gates: TextTable


def response_ranges(responses: Sequence[InstrumentResponse], metrics: MetricsTable, root: Path) -> list[ResponseRange]:
    """Draw the responses of all methods, zenith range by zenith range, and write their files.

    Parameters
    ----------
    responses : sequence of InstrumentResponse
        Of several methods and zenith ranges.
    metrics : MetricsTable
        For the angular resolution.
    root : Path
        Folder of the page; ``figures`` and ``tables`` in it are there, ``response`` is made for the FITS files.

    Returns
    -------
    list of ResponseRange
        Those with published values first.
    """
    if not responses:
        return []
    save_responses(responses, root / "response")
    zeniths = dict.fromkeys(r.zenith_deg for r in responses)
    shown = []
    for zenith in sorted(zeniths, key=lambda z: (z not in PUBLISHED_ZENITH_BINS_DEG, z)):
        here = [r for r in responses if r.zenith_deg == zenith]
        gates = [gate for r in here for gate in (*area_gates(r), *rate_gates(r))]
        panels = response_panels(here, metrics)
        curves = [p for p in panels if not p.name.startswith("dispersion_")]
        matrices = [p for p in panels if p.name.startswith("dispersion_")]
        shown.append(
            ResponseRange(
                range_label(zenith),
                zenith in PUBLISHED_ZENITH_BINS_DEG,
                [draw(panel, root / "figures") for panel in curves],
                [draw(panel, root / "figures") for panel in matrices],
                with_file(gate_table(gates), root / "tables", f"gates_{range_code(zenith)}", _gates_ecsv(gates)),
            )
        )
    return shown


def response_panels(responses: Sequence[InstrumentResponse], metrics: MetricsTable) -> list[Panel]:
    """Return the figures of one zenith range, each saying what it contains.

    Parameters
    ----------
    responses : sequence of InstrumentResponse
        Of one zenith range, one per method.
    metrics : MetricsTable
        For the angular resolution; without it that figure is left out.

    Returns
    -------
    list of Panel
        The energy dispersion of every method last, in the published ranges only.
    """
    first = responses[0]
    zenith, settings = first.zenith_deg, first.settings
    code, where = range_code(zenith), f"zenith {range_label(zenith)}"
    methods = [r.method for r in responses]
    source = f"gammas {first.source_offset_deg:g}° off the pointing"
    best = (
        f"cuts of best sensitivity per bin of estimated energy, chosen on {100.0 * settings.optimisation_share:g} % of "
        "the showers and counted on the others"
    )
    gammaness, circle = (100.0 * s for s in settings.standard_efficiencies)
    background = _background(first)
    arrows = (
        f"Open points with arrows: upper limits, fewer than {settings.min_background:g} effective simulated background "
        "showers are left."
    )
    is_published = zenith in PUBLISHED_ZENITH_BINS_DEG
    stars = " Stars: Aleksić et al. 2016, tables A.5–A.8." if is_published else ""
    errors = "Errors: 68 %, from the scatter of showers."

    panels = [
        Panel(
            f"area_cuts_{code}",
            f"Effective area, {where}, {source}: triggered; with a cleaned image in both telescopes; after quality "
            f"cuts; after {best}. {errors}",
            lambda ax: area_curves(responses, ax=ax),
        ),
        Panel(
            f"area_efficiency_{code}",
            f"Effective area, {where}, {source}: as before, and after cuts of fixed efficiency, {gammaness:g} % by "
            f"gammaness and {circle:g} % of those by angle in every bin of estimated energy."
            + (
                " Crosses: MAGIC's public DL3 file of zenith 20°, cuts of fixed efficiency."
                if zenith == (5.0, 30.0)
                else ""
            )
            + f" {errors}",
            lambda ax: area_curves(responses, after="efficiency", ax=ax),
        ),
    ]
    if any(r.n_events for r in metrics.select(metric="angular_resolution_68", zenith_deg=zenith)):
        panels.append(
            Panel(
                f"angular_{code}",
                f"Angular resolution, {where}, {source}: angles to the true direction that hold 39 % and 68 % (open, "
                "dashed) of the gammas that pass the quality cuts; no cut on the gammaness."
                + (" Stars: table A.4, Crab data against estimated energy, after cuts." if is_published else ""),
                lambda ax: angular_curves(metrics, zenith, methods, ax=ax),
            )
        )
    panels += [
        Panel(
            f"rate_gamma_{code}",
            f"Gammas of the Crab Nebula in the circle, {where}, after {best}.{stars} {errors}",
            lambda ax: rate_curves(responses, what="gamma", ax=ax),
        ),
        Panel(
            f"rate_background_{code}",
            f"Background in the circle, {where}, after the same cuts: {background} {arrows}{stars}",
            lambda ax: rate_curves(responses, what="background", ax=ax),
        ),
        Panel(
            f"sensitivity_{code}",
            f"Differential sensitivity, {where}: flux of 5 σ in {settings.hours:g} h after Li and Ma with five off "
            f"regions, at least 10 gammas and 5 % of the background; {best}. Background: {background} {arrows}{stars}",
            lambda ax: sensitivity_curves(responses, ax=ax),
        ),
        Panel(
            f"sensitivity_integral_{code}",
            f"Integral sensitivity, {where}: the same above a threshold, with cuts of its own. Background: "
            f"{background} {arrows}{stars}",
            lambda ax: sensitivity_curves(responses, is_integral=True, ax=ax),
        ),
    ]

    def matrix(response: InstrumentResponse) -> Callable[[Axes], Any]:
        return lambda ax: dispersion_matrix(response, ax=ax)

    for k, response in enumerate(responses if is_published else ()):
        caption = f"{response.method}: energy dispersion, {where}, {source}, after {best}."
        panels.append(Panel(f"dispersion_{k}_{code}", caption, matrix(response)))
    return panels


def gate_table(gates: Sequence[Gate]) -> TextTable:
    """Return the comparison with MAGIC, method by method; without rows where there is none."""
    rows: list[tuple[str, ...]] = []
    for method in dict.fromkeys(g.method for g in gates):
        mine = [g for g in gates if g.method == method]
        counts = ", ".join(
            f"{n} {word}" for state, word in _COUNTED.items() if (n := sum(g.state == state for g in mine))
        )
        rows.append((f"{method}: {counts}",))
        rows += [
            (
                g.quantity,
                "–" if math.isnan(g.energy_gev[0]) else f"{g.energy_gev[0]:g}–{g.energy_gev[1]:g}",
                _value(g),
                _range(g.reference),
                _range(g.allowed),
                Markup('<span class="badge {}">{}</span>').format(_BADGES[g.state], _STATES[g.state]),
            )
            for g in mine
        ]
    caption = (
        "Comparison with MAGIC. Areas and threshold after cuts of fixed efficiency against the public DL3 files of "
        "zenith 20°; rates after the cuts of best sensitivity of this simulation against tables A.7 and A.8, which "
        "have other cuts. Agrees: within the range stated. Differs: outside by more than the error. Open: the error is "
        "larger than the range, or reaches into it. Limit: too little simulated background."
    )
    return TextTable(("", "energy [GeV]", "here", "MAGIC", "range", ""), tuple(rows), caption)


def _background(response: InstrumentResponse) -> str:
    """Say what the background is made of, and what is missing."""
    missing = [k for k in _KINDS if k not in response.kinds]
    there = ", ".join(response.kinds)
    if not missing:
        return f"{there}."
    return f"{there} only; {' and '.join(missing)} were not simulated and are missing."


def _value(gate: Gate) -> Markup | str:
    if not gate.value > 0.0:
        return "–"
    if gate.state == "limit":
        return Markup("&lt;&thinsp;{}").format(_number(gate.value))
    return Markup('<span class="number">{} <span class="error">±&thinsp;{}</span></span>').format(
        _number(gate.value), _number(gate.error)
    )


def _range(limits: tuple[float, float]) -> str:
    return _number(limits[0]) if limits[0] == limits[1] else f"{_number(limits[0])}–{_number(limits[1])}"


def _number(value: float) -> str:
    """Three figures, thousands apart."""
    if value >= 1000.0:
        digits = 10 ** max(0, math.floor(math.log10(value)) - 2)
        return f"{round(value / digits) * digits:,.0f}".replace(",", "\u2009")
    return f"{value:.3g}"


def _gates_ecsv(gates: Sequence[Gate]) -> str:
    rows = [
        {
            "method": g.method,
            "quantity": g.quantity,
            "zenith_min_deg": g.zenith_deg[0],
            "zenith_max_deg": g.zenith_deg[1],
            "energy_min_gev": g.energy_gev[0],
            "energy_max_gev": g.energy_gev[1],
            "value": g.value,
            "error": g.error,
            "reference_min": g.reference[0],
            "reference_max": g.reference[1],
            "allowed_min": g.allowed[0],
            "allowed_max": g.allowed[1],
            "state": g.state,
        }
        for g in gates
    ]
    return write_ecsv(_GATES, rows, meta={"table": "comparison with MAGIC"})
