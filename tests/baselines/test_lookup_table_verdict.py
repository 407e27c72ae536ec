"""The verdict on the lookup tables: what it reads, that no event meets its own shower, what it prints and draws."""

import lookup_table_verdict as verdict
import numpy as np
import pytest

from magicnn.baselines.cross_fit import cross_fitted_energy
from magicnn.baselines.disp import DispSettings
from magicnn.baselines.lookup import EnergyLookup, LookupSettings
from magicnn.baselines.suite import BaselineSettings
from magicnn.generated import Generated


def test_no_event_is_judged_by_tables_with_its_shower(toy_features):
    """Taught one random energy per shower, whose uses look alike, the tables know nothing of an event's own."""
    gammas = toy_features(3000, 41)
    rng = np.random.default_rng(42)
    random = 10.0 ** rng.uniform(2.0, 3.5, gammas["shower_id"].max() + 1)[gammas["shower_id"]]
    first = np.flatnonzero(np.r_[True, np.diff(gammas["shower_id"]) > 0])[gammas["shower_id"]]
    alike = {n: gammas[n][first] for n in ("size_pe", "impact_m", "h_max_m", "pointing_zenith_deg")}
    taught = gammas.with_columns(true_energy_gev=random, **alike)
    settings = LookupSettings(method="plain", min_events=2.0, size_per_decade=40, impact_step_m=3.0)

    def agreement(energy):
        known = np.isfinite(energy)
        return np.corrcoef(np.log(energy[known]), np.log(random[known]))[0, 1]

    assert agreement(EnergyLookup.fit(taught, settings).predict(taught)[0]) > 0.3
    assert abs(agreement(cross_fitted_energy(taught, settings, n_folds=3, seed=1))) < 0.1


THROWN = {
    "particle": "gamma",
    "energy_min_gev": 50.0,
    "energy_max_gev": 20e3,
    "zenith_min_deg": 5.0,
    "zenith_max_deg": 35.0,
    "scatter_radius_m": 300.0,
    "scatter_energy_exponent": 0.0,
    "scatter_zenith_exponent": 0.0,
}


@pytest.fixture
def files(toy_features, tmp_path):
    """A file of ring gammas and one of diffuse gammas, both with image axes towards the source."""
    paths = []
    for name, seed in (("gamma", 43), ("gamma_diffuse", 44)):
        table = toy_features(2500, seed, particle="gamma")
        angle = {
            "viewcone_min_deg": 0.4 if name == "gamma" else 0.0,
            "viewcone_max_deg": 0.4 if name == "gamma" else 2.0,
        }
        table.meta.generated.update({**THROWN, **angle, "particle": name})
        rng = np.random.default_rng(seed)
        cog = rng.normal(0.0, 0.5, (2, 2500, 2))
        table = table.with_columns(cog_x_deg=cog[0], cog_y_deg=cog[1], time_rms_ns=np.ones((2500, 2)))
        table.save(tmp_path / f"{name}.h5")
        paths.append(tmp_path / f"{name}.h5")
    return paths


def test_table_and_figure(files, tmp_path, capsys, monkeypatch):
    small = BaselineSettings(disp=DispSettings(n_trees=40, n_folds=2))
    monkeypatch.setattr(verdict, "BaselineSettings", lambda: small)
    code = verdict.main([*map(str, files), "--replicates", "20", "--figure", str(tmp_path / "verdict.png")])
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert len([line for line in lines if line.startswith("| ") and "–" in line.split("|")[1]]) == 13
    assert any(line.startswith("reconstructed: sigma within 0.8 to 1.25 in ") for line in lines)
    assert any(line.startswith("true impact: bias within -0.05 to 0.05 in ") for line in lines)
    assert (tmp_path / "verdict.png").stat().st_size > 10_000


def test_productions_that_overlap_make_one_spectrum():
    """A second production above 1 TeV: together they are again E^-2, with its events counting less."""
    rng = np.random.default_rng(46)
    parts = [
        Generated.from_mapping({**THROWN, **limits, "viewcone_min_deg": 0.4, "viewcone_max_deg": 0.4})
        for limits in (
            {"energy_min_gev": 100.0, "energy_max_gev": 1e4, "n_thrown": 40_000, "spectral_index": 2.0},
            {"energy_min_gev": 1e3, "energy_max_gev": 1e4, "n_thrown": 40_000, "spectral_index": 2.0},
        )
    ]
    energy = np.concatenate(
        [1.0 / rng.uniform(1.0 / p.energy_max_gev, 1.0 / p.energy_min_gev, p.n_thrown) for p in parts]
    )
    weights = verdict.spectrum_weights(parts, energy, 2.0)
    counts = [weights[(energy > low) & (energy < 2.0 * low)].sum() * low for low in (200.0, 450.0, 1100.0, 3000.0)]
    np.testing.assert_allclose(counts, np.mean(counts), rtol=0.05)


def test_mistakes_are_one_line(files, capsys):
    assert verdict.main([str(files[0]), "--zenith", "5", "35"]) == 3
    assert "tables are published for 5 30 and 30 45" in capsys.readouterr().err
    assert verdict.main([str(files[1])]) == 3
    assert "none of the files holds gammas from one angle" in capsys.readouterr().err
