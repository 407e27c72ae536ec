"""The formats that events and predictions are written to for other tools: one entry each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from magicnn.errors import ConfigError, InputError, nearest_names
from magicnn.hdf5 import kind_of_table
from magicnn.io.base import StoredEvents
from magicnn.io.formats import open_events
from magicnn.io.prediction_files import load_predictions
from magicnn.predictions import PredictionTable

__all__ = ["EXPORTS", "Export", "export", "register_export"]


@dataclass(frozen=True, slots=True)
class Export:
    """A format that is written for other tools.

    Attributes
    ----------
    name : str
        Name for ``magicnn export --format``.
    takes : {"events", "predictions"}
        What is exported.
    description : str
        One line for people: what is written, and where.
    write : callable
        Takes the reader or the `PredictionTable`, the output path and keyword options; returns the files written.
    takes_several : bool
        Whether predictions of several methods go together; then ``write`` takes a list of tables.
    """

    name: str
    takes: Literal["events", "predictions"]
    description: str
    write: Callable[..., list[Path]]
    takes_several: bool = False

    @property
    def options(self) -> list[str]:
        """Names of the keyword options."""
        parameters = inspect.signature(self.write).parameters.values()
        return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]


EXPORTS: dict[str, Export] = {}
"""The registered formats by name."""


def register_export(entry: Export) -> None:
    """Add a format; its writer should import what it needs when it is called."""
    EXPORTS[entry.name] = entry


def export(inputs: Sequence[Path], output: Path, *, name: str, **options: Any) -> list[Path]:
    """Write events or predictions in the format of another tool.

    Parameters
    ----------
    inputs : sequence of Path
        What `magicnn.io.open_events` takes, or prediction files: one for most formats.
    output : Path
        File or folder to write, as the format wants it.
    name : str
        One of `EXPORTS`.
    **options
        For the format.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ConfigError
        The format or an option is unknown, several prediction files are given, or a file is named with another suffix.
    InputError
        The input cannot be read, or the output exists or cannot be written.
    """
    if name not in EXPORTS:
        raise ConfigError(f"unknown export format {name!r}: {nearest_names(name, EXPORTS)}")
    entry = EXPORTS[name]
    for option in options:
        if option not in entry.options:
            raise ConfigError(
                f"export format {name!r} has no option {option!r}: {nearest_names(option, entry.options)}"
            )
    if entry.takes == "events":
        return entry.write(open_events(inputs), output, **options)
    if entry.takes_several:
        return entry.write([_load(path, entry) for path in inputs], output, **options)
    if len(inputs) != 1:
        raise ConfigError(f"export format {name!r} takes one prediction file, {len(inputs)} are given")
    return entry.write(_load(inputs[0], entry), output, **options)


def _load(path: Path, entry: Export) -> PredictionTable:
    """Load predictions; of another file of the package say what it is, of events what to do with them."""
    kind = kind_of_table(path)
    if kind and kind != "predictions":
        article = "an" if kind == "event set" else "a file of"
        hint = ", or write the events with --format mars" if kind == "event set" else ""
        raise InputError(
            f"{path}: {article} {kind}, but {entry.name!r} is written from predictions; make some with magicnn "
            f"predict{hint}"
        )
    return load_predictions(path)


def _require_suffix(output: Path, *suffixes: str) -> None:
    if output.suffix not in suffixes:
        raise ConfigError(f"--output {output}: a file is written; give a name that ends in {' or '.join(suffixes)}")


def _write_mars_friend(table: PredictionTable, output: Path, *, like: Sequence[Path] = ()) -> list[Path]:
    from magicnn.io.mars.friend import write_friend, write_friends

    if len(like) > 1:
        return write_friends(table, output, like=like)
    _require_suffix(output, ".root")
    return [write_friend(table, output, like=like[0] if like else None)]


def _write_mars(
    reader: StoredEvents,
    output: Path,
    *,
    flavour: str | None = None,
    seed: int = 0,
    subrun_events: int = 16_384,
) -> list[Path]:
    from magicnn.io.mars.writer import write_mars

    return write_mars(reader, output, flavour=flavour, seed=seed, subrun_events=subrun_events)


def _write_dl2(
    tables: Sequence[PredictionTable], output: Path, *, like: Sequence[Path] = (), camera: str | None = None
) -> list[Path]:
    from magicnn.io.ctapipe.dl2 import write_dl2

    _require_suffix(output, ".h5", ".hdf5")
    if len(like) > 1:
        raise ConfigError(f"export format 'ctapipe' takes one file to follow, {len(like)} are given with --like")
    return [write_dl2(tables, output, like=like[0] if like else None, camera=camera)]


register_export(
    Export(
        name="mars",
        takes="events",
        description="MARS calibrated files (_Y_) of both telescopes, into a folder",
        write=_write_mars,
    )
)
register_export(
    Export(
        name="mars-friend",
        takes="predictions",
        description="a flat ROOT tree that a MARS analyst adds as a friend of a melibea (_Q_) tree",
        write=_write_mars_friend,
    )
)
register_export(
    Export(
        name="ctapipe",
        takes="predictions",
        description="ctapipe DL2 (HDF5): into a copy of the events' file with --like, else into a new one",
        write=_write_dl2,
        takes_several=True,
    )
)
