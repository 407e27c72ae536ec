"""Files of every format, what storage does to them, and what reading them then ends in.

Run as a program it reads files one after the other in a process of its own, so that a decoder in C that crashes, hangs
or takes all memory is seen: ``python damage.py KIND REFERENCE... < batch.json``, one word of outcome per line.
"""

import gzip
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

MEMORY = 6 << 30  # address space of a reading process
TIMEOUT_S = 300  # for one file
N_SLOTS = 1183
MJD_2015 = 57100
PARAMETERS = ("mars star", "mars superstar", "mars melibea")


def mars_name(telescope, run=5000001, subrun=1):
    return f"20150320_M{telescope}_{run:08d}.{subrun:03d}_Y_Test-W0.40+035.root"


def mars_events(telescope, numbers, **changes):
    """Columns of the tree Events; ``changes`` replaces some, None removes them."""
    numbers = np.asarray(numbers, dtype=np.uint32)
    n = len(numbers)
    rng = np.random.default_rng(telescope)
    columns = {
        "MRawEvtHeader.fStereoEvtNumber": numbers,
        "MRawEvtHeader.fDAQEvtNumber": np.arange(1, n + 1, dtype=np.uint32),
        "MRawEvtHeader.fTelescopeNumber": np.full(n, telescope, dtype=np.uint32),
        "MPointingPos.fZd": np.full(n, 30.0),
        "MPointingPos.fAz": np.full(n, 120.0),
        "MTriggerPattern.fPrescaled": np.full(n, 128, dtype=np.uint16),
        "MTime.fMjd": np.full(n, MJD_2015, dtype=np.uint32),
        "MTime.fTime.fMilliSec": 1000 + 10 * np.asarray(numbers, dtype=np.int64),
        "MTime.fNanoSec": np.full(n, 123400, dtype=np.uint32),
        "MCerPhotEvt.fPixels.fPhot": rng.normal(2.0, 1.0, (n, N_SLOTS)).astype(np.float32),
        "MArrivalTime.fData": rng.uniform(0.0, 50.0, (n, N_SLOTS)).astype(np.float32),
    }
    columns.update(changes)
    return {name: values for name, values in columns.items() if values is not None}


def mars_truth(n, **changes):
    """Columns that a simulation has besides."""
    columns = {
        "MMcEvt.fEnergy": np.linspace(100.0, 200.0, n).astype(np.float32),
        "MMcEvt.fPartId": np.ones(n, dtype=np.int32),
        "MMcEvt.fTheta": np.full(n, 0.5, dtype=np.float32),
        "MMcEvt.fPhi": np.full(n, 1.0, dtype=np.float32),
        "MMcEvt.fCoreX": np.full(n, 5000.0, dtype=np.float32),
        "MMcEvt.fCoreY": np.full(n, -5000.0, dtype=np.float32),
        "MMcEvt.fImpact": np.full(n, 7000.0, dtype=np.float32),
    }
    columns.update(changes)
    return {name: values for name, values in columns.items() if values is not None}


def write_root(path, **trees):
    """Write trees of columns; what has one array per event is jagged, as behind a TClonesArray."""
    import awkward as ak
    import uproot

    with uproot.recreate(path) as file:
        for name, columns in trees.items():
            types, data = {}, {}
            for branch, values in columns.items():
                is_jagged = values.ndim > 1 and branch.endswith("fPhot")
                types[branch] = f"var * {values.dtype}" if is_jagged else np.dtype((values.dtype, values.shape[1:]))
                data[branch] = ak.from_regular(values) if is_jagged else values
            file.mktree(name, types).extend(data)
    return path


def write_mars_pair(folder, numbers=(3, 4, 5, 6, 7), *, other=None, truth=None, **changes):
    """A run of both telescopes; ``changes`` are of M1, ``other`` of M2 (the same when not given)."""
    paths = []
    for telescope, changed in ((1, changes), (2, changes if other is None else other)):
        columns = mars_events(telescope, changed.pop("numbers", numbers), **changed)
        if truth is not None:
            columns |= mars_truth(len(columns["MPointingPos.fAz"]), **truth)
        paths.append(write_root(folder / mars_name(telescope), Events=columns))
    return paths


def write_event_set(path, n_events=300):
    from magicnn.camera import Camera
    from magicnn.events import EventBatch, EventMeta
    from magicnn.generated import Generated
    from magicnn.io.eventset.reader import EventSetWriter

    rng = np.random.default_rng(1)
    thrown = Generated("gamma", 1.6, 10.0, 30000.0, 1000, 350.0, 0.0, 0.0, 0.4, 0.4, 5.0, 35.0)
    meta = EventMeta("gamma", "za05to35", True, sampling_gsps=1.64, window_ns=50 / 1.64, generated=thrown.to_mapping())
    shape = (n_events, 2, Camera.magic().n_pixels)
    columns = {
        "run_id": np.ones(n_events),
        "event_id": np.arange(n_events),
        "shower_id": np.arange(n_events),
        "reuse_id": np.zeros(n_events),
        "pointing_zenith_deg": np.full(n_events, 20.0),
        "pointing_azimuth_deg": np.full(n_events, 100.0),
        "true_energy_gev": rng.uniform(50.0, 500.0, n_events),
        "true_particle": np.full(n_events, 22),
        "true_zenith_deg": np.full(n_events, 20.2),
        "true_azimuth_deg": np.full(n_events, 100.5),
        "true_core_x_m": rng.uniform(-100.0, 100.0, n_events),
        "true_core_y_m": rng.uniform(-100.0, 100.0, n_events),
        "true_impact_m": rng.uniform(0.0, 150.0, (n_events, 2)),
        "true_first_interaction_m": np.full(n_events, 20e3),
        "true_xmax_gcm2": np.full(n_events, 300.0),
        "pedestal_mean_pe": np.zeros((n_events, 2)),
        "pedestal_rms_pe": np.ones((n_events, 2)),
    }
    images = [rng.uniform(0.0, 30.0, shape).astype(np.float32) for _ in range(2)]
    with EventSetWriter(path, meta) as writer:
        writer.append(EventBatch(*images, columns, meta))
    return path


def write_predictions(path, n_events=300):
    from magicnn.predictions import PredictionTable

    rng = np.random.default_rng(1)
    columns = {
        "run_id": np.ones(n_events),
        "event_id": np.arange(n_events),
        "gammaness": rng.random(n_events),
        "reco_energy_gev": rng.uniform(50.0, 500.0, n_events),
    }
    PredictionTable("CNN", columns, particle="gamma", generated={"n_thrown": 1000}, meta={"model": "a.pt"}).save(path)
    return path


def write_sample(kind, folder, data_dir=None):
    """Write, or find among the real files, a sample of a kind; the first file is the one to damage."""
    if kind == "mars":
        return write_mars_pair(folder)
    if kind == "mars mc":
        from magicnn.io.eventset.reader import EventSet
        from magicnn.io.mars.writer import write_mars

        with EventSet(write_event_set(folder / "gamma.h5", n_events=40)) as events:
            return write_mars(events, folder / "mc", flavour="mc")
    if kind in PARAMETERS:
        return write_parameters(folder, kind)
    if kind == "eventset":
        return [write_event_set(folder / "events.h5")]
    if kind == "predictions":
        return [write_predictions(folder / "CNN.h5")]
    if kind == "mars real":
        return sorted((data_dir / "magic_real").glob("*.root"))
    real = {
        "corsika": "corsika_photons/gamma_100gev_1216.eventio",
        "ctapipe": "ctapipe_dl1/history_meta_75.dl2.h5",
        "simtel": "simtel/n_hv_disabled.simtel.gz",
        "simtel plain": "simtel/n_hv_disabled.simtel.gz",
    }
    path = data_dir / real[kind]
    if kind == "simtel plain":
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
        return [folder / path.stem]
    return [path]


def write_parameters(folder, kind):
    """Write star files of both telescopes, a superstar file of a simulation, or a melibea file of data."""
    import mars_files as mars

    numbers = list(range(3, 43))
    if kind == "mars star":
        return [
            mars.write_file(
                folder / mars.data_name(telescope).replace("_Y_", "_I_"),
                Events=mars.star_columns(telescope, numbers),
                RunHeaders=mars.run_headers(telescope),
                RunTails=mars.run_tails("star"),
                **mars.trigger_trees(),
            )
            for telescope in (1, 2)
        ]
    if kind == "mars superstar":
        trees = mars.stereo_trees(numbers, level="S", run=mars.MC_RUN, rows=np.arange(len(numbers)) % 4)
        return [mars.write_file(folder / mars.stereo_name("S", mars.MC_RUN), **trees)]
    return [mars.write_file(folder / mars.stereo_name("Q"), **mars.stereo_trees(numbers))]


def contents(kind, paths):
    """Read everything there is in files of a kind: arrays by name."""
    if kind == "predictions":
        from magicnn.io import load_predictions

        return _of_predictions(load_predictions(paths[0]))
    if kind in PARAMETERS:
        return _parameters(kind, paths)
    if kind == "corsika":
        return _photons(paths[0])
    from magicnn.io import open_events

    options = {"camera": "LSTCam"} if kind == "ctapipe" else {}  # of several cameras in the file
    batches = list(open_events(paths, **options).batches())
    meta = batches[0].meta
    found = {name: np.concatenate([b.columns[name] for b in batches]) for name in batches[0].columns}
    found["charge"] = np.concatenate([b.charge for b in batches])
    found["time"] = np.concatenate([b.time for b in batches])
    words = json.dumps([meta.particle, meta.production, meta.telescopes, dict(meta.generated)])
    return {**found, "words": np.frombuffer(words.encode(), np.uint8)}


def _of_predictions(table):
    words = np.frombuffer(json.dumps([table.method, table.particle, dict(table.generated)]).encode(), np.uint8)
    return {**table.columns, "words": words}


def _parameters(kind, paths):
    from magicnn.io import load_predictions
    from magicnn.io.mars.parameters import read_mars_features

    table = read_mars_features(paths)
    meta = table.meta
    words = json.dumps([meta.particle, meta.production, meta.telescopes, dict(meta.generated)])
    found = {**table.columns, "words": np.frombuffer(words.encode(), np.uint8)}
    if kind == "mars melibea":
        found |= {f"predicted {name}": values for name, values in _of_predictions(load_predictions(paths)).items()}
    return found


def _photons(path):
    from magicnn.io.corsika import CorsikaFile

    found = {}
    with CorsikaFile(path) as file:
        for i, shower in enumerate(file.showers()):
            found[f"{i} truth"] = np.array([shower.energy_gev, shower.zenith_deg, shower.azimuth_deg])
            found[f"{i} cores"] = shower.cores_m
            for j, use in enumerate(shower.uses):
                for k, light in use.items():
                    found[f"{i} {j} {k}"] = np.stack([light.x_m, light.y_m, light.time_ns, light.photons])
    return found


def outcome(kind, paths, reference):
    """``same`` or ``other`` contents, ``error`` in one line, or what must not be."""
    from magicnn.errors import MagicnnError

    try:
        found = contents(kind, [Path(path) for path in paths])
    except MagicnnError as error:
        return f"error {error}" if error.exit_code == 3 and "\n" not in str(error) else f"WRONG {error!r}"
    except BaseException as error:  # whatever it is, it is a fault of the reader
        return f"WRONG {type(error).__name__}: {error}".replace("\n", " ")
    same = (np.array_equal(values, reference[name], equal_nan=True) for name, values in found.items())
    if list(found) == list(reference) and all(same):
        return "same"
    return f"other {sane(found)}".strip()


SANE = {
    "true_energy_gev": (0.0, 1e9),
    "pointing_zenith_deg": (-1.0, 180.0),
    "charge": (-1e6, 1e6),
    "size_pe": (0.0, 1e9),
    "length_deg": (0.0, 100.0),
    "reco_core_x_m": (-1e6, 1e6),
    "predicted gammaness": (-1e-9, 1.0 + 1e-9),
    "predicted reco_energy_gev": (0.0, 1e9),
}
MAY_BE_MISSING = (
    "charge",
    "size_pe",
    "length_deg",
    "reco_core_x_m",
    "predicted gammaness",
    "predicted reco_energy_gev",
)


def sane(found):
    """What is impossible among values that were read."""
    wrong = []
    for name, (low, high) in SANE.items():
        values = found.get(name, np.ones(1))
        inside = np.isnan(values) if name in MAY_BE_MISSING else np.zeros(values.shape, bool)
        if not (inside | ((values > low) & (values < high))).all():
            wrong.append(name)
    return " ".join(wrong)


def outcomes_in_processes(kind, reference, batch):
    """Read every set of files of a batch in a process that may die; one outcome each."""
    found = []
    while len(found) < len(batch):
        rest = batch[len(found) :]
        done = subprocess.run(
            [sys.executable, __file__, kind, *map(str, reference)],
            input=json.dumps([[str(p) for p in paths] for paths in rest]),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        lines = done.stdout.splitlines()
        found += lines
        if len(lines) < len(rest):
            ended = "hangs" if done.returncode == -signal.SIGALRM else f"died with {done.returncode}"
            found.append(f"WRONG {ended}: {done.stderr[-300:]}")
    return found


def flipped(content, seed):
    """One to eight bytes replaced by others, at random places."""
    rng = np.random.default_rng(seed)
    damaged = bytearray(content)
    for place in rng.integers(0, len(content), rng.integers(1, 9)):
        damaged[place] ^= int(rng.integers(1, 256))
    return bytes(damaged)


def main():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    kind, *reference = sys.argv[1:]
    expected = contents(kind, [Path(path) for path in reference])
    for paths in json.load(sys.stdin):
        signal.alarm(TIMEOUT_S)  # ends the process, whatever it is doing
        print(outcome(kind, paths, expected), flush=True)  # noqa: T201 - it is a program


if __name__ == "__main__":
    main()
