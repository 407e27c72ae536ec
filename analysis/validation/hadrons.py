"""Single interactions of hadrons: where their energy goes, its conservation, and cross sections."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.hadron_library import HadronLibrary, load_hadron_library
from magicnn.simulation.hadronic import interaction_length_g_cm2, sample_products
from magicnn.simulation.particles import KAON_LONG, MASS_MEV, PHOTON, PION_MINUS, PION_PLUS, PROTON
from magicnn.simulation.random_numbers import random_state
from validation.drawing import COLOURS, panels
from validation.lines import Figure, Group, Line, shown_only, within
from validation.store import Arrays, Store

__all__ = ["energy_shares", "library_sums", "validate"]

_NAMES = {PROTON: "proton", PION_PLUS: "π⁺"}
_KEYS = {PROTON: "proton", PION_PLUS: "pion"}
_ENERGIES_GEV = (5.0, 10.0, 25.0)
_DRAWN_GEV = (2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 25.0, 40.0, 60.0, 100.0, 300.0, 1000.0)
_PARTS = ("photons", "mesons", "nucleons")
_LABELS = {
    "photons": "photons and neutral pions",
    "mesons": "pions and kaons above 300 MeV",
    "nucleons": "nucleons above 300 MeV",
}
# g/cm2 in dry air
_LENGTHS = {PROTON: 90.1, PION_PLUS: 122.0}
_LENGTH_NAMES = {PROTON: "nuclear interaction length", PION_PLUS: "pion interaction length"}
_KINDS = "both charged pions, both charged kaons, long-lived kaons, protons and neutrons"


def _available_mev(species: int, energy_mev: float) -> float:
    """Energy that shares refer to: kinetic for nucleons, total for mesons."""
    return float(energy_mev - (MASS_MEV[species] if species >= PROTON else 0.0))


def energy_shares(species: int, energy_gev: float, number: int, seed: int = 41) -> NDArray[np.float64]:
    """Shares of the energy that go into photons, mesons and nucleons in single interactions.

    Parameters
    ----------
    species : int
        Of the projectile.
    energy_gev : float
        Its total energy.
    number : int
        Interactions.
    seed : int

    Returns
    -------
    float64 array, [number, 3]
        Neutral pions have decayed; particles below the cuts of the simulation are in none of them.
    """
    library, state = load_hadron_library(), random_state((seed, species, round(10.0 * energy_gev)))
    out = np.zeros((number, 3))
    for row in out:
        products = sample_products(species, 1e3 * energy_gev, library, state)
        kind, energy = products[:, 0].astype(np.int64), products[:, 1]
        is_meson = (kind >= PION_MINUS) & (kind <= KAON_LONG)
        is_nucleon = kind >= PROTON
        row[:] = (
            energy[kind == PHOTON].sum(),
            energy[is_meson].sum(),
            (energy - MASS_MEV[kind])[is_nucleon].sum(),
        )
    return out / _available_mev(species, 1e3 * energy_gev)


def library_sums() -> NDArray[np.float64]:
    """Mean sum of the shares of an event, with those of products that are not stored, [7 projectiles, energies]."""
    library = load_hadron_library()
    with np.load(str(resources.files("magicnn.simulation") / "tables" / "hadron_library.npz")) as file:
        dropped = file["dropped"].astype(np.float64)
    # An event may be empty, so sums come from the running total.
    total = np.concatenate([[0.0], np.cumsum(library.x, dtype=np.float64)])
    sums = np.diff(total[library.first]) + dropped
    return np.array(
        [
            sums[start : start + library.n_energies * number].reshape(library.n_energies, number).mean(axis=1)
            for start, number in zip(library.first_event, library.n_events, strict=True)
        ]
    )


def _shares(store: Store, species: int, energies_gev: tuple[float, ...], at_scale_one: int) -> dict[float, Arrays]:
    number = store.number(at_scale_one, 200)
    found = {}
    for energy in energies_gev:
        settings = {"species": species, "energy_gev": energy, "number": number}

        def make(energy: float = energy) -> Arrays:
            rows = energy_shares(species, energy, number)
            return {"mean": rows.mean(axis=0), "error": rows.std(axis=0) / math.sqrt(number)}

        found[energy] = store.arrays("hadrons", settings, make)
    return found


def validate(store: Store, figures: Path) -> Group:
    """Show where the energy goes; judge its conservation and the cross sections."""
    library = load_hadron_library()
    sums = library_sums()
    lines = []
    for word, value in (("smallest", float(sums.min())), ("largest", float(sums.max()))):
        lines.append(
            Line(
                f"hadron_energy_{word}",
                f"{word} mean sum of the energy shares of all products, of {sums.shape[0]} projectiles and "
                f"{sums.shape[1]} energies",
                value,
                math.nan,
                "",
                *within(1.0, 0.03),
                "1 (3 %)",
                "conservation of energy",
                digits=4,
            )
        )
    lowest_mev = math.exp(library.log_energy_min)
    for species, name in _NAMES.items():
        lines.append(
            shown_only(
                f"hadron_missing_{_KEYS[species]}",
                f"mean energy missing in interactions of a {name} of {lowest_mev / 1e3:.1f} GeV, the lowest energy",
                float(1.0 - sums[species - PION_MINUS, 0]) * _available_mev(species, lowest_mev),
                "MeV",
                "8 MeV",
                "energy that binds a nucleon in nitrogen and oxygen, for each that is set free",
                digits=0,
            )
        )
    for species, name in _NAMES.items():
        for energy in (10.0, 100.0):
            lines.append(
                Line(
                    f"hadron_length_{_KEYS[species]}_{energy:g}",
                    f"mean path of a {name} of {energy:g} GeV between interactions",
                    interaction_length_g_cm2(species, 1e3 * energy, library),
                    math.nan,
                    "g/cm²",
                    *within(_LENGTHS[species], 0.10),
                    f"{_LENGTHS[species]:g} g/cm² (10 %)",
                    f"{_LENGTH_NAMES[species]} of dry air, Particle Data Group",
                    digits=1,
                )
            )
    shares = {species: _shares(store, species, _ENERGIES_GEV, 4000) for species in _NAMES}
    for species, name in _NAMES.items():
        for energy, found in shares[species].items():
            for k, part in enumerate(_PARTS):
                lines.append(
                    shown_only(
                        f"hadron_{part}_{_KEYS[species]}_{energy:g}",
                        f"share of the energy in {_LABELS[part]}, {name} of {energy:g} GeV on air",
                        (float(found["mean"][k]), float(found["error"][k])),
                        source="where the energy of an interaction goes",
                        digits=3,
                    )
                )
    _draw(figures / "hadrons.png", {s: _shares(store, s, _DRAWN_GEV, 1000) for s in _NAMES}, sums, library)
    caption = (
        "Left and middle: mean shares of the energy of a proton and of a π⁺ in single interactions on air, particles "
        f"below the cuts left out. Right: mean sum of the shares of all products of the library's events, for {_KINDS}."
    )
    return Group(lines, (Figure("hadrons.png", caption),))


def _draw(
    path: Path, shares: dict[int, dict[float, Arrays]], sums: NDArray[np.float64], library: HadronLibrary
) -> None:
    with panels(path, 3) as axes:
        for ax, (species, found) in zip(axes, shares.items(), strict=False):
            energy = list(found)
            for k, (colour, part) in enumerate(zip(COLOURS, _PARTS, strict=False)):
                mean = np.array([m["mean"][k] for m in found.values()])
                error = np.array([m["error"][k] for m in found.values()])
                ax.errorbar(energy, mean, error, fmt="o-", ms=3, color=colour, label=_LABELS[part])
            ax.set(
                xlabel=f"energy of the {_NAMES[species]} [GeV]",
                ylabel="mean share of the energy",
                xscale="log",
                ylim=(0.0, 1.0),
            )
        grid = np.exp(library.log_energy_min + library.log_energy_step * np.arange(library.n_energies)) / 1e3
        axes[2].axhspan(0.97, 1.03, color=COLOURS[0], alpha=0.12, label="accepted")
        for row in sums:
            axes[2].plot(grid, row, "o-", ms=3, lw=0.8, color=COLOURS[0], alpha=0.7)
        axes[2].set(
            xlabel="energy of the projectile [GeV]",
            ylabel="sum of the energy shares",
            xscale="log",
            ylim=(0.95, 1.05),
        )
