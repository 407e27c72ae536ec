"""``magicnn predict``: events, networks and baselines to prediction tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magicnn.cli.places import DaskOption, SlurmOption, chosen_place

if TYPE_CHECKING:
    from magicnn.events import EventMeta
    from magicnn.images.features import FeatureTable
    from magicnn.predictions import PredictionTable
    from magicnn.readout import Readout
    from magicnn.zenith import ZenithRange

__all__ = ["predict"]

_LOG = logging.getLogger(__name__)


def predict(
    events: Annotated[list[Path], typer.Argument(metavar="EVENTS...", help="An event set, or files of real events.")],
    output: Annotated[Path, typer.Option(help="Folder for the prediction tables, one METHOD.h5 each.")],
    model: Annotated[
        list[Path] | None,
        typer.Option(help="Model file of a network; repeatable, one for the particle and one for the energy."),
    ] = None,
    baselines: Annotated[
        Path | None,
        typer.Option(
            help="Folder of magicnn baseline: adds forest, LUT, its classical methods; DISP for the networks."
        ),
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="Feature table of these events; computed when not given.")
    ] = None,
    method: Annotated[str, typer.Option(help="Name of the networks in reports.")] = "CNN",
    symmetries: Annotated[
        int, typer.Option(help="Networks: mean over 1, 2, 3, 6 or 12 turned and mirrored copies of each event.")
    ] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="Local processes; this one when not given.")] = None,
    dask: DaskOption = None,
    slurm: SlurmOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace tables that are there already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be predicted, then stop.")] = False,
) -> None:
    """Estimate particle and energy of events with networks, forests and lookup tables."""
    from magicnn.baselines.suite import STANDARD_METHODS, methods_in
    from magicnn.cli.arguments import load_features
    from magicnn.config import validate_settings
    from magicnn.errors import ConfigError, InputError
    from magicnn.images.extraction import EventFiles, extract_on_workers, reader_of
    from magicnn.io.eventset.writer import partial_path
    from magicnn.nn.settings import PredictSettings
    from magicnn.pipeline.prediction import MethodFiles, predict_on_workers

    place = chosen_place(workers, dask, slurm) or 1
    if not model and baselines is None:
        raise ConfigError("nothing to predict with: give --model, --baselines, or both")
    if not method or Path(method).name != method or "\\" in method:
        raise ConfigError(f"--method {method!r}: names the file METHOD.h5, give a name without a path")
    others = [*STANDARD_METHODS, *methods_in(baselines)] if baselines is not None else []
    if method.casefold() in {name.casefold() for name in others}:
        raise ConfigError(f"--method {method!r}: that is what the predictions of --baselines are called; give another")
    settings = validate_settings(PredictSettings, {"symmetries": symmetries}, where="settings")
    files = EventFiles.opened(events)
    trained = MethodFiles(
        tuple(path.absolute() for path in model or ()), baselines and baselines.absolute(), method, settings, device
    )
    networks, fitted = trained.networks(files.meta), trained.fitted()
    _warn_of_readout(files.meta, [*(n.description.readout for n in networks), *(fitted.readouts if fitted else ())])
    methods = [*([method] if networks else []), *(fitted.methods if fitted else ())]
    if dry_run:
        where = f"; networks on {networks[0].device}" if networks else ""
        typer.echo(f"{', '.join(methods)} for {files.n_events} events would be written to {output}{where}")
        return
    there = [output / f"{name}.h5" for name in methods if (output / f"{name}.h5").exists()]
    if there and not overwrite:
        raise InputError(f"{there[0]} is there already; give another --output, or --overwrite")
    if features:
        table = load_features(features, reader_of(files.paths, files.opening), events[0])
    else:
        (table,) = extract_on_workers([files], [partial_path(output / "features.h5")], workers=place)
    if fitted and "disp_h_max_m" not in table:
        table = fitted.disp.apply(table)
    zeniths = [*(n.description.zenith for n in networks), *(fitted.zenith_ranges if fitted else ())]
    _warn_of_zenith(table, zeniths)
    tables = predict_on_workers(files, table, trained, partial_path(output / "predictions.h5"), workers=place)
    for predictions in tables:
        path = output / f"{predictions.method}.h5"
        predictions.save(path)
        typer.echo(f"{path}: {_counted(predictions, table)}")


def _warn_of_readout(meta: EventMeta, trained: Iterable[Readout]) -> None:
    """One line when the events were read out otherwise than those that a method was trained on."""
    from magicnn.readout import Readout, readout_difference

    found = (readout_difference(Readout.of(meta), readout) for readout in trained)
    differences = dict.fromkeys(text for text in found if text)
    if differences:
        _LOG.warning("events %s: do not trust what is said of them", " and ".join(differences))


def _warn_of_zenith(table: FeatureTable, trained: Iterable[ZenithRange]) -> None:
    """One line for every zenith range of training events that some of the events lie outside of."""
    from magicnn.zenith import zenith_difference

    found = (zenith_difference(table["pointing_zenith_deg"], zenith) for zenith in trained)
    for text in dict.fromkeys(text for text in found if text):
        _LOG.warning("events %s: do not trust what is said of those", text)


def _counted(predictions: PredictionTable, features: FeatureTable) -> str:
    """How many events pass the quality cuts, how many have a value, how many have none, and why."""
    import numpy as np

    from magicnn.images.quality import missing_parameters

    columns = {"gammaness": "gammaness", "energy": "reco_energy_gev"}
    known = {name: np.isfinite(predictions[c]) for name, c in columns.items() if c in predictions}
    text = f"{len(predictions)} events, "
    if "is_valid" in predictions:
        text += f"{np.count_nonzero(predictions['is_valid'])} pass the quality cuts, "
    text += ", ".join(f"{name} of {np.count_nonzero(k)}" for name, k in known.items())
    without = ~np.logical_and.reduce(list(known.values()))
    reasons = [(reason, which & without) for reason, which in missing_parameters(features)]
    rest = without & ~np.logical_or.reduce([which for _, which in reasons])
    reasons.append(("no filled cell of the tables" if predictions.method == "LUT" else "unknown parameters", rest))
    why = ", ".join(f"{np.count_nonzero(which)} with {reason}" for reason, which in reasons if which.any())
    return f"{text}; without: {why}" if why else text
