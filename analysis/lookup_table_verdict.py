r"""The lookup tables of a production beside the published ones of MAGIC: energy bias and resolution, and their cause.

    python analysis/lookup_table_verdict.py runs/production/gamma*_za05to35/part_*.h5 \
        --figure docs/figures/lookup_tables.png

Takes event sets or feature tables of gammas of one zenith range, from the ring and diffuse ones. The forests of the
direction learn from all of them; the ring gammas are judged, each by forests and tables that have not seen its shower.
Prints, in bins of true energy, the width of the Gaussian and the RMS over the published ones and the bias, with the
impact reconstructed and with the true one, and the angular resolution beside the published one. Intervals: 68 %,
bootstrap over showers. Productions of the same kind may overlap in energy: what one adds is weighted accordingly.
"""

import argparse
import sys
from pathlib import Path

import h5py
import numpy as np

from magicnn.array import separation_deg
from magicnn.baselines.cross_fit import cross_fitted_energy
from magicnn.baselines.disp import DispDirection
from magicnn.baselines.suite import BaselineSettings
from magicnn.errors import InputError, MagicnnError
from magicnn.evaluation.direction import direction_statistic
from magicnn.evaluation.energy import ENERGY_METRICS, energy_errors, energy_statistic
from magicnn.evaluation.intervals import bootstrap_interval
from magicnn.evaluation.published import published_direction, published_energy
from magicnn.evaluation.resampling import ShowerBootstrap, resample
from magicnn.events import event_weight
from magicnn.generated import Generated
from magicnn.images.features import FeatureTable, concatenate_features, extract_features
from magicnn.images.quality import passes_quality
from magicnn.io.formats import open_events
from magicnn.report.style import PUBLISHED_COLOUR, figure_style
from magicnn.runs import seed_sequence

SIGMA_LIMITS, SIGMA_GEV = (0.8, 1.25), (75.0, 5000.0)
BIAS_LIMIT, BIAS_GEV = 0.05, (119.0, 3000.0)
VARIANTS = {"reconstructed": "#0072b2", "true impact": "#d55e00"}


def features_of(path):
    """Read a feature table, or make one of an event set."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            if file.attrs.get("format") == "magicnn features":
                return FeatureTable.load(path)
    with open_events(path) as events:
        return extract_features(events)


def spectrum_weights(generated, energy_gev, index):
    """Weights that make E^-index of everything thrown by some productions."""
    density = np.zeros(len(energy_gev))
    for part in generated:
        inside = (energy_gev >= part.energy_min_gev) & (energy_gev <= part.energy_max_gev)
        density += np.where(inside, part.thrown_per_gev(energy_gev), 0.0)
    return energy_gev**-index / density


def reconstructed(paths, seed):
    """Return the ring gammas with directions by DISP, and what was thrown for them."""
    tables = [features_of(path) for path in paths]
    ring = [t for t in tables if Generated.from_mapping(t.meta.generated).is_point_source]
    if not ring:
        raise InputError("none of the files holds gammas from one angle to the pointing (particle gamma)")
    disp = DispDirection.fit(concatenate_features(tables), BaselineSettings().disp, seed=seed)
    return disp.apply(concatenate_features(ring)), [Generated.from_mapping(t.meta.generated) for t in ring]


def interval(statistic, sets):
    """Value, and the ends of its interval, [3, K]."""
    value, replicates = resample(statistic, sets)
    return np.stack([value, *bootstrap_interval(value, replicates)])


def judge(ring, weight, energies, zenith_deg, n_replicates, seed):
    """Numbers of every variant in the published bins: events, showers, and value, low and high of each quantity."""
    inside = (ring["pointing_zenith_deg"] >= zenith_deg[0]) & (ring["pointing_zenith_deg"] < zenith_deg[1])
    good = passes_quality(ring) & inside & np.isfinite(ring["disp_zenith_deg"])
    good &= np.logical_and.reduce([np.isfinite(e) for e in energies.values()])
    true, shower = ring["true_energy_gev"], ring["shower_id"]
    directions = (ring[f"{kind}_{name}_deg"] for kind in ("disp", "true") for name in ("zenith", "azimuth"))
    theta2 = separation_deg(*directions) ** 2
    bootstrap = ShowerBootstrap.draw(shower[good], n_replicates, seed_sequence(seed, "lookup table verdict"))
    published = published_energy(zenith_deg)
    for k, (low, high) in enumerate(zip(published.energy_min_gev, published.energy_max_gev, strict=True)):
        rows = np.flatnonzero(good & (true >= low) & (true < high))
        sets, found = bootstrap.sets(shower[rows]), {}
        counts = weight[rows] * (weight[rows].sum() / np.sum(weight[rows] ** 2) if len(rows) else 1.0)
        for name, energy in energies.items():
            numbers = interval(energy_statistic(energy_errors(energy[rows], true[rows]), counts), sets)
            of = dict(zip(ENERGY_METRICS, numbers.T, strict=True))
            found[name] = {
                "sigma": of["resolution_gauss"] / published.values["resolution_gauss"][k],
                "rms": of["resolution_rms"] / published.values["resolution_rms"][k],
                "bias": of["bias_gauss"],
            }
        found["theta"] = interval(direction_statistic(theta2[rows], counts), sets)[:, 0]
        yield (low, high), len(rows), len(np.unique(shower[rows])), found


def told(numbers, scale=1.0, digits=2):
    """A number with its interval."""
    value, low, high = scale * numbers
    return "–" if np.isnan(value) else f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def report(bins, direction):
    """Lines of the table, then of the verdict."""
    columns = [f"{what}, {name}" for what in ("σ / A.2", "bias %", "RMS / A.2") for name in VARIANTS]
    yield "| GeV | events / showers | " + " | ".join(columns) + " | θ39 deg, published |"
    yield "|---|---|" + "---|" * (len(columns) + 1)
    for (low, high), n, showers, found in bins:
        cells = [
            told(found[name][what], 100.0 if what == "bias" else 1.0, 1 if what == "bias" else 2)
            for what in ("sigma", "bias", "rms")
            for name in VARIANTS
        ]
        near = (direction["energy_gev"] >= low) & (direction["energy_gev"] < high)
        theirs = f"{direction['angular_resolution_39'][near][0]:.3f}" if near.any() else "–"
        cells.append(f"{told(found['theta'], 1.0, 3)}, {theirs}")
        yield f"| {low:.0f}–{high:.0f} | {n} / {showers} | {' | '.join(cells)} |"
    for name in VARIANTS:
        for what, limits, (low, high) in (
            ("sigma", SIGMA_LIMITS, SIGMA_GEV),
            ("bias", (-BIAS_LIMIT, BIAS_LIMIT), BIAS_GEV),
        ):
            judged = [b for b in bins if b[0][0] >= low and b[0][1] <= high]
            beyond = [
                f"{edges[0]:.0f}–{edges[1]:.0f} GeV ({found[name][what][0]:.3f})"
                for edges, *_, found in judged
                if not limits[0] <= found[name][what][0] <= limits[1]
            ]
            yield ""
            yield (
                f"{name}: {what} within {limits[0]:g} to {limits[1]:g} in {len(judged) - len(beyond)} of "
                f"{len(judged)} bins from {low:g} to {high:g} GeV" + (f"; not in {', '.join(beyond)}" if beyond else "")
            )


def bars(value, low, high):
    """Lengths of error bars; with hardly any events an interval need not hold the value."""
    return np.maximum([value - low, high - value], 0.0)


def draw(path, bins, direction):
    """Draw width over the published one, bias, and angular resolution."""
    import matplotlib.pyplot as plt

    with figure_style():
        figure, axes = plt.subplots(1, 3, figsize=(12.0, 3.8), layout="constrained")
        edges = np.array([b[0] for b in bins])
        for shift, (name, colour) in zip((0.97, 1.03), VARIANTS.items(), strict=True):
            centre = shift * np.sqrt(edges.prod(axis=1))
            for ax, what, scale in ((axes[0], "sigma", 1.0), (axes[1], "bias", 100.0)):
                value, low, high = scale * np.array([found[name][what] for *_, found in bins]).T
                ax.errorbar(centre, value, bars(value, low, high), fmt="o", ms=4, color=colour, label=name)
        value, low, high = np.array([found["theta"] for *_, found in bins]).T
        axes[2].errorbar(
            centre, value, [value - low, high - value], fmt="o", ms=4, color="#0072b2", label="this production"
        )
        axes[2].errorbar(
            direction["energy_gev"],
            direction["angular_resolution_39"],
            direction["angular_resolution_39_err"],
            fmt="s",
            ms=4,
            color=PUBLISHED_COLOUR,
            label="table A.4, Crab, after cuts",
        )
        axes[0].fill_between(SIGMA_GEV, *SIGMA_LIMITS, color=PUBLISHED_COLOUR, alpha=0.15, lw=0)
        axes[1].fill_between(BIAS_GEV, -100 * BIAS_LIMIT, 100 * BIAS_LIMIT, color=PUBLISHED_COLOUR, alpha=0.15, lw=0)
        labels = ("width of the Gaussian / table A.2", "bias, %", "39 % containment, deg")
        for ax, label in zip(axes, labels, strict=True):
            ax.set_xscale("log")
            ax.set_xlabel("true energy, GeV")
            ax.set_ylabel(label)
            ax.legend(fontsize=8)
        axes[0].set_ylim(0.0, 2.0)
        axes[1].set_ylim(-50.0, 60.0)
        axes[2].set_ylim(0.0, None)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)


def main(words=None):
    """Read the arguments, reconstruct, judge, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="event sets or feature tables of ring and diffuse gammas")
    parser.add_argument("--zenith", nargs=2, type=float, default=(5.0, 30.0), help="5 30 or 30 45 deg, of the pointing")
    parser.add_argument("--folds", type=int, default=4, help="parts that the tables are filled without in turn")
    parser.add_argument("--replicates", type=int, default=300, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", type=Path, help="PNG file to draw")
    given = parser.parse_args(words)
    zenith = tuple(given.zenith)
    try:
        if published_energy(zenith) is None:
            raise InputError(f"--zenith {zenith[0]:g} {zenith[1]:g}: tables are published for 5 30 and 30 45")
        ring, thrown = reconstructed(given.files, given.seed)
        settings = BaselineSettings().lookup
        weight = event_weight(ring.columns) * spectrum_weights(thrown, ring["true_energy_gev"], settings.fill_index)
        variants = dict(zip(VARIANTS, (ring, ring.with_columns(disp_impact_m=ring["true_impact_m"])), strict=True))
        energies = {
            name: cross_fitted_energy(table, settings, n_folds=given.folds, seed=given.seed, weights=weight)
            for name, table in variants.items()
        }
        bins = list(judge(ring, weight, energies, zenith, given.replicates, given.seed))
    except MagicnnError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print("\n".join(report(bins, published_direction(zenith))))
    if given.figure is not None:
        draw(given.figure, bins, published_direction(zenith))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
