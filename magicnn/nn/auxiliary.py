"""Named inputs besides the pixels: pointing, image parameters, stereo parameters, each knowing how it turns.

A *scalar* stays under the symmetries of the camera, a *vector* turns along, an *axis* (an angle modulo 180 deg, kept as
cosine and sine of twice the angle) turns by twice the angle. Unknown values are NaN and enter the network as 0 after
normalisation; ``has_image`` and ``is_stereo`` tell the network so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from magicnn.array import projected_baseline_m, projected_field_ut
from magicnn.errors import ConfigError, InputError, nearest_names
from magicnn.events import EventMeta

__all__ = ["AUXILIARY", "AuxiliaryInput", "AuxiliaryLayout", "auxiliary_values", "required_columns"]

Columns = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float64]
Kind = Literal["scalar", "vector", "axis"]
Count = Literal["event", "telescope", "further telescope"]

_MIN_SIZE_PE = 1.0
_MIN_IMPACT_M = 1.0


@dataclass(frozen=True, slots=True)
class AuxiliaryInput:
    """One named input.

    Attributes
    ----------
    kind : {"scalar", "vector", "axis"}
        How it turns with the camera.
    columns : tuple of str
        What it is computed from: columns of the events or of the feature table.
    compute : callable
        From those columns and the meta of the events to [N] or [N, T], with a last axis of two for vectors and axes.
    description : str
        One line for people.
    per : {"event", "telescope", "further telescope"}
        Whether there is one per event, one per telescope, or one per telescope after the first.
    """

    kind: Kind
    columns: tuple[str, ...]
    compute: Callable[[Columns, EventMeta], Floats]
    description: str
    per: Count = "event"

    def labels(self, name: str, telescopes: Sequence[str]) -> list[str]:
        """Return the labels of what this input gives, in order; of two telescopes the second needs no name."""
        if self.per == "event" or (self.per == "further telescope" and len(telescopes) == 2):
            return [name]
        return [f"{name}[{t}]" for t in telescopes[0 if self.per == "telescope" else 1 :]]


@dataclass(frozen=True, slots=True)
class AuxiliaryLayout:
    """What the numbers of an auxiliary array [N, A] are.

    Attributes
    ----------
    names : tuple of str
        One per number, such as ``log_size[M1]`` or ``baseline.x``.
    kinds : tuple of str
        ``"scalar"``, ``"vector"`` or ``"axis"``; the two numbers of a vector or an axis follow each other.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]

    @classmethod
    def of(cls, inputs: Sequence[str], telescopes: Sequence[str]) -> AuxiliaryLayout:
        """Lay out named inputs.

        Raises
        ------
        ConfigError
            A name is unknown or comes twice.
        """
        names: list[str] = []
        kinds: list[Kind] = []
        for name in inputs:
            if name not in AUXILIARY:
                raise ConfigError(f"unknown auxiliary input {name!r}: {nearest_names(name, AUXILIARY)}")
            entry = AUXILIARY[name]
            for label in entry.labels(name, telescopes):
                parts = [label] if entry.kind == "scalar" else [f"{label}.x", f"{label}.y"]
                names += parts
                kinds += [entry.kind] * len(parts)
        if len(set(names)) != len(names):
            raise ConfigError("an auxiliary input is named twice")
        return cls(tuple(names), tuple(kinds))


def required_columns(inputs: Sequence[str]) -> list[str]:
    """Return the columns that named inputs are computed from."""
    return list(dict.fromkeys(c for name in inputs if name in AUXILIARY for c in AUXILIARY[name].columns))


def auxiliary_values(inputs: Sequence[str], columns: Columns, meta: EventMeta) -> NDArray[np.float32]:
    """Compute auxiliary inputs.

    Parameters
    ----------
    inputs : sequence of str
        Names of `AUXILIARY`.
    columns : mapping of str to array, [N] or [N, T]
        Columns of the events, of the feature table, and of the prepared images.
    meta : EventMeta
        Of the events: which telescopes, and where they stand.

    Returns
    -------
    float32 array, [N, A]
        In the order of `AuxiliaryLayout`, not normalised; NaN where unknown.

    Raises
    ------
    InputError
        A column is missing, or it is not known where the telescopes stand.
    """
    blocks = []
    for name in inputs:
        entry = AUXILIARY[name]
        missing = [c for c in entry.columns if c not in columns]
        if missing:
            raise InputError(
                f"auxiliary input {name!r} needs the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: "
                "give the feature table of these events, or leave the input out of inputs.auxiliary"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.asarray(entry.compute(columns, meta), dtype=np.float64)
        blocks.append(values.reshape(len(values), int(np.prod(values.shape[1:]))))
    table = np.concatenate(blocks, axis=1).astype(np.float32) if blocks else np.zeros((len(columns["centre_x_deg"]), 0))
    return np.where(np.isfinite(table), table, np.nan).astype(np.float32)


def _pair(x: NDArray[Any], y: NDArray[Any]) -> Floats:
    return np.stack([x, y], axis=-1).astype(np.float64)


def _log(values: NDArray[Any], least: float) -> Floats:
    """Logarithm of values floored at ``least``; unknown for 0, which says that there was nothing to measure."""
    known = np.where(np.asarray(values) > 0.0, values, np.nan)
    return np.log10(np.maximum(known, least))


def _towards_source(c: Columns) -> Floats:
    """Sign of the major axis' own direction: +1 when it points from the reconstructed source to the image."""
    psi = np.radians(c["psi_deg"])
    from_source = _pair(c["cog_x_deg"] - c["reco_x_deg"][:, None], c["cog_y_deg"] - c["reco_y_deg"][:, None])
    return np.sign(np.cos(psi) * from_source[..., 0] + np.sin(psi) * from_source[..., 1])


def _pointing(c: Columns) -> tuple[NDArray[Any], NDArray[Any]]:
    return c["pointing_zenith_deg"], c["pointing_azimuth_deg"]


def _baselines(c: Columns, meta: EventMeta) -> Floats:
    """From the first telescope to each further one, [N, T - 1, 2]."""
    first, *others = np.array(meta.layout.positions_m)
    vectors = [projected_baseline_m(*_pointing(c), other - first) for other in others]
    return np.stack(vectors, axis=1) if vectors else np.zeros((len(c[_POINTING[0]]), 0, 2))


def _source(c: Columns) -> Floats:
    return _pair(c["reco_x_deg"], c["reco_y_deg"])


_POINTING = ("pointing_zenith_deg", "pointing_azimuth_deg")
_ORIENTED = ("psi_deg", "cog_x_deg", "cog_y_deg", "reco_x_deg", "reco_y_deg")


def _per_telescope(
    kind: Kind, columns: Sequence[str], compute: Callable[[Columns], Floats], text: str
) -> AuxiliaryInput:
    return AuxiliaryInput(kind, tuple(columns), lambda c, _: compute(c), text, "telescope")


def _per_event(kind: Kind, columns: Sequence[str], compute: Callable[[Columns], Floats], text: str) -> AuxiliaryInput:
    return AuxiliaryInput(kind, tuple(columns), lambda c, _: compute(c), text)


AUXILIARY: Mapping[str, AuxiliaryInput] = {
    "cos_zenith": _per_event(
        "scalar",
        _POINTING[:1],
        lambda c: np.cos(np.radians(c[_POINTING[0]])),
        "cosine of the pointing zenith",
    ),
    "baseline": AuxiliaryInput(
        "vector", _POINTING, _baselines, "first telescope to the others in the camera plane, m", "further telescope"
    ),
    "field": AuxiliaryInput(
        "vector",
        _POINTING,
        lambda c, meta: projected_field_ut(*_pointing(c), meta.layout.site),
        "magnetic field in the camera plane, uT",
    ),
    "reco_source": _per_event(
        "vector", ("reco_x_deg", "reco_y_deg"), _source, "reconstructed direction in the camera, deg"
    ),
    "centre": _per_telescope(
        "vector",
        ("centre_x_deg", "centre_y_deg"),
        lambda c: _pair(c["centre_x_deg"], c["centre_y_deg"]),
        "pixel at the image's centre of gravity, deg",
    ),
    "has_image": _per_telescope("scalar", ("has_image",), lambda c: c["has_image"], "1 when a pixel survives cleaning"),
    "is_stereo": _per_event("scalar", ("is_stereo",), lambda c: c["is_stereo"], "1 with a stereo reconstruction"),
    "log_size": _per_telescope(
        "scalar", ("size_pe",), lambda c: _log(c["size_pe"], _MIN_SIZE_PE), "log10 of the size in photoelectrons"
    ),
    "length": _per_telescope("scalar", ("length_deg",), lambda c: c["length_deg"], "length of the image, deg"),
    "width": _per_telescope("scalar", ("width_deg",), lambda c: c["width_deg"], "width of the image, deg"),
    "skewness": _per_telescope(
        "scalar",
        ("skewness", *_ORIENTED),
        lambda c: c["skewness"] * _towards_source(c),
        "skewness along the major axis, away from the reconstructed source",
    ),
    "kurtosis": _per_telescope("scalar", ("kurtosis",), lambda c: c["kurtosis"], "kurtosis along the major axis"),
    "leakage": _per_telescope(
        "scalar",
        ("leakage1", "leakage2"),
        lambda c: np.sqrt(c["leakage2"]),
        "root of the charge share of two outer rings",
    ),
    "time_slope": _per_telescope(
        "scalar",
        ("time_slope_ns_per_deg", *_ORIENTED),
        lambda c: c["time_slope_ns_per_deg"] * _towards_source(c),
        "time gradient along the major axis, away from the reconstructed source, ns/deg",
    ),
    "time_rms": _per_telescope("scalar", ("time_rms_ns",), lambda c: c["time_rms_ns"], "RMS of the arrival times, ns"),
    "concentration": _per_telescope(
        "scalar", ("concentration",), lambda c: c["concentration"], "charge share of the brightest pixels"
    ),
    "log_n_pixels": _per_telescope(
        "scalar", ("n_pixels",), lambda c: _log(c["n_pixels"], 1.0), "log10 of the number of pixels of the image"
    ),
    "main_island": _per_telescope(
        "scalar",
        ("size_main_island_pe", "size_pe"),
        lambda c: c["size_main_island_pe"] / c["size_pe"],
        "charge share of the largest island",
    ),
    "distance": _per_telescope(
        "scalar",
        _ORIENTED[1:],
        lambda c: np.hypot(c["cog_x_deg"] - c["reco_x_deg"][:, None], c["cog_y_deg"] - c["reco_y_deg"][:, None]),
        "distance of the image to the reconstructed source, deg",
    ),
    "axis": _per_telescope(
        "axis",
        ("psi_deg",),
        lambda c: _pair(np.cos(np.radians(2.0 * c["psi_deg"])), np.sin(np.radians(2.0 * c["psi_deg"]))),
        "direction of the major axis",
    ),
    "log_impact": _per_telescope(
        "scalar", ("impact_m",), lambda c: _log(c["impact_m"], _MIN_IMPACT_M), "log10 of the reconstructed impact, m"
    ),
    "disp_source": _per_event(
        "vector",
        ("disp_x_deg", "disp_y_deg"),
        lambda c: _pair(c["disp_x_deg"], c["disp_y_deg"]),
        "direction by DISP in the camera, deg",
    ),
    "disp_distance": _per_telescope(
        "scalar",
        ("cog_x_deg", "cog_y_deg", "disp_x_deg", "disp_y_deg"),
        lambda c: np.hypot(c["cog_x_deg"] - c["disp_x_deg"][:, None], c["cog_y_deg"] - c["disp_y_deg"][:, None]),
        "distance of the image to the direction by DISP, deg",
    ),
    "disp_miss": _per_event(
        "scalar",
        ("disp_x_deg", "disp_y_deg", "reco_x_deg", "reco_y_deg"),
        lambda c: _log(np.hypot(c["disp_x_deg"] - c["reco_x_deg"], c["disp_y_deg"] - c["reco_y_deg"]), 1e-3),
        "log10 of the distance between the directions by DISP and by crossing, deg",
    ),
    "disp_uncertainty": _per_event(
        "scalar", ("disp_uncert_deg",), lambda c: _log(c["disp_uncert_deg"], 1e-3), "log10 of DISP's own error, deg"
    ),
    "log_disp_impact": _per_telescope(
        "scalar",
        ("disp_impact_m",),
        lambda c: _log(c["disp_impact_m"], _MIN_IMPACT_M),
        "log10 of impact by DISP, m",
    ),
    "log_h_max": _per_event(
        "scalar", ("h_max_m",), lambda c: _log(c["h_max_m"], 100.0), "log10 of the height of the shower maximum, m"
    ),
    "stereo_angle": _per_event(
        "scalar",
        ("stereo_angle_deg",),
        lambda c: np.sin(np.radians(c["stereo_angle_deg"])),
        "sine of the angle between the images' axes",
    ),
}
"""Every auxiliary input by name."""
