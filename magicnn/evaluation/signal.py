"""Excess and significance of a source in real data: events around it against off regions of the same exposure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from magicnn.array import SITE, camera_from_sky, separation_deg
from magicnn.config import Settings
from magicnn.errors import InputError
from magicnn.evaluation.binning import in_range
from magicnn.evaluation.response.events import ResponseEvents, kind_of
from magicnn.predictions import PredictionTable

__all__ = [
    "Signal",
    "SignalSettings",
    "find_signal",
    "gammaness_cut",
    "li_ma_significance",
    "off_positions",
    "source_in_camera",
]

Floats = NDArray[np.float64]

_BEHIND_DEG = 90.0


class SignalSettings(Settings):
    """How a source is looked for in real data."""

    settings_of: ClassVar[str] = "the search for a signal"

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


def li_ma_significance(n_on: ArrayLike, n_off: ArrayLike, alpha: ArrayLike) -> Floats:
    """Significance of an excess, standard deviations, negative for a deficit.

    Parameters
    ----------
    n_on, n_off : array_like, [K]
        Counts in the on region and in all off regions.
    alpha : array_like, [K]
        Exposure of the on region over that of the off regions.

    Returns
    -------
    float64 array, [K]
        0 where nothing was counted.

    Notes
    -----
    Li and Ma, ApJ 272 (1983) 317, equation 17; a count of zero contributes nothing, the limit of x log x.
    """
    on, off, a = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (n_on, n_off, alpha)))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [
            np.where(n > 0.0, n * np.log(share * n / (on + off)), 0.0)
            for n, share in ((on, (1.0 + a) / a), (off, 1.0 + a))
        ]
    root = np.sqrt(2.0 * np.maximum(terms[0] + terms[1], 0.0))
    significance: Floats = np.where(on >= a * off, root, -root)
    return significance


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


def off_positions(x_deg: ArrayLike, y_deg: ArrayLike, n_off: int) -> tuple[Floats, Floats]:
    """Places at the source's distance to the centre of the camera, evenly around it.

    Parameters
    ----------
    x_deg, y_deg : array_like, [N]
        The source in the camera.
    n_off : int
        Off positions.

    Returns
    -------
    x_deg, y_deg : float64 arrays, [N, n_off]
    """
    angle = 2.0 * np.pi * np.arange(1, n_off + 1) / (n_off + 1)
    x, y = (np.asarray(v, dtype=np.float64)[..., None] for v in (x_deg, y_deg))
    return x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)


@dataclass(frozen=True, slots=True)
class Signal:
    """Events that passed the cuts, by their squared angles to the source and to the off positions, in order of time.

    Attributes
    ----------
    method : str
        Whose gammaness, energy and direction were used.
    settings : SignalSettings
        Cuts and number of off regions.
    gammaness_cut : float
        The cut that was applied.
    run_id, time_utc_ns : int64 array, [K]
        Run and time; the times are 0 where they are not known.
    theta2_on_deg2 : float64 array, [K]
        Squared angle to the source.
    theta2_off_deg2 : float64 array, [K, n_off]
        Squared angles to the off positions.
    largest_theta2_deg2 : float
        Up to here the regions do not overlap.
    n_judged : int
        Events with a gammaness and a direction, before the cuts.
    """

    method: str
    settings: SignalSettings
    gammaness_cut: float
    run_id: NDArray[np.int64]
    time_utc_ns: NDArray[np.int64]
    theta2_on_deg2: Floats
    theta2_off_deg2: Floats
    largest_theta2_deg2: float
    n_judged: int

    @property
    def alpha(self) -> float:
        """Exposure of the on region over that of all off regions."""
        return 1.0 / self.settings.n_off

    @property
    def n_on(self) -> int:
        """Events within the circle around the source."""
        return int(self._inside()[0].sum())

    @property
    def n_off(self) -> int:
        """Events within the circles around all off positions."""
        return int(self._inside()[1].sum())

    @property
    def excess(self) -> float:
        """Events of the source: on - alpha off."""
        return self.n_on - self.alpha * self.n_off

    @property
    def excess_error(self) -> float:
        """Standard error of the excess, sqrt(on + alpha^2 off)."""
        return float(np.sqrt(self.n_on + self.alpha**2 * self.n_off))

    @property
    def significance(self) -> float:
        """Li and Ma's significance of the excess."""
        return float(li_ma_significance(self.n_on, self.n_off, self.alpha))

    def cumulated(self) -> Floats:
        """Significance of all events up to each, [K], in order of time."""
        on, off = (np.cumsum(counts) for counts in self._inside())
        return li_ma_significance(on, off, self.alpha)

    def by_run(self) -> list[tuple[int, int, int]]:
        """Return run number, on and off counts of every run."""
        on, off = self._inside()
        return [
            (int(run), int(on[self.run_id == run].sum()), int(off[self.run_id == run].sum()))
            for run in np.unique(self.run_id)
        ]

    def _inside(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Per event whether it is in the on region, and in how many off regions."""
        cut = self.settings.theta2_cut_deg2
        return (self.theta2_on_deg2 < cut).astype(np.int64), (self.theta2_off_deg2 < cut).sum(axis=1)


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


def find_signal(
    table: PredictionTable,
    source_deg: tuple[ArrayLike, ArrayLike],
    cut: float,
    settings: SignalSettings | None = None,
) -> Signal:
    """Count events around a source and around off positions.

    Parameters
    ----------
    table : PredictionTable
        Events with gammaness, energy, direction and pointing, real ones or simulated ones that stand for them.
    source_deg : (array_like, array_like), [N] or scalars
        Place of the source in the camera, x and y, such as `source_in_camera` gives.
    cut : float
        Gammaness from which on events are kept.
    settings : SignalSettings, optional
        Circle, off regions, energies.

    Returns
    -------
    Signal

    Raises
    ------
    InputError
        The method gives no gammaness or no direction, or the regions overlap: the source is too near to the centre of
        the camera for so many off regions of that size.

    Notes
    -----
    On and off regions are at the same distance to the centre of the camera at the same time, so that their exposures
    agree as far as the acceptance depends on that distance only; what depends on the direction in the camera is
    evened out by the positions of the wobble.
    """
    settings = settings or SignalSettings()
    needed = ("gammaness", "reco_zenith_deg", "reco_azimuth_deg", "pointing_zenith_deg", "pointing_azimuth_deg")
    missing = [n for n in needed if n not in table or not np.isfinite(table[n]).any()]
    if missing and len(table):
        raise InputError(f"{table.method}: a signal cannot be looked for without {', '.join(missing)}")
    source = tuple(np.broadcast_to(np.asarray(v, dtype=np.float64), (len(table),)) for v in source_deg)
    direction = [np.asarray(table[n], dtype=np.float64) for n in needed[1:]]
    x, y = camera_from_sky(*direction)
    judged = np.isfinite(table["gammaness"]) & np.isfinite(x)
    judged &= table["is_valid"].astype(bool) if "is_valid" in table else True
    kept = judged & (table["gammaness"] >= cut)
    if settings.min_energy_gev > 0.0 or np.isfinite(settings.max_energy_gev):
        kept &= in_range(table["reco_energy_gev"], (settings.min_energy_gev, settings.max_energy_gev))
    largest = _free_theta2(table.method, np.hypot(*source), settings)
    time = table["time_utc_ns"] if "time_utc_ns" in table else np.zeros(len(table), dtype=np.int64)
    rows = np.flatnonzero(kept)
    rows = rows[np.lexsort((table["event_id"][rows], time[rows]))]
    off_x, off_y = off_positions(source[0][rows], source[1][rows], settings.n_off)
    return Signal(
        method=table.method,
        settings=settings,
        gammaness_cut=cut,
        run_id=table["run_id"][rows],
        time_utc_ns=time[rows],
        theta2_on_deg2=(x[rows] - source[0][rows]) ** 2 + (y[rows] - source[1][rows]) ** 2,
        theta2_off_deg2=(x[rows, None] - off_x) ** 2 + (y[rows, None] - off_y) ** 2,
        largest_theta2_deg2=largest,
        n_judged=int(judged.sum()),
    )


def _free_theta2(method: str, offset_deg: Floats, settings: SignalSettings) -> float:
    """Squared radius up to which no two regions overlap, for all events."""
    offset: Any = np.min(offset_deg, initial=np.inf)
    half = float(offset * np.sin(np.pi / (settings.n_off + 1)))
    if half**2 < settings.theta2_cut_deg2:
        raise InputError(
            f"{method}: the source is only {offset:.2f} deg away from the pointing, so that circles of theta2 < "
            f"{settings.theta2_cut_deg2:g} deg2 around it and {settings.n_off} off positions overlap; lower n_off or "
            "theta2_cut_deg2, or use data taken in wobble mode"
        )
    return half**2
