import dataclasses
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


def test_runs_side_by_side(report_inputs, tmp_path):
    rows = tuple(r for r in report_inputs.metrics.rows if r.zenith_min_deg == 62.0)
    MetricsTable(rows, {"seed": 1}).save(tmp_path / "deep" / "report")
    wide = tuple(dataclasses.replace(r, value=1.01 * r.value) for r in rows)
    MetricsTable(wide, {"seed": 2}).save(tmp_path / "wide")
    runs = tmp_path / "deep", tmp_path / "wide" / "metrics.json"
    assert "wide: MetricsTable(" in invoke("--compare", *runs, "--output", tmp_path / "out", "--dry-run").output
    done = invoke("--compare", *runs, "--output", tmp_path / "out", "--title", "Two")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "<h1>Two</h1>" in text
    for name in ("CNN, deep", "CNN, wide", "LUT, wide"):
        assert f'<th scope="col">{name}</th>' in text
    assert "<td>seed</td><td>1</td><td>2</td>" in text
    for figure in ("auc_energy_za62to70", "resolution_za62to70"):
        assert f'href="figures/{figure}.pdf"' in text
        drawn = (tmp_path / "out" / "figures" / f"{figure}.ecsv").read_text("utf-8")
        assert '"CNN, deep"' in drawn
        assert '"CNN, wide"' in drawn
    merged = MetricsTable.load(tmp_path / "out" / "metrics.json")
    one, other = (merged.row(f"CNN, {run}", "auc", (62.0, 70.0)) for run in ("deep", "wide"))
    assert other.value == pytest.approx(1.01 * one.value)


def test_comparison_of_one_run_with_itself_or_with_a_history(files, tmp_path):
    same = invoke("--compare", files[0], files[0], files[0], "--output", tmp_path)
    assert "given twice" in str(same.exception)
    wrong = invoke("--compare", files[0], files[0], "--history", tmp_path / "h.csv", "--output", tmp_path)
    assert wrong.exit_code == 2
    assert not (tmp_path / "index.html").exists()


def test_predictions_without_truth_are_shown_as_real_events(files, report_inputs, tmp_path):
    paths = []
    for method, table in report_inputs.real.predictions.items():
        paths.append(tmp_path / f"{method}.h5")
        table.save(paths[-1])
    done = invoke(*files, *paths, "--output", tmp_path / "out")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "<td>29796</td>" in text
    assert "4 real events (full)" in text
    twice = invoke(*files, paths[0], paths[0], "--output", tmp_path / "out")
    assert "one per method" in str(twice.exception)


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
