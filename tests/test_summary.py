"""What records say of themselves: one line in a terminal, one screen in a notebook, every text escaped."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from random_events import THROWN, random_events, stored

from magicnn import Camera, EventSet, HexGrid, PredictionTable, open_events
from magicnn.config import Settings
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable
from magicnn.events import SCHEMA
from magicnn.images.features import extract_features
from magicnn.io.base import DecodedEvents
from magicnn.nn.checkpoint import ModelDescription, TrainedModel, build_model
from magicnn.nn.model import Normalisation
from magicnn.nn.settings import InputSettings, NetworkSettings, TrainingSettings
from magicnn.pipeline.layout import RunLayout
from magicnn.summary import brief_thrown, fold, html_page, html_table, range_lines, span, thrown_lines

NASTY = "<script>alert('x')</script> & \"so\""


class Page(HTMLParser):
    """Text and tags of a page; complains about tags that are not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts = [], set(), []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def page(record):
    found = Page(record._repr_html_())
    assert "script" not in found.tags
    assert len(record._repr_html_()) < 20_000
    assert "\n" not in repr(record)
    return " | ".join(found.texts)


@pytest.fixture
def batch():
    return random_events(30)


def test_a_batch_says_how_many_of_what_and_where(batch):
    assert repr(batch).startswith("EventBatch(30 gamma events, ")
    energy = batch["true_energy_gev"]
    assert f"{energy.min():.5g} to {energy.max():.5g} GeV" in repr(batch)
    told = page(batch)
    for text in ("EventBatch: 30 events", "test_za05to35", "M1, M2", "1039 pixels", "1.64 GS/s", "GeV", "deg"):
        assert text in told
    for name in batch.columns:
        assert f" | {name} | " in told
    assert SCHEMA["true_energy_gev"].description in told


def test_real_events_have_no_truth_to_tell(batch):
    told = page(random_events(5, is_simulation=False))
    assert "UTC" in told
    assert "true energy" not in told


def test_an_empty_batch_says_so(batch):
    nothing = batch.select(slice(0, 0))
    assert repr(nothing) == f"EventBatch(0 gamma events, M1+M2, MAGICCam, {len(batch.columns)} columns)"
    assert "0 events" in page(nothing)


def test_an_event_set_says_what_was_thrown_and_reads_nothing_for_it(tmp_path, batch, monkeypatch):
    events = stored(tmp_path / "gamma.h5", batch)
    monkeypatch.setattr(EventSet, "columns", None)
    monkeypatch.setattr(EventSet, "read", None)
    assert "30 gamma events of 'test_za05to35', thrown at 20 to 20000 GeV, zenith 5 to 35 deg" in repr(events)
    told = page(events)
    assert "gamma.h5" in told
    assert f"{THROWN.n_thrown} gamma" in told
    assert "true_impact_m" in told


def test_readers_say_the_same(tmp_path, batch):
    class Events(DecodedEvents):
        def _decode(self, start, stop):
            raise AssertionError("nothing is read to say what it is")

    events = Events(batch.meta, 30)
    assert repr(events).startswith("Events(30 gamma events of 'test_za05to35', thrown at 20 to 20000 GeV")
    assert "Events: 30 events" in page(events)
    assert repr(batch.meta) == "EventMeta(gamma events of 'test_za05to35', M1+M2, MAGICCam)"
    assert "view cone" in page(batch.meta)


def test_a_real_reader(data_dir):
    events = open_events(sorted((data_dir / "magic_real").glob("*_M[12]_*_Y_*.root")))
    assert "real events" in repr(events)
    assert "GS/s" in page(events)


def test_predictions_say_what_the_method_gave():
    columns = {
        "run_id": np.ones(4),
        "event_id": np.arange(4),
        "gammaness": np.array([0.25, np.nan, 0.5, 0.75]),
        "is_valid": np.array([True, False, True, True]),
        "reco_energy_gev": np.array([100.0, np.nan, 300.0, 1000.0]),
        "pointing_zenith_deg": np.array([10.0, 11.0, 12.0, 13.0]),
    }
    told = page(PredictionTable("CNN", columns, "gamma"))
    for text in ("PredictionTable of CNN: 4 events", "3 events", "0.25 to 0.75", "100 to 1000 GeV", "10 to 13 deg"):
        assert text in told


def test_features_say_sizes_and_cleaning(batch):
    features = extract_features(batch)
    assert "GeV, zenith" in repr(features)
    told = page(features)
    assert " phe" in told
    assert features.settings.cleaning.method in told


def test_camera_and_grid():
    assert "1039, 30.00 mm or 0.0944 deg apart" in page(Camera.magic())
    assert "1521, of them 1039 with a pixel" in page(HexGrid(Camera.magic()))


def test_metrics_show_their_headlines():
    nan = float("nan")
    rows = [
        MetricRow("CNN", "classification", "auc", 5.0, 35.0, nan, nan, 200, 0.95, 0.94, 0.96),
        MetricRow("CNN", "classification", "auc", 5.0, 35.0, 100.0, 200.0, 50, 0.91, 0.9, 0.92),
        MetricRow("CNN vs LUT", "energy", "resolution_half68_ratio_mean", 5.0, 35.0, 75.0, 5000.0, 90, 1.4, 1.3, 1.5),
    ]
    told = page(MetricsTable(tuple(rows)))
    assert "0.95 | 0.94 to 0.96 | 200" in told
    assert "1.4 | 1.3 to 1.5 | 90" in told
    assert "0.91" not in told
    assert "MetricsTable: 0 rows" in page(MetricsTable(()))
    many = MetricsTable(tuple(replace(rows[0], zenith_min_deg=float(k)) for k in range(30)))
    assert "the first 16 of 30 numbers" in page(many)


def test_settings_show_values_and_meanings():
    told = page(TrainingSettings(epochs=7))
    assert "epochs | 7 | passes over the training events at most" in told


def test_a_model_says_what_it_is(tmp_path):
    camera = Camera.magic()
    description = ModelDescription(
        camera_name=camera.name,
        camera_fingerprint=camera.fingerprint,
        telescopes=("M1", "M2"),
        inputs=InputSettings(auxiliary=("cos_zenith",)),
        network=NetworkSettings(arguments={"stem": 4, "widths": [4]}),
        training=TrainingSettings(heads=("energy",)),
        normalisation=Normalisation(mean=(0.0,), scale=(1.0,)),
        history=({"epoch": 1, "validation_loss": 0.5}, {"epoch": 2, "validation_loss": 0.25}),
    )
    model = TrainedModel(build_model(description, camera, ("M1", "M2")), description)
    assert repr(model).startswith("TrainedModel(energy; hex_resnet, M1+M2, MAGICCam, 2 epochs, ")
    assert f"{model.n_parameters} parameters" in repr(model)
    told = page(model)
    assert "2, best validation loss 0.25" in told
    assert "hex_resnet (stem 4, widths [4])" in told
    assert "energy" in page(description)


def test_a_run_directory_lists_what_is_there(tmp_path):
    layout = RunLayout(tmp_path)
    assert repr(layout).endswith(": empty)")
    for name in ("events/gamma_za05to35.h5", "events/.x.part.h5", "models/classifier.pt", "predictions/CNN/a.h5"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    told = page(layout)
    assert "gamma_za05to35" in told
    assert ".x" not in told
    assert "classifier" in told
    assert "CNN" in told


def test_every_text_is_escaped():
    class Odd(Settings):
        name: str = NASTY

    for text in (
        html_page(NASTY, [(NASTY, NASTY)], html_table((NASTY,), [(NASTY,)]), fold(NASTY, "<p></p>")),
        PredictionTable(NASTY, {"run_id": [1], "event_id": [1]}, particle=NASTY)._repr_html_(),
        Odd()._repr_html_(),
    ):
        found = Page(text)
        assert "script" not in found.tags
    assert NASTY in "".join(Page(html_page(NASTY, [])).texts)


def test_what_was_thrown_is_told_only_when_it_is_the_same_for_all():
    assert thrown_lines({"n_thrown": 3}) == []
    assert brief_thrown({"n_thrown": 3}) == ""


def test_ranges_leave_out_what_is_not_finite():
    assert span([np.nan, 2.0, np.inf, 1.0]) == "1 to 2"
    assert span([3.0, 3.0]) == "3"
    assert span([]) == span([np.nan]) == ""
    assert range_lines({"true_energy_gev": np.array([np.nan])}) == []
