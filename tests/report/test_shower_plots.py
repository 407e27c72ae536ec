"""Pictures of showers: what is drawn, and what the command refuses."""

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.report.example_shower import look_at, triggering_shower
from magicnn.report.shower_plots import save_picture
from magicnn.simulation.detector import detector
from magicnn.simulation.settings import DetectorSettings, ProductionSettings, SiteSettings
from magicnn.simulation.showers import environment

SETTINGS = ProductionSettings(
    name="picture",
    particle="gamma",
    spectral_index=2.0,
    energy_min_gev=400.0,
    energy_max_gev=500.0,
    zenith_min_deg=10.0,
    zenith_max_deg=20.0,
    viewcone_min_deg=0.4,
    viewcone_max_deg=0.4,
    scatter_radius_m=100.0,
    reuse=2,
)


@pytest.fixture(scope="module")
def shower():
    return triggering_shower(SETTINGS, 5)


def test_a_triggering_shower_has_images_and_light_around_its_core(shower):
    assert shower.event is not None
    assert 400.0 <= shower.energy_gev <= 500.0
    centres = 0.5 * (shower.ground_edges_m[1:] + shower.ground_edges_m[:-1])
    distance = np.hypot(*np.meshgrid(centres, centres))
    near, far = shower.ground_per_m2[distance < 100.0].mean(), shower.ground_per_m2[distance > 230.0].mean()
    assert near > 2.0 * far > 0.0
    # What the map says of the places of the telescopes is what they saw, within the fluctuations of a cell.
    seen = (
        shower.event.true_pe
        / environment(**SiteSettings().model_dump(exclude={"light_budget"})).telescope_radius_m ** 2
        / np.pi
    )
    assert np.all(seen < 3.0 * shower.ground_per_m2.max())


def test_the_map_lies_around_the_core_of_an_inclined_shower():
    surroundings = environment(**SiteSettings().model_dump(exclude={"light_budget"}))
    shown = look_at(
        "gamma", 500.0, (40.0, 0.0), [(0.0, 0.0)], [(40.0, 0.0)], surroundings, detector(DetectorSettings()), [3, 1]
    )
    centres = 0.5 * (shown.ground_edges_m[1:] + shown.ground_edges_m[:-1])
    for axis in (0, 1):
        assert abs(np.average(centres, weights=shown.ground_per_m2.sum(axis=1 - axis))) < 30.0


def test_picture_is_written_with_and_without_images(tmp_path, shower):
    save_picture(shower, tmp_path / "shower.png")
    assert (tmp_path / "shower.png").stat().st_size > 20_000


@pytest.mark.parametrize(("name", "code"), [("shower.h5", 2), ("there.png", 3)])
def test_command_refuses_other_names_and_files_that_are_there(tmp_path, name, code):
    (tmp_path / "there.png").write_text("mine")
    config = tmp_path / "config.yaml"
    config.write_text(SETTINGS.model_dump_json())
    done = CliRunner().invoke(app, ["simulate", str(config), "--show", "--output", str(tmp_path / name)])
    assert done.exit_code == code
    assert (tmp_path / "there.png").read_text() == "mine"
