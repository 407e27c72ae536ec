"""HexGrid: pixels on the axial grid, one cell each, and the symmetries of the camera as pixel permutations."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import AXIAL_STEPS, Camera
from magicnn.errors import InputError
from magicnn.summary import html_page

__all__ = ["HexGrid", "charge_deviation", "gather", "hexagonal_kernel_mask", "is_tensor"]

ImageT = TypeVar("ImageT", bound=Any)
"""A NumPy array or a torch tensor; what goes in comes out."""

_TURN = np.array([[0, -1], [1, 1]])  # (q, r) -> (-r, q + r): e1 becomes e2
_MIRROR = np.array([[0, 1], [1, 0]])  # (q, r) -> (r, q)
_CENTRE_TOLERANCE = 0.1  # pitches; cameras are mounted better than that


class HexGrid:
    """Exact mapping between the pixels of a hexagonal camera and a rectangular grid of axial coordinates.

    The pixel at axial coordinates (q, r) is the cell in row ``r - min(r)`` and column ``q - min(q)``. Neighbouring
    pixels are neighbouring cells, along the six steps that `hexagonal_kernel_mask` leaves open.

    Parameters
    ----------
    camera : Camera
        Any regular hexagonal camera.

    Attributes
    ----------
    camera : Camera
        The camera.
    shape : tuple of int
        Height and width (H, W) of the grid; (39, 39) for MAGIC.
    mask : bool array, [H, W]
        Cells that hold a pixel.
    cells : int64 array, [P]
        Cell of each pixel in the flattened grid.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        column, row = (camera.axial - camera.axial.min(axis=0)).T.astype(np.int64)
        self.shape = (int(row.max()) + 1, int(column.max()) + 1)
        self.cells: NDArray[np.int64] = row * self.shape[1] + column
        mask = np.zeros(self.shape, dtype=bool)
        mask.flat[self.cells] = True
        self.mask = mask
        self._pixel_of_cell: NDArray[np.int64] = np.full(mask.size, camera.n_pixels, dtype=np.int64)
        self._pixel_of_cell[self.cells] = np.arange(camera.n_pixels)
        for array in (self.cells, self.mask, self._pixel_of_cell):
            array.setflags(write=False)
        self._on_device: dict[tuple[str, str], Any] = {}

    def to_grid(self, pixels: ImageT, fill: float = 0) -> ImageT:
        """Arrange images on the grid.

        Parameters
        ----------
        pixels : array or torch.Tensor, [..., P]
            Images of any dtype in the order of the camera.
        fill : float
            Value of the cells without a pixel; may be NaN for floating-point images.

        Returns
        -------
        array or torch.Tensor, [..., H, W]
            Same dtype and device.

        Raises
        ------
        InputError
            The last dimension is not P.
        """
        self._check(pixels, (self.camera.n_pixels,), "pixels")
        index = self._index("cells", self._pixel_of_cell, pixels)
        grid: ImageT = gather(pixels, index, fill).reshape((*pixels.shape[:-1], *self.shape))
        return grid

    def to_pixels(self, grid: ImageT) -> ImageT:
        """Undo `to_grid`.

        Parameters
        ----------
        grid : array or torch.Tensor, [..., H, W]
            Images on the grid.

        Returns
        -------
        array or torch.Tensor, [..., P]
            Same dtype and device.

        Raises
        ------
        InputError
            The last two dimensions are not H, W.
        """
        self._check(grid, self.shape, "rows and columns")
        flat = grid.reshape((*grid.shape[:-2], self.mask.size))
        index = self._index("pixels", self.cells, grid)
        pixels: ImageT = flat.index_select(-1, index) if is_tensor(flat) else np.take(flat, index, axis=-1)
        return pixels

    def charge_conservation(self, images: NDArray[Any]) -> float:
        """Relative deviation of the summed charge on the grid from the sum over the pixels: 0, each cell is a pixel."""
        return charge_deviation(images, self.to_grid(images))

    @cached_property
    def symmetries(self) -> NDArray[np.int64]:
        """Permutations of the pixels under the symmetries of the camera about its axis, int64 [K, P].

        ``images[..., symmetries[k]]`` are the turned images: light at the camera position v moves to
        ``symmetry_matrices[k] @ v``. K is 12 for MAGIC. Rows 0-5 turn by 0, 60, ..., 300 deg from +x towards +y; rows
        6-11 are a mirror image followed by the same turns. A camera that is not mapped onto itself by all twelve
        (LSTCam, whose outline turns but has no mirror image) gives only those that exist, in the same order; row 0 is
        always the identity.
        """
        return self._symmetry_group[0]

    @cached_property
    def symmetry_matrices(self) -> NDArray[np.float64]:
        """What each symmetry does to a vector (x, y) of the camera frame: orthogonal matrices, float64 [K, 2, 2]."""
        return self._symmetry_group[1]

    @cached_property
    def _symmetry_group(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        camera = self.camera
        design = np.column_stack([np.ones(camera.n_pixels), camera.axial])
        origin, *basis = np.linalg.lstsq(design, np.stack([camera.x_m, camera.y_m], axis=1), rcond=None)[0]
        to_camera = np.stack(basis, axis=1)  # columns e1, e2
        centre = -np.linalg.solve(to_camera, origin)
        turn = _TURN if np.linalg.det(to_camera) > 0 else np.linalg.matrix_power(_TURN, 5)
        turns = [np.linalg.matrix_power(turn, k) for k in range(6)]
        permutations, matrices = [], []
        for operation in [*turns, *(t @ _MIRROR for t in turns)]:
            # the turned image has at pixel p what was at the pixel that moves to p
            source = (camera.axial - centre) @ np.linalg.inv(operation).T + centre
            site = np.rint(source).astype(np.int64)
            row, column = (site - camera.axial.min(axis=0)).T[::-1]
            inside = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
            if not inside.all() or np.abs(source - site).max() > _CENTRE_TOLERANCE:
                continue
            permutation = self._pixel_of_cell[row * self.shape[1] + column]
            if permutation.max() < camera.n_pixels:
                permutations.append(permutation)
                left, _, right = np.linalg.svd(to_camera @ operation @ np.linalg.inv(to_camera))
                matrices.append(left @ right)
        return np.stack(permutations), np.stack(matrices)

    def __repr__(self) -> str:
        return f"HexGrid({self.camera.name}, {self.shape[0]} x {self.shape[1]})"

    def _repr_html_(self) -> str:
        n_cells, n_pixels = self.mask.size, self.camera.n_pixels
        lines = [
            ("camera", f"{self.camera.name}, {n_pixels} pixels"),
            ("grid", f"{self.shape[0]} rows along r, {self.shape[1]} columns along q"),
            ("cells", f"{n_cells}, of them {n_pixels} with a pixel ({100.0 * n_pixels / n_cells:.0f} %)"),
        ]
        return html_page("HexGrid", lines)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_on_device": {}}

    def _check(self, images: Any, expected: tuple[int, ...], what: str) -> None:
        found = tuple(images.shape[-len(expected) :])
        if found != expected:
            raise InputError(
                f"{self.camera.name}: expected {' x '.join(map(str, expected))} {what} in the last "
                f"dimension{'s' if len(expected) > 1 else ''}, got an array of shape {tuple(images.shape)}"
            )

    def _index(self, name: str, index: NDArray[np.int64], images: Any) -> Any:
        """Return the index for NumPy, or its copy on the device of a tensor."""
        if not is_tensor(images):
            return index
        key = (name, str(images.device))
        if key not in self._on_device:
            torch = sys.modules["torch"]
            self._on_device[key] = torch.tensor(index, device=images.device)
        return self._on_device[key]


def is_tensor(images: Any) -> bool:
    """Whether the images are a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(images, torch.Tensor)


def gather(pixels: Any, index: Any, fill: float) -> Any:
    """Pick pixels along the last dimension, [..., P] -> [..., C]; index P gives ``fill``."""
    n_pixels = pixels.shape[-1]
    if is_tensor(pixels):
        padding = pixels.new_full((*pixels.shape[:-1], 1), fill)
        return sys.modules["torch"].cat([pixels, padding], dim=-1).index_select(-1, index)
    padded = np.empty((*pixels.shape[:-1], n_pixels + 1), dtype=pixels.dtype)
    padded[..., :-1] = pixels
    padded[..., -1] = fill
    # "clip" only spares the bounds check: all indices are valid
    return np.take(padded, index, axis=-1, mode="clip")


def charge_deviation(images: NDArray[Any], grid: NDArray[Any]) -> float:
    """Relative deviation of the sum on a grid from the sum over the pixels, unusable pixels (NaN) left out."""
    total = float(np.nansum(images, dtype=np.float64))
    return float(np.nansum(grid, dtype=np.float64)) / total - 1.0


def hexagonal_kernel_mask(size: int = 3) -> NDArray[np.bool_]:
    """Cells of a square kernel on the axial grid that lie within (size - 1) / 2 steps of its centre.

    Multiplying a convolution kernel with this mask makes the square convolution of axial images the hexagonal one.
    For ``size`` 3 the mask is the centre and the six neighbours; the corners along (+1, +1) and (-1, -1) are closed.

    Parameters
    ----------
    size : int
        Odd width of the kernel.

    Returns
    -------
    bool array, [size, size]
        Indexed like the grid: rows along r, columns along q.
    """
    radius = size // 2
    mask = np.zeros((size, size), dtype=bool)
    mask[radius, radius] = True
    for _ in range(radius):
        row, column = np.nonzero(mask)
        for step_q, step_r in AXIAL_STEPS:
            mask[row + step_r, column + step_q] = True
    return mask
