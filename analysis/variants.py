"""What the scans of trainings share: options, one training per variant, a table and a figure of the validation.

Not a script itself; see learning_curve.py, learning_rate.py and depth_width.py. All variants are validated on the same
showers, and a scan that is killed goes on where it was when it is started again.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from magicnn.config import apply_overrides, read_yaml, validate_settings
from magicnn.errors import MagicnnError
from magicnn.images.features import FeatureTable, extract_features
from magicnn.io.eventset.reader import EventSet
from magicnn.nn.data import Source
from magicnn.nn.settings import ModelSettings
from magicnn.nn.trainer import train
from magicnn.runs import configure_logging, write_json

TELLING = {"particle": "validation_auc", "energy": "validation_resolution"}


@dataclass(frozen=True)
class Variant:
    """One training of a scan: its place on the axis of the figure, its settings, and what chooses its events."""

    value: float
    overrides: tuple[str, ...] = ()
    select: object = None


def options(doc, output):
    """Return a parser of the options that all scans have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", nargs="+", type=Path, help="event sets to train with")
    parser.add_argument("--features", action="append", type=Path, help="feature table of each event set; repeatable")
    parser.add_argument("--head", choices=sorted(TELLING), default="particle")
    parser.add_argument("--config", type=Path, help="YAML file with the groups inputs, network, training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every training")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, default=Path(output), help="folder of the models, table and figure")
    return parser


def scan(arguments, variants, axis):
    """Train every variant, print and write the best validation of each, and draw it."""
    configure_logging()
    values = read_yaml(arguments.config, ModelSettings) if arguments.config else {}
    event_sets = [EventSet(path) for path in arguments.events]
    tables = [FeatureTable.load(path) for path in arguments.features or ()] or [extract_features(e) for e in event_sets]
    rows = []
    for name, variant in variants.items():
        overrides = [*arguments.set, f"training.heads=[{arguments.head}]", *variant.overrides]
        settings = validate_settings(ModelSettings, apply_overrides(values, overrides), where=name)
        chosen = [
            variant.select and variant.select(e.columns(["shower_id"])["shower_id"], settings) for e in event_sets
        ]
        sources = [Source(*parts) for parts in zip(event_sets, tables, chosen, strict=True)]
        model = train(sources, arguments.output / f"{name}.pt", settings=settings, device=arguments.device)
        best = min(model.description.history, key=lambda entry: entry["validation_loss"])
        size = sum(p.numel() for p in model.model.parameters())
        rows.append({"name": name, "value": variant.value, "parameters": size, **best})
        write_json(arguments.output / "scan.json", rows)
        print(f"{name}: {size} parameters, " + ", ".join(f"{k} {v:.4g}" for k, v in best.items()), flush=True)
    draw(rows, TELLING[arguments.head], axis, arguments.output / "scan.png")


def draw(rows, telling, axis, path):
    """Draw validation loss and the telling number against the value of the variants."""
    fig, pair = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    at = np.array([row["value"] for row in rows])
    for ax, name in zip(pair, ("validation_loss", telling), strict=True):
        ax.plot(at, [row[name] for row in rows], "o-")
        ax.set_xlabel(axis)
        ax.set_ylabel(name.replace("_", " "))
        ax.set_xscale("log")
    fig.savefig(path, dpi=150)
    print(path)


def guarded(main):
    """Run a script; one line for a mistake."""
    try:
        main()
    except MagicnnError as error:
        raise SystemExit(f"{error}") from None
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command continues") from None
