"""A small residual network of hexagonal convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from magicnn.errors import ConfigError
from magicnn.nn.layers import HexConv2d, global_pool, hex_max_pool, pooled_mask
from magicnn.nn.registry import register

__all__ = ["HexResNet", "hex_resnet"]

_RESIDUAL_SCALE = 0.2


class ResidualBlock(nn.Module):
    """Two hexagonal convolutions beside the identity, scaled by a learned number that starts small.

    The scale takes the place of a normalisation (SkipInit: De & Smith 2020, arXiv:2002.10444), so a cell's value
    depends on its neighbourhood alone and not on the batch or on cells outside the camera.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = HexConv2d(width, width)
        self.second = HexConv2d(width, width)
        self.scale = nn.Parameter(torch.tensor(_RESIDUAL_SCALE))

    def forward(self, images: Tensor, mask: Tensor) -> Tensor:
        """Map [M, C, H, W] to the same shape."""
        change = self.first(torch.relu(images)) * mask
        change = self.second(torch.relu(change)) * (self.scale * mask)
        result: Tensor = images + change
        return result


class HexResNet(nn.Module):
    """Stages of hexagonal convolution, pooling and residual blocks, then mean and maximum over the camera.

    Parameters
    ----------
    n_channels : int
        Image channels.
    stem : int
        Channels of the first convolution, at full resolution.
    widths : sequence of int
        Channels of each stage; every stage starts with a pooling of stride 2.
    blocks : int
        Residual blocks per stage.
    """

    def __init__(self, n_channels: int, *, stem: int, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.stem = HexConv2d(n_channels, stem)
        before = [stem, *widths[:-1]]
        self.widen = nn.ModuleList(HexConv2d(a, b) for a, b in zip(before, widths, strict=True))
        self.stages = nn.ModuleList(nn.ModuleList(ResidualBlock(w) for _ in range(blocks)) for w in widths)
        self.n_features = 2 * widths[-1]

    def forward(self, images: Tensor, mask: Tensor) -> Tensor:
        """Map images [M, C, H, W] and their mask [M or 1, 1, H, W] to vectors [M, F]."""
        features = self.stem(images) * mask
        for widen, blocks in zip(self.widen, self.stages, strict=True):
            features = hex_max_pool(torch.relu(features), mask)  # [M, C, H/2, W/2]
            mask = pooled_mask(mask)
            features = widen(features) * mask
            for block in blocks:  # type: ignore[attr-defined]
                features = block(features, mask)
        return global_pool(torch.relu(features), mask)


@register
def hex_resnet(n_channels: int, *, stem: int = 16, widths: Sequence[int] = (32, 64), blocks: int = 1) -> HexResNet:
    """Build a `HexResNet`.

    Raises
    ------
    ConfigError
        A width is not positive or there is none.
    """
    if not widths or min(stem, *widths) < 1 or blocks < 0:
        raise ConfigError(f"hex_resnet: expected positive widths, got stem {stem}, widths {list(widths)}")
    return HexResNet(n_channels, stem=stem, widths=tuple(widths), blocks=blocks)
