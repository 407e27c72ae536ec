"""Predictions of any algorithm in ctapipe's DL2 files, as prediction tables that can be compared with ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import separation_deg
from magicnn.errors import ConfigError, InputError, nearest_names
from magicnn.io.ctapipe.dl2 import DL2, PREFIXES
from magicnn.io.ctapipe.events import (
    LAYOUT,
    SHOWER,
    TRIGGER,
    generated_of,
    refuse_twice,
    run_settings,
    shower_truth,
)
from magicnn.io.ctapipe.pointing import pointing_of
from magicnn.io.ctapipe.tables import CtapipeFile, CtapipeTable, event_keys, open_ctapipe, positions
from magicnn.io.mars.truth import merge_generated, particle_name
from magicnn.io.sanity import folded
from magicnn.predictions import PredictionTable

__all__ = ["dl2_methods", "methods_of", "read_dl2"]

Ints = NDArray[np.int64]


def dl2_methods(path: Path) -> list[str]:
    """Return the methods of which a file has energies or gammanesses.

    Returns
    -------
    list of str
        ``"RandomForest"`` for tables called ``RandomForestRegressor`` and ``RandomForestClassifier``.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    with open_ctapipe(path) as file:
        return methods_of(file)


def methods_of(file: CtapipeFile) -> list[str]:
    """Return the same of an open file."""
    found = [
        name.removesuffix(PREFIXES[kind])
        for kind in ("energy", "particle_type")
        for name in file.children(f"{DL2}/{kind}")
    ]
    return list(dict.fromkeys(found))


def read_dl2(path: Path, method: str | None = None) -> PredictionTable:
    """Read what one method says about the events of a ctapipe file.

    Parameters
    ----------
    path : Path
        File with DL2 tables, written by ctapipe or by `magicnn.io.ctapipe.dl2.write_dl2`.
    method : str, optional
        One of `dl2_methods`; may be left out when there is only one.

    Returns
    -------
    PredictionTable
        Every triggered event, with pointing and truth where the file has them. The direction is that of the method's
        own ``Reconstructor``, else that of the only one in the file. ``is_valid`` is true where all tables used say so.

    Raises
    ------
    InputError
        The file is damaged or has no predictions.
    ConfigError
        There is no such method, or several and none was chosen.
    """
    with open_ctapipe(path) as file:
        chosen = _choose(file, method)
        trigger = file.table(TRIGGER)
        keys = event_keys(trigger)
        refuse_twice(keys, f"{path}: table {TRIGGER}")
        time = trigger.column("time")
        columns: dict[str, NDArray[Any]] = {"run_id": keys[:, 0], "event_id": keys[:, 1]}
        if (time > 0).any():
            columns["time_utc_ns"] = time
        columns |= _predictions(file, chosen, keys)
        columns |= _pointing(file, keys, time)
        generated: dict[str, Any] = {}
        particle = None
        if SHOWER in file:
            truth, is_known = shower_truth(file, keys)
            columns = {name: values[is_known] for name, values in (columns | truth).items()}
            if "pointing_zenith_deg" in columns:
                runs = generated_of(run_settings(file), columns, where=str(path))
                generated = merge_generated([(path, part) for _, part in runs])
            cone = generated.get("viewcone_max_deg", 0.0) - generated.get("viewcone_min_deg", 0.0)
            particle = particle_name(columns["true_particle"], viewcone_deg=cone)
            if "reco_zenith_deg" in columns:
                names = [f"{which}_{angle}_deg" for which in ("reco", "true") for angle in ("zenith", "azimuth")]
                columns["theta2_deg2"] = separation_deg(*(columns[name] for name in names)) ** 2
    return PredictionTable(chosen, columns, particle=particle, generated=generated, meta={"source_file": str(path)})


def _choose(file: CtapipeFile, method: str | None) -> str:
    methods = methods_of(file)
    if not methods:
        raise InputError(
            f"{file.path}: there are no predictions ({DL2}/energy, {DL2}/particle_type) in this ctapipe file"
        )
    if method is None and len(methods) > 1:
        raise ConfigError(
            f"{file.path}: predictions of several methods, {', '.join(methods)}; choose one, such as "
            f"{file.path}::{methods[0]}"
        )
    if method is not None and method not in methods:
        raise ConfigError(f"{file.path}: no predictions of {method!r}; {nearest_names(method, methods)}")
    return method or methods[0]


def _table(file: CtapipeFile, kind: str, method: str) -> tuple[str, CtapipeTable] | None:
    """Table of a method, of the only reconstruction when it has no direction of its own."""
    there = file.children(f"{DL2}/{kind}")
    for name in (f"{method}{PREFIXES[kind]}", method):
        if name in there:
            return name, file.table(f"{DL2}/{kind}/{name}")
    if kind == "geometry" and len(there) == 1:
        return there[0], file.table(f"{DL2}/{kind}/{there[0]}")
    return None


def _predictions(file: CtapipeFile, method: str, keys: Ints) -> dict[str, NDArray[Any]]:
    wanted: Mapping[str, dict[str, tuple[str, str]]] = {
        "energy": {"reco_energy_gev": ("energy", "GeV"), "reco_energy_uncert_gev": ("energy_uncert", "GeV")},
        "particle_type": {"gammaness": ("prediction", "")},
        "geometry": {"reco_zenith_deg": ("alt", "deg"), "reco_azimuth_deg": ("az", "deg")},
    }
    columns: dict[str, NDArray[Any]] = {}
    valid = np.ones(len(keys), dtype=np.bool_)
    for kind, fields in wanted.items():
        found = _table(file, kind, method)
        if found is None:
            continue
        prefix, table = found
        present = event_keys(table)
        refuse_twice(present, f"{file.path}: table {table.name}")
        rows = positions(keys, present)
        for name, (field, unit) in fields.items():
            if f"{prefix}_{field}" in table:
                values = np.append(table.column(f"{prefix}_{field}", unit).astype(np.float64), np.nan)
                columns[name] = values[rows]  # the row -1 is the NaN
        if f"{prefix}_is_valid" in table:
            valid &= np.append(table.column(f"{prefix}_is_valid").astype(np.bool_), False)[rows]
    if "reco_zenith_deg" in columns:
        columns["reco_zenith_deg"] = 90.0 - columns["reco_zenith_deg"]
        columns["reco_azimuth_deg"] = folded(columns["reco_azimuth_deg"])
    return {**columns, "is_valid": valid}


def _pointing(file: CtapipeFile, keys: Ints, time: Ints) -> dict[str, NDArray[np.float64]]:
    """Pointing of the array; none when the file does not say it, since predictions can do without."""
    tel_ids = file.table(LAYOUT).column("tel_id").tolist()
    try:
        return pointing_of(file, tel_ids, keys, time)
    except InputError:
        return {}
