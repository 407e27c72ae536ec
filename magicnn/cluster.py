"""Workers beyond this process: a Dask scheduler by its address, and one of our own whose workers are Slurm jobs."""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from magicnn.config import Settings, read_yaml, validate_settings
from magicnn.errors import ConfigError, MagicnnError, optional_import

__all__ = ["DaskScheduler", "SlurmSettings", "load_slurm", "open_cluster", "slurm_script"]

_LOG = logging.getLogger(__name__)

_PATIENCE_S = 10  # for a scheduler to answer
_POLL_S = 5.0
_GONE = "the same command continues with what is done"


@dataclass(frozen=True)
class DaskScheduler:
    """A Dask scheduler that runs already, with its workers.

    Attributes
    ----------
    address : str
        Such as ``tcp://head:8786``, or its scheduler file.
    """

    address: str


class SlurmSettings(Settings):
    """Slurm jobs that are started for the work, one worker process on each of their cores, and ended after it."""

    settings_of: ClassVar[str] = "Slurm jobs of workers"
    example_file: ClassVar[str] = "analysis/slurm/workers.yaml"

    jobs: int = Field(default=1, ge=1, description="number of jobs")
    cores: int = Field(default=1, ge=1, description="cores, and worker processes, of each job")
    memory: str = Field(
        default="2GB", min_length=2, description="memory of each job; a simulating process takes 0.5 GB"
    )
    walltime: str = Field(default="04:00:00", description="time limit of each job")
    partition: str | None = Field(default=None, description="partition, the cluster's default otherwise")
    account: str | None = Field(default=None, description="account to be charged")
    directives: tuple[str, ...] = Field(default=(), description="further options of sbatch, such as --qos=low")
    prologue: tuple[str, ...] = Field(
        default=(), description="lines of shell before the worker starts, such as source .venv/bin/activate"
    )
    python: str | None = Field(
        default=None, description="interpreter of the workers, the one of this process otherwise"
    )
    interface: str | None = Field(default=None, description="network interface between scheduler and workers, as ib0")
    logs: Path = Field(default=Path("slurm_logs"), description="folder of the jobs' output")
    scratch: str = Field(default="/tmp", description="folder on the nodes for what does not fit into memory")


def load_slurm(path: Path | str) -> SlurmSettings:
    """Read the settings of Slurm jobs from a YAML file.

    Raises
    ------
    ConfigError
        The file cannot be read, or a setting is wrong.
    """
    return validate_settings(SlurmSettings, read_yaml(path, SlurmSettings), where=str(path))


def slurm_script(settings: SlurmSettings) -> str:
    """Return the job script that the workers are started with, for a scheduler at a made-up address.

    Raises
    ------
    MissingDependencyError
        dask-jobqueue is not installed.
    """
    jobqueue = optional_import("dask_jobqueue", purpose="start Slurm jobs", extra="cluster")
    script: str = jobqueue.slurm.SLURMJob("tcp://head:8786", name="magicnn", **_job_options(settings)).job_script()
    return script


@contextlib.contextmanager
def open_cluster(place: DaskScheduler | SlurmSettings) -> Iterator[tuple[Executor, int, type[BaseException]]]:
    """Connect to workers while the block lasts.

    Parameters
    ----------
    place : DaskScheduler or SlurmSettings
        A scheduler that runs, or the jobs to start.

    Yields
    ------
    executor : concurrent.futures.Executor
    number : int
        Processes that work, or will when all jobs run.
    killed : exception type
        What a future raises once several workers have died of it; Dask gives the work of a dead worker to another one
        by itself (``distributed.scheduler.allowed-failures`` times, 3 unless configured).

    Raises
    ------
    ConfigError
        There is no scheduler at the address, or it has no workers, or none that can import magicnn; or Slurm refuses
        the jobs, or they end before they work.
    MissingDependencyError
        Dask is not installed.
    MagicnnError
        The scheduler went away during the block.
    """
    distributed = optional_import("distributed", purpose="use workers of Dask", extra="cluster")
    opened = _slurm_client(place) if isinstance(place, SlurmSettings) else _dask_client(place.address, distributed)
    with opened as (client, number, name):
        _require_package(client, name)
        # what is computed depends on its arguments alone, but two identical calls must not be taken for one
        executor = client.get_executor(pure=False)
        try:
            yield executor, number, distributed.scheduler.KilledWorker
        except (distributed.comm.CommClosedError, CancelledError) as error:
            raise MagicnnError(f"{name}: the scheduler went away; {_GONE}") from error
        finally:
            executor.shutdown(wait=False)


@contextlib.contextmanager
def _dask_client(address: str, distributed: Any) -> Iterator[tuple[Any, int, str]]:
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = distributed.Client(**where, timeout=_PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{address}: no Dask scheduler answers there ({error or type(error).__name__})") from error
    with contextlib.closing(client):
        number = sum(client.nthreads().values())
        if number == 0:
            raise ConfigError(f"{address}: the Dask scheduler has no workers; start some with: dask worker {address}")
        yield client, number, address


@contextlib.contextmanager
def _slurm_client(settings: SlurmSettings) -> Iterator[tuple[Any, int, str]]:
    jobqueue = optional_import("dask_jobqueue", purpose="start Slurm jobs", extra="cluster")
    distributed = optional_import("distributed", purpose="use workers of Dask", extra="cluster")
    _require_acceptance(settings)
    settings.logs.mkdir(parents=True, exist_ok=True)
    with (
        jobqueue.SLURMCluster(**_job_options(settings), scheduler_options={"dashboard": False}) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        cluster.scale(jobs=settings.jobs)
        _LOG.info("Slurm: %d jobs of %d workers; waiting for the first one", settings.jobs, settings.cores)
        while not client.nthreads():
            time.sleep(_POLL_S)
            if not client.nthreads() and not _queued(cluster):
                raise ConfigError(f"Slurm: the jobs ended before they worked; why is said in {settings.logs}")
        # jobs that reach their time limit, or are cancelled, are replaced
        cluster.adapt(minimum_jobs=settings.jobs, maximum_jobs=settings.jobs)
        yield client, settings.jobs * settings.cores, "Slurm"


def _job_options(settings: SlurmSettings) -> dict[str, Any]:
    """Arguments of dask-jobqueue."""
    return {
        "job_name": "magicnn",
        "cores": settings.cores,
        "processes": settings.cores,
        "memory": settings.memory,
        "walltime": settings.walltime,
        "queue": settings.partition,
        "account": settings.account,
        "job_extra_directives": list(settings.directives),
        "job_script_prologue": list(settings.prologue),
        "python": settings.python,
        "interface": settings.interface,
        "log_directory": str(settings.logs),
        "local_directory": settings.scratch,
    }


def _require_acceptance(settings: SlurmSettings) -> None:
    """Let Slurm check the job script: afterwards its refusal would be lost in the log of a scheduler."""
    if shutil.which("sbatch") is None:
        raise ConfigError("Slurm: no command sbatch on this machine; start from a node that submits jobs")
    done = subprocess.run(
        ["sbatch", "--test-only"], input=slurm_script(settings), capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise ConfigError(f"Slurm does not take the jobs: {said.removeprefix('sbatch: error: ')}")


def _queued(cluster: Any) -> bool:
    """Whether Slurm still holds a job of a cluster, or it has none submitted yet."""
    jobs = [str(job.job_id) for job in cluster.workers.values() if getattr(job, "job_id", None)]
    if not jobs:
        return bool(cluster.worker_spec)
    found = subprocess.run(["squeue", "-h", "-j", ",".join(jobs)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip())


def _require_package(client: Any, name: str) -> None:
    """Make sure that a worker has this package, before every piece of work fails for the lack of it."""
    own = metadata.version("magicnn")
    try:
        found = client.submit(metadata.version, "magicnn", pure=False).result()
    except metadata.PackageNotFoundError as error:
        raise ConfigError(f"{name}: its workers cannot import magicnn; start them in its environment") from error
    if found != own:
        _LOG.warning("%s: its workers have magicnn %s, this is %s", name, found, own)
