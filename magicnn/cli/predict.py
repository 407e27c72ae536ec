"""``magicnn predict``: events and model files to a prediction table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["predict"]


def predict(
    events: Annotated[list[Path], typer.Argument(metavar="EVENTS...", help="An event set, or files of real events.")],
    model: Annotated[
        list[Path], typer.Option(help="Model file; repeatable, one for the particle and one for the energy.")
    ],
    output: Annotated[Path, typer.Option(help="Prediction table to write (HDF5).")],
    features: Annotated[
        Path | None, typer.Option(help="Feature table of these events; computed when not given.")
    ] = None,
    method: Annotated[str, typer.Option(help="Name of the method in reports.")] = "CNN",
    symmetries: Annotated[
        int, typer.Option(help="Mean over 1, 2, 3, 6 or 12 turned and mirrored copies of each event.")
    ] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be predicted, then stop.")] = False,
) -> None:
    """Estimate particle and energy of events with trained networks."""
    from magicnn.config import validate_settings
    from magicnn.images.features import FeatureTable, extract_features
    from magicnn.io import open_events
    from magicnn.nn.checkpoint import load_model
    from magicnn.nn.predict import predict_table
    from magicnn.nn.settings import PredictSettings
    from magicnn.nn.trainer import choose_device

    settings = validate_settings(PredictSettings, {"symmetries": symmetries}, where="settings")
    reader = open_events(events)
    where = choose_device(device)
    models = [load_model(path, reader.meta, device=where) for path in model]
    if dry_run:
        heads = ", ".join(head for trained in models for head in trained.description.heads)
        typer.echo(f"{heads} of {len(reader)} events would be estimated on {where} and written to {output}")
        return
    table = FeatureTable.load(features) if features else extract_features(reader)
    predictions = predict_table(models, reader, table, method=method, settings=settings)
    predictions.save(output)
    typer.echo(f"{len(predictions)} events in {output}")
