"""From two images and auxiliary inputs to the heads: one shared image branch, fusion, particle and energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from magicnn.nn.registry import create_model
from magicnn.nn.settings import Head, NetworkSettings

__all__ = ["StereoNetwork"]

_HEAD_SIZES: Mapping[Head, int] = {"particle": 1, "energy": 2}


class FusionBlock(nn.Module):
    """A residual two-layer perceptron."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, width)
        )

    def forward(self, vectors: Tensor) -> Tensor:
        """Map [B, width] to the same shape."""
        return vectors + self.layers(vectors)  # type: ignore[no-any-return]


class StereoNetwork(nn.Module):
    """Estimate the particle, the energy, or both, from the images of all telescopes and auxiliary inputs.

    Parameters
    ----------
    n_channels : int
        Image channels.
    n_telescopes : int
        Telescopes T; their images pass through the same branch.
    n_auxiliary : int
        Auxiliary inputs, normalised.
    heads : sequence of {"particle", "energy"}
        What is estimated.
    settings : NetworkSettings
        Shape.
    """

    def __init__(
        self,
        n_channels: int,
        n_telescopes: int,
        n_auxiliary: int,
        heads: Sequence[Head],
        settings: NetworkSettings,
    ) -> None:
        super().__init__()
        self.branch = create_model(settings.architecture, n_channels, **settings.arguments)
        n_features = int(self.branch.n_features)  # type: ignore[arg-type]
        width = settings.hidden
        self.image_norm = nn.LayerNorm(n_features)
        self.image_dropout = nn.Dropout(settings.image_dropout)
        self.from_images = nn.Linear(n_telescopes * n_features, width)
        self.from_auxiliary = nn.Linear(n_auxiliary, width)
        self.fusion = nn.ModuleList(FusionBlock(width, settings.dropout) for _ in range(settings.fusion_blocks))
        self.fusion_norm = nn.LayerNorm(width)
        self.heads = nn.ModuleDict({name: nn.Linear(width, _HEAD_SIZES[name]) for name in heads})
        for head in self.heads.values():
            nn.init.zeros_(head.weight)  # type: ignore[arg-type]
            nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def forward(
        self,
        images: Tensor,
        mask: Tensor,
        present: Tensor,
        auxiliary: Tensor,
        *,
        autocast: torch.dtype | None = None,
    ) -> dict[str, Tensor]:
        """Estimate.

        Parameters
        ----------
        images : Tensor, [B, T, C, H, W]
            Zero outside the camera.
        mask : Tensor, [B, T, 1, H, W]
            1 inside the camera.
        present : Tensor, [B, T]
            1 for a telescope with an image, 0 for a missing one; what its image holds is then ignored.
        auxiliary : Tensor, [B, A]
            Normalised, 0 for unknown.
        autocast : torch.dtype, optional
            Lower precision of the image branch.

        Returns
        -------
        dict of str to Tensor
            ``particle``: logit of being a gamma, [B]; ``energy``: mean and log variance, [B, 2].
        """
        n_events, n_telescopes = images.shape[:2]
        flat = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, autocast or torch.bfloat16, enabled=autocast is not None):
            vectors = self.branch(flat, mask.flatten(0, 1))
        vectors = self.image_norm(vectors.float()).view(n_events, n_telescopes, -1) * present[..., None]
        fused = self.from_auxiliary(auxiliary) + self.from_images(self.image_dropout(vectors.flatten(1)))
        for block in self.fusion:
            fused = block(fused)
        fused = nn.functional.silu(self.fusion_norm(fused))
        estimates = {name: head(fused) for name, head in self.heads.items()}
        if "particle" in estimates:
            estimates["particle"] = estimates["particle"].squeeze(-1)
        return estimates
