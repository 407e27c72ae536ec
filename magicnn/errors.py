"""The exceptions of magicnn, each with the exit code a command ends with, and the import of optional packages."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType

__all__ = [
    "CheckpointError",
    "ConfigError",
    "InputError",
    "MagicnnError",
    "MissingDependencyError",
    "has_near_name",
    "known_name",
    "nearest_names",
    "optional_import",
]


class MagicnnError(Exception):
    """Something the user can mend; ``exit_code`` is what the command line returns."""

    exit_code = 1


class ConfigError(MagicnnError):
    """A setting is unknown, has the wrong type, or contradicts another one."""

    exit_code = 2


class InputError(MagicnnError):
    """A file, a branch or a column is missing, damaged, or not what was announced; told in one printable line."""

    exit_code = 3

    def __init__(self, message: str) -> None:
        # names in a damaged file can be anything
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message.replace("\n", " ")))


class CheckpointError(InputError):
    """A model file cannot be used: damaged, or made for another camera, network or feature list."""


class MissingDependencyError(MagicnnError):
    """An optional package is needed for what was asked."""


def has_near_name(name: str, known: Iterable[str]) -> bool:
    """Whether an unknown name looks like a mistyped known one, whatever its case."""
    return bool(_close(name, known, 1))


def _close(name: str, known: Iterable[str], count: int) -> list[str]:
    folded = {other.casefold(): other for other in known}
    return [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=count)]


def known_name(name: str, known: Iterable[str]) -> str | None:
    """Find a name among the valid ones: itself, or the only one that differs in capitals alone.

    Examples
    --------
    >>> known_name("lstcam", ["LSTCam", "NectarCam"])
    'LSTCam'
    """
    names = list(known)
    if name in names:
        return name
    alike = [other for other in names if other.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def nearest_names(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """Phrase a hint that lists the known names closest to an unknown one.

    Parameters
    ----------
    name : str
        What the user wrote.
    known : iterable of str
        The valid names.
    count : int
        How many close matches to show at most.

    Returns
    -------
    str
        ``"did you mean 'a' or 'b'?"``, or the list of all names when none is close.
    """
    names = sorted(known)
    close = _close(name, names, count)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "known: " + ", ".join(names) if names else "none are known"


def optional_import(module: str, *, purpose: str, extra: str | None = None) -> ModuleType:
    """Import a package that not every installation has.

    Parameters
    ----------
    module : str
        Dotted module name.
    purpose : str
        What it is needed for, completing "... is needed to".
    extra : str, optional
        The extra of magicnn that installs it; without one the package belongs to the core dependencies.

    Returns
    -------
    module

    Raises
    ------
    MissingDependencyError
        The package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".")[0]
        target = f"magicnn[{extra}]" if extra else package
        raise MissingDependencyError(
            f"{package} is needed to {purpose}; install it with: pip install '{target}'"
        ) from error
