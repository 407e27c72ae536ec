"""Predictions as ctapipe DL2: into a copy of the events' ctapipe file, or into a new file around them."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import ConfigError, InputError, known_name, nearest_names
from magicnn.events import SCHEMA, EventMeta
from magicnn.hdf5 import one_line
from magicnn.io.ctapipe.events import LAYOUT, TRIGGER
from magicnn.io.ctapipe.new import event_index, write_events
from magicnn.io.ctapipe.tables import CtapipeFile, event_keys, open_ctapipe, positions
from magicnn.io.ctapipe.writer import Column, describe_product, write_table
from magicnn.io.formats import recognise
from magicnn.predictions import PredictionTable
from magicnn.runs import atomic_path

__all__ = ["DL2", "PREFIXES", "write_dl2"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DL2 = "/dl2/event/subarray"
"""Group of the stereo predictions."""

PREFIXES = {"energy": "Regressor", "particle_type": "Classifier", "geometry": "Reconstructor"}
"""What is added to the name of a method for each kind of table: with one prefix for several kinds ctapipe's TableLoader
would rename their columns ``is_valid``."""

_GEOMETRY_UNKNOWN = {
    **dict.fromkeys(("alt_uncert", "az_uncert", "ang_distance_uncert"), "deg"),
    **dict.fromkeys(("core_x", "core_y", "core_uncert_x", "core_uncert_y"), "m"),
    **dict.fromkeys(("core_tilted_x", "core_tilted_y", "core_tilted_uncert_x", "core_tilted_uncert_y"), "m"),
    **dict.fromkeys(("h_max", "h_max_uncert"), "m"),
    "average_intensity": "",
    "goodness_of_fit": "",
}


def write_dl2(
    tables: Sequence[PredictionTable], output: Path | str, *, like: Path | None = None, camera: str | None = None
) -> Path:
    """Write predictions as tables of ctapipe's data model.

    Parameters
    ----------
    tables : sequence of PredictionTable
        One per method, all of the same events.
    output : path
        HDF5 file to write; it must not exist.
    like : Path, optional
        What the predictions were made from: a ctapipe file, of which a copy gets them; or an event set, around whose
        events a new file is written. When not given, a new file around the events of the first table, as seen by both
        MAGIC telescopes.
    camera : str, optional
        Name of the camera whose images the predictions were made from, for a ctapipe file with several.

    Returns
    -------
    Path
        ``output``.

    Raises
    ------
    InputError
        The output exists or cannot be written, the predictions are of other events, a method is in the file already,
        or there is nothing to write.
    ConfigError
        There is no such camera, or several cameras and none was chosen.

    Notes
    -----
    The predictions of a method ``CNN`` are in ``energy/CNNRegressor``, ``particle_type/CNNClassifier`` and
    ``geometry/CNNReconstructor``, one row per triggered event in the order of the file, as ctapipe wants it. A value
    that is not known is NaN and not valid; ``is_valid`` also wants the quality cuts passed where the table has them.
    """
    target = Path(output)
    if target.exists():
        raise InputError(f"{target} is there already; give another --output")
    names = [prefix_of(table) for table in tables]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two tables of predictions would both be called {name!r}; give one of them")
    kind = recognise(like).kind if like is not None else None
    if kind not in (None, "ctapipe", "eventset"):
        raise InputError(
            f"{like}: predictions can follow a ctapipe file or an event set, this is a file of kind {kind!r}"
        )
    with atomic_path(target) as partial:
        if like is not None and kind == "ctapipe":
            shutil.copyfile(like, partial)
            partial.chmod(0o644)
        else:
            _write_new(tables[0], partial, like)
        for table, name in zip(tables, names, strict=True):
            _add(table, name, partial, like or target, camera)
    return target


def prefix_of(table: PredictionTable) -> str:
    """Return the name of a method as it may stand in names of columns."""
    name = re.sub(r"\W+", "_", table.method).strip("_")
    return f"_{name}" if name[:1].isdigit() or not name else name


def _write_new(table: PredictionTable, path: Path, like: Path | None) -> None:
    """Write a file around the events of an event set, or of the predictions themselves."""
    if like is None:
        columns = {name: values for name, values in table.columns.items() if name in SCHEMA}
        meta = EventMeta(
            particle=table.particle,
            production=f"predictions of {table.method}",
            is_simulation="true_energy_gev" in columns,
            generated=table.generated,
        )
        has_image = np.ones((len(table), len(meta.telescopes)), dtype=np.bool_)
    else:
        from magicnn.io.eventset.reader import EventSet

        with EventSet(like) as events:
            meta = events.meta
            columns = {name: values for name, values in events.columns().items() if values.ndim == 1}
            has_image = np.concatenate([np.isfinite(batch.charge).any(axis=2) for batch in events.batches()])
    with _opened(path, "w") as file:
        write_events(file, meta, columns, has_image)


def _add(table: PredictionTable, name: str, path: Path, where: Path, camera: str | None) -> None:
    """Add the tables of one method to a file."""
    with open_ctapipe(path) as file:
        trigger = file.table(TRIGGER)
        keys = event_keys(trigger)
        seen = trigger.column("tels_with_trigger").astype(np.bool_) & _with_camera(file, camera, where)
        index = [trigger.column(key) for key in ("obs_id", "event_id")]
        for kind, suffix in PREFIXES.items():
            if f"{DL2}/{kind}/{name}{suffix}" in file:
                raise InputError(f"{where}: has predictions called {name}{suffix} already")
    rows = _rows_of(table, keys, where)
    written = _tables_of(table, name, rows, seen)
    if not written:
        raise InputError(f"predictions of {table.method}: neither an energy nor a gammaness nor a direction in them")
    with _opened(path, "a") as file:
        ids = [Column(c.name, v, description=c.description) for c, v in zip(_INDEX, index, strict=True)]
        for kind, columns in written.items():
            write_table(file, f"{DL2}/{kind}/{name}{PREFIXES[kind]}", [*ids, *columns])
        describe_product(file, levels=["DL2"])


def _with_camera(file: CtapipeFile, camera: str | None, where: Path) -> Bools:
    """Which telescopes of the array have the camera, in the order of ctapipe's masks."""
    names = [name.decode() for name in file.table(LAYOUT).column("camera_name").tolist()]
    there = sorted(set(names))
    if camera is None and len(there) > 1:
        raise ConfigError(
            f"{where}: telescopes with several cameras, {', '.join(there)}; say with --camera which one the "
            "predictions were made from"
        )
    found = known_name(camera, there) if camera is not None else None
    if camera is not None and found is None:
        raise ConfigError(f"{where}: no camera {camera!r}; {nearest_names(camera, there)}")
    return np.array([found in (None, name) for name in names])


_INDEX = event_index({name: np.empty(0, dtype=np.int64) for name in ("run_id", "event_id")})


def _rows_of(table: PredictionTable, keys: Ints, where: Path) -> Ints:
    """Row of the predictions for every event, -1 where there is none."""
    own = np.stack([table["run_id"], table["event_id"]], axis=1)
    if len(np.unique(own, axis=0)) != len(own):
        raise InputError(f"predictions of {table.method}: an event is in them twice, so they cannot follow {where}")
    rows = positions(keys, own)
    n_found = int((rows >= 0).sum())
    if not n_found:
        raise InputError(
            f"predictions of {table.method}: none of their {len(own)} events is among the {len(keys)} of {where}"
        )
    _log.info("%s: %d of %d events have predictions of %s", where, n_found, len(keys), table.method)
    if n_found < len(own):
        _log.warning(
            "%d predictions of %s are of events that %s does not have", len(own) - n_found, table.method, where
        )
    return rows


def _tables_of(table: PredictionTable, name: str, rows: Ints, seen: Bools) -> dict[str, list[Column]]:
    """Columns of each kind of table that the predictions can fill."""

    def at_events(column: str, factor: float = 1.0) -> NDArray[np.float64]:
        values = table[column].astype(np.float64) if column in table else np.full(len(table), np.nan)
        return np.where(rows >= 0, values[rows] * factor, np.nan)

    passes = table["is_valid"][rows] if "is_valid" in table else np.ones(len(rows), dtype=np.bool_)

    def column(kind: str, field: str, values: NDArray[Any], unit: str = "", description: str = "") -> Column:
        return Column(f"{name}{PREFIXES[kind]}_{field}", values, unit, description, field)

    def ending(kind: str, is_known: Bools) -> list[Column]:
        valid = is_known & passes & (rows >= 0)
        return [
            column(kind, "is_valid", valid, description="true if known, and the quality cuts are passed"),
            column(kind, "telescopes", seen & is_known[:, None], description="Telescopes used if stereo"),
        ]

    unknown = np.full(len(rows), np.nan)
    written: dict[str, list[Column]] = {}
    if "reco_energy_gev" in table:
        energy = at_events("reco_energy_gev", 1e-3)
        uncertainty = at_events("reco_energy_uncert_gev", 1e-3)
        written["energy"] = [
            column("energy", "energy", energy, "TeV", "reconstructed energy"),
            column("energy", "energy_uncert", uncertainty, "TeV", "reconstructed energy uncertainty"),
            column("energy", "goodness_of_fit", unknown),
            *ending("energy", np.isfinite(energy)),
        ]
    if "gammaness" in table:
        gammaness = at_events("gammaness")
        written["particle_type"] = [
            column("particle_type", "prediction", gammaness, description="0 hadron-like to 1 gamma-like"),
            column("particle_type", "goodness_of_fit", unknown),
            *ending("particle_type", np.isfinite(gammaness)),
        ]
    if "reco_zenith_deg" in table and "reco_azimuth_deg" in table:
        zenith, azimuth = at_events("reco_zenith_deg"), at_events("reco_azimuth_deg")
        written["geometry"] = [
            column("geometry", "alt", 90.0 - zenith, "deg", "reconstructed altitude"),
            column("geometry", "az", azimuth, "deg", "reconstructed azimuth"),
            *(column("geometry", field, unknown, unit) for field, unit in _GEOMETRY_UNKNOWN.items()),
            *ending("geometry", np.isfinite(zenith) & np.isfinite(azimuth)),
        ]
    return written


def _opened(path: Path, mode: str) -> Any:
    import tables

    try:
        return tables.open_file(str(path), mode)
    except (tables.HDF5ExtError, OSError) as error:
        raise InputError(f"{path}: cannot be written ({one_line(error)})") from error
