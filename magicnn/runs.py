"""Run directories: atomic outputs, progress, seeding, provenance, logging, and stages that are done once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from magicnn.errors import InputError

__all__ = [
    "atomic_folder",
    "atomic_path",
    "checksum",
    "configure_logging",
    "content_hash",
    "is_first_process",
    "log_to_file",
    "progress",
    "provenance",
    "read_json",
    "seed_sequence",
    "write_json",
]

_T = TypeVar("_T")

_LAYOUT = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

_PACKAGES = ("numpy", "scipy", "h5py", "torch", "numba", "scikit-learn", "uproot", "ctapipe")


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Write a file or directory under a temporary name that is renamed when the block ends well.

    Parameters
    ----------
    path : path
        Where the output shall appear; its folder is created.

    Yields
    ------
    Path
        Where to write. Removed when the block raises.

    Raises
    ------
    InputError
        The file or its folder cannot be written: no permission, no space, not a folder.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{target}: cannot create its folder ({error.strerror})") from error
    try:
        yield partial
        partial.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            if partial.is_dir():
                shutil.rmtree(partial)
            else:
                partial.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Write several files into a folder, all of them or none.

    Parameters
    ----------
    path : path
        Folder in which the files shall appear; created. Other files in it stay.

    Yields
    ------
    Path
        Folder to write to, beside the other one; its files are moved when the block ends well, removed when it raises.

    Raises
    ------
    InputError
        The folder or a file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.resolve().name}.{os.getpid()}.part")
    try:
        partial.mkdir(parents=True)
        yield partial
        written = [p for p in sorted(partial.rglob("*")) if p.is_file()]
        for folder in {target / p.parent.relative_to(partial) for p in written}:
            folder.mkdir(parents=True, exist_ok=True)
        for file in written:
            file.replace(target / file.relative_to(partial))
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def progress(
    items: Iterable[_T] | None = None,
    *,
    total: int | None = None,
    description: str,
    unit: str = "it",
    quiet: bool = False,
) -> Any:
    """Wrap an iterable (or open a counter when there is none) in a progress bar with the remaining time.

    Parameters
    ----------
    items : iterable, optional
        What is worked through.
    total : int, optional
        Number of units of work.
    description : str
        What is being done.
    unit : str
        What is counted.
    quiet : bool
        Show nothing, for work that another process tells of.

    Returns
    -------
    tqdm.tqdm
        A line per half minute instead of a bar when the output is not a terminal.
    """
    from tqdm import tqdm

    is_terminal = sys.stderr.isatty()
    return tqdm(
        items,
        total=total,
        desc=description,
        unit=unit,
        bar_format=None if total or hasattr(items, "__len__") else "{desc}: {n_fmt} [{elapsed}, {rate_fmt}]",
        dynamic_ncols=is_terminal,
        mininterval=0.2 if is_terminal else 30.0,
        disable=quiet or any(h.level > logging.INFO for h in _terminal_handlers()),
    )


def seed_sequence(seed: int, *names: str | int) -> np.random.SeedSequence:
    """Derive an independent stream of random numbers from a seed and the names of what it is for.

    Parameters
    ----------
    seed : int
        The seed of the run, not negative.
    *names : str or int
        Purpose, production, shower number, ...; the same names give the same stream whatever else is drawn.

    Returns
    -------
    numpy.random.SeedSequence
    """
    words = [
        n if isinstance(n, int) else int.from_bytes(hashlib.sha256(n.encode()).digest()[:4], "little") for n in names
    ]
    return np.random.SeedSequence([seed, *words])


def checksum(path: Path | str) -> str:
    """Return the SHA-256 of a file as hexadecimal text.

    Raises
    ------
    InputError
        The file is missing or cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def content_hash(values: Any) -> str:
    """Return a short hash of plain values, equal for equal settings."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def provenance(*, seed: int | None = None, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Collect what made an output: versions, machine, command line, seed, settings.

    Returns
    -------
    dict
        Plain values for JSON.
    """
    from magicnn import __version__

    versions = {"magicnn": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    record: dict[str, Any] = {
        "written_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions,
        "platform": platform.platform(),
        "command": " ".join([_program(), *sys.argv[1:]]),
    }
    if seed is not None:
        record["seed"] = seed
    if settings is not None:
        record["settings"] = dict(settings)
    return record


def _program() -> str:
    """Name of what was called, `magicnn` for ``python -m magicnn`` too."""
    path = Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name


def write_json(path: Path | str, values: Any) -> None:
    """Write plain values as indented JSON, atomically."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(values, indent=1, sort_keys=True, default=_plain) + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        The file is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: not a JSON file ({error})") from error


def is_first_process() -> bool:
    """Whether this process is the one that speaks: the first of those that torchrun started, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def configure_logging(verbosity: int = 0) -> None:
    """Send the package's log to the terminal; of the processes that torchrun started the first one does.

    Parameters
    ----------
    verbosity : int
        -1 warnings only, 0 one line per stage, 1 shapes and details.
    """
    logger = logging.getLogger("magicnn")
    level = {-1: logging.WARNING, 0: logging.INFO}.get(verbosity, logging.DEBUG)
    if not is_first_process():
        level = logging.ERROR
    logger.setLevel(min(level, logging.INFO))
    logger.propagate = False
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    to_terminal = _ProgressSafeHandler()
    to_terminal.setFormatter(_LAYOUT)
    to_terminal.setLevel(level)
    logger.addHandler(to_terminal)


@contextlib.contextmanager
def log_to_file(path: Path | str) -> Iterator[None]:
    """Send the package's log to a file of a run too, while the block lasts, however quiet the terminal is.

    Parameters
    ----------
    path : path
        Appended to; its folder is created.
    """
    logger = logging.getLogger("magicnn")
    level = logger.level
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    to_file = logging.FileHandler(path, encoding="utf-8")
    to_file.setFormatter(_LAYOUT)
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    logger.addHandler(to_file)
    try:
        yield
    finally:
        logger.removeHandler(to_file)
        logger.setLevel(level)
        to_file.close()


def _terminal_handlers() -> list[logging.Handler]:
    return [h for h in logging.getLogger("magicnn").handlers if isinstance(h, _ProgressSafeHandler)]


class _ProgressSafeHandler(logging.Handler):
    """Writes log lines above a running progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
