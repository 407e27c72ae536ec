"""Settings of the comparison of networks with lookup tables and forests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from magicnn.baselines.suite import BaselineSettings
from magicnn.config import Settings, apply_overrides, read_yaml, validate_settings
from magicnn.errors import ConfigError, nearest_names
from magicnn.evaluation.response import ResponseSettings
from magicnn.evaluation.settings import EvaluationSettings
from magicnn.evaluation.source import SignalSettings
from magicnn.images.features import FeatureSettings
from magicnn.images.quality import QualitySettings
from magicnn.nn.settings import ModelSettings, PredictSettings

__all__ = ["PARTICLES", "ComparisonSettings", "EventCounts", "load_comparison"]

PARTICLES = ("gamma", "gamma_diffuse", "proton")
"""Productions of each zenith range: gammas on a ring for energy and rates, diffuse gammas against protons."""


class EventCounts(Settings):
    """Triggered events to simulate in each zenith range."""

    gamma: int = Field(default=4200, ge=1)
    """Gammas on the ring."""
    gamma_diffuse: int = Field(default=3500, ge=1)
    """Gammas from all over the view cone."""
    proton: int = Field(default=2300, ge=1)
    """Protons from all over the view cone."""


class ComparisonSettings(Settings):
    """The whole job, from simulated showers to the report."""

    settings_of: ClassVar[str] = "a comparison"
    example_file: ClassVar[str] = "analysis/full_comparison.yaml"

    title: str = "Networks against lookup tables and forests"
    """Title of the report."""
    seed: int = Field(default=1, ge=0)
    """Seed of everything random, also of the networks and the bootstrap unless they name their own."""
    mc_configs: Path = Path("mc_configs")
    """Folder of the productions' YAML files, relative to the YAML file of the job."""
    zenith_ranges: tuple[str, ...] = Field(default=("za05to35", "za35to50", "za50to62", "za62to70"), min_length=1)
    """Zenith ranges; with each particle they name a production's YAML file, such as ``gamma_za05to35.yaml``."""
    production: Mapping[str, Any] = Field(default_factory=dict)
    """Settings of ``magicnn simulate`` changed for every production, with dotted names."""
    events: EventCounts = EventCounts()
    """Triggered events of each zenith range."""
    test_fraction: float = Field(default=0.3, gt=0, lt=1)
    """Share of the showers that no method is trained on."""
    features: FeatureSettings = FeatureSettings()
    """Cleaning and image parameters."""
    quality: QualitySettings = QualitySettings()
    """Cuts that decide which events are judged, the same for all methods."""
    baselines: BaselineSettings = BaselineSettings()
    """Direction by DISP, lookup tables and forests."""
    classifier: ModelSettings = ModelSettings()
    """Network for gamma/hadron."""
    energy: ModelSettings = ModelSettings()
    """Network for energy."""
    predict: PredictSettings = PredictSettings()
    """How networks are applied."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Bins, cuts and bootstrap."""
    response: ResponseSettings = ResponseSettings()
    """Bins, cuts and time of instrument responses and sensitivities."""
    signal: SignalSettings | None = None
    """Source that the real events are of, and how it is looked for; nothing is looked for without."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.zenith_ranges)) != len(self.zenith_ranges):
            raise ValueError(f"zenith_ranges names a range twice: {', '.join(self.zenith_ranges)}")
        if self.classifier.training.heads != ("particle",) or self.energy.training.heads != ("energy",):
            raise ValueError("classifier.training.heads must be [particle] and energy.training.heads [energy]")
        return self


def load_comparison(
    path: Path | str, overrides: Sequence[str] = (), *, preset: str | None = None
) -> ComparisonSettings:
    """Read the settings of a comparison.

    Parameters
    ----------
    path : path
        YAML file; its section ``presets`` holds named groups of changes with dotted names.
    overrides : sequence of str
        ``key.sub=value``; applied after the preset.
    preset : str, optional
        Name of a preset to apply.

    Returns
    -------
    ComparisonSettings
        With ``mc_configs`` resolved.

    Raises
    ------
    ConfigError
        The file is missing or wrong, or there is no such preset.
    """
    values = read_yaml(path, ComparisonSettings)
    presets = values.pop("presets", None) or {}
    if preset is not None:
        if preset not in presets:
            raise ConfigError(f"{path}: no preset {preset!r}; {nearest_names(preset, presets)}")
        values = _merged(values, presets[preset])
    settings = validate_settings(ComparisonSettings, _seeded(apply_overrides(values, overrides)), where=str(path))
    if settings.mc_configs.is_absolute():
        return settings
    return settings.model_copy(update={"mc_configs": Path(path).parent / settings.mc_configs})


def _seeded(values: dict[str, Any]) -> dict[str, Any]:
    """Give the seed of the job to the groups that have one of their own and do not say it."""
    if isinstance(values.get("seed"), int):
        seed = {"seed": values["seed"]}
        own = {"classifier": {"training": seed}, "energy": {"training": seed}, "evaluation": seed}
        return dict(_merged(own, values))
    return values


def _merged(values: Any, changes: Any) -> Any:
    if not isinstance(values, Mapping) or not isinstance(changes, Mapping):
        return changes
    return {**values, **{k: _merged(values.get(k), v) for k, v in changes.items()}}
