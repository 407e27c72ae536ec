"""magicnn convert and magicnn info on the real files."""

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.errors import InputError
from magicnn.io import open_events
from magicnn.io.convert import convert_events
from magicnn.io.eventset.reader import EventSet


def magicnn(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture
def pair(data_dir):
    return sorted((data_dir / "magic_real").glob("*.root"))


def test_convert_then_info(pair, tmp_path):
    output = tmp_path / "crab.h5"
    done = magicnn("convert", *pair, "--output", output)
    assert done.exit_code == 0, done.output
    assert f"21 events written to {output}" in done.output
    again = magicnn("convert", *pair, "--output", output)
    assert f"21 events stood already in {output}" in again.output
    shown = magicnn("info", output, pair[0]).output
    words = (
        "event set, data",
        "21",
        "5029747",
        "M1, M2",
        "2013-10-04 04:22:19",
        "2.05 GS/s (assumed from the date)",
        "zenith",
        "[deg]",
    )
    for word in (*words, "MARS calibrated (_Y_) file", "89 stereo triggers (11 pedestal)"):
        assert word in shown


def test_sampling_option(pair, tmp_path):
    output = tmp_path / "crab.h5"
    assert magicnn("convert", *pair, "--output", output, "--sampling", "1.64").exit_code == 0
    assert EventSet(output).meta.sampling_gsps == 1.64
    assert magicnn("convert", *pair, "--output", tmp_path / "b.h5", "--sampling", "-1").exit_code == 2


@pytest.mark.parametrize("words", [[], ["--dry-run"]])
def test_an_event_set_is_named_as_one(pair, tmp_path, words):
    done = magicnn("convert", *pair, "--output", tmp_path / "x.root", *words)
    assert done.exit_code == 2
    assert "x.root: an event set is written, HDF5; give a name that ends in .h5, or a folder: one that" in done.output
    assert done.output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_dry_run_writes_nothing(pair, tmp_path):
    shown = magicnn("convert", pair[0].parent, "--output", tmp_path / "a.h5", "--dry-run")
    assert shown.exit_code == 0
    assert "21 events of 2 files would be written" in shown.output
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_passed_over_are_told_once(pair, tmp_path):
    for path in pair:
        shutil.copy(path, tmp_path)
    (tmp_path / "other.h5").write_bytes(b"x")
    done = magicnn("convert", tmp_path, "--output", tmp_path / "crab.h5")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("passed over") == 1
    assert "2 files taken (*_Y_*.root), 1 other passed over (other.h5)" in done.stderr


def test_mono(pair, tmp_path):
    refused = magicnn("convert", pair[0], "--output", tmp_path / "a.h5")
    assert refused.exit_code == 3
    assert "magicnn convert --mono" in refused.output
    assert magicnn("convert", pair[0], "--mono", "--output", tmp_path / "a.h5").exit_code == 0
    assert len(EventSet(tmp_path / "a.h5")) == 89


@pytest.mark.parametrize("command", ["convert", "info"])
def test_errors_are_one_line_with_exit_code_3(command, tmp_path):
    (tmp_path / "a.root").write_bytes(b"nothing of ROOT")
    output = ["--output", tmp_path / "a.h5"] if command == "convert" else []
    for path in (tmp_path / "a.root", tmp_path / "missing.root"):
        failed = magicnn(command, path, *output)
        assert failed.exit_code == 3
        assert failed.output.count("\n") == 1
        assert str(path) in failed.output
    assert [p.name for p in tmp_path.iterdir()] == ["a.root"]


def test_an_event_set_of_other_events_is_not_replaced(pair, tmp_path):
    output = convert_events(pair, tmp_path / "a.h5").output
    with pytest.raises(InputError, match="exists already with other events"):
        convert_events(pair, output, sampling_gsps=1.64)
    assert EventSet(output).meta.sampling_gsps == 2.05


def test_interrupted_conversion_continues(pair, tmp_path, monkeypatch):
    monkeypatch.setattr("magicnn.io.convert._UNIT_EVENTS", 4)
    reader = open_events(pair)
    read = type(reader).read
    calls = []

    def dies_at_the_fourth(self, start=None, stop=None):
        calls.append(start)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return read(self, start, stop)

    monkeypatch.setattr(type(reader), "read", dies_at_the_fourth)
    output = tmp_path / "a.h5"
    with pytest.raises(KeyboardInterrupt):
        convert_events(pair, output)
    assert not output.exists()
    done = convert_events(pair, output)
    assert calls == [0, 4, 8, 12, 12, 16, 20]
    assert (done.n_events, done.n_converted) == (21, 9)
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]
    whole = convert_events(pair, tmp_path / "b.h5").output
    with EventSet(output) as ours, EventSet(whole) as theirs:
        assert ours.read().charge.tobytes() == theirs.read().charge.tobytes()
        assert ours.columns()["event_id"].tolist() == theirs.columns()["event_id"].tolist()


KILLED = """
import os, signal
from magicnn.io.eventset import writer
whole = writer.EventSetWriter.append
def append(self, batch, unit=None):
    whole(self, batch, unit=unit)
    if unit == int(os.environ.get("KILL_AFTER", -1)):
        os.kill(os.getpid(), signal.SIGKILL)
writer.EventSetWriter.append = append
"""


def test_killed_conversion_continues(damage, tmp_path, monkeypatch):
    """Killed after the first and after the second of three parts, the same command ends in the same event set."""
    source = damage.write_event_set(tmp_path / "source.h5", n_events=2200)
    (tmp_path / "sitecustomize.py").write_text(KILLED)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    output = tmp_path / "out.h5"
    command = [sys.executable, "-m", "magicnn", "convert", str(source), "--output", str(output)]
    for unit in (0, 1):
        monkeypatch.setenv("KILL_AFTER", str(unit))
        assert subprocess.run(command, check=False, capture_output=True).returncode == -signal.SIGKILL
        assert not output.exists()
    monkeypatch.setenv("KILL_AFTER", "-1")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with EventSet(source) as expected, EventSet(output) as found:
        assert len(found) == 2200
        for name in expected.column_names:
            np.testing.assert_array_equal(found.columns([name])[name], expected.columns([name])[name])
        assert found.read().charge.tobytes() == expected.read().charge.tobytes()
    assert not list(tmp_path.glob(".out*"))
