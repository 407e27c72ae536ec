"""One air shower and the photoelectrons it makes in the telescopes.

Ground coordinates are geographic (x north, y west, z up, metres); directions say where a shower comes from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.array import (
    FIELD_DOWN_UT,
    FIELD_NORTH_UT,
    OBSERVATION_LEVEL_M,
    direction_vector,
    geographic_from_magnetic,
    pointing_basis,
)
from magicnn.errors import ConfigError, InputError, nearest_names
from magicnn.simulation.aiming import aimed_start
from magicnn.simulation.atmosphere import Atmosphere, load_atmosphere, path_to_height_m
from magicnn.simulation.cherenkov import YieldTable, detected_yield_table, emitted_yield_table, targets
from magicnn.simulation.hadron_library import load_hadron_library
from magicnn.simulation.medium import Medium, medium
from magicnn.simulation.particles import CHARGE, ELECTRON, HELIUM, MASS_MEV, MUON_MINUS, PHOTON, PROTON
from magicnn.simulation.random_numbers import random_state
from magicnn.simulation.tracks import DEPTH_BIN_G_CM2, N_DEPTH_BINS
from magicnn.simulation.transport import CONVERT_AT_START, follow

__all__ = ["TELESCOPE_RADIUS_M", "Environment", "ShowerLight", "ShowerTruth", "environment", "simulate_shower"]

Floats = NDArray[np.float64]

PARTICLES = {"gamma": PHOTON, "electron": ELECTRON, "proton": PROTON, "helium": HELIUM, "muon": MUON_MINUS}
TELESCOPE_RADIUS_M = 8.72
"""Radius of a disc of 239 m2, the reflector of MAGIC."""

_START_HEIGHT_M = 110_000.0
_METRES_PER_NS = 0.299792458
_ROOM_FOR_LIGHT = 32768


@dataclass(frozen=True)
class Environment:
    """What all showers of a process have in common.

    Attributes
    ----------
    atmosphere : Atmosphere
    light : YieldTable
        Photons counted per metre of track.
    observation_level_m : float
    telescope_radius_m, view_radius_deg : float
        Sphere around a telescope; photons farther from its pointing are dropped.
    thinning_energy_fraction : float
        Electromagnetic particles below this fraction of the primary energy are thinned; 0: none.
    kernel : Medium
        Air and field as the compiled code sees them.
    """

    atmosphere: Atmosphere
    light: YieldTable
    observation_level_m: float
    telescope_radius_m: float
    view_radius_deg: float
    thinning_energy_fraction: float
    kernel: Medium


@dataclass(frozen=True)
class ShowerLight:
    """Photoelectrons of one shower in all telescopes of all its re-uses, sorted by (reuse, telescope).

    Attributes
    ----------
    reuse, telescope : int32 array, [M]
    x_deg, y_deg : float32 array, [M]
        Direction the photon comes from relative to the pointing, degrees(tangent): +x towards higher altitude, +y
        towards larger azimuth (ctapipe's camera frame).
    mirror_x_m, mirror_y_m : float32 array, [M]
        Where it crosses the plane through the telescope's reference point, across its optical axis, same axes.
    time_ns : float32 array, [M]
        When it crosses that plane, after a plane front of light from the POINTING direction that passes the core at
        the time at which the primary, unhindered, would have: the path from the pointing direction is taken out, so
        the times of the telescopes differ by the geometry of the shower only.
    n_photons_thrown : int
        Photons drawn, the length of the arrays.
    emission_height_m : float32 array, [M]
        Above sea level.
    """

    reuse: NDArray[np.int32]
    telescope: NDArray[np.int32]
    x_deg: NDArray[np.float32]
    y_deg: NDArray[np.float32]
    mirror_x_m: NDArray[np.float32]
    mirror_y_m: NDArray[np.float32]
    time_ns: NDArray[np.float32]
    n_photons_thrown: int
    emission_height_m: NDArray[np.float32]


@dataclass(frozen=True)
class ShowerTruth:
    """What a shower did.

    Attributes
    ----------
    first_interaction_height_m : float
        Above sea level; NaN when the primary did not interact.
    xmax_gcm2 : float
        Slant depth of the maximum of the electrons above the Cherenkov threshold; NaN when there were none.
    n_steps : int
        Steps of charged particles.
    profile : float64 array, [110]
        Length (g/cm2) of the tracks of electrons above the Cherenkov threshold, per 10 g/cm2 of vertical depth.
    energy_lost_gev, energy_dropped_gev, energy_ground_gev : float
        Continuous loss to the air, energy of particles dropped below the cuts, and of those that reached the ground:
        the primary's energy, for electromagnetic showers without thinning.
    n_muons, energy_muons_gev : float
        Muons that reached the ground anywhere (with thinning the sum of their weights), and their total energy.
    """

    first_interaction_height_m: float
    xmax_gcm2: float
    n_steps: int
    profile: Floats
    energy_lost_gev: float
    energy_dropped_gev: float
    energy_ground_gev: float
    n_muons: float
    energy_muons_gev: float


def environment(
    *,
    light_scale: float,
    atmosphere: str = "magic-winter",
    mode: Literal["photoelectrons", "photons"] = "photoelectrons",
    observation_level_m: float = OBSERVATION_LEVEL_M,
    field_north_ut: float = FIELD_NORTH_UT,
    field_down_ut: float = FIELD_DOWN_UT,
    telescope_radius_m: float = TELESCOPE_RADIUS_M,
    view_radius_deg: float = 2.2,
    band_nm: tuple[float, float] = (290.0, 700.0),
    step_angle_rad: float = 0.08,
    thinning_energy_fraction: float = 0.0,
    thinning_max_weight: float = 10.0,
    hadron_library: Path | None = None,
) -> Environment:
    """Build the environment of a simulation from plain numbers.

    Parameters
    ----------
    light_scale : float
        Factor on the detected light, the only constant that the published curves of mirror, light cones and photon
        detection leave open; without effect on ``mode="photons"``.
    atmosphere : {"magic-winter", "magic-summer"}
    mode : {"photoelectrons", "photons"}
        Detected light, or all photons of `band_nm` without extinction, for validation.
    observation_level_m : float
        Height of the ground plane above sea level.
    field_north_ut, field_down_ut : float
        Geomagnetic field towards magnetic north and downwards, microtesla.
    telescope_radius_m : float
        Radius of the sphere around a reflector.
    view_radius_deg : float
        Photons farther from the pointing are dropped.
    band_nm : tuple of float
        Shortest and longest wavelength of ``mode="photons"``.
    step_angle_rad : float
        Root mean square angle of multiple scattering that ends an electron's step.
    thinning_energy_fraction, thinning_max_weight : float
        Thinning of electromagnetic particles below this fraction of the primary energy, and its greatest weight;
        the fraction 0 follows all particles. Means are kept; the light of one particle then comes in clumps of up to
        the weight, so thin only showers whose images hold thousands of photoelectrons (several TeV).
    hadron_library : Path, optional
        Another library of hadronic interactions than the package's, from ``tools/build_hadron_library.py``.

    Raises
    ------
    ConfigError
        A number is outside its range, or a name is not known.
    InputError
        The hadron library cannot be read.
    """
    if mode not in ("photoelectrons", "photons"):
        raise ConfigError(f"mode {mode!r} is not known; {nearest_names(mode, ('photoelectrons', 'photons'))}")
    for name, value, low, high in (
        ("light_scale", light_scale, 0.0, 10.0),
        ("observation_level_m", observation_level_m, 0.0, 5000.0),
        ("telescope_radius_m", telescope_radius_m, 0.1, 100.0),
        ("view_radius_deg", view_radius_deg, 0.1, 89.0),
        ("step_angle_rad", step_angle_rad, 0.005, 0.3),
        ("thinning_energy_fraction", thinning_energy_fraction, 0.0, 0.1),
        ("thinning_max_weight", thinning_max_weight, 1.0, 1e4),
    ):
        if not low <= value <= high:
            raise ConfigError(f"{name} is {value}, expected {low:g} to {high:g}")
    air = load_atmosphere(atmosphere)
    field = geographic_from_magnetic(np.array([field_north_ut, 0.0, -field_down_ut]))
    light = (
        emitted_yield_table(*band_nm)
        if mode == "photons"
        else detected_yield_table(air, observation_level_m, light_scale)
    )
    # Plain floats: an integer here would make the kernels compile a second time.
    kernel = medium(
        air,
        float(observation_level_m),
        (float(field[0]), float(field[1]), float(field[2])),
        float(step_angle_rad),
        0.0,
        float(thinning_max_weight),
        load_hadron_library(hadron_library),
    )
    return Environment(
        air,
        light,
        float(observation_level_m),
        float(telescope_radius_m),
        float(view_radius_deg),
        float(thinning_energy_fraction),
        kernel,
    )


def simulate_shower(
    particle: str,
    energy_gev: float,
    direction_zenith_deg: float,
    direction_azimuth_deg: float,
    cores_m: ArrayLike,
    pointing_zenith_deg: ArrayLike,
    pointing_azimuth_deg: ArrayLike,
    telescopes_m: ArrayLike,
    environment: Environment,
    seed: int | Sequence[int],
    *,
    start_height_m: float | None = None,
    first_interaction_m: float | None = None,
) -> tuple[ShowerLight, ShowerTruth]:
    """Simulate a shower and its light in the telescopes of all re-uses.

    Parameters
    ----------
    particle : {"gamma", "electron", "proton", "helium", "muon"}
    energy_gev : float
        Total energy.
    direction_zenith_deg, direction_azimuth_deg : float
        Where the shower comes from; azimuth from geographic north through east.
    cores_m : float array, [K, 2]
        Where its axis meets the ground in each re-use, metres north and west of the origin of the telescopes.
    pointing_zenith_deg, pointing_azimuth_deg : float array, [K]
        Pointing of the telescopes in each re-use.
    telescopes_m : float array, [T, 3]
        Reference points of the telescopes.
    environment : Environment
    seed : int or sequence of int
        The same seed gives the same shower in any process.
    start_height_m : float, optional
        Where the particle starts on its axis, above sea level. By default it starts at 110 km, a charged one beside
        the axis, so that the magnetic field brings it onto the axis about where its shower begins.
    first_interaction_m : float, optional
        Height above sea level at which a gamma makes a pair, in place of a height drawn by lot; it starts there.

    Returns
    -------
    ShowerLight, ShowerTruth

    Raises
    ------
    ConfigError
        The particle is not known.
    InputError
        Shapes do not fit, the kinetic energy is below 30 MeV, or the zenith angle exceeds 75 degrees.
    """
    if particle not in PARTICLES:
        raise ConfigError(f"particle {particle!r} is not known; {nearest_names(particle, PARTICLES)}")
    cores = np.asarray(cores_m, dtype=np.float64)
    telescopes = np.asarray(telescopes_m, dtype=np.float64)
    zeniths = np.asarray(pointing_zenith_deg, dtype=np.float64)
    azimuths = np.asarray(pointing_azimuth_deg, dtype=np.float64)
    if cores.ndim != 2 or cores.shape[1] != 2 or len(cores) == 0:
        raise InputError(f"cores_m has shape {cores.shape}, expected (K, 2) with K > 0")
    if telescopes.ndim != 2 or telescopes.shape[1] != 3 or len(telescopes) == 0:
        raise InputError(f"telescopes_m has shape {telescopes.shape}, expected (T, 3) with T > 0")
    if zeniths.shape != (len(cores),) or azimuths.shape != (len(cores),):
        raise InputError(
            f"pointings have shapes {zeniths.shape} and {azimuths.shape}, expected one for each of {len(cores)} cores"
        )
    species = PARTICLES[particle]
    if not energy_gev * 1e3 > MASS_MEV[species] + 30.0 or not 0.0 <= direction_zenith_deg <= 75.0:
        raise InputError(
            f"a {particle} of {energy_gev} GeV from zenith {direction_zenith_deg} deg is outside what is simulated:"
            " more than 30 MeV kinetic energy, zenith 0 to 75 deg"
        )
    if first_interaction_m is not None and (particle != "gamma" or start_height_m is not None):
        raise InputError("first_interaction_m is for gammas, and leaves no choice of start_height_m")
    basis = pointing_basis(zeniths, azimuths)
    goal = targets(
        cores,
        basis[:, 2],
        basis[:, 0],
        basis[:, 1],
        telescopes,
        telescope_radius_m=environment.telescope_radius_m,
        view_radius_deg=environment.view_radius_deg,
    )
    towards = direction_vector(direction_zenith_deg, direction_azimuth_deg)
    start = start_height_m if first_interaction_m is None else first_interaction_m
    height = _START_HEIGHT_M if start is None else start
    path = float(path_to_height_m(height, direction_zenith_deg, environment.observation_level_m))
    position, flight = path * towards, -towards
    if start is None and CHARGE[species] != 0.0:
        position, flight, path = aimed_start(species, energy_gev * 1e3, towards, path, environment.kernel)
    primary = np.concatenate([[species, energy_gev * 1e3], position, flight, [-path, 1.0]])
    kernel = environment.kernel._replace(thinning_mev=environment.thinning_energy_fraction * energy_gev * 1e3)
    room = _ROOM_FOR_LIGHT
    while True:
        profile = np.zeros(N_DEPTH_BINS)
        book = np.array([0.0, 0.0, 0.0, -1.0 if first_interaction_m is None else CONVERT_AT_START, 0.0, 0.0])
        count = np.zeros(3, dtype=np.int64)
        state = random_state(seed)
        rows = follow(primary, kernel, goal, environment.light.per_metre, profile, book, count, room, state)
        if count[2] == 0:
            break
        # One particle outshone the room left for it: the same shower once more, with more room.
        room *= 8
    truth = ShowerTruth(
        first_interaction_height_m=float(book[3]) if book[3] >= 0.0 else math.nan,
        xmax_gcm2=_depth_of_maximum(profile, direction_zenith_deg, environment),
        n_steps=int(count[1]),
        profile=profile,
        energy_lost_gev=float(book[0]) / 1e3,
        energy_dropped_gev=float(book[1]) / 1e3,
        energy_ground_gev=float(book[2]) / 1e3,
        n_muons=float(book[4]),
        energy_muons_gev=float(book[5]) / 1e3,
    )
    return _light(rows, len(telescopes), environment.observation_level_m), truth


def _light(rows: NDArray[np.float32], n_telescopes: int, observation_level_m: float) -> ShowerLight:
    target = rows[:, 0].astype(np.int32)
    order = np.argsort(target, kind="stable")
    target, rows = target[order], rows[order]
    return ShowerLight(
        reuse=target // n_telescopes,
        telescope=target % n_telescopes,
        x_deg=np.degrees(rows[:, 1]),
        y_deg=np.degrees(rows[:, 2]),
        mirror_x_m=rows[:, 3].copy(),
        mirror_y_m=rows[:, 4].copy(),
        time_ns=rows[:, 5] / np.float32(_METRES_PER_NS),
        n_photons_thrown=len(rows),
        emission_height_m=rows[:, 6] + np.float32(observation_level_m),
    )


def _depth_of_maximum(profile: Floats, zenith_deg: float, environment: Environment) -> float:
    """Find the slant depth of the maximum: a parabola through the profile smoothed over 50 g/cm2."""
    if not profile.any():
        return math.nan
    smooth = np.convolve(profile, np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0, mode="same")
    peak = int(np.clip(np.argmax(smooth), 2, len(smooth) - 3))
    a, b, _ = np.polyfit(np.arange(-2.0, 3.0), smooth[peak - 2 : peak + 3], 2)
    shift = float(np.clip(-b / (2.0 * a), -2.0, 2.0)) if a < 0.0 else 0.0
    vertical = (peak + 0.5 + shift) * DEPTH_BIN_G_CM2
    heights = environment.atmosphere.height_m(np.geomspace(0.01, vertical, 200))
    path = path_to_height_m(heights, zenith_deg, environment.observation_level_m)
    density = environment.atmosphere.density_g_cm3(heights)
    return float(-np.trapezoid(100.0 * density, path) + 0.01 / math.cos(math.radians(zenith_deg)))
