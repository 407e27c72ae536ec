"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.evaluation.metrics_table import MetricsTable
from magicnn.evaluation.response import InstrumentResponse
from magicnn.evaluation.signal import Signal
from magicnn.events import EventBatch
from magicnn.predictions import PredictionTable

__all__ = ["ExampleImages", "RealEvents", "ReportInputs"]


@dataclass(frozen=True)
class ExampleImages:
    """A few events to look at.

    Attributes
    ----------
    title : str
        What they are, ``"gammas"``.
    batch : EventBatch
        Few events; all are drawn.
    cleaned : bool array, [N, T, P]
        Pixels that the cleaning keeps.
    captions : tuple of str
        One line per event; made from the truth columns when empty.

    Raises
    ------
    InputError
        Masks or captions do not belong to the events.
    """

    title: str
    batch: EventBatch
    cleaned: NDArray[np.bool_]
    captions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.cleaned.shape != self.batch.charge.shape:
            raise InputError(
                f"examples of {self.title}: cleaning masks of shape {self.cleaned.shape} "
                f"for images of shape {self.batch.charge.shape}"
            )
        if self.captions and len(self.captions) != len(self.batch):
            raise InputError(f"examples of {self.title}: {len(self.captions)} captions for {len(self.batch)} events")


@dataclass(frozen=True)
class RealEvents:
    """Real events that went through the same pipe.

    Attributes
    ----------
    description : str
        What they are: source, run, date.
    predictions : mapping of method to PredictionTable
        What every method says about the same events, in the same order.
    examples : ExampleImages or None
        Some of them to look at.
    files : tuple of str
        Names of the files they come from.
    source : str
        Name or place of the source that signals are of.
    signals : tuple of Signal
        The source against off regions, one entry per method that can tell.
    """

    description: str
    predictions: Mapping[str, PredictionTable]
    examples: ExampleImages | None = None
    files: tuple[str, ...] = ()
    source: str = ""
    signals: tuple[Signal, ...] = ()


@dataclass(frozen=True)
class ReportInputs:
    """Everything that the page shows.

    Attributes
    ----------
    title : str
        Heading of the page.
    metrics : MetricsTable
        Result of `magicnn.evaluation.evaluate`.
    predictions : mapping of method to sequence of PredictionTable
        What was evaluated; for ROC curves, distributions of gammaness, and what was generated.
    histories : mapping of str to sequence of mapping
        Per network its training: one entry per epoch with ``epoch``, ``train_loss``, ``validation_loss``.
    cut_flow : mapping of str to mapping of str to int
        Per event set the number of events after each stage, in order.
    examples : sequence of ExampleImages
        Simulated events to look at.
    real : RealEvents or None
        Real events.
    pictures : mapping of str to Path
        Per caption a PNG to show as it is, such as those of the lookup tables.
    responses : sequence of InstrumentResponse
        Instrument responses of the methods, by zenith range.
    settings : mapping
        Effective settings of the run, plain values.
    provenance : mapping
        Versions, machine, seed, inputs.
    notes : sequence of str
        Sentences shown below the summary: what the reader must know.
    """

    title: str
    metrics: MetricsTable
    predictions: Mapping[str, Sequence[PredictionTable]]
    histories: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    cut_flow: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    examples: Sequence[ExampleImages] = ()
    real: RealEvents | None = None
    pictures: Mapping[str, Path] = field(default_factory=dict)
    responses: Sequence[InstrumentResponse] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()
