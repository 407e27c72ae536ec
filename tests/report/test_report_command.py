import json

import pytest
import typer
from typer.testing import CliRunner

from magicnn.cli.report import report
from magicnn.errors import InputError
from magicnn.evaluation import MetricsTable

APP = typer.Typer(pretty_exceptions_enable=False)
APP.command()(report)


def invoke(*arguments):
    return CliRunner().invoke(APP, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def files(report_inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    rows = tuple(r for r in report_inputs.metrics.rows if r.method == "LUT" and r.zenith_min_deg == 62.0)
    MetricsTable(rows).save(folder)
    path = folder / "LUT.h5"
    report_inputs.predictions["LUT"][0].save(path)
    return folder / "metrics.json", path


def test_files_to_page(files, tmp_path):
    history = tmp_path / "energy.history.csv"
    history.write_text("epoch,train_loss,validation_loss\n1,0.9,0.8\n2,0.5,0.6\n")
    flow = tmp_path / "flow.json"
    flow.write_text(json.dumps({"gamma_za05to35": {"triggered": 10}}))
    done = invoke(*files, "--output", tmp_path / "out", "--title", "Mine", "--history", history, "--cut-flow", flow)
    assert done.exit_code == 0, done.output
    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "<h1>Mine</h1>" in text
    assert "energy: loss per epoch" in text
    assert "gamma_za05to35" in text


def test_dry_run_writes_nothing(files, tmp_path):
    done = invoke(*files, "--output", tmp_path / "out", "--dry-run")
    assert "MetricsTable(" in done.output
    assert "PredictionTable(LUT" in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--history", "epoch\nx\n", "not the history of a training"),
        ("--cut-flow", "[1]", "expected event sets"),
    ],
)
def test_mistakes_are_named(files, tmp_path, option, content, message):
    path = tmp_path / "wrong"
    path.write_text(content)
    failed = invoke(*files, "--output", tmp_path / "out", option, path)
    assert isinstance(failed.exception, InputError)
    assert message in str(failed.exception)
