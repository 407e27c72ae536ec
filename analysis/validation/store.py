"""Intermediate results on disc, so that a validation that was killed continues."""

from __future__ import annotations

import hashlib
import inspect
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import magicnn.simulation
from magicnn.images.features import FeatureTable, extract_features
from magicnn.io.eventset.reader import EventSet
from magicnn.runs import atomic_path, content_hash, progress, read_json, write_json
from magicnn.simulation.production import produce, settings_from_yaml

__all__ = ["Sample", "Store", "code_version"]

_SOURCES = (".py", ".txt", ".npz")
_ASIDE = ("plan.py", "matching.py", "corsika")

Arrays = dict[str, NDArray[Any]]


def code_version() -> str:
    """Hash of the sources and tables of the simulation, so that results of other code are not taken for ours.

    Modules that no event depends on do not count: plans, matching of samples, CORSIKA's files.
    """
    folder = Path(magicnn.simulation.__file__).parent
    digest = hashlib.sha256()
    sources = (p for p in folder.rglob("*") if p.suffix in _SOURCES and not p.name.startswith(_ASIDE))
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Sample:
    """A production made for the validation.

    Attributes
    ----------
    path : Path
        Its event set.
    features : FeatureTable
        Image and stereo parameters of its events.
    generated : mapping
        What was thrown.
    """

    path: Path
    features: FeatureTable
    generated: Mapping[str, Any]


@dataclass
class Store:
    """A folder of results, each under the hash of its settings and of the code.

    Attributes
    ----------
    folder : Path
    configs : Path
        Folder of the productions' YAML files.
    scale : float
        Factor on all numbers of showers.
    data : Path or None
        Folder of real files and of CORSIKA's showers.
    production : Path or None
        Folder of event sets of a large production.
    cpu_s : float
        Processor time that what was read or made has taken.
    """

    folder: Path
    configs: Path
    scale: float = 1.0
    data: Path | None = None
    production: Path | None = None
    cpu_s: float = 0.0

    def __post_init__(self) -> None:
        self.code = code_version()
        self._counted: set[Path] = set()

    def _count(self, path: Path, cpu_s: float) -> None:
        """Add the time that a result took, once, though several groups may look at it."""
        if path not in self._counted:
            self._counted.add(path)
            self.cpu_s += cpu_s

    def number(self, at_scale_one: int, least: int = 4) -> int:
        """Scale a number of showers or events."""
        return max(least, round(at_scale_one * self.scale))

    def arrays(self, name: str, settings: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """Return stored arrays, or make and store them.

        Parameters
        ----------
        name : str
            First part of the file's name.
        settings : mapping
            Everything that the result depends on besides the simulation's code.
        make : callable
            Gives the arrays.
        """
        path = self.folder / f"{name}_{content_hash([dict(settings), self.code])}.npz"
        if not path.is_file():
            start = time.process_time()
            made = make()
            with atomic_path(path) as partial, partial.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, cpu_s=np.float64(time.process_time() - start), **made)
        with np.load(path) as stored:
            arrays = {key: stored[key] for key in stored.files}
        self._count(path, float(arrays.pop("cpu_s")))
        return arrays

    def showers(
        self, name: str, settings: Mapping[str, Any], number: int, make: Callable[[int], Arrays], per_file: int = 25
    ) -> Arrays:
        """Collect what is made of each of many showers, stored some at a time.

        Parameters
        ----------
        name, settings
            See `arrays`; the source of the function that ``make`` is defined in counts as a setting.
        number : int
            Showers wanted.
        make : callable
            Gives arrays of fixed shapes for the shower of some number.
        per_file : int
            Showers stored together.

        Returns
        -------
        dict of str to array, [number, ...]
        """
        outer = getattr(sys.modules[make.__module__], make.__qualname__.split(".")[0])
        settings = {**settings, "source": inspect.getsource(outer)}
        parts = []
        for first in progress(range(0, number, per_file), description=name, unit=f"{per_file} showers"):
            indices = range(first, min(first + per_file, number))
            parts.append(
                self.arrays(name, {**settings, "from": first, "to": indices.stop}, lambda i=indices: _stacked(i, make))  # type: ignore[misc]
            )
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def sample(self, name: str, config: str, overrides: Sequence[str], n_events: int, seed: int) -> Sample:
        """Make a production, or read the one that is there, and its features.

        Parameters
        ----------
        name : str
            Of the production: part of its random streams.
        config : str
            YAML file in the folder of configurations.
        overrides : sequence of str
            ``key=value`` changes of it.
        n_events : int
            Triggered events.
        seed : int
        """
        settings = settings_from_yaml(self.configs / config, [*overrides, f"name={name}"])
        mark = content_hash([settings.model_dump(mode="json"), n_events, seed, self.code])
        path = self.folder / f"{name}_{mark}.h5"
        times = path.with_suffix(".json")
        start = time.process_time()
        if not path.is_file():
            produce(settings, path, n_events=n_events, seed=seed, workers=1)
        table = self.folder / f"{name}_{mark}_features.h5"
        if not table.is_file():
            with EventSet(path) as events:
                extract_features(events).save(table)
        if not times.is_file():
            write_json(times, {"cpu_s": time.process_time() - start})
        self._count(path, float(read_json(times)["cpu_s"]))
        features = FeatureTable.load(table)
        return Sample(path, features, features.meta.generated)


def _stacked(indices: range, make: Callable[[int], Arrays]) -> Arrays:
    rows = [make(i) for i in indices]
    return {key: np.stack([np.asarray(row[key]) for row in rows]) for key in rows[0]}
