"""The frame of the command line: help, versions, exit codes, one line for every mistake."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from magicnn import __version__
from magicnn.cli import app

COMMANDS = ["simulate", "convert", "info", "train", "baseline", "predict", "evaluate", "report", "run"]


def call(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    result = call(command, "--help")
    assert result.exit_code == 0
    assert "--verbose" in result.output
    if command != "info":
        assert "--output" in result.output
        assert "--dry-run" in result.output


def test_version():
    assert call("--version").output.strip() == f"magicnn {__version__}"


def test_help_does_not_load_the_heavy_packages():
    heavy = {"torch", "numba", "scipy", "sklearn", "h5py", "ctapipe", "uproot", "matplotlib"}
    script = f"import sys, magicnn.cli; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "nowhere.yaml"], 2, "nowhere.yaml: cannot be read"),
        (["run", "--nonsense"], 2, "No such option"),
        (["fly"], 2, "No such command"),
        (["convert", "nowhere.root", "--output", "x.h5"], 3, "nowhere.root"),
        (["info", "nowhere.h5"], 3, "nowhere.h5"),
        (["train", "nowhere.h5", "--output", "x.pt"], 3, "nowhere.h5"),
        (["baseline", "nowhere.h5", "--output", "x"], 3, "nowhere.h5"),
        (["evaluate", "nowhere.h5", "--output", "x"], 3, "nowhere.h5"),
        (["evaluate", "nowhere.h5", "--output", "x.ecsv"], 2, "--output x.ecsv: a folder is written"),
        (["predict", "nowhere.h5", "--output", "x.h5"], 2, "a name that does not end in .h5"),
        (["simulate", "nowhere.yaml", "--output", "x.h5"], 2, "nowhere.yaml"),
    ],
)
def test_mistakes_are_one_line_with_the_right_exit_code(arguments, code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == code
    assert words in result.output
    assert "Traceback" not in result.output
    if code == 3:
        assert len(result.output.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_whether_files_can_be_read_is_left_to_the_readers(damage, tmp_path, monkeypatch):
    """Which tell each of them in one line, instead of an error of usage for all."""
    path = damage.write_event_set(tmp_path / "a.h5", n_events=2)
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert call("info", path).exit_code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"x")
    (tmp_path / "a.h5").chmod(0)
    for words in (["info"], ["convert", "--output", f"{tmp_path / 'b.h5'}"]):
        refused = call(*words, f"{tmp_path / 'a.h5'}")
        assert refused.exit_code == 3
        assert refused.output.strip().endswith("a.h5: cannot be opened (Permission denied)")
