import pickle

import h5py
import numpy as np
import pytest

from magicnn import InputError, PredictionTable, load_predictions


def table(n=5, **columns):
    ids = {"run_id": np.full(n, 3), "event_id": np.arange(n), "gammaness": np.linspace(0, 1, n)}
    return PredictionTable("CNN", ids | columns, particle="gamma", generated={"n_thrown": 10}, meta={"model": "a.pt"})


def test_round_trip(tmp_path):
    saved = table(reco_energy_gev=np.array([1.0, np.nan, 3.0, 4.0, 5.0]))
    saved.save(tmp_path / "sub" / "p.h5")
    loaded = load_predictions(tmp_path / "sub" / "p.h5")
    assert (loaded.method, loaded.particle, loaded.generated, loaded.meta) == (
        "CNN",
        "gamma",
        {"n_thrown": 10},
        {"model": "a.pt"},
    )
    for name in saved.columns:
        np.testing.assert_array_equal(loaded[name], saved[name])
    with h5py.File(tmp_path / "sub" / "p.h5") as file:
        assert file["predictions/reco_energy_gev"].attrs["unit"] == "GeV"


def test_can_be_sent_between_processes():
    sent = pickle.loads(pickle.dumps(table()))
    np.testing.assert_array_equal(sent["gammaness"], table()["gammaness"])


def test_empty_table_round_trip(tmp_path):
    table(0).save(tmp_path / "p.h5")
    assert len(load_predictions(tmp_path / "p.h5")) == 0


def test_select_and_with_columns():
    some = table().select(np.array([3, 1])).with_columns(is_valid=[True, False])
    np.testing.assert_array_equal(some["event_id"], [3, 1])
    assert some["is_valid"].dtype == bool
    assert "gammaness" in some
    assert "theta2_deg2" not in some


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"run_id": [1], "event_id": [1], "gamaness": [0.5]}, "did you mean 'gammaness'"),
        ({"run_id": [1], "event_id": [1], "gammaness": [0.5, 0.6]}, "expected 1 values"),
        ({"run_id": [1]}, "no column 'event_id'"),
    ],
)
def test_wrong_columns(columns, reason):
    with pytest.raises(InputError, match=reason):
        PredictionTable("x", columns)


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_predictions(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(InputError, match="not HDF5"):
        load_predictions(tmp_path / "text.h5")
    with pytest.raises(InputError, match="not HDF5"):
        load_predictions(tmp_path)
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    with pytest.raises(InputError, match="not a prediction file"):
        load_predictions(tmp_path / "other.h5")
    table().save(tmp_path / "new.h5")
    with h5py.File(tmp_path / "new.h5", "a") as file:
        file.attrs["version"] = 99
    with pytest.raises(InputError, match="update it"):
        load_predictions(tmp_path / "new.h5")


def test_flipped_byte_is_found(tmp_path):
    path = tmp_path / "p.h5"
    values = np.arange(4096, dtype=np.float64) + 0.5
    PredictionTable("x", {"run_id": values, "event_id": values, "gammaness": values}).save(path)
    content = bytearray(path.read_bytes())
    where = content.find(values[100:110].tobytes())
    content[where] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        load_predictions(path)
