"""Feature tables of straight showers seen by two telescopes, for directions and heights."""

import numpy as np

from magicnn.array import (
    OBSERVATION_LEVEL_M,
    TELESCOPES_M,
    direction_vector,
    impact_m,
    pointing_basis,
    sky_from_camera,
)
from magicnn.events import EventMeta
from magicnn.images.features import FeatureTable
from magicnn.images.hillas import IMAGE_PARAMETERS
from magicnn.images.stereo import reconstruct


def projected(n, seed):
    """Three uses of each shower; axes off by 4 deg, length and skewness tell distance and sense of the source."""
    rng = np.random.default_rng(seed)
    pointing = rng.uniform(5.0, 35.0, n), rng.uniform(0.0, 360.0, n)
    offset = 1.2 * np.sqrt(rng.uniform(0, 1, n))
    turn = rng.uniform(0, 2 * np.pi, n)
    x, y = offset * np.cos(turn), offset * np.sin(turn)
    zenith, azimuth = sky_from_camera(x, y, *pointing)
    core = rng.uniform(-150, 150, (2, n))
    axis = direction_vector(zenith, azimuth)
    ground = np.stack([*core, np.zeros(n)], axis=-1)
    height = rng.normal(11e3, 700.0, n)
    maximum = ground + axis * ((height - OBSERVATION_LEVEL_M) / axis[:, 2])[:, None]
    local = np.einsum("nij,ntj->nti", pointing_basis(*pointing), maximum[:, None] - TELESCOPES_M)
    cog = np.degrees(local[..., :2] / local[..., 2:]) + rng.normal(0, 0.01, (n, 2, 2))
    away = np.stack([x, y], axis=-1)[:, None] - cog
    distance = np.hypot(away[..., 0], away[..., 1])
    psi = np.degrees(np.arctan2(away[..., 1], away[..., 0])) + rng.normal(0, 4.0, (n, 2))
    flip = rng.random((n, 2)) < 0.5  # psi names either sense of the axis
    psi = (psi + np.where(flip, 180.0, 0.0) + 180.0) % 360.0 - 180.0
    flip ^= (psi > 90) | (psi <= -90)
    psi = (psi + 90.0) % 180.0 - 90.0
    columns = {name: np.zeros((n, 2)) for name in IMAGE_PARAMETERS}
    columns |= {
        "run_id": np.ones(n),
        "event_id": np.arange(n),
        "shower_id": np.arange(n) // 3,
        "pointing_zenith_deg": pointing[0],
        "pointing_azimuth_deg": pointing[1],
        "true_particle": np.full(n, 22),
        "true_zenith_deg": zenith,
        "true_azimuth_deg": azimuth,
        "true_impact_m": impact_m(*core, zenith, azimuth),
        "size_pe": 10 ** rng.uniform(1.8, 3.5, (n, 2)),
        "cog_x_deg": cog[..., 0],
        "cog_y_deg": cog[..., 1],
        "psi_deg": psi,
        "length_deg": 0.1 + 0.2 * distance + rng.normal(0, 0.015, (n, 2)),
        "width_deg": rng.uniform(0.05, 0.08, (n, 2)),
        "skewness": np.where(flip, -1.0, 1.0) * -0.3 + rng.normal(0, 0.4, (n, 2)),
        "kurtosis": np.full((n, 2), 2.5),
    }
    stereo = reconstruct(columns, *pointing)
    return FeatureTable({**columns, **stereo}, EventMeta("gamma_diffuse", "toy", is_simulation=True))
