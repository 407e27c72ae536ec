"""What a training step minimises, and how good a model is on events it does not learn from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from magicnn.evaluation.classification import roc_auc
from magicnn.nn.data import Sample
from magicnn.nn.losses import energy_loss, particle_loss
from magicnn.nn.model import EventModel
from magicnn.nn.settings import TrainingSettings

__all__ = ["evaluate", "image_precision", "loss_of"]

_EVALUATION_BATCH = 1024


def image_precision(training: TrainingSettings, device: torch.device) -> torch.dtype | None:
    """Lower precision of the image branch on a device, None for float32."""
    wants = training.precision == "bfloat16" or (training.precision == "auto" and device.type == "cuda")
    return torch.bfloat16 if wants else None


def loss_of(
    estimates: Mapping[str, Tensor],
    model: EventModel,
    sample: Sample,
    rows: Tensor,
    training: TrainingSettings,
    *,
    is_validation: bool = False,
    whole: Tensor | None = None,
) -> Tensor:
    """Sum of the losses of all heads.

    Parameters
    ----------
    estimates : mapping of str to Tensor
        What the model says about the events.
    model : EventModel
        The model, for the scale of the energies.
    sample : Sample
        Where the truth and the weights are.
    rows : int64 Tensor, [B]
        Which events of the sample.
    training : TrainingSettings
        Which losses.
    is_validation : bool
        Validation takes plain likelihoods: no smoothed labels, no weight of the variance.
    whole : int64 Tensor, optional
        All events of the batch of which ``rows`` are a part: the losses of its parts add up to that of the batch.

    Returns
    -------
    Tensor, scalar
    """
    weight = sample.weight[rows].to(sample.device)
    is_gamma = sample.events.is_gamma[rows].to(sample.device)
    totals = [
        None if whole is None else v[whole].sum().to(sample.device) for v in (sample.weight, sample.events.is_gamma)
    ]
    losses = []
    if "particle" in estimates:
        smoothing = 0.0 if is_validation else training.label_smoothing
        losses.append(particle_loss(estimates["particle"], is_gamma, weight, smoothing=smoothing, total=totals[0]))
    if "energy" in estimates:
        scales = model.normalisation
        target = (sample.events.log_energy[rows].to(sample.device) - scales.log_energy_mean) / scales.log_energy_scale
        losses.append(
            energy_loss(
                estimates["energy"],
                target,
                is_gamma,
                kind=training.energy_loss,
                variance_weight=0.0 if is_validation else training.variance_weight,
                total=totals[1],
            )
        )
    return torch.stack(losses).sum()


def evaluate(model: EventModel, validation: Sample, training: TrainingSettings) -> dict[str, float]:
    """Loss and one telling number per head.

    Parameters
    ----------
    model : EventModel
        Put into evaluation mode.
    validation : Sample
        Events that it does not learn from.
    training : TrainingSettings
        Which losses.

    Returns
    -------
    dict of str to float
        ``validation_loss``; ``validation_auc`` (area under the ROC curve, unweighted) with a particle head;
        ``validation_resolution`` (half the 68 % interval of E/E_true - 1 of all gammas) with an energy head.
    """
    model.eval()
    estimates: dict[str, list[Tensor]] = {}
    with torch.inference_mode():
        for rows in torch.split(torch.from_numpy(validation.rows), _EVALUATION_BATCH):
            events = validation.events.events.select(rows, validation.device)
            for name, values in model(events, autocast=image_precision(training, validation.device)).items():
                estimates.setdefault(name, []).append(values.float())
        joined = {name: torch.cat(parts) for name, parts in estimates.items()}
        rows = torch.from_numpy(validation.rows)
        result = {"validation_loss": float(loss_of(joined, model, validation, rows, training, is_validation=True))}
    is_gamma = validation.events.is_gamma[rows].numpy() > 0.5
    if "particle" in joined:
        score = joined["particle"].cpu().numpy()
        result["validation_auc"] = roc_auc(score[is_gamma], score[~is_gamma])
    if "energy" in joined:
        scales = model.normalisation
        log_energy = joined["energy"][:, 0].cpu().numpy() * scales.log_energy_scale + scales.log_energy_mean
        error = 10.0 ** (log_energy - validation.events.log_energy[rows].numpy())[is_gamma] - 1.0
        low, high = np.quantile(error, [0.16, 0.84])
        result["validation_resolution"] = float(0.5 * (high - low))
    return result
