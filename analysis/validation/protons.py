"""Light of protons beside that of gammas of the same energy."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from validation.drawing import COLOURS, panels
from validation.light import RADII_M, Floats, light_pool, relative_error, resampled
from validation.lines import Figure, Group, Line, shown_only
from validation.store import Arrays, Store

__all__ = ["validate"]

# Energy (GeV): numbers of gammas and of protons.
_SHOWERS = {100.0: (800, 800), 300.0: (200, 600), 1000.0: (100, 400), 10000.0: (10, 30)}
_REACH_M = 200.0
_JUDGED = (300.0, 1000.0)


def _within_reach(made: Arrays) -> Floats:
    """Mean density of the disc of 200 m in each shower."""
    inner = RADII_M <= _REACH_M
    return np.asarray(made["density"][:, inner] @ RADII_M[inner] / RADII_M[inner].sum())


def _named(energy_gev: float) -> str:
    return f"{energy_gev:g} GeV" if energy_gev < 1e3 else f"{energy_gev / 1e3:g} TeV"


def validate(store: Store, figures: Path) -> Group:
    """Show light, fluctuations and muons of protons."""
    lines, ratios = [], {}
    protons: dict[float, Arrays] = {}
    for energy, (n_gammas, n_protons) in _SHOWERS.items():
        gammas = _within_reach(light_pool(store, "gamma", energy, store.number(n_gammas, 4)))
        protons[energy] = light_pool(store, "proton", energy, store.number(n_protons, 6))
        light = _within_reach(protons[energy])
        ratio = float(light.mean() / gammas.mean())
        error = ratio * math.hypot(relative_error(light), relative_error(gammas))
        ratios[energy] = ratio, error
        is_tev = energy == 1000.0
        lines.append(
            shown_only(
                f"proton_ratio_{energy:g}",
                f"light within 200 m of {len(light)} protons of {_named(energy)} over that of gammas of that energy",
                ratios[energy],
                reference="1/3 – 1/2" if is_tev else "–",
                source="customary range, no source read" if is_tev else "for the figure",
                digits=3,
            )
        )
    for energy, made in protons.items():
        light = _within_reach(made)
        spread = resampled(light, lambda v: v.std() / v.mean())
        quantity = f"spread of the light of protons of {_named(energy)} over its mean"
        if energy in _JUDGED:
            lines.append(
                Line(
                    f"proton_spread_{energy:g}",
                    quantity,
                    *spread,
                    "",
                    0.4,
                    math.nan,
                    "at least 0.4",
                    "first version of this simulation: 0.64 at 1 TeV",
                )
            )
        else:
            lines.append(shown_only(f"proton_spread_{energy:g}", quantity, spread, source="for the figure"))
    for energy in (1000.0, 10000.0):
        muons = protons[energy]["muons"]
        lines.append(
            shown_only(
                f"proton_muons_{energy:g}",
                f"muons that reach the ground, of a proton of {_named(energy)}",
                (float(muons.mean()), float(muons.std() / math.sqrt(len(muons)))),
                source="for information",
                digits=1,
            )
        )
    _draw(figures / "protons.png", ratios, protons)
    caption = (
        "Left: light within 200 m of protons over that of gammas of the same energy. Right: that light, shower by "
        "shower, over its mean."
    )
    return Group(lines, (Figure("protons.png", caption),))


def _draw(path: Path, ratios: dict[float, tuple[float, float]], protons: dict[float, Arrays]) -> None:
    with panels(path, 2) as (ratio, spread):
        values = np.array(list(ratios.values()))
        ratio.errorbar(list(ratios), values[:, 0], values[:, 1], fmt="o-", ms=4, color=COLOURS[0])
        ratio.set(xlabel="energy [GeV]", ylabel="light of protons / of gammas", xscale="log", ylim=(0.0, None))
        for colour, (energy, made) in zip(COLOURS, protons.items(), strict=False):
            light = _within_reach(made)
            shown = np.clip(light / light.mean(), 0.0, 4.0)
            edges = list(np.linspace(0.0, 4.0, 25))
            spread.hist(shown, edges, density=True, histtype="step", color=colour, lw=1.6, label=_named(energy))
        spread.set(xlabel="light / mean light (last bin: and more)", ylabel="density of showers", xlim=(0.0, 4.0))
