"""Fits the classical methods to plain matrices of features, and applies them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.baselines.learners import FEWEST_EVENTS, LEARNERS, Builder, ClassicalSettings, Learner
from magicnn.errors import ConfigError, InputError, nearest_names
from magicnn.runs import seed_sequence
from magicnn.splits import split_by_shower

__all__ = [
    "DEFAULT_SETTINGS",
    "FittedClassifier",
    "FittedRegressor",
    "balanced_weights",
    "fit_classifier",
    "fit_regressor",
]

_LOG = logging.getLogger(__name__)

Floats = NDArray[np.float64]

_TAIL = 0.001  # share of the training events on each side whose values are drawn in before scaling
_ROWS = 100_000  # of one call: polynomials of many features fill memory
_HELD_OUT = 0.2
_WITHIN_ONE_SIGMA = 0.6827

DEFAULT_SETTINGS = ClassicalSettings()
"""No method by default; each with the settings that the public benchmarks are made with."""


@dataclass(frozen=True, eq=False)
class _Scaling:
    """Standardises features: unknown ones become the median, tails are drawn in; None leaves features as they are."""

    middle: Floats
    low: Floats
    high: Floats
    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, inputs: Floats) -> _Scaling:
        low, middle, high = np.nanquantile(inputs, [_TAIL, 0.5, 1.0 - _TAIL], axis=0)
        drawn_in = np.clip(np.where(np.isfinite(inputs), inputs, middle), low, high)
        spread = drawn_in.std(axis=0)
        return cls(middle, low, high, drawn_in.mean(axis=0), np.where(spread > 0.0, spread, 1.0))

    def __call__(self, inputs: Floats) -> Floats:
        known = np.where(np.isfinite(inputs), inputs, self.middle)
        scaled: Floats = (np.clip(known, self.low, self.high) - self.mean) / self.spread
        return scaled


@dataclass(frozen=True, eq=False)
class FittedClassifier:
    """A trained classifier.

    Attributes
    ----------
    method : str
        Name in `LEARNERS`.
    n_events : int
        Training events used.
    estimator : object
        scikit-learn classifier; class 1 is gamma.
    scaling : object or None
        Applied to the features before.
    odds : float
        Corrects the odds of a method that could not weigh the classes alike; 1 for the others.
    """

    method: str
    n_events: int
    estimator: Any
    scaling: _Scaling | None
    odds: float = 1.0

    def predict(self, inputs: ArrayLike) -> Floats:
        """Estimate how gamma-like events are.

        Parameters
        ----------
        inputs : array_like, [N, F]
            Features; NaN is unknown.

        Returns
        -------
        float64 array, [N]
            0 hadron-like to 1 gamma-like.
        """
        share = _in_parts(lambda x: self.estimator.predict_proba(x)[:, 1], self.scaling, inputs)
        return self.odds * share / (self.odds * share + (1.0 - share))


@dataclass(frozen=True, eq=False)
class FittedRegressor:
    """A trained regressor.

    Attributes
    ----------
    method, n_events, estimator, scaling
        As of `FittedClassifier`.
    offset, scale : float
        Of the target, which the estimator knows standardised.
    knots, spread : float64 array, [K]
        Spread of the target about the prediction (68.27 % are closer), against the prediction; from a fifth of the
        showers with an estimator that had not seen them.
    """

    method: str
    n_events: int
    estimator: Any
    scaling: _Scaling | None
    offset: float
    scale: float
    knots: Floats
    spread: Floats

    def predict(self, inputs: ArrayLike) -> tuple[Floats, Floats]:
        """Estimate the target.

        Parameters
        ----------
        inputs : array_like, [N, F]
            Features; NaN is unknown.

        Returns
        -------
        value, uncertainty : float64 array, [N]
        """
        value = self.offset + self.scale * _in_parts(self.estimator.predict, self.scaling, inputs)
        return value, np.interp(value, self.knots, self.spread)


def balanced_weights(is_gamma: NDArray[np.bool_], weights: Floats) -> Floats:
    """Scale weights such that gammas and hadrons weigh the same in total, and all together their number, [N]."""
    share, of_gammas = len(weights) / 2.0, float(weights[is_gamma].sum())
    return weights * np.where(is_gamma, share / of_gammas, share / (weights.sum() - of_gammas))


def fit_classifier(
    method: str,
    inputs: ArrayLike,
    is_gamma: ArrayLike,
    settings: ClassicalSettings = DEFAULT_SETTINGS,
    *,
    seed: int,
    weights: ArrayLike | None = None,
) -> FittedClassifier:
    """Train a classifier of gammas and hadrons.

    Parameters
    ----------
    method : str
        Name in `LEARNERS`.
    inputs : array_like, [N, F]
        Features. Unknown ones (NaN) are left to the trees; for other methods they become the median, every feature is
        drawn in to the central 99.8 % of the training events and standardised.
    is_gamma : array_like of bool, [N]
        Gamma or hadron.
    settings : ClassicalSettings
        How.
    seed : int
        Fixes the result, and which events are taken where a method has a largest number of them.
    weights : array_like, [N], optional
        Weights within a class; the classes are made to weigh the same. Nearest neighbours can take no weights: their
        classes are balanced afterwards, the weights within a class are left out, and a warning says so.

    Returns
    -------
    FittedClassifier

    Raises
    ------
    ConfigError
        The method is unknown or no classifier.
    InputError
        There are fewer than ten events of a class.
    """
    learner, build = _learner(method, "classifier")
    x, gamma, weight = _arrays(inputs, is_gamma, weights)
    gamma = gamma.astype(bool)
    if min(gamma.sum(), (~gamma).sum()) < FEWEST_EVENTS / 2:
        raise InputError(f"{method}: {gamma.sum()} gammas and {(~gamma).sum()} hadrons to train on; ten of each needed")
    rows = _taken(learner, settings, len(x), seed)
    x, gamma = x[rows], gamma[rows]
    balance = balanced_weights(gamma, weight[rows])
    estimator = build(settings, seed)
    scaling, has_weights = _train(learner, estimator, x, gamma.astype(np.int64), balance)
    if not has_weights and np.ptp(weight) > 0.0:
        _LOG.warning("%s cannot weigh its training events: all of a kind count the same", method)
    # a method without weights finds the share of gammas of the training events, not of equally frequent kinds
    odds = 1.0 if has_weights else float((~gamma).sum() / gamma.sum())
    return FittedClassifier(method, len(x), estimator, scaling, odds)


def fit_regressor(
    method: str,
    inputs: ArrayLike,
    target: ArrayLike,
    settings: ClassicalSettings = DEFAULT_SETTINGS,
    *,
    seed: int,
    weights: ArrayLike | None = None,
    showers: ArrayLike | None = None,
) -> FittedRegressor:
    """Train a regressor.

    Parameters
    ----------
    method : str
        Name in `LEARNERS`.
    inputs : array_like, [N, F]
        As for `fit_classifier`.
    target : array_like, [N]
        What to estimate, such as log10(E / GeV).
    settings : ClassicalSettings
        How.
    seed : int
        Fixes the result.
    weights : array_like, [N], optional
        Weights; left out, with a warning, by nearest neighbours.
    showers : array_like of int, [N], optional
        Shower of each event, so that none is on both sides when the uncertainty is found; every event its own when
        not given.

    Returns
    -------
    FittedRegressor

    Raises
    ------
    ConfigError
        The method is unknown or no regressor.
    InputError
        There are fewer than twenty events.
    """
    learner, build = _learner(method, "regressor")
    x, y, weight = _arrays(inputs, target, weights)
    if len(x) < FEWEST_EVENTS:
        raise InputError(f"{method}: {len(x)} events to train on; {FEWEST_EVENTS} or more needed")
    rows = _taken(learner, settings, len(x), seed)
    x, y, weight = x[rows], y[rows].astype(np.float64), weight[rows]
    shower = np.arange(len(x)) if showers is None else np.asarray(showers)[rows]
    offset, scale = float(y.mean()), float(y.std()) or 1.0

    def fitted(which: NDArray[np.bool_]) -> tuple[Any, _Scaling | None, bool]:
        estimator = build(settings, seed)
        return estimator, *_train(learner, estimator, x[which], (y[which] - offset) / scale, weight[which])

    # a seed of its own: with that of a split before, the held-out showers could be those that are not here
    split = int(seed_sequence(seed, "showers held out for the uncertainty").generate_state(1)[0])
    is_held_out = split_by_shower(shower, (1.0 - _HELD_OUT, _HELD_OUT), seed=split) == 1
    if is_held_out.sum() < 2 or (~is_held_out).sum() < FEWEST_EVENTS / 2:
        raise InputError(f"{method}: the events to train on come from too few showers")
    estimator, scaling, _ = fitted(~is_held_out)
    said = offset + scale * _in_parts(estimator.predict, scaling, x[is_held_out])
    knots, spread = _spread(said, np.abs(y[is_held_out] - said))
    estimator, scaling, has_weights = fitted(np.ones(len(x), dtype=bool))
    if not has_weights and np.ptp(weight) > 0.0:
        _LOG.warning("%s cannot weigh its training events: all count the same", method)
    return FittedRegressor(method, len(x), estimator, scaling, offset, scale, knots, spread)


def _learner(method: str, task: Literal["classifier", "regressor"]) -> tuple[Learner, Builder]:
    builders: dict[str, Builder | None] = {name: getattr(learner, task) for name, learner in LEARNERS.items()}
    build = builders.get(method)
    if build is None:
        able = [name for name, b in builders.items() if b is not None]
        raise ConfigError(f"no {task} {method!r}; {nearest_names(method, able)}")
    return LEARNERS[method], build


def _arrays(inputs: ArrayLike, target: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, NDArray[Any], Floats]:
    x, y = np.asarray(inputs, dtype=np.float64), np.asarray(target)
    weight = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or weight.shape != x.shape[:1]:
        raise InputError(f"features {x.shape}, targets {y.shape} and weights {weight.shape} do not fit together")
    unknown = np.flatnonzero(~np.isfinite(x).any(axis=0))
    if len(x) and len(unknown):
        raise InputError(f"feature {unknown[0]} of {x.shape[1]} is unknown for all {len(x)} training events")
    return x, y, weight


def _taken(learner: Learner, settings: ClassicalSettings, n_events: int, seed: int) -> NDArray[np.int64]:
    """Rows that a method is trained on: all, or as many as its limit says."""
    limit = n_events if learner.limit is None else int(getattr(settings, learner.limit))
    if n_events <= limit:
        return np.arange(n_events)
    _LOG.info("%s: trained on %d of %d events (%s)", learner.title, limit, n_events, learner.limit)
    return np.sort(np.random.default_rng([seed, n_events]).choice(n_events, limit, replace=False))


def _train(
    learner: Learner, estimator: Any, inputs: Floats, target: NDArray[Any], weight: Floats
) -> tuple[_Scaling | None, bool]:
    """Fit with weights where the estimator can; return the scaling of its features, and whether it has weights."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils.validation import has_fit_parameter

    scaling = None if learner.is_tree else _Scaling.of(inputs)
    ready = inputs if scaling is None else scaling(inputs)
    steps = getattr(estimator, "steps", [("", estimator)])
    name, last = steps[-1]
    has_weights = bool(has_fit_parameter(last, "sample_weight"))
    argument = f"{name}__sample_weight" if name else "sample_weight"
    with warnings.catch_warnings():
        # the number of epochs is a setting, not a failure; few events have few quantiles
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "n_quantiles", UserWarning)
        estimator.fit(ready, target, **({argument: weight / weight.mean()} if has_weights else {}))
    if "n_estimators" in estimator.get_params():
        # threads add up the votes of the trees in whatever order they finish; one thread always in the same
        estimator.set_params(n_jobs=1)
    return scaling, has_weights


def _in_parts(function: Callable[[Floats], Floats], scaling: _Scaling | None, inputs: ArrayLike) -> Floats:
    x = np.asarray(inputs, dtype=np.float64)
    said = np.empty(len(x))
    for start in range(0, len(x), _ROWS):
        part = x[start : start + _ROWS]
        said[start : start + _ROWS] = function(part if scaling is None else scaling(part))
    return said


def _spread(value: Floats, missed: Floats) -> tuple[Floats, Floats]:
    """How far off 68.27 % are at most, in up to ten bins of as many events each."""
    n_bins = int(np.clip(len(value) // 50, 1, 10))
    bins = np.array_split(np.argsort(value, kind="stable"), n_bins)
    return (
        np.array([np.median(value[rows]) for rows in bins]),
        np.array([np.quantile(missed[rows], _WITHIN_ONE_SIGMA) for rows in bins]),
    )
