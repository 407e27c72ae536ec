"""Event sets of random images and columns for tests of writers."""

import numpy as np

from magicnn.array import impact_m
from magicnn.events import EventBatch, EventMeta
from magicnn.generated import Generated
from magicnn.io.eventset.reader import EventSet, EventSetWriter

RUN = 5012345
N_PIXELS = 1039
THROWN = Generated(
    particle="gamma",
    spectral_index=2.0,
    energy_min_gev=20.0,
    energy_max_gev=20000.0,
    n_thrown=300,
    scatter_radius_m=400.0,
    scatter_energy_exponent=0.2,
    scatter_zenith_exponent=1.0,
    viewcone_min_deg=0.4,
    viewcone_max_deg=0.4,
    zenith_min_deg=5.0,
    zenith_max_deg=35.0,
)


def random_events(n, seed=1, *, is_simulation=True, first_id=1, run=RUN, particle=22, thrown=THROWN):
    """Random images and columns of the two telescopes; a few pixels dead, a few without a pulse."""
    rng = np.random.default_rng(seed)
    charge = rng.normal(2.0, 3.0, (n, 2, N_PIXELS)).astype(np.float16).astype(np.float32)
    time = rng.uniform(0.0, 30.4, charge.shape).astype(np.float16).astype(np.float32)
    charge[:, 0, rng.integers(0, N_PIXELS)] = np.nan
    charge[rng.random(charge.shape) < 0.01] = np.nan
    time[(rng.random(charge.shape) < 0.1) | np.isnan(charge)] = np.nan
    columns = {
        "run_id": np.full(n, run),
        "event_id": first_id + np.arange(n),
        "pointing_zenith_deg": rng.uniform(5.0, 35.0, n),
        "pointing_azimuth_deg": rng.uniform(0.0, 360.0, n),
        "pedestal_mean_pe": rng.uniform(1.0, 2.0, (n, 2)).astype(np.float32),
        "pedestal_rms_pe": rng.uniform(1.0, 2.0, (n, 2)).astype(np.float32),
    }
    if is_simulation:
        core = rng.uniform(-300.0, 300.0, (2, n))
        zenith, azimuth = rng.uniform(5.0, 35.0, n), rng.uniform(0.0, 360.0, n)
        columns |= {
            "shower_id": np.arange(n),
            "reuse_id": rng.integers(0, 5, n).astype(np.int32),
            "true_energy_gev": rng.uniform(20.0, 20000.0, n),
            "true_particle": np.full(n, particle),
            "weight": np.ones(n),
            "true_zenith_deg": zenith,
            "true_azimuth_deg": azimuth,
            "true_core_x_m": core[0],
            "true_core_y_m": core[1],
            "true_impact_m": impact_m(core[0], core[1], zenith, azimuth),
            "true_first_interaction_m": rng.uniform(1e4, 4e4, n),
            "true_xmax_gcm2": rng.uniform(200.0, 500.0, n),
        }
    else:
        columns |= {
            "time_utc_ns": 1_400_000_000_123_456_700 + np.cumsum(rng.integers(300, 10**8, n)) * 100,
            "pointing_ra_deg": np.full(n, 83.6),
            "pointing_dec_deg": np.full(n, 22.0),
            "daq_event_id": rng.integers(1, 17000, (n, 2)),
            "trigger_pattern": np.full((n, 2), rng.choice([128, 132])),
        }
    meta = EventMeta(
        particle="gamma" if is_simulation else None,
        production="test_za05to35" if is_simulation else "Crab-W0.40+035",
        is_simulation=is_simulation,
        sampling_gsps=1.64,
        window_ns=50 / 1.64,
        generated=thrown.to_mapping() if is_simulation and thrown else {},
    )
    return EventBatch(charge, time, columns, meta)


def stored(path, *batches):
    with EventSetWriter(path, batches[0].meta) as writer:
        for batch in batches:
            writer.append(batch)
    return EventSet(path)
