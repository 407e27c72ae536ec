"""Our showers against CORSIKA's, shower by shower, with the same first interaction, air, field and telescopes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magicnn.array import geographic_from_magnetic
from magicnn.simulation.showers import environment, simulate_shower

__all__ = [
    "GIVEN_HEIGHT",
    "QUANTITIES",
    "CorsikaShower",
    "Record",
    "compare_corsika",
    "light_quantities",
    "mean_ratio",
    "read_showers",
    "simulate_like",
]

Floats = NDArray[np.float64]

GIVEN_HEIGHT = "photons_given_height"
QUANTITIES = ("photons", "emission_height_m", "time_spread_ns", "transverse_width_deg", "radial_width_deg")
_ATMOSPHERES = {7: "magic-summer", 8: "magic-winter"}
_NS_PER_M = 1.0 / 0.299792458


@dataclass(frozen=True)
class CorsikaShower:
    """A vertical gamma shower of CORSIKA in the telescope spheres of all its uses.

    Attributes
    ----------
    name : str
    energy_gev, first_interaction_m, observation_level_m : float
    zenith_deg, azimuth_deg : float
        Where it comes from; azimuth from geographic north through east.
    atmosphere : str
    field_ut : tuple of float
        Towards magnetic north, and downwards.
    band_nm : tuple of float
    radius_m : float
        Of the sphere around the telescope.
    telescopes_m : float64 array, [K, 2]
        Relative to the core, geographic axes.
    light : list of float64 arrays, [photons, 7]
        Per use: directions (x, y) of flight, time (ns), height of emission (m), weight, position (x, y; m).
    """

    name: str
    energy_gev: float
    first_interaction_m: float
    observation_level_m: float
    zenith_deg: float
    azimuth_deg: float
    atmosphere: str
    field_ut: tuple[float, float]
    band_nm: tuple[float, float]
    radius_m: float
    telescopes_m: Floats
    light: list[Floats]


@dataclass(frozen=True)
class Record:
    """One quantity of one CORSIKA shower beside many of ours.

    ``corsika`` and ``ours`` are means over the uses of the shower, relative to the expected value of ours at each
    position times the mean of these, so that positions weigh alike; ``spread`` is the scatter of ``ours`` from shower
    to shower, ``z`` the difference in units of it, ``ratio`` CORSIKA over ours.
    """

    shower: str
    energy_gev: float
    first_interaction_m: float
    quantity: str
    corsika: float
    ours: float
    spread: float
    n_ours: int

    @property
    def ratio(self) -> float:
        """CORSIKA over the expected value of ours."""
        return self.corsika / self.ours

    @property
    def z(self) -> float:
        """Difference over the scatter of our showers."""
        return (self.corsika - self.ours) / self.spread


def read_showers(path: Path | str) -> list[CorsikaShower]:
    """Read the gamma showers of a photon-bunch file (IACT format), with all that is needed to repeat them.

    Notes
    -----
    The weight of a bunch counts, not the bunch. The frame of the file has x to magnetic north and y to the west;
    ``azimuth`` there is where the particle flies to. The number of the atmosphere comes from the input card.
    """
    import eventio

    showers: dict[int, CorsikaShower] = {}
    places: dict[int, list[Floats]] = {}
    with eventio.IACTFile(str(path)) as file:
        card = [line.decode("latin1").split() for line in file.input_card.split(b"\n")]
        number = next(int(words[1]) for words in card if words[:1] == ["ATMOSPHERE"])
        radius_m = float(file.telescope_positions["r"][0]) / 100.0
        for event in file:
            header = event.header
            key = int(header["event_number"])
            zenith, heading = float(header["zenith"]), float(header["azimuth"])
            source = geographic_from_magnetic(np.array([-np.cos(heading), -np.sin(heading)]))
            where = geographic_from_magnetic(-0.01 * np.array([event.impact_x, event.impact_y]))
            if key not in showers:
                places[key] = []
                showers[key] = CorsikaShower(
                    name=f"{Path(path).name} {key}",
                    energy_gev=float(header["total_energy"]),
                    first_interaction_m=abs(float(header["first_interaction_height"])) / 100.0,
                    observation_level_m=float(header["observation_height"][0]) / 100.0,
                    zenith_deg=float(np.degrees(zenith)),
                    azimuth_deg=float(np.degrees(np.arctan2(-source[1], source[0]))),
                    atmosphere=_ATMOSPHERES[number],
                    field_ut=(float(header["earth_magnetic_field_x"]), float(header["earth_magnetic_field_z"])),
                    band_nm=(float(header["cherenkov_wavelength_min"]), float(header["cherenkov_wavelength_max"])),
                    radius_m=radius_m,
                    telescopes_m=np.empty((0, 2)),
                    light=[],
                )
            for bunches in event.photon_bunches.values():
                flight = geographic_from_magnetic(np.stack([bunches["cx"], bunches["cy"]], axis=1))
                place = 0.01 * geographic_from_magnetic(np.stack([bunches["x"], bunches["y"]], axis=1))
                rest = np.stack([bunches["time"], bunches["zem"] / 100.0, bunches["photons"]], axis=1)
                showers[key].light.append(np.concatenate([flight, rest, place], axis=1).astype(np.float64))
                places[key].append(where)
    return [replace(shower, telescopes_m=np.array(places[key])) for key, shower in showers.items()]


def _weighted_quantile(values: Floats, weights: Floats, quantiles: tuple[float, ...]) -> Floats:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order]) - 0.5 * weights[order]
    return np.asarray(np.interp(np.asarray(quantiles) * weights.sum(), cumulative, values[order]))


def _half_width(values: Floats, weights: Floats) -> float:
    return float(np.diff(_weighted_quantile(values, weights, (0.16, 0.84)))[0]) / 2.0


def light_quantities(light: Floats, telescope_m: Floats, axis: Floats) -> Floats:
    """Measure the light in one telescope.

    Parameters
    ----------
    light : float64 array, [photons, 7]
        As in `CorsikaShower`.
    telescope_m : float64 array, [2]
        Relative to the core.
    axis : float64 array, [2]
        Horizontal components of the direction of flight of the shower.

    Returns
    -------
    float64 array, [5]
        As in `QUANTITIES`: number of photons, median height of emission, half of the central 68 % of the arrival
        times (without the part that is linear in the place of arrival) and of the angles across and along the
        direction from the core to the telescope; NaN but for the number when there are fewer than 20 photons.
    """
    weight = light[:, 4]
    if len(light) < 20:
        return np.array([weight.sum(), *[np.nan] * 4])
    distance = float(np.hypot(*telescope_m))
    radial = telescope_m / distance if distance > 1.0 else np.array([1.0, 0.0])
    across = np.array([-radial[1], radial[0]])
    angle = np.degrees(light[:, :2] - axis)
    # A front inclined by the mean direction of the light, as a telescope that points there would see it.
    mean = np.average(light[:, :2], axis=0, weights=weight)
    time = light[:, 2] - light[:, 5:7] @ mean * _NS_PER_M
    return np.array(
        [
            weight.sum(),
            _weighted_quantile(light[:, 3], weight, (0.5,))[0],
            _half_width(time, weight),
            _half_width(angle @ across, weight),
            _half_width(angle @ radial, weight),
        ]
    )


def simulate_like(shower: CorsikaShower, n_showers: int, seed: int, *, step_angle_rad: float = 0.08) -> Floats:
    """Simulate showers of ours with the start, surroundings and telescopes of one of CORSIKA's.

    Returns
    -------
    float64 array, [showers, uses, 5]
        Quantities as in `QUANTITIES`.
    """
    surroundings = environment(
        light_scale=1.0,
        mode="photons",
        atmosphere=shower.atmosphere,
        observation_level_m=shower.observation_level_m,
        field_north_ut=shower.field_ut[0],
        field_down_ut=shower.field_ut[1],
        telescope_radius_m=shower.radius_m,
        view_radius_deg=60.0,
        band_nm=shower.band_nm,
        step_angle_rad=step_angle_rad,
    )
    still = np.zeros(len(shower.telescopes_m))
    axis = _flight(shower)
    out = np.empty((n_showers, len(still), len(QUANTITIES)))
    for i in range(n_showers):
        drawn, _ = simulate_shower(
            "gamma",
            shower.energy_gev,
            shower.zenith_deg,
            shower.azimuth_deg,
            -shower.telescopes_m,
            still,
            still,
            [[0.0, 0.0, 0.0]],
            surroundings,
            [seed, i],
            first_interaction_m=shower.first_interaction_m,
        )
        # The camera of a telescope that looks up has x to the south and y to the east.
        x, y = np.tan(np.radians(drawn.x_deg)), np.tan(np.radians(drawn.y_deg))
        length = np.sqrt(1.0 + x**2 + y**2)
        light = np.stack(
            [
                x / length,
                y / length,
                drawn.time_ns,
                drawn.emission_height_m,
                np.ones(len(x)),
                -drawn.mirror_x_m,
                -drawn.mirror_y_m,
            ],
            axis=1,
        ).astype(np.float64)
        for k in range(len(still)):
            out[i, k] = light_quantities(light[drawn.reuse == k], shower.telescopes_m[k], axis)
    return out


def _flight(shower: CorsikaShower) -> Floats:
    sin = np.sin(np.radians(shower.zenith_deg))
    azimuth = np.radians(shower.azimuth_deg)
    return np.array([-sin * np.cos(azimuth), sin * np.sin(azimuth)])


def compare_corsika(
    path: Path | str, n_showers: int = 200, seed: int = 1, *, step_angle_rad: float = 0.08
) -> list[Record]:
    """Compare every gamma shower of a photon-bunch file with many of ours.

    Parameters
    ----------
    path : path
        A file in the IACT format.
    n_showers : int
        Of ours, for each of CORSIKA's.
    seed : int
    step_angle_rad : float
        As in `magicnn.simulation.showers.environment`.

    Returns
    -------
    list of Record
        One for each shower and quantity: those of `QUANTITIES`, and `GIVEN_HEIGHT`, the photons beside those of our
        showers that emit from the same median height. A shower that develops high in the air lights the ground less,
        so the latter scatters much less than the plain number.
    """
    records = []
    for number, shower in enumerate(read_showers(path)):
        axis = _flight(shower)
        theirs = np.array(
            [light_quantities(f, t, axis) for f, t in zip(shower.light, shower.telescopes_m, strict=True)]
        )
        ours = simulate_like(shower, n_showers, seed + 1000 * number, step_angle_rad=step_angle_rad)
        expected = np.nanmean(ours, axis=0)
        level = expected.mean(axis=0)
        relative = np.nanmean(ours / expected, axis=1) * level
        observed = (theirs / expected).mean(axis=0) * level
        records += [
            Record(
                shower.name,
                shower.energy_gev,
                shower.first_interaction_m,
                quantity,
                float(observed[q]),
                float(np.nanmean(relative[:, q])),
                float(np.nanstd(relative[:, q])),
                n_showers,
            )
            for q, quantity in enumerate(QUANTITIES)
        ]
        expected_photons, spread = _photons_given_height(relative / level, float((observed / level)[1]))
        photons, scale = float(observed[0]), float(level[0])
        records.append(
            Record(
                shower.name,
                shower.energy_gev,
                shower.first_interaction_m,
                GIVEN_HEIGHT,
                photons,
                expected_photons * scale,
                spread * expected_photons * scale,
                n_showers,
            )
        )
    return records


def _photons_given_height(relative: Floats, height: float) -> tuple[float, float]:
    """Regress the logarithm of the photons on the height, in parabolas; give its prediction and relative scatter."""
    ours = relative[np.isfinite(relative).all(axis=1) & (relative[:, 0] > 0.0)]
    design = np.vander(ours[:, 1] - 1.0, 3)
    coefficients = np.linalg.lstsq(design, np.log(ours[:, 0]), rcond=None)[0]
    residual = np.log(ours[:, 0]) - design @ coefficients
    return float(np.exp(np.vander([height - 1.0], 3)[0] @ coefficients)), float(residual.std())


def mean_ratio(records: list[Record], quantity: str, *, is_weighted: bool = False) -> tuple[float, float]:
    """Average the ratio over showers, with the error expected from the scatter of ours.

    Parameters
    ----------
    records : list of Record
    quantity : str
    is_weighted : bool
        Weigh each shower by the inverse square of the scatter of ours, rather than all alike.

    Returns
    -------
    ratio, error : float
    """
    mine = [r for r in records if r.quantity == quantity]
    variance = np.array([(r.spread / r.ours) ** 2 * (1.0 + 1.0 / r.n_ours) for r in mine])
    weight = 1.0 / variance if is_weighted else np.ones(len(mine))
    weight /= weight.sum()
    return float(weight @ np.array([r.ratio for r in mine])), float(np.sqrt(weight**2 @ variance))
