"""From prediction files of real events to the page about a source."""

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.array import sky_from_camera
from magicnn.cli import app
from magicnn.predictions import PredictionTable

N = 3000


def events(seed, run, n_gamma=150):
    rng = np.random.default_rng(seed)
    zenith, azimuth = rng.uniform(10.0, 30.0, N), rng.uniform(0.0, 360.0, N)
    x, y = rng.uniform(-1.5, 1.5, (2, N))
    x[:n_gamma], y[:n_gamma] = rng.normal(0.4, 0.05, n_gamma), rng.normal(0.0, 0.05, n_gamma)
    reco = sky_from_camera(x, y, zenith, azimuth)
    columns = {
        "run_id": np.full(N, run),
        "event_id": np.arange(N),
        "time_utc_ns": np.arange(N) * 1_000_000_000,
        "gammaness": np.where(np.arange(N) < n_gamma, 0.9, rng.random(N)),
        "reco_energy_gev": rng.uniform(60.0, 600.0, N),
        "reco_zenith_deg": reco[0],
        "reco_azimuth_deg": reco[1],
        "pointing_zenith_deg": zenith,
        "pointing_azimuth_deg": azimuth,
        "is_valid": np.ones(N, dtype=bool),
    }
    return PredictionTable("CNN", columns)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    for run in (7, 8):
        events(run, run).save(folder / f"run{run}.h5")
    return sorted(folder.glob("*.h5"))


IN_CAMERA = ["--set", "source.x_deg=0.4", "--set", "source.y_deg=0.0", "--set", "gammaness_cut=0.5"]


def invoke(*arguments):
    return CliRunner().invoke(app, ["signal", *map(str, arguments)])


def test_files_to_page(files, tmp_path):
    from astropy.table import Table

    done = invoke(*files, "--output", tmp_path, *IN_CAMERA, "--name", "A <source>")
    assert done.exit_code == 0, done.output
    table = Table.read(tmp_path / "tables" / "signal.ecsv")
    whole = table[table["run_id"] == 0][0]
    runs = table[table["run_id"] > 0]
    assert sorted(runs["run_id"]) == [7, 8]
    assert runs["n_on"].sum() == whole["n_on"]
    assert whole["excess"] == pytest.approx(300, abs=5 * whole["excess_error"])
    assert whole["significance"] > 10.0
    assert f"on {whole['n_on']}, off {whole['n_off']}/3" in done.output
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "A &lt;source&gt;" in page
    for wanted in ("figures/theta2_0.pdf", "figures/significance.png", "figures/real_gammaness.ecsv", "Run by run"):
        assert wanted in page
    drawn = Table.read(tmp_path / "figures" / "theta2_0.ecsv")
    on, off = (drawn[drawn["series"] == name] for name in ("on", "off / 3"))
    within = on["x"] < 0.02
    assert on["y"][within].sum() == whole["n_on"]
    assert off["y"][within].sum() == pytest.approx(whole["n_off"] / 3)


def test_simulated_gammas_give_the_cut(files, report_inputs, tmp_path):
    paths = []
    for k, table in enumerate(report_inputs.predictions["CNN"]):
        paths.append(tmp_path / f"{k}.h5")
        table.save(paths[-1])
    done = invoke(*files, *paths, "--output", tmp_path / "out", *IN_CAMERA[:-2])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert "simulated protons (dashed, weighted to the spectrum of cosmic rays)" in text


def test_mistakes_and_dry_run(files, tmp_path):
    out = tmp_path / "out"
    for more, code, message in (
        ([], 2, "no source: give --source"),
        (["--source", "83.6"], 2, "expected RA,DEC in degrees"),
        (["--source", "83.6,22.0", *IN_CAMERA[-2:]], 3, "pointing of the events on the sky is not known"),
        (IN_CAMERA[:-2], 3, "set gammaness_cut"),
        ([*IN_CAMERA, "--set", "n_off=20"], 3, "20 off positions overlap"),
        ([*IN_CAMERA, files[0]], 3, "two prediction files"),
    ):
        failed = invoke(*files, "--output", out, *more)
        assert failed.exit_code == code, failed.output
        assert message in failed.output
        assert not out.exists()
    shown = invoke(*files, "--output", out, *IN_CAMERA, "--dry-run")
    assert "theta2_cut_deg2: 0.02" in shown.output
    assert not out.exists()


def test_no_events_after_the_cuts_are_still_a_page(files, tmp_path):
    done = invoke(files[0], "--output", tmp_path, *IN_CAMERA[:-1], "gammaness_cut=1.0")
    assert done.exit_code == 0, done.output
    assert "on 0, off 0/3, excess 0.0 +- 0.0, 0.0 sigma" in done.output
