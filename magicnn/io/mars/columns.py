"""Branches of the tree ``Events`` of a MARS calibrated file, from events of ours: units, frames and numbers of MARS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import MAGNETIC_DECLINATION_DEG, magnetic_from_geographic
from magicnn.errors import InputError
from magicnn.events import EventBatch, event_weight
from magicnn.io.mars.monitor import N_PIXELS
from magicnn.io.mars.trigger import PEDESTAL, STEREO
from magicnn.io.mars.truth import PARTICLES, WEIGHT_BRANCH
from magicnn.io.root.writer import PerSlot

__all__ = [
    "N_SLOTS",
    "PEDESTAL_CONTAINERS",
    "Branches",
    "Numbering",
    "event_branches",
    "mars_phi",
    "pedestal_event_branches",
    "utc_branches",
]

Branches = dict[str, Any]
Floats = NDArray[np.float64]

N_SLOTS = 1183
"""Slots of a camera: 169 clusters of 7, the last 144 without a pixel."""

PEDESTAL_CONTAINERS = ("MPedPhotFundamental", "MPedPhotFromExtractor", "MPedPhotFromExtractorRndm")
"""Containers of pedestals, all of one value here: an event set keeps their median over the pixels."""

_CORSIKA = {pdg: code for code, (pdg, _) in PARTICLES.items()}
_MONO_DATA, _STEREO_MC, _MONO_MC = 1, 1, 0  # values of the trigger pattern
_MJD_1970 = 40587
_NS_PER_DAY = 86_400_000_000_000
_NO_PULSE = -1.0  # slices: before the window, as MARS leaves times that its extractor did not find
_UNUSABLE = -1  # of fRing


@dataclass(frozen=True, slots=True)
class Numbering:
    """Numbers and times of some events in a MARS file.

    Attributes
    ----------
    stereo : int64 array, [N]
        Stereo event number of MARS, from 1.
    daq : int64 array, [N]
        Number of the data acquisition of this telescope.
    time_utc_ns : int64 array, [N], or None
        Trigger times of real data, None for a simulation.
    since_last_s : float64 array, [N]
        Time since the event before, 0 for a simulation.
    """

    stereo: NDArray[np.int64]
    daq: NDArray[np.int64]
    time_utc_ns: NDArray[np.int64] | None
    since_last_s: Floats


def event_branches(
    events: EventBatch, telescope: int, numbers: Numbering, *, sampling_gsps: float, n_slices: int
) -> Branches:
    """Return the branches of one telescope's events.

    Parameters
    ----------
    events : EventBatch
        Events that have an image in this telescope.
    telescope : int
        1 or 2.
    numbers : Numbering
        Their numbers and times.
    sampling_gsps : float
        Samples per nanosecond.
    n_slices : int
        Samples in the window.

    Returns
    -------
    dict of str to array or PerSlot
        With the truth for a simulation (``numbers.time_utc_ns`` is None), with the time else.

    Raises
    ------
    InputError
        A particle has no CORSIKA number, or a column is missing.
    """
    is_missing = np.isnan(events.charge).all(axis=2)
    is_stereo = ~np.any(is_missing, axis=1)
    is_simulation = numbers.time_utc_ns is None
    stereo, mono = (_STEREO_MC, _MONO_MC) if is_simulation else (STEREO, _MONO_DATA)
    pattern = np.where(is_stereo, stereo, mono)
    if "trigger_pattern" in events.columns and not (is_simulation or events.meta.is_simulation):
        pattern = events["trigger_pattern"][:, telescope - 1]
    numbers = replace(numbers, stereo=np.where(is_stereo, numbers.stereo, 0))
    branches = _raw_branches(telescope, numbers, pattern)
    branches |= _image_branches(
        events.charge[:, telescope - 1], events.time[:, telescope - 1] * np.float32(sampling_gsps), n_slices
    )
    if is_simulation:
        branches |= _pointing_branches(events) | _truth_branches(events, telescope) | _pedestals(events, telescope)
    return branches


def pedestal_event_branches(telescope: int, numbers: Numbering, mean_pe: float, n_slices: int) -> Branches:
    """Return the branches of one pedestal event of real data: every pixel at the mean, no pulse anywhere."""
    charge = np.full((1, N_PIXELS), mean_pe, dtype=np.float32)
    return {
        **_raw_branches(telescope, numbers, np.array([PEDESTAL])),
        **_image_branches(charge, np.full_like(charge, np.nan), n_slices),
    }


def utc_branches(container: str, time_utc_ns: NDArray[np.int64]) -> Branches:
    """Return the branches of a time container: day, milliseconds of the day, nanoseconds of the millisecond."""
    day, in_day = np.divmod(time_utc_ns, _NS_PER_DAY)
    millisecond, nanosecond = np.divmod(in_day, 1_000_000)
    return {
        f"{container}.fMjd": (day + _MJD_1970).astype(np.uint32),
        f"{container}.fTime.fMilliSec": millisecond.astype(np.int64),
        f"{container}.fNanoSec": nanosecond.astype(np.uint32),
    }


def _raw_branches(telescope: int, numbers: Numbering, pattern: NDArray[np.int64]) -> Branches:
    """Numbers, trigger and time of events."""
    n = len(pattern)
    branches: Branches = {
        "MRawEvtHeader.fDAQEvtNumber": numbers.daq.astype(np.uint32),
        "MRawEvtHeader.fClockCounter": np.zeros(n, dtype=np.uint32),
        "MRawEvtHeader.fNumTrigLvl2": np.zeros(n, dtype=np.uint32),
        "MRawEvtHeader.fStereoEvtNumber": numbers.stereo.astype(np.uint32),
        "MRawEvtHeader.fTrigPattern[2]": np.repeat(pattern[:, None], 2, axis=1).astype(np.uint32),
        "MRawEvtHeader.fMacrocellsPattern": np.zeros(n, dtype=np.uint32),
        "MRawEvtHeader.fNumLoGainOn": np.zeros(n, dtype=np.uint16),
        "MRawEvtHeader.fTimeDiff": numbers.since_last_s,
        "MRawEvtHeader.fTelescopeNumber": np.full(n, telescope, dtype=np.uint32),
        "MTriggerPattern.fPrescaled": pattern.astype(np.uint16),
        "MTriggerPattern.fUnprescaled": pattern.astype(np.uint16),
        "MTriggerPattern.fSoftware": np.zeros(n, dtype=np.uint16),
        "MTriggerPattern.fSkipEvent": np.zeros(n, dtype=np.bool_),
    }
    return branches if numbers.time_utc_ns is None else branches | utc_branches("MTime", numbers.time_utc_ns)


def mars_phi(azimuth_deg: NDArray[Any]) -> Floats:
    """Azimuth, in radians, of the momentum of what comes from an azimuth: from magnetic north towards west."""
    degrees = 180.0 + MAGNETIC_DECLINATION_DEG - np.asarray(azimuth_deg, dtype=np.float64)
    phi: Floats = np.radians((degrees + 180.0) % 360.0 - 180.0)
    return phi


def _image_branches(charge: NDArray[np.float32], slices: NDArray[np.float32], n_slices: int) -> Branches:
    n = len(charge)
    usable = np.zeros((n, N_SLOTS), dtype=np.bool_)
    usable[:, :N_PIXELS] = np.isfinite(charge)
    phot, time = np.zeros((2, n, N_SLOTS), dtype=np.float32)
    phot[:, :N_PIXELS] = np.nan_to_num(charge, nan=0.0)
    last = np.nextafter(np.float32(n_slices), np.float32(0.0))
    time[:, :N_PIXELS] = np.where(np.isfinite(slices), np.minimum(slices, last), np.float32(_NO_PULSE))

    def constant(value: float, dtype: type) -> PerSlot:
        return PerSlot(np.full((n, N_SLOTS), value, dtype=dtype))

    return {
        "MCerPhotEvt.fNumPixels": np.full(n, N_SLOTS, dtype=np.uint32),
        "MCerPhotEvt.fNumIslands": np.full(n, -1, dtype=np.int16),
        "MCerPhotEvt.fNumSinglePixels": np.full(n, -1, dtype=np.int16),
        "MCerPhotEvt.fSizeSinglePixels": np.zeros(n, dtype=np.float32),
        "MCerPhotEvt.fSizeSubIslands": np.zeros(n, dtype=np.float32),
        "MCerPhotEvt.fSizeMainIsland": np.full(n, -9999.0, dtype=np.float32),
        "MCerPhotEvt.fMaxIndex": np.full(n, -1, dtype=np.int32),
        "MCerPhotEvt.fThresholdInner": np.zeros(n, dtype=np.float32),
        "MCerPhotEvt.fThresholdOuter": np.zeros(n, dtype=np.float32),
        "MCerPhotEvt.fPixels.fPixId": PerSlot(np.tile(np.arange(N_SLOTS, dtype=np.int32), (n, 1))),
        "MCerPhotEvt.fPixels.fRing": PerSlot(np.where(usable, 1, _UNUSABLE).astype(np.int16)),
        "MCerPhotEvt.fPixels.fPhot": PerSlot(phot),
        "MCerPhotEvt.fPixels.fErrPhot": constant(0.0, np.float32),
        "MCerPhotEvt.fPixels.fChisquare": constant(-1.0, np.float32),
        "MCerPhotEvt.fPixels.fFWHM": constant(0.0, np.float32),
        "MCerPhotEvt.fPixels.fFWFM": constant(0.0, np.float32),
        "MCerPhotEvt.fPixels.fIsSaturated": constant(False, np.bool_),
        "MCerPhotEvt.fPixels.fIsHGSaturated": constant(False, np.bool_),
        "MArrivalTime.fData": PerSlot(time),
    }


def _pointing_branches(events: EventBatch) -> Branches:
    """Pointing of a simulation, without a place on the sky."""
    nothing = np.zeros(len(events))
    names = ("fDevZd", "fDevAz", "fRa", "fHa", "fDec", "fDevHa", "fDevDec")
    return {
        "MPointingPos.fZd": events["pointing_zenith_deg"],
        "MPointingPos.fAz": events["pointing_azimuth_deg"],
        **{f"MPointingPos.{name}": nothing for name in names},
    }


def _truth_branches(events: EventBatch, telescope: int) -> Branches:
    n = len(events)
    nowhere = np.full(n, np.nan)
    columns: Mapping[str, NDArray[Any]] = events.columns
    core = magnetic_from_geographic(np.stack([events["true_core_x_m"], events["true_core_y_m"]], axis=-1)) * 100.0
    light = columns["true_pe"][:, telescope - 1] if "true_pe" in columns else np.zeros(n)
    floats = {
        "fEnergy": events["true_energy_gev"],
        "fImpact": events["true_impact_m"][:, telescope - 1] * 100.0,
        "fTelescopePhi": mars_phi(events["pointing_azimuth_deg"]),
        "fTelescopeTheta": np.radians(events["pointing_zenith_deg"]),
        "fTheta": np.radians(events["true_zenith_deg"]),
        "fPhi": mars_phi(events["true_azimuth_deg"]),
        "fThick0": np.zeros(n),
        "fFirstTarget": np.zeros(n),
        "fZFirstInteraction": columns.get("true_first_interaction_m", nowhere) * 100.0,
        "fCoreD": np.hypot(core[:, 0], core[:, 1]),
        "fCoreX": core[:, 0],
        "fCoreY": core[:, 1],
        "fLongitmax": columns.get("true_xmax_gcm2", nowhere),
    }
    for name in ("fTimeFirst", "fTimeLast", "fLongiNmax", "fLongit0", "fLongia", "fLongib", "fLongic", "fLongichi2"):
        floats[name] = np.zeros(n)
    for name in ("fElecCphFraction", "fMuonCphFraction", "fOtherCphFraction", "fFadcTimeJitter"):
        floats[name] = np.zeros(n)
    counts = dict.fromkeys(("fPhotIni", "fPassPhotAtm", "fPassPhotRef", "fPassPhotCone"), np.zeros(n))
    counts |= {"fPhotElfromShower": np.rint(light), "fPhotElinCamera": np.zeros(n)}
    counts["fEvtNumber"] = columns.get("shower_id", np.zeros(n, dtype=np.int64)) % 2**32
    return {
        "MMcEvt.fPartId": _corsika_numbers(events["true_particle"]),
        **{f"MMcEvt.{name}": values.astype(np.float32) for name, values in floats.items()},
        **{f"MMcEvt.{name}": values.astype(np.uint32) for name, values in counts.items()},
        "MMcEvt.fEventReuse": columns.get("reuse_id", np.zeros(n)).astype(np.int32),
        WEIGHT_BRANCH: event_weight(columns),
    }


def _corsika_numbers(pdg: NDArray[np.int32]) -> NDArray[np.int32]:
    found = np.unique(pdg).tolist()
    for code in found:
        if code not in _CORSIKA:
            raise InputError(f"particle {code} (PDG) has no CORSIKA number known here: {sorted(_CORSIKA)} have one")
    lookup = np.array([_CORSIKA[code] for code in found], dtype=np.int32)
    return lookup[np.searchsorted(found, pdg)]


def _pedestals(events: EventBatch, telescope: int) -> Branches:
    """Pedestals of each event of a simulation, the same in all pixels; NaN when the event set has none."""
    branches: Branches = {}
    for container in PEDESTAL_CONTAINERS:
        for member, column in (("fMean", "pedestal_mean_pe"), ("fRms", "pedestal_rms_pe")):
            values = np.full((len(events), N_SLOTS), np.nan, dtype=np.float32)
            if column in events.columns:
                values[:] = events[column][:, telescope - 1, None]
            branches[f"{container}.fArray.{member}"] = PerSlot(values)
    return branches
