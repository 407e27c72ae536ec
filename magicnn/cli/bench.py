"""``magicnn bench``: how fast this machine is, in numbers that machines can compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["bench", "simulate"]

bench = typer.Typer(
    name="bench",
    help="Measure the speed of parts of the package; documented, stable keys in JSON.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def simulate(
    json: Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Repetitions of every measurement; the median counts.")] = 5,
    scale: Annotated[float, typer.Option(min=0.01, help="Factor on the numbers of showers and events.")] = 1.0,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="KEY", help="Measure this alone; repeatable.")
    ] = None,
) -> None:
    """Measure the air-shower simulation: processor time on one core, zenith 20 deg, cores within 150 m."""
    from magicnn.pipeline.simulation_speed import measure, report

    found = measure(repeat=repeat, scale=scale, only=only or ())
    typer.echo(report(found))
    if json is not None:
        from magicnn.runs import write_json

        write_json(json, found)
