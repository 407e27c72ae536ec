import dataclasses
import math

import pytest

from magicnn.evaluation.metrics_table import MetricRow, MetricsTable
from magicnn.report.tables import (
    classification_table,
    cut_flow_table,
    energy_table,
    generated_table,
    interval,
    real_table,
    verdict_sentences,
)

RANGE = (5.0, 35.0)
NAN = math.nan


def row(value, low, high, metric="auc", method="CNN", n=100):
    return MetricRow(method, "classification", metric, *RANGE, NAN, NAN, n, value, low, high)


def text(markup):
    return markup.striptags().replace("\u2009", "").replace("\xa0", " ")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.9123, 0.9063, 0.9183), "0.912 ±0.006"),
        ((0.9123, 0.9103, 0.9143), "0.9123 ±0.0020"),
        ((0.05, 0.03, 0.09), "0.05+0.04−0.02"),
        ((-12.34, -12.9, -11.7), "−12.3 ±0.6"),
        ((231.4, 212.0, 252.0), "231 ±20"),
        ((NAN, 3.1, NAN), ">3.10"),
        ((4.0, 3.0, NAN), "4.00 (>3.00)"),
        ((NAN, NAN, NAN), "–"),
        ((1.0, 1.0, 1.0), "1.00 (interval not known)"),
        ((101.0, 101.0, 101.0), "101 (interval not known)"),
        ((0.155, 0.155, 0.155 + 1e-16), "0.155 (interval not known)"),
    ],
)
def test_a_number_stands_with_its_interval(values, expected):
    assert text(interval(row(*values))) == expected


def test_percent_and_nothing():
    assert text(interval(row(0.141, 0.138, 0.144), 100.0)) == "14.10 ±0.30"
    assert text(interval(None)) == "–"


def test_tables_have_a_column_per_method_and_a_row_per_number(report_inputs):
    metrics = report_inputs.metrics
    table = classification_table(metrics, RANGE, ["CNN", "forest"])
    assert table.header == ("", "CNN", "forest")
    auc = next(r for r in table.rows if r[0] == "ROC AUC")
    assert text(auc[1]) == text(interval(metrics.row("CNN", "auc", RANGE)))
    assert ("at 70 % gamma efficiency",) in table.rows
    energies = energy_table(metrics, RANGE, ["CNN", "forest", "LUT"])
    assert any(r[0].startswith("119–189 GeV") for r in energies.rows)
    assert {len(r) for r in energies.rows} == {1, 7}
    assert len(generated_table(report_inputs).rows) == 12
    flow = cut_flow_table(report_inputs)
    assert flow.header == ("event set", "simulated", "triggered", "both images", "quality")
    assert flow.rows[0][1] == "40 000"


def test_real_events_show_what_every_method_says(report_inputs):
    table = real_table(report_inputs.real)
    assert table.header == ("event", "gammaness, CNN", "energy [GeV], CNN", "energy [GeV], LUT")
    assert [text(str_or(c)) for c in table.rows[0]] == ["29795", "0.200", "130 ±26", "143"]
    assert text(str_or(table.rows[2][2])) == "–"
    assert real_table(dataclasses.replace(report_inputs.real, predictions={})).rows == ()


def str_or(cell):
    from markupsafe import Markup

    return Markup(cell)


def table_with(difference, sigma):
    name = "CNN vs forest"
    return MetricsTable(
        (
            row(0.912, 0.906, 0.918),
            row(0.905, 0.898, 0.912, method="forest"),
            row(difference, difference - sigma, difference + sigma, "auc_difference", name),
            row(sigma, NAN, NAN, "auc_difference_sigma", name),
        ),
        {"comparisons": [["CNN", "forest"]]},
    )


@pytest.mark.parametrize(
    ("difference", "state", "words", "label"),
    [
        (0.007, "better", "CNN better by 0.0070 ± 0.0030 (2.3 standard deviations)", "better, 2.3 σ"),
        (0.001, "par", "not distinguishable, 0.0010 ± 0.0030 (0.3 standard deviations)", "not distinguishable, 0.3 σ"),
        (
            -0.002,
            "par",
            "not distinguishable, −0.0020 ± 0.0030 (−0.7 standard deviations)",
            "not distinguishable, −0.7 σ",
        ),
        (-0.009, "worse", "CNN worse by 0.0090 ± 0.0030 (3.0 standard deviations)", "worse, −3.0 σ"),
        (NAN, "open", "too few events", "open"),
    ],
)
def test_the_verdict_follows_the_numbers(difference, state, words, label):
    (verdict,) = verdict_sentences(table_with(difference, 0.003), RANGE)
    assert verdict.state == state
    assert verdict.label == label
    assert words in text(verdict.text)
    assert "CNN 0.912 ±0.006 against forest 0.905 ±0.007" in text(verdict.text)


def test_energy_verdicts_name_bin_threshold_and_ratio(report_inputs):
    sentences = [text(v.text) for v in verdict_sentences(report_inputs.metrics, (62.0, 70.0))]
    (found,) = [s for s in sentences if "LUT over CNN" in s]
    assert "Energy resolution (half 68 %): CNN" in found
    assert "GeV (threshold" in found


def test_without_enough_events_the_energy_verdict_stays_open(report_inputs):
    rows = tuple(
        dataclasses.replace(r, value=NAN, low=NAN, high=NAN) if "ratio_mean" in r.metric else r
        for r in report_inputs.metrics.rows
    )
    metrics = MetricsTable(rows, report_inputs.metrics.settings)
    states = {v.state for v in verdict_sentences(metrics, RANGE) if "Energy" in v.text}
    assert states == {"open"}
