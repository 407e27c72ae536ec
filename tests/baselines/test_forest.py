"""Forests: what they learn on toy showers, that they repeat, and their files."""

import json
import warnings

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
