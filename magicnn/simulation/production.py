"""Productions: showers by number, from YAML to an event set, on all cores, killed and continued at will."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import TELESCOPES_M, impact_m
from magicnn.camera import Camera
from magicnn.events import SCHEMA, EventBatch, EventMeta
from magicnn.executors import Place, is_here, results_in_order
from magicnn.io.eventset.reader import EventSetWriter
from magicnn.runs import progress, provenance, seed_sequence
from magicnn.simulation.detector import Detector, TriggeredEvent, detector, observe
from magicnn.simulation.plan import plan_production
from magicnn.simulation.settings import ProductionSettings, settings_from_yaml
from magicnn.simulation.showers import Environment, ShowerTruth, environment, simulate_shower
from magicnn.simulation.throwing import ThrownShower, production_id, throw_shower

__all__ = [
    "COLUMNS",
    "TRUTH_COLUMNS",
    "Simulator",
    "produce",
    "settings_from_yaml",
    "simulate_chunk",
    "simulator",
]

_LOG = logging.getLogger(__name__)

_PDG = {"gamma": 22, "proton": 2212, "helium": 1000020040, "electron": 11, "muon": 13}
_SHOWER_BITS = 32

COLUMNS = (
    "run_id",
    "event_id",
    "shower_id",
    "reuse_id",
    "pointing_zenith_deg",
    "pointing_azimuth_deg",
    "pedestal_mean_pe",
    "pedestal_rms_pe",
    "true_energy_gev",
    "true_particle",
    "weight",
    "true_zenith_deg",
    "true_azimuth_deg",
    "true_core_x_m",
    "true_core_y_m",
    "true_impact_m",
    "true_first_interaction_m",
    "true_xmax_gcm2",
    "true_pe",
)
"""Columns of ``SCHEMA`` that every production fills."""

TRUTH_COLUMNS = ("true_n_muons", "true_pixel_pe")
"""Those that it fills only when asked to (``keep_truth``)."""


@dataclass(frozen=True)
class Simulator:
    """What a process needs to simulate showers of a production.

    Attributes
    ----------
    settings : ProductionSettings
    seed : int
    environment : Environment
    detector : Detector
    """

    settings: ProductionSettings
    seed: int
    environment: Environment
    detector: Detector


def simulator(settings: ProductionSettings, seed: int) -> Simulator:
    """Build atmosphere, light yield and telescopes of a production."""
    surroundings = environment(**settings.site.model_dump(exclude={"light_budget"}))
    return Simulator(settings, seed, surroundings, detector(settings.detector))


def simulate_chunk(simulation: Simulator, chunk: int) -> EventBatch:
    """Simulate one chunk of a production's showers.

    Parameters
    ----------
    simulation : Simulator
    chunk : int
        Which one: showers ``chunk * showers_per_chunk`` and following.

    Returns
    -------
    EventBatch
        The triggered events, maybe none; the same for the same settings, seed and chunk, in any process.
    """
    settings = simulation.settings
    first = chunk * settings.showers_per_chunk
    rows: list[dict[str, Any]] = []
    events: list[TriggeredEvent] = []
    for index in range(first, first + settings.showers_per_chunk):
        thrown = throw_shower(settings, simulation.seed, index)
        if not len(thrown.use):
            continue
        light, truth = simulate_shower(
            settings.primary,
            thrown.energy_gev,
            thrown.zenith_deg,
            thrown.azimuth_deg,
            np.column_stack([thrown.core_x_m, thrown.core_y_m]),
            thrown.pointing_zenith_deg,
            thrown.pointing_azimuth_deg,
            TELESCOPES_M,
            simulation.environment,
            _words(settings, simulation.seed, "shower", index),
        )
        stream = _words(settings, simulation.seed, "detector", index)
        seen = observe(light, simulation.detector, [(*stream, int(use)) for use in thrown.use])
        events.extend(seen)
        rows.extend(_columns(settings, simulation.seed, index, thrown, truth, event) for event in seen)
    names = (*COLUMNS, *TRUTH_COLUMNS) if settings.keep_truth else COLUMNS
    return _batch(events, rows, names, _meta(settings, simulation.seed))


def produce(
    settings: ProductionSettings,
    path: Path | str,
    *,
    n_events: int | None = None,
    n_showers: int | None = None,
    seed: int,
    workers: Place = None,
    overwrite: bool = False,
) -> Path:
    """Simulate showers until enough of them triggered, or until there are enough of them, and write the event set.

    Parameters
    ----------
    settings : ProductionSettings
        What is thrown, and at what.
    path : path
        The event set.
    n_events : int, optional
        Triggered events wanted; the last chunk of showers is kept whole, so there may be a few more.
    n_showers : int, optional
        Showers wanted, rounded up to whole chunks. With both numbers the one that is reached first counts.
    seed : int
        With the same seed the events are the same, whatever the workers and interruptions.
    workers : int, DaskScheduler or SlurmSettings, optional
        Local processes, or others; a process per core when not given.
    overwrite : bool
        Replace a file, or an unfinished production, of other settings, or anything else.

    Returns
    -------
    Path
        The event set. One that is complete already, of the same settings, seed and numbers, is left alone; one of the
        same settings and seed with other numbers is replaced.

    Raises
    ------
    ConfigError
        A number, the seed or the number of workers is out of range, or the workers cannot be reached.
    InputError
        The place cannot be written, no event triggered, or, without ``overwrite``, there is an unfinished production
        of other settings, or any file that is not an event set of these settings and this seed.
    MissingDependencyError
        Dask is needed and not installed.
    MagicnnError
        Workers died again and again; the same call continues.
    """
    target = Path(path)
    plan = plan_production(settings, target, n_events=n_events, n_showers=n_showers, seed=seed, overwrite=overwrite)
    is_here(workers)  # a wrong number is told before anything is written
    if plan.is_complete:
        _LOG.info("%s: complete already", target)
        return target
    if plan.replaces is not None:
        _LOG.warning("%s: an unfinished production of other settings is replaced", target)
        plan.replaces.unlink(missing_ok=True)
    identity = _meta(settings, seed)
    started = replace(
        identity,
        generated={**identity.generated, "settings": plan.wanted["settings"], "seed": seed},
        provenance=provenance(seed=seed, settings=settings.model_dump(mode="json")),
    )
    with EventSetWriter(target, started, resume=True) as writer:
        done = len(writer.units)
        if done:
            _LOG.info(
                "%s: continues at shower %d with %d events", target, done * settings.showers_per_chunk, len(writer)
            )
        n_chunks = None if n_showers is None else -(-n_showers // settings.showers_per_chunk)
        total = n_events if n_events is not None else n_chunks
        unit = "event" if n_events is not None else "chunk"
        with progress(total=total, description=f"simulate {settings.name}", unit=unit) as bar:
            bar.update(min(len(writer), n_events) if n_events is not None else done)
            if not _is_enough(writer, n_events, n_chunks):
                with closing(_chunks(settings, seed, done, workers)) as chunks:
                    for batch in chunks:
                        bar.update(1 if n_events is None else min(len(batch), n_events - len(writer)))
                        writer.append(batch)
                        if _is_enough(writer, n_events, n_chunks):
                            break
        n_simulated = len(writer.units) * settings.showers_per_chunk
        thrown = settings.generated(n_simulated * settings.reuse)
        writer.meta = replace(writer.meta, generated={**thrown.to_mapping(), **plan.wanted, "n_showers": n_simulated})
        n_written = len(writer)
    _LOG.info("%s: %d events of %d showers, each thrown %d times", target, n_written, n_simulated, settings.reuse)
    return target


def _is_enough(writer: EventSetWriter, n_events: int | None, n_chunks: int | None) -> bool:
    return (n_events is not None and len(writer) >= n_events) or (
        n_chunks is not None and len(writer.units) >= n_chunks
    )


def _words(settings: ProductionSettings, seed: int, purpose: str, index: int) -> tuple[int, ...]:
    words = seed_sequence(seed, settings.name, purpose, index).generate_state(2, np.uint32)
    return tuple(int(word) for word in words)


def _meta(settings: ProductionSettings, seed: int) -> EventMeta:
    readout = settings.detector.readout
    return EventMeta(
        particle=settings.particle,
        production=settings.name,
        is_simulation=True,
        camera=Camera.magic(),
        sampling_gsps=readout.sampling_gsps,
        window_ns=readout.window_ns,
        generated={**settings.generated(0).to_mapping(), "seed": seed},
    )


def _columns(
    settings: ProductionSettings,
    seed: int,
    index: int,
    thrown: ThrownShower,
    truth: ShowerTruth,
    event: TriggeredEvent,
) -> dict[str, Any]:
    """Row of the columns of SCHEMA for one event."""
    run = production_id(settings.name, seed)
    k = event.reuse
    use = int(thrown.use[k])
    return {
        "run_id": run,
        "event_id": index * settings.reuse + use,
        "shower_id": (run << _SHOWER_BITS) + index,
        "reuse_id": use,
        "pointing_zenith_deg": thrown.pointing_zenith_deg[k],
        "pointing_azimuth_deg": thrown.pointing_azimuth_deg[k],
        "pedestal_mean_pe": event.pedestal_mean_pe,
        "pedestal_rms_pe": event.pedestal_rms_pe,
        "true_energy_gev": thrown.energy_gev,
        "true_particle": _PDG[settings.primary],
        "weight": thrown.weight[k],
        "true_zenith_deg": thrown.zenith_deg,
        "true_azimuth_deg": thrown.azimuth_deg,
        "true_core_x_m": thrown.core_x_m[k],
        "true_core_y_m": thrown.core_y_m[k],
        "true_impact_m": impact_m(
            thrown.core_x_m[k : k + 1], thrown.core_y_m[k : k + 1], thrown.zenith_deg, thrown.azimuth_deg
        )[0],
        "true_first_interaction_m": truth.first_interaction_height_m,
        "true_xmax_gcm2": truth.xmax_gcm2,
        "true_pe": event.true_pe,
        "true_n_muons": truth.n_muons,
        "true_pixel_pe": event.true_pixel_pe,
    }


def _batch(
    events: Sequence[TriggeredEvent], rows: Sequence[Mapping[str, Any]], names: Sequence[str], meta: EventMeta
) -> EventBatch:
    n, n_telescopes, n_pixels = len(events), len(meta.telescopes), meta.camera.n_pixels
    shapes = {"event": (n,), "telescope": (n, n_telescopes), "pixel": (n, n_telescopes, n_pixels)}
    columns = {
        name: np.array([row[name] for row in rows], dtype=SCHEMA[name].dtype).reshape(shapes[SCHEMA[name].shape])
        for name in names
    }
    charge = np.array([e.charge_pe for e in events], dtype=np.float32).reshape(n, n_telescopes, n_pixels)
    time = np.array([e.time_ns for e in events], dtype=np.float32).reshape(n, n_telescopes, n_pixels)
    return EventBatch(charge, time, columns, meta)


def _chunks(settings: ProductionSettings, seed: int, first: int, workers: Place) -> Generator[EventBatch]:
    """Simulate chunks without end, in order."""
    meta = _meta(settings, seed)
    values = settings.model_dump_json()
    tasks = ((values, seed, chunk) for chunk in count(first))
    with closing(results_in_order(_work, tasks, workers, what=settings.name)) as results:
        for charge, time, columns in results:
            yield EventBatch(charge, time, columns, meta)


@lru_cache(maxsize=1)
def _simulator(values: str, seed: int) -> Simulator:
    """Keep what a process needs from one chunk to the next."""
    return simulator(ProductionSettings.model_validate_json(values), seed)


def _work(
    values: str, seed: int, chunk: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, NDArray[Any]]]:
    batch = simulate_chunk(_simulator(values, seed), chunk)
    return batch.charge, batch.time, dict(batch.columns)
