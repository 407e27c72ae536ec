"""Files of trained forests: a readable header with versions and a checksum, then scikit-learn's own bytes."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from magicnn.errors import CheckpointError, InputError
from magicnn.runs import atomic_path, provenance

__all__ = ["FORESTS_MAGIC", "kind_in_words", "load_forests", "read_header", "save_forests"]

FORESTS_MAGIC = b"magicnn forests 1\n"
"""First bytes of every such file."""


def save_forests(path: Path | str, kind: str, record: Mapping[str, Any], forests: Any) -> None:
    """Write forests, or other estimators of scikit-learn, to one file.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        What the forests do; asked for again on loading.
    record : mapping
        Plain values kept beside them: settings, feature list.
    forests : object
        Lists and dicts of scikit-learn estimators.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    import joblib
    import sklearn

    buffer = io.BytesIO()
    joblib.dump(forests, buffer, compress=3)
    payload = buffer.getvalue()
    header = {
        "kind": kind,
        "scikit-learn": sklearn.__version__,
        "sha256": hashlib.sha256(payload).hexdigest(),
        "record": dict(record),
        "provenance": provenance(),
    }
    with atomic_path(path) as partial:
        try:
            partial.write_bytes(FORESTS_MAGIC + json.dumps(header, sort_keys=True).encode() + b"\n" + payload)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error


def load_forests(path: Path | str, kind: str) -> tuple[dict[str, Any], Any]:
    """Read a file written by `save_forests`.

    Parameters
    ----------
    path : path
        The file. scikit-learn stores its estimators as pickles, which run code when loaded: load only files from
        people you trust. The checksum finds damage, not malice.
    kind : str
        What the forests have to be for.

    Returns
    -------
    record : dict
    forests : object

    Raises
    ------
    CheckpointError
        The file is missing, damaged, of another kind, or from another version of scikit-learn.
    """
    import joblib
    import sklearn

    header, payload = _parts(path)
    if header["kind"] != kind:
        raise CheckpointError(f"{path}: holds {kind_in_words(header['kind'])}, expected {kind}")
    if header["scikit-learn"] != sklearn.__version__:
        raise CheckpointError(
            f"{path}: written with scikit-learn {header['scikit-learn']}, here is {sklearn.__version__}, which cannot "
            f"be trusted to read it; install that version or train the forests again"
        )
    return header["record"], joblib.load(io.BytesIO(payload))


def kind_in_words(kind: str) -> str:
    """Say what a file of a kind holds."""
    return kind if kind.startswith("method ") else f"forests for {kind}"


def read_header(path: Path | str) -> dict[str, Any]:
    """Read what a file of forests says of itself, without loading a forest.

    Returns
    -------
    dict
        ``kind, scikit-learn, sha256, record, provenance``.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, or of another kind.
    """
    return _parts(path)[0]


def _parts(path: Path | str) -> tuple[dict[str, Any], bytes]:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    if not content.startswith(FORESTS_MAGIC):
        raise CheckpointError(f"{path}: not a file of forests of magicnn")
    line, _, payload = content[len(FORESTS_MAGIC) :].partition(b"\n")
    try:
        header: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged header") from error
    if hashlib.sha256(payload).hexdigest() != header["sha256"]:
        raise CheckpointError(f"{path}: damaged (its checksum does not fit); train the forests again")
    return header, payload
