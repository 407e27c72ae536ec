"""Every bulk command on four workers of Dask, one of them killed in the middle, gives what one process does."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from magicnn.images.features import FeatureTable
from magicnn.predictions import load_predictions

pytestmark = [
    pytest.mark.slow,
    # what Dask and its event loop leave to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
N_WORKERS = 4


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.fixture
def killer(cluster):
    """Kill one worker as soon as something exists, and tell at the end that it happened."""
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(N_WORKERS, timeout=60)
        processes = sorted(client.run(os.getpid).values())
    told = []

    def watch(is_time):
        deadline = time.monotonic() + 240.0
        while time.monotonic() < deadline:
            if is_time():
                os.kill(processes[0], signal.SIGKILL)
                told.append(processes[0])
                return
            time.sleep(0.01)

    def start(is_time):
        threading.Thread(target=watch, args=(is_time,), daemon=True).start()
        return told

    return start


def begun(path, n_bytes=1):
    """Whether a journal holds some results, and the output is not there yet."""
    journal = path.with_name(f".{path.name}.partial")
    return lambda: journal.exists() and journal.stat().st_size > n_bytes


def test_simulate(cluster, killer, serial, simulation, run_magicnn, require_same_events, tmp_path):
    output = tmp_path / "gamma.h5"
    killed = killer(begun(output, 100_000))
    run_magicnn(*simulation, "--output", output, "--dask", cluster.scheduler_address)
    assert killed
    require_same_events(output, serial / "gamma.h5")


def test_convert(cluster, killer, serial, run_magicnn, require_same_events, tmp_path):
    (tmp_path / "night").mkdir()
    for number in range(10):
        shutil.copy(serial / "gamma.h5", tmp_path / "night" / f"run_{number}.h5")
    output = tmp_path / "out"
    killed = killer(lambda: output.exists() and any(output.iterdir()))
    said = run_magicnn("convert", tmp_path / "night", "--output", output, "--dask", cluster.scheduler_address)
    assert killed
    assert "10 runs" in said
    for number in range(10):
        require_same_events(output / f"run_{number}.h5", serial / "gamma.h5")


def test_features(cluster, killer, serial, run_magicnn, require_same_tables, tmp_path):
    events = [serial / f"{name}.h5" for name in ("gamma", "gamma_diffuse", "proton")]
    killed = killer(begun(tmp_path / "gamma.h5", 10_000))
    run_magicnn("features", *events, "--output", tmp_path, "--dask", cluster.scheduler_address)
    assert killed
    for path in events:
        same = (FeatureTable.load(folder / path.name) for folder in (tmp_path, serial / "features"))
        require_same_tables(*same)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in events), "no journal is left"


def test_predict(cluster, killer, serial, predict_options, run_magicnn, require_same_tables, tmp_path):
    killed = killer(begun(tmp_path / "predictions.h5", 10_000))
    words = (*predict_options, "--output", tmp_path, "--dask", cluster.scheduler_address)
    run_magicnn("predict", serial / "gamma.h5", *words)
    assert killed
    for method in ("CNN", "forest", "LUT"):
        same = (load_predictions(folder / f"{method}.h5") for folder in (tmp_path, serial / "predictions"))
        require_same_tables(*same)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["CNN.h5", "LUT.h5", "forest.h5"]


def test_a_killed_prediction_continues(serial, predict_options, run_magicnn, require_same_tables, tmp_path):
    """Here without a cluster: the process itself is killed, and the next one goes on with its pieces."""
    words = [str(w) for w in ("predict", serial / "gamma.h5", *predict_options, "--output", tmp_path)]
    script = (
        "import sys, magicnn.io.pieces as pieces; pieces.PIECE_EVENTS = 16\n"
        "from magicnn.cli import main; sys.argv[1:] = " + repr(words) + "; main()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    is_time = begun(tmp_path / "predictions.h5", 20_000)
    deadline = time.monotonic() + 120.0
    while not is_time() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert is_time()
    assert not (tmp_path / "CNN.h5").exists()
    run_magicnn(*words)
    table, same = (load_predictions(folder / "CNN.h5") for folder in (tmp_path, serial / "predictions"))
    require_same_tables(table, same)
    assert not np.isnan(table["gammaness"]).all()
