"""The script in ``docs/`` recomputes the numbers of a report."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from magicnn.evaluation import EvaluationSettings, evaluate

SCRIPT = Path(__file__).parents[2] / "docs" / "recompute.py"
SETTINGS = EvaluationSettings(n_replicates=20, zenith_bins_deg=((5.0, 35.0), (50.0, 62.0)))


@pytest.fixture
def run_folder(synthetic, tmp_path):
    rng = np.random.default_rng(3)
    tables = synthetic.predictions(n_showers=150, reuse=2)
    weights = [np.where(rng.random(300) < 0.3, 2.5, 1.0) for _ in tables["CNN"]]
    for method, many in tables.items():
        for k, (table, weight) in enumerate(zip(many, weights, strict=True)):
            path = tmp_path / "predictions" / method / f"{k:02d}.h5"
            path.parent.mkdir(parents=True, exist_ok=True)
            tables[method][k] = table.with_columns(weight=weight)
            tables[method][k].save(path)
    evaluate(tables, SETTINGS).save(tmp_path / "report")
    return tmp_path


def recomputed(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(folder)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return capsys.readouterr().out.splitlines()


def test_the_script_has_thirty_lines():
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) and not line.strip().startswith(("#", '"""')) for line in lines) <= 30


def test_the_script_finds_every_number_again_and_sees_a_changed_one(run_folder, monkeypatch, capsys):
    everything, resolution = recomputed(run_folder, monkeypatch, capsys)
    assert everything.endswith("all the same, with their intervals")
    assert float(resolution.rsplit(" ", 1)[1]) < 1e-7
    path = run_folder / "report" / "metrics.json"
    lines = path.read_text(encoding="utf-8").splitlines()
    place = next(k for k, line in enumerate(lines) if '"resolution_half68"' in line and '"n_events": 1' in line)
    lines[place] = lines[place].replace('"value": 0.', '"value": 0.9')
    path.write_text("\n".join(lines), encoding="utf-8")
    everything, resolution = recomputed(run_folder, monkeypatch, capsys)
    assert everything.endswith("THEY DIFFER")
    assert float(resolution.rsplit(" ", 1)[1]) > 0.1
