"""A small detector and a small production, built once."""

import pytest

from magicnn.simulation.detector import detector
from magicnn.simulation.settings import DetectorSettings, ProductionSettings


@pytest.fixture(scope="session")
def telescopes():
    return detector(DetectorSettings())


@pytest.fixture(scope="session")
def small_settings():
    return ProductionSettings(
        name="small",
        particle="gamma",
        spectral_index=2.0,
        energy_min_gev=100.0,
        energy_max_gev=1000.0,
        zenith_min_deg=10.0,
        zenith_max_deg=30.0,
        viewcone_min_deg=0.4,
        viewcone_max_deg=0.4,
        scatter_radius_m=200.0,
        reuse=5,
        showers_per_chunk=4,
    )
