import numpy as np
import pytest

from magicnn.zenith import UNKNOWN_ZENITH, ZenithRange, zenith_difference


def test_round_trip_and_words():
    zenith = ZenithRange.of([5.3, 34.2, np.nan])
    assert (zenith.low_deg, zenith.high_deg) == (5.0, 35.0)
    assert ZenithRange.from_mapping(zenith.to_mapping()) == zenith
    assert str(zenith) == "5 to 35 deg"
    assert ZenithRange.from_mapping(None) == ZenithRange.of([np.nan]) == UNKNOWN_ZENITH
    assert str(UNKNOWN_ZENITH) == "unknown"


@pytest.mark.parametrize(
    ("zenith_deg", "told"),
    [
        ([5.0, 20.0, 35.0], None),
        ([35.9, np.nan], None),
        ([20.0, 40.2, 47.0], "2 of 3 at zenith 40 to 47 deg, outside of the 5 to 35 deg of the training events"),
        ([2.0], "1 of 1 at zenith 2 deg, outside of the 5 to 35 deg of the training events"),
    ],
)
def test_events_outside_are_counted(zenith_deg, told):
    assert zenith_difference(zenith_deg, ZenithRange(5.0, 35.0)) == told
    assert zenith_difference(zenith_deg, UNKNOWN_ZENITH) is None
