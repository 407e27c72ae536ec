"""One look for all figures: a colour per method, and SVG that follows the light or dark page it stands in."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "LABELS",
    "PUBLISHED_COLOUR",
    "axes_or_current",
    "axes_or_new_pair",
    "colour_property",
    "figure_style",
    "line_styles",
    "looks",
    "markers",
    "method_colours",
    "palette_css",
    "themed_svg",
]

INK, GRID = "#1b2027", "#c9ced6"

_PALETTE = {
    # Okabe and Ito's colours, told apart by colour-blind readers too; the second is for a dark page
    "#0072b2": ("--method-1", "#56b4e9"),
    "#d55e00": ("--method-2", "#ff9a4d"),
    "#009e73": ("--method-3", "#3ccfa3"),
    "#a8487e": ("--method-4", "#e5a3c8"),
    "#8a7400": ("--method-5", "#f0e442"),
}
_KNOWN = {"CNN": "#0072b2", "forest": "#d55e00", "LUT": "#009e73"}
_OTHER_MARKERS = ("D", "v", "P", "X")
_LINES = ("-", "--", "-.", ":")
_KNOWN_MARKERS = {"CNN": "o", "forest": "s", "LUT": "^"}

PUBLISHED_COLOUR = "#6b7280"
"""Colour of published points."""

LABELS = {
    "auc": "ROC AUC",
    "bias_median": "energy bias (median)",
    "bias_gauss": "energy bias (Gaussian fit)",
    "resolution_half68": "energy resolution (half 68 %)",
    "resolution_gauss": "energy resolution (Gaussian fit)",
    "resolution_rms": "energy resolution (RMS)",
}
"""Axis labels of metrics."""


def axes_or_current(ax: Axes | None) -> Axes:
    """Return the axes to draw on: those given, else the current ones of pyplot, as Matplotlib's own functions do."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    current: Axes = plt.gca()
    return current


def axes_or_new_pair(axes: Sequence[Axes] | None) -> Sequence[Axes]:
    """Return the two axes to draw on: those given, else two side by side in a new figure of pyplot."""
    if axes is not None:
        return axes
    import matplotlib.pyplot as plt

    pair: Sequence[Axes] = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained")[1]
    return pair


def method_colours(methods: Iterable[str]) -> dict[str, str]:
    """Return the colour of every method: fixed for the usual ones, the free ones in order for others.

    ``"CNN, wide"``, a method of a named run, has the colour of the method.
    """
    names = list(dict.fromkeys(methods))
    kinds = list(dict.fromkeys(_method_and_run(n)[0] for n in names))
    free = [c for c in _PALETTE if c not in {_KNOWN.get(k) for k in kinds}]
    others = [k for k in kinds if k not in _KNOWN]
    colours = {k: _KNOWN[k] if k in _KNOWN else free[others.index(k) % len(free)] for k in kinds}
    return {n: colours[_method_and_run(n)[0]] for n in names}


def markers(methods: Iterable[str]) -> dict[str, str]:
    """Return the marker of every method, so that colour is not the only difference; of every named run instead."""
    names = list(dict.fromkeys(methods))
    runs = _runs(names)
    if len(runs) > 1:
        shapes = (*_KNOWN_MARKERS.values(), *_OTHER_MARKERS)
        return {n: shapes[runs.index(_method_and_run(n)[1]) % len(shapes)] for n in names}
    others = [n for n in names if n not in _KNOWN_MARKERS]
    return {
        n: _KNOWN_MARKERS[n] if n in _KNOWN_MARKERS else _OTHER_MARKERS[others.index(n) % len(_OTHER_MARKERS)]
        for n in names
    }


def line_styles(methods: Iterable[str]) -> dict[str, str]:
    """Return the line of every method: full, but another one for every run where runs are named."""
    names = list(dict.fromkeys(methods))
    runs = _runs(names)
    return {n: _LINES[runs.index(_method_and_run(n)[1]) % len(_LINES)] for n in names}


def looks(methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return colour, marker and line of every method by the names that Matplotlib has for them."""
    names = list(dict.fromkeys(methods))
    colours, shapes, lines = method_colours(names), markers(names), line_styles(names)
    return {n: {"color": colours[n], "marker": shapes[n], "linestyle": lines[n]} for n in names}


def _runs(names: Iterable[str]) -> list[str]:
    return sorted({_method_and_run(n)[1] for n in names})


def _method_and_run(name: str) -> tuple[str, str]:
    method, _, run = name.partition(", ")
    return method, run


def palette_css() -> tuple[str, str]:
    """Return the custom properties of the colours for a light and for a dark page."""
    light = "".join(f"{name}:{colour};" for colour, (name, _) in _PALETTE.items())
    dark = "".join(f"{name}:{other};" for name, other in _PALETTE.values())
    return light, dark


def colour_property(colour: str) -> str:
    """Return the custom property that stands for a method's colour in the page."""
    return _PALETTE[colour][0]


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw with the report's fonts, lines and colours, without touching the user's settings."""
    import matplotlib as mpl

    settings: dict[str, Any] = {
        "font.family": "sans-serif",
        "font.size": 10.5,
        "axes.titlesize": 11,
        "axes.labelsize": 10.5,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 9.5,
        "ytick.labelsize": 9.5,
        "legend.fontsize": 9.5,
        "legend.frameon": False,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "lines.linewidth": 1.6,
        "svg.fonttype": "none",
        "svg.hashsalt": "magicnn",
    }
    with mpl.rc_context(settings):
        yield


def themed_svg(figure: Figure, *, name: str, title: str) -> str:
    """Return a figure as SVG to stand in a page, drawn in the colours of the page.

    Parameters
    ----------
    figure : matplotlib Figure
        Drawn within `figure_style`.
    name : str
        Unique in the page; put before every id.
    title : str
        What the figure shows, for readers that do not see it.

    Returns
    -------
    str
        ``<svg>`` element with a view box and without a size of its own, without white background; ink, grid and the
        methods' colours are CSS custom properties of the page.
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\b(id=")([^"]+")', rf"\g<1>{name}-\2", text)
    text = re.sub(r'((?:xlink:)?href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1; font-family: inherit", text)
    for colour, property_ in _page_colours().items():
        text = re.sub(re.escape(colour), f"var({property_})", text, flags=re.I)
    head, rest = text.split(">", 1)
    box = re.search(r'viewBox="[^"]+"', head)
    size = box.group(0) if box else ""
    label = title.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return (
        f'<svg class="figure" xmlns:xlink="http://www.w3.org/1999/xlink" {size} role="img" aria-label="{label}">{rest}'
    )


def _page_colours() -> dict[str, str]:
    methods = {colour: name for colour, (name, _) in _PALETTE.items()}
    return {INK: "--ink", GRID: "--grid", PUBLISHED_COLOUR: "--published", **methods}
