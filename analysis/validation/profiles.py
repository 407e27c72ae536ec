"""Longitudinal development: maximum and elongation of gammas and protons."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magicnn.array import OBSERVATION_LEVEL_M, TELESCOPES_M
from magicnn.simulation.atmosphere import load_atmosphere
from magicnn.simulation.showers import environment, simulate_shower
from validation.drawing import COLOURS, REFERENCE, panels
from validation.lines import Figure, Group, Line, shown_only
from validation.store import Arrays, Store

__all__ = ["expected_maximum", "mean_maximum", "profiles", "validate"]

Floats = NDArray[np.float64]

_X0, _CRITICAL_GEV = 36.66, 0.081
_ELECTRON_MEV = 0.51099895
_DEPTH_STEP = 10.0
_SHOWERS = {("gamma", 100.0): 3000, ("gamma", 1000.0): 600, ("proton", 300.0): 2000, ("proton", 3000.0): 400}
_PATH_PROTON = 85.0  # g/cm2, inelastic interactions of protons of 1 TeV in air, 285 mb


def profiles(store: Store, particle: str, energy_gev: float, number: int) -> Arrays:
    """Tracks of electrons above the Cherenkov threshold against depth, and Xmax, of vertical showers."""
    surroundings = environment(light_scale=1.0, mode="photons")

    def one(i: int) -> Arrays:
        _, truth = simulate_shower(
            particle, energy_gev, 0.0, 0.0, [[4000.0, 0.0]], [0.0], [0.0], TELESCOPES_M, surroundings, [12, i]
        )
        return {"profile": truth.profile, "xmax": np.array(truth.xmax_gcm2)}

    return store.showers("profiles", {"particle": particle, "energy_gev": energy_gev}, number, one)


def mean_maximum(profile: Floats) -> float:
    """Depth of the maximum of a profile (g/cm2), by a parabola over 90 g/cm2."""
    smooth = np.convolve(profile, [1 / 9, 2 / 9, 3 / 9, 2 / 9, 1 / 9], mode="same")
    k = int(np.clip(np.argmax(smooth), 4, len(smooth) - 5))
    a, b, _ = np.polyfit(np.arange(-4.0, 5.0), smooth[k - 4 : k + 5], 2)
    return float(_DEPTH_STEP * (k + 0.5 - 0.5 * b / a))


def expected_maximum(energy_gev: float) -> float:
    """Depth (g/cm2) at which a gamma has most electrons above the Cherenkov threshold.

    Notes
    -----
    Greisen's profile (K. Greisen, Prog. Cosmic Ray Phys. 3 (1956) 1), which counts from the top of the air, times the
    share of the energy spectrum of F. Nerling et al., Astropart. Phys. 24 (2006) 421, above the local threshold.
    """
    depth = np.arange(5.0, 900.0, 5.0)
    y = math.log(energy_gev / _CRITICAL_GEV)
    t = np.maximum(depth / _X0, 0.1)
    age = (3.0 * t / (t + 2.0 * y))[:, None]
    number = 0.31 / math.sqrt(y) * np.exp(t * (1.0 - 1.5 * np.log(age[:, 0])))
    air = load_atmosphere()
    threshold = air.cherenkov_threshold_mev(air.height_m(depth), _ELECTRON_MEV)
    energy = np.geomspace(1.0, 1e6, 4000)
    shape = energy / ((energy + 6.42522 - 1.53183 * age) * (energy + 168.168 - 42.1368 * age) ** age)
    above = np.where(energy > threshold[:, None], shape, 0.0)
    return float(depth[np.argmax(number * above.sum(axis=1) / shape.sum(axis=1))])


def _bootstrapped(rows: Floats) -> tuple[float, float]:
    generator = np.random.default_rng(0)
    again = [mean_maximum(rows[generator.integers(len(rows), size=len(rows))].mean(axis=0)) for _ in range(100)]
    return mean_maximum(rows.mean(axis=0)), float(np.std(again))


def validate(store: Store, figures: Path) -> Group:
    """Judge the maxima of mean profiles and their growth with energy."""
    made = {key: profiles(store, *key, store.number(n, 10)) for key, n in _SHOWERS.items()}
    peaks = {key: _bootstrapped(m["profile"]) for key, m in made.items()}
    lines = []
    for (particle, energy), (value, error) in peaks.items():
        n = len(made[particle, energy]["xmax"])
        if particle == "gamma":
            expected = _X0 * (math.log(energy / _CRITICAL_GEV) + 0.5)
            tolerance, text = 30.0, "X₀ (ln E/E_c + 0.5)"
            source = "Greisen's profile of all electrons, not only of those above the threshold"
        else:
            expected = _X0 * math.log(energy / 4.0 / _CRITICAL_GEV) + _PATH_PROTON
            tolerance, text = 40.0, "X₀ ln(E/4/E_c) + 85 g/cm²"
            source = "typical value of ShowerModel (profile.py) after one interaction length"
        lines.append(
            Line(
                f"xmax_{particle}_{energy:g}",
                f"maximum of the mean profile, {n} vertical {particle}s of {energy:g} GeV",
                value,
                error,
                "g/cm²",
                expected - tolerance,
                expected + tolerance,
                f"{text} = {expected:.0f} ± {tolerance:.0f} g/cm²",
                source,
                digits=0,
            )
        )
    for energy in (100.0, 1000.0):
        expected = expected_maximum(energy)
        n = len(made["gamma", energy]["xmax"])
        lines.append(
            Line(
                f"xmax_threshold_{energy:g}",
                f"maximum of the mean profile, {n} vertical gammas of {energy:g} GeV",
                *peaks["gamma", energy],
                "g/cm²",
                expected - 30.0,
                expected + 30.0,
                f"{expected:.0f} ± 30 g/cm²",
                "Greisen's profile times the share of Nerling's energy spectrum above the threshold",
                digits=0,
            )
        )
    lines.append(
        shown_only(
            "threshold_shift",
            "theory: how much higher in the air electrons above the threshold peak than all electrons, gammas of 1 TeV",
            _X0 * math.log(1000.0 / _CRITICAL_GEV) - expected_maximum(1000.0),
            "g/cm²",
            source="Greisen's profile, with and without the share of Nerling's energy spectrum",
            digits=0,
        )
    )
    lines += [_elongation(peaks, "gamma"), _elongation(peaks, "proton")]
    for (particle, energy), customary in ((("gamma", 100.0), "50 – 60 g/cm²"), (("proton", 300.0), "90 – 120 g/cm²")):
        xmax = made[particle, energy]["xmax"]
        xmax = xmax[np.isfinite(xmax)]
        lines.append(
            shown_only(
                f"xmax_spread_{particle}",
                f"spread of Xmax from shower to shower, {particle}s of {energy:g} GeV",
                (float(xmax.std()), float(xmax.std() / math.sqrt(2 * len(xmax)))),
                "g/cm²",
                customary,
                "customary range, no source read",
                digits=0,
            )
        )
    _draw(figures / "profiles.png", made)
    caption = (
        "Left: mean number of electrons above the Cherenkov threshold per GeV of the primary, down to the ground; "
        "vertical lines: Greisen's maximum of all electrons for gammas of 100 GeV (dotted) and 1 TeV (dashed). Right: "
        "Xmax from shower to shower."
    )
    return Group(lines, (Figure("profiles.png", caption),))


def _elongation(peaks: dict[tuple[str, float], tuple[float, float]], particle: str) -> Line:
    """Growth of the depth of the maximum per decade of energy; for protons no range with a source that was read."""
    (e1, (p1, s1)), (e2, (p2, s2)) = ((e, v) for (p, e), v in peaks.items() if p == particle)
    decades = math.log10(e2 / e1)
    found = (p2 - p1) / decades, math.hypot(s1, s2) / decades
    key = f"elongation_{particle}"
    quantity = f"elongation of {particle}s, {e1:g} GeV to {e2 / 1e3:g} TeV"
    if particle == "proton":
        reference = "58 to 84 g/cm² per decade"
        source = "Heitler's model with pions to X₀ ln 10; customary, no source read"
        return shown_only(key, quantity, found, "g/cm²", reference, source, digits=0)
    return Line(
        key,
        quantity,
        *found,
        "g/cm²",
        80.0,
        95.0,
        "84 g/cm² per decade (80 – 95)",
        "X₀ ln 10, and a threshold that falls with depth",
        digits=0,
    )


def _draw(path: Path, made: dict[tuple[str, float], Arrays]) -> None:
    ground = float(load_atmosphere().depth_g_cm2(OBSERVATION_LEVEL_M))
    with panels(path, 2) as (ax, spread):
        for colour, ((particle, energy), m) in zip(COLOURS, made.items(), strict=False):
            mean = m["profile"].mean(axis=0) / _DEPTH_STEP / energy
            # The bin that the ground cuts, and those below it, are not whole.
            whole = _DEPTH_STEP * np.arange(1, len(mean) + 1) <= ground
            depth = _DEPTH_STEP * (np.arange(len(mean)) + 0.5)
            name = f"{particle} {energy:g} GeV" if energy < 1e3 else f"{particle} {energy / 1e3:g} TeV"
            ax.plot(depth[whole], mean[whole], color=colour, label=name)
            spread.hist(
                m["xmax"],
                list(np.arange(0.0, 820.0, 20.0)),
                density=True,
                histtype="step",
                color=colour,
                lw=1.5,
                label=name,
            )
        for energy, style in ((100.0, ":"), (1000.0, "--")):
            ax.axvline(_X0 * (math.log(energy / _CRITICAL_GEV) + 0.5), color=REFERENCE, ls=style, lw=1.0)
        ax.set(xlabel="depth [g/cm²]", ylabel="electrons above threshold per GeV", xlim=(0.0, ground), ylim=(0.0, None))
        spread.set(xlabel="Xmax of single showers [g/cm²]", ylabel="density of showers [cm²/g]", xlim=(0.0, ground))
