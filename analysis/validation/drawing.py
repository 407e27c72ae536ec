"""Figures of the validation in one style."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from magicnn.report.style import PUBLISHED_COLOUR, figure_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "REFERENCE", "panels"]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a8487e", "#8a7400")
REFERENCE = PUBLISHED_COLOUR
_SIZE = (4.7, 3.5)


@contextmanager
def panels(path: Path, number: int, columns: int = 3) -> Iterator[list[Axes]]:
    """Give axes in rows, and save them as PNG when the block ends; labels of lines become a legend."""
    from matplotlib.figure import Figure

    columns = min(columns, number)
    rows = -(-number // columns)
    with figure_style():
        figure = Figure(figsize=(columns * _SIZE[0], rows * _SIZE[1]), layout="constrained")
        axes = [figure.add_subplot(rows, columns, k + 1) for k in range(number)]
        yield axes
        for ax in axes:
            if ax.get_legend_handles_labels()[0] and ax.get_legend() is None:
                ax.legend(loc="best", fontsize=8.5)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=100, metadata={"Software": None})
