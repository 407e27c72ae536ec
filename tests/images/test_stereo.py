"""Stereo reconstruction against shower axes projected exactly, and against ctapipe's HillasReconstructor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicnn.array import (
    OBSERVATION_LEVEL_M,
    SITE,
    TELESCOPES_M,
    camera_from_sky,
    direction_vector,
    impact_m,
    pointing_basis,
    sky_from_camera,
)
from magicnn.errors import ConfigError, InputError
from magicnn.images.cherenkov import cherenkov_pool
from magicnn.images.stereo import STEREO_PARAMETERS, StereoSettings, geometry_from_direction, reconstruct

SQUARE = np.array([[60.0, 0.0, 0.0], [0.0, 60.0, 5.0], [-60.0, 0.0, -3.0], [0.0, -60.0, 0.0]])


def project(x_deg, y_deg, core_x, core_y, height_m, pointing_zenith, pointing_azimuth, telescopes=TELESCOPES_M):
    """Image parameters of straight showers: axes and centres of gravity exactly where geometry puts them."""
    zenith, azimuth = sky_from_camera(x_deg, y_deg, pointing_zenith, pointing_azimuth)
    axis = direction_vector(zenith, azimuth)
    core = np.stack([core_x, core_y, np.zeros_like(core_x)], axis=-1)
    maximum = core + axis * ((height_m - OBSERVATION_LEVEL_M) / axis[:, 2])[:, None]
    basis = pointing_basis(pointing_zenith, pointing_azimuth)
    local = np.einsum("nij,ntj->nti", basis, maximum[:, None, :] - telescopes)
    cog = np.degrees(local[..., :2] / local[..., 2:])
    psi = np.degrees(np.arctan2(cog[..., 1] - y_deg[:, None], cog[..., 0] - x_deg[:, None]))
    shape = psi.shape
    return {
        "size_pe": np.full(shape, 300.0),
        "cog_x_deg": cog[..., 0],
        "cog_y_deg": cog[..., 1],
        "psi_deg": (psi + 90.0) % 180.0 - 90.0,
        "length_deg": np.full(shape, 0.25),
        "width_deg": np.full(shape, 0.1),
    }


def showers(n, seed, *, zenith=(5.0, 70.0), offset_deg=1.0):
    rng = np.random.default_rng(seed)
    return {
        "x_deg": rng.uniform(-offset_deg, offset_deg, n),
        "y_deg": rng.uniform(-offset_deg, offset_deg, n),
        "core_x": rng.uniform(-150.0, 150.0, n),
        "core_y": rng.uniform(-150.0, 150.0, n),
        "height_m": rng.uniform(6e3, 14e3, n),
        "pointing_zenith": rng.uniform(*zenith, n),
        "pointing_azimuth": rng.uniform(0.0, 360.0, n),
    }


@pytest.mark.parametrize("telescopes", [TELESCOPES_M, SQUARE], ids=["MAGIC", "four"])
def test_projected_axes_are_found_again(telescopes):
    true = showers(400, 1)
    images = project(**true, telescopes=telescopes)
    reco = reconstruct(images, true["pointing_zenith"], true["pointing_azimuth"], telescopes_m=telescopes)
    good = reco["is_stereo"]
    assert good.mean() > 0.97
    for name, expected in (
        ("reco_x_deg", true["x_deg"]),
        ("reco_y_deg", true["y_deg"]),
        ("reco_core_x_m", true["core_x"]),
        ("reco_core_y_m", true["core_y"]),
        ("h_max_m", true["height_m"]),
    ):
        np.testing.assert_allclose(reco[name][good], expected[good], rtol=1e-5, atol=1e-5, err_msg=name)
    zenith, azimuth = sky_from_camera(true["x_deg"], true["y_deg"], true["pointing_zenith"], true["pointing_azimuth"])
    np.testing.assert_allclose(reco["reco_zenith_deg"][good], zenith[good], rtol=1e-6)
    x, y = camera_from_sky(
        reco["reco_zenith_deg"], reco["reco_azimuth_deg"], true["pointing_zenith"], true["pointing_azimuth"]
    )
    np.testing.assert_allclose(x[good], true["x_deg"][good], atol=1e-6)
    np.testing.assert_allclose(y[good], true["y_deg"][good], atol=1e-6)
    expected = impact_m(true["core_x"], true["core_y"], zenith, azimuth, telescopes)
    np.testing.assert_allclose(reco["impact_m"][good], expected[good], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("atmosphere", "ground_m"), [("magic-winter", OBSERVATION_LEVEL_M), ("magic-summer", 1800.0)])
def test_cherenkov_ring_is_that_at_the_maximum_and_the_direction_found(atmosphere, ground_m):
    true = showers(50, 13)
    images = project(**true)
    reco = reconstruct(
        images,
        true["pointing_zenith"],
        true["pointing_azimuth"],
        ground_m=ground_m,
        settings=StereoSettings(atmosphere=atmosphere),
    )
    radius, density = cherenkov_pool(reco["h_max_m"], reco["reco_zenith_deg"], atmosphere, ground_m=ground_m)
    np.testing.assert_array_equal(reco["cherenkov_radius_m"], radius)
    np.testing.assert_array_equal(reco["cherenkov_density_m2"], density)
    good = reco["is_stereo"]
    assert (radius[good] > 30.0).all()
    np.testing.assert_array_equal(np.isfinite(density), good)


def test_unknown_atmosphere_is_named():
    images = project(**showers(1, 14))
    with pytest.raises(ConfigError, match=r"magic-wintr.*did you mean 'magic-winter'"):
        reconstruct(images, np.zeros(1), np.zeros(1), settings=StereoSettings(atmosphere="magic-wintr"))


def test_known_direction_gives_core_and_impact():
    true = showers(300, 2)
    images = project(**true)
    pointing = true["pointing_zenith"], true["pointing_azimuth"]
    crossed = reconstruct(images, *pointing)
    images["psi_deg"][:] = np.nan  # the axes are not used
    reco = geometry_from_direction(true["x_deg"], true["y_deg"], images, *pointing)
    good = crossed["is_stereo"]
    np.testing.assert_allclose(reco["reco_core_x_m"][good], true["core_x"][good], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(reco["reco_core_y_m"][good], true["core_y"][good], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(reco["impact_m"][good], crossed["impact_m"][good], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(reco["h_max_m"][good], crossed["h_max_m"][good], rtol=1e-6)
    unknown = geometry_from_direction(np.full(300, np.nan), true["y_deg"], images, *pointing)
    assert all(np.isnan(values).all() for values in unknown.values())
    images["size_pe"][0, 1] = 0.0
    assert np.isnan(geometry_from_direction(true["x_deg"], true["y_deg"], images, *pointing)["impact_m"][0]).all()


def test_parallel_images_have_a_core_when_the_direction_is_known():
    """Cores on the line of the telescopes: the planes coincide, the distance of the images tells the height."""
    rng = np.random.default_rng(31)
    true = showers(300, 30, zenith=(5.0, 35.0), offset_deg=0.0)
    along = rng.uniform(1.5, 3.0, 300)
    true |= {"core_x": along * TELESCOPES_M[0, 0], "core_y": along * TELESCOPES_M[0, 1]}
    true["height_m"] = rng.normal(10_000.0, 800.0, 300)
    images = project(**true)
    # either telescope sees the maximum elsewhere along the axis
    seen = 1.0 + rng.normal(0.0, 0.1, (300, 2))
    images["cog_x_deg"], images["cog_y_deg"] = images["cog_x_deg"] * seen, images["cog_y_deg"] * seen
    pointing = true["pointing_zenith"], true["pointing_azimuth"]
    zenith, azimuth = sky_from_camera(true["x_deg"], true["y_deg"], *pointing)
    impact = impact_m(true["core_x"], true["core_y"], zenith, azimuth)

    def missed(**known):
        reco = geometry_from_direction(true["x_deg"], true["y_deg"], images, *pointing, **known)
        return np.median(np.abs(reco["impact_m"] - impact)), np.std(reco["h_max_m"] - true["height_m"])

    free = missed()
    typical = missed(typical_height_m=np.full(300, 10_000.0 - OBSERVATION_LEVEL_M), height_spread=0.1)
    assert free[0] < 40.0
    assert typical[0] < 0.8 * free[0]
    assert typical[1] < 0.8 * free[1]


def test_typical_height_counts_by_its_spread():
    true = showers(100, 32, zenith=(5.0, 35.0))
    images = project(**true)
    pointing = true["pointing_zenith"], true["pointing_azimuth"]
    wrong = np.full(100, 2.0 * 14e3)
    heights = [
        geometry_from_direction(
            true["x_deg"], true["y_deg"], images, *pointing, typical_height_m=wrong, height_spread=spread
        )["h_max_m"]
        for spread in (1e-4, 0.2, 1e4)
    ]
    np.testing.assert_allclose(heights[0], wrong + OBSERVATION_LEVEL_M, rtol=1e-3)
    assert ((heights[1] > true["height_m"]) & (heights[1] < heights[0])).mean() > 0.95
    np.testing.assert_allclose(heights[2], true["height_m"], rtol=1e-4)


def test_parallel_images_are_flagged():
    true = showers(200, 3)
    images = project(**true)
    images["psi_deg"][:, 1] = images["psi_deg"][:, 0] + np.where(np.arange(200) % 2, 0.099, 0.101)
    reco = reconstruct(images, true["pointing_zenith"], true["pointing_azimuth"])
    np.testing.assert_array_equal(reco["is_stereo"], np.arange(200) % 2 == 0)
    flagged = ~reco["is_stereo"]
    for name in set(STEREO_PARAMETERS) - {"stereo_angle_deg", "is_stereo"}:
        assert np.isnan(reco[name][flagged]).all(), name
    np.testing.assert_allclose(reco["stereo_angle_deg"][flagged], 0.099, rtol=1e-6)
    loose = reconstruct(
        images,
        true["pointing_zenith"],
        true["pointing_azimuth"],
        settings=StereoSettings(min_stereo_angle_deg=0.01),
    )
    assert loose["is_stereo"].all()
    exactly = {name: values.copy() for name, values in images.items()}
    exactly["psi_deg"][:, 1] = exactly["psi_deg"][:, 0]
    assert not reconstruct(exactly, true["pointing_zenith"], true["pointing_azimuth"])["is_stereo"].any()


@settings(max_examples=50, deadline=None)
@given(a=st.floats(-90, 90), b=st.floats(-90, 90))
def test_stereo_angle_is_between_lines_not_arrows(a, b):
    images = project(**showers(1, 4))
    images["psi_deg"][0] = a, b
    angle = reconstruct(images, 20.0 * np.ones(1), np.zeros(1))["stereo_angle_deg"][0]
    assert 0.0 <= angle <= 90.0
    cos = abs(np.cos(np.radians(a - b)))
    np.testing.assert_allclose(np.cos(np.radians(angle)), cos, atol=1e-9)


def test_missing_and_axisless_images_give_no_stereo_event():
    true = showers(6, 5)
    images = project(**true)
    for name in images:
        images[name][0, 0] = np.nan  # a missing telescope
    images["size_pe"][1, 1] = 0.0
    images["cog_x_deg"][1, 1] = images["psi_deg"][1, 1] = np.nan
    images["width_deg"][2, 0] = 0.0  # a line of pixels
    images["psi_deg"][3, :] = np.nan
    reco = reconstruct(images, true["pointing_zenith"], true["pointing_azimuth"])
    assert reco["is_stereo"].tolist() == [False] * 4 + [True] * 2
    assert np.isnan(reco["impact_m"][:4]).all()
    assert np.isfinite(reco["impact_m"][4:]).all()
    assert np.isnan(reco["stereo_angle_deg"][:4]).all()


def test_third_telescope_missing_leaves_the_other_two():
    true = showers(50, 6)
    images = project(**true, telescopes=SQUARE)
    for name in images:
        images[name][:, 2] = np.nan
    reco = reconstruct(images, true["pointing_zenith"], true["pointing_azimuth"], telescopes_m=SQUARE)
    good = reco["is_stereo"]
    np.testing.assert_allclose(reco["reco_core_x_m"][good], true["core_x"][good], rtol=1e-5, atol=1e-4)
    assert np.isfinite(reco["impact_m"][good]).all()  # the axis is known, so is its distance to every telescope


def test_numbers_of_telescopes_must_agree():
    images = project(**showers(3, 7))
    with pytest.raises(InputError, match=r"\(3, 2\) for 4 telescope positions"):
        reconstruct(images, np.zeros(3), np.zeros(3), telescopes_m=SQUARE)


@pytest.fixture(scope="module")
def ctapipe_reconstructor(camera, make_geometry):
    """ctapipe's reconstructor for MAGIC, as a function of one event's image parameters."""
    import astropy.units as u
    from astropy.coordinates import EarthLocation
    from ctapipe.containers import (
        ArrayEventContainer,
        CameraHillasParametersContainer,
        ImageParametersContainer,
        MorphologyContainer,
    )
    from ctapipe.instrument import (
        CameraDescription,
        CameraReadout,
        OpticsDescription,
        ReflectorShape,
        SizeType,
        SubarrayDescription,
        TelescopeDescription,
    )
    from ctapipe.reco import HillasReconstructor

    readout = CameraReadout(
        name="MAGICCam",
        sampling_rate=u.Quantity(1.64, u.GHz),
        reference_pulse_shape=np.ones((1, 3)),
        reference_pulse_sample_width=u.Quantity(1, u.ns),
        n_channels=1,
        n_pixels=camera.n_pixels,
        n_samples=50,
    )
    optics = OpticsDescription(
        name="MAGIC",
        size_type=SizeType.LST,
        n_mirrors=1,
        equivalent_focal_length=17.0 * u.m,
        effective_focal_length=camera.effective_focal_length_m * u.m,
        mirror_area=236 * u.m**2,
        n_mirror_tiles=964,
        reflector_shape=ReflectorShape.PARABOLIC,
    )
    telescope = TelescopeDescription("MAGIC", optics, CameraDescription("MAGICCam", make_geometry(camera), readout))
    subarray = SubarrayDescription(
        "MAGIC",
        tel_positions={i + 1: TELESCOPES_M[i] * u.m for i in range(2)},
        tel_descriptions={1: telescope, 2: telescope},
        reference_location=EarthLocation.from_geodetic(
            SITE.longitude_deg * u.deg, SITE.latitude_deg * u.deg, OBSERVATION_LEVEL_M * u.m
        ),
    )
    reconstructor = HillasReconstructor(subarray)
    metres = np.radians(1.0) * camera.effective_focal_length_m

    def run(images, i, zenith, azimuth):
        event = ArrayEventContainer()
        altitude, azimuth = (90.0 - zenith) * u.deg, azimuth * u.deg
        event.monitoring.pointing.array_altitude = altitude
        event.monitoring.pointing.array_azimuth = azimuth
        event.trigger.tels_with_trigger = [1, 2]
        for t in range(2):
            event.monitoring.tel[t + 1].pointing.altitude = altitude
            event.monitoring.tel[t + 1].pointing.azimuth = azimuth
            p = {name: values[i, t] for name, values in images.items()}
            event.dl1.tel[t + 1].parameters = ImageParametersContainer(
                hillas=CameraHillasParametersContainer(
                    intensity=p["size_pe"],
                    x=p["cog_x_deg"] * metres * u.m,
                    y=p["cog_y_deg"] * metres * u.m,
                    length=p["length_deg"] * metres * u.m,
                    width=p["width_deg"] * metres * u.m,
                    psi=p["psi_deg"] * u.deg,
                ),
                morphology=MorphologyContainer(n_pixels=20),
            )
        reconstructor(event)
        geometry = event.dl2.stereo.geometry["HillasReconstructor"]
        impact = [event.dl2.tel[t].impact["HillasReconstructor"].distance.to_value(u.m) for t in (1, 2)]
        return {
            "zenith": 90.0 - geometry.alt.to_value(u.deg),
            "azimuth": geometry.az.to_value(u.deg),
            "core_x": geometry.core_x.to_value(u.m),
            "core_y": geometry.core_y.to_value(u.m),
            "h_max": geometry.h_max.to_value(u.m),
            "impact": impact,
        }

    # ctapipe adds a warning filter of its own and leaves it in place
    import warnings

    with warnings.catch_warnings():
        yield run


def disturbed(true, seed):
    """Images whose axes and centres do not fit one shower exactly, as real ones."""
    rng = np.random.default_rng(seed)
    images = project(**true)
    shape = images["psi_deg"].shape
    images["psi_deg"] = (images["psi_deg"] + rng.normal(0, 5, shape) + 90.0) % 180.0 - 90.0
    images["cog_x_deg"] += rng.normal(0, 0.03, shape)
    images["cog_y_deg"] += rng.normal(0, 0.03, shape)
    return images


def rays(images, zenith, azimuth):
    """Right-handed unit vectors towards the centres of gravity, and normals of the image planes, [N, T, 3]."""
    basis = pointing_basis(zenith, azimuth)
    x, y, psi = (np.radians(images[name]) for name in ("cog_x_deg", "cog_y_deg", "psi_deg"))
    local = np.stack([x, y, np.ones_like(x)], axis=-1)
    further = local + 0.01 * np.stack([np.cos(psi), np.sin(psi), np.zeros_like(x)], axis=-1)
    sight, further = (np.einsum("nij,nti->ntj", basis, v) for v in (local, further))
    sight /= np.linalg.norm(sight, axis=-1, keepdims=True)
    return sight, np.cross(sight, further)


def test_direction_core_and_height_equal_the_functions_of_ctapipe():
    """Fed with the same planes, lines of sight and axes, ctapipe's three steps give the same numbers.

    Its core is moved to the ground along the pointing: compared in the plane through the array normal to the
    pointing for showers parallel to the pointing, where this is exact, and at the zenith.
    """
    import astropy.units as u
    from astropy.coordinates import AltAz, SkyCoord
    from ctapipe.coordinates import GroundFrame
    from ctapipe.reco import HillasReconstructor

    positions = SkyCoord(*(TELESCOPES_M.T * u.m), frame=GroundFrame())
    tested = 0
    for vertical in (False, True):
        true = showers(60, 8 + vertical, zenith=(0.0, 0.0) if vertical else (5.0, 70.0))
        images = disturbed(true, 9)
        pointing = true["pointing_zenith"], true["pointing_azimuth"]
        reco = reconstruct(images, *pointing)
        sight, normal = rays(images, *pointing)
        for i in np.flatnonzero(reco["is_stereo"]):
            direction, _ = HillasReconstructor.estimate_direction(normal[i], np.ones(2))
            ours = direction_vector(reco["reco_zenith_deg"][i], reco["reco_azimuth_deg"][i])
            np.testing.assert_allclose(ours, direction, rtol=1e-5, atol=1e-9)
            height = HillasReconstructor.estimate_relative_h_max(sight[i], positions).to_value(u.m)
            np.testing.assert_allclose(reco["h_max_m"][i], height + OBSERVATION_LEVEL_M, rtol=1e-5)
            tested += 1
            if vertical:
                zenith = SkyCoord(alt=90 * u.deg, az=pointing[1][i] * u.deg, frame=AltAz())
                core, _ = HillasReconstructor.estimate_core_position(
                    zenith, np.radians(images["psi_deg"][i]), positions
                )
                found = [reco["reco_core_x_m"][i], reco["reco_core_y_m"][i]]
                np.testing.assert_allclose(found, [core.x.value, core.y.value], rtol=1e-5, atol=1e-6)
    assert tested > 100


def test_core_of_showers_along_the_pointing_equals_ctapipe():
    import astropy.units as u
    from astropy.coordinates import AltAz, SkyCoord
    from ctapipe.coordinates import GroundFrame
    from ctapipe.reco import HillasReconstructor

    positions = SkyCoord(*(TELESCOPES_M.T * u.m), frame=GroundFrame())
    true = showers(60, 12, offset_deg=0.0)
    images = project(**true)
    reco = reconstruct(images, true["pointing_zenith"], true["pointing_azimuth"])
    for i in np.flatnonzero(reco["is_stereo"]):
        pointing = SkyCoord(
            alt=(90 - true["pointing_zenith"][i]) * u.deg, az=true["pointing_azimuth"][i] * u.deg, frame=AltAz()
        )
        core, _ = HillasReconstructor.estimate_core_position(pointing, np.radians(images["psi_deg"][i]), positions)
        found = [reco["reco_core_x_m"][i], reco["reco_core_y_m"][i]]
        np.testing.assert_allclose(found, [core.x.value, core.y.value], rtol=1e-5, atol=1e-6)


def test_whole_reconstructor_of_ctapipe_agrees(ctapipe_reconstructor):
    """From image parameters in metres to the end.

    ctapipe takes a position in the camera over the focal length as the angle itself, not as its tangent. The parallax
    between two centres of gravity then differs by up to the angle squared, 1.2e-3 at 2 deg, and so does the height.
    """
    true = showers(60, 10, zenith=(0.0, 40.0), offset_deg=0.7)
    images = disturbed(true, 11)
    reco = reconstruct(images, true["pointing_zenith"], true["pointing_azimuth"])
    for i in np.flatnonzero(reco["stereo_angle_deg"] > 10.0):
        theirs = ctapipe_reconstructor(images, i, true["pointing_zenith"][i], true["pointing_azimuth"][i])
        direction = direction_vector(theirs["zenith"], theirs["azimuth"])
        ours = direction_vector(reco["reco_zenith_deg"][i], reco["reco_azimuth_deg"][i])
        np.testing.assert_allclose(ours, direction, rtol=0, atol=2e-5)
        np.testing.assert_allclose(reco["h_max_m"][i], theirs["h_max"], rtol=1.2e-3)
        # the ground core is moved along the pointing in one, along the shower in the other
        np.testing.assert_allclose(reco["impact_m"][i], theirs["impact"], atol=3.0)
