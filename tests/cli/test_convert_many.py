"""magicnn convert to a folder: one event set per run, in parallel, whatever is wrong with single runs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.errors import ConfigError, InputError
from magicnn.io.convert import convert_events
from magicnn.io.convert_many import convert_groups
from magicnn.io.eventset.reader import EventSet
from magicnn.io.groups import group_inputs, run_name


def magicnn(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture(scope="session")
def night(damage, tmp_path_factory):
    """Three runs, the second with two sub-runs whose events are shared out unevenly, M1 and M2 in different folders."""
    folder = tmp_path_factory.mktemp("night")
    cuts = {
        (5000001, 1): ((3, 4, 5), (3, 4, 5)),
        (5000002, 1): ((1, 2, 3), (1, 2)),
        (5000002, 2): ((4,), (3, 4)),
        (5000003, 1): ((7, 8), (7, 8)),
    }
    for telescope in (1, 2):
        (folder / f"M{telescope}").mkdir()
        for (run, subrun), numbers in cuts.items():
            columns = damage.mars_events(telescope, numbers[telescope - 1])
            damage.write_root(folder / f"M{telescope}" / damage.mars_name(telescope, run, subrun), Events=columns)
    return folder


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("20131004_M1_05029747.003_Y_MagicCrab-W0.40+035.root", "20131004_05029747_Y_MagicCrab-W0.40+035"),
        ("20131004_M2_05029747.011_I_MagicCrab-W0.40+035.root", "20131004_05029747_I_MagicCrab-W0.40+035"),
        ("20131004_05029747_S_MagicCrab-W0.40+035.root", "20131004_05029747_S_MagicCrab-W0.40+035"),
        ("GA_M1_za05to35_8_821319_Y_w0.root", "GA_za05to35_8_821319_Y_w0"),
        ("gamma_20deg_run1.simtel.zst", "gamma_20deg_run1"),
        ("gamma_v0.1.dl1.h5", "gamma_v0.1"),
        ("M1_M31.h5", "M1_M31"),
        (".h5", ".h5"),
    ],
)
def test_what_a_file_is_a_part_of(file, name):
    assert run_name(Path(file)) == name


def test_runs_are_grouped_whatever_folder_their_files_are_in(night):
    groups = group_inputs([night / "M1", str(night / "M2" / "*.root"), night / "M1"])
    assert [(g.name, g.kind, len(g.files)) for g in groups] == [
        ("20150320_05000001_Y_Test-W0.40+035", "mars", 2),
        ("20150320_05000002_Y_Test-W0.40+035", "mars", 4),
        ("20150320_05000003_Y_Test-W0.40+035", "mars", 2),
    ]


def test_every_run_becomes_an_event_set(night, tmp_path):
    done = magicnn("convert", night / "M1", night / "M2", "--output", tmp_path / "out", "--workers", "2")
    assert done.exit_code == 0, done.output
    assert f"9 events of 3 runs in {tmp_path / 'out'}" in done.stdout
    files = sorted((tmp_path / "out").iterdir())
    assert [p.name[9:17] for p in files] == ["05000001", "05000002", "05000003"]
    with EventSet(files[1]) as events:
        assert events.columns()["event_id"].tolist() == [1, 2, 3, 4]
    one_by_one = convert_events(
        [p for m in ("M1", "M2") for p in sorted((night / m).glob("*5000002*"))], tmp_path / "alone.h5"
    ).output
    with EventSet(files[1]) as ours, EventSet(one_by_one) as theirs:
        assert ours.read().charge.tobytes() == theirs.read().charge.tobytes()
        assert ours.meta.source_files == theirs.meta.source_files
    again = magicnn("convert", night / "M1", night / "M2", "--output", tmp_path / "out")
    assert again.exit_code == 0
    assert again.stdout.count("stood already in") == 3
    files[2].unlink()
    some = magicnn("convert", night / "M1", night / "M2", "--output", tmp_path / "out", "--workers", "1")
    assert some.stdout.count("stood already in") == 2
    assert some.stdout.count("written to") == 1


def test_dry_run_opens_the_inputs_and_prints_the_plan(night, tmp_path):
    words = ("--output", tmp_path / "out", "--dry-run", "--workers", "1")
    shown = magicnn("convert", night / "M1", night / "M2", *words)
    assert shown.exit_code == 0, shown.output
    name = tmp_path / "out" / "20150320_05000002_Y_Test-W0.40+035.h5"
    assert f"{name}: 4 events, M1, M2, run 5000002" in shown.stdout
    assert shown.stdout.count("ROOT file") == 8
    assert "9 events of 3 runs would be in" in shown.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def damaged_night(damage, tmp_path_factory):
    """Ten runs, of which the third to the fifth are damaged in one way each."""
    folder = tmp_path_factory.mktemp("damaged_night")
    for run in range(1, 11):
        for telescope in (1, 2):
            path = folder / damage.mars_name(telescope, run)
            damage.write_root(path, Events=damage.mars_events(telescope, [run, run + 1]))
    cut, empty, wrong = (folder / damage.mars_name(1, run) for run in (3, 4, 5))
    cut.write_bytes(cut.read_bytes()[:-100])
    empty.write_bytes(b"")
    wrong.write_bytes(b"this is not ROOT" * 100)
    return folder


@pytest.mark.parametrize("words", [["--workers", "2"], ["--workers", "1", "--dry-run"]])
def test_damaged_runs_do_not_stop_the_others(damaged_night, tmp_path, words):
    output = tmp_path / "out"
    done = magicnn("convert", damaged_night, "--output", output, "--keep-going", *words)
    assert done.exit_code == 3
    is_dry = "--dry-run" in words
    assert f"14 events of 7 runs {'would be ' if is_dry else ''}in {output}, 3 failed" in done.stdout
    said = [line for line in done.stderr.splitlines() if line.startswith("magicnn: ")]
    assert len(said) == 3
    for line, run, reason in zip(said, (3, 4, 5), ("truncated", "empty", "not a ROOT file"), strict=True):
        assert line.startswith(f"magicnn: 20150320_{run:08d}_Y_Test-W0.40+035: {damaged_night}")
        assert reason in line
    assert len(list(output.glob("*"))) == (0 if is_dry else 7)


@pytest.mark.slow
def test_ten_damaged_runs_of_a_hundred(damage, tmp_path):
    """Bytes flipped, ends cut off, zeros, other content: the other ninety become what they are, the ten are named."""
    (tmp_path / "one").mkdir()
    whole = [path.read_bytes() for path in damage.write_mars_pair(tmp_path / "one")]
    with EventSet(convert_events(sorted((tmp_path / "one").iterdir()), tmp_path / "one.h5").output) as events:
        expected = events.read()
    folder = tmp_path / "night"
    folder.mkdir()
    for run in range(1, 101):
        for telescope, content in enumerate(whole, start=1):
            (folder / damage.mars_name(telescope, run)).write_bytes(content)
    basket = len(whole[0]) // 2  # in the compressed charges

    def flipped(place):
        return whole[0][:place] + bytes([whole[0][place] ^ 0x55]) + whole[0][place + 1 :]

    damaged = {
        **{10 * i: flipped(basket + 7 * i) for i in range(1, 5)},
        50: whole[0][:-1],
        60: whole[0][:basket],
        70: b"",
        80: bytes(len(whole[0])),
        90: whole[0][:basket] + bytes(len(whole[0]) - basket),
        100: b"word " * 1000,
    }
    for run, content in damaged.items():
        (folder / damage.mars_name(1, run)).write_bytes(content)
    output = tmp_path / "out"
    done = magicnn("convert", folder, "--output", output, "--keep-going", "--workers", "2")
    assert done.exit_code == 3
    assert f"450 events of 90 runs in {output}, 10 failed" in done.stdout
    said = [line for line in done.stderr.splitlines() if line.startswith("magicnn: ")]
    assert [int(line[18:26]) for line in said] == sorted(damaged)
    assert all(str(folder) in line for line in said)
    made = sorted(output.glob("*.h5"))
    assert [int(path.name[9:17]) for path in made] == [run for run in range(1, 101) if run not in damaged]
    for path in made:
        with EventSet(path) as events:
            assert events.read().charge.tobytes() == expected.charge.tobytes()


def test_without_keep_going_the_first_damaged_run_stops(damaged_night, tmp_path):
    failed = magicnn("convert", damaged_night, "--output", tmp_path / "out", "--workers", "1")
    assert failed.exit_code == 3
    assert "--keep-going goes on with the others" in failed.stderr
    assert [line.startswith("magicnn: ") for line in failed.stderr.splitlines() if "runs" in line] == [True]


def test_named_files_that_are_missing_fail_alone(night, tmp_path):
    files = [*sorted(night.glob("M?/*5000001*")), night / "M1" / "20150320_M1_05000009.001_Y_x.root"]
    outcomes = convert_groups(group_inputs(files), tmp_path, keep_going=True, workers=1)
    assert [bool(o.problem) for o in outcomes] == [False, True]
    assert "no such file" in outcomes[1].problem


def test_a_process_that_dies_is_told_from_those_beside_it(night, tmp_path, monkeypatch):
    """A decoder in C may take its process with it: only its own run fails."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "if os.environ.get('DIE_AT'):\n"
        "    from magicnn.io.root import files\n"
        "    whole = files._check_complete\n"
        "    def check(path):\n"
        "        if os.environ['DIE_AT'] in str(path):\n"
        "            os._exit(11)\n"
        "        whole(path)\n"
        "    files._check_complete = check\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("DIE_AT", "5000002")
    groups = group_inputs([night / "M1", night / "M2"])
    outcomes = convert_groups(groups, tmp_path / "out", keep_going=True, workers=2)
    assert [bool(o.problem) for o in outcomes] == [False, True, False]
    assert "the process that worked on it died" in outcomes[1].problem
    assert str(night) in outcomes[1].problem


def test_killed_conversions_continue(night, tmp_path):
    command = [sys.executable, "-m", "magicnn", "convert", str(night / "M1"), str(night / "M2")]
    command += ["--output", str(tmp_path / "out"), "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline and not (tmp_path / "out").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = magicnn("convert", night / "M1", night / "M2", "--output", tmp_path / "out", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert "9 events of 3 runs" in done.stdout
    assert [p.suffix for p in sorted((tmp_path / "out").iterdir())] == [".h5"] * 3


def test_what_cannot_be_meant(night, damage, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        damage.write_event_set(tmp_path / folder / "gamma.h5", n_events=2)
    with pytest.raises(ConfigError, match=r"would both be written to gamma\.h5"):
        group_inputs([tmp_path / "a", tmp_path / "b"])
    with pytest.raises(InputError, match="no input files were given"):
        group_inputs([])
    with pytest.raises(InputError, match="no event files in this directory"):
        group_inputs([night])
    with pytest.raises(ConfigError, match="unknown kind of event files 'mrs'"):
        group_inputs([night / "M1"], "mrs")
    with pytest.raises(ConfigError, match="at least one worker"):
        convert_groups([], tmp_path, workers=0)
    refused = magicnn("convert", night / "M1", night / "M2", "--output", tmp_path / "x.h5", "--keep-going")
    assert refused.exit_code == 2
    assert "give --output a folder" in refused.stderr
    assert magicnn("convert", night / "M1", "--output", tmp_path / "o", "--sampling", "-1").exit_code == 2


def test_a_camera_that_some_files_do_not_have(data_dir, tmp_path):
    pytest.importorskip("ctapipe")
    files = [data_dir / "simtel" / name for name in ("history_meta_75.simtel.zst", "n_hv_disabled.simtel.gz")]
    words = ["--output", tmp_path / "o", "--camera", "lstcam", "--workers", "1"]
    stopped = magicnn("convert", *files, *words)
    assert stopped.exit_code == 2
    assert "n_hv_disabled.simtel.gz: no camera 'lstcam'; it has UNKNOWN-7987PX (1 telescope)" in stopped.stderr
    some = magicnn("convert", *files, *words, "--keep-going")
    assert some.exit_code == 3
    assert "1 event of 1 run in" in some.stdout
    assert "magicnn: n_hv_disabled: " in some.stderr
    none = magicnn("convert", files[1], *words, "--keep-going")
    assert none.exit_code == 2
    assert none.stderr.count("no camera 'lstcam'") == 1


def test_warnings_of_all_runs_are_said_once(night, tmp_path, caplog):
    groups = group_inputs([night / "M1", night / "M2"])
    with caplog.at_level("WARNING", logger="magicnn"):
        outcomes = convert_groups(groups, tmp_path, workers=1)
    assert np.all([len(o.warnings) == 1 for o in outcomes])
    assert [r.getMessage() for r in caplog.records if "sampling speed" in r.getMessage()] == [
        f"{groups[0].name} and 2 more: {outcomes[0].warnings[0]}"
    ]
