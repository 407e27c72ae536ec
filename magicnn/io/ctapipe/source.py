"""Event sources of ctapipe: opened for one camera type, gone through once, each event's columns and images."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import wrapped_degrees
from magicnn.errors import InputError, optional_import
from magicnn.io.ctapipe.instrument import Instrument, instrument_of, is_hexagonal, telescopes_by_camera
from magicnn.io.sanity import folded

__all__ = [
    "EVENTIO_MAGICS",
    "Calibration",
    "event_columns",
    "events_of",
    "hexagonal_cameras",
    "instrument_in",
    "is_corsika",
    "is_readable",
    "is_sim_telarray",
    "open_source",
]

_log = logging.getLogger(__name__)

EVENTIO_MAGICS = (b"\x37\x8a\x1f\xd4", b"\xd4\x1f\x8a\x37", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""First bytes of eventio files of either byte order, and of files compressed with gzip or zstd."""

_CORSIKA_TYPES = range(1200, 1300)  # eventio objects of CORSIKA's IACT files
_UNIX_EPOCH_JD = 2440587.5
_SAME_POINTING_DEG = 0.1
_TRUTH = {
    "true_energy_gev": ("energy", "GeV"),
    "true_core_x_m": ("core_x", "m"),
    "true_core_y_m": ("core_y", "m"),
    "true_first_interaction_m": ("h_first_int", "m"),
    "true_xmax_gcm2": ("x_max", "g / cm2"),
}


def is_sim_telarray(path: Path, head: bytes) -> bool:
    """Tell whether a file is output of sim_telarray, plain or compressed, by its first object.

    Parameters
    ----------
    path : Path
        The file.
    head : bytes
        How it begins.
    """
    first = _first_object(path, head)
    return first is not None and first not in _CORSIKA_TYPES


def is_corsika(path: Path, head: bytes) -> bool:
    """Tell whether a file holds photon bunches of CORSIKA (IACT), as `is_sim_telarray` does."""
    return _first_object(path, head) in _CORSIKA_TYPES


def _first_object(path: Path, head: bytes) -> int | None:
    """Type of the first eventio object of a file; None when it has none, or eventio is not installed."""
    if not head.startswith(EVENTIO_MAGICS):
        return None
    try:
        from eventio import EventIOFile
    except ImportError:
        return None
    try:
        with EventIOFile(str(path)) as file:
            return int(next(file).header.type)
    except Exception:  # whatever a decoder makes of bytes that are none of its own
        return None


def is_readable(path: Path) -> bool:
    """Tell whether an event source of ctapipe, one of its plug-ins included, takes a file; never ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from ctapipe.io import EventSource
        except ImportError:
            return False
        for source in EventSource.non_abstract_subclasses().values():
            try:
                if not source.__module__.startswith("magicnn.") and source.is_compatible(path):
                    return True
            except Exception:  # a plug-in that stumbles over a file does not read it
                _log.debug("%s: %s failed", path, source.__name__, exc_info=True)
    return False


def hexagonal_cameras(path: Path) -> dict[str, int]:
    """Return the hexagonal cameras of a file that ctapipe reads, and how many telescopes have each.

    Raises
    ------
    InputError
        The file is damaged, or no source takes it.
    MissingDependencyError
        ctapipe is not installed.
    """
    with open_source(path, is_index=True) as source:
        found = telescopes_by_camera(source.subarray)
        return {name: len(ids) for name, ids in found.items() if is_hexagonal(source.subarray, ids[0])}


def instrument_in(path: Path, *, camera: str | None, telescopes: Sequence[str] | None) -> Instrument:
    """Choose the telescopes of one camera.

    Parameters
    ----------
    path : Path
        Any file that ctapipe reads.
    camera, telescopes : str and sequence of str, optional
        The telescopes wanted (`magicnn.io.ctapipe.instrument.instrument_of`).

    Raises
    ------
    InputError
        The file is damaged, no source takes it, or the camera cannot be used.
    ConfigError
        No such camera or telescope, or a camera has to be chosen.
    MissingDependencyError
        ctapipe is not installed.
    """
    with open_source(path, is_index=True) as source:
        configs = list((source.simulation_config or {}).values())
        return instrument_of(
            source.subarray,
            where=str(path),
            camera=camera,
            telescopes=telescopes,
            simulation=configs[0] if configs else None,
        )


def open_source(path: Path, tel_ids: Sequence[int] | None = None, *, is_index: bool = False) -> Any:
    """Open a file that ctapipe reads.

    Parameters
    ----------
    path : Path
        The file.
    tel_ids : sequence of int, optional
        The events' telescopes, all when not given.
    is_index : bool
        The waveforms will not be used, so need no calibration.

    Returns
    -------
    ctapipe.io.EventSource
        Gives the events in the order of the file; to be closed.

    Raises
    ------
    InputError
        The file is damaged, or no source takes it.
    MissingDependencyError
        ctapipe is not installed.
    """
    purpose = f"read {path}"
    event_source = optional_import("ctapipe.io", purpose=purpose).EventSource
    config = optional_import("traitlets.config", purpose=purpose).Config
    # only the frame of the geometry depends on that choice; which focal length is used is decided in our camera
    options = config({"SimTelEventSource": {"focal_length_choice": "EQUIVALENT", "skip_r1_calibration": is_index}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return event_source(path, config=options, allowed_tels=None if tel_ids is None else set(tel_ids))
        except Exception as error:
            raise InputError(f"{path}: ctapipe cannot open it, the file may be damaged ({_told(error)})") from error


def events_of(source: Any, path: Path) -> Iterator[Any]:
    """Yield the events of a source.

    Raises
    ------
    InputError
        The file is truncated or damaged.
    """
    events = iter(source)
    for number in count():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                event = next(events)
            except StopIteration:
                # ctapipe ends quietly there, but for a warning
                if any("EOFError" in str(warning.message) for warning in caught):
                    raise InputError(f"{path}: truncated after {number} events; copy it again") from None
                return
            except Exception as error:
                raise InputError(f"{path}: damaged after {number} events ({_told(error)})") from error
        yield event


def event_columns(event: Any, instrument: Instrument, path: Path) -> dict[str, Any]:
    """Return the columns of one event.

    Parameters
    ----------
    event : ctapipe.containers.ArrayEventContainer
    instrument : Instrument
        Telescopes along T.
    path : Path
        Named in errors.

    Returns
    -------
    dict
        Values of the event schema, ``true_pe`` [T] among them, and ctapipe's ``shower_primary_id``; truth only when
        the event has it.

    Raises
    ------
    InputError
        The telescopes point in different directions, or in none that is known; the energy is not positive.
    """
    run_id, event_id = int(event.index.obs_id), int(event.index.event_id)
    where = f"{path}: event {event_id} of run {run_id}"
    zenith, azimuth = _pointing(event, instrument, where)
    columns: dict[str, Any] = {
        "run_id": run_id,
        "event_id": event_id,
        "time_utc_ns": _utc_ns(event.trigger.time),
        "pointing_zenith_deg": zenith,
        "pointing_azimuth_deg": azimuth,
    }
    shower = event.simulation.shower if event.simulation is not None else None
    if shower is not None:
        columns |= {name: float(shower[key].to_value(unit)) for name, (key, unit) in _TRUTH.items()}
        columns["true_zenith_deg"] = 90.0 - float(shower.alt.to_value("deg"))
        columns["true_azimuth_deg"] = float(folded(shower.az.to_value("deg")))
        columns["shower_primary_id"] = int(shower.shower_primary_id)
        columns["true_pe"] = [_true_pe(event, tel_id) for tel_id in instrument.tel_ids]
        energy = columns["true_energy_gev"]
        if not 0.0 < energy < np.inf:
            raise InputError(f"{where}: true energy of {energy} GeV, the file is damaged")
    return columns


def _pointing(event: Any, instrument: Instrument, where: str) -> tuple[float, float]:
    """Zenith distance and azimuth of all telescopes, degrees: of the array as a whole, else of the first telescope."""
    array = event.monitoring.pointing
    found = [(float(array.array_altitude.to_value("deg")), float(array.array_azimuth.to_value("deg")))]
    for tel_id in instrument.tel_ids:
        if tel_id in event.monitoring.tel:
            own = event.monitoring.tel[tel_id].pointing
            found.append((float(own.altitude.to_value("deg")), float(own.azimuth.to_value("deg"))))
    known = [pair for pair in found if np.isfinite(pair).all()]
    if not known:
        raise InputError(f"{where}: nothing says where the telescopes pointed")
    altitude, azimuth = known[0]
    for other_altitude, other_azimuth in known[1:]:
        across = wrapped_degrees(other_azimuth - azimuth) * np.cos(np.radians(altitude))
        if np.hypot(other_altitude - altitude, across) > _SAME_POINTING_DEG:
            raise InputError(
                f"{where}: telescopes point to altitude {altitude:.2f} azimuth {azimuth:.2f} deg and to altitude "
                f"{other_altitude:.2f} azimuth {other_azimuth:.2f} deg; only parallel telescopes can be read"
            )
    return 90.0 - altitude, float(folded(azimuth))


def _utc_ns(time: Any) -> int:
    """Nanoseconds since 1970, exact to 0.1 ns: the two parts of the Julian date are never added up."""
    utc = time.utc
    seconds = round((float(utc.jd1) - _UNIX_EPOCH_JD) * 86400.0)
    return seconds * 1_000_000_000 + round(float(utc.jd2) * 86400e9)


def _true_pe(event: Any, tel_id: int) -> float:
    if tel_id not in event.simulation.tel:
        return np.nan
    total = event.simulation.tel[tel_id].true_image_sum
    return float(total) if total is not None and total >= 0 else np.nan


class Calibration:
    """Makes images of an event: those that the source has, else from its waveforms with ctapipe's calibrator.

    Parameters
    ----------
    source : ctapipe.io.EventSource
        Opened with `open_source`.
    instrument : Instrument
        Telescopes along T.
    extractor : str
        ctapipe's image extractor.
    path : Path
        Named in errors.

    Raises
    ------
    InputError
        The source has neither waveforms nor images.
    """

    def __init__(self, source: Any, instrument: Instrument, *, extractor: str, path: Path) -> None:
        from ctapipe.calib import CameraCalibrator
        from ctapipe.io import DataLevel

        self._instrument = instrument
        self._path = path
        self._calibrator: Any = None
        if DataLevel.DL1_IMAGES in source.datalevels:
            return
        if not source.has_any_datalevel((DataLevel.R1, DataLevel.DL0)):
            raise InputError(
                f"{path}: no images in this file, only {', '.join(level.name for level in source.datalevels)}"
            )
        # pixels that cannot be used become NaN here, not the mean of their neighbours
        self._calibrator = CameraCalibrator(
            source.subarray, image_extractor_type=extractor, invalid_pixel_handler_type=None
        )

    def images(self, event: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return charges (photoelectrons) and peak times (ns) of an event, [T, P] each.

        Raises
        ------
        InputError
            An image does not have the pixels of the camera.
        """
        instrument = self._instrument
        if self._calibrator is not None:
            self._calibrator(event)
        charge = np.full((len(instrument.tel_ids), instrument.camera.n_pixels), np.nan, dtype=np.float32)
        time = np.full_like(charge, np.nan)
        for place, tel_id in enumerate(instrument.tel_ids):
            if tel_id not in event.dl1.tel or event.dl1.tel[tel_id].image is None:
                continue
            dl1 = event.dl1.tel[tel_id]
            if dl1.image.shape != charge[place].shape:
                raise InputError(
                    f"{self._path}: event {event.index.event_id}: image of shape {dl1.image.shape} in telescope "
                    f"{tel_id}, the camera has {instrument.camera.n_pixels} pixels"
                )
            is_bad = ~np.isfinite(dl1.image) | _unusable(event, tel_id)
            charge[place] = np.where(is_bad, np.nan, dl1.image)
            if dl1.peak_time is not None:
                time[place] = np.where(is_bad | ~np.isfinite(dl1.peak_time), np.nan, dl1.peak_time)
        return charge, time


def _unusable(event: Any, tel_id: int) -> NDArray[np.bool_]:
    """Pixels that the source calls broken, [P] or no dimension."""
    if tel_id not in event.monitoring.tel:
        return np.array(False)
    mask = event.monitoring.tel[tel_id].camera.coefficients.outlier_mask
    if mask is None:
        return np.array(False)
    broken: NDArray[np.bool_] = np.atleast_2d(np.asarray(mask, dtype=np.bool_))
    channel = event.dl0.tel[tel_id].selected_gain_channel if tel_id in event.dl0.tel else None
    if channel is None or len(broken) == 1:
        channel = np.argmax(broken, axis=0)  # broken in any channel
    chosen: NDArray[np.bool_] = broken[channel, np.arange(broken.shape[1])]
    return chosen


def _told(error: BaseException) -> str:
    """First line of an error and its kind."""
    text = next(iter(str(error).strip().splitlines()), "")[:120]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
