"""The scripts that train many networks."""

import subprocess
import sys
from pathlib import Path

import depth_width
import learning_curve
import learning_rate
import numpy as np
import pytest

from magicnn.io.eventset.reader import EventSetWriter
from magicnn.runs import read_json

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(p for p in (ROOT / "analysis").glob("*.py") if "__main__" in p.read_text())
SETTINGS = """
inputs: {auxiliary: [cos_zenith, baseline, field, centre, has_image], crop_radius: 5}
network: {hidden: 16, arguments: {stem: 4, widths: [8]}}
training: {epochs: 1, threads: 1, batch_size: 32, validation_fraction: 0.3}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_events):
    folder = tmp_path_factory.mktemp("scans")
    with EventSetWriter(folder / "events.h5", small_events.meta) as writer:
        writer.append(small_events)
    (folder / "settings.yaml").write_text(SETTINGS)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "choice", "n_trainings"),
    [
        (learning_curve, ("--shares", "0.5", "1"), 2),
        (learning_rate, ("--rates", "1e-3", "2e-3", "--head", "energy"), 2),
        (depth_width, ("--widths", "4", "4,8", "--blocks", "1"), 2),
    ],
)
def test_scans(folder, tmp_path, monkeypatch, capsys, script, choice, n_trainings):
    words = [str(folder / "events.h5"), "--config", str(folder / "settings.yaml"), "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["scan", *words, *choice, "--device", "cpu"])
    script.main()
    rows = read_json(tmp_path / "scan.json")
    assert len(rows) == n_trainings
    assert len({row["train_loss"] for row in rows}) == n_trainings
    assert (tmp_path / "scan.png").stat().st_size > 5000
    models = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")}
    assert len(models) == n_trainings
    said = capsys.readouterr().out
    script.main()
    assert capsys.readouterr().out == said
    assert {path: path.stat().st_mtime_ns for path in models} == models, "finished trainings are not repeated"


def test_shares_of_a_learning_curve_are_nested_and_validated_alike(small_settings):
    shower_id = np.arange(4000) // 2
    settings = small_settings()
    half, most = (learning_curve.keep(share)(shower_id, settings) for share in (0.5, 0.9))
    assert not (half & ~most).any()
    # half of the three quarters that are trained on, and the quarter that validates
    assert half.mean() == pytest.approx(0.25 + 0.75 * 0.5, abs=0.03)
    assert learning_curve.keep(1.0) is None


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_has_help(script):
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
