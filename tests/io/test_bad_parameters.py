"""What real storage does to star, superstar and melibea files: one line, or parameters that are right."""

import re

import numpy as np
import pytest
from mars_files import (
    MC_RUN,
    TRUTH,
    data_name,
    drive_tree,
    melibea_columns,
    pedestal_columns,
    run_headers,
    run_tails,
    star_columns,
    stereo_name,
    stereo_trees,
    trigger_trees,
    write_file,
)
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.errors import InputError
from magicnn.io import load_predictions
from magicnn.io.mars.parameters import read_mars_features

LEVELS = ("mars star", "mars superstar", "mars melibea")
NUMBERS = (3, 4, 5, 6, 7)
SPOILT = 1  # row whose value is replaced
WRONG_TYPES = ("words", "two values", "jagged")
WRONG_VALUES = (np.nan, np.inf, -np.inf, 1e30, -1e30)


def star_trees(telescope, numbers=NUMBERS, *, run=5000001, **events):
    """All that a star file of data may have."""
    times = {
        "MTimePedestals.fMjd": np.full(2, 57100, dtype=np.uint32),
        "MTimePedestals.fTime.fMilliSec": np.full(2, 1000, dtype=np.int64),
        "MTimePedestals.fNanoSec": np.zeros(2, dtype=np.uint32),
    }
    return {
        "Events": star_columns(telescope, numbers) | events,
        "RunHeaders": run_headers(telescope, run=run),
        "RunTails": run_tails("star"),
        "Pedestals": pedestal_columns([1.0, 2.0], [1.0, 2.0]) | times,
        "Drive": drive_tree([57100.0, 57100.1], [30.0, 30.0], [120.0, 120.0]),
        **trigger_trees(),
    }


def star_name(telescope, run=5000001):
    return data_name(telescope, run).replace("_Y_", "_I_")


def whole_trees(kind):
    """Trees of the file to spoil, its name, and the files beside it."""
    if kind == "mars star":
        return star_trees(1), star_name(1), {star_name(2): star_trees(2)}
    if kind == "mars superstar":
        rows = np.arange(len(NUMBERS)) % len(TRUTH["fEnergy"])
        trees = stereo_trees(NUMBERS, level="S", run=MC_RUN, rows=rows, n_thrown=20)
        return trees, stereo_name("S", MC_RUN), {}
    return stereo_trees(NUMBERS), stereo_name("Q"), {}


class Spoilt:
    """Files of a level of which one branch is spoilt at a time."""

    def __init__(self, kind, damage, folder):
        self.kind, self._damage = kind, damage
        self._trees, name, others = whole_trees(kind)
        self.path = folder / name
        self.files = [self.path, *(write_file(folder / other, **trees) for other, trees in others.items())]
        write_file(self.path, **self._trees)
        self.reference = damage.contents(kind, self.files)
        self.branches = [(tree, branch) for tree, columns in self._trees.items() for branch in columns]

    def outcome(self, tree, branch, values):
        """Replace a branch, None removes it; return the outcome and, when something was read, what."""
        columns = {name: v for name, v in (self._trees[tree] | {branch: values}).items() if v is not None}
        others = {name: v for name, v in self._trees.items() if name != tree}
        write_file(self.path, **others, **({tree: columns} if columns else {}))
        word = self._damage.outcome(self.kind, self.files, self.reference)
        found = {} if word.startswith(("error", "WRONG")) else self._damage.contents(self.kind, self.files)
        return word, found

    def of_type(self, tree, branch, what):
        import awkward as ak

        n = len(self._trees[tree][branch])
        return {
            "words": ["word"] * n,
            "two values": np.ones((n, 2)),
            "jagged": ak.Array([[1.0] * (i + 1) for i in range(n)]),
        }[what]

    def with_value(self, tree, branch, bad):
        """Give one entry a value that cannot be, the greatest or smallest of integers; None where none can be."""
        values = self._trees[tree][branch]
        if isinstance(values, list) or (np.isnan(bad) and values.dtype.kind != "f"):
            return None
        if values.dtype.kind != "f":
            limits = np.iinfo(values.dtype)
            bad = limits.max if bad > 0 else limits.min
        changed = values.reshape(len(values), -1).copy()
        changed[min(SPOILT, len(values) - 1), 0] = bad
        return changed.reshape(values.shape)

    def differs_elsewhere(self, found):
        """Names of columns in which other events than the spoilt one have changed."""
        numbers = {True: self.reference, False: found}
        keep = {which: np.isin(c["event_id"], np.delete(NUMBERS, SPOILT)) for which, c in numbers.items()}
        ranks = ("shower_id", "reuse_id", "predicted shower_id", "predicted reuse_id", "words", "predicted words")
        return [
            name
            for name, values in self.reference.items()
            if name in found and name not in ranks
            if not np.array_equal(values[keep[True]], found[name][keep[False]], equal_nan=True)
        ]


@pytest.fixture
def spoilt(damage, tmp_path):
    return lambda kind: Spoilt(kind, damage, tmp_path)


def check_missing(files, tree, branch):
    word, found = files.outcome(tree, branch, None)
    assert not word.startswith("WRONG"), (branch, word)
    if word.startswith("error"):
        plain = re.sub(r"_[12]\.", ".", branch)
        assert plain in word or tree in word, (branch, word)
    elif tree == "Events":
        kept = {name: v for name, v in files.reference.items() if name in found}
        assert not [n for n, v in kept.items() if n != "words" and v.shape != found[n].shape], branch


def check_type(files, tree, branch, what):
    word, _ = files.outcome(tree, branch, files.of_type(tree, branch, what))
    assert not word.startswith("WRONG"), (branch, what, word)


def check_value(files, tree, branch, bad):
    values = files.with_value(tree, branch, bad)
    if values is None:
        return
    word, found = files.outcome(tree, branch, values)
    assert not word.startswith(("WRONG", "other ")), (branch, bad, word)
    for name, column in found.items():
        if column.dtype.kind == "f":
            assert not (np.abs(column) > 1e9).any(), (branch, bad, name)
    if found and tree == "Events":
        assert not files.differs_elsewhere(found), (branch, bad)


CHECKS = (
    [(check_missing, ())]
    + [(check_type, (what,)) for what in WRONG_TYPES]
    + [(check_value, (bad,)) for bad in WRONG_VALUES]
)


def check_branches(files, n_each=None):
    """Every check on every branch, or on a few of them."""
    rng = np.random.default_rng(3)
    for check, what in CHECKS:
        chosen = files.branches
        if n_each is not None:
            chosen = [chosen[i] for i in rng.choice(len(chosen), n_each, replace=False)]
        for tree, branch in chosen:
            check(files, tree, branch, *what)


@pytest.mark.parametrize("kind", LEVELS)
def test_some_spoilt_branches(kind, spoilt):
    check_branches(spoilt(kind), n_each=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LEVELS)
def test_every_spoilt_branch(kind, spoilt):
    check_branches(spoilt(kind))


def magicnn(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def refused(*words):
    """The one line that a command ends in, with exit code 3."""
    done = magicnn(*words)
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 3, done.output
    said = [line for line in done.stderr.splitlines() if line.startswith("magicnn: ")]
    assert len(said) == 1, done.stderr
    return said[0]


def write_star_pair(folder, numbers=NUMBERS, *, m2=None, run_m2=5000001, **events):
    m2 = {} if m2 is None else m2
    return [
        write_file(folder / star_name(1), **star_trees(1, numbers, **events)),
        write_file(
            folder / star_name(2, run_m2), **star_trees(2, m2.pop("numbers", numbers), run=run_m2, **events | m2)
        ),
    ]


@pytest.mark.parametrize("kind", LEVELS)
def test_missing_trees(kind, spoilt):
    files = spoilt(kind)
    trees, *_ = whole_trees(kind)
    for tree in trees:
        write_file(files.path, **{name: columns for name, columns in trees.items() if name != tree})
        if tree == "Events":
            with pytest.raises(InputError, match="there is no tree 'Events'"):
                read_mars_features(files.files)
        else:
            assert read_mars_features(files.files)["event_id"].tolist() == list(NUMBERS)


@pytest.mark.parametrize("kind", LEVELS)
def test_zero_events(kind, tmp_path):
    if kind == "mars star":
        files = write_star_pair(tmp_path, ())
    else:
        level = {"mars superstar": "S", "mars melibea": "Q"}[kind]
        files = [write_file(tmp_path / stereo_name(level), **stereo_trees((), level=level))]
    assert "no events" in refused("convert", *files, "--output", tmp_path / "out.h5")
    assert "no events" in refused("info", files[0])
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    ("branch", "bad"),
    [
        ("MHillas_1.fSize", 1e30),
        ("MHillas_1.fSize", -5.0),
        ("MHillas_2.fLength", np.inf),
        ("MHillas_2.fWidth", -1.0),
        ("MHillas_1.fMeanX", np.nan),
        ("MHillas_2.fMeanY", 1e20),
        ("MHillas_1.fDelta", 1e9),
        ("MStereoPar.fDirectionAz", 1e20),
        ("MNewImagePar_1.fConc", 7.0),
        ("MNewImagePar_2.fLeakage1", -3.0),
        ("MStereoPar.fCoreX", 1e12),
        ("MStereoPar.fM1Impact", -1e5),
    ],
)
def test_impossible_parameters_are_unknown(branch, bad, tmp_path, caplog):
    values = stereo_trees(NUMBERS)["Events"][branch].copy()
    values[SPOILT] = bad
    path = write_file(tmp_path / stereo_name("Q"), **stereo_trees(NUMBERS, events={branch: values}))
    whole = write_file(tmp_path / "20150320_05000001_Q_Whole-W0.40+035.root", **stereo_trees(NUMBERS))
    with caplog.at_level("WARNING", logger="magicnn"):
        found = read_mars_features([path]).columns
    expected = read_mars_features([whole]).columns
    changed = [n for n in expected if not np.array_equal(found[n], expected[n], equal_nan=True)]
    assert changed
    if "is_stereo" in changed:
        assert found["is_stereo"].tolist() == [True, False, True, True, True]
        changed.remove("is_stereo")
    for name in changed:
        np.testing.assert_array_equal(np.delete(found[name], SPOILT, axis=0), np.delete(expected[name], SPOILT, axis=0))
        differs = ~np.equal(found[name][SPOILT], expected[name][SPOILT])
        assert np.isnan(np.atleast_1d(found[name][SPOILT])[np.atleast_1d(differs)]).all()
    is_said = np.isfinite(bad) and bad != -5.0 and not branch.endswith(("fDelta", "fDirectionAz"))
    assert ("impossible values are taken as unknown" in caplog.text) == is_said


@pytest.mark.parametrize(
    ("branch", "bad"),
    [("MHadronness.fHadronness", 1.5), ("MEnergyEst.fEnergy", np.nan), ("MStereoParDisp.fDirectionZd", np.inf)],
)
def test_impossible_estimates_are_not_valid(branch, bad, tmp_path):
    values = (stereo_trees(NUMBERS)["Events"] | melibea_columns(len(NUMBERS)))[branch].copy()
    values[SPOILT] = bad
    table = load_predictions(write_file(tmp_path / stereo_name("Q"), **stereo_trees(NUMBERS, events={branch: values})))
    assert table["is_valid"].tolist() == [True, False, True, True, True]


def test_unordered_events(tmp_path):
    (tmp_path / "ordered").mkdir()
    ordered = read_mars_features(write_star_pair(tmp_path / "ordered"))
    order = np.array([3, 0, 4, 2, 1])
    shuffled = [{n: v[order] for n, v in star_trees(t)["Events"].items()} for t in (1, 2)]
    found = read_mars_features(write_star_pair(tmp_path, m2=shuffled[1], **shuffled[0]))
    assert found["event_id"].tolist() == list(NUMBERS)
    for name, values in ordered.columns.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_unordered_events_of_a_stereo_file(tmp_path):
    trees = stereo_trees(NUMBERS)
    order = np.array([0, 2, 1, 4, 3])
    trees["Events"] = {name: values[order] for name, values in trees["Events"].items()}
    found = load_predictions(write_file(tmp_path / stereo_name("Q"), **trees))
    assert found["event_id"].tolist() == list(NUMBERS)
    ordered = load_predictions(
        write_file(tmp_path / "20150320_05000001_Q_Whole-W0.40+035.root", **stereo_trees(NUMBERS))
    )
    np.testing.assert_array_equal(found["gammaness"], ordered["gammaness"])


def test_numbers_given_twice(tmp_path):
    """Told apart by their time, and numbered so that every one is there once."""
    times = {"MTime.fTime.fMilliSec": 1000 + 10 * np.arange(5, dtype=np.int64)}
    found = read_mars_features(write_star_pair(tmp_path, (3, 4, 4, 5, 6), **times))
    assert found["event_id"].tolist() == [3, 4, 5, 6, 4 + 2**32]
    stereo = write_file(tmp_path / stereo_name("Q"), **stereo_trees((3, 4, 4, 5, 6)))
    assert load_predictions(stereo)["event_id"].tolist() == [3, 4, 5, 6, 4 + 2**32]


def test_numbers_that_jump_backwards(tmp_path):
    """By time where the numbers of a star file cannot be trusted; runs of a stereo file follow from its headers."""
    times = {"MTime.fTime.fMilliSec": 1000 + 10 * np.arange(6, dtype=np.int64)}
    jump, whole = (1001, 1002, 1003, 3, 1005, 1006), (1001, 1002, 1003, 1004, 1005, 1006)
    found = read_mars_features(write_star_pair(tmp_path, jump, m2={"numbers": whole}, **times))
    assert len(found["event_id"]) == 6
    assert found.meta.provenance["cut_flow"]["joined by time"] == 1
    trees = stereo_trees(jump)
    trees["RunHeaders"] = {name: np.repeat(values, 3, axis=0) for name, values in trees["RunHeaders"].items()}
    for telescope in (1, 2):
        runs = np.array([5000001, 5000002, 5000003], dtype=np.uint32)
        trees["RunHeaders"][f"MRawRunHeader_{telescope}.fRunNumber"] = runs
    path = write_file(tmp_path / stereo_name("Q"), **trees)
    assert "headers of 3 runs, but the event numbers restart 1 times" in refused(
        "convert", path, "--output", tmp_path / "out.h5"
    )


def test_mixed_runs_levels_and_telescopes(tmp_path):
    files = write_star_pair(tmp_path, run_m2=5000002)
    assert "M1 and M2 are of different runs" in refused("convert", *files, "--output", tmp_path / "out.h5")
    melibea = write_file(tmp_path / stereo_name("Q"), **stereo_trees(NUMBERS))
    assert "read them separately" in refused("convert", files[0], melibea, "--output", tmp_path / "out.h5")
    named = write_file(tmp_path / star_name(2, 5000003), **star_trees(1))
    assert "which telescope?" in refused("convert", files[0], named, "--output", tmp_path / "out.h5")
    wrong_level = melibea.rename(tmp_path / stereo_name("S"))
    assert "rename it" in refused("convert", wrong_level, "--output", tmp_path / "out.h5")


def test_without_times_there_is_no_pair(tmp_path):
    files = write_star_pair(tmp_path)
    trees = star_trees(1)
    trees["Events"] = {n: v for n, v in trees["Events"].items() if not n.startswith("MTime.")}
    write_file(files[0], **trees)
    assert "'MTime.fMjd' is missing" in refused("convert", *files, "--output", tmp_path / "out.h5")


@pytest.mark.parametrize(("branch", "bad"), [("fSlopeSpec", np.nan), ("fELowLim", -1.0), ("fEUppLim", np.inf)])
def test_impossible_headers_of_a_simulation(branch, bad, tmp_path):
    trees, name, _ = whole_trees("mars superstar")
    for telescope in (1, 2):
        trees["RunHeaders"][f"MMcCorsikaRunHeader_{telescope}.{branch}"] = np.array([bad], dtype=np.float32)
    path = write_file(tmp_path / name, **trees)
    assert "what was thrown: impossible" in refused("convert", path, "--output", tmp_path / "out.h5")


@pytest.mark.parametrize("kind", LEVELS)
def test_a_file_that_is_still_being_written(kind, spoilt):
    files = spoilt(kind)
    content = files.path.read_bytes()
    for n in (0, 1, 100, len(content) // 2, len(content) - 1):
        files.path.write_bytes(content[:n])
        with pytest.raises(InputError, match=re.escape(files.path.name)):
            read_mars_features(files.files)
    files.path.write_bytes(content)
    assert read_mars_features(files.files)["event_id"].tolist() == list(NUMBERS)
