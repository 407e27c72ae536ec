"""MAGIC's pixels from integer arithmetic, and the lattices of other cameras."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicnn.camera import AXIAL_STEPS, Camera
from magicnn.errors import InputError
from magicnn.hexgrid import HexGrid


def hexagonal_sites(radius_pitches):
    """Sites of a lattice with unit pitch inside a circle, in no particular order."""
    q, r = np.meshgrid(np.arange(-40, 41), np.arange(-40, 41))
    x, y = (q + r / 2.0).ravel(), (r * np.sqrt(3.0) / 2.0).ravel()
    keep = x**2 + y**2 <= radius_pitches**2
    return x[keep], y[keep]


def fact_positions_m():
    """FACT's 1440 pixels: lattice sites within sqrt(396) pitches of the middle between two sites, and two more.

    The rule and the two extra pixels are those of FACT's pixel table (columns pos_X, pos_Y of FACTmap111030).
    """
    q, r = np.meshgrid(np.arange(-40, 41), np.arange(-40, 41))
    x, y = (r * np.sqrt(3.0) / 2.0).ravel(), (q + r / 2.0 - 0.5).ravel()
    keep = x**2 + y**2 < 396.0
    edge = 11.0 * np.sqrt(3.0)
    return 9.5e-3 * np.append(x[keep], [edge, -edge]), 9.5e-3 * np.append(y[keep], [-6.5, -6.5])


def adjacency(camera):
    matrix = np.zeros((camera.n_pixels, camera.n_pixels), dtype=bool)
    first, second = camera.neighbour_pairs.T
    matrix[first, second] = matrix[second, first] = True
    return matrix


@pytest.fixture(scope="module")
def camera_table(data_dir):
    table = pytest.importorskip("astropy.table").Table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return table.read(data_dir / "geometry" / "MAGICCam.camgeom.fits.gz")


def test_magic_camera_numbers(magic_camera):
    assert magic_camera.n_pixels == 1039
    assert len(magic_camera.neighbour_pairs) == 3000
    counts = np.bincount((magic_camera.neighbours >= 0).sum(axis=1), minlength=7)
    assert counts.tolist() == [0, 0, 0, 36, 48, 30, 925]
    assert magic_camera.pitch_m == pytest.approx(0.02999964, abs=1e-8)
    assert magic_camera.effective_focal_length_m == pytest.approx(18.2121)
    assert magic_camera.pixel_pitch_deg == pytest.approx(0.09438, abs=1e-5)
    assert magic_camera.pixel_area_m2 == pytest.approx(0.00077942, abs=1e-7)
    assert (magic_camera.axial[0] == 0).all()
    assert magic_camera.is_border.sum() == 1039 - 925


def test_magic_camera_equals_the_pixel_table(magic_camera, camera_table):
    shift = np.hypot(magic_camera.x_m - camera_table["pix_x"], magic_camera.y_m - camera_table["pix_y"])
    assert shift.max() < 1e-7


def test_magic_neighbours_equal_those_of_ctapipe(magic_camera, data_dir):
    instrument = pytest.importorskip("ctapipe.instrument")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        geometry = instrument.CameraGeometry.from_table(data_dir / "geometry" / "MAGICCam.camgeom.fits.gz")
    assert (adjacency(magic_camera) == geometry.neighbor_matrix).all()


def test_neighbours_lie_one_pitch_away_along_their_step(magic_camera):
    for column, step in enumerate(AXIAL_STEPS):
        here = np.flatnonzero(magic_camera.neighbours[:, column] >= 0)
        there = magic_camera.neighbours[here, column]
        assert (magic_camera.axial[there] - magic_camera.axial[here] == step).all()
        distance = np.hypot(
            magic_camera.x_m[there] - magic_camera.x_m[here], magic_camera.y_m[there] - magic_camera.y_m[here]
        )
        assert distance == pytest.approx(magic_camera.pitch_m, rel=1e-12)


def test_arrays_are_read_only(magic_camera):
    with pytest.raises(ValueError, match="read-only"):
        magic_camera.x_m[0] = 1.0


def test_from_geometry_finds_the_magic_lattice(magic_camera):
    camera = Camera.from_geometry(magic_camera.x_m, magic_camera.y_m, name="again", focal_length_m=17.0)
    assert camera.pitch_m == pytest.approx(magic_camera.pitch_m, rel=1e-9)
    assert camera.effective_focal_length_m == 17.0
    assert camera.fingerprint == magic_camera.fingerprint
    assert (camera.neighbours == magic_camera.neighbours).all()


def test_from_geometry_finds_the_magic_lattice_in_another_order(magic_camera):
    order = np.random.default_rng(5).permutation(1039)
    camera = Camera.from_geometry(magic_camera.x_m[order], magic_camera.y_m[order], name="new", focal_length_m=17.0)
    assert camera.fingerprint != magic_camera.fingerprint
    assert (adjacency(camera) == adjacency(magic_camera)[np.ix_(order, order)]).all()
    assert HexGrid(camera).symmetries.shape == (12, 1039)


@given(
    turn_deg=st.floats(0.0, 360.0),
    pitch_m=st.floats(1e-3, 0.2),
    shift=st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)),
    radius=st.floats(1.5, 8.0),
    seed=st.integers(0, 1000),
)
def test_from_geometry_finds_any_turned_and_shifted_lattice(turn_deg, pitch_m, shift, radius, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.permutation(np.stack(hexagonal_sites(radius)), axis=1)
    angle = np.radians(turn_deg)
    jitter = rng.uniform(-0.02, 0.02, (2, len(x)))
    x_m = pitch_m * (np.cos(angle) * x - np.sin(angle) * y + jitter[0] + shift[0])
    y_m = pitch_m * (np.sin(angle) * x + np.cos(angle) * y + jitter[1] + shift[1])
    camera = Camera.from_geometry(x_m, y_m, name="any", focal_length_m=10.0)
    assert camera.pitch_m == pytest.approx(pitch_m, rel=0.02)
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    assert (adjacency(camera) == (np.abs(distance - 1.0) < 0.1)).all()


def test_from_geometry_reads_fact():
    x_m, y_m = fact_positions_m()
    camera = Camera.from_geometry(x_m, y_m, name="FACT", focal_length_m=4.889)
    assert camera.n_pixels == 1440
    assert camera.pitch_m == pytest.approx(9.5e-3)
    distance = np.hypot(x_m[:, None] - x_m, y_m[:, None] - y_m)
    assert (adjacency(camera) == (np.abs(distance - 9.5e-3) < 1e-3)).all()
    images = np.random.default_rng(1).normal(size=(3, 1440))
    grid = HexGrid(camera)
    assert (grid.to_pixels(grid.to_grid(images)) == images).all()


def test_from_geometry_reads_lstcam(data_dir):
    io = pytest.importorskip("ctapipe.io")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with io.EventSource(data_dir / "simtel" / "history_meta_75.simtel.zst") as source:
            telescopes = source.subarray.tel.values()
            telescope = next(t for t in telescopes if t.camera.geometry.name == "LSTCam")
            geometry = telescope.camera.geometry
            x_m, y_m, neighbours = geometry.pix_x.to_value("m"), geometry.pix_y.to_value("m"), geometry.neighbor_matrix
    camera = Camera.from_geometry(x_m, y_m, name="LSTCam", focal_length_m=28.0, effective_focal_length_m=29.3)
    assert camera.n_pixels == 1855
    assert (adjacency(camera) == neighbours).all()
    grid = HexGrid(camera)
    assert grid.mask.sum() == 1855
    # its outline of flower-shaped modules turns by 60 deg but has no mirror image
    assert grid.symmetries.shape == (6, 1855)
    assert np.linalg.det(grid.symmetry_matrices) == pytest.approx(1.0)
    again = Camera.from_mapping(camera.to_mapping())
    assert again.fingerprint == camera.fingerprint
    assert (again.neighbours == camera.neighbours).all()


def square_lattice():
    x, y = np.meshgrid(np.arange(12.0), np.arange(12.0))
    return x.ravel(), y.ravel()


def two_islands():
    x, y = hexagonal_sites(3.0)
    return np.append(x, x + 50.0), np.append(y, y)


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (square_lattice(), "do not form one regular hexagonal lattice"),
        (two_islands(), "do not form one regular hexagonal lattice"),
        (([0.0, 1.0], [0.0, 0.0]), "got 2 pixels at 2 places"),
        (([0.0] * 7 + [np.nan], [0.0] * 8), "at least 7 pixels at different finite positions"),
        ((np.random.default_rng(3).random(100), np.random.default_rng(4).random(100)), "hexagonal lattice"),
        (([0.0] * 10, [0.0] * 10), "at least 7 pixels at different finite positions"),
        (tuple(np.repeat(axis, 2) for axis in hexagonal_sites(3.0)), "got 74 pixels at 37 places"),
    ],
    ids=["square", "islands", "two", "nan", "random", "one place", "every pixel twice"],
)
def test_other_shapes_are_refused(positions, message):
    with pytest.raises(InputError, match=message):
        Camera.from_geometry(*positions, name="odd", focal_length_m=1.0)


def test_positions_of_different_length_are_refused():
    with pytest.raises(InputError, match="8 x and 7 y"):
        Camera.from_geometry(np.arange(8.0), np.arange(7.0), name="odd", focal_length_m=1.0)


def test_mapping_of_magic_is_its_name(magic_camera):
    assert magic_camera.to_mapping() == {"name": "MAGICCam"}
    assert Camera.from_mapping({"name": "MAGICCam"}) is Camera.magic()
    with pytest.raises(InputError, match="not the description of a camera"):
        Camera.from_mapping({"name": "OtherCam"})


def test_fingerprint_tells_cameras_and_pixel_orders_apart(magic_camera):
    x_m, y_m = fact_positions_m()
    straight = Camera.from_geometry(x_m, y_m, name="a", focal_length_m=4.889)
    swapped = Camera.from_geometry(x_m[::-1], y_m[::-1], name="a", focal_length_m=4.889)
    assert len({magic_camera.fingerprint, straight.fingerprint, swapped.fingerprint}) == 3


def test_repr_is_short(magic_camera):
    assert repr(magic_camera) == "Camera('MAGICCam', 1039 pixels, pitch 30.00 mm)"
