"""``magicnn simulate``: showers, telescopes and trigger, from a YAML file to an event set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magicnn.cli.places import DaskOption, SlurmOption, WorkersOption, chosen_place

__all__ = ["simulate"]

_DEFAULT_EVENTS = 1000


def simulate(
    config: Annotated[
        Path, typer.Argument(help="YAML file of the production, such as mc_configs/gamma_za05to35.yaml.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="Event set to write; the same command continues an interrupted one.")
    ] = None,
    n_events: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--n-events",
            min=1,
            help=f"Triggered events wanted; the last showers are kept whole. {_DEFAULT_EVENTS} without --showers.",
        ),
    ] = None,
    n_showers: Annotated[
        int | None, typer.Option("--showers", min=1, help="Showers wanted; with -n, what is reached first counts.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same one gives the same events.")] = 1,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    slurm: SlurmOption = None,
    keep_truth: Annotated[
        bool, typer.Option("--keep-truth", help="Keep the true photoelectrons of every pixel and the number of muons.")
    ] = False,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, by its dotted name; repeatable."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a file, or an unfinished one, that is not of this production."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the effective settings and what would be done, then stop.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Draw the first shower that triggers into --output (PNG), then stop.")
    ] = False,
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
        bool,
        typer.Option("--corsika-card", help="Write CORSIKA's input card for --showers, to --output or shown."),
    ] = False,
    slices: Annotated[int, typer.Option(min=1, help="With --corsika-card: one card for each slice of energy.")] = 1,
) -> None:
    """Simulate air showers and both MAGIC telescopes until enough events have triggered, and write them."""
    from magicnn.cli.arguments import require_event_set_name
    from magicnn.config import dump_settings
    from magicnn.errors import ConfigError, InputError
    from magicnn.simulation.settings import settings_from_yaml

    if not corsika and (telescopes is not None or pointing != "cone"):
        raise ConfigError("--telescopes and --pointing go with --corsika FILE, which is missing")
    if slices > 1 and not corsika_card:
        raise ConfigError("--slices goes with --corsika-card, which is missing")
    place = chosen_place(workers, dask, slurm)
    settings = settings_from_yaml(config, [*(set_ or ()), *(["keep_truth=true"] if keep_truth else ())])
    if output is not None and output.exists() and output.samefile(config):
        raise InputError(f"{output}: holds the settings of the production; give another --output")
    if corsika_card:
        from magicnn.cli.simulate_corsika import write_cards

        number = n_showers or n_events or _DEFAULT_EVENTS
        write_cards(settings, output, n_showers=number, seed=seed, slices=slices, overwrite=overwrite)
        return
    if output is None:
        what = "a picture, --output FILE.png" if show else "an event set, --output FILE.h5"
        raise ConfigError(f"nowhere to write to: give the name of {what}")
    if not show:
        require_event_set_name(output)
    if dry_run and (show or corsika):
        what = "the first shower that triggers" if show else f"the showers of {len(corsika or ())} CORSIKA files"
        typer.echo(dump_settings(settings), nl=False)
        typer.echo(f"# {what} with seed {seed} would be written to {output}")
        return
    if show:
        from magicnn.report.shower_plots import show_shower

        typer.echo(show_shower(settings, output, seed=seed, overwrite=overwrite))
        return
    if corsika:
        from magicnn.cli.simulate_corsika import read_files

        read_files(settings, corsika, output, seed=seed, telescopes=telescopes, pointing=pointing, overwrite=overwrite)
        return
    if n_events is None and n_showers is None:
        n_events = _DEFAULT_EVENTS
    if dry_run:
        from magicnn.simulation.plan import plan_production

        plan = plan_production(settings, output, n_events=n_events, n_showers=n_showers, seed=seed, overwrite=overwrite)
        typer.echo(dump_settings(settings), nl=False)
        wanted = [
            f"{n} {what}" for n, what in ((n_events, "triggered events"), (n_showers, "showers")) if n is not None
        ]
        typer.echo(f"# {' or '.join(wanted)} with seed {seed}: {output} {plan.action}")
        return
    from magicnn.io.eventset.reader import EventSet
    from magicnn.simulation.production import produce

    path = produce(
        settings,
        output,
        n_events=n_events,
        n_showers=n_showers,
        seed=seed,
        workers=place,
        overwrite=overwrite,
    )
    with EventSet(path) as done:
        typer.echo(f"{len(done)} events of {done.meta.generated['n_thrown']} thrown ones in {output}")
