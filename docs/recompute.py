"""Recompute a report's numbers from its prediction files: python docs/recompute.py RUN_DIRECTORY."""

import sys
from pathlib import Path

import numpy as np

from magicnn import load_predictions
from magicnn.evaluation import EvaluationSettings, MetricsTable, evaluate

tables: dict = {}
for table in map(load_predictions, sorted(Path(sys.argv[1], "predictions").glob("*/*.h5"))):
    tables.setdefault(table.method, []).append(table)
saved = MetricsTable.load(Path(sys.argv[1], "report", "metrics.json"))
same = evaluate(tables, EvaluationSettings(**saved.settings)).to_json() == saved.to_json()
print(f"{len(saved)} rows of metrics.json: {'all the same, with their intervals' if same else 'THEY DIFFER'}")


def quantile(x, w, q):
    """Quantile of values written out as often as they count, as NumPy interpolates it."""
    order, place = np.argsort(x), q * (w.sum() - 1)
    rank = np.searchsorted(np.cumsum(w[order]), [np.floor(place), np.ceil(place)], side="right")
    return np.interp(place % 1, [0, 1], x[order][np.minimum(rank, len(x) - 1)])


worst = 0.0  # the resolution with NumPy alone
gammas = [same for same in zip(*tables.values(), strict=True) if same[0].particle == "gamma"]
judged = np.concatenate([np.all([t["is_valid"] & (t["reco_energy_gev"] > 0) for t in s], axis=0) for s in gammas])
for k, method in enumerate(tables):
    truth, reco, zenith, *weight = (
        np.concatenate([same[k][name] for same in gammas])[judged]
        for name in ("true_energy_gev", "reco_energy_gev", "pointing_zenith_deg", "weight")
        if name in gammas[0][k]
    )
    for row in (r for r in saved.select(method=method, metric="resolution_half68") if r.n_events):
        inside = (row.zenith_min_deg <= zenith) & (zenith < row.zenith_max_deg)
        inside &= (row.energy_min_gev <= truth) & (truth < row.energy_max_gev)
        error, w = (reco / truth - 1)[inside], np.append(weight, np.ones_like(truth))[: len(truth)][inside]
        worst = max(worst, abs(np.ptp([quantile(error, w, q) for q in (0.1586552539, 0.8413447461)]) / 2 - row.value))
print(f"resolution_half68: NumPy differs by up to {worst:.0e}")
