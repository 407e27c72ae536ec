"""Effective area at trigger and with image sizes, and the energy threshold, against published ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.spectra import power_law
from validation.drawing import COLOURS, REFERENCE, panels
from validation.lines import Figure, Group, Line, shown_only, within
from validation.samples import Exposure, exposure, gammas_at_20_deg, is_big_enough
from validation.store import Store

__all__ = ["PUBLISHED", "effective_area_m2", "peak_energy_gev", "validate"]

Floats = NDArray[np.float64]

_CUTS = 0.9 * 0.75
# Energy range (TeV), effective area (m2) after all cuts, Crab Nebula run 5029747, zenith 20.3 deg.
PUBLISHED = (
    (0.027, 0.037, 306.0),
    (0.037, 0.052, 1.57e3),
    (0.052, 0.072, 6.12e3),
    (0.072, 0.100, 1.64e4),
    (0.100, 0.139, 2.68e4),
    (0.139, 0.193, 3.74e4),
    (0.193, 0.268, 4.85e4),
    (0.373, 0.518, 6.80e4),
    (0.720, 1.00, 8.75e4),
    (1.39, 1.93, 1.14e5),
    (2.68, 3.73, 1.26e5),
    (10.0, 13.9, 1.28e5),
)
_SOURCE = "DL3 file of the MAGIC Crab Nebula run 5029747 (gammapy-data, rad_max), zenith 20.3 deg, after all cuts"
_CALIBRATION_BIN_TEV = 0.100
# Zenith range (deg), file, energy range (GeV), published threshold (GeV)
_THRESHOLDS = (
    ("0 – 30", 0.0, 30.0, "gamma_za05to35.yaml", 12.0, 800.0, 50.0),
    ("30 – 45", 30.0, 45.0, "gamma_za35to50.yaml", 20.0, 1500.0, 80.0),
    ("59 – 61", 59.0, 61.0, "gamma_za50to62.yaml", 60.0, 4000.0, 250.0),
)
_SLOPE = 2.6
_GROWTH_TEV = (0.05, 0.2)
_N_PARTS = 6
_STEP, _SMOOTHING = 0.01, 0.06


def effective_area_m2(
    events: Exposure, chosen: NDArray[np.bool_], low_gev: float, high_gev: float
) -> tuple[float, float]:
    """Effective area of a bin of true energy, averaged over E^-2, and its error from showers."""
    inside = chosen & (events.energy_gev >= low_gev) & (events.energy_gev < high_gev)
    if not inside.any():
        return 0.0, math.nan
    # All samples of a bin share one thrown spectrum, E^-2; the bin's thrown number is its density's integral.
    per_gev = events.per_gev[inside]
    thrown = float(np.median(per_gev * events.energy_gev[inside] ** 2)) * (1.0 / low_gev - 1.0 / high_gev)
    area = np.where(inside, events.area_m2 * events.weight, 0.0) / thrown
    return float(area.sum()), float(np.std(events.replicas() @ area))


def peak_energy_gev(
    events: Exposure, *, is_per_log: bool, smoothing: float = _SMOOTHING
) -> tuple[float, float, Floats, Floats]:
    """Energy at the maximum of the distribution of triggered events for E^-2.6, and its error.

    Parameters
    ----------
    events : Exposure
    is_per_log : bool
        Distribution per logarithmic or per linear interval of energy.
    smoothing : float
        Gaussian sigma in log10(E).

    Returns
    -------
    peak, error : float
    energy_gev, density : float64 array
        The curve.
    """
    log_energy = np.log10(events.energy_gev)
    centres = np.arange(log_energy.min(), log_energy.max(), _STEP)
    rate = power_law(_SLOPE)(events.energy_gev) * events.area_m2 * events.weight / events.per_gev
    kernel = np.exp(-0.5 * ((centres[:, None] - log_energy[None, :]) / smoothing) ** 2)
    inside = (centres > log_energy.min() + 1.5 * smoothing) & (centres < log_energy.max() - 1.5 * smoothing)
    centres, kernel = centres[inside], kernel[inside]
    if not is_per_log:
        rate = rate / events.energy_gev
    density = kernel @ rate
    again = centres[np.argmax((events.replicas() * rate) @ kernel.T, axis=1)]
    low, high = np.quantile(10.0**again, [0.16, 0.84])
    return float(10.0 ** centres[np.argmax(density)]), float(0.5 * (high - low)), 10.0**centres, density / density.max()


def validate(store: Store, figures: Path) -> Group:
    """Judge effective areas and thresholds."""
    events = exposure(gammas_at_20_deg(store))
    size = events.column("size_pe")
    selections: dict[str, tuple[NDArray[np.bool_], float]] = {
        "trigger": (np.ones(len(size), dtype=bool), 1.0),
        "cuts": (is_big_enough(size), _CUTS),
    }
    found = {
        name: np.array([effective_area_m2(events, chosen, 1e3 * a, 1e3 * b) for a, b, _ in PUBLISHED]) * factor
        for name, (chosen, factor) in selections.items()
    }
    lines = []
    for k, (low, high, published) in enumerate(PUBLISHED):
        label = f"{low:g} – {high:g} TeV"
        value, error = found["trigger"][k]
        lines.append(
            Line(
                f"trigger_{low:g}",
                f"effective area at trigger over the published one after cuts, {label}",
                value / published,
                error / published,
                "",
                1.0,
                math.nan,
                f"above {published:.3g} m²",
                _SOURCE,
            )
        )
    for k, (low, high, published) in enumerate(PUBLISHED):
        label = f"{low:g} – {high:g} TeV"
        value, error = found["cuts"][k]
        is_calibration = low == _CALIBRATION_BIN_TEV
        accepted = (math.nan, math.nan) if is_calibration else within(1.0, 0.30)
        lines.append(
            Line(
                f"cuts_{low:g}",
                f"effective area, both sizes above 50 phe, × 0.9 × 0.75, over the published one, {label}",
                value / published,
                error / published,
                "",
                *accepted,
                f"{published:.3g} m²" + ("" if is_calibration else " (30 %)"),
                _SOURCE,
                "calibration" if is_calibration else "gate",
            )
        )
    lines.append(_growth(found["trigger"]))
    big = events.select(is_big_enough(size))
    lines.append(
        Line(
            "threshold_analysis",
            "threshold with both sizes above 50 phe, zenith 20 deg: peak of dN/dE for E^−2.6",
            *peak_energy_gev(big, is_per_log=False)[:2],
            "GeV",
            0.7 * 75.0,
            1.3 * 90.0,
            "75 – 90 GeV (30 %)",
            "LO_THRES of two DL3 files of run 5029747, 86 and 77 GeV",
            digits=0,
        )
    )
    more, curves = _thresholds(store)
    _draw(figures / "area.png", found, curves)
    caption = (
        "Left: effective area at zenith 20 deg against the published one after cuts. Right: distribution of the true "
        "energies of triggered gammas for a spectrum E^−2.6, per linear interval (solid) and per logarithmic interval "
        "(dashed) of energy; triangles: published thresholds."
    )
    return Group([*lines, *more], (Figure("area.png", caption),))


def _growth(area: Floats) -> Line:
    """Show how the effective area at trigger grows around the threshold."""
    energy = np.array([math.sqrt(a * b) for a, b, _ in PUBLISHED])
    near = (energy > _GROWTH_TEV[0]) & (energy < _GROWTH_TEV[1])
    fitted, covariance = np.polyfit(
        np.log(energy[near]), np.log(area[near, 0]), 1, w=area[near, 0] / area[near, 1], cov="unscaled"
    )
    return shown_only(
        "area_growth",
        f"power of the energy with which the effective area at trigger grows, {1e3 * _GROWTH_TEV[0]:g} – "
        f"{1e3 * _GROWTH_TEV[1]:g} GeV, zenith 20 deg",
        (float(fitted[0]), float(np.sqrt(covariance[0, 0]))),
        source="for the thresholds below",
    )


def _thresholds(store: Store) -> tuple[list[Line], list[Any]]:
    lines, curves = [], []
    for label, low, high, config, e_min, e_max, published in _THRESHOLDS:
        overrides = [
            f"zenith_min_deg={low}",
            f"zenith_max_deg={high}",
            f"energy_min_gev={e_min}",
            f"energy_max_gev={e_max}",
        ]
        events = exposure([store.sample(f"threshold_{low:.0f}", config, overrides, store.number(8000, 300), 23)])
        n = len(events.energy_gev)
        linear = peak_energy_gev(events, is_per_log=False)
        log = peak_energy_gev(events, is_per_log=True)
        curves.append((label, linear, log, published))
        source = "MAGIC's thresholds as quoted by iact-estimator; A16 (arXiv:1409.5594) for the lowest"
        lines += [
            Line(
                f"threshold_{low:.0f}",
                f"threshold, zenith {label} deg: peak of dN/dE for E^−2.6 ({n} events)",
                *linear[:2],
                "GeV",
                *within(published, 0.30),
                f"{published:g} GeV (30 %)",
                source,
                digits=0,
            ),
            shown_only(
                f"threshold_log_{low:.0f}",
                f"the same, peak of dN/dlog E, zenith {label} deg",
                log[:2],
                "GeV",
                source="for comparison: the other definition in use",
                digits=0,
            ),
            *_plateau(low, label, log),
        ]
        if low == 0.0:
            lines += _parts(events)
    return lines, curves


def _parts(events: Exposure) -> list[Line]:
    """Show how far the peaks of parts of a sample lie from each other, with both definitions."""
    lines = []
    for is_per_log, name in ((False, "dN/dE"), (True, "dN/dlog E")):
        peaks = [
            peak_energy_gev(events.select(events.shower % _N_PARTS == k), is_per_log=is_per_log, smoothing=0.1)[0]
            for k in range(_N_PARTS)
        ]
        for word, value in (("lowest", min(peaks)), ("highest", max(peaks))):
            lines.append(
                shown_only(
                    f"parts_{word}_{'log' if is_per_log else 'linear'}",
                    f"{word} peak of {name} among {_N_PARTS} parts of that sample, zenith 0 – 30 deg, smoothed by 0.1",
                    value,
                    "GeV",
                    source="scatter of the peak",
                    digits=0,
                )
            )
    return lines


def _plateau(low: float, label: str, log: tuple[float, float, Floats, Floats]) -> list[Line]:
    """Show how wide the maximum per logarithmic interval is."""
    flat = log[2][log[3] > 0.95]
    ends: list[tuple[str, Callable[..., Any]]] = [("lowest", np.min), ("highest", np.max)]
    return [
        shown_only(
            f"plateau_{word}_{low:.0f}",
            f"{word} energy at which dN/dlog E is above 95 % of its maximum, zenith {label} deg",
            float(pick(flat)),
            "GeV",
            source="width of the peak",
            digits=0,
        )
        for word, pick in ends
    ]


def _draw(path: Path, found: dict[str, Floats], curves: list[Any]) -> None:
    from matplotlib.lines import Line2D

    with panels(path, 2) as (area, threshold):
        energy = np.array([math.sqrt(a * b) for a, b, _ in PUBLISHED])
        area.plot(energy, [p[2] for p in PUBLISHED], "x", ms=7, mew=1.6, color=REFERENCE, label="published, after cuts")
        for colour, (name, label) in zip(
            COLOURS,
            (("trigger", "ours, at trigger"), ("cuts", "ours, size > 50 phe × 0.9 × 0.75")),
            strict=False,
        ):
            seen = found[name][:, 0] > 0.0
            area.errorbar(
                energy[seen], found[name][seen, 0], found[name][seen, 1], fmt="o-", ms=3, color=colour, label=label
            )
        area.set(
            xlabel="true energy [TeV]",
            ylabel="effective area [m²]",
            xscale="log",
            yscale="log",
            xlim=(0.025, 16.0),
            ylim=(30.0, 4e5),
        )
        area.legend(loc="lower right", fontsize=8.5)
        for colour, (_, linear, log, published) in zip(COLOURS, curves, strict=False):
            threshold.plot(linear[2], linear[3], color=colour)
            threshold.plot(log[2], log[3], color=colour, ls="--", lw=1.0)
            threshold.plot([published], [1.06], "v", color=colour)
        threshold.set(
            xlabel="true energy [GeV]", ylabel="triggered events (maximum = 1)", xscale="log", ylim=(0.0, 1.6)
        )
        threshold.set_yticks(np.arange(0.0, 1.01, 0.2))
        kinds = [
            *(
                Line2D([], [], color=c, label=f"zenith {curve[0]} deg")
                for c, curve in zip(COLOURS, curves, strict=False)
            ),
            Line2D([], [], color=REFERENCE, label="per GeV"),
            Line2D([], [], color=REFERENCE, ls="--", lw=1.0, label="per log E"),
            Line2D([], [], color=REFERENCE, marker="v", ls="", label="published threshold"),
        ]
        threshold.legend(handles=kinds, loc="upper center", ncols=2, fontsize=8.5)
