"""``magicnn features``: events to tables of image and stereo parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magicnn.cli.places import DaskOption, SlurmOption, WorkersOption, chosen_place

__all__ = ["features"]


def features(
    events: Annotated[
        list[Path], typer.Argument(metavar="EVENTS...", help="Event sets, or files, folders or globs of real events.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            metavar="FILE.h5|FOLDER",
            help="One table of all events, or a folder for one per event set or run; the same command continues.",
        ),
    ],
    workers: WorkersOption = None,
    dask: DaskOption = None,
    slurm: SlurmOption = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with the groups cleaning and stereo; defaults otherwise.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, by its dotted name; repeatable."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace tables that are there already.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the effective settings and what would be written, then stop.")
    ] = False,
) -> None:
    """Clean the images of events and compute image and stereo parameters, for baseline, train and predict."""
    from magicnn.config import apply_overrides, dump_settings, read_yaml, validate_settings
    from magicnn.errors import InputError
    from magicnn.images.extraction import EventFiles, extract_on_workers, is_table_of
    from magicnn.images.features import FeatureSettings, FeatureTable
    from magicnn.io.eventset.writer import partial_path
    from magicnn.io.groups import group_inputs

    place = chosen_place(workers, dask, slurm)
    values = apply_overrides(read_yaml(config, FeatureSettings) if config else {}, set_ or ())
    settings = validate_settings(FeatureSettings, values, where=str(config or "settings"))
    if output.is_dir() or not output.suffix:
        groups = group_inputs(events)
        for group in groups:
            if group.problem:
                raise InputError(group.problem)
        found = {output / f"{group.name}.h5": EventFiles.opened(group.files) for group in groups}
    else:
        found = {output: EventFiles.opened(events)}
    if dry_run:
        typer.echo(dump_settings(settings), nl=False)
    for path, files in list(found.items()):
        if path.exists() and not overwrite:
            if is_table_of(FeatureTable.load(path), files, settings):
                typer.echo(f"{path}: stood already")
                del found[path]
                continue
            raise InputError(f"{path}: holds other events or settings; give another --output, or --overwrite")
        if dry_run:
            typer.echo(f"# {files.n_events} events of {files.paths[0].name} would be written to {path}")
    if dry_run:
        return
    tables = extract_on_workers(list(found.values()), [partial_path(path) for path in found], settings, workers=place)
    for path, table in zip(found, tables, strict=True):
        table.save(path)
        typer.echo(f"{path}: {table!r}")
