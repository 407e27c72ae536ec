"""The productions that several groups of lines look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.array import camera_from_sky
from magicnn.generated import Generated
from magicnn.images.features import FeatureTable
from validation.store import Sample, Store

__all__ = ["Exposure", "exposure", "gammas_at_20_deg", "is_big_enough", "towards_source"]

Floats = NDArray[np.float64]

MIN_SIZE_PE = 50.0


def gammas_at_20_deg(store: Store) -> list[Sample]:
    """Ring gammas at zenith 19 to 21 deg, the zenith of the published effective areas, in two parts."""
    zenith = ["zenith_min_deg=19", "zenith_max_deg=21"]
    return [
        store.sample(
            "validation_low",
            "gamma_za05to35.yaml",
            [*zenith, "energy_min_gev=30", "energy_max_gev=1200"],
            store.number(10_000, 300),
            21,
        ),
        store.sample(
            "validation_high",
            "gamma_za05to35.yaml",
            [*zenith, "energy_min_gev=1200", "energy_max_gev=14000"],
            store.number(3500, 150),
            22,
        ),
    ]


@dataclass(frozen=True)
class Exposure:
    """Events of some samples with what each stands for.

    Attributes
    ----------
    features : list of FeatureTable
    energy_gev, area_m2, per_gev : float64 array, [N]
        True energy, area that its core was thrown over, thrown events per GeV.
    weight : float64 array, [N]
        Thrown events that it stands for.
    shower : int array, [N]
        Number of the shower, the same for all of its uses.
    """

    features: list[FeatureTable]
    energy_gev: Floats
    area_m2: Floats
    per_gev: Floats
    weight: Floats
    shower: NDArray[np.int64]

    def column(self, name: str) -> NDArray[Any]:
        """Join a column of all samples."""
        return np.concatenate([f[name] for f in self.features])

    def select(self, chosen: NDArray[np.bool_]) -> Exposure:
        """Return some of the events; without their features."""
        return Exposure(
            [],
            self.energy_gev[chosen],
            self.area_m2[chosen],
            self.per_gev[chosen],
            self.weight[chosen],
            self.shower[chosen],
        )

    def replicas(self, number: int = 200) -> NDArray[Any]:
        """Draw how often each event counts, [number, N]: showers, seen or not, come in Poisson numbers."""
        generator = np.random.default_rng(0)
        _, index = np.unique(self.shower, return_inverse=True)
        return generator.poisson(1.0, (number, index.max() + 1))[:, index]


def exposure(samples: list[Sample]) -> Exposure:
    """Collect samples whose energy ranges do not overlap."""
    parts = []
    for sample in samples:
        thrown = Generated.from_mapping(sample.generated)
        energy = sample.features["true_energy_gev"].astype(np.float64)
        area = thrown.thrown_area_m2(energy, sample.features["true_zenith_deg"])
        weight = sample.features["weight"] if "weight" in sample.features else np.ones(len(energy))
        parts.append((energy, area, thrown.thrown_per_gev(energy), weight, sample.features["shower_id"]))
    energy, area, per_gev, weight, shower = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Exposure([s.features for s in samples], energy, area, per_gev, weight, shower)


def is_big_enough(size_pe: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether both images hold more than 50 photoelectrons, [N, 2] to [N]."""
    return np.asarray((size_pe > MIN_SIZE_PE).all(axis=1))


def towards_source(features: FeatureTable) -> tuple[Floats, Floats]:
    """Angle of each image's centre to the true direction (deg), and the sign of its axis away from it, [N, T]."""
    x, y = camera_from_sky(
        features["true_zenith_deg"],
        features["true_azimuth_deg"],
        features["pointing_zenith_deg"],
        features["pointing_azimuth_deg"],
    )
    # Image parameters use the effective focal length, with which a direction lies where its image does.
    dx = features["cog_x_deg"] - x[:, None]
    dy = features["cog_y_deg"] - y[:, None]
    psi = np.radians(features["psi_deg"])
    return np.hypot(dx, dy), np.sign(dx * np.cos(psi) + dy * np.sin(psi))
