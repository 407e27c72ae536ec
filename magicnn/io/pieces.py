"""Columns computed piece by piece on workers, each piece kept until all are there: killed, the same call continues."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.executors import Place, results_in_order
from magicnn.io.eventset.journal import Journal
from magicnn.runs import progress

__all__ = ["PIECE_EVENTS", "Pieces", "columns_in_pieces", "piece_bounds"]

Columns = dict[str, NDArray[Any]]

PIECE_EVENTS = 4096
"""Events of a piece: a multiple of the usual batches, so that events are batched as they are in the whole."""


@dataclass(frozen=True)
class Pieces:
    """The pieces of one output.

    Attributes
    ----------
    journal : Path
        Where they are kept until all are there; deleted then.
    identity : mapping
        Plain values that the pieces depend on: what was left with others is not continued.
    tasks : sequence of tuple
        Arguments of the function that computes a piece.
    sizes : sequence of int
        Events of each piece, for the progress bar.
    """

    journal: Path
    identity: Mapping[str, Any]
    tasks: Sequence[tuple[Any, ...]]
    sizes: Sequence[int]


def piece_bounds(n_events: int) -> list[tuple[int, int]]:
    """Return first event and the one behind the last of each piece."""
    return [(start, min(start + PIECE_EVENTS, n_events)) for start in range(0, n_events, PIECE_EVENTS)]


def columns_in_pieces(
    work: Callable[..., Columns], outputs: Sequence[Pieces], place: Place = None, *, what: str
) -> Generator[Columns]:
    """Compute the columns of outputs, one after the other, with all workers busy across them.

    Parameters
    ----------
    work : callable
        Importable function from a task to columns; those that not all pieces of an output have are left out.
    outputs : sequence of Pieces
        What is wanted.
    place : int, DaskScheduler, SlurmSettings or None
        Where work runs.
    what : str
        What is done, for the progress bar.

    Yields
    ------
    dict of str to array
        Columns of each output; its journal is deleted when the next one is asked for, so that the caller has written
        the output by then.

    Raises
    ------
    InputError
        A journal belongs to something else, is being written by another process, or cannot be written.
    Exception
        Whatever ``work`` raises, and what `magicnn.executors.results_in_order` does.
    """
    opened: deque[tuple[Pieces, Journal, deque[int]]] = deque()
    with ExitStack() as stack:
        bar = stack.enter_context(progress(total=sum(sum(o.sizes) for o in outputs), description=what, unit="event"))

        def missing() -> Iterator[tuple[Any, ...]]:
            for output in outputs:
                journal = stack.enter_context(Journal(output.journal, {"identity": output.identity}, resume=True))
                left = deque(unit for unit in range(len(output.tasks)) if unit not in journal.units)
                bar.update(sum(output.sizes) - sum(output.sizes[unit] for unit in left))
                opened.append((output, journal, left))
                yield from (output.tasks[unit] for unit in tuple(left))

        results = stack.enter_context(closing(results_in_order(work, missing(), place, what=what)))
        for columns in results:
            yield from _finished(opened)
            output, journal, left = opened[0]
            unit = left.popleft()
            journal.append(unit, columns)
            bar.update(output.sizes[unit])
            yield from _finished(opened)
        yield from _finished(opened)


def _finished(opened: deque[tuple[Pieces, Journal, deque[int]]]) -> Iterator[Columns]:
    """Give the columns of the outputs at the head that are complete, and delete their journals."""
    while opened and not opened[0][2]:
        _, journal, _ = opened.popleft()
        records = sorted(journal.records(), key=lambda record: record.unit)
        names = [name for name in records[0].arrays if all(name in r.arrays for r in records)]
        yield {name: np.concatenate([r.arrays[name] for r in records]) for name in names}
        del records
        journal.close(remove=True)
