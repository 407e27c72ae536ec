"""The main job, at a size that says nothing about methods."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.config import load_settings
from magicnn.errors import ConfigError, InputError, MagicnnError
from magicnn.io.eventset.reader import EventSet
from magicnn.pipeline.comparison import comparison_stages, describe_plan, run_comparison
from magicnn.pipeline.layout import RunLayout
from magicnn.pipeline.settings import ComparisonSettings, load_comparison
from magicnn.predictions import load_predictions

SMALL = [
    "zenith_ranges=[za05to35]",
    "events={gamma: 120, gamma_diffuse: 300, proton: 120}",
    "classifier.training.epochs=2",
    "classifier.training.validation_fraction=0.3",  # few showers: both kinds on both sides
    "energy.training.epochs=2",
    "baselines.forest.n_trees=20",
    "baselines.disp.n_trees=40",
    "baselines.classical.methods=[naive_bayes, linear_regression]",
    "evaluation.n_replicates=30",
    "evaluation.zenith_bins_deg=[[5, 35], [5, 30]]",  # the other ranges have no events
]


def test_presets_and_overrides(job):
    plain, quick = load_comparison(job), load_comparison(job, ["events.proton=7"], preset="quick")
    assert quick.events.proton == 7
    assert quick.events.gamma < plain.events.gamma
    assert quick.baselines == plain.baselines
    assert plain.mc_configs.is_dir()
    with pytest.raises(ConfigError, match="did you mean 'quick'"):
        load_comparison(job, preset="quik")
    with pytest.raises(ConfigError, match=r"classifier\.training\.heads"):
        load_comparison(job, ["classifier.training.heads=[energy]"])


def test_one_seed_reaches_everything_random(job):
    settings = load_comparison(job, ["seed=42", "energy.training.seed=5"])
    assert settings.classifier.training.seed == settings.evaluation.seed == settings.seed == 42
    assert settings.energy.training.seed == 5


def test_the_forest_is_the_published_one(job):
    forest = load_comparison(job).baselines.forest
    assert (forest.n_trees, forest.max_depth, forest.min_samples_leaf) == (150, 50, 2)


def test_plan_names_every_stage(job, tmp_path):
    settings = load_comparison(job)
    plan = describe_plan(settings, tmp_path / "run")
    assert "simulate proton_za62to70" in plan
    assert "train the network for energy" in plan
    assert "of them done" in plan
    assert "#   done" not in plan
    assert not (tmp_path / "run").exists()


def test_plan_marks_what_is_done(finished):
    settings, folder = finished
    plan = describe_plan(settings, folder)
    assert "#   done   evaluate\n" in plan
    assert "#   to do" not in plan
    changed = settings.model_copy(update={"evaluation": settings.evaluation.model_copy(update={"n_replicates": 31})})
    plan = describe_plan(changed, folder)
    assert "#   done   predict with every method\n" in plan
    assert "#   to do  evaluate (done with other settings: needs --update" in plan
    assert plan.endswith("#   to do  write the report")


def test_one_setting_of_a_production_changes_alone(job, tmp_path):
    nested = load_comparison(job, ["production.site.light_scale=0.6", "production.reuse=3"])
    dotted = load_comparison(job, ["production={site.light_scale: 0.6, reuse: 3}"])
    plain = load_comparison(job)
    first = [comparison_stages(s, RunLayout(tmp_path))[0].settings["production"] for s in (nested, dotted, plain)]
    assert first[0] == first[1]
    assert first[0]["site"] == first[2]["site"] | {"light_scale": 0.6}
    assert first[0]["reuse"] == 3


def test_stages_need_only_what_comes_before(job, tmp_path):
    seen = set()
    for stage in comparison_stages(load_comparison(job), RunLayout(tmp_path)):
        assert set(stage.needs) <= seen
        assert stage.name not in seen
        seen.add(stage.name)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    job = Path(__file__).parents[2] / "analysis" / "full_comparison.yaml"
    if not job.exists():
        pytest.skip("analysis/ is not beside the tests")
    settings = load_comparison(job, SMALL)
    folder = tmp_path_factory.mktemp("comparison") / "run"
    run_comparison(settings, folder, device="cpu", workers=1)
    return settings, folder


def test_the_run_directory_holds_everything(finished):
    settings, folder = finished
    layout = RunLayout(folder)
    assert (layout.report / "index.html").stat().st_size > 100_000
    assert load_settings(ComparisonSettings, layout.config) == settings
    rows = json.loads((layout.report / "metrics.json").read_text())["rows"]
    assert {"CNN", "forest", "LUT"} <= {row["method"] for row in rows}
    found = {m: {r["metric"] for r in rows if r["method"] == m} for m in ("naive_bayes", "linear_regression")}
    assert "auc" in found["naive_bayes"]
    assert "auc" not in found["linear_regression"]
    assert "bias_median" in found["linear_regression"]
    assert "bias_median" not in found["naive_bayes"]
    assert "simulate proton_za05to35" in (folder / "log.txt").read_text()


def test_no_method_saw_the_showers_it_is_judged_on(finished):
    settings, folder = finished
    layout = RunLayout(folder)
    for name in ("gamma_za05to35", "proton_za05to35"):
        with EventSet(layout.events(name)) as events:
            showers = events.columns(["shower_id"])["shower_id"]
            thrown = events.meta.generated["n_thrown"]
        tables = {m: load_predictions(layout.predictions(m, name)) for m in ("CNN", "forest", "LUT")}
        judged = set(tables["CNN"]["shower_id"].tolist())
        assert 0 < len(judged) < len(set(showers.tolist()))
        for table in tables.values():
            assert set(table["shower_id"].tolist()) == judged
            assert table.generated["n_thrown"] == pytest.approx(thrown * settings.test_fraction)


def test_a_finished_run_is_left_alone_and_other_settings_are_refused(finished):
    settings, folder = finished
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    run_comparison(settings, folder, device="cpu")
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == before
    changed = settings.model_copy(update={"test_fraction": 0.5})
    with pytest.raises(ConfigError, match=r"test_fraction: 0\.4 before, 0\.5 now"):
        run_comparison(changed, folder, device="cpu")


def test_a_dry_run_refuses_what_the_run_would(job, data_dir, tmp_path):
    (alone,) = (data_dir / "magic_real").glob("*_M1_*_Y_*.root")
    words = ["run", str(job), "--output", str(tmp_path / "run"), "--dry-run"]
    for more, code, message in (
        (["--real", str(alone)], 3, "M2 of run 5029747 is missing"),
        (["--device", "gpu"], 2, "unknown device 'gpu'"),
        (["--real", str(alone), "--drop-real"], 2, "leave out --real, or --drop-real"),
    ):
        refused = CliRunner().invoke(app, [*words, *more])
        assert refused.exit_code == code, refused.output
        assert message in refused.output
    assert list(tmp_path.iterdir()) == []


def test_real_files_join_a_finished_run(job, finished, data_dir):
    settings, folder = finished
    layout = RunLayout(folder)
    metrics = (layout.report / "metrics.json").read_bytes()
    models = {p: p.stat().st_mtime_ns for p in layout.models.iterdir()}
    files = sorted((data_dir / "magic_real").glob("*_Y_*.root"), reverse=True)
    run_comparison(settings, folder, real_files=files, device="cpu")
    assert len(load_predictions(layout.predictions("CNN", "real"))) == 21
    assert {p: p.stat().st_mtime_ns for p in layout.models.iterdir()} == models
    assert (layout.report / "metrics.json").read_bytes() == metrics
    page = (layout.report / "index.html").read_text()
    assert "read out at 2.05 GS/s (assumed from the date)" in page
    assert "29795" in page
    models = [
        "--baselines",
        layout.models,
        *(w for t in ("classifier", "energy") for w in ("--model", layout.models / f"{t}.pt")),
    ]
    words = ["predict", *files, *models, "--output", folder / "apart", "--device", "cpu"]
    done = CliRunner().invoke(app, [str(w) for w in words])
    assert done.exit_code == 0, done.output
    assert (
        done.output.count(
            "events read out at 2.05 GS/s (assumed from the date), window 39.0 ns, "
            "the training events at 1.64 GS/s, window 30.5 ns"
        )
        == 1
    )
    for method in ("CNN", "forest", "LUT"):
        table = load_predictions(folder / "apart" / f"{method}.h5")
        n_known = np.isfinite(table["reco_energy_gev"]).sum()
        (line,) = [text for text in done.output.splitlines() if f"{method}.h5: " in text]
        assert "21 events, " in line
        assert f"energy of {n_known}" in line
        assert ("without: " in line) == (n_known < 21)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    words = ["run", job, *(w for text in SMALL for w in ("--set", text)), "--output", folder, "--device", "cpu"]
    kept = "keeps the 2 real files of an earlier call; --drop-real removes them"
    for more in ([], ["--dry-run"]):
        again = CliRunner().invoke(app, [str(w) for w in [*words, *more]])
        assert again.exit_code == 0, again.output
        assert again.output.count(kept) == 1
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == before
    # whatever is to be made again is made from the events in the run directory
    for path in (layout.features("real"), layout.predictions("CNN", "real")):
        path.unlink()
    run_comparison(settings, folder, device="cpu")
    assert layout.events("real").stat().st_mtime_ns == before[layout.events("real")]
    assert len(load_predictions(layout.predictions("CNN", "real"))) == 21
    with pytest.raises(ConfigError, match="leave out --real, or --drop-real"):
        run_comparison(settings, folder, real_files=files, device="cpu", drop_real=True)
    plan = describe_plan(settings, folder, drop_real=True)
    assert f"would be removed: {layout.events('real')}" in plan
    assert kept not in plan
    run_comparison(settings, folder, device="cpu", drop_real=True)
    assert list(folder.rglob("*real*")) == []
    assert "29795" not in (layout.report / "index.html").read_text()
    assert (layout.report / "metrics.json").read_bytes() == metrics
    assert "would be removed" not in describe_plan(settings, folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("energy.inputs.auxiliary=[foo]", "foo"),
        ("classifier.network.architecture=hex_resnt", "did you mean 'hex_resnet'"),
    ],
)
def test_mistakes_are_found_before_anything_is_done(job, tmp_path, change, reason):
    settings = load_comparison(job, [change])
    with pytest.raises(MagicnnError, match=reason):
        run_comparison(settings, tmp_path / "run", device="cpu")
    with pytest.raises(ConfigError, match="device"):
        run_comparison(load_comparison(job), tmp_path / "run", device="gpu")
    with pytest.raises(InputError, match=r"nowhere\.root"):
        run_comparison(load_comparison(job), tmp_path / "run", real_files=[tmp_path / "nowhere.root"], device="cpu")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="names a range twice"):
        load_comparison(job, ["zenith_ranges=[za05to35, za05to35]"])


@pytest.mark.slow
def test_a_killed_run_ends_in_the_same_metrics(finished, tmp_path):
    """Killed at two moments, the same command continues and ends in the same numbers, byte for byte."""
    _, folder = finished
    job = Path(__file__).parents[2] / "analysis" / "full_comparison.yaml"
    changes = [word for text in SMALL for word in ("--set", text)]
    command = [sys.executable, "-m", "magicnn", "run", str(job), "--output", str(tmp_path / "run"), "--device", "cpu"]
    for landmark in ("features_gamma_diffuse_za05to35.json", "classifier.json"):
        process = subprocess.Popen([*command, *changes], stderr=subprocess.DEVNULL)
        while process.poll() is None and not (tmp_path / "run" / "stages" / landmark).exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, *changes], check=True, stderr=subprocess.DEVNULL)
    for name in ("metrics.json", "metrics.ecsv"):
        assert (tmp_path / "run" / "report" / name).read_bytes() == (folder / "report" / name).read_bytes()
