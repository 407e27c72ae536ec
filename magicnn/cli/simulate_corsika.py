"""What ``magicnn simulate`` does with CORSIKA: files of photons in, input cards out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from magicnn.errors import ConfigError, InputError

if TYPE_CHECKING:
    from magicnn.simulation.corsika_run import Pointing
    from magicnn.simulation.settings import ProductionSettings

__all__ = ["read_files", "write_cards"]


def read_files(
    settings: ProductionSettings,
    files: Sequence[Path],
    output: Path,
    *,
    seed: int,
    telescopes: str | None,
    pointing: str,
    overwrite: bool,
) -> None:
    """Pass the showers in files of CORSIKA through the telescopes."""
    from magicnn.io.eventset.reader import EventSet
    from magicnn.simulation.corsika import produce_from_corsika

    path = produce_from_corsika(
        settings,
        files,
        output,
        seed=seed,
        telescopes=_telescopes(telescopes),
        pointing=_pointing(pointing),
        overwrite=overwrite,
    )
    with EventSet(path) as done:
        typer.echo(f"{len(done)} events of {done.meta.generated['n_thrown']} uses of CORSIKA's showers in {output}")


def write_cards(
    settings: ProductionSettings, output: Path | None, *, n_showers: int, seed: int, slices: int, overwrite: bool
) -> None:
    """Write CORSIKA's input card of a production, or one for each slice of energy."""
    from magicnn.runs import atomic_path
    from magicnn.simulation.corsika_card import input_cards

    cards = input_cards(settings, n_showers, seed, n_slices=slices)
    if output is None:
        if slices > 1:
            raise ConfigError("cards of several slices need files: give --output NAME for NAME_1, NAME_2, ...")
        typer.echo(cards[0], nl=False)
        return
    names = [output] if slices == 1 else [output.with_stem(f"{output.stem}_{i + 1}") for i in range(slices)]
    taken = [name for name in names if name.exists()]
    if taken and not overwrite:
        raise InputError(f"{taken[0]}: is there already; give another --output, or --overwrite")
    for name, card in zip(names, cards, strict=True):
        with atomic_path(name) as partial:
            partial.write_text(card)
    typer.echo(f"{n_showers} showers in {', '.join(map(str, names))}")


def _telescopes(words: str | None) -> tuple[int, ...] | None:
    if words is None:
        return None
    try:
        return tuple(int(word) for word in words.split(","))
    except ValueError as error:
        raise ConfigError(f"--telescopes {words!r}: expected two numbers, such as 1,2") from error


def _pointing(words: str) -> Pointing:
    named: dict[str, Pointing] = {"cone": "cone", "shower": "shower"}
    if words in named:
        return named[words]
    try:
        zenith, azimuth = (float(word) for word in words.split(","))
    except ValueError as error:
        raise ConfigError(f"--pointing {words!r}: expected cone, shower, or ZENITH,AZIMUTH in degrees") from error
    if not 0.0 <= zenith <= 80.0:
        raise ConfigError(f"--pointing {words!r}: expected a zenith angle of 0 to 80 degrees")
    return zenith, azimuth
