"""The exact symmetries of the camera: pixels are permuted, everything that is a vector in the camera turns along."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from magicnn.hexgrid import HexGrid
from magicnn.nn.auxiliary import Kind

__all__ = ["CameraSymmetries"]


class CameraSymmetries(nn.Module):
    """Symmetries as index tables that move with a module to its device.

    Parameters
    ----------
    grid : HexGrid
        Grid of the camera.
    kinds : sequence of {"scalar", "vector", "axis"}
        What the auxiliary inputs are, `magicnn.nn.auxiliary.AuxiliaryLayout.kinds`.

    Attributes
    ----------
    n_symmetries : int
        K, 12 for MAGIC; number 0 leaves everything as it is.
    """

    source: Tensor
    target: Tensor
    matrices: Tensor

    def __init__(self, grid: HexGrid, kinds: Sequence[Kind]) -> None:
        super().__init__()
        permutations = grid.symmetries
        self.n_symmetries, n_pixels = permutations.shape
        outside = np.full((self.n_symmetries, 1), n_pixels)
        # one more entry: the index P of cells outside the camera stays outside
        source = np.concatenate([permutations, outside], axis=1)
        self.register_buffer("source", torch.from_numpy(source), persistent=False)
        self.register_buffer("target", torch.from_numpy(np.argsort(source, axis=1)), persistent=False)
        matrices = _auxiliary_matrices(grid.symmetry_matrices, kinds)
        self.register_buffer("matrices", torch.from_numpy(matrices.astype(np.float32)), persistent=False)

    def source_pixels(self, pixels: Tensor, symmetry: Tensor) -> Tensor:
        """Find which pixel of the original image is seen at a pixel of the turned one.

        Parameters
        ----------
        pixels : int64 Tensor, [B, ...]
            Pixels of the turned image; P for outside the camera.
        symmetry : int64 Tensor, [B]
            Number of the symmetry of each event.

        Returns
        -------
        int64 Tensor, [B, ...]
        """
        return self._look_up(self.source, pixels, symmetry)

    def target_pixels(self, pixels: Tensor, symmetry: Tensor) -> Tensor:
        """Find where a pixel of the original image goes; the inverse of `source_pixels`."""
        return self._look_up(self.target, pixels, symmetry)

    def turn_auxiliary(self, values: Tensor, symmetry: Tensor) -> Tensor:
        """Turn auxiliary inputs [B, A]; the two numbers of a vector must share one scale and have no NaN."""
        return torch.einsum("bij,bj->bi", self.matrices[symmetry], values)

    @staticmethod
    def _look_up(table: Tensor, pixels: Tensor, symmetry: Tensor) -> Tensor:
        first = (symmetry * table.shape[1]).view(-1, *[1] * (pixels.ndim - 1))
        return table.view(-1)[first + pixels]


def _auxiliary_matrices(turns: NDArray[np.float64], kinds: Sequence[Kind]) -> NDArray[np.float64]:
    """What the symmetries [K, 2, 2] do to all auxiliary inputs, [K, A, A]."""
    matrices = np.zeros((len(turns), len(kinds), len(kinds)))
    doubled = np.stack([_doubled(turn) for turn in turns])
    place = 0
    while place < len(kinds):
        if kinds[place] == "scalar":
            matrices[:, place, place] = 1.0
            place += 1
        else:
            matrices[:, place : place + 2, place : place + 2] = turns if kinds[place] == "vector" else doubled
            place += 2
    return matrices


def _doubled(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix for (cos 2a, sin 2a) from that for (cos a, sin a): the image of the first axis at twice its angle."""
    cos, sin = turn[0, 0] ** 2 - turn[1, 0] ** 2, 2.0 * turn[0, 0] * turn[1, 0]
    handedness = np.sign(np.linalg.det(turn))
    return np.array([[cos, -sin * handedness], [sin, cos * handedness]])
