"""Pixels that cannot be used and the noise of the others, as MARS files tell them besides the events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.io.mars.pointing import utc_ns
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
    """Median mean and RMS over the usable pixels of some entries, a block of them in memory at a time."""
    parts = []
    for start in range(0, len(rows), _BLOCK):
        some = rows[start : start + _BLOCK]
        mean, rms = (tree.pixels(f"{container}.fArray.{n}", some, N_PIXELS) for n in ("fMean", "fRms"))
        is_new = np.ones(len(some), dtype=np.bool_)  # what is as before has the medians of before
        is_new[1:] = (mean[1:] != mean[:-1]).any(axis=1) | (rms[1:] != rms[:-1]).any(axis=1)
        mean, rms = mean[is_new], rms[is_new]
        is_used = np.isfinite(rms) & (rms > 0.0) & np.isfinite(mean)
        parts.append(np.stack([_median(mean, is_used), _median(rms, is_used)])[:, np.cumsum(is_new) - 1])
    both = np.concatenate(parts, axis=1).astype(np.float32)
    return both[0], both[1]


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
