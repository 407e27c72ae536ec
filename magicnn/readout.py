"""Readout: how events were digitised, and whether it is what a method was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isclose
from typing import Any

from magicnn.events import EventMeta

__all__ = ["UNKNOWN_READOUT", "Readout", "readout_difference"]


@dataclass(frozen=True, slots=True)
class Readout:
    """How events were digitised; None where it is not known, or not the same for all events.

    Attributes
    ----------
    sampling_gsps : float or None
        Sampling speed.
    window_ns : float or None
        Length of the readout window.
    is_assumed : bool
        The files did not state the sampling speed; it was taken from the date.
    """

    sampling_gsps: float | None = None
    window_ns: float | None = None
    is_assumed: bool = False

    @classmethod
    def of(cls, meta: EventMeta) -> Readout:
        """Return the readout of events."""
        return cls(meta.sampling_gsps, meta.window_ns, meta.sampling_assumed)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any] | None) -> Readout:
        """Build from what a model file stores; an unknown readout when it stores none."""
        return cls(**(values or {}))

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for a model file."""
        return asdict(self)

    def __str__(self) -> str:
        if self.sampling_gsps is None:
            return "unknown"
        assumed = " (assumed from the date)" if self.is_assumed else ""
        window = "" if self.window_ns is None else f", window {self.window_ns:.1f} ns"
        return f"{self.sampling_gsps:g} GS/s{assumed}{window}"


UNKNOWN_READOUT = Readout()
"""Nothing is known."""


def readout_difference(events: Readout, trained: Readout) -> str | None:
    """Say how the readout of events differs from that of the events that a method was trained on.

    Parameters
    ----------
    events, trained : Readout
        The two.

    Returns
    -------
    str or None
        ``"read out at ..., the training events at ..."``, or None when nothing that is known of both differs.
    """
    pairs = ((events.sampling_gsps, trained.sampling_gsps), (events.window_ns, trained.window_ns))
    if all(a is None or b is None or isclose(a, b, rel_tol=1e-3) for a, b in pairs):
        return None
    return f"read out at {events}, the training events at {trained}"
