"""Simulated pedestal events against real ones: the electronics and the night sky of run 5029747."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magicnn.simulation.electronics import Electronics, analogue_signals, digitise_and_extract, electronics
from magicnn.simulation.instrument_settings import ReadoutSettings
from magicnn.simulation.random_numbers import random_state

PEDESTAL_TRIGGER = 8
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
RATES_PE_PER_NS = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35)
N_EVENTS = 40
N_PIXELS = 1039
LIT_FACTOR = 1.5


@dataclass(frozen=True)
class PedestalRecord:
    """One quantity of one telescope.

    Attributes
    ----------
    telescope : int
        1 or 2.
    quantity : str
    simulated, real, real_error : float
        The error of the real value is statistical.
    low, high : float
        Limits of simulated over real that pass; NaN where nothing is demanded.
    used_for : {"fit", "check", "shape"}
        Fitted on, checked with a demand, or shown.
    """

    telescope: int
    quantity: str
    simulated: float
    real: float
    real_error: float
    low: float
    high: float
    used_for: str

    @property
    def passes(self) -> bool:
        """Whether the demand, if any, is met."""
        return not self.low > self.simulated / self.real and not self.simulated / self.real > self.high


def real_pedestals(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the pedestal events of a calibrated file.

    Returns
    -------
    charge_pe, time_samples : float64 array, [N, 1039]
    """
    import uproot

    with uproot.open(path) as file:
        events = file["Events"]
        wanted = events["MTriggerPattern.fPrescaled"].array(library="np") == PEDESTAL_TRIGGER
        charge = events["MCerPhotEvt.fPixels.fPhot"].array().to_numpy()[wanted, :N_PIXELS]
        time = events["MArrivalTime.fData"].array().to_numpy()[wanted, :N_PIXELS]
    return charge.astype(np.float64), time.astype(np.float64)


def simulated_pedestals(
    chain: Electronics, telescope: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate pedestal events: charge and time as read from a file."""
    state = random_state((seed, telescope))
    room = np.empty((N_PIXELS, chain.span_samples), dtype=np.float32)
    nothing = np.zeros(0, dtype=np.int32), np.zeros(0)
    events = []
    for _ in range(N_EVENTS):
        signals = analogue_signals(*nothing, telescope, chain, state, out=room)
        events.append(digitise_and_extract(signals, 0, telescope, chain, state))
    charge, time = (np.array(column, dtype=np.float64) for column in zip(*events, strict=True))
    return charge, time / chain.settings.sample_ns


def dark_pixels(charge: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the pixels without a star and without a defect: mean and RMS near the camera's median."""
    mean, spread = charge.mean(axis=0), charge.std(axis=0)
    middle, usual = np.median(mean), np.median(spread)
    is_usual = (mean < LIT_FACTOR * middle) & (mean > middle / LIT_FACTOR / 2) & (spread < 2 * usual) & (spread > 0)
    return np.asarray(is_usual)


def fitted_rate(charge: NDArray[np.float64], telescope: int, settings: ReadoutSettings) -> float:
    """Find the night sky whose simulated pedestals have the mean charge of these pixels (phe per ns)."""
    means = []
    for rate in RATES_PE_PER_NS:
        chain = electronics(with_sky(settings, rate))
        means.append(simulated_pedestals(chain, telescope, 1)[0].mean())
    return float(np.interp(charge.mean(), means, RATES_PE_PER_NS))


def with_sky(settings: ReadoutSettings, rate: float) -> ReadoutSettings:
    """Give the same read-out under another sky."""
    return ReadoutSettings.model_validate({**settings.model_dump(), "night_sky_pe_per_ns": (rate, rate)})


def pedestal_check(paths: tuple[Path, Path], settings: ReadoutSettings | None = None) -> list[PedestalRecord]:
    """Fit the night sky on the even dark pixels and compare the odd ones.

    Parameters
    ----------
    paths : tuple of path
        Calibrated files of M1 and M2.
    settings : ReadoutSettings, optional
        Mode of the run; the one of 2012 to 2014 when not given.

    Returns
    -------
    list of PedestalRecord
        Mean and RMS of the odd pixels with a demand of 10 %; quantiles of charge and arrival time (samples).
    """
    settings = settings or ReadoutSettings(mode="2012")
    records = []
    for telescope, path in enumerate(paths):
        charge, time = real_pedestals(path)
        dark = dark_pixels(charge)
        even = np.arange(N_PIXELS) % 2 == 0
        rate = fitted_rate(charge[:, dark & even], telescope, settings)
        chain = electronics(with_sky(settings, rate))
        made_charge, made_time = simulated_pedestals(chain, telescope, 2)
        seen, seen_time = charge[:, dark & ~even], time[:, dark & ~even]

        def record(
            quantity: str, made: float, real: float, error: float, used_for: str, telescope: int = telescope
        ) -> PedestalRecord:
            limits = (0.9, 1.1) if used_for == "check" else (np.nan, np.nan)
            return PedestalRecord(telescope + 1, quantity, made, real, error, *limits, used_for)

        per_pixel = seen.std(axis=0)
        n = seen.size
        records.append(record("night sky (phe per ns and pixel)", rate, rate, 0.0, "fit"))
        spread = float(seen.std())
        mean_error = float(seen.mean(axis=0).std() / np.sqrt(seen.shape[1]))
        records.append(record("mean charge (phe)", float(made_charge.mean()), float(seen.mean()), mean_error, "check"))
        usual = float(np.median(made_charge[: len(seen)].std(axis=0)))
        rms_error = float(per_pixel.std() / np.sqrt(per_pixel.size))
        records.append(record("RMS within a pixel (phe)", usual, float(np.median(per_pixel)), rms_error, "check"))
        bright = seen_time[seen > np.median(seen)]
        made_bright = made_time[made_charge > np.median(made_charge)]
        for q in QUANTILES:
            error = spread / np.sqrt(n)
            made, real = float(np.quantile(made_charge, q)), float(np.quantile(seen, q))
            records.append(record(f"charge, quantile {q:g} (phe)", made, real, error, "shape"))
        for q in QUANTILES:
            made, real = float(np.nanquantile(made_bright, q)), float(np.nanquantile(bright, q))
            error = float(bright.std() / np.sqrt(bright.size)) if bright.size else np.nan
            records.append(record(f"arrival time, quantile {q:g} (samples)", made, real, error, "shape"))
    return records
