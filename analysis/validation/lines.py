"""A line of the validation: our value beside a reference, and the verdict."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from magicnn.errors import ConfigError
from magicnn.runs import atomic_path, write_json

__all__ = ["Figure", "Group", "Line", "demand_sources", "shown_only", "within", "write_table"]

Kind = Literal["gate", "calibration", "info"]
Verdict = Literal["pass", "fail", "calibration", "info"]


@dataclass(frozen=True)
class Line:
    """One quantity.

    Attributes
    ----------
    key : str
        Short name, unique among all lines.
    quantity : str
        What it is, with the conditions.
    value, error : float
        Ours, and its statistical error (one standard deviation; NaN where there is none).
    unit : str
    low, high : float
        What is accepted; NaN where a side is open. Both are NaN for all but gates.
    reference : str
        The value to compare with, as the source gives it.
    source : str
        Where the reference comes from.
    kind : {"gate", "calibration", "info"}
        Judged; used to fix a constant, so not judged; shown only, for want of a source that can judge.
    digits : int
        Decimals to show.
    """

    key: str
    quantity: str
    value: float
    error: float
    unit: str
    low: float
    high: float
    reference: str
    source: str
    kind: Kind = "gate"
    digits: int = 2

    @property
    def verdict(self) -> Verdict:
        """The kind, or for a gate whether the value lies inside of what is accepted."""
        if self.kind != "gate":
            return self.kind
        is_above = not self.value < self.low and math.isfinite(self.value)
        return "pass" if is_above and not self.value > self.high else "fail"

    @property
    def accepted(self) -> str:
        """The accepted range as text."""
        low, high = (f"{v:.{self.digits}f}" for v in (self.low, self.high))
        if math.isnan(self.low) and math.isnan(self.high):
            return "–"
        if math.isnan(self.high):
            return f"≥ {low}"
        return f"≤ {high}" if math.isnan(self.low) else f"{low} – {high}"

    @property
    def shown(self) -> str:
        """Value, error and unit as text."""
        if not math.isfinite(self.value):
            return "–"
        text = f"{self.value:.{self.digits}f}"
        if math.isfinite(self.error):
            text += f" ± {self.error:.{self.digits}f}"
        return f"{text} {self.unit}".rstrip()


@dataclass(frozen=True)
class Figure:
    """A drawing that belongs to a group."""

    file: str
    caption: str


@dataclass(frozen=True)
class Group:
    """Lines that belong together, with their figures.

    Attributes
    ----------
    lines : sequence of Line
    figures : sequence of Figure
    missing : str
        Why lines are missing, when some could not be made here.
    """

    lines: Sequence[Line]
    figures: Sequence[Figure] = field(default_factory=tuple)
    missing: str = ""


def within(centre: float, fraction: float) -> tuple[float, float]:
    """Range of a relative tolerance around a value."""
    return centre * (1.0 - fraction), centre * (1.0 + fraction)


def shown_only(
    key: str,
    quantity: str,
    found: tuple[float, float] | float,
    unit: str = "",
    reference: str = "–",
    source: str = "",
    *,
    digits: int = 2,
) -> Line:
    """Make a line that is not judged, of a value or of a value and its error."""
    value, error = found if isinstance(found, tuple) else (found, math.nan)
    return Line(key, quantity, value, error, unit, math.nan, math.nan, reference, source, "info", digits)


def demand_sources(lines: Iterable[Line]) -> None:
    """Check that lines are judged exactly where there are an accepted range and a source.

    Raises
    ------
    ConfigError
        A gate has no range or no source, or a line that is not judged has a range.
    """
    for line in lines:
        has_range = math.isfinite(line.low) or math.isfinite(line.high)
        if line.kind == "gate" and not (has_range and line.source):
            raise ConfigError(f"{line.key}: judged, but without a range or without a source")
        if line.kind != "gate" and has_range:
            raise ConfigError(f"{line.key}: has a range, but is not judged")


def write_table(path: Path, lines: Iterable[tuple[str, Line]]) -> None:
    """Write lines with the names of their groups as ``path``.json and ``path``.ecsv."""
    rows = [{"group": group, **asdict(line), "verdict": line.verdict} for group, line in lines]
    write_json(path.with_suffix(".json"), [{k: _plain(v) for k, v in row.items()} for row in rows])
    names = ["group", *(n for n in Line.__dataclass_fields__ if n != "digits"), "verdict"]
    numbers = {"value", "error", "low", "high"}
    header = ["# %ECSV 1.0", "# ---", "# delimiter: ','", "# datatype:"]
    header += [f"# - {{name: {n}, datatype: {'float64' if n in numbers else 'string'}}}" for n in names]
    header += ["# schema: astropy-2.0", ",".join(names)]
    body = [
        ",".join(repr(row[n]) if n in numbers else json.dumps(row[n], ensure_ascii=False) for n in names)
        for row in rows
    ]
    with atomic_path(path.with_suffix(".ecsv")) as partial:
        # ECSV doubles quotes inside of a quoted text, JSON would escape them.
        partial.write_text("\n".join([*header, *body]).replace('\\"', '""') + "\n", encoding="utf-8")


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
