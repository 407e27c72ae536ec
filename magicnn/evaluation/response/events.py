"""Events of one kind and one method, each with what it stands for: what instrument responses are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from magicnn.array import camera_from_sky
from magicnn.errors import InputError
from magicnn.evaluation.binning import Range, in_range
from magicnn.evaluation.spectra import crab_flux, electron_flux, event_rates_hz, helium_flux, proton_flux
from magicnn.generated import Generated
from magicnn.predictions import PredictionTable

__all__ = ["FLUXES", "LEVELS", "ResponseEvents", "kind_of", "with_gammaness"]

Floats = NDArray[np.float64]
Flux = Callable[[Floats], Floats]

FLUXES: Mapping[str, Flux] = MappingProxyType(
    {"gamma": crab_flux, "proton": proton_flux, "helium": helium_flux, "electron": electron_flux}
)
"""The spectrum that each kind of particle is weighted to."""

LEVELS = ("trigger", "two images", "quality")
"""What an event has reached: it triggered, it has an image in both telescopes, it passes the method's quality cuts."""


def kind_of(table: PredictionTable) -> str | None:
    """Return the key of `FLUXES` that a table's events belong to; None for diffuse gammas and real data."""
    particle = (table.particle or "").removesuffix("_diffuse")
    if particle not in FLUXES or not table.generated:
        return None
    if particle == "gamma" and not Generated.from_mapping(table.generated).is_point_source:
        return None
    return particle


def with_gammaness(table: PredictionTable, others: Sequence[PredictionTable]) -> PredictionTable:
    """Give a table that has no gammaness that of another method.

    Parameters
    ----------
    table : PredictionTable
        Returned as it is when it has a gammaness, or none of the others is for the same events in the same order.
    others : sequence of PredictionTable
        Predictions of the other method, for any events.

    Returns
    -------
    PredictionTable
    """
    if "gammaness" in table and np.isfinite(table["gammaness"]).any():
        return table
    ids = np.stack([table["run_id"], table["event_id"]], axis=1)
    for other in others:
        same = other.particle == table.particle and other.generated == table.generated and "gammaness" in other
        if same and np.array_equal(ids, np.stack([other["run_id"], other["event_id"]], axis=1)):
            return table.with_columns(gammaness=other["gammaness"])
    return table


@dataclass(frozen=True, slots=True)
class ResponseEvents:
    """Events of one kind in one zenith range, as one method sees them.

    Attributes
    ----------
    kind : str
        Key of `FLUXES`.
    true_energy_gev, reco_energy_gev, gammaness : float64 array, [N]
        Truth, and what the method says.
    theta_deg : float64 array, [N]
        Angle between the reconstructed and the true direction.
    offset_deg : float64 array, [N]
        Angle between the reconstructed direction and the pointing.
    level : int64 array, [N]
        What the event has reached, an index of `LEVELS`.
    exposure : float64 array, [N]
        What a differential flux is multiplied with to give the rate of the event: GeV m2 for point sources,
        GeV m2 sr else.
    shower : int64 array, [N]
        Number of the simulated shower, shared by its re-uses.
    """

    kind: str
    true_energy_gev: Floats
    reco_energy_gev: Floats
    gammaness: Floats
    theta_deg: Floats
    offset_deg: Floats
    level: NDArray[np.int64]
    exposure: Floats
    shower: NDArray[np.int64]

    @classmethod
    def of(cls, tables: Sequence[PredictionTable], zenith_deg: Range) -> ResponseEvents:
        """Put the tables of one kind together.

        Parameters
        ----------
        tables : sequence of PredictionTable
            Of one method and one kind; ``generated["n_thrown"]`` is the number thrown for the events of the table.
        zenith_deg : (float, float)
            Range of the pointing.

        Returns
        -------
        ResponseEvents

        Raises
        ------
        InputError
            There are no tables, kinds are mixed, or a table does not know what was thrown or lacks the truth.
        """
        kinds = {kind_of(table) for table in tables}
        if len(kinds) != 1 or None in kinds:
            raise InputError(
                "instrument response: expected tables of one kind of simulated particle that know what was thrown, got "
                + (", ".join(sorted(str(t.particle) for t in tables)) or "none")
            )
        productions = [Generated.from_mapping(t.generated) for t in tables]
        parts = [_columns(table) for table in tables]
        joined = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        ids = np.concatenate([np.full(len(t), n) for n, t in enumerate(tables)])
        # as integers: numbers of showers have more digits than a float
        own = np.unique(np.concatenate([_showers(table) for table in tables]), return_inverse=True)[1]
        shower = np.unique(own * len(tables) + ids, return_inverse=True)[1].astype(np.int64)
        pointing, zenith = joined.pop("pointing_zenith_deg"), joined.pop("true_zenith_deg")
        exposure = event_rates_hz(productions, joined["true_energy_gev"], zenith, pointing, zenith_deg, np.ones_like)
        events = cls(
            kind=str(next(iter(kinds))),
            shower=shower,
            exposure=np.nan_to_num(exposure) * joined.pop("weight"),
            level=joined.pop("level").astype(np.int64),
            **joined,
        )
        return events.select(in_range(pointing, zenith_deg))

    def __len__(self) -> int:
        return len(self.true_energy_gev)

    def rates_hz(self, flux: Flux | None = None) -> Floats:
        """Return the rate that each event stands for, [N], 1/s; in the spectrum of `FLUXES` when none is given."""
        rates: Floats = (flux or FLUXES[self.kind])(self.true_energy_gev) * self.exposure
        return rates

    def select(self, which: NDArray[np.bool_]) -> ResponseEvents:
        """Return the events of a mask."""
        arrays = {name: getattr(self, name)[which] for name in self.__slots__ if name != "kind"}
        return replace(self, **arrays)


def _showers(table: PredictionTable) -> NDArray[np.int64]:
    """Number of the shower of every event; every event is its own where showers are not numbered."""
    return table["shower_id"] if "shower_id" in table else np.arange(len(table))


def _columns(table: PredictionTable) -> dict[str, Floats]:
    """Columns of one table, without regard to the zenith range."""
    n = len(table)

    def column(name: str) -> Floats:
        return np.asarray(table[name], dtype=np.float64) if name in table else np.full(n, np.nan)

    reco = column("reco_zenith_deg"), column("reco_azimuth_deg")
    pointing = table["pointing_zenith_deg"], table["pointing_azimuth_deg"]
    offset = np.hypot(*camera_from_sky(*reco, *pointing))
    theta2 = column("theta2_deg2")
    if not np.isfinite(theta2).any():
        x, y = camera_from_sky(*reco, table["true_zenith_deg"], table["true_azimuth_deg"])
        theta2 = x**2 + y**2
    valid = table["is_valid"] if "is_valid" in table else np.ones(n, dtype=bool)
    has_images = column("size_min_pe") > 0.0 if "size_min_pe" in table else valid
    weight = column("weight") if "weight" in table else np.ones(n)
    true_zenith = column("true_zenith_deg")
    return {
        "true_energy_gev": np.asarray(table["true_energy_gev"], dtype=np.float64),
        "reco_energy_gev": column("reco_energy_gev"),
        "gammaness": column("gammaness"),
        "theta_deg": np.sqrt(theta2),
        "offset_deg": offset,
        "level": np.where(valid & has_images, 2, np.where(has_images, 1, 0)).astype(np.float64),
        "weight": weight,
        "pointing_zenith_deg": np.asarray(pointing[0], dtype=np.float64),
        "true_zenith_deg": np.where(np.isfinite(true_zenith), true_zenith, pointing[0]),
    }
