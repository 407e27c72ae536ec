"""Responses of several methods in several zenith ranges, and all of their files at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from magicnn.errors import InputError
from magicnn.evaluation.binning import Range
from magicnn.evaluation.response.files import save_gadf, save_table
from magicnn.evaluation.response.instrument import InstrumentResponse, ResponseSettings, instrument_response
from magicnn.predictions import PredictionTable

__all__ = ["USUAL_GAMMANESS_OF", "range_code", "responses_of", "save_responses"]

_LOG = logging.getLogger(__name__)

USUAL_GAMMANESS_OF: Mapping[str, str] = MappingProxyType({"LUT": "forest"})
"""The standard analysis of MAGIC takes the gammaness of the forest with the energies of the lookup tables."""


def responses_of(
    tables: Mapping[str, Sequence[PredictionTable]],
    zenith_ranges_deg: Iterable[Range],
    settings: ResponseSettings | None = None,
    *,
    gammaness_of: Mapping[str, str] = USUAL_GAMMANESS_OF,
) -> list[InstrumentResponse]:
    """Make the responses of every method in every zenith range where that can be done.

    Parameters
    ----------
    tables : mapping of method to sequence of PredictionTable
        Predictions for simulated events that no method was trained on.
    zenith_ranges_deg : iterable of (float, float)
        Ranges of the pointing.
    settings : ResponseSettings, optional
        Bins, cuts, time.
    gammaness_of : mapping of str to str
        Methods whose gammaness is used by one that has none.

    Returns
    -------
    list of InstrumentResponse
        Range by range; why others are left out is logged.

    Raises
    ------
    MissingDependencyError
        pyirf is not installed.
    """
    found = []
    for zenith in zenith_ranges_deg:
        for method, mine in tables.items():
            others = tables.get(gammaness_of.get(method, ""), ())
            try:
                found.append(instrument_response(mine, zenith, settings, gammaness_from=others))
            except InputError as error:
                _LOG.warning("%s", error)
    return found


def range_code(zenith_deg: Range) -> str:
    """Return a zenith range as names of files have it."""
    return f"za{zenith_deg[0]:02.0f}to{zenith_deg[1]:02.0f}"


def save_responses(responses: Sequence[InstrumentResponse], folder: Path) -> None:
    """Write ``response.ecsv`` and a FITS file per response into a folder.

    Raises
    ------
    InputError
        A file cannot be written.
    MissingDependencyError
        pyirf is not installed.
    """
    for response in responses:
        save_gadf(response, folder / f"irf_{response.method}_{range_code(response.zenith_deg)}.fits")
    save_table(responses, folder / "response.ecsv")
