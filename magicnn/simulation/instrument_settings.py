"""Settings of what stands on the ground: light, reflectors, cameras, read-out, trigger. Pairs are (M1, M2)."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from magicnn.config import Settings

__all__ = [
    "DetectorSettings",
    "LightBudget",
    "OpticsSettings",
    "ReadoutMode",
    "ReadoutSettings",
    "SiteSettings",
    "Star",
    "TriggerSettings",
]

Pair = tuple[float, float]


class OpticsSettings(Settings):
    """Reflector and focus."""

    focal_length_m: float = Field(default=17.0, gt=0)
    """Focal length of the parabolic reflector."""
    focus_distance_m: float = Field(default=10_000.0, gt=0)
    """Distance of the objects that the cameras are focused on."""
    point_spread_deg: float = Field(default=0.036, ge=0)
    """Gaussian sigma per axis of the spot in the centre of the camera: tiles and their alignment."""
    relative_efficiency: Pair = (1.0, 1.0)
    """Share of the photoelectrons that either telescope keeps, where one is worse than the site's light says."""

    @model_validator(mode="after")
    def _a_share(self) -> Self:
        if any(not 0 < share <= 1 for share in self.relative_efficiency):
            raise ValueError(f"relative_efficiency {self.relative_efficiency} must lie above 0 and not above 1")
        return self


class ReadoutMode(Settings):
    """Sampling of one epoch of the read-out."""

    sampling_gsps: float = Field(gt=0.2)
    """Sampling speed."""
    n_samples: int = Field(ge=20, le=256)
    """Samples read out per pixel."""
    search_samples: tuple[int, int] = (0, 256)
    """First sample, and the one after the last, in which the charge extraction looks for its window."""


class Star(Settings):
    """A star in the field of view."""

    magnitude_b: float = Field(ge=-2, le=12)
    """Magnitude in the B band."""
    x_deg: float = Field(ge=-3, le=3)
    """Direction relative to the pointing, towards higher altitude."""
    y_deg: float = Field(ge=-3, le=3)
    """Direction relative to the pointing, towards larger azimuth."""


_MODES = {
    "2014": ReadoutMode(sampling_gsps=1.64, n_samples=50),
    "2012": ReadoutMode(sampling_gsps=2.05, n_samples=80, search_samples=(4, 66)),
}
_SKIES: dict[str, Pair] = {
    "dark": (0.093, 0.12),
    "galactic": (0.14, 0.18),
    "moon-3": (0.42, 0.54),
    "moon-6": (0.84, 1.08),
}


class ReadoutSettings(Settings):
    """Photomultipliers, night sky, digitisation and charge extraction."""

    mode: str = "2014"
    """Which of ``modes`` gives ``sampling_gsps``, ``n_samples`` and ``search_samples``, unless they are given."""
    modes: dict[str, ReadoutMode] = Field(default=_MODES)
    """Named epochs of the read-out."""
    sampling_gsps: float = Field(default=1.64, gt=0.2)
    """Sampling speed."""
    n_samples: int = Field(default=50, ge=20, le=256)
    """Samples read out per pixel."""
    search_samples: tuple[int, int] = (0, 256)
    """First sample, and the one after the last, in which the charge extraction looks for its window."""
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
    afterpulse_probability: float = Field(default=0.01, ge=0, le=0.2)
    """Afterpulses per photoelectron of the night sky."""
    afterpulse_amplitude_pe: float = Field(default=1.5, ge=0, le=20)
    """Mean of the exponential distribution of their amplitudes."""
    night_sky: str = "galactic"
    """Which of ``night_sky_levels`` gives ``night_sky_pe_per_ns``, unless that is given."""
    night_sky_levels: dict[str, Pair] = Field(default=_SKIES)
    """Named brightnesses of the sky: photoelectrons per ns and pixel."""
    night_sky_pe_per_ns: Pair = (0.14, 0.18)
    """Photoelectrons of the night sky per ns and pixel."""
    stars: tuple[Star, ...] = ()
    """Stars in the field of view; the pixels under them see more photoelectrons, and their thresholds rise."""
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
    """Unusable pixels: neither charge nor time, and no part in the trigger."""
    hot_pixels: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    """Pixels that count ``hot_rate_pe_per_ns`` on top of the night sky."""
    hot_rate_pe_per_ns: float = Field(default=1.0, ge=0, le=20)
    """What hot pixels count."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        """Fill in what the named mode and the named sky say, where nothing else is said."""
        if not isinstance(values, dict):
            return values
        given = dict(values)
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        modes = given.get("modes", defaults["modes"])
        mode = str(given.get("mode", defaults["mode"]))
        modes = {str(key): value for key, value in modes.items()} if isinstance(modes, dict) else {}
        if mode not in modes:
            raise ValueError(f"mode {mode!r} is none of {', '.join(modes)}")
        with suppress(ValidationError):  # the field tells what is wrong, and where
            chosen = ReadoutMode.model_validate(modes[mode])
            given.setdefault("sampling_gsps", chosen.sampling_gsps)
            given.setdefault("n_samples", chosen.n_samples)
            given.setdefault("search_samples", chosen.search_samples)
        levels = given.get("night_sky_levels", defaults["night_sky_levels"])
        levels = levels if isinstance(levels, dict) else {}
        sky = str(given.get("night_sky", defaults["night_sky"]))
        if sky not in levels:
            raise ValueError(f"night_sky {sky!r} is none of {', '.join(levels)}")
        given.setdefault("night_sky_pe_per_ns", levels[sky])
        return {**given, "mode": mode}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window_samples > self.n_samples:
            raise ValueError(f"window_samples {self.window_samples} exceeds n_samples {self.n_samples}")
        first, last = self.search_samples
        if first < 0 or min(last, self.n_samples) - first < self.window_samples:
            raise ValueError(f"search_samples {self.search_samples} hold no window of {self.window_samples} samples")
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
    """Discriminators, next-neighbour logic or analogue sum, and stereo coincidence."""

    kind: Literal["threshold", "sum"] = "threshold"
    """Three touching pixels above threshold, or clipped sums over patches of 19 pixels."""
    threshold_pe: Pair = (3.9, 4.4)
    """Thresholds of the discriminators of M1 and M2, in amplitudes of one photoelectron."""
    coincidence_ns: float = Field(default=5.5, gt=0)
    """Length of the discriminators' signals, which must overlap in three pixels."""
    radius_deg: float = Field(default=1.24, gt=0)
    """Pixels whose centres lie within this angle (with the mirror's focal length) take part."""
    stereo_window_ns: float = Field(default=180.0, gt=0)
    """The telescopes' triggers must be this close in time."""
    sum_clip_pe: float = Field(default=6.0, gt=0)
    """Sum trigger: amplitude at which the signal of a pixel is clipped, against afterpulses."""
    sum_threshold_pe: Pair = (22.0, 25.0)
    """Sum trigger: threshold on the sum over a patch, in amplitudes of one photoelectron."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if min(*self.threshold_pe, *self.sum_threshold_pe) <= 0:
            raise ValueError(f"thresholds {self.threshold_pe} and {self.sum_threshold_pe} must be positive")
        return self


class DetectorSettings(Settings):
    """Both telescopes."""

    settings_of: ClassVar[str] = "a detector"

    optics: OpticsSettings = OpticsSettings()
    readout: ReadoutSettings = ReadoutSettings()
    trigger: TriggerSettings = TriggerSettings()


class LightBudget(Settings):
    """Factors on the published curves of mirror, light cones and photon detection; their product scales the light."""

    unshadowed_mirror: float = Field(default=0.96, gt=0, le=1)
    """Mirror that light reaches, over the disc of 239 m2 that is simulated."""
    focused_share: float = Field(default=0.922, gt=0, le=1)
    """Reflected light that falls into the spot, over all that the reflectivity curve counts."""
    camera_window: float = Field(default=0.92, gt=0, le=1)
    """Transmission of the camera's window."""
    collection_efficiency: float = Field(default=0.90, gt=0, le=1)
    """Photoelectrons that the first dynode collects."""
    photocathode_gain: float = Field(default=1.14, gt=0, le=2)
    """Quantum efficiency of the present photomultipliers over that of the curve's."""
    residual: float = Field(default=0.548, gt=0, le=2)
    """What is left over: fitted to one effective area."""

    @property
    def known(self) -> float:
        """Product of all factors but the residual."""
        factors: dict[str, float] = self.model_dump(exclude={"residual"})
        return math.prod(factors.values())

    @property
    def product(self) -> float:
        """Product of all factors."""
        return self.known * self.residual


class SiteSettings(Settings):
    """Air, magnetic field, and the light that reaches the cameras."""

    settings_of: ClassVar[str] = "a site"

    atmosphere: Literal["magic-winter", "magic-summer"] = "magic-winter"
    """Profile of the air."""
    light_budget: LightBudget = LightBudget()
    """Factors whose product is the light scale."""
    light_scale: float = Field(default=LightBudget().product, gt=0, le=2)
    """Factor on the detected light, on top of the published curves; the product of the budget unless it is given."""
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

    @model_validator(mode="before")
    @classmethod
    def _scale_from_budget(cls, values: Any) -> Any:
        """Multiply the budget where no scale is given."""
        if not isinstance(values, dict) or "light_scale" in values:
            return values
        try:
            budget = LightBudget.model_validate(values.get("light_budget", {}))
        except ValidationError:  # the field tells what is wrong, and where
            return values
        return {**values, "light_budget": budget, "light_scale": budget.product}
