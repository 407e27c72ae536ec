"""Our showers against real CORSIKA showers of the same energy and first interaction."""

import numpy as np
import pytest

from magicnn.simulation.showers import environment, simulate_shower

FILES = {"gamma_100gev_1216.eventio": "magic-winter", "3_gammas_reuse_5.dat": "magic-summer"}
# CORSIKA counted up to 900 nm in the first file, we count up to 700 nm.
BAND = {"gamma_100gev_1216.eventio": (1 / 290 - 1 / 700) / (1 / 290 - 1 / 900), "3_gammas_reuse_5.dat": 1.0}


def corsika_showers(folder):
    eventio = pytest.importorskip("eventio")
    showers = {}
    for name in FILES:
        with eventio.IACTFile(str(folder / name)) as file:
            for event in file:
                header = event.header
                for bunches in event.photon_bunches.values():
                    shower = showers.setdefault(
                        (name, round(float(header["total_energy"]), 3)), {"light": [], "core": []}
                    )
                    shower["light"].append(float(bunches["photons"].sum()) * BAND[name])
                    shower.setdefault("heights", []).append(float(np.median(bunches["zem"])) / 100.0)
                    shower["core"].append(float(np.hypot(event.impact_x, event.impact_y)) / 100.0)
                    shower["first_m"] = abs(float(header["first_interaction_height"])) / 100.0
                    shower["field"] = float(header["earth_magnetic_field_x"]), float(header["earth_magnetic_field_z"])
    return showers


@pytest.mark.slow
def test_light_and_height_agree_with_corsika(data_dir):
    light_z, height_z = [], []
    for (name, energy_gev), shower in corsika_showers(data_dir / "corsika_photons").items():
        first = shower["first_m"]
        if first > 40_000.0:
            # Too rare a start to find enough showers of our own that share it.
            continue
        surroundings = environment(
            light_scale=1.0,
            mode="photons",
            atmosphere=FILES[name],
            telescope_radius_m=5.0,
            view_radius_deg=60.0,
            field_north_ut=shower["field"][0],
            field_down_ut=shower["field"][1],
        )
        cores = np.stack([shower["core"], np.zeros(len(shower["core"]))], axis=1)
        still = np.zeros(len(cores))
        light, heights = [], []
        for i in range(1500):
            drawn, truth = simulate_shower(
                "gamma", energy_gev, 0.0, 0.0, cores, still, still, [[0.0, 0.0, 0.0]], surroundings, [7, i],
                start_height_m=1.03 * first,
            )  # fmt: skip
            if abs(truth.first_interaction_height_m / first - 1.0) < 0.03 and drawn.n_photons_thrown > 0:
                light.append(drawn.n_photons_thrown / len(cores))
                heights.append(np.median(drawn.emission_height_m))
        assert len(light) > 60
        light_z.append((np.mean(shower["light"]) - np.mean(light)) / np.std(light))
        height_z.append((np.median(shower["heights"]) - np.mean(heights)) / np.std(heights))
    assert len(light_z) == 3
    assert np.mean(np.abs(light_z)) < 1.0
    assert np.mean(np.abs(height_z)) < 1.0
