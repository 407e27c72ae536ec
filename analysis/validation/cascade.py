"""The electromagnetic cascade and its light against theory, measurements and Geant4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.atmosphere import load_atmosphere
from magicnn.simulation.collisions import collision_loss_mev_cm2_g
from magicnn.simulation.electromagnetic import compton_cross_section_cm2_g, pair_cross_section_cm2_g
from magicnn.simulation.showers import Environment, ShowerTruth, environment, simulate_shower

__all__ = [
    "GEANT4_DENSITY_PER_M2",
    "GEANT4_MAXIMUM_GCM2",
    "GEANT4_NUMBER_AT_MAXIMUM",
    "GEANT4_TRACK_LENGTH_GCM2",
    "RADII_M",
    "CascadeCheck",
    "cascade_checks",
    "expected_profile",
    "lateral_light",
    "mean_profile",
    "peak_of_profile",
]

Floats = NDArray[np.float64]

RADII_M = (20.0, 40.0, 80.0, 100.0, 120.0, 130.0, 160.0, 190.0)

GEANT4_TRACK_LENGTH_GCM2 = (17431.0, 47.0)
GEANT4_NUMBER_AT_MAXIMUM = (57.8, 0.8)
GEANT4_MAXIMUM_GCM2 = {100.0: (250.0, 4.0), 1000.0: (330.0, 6.0)}
GEANT4_DENSITY_PER_M2 = {
    80.0: (18.71, 0.38),
    100.0: (20.28, 0.34),
    120.0: (22.43, 0.30),
    130.0: (19.96, 0.25),
    160.0: (11.55, 0.10),
    190.0: (8.39, 0.07),
}
"""200 vertical gammas of 100 GeV, and 60 of 1 TeV (maximum only), of our run of Geant4 11.4.

Made by tools/geant4_reference.py.

Without magnetic field, started under 0.1 g/cm2 of MAGIC's winter air.

G4EmStandardPhysics_option1, in layers of 5 g/cm2, electrons and photons followed to 20 MeV; light drawn from its steps
as plain photons in straight lines. Below 1 GeV its bremsstrahlung read our differential cross section, as its own data
were not at hand; everything else is its own. Length and number are of electrons above the local Cherenkov threshold,
the density is of 290 nm to 700 nm without extinction. With each value its statistical error.
"""


@dataclass(frozen=True)
class CascadeCheck:
    """A number beside what it should be.

    Attributes
    ----------
    name, unit : str
    value, error : float
        Ours, with its statistical error (0 for what is computed).
    reference : float
    low, high : float
        The range of `value` that passes.
    source : str
        Of the reference.
    """

    name: str
    unit: str
    value: float
    error: float
    reference: float
    low: float
    high: float
    source: str

    @property
    def is_passed(self) -> bool:
        """Whether the value lies in its range."""
        return self.low <= self.value <= self.high


def peak_of_profile(profile: Floats) -> tuple[float, float]:
    """Give the depth of the maximum (g/cm2) and the number there, of a profile in bins of 10 g/cm2."""
    smooth = np.convolve(profile, np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0, mode="same")
    k = int(np.argmax(smooth))
    a, b, _ = np.polyfit(np.arange(-4.0, 5.0), smooth[k - 4 : k + 5], 2)
    return 10.0 * (k + 0.5 - 0.5 * float(b / a)), float(smooth[k]) / 10.0


def expected_profile(energy_gev: float, depth_gcm2: Floats) -> Floats:
    """Give the mean number of electrons above the local Cherenkov threshold in a gamma's shower, by formulae.

    Notes
    -----
    Greisen's profile (K. Greisen, Prog. Cosmic Ray Phys. 3 (1956) 1), counted from the top of the air as it was fitted,
    times the share of the energy spectrum of F. Nerling et al., Astropart. Phys. 24 (2006) 421, above the threshold.
    """
    y = np.log(energy_gev / 0.081)
    t = depth_gcm2 / 36.66
    age = 3.0 * t / (t + 2.0 * y)
    number = 0.31 / np.sqrt(y) * np.exp(t * (1.0 - 1.5 * np.log(age)))
    air = load_atmosphere()
    threshold = air.cherenkov_threshold_mev(air.height_m(depth_gcm2), 0.511)
    energy = np.geomspace(1.0, 1e6, 4000)
    s = age[:, None]
    shape = energy / ((energy + 6.42522 - 1.53183 * s) * (energy + 168.168 - 42.1368 * s) ** s)
    above = np.where(energy > threshold[:, None], shape, 0.0)
    return np.asarray(number * above.sum(axis=1) / shape.sum(axis=1))


def mean_profile(
    surroundings: Environment, energy_gev: float, n_showers: int, seed: int
) -> tuple[Floats, list[ShowerTruth]]:
    """Average the profiles of vertical gammas, with no telescope in reach of their light.

    Returns
    -------
    profile : float64 array, [showers, 110]
        Track length (g/cm2) above the Cherenkov threshold per 10 g/cm2.
    truths : list of ShowerTruth
    """
    truths = [
        simulate_shower(
            "gamma", energy_gev, 0.0, 0.0, [[9000.0, 0.0]], [0.0], [0.0], [[0.0, 0.0, 0.0]], surroundings, [seed, i]
        )[1]
        for i in range(n_showers)
    ]
    return np.array([truth.profile for truth in truths]), truths


def lateral_light(
    surroundings: Environment,
    energy_gev: float,
    n_showers: int,
    seed: int,
    *,
    particle: str = "gamma",
    n_azimuths: int = 4,
    start_height_m: float | None = None,
) -> Floats:
    """Count the light of vertical showers in spheres at `RADII_M` from the core.

    Returns
    -------
    float64 array, [showers, radii]
        Photons per square metre.
    """
    azimuth = 2.0 * np.pi * np.arange(n_azimuths) / n_azimuths
    area = np.pi * surroundings.telescope_radius_m**2
    still = np.zeros(n_azimuths * len(RADII_M))
    out = np.empty((n_showers, len(RADII_M)))
    for i in range(n_showers):
        turn = azimuth + 0.37 * i
        cores = np.concatenate([r * np.stack([np.cos(turn), np.sin(turn)], axis=1) for r in RADII_M])
        light, _ = simulate_shower(
            particle,
            energy_gev,
            0.0,
            0.0,
            cores,
            still,
            still,
            [[0.0, 0.0, 0.0]],
            surroundings,
            [seed, i],
            start_height_m=start_height_m,
        )
        out[i] = np.bincount(light.reuse, minlength=still.size).reshape(len(RADII_M), n_azimuths).mean(axis=1) / area
    return out


def _cross_sections() -> list[CascadeCheck]:
    def near(name: str, unit: str, value: float, reference: float, share: float, source: str) -> CascadeCheck:
        return CascadeCheck(name, unit, value, 0.0, reference, reference * (1 - share), reference * (1 + share), source)

    free_path = 1.0 / pair_cross_section_cm2_g(1e5)
    checks = [
        CascadeCheck(
            "pair mean free path, 100 GeV", "g/cm2", free_path, 0.0, 47.1, 46.4, 47.8, "9/7 of 36.62 g/cm2 (PDG)"
        )
    ]
    total = pair_cross_section_cm2_g(20.0) + float(compton_cross_section_cm2_g(20.0))
    checks.append(near("photon attenuation, 20 MeV", "cm2/g", total, 0.01705, 0.005, "Hubbell and Seltzer (NIST)"))
    for kinetic, reference in ((20.0, 2.134), (100.0, 2.427), (1000.0, 2.685)):
        loss = float(collision_loss_mev_cm2_g(kinetic + 0.511, 1.2048e-3))
        checks.append(near(f"collision loss, {kinetic:g} MeV", "MeV cm2/g", loss, reference, 0.03, "ESTAR (NIST)"))
    return checks


def cascade_checks(n_100_gev: int = 400, n_1_tev: int = 100, seed: int = 8) -> list[CascadeCheck]:
    """Compare cascade and light of vertical gammas with theory and with Geant4.

    Parameters
    ----------
    n_100_gev, n_1_tev : int
        Numbers of showers of 100 GeV (also at 10 GeV) and of 1 TeV.
    seed : int

    Returns
    -------
    list of CascadeCheck
    """
    checks = _cross_sections()
    calm = environment(
        light_scale=1.0, mode="photons", view_radius_deg=80.0, telescope_radius_m=5.0, field_north_ut=0.0,
        field_down_ut=0.0,
    )  # fmt: skip
    showers, truths = mean_profile(calm, 100.0, n_100_gev, seed)
    length = showers.sum(axis=1)
    reference, _ = GEANT4_TRACK_LENGTH_GCM2
    checks.append(
        CascadeCheck(
            "track length above threshold, 100 GeV", "g/cm2", float(length.mean()),
            float(length.std() / np.sqrt(n_100_gev)), reference, 0.98 * reference, 1.02 * reference,
            "our run of Geant4 11.4",
        )
    )  # fmt: skip
    sums = np.array([t.energy_lost_gev + t.energy_dropped_gev + t.energy_ground_gev for t in truths])
    checks.append(
        CascadeCheck(
            "energy accounted for, 100 GeV", "GeV", float(sums.mean()), float(sums.std() / np.sqrt(n_100_gev)), 100.0,
            99.0, 101.0, "conservation; photonuclear losses leave the book",
        )
    )  # fmt: skip
    peaks = {}
    depth = np.arange(5.0, 900.0, 1.0)
    for energy, n in ((100.0, n_100_gev), (1000.0, n_1_tev)):
        profile = showers.mean(axis=0) if energy == 100.0 else mean_profile(calm, energy, n, seed)[0].mean(axis=0)
        peaks[energy], number = peak_of_profile(profile)
        spread = 45.0 / np.sqrt(n)
        name = f"{energy:g} GeV"
        formula = float(depth[np.argmax(expected_profile(energy, depth))])
        geant4, error = GEANT4_MAXIMUM_GCM2[energy]
        allowed_gcm2 = 3.0 * float(np.hypot(spread, error))
        for expected, allowed, source in (
            (formula, 30.0, "Greisen's profile times Nerling's spectrum"),
            (geant4, allowed_gcm2, f"our run of Geant4 11.4, itself ± {error:g}"),
        ):
            checks.append(
                CascadeCheck(
                    f"maximum of the mean profile, {name}", "g/cm2", peaks[energy], spread, expected,
                    expected - allowed, expected + allowed, source,
                )
            )  # fmt: skip
        if energy == 100.0:
            reference, error = GEANT4_NUMBER_AT_MAXIMUM
            checks.append(
                CascadeCheck(
                    f"electrons at maximum, {name}", "", number, 0.013 * number, reference, 0.93 * reference,
                    1.07 * reference, f"our run of Geant4 11.4, itself ± {error:g}",
                )
            )  # fmt: skip
    checks.append(
        CascadeCheck(
            "elongation, 100 GeV to 1 TeV", "g/cm2", peaks[1000.0] - peaks[100.0],
            45.0 * float(np.hypot(n_100_gev**-0.5, n_1_tev**-0.5)), 84.3, 80.0, 95.0, "X0 ln 10 (PDG)",
        )
    )  # fmt: skip
    density = lateral_light(calm, 100.0, n_100_gev, seed, start_height_m=float(calm.atmosphere.height_m(0.1)))
    for k, radius in enumerate(RADII_M):
        if radius in GEANT4_DENSITY_PER_M2:
            reference, error = GEANT4_DENSITY_PER_M2[radius]
            checks.append(
                CascadeCheck(
                    f"photons, 100 GeV at {radius:g} m, no field", "1/m2", float(density[:, k].mean()),
                    float(density[:, k].std() / np.sqrt(n_100_gev)), reference, 0.94 * reference, 1.06 * reference,
                    f"our run of Geant4 11.4, itself ± {error:g}",
                )
            )  # fmt: skip
    return checks
