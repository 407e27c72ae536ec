"""Lines and figure of the comparison with showers of Geant4."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from validation.cascade import GEANT4_DENSITY_PER_M2, CascadeCheck, cascade_checks
from validation.drawing import COLOURS, REFERENCE, panels
from validation.lines import Figure, Group, Line
from validation.store import Arrays, Store

__all__ = ["validate"]

_NUMBERS = ("value", "error", "reference", "low", "high")
_TEXTS = ("name", "unit", "source")
_LIGHT = "photons, 100 GeV at "
_OTHERS = ("photon attenuation, 20 MeV", "energy accounted for, 100 GeV")


def _checks(store: Store) -> list[CascadeCheck]:
    numbers = store.number(400, 40), store.number(100, 20)

    def make() -> Arrays:
        found = [check for check in cascade_checks(*numbers) if "Geant4" in check.source or check.name in _OTHERS]
        table = np.array([[getattr(check, n) for n in _NUMBERS] for check in found], dtype=np.float64)
        return {"table": table, **{n: np.array([getattr(check, n) for check in found]) for n in _TEXTS}}

    kept = store.arrays("geant4", {"numbers": numbers, "others": _OTHERS}, make)
    texts = zip(*(map(str, kept[n]) for n in _TEXTS), strict=True)
    return [
        CascadeCheck(name, unit, value, error, reference, low, high, source)
        for (name, unit, source), (value, error, reference, low, high) in zip(
            texts, kept["table"].tolist(), strict=True
        )
    ]


def validate(store: Store, figures: Path) -> Group:
    """Judge tracks and light of vertical gammas of 100 GeV."""
    checks = _checks(store)
    lines = []
    for check in checks:
        digits = 0 if check.reference > 1000.0 else 5 if check.reference < 1.0 else 1
        unit = check.unit.replace("m2", "m²")
        accepted = f"{check.reference:g} {unit}".rstrip()
        lines.append(
            Line(
                "geant4_" + re.sub(r"\W+", "_", check.name.lower()),
                check.name,
                check.value,
                check.error or math.nan,
                unit,
                check.low,
                check.high,
                accepted,
                check.source,
                digits=digits,
            )
        )
    light = [check for check in checks if check.name.startswith(_LIGHT)]
    radius = [float(check.name.removeprefix(_LIGHT).split()[0]) for check in light]
    with panels(figures / "geant4.png", 1) as (ax,):
        theirs = np.array([GEANT4_DENSITY_PER_M2[r] for r in radius])
        ax.errorbar(radius, theirs[:, 0], theirs[:, 1], fmt="x", ms=7, color=REFERENCE, label="Geant4")
        ax.errorbar(
            radius, [c.value for c in light], [c.error for c in light], fmt="o", ms=4, color=COLOURS[0], label="ours"
        )
        ax.set(xlabel="distance to the core [m]", ylabel="photons per m²", xlim=(70.0, 200.0), ylim=(0.0, None))
    caption = "Light of vertical gammas of 100 GeV without magnetic field; bars: error of the mean."
    return Group(lines, (Figure("geant4.png", caption),))
