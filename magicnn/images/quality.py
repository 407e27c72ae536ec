"""Quality cuts: which events are reconstructed well enough to be used, the same for every method."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from magicnn.config import Settings
from magicnn.images.features import FeatureTable

__all__ = ["STANDARD_QUALITY", "QualitySettings", "cut_flow", "missing_parameters", "passes_quality"]


class QualitySettings(Settings):
    """Cuts on image and stereo parameters; an event needs all of its images to pass.

    The defaults are MAGIC's standard ones: more than 50 phe and a width in each telescope, and image axes that cross
    (the stereo angle is a setting of the stereo reconstruction).
    """

    min_size_pe: float = Field(default=50.0, ge=0, description="every cleaned image has more than this, phe")
    max_leakage2: float = Field(
        default=1.0, gt=0, le=1, description="largest fraction of the size in the two outermost rings of pixels"
    )
    require_stereo: bool = Field(default=True, description="the image axes can be crossed")


STANDARD_QUALITY = QualitySettings()
"""MAGIC's standard cuts."""


def passes_quality(features: FeatureTable, settings: QualitySettings = STANDARD_QUALITY) -> NDArray[np.bool_]:
    """Tell which events pass all cuts.

    Parameters
    ----------
    features : FeatureTable
        Needs ``size_pe, width_deg, leakage2, is_stereo``.
    settings : QualitySettings
        The cuts.

    Returns
    -------
    bool array, [N]
    """
    passed = np.ones(len(features), dtype=bool)
    for _, kept in _cuts(features, settings):
        passed &= kept
    return passed


def cut_flow(features: FeatureTable, settings: QualitySettings = STANDARD_QUALITY) -> dict[str, int]:
    """Count the events left after each cut.

    Parameters
    ----------
    features : FeatureTable
        As for `passes_quality`.
    settings : QualitySettings
        The cuts.

    Returns
    -------
    dict of str to int
        In the order of the cuts, from all events on.
    """
    passed = np.ones(len(features), dtype=bool)
    flow = {"events": len(features)}
    for name, kept in _cuts(features, settings):
        passed &= kept
        flow[name] = int(passed.sum())
    return flow


def missing_parameters(features: FeatureTable) -> list[tuple[str, NDArray[np.bool_]]]:
    """Tell which events lack the parameters that estimates are made from, and why.

    Parameters
    ----------
    features : FeatureTable
        Needs ``size_pe, is_stereo``.

    Returns
    -------
    list of (str, bool array [N])
        A reason in words and the events that it holds for; every event has one reason at most.
    """
    n_images = (np.nan_to_num(features["size_pe"]) > 0.0).sum(axis=1)
    n_telescopes = features["size_pe"].shape[1]
    return [
        ("no image after the cleaning", n_images == 0),
        ("no image in one telescope", (n_images > 0) & (n_images < n_telescopes)),
        ("image axes that do not cross", (n_images == n_telescopes) & ~features["is_stereo"]),
    ]


def _cuts(features: FeatureTable, settings: QualitySettings) -> list[tuple[str, NDArray[np.bool_]]]:
    cuts = [
        (f"size > {settings.min_size_pe:g} phe in each telescope", features["size_pe"] > settings.min_size_pe),
        ("width > 0 in each telescope", features["width_deg"] > 0.0),
    ]
    if settings.max_leakage2 < 1.0:
        cuts.append((f"leakage2 <= {settings.max_leakage2:g}", features["leakage2"] <= settings.max_leakage2))
    flow = [(name, np.asarray(kept.all(axis=1))) for name, kept in cuts]
    if settings.require_stereo:
        flow.append(("image axes cross", features["is_stereo"]))
    return flow
