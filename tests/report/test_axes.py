"""Every public function that draws into axes takes `ax=`, and draws into the current ones without it."""

import importlib
import inspect
import pkgutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

import magicnn.report
from magicnn.evaluation.samples import align
from magicnn.report import plots
from magicnn.report.camera_plot import camera_image, camera_outline
from magicnn.report.event_picture import draw_telescope
from magicnn.report.real_plots import real_histograms
from magicnn.report.truth_plots import migration_matrix, reliability_curves

RANGE = (5.0, 35.0)
HISTORY = [{"epoch": 1, "train_loss": 0.9, "validation_loss": 0.8}]


DRAW_NO_DATA = {"axes_or_current", "axes_or_new_pair", "density_axis"}


def drawing_functions():
    found = {}
    for module in pkgutil.iter_modules(magicnn.report.__path__, "magicnn.report."):
        home = importlib.import_module(module.name)
        for name in getattr(home, "__all__", ()):
            function = getattr(home, name)
            if inspect.isfunction(function) and function.__annotations__.get("return") in {"Axes", "Sequence[Axes]"}:
                found[name] = function
    return [pytest.param(found[name], id=name) for name in sorted(set(found) - DRAW_NO_DATA)]


@pytest.mark.parametrize("function", drawing_functions())
def test_axes_are_an_optional_keyword(function):
    parameters = inspect.signature(function).parameters
    (given,) = [p for n, p in parameters.items() if n in {"ax", "axes"}]
    assert given.kind is inspect.Parameter.KEYWORD_ONLY
    assert given.default is None


@pytest.fixture
def drawings(report_inputs, magic_camera):
    metrics, samples = report_inputs.metrics, align(report_inputs.predictions)
    gamma, proton, ring = (samples[role].in_zenith(RANGE) for role in ("diffuse_gamma", "proton", "ring_gamma"))
    roc = plots.compute_roc_curves(gamma, proton, ["CNN"], n_replicates=5)
    some, edges = {"CNN": np.linspace(0.1, 0.9, 30)}, np.linspace(0.0, 1.0, 6)
    return [
        lambda **ax: plots.energy_metric(metrics, "bias_median", RANGE, ["CNN"], **ax),
        lambda **ax: plots.auc_in_energy(metrics, RANGE, ["CNN"], **ax),
        lambda **ax: plots.auc_by_zenith(metrics, [RANGE], ["CNN"], **ax),
        lambda **ax: plots.roc_curves(roc, **ax),
        lambda **ax: plots.gammaness_histograms(gamma, proton, ["CNN"], **ax),
        lambda **ax: plots.error_histograms(ring, ["CNN"], **ax),
        lambda **ax: plots.training_curves(HISTORY, **ax),
        lambda **ax: reliability_curves(metrics, RANGE, ["CNN"], **ax),
        lambda **ax: migration_matrix(metrics, RANGE, "CNN", **ax),
        lambda **ax: real_histograms(some, some, np.ones(30), edges, label="Gammaness", **ax),
        lambda **ax: camera_image(magic_camera, np.arange(1039.0), **ax),
        lambda **ax: camera_outline(magic_camera, **ax),
    ]


def test_they_draw_where_they_are_told_to(drawings):
    for draw in drawings:
        ax = Figure().subplots()
        assert draw(ax=ax) is ax
        assert ax.has_data() or ax.texts


def test_without_axes_they_draw_into_the_current_ones(drawings):
    for draw in drawings:
        _, (first, second) = plt.subplots(1, 2)
        plt.sca(second)
        assert draw() is second
        assert not first.has_data()
        plt.close("all")


def test_a_telescope_takes_two_axes_or_makes_them(magic_camera):
    charge, time = np.full(1039, 3.0, dtype=np.float32), np.full(1039, 10.0, dtype=np.float32)
    pair = Figure().subplots(1, 2)
    assert tuple(draw_telescope(magic_camera, charge, time, name="M1", axes=pair)) == tuple(pair)
    made = draw_telescope(magic_camera, charge, time, name="M1")
    assert len(made) == 2
    assert made[0].figure is plt.gcf()
    plt.close("all")
