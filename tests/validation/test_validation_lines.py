"""The parts of the validation: verdicts, kept results, the table, the page."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from validation.groups import GROUPS
from validation.hadrons import energy_shares, library_sums
from validation.lines import Figure, Line, demand_sources, shown_only, write_table
from validation.muons import whole_mirror
from validation.page import INVESTIGATIONS, UNEXPLAINED, unexplained, write_page
from validation.rates import recorded_rate
from validation.store import Store

from magicnn.config import read_yaml
from magicnn.errors import ConfigError
from magicnn.simulation.particles import PROTON

ROOT = Path(__file__).parents[2]

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
    text = write_page([record], tmp_path, {}).read_text()
    assert "1 lines pass, 1 fail" in text
    assert "1.50 ± 0.10 m" in text
    assert "**FAIL**" in text
    assert "](figures/validation/light.png)" in text


def test_every_group_has_its_own_module():
    assert len({entry.module for entry in GROUPS.values()}) == len(GROUPS)


def record_of(*lines, name="light"):
    return {
        "name": name,
        "title": "Light",
        "text": "All of it.",
        "lines": [
            {**vars(found), "verdict": found.verdict, "accepted": found.accepted, "shown": found.shown}
            for found in lines
        ],
        "figures": [],
        "missing": "",
        "made": {"utc": "now", "scale": 1.0, "code": "abc", "version": "0", "cpu_s": 60.0},
    }


def test_a_failure_without_an_investigation_is_marked(tmp_path):
    record = record_of(line("bad", 3.0), line("worse", 4.0))
    text = write_page([record], tmp_path, {"bad": "Known."}).read_text()
    assert unexplained([record], {"bad": "Known."}) == ["worse"]
    assert text.count(UNEXPLAINED) == 2
    assert "**quantity.** Known." in text


def test_an_investigation_stands_there_only_while_its_line_fails(tmp_path):
    texts = {"k": "Ours is {{ this.shown }}.", "light": "Of the group."}
    assert "Ours is" not in write_page([record_of(line())], tmp_path, texts).read_text()
    text = write_page([record_of(line(value=3.0))], tmp_path, texts).read_text()
    assert "**quantity.** Ours is 3.00 ± 0.10 m." in text
    assert "Of the group." in text
    assert UNEXPLAINED not in text


def test_lines_with_one_investigation_share_it(tmp_path):
    texts = {"a": "Same.", "b": "Same."}
    text = write_page([record_of(line("a", 3.0), line("b", 4.0))], tmp_path, texts).read_text()
    assert text.count("Same.") == 1
    assert "**quantity; quantity.** Same." in text


def test_an_investigation_that_quotes_a_group_that_was_not_run_is_replaced(tmp_path):
    text = write_page([record_of(line(value=3.0))], tmp_path, {"k": "{{ line.other.shown }}"}).read_text()
    assert "groups that were not run" in text


def test_lines_are_judged_exactly_where_range_and_source_exist():
    demand_sources([line(), shown_only("i", "quantity", (1.0, 0.1)), shown_only("j", "quantity", 1.0)])
    for wrong in (
        line(kind="info"),
        line(kind="calibration"),
        line(source=""),
        line(low=math.nan, high=math.nan),
    ):
        with pytest.raises(ConfigError):
            demand_sources([wrong])


def test_every_investigation_belongs_to_a_group_or_a_published_line():
    rows = json.loads((ROOT / "docs/figures/validation/validation.json").read_text())
    if not {row["group"] for row in rows} >= set(GROUPS):
        pytest.skip("the published lines do not hold all groups")
    assert set(read_yaml(INVESTIGATIONS)) <= {row["key"] for row in rows} | set(GROUPS)


def test_every_failure_on_the_published_page_is_investigated():
    assert UNEXPLAINED not in (ROOT / "docs/validation.md").read_text()


def test_energy_shares_of_an_interaction_do_not_exceed_the_energy():
    shares = energy_shares(PROTON, 100.0, 300)
    assert shares.shape == (300, 3)
    assert 0.7 < shares.sum(axis=1).mean() < 1.03


def test_shares_of_the_library_add_up_but_for_what_binds_the_target():
    sums = library_sums()
    assert sums.max() < 1.005
    assert sums[:, 1:].min() > 0.97
    assert sums.min() > 0.94


def test_rate_of_a_run_counts_events_of_both_files_once(data_dir):
    files = sorted((data_dir / "magic_real").glob("*_M[12]_*_Y_*.root"))
    hz, error, number, seconds = recorded_rate(files)
    # 89 and 91 stereo events, 21 of them in both files.
    assert number == 159
    assert hz == pytest.approx(158 / seconds)
    assert error == pytest.approx(158**0.5 / seconds)


def test_rings_of_muons_anywhere_on_the_mirror_are_fainter_than_central_ones(tmp_path):
    store = Store(tmp_path, Path())
    light = whole_mirror(store, 20.0, 40)["light"]
    assert light[:5].mean() > 1.3 * light[-5:].mean()
