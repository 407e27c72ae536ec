"""What a production threw, and the weights that turn its events into rates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.errors import InputError

__all__ = ["Generated", "direction_bias", "scatter_radius_m"]

Floats = NDArray[np.float64]


def scatter_radius_m(
    energy_gev: ArrayLike, zenith_deg: ArrayLike, *, radius_m: float, energy_exponent: float, zenith_exponent: float
) -> Floats:
    """Radius of the disc, normal to the shower axis, over which cores are thrown.

    Parameters
    ----------
    energy_gev, zenith_deg : array_like
        Energy and zenith distance of the shower.
    radius_m : float
        Radius at 1 TeV from the zenith.
    energy_exponent, zenith_exponent : float
        The radius grows as (E / TeV)^energy_exponent and as cos(zenith)^-zenith_exponent.

    Returns
    -------
    float64 array, metres
    """
    energy = np.asarray(energy_gev, dtype=np.float64) / 1e3
    cos = np.cos(np.radians(np.asarray(zenith_deg, dtype=np.float64)))
    return radius_m * energy**energy_exponent * cos**-zenith_exponent


@dataclass(frozen=True, slots=True)
class Generated:
    """Spectrum, area, view cone and number of the events that a production threw.

    Attributes
    ----------
    particle : str
        ``"gamma"``, ``"proton"``, ...
    spectral_index : float
        Thrown spectrum dN/dE = E^-spectral_index.
    energy_min_gev, energy_max_gev : float
        Energy range.
    n_thrown : int
        Number of thrown events, every re-use of a shower counted.
    scatter_radius_m, scatter_energy_exponent, scatter_zenith_exponent : float
        See `scatter_radius_m`.
    viewcone_min_deg, viewcone_max_deg : float
        Directions are thrown between these angles from the pointing, evenly in solid angle; equal for a ring.
    zenith_min_deg, zenith_max_deg : float
        Pointing, thrown evenly in cos(zenith) unless one value.
    """

    particle: str
    spectral_index: float
    energy_min_gev: float
    energy_max_gev: float
    n_thrown: int
    scatter_radius_m: float
    scatter_energy_exponent: float
    scatter_zenith_exponent: float
    viewcone_min_deg: float
    viewcone_max_deg: float
    zenith_min_deg: float
    zenith_max_deg: float

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Generated:
        """Build from what an event set stores.

        Raises
        ------
        InputError
            A value is missing, so that effective areas and rates cannot be computed.
        """
        names = [f.name for f in fields(cls)]
        missing = [n for n in names if n not in values]
        if missing:
            raise InputError(
                f"what was generated is not known ({', '.join(missing)} missing): no rates can be computed"
            )
        return cls(**{n: values[n] for n in names})

    def to_mapping(self) -> dict[str, Any]:
        """Return plain values for the file."""
        return asdict(self)

    @property
    def is_point_source(self) -> bool:
        """Whether all events come from one angle to the pointing."""
        return self.viewcone_max_deg <= self.viewcone_min_deg

    @property
    def solid_angle_sr(self) -> float:
        """Solid angle of the view cone, 0 for a point source."""
        low, high = np.cos(np.radians([self.viewcone_min_deg, self.viewcone_max_deg]))
        return float(2.0 * np.pi * (low - high))

    def thrown_area_m2(self, energy_gev: ArrayLike, zenith_deg: ArrayLike) -> Floats:
        """Area normal to the shower axis over which cores were thrown."""
        radius = scatter_radius_m(
            energy_gev,
            zenith_deg,
            radius_m=self.scatter_radius_m,
            energy_exponent=self.scatter_energy_exponent,
            zenith_exponent=self.scatter_zenith_exponent,
        )
        return np.pi * radius**2

    def thrown_per_gev(self, energy_gev: ArrayLike) -> Floats:
        """Density of thrown events, dN/dE in 1/GeV."""
        energy = np.asarray(energy_gev, dtype=np.float64)
        power = 1.0 - self.spectral_index
        if abs(power) < 1e-12:
            norm = np.log(self.energy_max_gev / self.energy_min_gev)
        else:
            norm = (self.energy_max_gev**power - self.energy_min_gev**power) / power
        density: Floats = self.n_thrown * energy**-self.spectral_index / norm
        return density

    def thrown_in(self, edges_gev: ArrayLike) -> Floats:
        """Number of events thrown in each energy bin, [n_bins]."""
        edges = np.clip(np.asarray(edges_gev, dtype=np.float64), self.energy_min_gev, self.energy_max_gev)
        power = 1.0 - self.spectral_index
        integral = np.log(edges) if abs(power) < 1e-12 else edges**power / power
        ends = np.array([self.energy_min_gev, self.energy_max_gev])
        total = np.diff(np.log(ends) if abs(power) < 1e-12 else ends**power / power)[0]
        thrown: Floats = self.n_thrown * np.diff(integral) / total
        return thrown

    def event_weights(
        self,
        energy_gev: ArrayLike,
        zenith_deg: ArrayLike,
        flux: Callable[[Floats], Floats],
        weight: ArrayLike = 1.0,
    ) -> Floats:
        """Rate that each event stands for.

        Parameters
        ----------
        energy_gev, zenith_deg : array_like, [N]
            True energy and zenith distance of the events.
        flux : callable
            Differential flux at an energy in GeV, in 1/(GeV m2 s) for a point source, 1/(GeV m2 s sr) else.
        weight : array_like, [N]
            Thrown events that each one stands for, the column ``weight``.

        Returns
        -------
        float64 array, [N], 1/s
            weight x flux x area x solid angle / thrown density; their sum is the rate of the events.
        """
        energy = np.asarray(energy_gev, dtype=np.float64)
        angle = 1.0 if self.is_point_source else self.solid_angle_sr
        rate = flux(energy) * self.thrown_area_m2(energy, zenith_deg) * angle / self.thrown_per_gev(energy)
        weighted: Floats = rate * np.asarray(weight, dtype=np.float64)
        return weighted


def direction_bias(generated: Sequence[Mapping[str, Any]]) -> str | None:
    """Say when a classifier could tell gammas from hadrons by where they come from instead of by their images.

    Parameters
    ----------
    generated : sequence of mapping
        What event sets store of the productions that a classifier is trained on; those that say nothing are left out.

    Returns
    -------
    str or None
        What is wrong and what to do, or None when there are no gammas from one angle or no diffuse hadrons.
    """
    cones = [
        (str(g["particle"]), float(g["viewcone_min_deg"]), float(g["viewcone_max_deg"]))
        for g in generated
        if {"particle", "viewcone_min_deg", "viewcone_max_deg"} <= set(g)
    ]
    rings = [high for name, low, high in cones if name.startswith("gamma") and high <= low]
    diffuse = [(name, high) for name, low, high in cones if not name.startswith("gamma") and high > low]
    if not rings or not diffuse:
        return None
    name, angle = diffuse[0]
    return (
        f"gammas all from {rings[0]:g} deg off the pointing against {name} from up to {angle:g} deg off: the "
        "classifier may learn the direction instead of the images; train it on diffuse gammas (gamma_diffuse) of that "
        "view cone"
    )
