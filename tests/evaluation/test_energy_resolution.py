import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicnn.evaluation.binning import ENERGY_EDGES_GEV, in_range, ranges
from magicnn.evaluation.energy import ENERGY_METRICS, energy_errors, energy_statistic, threshold_statistic
from magicnn.evaluation.intervals import CONFIDENCE
from magicnn.evaluation.resampling import Resampled, ShowerBootstrap, resample


def measured(errors):
    row = energy_statistic(errors)(Resampled.whole(len(errors)))[0]
    return dict(zip(ENERGY_METRICS, row, strict=True))


def test_gaussian_errors_give_their_bias_and_width_in_every_definition():
    errors = np.random.default_rng(1).normal(0.05, 0.16, size=200_000)
    found = measured(errors)
    for name in ("bias_median", "bias_mean", "bias_gauss"):
        assert found[name] == pytest.approx(0.05, abs=2e-3)
    for name in ("resolution_half68", "resolution_rms", "resolution_gauss"):
        assert found[name] == pytest.approx(0.16, rel=1e-2)
    assert found["outlier_fraction"] == pytest.approx(0.0027, abs=6e-4)  # beyond three standard deviations


def test_tails_widen_the_rms_but_hardly_the_core():
    rng = np.random.default_rng(2)
    errors = np.where(rng.random(100_000) < 0.05, rng.normal(0.0, 0.8, 100_000), rng.normal(0.0, 0.15, 100_000))
    found = measured(errors)
    assert found["resolution_gauss"] == pytest.approx(0.155, abs=0.01)
    assert found["resolution_rms"] == pytest.approx(np.sqrt(0.95 * 0.15**2 + 0.05 * 0.8**2), rel=0.03)
    assert found["resolution_gauss"] < found["resolution_half68"] < found["resolution_rms"]


def test_median_and_half68_agree_with_pyirf():
    pytest.importorskip("pyirf")
    import astropy.units as u
    from astropy.table import QTable
    from pyirf.benchmarks import energy_bias_resolution

    rng = np.random.default_rng(3)
    true = 10 ** rng.uniform(1.5, 4.4, size=5000)  # reaches beyond the bins on both sides
    reco = true * rng.normal(1.02, 0.2, size=5000)
    table = energy_bias_resolution(
        QTable({"true_energy": true * u.GeV, "reco_energy": reco * u.GeV}), np.array(ENERGY_EDGES_GEV) * u.GeV
    )
    for bin_gev, row in zip(ranges(ENERGY_EDGES_GEV), table, strict=True):
        inside = in_range(true, bin_gev)
        found = measured(energy_errors(reco[inside], true[inside]))
        assert inside.sum() == row["n_events"]
        assert found["bias_median"] == pytest.approx(row["bias"], rel=1e-6)
        assert found["resolution_half68"] == pytest.approx(row["resolution"], rel=1e-6)


def test_nothing_and_one_event():
    assert np.isnan(list(measured(np.empty(0)).values())).all()
    one = measured(np.array([0.3]))
    assert (one["bias_median"], one["resolution_half68"], one["resolution_rms"]) == (0.3, 0.0, 0.0)
    assert np.isnan(one["resolution_gauss"])


def test_bootstrap_of_the_fit_scatters_as_the_theory_says():
    errors = np.random.default_rng(4).normal(0.0, 0.2, size=2000)
    drawn = ShowerBootstrap.draw(np.arange(2000), 300, np.random.SeedSequence(1)).sets(np.arange(2000))
    _, sets = resample(energy_statistic(errors), drawn)
    scatter = dict(zip(ENERGY_METRICS, sets.std(axis=0), strict=True))
    assert scatter["bias_mean"] == pytest.approx(0.2 / np.sqrt(2000), rel=0.15)
    assert scatter["resolution_rms"] == pytest.approx(0.2 / np.sqrt(4000), rel=0.15)
    # a fit to +-2 sigma knows less about the width than all events do, but of the same order
    assert scatter["resolution_rms"] < scatter["resolution_gauss"] < 3.0 * scatter["resolution_rms"]


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-0.5, 0.5), scale=st.floats(0.2, 5.0), seed=st.integers(0, 1000))
def test_every_definition_follows_a_shift_and_a_scale(shift, scale, seed):
    errors = np.random.default_rng(seed).normal(size=300)
    before, after = measured(errors), measured(shift + scale * errors)
    for name, value in before.items():
        expected = shift + scale * value if name.startswith("bias") else scale * value
        if name == "outlier_fraction":
            expected = value
        if name == "resolution_abs68":  # of the error itself, bias and all
            expected = np.quantile(np.abs(shift + scale * errors), CONFIDENCE)
        assert after[name] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_an_event_of_weight_n_counts_as_n_events():
    rng = np.random.default_rng(6)
    errors, weights = rng.normal(0.1, 0.2, 400), rng.integers(1, 4, 400)
    whole = Resampled.whole(400)
    weighted = dict(zip(ENERGY_METRICS, energy_statistic(errors, weights.astype(float))(whole)[0], strict=True))
    for name, value in measured(np.repeat(errors, weights)).items():
        assert weighted[name] == pytest.approx(value, rel=1e-5 if "gauss" in name else 1e-9)


def test_threshold_is_the_peak_of_a_log_normal():
    rng = np.random.default_rng(5)
    log_energy = rng.normal(np.log10(120.0), 0.3, size=100_000)
    # per linear interval the peak of a log-normal lies at its median times exp(-variance)
    statistic = threshold_statistic(10**log_energy, 10**log_energy)
    assert statistic(Resampled.whole(100_000))[0, 0] == pytest.approx(120.0, rel=0.03)
    statistic = threshold_statistic(10**log_energy, np.ones(100_000))
    moved = 120.0 * np.exp(-((0.3 * np.log(10)) ** 2))
    assert statistic(Resampled.whole(100_000))[0, 0] == pytest.approx(moved, rel=0.05)


def test_threshold_needs_events():
    assert np.isnan(threshold_statistic(np.full(5, 100.0), np.ones(5))(Resampled.whole(5))[0, 0])
    assert np.isnan(threshold_statistic(np.empty(0), np.empty(0))(Resampled.whole(0))[0, 0])
