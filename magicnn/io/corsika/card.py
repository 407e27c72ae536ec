"""What only the input card of a CORSIKA file tells."""

from __future__ import annotations

from typing import Any

from magicnn.io.corsika.records import AppliedByCorsika

__all__ = ["applied_by", "card_values", "scatter_m"]

_CM = 0.01


def card_values(card: str) -> dict[str, list[list[str]]]:
    """Read the keywords of a CORSIKA input card.

    Parameters
    ----------
    card : str

    Returns
    -------
    dict of str to list of list of str
        For each keyword, in capitals, the words behind it, once for every line it stands on; comment lines (``*``,
        ``C`` alone) and what follows ``EXIT`` are left out.
    """
    found: dict[str, list[list[str]]] = {}
    for line in card.splitlines():
        words = line.split()
        if not words or words[0].startswith("*") or words[0].upper() == "C":
            continue
        keyword = words[0].upper()
        found.setdefault(keyword, []).append(words[1:])
        if keyword == "EXIT":
            break
    return found


def scatter_m(header: Any, card: str) -> tuple[float, float]:
    """Read CSCAT from the header, or from the card where the header, before version 7.3, lacks it."""
    if "x_scatter" in header.dtype.names:
        return _CM * float(header["x_scatter"]), _CM * float(header["y_scatter"])
    words = [*card_values(card).get("CSCAT", [[]])[-1], "0", "0", "0"]
    return _CM * float(words[1]), _CM * float(words[2])


def applied_by(card: str) -> AppliedByCorsika:
    """Read CERQEF, which no header repeats: detection, extinction, mirror, all off when it is not in the card."""
    lines = card_values(card).get("CERQEF", [])
    words = [word.strip(".").upper()[:1] == "T" for word in (lines[-1] if lines else [])]
    detection, extinction, mirror = (words + [False] * 3)[:3]
    return AppliedByCorsika(detection, extinction, mirror)
