"""Many conversions at once: one event set per run, on local processes or a cluster, whatever becomes of single runs."""

from __future__ import annotations

import logging
import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magicnn.errors import ConfigError, InputError, MagicnnError
from magicnn.executors import Place, Workers, interrupts_held, is_here, n_cores, open_workers
from magicnn.hdf5 import one_line
from magicnn.io.convert import convert_events
from magicnn.io.formats import open_events
from magicnn.io.groups import InputGroup
from magicnn.runs import progress

__all__ = ["Outcome", "convert_groups"]

_log = logging.getLogger(__name__)

_DIED = "the process that worked on it died, maybe for lack of memory or of the damage in its files"

Task = tuple[InputGroup, Path]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one group of input files.

    Attributes
    ----------
    group : InputGroup
        The files.
    output : Path
        Their event set.
    n_events : int
        Events in it, or that would be in it.
    n_converted : int
        Events read and written now; the others stood already.
    telescopes : tuple of str
    runs : tuple of int
        First and last run.
    warnings : tuple of str
        What the reader said.
    problem : str
        Why there is no event set, in one line; empty when there is one.
    is_setting : bool
        Whether the problem is a setting that does not fit these files.
    """

    group: InputGroup
    output: Path
    n_events: int = 0
    n_converted: int = 0
    telescopes: tuple[str, ...] = ()
    runs: tuple[int, int] = (0, 0)
    warnings: tuple[str, ...] = ()
    problem: str = ""
    is_setting: bool = False


def convert_groups(
    groups: Sequence[InputGroup],
    folder: Path | str,
    *,
    options: Mapping[str, Any] | None = None,
    workers: Place = None,
    keep_going: bool = False,
    dry_run: bool = False,
) -> list[Outcome]:
    """Convert every group to an event set of its name.

    Parameters
    ----------
    groups : sequence of InputGroup
        From `magicnn.io.groups.group_inputs`.
    folder : path
        Where the event sets go; created when it is not there.
    options : mapping, optional
        For the reader of the source.
    workers : int, DaskScheduler or SlurmSettings, optional
        Local processes, or others, which see the same files under the same names; a process per core when not given.
    keep_going : bool
        Go on with the other groups when one fails.
    dry_run : bool
        Open the inputs and say what is in them; write nothing.

    Returns
    -------
    list of Outcome
        One per group, in order; with ``keep_going`` those that failed have a ``problem``.

    Raises
    ------
    InputError
        Without ``keep_going``: the first group that failed. What runs then is finished, the others are not begun; the
        same call continues.
    ConfigError
        The number of workers or an option is wrong (with ``keep_going`` an option that fits none of the groups), or the
        workers cannot be reached.
    """
    is_here(workers)  # a wrong number is told before any file is opened
    target = Path(folder).absolute()
    tasks = [(group, target / f"{group.name}.h5") for group in groups]
    done: dict[str, Outcome] = {}
    said: dict[str, list[str]] = {}
    with (
        closing(_outcomes(tasks, dict(options or {}), workers, dry_run=dry_run)) as outcomes,
        progress(total=len(tasks), description="opening" if dry_run else "converting", unit="run") as bar,
    ):
        for outcome in outcomes:
            for text in outcome.warnings:
                said.setdefault(text, []).append(outcome.group.name)
            if outcome.is_setting and not keep_going:
                raise ConfigError(outcome.problem)
            if outcome.problem and not keep_going:
                stopped = f" (stopped after {len(done)} of {len(tasks)} runs; --keep-going goes on with the others)"
                raise InputError(outcome.problem + (stopped if len(tasks) > 1 else ""))
            done[outcome.group.name] = outcome
            bar.update(1)
    for text, names in said.items():
        _log.warning("%s%s: %s", names[0], f" and {len(names) - 1} more" if len(names) > 1 else "", text)
    if done and all(outcome.is_setting for outcome in done.values()):
        raise ConfigError(next(iter(done.values())).problem)
    return [done[group.name] for group in groups]


def _outcomes(tasks: Sequence[Task], options: dict[str, Any], workers: Place, *, dry_run: bool) -> Generator[Outcome]:
    """Work through the tasks, in the order in which they end."""
    work: Callable[..., Outcome] = _look_at if dry_run else _convert
    hopeless = [task for task in tasks if task[0].problem]
    for group, output in hopeless:
        yield Outcome(group, output, problem=group.problem)
    waiting = deque(task for task in tasks if not task[0].problem)
    if workers is None or isinstance(workers, int):
        workers = max(1, min(workers or n_cores(), len(waiting)))
    if is_here(workers):
        while waiting:
            yield work(*waiting.popleft(), options)
        return
    while waiting:
        lost = yield from _until_loss(work, waiting, options, workers)
        for task in lost:  # each of them alone: the one whose process dies again is to blame
            if (yield from _until_loss(work, deque([task]), options, 1)):
                yield _died(task)


def _until_loss(
    work: Callable[..., Outcome], waiting: deque[Task], options: dict[str, Any], workers: Place
) -> Generator[Outcome, None, list[Task]]:
    """Work in parallel until nothing is left, or local processes broke down; return what was worked on then."""
    lost: list[Task] = []
    running: dict[Future[Outcome], Task] = {}
    with _killed_when_interrupted(), open_workers(workers) as found:
        while running or (waiting and not lost):
            with interrupts_held():
                while waiting and not lost and len(running) < found.number:
                    task = waiting.popleft()
                    if not _submit(found, work, task, options, running):
                        lost.append(task)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(future)
                try:
                    yield future.result()
                except found.losses:
                    if found.tries_again:
                        yield _died(task)
                    else:
                        lost.append(task)
    return lost


def _died(task: Task) -> Outcome:
    return Outcome(*task, problem=f"{task[0].files[0]}: {_DIED}")


def _submit(
    found: Workers,
    work: Callable[..., Outcome],
    task: Task,
    options: dict[str, Any],
    running: dict[Future[Outcome], Task],
) -> bool:
    try:
        running[found.executor.submit(work, *task, options)] = task
    except found.losses:
        return False
    return True


@contextmanager
def _killed_when_interrupted() -> Iterator[None]:
    """End the processes that were started in this block when it is interrupted: conversions continue another time."""
    before = set(multiprocessing.active_children())
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise


def _convert(group: InputGroup, output: Path, options: dict[str, Any]) -> Outcome:
    def conversion() -> dict[str, Any]:
        done = convert_events(_absolute(group), output, kind=group.kind, show_progress=False, **options)
        return {"n_events": done.n_events, "n_converted": done.n_converted}

    return _told(group, output, conversion)


def _look_at(group: InputGroup, output: Path, options: dict[str, Any]) -> Outcome:
    def look() -> dict[str, Any]:
        reader = open_events(_absolute(group), group.kind, **options)
        ends = [int(reader.read(row, row + 1)["run_id"][0]) for row in (0, len(reader) - 1)]
        return {"n_events": len(reader), "telescopes": reader.meta.telescopes, "runs": (ends[0], ends[1])}

    return _told(group, output, look)


def _absolute(group: InputGroup) -> list[Path]:
    """Paths that mean the same in every process, so that a conversion continues wherever it began."""
    return [path.absolute() for path in group.files]


def _told(group: InputGroup, output: Path, work: Callable[[], dict[str, Any]]) -> Outcome:
    """Do the work; its warnings and its error become part of the outcome, which travels between processes."""
    logger = logging.getLogger("magicnn")
    keep = _Keep(logging.WARNING)
    before = logger.handlers[:]
    logger.handlers[:] = [keep]
    problem, found, is_setting = "", {}, False
    try:
        found = work()
    except ConfigError as error:
        problem, is_setting = str(error), True
    except MagicnnError as error:
        problem = str(error)
    except OSError as error:
        problem = f"{error.filename or group.files[0]}: {error.strerror or error}"
    except Exception as error:  # whatever is wrong with one run must not stop the others
        problem = f"{group.files[0]}: cannot be read ({type(error).__name__}: {one_line(error)[:200]})"
    finally:
        logger.handlers[:] = before
    return Outcome(group, output, warnings=tuple(keep.said), problem=problem, is_setting=is_setting, **found)


class _Keep(logging.Handler):
    """Keeps what is logged."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
