"""Local processes and workers of Dask behind one interface, and tasks whose worker died."""

import contextlib
import os
import signal
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, islice

import pytest

from magicnn.cluster import DaskScheduler
from magicnn.errors import ConfigError, MagicnnError, MissingDependencyError
from magicnn.executors import in_threads, interrupts_held, is_here, n_cores, open_workers, results_in_order


class FakeClient:
    """What of Dask's client is used, on threads."""

    opened: tuple = ()

    def __init__(self, *, address=None, scheduler_file=None, timeout, set_as_default):
        if address == "tcp://nowhere:1":
            raise OSError("Timed out trying to connect")
        FakeClient.opened += (address or scheduler_file,)
        self.pool = ThreadPoolExecutor(2)

    def nthreads(self):
        return {} if "empty" in FakeClient.opened[-1] else {"a": 1, "b": 1}

    def submit(self, work, *arguments, pure):
        assert not pure
        return self.pool.submit(work, *arguments)

    def get_executor(self, *, pure):
        assert not pure
        return self.pool

    def close(self):
        self.pool.shutdown()


class KilledWorker(Exception):  # noqa: N818 Dask's name
    pass


@pytest.fixture
def dask(monkeypatch):
    fake = types.ModuleType("distributed")
    fake.Client = FakeClient
    fake.scheduler = types.SimpleNamespace(KilledWorker=KilledWorker)
    fake.comm = types.SimpleNamespace(CommClosedError=type("CommClosedError", (IOError,), {}))
    monkeypatch.setitem(sys.modules, "distributed", fake)
    return fake


def test_dask_workers_are_an_executor(dask, tmp_path):
    with open_workers(DaskScheduler("tcp://head:8786")) as found:
        assert found.number == 2
        assert found.executor.submit(pow, 2, 5).result() == 32
    scheduler = tmp_path / "scheduler.json"
    scheduler.write_text("{}")
    with open_workers(DaskScheduler(str(scheduler))):
        assert FakeClient.opened[-1] == str(scheduler)


def test_mistakes_with_dask_are_one_line(dask):
    with (
        pytest.raises(ConfigError, match="tcp://nowhere:1: no Dask scheduler answers there"),
        open_workers(DaskScheduler("tcp://nowhere:1")),
    ):
        pass
    with pytest.raises(ConfigError, match="has no workers"), open_workers(DaskScheduler("tcp://empty:1")):
        pass
    with (
        pytest.raises(MagicnnError, match="tcp://head:1: the scheduler went away"),
        open_workers(DaskScheduler("tcp://head:1")),
    ):
        raise dask.comm.CommClosedError


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(MissingDependencyError, match=r"magicnn\[cluster\]"),
        open_workers(DaskScheduler("tcp://head:8786")),
    ):
        pass


def test_local_processes(monkeypatch):
    assert n_cores() >= 1
    with open_workers(1) as found:
        with interrupts_held():
            held = signal.pthread_sigmask(signal.SIG_BLOCK, ())
            blocked = found.executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ())
        assert signal.SIGINT in held
        assert signal.SIGINT in blocked.result(), "a worker never sees an interrupt"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_one_worker_is_this_process():
    assert is_here(1)
    assert not is_here(2)
    assert not is_here(DaskScheduler("tcp://head:8786"))
    with pytest.raises(ConfigError, match="at least one worker, got 0"):
        is_here(0)
    assert list(results_in_order(os.getpid, [()] * 3, 1, what="this")) == [os.getpid()] * 3


def dies_once(number, folder):
    """Square a number; of the fifth one the first process dies."""
    if number == 5:
        try:
            (folder / "died").touch(exist_ok=False)
        except FileExistsError:
            return number**2
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def dies(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_the_work_of_a_dead_process_is_done_again_in_order(tmp_path, caplog):
    results = results_in_order(dies_once, ((number, tmp_path) for number in count()), 2, what="squares")
    with contextlib.closing(results):
        assert list(islice(results, 12)) == [number**2 for number in range(12)]
    assert (tmp_path / "died").exists()
    assert caplog.text.count("squares: a worker died") == 1


def test_work_that_kills_its_processes_ends_in_one_line(caplog):
    found = []
    with pytest.raises(MagicnnError, match=r"numbers: workers died again and again, .*the same command continues"):
        found.extend(results_in_order(dies, ((number,) for number in range(20)), 2, what="numbers"))
    assert found in ([], [0], [0, 1])
    assert 2 <= caplog.text.count("a worker died") <= 6


def test_dask_has_tried_again_before_it_reports_a_loss(dask):
    def killed():
        raise KilledWorker

    with pytest.raises(MagicnnError, match="workers died again"):
        list(results_in_order(killed, [()], DaskScheduler("tcp://head:8786"), what="numbers"))


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_work_in_threads_returns_in_order_and_raises(threads):
    assert in_threads([partial(pow, n, 2) for n in range(10)], threads) == [n**2 for n in range(10)]
    with pytest.raises(ZeroDivisionError):
        in_threads([partial(divmod, 1, n) for n in (1, 0, 2)], threads)
    assert in_threads([], threads) == []


def test_a_process_that_another_started_works_in_its_own_thread():
    assert not works_here(threads=2)
    with open_workers(1) as workers:
        assert workers.executor.submit(works_here).result()


def works_here(threads=None):
    return threading.get_ident() in in_threads([threading.get_ident] * 4, threads)
