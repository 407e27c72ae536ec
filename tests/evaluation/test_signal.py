"""Excess and significance on simulated data whose answers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicnn.array import camera_from_sky, sky_from_camera
from magicnn.errors import InputError
from magicnn.evaluation.signal import find_signal, find_signals, li_ma_significance, off_positions
from magicnn.evaluation.source import SignalSettings, SourceSettings, gammaness_cut, source_in_camera
from magicnn.generated import Generated
from magicnn.predictions import PredictionTable

CRAB = (83.6333, 22.0144)
PSF_DEG = 0.06


def looking(x, y, **values):
    return SignalSettings(source=SourceSettings(x_deg=x, y_deg=y), **values)


def observed(n_background, n_gamma, source, *, seed=0, method="CNN", field_deg=1.5):
    """Background even over the field of view and a source somewhere in it, at pointings that move."""
    rng = np.random.default_rng(seed)
    n = n_background + n_gamma
    zenith, azimuth = rng.uniform(15.0, 30.0, n), rng.uniform(90.0, 120.0, n)
    r, turn = field_deg * np.sqrt(rng.random(n_background)), rng.uniform(0.0, 2.0 * np.pi, n_background)
    x = np.concatenate([r * np.cos(turn), source[0] + rng.normal(0.0, PSF_DEG, n_gamma)])
    y = np.concatenate([r * np.sin(turn), source[1] + rng.normal(0.0, PSF_DEG, n_gamma)])
    reco = sky_from_camera(x, y, zenith, azimuth)
    columns = {
        "run_id": 1 + np.arange(n) % 3,
        "event_id": np.arange(n),
        "time_utc_ns": rng.permutation(n) * 1_000_000,
        "gammaness": np.concatenate([rng.beta(2, 2, n_background), rng.beta(6, 2, n_gamma)]),
        "reco_energy_gev": rng.uniform(50.0, 500.0, n),
        "reco_zenith_deg": reco[0],
        "reco_azimuth_deg": reco[1],
        "pointing_zenith_deg": zenith,
        "pointing_azimuth_deg": azimuth,
    }
    return PredictionTable(method, columns)


def test_significance_is_that_of_pyirf_and_of_the_limits():
    statistics = pytest.importorskip("pyirf.statistics")
    rng = np.random.default_rng(3)
    on, off, alpha = rng.integers(0, 300, 500), rng.integers(1, 900, 500), rng.choice([1.0, 1 / 3, 0.2], 500)
    ours = li_ma_significance(on, off, alpha)
    excess = on > alpha * off
    theirs = np.array([float(statistics.li_ma_significance(n, f, a)) for n, f, a in zip(on, off, alpha, strict=True)])
    np.testing.assert_allclose(ours[excess], theirs[excess], rtol=1e-9)
    assert (ours[~excess] <= 0.0).all()
    assert li_ma_significance(0, 0, 0.2) == 0.0
    # nothing in the off regions: sqrt(2 on log((1 + alpha) / alpha))
    assert li_ma_significance(7, 0, 0.2) == pytest.approx(np.sqrt(2 * 7 * np.log(6.0)))
    # large numbers: excess over its error
    assert li_ma_significance(10_300, 50_000, 0.2) == pytest.approx(300 / np.sqrt(1.2 * 10_050), rel=0.01)


@given(
    st.floats(0.2, 1.0),
    st.floats(0.0, 2.0 * np.pi),
    st.integers(1, 7),
)
def test_off_positions_are_even_and_never_at_the_source(radius, turn, n_off):
    x, y = radius * np.cos(turn), radius * np.sin(turn)
    off_x, off_y = off_positions(x, y, n_off)
    np.testing.assert_allclose(np.hypot(off_x, off_y), radius)
    everything = np.stack([np.append(off_x, x), np.append(off_y, y)])
    distance = np.hypot(*(everything[:, :, None] - everything[:, None, :]))
    nearest = distance[~np.eye(n_off + 1, dtype=bool)].min()
    assert nearest == pytest.approx(2.0 * radius * np.sin(np.pi / (n_off + 1)))
    np.testing.assert_allclose(everything.sum(axis=1), 0.0, atol=1e-9)


def test_excess_is_the_number_of_gammas_that_the_cuts_keep():
    source = (0.24, -0.32)
    table = observed(40_000, 500, source, seed=1)
    signal = find_signal(table, 0.5, looking(*source))
    kept = (table["gammaness"][-500:] >= 0.5).sum() * (1.0 - np.exp(-0.5 * 0.02 / PSF_DEG**2))
    assert signal.excess == pytest.approx(kept, abs=3.0 * signal.excess_error)
    density = (table["gammaness"][:-500] >= 0.5).sum() * 0.02 / 1.5**2
    assert signal.n_off == pytest.approx(3 * density, abs=4.0 * np.sqrt(3 * density))
    assert signal.alpha == pytest.approx(1 / 3)
    assert signal.significance > 10.0
    assert signal.cumulated()[-1] == pytest.approx(signal.significance)
    assert sum(on for _, on, _ in signal.by_run()) == signal.n_on
    assert sum(off for _, _, off in signal.by_run()) == signal.n_off
    for run in (1, 2, 3):
        assert np.all(np.diff(signal.time_utc_ns[signal.run_id == run]) >= 0)
    hours = signal.elapsed_hours()
    assert np.all(np.diff(hours) >= 0.0)
    # three runs that each last nearly as long as all of it
    assert hours[-1] == pytest.approx(3 * 40_500e6 / 3.6e12, rel=0.01)


@pytest.mark.parametrize("n_off", [1, 3, 5])
def test_significance_of_pure_background_is_normal(n_off):
    """400 observations without a source: mean 0 and width 1."""
    source = (0.3, 0.2646)
    settings = looking(*source, n_off=n_off)
    found = np.array(
        [find_signal(observed(3000, 0, source, seed=100 + k), 0.4, settings).significance for k in range(400)]
    )
    assert abs(found.mean()) < 4.0 / np.sqrt(400)
    assert 0.88 < found.std() < 1.12
    assert 0.60 < (np.abs(found) < 1.0).mean() < 0.76


def test_energies_and_quality_select():
    table = observed(5000, 100, (0.4, 0.0))
    flags = np.arange(len(table)) % 2 == 0
    half = find_signal(table.with_columns(is_valid=flags), 0.0, looking(0.4, 0.0))
    assert half.n_judged == flags.sum()
    low, high = (
        find_signal(table, 0.0, looking(0.4, 0.0, **limits))
        for limits in ({"max_energy_gev": 200.0}, {"min_energy_gev": 200.0})
    )
    everything = find_signal(table, 0.0, looking(0.4, 0.0))
    assert low.n_on + high.n_on == everything.n_on
    assert low.n_off + high.n_off == everything.n_off


def test_source_on_the_sky_follows_the_field():
    """The same place as by astropy from time, site and both frames."""
    coordinates = pytest.importorskip("astropy.coordinates")
    from astropy import units as u
    from astropy.time import Time
    from astropy.utils import iers

    from magicnn.array import SITE

    place = coordinates.EarthLocation.from_geodetic(
        SITE.longitude_deg * u.deg, SITE.latitude_deg * u.deg, SITE.height_m * u.m
    )
    crab = coordinates.SkyCoord(*CRAB, unit="deg")
    with iers.conf.set_temp("auto_download", False):
        when = Time("2013-10-04T02:00:00") + np.linspace(0.0, 5.0, 9) * u.hour
        for angle in (35.0, 125.0, 215.0, 305.0):
            pointing = crab.directional_offset_by(angle * u.deg, 0.4 * u.deg)
            frame = coordinates.AltAz(obstime=when, location=place)
            here, there = pointing.transform_to(frame), crab.transform_to(frame)
            n = len(when)
            columns = {
                "run_id": np.ones(n),
                "event_id": np.arange(n),
                "pointing_ra_deg": np.full(n, pointing.ra.deg),
                "pointing_dec_deg": np.full(n, pointing.dec.deg),
                "pointing_zenith_deg": here.zen.deg,
                "pointing_azimuth_deg": here.az.deg,
            }
            x, y = source_in_camera(PredictionTable("CNN", columns), *CRAB)
            expected = camera_from_sky(there.zen.deg, there.az.deg, here.zen.deg, here.az.deg)
            np.testing.assert_allclose(np.stack([x, y]), np.stack(expected), atol=0.002)
            np.testing.assert_allclose(np.hypot(x, y), 0.4, atol=1e-4)


def test_real_crab_events_lie_in_wobble(data_dir):
    """The public Crab Nebula run was taken in wobble mode, so that three off regions fit."""
    from magicnn.io import open_events

    files = sorted(data_dir.glob("magic/real/*05029747*_Y_*.root")) or sorted(data_dir.rglob("*05029747*_Y_*.root"))
    if not files:
        pytest.skip("no real Crab Nebula files")
    batch = open_events(files).read()
    columns = {n: batch[n] for n in ("run_id", "event_id", *(c for c in batch.columns if c.startswith("pointing_")))}
    x, y = source_in_camera(PredictionTable("CNN", columns), *CRAB)
    np.testing.assert_allclose(np.hypot(x, y), 0.4, atol=0.05)


def test_cut_keeps_the_share_of_simulated_gammas():
    n = 4000
    rng = np.random.default_rng(2)
    energy = 50.0 * (1.0 - rng.random(n)) ** -1.0
    generated = Generated("gamma", 2.0, 50.0, 5e4, 10 * n, 300.0, 0.0, 0.0, 0.4, 0.4, 10.0, 20.0)
    columns = {
        "run_id": np.ones(n),
        "event_id": np.arange(n),
        "true_energy_gev": energy,
        "true_zenith_deg": np.full(n, 15.0),
        "true_azimuth_deg": np.zeros(n),
        "pointing_zenith_deg": rng.uniform(10.0, 20.0, n),
        "pointing_azimuth_deg": np.zeros(n),
        "gammaness": rng.random(n),
    }
    table = PredictionTable("CNN", columns, "gamma", generated.to_mapping())
    assert gammaness_cut([table], 0.8) == pytest.approx(0.2, abs=0.05)
    real = PredictionTable("CNN", {"run_id": [1], "event_id": [1], "gammaness": [0.5]})
    with pytest.raises(InputError, match="set gammaness_cut"):
        gammaness_cut([real], 0.8)


def test_lookup_tables_take_the_gammaness_of_the_forest():
    table = observed(3000, 300, (0.4, 0.0), method="forest")
    without = PredictionTable("LUT", {n: v for n, v in table.columns.items() if n != "gammaness"})
    real, settings = {"forest": table, "LUT": without}, looking(0.4, 0.0, gammaness_cut=0.5)
    alone = find_signals(real, {}, settings)
    assert [s.method for s in alone] == ["forest"]
    both = find_signals(real, {}, settings, gammaness_of={"LUT": "forest"})
    assert both[1].method == "LUT"
    assert both[1].n_on == both[0].n_on > 0


def test_a_source_is_on_the_sky_or_in_the_camera():
    assert SourceSettings(name="Crab Nebula", ra_deg=83.6, dec_deg=22.0).label == "Crab Nebula"
    assert "22°" in SourceSettings(ra_deg=83.6, dec_deg=22.0).label
    assert looking(0.4, 0.0).source.label == "(0.4°, 0°) in the camera"
    for wrong in ({}, {"ra_deg": 3.0}, {"ra_deg": 3.0, "dec_deg": 1.0, "x_deg": 0.0, "y_deg": 0.4}):
        with pytest.raises(ValueError, match="either ra_deg and dec_deg or x_deg and y_deg"):
            SourceSettings(**wrong)


def test_mistakes_are_said():
    table = observed(100, 0, (0.4, 0.0))
    with pytest.raises(InputError, match=r"only 0\.05 deg away from the pointing"):
        find_signal(table, 0.5, looking(0.03, 0.04))
    with pytest.raises(InputError, match="pointing of the events on the sky is not known"):
        source_in_camera(table, *CRAB)
    no_gammaness = PredictionTable("LUT", {n: v for n, v in table.columns.items() if n != "gammaness"})
    with pytest.raises(InputError, match="LUT: a signal cannot be looked for without gammaness"):
        find_signal(no_gammaness, 0.5, looking(0.4, 0.0))
    far = table.with_columns(pointing_ra_deg=np.full(100, 263.0), pointing_dec_deg=np.full(100, -22.0))
    with pytest.raises(InputError, match="another source"):
        source_in_camera(far, *CRAB)
