"""From ctapipe's description of a subarray to the camera, names and positions of the telescopes of an event set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import MAGIC_TELESCOPES, Site, TelescopeArray
from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError, has_near_name, known_name, nearest_names
from magicnn.summary import counted

__all__ = ["Instrument", "instrument_of", "is_hexagonal", "telescopes_by_camera"]

_SAME_PIXEL_M = 1e-4
_SAME_FOCAL_LENGTH = 1e-3


@dataclass(frozen=True, slots=True)
class Instrument:
    """The telescopes of one camera type of a subarray.

    Attributes
    ----------
    camera : Camera
        Their camera, pixels in ctapipe's order and camera frame.
    telescopes : tuple of str
        Names along T: ``"M1", "M2"`` for a pair with MAGIC's camera, else ctapipe's name and the telescope's number,
        such as ``"LST-1"``.
    tel_ids : tuple of int
        Their numbers in ctapipe, ascending.
    array : TelescopeArray
        Their positions.
    subarray : str
        Name of the whole array.
    """

    camera: Camera
    telescopes: tuple[str, ...]
    tel_ids: tuple[int, ...]
    array: TelescopeArray
    subarray: str


def instrument_of(
    subarray: Any,
    *,
    where: str,
    camera: str | None = None,
    telescopes: Sequence[str] | None = None,
    simulation: Mapping[str, Any] | None = None,
) -> Instrument:
    """Describe the telescopes of one camera type.

    Parameters
    ----------
    subarray : ctapipe.instrument.SubarrayDescription
        Of the source.
    where : str
        Names the source in errors.
    camera : str, optional
        Name of the camera, capitals or not; may be left out when there is only one hexagonal camera.
    telescopes : sequence of str, optional
        Names of the telescopes to take, capitals or not; all of that camera when not given.
    simulation : mapping, optional
        ``prod_site_B_total`` (uT), ``prod_site_B_inclination`` and ``prod_site_B_declination`` (angles) of ctapipe's
        simulation configuration: the magnetic field, not known when not given.

    Returns
    -------
    Instrument

    Raises
    ------
    ConfigError
        There is no such camera or telescope, or several cameras and none was chosen.
    InputError
        The camera is not hexagonal, or telescopes with one camera name differ in their pixels or focal length.
    """
    by_camera = telescopes_by_camera(subarray)
    chosen = _choose(subarray, by_camera, camera, where)
    names = _names(subarray, by_camera[chosen])
    wanted = set()
    for given in telescopes or ():
        name = known_name(given, names.values())
        if name is None:
            known = nearest_names(given, names.values())
            raise ConfigError(f"{where}: no telescope {given!r} with camera {chosen}; {known}")
        wanted.add(name)
    names = {tel_id: name for tel_id, name in names.items() if telescopes is None or name in wanted}
    tel_ids = tuple(names)
    described = _camera(subarray, chosen, tel_ids, where)
    array = _array(subarray, tel_ids, simulation)
    return Instrument(described, tuple(names.values()), tel_ids, array, str(subarray.name))


def telescopes_by_camera(subarray: Any) -> dict[str, list[int]]:
    """Numbers of the telescopes of a ``ctapipe.instrument.SubarrayDescription`` by the name of their camera."""
    by_camera: dict[str, list[int]] = {}
    for tel_id in sorted(subarray.tel):
        by_camera.setdefault(subarray.tel[tel_id].camera.name, []).append(tel_id)
    return by_camera


def _choose(subarray: Any, by_camera: Mapping[str, Sequence[int]], camera: str | None, where: str) -> str:
    """Name of the camera to read."""
    listed = ", ".join(f"{name} ({counted(len(ids), 'telescope')})" for name, ids in by_camera.items())
    if camera is not None:
        found = known_name(camera, by_camera)
        if found is None:
            hint = f"{nearest_names(camera, by_camera)} " if has_near_name(camera, by_camera) else ""
            raise ConfigError(f"{where}: no camera {camera!r}; {hint}it has {listed}")
        return found
    possible = [name for name, ids in by_camera.items() if is_hexagonal(subarray, ids[0])]
    if not possible:
        raise InputError(f"{where}: no telescope with a hexagonal camera, only {listed}")
    if len(possible) > 1:
        raise ConfigError(
            f"{where}: telescopes with several cameras, {listed}; choose one with --camera {possible[0]} (magicnn "
            f"convert, magicnn info) or camera={possible[0]!r} (Python)"
        )
    return possible[0]


def is_hexagonal(subarray: Any, tel_id: int) -> bool:
    """Tell whether the pixels of a telescope's camera are hexagons."""
    from ctapipe.instrument import PixelShape

    return bool(subarray.tel[tel_id].camera.geometry.pix_type == PixelShape.HEXAGON)


def _camera(subarray: Any, name: str, tel_ids: Sequence[int], where: str) -> Camera:
    """Build the camera that these telescopes share."""
    if not is_hexagonal(subarray, tel_ids[0]):
        shape = subarray.tel[tel_ids[0]].camera.geometry.pix_type.value
        raise InputError(
            f"{where}: the pixels of camera {name} are of shape {shape}; only hexagonal cameras can be read"
        )
    x, y, *focal = _measures(subarray.tel[tel_ids[0]], where)
    for tel_id in tel_ids[1:]:
        other_x, other_y, *other_focal = _measures(subarray.tel[tel_id], where)
        same_pixels = x.shape == other_x.shape and np.hypot(x - other_x, y - other_y).max() < _SAME_PIXEL_M
        if not same_pixels or not np.allclose(focal, other_focal, rtol=_SAME_FOCAL_LENGTH, equal_nan=True):
            raise InputError(
                f"{where}: the telescopes {tel_ids[0]} and {tel_id} both have a camera {name}, but differ in "
                "pixel positions or focal length; read them one at a time, naming the telescope"
            )
    return Camera.from_geometry(
        x, y, name=name, focal_length_m=focal[0], effective_focal_length_m=focal[1] if np.isfinite(focal[1]) else None
    )


def _measures(telescope: Any, where: str) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    """Pixel positions in the camera frame, focal length of the mirror and effective one, metres."""
    from ctapipe.coordinates import CameraFrame

    geometry, optics = telescope.camera.geometry, telescope.optics
    if geometry.frame is not None and not isinstance(geometry.frame, CameraFrame):
        raise InputError(f"{where}: pixel positions in {type(geometry.frame).__name__}, expected CameraFrame")
    x, y = (np.asarray(axis.to_value("m"), dtype=np.float64) for axis in (geometry.pix_x, geometry.pix_y))
    mirror, effective = (
        float(length.to_value("m")) for length in (optics.equivalent_focal_length, optics.effective_focal_length)
    )
    return x, y, mirror, effective


def _names(subarray: Any, tel_ids: Sequence[int]) -> dict[int, str]:
    """Name of each telescope."""
    names = {tel_id: f"{subarray.tel[tel_id].name}-{tel_id}" for tel_id in tel_ids}
    geometry = subarray.tel[tel_ids[0]].camera.geometry
    magic = Camera.magic()
    if len(tel_ids) == len(MAGIC_TELESCOPES) and len(geometry.pix_x) == magic.n_pixels:
        x, y = geometry.pix_x.to_value("m"), geometry.pix_y.to_value("m")
        if np.hypot(x - magic.x_m, y - magic.y_m).max() < _SAME_PIXEL_M:
            return dict(zip(tel_ids, MAGIC_TELESCOPES, strict=True))
    return names


def _array(subarray: Any, tel_ids: Sequence[int], simulation: Mapping[str, Any] | None) -> TelescopeArray:
    positions = [[float(x) for x in subarray.positions[tel_id].to_value("m")] for tel_id in tel_ids]
    location = subarray.reference_location.to_geodetic()
    height = round(float(location.height.to_value("m")), 6)  # the way through geocentric coordinates adds noise
    north, down, declination = _field(simulation)
    site = Site(
        latitude_deg=float(location.lat.to_value("deg")),
        longitude_deg=float(location.lon.to_value("deg")),
        height_m=height,
        field_north_ut=north,
        field_down_ut=down,
        declination_deg=declination,
    )
    return TelescopeArray(tuple((x, y, z) for x, y, z in positions), height, site)


def _field(simulation: Mapping[str, Any] | None) -> tuple[float | None, float | None, float]:
    """Horizontal and vertical field and its declination; None when not known."""
    if simulation is None:
        return None, None, 0.0
    total = float(simulation["prod_site_B_total"].to_value("uT"))
    inclination, declination = (
        float(simulation[f"prod_site_B_{name}"].to_value("rad")) for name in ("inclination", "declination")
    )
    if not math.isfinite(total) or total <= 0.0:
        return None, None, 0.0
    return total * math.cos(inclination), total * math.sin(inclination), math.degrees(declination)
