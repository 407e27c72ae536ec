"""How an interaction is stored in the library of hadronic interactions, whichever generator made it.

Stored of each product: the species, its share x of the energy, its transverse momentum and its azimuth. The energy that
is shared is the kinetic energy of a baryon as projectile and the total energy of a meson; a product takes of it its
kinetic energy as a baryon or a nucleus, its kinetic energy and twice the rest energy as an antibaryon, its total energy
otherwise. With the nucleons of the target at rest, and but for the energy that unbinds them, the shares of an event add
up to one. Products that can make no light any more are left out, and the sum of their shares is kept.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROJECTILES = {"pi-": -211, "pi+": 211, "K-": -321, "K+": 321, "K0L": 130, "p": 2212, "n": 2112}
"""In the order of the package's species, which is that of the rows of every table in the file."""
SPECIES = {22: 0, 11: 1, -11: 2, 13: 3, -13: 4, -211: 5, 211: 6, -321: 7, 321: 8, 130: 9, 2212: 10, 2112: 11, 111: 13}
"""Particle numbers of the Particle Data Group to the species of `magicnn.simulation.particles`.

Everything else decays in the generator: short-lived kaons, hyperons, eta, charm."""
ANTINUCLEONS = {-2212: -10, -2112: -11}
STORED = {**SPECIES, **ANTINUCLEONS}
NEUTRINOS = (12, 14, 16)
AIR = {"N14": 0.785, "O16": 0.215}
"""Nuclei of the air, by number."""
NUCLEON_GEV = 0.93892
PION_ZERO_GEV = 0.1349768
KINETIC_CUT_GEV = 0.12
"""Below this hadrons and electrons are left out; used up to 2.1 times their energy, they stay below 300 MeV."""
PHOTON_CUT_GEV = 0.01
X_STEP = math.log(1e8) / 65535
"""x = exp(-X_STEP * stored): from 1 to 1e-8 in steps of 0.03 %."""
_SMALLEST_NUCLEUS = 1_000_000_000

Table = dict[str, NDArray[Any]]
Floats = NDArray[np.float64]


def available_gev(pdg: int, energy_gev: float) -> float:
    """Give the energy that a projectile of this total energy has to share."""
    return energy_gev - (NUCLEON_GEV if abs(pdg) > 1000 else 0.0)


class Events:
    """Collect the events of one projectile, energy after energy, the same number at each."""

    def __init__(self) -> None:
        self._rows: dict[str, list[NDArray[Any]]] = {"x": [], "pt": [], "phi": [], "species": []}
        self._count: list[int] = []
        self._dropped: list[float] = []

    def add(self, pid: NDArray[np.int64], energy: Floats, mass: Floats, momentum: Floats, available: float) -> None:
        """Store an event.

        Parameters
        ----------
        pid : int64 array, [n]
            Particle numbers of the products.
        energy, mass : float64 array, [n]
            Total and rest energies (GeV).
        momentum : float64 array, [n, 3]
            In GeV, along z the projectile's direction.
        available : float
            See `available_gev`.

        Raises
        ------
        RuntimeError
            A product should have decayed.
        """
        is_nucleus = np.abs(pid) >= _SMALLEST_NUCLEUS
        is_neutrino = np.isin(np.abs(pid), NEUTRINOS)
        unknown = set(pid[~is_nucleus & ~is_neutrino].tolist()) - set(STORED)
        if unknown:
            raise RuntimeError(f"products {sorted(unknown)} are not known here")
        is_baryon = (np.abs(pid) > 1000) & ~is_nucleus
        x = (energy - np.where(is_baryon, np.sign(pid) * mass, np.where(is_nucleus, mass, 0.0))) / available
        kinetic = np.where(np.isin(pid, (22, 111)), energy, energy - mass)
        cut = np.where(pid == 22, PHOTON_CUT_GEV, np.where(pid == 111, PION_ZERO_GEV, KINETIC_CUT_GEV))
        keep = (kinetic > cut) & (momentum[:, 2] > 0.0) & ~is_neutrino & ~is_nucleus
        px, py = momentum[keep, 0], momentum[keep, 1]
        self._count.append(int(keep.sum()))
        self._dropped.append(float(x[~keep].sum()))
        self._rows["x"].append(np.rint(np.clip(-np.log(x[keep]) / X_STEP, 0, 65535)).astype(np.uint16))
        self._rows["pt"].append(np.rint(np.clip(1e3 * np.hypot(px, py), 0, 65535)).astype(np.uint16))
        self._rows["phi"].append((np.floor(np.arctan2(py, px) / (2 * np.pi) * 256) % 256).astype(np.uint8))
        self._rows["species"].append(np.array([STORED[p] for p in pid[keep].tolist()], dtype=np.int8))

    def table(self) -> Table:
        """Give all events.

        Returns
        -------
        dict
            ``x``, ``pt``, ``phi``, ``species`` (negative: antinucleon) of all products; ``products`` and ``dropped``,
            how many each event has and the share left out.
        """
        table: Table = {name: np.concatenate(parts) for name, parts in self._rows.items()}
        table["products"] = np.array(self._count, dtype=np.uint16)
        table["dropped"] = np.array(self._dropped, dtype=np.float16)
        return table
