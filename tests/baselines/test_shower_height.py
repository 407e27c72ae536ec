"""Typical height of the maximum: learnt from geometry alone, deeper for brighter showers, kept in files."""

import numpy as np
import pytest
from projected_showers import projected

from magicnn.baselines.shower_height import TypicalHeight


def test_height_of_the_simulation_is_found():
    gammas = projected(3000, 21)  # 11 km above the sea, 0.7 km of spread, whatever the size
    height = TypicalHeight.fit(gammas)
    np.testing.assert_allclose(height.above_ground_m(gammas), 8800.0, rtol=0.02)
    assert height.spread == pytest.approx(700.0 / 8800.0, rel=0.15)


def test_brighter_showers_are_deeper():
    gammas = projected(3000, 22)
    gammas = gammas.select(gammas["is_stereo"] & (np.abs(gammas["h_max_m"] - 11e3) < 3e3))
    low, high = (np.quantile(gammas["h_max_m"], q) for q in (0.1, 0.9))
    # as if light told the height: the lower the maximum the more of it
    share = np.clip((gammas["h_max_m"] - low) / (high - low), 0.0, 1.0)
    taught = gammas.with_columns(size_pe=np.repeat(10.0 ** (3.5 - 1.5 * share), 2).reshape(-1, 2))
    height = TypicalHeight.fit(taught)
    assert np.corrcoef(height.above_ground_m(taught), share)[0, 1] > 0.9
    assert height.spread < 0.9 * TypicalHeight.fit(gammas).spread


def test_size_beyond_the_training_is_taken_at_its_edge():
    gammas = projected(1000, 23)
    height = TypicalHeight.fit(gammas)
    edge, beyond = (
        height.above_ground_m(gammas.with_columns(size_pe=np.full((len(gammas), 2), size))) for size in (1e4, 1e7)
    )
    np.testing.assert_allclose(edge, beyond, rtol=1e-12)


def test_file_keeps_it():
    height = TypicalHeight.fit(projected(500, 24))
    assert TypicalHeight.from_mapping(height.to_mapping()) == height


def test_nothing_to_learn_from_gives_no_certainty():
    gammas = projected(50, 25)
    blind = gammas.with_columns(true_impact_m=np.full((50, 2), np.nan))
    height = TypicalHeight.fit(blind)
    np.testing.assert_allclose(height.above_ground_m(gammas), 8000.0)
    assert height.spread == 1.0
