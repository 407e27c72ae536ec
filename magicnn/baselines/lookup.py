"""Energy lookup tables: the one of MAGIC's analysis, and a plain one of size and impact."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from magicnn.baselines.smooth_table import SmoothTable
from magicnn.baselines.training import is_gamma, seen, training_events
from magicnn.config import Settings, validate_settings
from magicnn.errors import CheckpointError, InputError
from magicnn.events import event_weight
from magicnn.hdf5 import created, opened
from magicnn.images.cherenkov import cherenkov_pool
from magicnn.images.features import FeatureTable
from magicnn.images.quality import QualitySettings
from magicnn.readout import UNKNOWN_READOUT, Readout
from magicnn.runs import provenance
from magicnn.zenith import UNKNOWN_ZENITH, ZenithRange

__all__ = ["LOOKUP_FORMAT", "EnergyLookup", "LookupSettings"]

_LOG = logging.getLogger(__name__)

Floats = NDArray[np.float64]

LOOKUP_FORMAT = "magicnn energy lookup"
"""Attribute ``format`` of its file."""
_VERSION = 1
_LARGEST_LEAKAGE = 0.8  # of an image at the very edge nothing is known of the rest
_TILT = 0.4  # the slope with zenith is found with a flatter spectrum, so that the cut on size does not rule it
_HEIGHTS = {"impact_m": "h_max_m", "disp_impact_m": "disp_h_max_m"}


class LookupSettings(Settings):
    """What the tables hold and how they are filled."""

    method: Literal["magic", "plain"] = Field(
        default="magic",
        description="'magic': E x photon density / size over impact / Cherenkov radius and log size; "
        "'plain': log E over impact and log size",
    )
    impact: Literal["impact_m", "disp_impact_m"] = Field(
        default="impact_m",
        description="which impact and height of the maximum: of the crossed axes, or of the direction by DISP",
    )
    zenith_edges_deg: tuple[float, ...] = Field(
        default=(0.0, 35.0, 50.0, 62.0, 90.0), min_length=2, description="one set of tables per zenith range, deg"
    )
    size_per_decade: int = Field(default=8, ge=1, description="bins of log10(size)")
    size_range_pe: tuple[float, float] = Field(default=(40.0, 1e5), description="lowest and highest size, phe")
    radius_step: float = Field(default=0.1, gt=0, description="bins of impact / Cherenkov radius")
    max_radius: float = Field(default=4.0, gt=0, description="largest impact / Cherenkov radius")
    impact_step_m: float = Field(default=15.0, gt=0, description="bins of impact of the plain tables at the zenith, m")
    max_impact_m: float = Field(default=450.0, gt=0, description="largest impact of the plain tables at the zenith, m")
    min_events: float = Field(default=20.0, gt=0, description="events that must contribute to a cell")
    fill_index: float = Field(default=2.0, description="the tables are filled with a spectrum E^-index")
    leakage: float = Field(
        default=1.0, ge=0, description="light lost beyond the camera, over that in the two outermost rings of pixels"
    )
    atmosphere: str = Field(default="magic-winter", description="air that the Cherenkov light passes")
    quality: QualitySettings = Field(default=QualitySettings(), description="events that fill the tables")


DEFAULT_SETTINGS = LookupSettings()
"""MAGIC's tables."""


@dataclass(frozen=True, eq=False)
class EnergyLookup:
    """Energy from size, impact and height of maximum by tables filled with simulated gammas.

    Attributes
    ----------
    settings : LookupSettings
        How the tables were filled.
    tables : tuple of tuple of SmoothTable
        One per zenith range and telescope.
    zenith_mean_cos, zenith_slope : float64 array, [zenith ranges]
        ln E is corrected by ``-slope (cos(zenith) - mean)``.
    uncertainty_scale : float
        What the combined RMS of the cells is multiplied with to cover 68 % of the events that filled the tables.
    readout, zenith : Readout, ZenithRange
        Of the events that filled the tables.

    Notes
    -----
    ``method="magic"`` follows MARS: each telescope has a table of mean and RMS of E_true x rho_C / size, over
    impact / r_C and log10(size); r_C and rho_C are radius and photon density of the Cherenkov ring of an 86 MeV
    electron at the reconstructed height of maximum (`cherenkov_pool`), and the energy of a telescope is
    table x size / rho_C. ``method="plain"`` has the mean of log10(E) over impact and log10(size); at larger zenith
    distance its impact axis grows with 1 / cos(zenith). The energies of the telescopes are averaged with the inverse
    squares of the relative RMS of their cells. (MARS' weights are remembered, not read; squares of the absolute RMS
    would favour the telescope that happens to be low.) Then a correction proportional to cos(zenith) is applied, within
    the range that it was found in. Between the mean zenith distances of two ranges ln E goes over from the tables of
    one to those of the other, linearly in cos(zenith), so that no energy jumps where ranges meet.

    The size is that of the image with what it lost at the edge of the camera: the more light lies in the two outermost
    rings of pixels, the more is beyond them (our own; `LookupSettings.leakage`).
    """

    settings: LookupSettings
    tables: tuple[tuple[SmoothTable, ...], ...]
    zenith_mean_cos: Floats
    zenith_slope: Floats
    uncertainty_scale: float
    readout: Readout = UNKNOWN_READOUT
    zenith: ZenithRange = UNKNOWN_ZENITH

    @classmethod
    def fit(
        cls,
        features: FeatureTable,
        settings: LookupSettings = DEFAULT_SETTINGS,
        *,
        weights: ArrayLike | None = None,
    ) -> EnergyLookup:
        """Fill the tables.

        Parameters
        ----------
        features : FeatureTable
            Simulated gammas. Other particles and events that fail the quality cuts are left out.
        settings : LookupSettings
            Axes, cuts and spectrum.
        weights : array_like, [N], optional
            Weight of each event; by default those that turn the thrown spectrum into E^-fill_index.

        Returns
        -------
        EnergyLookup

        Raises
        ------
        InputError
            No true energies, no events left, or no weights and the thrown spectrum is not known.
        """
        used = training_events(features, settings.quality)
        if not used.any():
            raise InputError(f"energy lookup: none of {len(features)} events is a gamma that passes the quality cuts")
        energy = np.asarray(features["true_energy_gev"][used], dtype=np.float64)
        weight = _spectrum_weights(features, settings) if weights is None else np.asarray(weights, dtype=np.float64)
        weight = weight[used]
        events = features.select(used)
        cos_zenith = np.cos(np.radians(events["pointing_zenith_deg"]))
        zenith_bin = _zenith_bin(events, settings)
        tables, mean_cos, slope = [], [], []
        for index in range(len(settings.zenith_edges_deg) - 1):
            here = zenith_bin == index
            part = events.select(here)
            row = tuple(
                SmoothTable.fill(
                    *position,
                    content,
                    weights=weight[here],
                    x_edges=_radius_edges(settings),
                    y_edges=_size_edges(settings),
                    min_events=settings.min_events,
                )
                for position, content in _contents(part, energy[here], settings)
            )
            tables.append(row)
            estimate, _ = _combined(part, row, settings)
            known = np.isfinite(estimate)
            flatter = weight[here][known] * energy[here][known] ** _TILT
            centre, gradient = _weighted_line(
                cos_zenith[here][known], np.log(estimate[known] / energy[here][known]), flatter
            )
            mean_cos.append(centre)
            slope.append(gradient)
        if not any(np.isfinite(table.mean).any() for row in tables for table in row):
            _LOG.warning(
                "energy lookup: the tables are empty and will estimate no energy: of %d training gammas %d pass the "
                "quality cuts, a cell needs %g near it; simulate more",
                np.count_nonzero(is_gamma(features)),
                len(events),
                settings.min_events,
            )
        raw = cls(settings, tuple(tables), np.array(mean_cos), np.array(slope), 1.0)
        estimate, spread = raw.predict(events)
        known = np.isfinite(estimate)
        pull = np.abs(estimate[known] - energy[known]) / spread[known]
        scale = float(np.quantile(pull, 0.6827)) if known.any() else 1.0
        return replace(raw, uncertainty_scale=scale, **seen(events))

    def predict(self, features: FeatureTable) -> tuple[Floats, Floats]:
        """Look the energies up.

        Parameters
        ----------
        features : FeatureTable
            Needs ``size_pe, leakage2, pointing_zenith_deg`` and the impact of the settings with its height of the
            maximum. Cuts are not applied.

        Returns
        -------
        energy_gev, uncertainty_gev : float64 array, [N]
            NaN where no telescope's table has a cell for the event.
        """
        cos_zenith = np.cos(np.radians(features["pointing_zenith_deg"]))
        total, log_energy, relative = np.zeros((3, len(features)))
        for index, row in enumerate(self.tables):
            share = self._share(index, cos_zenith, _zenith_bin(features, self.settings))
            here = np.flatnonzero(share > 0.0)
            estimate, rms = _combined(features.select(here), row, self.settings)
            turn = np.clip(cos_zenith[here], *_cos_limits(index, self.settings)) - self.zenith_mean_cos[index]
            known = np.isfinite(estimate)
            here, part = here[known], share[here][known]
            total[here] += part
            log_energy[here] += part * (np.log(estimate[known]) - self.zenith_slope[index] * turn[known])
            relative[here] += part * rms[known]
        safe = np.where(total > 0.0, total, np.nan)
        energy: Floats = np.exp(log_energy / safe)
        return energy, energy * relative / safe * self.uncertainty_scale

    def _share(self, index: int, cos_zenith: Floats, zenith_bin: NDArray[np.int64]) -> Floats:
        """Weight of the tables of one zenith range for each event, [N].

        Linear in cos(zenith) between the means of an event's own range and of the next one on its side; only ranges
        with content take part, and an event whose own range has none gets none.
        """
        filled = [any(np.isfinite(t.mean).any() for t in row) for row in self.tables]
        share = np.zeros(len(cos_zenith))
        if not filled[index]:
            return share
        mean = self.zenith_mean_cos
        share[zenith_bin == index] = 1.0
        for other, mine in ((index - 1, cos_zenith > mean[index]), (index + 1, cos_zenith < mean[index])):
            if 0 <= other < len(filled) and filled[other]:
                between = (cos_zenith - mean[other]) / (mean[index] - mean[other])
                near = (zenith_bin == index) & mine
                far = (zenith_bin == other) & ((cos_zenith - mean[other]) * (mean[index] - mean[other]) > 0.0)
                share[near | far] = between[near | far]
        return share

    def save(self, path: Path | str) -> None:
        """Write the tables to an HDF5 file.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        record = {
            "settings": self.settings.model_dump(mode="json"),
            "uncertainty_scale": self.uncertainty_scale,
            "readout": self.readout.to_mapping(),
            "zenith": self.zenith.to_mapping(),
            "provenance": provenance(),
        }
        with created(path, file_format=LOOKUP_FORMAT, version=_VERSION) as file:
            file.create_dataset("record", data=json.dumps(record, sort_keys=True))
            for name in ("zenith_mean_cos", "zenith_slope"):
                file.create_dataset(name, data=getattr(self, name), chunks=True, fletcher32=True)
            for index, row in enumerate(self.tables):
                for telescope, table in enumerate(row):
                    for name, values in table.to_arrays().items():
                        key = f"tables/{index}/{telescope}/{name}"
                        file.create_dataset(key, data=values, chunks=True, fletcher32=True)

    @classmethod
    def load(cls, path: Path | str) -> EnergyLookup:
        """Read tables written by `save`.

        Raises
        ------
        CheckpointError
            The file is missing, damaged, of another kind, or written by a newer version.
        """
        with opened(path, "lookup file", file_format=LOOKUP_FORMAT, version=_VERSION, error=CheckpointError) as file:
            record = json.loads(file["record"][()])
            tables = tuple(
                tuple(SmoothTable.from_arrays({n: d[()] for n, d in cells.items()}) for _, cells in sorted(row.items()))
                for _, row in sorted(file["tables"].items(), key=lambda item: int(item[0]))
            )
            return cls(
                # tables of the time before the leakage was corrected for know nothing of it
                validate_settings(LookupSettings, {"leakage": 0.0, **record["settings"]}, where=str(path)),
                tables,
                file["zenith_mean_cos"][()],
                file["zenith_slope"][()],
                float(record["uncertainty_scale"]),
                Readout.from_mapping(record.get("readout")),
                ZenithRange.from_mapping(record.get("zenith")),
            )

    @property
    def n_filled(self) -> list[int]:
        """Filled cells of all telescopes, per zenith range."""
        return [sum(int(np.isfinite(t.mean).sum()) for t in row) for row in self.tables]

    def __repr__(self) -> str:
        return f"EnergyLookup({self.settings.method}, filled cells per zenith range: {self.n_filled})"


def _spectrum_weights(features: FeatureTable, settings: LookupSettings) -> Floats:
    thrown = features.meta.generated.get("spectral_index")
    if thrown is None:
        raise InputError("energy lookup: the thrown spectrum of the events is not known; give weights")
    energy = np.asarray(features["true_energy_gev"], dtype=np.float64)
    return event_weight(features.columns) * energy ** (float(thrown) - settings.fill_index)


def _zenith_bin(features: FeatureTable, settings: LookupSettings) -> NDArray[np.int64]:
    return np.searchsorted(settings.zenith_edges_deg, features["pointing_zenith_deg"], side="right") - 1


def _cos_limits(index: int, settings: LookupSettings) -> tuple[float, float]:
    """Smallest and largest cos(zenith) of a range."""
    low, high = np.cos(np.radians(settings.zenith_edges_deg[index : index + 2]))
    return float(high), float(low)


def _size_edges(settings: LookupSettings) -> Floats:
    low, high = np.log10(settings.size_range_pe)
    return np.linspace(low, high, 1 + int(np.ceil((high - low) * settings.size_per_decade)))


def _radius_edges(settings: LookupSettings) -> Floats:
    if settings.method == "magic":
        return np.arange(0.0, settings.max_radius + 0.5 * settings.radius_step, settings.radius_step)
    return np.arange(0.0, settings.max_impact_m + 0.5 * settings.impact_step_m, settings.impact_step_m)


def _scales(features: FeatureTable, settings: LookupSettings) -> tuple[Floats, Floats]:
    """What the impact is divided by, and the photon density, [N, 1]."""
    zenith = np.asarray(features["pointing_zenith_deg"], dtype=np.float64)
    if settings.method == "plain":
        return 1.0 / np.cos(np.radians(zenith))[:, None], np.ones((len(zenith), 1))
    radius, density = cherenkov_pool(features[_HEIGHTS[settings.impact]], zenith, settings.atmosphere)
    return radius[:, None], density[:, None]


def _positions(features: FeatureTable, settings: LookupSettings) -> tuple[Floats, Floats, Floats]:
    """Scaled impact, log10 of the size, and energy for a table content of one, [N, T]."""
    scale, density = _scales(features, settings)
    size = np.asarray(features["size_pe"], dtype=np.float64)
    if settings.leakage > 0.0:
        outer = np.minimum(np.nan_to_num(features["leakage2"].astype(np.float64)), _LARGEST_LEAKAGE)
        size = size * (1.0 + settings.leakage * outer / (1.0 - outer))
    with np.errstate(divide="ignore"):
        log_size = np.log10(size)
    return features[settings.impact] / scale, log_size, size / density


def _contents(
    features: FeatureTable, energy: Floats, settings: LookupSettings
) -> Iterator[tuple[tuple[Floats, Floats], Floats]]:
    """Position and content of every event, telescope by telescope."""
    scaled, log_size, unit = _positions(features, settings)
    for telescope in range(scaled.shape[1]):
        content = np.log10(energy) if settings.method == "plain" else energy / unit[:, telescope]
        yield (scaled[:, telescope], log_size[:, telescope]), content


def _combined(features: FeatureTable, row: tuple[SmoothTable, ...], settings: LookupSettings) -> tuple[Floats, Floats]:
    """Mean of the telescopes' energies, and relative RMS."""
    scaled, log_size, unit = _positions(features, settings)
    if scaled.shape[1] != len(row):
        raise InputError(f"energy lookup for {len(row)} telescopes, events of {scaled.shape[1]}")
    total, mean = np.zeros(len(scaled)), np.zeros(len(scaled))
    for telescope, table in enumerate(row):
        value, rms = table(scaled[:, telescope], log_size[:, telescope])
        if settings.method == "plain":
            value, relative = 10.0**value, rms * np.log(10.0)
        else:
            value, relative = value * unit[:, telescope], rms / value
        # a cell whose events all agree must not silence the other telescope
        weight = np.where(np.isfinite(value), np.maximum(np.nan_to_num(relative), 0.02) ** -2.0, 0.0)
        total += weight
        mean += weight * np.nan_to_num(value)
    safe = np.where(total > 0.0, total, np.nan)
    return mean / safe, safe**-0.5


def _weighted_line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Centre of x, and slope of the weighted straight line."""
    if len(x) < 2:
        return 1.0, 0.0
    centre = np.average(x, weights=weight)
    spread = np.average((x - centre) ** 2, weights=weight)
    if spread < 1e-8:
        return float(centre), 0.0
    return float(centre), float(np.average((x - centre) * y, weights=weight) / spread)
