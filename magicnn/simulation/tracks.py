"""Follow charged particles through the air: ionisation, scattering, bending, radiation, light."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.simulation.cherenkov import Targets, emit
from magicnn.simulation.collisions import (
    LOG_BETA_GAMMA_MIN,
    LOG_BETA_GAMMA_STEP,
    LOG_ENERGY_MIN,
    LOG_ENERGY_STEP,
    photon_tangent,
    sample_annihilation,
    sample_knock_on,
)
from magicnn.simulation.decays import decay
from magicnn.simulation.electromagnetic import (
    PHOTON_CUT_MEV,
    RADIATION_LENGTH_G_CM2,
    emission_tangent,
    sample_bremsstrahlung,
    scattering_kick,
)
from magicnn.simulation.hadronic import HADRON_CUT_MEV, interact, interaction_length_g_cm2
from magicnn.simulation.medium import CURVATURE_PER_M, HEIGHT_STEP_M, Medium, height_above_sea
from magicnn.simulation.nuclei import interact_nucleus
from magicnn.simulation.particles import (
    CHARGE,
    DECAY_LENGTH_M,
    ELECTRON,
    ELECTRON_MASS_MEV,
    HELIUM,
    MASS_MEV,
    PHOTON,
    PION_MINUS,
    POSITRON,
    Stack,
    push_deflected,
    survives,
)
from magicnn.simulation.random_numbers import RandomState, exponential, uniform

__all__ = ["BENDING_PER_UT_M", "DEPTH_BIN_G_CM2", "N_DEPTH_BINS", "follow_electron", "follow_heavy"]

Floats = NDArray[np.float64]
Light = NDArray[np.float32]

DEPTH_BIN_G_CM2 = 10.0
"""Width of the bins of vertical depth in which the length of electron tracks is counted."""
N_DEPTH_BINS = 110

BENDING_PER_UT_M = 2.99792458e-4
"""Bending of a track of 1 MeV/c by 1 uT over 1 m: the speed of light in MeV/(uT m)."""
_SCALE_HEIGHT_M = 7500.0
_MAX_BENDING = 0.03
_MAX_STEP_G_CM2 = 0.1 * RADIATION_LENGTH_G_CM2


@compiled
def _turned(
    ux: float, uy: float, uz: float, a: float, b: float, bend: float, air: Medium
) -> tuple[float, float, float]:
    """Turn a direction by the tangents of scattering and by the magnetic field."""
    sign = math.copysign(1.0, uz)
    f = -1.0 / (sign + uz)
    g = ux * uy * f
    vx = ux + a * (1.0 + sign * ux * ux * f) + b * g + bend * (uy * air.field_z - uz * air.field_y)
    vy = uy + a * sign * g + b * (sign + uy * uy * f) + bend * (uz * air.field_x - ux * air.field_z)
    vz = uz - a * sign * ux - b * uy + bend * (ux * air.field_y - uy * air.field_x)
    norm = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
    return vx * norm, vy * norm, vz * norm


@compiled
def _push_photon(
    stack: Stack,
    n: int,
    photon_mev: float,
    p: Stack,
    tangent: float,
    thinning_mev: float,
    max_weight: float,
    book: Floats,
    state: RandomState,
) -> int:
    """Put a photon on the stack, or its energy into the book where it is too soft to make light."""
    if photon_mev <= PHOTON_CUT_MEV:
        book[1] += photon_mev * p[9]
        return n
    n = push_deflected(stack, n, PHOTON, photon_mev, p, tangent, state)
    return n if survives(stack[n - 1], thinning_mev, max_weight, state) else n - 1


@compiled
def follow_electron(
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
    is_positron = int(p[0]) == POSITRON
    column = 4 if is_positron else 0
    x, y, z, ux, uy, uz, travel = p[2], p[3], p[4], p[5], p[6], p[7], p[8]
    until_interaction = exponential(state)
    while True:
        if z <= 0.0:
            book[2] += energy * weight
            return n
        height = air.observation_level_m + z + (x * x + y * y) * CURVATURE_PER_M
        h = min(height / HEIGHT_STEP_M, air.air.shape[0] - 1.001)
        i = int(h)
        h -= i
        low, high = air.air[i], air.air[i + 1]
        # Upwards there is nothing to light; in thin air the field would lead such an electron round for ever.
        climb = uz + 2.0 * CURVATURE_PER_M * (x * ux + y * uy)
        if climb > 0.0 or energy <= low[4] + h * (high[4] - low[4]):
            book[1] += energy * weight
            return n
        density = low[0] + h * (high[0] - low[0])
        e = (math.log(energy) - LOG_ENERGY_MIN) / LOG_ENERGY_STEP
        j = int(e)
        e -= j
        hard = air.charged[j, column] + e * (air.charged[j + 1, column] - air.charged[j, column])
        knock_on = air.charged[j, column + 1] + e * (air.charged[j + 1, column + 1] - air.charged[j, column + 1])
        annihilation = air.charged[j, column + 2] + e * (air.charged[j + 1, column + 2] - air.charged[j, column + 2])
        loss = air.charged[j, column + 3] + e * (air.charged[j + 1, column + 3] - air.charged[j, column + 3])
        loss -= air.density_effect[max(int(j + e + low[5]), 0)]
        total = hard + knock_on + annihilation
        p_beta = energy - ELECTRON_MASS_MEV * ELECTRON_MASS_MEV / energy

        path = min(until_interaction / total, _MAX_STEP_G_CM2)
        # The mean square of the core is 0.655 X/p^2 (ln(...) - 1), where the bracket is close to 8.
        path = min(path, air.step_angle2 * p_beta * p_beta / 5.2)
        step = path / density
        step *= 1.0 + uz * step / (2.0 * _SCALE_HEIGHT_M)
        longest = min(_MAX_BENDING * energy / (BENDING_PER_UT_M * 37.0), 800.0)
        if step > longest or step < 0.0:
            step = longest
            path = density * step * (1.0 - uz * step / (2.0 * _SCALE_HEIGHT_M))
        lost = min(loss * path, energy - ELECTRON_MASS_MEV)

        # All deflection of the step happens at a random point of it.
        hinge = uniform(state)
        a, b = scattering_kick(path, p_beta, state)
        bend = charge * BENDING_PER_UT_M * step / energy
        vx, vy, vz = _turned(ux, uy, uz, a, b, bend, air)

        where = uniform(state)
        there = energy - where * lost
        rise = uz * step * where
        refractivity = low[2] + (h + rise / HEIGHT_STEP_M) * (high[2] - low[2])
        lag = ELECTRON_MASS_MEV * ELECTRON_MASS_MEV / (there * there)
        sin2 = 2.0 * refractivity - lag
        if sin2 > 0.0:
            depth = low[1] + (h + rise / HEIGHT_STEP_M) * (high[1] - low[1])
            profile[min(max(int(depth / DEPTH_BIN_G_CM2), 0), N_DEPTH_BINS - 1)] += path * weight
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
        chosen = uniform(state) * total
        if chosen < hard:
            photon = sample_bremsstrahlung(energy, state)
            tangent = emission_tangent(energy, state)
            n = _push_photon(stack, n, photon, p, tangent, air.thinning_mev, air.max_weight, book, state)
            energy -= photon
        elif chosen < hard + knock_on:
            kinetic = sample_knock_on(energy, is_positron, state)
            if kinetic > 0.0:
                sin = math.sqrt(2.0 * ELECTRON_MASS_MEV / (kinetic + 2.0 * ELECTRON_MASS_MEV))
                n = push_deflected(stack, n, ELECTRON, kinetic + ELECTRON_MASS_MEV, p, sin, state)
                if not survives(stack[n - 1], air.thinning_mev, air.max_weight, state):
                    n -= 1
                book[1] -= ELECTRON_MASS_MEV * weight
                energy -= kinetic
        else:
            photon = sample_annihilation(energy, state)
            other = energy + ELECTRON_MASS_MEV - photon
            for k in (photon, other):
                tangent = photon_tangent(k, energy)
                n = _push_photon(stack, n, k, p, tangent, air.thinning_mev, air.max_weight, book, state)
            book[1] -= ELECTRON_MASS_MEV * weight
            return n
        p[1] = energy
        if not survives(p, air.thinning_mev, air.max_weight, state):
            return n
        weight = p[9]


@compiled
def follow_heavy(
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
            if not is_hadron:
                book[4] += weight
                book[5] += energy * weight
            return n
        climb = p[7] + 2.0 * CURVATURE_PER_M * (p[2] * p[5] + p[3] * p[6])
        if climb > 0.0 or energy - mass < (HADRON_CUT_MEV if is_hadron else 30.0):
            book[1] += energy * weight
            return n
        height = height_above_sea(p, air)
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
            free_path = interaction_length_g_cm2(species, energy, air.hadrons)
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
            lost = charge * charge * air.heavy_loss[j] * path
            if not is_hadron:
                # Radiation by muons: 1.8e-6 per g/cm2 (particle data group, atomic and nuclear properties of air).
                lost += 1.8e-6 * energy * path
            lost = min(lost, energy - mass)
            if sin2 > 0.0:
                count[0] = _emit_from_heavy(p, step, sin2, low, high, h, height, air, goal, per_metre, distance, light,
                                            count[0], state)  # fmt: skip
        count[1] += 1
        p[8] += step * energy / momentum
        p[1] = energy - lost
        book[0] += lost * weight
        if charge != 0.0:
            a, b = scattering_kick(max(path, 1e-3), momentum * momentum / (energy * abs(charge)), state)
            bend = charge * BENDING_PER_UT_M * step / momentum
            p[5], p[6], p[7] = _turned(ux, uy, uz, a, b, bend, air)
        # The chord of an arc has the mean of the directions at its ends.
        p[2] += 0.5 * step * (ux + p[5])
        p[3] += 0.5 * step * (uy + p[6])
        p[4] += 0.5 * step * (uz + p[7])
        if decay_length > 0.0:
            until_decay -= step / decay_length
        until_interaction -= path / free_path
        if is_decay:
            return decay(stack, n, p, state)
        if is_interaction:
            if book[3] < 0.0:
                book[3] = height
            if species == HELIUM:
                return interact_nucleus(stack, n, p, air.hadrons, state)
            return interact(stack, n, p, air.hadrons, state)


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
        step * p[9] * CHARGE[int(p[0])] ** 2,
        goal,
        per_metre,
        distance,
        light,
        n_light,
        state,
    )
