"""Append-only file of array records that survives the death of its writer at any moment."""

from __future__ import annotations

import contextlib
import fcntl
import json
import mmap
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError

__all__ = ["Journal", "Record", "read_identity"]

_PREFIX = struct.Struct("<8sQI4x")  # mark, payload length, CRC-32 of the payload
_MARK = b"magicnnJ"
_ALIGN = 16
_STEP = 16 << 20  # bytes looked at before their memory is given back


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a journal.

    Attributes
    ----------
    unit : int
        Number of the piece of work that the record holds.
    arrays : mapping of str to array
        Read-only views into the file.
    """

    unit: int
    arrays: Mapping[str, NDArray[Any]]


class Journal:
    """Array records appended to a file, each whole or absent.

    A record is written by one ``write`` behind its length and CRC-32. Whatever a killed writer left, the whole
    records in front of the first torn one are found again; the rest is cut off.

    Parameters
    ----------
    path : Path
        File of the journal.
    header : mapping
        Plain values that say what the journal is about.
    resume : bool
        Continue an existing journal whose header has the same ``identity``; else start anew.

    Attributes
    ----------
    header : dict
        The header of the first writer.
    units : set of int
        Pieces of work that the records hold.

    Raises
    ------
    InputError
        The file cannot be written, is being written by another process, or belongs to something else.
    """

    def __init__(self, path: Path, header: Mapping[str, Any], *, resume: bool) -> None:
        self.path = path
        self.units: set[int] = set()
        self._starts: list[int] = []
        self._content: mmap.mmap | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if path.exists() else "x+b", buffering=0)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        try:
            self._lock()
            found = self._recover(header) if resume else None
            if found is None:
                self._file.seek(0)
                self._file.truncate()
                self._write(json.dumps(header, sort_keys=True).encode())
            self.header = dict(header) if found is None else found
        except BaseException:
            self._file.close()
            raise

    def append(self, unit: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write one record.

        Parameters
        ----------
        unit : int
            Number of the piece of work, not yet in ``units``.
        arrays : mapping of str to array
            What the record holds.

        Raises
        ------
        InputError
            The unit is there already, or the disk is full.
        """
        if unit in self.units:
            raise InputError(f"{self.path}: unit {unit} has been written already")
        layout = [(name, array.dtype.str, array.shape) for name, array in arrays.items()]
        head = json.dumps({"unit": unit, "layout": layout}).encode()
        pieces = [_padded(struct.pack("<Q", len(head)) + head)]
        pieces += [_padded(np.ascontiguousarray(array).tobytes()) for array in arrays.values()]
        start = self._file.tell()
        self._write(b"".join(pieces))
        self._starts.append(start + _PREFIX.size)
        self.units.add(unit)

    def records(self) -> list[Record]:
        """Return all records, in the order in which they were written; their arrays stay on the disk."""
        self._content = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        found = []
        for start in self._starts:
            found.append(_parse(self._content, start))
            if len(found) % 32 == 0:
                self.release()
        return found

    def release(self) -> None:
        """Give back the memory of what was looked at in `records`; their arrays can be looked at again."""
        if self._content is not None:
            _release(self._content)

    def close(self, *, remove: bool) -> None:
        """Close the file and, if told so, delete it."""
        self._content = None  # it would hold the lock
        if not self._file.closed:
            if remove:
                self.path.unlink(missing_ok=True)
            self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(remove=False)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(f"{self.path}: is being written by another process") from error
        except OSError:
            # network file systems without locks: two writers of one file are the user's business there
            return

    def _write(self, payload: bytes) -> None:
        """Append a payload behind its prefix; a short write is undone."""
        start = self._file.tell()
        content = memoryview(_PREFIX.pack(_MARK, len(payload), zlib.crc32(payload)) + payload)
        try:
            while content:
                content = content[self._file.write(content) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(start)
            raise InputError(f"{self.path}: cannot be written ({error.strerror})") from error

    def _recover(self, header: Mapping[str, Any]) -> dict[str, Any] | None:
        """Find the whole records of an earlier writer; return its header, or None when there is none."""
        if self.path.stat().st_size == 0:
            return None
        content = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        end = _end_of_record(content, 0)
        if end is None:
            return None
        found: dict[str, Any] = json.loads(content[_PREFIX.size : end])
        if found.get("identity") != json.loads(json.dumps(header.get("identity"))):
            raise InputError(
                f"{self.path}: was left by a run with other settings; delete it or write to another place to start anew"
            )
        start = end
        while (end := _end_of_record(content, start)) is not None:
            self._starts.append(start + _PREFIX.size)
            self.units.add(_parse(content, start + _PREFIX.size).unit)
            start = end
        content.close()
        self._file.seek(start)
        self._file.truncate()
        return found


def read_identity(path: Path) -> dict[str, Any] | None:
    """Return the ``identity`` in the header of a journal, without locking it; None where there is no journal.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                return None
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                end = _end_of_record(content, 0)
                if end is None:
                    return None
                identity: dict[str, Any] = json.loads(content[_PREFIX.size : end]).get("identity") or {}
                return identity
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _end_of_record(content: mmap.mmap, start: int) -> int | None:
    """Position behind the record at ``start``; None when it is torn or not there."""
    if start + _PREFIX.size > len(content):
        return None
    mark, length, crc = _PREFIX.unpack_from(content, start)
    end = start + _PREFIX.size + int(length)
    if mark != _MARK or end > len(content):
        return None
    found = 0
    with memoryview(content) as view:
        for first in range(start + _PREFIX.size, end, _STEP):
            with view[first : min(first + _STEP, end)] as piece:
                found = zlib.crc32(piece, found)
            _release(content)
    return end if found == crc else None


def _release(content: mmap.mmap) -> None:
    """Take the pages of a file out of the memory of this process: they count as its own and are many."""
    if hasattr(mmap, "MADV_DONTNEED"):
        content.madvise(mmap.MADV_DONTNEED)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _ALIGN)


def _parse(content: bytes | mmap.mmap, start: int) -> Record:
    (length,) = struct.unpack_from("<Q", content, start)
    head = json.loads(content[start + 8 : start + 8 + length])
    position = start + 8 + length + -(8 + length) % _ALIGN
    arrays = {}
    for name, dtype, shape in head["layout"]:
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(content, dtype, count, position) if count else np.empty(0, dtype)
        arrays[name] = values.reshape(shape)
        size = values.nbytes
        position += size + -size % _ALIGN
    return Record(int(head["unit"]), arrays)
