"""Truth columns of MARS simulations, in the frames and units of the event columns, and what a production threw."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import MAGNETIC_DECLINATION_DEG, geographic_from_magnetic
from magicnn.errors import InputError
from magicnn.generated import Generated
from magicnn.io.root.files import RootFile, RootTree
from magicnn.io.sanity import GENERATED_LIMITS, folded, require_within

__all__ = [
    "GENERATED_NOTE",
    "PARTICLES",
    "generated_by_file",
    "merge_generated",
    "particle_name",
    "shower_ids",
    "truth_columns",
]

_log = logging.getLogger(__name__)

PARTICLES: dict[int, tuple[int, str]] = {
    1: (22, "gamma"),
    2: (-11, "positron"),
    3: (11, "electron"),
    5: (-13, "antimuon"),
    6: (13, "muon"),
    7: (111, "pi0"),
    13: (2112, "neutron"),
    14: (2212, "proton"),
    402: (1000020040, "helium"),
    1608: (1000080160, "oxygen"),
    5626: (1000260560, "iron"),
}
"""CORSIKA particle number (``MMcEvt.fPartId``) to PDG number and name."""

GENERATED_NOTE = "magicnn_generated"
"""Name of the text in files of ours that says exactly what was thrown, where MARS's own headers cannot."""

WEIGHT_BRANCH = "Magicnn.fWeight"
"""Branch of files of ours with the thrown events that each one stands for, which MARS does not know."""

_NAMES = dict(PARTICLES.values())
_MAX_SHOWERS_PER_RUN = 1_000_000
_DIFFUSE_CONE_DEG = 0.1  # a view cone at least this wide makes the production diffuse, not a point source on a ring


def particle_name(pdg: NDArray[np.int32], *, viewcone_deg: float) -> str | None:
    """Name what a simulation threw.

    Parameters
    ----------
    pdg : int32 array
        PDG numbers of its events.
    viewcone_deg : float
        Width of the view cone.

    Returns
    -------
    str or None
        ``"gamma"``, ``"gamma_diffuse"``, ``"proton"``, ..., ``"mixed"`` for several particles, None for no event.
    """
    names = {_NAMES.get(int(code), f"PDG {code}") for code in np.unique(pdg)}
    if not names:
        return None
    if names == {"gamma"} and viewcone_deg >= _DIFFUSE_CONE_DEG:
        return "gamma_diffuse"
    return names.pop() if len(names) == 1 else "mixed"


def truth_columns(events: RootTree, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Read the truth of one telescope's events.

    Parameters
    ----------
    events : RootTree
        Tree ``Events`` of a simulated file.
    rows : int64 array, [N]
        Entries wanted.

    Returns
    -------
    dict
        Columns of the event schema, [N] each; ``true_impact_m`` is this telescope's.

    Raises
    ------
    InputError
        A branch is missing, or a particle is not known.

    Notes
    -----
    MARS gives the momentum's azimuth from magnetic north, counted towards west: the shower comes from
    ``180 deg - fPhi + D`` with the declination D = -7 deg. Cores turn by the same angle.
    """
    energy = events.scalars("MMcEvt.fEnergy")[rows].astype(np.float64)
    core = np.stack([events.scalars(f"MMcEvt.fCore{axis}")[rows] for axis in "XY"], axis=-1) / 100.0
    core = geographic_from_magnetic(core)
    azimuth = 180.0 - np.degrees(events.scalars("MMcEvt.fPhi")[rows].astype(np.float64)) + MAGNETIC_DECLINATION_DEG
    columns: dict[str, NDArray[Any]] = {
        "true_energy_gev": energy,
        "true_particle": _pdg_numbers(events, rows),
        "true_zenith_deg": np.degrees(events.scalars("MMcEvt.fTheta")[rows].astype(np.float64)),
        "true_azimuth_deg": folded(azimuth),
        "true_core_x_m": core[:, 0],
        "true_core_y_m": core[:, 1],
        "true_impact_m": events.scalars("MMcEvt.fImpact")[rows].astype(np.float64) / 100.0,
    }
    optional = {
        "reuse_id": ("MMcEvt.fEventReuse", 1.0),
        "true_first_interaction_m": ("MMcEvt.fZFirstInteraction", 0.01),
        "true_xmax_gcm2": ("MMcEvt.fLongitmax", 1.0),
        "weight": (WEIGHT_BRANCH, 1.0),
    }
    for name, (branch, factor) in optional.items():
        if branch in events:
            columns[name] = events.scalars(branch)[rows] * factor
    return columns


def shower_ids(
    run_id: NDArray[np.int64], energy_gev: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Number the showers of a production, and the uses of each.

    Parameters
    ----------
    run_id : int64 array, [N]
        Run of each event.
    energy_gev : float64 array, [N]
        True energy.

    Returns
    -------
    shower_id : int64 array, [N]
        Run number x 10^6 + rank of the energy within the run.
    reuse_id : int32 array, [N]
        How many events of the same shower come before.

    Notes
    -----
    Uses of one shower have bit-equal energies, while an event number may count showers or uses. Two showers of
    equal energy would share an id, which no split by shower minds.
    """
    order = np.lexsort((energy_gev, run_id))
    new_run = np.diff(run_id[order], prepend=run_id[order][:1] - 1) != 0
    new_shower = new_run | (np.diff(energy_gev[order], prepend=0.0) != 0)
    shower = np.cumsum(new_shower) - 1
    rank = shower - np.maximum.accumulate(np.where(new_run, shower, 0))
    first_use = np.flatnonzero(new_shower)
    ids = np.empty(len(order), dtype=np.int64)
    uses = np.empty(len(order), dtype=np.int32)
    ids[order] = run_id[order] * _MAX_SHOWERS_PER_RUN + rank
    uses[order] = np.arange(len(order)) - first_use[shower]
    return ids, uses


def _pdg_numbers(events: RootTree, rows: NDArray[np.int64]) -> NDArray[np.int32]:
    corsika = events.scalars("MMcEvt.fPartId")[rows].astype(np.int64)
    unknown = sorted(set(np.unique(corsika).tolist()) - PARTICLES.keys())
    if unknown:
        raise InputError(
            f"{events.path}: unknown particle {unknown[0]} in 'MMcEvt.fPartId'; known CORSIKA numbers: "
            + ", ".join(f"{code} {name}" for code, (_, name) in PARTICLES.items())
        )
    return np.array([PARTICLES[int(code)][0] for code in corsika], dtype=np.int32)


def generated_by_file(file: RootFile) -> dict[str, Any] | None:
    """Read what one simulated file threw.

    Parameters
    ----------
    file : RootFile
        A file with the trees ``OriginalMC`` (one row per thrown event, triggered or not) and ``RunHeaders``, or one
        of ours, which says it in a note.

    Returns
    -------
    dict or None
        Plain values as `magicnn.generated.Generated` keeps them, None when the trees are not there.

    Raises
    ------
    InputError
        A branch is missing, or a value cannot be.
    """
    stated = file.note(GENERATED_NOTE)
    if stated is not None:
        return Generated.from_mapping(json.loads(stated)).to_mapping()
    headers, thrown = file.optional_tree("RunHeaders"), file.optional_tree("OriginalMC")
    if headers is None or thrown is None:
        return None
    headers, thrown = headers.of_telescope(1), thrown.of_telescope(1)
    if "MMcCorsikaRunHeader.fSlopeSpec" not in headers:
        return None

    def header(name: str) -> float:
        return float(np.ravel(headers.column(name))[0])

    telescope_zenith = np.degrees(thrown.scalars("MMcEvtBasic.fTelescopeTheta").astype(np.float64))
    cone_min, cone_max = _view_cone_deg(headers, thrown)
    code = int(thrown.scalars("MMcEvtBasic.fPartId")[0])
    name = PARTICLES[code][1] if code in PARTICLES else str(code)
    generated = Generated(
        particle="gamma_diffuse" if name == "gamma" and cone_max - cone_min >= _DIFFUSE_CONE_DEG else name,
        spectral_index=-header("MMcCorsikaRunHeader.fSlopeSpec"),
        energy_min_gev=header("MMcCorsikaRunHeader.fELowLim"),
        energy_max_gev=header("MMcCorsikaRunHeader.fEUppLim"),
        n_thrown=thrown.n_entries,
        scatter_radius_m=header("MMcRunHeader.fImpactMax") / 100.0,
        scatter_energy_exponent=0.0,
        scatter_zenith_exponent=0.0,
        viewcone_min_deg=cone_min,
        viewcone_max_deg=cone_max,
        zenith_min_deg=float(telescope_zenith.min()),
        zenith_max_deg=float(telescope_zenith.max()),
    ).to_mapping()
    require_within(generated, GENERATED_LIMITS, where=f"{file.path}: what was thrown")
    return generated


def _view_cone_deg(headers: RootTree, thrown: RootTree) -> tuple[float, float]:
    """Range of angles between shower and pointing: from the header for a cone, else the ring of the thrown showers."""
    name = "MMcRunHeader.fRandomPointingConeSemiAngle"
    cone = float(np.ravel(headers.column(name))[0]) if name in headers else 0.0
    if cone > 0.0:
        return 0.0, cone
    angles = {
        key: thrown.scalars(f"MMcEvtBasic.{key}").astype(np.float64)
        for key in ("fTheta", "fPhi", "fTelescopeTheta", "fTelescopePhi")
    }
    cosine = np.cos(angles["fTheta"]) * np.cos(angles["fTelescopeTheta"]) + np.sin(angles["fTheta"]) * np.sin(
        angles["fTelescopeTheta"]
    ) * np.cos(angles["fPhi"] - angles["fTelescopePhi"])
    ring = round(float(np.median(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))), 2)
    return ring, ring


def merge_generated(parts: list[tuple[Path, dict[str, Any] | None]]) -> dict[str, Any]:
    """Add up what several files of one production threw.

    Parameters
    ----------
    parts : list of (path, dict or None)
        One entry per run.

    Returns
    -------
    dict
        Plain values with the numbers added and the zenith range widened; empty, with a warning, when a file does not
        say what it threw or when spectra, areas or cones differ.
    """
    first = parts[0][1] if parts else None
    if first is None:
        return {}
    merged = dict(first)
    added = ("n_thrown", "zenith_min_deg", "zenith_max_deg")
    for path, part in parts[1:]:
        if part is None or any(part[key] != first[key] for key in first if key not in added):
            _log.warning("%s threw another spectrum, area or cone than %s: rates are unknown", path, parts[0][0])
            return {}
        merged["n_thrown"] += part["n_thrown"]
        merged["zenith_min_deg"] = min(merged["zenith_min_deg"], part["zenith_min_deg"])
        merged["zenith_max_deg"] = max(merged["zenith_max_deg"], part["zenith_max_deg"])
    return merged
