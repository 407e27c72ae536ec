"""Angular resolution: the angles around the true direction that hold given shares of the events."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.array import camera_from_sky
from magicnn.evaluation.intervals import CONFIDENCE
from magicnn.evaluation.resampling import Ranked, Resampled
from magicnn.evaluation.samples import Sample

__all__ = ["CONTAINMENT", "direction_statistic", "offset_deg", "theta2_deg2"]

Floats = NDArray[np.float64]

CONTAINMENT = {
    "angular_resolution_39": 1.0 - exp(-0.5),
    "angular_resolution_68": CONFIDENCE,
    "angular_resolution_95": 0.9545,
}
"""Shares of the events inside of the angle. One standard deviation of a two-dimensional Gaussian holds 39.35 %."""


def direction_statistic(theta2: ArrayLike, weights: ArrayLike | None = None) -> Callable[[Resampled], Floats]:
    """Prepare the angular resolution for resampling.

    Parameters
    ----------
    theta2 : array_like, [N], deg2
        Squared angles of reconstructed to true directions, finite.
    weights : array_like, [N], optional
        Thrown events that each event stands for.

    Returns
    -------
    callable
        Resampled sets of the events to float64 [b, 3], deg, in the order of `CONTAINMENT`; NaN for an empty set.
    """
    theta = np.sqrt(np.asarray(theta2, dtype=np.float64))
    weight = None if weights is None else np.asarray(weights, dtype=np.float64)
    return lambda sets: Ranked(sets, theta, weight).quantiles(list(CONTAINMENT.values()))


def theta2_deg2(sample: Sample, method: str) -> Floats:
    """Squared angle of the method's direction to the true one, [N]; NaN where there is none."""
    said = sample.predictions[method]
    if np.isfinite(said["theta2_deg2"]).any():
        return said["theta2_deg2"]
    true = sample.columns["true_zenith_deg"], sample.columns["true_azimuth_deg"]
    x, y = camera_from_sky(said["reco_zenith_deg"], said["reco_azimuth_deg"], *true)
    squared: Floats = x**2 + y**2
    return squared


def offset_deg(sample: Sample, method: str) -> Floats:
    """Angle of the method's direction to the pointing, [N]; NaN where there is none."""
    said = sample.predictions[method]
    pointing = sample.columns["pointing_zenith_deg"], sample.columns["pointing_azimuth_deg"]
    return np.hypot(*camera_from_sky(said["reco_zenith_deg"], said["reco_azimuth_deg"], *pointing))
