import numpy as np
import pytest
from scipy.stats import norm

from magicnn.evaluation.intervals import (
    CONFIDENCE,
    bootstrap_interval,
    effective_number,
    wilson_interval,
)


def test_wilson_equals_scipy():
    from scipy.stats import binomtest

    for passed, total in ((0, 7), (3, 7), (7, 7), (812, 1000)):
        expected = binomtest(passed, total).proportion_ci(CONFIDENCE, method="wilson")
        # scipy's own quantile of the normal is 1 to rounding
        assert wilson_interval(passed, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_is_nan():
    assert np.isnan(wilson_interval(0, 0)).all()


def test_wilson_covers():
    rng = np.random.default_rng(1)
    for lowest, highest in ((0.02, 0.2), (0.2, 0.8), (0.8, 0.98)):
        p = rng.uniform(lowest, highest, size=20_000)  # at one p the coverage of counts jumps about the nominal one
        low, high = wilson_interval(rng.binomial(200, p), 200)
        assert np.mean((low <= p) & (p <= high)) == pytest.approx(CONFIDENCE, abs=0.015)


def test_effective_number_is_kish_for_weights_and_showers_for_copies():
    rng = np.random.default_rng(2)
    passed, weights = rng.random(500) < 0.3, rng.exponential(size=500)
    assert effective_number(passed) == 500
    assert effective_number(passed, weights=weights) == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert effective_number(passed, shower_index=np.arange(500)) == pytest.approx(500)
    copies = np.repeat(passed, 5)
    assert effective_number(copies, shower_index=np.repeat(np.arange(500), 5)) == pytest.approx(500)
    none = np.zeros(20, dtype=bool)
    assert effective_number(none, shower_index=np.repeat(np.arange(5), 4)) == pytest.approx(5)
    assert effective_number(none[:0]) == 0


def test_wilson_with_effective_number_covers_for_re_used_showers():
    rng = np.random.default_rng(3)
    shower = np.repeat(np.arange(100), 5)
    inside = 0
    for _ in range(600):
        chance = rng.beta(1.0, 1.0, size=100)  # mean 0.5, strongly correlated within a shower
        passed = rng.random(500) < chance[shower]
        n = effective_number(passed, shower_index=shower)
        low, high = wilson_interval(passed.mean() * n, n)
        inside += low <= 0.5 <= high
    assert inside / 600 == pytest.approx(CONFIDENCE, abs=0.06)


def test_bootstrap_interval_of_a_uniform_grid_and_of_infinities():
    grid = np.arange(1001) / 1000
    for value in (0.5, np.nan):
        low, high = bootstrap_interval(value, grid)
        assert (low, high) == (pytest.approx(0.1587, abs=1e-3), pytest.approx(0.8413, abs=1e-3))
    low, high = bootstrap_interval(np.inf, np.r_[np.arange(60.0), np.full(40, np.inf)])
    assert low == pytest.approx(15, abs=1)
    assert np.isnan(high)
    assert np.isnan(bootstrap_interval([1.0], np.empty((0, 1)))).all()


def test_bootstrap_interval_takes_out_a_bias_but_no_other_quantity():
    """Replicates that lie above the value as the value does above the truth: the truth is as far below."""
    grid = norm.ppf((np.arange(4000) + 0.5) / 4000)
    sets = np.stack([grid, grid + 0.3, grid + 5.0, np.full(4000, 1.0)], axis=1)
    low, high = bootstrap_interval([0.0, 0.0, 0.0, 1.0], sets)
    np.testing.assert_allclose(low, [-1.0, -1.3, 3.0, 1.0], atol=0.01)
    np.testing.assert_allclose(high, [1.0, 0.7, 5.0, 1.0], atol=0.01)
    some = np.where(np.arange(4000)[:, None] % 3 == 0, np.nan, sets)
    np.testing.assert_allclose(bootstrap_interval([0.0, 0.0, 0.0, 1.0], some), (low, high), atol=0.02)
