"""Containers of MARS with image parameters, stereo parameters, energies and hadronness, in our names, units and frames.

MARS measures in the camera in millimetres, here 0.00337 deg each (the mirror's focal length of 17 m: 7 % more than with
the effective focal length of our own parameters). Its camera frame is ours mirrored: x = -Y, y = -X. Positions on the
ground are in centimetres, x to magnetic north. Quantities whose unit or reference no public source states are left out:
the slope of the times (``MHillasTimeFit``: samples or ns) and the height of the maximum (``fMaxHeight``: above what).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import camera_from_sky, geographic_from_magnetic
from magicnn.io.root.files import RootTree
from magicnn.io.sanity import LIMITS, folded, without_impossible_values

__all__ = [
    "DEG_PER_MM",
    "energy_estimate",
    "gammaness",
    "image_columns",
    "in_camera",
    "stereo_angle",
    "stereo_columns",
]

DEG_PER_MM = 0.00337
"""Plate scale of MARS' image parameters."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_PLAIN = {
    "leakage1_mars": "MNewImagePar.fLeakage1",
    "leakage2_mars": "MNewImagePar.fLeakage2",
    "concentration": "MNewImagePar.fConc1",
    "concentration2": "MNewImagePar.fConc",
    "n_pixels": "MNewImagePar.fNumUsedPixels",
    "n_islands": "MImagePar.fNumIslands",
}
"""Fractions and counts that mean the same here and there."""


def image_columns(events: RootTree, rows: Ints) -> dict[str, Floats]:
    """Read the parameters of one telescope's images.

    Parameters
    ----------
    events : RootTree
        Tree ``Events`` as one telescope sees it (`magicnn.io.root.files.RootTree.of_telescope`).
    rows : int64 array, [N]
        Entries wanted.

    Returns
    -------
    dict of str to float64 array, [N]
        Names and units of `magicnn.images.hillas.IMAGE_PARAMETERS`; NaN for images without light. What has a sign
        along or across the axis is turned so that it points where ``psi_deg`` does; the skewness follows from the
        third moment, of which ``fM3Long`` is the cube root in mm.

    Raises
    ------
    InputError
        ``MHillas`` lacks a branch.
    """

    def value(branch: str) -> Floats:
        column: Floats = events.scalars(branch)[rows].astype(np.float64)
        return column

    size, delta = value("MHillas.fSize"), value("MHillas.fDelta")
    has_light = np.isfinite(size) & (size > 0.0)
    delta = np.where(np.abs(delta) <= np.pi, delta, np.nan)
    axis_x, axis_y = -np.sin(delta), -np.cos(delta)
    turned = np.where((axis_x < 0.0) | ((axis_x == 0.0) & (axis_y < 0.0)), -1.0, 1.0)
    turned[np.isnan(delta)] = np.nan
    columns = {
        "size_pe": size,
        "cog_x_deg": -DEG_PER_MM * value("MHillas.fMeanY"),
        "cog_y_deg": -DEG_PER_MM * value("MHillas.fMeanX"),
        "length_deg": DEG_PER_MM * value("MHillas.fLength"),
        "width_deg": DEG_PER_MM * value("MHillas.fWidth"),
        "psi_deg": np.degrees(np.arctan2(turned * axis_y, turned * axis_x)),
    }
    for name, branch, sign in (
        ("m3_long_deg", "MHillasExt.fM3Long", turned),
        ("m3_trans_deg", "MHillasExt.fM3Trans", -turned),
        ("asymmetry_deg", "MHillasExt.fAsym", turned),
    ):
        if branch in events:
            columns[name] = sign * DEG_PER_MM * value(branch)
    columns |= {name: value(branch) for name, branch in _PLAIN.items() if branch in events}
    columns = {name: np.where(has_light & np.isfinite(values), values, np.nan) for name, values in columns.items()}
    columns = without_impossible_values(columns, where=str(events.path))
    x, y = columns["cog_x_deg"], columns["cog_y_deg"]
    columns |= {"r_deg": np.hypot(x, y), "phi_deg": np.degrees(np.arctan2(y, x))}
    if "m3_long_deg" in columns:
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["skewness"] = (columns["m3_long_deg"] / columns["length_deg"]) ** 3
    return columns


def stereo_columns(events: RootTree, rows: Ints, container: str = "MStereoPar") -> dict[str, NDArray[Any]]:
    """Read what MARS reconstructed from both images.

    Parameters
    ----------
    events : RootTree
        Tree ``Events`` of a stereo file.
    rows : int64 array, [N]
        Entries wanted.
    container : str
        ``"MStereoPar"``, the crossed axes, or ``"MStereoParDisp"``, the direction by DISP.

    Returns
    -------
    dict
        ``reco_zenith_deg, reco_azimuth_deg, reco_core_x_m, reco_core_y_m`` [N], ``impact_m`` [N, 2] and ``is_stereo``
        [N], as far as the container has them; NaN where the reconstruction is not valid.

    Raises
    ------
    InputError
        The direction is missing.
    """

    def value(member: str) -> Floats:
        column: Floats = events.scalars(f"{container}.{member}")[rows].astype(np.float64)
        return column

    zenith, azimuth = value("fDirectionZd"), value("fDirectionAz")
    azimuth = folded(azimuth)
    is_valid = np.isfinite(azimuth) & (zenith >= 0.0) & (zenith <= 180.0)
    if f"{container}.fValid" in events:
        is_valid &= value("fValid") > 0
    columns: dict[str, NDArray[Any]] = {
        "reco_zenith_deg": zenith,
        "reco_azimuth_deg": azimuth,
    }
    if f"{container}.fCoreX" in events:
        core = geographic_from_magnetic(np.stack([value("fCoreX"), value("fCoreY")], axis=-1) / 100.0)
        columns |= {"reco_core_x_m": core[:, 0], "reco_core_y_m": core[:, 1]}
    if f"{container}.fM1Impact" in events:
        columns["impact_m"] = np.stack([value("fM1Impact"), value("fM2Impact")], axis=1) / 100.0
    for name, values in columns.items():
        keep = is_valid if values.ndim == 1 else is_valid[:, None]
        columns[name] = np.where(keep & np.isfinite(values), values, np.nan)
    return without_impossible_values(columns, where=str(events.path)) | {"is_stereo": is_valid}


def in_camera(
    direction: Mapping[str, NDArray[Any]],
    pointing_zenith_deg: NDArray[Any] | None,
    pointing_azimuth_deg: NDArray[Any] | None,
) -> dict[str, Floats]:
    """Return ``reco_x_deg, reco_y_deg`` of a direction on the sky, [N]; nothing without direction or pointing."""
    if not direction or pointing_zenith_deg is None or pointing_azimuth_deg is None:
        return {}
    x, y = camera_from_sky(
        direction["reco_zenith_deg"], direction["reco_azimuth_deg"], pointing_zenith_deg, pointing_azimuth_deg
    )
    return {"reco_x_deg": x, "reco_y_deg": y}


def stereo_angle(psi_deg: NDArray[Any] | None) -> dict[str, Floats]:
    """Return ``stereo_angle_deg`` between the two image axes, [N, 2] to [N]; nothing without axes."""
    if psi_deg is None:
        return {}
    turn = np.abs(psi_deg[:, 0] - psi_deg[:, 1]) % 180.0
    return {"stereo_angle_deg": np.minimum(turn, 180.0 - turn)}


def energy_estimate(events: RootTree, rows: Ints) -> tuple[Floats, Floats | None]:
    """Read MARS' energy of both telescopes together and its uncertainty.

    Parameters
    ----------
    events : RootTree
        Tree ``Events`` of a melibea file.
    rows : int64 array, [N]
        Entries wanted.

    Returns
    -------
    energy_gev, uncertainty_gev : float64 array, [N]
        NaN where MARS gives none (not positive, not finite or beyond any shower). The uncertainty is ``fEnergyRMS``, in
        files without it ``fUncertainty``, taken as GeV as ctapipe_io_magic's predecessors do; None without either.

    Raises
    ------
    InputError
        ``MEnergyEst.fEnergy`` is missing.
    """

    def positive(name: str) -> Floats:
        values = events.scalars(f"MEnergyEst.{name}")[rows].astype(np.float64)
        return np.where((values > 0.0) & (values <= LIMITS["true_energy_gev"][1]), values, np.nan)

    spread = next((n for n in ("fEnergyRMS", "fUncertainty") if f"MEnergyEst.{n}" in events), None)
    return positive("fEnergy"), None if spread is None else positive(spread)


def gammaness(events: RootTree, rows: Ints) -> Floats:
    """Read 1 - hadronness, [N]; NaN where the hadronness is not between 0 and 1.

    Raises
    ------
    InputError
        ``MHadronness.fHadronness`` is missing.
    """
    values = events.scalars("MHadronness.fHadronness")[rows].astype(np.float64)
    return np.where((values >= 0.0) & (values <= 1.0), 1.0 - values, np.nan)
