"""Model files and predictions: round trips, refusals, tables."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from magicnn.errors import CheckpointError, ConfigError
from magicnn.events import EventBatch
from magicnn.images.features import extract_features
from magicnn.images.quality import QualitySettings, passes_quality
from magicnn.nn.checkpoint import load_model, save_model
from magicnn.nn.data import Source
from magicnn.nn.predict import needs_features, predict_table
from magicnn.nn.settings import DEFAULT_AUXILIARY, InputSettings, ModelSettings, PredictSettings
from magicnn.nn.trainer import train
from magicnn.predictions import load_predictions
from magicnn.readout import UNKNOWN_READOUT, Readout


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small_events):
    settings = ModelSettings.model_validate(
        {
            "inputs": {"crop_radius": 5, "encoding_bins": 3},
            "network": {"hidden": 16, "arguments": {"stem": 4, "widths": [8]}},
            "training": {"heads": ["particle", "energy"], "epochs": 2, "threads": 1, "validation_fraction": 0.3},
        }
    )
    path = tmp_path_factory.mktemp("model") / "model.pt"
    train([Source(small_events, extract_features(small_events))], path, settings=settings, device="cpu")
    return path


def test_predictions_are_a_table_of_all_events(trained, small_events, tmp_path):
    features = extract_features(small_events)
    model = load_model(trained, small_events.meta)
    table = predict_table([model], small_events, features, settings=PredictSettings(batch_size=64, threads=1))
    assert len(table) == len(small_events)
    np.testing.assert_array_equal(table["event_id"], small_events["event_id"])
    np.testing.assert_array_equal(table["true_energy_gev"], small_events["true_energy_gev"])
    assert np.all((table["gammaness"] > 0) & (table["gammaness"] < 1))
    assert np.all(table["reco_energy_gev"] > 0)
    assert np.all(table["reco_energy_uncert_gev"] > 0)
    np.testing.assert_allclose(table["size_min_pe"], features["size_pe"].min(axis=1))
    for name in ("reco_zenith_deg", "reco_azimuth_deg"):
        np.testing.assert_array_equal(table[name], features[name])
    np.testing.assert_array_equal(table["is_valid"], passes_quality(features))
    loose = QualitySettings(min_size_pe=0.0, require_stereo=False)
    assert predict_table([model], small_events, features, quality=loose)["is_valid"].sum() > table["is_valid"].sum()
    other = predict_table([model], small_events, features, settings=PredictSettings(batch_size=37, threads=1))
    np.testing.assert_allclose(other["gammaness"], table["gammaness"], rtol=1e-4)
    table.save(tmp_path / "predictions.h5")
    assert load_predictions(tmp_path / "predictions.h5").method == "CNN"


def test_a_model_knows_the_readout_it_was_trained_on(small_events, small_settings, tmp_path):
    meta = replace(small_events.meta, sampling_gsps=1.64, window_ns=30.5)
    events = EventBatch(small_events.charge, small_events.time, small_events.columns, meta)
    train([Source(events)], tmp_path / "model.pt", settings=small_settings(epochs=1), device="cpu")
    assert load_model(tmp_path / "model.pt", meta).description.readout == Readout(1.64, 30.5)
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    del content["readout"]
    torch.save(content, tmp_path / "older.pt")
    assert load_model(tmp_path / "older.pt", meta).description.readout == UNKNOWN_READOUT


def test_energy_and_its_spread_come_from_the_head(trained, small_events):
    model = load_model(trained, small_events.meta)
    torch.nn.init.zeros_(model.model.network.heads["energy"].weight)
    with torch.no_grad():
        model.model.network.heads["energy"].bias.copy_(torch.tensor([1.0, np.log(0.25)]))
    scales = model.description.normalisation
    table = predict_table([model], small_events, extract_features(small_events))
    energy = 10.0 ** (scales.log_energy_mean + scales.log_energy_scale)
    np.testing.assert_allclose(table["reco_energy_gev"], energy, rtol=1e-6)
    spread = energy * np.log(10.0) * 0.5 * scales.log_energy_scale
    np.testing.assert_allclose(table["reco_energy_uncert_gev"], spread, rtol=1e-6)


def test_mean_over_all_symmetries_does_not_depend_on_the_orientation(trained, small_events):
    """Predicting turned events with all symmetries gives the same as predicting the events."""
    model = load_model(trained, small_events.meta)
    symmetries = model.model.arranger.symmetries
    batch = small_events.select(slice(0, 32))
    prepared = _prepared(batch, model)
    mean = sum(model.model(prepared, torch.full((32,), k))["particle"] for k in range(12)) / 12
    with torch.inference_mode():
        table = predict_table(
            [model], batch, extract_features(batch), settings=PredictSettings(symmetries=12, threads=1)
        )
    np.testing.assert_allclose(table["gammaness"], torch.sigmoid(mean).detach(), rtol=1e-5)
    turned = symmetries.source[4][:-1].numpy()
    other = EventBatch(batch.charge[..., turned], batch.time[..., turned], batch.columns, batch.meta)
    moved = _prepared(other, model)
    rows = torch.from_numpy((symmetries.target[4][prepared.centre] == moved.centre).all(dim=1).numpy())
    turns = torch.full((32,), 4)
    moved.auxiliary[:] = prepared.auxiliary  # the array on the ground does not turn with the camera
    directly = _with_auxiliary(model, moved, model.model.encoded(prepared.auxiliary, turns))
    torch.testing.assert_close(directly[rows], model.model(prepared, turns)["particle"][rows], rtol=1e-3, atol=1e-3)


def _prepared(batch, model):
    from magicnn.nn.inputs import prepare_events

    return prepare_events(batch, extract_features(batch).columns, model.description.inputs)


def _with_auxiliary(model, events, auxiliary):
    images, mask = model.model.arranger(events)
    return model.model.network(images, mask, events.present, auxiliary)["particle"]


def test_events_without_pixels_get_no_estimate(trained, small_events):
    charge, time = small_events.charge.copy(), small_events.time.copy()
    charge[3], time[3] = np.nan, np.nan
    batch = EventBatch(charge, time, small_events.columns, small_events.meta)
    table = predict_table([load_model(trained, batch.meta)], batch, extract_features(batch))
    assert np.isnan(table["gammaness"][3])
    assert np.isnan(table["reco_energy_gev"][3])
    assert not table["is_valid"][3]
    assert np.isfinite(table["gammaness"]).sum() == len(batch) - 1


def test_a_model_file_describes_itself(trained, small_events, tmp_path):
    model = load_model(trained, small_events.meta)
    description = model.description
    assert description.heads == ("particle", "energy")
    assert description.inputs.auxiliary == DEFAULT_AUXILIARY
    assert len(description.history) == 2
    assert len(description.normalisation.mean) == len(model.model.arranger.layout.names)
    assert model.provenance["seed"] == 1
    save_model(tmp_path / "copy.pt", model.model, description)
    copy = load_model(tmp_path / "copy.pt", small_events.meta)
    assert copy.description == description
    for name, values in model.model.state_dict().items():
        assert torch.equal(values, copy.model.state_dict()[name])


def test_unfit_model_files_give_one_line(trained, small_events, make_camera, make_events, tmp_path):
    other = make_events(4, camera=make_camera(4))
    with pytest.raises(CheckpointError, match=r"model.pt: the model was made for the camera hexagon217 .* 61 pixels"):
        load_model(trained, other.meta)
    with pytest.raises(CheckpointError, match="no such file"):
        load_model(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("not a model")
    with pytest.raises(CheckpointError, match="damaged file, or not written by magicnn"):
        load_model(tmp_path / "text.pt")
    (tmp_path / "history.csv").write_text("epoch,validation_loss\n1,0.5\n2,0.4\n")
    with pytest.raises(CheckpointError, match="not a model file"):
        load_model(tmp_path / "history.csv")
    with pytest.raises(CheckpointError, match="not a model file but a folder"):
        load_model(tmp_path)
    content = torch.load(trained, weights_only=True)
    for change, message in [
        ({"format": "something"}, "not a model file"),
        ({"version": 99}, "reads up to"),
        ({"network": {"architecture": "gone"}}, "unknown architecture 'gone'"),
        ({"auxiliary_names": ["size"]}, "auxiliary inputs differ"),
        ({"weights": {}}, "damaged model file"),
        ({"telescopes": ["LST1"]}, "made for the telescopes LST1"),
    ]:
        torch.save({**content, **change}, tmp_path / "changed.pt")
        with pytest.raises(CheckpointError, match=message) as caught:
            load_model(tmp_path / "changed.pt", small_events.meta)
        assert "\n" not in str(caught.value)
    truncated = trained.read_bytes()[:-2000]
    (tmp_path / "cut.pt").write_bytes(truncated)
    with pytest.raises(CheckpointError, match="damaged file"):
        load_model(tmp_path / "cut.pt", small_events.meta)


def test_predicting_needs_the_right_columns_and_models(trained, small_events, make_camera, make_events):
    model = load_model(trained, small_events.meta)
    with pytest.raises(CheckpointError, match="give the feature table"):
        predict_table([model], small_events)
    with pytest.raises(ConfigError, match="one model per quantity, got models for: nothing"):
        predict_table([], small_events)
    with pytest.raises(ConfigError, match="particle, energy, particle, energy"):
        predict_table([model, model], small_events, extract_features(small_events))
    other = make_events(4, camera=make_camera(4))
    with pytest.raises(CheckpointError, match="was made for hexagon217"):
        predict_table([model], other, extract_features(other))
    assert needs_features(InputSettings())
    assert not needs_features(InputSettings(auxiliary=("cos_zenith", "centre", "has_image")))
