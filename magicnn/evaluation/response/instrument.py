"""From the predictions of one method to its instrument response and sensitivity in one zenith range."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from magicnn.config import Settings
from magicnn.errors import InputError
from magicnn.evaluation.binning import Range, in_range, ranges
from magicnn.evaluation.energy import threshold_statistic
from magicnn.evaluation.intervals import bootstrap_interval
from magicnn.evaluation.resampling import ShowerBootstrap, resample
from magicnn.evaluation.response.curves import (
    Curve,
    angular_containment,
    background_per_sr,
    effective_area,
    effective_events,
    energy_dispersion,
    point_spread,
)
from magicnn.evaluation.response.cuts import Cut, CutGrid, choose_cut, efficiency_cuts, in_circle
from magicnn.evaluation.response.events import LEVELS, ResponseEvents, kind_of, with_gammaness
from magicnn.evaluation.response.sensitivity import Exposure, excess_over_noise, flux_share
from magicnn.evaluation.spectra import power_law
from magicnn.predictions import PredictionTable
from magicnn.splits import split_by_shower

__all__ = ["InstrumentResponse", "ResponseSettings", "SensitivityCurve", "instrument_response"]

_LOG = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_OFF_REGIONS = (1, 3, 5)
_MARGIN = 1.5
_THRESHOLD_INDEX = 2.6
_CHUNK = 2_000_000  # numbers drawn at a time


class ResponseSettings(Settings):
    """How instrument responses and sensitivities are made."""

    settings_of: ClassVar[str] = "an instrument response"

    true_edges_gev: tuple[float, ...] = Field(
        default=tuple(round(float(e), 3) for e in np.geomspace(25.0, 25e3, 16)),
        min_length=2,
        description="edges of the bins of true energy, GeV",
    )
    reco_edges_gev: tuple[float, ...] = Field(
        default=(40.0, 63.0, 100.0, 158.0, 251.0, 398.0, 631.0, 1000.0, 1585.0, 2512.0, 3981.0, 6310.0, 10000.0),
        min_length=2,
        description="edges of the bins of estimated energy, GeV; the default ones are those of tables A.7 and A.8 of "
        "arXiv:1409.5594",
    )
    gamma_efficiencies: tuple[float, ...] = Field(
        default=(0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), description="shares of the gammas that cuts on gammaness keep"
    )
    theta_deg: tuple[float, ...] = Field(
        default=(0.08, 0.1, 0.12, 0.14, 0.17, 0.2, 0.25), description="radii of the circle around the source, deg"
    )
    background_radius_deg: float = Field(
        default=1.0, gt=0.0, description="the density of background is averaged within this angle of the pointing, deg"
    )
    min_background: float = Field(
        default=10.0, gt=0.0, description="effective background showers below which a value is a limit"
    )
    hours: float = Field(default=50.0, gt=0.0, description="time of observation, hours")
    standard_efficiencies: tuple[float, float] = Field(
        default=(0.9, 0.75),
        description="shares of the gammas that gammaness and circle keep in the effective area with cuts of fixed "
        "efficiency, those of MAGIC's released responses",
    )
    optimisation_share: float = Field(
        default=0.5, gt=0.0, lt=1.0, description="share of the showers that cuts are chosen on"
    )
    n_replicates: int = Field(default=100, ge=20, description="resampled sets for the errors")
    seed: int = Field(default=0, ge=0, description="seed of the split and of the bootstrap")


@dataclass(frozen=True, slots=True)
class SensitivityCurve:
    """Sensitivity in bins of estimated energy, or above thresholds.

    Attributes
    ----------
    energy_min_gev, energy_max_gev : float64 array, [K]
        Range of estimated energy; the upper end is infinite above a threshold.
    cuts : tuple of Cut, [K]
        Cuts, chosen on other showers.
    gamma_hz, background_hz : float64 array, [K]
        Rates of the Crab Nebula and of the background in the circle; errors from a bootstrap over showers beside them.
    gamma_error_hz, background_error_hz : float64 array, [K]
        Standard errors.
    n_background : float64 array, [K]
        Effective number of simulated background showers that the rate comes from.
    is_limit : bool array, [K]
        The background comes from fewer than ``min_background`` effective showers; the rate is then the 90 % upper
        limit and the sensitivity what it would be with it.
    shares : mapping of str to (value, low, high), each float64 array [K]
        Smallest detectable share of the Crab Nebula: ``snr``, ``lima_1``, ``lima_3``, ``lima_5``.
    """

    energy_min_gev: Floats
    energy_max_gev: Floats
    cuts: tuple[Cut, ...]
    gamma_hz: Floats
    gamma_error_hz: Floats
    background_hz: Floats
    background_error_hz: Floats
    n_background: Floats
    is_limit: Mask
    shares: Mapping[str, tuple[Floats, Floats, Floats]]


@dataclass(frozen=True, slots=True)
class InstrumentResponse:
    """What a method makes of MAGIC in one zenith range.

    Attributes
    ----------
    method : str
        Name of the method.
    zenith_deg : (float, float)
        Range of the pointing.
    settings : ResponseSettings
        How it was made.
    kinds : tuple of str
        Particles of the background.
    source_offset_deg : float
        Angle of the simulated source to the pointing.
    areas : mapping of str to Curve, [true energy]
        Effective area at ``trigger``, with ``two images``, after ``quality``, after ``cuts`` of best sensitivity, and
        after cuts of fixed ``efficiency`` instead.
    threshold_gev : (float, float, float)
        Energy threshold after the cuts of fixed efficiency, the peak of the true energies for a spectrum E^-2.6, and
        its 68 % interval.
    dispersion : float64 array, [true energy, migration]
        Density of E_reco / E_true after the cuts.
    containment_deg : float64 array, [true energy, 3]
        Angles that contain 39, 68 and 95 % of the gammas after quality and gammaness.
    spread_per_sr : float64 array, [true energy, theta]
        Density of reconstructed directions after quality and gammaness.
    background : float64 array, [estimated energy, offset]
        Background after the cut on gammaness, 1/(GeV s sr).
    differential, integral : SensitivityCurve
        Sensitivity in bins and above thresholds.
    """

    method: str
    zenith_deg: Range
    settings: ResponseSettings
    kinds: tuple[str, ...]
    source_offset_deg: float
    areas: Mapping[str, Curve]
    threshold_gev: tuple[float, float, float]
    dispersion: Floats
    containment_deg: Floats
    spread_per_sr: Floats
    background: Floats
    differential: SensitivityCurve
    integral: SensitivityCurve

    def __repr__(self) -> str:
        low, high = self.zenith_deg
        kinds = ", ".join(self.kinds)
        return f"InstrumentResponse({self.method}, zenith {low:g} to {high:g} deg, background of {kinds})"


MIGRATION_EDGES: Floats = np.linspace(0.0, 3.0, 61)
"""Edges of E_reco / E_true of the energy dispersion."""
THETA_EDGES_DEG: Floats = np.linspace(0.0, 0.5, 51)
"""Edges of the angle of the point spread."""
OFFSET_EDGES_DEG: Floats = np.array([0.0, 0.5, 0.8, 1.1, 1.5])
"""Edges of the angle to the pointing of the background."""


def instrument_response(
    tables: Sequence[PredictionTable],
    zenith_deg: Range,
    settings: ResponseSettings | None = None,
    *,
    gammaness_from: Sequence[PredictionTable] = (),
) -> InstrumentResponse:
    """Make the instrument response and the sensitivity of one method.

    Parameters
    ----------
    tables : sequence of PredictionTable
        Predictions of one method for events that it was not trained on: gammas of a point source, and protons, helium
        or electrons as far as they are there.
    zenith_deg : (float, float)
        Range of the pointing.
    settings : ResponseSettings, optional
        Bins, cuts, time.
    gammaness_from : sequence of PredictionTable
        Predictions of another method for the same events in the same order, whose gammaness is used; for lookup tables,
        which have none.

    Returns
    -------
    InstrumentResponse

    Raises
    ------
    InputError
        There are no gammas of a point source or no background in the range, or there is no gammaness.
    MissingDependencyError
        pyirf is not installed.
    """
    settings = settings or ResponseSettings()
    method = tables[0].method if tables else "?"
    tables = [with_gammaness(table, gammaness_from) for table in tables]
    found: dict[str, ResponseEvents] = {}
    for kind in ("gamma", "proton", "helium", "electron"):
        mine = [t for t in tables if kind_of(t) == kind]
        if mine:
            events = ResponseEvents.of(mine, zenith_deg)
            if len(events):
                found[kind] = events
    gammas, background = found.pop("gamma", None), list(found.values())
    if gammas is None or not background:
        raise InputError(
            f"instrument response of {method} at zenith {zenith_deg[0]:g} to {zenith_deg[1]:g} deg: predictions for "
            "gammas of a point source and for protons are needed"
        )
    if not np.isfinite(gammas.gammaness).any():
        raise InputError(f"instrument response: {method} gives no gammaness; take that of another method")
    halves = [_halves(events, settings) for events in (gammas, *background)]
    tuning, judged = [h[0] for h in halves], [h[1] for h in halves]
    if any(not len(half[0]) or not any(map(len, half[1:])) for half in (tuning, judged)):
        raise InputError(
            f"instrument response of {method} at zenith {zenith_deg[0]:g} to {zenith_deg[1]:g} deg: {len(gammas)} "
            f"gammas and {sum(map(len, background))} background events are too few to choose cuts on one half of the "
            "showers and to count the other"
        )
    differential = _sensitivity(tuning, judged, ranges(settings.reco_edges_gev), settings)
    integral = _sensitivity(tuning, judged, [(e, np.inf) for e in settings.reco_edges_gev[:-1]], settings)
    edges = settings.true_edges_gev
    areas = {name: effective_area(gammas, edges, gammas.level >= n) for n, name in enumerate(LEVELS)}
    standard = efficiency_cuts(gammas, ranges(settings.reco_edges_gev), *settings.standard_efficiencies)
    areas["efficiency"] = effective_area(gammas, edges, standard)
    threshold = _threshold(gammas.select(standard), settings)
    # the cuts do not know these showers
    gammas, background = judged[0], judged[1:]
    kept_gamma, after_cuts = _passing(gammas, differential)
    areas["cuts"] = effective_area(gammas, edges, after_cuts)
    return InstrumentResponse(
        method=method,
        zenith_deg=zenith_deg,
        settings=settings,
        kinds=tuple(found),
        source_offset_deg=_source_offset(tables),
        areas=areas,
        threshold_gev=threshold,
        dispersion=energy_dispersion(gammas, edges, MIGRATION_EDGES, after_cuts),
        containment_deg=angular_containment(gammas, edges, kept_gamma),
        spread_per_sr=point_spread(gammas, edges, THETA_EDGES_DEG, kept_gamma),
        background=background_per_sr(
            background,
            settings.reco_edges_gev,
            OFFSET_EDGES_DEG,
            [_passing(kind, differential)[0] for kind in background],
        ),
        differential=differential,
        integral=integral,
    )


def _halves(events: ResponseEvents, settings: ResponseSettings) -> tuple[ResponseEvents, ResponseEvents]:
    """Showers that cuts are chosen on and the others, each half with the exposure of the whole."""
    share = settings.optimisation_share
    side = split_by_shower(events.shower, [share, 1.0 - share], seed=settings.seed)
    parts = []
    for number, part in enumerate((share, 1.0 - share)):
        half = events.select(side == number)
        parts.append(replace(half, exposure=half.exposure / part))
    return parts[0], parts[1]


def _sensitivity(
    tuning: Sequence[ResponseEvents],
    judged: Sequence[ResponseEvents],
    energies: Sequence[Range],
    settings: ResponseSettings,
) -> SensitivityCurve:
    """Choose cuts on one half of the showers and evaluate them on the other."""
    # more than enough, so that what fluctuates down on the other showers still is
    wanted = _MARGIN * settings.min_background * settings.optimisation_share / (1.0 - settings.optimisation_share)
    grid = CutGrid(settings.gamma_efficiencies, settings.theta_deg, settings.background_radius_deg, wanted)
    exposure = Exposure(hours=settings.hours)
    cuts = tuple(choose_cut(tuning[0], tuning[1:], energy, grid, exposure) for energy in energies)
    bins = [_rates_after(cut, energy, judged, settings) for cut, energy in zip(cuts, energies, strict=True)]
    gamma, noise = np.array([b.gamma_hz for b in bins]), np.array([b.background_hz for b in bins])
    shares = {}
    for name, rule in _rules(settings).items():
        share = rule(gamma, noise)
        sets = np.array([rule(b.gamma_sets_hz, b.background_sets_hz) for b in bins])
        shares[name] = (share, *bootstrap_interval(share, sets.T))
    return SensitivityCurve(
        energy_min_gev=np.array([e[0] for e in energies]),
        energy_max_gev=np.array([e[1] for e in energies]),
        cuts=cuts,
        gamma_hz=gamma,
        gamma_error_hz=np.array([b.gamma_sets_hz.std() for b in bins]),
        background_hz=noise,
        background_error_hz=np.array([b.background_sets_hz.std() for b in bins]),
        n_background=np.array([b.n_background for b in bins]),
        is_limit=np.array([b.n_background < settings.min_background for b in bins]),
        shares=shares,
    )


@dataclass(frozen=True, slots=True)
class _Rates:
    """Rates in the circle in one bin, and those of resampled sets of showers, [B]."""

    gamma_hz: float
    background_hz: float
    n_background: float
    gamma_sets_hz: Floats
    background_sets_hz: Floats


def _rates_after(cut: Cut, energy: Range, events: Sequence[ResponseEvents], settings: ResponseSettings) -> _Rates:
    """Count what is left after a cut; too little simulated background gives its upper limit."""
    gammas, background = events[0], events[1:]
    signal, noise = in_circle(gammas, background, cut, energy, settings.background_radius_deg)
    circle = (cut.theta_deg / settings.background_radius_deg) ** 2 if cut.exists else 0.0
    number = effective_events(background, noise)
    rate = sum(float(k.rates_hz()[m].sum()) for k, m in zip(background, noise, strict=True)) * circle
    sets = np.sum([_replicated(k, m, settings) for k, m in zip(background, noise, strict=True)], axis=0) * circle
    if number < settings.min_background and cut.exists:
        rate = _upper_limit(rate, number, background, energy, circle)
        sets = np.full_like(sets, rate)
    return _Rates(float(gammas.rates_hz()[signal].sum()), rate, number, _replicated(gammas, signal, settings), sets)


def _rules(settings: ResponseSettings) -> dict[str, Any]:
    """The ways to define a detection, each a function of the rates of gammas and background."""

    def li_ma(n_off: int) -> Any:
        return lambda gamma, noise: flux_share(gamma, noise, Exposure(hours=settings.hours, n_off=n_off))

    rules = {"snr": lambda gamma, noise: excess_over_noise(gamma, noise, Exposure(hours=settings.hours))}
    return rules | {f"lima_{n}": li_ma(n) for n in _OFF_REGIONS}


def _replicated(events: ResponseEvents, selected: Mask, settings: ResponseSettings) -> Floats:
    """Rate of the selected events in resampled sets, [B]: every shower as often as a Poisson number of mean one."""
    shower = np.unique(events.shower[selected], return_inverse=True)[1]
    sums = np.bincount(shower, weights=events.rates_hz()[selected])
    rng = np.random.default_rng([settings.seed, len(sums), *events.kind.encode()])
    sets = max(1, _CHUNK // max(1, len(sums)))
    starts = range(0, settings.n_replicates, sets)
    rates = [rng.poisson(1.0, (min(sets, settings.n_replicates - n), len(sums))) @ sums for n in starts]
    return np.concatenate(rates).astype(np.float64)


def _upper_limit(
    rate_hz: float, number: float, background: Sequence[ResponseEvents], energy: Range, circle: float
) -> float:
    """90 % upper limit of a background rate from few effective events: Poisson, each worth the mean of those near."""
    from scipy.stats import chi2

    limit = 0.5 * float(chi2.ppf(0.9, 2.0 * (number + 1.0)))
    if number > 0.0:
        return rate_hz / number * limit
    near = np.concatenate([k.rates_hz()[in_range(k.reco_energy_gev, energy)] for k in background])
    if not len(near):
        near = np.concatenate([k.rates_hz() for k in background])
    return float(near.mean()) * limit * circle


def _passing(events: ResponseEvents, curve: SensitivityCurve) -> tuple[Mask, Mask]:
    """Events that pass quality and gammaness, and those of them within the circle, with the cuts of their bin."""
    edges = np.append(curve.energy_min_gev, curve.energy_max_gev[-1])
    index = np.searchsorted(edges, events.reco_energy_gev, side="right") - 1
    inside = (index >= 0) & (index < len(curve.cuts)) & (events.level >= len(LEVELS) - 1)
    where = np.clip(index, 0, len(curve.cuts) - 1)
    gammaness = np.array([c.gammaness for c in curve.cuts])[where]
    theta = np.array([c.theta_deg for c in curve.cuts])[where]
    kept = inside & (events.gammaness >= gammaness)
    return kept, kept & (events.theta_deg <= theta)


def _threshold(gammas: ResponseEvents, settings: ResponseSettings) -> tuple[float, float, float]:
    """Energy threshold of selected gammas and its interval, showers resampled."""
    if not len(gammas):
        return np.nan, np.nan, np.nan
    shower = np.unique(gammas.shower, return_inverse=True)[1]
    sets = ShowerBootstrap.draw(shower, settings.n_replicates, np.random.SeedSequence(settings.seed)).sets(shower)
    statistic = threshold_statistic(gammas.true_energy_gev, gammas.rates_hz(power_law(_THRESHOLD_INDEX)))
    value, replicates = resample(statistic, sets)
    low, high = bootstrap_interval(value, replicates)
    return float(value[0]), float(low[0]), float(high[0])


def _source_offset(tables: Sequence[PredictionTable]) -> float:
    return float(next(t.generated["viewcone_max_deg"] for t in tables if kind_of(t) == "gamma"))
