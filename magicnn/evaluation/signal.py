"""Excess and significance of a source in real data: events around it against off regions of the same exposure."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.array import camera_from_sky
from magicnn.errors import InputError
from magicnn.evaluation.binning import in_range
from magicnn.evaluation.response.events import with_gammaness
from magicnn.evaluation.source import SignalSettings, gammaness_cut
from magicnn.predictions import PredictionTable

__all__ = [
    "Signal",
    "find_signal",
    "find_signals",
    "li_ma_significance",
    "off_positions",
]

Floats = NDArray[np.float64]

_LOG = logging.getLogger(__name__)

_NS_PER_HOUR = 3.6e12


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
    """Events that passed the cuts: squared angles to the source and to the off positions, runs in order of time.

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

    def elapsed_hours(self) -> Floats:
        """Time of every event since the first one, [K], gaps between runs left out; 0 where times are not known."""
        elapsed, before = np.zeros(len(self.run_id)), 0.0
        for run in dict.fromkeys(self.run_id.tolist()):
            mine = self.run_id == run
            since = (self.time_utc_ns[mine] - self.time_utc_ns[mine].min()) / _NS_PER_HOUR
            elapsed[mine] = before + since
            before += float(since.max())
        return elapsed

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


def find_signal(
    table: PredictionTable,
    cut: float,
    settings: SignalSettings,
    *,
    source_deg: tuple[ArrayLike, ArrayLike] | None = None,
) -> Signal:
    """Count events around a source and around off positions.

    Parameters
    ----------
    table : PredictionTable
        Events with gammaness, energy, direction and pointing, real ones or simulated ones that stand for them.
    cut : float
        Gammaness from which on events are kept.
    settings : SignalSettings
        Source, circle, off regions, energies.
    source_deg : (array_like, array_like), [N] or scalars, optional
        Place of the source in the camera, x and y, instead of that of the settings.

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
    needed = ("gammaness", "reco_zenith_deg", "reco_azimuth_deg", "pointing_zenith_deg", "pointing_azimuth_deg")
    missing = [n for n in needed if n not in table or not np.isfinite(table[n]).any()]
    if missing and len(table):
        raise InputError(f"{table.method}: a signal cannot be looked for without {', '.join(missing)}")
    place = source_deg or settings.source.in_camera(table)
    source = tuple(np.broadcast_to(np.asarray(v, dtype=np.float64), (len(table),)) for v in place)
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
    rows = rows[_by_time(table["run_id"][rows], time[rows], table["event_id"][rows])]
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


def find_signals(
    real: Mapping[str, PredictionTable],
    simulated: Mapping[str, Sequence[PredictionTable]],
    settings: SignalSettings,
    *,
    gammaness_of: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Signal, ...]:
    """Look for a source with every method that can tell gammas from hadrons.

    Parameters
    ----------
    real : mapping of method to PredictionTable
        Real events.
    simulated : mapping of method to sequence of PredictionTable
        Simulated events, from which the cut on the gammaness is found where the settings do not give it.
    settings : SignalSettings
        Source and cuts.
    gammaness_of : mapping of str to str
        Methods whose gammaness is used by one that has none.

    Returns
    -------
    tuple of Signal
        One per method with gammaness and directions; why others are left out is logged.

    Raises
    ------
    InputError
        As `source_in_camera`, `gammaness_cut` and `find_signal` raise.
    """
    found = []
    for method, table in real.items():
        partner = gammaness_of.get(method, "")
        mine = with_gammaness(table, [real[partner]] if partner in real else [])
        lacking = [n for n in ("gammaness", "reco_zenith_deg") if n not in mine or not np.isfinite(mine[n]).any()]
        if lacking:
            _LOG.warning("%s: not used for the signal, it gives no %s", method, " and no ".join(lacking))
            continue
        cut = settings.gammaness_cut
        if cut is None:
            gammas = [with_gammaness(t, simulated.get(partner, ())) for t in simulated.get(method, ())]
            cut = gammaness_cut(gammas, settings.gamma_efficiency)
        found.append(find_signal(mine, cut, settings))
    return tuple(found)


def _by_time(run: NDArray[np.int64], time: NDArray[np.int64], event: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order of events: run after run as they began, within a run by time."""
    runs, index = np.unique(run, return_inverse=True)
    start = np.full(len(runs), np.iinfo(np.int64).max)
    np.minimum.at(start, index, time)
    order: NDArray[np.int64] = np.lexsort((event, time, run, start[index]))
    return order


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
