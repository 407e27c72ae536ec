"""The files of baselines described, and what ``magicnn baseline`` asks of its events."""

import logging
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.baselines.disp import DispDirection, DispSettings
from magicnn.baselines.forest import EnergyForest, ForestSettings, ParticleForest
from magicnn.baselines.lookup import EnergyLookup, LookupSettings
from magicnn.baselines.suite import Baselines, BaselineSettings, require_samples
from magicnn.camera import Camera
from magicnn.cli import app
from magicnn.errors import InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.generated import Generated
from magicnn.images.features import FeatureTable, concatenate_features
from magicnn.io.eventset.reader import EventSetWriter
from magicnn.readout import Readout
from magicnn.zenith import ZenithRange

RING = Generated("gamma", 2.0, 100.0, 20000.0, 5000, 400.0, 0.0, 0.0, 0.4, 0.4, 10.0, 30.0).to_mapping()
CONE = {**RING, "viewcone_min_deg": 0.0, "viewcone_max_deg": 1.5}
META = {
    "gamma": EventMeta("gamma", "ring", True, generated=RING),
    "gamma_diffuse": EventMeta("gamma_diffuse", "cone", True, generated=CONE),
    "proton": EventMeta("proton", "protons", True, generated=CONE),
}


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_info_describes_forests_and_tables(gammas, tmp_path):
    EnergyLookup.fit(gammas).save(tmp_path / "lookup.h5")
    few = gammas.select(slice(0, 400))
    EnergyForest.fit(few, ForestSettings(n_trees=2), seed=1).save(tmp_path / "energy_forest.joblib")
    done = call("info", tmp_path)
    assert done.exit_code == 0, done.output
    assert "energy lookup tables" in done.output
    assert "0 to 35 deg: " in done.output
    assert "method magic" in done.output
    assert "forests for " in done.output
    assert "n_trees 2" in done.output
    assert "scikit-learn" in done.output


def test_baselines_know_the_readout_they_were_fitted_to(gammas, protons, tmp_path):
    readout = Readout(1.64, 30.5)
    few, other = (
        FeatureTable(t.columns, replace(t.meta, sampling_gsps=1.64, window_ns=30.5))
        for t in (gammas.select(slice(0, 400)), protons.select(slice(0, 400)))
    )
    forest = ForestSettings(n_trees=2)
    fitted = Baselines(
        DispDirection.fit(few, DispSettings(n_trees=40, n_folds=2), seed=1),
        EnergyLookup.fit(few, LookupSettings(min_events=2.0)),
        ParticleForest.fit(concatenate_features([few, other]), forest, seed=1),
        EnergyForest.fit(few, forest, seed=1),
    )
    fitted.save(tmp_path)
    assert Baselines.load(tmp_path).readouts == (readout,) * 4
    of_gammas = ZenithRange.of(few["pointing_zenith_deg"])
    of_all = ZenithRange.of(np.concatenate([t["pointing_zenith_deg"] for t in (few, other)]))
    assert Baselines.load(tmp_path).zenith_ranges == (of_gammas, of_gammas, of_all, of_gammas)
    done = call("info", tmp_path)
    assert done.output.count("1.64 GS/s, window 30.5 ns") == 4
    assert done.output.count("trained at zenith") == 4
    assert str(of_all) in done.output


def test_gammas_from_one_angle_in_the_separation_are_told(gammas, protons, caplog):
    few, other = (
        FeatureTable(t.columns, replace(t.meta, generated={**cone, "particle": t.meta.particle}))
        for t, cone in ((gammas.select(slice(0, 400)), RING), (protons.select(slice(0, 400)), CONE))
    )
    forest = ForestSettings(n_trees=2)
    lookup = LookupSettings(min_events=2.0)
    settings = BaselineSettings(disp=DispSettings(n_trees=40, n_folds=2), lookup=lookup, forest=forest)
    logger = logging.getLogger("magicnn.baselines.suite")
    logger.addHandler(caplog.handler)
    try:
        Baselines.fit([few], [few, other], settings, seed=1)
    finally:
        logger.removeHandler(caplog.handler)
    assert "gammas all from 0.4 deg off the pointing against proton" in caplog.text


@pytest.mark.parametrize(
    ("gammas", "classified", "missing"),
    [
        (["gamma", "gamma_diffuse"], ["gamma_diffuse"], "protons"),
        (["gamma_diffuse"], ["gamma_diffuse", "proton"], "gammas from one angle to the pointing"),
        (["gamma"], ["proton"], "diffuse gammas"),
    ],
)
def test_a_missing_kind_of_event_is_named(gammas, classified, missing):
    with pytest.raises(InputError, match=f"add an event set of {missing}"):
        require_samples([META[name] for name in gammas], [META[name] for name in classified])
    require_samples([META["gamma"]], [META["gamma_diffuse"], META["proton"]])


def test_baseline_without_protons_stops_at_once(tmp_path):
    images = np.ones((2, 2, Camera.magic().n_pixels), dtype=np.float32)
    for name in ("gamma", "gamma_diffuse"):
        meta = replace(META[name], camera=Camera.magic())
        with EventSetWriter(tmp_path / f"{name}.h5", meta) as writer:
            writer.append(EventBatch(images, images, {"run_id": np.ones(2), "event_id": np.arange(2)}, meta))
    done = call("baseline", tmp_path / "gamma.h5", tmp_path / "gamma_diffuse.h5", "--output", tmp_path / "models")
    assert done.exit_code == 3
    assert "add an event set of protons" in done.output
    assert done.output.strip().count("\n") == 0
    assert not (tmp_path / "models").exists()
