"""``magicnn report``: from metrics and predictions to the page that a person reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    metrics: Annotated[Path, typer.Argument(help="metrics.json of `magicnn evaluate`.")],
    predictions: Annotated[list[Path], typer.Argument(help="The prediction files that were evaluated.")],
    output: Annotated[Path, typer.Option(help="Folder of the page; existing files are replaced.")] = Path("report"),
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Networks, forests and lookup tables on MAGIC",
    history: Annotated[
        list[Path] | None, typer.Option(help="History of a training, MODEL.history.csv; repeatable.")
    ] = None,
    cut_flow: Annotated[
        Path | None, typer.Option(help="JSON file: event set to stage to number of events left.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the page would show, then stop.")] = False,
) -> None:
    """Write one page with the verdict, figures, tables and definitions, and the metrics and figures beside it."""
    import csv

    from magicnn.errors import InputError
    from magicnn.evaluation import MetricsTable
    from magicnn.io import load_predictions
    from magicnn.predictions import PredictionTable
    from magicnn.report.page import ReportInputs, build_report
    from magicnn.runs import provenance, read_json

    numbers = MetricsTable.load(metrics)
    tables: dict[str, list[PredictionTable]] = {}
    for path in predictions:
        table = load_predictions(path)
        tables.setdefault(table.method, []).append(table)
    histories = {}
    for path in history or []:
        try:
            with path.open(newline="", encoding="utf-8") as file:
                rows = [{n: float(v) for n, v in row.items()} for row in csv.DictReader(file)]
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        except (TypeError, ValueError) as error:
            raise InputError(f"{path}: not the history of a training ({error})") from error
        histories[path.name.removesuffix(".history.csv")] = rows
    flow = read_json(cut_flow) if cut_flow else {}
    if not isinstance(flow, dict) or not all(isinstance(stages, dict) for stages in flow.values()):
        raise InputError(f"{cut_flow}: expected event sets, each with the number of events after its stages")
    if dry_run:
        typer.echo(f"{output / 'index.html'} from {numbers!r}")
        for many in tables.values():
            for table in many:
                typer.echo(f"{table!r}")
        return
    inputs = ReportInputs(
        title=title,
        metrics=numbers,
        predictions=tables,
        histories=histories,
        cut_flow=flow,
        provenance=provenance(),
    )
    typer.echo(build_report(inputs, output))
