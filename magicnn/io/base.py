"""What every source of events looks like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from magicnn.errors import ConfigError, InputError, MagicnnError
from magicnn.events import EventBatch, EventMeta
from magicnn.summary import brief_thrown, event_lines, html_page, some_names, thrown_lines

__all__ = ["DecodedEvents", "Format", "Reader", "StoredEvents", "damage_told"]


@runtime_checkable
class Reader(Protocol):
    """A source of events: an event set, MARS files, files that ctapipe reads.

    Opening a reader checks that its files are what they claim to be; images are read when asked for.
    """

    @property
    def meta(self) -> EventMeta:
        """What all events of the source share."""
        ...

    def __len__(self) -> int:
        """Return the number of events."""
        ...

    def read(self) -> EventBatch:
        """Return all events, ordered by run and event number.

        Raises
        ------
        InputError
            The source is damaged.
        """
        ...

    def batches(self, size: int = 1024) -> Iterator[EventBatch]:
        """Yield the events of `read` in pieces of ``size`` events; the last may be shorter.

        Raises
        ------
        InputError
            The source is damaged.
        """
        ...


class DecodedEvents(ABC):
    """A reader whose events are decoded from files range by range.

    Parameters
    ----------
    meta : EventMeta
        What all events share.
    n_events : int
        How many there are.
    """

    def __init__(self, meta: EventMeta, n_events: int) -> None:
        self._meta = meta
        self._n_events = n_events

    @property
    def meta(self) -> EventMeta:
        """What all events share."""
        return self._meta

    def __len__(self) -> int:
        return self._n_events

    def __repr__(self) -> str:
        meta = self.meta
        return (
            f"{type(self).__name__}({len(self)} {meta.particle or 'real'} events of {meta.production!r}"
            f"{brief_thrown(meta.generated)}, {'+'.join(meta.telescopes)}, {meta.camera.name})"
        )

    def _repr_html_(self) -> str:
        files = ("source files", some_names(self.meta.source_files))
        lines = [*event_lines(self.meta), *thrown_lines(self.meta.generated), files]
        return html_page(f"{type(self).__name__}: {len(self)} events", lines)

    def read(self, start: int | None = None, stop: int | None = None) -> EventBatch:
        """Return consecutive events, ordered by run and event number.

        Parameters
        ----------
        start, stop : int, optional
            Range of events as in a slice; all when not given.

        Returns
        -------
        EventBatch

        Raises
        ------
        InputError
            A file is damaged, or has changed since it was opened.
        """
        first, last, _ = slice(start, stop).indices(len(self))
        return self._decode(first, max(first, last))

    def batches(self, size: int = 1024) -> Iterator[EventBatch]:
        """Yield the events of `read` in pieces, of which only a block is in memory.

        Parameters
        ----------
        size : int
            Events per piece; the last may be shorter.

        Raises
        ------
        ConfigError
            The size is not positive.
        InputError
            A file is damaged.
        """
        if size < 1:
            raise ConfigError(f"batches of {size} events: at least 1 is expected")
        block = max(1, self._block // size) * size
        for start in range(0, len(self), block):
            events = self._decode(start, min(start + block, len(self)))
            for first in range(0, len(events), size):
                yield events.select(slice(first, first + size))

    _block = 1024
    """Events decoded at once, whatever the size of the batches."""

    @abstractmethod
    def _decode(self, start: int, stop: int) -> EventBatch:
        """Decode the events of a range."""


@contextmanager
def damage_told(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a decoder stumbles over into one line: damaged bytes raise errors of almost any type.

    Parameters
    ----------
    path : Path
        File that is read.
    what : str
        Which part of it.

    Raises
    ------
    InputError
        In place of any error that is not one of this package.
    """
    try:
        yield
    except MagicnnError:
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "")[:100]
        raise InputError(
            f"{path}: cannot read {what}, the file is damaged ({type(error).__name__}: {reason})"
        ) from error


class StoredEvents(Reader, Protocol):
    """A reader that can start anywhere, so that interrupted work continues without reading everything again."""

    def read(self, start: int | None = None, stop: int | None = None) -> EventBatch:
        """Return consecutive events, ordered by run and event number; all when no range is given."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file with events.

    Attributes
    ----------
    kind : str
        Name for ``open_events(..., kind=...)``.
    description : str
        One line for people.
    patterns : tuple of str
        File names to look for in a directory, the most telling first.
    recognises : callable
        Tells from the path and its first bytes whether a file is of this format.
    open : callable
        Takes the list of files and keyword options, returns the reader.
    """

    kind: str
    description: str
    patterns: tuple[str, ...]
    recognises: Callable[[Path, bytes], bool]
    open: Callable[..., StoredEvents]
