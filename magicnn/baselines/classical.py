"""The classical methods on image parameters, both telescopes' at once: gamma/hadron and energy, used as the forests."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.baselines.fitting import DEFAULT_SETTINGS, fit_classifier, fit_regressor
from magicnn.baselines.forest import FOREST_FEATURES
from magicnn.baselines.forest_files import load_forests, save_forests
from magicnn.baselines.learners import LEARNERS, ClassicalSettings
from magicnn.baselines.predictions import predict_table
from magicnn.baselines.training import seen, training_events, training_weights
from magicnn.config import validate_settings
from magicnn.errors import InputError
from magicnn.images.features import FeatureTable
from magicnn.images.quality import STANDARD_QUALITY, QualitySettings
from magicnn.predictions import PredictionTable
from magicnn.readout import UNKNOWN_READOUT, Readout
from magicnn.zenith import UNKNOWN_ZENITH, ZenithRange

__all__ = ["Classical", "ClassicalEnergy", "ClassicalMethod", "ClassicalParticle", "input_names", "stereo_inputs"]

Floats = NDArray[np.float64]

_OF_TELESCOPE = FOREST_FEATURES[:7] + FOREST_FEATURES[8:9]
_OF_EVENT = ("h_max_m", "pointing_zenith_deg", "sin_azimuth", "cos_azimuth")
_UNSIGNED = ("skewness", "time_slope_ns_per_deg")


def input_names(telescopes: Iterable[str]) -> tuple[str, ...]:
    """Name the columns of `stereo_inputs`."""
    return (*(f"{name}_{telescope}" for telescope in telescopes for name in _OF_TELESCOPE), *_OF_EVENT)


def stereo_inputs(features: FeatureTable) -> tuple[Floats, NDArray[np.bool_]]:
    """Collect what the methods learn from, one row for an event.

    Parameters
    ----------
    features : FeatureTable
        Needs `magicnn.baselines.forest.FOREST_FEATURES`.

    Returns
    -------
    inputs : float64 array, [N, 8 T + 4]
        Parameters of `FOREST_FEATURES`: of the images telescope by telescope, then those of the event. The size is its
        logarithm, skewness and time slope are without sign, the azimuth is its sine and cosine, because these methods,
        unlike trees, see distances. NaN is unknown.
    is_known : bool array, [N]
        At least one image has all of its parameters.
    """
    images = []
    for telescope in range(len(features.meta.telescopes)):
        columns = {name: features[name][:, telescope].astype(np.float64) for name in _OF_TELESCOPE}
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["size_pe"] = np.log10(columns["size_pe"])
        columns |= {name: np.abs(columns[name]) for name in _UNSIGNED}
        images.append(np.stack(list(columns.values()), axis=1))
    azimuth = np.radians(features["pointing_azimuth_deg"])
    event = np.stack([features["h_max_m"], features["pointing_zenith_deg"], np.sin(azimuth), np.cos(azimuth)], axis=1)
    is_known = np.isfinite(event).all(axis=1) & np.logical_or.reduce([np.isfinite(i).all(axis=1) for i in images])
    inputs = np.concatenate([*images, event], axis=1)
    return np.where(np.isfinite(inputs), inputs, np.nan), is_known


@dataclass(frozen=True, eq=False)
class Classical:
    """One trained method, and its file; `ClassicalParticle` or `ClassicalEnergy`.

    Attributes
    ----------
    settings : ClassicalSettings
        How it was trained.
    fitted : FittedClassifier or FittedRegressor
        The method on `stereo_inputs`.
    inputs : tuple of str
        Their names.
    readout, zenith : Readout, ZenithRange
        Of the training events.
    """

    settings: ClassicalSettings
    fitted: Any
    inputs: tuple[str, ...]
    readout: Readout = UNKNOWN_READOUT
    zenith: ZenithRange = UNKNOWN_ZENITH
    _task: ClassVar[str]

    @property
    def method(self) -> str:
        """Name in `magicnn.baselines.learners.LEARNERS`."""
        return str(self.fitted.method)

    def save(self, path: Path | str) -> None:
        """Write the method to a file."""
        record = {
            "method": self.method,
            "events": self.fitted.n_events,
            "settings": self.settings.model_dump(mode="json"),
            "features": list(self.inputs),
            "readout": self.readout.to_mapping(),
            "zenith": self.zenith.to_mapping(),
        }
        save_forests(path, f"method {self.method} for {self._task}", record, self.fitted)

    @classmethod
    def load(cls, path: Path | str, method: str) -> Self:
        """Read a method written by `save`; see `magicnn.baselines.forest_files.load_forests`."""
        record, fitted = load_forests(path, f"method {method} for {cls._task}")
        settings = validate_settings(ClassicalSettings, record["settings"], where=str(path))
        readout, zenith = Readout.from_mapping(record["readout"]), ZenithRange.from_mapping(record["zenith"])
        return cls(settings, fitted, tuple(record["features"]), readout, zenith)

    def _known(self, features: FeatureTable) -> tuple[Floats, NDArray[np.int64]]:
        """Inputs of the events that the method can speak about, and their rows."""
        names = input_names(features.meta.telescopes)
        if len(names) != len(self.inputs):
            raise InputError(
                f"{self.method}: trained with {len(self.inputs)} parameters, events of {len(features.meta.telescopes)} "
                f"telescopes have {len(names)}"
            )
        inputs, is_known = stereo_inputs(features)
        rows = np.flatnonzero(is_known)
        return inputs[rows], rows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({LEARNERS[self.method].title}, {self.fitted.n_events} training events)"


class ClassicalParticle(Classical):
    """Gamma/hadron separation by a classical method."""

    _task = "gamma/hadron separation"

    @classmethod
    def fit(
        cls,
        features: FeatureTable,
        method: str,
        settings: ClassicalSettings = DEFAULT_SETTINGS,
        *,
        seed: int,
        weights: ArrayLike | None = None,
    ) -> ClassicalParticle:
        """Train on simulated gammas and hadrons.

        Parameters
        ----------
        features : FeatureTable
            Events of both kinds; ``true_particle`` tells them apart (22 is gamma). Events that fail the quality cuts,
            or have no image with all parameters, are left out.
        method : str
            Name in `magicnn.baselines.learners.LEARNERS`.
        settings : ClassicalSettings
            How.
        seed : int
            Fixes the result.
        weights : array_like, [N], optional
            Weight of each event within its kind; the thrown events that it stands for (column ``weight``) when not
            given. The kinds weigh the same in total. `magicnn.baselines.fitting.fit_classifier` says which methods
            cannot weigh.

        Returns
        -------
        ClassicalParticle

        Raises
        ------
        InputError
            Gammas or hadrons are missing or too few.
        ConfigError
            The method is unknown or estimates energies only.
        """
        inputs, rows, weight = _training(features, settings, weights)
        gamma = features["true_particle"][rows] == 22
        fitted = fit_classifier(method, inputs, gamma, settings, seed=_seed(seed, method), weights=weight)
        return cls(settings, fitted, input_names(features.meta.telescopes), **seen(features))

    def predict(self, features: FeatureTable) -> Floats:
        """Estimate how gamma-like events are.

        Parameters
        ----------
        features : FeatureTable
            Needs `magicnn.baselines.forest.FOREST_FEATURES`. Cuts are not applied.

        Returns
        -------
        float64 array, [N]
            0 hadron-like to 1 gamma-like; NaN where no image has all parameters.
        """
        inputs, rows = self._known(features)
        gammaness = np.full(len(features), np.nan)
        if len(rows):
            gammaness[rows] = self.fitted.predict(inputs)
        return gammaness


class ClassicalEnergy(Classical):
    """Energy by a classical method, from log10(E)."""

    _task = "energy"

    @classmethod
    def fit(
        cls,
        features: FeatureTable,
        method: str,
        settings: ClassicalSettings = DEFAULT_SETTINGS,
        *,
        seed: int,
        weights: ArrayLike | None = None,
    ) -> ClassicalEnergy:
        """Train on simulated gammas.

        Parameters
        ----------
        features : FeatureTable
            Other particles, events that fail the quality cuts, and those that have no image with all parameters are
            left out.
        method, settings, seed, weights
            As for `ClassicalParticle.fit`.

        Returns
        -------
        ClassicalEnergy

        Raises
        ------
        InputError
            Too few gammas pass the cuts.
        ConfigError
            The method is unknown or separates particles only.
        """
        inputs, rows, weight = _training(features, settings, weights, gammas_only=True)
        fitted = fit_regressor(
            method,
            inputs,
            np.log10(features["true_energy_gev"][rows]),
            settings,
            seed=_seed(seed, method),
            weights=weight,
            showers=features["shower_id"][rows] if "shower_id" in features else None,
        )
        return cls(settings, fitted, input_names(features.meta.telescopes), **seen(features))

    def predict(self, features: FeatureTable) -> tuple[Floats, Floats]:
        """Estimate energies.

        Parameters
        ----------
        features : FeatureTable
            Needs `magicnn.baselines.forest.FOREST_FEATURES`. Cuts are not applied.

        Returns
        -------
        energy_gev, uncertainty_gev : float64 array, [N]
            The uncertainty is the spread of held-out training events of about the same estimate. NaN where no image
            has all parameters.
        """
        inputs, rows = self._known(features)
        energy, uncertainty = np.full((2, len(features)), np.nan)
        if len(rows):
            log_energy, spread = self.fitted.predict(inputs)
            energy[rows] = 10.0**log_energy
            uncertainty[rows] = energy[rows] * np.log(10.0) * spread
        return energy, uncertainty


@dataclass(frozen=True, eq=False)
class ClassicalMethod:
    """A classical method for all that it can estimate.

    Attributes
    ----------
    name : str
        Of the method, and of its prediction tables.
    particle : ClassicalParticle or None
        None for methods that estimate energies only.
    energy : ClassicalEnergy or None
        None for methods that separate particles only.
    """

    name: str
    particle: ClassicalParticle | None
    energy: ClassicalEnergy | None

    @classmethod
    def fit(
        cls, name: str, gammas: FeatureTable, classified: FeatureTable, settings: ClassicalSettings, *, seed: int
    ) -> ClassicalMethod:
        """Train on gammas for the energy, and on gammas and hadrons for the separation."""
        learner = LEARNERS[name]
        return cls(
            name,
            ClassicalParticle.fit(classified, name, settings, seed=seed) if learner.classifier else None,
            ClassicalEnergy.fit(gammas, name, settings, seed=seed) if learner.regressor else None,
        )

    def predict(self, features: FeatureTable, quality: QualitySettings = STANDARD_QUALITY) -> PredictionTable:
        """Apply the method; the table has the columns that it can estimate, see `predict_table`."""
        return predict_table(features, method=self.name, classifier=self.particle, energy=self.energy, quality=quality)

    @property
    def parts(self) -> tuple[Classical, ...]:
        """What it consists of."""
        return tuple(part for part in (self.particle, self.energy) if part is not None)

    @staticmethod
    def files(name: str) -> tuple[str, ...]:
        """Names of the files of a method: for the separation, for the energy, or both."""
        learner = LEARNERS[name]
        tasks = (("particle", learner.classifier), ("energy", learner.regressor))
        return tuple(f"{name}_{task}.joblib" for task, builder in tasks if builder is not None)

    def save(self, folder: Path | str) -> None:
        """Write its files into a folder."""
        for file, part in zip(self.files(self.name), self.parts, strict=True):
            part.save(Path(folder) / file)

    @classmethod
    def load(cls, folder: Path | str, name: str) -> ClassicalMethod:
        """Read the files written by `save`.

        Raises
        ------
        CheckpointError
            A file is missing, damaged, of another method, or from another version of scikit-learn.
        """
        learner, files = LEARNERS[name], [Path(folder) / file for file in cls.files(name)]
        return cls(
            name,
            ClassicalParticle.load(files[0], name) if learner.classifier else None,
            ClassicalEnergy.load(files[-1], name) if learner.regressor else None,
        )


def _training(
    features: FeatureTable, settings: ClassicalSettings, weights: ArrayLike | None, *, gammas_only: bool = False
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Inputs, rows and weights of the events to train on."""
    inputs, is_known = stereo_inputs(features)
    rows = np.flatnonzero(is_known & training_events(features, settings.quality, gammas_only=gammas_only))
    return inputs[rows], rows, training_weights(features, weights)[rows]


def _seed(seed: int, method: str) -> int:
    """Give every method a seed of its own."""
    return int(np.random.SeedSequence([seed, zlib.crc32(method.encode())]).generate_state(1)[0])
