"""Trigger of MARS files: how the telescopes were set, and which events are showers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.io.root.files import RootFile, RootTree

__all__ = ["PEDESTAL", "STEREO", "TOPOLOGICAL", "TriggerSetup", "choose_showers", "trigger_setup"]

CALIBRATION, TOPOLOGICAL, PEDESTAL, PULSE_INJECTION, SUM, STEREO = 2, 4, 8, 16, 32, 128
"""Bits of ``MTriggerPattern.fPrescaled``; topological is one MAGIC telescope with LST-1."""

_MODES: dict[tuple[int, ...], str] = {
    (0, 1, 0, 1, 0, 0, 0, 1): "stereo",
    (0, 1, 1, 1, 0, 0, 0, 1): "stereo with LST-1",
    (1, 1, 0, 1, 0, 0, 0, 0): "mono",
    (0, 1, 0, 1, 0, 1, 0, 0): "mono, sum trigger",
}
_SUM_TABLE = "L3T_SUMSUM"
_FACTORS = "MTriggerPrescFact.fPrescFact"
_NO_SHOWER = PEDESTAL | CALIBRATION | PULSE_INJECTION


@dataclass(frozen=True, slots=True)
class TriggerSetup:
    """How the trigger was set.

    Attributes
    ----------
    mode : str
        ``"stereo"``, ``"stereo, sum trigger"``, ``"stereo with LST-1"``, ``"mono"``, ``"mono, sum trigger"``, or the
        prescaling factors when they are none of MAGIC's; empty when the file does not say.
    table : str
        Name of the table of the stereo trigger, empty when the file does not say.
    """

    mode: str
    table: str

    @property
    def with_lst(self) -> bool:
        """Whether events may carry the bit of LST-1 besides the stereo bit."""
        return "LST" in self.mode


def trigger_setup(file: RootFile, events: RootTree, *, is_simulation: bool) -> TriggerSetup:
    """Read how the trigger was set.

    Parameters
    ----------
    file : RootFile
        Data have the trees ``Trigger`` (prescaling factors) and ``L3T`` (table of the stereo trigger); of each the
        second row counts, since the first may be left from the run before. Simulations show a sum trigger in the
        pattern 32 of their events (the first may be 0) and the number of telescopes in the run header.
    events : RootTree
        Tree ``Events``.
    is_simulation : bool
        Whether it is simulated.

    Returns
    -------
    TriggerSetup
    """
    if is_simulation:
        return _simulated(file, events)
    prescaling, stereo = file.optional_tree("Trigger"), file.optional_tree("L3T")
    mode = ""
    if prescaling is not None and _FACTORS in prescaling:
        factors = tuple(int(f) for f in np.ravel(prescaling.value(_FACTORS, min(1, prescaling.n_entries - 1))))
        mode = _MODES.get(factors, f"prescaling factors {' '.join(map(str, factors))}")
    table = "" if stereo is None else stereo.text("MReportL3T.fTablename", min(1, stereo.n_entries - 1))
    if table.startswith(_SUM_TABLE) and not mode.startswith("mono"):
        mode = f"{mode or 'stereo'}, sum trigger"
    return TriggerSetup(mode, table)


def _simulated(file: RootFile, events: RootTree) -> TriggerSetup:
    headers = file.optional_tree("RunHeaders")
    number = "MMcCorsikaRunHeader.fNumCT"
    is_mono = headers is not None and number in headers and int(np.ravel(headers.column(number))[0]) == 1
    pattern = np.empty(0)
    if "MTriggerPattern.fPrescaled" in events:
        pattern = events.scalars("MTriggerPattern.fPrescaled")[1:]
    is_sum = len(pattern) > 0 and bool((pattern == SUM).all())
    return TriggerSetup(("mono" if is_mono else "stereo") + (", sum trigger" if is_sum else ""), "")


def choose_showers(
    events: RootTree, number: NDArray[np.int64], setup: TriggerSetup, *, is_simulation: bool, keep_mono: bool
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Tell showers from calibration events and from triggers that are not wanted.

    Parameters
    ----------
    events : RootTree
        Tree ``Events``.
    number : int64 array, [N]
        Stereo event numbers.
    setup : TriggerSetup
        How the trigger was set; events of the stereo trigger with LST-1 in it count where LST-1 took part.
    is_simulation : bool
        Simulations have no pedestal events and no stereo bit: a number other than 0 is their stereo trigger.
    keep_mono : bool
        Keep every shower and not only those of the stereo trigger.

    Returns
    -------
    keep : bool array, [N]
    counts : dict of str to int
        Events read, and dropped for which reason; every event is counted once.
    """
    counts = {"read": len(number)}
    if is_simulation:
        keep = (number != 0) | keep_mono
        return keep, counts | {"pedestal": 0, "other trigger": int((~keep).sum()), "no stereo number": 0}
    pattern = events.scalars("MTriggerPattern.fPrescaled").astype(np.int64)
    is_pedestal = pattern == PEDESTAL
    is_shower = (pattern == STEREO) | (setup.with_lst & (pattern == STEREO | TOPOLOGICAL))
    if keep_mono:
        is_shower = (pattern != 0) & ((pattern & _NO_SHOWER) == 0)
    keep = is_shower & ((number != 0) | keep_mono)
    return keep, counts | {
        "pedestal": int(is_pedestal.sum()),
        "other trigger": int((~is_pedestal & ~is_shower).sum()),
        "no stereo number": int((is_shower & ~keep).sum()),
    }
