"""``magicnn bench``: how fast this machine is, in numbers that machines can compare."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from magicnn.pipeline.speed import Measure

__all__ = ["bench", "evaluate", "features", "read", "simulate"]

bench = typer.Typer(
    name="bench",
    help="Measure the speed of parts of the package; documented, stable keys in JSON.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


_Json = Annotated[Path | None, typer.Option("--json", help="Write the numbers to this file.")]
_Repeat = Annotated[int, typer.Option(min=1, help="Repetitions of every measurement; the median counts.")]
_Only = Annotated[list[str] | None, typer.Option("--only", metavar="KEY", help="Measure this alone; repeatable.")]


def simulate(
    json: _Json = None,
    repeat: _Repeat = 5,
    scale: Annotated[float, typer.Option(min=0.01, help="Factor on the numbers of showers and events.")] = 1.0,
    only: _Only = None,
) -> None:
    """Measure the air-shower simulation: processor time on one core, zenith 20 deg, cores within 150 m."""
    from magicnn.pipeline.simulation_speed import MEASURES, measure

    _tell(measure(repeat=repeat, scale=scale, only=only or ()), MEASURES, json)


def features(
    json: _Json = None,
    repeat: _Repeat = 5,
    scale: Annotated[float, typer.Option(min=0.01, help="Factor on the numbers of images.")] = 1.0,
    only: _Only = None,
) -> None:
    """Measure cleaning, image and stereo parameters on one core, and ctapipe's functions on the same images."""
    from magicnn.pipeline.feature_speed import MEASURES, measure

    _tell(measure(repeat=repeat, scale=scale, only=only or ()), MEASURES, json)


def read(
    json: _Json = None,
    repeat: _Repeat = 3,
    scale: Annotated[float, typer.Option(min=0.001, help="Factor on the numbers of events.")] = 1.0,
    only: _Only = None,
    oracle_python: Annotated[
        Path | None,
        typer.Option(help="Python of an environment with ctapipe_io_magic, see tools/oracles.py, to compare with."),
    ] = None,
) -> None:
    """Measure reading of MARS files and event sets on one core, and ctapipe_io_magic's event loop."""
    from magicnn.pipeline.reading_speed import MEASURES, measure

    found = measure(repeat=repeat, scale=scale, only=only or (), oracle_python=oracle_python)
    _tell(found, MEASURES, json)
    for key in found["left_out"]:
        typer.echo(f"not measured without --oracle-python: {MEASURES[key].text}")


def evaluate(
    json: _Json = None,
    repeat: _Repeat = 1,
    events: Annotated[int, typer.Option(min=1000, help="Events in all, over particles and zenith ranges.")] = 1_000_000,
) -> None:
    """Measure the evaluation of three methods on generated predictions in four zenith ranges, with intervals."""
    from magicnn.pipeline.evaluation_speed import MEASURES, measure

    _tell(measure(n_events=events, repeat=repeat), MEASURES, json)


def _tell(found: dict[str, Any], measures: Mapping[str, Measure], json: Path | None) -> None:
    from magicnn.pipeline.speed import report
    from magicnn.runs import write_json

    typer.echo(report(found, measures))
    if json is not None:
        write_json(json, found)
