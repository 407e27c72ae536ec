"""EventSet: reading the events of an event set file, in order or shuffled."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import SCHEMA, EventBatch, require_columns
from magicnn.hdf5 import HDF5_ERRORS, one_line
from magicnn.io.eventset.layout import CHUNK_EVENTS, FORMAT, VERSION, meta_from_json, open_hdf5
from magicnn.io.eventset.writer import EventSetWriter
from magicnn.summary import brief_thrown, column_table, event_lines, html_page, some_names, thrown_lines, written_lines

__all__ = ["EventSet", "EventSetWriter"]


class EventSet:
    """Reads an event set.

    Parameters
    ----------
    path : path
        File written by `EventSetWriter`.

    Attributes
    ----------
    path : Path
        The file.
    meta : EventMeta
        What all events share.
    column_names : tuple of str
        Columns of the file, in the order of ``SCHEMA``.

    Raises
    ------
    InputError
        The file is missing, unreadable, truncated, damaged, empty, no event set, or of a newer version.

    Notes
    -----
    The file is opened when first read from, once per process: an event set may be pickled and used after a fork.
    Every byte that matters lies under a checksum of HDF5 (Fletcher-32 for data, Jenkins lookup3 for its metadata);
    a damaged image is found when it is read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._handle: h5py.File | None = None
        self._pid = -1
        try:
            self._open()
        except HDF5_ERRORS as error:
            raise InputError(f"{self.path}: damaged event set ({one_line(error)})") from error
        finally:
            self.close()

    def _open(self) -> None:
        file = self._file()
        if file.attrs.get("format") != FORMAT:
            raise InputError(f"{self.path}: not an event set of magicnn")
        version = int(file.attrs["version"])
        if version > VERSION:
            raise InputError(f"{self.path}: event set format {version}, this magicnn reads up to {VERSION}; update it")
        stored = json.loads(file["meta"][0])
        if stored["version"] != version:
            raise InputError(f"{self.path}: damaged event set (two different versions)")
        self.meta = meta_from_json({**stored, "generated": json.loads(file["generated"][0])})
        self.column_names = tuple(stored["columns"])
        shape = tuple(file["images/charge"].shape)
        expected = (shape[0], len(self.meta.telescopes), self.meta.camera.n_pixels)
        if shape != expected or file["images/time"].shape != shape:
            raise InputError(f"{self.path}: damaged event set (images of shape {shape}, expected {expected})")
        for name, words in stored["columns"].items():
            dataset = file["events"][name]
            is_same = [dataset.attrs["unit"], dataset.attrs["description"]] == words
            if not is_same or len(dataset) != shape[0] or dataset.dtype.kind not in "biuf":
                raise InputError(f"{self.path}: damaged event set (column {name})")
        self._n_events = int(shape[0])
        if self._n_events == 0:
            raise InputError(f"{self.path}: the event set has no events")

    def __len__(self) -> int:
        return self._n_events

    def columns(self, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Read columns of all events without their images.

        Parameters
        ----------
        names : sequence of str, optional
            Which columns; when not given all but those with a value per pixel.

        Returns
        -------
        dict of str to array, [N], [N, T] or [N, T, P]

        Raises
        ------
        InputError
            There is no such column, or the file is damaged.
        """
        return self._read_columns(0, self._n_events, names)

    def read(
        self, start: int | None = None, stop: int | None = None, columns: Sequence[str] | None = None
    ) -> EventBatch:
        """Read consecutive events.

        Parameters
        ----------
        start, stop : int, optional
            Range of rows as in a slice; all when not given.
        columns : sequence of str, optional
            Which columns; when not given all but those with a value per pixel.

        Returns
        -------
        EventBatch
            Ordered by run and event number.

        Raises
        ------
        InputError
            There is no such column, or the file is damaged.
        """
        first, last, _ = slice(start, stop).indices(self._n_events)
        last = max(first, last)
        return self._batch(first, last, self._read_columns(first, last, columns))

    def batches(self, size: int = 1024, columns: Sequence[str] | None = None) -> Iterator[EventBatch]:
        """Yield all events in order, ``size`` at a time; the last batch may be shorter.

        Parameters
        ----------
        size : int
            Events per batch.
        columns : sequence of str, optional
            Which columns; all when not given. They are held in memory for all events.

        Raises
        ------
        InputError
            As `read`.
        """
        values = self.columns(columns)
        for start in range(0, self._n_events, size):
            stop = min(start + size, self._n_events)
            yield self._batch(start, stop, {name: array[start:stop] for name, array in values.items()})

    def blocks(
        self,
        *,
        seed: int,
        epoch: int,
        block: int = CHUNK_EVENTS,
        mix: int = 16,
        columns: Sequence[str] | None = None,
        keep: NDArray[np.bool_] | None = None,
    ) -> Iterator[EventBatch]:
        """Yield all events once, in random order, without reading the file at random.

        Blocks of consecutive events are visited in random order; ``mix`` of them are held in memory and shuffled
        together. The order is a pure function of the seed and the epoch.

        Parameters
        ----------
        seed, epoch : int
            Numbers, not negative, that fix the order.
        block : int
            Events per block read and per batch given; a multiple of 256 reads whole chunks.
        mix : int
            Blocks shuffled together.
        columns : sequence of str, optional
            Which columns; all when not given. They are held in memory for all events.
        keep : bool array, [N], optional
            Events to give, all when not given; the others are left out.

        Yields
        ------
        EventBatch
            ``block`` events, fewer in the last batch of every ``mix`` blocks.

        Raises
        ------
        InputError
            There is no such column, ``keep`` has another length, or the file is damaged.
        """
        wanted = np.ones(self._n_events, dtype=bool) if keep is None else np.asarray(keep, dtype=bool)
        if wanted.shape != (self._n_events,):
            raise InputError(f"{self.path}: expected {self._n_events} flags of events to keep, got {wanted.shape}")
        generator = np.random.default_rng([seed, epoch])
        values = self.columns(columns)
        order = generator.permutation(np.arange(0, self._n_events, block))
        for first in range(0, len(order), mix):
            ranges = [(int(s), min(int(s) + block, self._n_events)) for s in order[first : first + mix]]
            ranges = [(start, stop) for start, stop in ranges if wanted[start:stop].any()]
            rows = np.concatenate([np.arange(start, stop) for start, stop in ranges] or [np.arange(0)])
            places = generator.permutation(np.flatnonzero(wanted[rows]))
            charge, time = (self._read_ranges(name, ranges) for name in ("charge", "time"))
            for begin in range(0, len(places), block):
                picked = places[begin : begin + block]
                yield EventBatch(
                    charge[picked].astype(np.float32),
                    time[picked].astype(np.float32),
                    {name: array[rows[picked]] for name, array in values.items()},
                    self.meta,
                )

    def close(self) -> None:
        """Close the file; it opens again when read from."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def __enter__(self) -> EventSet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handle": None}

    def __repr__(self) -> str:
        kind = self.meta.particle or "real"
        telescopes = "+".join(self.meta.telescopes)
        return (
            f"EventSet({str(self.path)!r}: {self._n_events} {kind} events of {self.meta.production!r}"
            f"{brief_thrown(self.meta.generated)}, {telescopes}, {self.meta.camera.name}, "
            f"{len(self.column_names)} columns)"
        )

    def _repr_html_(self) -> str:
        meta = self.meta
        lines = [
            ("file", str(self.path)),
            *event_lines(meta),
            *thrown_lines(meta.generated),
            ("source files", some_names(meta.source_files)),
            *written_lines(meta.provenance),
        ]
        return html_page(f"EventSet: {len(self)} events", lines, column_table(self.column_names, SCHEMA))

    def _file(self) -> h5py.File:
        if self._handle is not None and self._pid != os.getpid():
            self.close()
        if self._handle is None:
            self._handle = open_hdf5(self.path)
            self._pid = os.getpid()
        return self._handle

    def _read_columns(self, start: int, stop: int, names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
        wanted = [n for n in self.column_names if SCHEMA[n].shape != "pixel"] if names is None else list(names)
        require_columns(dict.fromkeys(self.column_names), wanted, where=f"{self.path}")
        try:
            group = self._file()["events"]
            return {name: group[name][start:stop] for name in wanted}
        except HDF5_ERRORS as error:
            raise InputError(f"{self.path}: damaged event set (columns: {one_line(error)})") from error

    def _batch(self, start: int, stop: int, columns: dict[str, NDArray[Any]]) -> EventBatch:
        charge, time = (self._read_ranges(name, [(start, stop)]).astype(np.float32) for name in ("charge", "time"))
        return EventBatch(charge, time, columns, self.meta)

    def _read_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> NDArray[np.float16]:
        shape = (sum(b - a for a, b in ranges), len(self.meta.telescopes), self.meta.camera.n_pixels)
        images = np.empty(shape, dtype=np.float16)
        filled = 0
        try:
            dataset = self._file()["images"][name]
            for start, stop in ranges:
                if stop > start:
                    dataset.read_direct(images, np.s_[start:stop], np.s_[filled : filled + stop - start])
                filled += stop - start
        except HDF5_ERRORS as error:
            raise InputError(f"{self.path}: damaged event set ({name} images: {one_line(error)})") from error
        return images
