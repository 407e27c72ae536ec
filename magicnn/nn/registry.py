"""Image branches by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

from magicnn.errors import ConfigError, nearest_names

__all__ = ["create_model", "list_models", "register"]

_F = TypeVar("_F", bound=Callable[..., nn.Module])
_FACTORIES: dict[str, Callable[..., nn.Module]] = {}


def register(factory: _F) -> _F:
    """Make a function that builds an image branch known under its own name.

    The function takes the number of image channels and keyword arguments with defaults. The module it returns maps
    images [M, C, H, W] and the camera mask [M or 1, 1, H, W] to vectors [M, F] and tells F as ``n_features``.

    Raises
    ------
    ValueError
        The name is taken.
    """
    name = factory.__name__
    if name in _FACTORIES:
        raise ValueError(f"an image branch {name!r} is already registered")
    _FACTORIES[name] = factory
    return factory


def list_models() -> list[str]:
    """Return the names of all image branches, sorted."""
    importlib.import_module("magicnn.nn.architectures")
    return sorted(_FACTORIES)


def create_model(name: str, n_channels: int, **arguments: Any) -> nn.Module:
    """Build an image branch.

    Parameters
    ----------
    name : str
        A name of `list_models`.
    n_channels : int
        Image channels.
    **arguments
        Arguments of the branch.

    Returns
    -------
    nn.Module

    Raises
    ------
    ConfigError
        The name or an argument is unknown.
    """
    known = list_models()
    if name not in known:
        raise ConfigError(f"unknown architecture {name!r}: {nearest_names(name, known)}")
    factory = _FACTORIES[name]
    accepted = list(inspect.signature(factory).parameters)[1:]
    for argument in arguments:
        if argument not in accepted:
            raise ConfigError(
                f"architecture {name!r} has no argument {argument!r}: {nearest_names(argument, accepted)}"
            )
    return factory(n_channels, **arguments)
