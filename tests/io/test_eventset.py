"""Event sets: what is written comes back, damage is found, killed writers continue."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from operator import methodcaller
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magicnn.array import Site, TelescopeArray
from magicnn.camera import Camera
from magicnn.errors import InputError
from magicnn.events import SCHEMA, EventBatch, EventMeta, concatenate
from magicnn.io.base import Reader
from magicnn.io.eventset.reader import EventSet, EventSetWriter

META = EventMeta(
    particle="gamma_diffuse",
    production="za05to35",
    is_simulation=True,
    sampling_gsps=1.64,
    window_ns=30.5,
    source_files=("one.root", "two.root"),
    generated={"spectral_index": 1.6, "n_thrown": 1000, "scatter_radius_m": 350.0},
    provenance={"seed": 4, "versions": {"numpy": "2"}},
)


def small_camera():
    q, r = np.meshgrid(np.arange(-9, 10), np.arange(-9, 10))
    x, y = 0.02 * (q + r / 2.0).ravel(), 0.02 * (r * np.sqrt(3.0) / 2.0).ravel()
    near = np.hypot(x, y) < 0.07
    return Camera.from_geometry(x[near], y[near], name="SmallCam", focal_length_m=5.0)


SMALL = replace(META, camera=small_camera())


def make_batch(n_events, first_id=0, meta=META):
    """Events with a value of its own in every place, and missing pixels and telescopes."""
    rng = np.random.default_rng([n_events, first_id])
    shape = (n_events, len(meta.telescopes), meta.camera.n_pixels)
    charge = rng.normal(2.0, 30.0, shape).astype(np.float32)
    time = rng.uniform(0.0, 60.0, shape).astype(np.float32)
    time[charge < 0.0] = np.nan
    charge[::3, 1], time[::3, 1] = np.nan, np.nan
    columns = {}
    for name, spec in SCHEMA.items():
        if spec.shape != "pixel" and (meta.is_simulation or not spec.is_truth):
            values = rng.normal(size=shape[:1] if spec.shape == "event" else shape[:2])
            columns[name] = (1000 * values).astype(spec.dtype)
    columns["run_id"] = np.full(n_events, 7)
    columns["event_id"] = np.arange(first_id, first_id + n_events)
    return EventBatch(charge, time, columns, meta)


def write(path, *batches, **options):
    with EventSetWriter(path, batches[0].meta, **options) as writer:
        for batch in batches:
            writer.append(batch)
    return path


def assert_stored(found, batch):
    """Equal up to the float16 of the images."""
    for images, original in ((found.charge, batch.charge), (found.time, batch.time)):
        assert images.dtype == np.float32
        assert np.array_equal(images, original.astype(np.float16).astype(np.float32), equal_nan=True)
    assert list(found.columns) == [name for name in SCHEMA if name in batch.columns]
    for name, values in found.columns.items():
        assert values.dtype == SCHEMA[name].dtype
        assert np.array_equal(values, batch[name])


@pytest.fixture(scope="module")
def batch():
    return make_batch(700)


@pytest.fixture(scope="module")
def path(batch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("eventset")
    return write(folder / "events.h5", batch.select(slice(0, 300)), batch.select(slice(300, 700)))


def test_round_trip(path, batch):
    with EventSet(path) as events:
        assert len(events) == 700
        assert_stored(events.read(), batch)
        found = events.meta
    assert found == replace(META, camera=found.camera)
    assert found.camera is Camera.magic()


def test_event_set_is_a_reader(path):
    assert isinstance(EventSet(path), Reader)


@given(
    sizes=st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(sum),
    telescopes=st.sampled_from([("M1",), ("M1", "M2"), ("A", "B", "C")]),
    is_simulation=st.booleans(),
)
def test_round_trip_of_any_batches(tmp_path_factory, sizes, telescopes, is_simulation):
    meta = replace(SMALL, telescopes=telescopes, is_simulation=is_simulation)
    if len(telescopes) == 1:
        batches = [make_mono(n, 10 * i, meta) for i, n in enumerate(sizes)]
    else:
        batches = [make_batch(n, 10 * i, meta) for i, n in enumerate(sizes)]
    file = write(tmp_path_factory.mktemp("any") / "e.h5", *batches)
    with EventSet(file) as events:
        assert_stored(events.read(), concatenate(batches))
        assert events.meta.telescopes == telescopes
        assert events.meta.camera.fingerprint == SMALL.camera.fingerprint
        assert np.array_equal(events.meta.camera.x_m, SMALL.camera.x_m)


def test_positions_of_another_array_are_kept(tmp_path):
    site = Site(latitude_deg=-24.7, longitude_deg=-70.3, height_m=2150.0, field_north_ut=None, declination_deg=0.5)
    array = TelescopeArray(((0.1, 2.0, 3.0), (100.0, -50.0, 0.0), (1.0, 2.0, 1 / 3)), 2147.0, site)
    meta = replace(SMALL, telescopes=("A", "B", "C"), array=array)
    with EventSet(write(tmp_path / "e.h5", make_batch(4, meta=meta))) as events:
        assert events.meta.layout == array
    moved = replace(meta, array=replace(array, ground_m=0.0))
    with EventSetWriter(tmp_path / "other.h5", meta) as writer:
        writer.append(make_batch(4, meta=meta))
        with pytest.raises(InputError, match="telescopes at other places cannot share an event set"):
            writer.append(make_batch(4, 10, meta=moved))


def make_mono(n_events, first_id, meta):
    stereo = make_batch(n_events, first_id, replace(meta, telescopes=("M1", "M2")))
    columns = {n: v if SCHEMA[n].shape == "event" else v[:, :1] for n, v in stereo.columns.items()}
    return EventBatch(stereo.charge[:, :1], stereo.time[:, :1], columns, meta)


@pytest.mark.parametrize(("start", "stop"), [(None, None), (0, 1), (250, 260), (690, 900), (-5, None), (5, 5), (9, 3)])
def test_read_takes_a_slice(path, batch, start, stop):
    with EventSet(path) as events:
        assert_stored(events.read(start, stop), batch.select(slice(start, stop)))


def test_batches_are_the_events_in_order(path, batch):
    with EventSet(path) as events:
        pieces = list(events.batches(256))
        assert [len(p) for p in pieces] == [256, 256, 188]
        assert_stored(concatenate(pieces), batch)
        assert list(next(events.batches(10, ["event_id"])).columns) == ["event_id"]


def test_columns_without_images(path, batch):
    with EventSet(path) as events:
        columns = events.columns()
        assert tuple(columns) == events.column_names == tuple(n for n in SCHEMA if n in batch.columns)
        assert all(np.array_equal(values, batch[name]) for name, values in columns.items())
        assert list(events.columns(["true_pe"])) == ["true_pe"]
        with pytest.raises(InputError, match=r"events.h5: no column 'true_p'; did you mean 'true_pe'"):
            events.columns(["true_p"])


def test_events_are_ordered_however_they_came(tmp_path, batch):
    with EventSetWriter(tmp_path / "e.h5", META) as writer:
        writer.append(batch.select(slice(400, 700)), unit=9)
        writer.append(batch.select(slice(0, 0)), unit=2)
        writer.append(batch.select(np.arange(399, -1, -1)), unit=3)
        assert writer.units == {2, 3, 9}
        assert len(writer) == 700
    with EventSet(tmp_path / "e.h5") as events:
        assert_stored(events.read(), batch)


def test_file_describes_itself(path):
    with h5py.File(path) as file:
        assert file["images/charge"].dtype == np.float16
        assert file["images/charge"].chunks == (256, 2, 1039)
        assert file["images/charge"].attrs["unit"] == "phe"
        assert file["images/time"].attrs["unit"] == "ns"
        assert file["events/true_energy_gev"].attrs["unit"] == "GeV"
        for name, dataset in file["events"].items():
            assert dataset.attrs["unit"] == SCHEMA[name].unit
            assert dataset.attrs["description"] == SCHEMA[name].description
        assert json.loads(file["generated"][0]) == META.generated
        meta = json.loads(file["meta"][0])
        assert meta["version"] == 1
        assert meta["camera"] == {"name": "MAGICCam"}
        assert meta["telescopes"] == ["M1", "M2"]
        datasets = []
        file.visititems(lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None)
        assert len(datasets) == 4 + len(file["events"])
        assert all(dataset.fletcher32 for dataset in datasets)


def test_charges_beyond_float16_are_clipped_and_counted(tmp_path, caplog):
    batch = make_batch(2)
    batch.charge[0, 0, :3] = [1e5, -1e6, np.inf]
    with caplog.at_level(logging.WARNING, logger="magicnn.io"):
        write(tmp_path / "e.h5", batch)
    assert "3 pixel values beyond the range of float16 were clipped to +-65504" in caplog.text
    with EventSet(tmp_path / "e.h5") as events:
        assert events.read().charge[0, 0, :3].tolist() == [65504.0, -65504.0, 65504.0]


# shuffled blocks


def ids(batches):
    return np.concatenate([b["event_id"] for b in batches])


def test_blocks_give_every_event_once_with_its_images(path, batch):
    with EventSet(path) as events:
        blocks = list(events.blocks(seed=1, epoch=0, block=64, mix=4))
    assert max(len(b) for b in blocks) == 64
    shuffled = concatenate(blocks)
    assert_stored(shuffled.select(np.argsort(shuffled["event_id"])), batch)
    assert not np.array_equal(shuffled["event_id"], batch["event_id"])


def test_order_of_blocks_is_a_function_of_seed_and_epoch(path):
    with EventSet(path) as one, EventSet(path) as two:
        first = ids(one.blocks(seed=1, epoch=0, block=64, mix=4, columns=["event_id"]))
        list(two.blocks(seed=5, epoch=9))
        assert np.array_equal(first, ids(two.blocks(seed=1, epoch=0, block=64, mix=4, columns=["event_id"])))
        for seed, epoch in ((1, 1), (2, 0)):
            assert not np.array_equal(first, ids(one.blocks(seed=seed, epoch=epoch, block=64, mix=4)))


def test_blocks_are_mixed(path):
    """With all blocks in memory the order is a random one: neighbours are a third of the file apart on average."""
    with EventSet(path) as events:
        order = ids(events.blocks(seed=3, epoch=0, block=64, mix=16))
    assert np.abs(np.diff(order)).mean() == pytest.approx(700 / 3, rel=0.1)


def test_blocks_keep_only_what_is_asked(path):
    keep = np.random.default_rng(0).random(700) < 0.3
    keep[256:512] = False
    with EventSet(path) as events:
        found = ids(events.blocks(seed=1, epoch=0, keep=keep))
        assert np.array_equal(np.sort(found), np.flatnonzero(keep))
        assert list(events.blocks(seed=1, epoch=0, keep=np.zeros(700, dtype=bool))) == []
        with pytest.raises(InputError, match="expected 700 flags"):
            next(events.blocks(seed=1, epoch=0, keep=keep[1:]))


# processes


def read_ids(events):
    return events.read(100, 110)["event_id"].tolist()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_event_set_can_be_pickled_and_sent_to_other_processes(path):
    with EventSet(path) as events:
        expected = read_ids(events)
        assert read_ids(pickle.loads(pickle.dumps(events))) == expected
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(1) as pool:
                found = pool.map(methodcaller("read", 100, 110), [events] * 3)
            assert [batch["event_id"].tolist() for batch in found] == [expected] * 3
        assert read_ids(events) == expected


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_open_handle_is_not_shared_with_a_forked_child(path):
    events = EventSet(path)
    expected = read_ids(events)
    child = os.fork()
    if child == 0:
        os._exit(0 if read_ids(events) == expected else 1)
    assert read_ids(events) == expected
    assert os.waitpid(child, 0)[1] == 0


def test_repr_says_what_it_is(path):
    events = EventSet(path)
    assert repr(events) == (
        f"EventSet({str(path)!r}: 700 gamma_diffuse events of 'za05to35', M1+M2, MAGICCam, {len(SCHEMA) - 1} columns)"
    )
    writer = EventSetWriter(path.with_name("other.h5"), META)
    assert repr(writer).endswith("0 events in 0 units)")
    writer.abandon()
    assert not list(path.parent.glob(".*"))


# what is wrong


def one_line(error):
    return "\n" not in str(error.value)


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.h5: no such file") as error:
        EventSet(tmp_path / "nowhere.h5")
    assert one_line(error)
    assert error.value.exit_code == 3
    with pytest.raises(InputError, match="is a directory"):
        EventSet(tmp_path)
    with pytest.raises(InputError, match="is a directory"):
        EventSetWriter(tmp_path, META)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_no_permission(tmp_path, path):
    file = tmp_path / "locked.h5"
    shutil.copy(path, file)
    file.chmod(0)
    with pytest.raises(InputError, match="no permission to read"):
        EventSet(file)
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written"):
        EventSetWriter(tmp_path / "closed" / "e.h5", META)


def test_other_files(tmp_path):
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "empty.h5").touch()
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images/charge"] = 1
    for name in ("text.h5", "empty.h5", "other.h5"):
        with pytest.raises(InputError, match=f"{name}: not an event set of magicnn") as error:
            EventSet(tmp_path / name)
        assert one_line(error)


def changed_copy(path, folder, change):
    copy = folder / "copy.h5"
    shutil.copy(path, copy)
    with h5py.File(copy, "r+") as file:
        change(file)
    return copy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.__setitem__("version", 3), "event set format 3, this magicnn reads up to 2; update it"),
        (lambda f: f.__delitem__("images/time"), "damaged event set"),
        (lambda f: f.__delitem__("meta"), "damaged event set"),
        (lambda f: f.__delitem__("events/true_pe"), "damaged event set"),
        (lambda f: f["events/true_pe"].attrs.__setitem__("unit", "GeV"), r"damaged event set \(column true_pe\)"),
        (lambda f: f.attrs.__delitem__("version"), "damaged event set"),
    ],
    ids=["newer", "no images", "no meta", "no column", "other unit", "no version"],
)
def test_damaged_or_newer_structure(path, tmp_path, change, message):
    with pytest.raises(InputError, match=message) as error:
        EventSet(changed_copy(path, tmp_path, change))
    assert one_line(error)


def test_event_set_without_events(path, tmp_path):
    def empty(file):
        for name in ("images/charge", "images/time", *(f"events/{n}" for n in file["events"])):
            old = file[name]
            attributes, shape, dtype = dict(old.attrs), (0, *old.shape[1:]), old.dtype
            del file[name]
            file.create_dataset(name, shape, dtype).attrs.update(attributes)

    with pytest.raises(InputError, match="the event set has no events"):
        EventSet(changed_copy(path, tmp_path, empty))
    with (
        pytest.raises(InputError, match="no events, so no event set was written"),
        EventSetWriter(tmp_path / "none.h5", META) as writer,
    ):
        writer.append(make_batch(0))
    assert [p.name for p in tmp_path.iterdir()] == ["copy.h5"]


@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.9, 0.9999])
def test_truncated_file(path, tmp_path, fraction):
    content = path.read_bytes()
    (tmp_path / "cut.h5").write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(InputError, match=r"cut.h5: (truncated file|cannot be opened)") as error:
        EventSet(tmp_path / "cut.h5")
    assert one_line(error)


def read_everything(file):
    with EventSet(file) as events:
        return events.read(), events.meta


def test_every_flipped_byte_of_the_data_is_found(path, tmp_path):
    content = path.read_bytes()
    places = []
    with h5py.File(path) as file:
        for name in ("images/charge", "images/time", "events/event_id", "events/true_impact_m", "meta", "generated"):
            for chunk in range(file[name].id.get_num_chunks()):
                info = file[name].id.get_chunk_info(chunk)
                places.append((info.byte_offset, info.size))
    for seed in range(50):
        rng = np.random.default_rng(seed)
        start, size = places[seed % len(places)]
        damaged = bytearray(content)
        damaged[start + rng.integers(size)] ^= int(rng.integers(1, 256))
        (tmp_path / "flipped.h5").write_bytes(damaged)
        with pytest.raises(InputError, match=r"flipped.h5: damaged event set") as error:
            read_everything(tmp_path / "flipped.h5")
        assert one_line(error)


def test_no_flipped_byte_changes_what_is_read(tmp_path):
    """A small file, so that most bytes belong to the structure: each flip is found or lies in unused space."""
    file = write(tmp_path / "small.h5", make_batch(3, meta=SMALL))
    content = file.read_bytes()
    expected, meta = read_everything(file)
    found = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= int(rng.integers(1, 256))
        (tmp_path / "flipped.h5").write_bytes(damaged)
        try:
            events, its_meta = read_everything(tmp_path / "flipped.h5")
        except InputError:
            found += 1
        else:
            assert_stored(events, expected)
            assert its_meta == replace(meta, camera=its_meta.camera)
            assert its_meta.camera.fingerprint == meta.camera.fingerprint
    assert found > 60


# the writer


def test_batches_that_do_not_fit_are_refused(tmp_path, batch):
    writer = EventSetWriter(tmp_path / "e.h5", META)
    writer.append(batch.select(slice(0, 5)))
    few = EventBatch(batch.charge[:1], batch.time[:1], {"run_id": [1], "event_id": [1]}, META)
    real = EventBatch(few.charge, few.time, few.columns, replace(META, is_simulation=False))
    unnamed = EventBatch(few.charge, few.time, {"run_id": [1]}, META)
    for odd, message in (
        (make_batch(1, meta=SMALL), "events of SmallCam .* do not fit into an event set of MAGICCam"),
        (real, "real and simulated events cannot share an event set"),
        (few, "columns not in all batches: daq_event_id"),
        (unnamed, "no column 'event_id'"),
    ):
        with pytest.raises(InputError, match=message):
            writer.append(odd)
    with pytest.raises(InputError, match="unit 0 has been written already"):
        writer.append(batch, unit=0)
    writer.close()
    with EventSet(tmp_path / "e.h5") as events:
        assert len(events) == 5


def test_meta_that_json_does_not_know_is_refused(tmp_path):
    with pytest.raises(InputError, match="meta of za05to35: expected plain values for JSON"):
        EventSetWriter(tmp_path / "e.h5", replace(META, generated={"a": object()}))
    assert list(tmp_path.iterdir()) == []


def test_meta_may_be_completed_at_the_end(tmp_path, batch):
    with EventSetWriter(tmp_path / "e.h5", META) as writer:
        writer.append(batch.select(slice(0, 5)))
        writer.meta = replace(META, generated={"n_thrown": 77})
    with EventSet(tmp_path / "e.h5") as events:
        assert events.meta.generated == {"n_thrown": 77}


def test_failure_leaves_nothing_or_what_can_be_resumed(tmp_path, batch):
    def fail(**options):
        with EventSetWriter(tmp_path / "e.h5", META, **options) as writer:
            writer.append(batch.select(slice(0, 300)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError):
        fail(resume=True)
    assert [p.name for p in tmp_path.iterdir()] == [".e.h5.partial"]
    with EventSetWriter(tmp_path / "e.h5", META, resume=True) as writer:
        assert writer.units == {0}
        assert len(writer) == 300
        writer.append(batch.select(slice(300, 700)))
    assert [p.name for p in tmp_path.iterdir()] == ["e.h5"]
    with EventSet(tmp_path / "e.h5") as events:
        assert_stored(events.read(), batch)


def test_without_resume_an_old_partial_file_is_dropped(tmp_path, batch):
    first = EventSetWriter(tmp_path / "e.h5", META, resume=True)
    first.append(batch.select(slice(0, 300)))
    first.abandon()
    write(tmp_path / "e.h5", batch.select(slice(0, 5)))
    with EventSet(tmp_path / "e.h5") as events:
        assert len(events) == 5


def test_old_file_stays_until_the_new_one_is_whole(tmp_path, batch):
    write(tmp_path / "e.h5", batch.select(slice(0, 5)))
    with EventSetWriter(tmp_path / "e.h5", META) as writer:
        writer.append(batch.select(slice(0, 9)))
        with EventSet(tmp_path / "e.h5") as events:
            assert len(events) == 5
    with EventSet(tmp_path / "e.h5") as events:
        assert len(events) == 9


def test_partial_file_of_other_settings_is_not_continued(tmp_path):
    EventSetWriter(tmp_path / "e.h5", META, resume=True).abandon()
    EventSetWriter(tmp_path / "e.h5", replace(META, provenance={"seed": 4, "host": 2}), resume=True).abandon()
    with pytest.raises(InputError, match="was left by a run with other settings; delete it"):
        EventSetWriter(tmp_path / "e.h5", replace(META, production="other"), resume=True)


def test_two_writers_of_one_file(tmp_path):
    writer = EventSetWriter(tmp_path / "e.h5", META)
    with pytest.raises(InputError, match="is being written by another process"):
        EventSetWriter(tmp_path / "e.h5", META, resume=True)
    writer.abandon()


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from test_eventset import META, EventSetWriter, InputError, make_batch
resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
writer = EventSetWriter(sys.argv[1], META, resume=True)
try:
    for unit in range(99):
        writer.append(make_batch(50, 100 * unit))
except InputError as error:
    writer.abandon()
    sys.exit(str(error))
"""


def run_script(script, target):
    return [sys.executable, "-c", script, str(target), str(Path(__file__).parent)]


def test_full_disk_is_one_line_and_keeps_what_fits(tmp_path):
    target = tmp_path / "e.h5"
    done = subprocess.run(run_script(LIMITED, target), capture_output=True, text=True, check=False)
    assert re.fullmatch(r".*\.e\.h5\.partial: cannot be written \(File too large\)\n", done.stderr)
    with EventSetWriter(target, META, resume=True) as writer:
        assert writer.units == {0, 1, 2}
    with EventSet(target) as events:
        assert_stored(events.read(), concatenate([make_batch(50, 100 * unit) for unit in range(3)]))


# killed writers

KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from test_eventset import SMALL, EventSetWriter, make_batch
with EventSetWriter(sys.argv[1], SMALL, resume=True) as writer:
    for unit in range(40):
        if unit not in writer.units:
            writer.append(make_batch(30 + unit, 100 * unit, SMALL), unit=unit)
            print(unit, flush=True)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    batches = [make_batch(30 + unit, 100 * unit, SMALL) for unit in range(40)]
    return write(tmp_path_factory.mktemp("whole") / "events.h5", *batches)


def test_killed_writer_continues_to_the_same_file(tmp_path, whole):
    target = tmp_path / "events.h5"
    last = 0
    for stop_after in (5, 17, None):
        with subprocess.Popen(run_script(KILLED, target), stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                assert int(line) >= last
                last = int(line)
                if last == stop_after:
                    process.send_signal(signal.SIGKILL)
                    break
        assert process.returncode == (-signal.SIGKILL if stop_after is not None else 0)
        assert target.exists() == (stop_after is None)
    assert target.read_bytes() == whole.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["events.h5"]


@settings(max_examples=25)
@given(fraction=st.floats(0.0, 1.0), garbage=st.binary(max_size=40))
def test_journal_torn_anywhere_continues_to_the_same_file(tmp_path_factory, whole, fraction, garbage):
    """Whatever a dying machine left at the end of the journal, whole units are kept and the rest is done again."""
    folder = tmp_path_factory.mktemp("torn")
    writer = EventSetWriter(folder / "events.h5", SMALL, resume=True)
    for unit in range(6):
        writer.append(make_batch(30 + unit, 100 * unit, SMALL), unit=unit)
    writer.abandon()
    journal = folder / ".events.h5.partial"
    content = journal.read_bytes()
    journal.write_bytes(content[: int(fraction * len(content))] + garbage)
    with EventSetWriter(folder / "events.h5", SMALL, resume=True) as writer:
        assert writer.units == set(range(len(writer.units)))
        for unit in range(40):
            if unit not in writer.units:
                writer.append(make_batch(30 + unit, 100 * unit, SMALL), unit=unit)
    assert (folder / "events.h5").read_bytes() == whole.read_bytes()
    shutil.rmtree(folder)


DIES_AT_THE_END = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from test_eventset import SMALL, EventSetWriter, make_batch
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
with EventSetWriter(sys.argv[1], SMALL, resume=True) as writer:
    for unit in range(40):
        writer.append(make_batch(30 + unit, 100 * unit, SMALL), unit=unit)
"""


def test_kill_while_the_file_is_put_together(tmp_path, whole):
    """Death between journal and file: the journal is still whole, the half file is replaced."""
    target = tmp_path / "events.h5"
    done = subprocess.run(run_script(DIES_AT_THE_END, target), check=False)
    assert done.returncode == -signal.SIGKILL
    assert sorted(p.name for p in tmp_path.iterdir()) == [".events.h5.part", ".events.h5.partial"]
    with EventSetWriter(target, SMALL, resume=True) as writer:
        assert writer.units == set(range(40))
    assert target.read_bytes() == whole.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["events.h5"]
