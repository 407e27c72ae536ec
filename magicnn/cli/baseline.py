"""``magicnn baseline``: event sets to lookup tables, forests and classical methods."""

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
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Fit this classical method, too, such as boosted_trees; repeatable."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file with the groups disp, lookup, forest, classical; defaults otherwise."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, by its dotted name; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed: the same one gives the same forests.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what the folder holds.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the effective settings, then stop.")] = False,
) -> None:
    """Fit the direction by DISP, the energy lookup tables and the random forests, and classical methods if asked."""
    from magicnn.baselines.learners import LEARNERS
    from magicnn.baselines.suite import Baselines, BaselineSettings, baseline_files, require_samples
    from magicnn.cli.arguments import load_features, require_distinct
    from magicnn.config import apply_overrides, dump_settings, read_yaml, validate_settings
    from magicnn.errors import ConfigError
    from magicnn.images.features import extract_features
    from magicnn.io.eventset.reader import EventSet
    from magicnn.report.lookup_plots import draw_lookup

    asked = [f"classical.methods=[{', '.join(method)}]"] if method else []
    values = apply_overrides(read_yaml(config, BaselineSettings) if config else {}, [*asked, *(set_ or ())])
    settings = validate_settings(BaselineSettings, values, where=str(config or "settings"))
    if features and len(features) != len(events):
        raise ConfigError(f"{len(features)} feature tables for {len(events)} event sets: give one for each")
    require_distinct(events)
    there = [name for name in baseline_files(LEARNERS) if (output / name).exists()]
    if there and not overwrite:
        raise ConfigError(f"{output}: holds {', '.join(there)}; give another --output, or --overwrite")
    if dry_run:
        typer.echo(dump_settings(settings), nl=False)
        typer.echo(f"# would be fitted to {', '.join(map(str, events))} and written to {output}")
        return
    event_sets = [EventSet(path) for path in events]
    for_energy = [(s.meta.particle or "").startswith("gamma") for s in event_sets]
    for_separation = [s.meta.particle != "gamma" for s in event_sets]
    # before the image parameters, which take minutes
    require_samples(
        [s.meta for s, used in zip(event_sets, for_energy, strict=True) if used],
        [s.meta for s, used in zip(event_sets, for_separation, strict=True) if used],
    )
    if features:
        tables = [load_features(*given) for given in zip(features, event_sets, events, strict=True)]
    else:
        tables = [extract_features(event_set) for event_set in event_sets]
    gammas = [t for t, used in zip(tables, for_energy, strict=True) if used]
    classified = [t for t, used in zip(tables, for_separation, strict=True) if used]
    fitted = Baselines.fit(gammas, classified, settings, seed=seed)
    fitted.save(output)
    if any(fitted.lookup.n_filled):
        draw_lookup(fitted.lookup, output / "lookup.png", event_sets[0].meta.telescopes)
    typer.echo(f"{fitted!r} in {output}")
