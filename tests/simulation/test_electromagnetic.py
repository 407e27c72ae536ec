import math

import numpy as np
import pytest

from magicnn.simulation.collisions import collision_loss_mev_cm2_g
from magicnn.simulation.electromagnetic import (
    compton_cross_section_cm2_g,
    pair_cross_section_cm2_g,
    sample_bremsstrahlung,
    sample_compton,
    sample_pair,
    scattering_kick,
)
from magicnn.simulation.random_numbers import exponential, normal_pair, poisson, random_state, uniform


@pytest.mark.parametrize("energy_gev", [100.0, 1e3, 1e5])
def test_pair_production_takes_nine_sevenths_of_a_radiation_length(energy_gev):
    assert 1.0 / pair_cross_section_cm2_g(1e3 * energy_gev) == pytest.approx(9.0 / 7.0 * 36.66, abs=0.7)


@pytest.mark.parametrize(
    ("energy_mev", "pair", "incoherent"),
    [(30.0, 9.627e-3, 6.654e-3), (100.0, 1.4345e-2, 2.488e-3), (1e3, 1.9555e-2, 3.51e-4)],
)
def test_photons_interact_as_in_xcom(energy_mev, pair, incoherent):
    # XCOM (NIST): 0.2146, 0.2762 and 1.301 barn for pairs at 30 MeV on nitrogen, oxygen and argon, and so on.
    assert pair_cross_section_cm2_g(energy_mev) == pytest.approx(pair, rel=0.003)
    assert compton_cross_section_cm2_g(energy_mev) == pytest.approx(incoherent, rel=0.003)


@pytest.mark.parametrize(("energy_mev", "attenuation"), [(10.0, 0.02045), (15.0, 0.01810), (20.0, 0.01705)])
def test_attenuation_agrees_with_the_tables_of_nist(energy_mev, attenuation):
    # J. H. Hubbell, S. M. Seltzer, NISTIR 5632, dry air.
    total = pair_cross_section_cm2_g(energy_mev) + compton_cross_section_cm2_g(energy_mev)
    assert total == pytest.approx(attenuation, rel=0.002)


def test_pair_production_beyond_the_tables_continues():
    steps = np.array([pair_cross_section_cm2_g(e) for e in (0.9e5, 1e5, 1.1e5, 1e6)])
    assert (np.diff(steps) > 0.0).all()
    assert steps[-1] / steps[0] < 1.003


# F. Tessier, I. Kawrakow, Nucl. Instrum. Methods B 266 (2008) 625: k dsigma/dk (beta/Z)^2 in millibarn for oxygen.
TESSIER_KAWRAKOW = {
    100.0: {0.1: 14.531, 0.2: 13.114, 0.5: 10.311, 0.8: 8.771},
    400.0: {0.1: 14.648, 0.2: 13.344, 0.5: 10.846, 0.8: 10.175},
    1000.0: {0.1: 14.665, 0.2: 13.385, 0.5: 10.973, 0.8: 10.561},
}


@pytest.mark.parametrize("kinetic_mev", TESSIER_KAWRAKOW)
def test_bremsstrahlung_spectrum_has_the_tabulated_shape(kinetic_mev):
    # The ratios of the tabulated cross sections give the expected numbers between the tabulated shares of energy.
    state = random_state(8)
    energy = kinetic_mev + 0.511
    shares = np.array([sample_bremsstrahlung(energy, state) for _ in range(60000)]) / kinetic_mev
    table = TESSIER_KAWRAKOW[kinetic_mev]
    edges = np.array(list(table))
    fine = np.linspace(edges[0], edges[-1], 2001)
    density = np.interp(fine, edges, list(table.values())) / fine
    expected = np.array([np.trapezoid(np.where(fine <= edge, density, 0.0), fine) for edge in edges[1:]])
    drawn = np.array([((shares > edges[0]) & (shares <= edge)).sum() for edge in edges[1:]])
    np.testing.assert_allclose(drawn / drawn[-1], expected / expected[-1], atol=0.02)


@pytest.mark.parametrize(
    ("kinetic_mev", "nist"), [(1.0, 1.661), (10.0, 1.979), (20.0, 2.134), (100.0, 2.427), (1000.0, 2.685)]
)
def test_collision_loss_agrees_with_estar(kinetic_mev, nist):
    # ESTAR (NIST), collision stopping power of dry air at sea level.
    assert collision_loss_mev_cm2_g(kinetic_mev + 0.511, 1.2048e-3) == pytest.approx(nist, rel=0.01)


def test_thin_air_stops_more():
    dense, thin = collision_loss_mev_cm2_g(1000.0, np.array([1.2e-3, 4e-4]))
    assert 1.02 < thin / dense < 1.06


def test_minimum_ionising_muons_lose_1_8_mev():
    # Particle data group, dry air: minimum 1.815 MeV cm2/g at 376 MeV/c.
    energy = math.hypot(376.0, 105.658)
    assert collision_loss_mev_cm2_g(energy, 1.2048e-3, mass_mev=105.6583755) == pytest.approx(1.815, rel=0.01)


def test_random_numbers_have_their_moments():
    state = random_state(3)
    u = np.array([uniform(state) for _ in range(20000)])
    assert u.min() > 0.0
    assert u.max() < 1.0
    assert u.mean() == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(u[:-1], u[1:])[0, 1] == pytest.approx(0.0, abs=0.03)
    assert np.mean([exponential(state) for _ in range(20000)]) == pytest.approx(1.0, abs=0.03)
    normal = np.array([normal_pair(state) for _ in range(10000)])
    np.testing.assert_allclose(np.cov(normal.T), np.eye(2), atol=0.05)
    for mean in (0.3, 7.0, 150.0):
        counts = np.array([poisson(mean, state) for _ in range(5000)])
        assert counts.mean() == pytest.approx(mean, abs=5.0 * math.sqrt(mean / 5000))
        assert counts.var() == pytest.approx(mean, rel=0.12)


def test_pairs_share_the_energy_symmetrically():
    state = random_state(1)
    shares = np.array([sample_pair(1e8, state) for _ in range(8000)]) / 1e8
    assert shares.mean() == pytest.approx(0.5, abs=0.012)
    # Complete screening: dN/dx = 1 - c x (1 - x) with c = 2 - 2/3 phi2(0)/phi1(0) = 1.3575, so that the mean square is
    # (1/3 - c/20)/(1 - c/6).
    assert (shares**2).mean() == pytest.approx((1.0 / 3.0 - 1.3575 / 20.0) / (1.0 - 1.3575 / 6.0), abs=0.009)


def test_bremsstrahlung_follows_one_over_k():
    state = random_state(2)
    photons = np.array([sample_bremsstrahlung(1e5, state) for _ in range(8000)])
    assert photons.min() > 4.0
    assert photons.max() < 1e5
    # Below a tenth of the energy the spectrum is 1/k within 7 %: equal numbers in equal logarithms.
    low, high = ((photons > a) & (photons < 10 * a) for a in (10.0, 100.0))
    assert low.sum() / high.sum() == pytest.approx(1.0, abs=0.1)


def test_compton_kinematics_hold():
    state = random_state(4)
    energy = 50.0
    drawn = np.array([sample_compton(energy, state) for _ in range(4000)])
    expected = energy / (1.0 + energy / 0.51099895 * (1.0 - drawn[:, 1]))
    np.testing.assert_allclose(drawn[:, 0], expected, rtol=1e-6)
    # Klein-Nishina at 50 MeV: the electron takes 0.7355 of the energy on average (numerical integral).
    k = energy / 0.51099895
    share = np.linspace(1.0 / (1.0 + 2.0 * k), 1.0, 200001)
    t = (1.0 - share) / (k * share)
    weight = share + 1.0 / share - t * (2.0 - t)
    assert drawn[:, 0].mean() / energy == pytest.approx(np.average(share, weights=weight), abs=0.02)


@pytest.mark.parametrize("path", [0.37, 3.67])
def test_scattering_agrees_with_highland(path):
    state = random_state(5)
    momentum = 500.0
    kicks = np.array([scattering_kick(path, momentum, state) for _ in range(20000)])
    # Highland's formula gives the width of the central part of a projected angle within 11 % (particle data group).
    width = np.diff(np.quantile(kicks, [0.15865, 0.84135], axis=0), axis=0).mean() / 2.0
    x = path / 36.66
    assert width == pytest.approx(13.6 / momentum * math.sqrt(x) * (1.0 + 0.038 * math.log(x)), rel=0.11)
