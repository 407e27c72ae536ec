import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicnn import array

ANGLE = st.floats(0.0, 360.0, exclude_max=True)


def test_one_pair_of_telescope_positions_in_both_frames():
    np.testing.assert_allclose(
        array.magnetic_from_geographic(array.TELESCOPES_M)[:, :2], [[31.80, -28.10], [-31.80, 28.10]], atol=0.01
    )
    np.testing.assert_allclose(
        array.geographic_from_magnetic(array.magnetic_from_geographic(array.TELESCOPES_M)),
        array.TELESCOPES_M,
        atol=1e-12,
    )


def test_camera_axes():
    x, y = array.camera_from_sky(19.0, 100.0, 20.0, 100.0)
    assert x == pytest.approx(np.degrees(np.tan(np.radians(1.0))))
    assert y == pytest.approx(0.0, abs=1e-12)
    x, y = array.camera_from_sky(20.0, 100.5, 20.0, 100.0)
    assert y == pytest.approx(0.5 * np.sin(np.radians(20.0)), rel=1e-3)


def test_agrees_with_ctapipe_frames():
    import astropy.units as u
    from astropy.coordinates import AltAz, SkyCoord
    from ctapipe.coordinates import CameraFrame

    rng = np.random.default_rng(3)
    for zenith, azimuth in [(5.0, 10.0), (35.0, 120.0), (62.0, 300.0)]:
        pointing = SkyCoord(alt=(90 - zenith) * u.deg, az=azimuth * u.deg, frame=AltAz())
        x_deg, y_deg = rng.uniform(-1.5, 1.5, (2, 5))
        frame = CameraFrame(focal_length=1 * u.m, telescope_pointing=pointing)
        sky = SkyCoord(x=np.radians(x_deg) * u.m, y=np.radians(y_deg) * u.m, frame=frame).transform_to(AltAz())
        ours = array.sky_from_camera(x_deg, y_deg, zenith, azimuth)
        difference = np.hypot(90 - sky.alt.deg - ours[0], (sky.az.deg - ours[1]) * np.sin(np.radians(ours[0])))
        # ctapipe takes the offset for an angle, here it is its tangent: 0.001 deg at 2 deg
        assert difference.max() < 2e-3


@given(st.floats(1.0, 75.0), ANGLE, st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_sky_and_camera_invert(zenith, azimuth, x_deg, y_deg):
    sky = array.sky_from_camera(x_deg, y_deg, zenith, azimuth)
    back = array.camera_from_sky(*sky, zenith, azimuth)
    np.testing.assert_allclose(back, [x_deg, y_deg], atol=1e-9)


@given(st.floats(0.0, 75.0), ANGLE)
def test_pointing_basis_is_orthonormal(zenith, azimuth):
    basis = array.pointing_basis(zenith, azimuth)
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(basis[2], array.direction_vector(zenith, azimuth), atol=1e-12)


def test_behind_the_telescope_is_nan():
    x, _ = array.camera_from_sky(40.0, 0.0, 40.0, 180.0)
    assert np.isfinite(x)
    x, _ = array.camera_from_sky(80.0, 0.0, 30.0, 180.0)
    assert np.isnan(x)


def test_impact_of_vertical_and_inclined_showers():
    np.testing.assert_allclose(array.impact_m([0.0], [0.0], [0.0], [0.0])[0], np.hypot(34.99, 24.02) * np.ones(2))
    # an axis along the line of both telescopes misses neither
    azimuth = np.degrees(np.arctan2(24.02, 34.99))
    distance = array.impact_m([0.0], [0.0], [90.0 - 1e-9], [azimuth])
    np.testing.assert_allclose(distance, 0.0, atol=1e-6)


def test_projected_vectors_at_zenith():
    baseline = array.projected_baseline_m(0.0, 0.0)
    assert np.hypot(*baseline) == pytest.approx(2 * np.hypot(34.99, 24.02))
    field = array.projected_field_ut(0.0, 0.0)
    assert np.hypot(*field) == pytest.approx(29.5)
    assert np.hypot(*array.projected_field_ut(90 - np.degrees(np.arctan2(23.0, 29.5)), 180.0 - 7.0)) < 1.0


def test_separation_keeps_its_digits_from_nearly_equal_to_opposite_directions():
    small = array.separation_deg(40.0, 120.0, 40.0 + 1e-7, 120.0)
    assert small == pytest.approx(1e-7, rel=1e-6)
    assert array.separation_deg(90.0, 0.0, 90.0, 90.0) == pytest.approx(90.0)
    assert array.separation_deg(90.0, 0.0, 90.0, 180.0) == pytest.approx(180.0)
    assert array.separation_deg([0.0, 30.0], [10.0, 0.0], 0.0, 0.0) == pytest.approx([0.0, 30.0])
    assert np.isnan(array.separation_deg(np.nan, 0.0, 0.0, 0.0))
