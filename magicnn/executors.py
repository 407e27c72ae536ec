"""Where work runs: local processes, a Dask scheduler's workers, or Slurm jobs, behind one `Executor`."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from magicnn.cluster import DaskScheduler, SlurmSettings, open_cluster
from magicnn.errors import ConfigError, MagicnnError

__all__ = [
    "Place",
    "Workers",
    "in_threads",
    "interrupts_held",
    "is_here",
    "n_cores",
    "open_workers",
    "results_in_order",
]

_LOG = logging.getLogger(__name__)

Place = int | DaskScheduler | SlurmSettings | None
"""That many local processes, the workers of a Dask scheduler, or Slurm jobs; None for a local process per core."""

_AHEAD = 3  # tasks that wait for each worker, so that none is idle
_TRIES = 3

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Workers:
    """Where functions can be sent.

    Attributes
    ----------
    executor : concurrent.futures.Executor
        Takes importable functions and arguments that can be pickled.
    number : int
        How many of them run at the same time.
    losses : tuple of exception types
        What a future raises when the process that worked on it died.
    tries_again : bool
        Whether the executor gave the work of a dead process to others before it raises a loss; if not, it is broken.
    """

    executor: Executor
    number: int
    losses: tuple[type[BaseException], ...]
    tries_again: bool = False


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_here(place: Place) -> bool:
    """Whether work needs no other process: one local worker.

    Raises
    ------
    ConfigError
        Fewer than one local process.
    """
    if isinstance(place, int) and place < 1:
        raise ConfigError(f"expected at least one worker, got {place}")
    return (place is None or isinstance(place, int)) and (place or n_cores()) == 1


def in_threads(work: Sequence[Callable[[], _Result]], threads: int | None = None) -> list[_Result]:
    """Do work that lets other threads run meanwhile: unpacking, arithmetic of large arrays, compiled functions.

    Parameters
    ----------
    work : sequence of callables
        In any order, at the same time.
    threads : int, optional
        As many as cores when not given, but one in a process that another one started: that shares the cores already.

    Returns
    -------
    list
        What they return, in their order. The first exception is raised here, after what runs then has ended.
    """
    if threads is None:
        threads = 1 if multiprocessing.parent_process() is not None else n_cores()
    number = min(len(work), threads)
    if number <= 1:
        return [do() for do in work]
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(lambda do: do(), work))


@contextlib.contextmanager
def open_workers(place: Place = None) -> Iterator[Workers]:
    """Open local processes, connect to a Dask scheduler, or start Slurm jobs, while the block lasts.

    Parameters
    ----------
    place : int, DaskScheduler, SlurmSettings or None
        Where work runs.

    Yields
    ------
    Workers

    Raises
    ------
    ConfigError, MissingDependencyError, MagicnnError
        As `magicnn.cluster.open_cluster`.

    Notes
    -----
    Local processes are started anew, end when their parent dies, and never see an interrupt from the terminal: that is
    the parent's. At the end of the block work that has not begun is dropped, and what runs is waited for.
    """
    if isinstance(place, DaskScheduler | SlurmSettings):
        with open_cluster(place) as (executor, number, killed):
            yield Workers(executor, number, (killed,), tries_again=True)
        return
    number = n_cores() if place is None else place
    pool = ProcessPoolExecutor(
        number, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent_soon
    )
    try:
        yield Workers(pool, number, (BrokenProcessPool,))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def results_in_order(
    work: Callable[..., _Result], tasks: Iterable[tuple[Any, ...]], place: Place = None, *, what: str
) -> Generator[_Result]:
    """Do tasks on workers and give their results in order; the tasks of a worker that died are done again.

    Parameters
    ----------
    work : callable
        Importable function; its result depends on its arguments alone.
    tasks : iterable of tuple
        Arguments of each call, maybe without end; taken a few calls ahead.
    place : int, DaskScheduler, SlurmSettings or None
        Where work runs; one local process is this one.
    what : str
        What is done, for the error.

    Yields
    ------
    object
        Results, in the order of the tasks.

    Raises
    ------
    MagicnnError
        Workers died three times without a result in between.
    Exception
        Whatever ``work`` raises, and what `open_workers` does.
    """
    if is_here(place):
        for arguments in tasks:
            yield work(*arguments)
        return
    source = iter(tasks)
    begun = deque(islice(source, 1))
    n_lost = 0
    while begun:
        with open_workers(place) as found:
            try:
                futures: deque[Future[_Result]] = deque()
                with interrupts_held():
                    begun.extend(islice(source, max(0, _AHEAD * found.number - len(begun))))
                    futures.extend(found.executor.submit(work, *arguments) for arguments in begun)
                while futures:
                    result = futures.popleft().result()
                    begun.popleft()
                    n_lost = 0
                    yield result
                    for arguments in islice(source, 1):
                        begun.append(arguments)
                        futures.append(found.executor.submit(work, *arguments))
            except found.losses as error:
                n_lost += 1
                if found.tries_again or n_lost == _TRIES:
                    raise MagicnnError(
                        f"{what}: workers died again and again, maybe for lack of memory; the same command continues "
                        "with what is done"
                    ) from error
                _LOG.warning("%s: a worker died, maybe for lack of memory; what it did is done again", what)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back interrupts from the terminal: processes started in this block never get them, this one does after it.

    Notes
    -----
    A process that is still importing cannot say what an interrupt should do, and would print a traceback.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent_soon() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent dies: a killed job leaves nobody behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
