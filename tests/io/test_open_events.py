"""What open_events takes, how it recognises it, and the one line it gives for everything else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

import magicnn
from magicnn.errors import ConfigError, InputError
from magicnn.images.extraction import EventFiles, reader_of
from magicnn.images.features import extract_features
from magicnn.io import FORMATS, open_events, register_format
from magicnn.io.base import Format, Reader
from magicnn.io.convert import convert_events
from magicnn.io.formats import expand_paths, recognise

RUN = r"05029747\.003_Y_MagicCrab-W0\.40\+035\.root"


@pytest.fixture(scope="session")
def pair(data_dir):
    return sorted((data_dir / "magic_real").glob("*.root"))


@pytest.fixture(scope="session")
def event_set(pair, tmp_path_factory):
    return convert_events(pair, tmp_path_factory.mktemp("set") / "crab.h5").output


def test_any_way_to_name_the_files(pair, tmp_path, monkeypatch):
    folder = pair[0].parent
    monkeypatch.chdir(folder)
    ways = [pair, pair[::-1], map(str, pair), folder, str(folder), str(folder / "*_Y_*.root"), "*_M?_*.root", "."]
    for way in ways:
        reader = magicnn.open_events(way)
        assert isinstance(reader, Reader)
        assert len(reader) == 21


def test_names_do_not_matter_but_content_does(pair, tmp_path):
    copies = [Path(shutil.copy(path, tmp_path / f"m{i}.dat")) for i, path in enumerate(pair)]
    events = open_events(copies).read()
    assert events["event_id"][0] == 29795
    assert set(events["run_id"]) == {0}  # neither a run header nor the name tells


def test_event_set_gives_the_same_events(pair, event_set):
    ours, theirs = open_events(event_set).read(), open_events(pair).read()
    np.testing.assert_array_equal(ours.charge, theirs.charge)  # MARS keeps 8 bits of mantissa, float16 has 11
    np.testing.assert_allclose(ours.time, theirs.time, rtol=1e-3)
    for name, values in theirs.columns.items():
        np.testing.assert_array_equal(ours[name], values)
    assert ours.meta.sampling_assumed


def test_formats_are_recognised_by_content(pair, event_set, tmp_path):
    assert recognise(pair[0]).kind == "mars"
    assert recognise(event_set).kind == "eventset"
    renamed = shutil.copy(event_set, tmp_path / "renamed.root")
    assert len(open_events(renamed)) == 21
    assert len(open_events(event_set, kind="eventset")) == 21


def test_a_new_format_is_one_entry(tmp_path, event_set):
    def opens(paths, *, wanted=1):
        return open_events(event_set)

    entry = Format("toy", "a toy file", ("*.toy",), lambda path, head: head.startswith(b"toy"), opens)
    register_format(entry)
    try:
        path = tmp_path / "a.toy"
        path.write_bytes(b"toy events")
        assert len(open_events(tmp_path, wanted=2)) == 21
        with pytest.raises(ConfigError, match="unknown option 'wnted' for a toy file: did you mean 'wanted'"):
            open_events(path, wnted=2)
    finally:
        del FORMATS["toy"]


def test_an_installed_package_brings_a_format_into_the_commands(tmp_path):
    site = tmp_path / "site"
    (site / "toy-1.0.dist-info").mkdir(parents=True)
    (site / "toy-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    points = "[magicnn.formats]\ntoy = toy:FORMAT\nlost = toy:LOST\nodd = toy:opens\n"
    (site / "toy-1.0.dist-info" / "entry_points.txt").write_text(points)
    (site / "toy.py").write_text(
        """
import numpy as np
from magicnn import EventBatch, EventMeta
from magicnn.io.base import Format

class opens:
    meta = EventMeta(particle=None, production="toys", is_simulation=False)
    def __init__(self, paths): pass
    def __len__(self): return 2
    def read(self, start=None, stop=None):
        rows = np.arange(2)[start:stop]
        pixels = np.ones((len(rows), 2, 1039), np.float32)
        return EventBatch(pixels, pixels, {"run_id": np.ones_like(rows), "event_id": rows}, self.meta)
    def batches(self, size=1024): yield self.read()

FORMAT = Format("toy", "a toy file", ("*.toy",), lambda path, head: head.startswith(b"toy"), opens)
"""
    )
    (tmp_path / "a.toy").write_bytes(b"toy events")
    done = subprocess.run(
        [sys.executable, "-m", "magicnn", "convert", "a.toy", "--output", "a.h5"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{site}{os.pathsep}{Path(magicnn.__file__).parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "format lost of the package toy is left out: module 'toy' has no attribute 'LOST'" in done.stderr
    assert "format odd of the package toy is left out: toy:opens is a type, not a magicnn.io.base.Format" in done.stderr
    assert len(open_events(tmp_path / "a.h5")) == 2


def test_directory_prefers_calibrated_files(tmp_path):
    for name in ("20131004_M1_05029747.003_Y_a.root", "20131004_M1_05029747.003_I_a.root", "notes.txt", "x.h5"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in expand_paths(tmp_path)] == ["20131004_M1_05029747.003_Y_a.root"]
    assert [p.name for p in expand_paths(tmp_path, "eventset")] == ["x.h5"]


def test_what_a_directory_has_besides_is_told(tmp_path, caplog):
    for name in ("a.simtel", "b.simtel.gz", "c.simtel.zst", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    with caplog.at_level("INFO", logger="magicnn"):
        assert [p.name for p in expand_paths(tmp_path)] == ["a.simtel", "b.simtel.gz", "c.simtel.zst"]
        assert caplog.records[-1].levelname == "INFO"
        (tmp_path / "d_Y_.root").write_bytes(b"x")
        assert [p.name for p in expand_paths(tmp_path)] == ["d_Y_.root"]
    assert caplog.records[-1].levelname == "WARNING"  # others look like files with events
    others = "a.simtel, b.simtel.gz, c.simtel.zst, notes.txt"
    assert f"1 file taken (*_Y_*.root), 4 others passed over ({others})" in caplog.text
    (tmp_path / "M1").mkdir()
    with pytest.raises(InputError, match=r"folders in it are not searched, name them: M1"):
        expand_paths(tmp_path, "eventset")


def test_what_a_reader_says_is_said_once(pair, caplog):
    with caplog.at_level("INFO", logger="magicnn"):
        files = EventFiles.opened([pair[0].parent])
        assert len(reader_of(files.paths, files.opening)) == files.n_events == 21
    assert caplog.text.count("sampling speed") == 1
    assert caplog.text.count("joined by number 21") == 1


def test_files_that_hold_no_events_yet(data_dir, event_set, tmp_path):
    for given in (data_dir / "corsika_photons", data_dir / "corsika_photons" / "3_gammas_reuse_5.dat"):
        with pytest.raises(InputError, match=r"photon bunches of CORSIKA.* magicnn simulate .* --corsika"):
            open_events(given)
    extract_features(open_events(event_set)).save(tmp_path / "features.h5")
    with pytest.raises(InputError, match=r"features\.h5: not a file with events but features of magicnn"):
        open_events(tmp_path / "features.h5")
    with pytest.raises(ConfigError, match="no option 'camera' for an event set: it takes none"):
        open_events(event_set, camera="MAGICCam")


def write(name, content):
    def make(folder, pair):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def foreign_hdf5(folder, pair):
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["x"] = np.arange(3)
    return folder / "foreign.h5"


def other_run(folder, pair):
    return [pair[0], shutil.copy(pair[1], folder / pair[1].name.replace("5029747", "5029748"))]


CASES = {
    "missing file": (lambda folder, pair: folder / "no.root", r"no\.root: no such file"),
    "missing beside a good one": (lambda folder, pair: [pair[0], folder / "no.root"], r"no\.root: no such file"),
    "pattern without a match": (lambda folder, pair: folder / "*.root", "no file matches this pattern"),
    "directory without events": (lambda folder, pair: folder, "no event files in this directory"),
    "nothing": (lambda folder, pair: [], "no input files were given"),
    "empty file": (write("a.root", b""), r"a\.root: the file is empty \(0 bytes\)"),
    "text called root": (write("a.root", b"some words"), r"a\.root: not a ROOT file"),
    "text": (write("a.txt", b"some words"), r"a\.txt: not a file with events; known are a MARS"),
    "only the magic": (write("a.root", b"root"), "the file is truncated"),
    "magic and noise": (write("a.root", b"root" + bytes(range(256)) * 4), "truncated|damaged"),
    "HDF5 of others": (foreign_hdf5, "not a file with events"),
    "broken HDF5": (write("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)), r"a\.h5"),
    "one telescope": (lambda folder, pair: pair[0], rf"M2 of run 5029747 is missing, expected .*_M2_{RUN}"),
    "same file twice": (lambda folder, pair: [pair[0], pair[0]], r"two files of M1, run 5029747, sub-run 3"),
    "three files": (lambda folder, pair: [*pair, pair[1]], r"two files of M2, run 5029747, sub-run 3"),
    "different runs": (other_run, r"different runs: .* is run 5029747, .* is run 5029748"),
    "wrong telescope in the name": (
        lambda folder, pair: shutil.copy(pair[0], folder / pair[1].name),
        "its name says M2, .* says M1",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_clear_line_for(case, pair, tmp_path):
    make, message = CASES[case]
    with pytest.raises(InputError, match=message) as caught:
        open_events(make(tmp_path, pair)).read()
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("twentieth", range(20))
def test_truncated_anywhere(twentieth, pair, tmp_path):
    content = pair[0].read_bytes()
    path = tmp_path / pair[0].name
    path.write_bytes(content[: max(1, len(content) * twentieth // 20 + twentieth)])
    with pytest.raises(InputError, match=r"truncated|not a ROOT file") as caught:
        open_events([path, pair[1]]).read()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_bytes_give_an_error_or_the_same_events(seed, pair, tmp_path):
    """Compressed baskets carry a checksum: flipped bytes never give other numbers silently."""
    rng = np.random.default_rng(seed)
    content = bytearray(pair[0].read_bytes())
    start = int(rng.integers(200, len(content) - 64))
    content[start : start + 64] = rng.integers(0, 256, 64, dtype=np.uint8).tobytes()
    path = tmp_path / pair[0].name
    path.write_bytes(content)
    try:
        events = open_events([path, pair[1]]).read()
    except InputError:
        return
    expected = open_events(pair).read()
    np.testing.assert_array_equal(events.charge, expected.charge)
    np.testing.assert_array_equal(events.time, expected.time)


def test_no_permission(pair, tmp_path, monkeypatch):
    path = Path(shutil.copy(pair[0], tmp_path))

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"cannot be opened \(Permission denied\)"):
        open_events([path, pair[1]])


def test_different_formats_and_unknown_words(pair, event_set):
    with pytest.raises(InputError, match="open files of one format at a time"):
        open_events([pair[0], event_set])
    with pytest.raises(InputError, match="event sets are opened one at a time"):
        open_events([event_set, event_set])
    with pytest.raises(ConfigError, match="unknown kind of event files 'mrs': did you mean 'mars'"):
        open_events(pair, kind="mrs")
    with pytest.raises(ConfigError, match=r"unknown option 'sampling' .*: did you mean 'sampling_gsps'"):
        open_events(pair, sampling=2.05)
    with pytest.raises(InputError, match="not an event set"):
        open_events(pair[0], kind="eventset")
