"""HDF5 files whose tables are gone, of other types, or hold values that cannot be."""

import h5py
import numpy as np
import pytest
from ctapipe_files import (
    IMAGES,
    OBSERVATION,
    SHOWER,
    TEL_TRIGGER,
    TRIGGER,
    TRUE_IMAGES,
    edited,
    many_events,
    with_column,
)
from ctapipe_files import replace_table as replaced

from magicnn.io import open_events

SUBARRAY = "/configuration/instrument"
POINTING = "/configuration/telescope/pointing/tel_001"
READ = (
    TRIGGER,
    f"{IMAGES}/tel_001",
    f"{TRUE_IMAGES}/tel_001",
    SHOWER,
    OBSERVATION,
    POINTING,
    "/configuration/simulation/run",
    f"{SUBARRAY}/subarray/layout",
    f"{SUBARRAY}/telescope/optics",
    f"{SUBARRAY}/telescope/camera/geometry_0",
    f"{SUBARRAY}/telescope/camera/readout_0",
)
WRONG = (np.nan, np.inf, 1e30, -1e30)
OTHER_TYPES = ("words", "two values")


# --- our own files ---


def datasets(path):
    found = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def other_values(dataset, what):
    n = dataset.shape[0] if dataset.shape else 1
    return {"words": np.array([b"word"] * n), "two values": np.ones((n, 2, 3)), "fewer": np.ones(max(n - 1, 0))}[what]


@pytest.mark.parametrize("kind", ["eventset", "predictions"])
def test_datasets_that_are_gone_or_others(kind, damage, tmp_path):
    whole = damage.write_sample(kind, tmp_path)[0]
    reference = damage.contents(kind, [whole])
    path = tmp_path / f"spoilt{whole.suffix}"
    for name in datasets(whole):
        for what in ("gone", "words", "two values", "fewer"):
            path.write_bytes(whole.read_bytes())
            with h5py.File(path, "r+") as file:
                old = file[name]
                attributes, values = dict(old.attrs), None if what == "gone" else other_values(old, what)
                del file[name]
                if values is not None:
                    file.create_dataset(name, data=values).attrs.update(attributes)
            word = damage.outcome(kind, [path], reference)
            is_optional = kind == "predictions" and what == "gone" and word == "other"
            assert word.startswith("error") or is_optional, (name, what, word)


# --- ctapipe ---


@pytest.fixture(scope="module")
def many(data_dir, tmp_path_factory):
    real = data_dir / "ctapipe_dl1" / "history_meta_75.dl2.h5"
    return edited(real, tmp_path_factory.mktemp("many") / "many.h5", many_events(12))


def spoilt_columns(many, only=None):
    """All that may be wrong with single columns: name of the table, of the column, and what the records become."""
    import tables

    rng = np.random.default_rng(2)
    with tables.open_file(str(many)) as file:
        records = {name: file.get_node(name)[:] for name in READ}
    cases = []
    for table, old in records.items():
        for column in old.dtype.names:
            cases.append((table, column, "gone", old[[n for n in old.dtype.names if n != column]].copy()))
            for what in OTHER_TYPES:
                cases.append((table, column, what, with_column(old, column, other_column(len(old), what))))
            if old.dtype[column].base.kind == "f":
                for bad in WRONG:
                    changed = old.copy()
                    changed[column].reshape(len(old), -1)[min(1, len(old) - 1), 0] = bad
                    cases.append((table, column, bad, changed))
    return cases if only is None else [cases[i] for i in rng.choice(len(cases), only, replace=False)]


def other_column(n, what):
    return np.array([b"word"] * n) if what == "words" else np.ones((n, 2, 3))


def check_columns(damage, many, tmp_path, only=None):
    from numpy.lib.recfunctions import repack_fields

    reference = damage.contents("ctapipe", [many])
    for table, column, what, records in spoilt_columns(many, only):
        path = edited(many, tmp_path / "x.h5", lambda file, t=table, r=records: replaced(file, t, repack_fields(r)))
        word = damage.outcome("ctapipe", [path], reference)
        assert not word.startswith(("WRONG", "other ")), (table, column, what, word)


def test_some_columns_that_are_gone_others_or_impossible(many, damage, tmp_path):
    check_columns(damage, many, tmp_path, only=8)


@pytest.mark.slow
def test_columns_that_are_gone_others_or_impossible(many, damage, tmp_path):
    check_columns(damage, many, tmp_path)


@pytest.mark.slow
def test_tables_that_are_gone(many, damage, tmp_path):
    reference = damage.contents("ctapipe", [many])
    for table in (*READ, TEL_TRIGGER, "/simulation", "/dl1", "/configuration", SUBARRAY):
        path = edited(many, tmp_path / "x.h5", lambda file, t=table: file.remove_node(t, recursive=True))
        word = damage.outcome("ctapipe", [path], reference)
        assert not word.startswith(("WRONG", "other ")), (table, word)


def test_true_images_that_are_gone_are_counted(many, tmp_path, caplog):
    whole = open_events(many, camera="LSTCam")
    assert whole.counts["true images missing"] == 0
    n_lost = int(np.isfinite(whole.read().charge[:, 1, 0]).sum())
    path = edited(many, tmp_path / "x.h5", lambda file: file.remove_node(f"{TRUE_IMAGES}/tel_002"))
    with caplog.at_level("WARNING", logger="magicnn"):
        reader = open_events(path, camera="LSTCam")
    assert reader.counts["true images missing"] == n_lost
    assert f"LST-2 has {n_lost} images, but no true image in the file" in caplog.text
    assert np.isnan(reader.read()["true_pe"][:, 1]).all()
