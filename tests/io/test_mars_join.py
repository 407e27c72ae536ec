"""The join of two telescopes against a brute-force oracle, and what keeps event ids unique."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from magicnn.io.mars.join import EventKeys, backward_jumps, join_events, match_telescopes, unique_event_ids


def keys(rows):
    run, number, check = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return EventKeys(run, number, check)


def oracle(first, second, tolerance, *, use_number=True):
    """All pairs that agree, the closest check values first, each event once."""
    candidates = []
    for a in range(len(first)):
        for b in range(len(second)):
            same = first.run_id[a] == second.run_id[b] and (not use_number or first.number[a] == second.number[b])
            distance = abs(int(first.check[a]) - int(second.check[b]))
            if same and distance <= tolerance:
                candidates.append((distance, a, b))
    pairs = []
    for _, a, b in sorted(candidates):
        if all(a != other and b != another for other, another in pairs):
            pairs.append((a, b))
    return sorted(pairs)


event = st.tuples(st.integers(1, 2), st.integers(0, 6), st.integers(0, 30))
events = st.lists(event, max_size=25)


@settings(max_examples=300, deadline=None)
@given(events, events, st.integers(0, 5))
def test_join_equals_brute_force(rows_first, rows_second, tolerance):
    first, second = keys(rows_first), keys(rows_second)
    a, b = join_events(first, second, tolerance=tolerance)
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == oracle(first, second, tolerance)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 50), max_size=40), st.data())
def test_ids_are_unique_and_keep_the_number(numbers, data):
    run = np.array(data.draw(st.lists(st.integers(1, 2), min_size=len(numbers), max_size=len(numbers))), dtype=np.int64)
    number = np.array(numbers, dtype=np.int64)
    ids = unique_event_ids(run, number)
    assert len({(r, i) for r, i in zip(run.tolist(), ids.tolist(), strict=True)}) == len(number)
    np.testing.assert_array_equal(ids & 0xFFFFFFFF, number)
    first_of_its_kind = [
        i for i in range(len(number)) if (run[i], number[i]) not in set(zip(run[:i], number[:i], strict=True))
    ]
    np.testing.assert_array_equal(ids[first_of_its_kind], number[first_of_its_kind])


def two_telescopes(n=400, flips=(), offset=0):
    """Events of one run, every 3 ms; M2's counter reads wrong where ``flips`` says."""
    time = np.arange(n, dtype=np.int64) * 3_000_000
    number = np.arange(1, n + 1, dtype=np.int64)
    run = np.full(n, 7, dtype=np.int64)
    wrong = number.copy()
    for where, by in flips:
        wrong[where] += by
    return EventKeys(run, number, time), EventKeys(run, wrong, time + offset)


def test_small_jumps_lose_only_the_events_that_jumped():
    first, second = two_telescopes(flips=[(10, -3), (20, 5)])
    match = match_telescopes(first, second, tolerance=10_000, by_time=True)
    assert backward_jumps(second.number) == 2 + 4
    assert (match.n_by_number, match.n_by_time, match.n_disagree) == (398, 0, 0)
    np.testing.assert_array_equal(match.first, match.second)


def test_beyond_a_hundred_jumps_time_takes_over():
    first, second = two_telescopes(flips=[(10, 64), (20, 64), (300, -256)])
    match = match_telescopes(first, second, tolerance=10_000, by_time=True)
    assert backward_jumps(second.number) > 100
    assert (match.n_by_number, match.n_by_time) == (397, 3)
    np.testing.assert_array_equal(match.first, np.arange(400))
    np.testing.assert_array_equal(match.second, np.arange(400))
    assert match_telescopes(first, second, tolerance=10_000, by_time=False).n_by_time == 0


def test_equal_numbers_of_different_times_are_not_joined():
    first, second = two_telescopes(offset=1_000_000)
    match = match_telescopes(first, second, tolerance=10_000, by_time=True)
    assert len(match.first) == 0
    assert match.n_disagree == 400


def test_a_counter_that_restarts_keeps_both_events():
    time = np.arange(6, dtype=np.int64) * 1_000_000
    number = np.array([1, 2, 3, 1, 2, 3], dtype=np.int64)
    both = EventKeys(np.ones(6, dtype=np.int64), number, time)
    rows_first, rows_second = join_events(both, both, tolerance=10)
    np.testing.assert_array_equal(rows_first, np.arange(6))
    np.testing.assert_array_equal(rows_second, np.arange(6))
    assert unique_event_ids(both.run_id, number).tolist() == [1, 2, 3, 2**32 + 1, 2**32 + 2, 2**32 + 3]


def test_no_events():
    nothing, something = keys([]), keys([(1, 2, 3)])
    for a, b in ((nothing, nothing), (nothing, something), (something, nothing)):
        assert len(match_telescopes(a, b, tolerance=1, by_time=True).first) == 0
