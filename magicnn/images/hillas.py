"""Parameters of cleaned images: moments, timing, leakage, concentration and islands, for a whole batch at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.errors import InputError
from magicnn.images.cleaning import label_islands

__all__ = ["IMAGE_PARAMETERS", "image_parameters"]

Floats = NDArray[np.float64]

IMAGE_PARAMETERS: dict[str, tuple[str, str]] = {
    "size_pe": ("phe", "sum of the charges of the cleaned image; 0 when no pixel is left"),
    "cog_x_deg": ("deg", "centre of gravity, camera x"),
    "cog_y_deg": ("deg", "centre of gravity, camera y"),
    "r_deg": ("deg", "distance of the centre of gravity to the camera centre"),
    "phi_deg": ("deg", "polar angle of the centre of gravity"),
    "length_deg": ("deg", "RMS of the charge along the major axis"),
    "width_deg": ("deg", "RMS of the charge along the minor axis"),
    "psi_deg": ("deg", "angle of the major axis to camera x, in (-90, 90]"),
    "skewness": ("", "third moment along the major axis, in units of length, positive towards psi"),
    "kurtosis": ("", "fourth moment along the major axis, in units of length (3 for a Gaussian)"),
    "m3_long_deg": ("deg", "cube root of the third moment along the major axis, positive towards psi"),
    "m3_trans_deg": ("deg", "cube root of the third moment across the major axis, positive towards psi + 90 deg"),
    "asymmetry_deg": ("deg", "from the brightest pixel to the centre of gravity along the major axis, towards psi"),
    "time_slope_ns_per_deg": ("ns/deg", "slope of time along the major axis, weighted with charge, towards psi"),
    "time_intercept_ns": ("ns", "time of that line at the centre of gravity"),
    "time_deviation_ns": ("ns", "charge-weighted RMS of the times about that line"),
    "time_mean_ns": ("ns", "charge-weighted mean time"),
    "time_rms_ns": ("ns", "charge-weighted RMS of the times"),
    "time_head_tail_ns": ("ns", "mean time of the side of the centre of gravity that psi points to, minus the other's"),
    "leakage1": ("", "fraction of the size in the outermost ring of pixels (fewer than six neighbours)"),
    "leakage2": ("", "fraction of the size in the two outermost rings of pixels"),
    "leakage1_mars": ("", "fraction of the size in pixels with fewer than five neighbours, as in MARS"),
    "leakage2_mars": ("", "fraction of the size in the neighbours of those, without them, as in MARS"),
    "leakage1_pixels": ("", "fraction of the image's pixels in the outermost ring"),
    "leakage2_pixels": ("", "fraction of the image's pixels in the two outermost rings"),
    "concentration": ("", "fraction of the size in the brightest pixel"),
    "concentration2": ("", "fraction of the size in the two brightest pixels"),
    "concentration_cog": ("", "fraction of the size in pixels closer than one pitch to the centre of gravity"),
    "concentration_core": ("", "fraction of the size in pixels inside the ellipse of length and width"),
    "n_pixels": ("", "number of pixels of the cleaned image"),
    "n_islands": ("", "number of connected groups of pixels"),
    "size_main_island_pe": ("phe", "sum of the charges of the brightest island"),
}
"""Unit and description of each image parameter."""

# an axis ratio below 1e-6 cannot be told from rounding
_FLAT = 1e-12


def image_parameters(
    charge: NDArray[np.floating[Any]], time: NDArray[np.floating[Any]], mask: NDArray[np.bool_], camera: Camera
) -> dict[str, Floats]:
    """Compute the parameters of cleaned images.

    Parameters
    ----------
    charge : float array, [..., P], photoelectrons
        NaN pixels do not count. An image without any usable pixel is a missing telescope.
    time : float array, [..., P], ns
        Pixels without a time (NaN), or without positive charge, do not enter the timing parameters.
    mask : bool array, [..., P]
        Pixels that survived the cleaning.
    camera : Camera
        Camera of all images; angles are with its effective focal length.

    Returns
    -------
    dict of str to float64 array, [...]
        The names of `IMAGE_PARAMETERS`. All NaN for a missing telescope; for an image with no pixel left the size
        and the counts are 0 and the rest NaN; an image of one point has no axis: what is along one is NaN.

    Raises
    ------
    InputError
        Shapes differ or do not fit the camera.

    Notes
    -----
    Length and width are the roots of the eigenvalues of the charge-weighted covariance (Hillas 1985); definitions
    agree with ctapipe's ``hillas_parameters``, ``leakage_parameters``, ``concentration_parameters`` and
    ``morphology_parameters``. The time line minimises sum q_i (t_i - a - b l_i)^2 over the pixels; ctapipe's
    ``timing_parameters`` fits without weights and leaves outliers out. The page on image parameters in the
    documentation has the formulas, and the names in MARS.
    """
    if not charge.shape == time.shape == mask.shape or charge.shape[-1:] != (camera.n_pixels,):
        raise InputError(
            f"images of {camera.name}: expected charges, times and mask of shape [..., {camera.n_pixels}], "
            f"got {charge.shape}, {time.shape}, {mask.shape}"
        )
    used = mask & np.isfinite(charge)
    pixels = np.flatnonzero(used)
    image, pixel = np.divmod(pixels, camera.n_pixels)
    starts = np.flatnonzero(np.diff(image, prepend=-1))
    filled = image[starts]
    values = _of_filled(
        charge.ravel()[pixels].astype(np.float64),
        time.ravel()[pixels].astype(np.float64),
        label_islands(used, camera).ravel()[pixels],
        pixel,
        starts,
        camera,
    )
    is_missing = ~np.isfinite(charge.reshape(-1, camera.n_pixels)).any(axis=1)
    table = {}
    for name in IMAGE_PARAMETERS:
        empty = 0.0 if name in ("size_pe", "n_pixels", "n_islands", "size_main_island_pe") else np.nan
        column = np.where(is_missing, np.nan, empty)
        column[filled] = values[name]
        table[name] = column.reshape(charge.shape[:-1])
    return table


def _of_filled(
    q: Floats, t: Floats, island: NDArray[np.int16], pixel: NDArray[np.int64], starts: NDArray[np.int64], camera: Camera
) -> dict[str, Floats]:
    """Parameters of the images that have pixels, from lists sorted by image; ``starts`` is where each begins."""
    if not len(starts):
        return {name: np.zeros(0) for name in IMAGE_PARAMETERS}
    count = np.diff(starts, append=len(q))

    def per_image(values: NDArray[Any]) -> Floats:
        sums: Floats = np.add.reduceat(values, starts)
        return sums

    def per_pixel(values: Floats) -> Floats:
        return np.repeat(values, count)

    size = per_image(q)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = camera.x_deg[pixel], camera.y_deg[pixel]
        cog_x, cog_y = per_image(q * x) / size, per_image(q * y) / size
        dx, dy = x - per_pixel(cog_x), y - per_pixel(cog_y)
        xx, yy, xy = per_image(q * dx * dx) / size, per_image(q * dy * dy) / size, per_image(q * dx * dy) / size
        half_spread = np.hypot((xx - yy) / 2.0, xy)
        large = (xx + yy) / 2.0 + half_spread
        small = (xx + yy) / 2.0 - half_spread
        # one pixel leaves rounding of the order of the square of the position
        point = large <= _FLAT * (1.0 + cog_x**2 + cog_y**2) * camera.pixel_pitch_deg**2
        large = np.where(point, 0.0, large)
        small = np.where(small <= _FLAT * large, 0.0, small)
        length, width = np.sqrt(large), np.sqrt(small)
        psi = np.where(point, np.nan, _axis_angle(xx - yy, xy))
        cos, sin = per_pixel(np.cos(psi)), per_pixel(np.sin(psi))
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        skewness = per_image(q * along**3) / size / length**3
        kurtosis = per_image(q * along**4) / size / length**4
        in_ellipse = (along / per_pixel(length)) ** 2 + (across / per_pixel(width)) ** 2 <= 1.0
    near_cog = dx**2 + dy**2 < camera.pixel_pitch_deg**2
    brightest, second = _two_brightest(q, starts, count)
    main_size, n_islands = _islands(q, island, starts, count)
    rings = _border_rings(camera)
    return {
        "size_pe": size,
        "cog_x_deg": cog_x,
        "cog_y_deg": cog_y,
        "r_deg": np.hypot(cog_x, cog_y),
        "phi_deg": np.degrees(np.arctan2(cog_y, cog_x)),
        "length_deg": length,
        "width_deg": width,
        "psi_deg": np.degrees(psi),
        "skewness": skewness,
        "kurtosis": kurtosis,
        "m3_long_deg": length * np.cbrt(skewness),
        "m3_trans_deg": np.cbrt(per_image(q * across**3) / size),
        "asymmetry_deg": -along[brightest],
        **{name: per_image(q * ring[pixel]) / size for name, ring in rings.items()},
        **{f"{n}_pixels": per_image(rings[n][pixel].astype(np.float64)) / count for n in ("leakage1", "leakage2")},
        "concentration": q[brightest] / size,
        "concentration2": (q[brightest] + second) / size,
        "concentration_cog": per_image(q * near_cog) / size,
        "concentration_core": np.where(width > 0.0, per_image(q * in_ellipse) / size, 0.0),
        "n_pixels": count.astype(np.float64),
        "n_islands": n_islands,
        "size_main_island_pe": main_size,
        **_timing(q, t, along, 1e-6 * camera.pixel_pitch_deg, per_image, per_pixel),
    }


def _axis_angle(difference: Floats, covariance: Floats) -> Floats:
    """Angle of the major axis in (-90, 90] degrees, in radians."""
    angle = 0.5 * np.arctan2(2.0 * covariance, difference)
    return np.where(angle <= -np.pi / 2.0, np.pi / 2.0, angle)


def _timing(
    q: Floats, t: Floats, along: Floats, least_along: float, per_image: Any, per_pixel: Any
) -> dict[str, Floats]:
    """Charge-weighted straight line of time against the position along the major axis, and head minus tail.

    A pixel closer than ``least_along`` to the centre of gravity, where its side is a matter of rounding, is of neither.
    """
    usable = np.isfinite(t) & (q > 0.0)
    weight = np.where(usable, q, 0.0)
    time = np.where(usable, t, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = per_image(weight)
        mean_time = per_image(weight * time) / total
        mean_along = per_image(weight * along) / total
        dt = np.where(usable, time - per_pixel(mean_time), 0.0)
        dl = np.where(usable, along - per_pixel(mean_along), 0.0)
        spread = per_image(weight * dl * dl)
        scale = per_image(weight * along * along)
        slope = np.where(spread > _FLAT * scale, per_image(weight * dl * dt) / spread, np.nan)
        residual = dt - per_pixel(slope) * dl
        head, tail = (np.where(sign * along > least_along, weight, 0.0) for sign in (1.0, -1.0))
        head_tail = per_image(head * time) / per_image(head) - per_image(tail * time) / per_image(tail)
        return {
            "time_slope_ns_per_deg": slope,
            "time_intercept_ns": mean_time - slope * mean_along,
            "time_deviation_ns": np.sqrt(per_image(weight * residual**2) / total),
            "time_mean_ns": mean_time,
            "time_rms_ns": np.sqrt(per_image(weight * dt**2) / total),
            "time_head_tail_ns": head_tail,
        }


def _two_brightest(q: Floats, starts: NDArray[np.int64], count: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
    """Where each image has its brightest pixel, the first among equals, and the charge of the second brightest."""
    is_largest = np.flatnonzero(q == np.repeat(np.maximum.reduceat(q, starts), count))
    brightest = is_largest[np.searchsorted(is_largest, starts)]
    others = q.copy()
    others[brightest] = 0.0
    return brightest, np.maximum.reduceat(others, starts)


def _islands(
    q: Floats, island: NDArray[np.int16], starts: NDArray[np.int64], count: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Charge of the brightest island and number of islands of each image."""
    number = np.maximum.reduceat(island, starts).astype(np.int64)
    base = np.cumsum(number) - number
    sizes = np.bincount(island - 1 + np.repeat(base, count), weights=q)
    return np.maximum.reduceat(sizes, base), number.astype(np.float64)


@lru_cache(maxsize=8)
def _border_rings(camera: Camera) -> dict[str, NDArray[np.bool_]]:
    """Pixels of the rings of the leakage parameters, [P]: those of ctapipe, and those of MARS."""

    def around(ring: NDArray[np.bool_]) -> NDArray[np.bool_]:
        touches: NDArray[np.bool_] = np.any((camera.neighbours >= 0) & ring[camera.neighbours], axis=1)
        return touches

    outermost = (camera.neighbours >= 0).sum(axis=1) < 5
    return {
        "leakage1": camera.is_border,
        "leakage2": camera.is_border | around(camera.is_border),
        "leakage1_mars": outermost,
        "leakage2_mars": around(outermost) & ~outermost,
    }
