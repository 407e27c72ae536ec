"""Rows of the classification task: all measures for all energies, most of them in bins, and who is better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation import classification
from magicnn.evaluation.axes import Axis, axes
from magicnn.evaluation.binning import Range, ranges
from magicnn.evaluation.calibration import GAMMANESS_EDGES, gammaness_bin
from magicnn.evaluation.intervals import bootstrap_interval, effective_number, wilson_interval
from magicnn.evaluation.metrics_table import MetricRow
from magicnn.evaluation.rates import Rates, rate_samples
from magicnn.evaluation.rows import Cell, Found, Scope, compared_rows, efficiency_row
from magicnn.evaluation.samples import Role, Sample
from magicnn.evaluation.settings import EvaluationSettings

__all__ = ["classification_rows", "energy_reference"]

Floats = NDArray[np.float64]
_Values = Mapping[str, tuple[float, float, float]]

_IN_BINS = (
    "auc",
    "log_loss",
    "brier",
    "ece",
    "f1",
    "gamma_efficiency_c50",
    "hadron_efficiency_c50",
)
_AT_CUT_IN_BINS = ("gammaness_cut", "gamma_efficiency", "hadron_efficiency", "q")
_RATES_IN_BINS = ("gamma_rate_per_min", "hadron_rate_per_min", "purity")


@dataclass(frozen=True)
class _Judged:
    """The events of a cell that a method is judged on."""

    method: str
    gamma: Sample
    proton: Sample
    rates: Rates | None

    def inside(self, axis: Axis, limits: Range, reference: str | None) -> _Judged:
        """Return the events in a bin; rates only where the quantity is known for real events, too."""
        in_gamma, in_proton = (axis.inside(s, limits, reference) for s in (self.gamma, self.proton))
        rates = None
        if self.rates is not None and axis.quantity in ("reco_energy", "size"):
            in_source = axis.inside(self.rates.source, limits, reference)
            rates = self.rates.select(in_source, in_proton)
        return _Judged(self.method, self.gamma.select(in_gamma), self.proton.select(in_proton), rates)

    def classified(self, role: Role) -> tuple[Sample, Floats]:
        """Events of a class with the method's gammaness."""
        sample = self.gamma if role == "diffuse_gamma" else self.proton
        said = sample.predictions.get(self.method)
        return sample, np.empty(0) if said is None else said["gammaness"]


def energy_reference(
    samples: Mapping[Role, Sample], methods: Sequence[str], settings: EvaluationSettings
) -> str | None:
    """Method whose estimated energy bins classification and direction, the same for all methods."""
    for method in dict.fromkeys(chain(settings.energy_reference, methods)):
        if all(samples[r].has(method, "reco_energy_gev") for r in ("diffuse_gamma", "proton")):
            return method
    return None


def classification_rows(
    everything: Mapping[Role, Sample], scope: Scope, methods: Sequence[str], reference: str | None
) -> Iterator[MetricRow]:
    """Efficiencies, Q, AUC, purity and the other measures of every method, and differences of compared methods.

    Parameters
    ----------
    everything : mapping of role to Sample
        The events of all zenith ranges, which tell who classifies.
    scope : Scope
        The zenith range.
    methods : sequence of str
        All methods.
    reference : str or None
        Method whose estimated energies bin the events.

    Yields
    ------
    MetricRow
    """
    settings, zenith, inside = scope.settings, scope.zenith, scope.samples
    roles: tuple[Role, Role] = ("diffuse_gamma", "proton")
    able = [m for m in methods if any(everything[r].has(m, "gammaness") for r in roles)]
    able = [m for m in able if all(m in everything[r].predictions or not len(everything[r]) for r in roles)]
    gamma, proton = (inside[r].select(inside[r].judged(_having(able, inside[r]), "gammaness")) for r in roles)
    judged = [_Judged(m, gamma, proton, rate_samples(m, inside["ring_gamma"], proton, zenith, settings)) for m in able]
    efficiencies = settings.gamma_efficiencies
    names = classification.classification_metrics(efficiencies)
    found = {}
    for one in judged:
        found[one.method] = _judge(one, scope, efficiencies, settings.min_background)
        yield from _summary_rows(Cell(zenith), one, names, names, *found[one.method])
        yield from _confusion_rows(Cell(zenith), one)
        yield from _reliability_rows(zenith, one)
    yield from _difference_rows(Cell(zenith), scope, gamma, proton, found)
    few = (settings.binned_gamma_efficiency,)
    names = classification.classification_metrics(few, with_largest_q=False)
    at_cut = classification.cut_name(few[0])
    plain = [*_IN_BINS, *(f"{n}_{at_cut}" for n in _AT_CUT_IN_BINS)]
    for axis in axes("reco_energy", settings, [everything[r] for r in roles], [reference]):
        for limits, cell in axis.cells(zenith):
            found = {}
            for one in (j.inside(axis, limits, reference) for j in judged):
                found[one.method] = _judge(one, scope, few, None)
                wanted = plain if one.rates is None else [*plain, *(f"{n}_{at_cut}" for n in _RATES_IN_BINS)]
                yield from _summary_rows(cell, one, names, wanted, *found[one.method])
            if axis.is_standard and judged:
                yield from _difference_rows(cell, scope, one.gamma, one.proton, found)


def _having(methods: Sequence[str], sample: Sample) -> list[str]:
    return [m for m in methods if m in sample.predictions]


def _n_classified(sample: Sample) -> int:
    return int(np.count_nonzero(sample.class_weight))


def _judge(
    one: _Judged, scope: Scope, efficiencies: Sequence[float], min_background: int | None
) -> tuple[Floats, Floats]:
    sets = [scope.sets(one.gamma), scope.sets(one.proton)]
    gamma = _labelled(one, "diffuse_gamma", None)
    proton = _labelled(one, "proton", one.rates.proton_hz if one.rates is not None else None)
    source = None
    if one.rates is not None:
        sets.append(scope.sets(one.rates.source))
        scores = one.rates.source.predictions[one.method]["gammaness"]
        source = classification.RateSample(scores, one.rates.source_hz)
    return classification.classify(gamma, proton, sets, efficiencies, min_background=min_background, source=source)


def _labelled(one: _Judged, role: Role, rate_hz: Floats | None) -> classification.Labelled:
    """Events of a class; a cut for one half of the showers is found with the other half."""
    sample, score = one.classified(role)
    return classification.Labelled(score, sample.shower % 2, sample.class_weight, rate_hz)


def _difference_rows(
    cell: Cell, scope: Scope, gamma: Sample, proton: Sample, found: Mapping[str, Found]
) -> Iterator[MetricRow]:
    n = _n_classified(gamma) + _n_classified(proton)
    yield from compared_rows(cell, scope, found, 0, "classification", "auc_difference", n, how="difference")


def _summary_rows(
    cell: Cell, one: _Judged, names: Sequence[str], wanted: Sequence[str], value: Floats, replicates: Floats
) -> Iterator[MetricRow]:
    low, high = bootstrap_interval(value, replicates)
    by_name = dict(zip(names, zip(map(float, value), map(float, low), map(float, high), strict=True), strict=True))
    n_g, n_p = _n_classified(one.gamma), _n_classified(one.proton)
    for name in wanted:
        middle, lower, upper = by_name[name]
        n = n_g if name.startswith(("gamma_eff", "gammaness")) else n_p if name.startswith("hadron") else n_g + n_p
        if name.startswith("gamma_rate") and one.rates is not None:
            n = len(one.rates.source)
        if name.startswith(("gamma_efficiency", "hadron_efficiency")):
            lower, upper = _wilson(middle, one, by_name, name)
        if name.startswith("q_") and not math.isfinite(middle):
            middle, lower, upper = math.nan, _q_limit(name, by_name, one.proton), math.nan
        if name.startswith("purity") and one.rates is not None:
            middle, lower, upper = _purity_limit(name, by_name, one.rates, (middle, lower, upper))
        yield cell.row(one.method, "classification", name, n, middle, lower, upper)


def _wilson(share: float, one: _Judged, values: _Values, name: str) -> tuple[float, float]:
    """Wilson interval of an efficiency, with the correlation of re-used showers at (about) its cut."""
    if math.isnan(share):
        return math.nan, math.nan
    sample, score = one.classified("diffuse_gamma" if name.startswith("gamma") else "proton")
    suffix = name.rsplit("_", 1)[1]
    cut = classification.FIXED_CUT if suffix == "c50" else values[f"gammaness_cut_{suffix}"][0]
    effective = effective_number(score >= cut, weights=sample.class_weight, shower_index=sample.shower)
    low, high = wilson_interval(share * effective, effective)
    return float(low), float(high)


def _q_limit(name: str, values: _Values, proton: Sample) -> float:
    """Lower limit on Q when no proton is left: with the upper end of the interval of the hadron efficiency."""
    suffix = name.removeprefix("q_")
    kept, left = values[f"gamma_efficiency_{suffix}"][0], values[f"hadron_efficiency_{suffix}"][0]
    if left != 0.0 or math.isnan(kept):
        return math.nan
    n = effective_number(np.zeros(len(proton), dtype=bool), weights=proton.class_weight, shower_index=proton.shower)
    return float(kept / np.sqrt(wilson_interval(0.0, n)[1]))


def _purity_limit(
    name: str, values: _Values, rates: Rates, interval: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Purity; when no proton is left in the region its lower limit alone, from an upper limit on their rate."""
    suffix = name.removeprefix("purity_")
    gammas, protons = values[f"gamma_rate_per_min_{suffix}"][0], values[f"hadron_rate_per_min_{suffix}"][0]
    if protons != 0.0:
        return interval
    limit = 60.0 * classification.no_background_limit(rates.proton_hz)
    return math.nan, gammas / (gammas + limit), math.nan


def _confusion_rows(cell: Cell, one: _Judged) -> Iterator[MetricRow]:
    """Sums of weights at gammaness > 0.5, with the Wilson interval of the share times that of all events."""
    sides: tuple[tuple[Role, str, str], ...] = (
        ("diffuse_gamma", "confusion_tp", "confusion_fn"),
        ("proton", "confusion_fp", "confusion_tn"),
    )
    for role, right, wrong in sides:
        sample, score = one.classified(role)
        is_above, weight = score > classification.FIXED_CUT, sample.class_weight
        total = float(weight.sum())
        for metric, passed in ((right, is_above), (wrong, ~is_above)):
            row = (one.method, "classification", metric, passed, sample.shower, weight)
            if total:
                yield efficiency_row(cell, *row, scale=total)
            else:
                yield cell.row(one.method, "classification", metric, len(passed), 0.0)


def _reliability_rows(zenith: Range, one: _Judged) -> Iterator[MetricRow]:
    """Share of gammas, and mean gammaness, in bins of the gammaness; of the sample as it stands."""
    gamma, proton = one.gamma, one.proton
    score = np.concatenate([one.classified(role)[1] for role in ("diffuse_gamma", "proton")])
    is_gamma = np.repeat([True, False], [len(gamma), len(proton)])
    shower = np.concatenate([gamma.shower, proton.shower + 1 + gamma.shower.max(initial=-1)])
    weight = np.concatenate([gamma.class_weight, proton.class_weight])
    place = gammaness_bin(score)
    for k, limits in enumerate(ranges(GAMMANESS_EDGES)):
        inside = (place == k) & (weight > 0.0)
        cell = Cell(zenith, other=limits)
        task, w = "classification", weight[inside]
        yield efficiency_row(cell, one.method, task, "reliability", is_gamma[inside], shower[inside], w)
        mean = float(np.average(score[inside], weights=w)) if len(w) else math.nan
        yield cell.row(one.method, task, "reliability_gammaness", len(w), mean)
