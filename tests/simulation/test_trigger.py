"""The next-neighbour trigger against brute force, and the preparation against the trigger."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicnn.camera import Camera
from magicnn.simulation.accidentals import accidental_rates
from magicnn.simulation.settings import ReadoutSettings, TriggerSettings
from magicnn.simulation.trigger import could_trigger, trigger_logic, trigger_sample

CAMERA = Camera.magic()
TELESCOPE = 1
LOGIC = trigger_logic(TriggerSettings(), CAMERA, ReadoutSettings().sample_ns)


def brute_force(signals):
    """First sample in which three touching pixels are active, straight from the words of the definition."""
    active = np.zeros(signals.shape, dtype=bool)
    for pixel in LOGIC.pixels:
        above = signals[pixel] >= LOGIC.threshold_pe[TELESCOPE]
        for k in np.flatnonzero(above[1:] & ~above[:-1]) + 1:
            active[pixel, k : k + LOGIC.width_samples] = True
    touching = {(int(a), int(b)) for a, b in CAMERA.neighbour_pairs}
    lit = np.flatnonzero(active.any(axis=1)).tolist()
    firsts = [signals.shape[1]]
    for trio in combinations(lit, 3):
        if all(pair in touching for pair in combinations(trio, 2)):
            firsts.extend(np.flatnonzero(active[list(trio)].all(axis=0))[:1])
    first = int(min(firsts))
    return first if first < signals.shape[1] else -1


def test_the_trigger_region_is_that_of_magic():
    assert len(LOGIC.pixels) == 547
    assert LOGIC.width_samples == 9


def test_triangles_are_all_there_are():
    region = set(LOGIC.pixels.tolist())
    links = {p: {int(n) for n in CAMERA.neighbours[p] if n in region} for p in region}
    expected = {frozenset((a, b, c)) for a in region for b in links[a] for c in links[a] & links[b]}
    found = {frozenset(t.tolist()) for t in LOGIC.triangles}
    assert found == expected
    assert len(found) == len(LOGIC.triangles)


def pulses(pixels, samples, *, amplitude=6.0, n_samples=100):
    signals = np.zeros((CAMERA.n_pixels, n_samples), dtype=np.float32)
    for pixel, sample in zip(pixels, samples, strict=True):
        signals[pixel, sample] = amplitude
    return signals


def test_three_touching_pixels_trigger_and_less_does_not():
    trio = LOGIC.triangles[10]
    assert trigger_sample(pulses(trio, [40, 42, 45]), TELESCOPE, LOGIC) == 45
    assert trigger_sample(pulses(trio, [40, 42, 55]), TELESCOPE, LOGIC) == -1, "too late for a coincidence"
    assert trigger_sample(pulses(trio[:2], [40, 40]), TELESCOPE, LOGIC) == -1
    assert trigger_sample(pulses(trio, [40, 40, 40], amplitude=4.3), TELESCOPE, LOGIC) == -1


def test_a_line_of_three_is_not_compact():
    middle = 0
    line = [int(CAMERA.neighbours[middle, 0]), middle, int(CAMERA.neighbours[middle, 3])]
    assert trigger_sample(pulses(line, [40, 40, 40]), TELESCOPE, LOGIC) == -1


def test_pixels_outside_of_the_region_take_no_part():
    outside = np.setdiff1d(np.arange(CAMERA.n_pixels), LOGIC.pixels)
    pixel = next(p for p in outside if (CAMERA.neighbours[p] >= 0).all())
    trio = [pixel, *CAMERA.neighbours[pixel, :2]]
    assert trigger_sample(pulses(trio, [40, 40, 40]), TELESCOPE, LOGIC) == -1


@given(seed=st.integers(0, 10_000), level=st.floats(1.4, 2.4), n_samples=st.sampled_from([60, 64, 114, 150]))
def test_trigger_agrees_with_brute_force(seed, level, n_samples):
    generator = np.random.default_rng(seed)
    signals = np.zeros((CAMERA.n_pixels, n_samples), dtype=np.float32)
    busy = LOGIC.pixels[:61]
    signals[busy] = level * generator.standard_normal((61, n_samples))
    assert trigger_sample(signals, TELESCOPE, LOGIC) == brute_force(signals)


def test_preparation_counts_what_a_triangle_sees():
    trio = LOGIC.triangles[5].astype(np.int32)
    assert could_trigger(np.repeat(trio, 2), CAMERA.n_pixels, LOGIC)
    assert not could_trigger(np.repeat(trio, 2)[:-1], CAMERA.n_pixels, LOGIC)
    spread = LOGIC.pixels[::25].astype(np.int32)
    assert not could_trigger(spread, CAMERA.n_pixels, LOGIC)
    assert not could_trigger(np.full(50, -1, dtype=np.int32), CAMERA.n_pixels, LOGIC)


@pytest.mark.parametrize("n_pe", [5, 9])
def test_preparation_loses_nothing(telescopes, n_pe):
    """Light that the preparation refuses (5 in a triangle) triggers in no case; nearly twice that hardly ever."""
    from magicnn.simulation.electronics import analogue_signals
    from magicnn.simulation.random_numbers import random_state

    chain = telescopes.chain
    room = np.empty((CAMERA.n_pixels, chain.span_samples), dtype=np.float32)
    n_triggers = 0
    n_trials = 300
    for trial in range(n_trials):
        generator = np.random.default_rng((trial, n_pe))
        trio = LOGIC.triangles[generator.integers(len(LOGIC.triangles))]
        pixels = np.resize(trio, n_pe).astype(np.int32)
        arrival = np.full(n_pe, 57.0) + generator.uniform(0.0, 1.0)
        signals = analogue_signals(pixels, arrival, trial % 2, chain, random_state((trial, n_pe)), out=room)
        n_triggers += trigger_sample(signals, trial % 2, LOGIC) >= 0
    assert n_triggers <= (0 if n_pe == 5 else 0.1 * n_trials)


def test_raised_thresholds_and_unusable_pixels():
    trio = LOGIC.triangles[10]
    for factor, expected in ((1.2, 40), (2.0, -1), (np.inf, -1)):
        factors = np.ones((2, CAMERA.n_pixels), dtype=np.float32)
        factors[TELESCOPE, trio[0]] = factor
        logic = trigger_logic(TriggerSettings(), CAMERA, ReadoutSettings().sample_ns, factors)
        assert trigger_sample(pulses(trio, [40, 40, 40]), TELESCOPE, logic) == expected


def test_sum_trigger_sums_clipped_signals_over_patches():
    settings = TriggerSettings(kind="sum", sum_clip_pe=6.0, sum_threshold_pe=(20.0, 20.0))
    logic = trigger_logic(settings, CAMERA, ReadoutSettings().sample_ns)
    assert logic.patches.shape[1] == 19
    assert np.isin(logic.patches, LOGIC.pixels).all()
    patch = logic.patches[0]
    assert trigger_sample(pulses(patch[:4], [40] * 4, amplitude=5.5), TELESCOPE, logic) == 40
    assert trigger_sample(pulses(patch[:4], [40] * 4, amplitude=4.5), TELESCOPE, logic) == -1
    assert trigger_sample(pulses(patch[:3], [40] * 3, amplitude=100.0), TELESCOPE, logic) == -1, "clipped at 6"
    assert could_trigger(np.repeat(patch[:5].astype(np.int32), 2), CAMERA.n_pixels, logic)
    assert not could_trigger(np.repeat(patch[:3].astype(np.int32), 2), CAMERA.n_pixels, logic)


def test_accidental_rates_follow_thresholds(telescopes):
    low = accidental_rates(telescopes, n_samples=1 << 19)
    strict = replace(telescopes, logic=replace(telescopes.logic, threshold_pe=(5.0, 5.0)))
    high = accidental_rates(strict, n_samples=1 << 19)
    width_s = telescopes.logic.width_samples * telescopes.settings.readout.sample_ns * 1e-9
    for telescope in range(2):
        assert high.pixel_hz[telescope] < 0.6 * low.pixel_hz[telescope]
        triangles = len(telescopes.logic.triangles)
        expected = 3.0 * low.pixel_hz[telescope] ** 3 * width_s**2 * triangles
        assert low.telescope_hz[telescope] == pytest.approx(expected)
        assert 1e3 < low.telescope_hz[telescope] < 1e5
    assert low.stereo_hz == pytest.approx(2.0 * low.telescope_hz[0] * low.telescope_hz[1] * 180e-9)
