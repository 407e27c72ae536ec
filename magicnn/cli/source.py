"""``magicnn signal``: from predictions for real events to excess and significance of a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from magicnn.predictions import PredictionTable

__all__ = ["signal"]


def signal(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTIONS...",
            help="Prediction files for real events, and of the same methods for simulated gammas of a point source "
            "(for the cut on the gammaness) and protons (to draw beside the real events).",
        ),
    ],
    output: Annotated[
        Path, typer.Option(help="Folder of the page, its figures and tables; existing files are replaced.")
    ],
    source: Annotated[
        str | None, typer.Option(metavar="RA,DEC", help="The source: right ascension and declination, deg (J2000).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the source.")] = None,
    gammaness_of: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD=OTHER",
            help="Use the gammaness of another method for one that has none; repeatable.",
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with source, circle, off regions, cuts.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: KEY=VALUE, repeatable.")
    ] = None,
    title: Annotated[str, typer.Option(help="Heading of the page.")] = "Signal in real events",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the effective settings, then stop.")] = False,
) -> None:
    """Excess and significance of a source against off regions, and real events beside simulated ones."""
    from magicnn.cli.arguments import named_pairs, real_and_simulated, signal_settings
    from magicnn.config import dump_settings
    from magicnn.errors import InputError
    from magicnn.evaluation.signal import find_signals
    from magicnn.predictions import load_predictions
    from magicnn.report.inputs import RealEvents
    from magicnn.report.signal_page import build_signal_page

    settings = signal_settings(config, set_ or (), source=source, name=name)
    tables: list[PredictionTable] = [load_predictions(path) for path in predictions]
    if dry_run:
        typer.echo(dump_settings(settings), nl=False)
        for table in tables:
            typer.echo(f"# {table!r}")
        return
    real, simulated = real_and_simulated(tables)
    if not real:
        raise InputError("no predictions for real events among the files: there is nothing to look for a source in")
    partner = named_pairs(gammaness_of or (), option="--gammaness-of")
    signals = find_signals(real, simulated, settings, gammaness_of=partner)
    if not signals:
        raise InputError("no signal: none of the methods gives gammaness and directions for the real events")
    n = len(next(iter(real.values())))
    events = RealEvents(f"{n} events.", real, source=settings.source.label, signals=signals)
    page = build_signal_page(events, simulated, output, title=title, settings=settings.model_dump(mode="json"))
    for found in signals:
        typer.echo(
            f"{found.method}: on {found.n_on}, off {found.n_off}/{settings.n_off}, excess {found.excess:.1f} +- "
            f"{found.excess_error:.1f}, {found.significance:.1f} sigma (gammaness >= {found.gammaness_cut:.3f})"
        )
    typer.echo(page)
