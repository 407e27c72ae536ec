"""Prediction tables of trained baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from magicnn.array import separation_deg
from magicnn.errors import ConfigError
from magicnn.images.features import FeatureTable
from magicnn.images.quality import STANDARD_QUALITY, QualitySettings, cut_flow, passes_quality
from magicnn.predictions import PREDICTION_COLUMNS, PredictionTable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EnergyEstimator", "GammaHadronEstimator", "event_columns", "predict_table"]

Floats = NDArray[np.float64]


class EnergyEstimator(Protocol):
    """Lookup table or forest for the energy."""

    def predict(self, features: FeatureTable) -> tuple[Floats, Floats]:
        """Return energies and uncertainties, [N], GeV."""
        ...


class GammaHadronEstimator(Protocol):
    """Forest for gamma/hadron separation."""

    def predict(self, features: FeatureTable) -> Floats:
        """Return how gamma-like each event is, [N], 0 to 1."""
        ...


def predict_table(
    features: FeatureTable,
    *,
    method: str,
    classifier: GammaHadronEstimator | None = None,
    energy: EnergyEstimator | None = None,
    quality: QualitySettings = STANDARD_QUALITY,
    meta: Mapping[str, Any] | None = None,
) -> PredictionTable:
    """Apply trained baselines to the events of a feature table.

    Parameters
    ----------
    features : FeatureTable
        The events, any particle.
    method : str
        Name in reports.
    classifier : GammaHadronEstimator, optional
        Gives ``gammaness``; the column is absent without.
    energy : EnergyEstimator, optional
        Gives ``reco_energy_gev`` and its uncertainty; absent without.
    quality : QualitySettings
        Cuts behind ``is_valid``.
    meta : mapping, optional
        Kept with the predictions, besides the cut flow.

    Returns
    -------
    PredictionTable
        Row i is event i; see `event_columns` for what does not depend on the method.

    Raises
    ------
    ConfigError
        Neither a classifier nor an energy estimator is given.
    """
    if classifier is None and energy is None:
        raise ConfigError(f"predictions of {method}: give a classifier, an energy estimator, or both")
    columns = event_columns(features, quality)
    if classifier is not None:
        columns["gammaness"] = classifier.predict(features)
    if energy is not None:
        columns["reco_energy_gev"], columns["reco_energy_uncert_gev"] = energy.predict(features)
    return PredictionTable(
        method,
        columns,
        particle=features.meta.particle,
        generated=features.meta.generated,
        meta={**(meta or {}), "cut_flow": cut_flow(features, quality)},
    )


def event_columns(features: FeatureTable, quality: QualitySettings = STANDARD_QUALITY) -> dict[str, NDArray[Any]]:
    """Return what every method's prediction table says alike: ids, pointing, truth, direction, size and validity.

    Parameters
    ----------
    features : FeatureTable
        The events.
    quality : QualitySettings
        Cuts behind ``is_valid``.

    Returns
    -------
    dict of str to array, [N]
        The direction is that by DISP where the table has it, else that of the crossed axes.
    """
    columns = {n: v for n, v in features.columns.items() if n in PREDICTION_COLUMNS and v.ndim == 1}
    if "disp_zenith_deg" in features:
        columns["reco_zenith_deg"] = features["disp_zenith_deg"]
        columns["reco_azimuth_deg"] = features["disp_azimuth_deg"]
    if "true_zenith_deg" in features:
        reco = columns["reco_zenith_deg"], columns["reco_azimuth_deg"]
        columns["theta2_deg2"] = separation_deg(*reco, features["true_zenith_deg"], features["true_azimuth_deg"]) ** 2
    if "true_impact_m" in features:
        columns["true_impact_max_m"] = features["true_impact_m"].max(axis=1)
    columns["size_min_pe"] = features["size_pe"].min(axis=1)
    columns["is_valid"] = passes_quality(features, quality)
    return columns
