"""What every source of events looks like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from magicnn.errors import ConfigError, InputError, MagicnnError
from magicnn.events import EventBatch, EventMeta

__all__ = ["Reader", "damage_told", "in_pieces"]

_BLOCK = 1024  # events decoded at once, whatever the size of the batches


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


def in_pieces(decode: Callable[[int, int], EventBatch], n_events: int, size: int) -> Iterator[EventBatch]:
    """Yield events in pieces of any size, decoded in blocks of about a thousand.

    Parameters
    ----------
    decode : callable
        Takes start and stop, returns these events.
    n_events : int
        How many there are.
    size : int
        Events per piece; the last may be shorter.

    Raises
    ------
    ConfigError
        The size is not positive.
    """
    if size < 1:
        raise ConfigError(f"batches of {size} events: at least 1 is expected")
    block = max(1, _BLOCK // size) * size
    for start in range(0, n_events, block):
        events = decode(start, min(start + block, n_events))
        for first in range(0, len(events), size):
            yield events.select(slice(first, first + size))


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
