"""Predictions as a flat ROOT tree that joins the events of a MARS file: row by row, or by run and event number."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.io.mars.join import rows_of_runs, unique_event_ids
from magicnn.io.root.files import RootFile, open_root
from magicnn.predictions import PREDICTION_COLUMNS, PredictionTable
from magicnn.runs import atomic_path

__all__ = ["TREE", "write_friend", "write_friends"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]

TREE = "magicnn"
"""Name of the tree."""

_SUFFIXES = ("", "_1", "_2")  # star, superstar and melibea: which telescope's header


def write_friend(table: PredictionTable, output: Path | str, *, like: Path | None = None) -> Path:
    """Write predictions as a ROOT tree.

    Parameters
    ----------
    table : PredictionTable
        The predictions.
    output : path
        ROOT file; an existing one is replaced.
    like : Path, optional
        MARS file whose tree ``Events`` the rows shall follow, entry by entry.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        Run and event numbers repeat, ``like`` is not a MARS file of these runs, or the file cannot be written.

    Notes
    -----
    One branch per column, under its name, and ``hadronness`` = 1 - gammaness as MARS counts it. ``has_prediction`` is
    0 for entries of ``like`` without a prediction; their numbers are NaN, their ids -1 but for run and event.
    """
    import uproot

    target = Path(output)
    columns = dict(table.columns)
    if len(np.unique(np.stack([columns["run_id"], columns["event_id"]]), axis=1).T) != len(table):
        raise InputError(f"predictions of {table.method}: run and event numbers repeat, no tree can be keyed by them")
    rows = np.arange(len(table))
    if like is not None:
        run_id, event_id = _events_of(like, columns["run_id"])
        rows = _rows_of(run_id, event_id, columns["run_id"], columns["event_id"])
        if not (rows >= 0).any():
            raise InputError(f"{like}: none of its {len(rows)} events is among the {len(table)} predictions")
        columns = {name: _picked(values, rows) for name, values in columns.items()}
        columns |= {"run_id": run_id, "event_id": event_id}
        _log.info("%d of %d events of %s have a prediction", (rows >= 0).sum(), len(rows), like)
    columns["has_prediction"] = rows >= 0
    if "gammaness" in columns:
        columns["hadronness"] = 1.0 - columns["gammaness"]
    with atomic_path(target) as partial, uproot.recreate(partial) as file:
        title = f"predictions of {table.method} by magicnn"
        tree = file.mktree(TREE, {name: values.dtype for name, values in columns.items()}, title=title)
        tree.extend(columns)
        units = {name: PREDICTION_COLUMNS[name].unit for name in table.columns}
        file["units"] = "\n".join(f"{name} {unit or '1'}" for name, unit in units.items())
    return target


def write_friends(table: PredictionTable, output: Path | str, *, like: Sequence[Path]) -> list[Path]:
    """Write a tree for each of several MARS files.

    Parameters
    ----------
    table : PredictionTable
        The predictions.
    output : path
        Folder to write, which must not be there yet; it appears when all files are complete.
    like : sequence of Path
        MARS files of different names.

    Returns
    -------
    list of Path
        The files, ``NAME_magicnn.root`` for ``NAME.root``.

    Raises
    ------
    InputError
        As `write_friend`, names repeat, or the folder is there already.
    """
    target = Path(output)
    names = [f"{path.stem}_{TREE}.root" for path in like]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InputError(f"{like[i]}: another file to follow has the same name; write its tree apart")
    if target.exists():
        raise InputError(f"{target}: is there already; several trees are written into a new folder")
    with atomic_path(target) as folder:
        folder.mkdir()
        for name, path in zip(names, like, strict=True):
            write_friend(table, folder / name, like=path)
    return [target / name for name in names]


def _picked(values: NDArray[Any], rows: Ints) -> NDArray[Any]:
    """Rows of a column, and what says missing where the row is -1."""
    missing = {"f": np.nan, "b": False}.get(values.dtype.kind, -1)
    if not len(values):
        return np.full(len(rows), missing, dtype=values.dtype)
    return np.where(rows >= 0, values[rows], np.asarray(missing, dtype=values.dtype))


def _rows_of(run_id: Ints, event_id: Ints, table_run: Ints, table_event: Ints) -> Ints:
    """Row in the table of each event, -1 for those that are not there."""
    keys = np.concatenate([np.stack([table_run, table_event]), np.stack([run_id, event_id])], axis=1)
    _, codes = np.unique(keys, axis=1, return_inverse=True)
    codes = codes.reshape(-1)
    row_of = np.full(codes.max() + 1, -1, dtype=np.int64)
    row_of[codes[: len(table_run)]] = np.arange(len(table_run))
    return row_of[codes[len(table_run) :]]


def _events_of(path: Path, table_runs: Ints) -> tuple[Ints, Ints]:
    """Run and event number of every entry of a MARS file."""
    with open_root(path) as file:
        events = file.tree("Events")
        names = [f"MRawEvtHeader{s}.fStereoEvtNumber" for s in _SUFFIXES]
        present = [name for name in names if name in events]
        number = events.scalars(present[0] if present else names[0]).astype(np.int64)
        runs = _runs_of(file)
    if not len(number):
        raise InputError(f"{path}: tree 'Events' has no events")
    if len(runs) == 0:
        runs = np.unique(table_runs)
    pieces = rows_of_runs(number, len(runs))
    if pieces is None:
        raise InputError(
            f"{path}: events of {len(runs)} runs, and nothing says which event is of which, since the event numbers do "
            "not restart with each; give a file of one run, or write the tree without --like and join it by number"
        )
    run_id = np.repeat(runs, [len(rows) for rows in pieces])
    return run_id, unique_event_ids(run_id, number)


def _runs_of(file: RootFile) -> Ints:
    """Return the run numbers that the headers name, in their order; empty when there are none."""
    headers = file.optional_tree("RunHeaders")
    for suffix in _SUFFIXES:
        name = f"MRawRunHeader{suffix}.fRunNumber"
        if headers is not None and name in headers:
            said = headers.scalars(name).astype(np.int64)
            return said[np.sort(np.unique(said, return_index=True)[1])]
    return np.empty(0, dtype=np.int64)
