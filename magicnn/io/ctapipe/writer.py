"""Tables and new files in ctapipe's data model 7.1, written with PyTables."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.io.ctapipe.tables import VERSION_ATTRIBUTE, tai_minus_utc

__all__ = ["DATA_MODEL", "Column", "choice", "days", "describe_product", "high_resolution_time", "write_table"]

DATA_MODEL = "v7.1.0"
"""Version of ctapipe's data model that new files follow."""

_ROWS_AT_ONCE = 100_000
_NS_PER_S = 1_000_000_000
_MJD_1970 = 40587


@dataclass(frozen=True, slots=True)
class Column:
    """A column to write.

    Attributes
    ----------
    name : str
        As in the file.
    values : array, [N] or [N, ...]
    unit : str
        In the words of VOUnits, empty for a pure number.
    description : str
    field : str
        ctapipe's name of the quantity without the prefix of an algorithm; the name when empty.
    attributes : mapping
        More of what ctapipe keeps of a column, such as the scale of times.
    """

    name: str
    values: NDArray[Any]
    unit: str = ""
    description: str = ""
    field: str = ""
    attributes: Mapping[str, Any] | None = None


def write_table(file: Any, path: str, columns: Sequence[Column]) -> None:
    """Write a new table with the compression, checksums and attributes of ctapipe's own.

    Parameters
    ----------
    file : tables.File
        Open for writing.
    path : str
        Of the table in it; groups above are made.
    columns : sequence of Column
        At least one, all of one length.
    """
    import tables

    filters = tables.Filters(complevel=5, complib="blosc:zstd", fletcher32=True)
    kinds = np.dtype([(c.name, c.values.dtype, c.values.shape[1:]) for c in columns])
    n_rows = len(columns[0].values)
    parent, _, name = path.rpartition("/")
    table = file.create_table(
        parent, name, description=kinds, filters=filters, expectedrows=max(n_rows, 1), createparents=True
    )
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, n_rows)
        records = np.empty(stop - start, dtype=kinds)
        for column in columns:
            records[column.name] = column.values[start:stop]
        table.append(records)
    for number, column in enumerate(columns):
        stored: dict[str, Any] = {"NAME": column.field or column.name, "DESC": column.description}
        if column.unit:
            stored |= {"TRANSFORM": "quantity", "UNIT": column.unit}
        for key, value in (stored | dict(column.attributes or {})).items():
            table.attrs[f"CTAFIELD_{number}_{key}"] = value
    table.flush()


def high_resolution_time(name: str, time_utc_ns: NDArray[np.int64] | None, n_rows: int, description: str) -> Column:
    """Return a column of times: TAI since 1970 in seconds and quarter nanoseconds, zeros where it is not known."""
    stored = np.zeros((n_rows, 2), dtype=np.uint32)
    if time_utc_ns is not None:
        tai = _tai_ns(time_utc_ns)
        stored[:, 0], stored[:, 1] = tai // _NS_PER_S, tai % _NS_PER_S * 4
    attributes = {"TRANSFORM": "time", "TIME_SCALE": "tai", "TIME_FORMAT": "ctao_high_res"}
    return Column(name, stored, description=description, attributes=attributes)


def days(name: str, time_utc_ns: NDArray[np.int64] | None, n_rows: int, description: str) -> Column:
    """Return a column of times in days of TAI (MJD), as observation blocks have; 0, as in ctapipe, if unknown."""
    stored = np.zeros(n_rows)
    if time_utc_ns is not None:
        stored = _MJD_1970 + _tai_ns(time_utc_ns) / (86_400 * _NS_PER_S)
    attributes = {"TRANSFORM": "time", "TIME_SCALE": "tai", "TIME_FORMAT": "mjd"}
    return Column(name, stored, description=description, attributes=attributes)


def choice(name: str, values: NDArray[np.int64], kind: Any, description: str) -> Column:
    """Return a column of the numbers of one of ctapipe's enumerations, which its reader wants to have with it."""
    return Column(name, values, description=description, attributes={"TRANSFORM": "enum", "ENUM": kind})


def _tai_ns(time_utc_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    begins, offset = tai_minus_utc()
    tai: NDArray[np.int64] = (
        time_utc_ns + offset[np.maximum(np.searchsorted(begins - offset, time_utc_ns, side="right") - 1, 0)]
    )
    return tai


def describe_product(file: Any, *, levels: Sequence[str], new: Mapping[str, str] | None = None) -> None:
    """Say in the attributes of a file what is in it, when and by what it was written.

    Parameters
    ----------
    file : tables.File
        Open for writing.
    levels : sequence of str
        Data levels, added to those it has.
    new : mapping of str to str, optional
        ``instrument``, ``process`` and ``ids`` for a file that says nothing yet.
    """
    from magicnn import __version__

    attributes = file.root._v_attrs
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    stored: dict[str, str] = {}
    if new is not None:
        category = "Sim" if new["process"] == "Simulation" else "Other"
        stored = {
            "CTA REFERENCE VERSION": "1",
            "CTA CONTACT NAME": "unknown",
            "CTA CONTACT EMAIL": "unknown",
            "CTA CONTACT ORGANIZATION": "unknown",
            "CTA PRODUCT DESCRIPTION": "magicnn predictions",
            "CTA PRODUCT DATA CATEGORY": category,
            "CTA PRODUCT DATA ASSOCIATION": "Subarray",
            "CTA PRODUCT DATA MODEL NAME": "ASWG",
            VERSION_ATTRIBUTE: DATA_MODEL,
            "CTA PRODUCT DATA MODEL URL": "",
            "CTA PRODUCT FORMAT": "hdf5",
            "CTA PROCESS TYPE": new["process"],
            "CTA PROCESS SUBTYPE": "",
            "CTA PROCESS ID": new["ids"],
            "CTA INSTRUMENT SITE": "Other",
            "CTA INSTRUMENT CLASS": "Other",
            "CTA INSTRUMENT TYPE": "unspecified",
            "CTA INSTRUMENT SUBTYPE": "unspecified",
            "CTA INSTRUMENT VERSION": "unspecified",
            "CTA INSTRUMENT ID": new["instrument"],
        }
    name = "CTA PRODUCT DATA LEVELS"
    before = str(attributes[name]) if name in attributes else ""
    present = [level for level in before.split(",") if level]
    stored |= {
        name: ",".join(dict.fromkeys([*present, *levels])),
        "CTA PRODUCT ID": str(uuid.uuid4()),
        "CTA PRODUCT CREATION TIME": now,
        "CTA ACTIVITY ID": str(uuid.uuid4()),
        "CTA ACTIVITY NAME": "magicnn export",
        "CTA ACTIVITY TYPE": "software",
        "CTA ACTIVITY SOFTWARE NAME": "magicnn",
        "CTA ACTIVITY SOFTWARE VERSION": __version__,
        "CTA ACTIVITY START TIME": now,
        "CTA ACTIVITY STOP TIME": now,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTables would like names without blanks
        for key, value in stored.items():
            attributes[key] = value
