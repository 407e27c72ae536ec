"""Stereo reconstruction from image axes: direction, core, impact and height of the shower maximum.

An image axis and its telescope span a plane that holds the shower axis; the planes of two telescopes cut in it.
Camera angles are gnomonic, so an image axis is a straight line and the planes are exact at any offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from magicnn.array import OBSERVATION_LEVEL_M, TELESCOPES_M, direction_vector, impact_m, pointing_basis, sky_from_camera
from magicnn.config import Settings
from magicnn.errors import InputError
from magicnn.images.cherenkov import cherenkov_pool

__all__ = ["STEREO_PARAMETERS", "StereoSettings", "geometry_from_direction", "reconstruct"]

Floats = NDArray[np.float64]

STEREO_PARAMETERS: dict[str, tuple[str, str]] = {
    "reco_x_deg": ("deg", "reconstructed direction, camera x"),
    "reco_y_deg": ("deg", "reconstructed direction, camera y"),
    "reco_zenith_deg": ("deg", "zenith distance of the reconstructed direction"),
    "reco_azimuth_deg": ("deg", "azimuth of the reconstructed direction, north 0, east 90"),
    "reco_core_x_m": ("m", "reconstructed core on the ground, geographic north"),
    "reco_core_y_m": ("m", "reconstructed core on the ground, geographic west"),
    "impact_m": ("m", "distance of the telescope to the reconstructed axis"),
    "h_max_m": ("m", "height above sea level where the lines of sight to the centres of gravity meet"),
    "cherenkov_radius_m": ("m", "radius of the Cherenkov ring on the ground of an 86 MeV electron at h_max"),
    "cherenkov_density_m2": ("1/m2", "photons per square metre in the ring of that electron, 300 to 600 nm"),
    "stereo_angle_deg": ("deg", "largest angle between two image axes in the camera"),
    "is_stereo": ("", "two images with an axis, at an angle that lets them be crossed"),
}
"""Unit and description of each parameter of `reconstruct`; ``impact_m`` is per telescope."""


class StereoSettings(Settings):
    """When two images can be crossed, and the air."""

    min_stereo_angle_deg: float = Field(
        default=0.1, ge=0, lt=90, description="image axes at a smaller angle count as parallel, deg (6 arcmin)"
    )
    atmosphere: str = Field(default="magic-winter", description="air that the Cherenkov light passes")


STANDARD_STEREO = StereoSettings()
"""MAGIC's limit of 6 arcmin, and its winter."""


def reconstruct(
    parameters: Mapping[str, NDArray[Any]],
    pointing_zenith_deg: ArrayLike,
    pointing_azimuth_deg: ArrayLike,
    *,
    telescopes_m: ArrayLike = TELESCOPES_M,
    ground_m: float = OBSERVATION_LEVEL_M,
    settings: StereoSettings = STANDARD_STEREO,
) -> dict[str, NDArray[Any]]:
    """Cross the image axes of each event.

    Parameters
    ----------
    parameters : mapping of str to float array, [N, T]
        ``size_pe, cog_x_deg, cog_y_deg, psi_deg, length_deg, width_deg`` of each image.
    pointing_zenith_deg, pointing_azimuth_deg : array_like, [N]
        Pointing, the same for all telescopes.
    telescopes_m : array_like, [T, 3], metres
        Positions, geographic frame.
    ground_m : float
        Height above sea level of z = 0.
    settings : StereoSettings
        When images count as parallel, and the air.

    Returns
    -------
    dict of str to array
        The names of `STEREO_PARAMETERS`: [N, T] for ``impact_m``, bool [N] for ``is_stereo``, float64 [N] else.
        ``stereo_angle_deg`` is given wherever there are two axes; everything else is NaN where ``is_stereo`` is not.

    Raises
    ------
    InputError
        The number of telescopes of the images and of the positions differ.
    ConfigError
        There is no atmosphere of that name.

    Notes
    -----
    The direction is the mean of the crossings of all pairs of planes, each weighted with the product of
    size x length / width of its images and the sine of the angle between the planes, as in ctapipe's
    ``HillasReconstructor``; with two telescopes there is one crossing. The core is where the axis meets z = 0, found
    from the planes themselves; ctapipe projects along the pointing instead of the shower, which is the same for
    showers parallel to the pointing or from the zenith. ``h_max_m`` is the point closest to all lines of sight
    to the centres of gravity, as in ctapipe. The Cherenkov ring (`magicnn.images.cherenkov.cherenkov_pool`) is that at
    the zenith distance of the reconstructed direction.
    """
    columns = {n: np.asarray(parameters[n], dtype=np.float64) for n in _NEEDED}
    positions = np.asarray(telescopes_m, dtype=np.float64)
    if columns["psi_deg"].shape[1:] != (len(positions),):
        raise InputError(
            f"stereo: image parameters of shape {columns['psi_deg'].shape} for {len(positions)} telescope positions"
        )
    has_axis = np.isfinite(columns["psi_deg"]) & (columns["width_deg"] > 0.0) & (columns["size_pe"] > 0.0)
    psi = np.where(has_axis, np.radians(columns["psi_deg"]), 0.0)
    x = np.where(has_axis, np.radians(columns["cog_x_deg"]), 0.0)
    y = np.where(has_axis, np.radians(columns["cog_y_deg"]), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(has_axis, columns["size_pe"] * columns["length_deg"] / columns["width_deg"], 0.0)
    stereo_angle = _stereo_angle_deg(psi, has_axis)
    is_stereo = stereo_angle >= settings.min_stereo_angle_deg
    direction = _crossing(x, y, psi, weight)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reco_x = np.where(is_stereo, np.degrees(direction[:, 0] / direction[:, 2]), np.nan)
        reco_y = np.where(is_stereo, np.degrees(direction[:, 1] / direction[:, 2]), np.nan)
    basis = pointing_basis(pointing_zenith_deg, pointing_azimuth_deg)
    sight = _sight(columns["cog_x_deg"], columns["cog_y_deg"], basis)
    use = has_axis & is_stereo[:, None]
    geometry = _geometry(reco_x, reco_y, sight, use, pointing_zenith_deg, pointing_azimuth_deg, positions)
    h_max = _meeting_point(sight, positions, use)[:, 2] + ground_m
    radius, density = cherenkov_pool(h_max, geometry["reco_zenith_deg"], settings.atmosphere, ground_m=ground_m)
    return {
        "reco_x_deg": reco_x,
        "reco_y_deg": reco_y,
        **geometry,
        "h_max_m": h_max,
        "cherenkov_radius_m": radius,
        "cherenkov_density_m2": density,
        "stereo_angle_deg": stereo_angle,
        "is_stereo": is_stereo,
    }


def geometry_from_direction(
    x_deg: ArrayLike,
    y_deg: ArrayLike,
    parameters: Mapping[str, NDArray[Any]],
    pointing_zenith_deg: ArrayLike,
    pointing_azimuth_deg: ArrayLike,
    *,
    telescopes_m: ArrayLike = TELESCOPES_M,
    ground_m: float = OBSERVATION_LEVEL_M,
    typical_height_m: ArrayLike | None = None,
    height_spread: float = 0.2,
) -> dict[str, Floats]:
    """Find core, impact and height of the maximum for a direction known otherwise.

    Parameters
    ----------
    x_deg, y_deg : array_like, [N]
        Direction in the camera.
    parameters : mapping of str to float array, [N, T]
        ``size_pe, cog_x_deg, cog_y_deg`` of each image.
    pointing_zenith_deg, pointing_azimuth_deg : array_like, [N]
        Pointing, the same for all telescopes.
    telescopes_m : array_like, [T, 3], metres
        Positions, geographic frame.
    ground_m : float
        Height above sea level of z = 0.
    typical_height_m : array_like, [N], optional
        Height above ground of the maximum of such showers, from what is known besides the geometry.
    height_spread : float
        Relative error of that.

    Returns
    -------
    dict of str to float64 array
        ``reco_zenith_deg, reco_azimuth_deg, reco_core_x_m, reco_core_y_m, h_max_m`` [N] and ``impact_m`` [N, T];
        NaN without two images.

    Notes
    -----
    Our own: all telescopes see one maximum on the axis, so the place of each centre of gravity relative to the
    direction is (core - telescope) / distance of the maximum. This is solved for core and distance by least squares.
    A centre of gravity errs by 0.02 deg across the image axis, and along it by 0.03 deg and a tenth of its angle to the
    direction, as the telescopes see different parts of the shower. Where the images cross well this is the crossing of
    the planes; where they are parallel, which leaves the crossing free to slide along the plane, the distance of the
    images from each other fixes the height, and with it the core. The typical height enters as one more measurement.
    """
    size = np.asarray(parameters["size_pe"], dtype=np.float64)
    cog_x = np.asarray(parameters["cog_x_deg"], dtype=np.float64)
    cog_y = np.asarray(parameters["cog_y_deg"], dtype=np.float64)
    x, y = np.asarray(x_deg, dtype=np.float64), np.asarray(y_deg, dtype=np.float64)
    positions = np.asarray(telescopes_m, dtype=np.float64)
    zenith, azimuth = sky_from_camera(x, y, pointing_zenith_deg, pointing_azimuth_deg)
    axis = direction_vector(zenith, azimuth)
    sight = _sight(cog_x, cog_y, pointing_basis(pointing_zenith_deg, pointing_azimuth_deg))
    use = (size > 0.0) & np.isfinite(cog_x) & (np.isfinite(x) & np.isfinite(y))[:, None]
    use &= (use.sum(axis=1) >= 2)[:, None]
    known = None
    if typical_height_m is not None:
        height = np.asarray(typical_height_m, dtype=np.float64)
        known = height, height_spread * height
    maximum = _maximum_on_axis(axis, sight, use, positions, known)
    core = maximum - axis * (maximum[:, 2] / axis[:, 2])[:, None]
    return {
        "reco_zenith_deg": np.asarray(zenith, dtype=np.float64),
        "reco_azimuth_deg": np.asarray(azimuth, dtype=np.float64),
        "reco_core_x_m": core[:, 0],
        "reco_core_y_m": core[:, 1],
        "impact_m": impact_m(core[:, 0], core[:, 1], zenith, azimuth, positions),
        "h_max_m": maximum[:, 2] + ground_m,
    }


_ACROSS_DEG, _ALONG_DEG, _ALONG_SHARE = 0.02, 0.03, 0.1


def _maximum_on_axis(
    axis: Floats, sight: Floats, use: NDArray[np.bool_], positions: Floats, known: tuple[Floats, Floats] | None
) -> Floats:
    """Maximum of the shower, [N, 3], by least squares; ``known``: its height above ground, and the error."""
    right = np.cross(axis, np.where(np.abs(axis[:, 2:]) < 0.999999, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]))
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    frame = np.stack([right, np.cross(axis, right)], axis=1)  # [N, 2, 3], across the axis
    place, foot = np.einsum("nij,tj->nti", frame, positions), np.einsum("nj,tj->nt", axis, positions)
    with np.errstate(divide="ignore", invalid="ignore"):
        tangent = np.einsum("nij,ntj->nti", frame, sight) / np.einsum("nj,ntj->nt", axis, sight)[..., None]
        angle = np.linalg.norm(tangent, axis=-1)
        along = np.where(angle[..., None] > 0.0, tangent / angle[..., None], [1.0, 0.0])
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    errors = np.hypot(np.radians(_ALONG_DEG), _ALONG_SHARE * angle), np.full(angle.shape, np.radians(_ACROSS_DEG))
    matrix, vector = np.zeros((len(axis), 3, 3)), np.zeros((len(axis), 3))
    # an angle counts by what it means at the maximum; without a typical height only the ratios of the weights matter
    distance = np.ones(len(axis)) if known is None else known[0] / axis[:, 2]
    for line, error in zip((along, across), errors, strict=True):
        # line . (core - telescope - (distance - foot) tangent) = 0 for the unknown (core, distance)
        row = np.concatenate([line, -np.sum(line * tangent, axis=-1, keepdims=True)], axis=-1)
        value = np.sum(line * (place - foot[..., None] * tangent), axis=-1)
        weight = np.where(use, (error * distance[:, None]) ** -2.0, 0.0)
        row, value = np.where(use[..., None], row, 0.0), np.where(use, value, 0.0)
        matrix += np.einsum("nt,nti,ntj->nij", weight, row, row)
        vector += np.einsum("nt,nti,nt->ni", weight, row, value)
    if known is not None:
        up = np.concatenate([frame[:, :, 2], axis[:, 2:]], axis=1)
        matrix += np.einsum("n,ni,nj->nij", known[1] ** -2.0, up, up)
        vector += (known[0] * known[1] ** -2.0)[:, None] * up
    solved = np.einsum("nij,nj->ni", _inverse(matrix), vector)
    return np.where(
        use.any(axis=1, keepdims=True), np.einsum("ni,nij->nj", solved[:, :2], frame) + solved[:, 2:] * axis, np.nan
    )


_NEEDED = ("size_pe", "cog_x_deg", "cog_y_deg", "psi_deg", "length_deg", "width_deg")


def _stereo_angle_deg(psi: Floats, has_axis: NDArray[np.bool_]) -> Floats:
    """Largest angle between two image axes, [N]; NaN with fewer than two."""
    largest = np.full(len(psi), np.nan)
    for a, b in combinations(range(psi.shape[1]), 2):
        turn = np.abs(psi[:, a] - psi[:, b]) % np.pi
        angle = np.degrees(np.minimum(turn, np.pi - turn))
        largest = np.fmax(largest, np.where(has_axis[:, a] & has_axis[:, b], angle, np.nan))
    return largest


def _crossing(x: Floats, y: Floats, psi: Floats, weight: Floats) -> Floats:
    """Weighted mean crossing of the planes, [N, 3], camera frame, towards the pointing."""
    cos, sin = np.cos(psi), np.sin(psi)
    normal = np.stack([-sin, cos, x * sin - y * cos], axis=-1)  # (x, y, 1) x (cos, sin, 0)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    total = np.zeros((len(psi), 3))
    for a, b in combinations(range(psi.shape[1]), 2):
        line = np.cross(normal[:, a], normal[:, b])
        line *= np.where(line[:, 2:] < 0.0, -1.0, 1.0)
        total += line * (weight[:, a] * weight[:, b])[:, None]
    return total


def _sight(cog_x_deg: Floats, cog_y_deg: Floats, basis: Floats) -> Floats:
    """Unit vectors towards the centres of gravity, [N, T, 3], geographic frame."""
    local = np.stack([np.radians(cog_x_deg), np.radians(cog_y_deg), np.ones_like(cog_x_deg)], axis=-1)
    sight: Floats = np.einsum("nij,nti->ntj", basis, local / np.linalg.norm(local, axis=-1, keepdims=True))
    return sight


def _geometry(
    x_deg: Floats,
    y_deg: Floats,
    sight: Floats,
    use: NDArray[np.bool_],
    pointing_zenith_deg: ArrayLike,
    pointing_azimuth_deg: ArrayLike,
    positions: Floats,
) -> dict[str, Floats]:
    """Sky direction, core on the ground by least squares to the planes, and impact."""
    zenith, azimuth = sky_from_camera(x_deg, y_deg, pointing_zenith_deg, pointing_azimuth_deg)
    axis = direction_vector(zenith, azimuth)
    normal = np.cross(np.broadcast_to(axis[:, None, :], sight.shape), sight)
    with np.errstate(divide="ignore", invalid="ignore"):
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        normal = np.where(use[..., None], normal, 0.0)
        offset = np.sum(normal * positions, axis=-1)
        # least squares for the point (x, y, 0) with normal . (point - telescope) = 0
        xx, yy = np.sum(normal[..., 0] ** 2, axis=1), np.sum(normal[..., 1] ** 2, axis=1)
        xy = np.sum(normal[..., 0] * normal[..., 1], axis=1)
        bx, by = np.sum(normal[..., 0] * offset, axis=1), np.sum(normal[..., 1] * offset, axis=1)
        determinant = xx * yy - xy * xy
        determinant = np.where(determinant > 0.0, determinant, np.nan)
        core_x, core_y = (bx * yy - by * xy) / determinant, (by * xx - bx * xy) / determinant
    return {
        "reco_zenith_deg": zenith,
        "reco_azimuth_deg": azimuth,
        "reco_core_x_m": core_x,
        "reco_core_y_m": core_y,
        "impact_m": impact_m(core_x, core_y, zenith, azimuth, positions),
    }


def _meeting_point(sight: Floats, positions: Floats, use: NDArray[np.bool_]) -> Floats:
    """Point closest to all lines of sight, [N, 3]; NaN where there is none."""
    project = np.where(use[..., None, None], np.eye(3) - sight[..., :, None] * sight[..., None, :], 0.0)
    matrix = project.sum(axis=1)
    vector = np.einsum("ntij,tj->ni", project, positions)
    point: Floats = np.einsum("nij,nj->ni", _inverse(matrix), vector)
    return point


def _inverse(matrix: Floats) -> Floats:
    """Inverse of symmetric 3 x 3 matrices by cofactors; NaN, not an error for the whole batch, where there is none."""
    first, second, third = matrix[:, 0], matrix[:, 1], matrix[:, 2]
    cofactors = np.stack([np.cross(second, third), np.cross(third, first), np.cross(first, second)], axis=-1)
    determinant = np.sum(first * cofactors[:, :, 0], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse: Floats = cofactors / np.where(determinant > 0.0, determinant, np.nan)[:, None, None]
    return inverse
