"""Rates inside of the circle around a point source: gammas of the Crab Nebula and protons."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from magicnn.array import camera_from_sky
from magicnn.evaluation.binning import Range
from magicnn.evaluation.classification import RateSample
from magicnn.evaluation.samples import Sample
from magicnn.evaluation.settings import EvaluationSettings
from magicnn.evaluation.spectra import crab_flux, event_rates_hz, proton_flux

__all__ = ["Rates", "rate_samples", "sample_rates_hz"]

Floats = NDArray[np.float64]
Rates = tuple[Sample, RateSample, RateSample]


def sample_rates_hz(sample: Sample, zenith: Range, flux: Callable[[Floats], Floats]) -> Floats:
    """Rate that each event of a sample in a zenith range stands for, [N], 1/s; see `event_rates_hz`."""
    pointing, true = sample.columns["pointing_zenith_deg"], sample.columns["true_zenith_deg"]
    return sample.weight * event_rates_hz(
        sample.generated,
        sample.columns["true_energy_gev"],
        np.where(np.isfinite(true), true, pointing),
        pointing,
        zenith,
        flux,
    )


def rate_samples(
    method: str, ring: Sample, proton: Sample, zenith: Range, settings: EvaluationSettings
) -> Rates | None:
    """Rates inside of the circle around a point source; None without productions or reconstructed directions."""
    if not (len(ring) and len(proton) and ring.generated and proton.generated and ring.has(method, "gammaness")):
        return None
    ring = ring.select(ring.judged([method], "gammaness"))
    theta2 = _theta2_deg2(ring, method)
    distance = _offset_deg(proton, method)
    if not np.isfinite(theta2).any() or not np.isfinite(distance).any():
        return None
    gamma_hz = sample_rates_hz(ring, zenith, crab_flux)
    proton_hz = sample_rates_hz(proton, zenith, proton_flux)
    share = settings.theta2_cut_deg2 / settings.background_radius_deg**2
    return (
        ring,
        RateSample(
            ring.predictions[method]["gammaness"],
            np.where(theta2 < settings.theta2_cut_deg2, np.nan_to_num(gamma_hz), 0.0),
        ),
        RateSample(
            proton.predictions[method]["gammaness"],
            np.where(distance < settings.background_radius_deg, np.nan_to_num(proton_hz) * share, 0.0),
        ),
    )


def _theta2_deg2(sample: Sample, method: str) -> Floats:
    """Squared angle of the method's direction to the true one."""
    said = sample.predictions[method]
    if np.isfinite(said["theta2_deg2"]).any():
        return said["theta2_deg2"]
    x, y = camera_from_sky(
        said["reco_zenith_deg"],
        said["reco_azimuth_deg"],
        sample.columns["true_zenith_deg"],
        sample.columns["true_azimuth_deg"],
    )
    squared: Floats = x**2 + y**2
    return squared


def _offset_deg(sample: Sample, method: str) -> Floats:
    """Angle of the method's direction to the pointing."""
    said = sample.predictions[method]
    x, y = camera_from_sky(
        said["reco_zenith_deg"],
        said["reco_azimuth_deg"],
        sample.columns["pointing_zenith_deg"],
        sample.columns["pointing_azimuth_deg"],
    )
    return np.hypot(x, y)
