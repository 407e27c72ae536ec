"""Triggers that the night sky alone makes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.detector import Detector
from magicnn.simulation.instrument_settings import ReadoutSettings
from magicnn.simulation.noise import NOISE_SEED, noise_record

__all__ = ["AccidentalRates", "accidental_rates"]

_SAMPLES = 1 << 21
_SUMS = 8


@dataclass(frozen=True)
class AccidentalRates:
    """Rates of triggers without light of a shower.

    Attributes
    ----------
    pixel_hz : tuple of float
        A discriminator of M1 and of M2; of a patch's sum for the sum trigger.
    telescope_hz : tuple of float
        The trigger of M1 and of M2.
    stereo_hz : float
        Chance coincidences of both.
    """

    pixel_hz: tuple[float, float]
    telescope_hz: tuple[float, float]
    stereo_hz: float


def accidental_rates(telescopes: Detector, *, n_samples: int = _SAMPLES) -> AccidentalRates:
    """Estimate the rates at which the night sky triggers.

    Parameters
    ----------
    telescopes : Detector
    n_samples : int
        Length of the record of a pixel in which crossings of the threshold are counted.

    Returns
    -------
    AccidentalRates

    Notes
    -----
    Three discriminators that rise at the rate r, for a time w, coincide at 3 r^3 w^2 per triangle of pixels. Sums are
    counted for one patch of independent pixels and multiplied by the number of patches: an upper limit, because patches
    overlap. The telescopes coincide by chance at twice the product of their rates and the window. Stars, hot pixels and
    the muons and hadrons of single telescopes are left out.
    """
    readout, trigger, logic = telescopes.settings.readout, telescopes.settings.trigger, telescopes.logic
    single, triggered = [], []
    for telescope in range(2):
        level = logic.threshold_pe[telescope]
        record = noise_record(readout, telescope, n_samples=n_samples, stream=1)
        if logic.sum_clip_pe:
            crossings = _sum_crossings(record, logic.sum_clip_pe, level, logic.patches.shape[1], telescope)
            rate = crossings / (_SUMS * _seconds(n_samples, readout))
            total = rate * len(logic.patches)
        else:
            rate = _crossings(record, level) / _seconds(n_samples, readout)
            total = 3.0 * rate**3 * (logic.width_samples * readout.sample_ns * 1e-9) ** 2 * len(logic.triangles)
        single.append(rate)
        triggered.append(total)
    stereo = 2.0 * triggered[0] * triggered[1] * trigger.stereo_window_ns * 1e-9
    return AccidentalRates((single[0], single[1]), (triggered[0], triggered[1]), stereo)


def _seconds(n_samples: int, readout: ReadoutSettings) -> float:
    return n_samples * readout.sample_ns * 1e-9


def _crossings(record: NDArray[np.float32], level: float) -> int:
    above = record >= level
    return int(np.count_nonzero(above[1:] & ~above[:-1]))


def _sum_crossings(record: NDArray[np.float32], clip: float, level: float, n_pixels: int, telescope: int) -> int:
    generator = np.random.default_rng((NOISE_SEED, telescope))
    clipped = np.minimum(record, np.float32(clip))
    count = 0
    for _ in range(_SUMS):
        total = np.zeros_like(clipped)
        for shift in generator.integers(0, clipped.size, n_pixels):
            total += np.roll(clipped, shift)
        count += _crossings(total, level)
    return count
