import dataclasses

import numpy as np
import pytest

from magicnn.evaluation.binning import in_range
from magicnn.evaluation.spectra import (
    covered_cosine,
    crab_flux,
    electron_flux,
    event_rates_hz,
    helium_flux,
    power_law,
    proton_flux,
)
from magicnn.generated import Generated

POINT = Generated("gamma", 2.0, 50.0, 20000.0, 200_000, 300.0, 0.0, 0.0, 0.4, 0.4, 5.0, 35.0)


def thrown(generated, n, seed=0):
    """Energies and zenith distances as thrown."""
    rng = np.random.default_rng(seed)
    low, high = generated.energy_min_gev, generated.energy_max_gev
    energy = 1.0 / (1.0 / low - rng.random(n) * (1.0 / low - 1.0 / high))
    cos = np.cos(np.radians([generated.zenith_min_deg, generated.zenith_max_deg]))
    return energy, np.degrees(np.arccos(rng.uniform(cos[1], cos[0], n)))


def test_spectra_agree_with_pyirf():
    spectral = pytest.importorskip("pyirf.spectral")
    import astropy.units as u

    energy = np.array([50.0, 300.0, 1000.0, 8000.0])
    crab = spectral.CRAB_MAGIC_JHEAP2015(energy * u.GeV).to_value("1/(GeV m2 s)")
    proton = spectral.IRFDOC_PROTON_SPECTRUM(energy * u.GeV).to_value("1/(GeV m2 s sr)")
    np.testing.assert_allclose(crab_flux(energy), crab, rtol=1e-12)
    np.testing.assert_allclose(proton_flux(energy), proton, rtol=1e-12)


def test_rate_of_everything_thrown_is_flux_times_area():
    energy, zenith = thrown(POINT, POINT.n_thrown)
    rates = event_rates_hz([POINT], energy, zenith, zenith, (0.0, 90.0), power_law(2.0))
    # integral of (E / TeV)^-2 over GeV
    expected = 1e6 * (1 / 50.0 - 1 / 20000.0) * np.pi * 300.0**2
    assert rates.sum() == pytest.approx(expected, rel=1e-9)


def test_diffuse_rate_has_the_solid_angle():
    diffuse = dataclasses.replace(POINT, viewcone_min_deg=0.0, viewcone_max_deg=2.0)
    one = event_rates_hz([POINT], [300.0], [20.0], [20.0], (5.0, 35.0), power_law(2.0))
    wide = event_rates_hz([diffuse], [300.0], [20.0], [20.0], (5.0, 35.0), power_law(2.0))
    assert wide / one == pytest.approx(2 * np.pi * (1 - np.cos(np.radians(2.0))))


def test_a_part_of_the_zenith_range_and_two_productions_give_the_same_rate():
    more = dataclasses.replace(POINT, n_thrown=100_000)
    high = dataclasses.replace(POINT, zenith_min_deg=35.0, zenith_max_deg=50.0, n_thrown=50_000)
    sets = [thrown(p, p.n_thrown, seed=k) for k, p in enumerate((POINT, more, high))]
    energy, zenith = (np.concatenate(v) for v in zip(*sets, strict=True))
    expected = 1e6 * (1 / 50.0 - 1 / 20000.0) * np.pi * 300.0**2
    for limits in ((5.0, 30.0), (30.0, 45.0), (5.0, 50.0)):
        inside = in_range(zenith, limits)
        z = zenith[inside]
        rates = event_rates_hz([POINT, more, high], energy[inside], z, z, limits, power_law(2.0))
        assert rates.sum() == pytest.approx(expected, rel=0.01)


def test_a_production_that_starts_higher_counts_for_its_part_of_the_range_only():
    high = dataclasses.replace(POINT, zenith_min_deg=35.0, zenith_max_deg=50.0, energy_min_gev=500.0)
    sets = [thrown(p, p.n_thrown, seed=k) for k, p in enumerate((POINT, high))]
    energy, zenith = (np.concatenate(v) for v in zip(*sets, strict=True))
    limits = (30.0, 45.0)
    inside = in_range(zenith, limits)
    rates = event_rates_hz([POINT, high], energy[inside], zenith[inside], zenith[inside], limits, power_law(2.0))
    cos = np.cos(np.radians([30.0, 35.0, 45.0]))
    share = (cos[0] - cos[1]) / (cos[0] - cos[2])
    area = np.pi * 300.0**2
    expected = 1e6 * area * (share * (1 / 50.0 - 1 / 500.0) + 1 / 500.0 - 1 / 20000.0)
    assert rates.sum() == pytest.approx(expected, rel=0.02)


def test_covered_part_of_a_zenith_range():
    def width(low, high):
        return np.cos(np.radians(low)) - np.cos(np.radians(high))

    assert covered_cosine([POINT], (5.0, 35.0)) == pytest.approx(width(5, 35))
    assert covered_cosine([POINT, POINT], (0.0, 90.0)) == pytest.approx(width(5, 35))
    assert covered_cosine([POINT], (35.0, 50.0)) == 0.0
    fixed = dataclasses.replace(POINT, zenith_min_deg=20.0, zenith_max_deg=20.0)
    assert covered_cosine([fixed], (5.0, 35.0)) == pytest.approx(width(5, 35))
    assert covered_cosine([fixed], (35.0, 50.0)) == 0.0
    rate = event_rates_hz([fixed], [300.0], [20.0], [20.0], (5.0, 35.0), power_law(2.0))
    assert rate == pytest.approx(fixed.event_weights([300.0], [20.0], power_law(2.0)))


def test_electrons_agree_with_pyirf_and_helium_is_two_thirds_of_the_protons():
    spectral = pytest.importorskip("pyirf.spectral")
    import astropy.units as u

    energy = np.geomspace(10.0, 1e4, 30)
    expected = spectral.IRFDOC_ELECTRON_SPECTRUM(energy * u.GeV).to_value("1/(GeV m2 s sr)")
    assert electron_flux(energy) == pytest.approx(expected, rel=1e-9)
    # per nucleus of the same energy
    ratio = helium_flux(energy) / proton_flux(energy)
    assert ((ratio > 0.5) & (ratio < 0.75)).all()


def test_events_that_no_production_can_have_thrown_have_no_rate():
    assert np.isnan(event_rates_hz([POINT], [10.0], [20.0], [20.0], (5.0, 35.0), crab_flux)).all()
