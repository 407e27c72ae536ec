"""ctapipe's description of the telescopes of an event set."""

from __future__ import annotations

from typing import Any

import numpy as np

from magicnn.array import MAGIC_TELESCOPES
from magicnn.camera import Camera
from magicnn.events import EventMeta

__all__ = ["subarray_description", "telescope_numbers"]

_MIRROR_AREA_M2 = 239.0
_MIRROR_TILES = 964
_PULSE_STEP_NS = 0.5
_PULSE_SIGMA_NS = 1.0


def telescope_numbers(meta: EventMeta) -> list[int]:
    """Return the number of each telescope in ctapipe, [T]: that of its name (``"M1"``, ``"LST-3"``), else its place."""
    ends = [name.rpartition("-")[2] for name in meta.telescopes]
    if set(meta.telescopes) <= set(MAGIC_TELESCOPES):
        ends = [name[1:] for name in meta.telescopes]
    if all(end.isdigit() for end in ends) and len(set(ends)) == len(ends):
        return [int(end) for end in ends]
    return list(range(1, len(ends) + 1))


def subarray_description(meta: EventMeta) -> Any:
    """Describe telescopes, cameras and optics as ctapipe does.

    Parameters
    ----------
    meta : EventMeta
        Of an event set.

    Returns
    -------
    ctapipe.instrument.SubarrayDescription
        Pixels in our order, positions and site of the event set. The reference pulse is a Gaussian of 1 ns, since event
        sets do not hold one. What is not known is 0 (NaN would make two equal arrays unequal): sampling speed, area of
        the mirror but for MAGIC's.

    Raises
    ------
    InputError
        Nothing says where the telescopes stand.
    """
    from astropy import units
    from astropy.coordinates import EarthLocation
    from ctapipe.instrument import SubarrayDescription, TelescopeDescription

    layout = meta.layout
    is_magic = meta.camera.fingerprint == Camera.magic().fingerprint
    optics, camera = _optics(meta.camera, is_magic=is_magic), _camera(meta)
    numbers = telescope_numbers(meta)
    names = [name if is_magic else name.rpartition("-")[0] or name for name in meta.telescopes]
    return SubarrayDescription(
        name="MAGIC" if is_magic else meta.production,
        tel_positions={
            number: np.array(position) * units.m for number, position in zip(numbers, layout.positions_m, strict=True)
        },
        tel_descriptions={
            number: TelescopeDescription(name=name, optics=optics, camera=camera)
            for number, name in zip(numbers, names, strict=True)
        },
        reference_location=EarthLocation.from_geodetic(
            lon=layout.site.longitude_deg * units.deg,
            lat=layout.site.latitude_deg * units.deg,
            height=layout.ground_m * units.m,
        ),
    )


def _optics(camera: Camera, *, is_magic: bool) -> Any:
    from astropy import units
    from ctapipe.instrument import OpticsDescription, ReflectorShape, SizeType

    return OpticsDescription(
        name="MAGIC" if is_magic else camera.name,
        size_type=SizeType.LST if is_magic else SizeType.UNKNOWN,
        n_mirrors=1,
        equivalent_focal_length=camera.focal_length_m * units.m,
        effective_focal_length=camera.effective_focal_length_m * units.m,
        mirror_area=(_MIRROR_AREA_M2 if is_magic else 0.0) * units.m**2,
        n_mirror_tiles=_MIRROR_TILES if is_magic else 1,
        reflector_shape=ReflectorShape.PARABOLIC if is_magic else ReflectorShape.UNKNOWN,
    )


def _camera(meta: EventMeta) -> Any:
    from astropy import units
    from ctapipe.coordinates import CameraFrame
    from ctapipe.instrument import CameraDescription, CameraGeometry, CameraReadout, PixelShape

    camera = meta.camera
    first = int(np.argmax(camera.neighbours[:, 0] >= 0))
    second = camera.neighbours[first, 0]
    step = [values[second] - values[first] for values in (camera.x_m, camera.y_m)]
    along = np.degrees(np.arctan2(step[1], step[0])) % 60.0
    geometry = CameraGeometry(
        name=camera.name,
        pix_id=np.arange(camera.n_pixels),
        pix_x=camera.x_m * units.m,
        pix_y=camera.y_m * units.m,
        pix_area=np.full(camera.n_pixels, camera.pixel_area_m2) * units.m**2,
        pix_type=PixelShape.HEXAGON,
        pix_rotation=along * units.deg,
        frame=CameraFrame(focal_length=camera.effective_focal_length_m * units.m),
    )
    gsps = meta.sampling_gsps or 0.0
    n_samples = round((meta.window_ns or 0.0) * gsps)
    at = np.arange(-6.0, 6.0 + _PULSE_STEP_NS, _PULSE_STEP_NS)
    readout = CameraReadout(
        name=camera.name,
        sampling_rate=gsps * units.GHz,
        reference_pulse_shape=np.exp(-0.5 * (at / _PULSE_SIGMA_NS) ** 2)[None, :],
        reference_pulse_sample_width=_PULSE_STEP_NS * units.ns,
        n_channels=1,
        n_pixels=camera.n_pixels,
        n_samples=n_samples,
    )
    return CameraDescription(name=camera.name, geometry=geometry, readout=readout)
