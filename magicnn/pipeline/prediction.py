"""Predictions of events in files on many workers: every trained method, from the names of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from magicnn.baselines.suite import Baselines, baseline_files, methods_in
from magicnn.events import EventMeta
from magicnn.executors import Place
from magicnn.images.extraction import EventFiles, identity_of, reader_of
from magicnn.images.features import FeatureSettings, FeatureTable
from magicnn.images.quality import cut_flow
from magicnn.io.pieces import Columns, Pieces, columns_in_pieces, piece_bounds
from magicnn.nn.settings import PredictSettings
from magicnn.predictions import PredictionTable
from magicnn.runs import checksum

if TYPE_CHECKING:
    from magicnn.nn.checkpoint import TrainedModel

__all__ = ["MethodFiles", "predict_on_workers"]


@dataclass(frozen=True)
class MethodFiles:
    """Trained methods, under names that mean the same to every worker.

    Attributes
    ----------
    models : tuple of Path
        Model files of networks, one per quantity.
    baselines : Path or None
        Folder of baselines.
    method : str
        Name of the networks.
    settings : PredictSettings
        How networks predict.
    device : str
        Where they run.
    """

    models: tuple[Path, ...]
    baselines: Path | None
    method: str
    settings: PredictSettings
    device: str

    def networks(self, meta: EventMeta) -> list[TrainedModel]:
        """Load the networks for events of a camera."""
        from magicnn.nn.checkpoint import load_model
        from magicnn.nn.trainer import choose_device

        where = choose_device(self.device)
        return [load_model(path, meta, device=where) for path in self.models]

    def fitted(self) -> Baselines | None:
        """Load the baselines."""
        return Baselines.load(self.baselines) if self.baselines else None

    @property
    def identity(self) -> Mapping[str, Any]:
        """Plain values that predictions depend on."""
        files = list(self.models)
        if self.baselines:
            files += [self.baselines / name for name in baseline_files(methods_in(self.baselines))]
        return {"files": [checksum(file) for file in files], "settings": self.settings.model_dump(mode="json")}


def predict_on_workers(
    files: EventFiles, features: FeatureTable, methods: MethodFiles, journal: Path, *, workers: Place = 1
) -> list[PredictionTable]:
    """Predict events with every method.

    Parameters
    ----------
    files : EventFiles
        The events.
    features : FeatureTable
        Row by row the events, with the direction by DISP where a method needs it.
    methods : MethodFiles
        What predicts.
    journal : Path
        File that holds what is done until all is.
    workers : int, DaskScheduler or SlurmSettings
        Local processes, or others, which see the same files under the same names.

    Returns
    -------
    list of PredictionTable
        The networks' and those of the baselines, each equal to what its own function gives.

    Raises
    ------
    InputError, ConfigError, MagicnnError
        A file of a method is not fit for the events; and as `magicnn.io.pieces.columns_in_pieces`.
    """
    bounds = piece_bounds(files.n_events)
    digest = hashlib.sha256()
    for name in sorted(features.columns):
        digest.update(name.encode() + np.ascontiguousarray(features[name]).data)
    pieces = Pieces(
        journal,
        {"format": "predictions", **methods.identity, **identity_of(files), "features": digest.hexdigest()},
        [
            (
                methods,
                files.paths,
                files.opening,
                start,
                stop,
                dict(features.select(slice(start, stop)).columns),
                features.settings,
            )
            for start, stop in bounds
        ],
        [stop - start for start, stop in bounds],
    )
    (columns,) = columns_in_pieces(_predicted, [pieces], workers, what="predict")
    tables: dict[str, Columns] = {}
    for key, values in columns.items():
        method, name = key.split("/")
        tables.setdefault(method, {})[name] = values
    return [
        PredictionTable(method, own, files.meta.particle, files.meta.generated, _meta(methods, method, files, features))
        for method, own in tables.items()
    ]


def _meta(methods: MethodFiles, method: str, files: EventFiles, features: FeatureTable) -> Mapping[str, Any]:
    from magicnn.nn.predict import record_of

    if method == methods.method:
        return record_of(methods.networks(files.meta))
    return {"cut_flow": cut_flow(features)}


@lru_cache(maxsize=1)
def _loaded(methods: MethodFiles, paths: tuple[Path, ...], opening: str) -> tuple[list[TrainedModel], Baselines | None]:
    """Keep the methods from one piece to the next."""
    return methods.networks(reader_of(paths, opening).meta), methods.fitted()


def _predicted(
    methods: MethodFiles,
    paths: tuple[Path, ...],
    opening: str,
    start: int,
    stop: int,
    columns: Columns,
    made: FeatureSettings | None,
) -> Columns:
    from magicnn.nn.predict import predict_table

    networks, fitted = _loaded(methods, paths, opening)
    reader = reader_of(paths, opening)
    features = FeatureTable(columns, reader.meta, made)
    tables = list(fitted.predict(features) if fitted else ())
    if networks:
        events = reader.read(start, stop)
        table = predict_table(
            networks, events, features, method=methods.method, settings=methods.settings, show_progress=False
        )
        tables.insert(0, table)
    return {f"{table.method}/{name}": values for table in tables for name, values in table.columns.items()}
