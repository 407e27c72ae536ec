"""Settings of an evaluation."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from pydantic import Field, ValidationInfo, field_validator

from magicnn.config import Settings
from magicnn.evaluation.binning import ENERGY_EDGES_GEV, PUBLISHED_ZENITH_BINS_DEG, ZENITH_BINS_DEG, Range

__all__ = ["EvaluationSettings"]


class EvaluationSettings(Settings):
    """How predictions are judged."""

    settings_of: ClassVar[str] = "an evaluation"

    zenith_bins_deg: tuple[Range, ...] = Field(
        default=ZENITH_BINS_DEG + PUBLISHED_ZENITH_BINS_DEG,
        description="zenith ranges of the pointing, may overlap",
    )
    energy_edges_gev: tuple[float, ...] = Field(default=ENERGY_EDGES_GEV, description="edges of the energy bins")
    size_edges_pe: tuple[float, ...] = Field(
        default=(50.0, 100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 12800.0),
        description="edges of the bins of the size of the fainter image",
    )
    impact_edges_m: tuple[float, ...] = Field(
        default=(0.0, 50.0, 75.0, 100.0, 125.0, 150.0, 200.0, 300.0),
        description="edges of the bins of the farther telescope's distance to the shower axis",
    )
    gamma_efficiencies: tuple[float, ...] = Field(
        default=(0.5, 0.7, 0.9), description="shares of the diffuse gammas that cuts keep"
    )
    binned_gamma_efficiency: float = Field(
        default=0.7, gt=0.0, lt=1.0, description="the one of them that is used in energy bins"
    )
    min_background: int = Field(default=10, ge=1, description="protons that the cut of the largest Q must leave")
    theta2_cut_deg2: float = Field(
        default=0.02, gt=0.0, description="circle around the source for rates and purity: squared angle, deg2"
    )
    background_radius_deg: float = Field(
        default=1.0, gt=0.0, description="the density of protons is averaged over reconstructed directions within this"
    )
    threshold_index: float = Field(default=2.6, description="spectrum E^-index for the energy threshold")
    n_replicates: int = Field(default=300, ge=20, description="resampled sets for the bootstrap over showers")
    seed: int = Field(default=0, ge=0, description="seed of the bootstrap")
    energy_reference: tuple[str, ...] = Field(
        default=("LUT", "forest"),
        description="methods whose energy bins the classification, in order of preference; then any other",
    )
    comparisons: tuple[tuple[str, str], ...] = Field(
        default=(("CNN", "forest"), ("CNN", "LUT")), description="pairs of methods that are compared on the same events"
    )
    comparison_min_events: int = Field(
        default=200, ge=1, description="events that an energy bin needs to enter the mean of the resolution ratios"
    )

    @field_validator("gamma_efficiencies")
    @classmethod
    def _shares(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0.0 < v < 1.0 for v in values):
            raise ValueError("gamma efficiencies lie between 0 and 1")
        return values

    @field_validator("zenith_bins_deg")
    @classmethod
    def _ranges(cls, values: tuple[Range, ...]) -> tuple[Range, ...]:
        if not values:
            raise ValueError("at least one zenith range is needed")
        if not all(0.0 <= low < high <= 90.0 for low, high in values):
            raise ValueError("a zenith range is [lower, upper] in degrees, 0 <= lower < upper <= 90")
        return values

    @field_validator("energy_edges_gev", "size_edges_pe", "impact_edges_m")
    @classmethod
    def _ascending(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        if len(values) < 2 or any(b <= a for a, b in pairwise(values)):
            raise ValueError(f"{str(info.field_name).split('_')[0]} edges must ascend")
        return values
