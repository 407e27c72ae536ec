"""Muon rings: radius and light against closed expressions."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magicnn.camera import Camera
from magicnn.simulation.atmosphere import Atmosphere
from magicnn.simulation.cherenkov import FINE_STRUCTURE, detection_efficiency
from magicnn.simulation.detector import detector, observe
from magicnn.simulation.settings import DetectorSettings, SiteSettings
from magicnn.simulation.showers import TELESCOPE_RADIUS_M, environment, simulate_shower
from validation.drawing import COLOURS, REFERENCE, panels
from validation.lines import Figure, Group, Line, shown_only
from validation.store import Arrays, Store

__all__ = ["analytic_ring", "ring_in_camera", "rings", "validate", "whole_mirror"]

Floats = NDArray[np.float64]

_OBSERVATION_M = 2200.0
_FOCAL_M = 17.0
_MASS_GEV = 0.1056583755
_BAND_NM = (290.0, 700.0)
_IMPACTS_M = (0.0, 3.0, 6.0)
_ENERGIES_GEV = (8.0, 12.0, 20.0, 50.0)
_MARS_ENERGIES_GEV = (10.0, 14.0, 20.0)
# Photoelectrons against the radius in degrees, 0.75 to 1.2 deg.
_MARS_PE = (-77.07, 1249.3, -351.2)
_MARS = "curve of MAGIC-I, whole rings, class MHMuonPar of MARS (fact-project/mars_pulse_truth)"


def analytic_ring(air: Atmosphere, energy_gev: float, impact_m: float, photons_per_metre: float) -> tuple[float, float]:
    """Light (in units of ``photons_per_metre`` times metres) and radius (deg) of a vertical muon's ring.

    Parameters
    ----------
    air : Atmosphere
    energy_gev : float
        Total energy, taken as constant.
    impact_m : float
        Distance of the muon from the centre of the reflector, inside of it.
    photons_per_metre : float
        Detected photons per metre of track and per squared sine of the angle.

    Notes
    -----
    Of the ring that light from the height h above the reflector makes on it, of radius h tan(theta) around the muon,
    the share within the reflector counts: Frank and Tamm's yield integrated over h.
    """
    height = np.linspace(0.5, 900.0, 1800)
    beta = math.sqrt(1.0 - (_MASS_GEV / energy_gev) ** 2)
    cos = np.minimum(1.0 / ((1.0 + air.refractivity(_OBSERVATION_M + height)) * beta), 1.0)
    radius = height * np.sqrt(1.0 - cos**2) / cos
    if impact_m == 0.0:
        share = (radius < TELESCOPE_RADIUS_M).astype(np.float64)
    else:
        # Points of the ring at azimuth phi lie inside where r^2 + b^2 + 2 r b cos(phi) < R^2.
        edge = (TELESCOPE_RADIUS_M**2 - radius**2 - impact_m**2) / np.maximum(2.0 * radius * impact_m, 1e-9)
        share = 1.0 - np.arccos(np.clip(edge, -1.0, 1.0)) / math.pi
    weight = (1.0 - cos**2) * share
    light = float(np.trapezoid(weight, height))
    angle = float(np.trapezoid(weight * np.degrees(np.arccos(cos)), height)) / light
    return photons_per_metre * light, angle


def start_height_m(angle_deg: float, impact_m: float) -> float:
    """Height above sea level from which a muon must come to make its whole ring; more would only scatter it."""
    return _OBSERVATION_M + 1.05 * (TELESCOPE_RADIUS_M + impact_m) / math.tan(math.radians(angle_deg))


def camera_radius_deg(angle_deg: float, focus_distance_m: float) -> float:
    """Mean radius of a ring in the camera, degrees with the effective focal length, for a muon through the centre.

    Notes
    -----
    The light of each height meets the reflector in a ring too, so coma and defocus shift it as one. Rays are followed
    through the paraboloid by the law of reflection.
    """
    tangent = math.tan(math.radians(angle_deg))
    r = np.linspace(0.05, TELESCOPE_RADIUS_M, 400)
    plane = _FOCAL_M * (1.0 + _FOCAL_M / focus_distance_m)
    direction = np.array([tangent, -1.0]) / math.hypot(tangent, 1.0)
    normal = np.stack([-r / (2.0 * _FOCAL_M), np.ones_like(r)]) / np.sqrt(1.0 + (r / (2.0 * _FOCAL_M)) ** 2)
    reflected = direction[:, None] - 2.0 * (direction @ normal) * normal
    image = r + (plane - r**2 / (4.0 * _FOCAL_M)) / reflected[1] * reflected[0]
    return float(np.degrees(np.abs(image).mean() / Camera.magic().effective_focal_length_m))


def rings(store: Store, energy_gev: float, impact_m: float, number: int) -> Arrays:
    """Photons (290 to 700 nm) and radius (deg) of the rings of vertical muons, without magnetic field."""
    surroundings = environment(light_scale=1.0, mode="photons", field_north_ut=0.0, field_down_ut=0.0)
    start = start_height_m(analytic_ring(surroundings.atmosphere, energy_gev, impact_m, 1.0)[1], impact_m)

    def one(i: int) -> Arrays:
        light, _ = simulate_shower(
            "muon",
            energy_gev,
            0.0,
            0.0,
            [[impact_m, 0.0]],
            [0.0],
            [0.0],
            [[0.0, 0.0, 0.0]],
            surroundings,
            [14, i],
            start_height_m=start,
        )
        # Knock-on electrons shine far from the ring.
        is_ring = np.hypot(light.x_deg, light.y_deg) < 1.8
        radius = _circle(light.x_deg[is_ring], light.y_deg[is_ring])[2]
        return {"light": np.array(len(light.x_deg)), "radius": np.array(radius)}

    return store.showers("muons", {"energy_gev": energy_gev, "impact_m": impact_m}, number, one, per_file=100)


def ring_in_camera(energy_gev: float, seed: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Charge and time [P] of both telescopes, put at one place, for a muon through their centre.

    None without a trigger.
    """
    surroundings = environment(**SiteSettings().model_dump(exclude={"light_budget"}))
    both = np.zeros((2, 3))
    start = start_height_m(analytic_ring(surroundings.atmosphere, energy_gev, 0.0, 1.0)[1], 0.0)
    light, _ = simulate_shower(
        "muon", energy_gev, 0.0, 0.0, [[0.0, 0.0]], [0.0], [0.0], both, surroundings, [15, seed], start_height_m=start
    )
    events = observe(light, detector(DetectorSettings()), [(16, seed)])
    return (events[0].charge_pe, events[0].time_ns, events[0].true_pe) if events else None


def _circle(x: NDArray[Any], y: NDArray[Any], weight: NDArray[Any] | None = None) -> tuple[float, float, float]:
    """Centre and radius of the circle through points (I. Kasa, IEEE Trans. Instrum. Meas. 25 (1976) 8)."""
    root = np.sqrt(np.ones(len(x)) if weight is None else weight)
    matrix = np.stack([2.0 * x, 2.0 * y, np.ones(len(x))], axis=1).astype(np.float64)
    a, b, c = np.linalg.lstsq(matrix * root[:, None], (x**2 + y**2) * root, rcond=None)[0]
    return float(a), float(b), float(np.sqrt(c + a**2 + b**2))


def _camera_rings(store: Store, energy_gev: float, number: int) -> Arrays:
    camera = Camera.magic()

    def one(i: int) -> Arrays:
        seen = ring_in_camera(energy_gev, i)
        if seen is None:
            return {
                "radius": np.full(2, np.nan),
                "true_pe": np.full(2, np.nan),
                "charge": np.zeros((2, camera.n_pixels)),
            }
        charge, _, true_pe = seen
        radius = [_circle(camera.x_deg[q > 6.0], camera.y_deg[q > 6.0], q[q > 6.0])[2] for q in charge]
        return {"radius": np.array(radius), "true_pe": true_pe, "charge": charge}

    return store.showers("muons_camera", {"energy_gev": energy_gev}, number, one)


def validate(store: Store, figures: Path) -> Group:
    """Judge light and radius of rings, on the reflector and in the camera."""
    air = environment(light_scale=1.0).atmosphere
    per_metre = 2.0 * math.pi * FINE_STRUCTURE * 1e9 * (1.0 / _BAND_NM[0] - 1.0 / _BAND_NM[1])
    number = store.number(200, 20)
    lines = []
    source = "Frank and Tamm, integrated over the reflector"
    points = [(20.0, b) for b in _IMPACTS_M] + [(e, 0.0) for e in _ENERGIES_GEV if e != 20.0]
    made, expected = {}, {}
    for energy, impact in points:
        made[energy, impact] = rings(store, energy, impact, number)
        expected[energy, impact] = analytic_ring(air, energy, impact, per_metre)
        light, radius = made[energy, impact]["light"], made[energy, impact]["radius"]
        wanted = expected[energy, impact]
        what = f"muon of {energy:g} GeV {impact:g} m from the centre"
        lines += [
            Line(
                f"light_{energy:g}_{impact:g}",
                f"photons (290 – 700 nm) on the reflector over the expected, {what}",
                float(light.mean() / wanted[0]),
                float(light.std() / math.sqrt(number) / wanted[0]),
                "",
                0.97,
                1.03,
                f"{wanted[0]:.0f} photons (3 %)",
                source,
                digits=3,
            ),
            Line(
                f"radius_{energy:g}_{impact:g}",
                f"radius of the ring, {what}",
                float(radius.mean()),
                float(radius.std() / math.sqrt(number)),
                "deg",
                wanted[1] - 0.01,
                wanted[1] + 0.01,
                f"{wanted[1]:.3f} ± 0.01 deg",
                "Cherenkov angle at the muon's speed",
                digits=3,
            ),
        ]
    seen = _camera_rings(store, 20.0, store.number(40, 8))
    wavelength = np.arange(280.0, 701.0, 1.0)
    site = SiteSettings()
    detected = float((2.0 * math.pi * FINE_STRUCTURE * 1e9 / wavelength**2 * detection_efficiency(wavelength)).sum())
    phe, angle = analytic_ring(air, 20.0, 0.0, detected * site.light_scale)
    in_camera = camera_radius_deg(angle, DetectorSettings().optics.focus_distance_m)
    triggered = np.isfinite(seen["radius"][:, 0])
    count = max(int(triggered.sum()), 1)
    true, radius = seen["true_pe"][triggered], seen["radius"][triggered]
    for t, name in enumerate(("M1", "M2")):
        lines += [
            Line(
                f"camera_light_{name}",
                f"photoelectrons of the ring of a muon of 20 GeV in {name}, over the expected",
                float(true[:, t].mean() / phe),
                float(true[:, t].std() / math.sqrt(count) / phe),
                "",
                0.85,
                1.03,
                f"{phe:.0f} photoelectrons without extinction; 0.9 – 1 of it after 400 m of air and at the rim",
                "Frank and Tamm times the detection efficiency and the light scale",
                digits=3,
            ),
            Line(
                f"camera_radius_{name}",
                f"radius of that ring in the camera of {name}, by charge",
                float(radius[:, t].mean()),
                float(radius[:, t].std() / math.sqrt(count)),
                "deg",
                in_camera - 0.02,
                in_camera + 0.02,
                f"{in_camera:.3f} ± 0.02 deg",
                f"Cherenkov angle {angle:.3f} deg, reflected by a paraboloid, in degrees of the effective focal length",
                digits=3,
            ),
        ]
    lines += _sizes(store, air)
    _draw(figures / "muons.png", made, lambda e, b: analytic_ring(air, e, b, per_metre), seen["charge"][triggered])
    caption = (
        "Left: photons on the reflector against the impact of a muon of 20 GeV; bars: scatter of single muons. Middle: "
        "radius against energy. Lines: the closed expressions. Right: a simulated ring of a muon of 20 GeV in M1."
    )
    missing = "" if triggered.any() else "no simulated muon ring triggered"
    return Group(lines, (Figure("muons.png", caption),), missing)


def whole_mirror(store: Store, energy_gev: float, number: int) -> Arrays:
    """Count the photoelectrons, at light scale 1, of vertical muons that hit the mirror anywhere."""
    surroundings = environment(light_scale=1.0, field_north_ut=0.0, field_down_ut=0.0)
    angle = analytic_ring(surroundings.atmosphere, energy_gev, 0.0, 1.0)[1]

    def one(i: int) -> Arrays:
        impact = TELESCOPE_RADIUS_M * math.sqrt((i + 0.5) / number)
        light, _ = simulate_shower(
            "muon",
            energy_gev,
            0.0,
            0.0,
            [[impact, 0.0]],
            [0.0],
            [0.0],
            [[0.0, 0.0, 0.0]],
            surroundings,
            [17, i],
            start_height_m=start_height_m(angle, impact),
        )
        return {"light": np.array(len(light.x_deg))}

    return store.showers("muons_anywhere", {"energy_gev": energy_gev, "number": number}, number, one, per_file=100)


def _sizes(store: Store, air: Atmosphere) -> list[Line]:
    """Show the size of rings beside the curve that MARS draws for MAGIC-I."""
    number = store.number(400, 40)
    known = SiteSettings().light_budget
    before = known.known / known.photocathode_gain
    lines = []
    for energy in _MARS_ENERGIES_GEV:
        radius = analytic_ring(air, energy, 0.0, 1.0)[1]
        theirs = _MARS_PE[0] + _MARS_PE[1] * radius + _MARS_PE[2] * radius**2
        light = whole_mirror(store, energy, number)["light"]
        mean, error = float(light.mean()), float(light.std() / math.sqrt(number))
        ratio = theirs / mean
        what = f"muons of {energy:g} GeV, radius {radius:.2f} deg"
        lines += [
            shown_only(
                f"mars_light_{energy:g}",
                f"photoelectrons at light scale 1 of {what}, that hit the mirror anywhere",
                (mean, error),
                reference=f"{theirs:.0f}",
                source=_MARS,
                digits=0,
            ),
            shown_only(
                f"mars_scale_{energy:g}",
                f"light scale at which {what}, have the size of that curve",
                (ratio, ratio * error / mean),
                reference=f"{SiteSettings().light_scale:.3f}, the light scale",
                source=_MARS,
                digits=3,
            ),
            shown_only(
                f"mars_residual_{energy:g}",
                f"the same over the known factors of MAGIC-I, {what}",
                (ratio / before, ratio / before * error / mean),
                reference=f"{known.residual:.3f}, the residual",
                source=f"known factors without the present photocathodes: {before:.3f}",
                digits=3,
            ),
        ]
    return lines


def _draw(
    path: Path, made: Any, expected: Callable[[float, float], tuple[float, float]], charges: NDArray[Any]
) -> None:
    from magicnn.report.camera_plot import camera_image

    with panels(path, 3) as (light, radius, camera):
        rows = [made[20.0, v]["light"] for v in _IMPACTS_M]
        impact = np.linspace(0.0, 7.0, 36)
        light.plot(impact, [expected(20.0, b)[0] for b in impact], color=REFERENCE, label="Frank and Tamm")
        light.errorbar(
            _IMPACTS_M, [r.mean() for r in rows], [r.std() for r in rows], fmt="o", color=COLOURS[0], label="simulated"
        )
        light.set(
            xlabel="distance of the muon to the centre [m]",
            ylabel="photons on the reflector",
            xlim=(-0.3, 7.0),
            ylim=(0.0, None),
        )
        rows = [made[e, 0.0]["radius"] for e in _ENERGIES_GEV]
        energy = np.geomspace(6.5, 70.0, 60)
        radius.plot(energy, [expected(e, 0.0)[1] for e in energy], color=REFERENCE, label="Cherenkov angle")
        radius.errorbar(
            _ENERGIES_GEV,
            [r.mean() for r in rows],
            [r.std() for r in rows],
            fmt="o",
            color=COLOURS[0],
            label="simulated",
        )
        radius.set(xlabel="energy of the muon [GeV]", ylabel="radius of the ring [deg]", xscale="log")
        radius.set_xticks([8, 12, 20, 50], ["8", "12", "20", "50"])
        radius.set_xticks([], minor=True)
        if len(charges):
            camera_image(Camera.magic(), charges[0, 0], ax=camera, label="charge [phe]")
        else:
            camera.axis("off")
