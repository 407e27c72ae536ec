import json
import math

import numpy as np
import pytest

from magicnn.errors import InputError
from magicnn.evaluation.metrics_table import MetricRow, MetricsTable, describe

ROWS = (
    MetricRow("forest", "classification", "auc", 35, 50, math.nan, math.nan, 12, 0.9, 0.88, 0.92),
    MetricRow("CNN vs forest", "classification", "auc_difference", 5, 35, math.nan, math.nan, 12, 1 / 3, 0.1, 0.5),
    MetricRow("CNN", "energy", "resolution_half68", 5, 35, 75, 119, 0, math.nan, math.nan, math.nan),
    MetricRow("CNN", "energy", "resolution_half68", 5, 35, 47, 75, 30, 0.2, 0.19, math.inf),
)


def test_astropy_reads_the_table_back(tmp_path):
    table = pytest.importorskip("astropy.table")
    path, _ = MetricsTable(ROWS).save(tmp_path)
    read = table.Table.read(path, format="ascii.ecsv")
    assert list(read.colnames) == list(MetricRow.__slots__)
    assert list(read["method"]) == ["CNN", "CNN", "CNN vs forest", "forest"]
    assert list(read["energy_min_gev"][:2]) == [47, 75]
    assert read["energy_min_gev"].unit == "GeV"
    assert read["zenith_min_deg"].unit == "deg"
    assert read["n_events"].dtype == np.int64
    assert read["value"][2] == pytest.approx(1 / 3, rel=1e-7)
    assert np.isnan(read["value"][1])
    assert np.isnan(read["high"][0])


def test_json_has_null_for_nan_and_loads_back(tmp_path):
    table = MetricsTable(ROWS, {"seed": 3})
    _, path = table.save(tmp_path)
    content = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert content["rows"][1]["value"] is None
    assert content["definitions"]["auc"] == describe("auc")
    again = MetricsTable.load(path)
    assert again.to_json() == table.to_json()
    assert again.settings == {"seed": 3}


def test_the_order_of_the_rows_does_not_matter(tmp_path):
    one, two = (MetricsTable(rows).save(tmp_path / name) for rows, name in ((ROWS, "a"), (ROWS[::-1], "b")))
    for a, b in zip(one, two, strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_empty_table_is_written(tmp_path):
    _, path = MetricsTable(()).save(tmp_path)
    assert len(MetricsTable.load(path)) == 0


def test_rows_are_found():
    table = MetricsTable(ROWS)
    assert table.row("forest", "auc", (35, 50)).value == 0.9
    assert table.row("forest", "auc", (5, 35)) is None
    assert table.row("CNN", "resolution_half68", (5, 35), (47, 75)).n_events == 30
    assert len(table.select(task="energy", is_binned=True)) == 2


def test_definitions_know_suffixes_and_refuse_nonsense():
    assert "70 %" in describe("hadron_efficiency_g70")
    assert "largest Q" in describe("purity_qmax")
    with pytest.raises(InputError, match="did you mean 'purity'"):
        describe("purty")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a JSON file"),
        ("[]", "not a metrics file"),
        ('{"format": "magicnn metrics", "version": 99}', "version|reads up to"),
        ('{"format": "magicnn metrics", "version": 1, "settings": {}, "rows": [{"method": "x"}]}', "damaged"),
    ],
)
def test_bad_files_give_one_clear_line(tmp_path, content, message):
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        MetricsTable.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        MetricsTable.load(tmp_path / "nothing.json")
