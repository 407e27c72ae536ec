import shutil
from importlib import resources

import numpy as np
import pytest

from magicnn.errors import InputError
from magicnn.simulation.hadron_library import library_provenance, load_hadron_library
from magicnn.simulation.particles import CHARGE, KAON_LONG, PION_ZERO

LOW = 5
"""Energies below 60 GeV, of the second generator."""
PROJECTILE_CHARGE = np.array([-1, 1, -1, 1, 0, 1, 0])


@pytest.fixture(scope="module")
def raw():
    path = resources.files("magicnn.simulation") / "tables" / "hadron_library.npz"
    with np.load(str(path)) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def library():
    return load_hadron_library()


def per_bin(values, raw):
    """Mean of a number per event, [7, energies]."""
    energies = len(raw["energy_gev"])
    blocks = np.split(values, np.cumsum(energies * raw["events"])[:-1])
    return np.array([block.reshape(energies, -1).mean(axis=1) for block in blocks])


def energy_of_events(raw):
    energies = len(raw["energy_gev"])
    return np.concatenate([np.repeat(np.arange(energies), number) for number in raw["events"]])


def summed(values, library):
    sums = np.add.reduceat(np.append(values.astype(np.float64), 0.0), library.first[:-1])
    return np.where(np.diff(library.first) > 0, sums, 0.0)


def test_every_bin_shares_out_its_energy(raw, library):
    kept = summed(library.x, library)
    total = per_bin(kept + raw["dropped"], raw)
    assert total.shape == (7, 16)
    np.testing.assert_allclose(total[:, LOW:], 1.0, atol=0.005)
    # What is left out is little, and its own energy is known, event by event.
    assert per_bin(kept, raw)[:, LOW:].min() > 0.99
    high = raw["energy_gev"][energy_of_events(raw)] >= 60.0
    assert np.abs(kept + raw["dropped"] - 1.0)[high].max() < 0.05
    # Below, nuclei take some ten MeV to be broken up, all 16 nucleons at most 8 MeV each.
    missing = (1.0 - total[:, :LOW]) * raw["energy_gev"][:LOW]
    assert missing.min() > 0.0
    assert missing.max() < 0.12


def test_charge_balances_in_the_mean(raw, library):
    # Charge conservation: with the projectile's charge come those of the struck protons, half of the struck nucleons,
    # of which there are one to three in the mean, and of them those that are not left out for want of energy.
    charge = np.sign(library.species) * CHARGE[np.abs(library.species)]
    excess = per_bin(summed(charge, library), raw) - PROJECTILE_CHARGE[:, None]
    charged = per_bin(summed(np.abs(charge), library), raw)
    assert (excess[:, LOW:] > 0.5).all()
    assert (excess[:, LOW:] < 1.0).all()
    # More of them leave after a cascade inside of the nucleus.
    assert (np.abs(excess[:, :LOW]) < 1.5).all()
    assert (np.abs(excess[:, -1]) < 0.05 * charged[:, -1]).all()
    # Whatever the charge of a projectile, it strikes the same nucleons.
    np.testing.assert_allclose(excess[:2, LOW:].mean(axis=0), excess[2:4, LOW:].mean(axis=0), atol=0.15)
    np.testing.assert_allclose(excess[5, LOW:], excess[6, LOW:], atol=0.15)


def test_multiplicity_grows_with_the_logarithm_of_the_energy(raw):
    number = per_bin(raw["products"].astype(float), raw)
    assert (number[5][1:] > number[5][:-1]).all()
    assert 10.0 < number[5][LOW] < 15.0
    assert 60.0 < number[5][-1] < 80.0


def test_a_third_of_the_pions_is_neutral(raw, library):
    neutral = (library.species == PION_ZERO).sum()
    charged = np.isin(library.species, (5, 6)).sum()
    assert neutral / charged == pytest.approx(0.5, abs=0.1)
    # Short-lived particles are in the library by their products only.
    assert set(np.unique(library.species)) <= {-11, -10, *range(KAON_LONG + 1), 10, 11, PION_ZERO}


def test_transverse_momenta_of_an_event_nearly_cancel(library):
    x = summed(library.pt_mev * np.cos(library.phi), library)
    independent = np.sqrt(summed(library.pt_mev.astype(np.float64) ** 2, library) / 2.0)
    # Struck nucleons that are left out take the rest.
    assert np.sqrt((x**2).mean()) < 0.6 * np.sqrt((independent**2).mean())


def test_provenance_names_generator_seed_and_citations():
    provenance = library_provenance()
    assert provenance["generator"] == "SIBYLL 2.3d"
    assert provenance["interface"] == "chromo 0.11.0"
    assert provenance["generator_below_60_gev"] == "Geant4 11.4 (FTFP_BERT)"
    assert isinstance(provenance["seed"], int)
    assert any("063002" in paper for paper in provenance["cite"])


def test_the_library_is_read_once_and_is_small(library):
    assert load_hadron_library() is library
    assert sum(part.nbytes for part in library if isinstance(part, np.ndarray)) < 25e6


def test_wrong_files_are_named(tmp_path, raw):
    missing = tmp_path / "none.npz"
    with pytest.raises(InputError, match=r"none\.npz"):
        load_hadron_library(missing)
    torn = tmp_path / "torn.npz"
    torn.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(InputError, match=r"torn\.npz"):
        load_hadron_library(torn)
    np.savez(tmp_path / "other.npz", x=raw["x"][:3])
    with pytest.raises(InputError, match="species"):
        load_hadron_library(tmp_path / "other.npz")
    np.savez(tmp_path / "short.npz", **{**raw, "pt": raw["pt"][:-1]})
    with pytest.raises(InputError, match="do not fit"):
        load_hadron_library(tmp_path / "short.npz")


def test_a_copy_of_the_library_is_the_same(tmp_path, library):
    path = resources.files("magicnn.simulation") / "tables" / "hadron_library.npz"
    copy = tmp_path / "copy.npz"
    shutil.copy(str(path), copy)
    again = load_hadron_library(copy)
    assert again is not library
    np.testing.assert_array_equal(again.x, library.x)
