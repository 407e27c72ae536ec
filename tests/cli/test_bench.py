"""``magicnn bench``: numbers, table, errors."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.pipeline import evaluation_speed, feature_speed, reading_speed
from magicnn.pipeline.simulation_speed import MEASURES


def run(*words, what="simulate"):
    return CliRunner().invoke(app, ["bench", what, *map(str, words)])


def test_a_measure_is_written_with_its_ratio_and_target(tmp_path):
    done = run("--only", "gamma_100gev_ms", "--scale", 0.02, "--repeat", 2, "--json", tmp_path / "speed.json")
    assert done.exit_code == 0, done.output
    assert "gamma, 100 GeV" in done.output
    found = json.loads((tmp_path / "speed.json").read_text())
    row = found["measures"]["gamma_100gev_ms"]
    assert list(found["measures"]) == ["gamma_100gev_ms"]
    assert 0.0 < row["low"] <= row["value"] <= row["high"]
    assert row["target"] == 5.0
    assert row["is_met"] == (row["value"] <= 5.0)
    assert row["ratio"] == row["value"] / found["reference_ms"]["value"]


def test_unknown_measure_is_named():
    done = run("--only", "gamma_100gv_ms")
    assert done.exit_code == 2
    assert "gamma_100gev_ms" in done.output


def test_help_says_what_is_measured():
    done = run("--help")
    assert done.exit_code == 0
    assert "--json" in done.output
    assert len(MEASURES) > 10


@pytest.mark.slow  # ctapipe compiles its fit for the better part of a minute
def test_features_are_measured_beside_ctapipe_with_ratio_and_target(tmp_path):
    keys = ("all_per_s", "over_ctapipe", "difference")
    options = [word for key in keys for word in ("--only", key)]
    done = run(*options, "--scale", 0.02, "--repeat", 1, "--json", tmp_path / "speed.json", what="features")
    assert done.exit_code == 0, done.output
    assert "image and stereo parameters" in done.output
    found = json.loads((tmp_path / "speed.json").read_text())
    assert set(found["measures"]) == set(keys)
    assert found["n_images"] == 164
    for key, target in zip(keys, (20_000.0, 20.0, 1e-5), strict=True):
        row = found["measures"][key]
        assert 0.0 < row["low"] <= row["value"] <= row["high"]
        assert row["target"] == target
    assert found["measures"]["difference"]["is_met"]


def test_own_rates_need_no_ctapipe(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ctapipe.image", None)
    done = run("--only", "stereo_per_s", "--scale", 0.02, "--repeat", 1, "--json", tmp_path / "s.json", what="features")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "s.json").read_text())["measures"]["stereo_per_s"]["value"] > 0.0
    done = run("--only", "difference", "--scale", 0.02, "--repeat", 1, what="features")
    assert done.exit_code == 1
    assert "ctapipe is needed to compare image parameters" in " ".join(done.output.split())


def test_unknown_measure_of_features_is_named():
    done = run("--only", "al_per_s", what="features")
    assert done.exit_code == 2
    assert "bench features: 'al_per_s' is not known; did you mean 'all_per_s'" in " ".join(done.output.split())
    assert "all_per_s" in feature_speed.MEASURES


def test_reading_is_measured_and_what_is_left_out_is_said(tmp_path):
    done = run("--scale", 0.001, "--repeat", 1, "--json", tmp_path / "speed.json", what="read")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "speed.json").read_text())
    assert found["n_events"] == 20
    with_oracle = ["event_loop_us", "over_event_loop", "event_loop_clock_us", "clock_over_event_loop"]
    assert found["left_out"] == with_oracle
    assert set(found["measures"]) == set(reading_speed.MEASURES) - set(found["left_out"])
    assert all(row["value"] > 0.0 for row in found["measures"].values())
    assert "not measured without --oracle-python: ctapipe_io_magic" in done.output


def test_a_python_without_the_event_loop_is_named(tmp_path):
    words = ("--scale", 0.001, "--repeat", 1, "--only", "event_loop_us", "--oracle-python", tmp_path / "python")
    done = run(*words, what="read")
    assert done.exit_code == 2
    assert "cannot measure with it" in " ".join(done.output.split())


def test_evaluation_is_measured_in_time_and_memory(tmp_path):
    done = run("--events", 1200, "--json", tmp_path / "speed.json", what="evaluate")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "speed.json").read_text())["measures"]
    assert set(found) == set(evaluation_speed.MEASURES)
    assert found["evaluate_s"]["target"] == 120.0
    assert 0.05 < found["peak_memory_gib"]["value"] < 4.0
    assert found["evaluate_s"]["value"] > 0.0


def test_peak_memory_is_that_of_the_process_and_not_of_its_parent() -> None:
    ballast = np.ones(50_000_000)  # 400 MB
    command = "from magicnn.pipeline.speed import peak_memory_bytes as p; a = p(); b = bytearray(10**8); print(a, p())"
    done = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True)
    before, after = map(int, done.stdout.split())
    assert before < ballast.nbytes
    assert 0.5e8 < after - before < 1.5e8
