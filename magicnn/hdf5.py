"""HDF5 files of tables: opened with the checks that every kind of file needs, columns written with their units."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import ColumnSpec
from magicnn.runs import atomic_path

__all__ = ["HDF5_ERRORS", "LIBVER", "created", "kind_of_table", "one_line", "opened", "write_columns"]

HDF5_ERRORS = (OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError)
"""What h5py raises for a damaged file; a damaged size can ask for any amount of memory."""

LIBVER = ("v110", "v110")
"""Version of the file's own structure: the first with checksums in it."""

_SEAL = "crc32"

_ROWS_PER_CHUNK = 16384


def one_line(error: BaseException) -> str:
    """Return the message of an error without line breaks."""
    return " ".join(str(error).split())


def kind_of_table(path: Path) -> str:
    """Tell what a file of this package is: ``"event set"``, ``"features"``, ``"predictions"``; empty for others.

    Parameters
    ----------
    path : Path
        Any file; one that is damaged or missing is none of these.
    """
    try:
        with h5py.File(path, "r") as file:
            kind = str(file.attrs.get("format", ""))
    except HDF5_ERRORS:
        return ""
    return kind.removeprefix("magicnn ") if kind.startswith("magicnn ") else ""


@contextmanager
def created(path: Path | str, *, file_format: str, version: int) -> Iterator[h5py.File]:
    """Create a file while the block lasts; it appears under its name when the block ends well.

    Parameters
    ----------
    path : path
        The file.
    file_format : str
        Its attribute ``format``.
    version : int
        Its attribute ``version``.

    Yields
    ------
    h5py.File
        Attributes of the file and a dataset ``record`` of text, which HDF5 has no checksum for, get one at the end.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    with atomic_path(path) as partial, h5py.File(partial, "w", libver=LIBVER) as file:
        file.attrs["format"] = file_format
        file.attrs["version"] = version
        yield file
        file.attrs[_SEAL] = _crc32(file)


def _crc32(file: h5py.File) -> int:
    """CRC-32 of the texts in a file, which HDF5 keeps in heaps without a checksum."""
    words = {name: str(value) for name, value in file.attrs.items() if name != _SEAL}
    if "record" in file:
        words["record"] = str(file["record"][()])
    return zlib.crc32(json.dumps(words, sort_keys=True).encode())


@contextmanager
def opened(
    path: Path | str, kind: str, *, file_format: str, version: int, error: type[InputError] = InputError
) -> Iterator[h5py.File]:
    """Open a file for reading while the block lasts; damage found in the block is one clear line too.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        What it is in words, such as ``"feature file"``.
    file_format : str
        What its attribute ``format`` has to be.
    version : int
        Newest version that can be read; a file that does not state its own has version 1.
    error : type
        What is raised.

    Yields
    ------
    h5py.File

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind, or written by a newer version.
    """
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != file_format:
                other = kind_of_table(Path(path))
                raise error(f"{path}: not a {kind} of magicnn" + (f" (but of the kind {other!r})" if other else ""))
            found = int(file.attrs.get("version", 1))
            if found > version:
                raise error(f"{path}: {kind} of version {found}, this magicnn reads up to {version}; update it")
            if _SEAL in file.attrs and file.attrs[_SEAL] != _crc32(file):
                raise error(f"{path}: damaged {kind} (checksum of its description)")
            yield file
    except FileNotFoundError as cause:
        raise error(f"{path}: no such file") from cause
    except PermissionError as cause:
        raise error(f"{path}: cannot be opened (permission denied)") from cause
    except HDF5_ERRORS as cause:
        if isinstance(cause, OSError) and not h5py.is_hdf5(path):
            raise error(f"{path}: not a {kind} of magicnn (not HDF5)") from cause
        raise error(f"{path}: damaged {kind} ({one_line(cause)})") from cause


def write_columns(
    file: h5py.File, group: str, columns: Mapping[str, NDArray[Any]], specs: Mapping[str, ColumnSpec]
) -> None:
    """Write one dataset per column, with checksums and the attributes ``unit`` and ``description``."""
    for name, values in columns.items():
        chunks = (max(1, min(len(values), _ROWS_PER_CHUNK)), *values.shape[1:])
        dataset = file.create_dataset(
            f"{group}/{name}", data=values, chunks=chunks, maxshape=(None, *values.shape[1:]), fletcher32=True
        )
        dataset.attrs["unit"] = specs[name].unit
        dataset.attrs["description"] = specs[name].description
