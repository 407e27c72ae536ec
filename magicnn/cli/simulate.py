"""``magicnn simulate``: showers, telescopes and trigger, from a YAML file to an event set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["simulate"]


def simulate(
    config: Annotated[
        Path, typer.Argument(help="YAML file of the production, such as mc_configs/gamma_za05to35.yaml.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Event set to write; the same command continues an interrupted one.")
    ] = None,
    n_events: Annotated[
        int, typer.Option("-n", "--n-events", min=1, help="Triggered events wanted; the last showers are kept whole.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same one gives the same events.")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one per core when not given.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, by its dotted name; repeatable."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there and not of this production.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Draw the first shower that triggers into --output (PNG), then stop.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the effective settings, then stop.")] = False,
    corsika: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Take the showers of this CORSIKA (IACT) file instead; repeatable."),
    ] = None,
    telescopes: Annotated[
        str | None, typer.Option(metavar="I,J", help="With --corsika: telescopes of the file to take as M1 and M2.")
    ] = None,
    pointing: Annotated[
        str,
        typer.Option(help="With --corsika: cone (drawn in the view cone), shower (straight at it), or ZENITH,AZIMUTH."),
    ] = "cone",
    corsika_card: Annotated[
        bool, typer.Option("--corsika-card", help="Write CORSIKA's input card for -n showers, to --output or shown.")
    ] = False,
    slices: Annotated[int, typer.Option(min=1, help="With --corsika-card: one card for each slice of energy.")] = 1,
) -> None:
    """Simulate air showers and both MAGIC telescopes until enough events have triggered, and write them."""
    from magicnn.config import dump_settings
    from magicnn.errors import ConfigError, InputError
    from magicnn.simulation.settings import settings_from_yaml

    settings = settings_from_yaml(config, set_ or ())
    if output is not None and output.exists() and output.samefile(config):
        raise InputError(f"{output}: holds the settings of the production; give another --output")
    if corsika_card:
        from magicnn.cli.simulate_corsika import write_cards

        write_cards(settings, output, n_showers=n_events, seed=seed, slices=slices, overwrite=overwrite)
        return
    if output is None:
        raise ConfigError("nowhere to write to: give the name of an event set, --output FILE.h5")
    if dry_run:
        typer.echo(dump_settings(settings), nl=False)
        typer.echo(f"# {n_events} triggered events with seed {seed} would be written to {output}")
        return
    if show:
        from magicnn.report.shower_plots import show_shower

        typer.echo(show_shower(settings, output, seed=seed, overwrite=overwrite))
        return
    if corsika:
        from magicnn.cli.simulate_corsika import read_files

        read_files(settings, corsika, output, seed=seed, telescopes=telescopes, pointing=pointing, overwrite=overwrite)
        return
    from magicnn.io.eventset import EventSet
    from magicnn.simulation.production import produce

    path = produce(settings, output, n_events=n_events, seed=seed, workers=workers, overwrite=overwrite)
    with EventSet(path) as done:
        typer.echo(f"{len(done)} events of {done.meta.generated['n_thrown']} thrown ones in {output}")
