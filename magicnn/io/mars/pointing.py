"""When the events of a MARS file happened and where the telescope pointed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.io.root.files import RootTree
from magicnn.io.sanity import folded

__all__ = ["drive_pointing", "event_pointing", "utc_ns"]

_log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

_MJD_1970 = 40587
_MAX_DAY, _MAX_MS, _MAX_NS = 65536, 2 * 86_400_000, 1_000_000_000
_NS_PER_DAY = 86_400_000_000_000
_FEW_REPORTS = 3
_FAR_S = 60.0


def utc_ns(tree: RootTree, rows: NDArray[np.int64], container: str = "MTime") -> NDArray[np.int64]:
    """Read times: day, milliseconds (negative before midnight) and nanoseconds, added as integers.

    Parameters
    ----------
    tree : RootTree
        Tree with the container.
    rows : int64 array, [N]
        Entries wanted.
    container : str
        ``"MTime"``, or ``"MTimePedestals"`` and the like.

    Returns
    -------
    int64 array, [N], nanoseconds since 1970, UTC without leap seconds
        0 where a part of it cannot be.

    Raises
    ------
    InputError
        A branch is missing.
    """
    days = tree.scalars(f"{container}.fMjd")[rows].astype(np.int64) - _MJD_1970
    milliseconds = tree.scalars(f"{container}.fTime.fMilliSec")[rows].astype(np.int64)
    nanoseconds = tree.scalars(f"{container}.fNanoSec")[rows].astype(np.int64)
    # a damaged part must not overflow into a time that can be
    can_be = (days > 0) & (days < _MAX_DAY) & (milliseconds > -_MAX_MS) & (milliseconds < _MAX_MS)
    can_be &= nanoseconds < _MAX_NS
    total = np.where(can_be, days, 0) * _NS_PER_DAY + np.where(can_be, milliseconds, 0) * 1_000_000 + nanoseconds
    return np.where(can_be, total, 0)


def event_pointing(events: RootTree, rows: NDArray[np.int64], *, on_sky: bool = True) -> dict[str, Floats]:
    """Read the pointing of each event, its deviations applied.

    Parameters
    ----------
    events : RootTree
        Tree ``Events`` with ``MPointingPos``.
    rows : int64 array, [N]
        Entries wanted.
    on_sky : bool
        Whether there is a place on the sky, which simulations, without a time, do not have.

    Returns
    -------
    dict of str to float64 array, [N]
        ``pointing_zenith_deg, pointing_azimuth_deg`` and, where the file has them, ``pointing_ra_deg,
        pointing_dec_deg``.

    Raises
    ------
    InputError
        A branch is missing.
    """

    def value(name: str) -> Floats:
        column: Floats = events.scalars(f"MPointingPos.{name}")[rows].astype(np.float64)
        return column

    ra = "fRa" if on_sky and "MPointingPos.fRa" in events else None
    return _corrected(value, events, "MPointingPos", zenith="fZd", azimuth="fAz", ra=ra)


def drive_pointing(drive: RootTree, time_utc_ns: NDArray[np.int64]) -> dict[str, Floats]:
    """Interpolate the reports of the drive system, linearly in time.

    Parameters
    ----------
    drive : RootTree
        Tree ``Drive``; its reports may be in any order and repeat.
    time_utc_ns : int64 array, [N]
        Times of the events; before the first and after the last report the neighbouring line goes on.

    Returns
    -------
    dict of str to float64 array, [N]
        As `event_pointing`.

    Raises
    ------
    InputError
        There is no report with a time, or a branch is missing.

    Notes
    -----
    ``fCurrentZd`` and ``fCurrentAz`` are the positions of the axes as measured, which ctapipe_io_magic takes as they
    are; ``fErrorZd`` and ``fErrorAz`` are their distance to the nominal position and already in them. Deviations in
    the names of ``MPointingPos`` (``fDevZd`` ...) are subtracted where the reports have them.
    """
    mjd = drive.scalars("MReportDrive.fMjd").astype(np.float64)
    mjd, order = np.unique(np.where(np.isfinite(mjd), mjd, np.inf), return_index=True)
    mjd, order = mjd[np.isfinite(mjd)], order[np.isfinite(mjd)]
    if not len(mjd):
        raise InputError(f"{drive.path}: tree 'Drive' has no report with a time: the pointing is not known")
    when = time_utc_ns / _NS_PER_DAY + _MJD_1970
    if len(mjd) < _FEW_REPORTS:
        _log.warning("%s: only %d drive reports: the pointing is a line through them", drive.path, len(mjd))
    outside_s = float(np.max(np.maximum(mjd[0] - when, when - mjd[-1]), initial=0.0)) * 86400.0
    if outside_s > _FAR_S:
        _log.warning("%s: events up to %.0f s away from the nearest drive report", drive.path, outside_s)

    def value(name: str) -> Floats:
        reports = drive.scalars(f"MReportDrive.{name}").astype(np.float64)[order]
        return _line(when, mjd, reports, period=_PERIODS.get(name))

    return _corrected(value, drive, "MReportDrive", zenith="fCurrentZd", azimuth="fCurrentAz", ra="fRa")


_PERIODS = {"fCurrentAz": 360.0, "fRa": 24.0}


def _line(x: Floats, knots: Floats, values: Floats, *, period: float | None = None) -> Floats:
    """Linear interpolation that goes on beyond the first and the last knot; the shorter way round a period."""
    if len(knots) == 1:
        return np.full(len(x), values[0])
    low = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    fraction = (x - knots[low]) / (knots[low + 1] - knots[low])
    step = values[low + 1] - values[low]
    if period is not None:
        step = step - period * np.round(step / period)
    between: Floats = values[low] + fraction * step
    return between


def _corrected(
    value: Callable[[str], Floats], tree: RootTree, container: str, *, zenith: str, azimuth: str, ra: str | None
) -> dict[str, Floats]:
    """Angles minus their deviations; right ascension plus, since hour angle = sidereal time - right ascension."""

    def deviation(name: str) -> Any:
        return value(name) if f"{container}.{name}" in tree else 0.0

    columns = {
        "pointing_zenith_deg": value(zenith) - deviation("fDevZd"),
        "pointing_azimuth_deg": folded(value(azimuth) - deviation("fDevAz")),
    }
    if ra is not None:
        columns["pointing_ra_deg"] = folded(15.0 * (value(ra) + deviation("fDevHa")))
        columns["pointing_dec_deg"] = value("fDec") - deviation("fDevDec")
    return columns
