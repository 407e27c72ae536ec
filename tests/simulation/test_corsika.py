"""Photon bunches of CORSIKA: reading, light, geometry, event sets and input cards."""

import struct
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from magicnn.array import TELESCOPES_M, direction_vector, magnetic_from_geographic, sky_from_camera
from magicnn.camera import Camera
from magicnn.cli import app
from magicnn.errors import ConfigError, InputError
from magicnn.io.corsika import AppliedByCorsika, CorsikaFile, card_values
from magicnn.io.eventset.reader import EventSet
from magicnn.simulation.corsika import corsika_geometry, produce_from_corsika
from magicnn.simulation.corsika_card import input_card, input_cards
from magicnn.simulation.corsika_light import choose_telescopes, corsika_light, detection_probability
from magicnn.simulation.detector import detector, telescope_light
from magicnn.simulation.optics import lattice, pixel_at
from magicnn.simulation.settings import DetectorSettings, OpticsSettings, settings_from_yaml
from magicnn.simulation.showers import environment, simulate_shower

SYNC = struct.pack("<I", 0xD41F8A37)
MAGIC_CM = [(3180.19, -2810.48, 1000.0, 1000.0), (-3180.19, 2810.48, 1000.0, 1000.0)]
CARD = "RUNNR 7\nATMOSPHERE 8 Y\nEXIT"


def item(kind, payload, *, number=0, version=0, top=True, parent=False):
    head = struct.pack("<IiI", kind | version << 20, number, len(payload) | (1 << 30 if parent else 0))
    return (SYNC if top else b"") + head + payload


def block(name, values):
    words = np.zeros(273, dtype="<f4")
    for position, value in values.items():
        words[position] = value
    return struct.pack("<i", 273) + name + words[1:].tobytes()


def bunches(rows, *, use, telescope, compact=False):
    """Rows of x, y (cm), cx, cy, time (ns), height (cm), photons, wavelength (nm)."""
    table = np.atleast_2d(np.asarray(rows, dtype=float)).reshape(-1, 8).copy()
    head = struct.pack("<hhfi", use, telescope, table[:, 6].sum(), len(table))
    if compact:
        table[:, 5] = np.log10(table[:, 5])
        table = np.rint(table * [10, 10, 30000, 30000, 10, 1000, 100, 1])
    body = table.astype("<i2" if compact else "<f4").tobytes()
    return item(1205, head + body, number=1000 * use + telescope, version=1000 if compact else 0, top=False)


def write_photon_file(
    path,
    showers,
    *,
    telescopes=MAGIC_CM,
    card=CARD,
    run=7,
    flag=8 * 1024 + 1 + 2 + 8,
    theta=(0.0, 0.0),
    phi=(0.0, 0.0),
    arrang=0.0,
    bunch_size=1.0,
    band=(290.0, 700.0),
    zenith=0.0,
    azimuth=0.0,
    particle=1,
    viewcone=(0.0, 0.0),
    compact=False,
):
    """Write showers: lists of uses, each the core relative to the array (cm, 2) and rows of light per telescope."""
    names = (CARD if card is None else card).split("\n")
    text = struct.pack("<i", len(names)) + b"".join(struct.pack("<h", len(n)) + n.encode() for n in names)
    run_words = {1: run, 3: 7.7, 4: 1, 5: 220000.0, 15: -2.0, 16: 50.0, 17: 5000.0, 91: 1, 92: 1}
    run_words |= {247: 30000.0, 248: 0.0}
    places = np.asarray(telescopes, dtype="<f4").reshape(-1, 4).T
    data = item(1200, block(b"RUNH", run_words)) + item(1212, text)
    data += item(1201, struct.pack("<i", len(telescopes)) + places.tobytes())
    for number, uses in enumerate(showers, start=1):
        words = {1: number, 2: particle, 3: 100.0, 6: -2.5e6, 10: np.radians(zenith), 11: np.radians(azimuth)}
        words |= {43: run, 45: 7.7, 46: 1, 47: 220000.0, 70: 29.5, 71: 23.0, 76: flag, 80: theta[0], 81: theta[1]}
        words |= {82: phi[0], 83: phi[1], 84: bunch_size, 92: np.radians(arrang), 95: band[0], 96: band[1]}
        words |= {97: len(uses), 152: viewcone[0], 153: viewcone[1]}
        data += item(1202, block(b"EVTH", words), number=number)
        offsets = -np.array([core for core, _ in uses], dtype="<f4").T
        data += item(1203, struct.pack("<if", len(uses), 1000.0) + offsets.tobytes(), number=number)
        for use, (_, light) in enumerate(uses):
            parts = [bunches(rows, use=use, telescope=t, compact=compact) for t, rows in enumerate(light)]
            data += item(1204, b"".join(parts), number=use, parent=True)
        data += item(1209, block(b"EVTE", {1: number}), number=number)
    data += item(1210, struct.pack("<ifff", 3, 0.0, run, len(showers)))
    path.write_bytes(data)
    return path


CONFIG = Path(__file__).parents[2] / "mc_configs" / "gamma_za05to35.yaml"
SINGLE = [(0.0, 0.0, 1000.0, 1000.0), (0.0, 0.0, 1000.0, 1000.0)]
REAL = ("gamma_100gev_1216.eventio", "3_gammas_reuse_5.dat")


@pytest.fixture(scope="module")
def surroundings():
    return environment(light_scale=1.0)


@pytest.fixture(scope="module")
def sharp():
    return detector(DetectorSettings(optics=OpticsSettings(point_spread_deg=0.0)))


def flight(zenith_deg, azimuth_deg, arrang=0.0):
    """Direction of flight in the array's frame of light that comes from a place on the sky (geographic azimuth)."""
    x, y, z = -magnetic_from_geographic(direction_vector(zenith_deg, azimuth_deg))
    turn = np.radians(arrang)
    return np.array([np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x, z])


def flight_azimuth(azimuth_deg):
    """CORSIKA's azimuth of a shower that comes from a geographic azimuth (declination -7 deg)."""
    return 180.0 - azimuth_deg - 7.0


def read_one(path):
    with CorsikaFile(path) as file:
        return file.run, next(file.showers())


def light_of(path, surroundings, *, zenith, azimuth, pair=(0, 1), seed=0):
    run, shower = read_one(path)
    n = len(shower.uses)
    generator = np.random.default_rng(seed)
    return corsika_light(
        shower, run, pair, np.full(n, zenith), np.full(n, azimuth), surroundings, 1.0, generator
    )  # fmt: skip


def rows_of(direction, places_cm, *, time=0.0, height=1e6, photons=1000.0, wavelength=400.0):
    places = np.atleast_2d(places_cm)
    fixed = [direction[0], direction[1]]
    return [[x, y, *fixed, time, height, photons, wavelength] for x, y in places]


def showers_in_pixels(n_showers, zenith, azimuth, n_uses=2):
    """Light on a grid of the mirror, from a small patch of the sky: triggers both telescopes."""
    generator = np.random.default_rng(1)
    x, y = generator.normal(0.3, 0.08, 300), generator.normal(0.1, 0.08, 300)
    zeniths, azimuths = sky_from_camera(x, y, zenith, azimuth)
    rows = []
    for z, a in zip(zeniths, azimuths, strict=True):
        place = generator.uniform(-500.0, 500.0, 2)
        along = flight(z, a)
        rows += rows_of(along, place, photons=8.0, time=float(place @ along[:2]) / 29.9792458)
    return [[((3000.0 * use, 500.0), [rows, rows]) for use in range(n_uses)] for _ in range(n_showers)]


@pytest.mark.parametrize("arrang", [0.0, -7.0, 40.0])
@pytest.mark.parametrize(("x_deg", "y_deg"), [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-0.5, 0.7)])
def test_light_lands_in_the_pixel_it_comes_from(tmp_path, surroundings, sharp, arrang, x_deg, y_deg):
    zenith, azimuth = 25.0, 110.0
    source = sky_from_camera(x_deg, y_deg, zenith, azimuth)
    rows = rows_of(flight(*map(float, source), arrang), [[0.0, 0.0], [30.0, -40.0]])
    path = write_photon_file(
        tmp_path / "one.iact", [[((0.0, 0.0), [rows, rows])]], telescopes=SINGLE, arrang=arrang,
        zenith=zenith, azimuth=flight_azimuth(azimuth),
    )  # fmt: skip
    light = light_of(path, surroundings, zenith=zenith, azimuth=azimuth)
    assert len(light.x_deg) > 50
    np.testing.assert_allclose(light.x_deg, x_deg, atol=2e-4)
    np.testing.assert_allclose(light.y_deg, y_deg, atol=2e-4)
    camera = Camera.magic()
    seen = telescope_light(light, slice(0, int(np.count_nonzero(light.telescope == 0))), sharp, (1, 2))
    expected = pixel_at(*(17.0 * np.radians([x_deg, y_deg])), lattice(camera))
    assert set(seen.pixels) == {expected}
    if x_deg == y_deg == 0.0:
        assert expected == 0


@pytest.mark.parametrize("compact", [False, True])
def test_a_plane_front_from_the_pointing_arrives_at_time_zero_everywhere(tmp_path, surroundings, compact):
    zenith, azimuth = 35.0, 200.0
    along = flight(zenith, azimuth)
    core = np.array([4000.0, -7000.0])
    light = []
    for x, y, z, _ in MAGIC_CM:
        rows = []
        for place in [[0.0, 0.0], [600.0, 100.0], [-300.0, 500.0]]:
            from_core = np.array([x + place[0] - core[0], y + place[1] - core[1], z])
            rows += rows_of(along, place, time=float(from_core @ along) / 29.9792458, photons=300.0)
        light.append(rows)
    path = write_photon_file(tmp_path / "front.iact", [[(core, light)]], compact=compact)
    found = light_of(path, surroundings, zenith=zenith, azimuth=azimuth)
    assert set(found.telescope) == {0, 1}
    # compact bunches keep times to 0.1 ns and directions to 1/30000
    np.testing.assert_allclose(found.time_ns, 0.0, atol=0.1 if compact else 2e-3)


def test_light_beside_the_mirror_and_outside_the_view_is_lost(tmp_path, surroundings):
    rows = rows_of(flight(0.0, 0.0), [[900.0, 0.0]]) + rows_of(flight(4.0, 0.0), [[0.0, 0.0]])
    path = write_photon_file(tmp_path / "lost.iact", [[((0.0, 0.0), [rows, rows])]])
    assert light_of(path, surroundings, zenith=0.0, azimuth=0.0).n_photons_thrown == 0


def counts_per_bunch(path, surroundings, n, seed=0):
    light = light_of(path, surroundings, zenith=0.0, azimuth=0.0, seed=seed)
    heights = light.emission_height_m[light.telescope == 0]
    return np.bincount(np.rint(heights - 9000.0).astype(int), minlength=n)[:n]


def many_bunches(n, **values):
    rows = rows_of(flight(0.0, 0.0), np.zeros((n, 2)), **values)
    for i, row in enumerate(rows):
        row[5] = 9e5 + 100.0 * i
    return rows


@pytest.mark.parametrize("size", [0.6, 1.0, 5.0])
def test_bunches_keep_the_mean_and_clump_as_said(tmp_path, surroundings, size):
    n = 4000
    rows = many_bunches(n, photons=size, wavelength=380.0)
    path = write_photon_file(tmp_path / "size.iact", [[((0.0, 0.0), [rows, []])]])
    chance = detection_probability(
        np.full(n, 380.0), 9000.0 + np.arange(n), np.ones(n), surroundings.atmosphere, 2200.0, AppliedByCorsika()
    ).mean()
    counts = counts_per_bunch(path, surroundings, n)
    assert counts.mean() == pytest.approx(size * chance, abs=4.0 * np.sqrt(size * chance / n))
    # a Poisson number of such bunches: the variance of the sum over its mean is <n^2> / <n>
    clumping = (counts.astype(float) ** 2).mean() / counts.mean()
    assert clumping == pytest.approx(1.0 + max(size - 1.0, 0.0) * chance, rel=0.06)


@pytest.mark.parametrize(("card", "applied"), [
    ("CERQEF F F F", AppliedByCorsika()),
    ("CERQEF F T F", AppliedByCorsika(extinction=True)),
    ("CERQEF F T T", AppliedByCorsika(extinction=True, mirror=True)),
    ("CERQEF T T T", AppliedByCorsika(True, True, True)),
])  # fmt: skip
def test_losses_are_applied_once(tmp_path, surroundings, card, applied):
    n = 3000
    rows = many_bunches(n, photons=1.0, wavelength=-360.0)
    path = write_photon_file(
        tmp_path / "eff.iact", [[((0.0, 0.0), [rows, []])]], card=f"ATMOSPHERE 8 Y\n{card}\nEXIT", flag=8 * 1024 + 15
    )
    run, _ = read_one(path)
    assert run.applied == applied
    nothing = np.full(1, 360.0), np.full(1, 10500.0), np.ones(1), surroundings.atmosphere, 2200.0
    chance = float(detection_probability(*nothing, applied)[0])
    assert counts_per_bunch(path, surroundings, n).mean() == pytest.approx(chance, abs=4 * np.sqrt(chance / n))
    if applied.extinction:
        assert chance > 1.2 * float(detection_probability(*nothing, AppliedByCorsika())[0])


def test_open_wavelengths_are_drawn_from_the_cherenkov_spectrum(tmp_path, surroundings):
    n = 4000
    path = write_photon_file(
        tmp_path / "open.iact",
        [[((0.0, 0.0), [many_bunches(n, photons=4.0, wavelength=0.0), []])]],
        band=(300.0, 500.0),
    )
    wavelength = np.linspace(300.0, 500.0, 401)
    chance = np.average(
        detection_probability(
            wavelength, np.full(401, 11000.0), np.ones(401), surroundings.atmosphere, 2200.0, AppliedByCorsika()
        ),
        weights=wavelength**-2.0,
    )
    assert counts_per_bunch(path, surroundings, n).mean() == pytest.approx(4.0 * chance, rel=0.04)


def test_partly_applied_losses_without_wavelengths_are_refused(tmp_path, surroundings):
    path = write_photon_file(
        tmp_path / "bad.iact", [[((0.0, 0.0), [many_bunches(50, wavelength=0.0), []])]],
        card="CERQEF F T F\nEXIT", flag=15,
    )  # fmt: skip
    with pytest.raises(InputError, match=r"extinction .* kept no wavelengths"):
        light_of(path, surroundings, zenith=0.0, azimuth=0.0)


@pytest.mark.parametrize("order", [1, -1])
def test_magics_pair_is_found_wherever_it_stands(tmp_path, order):
    places = [(5000.0, 0.0, 1000.0, 1000.0), *((x + 100.0, y, z, r) for x, y, z, r in MAGIC_CM[::order])]
    run, shower = read_one(write_photon_file(tmp_path / "a.iact", [[((0.0, 0.0), [[], [], []])]], telescopes=places))
    pair, is_magic = choose_telescopes(run, 0.0)
    assert is_magic
    assert pair == ((1, 2) if order == 1 else (2, 1))
    geometry = corsika_geometry(shower, run, pair)
    np.testing.assert_allclose(geometry.impact_m[0], np.hypot(*(TELESCOPES_M[:, :2] - [
        geometry.core_x_m[0], geometry.core_y_m[0]]).T), atol=0.02)  # fmt: skip


def test_other_arrangements_need_a_choice(tmp_path):
    geographic = [(100.0 * x, 100.0 * y, 1000.0, 1000.0) for x, y, _ in TELESCOPES_M]
    run, _ = read_one(write_photon_file(tmp_path / "g.iact", [[((0.0, 0.0), [[], []])]], telescopes=geographic))
    with pytest.raises(InputError, match=r"no two telescopes stand as MAGIC's.*--telescopes 1,2"):
        choose_telescopes(run, 0.0)
    assert choose_telescopes(run, 0.0, (1, 2)) == ((0, 1), False)
    assert choose_telescopes(run, -7.0) == ((0, 1), True)
    with pytest.raises(InputError, match="two numbers from 1 to 2"):
        choose_telescopes(run, 0.0, (1, 3))


def test_cores_follow_the_axis_up_to_the_telescopes(tmp_path):
    path = write_photon_file(tmp_path / "z.iact", [[((0.0, 0.0), [[], []])]], zenith=45.0, azimuth=flight_azimuth(90.0))
    run, shower = read_one(path)
    geometry = corsika_geometry(shower, run, (0, 1))
    assert (geometry.zenith_deg, geometry.azimuth_deg) == pytest.approx((45.0, 90.0), abs=1e-5)
    # ten metres up the axis, which leans to the east: ten metres against west
    assert (geometry.core_x_m[0], geometry.core_y_m[0]) == pytest.approx((0.0, -10.0), abs=0.02)


def test_events_are_the_same_again_and_after_a_damaged_file(tmp_path):
    settings = settings_from_yaml(CONFIG)
    path = write_photon_file(
        tmp_path / "run.iact", showers_in_pixels(3, 20.0, 50.0), zenith=20.0, azimuth=flight_azimuth(50.0),
        theta=(20.0, 20.0), phi=(flight_azimuth(50.0),) * 2, viewcone=(0.0, 2.0),
    )  # fmt: skip
    once = produce_from_corsika(settings, [path], tmp_path / "once.h5", seed=3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3000])
    with pytest.raises(InputError, match="cut off"):
        produce_from_corsika(settings, [path], tmp_path / "twice.h5", seed=3)
    assert not (tmp_path / "twice.h5").exists()
    path.write_bytes(whole)
    twice = produce_from_corsika(settings, [path], tmp_path / "twice.h5", seed=3)
    with EventSet(once) as a, EventSet(twice) as b:
        first, second = a.read(), b.read()
        generated = a.meta.generated
    assert len(first) == 6
    np.testing.assert_array_equal(first.charge, second.charge)
    for name in first.columns:
        np.testing.assert_array_equal(first.columns[name], second.columns[name])
    assert generated["n_thrown"] == 6
    assert generated["n_showers"] == 3
    assert (generated["particle"], generated["viewcone_max_deg"]) == ("gamma_diffuse", 2.0)
    assert (generated["spectral_index"], generated["energy_min_gev"]) == (2.0, 50.0)
    assert generated["scatter_radius_m"] == 300.0
    # CORSIKA's own view cone: the telescopes look along its axis
    np.testing.assert_allclose(first.columns["pointing_azimuth_deg"], 50.0, atol=1e-4)
    assert set(first.columns["true_particle"]) == {22}
    assert len(set(first.columns["shower_id"])) == 3
    assert produce_from_corsika(settings, [path], twice, seed=3) == twice
    with pytest.raises(InputError, match="--overwrite"):
        produce_from_corsika(settings, [path], twice, seed=4)


def test_pointings_are_drawn_in_the_view_cone_of_the_production(tmp_path):
    settings = settings_from_yaml(CONFIG)
    path = write_photon_file(
        tmp_path / "run.iact", showers_in_pixels(1, 20.0, 50.0, n_uses=4), zenith=20.0, azimuth=flight_azimuth(50.0)
    )
    with EventSet(produce_from_corsika(settings, [path], tmp_path / "e.h5", seed=3)) as events:
        columns, generated = events.columns(), events.meta.generated
    assert generated["particle"] == "gamma"
    pointing = direction_vector(columns["pointing_zenith_deg"], columns["pointing_azimuth_deg"])
    angle = np.degrees(np.arccos(pointing @ direction_vector(20.0, 50.0)))
    np.testing.assert_allclose(angle, 0.4, atol=1e-3)


def test_runs_of_two_productions_do_not_mix(tmp_path):
    showers = showers_in_pixels(1, 20.0, 50.0)
    a = write_photon_file(tmp_path / "a.iact", showers, run=1)
    b = write_photon_file(tmp_path / "b.iact", showers, run=2, particle=14)
    c = write_photon_file(tmp_path / "c.iact", showers, run=1)
    settings = settings_from_yaml(CONFIG)
    with pytest.raises(InputError, match=r"differs from .* in particle"):
        produce_from_corsika(settings, [a, b], tmp_path / "e.h5", seed=3)
    with pytest.raises(InputError, match="run number 1 occurs twice"):
        produce_from_corsika(settings, [a, c], tmp_path / "e.h5", seed=3)


def call(*words):
    return CliRunner().invoke(app, ["simulate", str(CONFIG), *map(str, words)])


def test_the_command_reads_files_and_says_what_differs(tmp_path):
    path = write_photon_file(
        tmp_path / "run.iact", showers_in_pixels(1, 0.0, 0.0), flag=7 * 1024 + 11, telescopes=SINGLE
    )
    done = call("--corsika", path, "--output", tmp_path / "e.h5", "--telescopes", "1,2", "--pointing", "shower")
    assert done.exit_code == 0, done.output
    assert "uses of CORSIKA's showers" in done.output
    assert "atmosphere magic-summer instead of magic-winter" in done.output
    assert "stand 0.0 m apart" in done.output


def test_nothing_triggered_is_told_with_what_was_seen(tmp_path):
    light = rows_of(flight(0.0, 0.0), [[0.0, 0.0]], photons=1.0)
    showers = [[((0.0, 0.0), [light, light]), ((0.0, 0.0), [light, []])]] * 3
    path = write_photon_file(tmp_path / "dark.iact", showers)
    done = call("--corsika", path, "--output", tmp_path / "e.h5", "--pointing", "shower")
    assert done.exit_code == 3
    (line,) = [text for text in done.output.splitlines() if text.startswith("magicnn: ")]
    assert "nothing triggered (showers 3, uses 6, with light in both telescopes 3; M1 and M2 are 1 and 2 of" in line
    assert [p.name for p in tmp_path.iterdir()] == ["dark.iact"]


def test_info_tells_what_a_file_holds(tmp_path):
    light = rows_of(flight(0.0, 0.0), [[0.0, 0.0], [1.0, 0.0]], photons=1.5)
    path = write_photon_file(tmp_path / "run.iact", [[((0.0, 0.0), [light, light])] * 4] * 3, particle=14)
    done = CliRunner().invoke(app, ["info", str(path)])
    assert done.exit_code == 0, done.output
    said = dict(line.strip().split("  ", 1) for line in done.output.splitlines()[1:])
    said = {key: value.strip() for key, value in said.items()}
    assert said["kind"] == "photon bunches of CORSIKA 7.7 (IACT)"
    assert (said["run"], said["primary"]) == ("7", "proton")
    assert (said["thrown"], said["true energy"]) == ("E^-2, 50 to 5000 GeV", "100 GeV")
    assert said["showers"] == "3, uses of them 12"
    assert said["telescopes"] == "2, radius of their spheres 10 m"
    assert said["bunches"] == "48, 72 photons"
    path.write_bytes(path.read_bytes()[:-2000])
    done = CliRunner().invoke(app, ["info", str(path)])
    assert done.exit_code == 3
    assert "cut off" in done.output


def test_info_describes_real_files(data_dir):
    done = CliRunner().invoke(app, ["info", *(str(data_dir / "corsika_photons" / name) for name in REAL)])
    assert done.exit_code == 0, done.output
    assert "100 to 200 GeV" in done.output
    assert "918, 914.723 photons" in done.output


@pytest.mark.parametrize(("break_it", "message"), [
    (lambda data: data[:-4000], "cut off"),
    (lambda data: data[:900], "damaged"),
    (lambda data: b"no photons in here", "not a file of photon bunches"),
    (lambda data: b"", "not a file of photon bunches"),
])  # fmt: skip
def test_damaged_files_end_with_code_3_and_one_line(tmp_path, break_it, message):
    path = write_photon_file(tmp_path / "run.iact", showers_in_pixels(2, 0.0, 0.0))
    path.write_bytes(break_it(path.read_bytes()))
    done = call("--corsika", path, "--output", tmp_path / "e.h5")
    assert done.exit_code == 3
    assert message in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert not (tmp_path / "e.h5").exists()


def test_files_without_telescopes_or_showers_end_with_code_3(tmp_path):
    for name, showers, telescopes in (("t", [[((0.0, 0.0), [])]], []), ("s", [], MAGIC_CM)):
        path = write_photon_file(tmp_path / name, showers, telescopes=telescopes)
        done = call("--corsika", path, "--output", tmp_path / "e.h5")
        assert done.exit_code == 3
        assert "holds no" in done.output


def test_real_files_are_read_whole(data_dir):
    eventio = pytest.importorskip("eventio")
    for name, n_showers, n_uses in zip(REAL, (1, 3), (1, 5), strict=True):
        path = data_dir / "corsika_photons" / name
        with CorsikaFile(path) as file:
            showers = list(file.showers())
        with eventio.IACTFile(str(path)) as raw:
            events = list(raw)
        assert [len(shower.uses) for shower in showers] == [n_uses] * n_showers
        photons = [use[0].photons.sum() for shower in showers for use in shower.uses]
        # the file's own sum, which compact bunches round to 0.01 photons each
        np.testing.assert_allclose(photons, [event.n_photons[0] for event in events], rtol=3e-3)
        assert [len(use[0].x_m) for shower in showers for use in shower.uses] == [e.n_bunches[0] for e in events]
        assert file.run.applied == AppliedByCorsika()


def test_light_of_real_showers_comes_from_above_their_cores_as_ours_does(data_dir, surroundings):
    with CorsikaFile(data_dir / "corsika_photons" / REAL[1]) as file:
        showers = list(file.showers())
    zenith, azimuth = np.full(5, 0.0), np.full(5, 63.0)
    aligned = []
    for shower in showers[:2]:
        geometry = corsika_geometry(shower, file.run, (0, 0))
        theirs = corsika_light(shower, file.run, (0, 0), zenith, azimuth, surroundings, 1.0, np.random.default_rng(1))
        cores = np.column_stack([geometry.core_x_m, geometry.core_y_m])
        ours, _ = simulate_shower(
            "gamma", shower.energy_gev, 0.0, 63.0, cores, zenith, azimuth, [[0.0, 0.0, 0.0]], surroundings, 5,
            start_height_m=1.01 * shower.first_interaction_m,
        )  # fmt: skip
        for use in range(5):
            if np.hypot(*cores[use]) < 60.0:
                continue
            a = np.array([np.median(v[theirs.reuse == use]) for v in (theirs.x_deg, theirs.y_deg)])
            b = np.array([np.median(v[ours.reuse == use]) for v in (ours.x_deg, ours.y_deg)])
            aligned.append(a @ b / np.hypot(*a) / np.hypot(*b))
            assert np.hypot(*a) / np.hypot(*b) == pytest.approx(1.0, abs=0.35)
            ta, tb = (np.median(v.time_ns[v.reuse == use]) for v in (theirs, ours))
            assert ta == pytest.approx(tb, abs=2.0)
    assert len(aligned) >= 7
    assert min(aligned) > 0.97


@pytest.mark.slow
def test_a_real_gamma_gives_as_many_photoelectrons_as_ours(data_dir, surroundings):
    run, shower = read_one(data_dir / "corsika_photons" / REAL[0])
    geometry = corsika_geometry(shower, run, (0, 0))
    pointing = np.array([geometry.zenith_deg]), np.array([geometry.azimuth_deg])
    theirs = [
        corsika_light(shower, run, (0, 0), *pointing, surroundings, 1.0, np.random.default_rng(i)) for i in range(20)
    ]
    sphere = environment(light_scale=1.0, telescope_radius_m=5.0)
    ours, times = [], []
    for i in range(1200):
        light, truth = simulate_shower(
            "gamma", shower.energy_gev, geometry.zenith_deg, geometry.azimuth_deg, [[0.0, 0.0]], *pointing,
            [[0.0, 0.0, 0.0]], sphere, [3, i], start_height_m=1.03 * shower.first_interaction_m,
        )  # fmt: skip
        if abs(truth.first_interaction_height_m / shower.first_interaction_m - 1.0) < 0.03:
            ours.append(light.n_photons_thrown)
            times.append(np.median(light.time_ns))
    counted = np.mean([np.count_nonzero(light.telescope == 0) for light in theirs])
    assert len(ours) > 60
    assert abs(counted - np.mean(ours)) < 2.0 * np.std(ours)
    assert np.median(theirs[0].time_ns) == pytest.approx(np.mean(times), abs=0.5)


def test_the_card_says_what_a_production_throws():
    settings = settings_from_yaml(CONFIG)
    card = input_card(settings, 500, 4, run_number=12)
    assert max(map(len, card.splitlines())) <= 100
    words = card_values(card)
    assert words["RUNNR"] == [["12"]]
    assert words["NSHOW"] == [["500"]]
    assert words["PRMPAR"] == [["1"]]
    assert [float(w) for w in words["ERANGE"][0]] == [settings.energy_min_gev, settings.energy_max_gev]
    assert float(words["ESLOPE"][0][0]) == -settings.spectral_index
    assert [float(w) for w in words["THETAP"][0]] == [settings.zenith_min_deg, settings.zenith_max_deg]
    assert [float(w) for w in words["MAGNET"][0]] == [29.5, 23.0]
    assert float(words["OBSLEV"][0][0]) == 220000.0
    assert words["ATMOSPHERE"] == [["8", "Y"]]
    assert len(words["SEED"]) == 4
    uses, radius, other = map(float, words["CSCAT"][0])
    assert (uses, other) == (min(settings.reuse, 20), 0.0)
    generated = settings.generated(1)
    area = np.pi * (radius / 100.0) ** 2
    assert area >= generated.thrown_area_m2(settings.energy_max_gev, settings.zenith_max_deg)
    assert area == pytest.approx(generated.thrown_area_m2(settings.energy_max_gev, settings.zenith_max_deg), rel=0.01)


def test_slices_share_the_showers_and_shrink_the_disc():
    settings = settings_from_yaml(CONFIG)
    cards = [card_values(card) for card in input_cards(settings, 1000, 4, n_slices=4)]
    edges = [[float(w) for w in words["ERANGE"][0]] for words in cards]
    assert [low for low, _ in edges[1:]] == pytest.approx([high for _, high in edges[:-1]], rel=1e-5)
    assert sum(int(words["NSHOW"][0][0]) for words in cards) == 1000
    radii = [float(words["CSCAT"][0][1]) for words in cards]
    assert radii == sorted(radii)
    assert radii[0] < 0.7 * radii[-1]
    assert len({words["SEED"][0][0] for words in cards}) == len({words["RUNNR"][0][0] for words in cards}) == 4
    with pytest.raises(ConfigError, match="one shower for each"):
        input_cards(settings, 3, 4, n_slices=4)


def test_what_the_card_asks_for_reads_back_as_magic(tmp_path):
    settings = settings_from_yaml(CONFIG.with_name("proton_za05to35.yaml"))
    card = input_card(settings, 10, 1)
    assert card_values(card)["PRMPAR"] == [["14"]]
    # CORSIKA lifts the centres of the spheres above the observation level by their radius
    places = [(x, y, z + r, r) for x, y, z, r in (map(float, line) for line in card_values(card)["TELESCOPE"])]
    run, shower = read_one(
        write_photon_file(tmp_path / "m.iact", [[((0.0, 0.0), [[], []])]], telescopes=places, card=card.rstrip())
    )
    assert choose_telescopes(run, shower.array_angle_deg) == ((0, 1), True)
    assert card_values(run.card) == card_values(card)


def test_the_cards_keywords_are_those_of_real_cards(data_dir):
    ours = card_values(input_card(settings_from_yaml(CONFIG), 10, 1))
    for name in REAL:
        with CorsikaFile(data_dir / "corsika_photons" / name) as file:
            real = card_values(file.run.card)
        left_out = set(real) - set(ours)
        # where to write, and buffers: nothing that says what is thrown
        assert left_out <= {"DIRECT", "IACT"}
        for keyword in ("TELESCOPE", "CSCAT", "ERANGE", "MAGNET", "ATMOSPHERE", "CWAVLG", "THETAP", "PHIP", "SEED"):
            assert len(ours[keyword][0]) <= len(real[keyword][0])
            for word, other in zip(ours[keyword][0], real[keyword][0], strict=False):
                assert word.replace(".", "").replace("-", "").isdigit() == (
                    other.replace(".", "").replace("-", "").replace("E", "").isdigit()
                )


def test_the_command_writes_cards(tmp_path):
    shown = call("--corsika-card", "-n", 50)
    assert shown.exit_code == 0
    assert card_values(shown.output)["NSHOW"] == [["50"]]
    done = call("--corsika-card", "-n", 50, "--slices", 2, "--output", tmp_path / "run.card")
    assert done.exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run_1.card", "run_2.card"]
    again = call("--corsika-card", "-n", 50, "--slices", 2, "--output", tmp_path / "run.card")
    assert again.exit_code == 3
    nowhere = call("--corsika-card", "--slices", 2)
    assert nowhere.exit_code == 2
    assert call().exit_code == 2
