"""Feature tables of toy showers whose size follows a known law of energy, impact and height of maximum."""

import numpy as np
import pytest

from magicnn.array import impact_m, sky_from_camera
from magicnn.events import EventMeta
from magicnn.images.cherenkov import cherenkov_pool
from magicnn.images.features import FeatureTable
from magicnn.images.hillas import IMAGE_PARAMETERS
from magicnn.images.stereo import STEREO_PARAMETERS

SIZE_PER_GEV = 0.02


def fall_off(scaled_impact):
    """Light against impact over Cherenkov radius: flat inside the ring, falling outside."""
    return np.where(scaled_impact < 1.0, 1.0, np.maximum(scaled_impact, 1.0) ** -2.0)


def make_features(n, seed, *, particle="gamma", noise=0.2, zenith=(5.0, 35.0)):
    rng = np.random.default_rng(seed)
    pointing = rng.uniform(*zenith, n), rng.uniform(0.0, 360.0, n)
    # E^-2 from 50 GeV to 20 TeV
    energy = 1.0 / rng.uniform(1.0 / 20e3, 1.0 / 50.0, n)
    offset, turn = 0.4, rng.uniform(0.0, 2 * np.pi, n)
    source = offset * np.cos(turn), offset * np.sin(turn)
    true_zenith, true_azimuth = sky_from_camera(*source, *pointing)
    core = rng.uniform(-180.0, 180.0, (2, n))
    impact = impact_m(*core, true_zenith, true_azimuth)
    h_max = 11_500.0 - 1500.0 * np.log10(energy / 100.0) + rng.normal(0.0, 600.0, n)
    radius, density = cherenkov_pool(h_max, pointing[0])
    size = SIZE_PER_GEV * 1e3 * energy[:, None] * density[:, None] * fall_off(impact / radius[:, None])
    size *= np.exp(rng.normal(0.0, noise, (n, 2)))
    is_gamma = particle == "gamma"
    columns = {name: np.full((n, 2), 0.0) for name in IMAGE_PARAMETERS}
    columns |= {name: np.zeros(n) for name in STEREO_PARAMETERS if name != "impact_m"}
    columns |= {
        "run_id": np.full(n, 1),
        "event_id": np.arange(n),
        "shower_id": np.arange(n) // 3 + (0 if is_gamma else 10**6),
        "reuse_id": np.arange(n) % 3,
        "pointing_zenith_deg": pointing[0],
        "pointing_azimuth_deg": pointing[1],
        "true_energy_gev": energy,
        "true_particle": np.full(n, 22 if is_gamma else 2212),
        "true_zenith_deg": true_zenith,
        "true_azimuth_deg": true_azimuth,
        "true_impact_m": impact,
        "size_pe": size,
        "length_deg": 0.1 + 0.05 * np.log10(size) + rng.normal(0.0, 0.02, (n, 2)),
        "width_deg": np.abs(rng.normal(0.07 if is_gamma else 0.13, 0.015 if is_gamma else 0.04, (n, 2))) + 1e-3,
        "skewness": rng.normal(0.0, 0.3, (n, 2)),
        "kurtosis": rng.normal(2.5, 0.3, (n, 2)),
        "time_slope_ns_per_deg": rng.choice([-1.0, 1.0], (n, 2)) * (impact - 60.0) / 20.0,
        "impact_m": impact,
        "h_max_m": h_max,
        "stereo_angle_deg": rng.uniform(5.0, 90.0, n),
        "is_stereo": np.ones(n, dtype=bool),
        "reco_zenith_deg": true_zenith,
        "reco_azimuth_deg": true_azimuth,
    }
    meta = EventMeta(
        particle=particle, production="toy", is_simulation=True, generated={"spectral_index": 2.0, "n_thrown": n}
    )
    return FeatureTable(columns, meta)


@pytest.fixture(scope="session")
def toy_features():
    """Function that makes a feature table of toy showers."""
    return make_features


@pytest.fixture(scope="session")
def gammas():
    return make_features(12_000, 1)


@pytest.fixture(scope="session")
def test_gammas():
    return make_features(4000, 2)


@pytest.fixture(scope="session")
def protons():
    return make_features(4000, 3, particle="proton")
