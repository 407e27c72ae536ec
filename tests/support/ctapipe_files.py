"""ctapipe files for tests: the real one with its tables rewritten, grown to many events, or brought to data model 6."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tables

TRIGGER = "/dl1/event/subarray/trigger"
TEL_TRIGGER = "/dl1/event/telescope/trigger"
SHOWER = "/simulation/event/subarray/shower"
IMAGES = "/dl1/event/telescope/images"
TRUE_IMAGES = "/simulation/event/telescope/images"
OBSERVATION = "/configuration/observation/observation_block"
VERSION = "CTA PRODUCT DATA MODEL VERSION"
LST = (1, 2, 3, 4)


def edited(source: Path, target: Path, *edits: Callable[[tables.File], None]) -> Path:
    """Copy a file and change it."""
    shutil.copyfile(source, target)
    target.chmod(0o644)
    with tables.open_file(str(target), "a") as file:
        for edit in edits:
            edit(file)
    return target


def replace_table(file: tables.File, name: str, records: np.ndarray, **attributes: Any) -> None:
    """Write other rows, of other types, under the same name; attributes stay but for those given (None: removed)."""
    old = file.get_node(name)
    kept = {key: old.attrs[key] for key in old.attrs._v_attrnamesuser} | attributes
    filters, parent = old.filters, old._v_parent
    file.remove_node(old)
    new = file.create_table(parent, name.rsplit("/", 1)[1], obj=records, filters=filters)
    for key, value in kept.items():
        if value is not None:
            new.attrs[key] = value


def with_column(records: np.ndarray, name: str, values: np.ndarray) -> np.ndarray:
    """Return records in which one column has other values, of another type."""
    kinds = [
        (n, values.dtype, values.shape[1:]) if n == name else (n, records.dtype[n].base, records.dtype[n].shape)
        for n in records.dtype.names
    ]
    changed = np.empty(len(records), dtype=kinds)
    for n in records.dtype.names:
        changed[n] = values if n == name else records[n]
    return changed


def to_version_6(file: tables.File) -> None:
    """Bring the times to days of TAI (MJD), which is what data model 6 differs in."""
    for name, number in ((TRIGGER, 2), (TEL_TRIGGER, 3)):
        records = file.get_node(name)[:]
        seconds = records["time"][:, 0] + records["time"][:, 1] / 4e9
        replace_table(
            file,
            name,
            with_column(records, "time", 40587.0 + seconds / 86400.0),
            **{f"CTAFIELD_{number}_TIME_FORMAT": "mjd"},
        )
    file.root._v_attrs[VERSION] = "v6.0.0"


def scaled_images(scale: float, kind: str, name: str = "image") -> Callable[[tables.File], None]:
    """Store the images as ctapipe does with ``transform_image=True``."""
    number = {"image": 3, "peak_time": 4}[name]

    def edit(file: tables.File) -> None:
        limits = np.iinfo(kind)
        marks = (
            (limits.max - 2, limits.max - 1, limits.max) if kind[0] == "u" else (limits.min, limits.min + 1, limits.max)
        )
        for node in file.iter_nodes(IMAGES):
            records = node[:]
            values = records[name]
            stored = np.rint(np.nan_to_num(values, posinf=0, neginf=0) * scale).astype(kind)
            for mark, found in zip(marks, (np.isneginf(values), np.isnan(values), np.isposinf(values)), strict=True):
                stored[found] = mark
            attributes = {"TRANSFORM": "fixed_point", "TRANSFORM_SCALE": scale, "TRANSFORM_OFFSET": 0}
            attributes |= {"TRANSFORM_DTYPE": "float32"}
            replace_table(
                file,
                node._v_pathname,
                with_column(records, name, stored),
                **{f"CTAFIELD_{number}_{key}": value for key, value in attributes.items()},
            )

    return edit


def many_events(n_events: int, *, seed: int = 0, obs_id: int = 4) -> Callable[[tables.File], None]:
    """Repeat the one event with other numbers, noise, energies and telescopes; rows of all tables in another order.

    The first pixel of every image says which telescope and event it is of: event number + telescope / 100.
    """

    def edit(file: tables.File) -> None:
        rng = np.random.default_rng(seed)
        event_id = rng.permutation(n_events) * 7 + 100
        has_image = rng.random((n_events, 19)) < 0.7
        has_image[:, 0] = True
        energy = rng.uniform(0.1, 10.0, n_events)
        for name in ("/configuration/simulation/run", OBSERVATION):
            records = file.get_node(name)[:]
            records["obs_id"] = obs_id
            replace_table(file, name, records)
        trigger = np.repeat(file.get_node(TRIGGER)[:], n_events)
        trigger["obs_id"], trigger["event_id"] = obs_id, event_id
        trigger["tels_with_trigger"] = has_image
        trigger["time"][:, 0] += np.arange(n_events, dtype=np.uint32)
        replace_table(file, TRIGGER, trigger)
        shower = np.repeat(file.get_node(SHOWER)[:], n_events)
        shower["obs_id"], shower["event_id"], shower["true_energy"] = obs_id, event_id, energy
        replace_table(file, SHOWER, shower)
        rows = []
        for node in list(file.iter_nodes(IMAGES)):
            name = node._v_name
            tel_id = int(name[4:])
            chosen = np.flatnonzero(has_image[:, tel_id - 1])
            images = np.repeat(node[:], len(chosen))
            images["obs_id"], images["event_id"] = obs_id, event_id[chosen]
            images["image"] += rng.normal(0, 1, images["image"].shape).astype(np.float32)
            images["image"][:, 0] = event_id[chosen] + tel_id / 100
            replace_table(file, node._v_pathname, images)
            true_name = f"{TRUE_IMAGES}/{name}"
            true = np.repeat(file.get_node(true_name)[:], len(chosen))
            true["obs_id"], true["event_id"] = obs_id, event_id[chosen]
            true["true_image_sum"] = event_id[chosen]
            replace_table(file, true_name, true)
            pointing_name = f"/configuration/telescope/pointing/{name}"
            pointing = file.get_node(pointing_name)[:]
            pointing["obs_id"] = obs_id
            replace_table(file, pointing_name, pointing)
            rows.append(np.stack([chosen, np.full(len(chosen), tel_id)], axis=1))
        which = np.concatenate(rows)
        which = which[np.lexsort((which[:, 1], which[:, 0]))]
        tel_trigger = np.repeat(file.get_node(TEL_TRIGGER)[:1], len(which))
        tel_trigger["obs_id"], tel_trigger["event_id"] = obs_id, event_id[which[:, 0]]
        tel_trigger["tel_id"] = which[:, 1]
        replace_table(file, TEL_TRIGGER, tel_trigger)
        for group in (
            "/dl1/event/telescope/parameters",
            "/dl1/service",
            "/simulation/event/telescope/parameters",
            "/simulation/event/telescope/impact",
            "/simulation/service",
            "/dl2",
        ):
            if group in file:
                file.remove_node(group, recursive=True)

    return edit
