"""Lines and figure of the comparison with CORSIKA's showers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from validation.corsika import GIVEN_HEIGHT, QUANTITIES, Record, compare_corsika, mean_ratio
from validation.drawing import COLOURS, REFERENCE, panels
from validation.lines import Figure, Group, Line, shown_only
from validation.store import Store

__all__ = ["validate"]

_FILES = ("gamma_100gev_1216.eventio", "3_gammas_reuse_5.dat")
_LABELS = {
    "photons": "photons",
    "emission_height_m": "median height of emission",
    "time_spread_ns": "spread of the arrival times",
    "transverse_width_deg": "width of the light across the direction to the core",
    "radial_width_deg": "width of the light along the direction to the core",
}
_ALL_LABELS = {**_LABELS, GIVEN_HEIGHT: "photons, given the height of emission"}
_SOURCE = "CORSIKA 7 photon files of pyeventio's test resources, same start, air, field and band"


def _records(store: Store, path: Path) -> list[Record]:
    number = store.number(400, 30)
    settings = {"file": path.name, "number": number}
    names = ("energy_gev", "first_interaction_m", "corsika", "ours", "spread", "n_ours")

    def make() -> dict[str, np.ndarray]:
        found = compare_corsika(path, number)
        table = np.array([[getattr(r, n) for n in names] for r in found], dtype=np.float64)
        return {
            "table": table,
            "shower": np.array([r.shower for r in found]),
            "quantity": np.array([r.quantity for r in found]),
        }

    kept = store.arrays("corsika", settings, make)
    return [
        Record(str(s), row[0], row[1], str(q), row[2], row[3], row[4], int(row[5]))
        for s, q, row in zip(kept["shower"], kept["quantity"], kept["table"], strict=True)
    ]


def validate(store: Store, figures: Path) -> Group:
    """Judge the means over showers of CORSIKA over ours."""
    folder = None if store.data is None else store.data / "corsika_photons"
    if folder is None or not all((folder / name).is_file() for name in _FILES):
        return Group((), (), "CORSIKA's files are not here")
    records = [r for name in _FILES for r in _records(store, folder / name)]
    lines = []
    for quantity in QUANTITIES:
        ratio, error = mean_ratio(records, quantity)
        n = sum(r.quantity == quantity for r in records)
        label = _LABELS[quantity]
        is_light = quantity == "photons"
        low, high = (
            (max(0.85, 1.0 - 2.0 * error), min(1.15, 1.0 + 2.0 * error))
            if is_light
            else (1.0 - 2.0 * error, 1.0 + 2.0 * error)
        )
        text = "1, within 2 standard deviations" + (" and within 0.85 – 1.15" if is_light else "")
        lines.append(
            Line(
                f"corsika_{quantity}",
                f"{label}, CORSIKA over ours, mean of {n} showers",
                ratio,
                error,
                "",
                low,
                high,
                text,
                _SOURCE,
            )
        )
        z = [abs(r.z) for r in records if r.quantity == quantity]
        if quantity in ("photons", "emission_height_m"):
            lines.append(
                Line(
                    f"corsika_z_{quantity}",
                    f"mean distance of a CORSIKA shower to ours in {label}",
                    float(np.mean(z)),
                    math.nan,
                    "standard deviations",
                    math.nan,
                    1.0,
                    "less than 1",
                    _SOURCE,
                )
            )
    ratio, error = mean_ratio(records, GIVEN_HEIGHT, is_weighted=True)
    lines.append(
        Line(
            "corsika_given_height",
            "photons, CORSIKA over those of our showers that shine from the same height, weighted mean",
            ratio,
            error,
            "",
            max(0.85, 1.0 - 2.0 * error),
            min(1.15, 1.0 + 2.0 * error),
            "1, within 2 standard deviations and within 0.85 – 1.15",
            _SOURCE,
        )
    )
    lines.append(
        shown_only(
            "corsika_photons_weighted",
            "photons, CORSIKA over ours, mean weighted by the scatter of ours",
            mean_ratio(records, "photons", is_weighted=True),
            reference="1",
            source=_SOURCE,
        )
    )
    lines += _single_showers(records)
    _draw(figures / "corsika.png", records)
    caption = (
        "CORSIKA over the mean of ours, shower by shower (in the order of the files); bars: scatter of our showers; "
        "band: mean and its error. Last: beside those of our showers that shine from the same height; mean weighted."
    )
    return Group(lines, (Figure("corsika.png", caption),))


def _single_showers(records: list[Record]) -> list[Line]:
    """Show every quantity of every shower."""
    showers = list(dict.fromkeys(r.shower for r in records))
    return [
        shown_only(
            f"corsika_{r.quantity}_{showers.index(r.shower)}",
            f"{_ALL_LABELS[r.quantity]}, CORSIKA's shower "
            f"{showers.index(r.shower) + 1} of {len(showers)} ({r.energy_gev:.0f} GeV, first interaction at "
            f"{r.first_interaction_m / 1e3:.1f} km) over ours",
            (r.ratio, r.spread / r.ours),
            reference="1",
            source="error: scatter of our showers",
        )
        for r in sorted(records, key=lambda r: showers.index(r.shower))
    ]


def _draw(path: Path, records: list[Record]) -> None:
    with panels(path, len(_ALL_LABELS)) as axes:
        for ax, (quantity, label) in zip(axes, _ALL_LABELS.items(), strict=True):
            mine = [r for r in records if r.quantity == quantity]
            ax.axhline(1.0, color=REFERENCE, lw=0.8)
            ratio, error = mean_ratio(records, quantity, is_weighted=quantity == GIVEN_HEIGHT)
            ax.axhspan(ratio - error, ratio + error, color=COLOURS[0], alpha=0.15, lw=0)
            values, bars = (np.array(v) for v in zip(*((r.ratio, r.spread / r.ours) for r in mine), strict=True))
            ax.errorbar(range(len(mine)), values, bars, fmt="o", color=COLOURS[0])
            ax.set_xticks(range(len(mine)), [f"{r.energy_gev:.0f} GeV" for r in mine])
            ax.set(
                ylabel="CORSIKA / ours",
                title=label,
                xlim=(-0.5, len(mine) - 0.5),
                ylim=(min(0.0, 1.05 * float((values - bars).min())), max(2.0, 1.05 * float((values + bars).max()))),
            )
