"""MARS files of ours as others read them: MAGICEventSource (ctapipe-io-magic) and ROOT, each in its environment."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_events import random_events, stored

from magicnn.io import open_events
from magicnn.io.mars.friend import TREE, write_friend
from magicnn.io.mars.writer import write_mars
from magicnn.predictions import PredictionTable

pytestmark = pytest.mark.slow
uproot = pytest.importorskip("uproot")

TOOL = Path(__file__).parents[2] / "tools" / "oracles.py"
SCRIPT = Path(__file__).with_name("oracle_magic.py")
PRIMARY_GAMMA, PRIMARY_PROTON = 0, 1 - 14
"""``shower_primary_id`` as that reader gives it, 1 - CORSIKA number: right for gammas, nonsense for all others."""


def oracle(name):
    """Path of an environment's Python, built when it is not there."""
    done = subprocess.run([sys.executable, str(TOOL), name], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def magic_reader():
    python = oracle("magic")

    def read(path):
        output = path.with_suffix(".npz")
        done = subprocess.run(
            [python, "-W", "ignore", str(SCRIPT), str(path), str(output)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        with np.load(output) as file:
            return dict(file)

    return read


def compare(theirs, ours, telescope):
    """What both readers must agree on, event by event; our unusable values are NaN, theirs are what MARS stores."""
    np.testing.assert_array_equal(theirs["event_id"], ours["event_id"])
    np.testing.assert_array_equal(theirs["run_id"], ours["run_id"])
    assert (theirs["tels_with_trigger"] == [1, 2]).all()
    assert set(theirs["event_type"]) == {"SUBARRAY"}
    charge, time = ours.charge[:, telescope], ours.time[:, telescope]
    usable, pulse = np.isfinite(charge), np.isfinite(time)
    np.testing.assert_array_equal(theirs["charge"][usable], charge[usable])
    assert (theirs["charge"][~usable] == 0.0).all()
    np.testing.assert_allclose(theirs["time"][pulse], time[pulse], rtol=2e-7)
    assert (theirs["time"][~pulse] < 0.0).all()
    np.testing.assert_array_equal(theirs["is_bad"].all(axis=0), np.isnan(charge).all(axis=0))
    np.testing.assert_allclose(90.0 - theirs["altitude_deg"], ours["pointing_zenith_deg"], atol=1e-9)
    np.testing.assert_allclose(theirs["azimuth_deg"] % 360.0, ours["pointing_azimuth_deg"], atol=1e-9)


@pytest.mark.parametrize(("particle", "primary"), [(22, PRIMARY_GAMMA), (2212, PRIMARY_PROTON)])
def test_simulation_read_by_magic_event_source(tmp_path, magic_reader, particle, primary):
    # more than one basket per branch
    events = stored(tmp_path / "events.h5", random_events(600, particle=particle))
    paths = write_mars(events, tmp_path / "mars")
    ours = open_events(tmp_path / "mars").read()
    for telescope, path in enumerate(paths):
        theirs = magic_reader(path)
        assert (theirs["fact_telescope"], theirs["fact_is_simulation"], theirs["fact_is_stereo"]) == (
            telescope + 1,
            True,
            True,
        )
        compare(theirs, ours, telescope)
        assert set(theirs["primary"]) == {primary}
        for name, column in (
            ("energy_gev", "true_energy_gev"),
            ("core_x_m", "true_core_x_m"),
            ("core_y_m", "true_core_y_m"),
            ("first_interaction_m", "true_first_interaction_m"),
            ("xmax_gcm2", "true_xmax_gcm2"),
        ):
            np.testing.assert_allclose(theirs[name], ours[column], rtol=1e-6, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(90.0 - theirs["shower_altitude_deg"], ours["true_zenith_deg"], atol=1e-5)
        np.testing.assert_allclose(theirs["shower_azimuth_deg"] % 360.0, ours["true_azimuth_deg"], atol=1e-4)
        with uproot.open(path) as file:
            assert theirs["fact_n_showers"] == file["OriginalMC"].num_entries


def test_real_events_read_by_magic_event_source(tmp_path, magic_reader):
    batch = random_events(600, is_simulation=False)
    batch = batch.with_columns(trigger_pattern=np.full((600, 2), 128))
    paths = write_mars(stored(tmp_path / "events.h5", batch), tmp_path / "mars")
    ours = open_events(tmp_path / "mars").read()
    for telescope, path in enumerate(paths):
        theirs = magic_reader(path)
        assert not theirs["fact_is_simulation"]
        compare(theirs, ours, telescope)
        np.testing.assert_array_equal(theirs["time_utc_ns"], ours["time_utc_ns"])


def run_root(code, *arguments):
    command = [oracle("root"), "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


READ = """
import sys, ROOT
file = ROOT.TFile.Open(sys.argv[1])
tree = file.Get("Events")
for expression in ("Sum$(MCerPhotEvt.fPixels.fPhot)", "MTriggerPattern.fPrescaled", "MMcEvt.fEnergy"):
    n = tree.Draw(expression, "", "goff", 10)
    print(n, tree.GetV1()[n - 1])
"""


def test_calibrated_file_read_by_root(tmp_path):
    batch = random_events(4)
    path = write_mars(stored(tmp_path / "events.h5", batch), tmp_path / "mars")[0]
    said = np.array(run_root(READ, path), dtype=float).reshape(3, 2)
    assert (said[:, 0] == 4).all()
    assert said[0, 1] == pytest.approx(np.nansum(batch.charge[3, 0], dtype=float), rel=1e-5)
    assert said[1:, 1] == pytest.approx([1.0, batch["true_energy_gev"][3]])


MELIBEA = """
import array, sys, ROOT
numbers = [9, 3, 100, 4]
file = ROOT.TFile(sys.argv[1], "RECREATE")
tree = ROOT.TTree("Events", "")
number, hadronness = array.array("I", [0]), array.array("d", [0.0])
tree.Branch("MRawEvtHeader_1.fStereoEvtNumber", number, "fStereoEvtNumber/i")
tree.Branch("MHadronness.fHadronness", hadronness, "fHadronness/D")
for value in numbers:
    number[0], hadronness[0] = value, value / 100.0
    tree.Fill()
file.Write()
file.Close()
"""

BY_ENTRY = """
import sys, ROOT
file = ROOT.TFile.Open(sys.argv[1])
tree = file.Get("Events")
tree.AddFriend("magicnn", sys.argv[2])
n = tree.Draw("MRawEvtHeader_1.fStereoEvtNumber:magicnn.gammaness", "magicnn.has_prediction", "goff")
for i in range(n):
    print(tree.GetV1()[i], tree.GetV2()[i])
"""

BY_NUMBER = """
import sys, ROOT
file = ROOT.TFile.Open(sys.argv[1])
tree = file.Get("Events")
other = ROOT.TFile.Open(sys.argv[2])
predictions = other.Get("magicnn")
tree.SetAlias("event_id", "MRawEvtHeader_1.fStereoEvtNumber")
predictions.BuildIndex("event_id")
tree.AddFriend(predictions)
n = tree.Draw("MRawEvtHeader_1.fStereoEvtNumber:magicnn.gammaness", "", "goff")
for i in range(n):
    print(tree.GetV1()[i], tree.GetV2()[i])
"""


@pytest.mark.parametrize(("code", "follows"), [(BY_ENTRY, True), (BY_NUMBER, False)])
def test_predictions_joined_by_root(tmp_path, code, follows):
    like, run = tmp_path / "20131004_05029747_Q_Crab.root", 5029747
    run_root(MELIBEA, like)
    table = PredictionTable("CNN", {"run_id": [run] * 3, "event_id": [3, 4, 9], "gammaness": [0.25, 0.5, 0.75]})
    friend = write_friend(table, tmp_path / "friend.root", like=like if follows else None)
    said = np.array(run_root(code, like, friend), dtype=float).reshape(-1, 2)
    assert said.tolist() == [[9.0, 0.75], [3.0, 0.25], [4.0, 0.5]]
    assert TREE == "magicnn"
