import numpy as np
import pytest

from magicnn.evaluation.classification import Labelled, classify
from magicnn.evaluation.comparison import compare, geometric_mean
from magicnn.evaluation.energy import energy_statistic
from magicnn.evaluation.resampling import ShowerBootstrap, resample


def test_paired_auc_difference_is_sharper_than_two_separate_ones():
    rng = np.random.default_rng(1)
    common = rng.normal(size=2000)
    gamma_a, gamma_b = (1.0 + common[:1000] + 0.1 * rng.normal(size=1000) for _ in range(2))
    proton_a, proton_b = (common[1000:] + 0.1 * rng.normal(size=1000) for _ in range(2))
    showers = np.arange(1000)
    sets = [ShowerBootstrap.draw(showers, 200, np.random.SeedSequence(k)).sets(showers) for k in (1, 2)]
    (a, ra), (b, rb) = (
        classify(*(Labelled(v, showers % 2, np.ones(1000)) for v in (g, p)), sets, ())
        for g, p in ((gamma_a, proton_a), (gamma_b, proton_b))
    )
    found = compare(a[0], b[0], ra[:, 0], rb[:, 0], how="difference")
    assert found.value == pytest.approx(a[0] - b[0])
    assert found.low < found.value < found.high
    assert found.sigma < 0.4 * np.hypot(ra[:, 0].std(), rb[:, 0].std())
    assert abs(found.significance) < 4
    assert found.is_not_worse == (found.value >= -found.sigma)


def test_ratio_of_resolutions_is_that_of_the_widths():
    rng = np.random.default_rng(2)
    narrow, wide = rng.normal(0, 0.1, 3000), rng.normal(0, 0.15, 3000)
    sets = ShowerBootstrap.draw(np.arange(3000), 200, np.random.SeedSequence(3)).sets(np.arange(3000))
    (a, ra), (b, rb) = (resample(energy_statistic(e), sets) for e in (wide, narrow))
    found = compare(a[1], b[1], ra[:, 1], rb[:, 1], how="ratio")
    assert found.value == pytest.approx(1.5, rel=0.08)
    assert found.parity == 1.0
    assert found.significance > 5
    # widths of independent Gaussians: relative variance 2 x about 1/n x 1.1 for quantiles
    assert found.sigma == pytest.approx(1.5 * np.sqrt(2 * 1.08 / 3000), rel=0.4)


def test_geometric_mean_of_bins():
    ratios = [2.0, 0.5, 1.0]
    replicates = np.exp(np.random.default_rng(4).normal(0, 0.1, (500, 3))) * ratios
    found = geometric_mean(ratios, replicates)
    assert found.value == pytest.approx(1.0)
    assert found.sigma == pytest.approx(0.1 / np.sqrt(3), rel=0.15)
    assert found.is_not_worse
    empty = geometric_mean([], np.empty((0, 0)))
    assert np.isnan(empty.value)
    assert not empty.is_not_worse


def test_missing_values_stay_missing():
    found = compare(np.nan, 1.0, np.full(50, np.nan), np.ones(50), how="difference")
    assert np.isnan([found.value, found.low, found.sigma, found.significance]).all()
    assert not found.is_not_worse
