"""The parts of the validation: verdicts, kept results, the table, the page."""

import json
import math

import numpy as np
import pytest
from validation.groups import GROUPS
from validation.lines import Figure, Line, write_table
from validation.page import write_page
from validation.store import Store

LINE = {"error": 0.1, "unit": "m", "low": 1.0, "high": 2.0, "reference": 'a "quoted", one', "source": "a book"}


def line(key="k", value=1.5, **changes):
    return Line(key, "quantity", value, **{**LINE, **changes})


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (1.5, 1.0, 2.0, "pass"),
        (0.9, 1.0, 2.0, "fail"),
        (2.1, 1.0, 2.0, "fail"),
        (9.0, 1.0, math.nan, "pass"),
        (0.5, 1.0, math.nan, "fail"),
        (0.5, math.nan, 1.0, "pass"),
        (math.nan, 1.0, 2.0, "fail"),
    ],
)
def test_verdict_of_a_gate(value, low, high, verdict):
    assert line(value=value, low=low, high=high).verdict == verdict


def test_calibration_and_information_are_not_judged():
    assert line(value=9.0, kind="calibration").verdict == "calibration"
    assert line(value=9.0, kind="info").verdict == "info"


def test_table_is_read_back(tmp_path):
    lines = [("one", line()), ("two", line("n", math.nan, high=math.nan))]
    write_table(tmp_path / "table", lines)
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [r["group"] for r in rows] == ["one", "two"]
    assert rows[0]["verdict"] == "pass"
    assert rows[1]["value"] is None
    table = pytest.importorskip("astropy.table").Table.read(tmp_path / "table.ecsv", format="ascii.ecsv")
    assert table["reference"][0] == LINE["reference"]
    assert table["low"][1] == 1.0
    assert np.isnan(table["value"][1])


def make_number(folder, calls):
    store = Store(folder, folder)

    def one(i):
        calls.append(i)
        return {"square": np.array(i * i)}

    return store.showers("squares", {}, 5, one, per_file=2)["square"]


def test_results_are_made_once(tmp_path):
    calls = []
    for _ in range(2):
        np.testing.assert_array_equal(make_number(tmp_path, calls), [0, 1, 4, 9, 16])
    assert calls == [0, 1, 2, 3, 4]
    next(iter(sorted(tmp_path.glob("squares_*.npz")))).unlink()
    make_number(tmp_path, calls)
    assert len(calls) in (6, 7)


def test_page_names_every_line_and_fills_in_numbers(tmp_path):
    record = {
        "name": "light",
        "title": "Light",
        "text": "All of it.",
        "lines": [
            {**vars(found), "verdict": found.verdict, "accepted": found.accepted, "shown": found.shown}
            for found in (line(), line("bad", 3.0))
        ],
        "figures": [vars(Figure("light.png", "A picture."))],
        "missing": "",
        "made": {"utc": "now", "scale": 1.0, "code": "abc", "version": "0", "cpu_s": 60.0},
    }
    text = write_page([record], tmp_path).read_text()
    assert "1 lines pass, 1 fail" in text
    assert "1.50 ± 0.10 m" in text
    assert "**FAIL**" in text
    assert "](figures/validation/light.png)" in text


def test_every_group_has_its_own_module():
    assert len({entry.module for entry in GROUPS.values()}) == len(GROUPS)
