"""Lines and figure of simulated empty pixels beside real pedestal events."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from magicnn.camera import Camera
from magicnn.simulation.electronics import electronics
from magicnn.simulation.instrument_settings import ReadoutSettings, SiteSettings
from magicnn.simulation.throughput import night_sky_rate_pe_per_ns
from validation.drawing import COLOURS, panels
from validation.electronics import dark_pixels, pedestal_check, real_pedestals, simulated_pedestals, with_sky
from validation.lines import Figure, Group, Line, shown_only
from validation.store import Store

__all__ = ["validate"]

_SOURCE = "pedestal events of MAGIC run 5029747, dark pixels; the night sky was fitted on the other half of them"


def validate(store: Store, figures: Path) -> Group:
    """Judge mean and RMS, and show the shapes."""
    folder = None if store.data is None else store.data / "magic_real"
    files = [] if folder is None else [next(folder.glob(f"*_M{k}_*_Y_*.root"), None) for k in (1, 2)]
    if len(files) < 2 or files[0] is None or files[1] is None:
        return Group((), (), "the real files are not here")
    paths = files[0], files[1]
    records = pedestal_check(paths)
    rates, lines = {}, []
    for k, record in enumerate(records):
        is_gate = record.used_for == "check"
        if record.used_for == "fit":
            rates[record.telescope] = record.simulated
        # Ranges are factors on the real value.
        low, high = (record.low * record.real, record.high * record.real) if is_gate else (math.nan, math.nan)
        lines.append(
            Line(
                f"pedestal_{k}",
                f"M{record.telescope}, {record.quantity}",
                record.simulated,
                math.nan,
                "",
                low,
                high,
                "fitted" if record.used_for == "fit" else f"{record.real:.3f} ± {record.real_error:.3f}",
                _SOURCE,
                {"check": "gate", "fit": "calibration"}.get(record.used_for, "info"),  # type: ignore[arg-type]
                digits=3,
            )
        )
    lines += _night_sky()
    _draw(figures / "electronics.png", paths, rates)
    caption = (
        "Charges (left) and arrival times of the brighter half (right) of dark pixels in real pedestal events and of "
        "simulated empty pixels."
    )
    return Group(lines, (Figure("electronics.png", caption),))


def _night_sky() -> list[Line]:
    """Show what the spectrum of the dark sky gives at some light scales."""
    budget, camera = SiteSettings().light_budget, Camera.magic()
    diffuse = budget.known / budget.focused_share / budget.photocathode_gain
    return [
        shown_only(
            f"sky_{key}",
            f"dark night sky from its spectrum, {text} (phe per ns and pixel)",
            night_sky_rate_pe_per_ns(scale, camera),
            reference="0.12",
            source="MAGIC-I in the dark, arXiv:0907.0973; spectrum of La Palma and 236 m² of mirror",
            digits=3,
        )
        for key, text, scale in (
            ("curves", "published curves alone", 1.0),
            ("known", "with the known factors of MAGIC-I that count for diffuse light", diffuse),
            ("residual", "and with the residual on top", diffuse * budget.residual),
        )
    ]


def _draw(path: Path, files: tuple[Path, Path], rates: dict[int, float]) -> None:
    settings = ReadoutSettings(mode="2012")
    with panels(path, 4, columns=2) as axes:
        for telescope, file in enumerate(files):
            charge, time = real_pedestals(file)
            dark = dark_pixels(charge)
            chain = electronics(with_sky(settings, rates[telescope + 1]))
            made = simulated_pedestals(chain, telescope, 3)
            for colour, kind, (q, t) in (
                (COLOURS[0], "real", (charge[:, dark], time[:, dark])),
                (COLOURS[1], "simulated", made),
            ):
                bright = q > np.median(q)
                for ax, values, edges, label in (
                    (axes[2 * telescope], q, np.linspace(-2.0, 8.0, 51), "charge [phe]"),
                    (axes[2 * telescope + 1], t[bright], np.linspace(0.0, 80.0, 41), "arrival time [samples]"),
                ):
                    ax.hist(
                        values.ravel(), list(edges), density=True, histtype="step", color=colour, lw=1.6, label=kind
                    )
                    ax.set(
                        xlabel=f"M{telescope + 1} {label}",
                        ylabel=f"density [1/{label.split()[-1].strip('[]').removesuffix('s')}]",
                        xlim=(edges[0], edges[-1]),
                    )
                    ax.margins(y=0.25)
