"""One telescope's events of a MARS file: run headers, trigger, and the columns of its events, without the images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.io.base import damage_told
from magicnn.io.mars.images import ImageBranches
from magicnn.io.mars.join import rows_of_runs
from magicnn.io.mars.monitor import bad_pixels, pedestal_columns, software_version
from magicnn.io.mars.names import LEVELS, MarsName, level_of, parse_name
from magicnn.io.mars.pointing import drive_pointing, event_pointing, utc_ns
from magicnn.io.mars.trigger import TOPOLOGICAL, TriggerSetup, choose_showers, trigger_setup
from magicnn.io.mars.truth import generated_by_file, truth_columns
from magicnn.io.root.files import RootFile, RootTree, open_root
from magicnn.io.sanity import possible_events, without_impossible_values

__all__ = ["MarsFile", "read_mars_file"]

_MC_RUN = 256
_RUN_TYPES = {1: "pedestal", 2: "calibration", 7: "point"}


@dataclass(frozen=True, slots=True)
class MarsFile:
    """What is known of the events of one telescope and one run in a file before images or parameters are read.

    Attributes
    ----------
    path : Path
        The file.
    level : str
        Letter of its level, one of `magicnn.io.mars.names.LEVELS`.
    telescope : int
        1 or 2.
    run_id : int
        Run number, 0 when neither the run header nor the name tells.
    subrun : int or None
        Number of the file within the run.
    is_simulation : bool
        Whether the events carry their truth.
    sampling_gsps : float or None
        Sampling speed, None when the file does not state it.
    n_slices : int or None
        Number of samples per pixel, None when the file does not state it.
    source : str
        Name of the source, or zenith range of a simulation.
    first_mjd : int or None
        Day of the first event, None for simulations.
    rows : int64 array, [N]
        Entries of the kept events in the tree.
    number : int64 array, [N]
        Stereo event number; of events without one, a number from sub-run and data acquisition.
    columns : mapping of str to array, [N]
        Event columns of this telescope.
    is_bad : bool array, [P]
        Pixels that are unusable in the whole run.
    counts : mapping of str to int
        Events read, and dropped for which reason.
    generated : dict or None
        What the file threw.
    trigger : TriggerSetup
        How the trigger was set.
    software : str
        Programs that wrote the file.
    images : ImageBranches or None
        Where the images are, None when no charges of pixels are there.
    """

    path: Path
    level: str
    telescope: int
    run_id: int
    subrun: int | None
    is_simulation: bool
    sampling_gsps: float | None
    n_slices: int | None
    source: str
    first_mjd: int | None
    rows: NDArray[np.int64]
    number: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]
    is_bad: NDArray[np.bool_]
    counts: Mapping[str, int]
    generated: dict[str, Any] | None
    trigger: TriggerSetup
    software: str
    images: ImageBranches | None

    @property
    def start_utc_ns(self) -> int:
        """Trigger time of the first kept event, 0 for simulations."""
        times = self.columns.get("time_utc_ns")
        return 0 if times is None or not len(times) else int(times[0])


def read_mars_file(path: Path, *, keep_mono: bool = False) -> list[MarsFile]:
    """Read the headers of a MARS file of any level and choose its shower events.

    Parameters
    ----------
    path : Path
        A calibrated or star file, of one telescope, or a superstar or melibea file, of both; the tree ``Events``
        alone is enough.
    keep_mono : bool
        Keep every shower trigger and not only the stereo ones, for input of one telescope.

    Returns
    -------
    list of MarsFile
        One for a file of one telescope. For one of both, M1 and M2 of each run, with the same rows.

    Raises
    ------
    InputError
        The file is not a complete ROOT file, has no events, contradicts its name, or mixes runs.
    """
    with open_root(path) as file, damage_told(path, "its trees"):
        events = file.tree("Events")
        if events.n_entries == 0:
            raise InputError(f"{path}: tree 'Events' has no events")
        name = parse_name(path)
        level = level_of(events, name)
        headers = file.optional_tree("RunHeaders")
        telescopes = [t for t in (1, 2) if any(c.split(".")[0].endswith(f"_{t}") for c in events.branches)]
        if not telescopes:
            part = _Part(file, events, headers, name, level)
            return [part.read(_telescope(events, headers, path, name), keep_mono=keep_mono)]
        if telescopes != [1, 2]:
            raise InputError(f"{path}: containers of M{telescopes[0]} only in a {LEVELS[level]} file; run it on both")
        parts = [
            _Part(file, events.of_telescope(t), headers and headers.of_telescope(t), name, level) for t in telescopes
        ]
        return [
            part.read(telescope, run_id=run_id, rows=rows, with_generated=first and telescope == 1)
            for first, (run_id, rows) in _runs(parts[0])
            for telescope, part in zip(telescopes, parts, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Part:
    """The trees of one telescope in an open file."""

    file: RootFile
    events: RootTree
    headers: RootTree | None
    name: MarsName
    level: str

    def header(self, branch: str) -> NDArray[Any] | None:
        """All entries of a run header value, None when the file does not have it."""
        if self.headers is None or branch not in self.headers:
            return None
        return np.ravel(self.headers.column(branch))

    def first(self, branch: str) -> float | None:
        """First entry of a run header value, None when the file does not have it."""
        values = self.header(branch)
        return None if values is None else float(values[0])

    @property
    def runs(self) -> list[int]:
        """Run numbers of the headers in their order, else that of the name, else 0."""
        said = self.header("MRawRunHeader.fRunNumber")
        if said is None:
            return [self.name.run or 0]
        return list(dict.fromkeys(int(run) for run in said))

    def read(
        self,
        telescope: int,
        *,
        keep_mono: bool = False,
        run_id: int | None = None,
        rows: NDArray[np.int64] | None = None,
        with_generated: bool = True,
    ) -> MarsFile:
        """Read what a `MarsFile` holds, of the chosen events when no rows are given."""
        path, events = self.file.path, self.events
        run_type = self.first("MRawRunHeader.fRunType")
        is_simulation = run_type == _MC_RUN or "MMcEvt.fEnergy" in events
        if run_type in _RUN_TYPES:
            raise InputError(f"{path}: a {_RUN_TYPES[int(run_type)]} run, not observations of showers")
        if run_id is None and len(self.runs) > 1:
            raise InputError(f"{path}: run headers of several runs ({_some(self.runs)}) in one file of M{telescope}")
        number = events.scalars("MRawEvtHeader.fStereoEvtNumber").astype(np.int64)
        trigger = trigger_setup(self.file, events, is_simulation=is_simulation)
        counts = {"read": len(number), "pedestal": 0, "other trigger": 0, "no stereo number": 0}
        if rows is None:
            keep, counts = choose_showers(events, number, trigger, is_simulation=is_simulation, keep_mono=keep_mono)
            rows = np.flatnonzero(keep)
        else:
            counts["read"] = len(rows)
        columns = without_impossible_values(self.columns(rows, is_simulation=is_simulation), where=str(path))
        if self.level in "YI":
            possible = possible_events(columns, where=str(path))
            counts["impossible values"] = int((~possible).sum())
            rows, columns = rows[possible], {name: values[possible] for name, values in columns.items()}
        subruns = self.header("MRawRunHeader.fSubRunIndex")
        subrun = int(subruns[0]) if subruns is not None and len(subruns) == 1 else None
        subrun = subrun if self.name.subrun is None else self.name.subrun
        frequency, n_slices = (
            self.first("MRawRunHeader.fSamplingFrequency"),
            self.first("MRawRunHeader.fNumSamplesHiGain"),
        )
        return MarsFile(
            path=path,
            level=self.level,
            telescope=telescope,
            run_id=self.runs[0] if run_id is None else run_id,
            subrun=subrun,
            is_simulation=is_simulation,
            sampling_gsps=frequency / 1000.0 if frequency else None,
            n_slices=int(n_slices) if n_slices else None,
            source=(self.headers.text("MRawRunHeader.fSourceName") if self.headers else "") or self.name.source,
            first_mjd=None if is_simulation or "MTime.fMjd" not in events else int(events.scalars("MTime.fMjd")[0]),
            rows=rows,
            number=_numbers(number[rows], columns, subrun or 0) if keep_mono else number[rows],
            columns=columns,
            is_bad=bad_pixels(self.headers, is_simulation=is_simulation),
            counts=counts,
            generated=generated_by_file(self.file) if is_simulation and with_generated else None,
            trigger=trigger,
            software=software_version(self.file),
            images=ImageBranches.of(events, telescope),
        )

    def columns(self, rows: NDArray[np.int64], *, is_simulation: bool) -> dict[str, NDArray[Any]]:
        """Event columns of one telescope. Times and pointing must be there in calibrated files."""
        events, must = self.events, self.level == "Y"
        columns: dict[str, NDArray[Any]] = {}
        for name, branch in (
            ("daq_event_id", "MRawEvtHeader.fDAQEvtNumber"),
            ("trigger_pattern", "MTriggerPattern.fPrescaled"),
        ):
            if branch in events:
                columns[name] = events.scalars(branch)[rows].astype(np.int64)
        times = None
        if not is_simulation and (must or "MTime.fMjd" in events):
            times = columns["time_utc_ns"] = utc_ns(events, rows)
        columns |= self.pointing(rows, times, on_sky=not is_simulation)
        if is_simulation or times is not None:
            columns |= pedestal_columns(self.file, events, rows, times)
        if is_simulation:
            columns |= truth_columns(events, rows)
        return columns

    def pointing(
        self, rows: NDArray[np.int64], time_utc_ns: NDArray[np.int64] | None, *, on_sky: bool
    ) -> dict[str, NDArray[Any]]:
        """Pointing as stored with the events, else from the reports of the drive."""
        if "MPointingPos.fZd" in self.events:
            return event_pointing(self.events, rows, on_sky=on_sky)
        drive = self.file.optional_tree("Drive")
        if drive is not None and time_utc_ns is not None:
            return drive_pointing(drive, time_utc_ns)
        if "Drive" in self.file.tree_names and time_utc_ns is not None:
            raise InputError(f"{self.file.path}: tree 'Drive' has no report: the pointing is not known")
        if self.level == "Y":
            self.events.branch("MPointingPos.fZd")  # raises, naming what is missing
        return {}


def _numbers(number: NDArray[np.int64], columns: Mapping[str, NDArray[Any]], subrun: int) -> NDArray[np.int64]:
    """Stereo numbers; without one the sub-run and the five digits of the acquisition's number, with LST-1 seven.

    These are the event ids of ctapipe_io_magic for mono data and for the trigger of one telescope with LST-1.
    """
    if "daq_event_id" not in columns:
        return number
    pattern = columns.get("trigger_pattern", np.zeros(len(number), dtype=np.int64))
    digits = np.where(pattern == TOPOLOGICAL, 10_000_000, 100_000)
    own = subrun * digits + columns["daq_event_id"]
    return np.where((number == 0) | (pattern == TOPOLOGICAL), own, number)


def _runs(part: _Part) -> Iterator[tuple[bool, tuple[int, NDArray[np.int64]]]]:
    """Yield whether it is the first, and run number and rows of each run of a stereo file.

    Runs follow each other in the order of the headers, and the event numbers of simulations restart with each.
    """
    runs = part.runs
    number = part.events.scalars("MRawEvtHeader.fStereoEvtNumber").astype(np.int64)
    pieces = rows_of_runs(number, len(runs))
    if pieces is None:
        restarts = int((np.diff(number) < 0).sum())
        raise InputError(
            f"{part.file.path}: headers of {len(runs)} runs, but the event numbers restart {restarts} times: "
            "which event is of which run is not known; give files of one run"
        )
    for run_id, rows in zip(runs, pieces, strict=True):
        yield run_id == runs[0], (run_id, rows)


def _some(values: list[int]) -> str:
    return ", ".join(map(str, values[:4])) + (", ..." if len(values) > 4 else "")


def _telescope(events: RootTree, headers: RootTree | None, path: Path, name: MarsName) -> int:
    said: dict[str, int] = {}
    if name.telescope is not None:
        said["its name"] = name.telescope
    header = "MRawRunHeader.fTelescopeNumber"
    if headers is not None and header in headers:
        said[f"'{header}'"] = int(np.ravel(headers.column(header))[0])
    if "MRawEvtHeader.fTelescopeNumber" in events:
        numbers = np.unique(events.scalars("MRawEvtHeader.fTelescopeNumber"))
        if len(numbers) > 1:
            raise InputError(f"{path}: events of several telescopes ({numbers.tolist()}) in one file")
        said["'MRawEvtHeader.fTelescopeNumber'"] = int(numbers[0])
    said = {where: number for where, number in said.items() if number}
    if len(set(said.values())) > 1:
        claims = ", ".join(f"{where} says M{number}" for where, number in said.items())
        raise InputError(f"{path}: which telescope? {claims}; rename the file or take the right one")
    telescope = next(iter(said.values()), 0)
    if telescope not in (1, 2):
        raise InputError(
            f"{path}: cannot tell the telescope (1 or 2): neither the name (_M1_, _M2_) nor "
            f"'MRawEvtHeader.fTelescopeNumber' says it (found {telescope})"
        )
    return telescope
