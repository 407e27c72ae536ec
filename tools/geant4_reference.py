"""Follow showers of vertical gammas with Geant4, for the reference values of the cascade and its light.

Three steps; Geant4 needs an environment of its own, without this package::

    python tools/geant4_reference.py tables FOLDER
    pip install -r tools/requirements-geant4.txt
    python tools/geant4_reference.py run FOLDER STEPS.npz --energy-gev 100 --showers 200 --seed 1
    python tools/geant4_reference.py summary FOLDER STEPS.npz

The first and the last step run in the environment of the package. ``tables`` writes the air, MAGIC's winter atmosphere
in layers of 5 g/cm2, and the few data files that Geant4 wants beside what is built into it: bremsstrahlung below 1 GeV
from the package's differential cross section, no photoelectric effect (without influence above 20 MeV), and no levels
of nuclei. ``run`` follows electrons and photons to 20 MeV kinetic energy without magnetic field and stores all steps of
charged particles: about 0.2 s and 0.6 MB per shower of 100 GeV. ``summary`` draws photons (290 to 700 nm, without
extinction) from the steps, in straight lines to 2200 m, and writes length of track above the Cherenkov threshold,
maximum, and densities of light: what ``GEANT4_*`` in ``analysis/validation/cascade.py`` holds.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ELECTRON_MASS_MEV = 0.51099895
CUT_MEV = 20.0
LEVEL_M = 2200.0
AIR = {"N": (7, 14.007, 0.7553), "O": (8, 15.999, 0.2318), "Ar": (18, 39.948, 0.0129)}
"""Atomic number, weight, and share of the mass."""
RADII_M = (20.0, 40.0, 80.0, 100.0, 120.0, 130.0, 160.0, 190.0)
PHOTONS_PER_M = 2.0e9 * np.pi / 137.036 * (1.0 / 290.0 - 1.0 / 700.0)
"""Frank and Tamm's photons per metre between 290 and 700 nm, over the square of the sine of the Cherenkov angle."""
N_LIGHT = 4_000_000
SMALL = "1e-30"
UNUSED_DATA = ("LEVELGAMMA", "RADIOACTIVE", "PARTICLEXS", "PII", "REALSURFACE", "SAIDXS", "ABLA", "INCL", "NEUTRONHP")


def write_tables(folder: Path) -> None:
    """Write layers of air and Geant4's data files."""
    from magicnn.simulation import electromagnetic
    from magicnn.simulation.atmosphere import load_atmosphere

    (folder / "brem_SB").mkdir(parents=True, exist_ok=True)
    photo = folder / "epics2017" / "phot"
    photo.mkdir(parents=True, exist_ok=True)
    air = load_atmosphere()
    depth = np.concatenate([[0.1, 1.0, 2.0, 3.0, 5.0, 7.5], np.arange(10.0, 811.0, 5.0)])
    height = air.height_m(depth)
    density = np.append(np.diff(depth) / (-np.diff(height) * 100.0), 0.0)
    np.savetxt(folder / "layers.txt", np.stack([height, density], axis=1))

    share = np.array([
        0.0, 1e-6, 1e-5, 1e-4, 1e-3, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, *np.arange(0.1, 0.9, 0.05), 0.9,
        0.925, 0.95, 0.97, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0,
    ])  # fmt: skip
    kinetic = np.array([
        1e-3, 1e-2, 0.1, 0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1e3, 2e3, 5e3, 1e4
    ])  # fmt: skip
    # Seltzer and Berger's tables hold beta2/Z2 k dsigma/dk in millibarn.
    per_gram = 6.02214e-4 * sum(part * z * z / weight for z, weight, part in AIR.values())
    unit = electromagnetic.RADIATION_LENGTH_G_CM2 * per_gram
    rows = []
    for t in kinetic:
        energy = t + ELECTRON_MASS_MEV
        beta2 = 1.0 - (ELECTRON_MASS_MEV / energy) ** 2
        fractions = np.minimum(np.maximum(share, 1e-7) * t / energy, 1.0 - 1e-6)
        shapes = [electromagnetic._bremsstrahlung_shape(float(f), float(energy)) for f in fractions]
        rows.append(np.maximum(shapes, 0.0) / unit * beta2)
    for z, _, _ in AIR.values():
        with (folder / "brem_SB" / f"br{z}").open("w") as out:
            out.write(f"0 {len(share)} {len(kinetic)}\n")
            for row in (share, np.log(kinetic), *rows):
                out.write(" ".join(f"{value:.6e}" for value in row) + "\n")
        nothing = f"1e-6 {SMALL}\n1e-4 {SMALL}\n1e-2 {SMALL}\n"
        for name in ("pe-cs", "pe-le-cs"):
            (photo / f"{name}-{z}.dat").write_text(f"1e-6 1e-2 3\n3\n{nothing}")
        (photo / f"pe-ss-cs-{z}.dat").write_text(f"1e-6 1e-2 3 1\n{nothing}")
        for name in ("pe-high", "pe-low"):
            (photo / f"{name}-{z}.dat").write_text(f"1 1 1e-5\n4e-4 {SMALL} 0 0 0 0 0\n")
    (folder / "ENSDFSTATE.dat").touch()


def run_showers(folder: Path, energy_gev: float, n_showers: int, seed: int, output: Path) -> None:
    """Follow gammas with Geant4 and store the steps of charged particles."""
    place = str(folder.resolve())
    os.environ["G4LEDATA"] = os.environ["G4ENSDFSTATEDATA"] = place
    for name in UNUSED_DATA:
        os.environ[f"G4{name}DATA"] = place
    os.environ["G4CHANNELINGDATA"] = place
    import geant4_pybind as g4

    layers = np.loadtxt(folder / "layers.txt")
    top = float(layers[0, 0])
    kept: list[Any] = []  # Geant4 does not own what Python made
    rows: list[tuple[float, ...]] = []

    class Air(g4.G4VUserDetectorConstruction):  # type: ignore[misc]
        def Construct(self) -> Any:  # noqa: N802
            nist = g4.G4NistManager.Instance()
            elements = {name: nist.FindOrBuildElement(name) for name in AIR}
            vacuum = g4.G4Material("vacuum", 1e-20 * g4.g / g4.cm3, 1)
            vacuum.AddElement(elements["N"], 1.0)
            box = g4.G4Box("world", 200 * g4.km, 200 * g4.km, (top + 10.0) * g4.m)
            logical = g4.G4LogicalVolume(box, vacuum, "world")
            origin = g4.G4ThreeVector(0, 0, 0)
            world = g4.G4PVPlacement(None, origin, logical, "world", None, False, 0, False)
            kept.extend([nist, vacuum, box, logical, world])
            for i, ((high, density), (low, _)) in enumerate(itertools.pairwise(layers)):
                air = g4.G4Material(f"air{i}", float(density) * g4.g / g4.cm3, len(AIR))
                for name, (_, _, part) in AIR.items():
                    air.AddElement(elements[name], part)
                slab = g4.G4Box(f"layer{i}", 199 * g4.km, 199 * g4.km, float(high - low) / 2.0 * g4.m)
                volume = g4.G4LogicalVolume(slab, air, f"layer{i}")
                middle = g4.G4ThreeVector(0, 0, float(high + low) / 2.0 * g4.m)
                placed = g4.G4PVPlacement(None, middle, volume, f"layer{i}", logical, False, i, False)
                kept.extend([air, slab, volume, placed])
            return world

    class Physics(g4.G4VModularPhysicsList):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.RegisterPhysics(g4.G4EmStandardPhysics_option1())

        def SetCuts(self) -> None:  # noqa: N802
            g4.G4ProductionCutsTable.GetProductionCutsTable().SetEnergyRange(1 * g4.MeV, 100 * g4.TeV)
            self.SetCutsWithDefault()

    class Gammas(g4.G4VUserPrimaryGeneratorAction):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gun = g4.G4ParticleGun(1)
            self.gun.SetParticleDefinition(g4.G4ParticleTable.GetParticleTable().FindParticle("gamma"))
            self.gun.SetParticleEnergy(energy_gev * g4.GeV)
            self.gun.SetParticleMomentumDirection(g4.G4ThreeVector(0, 0, -1))
            self.gun.SetParticlePosition(g4.G4ThreeVector(0, 0, (top - 0.001) * g4.m))

        def GeneratePrimaries(self, event: Any) -> None:  # noqa: N802
            self.gun.GeneratePrimaryVertex(event)

    class Steps(g4.G4UserSteppingAction):  # type: ignore[misc]
        def UserSteppingAction(self, step: Any) -> None:  # noqa: N802
            track, pre, post = step.GetTrack(), step.GetPreStepPoint(), step.GetPostStepPoint()
            left, length = post.GetKineticEnergy(), step.GetStepLength()
            if track.GetDefinition().GetPDGCharge() != 0 and length > 0:
                a, b = pre.GetPosition(), post.GetPosition()
                u = pre.GetMomentumDirection()
                v = post.GetMomentumDirection() if left > 0 else u
                rows.append((a.x, a.y, a.z, b.x, b.y, b.z, u.x, u.y, v.x, v.y, pre.GetKineticEnergy(), left, length))
            if left < CUT_MEV:
                track.SetTrackStatus(g4.fStopAndKill)

    class Stacking(g4.G4UserStackingAction):  # type: ignore[misc]
        def ClassifyNewTrack(self, track: Any) -> Any:  # noqa: N802
            return g4.fKill if track.GetKineticEnergy() < CUT_MEV else g4.fUrgent

    class Actions(g4.G4VUserActionInitialization):  # type: ignore[misc]
        def Build(self) -> None:  # noqa: N802
            kept.extend([Gammas(), Steps(), Stacking()])
            for action in kept[-3:]:
                self.SetUserAction(action)

    manager = g4.G4RunManagerFactory.CreateRunManager(g4.G4RunManagerType.Serial)
    kept.extend([Air(), Physics(), Actions()])
    for part in kept[-3:]:
        manager.SetUserInitialization(part)
    settings = g4.G4EmParameters.Instance()
    settings.SetEnableSamplingTable(False)
    settings.SetMscRangeFactor(0.04)
    manager.Initialize()
    g4.G4Random.setTheSeed(seed)
    steps = []
    for _ in range(n_showers):
        rows.clear()
        manager.BeamOn(1)
        steps.append(np.array(rows, dtype=np.float32))
    np.savez(output, steps=np.concatenate(steps), n_steps=np.array([len(s) for s in steps]))
    # Geant4 and Python do not agree on who frees what at the end.
    sys.stdout.flush()
    os._exit(0)


def summarise(folder: Path, stored: Path, seed: int = 1) -> list[str]:
    """Compute from the steps what the package is compared with, each value with its statistical error."""
    from magicnn.simulation.atmosphere import load_atmosphere

    air, rng = load_atmosphere(), np.random.default_rng(seed)
    with np.load(stored) as file:
        steps, n_steps = file["steps"].astype(float), file["n_steps"]
    n = len(n_steps)
    shower = np.repeat(np.arange(n), n_steps)
    inside = steps[:, 2] > 1e3 * np.loadtxt(folder / "layers.txt")[-1, 0] + 1.0
    steps, shower = steps[inside], shower[inside]
    begin, end, length = steps[:, :3] / 1e3, steps[:, 3:6] / 1e3, steps[:, 12] / 1e3

    def sin2_at(part: Floats, rows: NDArray[np.intp] | slice) -> tuple[Floats, Floats]:
        place = begin[rows] + part[:, None] * (end - begin)[rows]
        energy = steps[rows, 10] + part * (steps[rows, 11] - steps[rows, 10]) + ELECTRON_MASS_MEV
        return place, 2.0 * air.refractivity(place[:, 2]) - (ELECTRON_MASS_MEV / energy) ** 2

    place, sin2 = sin2_at(rng.random(len(steps)), slice(None))
    shining = sin2 > 0.0
    column = np.where(shining, 100.0 * length * air.density_g_cm3(place[:, 2]), 0.0)
    total = np.bincount(shower, column, minlength=n)
    depth = np.clip(air.depth_g_cm2(place[:, 2]) // 10.0, 0, 80).astype(int)
    profile = np.bincount(depth, column, minlength=81) / n / 10.0
    smooth = np.convolve(profile, np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0, mode="same")
    k = int(np.argmax(smooth))
    a, b, _ = np.polyfit(np.arange(-4.0, 5.0), smooth[k - 4 : k + 5], 2)
    lines = [
        f"{n} showers",
        f"track length above threshold {total.mean():.0f} +- {total.std() / n**0.5:.0f} g/cm2",
        f"maximum at {10.0 * (k + 0.5 - 0.5 * b / a):.0f} g/cm2, electrons there {profile[k]:.1f}",
    ]

    light = PHOTONS_PER_M * length * np.maximum(sin2, 0.0)
    chosen = rng.choice(len(light), size=N_LIGHT, p=light / light.sum())
    weight = light.sum() / N_LIGHT
    part = rng.random(N_LIGHT)
    place, sin2 = sin2_at(part, chosen)
    sin2 = np.clip(sin2, 0.0, 1.0)
    along = steps[chosen, 6:8] * (1.0 - part[:, None]) + steps[chosen, 8:10] * part[:, None]
    along = np.column_stack([along, -np.sqrt(1.0 - (along**2).sum(axis=1))])
    across = np.column_stack([-along[:, 2], np.zeros(N_LIGHT), along[:, 0]])
    across /= np.linalg.norm(across, axis=1)[:, None]
    azimuth = 2.0 * np.pi * rng.random(N_LIGHT)[:, None]
    ring = np.cos(azimuth) * across + np.sin(azimuth) * np.cross(along, across)
    flight = np.sqrt(1.0 - sin2)[:, None] * along + np.sqrt(sin2)[:, None] * ring
    path = (place[:, 2] - LEVEL_M) / -flight[:, 2]
    radius = np.hypot(*(place + flight * path[:, None])[:, :2].T)
    for middle in RADII_M:
        hit = (flight[:, 2] < 0.0) & (path > 0.0) & (np.abs(radius - middle) < 5.0)
        per_shower = np.bincount(shower[chosen][hit], minlength=n) * weight / (20.0 * np.pi * middle)
        lines.append(f"{middle:g} m: {per_shower.mean():.2f} +- {per_shower.std() / n**0.5:.2f} photons/m2")
    return lines


def main() -> None:
    """Run one of the steps from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", choices=("tables", "run", "summary"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("steps", type=Path, nargs="?")
    parser.add_argument("--energy-gev", type=float, default=100.0)
    parser.add_argument("--showers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.step == "tables":
        write_tables(options.folder)
    elif options.steps is None:
        parser.error("name the file of steps")
    elif options.step == "run":
        run_showers(options.folder, options.energy_gev, options.showers, options.seed, options.steps)
    else:
        sys.stdout.write("\n".join(summarise(options.folder, options.steps)) + "\n")


if __name__ == "__main__":
    main()
