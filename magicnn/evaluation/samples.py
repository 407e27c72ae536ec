"""The events that all methods are judged on, side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.evaluation.binning import Range, in_range
from magicnn.evaluation.same_events import on_the_same_events
from magicnn.generated import Generated
from magicnn.predictions import PredictionTable

__all__ = ["ROLES", "Role", "Sample", "align", "role_of"]

Floats = NDArray[np.float64]
Role = Literal["ring_gamma", "diffuse_gamma", "proton"]

ROLES: tuple[Role, ...] = ("ring_gamma", "diffuse_gamma", "proton")
"""Point-like gammas serve energy and rates, diffuse gammas against protons the classification."""

_METHOD_COLUMNS = (
    "gammaness",
    "reco_energy_gev",
    "reco_energy_uncert_gev",
    "reco_zenith_deg",
    "reco_azimuth_deg",
    "theta2_deg2",
)
_EVENT_COLUMNS = (
    "pointing_zenith_deg",
    "pointing_azimuth_deg",
    "true_energy_gev",
    "true_zenith_deg",
    "true_azimuth_deg",
    "weight",
    "matching_weight",
    "size_min_pe",
    "true_impact_max_m",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Events of one role, the same rows for every method.

    Attributes
    ----------
    role : {"ring_gamma", "diffuse_gamma", "proton"}
        What the events are for.
    shower : int64 array, [N]
        Number of the shower within this sample; re-uses share it.
    columns : mapping of str to float64 array, [N]
        Pointing, truth, weight, and size of the fainter image.
    predictions : mapping of method to mapping of str to float64 array, [N]
        What each method says; NaN where it says nothing.
    is_valid : mapping of method to bool array, [N]
        The method's own quality cuts.
    generated : tuple of Generated
        The productions that the events come from; empty when not known.
    estimates : mapping of method to frozenset of str
        Columns that the method's tables contain, finite or not.
    """

    role: Role
    shower: NDArray[np.int64]
    columns: Mapping[str, Floats]
    predictions: Mapping[str, Mapping[str, Floats]]
    is_valid: Mapping[str, NDArray[np.bool_]]
    generated: tuple[Generated, ...]
    estimates: Mapping[str, frozenset[str]]

    def __len__(self) -> int:
        return len(self.shower)

    def __repr__(self) -> str:
        return f"Sample({self.role}: {len(self)} events, judged by {', '.join(self.predictions) or 'no method'})"

    @property
    def weight(self) -> Floats:
        """Thrown events that each event stands for, [N]; 1 where the production says nothing."""
        stored = self.columns.get("weight", np.ones(len(self)))
        return np.where(np.isfinite(stored), stored, 1.0)

    @property
    def class_weight(self) -> Floats:
        """The weight in the separation of gammas and hadrons: 0 for events without a counterpart of the other kind."""
        stored = self.columns.get("matching_weight", self.weight)
        return np.where(np.isfinite(stored), stored, self.weight)

    def select(self, which: NDArray[np.bool_]) -> Sample:
        """Return the events of a mask; showers keep their numbers."""
        rows = np.flatnonzero(which)
        return Sample(
            self.role,
            self.shower[rows],
            {n: v[rows] for n, v in self.columns.items()},
            {m: {n: v[rows] for n, v in p.items()} for m, p in self.predictions.items()},
            {m: v[rows] for m, v in self.is_valid.items()},
            self.generated,
            self.estimates,
        )

    def in_zenith(self, zenith_range_deg: Range) -> Sample:
        """Return the events whose pointing lies in a zenith range, with showers numbered anew without gaps."""
        inside = self.select(in_range(self.columns["pointing_zenith_deg"], zenith_range_deg))
        return replace(inside, shower=np.unique(inside.shower, return_inverse=True)[1].astype(np.int64))

    def has(self, method: str, column: str) -> bool:
        """Tell whether a method has a finite value of a column for any event."""
        values = self.predictions.get(method, {}).get(column)
        return values is not None and bool(np.isfinite(values).any())

    def judged(self, methods: Sequence[str], column: str) -> NDArray[np.bool_]:
        """Return which events pass every method's quality cuts and have a value of every method named, [N]."""
        mask = np.ones(len(self), dtype=bool)
        for own in self.is_valid.values():
            mask &= own
        for method in methods:
            mask &= np.isfinite(self.predictions[method][column])
        return mask


def role_of(table: PredictionTable) -> Role | None:
    """Return what the events of a table are for; None for real data and for other particles."""
    particle = table.particle or ""
    if particle.startswith("proton"):
        return "proton"
    if not particle.startswith("gamma"):
        return None
    if table.generated:
        return "ring_gamma" if Generated.from_mapping(table.generated).is_point_source else "diffuse_gamma"
    return "diffuse_gamma" if "diffuse" in particle else "ring_gamma"


def align(predictions: Mapping[str, Sequence[PredictionTable]]) -> dict[Role, Sample]:
    """Put the predictions of all methods for the same events side by side.

    Parameters
    ----------
    predictions : mapping of method to sequence of PredictionTable
        Tables of the event sets, in any order; rows in any order. A method may lack a role altogether. Tables of
        real data are left out. Those of another program are put onto the events of the others first
        (`magicnn.evaluation.same_events`).

    Returns
    -------
    dict of role to Sample
        All three roles, without events where there are no tables.

    Raises
    ------
    InputError
        Methods do not have the same events of a role, an event occurs twice, or a needed column is missing.
    """
    together = on_the_same_events(predictions)
    return {role: _aligned(role, together) for role in ROLES}


def _aligned(role: Role, predictions: Mapping[str, Sequence[PredictionTable]]) -> Sample:
    by_method = {m: [t for t in tables if role_of(t) == role] for m, tables in sorted(predictions.items())}
    by_method = {m: tables for m, tables in by_method.items() if tables}
    productions = sorted({_production(t) for tables in by_method.values() for t in tables})
    reference: str | None = None
    ids = np.empty((0, 3), dtype=np.int64)
    columns: dict[str, Floats] = {n: np.empty(0) for n in _EVENT_COLUMNS}
    shower = np.empty(0, dtype=np.int64)
    said: dict[str, dict[str, Floats]] = {}
    valid: dict[str, NDArray[np.bool_]] = {}
    estimates: dict[str, frozenset[str]] = {}
    for method, tables in by_method.items():
        own = np.concatenate([_event_ids(t, productions) for t in tables])
        order = np.lexsort(own.T[::-1])
        own = own[order]
        twice = np.flatnonzero(np.all(own[1:] == own[:-1], axis=1))
        if len(twice):
            run, event = own[twice[0], 1:]
            raise InputError(f"predictions of {method}: {role} event {event} of run {run} is there twice")
        if reference is None:
            reference, ids = method, own
            columns = dict.fromkeys(_EVENT_COLUMNS, np.full(len(own), np.nan))
            shower = _shower_numbers(tables, productions, order)
        elif not np.array_equal(own, ids):
            raise InputError(_difference(role, reference, ids, method, own))
        for name in _EVENT_COLUMNS:
            if not np.isfinite(columns[name]).any():  # of the event, whichever table has it
                columns[name] = _joined(tables, name, order)
        estimates[method] = frozenset(n for n in _METHOD_COLUMNS if any(n in t for t in tables))
        said[method] = {n: _joined(tables, n, order) for n in _METHOD_COLUMNS}
        valid[method] = np.concatenate([t["is_valid"] if "is_valid" in t else np.ones(len(t), bool) for t in tables])[
            order
        ]
    if len(ids) and not np.isfinite(columns["pointing_zenith_deg"]).all():
        raise InputError(f"predictions of {reference}: {role} events without pointing_zenith_deg cannot be binned")
    known = [p for p in (json.loads(text) for text, _ in productions) if p]
    generated = tuple(Generated.from_mapping(p) for p in known) if len(known) == len(productions) else ()
    return Sample(role, shower, columns, said, valid, generated, estimates)


def _production(table: PredictionTable) -> tuple[str, str]:
    return json.dumps(dict(table.generated), sort_keys=True), table.particle or ""


def _event_ids(table: PredictionTable, productions: list[tuple[str, str]]) -> NDArray[np.int64]:
    number = np.full(len(table), productions.index(_production(table)), dtype=np.int64)
    return np.stack([number, table["run_id"], table["event_id"]], axis=1)


def _joined(tables: Sequence[PredictionTable], name: str, order: NDArray[Any]) -> Floats:
    parts = [np.asarray(t[name], dtype=np.float64) if name in t else np.full(len(t), np.nan) for t in tables]
    joined: Floats = np.concatenate(parts)[order]
    return joined


def _shower_numbers(
    tables: Sequence[PredictionTable], productions: list[tuple[str, str]], order: NDArray[Any]
) -> NDArray[np.int64]:
    """Number showers through all productions; events without a shower number count as one shower each."""
    keys = []
    for table in tables:
        key = _event_ids(table, productions)
        if "shower_id" in table:
            key[:, 2] = table["shower_id"]
        keys.append(key)
    numbers = np.unique(np.concatenate(keys)[order], axis=0, return_inverse=True)[1]
    return numbers.ravel().astype(np.int64)


def _difference(role: Role, first: str, first_ids: NDArray[Any], second: str, second_ids: NDArray[Any]) -> str:
    a, b = ({tuple(row) for row in ids.tolist()} for ids in (first_ids, second_ids))
    return (
        f"predictions of {first} and {second} are not for the same {role} events: "
        f"{len(a - b)} only in {first}, {len(b - a)} only in {second}, {len(a & b)} in both; "
        "predict with both methods on the same event sets"
    )
