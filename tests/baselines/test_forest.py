"""Forests: what they learn on toy showers, that they repeat, and their files."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from magicnn.baselines.forest import (
    FOREST_FEATURES,
    EnergyForest,
    ForestSettings,
    ParticleForest,
    forest_inputs,
)
from magicnn.errors import CheckpointError, InputError
from magicnn.images.features import concatenate_features

SMALL = ForestSettings(n_trees=20)


@pytest.fixture(scope="module")
def mixed(gammas, protons):
    return concatenate_features([gammas.select(slice(0, 4000)), protons])


@pytest.fixture(scope="module")
def particle_forest(mixed):
    return ParticleForest.fit(mixed, SMALL, seed=1)


@pytest.fixture(scope="module")
def energy_forest(gammas):
    return EnergyForest.fit(gammas.select(slice(0, 4000)), SMALL, seed=1)


def test_defaults_are_those_of_magic_cta_pipe():
    defaults = ForestSettings()
    assert (defaults.n_trees, defaults.max_depth, defaults.min_samples_leaf) == (150, 50, 2)
    assert len(FOREST_FEATURES) == 11


def test_inputs_are_the_listed_features(gammas):
    inputs = forest_inputs(gammas, 1, unsigned=True)
    assert inputs.shape == (len(gammas), 11)
    np.testing.assert_allclose(inputs[:, 0], gammas["size_pe"][:, 1])
    np.testing.assert_allclose(inputs[:, 3], np.abs(gammas["skewness"][:, 1]))
    np.testing.assert_allclose(inputs[:, 7], gammas["h_max_m"], rtol=1e-6)
    signed = forest_inputs(gammas, 1, unsigned=False)
    np.testing.assert_allclose(signed[:, 5], gammas["time_slope_ns_per_deg"][:, 1])


def test_separation_learns_the_width(particle_forest, toy_features):
    gammaness = [
        particle_forest.predict(toy_features(1500, seed, particle=particle))
        for seed, particle in ((21, "gamma"), (22, "proton"))
    ]
    assert all(((g >= 0) & (g <= 1)).all() for g in gammaness)
    # area under the curve: how often a gamma is more gamma-like than a proton
    area = np.mean(gammaness[0][:, None] > gammaness[1][None, :])
    assert area > 0.97


def test_energy_is_close_and_beats_one_telescope(energy_forest, test_gammas):
    energy, uncertainty = energy_forest.predict(test_gammas)
    true = test_gammas["true_energy_gev"]
    used = (test_gammas["size_pe"] > 50).all(axis=1) & (true > 200) & (true < 3000)
    error = energy[used] / true[used] - 1.0
    low, middle, high = np.quantile(error, [0.16, 0.5, 0.84])
    assert abs(middle) < 0.05
    assert (high - low) / 2 < 0.2
    assert (uncertainty[used] > 0).all()
    blind = test_gammas["size_pe"].copy()
    blind[:, 0] = np.nan
    alone, _ = energy_forest.predict(test_gammas.with_columns(size_pe=blind))
    assert np.std(np.log(alone[used] / true[used])) > 1.15 * np.std(np.log(energy[used] / true[used]))


def test_same_seed_same_forest_whatever_the_threads(mixed, gammas, test_gammas):
    few = ForestSettings(n_trees=8, n_jobs=2)
    predictions = [
        ParticleForest.fit(mixed, settings, seed=seed).predict(test_gammas)
        for settings, seed in ((few, 5), (few, 5), (few.model_copy(update={"n_jobs": 1}), 5), (few, 6))
    ]
    np.testing.assert_array_equal(predictions[0], predictions[1])
    np.testing.assert_array_equal(predictions[0], predictions[2])
    assert not np.array_equal(predictions[0], predictions[3])
    energies = [EnergyForest.fit(gammas.select(slice(0, 2000)), few, seed=5).predict(test_gammas) for _ in range(2)]
    np.testing.assert_array_equal(energies[0], energies[1])


def test_classes_weigh_the_same_unless_told_otherwise(gammas, protons, test_gammas):
    rare = concatenate_features([gammas.select(slice(0, 3000)), protons.select(slice(0, 300))])
    width = np.full((len(test_gammas), 2), 0.095)  # where both are about as likely
    between = test_gammas.with_columns(width_deg=width)
    balanced = ParticleForest.fit(rare, SMALL, seed=2).predict(between)
    counted = ParticleForest.fit(rare, SMALL, seed=2, weights=np.ones(len(rare))).predict(between)
    assert np.median(counted) > np.median(balanced) + 0.05


def test_images_with_unknown_inputs_are_left_to_the_other_telescope(particle_forest, energy_forest, test_gammas):
    kurtosis, h_max = test_gammas["kurtosis"].copy(), test_gammas["h_max_m"].copy()
    kurtosis[0, 0] = np.nan
    h_max[1] = np.nan
    changed = test_gammas.with_columns(kurtosis=kurtosis, h_max_m=h_max)
    for forest in (particle_forest, energy_forest):
        values = np.atleast_2d(forest.predict(changed))[0]
        assert np.isfinite(values[0])
        assert np.isnan(values[1])
        np.testing.assert_array_equal(values[2:], np.atleast_2d(forest.predict(test_gammas))[0][2:])


def test_rows_do_not_influence_each_other(particle_forest, energy_forest, test_gammas):
    some = np.random.default_rng(4).permutation(len(test_gammas))[:300]
    np.testing.assert_array_equal(
        particle_forest.predict(test_gammas)[some], particle_forest.predict(test_gammas.select(some))
    )
    np.testing.assert_array_equal(
        energy_forest.predict(test_gammas)[0][some], energy_forest.predict(test_gammas.select(some))[0]
    )
    assert len(particle_forest.predict(test_gammas.select(slice(0, 0)))) == 0


@pytest.mark.parametrize("kind", [ParticleForest, EnergyForest])
def test_file_keeps_the_forest(kind, particle_forest, energy_forest, test_gammas, tmp_path):
    forest = particle_forest if kind is ParticleForest else energy_forest
    path = tmp_path / "forest.bin"
    forest.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = kind.load(path)
    np.testing.assert_array_equal(again.predict(test_gammas), forest.predict(test_gammas))
    assert again.settings == SMALL
    assert "20 trees" in repr(again)


def test_unusable_files_are_refused(particle_forest, tmp_path):
    path = tmp_path / "forest.bin"
    particle_forest.save(path)
    content = path.read_bytes()
    magic, header, payload = content.split(b"\n", 2)
    with pytest.raises(CheckpointError, match="holds forests for gamma/hadron separation, expected energy"):
        EnergyForest.load(path)
    path.write_bytes(b"\n".join([magic, header, payload[:-5]]))
    with pytest.raises(CheckpointError, match="checksum does not fit"):
        ParticleForest.load(path)
    older = {**json.loads(header), "scikit-learn": "0.19.1"}
    path.write_bytes(b"\n".join([magic, json.dumps(older).encode(), payload]))
    with pytest.raises(CheckpointError, match=r"written with scikit-learn 0\.19\.1, here is"):
        ParticleForest.load(path)
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(CheckpointError, match="not a file of forests"):
        ParticleForest.load(path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        ParticleForest.load(tmp_path / "missing.bin")


def test_both_classes_are_needed(gammas, protons):
    with pytest.raises(InputError, match=r"forest of M1: \d+ gammas and 0 hadrons pass"):
        ParticleForest.fit(gammas, SMALL, seed=1)
    with pytest.raises(InputError, match="none of 4000 events is a gamma"):
        EnergyForest.fit(protons, SMALL, seed=1)


def test_published_settings_by_name():
    published = ForestSettings.model_validate({"recipe": "magic-cta-pipe"})
    assert (published.n_trees, published.max_depth) == (150, 50)
    assert (published.classifier_trees, published.classifier_depth) == (100, 100)
    assert published.gammaness_weights == published.energy_weights == "size"
    changed = ForestSettings.model_validate({"recipe": "magic-cta-pipe", "classifier_trees": 7})
    assert (changed.classifier_trees, changed.classifier_depth) == (7, 100)
    assert ForestSettings.model_validate(changed.model_dump(mode="json")) == changed


def test_size_of_the_particle_forest_alone(mixed, energy_forest, gammas):
    settings = SMALL.model_copy(update={"classifier_trees": 3, "classifier_depth": 2})
    forest = ParticleForest.fit(mixed, settings, seed=1).forests[0]
    assert len(forest.estimators_) == 3
    assert max(tree.get_depth() for tree in forest.estimators_) == 2
    energy = EnergyForest.fit(gammas.select(slice(0, 400)), settings, seed=1).forests[0]
    assert len(energy.estimators_) == 20


def test_telescopes_are_averaged_as_the_settings_say(particle_forest, energy_forest, test_gammas):
    some = test_gammas.select(slice(0, 500))
    size = some["size_pe"].astype(np.float64)
    share = np.stack(
        [f.predict_proba(forest_inputs(some, t, unsigned=True))[:, 1] for t, f in enumerate(particle_forest.forests)],
        axis=1,
    )
    for kind, weights in [("simple", np.ones_like(size)), ("size", size)]:
        changed = replace(particle_forest, settings=SMALL.model_copy(update={"gammaness_weights": kind}))
        np.testing.assert_allclose(changed.predict(some), np.average(share, axis=1, weights=weights))
    by_variance = replace(particle_forest, settings=SMALL.model_copy(update={"gammaness_weights": "variance"}))
    near = np.clip(share, 0.01, 0.99)
    np.testing.assert_allclose(by_variance.predict(some), np.average(share, axis=1, weights=1 / (near * (1 - near))))

    votes = [
        np.stack([tree.predict(forest_inputs(some, t, unsigned=True)) for tree in f.estimators_])
        for t, f in enumerate(energy_forest.forests)
    ]
    mean, variance = (np.stack([g(v, axis=0) for v in votes], axis=1) for g in (np.mean, np.var))
    variance = np.maximum(variance, 1e-4)
    for kind, weights in [("simple", np.ones_like(size)), ("size", size), ("variance", 1.0 / variance)]:
        changed = replace(energy_forest, settings=SMALL.model_copy(update={"energy_weights": kind}))
        energy, uncertainty = changed.predict(some)
        np.testing.assert_allclose(np.log10(energy), np.average(mean, axis=1, weights=weights))
        share_of = weights / weights.sum(axis=1, keepdims=True)
        spread = np.sqrt(np.sum(share_of**2 * variance, axis=1))
        np.testing.assert_allclose(uncertainty, energy * np.log(10.0) * spread)
