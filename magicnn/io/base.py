"""What every source of events looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from magicnn.events import EventBatch, EventMeta

__all__ = ["Reader"]


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
