"""Time the reading of an event set from a warm cache, in order and block-shuffled, on one core.

Without a file, random stereo events are written to a temporary one first:

    python analysis/benchmark_eventset.py --events 20000 --json eventset.json

Keys of the JSON: `n_events`, `n_telescopes`, `file_mb`, `write_events_per_s`, `batches_events_per_s` (in order) and
`blocks_events_per_s` (block-shuffled), the last two as the median of the repetitions, and `versions`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from importlib import metadata
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import h5py
import numpy as np

from magicnn import Camera, EventBatch, EventMeta, EventSet, __version__
from magicnn.events import SCHEMA
from magicnn.io.eventset.reader import EventSetWriter


def write_random_events(path: Path, n_events: int) -> float:
    """Write stereo events with every column of the schema; return the events per second."""
    rng = np.random.default_rng(0)
    meta = EventMeta(particle="gamma", production="random numbers", is_simulation=True, camera=Camera.magic())
    start = time.perf_counter()
    with EventSetWriter(path, meta) as writer:
        for first in range(0, n_events, 1000):
            count = min(1000, n_events - first)
            images = rng.exponential(3.0, (2, count, 2, meta.camera.n_pixels)).astype(np.float32)
            shapes = {"event": (count,), "telescope": (count, 2)}
            columns = {name: rng.random(shapes[spec.shape]).astype(spec.dtype) for name, spec in SCHEMA.items()}
            columns["event_id"] = np.arange(first, first + count)
            writer.append(EventBatch(images[0], images[1], columns, meta))
    return n_events / (time.perf_counter() - start)


def events_per_second(events: EventSet, repeat: int, *, is_shuffled: bool) -> float:
    """Median speed over passes through the file; the first one only warms the cache."""
    speeds = []
    for epoch in range(repeat + 1):
        start = time.perf_counter()
        n_events = sum(map(len, events.blocks(seed=0, epoch=epoch) if is_shuffled else events.batches(256)))
        speeds.append(n_events / (time.perf_counter() - start))
    return float(np.median(speeds[1:]))


def main() -> None:
    """Measure, print, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, help="event set to read; random events when not given")
    parser.add_argument("--events", type=int, default=20000, help="random events to write (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=5, help="passes through the file (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    args = parser.parse_args()

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = args.file or Path(folder) / "random.h5"
        if not args.file:
            result["write_events_per_s"] = write_random_events(path, args.events)
        with EventSet(path) as events:
            print(events)
            result |= {"n_events": len(events), "n_telescopes": len(events.meta.telescopes)}
            result["file_mb"] = path.stat().st_size / 1e6
            result["batches_events_per_s"] = events_per_second(events, args.repeat, is_shuffled=False)
            result["blocks_events_per_s"] = events_per_second(events, args.repeat, is_shuffled=True)
    result["versions"] = {"magicnn": __version__, "h5py": h5py.__version__, "numpy": metadata.version("numpy")}
    print(json.dumps(result, indent=1))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
