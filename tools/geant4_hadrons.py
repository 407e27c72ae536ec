"""Generate interactions of hadrons with air below the energies of SIBYLL; `build_hadron_library.py` calls this.

Geant4's physics list FTFP_BERT: the Bertini cascade to 6 GeV, FTF strings with the precompound model from 3 GeV, mixed
in between. A hadron flies through thin air of nitrogen and oxygen in which nothing but inelastic interactions happens
to it; the products are recorded as they appear, after short-lived ones have decayed. The mean free path gives the
cross section, which holds quasi-elastic scattering, as the events do.

Geant4 would read measured data that are not part of its Python package. Without them nuclei de-excite without discrete
levels, which concerns photons of a few MeV, and neutrons get a made-up cross section, of which no use is made: theirs
is the protons'.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hadron_events import AIR, NEUTRINOS, PROJECTILES, STORED, Events, available_gev

DENSITY_G_CM3 = 1e-5
ATOMIC_WEIGHT = {"N14": 14.007, "O16": 15.999}
MILLIBARN_G_CM2 = 1.66053907e-24 / 1e-27
"""Mass per atomic weight unit over a millibarn."""
UNUSED_DATA = (
    "LE", "LEVELGAMMA", "RADIOACTIVE", "PII", "REALSURFACE", "SAIDXS", "ABLA", "INCL", "NEUTRONHP", "ENSDFSTATE",
    "CHANNELING", "PARTICLEXS",
)  # fmt: skip


def _stand_in_data(folder: Path) -> None:
    """Write what Geant4 insists on reading: an empty list of nuclear states and flat cross sections of neutrons."""
    (folder / "ENSDFSTATE.dat").touch()
    (folder / "neutron").mkdir()
    for z in range(1, 101):
        for process in ("inel", "cap", "el"):
            barn_in_mm2 = 1e-22
            flat = f"1e-11 20 3\n3\n1e-11 {barn_in_mm2}\n1 {barn_in_mm2}\n20 {barn_in_mm2}\n"
            (folder / "neutron" / f"{process}{z}").write_text(flat)
    for name in UNUSED_DATA:
        os.environ[f"G4{name}DATA"] = str(folder)


def _start(folder: Path) -> tuple[Any, list[Any], list[tuple[float, ...]], list[float]]:
    """Set Geant4 up.

    Returns
    -------
    g4
        Its module.
    kept
        What must live as long as Geant4 runs; the first is its manager, the last the particle gun.
    products, paths
        Receive the products (particle number, energies and momentum in Geant4's unit) and the paths (cm) of all
        projectiles.
    """
    _stand_in_data(folder)
    import geant4_pybind as g4

    products: list[tuple[float, ...]] = []
    paths: list[float] = []
    kept: list[Any] = []  # Geant4 does not own what Python made
    final = set(STORED) | {sign * number for number in NEUTRINOS for sign in (1, -1)}

    class Air(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
        def Construct(self) -> Any:  # noqa: N802
            air = g4.G4Material("air", DENSITY_G_CM3 * g4.g / g4.cm3, len(AIR))
            mass = {name: share * ATOMIC_WEIGHT[name] for name, share in AIR.items()}
            for name, part in mass.items():
                air.AddElement(g4.G4NistManager.Instance().FindOrBuildElement(name[0]), part / sum(mass.values()))
            box = g4.G4Box("world", 1e4 * g4.km, 1e4 * g4.km, 1e4 * g4.km)
            logical = g4.G4LogicalVolume(box, air, "world")
            world = g4.G4PVPlacement(None, g4.G4ThreeVector(0, 0, 0), logical, "world", None, False, 0, False)
            kept.extend([air, box, logical, world])
            return world

    class Physics(g4.G4VModularPhysicsList):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.RegisterPhysics(g4.G4DecayPhysics())
            self.RegisterPhysics(g4.G4HadronPhysicsFTFP_BERT())

        def SetCuts(self) -> None:  # noqa: N802
            self.SetCutsWithDefault()

    class Gun(g4.G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gun = g4.G4ParticleGun(1)
            self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(0, 0, 1))
            self.gun.SetParticlePosition(g4.G4ThreeVector(0, 0, 0))

        def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
            self.gun.GeneratePrimaryVertex(event)

    class Products(g4.G4UserStackingAction):  # type: ignore[misc]
        def ClassifyNewTrack(self, track: Any) -> Any:  # noqa: N802
            kind = track.GetDefinition()
            pdg = kind.GetPDGEncoding()
            if track.GetParentID() == 0 or (pdg not in final and not kind.GetPDGStable() and abs(pdg) < 1_000_000_000):
                return g4.fUrgent
            p = track.GetMomentum()
            products.append((pdg, track.GetTotalEnergy(), kind.GetPDGMass(), p.x, p.y, p.z))
            return g4.fKill

    class FirstStep(g4.G4UserSteppingAction):  # type: ignore[misc]
        def UserSteppingAction(self, step: Any) -> None:  # noqa: N802
            if step.GetTrack().GetTrackID() == 1:
                paths.append(step.GetStepLength() / g4.cm)
                step.GetTrack().SetTrackStatus(g4.fStopAndKill)

    class Actions(g4.G4VUserActionInitialization):  # type: ignore[misc]
        def Build(self) -> None:  # noqa: N802
            kept.extend([Gun(), Products(), FirstStep()])
            for action in kept[-3:]:
                self.SetUserAction(action)

    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    kept.extend([manager, Air(), Physics(), Actions()])
    for part in kept[-3:]:
        manager.SetUserInitialization(part)
    manager.Initialize()
    for pdg in final:
        kind = g4.G4ParticleTable.GetParticleTable().FindParticle(pdg)
        kind.SetPDGStable(True)
    gun = next(action.gun for action in kept if isinstance(action, Gun))
    kept.append(gun)
    return g4, kept, products, paths


def sample(label: str, energies_gev: list[float], n_events: int, n_paths: int, seed: int, output: Path) -> None:
    """Generate the events of one projectile at all energies and store them, with cross sections, as an npz file.

    Parameters
    ----------
    label : str
        A key of ``PROJECTILES``.
    energies_gev : list of float
        Total energies.
    n_events : int
        Events per energy.
    n_paths : int
        Interactions per energy that measure the mean free path.
    seed : int
    output : Path
    """
    pdg = PROJECTILES[label]
    events, cross = Events(), []
    gc.disable()  # Geant4 and Python do not agree on who frees what; the process ends without cleaning up
    with tempfile.TemporaryDirectory() as folder:
        g4, kept, products, paths = _start(Path(folder))
        manager, gun = kept[0], kept[-1]
        kind = g4.G4ParticleTable.GetParticleTable().FindParticle(pdg)
        gun.SetParticleDefinition(kind)
        g4.G4Random.setTheSeed(seed)
        weight = sum(share * ATOMIC_WEIGHT[name] for name, share in AIR.items())
        for energy in energies_gev:
            gun.SetParticleEnergy(energy * g4.GeV - kind.GetPDGMass())
            paths.clear()
            interactions = 0
            while interactions < n_paths:
                products.clear()
                manager.BeamOn(1)
                if not products:
                    # Geant4 proposes interactions too often and takes some back: their paths count all the same.
                    continue
                interactions += 1
                if interactions <= n_events:
                    rows = np.array(products, dtype=np.float64)
                    gev = rows[:, 1:] / float(g4.GeV)
                    pid = rows[:, 0].astype(np.int64)
                    events.add(pid, gev[:, 0], gev[:, 1], gev[:, 2:], available_gev(pdg, energy))
            free_path = sum(paths) / interactions
            cross.append(weight * MILLIBARN_G_CM2 / (free_path * DENSITY_G_CM3))
        np.savez(output, cross_mb=np.array(cross), **events.table())
        sys.stdout.flush()
    os._exit(0)


def main() -> None:
    """Read the command line and generate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("label", choices=list(PROJECTILES))
    parser.add_argument("output", type=Path)
    parser.add_argument("--energies-gev", type=float, nargs="+", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--paths", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    sample(options.label, options.energies_gev, options.events, options.paths, options.seed, options.output)


if __name__ == "__main__":
    main()
