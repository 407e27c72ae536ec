"""Is the response that of MAGIC: effective areas, threshold and rates against released and published ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from magicnn.evaluation.binning import Range
from magicnn.evaluation.published import published_sensitivity
from magicnn.evaluation.response.instrument import InstrumentResponse, SensitivityCurve

__all__ = ["Gate", "State", "area_gates", "rate_gates"]

State = Literal["pass", "fail", "open", "limit"]

_AREA_ZENITH_DEG: Range = (5.0, 30.0)
_AREAS = (
    # true energies, effective areas of MAGIC's public DL3 files of zenith 20 deg
    ((95.0, 150.0), (2.7e4, 2.7e4)),
    ((183.0, 290.0), (4.9e4, 4.9e4)),
    ((550.0, 890.0), (8e4, 9e4)),
    ((1400.0, 10000.0), (1.1e5, 1.5e5)),
)
_AREA_TOLERANCE = 0.3
_THRESHOLD_GEV = (75.0, 90.0)
_GAMMA_TOLERANCE = 0.3
_BACKGROUND_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class Gate:
    """One comparison with MAGIC.

    Attributes
    ----------
    method : str
        Method.
    quantity : str
        What is compared, with its unit.
    zenith_deg, energy_gev : (float, float)
        Pointing; true energy for areas, estimated energy for rates, NaN for a threshold.
    value, error : float
        What the simulation gives, and its standard error.
    reference : (float, float)
        What MAGIC has, a range where it is one.
    allowed : (float, float)
        Where the value must lie.
    state : {"pass", "fail", "open", "limit"}
        Inside; outside by more than the error; not decided, as the error is larger than the tolerance or reaches into
        what is allowed; an upper limit, for want of simulated background.
    """

    method: str
    quantity: str
    zenith_deg: Range
    energy_gev: Range
    value: float
    error: float
    reference: Range
    allowed: Range
    state: State


def area_gates(response: InstrumentResponse) -> list[Gate]:
    """Compare effective area and threshold after cuts of fixed efficiency with MAGIC's released responses.

    Parameters
    ----------
    response : InstrumentResponse
        Of any zenith range; the released responses are for 5 to 30 deg.

    Returns
    -------
    list of Gate
        Empty for other zenith ranges.
    """
    if response.zenith_deg != _AREA_ZENITH_DEG:
        return []
    curve = response.areas["efficiency"]
    edges = np.array(response.settings.true_edges_gev)
    centre = np.sqrt(edges[1:] * edges[:-1])
    gates = []
    for energy, reference in _AREAS:
        inside = (centre >= energy[0]) & (centre < energy[1]) & (curve.n_events > 0.0)
        weight = curve.n_events[inside]
        value = error = np.nan
        if weight.sum() > 0.0:
            value = float(np.average(curve.value[inside], weights=weight))
            error = float(np.sqrt(np.sum((weight * curve.error[inside]) ** 2)) / weight.sum())
        allowed = (1.0 - _AREA_TOLERANCE) * reference[0], (1.0 + _AREA_TOLERANCE) * reference[1]
        gates.append(_gate(response, "effective area [m²]", energy, value, error, reference, allowed))
    value, low, high = response.threshold_gev
    gates.append(
        _gate(
            response,
            "threshold [GeV]",
            (np.nan, np.nan),
            value,
            0.5 * (high - low),
            _THRESHOLD_GEV,
            _THRESHOLD_GEV,
        )
    )
    return gates


def rate_gates(response: InstrumentResponse) -> list[Gate]:
    """Compare the rates of gammas and background after the cuts of best sensitivity with tables A.7 and A.8.

    Parameters
    ----------
    response : InstrumentResponse
        Of 5 to 30 or of 30 to 45 deg, in the bins of the tables.

    Returns
    -------
    list of Gate
        Two per bin that both have; empty for other zenith ranges. The cuts are not those of the tables, which are not
        published.
    """
    published = published_sensitivity(response.zenith_deg)
    if published is None:
        return []
    return list(_rates(response, response.differential, published["energy_min_gev"].tolist()))


def _rates(response: InstrumentResponse, curve: SensitivityCurve, energies: Sequence[float]) -> Iterator[Gate]:
    published = published_sensitivity(response.zenith_deg)
    assert published is not None
    for row, low in enumerate(energies):
        found = np.flatnonzero(np.isclose(curve.energy_min_gev, low, rtol=0.01))
        if not len(found):
            continue
        k = int(found[0])
        energy = float(curve.energy_min_gev[k]), float(curve.energy_max_gev[k])
        gamma, background = (float(published[n][row]) for n in ("gamma_per_min", "background_per_min"))
        near = (1.0 - _GAMMA_TOLERANCE) * gamma, (1.0 + _GAMMA_TOLERANCE) * gamma
        value, error = 60.0 * float(curve.gamma_hz[k]), 60.0 * float(curve.gamma_error_hz[k])
        yield _gate(response, "gammas per minute", energy, value, error, (gamma, gamma), near)
        near = background / _BACKGROUND_FACTOR, _BACKGROUND_FACTOR * background
        value, error = 60.0 * float(curve.background_hz[k]), 60.0 * float(curve.background_error_hz[k])
        both = background, background
        is_limit = bool(curve.is_limit[k])
        yield _gate(response, "background per minute", energy, value, error, both, near, is_limit=is_limit)


def _gate(
    response: InstrumentResponse,
    quantity: str,
    energy: Range,
    value: float,
    error: float,
    reference: Range,
    allowed: Range,
    *,
    is_limit: bool = False,
) -> Gate:
    state: State = "open"
    is_precise = error < 0.5 * (allowed[1] - allowed[0])
    if is_limit:
        state = "limit"
    elif value > 0.0 and (value + error < allowed[0] or value - error > allowed[1]):
        state = "fail"
    elif is_precise and allowed[0] <= value <= allowed[1]:
        state = "pass"
    return Gate(response.method, quantity, response.zenith_deg, energy, value, error, reference, allowed, state)
