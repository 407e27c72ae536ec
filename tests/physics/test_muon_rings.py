"""Light and radius of muon rings against closed expressions."""

from pathlib import Path

import numpy as np
import pytest
from validation.muons import analytic_ring, camera_radius_deg, rings
from validation.store import Store

from magicnn.simulation.atmosphere import load_atmosphere
from magicnn.simulation.showers import environment, simulate_shower

PHOTONS_PER_METRE = 2.0 * np.pi / 137.036 * 1e9 * (1.0 / 290.0 - 1.0 / 700.0)


@pytest.mark.parametrize("impact_m", [0.0, 3.0, 6.0])
def test_light_of_a_ring_wherever_the_muon_falls(tmp_path, impact_m):
    made = rings(Store(tmp_path, Path()), 20.0, impact_m, 60)
    light, radius = analytic_ring(load_atmosphere(), 20.0, impact_m, PHOTONS_PER_METRE)
    # 60 muons give the light to better than 1 %.
    assert made["light"].mean() == pytest.approx(light, rel=0.03)
    assert made["radius"].mean() == pytest.approx(radius, abs=0.01)


def test_coma_makes_a_ring_smaller_in_units_of_the_effective_focal_length():
    # Towards the axis of the paraboloid the ring of a muon is the plain angle in units of 17 m.
    plain = camera_radius_deg(1e-3, np.inf) / 1e-3
    assert plain < 1.0
    assert camera_radius_deg(1.2, np.inf) / 1.2 == pytest.approx(plain, rel=0.01)


def test_a_muon_straight_at_the_centre_has_no_light_inside_of_its_ring():
    surroundings = environment(light_scale=1.0, mode="photons")
    light, _ = simulate_shower(
        "muon", 20.0, 0.0, 0.0, [[0.0, 0.0]], [0.0], [0.0], [[0.0, 0.0, 0.0]], surroundings, 1, start_height_m=2600.0
    )
    assert (np.hypot(light.x_deg, light.y_deg) < 0.8).mean() < 0.01
