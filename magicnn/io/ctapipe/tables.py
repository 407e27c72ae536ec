"""Tables of ctapipe's HDF5 files: opened with checks, read in rows or whole columns, units and scalings undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError, nearest_names
from magicnn.io.base import damage_told
from magicnn.io.ctapipe.structure import require_names
from magicnn.io.root.files import check_regular_file

__all__ = [
    "HDF5_MAGIC",
    "VERSION_ATTRIBUTE",
    "CtapipeFile",
    "CtapipeTable",
    "event_keys",
    "open_ctapipe",
    "positions",
    "tai_minus_utc",
]

Ints = NDArray[np.int64]

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
VERSION_ATTRIBUTE = "CTA PRODUCT DATA MODEL VERSION"

_VERSIONS = (6, 7)
_MJD_1970 = 40587
_NS_PER_S = 1_000_000_000
_NS_PER_DAY = 86_400 * _NS_PER_S
_SPARSE = 4  # rows further apart than this on average are fetched one by one


@dataclass(frozen=True, slots=True)
class CtapipeTable:
    """One table of an open file.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Path of the table in it.
    node : tables.Table
    """

    path: Path
    name: str
    node: Any

    def __len__(self) -> int:
        return int(self.node.nrows)

    def __contains__(self, column: object) -> bool:
        return column in self.node.colnames

    def column(self, name: str, unit: str = "") -> NDArray[Any]:
        """Read a whole column, [N, ...]; only that column is held in memory.

        Parameters
        ----------
        name : str
            Of the column.
        unit : str
            Unit wanted, for a column with one.

        Raises
        ------
        InputError
            The column is missing, has another dimension, or cannot be read.
        """
        self._require([name])
        with damage_told(self.path, f"column {name!r} of table {self.name}"):
            return self._decode(name, self.node.col(name), unit)

    def rows(self, names: Sequence[str], rows: Ints) -> list[NDArray[Any]]:
        """Read some rows of several columns, in the order asked for.

        Parameters
        ----------
        names : sequence of str
            Columns, read without conversion of units.
        rows : int64 array, [N]

        Returns
        -------
        list of array, [N, ...]

        Raises
        ------
        InputError
            A column is missing or cannot be read.
        """
        self._require(names)
        if not len(rows):
            return [self._decode(name, np.empty((0, *self._type(name).shape), self._type(name).base)) for name in names]
        first, last = int(rows.min()), int(rows.max())
        with damage_told(self.path, f"table {self.name}"):
            if last - first < _SPARSE * len(rows):
                records = self.node.read(first, last + 1)[rows - first]
            else:
                records = self.node.read_coordinates(rows)
            return [self._decode(name, records[name]) for name in names]

    def attribute(self, name: str) -> Any:
        """Return an attribute of the table as a plain value, None when it has none of that name."""
        attributes = self.node.attrs
        if name not in attributes:
            return None
        value = attributes[name]
        return value.item() if isinstance(value, np.generic) else value

    def _type(self, name: str) -> np.dtype[Any]:
        found: np.dtype[Any] = self.node.coldescrs[name].dtype
        return found

    def _require(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self:
                hint = nearest_names(name, self.node.colnames)
                raise InputError(f"{self.path}: column {name!r} is missing in table {self.name}; {hint}")

    def _decode(self, name: str, values: NDArray[Any], unit: str = "") -> NDArray[Any]:
        number = self.node.colnames.index(name)
        stored = {key: self.attribute(f"CTAFIELD_{number}_{key}") for key in _TRANSFORMS}
        if stored["TIME_SCALE"]:
            return _utc_ns(values, stored)
        if stored["TRANSFORM_SCALE"]:
            values = _unscaled(values, stored)
        return values if not unit else values.astype(np.float64) * self._factor(name, stored["UNIT"], unit)

    def _factor(self, name: str, stored: str | None, wanted: str) -> float:
        from astropy import units

        try:
            return float(units.Unit(stored).to(wanted))
        except (units.UnitsError, ValueError, TypeError) as error:
            raise InputError(
                f"{self.path}: column {name!r} of table {self.name} is in {stored or 'no unit'}, {wanted} is expected"
            ) from error


_TRANSFORMS = ("UNIT", "TIME_SCALE", "TIME_FORMAT", "TRANSFORM_SCALE", "TRANSFORM_OFFSET", "TRANSFORM_DTYPE")


@dataclass(frozen=True, slots=True)
class CtapipeFile:
    """An open file.

    Attributes
    ----------
    path : Path
    handle : tables.File
    version : str
        Of the data model, such as ``"v7.1.0"``.
    """

    path: Path
    handle: Any
    version: str

    def __contains__(self, name: object) -> bool:
        with damage_told(self.path, f"group {name}"):
            return name in self.handle

    def table(self, name: str) -> CtapipeTable:
        """Return a table.

        Raises
        ------
        InputError
            The file has none of that name.
        """
        import tables

        with damage_told(self.path, f"table {name}"):
            node = self.handle.get_node(name) if name in self else None
            if not isinstance(node, tables.Table):
                raise InputError(f"{self.path}: there is no table {name}")
            return CtapipeTable(self.path, name, node)

    @property
    def software(self) -> str:
        """What wrote the file, with its version; empty when it does not say."""
        attributes = self.handle.root._v_attrs
        names = [f"CTA ACTIVITY SOFTWARE {part}" for part in ("NAME", "VERSION")]
        return " ".join(str(attributes[name]) for name in names if name in attributes)

    def optional_table(self, name: str) -> CtapipeTable | None:
        """Return a table, None when the file has none of that name."""
        return self.table(name) if name in self else None

    def children(self, group: str) -> list[str]:
        """Return the names of what is in a group, sorted; none when there is no such group."""
        if group not in self:
            return []
        with damage_told(self.path, f"group {group}"):
            return sorted(node._v_name for node in self.handle.iter_nodes(group))


@contextmanager
def open_ctapipe(path: Path) -> Iterator[CtapipeFile]:
    """Open a ctapipe file after checking that it is one, of a data model that is understood.

    Raises
    ------
    InputError
        The file is missing, empty, truncated, damaged, of another kind or data model.
    """
    if not check_regular_file(path).startswith(HDF5_MAGIC):
        raise InputError(f"{path}: not a ctapipe file (not HDF5)")
    import tables

    require_names(path)
    with damage_told(path, "its structure"):
        handle = tables.open_file(str(path), mode="r")
    try:
        with damage_told(path, "its tables"):  # columns of another shape or type are found by whoever uses them
            yield CtapipeFile(path, handle, _checked_version(path, handle))
    finally:
        handle.close()


def _checked_version(path: Path, handle: Any) -> str:
    attributes = handle.root._v_attrs
    version = str(attributes[VERSION_ATTRIBUTE]) if VERSION_ATTRIBUTE in attributes else ""
    if not version:
        if "/events/parameters" in handle:
            raise InputError(
                f"{path}: a file of magic-cta-pipe; it holds image parameters, a file with camera images is expected "
                "(MARS calibrated files, or ctapipe files with DL1 images)"
            )
        raise InputError(f"{path}: not a ctapipe file (no attribute {VERSION_ATTRIBUTE!r})")
    major = version.lstrip("v").split(".")[0]
    if not major.isdigit() or int(major) not in _VERSIONS:
        raise InputError(
            f"{path}: ctapipe data model {version}; versions 6 and 7 are read (ctapipe 0.22 and newer): "
            "process the file again with a newer ctapipe"
        )
    return version


def _unscaled(values: NDArray[Any], stored: Mapping[str, Any]) -> NDArray[Any]:
    """Undo ctapipe's fixed-point scaling; three integers stand for minus infinity, NaN and infinity."""
    source = np.dtype(stored["TRANSFORM_DTYPE"] or "float32")
    limits = np.iinfo(values.dtype)
    if values.dtype.kind == "u":
        minus, nan, plus = limits.max - 2, limits.max - 1, limits.max
    else:
        minus, nan, plus = limits.min, limits.min + 1, limits.max
    result: NDArray[Any] = (values.astype(source) - (stored["TRANSFORM_OFFSET"] or 0)) / stored["TRANSFORM_SCALE"]
    for mark, meaning in ((minus, -np.inf), (nan, np.nan), (plus, np.inf)):
        result[values == mark] = meaning
    return result


def _utc_ns(values: NDArray[Any], stored: Mapping[str, Any]) -> Ints:
    """Nanoseconds of UTC since 1970 of times in TAI: pairs of seconds and quarter nanoseconds, or days (MJD)."""
    scale, time_format = str(stored["TIME_SCALE"]).lower(), stored["TIME_FORMAT"] or "mjd"
    if scale != "tai" or time_format not in ("ctao_high_res", "mjd"):
        raise ValueError(f"times in {scale}, {time_format}")
    if time_format == "ctao_high_res":
        tai = values[..., 0].astype(np.int64) * _NS_PER_S + values[..., 1].astype(np.int64) // 4
    else:
        days = np.floor(values)
        of_day = np.rint((values - days) * _NS_PER_DAY)
        tai = (days.astype(np.int64) - _MJD_1970) * _NS_PER_DAY + of_day.astype(np.int64)
    begins, offset = tai_minus_utc()
    utc: Ints = tai - offset[np.maximum(np.searchsorted(begins, tai, side="right") - 1, 0)]
    return utc


def tai_minus_utc() -> tuple[Ints, Ints]:
    """Return since when, in nanoseconds of TAI since 1970, TAI is how many nanoseconds ahead of UTC."""
    import erfa

    table = erfa.leap_seconds.get()
    table = table[table["year"] >= 1972]  # whole seconds only
    months = [f"{year:04d}-{month:02d}" for year, month in zip(table["year"], table["month"], strict=True)]
    offset = np.rint(table["tai_utc"]).astype(np.int64) * _NS_PER_S
    return np.array(months, dtype="datetime64[ns]").astype(np.int64) + offset, offset


def event_keys(table: CtapipeTable) -> Ints:
    """Return the run and event numbers of the rows of a table, [N, 2]."""
    return np.stack([table.column(name).astype(np.int64) for name in ("obs_id", "event_id")], axis=1)


def positions(keys: Ints, among: Ints) -> Ints:
    """Find events by their numbers.

    Parameters
    ----------
    keys : int64 array, [N, 2]
        Run and event numbers looked for.
    among : int64 array, [M, 2]
        Those that there are, each once.

    Returns
    -------
    int64 array, [N]
        Row of ``among`` with the same numbers, -1 where there is none.
    """
    if not len(keys) or not len(among):
        return np.full(len(keys), -1, dtype=np.int64)
    together = np.concatenate([among, keys])
    _, run = np.unique(together[:, 0], return_inverse=True)
    _, event = np.unique(together[:, 1], return_inverse=True)
    number = run.astype(np.int64) * (int(event.max()) + 1) + event
    present, wanted = number[: len(among)], number[len(among) :]
    order = np.argsort(present, kind="stable")
    place = np.minimum(np.searchsorted(present[order], wanted), len(present) - 1)
    found: Ints = np.where(present[order][place] == wanted, order[place], -1)
    return found
