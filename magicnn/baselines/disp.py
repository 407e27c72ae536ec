"""Direction by DISP: how far along its axis an image lies from the source, learnt by trees, cross-fitted by shower.

Crossing the axes alone is poor when the images are nearly parallel, and everything that needs the impact suffers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from magicnn.array import camera_from_sky
from magicnn.baselines.forest_files import load_forests, save_forests
from magicnn.baselines.shower_height import TypicalHeight
from magicnn.baselines.training import seen, training_events
from magicnn.config import Settings, validate_settings
from magicnn.errors import CheckpointError, InputError
from magicnn.images.features import FeatureTable
from magicnn.images.quality import QualitySettings
from magicnn.images.stereo import geometry_from_direction
from magicnn.readout import UNKNOWN_READOUT, Readout
from magicnn.splits import split_by_shower
from magicnn.zenith import UNKNOWN_ZENITH, ZenithRange

__all__ = ["DispDirection", "DispSettings"]

Floats = NDArray[np.float64]

_MEAN_TO_SIGMA = 1.2533  # of a Gaussian: sigma over mean absolute deviation
_LEAST_SIGMA_DEG = 0.01
_LEAST_EVENTS = 10  # to learn from
_CERTAIN = 0.02  # no sense of an axis is taken as surer than this


class DispSettings(Settings):
    """Size of the forests and what they are trained on."""

    n_trees: int = Field(default=150, ge=40, description="boosted trees of each forest")
    learning_rate: float = Field(default=0.08, gt=0, le=1, description="what each tree adds of its correction")
    min_samples_leaf: int = Field(default=20, ge=1, description="fewest training events in a leaf")
    n_folds: int = Field(default=3, ge=2, description="parts of the showers; each is reconstructed by the others")
    n_jobs: int = Field(default=2, ge=1, description="threads for training; the result does not depend on it")
    quality: QualitySettings = Field(default=QualitySettings(), description="events that the forests are trained on")


DEFAULT_SETTINGS = DispSettings()
"""Forests of 150 boosted trees, three folds."""


@dataclass(frozen=True, eq=False)
class DispDirection:
    """Reconstructs directions, every event by forests that have not seen its shower.

    Attributes
    ----------
    settings : DispSettings
        How the forests were grown.
    seed : int
        Fixes forests and folds.
    forests : tuple of tuple of dict
        One per fold and telescope: ``distance`` (of the source from the centre of gravity, along the axis), ``along``,
        ``across`` (mean absolute errors along and across the axis), ``sense`` (whether the source lies towards psi).
    height : TypicalHeight
        Of the maximum, which steadies core and impact.
    readout, zenith : Readout, ZenithRange
        Of the training events.

    Notes
    -----
    The showers are divided by a hash of their number; the forests of fold k are trained on all other folds and speak
    about fold k. So the training events get predictions as honest as new ones, and what is fitted to them afterwards
    (lookup tables, networks) meets the same errors later. The source is the mean of the telescopes' estimates,
    each weighted with the inverse of its covariance, which is long along the image axis: where the axes cross
    well, this is the crossing, where they are parallel, DISP. The distance is learnt from both images: how far and to
    which side the other one lies, and whether its light arrives earlier at the same end, matter as much as the image's
    own shape. Of the four senses of the two axes the one with the
    smallest chi2 - 2 ln P is taken, P from the forests for the sense. MAGIC's Disp-RF
    (Aleksic et al. 2016, arXiv:1409.5594) chooses the senses by the nearest pair of positions instead.
    """

    settings: DispSettings
    seed: int
    forests: tuple[tuple[dict[str, Any], ...], ...]
    height: TypicalHeight
    readout: Readout = UNKNOWN_READOUT
    zenith: ZenithRange = UNKNOWN_ZENITH

    @classmethod
    def fit(cls, features: FeatureTable, settings: DispSettings = DEFAULT_SETTINGS, *, seed: int) -> DispDirection:
        """Train on simulated gammas.

        Parameters
        ----------
        features : FeatureTable
            Other particles and events that fail the quality cuts are left out. Gammas from one offset only teach the
            forests that offset: give diffuse ones too.
        settings : DispSettings
            Size of the forests.
        seed : int
            Fixes the result.

        Returns
        -------
        DispDirection

        Raises
        ------
        InputError
            A fold has no events to train on.
        """
        events = features.select(training_events(features, settings.quality))
        fold = _folds(events, settings, seed)
        source = np.stack(_true_source(events), axis=-1)
        inputs = [_inputs(events, t) for t in range(len(events.meta.telescopes))]
        targets = [_targets(events, t, source) for t in range(len(inputs))]
        rows = [np.isfinite(v).all(axis=1) & np.isfinite(t).all(axis=1) for v, t in zip(inputs, targets, strict=True)]
        for k, telescope in product(range(settings.n_folds), range(len(inputs))):
            n_rows = np.count_nonzero(rows[telescope] & (fold != k))
            if n_rows < _LEAST_EVENTS:
                raise InputError(
                    f"DISP: {n_rows} of {len(features)} events are gammas that pass the quality cuts outside "
                    f"fold {k}; more are needed"
                )
        by_telescope = [
            _train(inputs[t][rows[t]], targets[t][rows[t]], fold[rows[t]], settings, [seed, t])
            for t in range(len(inputs))
        ]
        forests = tuple(zip(*by_telescope, strict=True))
        return cls(settings, seed, forests, TypicalHeight.fit(events), **seen(features))

    def apply(self, features: FeatureTable) -> FeatureTable:
        """Add the direction by DISP, and the impact and the height of the maximum that follow from it.

        Parameters
        ----------
        features : FeatureTable
            The training events, other simulated ones, or real ones.

        Returns
        -------
        FeatureTable
            With ``disp_x_deg, disp_y_deg, disp_zenith_deg, disp_azimuth_deg, disp_uncert_deg, disp_h_max_m`` [N] and
            ``disp_impact_m`` [N, T]; NaN where not all images and their crossing are there.
        """
        n_telescopes = len(features.meta.telescopes)
        if n_telescopes != len(self.forests[0]):
            raise InputError(f"DISP for {len(self.forests[0])} telescopes, events of {n_telescopes}")
        inputs = [_inputs(features, t) for t in range(n_telescopes)]
        known = np.logical_and.reduce([np.isfinite(v).all(axis=1) for v in inputs])
        fold = _folds(features, self.settings, self.seed)
        distance = np.full((len(features), n_telescopes), np.nan)
        along, across, towards = distance.copy(), distance.copy(), distance.copy()
        for k, telescope in product(range(self.settings.n_folds), range(n_telescopes)):
            rows = np.flatnonzero(known & (fold == k))
            if len(rows):
                forest = self.forests[k][telescope]
                values = inputs[telescope][rows]
                faced = _faced(values)
                for name, column in (("distance", distance), ("along", along), ("across", across)):
                    column[rows, telescope] = forest[name].predict(faced)
                towards[rows, telescope] = forest["sense"].predict_proba(values)[:, 1]
        x, y, uncertainty = _combine(features, distance, along, across, towards)
        geometry = geometry_from_direction(
            x,
            y,
            features.columns,
            features["pointing_zenith_deg"],
            features["pointing_azimuth_deg"],
            telescopes_m=features.meta.layout.positions_m,
            ground_m=features.meta.layout.ground_m,
            typical_height_m=self.height.above_ground_m(features),
            height_spread=self.height.spread,
        )
        return features.with_columns(
            disp_x_deg=x,
            disp_y_deg=y,
            disp_uncert_deg=uncertainty,
            disp_zenith_deg=geometry["reco_zenith_deg"],
            disp_azimuth_deg=geometry["reco_azimuth_deg"],
            disp_impact_m=geometry["impact_m"],
            disp_h_max_m=geometry["h_max_m"],
        )

    def save(self, path: Path | str) -> None:
        """Write the forests to a file."""
        record = {
            "settings": self.settings.model_dump(mode="json"),
            "seed": self.seed,
            "height": self.height.to_mapping(),
            "readout": self.readout.to_mapping(),
            "zenith": self.zenith.to_mapping(),
        }
        save_forests(path, "directions by DISP", record, [list(row) for row in self.forests])

    @classmethod
    def load(cls, path: Path | str) -> DispDirection:
        """Read forests written by `save`; see `magicnn.baselines.forest_files.load_forests`."""
        record, forests = load_forests(path, "directions by DISP")
        if "height" not in record:
            raise CheckpointError(f"{path}: directions by DISP of an older version; fit the baselines again")
        settings = validate_settings(DispSettings, record["settings"], where=str(path))
        readout, zenith = Readout.from_mapping(record.get("readout")), ZenithRange.from_mapping(record.get("zenith"))
        height = TypicalHeight.from_mapping(record["height"])
        return cls(settings, int(record["seed"]), tuple(tuple(row) for row in forests), height, readout, zenith)

    def __repr__(self) -> str:
        return (
            f"DispDirection({len(self.forests)} folds, {len(self.forests[0])} telescopes, "
            f"{self.settings.n_trees} trees per forest)"
        )


def _folds(features: FeatureTable, settings: DispSettings, seed: int) -> NDArray[np.int64]:
    """Fold of each event by its shower; of real events, which no forest has seen, by their number."""
    number = features["shower_id"] if "shower_id" in features else features["event_id"]
    return split_by_shower(number, [1.0 / settings.n_folds] * settings.n_folds, seed=seed)


def _true_source(features: FeatureTable) -> tuple[Floats, Floats]:
    return camera_from_sky(
        features["true_zenith_deg"],
        features["true_azimuth_deg"],
        features["pointing_zenith_deg"],
        features["pointing_azimuth_deg"],
    )


def _axes(features: FeatureTable) -> tuple[Floats, Floats, Floats]:
    """Centres of gravity, unit vectors along and across the major axes, [N, T, 2]."""
    psi = np.radians(features["psi_deg"].astype(np.float64))
    cog = np.stack([features["cog_x_deg"], features["cog_y_deg"]], axis=-1).astype(np.float64)
    along = np.stack([np.cos(psi), np.sin(psi)], axis=-1)
    return cog, along, np.stack([-along[..., 1], along[..., 0]], axis=-1)


_N_SIGNED = 6


def _inputs(features: FeatureTable, telescope: int) -> NDArray[np.float32]:
    """Inputs of one telescope's forests, [N, 22]; the first six change sign with the sense of the axis.

    No position in the camera is among them: the forests must not learn where simulated sources are. The other image is
    the brightest of the others.
    """
    cog, along, across = _axes(features)
    size = np.nan_to_num(features["size_pe"].astype(np.float64))
    size[:, telescope] = -1.0
    other = np.argmax(size, axis=1)[:, None]

    def of_other(name: str) -> NDArray[Any]:
        return np.take_along_axis(features[name], other, axis=1)[:, 0]

    cog_other, along_other = (np.take_along_axis(v, other[..., None], axis=1)[:, 0] for v in (cog, along))
    crossing = np.stack([features["reco_x_deg"], features["reco_y_deg"]], axis=-1)
    to_other = cog_other - cog[:, telescope]
    agree = np.where(np.sum(along[:, telescope] * along_other, axis=-1) < 0.0, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = [
            np.sum((crossing - cog[:, telescope]) * along[:, telescope], axis=-1),
            features["skewness"][:, telescope],
            features["time_slope_ns_per_deg"][:, telescope],
            np.sum(to_other * along[:, telescope], axis=-1),
            of_other("skewness") * agree,
            of_other("time_slope_ns_per_deg") * agree,
            np.abs(np.sum(to_other * across[:, telescope], axis=-1)),
            np.log10(features["size_pe"][:, telescope]),
            np.log10(of_other("size_pe")),
            features["length_deg"][:, telescope],
            of_other("length_deg"),
            features["width_deg"][:, telescope],
            of_other("width_deg"),
            features["width_deg"][:, telescope] / features["length_deg"][:, telescope],
            features["kurtosis"][:, telescope],
            features["leakage2"][:, telescope],
            features["time_rms_ns"][:, telescope],
            features["impact_m"][:, telescope],
            of_other("impact_m"),
            features["h_max_m"],
            features["stereo_angle_deg"],
            features["pointing_zenith_deg"],
        ]
    return np.stack(columns, axis=1).astype(np.float32)


def _faced(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same inputs with the sense of every axis towards the crossing."""
    faced = inputs.copy()
    faced[:, :_N_SIGNED] *= np.where(inputs[:, :1] < 0.0, -1.0, 1.0)
    return faced


def _targets(features: FeatureTable, telescope: int, source: Floats) -> Floats:
    """Distance of the source along the axis, with the sign of psi, and across it, [N, 2], degrees."""
    cog, along, across = _axes(features)
    offset = source - cog[:, telescope]
    return np.stack([np.sum(offset * v[:, telescope], axis=-1) for v in (along, across)], axis=-1)


def _train(
    inputs: NDArray[np.float32], target: Floats, fold: NDArray[np.int64], settings: DispSettings, seed: list[int]
) -> list[dict[str, Any]]:
    """Forests of one telescope for each fold; the errors are those of forests that have not seen the event."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    states = np.random.SeedSequence(seed).generate_state(4 * settings.n_folds).reshape(-1, 4)
    plain = _faced(inputs)
    # both senses of every axis, so that nothing depends on which of the two psi happens to name
    mirrored = inputs.copy()
    mirrored[:, :_N_SIGNED] *= -1.0
    both = np.concatenate([inputs, mirrored])
    is_towards = np.concatenate([target[:, 0] > 0, target[:, 0] < 0]).astype(np.int64)

    def options(state: np.uint32, *, leaf: int = 1) -> dict[str, Any]:
        return {
            "max_iter": settings.n_trees,
            "learning_rate": settings.learning_rate,
            "min_samples_leaf": leaf * settings.min_samples_leaf,
            "early_stopping": False,
            "random_state": int(state),
        }

    forests: list[dict[str, Any]] = []
    missed = np.stack([np.zeros(len(target)), np.abs(target[:, 1])], axis=1)
    with threadpool_limits(settings.n_jobs, user_api="openmp"):
        for k, state in enumerate(states):
            taught = fold != k
            distance = HistGradientBoostingRegressor(**options(state[0])).fit(plain[taught], np.abs(target[taught, 0]))
            if not taught.all():
                missed[~taught, 0] = np.abs(np.abs(target[~taught, 0]) - distance.predict(plain[~taught]))
            sense = HistGradientBoostingClassifier(**options(state[1])).fit(
                both[np.tile(taught, 2)], is_towards[np.tile(taught, 2)]
            )
            forests.append({"distance": distance, "sense": sense})
        for k, state in enumerate(states):
            taught = fold != k
            for column, name in enumerate(("along", "across")):
                forests[k][name] = HistGradientBoostingRegressor(**options(state[2 + column], leaf=2)).fit(
                    plain[taught], missed[taught, column]
                )
    return forests


def _combine(
    features: FeatureTable, distance: Floats, along: Floats, across: Floats, towards: Floats
) -> tuple[Floats, Floats, Floats]:
    """Source by the best senses of the axes, and its uncertainty (RMS of the distance), [N]."""
    cog, direction, normal = _axes(features)
    information = np.zeros((*distance.shape, 2, 2))
    for error, axis in ((along, direction), (across, normal)):
        sigma = np.maximum(_MEAN_TO_SIGMA * error, _LEAST_SIGMA_DEG)
        information += axis[..., :, None] * axis[..., None, :] / sigma[..., None, None] ** 2
    total = information.sum(axis=1)
    determinant = total[:, 0, 0] * total[:, 1, 1] - total[:, 0, 1] ** 2
    covariance = np.empty_like(total)
    covariance[:, 0, 0], covariance[:, 1, 1] = total[:, 1, 1] / determinant, total[:, 0, 0] / determinant
    covariance[:, 0, 1] = covariance[:, 1, 0] = -total[:, 0, 1] / determinant
    probability = np.clip(towards, _CERTAIN, 1.0 - _CERTAIN)
    best = np.full(len(features), np.inf)
    source = np.full((len(features), 2), np.nan)
    for senses in _senses(distance.shape[1]):
        point = cog + (senses * distance)[..., None] * direction
        pulled = np.einsum("ntij,ntj->ni", information, point)
        mean = np.einsum("nij,nj->ni", covariance, pulled)
        miss = point - mean[:, None]
        chi2 = np.einsum("nti,ntij,ntj->n", miss, information, miss)
        chi2 -= 2.0 * np.log(np.where(senses > 0, probability, 1.0 - probability)).sum(axis=1)
        better = chi2 < best
        best[better] = chi2[better]
        source[better] = mean[better]
    uncertainty = np.sqrt(np.where(np.isfinite(best), covariance[:, 0, 0] + covariance[:, 1, 1], np.nan))
    return source[:, 0], source[:, 1], uncertainty


def _senses(n_telescopes: int) -> Iterator[Floats]:
    for senses in product((1.0, -1.0), repeat=n_telescopes):
        yield np.array(senses)
