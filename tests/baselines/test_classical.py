"""Classical methods on feature tables: inputs, what they learn on toy showers, files, baselines with them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.baselines.classical import (
    ClassicalEnergy,
    ClassicalMethod,
    ClassicalParticle,
    input_names,
    stereo_inputs,
)
from magicnn.baselines.disp import DispDirection, DispSettings
from magicnn.baselines.forest import EnergyForest, ForestSettings, ParticleForest
from magicnn.baselines.learners import LEARNERS, ClassicalSettings
from magicnn.baselines.lookup import EnergyLookup, LookupSettings
from magicnn.baselines.suite import Baselines, BaselineSettings, baseline_files, methods_in
from magicnn.cli import app
from magicnn.errors import CheckpointError, ConfigError, InputError
from magicnn.evaluation.classification import roc_auc
from magicnn.images.features import FeatureTable, concatenate_features
from magicnn.readout import Readout
from magicnn.zenith import ZenithRange

SMALL = ClassicalSettings(n_trees=15, boosting_rounds=25, learning_rate=0.2, max_leaves=8, epochs=20, svm_events=800)
PARTICLE = [name for name, learner in LEARNERS.items() if learner.classifier]
ENERGY = [name for name, learner in LEARNERS.items() if learner.regressor]


@pytest.fixture(scope="module")
def mixed(gammas, protons):
    return concatenate_features([gammas.select(slice(0, 1500)), protons.select(slice(0, 1500))])


@pytest.fixture(scope="module")
def bayes(mixed):
    return ClassicalParticle.fit(mixed, "naive_bayes", SMALL, seed=1)


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_inputs_are_the_parameters_of_both_images_and_of_the_event(gammas):
    inputs, is_known = stereo_inputs(gammas)
    names = input_names(gammas.meta.telescopes)
    column = dict(zip(names, inputs.T, strict=True))
    assert inputs.shape == (len(gammas), 20)
    assert is_known.all()
    np.testing.assert_allclose(10.0 ** column["size_pe_M2"], gammas["size_pe"][:, 1], rtol=1e-5)
    np.testing.assert_allclose(column["skewness_M1"], np.abs(gammas["skewness"][:, 0]))
    np.testing.assert_allclose(column["impact_m_M1"], gammas["impact_m"][:, 0])
    np.testing.assert_allclose(column["h_max_m"], gammas["h_max_m"])
    angle = np.degrees(np.arctan2(column["sin_azimuth"], column["cos_azimuth"])) % 360.0
    np.testing.assert_allclose(angle, gammas["pointing_azimuth_deg"], atol=1e-9)


@pytest.mark.parametrize("method", PARTICLE)
def test_separation_learns_the_width(method, mixed, toy_features):
    trained = ClassicalParticle.fit(mixed, method, SMALL, seed=1)
    gamma, proton = (trained.predict(toy_features(800, s, particle=p)) for s, p in ((21, "gamma"), (22, "proton")))
    assert roc_auc(gamma, proton) > (0.9 if method in ("decision_tree", "nearest_neighbours") else 0.95)


@pytest.mark.parametrize("method", ENERGY)
def test_energy_is_close(method, gammas, test_gammas):
    trained = ClassicalEnergy.fit(gammas.select(slice(0, 3000)), method, SMALL, seed=1)
    energy, uncertainty = trained.predict(test_gammas)
    true = test_gammas["true_energy_gev"]
    used = (test_gammas["size_pe"] > 50).all(axis=1) & (true > 200) & (true < 3000)
    error = energy[used] / true[used] - 1.0
    low, middle, high = np.quantile(error, [0.16, 0.5, 0.84])
    # in many dimensions the neighbours are far away, and most of them have lower energies
    assert abs(middle) < (0.5 if method == "nearest_neighbours" else 0.1)
    assert (high - low) / 2 < 0.4
    # 68 % of the estimates are as close as they say, whatever the energy
    seen = (test_gammas["size_pe"] > 50).all(axis=1)
    assert 0.58 < np.mean(np.abs(energy - true)[seen] < uncertainty[seen]) < 0.78


def test_an_image_without_all_parameters_leaves_the_other(bayes, test_gammas):
    kurtosis, h_max, size = (test_gammas[n].copy() for n in ("kurtosis", "h_max_m", "size_pe"))
    kurtosis[0, 0] = np.nan
    h_max[1] = np.nan
    size[2, 0], kurtosis[2, 1] = 0.0, np.nan
    changed = bayes.predict(test_gammas.with_columns(kurtosis=kurtosis, h_max_m=h_max, size_pe=size))
    before = bayes.predict(test_gammas)
    assert np.isfinite(changed[0])
    assert np.isnan(changed[1:3]).all()
    np.testing.assert_array_equal(changed[3:], before[3:])
    assert len(bayes.predict(test_gammas.select(slice(0, 0)))) == 0


def test_training_leaves_out_what_the_forests_leave_out(gammas, protons):
    few = gammas.select(slice(0, 400))
    size = few["size_pe"].copy()
    size[:100] = 40.0
    dim = few.with_columns(size_pe=size)
    expected = int((size > 50.0).all(axis=1).sum())
    trained = ClassicalEnergy.fit(concatenate_features([dim, protons.select(slice(0, 300))]), "decision_tree", seed=1)
    assert trained.fitted.n_events == expected


def test_weights_of_the_events_count(mixed, test_gammas):
    narrow = mixed["width_deg"].mean(axis=1) < np.median(mixed["width_deg"][mixed["true_particle"] == 22])
    alike = ClassicalParticle.fit(mixed, "naive_bayes", SMALL, seed=1)
    weights = np.where((mixed["true_particle"] == 22) & narrow, 0.01, 1.0)
    given = ClassicalParticle.fit(mixed, "naive_bayes", SMALL, seed=1, weights=weights)
    column = ClassicalParticle.fit(mixed.with_columns(weight=weights), "naive_bayes", SMALL, seed=1)
    np.testing.assert_array_equal(given.predict(test_gammas), column.predict(test_gammas))
    assert not np.allclose(given.predict(test_gammas), alike.predict(test_gammas))


@pytest.mark.parametrize("name", ["decision_tree", "linear_regression", "svm"])
def test_files_keep_the_method_and_its_table_has_what_it_estimates(name, gammas, mixed, test_gammas, tmp_path):
    method = ClassicalMethod.fit(name, gammas.select(slice(0, 600)), mixed, SMALL, seed=3)
    method.save(tmp_path)
    learner = LEARNERS[name]
    assert {p.name for p in tmp_path.iterdir()} == set(ClassicalMethod.files(name))
    again = ClassicalMethod.load(tmp_path, name).predict(test_gammas)
    table = method.predict(test_gammas)
    assert again.method == name
    assert ("gammaness" in table) == (learner.classifier is not None)
    assert ("reco_energy_gev" in table) == (learner.regressor is not None)
    for column in table.columns:
        np.testing.assert_array_equal(again[column], table[column])


def test_unusable_files_are_refused(bayes, gammas, tmp_path):
    path = tmp_path / "naive_bayes_particle.joblib"
    bayes.save(path)
    assert ClassicalParticle.load(path, "naive_bayes").settings == SMALL
    with pytest.raises(CheckpointError, match="holds method naive_bayes for gamma/hadron separation, expected method"):
        ClassicalParticle.load(path, "svm")
    with pytest.raises(CheckpointError, match="holds method naive_bayes for gamma/hadron separation"):
        ParticleForest.load(path)
    content = path.read_bytes()
    path.write_bytes(content[:-5])
    with pytest.raises(CheckpointError, match="checksum does not fit"):
        ClassicalParticle.load(path, "naive_bayes")
    magic, header, payload = content.split(b"\n", 2)
    older = {**json.loads(header), "scikit-learn": "0.19.1"}
    path.write_bytes(b"\n".join([magic, json.dumps(older).encode(), payload]))
    with pytest.raises(CheckpointError, match=r"written with scikit-learn 0\.19\.1"):
        ClassicalParticle.load(path, "naive_bayes")
    with pytest.raises(CheckpointError, match="cannot be read"):
        ClassicalMethod.load(tmp_path, "boosted_trees")


def test_events_of_other_telescopes_and_missing_kinds_are_refused(bayes, gammas, mixed):
    one = {n: v[:, :1] if v.ndim == 2 else v for n, v in gammas.columns.items()}
    alone = FeatureTable(one, replace(gammas.meta, telescopes=("M1",)))
    with pytest.raises(InputError, match="trained with 20 parameters, events of 1 telescopes have 12"):
        bayes.predict(alone)
    with pytest.raises(InputError, match="and 0 hadrons to train on; ten of each needed"):
        ClassicalParticle.fit(gammas.select(slice(0, 500)), "svm", SMALL, seed=1)
    with pytest.raises(ConfigError, match="no regressor 'svm'"):
        ClassicalEnergy.fit(gammas, "svm", SMALL, seed=1)


@pytest.fixture(scope="module")
def standard(gammas, mixed):
    few, forest = gammas.select(slice(0, 400)), ForestSettings(n_trees=2)
    return (
        DispDirection.fit(few, DispSettings(n_trees=40, n_folds=2), seed=1),
        EnergyLookup.fit(few, LookupSettings(min_events=2.0)),
        ParticleForest.fit(mixed, forest, seed=1),
        EnergyForest.fit(few, forest, seed=1),
    )


def test_baselines_with_classical_methods(standard, gammas, mixed, test_gammas, tmp_path):
    few = gammas.select(slice(0, 400))
    classical = [ClassicalMethod.fit(n, few, mixed, SMALL, seed=1) for n in ("naive_bayes", "polynomial_regression")]
    fitted = Baselines(*standard, tuple(classical))
    fitted.save(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == set(baseline_files(("naive_bayes", "polynomial_regression")))
    again = Baselines.load(tmp_path)
    assert again.methods == ("forest", "LUT", "naive_bayes", "polynomial_regression")
    assert [t.method for t in again.predict(test_gammas)] == list(again.methods)
    assert again.readouts == (Readout.of(few.meta),) * 6
    assert again.zenith_ranges[4] == ZenithRange.of(mixed["pointing_zenith_deg"])
    done = call("info", tmp_path)
    assert done.exit_code == 0, done.output
    assert "method naive_bayes for gamma/hadron separation" in done.output
    assert "forests for gamma/hadron separation" in done.output
    # those of an earlier fit would be taken for these
    Baselines(*standard, tuple(classical[:1])).save(tmp_path)
    assert methods_in(tmp_path) == ("naive_bayes",)


def test_methods_are_chosen_by_name(tmp_path):
    settings = BaselineSettings()
    assert settings.classical.methods == ()
    done = call(
        "baseline", "nowhere.h5", "--output", tmp_path / "m", "--method", "svm", "--method", "perceptron", "--dry-run"
    )
    assert done.exit_code == 0, done.output
    assert "methods:\n  - svm\n  - perceptron\n" in done.output
    wrong = call("baseline", "nowhere.h5", "--output", tmp_path / "m", "--method", "perceptrons")
    assert wrong.exit_code == 2
    assert "did you mean 'perceptron'" in wrong.output
    assert wrong.output.strip().count("\n") == 0


def test_what_a_folder_holds_is_not_replaced_unasked(standard, gammas, mixed, tmp_path):
    (tmp_path / "svm_particle.joblib").write_bytes(b"")
    done = call("baseline", "nowhere.h5", "--output", tmp_path)
    assert done.exit_code == 2
    assert "holds svm_particle.joblib" in done.output


def test_a_network_cannot_be_called_as_a_classical_method_of_the_folder(tmp_path):
    (tmp_path / "svm_particle.joblib").write_bytes(b"")
    done = call("predict", "nowhere.h5", "--output", tmp_path, "--baselines", tmp_path, "--method", "SVM")
    assert done.exit_code == 2
    assert "that is what the predictions of --baselines are called" in done.output
