"""A production, a network and baselines that are quickly made, and a Dask cluster on this machine."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.io.eventset.reader import EventSet

CONFIGS = Path(__file__).parents[2] / "mc_configs"
SMALL = ("--set", "showers_per_chunk=5", "--set", "energy_min_gev=300")
"""Pieces of a second or less."""


def magicnn(*words):
    """Run a command, which must end well; return what it said."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="session")
def run_magicnn():
    return magicnn


@pytest.fixture(scope="session")
def simulation():
    """Words of a simulation that takes many pieces."""
    return ("simulate", CONFIGS / "gamma_za05to35.yaml", "-n", 250, "--seed", 3, *SMALL)


@pytest.fixture(scope="session")
def small_pieces():
    """Make few events many pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("magicnn.io.pieces.PIECE_EVENTS", 16)
        yield


@pytest.fixture(scope="session")
def serial(tmp_path_factory, simulation, small_pieces):
    """What one process makes: events, their features, models, and predictions."""
    folder = tmp_path_factory.mktemp("serial")
    magicnn(*simulation, "--output", folder / "gamma.h5", "--workers", 1)
    for name in ("gamma_diffuse", "proton"):
        magicnn("simulate", CONFIGS / f"{name}_za05to35.yaml", "-n", 120, *SMALL, "--output", folder / f"{name}.h5")
    events = [folder / f"{name}.h5" for name in ("gamma", "gamma_diffuse", "proton")]
    magicnn("features", *events, "--output", folder / "features", "--workers", 1)
    features = [word for path in events for word in ("--features", folder / "features" / path.name)]
    magicnn("baseline", *events, *features, "--output", folder / "models", "--set", "forest.n_trees=10")
    network = ("--set", "training.epochs=1", "--set", "network.arguments={stem: 4, widths: [8]}")
    magicnn(
        "train", *events[1:], *features[2:], "--head", "particle", "--output", folder / "models" / "cnn.pt", *network
    )
    magicnn("predict", events[0], *predicting(folder), "--output", folder / "predictions")
    return folder


def predicting(folder):
    """Options of predict for the models of a folder."""
    models = folder / "models"
    return ("--model", models / "cnn.pt", "--baselines", models)


@pytest.fixture(scope="session")
def predict_options(serial):
    return predicting(serial)


def same_columns(first, second):
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.fixture(scope="session")
def require_same_events():
    """Make sure that two event sets hold the same, to the last bit."""

    def check(first, second):
        with EventSet(first) as one, EventSet(second) as two:
            assert one.meta.generated == two.meta.generated
            a, b = one.read(), two.read()
        np.testing.assert_array_equal(a.charge, b.charge)
        np.testing.assert_array_equal(a.time, b.time)
        same_columns(a.columns, b.columns)

    return check


@pytest.fixture(scope="session")
def require_same_tables():
    """Make sure that two feature or prediction tables hold the same, to the last bit."""

    def check(first, second):
        assert first.meta == second.meta
        same_columns(first.columns, second.columns)

    return check
