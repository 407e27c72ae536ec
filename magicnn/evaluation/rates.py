"""Rates inside of the circle around a point source: gammas of the Crab Nebula and protons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import Range
from magicnn.evaluation.direction import offset_deg, theta2_deg2
from magicnn.evaluation.samples import Sample
from magicnn.evaluation.settings import EvaluationSettings
from magicnn.evaluation.spectra import crab_flux, event_rates_hz, proton_flux

__all__ = ["Rates", "rate_samples", "sample_rates_hz"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rates:
    """Rates inside of the circle around a point source that events stand for.

    Attributes
    ----------
    source : Sample
        Point-like gammas, [Nr].
    source_hz : float64 array, [Nr]
        Their rates from the Crab Nebula; 0 for those reconstructed outside.
    proton_hz : float64 array, [Np]
        Rates of the protons; 0 for those that are not in the region.
    """

    source: Sample
    source_hz: Floats
    proton_hz: Floats

    def select(self, in_source: NDArray[np.bool_], in_proton: NDArray[np.bool_]) -> Rates:
        """Return the events of two masks."""
        return Rates(self.source.select(in_source), self.source_hz[in_source], self.proton_hz[in_proton])


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
    theta2 = theta2_deg2(ring, method)
    distance = offset_deg(proton, method)
    if not np.isfinite(theta2).any() or not np.isfinite(distance).any():
        return None
    gamma_hz = sample_rates_hz(ring, zenith, crab_flux)
    proton_hz = sample_rates_hz(proton, zenith, proton_flux)
    share = settings.theta2_cut_deg2 / settings.background_radius_deg**2
    return Rates(
        ring,
        np.where(theta2 < settings.theta2_cut_deg2, np.nan_to_num(gamma_hz), 0.0),
        np.where(distance < settings.background_radius_deg, np.nan_to_num(proton_hz) * share, 0.0),
    )
