"""One ctapipe HDF5 file: which events have images in the telescopes chosen, and their columns, without the images."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import impact_m
from magicnn.errors import InputError
from magicnn.events import SCHEMA
from magicnn.io.ctapipe.instrument import Instrument, instrument_of
from magicnn.io.ctapipe.pointing import pointing_of
from magicnn.io.ctapipe.tables import CtapipeFile, CtapipeTable, event_keys, open_ctapipe, positions
from magicnn.io.ctapipe.truth import RUN_UNITS, generated_by_run, pdg_numbers
from magicnn.io.sanity import folded

__all__ = [
    "IMAGES",
    "LAYOUT",
    "RUN",
    "SHOWER",
    "TRIGGER",
    "CtapipeSource",
    "generated_of",
    "read_source",
    "refuse_twice",
    "run_settings",
    "shower_truth",
    "subarray_of",
]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LAYOUT = "/configuration/instrument/subarray/layout"
TRIGGER = "/dl1/event/subarray/trigger"
IMAGES = "/dl1/event/telescope/images"
RUN = "/configuration/simulation/run"
SHOWER = "/simulation/event/subarray/shower"
_TRUE_IMAGES = "/simulation/event/telescope/images"

_FIRST_SHOWER_TYPE = 16  # EventType: below are flat fields and pedestals

_TRUTH = {
    "true_energy_gev": ("true_energy", "GeV"),
    "true_core_x_m": ("true_core_x", "m"),
    "true_core_y_m": ("true_core_y", "m"),
    "true_first_interaction_m": ("true_h_first_int", "m"),
    "true_xmax_gcm2": ("true_x_max", "g / cm2"),
}


@dataclass(frozen=True, slots=True)
class CtapipeSource:
    """What is known of a file before its images are read.

    Attributes
    ----------
    path : Path
    version : str
        Of the data model.
    instrument : Instrument
        The telescopes chosen.
    subarray : str
        Name of the array.
    readout : tuple of float
        Sampling speed in GS/s and number of samples.
    keys : int64 array, [N, 2]
        Run and event numbers.
    image_rows : int64 array, [N, T]
        Row in the telescope's table of images, -1 for none.
    columns : mapping of str to array, [N] or [N, T]
        Columns of the event schema.
    counts : mapping of str to int
        Triggers read, and dropped for which reason.
    generated : list of (int, dict or None)
        Per run what was thrown; empty for real data.
    """

    path: Path
    version: str
    instrument: Instrument
    subarray: str
    readout: tuple[float, int]
    keys: Ints
    image_rows: Ints
    columns: Mapping[str, NDArray[Any]]
    counts: Mapping[str, int]
    generated: list[tuple[int, dict[str, Any] | None]]


def read_source(path: Path, *, camera: str | None, telescopes: Sequence[str] | None) -> CtapipeSource:
    """Read everything of a file but its images.

    Parameters
    ----------
    path : Path
        A ctapipe file with DL1 images.
    camera, telescopes : str and sequence of str, optional
        The telescopes wanted (`magicnn.io.ctapipe.instrument.instrument_of`).

    Raises
    ------
    InputError
        The file has no images of these telescopes, contradicts itself, or is damaged.
    ConfigError
        No such camera or telescope, or a camera has to be chosen.
    """
    with open_ctapipe(path) as file:
        tables = file.children(IMAGES)
        if not tables:
            raise InputError(
                f"{path}: there are no camera images ({IMAGES}) in this ctapipe file; write it with ctapipe-process "
                "--write-images"
            )
        runs = run_settings(file)
        subarray = subarray_of(path)
        instrument = instrument_of(
            subarray, where=str(path), camera=camera, telescopes=telescopes, simulation=_field(runs)
        )
        trigger = file.table(TRIGGER)
        keys = event_keys(trigger)
        refuse_twice(keys, f"{path}: table {TRIGGER}")
        time = trigger.column("time")
        image_rows = np.stack([_rows(file, IMAGES, tel_id, keys) for tel_id in instrument.tel_ids], axis=1)
        is_shower = np.ones(len(keys), dtype=np.bool_)
        if "event_type" in trigger:
            is_shower = trigger.column("event_type") >= _FIRST_SHOWER_TYPE
        has_image = (image_rows >= 0).any(axis=1)
        n_lost = _triggered_without_image(file, trigger, instrument, image_rows)
        columns: dict[str, NDArray[Any]] = {"run_id": keys[:, 0], "event_id": keys[:, 1]}
        if (time > 0).any():  # ctapipe writes 0 for no time
            columns["time_utc_ns"] = time
        columns |= pointing_of(file, instrument.tel_ids, keys, time)
        keep = is_shower & has_image
        counts = {
            "triggers": len(keys),
            "calibration": int((~is_shower).sum()),
            "without image": int((is_shower & ~has_image).sum()),
            "images missing of telescopes that triggered": n_lost,
        }
        generated: list[tuple[int, dict[str, Any] | None]] = []
        if SHOWER in file:
            truth, is_known = shower_truth(file, keys)
            counts["without truth"] = int((keep & ~is_known).sum())
            keep &= is_known
            columns |= truth | _telescope_truth(file, instrument, keys, truth)
            counts["true images missing"] = _images_without_truth(path, instrument, image_rows[keep], columns, keep)
        columns = {name: values[keep] for name, values in columns.items()}
        _require_shapes(path, columns, (int(keep.sum()), len(instrument.tel_ids)))
        if SHOWER in file:
            generated = generated_of(runs, columns, where=str(path))
        readout = subarray.tel[instrument.tel_ids[0]].camera.readout
        return CtapipeSource(
            path=path,
            version=file.version,
            instrument=instrument,
            subarray=str(subarray.name),
            readout=(float(readout.sampling_rate.to_value("GHz")), int(readout.n_samples)),
            keys=keys[keep],
            image_rows=image_rows[keep],
            columns=columns,
            counts=counts,
            generated=generated,
        )


def _require_shapes(path: Path, columns: Mapping[str, NDArray[Any]], shape: tuple[int, int]) -> None:
    """Refuse columns that have not one value per event, or per event and telescope."""
    for name, values in columns.items():
        expected = shape if SCHEMA[name].shape == "telescope" else shape[:1]
        if values.shape != expected:
            raise InputError(f"{path}: the file is damaged ({name} of shape {values.shape}, expected {expected})")


def subarray_of(path: Path) -> Any:
    """Read ctapipe's description of the array, with effective focal lengths where the file has them.

    Raises
    ------
    InputError
        The description is missing or damaged.
    """
    from ctapipe.instrument import FocalLengthKind, SubarrayDescription

    for kind in (FocalLengthKind.EFFECTIVE, FocalLengthKind.EQUIVALENT):
        try:
            return SubarrayDescription.from_hdf(path, focal_length_choice=kind)
        except Exception as error:
            if kind is FocalLengthKind.EFFECTIVE and isinstance(error, RuntimeError):
                continue  # a file without effective focal lengths
            reason = next(iter(str(error).strip().splitlines()), "")[:100]
            raise InputError(
                f"{path}: cannot read the description of the array, the file is damaged "
                f"({type(error).__name__}: {reason})"
            ) from error
    raise AssertionError("unreachable")


def refuse_twice(keys: Ints, where: str) -> None:
    """Make sure that no event is in a table twice.

    Raises
    ------
    InputError
        One is.
    """
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    again = np.flatnonzero((np.diff(keys[order], axis=0) == 0).all(axis=1))
    if len(again):
        run, event = keys[order[again[0]]]
        raise InputError(f"{where}: event {event} of run {run} is there twice ({len(again)} such)")


def _triggered_without_image(file: CtapipeFile, trigger: CtapipeTable, instrument: Instrument, image_rows: Ints) -> int:
    """How many images are missing of telescopes that took part in the trigger; a table that is gone is warned of."""
    if "tels_with_trigger" not in trigger:
        return 0
    order = file.table(LAYOUT).column("tel_id").astype(np.int64).tolist()
    seen = trigger.column("tels_with_trigger").astype(np.bool_)
    if seen.ndim != 2 or seen.shape[1] != len(order):
        raise InputError(f"{file.path}: 'tels_with_trigger' of shape {seen.shape} for {len(order)} telescopes")
    triggered = seen[:, [order.index(tel_id) for tel_id in instrument.tel_ids]]
    is_lost = triggered & (image_rows < 0)
    for name, lost, count in zip(instrument.telescopes, is_lost.sum(axis=0), triggered.sum(axis=0), strict=True):
        if count and lost == count:
            _log.warning("%s: %s triggered %d times, but has no image in the file", file.path, name, count)
    return int(is_lost.sum())


def _images_without_truth(
    path: Path, instrument: Instrument, image_rows: Ints, columns: Mapping[str, NDArray[Any]], keep: NDArray[np.bool_]
) -> int:
    """How many images of kept events have no true one, in a file that has those; a lost table is warned of."""
    if "true_pe" not in columns:
        return 0
    has_image = image_rows >= 0
    is_lost = has_image & np.isnan(columns["true_pe"][keep])
    for name, lost, count in zip(instrument.telescopes, is_lost.sum(axis=0), has_image.sum(axis=0), strict=True):
        if count and lost == count:
            _log.warning("%s: %s has %d images, but no true image in the file", path, name, count)
    return int(is_lost.sum())


def _rows(file: CtapipeFile, group: str, tel_id: int, keys: Ints) -> Ints:
    """Rows of a telescope's table that belong to events, -1 where there is none."""
    table = file.optional_table(f"{group}/tel_{tel_id:03d}")
    if table is None:
        return np.full(len(keys), -1, dtype=np.int64)
    present = event_keys(table)
    refuse_twice(present, f"{file.path}: table {table.name}")
    return positions(keys, present)


def shower_truth(file: CtapipeFile, keys: Ints) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Return the truth of events that does not depend on a telescope, and for which of them there is any, [N].

    Raises
    ------
    InputError
        The table is empty, damaged, or has an event twice.
    """
    shower = file.table(SHOWER)
    present = event_keys(shower)
    refuse_twice(present, f"{file.path}: table {SHOWER}")
    if not len(shower):
        raise InputError(f"{file.path}: table {SHOWER} has no rows, so nothing is known of the simulated showers")
    rows = positions(keys, present)

    def value(name: str, unit: str = "") -> NDArray[Any]:
        return shower.column(name, unit)[rows]

    columns = {name: value(*stored) for name, stored in _TRUTH.items() if stored[0] in shower}
    columns["true_zenith_deg"] = 90.0 - value("true_alt", "deg")
    columns["true_azimuth_deg"] = folded(value("true_az", "deg"))
    columns["true_particle"] = pdg_numbers(value("true_shower_primary_id"), where=str(file.path))
    return columns, rows >= 0


def _telescope_truth(
    file: CtapipeFile, instrument: Instrument, keys: Ints, truth: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Impact distance and true light of each telescope."""
    columns: dict[str, NDArray[Any]] = {
        "true_impact_m": impact_m(
            truth["true_core_x_m"],
            truth["true_core_y_m"],
            truth["true_zenith_deg"],
            truth["true_azimuth_deg"],
            instrument.array.positions_m,
        )
    }
    if file.children(_TRUE_IMAGES):
        columns["true_pe"] = np.stack([_true_pe(file, tel_id, keys) for tel_id in instrument.tel_ids], axis=1)
    return columns


def _true_pe(file: CtapipeFile, tel_id: int, keys: Ints) -> Floats:
    """Photoelectrons of the shower in a camera, NaN where the file does not tell."""
    rows = _rows(file, _TRUE_IMAGES, tel_id, keys)
    table = file.optional_table(f"{_TRUE_IMAGES}/tel_{tel_id:03d}")
    if table is None or "true_image_sum" not in table or not len(table):
        return np.full(len(keys), np.nan)
    sums = table.column("true_image_sum").astype(np.float64)[rows]
    return np.where(rows >= 0, sums, np.nan)


def run_settings(file: CtapipeFile) -> Mapping[str, NDArray[Any]]:
    """Return columns of the simulation configuration that matter here, in the units used here; none without one."""
    table = file.optional_table(RUN)
    if table is None or not len(table):
        return {}
    units = {"obs_id": "", **RUN_UNITS, "prod_site_B_total": "uT"}
    units |= dict.fromkeys(("prod_site_B_inclination", "prod_site_B_declination"), "rad")
    return {name: table.column(name, unit) for name, unit in units.items()}


def _field(runs: Mapping[str, NDArray[Any]]) -> dict[str, Any] | None:
    """Magnetic field of the first run, with units."""
    from astropy import units

    if not runs:
        return None
    named = {"prod_site_B_total": units.uT, "prod_site_B_inclination": units.rad, "prod_site_B_declination": units.rad}
    return {name: runs[name][0] * unit for name, unit in named.items()}


def generated_of(
    runs: Mapping[str, NDArray[Any]], columns: Mapping[str, NDArray[Any]], *, where: str
) -> list[tuple[int, dict[str, Any] | None]]:
    """Return run by run what was thrown; a run without events is told by the particles and pointing of the others.

    Raises
    ------
    InputError
        A value cannot be.
    """
    if not runs or not len(columns["run_id"]):
        return []
    found: list[tuple[int, dict[str, Any] | None]] = []
    for row, run_id in enumerate(runs["obs_id"].astype(np.int64).tolist()):
        if runs["n_showers"][row] == 0:
            continue  # its showers are counted with another block
        of_run = columns["run_id"] == run_id
        which = of_run if of_run.any() else np.ones_like(of_run)
        truth = {name: columns[name][which] for name in ("true_particle", "true_zenith_deg", "true_azimuth_deg")}
        pointing = (columns["pointing_zenith_deg"][which], columns["pointing_azimuth_deg"][which])
        run = {name: runs[name][row] for name in RUN_UNITS}
        found.append((run_id, generated_by_run(run, truth, pointing, where=where)))
    return found
