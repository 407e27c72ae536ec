"""From a photon on the reflector to a place and time in the camera, and to a pixel."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.compiled import compiled
from magicnn.simulation.instrument_settings import OpticsSettings
from magicnn.simulation.random_numbers import RandomState, normal_pair, uniform

__all__ = ["Lattice", "focal_plane", "lattice", "lose", "pixel_at", "pixel_indices", "reflect"]

_METRES_PER_NS = 0.299792458


class Lattice(NamedTuple):
    """A hexagonal camera as the kernels see it: position to axial coordinates to pixel.

    ``inverse`` [2, 2] turns a position relative to ``(x0, y0)`` into axial coordinates; ``table`` holds the pixel at
    each axial cell, shifted by ``(low_q, low_r)``, -1 where there is none.
    """

    inverse: NDArray[np.float64]
    x0: float
    y0: float
    table: NDArray[np.int32]
    low_q: int
    low_r: int


def lattice(camera: Camera) -> Lattice:
    """Tabulate the pixels of a camera on their lattice."""
    design = np.column_stack([np.ones(camera.n_pixels), camera.axial])
    fit, *_ = np.linalg.lstsq(design, np.column_stack([camera.x_m, camera.y_m]), rcond=None)
    low = camera.axial.min(axis=0) - 1
    table = np.full(tuple(camera.axial.max(axis=0) - low + 2), -1, dtype=np.int32)
    table[tuple((camera.axial - low).T)] = np.arange(camera.n_pixels)
    inverse = np.ascontiguousarray(np.linalg.inv(fit[1:].T))
    return Lattice(inverse, float(fit[0, 0]), float(fit[0, 1]), table, int(low[0]), int(low[1]))


@compiled
def pixel_at(x_m: float, y_m: float, camera: Lattice) -> int:
    """Give the pixel at a place in the camera, -1 outside of all.

    Notes
    -----
    Cube rounding: of the three axial coordinates, which sum to zero, the one that rounding moved most is replaced.
    """
    dx, dy = x_m - camera.x0, y_m - camera.y0
    q = camera.inverse[0, 0] * dx + camera.inverse[0, 1] * dy
    r = camera.inverse[1, 0] * dx + camera.inverse[1, 1] * dy
    s = -q - r
    iq, ir, js = math.floor(q + 0.5), math.floor(r + 0.5), math.floor(s + 0.5)
    eq, er, es = abs(iq - q), abs(ir - r), abs(js - s)
    if eq > er and eq > es:
        iq = -ir - js
    elif er > es:
        ir = -iq - js
    row, column = int(iq) - camera.low_q, int(ir) - camera.low_r
    if row < 0 or column < 0 or row >= camera.table.shape[0] or column >= camera.table.shape[1]:
        return -1
    return int(camera.table[row, column])


@compiled
def reflect(
    x_deg: float,
    y_deg: float,
    mirror_x_m: float,
    mirror_y_m: float,
    focal_length_m: float,
    image_distance_m: float,
) -> tuple[float, float, float]:
    """Follow a photon from the plane through the vertex of a parabolic reflector to the camera.

    Parameters
    ----------
    x_deg, y_deg : float
        Direction it comes from, degrees(tangent).
    mirror_x_m, mirror_y_m : float
        Where it would cross the plane through the vertex, across the axis.
    focal_length_m : float
        Focal length of the paraboloid z = r^2 / 4f.
    image_distance_m : float
        Distance of the camera from the vertex.

    Returns
    -------
    x_m, y_m : float
        In the camera's frame, in which an image lies where it is on the sky.
    delay_ns : float
        From that plane to the camera, less the same on the axis.

    Notes
    -----
    The exact law of reflection, so coma comes out of the shape alone. A tessellated reflector whose tiles are
    tangential to the paraboloid has the same coma; the spot of a tile is in the point spread.
    """
    dx, dy = math.radians(x_deg), math.radians(y_deg)
    z = (mirror_x_m * mirror_x_m + mirror_y_m * mirror_y_m) / (4.0 * focal_length_m)
    px, py = mirror_x_m + dx * z, mirror_y_m + dy * z
    z = (px * px + py * py) / (4.0 * focal_length_m)
    length = math.sqrt(1.0 + dx * dx + dy * dy)
    vx, vy, vz = -dx / length, -dy / length, -1.0 / length
    nx, ny = -px / (2.0 * focal_length_m), -py / (2.0 * focal_length_m)
    twice = 2.0 * (vx * nx + vy * ny + vz) / (1.0 + nx * nx + ny * ny)
    wx, wy, wz = vx - twice * nx, vy - twice * ny, vz - twice
    path = (image_distance_m - z) / wz
    delay_m = path - z * length - image_distance_m
    return -(px + wx * path), -(py + wy * path), delay_m / _METRES_PER_NS


@compiled
def _image(
    x_deg: NDArray[np.float32],
    y_deg: NDArray[np.float32],
    mirror_x_m: NDArray[np.float32],
    mirror_y_m: NDArray[np.float32],
    time_ns: NDArray[np.float32],
    focal_length_m: float,
    image_distance_m: float,
    spread_m: float,
    image_m: NDArray[np.float64],
    arrival_ns: NDArray[np.float64],
    state: RandomState,
) -> None:
    for i in range(x_deg.shape[0]):
        x, y, delay = reflect(x_deg[i], y_deg[i], mirror_x_m[i], mirror_y_m[i], focal_length_m, image_distance_m)
        a, b = normal_pair(state)
        image_m[i, 0] = x + spread_m * a
        image_m[i, 1] = y + spread_m * b
        arrival_ns[i] = time_ns[i] + delay


def focal_plane(
    x_deg: NDArray[np.float32],
    y_deg: NDArray[np.float32],
    mirror_x_m: NDArray[np.float32],
    mirror_y_m: NDArray[np.float32],
    time_ns: NDArray[np.float32],
    settings: OpticsSettings,
    state: RandomState,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Image photons onto the camera.

    Parameters
    ----------
    x_deg, y_deg : float32 array, [M]
        Directions they come from relative to the pointing, degrees(tangent).
    mirror_x_m, mirror_y_m : float32 array, [M]
        Where they cross the plane through the vertex of the reflector.
    time_ns : float32 array, [M]
        When they cross it.
    settings : OpticsSettings
    state : random state
        For the point spread.

    Returns
    -------
    image_m : float64 array, [M, 2]
        Places in the camera's frame.
    arrival_ns : float64 array, [M]
        Times in the camera, less the way from the vertex.
    """
    image_m = np.empty((len(x_deg), 2))
    arrival_ns = np.empty(len(x_deg))
    distance = 1.0 / (1.0 / settings.focal_length_m - 1.0 / settings.focus_distance_m)
    spread = settings.focal_length_m * math.radians(settings.point_spread_deg)
    _image(
        x_deg,
        y_deg,
        mirror_x_m,
        mirror_y_m,
        time_ns,
        settings.focal_length_m,
        distance,
        spread,
        image_m,
        arrival_ns,
        state,
    )
    return image_m, arrival_ns


@compiled
def _pixels(image_m: NDArray[np.float64], camera: Lattice, pixels: NDArray[np.int32]) -> None:
    for i in range(image_m.shape[0]):
        pixels[i] = pixel_at(image_m[i, 0], image_m[i, 1], camera)


def pixel_indices(image_m: NDArray[np.float64], camera: Lattice) -> NDArray[np.int32]:
    """Give the pixel of each place in the camera, [M], -1 outside of all pixels."""
    pixels = np.empty(len(image_m), dtype=np.int32)
    _pixels(np.ascontiguousarray(image_m), camera, pixels)
    return pixels


@compiled
def lose(pixels: NDArray[np.int32], share: float, state: RandomState) -> None:
    """Take a share of the photoelectrons out of the camera, by chance: their pixel becomes -1."""
    for i in range(pixels.shape[0]):
        if uniform(state) < share:
            pixels[i] = -1
