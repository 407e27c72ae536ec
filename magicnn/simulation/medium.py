"""Air, magnetic field and cuts in the form in which the compiled code reads them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.simulation.atmosphere import EARTH_RADIUS_M, Atmosphere
from magicnn.simulation.collisions import LOG_ENERGY_STEP, density_effect_table, heavy_loss_table
from magicnn.simulation.electromagnetic import charged_table, photon_table
from magicnn.simulation.hadron_library import HadronLibrary
from magicnn.simulation.particles import ELECTRON_MASS_MEV, Stack

__all__ = [
    "CURVATURE_PER_M",
    "HEIGHT_STEP_M",
    "LOG_DEPTH_MIN",
    "LOG_DEPTH_STEP",
    "N_LOG_DEPTHS",
    "Medium",
    "height_above_sea",
    "medium",
]

Floats = NDArray[np.float64]

HEIGHT_STEP_M = 50.0
_TOP_M = 116_000.0
LOG_DEPTH_MIN = math.log(2e-5)
LOG_DEPTH_STEP = 0.01
N_LOG_DEPTHS = 1800
CURVATURE_PER_M = 0.5 / EARTH_RADIUS_M
"""Height gained over the tangent plane per square of the horizontal distance."""


class Medium(NamedTuple):
    """Air, magnetic field and cuts as the kernels see them.

    ``air`` [heights, 6]: density (g/cm2 per metre), depth (g/cm2), n - 1, integral of n - 1 from the observation level
    (m), energy below which an electron can no longer make light (MeV), and logarithm of the square root of the density
    in units of the tables' step. ``height_of_log_depth`` inverts the depth. The rest are tables of
    `magicnn.simulation.electromagnetic` and `magicnn.simulation.collisions`, the observation level (m), the field (uT,
    geographic axes), the mean square of the angle that ends a step, the energy (MeV) and greatest weight of thinning,
    and the library of hadronic interactions.
    """

    air: Floats
    height_of_log_depth: Floats
    charged: Floats
    density_effect: Floats
    photons: Floats
    heavy_loss: Floats
    observation_level_m: float
    field_x: float
    field_y: float
    field_z: float
    step_angle2: float
    thinning_mev: float
    max_weight: float
    hadrons: HadronLibrary


def medium(
    atmosphere: Atmosphere,
    observation_level_m: float,
    field_ut: tuple[float, float, float],
    step_angle_rad: float,
    thinning_mev: float,
    max_weight: float,
    hadrons: HadronLibrary,
) -> Medium:
    """Tabulate air and field for the kernels; arguments as in `Medium`."""
    height = HEIGHT_STEP_M * np.arange(int(_TOP_M / HEIGHT_STEP_M) + 1)
    density = atmosphere.density_g_cm3(height)
    depth = atmosphere.depth_g_cm2(height)
    refractivity = atmosphere.refractivity(height)
    threshold = atmosphere.cherenkov_threshold_mev(height, ELECTRON_MASS_MEV)
    delay = np.concatenate([[0.0], np.cumsum(0.5 * (refractivity[1:] + refractivity[:-1])) * HEIGHT_STEP_M])
    delay -= np.interp(observation_level_m, height, delay)
    # An electron below the local threshold may still reach denser air where it is above: it must lose at least
    # 2 MeV cm2/g on the way.
    kill = threshold.copy()
    for i in range(1, height.size):
        kill[i] = min(threshold[i], kill[i - 1] + 2.0 * (depth[i - 1] - depth[i]))
    shift = 0.5 * np.log(density / 1.2048e-3) / LOG_ENERGY_STEP
    log_depth = LOG_DEPTH_MIN + LOG_DEPTH_STEP * np.arange(N_LOG_DEPTHS)
    return Medium(
        np.ascontiguousarray(np.stack([100.0 * density, depth, refractivity, delay, kill, shift], axis=1)),
        np.ascontiguousarray(atmosphere.height_m(np.exp(log_depth))),
        charged_table(),
        density_effect_table(),
        photon_table(),
        heavy_loss_table(),
        observation_level_m,
        *field_ut,
        step_angle_rad**2,
        thinning_mev,
        max_weight,
        hadrons,
    )


@compiled
def height_above_sea(p: Stack, air: Medium) -> float:
    """Give the height above sea level (m) of a particle over the curved Earth."""
    return float(air.observation_level_m + p[4] + (p[2] * p[2] + p[3] * p[3]) * CURVATURE_PER_M)
