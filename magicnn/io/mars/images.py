"""Charges and arrival times of chosen events of one MARS calibrated file."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.errors import InputError
from magicnn.io.mars.monitor import N_PIXELS
from magicnn.io.root.files import RootTree
from magicnn.io.sanity import MAX_CHARGE_PE

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
    parts = [_read_span(events, span, n_slices, is_bad) for span in spans if len(span)]
    n_wrong = sum(wrong for _, _, wrong in parts)
    if n_wrong:
        _log.warning("%s: %d pixels with impossible charges are taken as unusable", events.path, n_wrong)
    if len(parts) == 1 and np.array_equal(wanted, rows):
        return parts[0][:2]
    charge, time = (np.concatenate([part[which] for part in parts])[place] for which in (0, 1))
    return charge, time


def _read_span(
    events: RootTree, rows: NDArray[np.int64], n_slices: int, is_bad: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Charge, time and the number of impossible charges of consecutive events."""
    is_star = _CHARGE not in events and _STAR_CHARGE in events
    charge_name = _STAR_CHARGE if is_star else _CHARGE
    charge = _camera(events, charge_name, rows)
    time = np.full_like(charge, np.nan) if is_star and _TIME not in events else _camera(events, _TIME, rows)
    if _PIXEL_ID in events:
        for order in events.first_pixels(_PIXEL_ID, rows, N_PIXELS):
            if not np.array_equal(order, np.arange(N_PIXELS)):
                raise InputError(f"{events.path}: branch {_PIXEL_ID!r} does not count up: pixels in an unknown order")
    ring = events.pixels(_RING, rows, N_PIXELS) if _RING in events else np.ones((1, N_PIXELS))
    n_wrong = _blank_unusable(charge, time, ring.astype(np.int16, copy=False), is_bad, float(n_slices))
    return charge, time, n_wrong


def _camera(events: RootTree, name: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read the pixels of a branch with a value per slot, [N, P]."""
    slots = events.pixels(name, rows, max(_SLOTS) + 1)
    if slots.shape[1] not in _SLOTS:
        raise InputError(
            f"{events.path}: branch {name!r} has {slots.shape[1]} values per event; the cameras of "
            f"{N_PIXELS} pixels have {_SLOTS[0]} slots (M1 before 2012 had another camera)"
        )
    return np.ascontiguousarray(slots[:, :N_PIXELS], dtype=np.float32)


@compiled
def _blank_unusable(
    charge: NDArray[np.float32],
    time: NDArray[np.float32],
    ring: NDArray[np.int16],
    is_bad: NDArray[np.bool_],
    n_slices: float,
) -> int:
    """Make pixels NaN that cannot be used; return how many have an impossible charge without being bad.

    ``charge`` and ``time`` are [N, P], ``ring`` too, or [1, P] for a file without one.
    """
    n_wrong = 0
    end = np.float32(n_slices)
    most = np.float32(MAX_CHARGE_PE)
    nothing = np.float32(np.nan)
    for event in range(len(charge)):
        wrong = 0
        which = event if len(ring) > 1 else 0
        for pixel in range(len(is_bad)):
            value, when = charge[event, pixel], time[event, pixel]
            possible = abs(value) <= most
            usable = possible & (not is_bad[pixel]) & (ring[which, pixel] >= 0)
            wrong += (not possible) & (not is_bad[pixel])
            charge[event, pixel] = value if usable else nothing
            time[event, pixel] = when if usable & (when >= np.float32(0.0)) & (when < end) else nothing
        n_wrong += wrong
    return n_wrong
