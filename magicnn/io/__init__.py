"""Reading and writing events: MARS files, event sets, and whatever is registered as a format."""

from __future__ import annotations

from magicnn.io.formats import FORMATS, open_events, register_format

__all__ = ["FORMATS", "open_events", "register_format"]
