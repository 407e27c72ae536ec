"""From events to what a network sees: prepared once on the CPU, arranged on the grid per batch on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor, nn

from magicnn.camera import Camera
from magicnn.events import EventBatch
from magicnn.hexgrid import HexGrid
from magicnn.images.cleaning import clean
from magicnn.nn.augment import CameraSymmetries
from magicnn.nn.auxiliary import AuxiliaryLayout, auxiliary_values
from magicnn.nn.settings import InputSettings

__all__ = ["CLEANED", "HAS_TIME", "USABLE", "ImageArranger", "PreparedEvents", "prepare_events"]

Columns = Mapping[str, NDArray[Any]]

USABLE, CLEANED, HAS_TIME = 1, 2, 4
"""Bits of `PreparedEvents.flags`."""

_MAX_CHARGE_PE = 6e4  # float16 ends at 65504
_DILATIONS = {"cleaned": 0, "dilated": 2}


@dataclass(frozen=True, slots=True)
class PreparedEvents:
    """Events ready for the device. The pixel axis has one entry more, always 0: what lies outside the camera.

    Attributes
    ----------
    charge : float16 Tensor, [N, T, P + 1], photoelectrons
        0 for unusable pixels and those not shown.
    time : float16 Tensor, [N, T, P + 1], ns
        Relative to the image's charge-weighted mean time; 0 where no pulse was found.
    flags : uint8 Tensor, [N, T, P + 1]
        Sum of the bits ``USABLE``, ``CLEANED`` (survived the cleaning), ``HAS_TIME``.
    centre : int64 Tensor, [N, T]
        Pixel nearest to the image's centre of gravity.
    present : float32 Tensor, [N, T]
        1 for a telescope with usable pixels.
    auxiliary : float32 Tensor, [N, A]
        Not normalised; NaN where unknown.
    """

    charge: Tensor
    time: Tensor
    flags: Tensor
    centre: Tensor
    present: Tensor
    auxiliary: Tensor

    def __len__(self) -> int:
        return len(self.charge)

    def select(self, rows: Tensor, device: torch.device | None = None) -> PreparedEvents:
        """Return some events, on another device when given."""
        return PreparedEvents(*(getattr(self, f.name)[rows].to(device) for f in fields(self)))

    def to(self, device: torch.device) -> PreparedEvents:
        """Return the events on a device."""
        return PreparedEvents(*(getattr(self, f.name).to(device) for f in fields(self)))


def prepare_events(batch: EventBatch, features: Columns | None, settings: InputSettings) -> PreparedEvents:
    """Clean, centre and reduce events to what the device needs.

    Parameters
    ----------
    batch : EventBatch
        Any events.
    features : mapping of str to array, [N] or [N, T], optional
        Columns of the feature table for the same events, row by row.
    settings : InputSettings
        What the network sees.

    Returns
    -------
    PreparedEvents
        On the CPU.

    Raises
    ------
    InputError
        An auxiliary input needs a column that is not there.
    """
    camera = batch.meta.camera
    usable = np.isfinite(batch.charge)
    cleaned = clean(batch.charge, batch.time, camera, settings.cleaning)
    charge = np.where(usable, batch.charge, 0.0).clip(-_MAX_CHARGE_PE, _MAX_CHARGE_PE)
    has_time = np.isfinite(batch.time) & usable
    weight = np.where(cleaned & has_time, charge, 0.0).clip(min=0.0)
    mean_time = _weighted_mean(np.where(has_time, batch.time, 0.0), weight)
    time = np.where(has_time, batch.time - mean_time[..., None], 0.0)
    clipped_time = time.clip(-settings.time_clip_ns, settings.time_clip_ns)
    has_time &= np.any(weight > 0.0, axis=-1, keepdims=True)
    shown = _shown(cleaned, camera, settings)
    centre = _centre_pixel(charge, cleaned, camera)
    columns: dict[str, NDArray[Any]] = {
        **batch.columns,
        **(features or {}),
        "centre_x_deg": camera.x_deg[centre],
        "centre_y_deg": camera.y_deg[centre],
        "has_image": np.any(cleaned, axis=-1),
    }
    flags = (USABLE * usable + CLEANED * cleaned + HAS_TIME * has_time).astype(np.uint8) * shown
    return PreparedEvents(
        charge=_padded((charge * shown).astype(np.float16)),
        time=_padded((clipped_time * shown).astype(np.float16)),
        flags=_padded(flags),
        centre=torch.from_numpy(centre),
        present=torch.from_numpy(usable.any(axis=-1).astype(np.float32)),
        auxiliary=torch.from_numpy(auxiliary_values(settings.auxiliary, columns, batch.meta)),
    )


class ImageArranger(nn.Module):
    """Arranges prepared events on the grid: turned by a symmetry, cut around the image centre, compressed.

    A translation by whole cells is exact on axial coordinates, so cutting is one look-up of pixel indices; cells
    outside the camera are 0 in the images and in the mask.

    Parameters
    ----------
    camera : Camera
        Camera of all telescopes.
    settings : InputSettings
        What the network sees.
    telescopes : sequence of str
        Names along T.

    Attributes
    ----------
    layout : AuxiliaryLayout
        Names of the auxiliary inputs.
    shape : tuple of int
        Height and width of the arranged images.
    """

    cells: Tensor

    def __init__(self, camera: Camera, settings: InputSettings, telescopes: Sequence[str]) -> None:
        super().__init__()
        self.settings = settings
        self.layout = AuxiliaryLayout.of(settings.auxiliary, telescopes)
        grid = HexGrid(camera)
        self.symmetries = CameraSymmetries(grid, self.layout.kinds)
        cells = _cell_table(grid, settings.crop_radius)
        self.shape = (int(cells.shape[1]), int(cells.shape[2]))
        self.register_buffer("cells", torch.from_numpy(cells.reshape(len(cells), -1)), persistent=False)

    def forward(self, events: PreparedEvents, symmetry: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Arrange the images of a batch.

        Parameters
        ----------
        events : PreparedEvents
            B events on the device of this module.
        symmetry : int64 Tensor, [B], optional
            Symmetry to turn each event by.

        Returns
        -------
        images : float32 Tensor, [B, T, C, H, W]
            Channels of the settings.
        mask : float32 Tensor, [B, T, 1, H, W]
            1 where there is a pixel.
        """
        if symmetry is None:
            symmetry = torch.zeros(len(events), dtype=torch.int64, device=self.cells.device)
        if len(self.cells) == 1:
            pixels = self.cells.expand(*events.centre.shape, -1)
        else:
            pixels = self.cells[self.symmetries.target_pixels(events.centre, symmetry)]  # [B, T, H W]
        outside = events.charge.shape[-1] - 1
        mask = (pixels != outside).to(torch.float32)
        pixels = self.symmetries.source_pixels(pixels, symmetry)
        charge = events.charge.gather(-1, pixels).to(torch.float32)
        flags = events.flags.gather(-1, pixels)
        channels = {"charge": lambda: self._compressed(charge)}
        channels["time"] = lambda: self._weighted_time(events.time.gather(-1, pixels).to(torch.float32), charge, flags)
        channels["cleaned"] = lambda: ((flags & CLEANED) > 0).to(torch.float32)
        channels["usable"] = lambda: ((flags & USABLE) > 0).to(torch.float32)
        images = torch.stack([channels[name]() for name in self.settings.channels], dim=2)
        return images.view(*images.shape[:-1], *self.shape), mask.view(*mask.shape[:2], 1, *self.shape)

    def _compressed(self, charge: Tensor) -> Tensor:
        scaled = charge / self.settings.charge_scale_pe
        if self.settings.charge_compression == "asinh":
            return torch.asinh(scaled)
        return scaled.sign() * scaled.abs().sqrt() if self.settings.charge_compression == "sqrt" else scaled

    def _weighted_time(self, time: Tensor, charge: Tensor, flags: Tensor) -> Tensor:
        """Scaled time, faded out where the charge is so small that noise sets it."""
        squared = charge.clamp_min(0.0).square()
        trust = squared / (squared + self.settings.time_charge_pe**2) * ((flags & HAS_TIME) > 0)
        return time * (trust / self.settings.time_scale_ns)


def _cell_table(grid: HexGrid, crop_radius: int | None) -> NDArray[np.int64]:
    """Pixel of each cell for each centre pixel, [P + 1, H, W] (or [1, H, W] for the whole camera), P for none."""
    n_pixels = grid.camera.n_pixels
    whole = grid.to_grid(np.arange(n_pixels), fill=n_pixels)
    if crop_radius is None:
        return whole[None]
    padded = np.pad(whole, crop_radius, constant_values=n_pixels)
    steps = np.arange(-crop_radius, crop_radius + 1)
    row, column = np.divmod(np.append(grid.cells, 0), grid.shape[1])
    rows = (row + crop_radius)[:, None, None] + steps[None, :, None]
    columns = (column + crop_radius)[:, None, None] + steps[None, None, :]
    cells = padded[rows, columns]
    # axial distance: a hexagon, so that the cut is as symmetric as the camera
    beyond = np.abs(steps[:, None] + steps[None, :]) > crop_radius
    cells[:, beyond] = n_pixels
    cells[-1] = n_pixels
    return cells


def _padded(values: NDArray[Any]) -> Tensor:
    padded = np.zeros((*values.shape[:-1], values.shape[-1] + 1), dtype=values.dtype)
    padded[..., :-1] = values
    return torch.from_numpy(padded)


def _weighted_mean(values: NDArray[Any], weight: NDArray[Any]) -> NDArray[np.float64]:
    """Mean over the last axis, 0 where all weights are 0."""
    total = weight.sum(axis=-1, dtype=np.float64)
    mean: NDArray[np.float64] = (values * weight).sum(axis=-1, dtype=np.float64) / np.where(total > 0.0, total, 1.0)
    return mean


def _shown(cleaned: NDArray[np.bool_], camera: Camera, settings: InputSettings) -> NDArray[np.bool_]:
    """Pixels that the network sees."""
    if settings.pixels == "all":
        return np.ones_like(cleaned)
    shown = cleaned
    for _ in range(_DILATIONS[settings.pixels]):
        padded = np.concatenate([shown, np.zeros((*shown.shape[:-1], 1), dtype=bool)], axis=-1)
        shown = shown | padded[..., camera.neighbours].any(axis=-1)
    return shown


def _centre_pixel(charge: NDArray[Any], cleaned: NDArray[np.bool_], camera: Camera) -> NDArray[np.int64]:
    """Pixel nearest to the centre of gravity of the cleaned image; of the brightest pixel when nothing is left."""
    weight = np.where(cleaned, charge, 0.0).clip(min=0.0)
    brightest = charge.argmax(axis=-1)
    x, y = (_weighted_mean(positions, weight) for positions in (camera.x_m, camera.y_m))
    is_empty = weight.sum(axis=-1) <= 0.0
    x, y = np.where(is_empty, camera.x_m[brightest], x), np.where(is_empty, camera.y_m[brightest], y)
    _, nearest = cKDTree(np.stack([camera.x_m, camera.y_m], axis=1)).query(np.stack([x, y], axis=-1))
    centre: NDArray[np.int64] = nearest
    return centre
