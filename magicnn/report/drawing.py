"""Panels of a page: each drawn once, put into the page, and saved beside it as PNG and PDF with its numbers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from magicnn.report.figure_data import drawn_ecsv
from magicnn.report.style import figure_style, themed_svg
from magicnn.runs import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Drawn", "Panel", "draw", "draw_together", "embedded"]

_SIZE = (4.8, 3.4)
_DPI = 120
_MARGINS = (0.16, 0.155, 0.795, 0.77)  # fixed: a layout engine would take most of the time


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure in the page.

    Attributes
    ----------
    content : Markup
        ``<svg>`` or ``<img>``.
    caption : str
        What it shows: zenith range, number of events, definition.
    files : tuple of str
        Files of it, relative to the page.
    """

    content: Markup
    caption: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """A set of axes to be drawn, alone and together with others.

    Attributes
    ----------
    name : str
        Name of its files, unique in the page.
    caption : str
        What it shows.
    draw : callable
        Takes the axes.
    """

    name: str
    caption: str
    draw: Callable[[Axes], Any]


def draw(panel: Panel, folder: Path) -> Drawn:
    """Draw a panel as themed SVG for the page; as PNG, PDF and ECSV into a folder that lies beside the page."""
    from matplotlib.figure import Figure

    with figure_style():
        figure = Figure(figsize=_SIZE)
        ax = figure.add_axes(_MARGINS)
        panel.draw(ax)
        _legend(ax)
        figure.savefig(folder / f"{panel.name}.png", dpi=_DPI, metadata={"Software": None})
        figure.savefig(folder / f"{panel.name}.pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})
        data = drawn_ecsv(ax, name=panel.name, caption=panel.caption)
        svg = themed_svg(figure, name=panel.name, title=panel.caption)
    with atomic_path(folder / f"{panel.name}.ecsv") as partial:
        partial.write_text(data, encoding="utf-8")
    files = tuple(f"{folder.name}/{panel.name}.{kind}" for kind in ("png", "pdf", "ecsv"))
    return Drawn(Markup(svg), panel.caption, files)


def draw_together(panels: Sequence[Panel], path: Path, title: str) -> None:
    """Save panels as one PNG, two in a row."""
    from matplotlib.figure import Figure

    n_rows = (len(panels) + 1) // 2
    left, bottom, width, height = _MARGINS
    with figure_style():
        figure = Figure(figsize=(2 * _SIZE[0], n_rows * _SIZE[1]))
        for k, panel in enumerate(panels):
            row, column = divmod(k, 2)
            place = ((column + left) / 2, (n_rows - 1 - row + bottom) / n_rows, width / 2, height / n_rows)
            ax = figure.add_axes(place)
            panel.draw(ax)
            ax.set_title(title, loc="right", fontsize=9.5)
            _legend(ax)
        figure.savefig(path, dpi=_DPI, metadata={"Software": None})


def embedded(png: Path, *, title: str, caption: str) -> Drawn:
    """Put a PNG of the folder beside the page into the page."""
    data = base64.b64encode(png.read_bytes()).decode()
    content = Markup('<img class="figure" alt="{}" src="data:image/png;base64,{}">').format(title, data)
    return Drawn(content, caption, (f"{png.parent.name}/{png.name}",))


def _legend(ax: Axes) -> None:
    if ax.get_legend_handles_labels()[0] and ax.get_legend() is None:
        ax.legend(loc="best")
