"""Arrays as ctapipe describes them."""

import numpy as np
import pytest

from magicnn.array import SITE
from magicnn.camera import Camera


@pytest.fixture(scope="session")
def subarray():
    """Build arrays of telescopes with MAGIC's pixels."""
    pytest.importorskip("ctapipe")
    return described_array


def described_array(cameras, shape="hexagon", shift_m=0.0, focal_length_m=17.0):
    """Telescopes with MAGIC's pixels, every one further north by 100 m, the camera of the last one shifted."""
    import astropy.units as u
    from astropy.coordinates import EarthLocation
    from ctapipe.coordinates import CameraFrame
    from ctapipe.instrument import (
        CameraDescription,
        CameraGeometry,
        CameraReadout,
        OpticsDescription,
        ReflectorShape,
        SizeType,
        SubarrayDescription,
        TelescopeDescription,
    )

    magic = Camera.magic()
    pulse, step = np.ones((1, 5)), 1.0 * u.ns
    telescopes = {}
    for i, name in enumerate(cameras):
        is_last = i == len(cameras) - 1
        focal = focal_length_m if is_last else 17.0
        geometry = CameraGeometry(
            name,
            np.arange(magic.n_pixels),
            (magic.x_m + is_last * shift_m) * u.m,
            magic.y_m * u.m,
            np.full(magic.n_pixels, magic.pixel_area_m2) * u.m**2,
            shape,
            frame=CameraFrame(focal_length=focal * u.m),
        )
        readout = CameraReadout(name, 2.0 * u.GHz, pulse, step, 1, magic.n_pixels, 60)
        optics = OpticsDescription(
            "MAGIC", SizeType.LST, 1, focal * u.m, np.nan * u.m, 239 * u.m**2, 964, ReflectorShape.PARABOLIC
        )
        telescopes[i + 4] = TelescopeDescription("MAGIC", optics, CameraDescription(name, geometry, readout))
    positions = {t: [100.0 * i, 7.0, 1.0] * u.m for i, t in enumerate(telescopes)}
    location = EarthLocation(SITE.longitude_deg * u.deg, SITE.latitude_deg * u.deg, 2158.0 * u.m)
    return SubarrayDescription("test", positions, telescopes, location)
