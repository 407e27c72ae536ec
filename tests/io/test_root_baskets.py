"""Arrays per entry of ROOT files: straight from the baskets they are what uproot decodes, and damage is one line."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from magicnn.errors import InputError
from magicnn.io.root.baskets import Baskets
from magicnn.io.root.files import open_root

N_PER_BASKET, N_SLOTS = 7, 50


def write(path: Path, parts: list[ak.Array], compression: object) -> Path:
    with uproot.recreate(path, compression=compression) as file:
        tree = file.mktree("Events", {"x": ak.types.ListType(ak.types.NumpyType("float32"))})
        for part in parts:
            tree.extend({"x": part})
    return path


def rectangles(seed: int = 1, n_baskets: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(N_PER_BASKET, N_SLOTS)).astype(np.float32) for _ in range(n_baskets)]


@pytest.mark.parametrize("compression", [uproot.ZLIB(1), uproot.LZMA(1), uproot.ZSTD(1), None])
@pytest.mark.parametrize("rows", [[0], [6, 7], [3, 4, 9, 20], list(range(21))])
@pytest.mark.parametrize("n_first", [None, 13, 1000])
def test_values_are_those_written(tmp_path: Path, compression: object, rows: list[int], n_first: int | None) -> None:
    parts = rectangles()
    path = write(tmp_path / "x.root", [ak.from_regular(p) for p in parts], compression)
    with open_root(path) as file:
        tree = file.tree("Events")
        found = tree.pixels("x", np.array(rows), n_first)
        places = tree.baskets("x")
    assert isinstance(places, Baskets)
    numbers = [number for number, _ in places.holding(np.array(rows))]
    starts = [places.first_values(number, 20) for number in numbers]  # the file is closed
    taken = [
        places.values(number)[np.array(rows)[which] - places.bounds[number]]
        for number, which in places.holding(np.array(rows))
    ]
    expected = np.concatenate(parts)
    assert found.dtype == np.float32
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, expected[rows][:, :n_first])
    np.testing.assert_array_equal(np.concatenate(taken), expected[rows])
    assert numbers == sorted({row // N_PER_BASKET for row in rows})
    np.testing.assert_array_equal(starts, [parts[i][0, :20] for i in numbers])


def test_a_basket_of_several_blocks(tmp_path: Path) -> None:
    values = np.random.default_rng(2).integers(0, 3, (90, 50_000)).astype(np.float32)  # 18 MB: a block ends at 16
    path = write(tmp_path / "x.root", [ak.from_regular(values)], uproot.ZLIB(1))
    with open_root(path) as file:
        np.testing.assert_array_equal(file.tree("Events").pixels("x", np.arange(85, 90)), values[85:])


@pytest.mark.parametrize("where", ["within a basket", "between baskets"])
def test_different_lengths_are_refused(tmp_path: Path, where: str) -> None:
    first = [[1.0] * 4] * 3
    other = [[1.0] * 4, [2.0] * 5, [3.0] * 3] if where == "within a basket" else [[1.0] * 5] * 3
    parts = [ak.values_astype(ak.Array(p), np.float32) for p in (first, other)]
    path = write(tmp_path / "x.root", parts, uproot.ZLIB(1))
    with open_root(path) as file, pytest.raises(InputError, match=r"different length \([34] to 5 values\)") as error:
        file.tree("Events").pixels("x", np.arange(6))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("from_end", [1, 40, 200])
def test_damaged_values_are_noticed(tmp_path: Path, from_end: int) -> None:
    path = write(tmp_path / "x.root", [ak.from_regular(p) for p in rectangles()], uproot.ZLIB(1))
    with uproot.open(path) as file:
        branch = file["Events/x"]
        end = int(branch.member("fBasketSeek")[1]) + int(branch.member("fBasketBytes")[1])
    content = bytearray(path.read_bytes())
    content[end - from_end] ^= 0x24
    path.write_bytes(content)
    with open_root(path) as file:
        tree = file.tree("Events")
        assert len(tree.pixels("x", np.arange(N_PER_BASKET))) == N_PER_BASKET
        with pytest.raises(InputError, match=r"branch 'x'.*damaged") as error:
            tree.pixels("x", np.arange(3 * N_PER_BASKET))
    assert "\n" not in str(error.value)
