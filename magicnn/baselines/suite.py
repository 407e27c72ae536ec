"""The baselines that belong together: direction by DISP, lookup tables, forests, and classical methods if asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from magicnn.baselines.classical import Classical, ClassicalMethod
from magicnn.baselines.disp import DispDirection, DispSettings
from magicnn.baselines.forest import EnergyForest, ForestSettings, ParticleForest
from magicnn.baselines.learners import LEARNERS, ClassicalSettings
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
from magicnn.summary import html_page, html_table
from magicnn.zenith import ZenithRange

__all__ = [
    "BASELINE_FILES",
    "STANDARD_METHODS",
    "BaselineSettings",
    "Baselines",
    "baseline_files",
    "methods_in",
    "require_samples",
]

_LOG = logging.getLogger(__name__)

BASELINE_FILES = ("disp.joblib", "lookup.h5", "particle_forest.joblib", "energy_forest.joblib")
"""Files that are in every folder written by `Baselines.save`."""

STANDARD_METHODS = ("forest", "LUT")
"""Names of the prediction tables that all baselines give; the classical methods' are their own."""


class BaselineSettings(Settings):
    """How the baselines are fitted."""

    settings_of: ClassVar[str] = "baselines"

    disp: DispSettings = DispSettings()
    """Direction by DISP."""
    lookup: LookupSettings = LookupSettings(impact="disp_impact_m")
    """Energy lookup tables."""
    forest: ForestSettings = ForestSettings()
    """Random forests."""
    classical: ClassicalSettings = ClassicalSettings()
    """Classical methods; none by default."""

    def with_quality(self, quality: QualitySettings) -> BaselineSettings:
        """Return the same settings with one set of quality cuts for all baselines."""
        change = {"quality": quality}
        return BaselineSettings(
            disp=self.disp.model_copy(update=change),
            lookup=self.lookup.model_copy(update=change),
            forest=self.forest.model_copy(update=change),
            classical=self.classical.model_copy(update=change),
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
    classical : tuple of ClassicalMethod
        Classical methods.
    """

    disp: DispDirection
    lookup: EnergyLookup
    particle_forest: ParticleForest
    energy_forest: EnergyForest
    classical: tuple[ClassicalMethod, ...] = ()

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
        both = concatenate_features(classified)
        methods = settings.classical.methods
        with progress(total=4 + len(methods), description="baselines", unit="fit") as bar:
            disp = DispDirection.fit(all_gammas, settings.disp, seed=seed)
            bar.update()
            lookup = EnergyLookup.fit(disp.apply(concatenate_features(ring)), settings.lookup)
            bar.update()
            particle_forest = ParticleForest.fit(both, settings.forest, seed=seed)
            bar.update()
            energy_forest = EnergyForest.fit(all_gammas, settings.forest, seed=seed)
            bar.update()
            classical = []
            for name in methods:
                classical.append(ClassicalMethod.fit(name, all_gammas, both, settings.classical, seed=seed))
                bar.update()
        return cls(disp, lookup, particle_forest, energy_forest, tuple(classical))

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
            Of the `methods`, in that order.
        """
        events = features if "disp_h_max_m" in features else self.disp.apply(features)
        return (
            predict_table(
                events, method="forest", classifier=self.particle_forest, energy=self.energy_forest, quality=quality
            ),
            predict_table(events, method="LUT", energy=self.lookup, quality=quality),
            *(method.predict(events, quality) for method in self.classical),
        )

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the prediction tables."""
        return (*STANDARD_METHODS, *(method.name for method in self.classical))

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """Readout of the events that each baseline was fitted to."""
        return tuple(b.readout for b in self._parts)

    @property
    def zenith_ranges(self) -> tuple[ZenithRange, ...]:
        """Zenith range of the events that each baseline was fitted to."""
        return tuple(b.zenith for b in self._parts)

    @property
    def _parts(self) -> tuple[DispDirection | EnergyLookup | ParticleForest | EnergyForest | Classical, ...]:
        standard = (self.disp, self.lookup, self.particle_forest, self.energy_forest)
        return (*standard, *(part for method in self.classical for part in method.parts))

    def save(self, folder: Path | str) -> None:
        """Write the files of `baseline_files` into a folder; those of other classical methods in it are removed."""
        disp, lookup, particle_forest, energy_forest = (Path(folder) / name for name in BASELINE_FILES)
        self.disp.save(disp)
        self.lookup.save(lookup)
        self.particle_forest.save(particle_forest)
        self.energy_forest.save(energy_forest)
        own = baseline_files(method.name for method in self.classical)
        for name in set(baseline_files(LEARNERS)) - set(own):
            (Path(folder) / name).unlink(missing_ok=True)
        for method in self.classical:
            method.save(folder)

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
            tuple(ClassicalMethod.load(folder, name) for name in methods_in(folder)),
        )

    def __repr__(self) -> str:
        return f"Baselines({', '.join(map(repr, self._parts))})"

    def _repr_html_(self) -> str:
        rows = [(repr(part), str(part.readout), str(part.zenith)) for part in self._parts]
        table = html_table(("fitted", "readout of its events", "zenith of its events"), rows)
        return html_page(f"Baselines: {', '.join(self.methods)}", [], table)


def baseline_files(methods: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of the files of baselines with some classical methods."""
    return (*BASELINE_FILES, *(file for name in methods for file in ClassicalMethod.files(name)))


def methods_in(folder: Path | str) -> tuple[str, ...]:
    """Names of the classical methods that a folder holds a file of."""
    return tuple(n for n in LEARNERS if any((Path(folder) / file).exists() for file in ClassicalMethod.files(n)))


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
