import numpy as np
import pytest
from scipy.integrate import quad

from magicnn.errors import InputError
from magicnn.generated import Generated, direction_bias


def thrown(**changes):
    values = {
        "particle": "gamma",
        "spectral_index": 2.0,
        "energy_min_gev": 50.0,
        "energy_max_gev": 20e3,
        "n_thrown": 100_000,
        "scatter_radius_m": 300.0,
        "scatter_energy_exponent": 0.15,
        "scatter_zenith_exponent": 1.0,
        "viewcone_min_deg": 0.0,
        "viewcone_max_deg": 3.0,
        "zenith_min_deg": 5.0,
        "zenith_max_deg": 35.0,
    }
    return Generated(**(values | changes))


@pytest.mark.parametrize("index", [1.0, 1.6, 2.0, 2.7])
def test_density_integrates_to_the_number_thrown(index):
    generated = thrown(spectral_index=index)
    total, _ = quad(lambda x: generated.thrown_per_gev(np.exp(x)) * np.exp(x), np.log(50.0), np.log(20e3))
    assert total == pytest.approx(100_000, rel=1e-6)
    edges = np.geomspace(10.0, 1e5, 12)
    assert generated.thrown_in(edges).sum() == pytest.approx(100_000, rel=1e-9)
    low, high = edges[4:6]
    part, _ = quad(generated.thrown_per_gev, low, high)
    assert generated.thrown_in(edges)[4] == pytest.approx(part, rel=1e-6)


def test_weights_of_all_thrown_events_add_up_to_the_rate():
    """If every thrown event triggered, the rate is the integral of flux x area x solid angle."""
    generated = thrown(scatter_energy_exponent=0.0, scatter_zenith_exponent=0.0)
    rng = np.random.default_rng(1)
    u = rng.uniform(size=generated.n_thrown)
    energy = 1.0 / ((1 - u) / 50.0 + u / 20e3)  # E^-2
    rate = generated.event_weights(energy, np.zeros_like(energy), lambda e: 1e-4 * e**-2.7).sum()
    expected = 1e-4 * (50.0**-1.7 - 20e3**-1.7) / 1.7 * np.pi * 300.0**2 * generated.solid_angle_sr
    assert rate == pytest.approx(expected, rel=0.02)
    # a part of the events that stands for all of them
    part, weight = energy[::4], np.full(len(energy[::4]), 4.0)
    few = generated.event_weights(part, np.zeros_like(part), lambda e: 1e-4 * e**-2.7, weight).sum()
    assert few == pytest.approx(expected, rel=0.04)


def test_ring_has_no_solid_angle():
    ring = thrown(viewcone_min_deg=0.4, viewcone_max_deg=0.4)
    assert ring.is_point_source
    assert thrown().solid_angle_sr == pytest.approx(np.pi * np.radians(3.0) ** 2, rel=1e-3)


def test_round_trip_and_missing_value():
    generated = thrown()
    assert Generated.from_mapping(generated.to_mapping()) == generated
    with pytest.raises(InputError, match="n_thrown"):
        Generated.from_mapping({k: v for k, v in generated.to_mapping().items() if k != "n_thrown"})


@pytest.mark.parametrize(
    ("gammas", "hadrons", "is_biased"),
    [
        ([("gamma", 0.4, 0.4)], [("proton", 0.0, 5.0)], True),
        ([("gamma", 0.4, 0.4), ("gamma_diffuse", 0.0, 5.0)], [("helium", 0.0, 5.0)], True),
        ([("gamma_diffuse", 0.0, 5.0)], [("proton", 0.0, 5.0)], False),
        ([("gamma", 0.4, 0.4)], [], False),
        ([], [("proton", 0.0, 5.0)], False),
    ],
)
def test_gammas_from_one_angle_against_diffuse_hadrons_are_told(gammas, hadrons, is_biased):
    productions = [
        thrown(particle=name, viewcone_min_deg=low, viewcone_max_deg=high).to_mapping()
        for name, low, high in [*gammas, *hadrons]
    ]
    told = direction_bias([*productions, {}])
    assert (told is not None) == is_biased
    if told:
        assert f"gammas all from 0.4 deg off the pointing against {hadrons[0][0]} from up to 5 deg off" in told
        assert "train it on diffuse gammas" in told
