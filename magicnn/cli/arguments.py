"""What several commands ask of the files they are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from magicnn.images.features import FeatureTable
    from magicnn.io.base import Reader

__all__ = ["load_features", "named_pairs", "number_ranges", "require_distinct", "require_event_set_name"]

_EVENT_SET_SUFFIXES = (".h5", ".hdf5")


def require_distinct(paths: Sequence[Path]) -> None:
    """Make sure that no file is given twice, under any name.

    Raises
    ------
    ConfigError
        A file is.
    """
    from magicnn.errors import ConfigError

    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise ConfigError(f"{path}: given twice; its events would count double, give every event set once")
        seen.add(path.resolve())


def number_ranges(given: Sequence[str], *, option: str) -> list[tuple[float, float]]:
    """Read ranges written as ``LOW,HIGH``.

    Raises
    ------
    ConfigError
        One is not two ascending numbers.
    """
    from magicnn.errors import ConfigError

    found = []
    for text in given:
        try:
            low, high = (float(part) for part in text.split(","))
        except ValueError:
            low, high = 0.0, 0.0
        if not low < high:
            raise ConfigError(f"{option} {text}: expected LOW,HIGH, two ascending numbers such as 5,35")
        found.append((low, high))
    return found


def named_pairs(given: Sequence[str], *, option: str) -> dict[str, str]:
    """Read pairs written as ``NAME=OTHER``.

    Raises
    ------
    ConfigError
        One is not such a pair.
    """
    from magicnn.errors import ConfigError

    pairs = {}
    for text in given:
        name, _, other = text.partition("=")
        if not name or not other:
            raise ConfigError(f"{option} {text}: expected NAME=OTHER, such as LUT=forest")
        pairs[name] = other
    return pairs


def require_event_set_name(output: Path) -> None:
    """Make sure that a file is named as the event set that it will be, by which other commands find it.

    Raises
    ------
    ConfigError
        It is not.
    """
    from magicnn.errors import ConfigError

    if output.suffix not in _EVENT_SET_SUFFIXES:
        raise ConfigError(f"--output {output}: an event set is written, HDF5; give a name that ends in .h5")


def load_features(path: Path, reader: Reader, events: Path) -> FeatureTable:
    """Read a feature table that must belong to certain events.

    Parameters
    ----------
    path : Path
        Feature table.
    reader : Reader
        The events.
    events : Path
        Their file, for the error.

    Raises
    ------
    InputError
        The table cannot be read, or was made for other events.
    """
    from magicnn.images.features import FeatureTable, require_same_events
    from magicnn.io.eventset.reader import EventSet

    table = FeatureTable.load(path)
    names = ["run_id", "event_id"]
    if isinstance(reader, EventSet):
        columns = reader.columns(names)
    else:
        batches = [{name: batch[name] for name in names} for batch in reader.batches()]
        columns = {name: np.concatenate([batch[name] for batch in batches]) for name in names}
    require_same_events(table, columns, table=f"{path}", events=f"{events}")
    return table
