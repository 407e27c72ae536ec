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
# # CNN against LUT
#
# MAGIC's analysis estimates energies with lookup tables (LUT) and separates gammas from hadrons with random forests.
# Does a network do better, and by how much? The answer needs the same training showers, the same test events and the
# same cuts for all, and an interval on the difference. As in *Train a small CNN*, **the samples are tiny**: what
# counts here is how it is done.

# %%
import matplotlib.pyplot as plt

from magicnn import EventSet
from magicnn.baselines.suite import Baselines, BaselineSettings
from magicnn.evaluation import EvaluationSettings, evaluate
from magicnn.evaluation.verdict import verdict_lines
from magicnn.images.features import extract_features
from magicnn.images.quality import cut_flow
from magicnn.nn.data import Source
from magicnn.nn.predict import predict_table
from magicnn.nn.settings import ModelSettings
from magicnn.nn.trainer import train
from magicnn.report.lookup_plots import lookup_figure
from magicnn.report.plots import energy_metric
from magicnn.simulation.production import produce
from magicnn.simulation.settings import ProductionSettings

# %% [markdown]
# ## The same events for all
#
# The productions are those of *Train a small CNN*: in the same folder its files are taken as they are. Image and stereo
# parameters are what tables and forests work with; the network may have them, too.

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
parameters = {particle: extract_features(events) for particle, events in training.items()}
cut_flow(parameters["gamma"])

# %% [markdown]
# ## Lookup tables and forests
#
# The energy tables hold what turns light into energy, E ρ / size, against impact and size, as MAGIC's do. Empty cells
# (white) had no events; an event that falls there gets no energy.

# %%
baselines = Baselines.fit(
    [parameters["gamma"], parameters["gamma_diffuse"]],
    [parameters["gamma_diffuse"], parameters["proton"]],
    BaselineSettings(),
    seed=1,
)
baselines

# %%
lookup_figure(baselines.lookup)

# %% [markdown]
# ## Networks
#
# One for the energy, trained on the gammas, and one for the separation, trained on diffuse gammas and protons. The
# direction by DISP, which the tables take their impact from, is added to the parameters for all.


# %%
def network(head: str, particles: list[str]):
    """Train a small network for one quantity."""
    settings = ModelSettings.model_validate(
        {
            "network": {"arguments": {"stem": 8, "widths": [16, 32]}},
            "training": {
                "heads": [head],
                "epochs": 12,
                "batch_size": 64,
                "ema_decay": 0.95,
                "validation_fraction": 0.2,
                "threads": 1,
            },
        }
    )
    sources = [Source(training[p], baselines.disp.apply(parameters[p])) for p in particles]
    return train(sources, f"cnn_{head}.pt", settings=settings, device="cpu")


models = [network("energy", ["gamma", "gamma_diffuse"]), network("particle", ["gamma_diffuse", "proton"])]
models[0]

# %% [markdown]
# ## The verdict
#
# Every method says what it thinks of every test event. `evaluate` judges them on the events that pass everybody's cuts,
# and resamples showers, not events, for the intervals.

# %%
tables = {"CNN": [], "LUT": [], "forest": []}
for events in test.values():
    features = baselines.disp.apply(extract_features(events))
    for table in (predict_table(models, events, features), *baselines.predict(features)):
        tables[table.method].append(table)

ZENITH = (5.0, 35.0)
metrics = evaluate(
    tables,
    EvaluationSettings(
        zenith_bins_deg=(ZENITH,),
        energy_edges_gev=(100.0, 250.0, 630.0, 1600.0, 10000.0),
        comparison_min_events=20,
        n_replicates=100,
    ),
)
metrics

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
for ax, metric in zip(axes, ("bias_median", "resolution_half68"), strict=True):
    energy_metric(metrics, metric, ZENITH, ["CNN", "LUT", "forest"], ax=ax, min_events=10)
axes[0].legend()

# %% [markdown]
# Two intervals that overlap do not say that two methods are equal: both saw the same showers, so most of the scatter is
# common to them. The paired bootstrap resamples the difference itself. In words, with the standard deviation of the
# difference:

# %%
for line in verdict_lines(metrics):
    print(line)

# %% [markdown]
# The main job, `magicnn run analysis/full_comparison.yaml`, does this in four zenith ranges with samples that can
# bear a verdict, and writes it into a report.
