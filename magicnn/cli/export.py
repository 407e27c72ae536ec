"""``magicnn export``: events and predictions in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["export"]


def export(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", help="Event set or other event files, or prediction files.")
    ],
    output: Annotated[Path, typer.Option(help="File or folder to write, as the format wants it.")],
    name: Annotated[
        str, typer.Option("--format", metavar="NAME", help="Format; --format help lists them all.", show_default=False)
    ],
    like: Annotated[
        list[Path] | None,
        typer.Option(
            help="File whose events, in their order, the predictions shall follow; mars-friend: repeatable, the output "
            "is a folder then."
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(help="ctapipe: camera whose images the predictions were made from, when --like has several."),
    ] = None,
    flavour: Annotated[
        str | None,
        typer.Option(help="mars: write events as a simulation (mc) or as real data (data); as they are by default."),
    ] = None,
    subrun_events: Annotated[
        int | None, typer.Option(min=1, help="mars: most events in a file of real data; longer runs are split.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="mars: seed of what the event set does not hold.")] = None,
) -> None:
    """Write events or predictions in the format of another tool."""
    from magicnn.io import exports

    if name == "help":
        for entry in exports.EXPORTS.values():
            typer.echo(f"{entry.name:14s}{entry.takes:13s}{entry.description}")
        return
    options: dict[str, Any] = {
        "like": like or None,
        "camera": camera,
        "flavour": flavour,
        "seed": seed,
        "subrun_events": subrun_events,
    }
    given = {key: value for key, value in options.items() if value is not None}
    for path in exports.export(inputs, output, name=name, **given):
        typer.echo(f"written: {path}")
