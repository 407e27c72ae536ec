"""ctapipe reads event sets: ctapipe-process on simulated events, and the numbers come back."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from magicnn.array import Site, TelescopeArray
from magicnn.camera import Camera
from magicnn.events import EventBatch, EventMeta
from magicnn.generated import Generated
from magicnn.io.ctapipe import plugin
from magicnn.io.eventset.reader import EventSet, EventSetWriter
from magicnn.simulation.production import produce
from magicnn.simulation.settings import ProductionSettings

pytest.importorskip("ctapipe")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    """Eight gammas from our own simulation."""
    settings = ProductionSettings(
        name="for ctapipe",
        particle="gamma_diffuse",
        spectral_index=2.0,
        energy_min_gev=100.0,
        energy_max_gev=300.0,
        zenith_min_deg=10.0,
        zenith_max_deg=30.0,
        viewcone_min_deg=0.0,
        viewcone_max_deg=1.0,
        scatter_radius_m=120.0,
        reuse=4,
        showers_per_chunk=2,
    )
    return produce(settings, tmp_path_factory.mktemp("ctapipe") / "events.h5", n_events=8, seed=5, workers=1)


def process(source, target, *options):
    """Run ctapipe-process as anybody would."""
    command = "from magicnn.io.ctapipe import plugin; plugin.MagicnnEventSource; "
    command += "import sys; from ctapipe.tools.process import main; sys.exit(main())"
    arguments = ["--input", source, "--output", target, "--write-images", "--write-parameters"]
    done = subprocess.run(
        [sys.executable, "-c", command, *map(str, arguments), *options],
        capture_output=True,
        text=True,
        check=False,
        cwd=target.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def processed(production):
    return process(production, production.with_name("events.dl2.h5"), "--write-showers")


def test_the_entry_point_names_the_class():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["ctapipe_io"]
    module, name = stated["MagicnnEventSource"].split(":")
    assert module == plugin.__name__
    assert getattr(plugin, name).__name__ == name
    assert getattr(plugin, name) is getattr(plugin, name)
    with pytest.raises(AttributeError, match="no attribute 'Other'"):
        _ = plugin.Other


def test_only_event_sets_are_taken(production, tmp_path):
    source = plugin.MagicnnEventSource
    assert source.is_compatible(production)
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "cut.h5").write_bytes(production.read_bytes()[:5000])
    for name in ("text.h5", "cut.h5", "none.h5", "."):
        assert not source.is_compatible(tmp_path / name)


def test_ctapipe_process_keeps_the_numbers(production, processed):
    from ctapipe.io import TableLoader

    with EventSet(production) as stored:
        events = stored.read()
    with TableLoader(processed) as loader:
        tables = {t: loader.read_telescope_events([t], dl1_images=True, true_images=True) for t in (1, 2)}
        subarray_events = loader.read_subarray_events()
        subarray = loader.subarray
    assert len(subarray_events) == len(events)
    np.testing.assert_array_equal(subarray_events["event_id"], events["event_id"])
    np.testing.assert_array_equal(subarray_events["obs_id"] >> 20, events["run_id"])
    assert subarray_events["tels_with_trigger"].all()
    pairs = {
        "true_energy": ("true_energy_gev", 1e-3),
        "true_az": ("true_azimuth_deg", 1.0),
        "true_core_x": ("true_core_x_m", 1.0),
        "true_core_y": ("true_core_y_m", 1.0),
        "true_h_first_int": ("true_first_interaction_m", 1.0),
        "true_x_max": ("true_xmax_gcm2", 1.0),
    }
    for theirs, (ours, factor) in pairs.items():
        np.testing.assert_allclose(subarray_events[theirs], events[ours] * factor, rtol=1e-6, err_msg=theirs)
    np.testing.assert_allclose(subarray_events["true_alt"], 90.0 - events["true_zenith_deg"], rtol=1e-6)
    assert set(subarray_events["true_shower_primary_id"]) == {0}
    assert len(np.unique(events["pointing_zenith_deg"])) > 1
    for telescope, table in tables.items():
        t = telescope - 1
        np.testing.assert_array_equal(table["event_id"], events["event_id"])
        np.testing.assert_array_equal(table["image"], events.charge[:, t])
        np.testing.assert_array_equal(table["peak_time"], events.time[:, t])
        np.testing.assert_array_equal(table["true_image_sum"], np.rint(events["true_pe"][:, t]))
        np.testing.assert_allclose(table["true_impact_distance"], events["true_impact_m"][:, t], rtol=1e-5)
        altitude = table["telescope_pointing_altitude"].quantity.to_value("deg")
        azimuth = table["telescope_pointing_azimuth"].quantity.to_value("deg")
        np.testing.assert_allclose(altitude, 90.0 - events["pointing_zenith_deg"], rtol=1e-9)
        np.testing.assert_allclose(azimuth, events["pointing_azimuth_deg"], rtol=1e-9)
        assert np.isfinite(table["hillas_intensity"]).mean() > 0.5
    positions = [subarray.positions[t].to_value("m") for t in (1, 2)]
    np.testing.assert_allclose(positions, events.meta.layout.positions_m)
    geometry = subarray.tel[1].camera.geometry
    camera = Camera.magic()
    np.testing.assert_allclose(geometry.pix_x.to_value("m"), camera.x_m)
    assert {tuple(sorted(pair)) for pair in np.argwhere(geometry.neighbor_matrix)} == {
        tuple(pair) for pair in camera.neighbour_pairs
    }
    # our frames are theirs: their own stereo reconstruction finds the showers
    valid = subarray_events["HillasReconstructor_is_valid"]
    assert valid.mean() > 0.5
    missed = subarray_events[valid]["HillasReconstructor_alt"] - subarray_events[valid]["true_alt"]
    assert np.median(np.abs(missed)) < 0.3


def test_what_was_thrown_adds_up(production, processed):
    from ctapipe.io import TableLoader

    with EventSet(production) as stored:
        thrown = Generated.from_mapping(stored.meta.generated)
    with TableLoader(processed) as loader:
        runs = loader.read_simulation_configuration()
    assert runs["n_showers"].sum() == thrown.n_thrown
    assert set(runs["shower_reuse"]) == {1}
    assert set(runs["spectral_index"]) == {-2.0}
    assert runs["energy_range_max"].quantity[0].to_value("GeV") == pytest.approx(300.0)
    assert set(runs["max_viewcone_radius"]) == {1.0}
    assert runs["max_scatter_range"].quantity[0].to_value("m") == pytest.approx(120.0)


def test_magicnn_reads_what_ctapipe_made_of_it(production, processed):
    from magicnn import open_events

    ours, back = EventSet(production).read(), open_events(processed).read()
    assert back.meta.telescopes == ("M1", "M2")
    np.testing.assert_array_equal(back.charge, ours.charge)
    np.testing.assert_array_equal(back["event_id"], ours["event_id"])
    np.testing.assert_allclose(back["true_energy_gev"], ours["true_energy_gev"], rtol=1e-6)
    np.testing.assert_allclose(back["pointing_azimuth_deg"], ours["pointing_azimuth_deg"])
    np.testing.assert_allclose(back["true_impact_m"], ours["true_impact_m"], rtol=1e-5)
    thrown, told = (Generated.from_mapping(events.meta.generated).to_mapping() for events in (ours, back))
    assert told.pop("particle") == thrown.pop("particle") == "gamma_diffuse"
    assert told == pytest.approx(thrown)


def stored(path, meta, n_events, **columns):
    rng = np.random.default_rng(7)
    shape = (n_events, len(meta.telescopes), meta.camera.n_pixels)
    charge = rng.normal(1.0, 2.0, shape).astype(np.float16).astype(np.float32)
    time = rng.uniform(0.0, 30.0, shape).astype(np.float16).astype(np.float32)
    charge[1, 0], time[1, 0] = np.nan, np.nan
    charge[:, -1, 100], time[:, -1, 100] = np.nan, np.nan
    basic = {
        "run_id": np.full(n_events, 5),
        "event_id": np.arange(n_events),
        "pointing_zenith_deg": np.linspace(20.0, 21.0, n_events),
        "pointing_azimuth_deg": np.full(n_events, 100.0),
    }
    with EventSetWriter(path, meta) as writer:
        writer.append(EventBatch(charge, time, {**basic, **columns}, meta))
    return path


def test_real_data_keep_their_times_and_fill_unusable_pixels(tmp_path):
    from ctapipe.io import EventSource

    times = 1_380_000_000_123_456_700 + 10**9 * np.arange(3)
    meta = EventMeta(None, "Crab Nebula", False, sampling_gsps=2.05, window_ns=39.0)
    path = stored(tmp_path / "crab.h5", meta, 3, time_utc_ns=times)
    plugin.MagicnnEventSource  # noqa: B018  # as the entry point does
    with EventSource(path, max_events=2) as source:
        assert type(source).__name__ == "MagicnnEventSource"
        assert not source.is_simulation
        assert list(source.observation_blocks) == [5]
        events = list(source)
    assert [list(event.dl1.tel) for event in events] == [[1, 2], [2]]
    exact = events[1].trigger.time
    assert exact.utc.unix == pytest.approx(times[1] / 1e9, abs=1e-6)
    nanoseconds = round(exact.utc.jd2 * 86400e9) - round(events[0].trigger.time.utc.jd2 * 86400e9)
    assert nanoseconds == 10**9
    image = events[0].dl1.tel[2].image
    around = Camera.magic().neighbours[100]
    assert image[100] == pytest.approx(image[around[around >= 0]].mean(), rel=1e-5)
    assert events[1].monitoring.tel[2].pointing.altitude.to_value("deg") == pytest.approx(69.5)
    with EventSource(path, allowed_tels={1}) as source:
        assert [event.index.event_id for event in source] == [0, 2]
        assert list(source.subarray.tel) == [1]


def test_ctapipe_process_is_told_that_real_data_lose_their_pointing(tmp_path, caplog):
    from ctapipe.io import EventSource
    from ctapipe.tools.process import ProcessorTool

    meta = EventMeta(None, "Crab Nebula", False, sampling_gsps=2.05, window_ns=39.0)
    path = stored(tmp_path / "crab.h5", meta, 3, time_utc_ns=1_380_000_000_123_456_700 + 10**9 * np.arange(3))
    plugin.MagicnnEventSource  # noqa: B018  # as the entry point does
    with EventSource(path):
        assert "pointing" not in caplog.text
    with EventSource(path, parent=ProcessorTool()):
        assert f"{path}: ctapipe-process does not write the pointing of real data" in caplog.text
    assert f"magicnn export PREDICTIONS --format ctapipe --like {path}" in caplog.text


def test_event_sets_of_other_arrays_keep_their_telescopes(tmp_path):
    from ctapipe.io import EventSource

    places = TelescopeArray(((0.0, 0.0, 0.0), (100.0, 0.0, 0.0)), site=Site(field_north_ut=None))
    meta = replace(EventMeta(None, "LST", False), telescopes=("LST-3", "LST-7"), array=places)
    path = stored(tmp_path / "lst.h5", meta, 3)
    plugin.MagicnnEventSource  # noqa: B018  # as the entry point does
    with EventSource(path) as source:
        assert list(source.subarray.tel) == [3, 7]
        assert source.subarray.positions[7].to_value("m").tolist() == [100.0, 0.0, 0.0]
        assert [list(event.dl1.tel) for event in source] == [[3, 7], [7], [3, 7]]
