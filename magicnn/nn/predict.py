"""Predictions of trained networks for the events of an event set, with bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from magicnn.baselines.predictions import event_columns
from magicnn.errors import CheckpointError, ConfigError
from magicnn.events import EventBatch
from magicnn.images.features import FeatureTable
from magicnn.images.quality import STANDARD_QUALITY, QualitySettings
from magicnn.nn.auxiliary import required_columns
from magicnn.nn.checkpoint import TrainedModel
from magicnn.nn.data import EventSource, Source, prepared_chunks
from magicnn.nn.inputs import CLEANED, PreparedEvents
from magicnn.nn.objective import image_precision
from magicnn.nn.settings import InputSettings, PredictSettings
from magicnn.predictions import PREDICTION_COLUMNS, PredictionTable
from magicnn.runs import progress

__all__ = ["needs_features", "predict_table", "record_of"]

_OF_EVENTS = frozenset({"pointing_zenith_deg", "pointing_azimuth_deg", "centre_x_deg", "centre_y_deg", "has_image"})


def needs_features(inputs: InputSettings) -> bool:
    """Whether a network with these inputs needs the feature table of its events."""
    return not set(required_columns(inputs.auxiliary)) <= _OF_EVENTS


def predict_table(
    models: Sequence[TrainedModel],
    events: EventSource | EventBatch,
    features: FeatureTable | None = None,
    *,
    method: str = "CNN",
    settings: PredictSettings | None = None,
    quality: QualitySettings = STANDARD_QUALITY,
    show_progress: bool = True,
) -> PredictionTable:
    """Estimate particle and energy of events.

    Parameters
    ----------
    models : sequence of TrainedModel
        One per quantity, or one with both heads; all on the same device.
    events : EventSource or EventBatch
        An event set, a reader, or events in memory.
    features : FeatureTable, optional
        Row by row the events; needed when an auxiliary input is made from it. Its direction and sizes are passed on
        to the table.
    method : str
        Name shown in reports.
    settings : PredictSettings, optional
        Batch size, symmetries, threads.
    quality : QualitySettings
        Cuts behind ``is_valid``.
    show_progress : bool
        Show a progress bar.

    Returns
    -------
    PredictionTable
        One row per event, in order. ``gammaness`` is the network's probability of a gamma; ``reco_energy_gev`` is 10
        to the estimated mean of log10(E) and ``reco_energy_uncert_gev`` its standard deviation; NaN for events
        without any usable pixel. Without a feature table ``is_valid`` tells whether a pixel survived the cleaning in
        any telescope.

    Raises
    ------
    CheckpointError
        A model was made for another camera or other telescopes, or an auxiliary input cannot be computed.
    ConfigError
        No model, or two models estimate the same quantity.
    """
    settings = settings or PredictSettings()
    heads = [head for model in models for head in model.description.heads]
    if not models or len(set(heads)) != len(heads):
        raise ConfigError(f"predictions need one model per quantity, got models for: {', '.join(heads) or 'nothing'}")
    _check(models, events, features)
    columns: dict[str, list[NDArray[Any]]] = {}
    for number, group in enumerate(_by_inputs(models)):
        doing = "predict " + " and ".join(head for model in group for head in model.description.heads)
        chunks = prepared_chunks(Source(events, features), group[0].description.inputs, size=settings.batch_size)
        bar = progress(total=len(events), description=doing, unit="ev", quiet=not show_progress)
        with _threads(settings.threads), bar:
            for batch, prepared in chunks:
                found: dict[str, NDArray[Any]] = {}
                if number == 0:
                    found = {name: values for name, values in batch.columns.items() if name in PREDICTION_COLUMNS}
                    found["is_valid"] = ((prepared.flags & CLEANED) > 0).flatten(1).any(dim=1).numpy()
                for model in group:
                    found |= _estimates(model, prepared, settings)
                for name, values in found.items():
                    columns.setdefault(name, []).append(values)
                bar.update(len(batch))
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return PredictionTable(
        method,
        joined if features is None else {**joined, **event_columns(features, quality)},
        particle=events.meta.particle,
        generated=events.meta.generated,
        meta=record_of(models),
    )


def record_of(models: Sequence[TrainedModel]) -> dict[str, Any]:
    """Say in plain values which models made a prediction table."""
    return {"models": [{"heads": list(m.description.heads), "key": m.description.key} for m in models]}


def _check(models: Sequence[TrainedModel], events: EventSource | EventBatch, features: FeatureTable | None) -> None:
    """One clear line when a model cannot work on these events."""
    meta = events.meta
    for model in models:
        description = model.description
        name = "the model for " + " and ".join(description.heads)
        if (meta.camera.fingerprint, meta.telescopes) != (description.camera_fingerprint, description.telescopes):
            raise CheckpointError(
                f"{name} was made for {description.camera_name} and {', '.join(description.telescopes)}, "
                f"these events come from {meta.camera.name} and {', '.join(meta.telescopes)}"
            )
        known = _OF_EVENTS | set(features.columns if features is not None else ())
        missing = [c for c in required_columns(description.inputs.auxiliary) if c not in known]
        if missing:
            raise CheckpointError(
                f"{name} takes auxiliary inputs made from {', '.join(missing)}, "
                + (
                    "which the feature table lacks; those of the direction by DISP come with --baselines"
                    if features is not None
                    else "give the feature table of these events"
                )
            )


def _by_inputs(models: Sequence[TrainedModel]) -> list[list[TrainedModel]]:
    """Group models that see the same, so that events are prepared once for them."""
    groups: list[list[TrainedModel]] = []
    for model in models:
        for group in groups:
            if group[0].description.inputs == model.description.inputs:
                group.append(model)
                break
        else:
            groups.append([model])
    return groups


def _estimates(trained: TrainedModel, prepared: PreparedEvents, settings: PredictSettings) -> dict[str, NDArray[Any]]:
    """Columns that one model gives for one batch."""
    model, device = trained.model, trained.device
    events = prepared.to(device)
    every = max(1, model.n_symmetries // settings.symmetries)
    turns = range(0, model.n_symmetries, every)
    sums: dict[str, Tensor] = {}
    with torch.inference_mode():
        for turn in turns:
            symmetry = torch.full((len(events),), turn, dtype=torch.int64, device=device)
            precision = image_precision(trained.description.training, device)
            for head, values in model(events, symmetry, autocast=precision).items():
                sums[head] = sums.get(head, torch.zeros_like(values)) + values
    means = {head: (values / len(turns)).double().cpu().numpy() for head, values in sums.items()}
    has_image = (prepared.present > 0.0).any(dim=1).numpy()
    columns: dict[str, NDArray[Any]] = {}
    if "particle" in means:
        columns["gammaness"] = expit(means["particle"])
    if "energy" in means:
        scales = trained.description.normalisation
        mean, log_variance = means["energy"].T
        energy = 10.0 ** (mean * scales.log_energy_scale + scales.log_energy_mean)
        spread = np.exp(0.5 * log_variance) * scales.log_energy_scale
        columns["reco_energy_gev"] = energy
        columns["reco_energy_uncert_gev"] = energy * math.log(10.0) * spread
    return {name: np.where(has_image, values, np.nan) for name, values in columns.items()}


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
