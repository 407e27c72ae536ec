"""Imaging of a parabolic reflector against geometry, and pixels against brute force."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from magicnn.camera import Camera
from magicnn.simulation.optics import focal_plane, lattice, pixel_indices, reflect
from magicnn.simulation.random_numbers import random_state
from magicnn.simulation.settings import OpticsSettings
from magicnn.simulation.showers import TELESCOPE_RADIUS_M

METRES_PER_NS = 0.299792458


def starlight(angle_deg, n, *, distance_m=10_000.0, seed=1):
    """Light of a point at a distance: directions, hit points, and times across the plane of the vertex."""
    generator = np.random.default_rng(seed)
    radius = TELESCOPE_RADIUS_M * np.sqrt(generator.random(n))
    turn = generator.uniform(0.0, 2.0 * np.pi, n)
    hit = np.stack([radius * np.cos(turn), radius * np.sin(turn)])
    source = distance_m * np.array([np.tan(np.radians(angle_deg)), 0.0, 1.0])
    path = source[:, None] - np.stack([hit[0], hit[1], np.zeros(n)])
    length = np.sqrt((path**2).sum(axis=0))
    time = (length - np.linalg.norm(source)) / METRES_PER_NS
    return [a.astype(np.float32) for a in (*np.degrees(path[:2] / path[2]), *hit, time)]


def test_light_along_the_axis_meets_in_the_focus():
    for x, y in [(0.0, 0.0), (3.0, -5.0), (0.0, 8.5)]:
        x_m, y_m, delay_ns = reflect(0.0, 0.0, x, y, 17.0, 17.0)
        assert abs(x_m) < 1e-12
        assert abs(y_m) < 1e-12
        assert abs(delay_ns) < 1e-9, "a paraboloid is isochronous"


def test_light_through_the_vertex_lies_where_it_is_on_the_sky():
    x_m, y_m, _ = reflect(1.0, -0.5, 0.0, 0.0, 17.0, 17.0)
    assert x_m == pytest.approx(17.0 * np.radians(1.0), rel=1e-12)
    assert y_m == pytest.approx(-17.0 * np.radians(0.5), rel=1e-12)


@pytest.mark.parametrize("angle_deg", [0.4, 0.8, 1.2])
def test_coma_stretches_the_plate_scale_by_seven_per_cent(angle_deg):
    image_m, _ = focal_plane(*starlight(angle_deg, 100_000), OpticsSettings(), random_state(3))
    ratio = image_m[:, 0].mean() / (17.0 * np.tan(np.radians(angle_deg)))
    assert ratio == pytest.approx(1.07, abs=0.01)
    camera = Camera.magic()
    assert np.degrees(image_m[:, 0].mean() / camera.effective_focal_length_m) == pytest.approx(angle_deg, rel=0.01)


def test_coma_agrees_with_third_order_theory():
    # Sagittal coma theta rho^2 / 16 F^2 moves the mean over the pupil by as much (F = f/D, rho the pupil coordinate).
    narrow = 17.0 / 4.0 / 2.0  # aperture of f/4
    generator = np.random.default_rng(4)
    radius, turn = narrow * np.sqrt(generator.random(20_000)), generator.uniform(0.0, 2.0 * np.pi, 20_000)
    theta = 0.5
    x = [reflect(theta, 0.0, r * np.cos(t), r * np.sin(t), 17.0, 17.0)[0] for r, t in zip(radius, turn, strict=True)]
    shift = np.mean(x) / (17.0 * np.radians(theta)) - 1.0
    assert shift == pytest.approx(1.0 / (16.0 * 4.0**2), rel=0.05)


def test_point_spread_grows_with_coma_away_from_the_centre():
    settings = OpticsSettings()
    spreads = []
    for angle in (0.0, 0.5, 1.0):
        image_m, _ = focal_plane(*starlight(angle, 50_000), settings, random_state(5))
        spreads.append(np.degrees(image_m.std(axis=0) / settings.focal_length_m))
    assert spreads[0] == pytest.approx([0.036, 0.036], rel=0.02)
    assert spreads[0][0] < spreads[1][0] < spreads[2][0]
    assert spreads[2][0] > 1.1 * spreads[2][1], "coma is longer along the radius than across"


def test_light_of_one_moment_arrives_within_a_tenth_of_a_nanosecond():
    for angle in (0.0, 1.0):
        _, arrival_ns = focal_plane(*starlight(angle, 20_000), OpticsSettings(), random_state(6))
        assert arrival_ns.std() < 0.05


def test_pixels_are_the_nearest_ones():
    camera = Camera.magic()
    centres = np.column_stack([camera.x_m, camera.y_m])
    places = np.random.default_rng(7).uniform(-0.6, 0.6, (20_000, 2))
    distance, nearest = cKDTree(centres).query(places)
    found = pixel_indices(places, lattice(camera))
    assert np.array_equal(found[found >= 0], nearest[found >= 0])
    inner, outer = camera.pitch_m / 2.0, camera.pitch_m / np.sqrt(3.0)
    assert (found[distance < inner] >= 0).all()
    assert (found[distance > outer] == -1).all()


def test_pixels_of_another_camera():
    axial = [(q, r) for q in range(-5, 6) for r in range(-5, 6) if abs(q + r) <= 5]
    x = [0.05 * (q + r / 2.0) + 0.01 for q, r in axial]
    y = [0.05 * r * np.sqrt(3.0) / 2.0 - 0.02 for q, r in axial]
    camera = Camera.from_geometry(x, y, name="test", focal_length_m=28.0)
    assert np.array_equal(pixel_indices(np.column_stack([x, y]), lattice(camera)), np.arange(camera.n_pixels))
