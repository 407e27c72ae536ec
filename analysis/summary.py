"""Print the numbers of a finished run as Markdown: python analysis/summary.py runs/full_comparison."""

from __future__ import annotations

import argparse
from pathlib import Path

from magicnn.evaluation import MetricRow, MetricsTable

RANGES = ((5.0, 35.0), (35.0, 50.0), (50.0, 62.0), (62.0, 70.0))
METHODS = ("CNN", "forest", "LUT")


def shown(row: MetricRow | None, digits: int, scale: float = 1.0) -> str:
    """Value with the ends of its 68 % interval."""
    if row is None or row.value != row.value:
        return "–"
    return f"{scale * row.value:.{digits}f} [{scale * row.low:.{digits}f}, {scale * row.high:.{digits}f}]"


def separation(table: MetricsTable) -> list[str]:
    """ROC AUC, paired difference, and what a cut that keeps 70 % of the gammas does."""
    lines = [
        "| zenith (deg) | AUC CNN | AUC forest | difference | protons kept CNN (%) | forest (%) "
        "| purity CNN (%) | forest (%) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for zenith in RANGES:
        cells = [shown(table.row(m, "auc", zenith), 3) for m in METHODS[:2]]
        cells.append(shown(table.row("CNN vs forest", "auc_difference", zenith), 3))
        for metric in ("hadron_efficiency_g70", "purity_g70"):
            cells += [shown(table.row(m, metric, zenith), 1, 100.0) for m in METHODS[:2]]
        lines.append(f"| {zenith[0]:g}–{zenith[1]:g} | " + " | ".join(cells) + " |")
    return lines


def energy(table: MetricsTable) -> list[str]:
    """Bias (median) and resolution (half 68 %) in the bins that enter the verdict, and the ratio of LUT to CNN."""
    lines = [
        "| zenith (deg) | energy (GeV) | gammas | resolution CNN (%) | forest (%) | LUT (%) | LUT / CNN "
        "| bias CNN (%) | LUT (%) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for zenith in RANGES:
        threshold = table.row("trigger", "energy_threshold_gev", zenith)
        for ratio in table.select(method="CNN vs LUT", metric="resolution_half68_ratio", zenith_deg=zenith):
            bin_gev = (ratio.energy_min_gev, ratio.energy_max_gev)
            if threshold is None or bin_gev[0] < threshold.value or ratio.n_events < 200:
                continue
            cells = [shown(table.row(m, "resolution_half68", zenith, bin_gev), 1, 100.0) for m in METHODS]
            cells.append(shown(ratio, 2))
            cells += [shown(table.row(m, "bias_median", zenith, bin_gev), 1, 100.0) for m in ("CNN", "LUT")]
            lines.append(
                f"| {zenith[0]:g}–{zenith[1]:g} | {bin_gev[0]:g}–{bin_gev[1]:g} | {ratio.n_events} | "
                + " | ".join(cells)
                + " |"
            )
    return lines


def main() -> None:
    """Read the metrics of a run and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="run directory, or its metrics.json")
    path = parser.parse_args().run
    table = MetricsTable.load(path if path.is_file() else path / "report" / "metrics.json")
    print("\n".join([*separation(table), "", *energy(table)]))


if __name__ == "__main__":
    main()
