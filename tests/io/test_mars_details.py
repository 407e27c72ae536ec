"""What MARS files say besides the images: level, trigger, pedestals, drive, versions, numbers without stereo."""

import numpy as np
import pytest
from mars_files import (
    MC_RUN,
    MJD_2015,
    N_SLOTS,
    data_columns,
    data_name,
    drive_tree,
    event_columns,
    mc_name,
    mc_trees,
    pedestal_columns,
    run_headers,
    run_tails,
    trigger_trees,
    write_file,
)

from magicnn.errors import InputError
from magicnn.io import open_events
from magicnn.io.describe import describe
from magicnn.io.mars.names import parse_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "20131004_M1_05029747.003_Y_MagicCrab-W0.40+035.root",
            (1, 5029747, 3, "Y", "MagicCrab-W0.40+035"),
        ),
        ("20210314_M2_05095172.001_I_CrabNebula-W0.40+035.root", (2, 5095172, 1, "I", "CrabNebula-W0.40+035")),
        ("20210314_05095172_Q_CrabNebula-W0.40+035.root", (None, 5095172, None, "Q", "CrabNebula-W0.40+035")),
        ("GA_M1_za35to50_8_824318_Y_w0.root", (1, 824318, None, "Y", "za35to50")),
        ("GA_za05to35_8_S_w0.root", (None, None, None, "S", "za05to35")),
        ("PR_M2_za62to70_1_12_I_w0.root", (2, 12, None, "I", "za62to70")),
        ("my_M2_copy.root", (2, None, None, None, "")),
        ("events.root", (None, None, None, None, "")),
    ],
)
def test_names(tmp_path, name, expected):
    said = parse_name(tmp_path / name)
    assert (said.telescope, said.run, said.subrun, said.level, said.source) == expected


def pair(folder, numbers=(3, 4, 5), *, columns=None, **trees):
    paths = []
    for telescope in (1, 2):
        events = data_columns(telescope, numbers) | (columns or {})
        headers = run_headers(telescope)
        paths.append(write_file(folder / data_name(telescope), Events=events, RunHeaders=headers, **trees))
    return paths


STEREO, MONO = (0, 1, 0, 1, 0, 0, 0, 1), (1, 1, 0, 1, 0, 0, 0, 0)
MONO_SUM, WITH_LST = (0, 1, 0, 1, 0, 1, 0, 0), (0, 1, 1, 1, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("factors", "table", "mode"),
    [
        (STEREO, "L3T_L1L1_100_SYNC", "stereo"),
        (STEREO, "L3T_SUMSUM_100_SYNC", "stereo, sum trigger"),
        (WITH_LST, "L3T_L1L1_100_SYNC", "stereo with LST-1"),
        (MONO, "L3T_L1L1_100_SYNC", "mono"),
        (MONO_SUM, "L3T_SUMSUM_100_SYNC", "mono, sum trigger"),
        ((3, 1, 0, 1, 0, 0, 0, 1), "L3T_L1L1_100_SYNC", "prescaling factors 3 1 0 1 0 0 0 1"),
    ],
)
def test_trigger_settings_are_kept_and_told(tmp_path, factors, table, mode):
    paths = pair(tmp_path, **trigger_trees(factors, table))
    record = open_events(paths).meta.provenance
    assert (record["trigger"], record["trigger_table"]) == (mode, table)
    text = describe(paths[0])
    assert f"trigger        {mode}\n" in text
    assert table in text


def test_patterns_of_the_trigger_with_lst(tmp_path):
    pattern = {"MTriggerPattern.fPrescaled": np.array([128, 132, 4, 8], dtype=np.uint16)}
    numbers = (3, 4, 5, 6)
    (tmp_path / "lst").mkdir()
    with_lst = open_events(pair(tmp_path / "lst", numbers, columns=pattern, **trigger_trees(WITH_LST)))
    assert with_lst.read()["event_id"].tolist() == [3, 4]
    assert with_lst.read()["trigger_pattern"].tolist() == [[128, 128], [132, 132]]
    assert (with_lst.counts["M1 other trigger"], with_lst.counts["M1 pedestal"]) == (1, 1)
    plain = open_events(pair(tmp_path, numbers, columns=pattern, **trigger_trees(STEREO)))
    assert plain.read()["event_id"].tolist() == [3]


@pytest.mark.parametrize(
    ("factors", "pattern", "numbers", "ids"),
    [
        (MONO, [1, 1, 8], [0, 0, 0], [700001, 700002]),
        (MONO_SUM, [32, 32, 2], [0, 0, 0], [700001, 700002]),
        (WITH_LST, [128, 4, 132], [11, 12, 13], [11, 13, 70000002]),
    ],
)
def test_one_telescope_keeps_all_showers_with_the_numbers_of_the_acquisition(tmp_path, factors, pattern, numbers, ids):
    columns = data_columns(1, numbers) | {"MTriggerPattern.fPrescaled": np.array(pattern, dtype=np.uint16)}
    path = write_file(
        tmp_path / data_name(1, subrun=7), Events=columns, RunHeaders=run_headers(1), **trigger_trees(factors)
    )
    events = open_events(path, require_stereo=False).read()
    assert events["event_id"].tolist() == ids
    assert (events["trigger_pattern"][:, 1] == -1).all()


@pytest.mark.parametrize(("pattern", "mode"), [(32, "stereo, sum trigger"), (1, "stereo")])
def test_sum_trigger_of_simulations(tmp_path, pattern, mode):
    for telescope in (1, 2):
        trees = mc_trees(telescope, [1, 2, 3], [0, 1, 2])
        trees["Events"]["MTriggerPattern.fPrescaled"] = np.array([0, pattern, pattern], dtype=np.uint16)
        write_file(tmp_path / mc_name(telescope), **trees)
    reader = open_events(tmp_path)
    assert reader.meta.provenance["trigger"] == mode
    assert reader.read()["trigger_pattern"][:, 0].tolist() == [0, pattern, pattern]


def test_pixel_0_of_simulations_is_never_used(tmp_path):
    for telescope in (1, 2):
        trees = mc_trees(telescope, [1, 2], [0, 1])
        del trees["RunHeaders"]["MBadPixelsCam.fArray.fInfo"]
        write_file(tmp_path / mc_name(telescope), **trees)
    unusable = np.isnan(open_events(tmp_path).read().charge)
    assert unusable[..., 0].all()
    assert not unusable[..., 1:].any()


def test_rings_mark_unusable_pixels_event_by_event(tmp_path):
    ring = np.ones((3, N_SLOTS), dtype=np.int16)
    ring[1, 17] = -1
    charge = np.isnan(open_events(pair(tmp_path, columns={"MCerPhotEvt.fPixels.fRing": ring})).read().charge)
    assert np.argwhere(charge).tolist() == [[1, 0, 17], [1, 1, 17]]


@pytest.mark.parametrize("container", ["MPedPhotFromExtractor", "MPedPhotFundamental"])
def test_pedestals_of_data_hold_from_their_time_on(tmp_path, container):
    # events come at 1030, 1040, 1050 ms and 123.4 us
    pedestals = pedestal_columns([1.8, 1.7, 1.6], [2.2, 2.1, 2.0], container) | {
        "MTimePedestals.fMjd": np.full(3, MJD_2015, dtype=np.uint32),
        "MTimePedestals.fTime.fMilliSec": np.array([1045, 1035, 1100], dtype=np.int64),  # not in order
        "MTimePedestals.fNanoSec": np.zeros(3, dtype=np.uint32),
    }
    events = open_events(pair(tmp_path, Pedestals=pedestals)).read()
    for telescope in (0, 1):
        np.testing.assert_allclose(events["pedestal_mean_pe"][:, telescope], [1.7, 1.7, 1.8], rtol=1e-6)
        np.testing.assert_allclose(events["pedestal_rms_pe"][:, telescope], [2.1, 2.1, 2.2], rtol=1e-6)


def test_pedestals_of_simulations_come_with_the_events(tmp_path):
    for telescope in (1, 2):
        trees = mc_trees(telescope, [1, 2, 3], [0, 1, 2])
        trees["Events"] |= pedestal_columns([1.5, 1.6, 1.7], [1.0 * telescope] * 3)
        write_file(tmp_path / mc_name(telescope), **trees)
    events = open_events(tmp_path).read()
    np.testing.assert_allclose(events["pedestal_mean_pe"][:, 0], [1.5, 1.6, 1.7], rtol=1e-6)
    np.testing.assert_allclose(events["pedestal_rms_pe"], np.tile([1.0, 2.0], (3, 1)))


def test_no_pedestals_no_columns(tmp_path):
    assert "pedestal_mean_pe" not in open_events(pair(tmp_path)).read().columns


def test_versions_of_the_programs(tmp_path):
    paths = pair(tmp_path, RunTails=run_tails("sorcerer", mars=(2, 19, 3), root=(5, 34, 36)))
    assert open_events(paths).meta.provenance["mars_software"] == "sorcerer 2.19.3 (ROOT 5.34.36)"
    assert "sorcerer 2.19.3 (ROOT 5.34.36)" in describe(paths[0])


def test_texts_in_fixed_arrays_with_and_without_brackets(tmp_path):
    text = np.zeros((1, 80), dtype=np.int8)
    text[0, :10] = np.frombuffer(b"CrabNebula", dtype=np.int8)
    for branch in ("MRawRunHeader.fSourceName", "MRawRunHeader.fSourceName[80]"):
        folder = tmp_path / str(len(branch))
        folder.mkdir()
        paths = []
        for telescope in (1, 2):
            trees = {"Events": data_columns(telescope, [3]), "RunHeaders": run_headers(telescope) | {branch: text}}
            path = write_file(folder / data_name(telescope), **trees)
            # a name with brackets makes uproot write a title with twice as many: mend it as MARS has it
            path.write_bytes(path.read_bytes().replace(b"[80][80]", b"[80]    "))
            paths.append(path)
        assert open_events(paths).meta.production == "CrabNebula"


# --- drive reports ----------------------------------------------------------------------------------------------------

EVENT_MS = 1000.1234 + 10 * np.array([3, 4, 5])


def at_ms(*milliseconds):
    return MJD_2015 + np.array(milliseconds) / 86_400_000.0


def events_with_drive(folder, drive):
    for telescope in (1, 2):
        columns = {k: v for k, v in data_columns(telescope, [3, 4, 5]).items() if not k.startswith("MPointing")}
        write_file(folder / data_name(telescope), Events=columns, Drive=drive)
    return open_events(folder).read()


def test_drive_reports_in_any_order_and_repeated(tmp_path):
    mjd = at_ms(1050, 1030, 1050, 1040)
    events = events_with_drive(tmp_path, drive_tree(mjd, [22.0, 20.0, 22.0, 20.5], [1.0, 359.0, 1.0, 0.0]))
    expected = np.interp(EVENT_MS, [1030, 1040, 1050, 1060], [20.0, 20.5, 22.0, 23.5])
    np.testing.assert_allclose(events["pointing_zenith_deg"], expected, atol=1e-3)
    around = (events["pointing_azimuth_deg"] + 180.0) % 360.0
    np.testing.assert_allclose(around, np.interp(EVENT_MS, [1030, 1050, 1060], [179, 181, 182]), atol=1e-3)


def test_drive_goes_on_along_its_line_before_and_after(tmp_path):
    events = events_with_drive(tmp_path, drive_tree(at_ms(1038, 1040, 1042), [20.8, 21.0, 21.2], [350.0, 355.0, 0.0]))
    np.testing.assert_allclose(events["pointing_zenith_deg"], [20.0, 21.0, 22.0], atol=0.02)
    np.testing.assert_allclose(events["pointing_azimuth_deg"], [330.3, 355.3, 20.3], atol=0.5)


def test_deviations_are_applied_where_the_reports_have_them(tmp_path):
    drive = drive_tree(
        at_ms(0, 1000, 2000), [20.0] * 3, [100.0] * 3, fDevZd=[0.1] * 3, fDevAz=[-0.2] * 3, fDevHa=[0.01] * 3,
        fErrorZd=[5.0] * 3, fErrorAz=[5.0] * 3,
    )  # fmt: skip
    events = events_with_drive(tmp_path, drive)
    np.testing.assert_allclose(events["pointing_zenith_deg"], 19.9)
    np.testing.assert_allclose(events["pointing_azimuth_deg"], 100.2)
    np.testing.assert_allclose(events["pointing_ra_deg"], 15.0 * 5.51)


def test_one_report_is_the_pointing(tmp_path):
    events = events_with_drive(tmp_path, drive_tree(at_ms(1000), [20.0], [100.0]))
    np.testing.assert_allclose(events["pointing_zenith_deg"], 20.0)


def test_reports_without_a_time(tmp_path):
    with pytest.raises(InputError, match="tree 'Drive' has no report with a time: the"):
        events_with_drive(tmp_path, drive_tree([np.nan], [20.0], [100.0]))


def test_no_report_at_all(tmp_path):
    with pytest.raises(InputError, match="tree 'Drive' has no report: the pointing is not known"):
        events_with_drive(tmp_path, drive_tree([], [], []))


def test_pointing_of_events_minus_its_deviations(tmp_path):
    shifts = {"fDevZd": 0.1, "fDevAz": -0.2, "fRa": 5.5, "fDevHa": 0.01, "fDec": 22.0, "fDevDec": 0.3}
    columns = {f"MPointingPos.{name}": np.full(3, value) for name, value in shifts.items()}
    events = open_events(pair(tmp_path, columns=columns)).read()
    np.testing.assert_allclose(events["pointing_zenith_deg"], 29.9)
    np.testing.assert_allclose(events["pointing_azimuth_deg"], 120.2)
    np.testing.assert_allclose(events["pointing_ra_deg"], 82.65)
    np.testing.assert_allclose(events["pointing_dec_deg"], 21.7)


# --- levels -----------------------------------------------------------------------------------------------------------


def test_name_and_content_disagree_on_the_level(tmp_path):
    path = write_file(tmp_path / data_name(1).replace("_Y_", "_S_"), Events=data_columns(1, [3]))
    with pytest.raises(InputError, match=r"its name says superstar \(_S_\), but .* calibrated \(_Y_\) file; rename it"):
        open_events(path)


def test_headers_of_several_runs(tmp_path):
    headers = {n: np.concatenate([v, v]) for n, v in run_headers(1).items()}
    headers["MRawRunHeader.fRunNumber"] = np.array([1, 2], dtype=np.uint32)
    path = write_file(tmp_path / data_name(1), Events=data_columns(1, [3]), RunHeaders=headers)
    with pytest.raises(InputError, match=r"run headers of several runs \(1, 2\) in one file of M1"):
        open_events(path)


def test_images_that_star_kept(tmp_path):
    """Charges alone: no arrival times, the rest as in calibrated files."""
    for telescope in (1, 2):
        columns = data_columns(telescope, [3, 4])
        charge = columns.pop("MCerPhotEvt.fPixels.fPhot")
        del columns["MArrivalTime.fData"]
        columns |= {"UprootImageOrig": charge, "MHillas.fSize": np.ones(2)}
        name = data_name(telescope).replace("_Y_", "_I_")
        write_file(tmp_path / name, Events=columns, RunHeaders=run_headers(telescope, bad=[5]))
    events = open_events(sorted(tmp_path.glob("*.root"))).read()
    expected = event_columns(1, [3, 4])["MCerPhotEvt.fPixels.fPhot"][:, :1039]
    usable = np.arange(1039) != 5
    np.testing.assert_array_equal(events.charge[:, 0, usable], expected[:, usable])
    assert np.isnan(events.time).all()
    assert events.meta.provenance["format"] == "MARS star (_I_)"


def test_real_run_number_of_simulations(tmp_path):
    for telescope in (1, 2):
        trees = mc_trees(telescope, [1], [0])
        del trees["RunHeaders"]["MRawRunHeader.fRunNumber"]
        write_file(tmp_path / mc_name(telescope), **trees)
    assert open_events(tmp_path).read()["run_id"].tolist() == [MC_RUN]
