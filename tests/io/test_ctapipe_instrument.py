"""Telescopes of ctapipe's subarrays: one camera type, names, positions."""

from __future__ import annotations

import numpy as np
import pytest

from magicnn.array import SITE, TELESCOPES_M
from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError
from magicnn.io.ctapipe.instrument import instrument_of

u = pytest.importorskip("astropy.units")


def test_a_pair_of_magic_cameras_keeps_its_names_but_not_the_places_of_magic(subarray):
    found = instrument_of(subarray(["MAGICCam", "MAGICCam"]), where="x.h5")
    assert found.telescopes == ("M1", "M2")
    assert found.tel_ids == (4, 5)
    assert found.camera.fingerprint == Camera.magic().fingerprint
    assert found.array.positions_m == ((0.0, 7.0, 1.0), (100.0, 7.0, 1.0))
    assert not np.allclose(found.array.positions_m, TELESCOPES_M)
    assert found.array.ground_m == 2158.0
    assert found.subarray == "test"
    assert found.array.site.latitude_deg == pytest.approx(SITE.latitude_deg)
    assert found.array.site.field_north_ut is None
    assert found.camera.effective_focal_length_m == 17.0  # nothing better is known


def test_magnetic_field_of_the_simulation(subarray):
    simulation = {
        "prod_site_B_total": 40.0 * u.uT,
        "prod_site_B_inclination": 60.0 * u.deg,
        "prod_site_B_declination": -5.0 * u.deg,
    }
    site = instrument_of(subarray(["MAGICCam", "MAGICCam"]), where="x.h5", simulation=simulation).array.site
    assert site.field_north_ut == pytest.approx(20.0)
    assert site.field_down_ut == pytest.approx(40.0 * np.sqrt(0.75))
    assert site.declination_deg == pytest.approx(-5.0)


def test_one_camera_type_is_chosen_by_name(subarray):
    three = subarray(["A", "B", "B"])
    with pytest.raises(ConfigError, match=r"x.h5: .*A \(1 telescope\), B \(2 telescopes\); choose one with --camera A"):
        instrument_of(three, where="x.h5")
    with pytest.raises(ConfigError, match=r"no camera 'C'; it has A \(1 telescope\)"):
        instrument_of(three, where="x.h5", camera="C")
    found = instrument_of(three, where="x.h5", camera="A")
    assert (found.telescopes, found.tel_ids) == (("MAGIC-4",), (4,))
    four = subarray(["B", "A", "B", "B"])
    found = instrument_of(four, where="x.h5", camera="B", telescopes=["MAGIC-7", "MAGIC-4"])
    assert (found.telescopes, found.tel_ids) == (("MAGIC-4", "MAGIC-7"), (4, 7))
    assert found.array.positions_m == ((0.0, 7.0, 1.0), (300.0, 7.0, 1.0))
    with pytest.raises(ConfigError, match="no telescope 'MAGIC-5' with camera B"):
        instrument_of(four, where="x.h5", camera="B", telescopes=["MAGIC-5"])


def test_cameras_that_cannot_share_an_event_set_are_refused(subarray):
    with pytest.raises(InputError, match="no telescope with a hexagonal camera, only A"):
        instrument_of(subarray(["A"], shape="square"), where="x.h5")
    with pytest.raises(InputError, match="pixels of camera A are of shape square; only hexagonal"):
        instrument_of(subarray(["A"], shape="square"), where="x.h5", camera="A")
    for change in ({"shift_m": 0.001}, {"focal_length_m": 17.1}):
        with pytest.raises(InputError, match="telescopes 4 and 6 both have a camera A, but differ"):
            instrument_of(subarray(["A", "A", "A"], **change), where="x.h5")
