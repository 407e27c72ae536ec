"""Draw frames and angles of what is read: python analysis/draw_conventions.py docs/figures/conventions.png."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Arc, Ellipse

from magicnn.array import MAGNETIC_DECLINATION_DEG, TELESCOPES_M, direction_vector, geographic_from_magnetic
from magicnn.camera import Camera
from magicnn.report.style import figure_style

OURS, MARS, SHOWER, INK = "#0072b2", "#d55e00", "#a8487e", "#1b2027"
PHI_DEG = 60.0  # MARS' angle of the shower that is drawn
STAR_PIXEL = 494  # zeta Tauri in the real files


def arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str, text: str = "", **at: str
) -> None:
    """Draw an arrow with a text at its tip."""
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
    )
    axes.text(
        *(np.array(end) + 0.07 * (np.array(end) - start)), text, color=colour, **{"ha": "center", "va": "center"} | at
    )


def plan(ground: np.ndarray) -> tuple[float, float]:
    """Place a ground position (x north, y west) on paper: north up, east to the right."""
    return float(-ground[1]), float(ground[0])


def turn(axes: Axes, radius: float, start_deg: float, stop_deg: float, colour: str, text: str) -> None:
    """Draw an angle on the plan from one azimuth to another, with an arrow head at the second."""
    azimuth = np.radians(np.linspace(start_deg, stop_deg, 60))
    x, y = radius * np.sin(azimuth), radius * np.cos(azimuth)
    axes.plot(x, y, color=colour, lw=1.4)
    axes.annotate("", (x[-1], y[-1]), (x[-4], y[-4]), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.4})
    axes.text(1.4 * x[34], 1.4 * y[34], text, color=colour, ha="center", va="center")


def draw_ground(axes: Axes) -> None:
    """Ground frames and azimuths, seen from above."""
    unit = 60.0
    for frame, colour, label in ((np.eye(2), OURS, ""), (geographic_from_magnetic(np.eye(2)), MARS, "")):
        arrow(axes, (0, 0), plan(unit * frame[0]), colour, label)
        arrow(axes, (0, 0), plan(unit * frame[1]), colour, label)
    axes.text(2, 63, "x, north", color=OURS, ha="left", va="bottom")
    axes.text(-58, 3, "y, west", color=OURS, ha="center", va="bottom")
    north = plan(unit * geographic_from_magnetic(np.eye(2))[0])
    axes.text(north[0] - 2, north[1] + 3, "X, magnetic\nnorth", color=MARS, ha="right", va="bottom")
    west = plan(unit * geographic_from_magnetic(np.eye(2))[1])
    axes.text(west[0] - 2, west[1] - 4, "Y, magnetic west", color=MARS, ha="center", va="top")
    for name, position in zip(("M1", "M2"), TELESCOPES_M, strict=True):
        axes.plot(*plan(position), "o", ms=9, color=INK)
        axes.annotate(name, plan(position), (8, 5), textcoords="offset points", color=INK, weight="bold")
    azimuth = 180.0 - PHI_DEG + MAGNETIC_DECLINATION_DEG
    source = direction_vector(90.0, azimuth)
    axes.plot(*zip(plan(95 * source), (0, 0), strict=True), color=SHOWER, lw=1, ls=":")
    arrow(axes, plan(95 * source), plan(52 * source), SHOWER)
    axes.text(*plan(103 * source), "comes from here", color=SHOWER, ha="center", va="center")
    arrow(axes, (0, 0), plan(-45 * source), SHOWER)
    axes.text(*plan(-52 * source), "flies there", color=SHOWER, ha="center", va="center")
    turn(axes, 34, 0.0, azimuth, OURS, f"azimuth\n{azimuth:.0f}°")
    turn(axes, 24, MAGNETIC_DECLINATION_DEG, MAGNETIC_DECLINATION_DEG - PHI_DEG, MARS, "")
    axes.text(-23, 27, f"fPhi {PHI_DEG:.0f}°", color=MARS, ha="center", va="center")
    axes.text(
        8,
        -100,
        "azimuth = 180° − fPhi + D,  D = −7°\nx = X cos D + Y sin D,  y = Y cos D − X sin D",
        ha="center",
        color=INK,
    )
    axes.set(xlim=(-85, 110), ylim=(-108, 102), aspect="equal", title="Ground, from above")


def draw_side(axes: Axes) -> None:
    """Zenith distance, core and impact in the plane of a shower axis, from the side."""
    zenith = np.radians(32.0)
    along = np.array([np.sin(zenith), np.cos(zenith)])
    axes.axhline(0.0, color="#8a6d3b", lw=2)
    core, telescope = np.array([-1.1, 0.0]), np.array([1.2, 0.0])
    top = core + 4.4 * along
    axes.plot(*zip(top, core, strict=True), color=SHOWER, lw=1.5)
    arrow(axes, tuple(core + 2.4 * along), tuple(core + 1.7 * along), SHOWER)
    axes.text(*(core + 4.5 * along), "shower axis", color=SHOWER, ha="center", va="bottom")
    axes.plot([core[0], core[0]], [0, 3.2], color=INK, lw=0.8, ls="--")
    axes.text(core[0], 3.3, "zenith", ha="center", va="bottom")
    axes.add_patch(Arc(tuple(core), 4.4, 4.4, theta1=90 - np.degrees(zenith), theta2=90, color=OURS, lw=1.4))
    axes.text(core[0] - 0.12, 1.9, "zenith\ndistance\n= fTheta", color=OURS, ha="right", va="center")
    foot = core + ((telescope - core) @ along) * along
    axes.plot(*zip(telescope, foot, strict=True), color=MARS, lw=1.6)
    axes.text(*(0.45 * telescope + 0.55 * foot + [0.28, 0.12]), "impact", color=MARS, ha="left", va="center")
    arrow(axes, tuple(telescope), tuple(telescope + 2.0 * along), INK)
    axes.text(*(telescope + 2.15 * along), "pointing", ha="center", va="bottom")
    axes.plot(*telescope, "o", ms=10, color=INK)
    axes.text(telescope[0], -0.2, "telescope", ha="center", va="top")
    axes.plot(*core, "x", ms=9, mew=2, color=SHOWER)
    axes.text(core[0], -0.2, "core", color=SHOWER, ha="center", va="top")
    axes.text(0.4, -1.05, "impact in MARS in cm, here in m;\nheights above sea level", ha="center", color=INK)
    axes.set(xlim=(-2.3, 3.2), ylim=(-1.45, 4.45), aspect="equal", title="Shower and telescope, from the side")


def draw_camera(axes: Axes) -> None:
    """Camera frames with the pixels, as one sees the sky; an image with its angles."""
    camera = Camera.magic()
    axes.scatter(camera.y_deg, camera.x_deg, s=7, marker="h", color="#d5dae1", lw=0)
    for pixel in (0, 1, STAR_PIXEL):
        axes.plot(camera.y_deg[pixel], camera.x_deg[pixel], "h", ms=5, color=INK if pixel != STAR_PIXEL else "#c79a00")
    axes.annotate("pixel 494:\nζ Tauri", (camera.y_deg[494], camera.x_deg[494]), (6, -14), textcoords="offset points")
    arrow(axes, (0, 0), (0, 1.15), OURS, "x, altitude grows")
    arrow(axes, (0, 0), (1.05, 0), OURS)
    axes.text(1.1, 0.06, "y, azimuth\ngrows", color=OURS, ha="center", va="bottom")
    arrow(axes, (0, 0), (0, -1.0), MARS, "Y = −x")
    arrow(axes, (0, 0), (-1.0, 0), MARS)
    axes.text(-1.1, 0.06, "X = −y", color=MARS, ha="center", va="bottom")
    centre, psi = np.array([0.62, 0.62]), 35.0
    axes.add_patch(Ellipse(tuple(centre), 0.6, 0.2, angle=90.0 - psi, fc="none", ec=SHOWER, lw=1.8))
    axis = np.array([np.sin(np.radians(psi)), np.cos(np.radians(psi))])
    axes.plot(*zip(centre - 0.45 * axis, centre + 0.5 * axis, strict=True), color=SHOWER, lw=1, ls=":")
    axes.plot([centre[0]] * 2, [centre[1], centre[1] + 0.5], color=OURS, lw=0.9, ls="--")
    axes.add_patch(Arc(tuple(centre), 0.8, 0.8, theta1=90.0 - psi, theta2=90.0, color=OURS, lw=1.4))
    axes.text(centre[0] + 0.13, centre[1] + 0.53, "psi", color=OURS, ha="center", va="center")
    axes.text(0.0, -1.92, "psi from x towards y; MARS: fDelta from X towards Y", ha="center", color=INK)
    axes.text(0.0, 1.78, "angles: x / 18.21 m;  MARS' parameters: 0.00337° per mm", ha="center", color=INK)
    axes.set(xlim=(-1.9, 1.9), ylim=(-2.1, 1.98), aspect="equal", title="Camera, as one sees the sky")


def main() -> None:
    """Write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    with figure_style():
        figure, axes = plt.subplots(1, 3, figsize=(15.0, 5.6), layout="constrained")
        for draw, panel in zip((draw_ground, draw_side, draw_camera), axes, strict=True):
            draw(panel)
            panel.set_axis_off()
        figure.suptitle(
            "blue: this package (ctapipe's camera frame);  orange: MARS and CORSIKA;  purple: the shower", y=1.04
        )
        figure.savefig(parser.parse_args().output, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
