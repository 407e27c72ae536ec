"""Predictions with known answers, as three methods would give them for the four zenith ranges."""

from __future__ import annotations

import numpy as np

from magicnn.array import sky_from_camera
from magicnn.generated import Generated
from magicnn.predictions import PredictionTable

METHODS = {
    # separation of the classes in sigma at 1 TeV, energy resolution at 1 TeV
    "CNN": (2.6, 0.13),
    "forest": (2.3, 0.14),
    "LUT": (None, 0.17),
}
ZENITH = ((5.0, 35.0), (35.0, 50.0), (50.0, 62.0), (62.0, 70.0))


def productions(role, n_thrown):
    viewcone = {"ring_gamma": (0.4, 0.4), "diffuse_gamma": (0.0, 2.5), "proton": (0.0, 2.5)}[role]
    is_proton = role == "proton"
    return [
        Generated(
            particle="proton" if is_proton else "gamma",
            spectral_index=2.0,
            energy_min_gev=(60.0 if is_proton else 30.0) * (1 + k),
            energy_max_gev=20000.0,
            n_thrown=n_thrown,
            scatter_radius_m=500.0 if is_proton else 300.0,
            scatter_energy_exponent=0.1,
            scatter_zenith_exponent=1.0,
            viewcone_min_deg=viewcone[0],
            viewcone_max_deg=viewcone[1],
            zenith_min_deg=low,
            zenith_max_deg=high,
        )
        for k, (low, high) in enumerate(ZENITH)
    ]


def event_columns(generated, n_showers, reuse, rng):
    """Ids, pointing and truth of triggered events."""
    n = n_showers * reuse
    shower = np.repeat(np.arange(n_showers), reuse)
    # thrown E^-2, triggered above a threshold that grows with zenith
    threshold = 2.0 * generated.energy_min_gev
    low, high = generated.energy_min_gev, generated.energy_max_gev
    u = rng.random((n_showers, 40))
    tries = 1.0 / (1.0 / low - u * (1.0 / low - 1.0 / high))
    seen = rng.random(tries.shape) < 1.0 / (1.0 + (threshold / tries) ** 3)
    first = np.argmax(seen, axis=1)
    energy = np.repeat(tries[np.arange(n_showers), first], reuse)
    cos = np.cos(np.radians([generated.zenith_min_deg, generated.zenith_max_deg]))
    zenith = np.repeat(np.degrees(np.arccos(rng.uniform(cos[1], cos[0], n_showers))), reuse)
    azimuth = np.repeat(rng.uniform(0.0, 360.0, n_showers), reuse)
    r = np.sqrt(rng.uniform(generated.viewcone_min_deg**2, generated.viewcone_max_deg**2 + 1e-12, n))
    phi = rng.uniform(0.0, 2 * np.pi, n)
    x, y = r * np.cos(phi), r * np.sin(phi)
    true_zenith, true_azimuth = sky_from_camera(x, y, zenith, azimuth)
    return {
        "run_id": np.full(n, 1),
        "event_id": np.arange(n),
        "shower_id": shower,
        "reuse_id": np.tile(np.arange(reuse), n_showers),
        "pointing_zenith_deg": zenith,
        "pointing_azimuth_deg": azimuth,
        "true_energy_gev": energy,
        "true_zenith_deg": true_zenith,
        "true_azimuth_deg": true_azimuth,
        "true_particle": np.full(n, 2212 if generated.particle == "proton" else 22),
        "is_valid": rng.random(n) < 0.95,
    }, (x, y)


def predictions(n_showers=300, reuse=4, seed=1, methods=METHODS, n_proton_showers=None):
    """Mapping of method to tables of the three roles in the four zenith ranges."""
    tables = {m: [] for m in methods}
    for role in ("ring_gamma", "diffuse_gamma", "proton"):
        n = n_proton_showers if role == "proton" and n_proton_showers else n_showers
        for k, generated in enumerate(productions(role, 40 * n * reuse)):
            rng = np.random.default_rng([seed, len(role), k])
            columns, (x, y) = event_columns(generated, n, reuse, rng)
            energy = columns["true_energy_gev"]
            hardness = np.repeat(rng.normal(size=n), reuse)
            common = 0.6 * hardness + 0.6 * rng.normal(size=len(energy))
            blur = 0.06 * (energy / 1000.0) ** -0.3
            reco_x, reco_y = x + blur * rng.normal(size=len(x)), y + blur * rng.normal(size=len(x))
            reco_zenith, reco_azimuth = sky_from_camera(
                reco_x, reco_y, columns["pointing_zenith_deg"], columns["pointing_azimuth_deg"]
            )
            quality = rng.normal(size=len(energy))
            for method, (separation, resolution) in methods.items():
                scale = np.clip((energy / 1000.0) ** 0.25, 0.5, 1.2)
                error = resolution * (energy / 1000.0) ** -0.15
                own = 0.8 * quality + 0.6 * rng.normal(size=len(energy))
                factor = 0.4 if role == "proton" else 1.0
                near = 0.3 * np.exp(-energy / (3.0 * generated.energy_min_gev))
                said = {
                    "reco_energy_gev": energy * factor * np.exp(error * own + near),
                    "reco_energy_uncert_gev": energy * error,
                    "reco_zenith_deg": reco_zenith,
                    "reco_azimuth_deg": reco_azimuth,
                    "theta2_deg2": (reco_x - x) ** 2 + (reco_y - y) ** 2,
                }
                if separation is not None:
                    sign = -0.5 if role == "proton" else 0.5
                    score = sign * separation * scale + common + 0.53 * rng.normal(size=len(energy))
                    said["gammaness"] = 1.0 / (1.0 + np.exp(-separation * scale * score))
                particle = {"ring_gamma": "gamma", "diffuse_gamma": "gamma_diffuse", "proton": "proton"}[role]
                tables[method].append(PredictionTable(method, {**columns, **said}, particle, generated.to_mapping()))
    return tables
