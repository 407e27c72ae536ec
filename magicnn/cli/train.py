"""``magicnn train``: event sets to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train"]


def train(
    events: Annotated[list[Path], typer.Argument(metavar="EVENTS...", help="Event sets of simulated events.")],
    output: Annotated[Path, typer.Option(help="Model file to write; the same command continues a stopped training.")],
    head: Annotated[
        list[str] | None,
        typer.Option(help="What the network estimates: particle, energy; repeatable. As configured when not given."),
    ] = None,
    features: Annotated[
        list[Path] | None,
        typer.Option(help="Feature table of each event set, in the same order; computed when not given."),
    ] = None,
    baselines: Annotated[
        Path | None, typer.Option(help="Folder of magicnn baseline: adds the direction by DISP to the features.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with the groups inputs, network, training; defaults otherwise.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, by its dotted name; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed: the same one gives the same model.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the effective settings, then stop.")] = False,
) -> None:
    """Train a network for gamma/hadron separation or for the energy."""
    from magicnn.cli.arguments import load_features, require_distinct
    from magicnn.config import apply_overrides, dump_settings, read_yaml, validate_settings
    from magicnn.errors import ConfigError
    from magicnn.nn.settings import ModelSettings

    overrides = list(set_ or ())
    if head:
        overrides.append(f"training.heads=[{', '.join(head)}]")
    if seed is not None:
        overrides.append(f"training.seed={seed}")
    values = apply_overrides(read_yaml(config, ModelSettings) if config else {}, overrides)
    settings = validate_settings(ModelSettings, values, where=str(config or "settings"))
    if features and len(features) != len(events):
        raise ConfigError(f"{len(features)} feature tables for {len(events)} event sets: give one for each")
    require_distinct(events)
    if dry_run:
        typer.echo(dump_settings(settings), nl=False)
        typer.echo(f"# would be trained on {', '.join(map(str, events))} and written to {output}")
        return
    from magicnn.baselines.disp import DispDirection
    from magicnn.baselines.suite import BASELINE_FILES
    from magicnn.images.features import extract_features
    from magicnn.io.eventset.reader import EventSet
    from magicnn.nn.data import Source
    from magicnn.nn.predict import needs_features
    from magicnn.nn.trainer import train as train_network
    from magicnn.runs import is_first_process

    disp = DispDirection.load(baselines / BASELINE_FILES[0]) if baselines else None
    sources = []
    for number, path in enumerate(events):
        event_set = EventSet(path)
        table = None
        if needs_features(settings.inputs):
            table = load_features(features[number], event_set, path) if features else extract_features(event_set)
            table = disp.apply(table) if disp else table
        sources.append(Source(event_set, table))
    trained = train_network(sources, output, settings=settings, device=device)
    if not is_first_process():
        return
    best = min(trained.description.history, key=lambda entry: entry["validation_loss"])
    numbers = ", ".join(f"{name} {value:.4g}" for name, value in best.items() if name.startswith("validation"))
    typer.echo(f"{output}: best of {len(trained.description.history)} epochs is {best['epoch']:.0f} ({numbers})")
