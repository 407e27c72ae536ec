"""Figures of real events beside simulated ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from magicnn.report.plots import density_axis, density_band
from magicnn.report.style import axes_or_current, method_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["real_histograms"]

Floats = NDArray[np.float64]


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
        What the values are; GeV when the axis is logarithmic.
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
    ax.set_xlabel(f"log10({label.lower()} / GeV)" if is_logarithmic else label.lower())
    return ax
