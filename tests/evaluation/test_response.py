"""Instrument response and sensitivity on events whose answers are known."""

import dataclasses

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.array import sky_from_camera
from magicnn.cli import app
from magicnn.errors import ConfigError, InputError
from magicnn.evaluation.published import published_sensitivity
from magicnn.evaluation.response import ResponseSettings, instrument_response
from magicnn.evaluation.response.curves import (
    Curve,
    angular_containment,
    effective_area,
    energy_dispersion,
    point_spread,
)
from magicnn.evaluation.response.cuts import efficiency_cuts, quality
from magicnn.evaluation.response.events import FLUXES, ResponseEvents
from magicnn.evaluation.response.files import save_gadf, save_table
from magicnn.evaluation.response.gates import area_gates, rate_gates
from magicnn.evaluation.response.sensitivity import Exposure, excess_over_noise, flux_share
from magicnn.evaluation.spectra import crab_flux, power_law
from magicnn.generated import Generated
from magicnn.predictions import PredictionTable
from magicnn.report.response_figures import draw_areas, draw_sensitivity

pyirf = pytest.importorskip("pyirf")

RADIUS_M, ZENITH = 300.0, (10.0, 20.0)
PSF_DEG, BIAS, RESOLUTION = 0.06, 0.05, 0.15


def table(particle, n, seed, *, seen=0.3, reuse=1, method="CNN", index=2.0, separation=2.5):
    """Events of which each was seen with one probability, at any energy; directions Gaussian around the true ones."""
    rng = np.random.default_rng(seed)
    cone = 0.4 if particle == "gamma" else 2.0
    low, high = 40.0, 30e3
    generated = Generated(
        particle, index, low, high, n, RADIUS_M, 0.0, 0.0, 0.4 if particle == "gamma" else 0.0, cone, *ZENITH
    )
    u = np.repeat(rng.random(n // reuse), reuse)
    power = 1.0 - index
    energy = (low**power + u * (high**power - low**power)) ** (1.0 / power)
    keep = rng.random(len(energy)) < seen
    energy, m = energy[keep], int(keep.sum())
    cos = np.cos(np.radians(ZENITH))
    zenith, azimuth = np.degrees(np.arccos(rng.uniform(cos[1], cos[0], m))), rng.uniform(0.0, 360.0, m)
    r = 0.4 if particle == "gamma" else np.degrees(np.arccos(1 - rng.random(m) * (1 - np.cos(np.radians(cone)))))
    turn = rng.uniform(0.0, 2.0 * np.pi, m)
    x, y = r * np.cos(turn), r * np.sin(turn)
    reco = sky_from_camera(x + rng.normal(0.0, PSF_DEG, m), y + rng.normal(0.0, PSF_DEG, m), zenith, azimuth)
    true = sky_from_camera(x, y, zenith, azimuth)
    score = rng.normal(separation if particle == "gamma" else 0.0, 1.0, m)
    columns = {
        "run_id": np.full(m, 1),
        "event_id": np.arange(m),
        "shower_id": (np.arange(n) // reuse)[keep],
        "pointing_zenith_deg": zenith,
        "pointing_azimuth_deg": azimuth,
        "true_energy_gev": energy,
        "true_zenith_deg": true[0],
        "true_azimuth_deg": true[1],
        "gammaness": 1.0 / (1.0 + np.exp(1.2 - score)),
        "reco_energy_gev": energy * np.maximum(rng.normal(1.0 + BIAS, RESOLUTION, m), 0.1),
        "reco_zenith_deg": reco[0],
        "reco_azimuth_deg": reco[1],
        "is_valid": np.ones(m, dtype=bool),
    }
    return PredictionTable(method, columns, particle, generated.to_mapping())


@pytest.fixture(scope="module")
def gammas():
    return ResponseEvents.of([table("gamma", 200_000, 1)], ZENITH)


@pytest.fixture(scope="module")
def tables():
    return [table("gamma", 60_000, 2, reuse=5), table("proton", 400_000, 3), table("helium", 100_000, 4)]


@pytest.fixture(scope="module")
def response(tables):
    return instrument_response(tables, ZENITH)


EDGES = np.geomspace(60.0, 20e3, 9)


def test_effective_area_is_the_thrown_area_times_what_is_seen(gammas):
    curve = effective_area(gammas, EDGES, np.ones(len(gammas), dtype=bool))
    pull = (curve.value - 0.3 * np.pi * RADIUS_M**2) / curve.error
    assert np.abs(pull).max() < 4.0
    assert 0.3 < np.std(pull) < 2.0


def test_effective_area_equals_pyirf(gammas):
    """With the thrown spectrum inside of the bins both are area x selected / thrown."""
    import astropy.units as u
    from astropy.table import QTable
    from pyirf.irf import effective_area_per_energy
    from pyirf.simulations import SimulatedEventsInfo

    selected = gammas.gammaness > 0.5
    info = SimulatedEventsInfo(200_000, 40 * u.GeV, 30 * u.TeV, RADIUS_M * u.m, -2.0, 0 * u.deg, 0 * u.deg)
    theirs = effective_area_per_energy(
        QTable({"true_energy": gammas.true_energy_gev[selected] * u.GeV}), info, EDGES * u.GeV
    )
    ours = effective_area(gammas, EDGES, selected, power_law(2.0))
    # they multiply by the area of the disc that the cores were thrown on
    np.testing.assert_allclose(ours.value, theirs.to_value(u.m**2), rtol=1e-6)


def test_reuse_of_showers_enlarges_the_error(gammas):
    reused = ResponseEvents.of([table("gamma", 200_000, 1, reuse=10)], ZENITH)
    everything = [np.ones(len(e), dtype=bool) for e in (gammas, reused)]
    single, repeated = (effective_area(e, EDGES[[0, -1]], m) for e, m in zip((gammas, reused), everything, strict=True))
    assert repeated.error[0] / repeated.value[0] > 1.5 * single.error[0] / single.value[0]
    assert repeated.n_events[0] < 20_100


def test_showers_with_long_numbers_stay_apart(gammas):
    """Numbers of simulated showers need all 63 bits: as floats hundreds of them would be one."""
    one = table("gamma", 20_000, 1)
    numbered = one.with_columns(shower_id=2**62 + one["shower_id"])
    first, second = (ResponseEvents.of([t], ZENITH) for t in (one, numbered))
    np.testing.assert_array_equal(first.shower, second.shower)
    assert len(np.unique(second.shower)) == len(np.unique(one["shower_id"]))


def test_dispersion_and_angles_are_those_put_in(gammas):
    everything = np.ones(len(gammas), dtype=bool)
    migration = np.linspace(0.0, 3.0, 121)
    density = energy_dispersion(gammas, EDGES, migration, everything)
    centre, width = 0.5 * (migration[1:] + migration[:-1]), np.diff(migration)
    np.testing.assert_allclose((density * width).sum(axis=1), 1.0)
    mean = (density * width * centre).sum(axis=1)
    assert mean == pytest.approx(1.0 + BIAS, abs=0.03)
    angles = angular_containment(gammas, EDGES, everything, (0.393469, 0.683))
    assert angles[:5, 0] == pytest.approx(PSF_DEG, rel=0.05)
    assert angles[:5, 1] == pytest.approx(PSF_DEG * np.sqrt(-2.0 * np.log(1.0 - 0.683)), rel=0.05)
    theta = np.linspace(0.0, 0.5, 51)
    spread = point_spread(gammas, EDGES, theta, everything)
    solid = 2.0 * np.pi * -np.diff(np.cos(np.radians(theta)))
    np.testing.assert_allclose((spread * solid).sum(axis=1), 1.0, atol=1e-3)


def test_detected_flux_has_five_sigma_ten_events_and_five_percent():
    from pyirf.statistics import li_ma_significance

    gamma, noise = np.array([1e-2, 1e-2, 1e-3]), np.array([1e-3, 10.0, 1e-9])
    seconds = 50.0 * 3600.0
    share = flux_share(gamma, noise, Exposure(n_off=5))
    excess, background = share * gamma * seconds, noise * seconds
    sigma = li_ma_significance(excess + background, 5.0 * background, 0.2)
    assert sigma[0] == pytest.approx(5.0, rel=1e-3)
    assert excess[1] == pytest.approx(0.05 * background[1], rel=1e-6)
    assert excess[2] == pytest.approx(10.0, rel=1e-6)
    simple = excess_over_noise(gamma, noise, Exposure())
    assert simple[0] * gamma[0] * seconds == pytest.approx(5.0 * np.sqrt(background[0]))
    assert np.isinf(flux_share(np.zeros(1), np.ones(1), Exposure())).all()


def test_rates_are_flux_times_area_times_what_the_cut_keeps(tables, response):
    """Gammaness and angle do not depend on energy here, so the rate after the cut can be written down."""
    from scipy.integrate import quad
    from scipy.stats import norm

    curve = response.differential
    for k in range(2, 6):
        cut = curve.cuts[k]
        score = 1.2 - np.log(1.0 / cut.gammaness - 1.0)
        kept = norm.sf(score - 2.5) * (1.0 - np.exp(-0.5 * (cut.theta_deg / PSF_DEG) ** 2))
        low, high = curve.energy_min_gev[k], curve.energy_max_gev[k]

        def reconstructed(energy, low=low, high=high):
            ends = norm.cdf((np.array([low, high]) / energy - 1.0 - BIAS) / RESOLUTION)
            return crab_flux(energy) * (ends[1] - ends[0])

        flux = quad(reconstructed, 0.4 * low, 2.5 * high, limit=200)[0]
        expected = flux * 0.3 * np.pi * RADIUS_M**2 * kept
        assert curve.gamma_hz[k] == pytest.approx(expected, abs=4.0 * curve.gamma_error_hz[k])


def test_background_is_counted_in_the_circle(tables, response):
    """Protons and helium are even over the field, so the rate is that within 1 deg times the square of the angle."""
    curve = response.differential
    assert response.kinds == ("proton", "helium")
    both = [ResponseEvents.of([one], ZENITH) for one in tables[1:]]
    for k in (2, 3, 4):
        cut, expected = curve.cuts[k], 0.0
        for kind in both:
            good = (kind.offset_deg < 1.0) & (kind.gammaness >= cut.gammaness)
            good &= (kind.reco_energy_gev >= curve.energy_min_gev[k]) & (kind.reco_energy_gev < curve.energy_max_gev[k])
            expected += kind.rates_hz()[good].sum() * cut.theta_deg**2
        assert curve.background_hz[k] == pytest.approx(expected, abs=3.0 * curve.background_error_hz[k])
    assert instrument_response(tables[:2], ZENITH).kinds == ("proton",)


def test_cuts_of_fixed_efficiency_keep_what_they_say(gammas):
    energies = [(60.0, 300.0), (300.0, 2000.0)]
    kept = efficiency_cuts(gammas, energies, 0.9, 0.75)
    rates = gammas.rates_hz()
    for energy in energies:
        inside = quality(gammas, energy)
        assert rates[inside & kept].sum() / rates[inside].sum() == pytest.approx(0.9 * 0.75, abs=0.01)
        # what is kept is a region: no event within both cuts is left out
        theta, score = gammas.theta_deg[inside & kept].max(), gammas.gammaness[inside & kept].min()
        both = inside & (gammas.theta_deg <= theta) & (gammas.gammaness >= score)
        np.testing.assert_array_equal(both, inside & kept)
    assert not kept[gammas.reco_energy_gev > 2000.0].any()


def gate_of(response, **changes):
    gates = area_gates(dataclasses.replace(response, zenith_deg=(5.0, 30.0), **changes))
    return {(g.quantity, g.energy_gev[0]): g for g in gates}


def test_comparison_with_magic_tells_agreement_from_difference_and_from_few_events(response):
    edges = np.array(response.settings.true_edges_gev)
    centre = np.sqrt(edges[1:] * edges[:-1])
    area = np.interp(np.log(centre), np.log([122.0, 230.0, 700.0, 1400.0, 30e3]), [2.7e4, 4.9e4, 8.5e4, 1.3e5, 1.3e5])

    def states(factor, relative_error, **more):
        curve = Curve(factor * area, factor * relative_error * area, np.full(len(area), 500.0))
        areas = {**response.areas, "efficiency": curve}
        return [g.state for g in gate_of(response, areas=areas, threshold_gev=(82.0, 80.0, 84.0), **more).values()]

    assert states(1.0, 0.03) == ["pass"] * 5
    assert states(2.0, 0.03) == ["fail"] * 4 + ["pass"]
    assert states(1.0, 0.9)[:3] == ["open"] * 3
    # outside, but by less than the error
    assert states(1.4, 0.2)[0] == "open"
    assert area_gates(response) == []
    assert rate_gates(response) == []


def test_rates_are_compared_with_the_published_ones(response):
    published = published_sensitivity((5.0, 30.0))
    curve = response.differential
    n = len(curve.gamma_hz)
    gamma, background = np.full(n, np.nan), np.full(n, np.nan)
    gamma[1:] = published["gamma_per_min"] / 60.0
    background[1:] = published["background_per_min"] / 60.0
    like = dataclasses.replace(
        curve,
        gamma_hz=gamma,
        gamma_error_hz=0.01 * gamma,
        background_hz=2.5 * background,
        background_error_hz=0.01 * background,
        is_limit=np.arange(n) > 5,
    )
    gates = rate_gates(dataclasses.replace(response, zenith_deg=(5.0, 30.0), differential=like))
    assert [g.state for g in gates if g.quantity.startswith("gammas")] == ["pass"] * 11
    assert [g.state for g in gates if g.quantity.startswith("background")] == ["fail"] * 5 + ["limit"] * 6


def test_too_little_background_is_a_limit(tables):
    few = instrument_response([tables[0], table("proton", 300, 5)], ZENITH)
    curve = few.differential
    assert curve.is_limit.all()
    known = np.isfinite(curve.shares["lima_5"][0])
    assert known.any()
    assert (curve.background_hz[known] > 0.0).all()
    many = instrument_response(tables, ZENITH).differential
    assert not many.is_limit[1:5].any()
    assert (curve.shares["lima_5"][0][1:5] > many.shares["lima_5"][0][1:5]).all()


def test_better_separation_is_more_sensitive(tables, response):
    worse = [table("gamma", 60_000, 2, reuse=5, separation=1.0), *tables[1:]]
    value = instrument_response(worse, ZENITH).differential.shares["lima_5"][0]
    assert (value[1:6] > 1.3 * response.differential.shares["lima_5"][0][1:6]).all()


def test_integral_sensitivity_is_better_than_its_bins(response):
    integral, bins = (c.shares["lima_5"][0] for c in (response.integral, response.differential))
    assert (integral[1:5] < bins[1:5]).all()


def test_gammaness_of_another_method(tables):
    without = [
        PredictionTable("LUT", {n: v for n, v in t.columns.items() if n != "gammaness"}, t.particle, t.generated)
        for t in tables
    ]
    with pytest.raises(InputError, match="gives no gammaness"):
        instrument_response(without, ZENITH)
    borrowed = instrument_response(without, ZENITH, gammaness_from=tables)
    own = instrument_response(tables, ZENITH)
    np.testing.assert_array_equal(borrowed.differential.gamma_hz, own.differential.gamma_hz)


def test_missing_kinds_are_said(tables):
    with pytest.raises(InputError, match="for protons are needed"):
        instrument_response(tables[:1], ZENITH)
    with pytest.raises(InputError, match="gammas of a point source"):
        instrument_response(tables, (50.0, 60.0))


def test_hardly_any_events_are_said_or_drawn(tables, tmp_path):
    one = tables[1].select(np.arange(len(tables[1])) < 1)
    with pytest.raises(InputError, match="too few to choose cuts"):
        instrument_response([tables[0], one], ZENITH)
    few = tables[0].select(np.arange(len(tables[0])) < 40), tables[1].select(np.arange(len(tables[1])) < 12)
    response = instrument_response(few, ZENITH)
    draw_areas([response], tmp_path / "areas.png")
    draw_sensitivity([response], tmp_path / "sensitivity.png")
    assert response.differential.is_limit.all()


def test_files_hold_what_was_computed(response, tmp_path):
    from astropy.io import fits
    from astropy.table import Table

    save_table([response], tmp_path / "response.ecsv")
    read = Table.read(tmp_path / "response.ecsv")
    areas = read[read["quantity"] == "effective_area_cuts_m2"]
    np.testing.assert_allclose(areas["value"], response.areas["cuts"].value)
    assert all("chosen per bin" in text for text in areas["contains"])
    save_gadf(response, tmp_path / "irf.fits")
    with fits.open(tmp_path / "irf.fits") as file:
        assert [h.name for h in file[1:]] == ["EFFECTIVE AREA", "EDISP", "RAD_MAX", "PSF", "BACKGROUND"]
        np.testing.assert_allclose(file["EFFECTIVE AREA"].data["EFFAREA"][0, 0], response.areas["cuts"].value)
        assert file["EFFECTIVE AREA"].header["HDUCLAS3"] == "POINT-LIKE"


def test_gammapy_opens_the_response(response, tmp_path):
    gammapy = pytest.importorskip("gammapy.irf")
    save_gadf(response, tmp_path / "irf.fits")
    irfs = gammapy.load_irf_dict_from_file(tmp_path / "irf.fits")
    assert {"aeff", "edisp", "rad_max"} <= set(irfs)
    area = irfs["aeff"].evaluate(energy_true="0.4 TeV", offset="0.4 deg")
    assert area.to_value("m2") == pytest.approx(np.interp(400.0, *_centres(response)), rel=0.15)


def _centres(response):
    edges = np.array(response.settings.true_edges_gev)
    return np.sqrt(edges[1:] * edges[:-1]), response.areas["cuts"].value


def test_published_sensitivities():
    differential = published_sensitivity((5.0, 30.0))
    assert differential["sensitivity_lima_5_percent"].min() == pytest.approx(1.51)
    integral = published_sensitivity((30.0, 45.0), is_integral=True)
    assert (np.diff(integral["energy_min_gev"]) > 0.0).all()
    assert published_sensitivity((5.0, 35.0)) is None
    assert set(FLUXES) == {"gamma", "proton", "helium", "electron"}


def test_command_writes_everything_or_nothing(tables, tmp_path, monkeypatch):
    paths = []
    for n, one in enumerate(tables):
        one.save(tmp_path / f"{n}.h5")
        paths.append(str(tmp_path / f"{n}.h5"))
    run = CliRunner().invoke(app, ["irf", *paths, "--zenith", "10,20", "--output", str(tmp_path / "irf"), "-q"])
    assert run.exit_code == 0, run.output
    assert {p.name for p in (tmp_path / "irf").iterdir()} == {
        "response.ecsv",
        "irf_CNN_za10to20.fits",
        "areas_za10to20.png",
        "sensitivity_za10to20.png",
    }

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("magicnn.report.response_figures.draw_sensitivity", refuse)
    failed = CliRunner().invoke(app, ["irf", *paths, "--zenith", "10,20", "--output", str(tmp_path / "full"), "-q"])
    assert failed.exit_code == 3
    assert "No space left on device" in failed.output
    assert not [p for p in tmp_path.iterdir() if "full" in p.name]
    again = CliRunner().invoke(app, ["irf", *paths, "--zenith", "10,20", "--output", str(tmp_path / "irf"), "-q"])
    assert again.exit_code == 2
    wrong = CliRunner().invoke(app, ["irf", *paths, "--zenith", "20,10", "--output", str(tmp_path / "other"), "-q"])
    assert wrong.exit_code == 2
    assert not (tmp_path / "other").exists()


def test_settings_are_checked():
    from magicnn.config import validate_settings

    with pytest.raises(ConfigError):
        validate_settings(ResponseSettings, {"hours": -1.0}, where="here")
