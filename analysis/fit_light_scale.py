"""Fit the light scale to one effective area: python analysis/fit_light_scale.py --output runs/light_scale.

Gammas of 100 to 139 GeV on the 0.4 deg ring, zenith 20 deg. The showers are simulated once with more light than is
expected; for each trial scale every photoelectron is kept with the same random number, so the scales differ by the
light alone. Events count that trigger both telescopes and keep a size above 50 phe in both after cleaning. Their
effective area times the efficiencies of the usual cuts (0.9 for hadronness, 0.75 for the angle) is set equal to that
of MAGIC's public data of run 5029747 in the same bin. Stopped and started again, it continues.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import magicnn.simulation
from magicnn.array import TELESCOPES_M
from magicnn.images.cleaning import clean
from magicnn.runs import content_hash, seed_sequence
from magicnn.simulation.detector import Detector, detector, observe
from magicnn.simulation.settings import ProductionSettings, settings_from_yaml
from magicnn.simulation.showers import Environment, ShowerLight, environment, simulate_shower
from magicnn.simulation.throwing import throw_shower

PUBLISHED_M2 = 2.68e4
"""Effective area, 100 to 139 GeV, of the IRFs in MAGIC's public DL3 file of run 5029747 (zenith 20.3 deg)."""
CUT_EFFICIENCY = 0.9 * 0.75
MIN_SIZE_PE = 50.0
FULL_SCALE = 1.0
SCALES = (0.30, 0.37, 0.45, 0.55, 0.67, 0.82)
CHUNK = 20


def source_hash() -> str:
    """Digest of the simulation's code and tables: counts of another version are not added to."""
    digest = hashlib.sha256()
    folder = Path(magicnn.simulation.__file__).parent
    for path in sorted((*folder.glob("*.py"), *folder.glob("tables/*.txt"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def production(config: Path, radius_m: float) -> ProductionSettings:
    """Ring gammas of one bin of energy at 20 deg."""
    bin_of = [
        "energy_min_gev=100",
        "energy_max_gev=138.9",
        "spectral_index=2.6",
        "zenith_min_deg=19.5",
        "zenith_max_deg=20.5",
        f"scatter_radius_m={radius_m:g}",
        "scatter_energy_exponent=0",
        "scatter_zenith_exponent=0",
        "name=light_scale",
    ]
    return settings_from_yaml(config, bin_of)


def thinned(light: ShowerLight, keep: NDArray[np.bool_]) -> ShowerLight:
    """Keep some of the photoelectrons."""
    return ShowerLight(
        reuse=light.reuse[keep],
        telescope=light.telescope[keep],
        x_deg=light.x_deg[keep],
        y_deg=light.y_deg[keep],
        mirror_x_m=light.mirror_x_m[keep],
        mirror_y_m=light.mirror_y_m[keep],
        time_ns=light.time_ns[keep],
        n_photons_thrown=int(keep.sum()),
        emission_height_m=light.emission_height_m[keep],
    )


def simulate(
    settings: ProductionSettings, surroundings: Environment, telescopes: Detector, index: int
) -> list[list[int]]:
    """Count the triggered uses of a shower and those that pass the size cut, [scale, (triggered, passed)]."""
    thrown = throw_shower(settings, 1, index)
    words = [int(word) for word in seed_sequence(1, settings.name, "shower", index).generate_state(2, np.uint32)]
    light, _ = simulate_shower(
        settings.primary,
        thrown.energy_gev,
        thrown.zenith_deg,
        thrown.azimuth_deg,
        np.column_stack([thrown.core_x_m, thrown.core_y_m]),
        thrown.pointing_zenith_deg,
        thrown.pointing_azimuth_deg,
        TELESCOPES_M,
        surroundings,
        words,
    )
    chance = np.random.default_rng((*words, 1)).random(len(light.reuse))
    counts = []
    for scale in SCALES:
        dimmed = thinned(light, chance < scale / FULL_SCALE)
        events = observe(dimmed, telescopes, [(*words, 2, reuse) for reuse in range(settings.reuse)])
        passed = 0
        for event in events:
            mask = clean(event.charge_pe, event.time_ns, telescopes.camera)
            size = np.where(mask, np.nan_to_num(event.charge_pe), 0.0).sum(axis=1)
            passed += int(size.min() > MIN_SIZE_PE)
        counts.append([len(events), passed])
    return counts


def crossing(area_m2: NDArray[np.float64], wanted_m2: float) -> float:
    """Scale at which the effective area has the wanted value, by straight lines in logarithms."""
    return float(np.exp(np.interp(np.log(wanted_m2), np.log(np.maximum(area_m2, 1.0)), np.log(SCALES))))


def main() -> None:
    """Simulate what is missing, then fit and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("mc_configs/gamma_za05to35.yaml"), help="detector and site")
    parser.add_argument("--output", type=Path, default=Path("runs/light_scale"), help="folder of the counts")
    parser.add_argument("--showers", type=int, default=400, help="showers, each used ten times (default 400)")
    parser.add_argument("--radius", type=float, default=260.0, help="radius of the disc of cores, m (default 260)")
    arguments = parser.parse_args()
    settings = production(arguments.config, arguments.radius)
    telescopes = None
    plain = settings.model_dump(mode="json", exclude={"site": {"light_budget", "light_scale"}})
    identity = content_hash([plain, SCALES, source_hash()])
    path = arguments.output / f"counts_{identity[:12]}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    done = [json.loads(line) for line in lines]
    with path.open("a", encoding="utf-8") as file:
        for index in range(len(done), arguments.showers):
            if telescopes is None:
                site = settings.site.model_dump(exclude={"light_budget", "light_scale"})
                surroundings = environment(**site, light_scale=FULL_SCALE)
                telescopes = detector(settings.detector)
            done.append(simulate(settings, surroundings, telescopes, index))
            file.write(json.dumps(done[-1]) + "\n")
            file.flush()
    counts = np.array(done[: arguments.showers], dtype=np.float64)
    disc_m2 = np.pi * arguments.radius**2
    area = counts.sum(axis=0) / (len(counts) * settings.reuse) * disc_m2
    generator = np.random.default_rng(1)
    drawn = [counts[generator.integers(0, len(counts), len(counts))].sum(axis=0) for _ in range(400)]
    spread = np.std(drawn, axis=0) / (len(counts) * settings.reuse) * disc_m2
    print(f"{len(counts)} showers, each used {settings.reuse} times, within {arguments.radius:g} m")
    print("| light scale | effective area at trigger (m2) | size > 50 phe, times cut efficiencies (m2) |")
    print("|---|---|---|")
    for row, scale in enumerate(SCALES):
        after, error = CUT_EFFICIENCY * area[row, 1], CUT_EFFICIENCY * spread[row, 1]
        print(f"| {scale:.2f} | {area[row, 0]:.3g} ± {spread[row, 0]:.1g} | {after:.3g} ± {error:.1g} |")
    wanted = PUBLISHED_M2 / CUT_EFFICIENCY
    fitted = crossing(area[:, 1], wanted)
    factor = disc_m2 / (len(counts) * settings.reuse)
    error = float(np.std([crossing(sample[:, 1] * factor, wanted) for sample in drawn]))
    known = settings.site.light_budget.known
    print(f"light scale {fitted:.3f} ± {error:.3f}, known factors {known:.3f}, residual {fitted / known:.3f}")


if __name__ == "__main__":
    main()
