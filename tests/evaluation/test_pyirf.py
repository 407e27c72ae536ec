"""The numbers of an evaluation are pyirf's on the same events."""

import numpy as np
import pytest

from magicnn.evaluation import EvaluationSettings, evaluate
from magicnn.evaluation.binning import ENERGY_EDGES_GEV, ranges
from magicnn.evaluation.spectra import event_rates_hz, power_law
from magicnn.generated import Generated

pytest.importorskip("pyirf")
RANGE = (5.0, 35.0)
SETTINGS = EvaluationSettings(n_replicates=20, zenith_bins_deg=(RANGE,), size_edges_pe=(50, 100), impact_edges_m=(0, 1))


@pytest.fixture(scope="module")
def judged(synthetic):
    """Metrics of one method, and its point-like gammas of the range that are judged, as pyirf wants them."""
    import astropy.units as u
    from astropy.table import QTable

    tables = synthetic.predictions(n_showers=1500, reuse=2, methods={"LUT": (None, 0.17)})["LUT"][:1]
    ring = tables[0].select(tables[0]["is_valid"])
    columns = {
        "true_energy": ring["true_energy_gev"] * u.GeV,
        "reco_energy": ring["reco_energy_gev"] * u.GeV,
        "theta": np.sqrt(ring["theta2_deg2"]) * u.deg,
    }
    return evaluate({"LUT": tables}, SETTINGS), QTable(columns), np.array(ENERGY_EDGES_GEV) * u.GeV


@pytest.mark.parametrize(("kind", "suffix"), [("true", ""), ("reco", "_by_reco_energy")])
def test_bias_and_resolution(judged, kind, suffix):
    from pyirf.benchmarks import energy_bias_resolution

    metrics, events, edges = judged
    expected = energy_bias_resolution(events, edges, energy_type=kind)
    for bin_gev, row in zip(ranges(ENERGY_EDGES_GEV), expected, strict=True):
        bias = metrics.row("LUT", f"bias_median{suffix}", RANGE, bin_gev)
        resolution = metrics.row("LUT", f"resolution_half68{suffix}", RANGE, bin_gev)
        assert bias.n_events == row["n_events"]
        assert bias.value == pytest.approx(row["bias"], rel=1e-6, nan_ok=True)
        assert resolution.value == pytest.approx(row["resolution"], rel=1e-6, nan_ok=True)


def test_absolute_resolution(judged):
    from pyirf.benchmarks import energy_bias_resolution
    from pyirf.benchmarks.energy_bias_resolution import energy_resolution_absolute_68

    metrics, events, edges = judged
    expected = energy_bias_resolution(events, edges, resolution_function=energy_resolution_absolute_68)
    for bin_gev, row in zip(ranges(ENERGY_EDGES_GEV), expected, strict=True):
        found = metrics.row("LUT", "resolution_abs68", RANGE, bin_gev)
        assert found.value == pytest.approx(row["resolution"], rel=1e-6, nan_ok=True)


def test_angular_resolution(judged):
    from pyirf.benchmarks import angular_resolution
    from scipy.stats import norm

    metrics, events, edges = judged
    shares = {"39": 1.0 - np.exp(-0.5), "68": norm.cdf(1) - norm.cdf(-1), "95": 0.9545}
    for name, share in shares.items():
        expected = angular_resolution(events, edges, quantile=share)
        for bin_gev, row in zip(ranges(ENERGY_EDGES_GEV), expected, strict=True):
            found = metrics.row("LUT", f"angular_resolution_{name}", RANGE, bin_gev)
            wanted = row[expected.colnames[-1]].to_value("deg")
            assert found.value == pytest.approx(wanted, rel=1e-6, nan_ok=True)


def test_effective_area_is_rate_over_flux():
    import astropy.units as u
    from astropy.table import QTable
    from pyirf.irf import effective_area_per_energy
    from pyirf.simulations import SimulatedEventsInfo

    thrown = Generated("gamma", 2.0, 50.0, 20000.0, 100_000, 300.0, 0.0, 0.0, 0.4, 0.4, 20.0, 20.0)
    rng = np.random.default_rng(2)
    energy = 1.0 / (1.0 / 50.0 - rng.random(5000) * (1.0 / 50.0 - 1.0 / 20000.0))
    rate = event_rates_hz([thrown], energy, np.full(5000, 20.0), np.full(5000, 20.0), RANGE, power_law(2.0))
    edges = np.array(ENERGY_EDGES_GEV[1:])
    # integral of (E / TeV)^-2 over GeV
    area = np.histogram(energy, edges, weights=rate)[0] / (1e6 * (1.0 / edges[:-1] - 1.0 / edges[1:]))
    info = SimulatedEventsInfo(
        n_showers=100_000,
        energy_min=50 * u.GeV,
        energy_max=20 * u.TeV,
        max_impact=300 * u.m,
        spectral_index=-2.0,
        viewcone_min=0 * u.deg,
        viewcone_max=0 * u.deg,
    )
    expected = effective_area_per_energy(QTable({"true_energy": energy * u.GeV}), info, edges * u.GeV)
    np.testing.assert_allclose(area, expected.to_value(u.m**2), rtol=1e-6)
