"""Trigger rate of cosmic rays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magicnn.array import camera_from_sky
from magicnn.evaluation.spectra import helium_flux, proton_flux
from magicnn.generated import Generated
from magicnn.simulation.accidentals import accidental_rates
from magicnn.simulation.detector import detector
from magicnn.simulation.settings import DetectorSettings
from validation.drawing import COLOURS, panels
from validation.lines import Figure, Group, Line, shown_only
from validation.samples import Exposure, exposure
from validation.store import Sample, Store

__all__ = ["Rate", "cosmic_rays", "rate_of", "recorded_rate", "validate"]

Floats = NDArray[np.float64]

_PRIMARIES: dict[str, tuple[int, Callable[[Floats], Floats], str]] = {
    "proton": (5000, proton_flux, "spectrum 9.8e-6 (E/TeV)^-2.62 /(TeV cm² s sr), as in pyirf"),
    "helium": (2000, helium_flux, "spectrum of J. R. Hörandel, Astropart. Phys. 19 (2003) 193"),
}
_STEREO_PATTERN = 128
_RUN = "events of both telescopes in the files of MAGIC run 5029747, zenith 20 deg, by their times"
_ROOM = 0.30


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
        quantity = f"trigger rate, {name} ({len(rate.each_hz)} events)"
        lines.append(shown_only(f"rate_{name}", quantity, rate.hz, "Hz", source=_PRIMARIES[name][2], digits=0))
    nuclei = sum(r.hz[0] for r in rates.values()), math.hypot(*(r.hz[1] for r in rates.values()))
    lines += _beside_the_run(store, nuclei)
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


def recorded_rate(paths: Sequence[Path]) -> tuple[float, float, int, float]:
    """Count the stereo events of a run that are in any of its files.

    Parameters
    ----------
    paths : sequence of Path
        Calibrated files of M1 and M2 of one run. They may hold different parts of it, without a gap between them.

    Returns
    -------
    hz, error : float
        Rate and its Poisson error.
    number : int
    seconds : float
        From the first to the last event.
    """
    import uproot

    times: dict[int, float] = {}
    for path in paths:
        with uproot.open(path) as file:
            column = {
                name: file["Events"][branch].array(library="np")
                for name, branch in (
                    ("pattern", "MTriggerPattern.fPrescaled"),
                    ("number", "MRawEvtHeader.fStereoEvtNumber"),
                    ("ms", "MTime.fTime.fMilliSec"),
                    ("ns", "MTime.fNanoSec"),
                )
            }
        stereo = column["pattern"] == _STEREO_PATTERN
        seconds = 1e-3 * column["ms"].astype(np.float64) + 1e-9 * column["ns"]
        times |= dict(zip(column["number"][stereo].tolist(), seconds[stereo].tolist(), strict=True))
    span = max(times.values()) - min(times.values())
    n = len(times) - 1
    return n / span, math.sqrt(n) / span, n + 1, span


def _beside_the_run(store: Store, nuclei: tuple[float, float]) -> list[Line]:
    """Judge the rate of nuclei and accidental triggers with the events of a real run."""
    made = store.arrays(
        "accidentals",
        DetectorSettings().model_dump(mode="json"),
        lambda: {"hz": np.array(accidental_rates(detector(DetectorSettings())).stereo_hz)},
    )
    accidental = float(made["hz"])
    lines = [
        shown_only(
            "rate_nuclei", "trigger rate of protons and helium", nuclei, "Hz", source="sum of the two above", digits=0
        ),
        shown_only(
            "rate_accidental",
            "chance coincidences that the night sky makes, galactic sky",
            accidental,
            "Hz",
            source="estimate from crossings of the threshold in noise (magicnn.simulation.accidentals)",
            digits=0,
        ),
    ]
    folder = None if store.data is None else store.data / "magic_real"
    files = [] if folder is None else sorted(folder.glob("*_M[12]_*_Y_*.root"))
    if files:
        hz, error, number, seconds = recorded_rate(files)
        lines.append(
            Line(
                "rate_all",
                "trigger rate of protons, helium and the night sky",
                nuclei[0] + accidental,
                nuclei[1],
                "Hz",
                (1.0 - _ROOM) * hz,
                (1.0 + _ROOM) * hz,
                f"{hz:.0f} ± {error:.0f} Hz, {number} events in {seconds:.2f} s ({100 * _ROOM:.0f} %)",
                _RUN,
                digits=0,
            )
        )
    return lines


def _draw(path: Path, rates: dict[str, Rate]) -> None:
    with panels(path, 3) as (energy, view, core):
        for ax, values, edges, label in (
            (energy, [r.events.energy_gev for r in rates.values()], np.geomspace(40.0, 1e5, 35), "energy [GeV]"),
            (view, [r.angle_deg for r in rates.values()], np.linspace(0.0, 5.0, 26), "angle to the pointing [deg]"),
            (core, [r.impact_m for r in rates.values()], np.linspace(0.0, 900.0, 37), "mean impact [m]"),
        ):
            for colour, (name, rate), value in zip(COLOURS, rates.items(), values, strict=False):
                ax.hist(
                    value,
                    list(edges),
                    weights=rate.each_hz,
                    histtype="step",
                    color=colour,
                    lw=1.6,
                    label=name,
                )
            ax.set(xlabel=label, ylabel="rate per bin [Hz]", xlim=(edges[0], edges[-1]))
        energy.set(xscale="log")
