"""The benchmark on public data: what it reads, that nothing is judged by what it was trained on, what it prints."""

import numpy as np
import public_benchmarks as bench
import pytest

from magicnn.baselines.learners import ClassicalSettings
from magicnn.errors import InputError

SETTINGS = ClassicalSettings(n_neighbours=1)


def noise(n, seed, *, energies=False):
    """Features that say nothing; every shower is there twice."""
    rng = np.random.default_rng(seed)
    inputs = np.repeat(rng.normal(size=(n, 3)), 2, axis=0)
    is_gamma = np.ones(2 * n, dtype=bool) if energies else np.repeat(rng.uniform(size=n) < 0.5, 2)
    energy = np.repeat(10.0 ** rng.uniform(2.0, 4.0, n), 2)
    return bench.Sample(inputs, is_gamma, np.repeat(np.arange(n), 2), energy)


def test_no_event_is_judged_by_what_saw_its_shower():
    sample = noise(600, 1)
    folds = bench.folds_of(sample, 3, 1)
    np.testing.assert_array_equal(folds[::2], folds[1::2])
    # one neighbour would know the other use of the shower exactly
    said = bench.judged_gammaness(sample, "nearest_neighbours", SETTINGS, folds)
    numbers = bench.separation_numbers(sample, said, 20, 1)
    assert numbers["auc"][0] == pytest.approx(0.5, abs=0.06)
    energies = noise(600, 2, energies=True)
    said = bench.judged_energy(energies, "nearest_neighbours", SETTINGS, bench.folds_of(energies, 3, 1))
    assert np.corrcoef(np.log(said), np.log(energies.true_energy_gev))[0, 1] < 0.15


def test_numbers_are_those_of_the_scores():
    rng = np.random.default_rng(3)
    is_gamma = np.repeat([True, False], 5000)
    said = 1.0 / (1.0 + np.exp(-(rng.normal(size=10_000) + is_gamma)))
    sample = bench.Sample(np.zeros((10_000, 1)), is_gamma, np.arange(10_000), np.full(10_000, np.nan))
    numbers = bench.separation_numbers(sample, said, 50, 1)
    # Gaussians one sigma apart
    assert numbers["auc"][0] == pytest.approx(0.760, abs=0.015)
    assert numbers["hadrons at 0.5"][0] == pytest.approx(0.159, abs=0.015)
    assert numbers["gammas at 0.1"][0] == pytest.approx(0.389, abs=0.03)
    for value, low, high in numbers.values():
        assert low <= value <= high


def test_public_sets_are_read(data_dir):
    samples = bench.samples_of(data_dir)
    uci = samples["UCI"]
    assert uci.inputs.shape == (19020, 10)
    assert int(uci.is_gamma.sum()) == 12332
    diffuse, point_like, energy = (samples[title] for title in list(samples)[1:])
    for sample in (diffuse, point_like):
        assert len(sample.inputs) == 2000
        assert int(sample.is_gamma.sum()) == 1000
        assert np.isfinite(sample.inputs).all()
    # gammas point to their source, protons anywhere
    alpha = point_like.inputs[:, -1]
    assert np.median(alpha[point_like.is_gamma]) < 0.3 < 0.6 < np.median(alpha[~point_like.is_gamma])
    assert energy.is_gamma.all()
    assert 200.0 < energy.true_energy_gev.min() < energy.true_energy_gev.max() < 50_000.0


def test_what_is_done_is_kept_and_printed(data_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "CLASSIFIERS", ("logistic_regression",))
    monkeypatch.setattr(bench, "REGRESSORS", ("linear_regression",))
    words = [str(data_dir), "--store", str(tmp_path / "store"), "--folds", "2", "--replicates", "10"]
    assert bench.main([*words, "--figure", str(tmp_path / "figure.png")]) == 0
    printed = capsys.readouterr().out
    assert "12332 gammas, 6688 hadrons, 10 features." in printed
    assert printed.count("| logistic regression |") == 6
    assert printed.count("| linear regression |") == 1
    assert (tmp_path / "figure.png").stat().st_size > 10_000
    monkeypatch.setattr(bench, "judged", None)
    assert bench.main(words) == 0
    assert capsys.readouterr().out == printed


def test_other_files_are_refused(tmp_path, capsys):
    assert bench.main([str(tmp_path), "--store", str(tmp_path / "store")]) == 3
    assert "aict_gamma.hdf5: not a file of FACT's simulation" in capsys.readouterr().err
    (tmp_path / "magic04.data").write_text("1,2,g\n")
    with pytest.raises(InputError, match="expected 10 parameters"):
        bench.read_uci(tmp_path / "magic04.data")
