"""Images on the hexagonal camera."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.camera import Camera
from magicnn.errors import InputError
from magicnn.images.features import FeatureTable
from magicnn.report.style import GRID, INK, axes_or_current

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["camera_image", "camera_outline", "hexagon_corners_deg", "hillas_ellipse"]

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
    camera: Camera,
    values: ArrayLike,
    *,
    ax: Axes | None = None,
    label: str | None = None,
    limits: tuple[float, float] | None = None,
    cmap: str = "viridis",
    gamma: float = 1.0,
    mask: ArrayLike | None = None,
    outside: str | None = None,
) -> Axes:
    """Draw one value per pixel.

    Parameters
    ----------
    camera : Camera
        Pixels; ctapipe's camera frame, x to the right and y up.
    values : array_like, [P]
        NaN pixels are drawn empty with their outline.
    ax : matplotlib Axes, optional
        Where; the current ones when not given. Limits, aspect and ticks are set.
    label : str, optional
        What the values are, with their unit, for a colour bar; without it there is none.
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
    matplotlib Axes
        Its last collection holds the pixels that are shown, for a colour bar of one's own.

    Raises
    ------
    InputError
        The number of values is not that of the pixels.
    """
    from matplotlib import colormaps
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import PowerNorm

    ax = axes_or_current(ax)
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
    if label is not None:
        bar = ax.figure.colorbar(image, ax=ax, shrink=0.78)
        bar.set_label(label, color=INK)
        bar.outline.set_visible(False)
        bar.ax.tick_params(color=GRID)
    return camera_outline(camera, ax=ax)


def camera_outline(camera: Camera, *, ax: Axes | None = None) -> Axes:
    """Frame the axes for a camera: limits, equal aspect, and a scale of one degree instead of ticks."""
    ax = axes_or_current(ax)
    reach = 1.03 * float(np.hypot(camera.x_deg, camera.y_deg).max()) + camera.pixel_pitch_deg
    settings: dict[str, Any] = {"xlim": (-reach, reach), "ylim": (-reach, reach), "aspect": "equal"}
    ax.set(**settings)
    ax.axis("off")
    ax.plot([-reach, -reach + 1.0], [-reach, -reach], color="#8a919c", linewidth=1.4, solid_capstyle="butt")
    ax.text(-reach + 0.5, -reach + 0.06, "1°", color="#8a919c", fontsize=8, ha="center", va="bottom")
    return ax


def hillas_ellipse(
    features: FeatureTable,
    event: int,
    telescope: int = 0,
    *,
    ax: Axes | None = None,
    n_sigma: float = 2.0,
    colour: str = "#e4572e",
) -> Axes:
    """Draw the ellipse of a cleaned image and its major axis over the image.

    Parameters
    ----------
    features : FeatureTable
        Image parameters of the events.
    event, telescope : int
        Row, and place of the telescope in it.
    ax : matplotlib Axes, optional
        Where; the current ones when not given.
    n_sigma : float
        Half axes of the ellipse in units of length and width.
    colour : str
        Of both lines.

    Returns
    -------
    matplotlib Axes
        Unchanged where the image has no axis: it is missing, empty, or one pixel.
    """
    from matplotlib.patches import Ellipse

    ax = axes_or_current(ax)
    names = ("cog_x_deg", "cog_y_deg", "length_deg", "width_deg", "psi_deg")
    x, y, length, width, psi = (float(features[name][event, telescope]) for name in names)
    if not np.isfinite([x, y, length, width, psi]).all():
        return ax
    size = 2.0 * n_sigma * length, 2.0 * n_sigma * width
    ax.add_patch(Ellipse((x, y), *size, angle=psi, fill=False, edgecolor=colour, linewidth=1.4))
    along = 2.0 * n_sigma * length * np.array([np.cos(np.radians(psi)), np.sin(np.radians(psi))])
    ax.plot([x - along[0], x + along[0]], [y - along[1], y + along[1]], color=colour, linewidth=0.9, linestyle="--")
    return ax
