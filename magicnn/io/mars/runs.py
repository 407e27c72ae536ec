"""Which files of MARS belong together, their order, and what holds for the events of all of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from magicnn.errors import InputError
from magicnn.events import EventMeta
from magicnn.io.mars.files import MarsFile
from magicnn.io.mars.names import LEVELS, partner_path
from magicnn.io.mars.truth import merge_generated, particle_name
from magicnn.runs import provenance

__all__ = ["check_together", "events_meta", "in_order", "runs_without_partner"]

_log = logging.getLogger(__name__)


def check_together(files: Sequence[MarsFile]) -> None:
    """Refuse data mixed with simulations, levels mixed, and the same file given twice.

    Raises
    ------
    InputError
        They do not belong together.
    """
    first = files[0]
    seen: dict[tuple[int, int, str], MarsFile] = {}
    for f in files:
        if f.is_simulation != first.is_simulation:
            data, simulated = (first, f) if f.is_simulation else (f, first)
            raise InputError(f"{data.path} is real data and {simulated.path} a simulation: read them separately")
        if f.level != first.level:
            raise InputError(
                f"{first.path} is a {LEVELS[first.level]} file and {f.path} a {LEVELS[f.level]} one: "
                "read them separately"
            )
        part = "" if f.subrun is None else f"sub-run {f.subrun}"
        if not part and not f.is_simulation:
            part = f"starting at {f.start_utc_ns} ns"
        other = seen.setdefault((f.telescope, f.run_id, part), f)
        if other is not f:
            raise InputError(
                f"two files of M{f.telescope}, run {f.run_id}{part and ', '}{part}: {other.path} and {f.path}; "
                "give one of them"
            )


def runs_without_partner(files: Sequence[MarsFile], *, require_stereo: bool) -> set[int]:
    """Return the runs of which only one telescope is given.

    Raises
    ------
    InputError
        There are some, and both telescopes are required.
    """
    runs = [{f.run_id for f in files if f.telescope == telescope} for telescope in (1, 2)]
    alone = runs[0] ^ runs[1]
    if not alone:
        return alone
    lonely = next(f for f in files if f.run_id in alone)
    other = 3 - lonely.telescope
    if not require_stereo:
        _log.warning(
            "only one telescope for run %s: the images of the other one are NaN", ", ".join(map(str, sorted(alone)))
        )
        return alone
    if runs[0] and runs[1] and not runs[0] & runs[1]:
        m1, m2 = (next(f for f in files if f.telescope == telescope) for telescope in (1, 2))
        raise InputError(
            f"M1 and M2 are of different runs: {m1.path} is run {m1.run_id}, {m2.path} is run {m2.run_id}; "
            "give both telescopes of one run"
        )
    expected = partner_path(lonely.path)
    name = f", expected {expected}" if expected != lonely.path else ""
    raise InputError(
        f"{lonely.path}: M{other} of run {lonely.run_id} is missing{name}; give both files, or make an event set of "
        "one telescope with magicnn convert --mono (in Python: require_stereo=False)"
    )


def in_order(files: Sequence[MarsFile]) -> list[MarsFile]:
    """Sort by run, sub-run, time of the first event, and telescope."""
    return sorted(files, key=lambda f: (f.run_id, f.subrun or 0, f.start_utc_ns, f.telescope))


def events_meta(
    files: Sequence[MarsFile],
    columns: Mapping[str, NDArray[Any]],
    counts: Mapping[str, int],
    *,
    record: Mapping[str, Any],
    **readout: Any,
) -> EventMeta:
    """Return what holds for the events of several files.

    Parameters
    ----------
    files : sequence of MarsFile
        Files that passed `check_together`.
    columns : mapping of str to array, [N]
        Columns of the events.
    counts : mapping of str to int
        Cut flow.
    record : mapping
        More for the provenance.
    **readout
        ``sampling_gsps`` and the like of `magicnn.events.EventMeta`.

    Returns
    -------
    EventMeta
    """
    first = files[0]
    generated: dict[str, Any] = {}
    particle = None
    if first.is_simulation:
        # what was thrown counts once: per run of files of one telescope, per file of those of both
        parts: dict[Any, tuple[Path, dict[str, Any] | None]] = {}
        for f in files:
            key = f.path if f.level in "SQ" else f.run_id
            if key not in parts or parts[key][1] is None:
                parts[key] = (f.path, f.generated)
        generated = merge_generated([parts[key] for key in sorted(parts)])
        cone = generated.get("viewcone_max_deg", 0.0) - generated.get("viewcone_min_deg", 0.0)
        particle = particle_name(columns["true_particle"], viewcone_deg=cone)
    modes = {f.trigger.mode for f in files if f.trigger.mode}
    if len(modes) > 1:
        _log.warning("events of different triggers together: %s", "; ".join(sorted(modes)))
    said = {
        "trigger": "; ".join(sorted(modes)),
        "trigger_table": "; ".join(sorted({f.trigger.table for f in files if f.trigger.table})),
        "mars_software": "; ".join(sorted({f.software for f in files if f.software})),
    }
    return EventMeta(
        particle=particle,
        production=", ".join(dict.fromkeys(f.source for f in files if f.source)),
        is_simulation=first.is_simulation,
        source_files=tuple(dict.fromkeys(str(f.path) for f in files)),
        generated=generated,
        provenance={
            **provenance(),
            "format": f"MARS {LEVELS[first.level]}",
            "cut_flow": dict(counts),
            **{name: value for name, value in said.items() if value},
            **record,
        },
        **readout,
    )
