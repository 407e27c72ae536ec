"""Where the files of a comparison lie, and how its events are split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magicnn.images.features import FeatureTable
from magicnn.splits import split_by_shower
from magicnn.summary import html_page

__all__ = ["RunLayout", "is_test"]


@dataclass(frozen=True, slots=True)
class RunLayout:
    """File names inside a run directory.

    Attributes
    ----------
    root : Path
        The run directory.
    """

    root: Path

    def events(self, name: str) -> Path:
        """Event set of a production or of the real files."""
        return self.root / "events" / f"{name}.h5"

    def features(self, name: str) -> Path:
        """Feature table of an event set."""
        return self.root / "features" / f"{name}.h5"

    @property
    def models(self) -> Path:
        """Folder of the networks and baselines."""
        return self.root / "models"

    def predictions(self, method: str, name: str) -> Path:
        """Predictions of a method for an event set."""
        return self.root / "predictions" / method / f"{name}.h5"

    @property
    def report(self) -> Path:
        """Folder of the report."""
        return self.root / "report"

    @property
    def config(self) -> Path:
        """Effective settings."""
        return self.root / "config.yaml"

    def __repr__(self) -> str:
        return f"RunLayout({str(self.root)!r}: {'; '.join(f'{k} {v}' for k, v in self._found() if v) or 'empty'})"

    def _repr_html_(self) -> str:
        return html_page(f"RunLayout of {self.root}", self._found())

    def _found(self) -> list[tuple[str, str]]:
        """What lies in the directory, by names of files."""
        predictions = self.root / "predictions"
        return [
            ("settings", self.config.name if self.config.exists() else ""),
            ("events", _stems(self.root / "events", "*.h5")),
            ("features", _stems(self.root / "features", "*.h5")),
            ("models", _stems(self.models, "*.pt")),
            ("predictions", ", ".join(sorted(p.name for p in predictions.glob("*") if p.is_dir()))),
            ("report", "index.html" if (self.report / "index.html").exists() else ""),
        ]


def _stems(folder: Path, pattern: str) -> str:
    return ", ".join(sorted(p.stem for p in folder.glob(pattern) if not p.name.startswith(".")))


def is_test(features: FeatureTable, *, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Tell which events belong to showers that no method is trained on, [N]."""
    part = split_by_shower(features["shower_id"], (1.0 - fraction, fraction), seed=seed)
    test: NDArray[np.bool_] = part == 1
    return test
