"""Pictures of lookup tables."""

from dataclasses import replace

import numpy as np
import pytest

from magicnn.baselines.lookup import EnergyLookup, LookupSettings
from magicnn.baselines.smooth_table import SmoothTable
from magicnn.errors import InputError
from magicnn.report.lookup_plots import draw_lookup, lookup_figure


def tables(method, filled):
    x, y = np.linspace(0.0, 4.0, 9), np.linspace(1.6, 5.0, 6)
    mean = np.arange(40.0).reshape(8, 5) + 1.0
    table = SmoothTable(x, y, mean, 0.2 * mean)
    empty = replace(table, mean=np.full_like(mean, np.nan))
    rows = tuple((table, table) if is_filled else (empty, empty) for is_filled in filled)
    return EnergyLookup(LookupSettings(method=method), rows, np.ones(4), np.zeros(4), 1.0)


@pytest.mark.parametrize("method", ["magic", "plain"])
def test_one_row_per_filled_range_with_its_numbers(method, tmp_path):
    lookup = tables(method, (True, False, True, False))
    figure = lookup_figure(lookup)
    drawn = [a for a in figure.axes if a.get_title()]
    assert len(drawn) == 2 * 4
    np.testing.assert_allclose(np.asarray(drawn[0].collections[0].get_array()).T, lookup.tables[0][0].mean)
    spread = lookup.tables[0][0].rms if method == "plain" else np.full((8, 5), 0.2)
    np.testing.assert_allclose(np.asarray(drawn[1].collections[0].get_array()).T, spread)
    assert [a.get_ylabel().split("\n")[0] for a in drawn if a.get_ylabel()] == ["zenith 0–35 deg", "zenith 50–62 deg"]
    draw_lookup(lookup, tmp_path / "lookup.png")
    assert (tmp_path / "lookup.png").read_bytes().startswith(b"\x89PNG")


def test_empty_tables_are_said(tmp_path):
    with pytest.raises(InputError, match="empty"):
        draw_lookup(tables("magic", 4 * (False,)), tmp_path / "lookup.png")
    assert not list(tmp_path.iterdir())
