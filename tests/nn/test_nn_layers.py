"""Hexagonal layers against brute force over the neighbours of a camera, and under its symmetries."""

import numpy as np
import pytest
import torch

from magicnn.camera import Camera
from magicnn.hexgrid import HexGrid
from magicnn.nn.layers import HexConv2d, global_pool, hex_avg_pool, hex_max_pool, pooled_mask
from magicnn.nn.registry import create_model


@pytest.fixture(scope="module")
def grid():
    return HexGrid(Camera.magic())


@pytest.fixture(scope="module")
def mask(grid):
    return torch.tensor(grid.mask).float()[None, None]


def images_on(grid, n_channels, seed=0):
    rng = np.random.default_rng(seed)
    pixels = torch.from_numpy(rng.normal(size=(2, n_channels, grid.camera.n_pixels)))
    return pixels, grid.to_grid(pixels)


def test_convolution_is_the_sum_over_touching_pixels(grid):
    conv = HexConv2d(2, 3).double()
    pixels, images = images_on(grid, 2)
    found = grid.to_pixels(conv(images)).detach().numpy()
    camera, axial = grid.camera, grid.camera.axial
    kernel = conv.weight.detach().numpy()
    expected = np.zeros_like(found) + conv.bias.detach().numpy()[:, None]
    values = pixels.numpy()
    expected += np.einsum("oc,mcp->mop", kernel[:, :, 1, 1], values)
    for p in range(camera.n_pixels):
        for neighbour in camera.neighbours[p][camera.neighbours[p] >= 0]:
            dq, dr = axial[neighbour] - axial[p]
            expected[:, :, p] += values[:, :, neighbour] @ kernel[:, :, 1 + dr, 1 + dq].T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_closed_corners_never_learn(grid):
    conv = HexConv2d(1, 1).double()
    _, images = images_on(grid, 1)
    conv(images).square().sum().backward()
    gradient = conv.weight.grad[0, 0]
    assert (gradient == 0).sum() == 2
    assert gradient[0, 0] == 0
    assert gradient[2, 2] == 0


@pytest.mark.parametrize(("pool", "combine"), [(hex_max_pool, np.max), (hex_avg_pool, np.mean)])
def test_pooling_takes_the_seven_cells_around_every_second_cell(grid, mask, pool, combine):
    pixels, images = images_on(grid, 1)
    pixels, images = pixels - 5.0, images - 5.0 * mask.double()  # negative: outside must not win
    pooled = pool(images, mask.double())[:, 0].numpy()
    outer = pooled_mask(mask)[0, 0].numpy()
    axial = grid.camera.axial - grid.camera.axial.min(axis=0)
    seen = np.zeros(grid.camera.n_pixels, dtype=bool)
    for row in range(pooled.shape[1]):
        for column in range(pooled.shape[2]):
            d = axial - np.array([1 + 2 * column, 1 + 2 * row])
            inside = np.flatnonzero(np.max(np.abs(np.c_[d, d.sum(axis=1)]), axis=1) <= 1)
            is_kept = bool(np.any(np.all(d == 0, axis=1)))
            assert outer[row, column] == is_kept
            seen[inside] |= is_kept
            expected = combine(pixels[:, 0].numpy()[:, inside], axis=1) if is_kept else 0.0
            np.testing.assert_allclose(pooled[:, row, column], expected, atol=1e-12)
    assert seen.all()


def symmetrised_(module):
    """Make every kernel depend on the distance from its centre alone."""
    for conv in (m for m in module.modules() if isinstance(m, HexConv2d)):
        weight = conv.weight.data
        ring = (weight * conv.footprint).sum(dim=(2, 3)) - weight[:, :, 1, 1]
        centre = weight[:, :, 1, 1].clone()
        weight.copy_((ring / 6)[..., None, None].expand_as(weight))
        weight[:, :, 1, 1] = centre


def test_symmetrised_network_is_invariant_under_all_symmetries(grid, mask):
    torch.manual_seed(0)
    branch = create_model("hex_resnet", 2, stem=4, widths=[6, 8], blocks=1).double()
    symmetrised_(branch)
    pixels, _ = images_on(grid, 2)
    first = branch(grid.to_grid(pixels), mask.double())
    assert first.std() > 0
    for permutation in grid.symmetries:
        turned = branch(grid.to_grid(pixels[..., torch.tensor(permutation)]), mask.double())
        torch.testing.assert_close(turned, first, rtol=0, atol=1e-12)
    plain = create_model("hex_resnet", 2, stem=4, widths=[6, 8], blocks=1).double()
    turned = plain(grid.to_grid(pixels[..., torch.tensor(grid.symmetries[1])]), mask.double())
    assert not torch.allclose(turned, plain(grid.to_grid(pixels), mask.double()), atol=1e-6)


def test_global_pool_ignores_what_is_outside():
    images = torch.tensor([[[[1.0, 3.0], [0.0, 0.0]]]])
    mask = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]]]])
    torch.testing.assert_close(global_pool(images, mask), torch.tensor([[2.0, 3.0]]))
