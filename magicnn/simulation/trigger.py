"""The trigger: three touching pixels above threshold at the same time, or a sum over a patch, in both telescopes.

MAGIC's first level looks for three next neighbours in 19 overlapping macrocells of 37 pixels. Here they are looked for
in all 547 pixels at once: three pixels that touch lie in one macrocell wherever the cells overlap, so the layout,
which no publication that we read states, would matter at the rim only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.compiled import compiled
from magicnn.simulation.instrument_settings import TriggerSettings

__all__ = ["TriggerLogic", "could_trigger", "trigger_logic", "trigger_sample"]

_PREPARED_PE = 6
# A triangle needs about 12 photoelectrons. With half of them the night sky alone can help out, but the chance is far
# below a thousandth of the triggers: see the test.
_PREPARED_SHARE = 0.5
# A sum trigger asks for this share of its threshold; the rest is at least four standard deviations of the night sky.
_WORD = 64
_PATCH_RADIUS = 2
_PATCH_STEP = 3


@dataclass(frozen=True)
class TriggerLogic:
    """The next-neighbour logic of both telescopes.

    Attributes
    ----------
    pixels : int32 array, [n]
        Pixels that take part.
    triangles : int32 array, [m, 3]
        Every three pixels that touch each other, as indices into the camera.
    patches : int32 array, [k, 19]
        Pixels of every patch of the sum trigger.
    threshold_pe : tuple of float
        Of M1 and M2, in amplitudes of one photoelectron.
    pixel_factor : float32 array, [2, P]
        Factor on the threshold of each pixel: stars raise it, unusable pixels have infinity.
    width_samples : int
        Length of a discriminator's signal.
    sum_clip_pe : float
        Amplitude at which the sum trigger clips; 0 for the next-neighbour logic.
    """

    pixels: NDArray[np.int32]
    triangles: NDArray[np.int32]
    patches: NDArray[np.int32]
    threshold_pe: tuple[float, float]
    pixel_factor: NDArray[np.float32]
    width_samples: int
    sum_clip_pe: float


def trigger_logic(
    settings: TriggerSettings, camera: Camera, sample_ns: float, pixel_factor: NDArray[np.float32] | None = None
) -> TriggerLogic:
    """Build the logic.

    Parameters
    ----------
    settings : TriggerSettings
    camera : Camera
    sample_ns : float
        Time between the samples of the signals that it will see.
    pixel_factor : float32 array, [2, P], optional
        Factor on the threshold of each pixel; 1 when not given.
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
        patches=_patches(camera, takes_part),
        threshold_pe=settings.sum_threshold_pe if settings.kind == "sum" else settings.threshold_pe,
        pixel_factor=np.ones((2, camera.n_pixels), dtype=np.float32) if pixel_factor is None else pixel_factor,
        width_samples=max(1, round(settings.coincidence_ns / sample_ns)),
        sum_clip_pe=settings.sum_clip_pe if settings.kind == "sum" else 0.0,
    )


def _patches(camera: Camera, takes_part: NDArray[np.bool_]) -> NDArray[np.int32]:
    """List hexagons of 19 pixels on every third pixel of the lattice, so that neighbours overlap by two rows."""
    from_middle = camera.axial - camera.axial[np.argmin(np.hypot(camera.x_m, camera.y_m))]
    found = []
    for middle in np.flatnonzero((from_middle % _PATCH_STEP == 0).all(axis=1)):
        step = camera.axial - camera.axial[middle]
        reach = np.maximum(np.abs(step).max(axis=1), np.abs(step.sum(axis=1)))
        patch = np.flatnonzero(reach <= _PATCH_RADIUS)
        if len(patch) == 1 + 3 * _PATCH_RADIUS * (_PATCH_RADIUS + 1) and takes_part[patch].all():
            found.append(patch)
    return np.array(found, dtype=np.int32).reshape(len(found), -1)


@compiled
def _could_trigger(counts: NDArray[np.int32], groups: NDArray[np.int32], needed: int) -> bool:
    for k in range(groups.shape[0]):
        total = 0
        for i in range(groups.shape[1]):
            total += counts[groups[k, i]]
        if total >= needed:
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
        False when no three touching pixels have six photoelectrons together, at whatever times; for the sum trigger,
        when no patch has half of its threshold.
    """
    groups, needed = logic.triangles, _PREPARED_PE
    if logic.sum_clip_pe:
        groups, needed = logic.patches, math.ceil(_PREPARED_SHARE * min(logic.threshold_pe))
    if len(pixels) < needed:
        return False
    counts = np.bincount(pixels[pixels >= 0], minlength=n_pixels).astype(np.int32)
    return _could_trigger(counts, groups, needed)


@compiled
def _trigger_sample(
    signals: NDArray[np.float32],
    pixels: NDArray[np.int32],
    triangles: NDArray[np.int32],
    threshold: float,
    factor: NDArray[np.float32],
    width: int,
) -> int:
    n_samples = signals.shape[1]
    n_words = (n_samples + _WORD - 1) // _WORD
    active = np.zeros((signals.shape[0], n_words), dtype=np.uint64)
    for pixel in pixels:
        level = np.float32(threshold) * factor[pixel]
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


@compiled
def _sum_sample(
    signals: NDArray[np.float32],
    patches: NDArray[np.int32],
    threshold: float,
    factor: NDArray[np.float32],
    clip: float,
) -> int:
    first = signals.shape[1]
    total = np.empty(signals.shape[1], dtype=np.float32)
    top = np.float32(clip)
    for patch in range(patches.shape[0]):
        total[:first] = 0.0
        for i in range(patches.shape[1]):
            pixel = patches[patch, i]
            row = signals[pixel]
            weight = np.float32(1.0) / factor[pixel]
            for k in range(first):
                total[k] += weight * min(row[k], top)
        for k in range(1, first):
            if total[k] >= threshold and total[k - 1] < threshold:
                first = k
                break
    return first if first < signals.shape[1] else -1


def trigger_sample(signals: NDArray[np.float32], telescope: int, logic: TriggerLogic) -> int:
    """Find the first coincidence of three touching pixels, or the first patch whose sum rises above the threshold.

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
        threshold. For the sum trigger, the first sample in which the sum of a patch's clipped signals rises above it.
    """
    threshold, factor = logic.threshold_pe[telescope], logic.pixel_factor[telescope]
    if logic.sum_clip_pe:
        return int(_sum_sample(signals, logic.patches, threshold, factor, logic.sum_clip_pe))
    return int(_trigger_sample(signals, logic.pixels, logic.triangles, threshold, factor, logic.width_samples))
