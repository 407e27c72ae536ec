"""Particles and thrown spectra as ctapipe states them."""

import numpy as np
import pytest

from magicnn.errors import InputError
from magicnn.generated import Generated
from magicnn.io.ctapipe.truth import generated_by_run, pdg_numbers, primary_ids

RUN = {
    "n_showers": 20_000,
    "shower_reuse": 10,
    "spectral_index": -2.0,
    "energy_range_min": 3.0,
    "energy_range_max": 330_000.0,
    "max_scatter_range": 1400.0,
    "min_scatter_range": 0.0,
    "min_viewcone_radius": 0.0,
    "max_viewcone_radius": 10.0,
    "max_alt": 70.0,
    "min_alt": 70.0,
}


def test_particles():
    given = [0, 1, -1, 2, -2, 100, 101, 402, 1407, 5626]
    expected = [22, 11, -11, 13, -13, 2112, 2212, 1000020040, 1000070140, 1000260560]
    assert pdg_numbers(given, where="x").tolist() == expected
    assert primary_ids(np.array(expected)).tolist() == given
    with pytest.raises(InputError, match=r"x: unknown particle 14 \(shower_primary_id\)"):
        pdg_numbers([0, 14], where="x")


def truth(pdg, offset_deg):
    n = 5
    return {
        "true_particle": np.full(n, pdg),
        "true_zenith_deg": np.full(n, 20.0 + offset_deg),
        "true_azimuth_deg": np.full(n, 180.0),
    }


POINTING = (np.full(5, 20.0), np.full(5, 180.0))


def test_diffuse_protons():
    generated = Generated.from_mapping(generated_by_run(RUN, truth(2212, 3.0), POINTING, where="x.h5"))
    assert generated.particle == "proton"
    assert generated.n_thrown == 200_000
    assert (generated.viewcone_min_deg, generated.viewcone_max_deg) == (0.0, 10.0)
    assert (generated.zenith_min_deg, generated.zenith_max_deg) == (20.0, 20.0)
    assert generated.spectral_index == 2.0


def test_gammas_from_one_point_keep_its_angle():
    generated = generated_by_run({**RUN, "max_viewcone_radius": 0.0}, truth(22, 0.5), POINTING, where="x.h5")
    assert (generated["viewcone_min_deg"], generated["viewcone_max_deg"]) == (0.5, 0.5)
    assert generated["particle"] == "gamma"
    assert generated_by_run(RUN, truth(22, 0.5), POINTING, where="x.h5")["particle"] == "gamma_diffuse"


def test_cores_not_on_a_disc_or_nothing_counted():
    assert generated_by_run({**RUN, "min_scatter_range": 900.0}, truth(22, 0.0), POINTING, where="x.h5") is None
    assert generated_by_run({**RUN, "n_showers": 0}, truth(22, 0.0), POINTING, where="x.h5") is None
