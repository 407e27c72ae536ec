"""The formats that events are read from: recognised by content, opened under one interface."""

from __future__ import annotations

import glob
import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from magicnn.errors import ConfigError, InputError, has_near_name, nearest_names
from magicnn.events import EventBatch
from magicnn.io.base import Reader
from magicnn.io.root.files import check_regular_file
from magicnn.summary import counted, some_names

__all__ = [
    "FORMATS",
    "Format",
    "StoredEvents",
    "expand_paths",
    "is_ctapipe",
    "open_events",
    "recognise",
    "register_format",
    "require_known",
]

_log = logging.getLogger(__name__)

PathLike = str | Path

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


class StoredEvents(Reader, Protocol):
    """A reader that can start anywhere, so that interrupted work continues without reading everything again."""

    def read(self, start: int | None = None, stop: int | None = None) -> EventBatch:
        """Return consecutive events, ordered by run and event number; all when no range is given."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file with events.

    Attributes
    ----------
    kind : str
        Name for ``open_events(..., kind=...)``.
    description : str
        One line for people.
    patterns : tuple of str
        File names to look for in a directory, the most telling first.
    recognises : callable
        Tells from the path and its first bytes whether a file is of this format.
    open : callable
        Takes the list of files and keyword options, returns the reader.
    """

    kind: str
    description: str
    patterns: tuple[str, ...]
    recognises: Callable[[Path, bytes], bool]
    open: Callable[..., StoredEvents]


FORMATS: dict[str, Format] = {}
"""The registered formats by kind, in the order in which they are tried."""


def register_format(entry: Format) -> None:
    """Add a format; its reader should import what it needs when it is opened."""
    FORMATS[entry.kind] = entry


def expand_paths(path_or_paths: PathLike | Iterable[PathLike], kind: str | None = None) -> list[Path]:
    """Turn paths, globs and directories into a list of files.

    Parameters
    ----------
    path_or_paths : path or iterable of paths
        Files, patterns such as ``"night/*_Y_*.root"``, or directories.
    kind : str, optional
        Only files of this kind are looked for in directories.

    Returns
    -------
    list of Path
        Files named one by one keep their order; those of a directory or a glob are sorted. The log says how many files
        of a directory are passed over.

    Raises
    ------
    InputError
        Nothing is given, a file is missing, a pattern matches nothing, or a directory has no event files.
    """
    given = [path_or_paths] if isinstance(path_or_paths, str | Path) else list(path_or_paths)
    if not given:
        raise InputError("no input files were given")
    files: list[Path] = []
    for item in given:
        path = Path(item).expanduser()
        try:
            is_folder, is_there = path.is_dir(), path.exists()
        except OSError as error:
            raise InputError(f"{path}: cannot be opened ({error.strerror})") from error
        if is_folder:
            files += _files_of_directory(path, kind)
        elif not is_there and glob.has_magic(str(path)):
            found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
            if not found:
                raise InputError(f"{path}: no file matches this pattern")
            files += found
        else:
            check_regular_file(path)
            files.append(path)
    return files


def _files_of_directory(directory: Path, kind: str | None) -> list[Path]:
    candidates = [entry for entry in FORMATS.values() if kind in (None, entry.kind)]
    patterns = list(dict.fromkeys(pattern for entry in candidates for pattern in entry.patterns))
    present = sorted(p for p in directory.iterdir() if p.is_file() and not p.name.startswith("."))
    for pattern in patterns:
        found = [p for p in present if p.match(pattern)]
        if found:
            _tell_others(directory, pattern, found, [p for p in present if p not in found], patterns)
            return found
    light = next((p for p in present if _is_corsika(p)), None)
    if light is not None:
        raise InputError(f"{directory}: no event files in this directory; {light.name} holds {_CORSIKA_HINT}")
    folders = sorted(p.name for p in directory.iterdir() if p.is_dir() and not p.name.startswith("."))
    hint = f"; folders in it are not searched, name them: {some_names(folders)}" if folders else ""
    raise InputError(f"{directory}: no event files in this directory (looked for {', '.join(patterns)}){hint}")


def _tell_others(
    directory: Path, pattern: str, found: Sequence[Path], others: Sequence[Path], patterns: Sequence[str]
) -> None:
    """Say which files of a directory are not taken: a warning when some look like files with events."""
    if not others:
        return
    alike = [p for p in others if any(p.match(known) for known in patterns)]
    _log.log(
        logging.WARNING if alike else logging.INFO,
        "%s: %s taken (%s), %s passed over (%s): name them to have them read",
        directory,
        counted(len(found), "file"),
        pattern,
        counted(len(others), "other"),
        some_names([p.name for p in others]),
    )


_CORSIKA_HINT = (
    "photon bunches of CORSIKA, which become events in a simulated camera: magicnn simulate PRODUCTION.yaml "
    "--corsika FILE --output EVENTS.h5"
)


def _is_corsika(path: Path) -> bool:
    from magicnn.io.ctapipe.source import is_corsika

    try:
        return is_corsika(path, check_regular_file(path))
    except InputError:
        return False


def recognise(path: Path) -> Format:
    """Tell the format of a file from its content.

    Parameters
    ----------
    path : Path
        An existing file.

    Raises
    ------
    InputError
        The file is missing, empty, unreadable, or of no known format.
    """
    from magicnn.hdf5 import kind_of_table

    head = check_regular_file(path)
    for entry in FORMATS.values():
        if entry.recognises(path, head):
            return entry
    if path.suffix == ".root":
        raise InputError(f"{path}: not a ROOT file (it does not start with 'root')")
    if _is_corsika(path):
        raise InputError(f"{path}: not a file with events but {_CORSIKA_HINT}")
    if table := kind_of_table(path):
        raise InputError(f"{path}: not a file with events but {table} of magicnn; magicnn info says what is in it")
    known = ", ".join(f"{entry.description} ({entry.kind})" for entry in FORMATS.values())
    raise InputError(f"{path}: not a file with events; known are {known}")


def open_events(path_or_paths: PathLike | Iterable[PathLike], kind: str | None = None, **options: Any) -> StoredEvents:
    """Open files with events, whatever their format.

    Parameters
    ----------
    path_or_paths : path or iterable of paths
        One file, several (both telescopes, sub-runs), a glob or a directory.
    kind : str, optional
        ``"mars"``, ``"eventset"``, ``"ctapipe"`` or ``"eventsource"``; recognised from the content when not given.
    **options
        For the reader. MARS files: ``sampling_gsps``, ``require_stereo``, ``max_time_difference_us`` (see
        `magicnn.io.mars.reader.open_mars`). ctapipe files: ``camera``, ``telescopes`` (see
        `magicnn.io.ctapipe.reader.open_ctapipe_events`). sim_telarray files: the same and ``extractor`` (see
        `magicnn.io.ctapipe.eventsource.open_event_sources`).

    Returns
    -------
    Reader
        With ``meta``, ``len()``, ``batches(size)`` and ``read()``.

    Raises
    ------
    InputError
        A file is missing, damaged, of an unknown format, or does not belong to the others.
    ConfigError
        The kind or an option is unknown.

    Examples
    --------
    >>> events = open_events(["M1_Y_.root", "M2_Y_.root"]).read()  # doctest: +SKIP
    """
    require_known(kind)
    files = expand_paths(path_or_paths, kind)
    entry = FORMATS[kind] if kind is not None else _common_format(files)
    known = _options(entry)
    for name in options:
        if name not in known:
            entry.open(files)  # a damaged file, whose format is uncertain, says so first
            is_slip = has_near_name(name, known) or not any(name in _options(other) for other in FORMATS.values())
            what = "unknown option" if is_slip else f"{files[0]}: no option"
            hint = nearest_names(name, known) if known else "it takes none"
            raise ConfigError(f"{what} {name!r} for {entry.description}: {hint}")
    return entry.open(files, **options)


def _options(entry: Format) -> list[str]:
    """Names of the options that the reader of a format takes."""
    return [p.name for p in inspect.signature(entry.open).parameters.values() if p.kind is p.KEYWORD_ONLY]


def require_known(kind: str | None) -> None:
    """Raise ConfigError for the name of a format that is not registered."""
    if kind is not None and kind not in FORMATS:
        raise ConfigError(f"unknown kind of event files {kind!r}: {nearest_names(kind, FORMATS)}")


def _common_format(files: Sequence[Path]) -> Format:
    first = recognise(files[0])
    for path in files[1:]:
        other = recognise(path)
        if other is not first:
            raise InputError(
                f"{files[0]} is {first.description} and {path} is {other.description}: "
                "open files of one format at a time"
            )
    return first


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


register_format(
    Format(
        kind="mars",
        description="a MARS ROOT file",
        patterns=("*_Y_*.root", "*.root"),
        recognises=lambda path, head: head.startswith(b"root"),
        open=_open_mars,
    )
)
register_format(
    Format(
        kind="eventset",
        description="an event set",
        patterns=("*.h5", "*.hdf5"),
        recognises=_is_eventset,
        open=_open_eventset,
    )
)
register_format(
    Format(
        kind="ctapipe",
        description="a ctapipe HDF5 file",
        patterns=("*.dl1.h5", "*.dl2.h5", "*.h5"),
        recognises=is_ctapipe,
        open=_open_ctapipe,
    )
)
register_format(
    Format(
        kind="eventsource",
        description="a sim_telarray file or another that ctapipe reads",
        patterns=("*.simtel*",),
        recognises=_is_event_source,
        open=_open_event_sources,
    )
)
