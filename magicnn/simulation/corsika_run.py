"""What runs of CORSIKA threw, and in what they differ from the site of a production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from magicnn.array import TELESCOPES_M, camera_from_sky
from magicnn.errors import InputError
from magicnn.generated import Generated
from magicnn.io.corsika import CorsikaRun, CorsikaShower, particle_name
from magicnn.simulation.corsika_light import geographic_from_array, shower_direction_deg
from magicnn.simulation.settings import ProductionSettings
from magicnn.simulation.showers import TELESCOPE_RADIUS_M

__all__ = ["Pointing", "common_production", "differences_told", "has_own_cone"]

Pointing = Literal["cone", "shower"] | tuple[float, float]

_ATMOSPHERES = {7: "magic-summer", 8: "magic-winter"}


def has_own_cone(shower: CorsikaShower) -> bool:
    """Say whether showers fill a view cone (VIEWCONE) around one axis."""
    is_fixed = (
        shower.theta_range_deg[0] == shower.theta_range_deg[1] and shower.phi_range_deg[0] == (shower.phi_range_deg[1])
    )
    return is_fixed and shower.viewcone_deg[1] > 0.0


def _thrown(run: CorsikaRun, shower: CorsikaShower, settings: ProductionSettings, pointing: Pointing) -> dict[str, Any]:
    """Say what a run threw, in the words of `Generated`; the view cone only where it is known."""
    low, high = shower.theta_range_deg
    cone: tuple[float, float] | None
    if pointing == "shower":
        cone = (0.0, 0.0)
    elif pointing == "cone":
        cone = shower.viewcone_deg if has_own_cone(shower) else (settings.viewcone_min_deg, settings.viewcone_max_deg)
    else:
        cone = _cone_around(shower, pointing)
        low = high = float(pointing[0])
    name = particle_name(shower.particle_id)
    if name == "gamma" and cone is not None and cone[1] > cone[0]:
        name = "gamma_diffuse"
    known = Generated(
        particle=name,
        spectral_index=run.spectral_index,
        energy_min_gev=run.energy_min_gev,
        energy_max_gev=run.energy_max_gev,
        n_thrown=0,
        # A rectangle counts as the disc of its area.
        scatter_radius_m=_scatter_radius_m(run),
        scatter_energy_exponent=0.0,
        scatter_zenith_exponent=0.0,
        viewcone_min_deg=cone[0] if cone else 0.0,
        viewcone_max_deg=cone[1] if cone else 0.0,
        zenith_min_deg=low,
        zenith_max_deg=high,
    ).to_mapping()
    return known if cone else {k: v for k, v in known.items() if not k.startswith("viewcone")}


def _cone_around(shower: CorsikaShower, pointing: tuple[float, float]) -> tuple[float, float] | None:
    """Give the view cone around a pointing chosen by hand, where showers fill one."""
    axis = shower_direction_deg(shower.theta_range_deg[0], shower.phi_range_deg[0])
    x, y = camera_from_sky(*axis, *pointing)
    offset = float(np.degrees(np.arctan(np.radians(np.hypot(x, y)))))
    if has_own_cone(shower):
        return shower.viewcone_deg if offset < 1e-3 else None
    is_fixed = shower.theta_range_deg[0] == shower.theta_range_deg[1] and (
        shower.theta_range_deg[1] == 0.0 or shower.phi_range_deg[0] == shower.phi_range_deg[1]
    )
    return (offset, offset) if is_fixed else None


def _scatter_radius_m(run: CorsikaRun) -> float:
    x, y = run.scatter_m
    return x if y == 0.0 else float(np.sqrt(4.0 * x * y / np.pi))


def common_production(
    heads: Sequence[tuple[CorsikaRun, CorsikaShower]], settings: ProductionSettings, pointing: Pointing
) -> dict[str, Any]:
    """Say what the files of one production threw, in the words of `Generated`.

    Parameters
    ----------
    heads : sequence of (CorsikaRun, CorsikaShower)
        Each file's header and first shower.
    settings : ProductionSettings
        Its view cone is where pointings are drawn.
    pointing : {"cone", "shower"} or tuple of float

    Returns
    -------
    dict
        Without the view cone where showers fill none around the pointing.

    Raises
    ------
    InputError
        The files are of different productions, or two have the same run number.
    """
    first = _thrown(*heads[0], settings, pointing)
    for run, shower in heads[1:]:
        other = _thrown(run, shower, settings, pointing)
        odd = sorted(key for key in {*first, *other} if first.get(key) != other.get(key))
        if odd:
            raise InputError(
                f"{run.path}: differs from {heads[0][0].path} in {', '.join(odd)}; one event set holds one production"
            )
    numbers = [run.run_number for run, _ in heads]
    if len(set(numbers)) < len(numbers):
        raise InputError(f"{heads[0][0].path} and others: run number {max(numbers, key=numbers.count)} occurs twice")
    return first


def differences_told(
    run: CorsikaRun, shower: CorsikaShower, pair: tuple[int, int], is_magic: bool, settings: ProductionSettings
) -> list[str]:
    """Tell in what a file differs from what it is used as: one line each, without the file's name."""
    site = settings.site
    found = _ATMOSPHERES.get(shower.atmosphere, f"number {shower.atmosphere}")
    differences = [
        f"{what} {theirs} instead of {ours}"
        for what, theirs, ours, differs in (
            ("atmosphere", found, site.atmosphere, found != site.atmosphere),
            (
                "observation level",
                f"{run.observation_level_m:g} m",
                f"{site.observation_level_m:g} m",
                abs(run.observation_level_m - site.observation_level_m) > 1.0,
            ),
            (
                "magnetic field",
                f"({shower.field_north_ut:.1f}, {shower.field_down_ut:.1f}) uT",
                f"({site.field_north_ut:.1f}, {site.field_down_ut:.1f}) uT",
                np.hypot(shower.field_north_ut - site.field_north_ut, shower.field_down_ut - site.field_down_ut) > 0.1,
            ),
        )
        if differs
    ]
    lines = []
    if differences:
        lines.append(
            f"CORSIKA's showers were made with {', '.join(differences)} of the site; "
            "the light is absorbed in the site's air"
        )
    smallest = float(run.radius_m[list(pair)].min())
    needed = TELESCOPE_RADIUS_M
    if smallest < needed:
        lines.append(
            f"the file's spheres of {smallest:.1f} m are smaller than the reflectors ({needed} m): "
            f"about {100.0 * (1.0 - (smallest / needed) ** 2):.0f} % of the light is missing"
        )
    if run.applied.names:
        lines.append(f"CORSIKA applied {' and '.join(run.applied.names)} already (CERQEF): not applied again")
    if not is_magic:
        places = geographic_from_array(run.telescopes_m[list(pair)], shower.array_angle_deg)
        lines.append(
            f"telescopes {pair[0] + 1} and {pair[1] + 1} stand {np.linalg.norm(places[1] - places[0]):.1f} m apart, "
            f"MAGIC's {np.linalg.norm(TELESCOPES_M[1] - TELESCOPES_M[0]):.1f} m: do not use stereo parameters of "
            "these events"
        )
    return lines
