"""Event batches: what fits, what is refused, picking and joining."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicnn.array import TELESCOPES_M, TelescopeArray
from magicnn.camera import Camera
from magicnn.errors import InputError
from magicnn.events import SCHEMA, EventBatch, EventMeta, concatenate, event_weight, require_columns

META = EventMeta(particle="gamma", production="test", is_simulation=True, generated={"n_thrown": 10})


def make_batch(n_events, first_id=0, meta=META):
    rng = np.random.default_rng(n_events + first_id)
    images = rng.normal(size=(2, n_events, len(meta.telescopes), meta.camera.n_pixels)).astype(np.float32)
    columns = {
        "run_id": np.full(n_events, 5),
        "event_id": np.arange(first_id, first_id + n_events),
        "pedestal_rms_pe": rng.random((n_events, len(meta.telescopes))),
    }
    if meta.is_simulation:
        columns["true_energy_gev"] = rng.random(n_events)
    return EventBatch(images[0], images[1], columns, meta)


def assert_same(first, second):
    assert np.array_equal(first.charge, second.charge, equal_nan=True)
    assert np.array_equal(first.time, second.time, equal_nan=True)
    assert set(first.columns) == set(second.columns)
    for name in first.columns:
        assert first[name].dtype == second[name].dtype == SCHEMA[name].dtype
        assert np.array_equal(first[name], second[name])


def test_columns_get_the_dtype_of_the_schema():
    batch = make_batch(3)
    assert batch["event_id"].dtype == np.int64
    assert batch["pedestal_rms_pe"].dtype == np.float32
    assert len(batch) == 3
    low, high = np.sort(batch["true_energy_gev"])[[0, -1]]
    assert repr(batch) == f"EventBatch(3 gamma events, {low:.5g} to {high:.5g} GeV, M1+M2, MAGICCam, 4 columns)"


def test_schema_describes_every_column():
    for spec in SCHEMA.values():
        assert np.dtype(spec.dtype).kind in "iuf"
        assert spec.description
        assert "\n" not in spec.description


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"charge": np.zeros((3, 2, 1039))}, "charge images: expected float32 of shape .* got float64"),
        ({"time": np.zeros((3, 2, 1038), np.float32)}, r"time images: .* got float32 of \(3, 2, 1038\)"),
        ({"time": np.zeros((2, 2, 1039), np.float32)}, "time images"),
        ({"columns": {"true_enrgy_gev": np.zeros(3)}}, "unknown column 'true_enrgy_gev': did you mean"),
        ({"columns": {"event_id": np.zeros(4)}}, r"column 'event_id': expected shape \(3,\), got \(4,\)"),
        ({"columns": {"true_pe": np.zeros(3)}}, r"column 'true_pe': expected shape \(3, 2\)"),
        ({"meta": replace(META, is_simulation=False)}, "'true_energy_gev' is truth, but these events are real data"),
        ({"meta": replace(META, telescopes=("M1",))}, "charge images"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    batch = make_batch(3)
    fields = {"charge": batch.charge, "time": batch.time, "columns": dict(batch.columns), "meta": META}
    with pytest.raises(InputError, match=message):
        EventBatch(**{**fields, **change})


def test_batches_can_be_sent_to_other_processes():
    batch = make_batch(3)
    again = pickle.loads(pickle.dumps(batch))
    assert_same(again, batch)
    assert again.meta.camera.fingerprint == META.camera.fingerprint
    assert_same(copy.deepcopy(batch), batch)


def test_missing_column_names_the_nearest():
    with pytest.raises(InputError, match="no column 'true_enrgy_gev'; did you mean 'true_energy_gev'"):
        make_batch(1)["true_enrgy_gev"]
    with pytest.raises(InputError, match="here: no column 'a'; none are known"):
        require_columns({}, ["a"], where="here")


def test_columns_cannot_be_changed_in_place():
    batch = make_batch(2)
    with pytest.raises(TypeError):
        batch.columns["event_id"] = np.zeros(2)
    wider = batch.with_columns(shower_id=[4, 5])
    assert "shower_id" not in batch.columns
    assert wider["shower_id"].tolist() == [4, 5]
    assert_same(wider.select(slice(None)), wider)


@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_select_undoes_concatenate(sizes):
    batches = [make_batch(n, first_id=10 * i) for i, n in enumerate(sizes)]
    joined = concatenate(batches)
    assert len(joined) == sum(sizes)
    ends = np.cumsum(sizes)
    for batch, end in zip(batches, ends, strict=True):
        assert_same(joined.select(slice(end - len(batch), end)), batch)
        assert_same(joined.select(np.arange(end - len(batch), end)), batch)


@given(n_events=st.integers(0, 12), seed=st.integers(0, 99))
def test_select_by_mask_equals_select_by_index(n_events, seed):
    batch = make_batch(n_events)
    mask = np.random.default_rng(seed).random(n_events) < 0.5
    picked = batch.select(mask)
    assert len(picked) == mask.sum()
    assert_same(picked, batch.select(np.flatnonzero(mask)))
    order = np.random.default_rng(seed).permutation(n_events)
    assert_same(batch.select(order).select(np.argsort(order)), batch)
    assert_same(concatenate([picked, batch.select(~mask)]).select(np.argsort(np.argsort(~mask, kind="stable"))), batch)


def test_concatenate_keeps_what_all_share():
    first = make_batch(2, meta=replace(META, source_files=("a", "b")))
    second = make_batch(1, meta=replace(META, source_files=("b", "c")))
    joined = concatenate([first, second.with_columns(shower_id=[1])])
    assert joined.meta.source_files == ("a", "b", "c")
    assert joined.meta.particle == "gamma"
    assert joined.meta.generated == {"n_thrown": 10}
    assert "shower_id" not in joined.columns


def test_concatenate_of_different_productions_forgets_what_was_generated():
    proton = make_batch(1, meta=replace(META, particle="proton", generated={"n_thrown": 99}))
    joined = concatenate([make_batch(2), proton])
    assert joined.meta.particle == "mixed"
    assert joined.meta.generated == {}


def test_concatenate_refuses_what_does_not_belong_together(magic_camera):
    with pytest.raises(InputError, match="no events to join"):
        concatenate([])
    batch = make_batch(1)
    other_camera = Camera.from_geometry(magic_camera.x_m[:500], magic_camera.y_m[:500], name="half", focal_length_m=17)
    for other in (
        replace(META, telescopes=("M1",)),
        replace(META, camera=other_camera),
        replace(META, is_simulation=False),
    ):
        with pytest.raises(InputError, match="cannot join events of MAGICCam"):
            concatenate([batch, make_batch(1, meta=other)])


def test_events_without_a_weight_stand_for_themselves():
    old, new = make_batch(3), make_batch(2, first_id=10).with_columns(weight=np.array([2.5, 1.0]))
    assert event_weight(old.columns).tolist() == [1.0, 1.0, 1.0]
    joined = concatenate([old, new])
    assert joined["weight"].tolist() == [1.0, 1.0, 1.0, 2.5, 1.0]
    assert "weight" not in concatenate([old, make_batch(1, first_id=20)]).columns


def test_only_magic_stands_where_magic_does():
    assert np.array_equal(META.layout.positions_m, TELESCOPES_M)
    assert np.array_equal(replace(META, telescopes=("M2",)).layout.positions_m, TELESCOPES_M[1:])
    others = replace(META, telescopes=("LST-1", "LST-2"))
    with pytest.raises(InputError, match="nothing says where the telescopes LST-1, LST-2 stand"):
        _ = others.layout
    places = ((0.0, 1.0, 2.0), (3.0, 4.0, 5.0))
    assert replace(others, array=TelescopeArray(places)).layout.positions_m == places
    with pytest.raises(InputError, match="2 positions of the telescopes M1"):
        _ = replace(META, telescopes=("M1",), array=TelescopeArray(places)).layout
    moved = EventBatch(make_batch(1).charge, make_batch(1).time, {}, replace(META, array=TelescopeArray(places)))
    with pytest.raises(InputError, match="cannot join"):
        concatenate([make_batch(1), moved])
