import math

import pytest

from magicnn.evaluation.comparison import Comparison
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable
from magicnn.evaluation.verdict import better_by, verdict_lines

NAN = math.nan


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Comparison(0.021, 0.017, 0.025, 0.004, 0.0), "CNN better by 0.021 ± 0.004 (5.2 standard deviations)"),
        (Comparison(-0.021, NAN, NAN, 0.004, 0.0), "CNN worse by 0.021 ± 0.004 (5.2 standard deviations)"),
        (Comparison(1.172, 1.15, 1.19, 0.021, 1.0), "CNN better by 17.2 ± 2.1 % (8.2 standard deviations)"),
        (Comparison(0.99, NAN, NAN, 0.021, 1.0), "not distinguishable, −1.0 ± 2.1 % (−0.5 standard deviations)"),
        (Comparison(NAN, NAN, NAN, NAN, 0.0), "too few events to tell"),
        (Comparison(1.0, 1.0, 1.0, 0.0, 1.0), "too few events to tell"),
    ],
)
def test_words_follow_the_numbers(found, words):
    assert better_by("CNN", found) == words


def test_a_line_for_every_comparison_that_says_something():
    def row(metric, value, energies=(NAN, NAN)):
        return MetricRow("CNN vs LUT", "energy", metric, 5.0, 35.0, *energies, 900, value, NAN, NAN)

    name, span = "resolution_half68_ratio_mean", (300.0, 3000.0)
    one = MetricsTable((row(name, 1.17, span), row(f"{name}_sigma", 0.02, span), row("auc_difference", NAN)))
    (line,) = verdict_lines(one)
    assert line.startswith("zenith 5 to 35 deg, energy resolution (half 68 %), CNN against LUT: CNN better by 17.0 ±")
