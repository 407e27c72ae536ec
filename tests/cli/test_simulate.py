"""The command ``magicnn simulate``."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.io.eventset.reader import EventSet

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
        (["--set", "site.light_budget.residual=-1"], "site.light_budget.residual: expected more than 0, got -1"),
        (["--set", "detector.readout.modes.2014.n_samples=5"], "detector.readout.modes.2014.n_samples: expected 20"),
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


@pytest.mark.parametrize(("name", "kind"), [("site", "a site"), ("detector", "a detector")])
def test_a_file_that_is_no_production_is_told_in_one_line(tmp_path, name, kind):
    done = call(CONFIG.with_name(f"{name}.yaml"), "--output", tmp_path / "none.h5")
    assert done.exit_code == 2
    assert f"{name}.yaml: holds the settings of {kind}; expected the settings of a production" in done.output
    assert len(done.output) < 300
    swapped = tmp_path / "swapped.yaml"
    swapped.write_text(CONFIG.read_text())
    for group, other in (("detector", "site"), ("site", "detector")):
        text = CONFIG.with_name(f"{other}.yaml").read_text()
        (tmp_path / f"{group}.yaml").write_text(text)
    done = call(swapped, "--output", tmp_path / "none.h5")
    assert "detector.yaml: holds the settings of a site; expected the settings of a detector" in done.output


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
