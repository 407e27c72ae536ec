"""What real storage does to files: every reader answers with one line, or with events that are right."""

import gzip
import logging
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.errors import InputError
from magicnn.io import open_events
from magicnn.io.compressed import require_checksum
from magicnn.io.eventset.reader import EventSet

PARAMETERS = ("mars star", "mars superstar", "mars melibea")
OURS = ("mars", "mars mc", *PARAMETERS, "eventset", "predictions")
REAL = ("mars real", "corsika", "ctapipe", "simtel", "simtel plain")
SLOW = ("ctapipe", "simtel", "simtel plain")  # seconds until ctapipe is imported
CONVERTED = ("mars", "mars mc", *PARAMETERS, "mars real", "eventset", "ctapipe", "simtel", "simtel plain")
CHECKSUMMED = ("eventset", "predictions", "simtel")
KINDS = [pytest.param(kind, marks=pytest.mark.slow if kind in SLOW else ()) for kind in (*OURS, *REAL)]


@pytest.fixture(scope="session")
def sample(damage, request, tmp_path_factory):
    """Files of a kind, written once."""
    known = {}

    def files(kind):
        if kind not in known:
            folder = tmp_path_factory.mktemp("sample")
            data_dir = request.getfixturevalue("data_dir") if kind in REAL else None
            known[kind] = damage.write_sample(kind, folder, data_dir)
        return known[kind]

    return files


@pytest.fixture
def said(caplog):
    """What the package logs, wherever its log goes."""
    logger = logging.getLogger("magicnn")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def copies(sample_files, folder, contents):
    """Sets of files in which the first has other contents."""
    sets = []
    for number, content in enumerate(contents):
        (folder / str(number)).mkdir()
        path = folder / str(number) / sample_files[0].name
        path.write_bytes(content)
        sets.append([path, *sample_files[1:]])
    return sets


def magicnn(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def assert_refused(done):
    """Exit code 3 and one line, no traceback."""
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 3, done.output
    said = [line for line in done.stderr.splitlines() if line.startswith("magicnn: ")]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_are_read(kind, damage, sample):
    found = damage.contents(kind, sample(kind))
    assert found
    assert damage.sane(found) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["empty", "directory", "text", "zeros", "head", "missing"])
def test_what_is_no_such_file(kind, what, sample, tmp_path):
    files = sample(kind)
    path = tmp_path / files[0].name
    if what == "directory":
        path.mkdir()
    elif what != "missing":
        content = {"empty": b"", "text": b"some words\n" * 50, "zeros": bytes(5000), "head": files[0].read_bytes()[:40]}
        path.write_bytes(content[what])
    assert_refused(magicnn("info", path))
    if kind in CONVERTED:
        assert_refused(magicnn("convert", path, *files[1:], "--output", tmp_path / "out.h5"))
        assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_at_twenty_places(kind, damage, sample, tmp_path):
    """As while it is being copied, too."""
    files = sample(kind)
    content = files[0].read_bytes()
    places = np.linspace(0, len(content) - 1, 20).astype(int)
    found = damage.outcomes_in_processes(kind, files, copies(files, tmp_path, [content[:n] for n in places]))
    words = [word.split()[0] for word in found]
    assert len(words) == 20
    # a stream of events without an end of its own is complete once its last event is
    assert set(words) <= ({"error", "same"} if kind.startswith("simtel") else {"error"}), found
    assert words.count("error") >= 18, found


def check_flipped(kind, damage, files, folder, seeds):
    content = files[0].read_bytes()
    batch = copies(files, folder, [damage.flipped(content, seed) for seed in seeds])
    found = damage.outcomes_in_processes(kind, files, batch)
    wrong = [f"seed {seed}: {word}" for seed, word in zip(seeds, found, strict=True) if word.startswith("WRONG")]
    assert not wrong
    # values that were read and cannot be
    assert not [word for word in found if word.startswith("other ")]
    counts = Counter(word.split()[0] for word in found)
    print(f"{kind}: {dict(counts)}")  # noqa: T201 - for docs/formats/damage.md, shown with -rP
    if kind in CHECKSUMMED:
        assert not counts["other"], found
    return counts


@pytest.mark.parametrize("kind", [*OURS, *REAL])
def test_flipped_bytes(kind, damage, sample, tmp_path):
    n_seeds = 5 if kind in SLOW else 50 if kind in ("mars", "eventset", "predictions", "corsika") else 15
    assert check_flipped(kind, damage, sample(kind), tmp_path, range(n_seeds)).total() == n_seeds


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*OURS, *REAL])
def test_flipped_bytes_of_500_seeds(kind, damage, sample, tmp_path):
    assert check_flipped(kind, damage, sample(kind), tmp_path, range(1000, 1500)).total() == 500


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, as only root can")
@pytest.mark.parametrize("kind", KINDS)
def test_no_permission_for_another_user(kind, damage, sample, tmp_path):
    files = sample(kind)
    damage.contents(kind, files)  # imports what is needed, where the other user may not read
    path = tmp_path / files[0].name
    shutil.copy(files[0], path)
    path.chmod(0o600)
    ours = Path(gettempdir())
    for folder in (tmp_path, *(p for p in tmp_path.parents if p.is_relative_to(ours) and p != ours)):
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        found = damage.outcome(kind, [path, *files[1:]], {})
    finally:
        os.seteuid(0)
    assert found.startswith("error")
    assert "ermission" in found


# --- compressed files: checksums behind the last event ---


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_every_flipped_byte_of_compressed_data_is_found(name, tmp_path):
    content = np.random.default_rng(4).integers(0, 16, 20_000).astype(np.uint8).tobytes()
    if name.endswith("gz"):
        packed = gzip.compress(content)
    else:
        zstandard = pytest.importorskip("zstandard")
        packed = zstandard.ZstdCompressor(write_checksum=True).compress(content)
    path = tmp_path / name
    path.write_bytes(packed)
    require_checksum(path)
    for place in range(20, len(packed), 97):
        path.write_bytes(packed[:place] + bytes([packed[place] ^ 0x10]) + packed[place + 1 :])
        with pytest.raises(InputError, match=r"compressed file is damaged|truncated"):
            require_checksum(path)


# --- ctapipe: names that are no text ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["info", "convert"])
@pytest.mark.parametrize("where", ["attribute", "group", "other HDF5"])
def test_names_in_hdf5_that_are_no_text(where, command, tmp_path):
    """PyTables ends its process there, as of the flipped bytes of seed 1024; hence in a process of its own."""
    import h5py

    path = tmp_path / "gamma.dl1.h5"
    with h5py.File(path, "w") as file:
        if where != "other HDF5":
            file.attrs["CTA PRODUCT DATA MODEL VERSION"] = "v7.1.0"
        if where == "group":
            h5py.h5g.create(file.id, b"d\xec1")
        else:
            space = h5py.h5s.create(h5py.h5s.SCALAR)
            h5py.h5a.create(file.create_group("dl1").id, b"CTAFIE\xecD_9_NAME", h5py.h5t.NATIVE_INT64, space)
    words = [sys.executable, "-m", "magicnn", command, str(path)]
    done = subprocess.run(
        words + (["--output", str(tmp_path / "out.h5")] if command == "convert" else []),
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert "damaged (a name in it is no text" in done.stderr
    assert done.stderr.count("\n") == 1


# --- MARS: what a damaged or strange tree holds ---------------------------------------------------------------------

BRANCHES = (
    "MRawEvtHeader.fStereoEvtNumber",
    "MTriggerPattern.fPrescaled",
    "MTime.fMjd",
    "MTime.fTime.fMilliSec",
    "MTime.fNanoSec",
    "MPointingPos.fZd",
    "MPointingPos.fAz",
    "MCerPhotEvt.fPixels.fPhot",
    "MArrivalTime.fData",
)
TRUTH = ("MMcEvt.fTheta", "MMcEvt.fPhi", "MMcEvt.fPartId", "MMcEvt.fCoreX", "MMcEvt.fCoreY", "MMcEvt.fImpact")


@pytest.mark.parametrize("branch", BRANCHES)
def test_missing_branch(branch, damage, tmp_path):
    files = damage.write_mars_pair(tmp_path, **{branch: None})
    done = magicnn("convert", *files, "--output", tmp_path / "out.h5")
    assert_refused(done)
    assert branch in done.stderr


@pytest.mark.parametrize("branch", TRUTH)
def test_missing_truth(branch, damage, tmp_path):
    with pytest.raises(InputError, match=branch):
        open_events(damage.write_mars_pair(tmp_path, truth={branch: None}))


def of_other_type(kind, n_events):
    import awkward as ak

    return {
        "words": ak.Array(["word"] * n_events),
        "two values": np.ones((n_events, 2)),
        "jagged": ak.Array([[1.0] * (i + 1) for i in range(n_events)]),
    }[kind]


@pytest.mark.parametrize("what", ["words", "two values", "jagged"])
@pytest.mark.parametrize("branch", BRANCHES)
def test_wrong_type(branch, what, damage, tmp_path):
    import uproot

    files = damage.write_mars_pair(tmp_path, numbers=(3, 4))
    columns = damage.mars_events(1, (3, 4)) | {branch: of_other_type(what, 2)}
    with uproot.recreate(files[0]) as file:
        types = {
            name: np.dtype((v.dtype, v.shape[1:])) if isinstance(v, np.ndarray) else v.type.content
            for name, v in columns.items()
        }
        file.mktree("Events", types).extend(columns)
    assert_refused(magicnn("convert", *files, "--output", tmp_path / "out.h5"))


def spoilt(values, bad, row=1):
    values = values.copy()
    values[row] = bad
    return values


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, -95.0])
def test_impossible_pointing_is_left_out_and_counted(bad, damage, tmp_path, said):
    reader = open_events(damage.write_mars_pair(tmp_path, **{"MPointingPos.fZd": spoilt(np.full(5, 30.0), bad)}))
    assert reader.read()["event_id"].tolist() == [3, 5, 6, 7]
    assert reader.counts["M1 impossible values"] == reader.counts["M2 impossible values"] == 1
    assert "1 events with impossible values are left out (pointing_zenith_deg)" in said.text


@pytest.mark.parametrize(
    ("branch", "bad"),
    [
        ("fEnergy", 0.0),
        ("fEnergy", -5.0),
        ("fEnergy", np.nan),
        ("fEnergy", np.inf),
        ("fEnergy", 1e20),
        ("fTheta", np.nan),
        ("fTheta", -1.0),
        ("fTheta", 50.0),
        ("fPhi", np.nan),
        ("fCoreX", np.inf),
        ("fCoreY", 1e20),
        ("fImpact", -1.0),
        ("fImpact", np.nan),
    ],
)
def test_impossible_truth_is_left_out_and_counted(branch, bad, damage, tmp_path):
    values = damage.mars_truth(5)[f"MMcEvt.{branch}"]
    reader = open_events(damage.write_mars_pair(tmp_path, truth={f"MMcEvt.{branch}": spoilt(values, bad)}))
    events = reader.read()
    assert events["event_id"].tolist() == [3, 5, 6, 7]
    assert np.isfinite(events["true_energy_gev"]).all()
    assert reader.counts["M1 impossible values"] == 1


def test_events_of_which_none_can_be(damage, tmp_path):
    files = damage.write_mars_pair(tmp_path, **{"MPointingPos.fZd": np.full(5, np.nan)})
    done = magicnn("convert", *files, "--output", tmp_path / "out.h5")
    assert_refused(done)
    assert "5 impossible values" in done.stderr


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e30, -2e5])
def test_impossible_charges_are_unusable_pixels(bad, damage, tmp_path, said):
    charge = damage.mars_events(1, range(5))["MCerPhotEvt.fPixels.fPhot"]
    charge[1, 7] = bad
    files = damage.write_mars_pair(tmp_path, other={}, **{"MCerPhotEvt.fPixels.fPhot": charge})
    events = open_events(files).read()
    np.testing.assert_array_equal(np.argwhere(np.isnan(events.charge)), [[1, 0, 7]])
    assert np.isnan(events.time[1, 0, 7])
    assert "1 pixels with impossible charges are taken as unusable" in said.text


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 50.0, 1e30])
def test_times_outside_the_window_are_none(bad, damage, tmp_path):
    time = damage.mars_events(1, range(5))["MArrivalTime.fData"]
    time[2, 9] = bad
    events = open_events(damage.write_mars_pair(tmp_path, other={}, **{"MArrivalTime.fData": time})).read()
    np.testing.assert_array_equal(np.argwhere(np.isnan(events.time)), [[2, 0, 9]])
    assert np.isfinite(events.charge).all()


@pytest.mark.parametrize("day", [0, 10, 2**31])
def test_impossible_dates_are_left_out(day, damage, tmp_path):
    days = spoilt(np.full(5, damage.MJD_2015, dtype=np.uint32), day)
    reader = open_events(damage.write_mars_pair(tmp_path, **{"MTime.fMjd": days}))
    assert reader.read()["event_id"].tolist() == [3, 5, 6, 7]


def test_unordered_event_numbers(damage, tmp_path):
    (tmp_path / "ordered").mkdir()
    ordered = open_events(damage.write_mars_pair(tmp_path / "ordered")).read()
    order = np.array([3, 0, 4, 2, 1])
    changes = [{n: v[order] for n, v in damage.mars_events(t, (3, 4, 5, 6, 7)).items()} for t in (1, 2)]
    numbers = np.array((3, 4, 5, 6, 7))[order]
    events = open_events(damage.write_mars_pair(tmp_path, numbers, other=changes[1], **changes[0])).read()
    assert events["event_id"].tolist() == [3, 4, 5, 6, 7]
    np.testing.assert_array_equal(events.charge, ordered.charge)
    np.testing.assert_array_equal(events.time, ordered.time)


def test_a_number_given_twice_is_two_events_told_apart_by_their_time(damage, tmp_path):
    milliseconds = 1000 + 10 * np.arange(5, dtype=np.int64)
    twice = {"MTime.fTime.fMilliSec": milliseconds}
    reader = open_events(damage.write_mars_pair(tmp_path, (3, 4, 4, 5, 6), **twice))
    events = reader.read()
    assert events["event_id"].tolist() == [3, 4, 5, 6, 4 + 2**32]
    assert len(np.unique(events["event_id"])) == 5
    assert events["daq_event_id"].tolist() == [[1, 1], [2, 2], [4, 4], [5, 5], [3, 3]]


def test_numbers_that_jump_backwards_are_joined_by_time(damage, tmp_path):
    times = {"MTime.fTime.fMilliSec": 1000 + 10 * np.arange(6, dtype=np.int64)}
    files = damage.write_mars_pair(
        tmp_path,
        (1001, 1002, 1003, 3, 1005, 1006),
        other={**times, "numbers": (1001, 1002, 1003, 1004, 1005, 1006)},
        **times,
    )
    reader = open_events(files)
    assert len(reader) == 6
    assert (reader.counts["joined by number"], reader.counts["joined by time"]) == (5, 1)
    assert reader.read()["daq_event_id"].tolist() == [[i, i] for i in (4, 1, 2, 3, 5, 6)]


def test_zero_events(damage, tmp_path):
    files = damage.write_mars_pair(tmp_path, ())
    assert_refused(magicnn("convert", *files, "--output", tmp_path / "out.h5"))
    assert_refused(magicnn("info", files[0]))


def test_wrong_camera(damage, tmp_path):
    old = np.zeros((5, 577), dtype=np.float32)
    files = damage.write_mars_pair(tmp_path, **{"MCerPhotEvt.fPixels.fPhot": old, "MArrivalTime.fData": old})
    done = magicnn("convert", *files, "--output", tmp_path / "out.h5")
    assert_refused(done)
    assert "577 values per event" in done.stderr


def test_mixed_runs(damage, tmp_path):
    files = [
        damage.write_root(tmp_path / damage.mars_name(t, run), Events=damage.mars_events(t, [3, 4]))
        for t, run in ((1, 5000001), (2, 5000002))
    ]
    assert_refused(magicnn("convert", *files, "--output", tmp_path / "out.h5"))


# --- files that change while they are read --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mars", "mars mc", "eventset"])
def test_a_file_that_shrinks_between_opening_and_reading(kind, sample, tmp_path):
    files = [shutil.copy(path, tmp_path / path.name) for path in sample(kind)]
    reader = open_events(files)
    os.truncate(files[0], files[0].stat().st_size // 2)
    with pytest.raises(InputError, match=re.escape(files[0].name)):
        reader.read()


def test_a_file_that_is_still_being_written(sample, tmp_path):
    """Growing files are refused until they are whole, then read."""
    files = sample("mars")
    content = files[0].read_bytes()
    path = tmp_path / files[0].name
    for n in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:n])
        with pytest.raises(InputError, match=re.escape(path.name)):
            open_events([path, files[1]])
    path.write_bytes(content)
    assert len(open_events([path, files[1]])) == 5


def test_every_flipped_byte_of_an_event_set_is_found(damage, tmp_path):
    """One byte at a time, all over a small event set: it is found, or lies where nothing is stored."""
    path = damage.write_event_set(tmp_path / "e.h5", n_events=3)
    expected = damage.contents("eventset", [path])
    content = path.read_bytes()
    rng = np.random.default_rng(5)
    for place in rng.choice(len(content), 200, replace=False):
        spoiled = bytearray(content)
        spoiled[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(spoiled)
        try:
            found = damage.contents("eventset", [path])
        except InputError:
            continue
        assert all(np.array_equal(values, expected[name], equal_nan=True) for name, values in found.items()), place


def test_the_conversion_of_a_damaged_event_set_leaves_nothing(sample, tmp_path):
    content = bytearray(sample("eventset")[0].read_bytes())
    content[len(content) // 2] ^= 1
    path = tmp_path / "damaged.h5"
    path.write_bytes(content)
    done = magicnn("convert", path, "--output", tmp_path / "out.h5")
    assert_refused(done)
    assert not (tmp_path / "out.h5").exists()
    with pytest.raises(InputError, match="no such file"):
        EventSet(tmp_path / "out.h5")
