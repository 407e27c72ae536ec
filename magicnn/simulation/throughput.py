"""How much light becomes photoelectrons: the night sky, stars and muon rings that follow from the published curves."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.simulation.atmosphere import Atmosphere, read_table
from magicnn.simulation.cherenkov import detected_yield_table, detection_efficiency
from magicnn.simulation.instrument_settings import OpticsSettings, ReadoutSettings
from magicnn.simulation.optics import focal_plane, lattice, pixel_indices
from magicnn.simulation.random_numbers import random_state

__all__ = [
    "MIRROR_AREA_M2",
    "muon_ring_pe",
    "night_sky_rate_pe_per_ns",
    "pixel_solid_angle_sr",
    "star_light_pe_per_ns",
    "star_rate_pe_per_ns",
]

MIRROR_AREA_M2 = 236.0
"""Reflecting surface (fact sheet of MAGIC-I)."""
_DARK_SKY_B_MAG = 22.7
"""Dark sky over La Palma per square second of arc (C. R. Benn and S. L. Ellison, New Astron. Rev. 42 (1998) 503)."""
_SR_IN_ARCSEC2 = (180.0 * 3600.0 / math.pi) ** 2
_RAYS = 4000


def pixel_solid_angle_sr(camera: Camera) -> float:
    """Give the solid angle of a pixel as the mirror projects it."""
    area = math.sqrt(3.0) / 2.0 * camera.pitch_m**2
    return area / camera.focal_length_m**2


def night_sky_rate_pe_per_ns(light_scale: float, camera: Camera) -> float:
    """Predict the photoelectrons of the dark night sky over La Palma per pixel.

    Parameters
    ----------
    light_scale : float
        Factor on the published curves of mirror, light cones and photon detection.
    camera : Camera

    Returns
    -------
    float
        Per ns and pixel, for 236 m2 of mirror; light that reaches the light cones past the mirror is not in it.
    """
    sky = read_table("night_sky_la_palma.txt")
    wavelength = np.arange(250.0, 900.5, 0.5)
    spectrum = np.interp(wavelength, sky[:, 0], sky[:, 1])
    seen = float(np.trapezoid(spectrum * detection_efficiency(wavelength), wavelength))
    return light_scale * seen * MIRROR_AREA_M2 * pixel_solid_angle_sr(camera)


def muon_ring_pe(
    angle_deg: float, light_scale: float, atmosphere: Atmosphere, radius_m: float, observation_level_m: float = 2200.0
) -> float:
    """Predict the photoelectrons of a muon that comes along the optical axis.

    Parameters
    ----------
    angle_deg : float
        Cherenkov angle: radius of the ring.
    light_scale : float
    atmosphere : Atmosphere
    radius_m : float
        Radius of the mirror.
    observation_level_m : float
        Height above sea level.

    Returns
    -------
    float
        Frank and Tamm's yield along the last ``radius / tan(angle)`` of the track.

    Notes
    -----
    A muon that hits the mirror anywhere has 0.849 of this on average (16 / 6 pi): the mean distance from a random point
    of a disc to its rim. G. Vacanti et al., Astropart. Phys. 2 (1994) 1.
    """
    angle = math.radians(angle_deg)
    table = detected_yield_table(atmosphere, observation_level_m, light_scale)
    length = radius_m / math.tan(angle)
    middle = float(np.interp(0.5 * length, 250.0 * np.arange(table.per_metre.shape[1]), table.per_metre[0]))
    return middle * math.sin(angle) ** 2 * length


def star_rate_pe_per_ns(magnitude_b: float, dark_sky_pe_per_ns: float, camera: Camera) -> float:
    """Give the photoelectrons of a star, from the dark night sky's by the ratio of their brightness in B.

    Parameters
    ----------
    magnitude_b : float
    dark_sky_pe_per_ns : float
        Of the dark night sky, per pixel.
    camera : Camera

    Returns
    -------
    float
        Per ns, over all pixels. The colour of the star is taken as that of the sky.
    """
    pixel_b_mag = _DARK_SKY_B_MAG - 2.5 * math.log10(pixel_solid_angle_sr(camera) * _SR_IN_ARCSEC2)
    return float(dark_sky_pe_per_ns * 10.0 ** (0.4 * (pixel_b_mag - magnitude_b)))


def star_light_pe_per_ns(
    readout: ReadoutSettings, optics: OpticsSettings, telescope: int, camera: Camera
) -> NDArray[np.float64]:
    """Spread the stars of the field of view over the pixels under their spots, and add the hot pixels.

    Parameters
    ----------
    readout : ReadoutSettings
        Its stars, hot pixels, and level ``dark`` of the night sky (the present one when there is no such level).
    optics : OpticsSettings
    telescope : int
        0 or 1.
    camera : Camera

    Returns
    -------
    float64 array, [P]
        Photoelectrons per ns on top of the night sky.
    """
    dark = readout.night_sky_levels.get("dark", readout.night_sky_pe_per_ns)[telescope]
    rates = np.zeros(camera.n_pixels)
    cells = lattice(camera)
    for number, star in enumerate(readout.stars):
        generator = np.random.default_rng((number, telescope))
        radius = math.sqrt(MIRROR_AREA_M2 / math.pi) * np.sqrt(generator.random(_RAYS))
        turn = generator.uniform(0.0, 2.0 * math.pi, _RAYS)
        image_m, _ = focal_plane(
            np.full(_RAYS, star.x_deg, dtype=np.float32),
            np.full(_RAYS, star.y_deg, dtype=np.float32),
            (radius * np.cos(turn)).astype(np.float32),
            (radius * np.sin(turn)).astype(np.float32),
            np.zeros(_RAYS, dtype=np.float32),
            optics,
            random_state((number, telescope, 1)),
        )
        pixels = pixel_indices(image_m, cells)
        share = np.bincount(pixels[pixels >= 0], minlength=camera.n_pixels) / _RAYS
        rates += share * star_rate_pe_per_ns(star.magnitude_b, dark, camera)
    rates[list(readout.hot_pixels[telescope])] += readout.hot_rate_pe_per_ns
    return rates
