"""Speed of cleaning, image and stereo parameters on one core, beside ctapipe's functions on the same images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.errors import optional_import
from magicnn.events import EventBatch, concatenate
from magicnn.images.cleaning import clean, tailcuts_clean
from magicnn.images.hillas import image_parameters
from magicnn.images.stereo import reconstruct
from magicnn.pipeline.simulation_speed import bench_production
from magicnn.pipeline.speed import Measure, chosen, collect, repeated
from magicnn.simulation.production import simulate_chunk

__all__ = ["MEASURES", "measure"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def _rate(text: str, target: float | None = None) -> Measure:
    return Measure(text, "1/s", target, is_time=False, layout=".0f")


_OWN = {
    "all_per_s": _rate("images: sum cleaning, all image and stereo parameters", 20_000.0),
    "cleaning_per_s": _rate("images: sum cleaning"),
    "tailcuts_per_s": _rate("images: tail cuts"),
    "parameters_per_s": _rate("images: image parameters", 20_000.0),
    "stereo_per_s": _rate("events: stereo parameters"),
}
_COMPARED = {
    "ctapipe_per_s": _rate("images: ctapipe's tail cuts, hillas, timing, leakage, concentration, morphology"),
    "over_ctapipe": Measure("tail cuts and image parameters over these of ctapipe", "times", 20.0, is_time=False),
    "tailcuts_over_ctapipe": Measure("tail cuts alone over those of ctapipe", "times", None, is_time=False),
    "difference": Measure("largest relative difference of the parameters to ctapipe's", "", 1e-5, layout=".1e"),
    "slope_difference": Measure("time slope to ctapipe's robust one: median distance", "ns/deg", None, layout=".2f"),
    "slope_difference_68": Measure("the same: what 68 % of the images stay below", "ns/deg", None, layout=".2f"),
}
MEASURES: dict[str, Measure] = {**_OWN, **_COMPARED}
"""Keys of the JSON, and what they mean."""

_N_SIMULATED, _N_EVENTS, _N_COMPARED = 128, 4096, 200
_LEVELS = {"core_pe": 6.0, "boundary_pe": 3.5}
_SMALL = 1e-5  # the difference of a smaller value is relative to this


def measure(*, repeat: int = 5, scale: float = 1.0, only: Sequence[str] = ()) -> dict[str, Any]:
    """Measure speeds in processor time of this process.

    Parameters
    ----------
    repeat : int
        Repetitions; the reference loop is timed before each.
    scale : float
        Factor on the numbers of images.
    only : sequence of str
        Keys of `MEASURES`; all when empty.

    Returns
    -------
    dict
        See `magicnn.pipeline.speed.collect`; besides, ``repeat``, ``scale``, ``n_images`` and ``mean_pixels`` of the
        cleaned images.

    Raises
    ------
    ConfigError
        A key is not known.
    MissingDependencyError
        ctapipe shall be compared with and is not installed.

    Notes
    -----
    The images are those of simulated gammas, E^-2 from 100 GeV to 10 TeV at 20 deg zenith distance, repeated until
    there are enough. ctapipe's functions are called image by image with the same masks, in float64.
    """
    keys = chosen(only, MEASURES, command="bench features")
    events = _events(max(2, round(_N_SIMULATED * min(scale, 1.0))), max(4, round(_N_EVENTS * scale)))
    mask = clean(events.charge, events.time, events.meta.camera)
    references: list[float] = []

    def values() -> Iterator[tuple[str, list[float]]]:
        for key, work in _own_works(events, mask).items():
            if key in keys:
                yield key, repeated(work, repeat, references)
        wanted = [key for key in _COMPARED if key in keys]
        if wanted:
            found = _compared(events, mask, max(4, round(_N_COMPARED * scale)), repeat, references)
            yield from ((key, found[key]) for key in wanted)

    n_images, mean_pixels = mask[..., 0].size, float(mask.sum(axis=-1).mean())
    return collect(
        values(), MEASURES, references, repeat=repeat, scale=scale, n_images=n_images, mean_pixels=mean_pixels
    )


def _events(n_simulated: int, n_events: int) -> EventBatch:
    simulation = bench_production("gamma", (100.0, 10_000.0), scatter_radius_m=150.0, reuse=5)
    parts: list[EventBatch] = []
    while sum(map(len, parts)) < n_simulated:
        parts.append(simulate_chunk(simulation, len(parts)))
    events = concatenate(parts)
    return events.select(np.arange(n_events) % len(events))


def _per_s(work: Callable[[], Any], n: int, _: int = 0) -> float:
    start = time.process_time()
    work()
    return n / (time.process_time() - start)


def _own_works(events: EventBatch, mask: Bools) -> dict[str, Callable[[int], float]]:
    charge, times, camera = events.charge, events.time, events.meta.camera
    pointing = events["pointing_zenith_deg"], events["pointing_azimuth_deg"]
    images = image_parameters(charge, times, mask, camera)
    n_images = mask[..., 0].size

    def everything() -> None:
        kept = clean(charge, times, camera)
        reconstruct(image_parameters(charge, times, kept, camera), *pointing)

    return {
        "all_per_s": partial(_per_s, everything, n_images),
        "cleaning_per_s": partial(_per_s, lambda: clean(charge, times, camera), n_images),
        "tailcuts_per_s": partial(_per_s, lambda: tailcuts_clean(charge, camera, **_LEVELS), n_images),
        "parameters_per_s": partial(_per_s, lambda: image_parameters(charge, times, mask, camera), n_images),
        "stereo_per_s": partial(_per_s, lambda: reconstruct(images, *pointing), len(events)),
    }


def _compared(
    events: EventBatch, mask: Bools, n_compared: int, repeat: int, references: list[float]
) -> dict[str, list[float]]:
    """Values of the keys that need ctapipe: rates in turn with our own, and differences."""
    own, camera = _own_works(events, mask), events.meta.camera
    charge, times = (a.reshape(-1, camera.n_pixels).astype(np.float64) for a in (events.charge, events.time))
    kept = mask.reshape(-1, camera.n_pixels)
    few = np.flatnonzero(kept.sum(axis=1) > 2)[:n_compared]
    charge, times, kept = charge[few], times[few], kept[few]
    parameters, tailcuts = _of_ctapipe(camera, charge, times, kept)
    pairs: list[tuple[str, Callable[[], Any]]] = [("tailcuts_per_s", tailcuts), ("parameters_per_s", parameters)]
    rates: list[tuple[float, float, float]] = []

    def turn(_: int) -> float:
        seconds = [(1.0 / own[k](0), 1.0 / _per_s(theirs, len(few))) for k, theirs in pairs]
        ours_s, theirs_s = np.sum(seconds, axis=0)
        rates.append((1.0 / theirs_s, theirs_s / ours_s, seconds[0][1] / seconds[0][0]))
        return rates[-1][0]

    repeated(turn, repeat, references)
    per_s, over, tailcuts_over = (list(values) for values in zip(*rates[1:], strict=True))
    ours, theirs = image_parameters(charge, times, kept, camera), parameters()
    slope = np.abs(ours["time_slope_ns_per_deg"] - theirs.pop("time_slope_ns_per_deg"))
    differences = [np.abs(ours[n] - v) / np.maximum(np.abs(v), _SMALL) for n, v in theirs.items()]
    return {
        "ctapipe_per_s": per_s,
        "over_ctapipe": over,
        "tailcuts_over_ctapipe": tailcuts_over,
        "difference": [float(np.max(differences))],
        "slope_difference": [float(np.median(slope))],
        "slope_difference_68": [float(np.quantile(slope, 0.6827))],
    }


def _of_ctapipe(
    camera: Camera, charge: Floats, times: Floats, mask: Bools
) -> tuple[Callable[[], dict[str, Floats]], Callable[[], None]]:
    """Functions that call ctapipe's image by image: parameters under our names, and tail cuts."""
    purpose = "compare image parameters with its own"
    image = optional_import("ctapipe.image", purpose=purpose)
    instrument = optional_import("ctapipe.instrument", purpose=purpose)
    units = optional_import("astropy.units", purpose=purpose)
    frames = optional_import("ctapipe.coordinates", purpose=purpose)
    deg = units.deg
    geometry = instrument.CameraGeometry(
        name=camera.name,
        pix_id=np.arange(camera.n_pixels),
        pix_x=camera.x_deg * deg,
        pix_y=camera.y_deg * deg,
        pix_area=np.full(camera.n_pixels, np.sqrt(0.75) * camera.pixel_pitch_deg**2) * deg**2,
        pix_type="hexagon",
        pix_rotation=0.0 * deg,
        cam_rotation=0.0 * deg,
        neighbors=[[int(k) for k in row if k >= 0] for row in camera.neighbours],
        frame=frames.TelescopeFrame(),
    )

    def one(q: Floats, t: Floats, kept: Bools) -> dict[str, float]:
        h = image.hillas_parameters(geometry[kept], q[kept])
        timing = image.timing_parameters(geometry, q, t, h, kept)
        leakage = image.leakage_parameters(geometry, q, kept)
        concentration = image.concentration_parameters(geometry, np.where(kept, q, 0.0), h)
        morphology = image.morphology_parameters(geometry, kept)
        return {
            "size_pe": h.intensity,
            "cog_x_deg": h.fov_lon.to_value(deg),
            "cog_y_deg": h.fov_lat.to_value(deg),
            "r_deg": h.r.to_value(deg),
            "phi_deg": h.phi.to_value(deg),
            "length_deg": h.length.to_value(deg),
            "width_deg": h.width.to_value(deg),
            "psi_deg": h.psi.to_value(deg),
            "skewness": h.skewness,
            "kurtosis": h.kurtosis,
            "time_slope_ns_per_deg": timing.slope.to_value(1 / deg),
            "leakage1": leakage.intensity_width_1,
            "leakage2": leakage.intensity_width_2,
            "leakage1_pixels": leakage.pixels_width_1,
            "leakage2_pixels": leakage.pixels_width_2,
            "concentration": concentration.pixel,
            "concentration_cog": concentration.cog,
            "concentration_core": concentration.core,
            "n_pixels": morphology.n_pixels,
            "n_islands": morphology.n_islands,
        }

    def parameters() -> dict[str, Floats]:
        rows = [one(*row) for row in zip(charge, times, mask, strict=True)]
        return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}

    def tailcuts() -> None:
        for q in charge:
            image.tailcuts_clean(geometry, q, picture_thresh=_LEVELS["core_pe"], boundary_thresh=_LEVELS["boundary_pe"])

    return parameters, tailcuts
