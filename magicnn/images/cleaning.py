"""Image cleaning: MAGIC's sum cleaning with its times, plain two-level tail cuts, and islands.

Everything works on the few pixels that matter: a batch of images is searched once for pixels above the lowest level,
and from then on only lists of flat indices (image x pixel) are gathered, so no image is looped over.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from magicnn.camera import Camera
from magicnn.config import Settings
from magicnn.errors import InputError

__all__ = ["MAGIC_CLEANING", "CleaningSettings", "clean", "islands_of", "label_islands", "sum_clean", "tailcuts_clean"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]

_PAIR_CLIP = 1.1  # of the threshold of the sum; MARS writes it as 2.2 x threshold / 2
_COMPACT_CLIP = 1.05  # of the threshold per pixel


class CleaningSettings(Settings):
    """Which pixels belong to the image.

    The levels act on the charges as they come. A sliding-window extractor gives an empty pixel a positive charge
    (1.6 to 1.9 photoelectrons in MAGIC); MAGIC's levels are meant for such charges and nothing is subtracted.
    """

    method: Literal["sum", "tailcuts"] = Field(
        default="sum", description="'sum': MAGIC's sum cleaning with times; 'tailcuts': two levels, no times"
    )
    core_pe: float = Field(
        default=6.0,
        gt=0,
        description="level of core pixels in phe; with 'sum', pixels above twice this get twice the core time",
    )
    boundary_pe: float = Field(default=3.5, gt=0, description="level of boundary pixels, phe")
    pair_pe: float = Field(default=10.8, gt=0, description="level per pixel of two neighbours, phe (sum > 2 x this)")
    triple_pe: float = Field(default=7.8, gt=0, description="level per pixel of a triangle, phe (sum > 3 x this)")
    quad_pe: float = Field(default=6.0, gt=0, description="level per pixel of a rhombus, phe (sum > 4 x this)")
    pair_window_ns: float = Field(default=0.5, gt=0, description="largest distance to the mean time of a pair, ns")
    triple_window_ns: float = Field(
        default=0.7, gt=0, description="largest distance to the mean time of a triangle, ns"
    )
    quad_window_ns: float = Field(default=1.1, gt=0, description="largest distance to the mean time of a rhombus, ns")
    core_time_ns: float = Field(
        default=4.5, gt=0, description="largest distance of a core pixel to the time of the brightest island, ns"
    )
    boundary_time_ns: float = Field(
        default=1.5, gt=0, description="largest time difference of a boundary pixel to a core neighbour, ns"
    )


MAGIC_CLEANING = CleaningSettings()
"""MAGIC's own levels and times."""


def clean(charge: Floats, time: Floats, camera: Camera, settings: CleaningSettings = MAGIC_CLEANING) -> Bools:
    """Find the pixels that belong to the shower image.

    Parameters
    ----------
    charge : float array, [..., P], photoelectrons
        NaN pixels never survive.
    time : float array, [..., P], ns
        A pixel without a time cannot survive the sum cleaning.
    camera : Camera
        Camera of all images.
    settings : CleaningSettings
        Method and levels.

    Returns
    -------
    bool array, [..., P]

    Raises
    ------
    InputError
        The last axis is not the pixels of the camera, or the shapes differ.
    """
    if settings.method == "tailcuts":
        return tailcuts_clean(charge, camera, core_pe=settings.core_pe, boundary_pe=settings.boundary_pe)
    return sum_clean(charge, time, camera, settings)


def tailcuts_clean(charge: Floats, camera: Camera, *, core_pe: float, boundary_pe: float) -> Bools:
    """Keep core pixels with a neighbour above the boundary level, and boundary pixels with a core neighbour.

    Parameters
    ----------
    charge : float array, [..., P], photoelectrons
        NaN pixels never survive.
    camera : Camera
        Camera of all images.
    core_pe, boundary_pe : float
        Levels; a pixel exactly at a level reaches it.

    Returns
    -------
    bool array, [..., P]
        The same as ctapipe's ``tailcuts_clean`` without isolated pixels.

    Raises
    ------
    InputError
        The last axis is not the pixels of the camera.
    """
    _check(charge, charge, camera)
    flat_charge = np.ascontiguousarray(charge).ravel()
    above = np.flatnonzero(flat_charge >= min(core_pe, boundary_pe))
    around, exists = _neighbours_of(above, camera)
    around_charge = flat_charge[around]
    is_core = flat_charge[above] >= core_pe
    has_core = np.any(exists & (around_charge >= core_pe), axis=1)
    has_boundary = np.any(exists & (around_charge >= boundary_pe), axis=1)
    is_boundary = flat_charge[above] >= boundary_pe
    mask = np.zeros(flat_charge.size, dtype=bool)
    mask[above[(is_core & has_boundary) | (is_boundary & has_core)]] = True
    return mask.reshape(charge.shape)


def sum_clean(charge: Floats, time: Floats, camera: Camera, settings: CleaningSettings = MAGIC_CLEANING) -> Bools:
    """Clean as MAGIC does: neighbouring pixels that are bright together and at the same time.

    Parameters
    ----------
    charge : float array, [..., P], photoelectrons
        As extracted, with the positive charge of empty pixels left in; NaN pixels never survive.
    time : float array, [..., P], ns
        A pixel without a time (NaN) cannot survive.
    camera : Camera
        Camera of all images.
    settings : CleaningSettings
        Levels and windows.

    Returns
    -------
    bool array, [..., P]

    Raises
    ------
    InputError
        The last axis is not the pixels of the camera, or the shapes differ.

    Notes
    -----
    Core pixels are those of any pair, triangle or rhombus of neighbours whose summed charge is above 2 x 10.8,
    3 x 7.8 or 4 x 6 phe with every time within 0.5, 0.7 or 1.1 ns of the charge-weighted mean. Before summing, the
    charge of a pixel is clipped at 1.1 x the threshold of the sum for pairs and at 1.05 x the level per pixel for the
    others (so that one bright pixel cannot carry a group of three). Of these, pixels stay that lie within 4.5 ns
    (9 ns when brighter than 2 x 6 phe) of the time of the brightest island, weighted with the charge squared, and
    that touch another one. Boundary pixels are above 3.5 phe and within 1.5 ns of a core neighbour. Levels and
    windows: R. Lopez-Coto, PhD thesis, table 2.1; clipping and the time of the brightest island: as in
    magic-cta-pipe's transcription of MARS.
    """
    _check(charge, time, camera)
    flat_charge = np.ascontiguousarray(charge).ravel()
    flat_time = np.ascontiguousarray(time).ravel()
    mask = np.zeros(flat_charge.size, dtype=bool)
    _mark_groups(mask, flat_charge, flat_time, camera, settings)
    core = _in_time(np.flatnonzero(mask), flat_charge, flat_time, camera, settings)
    mask[:] = False
    mask[core] = True
    around, exists = _neighbours_of(core, camera)
    core = core[np.any(mask[around] & exists, axis=1)]
    mask[:] = False
    mask[core] = True
    around, exists = _neighbours_of(core, camera)
    is_boundary = exists & (flat_charge[around] > settings.boundary_pe)
    is_boundary &= np.abs(flat_time[around] - flat_time[core, None]) < settings.boundary_time_ns
    mask[around[is_boundary]] = True
    return mask.reshape(charge.shape)


def label_islands(mask: Bools, camera: Camera) -> NDArray[np.int16]:
    """Number the connected groups of pixels of each image.

    Parameters
    ----------
    mask : bool array, [..., P]
        Pixels that survived the cleaning.
    camera : Camera
        Camera of all images.

    Returns
    -------
    int16 array, [..., P]
        0 outside the mask; islands count from 1 in the order of their first pixel.

    Raises
    ------
    InputError
        The last axis is not the pixels of the camera.
    """
    _check(mask, mask, camera)
    pixels = np.flatnonzero(mask)
    labels = np.zeros(mask.size, dtype=np.int16)
    labels[pixels] = islands_of(pixels, camera)
    return labels.reshape(mask.shape)


def islands_of(pixels: Indices, camera: Camera) -> Indices:
    """Number the islands of a list of pixels.

    Parameters
    ----------
    pixels : int64 array, [n]
        Flat indices, image number x P + pixel, increasing.
    camera : Camera
        Camera of all images.

    Returns
    -------
    int64 array, [n]
        Island of each pixel, counted from 1 in every image in the order of their first pixel.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(pixels):
        return np.zeros(0, dtype=np.int64)
    around, exists = _neighbours_of(pixels, camera, half=True)
    rank = np.searchsorted(pixels, around)
    linked = exists & (pixels[np.minimum(rank, len(pixels) - 1)] == around)
    first = np.nonzero(linked)[0]
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, rank[linked])), shape=(len(pixels), len(pixels)))
    _, label = connected_components(graph, directed=False)
    # components may be numbered in any order: renumber by first pixel, then subtract what earlier images used up
    _, first_node, component = np.unique(label, return_index=True, return_inverse=True)
    order = np.empty(len(first_node), dtype=np.int64)
    order[np.argsort(first_node)] = np.arange(len(first_node))
    number = order[component]
    image = pixels // camera.n_pixels
    starts = np.flatnonzero(np.diff(image, prepend=-1))
    lengths = np.diff(starts, append=len(pixels))
    islands: Indices = number - np.repeat(number[starts], lengths) + 1
    return islands


def _check(charge: NDArray[Any], time: NDArray[Any], camera: Camera) -> None:
    if charge.shape != time.shape or charge.ndim < 1 or charge.shape[-1] != camera.n_pixels:
        raise InputError(
            f"images of {camera.name}: expected charges and times of shape [..., {camera.n_pixels}], "
            f"got {charge.shape} and {time.shape}"
        )


@lru_cache(maxsize=8)
def _neighbour_offsets(camera: Camera) -> tuple[Indices, Bools]:
    """Distance in pixel index to each neighbour, [P, 6], 0 where there is none, and which exist."""
    exists = camera.neighbours >= 0
    own = np.arange(camera.n_pixels)[:, None]
    return np.where(exists, camera.neighbours - own, 0).astype(np.int64), exists


def _neighbours_of(pixels: Indices, camera: Camera, *, half: bool = False) -> tuple[Indices, Bools]:
    """Flat indices of the neighbours, [n, 6] ([n, 3] for every pair once), the pixel itself where there is none."""
    offsets, exists = _neighbour_offsets(camera)
    pixel = pixels % camera.n_pixels
    directions = slice(0, 3 if half else 6)
    return pixels[:, None] + offsets[pixel, directions], exists[pixel, directions]


@lru_cache(maxsize=8)
def _compact_groups(camera: Camera) -> tuple[tuple[Indices, Bools], tuple[Indices, Bools]]:
    """Index distances from a pixel to the rest of its triangles, [P, 2, 2], and rhombi, [P, 3, 3]; which exist.

    Steps to neighbours are in angular order, so steps k and k + 1 close a triangle; a rhombus is an edge (step k)
    with the two pixels that touch both its ends (steps k - 1 and k + 1). Each group appears at one of its pixels.
    """
    offsets, exists = _neighbour_offsets(camera)
    triangles = np.array([[0, 1], [1, 2]])
    rhombi = np.array([[5, 0, 1], [0, 1, 2], [1, 2, 3]])
    whole_triangles: Bools = np.all(exists[:, triangles], axis=-1)
    whole_rhombi: Bools = np.all(exists[:, rhombi], axis=-1)
    return (offsets[:, triangles], whole_triangles), (offsets[:, rhombi], whole_rhombi)


def _mark_groups(mask: Bools, charge: Floats, time: Floats, camera: Camera, settings: CleaningSettings) -> None:
    """Set the pixels of every group that passes; only pixels that can carry a group are looked at."""
    pair_sum = 2.0 * settings.pair_pe
    pair_clip = _PAIR_CLIP * pair_sum
    compact = []
    for shape, level, window_ns in zip(
        _compact_groups(camera),
        (settings.triple_pe, settings.quad_pe),
        (settings.triple_window_ns, settings.quad_window_ns),
        strict=True,
    ):
        size = shape[0].shape[-1] + 1
        # with all others at the clip, a pixel still has to bring the rest
        least = size * level - (size - 1) * _COMPACT_CLIP * level
        compact.append((shape, size * level, _COMPACT_CLIP * level, least, window_ns))
    # one search of all pixels; everything after it works on lists
    candidates = np.flatnonzero(charge > min(settings.pair_pe, *(least for *_, least, _ in compact)))
    candidate_charge = charge[candidates]

    seeds = candidates[candidate_charge > settings.pair_pe]
    around, exists = _neighbours_of(seeds, camera)
    pairs = np.stack([np.broadcast_to(seeds[:, None], around.shape)[exists], around[exists]], axis=1)
    _mark(mask, pairs, charge, time, pair_clip, pair_sum, settings.pair_window_ns)
    for (offsets, complete), threshold, clip, least, window_ns in compact:
        seeds = candidates[candidate_charge > least]
        pixel = seeds % camera.n_pixels
        which, slot = np.nonzero(complete[pixel])
        start = seeds[which]
        groups = np.concatenate([start[:, None], start[:, None] + offsets[pixel[which], slot]], axis=1)
        _mark(mask, groups, charge, time, clip, threshold, window_ns)


def _mark(
    mask: Bools, groups: Indices, charge: Floats, time: Floats, clip_pe: float, threshold_pe: float, window_ns: float
) -> None:
    clipped = np.minimum(charge[groups], clip_pe)
    total = clipped.sum(axis=1)
    bright = total > threshold_pe
    groups, clipped, total = groups[bright], clipped[bright], total[bright]
    times = time[groups]
    mean = (clipped * times).sum(axis=1) / total
    together = np.all(np.abs(times - mean[:, None]) < window_ns, axis=1)
    mask[groups[together]] = True


def _in_time(core: Indices, charge: Floats, time: Floats, camera: Camera, settings: CleaningSettings) -> Indices:
    """Core pixels close in time to the brightest island of their image."""
    if not len(core):
        return core
    image = core // camera.n_pixels
    starts = np.flatnonzero(np.diff(image, prepend=-1))
    count = np.diff(starts, append=len(core))
    island = islands_of(core, camera)
    # a running number of all islands of all images, so that their charges can be summed in one go
    last = np.maximum.reduceat(island, starts)
    base = np.cumsum(last) - last
    running = island - 1 + np.repeat(base, count)
    core_charge = charge[core].astype(np.float64)
    size = np.bincount(running, weights=core_charge)
    owner = np.repeat(np.arange(len(starts)), last)
    order = np.lexsort((-np.arange(len(size)), size, owner))
    brightest = order[np.cumsum(last) - 1]
    weight = np.where(running == np.repeat(brightest, count), core_charge**2, 0.0)
    mean_time = np.add.reduceat(weight * time[core], starts) / np.add.reduceat(weight, starts)
    limit = np.where(core_charge < 2.0 * settings.core_pe, settings.core_time_ns, 2.0 * settings.core_time_ns)
    return core[np.abs(time[core] - np.repeat(mean_time, count)) < limit]
