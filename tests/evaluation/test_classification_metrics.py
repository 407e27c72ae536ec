import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from magicnn.evaluation import classification
from magicnn.evaluation.classification import (
    Labelled,
    RateSample,
    classification_metrics,
    classify,
    no_background_limit,
    roc_auc,
    roc_band,
)
from magicnn.evaluation.resampling import Resampled, ShowerBootstrap

EFFICIENCIES = (0.5, 0.9)


def labelled(gammaness, fold=None, weight=None, rate_hz=None):
    values = np.asarray(gammaness, float)
    fold = np.arange(len(values)) % 2 if fold is None else fold
    return Labelled(values, fold, np.ones(len(values)) if weight is None else weight, rate_hz)


def said(gamma, proton, source=None, sets=None, min_background=10):
    samples = [gamma, proton] if source is None else [gamma, proton, source]
    sets = sets or [Resampled.whole(len(s.gammaness)) for s in samples]
    return classify(gamma, proton, sets, EFFICIENCIES, min_background=min_background, source=source)


def measured(gamma, proton, source=None, min_background=10, **of_protons):
    value, _ = said(labelled(gamma), labelled(proton, **of_protons), source, min_background=min_background)
    return dict(zip(classification_metrics(EFFICIENCIES), value, strict=True))


def probability(x):
    return 1.0 / (1.0 + np.exp(-x))


def test_binormal_auc_and_efficiencies():
    from scipy.stats import norm

    rng = np.random.default_rng(1)
    d = 1.7
    found = measured(probability(rng.normal(d, 1, 100_000)), probability(rng.normal(0, 1, 100_000)))
    assert found["auc"] == pytest.approx(norm.cdf(d / np.sqrt(2)), abs=3e-3)
    for efficiency, name in zip(EFFICIENCIES, ("g50", "g90"), strict=True):
        cut = d + norm.ppf(1 - efficiency)
        assert found[f"gamma_efficiency_{name}"] == pytest.approx(efficiency, abs=5e-3)
        assert found[f"hadron_efficiency_{name}"] == pytest.approx(norm.sf(cut), rel=0.05)
        assert found[f"gammaness_cut_{name}"] == pytest.approx(probability(cut), abs=5e-3)
        assert found[f"q_{name}"] == pytest.approx(efficiency / np.sqrt(norm.sf(cut)), rel=0.03)
    assert found["gamma_efficiency_c50"] == pytest.approx(norm.cdf(d), abs=5e-3)
    assert found["hadron_efficiency_c50"] == pytest.approx(0.5, abs=5e-3)
    assert found["q_qmax"] >= 0.98 * max(found["q_g50"], found["q_g90"])


def test_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    # 150 trees: few distinct values, many ties
    gamma, proton = rng.binomial(150, 0.7, 800) / 150, rng.binomial(150, 0.6, 500) / 150
    truth, score = np.repeat([1, 0], [800, 500]), np.concatenate([gamma, proton])
    found = measured(gamma, proton)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(truth, score), abs=1e-12)
    assert roc_auc(gamma, proton) == found["auc"]
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, score), rel=1e-9)
    assert found["f1"] == pytest.approx(metrics.f1_score(truth, score > 0.5), rel=1e-9)
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(truth, score), rel=1e-9)
    place = np.minimum(np.floor(score * 10 + 1e-9), 9)
    gaps = [abs(np.sum(truth[place == k] - score[place == k])) for k in range(10)]
    assert found["ece"] == pytest.approx(np.sum(gaps) / len(score), rel=1e-9)


def test_resampling_gives_what_written_out_events_give():
    rng = np.random.default_rng(3)
    gamma, proton = rng.beta(4, 2, 60), rng.beta(2, 4, 50)
    fold_g, fold_p = np.arange(60) % 2, np.arange(50) % 2
    wg, wp = rng.integers(0, 3, (4, 60)), rng.integers(0, 3, (4, 50))
    sets = [Resampled(np.arange(w.shape[1]), w.T.astype(np.uint8)) for w in (wg, wp)]
    _, together = said(labelled(gamma, fold_g), labelled(proton, fold_p), sets=sets, min_background=3)
    for row, a, b in zip(together, wg, wp, strict=True):
        g, p, fg, fp = np.repeat(gamma, a), np.repeat(proton, b), np.repeat(fold_g, a), np.repeat(fold_p, b)
        alone, _ = said(labelled(g, fg), labelled(p, fp), min_background=3)
        np.testing.assert_allclose(row, alone, rtol=1e-12)


def test_many_distinct_values_change_the_replicates_by_little(monkeypatch):
    rng = np.random.default_rng(8)
    gamma, proton = labelled(rng.beta(4, 2, 6000)), labelled(rng.beta(2, 4, 5000))
    sets = [ShowerBootstrap.draw(np.arange(n), 40, np.random.SeedSequence(n)).sets(np.arange(n)) for n in (6000, 5000)]
    value, thinned = said(gamma, proton, sets=sets)
    monkeypatch.setattr(classification, "_MOST_LEVELS", 100_000)
    same, exact = said(gamma, proton, sets=sets)
    np.testing.assert_array_equal(value, same)
    names = classification_metrics(EFFICIENCIES)
    for k, name in enumerate(names):
        if np.isfinite(value[k]) and not name.endswith("qmax"):  # the place of the maximum jumps
            assert np.std(thinned[:, k] - exact[:, k]) <= 0.3 * exact[:, k].std() + 1e-12, name
            assert np.mean(thinned[:, k]) == pytest.approx(np.mean(exact[:, k]), abs=0.1 * exact[:, k].std() + 1e-12)


def test_cut_of_one_half_is_found_with_the_other():
    # first half's gammas at 0.9, second half's at 0.6: each half is cut where the other half says
    gamma = np.where(np.arange(100) % 2 == 0, 0.9, 0.6)
    found = measured(gamma, np.full(20, 0.7))
    assert found["gamma_efficiency_g50"] == 0.5  # 0.9 passes the cut at 0.6, 0.6 fails the one at 0.9
    assert found["hadron_efficiency_g50"] == 0.5
    assert found["gammaness_cut_g50"] == pytest.approx(0.75)


def test_largest_q_leaves_enough_background():
    rng = np.random.default_rng(4)
    gamma, proton = rng.beta(8, 2, 2000), rng.beta(2, 8, 2000)
    for least in (10, 100):
        found = measured(gamma, proton, min_background=least)
        assert found["hadron_efficiency_qmax"] * 1000 >= 0.5 * least
    assert np.isnan(measured(gamma, proton[:10])["q_qmax"])


def test_a_missing_class_gives_nan_and_the_other_its_efficiency():
    only_gammas, only_protons = measured(np.linspace(0, 1, 20), []), measured([], np.linspace(0, 1, 20))
    nothing = measured([], [])
    for found in (only_gammas, only_protons, nothing):
        for name in ("auc", "log_loss", "f1", "q_g50", "purity_g50", "q_qmax"):
            assert np.isnan(found[name])
    assert only_gammas["gamma_efficiency_g50"] == pytest.approx(0.5, abs=0.1)
    assert np.isnan(only_gammas["hadron_efficiency_g50"])
    assert only_protons["hadron_efficiency_c50"] == 0.5


def test_purity_is_the_ratio_of_weighted_rates():
    rng = np.random.default_rng(5)
    gamma, proton, ring = rng.beta(4, 2, 4000), rng.beta(2, 4, 4000), rng.beta(4, 2, 3000)
    rate_g, rate_p = rng.exponential(2e-6, 3000), np.where(rng.random(4000) < 0.5, rng.exponential(1e-6, 4000), 0.0)
    found = measured(gamma, proton, RateSample(ring, rate_g), rate_hz=rate_p)
    cut = np.quantile(gamma, 0.5)
    expected_g, expected_p = 60 * rate_g[ring >= cut].sum(), 60 * rate_p[proton >= cut].sum()
    assert found["gamma_rate_per_min_g50"] == pytest.approx(expected_g, rel=0.02)
    assert found["hadron_rate_per_min_g50"] == pytest.approx(expected_p, rel=0.05)
    assert found["purity_g50"] == pytest.approx(expected_g / (expected_g + expected_p), rel=0.02)


def test_purity_without_background_left_is_not_a_number():
    gamma, proton = np.full(40, 0.9), np.full(40, 0.1)
    found = measured(gamma, proton, RateSample(gamma, np.ones(40)), rate_hz=np.ones(40))
    assert np.isnan(found["purity_g50"])
    assert found["hadron_rate_per_min_g50"] == 0.0
    assert no_background_limit(np.array([2.0, 2.0, 0.0])) == pytest.approx(1.841 * 2)


@settings(max_examples=50, deadline=None)
@given(
    gamma=hnp.arrays(np.float64, st.integers(1, 15), elements=st.integers(0, 8).map(lambda k: k / 8)),
    proton=hnp.arrays(np.float64, st.integers(1, 15), elements=st.integers(0, 8).map(lambda k: k / 8)),
)
def test_auc_is_the_share_of_pairs_and_does_not_care_about_monotone_maps(gamma, proton):
    pairs = np.mean((gamma[:, None] > proton) + 0.5 * (gamma[:, None] == proton))
    assert roc_auc(gamma, proton) == pytest.approx(pairs)
    assert roc_auc(gamma**3, proton**3) == pytest.approx(pairs)
    assert roc_auc(1 - gamma, 1 - proton) == pytest.approx(1 - pairs)


def test_roc_band_follows_the_curve_and_encloses_it():
    rng = np.random.default_rng(6)
    gamma, proton = rng.normal(1.5, 1, 4000), rng.normal(0, 1, 4000)
    from scipy.stats import norm

    at = np.array([0.01, 0.1, 0.5, 1.0])
    showers = np.arange(4000)
    samplers = [ShowerBootstrap.draw(showers, 100, np.random.SeedSequence(k)).sets(showers) for k in (1, 2)]
    value, low, high = roc_band(gamma, proton, *samplers, at)
    np.testing.assert_allclose(value[:3], norm.sf(norm.isf(at[:3]) - 1.5), atol=0.04)
    assert value[3] == 1.0
    assert (low <= value).all()
    assert (value <= high).all()


scores = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), min_size=4, max_size=30)


@settings(deadline=None)
@given(gamma=scores, proton=scores)
def test_an_event_of_weight_n_counts_as_n_events(gamma, proton):
    """But for the cut of the largest Q, which wants a number of protons whatever their weights."""
    (g, wg), (p, wp) = (np.array(side).T for side in (gamma, proton))

    fold_g, fold_p = np.arange(len(g)) % 2, np.arange(len(p)) % 2
    weighted, _ = said(
        labelled(g / 12, fold_g, wg.astype(float)), labelled(p / 12, fold_p, wp.astype(float)), min_background=1
    )
    (g, fold_g), (p, fold_p) = ((np.repeat(v, w), np.repeat(f, w)) for v, f, w in ((g, fold_g, wg), (p, fold_p, wp)))
    repeated, _ = said(labelled(g / 12, fold_g), labelled(p / 12, fold_p), min_background=1)
    assert weighted == pytest.approx(repeated, nan_ok=True)


def test_protons_of_weight_nothing_count_for_rates_only():
    rng = np.random.default_rng(4)
    gamma, proton = rng.beta(3, 1, 400), rng.beta(1, 3, 300)
    matched = rng.random(300) < 0.7
    source, rate = RateSample(gamma, np.full(400, 0.1)), np.full(300, 0.2)
    weight = matched.astype(float)
    some = measured(gamma, proton, source, weight=weight, rate_hz=rate)
    only = measured(gamma, proton, source, weight=weight, rate_hz=np.where(matched, rate, 0.0))
    assert some["auc"] == only["auc"] != measured(gamma, proton)["auc"]
    assert some["hadron_efficiency_g50"] == only["hadron_efficiency_g50"]
    assert some["hadron_rate_per_min_g50"] > only["hadron_rate_per_min_g50"]


def test_roc_band_knows_weights():
    rng = np.random.default_rng(6)
    gamma, proton, weight = rng.beta(3, 1, 200), rng.beta(1, 3, 150), rng.integers(1, 4, 150)
    at = np.geomspace(0.02, 1.0, 20)

    def band(p, **weights):
        samplers = [
            ShowerBootstrap.draw(np.arange(len(v)), 20, np.random.SeedSequence(1)).sets(np.arange(len(v)))
            for v in (gamma, p)
        ]
        return roc_band(gamma, p, *samplers, at, **weights)[0]

    assert band(proton, proton_weight=weight) == pytest.approx(band(np.repeat(proton, weight)))
