"""Prediction tables from any file that holds predictions: of this package, of MARS, or of ctapipe."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from magicnn import predictions
from magicnn.errors import InputError
from magicnn.io.formats import expand_paths
from magicnn.io.known import is_ctapipe
from magicnn.io.mars.tables import is_root
from magicnn.io.root.files import check_regular_file
from magicnn.predictions import PredictionTable

__all__ = ["load_predictions"]

_METHOD_MARK = "::"


def load_predictions(path_or_paths: Path | str | Iterable[Path | str]) -> PredictionTable:
    """Read predictions.

    Parameters
    ----------
    path_or_paths : path or iterable of paths
        A file written by `PredictionTable.save` or ``magicnn predict``; or melibea (``_Q_``) files of MARS, also as a
        glob, whose energies, hadronness and directions become the method ``"MARS"``; or a ctapipe file with DL2 tables,
        followed by ``::METHOD`` when they are of several methods (``"gamma.dl2.h5::RandomForest"`` for
        ``RandomForestRegressor`` and ``RandomForestClassifier``).

    Returns
    -------
    PredictionTable

    Raises
    ------
    InputError
        A file is missing, damaged, of another kind, or written by a newer version.
    ConfigError
        A ctapipe file has several methods and none is chosen, or not the one chosen.
    """
    if isinstance(path_or_paths, str | Path) and not glob.has_magic(str(path_or_paths)):
        files = [Path(path_or_paths)]
    else:
        files = expand_paths(path_or_paths)
    if files[0].is_file() and is_root(files[0]):
        from magicnn.io.mars.parameters import read_mars_predictions

        return read_mars_predictions(files)
    if len(files) > 1:
        raise InputError(f"{files[0]} and {len(files) - 1} more: prediction files are opened one at a time")
    name, _, method = str(files[0]).partition(_METHOD_MARK)
    path = Path(name)
    if path.is_file() and is_ctapipe(path, check_regular_file(path)):
        from magicnn.io.ctapipe.dl2_reader import read_dl2

        return read_dl2(path, method or None)
    return predictions.load_predictions(files[0])
