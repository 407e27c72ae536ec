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
            help="One event set of everything, or a folder (it exists, or has no dot in its name) for one per run, "
            "in parallel; the same command continues.",
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
    require_event_set_name(output, ", or a folder: one that exists or a name without a dot")
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
    from magicnn.io.formats import expand_paths, require_known
    from magicnn.io.mars.tables import convert_parameters, mars_level
    from magicnn.summary import counted

    require_known(kind)
    files = expand_paths(inputs, kind)
    if kind is None and mars_level(files[0]) in ("I", "S", "Q"):
        stereo = bool(options.get("require_stereo", True))
        table = convert_parameters(files, output, require_stereo=stereo, dry_run=dry_run)
        typer.echo(f"{table} {'would be written' if dry_run else 'written'} to {output}")
        return
    if not dry_run:
        done = convert_events(files, output, kind=kind, **options)
        state = "written to" if done.n_converted else "stood already in"
        typer.echo(f"{counted(done.n_events, 'event')} {state} {done.output}")
        return
    reader = open_events(files, kind, **options)
    meta = reader.meta
    for path in meta.source_files:
        typer.echo(f"  {path}")
    for name, count in meta.provenance.get("cut_flow", {}).items():
        if count:
            typer.echo(f"  {name:<28}{count:>9}")
    megabytes = len(reader) * len(meta.telescopes) * meta.camera.n_pixels * 4 / 1e6
    first, last = (int(reader.read(row, row + 1)["run_id"][0]) for row in (0, len(reader) - 1))
    what = f"{counted(len(reader), 'event')} of {counted(len(meta.source_files), 'file')}"
    typer.echo(f"{what} would be written to {output}, ", nl=False)
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
    from magicnn.summary import counted

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
    total = f"{counted(sum(o.n_events for o in done), 'event')} of {counted(len(done), 'run')}"
    would = "would be " if dry_run else ""
    typer.echo(f"{total} {would}in {folder}" + (f", {len(failed)} failed" if failed else ""))
    for outcome in failed:
        typer.echo(f"magicnn: {outcome.group.name}: {outcome.problem}", err=True)
    if failed:
        raise typer.Exit(InputError.exit_code)


def _told(outcome: Outcome, folder: Path, *, dry_run: bool) -> str:
    """Say what became, or would become, of a run."""
    from magicnn.io import FORMATS
    from magicnn.summary import counted

    name = folder / outcome.output.name
    events = counted(outcome.n_events, "event")
    if not dry_run:
        return f"{events} {'written to' if outcome.n_converted else 'stood already in'} {name}"
    what = FORMATS[outcome.group.kind].description.split(" ", 1)[1] if outcome.group.kind else "unknown"
    head = f"{name}: {events}, {', '.join(outcome.telescopes)}, {_runs(*outcome.runs)}"
    return "\n".join([head, *(f"  {path}: {what}" for path in outcome.group.files)])


def _runs(first: int, last: int) -> str:
    return f"run {first}" if first == last else f"runs {first} to {last}"
