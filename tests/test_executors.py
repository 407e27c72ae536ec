"""Workers of Dask and local processes behind one interface."""

import signal
import sys
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from magicnn.errors import ConfigError, MissingDependencyError
from magicnn.executors import interrupts_held, n_cores, open_workers


class FakeClient:
    """What of Dask's client is used, on threads."""

    opened: tuple = ()

    def __init__(self, *, address=None, scheduler_file=None, timeout, set_as_default):
        if address == "tcp://nowhere:1":
            raise OSError("Timed out trying to connect")
        FakeClient.opened += (address or scheduler_file,)
        self.closed = False

    def nthreads(self):
        return {} if "empty" in FakeClient.opened[-1] else {"a": 1, "b": 1}

    def get_executor(self, *, pure):
        assert not pure
        return ThreadPoolExecutor(2)

    def close(self):
        self.closed = True


@pytest.fixture
def dask(monkeypatch):
    fake = types.ModuleType("distributed")
    fake.Client = FakeClient
    fake.scheduler = types.SimpleNamespace(KilledWorker=type("KilledWorker", (Exception,), {}))
    fake.comm = types.SimpleNamespace(CommClosedError=type("CommClosedError", (IOError,), {}))
    monkeypatch.setitem(sys.modules, "distributed", fake)
    return fake


def test_dask_workers_are_an_executor(dask, tmp_path):
    with open_workers(dask="tcp://head:8786") as found:
        assert found.number == 2
        assert found.executor.submit(pow, 2, 5).result() == 32
    scheduler = tmp_path / "scheduler.json"
    scheduler.write_text("{}")
    with open_workers(dask=str(scheduler)):
        assert FakeClient.opened[-1] == str(scheduler)


def test_mistakes_with_dask_are_one_line(dask):
    with (
        pytest.raises(ConfigError, match="tcp://nowhere:1: no Dask scheduler answers there"),
        open_workers(dask="tcp://nowhere:1"),
    ):
        pass
    with pytest.raises(ConfigError, match="has no workers"), open_workers(dask="tcp://empty:1"):
        pass
    with pytest.raises(ConfigError, match="not both"), open_workers(2, dask="tcp://head:8786"):
        pass


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"magicnn\[cluster\]"), open_workers(dask="tcp://head:8786"):
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
