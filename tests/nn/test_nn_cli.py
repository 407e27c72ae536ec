"""magicnn train and magicnn predict: from event sets to prediction tables, killed and started again."""

import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.events import EventBatch
from magicnn.images.features import FeatureTable
from magicnn.io.eventset.reader import EventSetWriter
from magicnn.predictions import load_predictions

SETTINGS = """
inputs: {auxiliary: [cos_zenith, baseline, field, centre, has_image], crop_radius: 5}
network: {hidden: 16, arguments: {stem: 4, widths: [8]}}
training: {epochs: 20, patience: 20, threads: 1, batch_size: 32, validation_fraction: 0.3}
"""


def magicnn(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory, small_events):
    folder = tmp_path_factory.mktemp("cli")
    with EventSetWriter(folder / "events.h5", small_events.meta) as writer:
        writer.append(small_events)
    (folder / "settings.yaml").write_text(SETTINGS)
    return folder


@pytest.fixture(scope="module")
def straight(folder):
    words = ["train", folder / "events.h5", "--config", folder / "settings.yaml", "--output", folder / "straight.pt"]
    return magicnn(*words, "--device", "cpu")


def test_train_and_predict(folder, straight, tmp_path):
    assert straight.exit_code == 0, straight.output
    assert "best of 20 epochs is" in straight.output
    assert "validation_auc" in straight.output
    words = ["predict", folder / "events.h5", "--model", folder / "straight.pt", "--output", tmp_path]
    assert "CNN for 240 events would be written" in magicnn(*words, "--dry-run").output
    assert list(tmp_path.iterdir()) == []
    done = magicnn(*words, "--symmetries", "2")
    assert done.exit_code == 0, done.output
    table = load_predictions(tmp_path / "CNN.h5")
    n_good = table["is_valid"].sum()
    assert 0 < n_good < 240
    assert f"{tmp_path / 'CNN.h5'}: 240 events, {n_good} pass the quality cuts, gammaness of 240\n" in done.output
    assert "outside of" not in done.output
    assert len(table) == 240
    assert "gammaness" in table
    assert "reco_energy_gev" not in table
    assert magicnn(*words).exit_code == 3
    assert magicnn(*words, "--overwrite").exit_code == 0
    assert magicnn(*words, "--method", "net", "--symmetries", "5").exit_code == 2


def test_predict_warns_of_events_beyond_the_zenith_range_of_the_training(folder, straight, small_events, tmp_path):
    assert straight.exit_code == 0
    (line,) = [t for t in magicnn("info", folder / "straight.pt").output.splitlines() if "trained at zenith" in t]
    assert line.endswith(" 5 to 60 deg")
    low = {**small_events.columns, "pointing_zenith_deg": np.where(np.arange(240) < 7, 65.0, 30.0)}
    events = tmp_path / "low.h5"
    with EventSetWriter(events, small_events.meta) as writer:
        writer.append(EventBatch(small_events.charge, small_events.time, low, small_events.meta))
    done = magicnn("predict", events, "--model", folder / "straight.pt", "--output", tmp_path)
    assert done.exit_code == 0, done.output
    told = "events 7 of 240 at zenith 65 deg, outside of the 5 to 60 deg of the training events: do not trust"
    assert done.output.count(told) == 1


@pytest.mark.parametrize(("cone", "head", "is_told"), [(0.4, "particle", 1), (0.4, "energy", 0), (5.0, "particle", 0)])
def test_train_warns_of_gammas_from_one_angle_against_diffuse_protons(
    folder, small_events, tmp_path, cone, head, is_told
):
    is_gamma = small_events["true_particle"] == 22
    paths = []
    for which, name, low, high in ((is_gamma, "gamma", 0.4, cone), (~is_gamma, "proton", 0.0, 5.0)):
        cones = {"particle": name, "viewcone_min_deg": low, "viewcone_max_deg": high}
        meta = replace(small_events.meta, particle=name, production=name, generated=cones)
        batch = small_events.select(which)
        paths.append(tmp_path / f"{name}.h5")
        with EventSetWriter(paths[-1], meta) as writer:
            writer.append(EventBatch(batch.charge, batch.time, batch.columns, meta))
    words = ["--config", folder / "settings.yaml", "--set", "training.epochs=1", "--head", head, "--device", "cpu"]
    done = magicnn("train", *paths, *words, "--output", tmp_path / "a.pt")
    assert done.exit_code == 0, done.output
    told = "gammas all from 0.4 deg off the pointing against proton from up to 5 deg off: the classifier may learn the"
    assert done.output.count(told) == is_told
    assert done.output.count("train it on diffuse gammas") == is_told


def test_terminated_and_started_again_gives_the_same_model(folder, straight):
    assert straight.exit_code == 0
    words = ["train", folder / "events.h5", "--config", folder / "settings.yaml", "--output", folder / "killed.pt"]
    command = [sys.executable, "-m", "magicnn", *map(str, words), "--device", "cpu", "-v"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        for line in process.stderr:
            if "epoch 2:" in line:
                process.send_signal(signal.SIGTERM)
                break
        process.communicate()
    assert process.returncode == 143
    assert (folder / "killed.state.pt").exists()
    assert not (folder / "killed.pt").exists()
    assert magicnn(*words, "--device", "cpu").exit_code == 0
    first, second = (torch.load(folder / f"{name}.pt", weights_only=True) for name in ("straight", "killed"))
    assert first["history"] == second["history"]
    assert all(torch.equal(first["weights"][name], second["weights"][name]) for name in first["weights"])


def test_mistakes_are_one_line_with_the_right_code(folder, tmp_path):
    events = folder / "events.h5"
    for words, code, message in [
        (["train", events, "--output", tmp_path / "a.pt", "--set", "training.epoch=3"], 2, "did you mean 'epochs'"),
        (["train", events, "--output", tmp_path / "a.pt", "--head", "mass"], 2, "training.heads"),
        (["train", events, "--output", tmp_path / "a.pt", "--features", "x", "--features", "y"], 2, "2 feature tables"),
        (["train", tmp_path / "none.h5", "--output", tmp_path / "a.pt"], 3, "none.h5"),
        (["predict", events, "--output", tmp_path], 2, "give --model, --baselines"),
        (["predict", events, "--output", tmp_path, "--model", tmp_path / "none.pt"], 3, "no such file"),
        (["predict", events, "--output", tmp_path, "--model", events], 3, "not written by magicnn"),
    ]:
        done = magicnn(*words)
        assert done.exit_code == code, (words, done.output)
        assert message in done.output
        assert done.output.strip().count("\n") == 0
    assert list(tmp_path.iterdir()) == []


def test_dry_run_shows_the_settings(folder, tmp_path):
    done = magicnn("train", folder / "events.h5", "--output", tmp_path / "a.pt", "--head", "energy", "--dry-run")
    assert done.exit_code == 0
    assert "crop_radius: 10" in done.output
    assert "- energy" in done.output
    assert list(tmp_path.iterdir()) == []


def test_names_of_methods_and_events_given_twice_are_refused(folder, tmp_path):
    events = folder / "events.h5"
    twice = folder / "." / "events.h5"
    for words, message in [
        (["predict", events, "--output", tmp_path, "--baselines", tmp_path, "--method", "LUT"], "called"),
        (["predict", events, "--output", tmp_path, "--model", "x.pt", "--method", "a/b"], "without a path"),
        (["predict", events, "--output", tmp_path, "--model", "x.pt", "--method", ""], "without a path"),
        (["train", events, twice, "--output", tmp_path / "a.pt"], "events.h5: given twice"),
        (["baseline", events, twice, "--output", tmp_path / "b"], "events.h5: given twice"),
    ]:
        done = magicnn(*words)
        assert done.exit_code == 2, (words, done.output)
        assert message in done.output
        assert done.output.strip().count("\n") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_feature_table_of_other_events_is_refused(folder, straight, small_events, tmp_path):
    assert straight.exit_code == 0
    events, table = folder / "events.h5", tmp_path / "table.h5"
    shifted = {**small_events.columns, "event_id": small_events["event_id"] + 1}
    FeatureTable(shifted, small_events.meta).save(table)
    words = ["predict", events, "--model", folder / "straight.pt", "--features", table, "--output", tmp_path / "out"]
    done = magicnn(*words)
    assert done.exit_code == 3, done.output
    assert f"{table} was made for other events" in done.output
    assert str(events) in done.output
    assert not (tmp_path / "out").exists()


def test_info_describes_a_network_and_goes_on_after_an_unreadable_file(folder, straight, tmp_path):
    assert straight.exit_code == 0
    (tmp_path / "a.pt").write_text("words")
    (tmp_path / "b.pt").write_bytes((folder / "straight.pt").read_bytes())
    done = magicnn("info", tmp_path)
    assert done.exit_code == 3
    assert "a.pt: not a model file" in done.output
    assert "hex_resnet (stem 4, widths [8])" in done.output
    assert "cos_zenith, baseline, field, centre, has_image" in done.output
    assert "20, best " in done.output
    assert magicnn("info", tmp_path / "b.pt").exit_code == 0
