"""Which event of M1 and which of M2 are the same shower: the join of two telescopes by stereo event number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "EventKeys",
    "StereoMatch",
    "backward_jumps",
    "join_events",
    "match_telescopes",
    "rows_of_runs",
    "unique_event_ids",
]

Ints = NDArray[np.int64]

_TRUSTED_JUMPS = 100  # beyond this the numbers of a run are no longer a safe key (rule of ctapipe_io_magic)


@dataclass(frozen=True, slots=True)
class EventKeys:
    """What identifies the events of one telescope, in the order of its files.

    Attributes
    ----------
    run_id : int64 array, [N]
        Run number.
    number : int64 array, [N]
        Stereo event number.
    check : int64 array, [N]
        A quantity that both telescopes agree on: the trigger time in ns for data, the true energy for simulations.
    """

    run_id: Ints
    number: Ints
    check: Ints

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: Ints) -> EventKeys:
        """Return the keys of some events."""
        return EventKeys(self.run_id[rows], self.number[rows], self.check[rows])


@dataclass(frozen=True, slots=True)
class StereoMatch:
    """Rows of the first and of the second telescope that belong together, and how they were found.

    Attributes
    ----------
    first, second : int64 array, [N]
        Row numbers; ``first`` ascends.
    n_by_number, n_by_time : int
        Pairs found by their number, and by their time where the numbers of a run cannot be trusted.
    n_disagree : int
        Events of the first telescope whose number exists in the second, with another time (or true energy).
    """

    first: Ints
    second: Ints
    n_by_number: int
    n_by_time: int
    n_disagree: int


def backward_jumps(number: Ints) -> int:
    """Sum of all steps backwards in a sequence of event numbers, 0 for one that only grows."""
    steps = np.diff(number)
    return int(-steps[steps < 0].sum())


def join_events(first: EventKeys, second: EventKeys, *, tolerance: int) -> tuple[Ints, Ints]:
    """Pair the events of equal run and number whose check values agree.

    Parameters
    ----------
    first, second : EventKeys
        Events of the two telescopes, in any order, numbers may repeat.
    tolerance : int
        Largest difference of the check values.

    Returns
    -------
    rows_first, rows_second : int64 arrays
        Row numbers of the pairs, ``rows_first`` ascending. Every event is used at most once; where a number repeats,
        the pair with the closest check values comes first, then the earlier rows.
    """
    code_first, code_second, n_codes = _common_codes(first, second)
    n_first = np.bincount(code_first, minlength=n_codes)
    n_second = np.bincount(code_second, minlength=n_codes)
    row_first, row_second = np.zeros(n_codes, dtype=np.int64), np.zeros(n_codes, dtype=np.int64)
    row_first[code_first] = np.arange(len(first))
    row_second[code_second] = np.arange(len(second))

    once = np.flatnonzero((n_first == 1) & (n_second == 1))
    rows = np.stack([row_first[once], row_second[once]])
    pairs = [rows[:, np.abs(first.check[rows[0]] - second.check[rows[1]]) <= tolerance]]
    repeated = np.flatnonzero((n_first > 0) & (n_second > 0) & (n_first + n_second > 2))
    members_first, members_second = _members(code_first, repeated), _members(code_second, repeated)
    for rows_a, rows_b in zip(members_first, members_second, strict=True):
        pairs.append(_closest_pairs(rows_a, rows_b, first.check, second.check, tolerance))
    joined = np.concatenate(pairs, axis=1)
    joined = joined[:, np.argsort(joined[0], kind="stable")]
    return joined[0], joined[1]


def match_telescopes(first: EventKeys, second: EventKeys, *, tolerance: int, by_time: bool) -> StereoMatch:
    """Match two telescopes by number, and by time where the numbers of a run jump backwards by more than 100.

    Parameters
    ----------
    first, second : EventKeys
        Events of M1 and of M2; those of a run in the order they were taken.
    tolerance : int
        Largest difference of the check values.
    by_time : bool
        Whether the check value is a time, so that it can stand in for a broken number.

    Returns
    -------
    StereoMatch
    """
    rows_first, rows_second = join_events(first, second, tolerance=tolerance)
    n_by_number = len(rows_first)
    left_first = np.setdiff1d(np.arange(len(first)), rows_first)
    left_second = np.setdiff1d(np.arange(len(second)), rows_second)
    broken = _broken_runs(first, second) if by_time else np.empty(0, dtype=np.int64)
    if len(broken):
        again_first = left_first[np.isin(first.run_id[left_first], broken)]
        again_second = left_second[np.isin(second.run_id[left_second], broken)]
        found = join_events(
            _without_number(first.take(again_first)), _without_number(second.take(again_second)), tolerance=tolerance
        )
        rows_first = np.concatenate([rows_first, again_first[found[0]]])
        rows_second = np.concatenate([rows_second, again_second[found[1]]])
        order = np.argsort(rows_first, kind="stable")
        rows_first, rows_second = rows_first[order], rows_second[order]
        left_first = np.setdiff1d(left_first, rows_first)
    code_left, code_second, _ = _common_codes(first.take(left_first), second)
    return StereoMatch(
        first=rows_first,
        second=rows_second,
        n_by_number=n_by_number,
        n_by_time=len(rows_first) - n_by_number,
        n_disagree=int(np.isin(code_left, code_second).sum()),
    )


def rows_of_runs(number: Ints, n_runs: int) -> list[Ints] | None:
    """Tell the events of several runs in one file apart: they follow each other, and the numbers restart with each.

    Parameters
    ----------
    number : int64 array, [N]
        Stereo event numbers in the order of the file.
    n_runs : int
        How many runs the headers name.

    Returns
    -------
    list of int64 arrays or None
        Rows of each run, in the order of the headers; None when the numbers restart another number of times.
    """
    rows = np.arange(len(number))
    pieces = [rows] if n_runs == 1 else np.split(rows, np.flatnonzero(np.diff(number) < 0) + 1)
    return pieces if len(pieces) == n_runs else None


def unique_event_ids(run_id: Ints, number: Ints) -> Ints:
    """Make event ids unique within a run.

    Parameters
    ----------
    run_id, number : int64 array, [N]
        Run and stereo event number, in the order the events were taken.

    Returns
    -------
    int64 array, [N]
        The number itself; when it comes back k times, k x 2^32 is added, so that the counter's 32 bits stay readable.
    """
    order = np.lexsort((number, run_id))  # stable: repeats stay in the order they were taken
    same = (np.diff(run_id[order]) == 0) & (np.diff(number[order]) == 0)
    starts = np.flatnonzero(np.concatenate([[True], ~same]))[: len(order)]
    lengths = np.diff(np.append(starts, len(order)))
    nth = np.arange(len(order)) - np.repeat(starts, lengths)
    ids = np.empty(len(order), dtype=np.int64)
    ids[order] = number[order] + (nth << 32)
    return ids


def _common_codes(first: EventKeys, second: EventKeys) -> tuple[Ints, Ints, int]:
    """Number the distinct (run, number) keys of both telescopes together."""
    run = np.concatenate([first.run_id, second.run_id])
    number = np.concatenate([first.number, second.number])
    order = np.lexsort((number, run))
    new = (np.diff(run[order]) != 0) | (np.diff(number[order]) != 0)
    codes = np.zeros(len(run), dtype=np.int64)
    codes[order[1:]] = np.cumsum(new)
    n_codes = int(codes.max()) + 1 if len(codes) else 0
    return codes[: len(first)], codes[len(first) :], n_codes


def _members(codes: Ints, wanted: Ints) -> list[Ints]:
    """Rows that carry each of some codes."""
    order = np.argsort(codes, kind="stable")
    low = np.searchsorted(codes[order], wanted, side="left")
    high = np.searchsorted(codes[order], wanted, side="right")
    return [order[a:b] for a, b in zip(low, high, strict=True)]


def _closest_pairs(rows_a: Ints, rows_b: Ints, check_a: Ints, check_b: Ints, tolerance: int) -> Ints:
    """Pair rows with the closest check values, best first, each row once: [2, n]."""
    rows_b = rows_b[np.argsort(check_b[rows_b], kind="stable")]
    low = np.searchsorted(check_b[rows_b], check_a[rows_a] - tolerance, side="left")
    high = np.searchsorted(check_b[rows_b], check_a[rows_a] + tolerance, side="right")
    candidates = sorted(
        (abs(int(check_a[a]) - int(check_b[b])), int(a), int(b))
        for a, start, stop in zip(rows_a, low, high, strict=True)
        for b in rows_b[start:stop]
    )
    used_a: set[int] = set()
    used_b: set[int] = set()
    taken: list[tuple[int, int]] = []
    for _, a, b in candidates:
        if a not in used_a and b not in used_b:
            used_a.add(a)
            used_b.add(b)
            taken.append((a, b))
    return np.array(taken, dtype=np.int64).reshape(-1, 2).T


def _broken_runs(first: EventKeys, second: EventKeys) -> Ints:
    """Runs in which the numbers of a telescope jump back by more than can be trusted."""
    runs = np.unique(first.run_id)
    broken = [
        run
        for run in runs
        if any(backward_jumps(keys.number[keys.run_id == run]) > _TRUSTED_JUMPS for keys in (first, second))
    ]
    return np.array(broken, dtype=np.int64)


def _without_number(keys: EventKeys) -> EventKeys:
    return EventKeys(keys.run_id, np.zeros_like(keys.number), keys.check)
