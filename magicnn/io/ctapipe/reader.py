"""Reader of ctapipe's HDF5 files (data models 6 and 7) with DL1 images, any number of telescopes of one camera."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.io.base import DecodedEvents
from magicnn.io.ctapipe.events import IMAGES, CtapipeSource, read_source
from magicnn.io.ctapipe.tables import open_ctapipe
from magicnn.io.mars.truth import merge_generated, particle_name, shower_ids
from magicnn.io.sanity import blank_impossible_pixels, possible_events, without_impossible_values
from magicnn.runs import provenance

__all__ = ["CtapipeReader", "open_ctapipe_events"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]


class CtapipeReader(DecodedEvents):
    """Events of ctapipe HDF5 files; built by `open_ctapipe_events`.

    Attributes
    ----------
    counts : mapping of str to int
        Cut flow: triggers, dropped for which reason.
    """

    def __init__(
        self,
        *,
        meta: EventMeta,
        counts: Mapping[str, int],
        columns: Mapping[str, NDArray[Any]],
        sources: Sequence[CtapipeSource],
        source_of: Ints,
        image_rows: Ints,
    ) -> None:
        super().__init__(meta, len(source_of))
        self.counts = dict(counts)
        self._columns = columns
        self._sources = sources
        self._source_of = source_of  # [N] index into sources
        self._image_rows = image_rows  # [N, T] row in that file's table of images, -1 for a missing telescope

    def _decode(self, start: int, stop: int) -> EventBatch:
        shape = (stop - start, len(self._meta.telescopes), self._meta.camera.n_pixels)
        charge = np.full(shape, np.nan, dtype=np.float32)
        time = np.full_like(charge, np.nan)
        source_of, image_rows = self._source_of[start:stop], self._image_rows[start:stop]
        for index in np.unique(source_of):
            source = self._sources[index]
            with open_ctapipe(source.path) as file:
                for telescope, tel_id in enumerate(source.instrument.tel_ids):
                    which = np.flatnonzero((source_of == index) & (image_rows[:, telescope] >= 0))
                    if not len(which):
                        continue
                    table = file.table(f"{IMAGES}/tel_{tel_id:03d}")
                    optional = [name for name in ("peak_time", "is_valid") if name in table]
                    image, *others = table.rows(["image", *optional], image_rows[which, telescope])
                    more = dict(zip(optional, others, strict=True))
                    _check_shape(image, shape[2], f"{source.path}: table {table.name}")
                    is_bad = ~np.isfinite(image)
                    if "is_valid" in more:
                        is_bad |= ~more["is_valid"].astype(np.bool_)[:, None]
                    charge[which, telescope] = np.where(is_bad, np.nan, image)
                    if "peak_time" in more:
                        peak = more["peak_time"]
                        time[which, telescope] = np.where(is_bad | ~np.isfinite(peak), np.nan, peak)
        blank_impossible_pixels(charge, time, where=_some([s.path for s in self._sources]))
        columns = {name: values[start:stop] for name, values in self._columns.items()}
        return EventBatch(charge, time, columns, self._meta)


def _check_shape(image: NDArray[Any], n_pixels: int, where: str) -> None:
    if image.shape[1:] != (n_pixels,):
        raise InputError(f"{where}: images of shape {image.shape[1:]}, the camera has {n_pixels} pixels")


def open_ctapipe_events(
    paths: Sequence[Path], *, camera: str | None = None, telescopes: Sequence[str] | None = None
) -> CtapipeReader:
    """Open ctapipe files with DL1 images.

    Parameters
    ----------
    paths : sequence of Path
        Files of one array, in any order.
    camera : str, optional
        Name of the camera whose telescopes are read; may be left out when there is only one.
    telescopes : sequence of str, optional
        Names of the telescopes to read, all with that camera when not given.

    Returns
    -------
    CtapipeReader

    Raises
    ------
    InputError
        A file cannot be used, files do not belong together, an event is there twice, or no event remains.
    ConfigError
        No such camera or telescope, or a camera has to be chosen.
    """
    sources = [read_source(path, camera=camera, telescopes=telescopes) for path in paths]
    for other in sources[1:]:
        _check_same(sources[0], other)
    keys = np.concatenate([s.keys for s in sources])
    source_of = np.repeat(np.arange(len(sources)), [len(s.keys) for s in sources])
    counts: dict[str, int] = {}
    for source in sources:
        counts = {name: counts.get(name, 0) + count for name, count in source.counts.items()}
    counts["events"] = len(keys)
    if not len(keys):
        reasons = ", ".join(f"{count} {name}" for name, count in counts.items())
        wanted = ", ".join(sources[0].instrument.telescopes)
        raise InputError(f"{paths[0]}: no event with an image of {wanted} ({reasons})")
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    keys, source_of = keys[order], source_of[order]
    again = np.flatnonzero((np.diff(keys, axis=0) == 0).all(axis=1))
    if len(again):
        files = [sources[i].path for i in source_of[again[0] : again[0] + 2]]
        raise InputError(
            f"event {keys[again[0], 1]} of run {keys[again[0], 0]} is in {files[0]} and in {files[1]} "
            f"({len(again)} such); give one of them"
        )
    names = [name for name in sources[0].columns if all(name in s.columns for s in sources)]
    columns = {name: np.concatenate([s.columns[name] for s in sources])[order] for name in names}
    columns = without_impossible_values(columns, where=_some(paths))
    possible = possible_events(columns, where=_some(paths))
    counts["impossible values"] = int((~possible).sum())
    counts["events"] -= counts["impossible values"]
    if not counts["events"]:
        raise InputError(f"{_some(paths)}: none of {len(possible)} events has possible values; the file is damaged")
    columns = {name: values[possible] for name, values in columns.items()}
    order, source_of = order[possible], source_of[possible]
    if "true_energy_gev" in columns:
        columns["shower_id"], columns["reuse_id"] = shower_ids(columns["run_id"], columns["true_energy_gev"])
    _log.info("%s", ", ".join(f"{name} {count}" for name, count in counts.items() if count))
    return CtapipeReader(
        meta=_meta(sources, columns, counts),
        counts=counts,
        columns=columns,
        sources=sources,
        source_of=source_of,
        image_rows=np.concatenate([s.image_rows for s in sources])[order],
    )


def _some(paths: Sequence[Path]) -> str:
    return f"{paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def _check_same(first: CtapipeSource, other: CtapipeSource) -> None:
    """Refuse files of different arrays, and data mixed with simulations."""
    ours, theirs = first.instrument, other.instrument
    if ("true_energy_gev" in first.columns) != ("true_energy_gev" in other.columns):
        raise InputError(f"{first.path} and {other.path}: one is a simulation, one is data: read them separately")
    if (
        ours.camera.fingerprint != theirs.camera.fingerprint
        or ours.tel_ids != theirs.tel_ids
        or ours.telescopes != theirs.telescopes
        or ours.array != theirs.array
    ):
        raise InputError(
            f"{first.path} and {other.path} are of different telescopes ({', '.join(ours.telescopes)} of "
            f"{first.subarray}, {', '.join(theirs.telescopes)} of {other.subarray}): read them separately"
        )
    if first.readout != other.readout:
        raise InputError(
            f"{first.path} and {other.path} were read out differently ({_samples(first)}, {_samples(other)}): "
            "read them separately"
        )


def _samples(source: CtapipeSource) -> str:
    gsps, n_samples = source.readout
    return f"{n_samples} samples at {gsps:g} GS/s"


def _meta(
    sources: Sequence[CtapipeSource], columns: Mapping[str, NDArray[Any]], counts: Mapping[str, int]
) -> EventMeta:
    first = sources[0]
    gsps, n_samples = first.readout
    is_simulation = "true_energy_gev" in columns
    generated: dict[str, Any] = {}
    particle = None
    if is_simulation:
        generated = merge_generated([(s.path, part) for s in sources for _, part in s.generated])
        cone = generated.get("viewcone_max_deg", 0.0) - generated.get("viewcone_min_deg", 0.0)
        particle = particle_name(columns["true_particle"], viewcone_deg=cone)
    return EventMeta(
        particle=particle,
        production=", ".join(dict.fromkeys(s.subarray for s in sources)),
        is_simulation=is_simulation,
        telescopes=first.instrument.telescopes,
        camera=first.instrument.camera,
        array=first.instrument.array,
        sampling_gsps=gsps or None,
        window_ns=n_samples / gsps if gsps else None,
        source_files=tuple(str(s.path) for s in sources),
        generated=generated,
        provenance={
            **provenance(),
            "format": f"ctapipe HDF5, data model {first.version}",
            "tel_ids": [int(tel_id) for tel_id in first.instrument.tel_ids],
            "cut_flow": dict(counts),
        },
    )
