"""Mappings for comparison: what they keep of the charge, and that they interpolate what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError
from magicnn.hexmaps import MAPPINGS, bilinear, create_mapping, offset, oversampled


def shower_like(camera, n_images=20):
    """Elongated images well inside the camera."""
    rng = np.random.default_rng(1)
    images = []
    for x, y, angle in rng.uniform([-0.2, -0.2, 0.0], [0.2, 0.2, np.pi], (n_images, 3)):
        along = np.cos(angle) * (camera.x_m - x) + np.sin(angle) * (camera.y_m - y)
        across = -np.sin(angle) * (camera.x_m - x) + np.cos(angle) * (camera.y_m - y)
        images.append(np.exp(-((along / 0.08) ** 2) / 2.0 - (across / 0.03) ** 2 / 2.0))
    return np.array(images)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("axial", (39, 39)), ("offset", (39, 34)), ("oversampled", (78, 68)), ("bilinear", (78, 78))],
)
def test_shapes_and_leading_dimensions(magic_camera, name, shape):
    mapping = create_mapping(name, magic_camera)
    images = np.random.default_rng(2).normal(size=(3, 2, 1039)).astype(np.float32)
    grid = mapping.to_grid(images)
    assert mapping.shape == shape
    assert mapping.mask.shape == shape
    assert grid.shape == (3, 2, *shape)
    assert grid.dtype == np.float32
    assert (grid[1, 1] == mapping.to_grid(images[1, 1])).all()
    assert (mapping.to_grid(images, np.nan)[..., mapping.mask] == grid[..., mapping.mask]).all()
    assert np.isnan(mapping.to_grid(images, np.nan)[..., ~mapping.mask]).all()


@pytest.mark.parametrize("name", MAPPINGS)
def test_torch_gives_the_same(magic_camera, name):
    torch = pytest.importorskip("torch")
    mapping = create_mapping(name, magic_camera)
    images = np.random.default_rng(3).normal(size=(3, 2, 1039))
    assert mapping.to_grid(torch.from_numpy(images)).numpy() == pytest.approx(mapping.to_grid(images), abs=1e-14)
    assert mapping.to_grid(torch.from_numpy(images), 7.0).numpy()[0, 0, ~mapping.mask] == pytest.approx(7.0)


@pytest.mark.parametrize("name", ["axial", "offset", "oversampled"])
def test_charge_is_conserved(magic_camera, name):
    mapping = create_mapping(name, magic_camera)
    images = np.random.default_rng(4).exponential(size=(10, 1039))
    assert abs(mapping.charge_conservation(images)) < 1e-12
    images[:, 5] = np.nan
    assert abs(mapping.charge_conservation(images)) < 1e-12


def test_bilinear_says_by_how_much_it_misses(magic_camera):
    mapping = bilinear(magic_camera)
    images = shower_like(magic_camera)
    assert abs(mapping.charge_conservation(images)) < 1e-3
    assert abs(mapping.charge_conservation(np.ones((1, 1039)))) < 1e-3
    one_pixel = np.zeros((1, 1039))
    one_pixel[0, 17] = 2.0
    missed = mapping.charge_conservation(one_pixel)
    assert missed == pytest.approx(mapping.to_grid(one_pixel).sum() / 2.0 - 1.0)
    assert 1e-3 < abs(missed) < 0.05


def test_bilinear_gets_better_on_a_finer_grid(magic_camera):
    one_pixel = np.zeros((1, 1039))
    one_pixel[0, 17] = 1.0
    coarse, fine = (abs(bilinear(magic_camera, size).charge_conservation(one_pixel)) for size in (60, 480))
    assert fine < 0.1 * coarse


def test_bilinear_interpolates_a_plane_exactly(magic_camera):
    size = 80
    mapping = bilinear(magic_camera, size).averaging()
    plane = 3.0 * magic_camera.x_m - 2.0 * magic_camera.y_m + 1.0
    grid = mapping.to_grid(plane)
    width = max(np.ptp(magic_camera.x_m), np.ptp(magic_camera.y_m)) + 2.0 * magic_camera.pitch_m
    middle = ((np.arange(size) + 0.5) / size - 0.5) * width
    x, y = np.meshgrid(middle, middle)
    inside = np.hypot(x, y) < 0.44
    assert grid[inside] == pytest.approx((3.0 * x - 2.0 * y + 1.0)[inside], abs=1e-12)


def test_averaging_keeps_the_value_of_equal_pixels(magic_camera):
    for build in (offset, oversampled, bilinear):
        mapping = build(magic_camera).averaging()
        assert mapping.to_grid(np.full(1039, 30.0), 30.0) == pytest.approx(30.0)


def test_offset_keeps_every_pixel_in_one_cell(magic_camera):
    grid = offset(magic_camera).to_grid(np.arange(1.0, 1040.0))
    assert sorted(grid[grid > 0].tolist()) == list(range(1, 1040))


def test_oversampled_rows_are_shifted_by_half_a_pixel(magic_camera):
    grid = oversampled(magic_camera).to_grid(4.0 * np.arange(1.0, 1040.0))
    for pixel in (0, 100, 700):
        rows, columns = np.nonzero(grid == pixel + 1)
        assert (np.ptp(rows), np.ptp(columns), len(rows)) == (1, 1, 4)
    for pixel, neighbours in enumerate(magic_camera.neighbours):
        if pixel % 50 == 0 and neighbours.min() >= 0:
            row, column = np.argwhere(grid == pixel + 1).mean(axis=0)
            steps = np.array([np.argwhere(grid == n + 1).mean(axis=0) - (row, column) for n in neighbours])
            assert np.abs(steps).tolist() == [[0, 2], [2, 1], [2, 1], [0, 2], [2, 1], [2, 1]]


def test_a_missing_pixel_reaches_only_its_cells(magic_camera):
    images = np.ones(1039)
    images[0] = np.nan
    for name, cells in (("axial", 1), ("offset", 1), ("oversampled", 4)):
        assert np.isnan(create_mapping(name, magic_camera).to_grid(images)).sum() == cells


def test_any_hexagonal_camera_is_mapped():
    q, r = np.meshgrid(np.arange(-9, 10), np.arange(-9, 10))
    x, y = (q + r / 2.0).ravel(), (r * np.sqrt(3.0) / 2.0).ravel()
    near = np.hypot(x, y) < 7.3
    camera = Camera.from_geometry(0.05 * x[near], 0.05 * y[near], name="small", focal_length_m=20.0)
    images = np.random.default_rng(6).exponential(size=(50, camera.n_pixels))
    for name in ("axial", "offset", "oversampled"):
        assert abs(create_mapping(name, camera).charge_conservation(images)) < 1e-12
    assert abs(create_mapping("bilinear", camera).charge_conservation(images)) < 5e-3


def test_wrong_names_and_shapes_are_refused(magic_camera):
    with pytest.raises(ConfigError, match="unknown mapping 'bilinaer': did you mean 'bilinear'"):
        create_mapping("bilinaer", magic_camera)
    with pytest.raises(InputError, match="expected 1039 pixels"):
        offset(magic_camera).to_grid(np.zeros((4, 1038)))
