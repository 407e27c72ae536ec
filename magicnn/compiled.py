"""Compile functions of numbers and arrays with numba, and keep their machine code on disk."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba

__all__ = ["compiled"]

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of numbers and arrays at its first call, and keep the machine code beside the module.

    Notes
    -----
    Arithmetic may be reordered, but NaN and infinity keep their meaning. Other threads go on while it runs.
    """
    _forget_stale_code(Path(function.__code__.co_filename).parent)
    jit = numba.njit(
        cache=True, nogil=True, error_model="numpy", fastmath={"nsz", "arcp", "contract", "afn", "reassoc"}
    )
    return cast("Callable[P, R]", jit(function))


@cache
def _forget_stale_code(folder: Path) -> None:
    """Remove stored machine code when any source beside it changed: numba only looks at the file of each function."""
    digest = hashlib.sha256()
    for source in (Path(__file__), *sorted(folder.glob("*.py"))):
        digest.update(source.read_bytes())
    mark = folder / "__pycache__" / "kernels.sha256"
    with contextlib.suppress(OSError):  # a folder that cannot be written holds no code of ours either
        if not mark.exists() or mark.read_text() != digest.hexdigest():
            for stored in (*mark.parent.glob("*.nbi"), *mark.parent.glob("*.nbc")):
                stored.unlink(missing_ok=True)
            mark.parent.mkdir(exist_ok=True)
            mark.write_text(digest.hexdigest())
