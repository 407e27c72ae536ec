"""Photon bunches of CORSIKA in the IACT format: the reader, its records, and what only the input card tells."""

from __future__ import annotations

from magicnn.io.corsika.card import card_values
from magicnn.io.corsika.reader import CorsikaFile
from magicnn.io.corsika.records import AppliedByCorsika, CorsikaRun, CorsikaShower, PhotonBunches, particle_name

__all__ = [
    "AppliedByCorsika",
    "CorsikaFile",
    "CorsikaRun",
    "CorsikaShower",
    "PhotonBunches",
    "card_values",
    "particle_name",
]
