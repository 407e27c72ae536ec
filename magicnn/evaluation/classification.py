"""Gamma/hadron separation: efficiencies at stated cuts, Q, ROC, log loss, F1, confusion, and purity by rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.evaluation.intervals import ShowerBootstrap, percentile_interval, row_searchsorted

__all__ = [
    "RateSample",
    "classification_metrics",
    "classification_statistic",
    "cut_name",
    "log_losses",
    "no_background_limit",
    "roc_auc",
    "roc_band",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Weights = NDArray[np.int32]
Statistic = Callable[..., Floats]

FIXED_CUT = 0.5
"""Gammaness above which an event counts as a gamma in F1 and the confusion matrix."""

_CUT_METRICS = ("gammaness_cut", "gamma_efficiency", "hadron_efficiency", "q")
_RATE_METRICS = ("gamma_rate_per_min", "hadron_rate_per_min", "purity")
_WEIGHT_UNITS = 1024
_POISSON_UPPER = 1.841  # 84.13 % upper limit on a mean when nothing was seen


@dataclass(frozen=True, slots=True)
class RateSample:
    """Events inside a region of reconstructed directions, with the rate that each stands for.

    Attributes
    ----------
    gammaness : float64 array, [N]
        Prediction.
    rate_hz : float64 array, [N]
        Rate of the event inside of the circle around the source; 0 for events that are not in the region.
    """

    gammaness: Floats
    rate_hz: Floats


def cut_name(gamma_efficiency: float) -> str:
    """Suffix of metrics at the cut that keeps a share of the diffuse gammas, ``"g70"`` for 0.7."""
    return f"g{round(100 * gamma_efficiency):02d}"


def classification_metrics(gamma_efficiencies: Sequence[float]) -> tuple[str, ...]:
    """Names of what `classification_statistic` gives, in that order."""
    names = ["auc", "log_loss", "f1", "gamma_efficiency_c50", "hadron_efficiency_c50"]
    for suffix in [*(cut_name(e) for e in gamma_efficiencies), "qmax"]:
        names += [f"{m}_{suffix}" for m in (*_CUT_METRICS, *_RATE_METRICS)]
    return tuple(names)


def roc_auc(gamma: ArrayLike, proton: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a gamma has a larger gammaness than a proton, ties half.

    Parameters
    ----------
    gamma, proton : array_like, [Ng], [Np]
        Gammaness.

    Returns
    -------
    float
        NaN when a class is empty.
    """
    g, p = (np.asarray(v, dtype=np.float64) for v in (gamma, proton))
    statistic = classification_statistic(g, p, np.zeros(len(g), np.int64), np.zeros(len(p), np.int64), ())
    return float(statistic(np.ones((1, len(g)), np.int32), np.ones((1, len(p)), np.int32))[0, 0])


def log_losses(gammaness: ArrayLike, *, is_gamma: bool) -> Floats:
    """Minus the logarithm of the probability given to the right class, [N]; clipped as scikit-learn does."""
    tiny = np.finfo(np.float64).eps
    score = np.clip(np.asarray(gammaness, dtype=np.float64), tiny, 1.0 - tiny)
    return -np.log(score) if is_gamma else -np.log1p(-score)


class _Survivors:
    """Resampled numbers of events at or above every distinct gammaness, [b, L + 1]."""

    def __init__(self, scores: Floats, levels: Floats) -> None:
        self.order = np.argsort(scores, kind="stable")
        self.first = np.searchsorted(scores[self.order], np.append(levels, np.inf))

    def __call__(self, weights: NDArray[np.generic]) -> NDArray[np.generic]:
        dtype = np.int64 if np.issubdtype(weights.dtype, np.integer) else np.float64
        running = np.zeros((len(weights), len(self.order) + 1), dtype=dtype)
        np.cumsum(weights[:, self.order], axis=1, out=running[:, 1:])
        counts: NDArray[Any] = running[:, -1:] - running[:, self.first]
        if dtype == np.float64:
            # differences of running sums leave rounding dust where nothing is left
            counts = np.where(counts > 1e-11 * running[:, -1:], counts, 0.0)
        return counts


def classification_statistic(
    gamma: Floats,
    proton: Floats,
    gamma_fold: Ints,
    proton_fold: Ints,
    gamma_efficiencies: Sequence[float],
    *,
    gamma_weight: Floats | None = None,
    proton_weight: Floats | None = None,
    min_background: int = 10,
    gamma_rates: RateSample | None = None,
    proton_rates: RateSample | None = None,
) -> Statistic:
    """Prepare all measures of a classifier for resampling.

    Parameters
    ----------
    gamma, proton : float64 arrays, [Ng], [Np]
        Gammaness of diffuse gammas and of protons, finite.
    gamma_fold, proton_fold : int arrays, [Ng], [Np]
        0 or 1: a cut that is applied to one half of the showers is found with the other half.
    gamma_efficiencies : sequence of float
        Gamma efficiencies at which cuts are set.
    gamma_weight, proton_weight : float64 arrays, [Ng], [Np], optional
        Thrown events that each event stands for; 1 when not given, 0 for events that count for rates only.
    min_background : int
        Protons, counted without weights, that the cut of the largest Q must leave in the half it is found with.
    gamma_rates : RateSample, optional
        Point-like gammas inside of the circle around the source, [Nr].
    proton_rates : RateSample, optional
        The protons again, [Np], with their rate inside of the same circle.

    Returns
    -------
    callable
        Multiplicities of gammas [b, Ng], protons [b, Np] and, with rates, point-like gammas [b, Nr] to
        float64 [b, K] in the order of `classification_metrics`. What does not exist is NaN: everything for an empty
        class, Q and purity where no background is left, rates without rate samples.
    """
    levels = np.unique(np.concatenate([gamma, proton]))
    half_g = [_Survivors(gamma[gamma_fold == f], levels) for f in (0, 1)]
    half_p = [_Survivors(proton[proton_fold == f], levels) for f in (0, 1)]
    in_g, in_p = ([fold == f for f in (0, 1)] for fold in (gamma_fold, proton_fold))
    fixed = int(np.searchsorted(levels, FIXED_CUT, side="right"))  # first level above
    losses = log_losses(gamma, is_gamma=True), log_losses(proton, is_gamma=False)
    rates = _Rates(gamma_rates, proton_rates, levels, in_p) if gamma_rates and proton_rates else None

    def statistic(drawn_g: Weights, drawn_p: Weights, wr: Weights | None = None) -> Floats:
        # counts stay whole numbers where no event has a weight of its own
        wg = drawn_g if gamma_weight is None or np.all(gamma_weight == 1.0) else drawn_g * gamma_weight
        wp = drawn_p if proton_weight is None or np.all(proton_weight == 1.0) else drawn_p * proton_weight
        with np.errstate(divide="ignore", invalid="ignore"):
            left_g = [half_g[f](wg[:, in_g[f]]).astype(np.float64) for f in (0, 1)]
            left_p = [half_p[f](wp[:, in_p[f]]).astype(np.float64) for f in (0, 1)]
            drawn = drawn_p if proton_weight is None else drawn_p * (proton_weight > 0.0)
            drawn_left = [half_p[f](drawn[:, in_p[f]]).astype(np.float64) for f in (0, 1)]
            all_g, all_p = left_g[0] + left_g[1], left_p[0] + left_p[1]
            n_g, n_p = all_g[:, 0], all_p[:, 0]
            middle = n_p[:, None] - 0.5 * (all_p[:, 1:] + all_p[:, :-1])
            auc = np.sum((all_g[:, :-1] - all_g[:, 1:]) * middle, axis=1) / (n_g * n_p)
            loss = np.where(n_g * n_p > 0, (wg @ losses[0] + wp @ losses[1]) / (n_g + n_p), np.nan)
            f1 = np.where(n_g * n_p > 0, 2.0 * all_g[:, fixed] / (n_g + all_g[:, fixed] + all_p[:, fixed]), np.nan)
            found = [auc, loss, f1, all_g[:, fixed] / n_g, all_p[:, fixed] / n_p]
            swept = None if rates is None or wr is None else rates.swept(drawn_p, wr)
            cuts = [[_keeping(left, e) for left in left_g] for e in gamma_efficiencies]
            cuts.append([_best_q(left_g[f], left_p[f], drawn_left[f], min_background) for f in (0, 1)])
            for chosen in cuts:
                found += _at_cut(chosen, left_g, left_p, levels)
                found += [np.full(len(wg), np.nan)] * 3 if swept is None or rates is None else rates.at(chosen, swept)
        return np.stack(found, axis=1)

    return statistic


def _keeping(left: Floats, efficiency: float) -> Ints:
    """Highest level that keeps a share of the gammas, [b]; -1 without gammas."""
    enough = left[:, :-1] >= efficiency * left[:, :1] * (1.0 - 1e-12)
    return np.where(left[:, 0] > 0, enough.sum(axis=1) - 1, -1)


def _best_q(left_g: Floats, left_p: Floats, n_left_p: Floats, min_background: int) -> Ints:
    """Level of the largest Q with enough background left, [b]; -1 where there is none."""
    if left_g.shape[1] < 2:
        return np.full(len(left_g), -1, dtype=np.int64)
    allowed = (n_left_p[:, :-1] >= min_background) & (left_g[:, :1] > 0)
    q = np.where(allowed, left_g[:, :-1] / np.sqrt(np.maximum(left_p[:, :-1], 1e-9)), -1.0)
    # the last of equal ones: a gammaness that an event of this half has
    last = q.shape[1] - 1 - np.argmax(q[:, ::-1], axis=1)
    return np.where(allowed.any(axis=1), last, -1)


def _pick(left: Floats, level: Ints) -> Floats:
    """Survivors at a level of each row, [b]; NaN at level -1."""
    return np.where(level >= 0, left[np.arange(len(left)), np.maximum(level, 0)], np.nan)


def _at_cut(chosen: Sequence[Ints], left_g: Sequence[Floats], left_p: Sequence[Floats], levels: Floats) -> list[Floats]:
    """Mean cut, efficiencies and Q when each half is cut where the other half says."""
    kept_g = _pick(left_g[0], chosen[1]) + _pick(left_g[1], chosen[0])
    kept_p = _pick(left_p[0], chosen[1]) + _pick(left_p[1], chosen[0])
    gamma_efficiency = kept_g / (left_g[0][:, 0] + left_g[1][:, 0])
    hadron_efficiency = kept_p / (left_p[0][:, 0] + left_p[1][:, 0])
    q = gamma_efficiency / np.sqrt(hadron_efficiency)
    if len(levels):
        cut = np.mean([np.where(c >= 0, levels[np.maximum(c, 0)], np.nan) for c in chosen], axis=0)
    else:
        cut = np.full(len(kept_g), np.nan)
    return [cut, gamma_efficiency, hadron_efficiency, q]


class _Rates:
    """Rates of point-like gammas and of protons inside of the circle, above every level."""

    def __init__(
        self, gamma: RateSample, proton: RateSample, levels: Floats, in_p: Sequence[NDArray[np.bool_]]
    ) -> None:
        self.gamma, self.proton, self.in_p = gamma, proton, in_p
        self.gamma_left = _Survivors(gamma.gammaness, levels)
        self.proton_left = [_Survivors(proton.gammaness[mask], levels) for mask in in_p]

    def swept(self, wp: Weights, wr: Weights) -> tuple[NDArray[np.generic], list[NDArray[np.generic]]]:
        """Rates above every level, [b, L + 1], of gammas and of both halves of the protons."""
        of_protons = wp * self.proton.rate_hz
        return self.gamma_left(wr * self.gamma.rate_hz), [
            left(of_protons[:, mask]) for left, mask in zip(self.proton_left, self.in_p, strict=True)
        ]

    def at(self, chosen: Sequence[Ints], swept: tuple[NDArray[np.generic], list[NDArray[np.generic]]]) -> list[Floats]:
        """Rates per minute and purity; the point-like gammas are cut with the mean of both cuts' rates."""
        gamma, protons = np.asarray(swept[0], np.float64), [np.asarray(p, np.float64) for p in swept[1]]
        rate_g = 0.5 * (_pick(gamma, chosen[0]) + _pick(gamma, chosen[1]))
        rate_p = _pick(protons[0], chosen[1]) + _pick(protons[1], chosen[0])
        # differences of running sums leave rounding dust where nothing is left
        rate_p = np.where(rate_p > 1e-9 * (protons[0][:, 0] + protons[1][:, 0]), rate_p, 0.0)
        purity = np.where(rate_p > 0.0, rate_g / (rate_g + rate_p), np.nan)
        return [60.0 * rate_g, 60.0 * rate_p, purity]


def no_background_limit(rate_hz: Floats) -> float:
    """Upper limit, 84.13 %, on a rate of which no event is left: 1.841 events of the mean rate of those there were."""
    seen = rate_hz[rate_hz > 0.0]
    return float(_POISSON_UPPER * seen.mean()) if len(seen) else float("nan")


def roc_band(
    gamma: ArrayLike,
    proton: ArrayLike,
    gamma_bootstrap: ShowerBootstrap,
    proton_bootstrap: ShowerBootstrap,
    hadron_efficiency: ArrayLike,
    *,
    gamma_weight: ArrayLike = 1.0,
    proton_weight: ArrayLike = 1.0,
) -> tuple[Floats, Floats, Floats]:
    """ROC curve with its interval.

    Parameters
    ----------
    gamma, proton : array_like, [Ng], [Np]
        Gammaness, finite.
    gamma_bootstrap, proton_bootstrap : ShowerBootstrap
        Resampling of both.
    hadron_efficiency : array_like, [K]
        Where the curve is wanted.
    gamma_weight, proton_weight : array_like, [Ng], [Np]
        Thrown events that each event stands for.

    Returns
    -------
    gamma_efficiency, low, high : float64 arrays, [K]
        Largest gamma efficiency at a hadron efficiency not above the wanted one, with its 68.27 % interval.
    """
    g, p = (np.asarray(v, dtype=np.float64) for v in (gamma, proton))
    wanted = np.asarray(hadron_efficiency, dtype=np.float64)
    levels = np.unique(np.concatenate([g, p]))
    left_g, left_p = _Survivors(g, levels), _Survivors(p, levels)
    # whole numbers, for exact comparisons of sums
    unit_g, unit_p = (np.rint(_WEIGHT_UNITS * np.asarray(w)).astype(np.int64) for w in (gamma_weight, proton_weight))

    def statistic(wg: Weights, wp: Weights) -> Floats:
        passed_g, passed_p = left_g(wg * unit_g).astype(np.float64), left_p(wp * unit_p).astype(np.int64)
        n_p = passed_p[:, :1]
        most = np.floor(wanted * n_p + 1e-9).astype(np.int64)
        rising = passed_p[:, ::-1]
        level = passed_p.shape[1] - row_searchsorted(rising, most)
        level = np.clip(level, 0, passed_p.shape[1] - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            curve: Floats = np.take_along_axis(passed_g, level, axis=1) / passed_g[:, :1]
        return np.where(n_p > 0, curve, np.nan)

    value, replicates = ShowerBootstrap.apply(statistic, gamma_bootstrap, proton_bootstrap)
    low, high = percentile_interval(replicates)
    return value, low, high
