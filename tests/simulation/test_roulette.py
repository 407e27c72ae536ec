"""The roulette changes what is simulated, and no mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicnn.array import TELESCOPES_M, sky_from_camera
from magicnn.errors import ConfigError
from magicnn.simulation.matching import true_offset_deg
from magicnn.simulation.production import simulate_chunk, simulator
from magicnn.simulation.roulette import axis_distance_m, image_distance_deg, survival_probability
from magicnn.simulation.settings import ProductionSettings, RouletteSettings
from magicnn.simulation.throwing import throw_shower

ROULETTE = RouletteSettings(
    image_deg=1.5, image_width_deg=0.25, axis_m=150.0, axis_energy_exponent=0.2, axis_width_m=60.0, smallest=0.05
)
MIDDLE_M = TELESCOPES_M.mean(axis=0)


@pytest.fixture(scope="module")
def settings():
    return ProductionSettings(
        name="wide",
        particle="gamma_diffuse",
        spectral_index=2.0,
        energy_min_gev=150.0,
        energy_max_gev=1500.0,
        zenith_min_deg=10.0,
        zenith_max_deg=30.0,
        viewcone_max_deg=3.0,
        scatter_radius_m=300.0,
        reuse=40,
        showers_per_chunk=8,
        roulette=ROULETTE,
    )


def core_at(north_m, west_m):
    """A core that lies so far from the middle of the telescopes, for vertical showers."""
    return MIDDLE_M[0] + north_m, MIDDLE_M[1] + west_m


def test_a_shower_into_the_middle_is_seen_where_it_comes_from():
    zenith, azimuth = sky_from_camera(0.6, -0.8, 20.0, 130.0)
    # a core on the line through the middle of the telescopes along the axis
    middle = -MIDDLE_M[2] * np.tan(np.radians(zenith))
    core = core_at(middle * np.cos(np.radians(azimuth)), -middle * np.sin(np.radians(azimuth)))
    assert image_distance_deg(*core, zenith, azimuth, 20.0, 130.0, (2e3, 2e4)) == pytest.approx(1.0, abs=1e-4)
    assert axis_distance_m(*core, zenith, azimuth) == pytest.approx(0.0, abs=1e-6)


def test_the_image_lies_towards_the_core():
    """A vertical shower 300 m to the north, pointing to the zenith with camera x towards the south (azimuth 0)."""
    core = core_at(300.0, 0.0)
    near, far = (np.degrees(300.0 / height) for height in (2e3, 2e4))
    assert axis_distance_m(*core, 0.0, 0.0) == pytest.approx(300.0)
    assert image_distance_deg(*core, 0.0, 0.0, 0.0, 0.0, (2e3, 2e4)) == pytest.approx(far, rel=1e-3)
    towards_x = -5.0  # a source 5 deg on the other side, whose image reaches back across the centre
    zenith, azimuth = sky_from_camera(-towards_x, 0.0, 0.0, 0.0)
    reaching = image_distance_deg(*core, zenith, azimuth, 0.0, 0.0, (2e3, 2e4))
    zenith, azimuth = sky_from_camera(towards_x, 0.0, 0.0, 0.0)
    away = image_distance_deg(*core, zenith, azimuth, 0.0, 0.0, (2e3, 2e4))
    assert sorted([float(reaching), float(away)]) == pytest.approx([0.0, 5.0 + far], abs=0.2)
    assert near > 5.0


@given(
    energy=st.floats(10.0, 1e5),
    zenith=st.floats(0.0, 70.0),
    axis=st.floats(0.0, 2000.0),
    image=st.floats(0.0, 20.0),
)
def test_chances_are_chances_and_fall_outwards(energy, zenith, axis, image):
    chance = survival_probability(ROULETTE, energy, zenith, axis, image)
    assert ROULETTE.smallest <= chance <= 1.0
    assert survival_probability(ROULETTE, energy, zenith, axis + 50.0, image) <= chance
    assert survival_probability(ROULETTE, energy, zenith, axis, image + 0.5) <= chance
    assert survival_probability(ROULETTE, energy, zenith, 0.0, ROULETTE.image_deg) == 1.0


def test_the_same_showers_are_thrown_with_and_without(settings):
    plain = settings.model_copy(update={"roulette": None})
    for index in range(20):
        every, some = throw_shower(plain, 3, index), throw_shower(settings, 3, index)
        assert every.energy_gev == some.energy_gev
        assert np.array_equal(every.use, np.arange(settings.reuse))
        assert (every.weight == 1.0).all()
        assert np.array_equal(every.core_x_m[some.use], some.core_x_m)
        assert np.array_equal(every.pointing_zenith_deg[some.use], some.pointing_zenith_deg)


def test_weighted_uses_stand_for_all_thrown_ones(settings):
    plain = settings.model_copy(update={"roulette": None})
    sums = []
    for index in range(1500):
        every, some = throw_shower(plain, 5, index), throw_shower(settings, 5, index)
        quantities = []
        for thrown in (every, some):
            core2 = thrown.core_x_m**2 + thrown.core_y_m**2
            offset2 = (thrown.pointing_zenith_deg - thrown.zenith_deg) ** 2
            quantities.append([(thrown.weight * q).sum() for q in (np.ones(len(core2)), core2, offset2)])
        sums.append(np.subtract(*quantities))
        assert some.weight.max(initial=1.0) <= 1.0 / ROULETTE.smallest
    error = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert (np.abs(np.mean(sums, axis=0)) < 4.0 * error).all()
    assert (error > 0.0).all()


def test_a_ring_has_no_roulette(settings):
    values = settings.model_dump() | {"particle": "gamma", "viewcone_min_deg": 0.4, "viewcone_max_deg": 0.4}
    from magicnn.config import validate_settings

    with pytest.raises(ConfigError, match="roulette needs a view cone"):
        validate_settings(ProductionSettings, values, where="test")


def test_events_carry_the_weight_of_their_use(settings):
    batch = simulate_chunk(simulator(settings, 1), 0)
    assert len(batch) > 3
    for weight, shower, use in zip(batch["weight"], batch["shower_id"] & 0xFFFFFFFF, batch["reuse_id"], strict=True):
        thrown = throw_shower(settings, 1, int(shower))
        assert weight == thrown.weight[thrown.use == use][0]
    assert np.array_equal(batch["event_id"] % settings.reuse, batch["reuse_id"])


@pytest.mark.slow
def test_triggers_of_roulette_and_plain_throwing_agree(settings):
    """Rate, energy, impact, offset and size: chi2 with the covariance of whole showers."""
    from scipy.stats import chi2

    n_chunks = 120
    samples = []
    for variant in (settings.model_copy(update={"roulette": None}), settings.model_copy(update={"name": "r"})):
        simulation = simulator(variant, 2)
        samples.append([simulate_chunk(simulation, k) for k in range(n_chunks)])
    n_showers = n_chunks * settings.showers_per_chunk
    assert np.mean(np.concatenate([b["weight"] for b in samples[1]]) > 1.0) > 0.02
    for quantity, n_bins in (
        (lambda b: b["true_energy_gev"], 1),
        (lambda b: b["true_energy_gev"], 5),
        (lambda b: b["true_impact_m"][:, 0], 5),
        (lambda b: true_offset_deg(b.columns), 5),
        (lambda b: b["true_pe"].min(axis=1), 5),
    ):
        edges = np.quantile(np.concatenate([quantity(b) for b in samples[0]]), np.arange(1, n_bins) / n_bins)
        means, covariances = [], []
        for batches in samples:
            per_shower = np.zeros((n_showers, n_bins))
            for batch in batches:
                row = batch["shower_id"] & 0xFFFFFFFF
                np.add.at(per_shower, (row, np.searchsorted(edges, quantity(batch))), batch["weight"])
            means.append(per_shower.mean(axis=0))
            covariances.append(np.atleast_2d(np.cov(per_shower.T)) / n_showers)
        off = means[1] - means[0]
        distance = float(off @ np.linalg.solve(sum(covariances), off))
        assert chi2.sf(distance, n_bins) > 0.001, (n_bins, means)
