"""Telescopes on the ground, MAGIC's two by default, and the frames of the sky, the camera and the ground.

Ground frames are right-handed with z up: *geographic* has x north and y west (telescope positions, cores in event
sets); *magnetic*, the frame of CORSIKA and MARS, has x magnetic north and y magnetic west. Azimuth runs from
geographic north through east. Camera angles are gnomonic offsets from the pointing, +x towards higher altitude and
+y towards larger azimuth, which is ctapipe's camera frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FIELD_DOWN_UT",
    "FIELD_NORTH_UT",
    "MAGIC_TELESCOPES",
    "MAGNETIC_DECLINATION_DEG",
    "OBSERVATION_LEVEL_M",
    "SITE",
    "TELESCOPES_M",
    "Site",
    "TelescopeArray",
    "camera_from_sky",
    "direction_vector",
    "geographic_from_magnetic",
    "impact_m",
    "magnetic_from_geographic",
    "pointing_basis",
    "projected_baseline_m",
    "projected_field_ut",
    "separation_deg",
    "sky_from_camera",
    "wrapped_degrees",
]

Floats = NDArray[np.float64]


MAGNETIC_DECLINATION_DEG = -7.0
"""Magnetic north lies this far east of geographic north (negative: west), the value in CORSIKA's MAGIC productions."""

OBSERVATION_LEVEL_M = 2200.0
"""Height above sea level of the ground plane of the simulation."""


FIELD_NORTH_UT, FIELD_DOWN_UT = 29.5, 23.0
"""Horizontal and vertical magnetic field at MAGIC, microtesla."""


@dataclass(frozen=True, slots=True)
class Site:
    """Position of the observatory and its magnetic field (values of ctapipe_io_magic's constants).

    The field is None where it is not known.
    """

    latitude_deg: float = 28.761758
    longitude_deg: float = -17.890659
    height_m: float = 2199.0
    field_north_ut: float | None = FIELD_NORTH_UT
    field_down_ut: float | None = FIELD_DOWN_UT
    declination_deg: float = MAGNETIC_DECLINATION_DEG


SITE = Site()

TELESCOPES_M: Floats = np.array([[34.99, -24.02, 0.0], [-34.99, 24.02, 0.0]])
"""M1 and M2, [2, 3], metres, geographic frame (x north, y west, z up)."""
TELESCOPES_M.setflags(write=False)


MAGIC_TELESCOPES = ("M1", "M2")
"""Names of the telescopes at `TELESCOPES_M`."""


@dataclass(frozen=True, slots=True)
class TelescopeArray:
    """Where the telescopes of an event set stand.

    Attributes
    ----------
    positions_m : tuple of (float, float, float)
        One position per telescope, metres, geographic frame (x north, y west, z up).
    ground_m : float
        Height above sea level of z = 0.
    site : Site
        Observatory.
    """

    positions_m: tuple[tuple[float, float, float], ...]
    ground_m: float = OBSERVATION_LEVEL_M
    site: Site = SITE

    @classmethod
    def magic(cls, telescopes: Sequence[str] = MAGIC_TELESCOPES) -> TelescopeArray:
        """Return the positions of telescopes named ``"M1"`` and ``"M2"``.

        Raises
        ------
        ValueError
            Another name.
        """
        x, y, z = TELESCOPES_M[[MAGIC_TELESCOPES.index(name) for name in telescopes]].T.tolist()
        return cls(tuple(zip(x, y, z, strict=True)))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> TelescopeArray:
        """Rebuild an array from what `to_mapping` returned."""
        positions = tuple((float(x), float(y), float(z)) for x, y, z in values["positions_m"])
        return cls(positions, float(values["ground_m"]), Site(**values["site"]))

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for a file."""
        return {
            "positions_m": [list(position) for position in self.positions_m],
            "ground_m": self.ground_m,
            "site": asdict(self.site),
        }


def _rotate(vectors: ArrayLike, angle_deg: float) -> Floats:
    points = np.asarray(vectors, dtype=np.float64)
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turned = points.copy()
    turned[..., 0] = cos * points[..., 0] + sin * points[..., 1]
    turned[..., 1] = cos * points[..., 1] - sin * points[..., 0]
    return turned


def geographic_from_magnetic(vectors: ArrayLike) -> Floats:
    """Turn vectors (..., 2 or 3) from the frame of CORSIKA and MARS into the geographic one."""
    return _rotate(vectors, MAGNETIC_DECLINATION_DEG)


def magnetic_from_geographic(vectors: ArrayLike) -> Floats:
    """Turn vectors (..., 2 or 3) from the geographic frame into that of CORSIKA and MARS."""
    return _rotate(vectors, -MAGNETIC_DECLINATION_DEG)


def wrapped_degrees(angle_deg: ArrayLike) -> Floats:
    """Fold angles into [-180, 180)."""
    return (np.asarray(angle_deg, dtype=np.float64) + 180.0) % 360.0 - 180.0


def direction_vector(zenith_deg: ArrayLike, azimuth_deg: ArrayLike) -> Floats:
    """Unit vectors towards the sky, [..., 3], geographic frame."""
    zenith, azimuth = np.radians(zenith_deg), np.radians(azimuth_deg)
    sin = np.sin(zenith)
    return np.stack(np.broadcast_arrays(sin * np.cos(azimuth), -sin * np.sin(azimuth), np.cos(zenith)), axis=-1)


def separation_deg(
    zenith_deg: ArrayLike, azimuth_deg: ArrayLike, other_zenith_deg: ArrayLike, other_azimuth_deg: ArrayLike
) -> Floats:
    """Angle between directions, [...], degrees; its square is MAGIC's theta2 when the other one is the source."""
    difference = direction_vector(zenith_deg, azimuth_deg) - direction_vector(other_zenith_deg, other_azimuth_deg)
    # from the chord: the angle between nearly equal directions has no digits left in its cosine
    half_chord = np.minimum(np.linalg.norm(difference, axis=-1) / 2.0, 1.0)
    return np.asarray(np.degrees(2.0 * np.arcsin(half_chord)))


def pointing_basis(zenith_deg: ArrayLike, azimuth_deg: ArrayLike) -> Floats:
    """Axes of the camera frame in the geographic frame.

    Parameters
    ----------
    zenith_deg, azimuth_deg : array_like, [...]
        Pointing of the telescope.

    Returns
    -------
    float64 array, [..., 3, 3]
        Rows: camera x (towards higher altitude), camera y (towards larger azimuth), pointing direction.
    """
    zenith, azimuth = np.broadcast_arrays(np.radians(zenith_deg), np.radians(azimuth_deg))
    cos_z, sin_z, cos_a, sin_a = np.cos(zenith), np.sin(zenith), np.cos(azimuth), np.sin(azimuth)
    up = np.stack([-cos_z * cos_a, cos_z * sin_a, sin_z], axis=-1)
    along = np.stack([-sin_a, -cos_a, np.zeros_like(zenith)], axis=-1)
    ahead = np.stack([sin_z * cos_a, -sin_z * sin_a, cos_z], axis=-1)
    return np.stack([up, along, ahead], axis=-2)


def camera_from_sky(
    zenith_deg: ArrayLike, azimuth_deg: ArrayLike, pointing_zenith_deg: ArrayLike, pointing_azimuth_deg: ArrayLike
) -> tuple[Floats, Floats]:
    """Project sky directions onto the camera plane.

    Parameters
    ----------
    zenith_deg, azimuth_deg : array_like, [...]
        Direction on the sky.
    pointing_zenith_deg, pointing_azimuth_deg : array_like, [...]
        Pointing of the telescope.

    Returns
    -------
    x_deg, y_deg : float64 arrays, [...]
        Gnomonic offsets (tangent of the angle, in degrees); NaN for directions behind the telescope.
    """
    basis = pointing_basis(pointing_zenith_deg, pointing_azimuth_deg)
    local = np.einsum("...ij,...j->...i", basis, direction_vector(zenith_deg, azimuth_deg))
    ahead = np.where(local[..., 2] > 0.0, local[..., 2], np.nan)
    return np.degrees(local[..., 0] / ahead), np.degrees(local[..., 1] / ahead)


def sky_from_camera(
    x_deg: ArrayLike, y_deg: ArrayLike, pointing_zenith_deg: ArrayLike, pointing_azimuth_deg: ArrayLike
) -> tuple[Floats, Floats]:
    """Invert `camera_from_sky`.

    Returns
    -------
    zenith_deg, azimuth_deg : float64 arrays, [...]
        Azimuth in [0, 360).
    """
    basis = pointing_basis(pointing_zenith_deg, pointing_azimuth_deg)
    x, y = np.broadcast_arrays(np.radians(x_deg), np.radians(y_deg))
    local = np.stack([x, y, np.ones_like(x)], axis=-1)
    vector = np.einsum("...ij,...i->...j", basis, local)
    zenith = np.degrees(np.arctan2(np.hypot(vector[..., 0], vector[..., 1]), vector[..., 2]))
    return zenith, np.degrees(np.arctan2(-vector[..., 1], vector[..., 0])) % 360.0


def impact_m(
    core_x_m: ArrayLike,
    core_y_m: ArrayLike,
    zenith_deg: ArrayLike,
    azimuth_deg: ArrayLike,
    telescopes_m: ArrayLike = TELESCOPES_M,
) -> Floats:
    """Distance of each telescope to the shower axis.

    Parameters
    ----------
    core_x_m, core_y_m : array_like, [N]
        Where the axis meets the ground plane z = 0, geographic frame.
    zenith_deg, azimuth_deg : array_like, [N]
        Direction the shower comes from.
    telescopes_m : array_like, [T, 3]
        Telescope positions.

    Returns
    -------
    float64 array, [N, T]
    """
    core = np.stack(np.broadcast_arrays(core_x_m, core_y_m, np.float64(0.0)), axis=-1)
    to_telescope = np.asarray(telescopes_m, dtype=np.float64) - core[..., None, :]
    axis = direction_vector(zenith_deg, azimuth_deg)[..., None, :]
    distance: Floats = np.linalg.norm(np.cross(to_telescope, axis), axis=-1)
    return distance


def projected_baseline_m(
    zenith_deg: ArrayLike, azimuth_deg: ArrayLike, baseline_m: ArrayLike = TELESCOPES_M[1] - TELESCOPES_M[0]
) -> Floats:
    """Vector between two telescopes in the camera plane, [..., 2], metres: what a shower sees of their distance.

    Parameters
    ----------
    zenith_deg, azimuth_deg : array_like, [...]
        Pointing.
    baseline_m : array_like, [3]
        From one telescope to the other, geographic frame; from M1 to M2 when not given.
    """
    basis = pointing_basis(zenith_deg, azimuth_deg)
    projected: Floats = np.einsum("...ij,j->...i", basis, np.asarray(baseline_m, dtype=np.float64))[..., :2]
    return projected


def projected_field_ut(zenith_deg: ArrayLike, azimuth_deg: ArrayLike, site: Site = SITE) -> Floats:
    """Geomagnetic field in the camera plane, [..., 2], microtesla: its size sets the spread of the shower.

    NaN where the field of the site is not known.
    """
    north, down = (np.nan if part is None else part for part in (site.field_north_ut, site.field_down_ut))
    field = _rotate(np.array([north, 0.0, -down]), site.declination_deg)
    projected: Floats = np.einsum("...ij,j->...i", pointing_basis(zenith_deg, azimuth_deg), field)[..., :2]
    return projected
