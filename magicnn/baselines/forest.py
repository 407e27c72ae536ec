"""Random forests on image parameters, one per telescope, as in magic-cta-pipe: gamma/hadron and energy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.baselines.fitting import balanced_weights
from magicnn.baselines.forest_files import load_forests, save_forests
from magicnn.baselines.forest_settings import Averaging, ForestSettings
from magicnn.baselines.training import seen, training_events, training_weights
from magicnn.config import validate_settings
from magicnn.errors import InputError
from magicnn.images.features import FeatureTable
from magicnn.readout import UNKNOWN_READOUT, Readout
from magicnn.zenith import UNKNOWN_ZENITH, ZenithRange

__all__ = [
    "FOREST_FEATURES",
    "EnergyForest",
    "ForestSettings",
    "Forests",
    "ParticleForest",
    "forest_inputs",
]

Floats = NDArray[np.float64]

_CERTAIN = 0.01  # no vote of all trees for one kind is taken as surer than this

FOREST_FEATURES: tuple[str, ...] = (
    "size_pe",
    "length_deg",
    "width_deg",
    "skewness",
    "kurtosis",
    "time_slope_ns_per_deg",
    "leakage2",
    "h_max_m",
    "impact_m",
    "pointing_zenith_deg",
    "pointing_azimuth_deg",
)
"""Inputs of each telescope's forest: magic-cta-pipe's list (intensity, length, width, skewness, kurtosis, slope,
intensity_width_2, h_max, impact, pointing altitude and azimuth); trees see altitude and zenith alike."""

_SIGNED = ("skewness", "time_slope_ns_per_deg")

DEFAULT_SETTINGS = ForestSettings()
"""Forests of the size of magic-cta-pipe's for energy, averaged with the inverse variance for the energy."""


def forest_inputs(features: FeatureTable, telescope: int, *, unsigned: bool) -> NDArray[np.float32]:
    """Collect the inputs of one telescope's forest.

    Parameters
    ----------
    features : FeatureTable
        Needs `FOREST_FEATURES`.
    telescope : int
        Index along the telescope axis.
    unsigned : bool
        Take the absolute value of skewness and time slope.

    Returns
    -------
    float32 array, [N, 11]
        In the order of `FOREST_FEATURES`.
    """
    columns = []
    for name in FOREST_FEATURES:
        values = features[name]
        column = values[:, telescope] if values.ndim == 2 else values
        columns.append(np.abs(column) if unsigned and name in _SIGNED else column)
    return np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Forests:
    """Forests of all telescopes, and their file; `ParticleForest` or `EnergyForest`.

    Attributes
    ----------
    settings : ForestSettings
        How the forests were grown.
    forests : tuple
        scikit-learn estimators, one per telescope.
    readout, zenith : Readout, ZenithRange
        Of the training events.
    """

    settings: ForestSettings
    forests: tuple[Any, ...]
    readout: Readout = UNKNOWN_READOUT
    zenith: ZenithRange = UNKNOWN_ZENITH
    _kind: ClassVar[str]

    def save(self, path: Path | str) -> None:
        """Write the forests to a file."""
        record = {
            "settings": self.settings.model_dump(mode="json"),
            "features": list(FOREST_FEATURES),
            "readout": self.readout.to_mapping(),
            "zenith": self.zenith.to_mapping(),
        }
        save_forests(path, self._kind, record, list(self.forests))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read forests written by `save`; see `magicnn.baselines.forest_files.load_forests`."""
        record, forests = load_forests(path, cls._kind)
        settings = validate_settings(ForestSettings, record["settings"], where=str(path))
        readout, zenith = Readout.from_mapping(record.get("readout")), ZenithRange.from_mapping(record.get("zenith"))
        return cls(settings, tuple(forests), readout, zenith)

    def __repr__(self) -> str:
        nodes = sum(tree.tree_.node_count for forest in self.forests for tree in forest.estimators_)
        n_trees = len(self.forests[0].estimators_)
        return f"{type(self).__name__}({len(self.forests)} telescopes, {n_trees} trees each, {nodes} nodes)"


class ParticleForest(Forests):
    """Gamma/hadron separation: one classifier per telescope, averaged, with the size of the images by default.

    Attributes
    ----------
    settings : ForestSettings
        How the forests were grown.
    forests : tuple
        scikit-learn classifiers, one per telescope; class 1 is gamma.
    readout, zenith : Readout, ZenithRange
        Of the training events.
    """

    _kind = "gamma/hadron separation"

    @classmethod
    def fit(
        cls,
        features: FeatureTable,
        settings: ForestSettings = DEFAULT_SETTINGS,
        *,
        seed: int,
        weights: ArrayLike | None = None,
    ) -> ParticleForest:
        """Train on simulated gammas and hadrons.

        Parameters
        ----------
        features : FeatureTable
            Events of both kinds; ``true_particle`` tells them apart (22 is gamma). Events that fail the quality
            cuts, and images with an unknown input, are left out.
        settings : ForestSettings
            Size of the forests.
        seed : int
            Fixes the result.
        weights : array_like, [N], optional
            Weight of each event; without, both classes weigh the same in total, and within a class an event as many
            thrown ones as it stands for (column ``weight``).

        Returns
        -------
        ParticleForest

        Raises
        ------
        InputError
            Gammas or hadrons are missing.
        """
        from sklearn.ensemble import RandomForestClassifier

        is_gamma = features["true_particle"] == 22
        forests = []
        for telescope, (used, inputs) in enumerate(_training_rows(features, settings)):
            n_gammas = int(is_gamma[used].sum())
            if n_gammas == 0 or n_gammas == len(used):
                raise InputError(
                    f"gamma/hadron forest of {features.meta.telescopes[telescope]}: {n_gammas} gammas and "
                    f"{len(used) - n_gammas} hadrons pass the quality cuts; both are needed"
                )
            weight = training_weights(features, weights)[used]
            if weights is None:
                weight = balanced_weights(is_gamma[used], weight)
            forest = RandomForestClassifier(**_options(settings, seed, telescope, for_particle=True))
            forests.append(_ready(forest.fit(inputs, is_gamma[used].astype(np.int64), sample_weight=weight)))
        return cls(settings, tuple(forests), **seen(features))

    def predict(self, features: FeatureTable) -> Floats:
        """Estimate how gamma-like events are.

        Parameters
        ----------
        features : FeatureTable
            Needs `FOREST_FEATURES`. Cuts are not applied.

        Returns
        -------
        float64 array, [N]
            0 hadron-like to 1 gamma-like; NaN where no image has all inputs.
        """
        total, weighted = np.zeros(len(features)), np.zeros(len(features))
        for telescope, rows, inputs in _rows(features, self.settings, self.forests):
            share = self.forests[telescope].predict_proba(inputs)[:, 1]
            near = np.clip(share, _CERTAIN, 1.0 - _CERTAIN)
            size = features["size_pe"][rows, telescope]
            weight = _averaging(self.settings.gammaness_weights, size, near * (1.0 - near))
            weighted[rows] += weight * share
            total[rows] += weight
        return weighted / np.where(total > 0.0, total, np.nan)


class EnergyForest(Forests):
    """Energy: one regressor of log10(E) per telescope, averaged, with the inverse variance of the trees by default.

    Attributes
    ----------
    settings : ForestSettings
        How the forests were grown.
    forests : tuple
        scikit-learn regressors of log10(E / GeV), one per telescope.
    readout, zenith : Readout, ZenithRange
        Of the training events.
    """

    _kind = "energy"

    @classmethod
    def fit(
        cls,
        features: FeatureTable,
        settings: ForestSettings = DEFAULT_SETTINGS,
        *,
        seed: int,
        weights: ArrayLike | None = None,
    ) -> EnergyForest:
        """Train on simulated gammas.

        Parameters
        ----------
        features : FeatureTable
            Other particles, events that fail the quality cuts, and images with an unknown input are left out.
        settings : ForestSettings
            Size of the forests.
        seed : int
            Fixes the result.
        weights : array_like, [N], optional
            Weight of each event; when not given the thrown events that it stands for (column ``weight``).

        Returns
        -------
        EnergyForest

        Raises
        ------
        InputError
            No gamma passes the cuts.
        """
        from sklearn.ensemble import RandomForestRegressor

        log_energy = np.log10(np.asarray(features["true_energy_gev"], dtype=np.float64))
        forests = []
        for telescope, (used, inputs) in enumerate(_training_rows(features, settings, gammas_only=True)):
            if not len(used):
                raise InputError(
                    f"energy forest of {features.meta.telescopes[telescope]}: none of {len(features)} events is a "
                    "gamma that passes the quality cuts"
                )
            own = training_weights(features, weights)
            weight = None if np.all(own == 1.0) else own[used]
            forest = RandomForestRegressor(**_options(settings, seed, telescope))
            forests.append(_ready(forest.fit(inputs, log_energy[used], sample_weight=weight)))
        return cls(settings, tuple(forests), **seen(features))

    def predict(self, features: FeatureTable) -> tuple[Floats, Floats]:
        """Estimate energies.

        Parameters
        ----------
        features : FeatureTable
            Needs `FOREST_FEATURES`. Cuts are not applied.

        Returns
        -------
        energy_gev, uncertainty_gev : float64 array, [N]
            The uncertainty is the spread of the trees, combined over the telescopes. NaN where no image has all
            inputs.
        """
        total, weighted, spread = (np.zeros(len(features)) for _ in range(3))
        for telescope, rows, inputs in _rows(features, self.settings, self.forests):
            votes = np.stack([tree.predict(inputs) for tree in self.forests[telescope].estimators_])
            # trees that all agree, on few training events, must not silence the other telescope
            variance = np.maximum(votes.var(axis=0), 1e-4)
            weight = _averaging(self.settings.energy_weights, features["size_pe"][rows, telescope], variance)
            weighted[rows] += weight * votes.mean(axis=0)
            spread[rows] += weight**2 * variance
            total[rows] += weight
        safe = np.where(total > 0.0, total, np.nan)
        energy = 10.0 ** (weighted / safe)
        return energy, energy * np.log(10.0) * np.sqrt(spread) / safe


def _training_rows(
    features: FeatureTable, settings: ForestSettings, *, gammas_only: bool = False
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Rows that one telescope's forest is trained on, and their inputs, telescope by telescope."""
    passed = training_events(features, settings.quality, gammas_only=gammas_only)
    for telescope in range(len(features.meta.telescopes)):
        inputs = forest_inputs(features, telescope, unsigned=settings.unsigned)
        used = np.flatnonzero(passed & np.isfinite(inputs).all(axis=1))
        yield used, inputs[used]


def _rows(
    features: FeatureTable, settings: ForestSettings, forests: tuple[Any, ...]
) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float32]]]:
    """Rows that each telescope's forest can speak about, and their inputs."""
    if len(features.meta.telescopes) != len(forests):
        raise InputError(f"forests for {len(forests)} telescopes, events of {len(features.meta.telescopes)}")
    for telescope in range(len(forests)):
        inputs = forest_inputs(features, telescope, unsigned=settings.unsigned)
        rows = np.flatnonzero(np.isfinite(inputs).all(axis=1))
        if len(rows):
            yield telescope, rows, inputs[rows]


def _averaging(kind: Averaging, size: NDArray[Any], variance: Floats) -> Floats:
    """Weights of one telescope's estimates."""
    if kind == "size":
        return np.asarray(size, dtype=np.float64)
    return 1.0 / variance if kind == "variance" else np.ones(len(variance))


def _options(settings: ForestSettings, seed: int, telescope: int, *, for_particle: bool = False) -> dict[str, Any]:
    n_trees, depth = settings.n_trees, settings.max_depth
    if for_particle:
        n_trees, depth = settings.classifier_trees or n_trees, settings.classifier_depth or depth
    return {
        "n_estimators": n_trees,
        "max_depth": depth,
        "min_samples_leaf": settings.min_samples_leaf,
        "n_jobs": settings.n_jobs,
        "random_state": int(np.random.SeedSequence([seed, telescope]).generate_state(1)[0]),
    }


def _ready(forest: Any) -> Any:
    # threads add up the votes of the trees in whatever order they finish; one thread always in the same
    return forest.set_params(n_jobs=1)
