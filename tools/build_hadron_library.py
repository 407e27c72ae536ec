"""Build the library of hadronic interactions that `magicnn.simulation.hadron_library` reads.

Usage, in an environment of its own (the package itself never needs the generator)::

    pip install -r tools/requirements-hadron-library.txt
    python tools/build_hadron_library.py magicnn/simulation/tables/hadron_library.npz

The same seed, version of chromo and options give the same file, byte for byte. It takes about a minute.

Each event is an interaction of a hadron of fixed energy with a nucleus of air (78.5 % nitrogen, 21.5 % oxygen) in
SIBYLL 2.3d. Stored of each product: the species, its share x of the energy, its transverse momentum and its azimuth.
The energy that is shared is the kinetic energy of a baryon as projectile and the total energy of a meson; a product
takes of it its kinetic energy as a baryon, its kinetic energy and twice the rest energy as an antibaryon, its total
energy otherwise. With the nucleons of the target at rest the shares of an event add up to one. Products that can make
no light any more (see ``KINETIC_CUT_GEV``) are left out, and the sum of their shares is kept.

The file also holds the production cross sections on air, those of helium, and how many nucleons of a helium nucleus
take part in an interaction.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROJECTILES = {"pi-": -211, "pi+": 211, "K-": -321, "K+": 321, "K0L": 130, "p": 2212, "n": 2112}
"""In the order of the package's species, which is that of the rows of every table in the file."""
EVENTS = {"pi-": 500, "pi+": 500, "K-": 250, "K+": 250, "K0L": 250, "p": 900, "n": 450}
ENERGY_MIN_GEV, ENERGY_MAX_GEV, N_ENERGIES = 60.0, 1.0e5, 11
SPECIES = {22: 0, 11: 1, -11: 2, 13: 3, -13: 4, -211: 5, 211: 6, -321: 7, 321: 8, 130: 9, 2212: 10, 2112: 11, 111: 13}
"""Particle numbers of the Particle Data Group to the species of `magicnn.simulation.particles`.

Everything else decays in the generator: short-lived kaons, hyperons, eta, charm."""
ANTINUCLEONS = {-2212: -10, -2112: -11}
SIBYLL_NUCLEONS = {2212: 13, 2112: 14}
NEUTRINOS = (12, 14, 16)
KINETIC_CUT_GEV = 0.12
"""Below this hadrons and electrons are left out; used up to 2.1 times their energy, they stay below 300 MeV."""
PHOTON_CUT_GEV = 0.01
X_STEP = math.log(1e8) / 65535
"""x = exp(-X_STEP * stored): from 1 to 1e-8 in steps of 0.03 %."""
NUCLEON_GEV = 0.93892
PION_ZERO_GEV = 0.1349768
AIR = (("N14", 0.785), ("O16", 0.215))
LOW_ENERGY_GEV = 20.0
LOW_ENERGY_MB = {"pi-": 194.0, "pi+": 194.0, "K-": 160.0, "K+": 160.0, "K0L": 160.0, "p": 256.0, "n": 256.0}
"""Cross sections on air held below 20 GeV: middle of what low-energy models of air showers take as flat, 250 to 263
(nucleons), 190 to 199 (pions) and 150 to 170 mb (kaons); from there to SIBYLL's first energy the logarithm of the
energy leads over."""
HELIUM_TRIALS = 20_000

Table = dict[str, NDArray[Any]]


def energies_gev() -> NDArray[np.float64]:
    """Give the total energies (GeV) of the projectiles, evenly spaced in the logarithm."""
    return np.round(np.geomspace(ENERGY_MIN_GEV, ENERGY_MAX_GEV, N_ENERGIES), 3)


def _generator(seed: int) -> Any:
    """Start SIBYLL with the decays that the library wants; a process can hold only one.

    chromo 0.11 takes nucleons for nuclei, and SIBYLL's nucleus of one nucleon is a proton: a neutron as projectile
    silently becomes one. Nucleons are therefore handed to SIBYLL by its own numbers.
    """
    from chromo.kinematics import FixedTarget
    from chromo.models import Sibyll23d

    class Sibyll(Sibyll23d):  # type: ignore[misc]
        def _generate(self) -> bool:
            number = SIBYLL_NUCLEONS.get(int(self.kinematics.p1))
            if number is None:
                return bool(super()._generate())
            self._lib.sibyll(number, self.kinematics.p2.A, self.kinematics.ecm)
            self._lib.decsib()
            self._lib.sibhep()
            return True

    generator = Sibyll(FixedTarget(100.0, "p", _air()), seed=seed)
    stable = [pdg for pdg in (*SPECIES, *ANTINUCLEONS) if pdg != 22]
    generator.final_state_particles = stable
    return generator


def _air() -> Any:
    from chromo.kinematics import CompositeTarget

    return CompositeTarget(list(AIR))


def shares(
    pid: NDArray[np.int64], energy: NDArray[np.float64], mass: NDArray[np.float64], available_gev: float
) -> NDArray[np.float64]:
    """Give the share of each product in the energy of the projectile, as the module describes."""
    baryon = (np.abs(pid) > 1000) & (np.abs(pid) < 10000)
    taken = energy - np.where(baryon, np.sign(pid) * mass, 0.0)
    return np.asarray(taken / available_gev)


def sample(label: str, seed: int, n_events: dict[str, int]) -> Table:
    """Generate the events of one projectile at all energies; run this in a process of its own.

    Parameters
    ----------
    label : str
        A key of ``PROJECTILES``.
    seed : int
    n_events : dict
        Events per energy of each projectile.

    Returns
    -------
    dict
        ``x``, ``pt``, ``phi``, ``species`` (negative: antinucleon) of all products, ``products`` [energies, events]
        how many each event has,
        ``dropped`` [energies, events] the share left out, ``cross_mb`` [energies].
    """
    from chromo.kinematics import FixedTarget

    generator = _generator(seed)
    pdg = PROJECTILES[label]
    rows: dict[str, list[NDArray[Any]]] = {"x": [], "pt": [], "phi": [], "species": []}
    count, dropped, cross = [], [], []
    codes = {**SPECIES, **ANTINUCLEONS}
    for energy in energies_gev():
        generator.kinematics = FixedTarget(float(energy), pdg, _air())
        cross.append(float(generator.cross_section().prod))
        available = float(energy) - (NUCLEON_GEV if abs(pdg) > 1000 else 0.0)
        for event in generator(n_events[label]):
            final = event.final_state()
            pid, energies = np.asarray(final.pid, dtype=np.int64), np.asarray(final.en, dtype=np.float64)
            unknown = set(pid.tolist()) - set(codes) - {s * nu for nu in NEUTRINOS for s in (1, -1)}
            if unknown:
                raise RuntimeError(f"products {sorted(unknown)} of {label} at {energy} GeV are not known here")
            x = shares(pid, energies, np.asarray(final.m), available)
            kinetic = np.where(np.isin(pid, (22, 111)), energies, energies - np.asarray(final.m))
            cut = np.where(pid == 22, PHOTON_CUT_GEV, np.where(pid == 111, PION_ZERO_GEV, KINETIC_CUT_GEV))
            keep = (kinetic > cut) & (np.asarray(final.pz) > 0.0) & ~np.isin(np.abs(pid), NEUTRINOS)
            count.append(int(keep.sum()))
            dropped.append(float(x[~keep].sum()))
            rows["x"].append(np.rint(np.clip(-np.log(x[keep]) / X_STEP, 0, 65535)).astype(np.uint16))
            rows["pt"].append(np.rint(np.clip(1e3 * np.asarray(final.pt)[keep], 0, 65535)).astype(np.uint16))
            rows["phi"].append((np.floor((np.asarray(final.phi)[keep] / (2 * np.pi)) * 256) % 256).astype(np.uint8))
            rows["species"].append(np.array([codes[p] for p in pid[keep].tolist()], dtype=np.int8))
    shape = (N_ENERGIES, n_events[label])
    table: Table = {name: np.concatenate(parts) for name, parts in rows.items()}
    table["products"] = np.array(count, dtype=np.uint16).reshape(shape)
    table["dropped"] = np.array(dropped, dtype=np.float16).reshape(shape)
    table["cross_mb"] = np.array(cross)
    return table


def helium(seed: int) -> Table:
    """Give helium's production cross section on air and how many of its nucleons take part.

    Returns
    -------
    dict
        ``helium_mb`` [energies] at those energies per nucleon, and ``helium_wounded`` [energies, 4], the probabilities
        of 1 to 4 nucleons, both from SIBYLL's Glauber calculation of nuclei (weighted mean of nitrogen and oxygen).
    """
    generator = _generator(seed)
    library = generator._lib
    cross, wounded = [], []
    for energy in energies_gev():
        ecm = math.sqrt(2.0 * NUCLEON_GEV * (NUCLEON_GEV + float(energy)))
        sigma, numbers = 0.0, np.zeros(4)
        for nucleus, share in ((14, AIR[0][1]), (16, AIR[1][1])):
            library.sigma_nuc_nuc(4, nucleus, ecm, HELIUM_TRIALS)
            mb = float(library.nucnucsig.sigprod)
            sigma += share * mb
            _, elastic, inelastic, *_ = library.sib_sigma_hp(1, ecm)
            for _ in range(HELIUM_TRIALS // 10):
                library.int_nuc(nucleus, 4, float(inelastic), float(elastic))
                n = int(library.cnucms.nb)
                if n:
                    numbers[n - 1] += share * mb
        cross.append(sigma)
        wounded.append(numbers / numbers.sum())
    return {"helium_mb": np.array(cross), "helium_wounded": np.array(wounded)}


def build(output: Path, seed: int, scale: float) -> None:
    """Write the library.

    Parameters
    ----------
    output : Path
        The npz file to write.
    seed : int
        Each projectile gets a stream of its own from it.
    scale : float
        Factor on the numbers of events.
    """
    import chromo

    n_events = {label: max(1, round(scale * n)) for label, n in EVENTS.items()}
    seeds = np.random.SeedSequence(seed).generate_state(len(PROJECTILES) + 1) % 900_000_000
    context = multiprocessing.get_context("spawn")
    parts: list[Table] = []
    for label, own in zip(PROJECTILES, seeds[:-1], strict=True):
        with context.Pool(1) as pool:
            parts.append(pool.apply(sample, (label, int(own), n_events)))
    with context.Pool(1) as pool:
        nuclei = pool.apply(helium, (int(seeds[-1]),))
    provenance = {
        "generator": "SIBYLL 2.3d",
        "interface": f"chromo {chromo.__version__}",
        "target": dict(AIR),
        "seed": seed,
        "events_per_energy": n_events,
        "kinetic_cut_gev": KINETIC_CUT_GEV,
        "cite": [
            "F. Riehn, R. Engel, A. Fedynitch, T. K. Gaisser, T. Stanev, Phys. Rev. D 102 (2020) 063002",
            "E.-J. Ahn et al., Phys. Rev. D 80 (2009) 094003",
            "A. Fedynitch, H. Dembinski, A. Prosekin, Comput. Phys. Commun. 321 (2026) 110031",
        ],
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    merged: dict[str, Any] = {
        name: np.concatenate([part[name].ravel() for part in parts])
        for name in ("x", "pt", "phi", "species", "products", "dropped")
    }
    np.savez_compressed(
        output,
        allow_pickle=False,
        **merged,
        **nuclei,
        cross_mb=np.stack([part["cross_mb"] for part in parts]),
        events=np.array([n_events[label] for label in PROJECTILES], dtype=np.int64),
        energy_gev=energies_gev(),
        low_energy_gev=np.float64(LOW_ENERGY_GEV),
        low_mb=np.array([LOW_ENERGY_MB[label] for label in PROJECTILES]),
        x_step=np.float64(X_STEP),
        provenance=np.array(json.dumps(provenance, sort_keys=True)),
    )


def main() -> int:
    """Read the command line and build."""
    parser = argparse.ArgumentParser(description="Build the library of hadronic interactions.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the numbers of events")
    arguments = parser.parse_args()
    build(arguments.output, arguments.seed, arguments.scale)
    return 0


if __name__ == "__main__":
    sys.exit(main())
