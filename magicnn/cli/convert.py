"""``magicnn convert``: files of MARS and others to an event set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["convert"]


def convert(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", help="Files of both telescopes, a directory or a glob.")
    ],
    output: Annotated[Path, typer.Option(help="Event set to write; the same command continues an interrupted one.")],
    kind: Annotated[
        str | None, typer.Option(help="Format of the input: mars, eventset; recognised when not given.")
    ] = None,
    sampling: Annotated[
        float | None,
        typer.Option(help="Sampling speed in GS/s, for files that do not state it; by their date when not given."),
    ] = None,
    mono: Annotated[
        bool, typer.Option("--mono", help="Accept runs of one telescope; images of the other one are NaN.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be converted, then stop.")] = False,
) -> None:
    """Read events of MARS calibrated files, both telescopes joined, and write them as an event set."""
    from magicnn.cli.arguments import require_event_set_name
    from magicnn.io import open_events
    from magicnn.io.convert import convert_events

    require_event_set_name(output)
    options: dict[str, float | bool] = {}
    if sampling is not None:
        options["sampling_gsps"] = sampling
    if mono:
        options["require_stereo"] = False
    if dry_run:
        reader = open_events(inputs, kind, **options)
        meta = reader.meta
        for name, count in meta.provenance.get("cut_flow", {}).items():
            typer.echo(f"  {name:<28}{count:>9}")
        megabytes = len(reader) * len(meta.telescopes) * meta.camera.n_pixels * 4 / 1e6
        typer.echo(f"{len(reader)} events of {len(meta.source_files)} files would be written to {output}, ", nl=False)
        typer.echo(f"{megabytes:.1f} MB")
        return
    done = convert_events(inputs, output, kind=kind, **options)
    state = "written to" if done.n_converted else "stood already in"
    typer.echo(f"{done.n_events} events {state} {done.output}")
