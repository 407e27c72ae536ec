"""Settings of the forests, and the published ones of magic-cta-pipe by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, model_validator

from magicnn.config import Settings
from magicnn.images.quality import QualitySettings

__all__ = ["RECIPES", "Averaging", "ForestSettings"]

RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "magicnn": {},
        "magic-cta-pipe": {
            "classifier_trees": 100,
            "classifier_depth": 100,
            "gammaness_weights": "size",
            "energy_weights": "size",
        },
    }
)
"""Named defaults of `ForestSettings`. Those of magic-cta-pipe are the ones published with it (its ``config.yaml``):
another size of the gamma/hadron forests, and energies averaged with the size of the images; the rest is alike."""

Averaging = Literal["size", "variance", "simple"]
"""Weights of the telescopes' estimates in their mean."""


class ForestSettings(Settings):
    """Size of the forests, how the telescopes are averaged, and what the forests are trained on."""

    recipe: Literal["magicnn", "magic-cta-pipe"] = Field(
        default="magicnn", description="defaults of the other settings, by the name of whose they are (`RECIPES`)"
    )
    n_trees: int = Field(default=150, ge=1, description="trees per telescope")
    max_depth: int = Field(default=50, ge=1, description="greatest depth of a tree")
    classifier_trees: int | None = Field(
        default=None, ge=1, description="trees per telescope for gamma/hadron; n_trees when not given"
    )
    classifier_depth: int | None = Field(
        default=None, ge=1, description="greatest depth of a tree for gamma/hadron; max_depth when not given"
    )
    min_samples_leaf: int = Field(default=2, ge=1, description="fewest training events in a leaf")
    gammaness_weights: Averaging = Field(
        default="size", description="what telescopes are averaged with: size, 1 / variance of a choice of two, or alike"
    )
    energy_weights: Averaging = Field(
        default="variance", description="what telescopes are averaged with: size, 1 / variance of the trees, or alike"
    )
    unsigned: bool = Field(
        default=True,
        description="use skewness and time slope without sign, which depends on the arbitrary sense of the major axis",
    )
    n_jobs: int = Field(default=2, ge=1, description="threads for training; the result does not depend on it")
    quality: QualitySettings = Field(default=QualitySettings(), description="events that the forests are trained on")

    @model_validator(mode="before")
    @classmethod
    def _from_recipe(cls, values: Any) -> Any:
        recipe = values.get("recipe") if isinstance(values, Mapping) else None
        return {**RECIPES[recipe], **values} if isinstance(recipe, str) and recipe in RECIPES else values
