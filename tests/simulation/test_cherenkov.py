import math

import numpy as np
import pytest

from magicnn.simulation.atmosphere import load_atmosphere
from magicnn.simulation.cherenkov import (
    AIR_MASS_STEP,
    HEIGHT_STEP_M,
    detected_yield_table,
    detection_efficiency,
    emitted_yield_table,
)


def test_emitted_light_follows_frank_and_tamm():
    # 300-600 nm, a particle of the speed of light at 2.2 km, 8 km and 12 km: 34, 19 and 12 photons per metre.
    air = load_atmosphere()
    table = emitted_yield_table(300.0, 600.0)
    for height, photons in ((2200.0, 34.0), (8000.0, 19.0), (12000.0, 12.0)):
        sin2 = math.sin(math.radians(float(air.cherenkov_angle_deg(height)))) ** 2
        assert table.per_metre[0, 0] * sin2 == pytest.approx(photons, rel=0.04)


def test_detector_keeps_about_an_eighth():
    wavelength = np.arange(290.0, 700.0, 1.0)
    mean = np.average(detection_efficiency(wavelength), weights=wavelength**-2.0)
    # Photon detection 0.202 over 1/lambda^2 alone; mirrors about 0.86, cones about 0.76.
    assert mean == pytest.approx(0.202 * 0.855 * 0.765, rel=0.03)


def test_extinction_grows_with_height_and_air_mass():
    table = detected_yield_table(load_atmosphere(), 2200.0, 1.0).per_metre
    assert (np.diff(table, axis=1) < 0.0).all()
    # With no air on the way the air mass is without meaning.
    np.testing.assert_allclose(table[:, 0], table[0, 0])
    assert (np.diff(table[:, 1:], axis=0) < 0.0).all()
    ten_km = int(7800.0 / HEIGHT_STEP_M)
    two_air_masses = int(1.0 / AIR_MASS_STEP)
    vertical = table[0, ten_km] / table[0, 0]
    assert 0.70 < vertical < 0.85
    # The second air mass absorbs less than the first, which has taken the short waves already.
    assert vertical**2 < table[two_air_masses, ten_km] / table[0, 0] < vertical**1.6


def test_light_scale_is_a_plain_factor():
    air = load_atmosphere()
    whole, part = (detected_yield_table(air, 2200.0, scale).per_metre for scale in (1.0, 0.45))
    np.testing.assert_allclose(part, 0.45 * whole)
