"""Reader of whatever ctapipe reads, sim_telarray files above all: any number of telescopes of one camera type.

Such files can only be gone through from their beginning. Opening one does so once, without images, to know the events;
reading consecutive events goes through it once more, and going back starts again.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import impact_m
from magicnn.errors import ConfigError, InputError, nearest_names, optional_import
from magicnn.events import EventBatch, EventMeta
from magicnn.io.base import DecodedEvents
from magicnn.io.compressed import require_checksum
from magicnn.io.ctapipe.instrument import Instrument
from magicnn.io.ctapipe.source import Calibration, event_columns, events_of, instrument_in, open_source
from magicnn.io.ctapipe.truth import RUN_UNITS, generated_by_run, pdg_numbers
from magicnn.io.mars.truth import merge_generated, particle_name, shower_ids
from magicnn.io.sanity import blank_impossible_pixels, possible_events, without_impossible_values
from magicnn.runs import progress, provenance

__all__ = ["EventSourceReader", "open_event_sources"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]

_EXTRACTOR = "NeighborPeakWindowSum"


@dataclass(frozen=True, slots=True)
class _Index:
    """What one pass through a file tells: columns [N] of its events and their places in the file, without images."""

    path: Path
    instrument: Instrument
    readout: tuple[float, int]
    rows: Ints
    columns: Mapping[str, NDArray[Any]]
    counts: Mapping[str, int]
    runs: Mapping[int, Mapping[str, float]]  # what each was simulated with, in RUN_UNITS


class EventSourceReader(DecodedEvents):
    """Events of files that ctapipe reads; built by `open_event_sources`.

    Attributes
    ----------
    counts : mapping of str to int
        Cut flow: events read, dropped for which reason.

    Notes
    -----
    Ranges that follow each other go through the file once; one that lies before the last starts at its beginning again.
    """

    _block = 1  # no more than is asked for: images of arrays are large

    def __init__(
        self,
        *,
        meta: EventMeta,
        counts: Mapping[str, int],
        columns: Mapping[str, NDArray[Any]],
        files: Sequence[_Index],
        file_of: Ints,
        row_of: Ints,
        extractor: str,
    ) -> None:
        super().__init__(meta, len(file_of))
        self.counts = dict(counts)
        self._columns = columns
        self._files = files
        self._file_of = file_of
        self._row_of = row_of
        self._extractor = extractor
        self._stream: _Stream | None = None

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        """Columns of all events, [N] or [N, T], without going through the files."""
        return self._columns

    def _decode(self, first: int, last: int) -> EventBatch:
        shape = (last - first, len(self._meta.telescopes), self._meta.camera.n_pixels)
        charge = np.full(shape, np.nan, dtype=np.float32)
        time = np.full_like(charge, np.nan)
        file_of, row_of = self._file_of[first:last], self._row_of[first:last]
        for index in np.unique(file_of):
            places = {int(row_of[place]): int(place) for place in np.flatnonzero(file_of == index)}
            stream = self._at(int(index), min(places))
            for row, place in sorted(places.items()):
                event_id = int(self._columns["event_id"][first + place])
                charge[place], time[place] = stream.images(row, event_id)
            blank_impossible_pixels(charge, time, where=str(self._files[index].path))
        columns = {name: values[first:last] for name, values in self._columns.items()}
        return EventBatch(charge, time, columns, self._meta)

    def close(self) -> None:
        """Close the file that was read last; reading opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _at(self, index: int, row: int) -> _Stream:
        """Return the stream of a file, not yet beyond a row."""
        if self._stream is None or self._stream.index != index or self._stream.next_row > row:
            self.close()
            self._stream = _Stream(index, self._files[index], self._extractor)
        return self._stream


class _Stream:
    """One file, being gone through."""

    def __init__(self, index: int, file: _Index, extractor: str) -> None:
        self.index = index
        self.next_row = 0
        self._file = file
        source = open_source(file.path, file.instrument.tel_ids)
        self._close = weakref.finalize(self, source.close)
        self._events = events_of(source, file.path)
        self._calibration = Calibration(source, file.instrument, extractor=extractor, path=file.path)

    def images(self, row: int, event_id: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Go forward to a row and make its images, [T, P] each."""
        for event in self._events:
            self.next_row += 1
            if self.next_row > row:
                if int(event.index.event_id) != event_id:
                    break
                return self._calibration.images(event)
        raise InputError(f"{self._file.path}: event {event_id} is not where it was; has the file changed?")

    def close(self) -> None:
        """Close the file."""
        self._close()


def open_event_sources(
    paths: Sequence[Path],
    *,
    camera: str | None = None,
    telescopes: Sequence[str] | None = None,
    extractor: str = _EXTRACTOR,
) -> EventSourceReader:
    """Open files that ctapipe reads, and go through each once to know its events.

    Parameters
    ----------
    paths : sequence of Path
        Files of one array, in any order.
    camera : str, optional
        Name of the camera whose telescopes are read; may be left out when there is only one hexagonal camera.
    telescopes : sequence of str, optional
        Names of the telescopes to read, all with that camera when not given.
    extractor : str
        ctapipe's image extractor, for files with waveforms.

    Returns
    -------
    EventSourceReader

    Raises
    ------
    InputError
        A file cannot be used, files do not belong together, an event is there twice, or no event remains.
    ConfigError
        No such camera, telescope or extractor, or a camera has to be chosen.
    """
    _check_extractor(extractor)
    files = [_index(path, camera=camera, telescopes=telescopes) for path in paths]
    for other in files[1:]:
        _check_same(files[0], other)
    counts = {name: sum(f.counts[name] for f in files) for name in files[0].counts}
    used = [f for f in files if len(f.rows)]
    if not used:
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise InputError(f"{paths[0]}: no event with an image of {', '.join(files[0].instrument.telescopes)} ({told})")
    for other in used[1:]:
        if other.columns.keys() != used[0].columns.keys():
            raise InputError(f"{used[0].path} and {other.path}: one is a simulation, one is data: read them separately")
    columns = {name: np.concatenate([f.columns[name] for f in used]) for name in used[0].columns}
    order = np.lexsort((columns["event_id"], columns["run_id"]))
    columns = {name: values[order] for name, values in columns.items()}
    file_of = np.repeat(np.arange(len(files)), [len(f.rows) for f in files])
    file_of = file_of[order]
    _refuse_twice(columns, [files[i].path for i in file_of])
    if "true_energy_gev" in columns:
        columns["shower_id"], columns["reuse_id"] = _showers(columns)
    _log.info("%s", ", ".join(f"{name} {count}" for name, count in counts.items() if count))
    return EventSourceReader(
        meta=_meta(files, columns, counts, extractor),
        counts=counts,
        columns=columns,
        files=files,
        file_of=file_of,
        row_of=np.concatenate([f.rows for f in files])[order],
        extractor=extractor,
    )


def _check_extractor(name: str) -> None:
    known = optional_import("ctapipe.image", purpose="read these files").ImageExtractor.non_abstract_subclasses()
    if name not in known:
        raise ConfigError(f"unknown image extractor {name!r}: {nearest_names(name, known)}")


def _index(path: Path, *, camera: str | None, telescopes: Sequence[str] | None) -> _Index:
    """Go through a file without making images."""
    from ctapipe.containers import EventType

    require_checksum(path)
    instrument = instrument_in(path, camera=camera, telescopes=telescopes)
    counts = {"read": 0, "calibration": 0, "without image": 0, "events": 0}
    rows: list[int] = []
    found: list[dict[str, Any]] = []
    with open_source(path, instrument.tel_ids, is_index=True) as source:
        is_simulation = bool(source.is_simulation)
        Calibration(source, instrument, extractor=_EXTRACTOR, path=path)  # are there images at all?
        for event in progress(events_of(source, path), description=f"events of {path.name}", unit="event"):
            counts["read"] += 1
            has_image = any(t in level.tel for t in instrument.tel_ids for level in (event.r1, event.dl0, event.dl1))
            if event.trigger.event_type.value < EventType.MUON.value:
                counts["calibration"] += 1
            elif not has_image or (is_simulation and event.simulation.shower is None):
                counts["without image"] += 1
            else:
                rows.append(counts["read"] - 1)
                found.append(event_columns(event, instrument, path))
        readout = source.subarray.tel[instrument.tel_ids[0]].camera.readout
        configs = dict(source.simulation_config or {})
        columns = {name: np.array([values[name] for values in found]) for name in (found[0] if found else ())}
        if "shower_primary_id" in columns:
            columns |= _truth(columns, instrument, path)
            del columns["shower_primary_id"]
        columns = without_impossible_values(columns, where=str(path))
        possible = possible_events(columns, where=str(path))
        counts["impossible values"] = int((~possible).sum())
        counts["events"] = len(rows) - counts["impossible values"]
        return _Index(
            path=path,
            instrument=instrument,
            readout=(float(readout.sampling_rate.to_value("GHz")), int(readout.n_samples)),
            rows=np.array(rows, dtype=np.int64)[possible],
            columns={name: values[possible] for name, values in columns.items()},
            counts=counts,
            runs={int(obs_id): _plain(config) for obs_id, config in configs.items()},
        )


def _truth(columns: Mapping[str, NDArray[Any]], instrument: Instrument, path: Path) -> dict[str, NDArray[Any]]:
    core = (columns["true_core_x_m"], columns["true_core_y_m"])
    direction = (columns["true_zenith_deg"], columns["true_azimuth_deg"])
    return {
        "true_particle": pdg_numbers(columns["shower_primary_id"], where=str(path)),
        "true_impact_m": impact_m(*core, *direction, instrument.array.positions_m),
    }


def _plain(config: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of a simulation configuration that matter here."""
    return {name: float(config[name].to_value(unit) if unit else config[name]) for name, unit in RUN_UNITS.items()}


def _generated(files: Sequence[_Index], columns: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Add up what all runs threw; a run without events is told by the others' particles and pointing."""
    parts = []
    for f in files:
        for run_id, run in f.runs.items():
            if run["n_showers"] == 0:
                continue  # its showers are counted with another block
            of_run = columns["run_id"] == run_id
            which = of_run if of_run.any() else np.ones_like(of_run)
            truth = {name: columns[name][which] for name in ("true_particle", "true_zenith_deg", "true_azimuth_deg")}
            pointing = (columns["pointing_zenith_deg"][which], columns["pointing_azimuth_deg"][which])
            parts.append((f.path, generated_by_run(run, truth, pointing, where=str(f.path))))
    return merge_generated(parts)


def _showers(columns: Mapping[str, NDArray[Any]]) -> tuple[Ints, NDArray[np.int32]]:
    """Number the showers: uses of one have bit-equal energies and first interactions, as no two showers have."""
    shower = np.stack([columns["true_energy_gev"], columns["true_first_interaction_m"]], axis=1)
    _, number = np.unique(shower, axis=0, return_inverse=True)
    return shower_ids(columns["run_id"], number.ravel().astype(np.float64))


def _refuse_twice(columns: Mapping[str, NDArray[Any]], paths: Sequence[Path]) -> None:
    keys = np.stack([columns["run_id"], columns["event_id"]], axis=1)
    again = np.flatnonzero((np.diff(keys, axis=0) == 0).all(axis=1))
    if len(again):
        run, event = keys[again[0]]
        raise InputError(
            f"event {event} of run {run} comes twice, in {paths[again[0]]} and in {paths[again[0] + 1]} "
            f"({len(again)} such)"
        )


def _check_same(first: _Index, other: _Index) -> None:
    """Refuse files of different telescopes."""
    ours, theirs = first.instrument, other.instrument
    if (
        ours.camera.fingerprint != theirs.camera.fingerprint
        or ours.telescopes != theirs.telescopes
        or ours.array != theirs.array
        or first.readout != other.readout
    ):
        raise InputError(
            f"{first.path} and {other.path} are of different telescopes or readouts "
            f"({', '.join(ours.telescopes)} of {ours.subarray}, {', '.join(theirs.telescopes)} of {theirs.subarray}): "
            "read them separately"
        )


def _meta(
    files: Sequence[_Index], columns: Mapping[str, NDArray[Any]], counts: Mapping[str, int], extractor: str
) -> EventMeta:
    first = files[0]
    gsps, n_samples = first.readout
    is_simulation = "true_energy_gev" in columns
    generated = _generated(files, columns) if is_simulation else {}
    cone = generated.get("viewcone_max_deg", 0.0) - generated.get("viewcone_min_deg", 0.0)
    return EventMeta(
        particle=particle_name(columns["true_particle"], viewcone_deg=cone) if is_simulation else None,
        production=", ".join(dict.fromkeys(f.instrument.subarray for f in files)),
        is_simulation=is_simulation,
        telescopes=first.instrument.telescopes,
        camera=first.instrument.camera,
        array=first.instrument.array,
        sampling_gsps=gsps,
        window_ns=n_samples / gsps,
        source_files=tuple(str(f.path) for f in files),
        generated=generated,
        provenance={
            **provenance(),
            "format": "ctapipe event source",
            "extractor": extractor,
            "tel_ids": [int(tel_id) for tel_id in first.instrument.tel_ids],
            "cut_flow": dict(counts),
        },
    )
