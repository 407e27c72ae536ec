"""EventSetWriter: event sets written so that a killed job can continue."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import SCHEMA, EventBatch, EventMeta, require_columns
from magicnn.io.eventset.journal import Journal
from magicnn.io.eventset.layout import FORMAT, VERSION, meta_to_json, write_hdf5

__all__ = ["EventSetWriter", "partial_path"]

logger = logging.getLogger(__name__)

_FLOAT16_MAX = float(np.finfo(np.float16).max)


def partial_path(path: Path) -> Path:
    """Return where an event set is collected until it is complete."""
    return path.with_name(f".{path.name}.partial")


class EventSetWriter:
    """Writes an event set; what a killed writer left can be continued.

    Batches go to a journal beside the target (``.NAME.partial``), one whole record each. Closing sorts the events by
    run and event number, writes the HDF5 file under a temporary name and renames it: the content does not depend on
    the order in which pieces of work ended, nor on interruptions.

    Parameters
    ----------
    path : path
        The event set; its folder is created, an existing file is replaced when the writer is closed.
    meta : EventMeta
        What all events share. ``generated`` and ``provenance`` hold plain values that JSON knows.
    resume : bool
        Continue what an interrupted writer with the same meta (provenance aside, which stays the first one's) left.

    Attributes
    ----------
    meta : EventMeta
        What is written when the writer is closed; may be replaced until then, by one of the same camera and telescopes,
        when something is known only at the end.
    units : frozenset of int
        Pieces of work that are written already.

    Raises
    ------
    InputError
        The place cannot be written, another process is writing it, or the partial file belongs to another meta.

    Examples
    --------
    A production of numbered pieces that can be killed and started again::

        with EventSetWriter("gammas.h5", meta, resume=True) as writer:
            for unit in range(100):
                if unit not in writer.units:
                    writer.append(simulate(unit), unit=unit)
    """

    def __init__(self, path: Path | str, meta: EventMeta, *, resume: bool = False) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise InputError(f"{self.path}: is a directory, expected the name of an event set file")
        self._resume = resume
        self._names: list[str] | None = None
        self._n_clipped = 0
        header = {
            "identity": {"format": FORMAT, "version": VERSION, **meta_to_json(replace(meta, provenance={}))},
            "provenance": dict(meta.provenance),
        }
        self._journal = Journal(partial_path(self.path), header, resume=resume)
        self.meta = replace(meta, provenance=self._journal.header["provenance"])
        records = self._journal.records()
        self._n_events = sum(len(record.arrays["charge"]) for record in records)
        if records:
            self._names = [name for name in records[0].arrays if name in SCHEMA]

    @property
    def units(self) -> frozenset[int]:
        """Pieces of work that are written already."""
        return frozenset(self._journal.units)

    def __len__(self) -> int:
        return self._n_events

    def append(self, batch: EventBatch, *, unit: int | None = None) -> None:
        """Write a batch; it survives the death of the process from here on.

        Parameters
        ----------
        batch : EventBatch
            Events with ``run_id`` and ``event_id``, of the camera, telescopes and columns of the batches before; may
            be empty (a piece of work without an event is done, too).
        unit : int, optional
            Number of the piece of work; the number of batches so far when not given.

        Raises
        ------
        InputError
            The batch does not fit to the batches before, the unit is written already, or the disk is full.
        """
        meta = batch.meta
        if meta.camera.fingerprint != self.meta.camera.fingerprint or meta.telescopes != self.meta.telescopes:
            raise InputError(
                f"{self.path}: events of {meta.camera.name} {meta.telescopes} do not fit into an event set of "
                f"{self.meta.camera.name} {self.meta.telescopes}"
            )
        if meta.array != self.meta.array:
            raise InputError(f"{self.path}: events of telescopes at other places cannot share an event set")
        if meta.is_simulation != self.meta.is_simulation:
            raise InputError(f"{self.path}: real and simulated events cannot share an event set")
        require_columns(batch.columns, ["run_id", "event_id"], where=f"{self.path}")
        if self._names is None:
            self._names = [name for name in SCHEMA if name in batch.columns]
        odd = sorted(set(self._names) ^ set(batch.columns))
        if odd:
            raise InputError(f"{self.path}: columns not in all batches: {', '.join(odd)}")
        images = {"charge": self._half(batch.charge), "time": self._half(batch.time)}
        columns = {name: batch.columns[name] for name in self._names}
        self._journal.append(len(self._journal.units) if unit is None else unit, {**images, **columns})
        self._n_events += len(batch)

    def close(self) -> None:
        """Write the event set from the journal, rename it to its place and delete the journal.

        Raises
        ------
        InputError
            There are no events, or the file cannot be written.
        """
        if self._n_events == 0:
            self._journal.close(remove=not self._resume)
            raise InputError(f"{self.path}: no events, so no event set was written")
        if self._n_clipped:
            logger.warning(
                "%s: %d pixel values beyond the range of float16 were clipped to +-%.0f",
                self.path,
                self._n_clipped,
                _FLOAT16_MAX,
            )
        records = [record for record in self._journal.records() if len(record.arrays["charge"])]
        # a name of its own for each target, not for each process: what a killed writer left is overwritten
        partial = self.path.with_name(f".{self.path.name}.part")
        try:
            write_hdf5(partial, records, self.meta, release=self._journal.release)
            partial.replace(self.path)
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error})") from error
        finally:
            partial.unlink(missing_ok=True)
        self._journal.close(remove=True)

    def discard(self) -> None:
        """Keep nothing to go on from, should the writer end without an event set."""
        self._resume = False

    def abandon(self) -> None:
        """Close without an event set; the journal stays when the writer was opened with ``resume``."""
        self._journal.close(remove=not self._resume)

    def __enter__(self) -> EventSetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def __repr__(self) -> str:
        return f"EventSetWriter({str(self.path)!r}: {self._n_events} events in {len(self.units)} units)"

    def _half(self, images: NDArray[np.float32]) -> NDArray[np.float16]:
        outside = int(np.count_nonzero(np.abs(images) > _FLOAT16_MAX))
        if outside:
            self._n_clipped += outside
            images = np.clip(images, -_FLOAT16_MAX, _FLOAT16_MAX)
        return images.astype(np.float16)
