"""Toy shower images: elliptical Gaussians with a time gradient on noise, and ctapipe's view of the same camera."""

import numpy as np
import pytest

from magicnn.camera import Camera
from magicnn.images.cleaning import clean


@pytest.fixture(scope="session")
def camera():
    return Camera.magic()


def make_images(camera, n, seed, *, with_noise=True):
    """Charge and time [n, P]; half of the images have a second, later blob."""
    rng = np.random.default_rng(seed)
    x, y = camera.x_deg, camera.y_deg
    area = np.sqrt(3.0) / 2.0 * camera.pixel_pitch_deg**2
    charge = rng.normal(1.8, 0.8, (n, camera.n_pixels)) if with_noise else np.zeros((n, camera.n_pixels))
    time = rng.uniform(2.0, 28.0, (n, camera.n_pixels))
    for i in range(n):
        for blob in range(1 + i % 2):
            cog = rng.normal(0.0, 0.6, 2)
            psi = rng.uniform(-np.pi / 2, np.pi / 2)
            length, width = rng.uniform(0.12, 0.35), rng.uniform(0.04, 0.1)
            size = 10 ** rng.uniform(1.8, 3.5) / (1 + 2 * blob)
            along = (x - cog[0]) * np.cos(psi) + (y - cog[1]) * np.sin(psi)
            across = (y - cog[1]) * np.cos(psi) - (x - cog[0]) * np.sin(psi)
            density = np.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2)) / (2 * np.pi * length * width)
            light = rng.poisson(size * area * density)
            charge[i] += light
            times = 12.0 + 6.0 * blob + 4.0 * along + rng.normal(0.0, 0.4, camera.n_pixels)
            time[i] = np.where(light > 2, times, time[i])
    return charge, time


@pytest.fixture(scope="session")
def images(camera):
    """Charge and time, [300, 1039], float64, with one unusable pixel and some missing times."""
    charge, time = make_images(camera, 300, 11)
    charge[:, 939] = np.nan
    time[np.isnan(charge)] = np.nan
    time[np.random.default_rng(12).random(time.shape) < 0.01] = np.nan
    return charge, time


@pytest.fixture(scope="session")
def many_images(camera):
    """Charge, time and mask, [2000, 1039]: cleaned images, random ones, and the edges of what an image can be."""
    rng = np.random.default_rng(3)
    charge, time = make_images(camera, 1300, 21)
    charge = np.maximum(charge, 0.01)  # a bright pixel can bring any neighbour in; ctapipe refuses negative charges
    mask = clean(charge, time, camera)
    share = np.repeat([0.004, 0.02, 0.5, 1.0, 0.0, 0.0, 0.0], 100)[:, None]
    odd = rng.random((700, camera.n_pixels)) < share
    for i in range(500, 600):
        odd[i, rng.integers(camera.n_pixels)] = True
    for i in range(600, 700):
        pixel, direction = rng.integers(200), rng.integers(6)
        for _ in range(rng.integers(2, 8)):
            odd[i, pixel] = True
            pixel = camera.neighbours[pixel, direction]
    charge = np.concatenate([charge, rng.gamma(1.5, 8.0, odd.shape)])
    time = np.concatenate([time, rng.uniform(0.0, 30.0, odd.shape)])
    mask = np.concatenate([mask, odd])
    unusable = (rng.random(charge.shape) < 0.02) & (np.arange(2000) % 5 == 0)[:, None]
    charge[unusable] = np.nan
    time[rng.random(time.shape) < 0.01] = np.nan
    return charge, time, mask


@pytest.fixture(scope="session")
def make_geometry():
    """The same camera for ctapipe, as a function of the unit of its positions ('m' or 'deg')."""

    def build(camera, unit="m"):
        import astropy.units as u
        from ctapipe.coordinates import CameraFrame, TelescopeFrame
        from ctapipe.instrument import CameraGeometry

        if unit == "m":
            x, y, pitch = camera.x_m, camera.y_m, camera.pitch_m
            frame = CameraFrame(focal_length=camera.effective_focal_length_m * u.m)
        else:
            x, y, pitch, frame = camera.x_deg, camera.y_deg, camera.pixel_pitch_deg, TelescopeFrame()
        unit = u.Unit(unit)
        return CameraGeometry(
            name=camera.name,
            pix_id=np.arange(camera.n_pixels),
            pix_x=x * unit,
            pix_y=y * unit,
            pix_area=np.full(camera.n_pixels, np.sqrt(3) / 2 * pitch**2) * unit**2,
            pix_type="hexagon",
            pix_rotation="70.9 deg" if camera.name == "MAGICCam" else "0 deg",
            cam_rotation="0 deg",
            neighbors=[[int(k) for k in row if k >= 0] for row in camera.neighbours],
            frame=frame,
        )

    return build
