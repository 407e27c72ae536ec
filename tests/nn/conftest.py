"""Small synthetic events: ellipses on the camera, narrow for gammas, wide for protons, brighter for more energy."""

import numpy as np
import pytest

from magicnn.camera import Camera
from magicnn.events import EventBatch, EventMeta
from magicnn.nn.settings import InputSettings, ModelSettings, NetworkSettings, TrainingSettings

PIXELS_ONLY = ("cos_zenith", "baseline", "field", "centre", "has_image")


def hexagon_camera(radius, pitch_m=0.03, turn_deg=0.0):
    """A full hexagon of 3 r (r + 1) + 1 pixels."""
    steps = range(-radius, radius + 1)
    cells = np.array([(q, r) for q in steps for r in steps if abs(q + r) <= radius], dtype=float)
    x = pitch_m * (cells[:, 0] + 0.5 * cells[:, 1])
    y = pitch_m * np.sqrt(0.75) * cells[:, 1]
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    return Camera.from_geometry(cos * x - sin * y, sin * x + cos * y, name=f"hexagon{len(cells)}", focal_length_m=17.0)


def synthetic_events(n_events, *, camera, seed=0, n_uses=2):
    rng = np.random.default_rng(seed)
    is_gamma = rng.random(n_events) < 0.5
    log_energy = rng.uniform(1.8, 3.5, n_events)
    pitch = camera.pixel_pitch_deg
    width = np.where(is_gamma, 0.9, 2.0) * pitch
    angle = rng.uniform(0, 2 * np.pi, n_events)
    reach = 0.5 * np.abs(camera.x_deg).max()
    charge = rng.normal(0.5, 0.8, (n_events, 2, camera.n_pixels))
    time = rng.uniform(0.0, 30.0, charge.shape)
    for telescope in range(2):
        x0, y0 = rng.uniform(-reach, reach, (2, n_events, 1))
        dx, dy = camera.x_deg - x0, camera.y_deg - y0
        along = dx * np.cos(angle)[:, None] + dy * np.sin(angle)[:, None]
        across = dy * np.cos(angle)[:, None] - dx * np.sin(angle)[:, None]
        shape = np.exp(-0.5 * (along / (3 * pitch)) ** 2 - 0.5 * (across / width[:, None]) ** 2)
        size = 10.0 ** (log_energy + 0.2)
        image = size[:, None] * shape / shape.sum(axis=1, keepdims=True)
        charge[:, telescope] += image
        time[:, telescope] = np.where(image > 1.5, 15.0 + along, time[:, telescope])
    number = np.arange(n_events)
    columns = {
        "run_id": np.ones(n_events),
        "event_id": number,
        "shower_id": number // n_uses,
        "reuse_id": number % n_uses,
        "pointing_zenith_deg": rng.uniform(5.0, 60.0, n_events),
        "pointing_azimuth_deg": rng.uniform(0.0, 360.0, n_events),
        "true_energy_gev": 10.0**log_energy,
        "true_particle": np.where(is_gamma, 22, 2212),
    }
    meta = EventMeta(particle="mixed", production="synthetic", is_simulation=True, camera=camera)
    return EventBatch(charge.astype(np.float32), time.astype(np.float32), columns, meta)


@pytest.fixture(scope="session")
def make_camera():
    return hexagon_camera


@pytest.fixture(scope="session")
def make_events():
    return synthetic_events


@pytest.fixture(scope="session")
def pixels_only():
    """Auxiliary inputs that need no feature table."""
    return PIXELS_ONLY


@pytest.fixture(scope="session")
def small_camera():
    return hexagon_camera(8)


@pytest.fixture(scope="session")
def small_events(small_camera):
    return synthetic_events(240, camera=small_camera)


@pytest.fixture(scope="session")
def magic_events():
    return synthetic_events(24, camera=Camera.magic(), seed=3)


@pytest.fixture
def small_settings():
    """A network that trains in a second."""

    def build(**training):
        values = {"epochs": 4, "batch_size": 32, "threads": 1, "warmup_epochs": 0.5, "validation_fraction": 0.25}
        return ModelSettings(
            inputs=InputSettings(auxiliary=PIXELS_ONLY, crop_radius=5),
            network=NetworkSettings(hidden=16, fusion_blocks=1, arguments={"stem": 4, "widths": [8]}),
            training=TrainingSettings(**{**values, **training}),
        )

    return build
