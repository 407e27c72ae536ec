"""docs/validation.md and the tables beside it, from the records of the groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from magicnn.config import read_yaml
from magicnn.runs import atomic_path
from validation.lines import Line, write_table

__all__ = ["write_page"]

_HERE = Path(__file__).parent
_MARKS = {"pass": "pass", "fail": "**FAIL**", "calibration": "calibration", "info": "–"}


def write_page(records: Sequence[Mapping[str, Any]], docs: Path) -> Path:
    """Write validation.md, and the lines as figures/validation/validation.json and .ecsv.

    Parameters
    ----------
    records : sequence of mapping
        What `validate_groups` gives.
    docs : Path
        Folder of the documentation.

    Returns
    -------
    Path
        The page. Texts of investigations are filled in from the lines: ``{{ line.KEY.shown }}``; those of a line stand
        there when it fails, those of a group always.
    """
    from jinja2 import Environment, StrictUndefined

    lines = {line["key"]: line for record in records for line in record["lines"]}
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    groups = {record["name"] for record in records}
    texts = read_yaml(_HERE / "investigations.yaml")
    notes = {
        name: environment.from_string(text).render(line=lines)
        for name, text in texts.items()
        if name in groups or lines.get(name, {}).get("verdict") == "fail"
    }
    counts = Counter(line["verdict"] for line in lines.values())
    template = environment.from_string((_HERE / "validation.md.j2").read_text(encoding="utf-8"))
    text = template.render(
        records=records,
        counts=counts,
        notes=notes,
        marks=_MARKS,
        cpu_s=sum(r["made"]["cpu_s"] for r in records),
    )
    with atomic_path(docs / "validation.md") as partial:
        partial.write_text(text.rstrip() + "\n", encoding="utf-8")
    write_table(
        docs / "figures" / "validation" / "validation", [(r["name"], _line(row)) for r in records for row in r["lines"]]
    )
    return docs / "validation.md"


def _line(row: Mapping[str, Any]) -> Line:
    values = {name: row[name] for name in Line.__dataclass_fields__}
    filled: dict[str, Any] = {k: float("nan") if v is None else v for k, v in values.items()}
    return Line(**filled)
