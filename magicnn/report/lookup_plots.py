"""Pictures of energy lookup tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from magicnn.baselines.lookup import EnergyLookup
from magicnn.baselines.smooth_table import SmoothTable
from magicnn.errors import InputError
from magicnn.report.style import figure_style
from magicnn.runs import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_lookup", "lookup_figure"]

_DPI = 130
_LARGEST_SPREAD = 0.6


def lookup_figure(lookup: EnergyLookup, telescopes: Sequence[str] = ("M1", "M2")) -> Figure:
    """Draw what the tables hold.

    Parameters
    ----------
    lookup : EnergyLookup
        Filled tables.
    telescopes : sequence of str, [T]
        Names of the telescopes.

    Returns
    -------
    matplotlib Figure
        One row per filled zenith range; for each telescope the mean of the content and its RMS over the mean (of the
        plain tables: mean and RMS of log10 E). White: no content.

    Raises
    ------
    InputError
        The tables are empty.
    """
    from matplotlib.figure import Figure as NewFigure

    rows = [k for k, row in enumerate(lookup.tables) if any(np.isfinite(t.mean).any() for t in row)]
    if not rows:
        raise InputError("energy lookup: the tables are empty, there is nothing to draw")
    n_telescopes = len(lookup.tables[0])
    with figure_style():
        figure = NewFigure(figsize=(3.4 * 2 * n_telescopes, 2.7 * len(rows) + 0.5), layout="constrained")
        axes = figure.subplots(len(rows), 2 * n_telescopes, squeeze=False, sharex=True, sharey=True)
        for line, index in zip(axes, rows, strict=True):
            low, high = lookup.settings.zenith_edges_deg[index : index + 2]
            for telescope, table in enumerate(lookup.tables[index]):
                name = telescopes[telescope] if telescope < len(telescopes) else f"telescope {telescope + 1}"
                _panels(
                    line[2 * telescope : 2 * telescope + 2], table, name, is_plain=lookup.settings.method == "plain"
                )
            line[0].set_ylabel(f"zenith {low:g}–{high:g} deg\nlog$_{{10}}$(size / phe)")
        for panel in axes[-1]:
            panel.set_xlabel(
                "impact × cos(zenith) (m)" if lookup.settings.method == "plain" else "impact / Cherenkov radius"
            )
    return figure


def draw_lookup(lookup: EnergyLookup, path: Path | str, telescopes: Sequence[str] = ("M1", "M2")) -> None:
    """Write `lookup_figure` to a PNG file.

    Raises
    ------
    InputError
        The tables are empty, or the file cannot be written.
    """
    figure = lookup_figure(lookup, telescopes)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=_DPI)


def _panels(axes: Sequence[Axes], table: SmoothTable, name: str, *, is_plain: bool) -> None:
    """Mean and spread of one table."""
    spread = table.rms if is_plain else table.rms / table.mean
    quantities = (
        (
            table.mean,
            "mean log$_{10}$(E / GeV)" if is_plain else "E ρ / size (GeV m$^{-2}$ phe$^{-1}$)",
            "viridis",
            None,
        ),
        (spread, "RMS of log$_{10}$ E" if is_plain else "RMS / mean", "magma", _LARGEST_SPREAD),
    )
    for axis, (values, label, cmap, top) in zip(axes, quantities, strict=True):
        image = axis.pcolormesh(
            table.x_edges, table.y_edges, values.T, cmap=cmap, vmin=0.0 if top else None, vmax=top, rasterized=True
        )
        axis.grid(visible=False)
        axis.set_title(f"{name}: {label}", fontsize=9.5)
        axis.figure.colorbar(image, ax=axis, pad=0.01, extend="max" if top else "neither")
