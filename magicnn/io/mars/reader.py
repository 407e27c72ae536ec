"""Reader of MARS calibrated files (``_Y_``): real data and simulations of both telescopes, joined to stereo events."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import ConfigError, InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.io.base import DecodedEvents
from magicnn.io.mars.files import MarsFile, read_mars_file
from magicnn.io.mars.images import CHARGE, ImageReader, Wanted
from magicnn.io.mars.names import LEVELS
from magicnn.io.mars.runs import check_together, events_meta, in_order, runs_without_partner
from magicnn.io.mars.stereo import TelescopeTable, joined_columns, pair_events

__all__ = ["MarsReader", "Sampling", "open_mars", "usual_sampling"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]

_DOWNSAMPLING_MJD = 56985  # 2014-11-24, first night of period ST.03.06


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling of the readout.

    Attributes
    ----------
    gsps : float
        Samples per nanosecond.
    n_slices : int
        Samples per pixel.
    origin : str
        How it is known: ``"run header"``, ``"option"``, or ``"date"`` when it is assumed.
    """

    gsps: float
    n_slices: int
    origin: str


_BEFORE_DOWNSAMPLING = Sampling(gsps=2.05, n_slices=80, origin="date")
_SINCE_DOWNSAMPLING = Sampling(gsps=1.64, n_slices=50, origin="date")


class MarsReader(DecodedEvents):
    """Stereo events of MARS calibrated files; built by `open_mars`.

    Attributes
    ----------
    counts : mapping of str to int
        Cut flow: events read per telescope, dropped for which reason, joined.
    """

    def __init__(
        self,
        *,
        meta: EventMeta,
        counts: Mapping[str, int],
        columns: Mapping[str, NDArray[Any]],
        sources: Sequence[MarsFile],
        source_of: Ints,
        row_of: Ints,
        sampling: Sampling,
        threads: int | None,
    ) -> None:
        super().__init__(meta, len(source_of))
        self.counts = dict(counts)
        self._columns = columns
        self._sources = sources
        self._source_of = source_of  # [N, T] index into sources, -1 for a missing telescope
        self._row_of = row_of  # [N, T] entry in that file's tree
        self._sampling = sampling
        self._images = ImageReader(threads)

    def _decode(self, start: int, stop: int) -> EventBatch:
        source_of, row_of = self._source_of[start:stop], self._row_of[start:stop]
        wanted = []
        for index in np.unique(source_of[source_of >= 0]):
            source = self._sources[index]
            places, telescope = np.nonzero(source_of == index)
            if source.images is not None:
                wanted.append(Wanted(source.images, source.is_bad, row_of[places, telescope], places))
        charge, time = self._images.read(wanted, stop - start, self._sampling.n_slices)
        time /= np.float32(self._sampling.gsps)
        columns = {name: values[start:stop] for name, values in self._columns.items()}
        return EventBatch(charge, time, columns, self._meta)


def open_mars(
    paths: Sequence[Path],
    *,
    sampling_gsps: float | None = None,
    require_stereo: bool = True,
    max_time_difference_us: float = 10.0,
    threads: int | None = None,
) -> MarsReader:
    """Open calibrated files of both telescopes and find their stereo events.

    Data keep the events whose prescaled trigger pattern is 128 (stereo trigger) in each telescope, so pedestals are
    gone before they could be joined; simulations keep those with a stereo number other than 0. Both are joined by run
    and stereo number; the trigger times of data, or the true energies of simulations, must agree as well.

    Parameters
    ----------
    paths : sequence of Path
        Files of M1 and M2, sub-runs and runs in any order.
    sampling_gsps : float, optional
        Sampling speed in GSamples/s, overriding what the files say or the date suggests.
    require_stereo : bool
        Refuse runs of which only one telescope is given. Otherwise they are read with the other telescope's images
        NaN, and all shower triggers are kept.
    max_time_difference_us : float
        Largest difference of the trigger times of a pair.
    threads : int, optional
        Parts of the files that are unpacked at the same time; as many as cores when not given.

    Returns
    -------
    MarsReader

    Raises
    ------
    InputError
        A file cannot be used, a partner is missing, runs or sampling speeds differ, or no event remains.
    ConfigError
        An option is out of range.
    """
    if sampling_gsps is not None and not 0.1 <= sampling_gsps <= 10.0:
        raise ConfigError(f"sampling speed {sampling_gsps} GS/s: a value between 0.1 and 10 is expected (2.05 or 1.64)")
    if not max_time_difference_us > 0.0:
        raise ConfigError(f"largest time difference {max_time_difference_us} us: a positive value is expected")
    if threads is not None and threads < 1:
        raise ConfigError(f"{threads} threads: at least 1 is expected")
    files = [part for path in paths for part in read_mars_file(path)]
    _require_images(files)
    check_together(files)
    mono_runs = runs_without_partner(files, require_stereo=require_stereo)
    files = [read_mars_file(f.path, keep_mono=True)[0] if f.run_id in mono_runs else f for f in files]
    files = in_order(files)
    sampling = _common_sampling(files, sampling_gsps)

    tables = [TelescopeTable.of(files, telescope) for telescope in (1, 2)]
    pairs, counts = pair_events(files, tables, round(max_time_difference_us * 1000.0), mono_runs)
    if pairs.shape[1] == 0:
        raise InputError(_nothing_left(files, counts))
    columns = joined_columns(tables, pairs)
    order = np.lexsort((columns["event_id"], columns["run_id"]))
    columns = {name: values[order] for name, values in columns.items()}
    pairs = pairs[:, order]
    _log.info("%s", ", ".join(f"{name} {count}" for name, count in counts.items() if count))
    return MarsReader(
        meta=events_meta(
            files,
            columns,
            counts,
            sampling_gsps=sampling.gsps,
            sampling_assumed=sampling.origin == "date",
            window_ns=sampling.n_slices / sampling.gsps,
            record={"sampling_from": sampling.origin},
        ),
        counts=counts,
        columns=columns,
        sources=[
            replace(f, columns={}, rows=f.rows[:0], number=f.number[:0]) for f in files
        ],  # joined they stand above
        source_of=np.stack([t.pick(t.source, rows) for t, rows in zip(tables, pairs, strict=True)], axis=1),
        row_of=np.stack([t.pick(t.row, rows) for t, rows in zip(tables, pairs, strict=True)], axis=1),
        sampling=sampling,
        threads=threads,
    )


def _require_images(files: Sequence[MarsFile]) -> None:
    """Refuse files of image parameters, saying what they are good for."""
    for f in files:
        if f.level == "Y" and f.images is None:
            raise InputError(f"{f.path}: branch {CHARGE!r} is missing in tree 'Events': it has no images")
        if f.images is None:
            is_melibea = f.level == "Q"
            what = "its predictions" if is_melibea else "its image parameters"
            raise InputError(
                f"{f.path}: a MARS {LEVELS[f.level]} file without pixels, which calibrated (_Y_) files have; "
                f"'magicnn convert' of such files alone writes {what} to --output NAME.h5"
                + (" (in Python: magicnn.load_predictions)" if is_melibea else "")
            )


def _common_sampling(files: Sequence[MarsFile], asked_gsps: float | None) -> Sampling:
    found = [usual_sampling(f) for f in files]
    stated = [(f, s) for f, s in zip(files, found, strict=True) if s.origin != "date"]
    candidates = stated or list(zip(files, found, strict=True))
    first, sampling = candidates[0]
    if asked_gsps is not None:
        return Sampling(asked_gsps, sampling.n_slices, origin="option")
    for f, other in candidates[1:]:
        if (other.gsps, other.n_slices) != (sampling.gsps, sampling.n_slices):
            raise InputError(
                f"different readouts: {first.path} has {sampling.n_slices} samples at {sampling.gsps} GS/s, "
                f"{f.path} has {other.n_slices} at {other.gsps} GS/s; read them separately"
            )
    if not stated:
        _log.warning(
            "the files do not state their sampling speed (no RunHeaders): %s GS/s and %d samples assumed%s",
            sampling.gsps,
            sampling.n_slices,
            " from the date" if first.first_mjd is not None else "",
        )
    return sampling


def usual_sampling(file: MarsFile) -> Sampling:
    """Return what the run header states, completed or replaced by what was usual at the date of the events.

    The readout took 80 samples at 2.05 GS/s after the upgrade of 2012 and 50 at 1.64 GS/s since November 2014;
    simulations without run headers are taken for later ones.
    """
    is_early = file.first_mjd is not None and file.first_mjd < _DOWNSAMPLING_MJD
    usual = _BEFORE_DOWNSAMPLING if is_early else _SINCE_DOWNSAMPLING
    if file.sampling_gsps is None:
        return Sampling(usual.gsps, file.n_slices or usual.n_slices, origin="date")
    return Sampling(file.sampling_gsps, file.n_slices or usual.n_slices, origin="run header")


def _nothing_left(files: Sequence[MarsFile], counts: Mapping[str, int]) -> str:
    """Say why no event remains."""
    for f in files:
        if not len(f.rows):
            reasons = ", ".join(f"{count} {reason}" for reason, count in f.counts.items() if count and reason != "read")
            return f"{f.path}: no stereo trigger among its {f.counts['read']} events ({reasons})"
    ranges = [
        f"M{f.telescope} has {len(f.rows)} stereo triggers, numbers {f.number.min()} to {f.number.max()}" for f in files
    ]
    disagree = next((count for name, count in counts.items() if name.startswith("same number")), 0)
    clocks = f"; {disagree} share a number but not the time" if disagree else ""
    return f"no event in both telescopes of run {files[0].run_id}: {'; '.join(ranges[:2])}{clocks}"
