"""Event sets as an event source of ctapipe, so that ``ctapipe-process`` and everything else there reads them.

ctapipe finds ``MagicnnEventSource`` by the entry point ``ctapipe_io``; the class is made when it is asked for, so that
importing this module does not import ctapipe.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from magicnn.errors import InputError
from magicnn.io.eventset.layout import FORMAT, open_hdf5
from magicnn.io.eventset.reader import EventSet

__all__ = ["is_event_set"]

_log = logging.getLogger(__name__)

_BLOCK = 256  # one chunk of the images of an event set


def is_event_set(path: Path | str) -> bool:
    """Tell whether a file is an event set of this package."""
    try:
        with open_hdf5(Path(path)) as file:
            return bool(file.attrs.get("format") == FORMAT)
    except (InputError, OSError, RuntimeError, KeyError, ValueError):
        return False


def __getattr__(name: str) -> Any:
    if name == "MagicnnEventSource":
        return _event_source()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _event_source() -> Any:
    """Make the class."""
    from ctapipe.core.provenance import Provenance
    from ctapipe.io import DataLevel, EventSource

    from magicnn.io.ctapipe.containers import EventMaker
    from magicnn.io.ctapipe.subarray import subarray_description

    class MagicnnEventSource(EventSource):  # type: ignore[misc]
        """Event sets of magicnn: calibrated images (DL1) of their telescopes, with truth when simulated."""

        def __init__(self, input_url: Any = None, config: Any = None, parent: Any = None, **kwargs: Any) -> None:
            super().__init__(input_url=input_url, config=config, parent=parent, **kwargs)
            self._events = EventSet(self.input_url)
            subarray = subarray_description(self._events.meta)
            self._subarray = subarray.select_subarray(self.allowed_tels) if self.allowed_tels else subarray
            self._maker = EventMaker(self._events, self._subarray)
            if not self.is_simulation and getattr(parent, "name", "") == "ctapipe-process":
                _log.warning(
                    "%s: ctapipe-process does not write the pointing of real data, its output will lack it; what "
                    "`magicnn export PREDICTIONS --format ctapipe --like %s` writes has it",
                    self.input_url,
                    self.input_url,
                )
            Provenance().add_input_file(str(self.input_url), role="DL1/Event", add_meta=False)

        @staticmethod
        def is_compatible(file_path: Any) -> bool:
            return is_event_set(file_path)

        @property
        def subarray(self) -> Any:
            return self._subarray

        @property
        def is_simulation(self) -> bool:
            return self._events.meta.is_simulation

        @property
        def datalevels(self) -> tuple[Any, ...]:
            return (DataLevel.DL1_IMAGES,)

        @property
        def scheduling_blocks(self) -> dict[int, Any]:
            return self._maker.scheduling_blocks

        @property
        def observation_blocks(self) -> dict[int, Any]:
            return self._maker.observation_blocks

        @property
        def simulation_config(self) -> dict[int, Any] | None:
            return self._maker.simulation_config if self.is_simulation else None

        def _generator(self) -> Iterator[Any]:
            count = 0
            for start in range(0, len(self._events), _BLOCK):
                batch = self._events.read(start, start + _BLOCK, self._events.column_names)
                for row in range(len(batch)):
                    event = self._maker.event(batch, row, start + row, count)
                    if event is not None:
                        count += 1
                        yield event

        def close(self) -> None:
            self._events.close()

        def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
            self.close()

    MagicnnEventSource.__qualname__ = "MagicnnEventSource"
    return MagicnnEventSource
