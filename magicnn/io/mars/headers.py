"""Trees of a MARS calibrated file besides its events and the thrown showers: headers, tails, and reports of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import OBSERVATION_LEVEL_M
from magicnn.generated import Generated
from magicnn.io.mars.columns import N_SLOTS, PEDESTAL_CONTAINERS, Branches, utc_branches
from magicnn.io.root.writer import PerSlot

__all__ = ["Run", "drive_branches", "header_branches", "report_trees", "tail_branches"]

_MC_RUN, _DATA_RUN = 256, 0
_UNSUITABLE_RUN = 2  # MBadPixelsPix::kUnsuitableRun
_MJD_1970 = 40587
_NS_PER_DAY = 86_400_000_000_000
_STEREO_PRESCALING, _LST_PRESCALING = [0, 1, 0, 1, 0, 0, 0, 1], [0, 1, 1, 1, 0, 0, 0, 1]
_TRIGGER_TABLE = "L3T_L1L1_100_SYNC"
_ATMOSPHERE = 8  # MAGIC winter, the one of the simulation
_WAVELENGTHS_NM = (280.0, 700.0)
# members of MReportLaser
_LASER = """
fIsOffsetCorrection fIsOffsetFitted fIsBGCorrection fIsT0ShiftFitted fIsUseGDAS fIsUpwardMoving fOverShoot
fUnderShoot fBGSamples fTransmission3km fTransmission6km fTransmission9km fTransmission12km fZenith fAzimuth
fFullOverlap fEndGroundLayer fGroundLayerTrans fKlett_k fPheCounts fCalimaness fCloudLayerAlt fCloudLayerDens
fOffset fOffset_Calculated fOffset_Fitted fOffset2 fOffset3 fBackground1 fBackground2 fBackgroundErr1
fBackgroundErr2 fRangeMax fRangeMax_Clouds fErrorCode fScaleHeight_fit fAlpha_fit fChi2Alpha_fit fAlpha_firstY
fAlpha_Junge fPBLHeight fChi2Full_fit fHWSwitchMaxOffset fNCollapse fShots fT0Shift fInterval_0
fRCS_min_perfect fRCS_min_clouds fRCS_min_mol fLIDAR_ratio fLIDAR_ratio_Cloud fLIDAR_ratio_Junge
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What the headers of one telescope's file say.

    Attributes
    ----------
    number : int
        Run number.
    subrun : int
        Number of the file within the run, from 1.
    telescope : int
        1 or 2.
    source : str
        Name of the source, or of the production.
    is_simulation : bool
        Flavour of the file.
    sampling_mhz, n_slices : int
        Readout.
    source_ra_deg, source_dec_deg : float
        Place of the source, 0 when not known.
    """

    number: int
    subrun: int
    telescope: int
    source: str
    is_simulation: bool
    sampling_mhz: int
    n_slices: int
    source_ra_deg: float = 0.0
    source_dec_deg: float = 0.0


def header_branches(
    run: Run, n_events: int, is_bad: NDArray[np.bool_], generated: Generated | None, n_thrown: int, radius_m: float
) -> Branches:
    """Return the one row of ``RunHeaders``.

    Parameters
    ----------
    run : Run
        The run.
    n_events : int
        Events in the file.
    is_bad : bool array, [P]
        Pixels that are unusable in all events.
    generated : Generated or None
        What the production threw; None for data, or when it is not known.
    n_thrown : int
        Rows of ``OriginalMC``.
    radius_m : float
        Radius of the disc that they fill.
    """
    info = np.zeros((1, N_SLOTS, 4), dtype=np.int32)
    info[0, : len(is_bad), 1] = np.where(is_bad, _UNSUITABLE_RUN, 0)
    branches: Branches = {
        "MRawRunHeader.fRunNumber": np.array([run.number], dtype=np.uint32),
        "MRawRunHeader.fRunType": np.array([_MC_RUN if run.is_simulation else _DATA_RUN], dtype=np.uint16),
        "MRawRunHeader.fTelescopeNumber": np.array([run.telescope], dtype=np.uint16),
        "MRawRunHeader.fSubRunIndex": np.array([run.subrun], dtype=np.uint32),
        "MRawRunHeader.fSourceRA": np.array([round(run.source_ra_deg / 15.0 * 3600.0)], dtype=np.int32),
        "MRawRunHeader.fSourceDEC": np.array([round(run.source_dec_deg * 3600.0)], dtype=np.int32),
        "MRawRunHeader.fSourceName[80]": _characters(run.source, 80),
        "MRawRunHeader.fObservationMode[60]": _characters("", 60),
        "MRawRunHeader.fProjectName[100]": _characters("magicnn", 100),
        "MRawRunHeader.fNumSamplesHiGain": np.array([run.n_slices], dtype=np.uint16),
        "MRawRunHeader.fSamplingFrequency": np.array([run.sampling_mhz], dtype=np.uint16),
        "MRawRunHeader.fNumEvents": np.array([n_events], dtype=np.uint32),
        "MBadPixelsCam.fArray.fInfo": PerSlot(info.reshape(1, -1)),
    }
    return branches | _simulation_headers(generated, n_thrown, radius_m) if run.is_simulation else branches


def _simulation_headers(generated: Generated | None, n_thrown: int, radius_m: float) -> Branches:
    """Headers of a simulation; NaN where the event set does not say what was thrown."""
    unknown = float("nan")
    low, high = (generated.energy_min_gev, generated.energy_max_gev) if generated else (unknown, unknown)
    cone = unknown
    zenith = (unknown, unknown)
    if generated is not None:
        # MARS: 0 for a ring, the angle of a cone that starts on the axis; another cone has no place here
        cone = 0.0 if generated.is_point_source else generated.viewcone_max_deg
        zenith = (generated.zenith_min_deg, generated.zenith_max_deg)
    height = [OBSERVATION_LEVEL_M * 100.0] + [0.0] * 9
    corsika = {
        "fSlopeSpec": -generated.spectral_index if generated else unknown,
        "fELowLim": low,
        "fEUppLim": high,
        "fCorsikaVersion": 0.0,
        "fAtmosphericModel": _ATMOSPHERE,
        "fWobbleMode": 0.0,
    }
    throwing = {
        "fImpactMax": radius_m * 100.0,
        "fShowerThetaMin": zenith[0],
        "fShowerThetaMax": zenith[1],
        "fShowerPhiMin": -180.0,
        "fShowerPhiMax": 180.0,
        "fRandomPointingConeSemiAngle": cone,
        "fCWaveLower": _WAVELENGTHS_NM[0],
        "fCWaveUpper": _WAVELENGTHS_NM[1],
        "fSlopeSpec": corsika["fSlopeSpec"],
    }
    return {
        **{f"MMcCorsikaRunHeader.{name}": np.array([value], dtype=np.float32) for name, value in corsika.items()},
        "MMcCorsikaRunHeader.fHeightLev[10]": np.array([height], dtype=np.float32),
        "MMcCorsikaRunHeader.fViewconeAngles[2]": np.array([[0.0, cone]], dtype=np.float32),
        "MMcCorsikaRunHeader.fNumCT": np.array([2], dtype=np.uint32),
        "MMcRunHeader.fNumSimulatedShowers": np.array([n_thrown], dtype=np.uint32),
        **{f"MMcRunHeader.{name}": np.array([value], dtype=np.float32) for name, value in throwing.items()},
        "MMcRunHeader.fNumObsLev": np.array([1], dtype=np.uint32),
        "MMcRunHeader.fHeightLev[10]": np.array([height], dtype=np.float32),
        "MMcConfigRunHeader.fNumMirrors": np.array([964], dtype=np.uint32),
        "MMcConfigRunHeader.fFocalDist": np.array([1700.0], dtype=np.float32),
    }


def tail_branches() -> Branches:
    """Return the one row of ``RunTails``: version 0.0.0 of MARS and ROOT, since neither wrote the file."""
    return {
        "MMarsVersion_sorcerer.fMARSVersionCode": np.zeros(1, dtype=np.int32),
        "MMarsVersion_sorcerer.fROOTVersionCode": np.zeros(1, dtype=np.int32),
    }


def drive_branches(time_utc_ns: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> Branches:
    """Return the tree ``Drive`` from which linear interpolation gives every event its pointing.

    Parameters
    ----------
    time_utc_ns : int64 array, [N], ascending
        Trigger times.
    columns : mapping of str to array, [N]
        Pointing of the events; right ascension and declination are NaN when there are none.

    Notes
    -----
    Two reports of the same angles surround each event at a quarter of the way to its neighbours, so that neither the
    rounding of a day number nor a jump of the telescopes changes what is interpolated at its time.
    """
    gaps = np.diff(time_utc_ns, prepend=time_utc_ns[:1] - 1_000_000_000, append=time_utc_ns[-1:] + 1_000_000_000)
    reports = np.stack([time_utc_ns - gaps[:-1] // 4, time_utc_ns + gaps[1:] // 4], axis=1).reshape(-1)

    def twice(name: str, factor: float = 1.0) -> NDArray[np.float64]:
        values = columns.get(name, np.full(len(time_utc_ns), np.nan))
        return np.repeat(values * factor, 2)

    zenith, azimuth = twice("pointing_zenith_deg"), twice("pointing_azimuth_deg")
    return {
        "MReportDrive.fMjd": reports / _NS_PER_DAY + _MJD_1970,
        "MReportDrive.fCurrentZd": zenith,
        "MReportDrive.fCurrentAz": azimuth,
        "MReportDrive.fNominalZd": zenith,
        "MReportDrive.fNominalAz": azimuth,
        "MReportDrive.fErrorZd": np.zeros(len(reports)),
        "MReportDrive.fErrorAz": np.zeros(len(reports)),
        "MReportDrive.fRa": twice("pointing_ra_deg", 1.0 / 15.0),
        "MReportDrive.fDec": twice("pointing_dec_deg"),
    }


def report_trees(
    start_utc_ns: int, *, pedestal_mean_pe: float, pedestal_rms_pe: float, with_lst: bool
) -> dict[str, Branches]:
    """Return the trees ``Trigger``, ``L3T``, ``Pedestals`` and ``Laser`` of a stereo run.

    Parameters
    ----------
    start_utc_ns : int
        Time of the first event.
    pedestal_mean_pe, pedestal_rms_pe : float
        Charge of a pixel without light, NaN when not known.
    with_lst : bool
        Whether LST-1 took part in the trigger.
    """
    prescaling = _LST_PRESCALING if with_lst else _STEREO_PRESCALING
    before = np.array([start_utc_ns - 1_000_000_000])
    pedestals: Branches = utc_branches("MTimePedestals", before)
    for container in PEDESTAL_CONTAINERS:
        for member, value in (("fMean", pedestal_mean_pe), ("fRms", pedestal_rms_pe)):
            pedestals[f"{container}.fArray.{member}"] = PerSlot(np.full((1, N_SLOTS), value, dtype=np.float32))
    none: Branches = utc_branches("MTimeLaser", before[:0])
    for name in ("MReport.fUniqueID", "MReport.fBits", "MReport.fBadReport", "MReport.fState", *_LASER.split()):
        none[f"MReportLaser.{name}"] = np.zeros(0, dtype=np.float64)
    return {
        # readers take the second report: the first may still be of the run before
        "Trigger": {"MTriggerPrescFact.fPrescFact": np.array([prescaling] * 2, dtype=np.int32)},
        "L3T": {"MReportL3T.fTablename": [_TRIGGER_TABLE] * 2},
        "Pedestals": pedestals,
        "Laser": none,
    }


def _characters(text: str, size: int) -> NDArray[np.int8]:
    """Return a character array, [1, size], zero behind the text."""
    return np.frombuffer(text.encode("ascii", "replace")[: size - 1].ljust(size, b"\0"), dtype=np.int8)[None].copy()
