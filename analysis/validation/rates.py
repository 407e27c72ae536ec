"""Trigger rate of cosmic rays."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magicnn.array import camera_from_sky
from magicnn.evaluation.spectra import proton_flux
from magicnn.generated import Generated
from validation.drawing import COLOURS, panels
from validation.lines import Figure, Group, Line
from validation.samples import Exposure, exposure
from validation.store import Sample, Store

__all__ = ["cosmic_protons", "rate_hz", "validate"]

Floats = NDArray[np.float64]

_VIEWCONE_DEG = 4.0
_HELIUM_AND_MORE = 1.4


def cosmic_protons(store: Store) -> Sample:
    """Protons at zenith 20 deg over a wide view cone and a wide area, so that nothing that triggers is missing."""
    overrides = [
        "zenith_min_deg=18",
        "zenith_max_deg=22",
        f"viewcone_max_deg={_VIEWCONE_DEG}",
        "energy_min_gev=50",
        "energy_max_gev=50000",
        "scatter_radius_m=600",
        "scatter_energy_exponent=0.08",
    ]
    return store.sample("cosmic_protons", "proton_za05to35.yaml", overrides, store.number(2000, 100), 24)


def rate_hz(sample: Sample) -> tuple[float, float, Exposure, Floats]:
    """Trigger rate of protons, its error from showers, the events, and the rate of each."""
    events = exposure([sample])
    thrown = Generated.from_mapping(sample.generated)
    exposed = events.area_m2 * thrown.solid_angle_sr / events.per_gev
    rate = proton_flux(events.energy_gev) * exposed * events.weight
    return float(rate.sum()), float(np.std(events.replicas() @ rate)), events, rate


def validate(store: Store, figures: Path) -> Group:
    """Judge the rate, and say what of it comes from the edges of what was thrown."""
    sample = cosmic_protons(store)
    rate, error, events, weight = rate_hz(sample)
    features = sample.features
    x, y = camera_from_sky(
        features["true_zenith_deg"],
        features["true_azimuth_deg"],
        features["pointing_zenith_deg"],
        features["pointing_azimuth_deg"],
    )
    angle = np.hypot(x, y)
    impact = features["true_impact_m"].mean(axis=1)
    radius = np.sqrt(events.area_m2 / math.pi)
    source = "MAGIC's stereo rate in dark nights, 250 – 300 Hz, of which about 40 Hz are accidental; no source read"
    n = len(weight)
    lines = [
        Line(
            "protons",
            f"trigger rate of protons alone ({n} events)",
            rate,
            error,
            "Hz",
            math.nan,
            math.nan,
            "–",
            "spectrum 9.8e-6 (E/TeV)^-2.62 /(TeV cm² s sr), as in pyirf",
            "info",
            digits=0,
        ),
        Line(
            "all",
            "trigger rate of protons × 1.4 for helium and heavier nuclei",
            _HELIUM_AND_MORE * rate,
            _HELIUM_AND_MORE * error,
            "Hz",
            0.7 * 210.0,
            1.3 * 300.0,
            "210 – 300 Hz without accidentals (30 %)",
            source,
            digits=0,
        ),
        Line(
            "edge_angle",
            f"share of it from the outer 0.5 deg of the view cone of {_VIEWCONE_DEG:g} deg",
            float(weight[angle > _VIEWCONE_DEG - 0.5].sum() / rate),
            math.nan,
            "",
            math.nan,
            0.05,
            "below 0.05",
            "completeness of the production",
            digits=3,
        ),
        Line(
            "edge_area",
            "share of it from the outer fifth of the area",
            float(weight[impact > math.sqrt(0.8) * radius].sum() / rate),
            math.nan,
            "",
            math.nan,
            0.05,
            "below 0.05",
            "completeness of the production",
            digits=3,
        ),
        Line(
            "edge_energy",
            "share of it from 50 to 80 GeV",
            float(weight[events.energy_gev < 80.0].sum() / rate),
            math.nan,
            "",
            math.nan,
            0.05,
            "below 0.05",
            "completeness of the production",
            digits=3,
        ),
    ]
    with panels(figures / "rates.png", 3) as (energy, view, core):
        for ax, values, edges, label in (
            (energy, np.log10(events.energy_gev), np.linspace(1.7, 4.7, 25), "log10(energy/GeV)"),
            (view, angle, np.linspace(0.0, _VIEWCONE_DEG, 17), "angle to the pointing [deg]"),
            (core, impact, np.linspace(0.0, 700.0, 29), "impact, mean of the telescopes [m]"),
        ):
            ax.hist(values, list(edges), weights=weight, histtype="step", color=COLOURS[0], lw=1.6)
            ax.set(xlabel=label, ylabel="rate per bin [Hz]")
    return Group(lines, (Figure("rates.png", "Rate of triggered protons against energy, direction and impact."),))
