"""Hexagonal convolution and pooling on the axial grid.

On axial coordinates (q, r) the six neighbours of a cell are all cells of the 3 x 3 block around it but two opposite
corners, (+1, +1) and (-1, -1): a convolution with those two weights off is the hexagonal one. Every layer takes the
camera as a mask, and feature maps are zero outside of it, so the border is exact whatever the grid's shape.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from magicnn.hexgrid import hexagonal_kernel_mask

__all__ = ["HexConv2d", "global_pool", "hex_avg_pool", "hex_max_pool", "pooled_mask"]


class HexConv2d(nn.Conv2d):
    """Convolution over a cell and its six neighbours.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    """

    footprint: Tensor

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1)
        footprint = torch.from_numpy(hexagonal_kernel_mask(3)).to(torch.float32)
        self.register_buffer("footprint", footprint, persistent=False)
        bound = math.sqrt(6.0 / (7 * in_channels))
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Convolve; the result outside the camera is whatever leaks there, to be masked by the caller.

        Parameters
        ----------
        images : Tensor, [M, in_channels, H, W]
            Zero outside the camera.

        Returns
        -------
        Tensor, [M, out_channels, H, W]
        """
        return functional.conv2d(images, self.weight * self.footprint, self.bias, padding=1)


def _start(size: int) -> int:
    """First cell kept by a pooling of stride 2, so that the centre of an odd grid is kept."""
    return (size // 2) % 2


def _hex_windows(images: Tensor, fill: float) -> tuple[Tensor, Tensor, int, int]:
    """Two views whose 2 x 2 windows of stride 2 together cover each kept cell's hexagon, the cell itself twice."""
    height, width = images.shape[-2:]
    first, left = _start(height), _start(width)
    n_rows, n_columns = (height - first + 1) // 2, (width - left + 1) // 2
    padded = functional.pad(images, (1, 1, 1, 1), value=fill)
    before = padded[..., first:, left + 1 :][..., : 2 * n_rows, : 2 * n_columns]
    after = padded[..., first + 1 :, left:][..., : 2 * n_rows, : 2 * n_columns]
    return before, after, first, left


def hex_max_pool(images: Tensor, mask: Tensor) -> Tensor:
    """Take the largest of a cell and its six neighbours, at every second cell of both axes.

    Parameters
    ----------
    images : Tensor, [M, C, H, W]
        Feature maps.
    mask : Tensor, [M or 1, 1, H, W]
        1 inside the camera, 0 outside; cells outside are never the largest.

    Returns
    -------
    Tensor, [M, C, ceil(H / 2) or floor(H / 2), likewise]
        Zero where the kept cell lies outside; the mask that goes with it is `pooled_mask`.
    """
    before, after, _, _ = _hex_windows(images.masked_fill(mask == 0, -math.inf), -math.inf)
    largest = torch.maximum(functional.max_pool2d(before, 2), functional.max_pool2d(after, 2))
    return largest.masked_fill(pooled_mask(mask) == 0, 0.0)


def hex_avg_pool(images: Tensor, mask: Tensor) -> Tensor:
    """Average a cell and its six neighbours over those inside the camera, at every second cell of both axes.

    Parameters
    ----------
    images : Tensor, [M, C, H, W]
        Feature maps, zero outside the camera.
    mask : Tensor, [M or 1, 1, H, W]
        1 inside the camera, 0 outside.

    Returns
    -------
    Tensor, [M, C, ceil(H / 2) or floor(H / 2), likewise]
        Zero where the kept cell lies outside.
    """
    return _hex_sum(images) / _hex_sum(mask).clamp_min(1.0) * pooled_mask(mask)


def _hex_sum(images: Tensor) -> Tensor:
    before, after, first, left = _hex_windows(images, 0.0)
    centre = images[..., first::2, left::2]
    both = functional.avg_pool2d(before, 2) + functional.avg_pool2d(after, 2)
    return 4.0 * both - centre


def pooled_mask(mask: Tensor) -> Tensor:
    """Return the mask after pooling: the kept cells that lie inside the camera.

    Parameters
    ----------
    mask : Tensor, [M or 1, 1, H, W]
        1 inside the camera, 0 outside.

    Notes
    -----
    Every pixel of MAGIC's whole camera touches such a cell, at each of three poolings, so that none is lost.
    """
    return mask[..., _start(mask.shape[-2]) :: 2, _start(mask.shape[-1]) :: 2]


def global_pool(images: Tensor, mask: Tensor) -> Tensor:
    """Mean and maximum over the camera.

    Parameters
    ----------
    images : Tensor, [M, C, H, W]
        Feature maps, zero outside the camera and nowhere negative.
    mask : Tensor, [M or 1, 1, H, W]
        1 inside the camera, 0 outside.

    Returns
    -------
    Tensor, [M, 2 C]
    """
    mean = images.sum(dim=(2, 3)) / mask.sum(dim=(2, 3)).clamp_min(1.0)
    return torch.cat([mean, images.amax(dim=(2, 3))], dim=1)
