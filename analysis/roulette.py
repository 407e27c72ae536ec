"""Plain throwing against the roulette of a production: speed, and proof that it changes no distribution.

    python analysis/roulette.py mc_configs/proton_za05to35.yaml --cpu-s 300

Simulates the production twice in this process: every thrown use of --plain-reuse per shower, and with the roulette as
its file says. Prints triggered events, showers and Kish-effective numbers (sum w)^2 / sum w^2 per second of CPU, how
the weights are spread, the ratio of the rates, and chi2 of the weighted distributions with the covariance of whole
showers.
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from magicnn.events import concatenate
from magicnn.runs import configure_logging
from magicnn.simulation.matching import true_offset_deg
from magicnn.simulation.production import simulate_chunk, simulator
from magicnn.simulation.roulette import axis_distance_m, image_distance_deg
from magicnn.simulation.settings import settings_from_yaml


def sample(settings, seed, cpu_s):
    """Simulate for some CPU time; return columns, number of showers, and the time."""
    simulation = simulator(settings, seed)
    simulate_chunk(simulation, 10**6)
    batches, chunk, start = [], 0, time.process_time()
    while time.process_time() - start < cpu_s:
        batches.append(simulate_chunk(simulation, chunk))
        chunk += 1
    spent = time.process_time() - start
    return dict(concatenate(batches).columns), chunk * settings.showers_per_chunk, spent


def kish(weight):
    """Return the effective number of events of these weights."""
    return weight.sum() ** 2 / np.sum(weight**2) if len(weight) else 0.0


def rates(values, columns, edges, n_thrown, n_showers):
    """Triggers per thrown use in bins, and their covariance from showers."""
    shower = np.unique(columns["shower_id"], return_inverse=True)[1]
    n_bins = len(edges) + 1
    cell = shower * n_bins + np.searchsorted(edges, values)
    sums = np.bincount(cell, columns["weight"], (shower.max() + 1) * n_bins).reshape(-1, n_bins)
    mean = sums.sum(axis=0)
    covariance = sums.T @ sums - np.outer(mean, mean) / n_showers
    return mean / n_thrown, covariance / n_thrown**2


def main():
    """Read the arguments, simulate both ways, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--cpu-s", type=float, default=120.0, help="CPU time of each of the two")
    parser.add_argument("--plain-reuse", type=int, default=25)
    parser.add_argument("--bins", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    configure_logging(-1)
    settings = settings_from_yaml(arguments.config, arguments.set)
    variants = {
        "plain": settings.model_copy(update={"roulette": None, "reuse": arguments.plain_reuse}),
        "roulette": settings.model_copy(update={"name": f"{settings.name}_r"}),
    }
    found, speed = {}, {}
    for name, variant in variants.items():
        columns, n_showers, cpu = sample(variant, arguments.seed, arguments.cpu_s)
        weight = columns["weight"]
        showers, per_shower = np.unique(columns["shower_id"], return_counts=True)
        found[name] = columns, n_showers * variant.reuse, n_showers
        speed[name] = kish(weight) / cpu
        print(
            f"{name}: {n_showers} showers of {variant.reuse} thrown uses, {cpu:.0f} s CPU; {len(weight)} triggers of "
            f"{len(showers)} showers (mean {per_shower.mean():.1f}, at most {per_shower.max()}), "
            f"Kish {kish(weight):.0f}; per CPU second {len(weight) / cpu:.2f} triggers, {speed[name]:.2f} Kish, "
            f"{len(showers) / cpu:.2f} showers; weight 1: "
            f"{100 * np.mean(weight == 1):.1f} %, greatest {weight.max():.1f}",
            flush=True,
        )
    print(f"gain in Kish-effective triggers per CPU second: {speed['roulette'] / speed['plain']:.2f}")
    quantities = {
        "all": lambda c: np.zeros(len(c["weight"])),
        "energy": lambda c: np.log(c["true_energy_gev"]),
        "impact": lambda c: c["true_impact_m"][:, 0],
        "offset": true_offset_deg,
        "size": lambda c: np.log(c["true_pe"].min(axis=1)),
    }
    for name, quantity in quantities.items():
        values = {v: quantity(columns) for v, (columns, _, _) in found.items()}
        shares = [] if name == "all" else np.arange(1, arguments.bins) / arguments.bins
        edges = np.quantile(values["plain"], shares)
        (a, va), (b, vb) = (rates(values[v], found[v][0], edges, *found[v][1:]) for v in ("plain", "roulette"))
        distance = float((b - a) @ np.linalg.solve(va + vb, b - a))
        chance = chi2_distribution.sf(distance, len(a))
        print(f"{name}: chi2 {distance:.1f} of {len(a)}, chance {chance:.3f}; ratios", end=" ")
        error = b / a * np.sqrt(np.diag(va) / a**2 + np.diag(vb) / b**2)
        print(", ".join(f"{r:.3f} +- {e:.3f}" for r, e in zip(b / a, error, strict=True)), flush=True)
    if settings.roulette is not None:
        show_choice(found["roulette"][0], settings)


def show_choice(columns, settings):
    """Print where triggers lie in the two quantities that the roulette knows, for the choice of its settings."""
    core = columns["true_core_x_m"], columns["true_core_y_m"]
    sky = columns["true_zenith_deg"], columns["true_azimuth_deg"]
    pointing = columns["pointing_zenith_deg"], columns["pointing_azimuth_deg"]
    image = image_distance_deg(*core, *sky, *pointing, settings.roulette.heights_m)
    axis = axis_distance_m(*core, *sky)
    scale = columns["true_energy_gev"] / 1e3 * np.cos(np.radians(sky[0])) ** 2
    edges = np.quantile(scale, [0.0, 0.25, 0.5, 0.75, 1.0])
    for low, high in pairwise(edges):
        here = (scale >= low) & (scale <= high)
        order = {"image_deg": image[here], "axis_m": axis[here]}
        weight = columns["weight"][here]
        print(f"E cos^2 z {low:.2f} to {high:.2f} TeV; shares 50, 90, 95, 99 % of the triggers within", end="")
        for name, values in order.items():
            rank = np.argsort(values)
            reached = np.cumsum(weight[rank]) / weight.sum()
            within = [values[rank][np.searchsorted(reached, q)] for q in (0.5, 0.9, 0.95, 0.99)]
            print(f" {name}", *(f"{v:.3g}" for v in within), end=";")
        print()


if __name__ == "__main__":
    main()
