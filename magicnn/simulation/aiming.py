"""Where a charged primary must start so that the magnetic field leads it onto the stated axis."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.electromagnetic import RADIATION_LENGTH_G_CM2
from magicnn.simulation.hadronic import interaction_length_g_cm2
from magicnn.simulation.medium import CURVATURE_PER_M, HEIGHT_STEP_M, Medium
from magicnn.simulation.particles import CHARGE, MASS_MEV, PION_MINUS, POSITRON
from magicnn.simulation.tracks import BENDING_PER_UT_M

__all__ = ["aimed_start", "reference_path_m"]

Floats = NDArray[np.float64]

_N_POINTS = 2001
_MAX_TURN_RAD = 0.5


def reference_path_m(species: int, energy_mev: float, towards: Floats, start_m: float, air: Medium) -> float:
    """Give the distance from the core, along the axis, of the point at which a primary has begun its shower.

    That is one mean free path of a hadron or nucleus below the start, one radiation length for an electron, and the
    ground for a muon.

    Parameters
    ----------
    species : int
        Of a charged particle.
    energy_mev : float
        Total energy.
    towards : float64 array, [3]
        Unit vector from the core to where the shower comes from.
    start_m : float
        Distance of the start from the core.
    air : Medium
    """
    if species <= POSITRON:
        column = RADIATION_LENGTH_G_CM2
    elif species >= PION_MINUS:
        column = interaction_length_g_cm2(species, energy_mev, air.hadrons)
    else:
        return 0.0
    path = np.linspace(start_m, 0.0, _N_POINTS)
    density = np.interp(_height_m(path[:, None] * towards, air), *_density_of_height(air))
    above = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1])) * (path[0] - path[1])])
    return float(np.interp(column, above, path))


def aimed_start(
    species: int, energy_mev: float, towards: Floats, start_m: float, air: Medium
) -> tuple[Floats, Floats, float]:
    """Trace a primary back from its reference point on the axis, where it flies along the axis, to its start.

    Parameters
    ----------
    species, energy_mev, towards, start_m, air
        As in `reference_path_m`.

    Returns
    -------
    position_m : float64 array, [3]
        As high above sea level as the axis is at `start_m`, relative to the core.
    direction : float64 array, [3]
        Of flight, a unit vector.
    path_m : float
        Length of the bent track to the reference point and of the axis from there to the core.

    Notes
    -----
    A helix in the uniform field, without loss of energy. A primary that the field turns by more than 0.5 rad on the
    way, or from upward flight, starts lower, where it has been turned by that much or flies highest: such a particle
    of a few GeV would not come from outside.
    """
    field = np.array([air.field_x, air.field_y, air.field_z])
    momentum = math.sqrt(energy_mev**2 - MASS_MEV[species] ** 2)
    turn = CHARGE[species] * BENDING_PER_UT_M / momentum * field
    rate = float(np.linalg.norm(turn))
    if rate == 0.0:
        return start_m * towards, -towards, start_m
    reference = reference_path_m(species, energy_mev, towards, start_m, air)
    axis: Floats = turn / rate
    along: Floats = float(axis @ towards) * axis
    round_: Floats = np.cross(axis, towards)

    def place(length: Floats) -> Floats:
        angle = (rate * length)[:, None]
        circle = ((towards - along) * np.sin(angle) + round_ * (1.0 - np.cos(angle))) / rate
        return np.asarray(reference * towards + along * length[:, None] + circle)

    # A track that is bent towards the horizon is much longer than the axis.
    length = np.linspace(0.0, min(3.0 * (start_m - reference), _MAX_TURN_RAD / rate), _N_POINTS)
    heights = _height_m(place(length), air)
    goal = float(_height_m(start_m * towards[None], air)[0])
    last = int(np.argmax(heights >= goal)) if heights.max() >= goal else int(np.argmax(heights))
    traced = float(np.interp(goal, heights[: last + 1], length[: last + 1]))
    angle = rate * traced
    back: Floats = along + (towards - along) * math.cos(angle) + round_ * math.sin(angle)
    start: Floats = place(np.array([traced]))[0]
    return start, -back, traced + reference


def _height_m(points: Floats, air: Medium) -> Floats:
    """Give the heights above sea level of points relative to the core, [N, 3]."""
    return np.asarray(
        air.observation_level_m + points[:, 2] + (points[:, 0] ** 2 + points[:, 1] ** 2) * CURVATURE_PER_M
    )


def _density_of_height(air: Medium) -> tuple[Floats, Floats]:
    return HEIGHT_STEP_M * np.arange(len(air.air), dtype=np.float64), np.ascontiguousarray(air.air[:, 0])
