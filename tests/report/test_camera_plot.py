import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from magicnn.errors import InputError
from magicnn.report.camera_plot import camera_image, hexagon_corners_deg


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
    image = camera_image(axes, magic_camera, values, mask=mask)
    np.testing.assert_array_equal(image.get_array(), values[39:-100])
    assert image.norm.vmin == 39
    outlines = [c for c in axes.collections if isinstance(c, PolyCollection) and c is not image]
    assert len(outlines[0].get_paths()) == 1039


def test_limits_clip_or_fade(axes, magic_camera):
    values = np.linspace(-5, 5, 1039)
    clipped = camera_image(axes, magic_camera, values, limits=(0.0, 1.0))
    assert (clipped.get_array().min(), clipped.get_array().max()) == (0.0, 1.0)
    faded = camera_image(axes, magic_camera, values, limits=(0.0, 1.0), outside="#123456")
    colours = faded.to_rgba([-1.0, 2.0])
    np.testing.assert_allclose(colours[:, :3], np.array([[0x12, 0x34, 0x56]] * 2) / 255)


def test_an_image_without_a_value_and_one_of_another_camera(axes, magic_camera):
    image = camera_image(axes, magic_camera, np.full(1039, np.nan))
    assert len(image.get_array()) == 0
    with pytest.raises(InputError, match="expected 1039 values"):
        camera_image(axes, magic_camera, np.zeros(1855))
