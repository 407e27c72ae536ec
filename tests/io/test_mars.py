"""MARS calibrated files: the real pair, and files written here for what the real pair does not have."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mars_files import (
    MC_RUN,
    MJD_2015,
    data_columns,
    data_name,
    event_columns,
    mc_name,
    mc_trees,
    one,
    run_headers,
    write_file,
    write_pair,
)

from magicnn.array import MAGNETIC_DECLINATION_DEG
from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError
from magicnn.generated import Generated
from magicnn.io import open_events
from magicnn.io.describe import describe
from magicnn.io.mars.truth import PARTICLES, shower_ids


@pytest.fixture
def warnings_said():
    """Texts of the warnings that the package logs, wherever its log goes."""

    class Keep(logging.Handler):
        def emit(self, record):
            said.append(record.getMessage())

    said: list[str] = []
    handler = Keep(logging.WARNING)
    logging.getLogger("magicnn").addHandler(handler)
    yield said
    logging.getLogger("magicnn").removeHandler(handler)


@pytest.fixture(scope="session")
def real_events(data_dir):
    return open_events(data_dir / "magic_real").read()


def test_real_pair_gives_21_stereo_events(real_events):
    assert len(real_events) == 21
    assert real_events["event_id"][0] == 29795
    assert (np.diff(real_events["event_id"]) > 0).all()
    assert set(real_events["run_id"]) == {5029747}
    assert not real_events.meta.is_simulation
    assert real_events.meta.production == "MagicCrab-W0.40+035"


def test_real_cut_flow(data_dir):
    counts = open_events(data_dir / "magic_real").counts
    assert (counts["M1 read"], counts["M2 read"]) == (100, 100)
    assert (counts["M1 pedestal"], counts["M2 pedestal"]) == (11, 9)
    assert counts["joined by number"] == counts["events"] == 21
    for telescope in ("M1", "M2"):
        dropped = [
            counts[f"{telescope} {why}"] for why in ("pedestal", "other trigger", "no stereo number", "unmatched")
        ]
        assert counts[f"{telescope} read"] == sum(dropped) + 21


def test_real_images_equal_what_uproot_gives_event_by_event(data_dir, real_events):
    uproot = pytest.importorskip("uproot")
    for telescope, path in enumerate(sorted((data_dir / "magic_real").glob("*.root"))):
        with uproot.open({str(path): "Events"}) as tree:
            number = tree["MRawEvtHeader.fStereoEvtNumber"].array(library="np")
            pattern = tree["MTriggerPattern.fPrescaled"].array(library="np")
            charge = tree["MCerPhotEvt.fPixels.fPhot"].array(library="np")
            slices = tree["MArrivalTime.fData"].array(library="np")
        for event in (0, 7, 20):
            (row,) = np.flatnonzero((number == real_events["event_id"][event]) & (pattern == 128))
            ours, time = real_events.charge[event, telescope], real_events.time[event, telescope]
            usable = np.isfinite(ours)
            np.testing.assert_array_equal(ours[usable], charge[row][:1039][usable])
            expected = np.asarray(slices[row])[:1039]
            in_window = usable & (expected >= 0) & (expected < 80)
            np.testing.assert_array_equal(np.isfinite(time), in_window)
            np.testing.assert_allclose(time[in_window], expected[in_window] / 2.05, rtol=1e-6)


def test_real_unusable_pixels_and_wild_times(real_events):
    for telescope, pixel in ((0, 939), (1, 952)):
        unusable = np.isnan(real_events.charge[:, telescope])
        np.testing.assert_array_equal(np.flatnonzero(unusable.any(axis=0)), [pixel])
        assert unusable[:, pixel].all()
    assert np.isnan(real_events.time[np.isnan(real_events.charge)]).all()
    times = real_events.time[np.isfinite(real_events.time)]
    assert times.min() >= 0.0
    assert times.max() < 80 / 2.05
    assert 0.99 < np.isfinite(real_events.time).mean() < 1.0
    assert np.isfinite(real_events.time[real_events.charge > 10.0]).all()


def test_real_pointing_and_time(real_events):
    assert real_events["time_utc_ns"].dtype == np.int64
    expected = np.datetime64("2013-10-04T04:22:19.581751800", "ns").astype(np.int64)
    assert real_events["time_utc_ns"][0] == expected
    # the Crab pulsar stands 0.4 deg from the pointing, seen at zenith 22 deg
    ra, dec = np.radians(real_events["pointing_ra_deg"]), np.radians(real_events["pointing_dec_deg"])
    crab_ra, crab_dec = np.radians([83.6331, 22.0145])
    cosine = np.sin(dec) * np.sin(crab_dec) + np.cos(dec) * np.cos(crab_dec) * np.cos(ra - crab_ra)
    np.testing.assert_allclose(np.degrees(np.arccos(cosine)), 0.40, atol=0.05)
    assert real_events["pointing_zenith_deg"][0] == pytest.approx(22.07013, abs=1e-5)
    assert real_events["pointing_azimuth_deg"][0] == pytest.approx(101.74417, abs=1e-5)
    assert (np.diff(real_events["pointing_zenith_deg"]) < 0.0).all()  # rising in the east


def test_real_pointing_agrees_with_the_sky_above_la_palma(real_events):
    """Zenith and azimuth follow from RA, Dec and UTC: three independent branches of the file."""
    seconds = real_events["time_utc_ns"] / 1e9
    days = seconds / 86400.0 - 10957.5  # since J2000
    sidereal_deg = 280.46061837 + 360.98564736629 * days - 17.890659
    # precession of the equinox to 2013.76, enough for a few hundredths of a degree
    years = days / 365.25
    ra, dec = np.radians(real_events["pointing_ra_deg"]), np.radians(real_events["pointing_dec_deg"])
    ra_now = ra + np.radians(years * (3.0742 + 1.33589 * np.sin(ra) * np.tan(dec)) / 240.0)
    dec_now = dec + np.radians(years * 20.0383 * np.cos(ra) / 3600.0)
    hour_angle, latitude = np.radians(sidereal_deg) - ra_now, np.radians(28.761758)
    cosine = np.sin(latitude) * np.sin(dec_now) + np.cos(latitude) * np.cos(dec_now) * np.cos(hour_angle)
    np.testing.assert_allclose(np.degrees(np.arccos(cosine)), real_events["pointing_zenith_deg"], atol=0.05)


def test_real_bright_pixels_are_neighbours_in_space_and_time(real_events):
    """A scrambled pixel order or times in other units would show here."""
    neighbours = Camera.magic().neighbours
    around, apart = [], []
    for event, telescope, pixel in np.argwhere(real_events.charge > 25.0):
        near = neighbours[pixel][neighbours[pixel] >= 0]
        charge, time = real_events.charge[event, telescope], real_events.time[event, telescope]
        around.append(np.nanmean(charge[near]))
        apart += list(np.abs(time[near][charge[near] > 15.0] - time[pixel]))
    assert np.median(around) > 5.0 * np.nanmedian(real_events.charge)
    assert np.nanmedian(apart) < 1.0


def test_real_sampling_is_assumed_and_said_once(data_dir, warnings_said):
    reader = open_events(data_dir / "magic_real")
    reader.read()
    assert len(warnings_said) == 1
    assert "sampling speed" in warnings_said[0]
    assert (reader.meta.sampling_gsps, reader.meta.sampling_assumed) == (2.05, True)
    assert reader.meta.window_ns == pytest.approx(80 / 2.05)


def test_sampling_option_overrides(data_dir, real_events, warnings_said):
    events = open_events(data_dir / "magic_real", sampling_gsps=1.64).read()
    assert not warnings_said
    assert (events.meta.sampling_gsps, events.meta.sampling_assumed) == (1.64, False)
    np.testing.assert_allclose(events.time * 1.64, real_events.time * 2.05, rtol=1e-6)
    with pytest.raises(ConfigError, match="sampling speed 1640"):
        open_events(data_dir / "magic_real", sampling_gsps=1640.0)


@pytest.mark.parametrize("size", [1, 5, 21, 1000])
def test_batches_are_pieces_of_read(data_dir, real_events, size):
    batches = list(open_events(data_dir / "magic_real").batches(size))
    assert [len(b) for b in batches[:-1]] == [size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate([b.charge for b in batches]), real_events.charge)
    np.testing.assert_array_equal(np.concatenate([b.time for b in batches]), real_events.time)
    np.testing.assert_array_equal(np.concatenate([b["event_id"] for b in batches]), real_events["event_id"])


def test_read_takes_a_range(data_dir, real_events):
    reader = open_events(data_dir / "magic_real")
    np.testing.assert_array_equal(reader.read(3, 9).charge, real_events.charge[3:9])
    assert len(reader.read(9, 3)) == 0
    with pytest.raises(ConfigError, match="batches of 0"):
        next(reader.batches(0))


def test_one_telescope_on_request(data_dir, real_events, warnings_said):
    path = next((data_dir / "magic_real").glob("*_M2_*"))
    with pytest.raises(InputError, match=r"M1 of run 5029747 is missing, expected .*_M1_05029747\.003_Y_MagicCrab"):
        open_events(path)
    events = open_events(path, require_stereo=False).read()
    assert any("only one telescope" in text for text in warnings_said)
    assert len(events) == 91
    assert np.isnan(events.charge[:, 0]).all()
    assert np.isnan(events.time[:, 0]).all()
    assert (events["daq_event_id"][:, 0] == -1).all()
    both = np.isin(events["event_id"], real_events["event_id"])
    np.testing.assert_array_equal(events.charge[both, 1], real_events.charge[:, 1])


# --- files written here ---------------------------------------------------------------------------------------------


def test_run_headers_state_run_sampling_and_bad_pixels(tmp_path, warnings_said):
    paths = [
        write_file(
            tmp_path / f"any_M{t}_name.root",
            Events=data_columns(t, [3, 4, 5]),
            RunHeaders=run_headers(t, run=77, bad=[t, 500]),
        )
        for t in (1, 2)
    ]
    events = open_events(paths).read()
    assert not warnings_said
    assert set(events["run_id"]) == {77}
    assert (events.meta.sampling_gsps, events.meta.sampling_assumed) == (1.64, False)
    for telescope in (0, 1):
        unusable = np.isnan(events.charge[:, telescope]).all(axis=0)
        np.testing.assert_array_equal(np.flatnonzero(unusable), [telescope + 1, 500])
        slices = event_columns(telescope + 1, [3, 4, 5])["MArrivalTime.fData"][:, :1039]
        good = ~unusable & (slices >= 0) & (slices < 50)
        np.testing.assert_allclose(events.time[:, telescope][good], slices[good] / 1.64, rtol=1e-6)
        np.testing.assert_array_equal(np.isfinite(events.time[:, telescope]), good)


def test_pedestals_and_other_triggers_go_before_the_join(tmp_path):
    # a pedestal carries the number of the neighbouring shower; it must not be joined with it
    paths = write_pair(
        tmp_path,
        numbers=(3, 3, 4, 5, 6),
        **{"MTriggerPattern.fPrescaled": np.array([8, 128, 128, 1, 132], dtype=np.uint16)},
    )
    reader = open_events(paths)
    assert reader.read()["event_id"].tolist() == [3, 4]
    assert reader.read()["daq_event_id"].tolist() == [[2, 2], [3, 3]]
    assert (reader.counts["M1 pedestal"], reader.counts["M1 other trigger"]) == (1, 2)


def test_sub_runs_join_across_file_borders(tmp_path):
    cuts = {1: ([1, 2, 3, 4], [5, 6]), 2: ([1, 2], [3, 4, 5, 6])}
    for telescope, parts in cuts.items():
        for subrun, numbers in enumerate(parts, 1):
            write_file(tmp_path / data_name(telescope, subrun=subrun), Events=data_columns(telescope, numbers))
    events = open_events(tmp_path).read()
    assert events["event_id"].tolist() == [1, 2, 3, 4, 5, 6]
    assert events["daq_event_id"].tolist() == [[1, 1], [2, 2], [3, 1], [4, 2], [1, 3], [2, 4]]
    third = data_columns(2, cuts[2][1])["MCerPhotEvt.fPixels.fPhot"][0, :1039]
    np.testing.assert_array_equal(events.charge[2, 1], third)


def test_milliseconds_before_midnight_are_negative(tmp_path):
    paths = write_pair(tmp_path, **{"MTime.fTime.fMilliSec": np.array([-2000, -1000, 0], dtype=np.int64)})
    times = open_events(paths).read()["time_utc_ns"]
    midnight = np.datetime64("1858-11-17", "ns") + np.timedelta64(MJD_2015, "D")
    expected = midnight.astype(np.int64) + np.array([-2, -1, 0]) * 1_000_000_000 + 123400
    assert times.tolist() == expected.tolist()


def test_pointing_from_drive_reports(tmp_path):
    mjd = MJD_2015 + (1000.1234 + 10 * np.array([3, 5])) / 86_400_000.0
    drive = {
        "MReportDrive.fMjd": mjd,
        "MReportDrive.fCurrentZd": np.array([20.0, 22.0]),
        "MReportDrive.fCurrentAz": np.array([359.0, 1.0]),
        "MReportDrive.fRa": np.array([5.5, 5.5]),
        "MReportDrive.fDec": np.array([22.0, 22.0]),
    }
    for telescope in (1, 2):
        columns = {k: v for k, v in data_columns(telescope, [3, 4, 5]).items() if not k.startswith("MPointing")}
        write_file(tmp_path / data_name(telescope), Events=columns, Drive=drive)
    events = open_events(tmp_path).read()
    np.testing.assert_allclose(events["pointing_zenith_deg"], [20.0, 21.0, 22.0], atol=1e-3)
    np.testing.assert_allclose((events["pointing_azimuth_deg"] + 180) % 360, [179.0, 180.0, 181.0], atol=1e-3)
    np.testing.assert_allclose(events["pointing_ra_deg"], 82.5)


def test_sampling_by_date(tmp_path):
    for telescope in (1, 2):
        write_file(tmp_path / data_name(telescope), Events=data_columns(telescope, [3]))
    meta = open_events(tmp_path).meta
    assert (meta.sampling_gsps, meta.sampling_assumed) == (1.64, True)
    assert meta.window_ns == pytest.approx(50 / 1.64)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Two mono triggers in M1 (number 0), three stereo ones; M2 has them in other rows."""
    folder = tmp_path_factory.mktemp("mars_mc")
    write_file(folder / mc_name(1), **mc_trees(1, [0, 1, 2, 0, 3], [3, 0, 1, 2, 2]))
    write_file(folder / mc_name(2), **mc_trees(2, [1, 2, 3], [0, 1, 2]))
    return open_events(folder)


def test_simulated_events_join_on_numbers_other_than_zero(simulated):
    events = simulated.read()
    assert events["event_id"].tolist() == [1, 2, 3]
    assert set(events["run_id"]) == {MC_RUN}
    assert simulated.counts["M1 other trigger"] == 2
    assert events["daq_event_id"].tolist() == [[2, 1], [3, 2], [5, 3]]
    assert "time_utc_ns" not in events.columns
    assert np.isnan(events.charge[:, :, 0]).all()


def test_simulated_truth_in_our_units_and_frames(simulated):
    events = simulated.read()
    np.testing.assert_allclose(events["true_energy_gev"], [100.0, 100.0, 2000.0])
    assert set(events["true_particle"]) == {22}
    np.testing.assert_allclose(events["true_zenith_deg"], [36.0, 36.0, 36.5], rtol=1e-6)
    # momentum to magnetic north (phi 0): from magnetic south, 173 deg; to magnetic west (90): from the east, 83 deg
    np.testing.assert_allclose(events["true_azimuth_deg"], [173.0, 173.0, 83.0], rtol=1e-6)
    np.testing.assert_allclose(events["true_impact_m"][:, 0], np.array([10000.0, 0.0, 5000.0]) / 100 + 1)
    np.testing.assert_allclose(events["true_impact_m"][:, 1], np.array([10000.0, 0.0, 5000.0]) / 100 + 2)
    np.testing.assert_allclose(events["true_first_interaction_m"], [21000.0, 21000.0, 18000.0], rtol=1e-6)
    np.testing.assert_allclose(events["true_xmax_gcm2"], [250.0, 250.0, 320.0])
    # magnetic north lies 7 deg west of north: a core 100 m to magnetic north is north and a little west
    turn = np.radians(-MAGNETIC_DECLINATION_DEG)
    np.testing.assert_allclose(events["true_core_x_m"][:2], [100 * np.cos(turn), -100 * np.sin(turn)], rtol=1e-6)
    np.testing.assert_allclose(events["true_core_y_m"][:2], [100 * np.sin(turn), 100 * np.cos(turn)], rtol=1e-6)


def test_simulated_uses_of_a_shower_share_its_id(simulated):
    events = simulated.read()
    assert events["shower_id"][0] == events["shower_id"][1] != events["shower_id"][2]
    assert events["reuse_id"].tolist() == [0, 1, 0]


def test_simulated_meta_knows_what_was_thrown(simulated):
    meta = simulated.meta
    assert (meta.particle, meta.production, meta.is_simulation) == ("gamma", "za35to50", True)
    thrown = Generated.from_mapping(meta.generated)
    assert thrown.n_thrown == 1000
    assert thrown.spectral_index == pytest.approx(1.6)
    assert (thrown.energy_min_gev, thrown.energy_max_gev) == (10.0, 30000.0)
    assert thrown.scatter_radius_m == 350.0
    assert thrown.is_point_source
    assert thrown.viewcone_max_deg == pytest.approx(0.4)
    assert thrown.zenith_min_deg == pytest.approx(36.0, abs=1e-4)


def test_simulated_file_is_described(simulated):
    text = describe(simulated.meta.source_files[0])
    for words in (
        "simulation",
        "M1",
        "5, of them 3 stereo triggers (2 other trigger)",
        "1000 gamma, E^-1.6",
        "1.64 GS/s",
    ):
        assert words in text
    assert "assumed" not in text


def test_simulated_runs_add_up_and_diffuse_is_named(tmp_path):
    for run in (1, 2):
        for telescope in (1, 2):
            trees = mc_trees(telescope, [1, 2, 3], [0, 1, 2], run=run, cone=1.5, n_thrown=100)
            write_file(tmp_path / mc_name(telescope, run), **trees)
    reader = open_events(tmp_path)
    assert reader.meta.particle == "gamma_diffuse"
    assert reader.meta.generated["n_thrown"] == 200
    assert reader.meta.generated["viewcone_max_deg"] == 1.5
    events = reader.read()
    assert events["run_id"].tolist() == [1, 1, 1, 2, 2, 2]
    assert not set(events["shower_id"][:3]) & set(events["shower_id"][3:])


def test_simulated_events_of_other_showers_are_not_joined(tmp_path, warnings_said):
    write_file(tmp_path / mc_name(1), **mc_trees(1, [1, 2, 3], [0, 2, 3]))
    write_file(tmp_path / mc_name(2), **mc_trees(2, [1, 2, 3], [0, 3, 3]))
    reader = open_events(tmp_path)
    assert reader.read()["event_id"].tolist() == [1, 3]
    assert reader.counts["same number, other shower"] == 1
    assert any("1 events share their number" in text for text in warnings_said)


@pytest.mark.parametrize(
    ("corsika", "pdg", "name"), [(14, 2212, "proton"), (3, 11, "electron"), (402, 1000020040, "helium")]
)
def test_simulated_particles(tmp_path, corsika, pdg, name):
    for telescope in (1, 2):
        write_file(tmp_path / mc_name(telescope), **mc_trees(telescope, [1], [0], particle=corsika, n_thrown=3))
    reader = open_events(tmp_path)
    assert reader.meta.particle == name
    assert set(reader.read()["true_particle"]) == {pdg}
    assert PARTICLES[corsika] == (pdg, name)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from([20.0, 30.0, 40.0, 50.0])), max_size=30))
def test_shower_ids_group_by_run_and_energy(rows):
    run, energy = np.array(rows, dtype=np.float64).reshape(-1, 2).T
    ids, uses = shower_ids(run.astype(np.int64), energy)
    together = list(zip(ids.tolist(), uses.tolist(), strict=True))
    assert len(set(together)) == len(rows)
    assert len(set(ids.tolist())) == len(set(rows))
    assert len({(i, *row) for i, row in zip(ids.tolist(), rows, strict=True)}) == len(set(rows))


# --- what cannot be read --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MRawEvtHeader.fStereoEvtNumber": None}, r"'MRawEvtHeader.fStereoEvtNumber' is missing in tree 'Events'"),
        ({"MTriggerPattern.fPrescaled": None}, r"'MTriggerPattern.fPrescaled' is missing"),
        ({"MTime.fMjd": None}, r"'MTime.fMjd' is missing in tree 'Events'; known: MTime.fNano"),
        (
            {"MPointingPos.fZd": None},
            r"'MPointingPos.fZd' is missing in tree 'Events'; did you mean 'MPointingPos.fAz'",
        ),
        ({"MHillas.fSize": np.ones(3)}, r"a MARS star \(_I_\) file"),
        ({"MHillas_1.fSize": np.ones(3)}, r"a MARS superstar \(_S_\) file"),
        ({"MHadronness.fHadronness": np.ones(3)}, r"a MARS melibea \(_Q_\) file"),
        ({"MRawEvtHeader.fTelescopeNumber": np.array([1, 1, 2], dtype=np.uint32)}, "events of several telescopes"),
        (
            {"MTriggerPattern.fPrescaled": np.full(3, 8, dtype=np.uint16)},
            r"no stereo trigger among its 3 events \(3 ped",
        ),
    ],
)
def test_unusable_events_tree(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as caught:
        open_events(write_pair(tmp_path, **change))
    assert "\n" not in str(caught.value)
    assert data_name(1) in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MCerPhotEvt.fPixels.fPhot": None}, r"'MCerPhotEvt.fPixels.fPhot' is missing in tree 'Events'"),
        ({"MArrivalTime.fData": None}, r"'MArrivalTime.fData' is missing in tree 'Events'"),
        ({"MArrivalTime.fData": np.zeros(3, dtype=np.float32)}, "has no array per entry"),
        ({"MCerPhotEvt.fPixels.fPhot": np.zeros((3, 577), dtype=np.float32)}, "577 values per event"),
    ],
)
def test_unusable_images(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        open_events(write_pair(tmp_path, **change)).read()


def test_telescopes_of_different_runs(tmp_path):
    paths = [one(tmp_path, 1, run=5000001), one(tmp_path, 2, run=5000002)]
    with pytest.raises(InputError, match=r"different runs: .*M1.* is run 5000001, .*M2.* is run 5000002"):
        open_events(paths)


def test_two_files_of_one_telescope_and_sub_run(tmp_path):
    (tmp_path / "copy").mkdir()
    paths = [one(tmp_path, 1), one(tmp_path / "copy", 1), one(tmp_path, 2)]
    with pytest.raises(InputError, match=r"two files of M1, run 5000001, sub-run 1: "):
        open_events(paths)


def test_name_and_content_disagree_on_the_telescope(tmp_path):
    path = one(tmp_path, 1, name=data_name(2))
    with pytest.raises(InputError, match=r"its name says M2, .*fTelescopeNumber' says M1"):
        open_events(path)


def test_different_sampling_speeds(tmp_path):
    with pytest.raises(InputError, match=r"50 samples at 1.64 GS/s, .* 80 at 2.05 GS/s"):
        open_events([one(tmp_path, 1), one(tmp_path, 2, mhz=2050, slices=80)])


def test_pedestal_run(tmp_path):
    with pytest.raises(InputError, match="a pedestal run"):
        open_events([one(tmp_path, 1, run_type=1), one(tmp_path, 2, run_type=1)])


def test_no_common_event(tmp_path):
    with pytest.raises(
        InputError, match=r"no event in both telescopes of run 5000001: M1 has 2 .* 3 to 4; M2 has 2 .* 8 to 9"
    ):
        open_events([one(tmp_path, 1, (3, 4)), one(tmp_path, 2, (8, 9))])


def test_clocks_apart(tmp_path):
    late = {"MTime.fNanoSec": np.full(3, 223400, dtype=np.uint32)}
    with pytest.raises(InputError, match="3 share a number but not the time"):
        open_events([one(tmp_path, 1), one(tmp_path, 2, events=late)])


def test_data_with_simulation(tmp_path):
    simulation = write_file(tmp_path / mc_name(2), **mc_trees(2, [1], [0]))
    with pytest.raises(InputError, match=r"is real data and .* a simulation"):
        open_events([one(tmp_path, 1), simulation])


def test_unknown_particle(tmp_path):
    paths = [write_file(tmp_path / mc_name(t), **mc_trees(t, [1], [0], particle=99)) for t in (1, 2)]
    with pytest.raises(InputError, match=r"unknown particle 99 .* 14 proton"):
        open_events(paths)


def test_unknown_telescope(tmp_path):
    columns = {k: v for k, v in data_columns(1, [3]).items() if k != "MRawEvtHeader.fTelescopeNumber"}
    path = write_file(tmp_path / "events.root", Events=columns)
    with pytest.raises(InputError, match="cannot tell the telescope"):
        open_events(path)


@pytest.mark.parametrize("trees", [{}, {"Other": {"x": np.arange(3)}}])
def test_no_events_tree(tmp_path, trees):
    with pytest.raises(InputError, match=r"there is no tree 'Events'; the file has: (no tree at all|Other)"):
        open_events(write_file(tmp_path / data_name(1), **trees))


def test_zero_events(tmp_path):
    with pytest.raises(InputError, match="tree 'Events' has no events"):
        open_events(write_file(tmp_path / data_name(1), Events=data_columns(1, [])))
