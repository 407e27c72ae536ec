"""From photoelectrons to charge and arrival time: pulses, night sky, noise, digitisation, extraction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from magicnn.compiled import compiled
from magicnn.simulation.instrument_settings import ReadoutSettings
from magicnn.simulation.noise import (
    N_PHASES,
    NOISE_SEED,
    add_noise,
    add_steady_light,
    charge_per_sum,
    noise_record,
    pulse_table,
)
from magicnn.simulation.random_numbers import RandomState, normal_pair, random_state

__all__ = [
    "NO_STEADY_LIGHT",
    "Electronics",
    "Extraction",
    "PedestalStatistics",
    "SteadyLight",
    "analogue_signals",
    "digitise_and_extract",
    "electronics",
    "pedestal_statistics",
]

Floats = NDArray[np.float32]

_SPAN_EXTRA = 64
_PEDESTAL_RUNS = 16
_PEDESTAL_EVENTS = 50


class Extraction(NamedTuple):
    """Numbers of the digitisation and the charge extraction as the kernels see them.

    Attributes
    ----------
    n_samples, window_samples : int
    search_first, search_last : int
        First sample and the one after the last in which the window is searched for.
    sample_ns : float
    charge_per_sum : float
        Photoelectrons per sum of samples, so that a pulse has its full charge on average.
    counts_per_pe, baseline, top : float
        Digitiser.
    """

    n_samples: int
    window_samples: int
    search_first: int
    search_last: int
    sample_ns: float
    charge_per_sum: float
    counts_per_pe: float
    baseline: float
    top: float


class SteadyLight(NamedTuple):
    """Stars and hot pixels of one telescope.

    Attributes
    ----------
    pixels : int32 array, [n]
    pe_per_sample : float64 array, [n]
        On top of the night sky.
    """

    pixels: NDArray[np.int32]
    pe_per_sample: NDArray[np.float64]


NO_STEADY_LIGHT = SteadyLight(np.zeros(0, dtype=np.int32), np.zeros(0))
"""A telescope without stars and hot pixels."""


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
    steady_light : tuple of SteadyLight
        Of M1 and M2.
    baseline_sigma : tuple of float
        RMS of the digitiser's baseline per sample; the discriminators do not see it.
    extraction : Extraction
    """

    settings: ReadoutSettings
    pulse: Floats
    reach: int
    span_samples: int
    noise: Floats
    steady_light: tuple[SteadyLight, SteadyLight]
    baseline_sigma: tuple[float, float]
    extraction: Extraction


@dataclass(frozen=True)
class PedestalStatistics:
    """Empty pixels of one telescope in simulated pedestal runs.

    Attributes
    ----------
    mean_pe, rms_pe : float32 array, [runs]
        Median over the pixels of the mean and of the RMS over the events of a run.
    pixel_mean_pe, pixel_rms_pe : float32 array, [P]
        Mean and RMS of every pixel over the events of all runs: stars and hot pixels stand out.
    """

    mean_pe: Floats
    rms_pe: Floats
    pixel_mean_pe: Floats
    pixel_rms_pe: Floats


def electronics(
    settings: ReadoutSettings, steady_light: tuple[SteadyLight, SteadyLight] = (NO_STEADY_LIGHT, NO_STEADY_LIGHT)
) -> Electronics:
    """Build the signal chains.

    Parameters
    ----------
    settings : ReadoutSettings
    steady_light : tuple of SteadyLight
        What single pixels of M1 and M2 see on top of the night sky.
    """
    pulse, reach = pulse_table(settings)
    per_sum = charge_per_sum(pulse, settings.window_samples)
    noise = np.stack([noise_record(settings, t) for t in range(2)])
    per_sample = 1.0 / (per_sum * settings.window_samples)
    return Electronics(
        settings=settings,
        pulse=pulse,
        reach=reach,
        span_samples=settings.n_samples + _SPAN_EXTRA,
        noise=noise,
        steady_light=steady_light,
        baseline_sigma=(settings.baseline_noise_pe[0] * per_sample, settings.baseline_noise_pe[1] * per_sample),
        extraction=Extraction(
            n_samples=settings.n_samples,
            window_samples=settings.window_samples,
            search_first=settings.search_samples[0],
            search_last=min(settings.search_samples[1], settings.n_samples),
            sample_ns=settings.sample_ns,
            charge_per_sum=per_sum,
            counts_per_pe=settings.adc_counts_per_pe,
            baseline=float(settings.adc_baseline),
            top=float(settings.adc_range - 1),
        ),
    )


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
        shape = pulse[int((arrival_samples[i] - place) * N_PHASES)]
        first = int(place) - reach
        row = signals[pixels[i]]
        amplitude = np.float32(gain)
        for k in range(max(0, -first), min(shape.shape[0], n_samples - first)):
            row[first + k] += amplitude * shape[k]


def _add_darkness(telescope: int, chain: Electronics, signals: Floats, state: RandomState) -> None:
    add_noise(chain.noise[telescope], signals, state)
    steady = chain.steady_light[telescope]
    if len(steady.pixels):
        spread = chain.settings.single_pe_spread
        add_steady_light(steady.pixels, steady.pe_per_sample, chain.pulse, chain.reach, spread, signals, state)


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
    _add_darkness(telescope, chain, out, state)
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
    window, n_samples, low = extraction.window_samples, extraction.n_samples, extraction.search_first
    counts = np.empty(n_samples)
    for pixel in range(signals.shape[0]):
        shift = extraction.baseline + extraction.counts_per_pe * baseline_sigma * normal_pair(state)[0]
        for k in range(n_samples):
            value = math.floor(shift + extraction.counts_per_pe * signals[pixel, start + k] + 0.5)
            counts[k] = min(max(value, 0.0), extraction.top) - extraction.baseline
        total = 0.0
        for k in range(low, low + window):
            total += counts[k]
        best, first = total, low
        for k in range(low + window, extraction.search_last):
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
    state = random_state((NOISE_SEED, telescope))
    charge = np.empty((n_events, n_pixels), dtype=np.float32)
    time = np.empty(n_pixels, dtype=np.float32)
    signals = np.empty((n_pixels, chain.settings.n_samples), dtype=np.float32)
    total, squares = np.zeros(n_pixels), np.zeros(n_pixels)
    means, spreads = np.empty(n_runs, dtype=np.float32), np.empty(n_runs, dtype=np.float32)
    for run in range(n_runs):
        for event in range(n_events):
            _add_darkness(telescope, chain, signals, state)
            _extract(signals, 0, chain.baseline_sigma[telescope], chain.extraction, charge[event], time, state)
        mean, spread = charge.mean(axis=0), charge.std(axis=0)
        means[run], spreads[run] = np.median(mean), np.median(spread)
        total += mean / n_runs
        squares += (spread**2 + mean**2) / n_runs
    spread = np.sqrt(np.maximum(squares - total**2, 0.0))
    return PedestalStatistics(means, spreads, total.astype(np.float32), spread.astype(np.float32))
