"""Light on the ground: against the distance to the core, its heights and times, and protons beside gammas."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.showers import environment, simulate_shower
from validation.drawing import COLOURS, REFERENCE, panels
from validation.lines import Figure, Group, Line
from validation.store import Arrays, Store

__all__ = ["RADII_M", "light_pool", "validate"]

Floats = NDArray[Any]

RADII_M = np.array(
    [10.0, 30.0, 50.0, 70.0, 90.0, 100.0, 105.0, 110.0, 115.0, 120.0, 125.0, 130.0, 140.0, 160.0, 190.0, 200.0, 220.0]
)
_N_AZIMUTHS = 4
_SPHERE_M = 5.0
_ENOUGH_PHOTONS = 50
_SHOWERS = {("gamma", 100.0): 800, ("gamma", 1000.0): 100, ("proton", 300.0): 600, ("proton", 1000.0): 400}
_CORSIKA = "CORSIKA 7 photon files in pyeventio's test resources"


def light_pool(store: Store, particle: str, energy_gev: float, number: int) -> Arrays:
    """Photons per m2 (290 to 700 nm, no extinction) of vertical showers at `RADII_M`, their heights and times.

    Returns
    -------
    dict of arrays
        ``density`` [N, radii], ``half_width_ns`` [N, radii] (half the central 68 %, NaN below 50 photons), and
        ``height_m`` [N, 3]: quantiles 0.16, 0.5, 0.84 of the emission height.
    """
    surroundings = environment(light_scale=1.0, mode="photons", view_radius_deg=30.0, telescope_radius_m=_SPHERE_M)
    still = np.zeros(_N_AZIMUTHS * RADII_M.size)

    def one(i: int) -> Arrays:
        turn = 0.37 * i + 2.0 * np.pi / _N_AZIMUTHS * np.arange(_N_AZIMUTHS)
        radius, azimuth = np.meshgrid(RADII_M, turn)
        cores = np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth)], axis=-1).reshape(-1, 2)
        light, _ = simulate_shower(
            particle, energy_gev, 0.0, 0.0, cores, still, still, [[0.0, 0.0, 0.0]], surroundings, [13, i]
        )
        count = np.bincount(light.reuse, minlength=still.size).reshape(_N_AZIMUTHS, -1)
        edges = np.searchsorted(light.reuse, np.arange(still.size + 1))
        width = np.array(
            [
                np.diff(np.quantile(light.time_ns[a:b], [0.16, 0.84]))[0] / 2.0 if b - a >= _ENOUGH_PHOTONS else np.nan
                for a, b in pairwise(edges)
            ]
        ).reshape(_N_AZIMUTHS, -1)
        has_light = len(light.time_ns) > _ENOUGH_PHOTONS
        height = np.quantile(light.emission_height_m, [0.16, 0.5, 0.84]) if has_light else np.full(3, np.nan)
        known = np.isfinite(width).any(axis=0)
        mean_width = np.where(known, np.nansum(width, axis=0) / np.maximum(np.isfinite(width).sum(axis=0), 1), np.nan)
        return {"density": count.mean(axis=0) / (np.pi * _SPHERE_M**2), "half_width_ns": mean_width, "height_m": height}

    return store.showers(
        "light", {"particle": particle, "energy_gev": energy_gev, "radii": RADII_M.tolist()}, number, one
    )


def _resampled(values: Floats, statistic: Any, n: int = 200) -> tuple[float, float]:
    """Value of a statistic of rows, and its bootstrap error."""
    generator = np.random.default_rng(0)
    again = [statistic(values[generator.integers(len(values), size=len(values))]) for _ in range(n)]
    return float(statistic(values)), float(np.std(again))


def _at(low: float, high: float) -> NDArray[np.bool_]:
    return (low <= RADII_M) & (high >= RADII_M)


def _hump(rows: Floats) -> float:
    """Radius of the maximum of the mean density beyond 80 m, by a parabola through the points within 10 m of it."""
    mean = rows.mean(axis=0)
    top = RADII_M[np.argmax(np.where(_at(90.0, 140.0), mean, 0.0))]
    near = _at(top - 10.0, top + 10.0)
    a, b, _ = np.polyfit(RADII_M[near] - top, mean[near], 2)
    return float(top + np.clip(-0.5 * b / a, -10.0, 10.0)) if a < 0.0 else float(top)


def validate(store: Store, figures: Path) -> Group:
    """Judge the light pool."""
    made = {key: light_pool(store, *key, store.number(n, 10)) for key, n in _SHOWERS.items()}
    gamma = made["gamma", 100.0]
    rows = gamma["density"]
    n = len(rows)
    lines = []

    def add(
        key: str,
        quantity: str,
        found: tuple[float, float],
        unit: str,
        low: float,
        high: float,
        reference: str,
        source: str,
        kind: Any = "gate",
        digits: int = 2,
    ) -> None:
        lines.append(Line(key, quantity, *found, unit, low, high, reference, source, kind, digits))

    what = f"{n} vertical gammas of 100 GeV"
    add(
        "yield",
        f"photons per m² at 50 to 150 m, 290 to 700 nm, no extinction: median over {what}",
        _resampled(rows[:, _at(50, 150)].mean(axis=1), np.median),
        "1/m²",
        9.0,
        17.0,
        "9 – 17 per m² and 100 GeV",
        _CORSIKA,
        digits=1,
    )
    add(
        "yield_spread",
        "its spread from shower to shower, at 80 to 120 m",
        _resampled(rows[:, _at(90, 120)].mean(axis=1), lambda v: v.std() / v.mean()),
        "",
        0.25,
        0.40,
        "25 – 40 %",
        "physics gate 3, from CORSIKA showers",
    )
    add(
        "hump",
        "distance of the brightest ring beyond 80 m",
        _resampled(rows, _hump),
        "m",
        100.0,
        135.0,
        "115 – 130 m (100 – 135)",
        "ring radius of light from 14 – 16 km in this air; CORSIKA files",
        digits=0,
    )
    add(
        "hump_ratio",
        "density at 100 – 130 m over that at 0 – 40 m",
        _resampled(rows, lambda r: r.mean(axis=0)[_at(100, 130)].mean() / r.mean(axis=0)[_at(0, 40)].mean()),
        "",
        1.1,
        1.6,
        "1.1 – 1.6",
        _CORSIKA,
        digits=3,
    )
    for key, text, near in (("centre", "0 to 40 m", _at(0, 40)), ("hump", "110 to 130 m", _at(110, 130))):
        add(
            f"density_{key}",
            f"photons per m² at {text}, {what}, with the magnetic field",
            _resampled(rows[:, near].mean(axis=1), np.mean),
            "1/m²",
            math.nan,
            math.nan,
            "–",
            "for the lines above",
            "info",
            1,
        )
    add(
        "outside_160",
        "density at its greatest over that at 160 m",
        _resampled(rows, lambda r: r.mean(axis=0).max() / r.mean(axis=0)[RADII_M == 160.0][0]),
        "",
        1.6,
        math.nan,
        "more than 1.6",
        "first version of this simulation",
    )
    add(
        "outside_190",
        "density at 190 m over the greatest",
        _resampled(rows, lambda r: r.mean(axis=0)[RADII_M == 190.0][0] / r.mean(axis=0).max()),
        "",
        0.5,
        0.75,
        "0.5 – 0.75",
        _CORSIKA,
        digits=3,
    )
    add(
        "height",
        f"median height of emission, {what}",
        _resampled(gamma["height_m"][:, 1] / 1e3, np.nanmedian),
        "km",
        10.5,
        13.0,
        "10.5 – 13 km (100 – 200 GeV)",
        _CORSIKA,
        digits=1,
    )
    add(
        "height_spread",
        "half of the central 68 % of the heights in one shower",
        _resampled((gamma["height_m"][:, 2] - gamma["height_m"][:, 0]) / 2e3, np.nanmedian),
        "km",
        2.0,
        4.0,
        "± 3 km (2 – 4)",
        _CORSIKA,
        digits=1,
    )
    width = gamma["half_width_ns"]
    add(
        "time_100",
        "half of the central 68 % of the arrival times at 90 to 120 m",
        _resampled(width[:, _at(90, 120)].min(axis=1), np.nanmedian),
        "ns",
        0.4,
        0.8,
        "0.4 – 0.8 ns",
        _CORSIKA,
    )
    add(
        "time_200",
        "the same at 200 m",
        _resampled(width[:, RADII_M == 200.0][:, 0], np.nanmedian),
        "ns",
        1.5,
        math.nan,
        "more than 1.5 ns",
        _CORSIKA,
    )
    inner = _at(0, 200)
    weights = RADII_M[inner]
    pool = {key: m["density"][:, inner] @ weights / weights.sum() for key, m in made.items()}
    many, few = pool["gamma", 1000.0], pool["gamma", 100.0]
    ratio = many.mean() / few.mean() / 10.0
    add(
        "growth",
        "light within 200 m per energy, gammas of 1 TeV over 100 GeV",
        (ratio, ratio * math.hypot(_relative(many), _relative(few))),
        "",
        1.0,
        1.6,
        "a little above 1",
        "showers of more energy go deeper",
        "info",
    )
    p = pool["proton", 1000.0]
    ratio = p.mean() / many.mean()
    add(
        "proton_ratio",
        f"light within 200 m of {len(p)} protons of 1 TeV over that of gammas of 1 TeV",
        (ratio, ratio * math.hypot(_relative(p), _relative(many))),
        "",
        1 / 3,
        0.5,
        "1/3 – 1/2",
        "customary; CORSIKA would decide",
        digits=3,
    )
    for energy in (300.0, 1000.0):
        p = pool["proton", energy]
        add(
            f"proton_spread_{energy:g}",
            f"spread of the light of protons of {energy:g} GeV over its mean",
            _resampled(p, lambda v: v.std() / v.mean()),
            "",
            0.4,
            math.nan,
            "large, at least 0.4",
            "first version of this simulation: 0.64 at 1 TeV",
            "gate",
        )
    _draw(figures / "light.png", made)
    caption = (
        "Vertical showers; bands: error of the mean. Left: photons per m² and 100 GeV against the distance to the "
        "core; grey: range of CORSIKA showers. Middle: half of the central 68 % of the arrival times. "
        "Right: median height of emission, shower by shower."
    )
    return Group(lines, (Figure("light.png", caption),))


def _relative(values: Floats) -> float:
    return float(values.std() / values.mean() / math.sqrt(len(values)))


def _draw(path: Path, made: dict[tuple[str, float], Arrays]) -> None:
    with panels(path, 3) as (density, times, heights):
        density.fill_between([50.0, 150.0], 9.0, 17.0, color=REFERENCE, alpha=0.15)
        density.axvspan(115.0, 130.0, color=REFERENCE, alpha=0.12)
        for colour, ((particle, energy), m) in zip(COLOURS, made.items(), strict=False):
            rows = m["density"] / (energy / 100.0)
            mean, error = rows.mean(axis=0), rows.std(axis=0) / np.sqrt(len(rows))
            density.plot(RADII_M, mean, color=colour, label=f"{particle} {energy:g} GeV")
            density.fill_between(RADII_M, mean - error, mean + error, color=colour, alpha=0.25)
            width = m["half_width_ns"]
            known = np.isfinite(width).sum(axis=0) >= 5
            times.plot(RADII_M[known], np.nanmedian(width[:, known], axis=0), color=colour)
            heights.hist(
                m["height_m"][:, 1] / 1e3,
                list(np.arange(3.0, 20.0, 0.5)),
                density=True,
                histtype="step",
                color=colour,
                lw=1.5,
            )
        density.set(xlabel="distance to the core [m]", ylabel="photons per m² and 100 GeV", ylim=(0.0, None))
        times.fill_between([90.0, 120.0], 0.4, 0.8, color=REFERENCE, alpha=0.3)
        times.set(xlabel="distance to the core [m]", ylabel="time spread [ns]", ylim=(0.0, None))
        heights.axvspan(10.5, 13.0, color=REFERENCE, alpha=0.15)
        heights.set(xlabel="median height of emission [km]", ylabel="showers [1/km]")
