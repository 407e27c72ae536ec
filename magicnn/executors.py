"""Where work runs: local processes, or the workers of a Dask scheduler, behind one `concurrent.futures` interface."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from magicnn.errors import ConfigError, optional_import

__all__ = ["Workers", "interrupts_held", "n_cores", "open_workers"]


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
    """

    executor: Executor
    number: int
    losses: tuple[type[BaseException], ...]


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def open_workers(workers: int | None = None, *, dask: str | None = None) -> Iterator[Workers]:
    """Open local processes or connect to a Dask scheduler, while the block lasts.

    Parameters
    ----------
    workers : int, optional
        Local processes; one per core when not given.
    dask : str, optional
        Address of a Dask scheduler, such as ``tcp://head:8786``, or its scheduler file: work goes to its workers.

    Yields
    ------
    Workers

    Raises
    ------
    ConfigError
        There is no scheduler at that address, it has no workers, or both kinds of workers were asked for.
    MissingDependencyError
        Dask is not installed.

    Notes
    -----
    Local processes are started anew, end when their parent dies, and never see an interrupt from the terminal: that is
    the parent's. At the end of the block work that has not begun is dropped, and what runs is waited for.
    """
    if dask is not None:
        if workers is not None:
            raise ConfigError("workers are either local processes (--workers) or those of Dask (--dask), not both")
        with _dask_workers(dask) as found:
            yield found
        return
    number = n_cores() if workers is None else workers
    pool = ProcessPoolExecutor(
        number, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent_soon
    )
    try:
        yield Workers(pool, number, (BrokenProcessPool,))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


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


@contextlib.contextmanager
def _dask_workers(address: str) -> Iterator[Workers]:
    distributed = optional_import("distributed", purpose="use workers of Dask", extra="cluster")
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = distributed.Client(**where, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{address}: no Dask scheduler answers there ({error or type(error).__name__})") from error
    try:
        number = sum(client.nthreads().values())
        if number == 0:
            raise ConfigError(f"{address}: the Dask scheduler has no workers; start some with: dask worker {address}")
        # what is simulated depends on its arguments alone, but two identical calls must not be taken for one
        executor = client.get_executor(pure=False)
        try:
            yield Workers(executor, number, (distributed.scheduler.KilledWorker, distributed.comm.CommClosedError))
        finally:
            executor.shutdown(wait=False)
    finally:
        client.close()


def _end_with_parent_soon() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent dies: a killed job leaves nobody behind."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
