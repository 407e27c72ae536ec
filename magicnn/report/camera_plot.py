"""Images on the hexagonal camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.camera import Camera
from magicnn.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

__all__ = ["camera_image", "camera_outline", "hexagon_corners_deg"]

Floats = NDArray[np.float64]


def hexagon_corners_deg(camera: Camera) -> Floats:
    """Return the corners of all pixels, [P, 6, 2], degrees, turned as the lattice is."""
    pair = camera.neighbour_pairs[0]
    along = np.arctan2(np.diff(camera.y_deg[pair])[0], np.diff(camera.x_deg[pair])[0])
    angles = along + np.radians(30.0 + 60.0 * np.arange(6))
    radius = camera.pixel_pitch_deg / np.sqrt(3.0)
    corner = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centres = np.stack([camera.x_deg, camera.y_deg], axis=1)
    corners: Floats = centres[:, None, :] + corner[None, :, :]
    return corners


def camera_image(
    ax: Axes,
    camera: Camera,
    values: ArrayLike,
    *,
    limits: tuple[float, float] | None = None,
    cmap: str = "viridis",
    gamma: float = 1.0,
    mask: ArrayLike | None = None,
    outside: str | None = None,
) -> PolyCollection:
    """Draw one value per pixel.

    Parameters
    ----------
    ax : matplotlib Axes
        Where; its limits, aspect and ticks are set.
    camera : Camera
        Pixels; ctapipe's camera frame, x to the right and y up.
    values : array_like, [P]
        NaN pixels are drawn empty with their outline.
    limits : (float, float), optional
        Ends of the colour scale; those of the values when not given.
    cmap : str
        Name of a colour map.
    gamma : float
        Power of the colour scale; 0.5 shows faint pixels beside bright ones.
    mask : array_like of bool, [P], optional
        Pixels to show; the others are drawn empty.
    outside : str, optional
        Colour of values beyond the limits; that of the nearer end when not given.

    Returns
    -------
    PolyCollection
        For a colour bar.

    Raises
    ------
    InputError
        The number of values is not that of the pixels.
    """
    from matplotlib import colormaps
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import PowerNorm

    shown = np.array(values, dtype=np.float64)
    if shown.shape != (camera.n_pixels,):
        raise InputError(f"image of {camera.name}: expected {camera.n_pixels} values, got shape {shown.shape}")
    if mask is not None:
        shown[~np.asarray(mask, dtype=bool)] = np.nan
    finite = shown[np.isfinite(shown)]
    if limits is None:
        limits = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    low, high = limits
    colours = colormaps[cmap]
    if outside is not None:
        colours = colours.with_extremes(under=outside, over=outside)
    else:
        shown = np.clip(shown, low, high)
    corners = hexagon_corners_deg(camera)
    is_empty = ~np.isfinite(shown)
    ax.add_collection(PolyCollection(list(corners), facecolors="none", edgecolors="#8a919c55", linewidths=0.25))
    image = PolyCollection(
        list(corners[~is_empty]),
        array=shown[~is_empty],
        cmap=colours,
        norm=PowerNorm(gamma, vmin=low, vmax=max(high, low + 1e-9)),
        edgecolors="face",
        linewidths=0.2,
    )
    ax.add_collection(image)
    camera_outline(ax, camera)
    return image


def camera_outline(ax: Axes, camera: Camera) -> Axes:
    """Frame the axes for a camera: limits, equal aspect, and a scale of one degree instead of ticks."""
    reach = 1.03 * float(np.hypot(camera.x_deg, camera.y_deg).max()) + camera.pixel_pitch_deg
    settings: dict[str, Any] = {"xlim": (-reach, reach), "ylim": (-reach, reach), "aspect": "equal"}
    ax.set(**settings)
    ax.axis("off")
    ax.plot([-reach, -reach + 1.0], [-reach, -reach], color="#8a919c", linewidth=1.4, solid_capstyle="butt")
    ax.text(-reach + 0.5, -reach + 0.06, "1°", color="#8a919c", fontsize=8, ha="center", va="bottom")
    return ax
