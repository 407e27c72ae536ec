"""Files that only ctapipe reads: sim_telarray, and sources that go forwards only."""

from __future__ import annotations

import gzip
import warnings
from dataclasses import replace

import numpy as np
import pytest

from magicnn.errors import ConfigError, InputError
from magicnn.events import concatenate
from magicnn.generated import Generated
from magicnn.images.features import extract_features
from magicnn.io import open_events
from magicnn.io.convert import convert_events
from magicnn.io.eventset.reader import EventSet
from magicnn.io.formats import recognise
from magicnn.nn.checkpoint import load_model
from magicnn.nn.data import Source
from magicnn.nn.predict import predict_table
from magicnn.nn.settings import ModelSettings
from magicnn.nn.trainer import train

pytest.importorskip("ctapipe")


@pytest.fixture(scope="session")
def lst_file(data_dir):
    return data_dir / "simtel" / "history_meta_75.simtel.zst"


@pytest.fixture(scope="session")
def lst_events(lst_file):
    return open_events(lst_file, camera="LSTCam").read()


def calibrated_by_ctapipe(path, tel_ids):
    from ctapipe.calib import CameraCalibrator
    from ctapipe.io import EventSource

    with EventSource(path) as source:
        calibrate = CameraCalibrator(source.subarray)
        event = next(iter(source))
        calibrate(event)
        return event, [event.dl1.tel[tel_id] for tel_id in tel_ids], source.subarray


def test_sim_telarray_images_are_those_of_ctapipe(lst_file, lst_events):
    tel_ids = [1, 2, 3, 4]
    event, images, subarray = calibrated_by_ctapipe(lst_file, tel_ids)
    assert lst_events.charge.shape == (1, 4, 1855)
    for telescope, dl1 in enumerate(images):
        np.testing.assert_array_equal(lst_events.charge[0, telescope], dl1.image)
        np.testing.assert_array_equal(lst_events.time[0, telescope], dl1.peak_time)
    geometry = subarray.tel[1].camera.geometry
    camera = lst_events.meta.camera
    np.testing.assert_allclose(camera.x_m, geometry.pix_x.to_value("m"))
    assert {tuple(sorted(pair)) for pair in np.argwhere(geometry.neighbor_matrix)} == {
        tuple(pair) for pair in camera.neighbour_pairs
    }
    shower = event.simulation.shower
    assert lst_events["true_energy_gev"][0] == pytest.approx(shower.energy.to_value("GeV"))
    assert lst_events["true_particle"][0] == 22
    assert lst_events["true_zenith_deg"][0] == pytest.approx(90.0 - shower.alt.to_value("deg"))
    assert lst_events["true_azimuth_deg"][0] == pytest.approx(shower.az.to_value("deg"))
    assert lst_events["true_xmax_gcm2"][0] == pytest.approx(shower.x_max.to_value("g / cm2"))
    assert lst_events["true_first_interaction_m"][0] == pytest.approx(shower.h_first_int.to_value("m"))
    impact = [event.simulation.tel[t].impact.distance.to_value("m") for t in tel_ids]
    np.testing.assert_allclose(lst_events["true_impact_m"][0], impact, rtol=1e-6)
    assert lst_events["true_pe"][0].tolist() == [10289.0, 6737.0, 9931.0, 8651.0]
    seconds = lst_events["time_utc_ns"][0] / 1e9
    assert seconds == pytest.approx(event.trigger.time.unix, abs=1e-6)
    assert lst_events["pointing_zenith_deg"][0] == pytest.approx(20.0)


def test_what_was_thrown_and_where_the_telescopes_stand(lst_events):
    meta = lst_events.meta
    assert meta.telescopes == ("LST-1", "LST-2", "LST-3", "LST-4")
    assert meta.particle == "gamma_diffuse"
    assert meta.production == "LaPalma-baseline-prod5"
    assert (meta.sampling_gsps, meta.window_ns) == (1.024, 39.0625)
    thrown = Generated.from_mapping(meta.generated)
    assert (thrown.energy_min_gev, thrown.energy_max_gev, thrown.spectral_index) == (1000.0, 5000.0, 2.0)
    assert (thrown.n_thrown, thrown.scatter_radius_m, thrown.viewcone_max_deg) == (1, 100.0, 1.0)
    assert meta.layout.positions_m[0] == pytest.approx((-70.93, -52.07, 43.0))
    assert meta.layout.ground_m == 2158.0
    assert meta.layout.site.field_north_ut == pytest.approx(30.909, abs=1e-3)
    assert meta.camera.effective_focal_length_m == pytest.approx(29.30565)


def test_telescopes_are_chosen_by_name(lst_file, lst_events):
    some = open_events(lst_file, camera="LSTCam", telescopes=["LST-4", "LST-2"]).read()
    assert some.meta.telescopes == ("LST-2", "LST-4")
    np.testing.assert_array_equal(some.charge, lst_events.charge[:, [1, 3]])
    np.testing.assert_array_equal(some["true_impact_m"], lst_events["true_impact_m"][:, [1, 3]])
    medium = open_events(lst_file, camera="NectarCam").read()
    assert medium.charge.shape == (1, 15, 1855)
    assert np.isnan(medium.charge[0]).all(axis=-1).tolist() == [False] * 10 + [True] * 4 + [False]
    with pytest.raises(ConfigError, match=r"LSTCam \(4 telescopes\), NectarCam \(15 telescopes\); choose one"):
        open_events(lst_file)
    with pytest.raises(ConfigError, match="no telescope 'LST-9' with camera LSTCam"):
        open_events(lst_file, camera="LSTCam", telescopes=["LST-9"])
    with pytest.raises(ConfigError, match="unknown image extractor 'LocalPeakWindow': did you mean"):
        open_events(lst_file, camera="LSTCam", extractor="LocalPeakWindow")


def test_protons_of_a_camera_with_7987_pixels(data_dir):
    events = open_events(data_dir / "simtel" / "n_hv_disabled.simtel.gz").read()
    assert events.charge.shape == (1, 1, 7987)
    assert events["true_particle"].tolist() == [2212]
    assert events["event_id"].tolist() == [2800]
    assert events.meta.particle == "proton"
    assert events.meta.generated["n_thrown"] == 1_000_000
    assert np.isfinite(extract_features(events)["size_pe"]).all()


def test_files_of_other_telescopes_or_the_same_events_are_refused(data_dir, lst_file):
    proton = data_dir / "simtel" / "n_hv_disabled.simtel.gz"
    newer = data_dir / "simtel" / "gamma_prod6_tel_event_header_v4.simtel.zst"
    with pytest.raises(InputError, match="of different telescopes or readouts"):
        open_events([lst_file, newer], camera="NectarCam")
    with pytest.raises(InputError, match=r"event 100 of run 4 comes twice, in .*history_meta_75"):
        open_events([lst_file, lst_file], camera="LSTCam")
    with pytest.raises(ConfigError, match="no camera 'LSTCam'; it has UNKNOWN-7987PX"):
        open_events([lst_file, proton], camera="LSTCam")


def test_photons_of_corsika_are_no_events(data_dir):
    for path in sorted((data_dir / "corsika_photons").iterdir()):
        with pytest.raises(InputError, match=r"not a file with events but photon bunches of CORSIKA.*magicnn simulate"):
            open_events(path)


def test_uncompressed_and_renamed(lst_file, lst_events, tmp_path):
    zstandard = pytest.importorskip("zstandard")
    content = zstandard.ZstdDecompressor().stream_reader(lst_file.read_bytes()).read()
    for name, data in (("plain.dat", content), ("packed.bin", gzip.compress(content, 1))):
        path = tmp_path / name
        path.write_bytes(data)
        assert recognise(path).kind == "eventsource"
        np.testing.assert_array_equal(open_events(path, camera="LSTCam").read().charge, lst_events.charge)


def test_a_truncated_file_ends_in_one_line(lst_file, tmp_path):
    path = tmp_path / "a.simtel.zst"
    path.write_bytes(lst_file.read_bytes()[:3_000_000])
    with pytest.raises(InputError, match=r"a.simtel.zst: ") as error:
        open_events(path, camera="LSTCam")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_truncated_and_damaged_files_end_in_an_error_or_in_the_same_events(lst_file, lst_events, tmp_path):
    content = lst_file.read_bytes()
    rng = np.random.default_rng(1)
    damaged = [content[: int(share * len(content))] for share in (0.0001, 0.01, 0.3, 0.6, 0.9, 0.999)]
    for place in rng.integers(0, len(content), 8):
        flipped = bytearray(content)
        flipped[place] ^= 0xFF
        damaged.append(bytes(flipped))
    n_errors = 0
    for number, data in enumerate(damaged):
        path = tmp_path / f"{number}.simtel.zst"
        path.write_bytes(data)
        problem = None
        try:
            found = open_events(path, camera="LSTCam").read()
        except InputError as error:
            problem = str(error)
        if problem is None:
            np.testing.assert_array_equal(found.charge, lst_events.charge)
        else:
            assert "\n" not in problem
            n_errors += 1
    assert n_errors >= 6


def test_from_sim_telarray_to_predictions(lst_file, lst_events, tmp_path):
    """Event set, features, a network of that camera's grid, and its predictions."""
    done = convert_events(lst_file, tmp_path / "lst.h5", camera="LSTCam")
    assert done.n_events == 1
    with EventSet(done.output) as stored:
        one = stored.read()
    assert one.meta.layout == lst_events.meta.layout
    np.testing.assert_allclose(one.charge, lst_events.charge, rtol=1e-3, atol=1e-3)
    features = extract_features(one)
    assert features["is_stereo"].all()
    # four large telescopes and an energetic shower: within a tenth of a degree and 20 m
    assert abs(features["reco_zenith_deg"][0] - one["true_zenith_deg"][0]) < 0.1
    assert abs(features["reco_core_x_m"][0] - one["true_core_x_m"][0]) < 20.0
    assert abs(features["reco_core_y_m"][0] - one["true_core_y_m"][0]) < 20.0
    np.testing.assert_allclose(features["impact_m"], one["true_impact_m"], atol=20.0)
    many = concatenate([varied(one, number) for number in range(24)])
    table = extract_features(many)
    settings = ModelSettings.model_validate(
        {
            "inputs": {"crop_radius": 6},
            "network": {"hidden": 8, "arguments": {"stem": 2, "widths": [4]}},
            "training": {
                "heads": ["particle", "energy"],
                "epochs": 1,
                "batch_size": 8,
                "threads": 1,
                "validation_fraction": 0.3,
            },
        }
    )
    train([Source(many, table)], tmp_path / "model.pt", settings=settings, device="cpu")
    predictions = predict_table([load_model(tmp_path / "model.pt", many.meta)], many, table)
    assert np.isfinite(predictions["gammaness"]).all()
    assert np.isfinite(predictions["reco_energy_gev"]).all()


def varied(events, number):
    """The same shower, fainter; every other one called a proton."""
    brightness = np.float32(0.5 + 0.02 * number)
    columns = {
        **events.columns,
        "event_id": [number],
        "shower_id": [number],
        "true_energy_gev": events["true_energy_gev"] * brightness,
        "true_particle": [22 if number % 2 else 2212],
    }
    return replace(events, charge=events.charge * brightness, columns=columns)


@pytest.fixture(scope="module")
def toy_source(subarray):
    """A source that goes forwards only: images of two telescopes, the second one missing in every third event."""
    import astropy.units as u
    from astropy.time import Time
    from ctapipe.containers import ArrayEventContainer, EventType
    from ctapipe.io import DataLevel, EventSource

    described = subarray(["ToyCam", "ToyCam"])

    class ToyForwardSource(EventSource):
        n_given = 0

        @staticmethod
        def is_compatible(file_path):
            return file_path.read_bytes().startswith(b"toy forward")

        subarray = property(lambda self: described)
        is_simulation = property(lambda self: False)
        datalevels = property(lambda self: (DataLevel.DL1_IMAGES,))
        observation_blocks = property(lambda self: {})
        scheduling_blocks = property(lambda self: {})

        def _generator(self):
            for number in map(int, self.input_url.read_text().split()[2:]):
                event = ArrayEventContainer()
                event.index.obs_id, event.index.event_id = 8, number
                event.trigger.time = Time(1.7e9 + number, 1e-9 * number, format="unix")
                event.trigger.event_type = EventType.FLATFIELD if number == 13 else EventType.SUBARRAY
                event.monitoring.pointing.array_altitude = 60.0 * u.deg
                event.monitoring.pointing.array_azimuth = (180.0 + number) * u.deg
                for tel_id in (4, 5):
                    if tel_id == 4 or number % 3:
                        event.dl1.tel[tel_id].image = np.full(1039, number + tel_id / 10, dtype=np.float32)
                        event.dl1.tel[tel_id].peak_time = np.full(1039, number, dtype=np.float32)
                type(self).n_given += 1
                yield event

    yield ToyForwardSource
    del ToyForwardSource


def test_anything_that_ctapipe_opens_streams_in_order(toy_source, tmp_path):
    """One pass to know the events, one for all images, one more when asked to go back; calibration left out."""
    path = tmp_path / "a.toy"
    numbers = [3, 4, 5, 13, 6, 7, 9, 8]
    path.write_text("toy forward " + " ".join(map(str, numbers)))
    toy_source.n_given = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader = open_events(path)
        assert len(reader) == 7
        assert reader.meta.provenance["cut_flow"] == {
            "read": 8,
            "calibration": 1,
            "without image": 0,
            "impossible values": 0,
            "events": 7,
        }
        assert toy_source.n_given == 8
        pieces = list(reader.batches(2))
    assert [piece["event_id"].tolist() for piece in pieces] == [[3, 4], [5, 6], [7, 8], [9]]
    together = concatenate(pieces)
    np.testing.assert_allclose(together.charge[:, 0, 0], together["event_id"] + 0.4, rtol=1e-6)
    is_missing = together["event_id"] % 3 == 0
    np.testing.assert_array_equal(np.isnan(together.charge[:, 1]).all(axis=1), is_missing)
    np.testing.assert_allclose(together.time[:, 0, 5], together["event_id"])
    np.testing.assert_array_equal(together["pointing_azimuth_deg"], 180.0 + together["event_id"])
    assert (together["time_utc_ns"] == 10**9 * (17 * 10**8 + together["event_id"]) + together["event_id"]).all()
    assert "true_energy_gev" not in together.columns
    assert together.meta.particle is None
    # events 8 and 9 change places in the file: a third pass for the last one
    assert toy_source.n_given <= 3 * 8
    toy_source.n_given = 0
    again = reader.read(0, 3)
    np.testing.assert_array_equal(again.charge, together.charge[:3])
    np.testing.assert_array_equal(reader.read(3, 5).charge, together.charge[3:5])
    assert toy_source.n_given <= 8


def test_what_a_forward_source_may_not_do(toy_source, tmp_path):
    path = tmp_path / "a.toy"
    path.write_text("toy forward 1 2 2")
    with pytest.raises(InputError, match="event 2 of run 8 comes twice"):
        open_events(path)
    path.write_text("toy forward 13")
    with pytest.raises(InputError, match=r"no event with an image of M1, M2 \(1 read, 1 calibration"):
        open_events(path)
    path.write_text("toy forward 1 2 3")
    reader = open_events(path)
    path.write_text("toy forward 1 3 4")
    with pytest.raises(InputError, match="event 2 is not where it was; has the file changed"):
        reader.read()
    path.write_text("toy forward 1")
    with pytest.raises(InputError, match="event 2 is not where it was; has the file changed"):
        reader.read(1, 3)
    path.write_text("toy forward 1 x")
    with pytest.raises(InputError, match=r"damaged after 1 events \(ValueError: invalid literal"):
        open_events(path)
    with pytest.raises(ConfigError, match="batches of 0 events"):
        next(reader.batches(0))
