"""Speed of the air-shower simulation in processor time, beside a loop that every machine can run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from magicnn.array import TELESCOPES_M
from magicnn.pipeline.speed import Measure, chosen, collect, peak_memory_bytes, repeated, turns
from magicnn.simulation.production import Simulator, simulate_chunk, simulator
from magicnn.simulation.settings import ProductionSettings, SiteSettings, settings_from_yaml
from magicnn.simulation.showers import environment, simulate_shower

__all__ = ["MEASURES", "bench_production", "measure"]

_ZENITH_DEG = 20.0
_CORE_RADIUS_M = 150.0
_FAR_DEG = ("zenith_min_deg=19", "zenith_max_deg=21")
_NEAR_CORES = ("scatter_radius_m=150", "scatter_energy_exponent=0", "scatter_zenith_exponent=0")
_GAMMA = ("energy_min_gev=50", "energy_max_gev=20000", *_FAR_DEG)
_PROTON = ("energy_min_gev=100", "energy_max_gev=60000", "viewcone_max_deg=5", *_FAR_DEG)
_SHOWERS = {
    "gamma_100gev_ms": ("gamma", 100.0, 200),
    "gamma_1tev_ms": ("gamma", 1000.0, 30),
    "proton_1tev_ms": ("proton", 1000.0, 60),
}
_TEN_CORES = {"ten_cores_gamma_100gev": (100.0, 150), "ten_cores_gamma_1tev": (1000.0, 20)}
_PRODUCTIONS = {
    "triggered_gammas_per_s": ("gamma_za05to35.yaml", (*_GAMMA, *_NEAR_CORES)),
    "triggered_gammas_production_per_s": ("gamma_za05to35.yaml", _GAMMA),
    "triggered_protons_per_s": ("proton_za05to35.yaml", (*_PROTON, *_NEAR_CORES)),
    "triggered_protons_production_per_s": ("proton_za05to35.yaml", _PROTON),
}
_PRODUCTION_SHOWERS = 400
_START = "from magicnn.pipeline.simulation_speed import first_shower; first_shower()"


MEASURES: dict[str, Measure] = {
    "gamma_100gev_ms": Measure("gamma, 100 GeV, two telescopes", "ms", 5.0),
    "gamma_1tev_ms": Measure("gamma, 1 TeV, two telescopes", "ms", 45.0),
    "proton_1tev_ms": Measure("proton, 1 TeV, two telescopes", "ms", 20.0),
    "ten_cores_gamma_100gev": Measure("ten core positions over one, gamma, 100 GeV", "times", 2.0, layout=".2f"),
    "ten_cores_gamma_1tev": Measure("ten core positions over one, gamma, 1 TeV", "times", 2.0, layout=".2f"),
    "triggered_gammas_per_s": Measure(
        "triggered gammas, E^-2, 50 GeV to 20 TeV, cores within 150 m, with detector", "1/s", 60.0, is_time=False
    ),
    "triggered_gammas_production_per_s": Measure(
        "the same, cores over the production's area", "1/s", 60.0, is_time=False
    ),
    "triggered_protons_per_s": Measure(
        "triggered protons, E^-2, 100 GeV to 60 TeV, 5 deg cone, cores within 150 m, effective number",
        "1/s",
        15.0,
        is_time=False,
    ),
    "triggered_protons_production_per_s": Measure(
        "the same, cores over the production's area", "1/s", 15.0, is_time=False
    ),
    "two_processes": Measure("two processes over one, by the clock", "times", 1.9, is_time=False, layout=".2f"),
    "two_processes_cpu": Measure(
        "two processes over one, by processor time: what they take from each other",
        "times",
        None,
        is_time=False,
        layout=".2f",
    ),
    "peak_memory_gb": Measure(
        "greatest memory of a process, gammas and protons with detector", "GB", 1.0, layout=".2f"
    ),
    "second_start_s": Measure(
        "start of a new process to the end of its first event, compiled code kept", "s", 3.0, layout=".2f"
    ),
}
"""Keys of the JSON, and what they mean."""


def measure(
    *, repeat: int = 5, scale: float = 1.0, only: Sequence[str] = (), configs: Path = Path("mc_configs")
) -> dict[str, Any]:
    """Measure speeds in processor time of this process.

    Parameters
    ----------
    repeat : int
        Repetitions; the reference loop is timed before each.
    scale : float
        Factor on the numbers of showers.
    only : sequence of str
        Keys of `MEASURES`; all when empty.
    configs : Path
        Folder of the productions' YAML files.

    Returns
    -------
    dict
        See `magicnn.pipeline.speed.collect`; besides, ``repeat`` and ``scale``.

    Raises
    ------
    ConfigError
        A key is not known, or the YAML files are not there.
    """
    keys = chosen(only, MEASURES, command="bench simulate")
    references: list[float] = []
    values = _values(repeat, scale, keys, configs, references)
    return collect(values, MEASURES, references, repeat=repeat, scale=scale)


def bench_production(particle: Literal["gamma", "proton"], energies_gev: tuple[float, float], **more: Any) -> Simulator:
    """Return a simulation of E^-2 at 19 to 21 deg zenith distance, gammas 0.4 deg off, one shower in a chunk."""
    is_gamma = particle == "gamma"
    settings = ProductionSettings(
        name=particle,
        particle=particle,
        spectral_index=2.0,
        energy_min_gev=energies_gev[0],
        energy_max_gev=energies_gev[1],
        zenith_min_deg=19.0,
        zenith_max_deg=21.0,
        viewcone_min_deg=0.4 if is_gamma else 0.0,
        viewcone_max_deg=0.4 if is_gamma else 2.0,
        showers_per_chunk=1,
        **more,
    )
    return simulator(settings, 1)


def first_shower() -> None:
    """Simulate one event from a gamma of 1 TeV, detector included, as a new process would first."""
    simulate_chunk(bench_production("gamma", (1000.0, 1001.0), scatter_radius_m=50.0, reuse=1), 0)


def _values(repeat: int, scale: float, keys: Sequence[str], configs: Path, references: list[float]) -> Any:
    """Yield keys with one value per repetition."""
    surroundings = environment(**SiteSettings().model_dump(exclude={"light_budget"}))

    def number(at_one: int) -> int:
        return max(2, round(at_one * scale))

    for key, (particle, energy, at_one) in _SHOWERS.items():
        if key in keys:
            yield (
                key,
                repeated(partial(_shower_ms, particle, energy, 1, number(at_one), surroundings), repeat, references),
            )
    for key, (energy, at_one) in _TEN_CORES.items():
        if key in keys:
            yield key, repeated(partial(_ten_over_one, energy, number(at_one), surroundings), repeat, references)
    for key, (config, overrides) in _PRODUCTIONS.items():
        if key in keys:
            settings = settings_from_yaml(configs / config, [*overrides, f"name={key}", "showers_per_chunk=1"])
            yield key, repeated(partial(_triggered_per_s, settings, number(_PRODUCTION_SHOWERS)), repeat, references)
    if any(k in keys for k in ("two_processes", "two_processes_cpu", "peak_memory_gb")):
        pairs = [(_together(1, number(30)), _together(2, number(30))) for _ in turns(repeat, references)]
        if "two_processes" in keys:
            yield "two_processes", [2.0 * one["wall_s"] / two["wall_s"] for one, two in pairs]
        if "two_processes_cpu" in keys:
            yield "two_processes_cpu", [2.0 * one["cpu_s"] / two["cpu_s"] for one, two in pairs]
        if "peak_memory_gb" in keys:
            yield "peak_memory_gb", [two["peak_gb"] for _, two in pairs]
    if "second_start_s" in keys:
        yield "second_start_s", repeated(_start_s, repeat, references)


def _shower_ms(particle: str, energy_gev: float, n_cores: int, n_showers: int, surroundings: Any, _: int = 0) -> float:
    """Mean processor time of a shower; every repetition simulates the same ones."""
    generator = np.random.default_rng(1)
    pointing = np.full(n_cores, _ZENITH_DEG), np.zeros(n_cores)
    spent = 0.0
    for i in range(n_showers):
        radius = _CORE_RADIUS_M * np.sqrt(generator.random(n_cores))
        turn = 2.0 * np.pi * generator.random(n_cores)
        cores = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
        start = time.process_time()
        simulate_shower(particle, energy_gev, _ZENITH_DEG, 0.0, cores, *pointing, TELESCOPES_M, surroundings, [1, i])
        spent += time.process_time() - start
    return 1e3 * spent / n_showers


def _ten_over_one(energy_gev: float, n_showers: int, surroundings: Any, _: int) -> float:
    """Time of gammas with ten core positions over that with one."""
    ten, one = (_shower_ms("gamma", energy_gev, n, n_showers, surroundings) for n in (10, 1))
    return ten / one


def _triggered_per_s(settings: ProductionSettings, n_showers: int, seed: int) -> float:
    """Effective number of triggered events (Kish) per second of processor time; other showers in each repetition."""
    simulation = simulator(settings, seed)
    weights = []
    start = time.process_time()
    for chunk in range(n_showers):
        batch = simulate_chunk(simulation, chunk)
        weights.append(np.asarray(batch.columns.get("weight", np.ones(len(batch))), dtype=np.float64))
    spent = time.process_time() - start
    all_ = np.concatenate(weights)
    return float(all_.sum() ** 2 / (all_**2).sum() / spent) if len(all_) else 0.0


def _together(n_processes: int, n_showers: int) -> dict[str, float]:
    """Run the same work in some processes at once; the means of their times, and the greatest memory."""
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(n_processes), context.SimpleQueue()
    workers = [context.Process(target=_worker, args=(barrier, results, n_showers)) for _ in range(n_processes)]
    for worker in workers:
        worker.start()
    rows = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    cpu, wall, peak = np.array(rows).T
    return {"cpu_s": float(cpu.mean()), "wall_s": float(wall.max()), "peak_gb": float(peak.max())}


def _worker(barrier: Any, results: Any, n_showers: int) -> None:
    more = {"scatter_radius_m": 200.0, "reuse": 20}
    simulations = [bench_production(particle, (300.0, 20_000.0), **more) for particle in ("gamma", "proton")]
    for simulation in simulations:
        simulate_chunk(simulation, 0)
    barrier.wait()
    cpu, wall = time.process_time(), time.perf_counter()
    for chunk in range(1, n_showers + 1):
        for simulation in simulations:
            simulate_chunk(simulation, chunk)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    results.put((*spent, peak_memory_bytes() / 1e9))


def _start_s(_: int) -> float:
    """Processor time of a new process up to the end of its first event."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", _START], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
