"""Speed of reading events: MARS files beside ctapipe_io_magic's event loop, conversion, event sets."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from magicnn.array import impact_m
from magicnn.errors import ConfigError
from magicnn.events import EventBatch, EventMeta
from magicnn.generated import Generated
from magicnn.io.convert import convert_events
from magicnn.io.eventset.reader import EventSet, EventSetWriter
from magicnn.io.formats import open_events
from magicnn.io.mars.writer import write_mars
from magicnn.pipeline.speed import Measure, chosen, collect, in_new_process, peak_memory_bytes, repeated, turns

__all__ = ["MEASURES", "measure", "synthetic_events"]

MEASURES: dict[str, Measure] = {
    "reader_us": Measure("our reader: one event of one telescope", "us", None),
    "event_loop_us": Measure("ctapipe_io_magic's event loop: one event of one telescope", "us", None),
    "over_event_loop": Measure("our reader over the event loop", "times", 50.0, is_time=False),
    "plain_us": Measure("our reader, files that are not packed: one event of one telescope", "us", None),
    "threads_us": Measure("our reader, opening not included: all of two threads", "us", None),
    "serial_us": Measure("our reader, opening not included: what is done in one thread alone", "us", None),
    "clock_us": Measure("our reader by the clock, opening not included, all cores", "us", None),
    "one_core_clock_us": Measure("our reader by the clock, opening not included, one thread", "us", None),
    "event_loop_clock_us": Measure("ctapipe_io_magic's event loop by the clock", "us", None),
    "clock_over_event_loop": Measure(
        "our reader over the event loop by the clock, all cores", "times", 50.0, is_time=False
    ),
    "convert_per_s": Measure("conversion to an event set: events of two telescopes", "1/s", None, is_time=False),
    "convert_peak_mb": Measure("conversion: greatest memory of its process", "MB", 1024.0),
    "blocks_us": Measure("event set, 1024 events at a time in order: one event of two telescopes", "us", None),
    "shuffled_us": Measure("event set, all events in random order: one event of two telescopes", "us", None),
}
"""Keys of the JSON, and what they mean."""

_N_EVENTS, _N_LOOP = 20_000, 1_000
_BLOCK = 1024
_ORACLE = ("event_loop_us", "over_event_loop", "event_loop_clock_us", "clock_over_event_loop")
_THROWN = Generated(
    particle="gamma",
    spectral_index=2.0,
    energy_min_gev=50.0,
    energy_max_gev=20_000.0,
    n_thrown=1000,
    scatter_radius_m=350.0,
    scatter_energy_exponent=0.0,
    scatter_zenith_exponent=0.0,
    viewcone_min_deg=0.4,
    viewcone_max_deg=0.4,
    zenith_min_deg=5.0,
    zenith_max_deg=35.0,
)
_EVENT_LOOP = """
import json, sys, time
from ctapipe_io_magic import MAGICEventSource
with MAGICEventSource(input_url=sys.argv[1], process_run=False) as source:
    start, clock, n = time.process_time(), time.perf_counter(), 0
    for event in source:
        n += 1
    print(json.dumps([1e6 * (time.process_time() - start) / n, 1e6 * (time.perf_counter() - clock) / n]))
"""


def measure(
    *, repeat: int = 3, scale: float = 1.0, only: Sequence[str] = (), oracle_python: Path | None = None
) -> dict[str, Any]:
    """Measure speeds in processor time, reading also by the clock, on a pair of MARS simulation files made for it.

    Parameters
    ----------
    repeat : int
        Repetitions; the reference loop is timed before each.
    scale : float
        Factor on the numbers of events, 20 000 for our own reading and 1000 for the event loop.
    only : sequence of str
        Keys of `MEASURES`; all when empty.
    oracle_python : Path, optional
        Python of an environment with ctapipe_io_magic (``tools/oracles.py magic``). Without it the event loop is not
        measured, and ``left_out`` says so.

    Returns
    -------
    dict
        See `magicnn.pipeline.speed.collect`; besides, ``repeat``, ``scale``, ``n_events``, ``n_events_loop`` and
        ``left_out``, the keys that were not measured.

    Raises
    ------
    ConfigError
        A key is not known, or the event loop cannot be run.
    """
    keys = list(chosen(only, MEASURES, command="bench read"))
    left_out = [key for key in keys if key in _ORACLE] if oracle_python is None else []
    keys = [key for key in keys if key not in left_out]
    n_events, n_loop = max(2, round(_N_EVENTS * scale)), max(2, round(_N_LOOP * scale))
    references: list[float] = []
    with tempfile.TemporaryDirectory(prefix="magicnn-bench-") as name:
        return collect(
            _values(keys, Path(name), n_events, n_loop, repeat, oracle_python, references),
            MEASURES,
            references,
            repeat=repeat,
            scale=scale,
            n_events=n_events,
            n_events_loop=n_loop,
            left_out=left_out,
        )


def _values(
    keys: Sequence[str],
    folder: Path,
    n_events: int,
    n_loop: int,
    repeat: int,
    oracle_python: Path | None,
    references: list[float],
) -> Iterator[tuple[str, list[float]]]:
    """Yield keys with one value per repetition."""
    pair = _pair(folder / "many", n_events)
    rows: dict[str, list[float]] = {}

    def timed(work: Callable[[int], float]) -> list[float]:
        return repeated(work, repeat, references)

    if {"reader_us", "over_event_loop"} & set(keys):
        rows["reader_us"] = timed(partial(_reader_us, pair))
    if {"clock_us", "one_core_clock_us", "clock_over_event_loop"} & set(keys):
        rows["clock_us"] = timed(partial(_clock_us, pair, None))
        rows["one_core_clock_us"] = timed(partial(_clock_us, pair, 1))
    if {"threads_us", "serial_us"} & set(keys):
        both = [_threads_us(pair) for _ in turns(repeat, references)]
        rows["threads_us"], rows["serial_us"] = ([row[i] for row in both] for i in (0, 1))
    if "plain_us" in keys:
        plain = write_mars(EventSet(folder / "many.h5"), folder / "plain", is_packed=False)
        rows["plain_us"] = timed(partial(_reader_us, plain))
        shutil.rmtree(folder / "plain")
    if set(_ORACLE) & set(keys) and oracle_python is not None:
        few = _pair(folder / "few", n_loop)
        loops: list[tuple[float, float]] = []
        rows["event_loop_us"] = timed(partial(_event_loop, oracle_python, few, loops))
        rows["event_loop_clock_us"] = [clock for _, clock in loops[-repeat:]]
        for key, ours, theirs in (
            ("over_event_loop", "reader_us", "event_loop_us"),
            ("clock_over_event_loop", "clock_us", "event_loop_clock_us"),
        ):
            pairs = zip(rows[theirs], rows.get(ours, []), strict=False)
            rows[key] = [slow / fast for slow, fast in pairs]
    if {"convert_per_s", "convert_peak_mb"} & set(keys):
        both = [in_new_process(_converted, pair, folder / f"converted_{k}.h5") for k in turns(repeat, references)]
        rows["convert_per_s"] = [n_events / spent for spent, _ in both]
        rows["convert_peak_mb"] = [peak for _, peak in both]
    if {"blocks_us", "shuffled_us"} & set(keys):
        events = EventSet(folder / "many.h5")
        rows["blocks_us"] = timed(lambda _: _us_per_event(lambda: events.batches(_BLOCK)))
        rows["shuffled_us"] = timed(lambda k: _us_per_event(lambda: events.blocks(seed=1, epoch=k)))
    for key in keys:
        yield key, rows[key]


def synthetic_events(n: int, seed: int = 1) -> EventBatch:
    """Return simulated events with random images: noise as in the sky, and a spot of light in each camera.

    Parameters
    ----------
    n : int
        Number of events.
    seed : int
        Fixes them.
    """
    rng = np.random.default_rng([seed, n])
    meta = EventMeta(
        particle="gamma",
        production="bench_za05to35",
        is_simulation=True,
        sampling_gsps=1.64,
        window_ns=50 / 1.64,
        generated=_THROWN.to_mapping(),
    )
    camera = meta.camera
    place = rng.uniform(-0.3, 0.3, (2, n, 2, 1))
    distance2 = (camera.x_m - place[0]) ** 2 + (camera.y_m - place[1]) ** 2
    light = rng.uniform(10.0, 200.0, (n, 2, 1)) * np.exp(-distance2 / (2.0 * 0.04**2))
    charge = (rng.normal(1.5, 1.2, light.shape) + light).astype(np.float16).astype(np.float32)
    time_ns = np.where(light > 3.0, rng.normal(15.0, 1.0, light.shape), rng.uniform(0.0, 30.0, light.shape))
    energy = 10.0 ** rng.uniform(1.7, 4.3, n)
    zenith, azimuth = rng.uniform(5.0, 35.0, n), rng.uniform(0.0, 360.0, n)
    core = rng.uniform(-200.0, 200.0, (2, n))
    columns = {
        "run_id": np.full(n, 5_000_001),
        "event_id": np.arange(1, n + 1),
        "shower_id": np.arange(n),
        "reuse_id": np.zeros(n),
        "pointing_zenith_deg": zenith,
        "pointing_azimuth_deg": azimuth,
        "pedestal_mean_pe": np.full((n, 2), 1.5),
        "pedestal_rms_pe": np.full((n, 2), 1.2),
        "true_energy_gev": energy,
        "true_particle": np.full(n, 22),
        "true_zenith_deg": zenith,
        "true_azimuth_deg": azimuth,
        "true_core_x_m": core[0],
        "true_core_y_m": core[1],
        "true_impact_m": impact_m(core[0], core[1], zenith, azimuth),
        "true_first_interaction_m": np.full(n, 20_000.0),
        "true_xmax_gcm2": np.full(n, 300.0),
    }
    return EventBatch(charge, np.clip(time_ns, 0.0, 30.0).astype(np.float16).astype(np.float32), columns, meta)


def _pair(place: Path, n: int) -> list[Path]:
    """Write synthetic events as an event set beside a folder, and as MARS files of both telescopes into it."""
    source = place.with_suffix(".h5")
    blocks = [min(_BLOCK, n - start) for start in range(0, n, _BLOCK)]
    with EventSetWriter(source, synthetic_events(1).meta) as writer:
        for i, size in enumerate(blocks):
            events = synthetic_events(size, seed=i)
            writer.append(events.with_columns(event_id=events["event_id"] + i * _BLOCK))
    return write_mars(EventSet(source), place)


def _us_per_event(batches: Callable[[], Iterator[EventBatch]]) -> float:
    start = time.process_time()
    n = sum(len(batch) for batch in batches())
    return 1e6 * (time.process_time() - start) / n


def _reader_us(pair: Sequence[Path], _: int) -> float:
    """Processor time of opening and reading in one thread, per event of one telescope."""
    return _us_per_event(lambda: open_events(pair, threads=1).batches(_BLOCK)) / len(pair)


def _clock_us(pair: Sequence[Path], threads: int | None, _: int) -> float:
    """Time of reading by the clock, without opening, per event of one telescope."""
    reader = open_events(pair, threads=threads)
    start = time.perf_counter()
    n = sum(len(batch) for batch in reader.batches(_BLOCK))
    return 1e6 * (time.perf_counter() - start) / n / len(pair)


def _threads_us(pair: Sequence[Path]) -> tuple[float, float]:
    """Processor time of reading in two threads, without opening, per event of one telescope: all, and this thread's."""
    reader = open_events(pair, threads=2)
    start, here = time.process_time(), time.thread_time()
    n = sum(len(batch) for batch in reader.batches(_BLOCK)) * len(pair)
    return 1e6 * (time.process_time() - start) / n, 1e6 * (time.thread_time() - here) / n


def _event_loop(python: Path, pair: Sequence[Path], found: list[tuple[float, float]], k: int) -> float:
    """Processor time of the event loop over one telescope's file, without opening, per event; also by the clock."""
    command = [str(python), "-W", "ignore", "-c", _EVENT_LOOP, str(pair[k % len(pair)])]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        last = next(iter(reversed((getattr(error, "stderr", None) or str(error)).strip().splitlines())), "")
        raise ConfigError(f"{python}: cannot measure with it ({last})") from error
    spent, clock = json.loads(done.stdout.strip().splitlines()[-1])
    found.append((float(spent), float(clock)))
    return found[-1][0]


def _converted(pair: Sequence[Path], output: Path) -> tuple[float, float]:
    """Processor time in s of a conversion, and the greatest memory of this process in MB."""
    start = time.process_time()
    convert_events(pair, output)
    return time.process_time() - start, peak_memory_bytes() / 1e6
