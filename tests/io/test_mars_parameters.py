"""Star, superstar and melibea files: parameters in our units and frames, and MARS' estimates as predictions."""

import json

import numpy as np
import pytest
from mars_files import (
    MC_RUN,
    data_name,
    image_columns,
    mc_name,
    mc_trees,
    melibea_columns,
    run_headers,
    run_tails,
    star_columns,
    stereo_columns,
    stereo_name,
    stereo_trees,
    trigger_trees,
    write_file,
    write_pair,
)
from typer.testing import CliRunner

import magicnn
from magicnn.array import direction_vector, geographic_from_magnetic, sky_from_camera
from magicnn.camera import Camera
from magicnn.cli import app
from magicnn.errors import InputError
from magicnn.images.features import FeatureTable
from magicnn.images.hillas import image_parameters
from magicnn.io import load_predictions, open_events
from magicnn.io.describe import describe
from magicnn.io.mars.parameters import read_mars_features, read_mars_predictions
from magicnn.predictions import PredictionTable


def run(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def write_stereo(folder, numbers=(3, 4, 5), *, level="Q", name=None, **options):
    return write_file(folder / (name or stereo_name(level)), **stereo_trees(list(numbers), level=level, **options))


def write_star(folder, telescope, numbers, **options):
    return write_file(
        folder / data_name(telescope).replace("_Y_", "_I_"),
        Events=star_columns(telescope, list(numbers), **options),
        RunHeaders=run_headers(telescope),
        RunTails=run_tails("star"),
        **trigger_trees(),
    )


# --- image parameters -------------------------------------------------------------------------------------------------


def mars_parameters_of(charge, camera):
    """Hillas parameters in the frame and the units of MARS, straight from their definitions: mm, X = -y, Y = -x."""
    scale = 1.0 / 0.00337
    px, py = -camera.y_deg * scale, -camera.x_deg * scale
    size = charge.sum()
    x, y = (charge * px).sum() / size, (charge * py).sum() / size
    covariance = np.cov(np.stack([px, py]), aweights=charge, ddof=0)
    values, vectors = np.linalg.eigh(covariance)
    axis = vectors[:, 1] * (1.0 if vectors[0, 1] > 0 else -1.0)  # delta between -90 and 90 degrees
    along = (px - x) * axis[0] + (py - y) * axis[1]
    across = (py - y) * axis[0] - (px - x) * axis[1]
    brightest = charge.argmax()
    return {
        "MHillas.fSize": size,
        "MHillas.fMeanX": x,
        "MHillas.fMeanY": y,
        "MHillas.fLength": np.sqrt(values[1]),
        "MHillas.fWidth": np.sqrt(values[0]),
        "MHillas.fDelta": np.arctan2(axis[1], axis[0]),
        "MHillasExt.fM3Long": np.cbrt((charge * along**3).sum() / size),
        "MHillasExt.fM3Trans": np.cbrt((charge * across**3).sum() / size),
        "MHillasExt.fAsym": (x - px[brightest]) * axis[0] + (y - py[brightest]) * axis[1],
        "MNewImagePar.fConc1": charge.max() / size,
        "MNewImagePar.fConc": np.sort(charge)[-2:].sum() / size,
    }


def test_parameters_of_mars_become_those_of_the_same_image(tmp_path):
    """Images analysed by hand in MARS' frame and by our own code in ours agree after reading."""
    camera, rng = Camera.magic(), np.random.default_rng(3)
    images = np.zeros((6, 2, camera.n_pixels), dtype=np.float32)
    for image in images.reshape(-1, camera.n_pixels):
        centre, angle = rng.uniform(-0.8, 0.8, 2), rng.uniform(0.0, np.pi)
        dx, dy = camera.x_deg - centre[0], camera.y_deg - centre[1]
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        image[:] = (
            50.0 * np.exp(-0.5 * (along / 0.3) ** 2 - 0.5 * (across / 0.1) ** 2) * np.exp(2.0 * along + 3.0 * across)
        )
        image[:] += 8.0 * np.exp(-0.5 * ((along - 0.3) / 0.1) ** 2 - 0.5 * ((across - 0.25) / 0.1) ** 2)
    mask = images > 0.1
    images[~mask] = 0.0
    ours = image_parameters(images, np.full_like(images, np.nan), mask, camera)
    trees = stereo_trees(range(1, 7), level="S")
    for telescope in (1, 2):
        rows = [mars_parameters_of(image.astype(np.float64), camera) for image in images[:, telescope - 1]]
        for name in rows[0]:
            container, member = name.split(".")
            trees["Events"][f"{container}_{telescope}.{member}"] = np.array([r[name] for r in rows], dtype=np.float32)
    theirs = read_mars_features([write_file(tmp_path / stereo_name("S"), **trees)])
    names = ("size_pe", "cog_x_deg", "cog_y_deg", "r_deg", "length_deg", "width_deg", "skewness")
    for name in (*names, "concentration", "concentration2", "m3_long_deg", "m3_trans_deg", "asymmetry_deg"):
        np.testing.assert_allclose(theirs[name], ours[name], rtol=2e-4, atol=2e-4, err_msg=name)
    for name, period in (("psi_deg", 180.0), ("phi_deg", 360.0)):
        apart = (theirs[name] - ours[name] + period / 2) % period - period / 2
        np.testing.assert_allclose(apart, 0.0, atol=0.05, err_msg=name)
    assert (theirs["psi_deg"] > -90.0).all()
    assert (theirs["psi_deg"] <= 90.0).all()


def test_plain_parameters_and_images_without_light(tmp_path):
    trees = stereo_trees([3, 4, 5], level="S")
    trees["Events"]["MHillas_2.fSize"] = np.array([100.0, -1.0, np.nan], dtype=np.float32)
    table = read_mars_features([write_file(tmp_path / stereo_name("S"), **trees)])
    assert table.settings is None
    image = image_columns(3, seed=2)
    for name, branch in (
        ("leakage1_mars", "MNewImagePar.fLeakage1"),
        ("leakage2_mars", "MNewImagePar.fLeakage2"),
        ("n_pixels", "MNewImagePar.fNumUsedPixels"),
        ("n_islands", "MImagePar.fNumIslands"),
    ):
        np.testing.assert_allclose(table[name][:, 0], image[branch])
    for name in ("size_pe", "cog_x_deg", "length_deg", "leakage1_mars", "n_pixels", "psi_deg"):
        assert np.isfinite(table[name]).tolist() == [[True, True], [True, False], [True, False]]


def test_stereo_parameters_in_our_frames(tmp_path):
    valid = np.array([1, 1, 0], dtype=np.int32)
    table = read_mars_features([write_stereo(tmp_path, level="S", events={"MStereoPar.fValid": valid})])
    stereo = {n.split(".")[1]: v.astype(np.float64) for n, v in stereo_columns(3).items()}
    assert table["is_stereo"].tolist() == [True, True, False]
    np.testing.assert_allclose(table["reco_zenith_deg"], [*stereo["fDirectionZd"][:2], np.nan])
    np.testing.assert_allclose(table["reco_azimuth_deg"], [*stereo["fDirectionAz"][:2], np.nan])
    core = geographic_from_magnetic(np.stack([stereo["fCoreX"], stereo["fCoreY"]], axis=1)) / 100.0
    np.testing.assert_allclose(table["reco_core_x_m"][:2], core[:2, 0])
    np.testing.assert_allclose(table["reco_core_y_m"][:2], core[:2, 1])
    np.testing.assert_allclose(table["impact_m"][:2, 1], stereo["fM2Impact"][:2] / 100.0)
    # direction in the camera: leads back to the direction on the sky
    back = sky_from_camera(table["reco_x_deg"], table["reco_y_deg"], 30.0, 120.0)
    np.testing.assert_allclose(back[0][:2], table["reco_zenith_deg"][:2])
    assert "h_max_m" not in table
    assert "time_slope_ns_per_deg" not in table


def test_star_files_of_both_telescopes_join_by_number(tmp_path):
    paths = [write_star(tmp_path, 1, [3, 4, 5, 9]), write_star(tmp_path, 2, [4, 5, 6])]
    table = read_mars_features(paths)
    assert table["event_id"].tolist() == [4, 5]
    first, second = image_columns(4, seed=2), image_columns(3, seed=3)
    np.testing.assert_allclose(
        table["size_pe"], np.stack([first["MHillas.fSize"][1:3], second["MHillas.fSize"][:2]], 1)
    )
    assert table.meta.provenance["format"] == "MARS star (_I_)"
    assert table.meta.provenance["mars_software"] == "star 2.19.3 (ROOT 5.34.36)"
    with pytest.raises(InputError, match=r"M2 of run 5000001 is missing, expected .*_M2_05000001\.001_I_"):
        read_mars_features(paths[:1])
    alone = read_mars_features(paths[:1], require_stereo=False)
    assert np.isnan(alone["size_pe"][:, 1]).all()
    assert len(alone) == 4


def test_melibea_adds_the_direction_by_disp(tmp_path):
    table = read_mars_features([write_stereo(tmp_path)])
    disp = stereo_columns(3, seed=2, container="MStereoParDisp")
    np.testing.assert_allclose(table["disp_zenith_deg"], disp["MStereoParDisp.fDirectionZd"])
    crossed = stereo_columns(3, seed=1)
    np.testing.assert_allclose(table["reco_zenith_deg"], crossed["MStereoPar.fDirectionZd"])


# --- predictions ------------------------------------------------------------------------------------------------------


def test_estimates_of_mars(tmp_path):
    table = magicnn.load_predictions(write_stereo(tmp_path))
    said = melibea_columns(3)
    assert table.method == "MARS"
    assert table["event_id"].tolist() == [3, 4, 5]
    assert set(table["run_id"]) == {5000001}
    np.testing.assert_allclose(table["gammaness"], 1.0 - said["MHadronness.fHadronness"], rtol=1e-6)
    np.testing.assert_allclose(table["reco_energy_gev"], said["MEnergyEst.fEnergy"])
    np.testing.assert_allclose(table["reco_energy_uncert_gev"], said["MEnergyEst.fEnergyRMS"])
    np.testing.assert_allclose(table["reco_zenith_deg"], said["MStereoParDisp.fDirectionZd"])
    np.testing.assert_allclose(table["reco_azimuth_deg"], said["MStereoParDisp.fDirectionAz"])
    sizes = [image_columns(3, seed=seed)["MHillas.fSize"] for seed in (2, 3)]
    np.testing.assert_allclose(table["size_min_pe"], np.minimum(*sizes))
    assert table["is_valid"].all()
    assert table.particle is None


@pytest.mark.parametrize(
    ("branch", "values", "column"),
    [
        ("MHadronness.fHadronness", [0.1, -1.0, np.nan], "gammaness"),
        ("MHadronness.fHadronness", [0.1, 1.5, np.inf], "gammaness"),
        ("MEnergyEst.fEnergy", [100.0, -1.0, 0.0], "reco_energy_gev"),
        ("MEnergyEst.fEnergy", [100.0, np.nan, np.inf], "reco_energy_gev"),
        ("MStereoParDisp.fDirectionZd", [30.0, np.nan, -9.0], "reco_zenith_deg"),
        ("MStereoParDisp.fValid", [1, 0, -1], "reco_azimuth_deg"),
    ],
)
def test_what_mars_could_not_estimate_is_nan_and_not_valid(tmp_path, branch, values, column):
    dtype = np.int32 if branch.endswith("fValid") else np.float32
    table = load_predictions(write_stereo(tmp_path, events={branch: np.array(values, dtype=dtype)}))
    assert np.isfinite(table[column]).tolist() == [True, False, False]
    assert table["is_valid"].tolist() == [True, False, False]


@pytest.mark.parametrize(("removed", "expected"), [("fEnergyRMS", "fUncertainty"), ("fUncertainty", "fEnergyRMS")])
def test_uncertainty_of_the_energy(tmp_path, removed, expected):
    table = load_predictions(write_stereo(tmp_path, events={f"MEnergyEst.{removed}": None}))
    np.testing.assert_allclose(table["reco_energy_uncert_gev"], melibea_columns(3)[f"MEnergyEst.{expected}"])


def test_simulated_melibea_file_knows_truth_and_what_was_thrown(tmp_path):
    path = write_stereo(tmp_path, (1, 2, 3), name="GA_za35to50_8_Q_w0.root", rows=[0, 1, 2], run=824318)
    table = load_predictions(path)
    assert (table.particle, table.generated["n_thrown"]) == ("gamma", 1000)
    np.testing.assert_allclose(table["true_energy_gev"], [100.0, 100.0, 2000.0])
    reco = direction_vector(table["reco_zenith_deg"], table["reco_azimuth_deg"])
    true = direction_vector(table["true_zenith_deg"], table["true_azimuth_deg"])
    np.testing.assert_allclose(np.cos(np.radians(np.sqrt(table["theta2_deg2"]))), np.sum(reco * true, axis=1))


def merged(folder, numbers, runs, name="GA_za35to50_8_Q_w0.root"):
    """A simulated melibea file of several runs: headers one after the other, event numbers that restart."""
    trees = stereo_trees(numbers, rows=[0] * len(numbers))
    trees["RunHeaders"] = {n: np.concatenate([v] * len(runs)) for n, v in trees["RunHeaders"].items()}
    for telescope in (1, 2):
        trees["RunHeaders"][f"MRawRunHeader_{telescope}.fRunNumber"] = np.array(runs, dtype=np.uint32)
    return write_file(folder / name, **trees)


def test_several_runs_in_one_file(tmp_path):
    path = merged(tmp_path, [1, 3, 2, 3, 4, 1], [12, 11, 13])
    table = load_predictions(path)
    assert table["run_id"].tolist() == [11, 11, 11, 12, 12, 13]
    assert table["event_id"].tolist() == [2, 3, 4, 1, 3, 1]
    rows = [2, 3, 4, 0, 1, 5]
    np.testing.assert_allclose(table["reco_energy_gev"], melibea_columns(6)["MEnergyEst.fEnergy"][rows])
    assert table.generated["n_thrown"] == 1000  # once per file, not per run
    assert "3, from 11 to 13" in describe(path)
    assert "6 events valid" in describe(path)
    broken = merged(tmp_path, [1, 3, 2, 3], [11, 12, 13], name="GA_za35to50_9_Q_w0.root")
    with pytest.raises(InputError, match=r"headers of 3 runs, but the event numbers restart 1 times"):
        load_predictions(broken)


def test_several_files_are_one_table(tmp_path):
    for run in (5000001, 5000002):
        write_stereo(tmp_path, run=run, name=stereo_name("Q", run))
    table = load_predictions(str(tmp_path / "*_Q_*.root"))
    assert table["run_id"].tolist() == [5000001] * 3 + [5000002] * 3
    same = load_predictions(sorted(tmp_path.glob("*_Q_*.root")))
    np.testing.assert_array_equal(table["reco_energy_gev"], same["reco_energy_gev"])


# --- ways to use them -------------------------------------------------------------------------------------------------


def test_convert_writes_predictions_and_parameters(tmp_path):
    melibea, superstar = write_stereo(tmp_path), write_stereo(tmp_path, level="S")
    shown = run("convert", melibea, "--output", tmp_path / "mars.h5", "--dry-run")
    assert "PredictionTable(MARS: 3 real events" in shown.output
    assert not (tmp_path / "mars.h5").exists()
    done = run("convert", melibea, "--output", tmp_path / "mars.h5")
    assert done.exit_code == 0, done.output
    table, direct = load_predictions(tmp_path / "mars.h5"), load_predictions(melibea)
    assert table.meta["joined_by_event"]
    for name, values in direct.columns.items():
        np.testing.assert_array_equal(table[name], values)
    again = run("convert", melibea, "--output", tmp_path / "mars.h5")
    assert (again.exit_code, again.output.count("\n")) == (3, 1)
    assert run("convert", superstar, "--output", tmp_path / "features.h5").exit_code == 0
    features = FeatureTable.load(tmp_path / "features.h5")
    assert features.settings is None
    assert len(features) == 3
    assert "features, format 1" in run("info", tmp_path / "features.h5").output


def test_evaluate_compares_mars_on_the_same_events(tmp_path):
    """Predictions for the calibrated events of a run beside the melibea file of that run, which lacks one of them."""
    for telescope in (1, 2):
        write_file(tmp_path / mc_name(telescope), **mc_trees(telescope, [1, 2, 3, 4], [0, 1, 2, 3]))
    reader = open_events([tmp_path / mc_name(telescope) for telescope in (1, 2)])
    batch = reader.read()
    columns = {name: values for name, values in batch.columns.items() if values.ndim == 1}
    columns |= {"reco_energy_gev": 1.1 * batch["true_energy_gev"], "gammaness": np.full(4, 0.5)}
    PredictionTable("CNN", columns, reader.meta.particle, reader.meta.generated).save(tmp_path / "CNN.h5")
    rows, numbers = [0, 1, 2], (1, 2, 3)
    melibea = write_stereo(tmp_path, numbers, name="GA_za35to50_8_Q_w0.root", rows=rows, run=MC_RUN)
    settings = ["n_replicates=20", "zenith_bins_deg=[[5, 35]]", "energy_edges_gev=[10, 10000]"]
    done = run(
        "evaluate",
        tmp_path / "CNN.h5",
        melibea,
        "--output",
        tmp_path / "out",
        *(w for s in settings for w in ("--set", s)),
    )
    assert done.exit_code == 0, done.output
    assert "MARS: 3 of 4 gamma events of the other methods" in done.output
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())["rows"]
    valid = {r["method"]: (r["n_events"], r["value"]) for r in metrics if r["metric"] == "valid_fraction"}
    assert valid == {"CNN": (4, 1.0), "MARS": (4, 0.75)}
    judged = {
        r["method"]: r["n_events"] for r in metrics if r["metric"] == "bias_median" and r["energy_min_gev"] == 10.0
    }
    assert judged == {"CNN": 3, "MARS": 3}


@pytest.mark.parametrize(("level", "use"), [("Q", "predictions"), ("S", "image parameters")])
def test_events_of_files_without_pixels(tmp_path, level, use):
    with pytest.raises(InputError, match=rf"without pixels.*convert' of such files alone writes its {use}"):
        open_events(write_stereo(tmp_path, level=level))


@pytest.mark.parametrize(
    ("level", "words"), [("Q", "MARS melibea (_Q_) file, data"), ("S", "MARS superstar (_S_) file, data")]
)
def test_files_are_described(tmp_path, level, words):
    text = describe(write_stereo(tmp_path, level=level))
    for word in (words, "M1, M2", "5000001", "none: image parameters only", "2015-03-19"):
        assert word in text


def test_files_that_cannot_be_used(tmp_path):
    superstar, calibrated = write_stereo(tmp_path, level="S"), write_pair(tmp_path)[0]
    cases = [
        ([superstar], read_mars_predictions, r"only melibea \(_Q_\) files hold predictions"),
        ([calibrated], read_mars_features, r"calibrated \(_Y_\) file has no image parameters"),
        (
            [write_stereo(tmp_path), superstar],
            read_mars_features,
            r"is a melibea .* a superstar .* read them separately",
        ),
        ([superstar, superstar], read_mars_features, "two files of M1, run 5000001"),
    ]
    for paths, read, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            read(paths)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "branch",
    ["MHadronness.fHadronness", "MEnergyEst.fEnergy", "MStereoParDisp.fDirectionAz", "MHillas_1.fSize"],
)
def test_missing_branches_are_named(tmp_path, branch):
    path = write_stereo(tmp_path, events={branch: None}, name="any.root")
    with pytest.raises(InputError, match=r"is missing in tree 'Events'|only melibea"):
        load_predictions(path)
