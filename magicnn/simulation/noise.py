"""What a pixel sees without a shower: pulses of the night sky, afterpulses, stars, electronic noise."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.runs import seed_sequence
from magicnn.simulation.instrument_settings import ReadoutSettings
from magicnn.simulation.random_numbers import RandomState, normal_pair, poisson, uniform

__all__ = ["NOISE_SEED", "N_PHASES", "add_noise", "add_steady_light", "charge_per_sum", "noise_record", "pulse_table"]

Floats = NDArray[np.float32]

N_PHASES = 16
"""Positions within a sample at which the pulse is tabulated."""
NOISE_SEED = 1039
"""One record of noise serves every production: the noise of two must not differ by anything to learn from."""
_REACH_SIGMA = 5.0
_SAMPLES = 1 << 18  # a longer record leaves the cache of the processor, and every pixel costs a miss


def pulse_table(settings: ReadoutSettings) -> tuple[Floats, int]:
    """Tabulate the pulse of a photoelectron at the phases of a sample.

    Returns
    -------
    pulse : float32 array, [16, L]
        One photoelectron arriving at a fraction (k + 0.5)/16 of a sample, peak amplitude 1.
    reach : int
        Samples of the pulse before the one in which it arrives.
    """
    reach = math.ceil(_REACH_SIGMA * settings.pulse_sigma_ns / settings.sample_ns)
    sample = np.arange(-reach, reach + 1)
    phase = (np.arange(N_PHASES) + 0.5) / N_PHASES
    distance_ns = (sample[None, :] - phase[:, None]) * settings.sample_ns
    return np.exp(-0.5 * (distance_ns / settings.pulse_sigma_ns) ** 2).astype(np.float32), reach


def charge_per_sum(pulse: Floats, window: int) -> float:
    """Give the charge of one photoelectron over the largest sum of samples, averaged over its phases."""
    padded = np.pad(pulse.astype(np.float64), ((0, 0), (window, window)))
    sums = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1).sum(axis=2)
    return float(1.0 / sums.max(axis=1).mean())


def noise_record(settings: ReadoutSettings, telescope: int, *, n_samples: int = _SAMPLES, stream: int = 0) -> Floats:
    """Simulate a long record of night sky, afterpulses and white electronic noise of one pixel.

    Parameters
    ----------
    settings : ReadoutSettings
    telescope : int
        0 or 1.
    n_samples : int
    stream : int
        Another number gives an independent record.

    Returns
    -------
    float32 array, [n_samples]
        Amplitudes of one photoelectron; without its mean, because the signals are AC coupled.

    Notes
    -----
    Afterpulses come hundreds of nanoseconds after their photoelectrons, so in a record of the night sky they are
    further pulses at random times. Those of the shower itself come after the readout window.
    """
    words = ("noise", telescope) if stream == 0 else ("noise", telescope, stream)
    generator = np.random.default_rng(seed_sequence(NOISE_SEED, *words))
    pulse, _ = pulse_table(settings)
    length = n_samples + pulse.shape[1]
    rate = settings.night_sky_pe_per_ns[telescope] * settings.sample_ns
    record = np.zeros(length)

    def scatter(mean_per_sample: float, spectrum: str) -> None:
        place = generator.integers(0, n_samples, generator.poisson(mean_per_sample * n_samples))
        phase = generator.integers(0, N_PHASES, place.size)
        if spectrum == "single":
            height = np.maximum(0.0, 1.0 + settings.single_pe_spread * generator.standard_normal(place.size))
        else:
            height = settings.afterpulse_amplitude_pe * generator.standard_exponential(place.size)
        for offset in range(pulse.shape[1]):
            record[:] += np.bincount(place + offset, height * pulse[phase, offset], length)

    scatter(rate, "single")
    after = rate * settings.afterpulse_probability
    if after > 0.0:
        scatter(after, "afterpulse")
    area = float(pulse.sum(axis=1).mean())
    signal = record[:n_samples] - (rate + after * settings.afterpulse_amplitude_pe) * area
    window = charge_per_sum(pulse, settings.window_samples) * math.sqrt(settings.window_samples)
    white = settings.electronic_noise_pe[telescope] / window
    return (signal + white * generator.standard_normal(n_samples)).astype(np.float32)


@compiled
def add_noise(noise: Floats, signals: Floats, state: RandomState) -> None:
    """Fill the signals of all pixels, [P, samples], with pieces of a record of noise."""
    n_pixels, n_samples = signals.shape
    room = noise.shape[0] - n_samples
    for pixel in range(n_pixels):
        start = int(uniform(state) * room)
        signals[pixel] = noise[start : start + n_samples]


@compiled
def add_steady_light(
    pixels: NDArray[np.int32],
    rate_per_sample: NDArray[np.float64],
    pulse: Floats,
    reach: int,
    spread: float,
    signals: Floats,
    state: RandomState,
) -> None:
    """Add photoelectrons of stars and hot pixels at random times, without their mean.

    Parameters
    ----------
    pixels : int32 array, [n]
        Pixels with more than the night sky.
    rate_per_sample : float64 array, [n]
        Additional photoelectrons per sample.
    pulse, reach, spread
        As of the signal chain.
    signals : float32 array, [P, samples]
        Changed in place.
    state : random state
    """
    n_samples = signals.shape[1]
    length = pulse.shape[1]
    area = 0.0
    for value in pulse[pulse.shape[0] // 2]:
        area += value
    for i in range(pixels.shape[0]):
        row = signals[pixels[i]]
        for k in range(n_samples):
            row[k] -= np.float32(rate_per_sample[i] * area)
        # Pulses that begin before or end behind the span reach into it.
        count = poisson(rate_per_sample[i] * (n_samples + length), state)
        for _ in range(count):
            place = uniform(state) * (n_samples + length) - reach
            gain = 1.0 + spread * normal_pair(state)[0]
            if gain <= 0.0:
                continue
            whole = math.floor(place)
            shape = pulse[int((place - whole) * pulse.shape[0])]
            first = int(whole) - reach
            amplitude = np.float32(gain)
            for k in range(max(0, -first), min(length, n_samples - first)):
                row[first + k] += amplitude * shape[k]
