"""Tables of another program on the events of ours."""

import logging

import numpy as np
import pytest

from magicnn.errors import InputError
from magicnn.evaluation import evaluate
from magicnn.evaluation.same_events import on_the_same_events
from magicnn.predictions import PredictionTable

JOINED = {"joined_by_event": True}


def table(method, events, *, run=1, meta=None, energy=100.0, particle="gamma", **columns):
    events = np.asarray(events)
    n = len(events)
    base = {"run_id": np.full(n, run), "event_id": events, "true_energy_gev": energy + events}
    return PredictionTable(method, {**base, "gammaness": events / 100.0, **columns}, particle, {}, meta or {})


def test_rows_follow_the_other_methods():
    ours = table("CNN", [1, 2, 3, 4], is_valid=np.ones(4, bool))
    theirs = table("MARS", [4, 9, 2], meta=JOINED, is_valid=np.array([True, True, False]))
    placed = on_the_same_events({"CNN": [ours], "MARS": [theirs]})["MARS"][0]
    assert placed["event_id"].tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(placed["gammaness"], [np.nan, 0.02, np.nan, 0.04])
    assert placed["is_valid"].tolist() == [False, False, False, True]
    np.testing.assert_array_equal(placed["true_energy_gev"], ours["true_energy_gev"])


def test_what_has_no_partner_is_counted(caplog):
    caplog.set_level(logging.INFO, logger="magicnn")
    logging.getLogger("magicnn").addHandler(caplog.handler)
    try:
        tables = {"CNN": [table("CNN", [1, 2, 3, 4])], "MARS": [table("MARS", [4, 9, 2], meta=JOINED)]}
        on_the_same_events(tables)
    finally:
        logging.getLogger("magicnn").removeHandler(caplog.handler)
    said = [record.getMessage() for record in caplog.records]
    assert "MARS: 2 of 4 gamma events of the other methods" in said
    assert "MARS: 1 events that no other method has are left out" in said


def test_several_tables_and_particles():
    ours = [table("CNN", [1, 2]), table("CNN", [1, 2], run=2), table("CNN", [1, 2], particle="proton", energy=500.0)]
    theirs = [
        table("MARS", [2, 1], run=2, meta=JOINED),
        table("MARS", [2], particle="proton", energy=500.0, meta=JOINED),
    ]
    placed = on_the_same_events({"CNN": ours, "forest": ours, "MARS": theirs})["MARS"]
    assert [t.particle for t in placed] == ["gamma", "gamma", "proton"]
    np.testing.assert_array_equal(
        np.concatenate([t["gammaness"] for t in placed]), [np.nan, np.nan, 0.01, 0.02, np.nan, 0.02]
    )


def test_alone_it_stays_as_it_is():
    tables = {"MARS": [table("MARS", [1, 2], meta=JOINED)]}
    assert on_the_same_events(tables) == tables


def test_equal_numbers_of_other_showers():
    ours, theirs = table("CNN", [1, 2]), table("MARS", [1, 2], energy=200.0, meta=JOINED)
    with pytest.raises(
        InputError, match=r"other simulations: event 1 of run 1 has 201 GeV in one and 101 GeV .*2 of 2"
    ):
        on_the_same_events({"CNN": [ours], "MARS": [theirs]})


def test_an_event_twice():
    theirs = [table("MARS", [1, 2], meta=JOINED), table("MARS", [2], meta=JOINED)]
    with pytest.raises(InputError, match="predictions of MARS: event 2 of run 1 is there twice"):
        on_the_same_events({"CNN": [table("CNN", [1, 2])], "MARS": theirs})


def test_all_methods_are_judged_on_what_all_have(synthetic):
    """A copy of a method that misses every third event: the same numbers for both, fewer events, and said so."""
    own = synthetic.predictions(n_showers=120, methods={"CNN": (2.6, 0.13)})["CNN"][0]
    kept = own.select(np.arange(len(own)) % 3 > 0)
    copy = PredictionTable("MARS", kept.columns, own.particle, {}, JOINED)
    metrics = evaluate({"CNN": [own], "MARS": [copy]})
    rows = {
        (r.method, r.metric): r
        for r in metrics.rows
        if (r.zenith_min_deg, r.zenith_max_deg) == (5.0, 35.0) and r.metric in ("valid_fraction", "bias_median")
    }
    ours, theirs = rows["CNN", "valid_fraction"], rows["MARS", "valid_fraction"]
    assert ours.n_events == theirs.n_events
    assert theirs.value == pytest.approx(ours.value * 2 / 3, abs=0.03)
    both = [
        [(r.n_events, r.value) for r in metrics.rows if r.method == m and r.task == "energy"] for m in ("CNN", "MARS")
    ]
    np.testing.assert_array_equal(both[0], both[1])
    assert max(n for n, _ in both[0]) < 0.7 * ours.n_events
