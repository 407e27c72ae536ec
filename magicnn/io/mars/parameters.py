"""Image and stereo parameters and the predictions of MARS, from star, superstar and melibea files."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import separation_deg
from magicnn.errors import InputError
from magicnn.events import EventMeta
from magicnn.images.features import FeatureTable
from magicnn.io.base import damage_told
from magicnn.io.mars.containers import (
    energy_estimate,
    gammaness,
    image_columns,
    in_camera,
    stereo_angle,
    stereo_columns,
)
from magicnn.io.mars.files import MarsFile, read_mars_file
from magicnn.io.mars.names import LEVELS
from magicnn.io.mars.runs import check_together, events_meta, in_order, runs_without_partner
from magicnn.io.mars.stereo import TelescopeTable, joined_columns, pair_events
from magicnn.io.root.files import RootTree, open_root
from magicnn.io.sanity import possible_events
from magicnn.predictions import PREDICTION_COLUMNS, PredictionTable

__all__ = ["METHOD", "read_mars_features", "read_mars_predictions"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]
Columns = dict[str, NDArray[Any]]

METHOD = "MARS"
"""Name of the method in prediction tables."""

_TOLERANCE_NS = 10_000  # as for calibrated files


@dataclass(frozen=True, slots=True)
class _Events:
    """The events of some files: which rows of the two telescopes' tables, their columns, and what they share."""

    files: Sequence[MarsFile]
    tables: Sequence[TelescopeTable]
    pairs: Ints
    columns: Columns
    meta: EventMeta


def read_mars_features(paths: Sequence[Path], *, require_stereo: bool = True) -> FeatureTable:
    """Read the image and stereo parameters that MARS computed.

    Parameters
    ----------
    paths : sequence of Path
        Star files of both telescopes, superstar or melibea files; sub-runs and runs in any order.
    require_stereo : bool
        Refuse runs of star files of which only one telescope is given.

    Returns
    -------
    FeatureTable
        In our names, units and frames (see the notes of `magicnn.io.mars.containers`), ordered by run and event
        number. It has no settings, since another program made the parameters.

    Raises
    ------
    InputError
        A file cannot be used, is a calibrated one, or does not belong to the others.
    """
    events = _open(paths, require_stereo=require_stereo)
    per_telescope = [_of_telescope(events, telescope, image_columns) for telescope in (1, 2)]
    columns = dict(events.columns)
    for name in dict.fromkeys(n for images in per_telescope for n in images):
        sides = [
            table.pick(images[name], rows, np.nan) if name in images else np.full(len(rows), np.nan)
            for images, table, rows in zip(per_telescope, events.tables, events.pairs, strict=True)
        ]
        columns[name] = np.stack(sides, axis=1)
    if events.files[0].level != "I":
        pointing = [columns.get(f"pointing_{angle}_deg") for angle in ("zenith", "azimuth")]
        crossed = _of_events(events, stereo_columns)
        columns |= crossed | in_camera(crossed, *pointing) | stereo_angle(columns.get("psi_deg"))
        disp = _of_events(events, _disp_columns)
        columns |= {f"disp{n.removeprefix('reco')}": v for n, v in (disp | in_camera(disp, *pointing)).items()}
    return FeatureTable(columns, events.meta, settings=None)


def read_mars_predictions(paths: Sequence[Path]) -> PredictionTable:
    """Read MARS' own energies, hadronness and directions as the predictions of a method ``"MARS"``.

    Parameters
    ----------
    paths : sequence of Path
        Melibea files; sub-runs and runs in any order.

    Returns
    -------
    PredictionTable
        Ordered by run and event number. What MARS could not estimate is NaN and the event not valid. Its ``meta``
        says ``joined_by_event``: MARS keeps a selection of the events, which is compared by run and event number.

    Raises
    ------
    InputError
        A file cannot be used, is not a melibea file, or does not belong to the others.
    """
    events = _open(paths, require_stereo=True)
    first = events.files[0]
    if first.level != "Q":
        raise InputError(f"{first.path}: a MARS {LEVELS[first.level]} file, only melibea (_Q_) files hold predictions")
    columns = {name: v for name, v in events.columns.items() if name in PREDICTION_COLUMNS and v.ndim == 1}
    columns |= _of_events(events, _predicted)
    if "true_zenith_deg" in columns:
        apart = separation_deg(
            *(columns[f"{kind}_{angle}_deg"] for kind in ("reco", "true") for angle in ("zenith", "azimuth"))
        )
        columns["theta2_deg2"] = apart**2
    sizes = [
        table.pick(_of_telescope(events, telescope, image_columns)["size_pe"], rows, np.nan)
        for telescope, table, rows in zip((1, 2), events.tables, events.pairs, strict=True)
    ]
    columns["size_min_pe"] = np.minimum(*sizes)
    estimates = ("gammaness", "reco_energy_gev", "reco_zenith_deg", "reco_azimuth_deg")
    columns["is_valid"] = np.logical_and.reduce([np.isfinite(columns[name]) for name in estimates])
    record = dict(events.meta.provenance)
    return PredictionTable(
        METHOD,
        columns,
        particle=events.meta.particle,
        generated=events.meta.generated,
        meta={
            "joined_by_event": True,
            "source_files": list(events.meta.source_files),
            **{name: record[name] for name in ("format", "trigger", "mars_software", "cut_flow") if name in record},
        },
    )


def _open(paths: Sequence[Path], *, require_stereo: bool) -> _Events:
    """Read the columns of the events and, of star files, find which belong together."""
    files = [part for path in paths for part in read_mars_file(path)]
    check_together(files)
    level = files[0].level
    if level == "Y":
        raise InputError(f"{files[0].path}: a MARS {LEVELS[level]} file has no image parameters; open its events")
    if level == "Q" and len({f.telescope for f in files}) == 1:
        raise InputError(f"{files[0].path}: a MARS {LEVELS[level]} file of one telescope; stereo files are expected")
    if level == "I":
        mono_runs = runs_without_partner(files, require_stereo=require_stereo)
        files = [read_mars_file(f.path, keep_mono=True)[0] if f.run_id in mono_runs else f for f in files]
    files = in_order(files)
    tables = [TelescopeTable.of(files, telescope) for telescope in (1, 2)]
    if level == "I":
        pairs, counts = pair_events(files, tables, _TOLERANCE_NS, mono_runs)
    else:
        pairs = np.tile(np.arange(len(tables[0].row)), (2, 1))
        counts = {"read": pairs.shape[1]}
    if not pairs.shape[1]:
        raise InputError(f"{files[0].path}: no event in both telescopes of run {files[0].run_id}")
    columns = joined_columns(tables, pairs)
    possible = possible_events(columns, where=str(files[0].path))
    counts["impossible values"] = int((~possible).sum())
    order = np.lexsort((columns["event_id"], columns["run_id"]))
    order = order[possible[order]]
    columns = {name: values[order] for name, values in columns.items()}
    counts["events"] = len(order)
    return _Events(files, tables, pairs[:, order], columns, events_meta(files, columns, counts, record={}))


def _of_telescope(events: _Events, telescope: int, read: Any) -> Columns:
    """Columns of one telescope in the order of its table, those that all its files have."""
    return _joined(
        [
            _read(f, lambda tree, rows: read(tree.of_telescope(telescope), rows))
            for f in events.files
            if f.telescope == telescope
        ]
    )


def _of_events(events: _Events, read: Any) -> Columns:
    """Columns of the events as a whole, which stereo files keep once."""
    whole = _joined([_read(f, read) for f in events.files if f.telescope == 1])
    return {name: values[events.pairs[0]] for name, values in whole.items()}


def _read(file: MarsFile, read: Any) -> Columns:
    with open_root(file.path) as root, damage_told(file.path, "its parameters"):
        columns: Columns = read(root.tree("Events"), file.rows)
        return columns


def _joined(parts: Sequence[Mapping[str, NDArray[Any]]]) -> Columns:
    if not parts:
        return {}
    return {n: np.concatenate([p[n] for p in parts]) for n in parts[0] if all(n in p for p in parts)}


def _predicted(tree: RootTree, rows: Ints) -> Columns:
    """Hadronness, energy and direction of some events."""
    energy, uncertainty = energy_estimate(tree, rows)
    columns: Columns = {"gammaness": gammaness(tree, rows), "reco_energy_gev": energy}
    if uncertainty is not None:
        columns["reco_energy_uncert_gev"] = uncertainty
    return columns | (_disp_columns(tree, rows) or _direction(stereo_columns(tree, rows)))


def _disp_columns(tree: RootTree, rows: Ints) -> Columns:
    """Direction by DISP, nothing in files without it."""
    has_disp = "MStereoParDisp.fDirectionZd" in tree
    return _direction(stereo_columns(tree, rows, "MStereoParDisp")) if has_disp else {}


def _direction(stereo: Columns) -> Columns:
    return {name: stereo[name] for name in ("reco_zenith_deg", "reco_azimuth_deg")}
