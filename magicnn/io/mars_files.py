"""One MARS calibrated file (``_Y_``): its name, run headers, and the columns of its events, without the images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.io.mars_truth import generated_by_file, truth_columns
from magicnn.io.rootfiles import RootFile, RootTree, open_root

__all__ = ["N_PIXELS", "MarsFile", "partner_path", "read_mars_file"]

N_PIXELS = 1039

PEDESTAL, CALIBRATION, PULSE_INJECTION, STEREO = 8, 2, 16, 128
"""Bits and values of ``MTriggerPattern.fPrescaled``."""

_MJD_1970 = 40587
_NS_PER_DAY = 86_400_000_000_000
_MC_RUN = 256
_RUN_TYPES = {1: "pedestal", 2: "calibration", 7: "point"}
_UNSUITABLE_RUN = 2  # MBadPixelsPix::kUnsuitableRun

_DATA_NAME = re.compile(r"(?P<date>\d{8})_M(?P<telescope>[12])_(?P<run>\d+)\.(?P<subrun>\d+)_Y_(?P<source>.*)\.root")
_MC_NAME = re.compile(r"[A-Z]+_M(?P<telescope>[12])_(?P<source>za\d+to\d+)_\d+_(?P<run>\d+)_Y_.*\.root")
_TELESCOPE_IN_NAME = re.compile(r"(?<![A-Za-z0-9])M([12])(?![0-9])")

_OTHER_LEVELS = {
    "MHadronness": "melibea (_Q_)",
    "MHillas_1": "superstar (_S_)",
    "MHillas": "star (_I_)",
}


@dataclass(frozen=True, slots=True)
class MarsFile:
    """What is known of a calibrated file before its images are read.

    Attributes
    ----------
    path : Path
        The file.
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
        Stereo event number.
    columns : mapping of str to array, [N]
        Event columns of this telescope.
    is_bad : bool array, [P]
        Pixels that the run header calls unusable.
    counts : mapping of str to int
        Events read, and dropped for which reason.
    generated : dict or None
        What the file threw.
    """

    path: Path
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

    @property
    def start_utc_ns(self) -> int:
        """Trigger time of the first kept event, 0 for simulations."""
        times = self.columns.get("time_utc_ns")
        return 0 if times is None or not len(times) else int(times[0])


def partner_path(path: Path) -> Path:
    """Return the name the file of the other telescope has, the same name when the telescope is not in it."""
    return path.with_name(_TELESCOPE_IN_NAME.sub(lambda m: "M2" if m[1] == "1" else "M1", path.name, count=1))


def read_mars_file(path: Path, *, keep_mono: bool = False) -> MarsFile:
    """Read the headers of one calibrated file and choose its shower events.

    Parameters
    ----------
    path : Path
        A ``_Y_`` file; the tree ``Events`` alone is enough.
    keep_mono : bool
        Keep every shower trigger and not only the stereo ones, for input of one telescope.

    Returns
    -------
    MarsFile

    Raises
    ------
    InputError
        The file is not a complete ROOT file, has no events, is of another level, or contradicts its name.
    """
    with open_root(path) as file:
        events = file.tree("Events")
        if events.n_entries == 0:
            raise InputError(f"{path}: tree 'Events' has no events")
        _refuse_other_levels(events)
        headers = file.optional_tree("RunHeaders")
        named = _DATA_NAME.fullmatch(path.name) or _MC_NAME.fullmatch(path.name)
        parts = named.groupdict() if named else {}
        run_type = _header(headers, "MRawRunHeader.fRunType")
        is_simulation = run_type == _MC_RUN or "MMcEvt.fEnergy" in events
        if run_type in _RUN_TYPES:
            raise InputError(f"{path}: a {_RUN_TYPES[int(run_type)]} run, not observations of showers")
        run_id = int(_header(headers, "MRawRunHeader.fRunNumber") or parts.get("run", 0))
        subrun = _header(headers, "MRawRunHeader.fSubRunIndex")
        number = events.column("MRawEvtHeader.fStereoEvtNumber").astype(np.int64)
        keep, counts = _choose(events, number, is_simulation=is_simulation, keep_mono=keep_mono)
        rows = np.flatnonzero(keep)
        columns = _event_columns(file, events, rows, is_simulation=is_simulation)
        if is_simulation:
            columns |= truth_columns(events, rows)
        frequency = _header(headers, "MRawRunHeader.fSamplingFrequency")
        n_slices = _header(headers, "MRawRunHeader.fNumSamplesHiGain")
        return MarsFile(
            path=path,
            telescope=_telescope(events, headers, path),
            run_id=run_id,
            subrun=int(parts["subrun"]) if "subrun" in parts else None if subrun is None else int(subrun),
            is_simulation=is_simulation,
            sampling_gsps=frequency / 1000.0 if frequency else None,
            n_slices=int(n_slices) if n_slices else None,
            source=(headers.text("MRawRunHeader.fSourceName") if headers else "") or parts.get("source", ""),
            first_mjd=None if is_simulation else int(events.column("MTime.fMjd", 0, 1)[0]),
            rows=rows,
            number=number[rows],
            columns=columns,
            is_bad=_bad_pixels(headers),
            counts=counts,
            generated=generated_by_file(file) if is_simulation else None,
        )


def _refuse_other_levels(events: RootTree) -> None:
    containers = {name.split(".")[0] for name in events.branches}
    for container, level in _OTHER_LEVELS.items():
        if container in containers:
            raise InputError(
                f"{events.path}: a MARS {level} file; it holds image parameters, calibrated (_Y_) files with pixels "
                "are expected"
            )


def _header(headers: RootTree | None, name: str) -> float | None:
    """First entry of a run header value, None when the file does not have it."""
    if headers is None or name not in headers:
        return None
    return float(np.ravel(headers.column(name))[0])


def _telescope(events: RootTree, headers: RootTree | None, path: Path) -> int:
    said: dict[str, int] = {}
    in_name = _TELESCOPE_IN_NAME.search(path.name)
    if in_name:
        said["its name"] = int(in_name[1])
    from_header = _header(headers, "MRawRunHeader.fTelescopeNumber")
    if from_header:
        said["'MRawRunHeader.fTelescopeNumber'"] = int(from_header)
    if "MRawEvtHeader.fTelescopeNumber" in events:
        numbers = np.unique(events.column("MRawEvtHeader.fTelescopeNumber"))
        if len(numbers) > 1:
            raise InputError(f"{path}: events of several telescopes ({numbers.tolist()}) in one file")
        if numbers[0] > 0:
            said["'MRawEvtHeader.fTelescopeNumber'"] = int(numbers[0])
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


def _choose(
    events: RootTree, number: NDArray[np.int64], *, is_simulation: bool, keep_mono: bool
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Shower events, and how many fell out for which reason; every event is counted once."""
    counts = {"read": len(number)}
    if is_simulation:
        # simulations have no pedestal events and no stereo bit: a number other than 0 is the stereo trigger
        keep = (number != 0) | keep_mono
        return keep, counts | {"pedestal": 0, "other trigger": int((~keep).sum()), "no stereo number": 0}
    pattern = events.column("MTriggerPattern.fPrescaled")
    is_pedestal = pattern == PEDESTAL
    is_shower = pattern == STEREO
    if keep_mono:
        is_shower = (pattern != 0) & ((pattern & (PEDESTAL | CALIBRATION | PULSE_INJECTION)) == 0)
    keep = is_shower & ((number != 0) | keep_mono)
    return keep, counts | {
        "pedestal": int(is_pedestal.sum()),
        "other trigger": int((~is_pedestal & ~is_shower).sum()),
        "no stereo number": int((is_shower & ~keep).sum()),
    }


def _event_columns(
    file: RootFile, events: RootTree, rows: NDArray[np.int64], *, is_simulation: bool
) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    if "MRawEvtHeader.fDAQEvtNumber" in events:
        columns["daq_event_id"] = events.column("MRawEvtHeader.fDAQEvtNumber")[rows].astype(np.int64)
    if not is_simulation:
        days = events.column("MTime.fMjd")[rows].astype(np.int64) - _MJD_1970
        milliseconds = events.column("MTime.fTime.fMilliSec")[rows].astype(np.int64)
        nanoseconds = events.column("MTime.fNanoSec")[rows].astype(np.int64)
        columns["time_utc_ns"] = days * _NS_PER_DAY + milliseconds * 1_000_000 + nanoseconds
    if "MPointingPos.fZd" in events:
        return columns | _pointing(events, rows)
    drive = file.optional_tree("Drive")
    if drive is None or is_simulation:
        events.branch("MPointingPos.fZd")  # raises, naming what is missing
    else:
        columns |= _drive_pointing(drive, columns["time_utc_ns"])
    return columns


def _pointing(events: RootTree, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Corrected pointing: angles minus their deviation; right ascension plus, since hour angle = LST - RA."""

    def value(name: str, *, optional: bool = False) -> NDArray[np.float64]:
        branch = f"MPointingPos.{name}"
        if optional and branch not in events:
            return np.zeros(len(rows))
        column: NDArray[np.float64] = events.column(branch)[rows].astype(np.float64)
        return column

    columns = {
        "pointing_zenith_deg": value("fZd") - value("fDevZd", optional=True),
        "pointing_azimuth_deg": (value("fAz") - value("fDevAz", optional=True)) % 360.0,
    }
    if "MPointingPos.fRa" in events:
        hours = value("fRa") + value("fDevHa", optional=True)
        columns["pointing_ra_deg"] = (hours * 15.0) % 360.0
        columns["pointing_dec_deg"] = value("fDec") - value("fDevDec", optional=True)
    return columns


def _drive_pointing(drive: RootTree, time_utc_ns: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Pointing between the reports of the drive system, linear in time."""
    report_mjd = drive.column("MReportDrive.fMjd").astype(np.float64)
    order = np.argsort(report_mjd)
    event_mjd = time_utc_ns / _NS_PER_DAY + _MJD_1970

    def at_events(name: str, *, period: float | None = None) -> NDArray[np.float64]:
        values = drive.column(f"MReportDrive.{name}").astype(np.float64)[order]
        if period is not None:
            values = np.unwrap(values, period=period)
        between: NDArray[np.float64] = np.interp(event_mjd, report_mjd[order], values)
        return between if period is None else between % period

    return {
        "pointing_zenith_deg": at_events("fCurrentZd"),
        "pointing_azimuth_deg": at_events("fCurrentAz", period=360.0),
        "pointing_ra_deg": at_events("fRa", period=24.0) * 15.0,
        "pointing_dec_deg": at_events("fDec"),
    }


def _bad_pixels(headers: RootTree | None) -> NDArray[np.bool_]:
    """Pixels unsuitable for the whole run: second of four words per pixel."""
    is_bad = np.zeros(N_PIXELS, dtype=np.bool_)
    name = "MBadPixelsCam.fArray.fInfo"
    if headers is not None and name in headers:
        words = headers.pixels(name, np.zeros(1, dtype=np.int64))[0]
        if len(words) % 4 or len(words) < 4 * N_PIXELS:
            raise InputError(f"{headers.path}: branch {name!r} has {len(words)} words, 4 per camera slot are expected")
        is_bad = (words.reshape(-1, 4)[:N_PIXELS, 1].astype(np.int64) & _UNSUITABLE_RUN) != 0
    return is_bad
