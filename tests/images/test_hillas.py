"""Image parameters against ctapipe's functions, NumPy's least squares, and images with known moments."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from magicnn.camera import Camera
from magicnn.errors import InputError
from magicnn.images.hillas import IMAGE_PARAMETERS, image_parameters

RELATIVE = 1e-5


@pytest.fixture(scope="module")
def many(camera, many_images):
    """2000 images, the pixels of them that count, and their parameters."""
    charge, time, mask = many_images
    return charge, time, mask & np.isfinite(charge), image_parameters(charge, time, mask, camera)


def compare_with_ctapipe(geometry, charge, mask, ours, i):
    import astropy.units as u
    from ctapipe.image import (
        concentration_parameters,
        hillas_parameters,
        leakage_parameters,
        morphology_parameters,
    )

    close = {"rtol": RELATIVE, "atol": 1e-10}
    h = hillas_parameters(geometry[mask[i]], charge[i][mask[i]])
    theirs = {
        "size_pe": h.intensity,
        "cog_x_deg": h.fov_lon.to_value(u.deg),
        "cog_y_deg": h.fov_lat.to_value(u.deg),
        "r_deg": h.r.to_value(u.deg),
        "phi_deg": h.phi.to_value(u.deg),
        "length_deg": h.length.to_value(u.deg),
        "width_deg": h.width.to_value(u.deg),
        "psi_deg": h.psi.to_value(u.deg),
        "skewness": h.skewness,
        "kurtosis": h.kurtosis,
    }
    leakage = leakage_parameters(geometry, charge[i], mask[i])
    theirs |= {
        "leakage1": leakage.intensity_width_1,
        "leakage2": leakage.intensity_width_2,
        "leakage1_pixels": leakage.pixels_width_1,
        "leakage2_pixels": leakage.pixels_width_2,
    }
    concentration = concentration_parameters(geometry, np.where(mask[i], charge[i], 0.0), h)
    theirs |= {
        "concentration": concentration.pixel,
        "concentration_cog": concentration.cog,
        "concentration_core": concentration.core,
    }
    morphology = morphology_parameters(geometry, mask[i])
    cleaned = np.where(mask[i], charge[i], 0.0)
    theirs |= {
        "concentration2": np.sort(cleaned)[-2:].sum() / h.intensity,
        "m3_long_deg": h.length.to_value(u.deg) * np.cbrt(h.skewness),
    }
    theirs |= {"n_pixels": morphology.n_pixels, "n_islands": morphology.n_islands}
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name][i], value, **close, err_msg=f"{name} of image {i}")


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_parameters_equal_ctapipe_on_2000_images(camera, many, make_geometry, step):
    charge, _, mask, ours = many
    geometry = make_geometry(camera, "deg")
    n_pixels = mask.sum(axis=1)
    assert [np.sum(n_pixels == n) > 50 for n in (0, 1)] == [True, True]
    assert np.sum((ours["width_deg"] == 0.0) & (n_pixels > 1)) > 80
    assert np.sum(n_pixels > 1000) > 50
    for i in np.flatnonzero(n_pixels)[::step]:
        compare_with_ctapipe(geometry, charge, mask, ours, i)
    none = n_pixels == 0  # where ctapipe raises
    for name, values in ours.items():
        is_count = name in ("size_pe", "n_pixels", "n_islands", "size_main_island_pe")
        np.testing.assert_array_equal(values[none], 0.0 if is_count else np.nan, err_msg=name)


def test_leakage_rings_of_another_camera(make_geometry):
    from ctapipe.image import leakage_parameters

    rng = np.random.default_rng(5)
    sites = np.array([(q, r) for q in range(-9, 10) for r in range(-9, 10) if abs(q + r) < 10])
    e1 = np.exp(1j * np.radians(10.0)) * 0.05
    position = sites[:, 0] * e1 + sites[:, 1] * e1 * np.exp(1j * np.pi / 3)
    camera = Camera.from_geometry(position.real, position.imag, name="hexagon", focal_length_m=28.0)
    charge = rng.gamma(2.0, 5.0, (20, camera.n_pixels))
    mask = rng.random(charge.shape) < 0.3
    ours = image_parameters(charge, charge, mask, camera)
    geometry = make_geometry(camera)
    for i in range(20):
        theirs = leakage_parameters(geometry, charge[i], mask[i])
        np.testing.assert_allclose(ours["leakage1"][i], theirs.intensity_width_1, rtol=RELATIVE)
        np.testing.assert_allclose(ours["leakage2"][i], theirs.intensity_width_2, rtol=RELATIVE)


def test_time_line_is_weighted_least_squares(camera, many):
    charge, time, mask, ours = many
    has_line = np.isfinite(ours["time_slope_ns_per_deg"])
    assert has_line.sum() > 1700
    for i in np.flatnonzero(has_line):
        used = mask[i] & np.isfinite(time[i]) & (charge[i] > 0.0)
        q, t = charge[i][used], time[i][used]
        psi = np.radians(ours["psi_deg"][i])
        along = (camera.x_deg[used] - ours["cog_x_deg"][i]) * np.cos(psi)
        along += (camera.y_deg[used] - ours["cog_y_deg"][i]) * np.sin(psi)
        slope, intercept = np.polyfit(along, t, 1, w=np.sqrt(q))
        residual = t - slope * along - intercept
        mean = np.average(t, weights=q)
        head, tail = along > 1e-9, along < -1e-9
        sides = [np.average(t[s], weights=q[s]) if s.any() else np.nan for s in (head, tail)]
        expected = {
            "time_slope_ns_per_deg": slope,
            "time_intercept_ns": intercept,
            "time_deviation_ns": np.sqrt(np.average(residual**2, weights=q)),
            "time_mean_ns": mean,
            "time_rms_ns": np.sqrt(np.average((t - mean) ** 2, weights=q)),
            "time_head_tail_ns": sides[0] - sides[1],
        }
        for name, value in expected.items():
            np.testing.assert_allclose(ours[name][i], value, rtol=RELATIVE, atol=1e-6, err_msg=f"{name} of image {i}")


@pytest.mark.slow  # ctapipe compiles its fit for the better part of a minute
def test_robust_time_line_of_ctapipe_is_the_same_for_times_on_a_line_and_ignores_outliers(camera, make_geometry):
    import astropy.units as u
    from ctapipe.image import hillas_parameters, timing_parameters

    charge, time = gaussian(camera, (0.3, -0.2), 0.28, 0.1, 35.0)
    mask = charge > 20.0
    geometry = make_geometry(camera, "deg")[mask]
    h = hillas_parameters(geometry, charge[mask])

    def slopes(times):
        theirs = timing_parameters(geometry, charge[mask], times[mask], h).slope.to_value(1 / u.deg)
        return image_parameters(charge, times, mask, camera)["time_slope_ns_per_deg"], theirs

    ours, theirs = slopes(time)
    assert ours == pytest.approx(3.0, rel=RELATIVE)
    assert theirs == pytest.approx(3.0, rel=1e-3)
    late = np.flatnonzero(mask)[np.argmax(camera.x_deg[mask])]
    time[late] += 15.0
    ours, theirs = slopes(time)
    assert theirs == pytest.approx(3.0, rel=1e-3)
    assert ours > 3.1


def test_third_moments_and_asymmetry_by_hand(camera, many):
    charge, _, mask, ours = many
    for i in np.flatnonzero(np.isfinite(ours["psi_deg"]))[::7]:
        q = charge[i][mask[i]]
        psi = np.radians(ours["psi_deg"][i])
        dx = camera.x_deg[mask[i]] - ours["cog_x_deg"][i]
        dy = camera.y_deg[mask[i]] - ours["cog_y_deg"][i]
        along, across = dx * np.cos(psi) + dy * np.sin(psi), dy * np.cos(psi) - dx * np.sin(psi)
        for name, distance in (("m3_long_deg", along), ("m3_trans_deg", across)):
            np.testing.assert_allclose(
                ours[name][i] ** 3, np.average(distance**3, weights=q), rtol=RELATIVE, atol=1e-12
            )
        np.testing.assert_allclose(ours["asymmetry_deg"][i], -along[np.argmax(q)], rtol=RELATIVE, atol=1e-9)


def test_leakage_of_mars_counts_pixels_with_fewer_than_five_neighbours(camera):
    n_neighbours = (camera.neighbours >= 0).sum(axis=1)
    outermost = {int(p) for p in np.flatnonzero(n_neighbours < 5)}
    second = {int(p) for o in outermost for p in camera.neighbours[o] if p >= 0} - outermost
    assert (len(outermost), len(second)) == (84, 108)
    for pixel in range(camera.n_pixels):
        charge = np.zeros(camera.n_pixels)
        charge[[0, pixel]] = 3.0, 1.0
        p = image_parameters(charge, charge, charge > 0, camera)
        share = 1.0 if pixel == 0 else 0.25
        assert p["leakage1_mars"] == share * (pixel in outermost)
        assert p["leakage2_mars"] == share * (pixel in second)


def test_pixels_without_time_or_charge_do_not_enter_the_times(camera, images):
    charge, time = (a[:20].copy() for a in images)
    charge[:, 3] = -1.0
    time[:, 7] = np.nan
    mask = np.zeros(charge.shape, dtype=bool)
    mask[:, :30] = True
    ours = image_parameters(charge, time, mask, camera)
    keep = [p for p in range(30) if p not in (3, 7)]
    for i in range(20):
        good = [p for p in keep if np.isfinite(time[i, p]) and charge[i, p] > 0]
        np.testing.assert_allclose(
            ours["time_mean_ns"][i], np.average(time[i, good], weights=charge[i, good]), rtol=RELATIVE
        )
    assert np.isfinite(ours["time_slope_ns_per_deg"]).all()


def gaussian(camera, cog, length, width, psi_deg, size=1e4, slope=3.0):
    psi = np.radians(psi_deg)
    along = (camera.x_deg - cog[0]) * np.cos(psi) + (camera.y_deg - cog[1]) * np.sin(psi)
    across = (camera.y_deg - cog[1]) * np.cos(psi) - (camera.x_deg - cog[0]) * np.sin(psi)
    q = np.exp(-0.5 * ((along / length) ** 2 + (across / width) ** 2))
    return size * q / q.sum(), 10.0 + slope * along


@pytest.mark.parametrize("psi_deg", [-75.0, -20.0, 0.0, 33.0, 90.0])
def test_gaussian_image_has_its_own_moments(camera, psi_deg):
    charge, time = gaussian(camera, (0.3, -0.2), 0.28, 0.14, psi_deg)
    p = image_parameters(charge, time, np.ones(camera.n_pixels, dtype=bool), camera)
    assert p["size_pe"] == pytest.approx(1e4)
    assert p["cog_x_deg"] == pytest.approx(0.3, abs=1e-3)
    assert p["cog_y_deg"] == pytest.approx(-0.2, abs=1e-3)
    assert p["length_deg"] == pytest.approx(0.28, rel=2e-3)
    assert p["width_deg"] == pytest.approx(0.14, rel=2e-3)
    assert (p["psi_deg"] - psi_deg + 90) % 180 - 90 == pytest.approx(0.0, abs=0.1)
    assert p["skewness"] == pytest.approx(0.0, abs=0.02)
    assert p["kurtosis"] == pytest.approx(3.0, abs=0.05)
    assert abs(p["time_slope_ns_per_deg"]) == pytest.approx(3.0, rel=1e-3)
    assert p["time_intercept_ns"] == pytest.approx(10.0, abs=0.01)
    assert p["time_deviation_ns"] == pytest.approx(0.0, abs=0.01)
    assert p["time_rms_ns"] == pytest.approx(3.0 * 0.28, rel=5e-3)


def test_signs_point_along_psi(camera):
    charge, time = gaussian(camera, (0.0, 0.0), 0.2, 0.1, 40.0)
    # a faint tail far out on the side that psi points to
    tail = 0.8 * np.cos(np.radians(40.0)), 0.8 * np.sin(np.radians(40.0))
    charge += 0.05 * gaussian(camera, tail, 0.1, 0.1, 0.0)[0]
    p = image_parameters(charge, time, np.ones(camera.n_pixels, dtype=bool), camera)
    assert p["psi_deg"] == pytest.approx(40.0, abs=0.5)
    assert p["skewness"] > 0.1
    assert p["m3_long_deg"] > 0.05
    assert p["asymmetry_deg"] > 0.0
    assert p["time_head_tail_ns"] > 0.3
    assert p["time_slope_ns_per_deg"] == pytest.approx(3.0, rel=1e-3)


@cache
def symmetry(k):
    """Matrix that turns by k x 60 deg (mirrored for k > 5), and which pixel moves to each pixel."""
    camera = Camera.magic()
    angle = np.radians(60.0 * k)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if k > 5:
        # mirror at the direction of one of the camera's own lattice vectors
        x, y = camera.x_deg[camera.neighbours[0, 0]], camera.y_deg[camera.neighbours[0, 0]]
        double = 2.0 * np.arctan2(y, x)
        turn = turn @ [[np.cos(double), np.sin(double)], [np.sin(double), -np.cos(double)]]
    positions = np.stack([camera.x_deg, camera.y_deg], axis=1)
    distance, permutation = cKDTree(positions).query(positions @ turn)
    assert distance.max() < 1e-6
    return turn, permutation


@settings(max_examples=36, deadline=None)
@given(k=st.integers(0, 11), seed=st.integers(0, 2**32 - 1))
def test_camera_symmetries_turn_vectors_and_keep_shapes(k, seed):
    camera = Camera.magic()
    turn, permutation = symmetry(k)
    rng = np.random.default_rng(seed)
    charge, time = gaussian(camera, rng.normal(0, 0.6, 2), rng.uniform(0.15, 0.4), 0.08, rng.uniform(-80, 80))
    charge = rng.poisson(charge / 20.0).astype(float)
    charge[charge > 0] += rng.uniform(0.0, 0.01, (charge > 0).sum())  # one brightest pixel
    mask = charge > 0
    before = image_parameters(charge, time, mask, camera)
    after = image_parameters(charge[permutation], time[permutation], mask[permutation], camera)
    cog = turn @ [before["cog_x_deg"], before["cog_y_deg"]]
    np.testing.assert_allclose([after["cog_x_deg"], after["cog_y_deg"]], cog, atol=1e-9)
    axis = turn @ [np.cos(np.radians(before["psi_deg"])), np.sin(np.radians(before["psi_deg"]))]
    new = np.radians(after["psi_deg"])
    sign = np.sign(axis @ [np.cos(new), np.sin(new)])
    np.testing.assert_allclose(sign * axis, [np.cos(new), np.sin(new)], atol=1e-7)
    signed = {"skewness", "m3_long_deg", "asymmetry_deg", "time_slope_ns_per_deg", "time_head_tail_ns"}
    for name in signed:
        np.testing.assert_allclose(after[name], sign * before[name], rtol=1e-6, atol=1e-9, err_msg=name)
    across = sign * np.linalg.det(turn)
    np.testing.assert_allclose(after["m3_trans_deg"] ** 3, across * before["m3_trans_deg"] ** 3, rtol=1e-6, atol=1e-12)
    for name in set(IMAGE_PARAMETERS) - signed - {"cog_x_deg", "cog_y_deg", "phi_deg", "psi_deg", "m3_trans_deg"}:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-7, atol=1e-9, err_msg=name)


def only(camera, pixels):
    charge = np.zeros((1, camera.n_pixels))
    charge[0, pixels] = np.arange(len(pixels)) + 5.0
    return image_parameters(charge, np.full_like(charge, 10.0) + charge, charge > 0, camera)


def test_one_pixel_has_no_axis(camera):
    for pixel in (0, 500, 1038):
        p = only(camera, [pixel])
        assert p["size_pe"] == 5.0
        assert p["length_deg"] == 0.0
        assert p["width_deg"] == 0.0
        assert p["cog_x_deg"] == pytest.approx(camera.x_deg[pixel])
        for name in ("psi_deg", "skewness", "kurtosis", "time_slope_ns_per_deg"):
            assert np.isnan(p[name]), name
        assert p["time_rms_ns"] == 0.0
        assert p["concentration"] == 1.0
        assert p["n_islands"] == 1


@pytest.mark.parametrize("direction", range(6))
def test_a_line_of_pixels_has_no_width(camera, direction):
    line = [100]
    for _ in range(4):
        line.append(int(camera.neighbours[line[-1], direction]))
    p = only(camera, line)
    assert p["width_deg"] == 0.0
    assert p["concentration_core"] == 0.0
    assert p["length_deg"] > 0.05
    dx, dy = np.diff(camera.x_deg[line[:2]])[0], np.diff(camera.y_deg[line[:2]])[0]
    expected = np.degrees(np.arctan2(dy, dx))
    assert (p["psi_deg"][0] - expected + 90) % 180 - 90 == pytest.approx(0.0, abs=1e-5)
    assert -90 < p["psi_deg"][0] <= 90


def test_no_pixels_is_not_a_missing_telescope(camera):
    charge = np.ones((3, 2, camera.n_pixels))
    charge[1, 0] = np.nan
    mask = np.zeros(charge.shape, dtype=bool)
    mask[2, :, 5:9] = True
    p = image_parameters(charge, charge, mask, camera)
    assert p["size_pe"].tolist()[0] == [0.0, 0.0]
    assert p["n_islands"][0, 0] == 0
    assert np.isnan(p["length_deg"][0]).all()
    assert all(np.isnan(p[name][1, 0]) for name in IMAGE_PARAMETERS)
    assert p["size_pe"][2].tolist() == [4.0, 4.0]
    nothing = image_parameters(charge[:0], charge[:0], mask[:0], camera)
    assert all(nothing[name].shape == (0, 2) for name in IMAGE_PARAMETERS)


def test_unusable_pixels_in_the_mask_do_not_count(camera):
    charge = np.ones((1, camera.n_pixels))
    charge[0, 2] = np.nan
    mask = np.zeros(charge.shape, dtype=bool)
    mask[0, :5] = True
    p = image_parameters(charge, charge, mask, camera)
    assert p["n_pixels"] == 4
    assert p["size_pe"] == 4.0


def test_main_island_is_the_brightest(camera):
    charge = np.zeros((1, camera.n_pixels))
    charge[0, [0, 1, 2]] = 5.0
    charge[0, [800, int(camera.neighbours[800, 0])]] = 10.0
    p = image_parameters(charge, charge, charge > 0, camera)
    assert p["n_islands"] == 2
    assert p["size_main_island_pe"] == 20.0
    assert p["size_pe"] == 35.0


def test_wrong_shapes_are_refused(camera):
    good = np.zeros((2, camera.n_pixels))
    with pytest.raises(InputError, match=r"MAGICCam.*\(2, 1039\), \(2, 1039\), \(1, 1039\)"):
        image_parameters(good, good, np.zeros((1, 1039), dtype=bool), camera)
