"""The formats that this package reads itself: how each is recognised and opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from magicnn.errors import InputError
from magicnn.io.base import Format, StoredEvents

__all__ = ["OURS", "is_ctapipe"]

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def _open_mars(
    paths: Sequence[Path],
    *,
    sampling_gsps: float | None = None,
    require_stereo: bool = True,
    max_time_difference_us: float = 10.0,
    threads: int | None = None,
) -> StoredEvents:
    from magicnn.io.mars.reader import open_mars

    return open_mars(
        paths,
        sampling_gsps=sampling_gsps,
        require_stereo=require_stereo,
        max_time_difference_us=max_time_difference_us,
        threads=threads,
    )


def _open_ctapipe(
    paths: Sequence[Path], *, camera: str | None = None, telescopes: Sequence[str] | None = None
) -> StoredEvents:
    from magicnn.io.ctapipe.reader import open_ctapipe_events

    return open_ctapipe_events(paths, camera=camera, telescopes=telescopes)


def _open_eventset(paths: Sequence[Path]) -> StoredEvents:
    from magicnn.io.eventset.reader import EventSet

    if len(paths) > 1:
        raise InputError(f"{paths[0]} and {len(paths) - 1} more: event sets are opened one at a time")
    return EventSet(paths[0])


def _open_event_sources(
    paths: Sequence[Path],
    *,
    camera: str | None = None,
    telescopes: Sequence[str] | None = None,
    extractor: str = "NeighborPeakWindowSum",
) -> StoredEvents:
    from magicnn.io.ctapipe.eventsource import open_event_sources

    return open_event_sources(paths, camera=camera, telescopes=telescopes, extractor=extractor)


def _is_event_source(path: Path, head: bytes) -> bool:
    from magicnn.io.ctapipe.source import EVENTIO_MAGICS, is_readable, is_sim_telarray

    if head.startswith(EVENTIO_MAGICS):
        return is_sim_telarray(path, head)
    if head.startswith(_HDF5_MAGIC):
        from magicnn.io.ctapipe.structure import require_names

        require_names(path)
    return is_readable(path)


def _is_eventset(path: Path, head: bytes) -> bool:
    if not head.startswith(_HDF5_MAGIC):
        return False
    import h5py

    from magicnn.io.eventset.layout import FORMAT

    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == FORMAT)
    except (OSError, RuntimeError, KeyError):
        return True  # the reader says what is damaged


def is_ctapipe(path: Path, head: bytes) -> bool:
    """Whether ctapipe or magic-cta-pipe wrote it; the reader says why the latter's files cannot be read."""
    if not head.startswith(_HDF5_MAGIC):
        return False
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "CTA PRODUCT DATA MODEL VERSION" in file.attrs or "events/parameters" in file
    except (OSError, RuntimeError, KeyError):
        return False


OURS: tuple[Format, ...] = (
    Format(
        kind="mars",
        description="a MARS ROOT file",
        patterns=("*_Y_*.root", "*.root"),
        recognises=lambda path, head: head.startswith(b"root"),
        open=_open_mars,
    ),
    Format(
        kind="eventset",
        description="an event set",
        patterns=("*.h5", "*.hdf5"),
        recognises=_is_eventset,
        open=_open_eventset,
    ),
    Format(
        kind="ctapipe",
        description="a ctapipe HDF5 file",
        patterns=("*.dl1.h5", "*.dl2.h5", "*.h5"),
        recognises=is_ctapipe,
        open=_open_ctapipe,
    ),
    Format(
        kind="eventsource",
        description="a sim_telarray file or another that ctapipe reads",
        patterns=("*.simtel*",),
        recognises=_is_event_source,
        open=_open_event_sources,
    ),
)
"""In the order in which they are tried."""
