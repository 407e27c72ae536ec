"""The 68 % intervals hold the truth in 68 % of repeated experiments."""

import numpy as np
import pytest
from scipy.stats import norm

from magicnn.evaluation.classification import Labelled, classification_metrics, classify
from magicnn.evaluation.comparison import compare
from magicnn.evaluation.direction import CONTAINMENT, direction_statistic
from magicnn.evaluation.energy import ENERGY_METRICS, energy_statistic
from magicnn.evaluation.intervals import bootstrap_interval, effective_number, wilson_interval
from magicnn.evaluation.resampling import ShowerBootstrap, resample

pytestmark = pytest.mark.slow

N_EXPERIMENTS = 1500  # the share of intervals that hold is known to 1.2 %
N_REPLICATES = 300
WITHIN = (0.64, 0.72)
SHOWERS, REUSE = 200, 3
SHOWER = np.repeat(np.arange(SHOWERS), REUSE)


def drawn(shower, experiment, sample=0):
    return ShowerBootstrap.draw(shower, N_REPLICATES, np.random.SeedSequence([experiment, sample])).sets(shower)


def by_shower(rng, n_showers=SHOWERS, correlation=0.4):
    """Standard normal numbers, correlated among the events of a shower."""
    common = np.repeat(rng.normal(size=n_showers), REUSE)
    return np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * rng.normal(size=len(common))


def check(names, truth, intervals):
    """Compare how often the intervals [experiments, 2, K] hold the truth with 68 %."""
    low, high = np.moveaxis(np.array(intervals), 1, 0)
    for k, name in enumerate(names):
        if name in truth:
            share = np.mean((low[:, k] <= truth[name]) & (truth[name] <= high[:, k]))
            assert WITHIN[0] <= share <= WITHIN[1], f"{name}: {share:.3f}"


def test_energy():
    truth = {"bias_median": 0.05, "bias_mean": 0.05, "bias_gauss": 0.05}
    truth |= {"resolution_half68": 0.2, "resolution_rms": 0.2, "resolution_gauss": 0.2}
    found = []
    for k in range(N_EXPERIMENTS):
        errors = 0.05 + 0.2 * by_shower(np.random.default_rng([1, k]))
        found.append(bootstrap_interval(*resample(energy_statistic(errors), drawn(SHOWER, k))))
    check(ENERGY_METRICS, truth, found)


def test_direction():
    truth = {name: 0.06 * np.sqrt(-2.0 * np.log1p(-share)) for name, share in CONTAINMENT.items()}
    found = []
    for k in range(N_EXPERIMENTS):
        rng = np.random.default_rng([2, k])
        theta2 = (0.06 * by_shower(rng)) ** 2 + (0.06 * by_shower(rng)) ** 2
        found.append(bootstrap_interval(*resample(direction_statistic(theta2), drawn(SHOWER, k))))
    check(CONTAINMENT, truth, found)


def separated(rng, distance, common=None):
    """Gammaness of both classes, from normal numbers that lie apart by a distance."""
    classes = []
    for shift in (0.5 * distance, -0.5 * distance):
        score = by_shower(rng) + shift
        classes.append(Labelled(norm.cdf(score), SHOWER % 2, np.ones(len(score))))
    return classes


def test_classification():
    distance = 1.5
    cut = 0.5 * distance - norm.ppf(0.7)
    hadrons = norm.sf(cut + 0.5 * distance)
    truth = {
        "auc": norm.cdf(distance / np.sqrt(2.0)),
        "gammaness_cut_g70": norm.cdf(cut),
        "q_g70": 0.7 / np.sqrt(hadrons),
        "brier": brier(distance),
    }
    found, wilson = [], []
    for k in range(N_EXPERIMENTS):
        gamma, proton = separated(np.random.default_rng([3, k]), distance)
        value, sets = classify(gamma, proton, [drawn(SHOWER, k), drawn(SHOWER, k, 1)], (0.7,), min_background=None)
        found.append(bootstrap_interval(value, sets))
        passed = gamma.gammaness > 0.5
        n = effective_number(passed, shower_index=SHOWER)
        wilson.append(np.reshape(wilson_interval(passed.mean() * n, n), (2, 1)))
    check(classification_metrics((0.7,), with_largest_q=False), truth, found)
    check(["gamma_efficiency_c50"], {"gamma_efficiency_c50": norm.cdf(0.5 * distance)}, wilson)


def brier(distance):
    """Mean of (1 - gammaness)^2 over gammas; the protons' is the same by symmetry."""
    x = np.linspace(-8.0, 8.0, 4001)
    return np.trapezoid((1.0 - norm.cdf(x + 0.5 * distance)) ** 2 * norm.pdf(x), x)


def test_paired_comparison():
    found = []
    for k in range(N_EXPERIMENTS):
        rng = np.random.default_rng([4, k])
        common, sets = by_shower(rng), drawn(SHOWER, k)
        own = (0.8 * common + 0.6 * by_shower(rng) for _ in range(2))
        (a, ra), (b, rb) = (
            resample(energy_statistic(width * e), sets) for width, e in zip((0.2, 0.15), own, strict=True)
        )
        ratio = compare(a[1], b[1], ra[:, 1], rb[:, 1], how="ratio")
        found.append(((ratio.low,), (ratio.high,)))
    check(["ratio"], {"ratio": 0.2 / 0.15}, found)
