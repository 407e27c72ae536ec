"""Extinction of the detected light beside CORSIKA's table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from magicnn.simulation.atmosphere import load_atmosphere, optical_depth, path_to_height_m
from magicnn.simulation.cherenkov import detection_efficiency

__all__ = ["extinction_differences"]


def extinction_differences(
    path: Path | str,
    heights_m: tuple[float, ...] = (5000.0, 10000.0, 15000.0),
    zeniths_deg: tuple[float, ...] = (0.0, 60.0),
    observation_level_m: float = 2200.0,
) -> list[tuple[float, float, float, float, float]]:
    """Compare the share of light that arrives and is detected with the share by CORSIKA's extinction table.

    Parameters
    ----------
    path : path
        ``extinction.npz``: optical depths from sea level by wavelength (nm) and height (m).
    heights_m, zeniths_deg : tuple of float
        Heights of emission above sea level, and zenith angles of its path.
    observation_level_m : float

    Returns
    -------
    list of tuple
        Height (m), zenith angle (deg), share transmitted here, share by the table, difference in per cent.
    """
    with np.load(path) as file:
        wavelength = np.asarray(file["wavelength"], dtype=np.float64)
        level = np.asarray(file["height"], dtype=np.float64)
        table = np.asarray(file["ecoeff"], dtype=np.float64)
    inside = (wavelength >= 280.0) & (wavelength <= 700.0)
    wavelength, table = wavelength[inside], table[inside]
    air = load_atmosphere()
    weight = np.gradient(wavelength) * detection_efficiency(wavelength) / wavelength**2
    rows = []
    for height in heights_m:
        ours = optical_depth(air, wavelength, height, observation_level_m)
        theirs = np.array([np.interp(height, level, row) - np.interp(observation_level_m, level, row) for row in table])
        for zenith in zeniths_deg:
            mass = float(path_to_height_m(height, zenith, observation_level_m)) / (height - observation_level_m)
            here, there = (float(weight @ np.exp(-mass * depth) / weight.sum()) for depth in (ours, theirs))
            rows.append((height, zenith, here, there, 100.0 * (here / there - 1.0)))
    return rows
