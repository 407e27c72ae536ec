"""Energy lookup tables on showers that follow a known law, and the Cherenkov pool against tabulated rings."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from magicnn.baselines.lookup import EnergyLookup, LookupSettings
from magicnn.errors import CheckpointError, InputError
from magicnn.images.cherenkov import cherenkov_pool
from magicnn.images.features import FeatureTable, concatenate_features


@pytest.fixture(scope="module", params=["magic", "plain"])
def lookup(request, gammas):
    return EnergyLookup.fit(gammas, LookupSettings(method=request.param))


def quantiles(lookup, features, low, high):
    energy, _ = lookup.predict(features)
    true = features["true_energy_gev"]
    inside = (true > low) & (true < high) & np.isfinite(energy)
    error = energy[inside] / true[inside] - 1.0
    return np.quantile(error, [0.16, 0.5, 0.84])


@pytest.mark.parametrize(
    ("height_m", "radius_m"), [(5e3, 52.0), (8e3, 91.0), (10e3, 109.0), (12e3, 121.0), (14e3, 127.0)]
)
def test_pool_is_a_little_smaller_than_the_ring_of_a_particle_at_the_speed_of_light(height_m, radius_m):
    """Rings of beta = 1 at 2200 m in the MAGIC winter atmosphere; the 86 MeV electron is near its threshold."""
    radius, density = cherenkov_pool(height_m, 0.0)
    beta = np.sqrt(1.0 - (0.510999 / 86.0) ** 2)
    theta = np.arctan(radius_m / (height_m - 2200.0))
    slower = np.arccos(np.minimum(np.cos(theta) / beta, 1.0))
    assert radius == pytest.approx((height_m - 2200.0) * np.tan(slower), rel=0.02)
    assert density > 0


def test_pool_widens_with_zenith_distance_and_stays_finite_at_extreme_heights():
    radius, density = cherenkov_pool(np.full(3, 10e3), np.array([0.0, 40.0, 60.0]))
    np.testing.assert_allclose(radius / radius[0], 1.0 / np.cos(np.radians([0.0, 40.0, 60.0])))
    np.testing.assert_allclose(density[0] / density, (radius / radius[0]) ** 2)
    extreme = cherenkov_pool([-1e4, 0.0, 2200.0, 3e4, 1e6], 30.0)
    assert np.isfinite(extreme).all()
    assert (np.array(extreme) > 0).all()
    assert np.isnan(cherenkov_pool(np.nan, 30.0)).all()


def test_magic_tables_recover_the_law(gammas, test_gammas):
    """Both telescopes have 20 % of noise in size: 14 % together."""
    lookup = EnergyLookup.fit(gammas)
    low, middle, high = quantiles(lookup, test_gammas, 200.0, 3000.0)
    assert middle == pytest.approx(0.0, abs=0.04)
    assert (high - low) / 2.0 == pytest.approx(0.2 / np.sqrt(2.0), rel=0.2)


def test_plain_tables_pay_for_not_knowing_the_height(lookup, test_gammas):
    low, middle, high = quantiles(lookup, test_gammas, 200.0, 3000.0)
    assert abs(middle) < 0.08
    assert 0.12 < (high - low) / 2.0 < 0.25


def test_noise_free_showers_leave_only_the_binning(toy_features):
    lookup = EnergyLookup.fit(toy_features(12_000, 5, noise=0.0))
    low, middle, high = quantiles(lookup, toy_features(2000, 6, noise=0.0), 200.0, 3000.0)
    assert abs(middle) < 0.01
    assert (high - low) / 2.0 < 0.02


def test_energies_near_threshold_are_overestimated(gammas, test_gammas):
    """The size cut keeps upward fluctuations only: the shape of the published bias."""
    lookup = EnergyLookup.fit(gammas)
    passed = test_gammas.select((test_gammas["size_pe"] > 50).all(axis=1))
    lowest = np.quantile(passed["true_energy_gev"], 0.03)
    assert quantiles(lookup, passed, 0.0, lowest)[1] > quantiles(lookup, passed, 300.0, 3000.0)[1] + 0.03


def test_uncertainty_covers_two_thirds(lookup, test_gammas):
    energy, uncertainty = lookup.predict(test_gammas)
    known = np.isfinite(energy) & (test_gammas["size_pe"] > 50).all(axis=1)
    covered = np.abs(energy - test_gammas["true_energy_gev"])[known] < uncertainty[known]
    assert covered.mean() == pytest.approx(0.683, abs=0.05)


def test_zenith_ranges_have_their_own_tables(toy_features, gammas):
    lookup = EnergyLookup.fit(gammas)
    inclined = toy_features(500, 7, zenith=(50.0, 62.0))
    assert np.isnan(lookup.predict(inclined)[0]).all()
    both = EnergyLookup.fit(toy_features(8000, 8, zenith=(36.0, 61.0)))
    assert [np.isfinite(row[0].mean).any() for row in both.tables] == [False, True, True, False]
    low, middle, high = quantiles(both, inclined, 300.0, 5000.0)
    assert abs(middle) < 0.06
    assert (high - low) / 2.0 < 0.25


def test_energy_does_not_jump_where_zenith_ranges_meet(toy_features):
    """The same image on both sides of a border gets the same energy, though the tables of the ranges differ."""
    lookup = EnergyLookup.fit(toy_features(16_000, 11, zenith=(5.0, 61.0)))
    events = toy_features(400, 12, zenith=(30.0, 40.0))

    def at(zenith_deg, tables):
        return tables.predict(events.with_columns(pointing_zenith_deg=np.full(len(events), zenith_deg)))

    below, above = at(35.0 - 1e-6, lookup), at(35.0 + 1e-6, lookup)
    known = np.isfinite(below[0])
    assert known.mean() > 0.8
    np.testing.assert_allclose(above[0][known], below[0][known], rtol=1e-5)
    np.testing.assert_allclose(above[1][known], below[1][known], rtol=1e-5)
    # each half alone, to see that there is something to bridge
    halves = [
        at(35.0 + side, replace(lookup, tables=keep))
        for side, keep in (
            (-1e-6, lookup.tables[:1] + 3 * (empty(lookup),)),
            (1e-6, (empty(lookup), *lookup.tables[1:2], *2 * (empty(lookup),))),
        )
    ]
    both = np.isfinite(halves[0][0]) & np.isfinite(halves[1][0])
    assert np.abs(np.log(halves[0][0] / halves[1][0]))[both].max() > 0.02


def empty(lookup):
    return tuple(replace(table, mean=np.full_like(table.mean, np.nan)) for table in lookup.tables[0])


def test_correction_removes_a_slope_in_cos_zenith(toy_features):
    """Light that falls with cos(zenith) beyond what the tables know is put right."""

    def darkened(seed, n):
        features = toy_features(n, seed)
        factor = np.cos(np.radians(features["pointing_zenith_deg"])) ** 2
        return features.with_columns(size_pe=features["size_pe"] * factor[:, None])

    def slope(lookup):
        energy, _ = lookup.predict(tested)
        known = np.isfinite(energy) & (tested["true_energy_gev"] > 200)
        cos = np.cos(np.radians(tested["pointing_zenith_deg"][known]))
        return np.polyfit(cos, np.log(energy[known] / tested["true_energy_gev"][known]), 1)[0]

    lookup = EnergyLookup.fit(darkened(9, 12_000))
    tested = darkened(10, 8000)
    uncorrected = slope(replace(lookup, zenith_slope=np.zeros(4)))
    assert uncorrected == pytest.approx(2.0, abs=0.4)
    assert abs(slope(lookup)) < 0.25 * uncorrected


def test_fill_spectrum_is_a_weight(gammas):
    """Weights E^(thrown - fill) given by hand make the same tables."""
    weights = gammas["true_energy_gev"] ** (2.0 - 1.6)
    flat = EnergyLookup.fit(gammas, LookupSettings(fill_index=1.6))
    given = EnergyLookup.fit(gammas, weights=weights)
    np.testing.assert_allclose(flat.tables[0][0].mean, given.tables[0][0].mean)
    steep = EnergyLookup.fit(gammas, LookupSettings(fill_index=3.0))
    assert not np.allclose(flat.tables[0][0].mean, steep.tables[0][0].mean, equal_nan=True)


def test_light_lost_at_the_edge_of_the_camera_is_made_up_for(toy_features):
    """Of half of the events a part of the light is lost; what is left says so by the leakage."""

    def cut(seed, n):
        features = toy_features(n, seed, noise=0.05)
        leakage = np.where(np.arange(n)[:, None] % 2 == 0, 0.0, [[0.4, 0.5]])
        return features.with_columns(size_pe=features["size_pe"] * (1.0 - leakage), leakage2=leakage)

    training, tested = cut(13, 12_000), cut(14, 4000)

    def spread(leakage):
        energy, _ = EnergyLookup.fit(training, LookupSettings(leakage=leakage)).predict(tested)
        known = np.isfinite(energy) & (tested["true_energy_gev"] > 200)
        return np.std(np.log(energy / tested["true_energy_gev"])[known])

    assert spread(1.0) < 0.7 * spread(0.0)


def test_tables_of_the_time_before_the_leakage_was_corrected_for(lookup, test_gammas, tmp_path):
    old = replace(lookup, settings=lookup.settings.model_copy(update={"leakage": 0.0}))
    old.save(tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "r+") as file:
        record = json.loads(file["record"][()])
        del record["settings"]["leakage"]
        del file["record"]
        file["record"] = json.dumps(record)
        for name in set(file.attrs) - {"format", "version"}:  # its checksum
            del file.attrs[name]
    again = EnergyLookup.load(tmp_path / "old.h5")
    assert again.settings.leakage == 0.0
    leaking = test_gammas.with_columns(leakage2=np.full((len(test_gammas), 2), 0.5))
    np.testing.assert_array_equal(again.predict(leaking)[0], again.predict(test_gammas)[0])


def test_only_gammas_that_pass_the_cuts_fill_the_tables(gammas, protons):
    mixed = EnergyLookup.fit(concatenate_features([gammas, protons]))
    np.testing.assert_array_equal(mixed.tables[0][1].mean, EnergyLookup.fit(gammas).tables[0][1].mean)
    with pytest.raises(InputError, match="none of 4000 events is a gamma"):
        EnergyLookup.fit(protons)


def test_empty_tables_are_said(toy_features, caplog):
    few = EnergyLookup.fit(toy_features(12, 11))
    assert sum(few.n_filled) == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "of 12 training gammas" in warnings[0]
    assert "simulate more" in warnings[0]


def test_unreconstructed_events_are_nan(lookup, test_gammas):
    n = len(test_gammas)
    h_max, impact, size = (test_gammas[name].copy() for name in ("h_max_m", "impact_m", "size_pe"))
    impact[0] = np.nan
    size[1] = [np.nan, 0.0]
    impact[2] = 5000.0
    size[3, 0] = 1e7  # off the table: the other telescope still speaks
    energy, uncertainty = lookup.predict(test_gammas.with_columns(h_max_m=h_max, impact_m=impact, size_pe=size))
    assert np.isnan(energy[:3]).all()
    assert np.isnan(uncertainty[:3]).all()
    assert np.isfinite(energy[3])
    assert len(energy) == n


def test_file_keeps_the_tables(lookup, test_gammas, tmp_path):
    path = tmp_path / "lookup.h5"
    lookup.save(path)
    again = EnergyLookup.load(path)
    for ours, theirs in zip(again.predict(test_gammas), lookup.predict(test_gammas), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.settings == lookup.settings
    assert lookup.settings.method in repr(again)


def test_damaged_and_foreign_files_are_refused(lookup, tmp_path):
    lookup.save(tmp_path / "lookup.h5")
    content = (tmp_path / "lookup.h5").read_bytes()
    (tmp_path / "half.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"half\.h5: damaged lookup file"):
        EnergyLookup.load(tmp_path / "half.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.attrs["format"] = "something else"
    with pytest.raises(CheckpointError, match=r"other\.h5: not a lookup file"):
        EnergyLookup.load(tmp_path / "other.h5")
    with pytest.raises(CheckpointError, match=r"missing\.h5: no such file"):
        EnergyLookup.load(tmp_path / "missing.h5")


def test_unknown_spectrum_needs_weights(gammas):
    unknown = FeatureTable(gammas.columns, replace(gammas.meta, generated={}))
    with pytest.raises(InputError, match="thrown spectrum of the events is not known; give weights"):
        EnergyLookup.fit(unknown)
    assert EnergyLookup.fit(unknown, weights=np.ones(len(unknown))).tables
