"""``magicnn irf``: from prediction files to instrument response and sensitivity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["irf"]


def irf(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTIONS...",
            help="Prediction files for events that no method was trained on: gammas of a point source, protons, and "
            "helium and electrons as far as there are any.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder for response.ecsv, FITS files and figures.")],
    zenith: Annotated[
        list[str] | None,
        typer.Option(metavar="LOW,HIGH", help="Zenith range, deg; repeatable. 5,35 and 5,30 when not given."),
    ] = None,
    gammaness_of: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD=OTHER",
            help="Use the gammaness of another method for one that has none; repeatable. LUT=forest when not given.",
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with bins, cuts and time.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: KEY=VALUE, repeatable.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what the folder holds.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the effective settings, then stop.")] = False,
) -> None:
    """Effective area, energy dispersion, angular resolution, background and sensitivity of every method."""
    from magicnn.cli.arguments import named_pairs, number_ranges
    from magicnn.config import apply_overrides, dump_settings, read_yaml, validate_settings
    from magicnn.errors import ConfigError, InputError
    from magicnn.evaluation.response import ResponseSettings
    from magicnn.evaluation.response.many import USUAL_GAMMANESS_OF, range_code, responses_of, save_responses
    from magicnn.predictions import PredictionTable, load_predictions
    from magicnn.report.response_figures import draw_areas, draw_sensitivity
    from magicnn.runs import atomic_folder

    values = apply_overrides(read_yaml(config, ResponseSettings) if config else {}, set_ or ())
    settings = validate_settings(ResponseSettings, values, where=str(config or "response settings"))
    zeniths = number_ranges(zenith or ["5,35", "5,30"], option="--zenith")
    partner = named_pairs(gammaness_of, option="--gammaness-of") if gammaness_of else USUAL_GAMMANESS_OF
    tables: dict[str, list[PredictionTable]] = {}
    for path in predictions:
        table = load_predictions(path)
        tables.setdefault(table.method, []).append(table)
    if dry_run:
        typer.echo(dump_settings(settings), nl=False)
        for table in (t for many in tables.values() for t in many):
            typer.echo(f"# {table!r}")
        return
    if (output / "response.ecsv").exists() and not overwrite:
        raise ConfigError(f"{output}: holds a response.ecsv; give another --output, or --overwrite")
    responses = responses_of(tables, zeniths, settings, gammaness_of=partner)
    if not responses:
        raise InputError(
            "no instrument response: none of the methods has gammaness, energies and directions for gammas of a point "
            "source and for background in these zenith ranges"
        )
    with atomic_folder(output) as folder:
        save_responses(responses, folder)
        for zenith_deg in dict.fromkeys(r.zenith_deg for r in responses):
            here = [r for r in responses if r.zenith_deg == zenith_deg]
            draw_areas(here, folder / f"areas_{range_code(zenith_deg)}.png")
            draw_sensitivity(here, folder / f"sensitivity_{range_code(zenith_deg)}.png")
    for response in responses:
        typer.echo(f"{response.method}, zenith {response.zenith_deg[0]:g} to {response.zenith_deg[1]:g} deg")
    typer.echo(output / "response.ecsv")
