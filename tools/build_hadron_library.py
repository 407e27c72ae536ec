"""Build the library of hadronic interactions that `magicnn.simulation.hadron_library` reads.

Usage, in an environment of its own (the package itself never needs the generators)::

    pip install -r tools/requirements-hadron-library.txt
    python tools/build_hadron_library.py magicnn/simulation/tables/hadron_library.npz

The same seed, versions of the generators and options give the same file, byte for byte. It takes a few minutes.

Each event is an interaction of a hadron of fixed energy with a nucleus of air (78.5 % nitrogen, 21.5 % oxygen): in
SIBYLL 2.3d from 60 GeV upwards, in Geant4's FTFP_BERT below (`geant4_hadrons.py`). `hadron_events.py` tells what is
stored of it.

The file also holds the cross sections on air, those of helium, and how many nucleons of a helium nucleus take part in
an interaction. SIBYLL's cross sections are for production, Geant4's hold quasi-elastic scattering, each as its events.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from hadron_events import (
    AIR,
    ANTINUCLEONS,
    KINETIC_CUT_GEV,
    NUCLEON_GEV,
    PROJECTILES,
    SPECIES,
    X_STEP,
    Events,
    Floats,
    Table,
    available_gev,
)

EVENTS = {"pi-": 500, "pi+": 500, "K-": 250, "K+": 250, "K0L": 250, "p": 900, "n": 450}
ENERGY_MIN_GEV, ENERGY_MAX_GEV, N_ENERGIES = 60.0, 1.0e5, 11
"""Of SIBYLL."""
N_LOW_ENERGIES = 5
"""As many steps lie below; the lowest, 1.47 GeV, is a kinetic energy of 530 MeV for nucleons."""
PATHS = 10_000
"""Interactions that measure a cross section of Geant4: to 1 %."""
SIBYLL_NUCLEONS = {2212: 13, 2112: 14}
HELIUM_TRIALS = 20_000


def energies_gev() -> Floats:
    """Give the total energies (GeV) of SIBYLL's projectiles, evenly spaced in the logarithm."""
    return np.round(np.geomspace(ENERGY_MIN_GEV, ENERGY_MAX_GEV, N_ENERGIES), 3)


def low_energies_gev() -> Floats:
    """Give the total energies (GeV) of Geant4's projectiles: SIBYLL's continued downwards."""
    step = (ENERGY_MAX_GEV / ENERGY_MIN_GEV) ** (1.0 / (N_ENERGIES - 1))
    return np.round(ENERGY_MIN_GEV * step ** np.arange(-N_LOW_ENERGIES, 0.0), 4)


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

    return CompositeTarget(list(AIR.items()))


def sample(label: str, seed: int, n_events: dict[str, int]) -> Table:
    """Generate SIBYLL's events of one projectile at all energies; run this in a process of its own.

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
        That of `hadron_events.Events`, and ``cross_mb`` [energies].
    """
    from chromo.kinematics import FixedTarget

    generator = _generator(seed)
    pdg = PROJECTILES[label]
    events, cross = Events(), []
    for energy in energies_gev():
        generator.kinematics = FixedTarget(float(energy), pdg, _air())
        cross.append(float(generator.cross_section().prod))
        for event in generator(n_events[label]):
            final = event.final_state()
            momentum = np.stack([final.px, final.py, final.pz], axis=1).astype(np.float64)
            pid, energies = np.asarray(final.pid, dtype=np.int64), np.asarray(final.en, dtype=np.float64)
            events.add(pid, energies, np.asarray(final.m), momentum, available_gev(pdg, float(energy)))
    return {**events.table(), "cross_mb": np.array(cross)}


def sample_low(label: str, seed: int, n_events: dict[str, int]) -> Table:
    """Generate Geant4's events of one projectile; parameters and return value as of `sample`."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "events.npz"
        command = [sys.executable, str(Path(__file__).with_name("geant4_hadrons.py")), label, str(output)]
        command += ["--energies-gev", *map(str, low_energies_gev())]
        command += ["--events", str(n_events[label]), "--paths", str(PATHS), "--seed", str(seed)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with np.load(output) as file:
            return {name: file[name] for name in file.files}


def joined(low: Table, high: Table) -> Table:
    """Put the events of both generators one after the other."""
    return {name: np.concatenate([low[name], high[name]]) for name in low}


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
        for nucleus, share in ((14, AIR["N14"]), (16, AIR["O16"])):
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
        Each projectile gets streams of its own from it.
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
            high = pool.apply(sample, (label, int(own), n_events))
        parts.append(joined(sample_low(label, int(own), n_events), high))
    cross_mb = np.stack([part["cross_mb"] for part in parts])
    # Geant4's own data for neutrons are not at hand; protons stand for them.
    rows = list(PROJECTILES)
    cross_mb[rows.index("n"), :N_LOW_ENERGIES] = cross_mb[rows.index("p"), :N_LOW_ENERGIES]
    with context.Pool(1) as pool:
        nuclei = pool.apply(helium, (int(seeds[-1]),))
    # Nothing is known of helium below; it follows its nucleons.
    nucleons = cross_mb[rows.index("p")] / cross_mb[rows.index("p"), N_LOW_ENERGIES]
    nuclei["helium_mb"] = np.concatenate([nuclei["helium_mb"][0] * nucleons[:N_LOW_ENERGIES], nuclei["helium_mb"]])
    nuclei["helium_wounded"] = np.concatenate(
        [np.repeat(nuclei["helium_wounded"][:1], N_LOW_ENERGIES, axis=0), nuclei["helium_wounded"]]
    )
    provenance = {
        "generator": "SIBYLL 2.3d",
        "interface": f"chromo {chromo.__version__}",
        "generator_below_60_gev": "Geant4 11.4 (FTFP_BERT)",
        "interface_below_60_gev": f"geant4-pybind {version('geant4-pybind')}",
        "target": AIR,
        "seed": seed,
        "events_per_energy": n_events,
        "kinetic_cut_gev": KINETIC_CUT_GEV,
        "cite": [
            "F. Riehn, R. Engel, A. Fedynitch, T. K. Gaisser, T. Stanev, Phys. Rev. D 102 (2020) 063002",
            "E.-J. Ahn et al., Phys. Rev. D 80 (2009) 094003",
            "A. Fedynitch, H. Dembinski, A. Prosekin, Comput. Phys. Commun. 321 (2026) 110031",
            "S. Agostinelli et al., Nucl. Instrum. Methods A 506 (2003) 250",
            "J. Allison et al., Nucl. Instrum. Methods A 835 (2016) 186",
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
        cross_mb=cross_mb,
        events=np.array([n_events[label] for label in PROJECTILES], dtype=np.int64),
        energy_gev=np.concatenate([low_energies_gev(), energies_gev()]),
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
