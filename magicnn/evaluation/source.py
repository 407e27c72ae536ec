"""Where a source is looked for in real data, and with which cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from magicnn.array import SITE, camera_from_sky, separation_deg
from magicnn.config import Settings
from magicnn.errors import InputError
from magicnn.evaluation.response.events import ResponseEvents, kind_of
from magicnn.predictions import PredictionTable

__all__ = ["SignalSettings", "SourceSettings", "gammaness_cut", "source_in_camera"]

Floats = NDArray[np.float64]

_BEHIND_DEG = 90.0


class SourceSettings(Settings):
    """Where a source is: on the sky, or at a fixed place in the camera."""

    name: str = Field(default="", description="name of the source, for captions")
    ra_deg: float | None = Field(
        default=None, ge=0.0, lt=360.0, description="right ascension, deg, J2000 for MAGIC's data"
    )
    dec_deg: float | None = Field(default=None, ge=-90.0, le=90.0, description="declination, deg")
    x_deg: float | None = Field(default=None, description="place in the camera, towards higher altitude, deg")
    y_deg: float | None = Field(default=None, description="place in the camera, towards larger azimuth, deg")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        given = [(a is not None, b is not None) for a, b in ((self.ra_deg, self.dec_deg), (self.x_deg, self.y_deg))]
        if sorted(given) != [(False, False), (True, True)]:
            raise ValueError("a source has either ra_deg and dec_deg or x_deg and y_deg")
        return self

    @property
    def label(self) -> str:
        """Name, or place where there is none."""
        if self.name:
            return self.name
        if self.ra_deg is not None:
            return f"right ascension {self.ra_deg:g}°, declination {self.dec_deg:g}°"
        return f"({self.x_deg:g}°, {self.y_deg:g}°) in the camera"

    def in_camera(self, table: PredictionTable) -> tuple[ArrayLike, ArrayLike]:
        """Return x and y in the camera, [N] or scalars; errors of `source_in_camera`."""
        if self.ra_deg is not None and self.dec_deg is not None:
            return source_in_camera(table, self.ra_deg, self.dec_deg)
        assert self.x_deg is not None
        assert self.y_deg is not None
        return self.x_deg, self.y_deg


class SignalSettings(Settings):
    """How a source is looked for in real data."""

    settings_of: ClassVar[str] = "the search for a signal"

    source: SourceSettings = Field(description="where the source is")
    gammaness_cut: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="gammaness from which on events are kept; from gamma_efficiency if null",
    )
    gamma_efficiency: float = Field(
        default=0.8,
        gt=0.0,
        lt=1.0,
        description="share of the simulated gammas, weighted to the Crab Nebula's spectrum, that the cut keeps",
    )
    theta2_cut_deg2: float = Field(
        default=0.02, gt=0.0, description="circle around the source and the off positions: squared angle, deg2"
    )
    n_off: int = Field(default=3, ge=1, description="off regions, at the source's distance to the pointing")
    min_energy_gev: float = Field(default=0.0, ge=0.0, description="lowest estimated energy, GeV")
    max_energy_gev: float = Field(
        default=float("inf"), gt=0.0, description="estimated energy that events are below, GeV"
    )


def source_in_camera(table: PredictionTable, ra_deg: float, dec_deg: float) -> tuple[Floats, Floats]:
    """Place of a source in the camera, event by event.

    Parameters
    ----------
    table : PredictionTable
        Real events with the pointing both on the sky and in the local frame.
    ra_deg, dec_deg : float
        The source, in the frame of the pointing's right ascension and declination.

    Returns
    -------
    x_deg, y_deg : float64 arrays, [N]
        Camera frame (see `magicnn.array`).

    Raises
    ------
    InputError
        The pointing on the sky is not known, or the source is more than 90 deg away from it.

    Notes
    -----
    The source's distance and position angle to the pointing are turned by the angle between north and up. That is exact
    when the pole stands where right ascension and declination say; its precession since 2000 turns the field by less
    than 0.2 deg, 0.0015 deg at an offset of 0.4 deg.
    """
    names = ("pointing_ra_deg", "pointing_dec_deg")
    if any(name not in table for name in names):
        raise InputError(
            f"{table.method}: the pointing of the events on the sky is not known (columns {' and '.join(names)}); "
            "give the source by its offset in the camera"
        )
    # declination and right ascension are to each other as altitude and azimuth, but right ascension grows to the east
    pointing = 90.0 - table["pointing_dec_deg"], table["pointing_ra_deg"]
    away = separation_deg(*pointing, 90.0 - dec_deg, ra_deg)
    if len(table) and not np.nanmax(away) < _BEHIND_DEG:
        raise InputError(
            f"{table.method}: the source at right ascension {ra_deg:g}, declination {dec_deg:g} deg is up to "
            f"{np.nanmax(away):.0f} deg away from the pointing: another source?"
        )
    north, east = camera_from_sky(np.float64(90.0 - dec_deg), np.float64(ra_deg), *pointing)
    local = table["pointing_zenith_deg"], table["pointing_azimuth_deg"]
    pole_x, pole_y = camera_from_sky(np.float64(90.0 - SITE.latitude_deg), np.float64(0.0), *local)
    behind = separation_deg(*local, 90.0 - SITE.latitude_deg, 0.0) >= _BEHIND_DEG
    if np.any(behind):
        raise InputError(f"{table.method}: pointings more than 90 deg away from the celestial pole are not supported")
    length = np.hypot(pole_x, pole_y)
    cos, sin = pole_x / length, pole_y / length
    # who looks up with north ahead has the east at the left, and larger azimuths at the right
    return north * cos + east * sin, north * sin - east * cos


def gammaness_cut(gammas: Sequence[PredictionTable], efficiency: float) -> float:
    """Gammaness that a share of the simulated gammas of the Crab Nebula is above.

    Parameters
    ----------
    gammas : sequence of PredictionTable
        Predictions of one method; those for gammas of a point source are used, as far as they pass its quality cuts.
    efficiency : float
        Share that is kept.

    Returns
    -------
    float

    Raises
    ------
    InputError
        There are no gammas of a point source with a gammaness.
    """
    mine = [t for t in gammas if kind_of(t) == "gamma" and len(t)]
    found = []
    for table in mine:
        zenith = table["pointing_zenith_deg"]
        events = ResponseEvents.of([table], (float(np.min(zenith)), float(np.nextafter(np.max(zenith), np.inf))))
        good = np.isfinite(events.gammaness) & (events.level == events.level.max(initial=0))
        found.append(np.stack([events.gammaness, events.rates_hz()])[:, good])
    score, rate = np.concatenate(found, axis=1) if found else np.empty((2, 0))
    if not len(score) or not rate.sum() > 0.0:
        raise InputError(
            "cut on gammaness: predictions for simulated gammas of a point source with a gammaness are needed to find "
            "it; give them, or set gammaness_cut"
        )
    order = np.argsort(score)
    share = np.cumsum(rate[order])
    return float(score[order][min(int(np.searchsorted(share, (1.0 - efficiency) * share[-1])), len(order) - 1)])
