"""From CORSIKA's photon bunches to the photoelectrons of a shower, as our own showers bring them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from magicnn.array import TELESCOPES_M, geographic_from_magnetic, pointing_basis
from magicnn.errors import InputError
from magicnn.io.corsika import AppliedByCorsika, CorsikaRun, CorsikaShower, PhotonBunches
from magicnn.simulation.atmosphere import Atmosphere, optical_depth, read_table
from magicnn.simulation.cherenkov import detection_efficiency
from magicnn.simulation.showers import Environment, ShowerLight

__all__ = [
    "choose_telescopes",
    "corsika_light",
    "detection_probability",
    "geographic_from_array",
    "shower_direction_deg",
]

Floats = NDArray[np.float64]

_METRES_PER_NS = 0.299792458
_MATCH_M = 1.0


def geographic_from_array(vectors: Floats, array_angle_deg: float) -> Floats:
    """Turn vectors (..., 2 or 3) from the frame of CORSIKA's array into the geographic one.

    Parameters
    ----------
    vectors : float64 array
    array_angle_deg : float
        Angle of the array's x axis from magnetic north towards west (ARRANG).
    """
    angle = np.radians(array_angle_deg)
    magnetic = np.array(vectors, dtype=np.float64)
    magnetic[..., 0] = np.cos(angle) * vectors[..., 0] - np.sin(angle) * vectors[..., 1]
    magnetic[..., 1] = np.sin(angle) * vectors[..., 0] + np.cos(angle) * vectors[..., 1]
    return geographic_from_magnetic(magnetic)


def shower_direction_deg(zenith_deg: float, azimuth_deg: float) -> tuple[float, float]:
    """Say where a shower comes from, from CORSIKA's direction of flight.

    Parameters
    ----------
    zenith_deg, azimuth_deg : float
        Direction of flight, azimuth from magnetic north towards magnetic west.

    Returns
    -------
    zenith_deg, azimuth_deg : float
        Where it comes from; azimuth from geographic north through east, in [0, 360).
    """
    turn = np.radians(azimuth_deg)
    towards = geographic_from_magnetic(np.array([-np.cos(turn), -np.sin(turn)]))
    return zenith_deg, float(np.degrees(np.arctan2(-towards[1], towards[0])) % 360.0)


def choose_telescopes(
    run: CorsikaRun, array_angle_deg: float, wanted: Sequence[int] | None = None
) -> tuple[tuple[int, int], bool]:
    """Find M1 and M2 among the telescopes of a file.

    Parameters
    ----------
    run : CorsikaRun
    array_angle_deg : float
        ARRANG of its showers.
    wanted : sequence of int, optional
        Numbers, from 1 on, of the two to take; the same one twice lets both stand at one place. Without it, the pair
        that stands to each other as MAGIC's telescopes do.

    Returns
    -------
    pair : tuple of int
        Indices of M1 and M2.
    is_magic : bool
        Whether they stand to each other as MAGIC's, within 1 m.

    Raises
    ------
    InputError
        There is no such pair, or no telescope of such a number.
    """
    places = geographic_from_array(run.telescopes_m, array_angle_deg)
    baseline = TELESCOPES_M[1] - TELESCOPES_M[0]

    def stand_like_magic(first: int, second: int) -> bool:
        return bool(np.abs(places[second] - places[first] - baseline).max() < _MATCH_M)

    n = len(places)
    if wanted is not None:
        if len(wanted) != 2 or not all(1 <= number <= n for number in wanted):
            raise InputError(
                f"{run.path}: telescopes {','.join(map(str, wanted))} asked for, expected two numbers from 1 to {n}"
            )
        pair = (wanted[0] - 1, wanted[1] - 1)
        return pair, stand_like_magic(*pair)
    for first in range(n):
        for second in range(n):
            if stand_like_magic(first, second):
                return (first, second), True
    shown = ", ".join(f"{i + 1} ({x:.1f}, {y:.1f})" for i, (x, y, _) in enumerate(places[:8]))
    raise InputError(
        f"{run.path}: no two telescopes stand as MAGIC's; it has, in metres north and west: {shown}"
        f"{', ...' if n > 8 else ''}. Say which to take as M1 and M2 (--telescopes {'1,2' if n > 1 else '1,1'})"
    )


def detection_probability(
    wavelength_nm: Floats,
    emission_height_m: Floats,
    air_mass: Floats,
    atmosphere: Atmosphere,
    observation_level_m: float,
    applied: AppliedByCorsika,
) -> Floats:
    """Give the probability that photons on the reflector were not lost on the way and become photoelectrons.

    Parameters
    ----------
    wavelength_nm, emission_height_m, air_mass : float64 array, [M]
        ``air_mass`` is the path over the height difference.
    atmosphere : Atmosphere
    observation_level_m : float
    applied : AppliedByCorsika
        Losses that have happened already; they are not applied again.
    """
    probability = detection_efficiency(wavelength_nm)
    for done, name in (
        (applied.mirror, "mirror_reflectivity.txt"),
        (applied.detection, "photon_detection_efficiency.txt"),
    ):
        if done:
            curve = read_table(name)
            value = np.interp(wavelength_nm, curve[:, 0], curve[:, 1], left=0.0, right=0.0)
            probability = np.divide(probability, value, out=np.zeros_like(probability), where=value > 0.0)
    if not applied.extinction:
        depth = optical_depth(atmosphere, wavelength_nm, emission_height_m, observation_level_m)
        probability = probability * np.exp(-depth * air_mass)
    return np.asarray(probability)


def corsika_light(
    shower: CorsikaShower,
    run: CorsikaRun,
    pair: tuple[int, int],
    pointing_zenith_deg: Floats,
    pointing_azimuth_deg: Floats,
    environment: Environment,
    light_scale: float,
    generator: np.random.Generator,
) -> ShowerLight:
    """Turn the bunches of a shower into photoelectrons on the reflectors of both telescopes.

    Parameters
    ----------
    shower : CorsikaShower
    run : CorsikaRun
    pair : tuple of int
        Which of its telescopes are M1 and M2.
    pointing_zenith_deg, pointing_azimuth_deg : float64 array, [K]
        Pointing in each use.
    environment : Environment
        Air and field of view.
    light_scale : float
        Factor on the detected light, as for our own showers.
    generator : Generator

    Returns
    -------
    ShowerLight
        Sorted by use and telescope, ready for the detector.

    Raises
    ------
    InputError
        CORSIKA applied some losses but kept no wavelengths, so what is left cannot be known.

    Notes
    -----
    A bunch of size n is n photons of one direction and time (the fraction of n is the probability of one more). Each
    is detected on its own, so means are right for any size, and with sizes up to 1 the photoelectrons are as
    independent as CORSIKA's emission. Larger bunches come in clumps: the variance of a count, Poisson else, grows by
    1 + (n - 1) p with p the probability of detection. Wavelengths that a bunch leaves open are drawn for every photon
    from 1/wavelength^2 in the band of the header. Air masses are 1/cos, as flat as CORSIKA's own air.
    """
    bases = pointing_basis(pointing_zenith_deg, pointing_azimuth_deg)
    parts = [
        np.column_stack([np.full(len(part), use), np.full(len(part), telescope), part])
        for use, by_telescope in enumerate(shower.uses)
        for telescope, index in enumerate(pair)
        if index in by_telescope
        for part in [
            _photoelectrons(
                by_telescope[index],
                shower,
                run.applied,
                run.telescopes_m[index] - np.append(shower.cores_m[use], 0.0),
                bases[use],
                environment,
                light_scale,
                generator,
            )
        ]
    ]
    rows = np.concatenate([np.empty((0, 8)), *parts])
    return ShowerLight(
        reuse=rows[:, 0].astype(np.int32),
        telescope=rows[:, 1].astype(np.int32),
        x_deg=rows[:, 2].astype(np.float32),
        y_deg=rows[:, 3].astype(np.float32),
        mirror_x_m=rows[:, 4].astype(np.float32),
        mirror_y_m=rows[:, 5].astype(np.float32),
        time_ns=rows[:, 6].astype(np.float32),
        n_photons_thrown=len(rows),
        emission_height_m=rows[:, 7].astype(np.float32),
    )


def _photoelectrons(
    bunches: PhotonBunches,
    shower: CorsikaShower,
    applied: AppliedByCorsika,
    from_core_m: Floats,
    basis: Floats,
    environment: Environment,
    light_scale: float,
    generator: np.random.Generator,
) -> Floats:
    """Light of one telescope of one use: x and y (deg), mirror x and y (m), time (ns), emission height (m)."""
    cz = -np.sqrt(np.maximum(1.0 - bunches.cx**2 - bunches.cy**2, 1e-12))
    flight = geographic_from_array(np.stack([bunches.cx, bunches.cy, cz], axis=-1), shower.array_angle_deg)
    place = geographic_from_array(
        np.stack([bunches.x_m, bunches.y_m, np.zeros_like(bunches.x_m)], axis=-1), shower.array_angle_deg
    )
    local, start = flight @ basis.T, place @ basis.T
    against = -local[:, 2]
    ahead = np.maximum(against, 1e-6)
    path = start[:, 2] / ahead
    hit = start + path[:, None] * local
    seen = (against > np.cos(np.radians(environment.view_radius_deg))) & (
        np.hypot(hit[:, 0], hit[:, 1]) < environment.telescope_radius_m
    )
    # The path from the pointing direction is taken out of the times, as in our own light.
    ahead_of_core = float(geographic_from_array(from_core_m, shower.array_angle_deg) @ basis[2])
    time = bunches.time_ns + (path + ahead_of_core) / _METRES_PER_NS
    air_mass = -1.0 / cz
    kept = np.flatnonzero(seen)
    kept = kept[_detected(bunches, kept, air_mass, shower, applied, environment, light_scale, generator)]
    return np.column_stack(
        [
            np.degrees(-local[kept, 0] / against[kept]),
            np.degrees(-local[kept, 1] / against[kept]),
            hit[kept, 0],
            hit[kept, 1],
            time[kept],
            bunches.emission_height_m[kept],
        ]
    )


def _detected(
    bunches: PhotonBunches,
    which: NDArray[np.intp],
    air_mass: Floats,
    shower: CorsikaShower,
    applied: AppliedByCorsika,
    environment: Environment,
    light_scale: float,
    generator: np.random.Generator,
) -> NDArray[np.intp]:
    """Draw photoelectrons: for each, the place of its bunch in ``which``."""
    ceiling = light_scale
    whole = np.floor(bunches.photons[which])
    drawn = generator.binomial(whole.astype(np.int64), ceiling)
    drawn += generator.random(len(which)) < (bunches.photons[which] - whole) * ceiling
    rows = np.repeat(np.arange(len(which)), drawn)
    photons = which[rows]
    wavelength = bunches.wavelength_nm[photons].copy()
    is_open = wavelength <= 0.0
    if is_open.any():
        if applied.names and len(applied.names) < 3:
            raise InputError(
                f"CORSIKA applied {' and '.join(applied.names)} to shower {shower.number} but kept no wavelengths: "
                "what is left of the spectrum is not known"
            )
        low, high = shower.band_nm
        if not 0.0 < low < high:
            raise InputError(f"shower {shower.number}: wavelengths of {low:g} to {high:g} nm (CWAVLG) mean nothing")
        share = generator.random(int(np.count_nonzero(is_open)))
        wavelength[is_open] = 1.0 / (1.0 / low - share * (1.0 / low - 1.0 / high))
    probability = detection_probability(
        wavelength,
        bunches.emission_height_m[photons],
        air_mass[photons],
        environment.atmosphere,
        environment.observation_level_m,
        applied,
    )
    return rows[generator.random(len(rows)) < probability]
