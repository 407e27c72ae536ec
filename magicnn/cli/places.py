"""The options that say where the work of a command runs, the same for every command that takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from magicnn.executors import Place

__all__ = ["DaskOption", "SlurmOption", "WorkersOption", "chosen_place"]

WorkersOption = Annotated[int | None, typer.Option(min=1, help="Local processes; one per core when not given.")]
DaskOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Use the workers of this Dask scheduler (address or scheduler file) instead."),
]
SlurmOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Use Slurm jobs instead, as this YAML file says (analysis/slurm/workers.yaml)."),
]


def chosen_place(workers: int | None, dask: str | None, slurm: Path | None) -> Place:
    """Return where work runs, from the options of a command.

    Raises
    ------
    ConfigError
        More than one place is given, or the file of the Slurm jobs is wrong.
    """
    from magicnn.cluster import DaskScheduler, load_slurm
    from magicnn.errors import ConfigError

    if sum(choice is not None for choice in (workers, dask, slurm)) > 1:
        raise ConfigError("work runs on local processes (--workers), on Dask (--dask) or on Slurm (--slurm): give one")
    if dask is not None:
        return DaskScheduler(dask)
    return workers if slurm is None else load_slurm(slurm)
