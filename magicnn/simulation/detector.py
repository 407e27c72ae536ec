"""Both telescopes as one: from the photoelectrons of a shower to triggered, calibrated events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.simulation.electronics import (
    Electronics,
    PedestalStatistics,
    SteadyLight,
    analogue_signals,
    digitise_and_extract,
    electronics,
    pedestal_statistics,
)
from magicnn.simulation.instrument_settings import DetectorSettings, ReadoutSettings
from magicnn.simulation.optics import Lattice, focal_plane, lattice, lose, pixel_indices
from magicnn.simulation.random_numbers import random_state, uniform
from magicnn.simulation.showers import ShowerLight
from magicnn.simulation.throughput import star_light_pe_per_ns
from magicnn.simulation.trigger import TriggerLogic, could_trigger, trigger_logic, trigger_sample

__all__ = ["Detector", "TelescopeLight", "TriggeredEvent", "detector", "observe", "telescope_light"]

N_TELESCOPES = 2


@dataclass(frozen=True)
class Detector:
    """Both telescopes, made once per process.

    Attributes
    ----------
    settings : DetectorSettings
    camera : Camera
    lattice : Lattice
    chain : Electronics
    logic : TriggerLogic
    pedestals : tuple of PedestalStatistics
        Of M1 and M2.
    """

    settings: DetectorSettings
    camera: Camera
    lattice: Lattice
    chain: Electronics
    logic: TriggerLogic
    pedestals: tuple[PedestalStatistics, PedestalStatistics]


@dataclass(frozen=True)
class TelescopeLight:
    """The light of a shower in the camera of one telescope.

    Attributes
    ----------
    pixels : int32 array, [M]
        Pixel of each photoelectron, -1 outside of the camera.
    arrival_ns : float64 array, [M]
        Time in the camera.
    n_pe : int
        Photoelectrons in the camera.
    """

    pixels: NDArray[np.int32]
    arrival_ns: NDArray[np.float64]
    n_pe: int


@dataclass(frozen=True)
class TriggeredEvent:
    """A use of a shower that triggered both telescopes.

    Attributes
    ----------
    reuse : int
        Which use.
    charge_pe, time_ns : float32 array, [2, P]
        Images of M1 and M2.
    true_pe : float32 array, [2]
        Photoelectrons of the shower in the cameras.
    true_pixel_pe : uint16 array, [2, P]
        The same for every pixel.
    pedestal_mean_pe, pedestal_rms_pe : float32 array, [2]
        Of a simulated pedestal run.
    """

    reuse: int
    charge_pe: NDArray[np.float32]
    time_ns: NDArray[np.float32]
    true_pe: NDArray[np.float32]
    true_pixel_pe: NDArray[np.uint16]
    pedestal_mean_pe: NDArray[np.float32]
    pedestal_rms_pe: NDArray[np.float32]


def detector(settings: DetectorSettings, camera: Camera | None = None) -> Detector:
    """Build the telescopes: noise records, pedestal runs, trigger logic."""
    camera = camera or Camera.magic()
    readout = settings.readout
    extra = [star_light_pe_per_ns(readout, settings.optics, t, camera) for t in range(N_TELESCOPES)]
    lit = [np.flatnonzero(rates) for rates in extra]
    steady = [
        SteadyLight(pixels.astype(np.int32), rates[pixels] * readout.sample_ns)
        for pixels, rates in zip(lit, extra, strict=True)
    ]
    chain = electronics(readout, (steady[0], steady[1]))
    return Detector(
        settings=settings,
        camera=camera,
        lattice=lattice(camera),
        chain=chain,
        logic=trigger_logic(settings.trigger, camera, readout.sample_ns, _threshold_factors(readout, extra)),
        pedestals=(
            pedestal_statistics(chain, 0, camera.n_pixels),
            pedestal_statistics(chain, 1, camera.n_pixels),
        ),
    )


def _threshold_factors(readout: ReadoutSettings, extra: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Raise the thresholds of lit pixels with the spread of their photoelectrons, as individual rate control does."""
    factors = []
    for telescope, rates in enumerate(extra):
        factor = np.sqrt(1.0 + rates / max(readout.night_sky_pe_per_ns[telescope], 0.01))
        factor[list(readout.dead_pixels[telescope])] = np.inf
        factors.append(factor)
    return np.array(factors, dtype=np.float32)


def observe(light: ShowerLight, telescopes: Detector, seeds: Sequence[Sequence[int]]) -> list[TriggeredEvent]:
    """Simulate the telescopes' response to every use of a shower.

    Parameters
    ----------
    light : ShowerLight
        Photoelectrons, sorted by use and telescope.
    telescopes : Detector
    seeds : sequence of sequence of int, [K]
        Seed of each use.

    Returns
    -------
    list of TriggeredEvent
        In the order of the uses; only those that triggered both telescopes.
    """
    key = light.reuse.astype(np.int64) * N_TELESCOPES + light.telescope
    edges = np.searchsorted(key, np.arange(len(seeds) * N_TELESCOPES + 1))
    room = np.empty((N_TELESCOPES, telescopes.camera.n_pixels, telescopes.chain.span_samples), dtype=np.float32)
    events = []
    for reuse, seed in enumerate(seeds):
        bounds = edges[reuse * N_TELESCOPES : (reuse + 1) * N_TELESCOPES + 1]
        event = _observe_once(light, bounds, reuse, telescopes, seed, room)
        if event is not None:
            events.append(event)
    return events


def telescope_light(light: ShowerLight, which: slice, telescopes: Detector, seed: Sequence[int]) -> TelescopeLight:
    """Image the light of one telescope of one use onto the pixels."""
    state = random_state(seed)
    image_m, arrival_ns = focal_plane(
        light.x_deg[which],
        light.y_deg[which],
        light.mirror_x_m[which],
        light.mirror_y_m[which],
        light.time_ns[which],
        telescopes.settings.optics,
        state,
    )
    pixels = pixel_indices(image_m, telescopes.lattice)
    if len(pixels):
        share = telescopes.settings.optics.relative_efficiency[int(light.telescope[which.start])]
        if share < 1.0:
            lose(pixels, 1.0 - share, state)
    return TelescopeLight(pixels, arrival_ns, int(np.count_nonzero(pixels >= 0)))


def _counts(seen: TelescopeLight, n_pixels: int) -> NDArray[np.uint16]:
    counts = np.bincount(seen.pixels[seen.pixels >= 0], minlength=n_pixels)
    return np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16)


def _observe_once(
    light: ShowerLight,
    bounds: NDArray[np.intp],
    reuse: int,
    telescopes: Detector,
    seed: Sequence[int],
    room: NDArray[np.float32],
) -> TriggeredEvent | None:
    n_pixels = telescopes.camera.n_pixels
    images = []
    for telescope in range(N_TELESCOPES):
        which = slice(int(bounds[telescope]), int(bounds[telescope + 1]))
        seen = telescope_light(light, which, telescopes, (*seed, telescope))
        if not could_trigger(seen.pixels, n_pixels, telescopes.logic):
            return None
        images.append(seen)
    chain, readout = telescopes.chain, telescopes.settings.readout
    state = random_state((*seed, N_TELESCOPES))
    sample_ns = readout.sample_ns
    signals, triggers, trigger_ns = [], [], []
    for telescope, seen in enumerate(images):
        arrivals = seen.arrival_ns[seen.pixels >= 0]
        middle = float(np.partition(arrivals, len(arrivals) // 2)[len(arrivals) // 2])
        start_ns = middle - 0.5 * chain.span_samples * sample_ns
        # The sampling clock runs freely, so the light falls anywhere between two samples.
        start_ns -= uniform(state) * sample_ns
        arrival = (seen.arrival_ns - start_ns) / sample_ns
        signal = analogue_signals(seen.pixels, arrival, telescope, chain, state, out=room[telescope])
        trigger = trigger_sample(signal, telescope, telescopes.logic)
        if trigger < 0:
            return None
        signals.append(signal)
        triggers.append(trigger)
        trigger_ns.append(start_ns + trigger * sample_ns)
    if abs(trigger_ns[1] - trigger_ns[0]) > telescopes.settings.trigger.stereo_window_ns:
        return None
    jitter = np.random.default_rng((*seed, N_TELESCOPES + 1))
    charges, times = [], []
    for telescope, (signal, trigger) in enumerate(zip(signals, triggers, strict=True)):
        before_ns = readout.pre_trigger_ns + readout.trigger_jitter_ns * jitter.standard_normal()
        start = min(max(trigger - math.floor(before_ns / sample_ns + 0.5), 0), chain.span_samples - readout.n_samples)
        charge, time = digitise_and_extract(signal, start, telescope, chain, state)
        charges.append(charge)
        times.append(time)
    run = int(jitter.integers(len(telescopes.pedestals[0].mean_pe)))
    return TriggeredEvent(
        reuse=reuse,
        charge_pe=np.stack(charges),
        time_ns=np.stack(times),
        true_pe=np.array([seen.n_pe for seen in images], dtype=np.float32),
        true_pixel_pe=np.stack([_counts(seen, n_pixels) for seen in images]),
        pedestal_mean_pe=np.array([p.mean_pe[run] for p in telescopes.pedestals], dtype=np.float32),
        pedestal_rms_pe=np.array([p.rms_pe[run] for p in telescopes.pedestals], dtype=np.float32),
    )
