"""Photon bunches of CORSIKA as the file says them: run, showers, telescopes and light.

Vectors stay in the frame of the file's array: z up, x at ``array_angle_deg`` west of magnetic north.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["AppliedByCorsika", "CorsikaRun", "CorsikaShower", "PhotonBunches", "particle_name"]

Floats = NDArray[np.float64]

_NAMES = {1: "gamma", 2: "positron", 3: "electron", 5: "muon", 6: "muon", 14: "proton", 402: "helium", 5626: "iron"}


@dataclass(frozen=True)
class AppliedByCorsika:
    """What CORSIKA's option CEFFIC did to the bunches already (keyword CERQEF).

    Attributes
    ----------
    detection, extinction, mirror : bool
        Quantum efficiency, absorption in the air, reflectivity of the mirrors.
    """

    detection: bool = False
    extinction: bool = False
    mirror: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What was applied, in words."""
        told = (
            (self.detection, "photon detection"),
            (self.extinction, "extinction"),
            (self.mirror, "mirror reflectivity"),
        )
        return tuple(name for is_applied, name in told if is_applied)


@dataclass(frozen=True)
class CorsikaRun:
    """Header, card and telescopes of a file.

    Attributes
    ----------
    path : Path
    run_number : int
    version : float
        Of CORSIKA.
    card : str
        The input card in the file.
    observation_level_m : float
    spectral_index : float
        Thrown spectrum dN/dE = E^-spectral_index.
    energy_min_gev, energy_max_gev : float
    scatter_m : tuple of float
        CSCAT: radius of the disc of cores across the axis when the second number is 0, else the sides of a rectangle.
    applied : AppliedByCorsika
    telescopes_m : float64 array, [T, 3]
        Centres of the spheres, relative to the origin of the array on the observation level.
    radius_m : float64 array, [T]
        Radii of the spheres.
    """

    path: Path
    run_number: int
    version: float
    card: str
    observation_level_m: float
    spectral_index: float
    energy_min_gev: float
    energy_max_gev: float
    scatter_m: tuple[float, float]
    applied: AppliedByCorsika
    telescopes_m: Floats
    radius_m: Floats


@dataclass(frozen=True)
class PhotonBunches:
    """Light in the sphere of one telescope.

    Attributes
    ----------
    x_m, y_m : float64 array, [M]
        Where bunches cross the horizontal plane through the centre of the sphere, relative to it.
    cx, cy : float64 array, [M]
        Direction cosines of their flight.
    time_ns : float64 array, [M]
        When they cross that plane, after the primary, unhindered at the speed of light, would reach the core.
    emission_height_m : float64 array, [M]
        Above sea level.
    photons : float64 array, [M]
        Size of the bunch.
    wavelength_nm : float64 array, [M]
        0 where the file leaves it open.
    """

    x_m: Floats
    y_m: Floats
    cx: Floats
    cy: Floats
    time_ns: Floats
    emission_height_m: Floats
    photons: Floats
    wavelength_nm: Floats


@dataclass(frozen=True)
class CorsikaShower:
    """One shower and the light of its uses.

    Attributes
    ----------
    number : int
        Event number in the run.
    particle_id : int
        CORSIKA's number of the primary (1 gamma, 3 electron, 14 proton, 402 helium).
    energy_gev : float
        Total energy.
    zenith_deg, azimuth_deg : float
        Direction of FLIGHT: angle to the vertical downwards, and angle from magnetic north towards magnetic west.
    array_angle_deg : float
        Angle of the array's x axis from magnetic north towards west (keyword ARRANG).
    first_interaction_m : float
        Height above sea level, NaN when not known.
    field_north_ut, field_down_ut : float
    atmosphere : int
        Number of CORSIKA's external atmosphere, 0 for a built-in one.
    theta_range_deg, phi_range_deg : tuple of float
        Ranges of THETAP and PHIP.
    viewcone_deg : tuple of float
        Inner and outer opening angle.
    band_nm : tuple of float
        Wavelengths of the photons counted.
    bunch_size : float
        Greatest size of a bunch.
    cores_m : float64 array, [K, 2]
        Core of each use relative to the origin of the array, on the observation level.
    uses : tuple of mapping of int to PhotonBunches
        Light of each use by the index of the telescope.
    """

    number: int
    particle_id: int
    energy_gev: float
    zenith_deg: float
    azimuth_deg: float
    array_angle_deg: float
    first_interaction_m: float
    field_north_ut: float
    field_down_ut: float
    atmosphere: int
    theta_range_deg: tuple[float, float]
    phi_range_deg: tuple[float, float]
    viewcone_deg: tuple[float, float]
    band_nm: tuple[float, float]
    bunch_size: float
    cores_m: Floats
    uses: tuple[Mapping[int, PhotonBunches], ...]


def particle_name(particle_id: int) -> str:
    """Name a particle by CORSIKA's number."""
    return _NAMES.get(particle_id, f"corsika_{particle_id}")
