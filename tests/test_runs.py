import logging

import numpy as np
import pytest

from magicnn.errors import InputError
from magicnn.runs import (
    atomic_folder,
    atomic_path,
    checksum,
    configure_logging,
    content_hash,
    log_to_file,
    progress,
    provenance,
    read_json,
    seed_sequence,
    write_json,
)


def test_atomic_path_leaves_nothing_after_a_failure(tmp_path):
    target = tmp_path / "deep" / "out.txt"

    def fail():
        with atomic_path(target) as partial:
            partial.write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        fail()
    assert list(target.parent.iterdir()) == []
    with atomic_path(target) as partial:
        partial.write_text("whole")
    assert target.read_text() == "whole"


def test_atomic_path_below_a_file_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot create its folder"), atomic_path(tmp_path / "file" / "out"):
        pass


def test_seed_streams_depend_on_every_name():
    draw = lambda *names: np.random.default_rng(seed_sequence(1, *names)).integers(1 << 40)  # noqa: E731
    assert draw("gamma", 3) == draw("gamma", 3)
    assert len({draw("gamma", 3), draw("gamma", 4), draw("proton", 3), draw("gamma")}) == 4


def test_json_round_trip_with_arrays(tmp_path):
    write_json(tmp_path / "a.json", {"x": np.arange(3), "y": np.float32(0.5), "p": tmp_path})
    assert read_json(tmp_path / "a.json") == {"x": [0, 1, 2], "y": 0.5, "p": str(tmp_path)}
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(InputError, match="not a JSON file"):
        read_json(tmp_path / "b.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path / "c.json")


def test_hashes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert checksum(tmp_path / "a").startswith("ba7816bf")
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1}) != content_hash({"a": 1, "b": 3})


def test_provenance_names_versions_and_seed():
    record = provenance(seed=7, settings={"a": 1})
    assert record["seed"] == 7
    assert {"magicnn", "numpy", "python"} <= set(record["versions"])


def test_the_command_is_named_however_it_is_called(monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/magicnn/__main__.py", "info", "a.h5"])
    assert provenance()["command"] == "magicnn info a.h5"
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/magicnn", "info", "a.h5"])
    assert provenance()["command"] == "magicnn info a.h5"


def test_counts_without_an_end_are_numbers(capsys):
    configure_logging(0)
    assert list(progress(iter(range(1)), description="events of a.simtel", unit="event")) == [0]
    assert "events of a.simtel: 1 [" in capsys.readouterr().err


def test_log_goes_to_the_file_of_the_run(tmp_path, capsys):
    configure_logging(0)
    configure_logging(-1)
    with log_to_file(tmp_path / "log.txt"):
        logging.getLogger("magicnn.test").info("ten events")
        assert list(progress(range(3), description="count")) == [0, 1, 2]
    assert "ten events" not in capsys.readouterr().err
    configure_logging(0)
    logging.getLogger("magicnn.test").info("not in the file")
    assert (tmp_path / "log.txt").read_text().endswith("ten events\n")
    assert "not in the file" in capsys.readouterr().err


def test_atomic_folder_moves_all_files_or_none(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine.txt").write_text("kept")
    (target / "a.txt").write_text("old")

    def write(*, fails):
        with atomic_folder(target) as folder:
            (folder / "a.txt").write_text("new")
            (folder / "deep").mkdir()
            (folder / "deep" / "b.txt").write_text("new")
            if fails:
                raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write(fails=True)
    assert (target / "a.txt").read_text() == "old"
    assert not (target / "deep").exists()
    write(fails=False)
    assert {p.name: p.read_text() for p in target.rglob("*.txt")} == {
        "mine.txt": "kept",
        "a.txt": "new",
        "b.txt": "new",
    }
    assert list(tmp_path.iterdir()) == [target]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), atomic_folder(tmp_path / "file" / "out"):
        pass
