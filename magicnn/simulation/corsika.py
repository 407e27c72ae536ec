"""Event sets from CORSIKA: photon bunches through the optics, cameras and trigger of our own showers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import direction_vector, impact_m, sky_from_camera
from magicnn.camera import Camera
from magicnn.errors import ConfigError, InputError
from magicnn.events import SCHEMA, EventBatch, EventMeta
from magicnn.io.corsika import CorsikaFile, CorsikaRun, CorsikaShower, particle_name
from magicnn.io.eventset.reader import EventSet, EventSetWriter
from magicnn.runs import content_hash, progress, provenance, seed_sequence
from magicnn.simulation.corsika_light import (
    choose_telescopes,
    corsika_light,
    geographic_from_array,
    shower_direction_deg,
)
from magicnn.simulation.corsika_run import Pointing, common_production, differences_told, has_own_cone
from magicnn.simulation.detector import TriggeredEvent, observe
from magicnn.simulation.production import COLUMNS as PRODUCTION_COLUMNS
from magicnn.simulation.production import Simulator, simulator
from magicnn.simulation.settings import ProductionSettings

__all__ = ["COLUMNS", "CorsikaGeometry", "corsika_geometry", "observe_corsika", "produce_from_corsika"]

_LOG = logging.getLogger(__name__)

Floats = NDArray[np.float64]
_PDG = {1: 22, 2: -11, 3: 11, 5: -13, 6: 13, 13: 2112, 14: 2212}
_FIRST_NUCLEUS = 200
_SHOWER_BITS = 32
_MOST_USES = 1000

COLUMNS = tuple(name for name in PRODUCTION_COLUMNS if name not in ("weight", "true_xmax_gcm2"))
"""Columns of ``SCHEMA`` that are filled; CORSIKA's bunches do not say the depth of the maximum."""


@dataclass(frozen=True)
class CorsikaGeometry:
    """A shower of CORSIKA among our telescopes.

    Attributes
    ----------
    zenith_deg, azimuth_deg : float
        Where it comes from.
    core_x_m, core_y_m : float64 array, [K]
        Core of each use on the plane of the telescopes, geographic, from the middle between them.
    impact_m : float64 array, [K, 2]
        Distance of the telescopes, where they stand in the file, to the axis.
    """

    zenith_deg: float
    azimuth_deg: float
    core_x_m: Floats
    core_y_m: Floats
    impact_m: Floats


def corsika_geometry(shower: CorsikaShower, run: CorsikaRun, pair: tuple[int, int]) -> CorsikaGeometry:
    """Place a shower among the telescopes: cores follow the axis from the observation level up to them."""
    zenith, azimuth = shower_direction_deg(shower.zenith_deg, shower.azimuth_deg)
    places = geographic_from_array(run.telescopes_m[list(pair)], shower.array_angle_deg)
    middle = places.mean(axis=0)
    axis = direction_vector(zenith, azimuth)
    cores = geographic_from_array(shower.cores_m, shower.array_angle_deg) + middle[2] * axis[:2] / axis[2] - middle[:2]
    impact = impact_m(cores[:, 0], cores[:, 1], zenith, azimuth, places - middle)
    return CorsikaGeometry(zenith, azimuth, cores[:, 0], cores[:, 1], impact)


def observe_corsika(
    simulation: Simulator,
    shower: CorsikaShower,
    run: CorsikaRun,
    pair: tuple[int, int],
    pointing: Pointing = "cone",
) -> EventBatch:
    """Pass one shower of CORSIKA through the telescopes.

    Parameters
    ----------
    simulation : Simulator
        Detector, site and seed; its production's view cone is where ``"cone"`` draws pointings from.
    shower, run
        What `magicnn.io.corsika` read.
    pair : tuple of int
        Which telescopes are M1 and M2.
    pointing : {"cone", "shower"} or tuple of float
        Pointing of each use: on the axis of CORSIKA's own view cone where it has one, else drawn around the shower
        within the view cone of the production; straight at the shower; or zenith and azimuth (deg).

    Returns
    -------
    EventBatch
        The uses that triggered both telescopes, maybe none; the same for the same seed.
    """
    settings, seed = simulation.settings, simulation.seed
    sequence = seed_sequence(seed, settings.name, "corsika", run.run_number, shower.number)
    generator = np.random.default_rng(sequence)
    geometry = corsika_geometry(shower, run, pair)
    zeniths, azimuths = _pointings(shower, geometry, settings, pointing, generator)
    light = corsika_light(
        shower,
        run,
        pair,
        zeniths,
        azimuths,
        simulation.environment,
        settings.site.light_scale,
        generator,
    )
    words = [int(word) for word in sequence.generate_state(2, np.uint32)]
    seen = observe(light, simulation.detector, [(*words, use) for use in range(len(shower.uses))])
    rows = [_row(shower, run, geometry, zeniths, azimuths, event) for event in seen]
    meta = _meta(settings, shower, {})
    n, n_telescopes, n_pixels = len(seen), len(meta.telescopes), meta.camera.n_pixels
    columns = {}
    for name in COLUMNS:
        values = np.array([row[name] for row in rows])
        columns[name] = values.reshape((n, n_telescopes) if SCHEMA[name].shape == "telescope" else (n,))
    charge = np.array([event.charge_pe for event in seen], dtype=np.float32).reshape(n, n_telescopes, n_pixels)
    time = np.array([event.time_ns for event in seen], dtype=np.float32).reshape(n, n_telescopes, n_pixels)
    return EventBatch(charge, time, columns, meta)


def produce_from_corsika(
    settings: ProductionSettings,
    files: Sequence[Path | str],
    path: Path | str,
    *,
    seed: int,
    telescopes: Sequence[int] | None = None,
    pointing: Pointing = "cone",
    overwrite: bool = False,
) -> Path:
    """Write the event set of the showers in files of CORSIKA.

    Parameters
    ----------
    settings : ProductionSettings
        Detector and site; what was thrown is read from the files.
    files : sequence of path
        Runs of one production: same particle, spectrum, energies, directions and scatter radius.
    path : path
        The event set. One that is complete already, of the same settings, files and seed, is left alone; an
        interrupted one is continued.
    seed : int
        With the same seed the events are the same.
    telescopes : sequence of int, optional
        See `choose_telescopes`.
    pointing : {"cone", "shower"} or tuple of float
        See `observe_corsika`.
    overwrite : bool
        Replace whatever else is there.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        No files, or the seed is negative.
    InputError
        A file cannot be read, the files are of different productions, nothing triggered, or the place cannot be
        written.
    """
    target = Path(path)
    sources = [Path(file) for file in files]
    if not sources or seed < 0:
        raise ConfigError(f"expected at least one file and a seed from 0 on, got {len(sources)} and {seed}")
    heads = [_head(source) for source in sources]
    thrown = common_production(heads, settings, pointing)
    wanted = {
        "settings": content_hash(settings.model_dump(mode="json")),
        "seed": seed,
        "corsika": content_hash([[[run.run_number, run.version, run.card] for run, _ in heads], telescopes, pointing]),
    }
    if target.is_file():
        if any(target.samefile(source) for source in sources):
            raise InputError(f"{target}: is one of the files to read; give another output")
        if _stored(target) == wanted:
            _LOG.info("%s: complete already", target)
            return target
        if not overwrite:
            raise InputError(
                f"{target}: is there already and not the event set of these files, settings and seed {seed}; give "
                "another output, or overwrite it (--overwrite)"
            )
    pairs = [choose_telescopes(run, shower.array_angle_deg, telescopes) for run, shower in heads]
    for line in dict.fromkeys(
        line for head, pair in zip(heads, pairs, strict=True) for line in differences_told(*head, *pair, settings)
    ):
        _LOG.warning("%s", line)
    simulation = simulator(settings, seed)
    started = replace(
        _meta(settings, heads[0][1], {**thrown, **wanted}),
        source_files=tuple(source.name for source in sources),
        provenance=provenance(seed=seed, settings=settings.model_dump(mode="json")),
    )
    n_thrown = n_showers = n_lit = 0
    with (
        EventSetWriter(target, started, resume=True) as writer,
        progress(description=f"CORSIKA {settings.name}", unit="shower") as bar,
    ):
        for source, (pair, _) in zip(sources, pairs, strict=True):
            with CorsikaFile(source) as file:
                for shower in file.showers():
                    if n_showers not in writer.units:
                        batch = observe_corsika(simulation, shower, file.run, pair, pointing)
                        writer.append(replace(batch, meta=writer.meta), unit=n_showers)
                    n_showers += 1
                    n_thrown += len(shower.uses)
                    n_lit += sum(all(k in use and len(use[k].x_m) for k in pair) for use in shower.uses)
                    bar.update(1)
        writer.meta = replace(
            writer.meta, generated={**writer.meta.generated, "n_thrown": n_thrown, "n_showers": n_showers}
        )
        n_written = len(writer)
        if not n_written:
            writer.discard()
            first, second = (k + 1 for k in pairs[0][0])
            raise InputError(
                f"{target}: not written, nothing triggered (showers {n_showers}, uses {n_thrown}, with light in both "
                f"telescopes {n_lit}; M1 and M2 are {first} and {second} of the file's {len(heads[0][0].radius_m)} "
                "telescopes); give more or brighter showers, or another --pointing or --telescopes"
            )
    _LOG.info("%s: %d events of %d showers, %d uses", target, n_written, n_showers, n_thrown)
    return target


def _head(source: Path) -> tuple[CorsikaRun, CorsikaShower]:
    with CorsikaFile(source) as file:
        first = next(file.showers(), None)
        if first is None:
            raise InputError(f"{source}: holds no showers")
        return file.run, first


def _pointings(
    shower: CorsikaShower,
    geometry: CorsikaGeometry,
    settings: ProductionSettings,
    pointing: Pointing,
    generator: np.random.Generator,
) -> tuple[Floats, Floats]:
    n = len(shower.uses)
    if pointing == "cone" and has_own_cone(shower):
        pointing = shower_direction_deg(shower.theta_range_deg[0], shower.phi_range_deg[0])
    if pointing == "shower":
        pointing = (geometry.zenith_deg, geometry.azimuth_deg)
    if pointing != "cone":
        return np.full(n, float(pointing[0])), np.full(n, float(pointing[1]))
    low, high = np.cos(np.radians([settings.viewcone_max_deg, settings.viewcone_min_deg]))
    offset = np.degrees(np.tan(np.arccos(generator.uniform(low, high, n))))
    turn = generator.uniform(0.0, 2.0 * np.pi, n)
    return sky_from_camera(offset * np.cos(turn), offset * np.sin(turn), geometry.zenith_deg, geometry.azimuth_deg)


def _meta(settings: ProductionSettings, shower: CorsikaShower, generated: dict[str, Any]) -> EventMeta:
    readout = settings.detector.readout
    return EventMeta(
        particle=generated.get("particle", particle_name(shower.particle_id)),
        production=f"{settings.name} (CORSIKA)",
        is_simulation=True,
        camera=Camera.magic(),
        sampling_gsps=readout.sampling_gsps,
        window_ns=readout.window_ns,
        generated=generated,
    )


def _stored(path: Path) -> dict[str, Any]:
    """What tells the event set of other files, settings or seeds apart; nothing for any other file."""
    try:
        with EventSet(path) as found:
            return {key: found.meta.generated.get(key) for key in ("settings", "seed", "corsika")}
    except InputError:
        return {}


def _row(
    shower: CorsikaShower,
    run: CorsikaRun,
    geometry: CorsikaGeometry,
    zeniths: Floats,
    azimuths: Floats,
    event: TriggeredEvent,
) -> dict[str, Any]:
    k = event.reuse
    return {
        "run_id": run.run_number,
        "event_id": shower.number * _MOST_USES + k,
        "shower_id": (run.run_number << _SHOWER_BITS) + shower.number,
        "reuse_id": k,
        "pointing_zenith_deg": zeniths[k],
        "pointing_azimuth_deg": azimuths[k],
        "pedestal_mean_pe": event.pedestal_mean_pe,
        "pedestal_rms_pe": event.pedestal_rms_pe,
        "true_energy_gev": shower.energy_gev,
        "true_particle": _pdg(shower.particle_id),
        "true_zenith_deg": geometry.zenith_deg,
        "true_azimuth_deg": geometry.azimuth_deg,
        "true_core_x_m": geometry.core_x_m[k],
        "true_core_y_m": geometry.core_y_m[k],
        "true_impact_m": geometry.impact_m[k],
        "true_first_interaction_m": shower.first_interaction_m,
        "true_pe": event.true_pe,
    }


def _pdg(particle_id: int) -> int:
    """Turn CORSIKA's number of a particle (A x 100 + Z for nuclei) into PDG's; 0 for exotic primaries."""
    if particle_id >= _FIRST_NUCLEUS:
        mass, charge = divmod(particle_id, 100)
        return 1_000_000_000 + charge * 10_000 + mass * 10
    return _PDG.get(particle_id, 0)
