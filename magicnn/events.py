"""EventBatch: images and columns of stereo events, the same behind every source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from magicnn.array import MAGIC_TELESCOPES, TelescopeArray
from magicnn.camera import Camera
from magicnn.errors import InputError, nearest_names
from magicnn.summary import brief_ranges, column_table, event_lines, html_page, range_lines, some_names, thrown_lines

__all__ = [
    "SCHEMA",
    "ColumnSpec",
    "EventBatch",
    "EventMeta",
    "concatenate",
    "event_weight",
    "joined_meta",
    "require_columns",
]


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """What a column of an event set holds.

    Attributes
    ----------
    dtype : str
        NumPy dtype it is kept in.
    unit : str
        Unit as written into files, empty for a pure number.
    description : str
        One line for people.
    shape : {"event", "telescope", "pixel"}
        One value per event, [N], per event and telescope, [N, T], or per pixel of those, [N, T, P].
    is_truth : bool
        Known only for simulated events; the column is absent for real ones.
    """

    dtype: str
    unit: str
    description: str
    shape: Literal["event", "telescope", "pixel"] = "event"
    is_truth: bool = False


SCHEMA: Mapping[str, ColumnSpec] = MappingProxyType(
    {
        "run_id": ColumnSpec("int64", "", "run number, or number of the simulated production"),
        "event_id": ColumnSpec("int64", "", "stereo event number, unique within a run"),
        "shower_id": ColumnSpec(
            "int64", "", "number of the simulated shower, shared by all its re-uses", is_truth=True
        ),
        "reuse_id": ColumnSpec("int32", "", "which re-use of the shower this event is", is_truth=True),
        "time_utc_ns": ColumnSpec("int64", "ns", "trigger time, UTC nanoseconds since 1970-01-01 without leap seconds"),
        "pointing_zenith_deg": ColumnSpec("float64", "deg", "zenith distance of the telescopes' pointing"),
        "pointing_azimuth_deg": ColumnSpec("float64", "deg", "azimuth of the telescopes' pointing, north 0, east 90"),
        "pointing_ra_deg": ColumnSpec("float64", "deg", "right ascension of the telescopes' pointing"),
        "pointing_dec_deg": ColumnSpec("float64", "deg", "declination of the telescopes' pointing"),
        "daq_event_id": ColumnSpec(
            "int64", "", "data acquisition event number, -1 for a missing telescope", "telescope"
        ),
        "trigger_pattern": ColumnSpec(
            "int32", "", "MAGIC's trigger pattern: 1 mono, 32 sum, 128 stereo, 132 with LST-1; -1 missing", "telescope"
        ),
        "pedestal_mean_pe": ColumnSpec(
            "float32", "phe", "mean charge of a pixel without light, median over pixels", "telescope"
        ),
        "pedestal_rms_pe": ColumnSpec(
            "float32", "phe", "RMS charge of a pixel without light, median over pixels", "telescope"
        ),
        "true_energy_gev": ColumnSpec("float64", "GeV", "energy of the primary particle", is_truth=True),
        "true_particle": ColumnSpec(
            "int32", "", "PDG number of the primary particle (22 gamma, 2212 proton)", is_truth=True
        ),
        "weight": ColumnSpec("float64", "", "thrown events that this one stands for; 1 when absent", is_truth=True),
        "true_zenith_deg": ColumnSpec("float64", "deg", "zenith distance the primary comes from", is_truth=True),
        "true_azimuth_deg": ColumnSpec(
            "float64", "deg", "azimuth the primary comes from, north 0, east 90", is_truth=True
        ),
        "true_core_x_m": ColumnSpec("float64", "m", "core position on the ground, geographic north", is_truth=True),
        "true_core_y_m": ColumnSpec("float64", "m", "core position on the ground, geographic west", is_truth=True),
        "true_impact_m": ColumnSpec("float64", "m", "distance of the telescope to the shower axis", "telescope", True),
        "true_first_interaction_m": ColumnSpec(
            "float64", "m", "height above sea level of the first interaction", is_truth=True
        ),
        "true_xmax_gcm2": ColumnSpec("float64", "g/cm2", "slant depth of the shower maximum", is_truth=True),
        "true_pe": ColumnSpec("float32", "phe", "photoelectrons of the shower in the camera", "telescope", True),
        "true_n_muons": ColumnSpec("float32", "", "muons of the shower that reach the ground", is_truth=True),
        "true_pixel_pe": ColumnSpec("uint16", "phe", "photoelectrons of the shower in each pixel", "pixel", True),
    }
)
"""Every column that an event set may have, with dtype, unit and description."""


_DIMENSIONS = {"event": 1, "telescope": 2, "pixel": 3}


@dataclass(frozen=True)
class EventMeta:
    """What holds for all events of a batch or a file.

    Attributes
    ----------
    particle : str or None
        ``"gamma"``, ``"gamma_diffuse"``, ``"proton"``, ... for simulations; None for real data.
    production : str
        Name of the production, or source name of real data.
    telescopes : tuple of str
        Names along the telescope axis T, ``("M1", "M2")`` for MAGIC.
    camera : Camera
        The camera of all telescopes.
    array : TelescopeArray or None
        Where the telescopes stand; None for MAGIC's own, and where it is not known (see ``layout``).
    is_simulation : bool
        Whether truth columns can exist.
    sampling_gsps : float or None
        Sampling speed of the readout that arrival times were converted with.
    sampling_assumed : bool
        True when the files did not state the sampling speed.
    window_ns : float or None
        Length of the readout window.
    source_files : tuple of str
        Files the events come from.
    generated : mapping
        What was thrown: spectrum, area, view cone, number (see ``magicnn.simulation.production``); empty for real data.
    provenance : mapping
        Versions, seed, configuration.
    """

    particle: str | None
    production: str
    is_simulation: bool
    telescopes: tuple[str, ...] = ("M1", "M2")
    camera: Camera = field(default_factory=Camera.magic)
    sampling_gsps: float | None = None
    sampling_assumed: bool = False
    window_ns: float | None = None
    source_files: tuple[str, ...] = ()
    generated: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    array: TelescopeArray | None = None

    @property
    def layout(self) -> TelescopeArray:
        """Where the telescopes stand.

        Raises
        ------
        InputError
            The events do not say, and their telescopes are not MAGIC's ``M1`` and ``M2``; or they say it of another
            number of telescopes.
        """
        names = ", ".join(self.telescopes)
        if self.array is None:
            if not set(self.telescopes) <= set(MAGIC_TELESCOPES):
                raise InputError(
                    f"{self.production}: nothing says where the telescopes {names} stand; convert the events again"
                )
            return TelescopeArray.magic(self.telescopes)
        if len(self.array.positions_m) != len(self.telescopes):
            raise InputError(f"{self.production}: {len(self.array.positions_m)} positions of the telescopes {names}")
        return self.array

    def __repr__(self) -> str:
        kind = self.particle or "real"
        return f"EventMeta({kind} events of {self.production!r}, {'+'.join(self.telescopes)}, {self.camera.name})"

    def _repr_html_(self) -> str:
        files = ("source files", some_names(self.source_files))
        return html_page("EventMeta", [*event_lines(self), *thrown_lines(self.generated), files])


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Stereo events: charge and arrival-time images and one array per column.

    Attributes
    ----------
    charge : float32 array, [N, T, P], photoelectrons
        NaN for an unusable pixel and for every pixel of a missing telescope.
    time : float32 array, [N, T, P], ns in the readout window
        NaN where no pulse was found, and wherever the charge is NaN.
    columns : mapping of str to array, [N], [N, T] or [N, T, P]
        Names, dtypes and units of ``SCHEMA``; truth columns are absent for real data.
    meta : EventMeta
        What all events share.

    Raises
    ------
    InputError
        Shapes do not agree, a column is not in ``SCHEMA``, or a truth column comes with real data.
    """

    charge: NDArray[np.float32]
    time: NDArray[np.float32]
    columns: Mapping[str, NDArray[Any]]
    meta: EventMeta

    def __post_init__(self) -> None:
        expected = (len(self.charge), len(self.meta.telescopes), self.meta.camera.n_pixels)
        for name, images in (("charge", self.charge), ("time", self.time)):
            if images.shape != expected or images.dtype != np.float32:
                raise InputError(
                    f"{name} images: expected float32 of shape {expected} "
                    f"(events, telescopes, pixels of {self.meta.camera.name}), got {images.dtype} of {images.shape}"
                )
        columns = {}
        for name, values in self.columns.items():
            if name not in SCHEMA:
                raise InputError(f"unknown column {name!r}: {nearest_names(name, SCHEMA)}")
            spec = SCHEMA[name]
            if spec.is_truth and not self.meta.is_simulation:
                raise InputError(f"column {name!r} is truth, but these events are real data")
            shape = expected[: _DIMENSIONS[spec.shape]]
            array = np.asarray(values, dtype=spec.dtype)
            if array.shape != shape:
                raise InputError(f"column {name!r}: expected shape {shape}, got {array.shape}")
            columns[name] = array
        object.__setattr__(self, "columns", MappingProxyType(columns))

    def __len__(self) -> int:
        return len(self.charge)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """Return a column, [N] or [N, T], in the unit of ``SCHEMA``."""
        require_columns(self.columns, [column], where="these events")
        return self.columns[column]

    def select(self, which: NDArray[Any] | slice) -> EventBatch:
        """Return the events picked by a boolean mask, indices or a slice, in that order."""
        columns = {name: values[which] for name, values in self.columns.items()}
        return EventBatch(self.charge[which], self.time[which], columns, self.meta)

    def with_columns(self, **columns: NDArray[Any]) -> EventBatch:
        """Return the same events with columns added or replaced."""
        return EventBatch(self.charge, self.time, {**self.columns, **columns}, self.meta)

    def __reduce__(self) -> tuple[type[EventBatch], tuple[Any, ...]]:
        # the read-only view of the columns cannot be pickled
        return EventBatch, (self.charge, self.time, dict(self.columns), self.meta)

    def __repr__(self) -> str:
        kind = self.meta.particle or "real"
        telescopes = "+".join(self.meta.telescopes)
        return (
            f"EventBatch({len(self)} {kind} events{brief_ranges(self.columns)}, {telescopes}, {self.meta.camera.name}, "
            f"{len(self.columns)} columns)"
        )

    def _repr_html_(self) -> str:
        lines = [*event_lines(self.meta), *range_lines(self.columns)]
        return html_page(f"EventBatch: {len(self)} events", lines, column_table(self.columns, SCHEMA))


def require_columns(columns: Mapping[str, Any], names: Sequence[str], *, where: str) -> None:
    """Check that columns are there.

    Raises
    ------
    InputError
        One is missing; the message names it, the place and the nearest names there are.
    """
    for name in names:
        if name not in columns:
            raise InputError(f"{where}: no column {name!r}; {nearest_names(name, columns)}")


def event_weight(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return how many thrown events each event stands for, [N]: the column ``weight``, 1 where there is none.

    Parameters
    ----------
    columns : mapping of str to array
        At least one of them.
    """
    if "weight" in columns:
        return np.asarray(columns["weight"], dtype=np.float64)
    return np.ones(len(next(iter(columns.values()))))


def concatenate(batches: Sequence[EventBatch]) -> EventBatch:
    """Join batches of the same camera and telescopes, in order.

    Parameters
    ----------
    batches : sequence of EventBatch
        At least one. Columns that are not in all of them are dropped, but for the weight.

    Returns
    -------
    EventBatch
        With the meta of all (`joined_meta`).

    Raises
    ------
    InputError
        Nothing to join, or cameras, telescopes, or real and simulated events are mixed.
    """
    meta = joined_meta([b.meta for b in batches])
    if any("weight" in b.columns for b in batches):
        batches = [b.with_columns(weight=event_weight(b.columns)) for b in batches]
    names = [n for n in batches[0].columns if all(n in b.columns for b in batches)]
    return EventBatch(
        np.concatenate([b.charge for b in batches]),
        np.concatenate([b.time for b in batches]),
        {n: np.concatenate([b.columns[n] for b in batches]) for n in names},
        meta,
    )


def joined_meta(metas: Sequence[EventMeta]) -> EventMeta:
    """Return what holds for events of several batches or files together.

    Parameters
    ----------
    metas : sequence of EventMeta
        At least one.

    Returns
    -------
    EventMeta
        That of the first with the source files of all; the particle is ``"mixed"`` and the readout None where they
        differ, and of what was generated only what is the same for all stays.

    Raises
    ------
    InputError
        There are none, or cameras, telescopes, their positions, or real and simulated events are mixed.
    """
    if not metas:
        raise InputError("no events to join")
    first = metas[0]
    for other in metas[1:]:
        same = (
            other.camera.fingerprint == first.camera.fingerprint
            and other.telescopes == first.telescopes
            and other.array == first.array
            and other.is_simulation == first.is_simulation
        )
        if not same:
            raise InputError(
                f"cannot join events of {first.camera.name} {first.telescopes} (simulated: {first.is_simulation}) "
                f"with {other.camera.name} {other.telescopes} (simulated: {other.is_simulation})"
            )
    return replace(
        first,
        particle=first.particle if len({m.particle for m in metas}) == 1 else "mixed",
        sampling_gsps=first.sampling_gsps if len({m.sampling_gsps for m in metas}) == 1 else None,
        sampling_assumed=any(m.sampling_assumed for m in metas),
        window_ns=first.window_ns if len({m.window_ns for m in metas}) == 1 else None,
        generated={k: v for k, v in first.generated.items() if all(m.generated.get(k) == v for m in metas)},
        source_files=tuple(dict.fromkeys(f for m in metas for f in m.source_files)),
    )
