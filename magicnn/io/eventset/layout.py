"""Layout of the event set file: HDF5 with float16 images, described columns, JSON meta, checksums everywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from magicnn.array import TelescopeArray
from magicnn.camera import Camera
from magicnn.errors import InputError
from magicnn.events import SCHEMA, EventMeta
from magicnn.hdf5 import LIBVER, one_line
from magicnn.io.eventset.journal import Record

__all__ = [
    "CHUNK_EVENTS",
    "FORMAT",
    "VERSION",
    "meta_from_json",
    "meta_to_json",
    "open_hdf5",
    "write_hdf5",
]

CHUNK_EVENTS = 256
"""Events in one chunk of the image datasets."""

FORMAT = "magicnn event set"
"""Attribute ``format`` of every event set."""

VERSION = 2
"""Newest version of the layout that this package reads; only event sets of other arrays than MAGIC need it (their meta
says where the telescopes stand), all others are written as version 1."""

_COLUMN_CHUNK = 16384
_RECORDS_AT_ONCE = 32


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises
    ------
    InputError
        It is missing, a directory, not readable, truncated, or not HDF5.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a directory, expected an event set file")
    try:
        return h5py.File(path, "r", locking="best-effort")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read") from error
    except OSError as error:
        text = one_line(error)
        if "truncated" in text:
            raise InputError(f"{path}: truncated file; copy or write it again ({text})") from error
        if "signature not found" in text:
            raise InputError(f"{path}: not an event set of magicnn (not an HDF5 file)") from error
        raise InputError(f"{path}: cannot be opened as an event set ({text})") from error


def write_hdf5(path: Path, records: Sequence[Record], meta: EventMeta, *, release: Callable[[], None]) -> None:
    """Write the events of a journal, ordered by run and event number.

    Parameters
    ----------
    path : Path
        New file.
    records : sequence of Record
        At least one, none empty; arrays ``charge``, ``time`` and columns of ``SCHEMA``.
    meta : EventMeta
        What all events share.
    release : callable
        Called after every chunk, to give back the memory of the records that were looked at.

    Notes
    -----
    In memory are numbers and order of all events, one column of them, and one chunk of their images.
    """
    names = list(records[0].arrays)
    pixelwise = [n for n in names if n in SCHEMA and SCHEMA[n].shape == "pixel"]
    plain = [n for n in names if n in SCHEMA and n not in pixelwise]
    sizes = np.array([len(r.arrays["charge"]) for r in records])
    order = np.lexsort([_column(records, n, release) for n in ("event_id", "run_id")])
    first_of = np.concatenate([[0], np.cumsum(sizes)])
    words = {name: [SCHEMA[name].unit, SCHEMA[name].description] for name in (*plain, *pixelwise)}
    with h5py.File(path, "w", libver=LIBVER) as file:
        file.attrs["format"] = FORMAT
        version = 1 if meta.array is None else VERSION
        file.attrs["version"] = version
        described = meta_to_json(meta)
        _write_json(file, "generated", described.pop("generated"))
        _write_json(file, "meta", {**described, "version": version, "columns": words})
        for name in ("charge", "time", *pixelwise):
            first = records[0].arrays[name]
            shape = (len(order), *first.shape[1:])
            chunks = (min(CHUNK_EVENTS, len(order)), *shape[1:])
            place_in_file = f"events/{name}" if name in pixelwise else f"images/{name}"
            # true images are nearly all zeros: a hundredth of the room when packed
            packing = {"compression": "gzip", "compression_opts": 1} if name in pixelwise else {}
            dataset = file.create_dataset(place_in_file, shape, first.dtype, chunks=chunks, fletcher32=True, **packing)
            for start in range(0, len(order), CHUNK_EVENTS):
                rows = order[start : start + CHUNK_EVENTS]
                home = np.searchsorted(first_of, rows, side="right") - 1
                dataset[start : start + CHUNK_EVENTS] = _gather(records, name, home, rows - first_of[home])
                release()
        file["images/charge"].attrs["unit"] = "phe"
        file["images/time"].attrs["unit"] = "ns"
        for name in plain:
            values = _column(records, name, release)[order]
            chunks = (min(_COLUMN_CHUNK, len(values)), *values.shape[1:])
            file.create_dataset(f"events/{name}", data=values, chunks=chunks, fletcher32=True)
        for name, described_as in words.items():
            attributes = file[f"events/{name}"].attrs
            attributes["unit"], attributes["description"] = described_as
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _column(records: Sequence[Record], name: str, release: Callable[[], None]) -> NDArray[Any]:
    """Put a column together; around every piece of it the system maps more of the file than is looked at."""
    pieces = []
    for index, record in enumerate(records):
        pieces.append(np.array(record.arrays[name]))
        if index % _RECORDS_AT_ONCE == 0:
            release()
    release()
    return np.concatenate(pieces)


def _gather(records: Sequence[Record], name: str, home: NDArray[np.intp], place: NDArray[np.intp]) -> NDArray[Any]:
    """Collect rows that lie in several records."""
    first = records[0].arrays[name]
    rows = np.empty((len(home), *first.shape[1:]), dtype=first.dtype)
    for index in np.unique(home):
        here = home == index
        rows[here] = records[index].arrays[name][place[here]]
    return rows


def _write_json(file: h5py.File, name: str, values: Mapping[str, Any]) -> None:
    """Write JSON as a fixed-length string in a chunk, the only kind of string that lies under a checksum."""
    text = np.array([json.dumps(values, sort_keys=name == "generated").encode("ascii")])
    file.create_dataset(name, data=text, chunks=(1,), fletcher32=True)


def meta_to_json(meta: EventMeta) -> dict[str, Any]:
    """Return the plain values of a meta.

    Raises
    ------
    InputError
        ``generated`` or ``provenance`` hold values that JSON does not know.
    """
    values = {
        "particle": meta.particle,
        "production": meta.production,
        "is_simulation": meta.is_simulation,
        "telescopes": list(meta.telescopes),
        "camera": meta.camera.to_mapping(),
        "sampling_gsps": meta.sampling_gsps,
        "sampling_assumed": meta.sampling_assumed,
        "window_ns": meta.window_ns,
        "source_files": list(meta.source_files),
        "generated": dict(meta.generated),
        "provenance": dict(meta.provenance),
    }
    if meta.array is not None:
        values["array"] = meta.array.to_mapping()
    try:
        json.dumps(values)
    except TypeError as error:
        raise InputError(f"meta of {meta.production}: expected plain values for JSON ({error})") from error
    return values


def meta_from_json(values: Mapping[str, Any]) -> EventMeta:
    """Rebuild a meta from what `meta_to_json` returned."""
    array = values.get("array")
    return EventMeta(
        particle=values["particle"],
        production=values["production"],
        is_simulation=values["is_simulation"],
        telescopes=tuple(values["telescopes"]),
        camera=Camera.from_mapping(values["camera"]),
        sampling_gsps=values["sampling_gsps"],
        sampling_assumed=values["sampling_assumed"],
        window_ns=values["window_ns"],
        source_files=tuple(values["source_files"]),
        generated=values["generated"],
        provenance=values["provenance"],
        array=None if array is None else TelescopeArray.from_mapping(array),
    )
