"""Prediction tables from any file that holds predictions: of this package, or of MARS."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from magicnn import predictions
from magicnn.errors import InputError
from magicnn.io.formats import expand_paths
from magicnn.io.mars_tables import is_root
from magicnn.predictions import PredictionTable

__all__ = ["load_predictions"]


def load_predictions(path_or_paths: Path | str | Iterable[Path | str]) -> PredictionTable:
    """Read predictions.

    Parameters
    ----------
    path_or_paths : path or iterable of paths
        A file written by `PredictionTable.save` or ``magicnn predict``; or melibea (``_Q_``) files of MARS, also as a
        glob, whose energies, hadronness and directions become the method ``"MARS"``.

    Returns
    -------
    PredictionTable

    Raises
    ------
    InputError
        A file is missing, damaged, of another kind, or written by a newer version.
    """
    if isinstance(path_or_paths, str | Path) and not glob.has_magic(str(path_or_paths)):
        files = [Path(path_or_paths)]
    else:
        files = expand_paths(path_or_paths)
    if files[0].is_file() and is_root(files[0]):
        from magicnn.io.mars_parameters import read_mars_predictions

        return read_mars_predictions(files)
    if len(files) > 1:
        raise InputError(f"{files[0]} and {len(files) - 1} more: prediction files are opened one at a time")
    return predictions.load_predictions(files[0])
