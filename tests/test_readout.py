import pytest

from magicnn.events import EventMeta, joined_meta
from magicnn.readout import UNKNOWN_READOUT, Readout, readout_difference


def meta(gsps, window_ns, *, assumed=False):
    return EventMeta(
        None, "test", is_simulation=False, sampling_gsps=gsps, window_ns=window_ns, sampling_assumed=assumed
    )


def test_round_trip_and_words():
    readout = Readout.of(meta(2.05, 80 / 2.05, assumed=True))
    assert Readout.from_mapping(readout.to_mapping()) == readout
    assert str(readout) == "2.05 GS/s (assumed from the date), window 39.0 ns"
    assert Readout.from_mapping(None) == UNKNOWN_READOUT
    assert str(UNKNOWN_READOUT) == "unknown"


@pytest.mark.parametrize(
    ("events", "trained", "differs"),
    [
        ((2.05, 39.0), (1.64, 30.5), True),
        ((1.64, 48.8), (1.64, 30.5), True),
        ((1.64, 30.5), (1.64, 50 / 1.64), False),
        ((None, None), (1.64, 30.5), False),
        ((2.05, None), (None, 30.5), False),
    ],
)
def test_only_what_is_known_of_both_can_differ(events, trained, differs):
    text = readout_difference(Readout(*events), Readout(*trained))
    assert (text is not None) == differs
    if differs:
        assert text == f"read out at {Readout(*events)}, the training events at {Readout(*trained)}"


def test_events_of_two_readouts_together_have_none():
    assert Readout.of(joined_meta([meta(1.64, 30.5), meta(1.64, 30.5)])) == Readout(1.64, 30.5)
    assert Readout.of(joined_meta([meta(1.64, 30.5), meta(2.05, 39.0, assumed=True)])) == Readout(None, None, True)
