"""The quantities that numbers are given as functions of, besides the zenith distance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.evaluation.binning import ALL_ENERGIES, Range, in_range, ranges
from magicnn.evaluation.rows import Cell
from magicnn.evaluation.samples import Sample
from magicnn.evaluation.settings import EvaluationSettings

__all__ = ["Axis", "axes"]

Floats = NDArray[np.float64]

_COLUMN = {"true_energy": "true_energy_gev", "size": "size_min_pe", "impact": "true_impact_max_m"}


@dataclass(frozen=True, slots=True)
class Axis:
    """A quantity in bins.

    Attributes
    ----------
    quantity : {"true_energy", "reco_energy", "size", "impact"}
        Energy; size of the fainter image, phe; distance of the farther telescope to the shower axis, m.
    is_standard : bool
        Whether metrics bear their plain names in these bins, else with the suffix ``_by_<quantity>``.
    bins : tuple of (float, float)
        In the unit of the quantity.
    """

    quantity: str
    is_standard: bool
    bins: tuple[Range, ...]

    def cells(self, zenith: Range) -> Iterator[tuple[Range, Cell]]:
        """Yield every bin with its place in the table."""
        suffix = "" if self.is_standard else f"_by_{self.quantity}"
        for limits in self.bins:
            if self.quantity.endswith("energy"):
                yield limits, Cell(zenith, limits, suffix=suffix)
            else:
                yield limits, Cell(zenith, ALL_ENERGIES, limits, suffix)

    def inside(self, sample: Sample, limits: Range, method: str | None) -> NDArray[np.bool_]:
        """Tell which events lie in a bin, [N]; of estimated energies, those of a method."""
        return in_range(self._values(sample, method), limits)

    def exists(self, samples: Iterable[Sample], method: str | None) -> bool:
        """Tell whether any event has the quantity."""
        return any(np.isfinite(self._values(sample, method)).any() for sample in samples)

    def _values(self, sample: Sample, method: str | None) -> Floats:
        known: Mapping[str, Floats] = sample.columns
        if self.quantity == "reco_energy":
            known = sample.predictions.get(method or "", {})
        return known.get(_COLUMN.get(self.quantity, "reco_energy_gev"), np.full(len(sample), np.nan))


def axes(
    standard: str, settings: EvaluationSettings, samples: Sequence[Sample], methods: Sequence[str | None]
) -> tuple[Axis, ...]:
    """Return the axes, the one with the plain names first.

    Parameters
    ----------
    standard : {"true_energy", "reco_energy"}
        The one with the plain names; it is there in any case.
    settings : EvaluationSettings
        Bins.
    samples : sequence of Sample
        The others are there when one of these samples has the quantity.
    methods : sequence of (str or None)
        Whose estimated energies count.
    """
    energies = ranges(settings.energy_edges_gev)
    bins = {
        "true_energy": energies,
        "reco_energy": energies,
        "size": ranges(settings.size_edges_pe),
        "impact": ranges(settings.impact_edges_m),
    }
    order = [standard, *(name for name in bins if name != standard)]
    every = (Axis(name, name == standard, bins[name]) for name in order)
    return tuple(axis for axis in every if axis.is_standard or any(axis.exists(samples, m) for m in methods))
