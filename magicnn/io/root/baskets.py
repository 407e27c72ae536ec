"""Arrays of one length per entry, taken as they lie in the baskets of a branch: nothing jagged in between."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_values", "read_rectangle"]

_TARRAY_TYPES = {"TArrayF": ">f4", "TArrayD": ">f8", "TArrayI": ">i4", "TArrayS": ">i2"}
_TARRAY_HEADER = 4  # bytes of the length in front of the values
_KEY = struct.Struct(">ihiIh")  # begins a basket: bytes, version, bytes when unpacked, date, bytes of the key
_BASKET = struct.Struct(">HiiiiB")  # ends its key: version, three sizes, where the last entry ends, a flag
_ZLIB, _BLOCK_HEADER = b"ZL", 9
_PAGE = 4096  # more than a key takes


def read_rectangle(branch: Any, start: int, stop: int, n_first: int | None = None) -> NDArray[Any] | None:
    """Read entries of a branch with one array of the same length each.

    Parameters
    ----------
    branch : uproot branch
        A ``TClonesArray`` member, a ``TArrayF`` or a jagged array.
    start, stop : int
        Entries, ``start < stop``.
    n_first : int, optional
        How many values of each array are wanted; all when not given.

    Returns
    -------
    array, [N, n_slots], in native byte order, or None
        None when the lengths differ or the branch is of another kind, which is left to the general way of reading.
    """
    layout = _layout(branch)
    if layout is None:
        return None
    header, dtype = layout
    rectangle: NDArray[Any] | None = None
    width = 0
    for number, first, end in _baskets(branch, start, stop):
        content, bounds = _content(branch, number)
        if bounds is None or len(bounds) != end - first + 1:
            return None
        stride = int(bounds[1])
        if len(content) != stride * (end - first) or (bounds != stride * np.arange(len(bounds))).any():
            return None
        if rectangle is None:
            width = (stride - header) // dtype.itemsize
            n_kept = max(0, width if n_first is None else min(width, n_first))
            rectangle = np.empty((stop - start, n_kept), dtype=dtype.newbyteorder("="))
        records = content.reshape(-1, stride)[max(start - first, 0) : stop - first]
        if stride != header + width * dtype.itemsize or not _lengths_agree(branch, records, width):
            return None
        values = records[:, header : header + rectangle.shape[1] * dtype.itemsize].view(dtype)
        here = max(first - start, 0)
        rectangle[here : here + len(records)] = values
    return rectangle


def first_values(branch: Any, start: int, stop: int, count: int) -> Iterator[NDArray[Any]]:
    """Yield the first values of every basket with some entries, without unpacking the rest of it where zlib allows.

    Parameters
    ----------
    branch : uproot branch
        A ``TClonesArray`` member or a jagged array of numbers.
    start, stop : int
        Entries whose baskets are looked at.
    count : int
        How many values of a basket's first entry.
    """
    for number, first, _ in _baskets(branch, start, stop):
        values = _unpacked_start(branch, number, count)
        if values is None:
            values = branch.array(entry_start=first, entry_stop=first + 1, library="np")[0][:count]
        yield values


def _layout(branch: Any) -> tuple[int, np.dtype[Any]] | None:
    """Bytes in front of the values of an entry, and their type."""
    kind = str(branch.typename)
    if kind in _TARRAY_TYPES:
        return _TARRAY_HEADER, np.dtype(_TARRAY_TYPES[kind])
    interpretation = branch.interpretation
    dtype = getattr(getattr(interpretation, "content", None), "from_dtype", None)
    if type(interpretation).__name__ != "AsJagged" or not isinstance(dtype, np.dtype) or dtype.shape or dtype.names:
        return None
    return int(interpretation.header_bytes), dtype


def _lengths_agree(branch: Any, records: NDArray[np.uint8], width: int) -> bool:
    """Whether each entry of a ``TArray`` states the length that it has; other branches do not state one."""
    if str(branch.typename) not in _TARRAY_TYPES:
        return True
    return bool((records[:, :_TARRAY_HEADER].view(">i4") == width).all())


def _baskets(branch: Any, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, first entry and the entry after the last of the baskets with some entries."""
    bounds = branch.entry_offsets
    for number, (first, end) in enumerate(itertools.pairwise(bounds)):
        if first < stop and start < end:
            yield number, int(first), int(end)


def _content(branch: Any, number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """Bytes of the entries of a basket, and where each begins, the end behind; None when it does not say."""
    found = _packed(branch, number)
    if found is None:
        basket = branch.basket(number)
        return basket.data, basket.byte_offsets
    basket_bytes, key_size, n_unpacked = found
    content = np.frombuffer(_unpacked(basket_bytes[key_size:], n_unpacked), np.uint8)
    last = _BASKET.unpack_from(basket_bytes, key_size - _BASKET.size)[4]
    border = last - key_size
    if border == n_unpacked:
        return content, None
    bounds = content[border:].view(">i4")[1:].astype(np.int64) - key_size
    bounds[-1] = border
    return content[:border], bounds


def _packed(branch: Any, number: int, size: int | None = None) -> tuple[memoryview, int, int] | None:
    """Bytes of a basket, its key's size, and the bytes when unpacked; None when it is not packed by zlib."""
    if number >= len(branch.member("fBasketSeek")):
        return None
    place, whole = int(branch.member("fBasketSeek")[number]), branch.basket_compressed_bytes(number)
    chunk = branch.file.source.chunk(place, place + (whole if size is None else min(size, whole)))
    content = memoryview(chunk.raw_data)
    _, _, n_unpacked, _, key_size = _KEY.unpack_from(content)
    if bytes(content[key_size : key_size + len(_ZLIB)]) != _ZLIB or whole - key_size == n_unpacked:
        return None
    return content, key_size, n_unpacked


def _unpacked(blocks: memoryview, n_unpacked: int) -> bytes:
    """Unpack blocks that each begin with their method and sizes; zlib's checksum is compared."""
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


@cache
def _inflate() -> Callable[[memoryview, int], bytes]:
    """Return libdeflate's function where it is installed, twice as fast as zlib's, the same bytes."""
    try:
        from deflate import zlib_decompress
    except ImportError:
        return lambda packed, size: zlib.decompress(packed, bufsize=max(1, size))
    return lambda packed, size: zlib_decompress(packed, size)


def _unpacked_start(branch: Any, number: int, count: int) -> NDArray[Any] | None:
    """First values of a basket packed by zlib; None when it is packed otherwise or of another kind."""
    layout = _layout(branch)
    if layout is None:
        return None
    header, dtype = layout
    n_bytes = header + count * dtype.itemsize
    found = _packed(branch, number, 2 * n_bytes + _PAGE)
    if found is None:
        return None
    basket_bytes, key_size, _ = found
    content = zlib.decompressobj().decompress(basket_bytes[key_size + _BLOCK_HEADER :], n_bytes)
    return np.frombuffer(content[header:], dtype) if len(content) == n_bytes else None
