"""FeatureTable: image and stereo parameters of the events of an event set, row by row, and its file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from magicnn.array import separation_deg
from magicnn.config import Settings, validate_settings
from magicnn.errors import InputError, nearest_names
from magicnn.events import SCHEMA, ColumnSpec, EventBatch, EventMeta, event_weight, joined_meta, require_columns
from magicnn.hdf5 import created, opened, write_columns
from magicnn.images.cleaning import CleaningSettings, clean
from magicnn.images.hillas import IMAGE_PARAMETERS, image_parameters
from magicnn.images.stereo import STEREO_PARAMETERS, StereoSettings, reconstruct
from magicnn.io.base import Reader
from magicnn.io.eventset.layout import meta_from_json, meta_to_json
from magicnn.runs import progress, provenance
from magicnn.summary import brief_ranges, column_table, event_lines, html_page, range_lines, span

__all__ = [
    "FEATURES",
    "FeatureSettings",
    "FeatureTable",
    "concatenate_features",
    "extract_features",
    "require_same_events",
]

_FORMAT = "magicnn features"
_VERSION = 1


def _specs() -> dict[str, ColumnSpec]:
    specs = {n: ColumnSpec("float32", unit, text, "telescope") for n, (unit, text) in IMAGE_PARAMETERS.items()}
    for name, (unit, text) in STEREO_PARAMETERS.items():
        shape: Any = "telescope" if name == "impact_m" else "event"
        specs[name] = ColumnSpec("bool" if name == "is_stereo" else "float64", unit, text, shape)
    return specs


_TRUTH = {
    "theta2_deg2": ColumnSpec(
        "float64", "deg2", "squared angle of the direction by crossed axes to the true one", is_truth=True
    )
}

_LEARNT = {
    "disp_x_deg": ColumnSpec("float64", "deg", "direction by DISP, camera x"),
    "disp_y_deg": ColumnSpec("float64", "deg", "direction by DISP, camera y"),
    "disp_zenith_deg": ColumnSpec("float64", "deg", "zenith distance of the direction by DISP"),
    "disp_azimuth_deg": ColumnSpec("float64", "deg", "azimuth of the direction by DISP, north 0, east 90"),
    "disp_uncert_deg": ColumnSpec("float64", "deg", "expected RMS distance of the direction by DISP to the source"),
    "disp_impact_m": ColumnSpec("float64", "m", "distance of the telescope to the axis by DISP", "telescope"),
    "disp_h_max_m": ColumnSpec("float64", "m", "height of the maximum above sea level on the axis by DISP"),
}


FEATURES: Mapping[str, ColumnSpec] = MappingProxyType(
    {**_specs(), **_TRUTH, **_LEARNT, **{name: spec for name, spec in SCHEMA.items() if spec.shape != "pixel"}}
)
"""Every column that a feature table may have: image and stereo parameters, what a trained reconstruction adds
(`magicnn.baselines.disp`), and the columns of events."""


class FeatureSettings(Settings):
    """How image parameters are made."""

    cleaning: CleaningSettings = Field(default=CleaningSettings(), description="which pixels belong to the image")
    stereo: StereoSettings = Field(default=StereoSettings(), description="when two images are crossed")


DEFAULT_SETTINGS = FeatureSettings()
"""MAGIC's cleaning and stereo reconstruction."""


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Parameters of the events of one event set; row i is event i.

    Attributes
    ----------
    columns : mapping of str to array, [N] or [N, T]
        Names, dtypes and units of `FEATURES`; invalid is NaN. The ids, pointing and truth columns of the events
        are there too.
    meta : EventMeta
        What all events share.
    settings : FeatureSettings or None
        How the parameters were made; None when another program made them.

    Raises
    ------
    InputError
        A column is unknown or has the wrong shape.
    """

    columns: Mapping[str, NDArray[Any]]
    meta: EventMeta
    settings: FeatureSettings | None = DEFAULT_SETTINGS

    def __post_init__(self) -> None:
        require_columns(self.columns, ["event_id"], where="feature table")
        n = len(self.columns["event_id"])
        columns = {}
        for name, values in self.columns.items():
            if name not in FEATURES:
                raise InputError(f"unknown feature {name!r}: {nearest_names(name, FEATURES)}")
            shape = (n,) if FEATURES[name].shape == "event" else (n, len(self.meta.telescopes))
            array = np.asarray(values, dtype=FEATURES[name].dtype)
            if array.shape != shape:
                raise InputError(f"feature {name!r}: expected shape {shape}, got {array.shape}")
            columns[name] = array
        object.__setattr__(self, "columns", MappingProxyType(columns))

    def __len__(self) -> int:
        return len(self.columns["event_id"])

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column, [N] or [N, T], in the unit of `FEATURES`."""
        require_columns(self.columns, [name], where="feature table")
        return self.columns[name]

    def select(self, which: NDArray[Any] | slice) -> FeatureTable:
        """Return the rows picked by a boolean mask, indices or a slice, in that order."""
        return FeatureTable({n: values[which] for n, values in self.columns.items()}, self.meta, self.settings)

    def with_columns(self, **columns: NDArray[Any]) -> FeatureTable:
        """Return the same rows with columns added or replaced."""
        return FeatureTable({**self.columns, **columns}, self.meta, self.settings)

    def save(self, path: Path | str) -> None:
        """Write the table to an HDF5 file: one dataset per column with ``unit`` and ``description``.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        record = {
            "meta": meta_to_json(self.meta),
            "settings": self.settings and self.settings.model_dump(mode="json"),
            "provenance": provenance(),
        }
        with created(path, file_format=_FORMAT, version=_VERSION) as file:
            file.create_dataset("record", data=json.dumps(record, sort_keys=True))
            write_columns(file, "features", self.columns, FEATURES)

    @classmethod
    def load(cls, path: Path | str) -> FeatureTable:
        """Read a file written by `save`.

        Raises
        ------
        InputError
            The file is missing, damaged, of another kind, or written by a newer version.
        """
        with opened(path, "feature file", file_format=_FORMAT, version=_VERSION) as file:
            record = json.loads(file["record"][()])
            columns = {name: dataset[()] for name, dataset in file["features"].items()}
            meta = meta_from_json(record["meta"])
            made = record["settings"]
            settings = None if made is None else validate_settings(FeatureSettings, made, where=str(path))
        return cls(columns, meta, settings)

    def __repr__(self) -> str:
        kind = self.meta.particle or "real"
        how = f"{self.settings.cleaning.method} cleaning" if self.settings else "made elsewhere"
        return (
            f"FeatureTable({len(self)} {kind} events{brief_ranges(self.columns)}, {how}, {len(self.columns)} columns)"
        )

    def _repr_html_(self) -> str:
        how = self.settings.cleaning.method if self.settings else "made elsewhere"
        sizes = span(self["size_pe"]) if "size_pe" in self else ""
        stereo = f"{int(self['is_stereo'].sum())} events" if "is_stereo" in self else ""
        lines = [
            *event_lines(self.meta),
            ("cleaning", how),
            ("size", sizes and f"{sizes} phe"),
            ("with crossing axes", stereo),
            *range_lines(self.columns),
        ]
        return html_page(f"FeatureTable: {len(self)} events", lines, column_table(self.columns, FEATURES))


def extract_features(
    events: EventBatch | Reader,
    settings: FeatureSettings = DEFAULT_SETTINGS,
    *,
    batch_size: int = 1024,
    show_progress: bool = True,
) -> FeatureTable:
    """Clean the images of all events and compute their parameters.

    Parameters
    ----------
    events : EventBatch or Reader
        Events in memory, or a source read ``batch_size`` events at a time; needs ``pointing_zenith_deg`` and
        ``pointing_azimuth_deg``.
    settings : FeatureSettings
        Cleaning and stereo settings, kept with the table.
    batch_size : int
        Events held in memory at once.
    show_progress : bool
        Show a progress bar.

    Returns
    -------
    FeatureTable
        Row i is event i; the columns of the events are carried over.

    Raises
    ------
    InputError
        There are no events, or no pointing.
    """
    parts = []
    with progress(total=len(events), description="image parameters", unit="event", quiet=not show_progress) as bar:
        for batch in _batches(events, batch_size):
            parts.append(_features_of(batch, settings))
            bar.update(len(batch))
    if not parts:
        raise InputError("no events to compute image parameters of")
    names = [n for n in parts[0] if all(n in part for part in parts)]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in names}
    return FeatureTable(columns, events.meta, settings)


def _batches(events: EventBatch | Reader, size: int) -> Iterator[EventBatch]:
    if not isinstance(events, EventBatch):
        yield from events.batches(size)
        return
    for start in range(0, len(events), size):
        yield events.select(slice(start, start + size))


def _features_of(batch: EventBatch, settings: FeatureSettings) -> dict[str, NDArray[Any]]:
    """Columns of one batch, in the dtypes of `FEATURES`."""
    camera = batch.meta.camera
    mask = clean(batch.charge, batch.time, camera, settings.cleaning)
    images = image_parameters(batch.charge, batch.time, mask, camera)
    array = batch.meta.layout
    stereo = reconstruct(
        images,
        batch["pointing_zenith_deg"],
        batch["pointing_azimuth_deg"],
        telescopes_m=array.positions_m,
        ground_m=array.ground_m,
        settings=settings.stereo,
    )
    columns = {**images, **stereo, **{n: v for n, v in batch.columns.items() if n in FEATURES}}
    if "true_zenith_deg" in columns:
        reco, true = ((columns[f"{k}_zenith_deg"], columns[f"{k}_azimuth_deg"]) for k in ("reco", "true"))
        columns["theta2_deg2"] = separation_deg(*reco, *true) ** 2
    return {name: np.asarray(values, dtype=FEATURES[name].dtype) for name, values in columns.items()}


def require_same_events(
    features: FeatureTable,
    columns: Mapping[str, NDArray[Any]],
    *,
    table: str = "the feature table",
    events: str = "the event set",
) -> None:
    """Make sure that a feature table was made from certain events: as many, and row by row the same ids.

    Parameters
    ----------
    features : FeatureTable
        The table.
    columns : mapping of str to array, [N]
        ``event_id`` of the events, and ``run_id`` where they have one.
    table, events : str
        How the error names the two.

    Raises
    ------
    InputError
        Numbers or ids differ.
    """
    n_events = len(columns["event_id"])
    if len(features) != n_events:
        raise InputError(f"{table} was made for other events: it has {len(features)} rows, {events} {n_events} events")
    for name in ("run_id", "event_id"):
        if name in features and name in columns and not np.array_equal(features[name], columns[name]):
            raise InputError(f"{table} was made for other events: its {name} differs from that of {events}")


def concatenate_features(tables: Sequence[FeatureTable]) -> FeatureTable:
    """Join feature tables made with the same settings for the same telescopes, in order.

    Parameters
    ----------
    tables : sequence of FeatureTable
        At least one. Columns that are not in all of them are dropped, but for the weight.

    Returns
    -------
    FeatureTable
        With the meta of all (`magicnn.events.joined_meta`).

    Raises
    ------
    InputError
        Nothing to join, or telescopes, cameras or settings differ.
    """
    if not tables:
        raise InputError("no feature tables to join")
    first = tables[0]
    for other in tables[1:]:
        if other.settings != first.settings:
            raise InputError(
                f"cannot join feature tables of {first.meta.production!r} and {other.meta.production!r}: they differ "
                "in settings"
            )
    meta = joined_meta([t.meta for t in tables])
    if any("weight" in t for t in tables):
        tables = [t.with_columns(weight=event_weight(t.columns)) for t in tables]
    names = [n for n in tables[0].columns if all(n in t for t in tables)]
    return FeatureTable({n: np.concatenate([t[n] for t in tables]) for n in names}, meta, first.settings)
