"""Open ROOT files and read their branches, every way to fail told in one line."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError, nearest_names
from magicnn.io.base import damage_told
from magicnn.io.root.baskets import Baskets, keep_freed_memory

__all__ = ["OpenTrees", "RootFile", "RootTree", "check_regular_file", "open_root"]

_MAGIC = b"root"
_NOT_DATA = (".", "MParContainer", "TObject", "fUniqueID", "fBits")  # what ROOT adds to every container
_MOST_OPEN = 4  # two telescopes at the border of two sub-runs
_LARGE_FILE_VERSION = 1_000_000  # from here on positions in the header have eight bytes


def check_regular_file(path: Path) -> bytes:
    """Return the first 24 bytes of a file that exists and can be read.

    Raises
    ------
    InputError
        The file is missing, empty, not a regular file, or not readable.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a directory, a file is expected")
        if not path.is_file():
            raise InputError(f"{path}: no such file" if not path.exists() else f"{path}: not a regular file")
        with path.open("rb") as handle:
            head = handle.read(24)
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from error
    if not head:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    return head


@dataclass(frozen=True, slots=True)
class RootTree:
    """One tree of an open file.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Name of the tree.
    n_entries : int
        Number of rows.
    branches : mapping of str to uproot branch
        By name without the path of parent branches; the ``[80]`` of a fixed array is stripped.
    """

    path: Path
    name: str
    n_entries: int
    branches: Mapping[str, Any]

    def __contains__(self, branch: object) -> bool:
        return branch in self.branches

    def branch(self, name: str) -> Any:
        """Return a branch.

        Raises
        ------
        InputError
            The tree has no such branch; the message names the nearest ones.
        """
        if name not in self.branches:
            container = name.split(".")[0]
            siblings = [n for n in self.branches if n.startswith(f"{container}.") and not n.endswith(_NOT_DATA)]
            containers = sorted({n.split(".")[0] for n in self.branches})
            hint = nearest_names(name, siblings) if siblings else f"the tree has: {', '.join(containers)}"
            raise InputError(f"{self.path}: branch {name!r} is missing in tree {self.name!r}; {hint}")
        return self.branches[name]

    def column(self, name: str, start: int | None = None, stop: int | None = None) -> NDArray[Any]:
        """Read a branch of plain numbers, [N] or [N, ...] for fixed arrays, in native byte order.

        Raises
        ------
        InputError
            The branch is missing, is not made of numbers, or cannot be read.
        """
        branch = self.branch(name)
        with damage_told(self.path, f"branch {name!r} of tree {self.name!r}"):
            values = self._plain(branch, *slice(start, stop).indices(self.n_entries)[:2])
            if values is None:
                values = branch.array(entry_start=start, entry_stop=stop, library="np")
            if values.dtype == object:
                raise InputError(
                    f"{self.path}: branch {name!r} of tree {self.name!r} is not a column of numbers ({branch.typename})"
                )
            expected = len(range(*slice(start, stop).indices(self.n_entries)))
            if len(values) != expected:
                raise InputError(
                    f"{self.path}: branch {name!r} of tree {self.name!r} has {len(values)} of {expected} entries, the "
                    "file is damaged"
                )
            native: NDArray[Any] = values.astype(values.dtype.newbyteorder("="), copy=False)
        return native

    def baskets(self, name: str) -> Baskets | None:
        """Find the baskets of a branch with an array per entry; None when it has to be read in the general way.

        Raises
        ------
        InputError
            The branch is missing or damaged.
        """
        branch = self.branch(name)
        with damage_told(self.path, f"branch {name!r} of tree {self.name!r}"):
            found = Baskets.of(self.path, branch)
            return None if found is not None and found.is_number else found

    def _plain(self, branch: Any, start: int, stop: int) -> NDArray[Any] | None:
        """Numbers and fixed arrays as they lie in the baskets; None for other branches."""
        if type(branch.interpretation).__name__ != "AsDtype" or start >= stop:
            return None
        baskets = Baskets.of(self.path, branch)
        values = None if baskets is None else baskets.read(start, stop)
        if baskets is None or baskets.shape is None or values is None:
            return None
        return values.reshape(-1, *baskets.shape)

    def of_telescope(self, telescope: int) -> RootTree:
        """Return the tree with the containers of one telescope under their plain names, ``MHillas_1.`` as ``MHillas.``.

        Stereo files of MARS keep the containers of both telescopes side by side; a file of one telescope stays as is.
        """
        suffix = f"_{telescope}"
        own = {
            f"{container.removesuffix(suffix)}{dot}{member}": branch
            for name, branch in self.branches.items()
            for container, dot, member in [name.partition(".")]
            if container.endswith(suffix)
        }
        return RootTree(self.path, self.name, self.n_entries, {**self.branches, **own})

    def value(self, name: str, row: int) -> Any:
        """Read one entry of a branch: a number, an array or a text.

        Raises
        ------
        InputError
            The branch is missing or cannot be read.
        """
        branch = self.branch(name)
        with damage_told(self.path, f"branch {name!r} of tree {self.name!r}"):
            return branch.array(entry_start=row, entry_stop=row + 1, library="np")[0]

    def scalars(self, name: str) -> NDArray[Any]:
        """Read a branch of one number per entry, [N].

        Raises
        ------
        InputError
            As `column`, or there are several numbers per entry.
        """
        values = self.column(name)
        if values.ndim != 1:
            raise InputError(
                f"{self.path}: branch {name!r} of tree {self.name!r} has values of shape {values.shape[1:]} per entry, "
                "one number is expected"
            )
        return values

    def text(self, name: str, row: int = 0) -> str:
        """Read an entry of a string or character-array branch, empty when there is none."""
        if name not in self.branches or self.n_entries <= row:
            return ""
        with damage_told(self.path, f"branch {name!r} of tree {self.name!r}"):
            value = self.value(name, row)
            if not isinstance(value, str):
                value = np.asarray(value, dtype=np.int8).tobytes().split(b"\0")[0].decode("ascii", "replace")
        return str(value).strip()

    def pixels(self, name: str, rows: NDArray[np.int64], n_first: int | None = None) -> NDArray[Any]:
        """Read a branch with one array per entry.

        Parameters
        ----------
        name : str
            A ``TClonesArray`` member, a ``TArrayF``, a jagged or a fixed array.
        rows : int64 array, [N], ascending
            Entries to read; everything between the first and the last is decoded.
        n_first : int, optional
            How many values of each entry are wanted; all when not given.

        Returns
        -------
        array, [N, n_slots] or [N, n_first]

        Raises
        ------
        InputError
            The branch is missing or damaged, or its entries differ in length.
        """
        branch = self.branch(name)
        start, stop = int(rows[0]), int(rows[-1]) + 1
        with damage_told(self.path, f"branch {name!r} of tree {self.name!r}"):
            baskets = self.baskets(name)
            rectangle = None if baskets is None else baskets.read(start, stop, n_first)
            if rectangle is not None:
                return rectangle if len(rows) == stop - start else rectangle[rows - start]
            entries = branch.array(entry_start=start, entry_stop=stop, library="np")[rows - start]
            if entries.dtype == object:
                lengths = sorted({len(entry) for entry in entries})
                if len(lengths) > 1:
                    raise InputError(
                        f"{self.path}: branch {name!r} has entries of different length "
                        f"({lengths[0]} to {lengths[-1]} values), one per camera slot is expected"
                    )
                entries = np.stack([np.asarray(entry) for entry in entries])
            if entries.ndim != 2 or entries.dtype.kind not in "biuf":
                raise InputError(f"{self.path}: branch {name!r} has no array per entry ({branch.typename})")
        pixels: NDArray[Any] = entries[:, :n_first].astype(entries.dtype.newbyteorder("="), copy=False)
        return pixels


@dataclass(frozen=True, slots=True)
class RootFile:
    """An open ROOT file."""

    path: Path
    directory: Any

    @property
    def tree_names(self) -> list[str]:
        """Names of all trees in the top directory."""
        names = self.directory.classnames(recursive=False, cycle=False)
        return sorted(n for n, kind in names.items() if kind == "TTree")

    def tree(self, name: str) -> RootTree:
        """Return a tree.

        Raises
        ------
        InputError
            The file has no such tree, or it cannot be read.
        """
        with damage_told(self.path, f"tree {name!r}"):
            if name not in self.tree_names:
                found = ", ".join(self.tree_names) or "no tree at all"
                raise InputError(f"{self.path}: there is no tree {name!r}; the file has: {found}")
            tree = self.directory[name]
            branches = {b.name.split("[")[0]: b for b in tree.itervalues(recursive=True)}
            return RootTree(self.path, name, int(tree.num_entries), branches)

    def optional_tree(self, name: str) -> RootTree | None:
        """Return a tree that has entries, None when the file has none of that name."""
        if name not in self.tree_names:
            return None
        tree = self.tree(name)
        return tree if tree.n_entries else None

    def note(self, name: str) -> str | None:
        """Return a text that the file keeps as a ``TObjString``, None when there is none of that name."""
        with damage_told(self.path, f"text {name!r}"):
            if self.directory.classnames(recursive=False, cycle=False).get(name) != "TObjString":
                return None
            return str(self.directory[name])


class OpenTrees:
    """Trees of the files that were read last, kept open: parsing one takes as long as decoding hundreds of events.

    Parameters
    ----------
    name : str
        Name of the trees.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._open: dict[Path, tuple[RootTree, contextlib.ExitStack]] = {}
        self._pid = os.getpid()

    def of(self, path: Path) -> RootTree:
        """Return the tree of a file, as `RootFile.tree` does."""
        if self._pid != os.getpid():  # the files belong to the process that was forked
            self._open, self._pid = {}, os.getpid()
        if path not in self._open:
            if len(self._open) >= _MOST_OPEN:
                self._open.pop(next(iter(self._open)))[1].close()
            with contextlib.ExitStack() as stack:
                tree = stack.enter_context(open_root(path)).tree(self._name)
                self._open[path] = (tree, stack.pop_all())
        return self._open[path][0]

    def close(self) -> None:
        """Close all files; they open again when asked for."""
        while self._open:
            self._open.popitem()[1][1].close()

    def __del__(self) -> None:
        if os is not None and self._pid == os.getpid():  # os is gone at the end of the interpreter
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"_name": self._name, "_open": {}, "_pid": -1}


@contextlib.contextmanager
def open_root(path: Path) -> Iterator[RootFile]:
    """Open a ROOT file after checking that it is one and that it is complete.

    Raises
    ------
    InputError
        The file is missing, empty, unreadable, not ROOT, truncated or damaged.
    """
    _check_complete(path)
    keep_freed_memory()
    import uproot

    with damage_told(path, "its directory"):
        directory = uproot.open(
            {str(path.resolve()): None},
            handler=uproot.MultithreadedFileSource,
            use_threads=False,
            num_workers=1,
            array_cache=None,  # nothing is read twice
            object_cache=None,  # it would keep the trees of files that were closed
        )
    with contextlib.closing(directory):
        yield RootFile(path, directory)


def _check_complete(path: Path) -> None:
    """Compare the file's size with the end that its header states (fEND), before anything is decoded."""
    head = check_regular_file(path)
    if not head.startswith(_MAGIC):
        raise InputError(f"{path}: not a ROOT file (it does not start with {_MAGIC.decode()!r})")
    size = path.stat().st_size
    if len(head) < 24:
        raise InputError(f"{path}: the file is truncated ({size} bytes)")
    version = struct.unpack(">I", head[4:8])[0]
    end = struct.unpack(">Q", head[12:20])[0] if version >= _LARGE_FILE_VERSION else struct.unpack(">I", head[12:16])[0]
    if size < end:
        raise InputError(f"{path}: the file is truncated ({size} of {end} bytes); copy it again")
