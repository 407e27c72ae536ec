"""Draw a gamma, a proton and a muon side by side: python analysis/draw_showers.py docs/figures/showers.png."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from magicnn.report.example_shower import ExampleShower, look_at
from magicnn.report.shower_plots import draw_camera, draw_development, draw_ground
from magicnn.report.style import figure_style
from magicnn.simulation.detector import detector
from magicnn.simulation.settings import DetectorSettings, SiteSettings
from magicnn.simulation.showers import environment

ZENITH_DEG = 20.0
CORE_M = (70.0, 60.0)
MUON_START_M = 2700.0


def examples(seed: int) -> list[ExampleShower]:
    """The first gamma and the first proton of 1 TeV that trigger, and a muon of 20 GeV through a telescope.

    For the muon both telescopes stand at one place, so that its ring triggers them.
    """
    surroundings, telescopes = (
        environment(**SiteSettings().model_dump(exclude={"light_budget"})),
        detector(DetectorSettings()),
    )
    found = []
    for particle in ("gamma", "proton"):
        for trial in range(200):
            shown = look_at(
                particle,
                1000.0,
                (ZENITH_DEG, 180.0),
                [CORE_M],
                [(ZENITH_DEG + 0.4, 180.0)],
                surroundings,
                telescopes,
                [seed, trial],
            )
            if shown.event is not None:
                break
        found.append(shown)
    found.append(
        look_at(
            "muon",
            20.0,
            (0.2, 0.0),
            [(2.0, 1.0)],
            [(0.0, 0.0)],
            surroundings,
            telescopes,
            [seed, 0],
            telescopes_m=np.zeros((2, 3)),
            start_height_m=MUON_START_M,
            map_half_width_m=25.5,
        )
    )
    return found


def main() -> None:
    """Draw a row for each particle: development, ground, charge and time in M1."""
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with figure_style():
        figure = Figure(figsize=(15.5, 11.0), layout="constrained")
        axes = figure.subplots(3, 4, width_ratios=(0.8, 1.0, 1.05, 1.05))
        for row, shown in zip(axes, examples(args.seed), strict=True):
            draw_development(shown, ax=row[0])
            draw_ground(shown, ax=row[1])
            draw_camera(shown, 0, axes=row[2:])
            energy = "1 TeV" if shown.energy_gev == 1000.0 else f"{shown.energy_gev:g} GeV"
            row[2].set_title(f"{shown.particle}, {energy}, impact {shown.impact_m[0]:.0f} m", fontsize=12)
        figure.savefig(args.picture, dpi=90, metadata={"Software": None})
    print(args.picture)


if __name__ == "__main__":
    main()
