"""What is minimised: cross entropy for the particle, the likelihood of log10(E) for the energy."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["energy_loss", "particle_loss"]

_LOG_VARIANCE_RANGE = (-9.0, 4.0)


def particle_loss(
    logit: Tensor, is_gamma: Tensor, weight: Tensor, *, smoothing: float = 0.0, total: Tensor | None = None
) -> Tensor:
    """Weighted mean of the binary cross entropy.

    Parameters
    ----------
    logit : Tensor, [B]
        Logit of being a gamma.
    is_gamma : Tensor, [B]
        1 for gammas, 0 for hadrons.
    weight : Tensor, [B]
        Weight of each event.
    smoothing : float
        Labels become ``smoothing`` and ``1 - smoothing``.
    total : Tensor, scalar, optional
        Sum of the weights that the sum is divided by; of these events when not given.

    Returns
    -------
    Tensor, scalar
    """
    target = is_gamma * (1.0 - 2.0 * smoothing) + smoothing
    each = functional.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return _mean(each, weight, total)


def energy_loss(
    estimate: Tensor,
    log_energy: Tensor,
    weight: Tensor,
    *,
    kind: Literal["gaussian", "laplace"] = "gaussian",
    variance_weight: float = 0.0,
    total: Tensor | None = None,
) -> Tensor:
    """Weighted mean of the negative log likelihood, without constants.

    Parameters
    ----------
    estimate : Tensor, [B, 2]
        Mean and log variance.
    log_energy : Tensor, [B]
        Truth in the same units; ignored where the weight is 0.
    weight : Tensor, [B]
        Weight of each event.
    kind : {"gaussian", "laplace"}
        Shape of the errors.
    variance_weight : float
        beta: each event counts with its variance^beta (as a constant), which keeps events of small variance from
        dominating the mean (Seitzer et al. 2022, arXiv:2203.09168, eq. 5).
    total : Tensor, scalar, optional
        Sum of the weights that the sum is divided by; of these events when not given.

    Returns
    -------
    Tensor, scalar
    """
    mean, log_variance = estimate.unbind(-1)
    log_variance = log_variance.clamp(*_LOG_VARIANCE_RANGE)
    error = torch.where(weight > 0.0, mean - log_energy, torch.zeros_like(mean))
    if kind == "gaussian":
        each = 0.5 * (log_variance + error.square() * torch.exp(-log_variance))
    else:
        # a Laplace distribution of this variance has the width sqrt(variance / 2)
        each = 0.5 * log_variance + 2.0**0.5 * error.abs() * torch.exp(-0.5 * log_variance)
    if variance_weight:
        each = each * torch.exp(variance_weight * log_variance.detach())
    return _mean(each, weight, total)


def _mean(values: Tensor, weight: Tensor, total: Tensor | None) -> Tensor:
    return (values * weight).sum() / (weight.sum() if total is None else total).clamp_min(1e-12)
