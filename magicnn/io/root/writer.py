"""ROOT files written tree by tree, in blocks: the flat branches, jagged arrays and names that MARS files have."""

from __future__ import annotations

import contextlib
import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PerSlot", "RootWriter", "writing_root"]

_BRACKET = re.compile(r"\[\d+\]$")


class PerSlot:
    """Values per event and camera slot, [N, n_slots], written as arrays whose length the file does not fix."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)


class RootWriter:
    """Writes trees; built by `writing_root`."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._trees: dict[str, Any] = {}
        self.bracketed: set[str] = set()

    def extend(self, tree: str, columns: Mapping[str, NDArray[Any] | PerSlot | list[str]], *, title: str = "") -> None:
        """Append rows to a tree, which is made when it is not there yet.

        Parameters
        ----------
        tree : str
            Name of the tree.
        columns : mapping of str to array, PerSlot or list of str
            One entry per branch, the same branches in every call; [N] or [N, k] for fixed arrays of k values.
        title : str
            Title of a new tree.
        """
        if tree not in self._trees:
            types = {name: _branch_type(values) for name, values in columns.items()}
            self.bracketed |= {name for name in columns if _BRACKET.search(name)}
            # an n-tuple of the new kind (RNTuple) is what a plain assignment would make: MARS cannot read it
            self._trees[tree] = self._file.mktree(tree, types, title=title)
        if len(next(iter(columns.values()))):
            self._trees[tree].extend({name: _branch_data(values) for name, values in columns.items()})

    def note(self, name: str, text: str) -> None:
        """Keep a text in the file, as a ``TObjString``."""
        self._file[name] = text


@contextlib.contextmanager
def writing_root(path: Path, *, is_packed: bool = True) -> Iterator[RootWriter]:
    """Open a new ROOT file for writing, packed by zlib or not at all."""
    import uproot

    with uproot.recreate(path, compression=uproot.ZLIB(1) if is_packed else None) as file:
        writer = RootWriter(file)
        yield writer
    if writer.bracketed:
        _mend_titles(path, writer.bracketed)


def _branch_type(values: NDArray[Any] | PerSlot | list[str]) -> Any:
    if isinstance(values, PerSlot):
        import awkward as ak

        return ak.types.ListType(ak.types.NumpyType(values.values.dtype.name))
    if isinstance(values, list):
        return "string"
    return np.dtype((values.dtype, values.shape[1:]))


def _branch_data(values: NDArray[Any] | PerSlot | list[str]) -> Any:
    import awkward as ak

    if isinstance(values, PerSlot):
        return ak.from_regular(values.values)
    return ak.Array(values) if isinstance(values, list) else values


def _mend_titles(path: Path, names: set[str]) -> None:
    """Take back the size that is appended to the title of a leaf whose name ends in it: ``x[80][80]`` is ``x[80]``."""
    with path.open("r+b") as handle, mmap.mmap(handle.fileno(), 0) as content:
        for name in names:
            size = _BRACKET.search(name)
            doubled = f"{name}{size[0] if size else ''}".encode()
            place = content.find(doubled)
            while place >= 0:
                content[place : place + len(doubled)] = name.encode().ljust(len(doubled))
                place = content.find(doubled, place)
