"""Productions: showers by number, from YAML to an event set, on all cores, killed and continued at will."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import TELESCOPES_M, impact_m
from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError, MagicnnError
from magicnn.events import SCHEMA, EventBatch, EventMeta
from magicnn.io.eventset import EventSet, EventSetWriter
from magicnn.runs import content_hash, progress, provenance, seed_sequence
from magicnn.simulation.detector import Detector, TriggeredEvent, detector, observe
from magicnn.simulation.settings import ProductionSettings, settings_from_yaml
from magicnn.simulation.showers import Environment, ShowerTruth, environment, simulate_shower
from magicnn.simulation.throwing import ThrownShower, production_id, throw_shower

__all__ = ["COLUMNS", "Simulator", "produce", "settings_from_yaml", "simulate_chunk", "simulator"]

_LOG = logging.getLogger(__name__)

_PDG = {"gamma": 22, "proton": 2212}
_SHOWER_BITS = 32
_AHEAD = 3

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
    "true_zenith_deg",
    "true_azimuth_deg",
    "true_core_x_m",
    "true_core_y_m",
    "true_impact_m",
    "true_first_interaction_m",
    "true_xmax_gcm2",
    "true_pe",
)
"""Columns of ``SCHEMA`` that a production fills."""


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
    return Simulator(settings, seed, environment(**settings.site.model_dump()), detector(settings.detector))


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
        seen = observe(light, simulation.detector, [(*stream, reuse) for reuse in range(settings.reuse)])
        events.extend(seen)
        rows.extend(_columns(settings, simulation.seed, index, thrown, truth, event) for event in seen)
    return _batch(events, rows, _meta(settings, simulation.seed))


def produce(
    settings: ProductionSettings,
    path: Path | str,
    *,
    n_events: int,
    seed: int,
    workers: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Simulate showers until enough of them triggered, and write the event set.

    Parameters
    ----------
    settings : ProductionSettings
        What is thrown, and at what.
    path : path
        The event set.
    n_events : int
        Triggered events wanted; the last chunk of showers is kept whole, so there may be a few more.
    seed : int
        With the same seed the events are the same, whatever the number of workers and interruptions.
    workers : int, optional
        Processes; one per core when not given.
    overwrite : bool
        Replace a file of another production, or of anything else, once the new event set is complete.

    Returns
    -------
    Path
        The event set. One that is complete already, of the same settings, seed and number, is left alone; one of the
        same settings and seed with another number is replaced.

    Raises
    ------
    ConfigError
        The number of events, the seed or the number of workers is out of range.
    InputError
        The place cannot be written, or holds an unfinished production of other settings, or, without ``overwrite``,
        any file that is not an event set of these settings and this seed.
    """
    target = Path(path)
    workers = _n_cores() if workers is None else workers
    if n_events < 1 or seed < 0 or workers < 1:
        raise ConfigError(
            f"expected at least one event, a seed from 0 on and at least one worker; got {n_events}, {seed}, {workers}"
        )
    wanted = {"settings": content_hash(settings.model_dump(mode="json")), "seed": seed, "n_events": n_events}
    if target.is_file():
        stored = _stored(target)
        if all(stored.get(key) == value for key, value in wanted.items()):
            _LOG.info("%s: complete already", target)
            return target
        if not overwrite and any(stored.get(key) != wanted[key] for key in ("settings", "seed")):
            raise InputError(
                f"{target}: is there already and not an event set of {settings.name} with these settings and seed "
                f"{seed}; give another output, or overwrite it (--overwrite)"
            )
    identity = _meta(settings, seed)
    started = replace(
        identity,
        generated={**identity.generated, "settings": wanted["settings"], "seed": seed},
        provenance=provenance(seed=seed, settings=settings.model_dump(mode="json")),
    )
    with EventSetWriter(target, started, resume=True) as writer:
        done = len(writer.units)
        if done:
            _LOG.info(
                "%s: continues at shower %d with %d events", target, done * settings.showers_per_chunk, len(writer)
            )
        with progress(total=n_events, description=f"simulate {settings.name}", unit="event") as bar:
            bar.update(min(len(writer), n_events))
            if len(writer) < n_events:
                with closing(_chunks(settings, seed, done, workers)) as chunks:
                    for batch in chunks:
                        bar.update(min(len(batch), n_events - len(writer)))
                        writer.append(batch)
                        if len(writer) >= n_events:
                            break
        n_showers = len(writer.units) * settings.showers_per_chunk
        thrown = settings.generated(n_showers * settings.reuse)
        writer.meta = replace(writer.meta, generated={**thrown.to_mapping(), **wanted, "n_showers": n_showers})
        n_written = len(writer)
    _LOG.info("%s: %d events of %d showers, each used %d times", target, n_written, n_showers, settings.reuse)
    return target


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def _stored(path: Path) -> Mapping[str, Any]:
    """What an event set says of its generation, nothing for any other file."""
    try:
        with EventSet(path) as found:
            return found.meta.generated
    except InputError:
        return {}


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
    return {
        "run_id": run,
        "event_id": index * settings.reuse + k,
        "shower_id": (run << _SHOWER_BITS) + index,
        "reuse_id": k,
        "pointing_zenith_deg": thrown.pointing_zenith_deg[k],
        "pointing_azimuth_deg": thrown.pointing_azimuth_deg[k],
        "pedestal_mean_pe": event.pedestal_mean_pe,
        "pedestal_rms_pe": event.pedestal_rms_pe,
        "true_energy_gev": thrown.energy_gev,
        "true_particle": _PDG[settings.primary],
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
    }


def _batch(events: Sequence[TriggeredEvent], rows: Sequence[Mapping[str, Any]], meta: EventMeta) -> EventBatch:
    n, n_telescopes, n_pixels = len(events), len(meta.telescopes), meta.camera.n_pixels
    columns = {}
    for name in COLUMNS:
        values = np.array([row[name] for row in rows])
        columns[name] = values.reshape((n, n_telescopes) if SCHEMA[name].shape == "telescope" else (n,))
    charge = np.array([e.charge_pe for e in events], dtype=np.float32).reshape(n, n_telescopes, n_pixels)
    time = np.array([e.time_ns for e in events], dtype=np.float32).reshape(n, n_telescopes, n_pixels)
    return EventBatch(charge, time, columns, meta)


def _chunks(settings: ProductionSettings, seed: int, first: int, workers: int) -> Generator[EventBatch]:
    """Simulate chunks without end, in order."""
    if workers == 1:
        simulation = simulator(settings, seed)
        for chunk in count(first):
            yield simulate_chunk(simulation, chunk)
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(settings, seed)
    )
    meta = _meta(settings, seed)
    numbers = count(first)
    waiting = deque(pool.submit(_work, next(numbers)) for _ in range(_AHEAD * workers))
    try:
        while True:
            charge, time, columns = waiting.popleft().result()
            waiting.append(pool.submit(_work, next(numbers)))
            yield EventBatch(charge, time, columns, meta)
    except BrokenProcessPool as error:
        raise MagicnnError(
            f"{settings.name}: a worker died, maybe for lack of memory; the same command continues with what is done"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_simulators: list[Simulator] = []


def _start_worker(settings: ProductionSettings, seed: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _simulators.append(simulator(settings, seed))


def _end_with_parent() -> None:
    """End this process when its parent dies: a killed production leaves nobody behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(chunk: int) -> tuple[NDArray[np.float32], NDArray[np.float32], dict[str, NDArray[Any]]]:
    batch = simulate_chunk(_simulators[0], chunk)
    return batch.charge, batch.time, dict(batch.columns)
