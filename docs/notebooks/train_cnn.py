# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train a small CNN
#
# One network that separates gammas from protons and estimates the energy of the gammas, trained on a sample that two
# cores simulate in minutes. **The sample is far too small for good numbers**; the main job of the package uses
# thousands of events per zenith range.

# %%
import matplotlib.pyplot as plt

from magicnn import EventSet
from magicnn.evaluation import EvaluationSettings, evaluate
from magicnn.evaluation.samples import align
from magicnn.images.features import extract_features
from magicnn.nn.data import Source
from magicnn.nn.predict import predict_table
from magicnn.nn.settings import ModelSettings
from magicnn.nn.trainer import train
from magicnn.report.plots import compute_roc_curves, error_histograms, gammaness_histograms, roc_curves, training_curves
from magicnn.report.truth_plots import migration_matrix
from magicnn.simulation.production import produce
from magicnn.simulation.settings import ProductionSettings

# %% [markdown]
# ## Simulated events
#
# Three productions: gammas from 0.4 deg off the pointing, the usual place of a source; gammas and protons from all over
# the field of view, on which a classifier must be trained, or it learns directions. Every shower is used several times,
# with cores and pointings of its own; the seeds of the training and the test sample differ, so they share no shower.
# Files that are there already are kept.

# %%
ANYWHERE = {"viewcone_max_deg": 2.0, "reuse": 20, "scatter_radius_m": 300}
PRODUCTIONS = {
    "gamma": {"viewcone_min_deg": 0.4, "viewcone_max_deg": 0.4, "reuse": 10, "scatter_radius_m": 300},
    "gamma_diffuse": ANYWHERE,
    "proton": {**ANYWHERE, "energy_min_gev": 150, "energy_max_gev": 20000},
}


def simulated(particle: str, sample: str, n_events: int, seed: int) -> EventSet:
    """Simulate triggered events of one kind between 5 and 35 deg zenith distance."""
    common = {"energy_min_gev": 80, "energy_max_gev": 10000, "zenith_min_deg": 5, "zenith_max_deg": 35}
    values = {"name": particle, "particle": particle, "spectral_index": 2.0, **common, **PRODUCTIONS[particle]}
    settings = ProductionSettings.model_validate(values)
    return EventSet(produce(settings, f"{sample}/{particle}.h5", n_events=n_events, seed=seed, workers=1))


training = {particle: simulated(particle, "train", 600, seed=1) for particle in PRODUCTIONS}
test = {particle: simulated(particle, "test", 300, seed=2) for particle in PRODUCTIONS}
training["proton"]

# %% [markdown]
# ## Training
#
# The network sees the pixels of both telescopes on the hexagonal grid and, besides them, where the telescopes point,
# how they stand to each other, and the image and stereo parameters: with so few events the pixels alone would not do.
# All other settings keep their defaults; the display below has them with their meanings. Diffuse gammas serve both
# tasks, protons the separation.

# %%
settings = ModelSettings.model_validate(
    {
        "network": {"arguments": {"stem": 8, "widths": [16, 32]}},
        "training": {
            "heads": ["particle", "energy"],
            "epochs": 10,
            "batch_size": 64,
            "ema_decay": 0.95,
            "validation_fraction": 0.2,
            "threads": 1,
        },
    }
)
sources = [Source(training[p], extract_features(training[p])) for p in ("gamma_diffuse", "proton")]
model = train(sources, "small_cnn.pt", settings=settings, device="cpu")
model

# %%
settings

# %% [markdown]
# The loss of the validation showers tells when the network starts to learn the training sample by heart; the weights of
# the best epoch are kept.

# %%
training_curves(model.description.history)
plt.title("loss of both heads together")

# %% [markdown]
# ## Predictions for other showers
#
# A prediction table has one row per event: gammaness from 0 (hadron) to 1 (gamma), the energy and its uncertainty,
# and the truth. Nothing that judges it sees the network again.

# %%
tables = {"CNN": [predict_table([model], events, extract_features(events)) for events in test.values()]}
tables["CNN"][0]

# %% [markdown]
# `evaluate` puts everything into one table of numbers with 68 % intervals from a bootstrap over showers.

# %%
ZENITH = (5.0, 35.0)
EDGES = (100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0)
metrics = evaluate(tables, EvaluationSettings(zenith_bins_deg=(ZENITH,), energy_edges_gev=EDGES, n_replicates=100))
metrics

# %% [markdown]
# Gammaness of diffuse gammas (full) and protons (dashed), and what a cut on it keeps of both:

# %%
samples = align(tables)
gamma, proton, ring = (samples[role] for role in ("diffuse_gamma", "proton", "ring_gamma"))
fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
gammaness_histograms(gamma, proton, ["CNN"], ax=axes[0], n_bins=15)
roc_curves(compute_roc_curves(gamma, proton, ["CNN"]), ax=axes[1])

# %% [markdown]
# Energy of the gammas from 0.4 deg: in which bin of estimated energy the events of a bin of true energy end up, and the
# distribution of the relative error.

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
migration_matrix(metrics, ZENITH, "CNN", ax=axes[0])
error_histograms(ring, ["CNN"], ax=axes[1], n_bins=25)

# %% [markdown]
# Next: the same events judged against lookup tables and forests, in *CNN against LUT*.
