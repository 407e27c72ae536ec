"""The bins in which every number is given."""

from __future__ import annotations

from itertools import pairwise
from math import nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ALL_ENERGIES",
    "ENERGY_EDGES_GEV",
    "PUBLISHED_ZENITH_BINS_DEG",
    "ZENITH_BINS_DEG",
    "Range",
    "in_range",
    "ranges",
]

Range = tuple[float, float]
"""Lower edge (inside) and upper edge (outside) of a bin."""

ALL_ENERGIES: Range = (nan, nan)
"""Stands for no energy bin."""

ZENITH_BINS_DEG: tuple[Range, ...] = ((5.0, 35.0), (35.0, 50.0), (50.0, 62.0), (62.0, 70.0))
"""Zenith ranges of MAGIC's standard productions."""

PUBLISHED_ZENITH_BINS_DEG: tuple[Range, ...] = ((5.0, 30.0), (30.0, 45.0))
"""Zenith ranges that the published tables A.2 and A.3 of arXiv:1409.5594 (below 30, 30 to 45 deg) may be laid over."""

ENERGY_EDGES_GEV: tuple[float, ...] = (
    47.0,
    75.0,
    119.0,
    189.0,
    299.0,
    475.0,
    753.0,
    1194.0,
    1892.0,
    2999.0,
    4754.0,
    7535.0,
    11943.0,
    18928.0,
)
"""Edges of the energy bins of tables A.2 and A.3 of arXiv:1409.5594, five per decade."""


def in_range(values: ArrayLike, limits: Range) -> NDArray[np.bool_]:
    """Tell which values lie in ``[low, high)``; NaN lies nowhere.

    Parameters
    ----------
    values : array_like, [N]
        In the unit of the limits.
    limits : (float, float)
        Lower edge, inside, and upper edge, outside.

    Returns
    -------
    bool array, [N]
    """
    array: NDArray[Any] = np.asarray(values, dtype=np.float64)
    inside: NDArray[np.bool_] = (array >= limits[0]) & (array < limits[1])
    return inside


def ranges(edges: ArrayLike) -> tuple[Range, ...]:
    """Return the bins between ascending edges, [n + 1] -> n pairs."""
    values = [float(e) for e in np.asarray(edges, dtype=np.float64)]
    return tuple(pairwise(values))
