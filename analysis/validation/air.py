"""Air and the interactions of photons and electrons: closed values and first interactions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from magicnn.array import TELESCOPES_M
from magicnn.simulation.atmosphere import load_atmosphere
from magicnn.simulation.collisions import collision_loss_mev_cm2_g
from magicnn.simulation.electromagnetic import pair_cross_section_cm2_g
from magicnn.simulation.showers import environment, simulate_shower
from validation.drawing import COLOURS, REFERENCE, panels
from validation.extinction import extinction_differences
from validation.lines import Figure, Group, Line, shown_only, within
from validation.store import Arrays, Store

__all__ = ["validate"]

_OBSERVATION_M = 2200.0
_ELECTRON_MEV, _MUON_MEV = 0.51099895, 105.6583755
_PROFILE = "MAGIC-winter profile, CORSIKA model 8 (atmprof8.dat in pyeventio)"
# Height (km), Cherenkov angle (deg), ring radius at 2.2 km (m), from the same table by its own interpolation.
_RINGS = (
    (5, 1.06, 52),
    (8, 0.90, 91),
    (10, 0.80, 109),
    (12, 0.71, 121),
    (14, 0.62, 127),
    (16, 0.53, 127),
    (20, 0.38, 117),
)
# Kinetic energy (MeV), collision stopping power of dry air (MeV cm2/g).
_ESTAR = ((1.0, 1.661), (10.0, 1.979), (20.0, 2.134), (100.0, 2.427), (1000.0, 2.685))
_RADIATION_LENGTH = 36.66
_DENSITY_SEA_LEVEL = 1.2048e-3


def first_interactions(store: Store, energy_gev: float, number: int) -> Arrays:
    """Depth of the first interaction (g/cm2) and energy accounted for over energy, of vertical gammas."""
    surroundings = environment(light_scale=1.0, mode="photons")

    def one(i: int) -> Arrays:
        _, truth = simulate_shower(
            "gamma", energy_gev, 0.0, 0.0, [[4000.0, 0.0]], [0.0], [0.0], TELESCOPES_M, surroundings, [11, i]
        )
        total = truth.energy_lost_gev + truth.energy_dropped_gev + truth.energy_ground_gev
        depth = surroundings.atmosphere.depth_g_cm2(truth.first_interaction_height_m)
        return {"depth": np.array(depth), "kept": np.array(total / energy_gev)}

    return store.showers("first_interactions", {"energy_gev": energy_gev}, number, one, per_file=500)


def validate(store: Store, figures: Path) -> Group:
    """Judge depth, angles, thresholds, pair production, energy loss, and energy conservation."""
    air = load_atmosphere()
    refractivity = float(air.refractivity(_OBSERVATION_M))
    lines = [
        Line(
            "depth",
            "depth of the air at 2200 m",
            float(air.depth_g_cm2(_OBSERVATION_M)),
            math.nan,
            "g/cm²",
            *within(812.0, 0.01),
            "812 g/cm² (1 %)",
            _PROFILE,
            digits=1,
        ),
        Line(
            "angle",
            "Cherenkov angle at 2200 m",
            float(air.cherenkov_angle_deg(_OBSERVATION_M)),
            math.nan,
            "deg",
            *within(1.22, 0.01),
            "1.22 deg (1 %)",
            _PROFILE,
            digits=3,
        ),
        Line(
            "threshold_electron",
            "Cherenkov threshold of electrons at 2200 m",
            float(air.cherenkov_threshold_mev(_OBSERVATION_M, _ELECTRON_MEV)),
            math.nan,
            "MeV",
            *within(24.0, 0.01),
            "24 MeV (1 %)",
            _PROFILE,
            digits=2,
        ),
        Line(
            "threshold_muon",
            "Cherenkov threshold of muons at 2200 m",
            float(air.cherenkov_threshold_mev(_OBSERVATION_M, _MUON_MEV)) / 1e3,
            math.nan,
            "GeV",
            *within(5.0, 0.01),
            "5.0 GeV (1 %)",
            _PROFILE,
            digits=3,
        ),
    ]
    height = 1e3 * np.array([row[0] for row in _RINGS], dtype=np.float64)
    worst = np.abs(air.cherenkov_angle_deg(height) - [row[1] for row in _RINGS]).max()
    radius = (height - _OBSERVATION_M) * np.tan(np.radians(air.cherenkov_angle_deg(height)))
    lines += [
        Line(
            "angle_aloft",
            "Cherenkov angle from 5 to 20 km, greatest difference",
            float(worst),
            math.nan,
            "deg",
            math.nan,
            0.01,
            "table of 7 heights, two decimals",
            _PROFILE,
            digits=4,
        ),
        Line(
            "rings",
            "ring radius on the ground for emission from 5 to 20 km, greatest difference",
            float(np.abs(radius - [row[2] for row in _RINGS]).max()),
            math.nan,
            "m",
            math.nan,
            1.5,
            "table of 7 heights, whole metres",
            _PROFILE,
            digits=2,
        ),
    ]
    mean_free_path = 1.0 / pair_cross_section_cm2_g(1e6)
    lines += [
        Line(
            "pair_path",
            "mean free path of pair production at 1 TeV",
            mean_free_path,
            math.nan,
            "g/cm²",
            46.3,
            47.7,
            "47.0 ± 0.7 g/cm²",
            "9/7 of the radiation length of dry air, particle data group",
            digits=2,
        ),
        Line(
            "radiation_length",
            "radiation length implied by that mean free path",
            7.0 / 9.0 * mean_free_path,
            math.nan,
            "g/cm²",
            *within(_RADIATION_LENGTH, 0.015),
            "36.66 g/cm² (1.5 %)",
            "dry air, particle data group",
            digits=2,
        ),
    ]
    made = first_interactions(store, 20.0, store.number(6000, 400))
    depth = made["depth"][np.isfinite(made["depth"])]
    lines.append(
        Line(
            "first_interaction",
            f"mean depth of the first interaction of {len(depth)} vertical gammas of 20 GeV",
            float(depth.mean()),
            float(depth.std() / np.sqrt(len(depth))),
            "g/cm²",
            1.0 / pair_cross_section_cm2_g(2e4) - 2.0,
            1.0 / pair_cross_section_cm2_g(2e4) + 2.0,
            "the cross section above, at 20 GeV, ± 2 g/cm²",
            "Bethe and Heitler; the sampling is tested",
            digits=1,
        )
    )
    ratio = [float(collision_loss_mev_cm2_g(t + _ELECTRON_MEV, _DENSITY_SEA_LEVEL)) / nist for t, nist in _ESTAR]
    for (kinetic, nist), value in zip(_ESTAR, ratio, strict=True):
        if kinetic >= 20.0:
            lines.append(
                Line(
                    f"loss_{kinetic:g}",
                    f"collision loss of electrons of {kinetic:g} MeV over NIST's",
                    value,
                    math.nan,
                    "",
                    0.97,
                    1.03,
                    f"{nist:g} MeV cm²/g (3 %)",
                    "NIST ESTAR, dry air",
                    digits=4,
                )
            )
    kept = made["kept"]
    lines.append(
        Line(
            "energy_conservation",
            f"energy found in {len(kept)} electromagnetic showers of 20 GeV, over the primary's",
            float(kept.mean()),
            float(kept.std() / np.sqrt(len(kept))),
            "",
            0.99,
            1.01,
            "1 (1 %)",
            "conservation of energy; photonuclear interactions leave this book",
            digits=4,
        )
    )
    _draw(figures / "air.png", depth, ratio)
    caption = (
        "Left: ring radius on the ground against the height of emission, points from the profile's table. Middle: "
        "depth of the first interaction and the exponential of the cross section. Right: collision loss over NIST's."
    )
    lines.append(
        Line(
            "refractivity",
            "n − 1 at 2200 m",
            refractivity * 1e4,
            math.nan,
            "10⁻⁴",
            *within(2.25, 0.01),
            "2.25 (1 %)",
            _PROFILE,
            digits=3,
        )
    )
    table = None if store.data is None else store.data / "simulation_inputs" / "extinction.npz"
    has_table = table is not None and table.is_file()
    if table is not None and has_table:
        lines += [
            shown_only(
                f"extinction_{height / 1e3:g}_{zenith:g}",
                f"detected yield of light from {height / 1e3:g} km at zenith {zenith:g} deg, more than with CORSIKA's "
                "extinction",
                percent,
                "%",
                source="CORSIKA's table, as in the package CHASM",
                digits=1,
            )
            for height, zenith, _, _, percent in extinction_differences(table)
        ]
    return Group(lines, (Figure("air.png", caption),), "" if has_table else "CORSIKA's extinction is not here")


def _draw(path: Path, depth: np.ndarray, ratio: list[float]) -> None:
    air = load_atmosphere()
    with panels(path, 3) as (rings, first, loss):
        height = np.linspace(2300.0, 25_000.0, 200)
        rings.plot(
            height / 1e3,
            (height - _OBSERVATION_M) * np.tan(np.radians(air.cherenkov_angle_deg(height))),
            color=COLOURS[0],
            label="ours",
        )
        rings.plot([r[0] for r in _RINGS], [r[2] for r in _RINGS], "x", color=REFERENCE, label="table")
        rings.set(xlabel="height of emission [km]", ylabel="ring radius at 2200 m [m]")
        edges = np.linspace(0.0, 250.0, 26)
        count, _ = np.histogram(depth, edges)
        first.errorbar(
            0.5 * (edges[1:] + edges[:-1]), count, np.sqrt(count), fmt="o", ms=3, color=COLOURS[0], label="simulated"
        )
        path_g = 1.0 / pair_cross_section_cm2_g(2e4)
        first.plot(
            edges,
            len(depth) * np.diff(edges)[0] / path_g * np.exp(-edges / path_g),
            color=REFERENCE,
            label="cross section",
        )
        first.set(xlabel="depth of the first interaction [g/cm²]", ylabel="showers", yscale="log")
        loss.axhspan(0.97, 1.03, color=REFERENCE, alpha=0.15, lw=0, label="accepted")
        loss.plot([t for t, _ in _ESTAR], ratio, "o", color=COLOURS[0])
        loss.set(xlabel="kinetic energy [MeV]", ylabel="collision loss / NIST", xscale="log", ylim=(0.95, 1.05))
