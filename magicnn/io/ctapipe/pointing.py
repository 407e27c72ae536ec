"""Where the telescopes of a ctapipe file pointed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.io.ctapipe.tables import CtapipeFile, CtapipeTable
from magicnn.io.sanity import folded

__all__ = ["pointing_of"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_FIXED_POINTING = "/configuration/telescope/pointing"
_MONITORED_POINTING = ("/dl0/monitoring/telescope/pointing", "/dl1/monitoring/telescope/pointing")
_OBSERVATION_BLOCK = "/configuration/observation/observation_block"
_ALTAZ = 0  # CoordinateFrameType
_SAME_POINTING_DEG = 0.1


def pointing_of(file: CtapipeFile, tel_ids: Sequence[int], keys: Ints, time_utc_ns: Ints) -> dict[str, Floats]:
    """Return the pointing of telescopes, which have to be parallel: fixed for a run, monitored, or as planned.

    Raises
    ------
    InputError
        The file does not say it, or they point different ways.
    """
    found = [
        directions
        for tel_id in tel_ids
        for directions in (
            _fixed_pointing(file, tel_id, keys),
            *(_monitored_pointing(file, f"{group}/tel_{tel_id:03d}", time_utc_ns) for group in _MONITORED_POINTING),
        )
        if directions is not None
    ]
    planned = _planned_pointing(file, keys) if not found else None
    if planned is not None:
        found = [planned]
    if not found:
        raise InputError(
            f"{file.path}: nothing says where the telescopes pointed (looked in {_FIXED_POINTING}, "
            f"{', '.join(_MONITORED_POINTING)} and {_OBSERVATION_BLOCK}); ctapipe-process leaves it out "
            "for real data: take what the file was made from"
        )
    zenith, azimuth = found[0]
    for other_zenith, other_azimuth in found[1:]:
        spread = np.hypot(other_zenith - zenith, ((other_azimuth - azimuth + 180.0) % 360.0 - 180.0) * _sine(zenith))
        if len(spread) and np.nanmax(spread) > _SAME_POINTING_DEG:
            raise InputError(
                f"{file.path}: the telescopes point up to {np.nanmax(spread):.2f} deg apart; only events of parallel "
                "telescopes can be read, choose some with telescopes="
            )
    return {"pointing_zenith_deg": zenith, "pointing_azimuth_deg": folded(azimuth)}


def _sine(zenith_deg: Floats) -> Floats:
    sine: Floats = np.sin(np.radians(zenith_deg))
    return sine


def _per_run(table: CtapipeTable, keys: Ints, altitude: str, azimuth: str) -> tuple[Floats, Floats]:
    run = table.column("obs_id").astype(np.int64)
    runs, first = np.unique(run, return_index=True)
    place = np.minimum(np.searchsorted(runs, keys[:, 0]), len(runs) - 1)
    if len(keys) and (runs[place] != keys[:, 0]).any():
        lost = keys[runs[place] != keys[:, 0], 0][0]
        raise InputError(f"{table.path}: table {table.name} has no run {lost}")
    rows = first[place]
    return 90.0 - table.column(altitude, "deg")[rows], table.column(azimuth, "deg")[rows]


def _fixed_pointing(file: CtapipeFile, tel_id: int, keys: Ints) -> tuple[Floats, Floats] | None:
    table = file.optional_table(f"{_FIXED_POINTING}/tel_{tel_id:03d}")
    if table is None or not len(table):
        return None
    return _per_run(table, keys, "telescope_pointing_altitude", "telescope_pointing_azimuth")


def _monitored_pointing(file: CtapipeFile, name: str, time_utc_ns: Ints) -> tuple[Floats, Floats] | None:
    """Between the reports, linear in time."""
    table = file.optional_table(name)
    if table is None or not len(table):
        return None
    reported = table.column("time")
    order = np.argsort(reported)
    start = reported[order[0]]
    seconds, at = (reported[order] - start) / 1e9, (time_utc_ns - start) / 1e9
    altitude = table.column("altitude", "deg")[order]
    azimuth = np.unwrap(table.column("azimuth", "deg")[order], period=360.0)
    return 90.0 - np.interp(at, seconds, altitude), np.interp(at, seconds, azimuth)


def _planned_pointing(file: CtapipeFile, keys: Ints) -> tuple[Floats, Floats] | None:
    table = file.optional_table(_OBSERVATION_BLOCK)
    if table is None or not len(table) or (table.column("subarray_pointing_frame") != _ALTAZ).any():
        return None
    return _per_run(table, keys, "subarray_pointing_lat", "subarray_pointing_lon")
