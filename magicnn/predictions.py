"""PredictionTable: what one method says about the events of one event set, and its file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError, nearest_names
from magicnn.events import SCHEMA, ColumnSpec, require_columns
from magicnn.hdf5 import created, opened, write_columns
from magicnn.runs import provenance
from magicnn.summary import column_table, html_page, range_lines, span, thrown_lines

__all__ = ["PREDICTION_COLUMNS", "PredictionTable", "join_predictions", "load_predictions"]

_FORMAT = "magicnn predictions"
_VERSION = 1

_OWN = {
    "gammaness": ColumnSpec("float64", "", "0 hadron-like to 1 gamma-like; 1 - hadronness of MARS"),
    "reco_energy_gev": ColumnSpec("float64", "GeV", "estimated energy"),
    "reco_energy_uncert_gev": ColumnSpec("float64", "GeV", "estimated standard deviation of the energy"),
    "reco_zenith_deg": ColumnSpec("float64", "deg", "zenith distance of the reconstructed direction"),
    "reco_azimuth_deg": ColumnSpec("float64", "deg", "azimuth of the reconstructed direction, north 0, east 90"),
    "theta2_deg2": ColumnSpec(
        "float64", "deg2", "squared angle of the reconstructed to the true direction", is_truth=True
    ),
    "size_min_pe": ColumnSpec("float64", "phe", "size of the fainter cleaned image of the event"),
    "true_impact_max_m": ColumnSpec(
        "float64", "m", "distance of the farther telescope to the shower axis", is_truth=True
    ),
    "matching_weight": ColumnSpec(
        "float64", "", "weight in the separation of the kinds, 0 where only one comes from; as `weight` when absent"
    ),
    "is_valid": ColumnSpec("bool", "", "passes the quality cuts, so that every method can be judged on it"),
}

PREDICTION_COLUMNS: Mapping[str, ColumnSpec] = MappingProxyType(
    {**_OWN, **{name: spec for name, spec in SCHEMA.items() if spec.shape == "event"}}
)
"""Every column that a prediction table may have."""


@dataclass(frozen=True, slots=True)
class PredictionTable:
    """Predictions of one method for the events of one event set, row by row.

    Attributes
    ----------
    method : str
        Name shown in reports, ``"CNN"``, ``"forest"``, ``"LUT"``.
    columns : mapping of str to array, [N]
        Names, dtypes and units of ``PREDICTION_COLUMNS``. ``run_id`` and ``event_id`` are always there;
        a quantity that the method does not estimate is absent or NaN.
    particle : str or None
        Particle of the event set, None for real data.
    generated : mapping
        What the production threw (`magicnn.generated.Generated`), empty for real data.
    meta : mapping
        Anything else worth keeping: model file, settings, cut flow.

    Raises
    ------
    InputError
        A column is unknown, of the wrong length, or an id is missing.
    """

    method: str
    columns: Mapping[str, NDArray[Any]]
    particle: str | None = None
    generated: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_columns(self.columns, ["run_id", "event_id"], where=f"predictions of {self.method}")
        n = len(self.columns["event_id"])
        columns = {}
        for name, values in self.columns.items():
            if name not in PREDICTION_COLUMNS:
                raise InputError(f"unknown prediction column {name!r}: {nearest_names(name, PREDICTION_COLUMNS)}")
            array = np.asarray(values, dtype=PREDICTION_COLUMNS[name].dtype)
            if array.shape != (n,):
                raise InputError(f"prediction column {name!r}: expected {n} values, got shape {array.shape}")
            columns[name] = array
        object.__setattr__(self, "columns", MappingProxyType(columns))

    def __len__(self) -> int:
        return len(self.columns["event_id"])

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column, [N], in the unit of ``PREDICTION_COLUMNS``."""
        require_columns(self.columns, [name], where=f"predictions of {self.method}")
        return self.columns[name]

    def select(self, which: NDArray[Any] | slice) -> PredictionTable:
        """Return the rows picked by a boolean mask, indices or a slice, in that order."""
        columns = {name: values[which] for name, values in self.columns.items()}
        return PredictionTable(self.method, columns, self.particle, self.generated, self.meta)

    def with_columns(self, **columns: NDArray[Any]) -> PredictionTable:
        """Return the same rows with columns added or replaced."""
        return PredictionTable(self.method, {**self.columns, **columns}, self.particle, self.generated, self.meta)

    def __reduce__(self) -> tuple[type[PredictionTable], tuple[Any, ...]]:
        # the read-only view of the columns cannot be pickled
        return PredictionTable, (self.method, dict(self.columns), self.particle, self.generated, self.meta)

    def save(self, path: Path | str) -> None:
        """Write the table to an HDF5 file: one dataset per column with ``unit`` and ``description``.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        with created(path, file_format=_FORMAT, version=_VERSION) as file:
            file.attrs["method"] = self.method
            file.attrs["particle"] = self.particle or ""
            file.attrs["generated"] = json.dumps(dict(self.generated), sort_keys=True)
            file.attrs["meta"] = json.dumps(dict(self.meta), sort_keys=True)
            file.attrs["provenance"] = json.dumps(provenance(), sort_keys=True)
            write_columns(file, "predictions", self.columns, PREDICTION_COLUMNS)

    def __repr__(self) -> str:
        return (
            f"PredictionTable({self.method}: {len(self)} {self.particle or 'real'} events, {', '.join(self.columns)})"
        )

    def _repr_html_(self) -> str:
        n_valid = f"{int(self['is_valid'].sum())} events" if "is_valid" in self else ""
        energy = span(self["reco_energy_gev"]) if "reco_energy_gev" in self else ""
        lines = [
            ("particle", self.particle or ""),
            ("pass the quality cuts", n_valid),
            ("gammaness", span(self["gammaness"]) if "gammaness" in self else ""),
            ("estimated energy", energy and f"{energy} GeV"),
            *range_lines(self.columns),
            *thrown_lines(self.generated),
        ]
        title = f"PredictionTable of {self.method}: {len(self)} events"
        return html_page(title, lines, column_table(self.columns, PREDICTION_COLUMNS))


def join_predictions(tables: Sequence[PredictionTable]) -> PredictionTable:
    """Put tables of one method for several files of real events together.

    Parameters
    ----------
    tables : sequence of PredictionTable
        One or more, without truth.

    Returns
    -------
    PredictionTable
        Rows in the order of the tables; columns that all of them have.

    Raises
    ------
    InputError
        There are no tables, methods or kinds of events are mixed, or an event is in two tables.
    """
    kinds = {(t.method, t.particle) for t in tables}
    if len(kinds) != 1 or (kind := next(iter(kinds)))[1] is not None:
        raise InputError(f"expected predictions of one method for real events, got {sorted(map(str, kinds)) or 'none'}")
    shared = [name for name in tables[0].columns if all(name in t for t in tables)]
    columns = {name: np.concatenate([t[name] for t in tables]) for name in shared}
    events, counts = np.unique(np.stack([columns["run_id"], columns["event_id"]]), axis=1, return_counts=True)
    if len(tables) > 1 and np.any(counts > 1):
        run, event = events[:, counts > 1][:, 0]
        raise InputError(
            f"event {event} of run {run} is in two prediction files of {kind[0]}; of the same real events give one per "
            "method"
        )
    return PredictionTable(kind[0], columns, meta=tables[0].meta)


def load_predictions(path: Path | str) -> PredictionTable:
    """Read a prediction file.

    Parameters
    ----------
    path : path
        File written by `PredictionTable.save` or ``magicnn predict``.

    Returns
    -------
    PredictionTable

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind, or written by a newer version.
    """
    with opened(path, "prediction file", file_format=_FORMAT, version=_VERSION) as file:
        return PredictionTable(
            method=str(file.attrs["method"]),
            columns={name: dataset[()] for name, dataset in file["predictions"].items()},
            particle=str(file.attrs["particle"]) or None,
            generated=json.loads(file.attrs["generated"]),
            meta=json.loads(file.attrs["meta"]),
        )
