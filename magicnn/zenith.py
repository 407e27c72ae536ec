"""Zenith range: how far from the zenith events were taken, and whether a method was trained there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["UNKNOWN_ZENITH", "ZenithRange", "zenith_difference"]

_MARGIN_DEG = 1.0


@dataclass(frozen=True, slots=True)
class ZenithRange:
    """Zenith distances that events were pointed at; None where they are not known.

    Attributes
    ----------
    low_deg, high_deg : float or None
        The smallest and the greatest.
    """

    low_deg: float | None = None
    high_deg: float | None = None

    @classmethod
    def of(cls, zenith_deg: ArrayLike) -> ZenithRange:
        """Return the range of the zenith distances of events, whole degrees around it; NaN is left out."""
        values = np.asarray(zenith_deg, dtype=np.float64)
        known = values[np.isfinite(values)]
        return cls(float(np.floor(known.min())), float(np.ceil(known.max()))) if len(known) else cls()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any] | None) -> ZenithRange:
        """Build from what a model file stores; an unknown range when it stores none."""
        return cls(**(values or {}))

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for a model file."""
        return asdict(self)

    def __str__(self) -> str:
        if self.low_deg is None or self.high_deg is None:
            return "unknown"
        return " to ".join(dict.fromkeys(f"{end:g}" for end in (self.low_deg, self.high_deg))) + " deg"


UNKNOWN_ZENITH = ZenithRange()
"""Nothing is known."""


def zenith_difference(zenith_deg: ArrayLike, trained: ZenithRange) -> str | None:
    """Say how many events lie outside of the zenith range that a method was trained in.

    Parameters
    ----------
    zenith_deg : array_like, [N]
        Pointing of the events.
    trained : ZenithRange
        Of the training events. They are a sample: a degree beyond them is still taken for their range.

    Returns
    -------
    str or None
        ``"... of ... at zenith ... outside of the ... of the training events"``, or None when there are none.
    """
    if trained.low_deg is None or trained.high_deg is None:
        return None
    values = np.asarray(zenith_deg, dtype=np.float64)
    outside = (values < trained.low_deg - _MARGIN_DEG) | (values > trained.high_deg + _MARGIN_DEG)
    if not outside.any():
        return None
    found = ZenithRange.of(values[outside])
    count = f"{np.count_nonzero(outside)} of {len(values)}"
    return f"{count} at zenith {found}, outside of the {trained} of the training events"
