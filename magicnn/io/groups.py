"""Which input files belong together: the files of a run of MARS in one group, any other file in one of its own."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from magicnn.errors import ConfigError, InputError
from magicnn.io.formats import expand_paths, recognise, require_known

__all__ = ["InputGroup", "group_inputs", "run_name"]

_TELESCOPE = re.compile(r"(?<![A-Za-z0-9])M[12]_")
_SUB_RUN = re.compile(r"(?<=\d)\.\d+(?=_[A-Z]_)")
_SUFFIXES = re.compile(
    r"(\.(root|dl\d|dl\d[a-z]|h5|hdf5|simtel|eventio|iact|corsika|dat|telescope|gz|zst|bz2))+$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class InputGroup:
    """Files that are opened together.

    Attributes
    ----------
    name : str
        Name of the run, or of the one file without its suffixes.
    files : tuple of Path
        As they were given.
    kind : str or None
        Format of the first of them that could be recognised.
    problem : str
        Why a file cannot be read, as far as it is known before it is opened; empty when nothing is known.
    """

    name: str
    files: tuple[Path, ...]
    kind: str | None
    problem: str = ""


def run_name(path: Path) -> str:
    """Return the name of what a file is a part of.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    str
        Its name without suffixes; of a ROOT file without telescope and number of the sub-run too, so that all files
        of one run have the same.

    Examples
    --------
    >>> run_name(Path("20131004_M1_05029747.003_Y_MagicCrab-W0.40+035.root"))
    '20131004_05029747_Y_MagicCrab-W0.40+035'
    >>> run_name(Path("GA_M2_za05to35_8_821319_Y_w0.root"))
    'GA_za05to35_8_821319_Y_w0'
    >>> run_name(Path("gamma_run1.simtel.zst"))
    'gamma_run1'
    """
    name = _SUFFIXES.sub("", path.name) or path.name
    return _SUB_RUN.sub("", _TELESCOPE.sub("", name, count=1)) if path.suffix == ".root" else name


def group_inputs(path_or_paths: str | Path | Iterable[str | Path], kind: str | None = None) -> list[InputGroup]:
    """Sort input files into groups, each of which makes one event set.

    Parameters
    ----------
    path_or_paths : path or iterable of paths
        What `magicnn.io.open_events` takes.
    kind : str, optional
        Format of the files; recognised one by one when not given.

    Returns
    -------
    list of InputGroup
        By name. Files that are missing or not recognised are in them, with the problem.

    Raises
    ------
    InputError
        A directory or a pattern has no file.
    ConfigError
        The kind is unknown, or two files of different formats or directories would be written to one name.
    """
    require_known(kind)
    found: dict[str, dict[Path, tuple[str | None, str]]] = {}
    for path in _files(path_or_paths, kind):
        try:
            known, problem = (kind or recognise(path).kind), ""
        except InputError as error:
            known, problem = None, str(error)
        found.setdefault(run_name(path), {}).setdefault(path, (known, problem))
    groups = []
    for name, files in sorted(found.items()):
        kinds = list(dict.fromkeys(k for k, _ in files.values() if k is not None))
        if len(kinds) > 1 or (kinds and kinds != ["mars"] and len(files) > 1):
            first, second = list(files)[:2]
            raise ConfigError(
                f"{first} and {second} would both be written to {name}.h5; convert them one by one, or rename one"
            )
        problems = [text for _, text in files.values() if text]
        groups.append(InputGroup(name, tuple(files), kinds[0] if kinds else None, problems[0] if problems else ""))
    return groups


def _files(path_or_paths: str | Path | Iterable[str | Path], kind: str | None) -> list[Path]:
    """All files, those that cannot be opened too, each once."""
    given = [path_or_paths] if isinstance(path_or_paths, str | Path) else list(path_or_paths)
    if not given:
        raise InputError("no input files were given")
    files: dict[Path, Path] = {}
    for item in map(Path, given):
        is_one = not item.expanduser().is_dir() and (item.expanduser().exists() or not glob.has_magic(str(item)))
        for path in [item.expanduser()] if is_one else expand_paths(item, kind):
            files.setdefault(path.resolve(), path)
    return list(files.values())
