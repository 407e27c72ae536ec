"""The light: budget, night sky against its published rate, stars, and muon rings against the analytic yield."""

from pathlib import Path

import numpy as np
import pytest

from magicnn.camera import Camera
from magicnn.simulation.atmosphere import load_atmosphere
from magicnn.simulation.detector import detector, telescope_light
from magicnn.simulation.instrument_settings import (
    DetectorSettings,
    LightBudget,
    OpticsSettings,
    ReadoutSettings,
    SiteSettings,
    Star,
)
from magicnn.simulation.settings import settings_from_yaml
from magicnn.simulation.showers import TELESCOPE_RADIUS_M, environment, simulate_shower
from magicnn.simulation.throughput import (
    muon_ring_pe,
    night_sky_rate_pe_per_ns,
    pixel_solid_angle_sr,
    star_light_pe_per_ns,
    star_rate_pe_per_ns,
)

CAMERA = Camera.magic()


def test_scale_is_the_product_of_the_budget():
    budget = LightBudget(unshadowed_mirror=0.5, residual=0.5)
    site = SiteSettings(light_budget=budget)
    assert site.light_scale == pytest.approx(budget.product)
    assert budget.product == pytest.approx(0.5 * 0.922 * 0.92 * 0.9 * 1.14 * 0.5)
    assert SiteSettings(light_budget=budget, light_scale=0.3).light_scale == 0.3
    assert SiteSettings.model_validate(site.model_dump()) == site


def test_files_and_defaults_agree():
    path = Path(__file__).parents[2] / "mc_configs" / "gamma_za05to35.yaml"
    if not path.is_file():
        pytest.skip("mc_configs/ is not beside the tests")
    settings = settings_from_yaml(path)
    assert settings.detector == DetectorSettings()
    assert settings.site == SiteSettings()
    assert settings_from_yaml(path, ["site.light_scale=0.6"]).site.light_scale == 0.6


def test_published_curves_give_the_published_night_sky():
    # 0.12 photoelectrons per ns and pixel of 0.1 deg, MAGIC-I away from the galaxy (arXiv:0907.0973).
    assert pixel_solid_angle_sr(CAMERA) == pytest.approx(np.pi * np.radians(0.05) ** 2, rel=0.15)
    assert night_sky_rate_pe_per_ns(1.0, CAMERA) == pytest.approx(0.12, rel=0.25)
    assert night_sky_rate_pe_per_ns(0.5, CAMERA) == pytest.approx(0.5 * night_sky_rate_pe_per_ns(1.0, CAMERA))


def muon(impact_m, seed, surroundings):
    light, _ = simulate_shower(
        "muon",
        20.0,
        0.0,
        0.0,
        np.array([[impact_m, 0.0]]),
        np.zeros(1),
        np.zeros(1),
        np.zeros((1, 3)),
        surroundings,
        seed,
        start_height_m=3100.0,
    )
    return light


def test_muon_rings_have_the_analytic_light():
    """A muon of 20 GeV from 900 m above, where it scatters little: along the axis, and hitting the mirror anywhere."""
    surroundings = environment(light_scale=1.0)
    central = [muon(0.0, seed, surroundings) for seed in range(30)]
    radii = [np.median(np.hypot(m.x_deg - m.x_deg.mean(), m.y_deg - m.y_deg.mean())) for m in central]
    angle = float(np.median(radii))
    assert angle == pytest.approx(1.17, abs=0.02)
    expected = muon_ring_pe(angle, 1.0, load_atmosphere(), TELESCOPE_RADIUS_M)
    assert np.mean([len(m.x_deg) for m in central]) == pytest.approx(expected, rel=0.03)
    impacts = TELESCOPE_RADIUS_M * np.sqrt((np.arange(60) + 0.5) / 60)
    anywhere = [len(muon(impact, seed, surroundings).x_deg) for seed, impact in enumerate(impacts)]
    assert np.mean(anywhere) == pytest.approx(16.0 / (6.0 * np.pi) * expected, rel=0.04)


def test_relative_efficiency_takes_photoelectrons_away():
    light = muon(0.0, 1, environment(light_scale=1.0))
    whole = slice(0, len(light.x_deg))
    seen = [
        telescope_light(light, whole, detector(DetectorSettings(optics=OpticsSettings(relative_efficiency=pair))), (1,))
        for pair in ((1.0, 1.0), (0.5, 1.0))
    ]
    assert seen[1].n_pe == pytest.approx(0.5 * seen[0].n_pe, rel=0.08)


def test_a_star_lights_the_pixels_under_its_spot():
    star = Star(magnitude_b=2.8, x_deg=0.5, y_deg=-0.7)
    readout = ReadoutSettings(stars=(star,), hot_pixels=((7,), ()))
    dark = readout.night_sky_levels["dark"][0]
    rates = star_light_pe_per_ns(readout, OpticsSettings(), 0, CAMERA)
    total = star_rate_pe_per_ns(2.8, dark, CAMERA)
    # 2.5 magnitudes are a factor of ten; the sky of a pixel has a magnitude of its own.
    assert star_rate_pe_per_ns(0.3, dark, CAMERA) == pytest.approx(10.0 * total)
    assert rates[7] == pytest.approx(readout.hot_rate_pe_per_ns)
    assert rates.sum() - rates[7] == pytest.approx(total, rel=1e-6)
    place = CAMERA.effective_focal_length_m * np.radians([0.5, -0.7])
    distance = np.hypot(CAMERA.x_m - place[0], CAMERA.y_m - place[1])
    assert rates[distance < 2.0 * CAMERA.pitch_m].sum() > 0.9 * total
    telescopes = detector(DetectorSettings(readout=readout))
    assert telescopes.logic.pixel_factor[0, 7] > 2.0
    assert telescopes.pedestals[0].pixel_rms_pe[7] > 1.5 * np.median(telescopes.pedestals[0].pixel_rms_pe)
