import numpy as np
import pytest

from magicnn.evaluation.binning import ENERGY_EDGES_GEV, PUBLISHED_ZENITH_BINS_DEG, ZENITH_BINS_DEG
from magicnn.evaluation.published import published_direction, published_energy, released_area


@pytest.mark.parametrize(("zenith", "table"), list(zip(PUBLISHED_ZENITH_BINS_DEG, ("a2", "a3"), strict=True)))
def test_transcription_equals_the_published_tables(data_dir, zenith, table):
    from astropy.table import QTable

    source = QTable.read(data_dir / "magic_performance" / f"magic_2015_table_{table}.ecsv")
    found = published_energy(zenith)
    np.testing.assert_allclose(found.energy_min_gev, source["E_min"].to_value("GeV"))
    for metric, name in (("bias_gauss", "bias"), ("resolution_gauss", "σ"), ("resolution_rms", "RMS")):
        np.testing.assert_allclose(found.values[metric], np.asarray(source[name]), atol=1e-12)
        np.testing.assert_allclose(found.errors[metric], np.asarray(source[f"{name}_err"]), atol=1e-12)


def test_bins_are_ours_and_other_ranges_have_none():
    for zenith in PUBLISHED_ZENITH_BINS_DEG:
        found = published_energy(zenith)
        assert (*found.energy_min_gev, found.energy_max_gev[-1]) == ENERGY_EDGES_GEV
    for zenith in ZENITH_BINS_DEG:
        assert published_energy(zenith) is None


@pytest.mark.parametrize(
    ("zenith", "table"), list(zip(PUBLISHED_ZENITH_BINS_DEG, ("a4_zen30", "a4_30zen45"), strict=True))
)
def test_angular_resolution_equals_the_published_table(data_dir, zenith, table):
    from astropy.table import QTable

    source = QTable.read(data_dir / "magic_performance" / f"magic_2015_table_{table}.ecsv")
    found = published_direction(zenith)
    np.testing.assert_allclose(found["energy_gev"], np.asarray(source["E"]))
    for name, theirs in (
        ("angular_resolution_39", "theta_g"),
        ("angular_resolution_39_err", "theta_g_err"),
        ("angular_resolution_68", "theta_68"),
    ):
        np.testing.assert_allclose(found[name], np.asarray(source[theirs]), atol=1e-12)
    assert published_direction((5.0, 35.0)) is None


def test_released_area_rises_and_is_for_low_zenith():
    area = released_area((5.0, 30.0))
    assert (np.diff(area["area_m2"]) > 0.0).all()
    assert (area["energy_max_gev"] > area["energy_min_gev"]).all()
    assert released_area((30.0, 45.0)) is None
