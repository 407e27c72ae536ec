"""Follow every particle of a shower through the air, from the primary down to the last that can make light."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.atmosphere import EARTH_RADIUS_M, Atmosphere
from magicnn.simulation.cherenkov import LIGHT_COLUMNS, Targets, emit
from magicnn.simulation.compiled import RandomState, compiled, exponential, uniform
from magicnn.simulation.electromagnetic import (
    KNOCK_ON_CUT_MEV,
    LOG_BETA_GAMMA_MIN,
    LOG_BETA_GAMMA_STEP,
    LOG_ENERGY_MIN,
    LOG_ENERGY_STEP,
    PHOTON_CUT_MEV,
    RADIATION_LENGTH_G_CM2,
    charged_table,
    density_effect_table,
    emission_tangent,
    heavy_loss_table,
    photon_table,
    sample_bremsstrahlung,
    sample_compton,
    sample_knock_on,
    sample_pair,
    scattering_kick,
)
from magicnn.simulation.hadronic import HADRON_CUT_MEV, decay, interact, interaction_length_g_cm2
from magicnn.simulation.particles import (
    CHARGE,
    DECAY_LENGTH_M,
    ELECTRON,
    ELECTRON_MASS_MEV,
    MASS_MEV,
    PHOTON,
    PION_MINUS,
    PION_PLUS,
    POSITRON,
    STACK_COLUMNS,
    Stack,
    push_deflected,
    survives,
)

__all__ = ["DEPTH_BIN_G_CM2", "N_DEPTH_BINS", "Medium", "follow", "medium"]

Floats = NDArray[np.float64]
Light = NDArray[np.float32]

HEIGHT_STEP_M = 50.0
_TOP_M = 116_000.0
_LOG_DEPTH_MIN = math.log(2e-5)
_LOG_DEPTH_STEP = 0.01
_N_LOG_DEPTHS = 1800

DEPTH_BIN_G_CM2 = 10.0
"""Width of the bins of vertical depth in which the length of electron tracks is counted."""
N_DEPTH_BINS = 110

_BENDING_PER_UT_M = 2.99792458e-4
"""Bending of a track of 1 MeV/c by 1 uT over 1 m: the speed of light in MeV/(uT m)."""
_CURVATURE = 0.5 / EARTH_RADIUS_M
_SCALE_HEIGHT_M = 7500.0
_MAX_BENDING = 0.03
_MAX_STEP_G_CM2 = 0.1 * RADIATION_LENGTH_G_CM2
_ROOM_ON_STACK = 1024
_ROOM_FOR_LIGHT = 32768


class Medium(NamedTuple):
    """Air, magnetic field and cuts as the kernels see them.

    ``air`` [heights, 6]: density (g/cm2 per metre), depth (g/cm2), n - 1, integral of n - 1 from the observation level
    (m), energy below which an electron can no longer make light (MeV), and logarithm of the square root of the density
    in units of the tables' step. ``height_of_log_depth`` inverts the depth. The rest are tables of
    `magicnn.simulation.electromagnetic`, the observation level (m), the field (uT, geographic axes), the mean square of
    the angle that ends a step, and the energy (MeV) and greatest weight of thinning.
    """

    air: Floats
    height_of_log_depth: Floats
    charged: Floats
    density_effect: Floats
    photons: Floats
    heavy_loss: Floats
    observation_level_m: float
    field_x: float
    field_y: float
    field_z: float
    step_angle2: float
    thinning_mev: float
    max_weight: float


def medium(
    atmosphere: Atmosphere,
    observation_level_m: float,
    field_ut: tuple[float, float, float],
    step_angle_rad: float,
    thinning_mev: float,
    max_weight: float,
) -> Medium:
    """Tabulate air and field for the kernels; arguments as in `Medium`."""
    height = HEIGHT_STEP_M * np.arange(int(_TOP_M / HEIGHT_STEP_M) + 1)
    density = atmosphere.density_g_cm3(height)
    depth = atmosphere.depth_g_cm2(height)
    refractivity = atmosphere.refractivity(height)
    threshold = atmosphere.cherenkov_threshold_mev(height, ELECTRON_MASS_MEV)
    delay = np.concatenate([[0.0], np.cumsum(0.5 * (refractivity[1:] + refractivity[:-1])) * HEIGHT_STEP_M])
    delay -= np.interp(observation_level_m, height, delay)
    # An electron below the local threshold may still reach denser air where it is above: it must lose at least
    # 2 MeV cm2/g on the way.
    kill = threshold.copy()
    for i in range(1, height.size):
        kill[i] = min(threshold[i], kill[i - 1] + 2.0 * (depth[i - 1] - depth[i]))
    shift = 0.5 * np.log(density / 1.2048e-3) / LOG_ENERGY_STEP
    log_depth = _LOG_DEPTH_MIN + _LOG_DEPTH_STEP * np.arange(_N_LOG_DEPTHS)
    return Medium(
        np.ascontiguousarray(np.stack([100.0 * density, depth, refractivity, delay, kill, shift], axis=1)),
        np.ascontiguousarray(atmosphere.height_m(np.exp(log_depth))),
        charged_table(),
        density_effect_table(),
        photon_table(),
        heavy_loss_table(),
        observation_level_m,
        *field_ut,
        step_angle_rad**2,
        thinning_mev,
        max_weight,
    )


@compiled
def _height(p: Stack, air: Medium) -> float:
    return air.observation_level_m + p[4] + (p[2] * p[2] + p[3] * p[3]) * _CURVATURE


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
    height = _height(p, air)
    descent = -(p[7] + 2.0 * _CURVATURE * (p[2] * p[5] + p[3] * p[6]))
    bend = _CURVATURE * (1.0 - p[7] * p[7])
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
        d = (math.log(max(depth + path * slope, 2.001e-5)) - _LOG_DEPTH_MIN) / _LOG_DEPTH_STEP
        i = min(int(d), _N_LOG_DEPTHS - 2)
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
    height = _height(p, air)
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
    if uniform(state) < air.photons[j, 1] + e * (air.photons[j + 1, 1] - air.photons[j, 1]):
        if energy > 1000.0 and uniform(state) < 0.0025:
            # Photonuclear: the photon acts as a pion (vector dominance), with 1/400 of the pair cross section.
            p[0] = PION_PLUS
            return interact(stack, n, p, state)
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
def _follow_electron(
    p: Stack,
    stack: Stack,
    n: int,
    air: Medium,
    goal: Targets,
    per_metre: Floats,
    distance: Floats,
    light: Light,
    count: NDArray[np.int64],
    profile: Floats,
    book: Floats,
    state: RandomState,
) -> int:
    """Follow an electron or positron until it cannot make light any more or reaches the ground."""
    energy, weight, charge = p[1], p[9], CHARGE[int(p[0])]
    x, y, z, ux, uy, uz, travel = p[2], p[3], p[4], p[5], p[6], p[7], p[8]
    until_interaction = exponential(state)
    while True:
        if z <= 0.0:
            book[2] += energy * weight
            return n
        height = air.observation_level_m + z + (x * x + y * y) * _CURVATURE
        h = min(height / HEIGHT_STEP_M, air.air.shape[0] - 1.001)
        i = int(h)
        h -= i
        low, high = air.air[i], air.air[i + 1]
        if energy <= low[4] + h * (high[4] - low[4]):
            book[1] += energy * weight
            return n
        density = low[0] + h * (high[0] - low[0])
        e = (math.log(energy) - LOG_ENERGY_MIN) / LOG_ENERGY_STEP
        j = int(e)
        e -= j
        hard = air.charged[j, 0] + e * (air.charged[j + 1, 0] - air.charged[j, 0])
        knock_on = air.charged[j, 1] + e * (air.charged[j + 1, 1] - air.charged[j, 1])
        loss = air.charged[j, 2] + e * (air.charged[j + 1, 2] - air.charged[j, 2])
        loss -= air.density_effect[max(int(j + e + low[5]), 0)]
        total = hard + knock_on
        p_beta = energy - ELECTRON_MASS_MEV * ELECTRON_MASS_MEV / energy

        path = min(until_interaction / total, _MAX_STEP_G_CM2)
        # The mean square of the core is 0.655 X/p^2 (ln(...) - 1), where the bracket is close to 8.
        path = min(path, air.step_angle2 * p_beta * p_beta / 5.2)
        step = path / density
        step *= 1.0 + uz * step / (2.0 * _SCALE_HEIGHT_M)
        longest = min(_MAX_BENDING * energy / (_BENDING_PER_UT_M * 37.0), 800.0)
        if step > longest or step < 0.0:
            step = longest
            path = density * step * (1.0 - uz * step / (2.0 * _SCALE_HEIGHT_M))
        lost = min(loss * path, energy - ELECTRON_MASS_MEV)

        # All deflection of the step happens at a random point of it.
        hinge = uniform(state)
        a, b = scattering_kick(path, p_beta, state)
        sign = math.copysign(1.0, uz)
        f = -1.0 / (sign + uz)
        g = ux * uy * f
        bend = charge * _BENDING_PER_UT_M * step / energy
        vx = ux + a * (1.0 + sign * ux * ux * f) + b * g + bend * (uy * air.field_z - uz * air.field_y)
        vy = uy + a * sign * g + b * (sign + uy * uy * f) + bend * (uz * air.field_x - ux * air.field_z)
        vz = uz - a * sign * ux - b * uy + bend * (ux * air.field_y - uy * air.field_x)
        norm = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
        vx *= norm
        vy *= norm
        vz *= norm

        where = uniform(state)
        there = energy - where * lost
        rise = uz * step * where
        refractivity = low[2] + (h + rise / HEIGHT_STEP_M) * (high[2] - low[2])
        lag = ELECTRON_MASS_MEV * ELECTRON_MASS_MEV / (there * there)
        sin2 = 2.0 * refractivity - lag
        if sin2 > 0.0:
            profile[min(int(low[1] / DEPTH_BIN_G_CM2), N_DEPTH_BINS - 1)] += path * weight
            before = step * min(where, hinge)
            after = step * max(where - hinge, 0.0)
            is_after = where > hinge
            count[0] = emit(
                x + ux * before + vx * after,
                y + uy * before + vy * after,
                z + uz * before + vz * after,
                vx if is_after else ux,
                vy if is_after else uy,
                vz if is_after else uz,
                travel + step * where * (1.0 + 0.5 * lag),
                height + rise - air.observation_level_m,
                low[3] + (h + rise / HEIGHT_STEP_M) * (high[3] - low[3]),
                sin2,
                step * weight,
                goal,
                per_metre,
                distance,
                light,
                count[0],
                state,
            )
        count[1] += 1
        x += step * (hinge * ux + (1.0 - hinge) * vx)
        y += step * (hinge * uy + (1.0 - hinge) * vy)
        z += step * (hinge * uz + (1.0 - hinge) * vz)
        ux, uy, uz = vx, vy, vz
        travel += step * (1.0 + 0.5 * lag)
        energy -= lost
        book[0] += lost * weight
        until_interaction -= path * total
        if until_interaction > 1e-9:
            continue

        until_interaction = exponential(state)
        p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8] = energy, x, y, z, ux, uy, uz, travel
        if book[3] < 0.0:
            book[3] = height
        if uniform(state) * total < hard:
            photon = sample_bremsstrahlung(energy, state)
            if photon > PHOTON_CUT_MEV:
                n = push_deflected(stack, n, PHOTON, photon, p, emission_tangent(energy, state), state)
                if not survives(stack[n - 1], air.thinning_mev, air.max_weight, state):
                    n -= 1
            else:
                book[1] += photon * weight
            energy -= photon
        elif energy > 2.2 * KNOCK_ON_CUT_MEV:
            kinetic = sample_knock_on(energy, state)
            sin = math.sqrt(2.0 * ELECTRON_MASS_MEV / (kinetic + 2.0 * ELECTRON_MASS_MEV))
            n = push_deflected(stack, n, ELECTRON, kinetic + ELECTRON_MASS_MEV, p, sin, state)
            if not survives(stack[n - 1], air.thinning_mev, air.max_weight, state):
                n -= 1
            book[1] -= ELECTRON_MASS_MEV * weight
            energy -= kinetic
        p[1] = energy
        if not survives(p, air.thinning_mev, air.max_weight, state):
            return n
        weight = p[9]


@compiled
def _follow_heavy(
    p: Stack,
    stack: Stack,
    n: int,
    air: Medium,
    goal: Targets,
    per_metre: Floats,
    distance: Floats,
    light: Light,
    count: NDArray[np.int64],
    book: Floats,
    state: RandomState,
) -> int:
    """Follow a muon or hadron to its decay or interaction, or to the ground."""
    species = int(p[0])
    mass, charge, weight = MASS_MEV[species], CHARGE[species], p[9]
    is_hadron = species >= PION_MINUS
    until_interaction = exponential(state)
    until_decay = exponential(state)
    while True:
        energy = p[1]
        if p[4] <= 0.0:
            book[2] += energy * weight
            return n
        if energy - mass < (HADRON_CUT_MEV if is_hadron else 30.0):
            book[1] += energy * weight
            return n
        height = _height(p, air)
        h = min(height / HEIGHT_STEP_M, air.air.shape[0] - 1.001)
        i = int(h)
        h -= i
        low, high = air.air[i], air.air[i + 1]
        density = low[0] + h * (high[0] - low[0])
        ux, uy, uz = p[5], p[6], p[7]
        momentum = math.sqrt(energy * energy - mass * mass)
        sin2 = 2.0 * (low[2] + h * (high[2] - low[2])) - mass * mass / (energy * energy)
        step = max(500.0, 0.03 * height)
        if charge != 0.0 and sin2 > 0.0:
            # Short pieces near the ground, because one muon there may be the whole image.
            step = min(200.0, 10.0 + 0.02 * p[4])
        is_decay = False
        is_interaction = False
        free_path = 1e30
        if is_hadron:
            free_path = interaction_length_g_cm2(species, energy)
            path = until_interaction * free_path
            length = path / density
            length *= max(1.0 + uz * length / (2.0 * _SCALE_HEIGHT_M), 0.5)
            if length < step:
                step = length
                is_interaction = True
        decay_length = DECAY_LENGTH_M[species] * momentum / mass
        if decay_length > 0.0 and until_decay * decay_length < step:
            step = until_decay * decay_length
            is_decay = True
            is_interaction = False
        path = density * step * (1.0 - uz * step / (2.0 * _SCALE_HEIGHT_M))
        lost = 0.0
        if charge != 0.0:
            g = (math.log(momentum / mass) - LOG_BETA_GAMMA_MIN) / LOG_BETA_GAMMA_STEP
            j = min(max(int(g), 0), air.heavy_loss.shape[0] - 1)
            lost = air.heavy_loss[j] * path
            if not is_hadron:
                # Radiation by muons: 1.8e-6 per g/cm2 (particle data group, atomic and nuclear properties of air).
                lost += 1.8e-6 * energy * path
            lost = min(lost, energy - mass)
            if sin2 > 0.0:
                count[0] = _emit_from_heavy(p, step, sin2, low, high, h, height, air, goal, per_metre, distance, light,
                                            count[0], state)  # fmt: skip
        count[1] += 1
        p[2] += step * ux
        p[3] += step * uy
        p[4] += step * uz
        p[8] += step * energy / momentum
        p[1] = energy - lost
        book[0] += lost * weight
        if charge != 0.0:
            a, b = scattering_kick(max(path, 1e-3), momentum * momentum / energy, state)
            bend = charge * _BENDING_PER_UT_M * step / momentum
            sign = math.copysign(1.0, uz)
            f = -1.0 / (sign + uz)
            vx = ux + a * (1.0 + sign * ux * ux * f) + b * ux * uy * f + bend * (uy * air.field_z - uz * air.field_y)
            vy = uy + a * sign * ux * uy * f + b * (sign + uy * uy * f) + bend * (uz * air.field_x - ux * air.field_z)
            vz = uz - a * sign * ux - b * uy + bend * (ux * air.field_y - uy * air.field_x)
            norm = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
            p[5], p[6], p[7] = vx * norm, vy * norm, vz * norm
        if decay_length > 0.0:
            until_decay -= step / decay_length
        until_interaction -= path / free_path
        if is_decay:
            return decay(stack, n, p, state)
        if is_interaction:
            if book[3] < 0.0:
                book[3] = height
            return interact(stack, n, p, state)


@compiled
def _emit_from_heavy(
    p: Stack,
    step: float,
    sin2: float,
    low: Floats,
    high: Floats,
    h: float,
    height: float,
    air: Medium,
    goal: Targets,
    per_metre: Floats,
    distance: Floats,
    light: Light,
    n_light: int,
    state: RandomState,
) -> int:
    """Draw the light of a straight piece of track from one random point of it."""
    along = uniform(state) * step
    rise = along * p[7]
    return emit(
        p[2] + along * p[5],
        p[3] + along * p[6],
        p[4] + rise,
        p[5],
        p[6],
        p[7],
        p[8] + along,
        height + rise - air.observation_level_m,
        low[3] + (h + rise / HEIGHT_STEP_M) * (high[3] - low[3]),
        sin2,
        step * p[9],
        goal,
        per_metre,
        distance,
        light,
        n_light,
        state,
    )


@compiled
def follow(
    primary: Stack,
    air: Medium,
    goal: Targets,
    per_metre: Floats,
    profile: Floats,
    book: Floats,
    count: NDArray[np.int64],
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
    book : float64 array, [4]
        Receives the energy (MeV) lost by ionisation, dropped below the thresholds, and arrived at the ground; the
        last entry, negative on entry, the height (m) of the first interaction.
    count : int64 array, [3]
        Receives the number of photons, of steps, and 1 when light was lost for want of room.
    state : random state

    Returns
    -------
    float32 array, [n, 7]
        The detected light; columns as in `magicnn.simulation.cherenkov.LIGHT_COLUMNS`.
    """
    stack = np.empty((4 * _ROOM_ON_STACK, STACK_COLUMNS))
    light = np.empty((2 * _ROOM_FOR_LIGHT, LIGHT_COLUMNS), np.float32)
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
        if count[0] + _ROOM_FOR_LIGHT > light.shape[0]:
            brighter = np.empty((2 * light.shape[0], LIGHT_COLUMNS), np.float32)
            brighter[: count[0]] = light[: count[0]]
            light = brighter
        species = int(p[0])
        if species == PHOTON:
            n = _follow_photon(p, stack, n, air, book, state)
        elif species <= POSITRON:
            n = _follow_electron(p, stack, n, air, goal, per_metre, distance, light, count, profile, book, state)
        else:
            n = _follow_heavy(p, stack, n, air, goal, per_metre, distance, light, count, book, state)
        if count[0] >= light.shape[0]:
            count[2] = 1
            break
    return light[: count[0]].copy()
