"""Rows of the energy task: threshold, bias and resolution in bins of true energy, and who is better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import ALL_ENERGIES, Range, in_range, ranges
from magicnn.evaluation.comparison import compare, geometric_mean
from magicnn.evaluation.energy import ENERGY_METRICS, energy_errors, energy_statistic, threshold_statistic
from magicnn.evaluation.intervals import ShowerBootstrap, percentile_interval
from magicnn.evaluation.metrics_table import MetricRow
from magicnn.evaluation.rates import sample_rates_hz
from magicnn.evaluation.rows import bootstrap_of, comparison_rows
from magicnn.evaluation.samples import Sample
from magicnn.evaluation.settings import EvaluationSettings
from magicnn.evaluation.spectra import power_law

__all__ = ["energy_rows", "threshold_row"]

Floats = NDArray[np.float64]


def threshold_row(ring: Sample, zenith: Range, settings: EvaluationSettings) -> MetricRow:
    """Energy threshold of a zenith range: the peak of the true energies of all triggered point-like gammas."""
    value = low = high = math.nan
    if len(ring) and ring.generated and np.isfinite(ring.columns["true_energy_gev"]).all():
        weights = sample_rates_hz(ring, zenith, power_law(settings.threshold_index))
        statistic = threshold_statistic(ring.columns["true_energy_gev"], np.nan_to_num(weights))
        values, replicates = ShowerBootstrap.apply(statistic, bootstrap_of(ring, zenith, ALL_ENERGIES, settings))
        value, (low, high) = float(values[0]), (float(v[0]) for v in percentile_interval(replicates))
    return MetricRow("trigger", "trigger", "energy_threshold_gev", *zenith, *ALL_ENERGIES, len(ring), value, low, high)


def energy_rows(
    everything: Sample,
    ring: Sample,
    zenith: Range,
    methods: Sequence[str],
    threshold_gev: float,
    settings: EvaluationSettings,
) -> Iterator[MetricRow]:
    """Bias and resolution of every method in bins of true energy, and the ratios of compared methods.

    Parameters
    ----------
    everything, ring : Sample
        Point-like gammas of all zenith ranges, which tell who estimates energies, and of this range.
    zenith : (float, float)
        The range, degrees.
    methods : sequence of str
        All methods.
    threshold_gev : float
        Energy bins from here on enter the mean ratio.
    settings : EvaluationSettings
        Bins, bootstrap, pairs.

    Yields
    ------
    MetricRow
    """
    able = [m for m in methods if everything.has(m, "reco_energy_gev")]
    judged = ring.select(ring.judged(able, "reco_energy_gev"))
    pairs = [(a, b) for a, b in settings.comparisons if a in able and b in able]
    enough: dict[tuple[str, str], list[tuple[float, Floats]]] = {pair: [] for pair in pairs}
    used: list[Range] = []
    n_used = 0
    for bin_gev in ranges(settings.energy_edges_gev):
        events = judged.select(in_range(judged.columns["true_energy_gev"], bin_gev))
        resampling = bootstrap_of(events, zenith, bin_gev, settings)
        found: dict[str, tuple[Floats, Floats]] = {}
        for method in able:
            errors = energy_errors(events.predictions[method]["reco_energy_gev"], events.columns["true_energy_gev"])
            found[method] = ShowerBootstrap.apply(energy_statistic(errors), resampling)
            value = found[method][0].tolist()
            low, high = (limit.tolist() for limit in percentile_interval(found[method][1]))
            for k, name in enumerate(ENERGY_METRICS):
                yield MetricRow(method, "energy", name, *zenith, *bin_gev, len(events), value[k], low[k], high[k])
        is_used = bin_gev[0] >= threshold_gev and len(events) >= settings.comparison_min_events
        if is_used:
            used.append(bin_gev)
            n_used += len(events)
        column = ENERGY_METRICS.index("resolution_half68")
        for a, b in pairs:
            (va, ra), (vb, rb) = found[a], found[b]
            ratio = compare(float(vb[column]), float(va[column]), rb[:, column], ra[:, column], how="ratio")
            yield from comparison_rows(a, b, "energy", "resolution_half68_ratio", zenith, bin_gev, len(events), ratio)
            if is_used:
                enough[a, b].append((ratio.value, rb[:, column] / ra[:, column]))
    span = (used[0][0], used[-1][1]) if used else ALL_ENERGIES
    for (a, b), ratios in enough.items():
        sets = np.stack([r for _, r in ratios], axis=1) if ratios else np.empty((0, 0))
        mean = geometric_mean([v for v, _ in ratios], sets)
        yield from comparison_rows(a, b, "energy", "resolution_half68_ratio_mean", zenith, span, n_used, mean)
