"""Trigger rate of cosmic rays."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magicnn.array import camera_from_sky
from magicnn.evaluation.spectra import helium_flux, proton_flux
from magicnn.generated import Generated
from validation.drawing import COLOURS, panels
from validation.lines import Figure, Group, Line
from validation.samples import Exposure, exposure
from validation.store import Sample, Store

__all__ = ["Rate", "cosmic_rays", "rate_of", "validate"]

Floats = NDArray[np.float64]

_PRIMARIES: dict[str, tuple[int, Callable[[Floats], Floats], str]] = {
    "proton": (5000, proton_flux, "spectrum 9.8e-6 (E/TeV)^-2.62 /(TeV cm² s sr), as in pyirf"),
    "helium": (2000, helium_flux, "spectrum of J. R. Hörandel, Astropart. Phys. 19 (2003) 193"),
}
_SOURCE = "MAGIC's stereo rate in dark nights, 250 – 300 Hz, of which about 40 Hz are accidental; no source read"


@dataclass(frozen=True)
class Rate:
    """Trigger rate of one kind of nucleus.

    Attributes
    ----------
    events : Exposure
    each_hz : float64 array, [N]
        Rate that each event stands for.
    angle_deg, impact_m, edge_m : float64 array, [N]
        Angle to the pointing, mean distance of the telescopes to the axis, radius that cores were thrown over.
    generated : Generated
    """

    events: Exposure
    each_hz: Floats
    angle_deg: Floats
    impact_m: Floats
    edge_m: Floats
    generated: Generated

    @property
    def hz(self) -> tuple[float, float]:
        """The rate and its error from showers."""
        return float(self.each_hz.sum()), float(np.std(self.events.replicas() @ self.each_hz))

    def share(self, chosen: NDArray[np.bool_]) -> float:
        """Part of the rate that some events make."""
        return float(self.each_hz[chosen].sum() / self.each_hz.sum())


def cosmic_rays(store: Store, particle: str) -> Sample:
    """Nuclei at zenith 18 to 22 deg over the cone, area and energies of the productions."""
    number = _PRIMARIES[particle][0]
    overrides = ["zenith_min_deg=18", "zenith_max_deg=22"]
    return store.sample(f"cosmic_{particle}", f"{particle}_za05to35.yaml", overrides, store.number(number, 100), 24)


def rate_of(sample: Sample, flux: Callable[[Floats], Floats]) -> Rate:
    """Weight the events of a sample with a spectrum."""
    events = exposure([sample])
    generated = Generated.from_mapping(sample.generated)
    exposed = events.area_m2 * generated.solid_angle_sr / events.per_gev
    f = sample.features
    x, y = camera_from_sky(
        f["true_zenith_deg"], f["true_azimuth_deg"], f["pointing_zenith_deg"], f["pointing_azimuth_deg"]
    )
    return Rate(
        events,
        flux(events.energy_gev) * exposed * events.weight,
        np.hypot(x, y),
        f["true_impact_m"].mean(axis=1),
        np.sqrt(events.area_m2 / math.pi),
        generated,
    )


def validate(store: Store, figures: Path) -> Group:
    """Judge the rate, and say what of it comes from the edges of what was thrown."""
    rates = {name: rate_of(cosmic_rays(store, name), flux) for name, (_, flux, _) in _PRIMARIES.items()}
    lines = []
    for name, rate in rates.items():
        number = len(rate.each_hz)
        quantity = f"trigger rate, {name} ({number} events)"
        source = _PRIMARIES[name][2]
        lines.append(Line(f"rate_{name}", quantity, *rate.hz, "Hz", math.nan, math.nan, "–", source, "info", digits=0))
    sums = [rate.hz for rate in rates.values()]
    lines.append(
        Line(
            "rate_all",
            "trigger rate of protons and helium",
            sum(s[0] for s in sums),
            math.hypot(*(s[1] for s in sums)),
            "Hz",
            0.7 * 210.0,
            1.3 * 300.0,
            "210 – 300 Hz without accidental ones (30 %)",
            _SOURCE,
            digits=0,
        )
    )
    for name, rate in rates.items():
        cone, low = rate.generated.viewcone_max_deg, rate.generated.energy_min_gev
        for key, text, chosen in (
            ("angle", f"the outer 0.5 deg of the view cone of {cone:g} deg", rate.angle_deg > cone - 0.5),
            ("area", "the outer fifth of the area", rate.impact_m > math.sqrt(0.8) * rate.edge_m),
            ("energy", f"{low:g} to {1.5 * low:g} GeV", rate.events.energy_gev < 1.5 * low),
        ):
            lines.append(
                Line(
                    f"edge_{key}_{name}",
                    f"share of the rate, {name}, from {text}",
                    rate.share(chosen),
                    math.nan,
                    "",
                    math.nan,
                    0.05,
                    "below 0.05",
                    "completeness of the production",
                    digits=3,
                )
            )
    _draw(figures / "rates.png", rates)
    return Group(lines, (Figure("rates.png", "Rate of triggered nuclei against energy, direction and impact."),))


def _draw(path: Path, rates: dict[str, Rate]) -> None:
    with panels(path, 3) as (energy, view, core):
        for colour, (name, rate) in zip(COLOURS, rates.items(), strict=False):
            for ax, values, edges in (
                (energy, np.log10(rate.events.energy_gev), np.linspace(1.6, 5.0, 35)),
                (view, rate.angle_deg, np.linspace(0.0, 5.0, 26)),
                (core, rate.impact_m, np.linspace(0.0, 900.0, 37)),
            ):
                ax.hist(values, list(edges), weights=rate.each_hz, histtype="step", color=colour, lw=1.6, label=name)
        for ax, label in (
            (energy, "log10(energy/GeV)"),
            (view, "angle to the pointing [deg]"),
            (core, "impact, mean of the telescopes [m]"),
        ):
            ax.set(xlabel=label, ylabel="rate per bin [Hz]")
