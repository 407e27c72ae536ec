"""Tree ``OriginalMC`` of a MARS simulation: a random sample of what was thrown, over one area for all showers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.array import camera_from_sky, sky_from_camera
from magicnn.generated import Generated, scatter_radius_m
from magicnn.io.mars.columns import Branches, mars_phi
from magicnn.runs import seed_sequence

__all__ = ["ThrownSample", "nothing_thrown", "thrown_branches", "thrown_sample"]

Floats = NDArray[np.float64]

_BLOCK = 1 << 16
_DEG_PER_MM = 0.00337  # of MARS: camera coordinates
_FLOATS = (
    *(f"MMcEvtBasic.{name}" for name in ("fEnergy", "fImpact", "fTelescopePhi", "fTelescopeTheta", "fTheta", "fPhi")),
    *(f"MSrcPosCam.{name}" for name in ("fX", "fY")),
)


@dataclass(frozen=True, slots=True)
class ThrownSample:
    """How many showers stand for what a production threw.

    Attributes
    ----------
    n_rows : int
        Number of showers over the disc of ``radius_m``.
    radius_m : float
        Radius of the disc, the largest that the production threw cores over.
    """

    n_rows: int
    radius_m: float


def thrown_sample(generated: Generated, n_thrown: int) -> ThrownSample:
    """Return the number of showers, and the one disc, that give the rates of a production.

    Parameters
    ----------
    generated : Generated
        What the production threw.
    n_thrown : int
        How many of it.

    Returns
    -------
    ThrownSample

    Notes
    -----
    A production may throw the cores of energetic and of inclined showers over larger discs, while MARS computes
    effective areas from one radius. What was thrown over a disc of radius R stands for (R_max / R)^2 as many showers
    over the largest disc: those beyond R would not have triggered, which is why they were not thrown.
    """
    farthest = min(generated.zenith_max_deg + generated.viewcone_max_deg, 89.0)
    radius = float(_radius(generated, generated.energy_max_gev, farthest))
    if generated.scatter_energy_exponent == 0.0 and generated.scatter_zenith_exponent == 0.0:
        return ThrownSample(n_thrown, radius)
    generator = np.random.default_rng(seed_sequence(0, "thrown sample"))
    zenith = _directions(generated, _BLOCK, generator)[2]
    energy = _energy(generated, generated.spectral_index, (np.arange(zenith.size) + 0.5) / zenith.size)
    mean = np.mean((radius / _radius(generated, energy, zenith)) ** 2)
    return ThrownSample(round(n_thrown * float(mean)), radius)


def nothing_thrown() -> Branches:
    """Return the branches of ``OriginalMC`` without a row."""
    floats = dict.fromkeys(_FLOATS, np.zeros(0, dtype=np.float32))
    return {"MMcEvtBasic.fPartId": np.zeros(0, dtype=np.int32), **floats}


def thrown_branches(generated: Generated, sample: ThrownSample, *, particle: int, seed: int) -> Iterator[Branches]:
    """Yield the rows of ``OriginalMC`` in blocks.

    Parameters
    ----------
    generated : Generated
        What the production threw.
    sample : ThrownSample
        Numbers of `thrown_sample`.
    particle : int
        CORSIKA number of the particle.
    seed : int
        Fixes the sample; both telescopes get the same showers.

    Yields
    ------
    dict of str to array
    """
    generator = np.random.default_rng(seed_sequence(seed, "OriginalMC", generated.particle))
    index = generated.spectral_index + 2.0 * generated.scatter_energy_exponent
    most = min(generated.zenith_max_deg + generated.viewcone_max_deg, 89.0)
    least = max(generated.zenith_min_deg - generated.viewcone_max_deg, 0.0)
    power = 2.0 * generated.scatter_zenith_exponent
    largest = np.cos(np.radians([most, least])) ** power
    done = 0
    while done < sample.n_rows:
        pointing_zenith, pointing_azimuth, zenith, azimuth = _directions(generated, _BLOCK, generator)
        # discs grow as cos(zenith)^-exponent: the fewer of the largest disc, the larger the share that was thrown
        chance = np.cos(np.radians(zenith)) ** power / largest.max()
        kept = np.flatnonzero(generator.random(_BLOCK) < chance)[: sample.n_rows - done]
        n = len(kept)
        done += n
        pointing_zenith, pointing_azimuth, zenith, azimuth = (
            values[kept] for values in (pointing_zenith, pointing_azimuth, zenith, azimuth)
        )
        x_deg, y_deg = camera_from_sky(zenith, azimuth, pointing_zenith, pointing_azimuth)
        floats = (
            _energy(generated, index, generator.random(n)),
            100.0 * sample.radius_m * np.sqrt(generator.random(n)),
            mars_phi(pointing_azimuth),
            np.radians(pointing_zenith),
            np.radians(zenith),
            mars_phi(azimuth),
            # the camera of MARS is ours reflected: x and y change places and signs
            -y_deg / _DEG_PER_MM,
            -x_deg / _DEG_PER_MM,
        )
        yield {
            "MMcEvtBasic.fPartId": np.full(n, particle, dtype=np.int32),
            **{name: values.astype(np.float32) for name, values in zip(_FLOATS, floats, strict=True)},
        }


def _radius(generated: Generated, energy_gev: Floats | float, zenith_deg: Floats | float) -> Floats:
    return scatter_radius_m(
        energy_gev,
        zenith_deg,
        radius_m=generated.scatter_radius_m,
        energy_exponent=generated.scatter_energy_exponent,
        zenith_exponent=generated.scatter_zenith_exponent,
    )


def _energy(generated: Generated, spectral_index: float, share: Floats) -> Floats:
    """Energies at some shares of the integral of E^-spectral_index."""
    low, high = generated.energy_min_gev, generated.energy_max_gev
    power = 1.0 - spectral_index
    if abs(power) < 1e-12:
        return low * (high / low) ** share
    energies: Floats = (low**power + share * (high**power - low**power)) ** (1.0 / power)
    return energies


def _directions(
    generated: Generated, n: int, generator: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Draw pointings (zenith, azimuth) and directions (zenith, azimuth) as the production does, in degrees."""
    low, high = np.cos(np.radians([generated.zenith_max_deg, generated.zenith_min_deg]))
    pointing_zenith = np.degrees(np.arccos(generator.uniform(low, high, n)))
    pointing_azimuth = generator.uniform(0.0, 360.0, n)
    low, high = np.cos(np.radians([generated.viewcone_max_deg, generated.viewcone_min_deg]))
    offset = np.degrees(np.tan(np.arccos(generator.uniform(low, high, n))))
    turn = generator.uniform(0.0, 2.0 * np.pi, n)
    zenith, azimuth = sky_from_camera(offset * np.cos(turn), offset * np.sin(turn), pointing_zenith, pointing_azimuth)
    return pointing_zenith, pointing_azimuth, zenith, azimuth
