"""Productions: the same events whatever happens, truth that fits, images that point where they should."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from magicnn.array import camera_from_sky, impact_m
from magicnn.errors import ConfigError, InputError
from magicnn.events import SCHEMA
from magicnn.io.eventset.reader import EventSet, EventSetWriter
from magicnn.simulation.detector import observe, telescope_light
from magicnn.simulation.plan import plan_production
from magicnn.simulation.production import COLUMNS, TRUTH_COLUMNS, produce, simulate_chunk, simulator
from magicnn.simulation.settings import settings_from_yaml
from magicnn.simulation.showers import ShowerLight

CONFIGS = sorted((Path(__file__).parents[2] / "mc_configs").glob("*_za*.yaml"))


@pytest.fixture(scope="module")
def production(small_settings, tmp_path_factory):
    return produce(small_settings, tmp_path_factory.mktemp("production") / "small.h5", n_events=40, seed=3, workers=1)


@pytest.fixture(scope="module")
def events(production):
    with EventSet(production) as stored:
        return stored.read()


def assert_same_events(first, second):
    with EventSet(first) as a, EventSet(second) as b:
        assert a.meta.generated == b.meta.generated
        one, two = a.read(), b.read()
    assert np.array_equal(one.charge, two.charge, equal_nan=True)
    assert np.array_equal(one.time, two.time, equal_nan=True)
    assert one.columns.keys() == two.columns.keys()
    for name, values in one.columns.items():
        assert np.array_equal(values, two[name], equal_nan=True), name


def test_events_do_not_depend_on_the_number_of_workers(production, small_settings, tmp_path):
    assert_same_events(production, produce(small_settings, tmp_path / "two.h5", n_events=40, seed=3, workers=2))


def test_another_seed_gives_other_events(small_settings):
    first, second = (simulate_chunk(simulator(small_settings, seed), 0) for seed in (3, 4))
    assert set(first["shower_id"]).isdisjoint(second["shower_id"])
    assert len(first) != len(second) or not np.array_equal(first.charge, second.charge)


def test_a_killed_production_continues_to_the_same_events(small_settings, tmp_path):
    target = tmp_path / "killed.h5"
    journal = target.with_name(f".{target.name}.partial")
    script = f"""
import os, signal
from magicnn.simulation import production
from magicnn.simulation.settings import ProductionSettings
simulate = production.simulate_chunk
def until_the_tenth(simulation, chunk):
    if chunk == 10:
        os.kill(os.getpid(), signal.SIGKILL)
    return simulate(simulation, chunk)
production.simulate_chunk = until_the_tenth
settings = ProductionSettings.model_validate_json({small_settings.model_dump_json()!r})
production.produce(settings, {str(target)!r}, n_events=100_000, seed=3, workers=1)
"""
    killed = subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert journal.stat().st_size > 60_000
    assert not target.exists(), "no half-written output"
    n_events = 120
    produce(small_settings, target, n_events=n_events, seed=3, workers=1)
    assert not journal.exists()
    with EventSet(target) as continued:
        assert len(continued) >= n_events
    assert_same_events(target, produce(small_settings, tmp_path / "whole.h5", n_events=n_events, seed=3, workers=1))


def test_a_complete_production_is_left_alone(production, small_settings):
    before = production.stat().st_mtime_ns
    produce(small_settings, production, n_events=40, seed=3, workers=1)
    assert production.stat().st_mtime_ns == before


def test_only_the_same_production_is_continued_or_enlarged(production, small_settings, tmp_path):
    target = tmp_path / "copy.h5"
    target.write_bytes(production.read_bytes())
    with pytest.raises(InputError, match=r"copy\.h5: is there already .* seed 4"):
        produce(small_settings, target, n_events=40, seed=4, workers=1)
    other = small_settings.model_copy(update={"energy_max_gev": 900.0})
    with pytest.raises(InputError, match="overwrite"):
        produce(other, target, n_events=40, seed=3, workers=1)
    assert target.read_bytes() == production.read_bytes()
    with EventSet(produce(small_settings, target, n_events=60, seed=3, workers=1)) as larger:
        assert len(larger) >= 60
    foreign = tmp_path / "model.pt"
    foreign.write_text("precious")
    with pytest.raises(InputError, match="not an event set of small"):
        produce(small_settings, foreign, n_events=5, seed=3, workers=1)
    assert foreign.read_text() == "precious"
    with EventSet(produce(small_settings, foreign, n_events=5, seed=3, workers=1, overwrite=True)) as replaced:
        assert len(replaced) >= 5


def test_what_was_thrown_is_counted_exactly(production, small_settings, events):
    with EventSet(production) as stored:
        generated = stored.meta.generated
    assert len(events) >= 40
    assert generated["n_showers"] % small_settings.showers_per_chunk == 0
    assert generated["n_thrown"] == generated["n_showers"] * small_settings.reuse
    index = events["shower_id"] - (events["run_id"] << 32)
    assert index.min() >= 0
    assert index.max() < generated["n_showers"]
    assert index.max() >= generated["n_showers"] - 3 * small_settings.showers_per_chunk


def test_truth_is_complete_and_fits_together(events, small_settings):
    assert set(COLUMNS) == set(events.columns)
    assert {name for name, spec in SCHEMA.items() if spec.is_truth} == {*events.columns, *TRUTH_COLUMNS} & {
        name for name, spec in SCHEMA.items() if spec.is_truth
    }
    for name, values in events.columns.items():
        assert np.isfinite(values).all(), name
    impact = impact_m(
        events["true_core_x_m"], events["true_core_y_m"], events["true_zenith_deg"], events["true_azimuth_deg"]
    )
    assert events["true_impact_m"] == pytest.approx(impact, rel=1e-5)
    assert (events["true_particle"] == 22).all()
    key = events["event_id"]
    assert len(np.unique(key)) == len(key)
    energies = [np.unique(events["true_energy_gev"][events["shower_id"] == s]) for s in np.unique(events["shower_id"])]
    assert all(len(e) == 1 for e in energies)
    assert events["pedestal_mean_pe"].mean(axis=0) == pytest.approx([1.55, 1.8], rel=0.1)
    assert (events["true_pe"] >= 6).all()


def test_images_lie_on_a_line_with_the_source(events):
    """Both major axes pass the true direction: frames, signs and plate scale in one."""
    x, y = camera_from_sky(
        events["true_zenith_deg"],
        events["true_azimuth_deg"],
        events["pointing_zenith_deg"],
        events["pointing_azimuth_deg"],
    )
    camera = events.meta.camera
    misses = []
    for event, telescope in np.argwhere(events["true_pe"] > 150):
        charge = np.where(events.charge[event, telescope] > 8.0, events.charge[event, telescope], 0.0)
        if not charge.any():
            continue
        weight = charge / charge.sum()
        centre = np.array([(weight * camera.x_deg).sum(), (weight * camera.y_deg).sum()])
        offset = np.stack([camera.x_deg, camera.y_deg]) - centre[:, None]
        sizes, axes = np.linalg.eigh((weight * offset) @ offset.T)
        if sizes[1] > 4.0 * sizes[0]:
            source = np.array([x[event], y[event]]) - centre
            misses.append(abs(source[0] * axes[1, 1] - source[1] * axes[0, 1]))
    assert len(misses) > 20
    assert np.median(misses) < 0.1


def test_the_light_of_a_point_source_at_the_focus_lies_at_its_angle(telescopes):
    generator = np.random.default_rng(1)
    n = 20_000
    radius, turn = 8.7 * np.sqrt(generator.random(n)), generator.uniform(0, 2 * np.pi, n)
    hit = np.stack([radius * np.cos(turn), radius * np.sin(turn)]).astype(np.float32)
    light = ShowerLight(
        reuse=np.zeros(n, dtype=np.int32),
        telescope=np.zeros(n, dtype=np.int32),
        x_deg=0.7 - np.degrees(hit[0] / 10_000.0),
        y_deg=-0.4 - np.degrees(hit[1] / 10_000.0),
        mirror_x_m=hit[0],
        mirror_y_m=hit[1],
        time_ns=np.zeros(n, dtype=np.float32),
        n_photons_thrown=n,
        emission_height_m=np.full(n, 10_000.0, dtype=np.float32),
    )
    seen = telescope_light(light, slice(0, n), telescopes, (1, 2))
    camera = telescopes.camera
    assert camera.x_deg[seen.pixels].mean() == pytest.approx(0.7, abs=0.01)
    assert camera.y_deg[seen.pixels].mean() == pytest.approx(-0.4, abs=0.01)
    assert observe(light, telescopes, [(1,)]) == [], "one telescope alone is no stereo event"


def test_charges_add_up_to_the_photoelectrons(events):
    """Over what empty pixels have, the images hold the light of the shower."""
    pedestal = events["pedestal_mean_pe"][:, :, None]
    bright = events["true_pe"].min(axis=1) > 300
    assert bright.sum() > 3
    excess = (events.charge - pedestal).sum(axis=2)[bright]
    assert np.median(excess / events["true_pe"][bright]) == pytest.approx(0.9, abs=0.15)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_shipped_productions_are_valid(path):
    settings = settings_from_yaml(path)
    particle, _, zenith = path.stem.rpartition("_za")
    assert settings.particle == particle
    assert (settings.zenith_min_deg, settings.zenith_max_deg) == tuple(float(z) for z in zenith.split("to"))
    assert settings.name == path.stem


def test_shipped_diffuse_gammas_and_protons_share_what_a_classifier_must_not_see():
    assert len(CONFIGS) == 20
    for path in CONFIGS:
        if path.stem.startswith("proton"):
            protons = settings_from_yaml(path)
            gammas = settings_from_yaml(path.with_name(path.name.replace("proton", "gamma_diffuse")))
            for name in (
                "detector",
                "site",
                "viewcone_min_deg",
                "viewcone_max_deg",
                "zenith_min_deg",
                "zenith_max_deg",
            ):
                assert getattr(protons, name) == getattr(gammas, name)


def test_mistakes_in_settings_are_named(tmp_path):
    path = tmp_path / "production.yaml"
    path.write_text(CONFIGS[0].read_text())
    with pytest.raises(ConfigError, match=r"names 'detector\.yaml'"):
        settings_from_yaml(path)
    with pytest.raises(ConfigError, match="wrong order"):
        settings_from_yaml(CONFIGS[0], ["zenith_min_deg=60", "zenith_max_deg=30"])
    fixed = ["zenith_min_deg=20", "zenith_max_deg=20"]
    with pytest.raises(ConfigError, match="too narrow for other pointings"):
        settings_from_yaml(CONFIGS[0], [*fixed, "reuse=2"])
    assert settings_from_yaml(CONFIGS[0], [*fixed, "reuse=1"]).zenith_max_deg == 20.0
    with pytest.raises(ConfigError, match="reuses: unknown setting, did you mean 'reuse'"):
        settings_from_yaml(CONFIGS[0], ["reuses=3"])
    with pytest.raises(ConfigError, match="view cone"):
        settings_from_yaml(CONFIGS[0], ["particle=proton", "viewcone_max_deg=0.4", "viewcone_min_deg=0.4"])


def test_numbers_out_of_range_are_refused(small_settings, tmp_path):
    with pytest.raises(ConfigError, match="at least one event or shower"):
        produce(small_settings, tmp_path / "x.h5", n_events=0, seed=1)


@pytest.mark.slow
def test_after_the_trigger_directions_and_pedestals_say_nothing(tmp_path):
    """A classifier on true direction, pointing and pedestals finds no difference between matched samples."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold

    from magicnn.simulation.matching import common_directions, matching_weights

    samples = []
    for particle, n_events in (("gamma_diffuse", 7000), ("proton", 7000)):
        path = CONFIGS[0].with_name(f"{particle}_za05to35.yaml")
        with EventSet(
            produce(settings_from_yaml(path), tmp_path / f"{particle}.h5", n_events=n_events, seed=1)
        ) as done:
            samples.append(done.columns())
    all_gammas = samples[0]
    gammas, protons = (
        {name: values[common_directions(columns, all_gammas)] for name, values in columns.items()}
        for columns in samples
    )
    names = ["pointing_zenith_deg", "pointing_azimuth_deg", "true_zenith_deg", "true_azimuth_deg"]
    features = []
    for columns in (gammas, protons):
        x, y = camera_from_sky(*(columns[n] for n in (*names[2:], *names[:2])))
        pedestals = [columns["pedestal_mean_pe"], columns["pedestal_rms_pe"]]
        features.append(np.column_stack([x, y, np.hypot(x, y), *(columns[n] for n in names), *pedestals]))
    label = np.repeat([1, 0], [len(part) for part in features])
    weight = np.concatenate([matching_weights(gammas, protons), protons["weight"]])
    table = np.concatenate(features)
    groups = np.concatenate([gammas["shower_id"], protons["shower_id"]])
    score = np.zeros(len(label))
    for train, test in GroupKFold(5).split(table, label, groups):
        forest = RandomForestClassifier(100, min_samples_leaf=30, class_weight="balanced", random_state=0)
        forest.fit(table[train], label[train], sample_weight=weight[train])
        score[test] = forest.predict_proba(table[test])[:, 1]
    assert roc_auc_score(label, score, sample_weight=weight) == pytest.approx(0.5, abs=0.02)


def test_a_number_of_showers_may_be_given_instead(small_settings, tmp_path):
    path = produce(small_settings, tmp_path / "showers.h5", n_showers=10, seed=3, workers=1)
    with EventSet(path) as stored:
        assert stored.meta.generated["n_showers"] == 12, "whole chunks of 4"
        assert stored.meta.generated["n_thrown"] == 12 * small_settings.reuse
        few = stored.read()
    before = path.stat().st_mtime_ns
    produce(small_settings, path, n_showers=10, seed=3, workers=1)
    assert path.stat().st_mtime_ns == before
    first = produce(small_settings, tmp_path / "first.h5", n_events=1, n_showers=400, seed=3, workers=1)
    with EventSet(first) as stored:
        assert stored.meta.generated["n_showers"] < 400
        assert np.isin(stored.read()["event_id"], few["event_id"]).all()


def test_workers_of_an_executor_give_the_same_events(production, small_settings, tmp_path, monkeypatch):
    """One seam: whatever `open_workers` yields is a concurrent.futures executor."""
    from concurrent.futures import ThreadPoolExecutor

    from magicnn.cluster import DaskScheduler
    from magicnn.executors import Workers

    asked = []

    @contextlib.contextmanager
    def threads(place):
        asked.append(place)
        with ThreadPoolExecutor(1) as pool:
            yield Workers(pool, 1, (TimeoutError,))

    monkeypatch.setattr("magicnn.executors.open_workers", threads)
    scheduler = DaskScheduler("tcp://head:8786")
    path = produce(small_settings, tmp_path / "dask.h5", n_events=40, seed=3, workers=scheduler)
    assert asked == [scheduler]
    assert_same_events(production, path)


def test_a_plan_says_what_would_happen(production, small_settings, tmp_path):
    def action(settings, path, **options):
        return plan_production(settings, path, **{"n_events": 40, "seed": 3, **options}).action

    assert action(small_settings, production) == "is complete already"
    assert action(small_settings, production, n_events=60) == "would be replaced"
    assert action(small_settings, tmp_path / "new.h5") == "would be written"
    with pytest.raises(InputError, match="is there already"):
        action(small_settings, production, seed=4)
    assert action(small_settings, production, seed=4, overwrite=True) == "would be replaced"


def test_an_unfinished_production_of_other_settings_is_replaced_only_when_asked(small_settings, tmp_path, caplog):
    target = tmp_path / "mine.h5"
    meta = simulate_chunk(simulator(small_settings, 3), 0).meta
    with contextlib.suppress(KeyboardInterrupt), EventSetWriter(target, meta, resume=True):
        raise KeyboardInterrupt
    assert target.with_name(".mine.h5.partial").exists()
    with pytest.raises(InputError, match=r"\.mine\.h5\.partial: was left by an unfinished production .*\(--overwrite"):
        produce(small_settings, target, n_events=5, seed=4, workers=1)
    with pytest.raises(InputError, match="--overwrite"):
        plan_production(small_settings, target, n_events=5, seed=4)
    produce(small_settings, target, n_events=5, seed=4, workers=1, overwrite=True)
    assert "an unfinished production of other settings is replaced" in caplog.text
    with EventSet(target) as stored:
        assert stored.meta.generated["seed"] == 4


def test_true_images_are_kept_when_asked_for(production, events, small_settings, tmp_path):
    settings = small_settings.model_copy(update={"keep_truth": True})
    path = produce(settings, tmp_path / "truth.h5", n_events=40, seed=3, workers=1)
    with EventSet(path) as stored:
        assert set(TRUTH_COLUMNS) <= set(stored.column_names)
        plain = stored.read()
        assert "true_pixel_pe" not in plain.columns, "only when named: it is as large as the images"
        truth = stored.read(columns=["event_id", "true_pixel_pe"])
    assert np.array_equal(plain.charge, events.charge, equal_nan=True)
    assert truth["true_pixel_pe"].shape == plain.charge.shape
    assert np.array_equal(truth["true_pixel_pe"].sum(axis=2), plain["true_pe"])
    assert path.stat().st_size < 1.15 * production.stat().st_size


@pytest.mark.slow
def test_an_early_interrupt_is_one_line(tmp_path):
    command = [sys.executable, "-m", "magicnn", "simulate", str(CONFIGS[0]), "--workers", "2", "-n", "100000"]
    for delay_s in (1.5, 3.0, 6.0):
        process = subprocess.Popen(
            [*command, "--output", str(tmp_path / "x.h5")],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=120)[1]
        assert "Traceback" not in said, (delay_s, said)
        assert process.returncode == 130
