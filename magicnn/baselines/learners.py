"""The classical methods of the field: one table of them, what each is made of, and their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import Field, field_validator

from magicnn.config import Settings
from magicnn.errors import nearest_names
from magicnn.images.quality import QualitySettings

__all__ = ["FEWEST_EVENTS", "LEARNERS", "Builder", "ClassicalSettings", "Learner"]

FEWEST_EVENTS = 20
"""Fewer training events are refused."""


class ClassicalSettings(Settings):
    """Which classical methods are fitted besides the forests, and how each of them is set."""

    methods: tuple[str, ...] = Field(default=(), description="names of `LEARNERS`; none by default")
    n_neighbours: int = Field(default=40, ge=1, description="nearest neighbours, each weighted with 1 / distance")
    min_samples_leaf: int = Field(default=30, ge=1, description="decision tree: fewest training events in a leaf")
    n_trees: int = Field(default=150, ge=1, description="random forest: trees, grown as those of `ForestSettings`")
    boosting_rounds: int = Field(default=300, ge=1, description="boosted trees: trees, one after the other")
    learning_rate: float = Field(default=0.06, gt=0, description="boosted trees: share of each tree that is added")
    max_leaves: int = Field(default=31, ge=2, description="boosted trees: most leaves of a tree")
    hidden_layers: tuple[int, ...] = Field(default=(64, 32), min_length=1, description="perceptron: cells per layer")
    epochs: int = Field(default=100, ge=1, description="perceptron: passes over the training events at most")
    polynomial_degree: int = Field(default=2, ge=2, le=4, description="polynomial regression: highest power")
    svm_cost: float = Field(
        default=1.0, gt=0, description="support vectors: price C of a training event on the wrong side"
    )
    svm_events: int = Field(default=10_000, ge=FEWEST_EVENTS, description="support vectors: most training events")
    max_events: int = Field(
        default=200_000, ge=FEWEST_EVENTS, description="most training events of neighbours, perceptron and polynomial"
    )
    n_jobs: int = Field(default=2, ge=1, description="threads for training forests; the result does not depend on it")
    quality: QualitySettings = Field(default=QualitySettings(), description="events that the methods are trained on")

    @field_validator("methods")
    @classmethod
    def _known(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        for name in methods:
            if name not in LEARNERS:
                raise ValueError(f"no classical method {name!r}; {nearest_names(name, LEARNERS)}")
        if len(set(methods)) != len(methods):
            raise ValueError("names a method twice")
        return methods


Builder = Callable[[ClassicalSettings, int], Any]
"""Makes a scikit-learn estimator from settings and seed."""


@dataclass(frozen=True, slots=True)
class Learner:
    """One classical method.

    Attributes
    ----------
    title : str
        In words.
    classifier, regressor : callable or None
        Make the scikit-learn estimator from settings and seed; None where the method is not for that task.
    is_tree : bool
        Takes features as they are, unknown ones (NaN) too; others get standardised ones (`magicnn.baselines.fitting`).
    limit : str or None
        Setting with the most training events, where time or memory rise faster than their number.
    """

    title: str
    classifier: Builder | None = None
    regressor: Builder | None = None
    is_tree: bool = False
    limit: str | None = None


def _naive_bayes(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    return make_pipeline(QuantileTransformer(output_distribution="normal", random_state=seed), GaussianNB())


def _neighbours_classifier(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(settings.n_neighbours, weights="distance")


def _neighbours_regressor(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.neighbors import KNeighborsRegressor

    return KNeighborsRegressor(settings.n_neighbours, weights="distance")


def _tree_classifier(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(min_samples_leaf=settings.min_samples_leaf, random_state=seed)


def _tree_regressor(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(min_samples_leaf=settings.min_samples_leaf, random_state=seed)


def _forest_options(settings: ClassicalSettings, seed: int) -> dict[str, Any]:
    return {
        "n_estimators": settings.n_trees,
        "max_depth": 50,
        "min_samples_leaf": 2,
        "n_jobs": settings.n_jobs,
        "random_state": seed,
    }


def _forest_classifier(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**_forest_options(settings, seed))


def _forest_regressor(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(**_forest_options(settings, seed))


def _boosting_options(settings: ClassicalSettings, seed: int) -> dict[str, Any]:
    return {
        "max_iter": settings.boosting_rounds,
        "learning_rate": settings.learning_rate,
        "max_leaf_nodes": settings.max_leaves,
        "early_stopping": False,  # its own validation sample would hold uses of training showers
        "random_state": seed,
    }


def _boosted_classifier(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(**_boosting_options(settings, seed))


def _boosted_regressor(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(**_boosting_options(settings, seed))


def _logistic_regression(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _support_vectors(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import SVC

    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    return CalibratedClassifierCV(SVC(C=settings.svm_cost), method="sigmoid", cv=folds, ensemble=False)


def _perceptron_options(settings: ClassicalSettings, seed: int) -> dict[str, Any]:
    return {
        "hidden_layer_sizes": settings.hidden_layers,
        "max_iter": settings.epochs,
        "alpha": 1e-3,
        "random_state": seed,
    }


def _perceptron_classifier(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(**_perceptron_options(settings, seed))


def _perceptron_regressor(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor(**_perceptron_options(settings, seed))


def _linear_regression(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def _polynomial_regression(settings: ClassicalSettings, seed: int) -> Any:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    powers = PolynomialFeatures(settings.polynomial_degree, include_bias=False)
    return make_pipeline(powers, StandardScaler(), Ridge(alpha=1.0))


LEARNERS: Mapping[str, Learner] = MappingProxyType(
    {
        "naive_bayes": Learner("naive Bayes", _naive_bayes),
        "nearest_neighbours": Learner(
            "nearest neighbours", _neighbours_classifier, _neighbours_regressor, limit="max_events"
        ),
        "decision_tree": Learner("decision tree", _tree_classifier, _tree_regressor, is_tree=True),
        "random_forest": Learner("random forest", _forest_classifier, _forest_regressor, is_tree=True),
        "boosted_trees": Learner("gradient-boosted trees", _boosted_classifier, _boosted_regressor, is_tree=True),
        "logistic_regression": Learner("logistic regression", _logistic_regression),
        "svm": Learner("support vector machine", _support_vectors, limit="svm_events"),
        "perceptron": Learner(
            "multilayer perceptron", _perceptron_classifier, _perceptron_regressor, limit="max_events"
        ),
        "linear_regression": Learner("linear regression", regressor=_linear_regression),
        "polynomial_regression": Learner("polynomial regression", regressor=_polynomial_regression, limit="max_events"),
    }
)
"""The classical methods by name."""
