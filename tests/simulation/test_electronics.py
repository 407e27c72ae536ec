"""Pulses, noise and charge extraction against what was put in, and empty pixels against real ones."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from magicnn.simulation.electronics import (
    NO_STEADY_LIGHT,
    SteadyLight,
    analogue_signals,
    digitise_and_extract,
    electronics,
    pedestal_statistics,
)
from magicnn.simulation.random_numbers import random_state
from magicnn.simulation.settings import ReadoutSettings

QUIET = {
    "night_sky_pe_per_ns": (0.0, 0.0),
    "electronic_noise_pe": (0.0, 0.0),
    "baseline_noise_pe": (0.0, 0.0),
    "single_pe_spread": 0.0,
    "afterpulse_probability": 0.0,
}


@pytest.fixture(scope="module")
def quiet():
    return electronics(ReadoutSettings(**QUIET))


@pytest.fixture(scope="module")
def noisy():
    return electronics(ReadoutSettings())


def simulated(pixels, arrival, telescope, n_pixels, chain, seed):
    room = np.full((n_pixels, chain.span_samples), np.nan, dtype=np.float32)
    return analogue_signals(pixels, arrival, telescope, chain, random_state(seed), out=room)


def flashes(n_pe, samples, chain, *, seed=1):
    """Photoelectrons of one moment in one pixel each; charge and time by the extraction."""
    pixels = np.repeat(np.arange(len(samples), dtype=np.int32), n_pe)
    signals = simulated(pixels, np.repeat(samples, n_pe), 0, len(samples), chain, seed)
    start = (chain.span_samples - chain.settings.n_samples) // 2
    charge, time = digitise_and_extract(signals, start, 0, chain, random_state(seed + 1))
    return signals, charge, time, start


def test_pulse_has_unit_amplitude_its_width_and_its_area(quiet):
    samples = np.full(1, 50.5)
    signals, *_ = flashes(1, samples, quiet)
    sigma = quiet.settings.pulse_sigma_ns / quiet.settings.sample_ns
    assert signals.sum() == pytest.approx(np.sqrt(2.0 * np.pi) * sigma, rel=1e-4)
    place = np.arange(quiet.span_samples)
    mean = (signals[0] * place).sum() / signals.sum()
    assert mean == pytest.approx(50.5, abs=0.05)
    assert np.sqrt((signals[0] * (place - mean) ** 2).sum() / signals.sum()) == pytest.approx(sigma, rel=1e-3)
    assert 0.9 < signals.max() <= 1.0


def test_charge_is_the_number_of_photoelectrons_at_any_phase(quiet):
    samples = 40.0 + np.linspace(0.0, 20.0, 400)
    _, charge, _, _ = flashes(100, samples, quiet)
    assert charge.mean() == pytest.approx(100.0, rel=0.005)
    assert charge.std() < 1.5


def test_arrival_time_follows_the_light(quiet):
    samples = 45.0 + np.linspace(0.0, 20.0, 200)
    _, _, time, start = flashes(50, samples, quiet)
    expected = (samples - start) * quiet.settings.sample_ns
    # A window of 1.4 sigma to either side sees about half of a shift by half a sample.
    assert np.abs(time - expected).max() < 0.3 * quiet.settings.sample_ns
    assert abs((time - expected).mean()) < 0.02


def test_single_photoelectrons_make_the_excess_noise(noisy):
    chain = electronics(ReadoutSettings(**{**QUIET, "single_pe_spread": 0.45}))
    _, charge, _, _ = flashes(100, np.full(4000, 50.0), chain)
    assert charge.std() / charge.mean() == pytest.approx(0.45 / np.sqrt(100.0), rel=0.1)


def test_large_signals_saturate(quiet):
    _, charge, _, _ = flashes(5000, np.full(3, 50.0), quiet)
    top = (quiet.settings.adc_range - 1 - quiet.settings.adc_baseline) / quiet.settings.adc_counts_per_pe
    assert (charge < 5000).all()
    assert charge == pytest.approx(5 * top * quiet.extraction.charge_per_sum, rel=1e-3)


def test_unusable_pixels_have_neither_charge_nor_time():
    chain = electronics(ReadoutSettings(dead_pixels=((3,), (5, 7))))
    for telescope, dead in enumerate(([3], [5, 7])):
        signals = simulated(np.zeros(0, dtype=np.int32), np.zeros(0), telescope, 10, chain, telescope)
        charge, time = digitise_and_extract(signals, 0, telescope, chain, random_state(9))
        assert np.flatnonzero(np.isnan(charge)).tolist() == dead
        assert np.isnan(time[dead]).all()


def test_light_outside_of_the_span_or_the_camera_is_lost(quiet):
    pixels = np.array([0, 1, -1], dtype=np.int32)
    arrival = np.array([-1e6, 1e6, 50.0])
    signals = simulated(pixels, arrival, 0, 4, quiet, 1)
    assert not signals.any()


def test_noise_has_the_rate_of_the_night_sky():
    rate = 0.2
    chain = electronics(ReadoutSettings(**{**QUIET, "night_sky_pe_per_ns": (rate, 0.0), "single_pe_spread": 0.45}))
    settings = chain.settings
    # Campbell's theorem: variance of shot noise = rate x <gain^2> x integral of the squared pulse.
    integral_ns = np.sqrt(np.pi) * settings.pulse_sigma_ns
    assert chain.noise[0].var() == pytest.approx(rate * (1.0 + 0.45**2) * integral_ns, rel=0.02)
    assert abs(chain.noise[0].mean()) < 0.01
    assert not chain.noise[1].any()


def test_same_seed_same_signals(noisy):
    none = np.zeros(0, dtype=np.int32), np.zeros(0)
    first, second, other = (simulated(*none, 1, 20, noisy, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_afterpulses_add_their_share_of_the_noise():
    plain, after = (
        electronics(ReadoutSettings(**{**QUIET, "night_sky_pe_per_ns": (0.5, 0.0), "afterpulse_probability": share}))
        for share in (0.0, 0.1)
    )
    # Exponential amplitudes of mean a have the mean square 2 a^2.
    expected = 1.0 + 0.1 * 2.0 * after.settings.afterpulse_amplitude_pe**2
    assert after.noise[0].var() / plain.noise[0].var() == pytest.approx(expected, rel=0.05)
    assert (after.noise[0] > 8.0).sum() > 10 * (plain.noise[0] > 8.0).sum()
    assert abs(after.noise[0].mean()) < 0.01


def test_steady_light_is_shot_noise_of_its_rate_in_its_pixels():
    per_sample = 0.5
    light = SteadyLight(np.array([2], dtype=np.int32), np.array([per_sample]))
    chain = electronics(ReadoutSettings(**QUIET), (light, NO_STEADY_LIGHT))
    signals = np.concatenate(
        [simulated(np.zeros(0, dtype=np.int32), np.zeros(0), 0, 4, chain, seed) for seed in range(400)], axis=1
    )
    area = (chain.pulse.astype(np.float64) ** 2).sum(axis=1).mean()
    assert signals[2].var() == pytest.approx(per_sample * area, rel=0.05)
    assert abs(signals[2].mean()) < 0.05
    assert not signals[[0, 1, 3]].any()
    statistics = pedestal_statistics(chain, 0, 4, n_runs=2, n_events=20)
    assert statistics.pixel_rms_pe[2] > 0.5
    assert statistics.pixel_rms_pe[[0, 1, 3]].max() < 0.01


def test_the_window_is_searched_for_within_its_range():
    chain = electronics(ReadoutSettings(**QUIET, search_samples=(10, 30)))
    assert (chain.extraction.search_first, chain.extraction.search_last) == (10, 30)
    start = (chain.span_samples - chain.settings.n_samples) // 2
    samples = start + np.array([5.5, 20.5, 40.5])
    _, charge, time, _ = flashes(100, samples, chain)
    assert charge[1] == pytest.approx(100.0, rel=0.03)
    assert max(charge[0], charge[2]) < 3.0
    assert time[1] == pytest.approx(20.5 * chain.settings.sample_ns, abs=0.3)


def test_names_stand_for_modes_and_skies():
    early = ReadoutSettings(mode="2012", night_sky="dark")
    assert (early.sampling_gsps, early.n_samples, early.search_samples) == (2.05, 80, (4, 66))
    assert early.night_sky_pe_per_ns == early.night_sky_levels["dark"]
    assert ReadoutSettings(mode="2012", n_samples=60).n_samples == 60
    assert ReadoutSettings.model_validate(early.model_dump()) == early
    assert ReadoutSettings(night_sky_pe_per_ns=(0.3, 0.3)).night_sky_pe_per_ns == (0.3, 0.3)
    for wrong in ({"mode": "1999"}, {"night_sky": "noon"}, {"search_samples": (30, 33)}):
        with pytest.raises(ValueError, match=r"none of|hold no window"):
            ReadoutSettings(**wrong)


def test_empty_pixels_look_like_the_real_ones(data_dir):
    """The night sky is fitted to the mean charge of half of the pixels; the other half is the check."""
    path = Path(__file__).parents[2] / "analysis" / "validation" / "electronics.py"
    if not path.is_file():
        pytest.skip("analysis/ is not beside the tests")
    spec = importlib.util.spec_from_file_location("validation_electronics", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    files = [data_dir / f"magic_real/20131004_M{t}_05029747.003_Y_MagicCrab-W0.40+035.root" for t in (1, 2)]
    records = module.pedestal_check(tuple(files))
    checked = [record for record in records if record.used_for == "check"]
    assert len(checked) == 4
    assert all(record.passes for record in checked), checked
    for record in records:
        if record.quantity.startswith("charge"):
            assert record.simulated == pytest.approx(record.real, abs=0.25), record
        if record.quantity.startswith("arrival time"):
            assert record.simulated == pytest.approx(record.real, abs=8.0), record
