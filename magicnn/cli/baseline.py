"""``magicnn baseline``: event sets to lookup tables and forests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["baseline"]


def baseline(
    events: Annotated[
        list[Path],
        typer.Argument(metavar="EVENTS...", help="Event sets: gammas from one angle, diffuse gammas, protons."),
    ],
    output: Annotated[Path, typer.Option(help="Folder for the fitted tables and forests.")],
    features: Annotated[
        list[Path] | None,
        typer.Option(help="Feature table of each event set, in the same order; computed when not given."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with the groups disp, lookup, forest; defaults otherwise.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, by its dotted name; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same one gives the same forests.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what the folder holds.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the effective settings, then stop.")] = False,
) -> None:
    """Fit the direction by DISP, the energy lookup tables and the random forests."""
    from magicnn.baselines.suite import BASELINE_FILES, Baselines, BaselineSettings
    from magicnn.config import apply_overrides, dump_settings, read_yaml, validate_settings
    from magicnn.errors import ConfigError
    from magicnn.images.features import FeatureTable, extract_features
    from magicnn.io.eventset import EventSet

    values = apply_overrides(read_yaml(config) if config else {}, set_ or ())
    settings = validate_settings(BaselineSettings, values, where=str(config or "settings"))
    if features and len(features) != len(events):
        raise ConfigError(f"{len(features)} feature tables for {len(events)} event sets: give one for each")
    there = [name for name in BASELINE_FILES if (output / name).exists()]
    if there and not overwrite:
        raise ConfigError(f"{output}: holds {', '.join(there)}; give another --output, or --overwrite")
    if dry_run:
        typer.echo(dump_settings(settings), nl=False)
        typer.echo(f"# would be fitted to {', '.join(map(str, events))} and written to {output}")
        return
    if features:
        tables = [FeatureTable.load(path) for path in features]
    else:
        tables = [extract_features(EventSet(path)) for path in events]
    gammas = [t for t in tables if (t.meta.particle or "").startswith("gamma")]
    classified = [t for t in tables if t.meta.particle != "gamma"]
    fitted = Baselines.fit(gammas, classified, settings, seed=seed)
    fitted.save(output)
    typer.echo(f"{fitted!r} in {output}")
