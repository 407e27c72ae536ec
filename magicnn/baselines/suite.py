"""The baselines that belong together: direction by DISP, lookup tables and forests, fitted to the same showers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from magicnn.baselines.disp import DispDirection, DispSettings
from magicnn.baselines.forest import EnergyForest, ForestSettings, ParticleForest
from magicnn.baselines.lookup import EnergyLookup, LookupSettings
from magicnn.baselines.predictions import predict_table
from magicnn.config import Settings
from magicnn.errors import InputError
from magicnn.events import EventMeta
from magicnn.generated import Generated, direction_bias
from magicnn.images.features import FeatureTable, concatenate_features
from magicnn.images.quality import STANDARD_QUALITY, QualitySettings
from magicnn.predictions import PredictionTable
from magicnn.readout import Readout
from magicnn.runs import progress
from magicnn.zenith import ZenithRange

__all__ = ["BASELINE_FILES", "BaselineSettings", "Baselines", "require_samples"]

_LOG = logging.getLogger(__name__)

BASELINE_FILES = ("disp.joblib", "lookup.h5", "particle_forest.joblib", "energy_forest.joblib")
"""Files of the folder that `Baselines.save` writes."""


class BaselineSettings(Settings):
    """How the baselines are fitted."""

    settings_of: ClassVar[str] = "baselines"

    disp: DispSettings = DispSettings()
    """Direction by DISP."""
    lookup: LookupSettings = LookupSettings(impact="disp_impact_m")
    """Energy lookup tables."""
    forest: ForestSettings = ForestSettings()
    """Random forests."""

    def with_quality(self, quality: QualitySettings) -> BaselineSettings:
        """Return the same settings with one set of quality cuts for all baselines."""
        change = {"quality": quality}
        return BaselineSettings(
            disp=self.disp.model_copy(update=change),
            lookup=self.lookup.model_copy(update=change),
            forest=self.forest.model_copy(update=change),
        )


@dataclass(frozen=True, eq=False)
class Baselines:
    """Fitted baselines.

    Attributes
    ----------
    disp : DispDirection
        Directions, which the lookup tables take their impact from.
    lookup : EnergyLookup
        Energy tables.
    particle_forest : ParticleForest
        Gamma/hadron separation.
    energy_forest : EnergyForest
        Energy.
    """

    disp: DispDirection
    lookup: EnergyLookup
    particle_forest: ParticleForest
    energy_forest: EnergyForest

    @classmethod
    def fit(
        cls,
        gammas: Sequence[FeatureTable],
        classified: Sequence[FeatureTable],
        settings: BaselineSettings,
        *,
        seed: int,
    ) -> Baselines:
        """Fit all baselines to simulated events.

        Parameters
        ----------
        gammas : sequence of FeatureTable
            Gammas for direction and energy. The lookup tables are filled with those from one angle to the pointing,
            as MAGIC's are; the forests learn from all.
        classified : sequence of FeatureTable
            Diffuse gammas and hadrons for the separation.
        settings : BaselineSettings
            How.
        seed : int
            Fixes the result.

        Returns
        -------
        Baselines

        Raises
        ------
        InputError
            There are no gammas from one angle to the pointing, no diffuse gammas, no hadrons, or too few events of a
            kind.
        """
        require_samples([t.meta for t in gammas], [t.meta for t in classified])
        biased = direction_bias([t.meta.generated for t in classified])
        if biased:
            _LOG.warning("%s", biased)
        ring = [t for t in gammas if _is_ring(t.meta)]
        all_gammas = concatenate_features(gammas)
        with progress(total=4, description="baselines", unit="fit") as bar:
            disp = DispDirection.fit(all_gammas, settings.disp, seed=seed)
            bar.update()
            lookup = EnergyLookup.fit(disp.apply(concatenate_features(ring)), settings.lookup)
            bar.update()
            particle_forest = ParticleForest.fit(concatenate_features(classified), settings.forest, seed=seed)
            bar.update()
            energy_forest = EnergyForest.fit(all_gammas, settings.forest, seed=seed)
            bar.update()
        return cls(disp, lookup, particle_forest, energy_forest)

    def predict(
        self, features: FeatureTable, quality: QualitySettings = STANDARD_QUALITY
    ) -> tuple[PredictionTable, ...]:
        """Apply the baselines.

        Parameters
        ----------
        features : FeatureTable
            Any events. Directions by DISP are added when they are missing.
        quality : QualitySettings
            Cuts behind ``is_valid``.

        Returns
        -------
        tuple of PredictionTable
            Of the methods ``forest`` and ``LUT``.
        """
        events = features if "disp_h_max_m" in features else self.disp.apply(features)
        return (
            predict_table(
                events, method="forest", classifier=self.particle_forest, energy=self.energy_forest, quality=quality
            ),
            predict_table(events, method="LUT", energy=self.lookup, quality=quality),
        )

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """Readout of the events that each baseline was fitted to."""
        return tuple(b.readout for b in (self.disp, self.lookup, self.particle_forest, self.energy_forest))

    @property
    def zenith_ranges(self) -> tuple[ZenithRange, ...]:
        """Zenith range of the events that each baseline was fitted to."""
        return tuple(b.zenith for b in (self.disp, self.lookup, self.particle_forest, self.energy_forest))

    def save(self, folder: Path | str) -> None:
        """Write the files of `BASELINE_FILES` into a folder."""
        disp, lookup, particle_forest, energy_forest = (Path(folder) / name for name in BASELINE_FILES)
        self.disp.save(disp)
        self.lookup.save(lookup)
        self.particle_forest.save(particle_forest)
        self.energy_forest.save(energy_forest)

    @classmethod
    def load(cls, folder: Path | str) -> Baselines:
        """Read a folder written by `save`.

        Raises
        ------
        InputError
            A file is missing or damaged.
        """
        disp, lookup, particle_forest, energy_forest = (Path(folder) / name for name in BASELINE_FILES)
        return cls(
            DispDirection.load(disp),
            EnergyLookup.load(lookup),
            ParticleForest.load(particle_forest),
            EnergyForest.load(energy_forest),
        )

    def __repr__(self) -> str:
        return f"Baselines({self.disp!r}, {self.lookup!r}, {self.particle_forest!r}, {self.energy_forest!r})"


def require_samples(gammas: Sequence[EventMeta], classified: Sequence[EventMeta]) -> None:
    """Make sure that every kind of event that the baselines are fitted to is there.

    Parameters
    ----------
    gammas, classified : sequence of EventMeta
        Of the event sets for direction and energy, and of those for the separation.

    Raises
    ------
    InputError
        A kind is missing.
    """
    particles = [meta.particle or "" for meta in classified]
    there = {
        "gammas from one angle to the pointing (particle gamma), for the lookup tables": any(map(_is_ring, gammas)),
        "diffuse gammas (particle gamma_diffuse), for the separation": any(
            p.startswith("gamma") or p == "mixed" for p in particles
        ),
        "protons (particle proton), for the separation": any(p and not p.startswith("gamma") for p in particles),
    }
    missing = [kind for kind, is_there in there.items() if not is_there]
    if missing:
        raise InputError(f"baselines: add an event set of {'; and of '.join(missing)}")


def _is_ring(meta: EventMeta) -> bool:
    return Generated.from_mapping(meta.generated).is_point_source
