"""Reader of photon bunches of CORSIKA in the IACT format."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError, optional_import
from magicnn.io.compressed import require_checksum
from magicnn.io.corsika.card import applied_by, scatter_m
from magicnn.io.corsika.records import CorsikaRun, CorsikaShower, PhotonBunches
from magicnn.io.sanity import require_within

__all__ = ["CorsikaFile"]

_CM = 0.01
_CEFFIC = 4
_NO_TELESCOPES = "holds no telescopes, so no light of theirs (keyword TELESCOPE)"
_ATMOSPHERE_UNIT = 1024
_SHOWER_LIMITS = {"total_energy": (1e-3, 1e12), "zenith": (0.0, math.pi), "azimuth": (-7.0, 7.0)}  # GeV, rad
_BUNCH_LIMITS = dict.fromkeys(("x", "y"), (-1e6, 1e6)) | dict.fromkeys(("cx", "cy"), (-1.0, 1.0))  # cm, cosines
_BUNCH_LIMITS |= {
    "time": (-1e6, 1e8),
    "zem": (0.0, 2e7),
    "photons": (0.0, 1e6),
    "wavelength": (-1e4, 1e4),
}  # ns, cm, nm
# What eventio raises on bytes that are no photon bunches: it checks little itself.
_DAMAGED = (
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    StopIteration,
    LookupError,
    TypeError,
    MemoryError,
    struct.error,
)


class CorsikaFile:
    """A file of photon bunches.

    Parameters
    ----------
    path : path
        File in the IACT format of CORSIKA 6 or 7, plain or compressed with gzip or zstd, with bunches of the long or
        the compact kind.

    Attributes
    ----------
    run : CorsikaRun

    Raises
    ------
    InputError
        The file is missing, not of this format, damaged, or without telescopes.
    MissingDependencyError
        ``eventio`` is not installed.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        eventio = optional_import("eventio", purpose="read photon bunches of CORSIKA")
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such file")
        try:
            self._file = eventio.IACTFile(str(self.path))
        except ZeroDivisionError as error:
            # eventio divides by the number of telescopes.
            raise InputError(f"{self.path}: {_NO_TELESCOPES}") from error
        except Exception as error:
            raise InputError(
                f"{self.path}: not a file of photon bunches in CORSIKA's IACT format, or damaged ({_reason(error)})"
            ) from error
        try:
            self.run = self._read_run()
        except BaseException:
            self.close()
            raise

    def showers(self) -> Iterator[CorsikaShower]:
        """Read the showers in the order of the file, each with all its uses.

        Raises
        ------
        InputError
            The file ends early or is damaged, or cores were thrown with weights.
        """
        collected: list[Any] = []
        n_whole = 0
        events = iter(self._file)
        while True:
            try:
                event = next(events, None)
            except Exception as error:
                if not isinstance(error, _DAMAGED) and type(error).__module__.split(".")[0] != "eventio":
                    raise
                raise InputError(
                    f"{self.path}: damaged or cut off; {n_whole + bool(collected)} showers in front of that are whole "
                    f"({_reason(error)})"
                ) from error
            if collected and (event is None or event.reuse == 1):
                yield self._shower(collected)
                n_whole += 1
                collected = []
            if event is None:
                require_checksum(self.path)
                return
            collected.append(event)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> CorsikaFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_run(self) -> CorsikaRun:
        header, positions = self._file.header, self._file.telescope_positions
        card = bytes(self._file.input_card).decode("latin-1")
        if not len(positions):
            raise InputError(f"{self.path}: {_NO_TELESCOPES}")
        centres = np.stack([positions[name] for name in ("x", "y", "z")], axis=-1).astype(np.float64)
        return CorsikaRun(
            path=self.path,
            run_number=int(header["run_number"]),
            version=round(float(header["version"]), 4),
            card=card,
            observation_level_m=_CM * float(header["observation_height"][0]),
            spectral_index=-float(header["energy_spectrum_slope"]),
            energy_min_gev=float(header["energy_min"]),
            energy_max_gev=float(header["energy_max"]),
            scatter_m=scatter_m(header, card),
            applied=applied_by(card),
            telescopes_m=_CM * centres,
            radius_m=_CM * np.asarray(positions["r"], dtype=np.float64),
        )

    def _shower(self, events: list[Any]) -> CorsikaShower:
        header = events[0].header
        if len({float(event.reuse_weight) for event in events}) > 1:
            raise InputError(
                f"{self.path}: cores of shower {int(header['event_number'])} carry weights (importance sampling), "
                "which event sets cannot hold; throw them evenly (CSCAT without IMPACT sampling)"
            )
        flags = int(header["cerenkov_flag"])
        applied = self.run.applied
        if applied.names and not flags & _CEFFIC:
            raise InputError(f"{self.path}: the card asks for CERQEF, but this CORSIKA was built without CEFFIC")
        first = abs(float(header["first_interaction_height"])) * _CM
        where = f"{self.path}, shower {int(header['event_number'])}"
        require_within({name: header[name] for name in _SHOWER_LIMITS}, _SHOWER_LIMITS, where=where)
        for bunches in (b for event in events for b in event.photon_bunches.values()):
            require_within({name: bunches[name] for name in _BUNCH_LIMITS}, _BUNCH_LIMITS, where=where)
        return CorsikaShower(
            number=int(header["event_number"]),
            particle_id=int(header["particle_id"]),
            energy_gev=float(header["total_energy"]),
            zenith_deg=math.degrees(float(header["zenith"])),
            azimuth_deg=math.degrees(float(header["azimuth"])),
            array_angle_deg=math.degrees(float(header["angle_array_x_magnetic_north"])),
            first_interaction_m=first if first > 0.0 else math.nan,
            field_north_ut=float(header["earth_magnetic_field_x"]),
            field_down_ut=float(header["earth_magnetic_field_z"]),
            atmosphere=flags // _ATMOSPHERE_UNIT,
            theta_range_deg=(float(header["theta_min"]), float(header["theta_max"])),
            phi_range_deg=(float(header["phi_min"]), float(header["phi_max"])),
            viewcone_deg=(float(header["viewcone_inner_angle"]), float(header["viewcone_outer_angle"])),
            band_nm=(float(header["cherenkov_wavelength_min"]), float(header["cherenkov_wavelength_max"])),
            bunch_size=float(header["cherenkov_bunch_size"]),
            cores_m=_CM * np.array([[event.impact_x, event.impact_y] for event in events], dtype=np.float64),
            uses=tuple({int(k): _bunches(v) for k, v in event.photon_bunches.items()} for event in events),
        )


def _bunches(table: NDArray[Any]) -> PhotonBunches:
    columns = {name: np.asarray(table[name], dtype=np.float64) for name in table.dtype.names or ()}
    return PhotonBunches(
        x_m=_CM * columns["x"],
        y_m=_CM * columns["y"],
        cx=columns["cx"],
        cy=columns["cy"],
        time_ns=columns["time"],
        emission_height_m=_CM * columns["zem"],
        photons=columns["photons"],
        # A CORSIKA with CEFFIC writes drawn wavelengths with a minus, whether or not anything was applied.
        wavelength_nm=np.abs(columns["wavelength"]),
    )


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__
