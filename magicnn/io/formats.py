"""The formats that events are read from: recognised by content, opened under one interface."""

from __future__ import annotations

import glob
import inspect
import logging
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from magicnn.errors import ConfigError, InputError, has_near_name, nearest_names
from magicnn.io.base import Format, StoredEvents
from magicnn.io.known import OURS
from magicnn.io.root.files import check_regular_file
from magicnn.summary import counted, some_names

__all__ = ["FORMATS", "all_formats", "expand_paths", "open_events", "recognise", "register_format", "require_known"]

_log = logging.getLogger(__name__)

PathLike = str | Path


FORMATS: dict[str, Format] = {entry.kind: entry for entry in OURS}
"""Formats of this package and registered ones by kind, in the order in which they are tried."""


def register_format(entry: Format) -> None:
    """Add a format; its reader should import what it needs when it is opened."""
    FORMATS[entry.kind] = entry


def all_formats() -> dict[str, Format]:
    """Give the formats by kind, in the order in which they are tried; those of installed packages come last.

    Notes
    -----
    A package brings a format as an entry point of the group ``magicnn.formats`` that names a `Format`. One that cannot
    be loaded, or whose kind is taken, is left out with a warning.
    """
    _add_installed()
    return FORMATS


@cache
def _add_installed() -> None:
    for point in entry_points(group="magicnn.formats"):
        package = point.dist.name if point.dist is not None else "?"
        try:
            entry = point.load()
        except Exception as error:
            _left_out(point.name, package, " ".join(str(error).split()) or type(error).__name__)
            continue
        if not isinstance(entry, Format):
            _left_out(point.name, package, f"{point.value} is a {type(entry).__name__}, not a magicnn.io.base.Format")
        elif entry.kind in FORMATS:
            _left_out(point.name, package, f"there is a format {entry.kind!r} already")
        else:
            register_format(entry)


def _left_out(name: str, package: str, reason: str) -> None:
    _log.warning("format %s of the package %s is left out: %s", name, package, reason)


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
    candidates = [entry for entry in all_formats().values() if kind in (None, entry.kind)]
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
    for entry in all_formats().values():
        if entry.recognises(path, head):
            return entry
    if path.suffix == ".root":
        raise InputError(f"{path}: not a ROOT file (it does not start with 'root')")
    if _is_corsika(path):
        raise InputError(f"{path}: not a file with events but {_CORSIKA_HINT}")
    if table := kind_of_table(path):
        raise InputError(f"{path}: not a file with events but {table} of magicnn; magicnn info says what is in it")
    known = ", ".join(f"{entry.description} ({entry.kind})" for entry in all_formats().values())
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
    entry = all_formats()[kind] if kind is not None else _common_format(files)
    known = _options(entry)
    for name in options:
        if name not in known:
            entry.open(files)  # a damaged file, whose format is uncertain, says so first
            is_slip = has_near_name(name, known) or not any(name in _options(other) for other in all_formats().values())
            what = "unknown option" if is_slip else f"{files[0]}: no option"
            hint = nearest_names(name, known) if known else "it takes none"
            raise ConfigError(f"{what} {name!r} for {entry.description}: {hint}")
    return entry.open(files, **options)


def _options(entry: Format) -> list[str]:
    """Names of the options that the reader of a format takes."""
    return [p.name for p in inspect.signature(entry.open).parameters.values() if p.kind is p.KEYWORD_ONLY]


def require_known(kind: str | None) -> None:
    """Raise ConfigError for the name of a format that is not registered."""
    if kind is not None and kind not in all_formats():
        raise ConfigError(f"unknown kind of event files {kind!r}: {nearest_names(kind, all_formats())}")


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
