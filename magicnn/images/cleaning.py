"""Image cleaning: MAGIC's sum cleaning with its times, plain two-level tail cuts, and islands.

The loops over images and pixels are compiled; they go over a batch with the neighbour table of the camera.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from magicnn.camera import Camera
from magicnn.compiled import compiled
from magicnn.config import Settings
from magicnn.errors import InputError

__all__ = ["MAGIC_CLEANING", "CleaningSettings", "clean", "label_islands", "sum_clean", "tailcuts_clean"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]
Neighbours = NDArray[np.int32]
Labels = NDArray[np.int16]

_PAIR_CLIP = 1.1  # of the threshold of the sum; MARS writes it as 2.2 x threshold / 2
_COMPACT_CLIP = 1.05  # of the threshold per pixel
_N_STEPS = (0, 0, 6, 2, 3)  # around a pixel, to meet every group of 2, 3 and 4 pixels: pairs from their brighter end


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
    mask = np.zeros(charge.shape, dtype=bool)
    images = _images(charge)
    core, boundary = images.dtype.type(core_pe), images.dtype.type(boundary_pe)
    _tailcuts(images, camera.neighbours, core, boundary, mask.reshape(-1, camera.n_pixels))
    return mask


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
    mask = np.zeros(charge.shape, dtype=bool)
    _sum_clean(
        _images(charge),
        _images(time),
        camera.neighbours,
        _group_rules(settings),
        np.array([settings.core_pe, settings.boundary_pe, settings.core_time_ns, settings.boundary_time_ns]),
        mask.reshape(-1, camera.n_pixels),
    )
    return mask


def label_islands(mask: Bools, camera: Camera) -> Labels:
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
    labels = np.zeros(mask.shape, dtype=np.int16)
    _label_all(
        np.ascontiguousarray(mask, dtype=bool).reshape(-1, camera.n_pixels),
        camera.neighbours,
        labels.reshape(-1, camera.n_pixels),
    )
    return labels


def _check(charge: NDArray[Any], time: NDArray[Any], camera: Camera) -> None:
    if charge.shape != time.shape or charge.ndim < 1 or charge.shape[-1] != camera.n_pixels:
        raise InputError(
            f"images of {camera.name}: expected charges and times of shape [..., {camera.n_pixels}], "
            f"got {charge.shape} and {time.shape}"
        )


def _images(values: Floats) -> Floats:
    """The same numbers as [n, P] in the floats that the kernels are compiled for."""
    dtype = np.result_type(values.dtype.newbyteorder("="), np.float32)
    return np.ascontiguousarray(values, dtype=dtype).reshape(-1, values.shape[-1])


def _group_rules(settings: CleaningSettings) -> NDArray[np.float64]:
    """Least charge of a pixel to look from, threshold of the sum, clip and window of pairs, triangles and rhombi."""
    pair_sum = 2.0 * settings.pair_pe
    rules = [(settings.pair_pe, pair_sum, _PAIR_CLIP * pair_sum, settings.pair_window_ns)]
    for size, level, window_ns in (
        (3, settings.triple_pe, settings.triple_window_ns),
        (4, settings.quad_pe, settings.quad_window_ns),
    ):
        clip = _COMPACT_CLIP * level
        # with all others at the clip, a pixel still has to bring the rest
        rules.append((size * level - (size - 1) * clip, size * level, clip, window_ns))
    return np.array(rules)


@compiled
def _tailcuts(
    charge: Floats, neighbours: Neighbours, core_pe: np.floating[Any], boundary_pe: np.floating[Any], mask: Bools
) -> None:
    """Set the pixels that survive; levels are of the type of the charges, so that one exactly at a level reaches it."""
    lowest = min(core_pe, boundary_pe)
    for image in range(len(charge)):
        q = charge[image]
        for pixel in range(len(q)):
            if q[pixel] >= lowest:
                has_core, has_boundary = False, False
                for near in neighbours[pixel]:
                    if near >= 0:
                        has_core |= q[near] >= core_pe
                        has_boundary |= q[near] >= boundary_pe
                is_core, is_boundary = q[pixel] >= core_pe, q[pixel] >= boundary_pe
                mask[image, pixel] = (is_core and has_boundary) or (is_boundary and has_core)


@compiled
def _sum_clean(
    charge: Floats,
    time: Floats,
    neighbours: Neighbours,
    groups: NDArray[np.float64],
    levels: NDArray[np.float64],
    mask: Bools,
) -> None:
    """Set the pixels of all images that survive; ``levels`` are core_pe, boundary_pe and their times."""
    core_pe, boundary_pe, core_ns, boundary_ns = levels
    for image in range(len(charge)):
        q, t, kept = charge[image], time[image], mask[image]
        _mark_groups(q, t, neighbours, groups, kept)
        if kept.any():
            _drop_late(q, t, neighbours, 2.0 * core_pe, core_ns, kept)
            _add_boundary(q, t, neighbours, boundary_pe, boundary_ns, kept)


@compiled
def _mark_groups(q: Floats, t: Floats, neighbours: Neighbours, groups: NDArray[np.float64], kept: Bools) -> None:
    """Set the pixels of every pair, triangle and rhombus that passes.

    Neighbours are in angular order, so steps k and k + 1 close a triangle; a rhombus is an edge (step k) with the two
    pixels that touch both its ends (steps k - 1 and k + 1). Every triangle and rhombus is met at one of its pixels.
    """
    members = np.empty(4, np.int64)
    lowest = groups[:, 0].min()
    for pixel in range(len(q)):
        if q[pixel] > lowest:
            members[0] = pixel
            for size in range(2, 5):
                if q[pixel] > groups[size - 2, 0]:
                    for k in range(_N_STEPS[size]):
                        members[1] = neighbours[pixel, k]
                        if size > 2:
                            members[2] = neighbours[pixel, k + 1]
                        if size > 3:
                            members[3] = neighbours[pixel, k - 1]
                        _mark(q, t, members, size, groups, kept)


@compiled
def _mark(
    q: Floats, t: Floats, members: NDArray[np.int64], size: int, groups: NDArray[np.float64], kept: Bools
) -> None:
    """Set the pixels of a group if all exist and they are bright together and at the same time."""
    threshold, clip, window_ns = groups[size - 2, 1], groups[size - 2, 2], groups[size - 2, 3]
    total, moment = 0.0, 0.0
    for i in range(size):
        pixel = members[i]
        if pixel < 0:
            return
        clipped = clip if q[pixel] > clip else np.float64(q[pixel])
        total += clipped
        moment += clipped * t[pixel]
    if not total > threshold:
        return
    for i in range(size):
        if not abs(t[members[i]] - moment / total) < window_ns:
            return
    for i in range(size):
        kept[members[i]] = True


@compiled
def _drop_late(q: Floats, t: Floats, neighbours: Neighbours, bright_pe: float, limit_ns: float, kept: Bools) -> None:
    """Drop pixels that are far in time from the brightest island, then those that touch no other one."""
    labels = np.zeros(len(q), np.int16)
    size = np.zeros(_label(kept, neighbours, labels))
    for pixel in range(len(q)):
        if kept[pixel]:
            size[labels[pixel] - 1] += q[pixel]
    main = np.argmax(size) + 1
    total, moment = 0.0, 0.0
    for pixel in range(len(q)):
        if labels[pixel] == main:
            weight = np.float64(q[pixel]) ** 2
            total += weight
            moment += weight * t[pixel]
    for pixel in range(len(q)):
        if kept[pixel]:
            kept[pixel] = abs(t[pixel] - moment / total) < (limit_ns if q[pixel] < bright_pe else 2.0 * limit_ns)
    for pixel in range(len(q)):
        if kept[pixel]:
            kept[pixel] = False
            for near in neighbours[pixel]:
                kept[pixel] |= near >= 0 and kept[near]


@compiled
def _add_boundary(
    q: Floats, t: Floats, neighbours: Neighbours, boundary_pe: float, limit_ns: float, kept: Bools
) -> None:
    for core in np.flatnonzero(kept):
        for near in neighbours[core]:
            if near >= 0 and q[near] > boundary_pe and abs(t[near] - t[core]) < limit_ns:
                kept[near] = True


@compiled
def _label_all(mask: Bools, neighbours: Neighbours, labels: Labels) -> None:
    for image in range(len(mask)):
        _label(mask[image], neighbours, labels[image])


@compiled
def _label(kept: Bools, neighbours: Neighbours, labels: Labels) -> int:
    """Number the islands of one image in the order of their first pixel; return how many there are."""
    reached = np.empty(len(kept), np.int64)
    n_islands = 0
    for first in range(len(kept)):
        if kept[first] and labels[first] == 0:
            n_islands += 1
            labels[first] = n_islands
            reached[0] = first
            n_left = 1
            while n_left > 0:
                n_left -= 1
                for near in neighbours[reached[n_left]]:
                    if near >= 0 and kept[near] and labels[near] == 0:
                        labels[near] = n_islands
                        reached[n_left] = near
                        n_left += 1
    return n_islands
