"""Event sets written as MARS calibrated files: what our reader gives back, names, headers, thrown showers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_events import N_PIXELS, RUN, THROWN, random_events, stored
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.errors import ConfigError, InputError
from magicnn.generated import Generated
from magicnn.io import open_events
from magicnn.io.mars.thrown import thrown_branches, thrown_sample
from magicnn.io.mars.truth import PARTICLES
from magicnn.io.mars.writer import write_mars

uproot = pytest.importorskip("uproot")


def exported(folder, batch, **options):
    """Write a batch as MARS files and read those."""
    write_mars(stored(folder / "events.h5", batch), folder / "mars", **options)
    return open_events(folder / "mars")


def assert_same_images(ours, batch):
    np.testing.assert_array_equal(ours.charge.astype(np.float16), batch.charge.astype(np.float16))
    np.testing.assert_array_equal(ours.time.astype(np.float16), batch.time.astype(np.float16))


TRUTH = {
    "true_energy_gev": 1e-6,
    "true_zenith_deg": 1e-6,
    "true_azimuth_deg": 1e-6,
    "true_core_x_m": 1e-5,
    "true_core_y_m": 1e-5,
    "true_impact_m": 1e-6,
    "true_first_interaction_m": 1e-6,
    "true_xmax_gcm2": 1e-6,
}


@settings(max_examples=5)
@given(
    n=st.integers(1, 12),
    seed=st.integers(0, 10**6),
    first_id=st.sampled_from([0, 1, 7, 2**31]),
    particle=st.sampled_from(sorted({pdg for pdg, _ in PARTICLES.values()})),
)
def test_simulation_comes_back(tmp_path_factory, n, seed, first_id, particle):
    folder = tmp_path_factory.mktemp("mc")
    batch = random_events(n, seed, first_id=first_id, particle=particle)
    reader = exported(folder, batch)
    ours = reader.read()
    assert_same_images(ours, batch)
    assert ours["event_id"].tolist() == (batch["event_id"] + (first_id == 0)).tolist()
    exact = ("run_id", "true_particle", "reuse_id", "weight", "pointing_zenith_deg", "pointing_azimuth_deg")
    for name in (*exact, "pedestal_mean_pe", "pedestal_rms_pe"):
        np.testing.assert_array_equal(ours[name], batch[name])
    for name, tolerance in TRUTH.items():
        np.testing.assert_allclose(ours[name], batch[name], rtol=tolerance, atol=1e-4)
    assert dict(reader.meta.generated) == THROWN.to_mapping()
    assert (reader.meta.is_simulation, reader.meta.sampling_gsps) == (True, 1.64)
    assert reader.meta.window_ns == pytest.approx(batch.meta.window_ns)
    assert reader.meta.production == "test_za05to35"
    assert "pointing_ra_deg" not in ours.columns
    assert reader.counts["joined by number"] == n


@settings(max_examples=5)
@given(n=st.integers(1, 12), seed=st.integers(0, 10**6))
def test_real_events_come_back(tmp_path_factory, n, seed):
    batch = random_events(n, seed, is_simulation=False)
    reader = exported(tmp_path_factory.mktemp("data"), batch)
    ours = reader.read()
    assert_same_images(ours, batch)
    for name in ("run_id", "event_id", "time_utc_ns", "daq_event_id", "trigger_pattern"):
        np.testing.assert_array_equal(ours[name], batch[name])
    for name in ("mean", "rms"):
        expected = np.broadcast_to(np.median(batch[f"pedestal_{name}_pe"], axis=0), (n, 2))
        np.testing.assert_array_equal(ours[f"pedestal_{name}_pe"], expected)
    for name in ("pointing_zenith_deg", "pointing_azimuth_deg", "pointing_ra_deg", "pointing_dec_deg"):
        np.testing.assert_allclose(ours[name], batch[name], atol=1e-9)
    assert not reader.meta.is_simulation
    assert reader.meta.production == "Crab-W0.40+035"
    assert (reader.counts["M1 pedestal"], reader.counts["M2 pedestal"]) == (1, 1)


def test_reports_of_the_drive_may_turn_round_and_round(tmp_path):
    batch = random_events(200, is_simulation=False)  # every event's azimuth is any
    back = exported(tmp_path, batch).read()
    assert len(back) == 200
    apart = (back["pointing_azimuth_deg"] - batch["pointing_azimuth_deg"] + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(apart, 0.0, atol=0.05)


def test_simulation_as_real_data_keeps_images_and_pointing_alone(tmp_path):
    batch = random_events(9)
    reader = exported(tmp_path, batch, flavour="data")
    ours = reader.read()
    assert_same_images(ours, batch)
    np.testing.assert_allclose(ours["pointing_azimuth_deg"], batch["pointing_azimuth_deg"], atol=1e-9)
    assert not [name for name in ours.columns if name.startswith("true_")]
    assert set(np.diff(ours["time_utc_ns"])) == {10**9}


def test_the_real_pair_comes_back(tmp_path, data_dir):
    real = open_events(data_dir / "magic_real").read()
    ours = exported(tmp_path, real).read()
    assert_same_images(ours, real)
    for name, values in real.columns.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(ours["time_utc_ns"], real["time_utc_ns"])


def test_dead_pixels_are_bad_for_the_run(tmp_path):
    batch = random_events(5)
    dead = np.flatnonzero(np.isnan(batch.charge[:, 0]).all(axis=0))
    exported(tmp_path, batch)
    with uproot.open(next((tmp_path / "mars").glob("*_M1_*"))) as file:
        info = file["RunHeaders"]["MBadPixelsCam.fArray.fInfo"].array(library="np")[0].reshape(-1, 4)
        ring = np.stack(file["Events"]["MCerPhotEvt.fPixels.fRing"].array(library="np"))
        charge = np.stack(file["Events"]["MCerPhotEvt.fPixels.fPhot"].array(library="np"))
    assert np.flatnonzero(info[:, 1] & 2).tolist() == dead.tolist()
    assert (ring[:, N_PIXELS:] == -1).all()
    np.testing.assert_array_equal(ring[:, :N_PIXELS] == -1, np.isnan(batch.charge[:, 0]))
    assert (charge[ring == -1] == 0.0).all()


def test_names_and_trees(tmp_path):
    events = stored(tmp_path / "events.h5", random_events(3))
    names = [path.name for path in write_mars(events, tmp_path / "mc")]
    assert names == [f"GA_M{t}_za05to35_8_{RUN}_Y_w0.root" for t in (1, 2)]
    names = [path.name for path in write_mars(events, tmp_path / "data", flavour="data")]
    assert names == [f"20150320_M{t}_{RUN:08d}.001_Y_test_za05to35.root" for t in (1, 2)]
    trees = {"mc": "Events OriginalMC RunHeaders RunTails", "data": "Drive Events L3T Laser Pedestals RunHeaders"}
    for folder, expected in trees.items():
        for path in (tmp_path / folder).iterdir():
            with uproot.open(path) as file:
                kinds = file.classnames(cycle=False)
                assert set(expected.split()) <= set(kinds)
                assert not {"ROOT::RNTuple", "ROOT::Experimental::RNTuple"} & set(kinds.values())
                header = file["RunHeaders"]
                assert header["MRawRunHeader.fSourceName[80]"].array(library="np").shape == (1, 80)
                assert header["MRawRunHeader.fNumEvents"].array()[0] == file["Events"].num_entries
                assert file["Events"]["MRawEvtHeader.fTrigPattern[2]"].array(library="np").shape[1:] == (2,)


def test_runs_have_their_own_files_and_share_what_was_thrown(tmp_path):
    events = stored(tmp_path / "events.h5", random_events(3, 1, run=7), random_events(4, 2, run=9))
    assert len(write_mars(events, tmp_path / "mars")) == 4
    reader = open_events(tmp_path / "mars")
    assert reader.read()["run_id"].tolist() == [7] * 3 + [9] * 4
    assert reader.meta.generated["n_thrown"] == THROWN.n_thrown


def test_events_of_one_telescope_are_mono_triggers(tmp_path):
    batch = random_events(4)
    batch.charge[1, 0] = batch.time[1, 0] = np.nan
    reader = exported(tmp_path, batch)
    assert reader.read()["event_id"].tolist() == [1, 3, 4]
    assert (reader.counts["M1 read"], reader.counts["M2 read"]) == (3, 4)
    assert reader.counts["M2 other trigger"] == 1


@pytest.mark.parametrize("exponents", [(0.0, 0.0), (0.2, 1.0)])
def test_thrown_showers_give_the_area_of_the_production(exponents):
    """What MARS computes from one radius and the sample is what the production's own spectrum and areas give."""
    energy_exponent, zenith_exponent = exponents
    values = THROWN.to_mapping() | {
        "n_thrown": 20000,
        "scatter_energy_exponent": energy_exponent,
        "scatter_zenith_exponent": zenith_exponent,
    }
    thrown = Generated(**values)
    sample = thrown_sample(thrown, thrown.n_thrown)
    blocks = list(thrown_branches(thrown, sample, particle=1, seed=3))
    energy = np.concatenate([block["MMcEvtBasic.fEnergy"] for block in blocks])
    zenith = np.degrees(np.concatenate([block["MMcEvtBasic.fTheta"] for block in blocks]))
    assert len(energy) == sample.n_rows
    assert np.degrees(blocks[0]["MMcEvtBasic.fTelescopeTheta"]).max() <= 35.0 + 1e-4
    impact = np.concatenate([block["MMcEvtBasic.fImpact"] for block in blocks]) / 100.0
    assert impact.max() <= sample.radius_m
    assert np.mean(impact**2) == pytest.approx(sample.radius_m**2 / 2.0, rel=0.02)
    # showers per area, by energy: the sample over its disc, the production over its own
    edges = np.geomspace(20.0, 20000.0, 7)
    area_m2 = np.pi * sample.radius_m**2
    pointings = np.linspace(np.cos(np.radians(35.0)), np.cos(np.radians(5.0)), 200)
    at = np.degrees(np.arccos(pointings))
    for low, high in pairwise(edges):
        fine = np.geomspace(low, high, 41)
        middle = np.sqrt(fine[:-1] * fine[1:])
        per_area = np.mean([(thrown.thrown_in(fine) / thrown.thrown_area_m2(middle, z)).sum() for z in at])
        n = np.count_nonzero((energy >= low) & (energy < high))
        assert n == pytest.approx(per_area * area_m2, abs=4.0 * np.sqrt(n) + 0.01 * n)
    if zenith_exponent:
        # mean of 1 / area over the pointings: inclined showers had larger discs, so fewer stand for each
        weights = pointings ** (2.0 * zenith_exponent)
        assert zenith.mean() == pytest.approx((weights * at).sum() / weights.sum(), abs=0.15)


def test_thrown_sample_is_the_same_for_both_telescopes_and_another_for_another_seed(tmp_path):
    events = stored(tmp_path / "events.h5", random_events(2))
    energies = []
    for seed in (0, 0, 1):
        folder = tmp_path / f"{len(energies)}"
        for path in write_mars(events, folder, seed=seed):
            with uproot.open(path) as file:
                energies.append(file["OriginalMC"]["MMcEvtBasic.fEnergy"].array(library="np"))
                n_stated = file["RunHeaders"]["MMcRunHeader.fNumSimulatedShowers"].array(library="np")[0]
            assert n_stated == len(energies[-1])
    for other in energies[1:4]:
        np.testing.assert_array_equal(other, energies[0])
    assert (energies[4] != energies[0]).any()


def test_weighted_events_have_no_thrown_sample(tmp_path):
    batch = random_events(3)
    reader = exported(tmp_path, batch.with_columns(weight=np.array([1.0, 4.0, 1.0])))
    assert reader.read()["weight"].tolist() == [1.0, 4.0, 1.0]
    assert reader.meta.generated["n_thrown"] == THROWN.n_thrown
    with uproot.open(next((tmp_path / "mars").iterdir())) as file:
        assert file["OriginalMC"].num_entries == 0


def test_unknown_production_is_a_simulation_all_the_same(tmp_path):
    reader = exported(tmp_path, random_events(3, thrown=None))
    assert len(reader) == 3
    assert dict(reader.meta.generated) == {}


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        ({}, {"flavour": "mcc"}, ConfigError, "unknown flavour .* 'mc'"),
        ({"is_simulation": False}, {"flavour": "mc"}, InputError, "real events have no truth"),
        ({"run": 2**32}, {}, InputError, "run numbers .* do not fit into 32 bits"),
        ({"first_id": -3}, {}, InputError, "event numbers -3 to 0 do not fit"),
        ({"particle": 13333}, {}, InputError, "particle 13333 .* has no CORSIKA number"),
    ],
)
def test_what_cannot_be_written(tmp_path, change, options, error, message):
    events = stored(tmp_path / "events.h5", random_events(4, **change))
    with pytest.raises(error, match=message) as caught:
        write_mars(events, tmp_path / "mars", **options)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["events.h5"]


def test_other_files_are_left_alone(tmp_path, data_dir):
    events = stored(tmp_path / "events.h5", random_events(2))
    (tmp_path / "mars").mkdir()
    assert len(write_mars(events, tmp_path / "mars")) == 2
    with pytest.raises(InputError, match="is there already"):
        write_mars(events, tmp_path / "mars")
    with pytest.raises(InputError, match="make one with magicnn convert"):
        write_mars(open_events(data_dir / "magic_real"), tmp_path / "other")


def test_command_line(tmp_path):
    stored(tmp_path / "events.h5", random_events(2))
    words = ["export", str(tmp_path / "events.h5"), "--format", "mars", "--output", str(tmp_path / "mars")]
    done = CliRunner().invoke(app, [*words, "--flavour", "data"])
    assert done.exit_code == 0, done.output
    assert len(open_events(tmp_path / "mars")) == 2
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3
    done = CliRunner().invoke(app, [*words, "--like", "x.root"])
    assert done.exit_code == 2
    assert "no option 'like'" in done.output


def test_long_runs_of_data_are_split_into_sub_runs(tmp_path):
    batch = random_events(11)
    written = write_mars(stored(tmp_path / "e.h5", batch), tmp_path / "mars", flavour="data", subrun_events=4)
    assert [path.name.split("_")[2] for path in written] == [
        f"0{RUN}.00{number}" for number in (1, 2, 3) for _ in range(2)
    ]
    with uproot.open(written[2]) as file:
        assert file["RunHeaders/MRawRunHeader.fSubRunIndex"].array().tolist() == [2]
        assert file["RunHeaders/MRawRunHeader.fNumEvents"].array().tolist() == [5]  # with its pedestal event
        assert file["Events/MRawEvtHeader.fDAQEvtNumber"].array().tolist()[1:] == [1, 2, 3, 4]
    ours = open_events(tmp_path / "mars").read()
    assert_same_images(ours, batch)
    assert ours["event_id"].tolist() == batch["event_id"].tolist()
    np.testing.assert_array_equal(ours["pointing_zenith_deg"], batch["pointing_zenith_deg"])


def test_a_simulated_run_is_one_file_and_need_not_be_packed(tmp_path):
    batch = random_events(7)
    events = stored(tmp_path / "e.h5", batch)
    packed, plain = (write_mars(events, tmp_path / str(p), subrun_events=4, is_packed=p) for p in (True, False))
    assert len(packed) == len(plain) == 2
    assert packed[0].stat().st_size < plain[0].stat().st_size
    assert_same_images(open_events(plain).read(), batch)
    with pytest.raises(ConfigError, match="sub-runs of 0 events"):
        write_mars(events, tmp_path / "x", subrun_events=0)


@pytest.mark.parametrize("threads", [1, 3])
def test_any_part_of_a_file_is_read_alike(tmp_path, threads):
    batch = random_events(40)
    batch.charge[5:21, 0] = batch.time[5:21, 0] = np.nan  # so that rows of M2 are left out
    write_mars(stored(tmp_path / "e.h5", batch), tmp_path / "mars")
    whole = open_events(tmp_path / "mars").read()
    assert_same_images(whole, batch.select(np.r_[:5, 21:40]))
    reader = open_events(tmp_path / "mars", threads=threads)
    for start, stop in ((0, 24), (3, 9), (9, 20), (2, 3), (0, 7), (7, 24)):
        part = reader.read(start, stop)
        np.testing.assert_array_equal(part.charge, whole.charge[start:stop])
        np.testing.assert_array_equal(part.time, whole.time[start:stop])
    with pytest.raises(ConfigError, match="0 threads: at least 1 is expected"):
        open_events(tmp_path / "mars", threads=0)
