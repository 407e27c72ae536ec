"""The classical methods on matrices: what they learn, weights, unknown features, limits, repetition."""

import logging

import numpy as np
import pytest

from magicnn.baselines.fitting import balanced_weights, fit_classifier, fit_regressor
from magicnn.baselines.learners import LEARNERS, ClassicalSettings
from magicnn.config import validate_settings
from magicnn.errors import ConfigError, InputError
from magicnn.evaluation.classification import roc_auc
from magicnn.splits import split_by_shower

CLASSIFIERS = [name for name, learner in LEARNERS.items() if learner.classifier]
REGRESSORS = [name for name, learner in LEARNERS.items() if learner.regressor]
SMALL = ClassicalSettings(n_trees=20, boosting_rounds=25, learning_rate=0.2, max_leaves=8, epochs=30, n_neighbours=20)


def two_kinds(n, seed, *, share=0.5):
    """Gaussian clouds one sigma apart in two of three features: the best AUC is Phi(1) = 0.841."""
    rng = np.random.default_rng(seed)
    is_gamma = rng.uniform(size=n) < share
    inputs = rng.normal(size=(n, 3)) + is_gamma[:, None] * np.array([1.0, 1.0, 0.0])
    return inputs * [1.0, 100.0, 1e-3], is_gamma


def line(n, seed, noise=0.1):
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(-1.0, 1.0, (n, 3))
    return inputs, 2.5 + inputs @ [0.4, -0.2, 0.0] + rng.normal(0.0, noise, n)


@pytest.fixture
def told(caplog):
    logger = logging.getLogger("magicnn.baselines.fitting")
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO, logger="magicnn.baselines.fitting"):
        yield caplog
    logger.removeHandler(caplog.handler)


@pytest.mark.parametrize("method", CLASSIFIERS)
def test_classifiers_come_close_to_the_best_possible(method):
    inputs, is_gamma = two_kinds(1500, 1)
    other, truth = two_kinds(3000, 2)
    gammaness = fit_classifier(method, inputs, is_gamma, SMALL, seed=1).predict(other)
    assert ((gammaness >= 0.0) & (gammaness <= 1.0)).all()
    assert 0.77 < roc_auc(gammaness[truth], gammaness[~truth]) < 0.87


@pytest.mark.parametrize("method", CLASSIFIERS)
def test_kinds_weigh_the_same_however_many_there_are(method):
    inputs, is_gamma = two_kinds(2500, 3, share=0.8)
    along = np.linspace(-1.0, 2.0, 200)  # a line on which both kinds are as likely
    middle = np.stack([along, 100.0 * (1.0 - along), 0.0 * along], axis=1)
    gammaness = fit_classifier(method, inputs, is_gamma, SMALL, seed=1).predict(middle)
    assert 0.35 < gammaness.mean() < 0.65


@pytest.mark.parametrize("method", REGRESSORS)
def test_regressors_learn_a_line_and_know_their_error(method):
    inputs, target = line(2500, 1)
    other, truth = line(2000, 2)
    value, uncertainty = fit_regressor(method, inputs, target, SMALL, seed=1).predict(other)
    error = value - truth
    assert error.std() < 0.16
    assert abs(error.mean()) < 0.02
    assert 0.60 < np.mean(np.abs(error) < uncertainty) < 0.76


def test_a_linear_law_is_found_exactly_by_the_linear_methods():
    inputs, target = line(500, 4, noise=0.0)
    for method in ("linear_regression", "polynomial_regression"):
        value, _ = fit_regressor(method, inputs, target, seed=1).predict(inputs[:100])
        # values in the outermost 0.1 % are drawn in
        np.testing.assert_allclose(value, target[:100], atol=0.01)


def test_a_curve_needs_the_polynomial():
    rng = np.random.default_rng(5)
    inputs = rng.uniform(-1.0, 1.0, (800, 2))
    target = inputs[:, 0] ** 2 + inputs[:, 0] * inputs[:, 1]
    missed = {}
    for method in ("linear_regression", "polynomial_regression"):
        value, _ = fit_regressor(method, inputs, target, seed=1).predict(inputs)
        missed[method] = np.std(value - target)
    assert missed["polynomial_regression"] < 0.02 < 0.3 < missed["linear_regression"]


@pytest.mark.parametrize("method", CLASSIFIERS)
def test_same_seed_same_classifier(method):
    inputs, is_gamma = two_kinds(400, 6)
    settings = SMALL.model_copy(update={"svm_events": 300, "max_events": 300})
    first, second = (fit_classifier(method, inputs, is_gamma, settings, seed=7).predict(inputs) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("method", [*CLASSIFIERS, *REGRESSORS[-2:]])
def test_unknown_and_wild_features_give_finite_answers(method):
    inputs, is_gamma = two_kinds(600, 8)
    inputs[::7, 0] = np.nan
    wild = np.array([[np.nan, np.nan, np.nan], [1e9, -1e9, 1e9], [np.nan, 0.0, 1e30]])
    if method in CLASSIFIERS:
        said = fit_classifier(method, inputs, is_gamma, SMALL, seed=1).predict(wild)
    else:
        said = fit_regressor(method, inputs, is_gamma.astype(float), SMALL, seed=1).predict(wild)[0]
    assert np.isfinite(said).all()


@pytest.mark.parametrize("method", ["naive_bayes", "decision_tree", "boosted_trees", "logistic_regression", "svm"])
def test_weights_are_honoured(method):
    """Gammas at two places, of which one weighs nothing: what is there looks like hadrons."""
    rng = np.random.default_rng(9)
    gammas = np.repeat([[2.0, 0.0], [0.0, 2.0]], 300, axis=0) + rng.normal(0.0, 0.5, (600, 2))
    hadrons = rng.normal(0.0, 1.5, (600, 2))
    inputs, is_gamma = np.concatenate([gammas, hadrons]), np.repeat([True, False], 600)
    weights = np.where(is_gamma & (inputs[:, 1] > inputs[:, 0]), 1e-3, 1.0)
    alike, weighted = (
        fit_classifier(method, inputs, is_gamma, SMALL, seed=1, weights=w).predict([[0.0, 2.0]])[0]
        for w in (None, weights)
    )
    assert weighted < 0.3 < 0.5 < alike


def test_what_cannot_weigh_says_so(told):
    inputs, is_gamma = two_kinds(200, 10)
    fit_classifier("nearest_neighbours", inputs, is_gamma, seed=1)
    assert "cannot weigh" not in told.text
    fit_classifier("nearest_neighbours", inputs, is_gamma, seed=1, weights=np.linspace(1.0, 2.0, 200))
    assert "nearest_neighbours cannot weigh its training events" in told.text


def test_large_samples_are_thinned_out_and_it_is_told(told):
    inputs, is_gamma = two_kinds(500, 11)
    fitted = fit_classifier("svm", inputs, is_gamma, SMALL.model_copy(update={"svm_events": 100}), seed=1)
    assert fitted.n_events == 100
    assert "trained on 100 of 500 events (svm_events)" in told.text


def test_all_uses_of_a_shower_are_held_out_together():
    """Targets that only the shower decides: who sees other uses of a shower would think itself exact."""
    rng = np.random.default_rng(12)
    shower = np.repeat(np.arange(200), 10)
    inputs = rng.normal(size=(200, 3))[shower] + rng.normal(0.0, 0.01, (2000, 3))
    target = rng.normal(size=200)[shower]
    blind = fit_regressor("nearest_neighbours", inputs, target, ClassicalSettings(n_neighbours=5), seed=1)
    honest = fit_regressor(
        "nearest_neighbours", inputs, target, ClassicalSettings(n_neighbours=5), seed=1, showers=shower
    )
    assert blind.predict(inputs)[1].max() < 0.1
    assert honest.predict(inputs)[1].mean() > 0.5


def test_a_sample_split_with_the_same_seed_before_has_showers_to_hold_out():
    inputs, target = line(600, 14)
    part = split_by_shower(np.arange(600), (0.5, 0.5), seed=1) == 0
    fitted = fit_regressor("linear_regression", inputs[part], target[part], seed=1, showers=np.arange(600)[part])
    assert fitted.spread.mean() == pytest.approx(0.1, abs=0.03)


def test_balanced_weights():
    is_gamma = np.array([True, False, False, False])
    weights = balanced_weights(is_gamma, np.array([2.0, 1.0, 2.0, 3.0]))
    assert weights[is_gamma].sum() == pytest.approx(2.0)
    np.testing.assert_allclose(weights[1:], np.array([1.0, 2.0, 3.0]) / 3.0)


def test_mistakes_are_told():
    inputs, is_gamma = two_kinds(100, 13)
    with pytest.raises(ConfigError, match="no classifier 'boosted_tree'; did you mean 'boosted_trees'"):
        fit_classifier("boosted_tree", inputs, is_gamma, seed=1)
    with pytest.raises(ConfigError, match="no regressor 'svm'; known: boosted_trees, decision_tree, linear_regression"):
        fit_regressor("svm", inputs, is_gamma, seed=1)
    with pytest.raises(InputError, match="svm: 100 gammas and 0 hadrons to train on"):
        fit_classifier("svm", inputs, np.ones(100, dtype=bool), seed=1)
    with pytest.raises(InputError, match="5 events to train on"):
        fit_regressor("decision_tree", inputs[:5], is_gamma[:5], seed=1)
    with pytest.raises(InputError, match=r"\(100, 3\), targets \(99,\)"):
        fit_classifier("svm", inputs, is_gamma[:99], seed=1)
    with pytest.raises(InputError, match="feature 1 of 3 is unknown for all 100 training events"):
        fit_classifier("svm", inputs * [1.0, np.nan, 1.0], is_gamma, seed=1)
    with pytest.raises(InputError, match="too few showers"):
        fit_regressor("decision_tree", inputs, is_gamma, seed=1, showers=np.zeros(100, dtype=int))
    for methods, message in [(["svm", "svm"], "names a method twice"), (["swm"], "did you mean 'svm'")]:
        with pytest.raises(ConfigError, match=message):
            validate_settings(ClassicalSettings, {"methods": methods}, where="settings")
