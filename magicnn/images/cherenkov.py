"""The pool of Cherenkov light on the ground that MAGIC's lookup tables are scaled with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.array import OBSERVATION_LEVEL_M
from magicnn.simulation.atmosphere import load_atmosphere

__all__ = ["cherenkov_pool"]

Floats = NDArray[np.float64]

_ELECTRON_MEV = 86.0  # critical energy in air
_REST_MASS_MEV = 0.510999
_FINE_STRUCTURE = 1.0 / 137.036
_RADIATION_LENGTH_G_CM2 = 36.66
_BAND_NM = (300.0, 600.0)
_LOWEST_ABOVE_GROUND_M, _HIGHEST_MAXIMUM_M = 1300.0, 17_000.0


def cherenkov_pool(
    h_max_m: ArrayLike,
    zenith_deg: ArrayLike,
    atmosphere: str = "magic-winter",
    *,
    ground_m: float = OBSERVATION_LEVEL_M,
) -> tuple[Floats, Floats]:
    """Radius and photon density, on the ground, of the Cherenkov light of one electron at the shower maximum.

    Parameters
    ----------
    h_max_m : array_like, [N]
        Height above sea level of the shower maximum; taken as 1.3 km above the ground or 17 km when beyond, where the
        electron would be at the ground or below its threshold.
    zenith_deg : array_like, [N]
        Zenith distance of the shower.
    atmosphere : str
        Name of an atmosphere of the simulation.
    ground_m : float
        Height above sea level of the telescopes.

    Returns
    -------
    radius_m : float64 array, [N]
        Radius of the ring, normal to the shower axis.
    density_m2 : float64 array, [N]
        Photons per square metre (300 to 600 nm, without absorption), spread evenly over the ring's disc.

    Notes
    -----
    The electron has the critical energy of air, 86 MeV, as in MARS (R. Lopez-Coto, PhD thesis, 2.2.3.6). How far it
    radiates is not stated there; here it is one radiation length, so that the density does not depend on how thin
    the air is but through the Cherenkov angle. Photons per length: 2 pi alpha sin^2(theta) (1/lambda1 - 1/lambda2).
    """
    air = load_atmosphere(atmosphere)
    height = np.clip(np.asarray(h_max_m, dtype=np.float64), ground_m + _LOWEST_ABOVE_GROUND_M, _HIGHEST_MAXIMUM_M)
    beta = np.sqrt(1.0 - (_REST_MASS_MEV / _ELECTRON_MEV) ** 2)
    cos_theta = 1.0 / (beta * (1.0 + air.refractivity(height)))
    sin2_theta = 1.0 - cos_theta**2
    slant_m = (height - ground_m) / np.cos(np.radians(np.asarray(zenith_deg, dtype=np.float64)))
    radius_m = slant_m * np.sqrt(sin2_theta) / cos_theta
    track_m = _RADIATION_LENGTH_G_CM2 / air.density_g_cm3(height) / 100.0
    per_metre = 2.0 * np.pi * _FINE_STRUCTURE * sin2_theta * 1e9 * (1.0 / _BAND_NM[0] - 1.0 / _BAND_NM[1])
    return radius_m, per_metre * track_m / (np.pi * radius_m**2)
