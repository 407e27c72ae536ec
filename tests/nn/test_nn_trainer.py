"""Training learns, repeats exactly, and goes on where it was stopped."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import torch

from magicnn.errors import CheckpointError, ConfigError, InputError
from magicnn.events import EventBatch
from magicnn.nn.checkpoint import load_model
from magicnn.nn.data import Source, derived_seed, epoch_batches, load_labelled, split_sample
from magicnn.nn.objective import evaluate
from magicnn.nn.settings import TrainingSettings
from magicnn.nn.trainer import choose_device, learning_rate_factor, train


class StoppedError(Exception):
    """Somebody pulled the plug."""


def stop_after(n_epochs):
    def on_epoch(entry):
        if entry["epoch"] == n_epochs:
            raise StoppedError

    return on_epoch


def weights_of(path):
    return torch.load(path, weights_only=True)["weights"]


def same_weights(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def test_stopping_and_going_on_gives_the_same_bits(tmp_path, small_events, small_settings):
    settings = small_settings(heads=["particle", "energy"])
    sources = [Source(small_events)]
    one = train(sources, tmp_path / "one.pt", settings=settings, device="cpu")
    for n_epochs in (1, 2):
        with pytest.raises(StoppedError):
            train(sources, tmp_path / "two.pt", settings=settings, device="cpu", on_epoch=stop_after(n_epochs))
        assert not (tmp_path / "two.pt").exists()
    two = train(sources, tmp_path / "two.pt", settings=settings, device="cpu")
    assert same_weights(weights_of(tmp_path / "one.pt"), weights_of(tmp_path / "two.pt"))
    assert one.description.history == two.description.history
    assert (tmp_path / "one.history.csv").read_text() == (tmp_path / "two.history.csv").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "one.history.csv",
        "one.pt",
        "two.history.csv",
        "two.pt",
    ]
    other = train(sources, tmp_path / "other.pt", settings=small_settings(heads=["particle", "energy"], seed=2))
    assert not same_weights(weights_of(tmp_path / "one.pt"), weights_of(tmp_path / "other.pt"))
    assert other.description.key != one.description.key


def test_a_finished_training_is_not_repeated(tmp_path, small_events, small_settings):
    output = tmp_path / "model.pt"
    first = train([Source(small_events)], output, settings=small_settings(epochs=1))
    before = output.stat().st_mtime_ns
    again = train([Source(small_events)], output, settings=small_settings(epochs=1))
    assert output.stat().st_mtime_ns == before
    assert again.description.key == first.description.key
    with pytest.raises(CheckpointError, match="other settings or events"):
        train([Source(small_events)], output, settings=small_settings(epochs=2))
    fewer = small_events.select(slice(0, 200))
    with pytest.raises(CheckpointError, match="other settings or events"):
        train([Source(fewer)], output, settings=small_settings(epochs=1))


def test_an_unfinished_training_of_other_events_is_refused(tmp_path, small_events, small_settings):
    output = tmp_path / "model.pt"
    with pytest.raises(StoppedError):
        train([Source(small_events)], output, settings=small_settings(), on_epoch=stop_after(1))
    with pytest.raises(CheckpointError, match="unfinished training"):
        train([Source(small_events)], output, settings=small_settings(learning_rate=1e-3))


@pytest.mark.parametrize("head", ["particle", "energy"])
def test_a_network_can_learn_32_events_by_heart(tmp_path, make_events, small_camera, small_settings, head):
    events = make_events(44, camera=small_camera, n_uses=1)
    settings = small_settings(
        heads=[head], epochs=40, patience=40, augment=False, weight_decay=0.0, learning_rate=1e-2, variance_weight=0.0
    )
    network = settings.network.model_copy(update={"dropout": 0.0, "image_dropout": 0.0, "hidden": 32})
    settings = settings.model_copy(update={"network": network})
    trained = train([Source(events)], tmp_path / "model.pt", settings=settings)
    losses = [entry["train_loss"] for entry in trained.description.history]
    if head == "particle":
        assert losses[-1] < 0.05 < losses[0]
    else:
        assert losses[-1] < losses[0] - 1.0
    with (tmp_path / "model.history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(r["train_loss"]) for r in rows] == losses


def test_it_learns_what_holds_for_other_events(tmp_path, make_events, small_camera, small_settings):
    events = make_events(600, camera=small_camera, seed=8, n_uses=1)
    settings = small_settings(heads=["particle", "energy"], epochs=8, learning_rate=5e-3)
    trained = train([Source(events)], tmp_path / "model.pt", settings=settings)
    best = min(trained.description.history, key=lambda entry: entry["validation_loss"])
    assert best["validation_auc"] > 0.9
    assert best["validation_resolution"] < 0.5
    data = load_labelled([Source(events)], settings.inputs)
    _, validation = split_sample(data, settings.training, torch.device("cpu"))
    found = evaluate(trained.model, validation, settings.training)
    assert found["validation_loss"] == pytest.approx(best["validation_loss"], rel=1e-6)


def test_no_shower_on_both_sides(make_events, small_camera, small_settings):
    events = make_events(240, camera=small_camera, n_uses=6)
    data = load_labelled([Source(events)], small_settings().inputs)
    fitting, validation = split_sample(data, small_settings().training, torch.device("cpu"))
    showers = [set(data.shower_id[side.rows].tolist()) for side in (fitting, validation)]
    assert showers[0]
    assert showers[1]
    assert not showers[0] & showers[1]
    assert len(fitting.rows) + len(validation.rows) == 240
    for side in (fitting, validation):
        is_gamma = data.is_gamma[side.rows] > 0
        weight = side.weight[side.rows]
        assert float(weight[is_gamma].sum()) == pytest.approx(float(weight[~is_gamma].sum()), rel=1e-5)


def test_batches_depend_on_seed_and_epoch_alone():
    rows = np.arange(100, 203)
    first = [part.tolist() for part, _ in epoch_batches(rows, 10, seed=1, epoch=3)]
    assert first == [part.tolist() for part, _ in epoch_batches(rows, 10, seed=1, epoch=3)]
    assert first != [part.tolist() for part, _ in epoch_batches(rows, 10, seed=1, epoch=4)]
    assert sorted(np.concatenate(first)) == rows.tolist()
    assert {len(part) for part in first} == {9, 10}
    mixed = [part.tolist() for part, _ in epoch_batches(rows, 10, seed=1, epoch=3, block=8)]
    assert sorted(np.concatenate(mixed)) == rows.tolist()


def test_events_on_disk_train_like_those_in_memory(tmp_path, small_events, small_settings):
    resident = load_labelled([Source(small_events)], small_settings().inputs)
    mapped = load_labelled([Source(small_events)], small_settings().inputs, resident_events=10, scratch=tmp_path)
    assert mapped.is_mapped
    assert (tmp_path / "charge.bin").stat().st_size == 240 * 2 * 218 * 2
    for name in ("charge", "time", "flags", "auxiliary"):
        torch.testing.assert_close(getattr(mapped.events, name), getattr(resident.events, name), rtol=0, atol=0)
    trained = train(
        [Source(small_events)], tmp_path / "model.pt", settings=small_settings(epochs=1, resident_events=10)
    )
    assert len(trained.description.history) == 1
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == []


def test_selected_rows_and_several_sources(small_events, small_settings):
    rows = np.arange(240) % 3 == 0
    data = load_labelled([Source(small_events, rows=rows), Source(small_events)], small_settings().inputs)
    assert len(data) == 320
    np.testing.assert_allclose(data.log_energy[:80], np.log10(small_events["true_energy_gev"][rows]), rtol=1e-6)
    with pytest.raises(InputError, match="no events"):
        load_labelled([Source(small_events, rows=np.zeros(240, dtype=bool))], small_settings().inputs)
    with pytest.raises(InputError, match="the selection has 3 rows"):
        load_labelled([Source(small_events, rows=np.ones(3, dtype=bool))], small_settings().inputs)


def test_unsuitable_events_are_refused(tmp_path, small_events, make_camera, make_events, small_settings):
    gammas = small_events.select(small_events["true_particle"] == 22)
    with pytest.raises(InputError, match="0 hadrons"):
        train([Source(gammas)], tmp_path / "model.pt", settings=small_settings())
    other = make_events(10, camera=make_camera(4))
    with pytest.raises(InputError, match="cannot join events of hexagon217"):
        train([Source(small_events), Source(other)], tmp_path / "model.pt", settings=small_settings())
    columns = {n: v for n, v in small_events.columns.items() if n != "true_energy_gev"}
    nameless = EventBatch(small_events.charge, small_events.time, columns, small_events.meta)
    with pytest.raises(InputError, match="no column 'true_energy_gev'"):
        train([Source(nameless)], tmp_path / "model.pt", settings=small_settings())


def test_early_stopping_keeps_the_best_weights(tmp_path, small_events, small_settings):
    settings = small_settings(epochs=40, patience=2, learning_rate=0.05, ema_decay=0.0)
    trained = train([Source(small_events)], tmp_path / "model.pt", settings=settings)
    losses = [entry["validation_loss"] for entry in trained.description.history]
    assert len(losses) < 40
    assert int(np.argmin(losses)) == len(losses) - 3
    data = load_labelled([Source(small_events)], settings.inputs)
    _, validation = split_sample(data, settings.training, torch.device("cpu"))
    model = load_model(tmp_path / "model.pt", small_events.meta).model
    assert evaluate(model, validation, settings.training)["validation_loss"] == pytest.approx(min(losses), rel=1e-6)


def test_learning_rate_rises_and_falls():
    settings = TrainingSettings(epochs=10, warmup_epochs=2.0, final_learning_rate=0.1)
    factors = [learning_rate_factor(s, steps_per_epoch=5, settings=settings) for s in range(51)]
    assert np.all(np.diff(factors[:11]) > 0)
    assert np.all(np.diff(factors[10:]) < 0)
    assert factors[10] == pytest.approx(1.0)
    assert factors[30] == pytest.approx(0.55)
    assert factors[50] == pytest.approx(0.1)


def test_devices():
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type in {"cpu", "cuda"}
    with pytest.raises(ConfigError, match="unknown device 'gpuu'"):
        choose_device("gpuu")
    with pytest.raises(ConfigError, match="CUDA devices"):
        choose_device("cuda:99")


def test_seeds_of_different_purposes_differ():
    seeds = {derived_seed(1, "weights"), derived_seed(1, "validation"), derived_seed(2, "weights")}
    assert len(seeds) == 3


def test_settings_do_not_import_torch():
    script = "import sys, magicnn.nn.settings; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
