"""Settings of inputs, network, training and prediction; importing them does not import torch."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from magicnn.config import Settings
from magicnn.images.cleaning import CleaningSettings

__all__ = [
    "DEFAULT_AUXILIARY",
    "Head",
    "InputSettings",
    "ModelSettings",
    "NetworkSettings",
    "PredictSettings",
    "TrainingSettings",
]

Head = Literal["particle", "energy"]

DEFAULT_AUXILIARY: tuple[str, ...] = (
    "cos_zenith",
    "baseline",
    "field",
    "centre",
    "has_image",
    "is_stereo",
    "log_size",
    "length",
    "width",
    "skewness",
    "kurtosis",
    "leakage",
    "time_slope",
    "time_rms",
    "concentration",
    "log_n_pixels",
    "main_island",
    "distance",
    "axis",
    "log_impact",
    "log_h_max",
    "stereo_angle",
)
"""Auxiliary inputs of a network unless others are asked for; the last ones need a feature table."""


class InputSettings(Settings):
    """What a network sees of an event."""

    channels: tuple[Literal["charge", "time", "cleaned", "usable"], ...] = Field(
        default=("charge", "time", "cleaned"), min_length=1, description="image channels, in order"
    )
    pixels: Literal["all", "dilated", "cleaned"] = Field(
        default="all", description="pixels shown: all, the cleaned image with two rings around it, or it alone"
    )
    charge_compression: Literal["asinh", "sqrt", "linear"] = Field(
        default="asinh", description="charge q becomes asinh(q/scale), sign(q) sqrt(|q|/scale), or q/scale"
    )
    charge_scale_pe: float = Field(default=3.0, gt=0, description="scale of the charge compression, photoelectrons")
    time_scale_ns: float = Field(default=3.0, gt=0, description="times enter in units of this, ns")
    time_clip_ns: float = Field(default=12.0, gt=0, description="relative times are clipped to +- this, ns")
    time_charge_pe: float = Field(
        default=5.0, gt=0, description="a time counts by q^2/(q^2 + this^2): below this charge noise sets it, phe"
    )
    crop_radius: int | None = Field(
        default=10,
        ge=2,
        le=40,
        description="pixels around the image centre that are shown (a hexagon); null for the whole camera",
    )
    cleaning: CleaningSettings = Field(
        default_factory=CleaningSettings, description="cleaning that finds the image centre and the cleaned channel"
    )
    auxiliary: tuple[str, ...] = Field(
        default=DEFAULT_AUXILIARY, description="named inputs besides the pixels, see magicnn.nn.auxiliary"
    )
    auxiliary_clip: float = Field(default=5.0, gt=0, description="normalised inputs are clipped to +- this")
    encoding_bins: int = Field(
        default=0, ge=0, le=64, description="quantile bins in which each scalar input is encoded besides its value"
    )


class NetworkSettings(Settings):
    """Shape of a network."""

    architecture: str = Field(default="hex_resnet", description="image branch, a name of magicnn.nn.list_models()")
    arguments: dict[str, Any] = Field(default_factory=dict, description="arguments of the image branch")
    hidden: int = Field(default=96, ge=1, description="width of the fusion of telescopes and auxiliary inputs")
    fusion_blocks: int = Field(default=2, ge=0, description="residual blocks of the fusion")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="dropout of the fusion")
    image_dropout: float = Field(default=0.1, ge=0, lt=1, description="dropout of the image vectors before the fusion")


class TrainingSettings(Settings):
    """How a network is trained. Sizes are counts, so that results repeat on any machine."""

    heads: tuple[Head, ...] = Field(default=("particle",), min_length=1, description="what the network estimates")
    epochs: int = Field(default=30, ge=1, description="passes over the training events at most")
    batch_size: int = Field(default=256, ge=1, description="events per step")
    learning_rate: float = Field(default=2e-3, gt=0, description="peak learning rate")
    final_learning_rate: float = Field(default=0.01, ge=0, le=1, description="last learning rate / peak")
    warmup_epochs: float = Field(
        default=1.0, ge=0, description="epochs of linear rise, then the rate falls as a cosine"
    )
    weight_decay: float = Field(default=0.02, ge=0, description="decoupled weight decay of matrices and kernels")
    clip_norm: float = Field(default=1.0, gt=0, description="largest norm of the gradient")
    ema_decay: float = Field(default=0.998, ge=0, lt=1, description="decay per step of the running mean of the weights")
    patience: int = Field(default=10, ge=1, description="epochs without a better validation loss before the end")
    validation_fraction: float = Field(default=0.1, gt=0, lt=1, description="share of the showers kept for validation")
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5, description="labels become this and 1 - this")
    energy_loss: Literal["gaussian", "laplace"] = Field(default="gaussian", description="likelihood of log10(E)")
    variance_weight: float = Field(
        default=0.5, ge=0, le=1, description="beta of the weighted likelihood: 0 plain, 1 like a squared error"
    )
    augment: bool = Field(default=True, description="turn and mirror events by the camera's exact symmetries")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="of the image branch; auto: bfloat16 on a GPU, float32 on a CPU"
    )
    resident_events: int = Field(
        default=1_000_000, ge=1, description="larger samples are streamed from their files instead of kept in memory"
    )
    threads: int = Field(default=2, ge=1, description="CPU threads; results repeat for equal numbers")
    seed: int = Field(default=1, ge=0, description="seed of weights, order, augmentation and the validation split")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(set(self.heads)) != len(self.heads):
            raise ValueError("a head is named twice")
        return self


class ModelSettings(Settings):
    """Everything that makes a model besides its training events."""

    settings_of: ClassVar[str] = "a network"

    inputs: InputSettings = Field(default_factory=InputSettings, description="what the network sees")
    network: NetworkSettings = Field(default_factory=NetworkSettings, description="its shape")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="how it is trained")


class PredictSettings(Settings):
    """How predictions are made."""

    batch_size: int = Field(default=512, ge=1, description="events at a time")
    symmetries: Literal[1, 2, 3, 6, 12] = Field(
        default=1, description="mean over this many turned and mirrored copies of each event"
    )
    threads: int = Field(default=2, ge=1, description="CPU threads")
