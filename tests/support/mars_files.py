"""MARS files written for tests: calibrated, star, superstar and melibea, data and simulations, whole or spoilt.

Everything goes through plain dictionaries of branch name to array, so that a test replaces, removes or adds what it
is about before `write_file` makes a ROOT file of it.
"""

from __future__ import annotations

import numpy as np

N_SLOTS = 1183
MJD_2015 = 57100
JAGGED = ("fPhot", "fInfo", "fMean", "fRms", "UprootImageOrig", "UprootImageOrig_1", "UprootImageOrig_2")


def write_tree(file, name, columns):
    """Write a tree; charges and the like are jagged, as they are behind a TClonesArray; lists are texts."""
    import awkward as ak

    types, data = {}, {}
    for branch, values in columns.items():
        if isinstance(values, ak.Array):
            types[branch], data[branch] = values.type.content, values
        elif isinstance(values, list):
            types[branch], data[branch] = "string", ak.Array(values)
        elif branch.endswith(JAGGED):
            types[branch], data[branch] = f"var * {values.dtype}", ak.from_regular(values)
        else:
            types[branch], data[branch] = np.dtype((values.dtype, values.shape[1:])), values
    file.mktree(name, types).extend(data)


def event_columns(telescope, numbers, *, seed=1, n_slots=N_SLOTS):
    rng = np.random.default_rng(seed + telescope)
    n = len(numbers)
    return {
        "MRawEvtHeader.fStereoEvtNumber": np.asarray(numbers, dtype=np.uint32),
        "MRawEvtHeader.fDAQEvtNumber": np.arange(1, n + 1, dtype=np.uint32),
        "MRawEvtHeader.fTelescopeNumber": np.full(n, telescope, dtype=np.uint32),
        "MPointingPos.fZd": np.full(n, 30.0),
        "MPointingPos.fAz": np.full(n, 120.0),
        "MCerPhotEvt.fPixels.fPhot": rng.normal(2.0, 1.0, (n, n_slots)).astype(np.float32),
        "MArrivalTime.fData": rng.uniform(-1.0, 51.0, (n, n_slots)).astype(np.float32),
    }


def data_columns(telescope, numbers, *, mjd=MJD_2015, start_ms=1000, **options):
    n = len(numbers)
    return event_columns(telescope, numbers, **options) | {
        "MTriggerPattern.fPrescaled": np.full(n, 128, dtype=np.uint16),
        "MTime.fMjd": np.full(n, mjd, dtype=np.uint32),
        "MTime.fTime.fMilliSec": start_ms + 10 * np.asarray(numbers, dtype=np.int64),
        "MTime.fNanoSec": np.full(n, 123400, dtype=np.uint32),
    }


def run_headers(telescope, *, run=5000001, run_type=0, mhz=1640, slices=50, bad=()):
    info = np.zeros((1, N_SLOTS * 4), dtype=np.int32)
    for pixel in bad:
        info[0, 4 * pixel + 1] = 2
    return {
        "MRawRunHeader.fRunNumber": np.array([run], dtype=np.uint32),
        "MRawRunHeader.fRunType": np.array([run_type], dtype=np.uint16),
        "MRawRunHeader.fTelescopeNumber": np.array([telescope], dtype=np.uint16),
        "MRawRunHeader.fSamplingFrequency": np.array([mhz], dtype=np.uint16),
        "MRawRunHeader.fNumSamplesHiGain": np.array([slices], dtype=np.uint16),
        "MBadPixelsCam.fArray.fInfo": info,
    }


def write_file(path, **trees):
    import uproot

    with uproot.recreate(path) as file:
        for name, columns in trees.items():
            write_tree(file, name, columns)
    return path


def data_name(telescope, run=5000001, subrun=1):
    return f"20150320_M{telescope}_{run:08d}.{subrun:03d}_Y_Test-W0.40+035.root"


def write_pair(folder, numbers=(3, 4, 5), **changes):
    """A run of both telescopes; ``changes`` replaces columns of the events, None removes them."""
    paths = []
    for telescope in (1, 2):
        columns = data_columns(telescope, numbers) | {k: v for k, v in changes.items() if v is not None}
        columns = {k: v for k, v in columns.items() if k not in [n for n, v in changes.items() if v is None]}
        paths.append(write_file(folder / data_name(telescope), Events=columns, RunHeaders=run_headers(telescope)))
    return paths


MC_RUN = 824318
TRUTH = {
    "fEnergy": np.array([100.0, 100.0, 2000.0, 35.5], dtype=np.float32),
    "fTheta": np.radians([36.0, 36.0, 36.5, 40.0]).astype(np.float32),
    "fPhi": np.radians([0.0, 0.0, 90.0, -45.0]).astype(np.float32),
    "fCoreX": np.array([10000.0, 0.0, -5000.0, 20000.0], dtype=np.float32),
    "fCoreY": np.array([0.0, 10000.0, 5000.0, 0.0], dtype=np.float32),
    "fZFirstInteraction": np.array([2.1e6, 2.1e6, 1.8e6, 2.5e6], dtype=np.float32),
    "fLongitmax": np.array([250.0, 250.0, 320.0, 210.0], dtype=np.float32),
}


def mc_columns(telescope, numbers, rows, *, particle=1):
    columns = event_columns(telescope, numbers)
    columns |= {f"MMcEvt.{name}": values[rows] for name, values in TRUTH.items()}
    columns["MMcEvt.fPartId"] = np.full(len(numbers), particle, dtype=np.int32)
    columns["MMcEvt.fImpact"] = (np.abs(TRUTH["fCoreX"][rows]) + 100.0 * telescope).astype(np.float32)
    return columns


def mc_trees(telescope, numbers, rows, *, particle=1, run=MC_RUN, cone=0.0, n_thrown=1000):
    theta = np.full(n_thrown, np.radians(36.4), dtype=np.float32)
    headers = run_headers(telescope, run=run, run_type=256, bad=[0]) | {
        "MMcCorsikaRunHeader.fSlopeSpec": np.array([-1.6], dtype=np.float32),
        "MMcCorsikaRunHeader.fELowLim": np.array([10.0], dtype=np.float32),
        "MMcCorsikaRunHeader.fEUppLim": np.array([30000.0], dtype=np.float32),
        "MMcRunHeader.fImpactMax": np.array([35000.0], dtype=np.float32),
        "MMcRunHeader.fRandomPointingConeSemiAngle": np.array([cone], dtype=np.float32),
    }
    original = {
        "MMcEvtBasic.fPartId": np.full(n_thrown, particle, dtype=np.int32),
        "MMcEvtBasic.fTheta": theta,
        "MMcEvtBasic.fPhi": np.zeros(n_thrown, dtype=np.float32),
        "MMcEvtBasic.fTelescopeTheta": (theta - np.radians(0.4)).astype(np.float32),
        "MMcEvtBasic.fTelescopePhi": np.zeros(n_thrown, dtype=np.float32),
    }
    return {
        "Events": mc_columns(telescope, numbers, rows, particle=particle),
        "RunHeaders": headers,
        "OriginalMC": original,
    }


def mc_name(telescope, run=MC_RUN):
    return f"GA_M{telescope}_za35to50_8_{run}_Y_w0.root"


def one(folder, telescope, numbers=(3, 4, 5), *, events=None, name=None, **header):
    """Write one data file, its headers and name as wanted."""
    columns = data_columns(telescope, numbers) | (events or {})
    run = header.get("run", 5000001)
    return write_file(
        folder / (name or data_name(telescope, run)), Events=columns, RunHeaders=run_headers(telescope, **header)
    )


def trigger_trees(factors=(0, 1, 0, 1, 0, 0, 0, 1), table="L3T_L1L1_100_SYNC"):
    """Trees of the trigger settings; the first row is left from the run before."""
    stale = (1, 1, 1, 1, 1, 1, 1, 1)
    return {
        "Trigger": {"MTriggerPrescFact.fPrescFact": np.array([stale, factors, factors], dtype=np.int32)},
        "L3T": {"MReportL3T.fTablename": ["OF_THE_RUN_BEFORE", table]},
    }


def drive_tree(mjd, zenith, azimuth, **more):
    """Reports of the drive system."""
    n = len(mjd)
    return {
        "MReportDrive.fMjd": np.asarray(mjd, dtype=np.float64),
        "MReportDrive.fCurrentZd": np.asarray(zenith, dtype=np.float64),
        "MReportDrive.fCurrentAz": np.asarray(azimuth, dtype=np.float64),
        "MReportDrive.fRa": np.full(n, 5.5),
        "MReportDrive.fDec": np.full(n, 22.0),
    } | {f"MReportDrive.{name}": np.asarray(values, dtype=np.float64) for name, values in more.items()}


def pedestal_columns(mean, rms, container="MPedPhotFromExtractor"):
    """Pedestals of all slots, one row per mean; the last pixel and the slots without a pixel have none."""
    shape = (len(mean), N_SLOTS)
    used = np.arange(N_SLOTS) < 1038
    return {
        f"{container}.fArray.fMean": (np.ones(shape) * np.asarray(mean)[:, None] * used).astype(np.float32),
        f"{container}.fArray.fRms": (np.ones(shape) * np.asarray(rms)[:, None] * used).astype(np.float32),
    }


def run_tails(program="sorcerer", mars=(2, 19, 3), root=(5, 34, 36)):
    """Versions of the program that wrote the file."""

    def code(v):
        return np.array([v[0] << 16 | v[1] << 8 | v[2]], dtype=np.int32)

    container = f"MMarsVersion_{program}"
    return {f"{container}.fMARSVersionCode": code(mars), f"{container}.fROOTVersionCode": code(root)}


def image_columns(n, *, seed=1):
    """Image parameters as star gives them: camera in mm, time in whatever."""
    rng = np.random.default_rng(seed)
    delta = rng.uniform(-np.pi / 2, np.pi / 2, n)
    length = rng.uniform(30.0, 120.0, n)
    columns = {
        "MHillas.fSize": rng.uniform(60.0, 2000.0, n),
        "MHillas.fMeanX": rng.uniform(-300.0, 300.0, n),
        "MHillas.fMeanY": rng.uniform(-300.0, 300.0, n),
        "MHillas.fLength": length,
        "MHillas.fWidth": length * rng.uniform(0.2, 0.6, n),
        "MHillas.fDelta": delta,
        "MHillas.fSinDelta": np.sin(delta),
        "MHillas.fCosDelta": np.cos(delta),
        "MHillasExt.fM3Long": length * rng.uniform(-0.9, 0.9, n),
        "MHillasExt.fM3Trans": length * rng.uniform(-0.3, 0.3, n),
        "MHillasExt.fAsym": length * rng.uniform(-0.5, 0.5, n),
        "MHillasTimeFit.fP1Grad": rng.normal(0.0, 0.1, n),
        "MNewImagePar.fLeakage1": rng.uniform(0.0, 0.1, n),
        "MNewImagePar.fLeakage2": rng.uniform(0.1, 0.2, n),
        "MNewImagePar.fConc": rng.uniform(0.4, 0.6, n),
        "MNewImagePar.fConc1": rng.uniform(0.1, 0.4, n),
    }
    columns = {name: values.astype(np.float32) for name, values in columns.items()}
    columns["MNewImagePar.fNumUsedPixels"] = rng.integers(5, 60, n).astype(np.int16)
    columns["MImagePar.fNumIslands"] = rng.integers(1, 4, n).astype(np.int16)
    return columns


def stereo_columns(n, *, seed=1, container="MStereoPar"):
    """Stereo parameters as superstar gives them, near the pointing of `event_columns`."""
    rng = np.random.default_rng(seed)
    values = {
        "fDirectionZd": 30.0 + rng.normal(0.0, 0.2, n),
        "fDirectionAz": 120.0 + rng.normal(0.0, 0.3, n),
        "fCoreX": rng.uniform(-2e4, 2e4, n),
        "fCoreY": rng.uniform(-2e4, 2e4, n),
        "fM1Impact": rng.uniform(0.0, 2e4, n),
        "fM2Impact": rng.uniform(0.0, 2e4, n),
        "fMaxHeight": rng.uniform(6e5, 1.2e6, n),
    }
    columns = {f"{container}.{name}": v.astype(np.float32) for name, v in values.items()}
    return columns | {f"{container}.fValid": np.ones(n, dtype=np.int32)}


def melibea_columns(n, *, seed=1):
    """Hadronness, energies and the direction by DISP as melibea gives them."""
    rng = np.random.default_rng(seed)
    energy = 10.0 ** rng.uniform(2.0, 4.0, n)
    values = {
        "MHadronness.fHadronness": rng.uniform(0.0, 1.0, n),
        "MEnergyEst.fEnergy": energy,
        "MEnergyEst.fEnergyRMS": 0.2 * energy,
        "MEnergyEst.fUncertainty": 0.3 * energy,
        "MEnergyEst_1.fEnergy": 1.1 * energy,
        "MEnergyEst_2.fEnergy": 0.9 * energy,
    }
    columns = {name: v.astype(np.float32) for name, v in values.items()}
    return columns | stereo_columns(n, seed=seed + 1, container="MStereoParDisp")


def suffixed(columns, telescope):
    """The containers of one telescope as stereo files name them."""
    return {f"{name.partition('.')[0]}_{telescope}.{name.partition('.')[2]}": v for name, v in columns.items()}


def without_images(columns):
    """Columns of events without charges and times of pixels."""
    return {n: v for n, v in columns.items() if not n.startswith(("MCerPhotEvt", "MArrivalTime"))}


def star_columns(telescope, numbers, *, seed=1, **options):
    """Events of a star file of data."""
    columns = without_images(data_columns(telescope, numbers, **options))
    return columns | image_columns(len(numbers), seed=seed + telescope)


def stereo_trees(numbers, *, level="Q", run=5000001, seed=1, events=None, rows=None, **mc):
    """Trees of a superstar (S) or melibea (Q) file: data, or a simulation of the showers ``TRUTH[rows]``."""
    n = len(numbers)
    columns, headers, trees = {}, {}, {}
    for telescope in (1, 2):
        if rows is None:
            one_sided = without_images(data_columns(telescope, numbers))
            header = run_headers(telescope, run=run)
        else:
            own = mc_trees(telescope, numbers, rows, run=run, **mc)
            one_sided, header = without_images(own["Events"]), own["RunHeaders"]
            trees.setdefault("OriginalMC", {}).update(suffixed(own["OriginalMC"], telescope))
        header.pop("MBadPixelsCam.fArray.fInfo")
        columns |= suffixed(one_sided | image_columns(n, seed=seed + telescope), telescope)
        headers |= suffixed(header, telescope)
    columns |= stereo_columns(n, seed=seed)
    if level == "Q":
        columns |= melibea_columns(n, seed=seed)
    columns = {name: v for name, v in (columns | (events or {})).items() if v is not None}
    return {"Events": columns, "RunHeaders": headers} | trees


def stereo_name(level="Q", run=5000001):
    return f"20150320_{run:08d}_{level}_Test-W0.40+035.root"
