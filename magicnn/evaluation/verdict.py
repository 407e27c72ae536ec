"""Comparisons in words: ``better by x ± y``."""

from __future__ import annotations

import math
from collections.abc import Iterator

from magicnn.evaluation.comparison import Comparison
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable

__all__ = ["CLEAR_SIGMA", "better_by", "comparison_of", "error_digits", "verdict_lines"]

CLEAR_SIGMA = 2.0
"""Distance from parity in standard deviations from which on a method is called better or worse."""

_TWO_DIGITS_BELOW = 3.55
_QUANTITIES = {
    "auc_difference": "ROC AUC",
    "resolution_half68_ratio_mean": "energy resolution (half 68 %)",
    "angular_resolution_68_ratio": "angular resolution (68 %)",
}


def comparison_of(metrics: MetricsTable, row: MetricRow) -> Comparison:
    """Put a row of a comparison and its standard deviation together.

    Parameters
    ----------
    metrics : MetricsTable
        Table that the row is from.
    row : MetricRow
        A difference or a ratio.

    Returns
    -------
    Comparison
        With a standard deviation of NaN when there is none.
    """
    place = (row.zenith_min_deg, row.zenith_max_deg)
    found = metrics.select(method=row.method, metric=f"{row.metric}_sigma", zenith_deg=place)
    sigma = [r.value for r in found if _same(r.energy_min_gev, row.energy_min_gev) and _same(r.bin_min, row.bin_min)]
    parity = 0.0 if row.metric.endswith("_difference") else 1.0
    return Comparison(row.value, row.low, row.high, sigma[0] if sigma else math.nan, parity)


def better_by(method: str, found: Comparison) -> str:
    """Say by how much a method is better.

    Parameters
    ----------
    method : str
        The one whose advantage is a value above parity.
    found : Comparison
        Difference, given as it is, or ratio, given as the percentage above 1.

    Returns
    -------
    str
        ``CNN better by 0.021 ± 0.004 (5.2 standard deviations)``, ``worse by``, or below two standard deviations
        ``not distinguishable, 0.001 ± 0.004 (0.3 standard deviations)``; says so when there are too few events.
    """
    distance = found.significance
    if not math.isfinite(found.value) or math.isnan(distance):
        return "too few events to tell"
    scale, unit = (100.0, " %") if found.parity == 1.0 else (1.0, "")
    digits = error_digits(scale * found.sigma)
    gain, sigma = (f"{scale * v:.{digits}f}".replace("-", "−") for v in (found.value - found.parity, found.sigma))
    by, far = f"{gain} ± {sigma}{unit}", f"({distance:.1f} standard deviations)".replace("-", "−")
    if distance >= CLEAR_SIGMA:
        return f"{method} better by {by} {far}"
    if distance > -CLEAR_SIGMA:
        return f"not distinguishable, {by} {far}"
    return f"{method} worse by {by.removeprefix('−')} {far.replace('−', '')}"


def error_digits(error: float) -> int:
    """Decimals that show one or two digits of an error, by the rule of the Particle Data Group."""
    power = math.floor(math.log10(error))
    return max(0, min(6, (1 if error / 10.0**power < _TWO_DIGITS_BELOW else 0) - power))


def verdict_lines(metrics: MetricsTable) -> Iterator[str]:
    """Yield a line per zenith range, pair of methods and quantity, for all energies or the mean over them."""
    rows = [r for name in _QUANTITIES for r in metrics.select(metric=name)]
    rows = [r for r in rows if math.isnan(r.energy_min_gev) or r.metric.endswith("_mean")]
    for row in sorted(rows, key=lambda r: (r.zenith_min_deg, r.zenith_max_deg, r.method)):
        found = comparison_of(metrics, row)
        if math.isfinite(found.value) and found.sigma > 0.0:
            first, second = row.method.split(" vs ")
            zenith = f"zenith {row.zenith_min_deg:g} to {row.zenith_max_deg:g} deg"
            yield f"{zenith}, {_QUANTITIES[row.metric]}, {first} against {second}: {better_by(first, found)}"


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
