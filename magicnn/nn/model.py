"""EventModel: everything from prepared events to estimates in physical units, as it is trained and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from magicnn.camera import Camera
from magicnn.nn.auxiliary import AuxiliaryLayout
from magicnn.nn.inputs import ImageArranger, PreparedEvents
from magicnn.nn.network import StereoNetwork
from magicnn.nn.settings import Head, InputSettings, NetworkSettings

__all__ = ["EventModel", "Normalisation"]

_MIN_SPREAD = 1e-6


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Statistics of the training events that inputs and targets are scaled with.

    Attributes
    ----------
    mean, scale : tuple of float, [A]
        Subtracted from and divided into the auxiliary inputs.
    edges : tuple of tuple of float, [n_scalars, bins + 1]
        Quantiles of the normalised scalar inputs, for their encoding; empty without one.
    log_energy_mean, log_energy_scale : float
        Of log10(E / GeV).
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    edges: tuple[tuple[float, ...], ...] = ()
    log_energy_mean: float = 0.0
    log_energy_scale: float = 1.0

    @classmethod
    def of(
        cls, auxiliary: NDArray[np.float32], layout: AuxiliaryLayout, *, bins: int, log_energy: NDArray[np.float32]
    ) -> Normalisation:
        """Measure the statistics.

        Parameters
        ----------
        auxiliary : float array, [N, A]
            Auxiliary inputs of the training events, NaN where unknown.
        layout : AuxiliaryLayout
            What they are. Vectors and axes keep their origin and share one scale for both components, so that
            turning and scaling commute.
        bins : int
            Bins of the encoding, 0 for none.
        log_energy : float array, [N]
            log10(E / GeV); NaN where unknown.
        """
        values = auxiliary.astype(np.float64)
        known = np.isfinite(values)
        count = np.maximum(known.sum(axis=0), 1)
        is_scalar = np.array([kind == "scalar" for kind in layout.kinds], dtype=bool)
        mean = np.where(is_scalar, np.where(known, values, 0.0).sum(axis=0) / count, 0.0)
        power = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / count
        for place in np.flatnonzero(~is_scalar)[::2]:
            power[place : place + 2] = power[place : place + 2].mean()
        scale = np.where(power > _MIN_SPREAD**2, np.sqrt(power), 1.0)
        energy = log_energy[np.isfinite(log_energy)].astype(np.float64)
        return cls(
            mean=tuple(mean.tolist()),
            scale=tuple(scale.tolist()),
            edges=_quantiles(((values - mean) / scale)[:, is_scalar], bins),
            log_energy_mean=float(energy.mean()) if len(energy) else 0.0,
            log_energy_scale=float(max(energy.std(), _MIN_SPREAD)) if len(energy) > 1 else 1.0,
        )


def _quantiles(values: NDArray[np.float64], bins: int) -> tuple[tuple[float, ...], ...]:
    """Edges of equally filled bins of each column, 0 for a column without any value."""
    if bins == 0:
        return ()
    levels = np.linspace(0.0, 1.0, bins + 1)
    columns = (column[np.isfinite(column)] for column in values.T)
    return tuple(tuple((np.quantile(c, levels) if len(c) else 0.0 * levels).tolist()) for c in columns)


class EventModel(nn.Module):
    """Arrange images, normalise and encode auxiliary inputs, and run the network.

    Parameters
    ----------
    camera : Camera
        Camera of all telescopes.
    telescopes : sequence of str
        Names along T.
    inputs, network : settings
        What it sees, and its shape.
    heads : sequence of {"particle", "energy"}
        What it estimates.
    normalisation : Normalisation
        Statistics of its training events.
    """

    mean: Tensor
    scale: Tensor
    low: Tensor
    width: Tensor
    is_scalar: Tensor

    def __init__(
        self,
        camera: Camera,
        telescopes: Sequence[str],
        inputs: InputSettings,
        network: NetworkSettings,
        heads: Sequence[Head],
        normalisation: Normalisation,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.normalisation = normalisation
        self.arranger = ImageArranger(camera, inputs, telescopes)
        layout = self.arranger.layout
        is_scalar = torch.tensor([kind == "scalar" for kind in layout.kinds], dtype=torch.bool)
        edges = torch.tensor(normalisation.edges or [[]], dtype=torch.float32)
        constants = {
            "mean": torch.tensor(normalisation.mean, dtype=torch.float32),
            "scale": torch.tensor(normalisation.scale, dtype=torch.float32),
            "low": edges[:, :-1],
            "width": (edges[:, 1:] - edges[:, :-1]).clamp_min(_MIN_SPREAD),
            "is_scalar": is_scalar,
        }
        for name, values in constants.items():
            self.register_buffer(name, values, persistent=False)
        n_auxiliary = len(layout.names) + self.low.numel()
        self.network = StereoNetwork(len(inputs.channels), len(telescopes), n_auxiliary, heads, network)

    @property
    def n_symmetries(self) -> int:
        """Number of symmetries that events may be turned by."""
        return int(self.arranger.symmetries.n_symmetries)

    def forward(
        self, events: PreparedEvents, symmetry: Tensor | None = None, *, autocast: torch.dtype | None = None
    ) -> dict[str, Tensor]:
        """Estimate.

        Parameters
        ----------
        events : PreparedEvents
            B events on the device of the model.
        symmetry : int64 Tensor, [B], optional
            Symmetry to turn each event by.
        autocast : torch.dtype, optional
            Lower precision of the image branch.

        Returns
        -------
        dict of str to Tensor
            ``particle``: logit of being a gamma, [B]; ``energy``: mean and log variance of the normalised
            log10(E), [B, 2].
        """
        images, mask = self.arranger(events, symmetry)
        auxiliary = self.encoded(events.auxiliary, symmetry)
        estimates: dict[str, Tensor] = self.network(images, mask, events.present, auxiliary, autocast=autocast)
        return estimates

    def encoded(self, auxiliary: Tensor, symmetry: Tensor | None = None) -> Tensor:
        """Normalise, turn and encode auxiliary inputs [B, A]; unknown ones become 0.

        Notes
        -----
        The encoding is the piecewise-linear one of Gorishniy et al. 2022 (arXiv:2203.05556, eq. 1), clipped to [0, 1].
        """
        values = torch.nan_to_num((auxiliary - self.mean) / self.scale, nan=0.0)
        values = values.clamp(-self.inputs.auxiliary_clip, self.inputs.auxiliary_clip)
        if symmetry is not None:
            values = self.arranger.symmetries.turn_auxiliary(values, symmetry)
        if self.low.numel() == 0:
            return values
        scalars = values[:, self.is_scalar, None]
        steps = ((scalars - self.low) / self.width).clamp(0.0, 1.0)
        return torch.cat([values, steps.flatten(1)], dim=1)
