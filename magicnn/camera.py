"""Hexagonal cameras: pixel positions, axial coordinates and neighbours; MAGIC's 1039 pixels from integer arithmetic."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.errors import InputError
from magicnn.summary import html_page

__all__ = ["AXIAL_STEPS", "Camera"]

_Array = TypeVar("_Array", bound=NDArray[Any])

AXIAL_STEPS: NDArray[np.int32] = np.array([(1, 0), (0, 1), (-1, 1), (-1, 0), (0, -1), (1, -1)], dtype=np.int32)
"""The six neighbours of an axial cell (q, r), in angular order; the second half is minus the first."""

_MAGIC_UNIT_M = 5.6693982e-3
_MAGIC_LIMIT = 289  # pixels lie strictly inside a circle of 17 pitches
_SPIRAL_STEPS = ((-1, 1), (-1, 0), (0, -1), (1, -1), (1, 0), (0, 1))
_LATTICE_TOLERANCE = 0.25  # pitches; module gaps of real cameras stay well below
_SAME_PIXEL_M = 1e-4  # tables of MAGIC's camera differ by micrometres
_SIDE_TOLERANCE = 0.1  # pitches; a square lattice fits to triangles with sides 1, 1 and 1.41


@dataclass(frozen=True, eq=False)
class Camera:
    """A regular hexagonal camera.

    Attributes
    ----------
    name : str
        Name of the camera, ``"MAGICCam"`` for MAGIC.
    x_m, y_m : float64 array, [P], metres
        Pixel centres in ctapipe's camera frame (+x towards higher altitude, +y towards larger azimuth).
    axial : int32 array, [P, 2]
        Axial coordinates (q, r): position = origin + q e1 + r e2 with e1, e2 one pitch long and 60 deg apart.
    neighbours : int32 array, [P, 6]
        Indices of the touching pixels, padded with -1; column k is the neighbour along ``AXIAL_STEPS[k]``.
    pitch_m : float
        Distance of neighbouring pixel centres.
    focal_length_m : float
        Focal length of the mirror.
    effective_focal_length_m : float
        Focal length that turns image positions into angles, including the shift by coma.
    """

    name: str
    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    axial: NDArray[np.int32]
    neighbours: NDArray[np.int32]
    pitch_m: float
    focal_length_m: float
    effective_focal_length_m: float

    @classmethod
    def magic(cls) -> Camera:
        """Build the camera of either MAGIC telescope.

        The pixels are the sites of a hexagonal lattice with ``q^2 + q r + r^2 < 289``, numbered along a hexagonal
        spiral (the order of MARS' ``MGeomCamMagicTwo``); no table is read.

        Returns
        -------
        Camera
            1039 pixels, pitch 29.99964 mm, mirror focal length 17 m, effective focal length 17 m x 1.0713
            (the value of ctapipe_io_magic).
        """
        return _magic_camera()

    @classmethod
    def from_geometry(
        cls,
        x_m: ArrayLike,
        y_m: ArrayLike,
        *,
        name: str,
        focal_length_m: float,
        effective_focal_length_m: float | None = None,
    ) -> Camera:
        """Find the hexagonal lattice behind a list of pixel positions.

        Parameters
        ----------
        x_m, y_m : array_like, [P], metres
            Pixel centres in ctapipe's camera frame, in the order of the images.
        name : str
            Name of the camera.
        focal_length_m : float
            Focal length of the mirror.
        effective_focal_length_m : float, optional
            Focal length for angles; the mirror's when not given.

        Returns
        -------
        Camera
            With the axial coordinates of `magic` when these are MAGIC's pixels.

        Raises
        ------
        InputError
            The positions are not finite, fewer than 7, not all different, not connected, or not on a regular hexagonal
            lattice.
        """
        x, y = np.asarray(x_m, dtype=np.float64).ravel(), np.asarray(y_m, dtype=np.float64).ravel()
        if len(x) != len(y):
            raise InputError(f"camera {name}: expected pairs of pixel positions, got {len(x)} x and {len(y)} y")
        positions = np.stack([x, y], axis=1)
        n_places = len(np.unique(positions, axis=0)) if np.isfinite(positions).all() else 0
        if n_places < 7 or n_places < len(positions):
            raise InputError(
                f"camera {name}: expected at least 7 pixels at different finite positions, "
                f"got {len(positions)} pixels at {n_places} places"
            )
        axial, basis = _find_lattice(positions, name)
        pitch = float(np.sqrt(abs(np.linalg.det(basis)) * 2.0 / np.sqrt(3.0)))
        magic = _magic_camera()
        if len(x) == magic.n_pixels and np.hypot(x - magic.x_m, y - magic.y_m).max() < _SAME_PIXEL_M:
            axial = magic.axial
        return cls(
            name=name,
            x_m=_frozen(positions[:, 0]),
            y_m=_frozen(positions[:, 1]),
            axial=_frozen(axial),
            neighbours=_frozen(_neighbours(axial)),
            pitch_m=pitch,
            focal_length_m=focal_length_m,
            effective_focal_length_m=effective_focal_length_m or focal_length_m,
        )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Camera:
        """Rebuild a camera from what `to_mapping` returned.

        Raises
        ------
        InputError
            A value is missing, or the values are not those of a camera.
        """
        if dict(values) == {"name": "MAGICCam"}:
            return cls.magic()
        try:
            axial = np.array(values["axial"], dtype=np.int32).reshape(-1, 2)
            return cls(
                name=str(values["name"]),
                x_m=_frozen(np.array(values["x_m"], dtype=np.float64)),
                y_m=_frozen(np.array(values["y_m"], dtype=np.float64)),
                axial=_frozen(axial),
                neighbours=_frozen(_neighbours(axial)),
                pitch_m=float(values["pitch_m"]),
                focal_length_m=float(values["focal_length_m"]),
                effective_focal_length_m=float(values["effective_focal_length_m"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not the description of a camera ({error!r})") from error

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for a file: only the name for MAGIC's camera, everything for another one."""
        magic = _magic_camera()
        if self.fingerprint == magic.fingerprint and self.effective_focal_length_m == magic.effective_focal_length_m:
            return {"name": magic.name}
        return {
            "name": self.name,
            "x_m": self.x_m.tolist(),
            "y_m": self.y_m.tolist(),
            "axial": self.axial.tolist(),
            "pitch_m": self.pitch_m,
            "focal_length_m": self.focal_length_m,
            "effective_focal_length_m": self.effective_focal_length_m,
        }

    @property
    def n_pixels(self) -> int:
        """Number of pixels P."""
        return len(self.x_m)

    @property
    def pixel_area_m2(self) -> float:
        """Area of one hexagonal pixel."""
        return float(np.sqrt(3.0) / 2.0 * self.pitch_m**2)

    @property
    def pixel_pitch_deg(self) -> float:
        """Angle between neighbouring pixel centres, with the effective focal length."""
        return float(np.degrees(self.pitch_m / self.effective_focal_length_m))

    @cached_property
    def x_deg(self) -> NDArray[np.float64]:
        """Pixel centres as angles, [P], degrees, with the effective focal length."""
        return _frozen(np.degrees(self.x_m / self.effective_focal_length_m))

    @cached_property
    def y_deg(self) -> NDArray[np.float64]:
        """Pixel centres as angles, [P], degrees, with the effective focal length."""
        return _frozen(np.degrees(self.y_m / self.effective_focal_length_m))

    @cached_property
    def neighbour_pairs(self) -> NDArray[np.int32]:
        """Every touching pair once, [n_pairs, 2], lower index first."""
        first = np.repeat(np.arange(self.n_pixels, dtype=np.int32), 6)
        second = self.neighbours.ravel()
        keep = second > first
        return _frozen(np.stack([first[keep], second[keep]], axis=1))

    @cached_property
    def is_border(self) -> NDArray[np.bool_]:
        """Pixels with a missing neighbour, [P]: the outermost ring of leakage."""
        return _frozen(np.any(self.neighbours < 0, axis=1, keepdims=True)[:, 0])

    @cached_property
    def fingerprint(self) -> str:
        """Short hash of the pixel order on the lattice, stored with models to refuse images of another camera."""
        content = np.ascontiguousarray(self.axial, dtype="<i4").tobytes()
        return hashlib.sha256(content + f"{self.pitch_m:.6f}".encode()).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Camera({self.name!r}, {self.n_pixels} pixels, pitch {self.pitch_m * 1e3:.2f} mm)"

    def _repr_html_(self) -> str:
        reach = float(np.hypot(self.x_deg, self.y_deg).max())
        lines = [
            ("pixels", f"{self.n_pixels}, {self.pitch_m * 1e3:.2f} mm or {self.pixel_pitch_deg:.4f} deg apart"),
            ("reach", f"{reach:.2f} deg from the centre to the farthest pixel"),
            ("focal length", f"{self.focal_length_m:g} m, effective {self.effective_focal_length_m:.4g} m"),
            ("fingerprint", self.fingerprint),
        ]
        return html_page(f"Camera {self.name}", lines)


@cache
def _magic_camera() -> Camera:
    sites = [(0, 0)]
    for ring in range(1, 20):
        q, r = ring, 0
        for step_q, step_r in _SPIRAL_STEPS:
            for _ in range(ring):
                if q * q + q * r + r * r < _MAGIC_LIMIT:
                    sites.append((q, r))
                q, r = q + step_q, r + step_r
    axial = np.array(sites, dtype=np.int32)
    along_e1, along_e2 = axial.astype(np.float64).T
    root3 = float(np.sqrt(3.0))
    # e1 = a (5, sqrt3) and e2 = e1 turned by 60 deg = a (1, 3 sqrt3), in the MARS frame
    x_mars = _MAGIC_UNIT_M * (5.0 * along_e1 + along_e2)
    y_mars = _MAGIC_UNIT_M * root3 * (along_e1 + 3.0 * along_e2)
    return Camera(
        name="MAGICCam",
        x_m=_frozen(-y_mars),
        y_m=_frozen(-x_mars),
        axial=_frozen(axial),
        neighbours=_frozen(_neighbours(axial)),
        pitch_m=_MAGIC_UNIT_M * float(np.sqrt(28.0)),
        focal_length_m=17.0,
        effective_focal_length_m=17.0 * 1.0713,
    )


def _frozen(array: _Array) -> _Array:
    array.setflags(write=False)
    return array


def _neighbours(axial: NDArray[np.int32]) -> NDArray[np.int32]:
    """Index of the pixel along each axial step, -1 where there is none."""
    low = axial.min(axis=0) - 1
    table = np.full(tuple(axial.max(axis=0) - low + 2), -1, dtype=np.int32)
    shifted = axial - low
    table[shifted[:, 0], shifted[:, 1]] = np.arange(len(axial), dtype=np.int32)
    around = shifted[:, None, :] + AXIAL_STEPS[None, :, :]
    neighbours: NDArray[np.int32] = table[around[..., 0], around[..., 1]]
    return neighbours


def _find_lattice(positions: NDArray[np.float64], name: str) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Axial coordinates by walking from pixel to pixel (gaps between modules do not add up), and the fitted basis."""
    from scipy.spatial import cKDTree

    tree = cKDTree(positions)
    distance, nearest = tree.query(positions, k=2)
    spacing = float(np.median(distance[:, 1]))
    vectors = positions[nearest[:, 1]] - positions
    vectors = vectors[distance[:, 1] < 1.2 * spacing]
    # directions modulo 60 deg between -7.5 and 52.5 deg: the usual 0 and 30 deg must not lie on the branch cut
    middle = np.radians(22.5)
    directions = 6.0 * (np.arctan2(vectors[:, 1], vectors[:, 0]) - middle)
    angles = middle + np.angle(np.mean(np.exp(1j * directions))) / 6.0 + np.radians([0.0, 60.0])
    basis = spacing * np.stack([np.cos(angles), np.sin(angles)], axis=1)  # rows e1, e2
    links = tree.query_ball_point(positions, 1.45 * spacing)
    axial = np.zeros((len(positions), 2), dtype=np.int32)
    seen = np.zeros(len(positions), dtype=bool)
    start = int(np.argmin(np.hypot(*(positions - positions.mean(axis=0)).T)))
    seen[start] = True
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in links[here]:
            if not seen[there]:
                seen[there] = True
                step = np.linalg.solve(basis.T, positions[there] - positions[here])
                axial[there] = axial[here] + np.rint(step).astype(np.int32)
                queue.append(there)
    design = np.column_stack([np.ones(len(axial)), axial])
    fit, *_ = np.linalg.lstsq(design, positions, rcond=None)
    worst = float(np.abs(positions - design @ fit).max()) / spacing
    unique = len(np.unique(axial, axis=0)) == len(axial)
    sides = np.linalg.norm([fit[1], fit[2], fit[2] - fit[1]], axis=1)
    uneven = float(np.ptp(sides)) / spacing
    if not seen.all() or not unique or worst > _LATTICE_TOLERANCE or uneven > _SIDE_TOLERANCE:
        raise InputError(
            f"camera {name}: its {len(positions)} pixels do not form one regular hexagonal lattice "
            f"(reached {int(seen.sum())}, worst distance from a lattice site {worst:.2f} pitches, "
            f"{'no' if unique else 'some'} sites shared, sides of its triangles differ by {uneven:.2f} pitches); "
            "only hexagonal cameras are supported"
        )
    return axial, fit[1:]
