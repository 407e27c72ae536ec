"""What describe says about files."""

import h5py
import numpy as np
import pytest

from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.generated import Generated
from magicnn.images.features import extract_features
from magicnn.io.describe import describe
from magicnn.io.eventset.reader import EventSet, EventSetWriter
from magicnn.predictions import PredictionTable

THROWN = Generated("proton", 2.0, 100.0, 20000.0, 5000, 400.0, 0.0, 0.0, 0.0, 5.0, 10.0, 30.0).to_mapping()


def lines_of(text):
    return dict(line.strip().split("  ", 1) for line in text.splitlines()[1:] if "  " in line.strip())


def test_simulated_event_set(tmp_path):
    n = 4
    images = np.ones((n, 2, Camera.magic().n_pixels), dtype=np.float32)
    meta = EventMeta("proton", "za05to35", True, sampling_gsps=1.64, window_ns=30.5, generated=THROWN)
    columns = {
        "run_id": np.array([1, 1, 2, 3]),
        "event_id": np.arange(n),
        "true_energy_gev": np.array([100.0, 200.0, 300.0, 400.0]),
        "pointing_zenith_deg": np.full(n, 20.0),
    }
    with EventSetWriter(tmp_path / "a.h5", meta) as writer:
        writer.append(EventBatch(images, images, columns, meta))
    said = {key: value.strip() for key, value in lines_of(describe(tmp_path / "a.h5")).items()}
    assert said["kind"] == "event set, simulation"
    assert said["events"] == "4"
    assert said["particle"] == "proton"
    assert said["runs"] == "3, from 1 to 3"
    assert said["zenith"] == "20 deg"
    assert said["true energy"] == "100 to 400 GeV"
    assert said["thrown"].startswith("5000 proton, E^-2 from 100 to 20000 GeV, view cone 0 to 5 deg")
    assert "true_energy_gev [GeV]: energy of the primary particle" in describe(tmp_path / "a.h5")


def test_prediction_table(tmp_path):
    columns = {"run_id": np.ones(3), "event_id": np.arange(3), "gammaness": np.array([0.1, 0.5, 0.9])}
    PredictionTable("forest", columns, particle="proton", generated=THROWN).save(tmp_path / "p.h5")
    text = describe(tmp_path / "p.h5")
    said = {key: value.strip() for key, value in lines_of(text).items()}
    assert said["kind"] == "predictions, format 1"
    assert (said["rows"], said["method"], said["particle"]) == ("3", "forest", "proton")
    assert "by magicnn" in said["written"]
    assert "gammaness: 0 hadron-like to 1 gamma-like" in text


def test_feature_table_says_where_it_comes_from(tmp_path, damage):
    events = damage.write_event_set(tmp_path / "gamma.h5", n_events=4)
    extract_features(EventSet(events)).save(tmp_path / "features.h5")
    said = lines_of(describe(tmp_path / "features.h5"))
    assert said["kind"].strip() == "features, format 1"
    assert "by magicnn" in said["written"]
    assert said["command"]
    assert said["telescopes"].strip() == "M1, M2"
    with EventSet(events) as before:
        assert said["production"].strip() == before.meta.production


def test_sim_telarray_file_with_several_cameras(data_dir, caplog):
    pytest.importorskip("ctapipe")
    path = data_dir / "simtel" / "history_meta_75.simtel.zst"
    with caplog.at_level("INFO", logger="magicnn"):
        text = describe(path)
    assert "sim_telarray file, simulation" in text
    assert "LSTCam: 1 event, 4 telescopes, 1855 pixels" in text
    assert "NectarCam: 1 event, 15 telescopes, 1855 pixels" in text
    assert "1296.4 GeV" in text
    one = lines_of(describe(path, camera="nectarcam"))
    assert one["camera"].strip() == "NectarCam, 1855 pixels"
    assert one["telescopes"].count("MST-") == 15
    assert not caplog.records  # the cut flow is a line of the text
    with pytest.raises(ConfigError, match=r"no camera 'LSTCan'; did you mean 'LSTCam'\? it has LSTCam \(4"):
        describe(path, camera="LSTCan")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"words", "none of ROOT, HDF5, CORSIKA"), (b"", "is empty"), (b"root", "truncated")],
)
def test_other_files(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=message):
        describe(tmp_path / "x")


def test_unfinished_work(tmp_path):
    (tmp_path / ".gamma.h5.partial").write_bytes(b"magicnnJ" + bytes(100))
    with pytest.raises(InputError, match="unfinished work; the command that began it continues"):
        describe(tmp_path / ".gamma.h5.partial")


def test_hdf5_of_others_and_damaged(tmp_path):
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = np.arange(3)
    with pytest.raises(InputError, match="an HDF5 file, but neither of magicnn nor of ctapipe"):
        describe(tmp_path / "foreign.h5")
    (tmp_path / "torn.h5").write_bytes((tmp_path / "foreign.h5").read_bytes()[:900])
    with pytest.raises(InputError, match=r"torn\.h5"):
        describe(tmp_path / "torn.h5")
