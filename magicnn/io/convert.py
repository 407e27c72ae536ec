"""Turn any readable events into an event set; killed and started again it continues."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from magicnn.errors import InputError
from magicnn.io.base import StoredEvents
from magicnn.io.eventset.layout import meta_to_json
from magicnn.io.eventset.reader import EventSet, EventSetWriter
from magicnn.io.formats import open_events
from magicnn.runs import progress

__all__ = ["Conversion", "convert_events"]

_log = logging.getLogger(__name__)

_UNIT_EVENTS = 1024  # one record of the journal; fixed, so that a conversion continues whatever its options
_UNIT_VALUES = 1 << 22  # fewer events of arrays with more pixels, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion did.

    Attributes
    ----------
    output : Path
        The event set.
    n_events : int
        Events in it.
    n_converted : int
        Events that were read and written now; the others stood already.
    """

    output: Path
    n_events: int
    n_converted: int


def convert_events(
    path_or_paths: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    kind: str | None = None,
    show_progress: bool = True,
    **options: Any,
) -> Conversion:
    """Write the events of source files into one event set.

    Parameters
    ----------
    path_or_paths : path or iterable of paths
        What `magicnn.io.open_events` takes.
    output : path
        The event set to write.
    kind : str, optional
        Format of the source; recognised when not given.
    show_progress : bool
        Show a progress bar.
    **options
        For the reader of the source.

    Returns
    -------
    Conversion
        With ``n_converted == 0`` when the event set was complete already.

    Raises
    ------
    InputError
        The source cannot be read, or the output exists with other events.
    ConfigError
        The kind or an option is unknown.
    """
    target = Path(output)
    reader = open_events(path_or_paths, kind, **options)
    if str(target) in reader.meta.source_files:
        raise InputError(f"{target}: the output is one of the inputs; choose another name")
    if target.exists():
        _check_same(target, reader)
        _log.info("%s is complete already: %d events", target, len(reader))
        return Conversion(target, len(reader), 0)
    n_converted = 0
    n_values = len(reader.meta.telescopes) * reader.meta.camera.n_pixels
    unit_events = min(_UNIT_EVENTS, max(1, _UNIT_VALUES // n_values))
    starts = range(0, len(reader), unit_events)
    with (
        EventSetWriter(target, reader.meta, resume=True) as writer,
        progress(total=len(reader), description="converting", unit="event", quiet=not show_progress) as bar,
    ):
        for unit, start in enumerate(starts):
            stop = min(start + unit_events, len(reader))
            if unit not in writer.units:
                writer.append(reader.read(start, stop), unit=unit)
                n_converted += stop - start
            bar.update(stop - start)
    _log.info("%s: %d events", target, len(reader))
    return Conversion(target, len(reader), n_converted)


def _check_same(target: Path, reader: StoredEvents) -> None:
    """Refuse to replace an event set that holds something else."""
    with EventSet(target) as present:
        metas = [meta_to_json(replace(meta, provenance={})) for meta in (present.meta, reader.meta)]
        if metas[0] != metas[1] or len(present) != len(reader):
            raise InputError(f"{target}: exists already with other events; remove it or choose another name")
