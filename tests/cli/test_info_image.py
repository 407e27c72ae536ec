"""magicnn info on the command line: one event of any file drawn, folders, cameras."""

import shutil

import pytest
from typer.testing import CliRunner

from magicnn.cli import app


def magicnn(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def test_one_file_of_mars_finds_its_partner(damage, tmp_path):
    pytest.importorskip("PIL")
    from PIL import Image

    files = damage.write_mars_pair(tmp_path)
    done = magicnn("info", files[1], "--image", "2", "--output", tmp_path / "event.png")
    assert done.exit_code == 0, done.output
    assert "event.png: event 5 of run 5000001" in done.stdout
    with Image.open(tmp_path / "event.png") as both:
        width, height = both.size
    files[0].unlink()
    assert magicnn("info", files[1], "--image", "2", "--output", tmp_path / "mono.png").exit_code == 0
    with Image.open(tmp_path / "mono.png") as mono:
        assert mono.width == width
        assert height > 1.5 * mono.height  # a row for each telescope


def test_event_set(damage, tmp_path):
    path = damage.write_event_set(tmp_path / "gamma.h5", n_events=3)
    for name in ("a.png", "a.svg"):
        assert magicnn("info", path, "--image", "0", "--output", tmp_path / name).exit_code == 0
    assert "gamma of " in (tmp_path / "a.svg").read_text() or (tmp_path / "a.svg").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--image", "3"], 3, "there is no event 3; the last of 3 is 2"),
        (["--image", "0", "--output", "a.docx"], 2, "expected a name that ends in .png"),
        (["--output", "a.png"], 2, "--output goes with --image N"),
    ],
)
def test_what_cannot_be_drawn(damage, tmp_path, words, code, message):
    path = damage.write_event_set(tmp_path / "gamma.h5", n_events=3)
    done = magicnn("info", path, *words)
    assert done.exit_code == code
    assert message in done.stderr


def test_a_wrong_name_for_the_picture_is_told_before_reading(tmp_path):
    done = magicnn("info", tmp_path / "missing.h5", "--image", "0", "--output", tmp_path / "a.jpg")
    assert done.exit_code == 2
    assert "a.jpg: expected a name that ends in" in done.stderr


def test_folder_with_files_of_all_kinds(damage, data_dir, tmp_path):
    damage.write_event_set(tmp_path / "gamma.h5", n_events=2)
    shutil.copy(data_dir / "corsika_photons" / "gamma_100gev_1216.eventio", tmp_path)
    (tmp_path / "README").write_text("about these files")
    shown = magicnn("info", tmp_path)
    assert shown.exit_code == 0, shown.output
    assert "event set, simulation" in shown.stdout
    assert "photon bunches of CORSIKA" in shown.stdout
    assert f"{tmp_path}: 1 of 3 files passed over, of no known kind" in shown.stderr


def test_camera_of_a_file_that_knows_one(damage, tmp_path):
    path = damage.write_event_set(tmp_path / "gamma.h5", n_events=2)
    refused = magicnn("info", path, "--camera", "LSTCam")
    assert refused.exit_code == 2
    assert "no option 'camera' for an event set" in refused.stderr
