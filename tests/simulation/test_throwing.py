"""What is thrown, against the distributions that the settings promise."""

import numpy as np
import pytest
from scipy.stats import kstest

from magicnn.array import camera_from_sky, impact_m
from magicnn.simulation.matching import common_directions, matching_weights, true_offset_deg
from magicnn.simulation.settings import ProductionSettings
from magicnn.simulation.throwing import production_id, throw_shower

COMMON = {
    "name": "thrown",
    "spectral_index": 2.0,
    "energy_min_gev": 50.0,
    "energy_max_gev": 5000.0,
    "zenith_min_deg": 35.0,
    "zenith_max_deg": 50.0,
    "scatter_radius_m": 300.0,
    "scatter_energy_exponent": 0.2,
    "scatter_zenith_exponent": 0.7,
}


def thrown(n, **changes):
    settings = ProductionSettings(**{**COMMON, **changes})
    showers = [throw_shower(settings, 7, index) for index in range(n)]
    columns = {
        "energy": np.repeat([s.energy_gev for s in showers], settings.reuse),
        "true_zenith_deg": np.repeat([s.zenith_deg for s in showers], settings.reuse),
        "true_azimuth_deg": np.repeat([s.azimuth_deg for s in showers], settings.reuse),
    }
    for name in ("pointing_zenith_deg", "pointing_azimuth_deg", "core_x_m", "core_y_m"):
        columns[name] = np.concatenate([getattr(s, name) for s in showers])
    return settings, columns


def offsets(columns):
    names = ("true_zenith_deg", "true_azimuth_deg", "pointing_zenith_deg", "pointing_azimuth_deg")
    return camera_from_sky(*(columns[name] for name in names))


@pytest.fixture(scope="module")
def diffuse():
    return thrown(600, particle="gamma_diffuse", viewcone_max_deg=2.5, reuse=4)


def test_energies_follow_the_spectrum(diffuse):
    _, columns = diffuse
    energy = columns["energy"][::4]
    assert kstest(energy, lambda e: (1 / 50 - 1 / e) / (1 / 50 - 1 / 5000)).pvalue > 0.001


@pytest.mark.parametrize("use", [0, 3])
def test_every_use_has_the_promised_pointings_and_directions(diffuse, use):
    settings, columns = diffuse
    part = {name: values[use::4] for name, values in columns.items()}
    low, high = np.cos(np.radians([settings.zenith_max_deg, settings.zenith_min_deg]))
    cos = np.cos(np.radians(part["pointing_zenith_deg"]))
    assert kstest((cos - low) / (high - low), "uniform").pvalue > 0.001
    assert kstest(part["pointing_azimuth_deg"] % 360 / 360, "uniform").pvalue > 0.001
    x, y = offsets(part)
    assert kstest((x**2 + y**2) / np.degrees(np.tan(np.radians(2.5))) ** 2, "uniform").pvalue > 0.001
    assert kstest((np.arctan2(y, x) + np.pi) / (2 * np.pi), "uniform").pvalue > 0.001


def test_uses_of_a_shower_are_independent_views(diffuse):
    _, columns = diffuse
    x, y = offsets(columns)
    # Around a direction near the end of the zenith range all pointings lie to one side, along x.
    is_inner = np.abs(columns["true_zenith_deg"][::4] - 42.5) < 5.0
    for values in (x, y, columns["core_x_m"], columns["core_y_m"]):
        assert abs(np.corrcoef(values[0::4][is_inner], values[1::4][is_inner])[0, 1]) < 0.2


def test_ring_gammas_lie_on_the_ring():
    _, columns = thrown(50, particle="gamma", viewcone_min_deg=0.4, viewcone_max_deg=0.4, reuse=5)
    assert np.allclose(np.hypot(*offsets(columns)), np.degrees(np.tan(np.radians(0.4))), rtol=1e-6)
    assert columns["pointing_zenith_deg"].min() >= 35.0
    assert columns["pointing_zenith_deg"].max() <= 50.0


def test_cores_fill_the_disc_across_the_axis(diffuse):
    settings, columns = diffuse
    distance = impact_m(
        columns["core_x_m"],
        columns["core_y_m"],
        columns["true_zenith_deg"],
        columns["true_azimuth_deg"],
        np.zeros((1, 3)),
    )[:, 0]
    area = settings.generated(1).thrown_area_m2(columns["energy"], columns["true_zenith_deg"])
    assert kstest(np.pi * distance**2 / area, "uniform").pvalue > 0.001


def test_a_shower_depends_on_seed_and_number_alone():
    settings, _ = thrown(1, particle="gamma_diffuse", viewcone_max_deg=2.5, reuse=4)
    first, again, other = throw_shower(settings, 7, 3), throw_shower(settings, 7, 3), throw_shower(settings, 8, 3)
    assert first.energy_gev == again.energy_gev
    assert np.array_equal(first.core_x_m, again.core_x_m)
    assert first.energy_gev != other.energy_gev
    assert len({production_id(name, seed) for name in ("a", "b") for seed in range(50)}) == 100


def cross_validated_auc(features, is_gamma, showers, weight=None):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold

    score = np.zeros(len(features))
    weight = np.ones(len(features)) if weight is None else weight
    for train, test in GroupKFold(4).split(features, is_gamma, showers):
        forest = RandomForestClassifier(60, min_samples_leaf=30, class_weight="balanced", random_state=0)
        forest.fit(features[train], is_gamma[train], sample_weight=weight[train])
        score[test] = forest.predict_proba(features[test])[:, 1]
    return roc_auc_score(is_gamma, score, sample_weight=weight)


def what_says_nothing(columns):
    x, y = offsets(columns)
    names = ["pointing_zenith_deg", "pointing_azimuth_deg", "true_zenith_deg", "true_azimuth_deg"]
    names += [name for name in ("pedestal_mean_pe", "pedestal_rms_pe") if name in columns]
    return np.column_stack([x, y, np.hypot(x, y), *(columns[name] for name in names)])


def test_diffuse_gammas_are_thrown_as_protons_are():
    samples = [
        thrown(3000, particle=particle, name=particle, viewcone_max_deg=2.5, reuse=1)[1]
        for particle in ("gamma_diffuse", "proton")
    ]
    features = np.concatenate([what_says_nothing(columns) for columns in samples])
    assert cross_validated_auc(features, np.repeat([1, 0], 3000), np.arange(6000)) == pytest.approx(0.5, abs=0.02)


def test_matching_takes_out_a_difference_of_directions():
    _, protons = thrown(3000, particle="proton", name="p", viewcone_max_deg=2.5, reuse=1)
    _, gammas = thrown(6000, particle="gamma_diffuse", name="g", viewcone_max_deg=2.5, reuse=1)
    # As after a trigger: gammas are lost off the axis and at large zenith angles.
    generator = np.random.default_rng(3)
    chance = np.exp(-0.3 * np.hypot(*offsets(gammas)) ** 2 - 0.05 * (gammas["pointing_zenith_deg"] - 35.0))
    has_triggered = generator.random(6000) < chance
    gammas = {name: values[has_triggered] for name, values in gammas.items()}
    before = np.concatenate([what_says_nothing(gammas), what_says_nothing(protons)])
    label = np.repeat([1, 0], [len(before) - 3000, 3000])
    assert cross_validated_auc(before, label, np.arange(len(label))) > 0.6
    weight = matching_weights(gammas, protons)
    assert weight.sum() == pytest.approx(len(weight))
    weight = np.concatenate([weight, np.ones(3000)])
    assert cross_validated_auc(before, label, np.arange(len(label)), weight) == pytest.approx(0.5, abs=0.035)


def test_matching_and_its_limits_know_weights():
    """Protons of which a part stands for all of them are matched as all of them are."""
    _, protons = thrown(4000, particle="proton", name="p", viewcone_max_deg=4.0, reuse=1)
    _, gammas = thrown(8000, particle="gamma_diffuse", name="g", viewcone_max_deg=4.0, reuse=1)
    generator = np.random.default_rng(5)
    offset = true_offset_deg(protons)
    chance = np.where(offset < 1.5, 1.0, 0.25)
    kept = generator.random(len(offset)) < chance
    part = {name: values[kept] for name, values in protons.items()} | {"weight": 1.0 / chance[kept]}
    inner = true_offset_deg(gammas) < 3.0
    gammas = {name: values[inner] for name, values in gammas.items()}
    wanted, weighted = common_directions(protons, gammas), common_directions(part, gammas)
    assert offset[wanted].max() == pytest.approx(3.0 * np.sqrt(0.75), abs=0.05)
    assert (wanted[kept] == weighted).all()
    inside = {name: values[wanted] for name, values in protons.items()}
    some = {name: values[weighted] for name, values in part.items()}
    near = {name: values[common_directions(gammas, gammas)] for name, values in gammas.items()}
    means = [
        np.average(true_offset_deg(near), weights=matching_weights(near, reference)) for reference in (inside, some)
    ]
    error = 1.0 / np.sqrt(len(some["weight"]))
    assert means[0] == pytest.approx(true_offset_deg(inside).mean(), abs=3.0 * error)
    assert means[1] == pytest.approx(means[0], abs=3.0 * error)
