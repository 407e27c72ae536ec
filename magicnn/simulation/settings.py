"""Settings of productions, and how a production's YAML files fit together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from magicnn.config import Settings, apply_overrides, read_yaml, validate_settings
from magicnn.errors import ConfigError
from magicnn.generated import Generated
from magicnn.simulation.instrument_settings import (
    DetectorSettings,
    OpticsSettings,
    ReadoutSettings,
    SiteSettings,
    TriggerSettings,
)

__all__ = [
    "DetectorSettings",
    "OpticsSettings",
    "ProductionSettings",
    "ReadoutSettings",
    "RouletteSettings",
    "SiteSettings",
    "TriggerSettings",
    "settings_from_yaml",
]

Particle = Literal["gamma", "gamma_diffuse", "proton", "helium", "electron", "muon"]

_LEAST_ZENITH_WIDTH_DEG = 0.1


class RouletteSettings(Settings):
    """Which thrown uses of a shower are simulated: all that may well trigger and few others, which get a weight."""

    heights_m: tuple[float, float] = (2_000.0, 20_000.0)
    """Lowest and greatest height above the telescopes of the part of the axis whose image counts."""
    image_deg: float = Field(gt=0)
    """All uses are simulated whose axis, between these heights, is seen this close to the centre of the cameras."""
    image_width_deg: float = Field(gt=0)
    """Farther out the share of simulated uses falls by the factor e with every such angle."""
    axis_m: float = Field(gt=0)
    """All uses are simulated whose axis is this close to the telescopes, for E cos^2(zenith) = 1 TeV; distances count
    times cos(zenith)."""
    axis_energy_exponent: float = Field(default=0.0, ge=0, le=1)
    """That distance grows with this power of E cos^2(zenith)."""
    axis_width_m: float = Field(gt=0)
    """Farther out the share falls by the factor e with every such distance."""
    smallest: float = Field(default=0.02, gt=0, le=1)
    """Smallest share, whatever angle and distance: no weight exceeds its inverse."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.heights_m[0] < self.heights_m[1]:
            raise ValueError(f"heights_m {self.heights_m} must be positive and ascend")
        return self


class ProductionSettings(Settings):
    """What is thrown at the telescopes."""

    settings_of: ClassVar[str] = "a production"
    example_file: ClassVar[str] = "mc_configs/gamma_za05to35.yaml"

    name: str = Field(min_length=1)
    """Name of the production; part of every random stream."""
    particle: Particle
    """Gammas from one angle to the pointing, or any species from all over the view cone."""
    spectral_index: float = Field(gt=0, lt=5)
    """Thrown spectrum dN/dE = E^-index."""
    energy_min_gev: float = Field(gt=1)
    """Lowest energy."""
    energy_max_gev: float = Field(gt=1)
    """Highest energy."""
    zenith_min_deg: float = Field(ge=0, le=72)
    """Pointing: smallest zenith distance."""
    zenith_max_deg: float = Field(ge=0, le=72)
    """Pointing: greatest zenith distance; thrown evenly in its cosine."""
    viewcone_min_deg: float = Field(default=0.0, ge=0, le=10)
    """Directions: smallest angle to the pointing."""
    viewcone_max_deg: float = Field(ge=0, le=10)
    """Directions: greatest angle to the pointing, evenly in solid angle; equal to the smallest one for a ring."""
    scatter_radius_m: float = Field(gt=0)
    """Radius of the disc of cores, normal to the axis, for 1 TeV from the zenith."""
    scatter_energy_exponent: float = Field(default=0.0, ge=0, le=1)
    """The radius grows as (E / TeV)^exponent."""
    scatter_zenith_exponent: float = Field(default=0.0, ge=0, le=3)
    """The radius grows as cos(zenith)^-exponent."""
    reuse: int = Field(default=10, ge=1, le=1000)
    """Thrown uses of each shower, every one with a core and a pointing of its own."""
    roulette: RouletteSettings | None = None
    """Which of the thrown uses are simulated; all when not given."""
    keep_truth: bool = False
    """Keep the photoelectrons of every pixel and the muons of the shower, too."""
    showers_per_chunk: int = Field(default=16, ge=1, le=10_000)
    """Showers simulated, counted and kept together."""
    detector: DetectorSettings = DetectorSettings()
    site: SiteSettings = SiteSettings()

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for low, high, what in (
            (self.energy_min_gev, self.energy_max_gev, "energy_min_gev and energy_max_gev"),
            (self.zenith_min_deg, self.zenith_max_deg, "zenith_min_deg and zenith_max_deg"),
            (self.viewcone_min_deg, self.viewcone_max_deg, "viewcone_min_deg and viewcone_max_deg"),
        ):
            if low > high:
                raise ValueError(f"{what} are in the wrong order: {low:g} and {high:g}")
        width = self.zenith_max_deg - self.zenith_min_deg
        if self.reuse > 1 and width < _LEAST_ZENITH_WIDTH_DEG:
            raise ValueError(
                f"a zenith range of {width:g} deg is too narrow for other pointings to the same shower; "
                f"widen it to {_LEAST_ZENITH_WIDTH_DEG:g} deg, or give reuse: 1"
            )
        if self.particle not in ("gamma", "muon") and self.viewcone_max_deg == self.viewcone_min_deg:
            raise ValueError(f"{self.particle} needs a view cone, viewcone_max_deg above viewcone_min_deg")
        if self.roulette is not None and self.viewcone_max_deg == self.viewcone_min_deg:
            raise ValueError("roulette needs a view cone: energies and effective areas of a ring are not weighted")
        return self

    @property
    def primary(self) -> str:
        """The particle that makes the shower, as `magicnn.simulation.showers.PARTICLES` names it."""
        return self.particle.removesuffix("_diffuse")

    def generated(self, n_thrown: int) -> Generated:
        """Say what was thrown, for effective areas and rates."""
        return Generated(
            particle=self.particle,
            spectral_index=self.spectral_index,
            energy_min_gev=self.energy_min_gev,
            energy_max_gev=self.energy_max_gev,
            n_thrown=n_thrown,
            scatter_radius_m=self.scatter_radius_m,
            scatter_energy_exponent=self.scatter_energy_exponent,
            scatter_zenith_exponent=self.scatter_zenith_exponent,
            viewcone_min_deg=self.viewcone_min_deg,
            viewcone_max_deg=self.viewcone_max_deg,
            zenith_min_deg=self.zenith_min_deg,
            zenith_max_deg=self.zenith_max_deg,
        )


def settings_from_yaml(path: Path | str, overrides: Sequence[str] = ()) -> ProductionSettings:
    """Read the settings of a production.

    Parameters
    ----------
    path : path
        YAML file. ``detector`` and ``site`` may be names of other YAML files beside it.
    overrides : sequence of str
        ``key.sub=value``, applied after the other files were read.

    Returns
    -------
    ProductionSettings

    Raises
    ------
    ConfigError
        A file is missing or not YAML, or a setting is missing, unknown or wrong.
    """
    values = read_yaml(path, ProductionSettings)
    for group, model in (("detector", DetectorSettings), ("site", SiteSettings)):
        if isinstance(values.get(group), str):
            values[group] = _included(Path(path), values[group], model)
    values.setdefault("name", Path(path).stem)
    return validate_settings(ProductionSettings, apply_overrides(values, overrides), where=str(path))


def _included(path: Path, name: str, model: type[Settings]) -> dict[str, Any]:
    beside = path.parent / name
    if not beside.is_file():
        raise ConfigError(f"{path}: names {name!r}, but there is no {beside}")
    return read_yaml(beside, model)
