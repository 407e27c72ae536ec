import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from magicnn.evaluation.intervals import CONFIDENCE, bootstrap_interval
from magicnn.evaluation.resampling import Ranked, Resampled, ShowerBootstrap, resample


def drawn(shower, n_replicates, seed):
    shower = np.asarray(shower)
    return ShowerBootstrap.draw(shower, n_replicates, np.random.SeedSequence(seed)).sets(shower)


def written_out(counts):
    """Sets that hold the events as often as given, [b, N]."""
    counts = np.asarray(counts)
    return Resampled(np.arange(counts.shape[1]), counts.T.astype(np.uint8))


def test_bootstrap_of_a_mean_has_the_standard_error_and_covers():
    rng = np.random.default_rng(4)
    inside = []
    for trial in range(200):
        values = rng.normal(size=150)

        def mean(sets, values=values):
            total, number = sets.sums(values, 1.0)
            return (total / number)[:, None]

        value, sets = resample(mean, drawn(np.arange(150), 200, trial))
        assert value[0] == pytest.approx(values.mean())
        low, high = bootstrap_interval(value[0], sets[:, 0])
        inside.append(low <= 0.0 <= high)
    assert np.mean(inside) == pytest.approx(CONFIDENCE, abs=0.1)
    assert sets.std() == pytest.approx(values.std() / np.sqrt(150), rel=0.2)


def test_bootstrap_draws_whole_showers_and_repeats():
    shower = 7 + 3 * np.repeat(np.arange(40), 5)  # numbers may have gaps
    sets = drawn(shower, 25, 5)
    each = sets.multiplicity(np.tile(np.arange(200), (25, 1)))
    assert (each.reshape(25, 40, 5) == each.reshape(25, 40, 5)[:, :, :1]).all()
    assert (each.sum(axis=1, dtype=int) == 200).all()
    np.testing.assert_array_equal(sets.counts, drawn(shower, 25, 5).counts)
    assert (sets.counts != drawn(shower, 25, 6).counts).any()


def test_a_part_of_the_events_keeps_its_showers_sets():
    shower = np.repeat(np.arange(30), 3)
    bootstrap = ShowerBootstrap.draw(shower, 80, np.random.SeedSequence(1))
    every, some = np.tile(np.arange(90), (80, 1)), np.arange(5, 60, 4)
    each = bootstrap.sets(shower).multiplicity(every)[:, some]
    part = bootstrap.sets(shower[some]).multiplicity(np.tile(np.arange(len(some)), (80, 1)))
    np.testing.assert_array_equal(part, each)


def test_bootstrap_of_nothing():
    sets = drawn([], 20, 0)
    assert sets.n_sets == 20
    assert (sets.sums(np.empty(0))[0] == 0).all()
    assert np.isnan(Ranked(sets, np.empty(0)).quantiles([0.5])).all()
    assert (Ranked(sets, np.empty(0)).below(np.zeros((20, 2))) == 0).all()


@settings(max_examples=60, deadline=None)
@given(values=hnp.arrays(np.float64, st.integers(1, 90), elements=st.floats(-5, 5)), data=st.data())
def test_everything_is_that_of_the_events_written_out(values, data):
    counts = data.draw(hnp.arrays(np.int32, (3, len(values)), elements=st.integers(0, 3)))
    weights = data.draw(hnp.arrays(np.int32, len(values), elements=st.integers(1, 3))).astype(float)
    sets, wanted = written_out(counts), [0.0, 0.16, 0.5, 0.84, 1.0]
    place = np.arange(len(values)) % 4
    ranked = Ranked(sets, values, weights)
    limits = np.tile([-1.0, values[0], 2.0], (3, 1))
    found = ranked.quantiles(wanted), ranked.below(limits), sets.histogram(place, 4, weights), sets.sums(values)[0]
    for k, count in enumerate(counts):
        copies = np.repeat(np.arange(len(values)), count)
        each = np.repeat(values[copies], weights[copies].astype(int))
        if len(each):
            np.testing.assert_allclose(found[0][k], np.quantile(each, wanted), atol=1e-12)
        else:
            assert np.isnan(found[0][k]).all()
        np.testing.assert_array_equal(found[1][k], [(each < limit).sum() for limit in limits[k]])
        np.testing.assert_allclose(found[2][k], np.bincount(place[copies], weights=weights[copies], minlength=4))
        assert found[3][k] == pytest.approx(values[copies].sum(), abs=1e-9)
