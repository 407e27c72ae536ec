"""What no event can be: values that only damage explains, for formats without a checksum of their own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.errors import InputError

__all__ = [
    "GENERATED_LIMITS",
    "LIMITS",
    "MAX_CHARGE_PE",
    "blank_impossible_pixels",
    "folded",
    "possible_events",
    "require_within",
    "without_impossible_values",
]

_log = logging.getLogger(__name__)

Limits = Mapping[str, tuple[float, float]]

_YEAR_NS = 365.25 * 86_400e9

LIMITS: Limits = MappingProxyType(
    {
        "time_utc_ns": (20 * _YEAR_NS, 130 * _YEAR_NS),  # 1990 to 2100
        "pointing_zenith_deg": (-1.0, 110.0),  # the drive's deviation may take it a little beyond the zenith
        "pointing_azimuth_deg": (0.0, 360.0),
        "true_energy_gev": (1e-2, 1e9),
        "true_zenith_deg": (0.0, 180.0),
        "true_azimuth_deg": (0.0, 360.0),
        "true_core_x_m": (-1e5, 1e5),
        "true_core_y_m": (-1e5, 1e5),
        "true_impact_m": (0.0, 1e5),
        "weight": (0.0, 1e12),
    }
)
"""Smallest and greatest value of columns that every event must have; times of simulations are not looked at."""

GENERATED_LIMITS: Limits = MappingProxyType(
    {
        "spectral_index": (-10.0, 10.0),
        "energy_min_gev": (1e-3, 1e9),
        "energy_max_gev": (1e-3, 1e9),
        "scatter_radius_m": (0.0, 1e5),
        "viewcone_min_deg": (0.0, 180.0),
        "viewcone_max_deg": (0.0, 180.0),
        "zenith_min_deg": (-1.0, 180.0),
        "zenith_max_deg": (-1.0, 180.0),
    }
)
"""Smallest and greatest value of what a simulation says it threw."""

_TURNS_DEG = 720.0
_SHARE = (-1e-3, 1.001)
_ANGLE_DEG = (-30.0, 30.0)  # in the camera
_ON_GROUND_M = (-1e5, 1e5)

_UNKNOWN_BEYOND: Limits = MappingProxyType(
    {
        "true_first_interaction_m": (-1e6, 1e6),
        "true_xmax_gcm2": (-1e5, 1e5),
        "pointing_dec_deg": (-90.0, 90.0),
        "size_pe": (0.0, 1e8),
        **dict.fromkeys(("length_deg", "width_deg"), (0.0, _ANGLE_DEG[1])),
        **dict.fromkeys(("cog_x_deg", "cog_y_deg", "m3_long_deg", "m3_trans_deg", "asymmetry_deg"), _ANGLE_DEG),
        **dict.fromkeys(("leakage1_mars", "leakage2_mars", "concentration", "concentration2"), _SHARE),
        **dict.fromkeys(("n_pixels", "n_islands"), (0.0, 1e4)),
        **dict.fromkeys(("reco_core_x_m", "reco_core_y_m"), _ON_GROUND_M),
        "impact_m": (0.0, _ON_GROUND_M[1]),
    }
)
"""Smallest and greatest value of columns that an event can do without."""

MAX_CHARGE_PE = 1e5
"""No pixel gives as much; readouts of these cameras end at some thousand photoelectrons."""


def folded(azimuth_deg: ArrayLike) -> NDArray[np.float64]:
    """Fold azimuths and right ascensions into [0, 360); NaN for what is none, not finite or beyond two turns."""
    values = np.asarray(azimuth_deg, dtype=np.float64)
    return np.where(np.abs(values) <= _TURNS_DEG, values, np.nan) % 360.0


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


def without_impossible_values(columns: Mapping[str, NDArray[Any]], *, where: str) -> dict[str, NDArray[Any]]:
    """Return columns in which values are NaN that cannot be and that an event can do without, and warn of them.

    Parameters
    ----------
    columns : mapping of str to array, [N] or [N, T]
        Image and stereo parameters, and what is known of a shower besides its energy, direction and core.
    where : str
        File they come from, for the warning.
    """
    checked = dict(columns)
    wrong: list[str] = []
    for name in columns.keys() & _UNKNOWN_BEYOND.keys():
        low, high = _UNKNOWN_BEYOND[name]
        values = columns[name]
        is_wrong = (values < low) | (values > high)
        if is_wrong.any():
            wrong.append(f"{is_wrong.sum()} of {name}")
            checked[name] = np.where(is_wrong, np.nan, values)
    if wrong:
        _log.warning("%s: impossible values are taken as unknown (%s)", where, ", ".join(sorted(wrong)))
    return checked


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
