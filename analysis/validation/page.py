"""docs/validation.md and the tables beside it, from the records of the groups."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from magicnn.config import read_yaml
from magicnn.runs import atomic_path
from validation.lines import Line, write_table

__all__ = ["INVESTIGATIONS", "UNEXPLAINED", "unexplained", "write_page"]

_HERE = Path(__file__).parent
_LOG = logging.getLogger("magicnn.validation")
_MARKS = {"pass": "pass", "fail": "**FAIL**", "calibration": "calibration"}

INVESTIGATIONS = _HERE / "investigations.yaml"
"""What is known about lines and groups."""
UNEXPLAINED = "**NOT INVESTIGATED**"
"""Mark of a line that fails and has no investigation."""

_ELSEWHERE = "What is known of it quotes lines of groups that were not run here."

Record = Mapping[str, Any]


def unexplained(records: Sequence[Record], texts: Mapping[str, str] | None = None) -> list[str]:
    """Name the lines that fail without an investigation.

    Parameters
    ----------
    records : sequence of mapping
        What `validate_groups` gives.
    texts : mapping of str to str, optional
        Investigations by key; those of `INVESTIGATIONS` when not given.
    """
    known = read_yaml(INVESTIGATIONS) if texts is None else texts
    return [
        line["key"] for r in records for line in r["lines"] if line["verdict"] == "fail" and line["key"] not in known
    ]


def write_page(records: Sequence[Record], docs: Path, texts: Mapping[str, str] | None = None) -> Path:
    """Write validation.md, and the lines as figures/validation/validation.json and .ecsv.

    Parameters
    ----------
    records : sequence of mapping
        What `validate_groups` gives.
    docs : Path
        Folder of the documentation.
    texts : mapping of str to str, optional
        Investigations by key; those of `INVESTIGATIONS` when not given.

    Returns
    -------
    Path
        The page.

    Notes
    -----
    Investigations are templates, filled in from the lines: ``{{ line.KEY.shown }}``, and ``this`` is the line itself.
    Those of a line stand there when it fails and only then, those of a group always. A line that fails without one is
    marked with `UNEXPLAINED`, and logged.
    """
    from jinja2 import Environment, StrictUndefined, UndefinedError

    known: Mapping[str, str] = read_yaml(INVESTIGATIONS) if texts is None else texts
    lines = {line["key"]: line for record in records for line in record["lines"]}
    missing = unexplained(records, known)
    for key in missing:
        _LOG.warning("%s fails and has no investigation", key)
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )

    def filled(key: str) -> str:
        try:
            text = environment.from_string(known[key]).render(line=lines, this=lines.get(key))
        except UndefinedError:
            return _ELSEWHERE
        return " ".join(text.split())

    template = environment.from_string((_HERE / "validation.md.j2").read_text(encoding="utf-8"))
    text = template.render(
        records=records,
        counts=Counter(line["verdict"] for line in lines.values()),
        group_notes={r["name"]: filled(r["name"]) for r in records if r["name"] in known},
        line_notes={r["name"]: _merged(r, known, filled) for r in records},
        missing=missing,
        unexplained=UNEXPLAINED,
        marks=_MARKS,
        cpu_s=sum(r["made"]["cpu_s"] for r in records),
    )
    with atomic_path(docs / "validation.md") as partial:
        partial.write_text(text.rstrip() + "\n", encoding="utf-8")
    write_table(
        docs / "figures" / "validation" / "validation", [(r["name"], _line(row)) for r in records for row in r["lines"]]
    )
    return docs / "validation.md"


def _merged(record: Record, known: Mapping[str, str], filled: Any) -> list[tuple[str, str]]:
    """Titles and texts of the lines of a group that fail; lines with one text share it."""
    titles: dict[str, list[str]] = {}
    for line in record["lines"]:
        if line["verdict"] == "fail" and line["key"] in known:
            titles.setdefault(filled(line["key"]), []).append(line["quantity"])
    return [("; ".join(names), text) for text, names in titles.items()]


def _line(row: Record) -> Line:
    values = {name: row[name] for name in Line.__dataclass_fields__}
    filled: dict[str, Any] = {k: float("nan") if v is None else v for k, v in values.items()}
    return Line(**filled)
