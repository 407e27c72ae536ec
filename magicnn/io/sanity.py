"""What no event can be: values that only damage explains, for formats without a checksum of their own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError

__all__ = ["LIMITS", "MAX_CHARGE_PE", "possible_events", "require_possible_events"]

_YEAR_NS = int(365.25 * 86_400e9)

LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "time_utc_ns": (20 * _YEAR_NS, 130 * _YEAR_NS),  # 1990 to 2100
        "pointing_zenith_deg": (-1.0, 110.0),  # the drive's deviation may take it a little beyond the zenith
        "pointing_azimuth_deg": (-720.0, 720.0),
        "true_energy_gev": (1e-2, 1e9),
        "true_zenith_deg": (0.0, 180.0),
        "true_azimuth_deg": (-720.0, 720.0),
        "true_core_x_m": (-1e5, 1e5),
        "true_core_y_m": (-1e5, 1e5),
        "true_impact_m": (0.0, 1e5),
    }
)
"""Smallest and greatest value of columns that every event must have."""

MAX_CHARGE_PE = 1e5
"""No pixel gives as much; readouts of these cameras end at some thousand photoelectrons."""


def possible_events(columns: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Find the events whose values can be.

    Parameters
    ----------
    columns : mapping of str to array, [N] or [N, T]
        Columns of the event schema; those of `LIMITS` among them are looked at. With one value per telescope, NaN
        is a missing telescope, unless all are.

    Returns
    -------
    possible : bool array, [N]
        False where a value is not finite or out of its limits.
    wrong : dict of str to int
        By column, how many events are wrong in it; columns without such events are not in it.
    """
    n_events = len(next(iter(columns.values()))) if columns else 0
    possible = np.ones(n_events, dtype=np.bool_)
    wrong: dict[str, int] = {}
    for name, (low, high) in LIMITS.items():
        if name not in columns:
            continue
        values = columns[name]
        inside = (values >= low) & (values <= high)
        if values.ndim == 2:
            is_missing = np.isnan(values)
            inside = (inside | is_missing).all(axis=1) & ~is_missing.all(axis=1)
        if not inside.all():
            wrong[name] = int((~inside).sum())
            possible &= inside
    return possible, wrong


def require_possible_events(columns: Mapping[str, NDArray[Any]], *, where: str) -> None:
    """Refuse events with values that cannot be.

    Parameters
    ----------
    columns : mapping of str to array, [N] or [N, T]
        Columns of the event schema.
    where : str
        File they come from, for the error.

    Raises
    ------
    InputError
        There are some.
    """
    possible, wrong = possible_events(columns)
    if wrong:
        name = next(iter(wrong))
        first = int(np.flatnonzero(~possible)[0])
        low, high = LIMITS[name]
        raise InputError(
            f"{where}: {wrong[name]} of {len(possible)} events have an impossible {name} (outside {low:g} to {high:g}, "
            f"the first is event {first} of the file); the file is damaged"
        )
