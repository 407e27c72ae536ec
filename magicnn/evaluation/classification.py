"""Gamma/hadron separation: efficiencies at stated cuts, Q, ROC, log loss, F1, calibration, and purity by rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.evaluation.calibration import calibration_error, log_losses
from magicnn.evaluation.intervals import bootstrap_interval
from magicnn.evaluation.resampling import Resampled, resample, row_searchsorted

__all__ = [
    "FIXED_CUT",
    "Labelled",
    "RateSample",
    "classification_metrics",
    "classify",
    "cut_name",
    "no_background_limit",
    "roc_auc",
    "roc_band",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIXED_CUT = 0.5
"""Gammaness above which an event counts as a gamma in F1 and the confusion matrix."""

_CUT_METRICS = ("gammaness_cut", "gamma_efficiency", "hadron_efficiency", "q")
_RATE_METRICS = ("gamma_rate_per_min", "hadron_rate_per_min", "purity")
_MOST_LEVELS = 2048
_WEIGHT_UNITS = 1024
_POISSON_UPPER = 1.841  # 84.13 % upper limit on a mean when nothing was seen


@dataclass(frozen=True, slots=True)
class Labelled:
    """Events of one class as one method sees them.

    Attributes
    ----------
    gammaness : float64 array, [N]
        Prediction, finite.
    fold : int array, [N]
        0 or 1: a cut that is applied to one half of the showers is found with the other half.
    weight : float64 array, [N]
        Thrown events that each event stands for; 0 for events that count for rates only.
    rate_hz : float64 array, [N], optional
        Rate of the event inside of the circle around the source; 0 for events that are not in the region.
    """

    gammaness: Floats
    fold: Ints
    weight: Floats
    rate_hz: Floats | None = None


@dataclass(frozen=True, slots=True)
class RateSample:
    """Point-like gammas inside of a region of reconstructed directions, with the rate that each stands for.

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


def classification_metrics(gamma_efficiencies: Sequence[float], *, with_largest_q: bool = True) -> tuple[str, ...]:
    """Names of what `classify` gives, in that order."""
    names = ["auc", "log_loss", "brier", "ece", "f1", "gamma_efficiency_c50", "hadron_efficiency_c50"]
    suffixes = [cut_name(e) for e in gamma_efficiencies]
    for suffix in [*suffixes, "qmax"] if with_largest_q else suffixes:
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
    g, p = (
        Labelled(values, np.zeros(len(values), np.int64), np.ones(len(values)))
        for values in (np.asarray(scores, dtype=np.float64) for scores in (gamma, proton))
    )
    sets = [Resampled.whole(len(one.gammaness)) for one in (g, p)]
    value, _ = classify(g, p, sets, (), min_background=None)
    return float(value[0])


def classify(
    gamma: Labelled,
    proton: Labelled,
    sets: Sequence[Resampled],
    gamma_efficiencies: Sequence[float],
    *,
    min_background: int | None = 10,
    source: RateSample | None = None,
) -> tuple[Floats, Floats]:
    """Compute all measures of a classifier, of the events and of their resampled sets.

    Parameters
    ----------
    gamma, proton : Labelled
        Diffuse gammas [Ng] and protons [Np].
    sets : sequence of Resampled
        Resampled sets of the gammas, the protons and, with rates, of the point-like gammas.
    gamma_efficiencies : sequence of float
        Gamma efficiencies at which cuts are set.
    min_background : int or None
        Protons, counted without weights, that the cut of the largest Q must leave in the half it is found with; None
        leaves that cut out.
    source : RateSample, optional
        Point-like gammas with their rate inside of the circle around the source, [Nr]; the protons have theirs, too.

    Returns
    -------
    value, replicates : float64 arrays, [K], [B, K]
        In the order of `classification_metrics`. What does not exist is NaN: everything for an empty class, Q and
        purity where no background is left, rates without rate samples.

    Notes
    -----
    Cuts are set at values that occur. With more than 2048 distinct values the replicates are computed on that many
    quantiles of them, and cut at the one that comes closest to the wanted efficiency.
    """
    levels = np.unique(np.concatenate([gamma.gammaness, proton.gammaness]))
    whole = [Resampled.whole(len(s.shower)) for s in sets]
    exact = _Statistic(gamma, proton, source, levels, gamma_efficiencies, min_background, is_exact=True)
    value = exact(*whole)[0]
    if len(levels) <= _MOST_LEVELS:
        return value, exact(*sets)
    levels = _thinned(levels, gamma.gammaness, proton.gammaness)
    coarse = _Statistic(gamma, proton, source, levels, gamma_efficiencies, min_background, is_exact=False)
    return value, coarse(*sets)


def _thinned(levels: Floats, *scores: Floats) -> Floats:
    """Quantiles of both classes, with the lowest value and the first above the fixed cut."""
    shares = np.linspace(0.0, 1.0, _MOST_LEVELS // 2)
    kept = [np.quantile(s, shares, method="lower") for s in scores if len(s)]
    above = levels[levels > FIXED_CUT][:1]
    thinned: Floats = np.unique(np.concatenate([levels[:1], above, *kept]))
    return thinned


def _survivors(sets: Resampled, place: Ints, n_levels: int, fold: Ints | None, weights: Floats) -> Floats:
    """Weight at or above every level, [b, folds, L + 1]; the last one is nothing."""
    n_folds = 1 if fold is None else 2
    flat = place if fold is None else place + n_levels * fold
    found = sets.histogram(flat, n_folds * n_levels, weights).reshape(sets.n_sets, n_folds, n_levels)
    left = np.zeros((sets.n_sets, n_folds, n_levels + 1))
    left[..., :-1] = np.cumsum(found[..., ::-1], axis=-1)[..., ::-1]
    return left


class _Statistic:
    """All measures at given levels of the gammaness, for resampled sets of the events."""

    def __init__(
        self,
        gamma: Labelled,
        proton: Labelled,
        source: RateSample | None,
        levels: Floats,
        efficiencies: Sequence[float],
        min_background: int | None,
        *,
        is_exact: bool,
    ) -> None:
        self.gamma, self.proton, self.levels = gamma, proton, levels
        self.source = source if proton.rate_hz is not None else None
        self.efficiencies, self.min_background = efficiencies, min_background
        self.is_exact = is_exact
        self.is_counted = (proton.weight > 0.0).astype(np.float64)

    def __call__(self, of_gammas: Resampled, of_protons: Resampled, of_source: Resampled | None = None) -> Floats:
        gamma, proton, levels = self.gamma, self.proton, self.levels
        n_levels = len(levels)
        at_g, at_p = self._place(gamma.gammaness), self._place(proton.gammaness)
        left_g = _survivors(of_gammas, at_g, n_levels, gamma.fold, gamma.weight)
        left_p = _survivors(of_protons, at_p, n_levels, proton.fold, proton.weight)
        all_g, all_p = left_g.sum(axis=1), left_p.sum(axis=1)
        n_g, n_p = all_g[:, 0], all_p[:, 0]
        fixed = int(np.searchsorted(levels, FIXED_CUT, side="right"))  # first level above
        with np.errstate(divide="ignore", invalid="ignore"):
            middle = n_p[:, None] - 0.5 * (all_p[:, 1:] + all_p[:, :-1])
            auc = np.sum((all_g[:, :-1] - all_g[:, 1:]) * middle, axis=1) / (n_g * n_p)
            f1 = 2.0 * all_g[:, fixed] / (n_g + all_g[:, fixed] + all_p[:, fixed])
            found = [auc, *self._probabilities(of_gammas, of_protons, n_g + n_p), f1]
            found = [np.where(n_g * n_p > 0, values, np.nan) for values in found]
            found += [all_g[:, fixed] / n_g, all_p[:, fixed] / n_p]
            cuts = [[self._keeping(left_g[:, f], e) for f in (0, 1)] for e in self.efficiencies]
            if self.min_background is not None:
                counted = left_p
                if not np.array_equal(self.is_counted, proton.weight):
                    counted = _survivors(of_protons, at_p, n_levels, proton.fold, self.is_counted)
                cuts.append([_best_q(left_g[:, f], left_p[:, f], counted[:, f], self.min_background) for f in (0, 1)])
            rates = self._rates(of_protons, of_source, at_p)
            for chosen in cuts:
                found += _at_cut(chosen, left_g, left_p, levels)
                found += [np.full(len(auc), np.nan)] * 3 if rates is None else _rates_at(chosen, *rates)
        return np.stack(found, axis=1)

    def _place(self, scores: Floats) -> Ints:
        """Level that each event reaches, [N]."""
        place: Ints = np.searchsorted(self.levels, scores, side="right").astype(np.int64) - 1
        return np.maximum(place, 0)

    def _keeping(self, left: Floats, efficiency: float) -> Ints:
        """Highest level that keeps a share of the gammas, or among thinned levels the closest; -1 without gammas."""
        # the closest level lies above the last one whose distance to the next is bisected above the share
        kept = left[:, :-1] if self.is_exact else 0.5 * (left[:, :-1] + left[:, 1:])
        n_enough = np.sum(kept >= efficiency * left[:, :1] * (1.0 - 1e-12), axis=1)
        level = n_enough - 1 if self.is_exact else np.minimum(n_enough, len(self.levels) - 1)
        return np.where(left[:, 0] > 0, level, -1)

    def _probabilities(self, of_gammas: Resampled, of_protons: Resampled, total: Floats) -> list[Floats]:
        """Log loss, Brier score and calibration error of the sample as it stands, [b] each."""
        g, p = self.gamma, self.proton
        loss_g, square_g = of_gammas.sums(
            g.weight * log_losses(g.gammaness, is_gamma=True), g.weight * (1.0 - g.gammaness) ** 2
        )
        loss_p, square_p = of_protons.sums(
            p.weight * log_losses(p.gammaness, is_gamma=False), p.weight * p.gammaness**2
        )
        error = calibration_error(of_gammas, g.gammaness, g.weight, of_protons, p.gammaness, p.weight)
        return [(loss_g + loss_p) / total, (square_g + square_p) / total, error]

    def _rates(self, of_protons: Resampled, of_source: Resampled | None, at_p: Ints) -> tuple[Floats, Floats] | None:
        """Rates above every level: point-like gammas [b, L + 1], both halves of the protons [b, 2, L + 1]."""
        if self.source is None or of_source is None or self.proton.rate_hz is None:
            return None
        n_levels = len(self.levels)
        # gammas below the lowest level pass no cut
        is_above = self.source.gammaness >= self.levels[0] if n_levels else np.zeros(len(self.source.gammaness), bool)
        rate = np.where(is_above, self.source.rate_hz, 0.0)
        gammas = _survivors(of_source, self._place(self.source.gammaness), n_levels, None, rate) if n_levels else None
        protons = _survivors(of_protons, at_p, n_levels, self.proton.fold, self.proton.rate_hz)
        return (protons[:, 0], protons) if gammas is None else (gammas[:, 0], protons)


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


def _at_cut(chosen: Sequence[Ints], left_g: Floats, left_p: Floats, levels: Floats) -> list[Floats]:
    """Mean cut, efficiencies and Q when each half is cut where the other half says."""
    kept_g, kept_p = (_pick(left[:, 0], chosen[1]) + _pick(left[:, 1], chosen[0]) for left in (left_g, left_p))
    gamma_efficiency = kept_g / left_g[..., 0].sum(axis=1)
    hadron_efficiency = kept_p / left_p[..., 0].sum(axis=1)
    q = gamma_efficiency / np.sqrt(hadron_efficiency)
    if len(levels):
        cut = np.mean([np.where(c >= 0, levels[np.maximum(c, 0)], np.nan) for c in chosen], axis=0)
    else:
        cut = np.full(len(kept_g), np.nan)
    return [cut, gamma_efficiency, hadron_efficiency, q]


def _rates_at(chosen: Sequence[Ints], gammas: Floats, protons: Floats) -> list[Floats]:
    """Rates per minute and purity; the point-like gammas are cut with the mean of both cuts' rates."""
    rate_g = 0.5 * (_pick(gammas, chosen[0]) + _pick(gammas, chosen[1]))
    rate_p = _pick(protons[:, 0], chosen[1]) + _pick(protons[:, 1], chosen[0])
    purity = np.where(rate_p > 0.0, rate_g / (rate_g + rate_p), np.nan)
    return [60.0 * rate_g, 60.0 * rate_p, purity]


def no_background_limit(rate_hz: Floats) -> float:
    """Upper limit, 84.13 %, on a rate of which no event is left: 1.841 events of the mean rate of those there were."""
    seen = rate_hz[rate_hz > 0.0]
    return float(_POISSON_UPPER * seen.mean()) if len(seen) else float("nan")


def roc_band(
    gamma: ArrayLike,
    proton: ArrayLike,
    of_gammas: Resampled,
    of_protons: Resampled,
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
    of_gammas, of_protons : Resampled
        Resampled sets of both.
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
    if len(levels) > _MOST_LEVELS:
        levels = _thinned(levels, g, p)
    at_g, at_p = (np.maximum(np.searchsorted(levels, v, side="right") - 1, 0) for v in (g, p))
    # whole numbers, for exact comparisons of sums
    unit_g, unit_p = (
        np.broadcast_to(np.rint(_WEIGHT_UNITS * np.asarray(w)), v.shape)
        for w, v in ((gamma_weight, g), (proton_weight, p))
    )

    def statistic(sets_g: Resampled, sets_p: Resampled) -> Floats:
        passed_g = _survivors(sets_g, at_g, len(levels), None, unit_g)[:, 0]
        passed_p = _survivors(sets_p, at_p, len(levels), None, unit_p)[:, 0]
        n_p = passed_p[:, :1]
        most = np.floor(wanted * n_p + 1e-9)
        level = passed_p.shape[1] - row_searchsorted(passed_p[:, ::-1], most)
        level = np.clip(level, 0, passed_p.shape[1] - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            curve: Floats = np.take_along_axis(passed_g, level, axis=1) / passed_g[:, :1]
        return np.where(n_p > 0, curve, np.nan)

    value, replicates = resample(statistic, of_gammas, of_protons)
    low, high = bootstrap_interval(value, replicates)
    return value, low, high
