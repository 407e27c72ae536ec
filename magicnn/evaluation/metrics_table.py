"""MetricsTable: every number of an evaluation in long format, as ECSV and JSON, byte for byte repeatable."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from magicnn.errors import InputError, nearest_names
from magicnn.evaluation.binning import Range
from magicnn.runs import atomic_path
from magicnn.summary import html_page, html_table

__all__ = ["METRICS", "MetricRow", "MetricsTable", "describe", "write_ecsv"]

_HEADLINES = ("auc", "auc_difference", "resolution_half68_ratio_mean", "angular_resolution_68")
_SHOWN_ROWS = 16
_FORMAT = "magicnn metrics"
_VERSION = 1

METRICS: Mapping[str, str] = {
    "auc": "area under the ROC curve, ties counted half",
    "log_loss": "mean of -log(probability given to the right class) over the sample as it stands",
    "brier": "mean of (gammaness - 1)^2 of gammas and gammaness^2 of protons, of the sample as it stands",
    "ece": "mean distance of the share of gammas to the mean gammaness, in ten bins of gammaness, sample as it stands",
    "reliability": "share of gammas among the events of a bin of gammaness, of the sample as it stands",
    "reliability_gammaness": "mean gammaness of the events of a bin of gammaness",
    "f1": "2 tp / (2 tp + fp + fn) at gammaness > 0.5, of the sample as it stands",
    "confusion_tp": "gammas with gammaness > 0.5",
    "confusion_fn": "gammas with gammaness <= 0.5",
    "confusion_fp": "protons with gammaness > 0.5",
    "confusion_tn": "protons with gammaness <= 0.5",
    "gammaness_cut": "gammaness from which on events are kept, mean of the two halves of the sample",
    "gamma_efficiency": "share of the diffuse gammas kept, tp / (tp + fn)",
    "hadron_efficiency": "share of the protons kept, fp / (fp + tn)",
    "q": "gamma efficiency / sqrt(hadron efficiency)",
    "gamma_rate_per_min": "rate of gammas from the Crab Nebula inside of the circle, per minute",
    "hadron_rate_per_min": "rate of protons inside of the same circle, per minute",
    "purity": "gamma rate / (gamma rate + proton rate) for the Crab Nebula inside of the circle",
    "bias_median": "median of E_reco / E_true - 1",
    "resolution_half68": "half the distance of the 15.87 and 84.13 % quantiles of E_reco / E_true - 1",
    "bias_mean": "mean of E_reco / E_true - 1",
    "resolution_rms": "standard deviation about the mean of E_reco / E_true - 1",
    "bias_gauss": "centre of a Gaussian fitted to the core of E_reco / E_true - 1",
    "resolution_gauss": "width of a Gaussian fitted to the core of E_reco / E_true - 1",
    "resolution_abs68": "68.27 % quantile of |E_reco / E_true - 1|",
    "outlier_fraction": "share with E_reco / E_true - 1 farther from its median than 3 times resolution_half68",
    "migration": "share of the events of a bin of true energy that are in a bin of estimated energy",
    "angular_resolution_39": "angle to the true direction that holds 39.35 % of the events, deg",
    "angular_resolution_68": "angle to the true direction that holds 68.27 % of the events, deg",
    "angular_resolution_95": "angle to the true direction that holds 95.45 % of the events, deg",
    "energy_threshold_gev": "energy at the peak of dN/dE of the true energies at trigger for E^-2.6",
    "valid_fraction": "share of the triggered events that pass the method's own quality cuts with a prediction",
    "auc_difference": "AUC of the first method minus that of the second on the same events",
    "resolution_half68_ratio": "half 68 % resolution of the second method over that of the first, same events",
    "angular_resolution_68_ratio": "angular_resolution_68 of the second method over that of the first, same events",
    "resolution_half68_ratio_mean": "geometric mean of the ratio over the bins above threshold with enough events",
}
"""What every metric is. Suffixes name the cut: ``_g70`` keeps 70 % of the diffuse gammas, ``_qmax`` has the largest Q,
``_c50`` is gammaness > 0.5; ``_sigma`` is the standard deviation of the metric before it; ``_by_size`` and its like
say that the number is of a bin of another quantity than the usual one."""

_SUFFIXES = {
    r"_g(\d\d)": "at the cut that keeps {0} % of the diffuse gammas",
    r"_qmax": "at the cut of the largest Q",
    r"_c50": "at gammaness > 0.5",
    r"_sigma": "bootstrap standard deviation",
    r"_by_true_energy": "in bins of true energy",
    r"_by_reco_energy": "in bins of estimated energy",
    r"_by_size": "in bins of the size of the fainter image, phe",
    r"_by_impact": "in bins of the farther telescope's distance to the shower axis, m",
}


def _is_known(metric: str) -> bool:
    """Whether a name is a metric, with or without suffixes."""
    without = re.sub(f"({'|'.join(_SUFFIXES)})+$", "", metric)
    return without in METRICS


def describe(metric: str) -> str:
    """Return the definition of a metric, suffix included.

    Raises
    ------
    InputError
        There is no such metric.
    """
    if metric in METRICS:
        return METRICS[metric]
    for pattern, meaning in _SUFFIXES.items():
        found = re.fullmatch(f"(.*){pattern}", metric)
        if found and _is_known(found.group(1)):
            return f"{describe(found.group(1))}; {meaning.format(*found.groups()[1:])}"
    raise InputError(f"unknown metric {metric!r}: {nearest_names(metric, METRICS)}")


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One number.

    Attributes
    ----------
    method : str
        Method, or ``"A vs B"`` for a comparison.
    task : str
        ``"classification"``, ``"energy"``, ``"direction"``, ``"trigger"`` or ``"selection"``.
    metric : str
        Name, see `describe`.
    zenith_min_deg, zenith_max_deg : float
        Zenith range of the pointing.
    energy_min_gev, energy_max_gev : float
        Energy bin, NaN for all energies. True energy for energy and direction, for classification the energy that the
        reference method estimates, unless the metric's name says otherwise.
    n_events : int
        Events the number is made of.
    value, low, high : float
        The number and its 68.27 % interval; NaN where it does not exist.
    bin_min, bin_max : float
        Bin of another quantity that the metric's name tells: size (phe), impact (m), gammaness, estimated energy (GeV)
        of the migration; NaN for all.
    """

    method: str
    task: str
    metric: str
    zenith_min_deg: float
    zenith_max_deg: float
    energy_min_gev: float
    energy_max_gev: float
    n_events: int
    value: float
    low: float
    high: float
    bin_min: float = math.nan
    bin_max: float = math.nan


_COLUMNS: dict[str, tuple[str, str, str]] = {
    "method": ("string", "", "method, or 'A vs B' for a comparison on the same events"),
    "task": ("string", "", "classification, energy, direction, trigger, selection"),
    "metric": ("string", "", "name of the number"),
    "zenith_min_deg": ("float64", "deg", "zenith range of the pointing, lower edge"),
    "zenith_max_deg": ("float64", "deg", "zenith range of the pointing, upper edge"),
    "energy_min_gev": ("float64", "GeV", "energy bin, lower edge; nan for all energies"),
    "energy_max_gev": ("float64", "GeV", "energy bin, upper edge; nan for all energies"),
    "n_events": ("int64", "", "events the number is made of"),
    "value": ("float64", "", "the number"),
    "low": ("float64", "", "lower end of the 68.27 % interval"),
    "high": ("float64", "", "upper end of the 68.27 % interval"),
    "bin_min": ("float64", "", "bin of another quantity, which the metric's name tells, lower edge; nan for all"),
    "bin_max": ("float64", "", "bin of another quantity, upper edge; nan for all"),
}


@dataclass(frozen=True)
class MetricsTable:
    """All numbers of an evaluation, sorted.

    Attributes
    ----------
    rows : tuple of MetricRow
        Sorted by method, task, metric, zenith and energy.
    settings : mapping
        Plain values of the settings they were computed with.
    """

    rows: tuple[MetricRow, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(sorted(self.rows, key=_sort_key)))

    def __len__(self) -> int:
        return len(self.rows)

    def select(
        self,
        *,
        method: str | None = None,
        task: str | None = None,
        metric: str | None = None,
        zenith_deg: Range | None = None,
        energy_gev: Range | None = None,
        is_binned: bool | None = None,
    ) -> list[MetricRow]:
        """Return the rows that agree with everything given; ``is_binned``: for an energy bin, or for all energies."""
        candidates = self.rows if metric is None else self._by_metric.get(metric, ())
        return [
            r
            for r in candidates
            if (method is None or r.method == method)
            and (task is None or r.task == task)
            and (metric is None or r.metric == metric)
            and (zenith_deg is None or (r.zenith_min_deg, r.zenith_max_deg) == zenith_deg)
            and (energy_gev is None or (r.energy_min_gev, r.energy_max_gev) == energy_gev)
            and (is_binned is None or math.isnan(r.energy_min_gev) != is_binned)
        ]

    @cached_property
    def _by_metric(self) -> Mapping[str, Sequence[MetricRow]]:
        found: dict[str, list[MetricRow]] = {}
        for row in self.rows:
            found.setdefault(row.metric, []).append(row)
        return found

    def row(self, method: str, metric: str, zenith_deg: Range, energy_gev: Range | None = None) -> MetricRow | None:
        """Return one row, for all energies unless a bin is given; None when there is no such row."""
        found = self.select(
            method=method,
            metric=metric,
            zenith_deg=zenith_deg,
            energy_gev=energy_gev,
            is_binned=energy_gev is not None,
        )
        return found[0] if found else None

    def to_json(self) -> str:
        """Return the table as JSON text: format, definitions, settings and rows; NaN as null."""
        metrics = sorted({r.metric for r in self.rows})
        content = {
            "format": _FORMAT,
            "version": _VERSION,
            "columns": {n: {"datatype": t, "unit": u, "description": d} for n, (t, u, d) in _COLUMNS.items()},
            "definitions": {m: describe(m) for m in metrics},
            "settings": dict(self.settings),
        }
        head = json.dumps(content, indent=1, allow_nan=False)
        lines = ",\n".join("  " + json.dumps(_plain_row(r), allow_nan=False) for r in self.rows)
        return f'{head[:-2]},\n "rows": [\n{lines}\n ]\n}}\n'

    def to_ecsv(self) -> str:
        """Return the table as ECSV text."""
        rows = [_plain_row(r) for r in self.rows]
        return write_ecsv(_COLUMNS, rows, meta={"format": _FORMAT, "version": _VERSION})

    def save(self, directory: Path | str) -> tuple[Path, Path]:
        """Write ``metrics.ecsv`` and ``metrics.json`` into a folder.

        Returns
        -------
        tuple of Path
            The two files. The same table gives the same bytes.
        """
        ecsv, as_json = Path(directory) / "metrics.ecsv", Path(directory) / "metrics.json"
        with atomic_path(ecsv) as partial:
            partial.write_text(self.to_ecsv(), "utf-8")
        with atomic_path(as_json) as partial:
            partial.write_text(self.to_json(), "utf-8")
        return ecsv, as_json

    @classmethod
    def load(cls, path: Path | str) -> MetricsTable:
        """Read ``metrics.json``.

        Raises
        ------
        InputError
            Missing, damaged, of another kind or of a newer version.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise InputError(f"{path}: not a JSON file ({error})") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise InputError(f"{path}: not a metrics file of magicnn (metrics.json is expected)")
        if content.get("version", 0) > _VERSION:
            raise InputError(
                f"{path}: metrics format {content['version']}, this magicnn reads up to {_VERSION}; update it"
            )
        try:
            rows = [_row(values) for values in content["rows"]]
            return cls(tuple(rows), content["settings"])
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: damaged metrics file ({error})") from error

    def __repr__(self) -> str:
        methods = sorted({r.method for r in self.rows})
        return f"MetricsTable({len(self)} rows of {', '.join(methods)})"

    def _repr_html_(self) -> str:
        zenith = dict.fromkeys((r.zenith_min_deg, r.zenith_max_deg) for r in self.rows)
        lines = [
            ("methods", ", ".join(dict.fromkeys(r.method for r in self.rows if r.task != "trigger"))),
            ("zenith", ", ".join(f"{low:g} to {high:g}" for low, high in sorted(zenith)) + " deg"),
            ("metrics", f"{len(self._by_metric)}, explained by describe(name)"),
        ]
        shown = [
            r
            for metric in _HEADLINES
            for r in self.select(metric=metric)
            if math.isnan(r.energy_min_gev) or metric.endswith("_mean")
        ]
        rows = [
            (
                row.method,
                row.metric,
                f"{row.zenith_min_deg:g} to {row.zenith_max_deg:g}",
                f"{row.value:.4g}",
                f"{row.low:.4g} to {row.high:.4g}",
                str(row.n_events),
            )
            for row in shown[:_SHOWN_ROWS]
        ]
        header = ("method", "metric", "zenith [deg]", "value", "68 % interval", "events")
        if len(shown) > len(rows):
            lines.append(("below", f"the first {len(rows)} of {len(shown)} numbers for all energies"))
        return html_page(f"MetricsTable: {len(self)} rows", lines, html_table(header, rows))


def write_ecsv(
    columns: Mapping[str, tuple[str, str, str]], rows: Iterable[Mapping[str, Any]], *, meta: Mapping[str, Any]
) -> str:
    """Return rows as ECSV text (Enhanced Character-Separated Values 1.0, Astropy APE 6), comma separated.

    Parameters
    ----------
    columns : mapping of name to (datatype, unit, description)
        In the order of the file.
    rows : iterable of mapping
        Values by name; None is written as nan.
    meta : mapping of str to plain value
        Put into the header.

    Returns
    -------
    str
    """
    header = ["# %ECSV 1.0", "# ---", "# delimiter: ','", "# datatype:"]
    for name, (datatype, unit, description) in columns.items():
        parts = [f"name: {name}", *([f"unit: {unit}"] if unit else []), f"datatype: {datatype}"]
        header.append("# - {" + ", ".join([*parts, f"description: {json.dumps(description)}"]) + "}")
    header.append("# meta: !!omap")
    header += [f"# - {{{key}: {json.dumps(value)}}}" for key, value in meta.items()]
    header += ["# schema: astropy-2.0", ",".join(columns)]
    body = [",".join(_cell(row[name]) for name in columns) for row in rows]
    return "\n".join([*header, *body]) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "nan"
    text = repr(value) if isinstance(value, float) else str(value)
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\s]', text) or text == "" else text


def _plain_row(row: MetricRow) -> dict[str, Any]:
    """Plain values of a row: floats to eight digits, NaN and infinity as None."""
    values = {f.name: getattr(row, f.name) for f in fields(row)}
    return {n: _rounded(v) if isinstance(v, float) else v for n, v in values.items()}


def _row(values: Mapping[str, Any]) -> MetricRow:
    filled: dict[str, Any] = {n: math.nan if v is None else v for n, v in values.items()}
    return MetricRow(**filled)


def _rounded(value: float) -> float | None:
    return float(f"{value:.8g}") if math.isfinite(value) else None


def _sort_key(row: MetricRow) -> tuple[Any, ...]:
    edges = (row.energy_min_gev, row.energy_max_gev, row.bin_min, row.bin_max)
    known = [-math.inf if math.isnan(edge) else edge for edge in edges]
    return (row.method, row.task, row.metric, row.zenith_min_deg, row.zenith_max_deg, *known)
