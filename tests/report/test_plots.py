import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from magicnn.evaluation.classification import roc_auc
from magicnn.evaluation.metrics_table import MetricsTable
from magicnn.evaluation.published import published_energy
from magicnn.evaluation.samples import align
from magicnn.report import plots
from magicnn.report.style import figure_style, line_styles, markers, method_colours, themed_svg

RANGE = (5.0, 35.0)


@pytest.fixture
def axes():
    return Figure().subplots()


def points(axes, label):
    (found,) = [c for c in axes.containers if c.get_label() == label]
    return found.lines[0].get_ydata(), found


def test_energy_figure_shows_the_numbers_with_their_intervals(axes, report_inputs):
    metrics = report_inputs.metrics
    assert plots.energy_metric(metrics, "resolution_half68", RANGE, ["CNN", "LUT"], ax=axes) is axes
    rows = metrics.select(method="LUT", metric="resolution_half68", zenith_deg=RANGE)
    shown = [r for r in rows if r.n_events >= 20]
    values, drawn = points(axes, "LUT")
    np.testing.assert_allclose(values, [100 * r.value for r in shown])
    segments = drawn.lines[2][0].get_segments()
    np.testing.assert_allclose([s[0, 1] for s in segments], [100 * min(r.low, r.value) for r in shown])
    assert "published LUT" not in [c.get_label() for c in axes.containers]


def test_published_points_lie_over_their_own_ranges_only(axes, report_inputs):
    plots.energy_metric(report_inputs.metrics, "resolution_gauss", (30.0, 45.0), ["CNN"], ax=axes)
    values, _ = points(axes, "published LUT")
    np.testing.assert_allclose(values, 100 * published_energy((30.0, 45.0)).values["resolution_gauss"])


def test_roc_curve_encloses_the_auc(axes, report_inputs):
    samples = align(report_inputs.predictions)
    gamma, proton = (
        s.select(s.judged(["CNN"], "gammaness"))
        for s in (samples[role].in_zenith(RANGE) for role in ("diffuse_gamma", "proton"))
    )
    roc = plots.compute_roc_curves(gamma, proton, ["CNN"], n_replicates=20)
    value, low, high = roc.curves["CNN"]
    area = np.trapezoid(value, roc.hadron_efficiency)
    expected = roc_auc(gamma.predictions["CNN"]["gammaness"], proton.predictions["CNN"]["gammaness"])
    assert area == pytest.approx(expected, abs=0.02)
    assert (low <= high).all()
    plots.roc_curves(roc, ax=axes)
    assert len(axes.lines) == 2


def test_histograms_are_densities(axes, report_inputs):
    samples = align(report_inputs.predictions)
    ring = samples["ring_gamma"].in_zenith(RANGE)
    plots.error_histograms(ring, ["LUT"], ax=axes)
    density, edges, _ = axes.patches[0].get_data()
    assert np.sum(density * np.diff(edges)) == pytest.approx(1.0)
    bottom, top = np.log10(axes.get_ylim())
    assert (bottom, top) == pytest.approx((round(bottom), round(top)))
    assert 10**bottom < density[density > 0].min()
    assert 10**top >= density.max()
    other = Figure().subplots()
    plots.gammaness_histograms(samples["diffuse_gamma"], samples["proton"], ["CNN", "forest"], ax=other)
    assert other.get_legend_handles_labels()[1] == [
        "CNN, gammas",
        "CNN, protons",
        "forest, gammas",
        "forest, protons",
    ]


def test_panels_without_points_say_why(axes, report_inputs):
    rows = tuple(dataclasses.replace(r, n_events=min(r.n_events, 5)) for r in report_inputs.metrics.rows)
    few = MetricsTable(rows, report_inputs.metrics.settings)
    plots.energy_metric(few, "resolution_gauss", (30.0, 45.0), ["CNN"], ax=axes)
    assert [t.get_text() for t in axes.texts] == ["fewer than 20 events per bin"]
    other = Figure().subplots()
    plots.auc_in_energy(few, RANGE, ["CNN"], ax=other)
    assert [t.get_text() for t in other.texts] == ["fewer than 40 events per bin"]
    full = Figure().subplots()
    plots.energy_metric(report_inputs.metrics, "bias_median", RANGE, ["CNN"], ax=full)
    assert not full.texts


def test_large_biases_stay_inside_or_are_written_at_the_edge(report_inputs):
    def drawn(value):
        rows = tuple(
            dataclasses.replace(r, value=value, low=value, high=value)
            for r in report_inputs.metrics.select(method="CNN", metric="bias_median", zenith_deg=RANGE)
            if r.n_events >= 20
        )
        axes = Figure().subplots()
        return plots.energy_metric(MetricsTable(rows[:1]), "bias_median", RANGE, ["CNN"], ax=axes)

    for value in (1.6, -0.9):
        axes = drawn(value)
        low, high = axes.get_ylim()
        assert low < 100 * value < high
        assert not axes.texts
    beyond = drawn(3.4)
    assert beyond.get_ylim()[1] == 200.0
    assert [t.get_text() for t in beyond.texts] == [" ↑ 340 % "]


def test_intervals_beyond_the_axis_end_in_an_arrow_head(report_inputs):
    rows = [
        r
        for r in report_inputs.metrics.select(method="CNN", metric="resolution_half68", zenith_deg=RANGE)
        if r.n_events >= 20
    ]

    def heads(low, high):
        axes = Figure().subplots()
        table = MetricsTable((dataclasses.replace(rows[0], value=0.5, low=low, high=high),))
        plots.energy_metric(table, "resolution_half68", RANGE, ["CNN"], ax=axes)
        assert not axes.texts
        return axes.get_ylim(), [line.get_ydata()[0] for line in axes.lines if not line.get_clip_on()]

    assert heads(0.4, 0.6)[1] == []
    (_, top), found = heads(0.4, 3.0)
    assert found == [top]
    (bottom, top), found = heads(-0.1, 3.0)
    assert found == [top, bottom]


def test_gammaness_legend_covers_no_data(report_inputs):
    samples = align(report_inputs.predictions)
    with figure_style():
        figure = Figure(figsize=(4.8, 3.4))
        axes = figure.add_axes((0.16, 0.155, 0.795, 0.77))
        plots.gammaness_histograms(samples["diffuse_gamma"], samples["proton"], ["CNN", "forest"], ax=axes)
        figure.draw_without_rendering()
        lowest = axes.transData.inverted().transform(axes.get_legend().get_window_extent())[0, 1]
    assert lowest > max(p.get_data().values.max() for p in axes.patches)


def test_zenith_axis_encloses_every_marker(axes, report_inputs):
    bins = [(5.0, 35.0), (62.0, 70.0)]
    plots.auc_by_zenith(report_inputs.metrics, bins, ["CNN", "forest"], ax=axes)
    assert axes.get_xlim() == (5.0, 70.0)


def test_training_curves_mark_the_best_epoch_and_bear_gaps(axes):
    history = [
        {"epoch": 1, "train_loss": 1.0, "validation_loss": 0.9},
        {"epoch": 2, "train_loss": 0.5, "validation_loss": 0.4},
        {"epoch": 3, "train_loss": 0.3, "validation_loss": None},
    ]
    plots.training_curves(history, colour="#0072b2", ax=axes)
    assert axes.texts[0].get_text() == "best: 0.4"
    assert axes.lines[2].get_xdata()[0] == 2


def test_colours_are_fixed_and_distinct():
    colours = method_colours(["mine", "CNN", "forest", "LUT", "theirs"])
    assert len(set(colours.values())) == 5
    assert colours["CNN"] == method_colours(["LUT", "CNN"])["CNN"]


def test_svg_takes_its_colours_from_the_page():
    with figure_style():
        figure = Figure()
        figure.subplots().plot([1, 2], color=method_colours(["CNN"])["CNN"], label="a")
        one, two = (themed_svg(figure, name=name, title='bias & "more" <x>') for name in ("one", "two"))
    assert "var(--method-1)" in one
    assert "var(--ink)" in one
    assert "#0072b2" not in one
    assert 'aria-label="bias &amp; &quot;more&quot; &lt;x>"' in one
    assert one.replace("one-", "two-") == two
    assert "http://" not in one.replace("http://www.w3.org/", "")


def test_runs_share_the_colour_of_a_method_and_differ_in_marker_and_line():
    names = ["CNN, deep", "CNN, wide", "LUT, deep", "LUT, wide"]
    colours, shapes, lines = method_colours(names), markers(names), line_styles(names)
    assert colours["CNN, deep"] == colours["CNN, wide"] == method_colours(["CNN"])["CNN"]
    assert colours["LUT, deep"] == method_colours(["LUT"])["LUT"]
    assert shapes["CNN, deep"] == shapes["LUT, deep"] != shapes["CNN, wide"]
    assert lines["CNN, deep"] == lines["LUT, deep"] != lines["CNN, wide"]
    assert set(line_styles(["CNN", "LUT"]).values()) == {"-"}
