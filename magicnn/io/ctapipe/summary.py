"""What is in a ctapipe HDF5 file, without choosing a camera or opening an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.io.ctapipe.dl2_reader import methods_of
from magicnn.io.ctapipe.events import (
    IMAGES,
    LAYOUT,
    SHOWER,
    TRIGGER,
    generated_of,
    run_settings,
    shower_truth,
)
from magicnn.io.ctapipe.pointing import pointing_of
from magicnn.io.ctapipe.tables import CtapipeFile, event_keys, open_ctapipe
from magicnn.io.mars.truth import merge_generated, particle_name

__all__ = ["CtapipeSummary", "summarise"]


@dataclass(frozen=True, slots=True)
class CtapipeSummary:
    """What a file holds.

    Attributes
    ----------
    version : str
        Of the data model.
    software : str
        What wrote it, with its version.
    n_events : int
        Triggered events.
    cameras : dict of str to tuple of int
        For each camera how many telescopes, and how many of them have a table of images.
    methods : list of str
        Methods with predictions.
    particle : str
        Empty for real data.
    columns : mapping of str to array, [N]
        Run and event numbers, times, pointing and truth.
    generated : mapping
        What was thrown, as far as the file says.
    """

    version: str
    software: str
    n_events: int
    cameras: dict[str, tuple[int, int]]
    methods: list[str]
    particle: str
    columns: Mapping[str, NDArray[Any]]
    generated: Mapping[str, Any]


def summarise(path: Path) -> CtapipeSummary:
    """Look into a file.

    Raises
    ------
    InputError
        It is damaged, or of a data model that is not read.
    """
    with open_ctapipe(path) as file:
        trigger = file.table(TRIGGER)
        keys, time = event_keys(trigger), trigger.column("time")
        columns: dict[str, NDArray[Any]] = {"run_id": keys[:, 0], "event_id": keys[:, 1]}
        if (time > 0).any():
            columns["time_utc_ns"] = time
        layout = file.table(LAYOUT)
        tel_ids, names = layout.column("tel_id").tolist(), layout.column("camera_name").tolist()
        with suppress(InputError):  # a summary can do without
            columns |= pointing_of(file, tel_ids, keys, time)
        generated: Mapping[str, Any] = {}
        particle = ""
        if SHOWER in file and len(keys):
            truth, _ = shower_truth(file, keys)
            columns |= truth
            if "pointing_zenith_deg" in columns:
                runs = generated_of(run_settings(file), columns, where=str(path))
                generated = merge_generated([(path, part) for _, part in runs])
            cone = generated.get("viewcone_max_deg", 0.0) - generated.get("viewcone_min_deg", 0.0)
            particle = particle_name(truth["true_particle"], viewcone_deg=cone) or ""
        return CtapipeSummary(
            version=file.version,
            software=file.software,
            n_events=len(keys),
            cameras=_cameras(file, tel_ids, [name.decode() for name in names]),
            methods=methods_of(file),
            particle=particle,
            columns=columns,
            generated=generated,
        )


def _cameras(file: CtapipeFile, tel_ids: list[int], names: list[str]) -> dict[str, tuple[int, int]]:
    there = set(file.children(IMAGES))
    with_images = Counter(n for i, n in zip(tel_ids, names, strict=True) if f"tel_{i:03d}" in there)
    return {name: (count, with_images[name]) for name, count in Counter(names).items()}
