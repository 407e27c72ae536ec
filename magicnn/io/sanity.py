"""What no event can be: values that only damage explains, for formats without a checksum of their own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError

__all__ = ["LIMITS", "MAX_CHARGE_PE", "blank_impossible_pixels", "possible_events", "require_within"]

_log = logging.getLogger(__name__)

Limits = Mapping[str, tuple[float, float]]

_YEAR_NS = 365.25 * 86_400e9

LIMITS: Limits = MappingProxyType(
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
"""Smallest and greatest value of columns that every event must have; times of simulations are not looked at."""

MAX_CHARGE_PE = 1e5
"""No pixel gives as much; readouts of these cameras end at some thousand photoelectrons."""


def possible_events(columns: Mapping[str, NDArray[Any]], *, where: str) -> NDArray[np.bool_]:
    """Find the events whose values can be, and warn of the others.

    Parameters
    ----------
    columns : mapping of str to array, [N] or [N, T]
        Columns of the event schema; those of `LIMITS` among them are looked at. With one value per telescope, NaN
        is a missing telescope, unless all are.
    where : str
        File they come from, for the warning.

    Returns
    -------
    bool array, [N]
        False where a value is not finite or out of its limits.
    """
    possible = np.ones(len(next(iter(columns.values()))) if columns else 0, dtype=np.bool_)
    wrong: list[str] = []
    for name, (low, high) in LIMITS.items():
        if name not in columns or (name == "time_utc_ns" and "true_energy_gev" in columns):
            continue
        values = columns[name]
        inside = (values >= low) & (values <= high)
        if values.ndim == 2:
            is_missing = np.isnan(values)
            inside = (inside | is_missing).all(axis=1) & ~is_missing.all(axis=1)
        if not inside.all():
            wrong.append(name)
            possible &= inside
    if wrong:
        _log.warning(
            "%s: %d events with impossible values are left out (%s)", where, (~possible).sum(), ", ".join(wrong)
        )
    return possible


def require_within(values: Mapping[str, Any], limits: Limits, *, where: str) -> None:
    """Refuse values that cannot be.

    Parameters
    ----------
    values : mapping of str to array or number
        By name.
    limits : mapping of str to (float, float)
        Smallest and greatest value of some of them.
    where : str
        File and part of it, for the error.

    Raises
    ------
    InputError
        One is not finite or out of its limits.
    """
    for name, (low, high) in limits.items():
        found = np.atleast_1d(values[name])
        inside = (found >= low) & (found <= high)
        if not inside.all():
            first = found[~inside][0]
            raise InputError(f"{where}: impossible {name} {first:g} (outside {low:g} to {high:g}); the file is damaged")


def blank_impossible_pixels(charge: NDArray[np.float32], time: NDArray[np.float32], *, where: str) -> None:
    """Make pixels unusable, in place, whose charge is beyond what any pixel gives, and warn of them.

    Parameters
    ----------
    charge, time : float32 array, [..., P]
        Images; both become NaN there.
    where : str
        File they come from, for the warning.
    """
    wrong = np.abs(charge) > MAX_CHARGE_PE
    if wrong.any():
        charge[wrong] = np.nan
        time[wrong] = np.nan
        _log.warning("%s: %d pixels with impossible charges are taken as unusable", where, wrong.sum())
