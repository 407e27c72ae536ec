"""Predictions as a ROOT tree: values, order of a MARS file, what cannot be keyed."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_events import random_events, stored
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.errors import ConfigError, InputError
from magicnn.io.describe import describe
from magicnn.io.exports import EXPORTS, export
from magicnn.io.mars.friend import TREE, write_friend, write_friends
from magicnn.predictions import PredictionTable

uproot = pytest.importorskip("uproot")

RUN = 5029747


def predictions(numbers, run=RUN):
    n = len(numbers)
    return PredictionTable(
        "CNN",
        {
            "run_id": np.full(n, run),
            "event_id": np.asarray(numbers),
            "gammaness": np.linspace(0.1, 0.9, n),
            "reco_energy_gev": np.geomspace(50.0, 5000.0, n),
            "is_valid": np.arange(n) % 2 == 0,
        },
    )


def melibea(path, numbers, runs=(RUN,)):
    with uproot.recreate(path) as file:
        columns = {"MRawEvtHeader_1.fStereoEvtNumber": np.asarray(numbers, dtype=np.uint32)}
        file.mktree("Events", {k: v.dtype for k, v in columns.items()}).extend(columns)
        header = {"MRawRunHeader_1.fRunNumber": np.asarray(runs, dtype=np.uint32)}
        file.mktree("RunHeaders", {k: v.dtype for k, v in header.items()}).extend(header)
    return path


def tree(path):
    with uproot.open(path) as file:
        return file[TREE].arrays(library="np")


def test_every_column_is_a_branch(tmp_path):
    table = predictions([3, 4, 9])
    written = tree(write_friend(table, tmp_path / "friend.root"))
    for name, values in table.columns.items():
        np.testing.assert_array_equal(written[name], values)
    np.testing.assert_array_equal(written["hadronness"], 1.0 - table["gammaness"])
    assert written["has_prediction"].all()


def test_info_knows_it(tmp_path):
    path = write_friend(predictions([3, 1, 2]), tmp_path / "friend.root")
    told = describe(path)
    assert "a tree that joins a melibea file" in told
    assert re.search(r"rows +3\n", told)
    assert "gammaness" in told


def test_rows_follow_the_entries_of_a_melibea_file(tmp_path):
    like = melibea(tmp_path / f"20131004_{RUN:08d}_Q_Crab.root", [9, 3, 100, 4])
    table = predictions([3, 4, 9])
    written = tree(write_friend(table, tmp_path / "friend.root", like=like))
    assert written["event_id"].tolist() == [9, 3, 100, 4]
    assert set(written["run_id"]) == {RUN}
    assert written["has_prediction"].tolist() == [True, True, False, True]
    np.testing.assert_array_equal(written["gammaness"], [*table["gammaness"][[2, 0]], np.nan, table["gammaness"][1]])
    assert written["is_valid"].tolist() == [True, True, False, False]


def test_runs_of_one_file_follow_each_other_as_in_its_headers(tmp_path):
    like = melibea(tmp_path / "q.root", [3, 7, 9, 2, 3], runs=(RUN + 4, RUN))
    table = predictions([2, 3, 7])
    written = tree(write_friend(table, tmp_path / "friend.root", like=like))
    assert written["run_id"].tolist() == [RUN + 4] * 3 + [RUN] * 2
    assert written["has_prediction"].tolist() == [False] * 3 + [True] * 2
    np.testing.assert_array_equal(written["gammaness"][3:], table["gammaness"][:2])


def test_several_files_get_a_tree_each(tmp_path):
    files = [melibea(tmp_path / f"20131004_{RUN + i:08d}_Q_Crab.root", [4, 3], (RUN + i,)) for i in range(2)]
    first, second = (predictions([3, 4], run=RUN + i) for i in range(2))
    columns = {name: np.concatenate([first[name], second[name]]) for name in first.columns}
    PredictionTable("CNN", columns).save(tmp_path / "cnn.h5")
    words = ["export", tmp_path / "cnn.h5", "--format", "mars-friend", "--output", tmp_path / "friends"]
    words += [word for path in files for word in ("--like", path)]
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    for i, path in enumerate(files):
        written = tree(tmp_path / "friends" / f"{path.stem}_magicnn.root")
        assert written["run_id"].tolist() == [RUN + i] * 2
        np.testing.assert_array_equal(written["gammaness"], first["gammaness"][::-1])
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 3
    assert "is there already" in " ".join(done.output.split())
    with pytest.raises(InputError, match="the same name"):
        write_friends(first, tmp_path / "other", like=[files[0], files[0]])


def test_events_are_no_predictions(tmp_path):
    stored(tmp_path / "events.h5", random_events(2))
    with pytest.raises(InputError, match=r"events\.h5: an event set, but 'mars-friend' is written from predictions"):
        export([tmp_path / "events.h5"], tmp_path / "x.root", name="mars-friend")


@given(st.permutations(range(12)), st.sets(st.integers(0, 11), min_size=1))
def test_any_order_and_any_subset_finds_its_events(tmp_path_factory, order, known):
    folder = tmp_path_factory.mktemp("friend")
    table = predictions(sorted(known))
    written = tree(write_friend(table, folder / "friend.root", like=melibea(folder / "q.root", order)))
    found = dict(zip(table["event_id"].tolist(), table["reco_energy_gev"].tolist(), strict=True))
    expected = [found.get(number, np.nan) for number in order]
    np.testing.assert_array_equal(written["reco_energy_gev"], expected)


@pytest.mark.parametrize(
    ("table", "numbers", "runs", "message"),
    [
        (predictions([3, 3]), None, (), "run and event numbers repeat"),
        (predictions([3, 4]), [7, 8], (RUN,), "none of its 2 events is among the 2 predictions"),
        (predictions([3, 4]), [3, 4], (RUN + 1,), "none of its 2 events"),
        (predictions([3, 4]), [3, 4], (RUN, RUN + 1), "events of 2 runs"),
        (predictions([3, 4]), [], (RUN,), "has no events"),
    ],
)
def test_what_cannot_be_joined_is_said_in_one_line(tmp_path, table, numbers, runs, message):
    like = None if numbers is None else melibea(tmp_path / "q.root", numbers, runs)
    with pytest.raises(InputError, match=message) as caught:
        write_friend(table, tmp_path / "friend.root", like=like)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "friend.root").exists()


def test_command_line(tmp_path):
    predictions([3, 4]).save(tmp_path / "cnn.h5")
    words = ["export", str(tmp_path / "cnn.h5"), "--output", str(tmp_path / "friend.root")]
    done = CliRunner().invoke(app, [*words, "--format", "mars-friend"])
    assert done.exit_code == 0, done.output
    assert len(tree(tmp_path / "friend.root")["gammaness"]) == 2
    done = CliRunner().invoke(app, [*words, "--format", "mars-frend"])
    assert done.exit_code == 2
    assert "mars-friend" in done.output
    done = CliRunner().invoke(app, [*words, "--format", "help"])
    assert all(name in done.output for name in EXPORTS)


def test_options_and_inputs_that_a_format_does_not_take(tmp_path):
    predictions([3]).save(tmp_path / "cnn.h5")
    with pytest.raises(ConfigError, match="'mars-friend' has no option 'seeds': known: like"):
        export([tmp_path / "cnn.h5"], tmp_path / "x.root", name="mars-friend", seeds=1)
    with pytest.raises(ConfigError, match=r"x\.h5: a file is written; give a name that ends in \.root"):
        export([tmp_path / "cnn.h5"], tmp_path / "x.h5", name="mars-friend")
    with pytest.raises(ConfigError, match="takes one prediction file, 2 are given"):
        export([tmp_path / "cnn.h5"] * 2, tmp_path / "x.root", name="mars-friend")
