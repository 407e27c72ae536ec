"""The command ``magicnn simulate``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.io.eventset import EventSet

CONFIG = Path(__file__).parents[2] / "mc_configs" / "gamma_za05to35.yaml"
SMALL = ["--set", "energy_min_gev=200", "--set", "energy_max_gev=400", "--set", "showers_per_chunk=2"]


def call(*words):
    return CliRunner().invoke(app, ["simulate", *map(str, words)])


def test_simulate_writes_an_event_set(tmp_path):
    output = tmp_path / "gammas.h5"
    command = (CONFIG, "-n", 5, "--output", output, "--seed", 2, "--workers", 1, *SMALL)
    done = call(*command)
    assert done.exit_code == 0, done.output
    with EventSet(output) as events:
        assert len(events) >= 5
        assert events.meta.particle == "gamma"
        assert events.meta.generated["energy_max_gev"] == 400.0
        assert events.meta.provenance["seed"] == 2
    again = call(*command)
    assert again.exit_code == 0
    assert "events of" in again.output


def test_dry_run_shows_the_effective_settings_and_writes_nothing(tmp_path):
    done = call(CONFIG, "--output", tmp_path / "none.h5", "--dry-run", *SMALL)
    assert done.exit_code == 0
    assert "energy_max_gev: 400.0" in done.output
    assert "night_sky_pe_per_ns" in done.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "energy_max=3"], "unknown setting"),
        (["--set", "zenith_max_deg=89"], "zenith_max_deg"),
        (["--set", "detector.readout.n_sample=3"], "did you mean 'n_samples'"),
    ],
)
def test_mistakes_end_with_code_2_and_one_line(tmp_path, words, message):
    done = call(CONFIG, "--output", tmp_path / "none.h5", *words)
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_a_missing_file_ends_with_code_2(tmp_path):
    done = call(tmp_path / "no.yaml", "--output", tmp_path / "none.h5")
    assert done.exit_code == 2
    assert "no.yaml" in done.output


@pytest.mark.parametrize("words", [[], ["--overwrite"]])
def test_the_settings_are_never_overwritten(tmp_path, words):
    settings = tmp_path / "mine.yaml"
    settings.write_text(CONFIG.read_text())
    for name in ("detector.yaml", "site.yaml"):
        (tmp_path / name).write_text(CONFIG.with_name(name).read_text())
    done = call(settings, "--output", settings, "-n", 5, "--workers", 1, *words)
    assert done.exit_code == 3
    assert "mine.yaml: holds the settings" in done.output
    assert settings.read_text() == CONFIG.read_text()
