"""Stages of a job: each is done once, remembered in the run directory, and done again only when asked."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from magicnn.errors import ConfigError, InputError
from magicnn.runs import content_hash, read_json, write_json

__all__ = ["Stage", "State", "execute", "stage_counts", "stage_settings", "stage_states"]

_LOG = logging.getLogger(__name__)

State = Literal["done", "to do", "changed"]
"""Of a stage in a run directory; ``"changed"`` is one that was done with other settings."""


@dataclass(frozen=True)
class Stage:
    """One step of a job.

    Attributes
    ----------
    name : str
        Unique; file name of its record.
    title : str
        What the log says it does.
    work : callable
        Does it; returns the counts to be kept.
    outputs : tuple of Path
        Files that exist when it is done.
    settings : mapping
        Plain values that its result depends on.
    needs : tuple of str
        Names of earlier stages that its result depends on.
    is_cheap : bool
        Done again without asking when what it depends on changed.
    """

    name: str
    title: str
    work: Callable[[], Mapping[str, Any]]
    outputs: tuple[Path, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    is_cheap: bool = False


def execute(
    stages: Sequence[Stage],
    directory: Path,
    *,
    update: bool = False,
    dropped: Sequence[Stage] = (),
    on_start: Callable[[], None] | None = None,
) -> int:
    """Do the stages that are not done yet, in order.

    Parameters
    ----------
    stages : sequence of Stage
        In an order in which every stage follows what it needs.
    directory : Path
        Run directory; records go to its folder ``stages``.
    update : bool
        Do stages again whose settings changed since they were done.
    dropped : sequence of Stage
        What an earlier call may have done but is no part of the job any more: outputs and records are removed.
    on_start : callable, optional
        Called before the first stage, once it is clear that there is something to do and no setting contradicts.

    Returns
    -------
    int
        Number of stages that had to be done.

    Raises
    ------
    ConfigError
        A stage was done with other settings and ``update`` is False.
    """
    keys = _keys(stages)
    states = stage_states(stages, directory)
    outdated = [s for s in stages if states[s.name] == "changed"]
    todo = [s for s in stages if states[s.name] != "done"]
    for stage in outdated:
        if not update and not stage.is_cheap:
            raise ConfigError(
                f"{directory}: {stage.title} was done with other settings ({_changes(directory, stage)}); "
                "give another --output, or --update to do again what the changed settings touch"
            )
    if todo and on_start is not None:
        on_start()
    for stage in outdated:
        for path in stage.outputs:
            path.unlink()
    for stage in dropped:
        _drop(stage, directory)
    for number, stage in enumerate(todo, start=1):
        _LOG.info("[%d/%d] %s", number, len(todo), stage.title)
        started = time.monotonic()
        partial = _record_path(directory, stage.name)
        partial.unlink(missing_ok=True)
        counts = stage.work()
        seconds = time.monotonic() - started
        write_json(
            partial,
            {
                "name": stage.name,
                "title": stage.title,
                "key": keys[stage.name],
                "settings": dict(stage.settings),
                "seconds": seconds,
                "counts": dict(counts),
            },
        )
        _LOG.info("[%d/%d] %s: done in %.0f s", number, len(todo), stage.title, seconds)
    return len(todo)


def stage_states(stages: Sequence[Stage], directory: Path) -> dict[str, State]:
    """Tell which stages are done, by name; ``stages`` in an order in which every stage follows what it needs."""
    keys = _keys(stages)
    states: dict[str, State] = {}
    for stage in stages:
        record = _record(directory, stage.name)
        if record is None or not all(path.exists() for path in stage.outputs):
            states[stage.name] = "to do"
        else:
            states[stage.name] = "done" if record["key"] == keys[stage.name] else "changed"
    return states


def stage_counts(directory: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what finished stages counted, and how long they took, by name."""
    found = {}
    for name in names:
        record = _record(directory, name)
        if record is not None:
            found[name] = {"title": record["title"], "seconds": record["seconds"], **record["counts"]}
    return found


def stage_settings(directory: Path, name: str) -> dict[str, Any]:
    """Return the settings that a finished stage was done with, none when it was not done."""
    record = _record(directory, name)
    return {} if record is None else dict(record["settings"])


def _keys(stages: Sequence[Stage]) -> dict[str, str]:
    """Hash of the settings of every stage and of the stages it needs."""
    keys: dict[str, str] = {}
    for stage in stages:
        keys[stage.name] = content_hash([stage.name, stage.settings, {n: keys[n] for n in stage.needs}])
    return keys


def _drop(stage: Stage, directory: Path) -> None:
    there = [path for path in (*stage.outputs, _record_path(directory, stage.name)) if path.exists()]
    for path in there:
        path.unlink()
    if there:
        _LOG.info("removed what was left of an earlier call: %s", stage.title)


def _changes(directory: Path, stage: Stage) -> str:
    """Name the settings that differ from those of the record."""
    before, now = (
        dict(_flat((_record(directory, stage.name) or {}).get("settings", {}))),
        dict(_flat(json.loads(json.dumps(dict(stage.settings), default=str)))),
    )
    different = [k for k in sorted(before.keys() | now.keys()) if before.get(k) != now.get(k)]
    shown = [f"{k}: {before.get(k)} before, {now.get(k)} now" for k in different[:3]]
    if len(different) > len(shown):
        shown.append(f"and {len(different) - len(shown)} more")
    return ", ".join(shown) or "of a stage before it"


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _flat(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, values


def _record_path(directory: Path, name: str) -> Path:
    return directory / "stages" / f"{name}.json"


def _record(directory: Path, name: str) -> dict[str, Any] | None:
    path = _record_path(directory, name)
    if not path.exists():
        return None
    try:
        record: dict[str, Any] = read_json(path)
    except InputError:
        return None
    return record
