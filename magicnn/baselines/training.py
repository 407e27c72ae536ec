"""What the baselines ask of their training events: which, with what weight, seen how and where."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.events import event_weight
from magicnn.images.features import FeatureTable
from magicnn.images.quality import QualitySettings, passes_quality
from magicnn.readout import Readout
from magicnn.zenith import ZenithRange

__all__ = ["Seen", "is_gamma", "seen", "training_events", "training_weights"]


class Seen(TypedDict):
    """What every baseline keeps of its training events."""

    readout: Readout
    zenith: ZenithRange


def is_gamma(features: FeatureTable) -> NDArray[np.bool_]:
    """Tell gammas from other particles by ``true_particle``, [N]; without it all are gammas."""
    if "true_particle" not in features:
        return np.ones(len(features), dtype=bool)
    gammas: NDArray[np.bool_] = features["true_particle"] == 22
    return gammas


def training_events(features: FeatureTable, quality: QualitySettings, *, gammas_only: bool = True) -> NDArray[np.bool_]:
    """Tell which events pass the quality cuts, and are gammas where those are wanted alone, [N]."""
    passed = passes_quality(features, quality)
    return passed & is_gamma(features) if gammas_only else passed


def training_weights(features: FeatureTable, weights: ArrayLike | None) -> NDArray[np.float64]:
    """Return given weights, or else the thrown events that each event stands for, [N]."""
    return event_weight(features.columns) if weights is None else np.asarray(weights, dtype=np.float64)


def seen(features: FeatureTable) -> Seen:
    """Return readout and zenith range of training events."""
    return {"readout": Readout.of(features.meta), "zenith": ZenithRange.of(features["pointing_zenith_deg"])}
