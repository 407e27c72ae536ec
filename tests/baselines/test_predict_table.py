"""From a feature table to predictions that evaluation can read."""

import numpy as np
import pytest

from magicnn.baselines.lookup import EnergyLookup
from magicnn.baselines.predictions import event_columns, predict_table
from magicnn.errors import ConfigError
from magicnn.images.quality import QualitySettings, cut_flow, passes_quality
from magicnn.predictions import load_predictions


class Constant:
    """A classifier without memory."""

    def predict(self, features):
        return np.full(len(features), 0.25)


def test_columns_of_a_prediction(gammas, test_gammas, tmp_path):
    lookup = EnergyLookup.fit(gammas)
    table = predict_table(test_gammas, method="LUT", classifier=Constant(), energy=lookup, meta={"file": "lut.h5"})
    assert table.method == "LUT"
    assert table.particle == "gamma"
    assert table.generated["n_thrown"] == len(test_gammas)
    np.testing.assert_array_equal(table["event_id"], test_gammas["event_id"])
    np.testing.assert_array_equal(table["shower_id"], test_gammas["shower_id"])
    np.testing.assert_array_equal(table["reco_energy_gev"], lookup.predict(test_gammas)[0])
    assert (table["gammaness"] == 0.25).all()
    np.testing.assert_allclose(table["theta2_deg2"], 0.0, atol=1e-12)
    np.testing.assert_array_equal(table["size_min_pe"], test_gammas["size_pe"].min(axis=1))
    np.testing.assert_array_equal(table["is_valid"], passes_quality(test_gammas))
    assert table.meta["file"] == "lut.h5"
    table.save(tmp_path / "predictions.h5")
    again = load_predictions(tmp_path / "predictions.h5")
    assert again.meta["cut_flow"]["events"] == len(test_gammas)
    np.testing.assert_array_equal(again["reco_energy_gev"], table["reco_energy_gev"])


def test_what_is_not_estimated_is_absent(test_gammas):
    table = predict_table(test_gammas, method="forest", classifier=Constant())
    assert "gammaness" in table
    assert "reco_energy_gev" not in table
    with pytest.raises(ConfigError, match="give a classifier, an energy estimator, or both"):
        predict_table(test_gammas, method="nothing")


def test_theta2_is_the_angle_on_the_sky(test_gammas):
    moved = test_gammas.with_columns(reco_zenith_deg=test_gammas["true_zenith_deg"] + 0.1)
    np.testing.assert_allclose(event_columns(moved)["theta2_deg2"], 0.01, rtol=1e-6)


def test_direction_by_disp_replaces_the_crossing(test_gammas):
    better = test_gammas.with_columns(
        reco_zenith_deg=test_gammas["true_zenith_deg"] + 0.1,
        disp_zenith_deg=test_gammas["true_zenith_deg"] + 0.02,
        disp_azimuth_deg=test_gammas["true_azimuth_deg"],
    )
    columns = event_columns(better)
    np.testing.assert_allclose(columns["theta2_deg2"], 4e-4, rtol=1e-5)
    np.testing.assert_array_equal(columns["reco_zenith_deg"], better["disp_zenith_deg"])


def test_cuts_and_their_flow(test_gammas):
    size, width, leakage = (test_gammas[n].copy() for n in ("size_pe", "width_deg", "leakage2"))
    size[:] = 60.0
    size[0, 1] = 50.0
    size[1, 0] = np.nan
    width[2, 0] = 0.0
    leakage[3, 1] = 0.5
    stereo = np.ones(len(test_gammas), dtype=bool)
    stereo[4] = False
    changed = test_gammas.with_columns(size_pe=size, width_deg=width, leakage2=leakage, is_stereo=stereo)
    n = len(changed)
    assert np.flatnonzero(~passes_quality(changed)).tolist() == [0, 1, 2, 4]
    flow = cut_flow(changed, QualitySettings(max_leakage2=0.2))
    assert list(flow.values()) == [n, n - 2, n - 3, n - 4, n - 5]
    assert "size > 50 phe in each telescope" in flow
    loose = QualitySettings(min_size_pe=0.0, require_stereo=False)
    assert np.flatnonzero(~passes_quality(changed, loose)).tolist() == [1, 2]
