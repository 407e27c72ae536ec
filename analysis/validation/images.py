"""Images of gammas: size per energy, and width, length, distance and time gradient against the impact."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from validation.drawing import COLOURS, REFERENCE, panels
from validation.lines import Figure, Group, Line, shown_only
from validation.samples import gammas_at_20_deg, towards_source
from validation.store import Store

__all__ = ["validate"]

Floats = NDArray[np.float64]

_SLICES_GEV = ((70.0, 140.0), (200.0, 400.0), (700.0, 1400.0))
_IMPACT_EDGES_M = np.array([0.0, 40.0, 70.0, 100.0, 130.0, 160.0, 200.0, 250.0, 300.0])
_CUSTOMARY = "customary range, no source read"
_QUANTITIES = (
    ("size", "size per energy [phe/TeV]"),
    ("width", "width [deg]"),
    ("length", "length [deg]"),
    ("dist", "distance to the source [deg]"),
    ("gradient", "time gradient [ns/deg]"),
)


def _images(store: Store) -> dict[str, Floats]:
    """One row per image of the gammas at zenith 20 deg."""
    parts: list[dict[str, Floats]] = []
    for sample in gammas_at_20_deg(store):
        f = sample.features
        dist, sign = towards_source(f)
        energy = np.repeat(f["true_energy_gev"][:, None], 2, axis=1)
        shower = np.repeat(f["shower_id"][:, None], 2, axis=1)
        part = {
            "energy": energy,
            "impact": f["true_impact_m"],
            "size": f["size_pe"],
            "true_pe": f["true_pe"],
            "width": f["width_deg"],
            "length": f["length_deg"],
            "dist": dist,
            "leakage": f["leakage2"],
            "gradient": sign * f["time_slope_ns_per_deg"],
            "shower": shower,
        }
        parts.append({k: np.asarray(v, dtype=np.float64).ravel() for k, v in part.items()})
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}


def _median(values: Floats) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if len(values) < 5:
        return math.nan, math.nan
    generator = np.random.default_rng(0)
    again = [np.median(values[generator.integers(len(values), size=len(values))]) for _ in range(100)]
    return float(np.median(values)), float(np.std(again))


def validate(store: Store, figures: Path) -> Group:
    """Judge images."""
    image = _images(store)
    lines = []
    for low, high, energy in ((90.0, 110.0, 100.0), (900.0, 1100.0, 1000.0)):
        near = (image["energy"] > low) & (image["energy"] < high)
        inside = near & (image["impact"] < 120.0)
        hump = near & (image["impact"] > 100.0) & (image["impact"] < 130.0)
        label = f"triggered gammas of {low:g} to {high:g} GeV"
        lines += [
            shown_only(
                f"size_{energy:g}",
                f"median size of the cleaned image, {label}, impact below 120 m",
                _median(image["size"][inside]),
                "phe",
                *(("about 100 phe at 60 to 100 GeV", _CUSTOMARY) if energy == 100.0 else ("–", "for information")),
                digits=0,
            ),
            shown_only(
                f"light_{energy:g}",
                f"median photoelectrons per GeV in the camera, {label}, impact 100 to 130 m",
                _median(image["true_pe"][hump] / image["energy"][hump]),
                "1/GeV",
                "about 3, from CORSIKA photons and published curves without losses",
                "estimate to an order of magnitude",
            ),
        ]
    bright = (image["size"] > 100.0) & (image["size"] < 1000.0) & (image["leakage"] < 0.1)
    for name, low, high in (("width", 0.06, 0.12), ("length", 0.15, 0.35)):
        lines.append(
            shown_only(
                name,
                f"median {name}, size 100 to 1000 phe, leakage below 0.1",
                _median(image[name][bright]),
                "deg",
                f"{low:g} – {high:g} deg",
                _CUSTOMARY,
                digits=3,
            )
        )
    ring = bright & (image["impact"] > 50.0) & (image["impact"] < 200.0)
    lines.append(
        shown_only(
            "dist",
            "median distance of the image to the source, the same images, impact 50 to 200 m",
            _median(image["dist"][ring]),
            "deg",
            "0.4 – 1.2 deg",
            _CUSTOMARY,
        )
    )
    lines += _gradients(image, bright)
    _draw(figures / "images.png", image)
    caption = (
        "Gammas at zenith 20 deg, median of images with size above 50 phe and leakage below 0.1 against the impact; "
        "bars: error of the median."
    )
    return Group(lines, (Figure("images.png", caption),))


def _gradients(image: dict[str, Floats], chosen: NDArray[np.bool_]) -> list[Line]:
    """Time gradient near and far, and its straight line against the impact."""
    near = chosen & (image["impact"] < 60.0)
    far = chosen & (image["impact"] > 120.0) & (image["impact"] < 200.0)
    usable = chosen & (image["impact"] < 200.0) & np.isfinite(image["gradient"])
    x, y = image["impact"][usable], image["gradient"][usable]
    generator = np.random.default_rng(0)
    slopes = [np.polyfit(x[i], y[i], 1)[0] for i in (generator.integers(len(x), size=len(x)) for _ in range(100))]
    source = "customary, after E. Aliu et al., Astropart. Phys. 30 (2009) 293, which was not read"
    near_far = "negative at small impact, positive beyond 60 to 100 m"
    return [
        shown_only(
            "gradient_near",
            "median time gradient away from the source, impact below 60 m",
            _median(image["gradient"][near]),
            "ns/deg",
            near_far,
            source,
        ),
        shown_only(
            "gradient_far", "the same, impact 120 to 200 m", _median(image["gradient"][far]), "ns/deg", near_far, source
        ),
        shown_only(
            "gradient_growth",
            "growth of the time gradient with the impact, up to 200 m, per 100 m",
            (100.0 * float(np.polyfit(x, y, 1)[0]), 100.0 * float(np.std(slopes))),
            "ns/deg",
            "positive",
            source,
        ),
    ]


def _draw(path: Path, image: dict[str, Floats]) -> None:
    centre = 0.5 * (_IMPACT_EDGES_M[1:] + _IMPACT_EDGES_M[:-1])
    good = (image["size"] > 50.0) & (image["leakage"] < 0.1)
    with panels(path, 6) as axes:
        for ax, (name, label) in zip(axes, _QUANTITIES, strict=False):
            for colour, (low, high) in zip(COLOURS, _SLICES_GEV, strict=False):
                kept = good & (image["energy"] > low) & (image["energy"] < high)
                values: Any = image[name] / image["energy"] * 1e3 if name == "size" else image[name]
                bins = np.digitize(image["impact"], _IMPACT_EDGES_M) - 1
                found = np.array([_median(values[kept & (bins == k)]) for k in range(len(centre))])
                ax.errorbar(
                    centre, found[:, 0], found[:, 1], fmt="o-", ms=3, color=colour, label=f"{low:g} – {high:g} GeV"
                )
            lowest = None if name == "gradient" else 0.0
            ax.set(xlabel="impact [m]", ylabel=label, xlim=(0.0, 300.0), ylim=(lowest, None))
            if ax is not axes[0]:
                ax.legend([], [])
        axes[4].axhline(0.0, color=REFERENCE, lw=0.8)
        sizes = axes[5]
        edges = np.geomspace(30.0, 14_000.0, 16)
        which = image["impact"] < 120.0
        bins = np.digitize(image["energy"], edges) - 1
        middle = np.sqrt(edges[1:] * edges[:-1])
        for colour, (name, label) in zip(
            COLOURS, (("true_pe", "in the camera"), ("size", "cleaned image")), strict=False
        ):
            found = np.array([_median(image[name][which & (bins == k)]) for k in range(len(middle))])
            sizes.errorbar(middle, found[:, 0], found[:, 1], fmt="o-", ms=3, color=colour, label=label)
        sizes.set(xlabel="true energy [GeV]", ylabel="photoelectrons [phe], impact < 120 m", xscale="log", yscale="log")
