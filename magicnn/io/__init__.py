"""Reading and writing events and predictions: MARS files, event sets, and whatever is registered as a format."""

from __future__ import annotations

from magicnn.io.formats import FORMATS, open_events, register_format
from magicnn.io.prediction_files import load_predictions

__all__ = ["FORMATS", "load_predictions", "open_events", "register_format"]
