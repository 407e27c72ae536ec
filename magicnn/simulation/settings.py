"""Settings of the detector and of productions, and how a production's YAML files fit together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from magicnn.config import Settings, apply_overrides, read_yaml, validate_settings
from magicnn.errors import ConfigError
from magicnn.generated import Generated

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

Pair = tuple[float, float]
Particle = Literal["gamma", "gamma_diffuse", "proton", "helium", "electron", "muon"]


class OpticsSettings(Settings):
    """Reflector and focus."""

    focal_length_m: float = Field(default=17.0, gt=0)
    """Focal length of the parabolic reflector."""
    focus_distance_m: float = Field(default=10_000.0, gt=0)
    """Distance of the objects that the cameras are focused on."""
    point_spread_deg: float = Field(default=0.036, ge=0)
    """Gaussian sigma per axis of the spot in the centre of the camera: tiles and their alignment."""


class ReadoutSettings(Settings):
    """Photomultipliers, night sky, digitisation and charge extraction; pairs are (M1, M2)."""

    sampling_gsps: float = Field(default=1.64, gt=0.2)
    """Sampling speed."""
    n_samples: int = Field(default=50, ge=20, le=256)
    """Samples read out per pixel."""
    window_samples: int = Field(default=5, ge=1, le=20)
    """Width of the sliding window of the charge extraction."""
    pre_trigger_ns: float = Field(default=14.0, ge=0)
    """Where the trigger lies in the readout window."""
    trigger_jitter_ns: float = Field(default=1.0, ge=0)
    """Gaussian sigma of the position of the readout window."""
    pulse_sigma_ns: float = Field(default=1.06, gt=0.1)
    """Gaussian sigma of the pulse of one photoelectron at the digitiser."""
    single_pe_spread: float = Field(default=0.45, ge=0, le=1)
    """Relative Gaussian spread of the amplitude of one photoelectron."""
    night_sky_pe_per_ns: Pair = (0.14, 0.18)
    """Photoelectrons of the night sky per ns and pixel."""
    electronic_noise_pe: Pair = (0.35, 0.45)
    """RMS of the electronic noise in a window of the charge extraction, white part."""
    baseline_noise_pe: Pair = (0.72, 0.72)
    """RMS over pixels and events of the baseline in a window of the charge extraction, slow part."""
    adc_counts_per_pe: float = Field(default=30.0, gt=0)
    """Peak amplitude of one photoelectron."""
    adc_range: int = Field(default=16384, gt=1)
    """Counts of the digitiser."""
    adc_baseline: int = Field(default=2000, ge=0)
    """Count of an empty pixel."""
    dead_pixels: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    """Unusable pixels: neither charge nor time."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window_samples > self.n_samples:
            raise ValueError(f"window_samples {self.window_samples} exceeds n_samples {self.n_samples}")
        if any(not 0 <= rate <= 5 for rate in self.night_sky_pe_per_ns):
            raise ValueError(f"night_sky_pe_per_ns {self.night_sky_pe_per_ns} lies outside 0 to 5 per ns")
        if min(*self.electronic_noise_pe, *self.baseline_noise_pe) < 0:
            raise ValueError("noise cannot be negative")
        if self.adc_baseline >= self.adc_range:
            raise ValueError(f"adc_baseline {self.adc_baseline} lies outside the range of {self.adc_range} counts")
        return self

    @property
    def sample_ns(self) -> float:
        """Time between samples."""
        return 1.0 / self.sampling_gsps

    @property
    def window_ns(self) -> float:
        """Length of the readout window."""
        return self.n_samples / self.sampling_gsps


class TriggerSettings(Settings):
    """Discriminators, next-neighbour logic and stereo coincidence."""

    threshold_pe: Pair = (3.9, 4.4)
    """Thresholds of the discriminators of M1 and M2, in amplitudes of one photoelectron."""
    coincidence_ns: float = Field(default=5.5, gt=0)
    """Length of the discriminators' signals, which must overlap in three pixels."""
    radius_deg: float = Field(default=1.24, gt=0)
    """Pixels whose centres lie within this angle (with the mirror's focal length) take part."""
    stereo_window_ns: float = Field(default=180.0, gt=0)
    """The telescopes' triggers must be this close in time."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if min(self.threshold_pe) <= 0:
            raise ValueError(f"threshold_pe {self.threshold_pe} must be positive")
        return self


class DetectorSettings(Settings):
    """Both telescopes."""

    optics: OpticsSettings = OpticsSettings()
    readout: ReadoutSettings = ReadoutSettings()
    trigger: TriggerSettings = TriggerSettings()


class SiteSettings(Settings):
    """Air, magnetic field, and the light that reaches the cameras."""

    atmosphere: Literal["magic-winter", "magic-summer"] = "magic-winter"
    """Profile of the air."""
    light_scale: float = Field(default=0.45, gt=0, le=1)
    """Factor on the detected light, on top of the published curves of mirror, light cones and photomultipliers."""
    observation_level_m: float = Field(default=2200.0, ge=0)
    """Height above sea level of the ground plane."""
    field_north_ut: float = 29.5
    """Geomagnetic field towards magnetic north, microtesla."""
    field_down_ut: float = 23.0
    """Geomagnetic field downwards, microtesla."""
    thinning_energy_fraction: float = Field(default=0.0, ge=0, le=0.1)
    """Electromagnetic particles below this fraction of the primary energy are thinned; 0 follows all of them."""
    thinning_max_weight: float = Field(default=10.0, ge=1)
    """Greatest weight of a thinned particle."""


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
    values = read_yaml(path)
    for group in ("detector", "site"):
        if isinstance(values.get(group), str):
            values[group] = _included(Path(path), values[group])
    values.setdefault("name", Path(path).stem)
    return validate_settings(ProductionSettings, apply_overrides(values, overrides), where=str(path))


def _included(path: Path, name: str) -> dict[str, Any]:
    beside = path.parent / name
    if not beside.is_file():
        raise ConfigError(f"{path}: names {name!r}, but there is no {beside}")
    return read_yaml(beside)
