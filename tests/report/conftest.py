"""A report's inputs as a small comparison would give them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from magicnn.evaluation import EvaluationSettings, evaluate
from magicnn.events import EventBatch, EventMeta
from magicnn.predictions import PredictionTable
from magicnn.report.inputs import ExampleImages, RealEvents, ReportInputs


@pytest.fixture(scope="session")
def report_inputs(magic_camera):
    """Inputs with every section filled."""
    return make_inputs(magic_camera)


RANGES = ((5.0, 35.0), (62.0, 70.0), (5.0, 30.0), (30.0, 45.0))


def make_inputs(camera, n_showers=300, n_replicates=20, zenith_bins=RANGES, n_images=1):
    path = Path(__file__).parents[1] / "evaluation" / "synthetic.py"
    spec = importlib.util.spec_from_file_location("synthetic_predictions", path)
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    predictions = synthetic.predictions(n_showers=n_showers, reuse=4)
    return ReportInputs(
        title="Networks & lookup tables",
        metrics=evaluate(predictions, EvaluationSettings(n_replicates=n_replicates, zenith_bins_deg=zenith_bins)),
        predictions=predictions,
        histories={
            "gamma/hadron network": history(0.6, 0.3, 14),
            "energy network": history(1.2, 0.2, 14),
        },
        cut_flow={
            f"{particle}_{zenith}": {
                "simulated": 40_000,
                "triggered": 9_000 + k,
                "both images": 7_000,
                "quality": 6_100,
            }
            for k, zenith in enumerate(("za05to35", "za35to50", "za50to62", "za62to70"))
            for particle in ("gamma", "gamma_diffuse", "proton")
        },
        examples=(
            examples(camera, "gammas", "gamma", 1, n_images),
            examples(camera, "protons", "proton", 2, n_images),
        ),
        real=real_events(camera, n_images),
        settings={"seed": 1, "classifier": {"epochs": 20}},
        provenance={"versions": {"magicnn": "0"}, "seed": 1},
        notes=("A note that the reader must see.",),
    )


def history(start, end, epochs):
    rng = np.random.default_rng(3)
    fall = end + (start - end) * np.exp(-np.arange(epochs) / 3.0)
    return [
        {
            "epoch": k + 1,
            "train_loss": loss,
            "validation_loss": loss * 1.04 + 0.004 * max(0, k - 8) + 0.004 * rng.normal(),
        }
        for k, loss in enumerate(fall)
    ]


def shower_images(camera, n, rng):
    """Charges and times of elliptic images over noise, and the pixels of the ellipses."""
    charge = rng.normal(1.7, 1.0, (n, 2, camera.n_pixels)).astype(np.float32)
    time = rng.uniform(0.0, 30.0, charge.shape).astype(np.float32)
    cleaned = np.zeros(charge.shape, dtype=bool)
    for event in range(n):
        for telescope in range(2):
            angle, along = rng.uniform(0, np.pi), rng.uniform(0.3, 0.9)
            x, y = camera.x_deg - along * np.cos(angle), camera.y_deg - along * np.sin(angle)
            u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
            light = 60.0 * np.exp(-0.5 * ((u / 0.25) ** 2 + (v / 0.09) ** 2))
            seen = light > 4.0
            charge[event, telescope] += light
            time[event, telescope, seen] = 12.0 + 4.0 * u[seen]
            cleaned[event, telescope] = seen
    charge[:, 0, 939] = time[:, 0, 939] = np.nan
    return charge, time, cleaned & np.isfinite(charge)


def examples(camera, title, particle, seed, n):
    rng = np.random.default_rng(seed)
    charge, time, cleaned = shower_images(camera, n, rng)
    columns = {
        "run_id": np.full(n, 1),
        "event_id": np.arange(n) + 10,
        "pointing_zenith_deg": np.full(n, 20.0),
        "true_energy_gev": rng.uniform(100, 2000, n),
        "true_impact_m": rng.uniform(20, 150, (n, 2)),
    }
    return ExampleImages(title, EventBatch(charge, time, columns, EventMeta(particle, "test", True)), cleaned)


def real_events(camera, n_images, n=4):
    rng = np.random.default_rng(5)
    charge, time, cleaned = shower_images(camera, n_images, rng)
    ids = {"run_id": np.full(n_images, 5029747), "event_id": 29795 + np.arange(n_images)}
    batch = EventBatch(charge, time, ids, EventMeta(None, "Crab Nebula", False))
    columns = {"run_id": np.full(n, 5029747), "event_id": 29795 + np.arange(n)}
    energy = np.array([130.0, 95.0, np.nan, 310.0])
    tables = {
        "CNN": PredictionTable(
            "CNN",
            {
                **columns,
                "gammaness": [0.2, 0.91, 0.03, 0.4],
                "reco_energy_gev": energy,
                "reco_energy_uncert_gev": 0.2 * energy,
            },
        ),
        "LUT": PredictionTable("LUT", {**columns, "reco_energy_gev": 1.1 * energy}),
    }
    return RealEvents(
        "Crab Nebula, run 5029747.", tables, ExampleImages("real events", batch, cleaned), ("M1.root", "M2.root")
    )
