"""What must hold of an HDF5 file before PyTables may see it: there its process would die of names that are no text."""

from __future__ import annotations

from pathlib import Path

import h5py

from magicnn.errors import InputError
from magicnn.hdf5 import HDF5_ERRORS, one_line

__all__ = ["require_names"]


def require_names(path: Path) -> None:
    """Make sure that the objects of an HDF5 file can be opened, and that they and their attributes have names in UTF-8.

    Parameters
    ----------
    path : Path
        An HDF5 file, whoever wrote it.

    Raises
    ------
    InputError
        The structure of the file is damaged.

    Notes
    -----
    PyTables (3.11) lists links and attributes in C without looking whether their names could be decoded, which ends
    the process. Of the damage of single bytes this is the one that gets that far, and not rarely: half of a file of few
    events are names and descriptions. Only names are read here, whatever the number of events.
    """
    try:
        with h5py.File(path, "r") as file:
            names = [b"."]
            file.id.links.visit(names.append)
            for name in names[:]:
                if name == b"." or file.id.links.get_info(name).type == h5py.h5l.TYPE_HARD:
                    h5py.h5a.iterate(h5py.h5o.open(file.id, name), names.append)
    except HDF5_ERRORS as error:
        if "truncated" in str(error):
            raise InputError(f"{path}: the file is truncated or still being written; copy it again") from error
        raise InputError(
            f"{path}: the structure of the file is damaged, or it is still being written ({one_line(error)[:120]})"
        ) from error
    for name in names:
        try:
            name.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: the file is damaged (a name in it is no text: {name[-40:]!r})") from error
