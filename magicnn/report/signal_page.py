"""The page of a source in real data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from magicnn.errors import InputError
from magicnn.evaluation.samples import align
from magicnn.predictions import PredictionTable
from magicnn.report.html import write_page
from magicnn.report.inputs import RealEvents
from magicnn.report.real_section import real_values
from magicnn.report.style import colour_property, method_colours
from magicnn.runs import provenance

__all__ = ["build_signal_page"]


def build_signal_page(
    real: RealEvents,
    simulated: Mapping[str, Sequence[PredictionTable]],
    directory: Path | str,
    *,
    title: str,
    settings: Mapping[str, Any],
) -> Path:
    """Write a page about a source: counts, squared angles, significance, and real events beside simulated protons.

    Parameters
    ----------
    real : RealEvents
        Events with their signals.
    simulated : mapping of method to sequence of PredictionTable
        Simulated events; protons are drawn beside the real ones.
    directory : path
        Folder for ``index.html``, ``figures`` (each as PNG, PDF and ECSV) and ``tables``; made when missing, files in
        it are replaced.
    title : str
        Heading.
    settings : mapping
        Effective settings, plain values.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        The folder cannot be written, or the methods' predictions for simulated events are not for the same events.
    """
    root = Path(directory)
    proton = align(simulated)["proton"]
    try:
        for folder in ("figures", "tables"):
            (root / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{root}: cannot be made ({error.strerror})") from error
    write_page(
        root / "index.html",
        "signal.html",
        title=title,
        methods=[(m, colour_property(colour)) for m, colour in method_colours(real.predictions).items()],
        settings=json.dumps(dict(settings), indent=2, default=str, ensure_ascii=False),
        provenance=json.dumps(provenance(), indent=2, default=str, ensure_ascii=False),
        **real_values(real, proton, root),
    )
    return root / "index.html"
