"""The trigger: three touching pixels above threshold at the same time, in both telescopes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.simulation.compiled import compiled
from magicnn.simulation.settings import TriggerSettings

__all__ = ["TriggerLogic", "could_trigger", "trigger_logic", "trigger_sample"]

_PREPARED_PE = 6
# A triangle needs about 12 photoelectrons. With half of them the night sky alone can help out, but the chance is far
# below a thousandth of the triggers: see the test.
_WORD = 64


@dataclass(frozen=True)
class TriggerLogic:
    """The next-neighbour logic of both telescopes.

    Attributes
    ----------
    pixels : int32 array, [n]
        Pixels that take part.
    triangles : int32 array, [m, 3]
        Every three pixels that touch each other, as indices into the camera.
    threshold_pe : tuple of float
        Of M1 and M2, in amplitudes of one photoelectron.
    width_samples : int
        Length of a discriminator's signal.
    """

    pixels: NDArray[np.int32]
    triangles: NDArray[np.int32]
    threshold_pe: tuple[float, float]
    width_samples: int


def trigger_logic(settings: TriggerSettings, camera: Camera, sample_ns: float) -> TriggerLogic:
    """Build the logic.

    Parameters
    ----------
    settings : TriggerSettings
    camera : Camera
    sample_ns : float
        Time between the samples of the signals that it will see.
    """
    radius_m = camera.focal_length_m * math.radians(settings.radius_deg)
    takes_part = np.hypot(camera.x_m, camera.y_m) < radius_m
    # Any triangle has a corner whose two others lie along neighbouring axial steps; steps 0, 1 and 1, 2 find each once.
    around = camera.neighbours
    candidates = np.concatenate(
        [np.column_stack([np.arange(camera.n_pixels), around[:, k], around[:, k + 1]]) for k in (0, 1)]
    )
    inside = (candidates >= 0).all(axis=1) & takes_part[candidates].all(axis=1)
    return TriggerLogic(
        pixels=np.flatnonzero(takes_part).astype(np.int32),
        triangles=np.ascontiguousarray(candidates[inside].astype(np.int32)),
        threshold_pe=settings.threshold_pe,
        width_samples=max(1, round(settings.coincidence_ns / sample_ns)),
    )


@compiled
def _could_trigger(counts: NDArray[np.int32], triangles: NDArray[np.int32], needed: int) -> bool:
    for k in range(triangles.shape[0]):
        if counts[triangles[k, 0]] + counts[triangles[k, 1]] + counts[triangles[k, 2]] >= needed:
            return True
    return False


def could_trigger(pixels: NDArray[np.int32], n_pixels: int, logic: TriggerLogic) -> bool:
    """Say whether the light of a shower may trigger a telescope at all, without simulating any signal.

    Parameters
    ----------
    pixels : int32 array, [M]
        Pixel of each photoelectron, -1 for none.
    n_pixels : int
    logic : TriggerLogic

    Returns
    -------
    bool
        False when no three touching pixels have six photoelectrons together, at whatever times.
    """
    if len(pixels) < _PREPARED_PE:
        return False
    counts = np.bincount(pixels[pixels >= 0], minlength=n_pixels).astype(np.int32)
    return _could_trigger(counts, logic.triangles, _PREPARED_PE)


@compiled
def _trigger_sample(
    signals: NDArray[np.float32],
    pixels: NDArray[np.int32],
    triangles: NDArray[np.int32],
    threshold: float,
    width: int,
) -> int:
    n_samples = signals.shape[1]
    n_words = (n_samples + _WORD - 1) // _WORD
    active = np.zeros((signals.shape[0], n_words), dtype=np.uint64)
    level = np.float32(threshold)
    for pixel in pixels:
        row = signals[pixel]
        is_above = True  # what was above before the span began has not crossed the threshold in it
        until = 0
        for k in range(n_samples):
            if row[k] >= level:
                if not is_above:
                    until = k + width
                is_above = True
            else:
                is_above = False
            if k < until:
                active[pixel, k // _WORD] |= np.uint64(1) << np.uint64(k % _WORD)
    first = n_samples
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        for word in range(n_words):
            if word * _WORD >= first:
                break
            both = active[a, word] & active[b, word] & active[c, word]
            if both != np.uint64(0):
                bit = 0
                while not (both >> np.uint64(bit)) & np.uint64(1):
                    bit += 1
                first = min(first, word * _WORD + bit)
                break
    return first if first < n_samples else -1


def trigger_sample(signals: NDArray[np.float32], telescope: int, logic: TriggerLogic) -> int:
    """Find the first coincidence of three touching pixels.

    Parameters
    ----------
    signals : float32 array, [P, samples]
        Analogue signals, amplitudes of one photoelectron.
    telescope : int
        0 or 1: its threshold.
    logic : TriggerLogic

    Returns
    -------
    int
        The first sample in which the discriminators of three pixels that touch each other are active, -1 when there
        is none. A discriminator is active for ``width_samples`` from the sample in which its signal rises above the
        threshold.
    """
    threshold = logic.threshold_pe[telescope]
    return int(_trigger_sample(signals, logic.pixels, logic.triangles, threshold, logic.width_samples))
