"""Files of an instrument response: one ECSV table of all curves, and FITS in the formats for gamma-ray astronomy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from magicnn.errors import optional_import
from magicnn.evaluation.metrics_table import write_ecsv
from magicnn.evaluation.response.instrument import (
    MIGRATION_EDGES,
    OFFSET_EDGES_DEG,
    THETA_EDGES_DEG,
    InstrumentResponse,
    SensitivityCurve,
)
from magicnn.runs import atomic_path

__all__ = ["describe_content", "response_rows", "save_gadf", "save_table"]

_COLUMNS = {
    "method": ("string", "", "method"),
    "quantity": ("string", "", "what the value is"),
    "contains": ("string", "", "which events and cuts it is made of"),
    "zenith_min_deg": ("float64", "deg", "range of the pointing, lower edge"),
    "zenith_max_deg": ("float64", "deg", "upper edge"),
    "energy_min_gev": ("float64", "GeV", "bin of true energy (areas, angles) or of estimated energy (the rest)"),
    "energy_max_gev": ("float64", "GeV", "upper edge, inf above a threshold"),
    "value": ("float64", "", "unit in the name of the quantity"),
    "low": ("float64", "", "lower end of the 68 % interval, showers resampled"),
    "high": ("float64", "", "upper end"),
    "n_events": ("float64", "", "effective number of simulated showers behind the value"),
    "is_limit": ("bool", "", "a limit, for want of simulated background"),
}
_SHARES = {"snr": "sensitivity_snr_percent"} | {f"lima_{n}": f"sensitivity_lima_{n}_percent" for n in (1, 3, 5)}


def describe_content(response: InstrumentResponse, what: str) -> str:
    """Say in words which events a curve contains.

    Parameters
    ----------
    response : InstrumentResponse
    what : str
        ``"trigger"``, ``"two images"``, ``"quality"``, ``"cuts"``, ``"efficiency"``,
        ``"directions"``, ``"rates"`` or ``"background"``.
    """
    source = f"gammas {response.source_offset_deg:g} deg off the pointing"
    chosen = "gammaness cut chosen per bin of estimated energy on other showers"
    shares = [100.0 * s for s in response.settings.standard_efficiencies]
    return {
        "trigger": f"{source}, triggered",
        "two images": f"{source}, a cleaned image in both telescopes",
        "quality": f"{source}, quality cuts",
        "cuts": f"{source}, quality cuts, {chosen}, within its circle",
        "efficiency": f"{source}, quality cuts, {shares[0]:g} % kept by gammaness and {shares[1]:g} % of those by "
        "angle in every bin of estimated energy",
        "directions": f"{source}, quality cuts, {chosen}",
        "rates": f"Crab Nebula against {', '.join(response.kinds)}; {chosen}, within its circle",
        "background": f"{', '.join(response.kinds)}; quality cuts, {chosen}",
    }[what]


def response_rows(response: InstrumentResponse) -> Iterator[dict[str, Any]]:
    """Yield every curve of a response bin by bin, as rows for the table."""
    common = {
        "method": response.method,
        "zenith_min_deg": response.zenith_deg[0],
        "zenith_max_deg": response.zenith_deg[1],
    }

    def row(quantity: str, what: str, energy: Sequence[float], value: float, **more: Any) -> dict[str, Any]:
        empty = {"low": np.nan, "high": np.nan, "n_events": np.nan, "is_limit": False}
        return {
            **common,
            "quantity": quantity,
            "contains": describe_content(response, what),
            "energy_min_gev": float(energy[0]),
            "energy_max_gev": float(energy[1]),
            "value": float(value),
            **empty,
            **{n: v if isinstance(v, bool) else float(v) for n, v in more.items()},
        }

    true = list(zip(response.settings.true_edges_gev[:-1], response.settings.true_edges_gev[1:], strict=True))
    for level, curve in response.areas.items():
        for k, energy in enumerate(true):
            value, error = curve.value[k], curve.error[k]
            name = f"effective_area_{level.replace(' ', '_')}_m2"
            yield row(name, level, energy, value, low=value - error, high=value + error, n_events=curve.n_events[k])
    for column, share in enumerate((39, 68, 95)):
        for k, energy in enumerate(true):
            yield row(f"theta{share}_deg", "directions", energy, response.containment_deg[k, column])
    yield from _sensitivity_rows("", response.differential, row)
    yield from _sensitivity_rows("integral_", response.integral, row)


def _sensitivity_rows(prefix: str, curve: SensitivityCurve, row: Any) -> Iterator[dict[str, Any]]:
    for k, cut in enumerate(curve.cuts):
        energy = curve.energy_min_gev[k], curve.energy_max_gev[k]
        more = {"n_events": curve.n_background[k], "is_limit": bool(curve.is_limit[k])}
        yield row(f"{prefix}cut_gammaness", "rates", energy, cut.gammaness)
        yield row(f"{prefix}cut_theta_deg", "rates", energy, cut.theta_deg)
        rates: tuple[tuple[str, float, float, dict[str, Any]], ...] = (
            ("gamma", curve.gamma_hz[k], curve.gamma_error_hz[k], {}),
            ("background", curve.background_hz[k], curve.background_error_hz[k], more),
        )
        for kind, value, error, extra in rates:
            ends = {"low": 60.0 * (value - error), "high": 60.0 * (value + error)}
            yield row(f"{prefix}{kind}_per_min", "rates", energy, 60.0 * value, **ends, **extra)
        for key, name in _SHARES.items():
            value, low, high = (100.0 * part[k] for part in curve.shares[key])
            yield row(prefix + name, "rates", energy, value, low=low, high=high, **more)


def save_table(responses: Sequence[InstrumentResponse], path: Path | str) -> None:
    """Write the curves of several responses into one ECSV table, long format.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    rows = [row for response in responses for row in response_rows(response)]
    text = write_ecsv(_COLUMNS, rows, meta={"format": "magicnn instrument response", "version": 1})
    with atomic_path(path) as partial:
        partial.write_text(text, "utf-8")


def save_gadf(response: InstrumentResponse, path: Path | str) -> None:
    """Write a response as FITS after the data formats for gamma-ray astronomy (GADF 0.3), for Gammapy and others.

    Effective area, energy dispersion and the circle are those after all cuts (point-like, one bin of offset around
    the simulated source); the point spread and the background are those after the cut on gammaness.

    Raises
    ------
    InputError
        The file cannot be written.
    MissingDependencyError
        pyirf is not installed.
    """
    gadf: Any = optional_import("pyirf.io.gadf", purpose="write FITS responses", extra="irf")
    units: Any = optional_import("astropy.units", purpose="write FITS responses", extra="irf")
    fits: Any = optional_import("astropy.io.fits", purpose="write FITS responses", extra="irf")
    settings = response.settings
    true, reco = np.array(settings.true_edges_gev) * units.GeV, np.array(settings.reco_edges_gev) * units.GeV
    offset = np.array([0.0, 2.0 * response.source_offset_deg]) * units.deg
    cards = {
        "TELESCOP": "MAGIC",
        "INSTRUME": "simulation of magicnn",
        "CREATOR": "magicnn",
        "METHOD": response.method,
        "ZD_MIN": response.zenith_deg[0],
        "ZD_MAX": response.zenith_deg[1],
    }
    theta = np.array([c.theta_deg if c.exists else 0.0 for c in response.differential.cuts])
    hdus = [
        fits.PrimaryHDU(),
        gadf.create_aeff2d_hdu(response.areas["cuts"].value[:, None] * units.m**2, true, offset, **cards),
        gadf.create_energy_dispersion_hdu(
            response.dispersion[:, :, None], true, MIGRATION_EDGES, offset, point_like=True, **cards
        ),
        gadf.create_rad_max_hdu(theta[:, None] * units.deg, reco, offset, **cards),
        gadf.create_psf_table_hdu(
            response.spread_per_sr[:, None, :] / units.sr, true, THETA_EDGES_DEG * units.deg, offset, **cards
        ),
        gadf.create_background_2d_hdu(
            response.background / (units.GeV * units.s * units.sr), reco, OFFSET_EDGES_DEG * units.deg, **cards
        ),
    ]
    with atomic_path(path) as partial:
        fits.HDUList(hdus).writeto(partial, overwrite=True)
