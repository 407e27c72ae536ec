"""Light on the ground: against the distance to the core, its heights and times."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.showers import environment, simulate_shower
from validation.drawing import COLOURS, REFERENCE, panels
from validation.lines import Figure, Group, Line, shown_only
from validation.store import Arrays, Store

__all__ = ["RADII_M", "Floats", "light_pool", "relative_error", "resampled", "validate"]

Floats = NDArray[Any]

RADII_M = np.array(
    [10.0, 30.0, 50.0, 70.0, 90.0, 100.0, 105.0, 110.0, 115.0, 120.0, 125.0, 130.0, 140.0, 160.0, 190.0, 200.0, 220.0]
)
_N_AZIMUTHS = 4
_SPHERE_M = 5.0
_ENOUGH_PHOTONS = 50
_SHOWN_M = (10.0, 50.0, 70.0, 100.0, 120.0, 130.0, 140.0, 160.0, 190.0, 220.0)
_SHOWERS = {("gamma", 100.0): 800, ("gamma", 1000.0): 100, ("proton", 300.0): 600, ("proton", 1000.0): 400}
_CORSIKA = "CORSIKA 7 photon files in pyeventio's test resources"


def light_pool(store: Store, particle: str, energy_gev: float, number: int) -> Arrays:
    """Photons per m2 (290 to 700 nm, no extinction) of vertical showers at `RADII_M`, their heights and times.

    Returns
    -------
    dict of arrays
        ``density`` [N, radii], ``half_width_ns`` [N, radii] (half the central 68 %, NaN below 50 photons),
        ``height_m`` [N, 3]: quantiles 0.16, 0.5, 0.84 of the emission height, and ``muons`` [N] that reach the ground.
    """
    surroundings = environment(light_scale=1.0, mode="photons", view_radius_deg=30.0, telescope_radius_m=_SPHERE_M)
    still = np.zeros(_N_AZIMUTHS * RADII_M.size)

    def one(i: int) -> Arrays:
        turn = 0.37 * i + 2.0 * np.pi / _N_AZIMUTHS * np.arange(_N_AZIMUTHS)
        radius, azimuth = np.meshgrid(RADII_M, turn)
        cores = np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth)], axis=-1).reshape(-1, 2)
        light, truth = simulate_shower(
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
        return {
            "density": count.mean(axis=0) / (np.pi * _SPHERE_M**2),
            "half_width_ns": mean_width,
            "height_m": height,
            "muons": np.array(truth.n_muons),
        }

    return store.showers(
        "light", {"particle": particle, "energy_gev": energy_gev, "radii": RADII_M.tolist()}, number, one
    )


def resampled(values: Floats, statistic: Any, n: int = 200) -> tuple[float, float]:
    """Give the value of a statistic of rows, and its bootstrap error."""
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
        digits: int = 2,
    ) -> None:
        lines.append(Line(key, quantity, *found, unit, low, high, reference, source, digits=digits))

    what = f"{n} vertical gammas of 100 GeV"
    add(
        "yield",
        f"photons per m² at 50 to 150 m, 290 to 700 nm, no extinction: median over {what}",
        resampled(rows[:, _at(50, 150)].mean(axis=1), np.median),
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
        resampled(rows[:, _at(90, 120)].mean(axis=1), lambda v: v.std() / v.mean()),
        "",
        0.25,
        0.40,
        "25 – 40 %",
        _CORSIKA,
    )
    add(
        "hump",
        "distance of the brightest ring beyond 80 m",
        resampled(rows, _hump),
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
        resampled(rows, lambda r: r.mean(axis=0)[_at(100, 130)].mean() / r.mean(axis=0)[_at(0, 40)].mean()),
        "",
        1.1,
        1.6,
        "1.1 – 1.6",
        _CORSIKA,
        digits=3,
    )
    lines += [
        shown_only(
            f"density_{key}",
            f"photons per m² at {text}, {what}, with the magnetic field",
            resampled(rows[:, near].mean(axis=1), np.mean),
            "1/m²",
            source="for the lines above",
            digits=1,
        )
        for key, text, near in (("centre", "0 to 40 m", _at(0, 40)), ("hump", "110 to 130 m", _at(110, 130)))
    ]
    add(
        "outside_160",
        "density at its greatest over that at 160 m",
        resampled(rows, lambda r: r.mean(axis=0).max() / r.mean(axis=0)[RADII_M == 160.0][0]),
        "",
        1.6,
        math.nan,
        "more than 1.6",
        "first version of this simulation",
    )
    add(
        "outside_190",
        "density at 190 m over the greatest",
        resampled(rows, lambda r: r.mean(axis=0)[RADII_M == 190.0][0] / r.mean(axis=0).max()),
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
        resampled(gamma["height_m"][:, 1] / 1e3, np.nanmedian),
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
        resampled((gamma["height_m"][:, 2] - gamma["height_m"][:, 0]) / 2e3, np.nanmedian),
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
        resampled(width[:, _at(90, 120)].min(axis=1), np.nanmedian),
        "ns",
        0.4,
        0.8,
        "0.4 – 0.8 ns",
        _CORSIKA,
    )
    add(
        "time_200",
        "the same at 200 m",
        resampled(width[:, RADII_M == 200.0][:, 0], np.nanmedian),
        "ns",
        1.5,
        math.nan,
        "more than 1.5 ns",
        _CORSIKA,
    )
    inner = _at(0, 200)
    weights = RADII_M[inner]
    many, few = (made["gamma", e]["density"][:, inner] @ weights / weights.sum() for e in (1000.0, 100.0))
    ratio = many.mean() / few.mean() / 10.0
    lines.append(
        shown_only(
            "growth",
            "light within 200 m per energy, gammas of 1 TeV over 100 GeV",
            (ratio, ratio * math.hypot(relative_error(many), relative_error(few))),
            reference="a little above 1",
            source="showers of more energy go deeper",
        )
    )
    lines += [
        shown_only(
            f"density_{radius:g}",
            f"photons per m² at {radius:g} m, {what}, with the magnetic field",
            resampled(rows[:, k], np.mean),
            "1/m²",
            source="the light pool",
            digits=1,
        )
        for k, radius in enumerate(RADII_M)
        if radius in _SHOWN_M
    ]
    _draw(figures / "light.png", made)
    caption = (
        "Vertical showers; bands: error of the mean; grey: range of CORSIKA's gammas of 100 to 178 GeV. Left: photons "
        "against the distance to the core. Middle: spread of the arrival times. Right: median height of emission, "
        "shower by shower."
    )
    return Group(lines, (Figure("light.png", caption),))


def relative_error(values: Floats) -> float:
    """Give the error of a mean over the mean."""
    return float(values.std() / values.mean() / math.sqrt(len(values)))


def _draw(path: Path, made: dict[tuple[str, float], Arrays]) -> None:
    with panels(path, 3) as (density, times, heights):
        density.fill_between([50.0, 150.0], 9.0, 17.0, color=REFERENCE, alpha=0.2, lw=0, label="CORSIKA, gammas")
        for colour, ((particle, energy), m) in zip(COLOURS, made.items(), strict=False):
            rows = m["density"] / (energy / 100.0)
            mean, error = rows.mean(axis=0), rows.std(axis=0) / np.sqrt(len(rows))
            name = f"{particle} {energy:g} GeV" if energy < 1e3 else f"{particle} {energy / 1e3:g} TeV"
            density.plot(RADII_M, mean, color=colour, label=name)
            density.fill_between(RADII_M, mean - error, mean + error, color=colour, alpha=0.25, lw=0)
            width = m["half_width_ns"]
            known = np.isfinite(width).sum(axis=0) >= 5
            times.plot(RADII_M[known], np.nanmedian(width[:, known], axis=0), color=colour)
            heights.hist(
                m["height_m"][:, 1] / 1e3,
                list(np.arange(3.0, 17.0, 0.5)),
                density=True,
                histtype="step",
                color=colour,
                lw=1.5,
            )
        density.set(
            xlabel="distance to the core [m]", ylabel="photons per m² and 100 GeV", xlim=(0.0, 225.0), ylim=(0.0, None)
        )
        times.fill_between([90.0, 120.0], 0.4, 0.8, color=REFERENCE, alpha=0.3, lw=0)
        times.set(
            xlabel="distance to the core [m]",
            ylabel="half of the central 68 % of times [ns]",
            xlim=(0.0, 225.0),
            ylim=(0.0, None),
        )
        heights.axvspan(10.5, 13.0, color=REFERENCE, alpha=0.2, lw=0)
        heights.set(xlabel="median height of emission [km]", ylabel="density of showers [1/km]", xlim=(3.0, 16.5))
