"""No shower is on two sides of a split, whatever the events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicnn.errors import ConfigError
from magicnn.splits import split_by_shower

SHOWERS = st.lists(st.integers(0, 2**62), min_size=1, max_size=60)


@given(SHOWERS, st.integers(1, 20), st.integers(0, 2**31))
def test_no_shower_is_on_both_sides(showers, n_uses, seed):
    ids = np.repeat(showers, n_uses)
    ids = np.random.default_rng(seed).permutation(ids)
    part = split_by_shower(ids, [0.5, 0.3, 0.2], seed=seed)
    sides = [set(ids[part == k].tolist()) for k in range(3)]
    assert sum(map(len, sides)) == len(set().union(*sides))
    assert set(part.tolist()) <= {0, 1, 2}


@given(SHOWERS, st.integers(0, 2**31))
def test_a_shower_keeps_its_side_when_others_come_or_go(showers, seed):
    ids = np.array(showers)
    part = split_by_shower(ids, [0.8, 0.2], seed=seed)
    np.testing.assert_array_equal(split_by_shower(ids[::-1], [0.8, 0.2], seed=seed), part[::-1])
    np.testing.assert_array_equal(split_by_shower(ids[:1], [0.8, 0.2], seed=seed), part[:1])


def test_shares_are_as_asked_and_seeds_are_independent():
    ids = np.arange(40_000)
    part = split_by_shower(ids, [0.7, 0.2, 0.1], seed=1)
    expected = 40_000 * np.array([0.7, 0.2, 0.1])
    assert np.all(np.abs(np.bincount(part) - expected) < 5 * np.sqrt(expected))
    other = split_by_shower(ids, [0.7, 0.2, 0.1], seed=2)
    both = np.mean((part == 2) & (other == 2))
    assert both == pytest.approx(0.01, abs=5 * np.sqrt(0.01 / 40_000))


@pytest.mark.parametrize("fractions", [[], [0.5, 0.4], [1.2, -0.2], [1.0, 0.0]])
def test_wrong_fractions_are_refused(fractions):
    with pytest.raises(ConfigError, match="sum 1"):
        split_by_shower([1, 2], fractions, seed=0)
