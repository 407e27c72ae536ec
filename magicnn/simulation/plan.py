"""What a production would do at its place: begin, continue, replace, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magicnn.errors import ConfigError, InputError
from magicnn.io.eventset.journal import read_identity
from magicnn.io.eventset.reader import EventSet
from magicnn.io.eventset.writer import partial_path
from magicnn.runs import content_hash
from magicnn.simulation.settings import ProductionSettings

__all__ = ["Plan", "plan_production"]


@dataclass(frozen=True)
class Plan:
    """What a production would do at its place.

    Attributes
    ----------
    wanted : dict
        What the event set will say of settings, seed and numbers.
    is_complete : bool
        There is nothing to do.
    action : str
        What would happen to the event set, completing its name.
    replaces : Path or None
        Unfinished production of other settings that will be deleted.
    """

    wanted: dict[str, Any]
    is_complete: bool = False
    action: str = "would be written"
    replaces: Path | None = None


def plan_production(
    settings: ProductionSettings,
    path: Path | str,
    *,
    n_events: int | None = None,
    n_showers: int | None = None,
    seed: int,
    overwrite: bool = False,
) -> Plan:
    """Say what `produce` would do, or raise what it would raise, without a change to any file."""
    target = Path(path)
    numbers = [n for n in (n_events, n_showers) if n is not None]
    if not numbers or min(numbers) < 1 or seed < 0:
        raise ConfigError(
            "expected at least one event or shower, and a seed from 0 on; "
            f"got {n_events} events, {n_showers} showers, seed {seed}"
        )
    wanted = {"settings": content_hash(settings.model_dump(mode="json")), "seed": seed, "n_events": n_events}
    if n_showers is not None:
        wanted["n_showers_wanted"] = n_showers
    if target.is_file():
        stored = _stored(target)
        if all(stored.get(key) == wanted.get(key) for key in (*wanted, "n_showers_wanted")):
            return Plan(wanted, is_complete=True, action="is complete already")
        if not overwrite and any(stored.get(key) != wanted[key] for key in ("settings", "seed")):
            raise InputError(
                f"{target}: is there already and not an event set of {settings.name} with these settings and seed "
                f"{seed}; give another output, or overwrite it (--overwrite)"
            )
    partial = partial_path(target)
    left = read_identity(partial)
    if left is None:
        return Plan(wanted, action="would be replaced" if target.exists() else "would be written")
    if all(left.get("generated", {}).get(key) == wanted[key] for key in ("settings", "seed")):
        return Plan(wanted, action="is unfinished and would be continued")
    if not overwrite:
        raise InputError(
            f"{partial}: was left by an unfinished production of other settings; continue that one, give another "
            "output, or replace it (--overwrite)"
        )
    return Plan(wanted, action="would be begun anew", replaces=partial)


def _stored(path: Path) -> Mapping[str, Any]:
    """What an event set says of its generation, nothing for any other file."""
    try:
        with EventSet(path) as found:
            return found.meta.generated
    except InputError:
        return {}
