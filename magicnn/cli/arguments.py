"""What several commands ask of the files they are given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from magicnn.evaluation.source import SignalSettings
    from magicnn.images.features import FeatureTable
    from magicnn.io.base import Reader
    from magicnn.predictions import PredictionTable

__all__ = [
    "load_features",
    "named_pairs",
    "number_ranges",
    "real_and_simulated",
    "require_distinct",
    "require_event_set_name",
    "require_folder_name",
    "signal_settings",
]

_EVENT_SET_SUFFIXES = (".h5", ".hdf5")
_FILE_SUFFIXES = (*_EVENT_SET_SUFFIXES, ".hdf", ".root", ".fits", ".ecsv", ".json", ".html", ".pt", ".png", ".pdf")


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


def real_and_simulated(
    tables: Sequence[PredictionTable],
) -> tuple[dict[str, PredictionTable], dict[str, list[PredictionTable]]]:
    """Sort tables by method: those of real events, put together, and those of simulated ones.

    Raises
    ------
    InputError
        A real event is given twice, or the methods do not have the same real events in the same order.
    """
    from magicnn.errors import InputError
    from magicnn.predictions import join_predictions

    simulated: dict[str, list[PredictionTable]] = {}
    parts: dict[str, list[PredictionTable]] = {}
    for table in tables:
        (parts if table.particle is None else simulated).setdefault(table.method, []).append(table)
    real = {method: join_predictions(mine) for method, mine in parts.items()}
    for method, table in real.items():
        first = next(iter(real.values()))
        if not all(np.array_equal(table[n], first[n]) for n in ("run_id", "event_id")):
            raise InputError(f"real events: {method} and {first.method} are not of the same events in the same order")
    return real, simulated


def signal_settings(
    config: Path | None, overrides: Sequence[str], *, source: str | None, name: str | None = None
) -> SignalSettings:
    """Read how a source is looked for: from a file, ``KEY=VALUE``, and its place written as ``RA,DEC``.

    Raises
    ------
    ConfigError
        The place or a setting is wrong, or there is no place.
    """
    from magicnn.config import apply_overrides, read_yaml, validate_settings
    from magicnn.errors import ConfigError
    from magicnn.evaluation.source import SignalSettings

    more = list(overrides)
    if source is not None:
        try:
            ra, dec = (float(part) for part in source.split(","))
        except ValueError as error:
            raise ConfigError(f"--source {source}: expected RA,DEC in degrees, such as 83.6333,22.0144") from error
        more += [f"source.ra_deg={ra}", f"source.dec_deg={dec}"]
    values = apply_overrides(read_yaml(config, SignalSettings) if config else {}, more)
    if name is not None:
        values["source"] = {**values.get("source", {}), "name": name}
    if "source" not in values:
        raise ConfigError("no source: give --source RA,DEC, or --set source.x_deg=0.4 --set source.y_deg=0")
    return validate_settings(SignalSettings, values, where=str(config or "signal settings"))


def require_event_set_name(output: Path, hint: str = "") -> None:
    """Make sure that a file is named as the event set that it will be, by which other commands find it.

    Parameters
    ----------
    output : Path
    hint : str
        What else could be given, for the error.

    Raises
    ------
    ConfigError
        It is not.
    """
    from magicnn.errors import ConfigError

    if output.suffix not in _EVENT_SET_SUFFIXES:
        raise ConfigError(f"--output {output}: an event set is written, HDF5; give a name that ends in .h5{hint}")


def require_folder_name(output: Path) -> None:
    """Make sure that a folder to be written is not named as a file, by a slip.

    Raises
    ------
    ConfigError
        It is.
    """
    from magicnn.errors import ConfigError

    if output.suffix in _FILE_SUFFIXES and not output.is_dir():
        raise ConfigError(f"--output {output}: a folder is written; give a name that does not end in {output.suffix}")


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
