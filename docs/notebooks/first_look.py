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
# # First look at an event
#
# From a file of events to an image, its parameters and the grid that a network sees. Everything here takes arrays and
# returns arrays: an event is `charge` and `time` per pixel, and a row of columns.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from magicnn import HexGrid, open_events
from magicnn.hexgrid import hexagonal_kernel_mask
from magicnn.images.cleaning import clean
from magicnn.images.features import extract_features
from magicnn.images.hillas import image_parameters
from magicnn.report.camera_plot import camera_image, hillas_ellipse
from magicnn.report.event_picture import draw_telescope
from magicnn.simulation.production import simulate_chunk, simulator
from magicnn.simulation.settings import ProductionSettings

# %% [markdown]
# ## Events
#
# If a folder `night` beside the notebook holds calibrated MARS files of both telescopes, these are read, and their
# events joined to stereo events. Otherwise a few gamma rays are simulated: 16 showers, each seen from ten places.

# %%
files = sorted(Path("night").glob("*_M[12]_*_Y_*.root"))
if files:
    events = open_events(files).read(0, 1000)
else:
    gammas = ProductionSettings(
        name="first_look",
        particle="gamma",
        spectral_index=2.0,
        energy_min_gev=300,
        energy_max_gev=3000,
        zenith_min_deg=15,
        zenith_max_deg=25,
        viewcone_min_deg=0.4,
        viewcone_max_deg=0.4,
        scatter_radius_m=150,
    )
    events = simulate_chunk(simulator(gammas, seed=1), chunk=0)
events

# %% [markdown]
# Charges are in photoelectrons, times in ns; `NaN` marks pixels that are dead, or saw no pulse. Every event has one
# image per telescope, `[events, telescopes, pixels]`.

# %%
camera = events.meta.camera
print(events.charge.shape, events.charge.dtype)
camera

# %% [markdown]
# ## Cleaning and image parameters
#
# Most pixels hold only light of the night sky. MAGIC's sum cleaning keeps groups of neighbours that are bright together
# and at the same time. `extract_features` does it for all events, computes the Hillas parameters of what is left, and
# crosses the axes of both images.

# %%
features = extract_features(events)
features

# %% [markdown]
# We look at an event that is bright in both telescopes, lies inside of both cameras, and whose axes cross at a large
# angle.

# %%
is_inside = (features["leakage2"] < 0.05).all(axis=1) & (np.hypot(features["reco_x_deg"], features["reco_y_deg"]) < 1.2)
sine = np.sin(np.radians(features["stereo_angle_deg"]))
number = int(np.argmax(np.where(is_inside, sine * np.log1p(features["size_pe"].min(axis=1)), 0.0)))
for k, telescope in enumerate(events.meta.telescopes):
    told = {name: features[name][number, k] for name in ("size_pe", "length_deg", "width_deg", "time_rms_ns")}
    print(telescope, ", ".join(f"{name} {value:.3g}" for name, value in told.items()))

# %% [markdown]
# Charge on the left, with the cleaned image framed; on the right the arrival times of its pixels. A gradient along the
# axis tells how far away the shower passed.

# %%
fig, axes = plt.subplots(2, 2, figsize=(9.6, 8.4), layout="constrained")
for k, telescope in enumerate(events.meta.telescopes):
    charge, time = events.charge[number, k], events.time[number, k]
    draw_telescope(camera, charge, time, name=telescope, axes=axes[k])

# %% [markdown]
# The ellipses of length and width, drawn at twice their size. Both axes point to where the shower came from, in the
# camera frame: their crossing (+) is the reconstructed direction.

# %%
cleaned = clean(events.charge[number], events.time[number], camera)
fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained")
for k, ax in enumerate(axes):
    camera_image(camera, events.charge[number, k], ax=ax, mask=cleaned[k], gamma=0.5, label="charge [phe]")
    for other in range(len(axes)):
        hillas_ellipse(features, number, other, ax=ax, colour="#e4572e" if other == k else "#9aa1ab")
    ax.plot(features["reco_x_deg"][number], features["reco_y_deg"][number], "+", color="black", markersize=12)
    ax.set_title(f"{events.meta.telescopes[k]}, {cleaned[k].sum()} of {camera.n_pixels} pixels")

# %% [markdown]
# ## The grid of the network
#
# A hexagonal camera has two axes at 60 degrees. In their coordinates (q, r) every pixel is one cell of a 39 x 39
# grid, so nothing is interpolated and going back is exact. The six neighbours of a pixel are the cells around it
# without two opposite corners: a 3 x 3 kernel with those two masked *is* the hexagonal convolution.

# %%
grid = HexGrid(camera)
image = np.nan_to_num(events.charge[number, 0])
on_grid = grid.to_grid(image)
assert (grid.to_pixels(on_grid) == image).all()
print(hexagonal_kernel_mask().astype(int))
grid

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained")
camera_image(camera, image, ax=axes[0], gamma=0.5).set_title("camera")
axes[1].imshow(np.sqrt(np.where(grid.mask, on_grid.clip(0.0), np.nan)), origin="lower")
axes[1].set(title="axial grid, square root of the charge", xlabel="q", ylabel="r")

# %% [markdown]
# ## Symmetries
#
# The camera looks the same after turns by 60 degrees and in a mirror: 12 permutations of the pixels. Training on turned
# events costs nothing and is exact, as the parameters of the turned images show.

# %%
turned = image[grid.symmetries]
mask = cleaned[0][grid.symmetries]
times = events.time[number, 0][grid.symmetries]
parameters = image_parameters(turned, times, mask, camera)
print(f"length from {parameters['length_deg'].min():.6f} to {parameters['length_deg'].max():.6f} deg")
assert np.ptp(parameters["length_deg"]) < 1e-6

fig, axes = plt.subplots(2, 6, figsize=(9.6, 3.4), layout="constrained")
for ax, values, kept in zip(axes.flat, turned, mask, strict=True):
    camera_image(camera, values, ax=ax, mask=kept, gamma=0.5)
