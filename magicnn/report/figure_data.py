"""The numbers of a figure, read back from what was drawn: the file beside a figure holds what the reader sees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.metrics_table import write_ecsv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.container import ErrorbarContainer

__all__ = ["drawn_ecsv", "drawn_rows"]

_COLUMNS = {
    "series": ("string", "", "entry of the legend; empty for cells of a matrix"),
    "x": ("float64", "", "place on the horizontal axis; points of several methods are set apart a little"),
    "x_min": ("float64", "", "lower edge of the bin; nan for points"),
    "x_max": ("float64", "", "upper edge of the bin; nan for points"),
    "y": ("float64", "", "height"),
    "y_min": ("float64", "", "lower end of the interval, band or vertical bin; nan without"),
    "y_max": ("float64", "", "upper end of the interval, band or vertical bin; nan without"),
    "value": ("float64", "", "content of a cell of a matrix; nan otherwise"),
}

Floats = NDArray[np.float64]


def drawn_ecsv(ax: Axes, *, name: str, caption: str) -> str:
    """Return what is drawn in axes as ECSV text.

    Parameters
    ----------
    ax : matplotlib Axes
        Points with intervals, lines with bands, histograms with bands, cells of a matrix.
    name, caption : str
        Put into the header, with the labels of the axes.

    Returns
    -------
    str
        Columns series, x, x_min, x_max, y, y_min, y_max, value, in the units of the axes.
    """
    meta = {"figure": name, "caption": caption, "x": ax.get_xlabel(), "y": ax.get_ylabel()}
    return write_ecsv(_COLUMNS, drawn_rows(ax), meta=meta)


def drawn_rows(ax: Axes) -> list[dict[str, Any]]:
    """Return what is drawn in axes: one mapping of column to value per point, bin or cell; None where there is none.

    What has no entry in the legend (lines that mark something) is left out.
    """
    from matplotlib.collections import QuadMesh
    from matplotlib.container import ErrorbarContainer

    points = [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
    rows = [row for bars in points for row in _of_points(bars)]
    rows += _of_lines(ax, {bars.lines[0] for bars in points})
    rows += _of_histograms(ax)
    for mesh in (c for c in ax.collections if isinstance(c, QuadMesh)):
        rows += _of_cells(mesh)
    return rows


def _of_points(bars: ErrorbarContainer) -> Iterator[dict[str, Any]]:
    line, _, (segments,) = bars.lines
    assert line is not None
    x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
    ends = np.array([(s[0, 1], s[-1, 1]) for s in segments.get_segments()]).reshape(-1, 2)
    label = str(bars.get_label())
    for place, height, (low, high) in zip(x.tolist(), y.tolist(), ends.tolist(), strict=True):
        yield _row(label, x=place, y=height, y_min=low, y_max=high)


def _of_lines(ax: Axes, drawn: set[Any]) -> Iterator[dict[str, Any]]:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    bands = {to_rgb(c.get_facecolor()[0]): c for c in ax.collections if isinstance(c, PolyCollection)}
    for line in ax.lines:
        label = str(line.get_label())
        if line in drawn or not _is_named(label):
            continue
        x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
        band = bands.get(to_rgb(line.get_color()))
        ends = _band_ends(band, x) if band is not None else np.full((len(x), 2), math.nan)
        for place, height, (low, high) in zip(x.tolist(), y.tolist(), ends.tolist(), strict=True):
            yield _row(label, x=place, y=height, y_min=low, y_max=high)


def _band_ends(band: PolyCollection, x: Floats) -> Floats:
    """Lower and upper end of a filled band at each place, [K, 2]; NaN where it is interrupted."""
    ends = np.full((len(x), 2), math.nan)
    for path in band.get_paths():
        corners = np.asarray(path.vertices)
        for k in np.flatnonzero(np.isin(x, corners[:, 0])):
            heights = corners[corners[:, 0] == x[k], 1]
            ends[k] = heights.min(), heights.max()
    return ends


def _of_histograms(ax: Axes) -> Iterator[dict[str, Any]]:
    from matplotlib.patches import StepPatch

    steps = [p for p in ax.patches if isinstance(p, StepPatch)]
    for k, histogram in enumerate(steps):
        label = str(histogram.get_label())
        if not _is_named(label):
            continue
        heights, edges, _ = histogram.get_data()
        ends = np.full((len(heights), 2), math.nan)
        # the band of a histogram is drawn right after it
        if k + 1 < len(steps) and not _is_named(str(steps[k + 1].get_label())):
            top, _, bottom = steps[k + 1].get_data()
            ends = np.stack([np.broadcast_to(np.asarray(bottom, float), len(heights)), np.asarray(top, float)], axis=1)
        for left, right, height, (low, high) in zip(edges[:-1], edges[1:], heights, ends.tolist(), strict=True):
            centre = 0.5 * (left + right)
            yield _row(label, x=centre, x_min=left, x_max=right, y=height, y_min=low, y_max=high)


def _of_cells(mesh: Any) -> Iterator[dict[str, Any]]:
    corners = np.asarray(mesh.get_coordinates(), float)
    values: Floats = np.ma.filled(np.ma.asarray(mesh.get_array(), dtype=float), math.nan)
    n_lines, n_columns = corners.shape[0] - 1, corners.shape[1] - 1
    for j, line in enumerate(values.reshape(n_lines, n_columns).tolist()):
        for i, value in enumerate(line):
            (left, bottom), (right, top) = corners[j, i], corners[j + 1, i + 1]
            yield _row("", x_min=left, x_max=right, y_min=bottom, y_max=top, value=value)


def _is_named(label: str) -> bool:
    """Whether something has an entry in the legend."""
    return bool(label) and not label.startswith("_")


def _row(series: str, **numbers: float) -> dict[str, Any]:
    found = {n: float(v) for n, v in numbers.items() if math.isfinite(v)}
    return {"series": series, **{n: found.get(n) for n in _COLUMNS if n != "series"}}
