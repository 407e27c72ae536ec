"""Charges and arrival times of chosen events of MARS calibrated files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.errors import InputError
from magicnn.executors import in_threads
from magicnn.io.base import damage_told
from magicnn.io.mars.monitor import N_PIXELS
from magicnn.io.root.baskets import Baskets, range_of
from magicnn.io.root.files import OpenTrees, RootTree
from magicnn.io.sanity import MAX_CHARGE_PE

__all__ = ["CHARGE", "ImageBranches", "ImageReader", "Wanted"]

_log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_TREE = "Events"
CHARGE = "MCerPhotEvt.fPixels.fPhot"
"""Branch with the charges of calibrated files."""

_CHARGES = (CHARGE, "UprootImageOrig")  # what star -saveimages keeps: charges alone
_TIME = "MArrivalTime.fData"
_RING = "MCerPhotEvt.fPixels.fRing"  # 1 used, -1 unusable: a dead pixel or a slot without one
_PIXEL_ID = "MCerPhotEvt.fPixels.fPixId"
_SLOTS = (1183, N_PIXELS)  # 169 clusters of 7, the last 144 without a pixel
_N_TELESCOPES = 2
_PIECE = 256  # events whose pixels a thread looks through at once


@dataclass(frozen=True, slots=True)
class ImageBranches:
    """Where a file keeps the images of one telescope.

    Attributes
    ----------
    path : Path
        The file.
    telescope : int
        1 or 2.
    charge : str
        Name of the branch with the charges.
    baskets : mapping of str to Baskets or None
        By branch, for those that the file has; None for one that has to be read in the general way.
    """

    path: Path
    telescope: int
    charge: str
    baskets: Mapping[str, Baskets | None]

    @classmethod
    def of(cls, events: RootTree, telescope: int) -> ImageBranches | None:
        """Find the branches in a tree ``Events``; None when it has no charges of pixels."""
        charge = next((name for name in _CHARGES if name in events), None)
        if charge is None:
            return None
        names = [charge, _TIME, _RING, _PIXEL_ID]
        found = {name: events.baskets(name) for name in names if name in events}
        return cls(events.path, telescope, charge, found)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Images of one telescope that are to be read from one file.

    Attributes
    ----------
    branches : ImageBranches
        Where they are.
    is_bad : bool array, [P]
        Pixels that are unusable in the whole file.
    rows : int64 array, [N]
        Entries of the tree, each once, in any order.
    places : int64 array, [N]
        Where they go.
    """

    branches: ImageBranches
    is_bad: NDArray[np.bool_]
    rows: Ints
    places: Ints

    def in_order(self) -> Wanted:
        """Return the same with ascending rows."""
        order = np.argsort(self.rows)
        return Wanted(self.branches, self.is_bad, self.rows[order], self.places[order])


class ImageReader:
    """Reads images, several baskets at the same time; what the next events need of the last ones it keeps.

    Parameters
    ----------
    threads : int, optional
        As many as cores when not given, see `magicnn.executors.in_threads`.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads
        self._trees = OpenTrees(_TREE)
        self._unused: dict[tuple[Path, int, str, int], NDArray[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_unused": {}}

    def read(self, wanted: Sequence[Wanted], n_events: int, n_slices: int) -> tuple[Floats, Floats]:
        """Read the images of some events.

        Parameters
        ----------
        wanted : sequence of Wanted
            What is read and where it goes.
        n_events : int
            Number of events, N.
        n_slices : int
            Samples in the readout window.

        Returns
        -------
        charge : float32 array, [N, 2, P], photoelectrons
            NaN for unusable pixels and where nothing goes.
        time : float32 array, [N, 2, P], samples since the start of the window
            NaN as well outside [0, n_slices), where MARS leaves what its extractor gave without a pulse.

        Raises
        ------
        InputError
            A branch is missing or damaged, or the camera is not the one of 1039 pixels.
        """
        charge, time = (np.empty((n_events, _N_TELESCOPES, N_PIXELS), dtype=np.float32) for _ in range(2))
        ring = np.empty(charge.shape, dtype=np.int16)
        wanted = [one.in_order() for one in wanted]
        is_empty = np.ones((n_events, _N_TELESCOPES), dtype=np.bool_)
        for one in wanted:
            is_empty[one.places, one.branches.telescope - 1] = False
        charge[is_empty] = time[is_empty] = np.nan
        before, self._unused = self._unused, {}
        work: list[Callable[[], Callable[[], None] | None]] = []
        for one in wanted:
            for name, values, missing in (
                (one.branches.charge, charge, np.nan),
                (_TIME, time, np.nan if one.branches.charge != CHARGE else None),
                (_RING, ring, 1),
            ):
                work += self._filling(one, name, values[:, one.branches.telescope - 1], missing, before)
            work += self._order_checks(one)
        for again in in_threads(work, self._threads):
            if again is not None:
                again()
        pieces = [piece for one in wanted for piece in _blanking(one, charge, time, ring, n_slices)]
        wrong = in_threads(pieces, self._threads)
        if sum(wrong):
            paths = dict.fromkeys(str(one.branches.path) for one in wanted)
            _log.warning("%s: %d pixels with impossible charges are taken as unusable", ", ".join(paths), sum(wrong))
        return charge, time

    def _filling(
        self, one: Wanted, name: str, out: NDArray[Any], missing: float | None, before: Mapping[Any, NDArray[Any]]
    ) -> Iterator[Callable[[], Callable[[], None] | None]]:
        """Yield work that fills the images' places with the values of a branch, basket by basket."""
        if name not in one.branches.baskets and missing is not None:
            out[one.places] = missing
            return
        baskets = one.branches.baskets.get(name)
        if baskets is None:
            self._fill_generally(one, name, out, slice(None))
            return
        for number, which in baskets.holding(one.rows):
            yield partial(self._fill, one, name, out, baskets, number, which, before)

    def _fill(
        self,
        one: Wanted,
        name: str,
        out: NDArray[Any],
        baskets: Baskets,
        number: int,
        which: slice,
        before: Mapping[Any, NDArray[Any]],
    ) -> Callable[[], None] | None:
        """Fill places with the values of a basket; return what is to be done when they do not lie there as usual."""
        key = (one.branches.path, one.branches.telescope, name, number)
        values = before.get(key)
        if values is None:
            with damage_told(one.branches.path, f"branch {name!r} of tree {_TREE!r}"):
                values = baskets.values(number)
        if values is None:
            return partial(self._fill_generally, one, name, out, which)
        rows = one.rows[which] - baskets.bounds[number]
        if rows[-1] + 1 < len(values):
            self._unused[key] = values
        _check_slots(one, name, values)
        out[range_of(one.places[which])] = values[range_of(rows), :N_PIXELS]
        return None

    def _fill_generally(self, one: Wanted, name: str, out: NDArray[Any], which: slice) -> None:
        values = self._tree(one).pixels(name, one.rows[which])
        _check_slots(one, name, values)
        out[one.places[which]] = values[:, :N_PIXELS]

    def _order_checks(self, one: Wanted) -> Iterator[Callable[[], None]]:
        """Yield work that looks whether the pixels are in the usual order, at the start of every basket."""
        if _PIXEL_ID not in one.branches.baskets:
            return
        baskets = one.branches.baskets[_PIXEL_ID]
        if baskets is None:
            _check_order(one, lambda: self._tree(one).pixels(_PIXEL_ID, one.rows[:1])[0])
            return
        for number, _ in baskets.holding(one.rows):
            yield partial(_check_order, one, partial(baskets.first_values, number, N_PIXELS))

    def _tree(self, one: Wanted) -> RootTree:
        return self._trees.of(one.branches.path).of_telescope(one.branches.telescope)


def _check_slots(one: Wanted, name: str, values: NDArray[Any]) -> None:
    if values.shape[1] not in _SLOTS:
        raise InputError(
            f"{one.branches.path}: branch {name!r} has {values.shape[1]} values per event; the cameras of "
            f"{N_PIXELS} pixels have {_SLOTS[0]} slots (M1 before 2012 had another camera)"
        )


def _check_order(one: Wanted, read: Callable[[], NDArray[Any]]) -> None:
    path = one.branches.path
    with damage_told(path, f"branch {_PIXEL_ID!r} of tree {_TREE!r}"):
        order = read()[:N_PIXELS]
    if not np.array_equal(order, np.arange(N_PIXELS)):
        raise InputError(f"{path}: branch {_PIXEL_ID!r} does not count up: pixels in an unknown order")


def _blanking(
    one: Wanted, charge: Floats, time: Floats, ring: NDArray[np.int16], n_slices: int
) -> Iterator[Callable[[], int]]:
    """Yield work that makes the unusable pixels of some images NaN."""
    for start in range(0, len(one.places), _PIECE):
        places = one.places[start : start + _PIECE]
        telescope = one.branches.telescope - 1
        yield partial(_blank_unusable, charge, time, ring, telescope, places, one.is_bad, float(n_slices))


@compiled
def _blank_unusable(
    charge: Floats,
    time: Floats,
    ring: NDArray[np.int16],
    telescope: int,
    places: Ints,
    is_bad: NDArray[np.bool_],
    n_slices: float,
) -> int:
    """Make pixels NaN that cannot be used; return how many have an impossible charge without being bad.

    ``charge``, ``time`` and ``ring`` are [N, T, P].
    """
    n_wrong = 0
    end = np.float32(n_slices)
    most = np.float32(MAX_CHARGE_PE)
    nothing = np.float32(np.nan)
    for event in places:
        wrong = 0
        for pixel in range(len(is_bad)):
            value, when = charge[event, telescope, pixel], time[event, telescope, pixel]
            possible = abs(value) <= most
            usable = possible & (not is_bad[pixel]) & (ring[event, telescope, pixel] >= 0)
            wrong += (not possible) & (not is_bad[pixel])
            charge[event, telescope, pixel] = value if usable else nothing
            is_inside = (when >= np.float32(0.0)) & (when < end)
            time[event, telescope, pixel] = when if usable & is_inside else nothing
        n_wrong += wrong
    return n_wrong
