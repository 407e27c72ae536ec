"""Names and levels of MARS files: what the name of a file says, and what its content shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from magicnn.errors import InputError
from magicnn.io.root.files import RootTree

__all__ = ["LEVELS", "MarsName", "level_of", "parse_name", "partner_path"]

LEVELS = {"Y": "calibrated (_Y_)", "I": "star (_I_)", "S": "superstar (_S_)", "Q": "melibea (_Q_)"}
"""Levels of MARS files by the letter in their names."""

_NAME = re.compile(
    r"(?:\d{8}|[A-Z]+)_(?:M(?P<telescope>[12])_)?(?:(?P<zenith>za\d+to\d+)_\d+_)?(?:(?P<run>\d+)(?:\.(?P<subrun>\d+))?_)?"
    r"(?P<level>[YISQ])_(?P<source>.*)\.root"
)
_TELESCOPE = re.compile(r"(?<![A-Za-z0-9])M([12])(?![0-9])")


@dataclass(frozen=True, slots=True)
class MarsName:
    """What the name of a file says; None where it says nothing.

    Attributes
    ----------
    telescope : int or None
        1 or 2.
    run, subrun : int or None
        Run number, and number of the file within the run.
    level : str or None
        One of `LEVELS`.
    source : str
        Source and wobble position of data, zenith range of a simulation.
    """

    telescope: int | None = None
    run: int | None = None
    subrun: int | None = None
    level: str | None = None
    source: str = ""


def parse_name(path: Path) -> MarsName:
    """Read what a file name says, such as ``20131004_M1_05029747.003_Y_MagicCrab-W0.40+035.root``.

    Parameters
    ----------
    path : Path
        Its last part counts. ``M1`` or ``M2`` is found in any name, the rest in names as MARS gives them.

    Returns
    -------
    MarsName
    """
    somewhere = _TELESCOPE.search(path.name)
    telescope = int(somewhere[1]) if somewhere else None
    found = _NAME.fullmatch(path.name)
    if found is None:
        return MarsName(telescope)
    run, subrun = (None if found[key] is None else int(found[key]) for key in ("run", "subrun"))
    return MarsName(telescope, run, subrun, found["level"], found["zenith"] or found["source"])


def partner_path(path: Path) -> Path:
    """Return the name the file of the other telescope has, the same name when the telescope is not in it."""
    return path.with_name(_TELESCOPE.sub(lambda m: "M2" if m[1] == "1" else "M1", path.name, count=1))


def level_of(events: RootTree, name: MarsName) -> str:
    """Tell the level of a file from the containers in its tree ``Events``.

    Parameters
    ----------
    events : RootTree
        The tree.
    name : MarsName
        What the name of the file says.

    Returns
    -------
    str
        One of `LEVELS`: Q with the hadronness, S with image parameters of both telescopes, I with those of one, else Y.

    Raises
    ------
    InputError
        The name says another level.
    """
    containers = {branch.split(".")[0] for branch in events.branches}
    if "MHadronness" in containers:
        level = "Q"
    elif containers & {"MHillas_1", "MHillas_2"}:
        level = "S"
    else:
        level = "I" if "MHillas" in containers else "Y"
    if name.level not in (None, level):
        raise InputError(
            f"{events.path}: its name says {LEVELS[str(name.level)]}, but it holds the containers of a MARS "
            f"{LEVELS[level]} file; rename it"
        )
    return level
