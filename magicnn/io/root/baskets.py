"""The baskets of a branch, taken as they lie in the file: arrays of one length per entry, nothing jagged in between."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["Baskets", "keep_freed_memory", "range_of"]

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

_TARRAY_TYPES = {"TArrayF": ">f4", "TArrayD": ">f8", "TArrayI": ">i4", "TArrayS": ">i2"}
_TARRAY_HEADER = 4  # bytes of the length in front of the values
_KEY = struct.Struct(">ihiIh")  # begins a basket: bytes, version, bytes when unpacked, date, bytes of the key
_BASKET = struct.Struct(">HiiiiB")  # ends its key: version, three sizes, where the last entry ends, a flag
_ZLIB, _BLOCK_HEADER = b"ZL", 9
_PAGE = 4096  # more than a key takes
_FREED_ONCE = 31 << 20  # bytes; glibc learns from blocks below 32 MiB


@dataclass(frozen=True, slots=True)
class Baskets:
    """Where a branch of numbers, or of arrays of one length per entry, stands in its file.

    It takes a fraction of the time to use that the tree takes to open, and needs no open file: it can be kept, sent to
    another process, and used by several threads.

    Attributes
    ----------
    path : Path
        The file.
    bounds : int64 array, [B + 1]
        First entry of each basket, and the number of entries behind.
    dtype : dtype
        Of the values in the file, big-endian.
    shape : tuple of int or None
        Shape of an entry, () for a number; None where the branch does not fix it.
    """

    path: Path
    bounds: Ints
    dtype: np.dtype[Any]
    shape: tuple[int, ...] | None
    _place: Ints
    _size: Ints
    _kept: tuple[tuple[Bytes, Ints | None], ...] = field(repr=False)
    _header: int
    _says_length: bool

    @classmethod
    def of(cls, path: Path, branch: Any) -> Baskets | None:
        """Find the baskets of a branch.

        Parameters
        ----------
        path : Path
            Its file.
        branch : uproot branch
            Numbers, fixed arrays of them, a ``TClonesArray`` member, a ``TArrayF`` or a jagged array.

        Returns
        -------
        Baskets or None
            None for a branch of another kind, which is left to the general way of reading.
        """
        layout = _layout(branch)
        if layout is None:
            return None
        bounds = np.asarray(branch.entry_offsets, dtype=np.int64)
        place = np.asarray(branch.member("fBasketSeek"), dtype=np.int64)[: len(bounds) - 1]
        place = place[: np.count_nonzero(np.cumprod(place))]  # the others stand with the branch's description
        kept = [branch.basket(number) for number in range(len(place), len(bounds) - 1)]
        return cls(
            path=path,
            bounds=bounds,
            dtype=layout[1].base,
            shape=None if layout[2] else layout[1].shape,
            _place=place,
            _size=np.asarray(branch.member("fBasketBytes"), dtype=np.int64)[: len(place)],
            _kept=tuple((basket.data, basket.byte_offsets) for basket in kept),
            _header=layout[0],
            _says_length=str(branch.typename) in _TARRAY_TYPES,
        )

    @property
    def is_number(self) -> bool:
        """Whether entries are numbers and not arrays."""
        return self.shape == ()

    def holding(self, rows: Ints) -> Iterator[tuple[int, slice]]:
        """Yield the number of every basket that holds some entries, and which of them.

        Parameters
        ----------
        rows : int64 array, [N], ascending
            Entries.
        """
        ends = np.searchsorted(rows, self.bounds)
        for number in np.flatnonzero(np.diff(ends)).tolist():
            yield number, slice(int(ends[number]), int(ends[number + 1]))

    def values(self, number: int, file: BinaryIO | None = None) -> NDArray[Any] | None:
        """Unpack a basket.

        Parameters
        ----------
        number : int
            Which one.
        file : binary file, optional
            The file, when it is open already.

        Returns
        -------
        array, [n, width], big-endian, or None
            A view of the bytes as they are; None when the entries differ in length.

        Raises
        ------
        ValueError, OSError, struct.error, zlib.error, ...
            The file is damaged; checksums are compared.
        """
        n = int(self.bounds[number + 1] - self.bounds[number])
        content, ends = self._content(number, file)
        stride, rest = divmod(len(content), n)
        width, odd = divmod(stride - self._header, self.dtype.itemsize)
        if rest or odd or width < 0:
            return None
        if ends is not None and (len(ends) != n + 1 or (ends != stride * np.arange(n + 1)).any()):
            return None
        records = content.reshape(n, stride)
        if self._says_length and (records[:, :_TARRAY_HEADER].view(">i4") != width).any():
            return None
        return records[:, self._header :].view(self.dtype)

    def read(self, start: int, stop: int, n_first: int | None = None) -> NDArray[Any] | None:
        """Read consecutive entries.

        Parameters
        ----------
        start, stop : int
            Entries, ``start < stop``.
        n_first : int, optional
            How many values of each array are wanted; all when not given.

        Returns
        -------
        array, [N, n_values], in native byte order, or None
            None when the lengths differ.
        """
        found: NDArray[Any] | None = None
        width = 0
        rows = np.arange(start, stop)
        with self.path.open("rb", buffering=0) as file:
            for number, which in self.holding(rows):
                values = self.values(number, file)
                if values is None or (found is not None and values.shape[1] != width):
                    return None
                if found is None:
                    width = values.shape[1]
                    found = np.empty(
                        (len(rows), width if n_first is None else min(width, n_first)), self.dtype.newbyteorder("=")
                    )
                first = int(self.bounds[number])
                found[which] = values[start + which.start - first : start + which.stop - first, : found.shape[1]]
        return found

    def first_values(self, number: int, count: int) -> NDArray[Any]:
        """Read the first values of a basket, without unpacking the rest of it where zlib allows.

        Parameters
        ----------
        number : int
            Which basket.
        count : int
            Values of its first entry, at most as many as that has.
        """
        n_bytes = self._header + count * self.dtype.itemsize
        if number < len(self._place):
            with self.path.open("rb", buffering=0) as file:
                raw, key_size, _ = self._raw(number, file, 2 * n_bytes + _PAGE)
            if bytes(raw[key_size : key_size + len(_ZLIB)]) == _ZLIB:
                start = zlib.decompressobj().decompress(raw[key_size + _BLOCK_HEADER :], n_bytes)
                if len(start) == n_bytes:
                    return np.frombuffer(start[self._header :], self.dtype)
        return self._content(number, None)[0][self._header : n_bytes].view(self.dtype)

    def _content(self, number: int, file: BinaryIO | None) -> tuple[Bytes, Ints | None]:
        """Bytes of the entries of a basket, and where each begins, the end behind; None when it does not say."""
        if number >= len(self._place):
            return self._kept[number - len(self._place)]
        if file is None:
            with self.path.open("rb", buffering=0) as opened:
                raw, key_size, n_unpacked = self._raw(number, opened)
        else:
            raw, key_size, n_unpacked = self._raw(number, file)
        content = np.frombuffer(_unpacked(raw[key_size:], n_unpacked), np.uint8)
        last = _BASKET.unpack_from(raw, key_size - _BASKET.size)[4]
        border = last - key_size
        if border == n_unpacked:
            return content, None
        bounds = content[border:].view(">i4")[1:].astype(np.int64) - key_size
        bounds[-1] = border
        return content[:border], bounds

    def _raw(self, number: int, file: BinaryIO, most: int | None = None) -> tuple[memoryview, int, int]:
        """Bytes of a basket as they are in the file, its key's size, and the bytes when unpacked."""
        size = int(self._size[number])
        wanted = size if most is None else min(size, most)
        file.seek(int(self._place[number]))
        raw = memoryview(file.read(wanted))
        n_bytes, _, n_unpacked, _, key_size = _KEY.unpack_from(raw)
        if len(raw) != wanted or n_bytes != size:
            raise ValueError(f"no basket of {size} bytes at {self._place[number]}")
        return raw, key_size, n_unpacked


@cache
def keep_freed_memory() -> None:
    """Let this process keep up to 62 MiB that it frees for what it allocates next.

    Notes
    -----
    glibc hands freed memory back to the system when it is more than twice the largest block freed so far (mallopt(3),
    M_TRIM_THRESHOLD), and the pages of new memory cost more time than the arithmetic on them. The block freed here is
    never touched.
    """
    np.empty(_FREED_ONCE, dtype=np.uint8)


def range_of(places: Ints) -> Ints | slice:
    """Return the places as a range where they follow each other: that is looked up without a copy.

    Parameters
    ----------
    places : int64 array, [N], not empty
    """
    first, last = int(places[0]), int(places[-1])
    is_range = last - first + 1 == len(places) and bool((np.diff(places) == 1).all())
    return slice(first, last + 1) if is_range else places


def _layout(branch: Any) -> tuple[int, np.dtype[Any], bool] | None:
    """Bytes in front of the values of an entry, their type, and whether their number is left open."""
    kind = str(branch.typename)
    if kind in _TARRAY_TYPES:
        return _TARRAY_HEADER, np.dtype(_TARRAY_TYPES[kind]), True
    interpretation = branch.interpretation
    is_jagged = type(interpretation).__name__ == "AsJagged"
    dtype = getattr(interpretation.content if is_jagged else interpretation, "from_dtype", None)
    if not isinstance(dtype, np.dtype) or dtype.names or not (is_jagged or type(interpretation).__name__ == "AsDtype"):
        return None
    return int(interpretation.header_bytes) if is_jagged else 0, dtype, is_jagged


def _unpacked(blocks: memoryview, n_unpacked: int) -> bytes | memoryview:
    """Unpack blocks that each begin with their method and sizes; zlib's checksum is compared."""
    if len(blocks) == n_unpacked:
        return blocks
    if bytes(blocks[: len(_ZLIB)]) != _ZLIB:
        return _unpacked_by_uproot(blocks, n_unpacked)
    inflate = _inflate()
    parts = []
    while len(blocks):
        packed, unpacked = (int.from_bytes(blocks[i : i + 3], "little") for i in (3, 6))
        if bytes(blocks[: len(_ZLIB)]) != _ZLIB:
            raise ValueError("blocks packed by several methods")
        parts.append(inflate(blocks[_BLOCK_HEADER : _BLOCK_HEADER + packed], unpacked))
        blocks = blocks[_BLOCK_HEADER + packed :]
    content = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(content) != n_unpacked:
        raise ValueError(f"{len(content)} of {n_unpacked} bytes")
    return content


def _unpacked_by_uproot(blocks: memoryview, n_unpacked: int) -> memoryview:
    """Unpack by LZMA, LZ4 or Zstandard."""
    import uproot

    chunk = uproot.source.chunk.Chunk.wrap(None, np.frombuffer(blocks, np.uint8))
    cursor = uproot.source.cursor.Cursor(0)
    return memoryview(uproot.compression.decompress(chunk, cursor, {}, len(blocks), n_unpacked).raw_data)


@cache
def _inflate() -> Callable[[memoryview, int], bytes]:
    """Return libdeflate's function where it is installed, twice as fast as zlib's, the same bytes."""
    try:
        from deflate import zlib_decompress
    except ImportError:
        return lambda packed, size: zlib.decompress(packed, bufsize=max(1, size))
    return lambda packed, size: zlib_decompress(packed, size)
