"""What records say of themselves: ranges of their columns, what was thrown, and one screen of HTML for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from magicnn.events import ColumnSpec, EventMeta

__all__ = [
    "RANGE_COLUMNS",
    "Lines",
    "brief_ranges",
    "brief_thrown",
    "column_table",
    "counted",
    "event_lines",
    "fold",
    "html_page",
    "html_table",
    "range_lines",
    "some_names",
    "span",
    "thrown_lines",
    "written_lines",
]

Lines = list[tuple[str, str]]
"""Keys and what there is to say; an empty text is nothing to say."""

_RANGES = {
    "pointing_zenith_deg": ("zenith", "deg"),
    "pointing_azimuth_deg": ("azimuth", "deg"),
    "pointing_ra_deg": ("right ascension", "deg"),
    "pointing_dec_deg": ("declination", "deg"),
    "true_energy_gev": ("true energy", "GeV"),
}
RANGE_COLUMNS = ("time_utc_ns", *_RANGES)
"""Columns that `range_lines` tells of."""

_THROWN = {
    "energy_max_gev",
    "energy_min_gev",
    "n_thrown",
    "particle",
    "scatter_radius_m",
    "spectral_index",
    "viewcone_max_deg",
    "viewcone_min_deg",
    "zenith_max_deg",
    "zenith_min_deg",
}
_LEFT = "text-align:left;vertical-align:top"


def counted(number: int, thing: str) -> str:
    """Say how many of something there are; the name of the thing takes an s in the plural.

    Examples
    --------
    >>> counted(1, "event"), counted(21, "event")
    ('1 event', '21 events')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def span(values: ArrayLike) -> str:
    """Return the smallest and the greatest value, once when they look alike; empty without a finite one."""
    known = np.asarray(values)
    known = known[np.isfinite(known)]
    return " to ".join(dict.fromkeys(f"{end:.5g}" for end in (known.min(), known.max()))) if len(known) else ""


def range_lines(columns: Mapping[str, NDArray[Any]]) -> Lines:
    """Return dates, pointing and energies of events, as far as there are such columns."""
    lines: Lines = []
    times = columns.get("time_utc_ns")
    if times is not None and len(times):
        first, last = (datetime.fromtimestamp(int(t) / 1e9, UTC) for t in (times.min(), times.max()))
        lines.append(("UTC", f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}"))
    for name, (label, unit) in _RANGES.items():
        if name in columns and (found := span(columns[name])):
            lines.append((label, f"{found} {unit}"))
    return lines


def thrown_lines(generated: Mapping[str, Any]) -> Lines:
    """Return spectrum, view cone and radius that a production threw; nothing when it does not say."""
    if not generated.keys() >= _THROWN:
        return []
    g = generated
    return [
        (
            "thrown",
            f"{g['n_thrown']:.0f} {g['particle']}, E^-{g['spectral_index']:g} from {g['energy_min_gev']:g} to "
            f"{g['energy_max_gev']:g} GeV, view cone {g['viewcone_min_deg']:g} to {g['viewcone_max_deg']:g} deg, "
            f"radius {g['scatter_radius_m']:g} m at 1 TeV from the zenith",
        )
    ]


def written_lines(provenance: Mapping[str, Any]) -> Lines:
    """Return version, date, command and cut flow of a provenance."""
    version = provenance.get("versions", {}).get("magicnn", "")
    when = provenance.get("written_utc", "")
    by = f"by magicnn {version} " if version else ""
    cuts = provenance.get("cut_flow", {})
    return [
        ("written", f"{by}{when}".strip()),
        ("command", str(provenance.get("command", ""))),
        ("cut flow", ", ".join(f"{name} {count}" for name, count in cuts.items() if count)),
    ]


def some_names(names: Sequence[str], shown: int = 4) -> str:
    """Return the first file names of many without their folders, and how many more there are."""
    more = f", and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(Path(name).name for name in names[:shown]) + more


def event_lines(meta: EventMeta) -> Lines:
    """Return what holds for all events of a source: particle, production, telescopes, camera and readout."""
    from magicnn.readout import Readout

    return [
        ("particle", meta.particle or ""),
        ("production" if meta.is_simulation else "source", meta.production),
        ("telescopes", ", ".join(meta.telescopes)),
        ("camera", f"{meta.camera.name}, {meta.camera.n_pixels} pixels"),
        ("readout", str(Readout.of(meta)) if meta.sampling_gsps else ""),
    ]


def brief_ranges(columns: Mapping[str, NDArray[Any]]) -> str:
    """Return energies and zenith distances in a few words, each after a comma, to stand in one line."""
    energy, zenith = (span(columns[n]) if n in columns else "" for n in ("true_energy_gev", "pointing_zenith_deg"))
    return (energy and f", {energy} GeV") + (zenith and f", zenith {zenith} deg")


def brief_thrown(generated: Mapping[str, Any]) -> str:
    """Return the energies and zenith distances that a production threw, as `brief_ranges` does."""
    if not generated.keys() >= _THROWN:
        return ""
    energy, zenith = (
        span([generated[f"{name}_min_{unit}"], generated[f"{name}_max_{unit}"]])
        for name, unit in (("energy", "gev"), ("zenith", "deg"))
    )
    return f", thrown at {energy} GeV, zenith {zenith} deg"


def html_page(title: str, lines: Iterable[tuple[str, str]], *parts: str) -> str:
    """Return a summary as HTML.

    Parameters
    ----------
    title : str
        What it is, plain text.
    lines : iterable of (str, str)
        Keys and plain texts; those without text are left out.
    *parts : str
        HTML to follow, of `html_table` or `fold`.

    Returns
    -------
    str
        HTML without scripts and outer styles; every text is escaped.
    """
    rows = "".join(
        f'<tr><th style="{_LEFT};white-space:nowrap">{escape(key)}</th><td style="{_LEFT}">{escape(text)}</td></tr>'
        for key, text in lines
        if text
    )
    told = f"<table>{rows}</table>" if rows else ""
    return f"<div><strong>{escape(title)}</strong>{told}{''.join(parts)}</div>"


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of plain texts as HTML; empty without rows."""
    head = "".join(f'<th style="{_LEFT}">{escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_LEFT}">{escape(text)}</td>' for text in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if body else ""


def fold(title: str, part: str) -> str:
    """Return HTML that is opened by a click on its title; empty when there is nothing in it."""
    return f"<details><summary>{escape(title)}</summary>{part}</details>" if part else ""


def column_table(names: Iterable[str], specs: Mapping[str, ColumnSpec]) -> str:
    """Return columns with unit and meaning as HTML, folded under their number."""
    rows = [(name, specs[name].unit, specs[name].description) for name in names]
    return fold(f"{len(rows)} columns", html_table(("column", "unit", "meaning"), rows))
