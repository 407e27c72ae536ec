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
# # Your own reader
#
# Your events lie in files that nobody else has? A class with four members makes them readable, and registering it
# makes `open_events`, conversion and prediction work with them. Here the files are NumPy archives (`.npz`) of one
# telescope run: charges, times, and when and where the telescopes looked.

# %%
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from magicnn import EventBatch, EventMeta, EventSet, InputError, open_events
from magicnn.io.base import Format, Reader
from magicnn.io.convert import convert_events
from magicnn.io.formats import register_format
from magicnn.nn.data import Source
from magicnn.nn.predict import predict_table
from magicnn.nn.settings import ModelSettings
from magicnn.nn.trainer import train
from magicnn.report.event_picture import draw_telescope
from magicnn.simulation.production import simulate_chunk, simulator
from magicnn.simulation.settings import ProductionSettings

# %% [markdown]
# ## Some files to read
#
# We simulate a few events and store them as if they were measured: without truth, and with one pixel that is dead.

# %%
common = {"spectral_index": 2.0, "energy_min_gev": 150, "energy_max_gev": 5000, "viewcone_max_deg": 1.5}
common |= {"zenith_min_deg": 15, "zenith_max_deg": 25, "scatter_radius_m": 200, "reuse": 20}


def simulated(particle: str) -> EventBatch:
    """Simulate 16 showers, each used 20 times."""
    settings = ProductionSettings.model_validate({"name": particle, "particle": particle, **common})
    return simulate_chunk(simulator(settings, seed=1), chunk=0)


gammas, protons = simulated("gamma_diffuse"), simulated("proton")
measured = gammas.select(slice(0, 20))
charge = measured.charge.copy()
charge[:, 0, 100] = np.nan
np.savez(
    "night.npz",
    charge=charge,
    time=np.where(np.isnan(charge), np.nan, measured.time),
    run=measured["run_id"],
    number=measured["event_id"],
    zenith_deg=measured["pointing_zenith_deg"],
    azimuth_deg=measured["pointing_azimuth_deg"],
)

# %% [markdown]
# ## The reader
#
# A reader has `meta`, what all events share; a length; `read(start, stop)`, which gives a range of events, all when no
# range is given; and `batches(size)`, which yields them in pieces. What it must get right:
#
# - charges in photoelectrons, times in ns, `float32`, `[events, telescopes, pixels]`; a pixel that cannot be used,
#   and a telescope that is missing, are `NaN`;
# - pixels in the order of the camera, here MAGIC's own (`Camera.from_geometry` takes the positions of another one);
# - rows ordered by run and event number; columns with the names and units of `magicnn.events.SCHEMA`;
# - truth, such as `true_energy_gev`, for simulations only;
# - mistakes of the user end in one line, an `InputError` that names the file and what was expected.
#
# Shapes, types and names are checked by `EventBatch` itself.


# %%
class NumpyEvents:
    """Events of a NumPy archive."""

    def __init__(self, paths: Sequence[Path], *, source: str = "unknown source") -> None:
        if len(paths) != 1:
            raise InputError(f"{paths[0]} and others: NumPy archives are opened one at a time")
        self._arrays = dict(np.load(paths[0]))
        missing = {"charge", "time", "run", "number", "zenith_deg", "azimuth_deg"} - set(self._arrays)
        if missing:
            raise InputError(f"{paths[0]}: no array {', '.join(sorted(missing))}; not one of our archives")
        self._meta = EventMeta(particle=None, production=source, is_simulation=False, source_files=(str(paths[0]),))

    @property
    def meta(self) -> EventMeta:
        """What all events share."""
        return self._meta

    def __len__(self) -> int:
        return len(self._arrays["number"])

    def read(self, start: int | None = None, stop: int | None = None) -> EventBatch:
        """Return a range of events."""
        rows = {name: values[start:stop] for name, values in self._arrays.items()}
        columns = {
            "run_id": rows["run"],
            "event_id": rows["number"],
            "pointing_zenith_deg": rows["zenith_deg"],
            "pointing_azimuth_deg": rows["azimuth_deg"],
        }
        return EventBatch(rows["charge"].astype(np.float32), rows["time"].astype(np.float32), columns, self.meta)

    def batches(self, size: int = 1024) -> Iterator[EventBatch]:
        """Yield all events in pieces."""
        for start in range(0, len(self), size):
            yield self.read(start, start + size)


# %% [markdown]
# ## Register it
#
# A `Format` says how such files are recognised, from the name or the first bytes, and how they are opened. Keyword
# options of the reader become options of `open_events`.

# %%
register_format(
    Format(
        kind="numpy",
        description="a NumPy archive",
        patterns=("*.npz",),
        recognises=lambda path, head: path.suffix == ".npz" and head.startswith(b"PK"),
        open=NumpyEvents,
    )
)
night = open_events("night.npz", source="Crab Nebula")
assert isinstance(night, Reader)
night.read()

# %%
first = night.read(0, 1)
draw_telescope(first.meta.camera, first.charge[0, 0], first.time[0, 0], name="M1")

# %% [markdown]
# A mistake is one line:

# %%
try:
    open_events("night.npz", sauce="Crab Nebula")
except Exception as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
# ## Convert
#
# An event set reads faster, carries checksums and needs no reader of yours any more. A conversion that is killed goes
# on where it stopped.

# %%
print(convert_events("night.npz", "night.h5", source="Crab Nebula"))
EventSet("night.h5")

# %% [markdown]
# ## Predict
#
# Any trained network takes the reader as it takes an event set. This one is trained for a moment only, so that the
# notebook needs nothing else; `magicnn.nn.checkpoint.load_model` reads one that is worth the name.

# %%
settings = ModelSettings.model_validate(
    {
        "inputs": {"auxiliary": ["cos_zenith", "centre", "has_image"]},
        "network": {"arguments": {"stem": 4, "widths": [8]}},
        "training": {
            "heads": ["particle", "energy"],
            "epochs": 1,
            "batch_size": 32,
            "validation_fraction": 0.3,
            "threads": 1,
        },
    }
)
model = train([Source(gammas), Source(protons)], "moment.pt", settings=settings, device="cpu")
from_reader = predict_table([model], night)
from_event_set = predict_table([model], EventSet("night.h5"))
print("largest difference:", np.nanmax(np.abs(from_reader["gammaness"] - from_event_set["gammaness"])))
from_reader

# %% [markdown]
# Event sets keep pixels in half precision, so the last digits may differ. The commands `magicnn convert`, `info` and
# `predict` know the format too once a package that is installed names it as an entry point `magicnn.formats`.
