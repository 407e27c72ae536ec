"""Published performance of MAGIC's lookup tables, to be laid over one's own."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import Range

__all__ = [
    "PUBLISHED_CITATION",
    "SENSITIVITY_CITATION",
    "PublishedEnergy",
    "published_direction",
    "published_energy",
    "published_sensitivity",
    "released_area",
]

PUBLISHED_CITATION = "Aleksić et al., Astropart. Phys. 72 (2016) 76, arXiv:1409.5594, tables A.2 and A.3"
"""Where the numbers of the energies come from."""

SENSITIVITY_CITATION = "Aleksić et al., Astropart. Phys. 72 (2016) 76, arXiv:1409.5594, tables A.5 to A.8"
"""Where rates and sensitivities come from."""


@dataclass(frozen=True, slots=True)
class PublishedEnergy:
    """Energy bias and resolution of the lookup tables in bins of true energy.

    Attributes
    ----------
    energy_min_gev, energy_max_gev : float64 array, [K]
        Bins of true energy.
    values, errors : mapping of metric to float64 array, [K]
        ``bias_gauss``, ``resolution_gauss`` and ``resolution_rms`` with their uncertainties.
    """

    energy_min_gev: NDArray[np.float64]
    energy_max_gev: NDArray[np.float64]
    values: Mapping[str, NDArray[np.float64]]
    errors: Mapping[str, NDArray[np.float64]]


@cache
def published_energy(zenith_deg: Range) -> PublishedEnergy | None:
    """Return the published lookup-table numbers of a zenith range.

    Parameters
    ----------
    zenith_deg : (float, float)
        ``(5, 30)`` for table A.2 (below 30 deg), ``(30, 45)`` for table A.3.

    Returns
    -------
    PublishedEnergy or None
        None for ranges that no published table is for.
    """
    column = _published("a16_energy", zenith_deg)
    if column is None:
        return None
    names = {"bias_gauss": "bias", "resolution_gauss": "resolution_gauss", "resolution_rms": "resolution_rms"}
    return PublishedEnergy(
        column["energy_min_gev"],
        column["energy_max_gev"],
        {metric: column[name] for metric, name in names.items()},
        {metric: column[f"{name}_err"] for metric, name in names.items()},
    )


@cache
def published_sensitivity(zenith_deg: Range, *, is_integral: bool = False) -> Mapping[str, NDArray[np.float64]] | None:
    """Return the published rates and sensitivities of a zenith range.

    Parameters
    ----------
    zenith_deg : (float, float)
        ``(5, 30)`` for tables A.7 and A.5 (below 30 deg), ``(30, 45)`` for A.8 and A.6.
    is_integral : bool
        Above thresholds (A.5, A.6), else in bins of estimated energy (A.7, A.8).

    Returns
    -------
    mapping of str to float64 array, [K], or None
        ``energy_min_gev`` (and ``energy_max_gev`` of bins), ``gamma_per_min``, ``background_per_min``, and for the
        definitions ``snr``, ``lima_1``, ``lima_3``, ``lima_5`` a column ``sensitivity_*_percent``, each with ``*_err``
        where it is known; None for other ranges.
    """
    return _published("a16_integral" if is_integral else "a16_differential", zenith_deg)


@cache
def published_direction(zenith_deg: Range) -> Mapping[str, NDArray[np.float64]] | None:
    """Return the published angular resolution of a zenith range, after cuts and in bins of estimated energy.

    Parameters
    ----------
    zenith_deg : (float, float)
        ``(5, 30)`` or ``(30, 45)``, both of table A.4 of arXiv:1409.5594.

    Returns
    -------
    mapping of str to float64 array, [K], or None
        ``energy_gev`` and, in degrees, ``angular_resolution_39`` and ``angular_resolution_68``, each with ``*_err``;
        None for other ranges.
    """
    return _published("a16_direction", zenith_deg)


@cache
def released_area(zenith_deg: Range) -> Mapping[str, NDArray[np.float64]] | None:
    """Return the effective area after all cuts in a public DL3 file of MAGIC, at zenith 20 deg.

    Parameters
    ----------
    zenith_deg : (float, float)
        ``(5, 30)``.

    Returns
    -------
    mapping of str to float64 array, [K], or None
        ``energy_min_gev, energy_max_gev`` (true energy) and ``area_m2``; None for other ranges.
    """
    return _published("magic_dl3_area", zenith_deg)


def _published(name: str, zenith_deg: Range) -> Mapping[str, NDArray[np.float64]] | None:
    """Columns of a table of the package for one zenith range."""
    text = resources.files("magicnn.evaluation").joinpath(f"tables/{name}.ecsv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = [{n: float(v) for n, v in row.items()} for row in csv.DictReader(lines)]
    rows = [r for r in rows if (r["zenith_min_deg"], r["zenith_max_deg"]) == zenith_deg]
    return {n: np.array([r[n] for r in rows]) for n in rows[0]} if rows else None
