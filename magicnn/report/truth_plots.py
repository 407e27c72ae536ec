"""Figures of how estimates answer to the truth: calibration of the gammaness, migration of the energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from magicnn.evaluation.binning import Range
from magicnn.evaluation.metrics_table import MetricsTable
from magicnn.report.style import PUBLISHED_COLOUR, axes_or_current, markers, method_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["migration_matrix", "reliability_curves"]


def reliability_curves(
    metrics: MetricsTable, zenith_deg: Range, methods: Sequence[str], *, ax: Axes | None = None
) -> Axes:
    """Draw the share of gammas against the mean gammaness of bins of gammaness, with intervals.

    Calibrated methods lie on the diagonal, for the sample as it stands.
    """
    ax = axes_or_current(ax)
    colours, shapes = method_colours(methods), markers(methods)
    for method in methods:
        found = {
            name: {r.bin_min: r for r in metrics.select(method=method, metric=name, zenith_deg=zenith_deg)}
            for name in ("reliability", "reliability_gammaness")
        }
        bins = [
            (found["reliability_gammaness"][b].value, row)
            for b, row in sorted(found["reliability"].items())
            if np.isfinite(row.value) and b in found["reliability_gammaness"]
        ]
        if not bins:
            continue
        share, low, high = (np.array([getattr(r, n) for _, r in bins]) for n in ("value", "low", "high"))
        error = np.nan_to_num(np.clip(np.stack([share - low, high - share]), 0.0, None))
        ax.errorbar(
            np.array([mean for mean, _ in bins]),
            share,
            error,
            color=colours[method],
            marker=shapes[method],
            markersize=5,
            linewidth=1.2,
            capsize=2,
            label=method,
        )
    ax.plot([0.0, 1.0], [0.0, 1.0], color=PUBLISHED_COLOUR, linewidth=0.8, linestyle=":")
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(0.0, 1.0)
    ax.set_xlabel("mean gammaness")
    ax.set_ylabel("share of gammas")
    return ax


def migration_matrix(metrics: MetricsTable, zenith_deg: Range, method: str, *, ax: Axes | None = None) -> Axes:
    """Draw in which bin of estimated energy the events of each bin of true energy are found, in percent.

    Bins of true energy without events are empty.
    """
    ax = axes_or_current(ax)
    rows = metrics.select(method=method, metric="migration", zenith_deg=zenith_deg)
    edges = sorted({e for r in rows for e in (r.energy_min_gev, r.energy_max_gev)})
    shares = np.full((len(edges) - 1, len(edges) - 1), np.nan)
    for row in rows:
        if row.n_events and row.bin_min in edges:
            shares[edges.index(row.bin_min), edges.index(row.energy_min_gev)] = 100.0 * row.value
    mesh = ax.pcolormesh(
        edges, edges, np.ma.masked_invalid(shares), cmap="viridis", vmin=0.0, vmax=100.0, rasterized=True
    )
    figure = ax.get_figure()
    assert figure is not None
    bar = figure.colorbar(mesh, ax=ax, pad=0.03)
    bar.set_label("events of the bin of true energy [%]")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.plot(edges, edges, color=PUBLISHED_COLOUR, linewidth=0.8, linestyle=":")
    ax.set_xlabel("true energy [GeV]")
    ax.set_ylabel(f"energy estimated by {method} [GeV]")
    return ax
