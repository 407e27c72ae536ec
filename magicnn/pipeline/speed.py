"""Speeds in numbers that machines can compare: medians of repetitions, targets, and a loop that all of them can run."""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.errors import ConfigError, nearest_names

__all__ = [
    "Measure",
    "chosen",
    "collect",
    "in_new_process",
    "peak_memory_bytes",
    "reference_loop",
    "reference_ms",
    "repeated",
    "report",
    "turns",
]

Given = TypeVar("Given")

_REFERENCE_STEPS = 10_000_000
_SEED = np.array([0x9E3779B97F4A7C15], dtype=np.uint64)


@dataclass(frozen=True)
class Measure:
    """Something to measure.

    Attributes
    ----------
    text, unit : str
    target : float or None
        What is wanted.
    is_time : bool
        Whether less is better: times and memory, not rates and speed-ups.
    layout : str
        Format of its numbers.
    """

    text: str
    unit: str
    target: float | None
    is_time: bool = True
    layout: str = ".1f"


def chosen(only: Sequence[str], measures: Mapping[str, Measure], *, command: str) -> Sequence[str]:
    """Return the keys to measure, all when none is named.

    Raises
    ------
    ConfigError
        A key is not known.
    """
    for key in only:
        if key not in measures:
            raise ConfigError(f"{command}: {key!r} is not known; {nearest_names(key, measures)}")
    return only or tuple(measures)


def repeated(work: Callable[[int], float], repeat: int, references: list[float]) -> list[float]:
    """Run work once in vain, then some times with the reference loop before each.

    Parameters
    ----------
    work : callable
        Takes the number of the repetition, returns what is measured.
    repeat : int
        Repetitions.
    references : list of float
        Durations of the reference loop are appended, ms.

    Returns
    -------
    list of float
    """
    work(0)
    return [work(k) for k in turns(repeat, references)]


def turns(repeat: int, references: list[float]) -> Iterator[int]:
    """Count repetitions, and time the reference loop before each; its durations, ms, are appended to a list."""
    for k in range(repeat):
        references.append(reference_ms())
        yield k


def in_new_process(function: Callable[..., Given], *arguments: Any) -> Given:
    """Return what a function of a module gives in a process of its own, which begins with next to no memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def collect(
    values: Iterable[tuple[str, Sequence[float]]],
    measures: Mapping[str, Measure],
    references: Sequence[float],
    **more: Any,
) -> dict[str, Any]:
    """Gather measured values as the JSON has them.

    Parameters
    ----------
    values : iterable of (str, sequence of float)
        Keys of ``measures``, each with one value per repetition.
    measures : mapping of str to Measure
        What the keys mean.
    references : sequence of float
        Durations of the reference loop, ms; may grow while the values are measured.
    more
        Further entries.

    Returns
    -------
    dict
        ``reference_ms``, ``machine``, what is given besides, and, under ``measures``, for each key ``value``
        (median), ``low`` and ``high`` (of the repetitions), ``unit``, ``target``, ``is_met``, ``text`` and ``ratio``:
        times in units of the reference loop, rates per its duration.
    """
    found = {}
    for key, times in values:
        entry = measures[key]
        median = float(np.median(times))
        is_met = None if entry.target is None else (median <= entry.target) == entry.is_time or median == entry.target
        found[key] = {
            "value": median,
            "low": float(min(times)),
            "high": float(max(times)),
            "unit": entry.unit,
            "target": entry.target,
            "is_met": is_met,
            "text": entry.text,
            "ratio": _ratio(entry, median, references),
        }
    return {
        "reference_ms": {
            "value": float(np.median(references)),
            "low": min(references),
            "high": max(references),
            "text": f"{_REFERENCE_STEPS} turns of a random-number loop compiled by numba",
        },
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        **more,
        "measures": found,
    }


def report(found: Mapping[str, Any], measures: Mapping[str, Measure]) -> str:
    """Lay the numbers of `collect` out as a table."""
    reference = found["reference_ms"]
    lines = [
        f"{found['machine']['processor']}, {found['machine']['cores']} cores, load {found['machine']['load']:.1f}",
        f"reference loop: {reference['value']:.0f} ms ({reference['low']:.0f} to {reference['high']:.0f})",
        f"{'':79s} {'median':>9s} {'lowest':>9s} {'highest':>9s} {'unit':6s} {'reference':>9s} {'target':>8s}",
    ]
    for key, row in found["measures"].items():
        entry = measures[key]
        numbers = " ".join(f"{row[k]:9{entry.layout}}" for k in ("value", "low", "high"))
        ratio = f"{row['ratio']:9.3f}" if row["ratio"] is not None else f"{'':9s}"
        sign = "<=" if entry.is_time else ">="
        target = "" if entry.target is None else f"{sign} {entry.target:g}  {'met' if row['is_met'] else 'NOT MET'}"
        lines.append(f"{entry.text:79s} {numbers} {entry.unit:6s} {ratio} {target:>8s}")
    return "\n".join(lines)


@compiled
def reference_loop(n: int, state: NDArray[np.uint64]) -> float:
    """Turn a random state many times with a logarithm, a root and a sine each, as the simulation's kernels do."""
    total = 0.0
    word = state[0]
    for _ in range(n):
        word ^= word << np.uint64(13)
        word ^= word >> np.uint64(7)
        word ^= word << np.uint64(17)
        share = (np.float64(word >> np.uint64(11)) + 0.5) * 1.1102230246251565e-16
        total += np.sqrt(-np.log(share)) * np.sin(6.283185307179586 * share)
    return total


def reference_ms() -> float:
    """Processor time of the reference loop."""
    reference_loop(10, _SEED)
    start = time.process_time()
    reference_loop(_REFERENCE_STEPS, _SEED)
    return 1e3 * (time.process_time() - start)


def _ratio(entry: Measure, value: float, references: Sequence[float]) -> float | None:
    """Times in units of the reference loop, rates per its duration; nothing for ratios and memory."""
    loop = float(np.median(references)) if references else float("nan")
    return {"ms": value / loop, "s": 1e3 * value / loop, "1/s": value * loop / 1e3}.get(entry.unit)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def peak_memory_bytes() -> int:
    """Return the greatest memory that this process had.

    Linux says it in ``/proc``; what ``getrusage`` says there begins with the memory of the process that started this
    one.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.exists() else None
    if found:
        return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
