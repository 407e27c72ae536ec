"""The library of hadronic interactions: events of a generator, sampled and scaled by `magicnn.simulation.hadronic`.

The file comes from ``tools/build_hadron_library.py``, whose description tells what it holds; generator, versions, seed
and what to cite are in its entry ``provenance``.
"""

from __future__ import annotations

import json
import zipfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError

__all__ = ["CROSS_SECTION_STEP", "LIBRARY_ENTRIES", "HadronLibrary", "library_provenance", "load_hadron_library"]

LIBRARY_ENTRIES = (
    "x", "pt", "phi", "species", "products", "dropped", "events", "energy_gev", "x_step", "cross_mb", "helium_mb",
    "helium_wounded", "provenance",
)  # fmt: skip
"""Arrays of the file."""
CROSS_SECTION_STEP = 0.1
"""Step of the table of cross sections in the natural logarithm of the energy in GeV, which starts at 0."""
N_PROJECTILES = 7
"""Both charged pions, both charged kaons, the long-lived kaon, proton, neutron: species 5 to 11."""

_MAX_PRODUCTS = 450


class HadronLibrary(NamedTuple):
    """Interactions as the compiled code reads them.

    Attributes
    ----------
    x : float32 array, [products]
        Share of a product in the energy of the projectile, as the tool defines it.
    pt_mev, phi : float32 array, [products]
        Transverse momentum, and azimuth (rad) in its event.
    species : int8 array, [products]
        Negative for antinucleons.
    first : int64 array, [events + 1]
        Where the products of each event begin.
    first_event, n_events : int64 array, [7]
        First event of a projectile at the lowest energy, and its events per energy; energies follow each other.
    log_energy_min, log_energy_step : float
        Total energies (MeV) of the projectiles, natural logarithm.
    n_energies : int
    cross_mb : float64 array, [8, steps]
        Cross section on air of the seven projectiles against their total energy and of helium against the energy per
        nucleon, every `CROSS_SECTION_STEP`: of production, below 60 GeV with quasi-elastic scattering.
    wounded : float64 array, [energies, 4]
        Probability that at most 1 to 4 nucleons of a helium nucleus take part.
    """

    x: NDArray[np.float32]
    pt_mev: NDArray[np.float32]
    phi: NDArray[np.float32]
    species: NDArray[np.int8]
    first: NDArray[np.int64]
    first_event: NDArray[np.int64]
    n_events: NDArray[np.int64]
    log_energy_min: float
    log_energy_step: float
    n_energies: int
    cross_mb: NDArray[np.float64]
    wounded: NDArray[np.float64]


def _path(path: Path | None) -> Path:
    return Path(str(resources.files("magicnn.simulation") / "tables" / "hadron_library.npz")) if path is None else path


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            missing = [name for name in LIBRARY_ENTRIES if name not in file.files]
            if missing:
                raise InputError(
                    f"{path}: not a library of hadronic interactions of this version, has no {', '.join(missing)};"
                    " make it with tools/build_hadron_library.py"
                )
            return {name: file[name] for name in LIBRARY_ENTRIES}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: no readable library of hadronic interactions ({error})") from error


def library_provenance(path: Path | None = None) -> dict[str, Any]:
    """Tell the generator, its version, seed, numbers of events and citations of a library.

    Parameters
    ----------
    path : Path, optional
        Default: the package's library.

    Raises
    ------
    InputError
        There is no such library.
    """
    return dict(json.loads(str(_read(_path(path))["provenance"])))


def _cross_sections(data: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Tabulate the cross sections evenly in the logarithm of the energy, constant beyond both ends."""
    known = np.log(data["energy_gev"])
    grid = np.arange(0.0, known[-1] + CROSS_SECTION_STEP, CROSS_SECTION_STEP)
    rows = np.concatenate([data["cross_mb"], data["helium_mb"][None, :]])
    return np.ascontiguousarray(np.stack([np.interp(grid, known, row) for row in rows]))


@cache
def load_hadron_library(path: Path | None = None) -> HadronLibrary:
    """Read a library, once per process.

    Parameters
    ----------
    path : Path, optional
        A file of ``tools/build_hadron_library.py``; default: the package's.

    Raises
    ------
    InputError
        The file cannot be read, its arrays do not fit each other, or it holds an event too large for the stack.
    """
    where = _path(path)
    data = _read(where)
    products = data["products"].astype(np.int64)
    events, energies = data["events"].astype(np.int64), np.log(1e3 * data["energy_gev"])
    steps = np.diff(energies)
    fits = (
        events.shape == (N_PROJECTILES,)
        and len(energies) > 1
        and np.allclose(steps, steps.mean(), rtol=1e-3)
        and products.sum() == len(data["x"]) == len(data["pt"]) == len(data["phi"]) == len(data["species"])
        and len(products) == len(energies) * events.sum()
        and data["cross_mb"].shape == (N_PROJECTILES, len(energies))
        and data["helium_mb"].shape == (len(energies),)
        and data["helium_wounded"].shape == (len(energies), 4)
    )
    if not fits:
        raise InputError(f"{where}: the arrays of this library do not fit each other; make it anew")
    if products.max() > _MAX_PRODUCTS:
        raise InputError(f"{where}: an event has {products.max()} products, expected at most {_MAX_PRODUCTS}")
    blocks = len(energies) * events
    return HadronLibrary(
        x=np.exp(-float(data["x_step"]) * data["x"].astype(np.float64)).astype(np.float32),
        pt_mev=data["pt"].astype(np.float32),
        phi=(2.0 * np.pi / 256.0 * (data["phi"].astype(np.float64) + 0.5)).astype(np.float32),
        species=np.ascontiguousarray(data["species"]),
        first=np.concatenate([[0], np.cumsum(products)]),
        first_event=np.concatenate([[0], np.cumsum(blocks)[:-1]]),
        n_events=events,
        log_energy_min=float(energies[0]),
        log_energy_step=float(steps.mean()),
        n_energies=len(energies),
        cross_mb=_cross_sections(data),
        wounded=np.cumsum(data["helium_wounded"], axis=1),
    )
