"""Cherenkov light of charged particles, drawn only where it reaches a telescope and is detected.

Next-event estimation: for a piece of track the share of the light cone that meets the sphere around a telescope is
known in closed form. The number of detected photons is drawn from a Poisson distribution with that share of the
detected yield as its mean, so no photon is followed that misses, and none that is absorbed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.simulation.atmosphere import Atmosphere, optical_depth, read_table
from magicnn.simulation.random_numbers import RandomState, poisson, uniform

__all__ = [
    "LIGHT_COLUMNS",
    "Targets",
    "YieldTable",
    "detected_yield_table",
    "detection_efficiency",
    "emit",
    "emitted_yield_table",
    "targets",
]

Floats = NDArray[np.float64]

FINE_STRUCTURE = 7.2973525693e-3
_REFLECTOR_RADIUS_M = 8.5
_FOCAL_LENGTH_M = 17.0

HEIGHT_STEP_M = 250.0
"""Spacing of a yield table's heights above the observation level."""
_HEIGHTS_M = HEIGHT_STEP_M * np.arange(321)
AIR_MASS_STEP = 0.125
"""Spacing of a yield table's ratios of path to height difference, which start at 1."""
_AIR_MASSES = 1.0 + AIR_MASS_STEP * np.arange(41)

LIGHT_COLUMNS = 7
"""Target number, x and y (tangents), hit point x and y (m), time (m of light travel), emission height (m)."""


@dataclass(frozen=True)
class YieldTable:
    """Photons counted per metre of track and per squared sine of the Cherenkov angle.

    Attributes
    ----------
    per_metre : float64 array, [air masses, heights]
        Heights above the observation level in steps of 250 m, air masses from 1 in steps of 0.125.
    description : str
    """

    per_metre: Floats
    description: str


def detection_efficiency(wavelength_nm: Floats) -> Floats:
    """Give the share of photons on the reflector that end as photoelectrons: mirror, light cones, photon detection.

    Notes
    -----
    The cones' transmission is averaged over the parabolic reflector, whose ring of radius r sends its light at the
    angle 2 arctan(r / 2f) onto the camera.
    """
    mirror = read_table("mirror_reflectivity.txt")
    detector = read_table("photon_detection_efficiency.txt")
    cones = read_table("light_cone_transmission.txt")
    radius = np.linspace(0.0, _REFLECTOR_RADIUS_M, 200)
    angle_deg = np.degrees(2.0 * np.arctan(radius / (2.0 * _FOCAL_LENGTH_M)))
    cone = float(np.average(np.interp(angle_deg, cones[:, 0], cones[:, 1]), weights=radius))
    reflectivity = np.interp(wavelength_nm, mirror[:, 0], mirror[:, 1])
    efficiency = np.interp(wavelength_nm, detector[:, 0], detector[:, 1], left=0.0, right=0.0)
    return np.asarray(reflectivity * efficiency * cone)


def detected_yield_table(atmosphere: Atmosphere, observation_level_m: float, light_scale: float) -> YieldTable:
    """Tabulate photoelectrons: Frank and Tamm's spectrum times extinction, mirror, light cones and photon detection.

    Parameters
    ----------
    atmosphere : Atmosphere
    observation_level_m : float
    light_scale : float
        Factor on everything, for what the published curves do not hold (dust, shadows, ageing).
    """
    wavelength = np.arange(280.0, 701.0, 2.0)
    spectrum = 2.0 * math.pi * FINE_STRUCTURE * 1e9 / wavelength**2 * 2.0 * detection_efficiency(wavelength)
    depth = optical_depth(
        atmosphere, wavelength[:, None], observation_level_m + _HEIGHTS_M[None, :], observation_level_m
    )
    table = np.stack([spectrum @ np.exp(-depth * mass) for mass in _AIR_MASSES])
    return YieldTable(np.ascontiguousarray(light_scale * table), f"photoelectrons, light scale {light_scale:g}")


def emitted_yield_table(wavelength_min_nm: float = 290.0, wavelength_max_nm: float = 700.0) -> YieldTable:
    """Tabulate all photons emitted in a band of wavelengths, without extinction or detector: for validation."""
    photons = 2.0 * math.pi * FINE_STRUCTURE * 1e9 * (1.0 / wavelength_min_nm - 1.0 / wavelength_max_nm)
    table = np.full((_AIR_MASSES.size, _HEIGHTS_M.size), photons)
    return YieldTable(table, f"emitted photons {wavelength_min_nm:g}-{wavelength_max_nm:g} nm")


class Targets(NamedTuple):
    """The telescopes of all re-uses as one kernel sees them, relative to the core of the shower.

    ``x, y, z`` [M] are the reference points (m); ``frames`` [M, 9] the pointing and the camera's x and y axes; the
    scalars are the centre and radius of a sphere around everything, the radius of one telescope, and the cosine and
    sine of the field of view.
    """

    x: Floats
    y: Floats
    z: Floats
    frames: Floats
    centre_x: float
    centre_y: float
    centre_z: float
    radius: float
    telescope_radius: float
    cos_view: float
    sin_view: float


def targets(
    cores_m: Floats,
    pointing: Floats,
    axis_x: Floats,
    axis_y: Floats,
    telescopes_m: Floats,
    *,
    telescope_radius_m: float,
    view_radius_deg: float,
) -> Targets:
    """Line up the telescopes of all re-uses.

    Parameters
    ----------
    cores_m : float64 array, [K, 2]
        Where the shower axis meets the ground in each re-use.
    pointing, axis_x, axis_y : float64 array, [K, 3]
        Unit vectors of the optical axis and of the camera frame.
    telescopes_m : float64 array, [T, 3]
    telescope_radius_m : float
        Radius of the sphere around the reflector.
    view_radius_deg : float
        Photons farther from the pointing are dropped.
    """
    n_reuses, n_telescopes = len(cores_m), len(telescopes_m)
    positions = np.tile(telescopes_m, (n_reuses, 1, 1))
    positions[:, :, :2] -= cores_m[:, None, :]
    positions = positions.reshape(-1, 3)
    frames = np.repeat(np.concatenate([pointing, axis_x, axis_y], axis=1), n_telescopes, axis=0)
    centre = 0.5 * (positions.min(axis=0) + positions.max(axis=0))
    radius = float(np.sqrt(((positions - centre) ** 2).sum(axis=1)).max()) + telescope_radius_m
    x, y, z = (np.ascontiguousarray(column) for column in positions.T)
    view = math.radians(view_radius_deg)
    return Targets(
        x,
        y,
        z,
        np.ascontiguousarray(frames),
        float(centre[0]),
        float(centre[1]),
        float(centre[2]),
        radius,
        telescope_radius_m,
        math.cos(view),
        math.sin(view),
    )


@compiled
def _yield_per_metre(per_metre: Floats, rise_m: float, air_mass: float) -> float:
    i = rise_m / HEIGHT_STEP_M
    j = (air_mass - 1.0) / AIR_MASS_STEP
    ii = min(max(int(i), 0), per_metre.shape[1] - 2)
    jj = min(max(int(j), 0), per_metre.shape[0] - 2)
    a = min(i - ii, 1.0)
    b = min(max(j - jj, 0.0), 1.0)
    low = per_metre[jj, ii] + a * (per_metre[jj, ii + 1] - per_metre[jj, ii])
    high = per_metre[jj + 1, ii] + a * (per_metre[jj + 1, ii + 1] - per_metre[jj + 1, ii])
    return float(low + b * (high - low))


@compiled
def emit(
    px: float,
    py: float,
    pz: float,
    ux: float,
    uy: float,
    uz: float,
    travel_m: float,
    rise_m: float,
    delay_m: float,
    sin2: float,
    weighted_length_m: float,
    goal: Targets,
    per_metre: Floats,
    distance: Floats,
    light: NDArray[np.float32],
    n: int,
    state: RandomState,
) -> int:
    """Draw the light that a piece of track sends into the telescopes.

    Parameters
    ----------
    px, py, pz, ux, uy, uz : float
        Point of emission relative to the core (m), and direction of the particle.
    travel_m : float
        Time of emission as a distance of light, 0 when the shower front meets the core.
    rise_m : float
        Height above sea level of the point, minus the observation level.
    delay_m : float
        Integral of n - 1 over that height difference.
    sin2 : float
        Squared sine of the Cherenkov angle.
    weighted_length_m : float
        Length of the piece times the statistical weight of the particle.
    goal : Targets
    per_metre : float64 array
        A yield table.
    distance : float64 array, [M]
        Room for work.
    light : float32 array, [capacity, 7]
        The output.
    n : int
        Rows of it already filled.
    state : random state

    Returns
    -------
    int
        Rows filled afterwards; never more than the capacity.
    """
    sin = math.sqrt(sin2)
    cos = math.sqrt(1.0 - sin2)
    rx = goal.centre_x - px
    ry = goal.centre_y - py
    rz = goal.centre_z - pz
    along = rx * ux + ry * uy + rz * uz
    if along < -goal.radius:
        return n
    across = math.sqrt(max(rx * rx + ry * ry + rz * rz - along * along, 0.0))
    # Distance between a sphere's centre and the nearest line of the light cone.
    if abs(across * cos - along * sin) > goal.radius:
        return n
    radius = goal.telescope_radius
    m = goal.x.shape[0]
    for k in range(m):
        rx = goal.x[k] - px
        ry = goal.y[k] - py
        rz = goal.z[k] - pz
        along = rx * ux + ry * uy + rz * uz
        across = math.sqrt(max(rx * rx + ry * ry + rz * rz - along * along, 0.0))
        distance[k] = abs(across * cos - along * sin)
    for k in range(m):
        if distance[k] < radius:
            n = _emit_into(
                k,
                (px, py, pz),
                (ux, uy, uz),
                travel_m,
                rise_m,
                delay_m,
                sin,
                cos,
                weighted_length_m,
                goal,
                per_metre,
                light,
                n,
                state,
            )
    return n


@compiled
def _emit_into(
    k: int,
    point: tuple[float, float, float],
    direction: tuple[float, float, float],
    travel_m: float,
    rise_m: float,
    delay_m: float,
    sin: float,
    cos: float,
    weighted_length_m: float,
    goal: Targets,
    per_metre: Floats,
    light: NDArray[np.float32],
    n: int,
    state: RandomState,
) -> int:
    """Draw the light into one telescope whose sphere the cone meets."""
    ux, uy, uz = direction
    rx = goal.x[k] - point[0]
    ry = goal.y[k] - point[1]
    rz = goal.z[k] - point[2]
    radius = goal.telescope_radius
    distance = math.sqrt(rx * rx + ry * ry + rz * rz)
    frame = goal.frames[k]
    # Light within the field of view that meets the reflector has come at least this far along the optical axis.
    least = goal.cos_view * math.sqrt(max(distance * distance - radius * radius, 0.0)) - goal.sin_view * radius
    if -(rx * frame[0] + ry * frame[1] + rz * frame[2]) < least:
        return n
    along = rx * ux + ry * uy + rz * uz
    across = math.sqrt(max(distance * distance - along * along, 1e-12))
    is_near = distance < 2.0 * radius
    half_range = math.pi
    if not is_near:
        edge = (math.sqrt(distance * distance - radius * radius) - along * cos) / (across * sin)
        if edge >= 1.0:
            return n
        if edge > -1.0:
            half_range = math.acos(edge)
    air_mass = max(distance / max(rise_m, 1.0), 1.0)
    mean = _yield_per_metre(per_metre, rise_m, air_mass) * sin * sin * weighted_length_m * half_range / math.pi
    count = poisson(mean, state)
    if count == 0:
        return n
    ex, ey, ez = (rx - along * ux) / across, (ry - along * uy) / across, (rz - along * uz) / across
    if ex * ex + ey * ey + ez * ez < 0.5:
        # Straight at the centre there is no direction towards it, and the whole cone is drawn: any one will do.
        norm = math.sqrt(1.0 - uy * uy) if abs(uy) < 0.9 else math.sqrt(1.0 - ux * ux)
        ex, ey, ez = (uz / norm, 0.0, -ux / norm) if abs(uy) < 0.9 else (0.0, -uz / norm, uy / norm)
    fx, fy, fz = uy * ez - uz * ey, uz * ex - ux * ez, ux * ey - uy * ex
    for _ in range(count):
        phi = half_range * (2.0 * uniform(state) - 1.0)
        a, b = sin * math.cos(phi), sin * math.sin(phi)
        dx, dy, dz = cos * ux + a * ex + b * fx, cos * uy + a * ey + b * fy, cos * uz + a * ez + b * fz
        against = -(dx * frame[0] + dy * frame[1] + dz * frame[2])
        if against < goal.cos_view:
            continue
        path = -(rx * frame[0] + ry * frame[1] + rz * frame[2]) / against
        hx, hy, hz = dx * path - rx, dy * path - ry, dz * path - rz
        hit_x = hx * frame[3] + hy * frame[4] + hz * frame[5]
        hit_y = hx * frame[6] + hy * frame[7] + hz * frame[8]
        # Close by, the sphere is no stand-in for the reflector: the whole cone was drawn, and the dish decides.
        if path <= 0.0 or (is_near and hit_x * hit_x + hit_y * hit_y > radius * radius):
            continue
        if n >= light.shape[0]:
            return n
        row = light[n]
        row[0] = k
        row[1] = -(dx * frame[3] + dy * frame[4] + dz * frame[5]) / against
        row[2] = -(dx * frame[6] + dy * frame[7] + dz * frame[8]) / against
        row[3] = hit_x
        row[4] = hit_y
        plane = goal.x[k] * frame[0] + goal.y[k] * frame[1] + goal.z[k] * frame[2]
        row[5] = travel_m + path + delay_m * air_mass + plane
        row[6] = rise_m
        n += 1
    return n
