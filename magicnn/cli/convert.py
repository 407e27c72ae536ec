"""``magicnn convert``: files of MARS and others to event sets, or to tables where they hold no pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from magicnn.cli.places import DaskOption, SlurmOption, WorkersOption, chosen_place
from magicnn.errors import ConfigError, InputError

if TYPE_CHECKING:
    from magicnn.executors import Place
    from magicnn.io.convert_many import Outcome

__all__ = ["convert"]


def convert(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Files of both telescopes, folders or globs.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            metavar="FILE.h5|FOLDER",
            help="One event set of everything, or a folder for one per run, in parallel; the same command continues.",
        ),
    ],
    kind: Annotated[
        str | None, typer.Option(help="Format of the input: mars, eventset, ...; recognised when not given.")
    ] = None,
    sampling: Annotated[
        float | None,
        typer.Option(help="Sampling speed in GS/s, for files that do not state it; by their date when not given."),
    ] = None,
    mono: Annotated[
        bool, typer.Option("--mono", help="Accept runs of one telescope; images of the other one are NaN.")
    ] = False,
    camera: Annotated[
        str | None,
        typer.Option(
            help="Files of ctapipe and sim_telarray: camera whose telescopes are read, when there are several."
        ),
    ] = None,
    telescope: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="As --camera: read this telescope only; repeat for several."),
    ] = None,
    workers: WorkersOption = None,
    dask: DaskOption = None,
    slurm: SlurmOption = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="With a folder: leave runs out that fail, and name them at the end.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Open the inputs and show what would be converted, then stop.")
    ] = False,
) -> None:
    """Read events of MARS and other files, both telescopes joined, and write them as event sets.

    MARS files without pixels become one table: image parameters from star and superstar files, the predictions of the
    method MARS from melibea files. With --kind mars the images that star kept become an event set.
    """
    from magicnn.cli.arguments import require_event_set_name

    options: dict[str, Any] = {}
    if sampling is not None:
        options["sampling_gsps"] = sampling
    if mono:
        options["require_stereo"] = False
    if camera is not None:
        options["camera"] = camera
    if telescope:
        options["telescopes"] = telescope
    if output.is_dir() or not output.suffix:
        _to_folder(
            inputs,
            output,
            kind,
            options=options,
            workers=chosen_place(workers, dask, slurm),
            keep_going=keep_going,
            dry_run=dry_run,
        )
        return
    require_event_set_name(output)
    if any(given is not None for given in (workers, dask, slurm)) or keep_going:
        raise ConfigError(
            "--workers, --dask, --slurm and --keep-going make one event set per run: "
            f"give --output a folder, not {output}"
        )
    _to_file(inputs, output, kind, options, dry_run=dry_run)


def _to_file(
    inputs: Sequence[Path], output: Path, kind: str | None, options: Mapping[str, Any], *, dry_run: bool
) -> None:
    """Convert everything to one event set, or to one table where there are no pixels."""
    from magicnn.io import open_events
    from magicnn.io.convert import convert_events
    from magicnn.io.formats import expand_paths
    from magicnn.io.mars.tables import convert_parameters, mars_level

    if kind is None and mars_level(expand_paths(inputs)[0]) in ("I", "S", "Q"):
        stereo = bool(options.get("require_stereo", True))
        table = convert_parameters(inputs, output, require_stereo=stereo, dry_run=dry_run)
        typer.echo(f"{table} {'would be written' if dry_run else 'written'} to {output}")
        return
    if not dry_run:
        done = convert_events(inputs, output, kind=kind, **options)
        state = "written to" if done.n_converted else "stood already in"
        typer.echo(f"{done.n_events} events {state} {done.output}")
        return
    reader = open_events(inputs, kind, **options)
    meta = reader.meta
    for path in meta.source_files:
        typer.echo(f"  {path}")
    for name, count in meta.provenance.get("cut_flow", {}).items():
        typer.echo(f"  {name:<28}{count:>9}")
    megabytes = len(reader) * len(meta.telescopes) * meta.camera.n_pixels * 4 / 1e6
    first, last = (int(reader.read(row, row + 1)["run_id"][0]) for row in (0, len(reader) - 1))
    typer.echo(f"{len(reader)} events of {len(meta.source_files)} files would be written to {output}, ", nl=False)
    typer.echo(f"{', '.join(meta.telescopes)}, {_runs(first, last)}, {megabytes:.1f} MB")


def _to_folder(
    inputs: Sequence[Path],
    folder: Path,
    kind: str | None,
    *,
    options: Mapping[str, Any],
    workers: Place,
    keep_going: bool,
    dry_run: bool,
) -> None:
    """Convert every run to an event set of its own."""
    from magicnn.io.convert_many import convert_groups
    from magicnn.io.groups import group_inputs

    groups = group_inputs(inputs, kind)
    outcomes = convert_groups(
        groups,
        folder,
        options=options,
        workers=workers,
        keep_going=keep_going or dry_run,
        dry_run=dry_run,
    )
    done = [o for o in outcomes if not o.problem]
    failed = [o for o in outcomes if o.problem]
    for outcome in done:
        typer.echo(_told(outcome, folder, dry_run=dry_run))
    n_events = sum(o.n_events for o in done)
    would = "would be " if dry_run else ""
    runs = "1 run" if len(done) == 1 else f"{len(done)} runs"
    typer.echo(f"{n_events} events of {runs} {would}in {folder}" + (f", {len(failed)} failed" if failed else ""))
    for outcome in failed:
        typer.echo(f"magicnn: {outcome.group.name}: {outcome.problem}", err=True)
    if failed:
        raise typer.Exit(InputError.exit_code)


def _told(outcome: Outcome, folder: Path, *, dry_run: bool) -> str:
    """Say what became, or would become, of a run."""
    name = folder / outcome.output.name
    if not dry_run:
        state = "written to" if outcome.n_converted else "stood already in"
        return f"{outcome.n_events} events {state} {name}"
    from magicnn.io import FORMATS

    what = FORMATS[outcome.group.kind].description.split(" ", 1)[1] if outcome.group.kind else "unknown"
    head = f"{name}: {outcome.n_events} events, {', '.join(outcome.telescopes)}, {_runs(*outcome.runs)}"
    return "\n".join([head, *(f"  {path}: {what}" for path in outcome.group.files)])


def _runs(first: int, last: int) -> str:
    return f"run {first}" if first == last else f"runs {first} to {last}"
