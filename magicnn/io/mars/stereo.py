"""The events of both MARS files of a run in one table: pairs, cut flow, columns."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import SCHEMA
from magicnn.io.mars.files import MarsFile
from magicnn.io.mars.join import EventKeys, match_telescopes, unique_event_ids
from magicnn.io.mars.truth import shower_ids

__all__ = ["TELESCOPES", "TelescopeTable", "joined_columns", "pair_events"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]

TELESCOPES = ("M1", "M2")
_PER_TELESCOPE = tuple(name for name, spec in SCHEMA.items() if spec.shape == "telescope")


@dataclass(frozen=True, slots=True)
class TelescopeTable:
    """All kept events of one telescope, file after file.

    Attributes
    ----------
    source, row : int64 array, [N]
        File of each event, and its entry there.
    keys : EventKeys
        What the other telescope is joined by.
    columns : mapping of str to array, [N]
        Columns that all its files have.
    """

    source: Ints
    row: Ints
    keys: EventKeys
    columns: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, files: Sequence[MarsFile], telescope: int) -> TelescopeTable:
        """Put together the files of telescope 1 or 2."""
        mine = [(index, f) for index, f in enumerate(files) if f.telescope == telescope]
        names = [n for n in mine[0][1].columns if all(n in f.columns for _, f in mine)] if mine else []
        columns = {name: np.concatenate([f.columns[name] for _, f in mine]) for name in names}
        run_id, number = _stack([np.full(len(f.rows), f.run_id) for _, f in mine]), _stack([f.number for _, f in mine])
        if "time_utc_ns" in columns:
            check = columns["time_utc_ns"]
        elif "true_energy_gev" in columns:
            # one simulated shower has bit-equal energies in both files: whole keV tell showers apart
            check = np.rint(columns["true_energy_gev"] * 1e6).astype(np.int64)
        else:
            check = np.zeros(sum(len(f.rows) for _, f in mine), dtype=np.int64)
        return cls(
            source=_stack([np.full(len(f.rows), index) for index, f in mine]),
            row=_stack([f.rows for _, f in mine]),
            keys=EventKeys(run_id, number, check),
            columns=columns,
        )

    def pick(self, values: NDArray[Any], rows: Ints, missing: float = -1) -> NDArray[Any]:
        """Values of some rows, ``missing`` where the row is -1."""
        if not len(values):
            return np.full(len(rows), missing, dtype=values.dtype)
        return np.where(rows >= 0, values[rows], np.asarray(missing, dtype=values.dtype))


def _stack(parts: Sequence[NDArray[Any]]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts]).astype(np.int64, copy=False)


def pair_events(
    files: Sequence[MarsFile], tables: Sequence[TelescopeTable], tolerance_ns: int, mono_runs: set[int]
) -> tuple[Ints, dict[str, int]]:
    """Find the events.

    Parameters
    ----------
    files : sequence of MarsFile
        All files.
    tables : sequence of TelescopeTable
        Events of M1 and of M2.
    tolerance_ns : int
        Largest difference of the trigger times of a pair.
    mono_runs : set of int
        Runs of which only one telescope is given.

    Returns
    -------
    pairs : int64 array, [2, N]
        Rows in the two tables, -1 for a missing telescope.
    counts : dict
        Cut flow; per telescope, read = pedestal + other trigger + no stereo number + unmatched + alone + joined.

    Raises
    ------
    InputError
        A file of data has no times.
    """
    is_simulation = files[0].is_simulation
    for f in files:
        if not is_simulation and len(f.rows) and "time_utc_ns" not in f.columns:
            raise InputError(
                f"{f.path}: branch 'MTime.fMjd' is missing in tree 'Events'; without times the events of M1 and M2 "
                "cannot be joined"
            )
    keys = [t.keys for t in tables]
    match = match_telescopes(
        keys[0], keys[1], tolerance=0 if is_simulation else tolerance_ns, by_time=not is_simulation
    )
    pairs = [np.stack([match.first, match.second])]
    counts: dict[str, int] = defaultdict(int)
    for telescope, (name, table) in enumerate(zip(TELESCOPES, tables, strict=True)):
        for f in files:
            if f.telescope == telescope + 1:
                for reason, count in f.counts.items():
                    counts[f"{name} {reason}"] += count
        alone = np.flatnonzero(np.isin(table.keys.run_id, sorted(mono_runs)))
        rows = np.full((2, len(alone)), -1, dtype=np.int64)
        rows[telescope] = alone
        pairs.append(rows)
        if len(alone):
            counts[f"{name} alone"] = len(alone)
        counts[f"{name} unmatched"] = len(table.row) - len(alone) - len(match.first)
    counts["same number, other " + ("shower" if is_simulation else "time")] = match.n_disagree
    counts["joined by number"] = match.n_by_number
    counts["joined by time"] = match.n_by_time
    if match.n_disagree:
        _log.warning("%d events share their number but not their time or shower: not joined", match.n_disagree)
    joined = np.concatenate(pairs, axis=1)
    counts["events"] = joined.shape[1]
    return joined, dict(counts)


def joined_columns(tables: Sequence[TelescopeTable], pairs: Ints) -> dict[str, NDArray[Any]]:
    """Return the columns of the events, [N] or [N, T]: M1's where it is there, M2's where M1 is missing."""
    m1, m2 = tables
    has_m1 = pairs[0] >= 0

    def event_level(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
        return np.where(has_m1, m1.pick(first, pairs[0]), m2.pick(second, pairs[1]))

    run_id = event_level(m1.keys.run_id, m2.keys.run_id)
    number = event_level(m1.keys.number, m2.keys.number)
    available = [t.columns for t, rows in zip(tables, pairs, strict=True) if (rows >= 0).any()]
    columns: dict[str, NDArray[Any]] = {"run_id": run_id}
    for name in available[0]:
        if not all(name in c for c in available):
            continue
        first, second = (t.columns.get(name, available[0][name][:0]) for t in tables)
        if name in _PER_TELESCOPE:
            missing = -1.0 if SCHEMA[name].dtype.startswith("int") else np.nan
            columns[name] = np.stack([m1.pick(first, pairs[0], missing), m2.pick(second, pairs[1], missing)], axis=1)
        else:
            columns[name] = event_level(first, second)
    columns["event_id"] = _event_ids(run_id, number, columns)
    if "true_energy_gev" in columns:
        columns["shower_id"], nth_use = shower_ids(run_id, columns["true_energy_gev"])
        columns.setdefault("reuse_id", nth_use)
    return columns


def _event_ids(run_id: Ints, number: Ints, columns: Mapping[str, NDArray[Any]]) -> Ints:
    """Event numbers in the order of time, made unique."""
    order = np.argsort(columns["time_utc_ns"], kind="stable") if "time_utc_ns" in columns else np.arange(len(number))
    ids = np.empty(len(number), dtype=np.int64)
    ids[order] = unique_event_ids(run_id[order], number[order])
    return ids
