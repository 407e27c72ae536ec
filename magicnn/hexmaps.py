"""Mappings of hexagonal images to rectangular grids as others use them, to compare with the axial grid."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError, nearest_names
from magicnn.hexgrid import HexGrid, ImageT, charge_deviation, gather, is_tensor

__all__ = ["MAPPINGS", "PixelMapping", "WeightedMapping", "bilinear", "create_mapping", "offset", "oversampled"]


class PixelMapping(Protocol):
    """What `magicnn.hexgrid.HexGrid` and the mappings of this module have in common."""

    @property
    def camera(self) -> Camera:
        """The camera."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width (H, W) of the grid."""
        ...

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Cells that any pixel adds to, bool [H, W]."""
        ...

    def to_grid(self, pixels: ImageT, fill: float = 0) -> ImageT:
        """Arrange images [..., P] on the grid [..., H, W]."""
        ...

    def charge_conservation(self, images: NDArray[Any]) -> float:
        """Relative deviation of the summed charge on the grid from the sum over the pixels."""
        ...


@dataclass(frozen=True, eq=False)
class WeightedMapping:
    """Grid cells as weighted sums of a few pixels each.

    Attributes
    ----------
    camera : Camera
        The camera.
    shape : tuple of int
        Height and width (H, W) of the grid.
    pixels : int64 array, [K, H W]
        Pixels that add to each cell of the flattened grid, row by row of the weights.
    weights : float64 array, [K, H W]
        Their weights; 0 where a cell has fewer than K pixels.
    """

    camera: Camera
    shape: tuple[int, int]
    pixels: NDArray[np.int64]
    weights: NDArray[np.float64]
    _on_device: dict[Any, Any] = field(default_factory=dict, repr=False)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Cells that any pixel adds to, bool [H, W]."""
        return (self.weights > 0.0).any(axis=0).reshape(self.shape)

    def to_grid(self, pixels: ImageT, fill: float = 0) -> ImageT:
        """Arrange charge images on the grid.

        Parameters
        ----------
        pixels : array or torch.Tensor, [..., P]
            Floating-point images in the order of the camera. A NaN reaches every cell that its pixel adds to.
        fill : float
            Value of the cells that no pixel adds to; may be NaN.

        Returns
        -------
        array or torch.Tensor, [..., H, W]
            Same dtype and device.

        Raises
        ------
        InputError
            The last dimension is not P.
        """
        if pixels.shape[-1] != self.camera.n_pixels:
            raise InputError(
                f"{self.camera.name}: expected {self.camera.n_pixels} pixels in the last dimension, "
                f"got an array of shape {tuple(pixels.shape)}"
            )
        indices, weights, empty = self._tables(pixels)
        grid = gather(pixels, indices[0], 0.0)
        grid *= weights[0]
        for index, weight in zip(indices[1:], weights[1:], strict=True):
            share = gather(pixels, index, 0.0)
            share *= weight
            grid += share
        if fill != 0:
            grid[..., empty] = fill
        arranged: ImageT = grid.reshape((*pixels.shape[:-1], *self.shape))
        return arranged

    def averaging(self) -> WeightedMapping:
        """Return the same mapping for quantities that are not shared out, such as arrival times: weights sum to 1."""
        total = self.weights.sum(axis=0)
        return replace(self, weights=self.weights / np.where(total > 0.0, total, 1.0), _on_device={})

    def charge_conservation(self, images: NDArray[Any]) -> float:
        """Relative deviation of the summed charge on the grid from the sum over the pixels."""
        return charge_deviation(images, self.to_grid(np.nan_to_num(images)))

    def _tables(self, images: Any) -> tuple[Any, Any, Any]:
        """Indices (P where the weight is 0), weights and empty cells, for the kind and place of the images."""
        key = (str(images.dtype), str(images.device) if is_tensor(images) else None)
        if key not in self._on_device:
            indices = np.where(self.weights > 0.0, self.pixels, self.camera.n_pixels)
            empty = ~self.mask.ravel()
            if is_tensor(images):
                torch = sys.modules["torch"]
                place = images.device
                self._on_device[key] = (
                    torch.tensor(indices, device=place),
                    torch.tensor(self.weights, device=place, dtype=images.dtype),
                    torch.tensor(empty, device=place),
                )
            else:
                self._on_device[key] = (indices, self.weights.astype(images.dtype), empty)
        tables: tuple[Any, Any, Any] = self._on_device[key]
        return tables


def offset(camera: Camera) -> WeightedMapping:
    """Map every pixel to one cell of a brick wall straightened to columns: every other row is shifted by half a cell.

    Conserves the charge exactly. The neighbours of a pixel lie differently in even and odd rows (column
    q + floor(r / 2)), so that no one kernel fits both.

    Parameters
    ----------
    camera : Camera
        Any regular hexagonal camera.
    """
    q, r = camera.axial.T.astype(np.int64)
    return _scattered(camera, (r,), (q + r // 2,), weight=1.0)


def oversampled(camera: Camera) -> WeightedMapping:
    """Share every pixel out to 2 x 2 cells, so that the shift by half a pixel from row to row is one cell.

    Conserves the charge to rounding: each cell holds a quarter of it.

    Parameters
    ----------
    camera : Camera
        Any regular hexagonal camera.
    """
    q, r = camera.axial.T.astype(np.int64)
    rows = (2 * r, 2 * r, 2 * r + 1, 2 * r + 1)
    columns = (2 * q + r, 2 * q + r + 1, 2 * q + r, 2 * q + r + 1)
    return _scattered(camera, rows, columns, weight=0.25)


def bilinear(camera: Camera, size: int | None = None) -> WeightedMapping:
    """Interpolate between the three pixels around the centre of each cell of a square grid along x and y.

    What the field calls bilinear is linear (barycentric) on the triangles of neighbouring pixels; the interpolated
    charge per pixel is multiplied by the area of a cell over that of a pixel. The charge is conserved only on average:
    the image of a single pixel is sampled at a few points (`WeightedMapping.charge_conservation` says by how much the
    sum of given images changes).

    Parameters
    ----------
    camera : Camera
        Any regular hexagonal camera.
    size : int, optional
        Cells along either side; when not given, twice those of the axial grid. The grid reaches a pitch beyond the
        outermost pixels; row 0 is at the smallest y.
    """
    if size is None:
        size = 2 * max(HexGrid(camera).shape)
    design = np.column_stack([np.ones(camera.n_pixels), camera.axial])
    origin, *basis = np.linalg.lstsq(design, np.stack([camera.x_m, camera.y_m], axis=1), rcond=None)[0]
    centre = np.array([camera.x_m.max() + camera.x_m.min(), camera.y_m.max() + camera.y_m.min()]) / 2.0
    width = max(np.ptp(camera.x_m), np.ptp(camera.y_m)) + 2.0 * camera.pitch_m
    steps = (np.arange(size) + 0.5) / size - 0.5
    cells = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2) * width + centre
    lattice = np.linalg.solve(np.stack(basis, axis=1), (cells - origin).T).T
    corner = np.floor(lattice).astype(np.int64)
    along_q, along_r = (lattice - corner).T
    upper = along_q + along_r > 1.0  # the triangle far from the corner
    sites = np.stack([corner + upper[:, None], corner + np.array([1, 0]), corner + np.array([0, 1])])
    fractions = np.where(
        upper,
        [along_q + along_r - 1.0, 1.0 - along_r, 1.0 - along_q],
        [1.0 - along_q - along_r, along_q, along_r],
    )
    low = camera.axial.min(axis=0) - 1
    table = np.full(tuple(camera.axial.max(axis=0) - low + 2), -1, dtype=np.int64)
    table[tuple((camera.axial - low).T)] = np.arange(camera.n_pixels)
    inside = np.clip(sites - low, 0, np.array(table.shape) - 1)
    found = table[inside[..., 0], inside[..., 1]]
    weights = np.where(found >= 0, fractions, 0.0) * (width / size) ** 2 / camera.pixel_area_m2
    return WeightedMapping(camera, (size, size), np.maximum(found, 0), weights)


MAPPINGS: Mapping[str, Callable[[Camera], PixelMapping]] = MappingProxyType(
    {"axial": HexGrid, "offset": offset, "oversampled": oversampled, "bilinear": bilinear}
)
"""The mappings by name."""


def create_mapping(name: str, camera: Camera) -> PixelMapping:
    """Build a mapping by its name.

    Parameters
    ----------
    name : str
        ``"axial"``, ``"offset"``, ``"oversampled"`` or ``"bilinear"``.
    camera : Camera
        Any regular hexagonal camera.

    Raises
    ------
    ConfigError
        There is no such mapping.
    """
    if name not in MAPPINGS:
        raise ConfigError(f"unknown mapping {name!r}: {nearest_names(name, MAPPINGS)}")
    return MAPPINGS[name](camera)


def _scattered(
    camera: Camera, rows: tuple[NDArray[np.int64], ...], columns: tuple[NDArray[np.int64], ...], *, weight: float
) -> WeightedMapping:
    """Build a mapping that gives every cell to at most one pixel from the cells of each pixel."""
    row, column = np.concatenate(rows), np.concatenate(columns)
    row, column = row - row.min(), column - column.min()
    shape = (int(row.max()) + 1, int(column.max()) + 1)
    cells = row * shape[1] + column
    pixels = np.zeros((1, shape[0] * shape[1]), dtype=np.int64)
    pixels[0, cells] = np.tile(np.arange(camera.n_pixels), len(rows))
    weights = np.zeros(pixels.shape)
    weights[0, cells] = weight
    return WeightedMapping(camera, shape, pixels, weights)
