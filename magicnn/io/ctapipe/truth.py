"""What ctapipe knows of a simulation: particles by PDG number, and what was thrown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.array import separation_deg
from magicnn.errors import InputError
from magicnn.generated import Generated
from magicnn.io.mars.truth import particle_name
from magicnn.io.sanity import GENERATED_LIMITS, require_within

__all__ = ["RUN_UNITS", "generated_by_run", "pdg_numbers", "primary_ids"]

RUN_UNITS = {
    **dict.fromkeys(("energy_range_min", "energy_range_max"), "GeV"),
    **dict.fromkeys(("max_alt", "min_alt", "max_viewcone_radius", "min_viewcone_radius"), "deg"),
    **dict.fromkeys(("max_scatter_range", "min_scatter_range"), "m"),
    **dict.fromkeys(("spectral_index", "n_showers", "shower_reuse"), ""),
}
"""What `generated_by_run` needs of ctapipe's simulation configuration, and in which units; empty for a number."""

_LEPTONS = {0: 22, 1: 11, -1: -11, 2: 13, -2: -13, 100: 2112, 101: 2212}
"""Photon, leptons and nucleons of ctapipe's ``shower_primary_id``; nuclei have 100 x nucleons + protons."""


def pdg_numbers(primary_id: ArrayLike, *, where: str) -> NDArray[np.int32]:
    """Translate ctapipe's (sim_telarray's) numbers of particles.

    Parameters
    ----------
    primary_id : int array_like, [N]
        ``shower_primary_id``: 0 photon, 1 electron, 2 muon, 100 A + Z nuclei, negative for antiparticles.
    where : str
        Names the source in the error.

    Returns
    -------
    int32 array, [N]
        PDG numbers.

    Raises
    ------
    InputError
        A number is none of these.
    """
    numbers = np.asarray(primary_id)
    pdg = np.zeros(numbers.shape, dtype=np.int32)
    for number in np.unique(numbers):
        nucleons, protons = divmod(int(number), 100)
        if int(number) in _LEPTONS:
            code = _LEPTONS[int(number)]
        elif nucleons >= 2 and 0 < protons <= nucleons:
            code = 1_000_000_000 + 10_000 * protons + 10 * nucleons
        else:
            raise InputError(f"{where}: unknown particle {number} (shower_primary_id)")
        pdg[numbers == number] = code
    return pdg


def generated_by_run(
    run: Mapping[str, Any],
    truth: Mapping[str, NDArray[Any]],
    pointing: tuple[NDArray[Any], NDArray[Any]],
    *,
    where: str,
) -> dict[str, Any] | None:
    """Tell what one simulated run threw.

    Parameters
    ----------
    run : mapping
        A row of ctapipe's simulation configuration in plain numbers, in the units of `RUN_UNITS`.
    truth : mapping of str to array, [N]
        ``true_particle``, ``true_zenith_deg`` and ``true_azimuth_deg`` of the events of the run, at least one.
    pointing : pair of arrays, [N]
        Zenith distance and azimuth of the telescopes, degrees.
    where : str
        Names the source in errors.

    Returns
    -------
    dict or None
        Plain values as `magicnn.generated.Generated` keeps them; None when cores were not thrown over a disc (a second
        number of CORSIKA's CSCAT, ``min_scatter_range``, makes it a rectangle).

    Raises
    ------
    InputError
        A value cannot be.
    """
    if run["min_scatter_range"] != 0.0 or not run["max_scatter_range"] > 0.0 or not run["n_showers"] > 0:
        return None
    cone_min, cone_max = float(run["min_viewcone_radius"]), float(run["max_viewcone_radius"])
    if cone_max <= 0.0:
        angle = separation_deg(truth["true_zenith_deg"], truth["true_azimuth_deg"], *pointing)
        cone_min = cone_max = round(float(np.nanmedian(angle)), 2)
    generated = Generated(
        particle=particle_name(truth["true_particle"], viewcone_deg=cone_max - cone_min) or "",
        spectral_index=-float(run["spectral_index"]),
        energy_min_gev=float(run["energy_range_min"]),
        energy_max_gev=float(run["energy_range_max"]),
        n_thrown=int(run["n_showers"]) * int(run["shower_reuse"]),
        scatter_radius_m=float(run["max_scatter_range"]),
        scatter_energy_exponent=0.0,
        scatter_zenith_exponent=0.0,
        viewcone_min_deg=cone_min,
        viewcone_max_deg=cone_max,
        zenith_min_deg=90.0 - float(run["max_alt"]),
        zenith_max_deg=90.0 - float(run["min_alt"]),
    ).to_mapping()
    require_within(generated, GENERATED_LIMITS, where=f"{where}: what was thrown")
    return generated


def primary_ids(pdg: NDArray[Any]) -> NDArray[np.int16]:
    """Translate PDG numbers into ctapipe's, the inverse of `pdg_numbers`.

    Parameters
    ----------
    pdg : int array, [N]
        PDG numbers.

    Returns
    -------
    int16 array, [N]
        ``shower_primary_id``; what has no number there gets ctapipe's own for unknown, 32767.
    """
    known = {code: number for number, code in _LEPTONS.items()}
    ids = np.full(pdg.shape, np.iinfo(np.int16).max, dtype=np.int16)
    for code in np.unique(pdg):
        protons, nucleons = int(code) // 10_000 % 1000, int(code) // 10 % 1000
        if int(code) in known:
            ids[pdg == code] = known[int(code)]
        elif code >= 1_000_000_000:
            ids[pdg == code] = 100 * nucleons + protons
    return ids
