"""What is in a file, in words: MARS and CORSIKA files, event sets, and the tables of this package."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import SCHEMA, EventMeta
from magicnn.hdf5 import HDF5_ERRORS, one_line
from magicnn.io.base import StoredEvents
from magicnn.io.eventset.layout import FORMAT as EVENTSET_FORMAT
from magicnn.io.eventset.layout import meta_from_json, open_hdf5
from magicnn.io.formats import all_formats, open_events, recognise
from magicnn.io.known import is_ctapipe
from magicnn.io.root.files import check_regular_file
from magicnn.summary import (
    RANGE_COLUMNS,
    Lines,
    counted,
    event_lines,
    range_lines,
    some_names,
    span,
    thrown_lines,
    written_lines,
)

__all__ = ["as_text", "describe"]

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def describe(path: str | Path, *, camera: str | None = None) -> str:
    """Describe one file.

    Parameters
    ----------
    path : path
        A MARS file of any level, photon bunches of CORSIKA (IACT), a ctapipe HDF5 file, a sim_telarray file, an event
        set, or another HDF5 file of this package.
    camera : str, optional
        Of files with telescopes of several cameras: describe the events of this one.

    Returns
    -------
    str
        Several lines: kind, events, telescopes, run, date, pointing, particle, what was thrown, columns with units.

    Raises
    ------
    InputError
        The file is missing, damaged, or none of these.
    ConfigError
        There is no such camera, or the format knows one camera only.
    MissingDependencyError
        A file of CORSIKA, and ``eventio`` is not installed.
    """
    from magicnn.io.ctapipe.source import EVENTIO_MAGICS

    path = Path(path)
    head = check_regular_file(path)
    if camera is not None:
        with _without_counts():
            return as_text(path, _reader_lines(_kind_of(path), [open_events(path, camera=camera)]))
    entry = next((entry for entry in all_formats().values() if entry.recognises(path, head)), None)
    if head.startswith(b"root"):
        lines = _mars_lines(path)
    elif is_ctapipe(path, head):
        lines = _ctapipe_lines(path)
    elif entry is not None and entry.kind == "eventsource":
        lines = _event_source_lines(path)
    elif entry is not None and entry.kind != "eventset":
        lines = _reader_lines(_kind_of(path), [entry.open([path])])
    elif head.startswith(_HDF5_MAGIC):
        lines = _hdf5_lines(path)
    elif path.suffix == ".partial":
        raise InputError(f"{path}: unfinished work; the command that began it continues when it is given again")
    elif head.startswith(EVENTIO_MAGICS):
        lines = _corsika_lines(path)
    else:
        raise InputError(
            f"{path}: none of ROOT, HDF5, CORSIKA, sim_telarray or a model of magicnn, nothing known about it"
        )
    return as_text(path, lines)


def as_text(path: Path, lines: Lines) -> str:
    """Return the name of a file and what is known about it, one aligned line for each key that has a value."""
    told = [(key, value) for key, value in lines if value]
    width = max(len(key) for key, _ in told)
    return "\n".join([str(path), *(f"  {key:<{width}}  {value}".rstrip() for key, value in told)])


def _friend_lines(path: Path) -> Lines:
    """What `magicnn.io.mars.friend` wrote; nothing for other ROOT files."""
    from magicnn.io.mars.friend import TREE
    from magicnn.io.root.files import open_root

    with open_root(path) as file:
        if file.tree_names != [TREE]:
            return []
        tree = file.tree(TREE)
        title = str(file.directory[TREE].title)
        return [
            ("kind", f"{title}, a tree that joins a melibea file"),
            ("rows", str(tree.n_entries)),
            ("branches", ", ".join(tree.branches)),
        ]


def _mars_lines(path: Path) -> Lines:
    from magicnn.io.mars.files import read_mars_file
    from magicnn.io.mars.names import LEVELS
    from magicnn.io.mars.parameters import read_mars_predictions
    from magicnn.io.mars.reader import usual_sampling

    if friend := _friend_lines(path):
        return friend
    parts = read_mars_file(path)
    file = parts[0]
    sampling = usual_sampling(file)
    assumed = " (assumed from the date)" if sampling.origin == "date" else ""
    dropped = ", ".join(f"{count} {reason}" for reason, count in file.counts.items() if count and reason != "read")
    subrun = "" if file.subrun is None else f", sub-run {file.subrun}"
    runs = list(dict.fromkeys(part.run_id for part in parts))
    n_events = sum(part.counts["read"] for part in parts if part.telescope == file.telescope)
    events = f"{n_events}"
    if len(parts) == 1:
        events += f", of them {len(file.rows)} stereo triggers{dropped and f' ({dropped})'}"
    columns = {
        name: np.concatenate([part.columns[name] for part in parts])
        for name in file.columns
        if all(name in part.columns for part in parts)
    }
    lines = [
        ("kind", f"MARS {LEVELS[file.level]} file, {'simulation' if file.is_simulation else 'data'}"),
        ("telescope", ", ".join(dict.fromkeys(f"M{part.telescope}" for part in parts))),
        ("run", f"{file.run_id}{subrun}" if len(runs) == 1 else f"{len(runs)}, from {min(runs)} to {max(runs)}"),
        ("source", file.source),
        ("events", events),
        ("trigger", file.trigger.mode),
        ("trigger table", file.trigger.table),
        ("images", "" if file.images else "none: image parameters only"),
    ]
    if file.images:
        lines.append(("readout", f"{sampling.n_slices} samples at {sampling.gsps} GS/s{assumed}"))
    lines += range_lines(columns)
    if file.is_simulation:
        particles = np.unique(columns["true_particle"])
        lines.append(("particle", ", ".join(f"PDG {code}" for code in particles)))
    lines += thrown_lines(file.generated or {})
    if file.level == "Q" and len(parts) > 1:
        table = read_mars_predictions([path])
        lines.append(
            ("estimates", f"energies {span(table['reco_energy_gev'])} GeV, {table['is_valid'].sum()} events valid")
        )
    is_mars = "0.0.0" not in file.software
    lines.append(("written", file.software if is_mars else "not by MARS: version 0, as of magicnn export"))
    return [(key, value) for key, value in lines if value]


def _ctapipe_lines(path: Path) -> Lines:
    from magicnn.io.ctapipe.summary import summarise

    found = summarise(path)
    runs = np.unique(found.columns["run_id"])
    cameras = (f"{name}: {n} telescopes, {images} with images" for name, (n, images) in found.cameras.items())
    return [
        ("kind", f"ctapipe HDF5, data model {found.version}, {'simulation' if found.particle else 'data'}"),
        ("events", str(found.n_events)),
        ("particle", found.particle),
        ("cameras", "; ".join(cameras)),
        ("predictions", ", ".join(found.methods)),
        ("runs", _runs(runs)),
        *range_lines(found.columns),
        *thrown_lines(found.generated),
        ("written", f"by {found.software}" if found.software else ""),
    ]


def _kind_of(path: Path) -> str:
    """The format of a file in words, without an article."""
    from magicnn.io.ctapipe.source import is_sim_telarray

    if is_sim_telarray(path, check_regular_file(path)):
        return "sim_telarray file"
    return recognise(path).description.split(" ", 1)[1]


def _event_source_lines(path: Path) -> Lines:
    """Of a file that ctapipe's event sources read, all hexagonal cameras."""
    from magicnn.io.ctapipe.eventsource import open_event_sources
    from magicnn.io.ctapipe.source import hexagonal_cameras

    readers, problems = [], []
    with _without_counts():
        for name in hexagonal_cameras(path) or (None,):  # without any, opening says so
            try:
                readers.append(open_event_sources([path], camera=name))
            except InputError as error:
                problems.append(error)
        if not readers:
            raise problems[0]
        return _reader_lines(_kind_of(path), readers)


@contextmanager
def _without_counts() -> Iterator[None]:
    """Keep readers from logging their cut flow, which is a line of the description."""
    logger = logging.getLogger("magicnn.io")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _reader_lines(kind: str, readers: Sequence[StoredEvents]) -> Lines:
    """What readers know of a file: one, or one for each of its cameras."""
    meta = readers[0].meta
    every = [_columns_of(reader) for reader in readers]
    columns = {name: np.concatenate([one[name] for one in every]) for name in every[0]}
    lines = [
        ("kind", f"{kind}, {'simulation' if meta.is_simulation else 'data'}"),
        ("format", str(meta.provenance.get("format", ""))),
    ]
    if len(readers) == 1:
        lines += [("events", str(len(readers[0]))), *event_lines(meta)]
    else:
        lines += [(key, value) for key, value in event_lines(meta) if key in ("particle", "production", "source")]
        told = [
            f"{r.meta.camera.name}: {counted(len(r), 'event')}, {counted(len(r.meta.telescopes), 'telescope')}, "
            f"{r.meta.camera.n_pixels} pixels"
            for r in readers
        ]
        hint = f"more about one with --camera {meta.camera.name}"
        lines += [("cameras" if not i else "", text) for i, text in enumerate([*told, hint])]
    lines += range_lines(columns)
    lines += thrown_lines(meta.generated)
    if len(readers) == 1:
        cuts = meta.provenance.get("cut_flow", {})
        lines.append(("cut flow", ", ".join(f"{name} {count}" for name, count in cuts.items() if count)))
    return [(key, value) for key, value in lines if value]


def _columns_of(reader: StoredEvents) -> dict[str, NDArray[Any]]:
    """Columns of `RANGE_COLUMNS` of all events, without their images where that is possible."""
    from magicnn.io.ctapipe.eventsource import EventSourceReader

    if isinstance(reader, EventSourceReader):
        return {name: values for name, values in reader.columns.items() if name in RANGE_COLUMNS}
    batches = [{n: b.columns[n] for n in RANGE_COLUMNS if n in b.columns} for b in reader.batches()]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _corsika_lines(path: Path) -> Lines:
    from magicnn.io.corsika import CorsikaFile, particle_name

    primaries: dict[str, int] = {}
    energies: list[float] = []
    n_uses = n_bunches = 0
    n_photons = 0.0
    with CorsikaFile(path) as file:
        run, last = file.run, None
        for shower in file.showers():
            name = particle_name(shower.particle_id)
            primaries[name] = primaries.get(name, 0) + 1
            energies.append(shower.energy_gev)
            n_uses += len(shower.uses)
            for light in (bunches for use in shower.uses for bunches in use.values()):
                n_bunches += len(light.photons)
                n_photons += float(light.photons.sum())
            last = shower
    lines = [
        ("kind", f"photon bunches of CORSIKA {run.version:g} (IACT)"),
        ("run", str(run.run_number)),
        ("primary", ", ".join(primaries)),
        ("thrown", f"E^{0.0 - run.spectral_index:g}, {span((run.energy_min_gev, run.energy_max_gev))} GeV"),
        ("showers", f"{len(energies)}, uses of them {n_uses}"),
        ("telescopes", f"{len(run.radius_m)}, radius of their spheres {span(run.radius_m)} m"),
        ("bunches", f"{n_bunches}, {n_photons:.6g} photons"),
        ("observation level", f"{run.observation_level_m:g} m"),
        ("applied", ", ".join(run.applied.names)),
    ]
    if last is not None:
        lines[4:4] = [("true energy", f"{span(energies)} GeV")]
        lines[-1:-1] = [
            ("bunch size", f"{last.bunch_size:g} photons at most, {span(last.band_nm)} nm"),
            ("zenith", f"{span(last.theta_range_deg)} deg"),
            ("azimuth", f"{span(last.phi_range_deg)} deg, of flight, from magnetic north"),
            ("view cone", f"{span(last.viewcone_deg)} deg"),
            ("atmosphere", str(last.atmosphere)),
            ("field", f"{last.field_north_ut:g} uT north, {last.field_down_ut:g} uT down"),
        ]
    return lines


def _hdf5_lines(path: Path) -> Lines:
    try:
        with open_hdf5(path) as file:
            kind = str(file.attrs.get("format", ""))
            if not kind.startswith("magicnn "):
                raise InputError(f"{path}: an HDF5 file, but neither of magicnn nor of ctapipe")
            if kind != EVENTSET_FORMAT:
                return _table_lines(file, kind)
    except HDF5_ERRORS as error:
        raise InputError(f"{path}: damaged file ({one_line(error)})") from error
    return _eventset_lines(path)


def _eventset_lines(path: Path) -> Lines:
    from magicnn.io.eventset.reader import EventSet

    with EventSet(path) as events:
        columns = events.columns()
        meta: EventMeta = events.meta
    runs = np.unique(columns["run_id"])
    lines = [
        ("kind", "event set, " + ("simulation" if meta.is_simulation else "data")),
        ("events", str(len(columns["run_id"]))),
        *event_lines(meta),
        ("runs", _runs(runs)),
    ]
    lines += range_lines(columns)
    lines += thrown_lines(meta.generated)
    lines.append(("source files", some_names(meta.source_files)))
    lines += written_lines(meta.provenance)
    lines += _columns({name: (SCHEMA[name].unit, SCHEMA[name].description) for name in columns})
    return [(key, value) for key, value in lines if value]


def _table_lines(file: Any, kind: str) -> Lines:
    """Any other HDF5 file of the package: attributes, and one dataset per column with unit and description."""
    attributes = {name: file.attrs[name] for name in file.attrs if name not in ("format", "version", "crc32")}
    lines = [("kind", f"{kind.removeprefix('magicnn ')}, format {file.attrs.get('version', '?')}")]
    columns: dict[str, tuple[str, str]] = {}
    rows: list[int] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and "unit" in item.attrs and item.shape:
            columns[name.split("/")[-1]] = (str(item.attrs["unit"]), str(item.attrs.get("description", "")))
            rows.append(int(item.shape[0]))

    file.visititems(visit)
    if rows:
        lines.append(("rows", str(max(rows))))
    plain = {name: value for name, value in attributes.items() if not _is_json(value)}
    lines += [(name, str(value)) for name, value in sorted(plain.items()) if np.ndim(value) == 0]
    lines += thrown_lines(json.loads(attributes.get("generated", "{}")))
    record = json.loads(file["record"][()]) if "record" in file else {}
    if "meta" in record:
        meta = meta_from_json(record["meta"])
        lines += [*event_lines(meta), *thrown_lines(meta.generated), ("source files", some_names(meta.source_files))]
    lines += written_lines(record.get("provenance") or json.loads(attributes.get("provenance", "{}")))
    lines += _columns(columns)
    return [(key, value) for key, value in lines if value]


def _is_json(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("{", "["))


def _runs(runs: NDArray[Any]) -> str:
    """Different runs, ascending; digit by digit, as run numbers are no measured values."""
    if len(runs) < 2:
        return "".join(str(run) for run in runs)
    return f"{len(runs)}, from {runs[0]} to {runs[-1]}"


def _columns(words: Mapping[str, tuple[str, str]]) -> Lines:
    return [
        ("columns" if not i else "", f"{name}{unit and f' [{unit}]'}: {text}")
        for i, (name, (unit, text)) in enumerate(words.items())
    ]
