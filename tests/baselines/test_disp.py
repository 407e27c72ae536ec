"""Directions by DISP on projected showers whose shape tells how far the source is."""

from dataclasses import replace

import numpy as np
import pytest
from projected_showers import projected

from magicnn.array import camera_from_sky, sky_from_camera
from magicnn.baselines.disp import DispDirection, DispSettings
from magicnn.errors import CheckpointError, InputError
from magicnn.events import EventMeta
from magicnn.images.features import FeatureTable
from magicnn.images.quality import passes_quality
from magicnn.images.stereo import reconstruct
from magicnn.splits import split_by_shower

SMALL = DispSettings(n_trees=40, n_folds=2)


def error(table, prefix):
    x, y = camera_from_sky(
        table["true_zenith_deg"],
        table["true_azimuth_deg"],
        table["pointing_zenith_deg"],
        table["pointing_azimuth_deg"],
    )
    return np.hypot(table[f"{prefix}_x_deg"] - x, table[f"{prefix}_y_deg"] - y)


@pytest.fixture(scope="module")
def training():
    return projected(2400, 1)


@pytest.fixture(scope="module")
def tested():
    return projected(2000, 2)


@pytest.fixture(scope="module")
def disp(training):
    return DispDirection.fit(training, SMALL, seed=3)


def test_better_than_crossing_the_axes(disp, tested):
    table = disp.apply(tested)
    good = passes_quality(table)
    crossing, learnt = error(table, "reco")[good], error(table, "disp")[good]
    assert np.quantile(learnt, 0.68) < 0.6 * np.quantile(crossing, 0.68)
    assert np.quantile(learnt, 0.95) < 0.3 * np.quantile(crossing, 0.95)
    # with a good angle between the images there is little to gain, and nothing may be lost
    wide = table["stereo_angle_deg"][good] > 60
    assert np.median(learnt[wide]) < 1.1 * np.median(crossing[wide])
    impact_error = {n: np.abs(table[n] - table["true_impact_m"])[good] for n in ("impact_m", "disp_impact_m")}
    assert np.median(impact_error["disp_impact_m"]) < np.median(impact_error["impact_m"])


def test_sense_of_the_axes_is_found(disp, tested):
    table = disp.apply(tested)
    good = passes_quality(table)
    far = good & (np.hypot(table["disp_x_deg"], table["disp_y_deg"]) < 9.0)
    assert np.mean(error(table, "disp")[far] > 0.8) < 0.02


def test_training_events_are_no_better_than_new_ones(disp, training, tested):
    errors = [error(disp.apply(t).select(passes_quality(t)), "disp") for t in (training, tested)]
    assert np.median(errors[0]) == pytest.approx(np.median(errors[1]), rel=0.1)
    assert np.quantile(errors[0], 0.68) == pytest.approx(np.quantile(errors[1], 0.68), rel=0.1)


def test_truth_of_training_events_does_not_leak(training):
    """Taught random directions, one per shower, the forests know nothing of those of the events they were taught."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(0.0, 0.7, (2, training["shower_id"].max() + 1))[:, training["shower_id"]]
    zenith, azimuth = sky_from_camera(x, y, training["pointing_zenith_deg"], training["pointing_azimuth_deg"])
    random = training.with_columns(true_zenith_deg=zenith, true_azimuth_deg=azimuth)
    good = passes_quality(random)

    def typical_error(disp):
        return np.median(error(disp.apply(random), "disp")[good])

    taught = DispDirection.fit(random, SMALL, seed=3)
    honest = typical_error(taught)
    # the same forests with the folds mixed up speak about showers they have seen
    mixed = typical_error(replace(taught, seed=4))
    assert mixed < 0.93 * honest
    unseen = DispDirection.fit(random.select(random["shower_id"] % 2 == 0), SMALL, seed=3).apply(random)
    assert honest == pytest.approx(np.median(error(unseen, "disp")[good & (random["shower_id"] % 2 == 1)]), rel=0.07)


def test_expected_error_is_about_right(disp, tested):
    table = disp.apply(tested)
    good = passes_quality(table)
    expected, found = table["disp_uncert_deg"][good], error(table, "disp")[good]
    sharp = expected < np.median(expected)
    assert np.median(found[sharp]) < 0.75 * np.median(found[~sharp])
    assert 0.5 < np.quantile(found, 0.63) / np.sqrt(np.median(expected**2)) < 1.5


def test_same_seed_same_directions(training, tested):
    few = training.select(slice(0, 600))
    first, second, other = (DispDirection.fit(few, SMALL, seed=s).apply(tested)["disp_x_deg"] for s in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other, equal_nan=True)


def test_rows_do_not_influence_each_other(disp, tested):
    some = np.random.default_rng(4).permutation(len(tested))[:200]
    np.testing.assert_array_equal(disp.apply(tested)["disp_x_deg"][some], disp.apply(tested.select(some))["disp_x_deg"])


def test_events_without_two_images_are_nan(disp, tested):
    size, psi = tested["size_pe"].copy(), tested["psi_deg"].copy()
    size[0, 1] = psi[0, 1] = np.nan
    columns = {**tested.columns, "size_pe": size, "psi_deg": psi}
    stereo = reconstruct(columns, tested["pointing_zenith_deg"], tested["pointing_azimuth_deg"])
    table = disp.apply(tested.with_columns(size_pe=size, psi_deg=psi, **stereo))
    assert np.isnan(table["disp_x_deg"][0])
    assert np.isnan(table["disp_impact_m"][0]).all()
    assert np.isfinite(table["disp_x_deg"][1:]).mean() > 0.98


def test_real_events_need_no_shower_number(disp, tested):
    columns = {n: v for n, v in tested.columns.items() if not n.startswith("true_") and n != "shower_id"}
    real = FeatureTable(columns, EventMeta(None, "Crab", is_simulation=False))
    assert np.isfinite(disp.apply(real)["disp_x_deg"]).mean() > 0.98


def test_file_keeps_the_forests(disp, tested, tmp_path):
    disp.save(tmp_path / "disp.bin")
    again = DispDirection.load(tmp_path / "disp.bin")
    np.testing.assert_array_equal(again.apply(tested)["disp_y_deg"], disp.apply(tested)["disp_y_deg"])
    assert "2 folds" in repr(again)
    (tmp_path / "bad.bin").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="not a file of forests"):
        DispDirection.load(tmp_path / "bad.bin")


def test_too_few_events_are_refused(training):
    with pytest.raises(InputError, match=r"DISP: \d+ of 6 events .* more are needed"):
        DispDirection.fit(training.select(slice(0, 6)), SMALL, seed=1)


def test_few_events_of_one_fold_are_enough(training, tested):
    """A first try with a handful of showers: no fold may be empty-handed because another has no events."""
    fold = split_by_shower(training["shower_id"], [0.5, 0.5], seed=3)
    few = training.select(np.concatenate([np.flatnonzero(fold == 0)[:30], np.flatnonzero(fold == 1)[:30]]))
    assert np.isfinite(DispDirection.fit(few, SMALL, seed=3).apply(tested)["disp_x_deg"]).mean() > 0.9
    three = DispSettings(n_trees=40, n_folds=3)
    fold = split_by_shower(training["shower_id"], [1 / 3] * 3, seed=3)
    without = training.select(np.concatenate([np.flatnonzero(fold == 0)[:40], np.flatnonzero(fold == 1)[:40]]))
    assert np.isfinite(DispDirection.fit(without, three, seed=3).apply(tested)["disp_x_deg"]).mean() > 0.9
