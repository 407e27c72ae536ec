"""Cleaning against a plain transcription of its rules, ctapipe's tail cuts, and hand-made images."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from magicnn.camera import Camera
from magicnn.errors import InputError
from magicnn.images.cleaning import CleaningSettings, clean, label_islands, sum_clean, tailcuts_clean


def neighbour_sets(camera):
    return [{int(k) for k in row if k >= 0} for row in camera.neighbours]


def compact_groups(near):
    """Pairs, triangles, and rhombi (two triangles with a common side), as sets of pixels."""
    pairs = {frozenset((a, b)) for a in range(len(near)) for b in near[a]}
    triangles = {pair | {c} for pair in pairs for c in set.intersection(*(near[p] for p in pair))}
    rhombi = {a | {c, d} for a in pairs for c, d in combinations(set.intersection(*(near[p] for p in a)), 2)}
    return pairs, triangles, rhombi


def components(pixels, near):
    left, islands = set(pixels), []
    while left:
        island, todo = set(), [min(left)]
        while todo:
            pixel = todo.pop()
            if pixel in left:
                left.remove(pixel)
                island.add(pixel)
                todo.extend(near[pixel] & left)
        islands.append(island)
    return islands


def sum_clean_by_hand(q, t, near, groups):
    core = set()
    for group, level, clip, window in zip(
        groups, (10.8, 7.8, 6.0), (2.2 * 10.8, 1.05 * 7.8, 1.05 * 6.0), (0.5, 0.7, 1.1), strict=True
    ):
        for members in group:
            pixels = list(members)
            charges = np.minimum(q[pixels], clip)
            if np.isfinite(charges).all() and charges.sum() > len(pixels) * level:
                mean = np.sum(charges * t[pixels]) / charges.sum()
                if np.all(np.abs(t[pixels] - mean) < window):
                    core |= members
    if not core:
        return set()
    main = list(max(components(core, near), key=lambda island: sum(q[p] for p in sorted(island))))
    mean = np.average(t[main], weights=q[main] ** 2)
    core = {p for p in core if abs(t[p] - mean) < (4.5 if q[p] < 12.0 else 9.0)}
    core = {p for p in core if near[p] & core}
    boundary = {b for p in core for b in near[p] if q[b] > 3.5 and abs(t[b] - t[p]) < 1.5}
    return core | boundary


def test_sum_cleaning_follows_its_rules_pixel_by_pixel(camera, images):
    charge, time = images
    mask = sum_clean(charge, time, camera)
    near = neighbour_sets(camera)
    groups = compact_groups(near)
    # Euler: 3000 - 1039 + 1 triangles, and one rhombus per side that two triangles share
    assert [len(g) for g in groups] == [3000, 1962, 3 * 1962 - 3000]
    for i in range(0, 300, 20):
        assert set(np.flatnonzero(mask[i])) == sum_clean_by_hand(charge[i], time[i], near, groups)
    assert 5 < mask.sum(axis=1).mean() < 100


def single(camera, charges, times=None):
    charge = np.zeros((1, camera.n_pixels))
    time = np.full((1, camera.n_pixels), np.nan)
    for pixel, value in charges.items():
        charge[0, pixel] = value
        time[0, pixel] = (times or {}).get(pixel, 10.0)
    return charge, time


PAIR = [0, 1]  # the first pixels of the spiral: 0 in the middle, 1 to 6 around it in order
TRIANGLE = [0, 1, 2]
RHOMBUS = [0, 1, 2, 3]


@pytest.mark.parametrize(("pixels", "level"), [(PAIR, 10.8), (TRIANGLE, 7.8), (RHOMBUS, 6.0)])
@pytest.mark.parametrize("above", [True, False])
def test_levels_of_the_groups(camera, pixels, level, above):
    charge, time = single(camera, dict.fromkeys(pixels, level + (0.05 if above else -0.05)))
    assert set(np.flatnonzero(sum_clean(charge, time, camera))) == (set(pixels) if above else set())


@pytest.mark.parametrize(("pixels", "level", "window"), [(PAIR, 10.9, 0.5), (TRIANGLE, 7.9, 0.7), (RHOMBUS, 6.1, 1.1)])
@pytest.mark.parametrize("inside", [True, False])
def test_windows_of_the_groups(camera, pixels, level, window, inside):
    late = len(pixels) / (len(pixels) - 1) * (window + (-0.01 if inside else 0.01))
    charge, time = single(camera, dict.fromkeys(pixels, level), {pixels[-1]: 10.0 + late})
    # one late pixel moves the mean of n by late / n: it is late (n - 1) / n from it
    assert sum_clean(charge, time, camera).any() == inside


def test_four_in_a_row_are_not_a_compact_group(camera):
    line = [int(camera.neighbours[0, 0]), 0, int(camera.neighbours[0, 3])]
    line.append(int(camera.neighbours[line[-1], 3]))
    charge, time = single(camera, dict.fromkeys(line, 10.0))
    assert not sum_clean(charge, time, camera).any()


def test_one_bright_pixel_cannot_carry_a_triangle(camera):
    charge, time = single(camera, {0: 1000.0, 1: 3.0, 2: 3.0}, {1: 10.4, 2: 10.4})
    charge[0, 0] = 1000.0
    # the pair 0, 1 still passes, since a pair is clipped above its threshold: MARS does the same
    assert set(np.flatnonzero(sum_clean(charge, time, camera))) == {0, 1, 2}
    time[0, 1:3] = 10.6  # too late for a pair with the bright pixel, early enough for a triangle
    assert not sum_clean(charge, time, camera).any()


def test_late_second_island_is_removed(camera):
    first = dict.fromkeys((0, 1, 2, 3), 30.0)
    far = int(camera.n_pixels - 200)
    second = dict.fromkeys((far, *camera.neighbours[far, :3].tolist()), 8.0)
    for delay, kept in ((4.0, True), (5.0, False)):
        charge, time = single(camera, {**first, **second}, dict.fromkeys(second, 10.0 + delay))
        assert sum_clean(charge, time, camera)[0, far] == kept
    bright = dict.fromkeys(second, 13.0)
    for delay, kept in ((8.0, True), (9.5, False)):
        charge, time = single(camera, {**first, **bright}, dict.fromkeys(second, 10.0 + delay))
        assert sum_clean(charge, time, camera)[0, far] == kept


def test_boundary_needs_charge_and_time(camera):
    rim = int(camera.neighbours[1, np.flatnonzero(~np.isin(camera.neighbours[1], range(7)))[0]])
    for charge_pe, delay, kept in ((3.6, 1.4, True), (3.4, 0.0, False), (3.6, 1.6, False), (3.6, -1.4, True)):
        charge, time = single(camera, {0: 12.0, 1: 12.0, rim: charge_pe}, {rim: 10.0 + delay})
        assert sum_clean(charge, time, camera)[0, rim] == kept


def test_unusable_pixels_neither_survive_nor_count(camera, images):
    charge, time = (a.copy() for a in images)
    mask = clean(charge, time, camera)
    assert not mask[np.isnan(charge)].any()
    assert not mask[np.isnan(time)].any()
    charge, time = single(camera, {0: np.nan, 1: 30.0})
    assert not sum_clean(charge, time, camera).any()
    assert not clean(np.full_like(charge, np.nan), np.full_like(time, np.nan), camera).any()


def test_shape_dtype_and_leading_axes_do_not_matter(camera, images):
    charge, time = images
    flat = clean(charge, time, camera)
    assert flat.dtype == bool
    stacked = clean(charge.reshape(150, 2, -1), time.reshape(150, 2, -1), camera)
    np.testing.assert_array_equal(stacked.reshape(300, -1), flat)
    np.testing.assert_array_equal(clean(charge[7], time[7], camera), flat[7])
    assert clean(charge[:0], time[:0], camera).shape == (0, camera.n_pixels)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_array_equal(clean(charge[order], time[order], camera), flat[order])


def test_inputs_are_left_alone(camera, images):
    charge, time = (a.copy() for a in images)
    clean(charge, time, camera)
    np.testing.assert_array_equal(charge, images[0])
    np.testing.assert_array_equal(time, images[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tail_cuts_equal_ctapipe(camera, images, make_geometry, dtype):
    from ctapipe.image import tailcuts_clean as theirs

    charge = np.nan_to_num(images[0], nan=-100.0).round(1).astype(dtype)  # many pixels exactly at a level
    geometry = make_geometry(camera)
    for core, boundary in ((6.1, 3.6), (8.0, 4.0), (10.3, 5.2), (4.0, 4.0), (3.0, 6.0), (0.5, 0.2), (1e5, 1e4)):
        ours = tailcuts_clean(charge, camera, core_pe=core, boundary_pe=boundary)
        for i in range(150):
            np.testing.assert_array_equal(
                ours[i], theirs(geometry, charge[i], picture_thresh=core, boundary_thresh=boundary)
            )


def test_tail_cuts_take_unusable_pixels_as_dark(camera, images):
    charge, time = images
    cuts = CleaningSettings(method="tailcuts", core_pe=8.0, boundary_pe=4.0)
    np.testing.assert_array_equal(
        clean(charge, time, camera, cuts), clean(np.nan_to_num(charge, nan=-1.0), time, camera, cuts)
    )


def test_islands_equal_ctapipe(camera, many_images, make_geometry):
    from ctapipe.image import number_of_islands

    *_, mask = many_images
    labels = label_islands(mask, camera)
    geometry = make_geometry(camera)
    counts = []
    for i in range(len(mask)):
        n_islands, theirs = number_of_islands(geometry, mask[i])
        np.testing.assert_array_equal(labels[i], theirs)
        counts.append(n_islands)
    assert {0, 1, 2, 3} < set(counts)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1038), max_size=200, unique=True))
def test_islands_of_any_mask(pixels):
    camera = Camera.magic()
    mask = np.zeros(camera.n_pixels, dtype=bool)
    mask[pixels] = True
    labels = label_islands(mask, camera)
    expected = components(pixels, neighbour_sets(camera))
    assert {frozenset(np.flatnonzero(labels == k)) for k in range(1, labels.max() + 1)} == set(map(frozenset, expected))
    assert (labels > 0).sum() == len(pixels)


def test_other_cameras_can_be_cleaned():
    row, column = np.mgrid[0:10, 0:12].astype(float)
    turn = np.exp(1j * np.radians(10.0)) * 0.05
    position = turn * ((column + row / 2) + 1j * row * np.sqrt(3) / 2)
    camera = Camera.from_geometry(
        position.real.ravel(), position.imag.ravel(), name="parallelogram", focal_length_m=28.0
    )
    charge = np.zeros((1, 120))
    centre = 5 * 12 + 5
    charge[0, [centre, *camera.neighbours[centre]]] = 7.0
    assert sum_clean(charge, np.zeros_like(charge), camera).sum() == 7


def test_wrong_shapes_and_settings_are_refused(camera):
    with pytest.raises(
        InputError, match=r"MAGICCam: expected charges and times of shape \[\.\.\., 1039\], got \(2, 1855\)"
    ):
        clean(np.zeros((2, 1855)), np.zeros((2, 1855)), camera)
    with pytest.raises(InputError, match=r"\(2, 1039\) and \(1, 1039\)"):
        clean(np.zeros((2, 1039)), np.zeros((1, 1039)), camera)
    with pytest.raises(ValidationError, match="core_pf"):
        CleaningSettings(core_pf=3.0)
    with pytest.raises(ValidationError, match="method"):
        CleaningSettings(method="wavelets")
