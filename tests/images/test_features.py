"""Feature tables: row by row the events, the same whole or in pieces, and the same after a file."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from magicnn.array import OBSERVATION_LEVEL_M, TELESCOPES_M, TelescopeArray, sky_from_camera
from magicnn.errors import InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.images.cleaning import CleaningSettings, clean
from magicnn.images.features import (
    FEATURES,
    FeatureSettings,
    FeatureTable,
    concatenate_features,
    extract_features,
    require_same_events,
)
from magicnn.images.hillas import IMAGE_PARAMETERS, image_parameters
from magicnn.images.quality import missing_parameters
from magicnn.images.stereo import STEREO_PARAMETERS, reconstruct
from magicnn.io.eventset.reader import EventSet, EventSetWriter


@pytest.fixture(scope="module")
def events(images):
    charge, time = (a.astype(np.float32).reshape(150, 2, -1) for a in images)
    charge[3, 1] = np.nan
    time[3, 1] = np.nan
    charge[4] = 0.5
    rng = np.random.default_rng(8)
    columns = {
        "run_id": np.full(150, 7),
        "event_id": np.arange(150),
        "shower_id": np.arange(150) // 2,
        "reuse_id": np.arange(150) % 2,
        "pointing_zenith_deg": rng.uniform(5, 35, 150),
        "pointing_azimuth_deg": rng.uniform(0, 360, 150),
        "true_energy_gev": rng.uniform(100, 1000, 150),
        "true_impact_m": rng.uniform(0, 200, (150, 2)),
    }
    return EventBatch(charge, time, columns, EventMeta(particle="gamma", production="toy", is_simulation=True))


@pytest.fixture(scope="module")
def table(events):
    return extract_features(events)


def assert_same(a, b):
    assert set(a.columns) == set(b.columns)
    for name, values in a.columns.items():
        assert values.dtype == b[name].dtype
        np.testing.assert_array_equal(values, b[name], err_msg=name)


def test_images_are_crossed_from_where_the_telescopes_stand(events, table):
    """Twice the distance between the telescopes puts cores and maximum twice as far, directions stay."""
    twice = TelescopeArray(tuple((2.0 * x, 2.0 * y, 2.0 * z) for x, y, z in TELESCOPES_M.tolist()), ground_m=100.0)
    moved = extract_features(EventBatch(events.charge, events.time, events.columns, replace(events.meta, array=twice)))
    assert np.isfinite(table["reco_core_x_m"]).any()
    np.testing.assert_allclose(moved["reco_x_deg"], table["reco_x_deg"])
    np.testing.assert_allclose(moved["reco_core_x_m"], 2.0 * table["reco_core_x_m"], rtol=1e-6)
    np.testing.assert_allclose(moved["h_max_m"] - 100.0, 2.0 * (table["h_max_m"] - OBSERVATION_LEVEL_M), rtol=1e-6)


def test_rows_are_the_events(events, table):
    assert len(table) == 150
    assert set(table.columns) == set(IMAGE_PARAMETERS) | set(STEREO_PARAMETERS) | set(events.columns)
    np.testing.assert_array_equal(table["true_energy_gev"], events["true_energy_gev"])
    mask = clean(events.charge, events.time, events.meta.camera)
    images = image_parameters(events.charge, events.time, mask, events.meta.camera)
    np.testing.assert_allclose(table["size_pe"], images["size_pe"], rtol=1e-6)
    stereo = reconstruct(images, events["pointing_zenith_deg"], events["pointing_azimuth_deg"])
    np.testing.assert_array_equal(table["h_max_m"], stereo["h_max_m"])
    np.testing.assert_array_equal(table["is_stereo"], stereo["is_stereo"])
    assert table["is_stereo"].sum() > 100


def test_theta2_is_given_where_the_true_direction_is_known(events, table):
    assert "theta2_deg2" not in table
    n = len(events)
    offset = np.random.default_rng(9).uniform(0.0, 1.0, (2, n))
    zenith, azimuth = sky_from_camera(*offset, events["pointing_zenith_deg"], events["pointing_azimuth_deg"])
    known = replace(events, columns={**events.columns, "true_zenith_deg": zenith, "true_azimuth_deg": azimuth})
    theta2 = extract_features(known)["theta2_deg2"]
    x, y = table["reco_x_deg"] - offset[0], table["reco_y_deg"] - offset[1]
    near = np.hypot(table["reco_x_deg"], table["reco_y_deg"]) < 1.5
    assert near.sum() > 30
    np.testing.assert_allclose(theta2[near], (x**2 + y**2)[near], rtol=5e-3)
    np.testing.assert_array_equal(np.isnan(theta2), ~table["is_stereo"])


def test_missing_telescope_and_empty_images_are_nan(table):
    assert np.isnan(table["size_pe"][3, 1])
    assert table["size_pe"][3, 0] > 0
    assert (table["size_pe"][4] == 0).all()
    for row in (3, 4):
        assert not table["is_stereo"][row]
        assert np.isnan(table["impact_m"][row]).all()
        assert np.isnan(table["reco_zenith_deg"][row])


def test_events_without_parameters_have_one_reason(table):
    reasons = dict(missing_parameters(table))
    assert reasons["no image after the cleaning"][4]
    assert reasons["no image in one telescope"][3]
    np.testing.assert_array_equal(sum(which.astype(int) for which in reasons.values()), ~table["is_stereo"])


@pytest.mark.parametrize("size", [1, 64, 149])
def test_batch_size_changes_nothing(events, table, size):
    assert_same(extract_features(events.select(slice(0, 70)), batch_size=size), table.select(slice(0, 70)))


def test_event_set_gives_the_table_of_its_events(events, tmp_path):
    with EventSetWriter(tmp_path / "events.h5", events.meta) as writer:
        writer.append(events)
    with EventSet(tmp_path / "events.h5") as stored:
        assert_same(extract_features(stored, batch_size=60), extract_features(stored.read()))


def test_file_keeps_everything(table, tmp_path):
    path = tmp_path / "features.h5"
    settings = FeatureSettings(cleaning=CleaningSettings(method="tailcuts", core_pe=8.0))
    FeatureTable(table.columns, table.meta, settings).save(path)
    again = FeatureTable.load(path)
    assert_same(again, table)
    assert again.settings == settings
    assert again.meta.particle == "gamma"
    assert again.meta.camera.fingerprint == table.meta.camera.fingerprint
    with h5py.File(path) as file:
        assert file["features/width_deg"].attrs["unit"] == "deg"
        assert "minor axis" in file["features/width_deg"].attrs["description"]
        assert file["features/true_energy_gev"].attrs["unit"] == "GeV"


def test_settings_change_the_parameters(events, table):
    loose = FeatureSettings(cleaning=CleaningSettings(method="tailcuts", core_pe=4.5, boundary_pe=3.5))
    assert extract_features(events, loose)["n_pixels"][5:].mean() > table["n_pixels"][5:].mean()


def test_selecting_and_joining(table):
    joined = concatenate_features([table.select(slice(0, 50)), table.select(np.arange(50, 150))])
    assert_same(joined, table)
    assert len(table.select(table["size_pe"][:, 0] > 100)) == (table["size_pe"][:, 0] > 100).sum()
    thrown = [replace(table.meta, generated={"spectral_index": 2.0, "n_thrown": n}) for n in (10, 20)]
    joined = concatenate_features([FeatureTable(table.columns, meta) for meta in thrown])
    assert dict(joined.meta.generated) == {"spectral_index": 2.0}
    other = FeatureTable(table.columns, table.meta, FeatureSettings(cleaning=CleaningSettings(core_pe=7.0)))
    with pytest.raises(InputError, match="differ in settings"):
        concatenate_features([table, other])
    with pytest.raises(InputError, match="no feature tables"):
        concatenate_features([])


def test_every_feature_is_described():
    for name, spec in FEATURES.items():
        assert spec.description, name
        for unit in ("deg", "pe", "ns", "m", "gev"):
            if name.endswith(f"_{unit}") and "_per_" not in name:
                assert spec.unit == {"pe": "phe", "gev": "GeV"}.get(unit, unit), name


def test_mistakes_are_named(events, table, tmp_path):
    with pytest.raises(InputError, match="unknown feature 'sise_pe': did you mean 'size_pe'"):
        table.with_columns(sise_pe=table["size_pe"])
    with pytest.raises(InputError, match=r"'size_pe': expected shape \(150, 2\), got \(150,\)"):
        table.with_columns(size_pe=table["h_max_m"])
    with pytest.raises(InputError, match="no column 'lenght_deg'"):
        table["lenght_deg"]
    with pytest.raises(InputError, match="no such file"):
        FeatureTable.load(tmp_path / "nothing.h5")
    blind = EventBatch(events.charge, events.time, {"event_id": events["event_id"]}, events.meta)
    with pytest.raises(InputError, match="no column 'pointing_zenith_deg'"):
        extract_features(blind)
    with pytest.raises(InputError, match="no events"):
        extract_features(events.select(slice(0, 0)))
    table.save(tmp_path / "features.h5")
    content = (tmp_path / "features.h5").read_bytes()
    (tmp_path / "half.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"half\.h5: damaged feature file"):
        FeatureTable.load(tmp_path / "half.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(InputError, match=r"text\.h5: not a feature file"):
        FeatureTable.load(tmp_path / "text.h5")


def test_real_events_have_parameters(data_dir):
    from magicnn.io import open_events

    reader = open_events(sorted((data_dir / "magic_real").glob("*.root")))
    table = extract_features(reader)
    assert len(table) == len(reader) == 21
    assert table["event_id"][0] == 29795
    bright = (table["size_pe"] > 50).all(axis=1)
    assert 5 <= bright.sum() <= 21
    assert np.nanmax(table["leakage1"]) <= 1.0
    assert np.isfinite(table["reco_zenith_deg"][table["is_stereo"]]).all()


def test_a_table_of_other_events_is_noticed(events, table):
    require_same_events(table, events.columns)
    with pytest.raises(InputError, match=r"t\.h5 was made for other events: it has 150 rows, e\.h5 149 events"):
        require_same_events(table, events.select(slice(1, None)).columns, table="t.h5", events="e.h5")
    for name in ("run_id", "event_id"):
        shifted = {**events.columns, name: events[name] + 1}
        with pytest.raises(InputError, match=f"made for other events: its {name} differs"):
            require_same_events(table, shifted)
