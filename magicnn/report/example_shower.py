"""One simulated shower with everything that a picture of it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.array import TELESCOPES_M, impact_m
from magicnn.errors import InputError
from magicnn.runs import seed_sequence
from magicnn.simulation.detector import Detector, TriggeredEvent, observe
from magicnn.simulation.production import simulator
from magicnn.simulation.settings import ProductionSettings
from magicnn.simulation.showers import Environment, ShowerTruth, simulate_shower
from magicnn.simulation.throwing import throw_shower

__all__ = ["ExampleShower", "look_at", "triggering_shower"]

Floats = NDArray[np.float64]

_MAP_HALF_WIDTH_M = 255.0
_GROUND_CELLS = 34


@dataclass(frozen=True)
class ExampleShower:
    """A shower, its light on the ground, and what the telescopes saw of it.

    Attributes
    ----------
    particle : str
    energy_gev, zenith_deg : float
    core_m : float64 array, [2]
        Where the axis meets the ground, north and west of the middle of the telescopes.
    impact_m : float64 array, [T]
    telescopes_m : float64 array, [T, 3]
    truth : ShowerTruth
    ground_edges_m : float64 array, [n + 1]
        Edges of the map of the ground, metres north and west of the core.
    ground_per_m2 : float64 array, [n, n]
        Photoelectrons per square metre of reflector that a telescope there would detect, by north and west.
    emission_height_m : float32 array, [M]
        Above sea level, of all light on the map.
    event : TriggeredEvent or None
        The images, when the telescopes triggered.
    """

    particle: str
    energy_gev: float
    zenith_deg: float
    core_m: Floats
    impact_m: Floats
    telescopes_m: Floats
    truth: ShowerTruth
    ground_edges_m: Floats
    ground_per_m2: Floats
    emission_height_m: NDArray[np.float32]
    event: TriggeredEvent | None


def look_at(
    particle: str,
    energy_gev: float,
    direction_deg: tuple[float, float],
    cores_m: ArrayLike,
    pointings_deg: ArrayLike,
    surroundings: Environment,
    telescopes: Detector,
    seed: Sequence[int],
    *,
    telescopes_m: ArrayLike = TELESCOPES_M,
    start_height_m: float | None = None,
    map_half_width_m: float = _MAP_HALF_WIDTH_M,
) -> ExampleShower:
    """Simulate a shower, its light all over the ground, and the telescopes.

    Parameters
    ----------
    particle, energy_gev
        As in `magicnn.simulation.showers.simulate_shower`.
    direction_deg : (float, float)
        Zenith distance and azimuth it comes from.
    cores_m, pointings_deg : array_like, [K, 2]
        Cores, and zenith distances and azimuths of the pointings, to try; the first that triggers is kept.
    surroundings : Environment
    telescopes : Detector
    seed : sequence of int
    telescopes_m : array_like, [T, 3]
    start_height_m : float, optional
    map_half_width_m : float
        The map of the ground reaches this far from the core.

    Returns
    -------
    ExampleShower
        Of the first core when none triggers.
    """
    cores = np.asarray(cores_m, dtype=np.float64)
    pointings = np.asarray(pointings_deg, dtype=np.float64)
    places = np.asarray(telescopes_m, dtype=np.float64)
    edges = np.linspace(-map_half_width_m, map_half_width_m, _GROUND_CELLS + 1)
    radius_m = min(0.5 * float(edges[1] - edges[0]), surroundings.telescope_radius_m)
    centres = 0.5 * (edges[1:] + edges[:-1])
    north, west = (grid.ravel() for grid in np.meshgrid(centres, centres, indexing="ij"))
    # The map is seen by the first telescope, moved over the ground by moving the core; relative to the core.
    from_core = places[0, :2] - np.stack([north, west], axis=1)
    light, truth = simulate_shower(
        particle,
        energy_gev,
        *direction_deg,
        np.concatenate([cores, from_core]),
        np.concatenate([pointings[:, 0], np.full(len(north), pointings[0, 0])]),
        np.concatenate([pointings[:, 1], np.full(len(north), pointings[0, 1])]),
        places,
        surroundings,
        seed,
        start_height_m=start_height_m,
    )
    events = observe(light, telescopes, [(*seed, k) for k in range(len(cores))])
    event = events[0] if events else None
    core = cores[event.reuse if event else 0]
    on_map = (light.reuse >= len(cores)) & (light.telescope == 0)
    # Only the light within the circle that fits into a cell, so that cells do not share any.
    on_map &= np.hypot(light.mirror_x_m, light.mirror_y_m) < radius_m
    count = np.bincount(light.reuse[on_map] - len(cores), minlength=len(north)).reshape(len(centres), -1)
    return ExampleShower(
        particle=particle,
        energy_gev=energy_gev,
        zenith_deg=direction_deg[0],
        core_m=core,
        impact_m=impact_m(core[:1], core[1:], direction_deg[0], direction_deg[1], places)[0],
        telescopes_m=places,
        truth=truth,
        ground_edges_m=edges,
        ground_per_m2=count / (np.pi * radius_m**2),
        emission_height_m=light.emission_height_m[on_map],
        event=event,
    )


def triggering_shower(settings: ProductionSettings, seed: int, *, most: int = 2000) -> ExampleShower:
    """Find the first shower of a production that triggers the telescopes where its map of the ground shows them.

    Parameters
    ----------
    settings : ProductionSettings
    seed : int
        The same seed gives the same shower.
    most : int
        Showers tried.

    Raises
    ------
    InputError
        None of them triggers.
    """
    simulation = simulator(settings, seed)
    for index in range(most):
        thrown = throw_shower(settings, seed, index)
        cores = np.column_stack([thrown.core_x_m, thrown.core_y_m])
        near = np.hypot(*cores.T) < _MAP_HALF_WIDTH_M - 2.0 * np.hypot(*TELESCOPES_M[0, :2])
        if not near.any():
            continue
        words = seed_sequence(seed, settings.name, "show", index).generate_state(2, np.uint32)
        shown = look_at(
            settings.primary,
            thrown.energy_gev,
            (thrown.zenith_deg, thrown.azimuth_deg),
            cores[near],
            np.column_stack([thrown.pointing_zenith_deg, thrown.pointing_azimuth_deg])[near],
            simulation.environment,
            simulation.detector,
            [int(word) for word in words],
        )
        if shown.event is not None:
            return shown
    raise InputError(f"{settings.name}: none of the first {most} showers triggers; raise energy_min_gev")
