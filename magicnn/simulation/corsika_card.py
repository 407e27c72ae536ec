"""Input cards with which CORSIKA 7 (options CERENKOV, IACT, ATMEXT, VIEWCONE) throws the showers of a production."""

from __future__ import annotations

import math

import numpy as np

from magicnn.array import TELESCOPES_M, magnetic_from_geographic
from magicnn.errors import ConfigError
from magicnn.generated import scatter_radius_m
from magicnn.runs import seed_sequence
from magicnn.simulation.settings import ProductionSettings

__all__ = ["MAX_USES", "SPHERE_RADIUS_M", "energy_slices", "input_card", "input_cards"]

MAX_USES = 20
"""CSCAT's limit for the uses of a shower."""
SPHERE_RADIUS_M = 10.0
"""Radius of the spheres in which light is kept: the reflector's 8.72 m and room for its tilt."""

_PARTICLES = {
    "gamma": 1,
    "positron": 2,
    "electron": 3,
    "muon_plus": 5,
    "muon": 6,
    "proton": 14,
    "helium": 402,
    "nitrogen": 1407,
    "iron": 5626,
}
_ATMOSPHERES = {"magic-winter": 8, "magic-summer": 7}
_LARGEST_SEED = 900_000_000


def energy_slices(settings: ProductionSettings, n_slices: int, n_showers: int) -> list[tuple[float, float, int]]:
    """Cut the energies of a production into slices even in their logarithm.

    Parameters
    ----------
    settings : ProductionSettings
    n_slices, n_showers : int

    Returns
    -------
    list of (float, float, int)
        Lower and upper energy (GeV) and showers of each, shared out by the spectrum, at least one each.

    Raises
    ------
    ConfigError
        A number is below 1, or there are fewer showers than slices.
    """
    if n_slices < 1 or n_showers < n_slices:
        raise ConfigError(f"expected at least one slice and one shower for each, got {n_slices} and {n_showers}")
    edges = np.geomspace(settings.energy_min_gev, settings.energy_max_gev, n_slices + 1)
    power = 1.0 - settings.spectral_index
    integral = np.log(edges) if abs(power) < 1e-12 else edges**power / power
    share = np.diff(integral) / (integral[-1] - integral[0]) if n_slices > 1 else np.ones(1)
    counts = np.maximum(np.floor(share * n_showers + 0.5).astype(int), 1)
    counts[int(np.argmax(counts))] += n_showers - int(counts.sum())
    return [(float(a), float(b), int(n)) for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)]


def input_cards(
    settings: ProductionSettings, n_showers: int, seed: int, *, n_slices: int = 1, first_run: int = 1
) -> list[str]:
    """Write the cards of a production, one for each slice of energy.

    Parameters
    ----------
    settings : ProductionSettings
    n_showers : int
        Showers of all cards together.
    seed : int
        Every run gets seeds of its own from it.
    n_slices : int
        Slices of energy. The scatter radius of a production grows with energy, which a card cannot say: each card has
        the radius of its highest energy and zenith angle, so one card throws many low energies too far out.
    first_run : int
        Number of the first run.

    Raises
    ------
    ConfigError
        A number is out of range, or CORSIKA has no such particle.
    """
    return [
        input_card(settings, number, seed, run_number=first_run + i, energy_gev=(low, high))
        for i, (low, high, number) in enumerate(energy_slices(settings, n_slices, n_showers))
    ]


def input_card(
    settings: ProductionSettings,
    n_showers: int,
    seed: int,
    *,
    run_number: int = 1,
    energy_gev: tuple[float, float] | None = None,
) -> str:
    """Write an input card.

    Parameters
    ----------
    settings : ProductionSettings
    n_showers : int
    seed : int
    run_number : int
    energy_gev : tuple of float, optional
        Part of the production's energies; all of them when not given.

    Returns
    -------
    str
        Lines of at most 80 columns with comments for what a card leaves to the installation.

    Raises
    ------
    ConfigError
        A number is out of range, or CORSIKA has no such particle.

    Notes
    -----
    Showers come from all directions of the production's pointings (THETAP, PHIP); pointings are drawn around them,
    within the production's view cone, when the photons are read, as a production does for its re-uses. Positions are
    in CORSIKA's frame, x to magnetic north and y west, so ARRANG stays 0.
    """
    if n_showers < 1 or seed < 0 or not 1 <= run_number <= 999_999:
        raise ConfigError(
            f"expected at least one shower, a seed from 0 on and a run from 1 to 999999; got {n_showers}, {seed}, "
            f"{run_number}"
        )
    if settings.primary not in _PARTICLES:
        raise ConfigError(f"no number of CORSIKA is known for {settings.primary}; known: {', '.join(_PARTICLES)}")
    low, high = energy_gev or (settings.energy_min_gev, settings.energy_max_gev)
    radius_m = float(
        scatter_radius_m(
            high,
            settings.zenith_max_deg,
            radius_m=settings.scatter_radius_m,
            energy_exponent=settings.scatter_energy_exponent,
            zenith_exponent=settings.scatter_zenith_exponent,
        )
    )
    site = settings.site
    seeds = np.random.default_rng(seed_sequence(seed, settings.name, "card", run_number)).integers(
        1, _LARGEST_SEED, size=4
    )
    uses = min(settings.reuse, MAX_USES)
    magnetic = magnetic_from_geographic(TELESCOPES_M)
    telescopes = [f"TELESCOPE {100 * x:.1f} {100 * y:.1f} 0. {100 * SPHERE_RADIUS_M:.1f}" for x, y, _ in magnetic]
    lines = [
        f"* {settings.name}: {settings.particle}, seed {seed}",
        "* CORSIKA 7 with the options CERENKOV, IACT, ATMEXT and, where compiled, VIEWCONE; without CEFFIC.",
        "* Hadronic models and their keywords are those of the installed build.",
        f"RUNNR {run_number}",
        "EVTNR 1",
        f"NSHOW {n_showers}",
        f"PRMPAR {_PARTICLES[settings.primary]}",
        f"ERANGE {low:.6g} {high:.6g}",
        f"ESLOPE {-settings.spectral_index:g}",
        "* Shower directions; pointings are drawn around them when the light is read:",
        f"* {settings.viewcone_min_deg:g} to {settings.viewcone_max_deg:g} deg off.",
        f"THETAP {settings.zenith_min_deg:g} {settings.zenith_max_deg:g}",
        "PHIP 0. 360.",
        "VIEWCONE 0. 0.",
        *(f"SEED {number} 0 0" for number in seeds),
        f"OBSLEV {100 * site.observation_level_m:.1f}",
        f"MAGNET {site.field_north_ut:g} {site.field_down_ut:g}",
        "* x is magnetic north, y magnetic west; the telescopes' positions are in this frame.",
        "ARRANG 0.",
        f"* Needs the table atmprof{_ATMOSPHERES[site.atmosphere]}.dat in the folder of the run; Y: with refraction.",
        f"ATMOSPHERE {_ATMOSPHERES[site.atmosphere]} Y",
        "ECUTS 0.3 0.1 0.02 0.02",
        "ELMFLG F T",
        "MUMULT T",
        "STEPFC 1.0",
        "FIXCHI 0.",
        "TSTART T",
        "* M1 and M2: x, y, z, radius of the sphere in cm.",
        *telescopes,
        "CWAVLG 280. 700.",
        "CERSIZ 1.",
        *_scatter_comment(settings, uses, high),
        f"CSCAT {uses} {100 * math.ceil(radius_m)}. 0.",
        "CERFIL F",
        f'TELFIL "{settings.name}_run{run_number:06d}.corsika"',
        "PAROUT F F",
        "DATBAS F",
        "MAXPRT 1",
        "EXIT",
    ]
    return "\n".join(lines) + "\n"


def _scatter_comment(settings: ProductionSettings, uses: int, high_gev: float) -> list[str]:
    lines = []
    if uses < settings.reuse:
        lines.append(f"* The production uses a shower {settings.reuse} times; CORSIKA allows {MAX_USES}.")
    if settings.scatter_energy_exponent or settings.scatter_zenith_exponent:
        lines.append(f"* Radius of the production at {high_gev:.6g} GeV and {settings.zenith_max_deg:g} deg, in cm.")
    return lines
