"""Typical height of the shower maximum for the light that the telescopes see, learnt from simulated gammas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import direction_vector, pointing_basis
from magicnn.images.features import FeatureTable

__all__ = ["TypicalHeight"]

Floats = NDArray[np.float64]

_LEAST_ANGLE_DEG = 0.3  # of a centre of gravity to the direction: closer ones tell nothing of the distance
_SHARES = (0.001, 0.999)
_LEAST_SPREAD = 0.05


@dataclass(frozen=True, slots=True)
class TypicalHeight:
    """Mean height of the maximum as a function of size and zenith distance.

    Attributes
    ----------
    coefficients : tuple of float
        ln(height above ground / m) is a + b s + c s^2 + d ln(cos zenith), s the mean log10(size / phe) of the images.
    size_range : (float, float)
        s is taken within this range.
    spread : float
        Half the 68 % interval of ln(height) about that.

    Notes
    -----
    Brighter showers have their maximum deeper. What is learnt is where the centres of gravity lie on the true axis, not
    where the longitudinal development peaks, since that is what a reconstruction finds.
    """

    coefficients: tuple[float, float, float, float]
    size_range: tuple[float, float]
    spread: float

    @classmethod
    def fit(cls, features: FeatureTable) -> TypicalHeight:
        """Learn from simulated gammas.

        Parameters
        ----------
        features : FeatureTable
            Needs ``size_pe, cog_x_deg, cog_y_deg``, the pointing, and the true direction and impact.

        Returns
        -------
        TypicalHeight
        """
        height = _height_on_true_axis(features)
        size, cosine = _terms(features)
        rows = np.flatnonzero(np.isfinite(height) & np.isfinite(size))
        if not len(rows):
            return cls((np.log(8000.0), 0.0, 0.0, 0.0), (0.0, 0.0), 1.0)
        target = np.log(height[rows])
        low, high = (float(q) for q in np.quantile(size[rows], _SHARES))
        design = _design(np.clip(size[rows], low, high), cosine[rows])
        found = np.linalg.lstsq(design, target, rcond=None)[0]
        down, up = np.quantile(target - design @ found, [0.1587, 0.8413])
        a, b, c, d = (float(v) for v in found)
        return cls((a, b, c, d), (low, high), max(float(0.5 * (up - down)), _LEAST_SPREAD))

    def above_ground_m(self, features: FeatureTable) -> Floats:
        """Return the typical height of the maximum above ground, [N], metres; NaN without any image."""
        size, cosine = _terms(features)
        height: Floats = np.exp(_design(np.clip(size, *self.size_range), cosine) @ np.array(self.coefficients))
        return height

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TypicalHeight:
        """Build from what a model file stores."""
        a, b, c, d = (float(v) for v in values["coefficients"])
        low, high = (float(v) for v in values["size_range"])
        return cls((a, b, c, d), (low, high), float(values["spread"]))

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for a model file."""
        return asdict(self)


def _terms(features: FeatureTable) -> tuple[Floats, Floats]:
    """Mean log10(size) of the images that are there, and ln(cos(zenith)), [N]."""
    size = np.asarray(features["size_pe"], dtype=np.float64)
    there = np.isfinite(size) & (size > 0.0)
    total = np.sum(np.log10(np.where(there, size, 1.0)), axis=1)
    number = there.sum(axis=1)
    return (
        np.where(number > 0, total / np.maximum(number, 1), np.nan),
        np.log(np.cos(np.radians(np.asarray(features["pointing_zenith_deg"], dtype=np.float64)))),
    )


def _design(size: Floats, cosine: Floats) -> Floats:
    return np.stack([np.ones_like(size), size, size**2, cosine], axis=1)


def _height_on_true_axis(features: FeatureTable) -> Floats:
    """Height above ground where the centres of gravity lie on the true axis, [N]; NaN where none is far from it."""
    axis = direction_vector(features["true_zenith_deg"], features["true_azimuth_deg"])
    local = np.stack([features["cog_x_deg"], features["cog_y_deg"]], axis=-1).astype(np.float64)
    local = np.concatenate([np.radians(local), np.ones((*local.shape[:2], 1))], axis=-1)
    sight = np.einsum(
        "nij,nti->ntj", pointing_basis(features["pointing_zenith_deg"], features["pointing_azimuth_deg"]), local
    )
    across = np.linalg.norm(np.cross(sight, axis[:, None, :]), axis=-1)
    angle = np.arctan2(across, np.sum(sight * axis[:, None, :], axis=-1))
    impact = np.asarray(features["true_impact_m"], dtype=np.float64)
    use = (angle > np.radians(_LEAST_ANGLE_DEG)) & (impact > 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(use, angle**2, 0.0)
        distance = np.where(use, impact / np.tan(angle), 0.0)
        height: Floats = np.sum(weight * distance, axis=1) / np.sum(weight, axis=1) * axis[:, 2]
    return np.where(height > 0.0, height, np.nan)
