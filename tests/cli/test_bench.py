"""``magicnn bench simulate``: numbers, table, errors."""

import json

from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.pipeline.simulation_speed import MEASURES


def run(*words):
    return CliRunner().invoke(app, ["bench", "simulate", *map(str, words)])


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
