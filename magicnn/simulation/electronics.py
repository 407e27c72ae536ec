"""From photoelectrons to charge and arrival time: pulses, night sky, noise, digitisation, extraction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from magicnn.runs import seed_sequence
from magicnn.simulation.compiled import RandomState, compiled, normal_pair, random_state, uniform
from magicnn.simulation.settings import ReadoutSettings

__all__ = [
    "Electronics",
    "Extraction",
    "PedestalStatistics",
    "analogue_signals",
    "digitise_and_extract",
    "electronics",
    "pedestal_statistics",
]

Floats = NDArray[np.float32]

_PHASES = 16
_REACH_SIGMA = 5.0
_SPAN_EXTRA = 64
_NOISE_SAMPLES = 1 << 18  # a longer record leaves the cache of the processor, and every pixel costs a miss
_NOISE_SEED = 1039
# One record of noise and one set of pedestal runs serve every production: the noise of two productions must not
# differ by anything that a classifier could learn.
_PEDESTAL_RUNS = 16
_PEDESTAL_EVENTS = 50


class Extraction(NamedTuple):
    """Numbers of the digitisation and the charge extraction as the kernels see them.

    Attributes
    ----------
    n_samples, window_samples : int
    sample_ns : float
    charge_per_sum : float
        Photoelectrons per sum of samples, so that a pulse has its full charge on average.
    counts_per_pe, baseline, top : float
        Digitiser.
    """

    n_samples: int
    window_samples: int
    sample_ns: float
    charge_per_sum: float
    counts_per_pe: float
    baseline: float
    top: float


@dataclass(frozen=True)
class Electronics:
    """Signal chains of both telescopes, made once per process.

    Attributes
    ----------
    settings : ReadoutSettings
    pulse : float32 array, [16, L]
        One photoelectron arriving at a fraction k/16 of a sample, peak amplitude 1.
    reach : int
        Samples of the pulse before the one in which it arrives.
    span_samples : int
        Samples that are simulated around the shower's light, of which ``n_samples`` are read out.
    noise : float32 array, [2, samples]
        Night sky and electronic noise of either telescope, amplitudes of one photoelectron.
    baseline_sigma : tuple of float
        RMS of the digitiser's baseline per sample; the discriminators do not see it.
    extraction : Extraction
    """

    settings: ReadoutSettings
    pulse: Floats
    reach: int
    span_samples: int
    noise: Floats
    baseline_sigma: tuple[float, float]
    extraction: Extraction


@dataclass(frozen=True)
class PedestalStatistics:
    """Empty pixels of one telescope in simulated pedestal runs.

    Attributes
    ----------
    mean_pe, rms_pe : float32 array, [runs]
        Median over the pixels of the mean and of the RMS over the events of a run.
    """

    mean_pe: Floats
    rms_pe: Floats


def _pulse(settings: ReadoutSettings) -> tuple[Floats, int]:
    """Tabulate the pulse of a photoelectron at the phases of a sample."""
    reach = math.ceil(_REACH_SIGMA * settings.pulse_sigma_ns / settings.sample_ns)
    sample = np.arange(-reach, reach + 1)
    phase = (np.arange(_PHASES) + 0.5) / _PHASES
    distance_ns = (sample[None, :] - phase[:, None]) * settings.sample_ns
    return np.exp(-0.5 * (distance_ns / settings.pulse_sigma_ns) ** 2).astype(np.float32), reach


def _charge_per_sum(pulse: Floats, window: int) -> float:
    """Give the charge of one photoelectron over the largest sum of samples, averaged over its phases."""
    padded = np.pad(pulse.astype(np.float64), ((0, 0), (window, window)))
    sums = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1).sum(axis=2)
    return float(1.0 / sums.max(axis=1).mean())


def _noise_record(settings: ReadoutSettings, telescope: int, pulse: Floats, charge_per_sum: float) -> Floats:
    """Simulate a long record of night sky and white electronic noise, without its mean (AC coupling)."""
    generator = np.random.default_rng(seed_sequence(_NOISE_SEED, "noise", telescope))
    length = _NOISE_SAMPLES + pulse.shape[1]
    rate = settings.night_sky_pe_per_ns[telescope] * settings.sample_ns
    place = generator.integers(0, _NOISE_SAMPLES, generator.poisson(rate * _NOISE_SAMPLES))
    phase = generator.integers(0, _PHASES, place.size)
    gain = np.maximum(0.0, 1.0 + settings.single_pe_spread * generator.standard_normal(place.size))
    record = np.zeros(length)
    for offset in range(pulse.shape[1]):
        record += np.bincount(place + offset, gain * pulse[phase, offset], length)
    record = record[:_NOISE_SAMPLES] - rate * float(pulse.sum(axis=1).mean())
    white = settings.electronic_noise_pe[telescope] / (charge_per_sum * math.sqrt(settings.window_samples))
    return (record + white * generator.standard_normal(_NOISE_SAMPLES)).astype(np.float32)


def electronics(settings: ReadoutSettings) -> Electronics:
    """Build the signal chains.

    Parameters
    ----------
    settings : ReadoutSettings
    """
    pulse, reach = _pulse(settings)
    charge_per_sum = _charge_per_sum(pulse, settings.window_samples)
    noise = np.stack([_noise_record(settings, t, pulse, charge_per_sum) for t in range(2)])
    per_sample = 1.0 / (charge_per_sum * settings.window_samples)
    return Electronics(
        settings=settings,
        pulse=pulse,
        reach=reach,
        span_samples=settings.n_samples + _SPAN_EXTRA,
        noise=noise,
        baseline_sigma=(settings.baseline_noise_pe[0] * per_sample, settings.baseline_noise_pe[1] * per_sample),
        extraction=Extraction(
            n_samples=settings.n_samples,
            window_samples=settings.window_samples,
            sample_ns=settings.sample_ns,
            charge_per_sum=charge_per_sum,
            counts_per_pe=settings.adc_counts_per_pe,
            baseline=float(settings.adc_baseline),
            top=float(settings.adc_range - 1),
        ),
    )


@compiled
def _add_noise(noise: Floats, signals: Floats, state: RandomState) -> None:
    n_pixels, n_samples = signals.shape
    room = noise.shape[0] - n_samples
    for pixel in range(n_pixels):
        start = int(uniform(state) * room)
        signals[pixel] = noise[start : start + n_samples]


@compiled
def _add_light(
    pixels: NDArray[np.int32],
    arrival_samples: NDArray[np.float64],
    pulse: Floats,
    reach: int,
    spread: float,
    signals: Floats,
    state: RandomState,
) -> None:
    n_samples = signals.shape[1]
    for i in range(pixels.shape[0]):
        gain = 1.0 + spread * normal_pair(state)[0]
        if pixels[i] < 0 or gain <= 0.0:
            continue
        place = math.floor(arrival_samples[i])
        shape = pulse[int((arrival_samples[i] - place) * _PHASES)]
        first = int(place) - reach
        row = signals[pixels[i]]
        amplitude = np.float32(gain)
        for k in range(max(0, -first), min(shape.shape[0], n_samples - first)):
            row[first + k] += amplitude * shape[k]


def analogue_signals(
    pixels: NDArray[np.int32],
    arrival_samples: NDArray[np.float64],
    telescope: int,
    chain: Electronics,
    state: RandomState,
    *,
    out: Floats,
) -> Floats:
    """Simulate the signals of all pixels around the light of a shower.

    Parameters
    ----------
    pixels : int32 array, [M]
        Pixel of each photoelectron, -1 for none.
    arrival_samples : float64 array, [M]
        Time of each photoelectron, in samples from the start of the span.
    telescope : int
        0 or 1: its night sky and noise.
    chain : Electronics
    state : random state
    out : float32 array, [P, span_samples]
        Where to write, whatever it holds: half a megabyte of fresh memory for each event would cost as much as all
        the rest.

    Returns
    -------
    float32 array, [P, span_samples]
        ``out``: in amplitudes of one photoelectron, around zero.
    """
    _add_noise(chain.noise[telescope], out, state)
    _add_light(pixels, arrival_samples, chain.pulse, chain.reach, chain.settings.single_pe_spread, out, state)
    return out


@compiled
def _extract(
    signals: Floats,
    start: int,
    baseline_sigma: float,
    extraction: Extraction,
    charge: Floats,
    time: Floats,
    state: RandomState,
) -> None:
    window, n_samples = extraction.window_samples, extraction.n_samples
    counts = np.empty(n_samples)
    for pixel in range(signals.shape[0]):
        shift = extraction.baseline + extraction.counts_per_pe * baseline_sigma * normal_pair(state)[0]
        for k in range(n_samples):
            value = math.floor(shift + extraction.counts_per_pe * signals[pixel, start + k] + 0.5)
            counts[k] = min(max(value, 0.0), extraction.top) - extraction.baseline
        total = 0.0
        for k in range(window):
            total += counts[k]
        best, first = total, 0
        for k in range(window, n_samples):
            total += counts[k] - counts[k - window]
            if total > best:
                best, first = total, k - window + 1
        moment = 0.0
        for k in range(first, first + window):
            moment += k * counts[k]
        charge[pixel] = best * extraction.charge_per_sum / extraction.counts_per_pe
        # Where positive and negative samples cancel, the mean lies anywhere: there is no arrival time then.
        mean = moment / best if best != 0.0 else -1.0
        time[pixel] = mean * extraction.sample_ns if 0.0 <= mean <= n_samples - 1 else np.nan


def digitise_and_extract(
    signals: Floats, start: int, telescope: int, chain: Electronics, state: RandomState
) -> tuple[Floats, Floats]:
    """Digitise the readout window and extract charges and arrival times.

    Parameters
    ----------
    signals : float32 array, [P, span_samples]
        Analogue signals.
    start : int
        First sample of the readout window.
    telescope : int
        0 or 1: its baseline noise and its unusable pixels.
    chain : Electronics
    state : random state
        For the baselines.

    Returns
    -------
    charge, time : float32 arrays, [P]
        Photoelectrons by the largest sum in the sliding window, and the charge-weighted mean time in that window, ns
        from the start of the readout. NaN for unusable pixels, and times also where the mean leaves the readout
        window because the charges of the samples cancel.
    """
    charge = np.empty(len(signals), dtype=np.float32)
    time = np.empty(len(signals), dtype=np.float32)
    _extract(signals, start, chain.baseline_sigma[telescope], chain.extraction, charge, time, state)
    dead = list(chain.settings.dead_pixels[telescope])
    charge[dead] = np.nan
    time[dead] = np.nan
    return charge, time


def pedestal_statistics(
    chain: Electronics,
    telescope: int,
    n_pixels: int,
    *,
    n_runs: int = _PEDESTAL_RUNS,
    n_events: int = _PEDESTAL_EVENTS,
) -> PedestalStatistics:
    """Simulate pedestal runs: what the charge extraction makes of pixels without light.

    Parameters
    ----------
    chain : Electronics
    telescope : int
        0 or 1.
    n_pixels : int
        Pixels of the camera.
    n_runs, n_events : int
        Number of runs, and of events in each.

    Returns
    -------
    PedestalStatistics
    """
    state = random_state((_NOISE_SEED, telescope))
    charge = np.empty((n_events, n_pixels), dtype=np.float32)
    time = np.empty(n_pixels, dtype=np.float32)
    signals = np.empty((n_pixels, chain.settings.n_samples), dtype=np.float32)
    means, spreads = np.empty(n_runs, dtype=np.float32), np.empty(n_runs, dtype=np.float32)
    for run in range(n_runs):
        for event in range(n_events):
            _add_noise(chain.noise[telescope], signals, state)
            _extract(signals, 0, chain.baseline_sigma[telescope], chain.extraction, charge[event], time, state)
        means[run] = np.median(charge.mean(axis=0))
        spreads[run] = np.median(charge.std(axis=0))
    return PedestalStatistics(means, spreads)
