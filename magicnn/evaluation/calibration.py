"""Calibration: whether events with a gammaness of 0.8 are gammas in 80 % of the cases."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.evaluation.resampling import Resampled

__all__ = ["GAMMANESS_EDGES", "calibration_error", "gammaness_bin", "log_losses"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_N_BINS = 10

GAMMANESS_EDGES: tuple[float, ...] = tuple(k / _N_BINS for k in range(_N_BINS + 1))
"""Edges of the bins of the reliability curve; a gammaness of 1 belongs to the last bin."""


def log_losses(gammaness: ArrayLike, *, is_gamma: bool) -> Floats:
    """Minus the logarithm of the probability given to the right class, [N]; clipped as scikit-learn does."""
    tiny = np.finfo(np.float64).eps
    score = np.clip(np.asarray(gammaness, dtype=np.float64), tiny, 1.0 - tiny)
    return -np.log(score) if is_gamma else -np.log1p(-score)


def gammaness_bin(gammaness: Floats) -> Ints:
    """Bin of `GAMMANESS_EDGES` that each event belongs to, [N]."""
    place = np.searchsorted(GAMMANESS_EDGES, gammaness, side="right") - 1
    return np.clip(place, 0, _N_BINS - 1).astype(np.int64)


def calibration_error(
    of_gammas: Resampled,
    gamma: Floats,
    gamma_weight: Floats,
    of_protons: Resampled,
    proton: Floats,
    proton_weight: Floats,
) -> Floats:
    """Expected calibration error of resampled sets.

    Parameters
    ----------
    of_gammas, of_protons : Resampled
        Sets of both classes, b of them.
    gamma, proton : float64 arrays, [Ng], [Np]
        Gammaness, finite.
    gamma_weight, proton_weight : float64 arrays, [Ng], [Np]
        Events that each event stands for.

    Returns
    -------
    float64 array, [b]
        Mean over the events of the distance between the share of gammas and the mean gammaness of their bin (Guo et
        al. 2017, arXiv:1706.04599, eq. 3, for the gammaness), in the bins of `GAMMANESS_EDGES`; NaN for no events.
    """
    excess = total = np.zeros((of_gammas.n_sets, _N_BINS))
    for sets, score, weight, target in (
        (of_gammas, gamma, gamma_weight, 1.0),
        (of_protons, proton, proton_weight, 0.0),
    ):
        place = gammaness_bin(score)
        total = total + sets.histogram(place, _N_BINS, weight)
        excess = excess + sets.histogram(place, _N_BINS, weight * (target - score))
    with np.errstate(divide="ignore", invalid="ignore"):
        error: Floats = np.abs(excess).sum(axis=1) / total.sum(axis=1)
    return error
