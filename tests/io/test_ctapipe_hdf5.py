"""ctapipe HDF5: the same numbers as ctapipe's TableLoader, data models 6 and 7, and one line for what is wrong."""

import logging
import re
import shutil

import numpy as np
import pytest
import tables
from ctapipe_files import (
    IMAGES,
    LST,
    OBSERVATION,
    SHOWER,
    TRIGGER,
    VERSION,
    edited,
    many_events,
    replace_table,
    scaled_images,
    to_version_6,
    with_column,
)

from magicnn.errors import ConfigError, InputError
from magicnn.io import open_events
from magicnn.io.convert import convert_events
from magicnn.io.describe import describe
from magicnn.io.formats import recognise
from magicnn.io.mars.truth import shower_ids

pytestmark = pytest.mark.filterwarnings("ignore::tables.NaturalNameWarning")


@pytest.fixture(scope="session")
def real(data_dir):
    return data_dir / "ctapipe_dl1" / "history_meta_75.dl2.h5"


@pytest.fixture(scope="session")
def many(real, tmp_path_factory):
    return edited(real, tmp_path_factory.mktemp("many") / "many.h5", many_events(60))


def loaded(path, tel_ids):
    """What ctapipe's TableLoader says of the telescopes."""
    from ctapipe.io import TableLoader

    with TableLoader(path, dl1_parameters=False, true_parameters=False, dl1_images=True, true_images=True) as loader:
        subarray = loader.read_subarray_events(observation_info=True)
        by_telescope = loader.read_telescope_events_by_id(tel_ids, pointing=True)
        return loader.subarray, subarray, by_telescope


@pytest.mark.parametrize("camera", ["LSTCam", "NectarCam"])
def test_same_numbers_as_the_table_loader(real, camera):
    reader = open_events(real, camera=camera)
    events = reader.read()
    tel_ids = reader.meta.provenance["tel_ids"]
    subarray, stereo, by_telescope = loaded(real, tel_ids)
    assert len(events) == len(stereo) == 1
    assert events["event_id"].tolist() == stereo["event_id"].tolist()
    assert events["run_id"].tolist() == stereo["obs_id"].tolist()
    units = {
        "true_energy_gev": ("true_energy", "GeV"),
        "true_azimuth_deg": ("true_az", "deg"),
        "true_core_x_m": ("true_core_x", "m"),
        "true_core_y_m": ("true_core_y", "m"),
        "true_first_interaction_m": ("true_h_first_int", "m"),
        "true_xmax_gcm2": ("true_x_max", "g / cm2"),
    }
    for ours, (theirs, unit) in units.items():
        np.testing.assert_allclose(events[ours], stereo[theirs].quantity.to_value(unit), rtol=1e-14)
    np.testing.assert_allclose(events["true_zenith_deg"], 90.0 - stereo["true_alt"].quantity.to_value("deg"))
    assert events["true_particle"].tolist() == [22]
    theirs = stereo["time"].utc.datetime64.astype("datetime64[ns]").astype(np.int64)
    np.testing.assert_array_equal(events["time_utc_ns"], theirs)
    for telescope, tel_id in enumerate(tel_ids):
        rows = by_telescope.get(tel_id)
        if rows is None or not len(rows):
            assert np.isnan(events.charge[:, telescope]).all()
            assert np.isnan(events["true_pe"][:, telescope]).all()
            continue
        np.testing.assert_array_equal(events.charge[:, telescope], rows["image"])
        np.testing.assert_array_equal(events.time[:, telescope], rows["peak_time"])
        np.testing.assert_array_equal(events["true_pe"][:, telescope], rows["true_image_sum"])
        altitude = rows["telescope_pointing_altitude"].quantity.to_value("deg")
        np.testing.assert_allclose(events["pointing_zenith_deg"], 90.0 - altitude, atol=1e-5)
        np.testing.assert_allclose(events["true_impact_m"][:, telescope], rows["true_impact_distance"], rtol=1e-5)
    geometry = subarray.tel[tel_ids[0]].camera.geometry
    np.testing.assert_array_equal(reader.meta.camera.x_m, geometry.pix_x.to_value("m"))
    np.testing.assert_array_equal(reader.meta.camera.y_m, geometry.pix_y.to_value("m"))
    for position, tel_id in zip(reader.meta.layout.positions_m, tel_ids, strict=True):
        np.testing.assert_allclose(position, subarray.positions[tel_id].to_value("m"))


def test_what_holds_for_all_events(real):
    meta = open_events(real, camera="LSTCam").meta
    assert meta.telescopes == ("LST-1", "LST-2", "LST-3", "LST-4")
    assert (meta.camera.name, meta.camera.n_pixels) == ("LSTCam", 1855)
    assert (meta.particle, meta.is_simulation, meta.production) == ("gamma_diffuse", True, "LaPalma-baseline-prod5")
    assert meta.sampling_gsps == 1.024
    assert meta.window_ns == 40 / 1.024
    assert meta.generated["n_thrown"] == 1
    assert (meta.generated["energy_min_gev"], meta.generated["energy_max_gev"]) == (1000.0, 5000.0)
    assert meta.generated["zenith_min_deg"] == pytest.approx(20.0, abs=1e-6)
    assert meta.provenance["format"] == "ctapipe HDF5, data model v7.1.0"


def test_recognised_by_content(real, tmp_path):
    copy = shutil.copy(real, tmp_path / "something.dat")
    assert recognise(tmp_path / copy).kind == "ctapipe"


def test_data_model_6_differs_in_its_times_only(real, tmp_path):
    old = edited(real, tmp_path / "v6.h5", to_version_6)
    ours, new = open_events(old, camera="LSTCam").read(), open_events(real, camera="LSTCam").read()
    _, stereo, _ = loaded(old, LST)
    assert (stereo["time"].format, stereo["time"].scale) == ("mjd", "tai")
    for name in new.columns:
        if name != "time_utc_ns":
            np.testing.assert_array_equal(ours[name], new[name])
    # a double holds days since 1858 to half a microsecond
    assert abs(ours["time_utc_ns"] - new["time_utc_ns"]).max() < 1000
    np.testing.assert_array_equal(ours.charge, new.charge)


@pytest.mark.parametrize("time", ["2016-12-31T23:59:59.25", "2017-01-01T00:00:00.75", "1999-12-31T12:00:00.000000123"])
def test_times_count_leap_seconds(real, tmp_path, time):
    from astropy.time import Time
    from ctapipe.time import time_to_ctao_high_res

    expected = int(np.datetime64(time, "ns").astype(np.int64))

    def set_time(file):
        records = file.get_node(TRIGGER)[:]
        records["time"] = time_to_ctao_high_res(Time(time, scale="utc", format="isot"))
        replace_table(file, TRIGGER, records)

    path = edited(real, tmp_path / "t.h5", set_time)
    assert open_events(path, camera="LSTCam").read()["time_utc_ns"].tolist() == [expected]


@pytest.mark.parametrize(("kind", "column"), [("int32", "image"), ("uint16", "peak_time"), ("int16", "image")])
def test_scaled_columns_are_what_the_table_loader_makes_of_them(real, tmp_path, kind, column):
    def spoil(file):
        for node in file.iter_nodes(IMAGES):
            records = node[:]
            records[column][:, :3] = [np.nan, np.inf, -np.inf]
            records[column][:, 3:] = np.clip(records[column][:, 3:], 0, 300)
            replace_table(file, node._v_pathname, records)

    path = edited(real, tmp_path / "scaled.h5", spoil, scaled_images(100.0, kind, column))
    events = open_events(path, camera="LSTCam").read()
    _, _, by_telescope = loaded(path, LST)
    ours = {"image": events.charge, "peak_time": events.time}[column]
    for telescope, tel_id in enumerate(LST):
        theirs = by_telescope[tel_id][column]
        assert np.isinf(theirs[0, 1:3]).all()
        np.testing.assert_array_equal(ours[:, telescope], np.where(np.isfinite(theirs), theirs, np.nan))
    assert np.unique(ours).size > 100


def test_many_events_find_their_images(many):
    reader = open_events(many, camera="LSTCam")
    events = reader.read()
    assert len(events) == 60
    assert (np.diff(events["event_id"]) > 0).all()
    for telescope, tel_id in enumerate(LST):
        marks = events.charge[:, telescope, 0]
        has_image = np.isfinite(marks)
        assert 0 < has_image.sum() <= 60
        expected = (events["event_id"] + tel_id / 100).astype(np.float32)
        np.testing.assert_array_equal(marks[has_image], expected[has_image])
        assert np.isnan(events.charge[~has_image, telescope]).all()
        np.testing.assert_array_equal(events["true_pe"][has_image, telescope], events["event_id"][has_image])
    with tables.open_file(str(many)) as file:
        shower = file.get_node(SHOWER)[:]
    shower = shower[np.argsort(shower["event_id"])]
    np.testing.assert_array_equal(events["true_energy_gev"], shower["true_energy"].astype(np.float64) * 1000.0)
    ids, uses = shower_ids(events["run_id"], events["true_energy_gev"])
    np.testing.assert_array_equal(events["shower_id"], ids)
    np.testing.assert_array_equal(events["reuse_id"], uses)


def test_a_lost_table_of_images_is_warned_of(many, tmp_path, caplog):
    path = edited(many, tmp_path / "lost.h5", without(f"{IMAGES}/tel_002"))
    logging.getLogger("magicnn").addHandler(caplog.handler)
    try:
        reader = open_events(path, camera="LSTCam")
    finally:
        logging.getLogger("magicnn").removeHandler(caplog.handler)
    whole = open_events(many, camera="LSTCam").read()
    n_lost = int(np.isfinite(whole.charge[:, 1, 0]).sum())
    assert reader.counts["images missing of telescopes that triggered"] == n_lost
    assert f"LST-2 triggered {n_lost} times, but has no image in the file" in caplog.text


def test_pieces_of_any_size_are_the_whole(many):
    reader = open_events(many, camera="NectarCam")
    whole = reader.read()
    for size in (1, 7, 60, 1000):
        pieces = list(reader.batches(size))
        assert [len(p) for p in pieces[:-1]] == [size] * (len(pieces) - 1)
        np.testing.assert_array_equal(np.concatenate([p.charge for p in pieces]), whole.charge)
        np.testing.assert_array_equal(np.concatenate([p["event_id"] for p in pieces]), whole["event_id"])
    np.testing.assert_array_equal(reader.read(13, 29).charge, whole.charge[13:29])
    assert len(reader.read(29, 13)) == 0
    with pytest.raises(ConfigError, match="batches of 0 events"):
        next(iter(reader.batches(0)))


def test_telescopes_by_name(many):
    reader = open_events(many, camera="LSTCam", telescopes=["LST-2", "LST-4"])
    assert reader.meta.telescopes == ("LST-2", "LST-4")
    events = reader.read()
    assert events.charge.shape[1] == 2
    assert np.isfinite(events.charge[:, :, 0]).any(axis=1).all()
    assert reader.counts["without image"] == 60 - len(events) > 0
    assert reader.counts["events"] == len(events)


def test_several_files_are_one_source(real, many, tmp_path):
    other = edited(real, tmp_path / "other.h5", many_events(20, seed=1, obs_id=3))
    reader = open_events([many, other], camera="LSTCam")
    events = reader.read()
    assert events["run_id"].tolist() == [3] * 20 + [4] * 60
    assert reader.meta.source_files == (str(many), str(other))
    np.testing.assert_array_equal(events.charge[20:], open_events(many, camera="LSTCam").read().charge)
    assert reader.meta.generated["n_thrown"] == 2


def test_conversion_to_an_event_set(many, tmp_path):
    convert_events(many, tmp_path / "set.h5", camera="LSTCam", telescopes=["LST-1", "LST-3"])
    ours, theirs = open_events(tmp_path / "set.h5"), open_events(many, camera="LSTCam", telescopes=["LST-1", "LST-3"])
    np.testing.assert_allclose(ours.read().charge, theirs.read().charge, rtol=1e-3, atol=1e-2)
    assert ours.meta.array == theirs.meta.array
    assert ours.meta.camera.fingerprint == theirs.meta.camera.fingerprint


def test_described_without_a_choice(many, tmp_path):
    text = describe(many)
    assert "ctapipe HDF5, data model v7.1.0, simulation" in text
    assert "LSTCam: 4 telescopes, 4 with images; NectarCam: 15 telescopes, 11 with images" in text
    assert re.search(r"events +60\n", text)
    assert re.search(r"true energy +\d+\.?\d* to \d+\.?\d* GeV", text)
    assert "by ctapipe 0.28.0" in text


def test_calibration_events_and_failed_images_are_left_out(many, tmp_path):
    def spoil(file):
        trigger = file.get_node(TRIGGER)[:]
        trigger["event_type"][:5] = 2  # sky pedestal
        replace_table(file, TRIGGER, trigger)
        node = file.get_node(f"{IMAGES}/tel_001")
        images = node[:]
        images["is_valid"] = images["event_id"] != trigger["event_id"][10]
        replace_table(file, node._v_pathname, images)
        spoilt.append(int(trigger["event_id"][10]))

    spoilt = []
    reader = open_events(edited(many, tmp_path / "x.h5", spoil), camera="LSTCam")
    events = reader.read()
    assert (reader.counts["triggers"], reader.counts["calibration"], len(reader)) == (60, 5, 55)
    failed = events["event_id"] == spoilt[0]
    assert np.isnan(events.charge[failed, 0]).all()
    assert np.isfinite(events.charge[~failed, 0]).all()


def test_monitored_and_planned_pointing(many, tmp_path):
    def without_fixed(file):
        file.remove_node("/configuration/telescope/pointing", recursive=True)

    def monitored(file):
        start = int(file.get_node(TRIGGER)[:]["time"][:, 0].min())
        reports = np.zeros(2, dtype=[("time", "u4", (2,)), ("azimuth", "f8"), ("altitude", "f8")])
        reports["time"][:, 0] = [start, start + 100]
        reports["azimuth"], reports["altitude"] = [359.5, 0.5], [70.0, 71.0]
        for tel_id in LST:
            table = file.create_table(
                "/dl0/monitoring/telescope/pointing", f"tel_{tel_id:03d}", obj=reports, createparents=True
            )
            table.attrs["CTAFIELD_0_TIME_SCALE"] = "tai"
            table.attrs["CTAFIELD_0_TIME_FORMAT"] = "ctao_high_res"
            table.attrs["CTAFIELD_1_UNIT"] = table.attrs["CTAFIELD_2_UNIT"] = "deg"

    planned = open_events(edited(many, tmp_path / "planned.h5", without_fixed), camera="LSTCam").read()
    np.testing.assert_allclose(planned["pointing_zenith_deg"], 20.0)
    events = open_events(edited(many, tmp_path / "m.h5", without_fixed, monitored), camera="LSTCam").read()
    order = np.argsort(events["time_utc_ns"])
    # the reported second zero is less than one second before the first event
    passed = (events["time_utc_ns"][order] - events["time_utc_ns"].min()) / 1e9 + 0.933085
    np.testing.assert_allclose(events["pointing_zenith_deg"][order], 20.0 - passed / 100, atol=1e-9)
    np.testing.assert_allclose(events["pointing_azimuth_deg"][order], (359.5 + passed / 100) % 360, atol=1e-9)


def without(name):
    return lambda file: file.remove_node(name, recursive=True)


def records_changed(name, change):
    def edit(file):
        replace_table(file, name, change(file.get_node(name)[:]))

    return edit


def without_column(name, column):
    def edit(file):
        records = file.get_node(name)[:]
        kept = [n for n in records.dtype.names if n != column]
        fewer = np.empty(len(records), dtype=[(n, records.dtype[n].base, records.dtype[n].shape) for n in kept])
        for n in kept:
            fewer[n] = records[n]
        replace_table(file, name, fewer)

    return edit


def version(text):
    def edit(file):
        file.root._v_attrs[VERSION] = text

    return edit


def unit_of_energy(file):
    file.get_node(SHOWER).attrs["CTAFIELD_2_UNIT"] = "m"


def other_pointing(file):
    name = "/configuration/telescope/pointing/tel_002"
    records = file.get_node(name)[:]
    records["telescope_pointing_altitude"] -= 0.02
    replace_table(file, name, records)


def set_first_particle(records):
    records["true_shower_primary_id"][0] = 77
    return records


def wider(records):
    return with_column(records, "image", np.zeros((len(records), 1764), dtype=np.float32))


def nothing_says_where(file):
    file.remove_node("/configuration/telescope/pointing", recursive=True)
    file.remove_node(OBSERVATION)


CASES = {
    "no images": (without(IMAGES), r"there are no camera images .* write it with ctapipe-process --write-images"),
    "no trigger": (without(TRIGGER), rf"there is no table {TRIGGER}"),
    "no subarray": (without("/configuration/instrument"), "cannot read the description of the array"),
    "old data model": (version("v5.0.0"), r"ctapipe data model v5\.0\.0; versions 6 and 7 are read"),
    "newer data model": (version("v8.0.0"), r"ctapipe data model v8\.0\.0"),
    "version in words": (version("new"), "ctapipe data model new"),
    "no time": (without_column(TRIGGER, "time"), f"column 'time' is missing in table {TRIGGER}; "),
    "no image column": (without_column(f"{IMAGES}/tel_003", "image"), r"column 'image' is missing in table .*tel_003"),
    "images of another camera": (
        records_changed(f"{IMAGES}/tel_001", wider),
        r"images of shape \(1764,\), the camera has 1855 pixels",
    ),
    "an event twice": (
        records_changed(TRIGGER, lambda r: np.concatenate([r, r[:1]])),
        rf"table {TRIGGER}: event \d+ of run 4 is there twice",
    ),
    "an image twice": (
        records_changed(f"{IMAGES}/tel_004", lambda r: np.concatenate([r, r[:2]])),
        r"tel_004: event \d+ of run 4 is there twice \(2 such\)",
    ),
    "no rows of truth": (records_changed(SHOWER, lambda r: r[:0]), "has no rows, so nothing is known"),
    "no events": (records_changed(TRIGGER, lambda r: r[:0]), r"no event with an image of LST-1, .* \(0 triggers"),
    "energy in metres": (unit_of_energy, r"column 'true_energy' of table .* is in m, GeV is expected"),
    "unknown particle": (records_changed(SHOWER, set_first_particle), "unknown particle 77"),
    "telescopes point apart": (other_pointing, r"the telescopes point up to 1\.15 deg apart"),
    "no pointing": (nothing_says_where, r"nothing says where the telescopes pointed .* take what the"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_clear_line_for(case, many, tmp_path):
    edit, message = CASES[case]
    path = edited(many, tmp_path / "bad.h5", edit)
    with pytest.raises(InputError, match=message) as caught:
        open_events(path, kind="ctapipe", camera="LSTCam").read()
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_events_without_truth_are_left_out_and_counted(many, tmp_path):
    path = edited(many, tmp_path / "x.h5", records_changed(SHOWER, lambda r: r[:-3]))
    reader = open_events(path, camera="LSTCam")
    assert (reader.counts["without truth"], len(reader)) == (3, 57)


def test_files_that_are_none(many, real, tmp_path):
    with pytest.raises(ConfigError, match=r"several cameras, LSTCam \(4 telescopes\), NectarCam \(15 telescopes\)"):
        open_events(real)
    with pytest.raises(InputError, match=r"event 100 of run 4 is in .*many\.h5 and in .*again\.h5"):
        open_events([many, shutil.copy(many, tmp_path / "again.h5")], camera="LSTCam")
    (tmp_path / "empty.h5").write_bytes(b"")
    with pytest.raises(InputError, match="the file is empty"):
        open_events(tmp_path / "empty.h5")
    (tmp_path / "text.h5").write_bytes(b"some words")
    with pytest.raises(InputError, match=r"not a ctapipe file \(not HDF5\)"):
        open_events(tmp_path / "text.h5", kind="ctapipe")
    with tables.open_file(str(tmp_path / "mcp.h5"), "w") as file:
        file.create_table("/events", "parameters", obj=np.zeros(3, dtype=[("obs_id", "i8")]), createparents=True)
    with pytest.raises(InputError, match="a file of magic-cta-pipe; it holds image parameters"):
        open_events(tmp_path / "mcp.h5")


@pytest.mark.parametrize("twentieth", range(20))
def test_truncated_anywhere(twentieth, real, tmp_path):
    content = real.read_bytes()
    path = tmp_path / "cut.h5"
    path.write_bytes(content[: max(9, len(content) * twentieth // 20 + twentieth)])
    with pytest.raises(InputError, match=r"truncated|damaged|not a ctapipe") as caught:
        open_events(path, kind="ctapipe", camera="LSTCam").read()
    assert "\n" not in str(caught.value)


def test_run_numbers_are_told_in_full(real, tmp_path):
    def renumber(file):
        trigger = file.get_node(TRIGGER)[:]
        trigger["obs_id"] = 5029747
        replace_table(file, TRIGGER, trigger)

    assert re.search(r"runs +5029747\n", describe(edited(real, tmp_path / "run.h5", renumber)))
