"""Speed and memory of the evaluation: generated predictions of three methods in the four zenith ranges."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import sky_from_camera
from magicnn.evaluation import EvaluationSettings, evaluate
from magicnn.evaluation.binning import ZENITH_BINS_DEG, Range
from magicnn.generated import Generated
from magicnn.pipeline.speed import Measure, collect, in_new_process, peak_memory_bytes, turns
from magicnn.predictions import PredictionTable

__all__ = ["MEASURES", "generated_predictions", "measure"]

_REUSE = 4  # events of a shower
_METHODS = {"CNN": (2.6, 0.13), "forest": (2.3, 0.14), "LUT": (None, 0.17)}
"""Separation of the classes in standard deviations, and energy resolution."""
_VIEWCONE_DEG = {"gamma": (0.4, 0.4), "gamma_diffuse": (0.0, 2.5), "proton": (0.0, 2.5)}

MEASURES: dict[str, Measure] = {
    "evaluate_s": Measure("evaluation with intervals, by the clock", "s", 120.0),
    "evaluate_cpu_s": Measure("evaluation with intervals, processor time of one core", "s", None),
    "peak_memory_gib": Measure("greatest memory of the process, predictions included", "GiB", 4.0, layout=".2f"),
}
"""Keys of the JSON, and what they mean. The targets are for a million events."""


def measure(*, n_events: int = 1_000_000, repeat: int = 1) -> dict[str, Any]:
    """Measure the evaluation in a process of its own.

    Parameters
    ----------
    n_events : int
        Events in all: a third each of point-like gammas, diffuse gammas and protons, in four zenith ranges.
    repeat : int
        Repetitions; the reference loop is timed before each.

    Returns
    -------
    dict
        See `magicnn.pipeline.speed.collect`; besides, ``repeat`` and ``n_events``.
    """
    references: list[float] = []
    found = [in_new_process(_evaluated, n_events) for _ in turns(repeat, references)]
    values = zip(MEASURES, zip(*found, strict=True), strict=True)
    return collect(values, MEASURES, references, repeat=repeat, n_events=n_events)


def generated_predictions(n_events: int, seed: int = 0) -> Mapping[str, list[PredictionTable]]:
    """Generate what three methods say about the same events.

    Parameters
    ----------
    n_events : int
        Events in all, over particles and zenith ranges.
    seed : int

    Returns
    -------
    mapping of method to list of PredictionTable
    """
    places = [(particle, zenith) for particle in _VIEWCONE_DEG for zenith in ZENITH_BINS_DEG]
    n_showers = max(1, n_events // (_REUSE * len(places)))
    tables: dict[str, list[PredictionTable]] = {method: [] for method in _METHODS}
    for k, (particle, zenith) in enumerate(places):
        rng = np.random.default_rng([seed, k])
        production = _production(particle, zenith, 40 * n_showers * _REUSE)
        events, hardness = _events(production, n_showers, rng)
        for method, (separation, resolution) in _METHODS.items():
            error = 0.8 * hardness + 0.6 * rng.normal(size=len(hardness))
            said = {"reco_energy_gev": events["true_energy_gev"] * np.exp(resolution * error)}
            if separation is not None:
                score = separation * ((particle != "proton") - 0.5) + hardness
                said["gammaness"] = 1.0 / (1.0 + np.exp(-separation * (score + 0.5 * rng.normal(size=len(score)))))
            table = PredictionTable(method, {**events, **said}, particle, production.to_mapping())
            tables[method].append(table)
    return tables


def _production(particle: str, zenith: Range, n_thrown: int) -> Generated:
    return Generated(
        particle="proton" if particle == "proton" else "gamma",
        spectral_index=2.0,
        energy_min_gev=50.0,
        energy_max_gev=20_000.0,
        n_thrown=n_thrown,
        scatter_radius_m=300.0,
        scatter_energy_exponent=0.0,
        scatter_zenith_exponent=0.0,
        viewcone_min_deg=_VIEWCONE_DEG[particle][0],
        viewcone_max_deg=_VIEWCONE_DEG[particle][1],
        zenith_min_deg=zenith[0],
        zenith_max_deg=zenith[1],
    )


def _events(
    production: Generated, n_showers: int, rng: np.random.Generator
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Columns that all methods share, and how easy each event is."""
    n = n_showers * _REUSE
    shower = np.repeat(np.arange(n_showers), _REUSE)
    low, high = production.energy_min_gev, production.energy_max_gev
    cosine = np.cos(np.radians([production.zenith_max_deg, production.zenith_min_deg]))
    zenith = np.degrees(np.arccos(rng.uniform(cosine[0], cosine[1], n_showers)))[shower]
    azimuth = rng.uniform(0.0, 360.0, n_showers)[shower]
    radius = np.sqrt(rng.uniform(production.viewcone_min_deg**2, production.viewcone_max_deg**2 + 1e-12, n))
    turn = rng.uniform(0.0, 2.0 * np.pi, n)
    x, y = radius * np.cos(turn), radius * np.sin(turn)
    error_x, error_y = 0.06 * rng.normal(size=(2, n))
    true, reco = (sky_from_camera(x + a, y + b, zenith, azimuth) for a, b in ((0.0, 0.0), (error_x, error_y)))
    columns = {
        "run_id": np.ones(n, dtype=np.int64),
        "event_id": np.arange(n),
        "shower_id": shower,
        "pointing_zenith_deg": zenith,
        "pointing_azimuth_deg": azimuth,
        "true_energy_gev": (1.0 / (1.0 / low - rng.random(n_showers) * (1.0 / low - 1.0 / high)))[shower],
        "true_zenith_deg": true[0],
        "true_azimuth_deg": true[1],
        "true_impact_max_m": 300.0 * np.sqrt(rng.random(n)),
        "size_min_pe": 50.0 / np.maximum(rng.random(n), 1e-3),
        "reco_zenith_deg": reco[0],
        "reco_azimuth_deg": reco[1],
        "theta2_deg2": error_x**2 + error_y**2,
        "is_valid": rng.random(n) < 0.95,
    }
    return columns, 0.6 * rng.normal(size=n_showers)[shower] + 0.6 * rng.normal(size=n)


def _evaluated(n_events: int) -> tuple[float, float, float]:
    """Time by the clock, processor time, and greatest memory of an evaluation."""
    tables = generated_predictions(n_events)
    settings = EvaluationSettings(zenith_bins_deg=ZENITH_BINS_DEG)
    wall, cpu = time.perf_counter(), time.process_time()
    evaluate(tables, settings)
    return time.perf_counter() - wall, time.process_time() - cpu, peak_memory_bytes() / 2**30
