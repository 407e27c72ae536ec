"""Image parameters of many event files on many workers, each file's table kept as soon as it is complete."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from magicnn.errors import InputError
from magicnn.events import EventMeta
from magicnn.executors import Place
from magicnn.images.features import DEFAULT_SETTINGS, FeatureSettings, FeatureTable, extract_features
from magicnn.io.base import StoredEvents
from magicnn.io.eventset.layout import meta_to_json
from magicnn.io.formats import open_events
from magicnn.io.pieces import Columns, Pieces, columns_in_pieces, piece_bounds

__all__ = ["EventFiles", "extract_on_workers", "identity_of", "is_table_of", "reader_of"]


@dataclass(frozen=True)
class EventFiles:
    """Files of events that are opened together, under names that mean the same to every worker.

    Attributes
    ----------
    paths : tuple of Path
        Absolute.
    meta : EventMeta
        What their events share.
    n_events : int
        How many there are.
    opening : str
        Different whenever files are opened anew: a worker that lives on must not take them for those of the same names
        that it saw before.
    """

    paths: tuple[Path, ...]
    meta: EventMeta
    n_events: int
    opening: str

    @classmethod
    def opened(cls, paths: Sequence[Path]) -> EventFiles:
        """Open files to see what is in them.

        Raises
        ------
        InputError
            A file cannot be read, or there are no events.
        """
        absolute = tuple(path.expanduser().absolute() for path in paths)
        opening = uuid4().hex
        reader = reader_of(absolute, opening)
        if len(reader) == 0:
            raise InputError(f"{paths[0]}: no events")
        return cls(absolute, reader.meta, len(reader), opening)


def extract_on_workers(
    files: Sequence[EventFiles],
    journals: Sequence[Path],
    settings: FeatureSettings = DEFAULT_SETTINGS,
    *,
    workers: Place = None,
) -> Generator[FeatureTable]:
    """Compute the feature table of each of several files of events.

    Parameters
    ----------
    files : sequence of EventFiles
        Each becomes a table.
    journals : sequence of Path
        For each of them the file that holds what is done until the table is complete.
    settings : FeatureSettings
        Cleaning and stereo settings.
    workers : int, DaskScheduler or SlurmSettings, optional
        Local processes, or others, which see the same files under the same names; a process per core when not given.

    Yields
    ------
    FeatureTable
        In order, each equal to that of `extract_features`; its journal is deleted when the next is asked for.

    Raises
    ------
    InputError, ConfigError, MagicnnError
        As `magicnn.io.pieces.columns_in_pieces`.
    """
    made = settings.model_dump(mode="json")
    outputs = []
    for one, journal in zip(files, journals, strict=True):
        bounds = piece_bounds(one.n_events)
        outputs.append(
            Pieces(
                journal,
                {"format": "features", "settings": made, **identity_of(one)},
                [(one.paths, one.opening, *bound, settings) for bound in bounds],
                [stop - start for start, stop in bounds],
            )
        )
    results = columns_in_pieces(_extracted, outputs, workers, what="image parameters")
    for one, columns in zip(files, results, strict=True):
        yield FeatureTable(columns, one.meta, settings)


def identity_of(files: EventFiles) -> Mapping[str, Any]:
    """Say in plain values which events these are."""
    return {"events": meta_to_json(replace(files.meta, provenance={})), "n_events": files.n_events}


def is_table_of(table: FeatureTable, files: EventFiles, settings: FeatureSettings) -> bool:
    """Whether a feature table is what `extract_on_workers` would make of files."""
    same = identity_of(replace(files, meta=table.meta, n_events=len(table))) == identity_of(files)
    return same and table.settings == settings


@lru_cache(maxsize=1)
def reader_of(paths: tuple[Path, ...], opening: str) -> StoredEvents:
    """Open files, and keep them open for the next piece; see `EventFiles` for what ``opening`` is."""
    return open_events(paths)


def _extracted(paths: tuple[Path, ...], opening: str, start: int, stop: int, settings: FeatureSettings) -> Columns:
    table = extract_features(reader_of(paths, opening).read(start, stop), settings, show_progress=False)
    return dict(table.columns)
