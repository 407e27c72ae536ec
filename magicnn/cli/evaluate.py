"""``magicnn evaluate``: from prediction files to the table of metrics."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["evaluate"]

_LOG = logging.getLogger(__name__)


def evaluate(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            help="Prediction files of all methods for the same test events: point-like gammas, diffuse gammas, protons."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder for metrics.ecsv and metrics.json.")] = Path(),
    config: Annotated[Path | None, typer.Option(help="YAML file with bins, cuts and bootstrap.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: KEY=VALUE, repeatable.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the bootstrap; the file's when not given.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace metrics that are there already.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the effective settings and the tables, then stop.")
    ] = False,
) -> None:
    """Judge methods on the same events: efficiencies, purity, Q, AUC, energy bias and resolution, with intervals."""
    from magicnn.config import apply_overrides, dump_settings, read_yaml, validate_settings
    from magicnn.errors import InputError
    from magicnn.evaluation import EvaluationSettings
    from magicnn.evaluation import evaluate as judge
    from magicnn.evaluation.samples import role_of
    from magicnn.evaluation.verdict import verdict_lines
    from magicnn.io import load_predictions
    from magicnn.predictions import PredictionTable

    overrides = [*(set_ or []), *([f"seed={seed}"] if seed is not None else [])]
    values = apply_overrides(read_yaml(config, EvaluationSettings) if config else {}, overrides)
    settings = validate_settings(EvaluationSettings, values, where=str(config or "evaluation settings"))
    tables: dict[str, list[PredictionTable]] = {}
    for path in predictions:
        table = load_predictions(path)
        if role_of(table) is None:
            _LOG.warning("%s: %s events are not judged, only gammas and protons are", path, table.particle or "real")
        tables.setdefault(table.method, []).append(table)
    if dry_run:
        typer.echo(dump_settings(settings), nl=False)
        for many in tables.values():
            for table in many:
                typer.echo(f"# {table!r}")
        return
    there = [name for name in ("metrics.ecsv", "metrics.json") if (output / name).exists()]
    if there and not overwrite:
        raise InputError(f"{output / there[0]} is there already; give another --output, or --overwrite")
    metrics = judge(tables, settings)
    for line in verdict_lines(metrics):
        typer.echo(line)
    for path in metrics.save(output):
        typer.echo(path)
