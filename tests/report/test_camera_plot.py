import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from magicnn.errors import InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.images.features import extract_features
from magicnn.report.camera_plot import camera_image, hexagon_corners_deg, hillas_ellipse


@pytest.fixture
def axes():
    return Figure().subplots()


def test_hexagons_tile_the_camera(magic_camera):
    corners = hexagon_corners_deg(magic_camera)
    assert corners.shape == (1039, 6, 2)
    x, y = corners[..., 0], corners[..., 1]
    area = 0.5 * np.abs(np.sum(x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1), axis=1))
    np.testing.assert_allclose(area, np.sqrt(3) / 2 * magic_camera.pixel_pitch_deg**2, rtol=1e-9)
    # touching pixels share two corners
    first, second = magic_camera.neighbour_pairs[500]
    distance = np.linalg.norm(corners[first][:, None] - corners[second][None], axis=-1)
    assert (distance < 1e-4).sum() == 2


def test_values_are_drawn_and_missing_ones_left_empty(axes, magic_camera):
    values = np.arange(1039.0)
    values[:39] = np.nan
    mask = np.ones(1039, dtype=bool)
    mask[-100:] = False
    image = camera_image(magic_camera, values, mask=mask, ax=axes).collections[-1]
    np.testing.assert_array_equal(image.get_array(), values[39:-100])
    assert image.norm.vmin == 39
    outlines = [c for c in axes.collections if isinstance(c, PolyCollection) and c is not image]
    assert len(outlines[0].get_paths()) == 1039


def test_limits_clip_or_fade(axes, magic_camera):
    values = np.linspace(-5, 5, 1039)
    clipped = camera_image(magic_camera, values, limits=(0.0, 1.0), ax=axes).collections[-1]
    assert (clipped.get_array().min(), clipped.get_array().max()) == (0.0, 1.0)
    faded = camera_image(magic_camera, values, limits=(0.0, 1.0), outside="#123456", ax=axes).collections[-1]
    colours = faded.to_rgba([-1.0, 2.0])
    np.testing.assert_allclose(colours[:, :3], np.array([[0x12, 0x34, 0x56]] * 2) / 255)


def test_an_image_without_a_value_and_one_of_another_camera(axes, magic_camera):
    image = camera_image(magic_camera, np.full(1039, np.nan), ax=axes).collections[-1]
    assert len(image.get_array()) == 0
    with pytest.raises(InputError, match="expected 1039 values"):
        camera_image(magic_camera, np.zeros(1855), ax=axes)


def test_a_label_makes_a_colour_bar(axes, magic_camera):
    assert camera_image(magic_camera, np.arange(1039.0), ax=axes) is axes
    assert len(axes.figure.axes) == 1
    camera_image(magic_camera, np.arange(1039.0), ax=axes, label="charge [phe]")
    assert axes.figure.axes[1].get_ylabel() == "charge [phe]"


def test_the_ellipse_lies_over_the_image(axes, magic_camera):
    x, y = magic_camera.x_deg - 0.3, magic_camera.y_deg + 0.2
    along, across = (x + y) / np.sqrt(2.0), (y - x) / np.sqrt(2.0)
    image = 100.0 * np.exp(-0.5 * ((along / 0.3) ** 2 + (across / 0.15) ** 2))
    charge = np.tile(image.astype(np.float32), (1, 2, 1))
    charge[:, 1] = np.nan
    time = np.where(np.isnan(charge), np.nan, np.float32(10.0))
    meta = EventMeta(particle="gamma", production="test", is_simulation=True)
    ids = {"run_id": np.array([1]), "event_id": np.array([1])}
    pointing = {"pointing_zenith_deg": np.array([20.0]), "pointing_azimuth_deg": np.array([0.0])}
    batch = EventBatch(charge, time, {**ids, **pointing}, meta)
    features = extract_features(batch)
    camera_image(magic_camera, image, ax=axes)
    assert hillas_ellipse(features, 0, 0, ax=axes, n_sigma=1.0) is axes
    (ellipse,) = axes.patches
    np.testing.assert_allclose(ellipse.get_center(), (0.3, -0.2), atol=0.01)
    np.testing.assert_allclose((ellipse.width, ellipse.height), (0.6, 0.3), rtol=0.1)
    assert ellipse.get_angle() == pytest.approx(45.0, abs=1.0)
    hillas_ellipse(features, 0, 1, ax=axes)  # the missing telescope has none
    assert len(axes.patches) == 1
