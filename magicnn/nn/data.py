"""Training events: prepared once, resident or mapped from a scratch file, and batches that repeat exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from magicnn.errors import InputError
from magicnn.events import EventBatch, EventMeta, event_weight, joined_meta, require_columns
from magicnn.images.features import FeatureTable, require_same_events
from magicnn.nn.auxiliary import AuxiliaryLayout
from magicnn.nn.inputs import PreparedEvents, prepare_events
from magicnn.nn.settings import InputSettings, TrainingSettings
from magicnn.runs import content_hash, progress, seed_sequence
from magicnn.splits import split_by_shower
from magicnn.zenith import UNKNOWN_ZENITH, ZenithRange

__all__ = [
    "EventSource",
    "LabelledEvents",
    "Sample",
    "Source",
    "derived_seed",
    "epoch_batches",
    "load_labelled",
    "prepared_chunks",
    "split_sample",
]

_GAMMA = 22
_CHUNK = 2048


class EventSource(Protocol):
    """Anything that gives events in order: an event set, a reader."""

    @property
    def meta(self) -> EventMeta:
        """What all events share."""
        ...

    def __len__(self) -> int:
        """Return the number of events."""
        ...

    def batches(self, size: int) -> Iterator[EventBatch]:
        """Yield the events in order."""
        ...


@dataclass(frozen=True)
class Source:
    """Events with their feature table.

    Attributes
    ----------
    events : EventSource or EventBatch
        An event set, a reader, or events in memory.
    features : FeatureTable, optional
        Row by row the events.
    rows : bool array, [N], optional
        Which of the events take part; all when not given.
    weight : float64 array, [N], optional
        Weight of each event in the training; the column ``weight`` of the events when not given.
    """

    events: EventSource | EventBatch
    features: FeatureTable | None = None
    rows: NDArray[np.bool_] | None = None
    weight: NDArray[np.float64] | None = None

    @property
    def n_events(self) -> int:
        """Number of events that take part."""
        return len(self.events) if self.rows is None else int(np.count_nonzero(self.rows))


@dataclass(frozen=True)
class LabelledEvents:
    """Prepared events of all sources with their truth.

    Attributes
    ----------
    events : PreparedEvents
        N events, resident or mapped.
    is_gamma : float32 Tensor, [N]
        1 for gammas, 0 for everything else.
    log_energy : float32 Tensor, [N]
        log10(E / GeV), true.
    shower_id : int64 array, [N]
        Which shower an event comes from.
    weight : float64 array, [N]
        Thrown events that each event stands for.
    meta : EventMeta
        What all events share.
    zenith : ZenithRange
        Where they were pointed at.
    is_mapped : bool
        Whether the events lie in a scratch file.
    """

    events: PreparedEvents
    is_gamma: Tensor
    log_energy: Tensor
    shower_id: NDArray[np.int64]
    weight: NDArray[np.float64]
    meta: EventMeta
    zenith: ZenithRange = UNKNOWN_ZENITH
    is_mapped: bool = field(default=False)

    def __len__(self) -> int:
        return len(self.is_gamma)

    @property
    def digest(self) -> str:
        """Short hash of the truth, to notice that a training goes on with other events."""
        truth = [self.shower_id.tobytes().hex(), self.log_energy.numpy().tobytes().hex()]
        return content_hash(truth)


@dataclass(frozen=True)
class Sample:
    """One side of a split.

    Attributes
    ----------
    events : LabelledEvents
        All events of the split, on the device unless mapped.
    rows : int64 array, [n]
        Which of them belong to this side.
    weight : float32 Tensor, [N]
        Weights that make both classes count equally on this side, in proportion to the thrown events that each event
        stands for.
    device : torch.device
        Where batches go.
    """

    events: LabelledEvents
    rows: NDArray[np.int64]
    weight: Tensor
    device: torch.device


def prepared_chunks(
    source: Source, inputs: InputSettings, *, size: int = _CHUNK
) -> Iterator[tuple[EventBatch, PreparedEvents]]:
    """Prepare the events of a source, some at a time.

    Parameters
    ----------
    source : Source
        Events, feature table, and which rows.
    inputs : InputSettings
        What the network sees.
    size : int
        Events read at a time.

    Yields
    ------
    batch : EventBatch
        Events that take part.
    prepared : PreparedEvents
        The same, prepared.

    Raises
    ------
    InputError
        The feature table or the rows do not belong to the events.
    """
    n_events = len(source.events)
    for name, table in (("feature table", source.features), ("selection", source.rows), ("weight", source.weight)):
        if table is not None and len(table) != n_events:
            raise InputError(f"the {name} has {len(table)} rows, the event set {n_events} events")
    first = 0
    for batch in _batches(source.events, size):
        chunk = slice(first, first + len(batch))
        first += len(batch)
        features = None if source.features is None else source.features.select(chunk)
        if features is not None:
            require_same_events(features, batch.columns)
        kept = slice(None) if source.rows is None else source.rows[chunk]
        selected = batch.select(kept)
        if len(selected):
            yield (
                selected,
                prepare_events(selected, None if features is None else features.select(kept).columns, inputs),
            )


def load_labelled(
    sources: Sequence[Source], inputs: InputSettings, *, resident_events: int = 1 << 62, scratch: Path | None = None
) -> LabelledEvents:
    """Prepare simulated events of all sources.

    Parameters
    ----------
    sources : sequence of Source
        At least one, all with the same camera and telescopes, all simulated.
    inputs : InputSettings
        What the network sees.
    resident_events : int
        Above this number the prepared events go to files in ``scratch`` that are mapped into memory.
    scratch : Path, optional
        Folder for them, which must exist.

    Returns
    -------
    LabelledEvents
        In the order of the sources.

    Raises
    ------
    InputError
        No events, different cameras, real data, or a column is missing.
    """
    n_events = sum(source.n_events for source in sources)
    if n_events == 0:
        raise InputError("no events to train with: every source is empty or loses all its events in the selection")
    meta = joined_meta([source.events.meta for source in sources])
    is_mapped = n_events > resident_events and scratch is not None
    n_auxiliary = len(AuxiliaryLayout.of(inputs.auxiliary, meta.telescopes).names)
    images = (n_events, len(meta.telescopes), meta.camera.n_pixels + 1)
    store = scratch if is_mapped else None
    events = PreparedEvents(
        charge=_allocated("charge", images, torch.float16, store),
        time=_allocated("time", images, torch.float16, store),
        flags=_allocated("flags", images, torch.uint8, store),
        centre=_allocated("centre", images[:2], torch.int64, None),
        present=_allocated("present", images[:2], torch.float32, None),
        auxiliary=_allocated("auxiliary", (n_events, n_auxiliary), torch.float32, None),
    )
    is_gamma, log_energy = np.empty(n_events, dtype=np.float32), np.empty(n_events, dtype=np.float32)
    shower_id, weight = np.empty(n_events, dtype=np.int64), np.empty(n_events)
    zenith_deg = np.full(n_events, np.nan)
    first = 0
    with progress(total=n_events, description="prepare events", unit="ev") as bar:
        for source in sources:
            start = first
            for batch, prepared in prepared_chunks(source, inputs):
                truth = ["true_particle", "true_energy_gev", "shower_id"]
                require_columns(batch.columns, truth, where=f"training events of {batch.meta.production}")
                rows = slice(first, first + len(batch))
                for name in PreparedEvents.__dataclass_fields__:
                    getattr(events, name)[rows] = getattr(prepared, name)
                is_gamma[rows] = batch["true_particle"] == _GAMMA
                log_energy[rows] = np.log10(batch["true_energy_gev"])
                shower_id[rows] = batch["shower_id"]
                weight[rows] = event_weight(batch.columns)
                zenith_deg[rows] = batch.columns.get("pointing_zenith_deg", np.nan)
                first = rows.stop
                bar.update(len(batch))
            if source.weight is not None:
                weight[start:first] = source.weight if source.rows is None else source.weight[source.rows]
    return LabelledEvents(
        events,
        torch.from_numpy(is_gamma),
        torch.from_numpy(log_energy),
        shower_id,
        weight,
        meta,
        ZenithRange.of(zenith_deg),
        is_mapped=is_mapped,
    )


def epoch_batches(
    rows: NDArray[np.int64], batch_size: int, *, seed: int, epoch: int, block: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of one epoch, a pure function of the arguments.

    Parameters
    ----------
    rows : int64 array, [n]
        Events to visit.
    batch_size : int
        Events per batch at most; all batches of an epoch are equally large, to one event.
    seed, epoch : int
        What fixes order and symmetries.
    block : int
        Consecutive events that stay together until 16 such blocks are mixed, for events on disk; 1 for a full shuffle.

    Yields
    ------
    rows : int64 Tensor, [B]
        Events of the batch.
    turns : float64 Tensor, [B]
        Uniform numbers in [0, 1) that choose each event's symmetry.
    """
    generator = np.random.default_rng(seed_sequence(seed, "epoch", epoch))
    if block == 1:
        order = generator.permutation(rows)
    else:
        blocks = np.array_split(rows, max(1, len(rows) // block))
        mixed = [blocks[k] for k in generator.permutation(len(blocks))]
        groups = [np.concatenate(mixed[first : first + 16]) for first in range(0, len(mixed), 16)]
        order = np.concatenate([generator.permutation(group) for group in groups])
    turns = generator.random(len(order))
    n_batches = -(-len(order) // batch_size)
    for part, turn in zip(np.array_split(order, n_batches), np.array_split(turns, n_batches), strict=True):
        yield torch.from_numpy(part), torch.from_numpy(turn)


def split_sample(data: LabelledEvents, training: TrainingSettings, device: torch.device) -> tuple[Sample, Sample]:
    """Keep a share of the showers for validation, and weight the classes equally.

    Parameters
    ----------
    data : LabelledEvents
        All events.
    training : TrainingSettings
        Heads, share and seed; an energy head alone takes gammas only.
    device : torch.device
        Where batches go.

    Returns
    -------
    fitting, validation : Sample

    Raises
    ------
    InputError
        A class is missing on one side.
    """
    is_gamma = data.is_gamma.numpy() > 0.5
    takes_part = np.ones(len(data), dtype=bool) if "particle" in training.heads else is_gamma
    share = training.validation_fraction
    part = split_by_shower(data.shower_id, [1.0 - share, share], seed=derived_seed(training.seed, "validation"))
    if not data.is_mapped:
        data = replace(data, events=data.events.to(device))
    samples = []
    for side, name in ((0, "training"), (1, "validation")):
        rows = np.flatnonzero(takes_part & (part == side))
        n_gammas = int(is_gamma[rows].sum())
        if n_gammas == 0 or ("particle" in training.heads and n_gammas == len(rows)):
            raise InputError(
                f"{name} events: {n_gammas} gammas and {len(rows) - n_gammas} hadrons; "
                f"the heads {', '.join(training.heads)} need more"
            )
        weight = torch.zeros(len(data))
        for kind in (True, False):
            members = rows[is_gamma[rows] == kind]
            total = max(float(data.weight[members].sum()), 1.0)
            weight[members] = torch.from_numpy(data.weight[members] * (len(rows) / (2.0 * total))).float()
        samples.append(Sample(data, rows, weight, device))
    return samples[0], samples[1]


def derived_seed(seed: int, *names: str | int) -> int:
    """Return an independent seed for a purpose, below 2^31."""
    return int(seed_sequence(seed, *names).generate_state(1, np.uint32)[0] >> np.uint32(1))


def _batches(events: EventSource | EventBatch, size: int) -> Iterator[EventBatch]:
    if isinstance(events, EventBatch):
        for first in range(0, len(events), size):
            yield events.select(slice(first, first + size))
    else:
        yield from events.batches(size)


def _allocated(name: str, shape: Sequence[int], dtype: torch.dtype, scratch: Path | None) -> Tensor:
    """An array in memory, or mapped from a new file in the scratch folder."""
    if scratch is None:
        return torch.empty(*shape, dtype=dtype)
    size = int(np.prod(shape))
    return torch.from_file(str(scratch / f"{name}.bin"), shared=True, size=size, dtype=dtype).view(*shape)
