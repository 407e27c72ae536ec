"""Charges and arrival times of chosen events of one MARS calibrated file."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.io.mars_monitor import N_PIXELS
from magicnn.io.rootfiles import RootTree
from magicnn.io.sanity import blank_impossible_pixels

__all__ = ["read_images"]

_log = logging.getLogger(__name__)

_CHARGE = "MCerPhotEvt.fPixels.fPhot"
_STAR_CHARGE = "UprootImageOrig"  # what star -saveimages keeps: charges alone
_TIME = "MArrivalTime.fData"
_RING = "MCerPhotEvt.fPixels.fRing"  # 1 used, -1 unusable: a dead pixel or a slot without one
_PIXEL_ID = "MCerPhotEvt.fPixels.fPixId"
_SLOTS = (1183, N_PIXELS)  # 169 clusters of 7, the last 144 without a pixel
_MAX_GAP = 32  # entries decoded in vain rather than starting a new read


def read_images(
    events: RootTree, rows: NDArray[np.int64], *, n_slices: int, is_bad: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read the images of some events.

    Parameters
    ----------
    events : RootTree
        Tree ``Events``.
    rows : int64 array, [N]
        Entries wanted, in any order.
    n_slices : int
        Samples in the readout window.
    is_bad : bool array, [P]
        Pixels that are unusable in the whole file.

    Returns
    -------
    charge : float32 array, [N, P], photoelectrons
        NaN for unusable pixels.
    time : float32 array, [N, P], samples since the start of the window
        NaN for unusable pixels and outside [0, n_slices), where MARS leaves what its extractor gave without a pulse.

    Raises
    ------
    InputError
        A branch is missing or damaged, or the camera is not the one of 1039 pixels.
    """
    wanted, place = np.unique(rows, return_inverse=True)
    spans = np.split(wanted, np.flatnonzero(np.diff(wanted) > _MAX_GAP) + 1)
    parts = [_read_span(events, span, is_bad) for span in spans if len(span)]
    charge = np.concatenate([c for c, _, _ in parts])
    time = np.concatenate([t for _, t, _ in parts])
    n_wrong = sum(wrong for _, _, wrong in parts)
    if n_wrong:
        _log.warning("%s: %d pixels with impossible charges are taken as unusable", events.path, n_wrong)
    charge[:, is_bad] = np.nan
    time[np.isnan(charge) | ~((time >= 0.0) & (time < n_slices))] = np.nan
    return charge[place], time[place]


def _read_span(
    events: RootTree, rows: NDArray[np.int64], is_bad: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Charge, time and the number of impossible charges of consecutive events."""
    is_star = _CHARGE not in events and _STAR_CHARGE in events
    charge_name = _STAR_CHARGE if is_star else _CHARGE
    charge = events.pixels(charge_name, rows)
    time = np.full_like(charge, np.nan) if is_star and _TIME not in events else events.pixels(_TIME, rows)
    for name, pixels in ((charge_name, charge), (_TIME, time)):
        if pixels.shape[1] not in _SLOTS:
            raise InputError(
                f"{events.path}: branch {name!r} has {pixels.shape[1]} values per event; the cameras of "
                f"{N_PIXELS} pixels have {_SLOTS[0]} slots (M1 before 2012 had another camera)"
            )
    if _PIXEL_ID in events:
        order = events.pixels(_PIXEL_ID, rows[:1])[0]
        if not np.array_equal(order, np.arange(len(order))):
            raise InputError(f"{events.path}: branch {_PIXEL_ID!r} does not count up: pixels in an unknown order")
    charge, time = (pixels[:, :N_PIXELS].astype(np.float32) for pixels in (charge, time))
    n_wrong = blank_impossible_pixels(charge, time, known_bad=is_bad)
    if _RING in events:
        charge[events.pixels(_RING, rows)[:, :N_PIXELS] < 0] = np.nan
    return charge, time, n_wrong
