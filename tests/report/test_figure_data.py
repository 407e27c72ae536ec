import numpy as np
import pytest
from matplotlib.figure import Figure

from magicnn.evaluation.samples import align
from magicnn.report import plots
from magicnn.report.figure_data import drawn_ecsv, drawn_rows

RANGE = (5.0, 35.0)


@pytest.fixture
def axes():
    return Figure().subplots()


def column(rows, series, name):
    return np.array([r[name] for r in rows if r["series"] == series], dtype=float)


def test_points_and_their_intervals(axes, report_inputs):
    plots.energy_metric(report_inputs.metrics, "resolution_half68", RANGE, ["CNN", "LUT"], threshold_gev=100.0, ax=axes)
    rows = drawn_rows(axes)
    assert {r["series"] for r in rows} == {"CNN", "LUT"}
    wanted = report_inputs.metrics.select(method="LUT", metric="resolution_half68", zenith_deg=RANGE)
    wanted = [r for r in wanted if r.n_events >= 20]
    np.testing.assert_allclose(column(rows, "LUT", "y"), [100 * r.value for r in wanted])
    np.testing.assert_allclose(column(rows, "LUT", "y_min"), [100 * min(r.low, r.value) for r in wanted])
    np.testing.assert_allclose(column(rows, "LUT", "y_max"), [100 * max(r.high, r.value) for r in wanted])


def test_lines_and_their_bands(axes, report_inputs):
    samples = align(report_inputs.predictions)
    gamma, proton = (
        s.select(s.judged(["CNN"], "gammaness"))
        for s in (samples[role].in_zenith(RANGE) for role in ("diffuse_gamma", "proton"))
    )
    roc = plots.compute_roc_curves(gamma, proton, ["CNN"], n_replicates=20)
    plots.roc_curves(roc, ax=axes)
    rows = drawn_rows(axes)
    value, low, high = roc.curves["CNN"]
    np.testing.assert_allclose(column(rows, "CNN", "x"), roc.hadron_efficiency)
    np.testing.assert_allclose(column(rows, "CNN", "y"), value)
    np.testing.assert_allclose(column(rows, "CNN", "y_max"), high)
    np.testing.assert_allclose(column(rows, "CNN", "y_min")[:-1], low[:-1])


def test_histograms_and_their_bands(axes, report_inputs):
    ring = align(report_inputs.predictions)["ring_gamma"].in_zenith(RANGE)
    ring = ring.select(ring.judged(["CNN", "LUT"], "reco_energy_gev"))
    plots.error_histograms(ring, ["CNN", "LUT"], n_bins=40, ax=axes)
    rows = drawn_rows(axes)
    for method in ("CNN", "LUT"):
        height, low, high = (column(rows, method, n) for n in ("y", "y_min", "y_max"))
        width = column(rows, method, "x_max") - column(rows, method, "x_min")
        assert (height * width).sum() == pytest.approx(1.0)
        np.testing.assert_allclose(0.5 * (low + high), height, atol=1e-12)
        n = np.rint(height * width * len(ring))
        np.testing.assert_allclose(high - height, np.sqrt(n) / len(ring) / width, atol=1e-9)


def test_ecsv_says_what_the_axes_are(axes):
    axes.plot([1.0, 2.0], [3.0, np.nan], label="a, b")
    axes.axvline(1.5)
    axes.set_xlabel("epoch")
    text = drawn_ecsv(axes, name="training", caption="Losses.")
    assert text.startswith("# %ECSV 1.0")
    assert '- {x: "epoch"}' in text
    assert text.splitlines()[-2:] == ['"a, b",1.0,nan,nan,3.0,nan,nan,nan', '"a, b",2.0,nan,nan,nan,nan,nan,nan']
