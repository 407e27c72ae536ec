"""Writer of MARS calibrated files (``_Y_``): an event set as a pair of files of both telescopes for each run."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError, nearest_names
from magicnn.events import EventBatch, event_weight
from magicnn.generated import Generated
from magicnn.io.base import StoredEvents
from magicnn.io.eventset.reader import EventSet
from magicnn.io.mars.columns import Numbering, event_branches, pedestal_event_branches
from magicnn.io.mars.headers import Run, drive_branches, header_branches, report_trees, tail_branches
from magicnn.io.mars.monitor import N_PIXELS
from magicnn.io.mars.thrown import ThrownSample, nothing_thrown, thrown_branches, thrown_sample
from magicnn.io.mars.trigger import TOPOLOGICAL
from magicnn.io.mars.truth import GENERATED_NOTE, PARTICLES
from magicnn.io.root.writer import RootWriter, writing_root
from magicnn.runs import atomic_path, progress

__all__ = ["FLAVOURS", "write_mars"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]

FLAVOURS = ("mc", "data")
"""Simulation with truth and thrown showers, or real data with times and reports of the run."""

_BLOCK = 512  # events in memory, and in one basket of every branch
_SUBRUN_EVENTS = 16_384  # of real data in one file, about as many as MARS has there
_MOST_THROWN = 20_000_000  # rows of OriginalMC beyond which it stays empty
_FIRST_NIGHT_NS = int(datetime(2015, 3, 20, tzinfo=UTC).timestamp()) * 1_000_000_000
_SECOND_NS = 1_000_000_000
_NAMES = {"gamma": "GA", "gamma_diffuse": "GA", "proton": "PR", "electron": "EL", "helium": "HE"}


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything about the events but their images: [N], for all runs."""

    is_simulation: bool
    columns: Mapping[str, NDArray[Any]]
    number: Ints
    time_utc_ns: Ints | None
    sampling_gsps: float
    n_slices: int
    generated: Generated | None
    samples: Mapping[int, ThrownSample]
    seed: int

    def median(self, name: str, telescope: int, start: int, stop: int) -> float:
        """Median of a column over the events of a run, NaN when there is none."""
        if name not in self.columns:
            return float("nan")
        return float(np.nanmedian(self.columns[name][start:stop, telescope - 1]))


def write_mars(
    events: StoredEvents,
    output: Path | str,
    *,
    flavour: str | None = None,
    seed: int = 0,
    subrun_events: int = _SUBRUN_EVENTS,
    is_packed: bool = True,
) -> list[Path]:
    """Write an event set as MARS calibrated files.

    Parameters
    ----------
    events : EventSet
        Events of the two MAGIC telescopes.
    output : path
        Folder to write, which must not be there yet or be empty; it appears when all files are complete.
    flavour : {"mc", "data"}, optional
        What to write: a simulation with its truth, or events as they would come from the telescopes. What the event
        set is when not given.
    seed : int
        Fixes the sample of thrown showers in ``OriginalMC``.
    subrun_events : int
        Most events in a file of real data; a run with more becomes several sub-runs. A simulated run is one file.
    is_packed : bool
        Pack the files as ROOT does, by zlib; without they are almost twice as large and faster to read.

    Returns
    -------
    list of Path
        Two files for each run or sub-run, M1 and M2; one when only one telescope has events.

    Raises
    ------
    ConfigError
        The flavour is not known, or the size of sub-runs not positive.
    InputError
        This is no event set of MAGIC with a known readout, numbers do not fit, real events shall become a simulation,
        or the folder is there already or cannot be written.
    """
    target = Path(output)
    if not isinstance(events, EventSet):
        raise InputError("MARS files are written from an event set; make one with magicnn convert")
    if flavour is not None and flavour not in FLAVOURS:
        raise ConfigError(f"unknown flavour of MARS files {flavour!r}: {nearest_names(flavour, FLAVOURS)}")
    if subrun_events < 1:
        raise ConfigError(f"sub-runs of {subrun_events} events: at least 1 is expected")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(f"{target}: is there already; remove it or choose another folder")
    plan = _plan(events, flavour, seed)
    run_id = plan.columns["run_id"]
    starts = np.flatnonzero(np.diff(run_id, prepend=run_id[:1] - 1))
    written: list[Path] = []
    with atomic_path(target) as folder, progress(total=len(events), description="writing", unit="event") as bar:
        folder.mkdir()
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(run_id)], strict=True):
            size = stop - start if plan.is_simulation else subrun_events
            for subrun, first in enumerate(range(start, stop, size), start=1):
                files = _Piece(events, plan, first, min(first + size, stop), subrun)
                written += _write_piece(files, folder, bar, is_packed=is_packed)
    return [target / path.name for path in written]


def _plan(events: EventSet, flavour: str | None, seed: int) -> _Plan:
    meta = events.meta
    if meta.camera.fingerprint != Camera.magic().fingerprint or meta.telescopes != ("M1", "M2"):
        raise InputError(
            f"{events.path}: events of {meta.camera.name} {meta.telescopes}; MARS files hold M1 and M2 of MAGIC"
        )
    is_simulation = meta.is_simulation if flavour is None else flavour == "mc"
    if is_simulation and not meta.is_simulation:
        raise InputError(f"{events.path}: real events have no truth, a simulation cannot be written from them")
    if meta.sampling_gsps is None or meta.window_ns is None:
        raise InputError(f"{events.path}: does not say how fast it was sampled, which MARS files must")
    columns = events.columns()
    run_id = columns["run_id"]
    if run_id.min() < 0 or run_id.max() >= 2**32:
        raise InputError(f"{events.path}: run numbers {run_id.min()} to {run_id.max()} do not fit into 32 bits")
    time_utc_ns = None
    if not is_simulation:
        time_utc_ns = columns.get("time_utc_ns", _FIRST_NIGHT_NS + _SECOND_NS * np.arange(len(run_id)))
    generated = Generated.from_mapping(meta.generated) if is_simulation and "n_thrown" in meta.generated else None
    return _Plan(
        is_simulation=is_simulation,
        columns=columns,
        number=_stereo_numbers(events.path, columns["event_id"]),
        time_utc_ns=time_utc_ns,
        sampling_gsps=meta.sampling_gsps,
        n_slices=round(meta.window_ns * meta.sampling_gsps),
        generated=generated,
        samples=_samples(events.path, generated, columns),
        seed=seed,
    )


def _stereo_numbers(path: Path, event_id: Ints) -> Ints:
    """Numbers from 1 that fit into 32 bits: higher bits, which tell repeated numbers apart, are left out."""
    number = event_id % 2**32
    if number.min() == 0:
        _log.info("%s: counts events from 0, MARS from 1: every number is written one higher", path)
        number = number + 1
    if event_id.min() < 0 or number.max() >= 2**32:
        raise InputError(f"{path}: event numbers {event_id.min()} to {event_id.max()} do not fit into 32 bits")
    return number


def _samples(path: Path, generated: Generated | None, columns: Mapping[str, NDArray[Any]]) -> dict[int, ThrownSample]:
    """Thrown showers of each run: the production's, in equal parts; none when they would mislead."""
    runs = np.unique(columns["run_id"]).tolist()
    if generated is None:
        return {run: ThrownSample(0, float("nan")) for run in runs}
    share, rest = divmod(generated.n_thrown, len(runs))
    samples = {run: thrown_sample(generated, share + (i < rest)) for i, run in enumerate(runs)}
    why = ""
    if (event_weight(columns) != 1.0).any():
        why = "events have weights, which MARS does not know"
    elif sum(s.n_rows for s in samples.values()) > _MOST_THROWN:
        why = f"it would have more than {_MOST_THROWN} rows"
    if why:
        _log.warning("%s: OriginalMC is left empty, so that MARS gives no effective areas: %s", path, why)
        return {run: ThrownSample(0, sample.radius_m) for run, sample in samples.items()}
    return samples


@dataclass(frozen=True, slots=True)
class _Piece:
    """The events of a run or sub-run: a range of those of the event set."""

    events: EventSet
    plan: _Plan
    start: int
    stop: int
    subrun: int


def _write_piece(piece: _Piece, folder: Path, bar: Any, *, is_packed: bool) -> list[Path]:
    files: list[Path] = []
    events, plan, start, stop = piece.events, piece.plan, piece.start, piece.stop
    with contextlib.ExitStack() as stack:
        telescopes: list[_TelescopeFile] = []
        for telescope in (1, 2):
            path = folder / _name(piece, telescope)
            files.append(path)
            writer = stack.enter_context(writing_root(path, is_packed=is_packed))
            telescopes.append(_TelescopeFile(telescope, writer))
        for file in telescopes:
            file.write_pedestal(plan, start, stop)
        for first in range(start, stop, _BLOCK):
            last = min(first + _BLOCK, stop)
            batch = events.read(first, last)
            for file in telescopes:
                file.write_events(batch, plan, first)
            bar.update(last - first)
        for file in telescopes:
            if file.n_events:
                _write_rest(file, piece)
    for path, file in zip(list(files), telescopes, strict=True):
        if not file.n_events:
            path.unlink()
            files.remove(path)
    return files


class _TelescopeFile:
    """The events of one telescope on their way into a file."""

    def __init__(self, telescope: int, writer: RootWriter) -> None:
        self.telescope = telescope
        self.writer = writer
        self.n_events = 0
        self.n_pedestals = 0
        self.rows: list[Ints] = []
        self.is_bad = np.ones(N_PIXELS, dtype=np.bool_)

    def write_pedestal(self, plan: _Plan, start: int, stop: int) -> None:
        """Write a pedestal event one second before the first event of real data: readers expect that there are some."""
        if plan.time_utc_ns is None:
            return
        time = plan.time_utc_ns[start : start + 1] - _SECOND_NS
        numbers = Numbering(plan.number[start : start + 1], np.zeros(1, dtype=np.int64), time, np.zeros(1))
        mean = plan.median("pedestal_mean_pe", self.telescope, start, stop)
        branches = pedestal_event_branches(self.telescope, numbers, 0.0 if np.isnan(mean) else mean, plan.n_slices)
        self.writer.extend("Events", branches)
        self.n_pedestals = 1

    def write_events(self, batch: EventBatch, plan: _Plan, first: int) -> None:
        """Write those of a batch that this telescope has an image of; ``first`` is the batch's place in the set."""
        here = np.flatnonzero(~np.isnan(batch.charge[:, self.telescope - 1]).all(axis=1))
        mine, rows = batch.select(here), first + here
        time = None if plan.time_utc_ns is None else plan.time_utc_ns[rows]
        before = self.rows[-1][-1:] if self.rows else rows[:1]
        since = np.zeros(len(rows))
        if plan.time_utc_ns is not None:
            since = np.diff(plan.time_utc_ns[rows], prepend=plan.time_utc_ns[before]) / _SECOND_NS
        daq = np.arange(self.n_events + 1, self.n_events + 1 + len(rows))
        if "daq_event_id" in mine.columns:
            daq = mine["daq_event_id"][:, self.telescope - 1]
        numbers = Numbering(plan.number[rows], daq, time, since)
        branches = event_branches(
            mine, self.telescope, numbers, sampling_gsps=plan.sampling_gsps, n_slices=plan.n_slices
        )
        self.writer.extend("Events", branches)
        if len(rows):
            self.n_events += len(rows)
            self.rows.append(rows)
            self.is_bad &= np.isnan(mine.charge[:, self.telescope - 1]).all(axis=0)


def _write_rest(file: _TelescopeFile, piece: _Piece) -> None:
    plan, start, stop = piece.plan, piece.start, piece.stop
    run_id = int(plan.columns["run_id"][start])
    sample = plan.samples[run_id]
    run = Run(
        number=run_id,
        telescope=file.telescope,
        subrun=piece.subrun,
        source=piece.events.meta.production,
        is_simulation=plan.is_simulation,
        sampling_mhz=round(plan.sampling_gsps * 1000.0),
        n_slices=plan.n_slices,
    )
    headers = header_branches(
        run, file.n_events + file.n_pedestals, file.is_bad, plan.generated, sample.n_rows, sample.radius_m
    )
    file.writer.extend("RunHeaders", headers)
    file.writer.extend("RunTails", tail_branches())
    if plan.time_utc_ns is not None:
        rows = np.concatenate(file.rows)
        in_time = rows[np.argsort(plan.time_utc_ns[rows], kind="stable")]
        pointing = {k: v[in_time] for k, v in plan.columns.items() if k.startswith("pointing_")}
        file.writer.extend("Drive", drive_branches(plan.time_utc_ns[in_time], pointing))
        mean, rms = (plan.median(f"pedestal_{name}_pe", file.telescope, start, stop) for name in ("mean", "rms"))
        pattern = plan.columns.get("trigger_pattern", np.zeros(0, dtype=np.int32))[start:stop]
        reports = report_trees(
            int(plan.time_utc_ns[start]),
            pedestal_mean_pe=mean,
            pedestal_rms_pe=rms,
            with_lst=bool((np.maximum(pattern, 0) & TOPOLOGICAL).any()),
        )
        for tree, branches in reports.items():
            file.writer.extend(tree, branches)
    else:
        _write_thrown(file.writer, plan, run_id, sample)


def _write_thrown(writer: RootWriter, plan: _Plan, run_id: int, sample: ThrownSample) -> None:
    """Write ``OriginalMC``, and exactly what was thrown as a note that `magicnn.io` reads."""
    pdg = int(plan.columns["true_particle"][plan.columns["run_id"] == run_id][0])
    particle = next(code for code, (number, _) in PARTICLES.items() if number == pdg)
    title = "random sample of what was thrown, not the showers of Events"
    writer.extend("OriginalMC", nothing_thrown(), title=title)
    if plan.generated is None:
        return
    for block in thrown_branches(plan.generated, sample, particle=particle, seed=plan.seed):
        writer.extend("OriginalMC", block)
    share, rest = divmod(plan.generated.n_thrown, len(plan.samples))
    mine = {**plan.generated.to_mapping(), "n_thrown": share + (list(plan.samples).index(run_id) < rest)}
    writer.note(GENERATED_NOTE, json.dumps(mine))


def _name(piece: _Piece, telescope: int) -> str:
    plan, start = piece.plan, piece.start
    run_id = int(plan.columns["run_id"][start])
    meta = piece.events.meta
    source = re.sub(r"[^\w+.-]", "-", meta.production) or "unknown"
    if plan.time_utc_ns is None:
        zenith = plan.columns["pointing_zenith_deg"][start : piece.stop]
        low, high = int(np.floor(zenith.min())), int(np.ceil(zenith.max()))
        if plan.generated is not None:
            low, high = round(plan.generated.zenith_min_deg), round(plan.generated.zenith_max_deg)
        particle = meta.particle or "unknown"
        prefix = _NAMES.get(particle, particle[:2].upper())
        return f"{prefix}_M{telescope}_za{low:02d}to{high:02d}_8_{run_id}_Y_w0.root"
    # a night is named after its morning; readers want one zero in front of the seven digits of a run
    morning = datetime.fromtimestamp(plan.time_utc_ns[start] // _SECOND_NS, tz=UTC) + timedelta(hours=12)
    return f"{morning:%Y%m%d}_M{telescope}_0{run_id:07d}.{piece.subrun:03d}_Y_{source}.root"
