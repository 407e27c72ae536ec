"""One training on several devices: the processes that torchrun starts, each with its share of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from magicnn.errors import ConfigError

__all__ = ["Ranks", "joined_ranks"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Ranks:
    """The processes of a training, seen from one of them.

    Attributes
    ----------
    rank : int
        Which one this is; the first one validates, writes and speaks.
    number : int
        How many there are.
    """

    rank: int = 0
    number: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process validates, writes and speaks."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """Return this process' part of a batch, [B / number]."""
        return rows[self.rank :: self.number]

    def joined(self, model: nn.Module) -> nn.Module:
        """Return a model whose gradients are the mean over the processes; it shares its weights with the given one."""
        return model if self.number == 1 else DistributedDataParallel(model)

    def sum(self, value: float) -> float:
        """Add up a number over the processes."""
        if self.number == 1:
            return value
        total = [0.0] * self.number
        distributed.all_gather_object(total, value)
        return sum(total)

    def agreed(self, value: _T) -> _T:
        """Return the value of the first process."""
        if self.number == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]

    def require_same(self, value: object, message: str) -> None:
        """Make sure that all processes start from the same.

        Raises
        ------
        ConfigError
            They do not.
        """
        if self.number > 1:
            values: list[object] = [None] * self.number
            distributed.all_gather_object(values, value)
            if any(other != values[0] for other in values):
                raise ConfigError(message)


@contextmanager
def joined_ranks(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started while the block lasts; without torchrun there is this one alone.

    Parameters
    ----------
    device : torch.device
        The one of this process.

    Yields
    ------
    Ranks
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
