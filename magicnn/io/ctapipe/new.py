"""A new ctapipe file around events known by their columns: array, blocks, pointing, trigger and truth, no images."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import impact_m, wrapped_degrees
from magicnn.errors import InputError
from magicnn.events import EventMeta
from magicnn.io.ctapipe.events import RUN, SHOWER, TRIGGER
from magicnn.io.ctapipe.subarray import subarray_description, telescope_numbers
from magicnn.io.ctapipe.truth import primary_ids
from magicnn.io.ctapipe.writer import Column, choice, days, describe_product, high_resolution_time, write_table

__all__ = ["event_index", "write_events"]

_log = logging.getLogger(__name__)

Columns = Mapping[str, NDArray[Any]]

_SHOWER_EVENT = 32  # EventType.SUBARRAY
_ALTAZ, _ICRS, _UNKNOWN = 0, 1, -1  # CoordinateFrameType
_DISC_OF_CORES = 1  # as sim_telarray marks cores thrown over a disc
_STEADY_DEG = 1e-3  # what ctapipe-compute-irf takes for one pointing

_TRUTH = {
    "true_energy": ("true_energy_gev", 1e-3, "TeV", "Simulated Energy"),
    "true_alt": ("true_zenith_deg", None, "deg", "Simulated altitude"),
    "true_az": ("true_azimuth_deg", 1.0, "deg", "Simulated azimuth"),
    "true_core_x": ("true_core_x_m", 1.0, "m", "Simulated core position (x)"),
    "true_core_y": ("true_core_y_m", 1.0, "m", "Simulated core position (y)"),
    "true_h_first_int": ("true_first_interaction_m", 1.0, "m", "Height of first interaction"),
    "true_x_max": ("true_xmax_gcm2", 1.0, "g.cm**-2", "Simulated Xmax value"),
}


def event_index(columns: Columns) -> list[Column]:
    """Return run and event numbers as columns ``obs_id`` and ``event_id``."""
    return [
        Column("obs_id", columns["run_id"].astype(np.int64), description="Observation Block ID"),
        Column("event_id", columns["event_id"].astype(np.int64), description="Array Event ID"),
    ]


def write_events(file: Any, meta: EventMeta, columns: Columns, has_image: NDArray[np.bool_]) -> None:
    """Write all that ctapipe wants to know of events besides images and reconstruction.

    Parameters
    ----------
    file : tables.File
        Empty, open for writing.
    meta : EventMeta
        Of the events.
    columns : mapping of str to array, [N]
        Columns of the event schema, ``run_id`` and ``event_id`` at least.
    has_image : bool array, [N, T]
        Telescopes of each event.

    Raises
    ------
    InputError
        There are no events, or simulated ones without their truth.

    Notes
    -----
    What ctapipe's tables cannot say is said in the log: cores thrown over an area that grows with energy, a pointing
    that changes within a run and has no times, weights of events.
    """
    if not len(columns["event_id"]):
        raise InputError("no events to write")
    runs = np.unique(columns["run_id"])
    subarray_description(meta).to_hdf(file)
    _write_blocks(file, meta, columns, runs)
    _write_pointing(file, meta, columns, runs)
    _write_trigger(file, meta, columns, has_image)
    if meta.is_simulation:
        _write_shower(file, columns)
        _write_impact(file, meta, columns, has_image)
        _write_run(file, meta, columns, runs)
    describe_product(
        file,
        levels=[],
        new={
            "process": "Simulation" if meta.is_simulation else "Observation",
            "ids": ",".join(map(str, runs.tolist())),
            "instrument": meta.production or "unknown",
        },
    )


def _spread(values: NDArray[Any]) -> float:
    return float(np.ptp(values)) if np.isfinite(values).all() else np.inf


def _steady(columns: Columns, which: NDArray[np.bool_]) -> tuple[int, float, float]:
    """Frame in which the telescopes stood still, with latitude and longitude; unknown and NaN when in none."""
    pairs = {
        _ALTAZ: ("pointing_zenith_deg", "pointing_azimuth_deg"),
        _ICRS: ("pointing_dec_deg", "pointing_ra_deg"),
    }
    for frame, (latitude, longitude) in pairs.items():
        if latitude in columns and longitude in columns:
            lat, lon = columns[latitude][which], columns[longitude][which]
            around = wrapped_degrees(lon - lon[0])
            if max(_spread(lat), _spread(around)) < _STEADY_DEG:
                at = float(lat.mean())
                return frame, 90.0 - at if frame == _ALTAZ else at, float((lon[0] + around.mean()) % 360.0)
    return _UNKNOWN, np.nan, np.nan


def _write_blocks(file: Any, meta: EventMeta, columns: Columns, runs: NDArray[np.int64]) -> None:
    """One observation block per run, each in a scheduling block of the same number."""
    from ctapipe import containers

    producer = "simulation" if meta.is_simulation else "MAGIC"
    places = [_steady(columns, columns["run_id"] == run) for run in runs]
    frames, lats, lons = (np.array(values) for values in zip(*places, strict=True))
    n = len(runs)
    ids = runs.astype(np.uint64)
    start = None
    if "time_utc_ns" in columns:
        start = np.array([columns["time_utc_ns"][columns["run_id"] == run].min() for run in runs])
    text = np.full(n, producer, dtype=f"S{len(producer)}")
    string = {"TRANSFORM": "string", "MAXLEN": len(producer)}
    types = np.full(n, -1 if meta.is_simulation else 0)
    write_table(
        file,
        "/configuration/observation/observation_block",
        [
            Column("obs_id", ids, description="Observation Block ID"),
            Column("sb_id", ids, description="ID of the parent SchedulingBlock"),
            Column("producer_id", text, description="Origin of the obs_id", attributes=string),
            choice("state", np.full(n, -1), containers.ObservationBlockState, "State of this OB"),
            Column("subarray_pointing_lat", lats, "deg", "latitude of the nominal center coordinate"),
            Column("subarray_pointing_lon", lons, "deg", "longitude of the nominal center coordinate"),
            choice(
                "subarray_pointing_frame",
                frames.astype(np.int64),
                containers.CoordinateFrameType,
                "Frame in which the subarray_target is non-moving",
            ),
            Column("scheduled_duration", np.full(n, np.nan), "min", "expected duration from scheduler"),
            days("scheduled_start_time", None, n, "expected start time from scheduler"),
            days("actual_start_time", start, n, "true start time"),
            Column("actual_duration", np.full(n, np.nan), "min", "true duration"),
        ],
    )
    write_table(
        file,
        "/configuration/observation/scheduling_block",
        [
            Column("sb_id", ids, description="Scheduling block ID"),
            choice("sb_type", types, containers.SchedulingBlockType, "Type of scheduling block"),
            Column("producer_id", text, description="Origin of the sb_id", attributes=string),
            choice("observing_mode", np.full(n, -1), containers.ObservingMode, "How observations lie in space"),
            choice("pointing_mode", np.full(n, -1), containers.PointingMode, "How the telescope drives move"),
        ],
    )


def _write_pointing(file: Any, meta: EventMeta, columns: Columns, runs: NDArray[np.int64]) -> None:
    """Where each telescope pointed: once per run when it stood still in the horizontal frame, else event by event."""
    if "pointing_zenith_deg" not in columns:
        return
    places = [_steady(columns, columns["run_id"] == run) for run in runs]
    if all(frame == _ALTAZ for frame, _, _ in places):
        _, lats, lons = (np.array(values) for values in zip(*places, strict=True))
        for number in telescope_numbers(meta):
            write_table(
                file,
                f"/configuration/telescope/pointing/tel_{number:03d}",
                [
                    Column("obs_id", runs, description="Observation Block ID"),
                    Column("tel_id", np.full(len(runs), number), description="Telescope ID"),
                    Column("telescope_pointing_azimuth", np.radians(lons), "rad", "Azimuth, measured N->E", "azimuth"),
                    Column("telescope_pointing_altitude", np.radians(lats), "rad", "Altitude", "altitude"),
                ],
            )
    elif "time_utc_ns" in columns:
        time, first = np.unique(columns["time_utc_ns"], return_index=True)
        azimuth = np.radians(columns["pointing_azimuth_deg"][first])
        altitude = np.radians(90.0 - columns["pointing_zenith_deg"][first])
        for number in telescope_numbers(meta):
            write_table(
                file,
                f"/dl0/monitoring/telescope/pointing/tel_{number:03d}",
                [
                    high_resolution_time("time", time, len(time), "Time when the data was taken"),
                    Column("azimuth", azimuth, "rad", "Azimuth, measured N->E"),
                    Column("altitude", altitude, "rad", "Altitude"),
                ],
            )
    else:
        _log.warning("the pointing changes within a run, which ctapipe's tables cannot say of events without a time")


def _write_trigger(file: Any, meta: EventMeta, columns: Columns, has_image: NDArray[np.bool_]) -> None:
    from ctapipe.containers import EventType

    n = len(has_image)
    index = event_index(columns)
    times = columns.get("time_utc_ns")
    kinds = np.full(n, _SHOWER_EVENT)
    write_table(
        file,
        TRIGGER,
        [
            *index,
            high_resolution_time("time", times, n, "central average time stamp"),
            Column(
                "tels_with_trigger",
                has_image,
                description="List of telescope ids that triggered the array event",
                attributes={"TRANSFORM": "tel_list_to_mask"},
            ),
            choice("event_type", kinds, EventType, "Event type"),
        ],
    )
    event, telescope = np.nonzero(has_image)
    write_table(
        file,
        "/dl1/event/telescope/trigger",
        [
            *(Column(c.name, c.values[event], description=c.description) for c in index),
            Column("tel_id", np.array(telescope_numbers(meta), dtype=np.int16)[telescope], description="Telescope ID"),
            high_resolution_time("time", None if times is None else times[event], len(event), "Telescope trigger time"),
            choice("event_type", kinds[event], EventType, "Event type"),
            Column("n_trigger_pixels", np.full(len(event), -1), description="Number of trigger groups listed"),
        ],
    )


def _write_shower(file: Any, columns: Columns) -> None:
    needed = ["true_energy_gev", "true_zenith_deg", "true_azimuth_deg", "true_particle"]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise InputError(f"simulated events without their truth: no column {missing[0]!r}")
    n = len(columns["event_id"])
    written = event_index(columns)
    for name, (stored, factor, unit, description) in _TRUTH.items():
        values = columns.get(stored, np.full(n, np.nan))
        values = 90.0 - values if factor is None else values * factor
        written.append(Column(name, values, unit, description, name.removeprefix("true_")))
    written += [
        Column("true_starting_grammage", np.full(n, np.nan), "g.cm**-2", "Grammage", "starting_grammage"),
        Column(
            "true_shower_primary_id",
            primary_ids(columns["true_particle"]).astype(np.int64),
            description="0 (gamma), 1 (e-), 2 (mu-), 100*A+Z for nucleons and nuclei, negative for antimatter",
            field="shower_primary_id",
        ),
    ]
    if "weight" in columns and (columns["weight"] != 1.0).any():
        _log.warning("events stand for several thrown ones each: multiply by the column 'true_weight' of %s", SHOWER)
        written.append(Column("true_weight", columns["weight"], description="thrown events that this one stands for"))
    write_table(file, SHOWER, written)


def _write_impact(file: Any, meta: EventMeta, columns: Columns, has_image: NDArray[np.bool_]) -> None:
    """Distance of every telescope with an image to the true axis; without cores only the group, which ctapipe wants."""
    names = ("true_core_x_m", "true_core_y_m", "true_zenith_deg", "true_azimuth_deg")
    if any(name not in columns for name in names):
        file.create_group("/simulation/event", "telescope", createparents=True)
        return
    x, y, zenith, azimuth = (columns[name] for name in names)
    distance = impact_m(x, y, zenith, azimuth, meta.layout.positions_m)
    for place, number in enumerate(telescope_numbers(meta)):
        rows = np.flatnonzero(has_image[:, place])
        index = [Column(c.name, c.values[rows], description=c.description) for c in event_index(columns)]
        write_table(
            file,
            f"/simulation/event/telescope/impact/tel_{number:03d}",
            [
                *index,
                Column("tel_id", np.full(len(rows), number, dtype=np.int16), description="Telescope ID"),
                Column("true_impact_distance", distance[rows, place], "m", "distance to the shower axis", "distance"),
                Column("true_impact_distance_uncert", np.full(len(rows), np.nan), "m", "", "distance_uncert"),
            ],
        )


def _write_run(file: Any, meta: EventMeta, columns: Columns, runs: NDArray[np.int64]) -> None:
    """What was thrown, spread evenly over the runs, so that their sum is right."""
    g = meta.generated
    if "n_thrown" not in g:
        _log.warning("what was thrown is not known: no %s, so no effective areas", RUN)
        return
    n = len(runs)
    radius = g["scatter_radius_m"]
    if g["scatter_energy_exponent"] or g["scatter_zenith_exponent"]:
        _log.warning("cores were thrown over an area that grows with energy or zenith: max_scatter_range is NaN")
        radius = np.nan
    site = meta.layout.site
    north, down = (np.nan if part is None else part for part in (site.field_north_ut, site.field_down_ut))
    thrown = np.full(n, int(g["n_thrown"]) // n)
    thrown[0] += int(g["n_thrown"]) - int(thrown.sum())
    azimuth = columns["true_azimuth_deg"]
    plain: dict[str, tuple[float, str]] = {
        "corsika_version": (np.nan, ""),
        "simtel_version": (np.nan, ""),
        "energy_range_min": (g["energy_min_gev"] / 1e3, "TeV"),
        "energy_range_max": (g["energy_max_gev"] / 1e3, "TeV"),
        "prod_site_B_total": (float(np.hypot(north, down)), "uT"),
        "prod_site_B_declination": (np.radians(site.declination_deg), "rad"),
        "prod_site_B_inclination": (float(np.arctan2(down, north)), "rad"),
        "prod_site_alt": (meta.layout.ground_m, "m"),
        "spectral_index": (-g["spectral_index"], ""),
        "shower_prog_start": (np.nan, ""),
        "shower_prog_id": (np.nan, ""),
        "detector_prog_start": (np.nan, ""),
        "detector_prog_id": (np.nan, ""),
        "max_alt": (np.radians(90.0 - g["zenith_min_deg"]), "rad"),
        "min_alt": (np.radians(90.0 - g["zenith_max_deg"]), "rad"),
        "max_az": (np.radians(float(azimuth.max())), "rad"),
        "min_az": (np.radians(float(azimuth.min())), "rad"),
        "max_viewcone_radius": (g["viewcone_max_deg"], "deg"),
        "min_viewcone_radius": (g["viewcone_min_deg"], "deg"),
        "max_scatter_range": (radius, "m"),
        "min_scatter_range": (0.0, "m"),
        "corsika_bunchsize": (np.nan, ""),
        "corsika_wlen_min": (np.nan, "nm"),
        "corsika_wlen_max": (np.nan, "nm"),
    }
    whole = {"core_pos_mode": _DISC_OF_CORES, "atmosphere": -1, "corsika_iact_options": -1}
    whole |= dict.fromkeys(("corsika_low_E_model", "corsika_high_E_model"), -1)
    whole |= dict.fromkeys(("corsika_low_E_detail", "corsika_high_E_detail"), -1)
    write_table(
        file,
        RUN,
        [
            Column("obs_id", runs, description="Observation Block ID"),
            Column("run_number", runs, description="Number of the run"),
            Column("n_showers", thrown, description="Number of showers simulated"),
            Column("shower_reuse", np.ones(n, dtype=np.int64), description="Number of uses of each shower"),
            Column("diffuse", np.full(n, g["viewcone_max_deg"] > g["viewcone_min_deg"]), description="Diffuse mode"),
            *(Column(name, np.full(n, value), unit) for name, (value, unit) in plain.items()),
            *(Column(name, np.full(n, value)) for name, value in whole.items()),
        ],
    )
