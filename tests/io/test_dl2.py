"""Predictions as ctapipe DL2: read back by TableLoader, merged by ctapipe-merge, taken by the IRF preprocessing."""

import dataclasses
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tables
from ctapipe_files import SHOWER, TRIGGER, edited, many_events

from magicnn import load_predictions
from magicnn.array import TelescopeArray
from magicnn.errors import ConfigError, InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.generated import Generated
from magicnn.io.convert import convert_events
from magicnn.io.ctapipe.dl2 import write_dl2
from magicnn.io.eventset.reader import EventSetWriter
from magicnn.io.exports import export
from magicnn.predictions import PredictionTable

pytestmark = pytest.mark.filterwarnings("ignore::tables.NaturalNameWarning")

GENERATED = Generated(
    particle="gamma",
    spectral_index=1.6,
    energy_min_gev=10.0,
    energy_max_gev=30_000.0,
    n_thrown=1001,
    scatter_radius_m=350.0,
    scatter_energy_exponent=0.0,
    scatter_zenith_exponent=0.0,
    viewcone_min_deg=0.4,
    viewcone_max_deg=0.4,
    zenith_min_deg=20.0,
    zenith_max_deg=20.0,
).to_mapping()


@pytest.fixture(scope="session")
def many(data_dir, tmp_path_factory):
    real = data_dir / "ctapipe_dl1" / "history_meta_75.dl2.h5"
    return edited(real, tmp_path_factory.mktemp("dl2") / "many.h5", many_events(40))


def predictions(run_id, event_id, *, method="CNN", seed=0, **more):
    """Return what a method could say of simulated events, some of them without a value."""
    rng = np.random.default_rng(seed)
    n = len(event_id)
    energy = 10 ** rng.uniform(1.7, 4.0, n)
    columns = {
        "run_id": run_id,
        "event_id": event_id,
        "gammaness": rng.random(n),
        "reco_energy_gev": energy * rng.normal(1.0, 0.1, n),
        "reco_energy_uncert_gev": 0.1 * energy,
        "reco_zenith_deg": rng.normal(20.4, 0.05, n),
        "reco_azimuth_deg": rng.normal(0.1, 0.05, n) % 360.0,
        "is_valid": rng.random(n) < 0.8,
    }
    columns["gammaness"][:2] = np.nan
    return PredictionTable(method, columns | more, particle="gamma", generated=GENERATED)


def simulated(n=60, run=7, **kwargs):
    """Predictions that come with pointing and truth, as of an event set."""
    truth = {
        "true_energy_gev": np.linspace(50.0, 5000.0, n),
        "true_particle": np.full(n, 22),
        "true_zenith_deg": np.full(n, 20.4),
        "true_azimuth_deg": np.full(n, 0.1),
        "true_core_x_m": np.linspace(-90.0, 90.0, n),
        "true_core_y_m": np.linspace(70.0, -20.0, n),
        "pointing_zenith_deg": np.full(n, 20.0),
        "pointing_azimuth_deg": np.full(n, 0.1),
    }
    return predictions(np.full(n, run), np.arange(n) * 3, **(truth | kwargs))


def keys_of(path):
    with tables.open_file(str(path)) as file:
        trigger = file.get_node(TRIGGER)[:]
    return trigger["obs_id"].astype(np.int64), trigger["event_id"].astype(np.int64)


def stereo(path, **options):
    from ctapipe.io import TableLoader

    with TableLoader(path, **options) as loader:
        return loader.read_subarray_events(observation_info=True)


def test_copy_of_the_input_gives_the_same_numbers(many, tmp_path):
    run, event = keys_of(many)
    ours = predictions(run, event).select(slice(0, 30))  # the file's order is random, the last ten have none
    order = np.argsort(ours["event_id"])
    path = write_dl2([ours.select(order)], tmp_path / "out.h5", like=many, camera="LSTCam")
    table = stereo(path)
    assert len(table) == 40
    np.testing.assert_array_equal(table["event_id"], event)
    np.testing.assert_array_equal(table["CNNClassifier_prediction"][:30], ours["gammaness"])
    np.testing.assert_allclose(table["CNNRegressor_energy"].quantity.to_value("GeV")[:30], ours["reco_energy_gev"])
    np.testing.assert_allclose(
        table["CNNRegressor_energy_uncert"].quantity.to_value("GeV")[:30], ours["reco_energy_uncert_gev"]
    )
    np.testing.assert_allclose(
        90.0 - table["CNNReconstructor_alt"].quantity.to_value("deg")[:30], ours["reco_zenith_deg"]
    )
    np.testing.assert_array_equal(table["CNNReconstructor_az"][:30], ours["reco_azimuth_deg"])
    known = np.isfinite(ours["gammaness"]) & ours["is_valid"]
    np.testing.assert_array_equal(table["CNNClassifier_is_valid"], np.append(known, [False] * 10))
    np.testing.assert_array_equal(table["CNNRegressor_is_valid"], np.append(ours["is_valid"], [False] * 10))
    assert np.isnan(table["CNNRegressor_energy"][30:]).all()
    # LST only, and only where there was a trigger
    used = table["CNNRegressor_telescopes"]
    assert not used[:, 4:].any()
    np.testing.assert_array_equal(used[:30, :4], table["tels_with_trigger"][:30, :4])
    assert not any(name.endswith(("_1", "_2")) for name in table.colnames)


def test_everything_else_stays_as_it_was(many, tmp_path):
    run, event = keys_of(many)
    path = write_dl2([predictions(run, event)], tmp_path / "out.h5", like=many, camera="LSTCam")
    with tables.open_file(str(many)) as before, tables.open_file(str(path)) as after:
        for node in before.walk_nodes("/", "Table"):
            assert node[:].tobytes() == after.get_node(node._v_pathname)[:].tobytes()
        attributes = after.root._v_attrs
        assert attributes["CTA PRODUCT DATA LEVELS"].split(",")[-1] == "DL2"
        assert attributes["CTA ACTIVITY NAME"] == "magicnn export"
        assert attributes["CTA PRODUCT ID"] != before.root._v_attrs["CTA PRODUCT ID"]


def test_new_file_is_complete(tmp_path):
    ours = simulated()
    path = write_dl2([ours, simulated(method="random forest", seed=3)], tmp_path / "new.h5")
    table = stereo(path)
    np.testing.assert_allclose(table["true_energy"].quantity.to_value("GeV"), ours["true_energy_gev"])
    np.testing.assert_allclose(table["true_alt"].quantity.to_value("deg"), 90.0 - ours["true_zenith_deg"])
    np.testing.assert_array_equal(table["true_core_y"], ours["true_core_y_m"])
    assert set(table["true_shower_primary_id"]) == {0}
    np.testing.assert_array_equal(table["CNNClassifier_prediction"], ours["gammaness"])
    assert np.isfinite(table["random_forestRegressor_energy"]).all()
    assert set(table["subarray_pointing_lat"]) == {70.0}
    assert set(table["subarray_pointing_frame"]) == {0}
    assert table["tels_with_trigger"].shape == (60, 2)
    from ctapipe.io import TableLoader

    with TableLoader(path) as loader:
        run = loader.read_simulation_configuration()
        assert run["n_showers"].tolist() == [1001]
        assert run["spectral_index"].tolist() == [-1.6]
        assert run["energy_range_max"].quantity.to_value("TeV").tolist() == [30.0]
        assert loader.subarray.tel[2].camera.name == "MAGICCam"
        assert len(loader.read_telescope_events([1, 2])) == 120


def test_events_that_ctapipe_reads_one_by_one(tmp_path):
    from ctapipe.io import EventSource

    ours = simulated(n=5)
    path = write_dl2([ours], tmp_path / "new.h5")
    with EventSource(path) as source:
        events = list(source)
        assert list(map(int, source.obs_ids)) == [7]
    assert [e.index.event_id for e in events] == ours["event_id"].tolist()
    energies = [e.dl2.stereo.energy["CNNRegressor"].energy.to_value("GeV") for e in events]
    np.testing.assert_allclose(energies, ours["reco_energy_gev"])
    assert events[4].simulation.shower.energy.to_value("TeV") == pytest.approx(5.0)


def test_two_files_merge(tmp_path):
    from ctapipe.core import run_tool
    from ctapipe.tools.merge import MergeTool

    first, second = simulated(run=7), simulated(run=9, seed=1)
    paths = [write_dl2([table], tmp_path / f"{i}.h5") for i, table in enumerate((first, second))]
    merged = tmp_path / "merged.h5"
    arguments = ["--output", str(merged), *map(str, paths)]
    assert run_tool(MergeTool(), argv=arguments, cwd=tmp_path) == 0
    table = stereo(merged)
    assert table["obs_id"].tolist() == [7] * 60 + [9] * 60
    both = np.concatenate([first["gammaness"], second["gammaness"]])
    np.testing.assert_array_equal(table["CNNClassifier_prediction"], both)


@pytest.mark.slow
def test_copies_merge_by_the_command(data_dir, many, tmp_path):
    real = data_dir / "ctapipe_dl1" / "history_meta_75.dl2.h5"
    other = edited(real, tmp_path / "other.h5", many_events(25, seed=2, obs_id=11))
    paths = []
    for i, source in enumerate((many, other)):
        paths.append(
            write_dl2([predictions(*keys_of(source), seed=i)], tmp_path / f"{i}.h5", like=source, camera="LSTCam")
        )
    command = [str(Path(sys.executable).parent / "ctapipe-merge"), "--output", "merged.h5", *map(str, paths)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    table = stereo(tmp_path / "merged.h5")
    assert len(table) == 65
    assert np.isfinite(table["CNNRegressor_energy"]).all()
    assert len(load_predictions(tmp_path / "merged.h5")) == 65


def test_irf_preprocessing_takes_our_names(tmp_path):
    pytest.importorskip("pyirf")
    import astropy.units as u
    from ctapipe.io.dl2_tables_preprocessing import DL2EventLoader
    from ctapipe.irf import Spectra
    from traitlets.config import Config

    ours = simulated()
    path = write_dl2([ours], tmp_path / "new.h5")
    config = Config(
        {
            "DL2EventPreprocessor": {
                "energy_reconstructor": "CNNRegressor",
                "geometry_reconstructor": "CNNReconstructor",
                "gammaness_classifier": "CNNClassifier",
            },
            "DL2EventQualityQuery": {
                "quality_criteria": [
                    ("valid classifier", "CNNClassifier_is_valid"),
                    ("valid geometry", "CNNReconstructor_is_valid"),
                    ("valid energy", "CNNRegressor_is_valid"),
                ]
            },
        }
    )
    loader = DL2EventLoader(file=path, target_spectrum=Spectra.CRAB_HEGRA, config=config)
    events, n_raw, meta = loader.load_preselected_events(chunk_size=17, obs_time=50 * u.h)
    good = np.isfinite(ours["gammaness"]) & ours["is_valid"]
    assert n_raw == 60
    np.testing.assert_array_equal(events["event_id"], ours["event_id"][good])
    np.testing.assert_allclose(events["reco_energy"].to_value("GeV"), ours["reco_energy_gev"][good])
    np.testing.assert_allclose(events["true_source_fov_offset"].to_value("deg"), 0.4, atol=1e-6)
    np.testing.assert_array_equal(events["gh_score"], ours["gammaness"][good])
    assert meta["sim_info"].n_showers == 1001
    assert meta["sim_info"].max_impact.to_value("m") == 350.0


def test_read_back_as_predictions(tmp_path):
    ours = simulated()
    back = load_predictions(write_dl2([ours], tmp_path / "new.h5"))
    assert (back.method, back.particle) == ("CNN", "gamma")
    for name in ours.columns:
        if name != "is_valid":
            np.testing.assert_allclose(back[name], ours[name], rtol=1e-12, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(back["is_valid"], ours["is_valid"] & np.isfinite(ours["gammaness"]))
    for name, value in GENERATED.items():
        assert back.generated[name] == (pytest.approx(value) if isinstance(value, float) else value), name
    distance = (back["reco_zenith_deg"] - 20.4) ** 2 + ((back["reco_azimuth_deg"] + 90) % 360 - 90.1) ** 2 * 0.12
    np.testing.assert_allclose(back["theta2_deg2"], distance, rtol=0.1, atol=1e-5)


def test_a_method_of_several_is_named(tmp_path):
    path = write_dl2([simulated(), simulated(method="forest", seed=5)], tmp_path / "two.h5")
    with pytest.raises(
        ConfigError, match=r"predictions of several methods, CNN, forest; choose one, such as .*two\.h5::CNN"
    ):
        load_predictions(path)
    forest = load_predictions(f"{path}::forest")
    assert forest.method == "forest"
    np.testing.assert_array_equal(forest["gammaness"], simulated(method="forest", seed=5)["gammaness"])
    with pytest.raises(ConfigError, match="no predictions of 'frest'; did you mean 'forest'"):
        load_predictions(f"{path}::frest")


def test_predictions_of_ctapipe_alone_need_none_of_ours(data_dir):
    with pytest.raises(InputError, match="there are no predictions"):
        load_predictions(data_dir / "ctapipe_dl1" / "history_meta_75.dl2.h5")


def test_around_an_event_set(many, tmp_path):
    events = convert_events(many, tmp_path / "set.h5", camera="LSTCam").output
    run, event = keys_of(many)
    ours = predictions(run, event)
    path = write_dl2([ours], tmp_path / "new.h5", like=events)
    table = stereo(path)
    order = np.argsort(event)
    np.testing.assert_array_equal(table["event_id"], event[order])
    np.testing.assert_array_equal(table["CNNClassifier_prediction"], ours["gammaness"][order])
    assert table["tels_with_trigger"].shape == (40, 4)
    theirs = stereo(many)
    theirs.sort("event_id")
    np.testing.assert_array_equal(table["tels_with_trigger"], theirs["tels_with_trigger"][:, :4])
    for name in ("true_energy", "true_alt", "true_az", "true_h_first_int", "true_x_max"):
        np.testing.assert_allclose(table[name].quantity.value, theirs[name].quantity.value, rtol=1e-6)
    ns = [t["time"].utc.datetime64.astype("datetime64[ns]").astype(np.int64) for t in (table, theirs)]
    np.testing.assert_array_equal(*ns)


def real_night(path, n=30):
    """An event set of real data that follows a source."""
    rng = np.random.default_rng(1)
    meta = EventMeta(
        None, "Crab", is_simulation=False, array=TelescopeArray.magic(), sampling_gsps=1.64, window_ns=30.5
    )
    charge = rng.normal(0, 1, (n, 2, 1039)).astype(np.float32)
    columns = {
        "run_id": np.full(n, 5029747),
        "event_id": np.arange(n),
        "time_utc_ns": 1_700_000_000_000_000_000 + np.arange(n) * 1_234_567_800,
        "pointing_zenith_deg": np.linspace(20.0, 20.5, n),
        "pointing_azimuth_deg": np.linspace(120.0, 121.0, n),
        "pointing_ra_deg": np.full(n, 83.63),
        "pointing_dec_deg": np.full(n, 22.01),
    }
    with EventSetWriter(path, meta) as writer:
        writer.append(EventBatch(charge, np.zeros_like(charge), columns, meta))
    return path, columns


def test_real_data_keep_times_and_pointing(tmp_path):
    events, columns = real_night(tmp_path / "night.h5")
    ours = predictions(columns["run_id"], columns["event_id"])
    path = write_dl2([dataclasses.replace(ours, particle=None, generated={})], tmp_path / "new.h5", like=events)
    back = load_predictions(path)
    assert back.particle is None
    np.testing.assert_array_equal(back["time_utc_ns"], columns["time_utc_ns"])
    np.testing.assert_allclose(back["pointing_zenith_deg"], columns["pointing_zenith_deg"], atol=1e-9)
    np.testing.assert_allclose(back["pointing_azimuth_deg"], columns["pointing_azimuth_deg"], atol=1e-9)
    table = stereo(path)
    assert set(table["subarray_pointing_frame"]) == {1}
    np.testing.assert_allclose(table["subarray_pointing_lon"], 83.63)
    assert "true_energy" not in table.colnames


@pytest.fixture
def said():
    """Texts of the warnings that the package logs."""

    class Keep(logging.Handler):
        def emit(self, record):
            texts.append(record.getMessage())

    texts: list[str] = []
    handler = Keep(logging.WARNING)
    logging.getLogger("magicnn").addHandler(handler)
    yield texts
    logging.getLogger("magicnn").removeHandler(handler)


def test_what_ctapipe_cannot_say_is_said(tmp_path, said):
    ours = simulated(pointing_zenith_deg=np.linspace(5.0, 35.0, 60), weight=np.full(60, 2.0))
    ours = dataclasses.replace(ours, generated=GENERATED | {"scatter_energy_exponent": 0.2})
    path = write_dl2([ours], tmp_path / "new.h5")
    assert any("pointing changes within a run" in text for text in said)
    assert any("grows with energy" in text for text in said)
    assert any("true_weight" in text for text in said)
    table = stereo(path)
    assert set(table["subarray_pointing_frame"]) == {-1}
    assert np.isnan(table["subarray_pointing_lat"]).all()
    assert set(table["true_weight"]) == {2.0}
    from ctapipe.io import TableLoader

    with TableLoader(path) as loader:
        assert np.isnan(loader.read_simulation_configuration()["max_scatter_range"]).all()


def test_what_is_refused(many, tmp_path):
    run, event = keys_of(many)
    ours = predictions(run, event)
    out = tmp_path / "out.h5"
    with pytest.raises(InputError, match="none of their 40 events is among the 40 of"):
        write_dl2([predictions(run + 1, event)], out, like=many, camera="LSTCam")
    with pytest.raises(ConfigError, match=r"several cameras, LSTCam, NectarCam; say with --camera"):
        write_dl2([ours], out, like=many)
    with pytest.raises(ConfigError, match="no camera 'LSTCm'; did you mean 'LSTCam'"):
        write_dl2([ours], out, like=many, camera="LSTCm")
    with pytest.raises(InputError, match="an event is in them twice"):
        write_dl2([predictions(np.zeros(3, int), np.zeros(3, int))], out, like=many, camera="LSTCam")
    with pytest.raises(InputError, match="two tables of predictions would both be called 'CNN'"):
        write_dl2([ours, ours], out, like=many, camera="LSTCam")
    empty = PredictionTable("CNN", {"run_id": run, "event_id": event})
    with pytest.raises(InputError, match="neither an energy nor a gammaness nor a direction"):
        write_dl2([empty], out, like=many, camera="LSTCam")
    with pytest.raises(InputError, match="no events to write"):
        write_dl2([ours.select(slice(0, 0))], out)
    assert list(tmp_path.iterdir()) == []
    write_dl2([ours], out, like=many, camera="LSTCam")
    with pytest.raises(InputError, match="is there already"):
        write_dl2([ours], out, like=many, camera="LSTCam")
    with pytest.raises(InputError, match="has predictions called CNNRegressor already"):
        write_dl2([ours], tmp_path / "again.h5", like=out, camera="LSTCam")
    forest = predictions(run, event, method="forest")
    write_dl2([forest], tmp_path / "both.h5", like=out, camera="LSTCam")
    assert load_predictions(f"{tmp_path / 'both.h5'}::CNN").method == "CNN"


def test_export_takes_several_prediction_files(tmp_path):
    paths = []
    for i, method in enumerate(("CNN", "LUT")):
        paths.append(tmp_path / f"{method}.h5")
        simulated(method=method, seed=i).save(paths[-1])
    written = export(paths, tmp_path / "out.h5", name="ctapipe")
    assert written == [tmp_path / "out.h5"]
    table = stereo(written[0])
    assert {"CNNClassifier_prediction", "LUTClassifier_prediction"} <= set(table.colnames)


def test_events_of_truth_only_of_some(many, tmp_path):
    run, event = keys_of(many)

    def fewer(file):
        file.get_node(SHOWER).remove_rows(30, 40)

    path = edited(many, tmp_path / "fewer.h5", fewer)
    written = write_dl2([predictions(run, event)], tmp_path / "out.h5", like=path, camera="LSTCam")
    assert len(load_predictions(written)) == 30
