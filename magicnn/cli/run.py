"""``magicnn run``: the whole comparison from one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["run"]


def run(
    config: Annotated[Path, typer.Argument(help="YAML file of the job, such as analysis/full_comparison.yaml.")],
    output: Annotated[Path, typer.Option(help="Run directory; the same command continues what is in it.")] = Path(
        "runs/full_comparison"
    ),
    real: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Real MAGIC file to predict on; repeatable, both telescopes; those of an earlier call stay.",
        ),
    ] = None,
    drop_real: Annotated[
        bool, typer.Option("--drop-real", help="Remove the real events of an earlier call and their predictions.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="The preset of the same job that ends in 5 minutes.")] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, by its dotted name; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random; the file's when not given.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes for the simulation; one per core when not given.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where networks run: auto, cpu, cuda.")] = "auto",
    update: Annotated[bool, typer.Option("--update", help="Do again what changed settings touch.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the effective settings and the plan, then stop.")
    ] = False,
) -> None:
    """Simulate, parametrise, fit lookup tables and forests, train networks, evaluate, and write the report."""
    from magicnn.pipeline.comparison import describe_plan, run_comparison
    from magicnn.pipeline.settings import load_comparison

    overrides = list(set_ or [])
    if seed is not None:
        overrides.append(f"seed={seed}")
    settings = load_comparison(config, overrides, preset="quick" if quick else None)
    files = tuple(real or ())
    if dry_run:
        typer.echo(describe_plan(settings, output, real_files=files, device=device, drop_real=drop_real))
        return
    page = run_comparison(
        settings,
        output,
        real_files=files,
        workers=workers,
        device=device,
        update=update,
        drop_real=drop_real,
    )
    typer.echo(f"report: {page}")
