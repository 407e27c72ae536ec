"""Photon bunches of CORSIKA in the IACT format: run, showers, telescopes and light, as the file says them.

Vectors stay in the frame of the file's array: z up, x at ``array_angle_deg`` west of magnetic north.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.errors import InputError, optional_import
from magicnn.io.sanity import require_within

__all__ = [
    "AppliedByCorsika",
    "CorsikaFile",
    "CorsikaRun",
    "CorsikaShower",
    "PhotonBunches",
    "card_values",
    "particle_name",
]

Floats = NDArray[np.float64]

_CM = 0.01
_CEFFIC = 4
_NAMES = {1: "gamma", 2: "positron", 3: "electron", 5: "muon", 6: "muon", 14: "proton", 402: "helium", 5626: "iron"}
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


@dataclass(frozen=True)
class AppliedByCorsika:
    """What CORSIKA's option CEFFIC did to the bunches already (keyword CERQEF).

    Attributes
    ----------
    detection, extinction, mirror : bool
        Quantum efficiency, absorption in the air, reflectivity of the mirrors.
    """

    detection: bool = False
    extinction: bool = False
    mirror: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What was applied, in words."""
        told = (
            (self.detection, "photon detection"),
            (self.extinction, "extinction"),
            (self.mirror, "mirror reflectivity"),
        )
        return tuple(name for is_applied, name in told if is_applied)


@dataclass(frozen=True)
class CorsikaRun:
    """Header, card and telescopes of a file.

    Attributes
    ----------
    path : Path
    run_number : int
    version : float
        Of CORSIKA.
    card : str
        The input card in the file.
    observation_level_m : float
    spectral_index : float
        Thrown spectrum dN/dE = E^-spectral_index.
    energy_min_gev, energy_max_gev : float
    scatter_m : tuple of float
        CSCAT: radius of the disc of cores across the axis when the second number is 0, else the sides of a rectangle.
    applied : AppliedByCorsika
    telescopes_m : float64 array, [T, 3]
        Centres of the spheres, relative to the origin of the array on the observation level.
    radius_m : float64 array, [T]
        Radii of the spheres.
    """

    path: Path
    run_number: int
    version: float
    card: str
    observation_level_m: float
    spectral_index: float
    energy_min_gev: float
    energy_max_gev: float
    scatter_m: tuple[float, float]
    applied: AppliedByCorsika
    telescopes_m: Floats
    radius_m: Floats


@dataclass(frozen=True)
class PhotonBunches:
    """Light in the sphere of one telescope.

    Attributes
    ----------
    x_m, y_m : float64 array, [M]
        Where bunches cross the horizontal plane through the centre of the sphere, relative to it.
    cx, cy : float64 array, [M]
        Direction cosines of their flight.
    time_ns : float64 array, [M]
        When they cross that plane, after the primary, unhindered at the speed of light, would reach the core.
    emission_height_m : float64 array, [M]
        Above sea level.
    photons : float64 array, [M]
        Size of the bunch.
    wavelength_nm : float64 array, [M]
        0 where the file leaves it open.
    """

    x_m: Floats
    y_m: Floats
    cx: Floats
    cy: Floats
    time_ns: Floats
    emission_height_m: Floats
    photons: Floats
    wavelength_nm: Floats


@dataclass(frozen=True)
class CorsikaShower:
    """One shower and the light of its uses.

    Attributes
    ----------
    number : int
        Event number in the run.
    particle_id : int
        CORSIKA's number of the primary (1 gamma, 3 electron, 14 proton, 402 helium).
    energy_gev : float
        Total energy.
    zenith_deg, azimuth_deg : float
        Direction of FLIGHT: angle to the vertical downwards, and angle from magnetic north towards magnetic west.
    array_angle_deg : float
        Angle of the array's x axis from magnetic north towards west (keyword ARRANG).
    first_interaction_m : float
        Height above sea level, NaN when not known.
    field_north_ut, field_down_ut : float
    atmosphere : int
        Number of CORSIKA's external atmosphere, 0 for a built-in one.
    theta_range_deg, phi_range_deg : tuple of float
        Ranges of THETAP and PHIP.
    viewcone_deg : tuple of float
        Inner and outer opening angle.
    band_nm : tuple of float
        Wavelengths of the photons counted.
    bunch_size : float
        Greatest size of a bunch.
    cores_m : float64 array, [K, 2]
        Core of each use relative to the origin of the array, on the observation level.
    uses : tuple of mapping of int to PhotonBunches
        Light of each use by the index of the telescope.
    """

    number: int
    particle_id: int
    energy_gev: float
    zenith_deg: float
    azimuth_deg: float
    array_angle_deg: float
    first_interaction_m: float
    field_north_ut: float
    field_down_ut: float
    atmosphere: int
    theta_range_deg: tuple[float, float]
    phi_range_deg: tuple[float, float]
    viewcone_deg: tuple[float, float]
    band_nm: tuple[float, float]
    bunch_size: float
    cores_m: Floats
    uses: tuple[Mapping[int, PhotonBunches], ...]


def particle_name(particle_id: int) -> str:
    """Name a particle by CORSIKA's number."""
    return _NAMES.get(particle_id, f"corsika_{particle_id}")


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
            scatter_m=_scatter_m(header, card),
            applied=_applied(card),
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


def _scatter_m(header: Any, card: str) -> tuple[float, float]:
    """Read CSCAT from the header, or from the card where the header, before version 7.3, lacks it."""
    if "x_scatter" in header.dtype.names:
        return _CM * float(header["x_scatter"]), _CM * float(header["y_scatter"])
    words = [*card_values(card).get("CSCAT", [[]])[-1], "0", "0", "0"]
    return _CM * float(words[1]), _CM * float(words[2])


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


def _applied(card: str) -> AppliedByCorsika:
    """Read CERQEF, which no header repeats: detection, extinction, mirror, all off when it is not in the card."""
    lines = card_values(card).get("CERQEF", [])
    words = [word.strip(".").upper()[:1] == "T" for word in (lines[-1] if lines else [])]
    detection, extinction, mirror = (words + [False] * 3)[:3]
    return AppliedByCorsika(detection, extinction, mirror)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__
