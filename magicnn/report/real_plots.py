"""Figures of real events: beside simulated ones, and around a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.signal import Signal
from magicnn.report.plots import density_axis, density_band, say_empty
from magicnn.report.style import PUBLISHED_COLOUR, axes_or_current, looks, method_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cumulated_significance", "real_histograms", "theta2_histogram"]

Floats = NDArray[np.float64]

_BINS_WITHIN_CUT = 4
_LARGEST_THETA2_DEG2 = 0.16


def real_histograms(
    measured: Mapping[str, Floats],
    simulated: Mapping[str, Floats],
    weights: Floats,
    edges: Floats,
    *,
    label: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw what methods say of real events (full) and of simulated protons (dashed).

    Parameters
    ----------
    measured, simulated : mapping of method to float64 array, [N], [M]
        Values of real events and of simulated ones, finite; the simulated ones may lack methods.
    weights : float64 array, [M]
        Events that each simulated event stands for.
    edges : float64 array
        Edges of the bins; the axis is logarithmic when the first one is above 0.
    label : str
        What the values are, with the unit in brackets.
    ax : matplotlib Axes, optional
        Where; the current ones when not given.

    Returns
    -------
    matplotlib Axes
    """
    ax = axes_or_current(ax)
    colours = method_colours(measured)
    is_logarithmic = edges[0] > 0.0
    place = np.log10 if is_logarithmic else np.asarray
    for method, values in measured.items():
        colour, bins = colours[method], place(edges)
        density_band(place(values), bins, colour=colour, line="-", label=f"{method}, real", ax=ax)
        if method in simulated:
            found = place(simulated[method])
            name = f"{method}, simulated"
            density_band(found, bins, colour=colour, line="--", label=name, weights=weights, ax=ax)
    density_axis(ax)
    ax.set_xlim(*place(edges[[0, -1]]))
    name, _, unit = f"{label[0].lower()}{label[1:]}".partition(" [")
    ax.set_xlabel(f"log10({name} / {unit.rstrip(']')})" if is_logarithmic else f"{name} [{unit}" if unit else name)
    return ax


def theta2_histogram(signal: Signal, *, ax: Axes | None = None) -> Axes:
    """Draw the squared angles to the source (points) and the normalised ones to the off positions (filled).

    Parameters
    ----------
    signal : Signal
        Counts of one method; the axis ends where the regions would overlap.
    ax : matplotlib Axes, optional
        Where; the current ones when not given.

    Returns
    -------
    matplotlib Axes
    """
    ax = axes_or_current(ax)
    cut = signal.settings.theta2_cut_deg2
    step = cut / _BINS_WITHIN_CUT
    end = min(signal.largest_theta2_deg2, max(_LARGEST_THETA2_DEG2, 2.0 * cut))
    edges = step * np.arange(max(_BINS_WITHIN_CUT, int(end / step + 1e-9)) + 1)
    on = np.histogram(signal.theta2_on_deg2, edges)[0].astype(float)
    off = np.histogram(signal.theta2_off_deg2, edges)[0].astype(float)
    colour = method_colours([signal.method])[signal.method]
    expected, error = signal.alpha * off, signal.alpha * np.sqrt(off)
    ax.stairs(expected, edges, color=PUBLISHED_COLOUR, linewidth=1.2, label=f"off / {signal.settings.n_off}")
    ax.stairs(
        expected + error, edges, baseline=expected - error, fill=True, color=PUBLISHED_COLOUR, alpha=0.3, linewidth=0
    )
    ax.stairs(expected, edges, fill=True, color=PUBLISHED_COLOUR, alpha=0.15, linewidth=0)
    centre = 0.5 * (edges[1:] + edges[:-1])
    ax.errorbar(centre, on, np.sqrt(on), fmt="o", color=colour, markersize=4, linewidth=1.2, label="on")
    ax.axvline(cut, color=PUBLISHED_COLOUR, linewidth=0.9, linestyle="--")
    top = float(np.max(np.concatenate([on + np.sqrt(on), expected + error, [1.0]])))
    ax.set_xlim(0.0, edges[-1])
    ax.set_ylim(0.0, 1.45 * top)
    lines = (
        f"{signal.method}: N on {signal.n_on}, N off {signal.n_off} / {signal.settings.n_off}",
        f"excess {signal.excess:.1f} ± {signal.excess_error:.1f}",
        f"significance {signal.significance:.1f} σ",
    )
    ax.text(0.97, 0.97, "\n".join(lines), transform=ax.transAxes, ha="right", va="top", fontsize=9)
    ax.set_xlabel("θ² [deg²]")
    ax.set_ylabel(f"events per {step:g} deg²")
    # below the numbers: a source is at the left
    ax.legend(loc="upper right", bbox_to_anchor=(1.0, 0.79), ncols=2, columnspacing=1.0, handlelength=1.4)
    return ax


def cumulated_significance(signals: Sequence[Signal], *, ax: Axes | None = None) -> Axes:
    """Draw how the significance of every method grew with the time of observation."""
    ax = axes_or_current(ax)
    look = looks([s.method for s in signals])
    for signal in signals:
        ax.step(
            signal.elapsed_hours(),
            signal.cumulated(),
            where="post",
            color=look[signal.method]["color"],
            linestyle=look[signal.method]["linestyle"],
            label=signal.method,
        )
    ax.axhline(0.0, color=PUBLISHED_COLOUR, linewidth=0.8)
    if not any(len(s.run_id) for s in signals):
        say_empty("no events pass the cuts", ax=ax)
    ax.set_xlabel("time of observation [h]")
    ax.set_ylabel("significance [σ]")
    return ax
