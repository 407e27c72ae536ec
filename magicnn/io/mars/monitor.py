"""Pixels that cannot be used and the noise of the others, as MARS files tell them besides the events."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.errors import InputError
from magicnn.executors import in_threads
from magicnn.io.base import damage_told
from magicnn.io.mars.pointing import utc_ns
from magicnn.io.root.baskets import range_of
from magicnn.io.root.files import RootFile, RootTree

__all__ = ["N_PIXELS", "bad_pixels", "pedestal_columns", "software_version"]

N_PIXELS = 1039

_UNSUITABLE_RUN = 2  # MBadPixelsPix::kUnsuitableRun
_PEDESTALS = ("MPedPhotFromExtractor", "MPedPhotFundamental")  # the first one found counts
_BLOCK = 1024


def bad_pixels(headers: RootTree | None, *, is_simulation: bool) -> NDArray[np.bool_]:
    """Read which pixels are unsuitable for the whole run.

    Parameters
    ----------
    headers : RootTree or None
        Tree ``RunHeaders``.
    is_simulation : bool
        In MAGIC's simulations pixel 0 is never used: it is bad where the headers do not say which pixels are.

    Returns
    -------
    bool array, [P]

    Raises
    ------
    InputError
        There are not four words for each camera slot.
    """
    is_bad = np.zeros(N_PIXELS, dtype=np.bool_)
    name = "MBadPixelsCam.fArray.fInfo"
    if headers is not None and name in headers:
        words = headers.pixels(name, np.zeros(1, dtype=np.int64))[0]
        if len(words) % 4 or len(words) < 4 * N_PIXELS:
            raise InputError(f"{headers.path}: branch {name!r} has {len(words)} words, 4 per camera slot are expected")
        is_bad = (words.reshape(-1, 4)[:N_PIXELS, 1].astype(np.int64) & _UNSUITABLE_RUN) != 0
    else:
        is_bad[0] = is_simulation
    return is_bad


def pedestal_columns(
    file: RootFile, events: RootTree, rows: NDArray[np.int64], time_utc_ns: NDArray[np.int64] | None
) -> dict[str, NDArray[Any]]:
    """Read mean and RMS of the charge without light at each event.

    Parameters
    ----------
    file : RootFile
        Data have a tree ``Pedestals``, simulations the same containers in ``Events``.
    events : RootTree
        Tree ``Events``.
    rows : int64 array, [N]
        Entries wanted.
    time_utc_ns : int64 array, [N], or None
        Times of the events of data; the last pedestals before an event hold, the first for those before any.

    Returns
    -------
    dict
        ``pedestal_mean_pe, pedestal_rms_pe``, float32 [N], photoelectrons: the median over the pixels with an RMS
        above zero, of the signal extractor applied to pedestal events (``MPedPhotFromExtractor``), or of the
        fundamental pedestal where there is no other. Empty when the file has neither, or not their times.
    """
    tree = events if time_utc_ns is None else file.optional_tree("Pedestals")
    if tree is None or not len(rows) or (time_utc_ns is not None and "MTimePedestals.fMjd" not in tree):
        return {}
    container = next((c for c in _PEDESTALS if f"{c}.fArray.fRms" in tree and f"{c}.fArray.fMean" in tree), None)
    if container is None:
        return {}
    if time_utc_ns is None:
        mean, rms = _medians(tree, container, rows)
    else:
        every = np.arange(tree.n_entries)
        taken = utc_ns(tree, every, "MTimePedestals")
        order = np.argsort(taken, kind="stable")
        last = np.searchsorted(taken[order], time_utc_ns, side="left") - 1
        mean, rms = (values[order][np.maximum(last, 0)] for values in _medians(tree, container, every))
    return {"pedestal_mean_pe": mean, "pedestal_rms_pe": rms}


def _medians(
    tree: RootTree, container: str, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Median mean and RMS over the usable pixels of some entries, some of them in memory at a time."""
    names = [f"{container}.fArray.{member}" for member in ("fMean", "fRms")]
    baskets = [tree.baskets(name) for name in names]

    def of_basket(number: int, which: slice) -> NDArray[np.float32]:
        values = []
        for name, found in zip(names, baskets, strict=True):
            with damage_told(tree.path, f"branch {name!r} of tree {tree.name!r}"):
                every = None if found is None else found.values(number)
            values.append(
                tree.pixels(name, rows[which])
                if found is None or every is None
                else every[range_of(rows[which] - found.bounds[number])]
            )
        return _block_medians(*values)

    first, second = baskets
    if first is not None and second is not None and np.array_equal(first.bounds, second.bounds):
        parts = in_threads([partial(of_basket, number, which) for number, which in first.holding(rows)])
    else:
        some = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
        parts = [_block_medians(*(tree.pixels(name, block) for name in names)) for block in some]
    both = np.concatenate(parts, axis=1)
    return both[0], both[1]


def _block_medians(mean: NDArray[Any], rms: NDArray[Any]) -> NDArray[np.float32]:
    """Medians of mean and RMS of some entries, [2, N]; what is as in the entry before has the medians of that."""
    is_new = np.ones(len(mean), dtype=np.bool_)
    is_new[1:] = _changes(mean) | _changes(rms)
    mean, rms = (values[is_new, :N_PIXELS].astype(np.float32) for values in (mean, rms))
    is_used = np.isfinite(rms) & (rms > 0.0) & np.isfinite(mean)
    return np.stack([_median(mean, is_used), _median(rms, is_used)])[:, np.cumsum(is_new) - 1].astype(np.float32)


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether any bit of an entry differs from the one before."""
    return _differ(values.view(f"i{values.itemsize}"))


@compiled
def _differ(words: NDArray[Any]) -> NDArray[np.bool_]:
    found = np.zeros(len(words) - 1, dtype=np.bool_)
    for row in range(len(found)):
        n_changes = 0
        for column in range(words.shape[1]):
            n_changes += words[row + 1, column] != words[row, column]
        found[row] = n_changes > 0
    return found


def _median(values: NDArray[Any], is_used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Median over the used pixels, NaN where there are none."""
    count = is_used.sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    wanted = np.unique([low, np.minimum(high, values.shape[1] - 1)])
    ordered = np.partition(np.where(is_used, values, np.inf), wanted, axis=1)
    each = np.arange(len(values))
    middle = 0.5 * (ordered[each, low] + ordered[each, np.minimum(high, ordered.shape[1] - 1)])
    return np.where(count > 0, middle, np.nan)


def software_version(file: RootFile) -> str:
    """Name the programs that wrote a file, ``"sorcerer 2.19.3 (ROOT 5.34.36)"``; empty when it does not say."""
    tails = file.optional_tree("RunTails")
    if tails is None:
        return ""
    said = []
    for container in sorted({name.split(".")[0] for name in tails.branches if name.startswith("MMarsVersion_")}):
        versions = {}
        for name in ("fMARSVersionCode", "fROOTVersionCode"):
            if f"{container}.{name}" in tails:
                code = int(np.ravel(tails.column(f"{container}.{name}"))[0])
                versions[name] = f"{code >> 16}.{code >> 8 & 255}.{code & 255}"
        root = versions.get("fROOTVersionCode")
        said.append(
            f"{container.removeprefix('MMarsVersion_')} {versions.get('fMARSVersionCode', '?')}"
            + (f" (ROOT {root})" if root else "")
        )
    return ", ".join(said)
