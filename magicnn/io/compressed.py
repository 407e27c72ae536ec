"""Compressed files of events: their checksums, which lie behind the last event, where readers do not look."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

from magicnn.errors import InputError

__all__ = ["require_checksum"]

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_AT_ONCE = 1 << 20


def require_checksum(path: Path) -> None:
    """Go through a file that is compressed with gzip or zstd to its end; nothing for any other file.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    InputError
        It is truncated, or its checksum is another one: that of gzip, or of zstd where its writer put one.
    """
    with path.open("rb") as file:
        stream: Any
        head = file.read(4)
        file.seek(0)
        errors: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error)
        if head.startswith(_GZIP):
            stream = gzip.GzipFile(fileobj=file)
        elif head == _ZSTD:
            try:
                import zstandard
            except ImportError:
                return  # whoever reads the file says what is missing
            stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            errors = (*errors, zstandard.ZstdError)
        else:
            return
        try:
            while stream.read(_AT_ONCE):
                pass
        except EOFError as error:
            raise InputError(f"{path}: truncated; copy it again") from error
        except errors as error:
            raise InputError(f"{path}: the compressed file is damaged ({error})") from error
