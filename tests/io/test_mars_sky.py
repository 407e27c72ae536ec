"""Orientation, pointing and time of the real files together: a star, and the parallax of showers."""

import numpy as np
import pytest

from magicnn.array import SITE, camera_from_sky, projected_baseline_m
from magicnn.camera import Camera
from magicnn.images.features import extract_features
from magicnn.io import open_events

ZETA_TAURI_DEG = (84.411, 21.143)  # right ascension and declination, J2000
STAR_PIXEL = 494

ORIENTATIONS = {
    "as it is": lambda x, y: (x, y),
    "x mirrored": lambda x, y: (-x, y),
    "y mirrored": lambda x, y: (x, -y),
    "upside down": lambda x, y: (-x, -y),
    "axes exchanged": lambda x, y: (y, x),
    "frame of MARS": lambda x, y: (-y, -x),
    "turned left": lambda x, y: (-y, x),
    "turned right": lambda x, y: (y, -x),
}


@pytest.fixture(scope="module")
def events(data_dir):
    return open_events(data_dir / "magic_real").read()


@pytest.fixture(scope="module")
def star(events):
    """Where zeta Tauri is in the camera, from the catalogue and the time stamps, if these were ``late_s`` too late."""
    units = pytest.importorskip("astropy.units")
    from astropy.coordinates import AltAz, EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    site = EarthLocation(
        lon=SITE.longitude_deg * units.deg, lat=SITE.latitude_deg * units.deg, height=SITE.height_m * units.m
    )

    def in_camera(late_s=0.0):
        days, ns = np.divmod(events["time_utc_ns"], 86_400_000_000_000)
        when = Time(days + 40587.0, (ns / 1e9 + late_s) / 86400.0, format="mjd", scale="utc")
        with iers.conf.set_temp("auto_download", False):
            seen = SkyCoord(*ZETA_TAURI_DEG, unit="deg").transform_to(AltAz(obstime=when, location=site))
        pointing = events["pointing_zenith_deg"], events["pointing_azimuth_deg"]
        x, y = camera_from_sky(90.0 - seen.alt.deg, seen.az.deg, *pointing)
        return x.mean(), y.mean()

    return in_camera


def pixel_at(x_deg, y_deg):
    camera = Camera.magic()
    return int(np.hypot(camera.x_deg - x_deg, camera.y_deg - y_deg).argmin())


def test_the_brightest_pixel_of_the_mean_image_is_494_in_both_cameras(events):
    for telescope in (0, 1):
        usable = np.isfinite(events.charge[:, telescope]).all(axis=0)
        mean = np.where(usable, events.charge[:, telescope].sum(axis=0), -np.inf)
        assert mean.argmax() == STAR_PIXEL


def test_zeta_tauri_falls_on_the_brightest_pixel(star):
    x, y = star()
    assert pixel_at(x, y) == STAR_PIXEL
    camera = Camera.magic()
    distance = np.hypot(x - camera.x_deg[STAR_PIXEL], y - camera.y_deg[STAR_PIXEL])
    assert distance < 0.5 * camera.pixel_pitch_deg


@pytest.mark.parametrize("late_s", [-60.0, 60.0, 3600.0])
def test_a_wrong_clock_puts_the_star_elsewhere(star, late_s):
    assert pixel_at(*star(late_s)) != STAR_PIXEL


def test_the_star_asks_for_the_effective_focal_length(star):
    """The mirror's focal length, without the shift by coma, puts the star twice as far from the pixel."""
    x, y = np.radians(star())
    camera = Camera.magic()
    here = camera.x_m[STAR_PIXEL], camera.y_m[STAR_PIXEL]

    def distance_m(focal_length_m):
        return np.hypot(x * focal_length_m - here[0], y * focal_length_m - here[1])

    assert distance_m(camera.focal_length_m) > 2.0 * distance_m(camera.effective_focal_length_m)


def parallax(events):
    """Share of the shift from M1 to M2 of bright images along, and across, the direction that the baseline asks for."""
    features = extract_features(events)
    is_bright = (features["size_pe"] > 100.0).all(axis=1)
    shift = np.stack(
        [features[f"cog_{axis}_deg"][is_bright, 1] - features[f"cog_{axis}_deg"][is_bright, 0] for axis in "xy"]
    )
    baseline = projected_baseline_m(events["pointing_zenith_deg"], events["pointing_azimuth_deg"])[is_bright].T
    return shift, baseline / np.linalg.norm(baseline, axis=0)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_only_one_orientation_has_the_star_and_the_parallax_of_the_showers(events, star, name):
    """M2 sees showers shifted against the baseline, by less than a degree: they shine some kilometres above.

    The star alone would leave one mirror image, the frame of MARS, because it lies close to that mirror's axis.
    """
    turn = ORIENTATIONS[name]
    on_star = pixel_at(*turn(*star())) == STAR_PIXEL
    shift, baseline = parallax(events)
    assert shift.shape[1] >= 6
    along = np.sum(np.stack(turn(*shift)) * -baseline, axis=0)
    across = np.abs(turn(*shift)[0] * baseline[1] - turn(*shift)[1] * baseline[0])
    agrees = np.median(along) > 0.3 and np.median(along) > 2.0 * np.median(across) and (along > 0.0).mean() > 0.9
    assert (on_star and agrees) == (name == "as it is")
    if name == "frame of MARS":
        assert on_star  # which is why the parallax is asked as well
        assert not agrees
