"""The axial grid is exact both ways, and the symmetries are what they say."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicnn.camera import Camera
from magicnn.errors import InputError
from magicnn.hexgrid import HexGrid, hexagonal_kernel_mask

DTYPES = ["bool", "int16", "int64", "float16", "float32", "float64"]


@pytest.fixture(scope="module")
def grid(magic_camera):
    return HexGrid(magic_camera)


@pytest.fixture(scope="module")
def positions(magic_camera):
    return np.stack([magic_camera.x_m, magic_camera.y_m], axis=1)


def images_of(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).integers(-100, 100, shape).astype(dtype)


def test_magic_fills_39_by_39(grid):
    assert grid.shape == (39, 39)
    assert grid.mask.shape == (39, 39)
    assert grid.mask.dtype == bool
    assert grid.mask.sum() == 1039
    assert repr(grid) == "HexGrid(MAGICCam, 39 x 39)"


def test_cells_are_axial_coordinates(grid, magic_camera):
    numbers = grid.to_grid(np.arange(1039), fill=-1)
    for pixel in (0, 1, 500, 1038):
        q, r = magic_camera.axial[pixel]
        assert numbers[r + 19, q + 19] == pixel
    assert ((numbers >= 0) == grid.mask).all()


@given(
    leading=st.lists(st.integers(0, 4), max_size=3),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 99),
    use_torch=st.booleans(),
)
def test_round_trip_is_exact(leading, dtype, seed, use_torch):
    torch = pytest.importorskip("torch")
    grid = HexGrid(Camera.magic())
    images = images_of((*leading, 1039), dtype, seed)
    given_images = torch.from_numpy(images) if use_torch else images
    arranged = grid.to_grid(given_images)
    assert arranged.shape == (*leading, 39, 39)
    assert arranged.dtype == given_images.dtype
    assert type(arranged) is type(given_images)
    back = grid.to_pixels(arranged)
    assert back.dtype == given_images.dtype
    assert (np.asarray(back) == images).all()
    assert np.asarray(arranged, dtype=float).sum() == images.astype(float).sum()


@pytest.mark.parametrize("use_torch", [False, True], ids=["numpy", "torch"])
@pytest.mark.parametrize("fill", [0.0, -1.0, np.nan])
def test_fill_is_outside_and_only_there(grid, fill, use_torch):
    torch = pytest.importorskip("torch")
    images = images_of((2, 1039))
    arranged = np.asarray(grid.to_grid(torch.from_numpy(images) if use_torch else images, fill))
    assert np.array_equal(arranged[:, ~grid.mask], np.full((2, 39 * 39 - 1039), fill), equal_nan=True)
    assert np.isfinite(arranged[:, grid.mask]).all()


def test_missing_pixels_stay_missing(grid):
    images = images_of((1, 1039))
    images[0, 7] = np.nan
    back = grid.to_pixels(grid.to_grid(images))
    assert np.flatnonzero(np.isnan(back[0])).tolist() == [7]


def test_gradients_pass_through_unchanged(grid):
    torch = pytest.importorskip("torch")
    images = torch.zeros(3, 1039, requires_grad=True)
    weights = torch.rand(3, 39, 39)
    (grid.to_grid(images) * weights).sum().backward()
    assert torch.equal(images.grad, grid.to_pixels(weights))


def test_input_of_another_camera_is_refused(grid):
    with pytest.raises(
        InputError, match=r"expected 1039 pixels in the last dimension, got an array of shape \(2, 1855"
    ):
        grid.to_grid(np.zeros((2, 1855)))
    with pytest.raises(InputError, match=r"expected 39 x 39 rows and columns in the last dimensions"):
        grid.to_pixels(np.zeros((2, 39, 40)))


def test_input_is_not_changed(grid):
    images = images_of((2, 1039))
    before = images.copy()
    grid.to_grid(images, np.nan)[:] = 5.0
    assert (images == before).all()


def test_grid_can_be_copied_and_pickled(grid):
    images = images_of((1, 1039))
    for other in (pickle.loads(pickle.dumps(grid)), copy.deepcopy(grid)):
        assert (other.to_grid(images) == grid.to_grid(images)).all()


def test_numpy_use_does_not_import_torch():
    code = (
        "import sys, numpy as np, magicnn\n"
        "grid = magicnn.HexGrid(magicnn.Camera.magic())\n"
        "grid.to_pixels(grid.to_grid(np.zeros(1039))); grid.symmetries\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_kernel_mask_opens_the_centre_and_six_neighbours():
    mask = hexagonal_kernel_mask()
    assert mask.astype(int).tolist() == [[0, 1, 1], [1, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize(("size", "count"), [(1, 1), (3, 7), (5, 19), (7, 37)])
def test_kernel_mask_counts_the_cells_of_a_hexagon(size, count):
    mask = hexagonal_kernel_mask(size)
    assert mask.shape == (size, size)
    assert mask.sum() == count
    assert (mask == mask.T).all()
    assert (mask == mask[::-1, ::-1]).all()


@pytest.mark.parametrize("size", [3, 5])
def test_masked_convolution_is_the_sum_over_neighbours(grid, magic_camera, positions, size):
    signal = pytest.importorskip("scipy.signal")
    image = images_of(1039, "float64")
    convolved = signal.correlate2d(grid.to_grid(image), hexagonal_kernel_mask(size).astype(float), mode="same")
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1) / magic_camera.pitch_m
    within = distance < {3: 1.1, 5: 2.1}[size]
    assert grid.to_pixels(convolved) == pytest.approx(within @ image)


def test_there_are_twelve_symmetries(grid):
    assert grid.symmetries.shape == (12, 1039)
    assert np.issubdtype(grid.symmetries.dtype, np.integer)
    assert (grid.symmetries[0] == np.arange(1039)).all()
    assert (np.sort(grid.symmetries, axis=1) == np.arange(1039)).all()
    assert len(np.unique(grid.symmetries, axis=0)) == 12


def test_symmetries_keep_neighbours(grid, magic_camera):
    pairs = {tuple(p) for p in magic_camera.neighbour_pairs.tolist()}
    for permutation in grid.symmetries:
        moved = np.sort(permutation[magic_camera.neighbour_pairs], axis=1)
        assert {tuple(p) for p in moved.tolist()} == pairs


def test_matrices_are_turns_by_60_deg_and_mirrored_turns(grid):
    matrices = grid.symmetry_matrices
    assert matrices @ matrices.transpose(0, 2, 1) == pytest.approx(np.broadcast_to(np.eye(2), (12, 2, 2)), abs=1e-12)
    assert np.linalg.det(matrices) == pytest.approx([1.0] * 6 + [-1.0] * 6)
    turned = np.degrees(np.unwrap(np.arctan2(matrices[:6, 1, 0], matrices[:6, 0, 0])))
    assert turned == pytest.approx([0.0, 60.0, 120.0, 180.0, 240.0, 300.0], abs=1e-9)
    for k in range(6):
        assert matrices[6 + k] == pytest.approx(matrices[k] @ matrices[6], abs=1e-12)


@given(pixel=st.integers(0, 1038), k=st.integers(0, 11))
def test_light_moves_as_its_matrix_says(pixel, k):
    camera = Camera.magic()
    grid = HexGrid(camera)
    image = np.zeros(1039)
    image[pixel] = 1.0
    lit = int(np.argmax(image[grid.symmetries[k]]))
    expected = grid.symmetry_matrices[k] @ [camera.x_m[pixel], camera.y_m[pixel]]
    assert [camera.x_m[lit], camera.y_m[lit]] == pytest.approx(expected, abs=1e-9)


@given(first=st.integers(0, 11), second=st.integers(0, 11))
def test_symmetries_form_a_group(first, second):
    grid = HexGrid(Camera.magic())
    one_after_the_other = grid.symmetries[first][grid.symmetries[second]]
    same = (grid.symmetries == one_after_the_other).all(axis=1)
    assert same.sum() == 1
    product = grid.symmetry_matrices[second] @ grid.symmetry_matrices[first]
    assert grid.symmetry_matrices[np.argmax(same)] == pytest.approx(product, abs=1e-12)


def test_symmetries_work_for_numpy_and_torch_images(grid):
    torch = pytest.importorskip("torch")
    images = images_of((2, 3, 1039))
    for permutation in grid.symmetries:
        turned = torch.from_numpy(images)[..., torch.from_numpy(permutation)]
        assert (turned.numpy() == images[..., permutation]).all()


def test_camera_off_its_axis_has_only_the_identity(magic_camera):
    camera = Camera.from_geometry(magic_camera.x_m + 0.01, magic_camera.y_m, name="shifted", focal_length_m=17.0)
    assert HexGrid(camera).symmetries.tolist() == [list(range(1039))]
