"""Energies of simulated events from lookup tables that were filled without their showers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from magicnn.baselines.lookup import EnergyLookup, LookupSettings
from magicnn.images.features import FeatureTable
from magicnn.splits import split_by_shower

__all__ = ["cross_fitted_energy"]


def cross_fitted_energy(
    features: FeatureTable,
    settings: LookupSettings,
    *,
    n_folds: int,
    seed: int,
    weights: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Look up the energy of every event in tables filled with all other showers.

    A production judged this way serves twice, for filling and for judging, and no event meets a table that holds its
    own shower.

    Parameters
    ----------
    features : FeatureTable
        Simulated gammas, with `magicnn.splits.split_by_shower` divided by ``shower_id``. Directions by DISP have to be
        those of forests that have not seen the shower either, as `magicnn.baselines.disp.DispDirection` gives them.
    settings : LookupSettings
        How the tables are filled.
    n_folds : int
        Parts of the showers.
    seed : int
        Fixes the parts.
    weights : array_like, [N], optional
        See `magicnn.baselines.lookup.EnergyLookup.fit`.

    Returns
    -------
    float64 array, [N]
        GeV; NaN where the tables have no cell for the event.
    """
    fold = split_by_shower(features["shower_id"], [1.0 / n_folds] * n_folds, seed=seed)
    energy_gev = np.full(len(features), np.nan)
    for k in range(n_folds):
        rows = np.flatnonzero(fold == k)
        own = None if weights is None else np.asarray(weights, dtype=np.float64)[fold != k]
        lookup = EnergyLookup.fit(features.select(fold != k), settings, weights=own)
        energy_gev[rows], _ = lookup.predict(features.select(rows))
    return energy_gev
