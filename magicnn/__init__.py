"""Gamma/hadron separation and energy estimation for the MAGIC telescopes from the pixels.

The public names are resolved on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Camera": "magicnn.camera",
    "CheckpointError": "magicnn.errors",
    "ConfigError": "magicnn.errors",
    "EventBatch": "magicnn.events",
    "EventMeta": "magicnn.events",
    "EventSet": "magicnn.io.eventset.reader",
    "HexGrid": "magicnn.hexgrid",
    "InputError": "magicnn.errors",
    "MagicnnError": "magicnn.errors",
    "MissingDependencyError": "magicnn.errors",
    "PredictionTable": "magicnn.predictions",
    "load_predictions": "magicnn.io",
    "open_events": "magicnn.io",
}

__all__ = [
    "Camera",
    "CheckpointError",
    "ConfigError",
    "EventBatch",
    "EventMeta",
    "EventSet",
    "HexGrid",
    "InputError",
    "MagicnnError",
    "MissingDependencyError",
    "PredictionTable",
    "__version__",
    "load_predictions",
    "open_events",
]

if TYPE_CHECKING:
    from magicnn.camera import Camera
    from magicnn.errors import CheckpointError, ConfigError, InputError, MagicnnError, MissingDependencyError
    from magicnn.events import EventBatch, EventMeta
    from magicnn.hexgrid import HexGrid
    from magicnn.io import load_predictions, open_events
    from magicnn.io.eventset.reader import EventSet
    from magicnn.predictions import PredictionTable


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'magicnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
