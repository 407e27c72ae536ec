"""MARS files without pixels as tables: which they are, and written as feature or prediction tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from magicnn.errors import InputError
from magicnn.io.formats import expand_paths
from magicnn.io.mars.names import level_of, parse_name
from magicnn.io.root.files import check_regular_file, open_root

__all__ = ["convert_parameters", "is_root", "mars_level"]


def is_root(path: Path) -> bool:
    """Tell whether a file is a ROOT file.

    Raises
    ------
    InputError
        It is missing, empty or not readable.
    """
    return check_regular_file(path).startswith(b"root")


def mars_level(path: Path) -> str | None:
    """Tell the level of a MARS file, one of `magicnn.io.mars.names.LEVELS`; None for any other file.

    Raises
    ------
    InputError
        The file is missing or damaged, or its name says another level.
    """
    if not is_root(path):
        return None
    with open_root(path) as file:
        events = file.optional_tree("Events")
        return None if events is None else level_of(events, parse_name(path))


def convert_parameters(
    path_or_paths: str | Path | Iterable[str | Path],
    output: Path,
    *,
    require_stereo: bool = True,
    dry_run: bool = False,
) -> str:
    """Write what MARS computed: a prediction table from melibea files, a feature table from star and superstar files.

    Parameters
    ----------
    path_or_paths : path or iterable of paths
        Files of one level.
    output : Path
        The table to write.
    require_stereo : bool
        Refuse runs of star files of which only one telescope is given.
    dry_run : bool
        Write nothing.

    Returns
    -------
    str
        The table in one line.

    Raises
    ------
    InputError
        A file cannot be used, or the output exists.
    """
    from magicnn.io.mars.parameters import read_mars_features, read_mars_predictions

    files = expand_paths(path_or_paths)
    if output.exists():
        raise InputError(f"{output}: exists already; remove it or choose another name")
    is_melibea = mars_level(files[0]) == "Q"
    table = read_mars_predictions(files) if is_melibea else read_mars_features(files, require_stereo=require_stereo)
    if not dry_run:
        table.save(output)
    return repr(table)
