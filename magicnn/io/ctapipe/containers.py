"""The events of an event set as ctapipe's containers: telescopes, observation blocks, what was thrown, events.

In ctapipe a simulated telescope points in one direction during an observation block, and `ctapipe-process` keeps one
pointing per block. Our simulations point differently for every shower, so each pointing becomes a block of its own.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import EventBatch, EventMeta
from magicnn.generated import Generated
from magicnn.io.ctapipe.subarray import telescope_numbers
from magicnn.io.ctapipe.truth import primary_ids
from magicnn.io.eventset.reader import EventSet
from magicnn.io.mars.thrown import thrown_sample

__all__ = ["POINTING_BITS", "EventMaker"]

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]

POINTING_BITS = 20
"""An observation block of a run with several pointings is numbered run x 2^20 + number of the pointing; the product
stays exact as a double precision number, into which tables turn it when they are joined."""


class EventMaker:
    """Makes containers of the events of an event set.

    Parameters
    ----------
    events : EventSet
        With pointing, and truth when simulated.
    subarray : ctapipe.instrument.SubarrayDescription
        Telescopes wanted.

    Attributes
    ----------
    scheduling_blocks, observation_blocks, simulation_config : dict of int to container
        By their numbers: runs; runs or pointings of runs.

    Raises
    ------
    InputError
        A column is missing, or there are more pointings than numbers for them.
    """

    def __init__(self, events: EventSet, subarray: Any) -> None:
        self._meta = events.meta
        numbers = telescope_numbers(events.meta)
        self._places = {tel_id: numbers.index(tel_id) for tel_id in subarray.tel_ids}
        self._fill = _fill_unusable(subarray)
        columns = events.columns(["run_id", "pointing_zenith_deg", "pointing_azimuth_deg"])
        self._block, pointings = _blocks(columns, is_simulation=events.meta.is_simulation, where=str(events.path))
        self.scheduling_blocks = {run: _scheduling_block(run) for run in np.unique(columns["run_id"]).tolist()}
        self.observation_blocks = {
            block: _observation_block(block, run, pointing, is_simulation=events.meta.is_simulation)
            for block, (run, pointing) in pointings.items()
        }
        self.simulation_config: dict[int, Any] = {}
        if events.meta.is_simulation:
            self.simulation_config = _simulation_configs(events.meta, list(pointings))
            if "weight" in events.column_names and (events.columns(["weight"])["weight"] != 1.0).any():
                _log.warning(
                    "%s: its events stand for different numbers of thrown ones, which ctapipe has no place for: rates "
                    "from the result will be wrong",
                    events.path,
                )

    def event(self, batch: EventBatch, row: int, place: int, count: int) -> Any:
        """Make an event.

        Parameters
        ----------
        batch : EventBatch
            Consecutive events.
        row : int
            Which of them.
        place : int
            Its place in the event set.
        count : int
            Events given before.

        Returns
        -------
        ctapipe.containers.ArrayEventContainer or None
            None when none of the telescopes wanted has an image.
        """
        import astropy.units as u
        from ctapipe.containers import (
            ArrayEventContainer,
            ArrayPointingContainer,
            DL1CameraContainer,
            EventIndexContainer,
            EventType,
            TelescopePointingContainer,
            TelescopeTriggerContainer,
            TriggerContainer,
        )

        present = {tel_id: t for tel_id, t in self._places.items() if np.isfinite(batch.charge[row, t]).any()}
        if not present:
            return None
        event = ArrayEventContainer(
            index=EventIndexContainer(obs_id=int(self._block[place]), event_id=int(batch["event_id"][row])),
            count=count,
        )
        altitude = (90.0 - float(batch["pointing_zenith_deg"][row])) * u.deg
        azimuth = float(batch["pointing_azimuth_deg"][row]) * u.deg
        event.monitoring.pointing = ArrayPointingContainer(array_altitude=altitude, array_azimuth=azimuth)
        triggered = TriggerContainer(event_type=EventType.SUBARRAY, tels_with_trigger=list(present))
        if "time_utc_ns" in batch.columns:
            triggered.time = _time(int(batch["time_utc_ns"][row]))
        for tel_id, t in present.items():
            event.monitoring.tel[tel_id].pointing = TelescopePointingContainer(altitude=altitude, azimuth=azimuth)
            triggered.tel[tel_id] = TelescopeTriggerContainer(time=triggered.time, event_type=EventType.SUBARRAY)
            charge, time = self._fill(tel_id, batch.charge[row, t], batch.time[row, t])
            event.dl1.tel[tel_id] = DL1CameraContainer(image=charge, peak_time=time, is_valid=True)
        event.trigger = triggered
        if self._meta.is_simulation:
            event.simulation = _simulation(batch, row, present)
        return event


def _blocks(
    columns: dict[str, NDArray[Any]], *, is_simulation: bool, where: str
) -> tuple[Ints, dict[int, tuple[int, tuple[float, float] | None]]]:
    """Observation block of each event, [N]; run and pointing of each block, None where it changes within a block."""
    run_id = columns["run_id"].astype(np.int64)
    pointing = np.stack([columns["pointing_zenith_deg"], columns["pointing_azimuth_deg"]], axis=1)
    block = run_id.copy()
    known: dict[int, tuple[int, tuple[float, float] | None]] = {}
    for run in np.unique(run_id).tolist():
        rows = np.flatnonzero(run_id == run)
        different, first, number = np.unique(pointing[rows], axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)  # numbered as they come, so that events keep their order
        different, number = different[order], np.argsort(order)[number.ravel()]
        if len(different) == 1:
            known[run] = (run, (float(different[0, 0]), float(different[0, 1])))
        elif not is_simulation:
            known[run] = (run, None)
        else:
            if len(different) > 1 << POINTING_BITS:
                raise InputError(f"{where}: {len(different)} pointings in run {run}, at most {1 << POINTING_BITS} fit")
            block[rows] = (run << POINTING_BITS) + number
            for i, (zenith, azimuth) in enumerate(different.tolist()):
                known[(run << POINTING_BITS) + i] = (run, (zenith, azimuth))
    return block, known


def _scheduling_block(run: int) -> Any:
    from ctapipe.containers import SchedulingBlockContainer, SchedulingBlockType

    return SchedulingBlockContainer(
        sb_id=np.uint64(run), sb_type=SchedulingBlockType.OBSERVATION, producer_id="magicnn"
    )


def _observation_block(block: int, run: int, pointing: tuple[float, float] | None, *, is_simulation: bool) -> Any:
    import astropy.units as u
    from ctapipe.containers import CoordinateFrameType, ObservationBlockContainer

    container = ObservationBlockContainer(
        obs_id=np.uint64(block), sb_id=np.uint64(run), producer_id="simulation" if is_simulation else "magicnn"
    )
    if pointing is not None:
        container.subarray_pointing_lat = (90.0 - pointing[0]) * u.deg
        container.subarray_pointing_lon = pointing[1] * u.deg
        container.subarray_pointing_frame = CoordinateFrameType.ALTAZ
    return container


def _simulation_configs(meta: EventMeta, blocks: list[int]) -> dict[int, Any]:
    """Tell what was thrown; all showers are counted in the first block, so that sums over blocks are right.

    ctapipe knows one scatter radius: cores thrown over discs that grow with energy are told as the larger number over
    the largest disc that they stand for, with its steeper spectrum (`magicnn.io.mars.thrown.thrown_sample`).
    """
    import astropy.units as u
    from ctapipe.containers import SimulationConfigContainer

    site = meta.layout.site
    common: dict[str, Any] = {"prod_site_alt": meta.layout.ground_m * u.m}
    if site.field_north_ut is not None and site.field_down_ut is not None:
        common["prod_site_B_total"] = np.hypot(site.field_north_ut, site.field_down_ut) * u.uT
        common["prod_site_B_inclination"] = np.arctan2(site.field_down_ut, site.field_north_ut) * u.rad
        common["prod_site_B_declination"] = np.radians(site.declination_deg) * u.rad
    n_showers: float = np.nan
    if "n_thrown" in meta.generated:
        thrown = Generated.from_mapping(meta.generated)
        sample = thrown_sample(thrown, thrown.n_thrown)
        n_showers = sample.n_rows
        low, high = thrown.energy_min_gev / 1e3, thrown.energy_max_gev / 1e3
        zenith_deg = (thrown.zenith_max_deg, thrown.zenith_min_deg)
        common |= {
            "energy_range_min": low * u.TeV,
            "energy_range_max": high * u.TeV,
            "spectral_index": -(thrown.spectral_index + 2.0 * thrown.scatter_energy_exponent),
            "min_scatter_range": 0.0 * u.m,
            "max_scatter_range": sample.radius_m * u.m,
            "min_viewcone_radius": thrown.viewcone_min_deg * u.deg,
            "max_viewcone_radius": thrown.viewcone_max_deg * u.deg,
            "diffuse": not thrown.is_point_source,
            **{name: np.radians(90.0 - z) * u.rad for name, z in zip(("min_alt", "max_alt"), zenith_deg, strict=True)},
        }
    counts = [n_showers] + [0.0] * (len(blocks) - 1)
    return {
        block: SimulationConfigContainer(n_showers=count, shower_reuse=1, **common)
        for block, count in zip(blocks, counts, strict=True)
    }


def _simulation(batch: EventBatch, row: int, present: dict[int, int]) -> Any:
    """Truth of an event."""
    import astropy.units as u
    from ctapipe.containers import (
        SimulatedCameraContainer,
        SimulatedEventContainer,
        SimulatedShowerContainer,
        TelescopeImpactParameterContainer,
    )

    def value(name: str) -> float:
        return float(batch.columns[name][row]) if name in batch.columns else np.nan

    shower = SimulatedShowerContainer(
        energy=value("true_energy_gev") / 1e3 * u.TeV,
        alt=(90.0 - value("true_zenith_deg")) * u.deg,
        az=value("true_azimuth_deg") * u.deg,
        core_x=value("true_core_x_m") * u.m,
        core_y=value("true_core_y_m") * u.m,
        h_first_int=value("true_first_interaction_m") * u.m,
        x_max=value("true_xmax_gcm2") * u.g / u.cm**2,
        shower_primary_id=int(primary_ids(batch["true_particle"][row : row + 1])[0]),
    )
    simulation = SimulatedEventContainer(shower=shower)
    for tel_id, t in present.items():
        camera = SimulatedCameraContainer()
        if "true_pe" in batch.columns:
            camera.true_image_sum = round(float(np.nan_to_num(batch["true_pe"][row, t], nan=-1.0)))
        if "true_pixel_pe" in batch.columns:
            camera.true_image = batch["true_pixel_pe"][row, t].astype(np.int32)
        distance = batch["true_impact_m"][row, t] if "true_impact_m" in batch.columns else np.nan
        camera.impact = TelescopeImpactParameterContainer(
            distance=float(distance) * u.m, distance_uncert=0.0 * u.m, prefix="true_impact"
        )
        simulation.tel[tel_id] = camera
    return simulation


def _fill_unusable(subarray: Any) -> Any:
    """Give unusable pixels the mean of their neighbours, as ctapipe's own calibration does; it has no NaN."""
    from ctapipe.image.invalid_pixels import NeighborAverage

    average = NeighborAverage(subarray)

    def fill(tel_id: int, charge: NDArray[np.float32], time: NDArray[np.float32]) -> tuple[Any, Any]:
        is_bad = ~np.isfinite(charge)
        if not is_bad.any():
            return charge.copy(), time.copy()
        filled: tuple[Any, Any] = average(tel_id, charge.copy(), time.copy(), is_bad[np.newaxis])
        return filled

    return fill


def _time(time_utc_ns: int) -> Any:
    from astropy.time import Time

    seconds, nanoseconds = divmod(time_utc_ns, 1_000_000_000)
    return Time(seconds, nanoseconds * 1e-9, format="unix", scale="utc")
