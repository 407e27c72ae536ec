"""All groups of lines, in the order of the page, and how they are run and kept."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from magicnn import __version__
from magicnn.errors import ConfigError
from magicnn.runs import read_json, write_json
from validation.lines import Group, demand_sources
from validation.store import Store

__all__ = ["GROUPS", "Entry", "validate_groups"]

_LOG = logging.getLogger("magicnn.validation")


@dataclass(frozen=True)
class Entry:
    """A group: its title, what it is about, and the module whose ``validate(store, figures)`` makes it."""

    title: str
    text: str
    module: str


GROUPS: Mapping[str, Entry] = {
    "air": Entry(
        "Air and electromagnetic interactions",
        "Values of the atmosphere and of the cross sections, and what the sampling makes of them.",
        "validation.air",
    ),
    "profiles": Entry(
        "Longitudinal development",
        "Mean profiles of electrons above the local Cherenkov threshold, of vertical showers.",
        "validation.profiles",
    ),
    "light": Entry(
        "Light on the ground",
        "All photons from 290 to 700 nm that cross spheres of 5 m radius at 2200 m, without extinction, as CORSIKA "
        "counts them.",
        "validation.light",
    ),
    "geant4": Entry(
        "Tracks and light beside Geant4",
        "Vertical gammas of 100 GeV without magnetic field; Geant4 11.4 followed 200 of them through the same air, its "
        "light was drawn in straight lines. It shares no code with this package, but read the differential cross "
        "section of bremsstrahlung below 1 GeV from here.",
        "validation.cascade_group",
    ),
    "protons": Entry(
        "Light of protons",
        "Vertical protons, counted as the gammas above.",
        "validation.protons",
    ),
    "hadrons": Entry(
        "Single interactions of hadrons",
        "Events of the hadron library as a shower draws them, and the cross sections that go with them.",
        "validation.hadrons",
    ),
    "corsika": Entry(
        "Light beside CORSIKA's showers",
        "Each CORSIKA shower beside showers of ours of its energy, first interaction, magnetic field and distances.",
        "validation.corsika_group",
    ),
    "muons": Entry(
        "Muon rings",
        "Vertical muons that start just high enough to make the whole ring.",
        "validation.muons",
    ),
    "electronics": Entry(
        "Empty pixels beside pedestal events",
        "Simulated empty pixels beside the pedestal events of a real run.",
        "validation.pedestals",
    ),
    "images": Entry("Images of gammas", "Ring gammas at zenith 19 to 21 deg.", "validation.images"),
    "area": Entry(
        "Effective area and energy threshold",
        "Ring gammas at zenith 19 to 21 deg beside the published effective area after all cuts; thresholds "
        "of three zenith ranges.",
        "validation.area",
    ),
    "rates": Entry(
        "Trigger rate of cosmic rays",
        "Protons and helium at zenith 18 to 22 deg, and what the night sky triggers. Heavier nuclei, with their higher "
        "thresholds, are not simulated.",
        "validation.rates",
    ),
    "cosmics": Entry(
        "Real cosmic rays beside simulated ones",
        "Two hundred real events of unknown kind, nearly all cosmic rays, judge the mean shapes of images.",
        "validation.cosmics",
    ),
    "separation": Entry(
        "Gamma/hadron separation",
        "A random forest on image parameters, trained on one half of the showers and judged on the other.",
        "validation.separation",
    ),
}
"""Name, title, text and module of each group."""


def validate_groups(store: Store, names: Sequence[str], figures: Path) -> list[dict[str, Any]]:
    """Run some groups and give the records of all that were ever run in this folder.

    Parameters
    ----------
    store : Store
    names : sequence of str
        Groups to run.
    figures : Path
        Folder of the figures.

    Returns
    -------
    list of dict
        In the order of `GROUPS`: name, title, text, lines, figures, missing, and how it was made.
    """
    records = []
    for name, entry in GROUPS.items():
        path = store.folder / "groups" / f"{name}.json"
        if name in names:
            _LOG.info("validating: %s", entry.title)
            store.cpu_s = 0.0
            made = _run(entry, store, figures)
            record = {
                "name": name,
                "lines": [
                    asdict(line) | {"verdict": line.verdict, "accepted": line.accepted, "shown": line.shown}
                    for line in made.lines
                ],
                "figures": [asdict(figure) for figure in made.figures],
                "missing": made.missing,
                "made": {
                    "utc": datetime.now(UTC).isoformat(timespec="minutes"),
                    "scale": store.scale,
                    "code": store.code,
                    "version": __version__,
                    "cpu_s": store.cpu_s,
                },
            }
            write_json(path, record)
        if path.is_file():
            records.append(read_json(path) | {"title": entry.title, "text": entry.text})
    return records


def _run(entry: Entry, store: Store, figures: Path) -> Group:
    result: Group = import_module(entry.module).validate(store, figures)
    keys = [line.key for line in result.lines]
    if len(set(keys)) < len(keys):
        raise ConfigError(f"{entry.module}: two lines have the same key")
    demand_sources(result.lines)
    return result
