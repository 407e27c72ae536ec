"""Roulette before anything is simulated: uses of a shower that can hardly trigger mostly drop out, unbiased."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.array import TELESCOPES_M, camera_from_sky, direction_vector, pointing_basis
from magicnn.simulation.settings import RouletteSettings

__all__ = ["axis_distance_m", "image_distance_deg", "survival_probability"]

Floats = NDArray[np.float64]

_MIDDLE_M = TELESCOPES_M.mean(axis=0)


def axis_distance_m(core_x_m: ArrayLike, core_y_m: ArrayLike, zenith_deg: ArrayLike, azimuth_deg: ArrayLike) -> Floats:
    """Distance of the middle between the telescopes to the axis, times the cosine of the zenith angle.

    Parameters
    ----------
    core_x_m, core_y_m : array_like, [N]
        Where the axis meets the ground, geographic north and west.
    zenith_deg, azimuth_deg : array_like, [N] or []
        Where the shower comes from.

    Returns
    -------
    float64 array, [N], metres
        The pool of light grows with the slant distance of the shower, as 1/cos(zenith): this distance does not.
    """
    across = _across(core_x_m, core_y_m, zenith_deg, azimuth_deg)
    distance: Floats = np.linalg.norm(across, axis=-1) * np.cos(np.radians(zenith_deg))
    return distance


def image_distance_deg(
    core_x_m: ArrayLike,
    core_y_m: ArrayLike,
    zenith_deg: ArrayLike,
    azimuth_deg: ArrayLike,
    pointing_zenith_deg: ArrayLike,
    pointing_azimuth_deg: ArrayLike,
    heights_m: tuple[float, float],
) -> Floats:
    """Angle between the centre of the cameras and the nearest point of the image of the shower's axis.

    Parameters
    ----------
    core_x_m, core_y_m : array_like, [N]
        Where the axis meets the ground, geographic north and west.
    zenith_deg, azimuth_deg : array_like, [N] or []
        Where the shower comes from.
    pointing_zenith_deg, pointing_azimuth_deg : array_like, [N]
        Pointing of the telescopes.
    heights_m : (float, float)
        Lowest and greatest height above the telescopes of the part of the axis that shines.

    Returns
    -------
    float64 array, [N], degrees(tangent)

    Notes
    -----
    A point of the axis at the slant distance L is seen in the direction of the source, shifted by the core's vector
    across the axis over L. The part of the axis between two heights is a straight piece in the camera.
    """
    source = np.stack(camera_from_sky(zenith_deg, azimuth_deg, pointing_zenith_deg, pointing_azimuth_deg), axis=-1)
    across = _across(core_x_m, core_y_m, zenith_deg, azimuth_deg)
    basis = pointing_basis(pointing_zenith_deg, pointing_azimuth_deg)
    shift = np.degrees(np.einsum("...ij,...j->...i", basis[..., :2, :], across))
    shift *= np.cos(np.radians(np.asarray(zenith_deg)))[..., None]
    near, far = source + shift / heights_m[0], source + shift / heights_m[1]
    piece = far - near
    length2 = np.maximum(np.sum(piece**2, axis=-1), 1e-12)
    along = np.clip(-np.sum(near * piece, axis=-1) / length2, 0.0, 1.0)
    closest: Floats = np.linalg.norm(near + along[..., None] * piece, axis=-1)
    return closest


def survival_probability(
    settings: RouletteSettings, energy_gev: ArrayLike, zenith_deg: ArrayLike, axis_m: ArrayLike, image_deg: ArrayLike
) -> Floats:
    """Chance of a thrown use to be simulated; one that is stands for the inverse of it.

    Parameters
    ----------
    settings : RouletteSettings
    energy_gev, zenith_deg : array_like, [N] or []
        Energy and zenith distance of the shower.
    axis_m : array_like, [N]
        From `axis_distance_m`.
    image_deg : array_like, [N]
        From `image_distance_deg`.

    Returns
    -------
    float64 array, [N]
        Between ``settings.smallest`` and 1.

    Notes
    -----
    1 for images within ``image_deg`` of the centre and axes within ``axis_m`` of the telescopes, which grows with a
    power of E cos^2(zenith); beyond, it falls exponentially with either distance. Nothing but what is known before
    the shower enters, so that every mean of weighted events is that of all thrown ones.
    """
    cos = np.cos(np.radians(np.asarray(zenith_deg, dtype=np.float64)))
    scale = (np.asarray(energy_gev, dtype=np.float64) / 1e3 * cos**2) ** settings.axis_energy_exponent
    beyond = np.maximum(np.asarray(image_deg) - settings.image_deg, 0.0) / settings.image_width_deg
    beyond = beyond + np.maximum(np.asarray(axis_m) - settings.axis_m * scale, 0.0) / settings.axis_width_m
    probability: Floats = np.maximum(np.exp(-beyond), settings.smallest)
    return probability


def _across(core_x_m: ArrayLike, core_y_m: ArrayLike, zenith_deg: ArrayLike, azimuth_deg: ArrayLike) -> Floats:
    """Vector from the telescopes' middle to the axis, across the axis, [N, 3]."""
    core = np.stack(np.broadcast_arrays(core_x_m, core_y_m, np.float64(0.0)), axis=-1) - _MIDDLE_M
    axis = direction_vector(zenith_deg, azimuth_deg)
    across: Floats = core - np.sum(core * axis, axis=-1, keepdims=True) * axis
    return across
