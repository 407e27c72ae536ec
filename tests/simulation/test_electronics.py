"""Pulses, noise and charge extraction against what was put in, and empty pixels against real ones."""

import numpy as np
import pytest

from magicnn.simulation.compiled import random_state
from magicnn.simulation.electronics import analogue_signals, digitise_and_extract, electronics, pedestal_statistics
from magicnn.simulation.settings import ReadoutSettings

QUIET = {
    "night_sky_pe_per_ns": (0.0, 0.0),
    "electronic_noise_pe": (0.0, 0.0),
    "baseline_noise_pe": (0.0, 0.0),
    "single_pe_spread": 0.0,
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


def real_pedestals(folder):
    import uproot

    for telescope in (1, 2):
        path = folder / f"magic_real/20131004_M{telescope}_05029747.003_Y_MagicCrab-W0.40+035.root"
        with uproot.open(path) as file:
            events = file["Events"]
            is_pedestal = events["MTriggerPattern.fPrescaled"].array(library="np") == 8
            charge = events["MCerPhotEvt.fPixels.fPhot"].array().to_numpy()[is_pedestal, :1039]
        yield charge.astype(np.float64)


@pytest.mark.parametrize("mode", [{}, {"sampling_gsps": 2.05, "n_samples": 80}], ids=["1.64 GS/s", "2.05 GS/s"])
def test_empty_pixels_look_like_the_real_ones(data_dir, mode):
    chain = electronics(ReadoutSettings(**mode))
    for telescope, charge in enumerate(real_pedestals(data_dir)):
        simulated = pedestal_statistics(chain, telescope, 1039, n_runs=4, n_events=len(charge))
        assert simulated.mean_pe.mean() == pytest.approx(np.median(charge.mean(axis=0)), rel=0.1)
        assert simulated.rms_pe.mean() == pytest.approx(np.median(charge.std(axis=0)), rel=0.1)
