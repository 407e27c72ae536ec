"""Judge the classical methods on public data: python analysis/public_benchmarks.py DATA --figure FILE.png.

DATA holds ``uci/magic04.data`` and ``fact_mc/aict_*.hdf5``. Every event is judged by a method that was trained on the
other folds; uses of one shower are in one fold. Prints Markdown tables with 68 % bootstrap intervals. What is done is
kept in the folder of --store: stopped and started again, it continues.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import sklearn
from numpy.typing import NDArray
from validation.drawing import COLOURS, panels

from magicnn.baselines import fitting, learners
from magicnn.baselines.fitting import fit_classifier, fit_regressor
from magicnn.baselines.learners import LEARNERS, ClassicalSettings
from magicnn.errors import InputError, MagicnnError
from magicnn.evaluation.classification import Labelled, classification_metrics, classify, cut_name, roc_band
from magicnn.evaluation.energy import ENERGY_METRICS, energy_errors, energy_statistic
from magicnn.evaluation.intervals import bootstrap_interval
from magicnn.evaluation.resampling import ShowerBootstrap, resample
from magicnn.runs import content_hash, progress, read_json, seed_sequence, write_json
from magicnn.splits import split_by_shower

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Row = Mapping[str, Floats]
"""Value, low and high end of each number of a method."""

CLASSIFIERS = tuple(name for name, learner in LEARNERS.items() if learner.classifier)
REGRESSORS = tuple(name for name, learner in LEARNERS.items() if learner.regressor)
GAMMA_ACCEPTANCE = (0.5, 0.7, 0.9)
HADRON_ACCEPTANCE = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Those of the description of the UCI set."""

UCI_COLUMNS = ("fLength", "fWidth", "fSize", "fConc", "fConc1", "fAsym", "fM3Long", "fM3Trans", "fAlpha", "fDist")
FACT_IMAGE = (
    "size",
    "length",
    "width",
    "skewness_long",
    "kurtosis_long",
    "leakage1",
    "concentration_cog",
    "concentration_one_pixel",
    "num_islands",
    "num_pixel_in_shower",
    "time_gradient_slope_long",
    "timespread_weighted",
)


@dataclass(frozen=True)
class Sample:
    """Events of a public set.

    Attributes
    ----------
    inputs : float64 array, [N, F]
        Features.
    is_gamma : bool array, [N]
        Gamma or hadron.
    shower : int64 array, [N]
        Shower of each event.
    true_energy_gev : float64 array, [N]
        NaN where the set has none.
    """

    inputs: Floats
    is_gamma: NDArray[np.bool_]
    shower: NDArray[np.int64]
    true_energy_gev: Floats


def read_uci(path: Path) -> Sample:
    """Read the UCI set "MAGIC gamma telescope": ten parameters and the class of each event."""
    try:
        rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines() if line]
        inputs = np.array([row[:-1] for row in rows], dtype=np.float64)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the UCI set of MAGIC ({error})") from error
    if inputs.ndim != 2 or inputs.shape[1] != len(UCI_COLUMNS):
        raise InputError(f"{path}: expected {len(UCI_COLUMNS)} parameters and a class in every line")
    # the file has no showers; equal rows must not lie in two folds
    shower = np.unique(inputs, axis=0, return_inverse=True)[1].ravel()
    is_gamma = np.array([row[-1] == "g" for row in rows])
    return Sample(inputs, is_gamma, shower.astype(np.int64), np.full(len(rows), np.nan))


def read_fact(folder: Path, gammas: str, *, with_source: bool) -> Sample:
    """Read FACT's simulated gammas of one kind (``gamma`` or ``gamma_diffuse``) and protons.

    Parameters
    ----------
    folder : Path
        Of the files ``aict_*.hdf5``.
    gammas : str
        Kind of gammas.
    with_source : bool
        Add distance and angle of the image to the source, which point-like gammas come from and protons do not.
    """
    parts = [_fact_part(folder / f"aict_{kind}.hdf5", with_source) for kind in (gammas, "proton")]
    inputs, shower, energy = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    is_gamma = np.repeat([True, False], [len(part[0]) for part in parts])
    shower = shower + np.where(is_gamma, 0, 10**12)
    return Sample(inputs, is_gamma, shower, energy)


def _fact_part(path: Path, with_source: bool) -> tuple[Floats, NDArray[np.int64], Floats]:
    try:
        with h5py.File(path, "r") as file:
            table = {name: dataset[()] for name, dataset in file["events"].items()}
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: not a file of FACT's simulation ({error})") from error
    columns = {name: np.asarray(table[name], dtype=np.float64) for name in FACT_IMAGE}
    columns["size"] = np.log10(columns["size"])
    # the sense of the axis is arbitrary
    for name in ("skewness_long", "time_gradient_slope_long"):
        columns[name] = np.abs(columns[name])
    if with_source:
        offset = np.stack([table[f"source_position_{a}"] - table[f"cog_{a}"] for a in "xy"])
        distance = np.hypot(*offset)
        along = np.abs(offset[0] * np.cos(table["delta"]) + offset[1] * np.sin(table["delta"]))
        columns |= {"distance": distance, "alpha": np.arccos(np.clip(along / distance, 0.0, 1.0))}
    run, event = (
        table[f"corsika_{n}"].astype(np.int64) for n in ("run_header_run_number", "event_header_event_number")
    )
    return np.stack(list(columns.values()), axis=1), run * 10**5 + event, table["corsika_event_header_total_energy"]


def samples_of(data: Path) -> dict[str, Sample]:
    """Read all samples of a folder, by title; that of gammas alone is for the energy."""
    point_like = read_fact(data / "fact_mc", "gamma", with_source=True)
    gammas = point_like.is_gamma
    return {
        "UCI": read_uci(data / "uci" / "magic04.data"),
        "FACT, diffuse gammas": read_fact(data / "fact_mc", "gamma_diffuse", with_source=False),
        "FACT, point-like gammas": point_like,
        "FACT, energy of point-like gammas": Sample(
            point_like.inputs[gammas], gammas[gammas], point_like.shower[gammas], point_like.true_energy_gev[gammas]
        ),
    }


def folds_of(sample: Sample, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Fold of every event, by its shower."""
    return split_by_shower(sample.shower, [1.0 / n_folds] * n_folds, seed=seed)


def judged_gammaness(sample: Sample, method: str, settings: ClassicalSettings, folds: NDArray[np.int64]) -> Floats:
    """Gammaness of every event by a classifier trained on the other folds."""
    said = np.empty(len(folds))
    for fold in np.unique(folds):
        own = folds == fold
        trained = fit_classifier(method, sample.inputs[~own], sample.is_gamma[~own], settings, seed=int(fold))
        said[own] = trained.predict(sample.inputs[own])
    return said


def judged_energy(sample: Sample, method: str, settings: ClassicalSettings, folds: NDArray[np.int64]) -> Floats:
    """Energy of every event, GeV, by a regressor trained on the other folds."""
    said, log_energy = np.empty(len(folds)), np.log10(sample.true_energy_gev)
    for fold in np.unique(folds):
        own = folds == fold
        trained = fit_regressor(
            method,
            sample.inputs[~own],
            log_energy[~own],
            settings,
            seed=int(fold),
            showers=sample.shower[~own],
        )
        said[own] = 10.0 ** trained.predict(sample.inputs[own])[0]
    return said


def separation_numbers(sample: Sample, gammaness: Floats, n_replicates: int, seed: int) -> Row:
    """Compute AUC and acceptances, each as (value, low, high)."""
    g, p = gammaness[sample.is_gamma], gammaness[~sample.is_gamma]
    classes, resampled = [], []
    for score, kind, text in ((g, sample.is_gamma, "gammas"), (p, ~sample.is_gamma, "hadrons")):
        shower = sample.shower[kind]
        # cuts are found with one half of the showers and applied to the other
        half = split_by_shower(shower, (0.5, 0.5), seed=seed)
        classes.append(Labelled(score, half, np.ones(len(score))))
        resampled.append(ShowerBootstrap.draw(shower, n_replicates, seed_sequence(seed, text)).sets(shower))
    value, replicates = classify(classes[0], classes[1], resampled, GAMMA_ACCEPTANCE)
    found = dict(zip(classification_metrics(GAMMA_ACCEPTANCE), _with_interval(value, replicates), strict=True))
    numbers = {"auc": found["auc"]}
    numbers |= {f"hadrons at {e:g}": found[f"hadron_efficiency_{cut_name(e)}"] for e in GAMMA_ACCEPTANCE}
    curve = np.stack(roc_band(g, p, resampled[0], resampled[1], HADRON_ACCEPTANCE), axis=1)
    return numbers | {f"gammas at {e:g}": row for e, row in zip(HADRON_ACCEPTANCE, curve, strict=True)}


def energy_numbers(sample: Sample, energy: Floats, n_replicates: int, seed: int) -> Row:
    """Bias and resolution over all energies, each as (value, low, high)."""
    sets = ShowerBootstrap.draw(sample.shower, n_replicates, seed_sequence(seed, "energy")).sets(sample.shower)
    value, replicates = resample(energy_statistic(energy_errors(energy, sample.true_energy_gev)), sets)
    return dict(zip(ENERGY_METRICS, _with_interval(value, replicates), strict=True))


def _with_interval(value: Floats, replicates: Floats) -> Floats:
    return np.stack([value, *bootstrap_interval(value, replicates)], axis=1)


def table_of(rows: Mapping[str, Row], columns: Mapping[str, str]) -> Iterator[str]:
    """Give the lines of a Markdown table: values with the ends of their intervals, in per cent but for the AUC."""
    yield "| method | " + " | ".join(columns.values()) + " |"
    yield "|---" * (1 + len(columns)) + "|"
    for method, numbers in rows.items():
        cells = []
        for name in columns:
            factor, digits = (1.0, 3) if name == "auc" else (100.0, 1)
            value, low, high = factor * numbers[name]
            cells.append(f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
        yield f"| {LEARNERS[method].title} | " + " | ".join(cells) + " |"


def draw(path: Path, found: Mapping[str, Mapping[str, Row]]) -> None:
    """Draw AUC, hadrons left at half of the gammas, and the energy resolution of every method."""
    *separations, energies = found.items()
    with panels(path, 3) as axes:
        for k, (title, rows) in enumerate(separations):
            for ax, name in zip(axes, ("auc", "hadrons at 0.5"), strict=False):
                dots(ax, rows, name, COLOURS[k], "os^"[k], title.removesuffix(" gammas"), 0.2 * (k - 1))
        axes[0].set_xlabel("ROC AUC")
        axes[1].set_xlabel("hadron acceptance at half of the gammas")
        axes[1].set_xscale("log")
        dots(axes[2], energies[1], "resolution_half68", COLOURS[3], "o", "half 68 %", -0.1)
        dots(axes[2], energies[1], "resolution_rms", COLOURS[4], "s", "RMS", 0.1)
        axes[2].set_xlabel("energy resolution, FACT")
        for ax in axes:
            ax.legend(
                loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, fontsize=8, columnspacing=0.8, handletextpad=0.2
            )


def dots(ax: Axes, rows: Mapping[str, Row], name: str, colour: str, marker: str, label: str, shift: float) -> None:
    """Draw one number of every method, one below the other, with its interval."""
    value, low, high = np.array([numbers[name] for numbers in rows.values()]).T
    y = np.arange(len(rows)) + shift
    ax.errorbar(value, y, xerr=[value - low, high - value], fmt=marker, color=colour, ms=5, lw=1.2, label=label)
    ax.set_yticks(np.arange(len(rows)), [LEARNERS[m].title for m in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)


def judged(sample: Sample, method: str, settings: ClassicalSettings, n_folds: int, n_replicates: int, seed: int) -> Row:
    """Train one method on all folds, and compute what it is judged by."""
    folds = folds_of(sample, n_folds, seed)
    if sample.is_gamma.all():
        return energy_numbers(sample, judged_energy(sample, method, settings, folds), n_replicates, seed)
    return separation_numbers(sample, judged_gammaness(sample, method, settings, folds), n_replicates, seed)


def key_of(sample: Sample, method: str, options: Sequence[Any]) -> str:
    """Hash of all that the numbers of a method depend on: events, settings, code and scikit-learn's version."""
    digest = hashlib.sha256()
    for array in (sample.inputs, sample.is_gamma, sample.shower, sample.true_energy_gev):
        digest.update(np.ascontiguousarray(array).tobytes())
    for source in (learners, fitting, folds_of, judged_gammaness, judged_energy, separation_numbers, energy_numbers):
        digest.update(inspect.getsource(source).encode())
    return content_hash([digest.hexdigest(), method, sklearn.__version__, options])


def kept(path: Path, sample: Sample, method: str, options: Sequence[Any]) -> Row:
    """Take the numbers of a method from a file, or compute and write them."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {name: row.tolist() for name, row in judged(sample, method, *options).items()})
    return {name: np.array(row, dtype=np.float64) for name, row in read_json(path).items()}


def benchmark(samples: Mapping[str, Sample], store: Path, *options: Any) -> dict[str, dict[str, Row]]:
    """Judge every method on every sample, by the title of the sample and the name of the method."""
    found: dict[str, dict[str, Row]] = {}
    for title, sample in samples.items():
        methods, rows = REGRESSORS if sample.is_gamma.all() else CLASSIFIERS, {}
        for method in progress(methods, description=title, unit="method"):
            rows[method] = kept(store / f"{key_of(sample, method, options)}.json", sample, method, options)
        found[title] = rows
    return found


def report(samples: Mapping[str, Sample], found: Mapping[str, Mapping[str, Row]]) -> Iterator[str]:
    """Give the lines of what is printed."""
    hadrons = {f"hadrons at {e:g}": f"hadrons (%) at {100 * e:g} % gammas" for e in GAMMA_ACCEPTANCE}
    gammas = {f"gammas at {e:g}": f"gammas (%) at {100 * e:g} % hadrons" for e in HADRON_ACCEPTANCE}
    errors = {"bias_median": "bias, median (%)", "resolution_half68": "half 68 % (%)", "resolution_rms": "RMS (%)"}
    for title, sample in samples.items():
        n_gammas, n_all, energy = int(sample.is_gamma.sum()), len(sample.inputs), sample.true_energy_gev
        yield from ("", f"### {title}", "")
        if n_gammas < n_all:
            yield f"{n_gammas} gammas, {n_all - n_gammas} hadrons, {sample.inputs.shape[1]} features."
            yield from ("", *table_of(found[title], {"auc": "AUC", **hadrons}))
            yield from ("", *table_of(found[title], gammas))
        else:
            energies = f"{energy.min():.0f} to {energy.max():.0f} GeV"
            yield f"{n_gammas} gammas of {energies}, {sample.inputs.shape[1]} features."
            yield from ("", *table_of(found[title], errors))


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with uci/ and fact_mc/")
    parser.add_argument("--figure", type=Path, help="PNG file to draw")
    parser.add_argument("--folds", type=int, default=3, help="of the cross-validation")
    parser.add_argument("--replicates", type=int, default=300, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", type=Path, default=Path("runs/public_benchmarks"), help="folder of what is done")
    parser.add_argument("--sample", action="append", help="part of a sample's title: only this one; repeatable")
    given = parser.parse_args(words)
    try:
        wanted = given.sample or [""]
        samples = {t: s for t, s in samples_of(given.data).items() if any(part in t for part in wanted)}
        found = benchmark(samples, given.store, ClassicalSettings(), given.folds, given.replicates, given.seed)
    except MagicnnError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print("\n".join(report(samples, found)))
    if given.figure is not None and given.sample is None:
        draw(given.figure, found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
