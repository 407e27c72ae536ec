"""Lookup tables of known functions."""

import numpy as np
import pytest

from magicnn.baselines.smooth_table import SmoothTable
from magicnn.errors import InputError

EDGES = np.arange(0.0, 5.5, 0.5)


def filled(n, seed, *, min_events=20.0, noise=0.3):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 5, (2, n))
    content = 2.0 + 0.5 * x - 0.3 * y + rng.normal(0.0, noise, n)
    return SmoothTable.fill(x, y, content, weights=np.ones(n), x_edges=EDGES, y_edges=EDGES, min_events=min_events)


def test_a_plane_is_recovered_with_its_scatter():
    table = filled(100_000, 1)
    x, y = np.random.default_rng(2).uniform(0.5, 4.5, (2, 1000))
    mean, rms = table(x, y)
    np.testing.assert_allclose(mean, 2.0 + 0.5 * x - 0.3 * y, atol=0.06)
    # the plane also varies within a cell
    inside = np.hypot(0.5, 0.3) * 0.5 / np.sqrt(12.0)
    np.testing.assert_allclose(rms.mean(), np.hypot(0.3, inside), rtol=0.05)


def test_cells_that_are_full_are_not_smoothed():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 5, (2, 50_000))
    step = np.where(x < 2.5, 0.0, 1.0)
    table = SmoothTable.fill(x, y, step, weights=np.ones(50_000), x_edges=EDGES, y_edges=EDGES, min_events=20)
    assert set(np.unique(table.mean)) == {0.0, 1.0}


def test_thin_cells_borrow_and_empty_regions_stay_empty():
    table = filled(1500, 4)
    assert np.isfinite(table.mean).all()
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, 2, (2, 2000))
    corner = SmoothTable.fill(x, y, x, weights=np.ones(2000), x_edges=EDGES, y_edges=EDGES, min_events=20)
    assert np.isfinite(corner.mean[:4, :4]).all()
    assert np.isnan(corner.mean[8:, 8:]).all()
    assert np.isnan(corner(4.8, 4.8)[0])


def test_weights_count():
    x = np.full(200, 1.25)
    content = np.repeat([1.0, 3.0], 100)
    weights = np.repeat([3.0, 1.0], 100)
    table = SmoothTable.fill(x, x, content, weights=weights, x_edges=EDGES, y_edges=EDGES, min_events=20)
    mean, rms = table(1.25, 1.25)
    assert mean == pytest.approx(1.5)
    assert rms == pytest.approx(np.sqrt(0.75 * 0.25 * 4.0))


def test_outside_and_unknown_positions_are_nan():
    table = filled(20_000, 6)
    mean, rms = table([-0.1, 5.1, 2.0, 2.0, np.nan, 2.0], [2.0, 2.0, -0.1, 5.1, 2.0, np.nan])
    assert np.isnan(mean).all()
    assert np.isnan(rms).all()
    assert np.isfinite(table(0.0, 5.0)[0])  # the edges themselves belong to it


def test_unknown_events_do_not_fill():
    x = np.array([1.2] * 50 + [np.nan] * 50 + [1.2] * 50)
    content = np.array([1.0] * 100 + [np.nan] * 50)
    table = SmoothTable.fill(
        x, np.full(150, 1.2), content, weights=np.ones(150), x_edges=EDGES, y_edges=EDGES, min_events=20
    )
    assert table(1.2, 1.2)[0] == 1.0


def test_arrays_make_the_same_table():
    table = filled(5000, 7)
    again = SmoothTable.from_arrays(table.to_arrays())
    x, y = np.random.default_rng(8).uniform(0, 5, (2, 100))
    np.testing.assert_array_equal(again(x, y), table(x, y))
    with pytest.raises(InputError, match=r"cells of shape \(10, 10\), got \(9, 10\)"):
        SmoothTable.from_arrays({**table.to_arrays(), "mean": table.mean[1:]})
