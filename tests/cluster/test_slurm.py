"""Commands and job files on a Slurm, such as the one of tools/slurm_single_node.sh, give what one process does.

tools/slurm_single_node.sh start /tmp/slurm
SLURM_CONF=/tmp/slurm/slurm.conf python -m pytest -m slow tests/cluster/test_slurm.py
tools/slurm_single_node.sh stop /tmp/slurm
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from magicnn.images.features import FeatureTable
from magicnn.predictions import load_predictions

ROOT = Path(__file__).parents[2]


def answers():
    """Whether there is a Slurm with a node that works."""
    if shutil.which("sinfo") is None:
        return False
    words = ["sinfo", "--noheader", "--states=idle,mixed,allocated"]
    return "up" in subprocess.run(words, capture_output=True, text=True, check=False).stdout


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not answers(), reason="no Slurm here"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Settings of two jobs with one worker each."""
    pytest.importorskip("dask_jobqueue")
    folder = tmp_path_factory.mktemp("jobs")
    path = folder / "workers.yaml"
    path.write_text(f"jobs: 2\ncores: 1\nmemory: 2GB\nwalltime: '00:30:00'\nlogs: {folder}\n")
    return path


def queued(state=()):
    return subprocess.run(
        ["squeue", "-h", "-o", "%i", *state], capture_output=True, text=True, check=True
    ).stdout.split()


def test_simulate_while_a_job_is_cancelled(jobs, serial, simulation, run_magicnn, require_same_events, tmp_path):
    output = tmp_path / "gamma.h5"
    journal = tmp_path / ".gamma.h5.partial"
    cancelled = []

    def cancel():
        while not (journal.exists() and journal.stat().st_size > 100_000):
            time.sleep(0.05)
        cancelled.append(queued()[0])
        subprocess.run(["scancel", cancelled[0]], check=True)

    threading.Thread(target=cancel, daemon=True).start()
    run_magicnn(*simulation, "--output", output, "--slurm", jobs)
    assert cancelled
    require_same_events(output, serial / "gamma.h5")
    assert not queued(), "no job is left"


def test_convert_features_and_predict(
    jobs, serial, predict_options, run_magicnn, require_same_events, require_same_tables, tmp_path
):
    events = [serial / f"{name}.h5" for name in ("gamma", "gamma_diffuse", "proton")]
    run_magicnn("convert", *events, "--output", tmp_path / "events", "--slurm", jobs)
    run_magicnn("features", *events, "--output", tmp_path / "features", "--slurm", jobs)
    run_magicnn("predict", events[0], *predict_options, "--output", tmp_path / "predictions", "--slurm", jobs)
    for path in events:
        require_same_events(tmp_path / "events" / path.name, path)
        require_same_tables(*(FeatureTable.load(f / "features" / path.name) for f in (tmp_path, serial)))
    for method in ("CNN", "forest", "LUT"):
        require_same_tables(*(load_predictions(f / "predictions" / f"{method}.h5") for f in (tmp_path, serial)))


@pytest.fixture
def submit(tmp_path):
    """Submit a job file for a small job, wait for it, and make sure that it ended well."""
    environment = os.environ | {"RUN": str(tmp_path / "run"), "VENV": sys.prefix, "OMP_NUM_THREADS": "1"}
    if not Path(sys.prefix, "bin", "activate").exists():
        pytest.skip("this Python is in no virtual environment, which the job files begin with")

    def run(step, *options, more=(), **variables):
        path = ROOT / "analysis" / "slurm" / f"{step}.sbatch"
        words = ["sbatch", "--wait", "--cpus-per-task=1", "--mem=2G", "--time=30:00", f"--output={tmp_path}/%x-%a.out"]
        done = subprocess.run(
            [*words, *options, str(path), *more],
            cwd=ROOT,
            env=environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        said = "".join(f"\n{file.name}: {file.read_text()[-1000:]}" for file in sorted(tmp_path.glob("magicnn-*.out")))
        assert done.returncode == 0, done.stderr + said

    return run


def test_the_job_files_make_a_report(submit, tmp_path):
    submit("simulate", "--array=0-2,12-14", N_EVENTS="120")
    submit("features")
    submit("baseline", "--array=0", more=("--set", "forest.n_trees=10"))
    short = ("--set", "training.epochs=2")
    submit("train", "--array=0-1", "--gpus-per-node=0", more=short)
    submit("predict", "--array=0-2")
    submit("report", "--array=0")
    run = tmp_path / "run"
    assert (run / "report" / "za05to35" / "index.html").stat().st_size > 10_000
    assert len(list(run.glob("predictions/za05to35/*/*.h5"))) == 9
    model = run / "models" / "za05to35" / "classifier.pt"
    model.unlink()
    submit("train_torchrun", "--array=0", "--nodes=1", "--gpus-per-node=0", more=short, PROCESSES="2", BATCH_SIZE="64")
    assert model.exists()
