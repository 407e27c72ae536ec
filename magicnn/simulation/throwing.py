"""What each shower of a production is: energy, direction, pointings and cores, drawn from the number of the shower."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.array import direction_vector, sky_from_camera
from magicnn.generated import scatter_radius_m
from magicnn.runs import seed_sequence
from magicnn.simulation.roulette import axis_distance_m, image_distance_deg, survival_probability
from magicnn.simulation.settings import ProductionSettings

__all__ = ["ThrownShower", "production_id", "throw_shower"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ThrownShower:
    """One shower and those of its uses that are simulated, K of the thrown ones.

    Attributes
    ----------
    energy_gev, zenith_deg, azimuth_deg : float
        Energy, and where the shower comes from.
    pointing_zenith_deg, pointing_azimuth_deg : float64 array, [K]
        Pointing of the telescopes in each use.
    core_x_m, core_y_m : float64 array, [K]
        Where the axis meets the ground in each use, geographic north and west.
    use : int64 array, [K]
        Which of the thrown uses each is.
    weight : float64 array, [K]
        Thrown uses that each stands for.
    """

    energy_gev: float
    zenith_deg: float
    azimuth_deg: float
    pointing_zenith_deg: Floats
    pointing_azimuth_deg: Floats
    core_x_m: Floats
    core_y_m: Floats
    use: NDArray[np.int64]
    weight: Floats


def production_id(name: str, seed: int) -> int:
    """Give the number, below 2^31, of a production, from its name and seed: its ``run_id``."""
    return int.from_bytes(hashlib.sha256(f"{name}/{seed}".encode()).digest()[:4], "little") >> 1


def throw_shower(settings: ProductionSettings, seed: int, index: int) -> ThrownShower:
    """Draw a shower.

    Parameters
    ----------
    settings : ProductionSettings
    seed : int
        Seed of the production.
    index : int
        Number of the shower.

    Notes
    -----
    Pointings are even in azimuth and in the cosine of the zenith angle, directions even in solid angle between the
    limits of the view cone around them, or on a ring. The direction of a shower is drawn around its first pointing;
    the pointings of the other uses are drawn around that direction, within the zenith range: each use then has the
    same joint distribution of pointing and direction, whatever the number of uses. Cores are even in a disc across
    the shower axis, projected along the axis onto the ground. Last, the roulette decides which of the uses are
    simulated, with the probability `magicnn.simulation.roulette.survival_probability`: with and without it the same
    showers are thrown.
    """
    generator = np.random.default_rng(seed_sequence(seed, settings.name, "throw", index))
    energy = _energy(settings, generator.random())
    zenith, azimuth = _pointing(settings, generator)
    x, y = _offsets(settings, 1, generator)
    direction = sky_from_camera(x[0], y[0], zenith, azimuth)
    direction_zenith, direction_azimuth = float(direction[0]), float(direction[1])
    zeniths, azimuths = np.array([zenith]), np.array([azimuth])
    while len(zeniths) < settings.reuse:
        x, y = _offsets(settings, settings.reuse, generator)
        others = sky_from_camera(x, y, direction_zenith, direction_azimuth)
        inside = (settings.zenith_min_deg <= others[0]) & (others[0] <= settings.zenith_max_deg)
        zeniths = np.concatenate([zeniths, others[0][inside]])[: settings.reuse]
        azimuths = np.concatenate([azimuths, others[1][inside]])[: settings.reuse]
    core_x, core_y = _cores(settings, energy, direction_zenith, direction_azimuth, generator)
    use, weight = np.arange(settings.reuse), np.ones(settings.reuse)
    if settings.roulette is not None:
        chance = survival_probability(
            settings.roulette,
            energy,
            direction_zenith,
            axis_distance_m(core_x, core_y, direction_zenith, direction_azimuth),
            image_distance_deg(
                core_x, core_y, direction_zenith, direction_azimuth, zeniths, azimuths, settings.roulette.heights_m
            ),
        )
        use = np.flatnonzero(generator.random(settings.reuse) < chance)
        weight = 1.0 / chance[use]
    return ThrownShower(
        energy_gev=energy,
        zenith_deg=direction_zenith,
        azimuth_deg=direction_azimuth,
        pointing_zenith_deg=zeniths[use],
        pointing_azimuth_deg=azimuths[use],
        core_x_m=core_x[use],
        core_y_m=core_y[use],
        use=use,
        weight=weight,
    )


def _energy(settings: ProductionSettings, share: float) -> float:
    low, high = settings.energy_min_gev, settings.energy_max_gev
    power = 1.0 - settings.spectral_index
    if abs(power) < 1e-12:
        return float(low * (high / low) ** share)
    return float((low**power + share * (high**power - low**power)) ** (1.0 / power))


def _pointing(settings: ProductionSettings, generator: np.random.Generator) -> tuple[float, float]:
    low, high = np.cos(np.radians([settings.zenith_max_deg, settings.zenith_min_deg]))
    return float(np.degrees(np.arccos(generator.uniform(low, high)))), float(generator.uniform(0.0, 360.0))


def _offsets(settings: ProductionSettings, n: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw offsets, even in solid angle, as camera coordinates in degrees(tangent), [n]."""
    low, high = np.cos(np.radians([settings.viewcone_max_deg, settings.viewcone_min_deg]))
    tangent = np.degrees(np.tan(np.arccos(generator.uniform(low, high, n))))
    turn = generator.uniform(0.0, 2.0 * np.pi, n)
    return tangent * np.cos(turn), tangent * np.sin(turn)


def _cores(
    settings: ProductionSettings,
    energy_gev: float,
    zenith_deg: float,
    azimuth_deg: float,
    generator: np.random.Generator,
) -> tuple[Floats, Floats]:
    limit = scatter_radius_m(
        energy_gev,
        zenith_deg,
        radius_m=settings.scatter_radius_m,
        energy_exponent=settings.scatter_energy_exponent,
        zenith_exponent=settings.scatter_zenith_exponent,
    )
    radius = limit * np.sqrt(generator.random(settings.reuse))
    turn = generator.uniform(0.0, 2.0 * np.pi, settings.reuse)
    axis = direction_vector(zenith_deg, azimuth_deg)
    # Two axes across the shower: towards higher altitude, and horizontal.
    horizontal = direction_vector(90.0, azimuth_deg + 90.0)
    upwards = np.cross(horizontal, axis)
    across = (radius * np.cos(turn))[:, None] * upwards + (radius * np.sin(turn))[:, None] * horizontal
    ground = across - (across[:, 2] / axis[2])[:, None] * axis
    return ground[:, 0], ground[:, 1]
