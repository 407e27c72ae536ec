"""magicnn features: tables of image parameters, from any number of processes, continued after a kill."""

import numpy as np
import pytest
from random_events import random_events
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.images.extraction import EventFiles, extract_on_workers
from magicnn.images.features import FeatureTable, extract_features
from magicnn.io.eventset.reader import EventSet, EventSetWriter


def magicnn(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    paths = []
    for number, name in enumerate(("one", "two", "three")):
        paths.append(folder / f"{name}.h5")
        batch = random_events(40 + number, seed=number)
        with EventSetWriter(paths[-1], batch.meta) as writer:
            writer.append(batch)
    return paths


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr("magicnn.io.pieces.PIECE_EVENTS", 16)


def assert_same(table, path):
    expected = extract_features(EventSet(path))
    assert table.meta == expected.meta
    assert table.settings == expected.settings
    assert table.columns.keys() == expected.columns.keys()
    for name, values in expected.columns.items():
        np.testing.assert_array_equal(table[name], values, err_msg=name)


def test_a_table_per_event_set_from_two_processes(events, tmp_path):
    done = magicnn("features", *events, "--output", tmp_path, "--workers", 2)
    assert done.exit_code == 0, done.output
    for path in events:
        assert_same(FeatureTable.load(tmp_path / path.name), path)
    assert sorted(tmp_path.iterdir()) == sorted(tmp_path / path.name for path in events)
    again = magicnn("features", *events, "--output", tmp_path, "--workers", 2)
    assert again.output.count("stood already") == 3
    other = magicnn("features", events[0], "--output", tmp_path, "--set", "cleaning.method=tailcuts")
    assert other.exit_code == 3
    assert "holds other events or settings" in other.output


def test_one_table_and_what_would_be_written(events, tmp_path):
    output = tmp_path / "features.h5"
    words = ("features", events[0], "--output", output, "--workers", 1)
    planned = magicnn(*words, "--dry-run")
    assert "# 40 events of one.h5 would be written to" in planned.output
    assert "method: sum" in planned.output
    assert not list(tmp_path.iterdir())
    assert magicnn(*words).exit_code == 0
    assert_same(FeatureTable.load(output), events[0])
    assert magicnn("features", events[1], "--output", output).exit_code == 3
    replaced = magicnn("features", events[1], "--output", output, "--overwrite", "--workers", 1)
    assert replaced.exit_code == 0
    assert_same(FeatureTable.load(output), events[1])


def test_mistakes_are_one_line(events, tmp_path):
    two = magicnn("features", *events, "--output", tmp_path, "--workers", 2, "--dask", "tcp://head:1")
    assert two.exit_code == 2
    assert "give one" in two.output
    missing = magicnn("features", tmp_path / "none.h5", "--output", tmp_path / "out", "--workers", 1)
    assert missing.exit_code == 3
    assert "none.h5" in missing.output
    assert magicnn("features", events[0], "--output", tmp_path / "x.h5", "--set", "cleaning.x=1").exit_code == 2
    assert not list(tmp_path.iterdir())


def test_what_was_done_is_not_done_again(events, tmp_path, monkeypatch):
    files = [EventFiles.opened([path]) for path in events]
    journals = [tmp_path / f"{path.stem}.partial" for path in events]
    calls = []

    def counted(batch, *arguments, **options):
        if len(calls) == 5:
            raise KeyboardInterrupt
        calls.append(int(batch["event_id"][0]))
        return extract_features(batch, *arguments, **options)

    monkeypatch.setattr("magicnn.images.extraction.extract_features", counted)
    found = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(extract_on_workers(files, journals, workers=1))
    assert not journals[0].exists(), "the first table was complete and asked for"
    assert journals[1].exists()
    calls[:] = [0] * 6
    tables = list(extract_on_workers(files[1:], journals[1:], workers=1))
    assert len(calls) == 6 + 1 + 3, "a third of the second table, and the third one"
    for table, path in zip(tables, events[1:], strict=True):
        assert_same(table, path)
    assert not list(tmp_path.iterdir())
