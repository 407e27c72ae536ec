"""``magicnn report``: from metrics and predictions to the page that a person reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magicnn.errors import InputError

if TYPE_CHECKING:
    from magicnn.evaluation.source import SignalSettings
    from magicnn.predictions import PredictionTable
    from magicnn.report.inputs import RealEvents

__all__ = ["report"]


def report(
    metrics: Annotated[Path, typer.Argument(help="metrics.json of `magicnn evaluate`; with --compare the first run.")],
    predictions: Annotated[
        list[Path],
        typer.Argument(
            help="The prediction files that were evaluated, and those of real events; with --compare the other runs."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder of the page; existing files are replaced.")] = Path("report"),
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Networks, forests and lookup tables on MAGIC",
    history: Annotated[
        list[Path] | None, typer.Option(help="History of a training, MODEL.history.csv; repeatable.")
    ] = None,
    cut_flow: Annotated[
        Path | None, typer.Option(help="JSON file: event set to stage to number of events left.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="RA,DEC", help="Source that the real events are of, deg (J2000): shows its signal."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of `magicnn signal`, repeatable."),
    ] = None,
    response: Annotated[
        bool,
        typer.Option(
            "--response/--no-response", help="Show instrument responses and sensitivities (needs pyirf, takes longer)."
        ),
    ] = False,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Put runs side by side: run directories, reports, or metrics.json files."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the page would show, then stop.")] = False,
) -> None:
    """Write one page with the verdict, figures, tables and definitions, and the metrics and figures beside it."""
    if compare:
        if history or cut_flow or source or set_:
            raise typer.BadParameter("--history, --cut-flow, --source and --set are of one run, not for --compare")
        _compare([metrics, *predictions], output, title, dry_run=dry_run)
        return
    import csv

    from magicnn.cli.arguments import real_and_simulated, signal_settings
    from magicnn.evaluation import MetricsTable
    from magicnn.evaluation.response.many import responses_of
    from magicnn.io import load_predictions
    from magicnn.report.page import ReportInputs, build_report
    from magicnn.runs import provenance, read_json

    numbers = MetricsTable.load(metrics)
    search = signal_settings(None, set_ or (), source=source) if source or set_ else None
    tables = [load_predictions(path) for path in predictions]
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
        for table in tables:
            typer.echo(f"{table!r}")
        return
    real, simulated = real_and_simulated(tables)
    inputs = ReportInputs(
        title=title,
        metrics=numbers,
        predictions=simulated,
        real=_real(real, simulated, search),
        histories=histories,
        responses=responses_of(simulated, dict.fromkeys((r.zenith_min_deg, r.zenith_max_deg) for r in numbers.rows))
        if response
        else (),
        cut_flow=flow,
        provenance=provenance(),
    )
    typer.echo(build_report(inputs, output))


def _real(
    real: Mapping[str, PredictionTable],
    simulated: Mapping[str, Sequence[PredictionTable]],
    search: SignalSettings | None,
) -> RealEvents | None:
    """Real events that methods judged, with their signal; None when there are none."""
    from magicnn.evaluation.signal import find_signals
    from magicnn.report.inputs import RealEvents

    if not real:
        if search is not None:
            raise InputError("a source is given, but none of the prediction files is of real events")
        return None
    description = f"{len(next(iter(real.values())))} events."
    if search is None:
        return RealEvents(description, real)
    return RealEvents(description, real, source=search.source.label, signals=find_signals(real, simulated, search))


def _compare(paths: Sequence[Path], output: Path, title: str, *, dry_run: bool) -> None:
    """Write the page of several runs."""
    from magicnn.evaluation import MetricsTable
    from magicnn.report.run_comparison import build_comparison

    runs = {}
    for path in paths:
        within = [p for p in (path / "report" / "metrics.json", path / "metrics.json") if p.is_file()]
        folder = path.resolve() if path.is_dir() else path.resolve().parent
        name = folder.parent.name if folder.name == "report" else folder.name
        if name in runs:
            name = str(path)
        if name in runs:
            raise InputError(f"{path}: this run is given twice")
        runs[name] = MetricsTable.load(within[0] if within else path)
    if dry_run:
        for name, numbers in runs.items():
            typer.echo(f"{name}: {numbers!r}")
        return
    typer.echo(build_comparison(runs, output, title=title))
