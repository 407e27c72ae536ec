"""Follow every particle of a shower, from the primary down to the last that can make light."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.simulation.cherenkov import LIGHT_COLUMNS, Targets
from magicnn.simulation.collisions import LOG_ENERGY_MIN, LOG_ENERGY_STEP
from magicnn.simulation.electromagnetic import PHOTON_CUT_MEV, emission_tangent, sample_compton, sample_pair
from magicnn.simulation.hadronic import interact
from magicnn.simulation.medium import (
    CURVATURE_PER_M,
    HEIGHT_STEP_M,
    LOG_DEPTH_MIN,
    LOG_DEPTH_STEP,
    N_LOG_DEPTHS,
    Medium,
    height_above_sea,
)
from magicnn.simulation.particles import (
    ELECTRON,
    ELECTRON_MASS_MEV,
    PHOTON,
    PION_PLUS,
    POSITRON,
    STACK_COLUMNS,
    Stack,
    push_deflected,
    survives,
)
from magicnn.simulation.random_numbers import RandomState, exponential, uniform
from magicnn.simulation.tracks import follow_electron, follow_heavy

__all__ = ["CONVERT_AT_START", "follow"]

Floats = NDArray[np.float64]
Light = NDArray[np.float32]

_ROOM_ON_STACK = 4096

CONVERT_AT_START = -2.0
"""In place of the height of the first interaction: the primary photon makes a pair where it starts."""


@compiled
def _follow_photon(p: Stack, stack: Stack, n: int, air: Medium, book: Floats, state: RandomState) -> int:
    """Carry a photon to its interaction and put the products on the stack."""
    energy = p[1]
    if energy < PHOTON_CUT_MEV:
        book[1] += energy * p[9]
        return n
    e = (math.log(energy) - LOG_ENERGY_MIN) / LOG_ENERGY_STEP
    j = int(e)
    e -= j
    path = exponential(state) / (air.photons[j, 0] + e * (air.photons[j + 1, 0] - air.photons[j, 0]))
    is_pair_forced = book[3] == CONVERT_AT_START
    if is_pair_forced:
        path = 0.0
    height = height_above_sea(p, air)
    descent = -(p[7] + 2.0 * CURVATURE_PER_M * (p[2] * p[5] + p[3] * p[6]))
    bend = CURVATURE_PER_M * (1.0 - p[7] * p[7])
    if descent < 0.02:
        book[1] += energy * p[9]
        return n
    h = min(height / HEIGHT_STEP_M, air.air.shape[0] - 1.001)
    i = int(h)
    depth = air.air[i, 1] + (h - i) * (air.air[i + 1, 1] - air.air[i, 1])
    length = 0.0
    slope = descent
    # The angle to the local vertical changes on long paths, so the slope is that of the path's middle.
    for _ in range(4):
        d = (math.log(max(depth + path * slope, 2.001e-5)) - LOG_DEPTH_MIN) / LOG_DEPTH_STEP
        i = min(int(d), N_LOG_DEPTHS - 2)
        new_height = air.height_of_log_depth[i]
        new_height += (d - i) * (air.height_of_log_depth[i + 1] - new_height)
        length = max(height - new_height, 0.0) / slope
        if length < 2000.0:
            break
        slope = max(descent - bend * length, 0.02)
    p[2] += p[5] * length
    p[3] += p[6] * length
    p[4] += p[7] * length
    p[8] += length
    height = height_above_sea(p, air)
    if p[4] <= 0.0:
        book[2] += energy * p[9]
        return n
    if book[3] < 0.0:
        book[3] = height
    h = min(height / HEIGHT_STEP_M, air.air.shape[0] - 1.001)
    i = int(h)
    if energy < air.air[i, 4]:
        book[1] += energy * p[9]
        return n
    if is_pair_forced or uniform(state) < air.photons[j, 1] + e * (air.photons[j + 1, 1] - air.photons[j, 1]):
        if energy > 1000.0 and not is_pair_forced and uniform(state) < 0.0025:
            # Photonuclear: the photon acts as a pion (vector dominance), with 1/400 of the pair cross section.
            p[0] = PION_PLUS
            return interact(stack, n, p, air.hadrons, state)
        first = sample_pair(energy, state)
        n = _push_light_lepton(stack, n, ELECTRON, first, p, emission_tangent(first, state), air, book, state)
        rest = energy - first
        return _push_light_lepton(stack, n, POSITRON, rest, p, emission_tangent(rest, state), air, book, state)
    scattered, cos = sample_compton(energy, state)
    if scattered > PHOTON_CUT_MEV:
        tangent = math.sqrt(1.0 - cos * cos) / max(cos, 0.05)
        n = push_deflected(stack, n, PHOTON, scattered, p, tangent, state)
        if not survives(stack[n - 1], air.thinning_mev, air.max_weight, state):
            n -= 1
    else:
        book[1] += scattered * p[9]
    electron = energy - scattered + ELECTRON_MASS_MEV
    if electron < air.air[i, 4]:
        book[1] += (energy - scattered) * p[9]
        return n
    momentum = math.sqrt(electron * electron - ELECTRON_MASS_MEV * ELECTRON_MASS_MEV)
    across = scattered * math.sqrt(1.0 - cos * cos) / momentum
    tangent = across / math.sqrt(max(1.0 - across * across, 0.05))
    book[1] -= ELECTRON_MASS_MEV * p[9]
    return _push_light_lepton(stack, n, ELECTRON, electron, p, tangent, air, book, state)


@compiled
def _push_light_lepton(
    stack: Stack,
    n: int,
    species: int,
    energy: float,
    parent: Stack,
    tangent: float,
    air: Medium,
    book: Floats,
    state: RandomState,
) -> int:
    """Put an electron on the stack unless thinning drops it."""
    if energy < 20.0:
        book[1] += energy * parent[9]
        return n
    n = push_deflected(stack, n, species, energy, parent, tangent, state)
    if not survives(stack[n - 1], air.thinning_mev, air.max_weight, state):
        n -= 1
    return n


@compiled
def follow(
    primary: Stack,
    air: Medium,
    goal: Targets,
    per_metre: Floats,
    profile: Floats,
    book: Floats,
    count: NDArray[np.int64],
    room: int,
    state: RandomState,
) -> Light:
    """Follow a primary particle and everything it makes.

    Parameters
    ----------
    primary : float64 array, [10]
        A row of the stack.
    air : Medium
    goal : Targets
    per_metre : float64 array
        A yield table.
    profile : float64 array, [110]
        Receives the length (g/cm2) of electron tracks above the Cherenkov threshold in bins of vertical depth.
    book : float64 array, [6]
        Receives the energy (MeV) lost by ionisation, dropped below the thresholds, and arrived at the ground; the
        height (m) of the first interaction, negative on entry, where `CONVERT_AT_START` has a primary photon make a
        pair where it starts; number and energy (MeV) of the muons at the ground.
    count : int64 array, [3]
        Receives the number of photons, of steps, and 1 when the light was cut short for want of room.
    room : int
        Rows kept free for the light of the next particle.
    state : random state

    Returns
    -------
    float32 array, [n, 7]
        The detected light; columns as in `magicnn.simulation.cherenkov.LIGHT_COLUMNS`.
    """
    stack = np.empty((4 * _ROOM_ON_STACK, STACK_COLUMNS))
    light = np.empty((2 * room, LIGHT_COLUMNS), np.float32)
    distance = np.empty(goal.x.shape[0])
    p = np.empty(STACK_COLUMNS)
    stack[0] = primary
    n = 1
    while n > 0:
        n -= 1
        p[:] = stack[n]
        if n + _ROOM_ON_STACK > stack.shape[0]:
            more = np.empty((2 * stack.shape[0], STACK_COLUMNS))
            more[:n] = stack[:n]
            stack = more
        if count[0] + room > light.shape[0]:
            brighter = np.empty((2 * light.shape[0], LIGHT_COLUMNS), np.float32)
            brighter[: count[0]] = light[: count[0]]
            light = brighter
        species = int(p[0])
        if species == PHOTON:
            n = _follow_photon(p, stack, n, air, book, state)
        elif species <= POSITRON:
            n = follow_electron(p, stack, n, air, goal, per_metre, distance, light, count, profile, book, state)
        else:
            n = follow_heavy(p, stack, n, air, goal, per_metre, distance, light, count, book, state)
        if count[0] >= light.shape[0]:
            count[2] = 1
            break
    return light[: count[0]].copy()
