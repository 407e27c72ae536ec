"""Weight gammas until their directions are distributed as the protons': no classifier shall live on directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.array import camera_from_sky
from magicnn.errors import InputError
from magicnn.events import event_weight

__all__ = ["common_directions", "matching_weights", "true_offset_deg"]

_N_OFFSET_BINS = 6
_N_ZENITH_BINS = 3
_N_ROUNDS = 5
_COMMON_SHARE = 0.75


def true_offset_deg(columns: Mapping[str, Any]) -> NDArray[np.float64]:
    """Give the angle, as degrees(tangent), between true direction and pointing, [N].

    Parameters
    ----------
    columns : mapping
        With ``true_zenith_deg``, ``true_azimuth_deg``, ``pointing_zenith_deg`` and ``pointing_azimuth_deg``, [N].
    """
    x, y = camera_from_sky(
        columns["true_zenith_deg"],
        columns["true_azimuth_deg"],
        columns["pointing_zenith_deg"],
        columns["pointing_azimuth_deg"],
    )
    return np.asarray(np.hypot(x, y))


def common_directions(columns: Mapping[str, Any], candidates: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Tell which events come from directions that gammas come from, too.

    Protons from far off the axis trigger with what they throw into the field of view, gammas from there do not: no
    choice of gammas is distributed as all protons are.

    Parameters
    ----------
    columns : mapping
        Columns of protons or of gammas; see `matching_weights`.
    candidates : mapping
        Columns of the gammas.

    Returns
    -------
    bool array, [N]
        Whether the angle between direction and pointing is not greater than that of 75 % of the gammas.

    Raises
    ------
    InputError
        There are no gammas.
    """
    offset, weight = true_offset_deg(candidates), event_weight(candidates)
    if not len(offset):
        raise InputError("no directions to compare with: no gammas")
    order = np.argsort(offset)
    reached = np.cumsum(weight[order])
    limit = offset[order][np.searchsorted(reached, _COMMON_SHARE * reached[-1])]
    return np.asarray(true_offset_deg(columns) <= limit)


def matching_weights(candidates: Mapping[str, Any], reference: Mapping[str, Any]) -> NDArray[np.float64]:
    """Give weights with which directions and pointings of events are distributed as those of other events.

    Diffuse gammas and protons are thrown alike, but off the axis gammas trigger less often than protons, and the
    ratio changes with the zenith angle.

    Parameters
    ----------
    candidates, reference : mapping
        Columns of the events to weight (gammas) and of those to be like (protons): ``true_zenith_deg``,
        ``true_azimuth_deg``, ``pointing_zenith_deg``, ``pointing_azimuth_deg`` and, where there is one, ``weight``,
        [N] and [M].

    Returns
    -------
    float64 array, [N]
        Weight of each candidate, its own one included; their sum is that of the candidates' own weights.

    Raises
    ------
    InputError
        One of the samples is empty.

    Notes
    -----
    The ratio of the densities is the product of a factor of the offset and one of the pointing's zenith angle, in
    six and three bins with equally many reference events, found by iterative proportional fitting.
    """
    samples = [(true_offset_deg(c), np.asarray(c["pointing_zenith_deg"])) for c in (candidates, reference)]
    (offset, zenith), (offset_wanted, zenith_wanted) = samples
    if not len(offset) or not len(offset_wanted):
        raise InputError(f"no directions to match: {len(offset)} candidates, {len(offset_wanted)} reference events")
    own, wanted = event_weight(candidates), event_weight(reference)
    cells = [
        _cells(offset, offset_wanted, wanted, _N_OFFSET_BINS),
        _cells(zenith, zenith_wanted, wanted, _N_ZENITH_BINS),
    ]
    weights = np.ones(len(offset))
    for _ in range(_N_ROUNDS):
        for cell, share in cells:
            found = np.bincount(cell, own * weights, len(share)) / np.sum(own * weights)
            weights *= np.divide(share, found, out=np.zeros_like(share), where=found > 0)[cell]
    matched: NDArray[np.float64] = own * weights
    matched *= own.sum() / matched.sum()
    return matched


def _cells(
    values: ArrayLike, wanted: ArrayLike, wanted_weight: NDArray[np.float64], n_bins: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Bin of each value between quantiles of the wanted ones, and the wanted share of each bin."""
    edges = np.quantile(np.asarray(wanted), np.linspace(0.0, 1.0, n_bins + 1)[1:-1])
    share = np.bincount(np.searchsorted(edges, wanted), wanted_weight, n_bins)
    return np.searchsorted(edges, values).astype(np.int64), share / share.sum()
