"""Rows of the classification task: all measures for all energies, a few in energy bins, and who is better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation import classification
from magicnn.evaluation.binning import ALL_ENERGIES, Range, in_range, ranges
from magicnn.evaluation.comparison import compare
from magicnn.evaluation.intervals import ShowerBootstrap, effective_number, percentile_interval, wilson_interval
from magicnn.evaluation.metrics_table import MetricRow
from magicnn.evaluation.rates import Rates, rate_samples
from magicnn.evaluation.rows import bootstrap_of, comparison_rows, efficiency_row
from magicnn.evaluation.samples import Role, Sample
from magicnn.evaluation.settings import EvaluationSettings

__all__ = ["classification_rows"]

Floats = NDArray[np.float64]
_IN_BINS = ("auc", "gamma_efficiency", "hadron_efficiency", "q")


def classification_rows(
    everything: Mapping[Role, Sample],
    inside: Mapping[Role, Sample],
    zenith: Range,
    methods: Sequence[str],
    settings: EvaluationSettings,
) -> Iterator[MetricRow]:
    """Efficiencies, Q, AUC, purity and the other measures of every method, and differences of compared methods.

    Parameters
    ----------
    everything, inside : mapping of role to Sample
        The events of all zenith ranges, which tell who classifies, and of this range.
    zenith : (float, float)
        The range, degrees.
    methods : sequence of str
        All methods.
    settings : EvaluationSettings
        Bins, cuts, bootstrap, pairs.

    Yields
    ------
    MetricRow
    """
    roles: tuple[Role, Role] = ("diffuse_gamma", "proton")
    able = [m for m in methods if any(everything[r].has(m, "gammaness") for r in roles)]
    able = [m for m in able if all(m in everything[r].predictions or not len(everything[r]) for r in roles)]
    gamma, proton = (inside[r].select(inside[r].judged(_having(able, inside[r]), "gammaness")) for r in roles)
    ring = inside["ring_gamma"]
    reference = _energy_reference(everything, methods, settings)
    found: dict[tuple[str, Range], tuple[Floats, Floats]] = {}
    names = classification.classification_metrics(settings.gamma_efficiencies)
    for method in able:
        rates = rate_samples(method, ring, proton, zenith, settings)
        value, replicates = _judge(
            method, gamma, proton, zenith, ALL_ENERGIES, settings, settings.gamma_efficiencies, rates
        )
        found[method, ALL_ENERGIES] = value, replicates
        yield from _summary_rows(method, gamma, proton, zenith, ALL_ENERGIES, names, value, replicates, rates)
        yield from _confusion_rows(method, gamma, proton, zenith)
        few = (settings.binned_gamma_efficiency,)
        wanted = [f"{n}_{classification.cut_name(few[0])}" if n != "auc" else n for n in _IN_BINS]
        few_names = classification.classification_metrics(few)
        for bin_gev in ranges(settings.energy_edges_gev):
            g, p = (_in_energy(s, reference, bin_gev) for s in (gamma, proton))
            value, replicates = _judge(method, g, p, zenith, bin_gev, settings, few, None)
            yield from _summary_rows(method, g, p, zenith, bin_gev, few_names, value, replicates, None, wanted)
            found[method, bin_gev] = value, replicates
    for a, b in settings.comparisons:
        if a not in able or b not in able:
            continue
        for bin_gev in (ALL_ENERGIES, *ranges(settings.energy_edges_gev)):
            g, p = (_in_energy(s, reference, bin_gev) for s in (gamma, proton))
            (va, ra), (vb, rb) = found[a, bin_gev], found[b, bin_gev]
            difference = compare(float(va[0]), float(vb[0]), ra[:, 0], rb[:, 0], how="difference")
            n = _n_classified(g) + _n_classified(p)
            yield from comparison_rows(a, b, "classification", "auc_difference", zenith, bin_gev, n, difference)


def _having(methods: Sequence[str], sample: Sample) -> list[str]:
    return [m for m in methods if m in sample.predictions]


def _energy_reference(
    samples: Mapping[Role, Sample], methods: Sequence[str], settings: EvaluationSettings
) -> str | None:
    """Method whose estimated energy bins the classification, the same for all methods."""
    for method in dict.fromkeys(chain(settings.energy_reference, methods)):
        if all(samples[r].has(method, "reco_energy_gev") for r in ("diffuse_gamma", "proton")):
            return method
    return None


def _in_energy(sample: Sample, reference: str | None, bin_gev: Range) -> Sample:
    if math.isnan(bin_gev[0]):
        return sample
    if reference is None or reference not in sample.predictions:
        return sample.select(np.zeros(len(sample), dtype=bool))
    return sample.select(in_range(sample.predictions[reference]["reco_energy_gev"], bin_gev))


def _score(sample: Sample, method: str) -> Floats:
    return sample.predictions[method]["gammaness"] if method in sample.predictions else np.empty(0)


def _n_classified(sample: Sample) -> int:
    return int(np.count_nonzero(sample.class_weight))


def _folds(sample: Sample) -> NDArray[np.int64]:
    """Which half of the showers an event belongs to: a cut for one half is found with the other."""
    return sample.shower % 2


def _judge(
    method: str,
    gamma: Sample,
    proton: Sample,
    zenith: Range,
    bin_gev: Range,
    settings: EvaluationSettings,
    efficiencies: Sequence[float],
    rates: Rates | None,
) -> tuple[Floats, Floats]:
    resampling = [bootstrap_of(s, zenith, bin_gev, settings) for s in (gamma, proton)]
    if rates is not None:
        resampling.append(bootstrap_of(rates[0], zenith, bin_gev, settings))
    statistic = classification.classification_statistic(
        _score(gamma, method),
        _score(proton, method),
        _folds(gamma),
        _folds(proton),
        efficiencies,
        gamma_weight=gamma.class_weight,
        proton_weight=proton.class_weight,
        min_background=settings.min_background,
        gamma_rates=rates[1] if rates else None,
        proton_rates=rates[2] if rates else None,
    )
    return ShowerBootstrap.apply(statistic, *resampling)


def _summary_rows(
    method: str,
    gamma: Sample,
    proton: Sample,
    zenith: Range,
    bin_gev: Range,
    names: Sequence[str],
    value: Floats,
    replicates: Floats,
    rates: Rates | None,
    wanted: Sequence[str] | None = None,
) -> Iterator[MetricRow]:
    low, high = percentile_interval(replicates)
    by_name = dict(zip(names, zip(map(float, value), map(float, low), map(float, high), strict=True), strict=True))
    n_g, n_p = _n_classified(gamma), _n_classified(proton)
    for name in wanted or names:
        middle, lower, upper = by_name[name]
        n = n_g if name.startswith(("gamma_eff", "gammaness")) else n_p if name.startswith("hadron") else n_g + n_p
        if name.startswith("gamma_rate") and rates is not None:
            n = len(rates[0])
        if name.startswith(("gamma_efficiency", "hadron_efficiency")):
            lower, upper = _wilson(middle, gamma if name.startswith("gamma") else proton, method, by_name, name)
        if name.startswith("q_") and not math.isfinite(middle):
            middle, lower, upper = math.nan, _q_limit(name, by_name, proton), math.nan
        if name.startswith("purity") and rates is not None:
            middle, lower, upper = _purity_limit(name, by_name, rates, (middle, lower, upper))
        yield MetricRow(method, "classification", name, *zenith, *bin_gev, n, middle, lower, upper)


_Values = Mapping[str, tuple[float, float, float]]


def _wilson(share: float, sample: Sample, method: str, values: _Values, name: str) -> tuple[float, float]:
    """Wilson interval of an efficiency, with the correlation of re-used showers at (about) its cut."""
    if math.isnan(share):
        return math.nan, math.nan
    score = _score(sample, method)
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
    limit = 60.0 * classification.no_background_limit(rates[2].rate_hz)
    return math.nan, gammas / (gammas + limit), math.nan


def _confusion_rows(method: str, gamma: Sample, proton: Sample, zenith: Range) -> Iterator[MetricRow]:
    """Sums of weights at gammaness > 0.5, with the Wilson interval of the share times that of all events."""
    for sample, right, wrong in ((gamma, "confusion_tp", "confusion_fn"), (proton, "confusion_fp", "confusion_tn")):
        is_above = _score(sample, method) > classification.FIXED_CUT
        for metric, passed in ((right, is_above), (wrong, ~is_above)):
            weight = sample.class_weight
            row = efficiency_row(method, "classification", metric, zenith, ALL_ENERGIES, passed, sample.shower, weight)
            total = float(weight.sum())
            yield MetricRow(
                method,
                "classification",
                metric,
                *zenith,
                *ALL_ENERGIES,
                row.n_events,
                float(weight[passed].sum()),
                row.low * total,
                row.high * total,
            )
