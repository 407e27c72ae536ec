"""Names that are nearly right."""

import pytest

from magicnn.errors import has_near_name, known_name, nearest_names


@pytest.mark.parametrize(
    ("name", "found"),
    [("LSTCam", "LSTCam"), ("lstcam", "LSTCam"), ("LST", None), ("nectarcam", None), ("NectarCam", "NectarCam")],
)
def test_capitals_do_not_matter_where_one_name_can_be_meant(name, found):
    assert known_name(name, ["LSTCam", "NectarCam", "NECTARCam"]) == found


def test_near_names_whatever_their_case():
    known = ["LSTCam", "NectarCam"]
    assert nearest_names("lstcm", known) == "did you mean 'LSTCam'?"
    assert has_near_name("nectarkam", known)
    assert nearest_names("SCTCAMERA1", ["x"]) == "known: x"
