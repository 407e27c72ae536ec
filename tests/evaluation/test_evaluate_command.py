import json

import pytest
import typer
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.cli.evaluate import evaluate
from magicnn.errors import ConfigError, InputError
from magicnn.predictions import PredictionTable, load_predictions

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(evaluate)


def invoke(*arguments):
    return CliRunner().invoke(APP, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def files(synthetic, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictions")
    paths = []
    for method, tables in synthetic.predictions(n_showers=40, reuse=2).items():
        for k, table in enumerate(tables):
            paths.append(folder / f"{method}_{k}.h5")
            table.save(paths[-1])
    return paths


def test_files_to_metrics(files, tmp_path):
    words = ("--set", "n_replicates=20", "--set", "zenith_bins_deg=[[5, 35]]", "--seed", 4)
    done = invoke(*files, "--output", tmp_path, *words)
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["settings"]["seed"] == 4
    assert {r["zenith_max_deg"] for r in content["rows"]} == {35.0}
    assert {r["method"] for r in content["rows"]} >= {"CNN", "forest", "LUT", "CNN vs forest"}
    assert (tmp_path / "metrics.ecsv").exists()
    again = invoke(*files, "--output", tmp_path)
    assert isinstance(again.exception, InputError)
    assert "--overwrite" in str(again.exception)


def test_dry_run_writes_nothing(files, tmp_path):
    done = invoke(*files, "--output", tmp_path / "new", "--dry-run")
    assert done.exit_code == 0
    assert "n_replicates: 300" in done.output
    assert "PredictionTable(CNN" in done.output
    assert not (tmp_path / "new").exists()


def test_events_that_are_not_judged_are_named(files, tmp_path):
    table = load_predictions(files[0])
    helium = tmp_path / "helium.h5"
    PredictionTable(table.method, table.columns, "helium", table.generated, table.meta).save(helium)
    done = CliRunner().invoke(app, ["evaluate", *map(str, files), str(helium), "--dry-run"])
    assert done.exit_code == 0, done.output
    assert done.output.count("are not judged") == 1
    assert f"{helium}: helium events are not judged, only gammas and protons are" in done.output


def test_mistakes_are_named(files, tmp_path):
    assert isinstance(invoke(tmp_path / "nothing.h5").exception, InputError)
    wrong = invoke(files[0], "--set", "n_replicate=5").exception
    assert isinstance(wrong, ConfigError)
    assert "n_replicates" in str(wrong)
    wrong = invoke(files[0], "--output", tmp_path, "--set", "zenith_bins_deg=[[35, 5]]").exception
    assert isinstance(wrong, ConfigError)
    assert "zenith_bins_deg" in str(wrong)
    assert not list(tmp_path.iterdir())
