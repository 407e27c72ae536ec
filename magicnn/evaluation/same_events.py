"""Methods of other programs on the events of ours: joined by run and event number, what has no partner counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import SCHEMA
from magicnn.predictions import PREDICTION_COLUMNS, PredictionTable

__all__ = ["on_the_same_events"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]

_SAID = tuple(n for n in PREDICTION_COLUMNS if n not in SCHEMA and n != "matching_weight")
_SAME_ENERGY = 1e-4  # relative; MARS keeps true energies as float32


def on_the_same_events(
    predictions: Mapping[str, Sequence[PredictionTable]],
) -> dict[str, Sequence[PredictionTable]]:
    """Put tables that another program made onto the events of the other methods.

    Parameters
    ----------
    predictions : mapping of method to sequence of PredictionTable
        Tables whose ``meta`` says ``joined_by_event`` hold what another program (MARS) kept of the events. They are
        left as they are when there are no others.

    Returns
    -------
    dict of method to sequence of PredictionTable
        Those tables with the rows of the others: an event that the program did not keep says nothing (NaN) and is not
        valid, so that all methods are judged on events that all of them have. Events that only it has are left out.
        Both are counted in the log.

    Raises
    ------
    InputError
        An event occurs twice, or the same run and event number has another true energy.
    """
    own = {m: tables for m, tables in predictions.items() if not any(map(_is_joined, tables))}
    foreign = {m: tables for m, tables in predictions.items() if m not in own and tables}
    if not foreign or not any(own.values()):
        return dict(predictions)
    reference = _distinct([table for method in sorted(own) for table in own[method]])
    return own | {method: _placed(method, tables, reference) for method, tables in foreign.items()}


def _is_joined(table: PredictionTable) -> bool:
    return bool(table.meta.get("joined_by_event"))


def _distinct(tables: Sequence[PredictionTable]) -> list[PredictionTable]:
    """One table for each set of events, whatever the number of methods that have it."""
    found: dict[tuple[Any, ...], PredictionTable] = {}
    for table in tables:
        events = _keys(table)[np.lexsort(_keys(table).T)]
        found.setdefault((table.particle, str(dict(table.generated)), events.tobytes()), table)
    return list(found.values())


def _keys(table: PredictionTable) -> Ints:
    return np.stack([table["run_id"], table["event_id"]], axis=1)


def _placed(
    method: str, tables: Sequence[PredictionTable], reference: Sequence[PredictionTable]
) -> list[PredictionTable]:
    """Rows of the reference tables with what a program says of them."""
    placed, used = [], 0
    for base in reference:
        same = [t for t in tables if _species(t) == _species(base)]
        if not same:
            continue
        keys = np.concatenate([_keys(t) for t in same])
        row = _rows(method, keys, _keys(base))
        has = row >= 0
        _require_same_energy(method, same, base, row)
        columns = {name: values for name, values in base.columns.items() if name not in _SAID}
        for name in (n for n in _SAID if any(n in t for t in same)):
            values = np.concatenate([np.asarray(t[name]) if name in t else _nothing(name, len(t)) for t in same])
            picked = _nothing(name, len(base))
            picked[has] = values[row[has]]
            columns[name] = picked
        columns.setdefault("is_valid", has)
        placed.append(PredictionTable(method, columns, base.particle, base.generated, same[0].meta))
        used += int(has.sum())
        _log.info("%s: %d of %d %s events of the other methods", method, has.sum(), len(base), base.particle or "real")
    left = sum(map(len, tables)) - used
    if left:
        _log.warning("%s: %d events that no other method has are left out", method, left)
    return placed


def _species(table: PredictionTable) -> str:
    """What the events are of: diffuse gammas may be called gammas where the view cone is not known."""
    return (table.particle or "").split("_")[0]


def _nothing(name: str, n: int) -> NDArray[Any]:
    return np.zeros(n, dtype=bool) if name == "is_valid" else np.full(n, np.nan)


def _rows(method: str, keys: Ints, wanted: Ints) -> Ints:
    """Row of each wanted run and event number, -1 where there is none."""
    codes = np.unique(np.concatenate([keys, wanted]), axis=0, return_inverse=True)[1].ravel()
    row_of = np.full(len(codes), -1, dtype=np.int64)
    own = codes[: len(keys)]
    twice = np.flatnonzero(np.bincount(own) > 1)
    if len(twice):
        run, event = keys[np.flatnonzero(own == twice[0])[0]]
        raise InputError(f"predictions of {method}: event {event} of run {run} is there twice")
    row_of[own] = np.arange(len(keys))
    return row_of[codes[len(keys) :]]


def _require_same_energy(method: str, tables: Sequence[PredictionTable], base: PredictionTable, row: Ints) -> None:
    """Make sure that equal numbers mean equal events."""
    name = "true_energy_gev"
    has = row >= 0
    if name not in base or not all(name in t for t in tables) or not has.any():
        return
    theirs, ours = np.concatenate([t[name] for t in tables])[row[has]], base[name][has]
    differ = np.abs(theirs - ours) > _SAME_ENERGY * ours
    if differ.any():
        run, event = _keys(base)[has][differ][0]
        raise InputError(
            f"predictions of {method} and {base.method} are of other simulations: event {event} of run {run} has "
            f"{theirs[differ][0]:g} GeV in one and {ours[differ][0]:g} GeV in the other "
            f"({differ.sum()} of {has.sum()} common events differ)"
        )
