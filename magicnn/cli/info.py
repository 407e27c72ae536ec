"""``magicnn info``: what is in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["info"]


def info(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="MARS files, event sets, feature, prediction or model files."),
    ],
) -> None:
    """Say what is in files: kind, events, telescopes, run, date, pointing, particle, columns with units."""
    from magicnn.io.describe import describe
    from magicnn.io.formats import expand_paths

    for number, path in enumerate(expand_paths(files)):
        typer.echo(("\n" if number else "") + describe(path))
