import dataclasses
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from magicnn.errors import InputError
from magicnn.evaluation import MetricsTable
from magicnn.evaluation.response import ResponseSettings
from magicnn.evaluation.response.many import responses_of
from magicnn.report.inputs import ExampleImages
from magicnn.report.page import ReportInputs, build_report

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects what a page refers to, and whether its elements are closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.ids, self.texts = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self._note(attributes)

    def handle_startendtag(self, tag, attributes):
        self._note(attributes)

    def _note(self, attributes):
        for name, value in attributes:
            if name in {"src", "href", "xlink:href"}:
                self.references.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def built(report_inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    path = build_report(report_inputs, folder)
    return path, Page(path.read_text("utf-8"))


def test_page_is_whole_and_asks_for_nothing_from_outside(built):
    path, page = built
    assert page.open == []
    outside = [r for r in page.references if not r.startswith(("#", "data:"))]
    assert {"metrics.ecsv", "metrics.json", "figures/roc_za05to35.pdf", "tables/energy_za05to35.ecsv"} <= set(outside)
    assert not re.search(r"@import|url\((?!#)", path.read_text("utf-8"))
    assert not re.search(r"<(script|iframe|object)|\bsrc=(?!.data:)", path.read_text("utf-8"))
    assert len(page.ids) == len(set(page.ids))
    internal = {r.removeprefix("#") for r in page.references if r.startswith("#")}
    assert internal <= set(page.ids)
    for name in outside:
        assert (path.parent / name).stat().st_size > 200, name


def test_page_fits_small_screens_paper_and_dark_rooms(built):
    text = built[0].read_text("utf-8")
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@media print" in style
    assert "prefers-color-scheme: dark" in style
    page = re.sub(r"<svg.*?</svg>", "", text, flags=re.S)
    # whatever is wider than a phone must be able to shrink or to scroll
    fixed = re.findall(r"(?<!-)\bwidth\s*[:=]\s*\"?(\d+)px", page)
    assert all(int(width) <= 400 for width in fixed)
    assert page.count("<table>") == page.count('<div class="scroll"')
    assert not re.search(r"<svg[^>]* (width|height)=", text)


def test_every_figure_comes_as_png_pdf_and_numbers(built):
    from astropy.table import Table

    folder = built[0].parent / "figures"
    kinds = {k: {p.stem for p in folder.glob(f"*.{k}")} for k in ("png", "pdf", "ecsv")}
    drawn = {n for n in kinds["png"] if not n.startswith(("comparison_", "example_", "real_0", "tables"))}
    assert drawn == kinds["pdf"] == kinds["ecsv"]
    assert {"migration_0_za05to35", "reliability_za05to35", "real_gammaness"} <= drawn
    assert all((folder / f"{n}.pdf").read_bytes().startswith(b"%PDF") for n in drawn)
    matrix = Table.read(folder / "migration_0_za05to35.ecsv")
    columns = np.unique(matrix["x_min"])
    sums = [matrix["value"][(matrix["x_min"] == x) & np.isfinite(matrix["value"])].sum() for x in columns]
    assert max(sums) > 90.0
    assert max(sums) < 100.001


def test_tables_come_as_numbers(built, report_inputs):
    from astropy.table import Table

    folder = built[0].parent / "tables"
    energy = Table.read(folder / "energy_za05to35.ecsv")
    assert len(energy) == len(report_inputs.metrics.select(task="energy", zenith_deg=(5.0, 35.0)))
    flow = Table.read(folder / "cut_flow.ecsv")
    assert flow["n_events"][:4].tolist() == list(next(iter(report_inputs.cut_flow.values())).values())
    assert set(Table.read(folder / "real_events.ecsv")["method"]) == {"CNN", "LUT"}


def test_pictures_are_shown_as_they_are(report_inputs, built, tmp_path):
    picture = built[0].parent / "figures" / "auc_zenith.png"
    inputs = ReportInputs("x", MetricsTable(()), {}, pictures={"Lookup <tables>": picture})
    text = build_report(inputs, tmp_path).read_text("utf-8")
    assert "Lookup &lt;tables&gt;" in text
    assert 'src="data:image/png;base64,' in text
    assert (tmp_path / "figures" / "auc_zenith.png").read_bytes() == picture.read_bytes()
    with pytest.raises(InputError, match="cannot be copied"):
        build_report(dataclasses.replace(inputs, pictures={"x": tmp_path / "none.png"}), tmp_path)


def test_every_section_is_there(built):
    _, page = built
    text = " ".join(" ".join(page.texts).split())
    for wanted in (
        "Networks & lookup tables",
        "A note that the reader must see.",
        "Zenith 5–35°",
        "Zenith 62–70°",
        "arXiv:1409.5594",
        "Crab Nebula, run 5029747.",
        "event 29795",
        "Events left after each stage.",
        "ring of 0.4°",
        "gamma/hadron network",
        "Wilson",
        "θ² < 0.02 deg²",
    ):
        assert wanted in text
    assert {"summary", "za05to35", "za62to70", "published", "real", "images", "training", "events"} <= set(page.ids)


def test_figures_lie_beside_the_page(built):
    path, _ = built
    names = {p.name for p in (path.parent / "figures").iterdir()}
    assert {"comparison_za05to35.png", "comparison_za05to30.png", "auc_zenith.png", "training_0.png"} <= names
    assert {"example_0_0_M1_charge.png", "real_0_M2_time.png"} <= names
    assert all((path.parent / "figures" / n).stat().st_size > 1000 for n in names)


def test_published_ranges_carry_the_points_and_the_others_do_not(built):
    text = built[0].read_text("utf-8")
    for name, has_points in (
        ("resolution_za05to30", True),
        ("resolution_za30to45", True),
        ("resolution_za05to35", False),
    ):
        svg = text[text.index(f'id="{name}-figure_1"') :]
        assert ("published LUT" in svg[: svg.index("</svg>")]) == has_points


def test_the_least_there_can_be(tmp_path):
    path = build_report(ReportInputs("Nothing", MetricsTable(()), {}), tmp_path)
    page = Page(path.read_text("utf-8"))
    assert page.open == []
    assert "Nothing" in page.texts


def test_responses_are_shown_with_what_they_contain(report_inputs, tmp_path):
    from astropy.table import Table

    pytest.importorskip("pyirf")
    settings = ResponseSettings(n_replicates=20)
    tables = {"CNN": report_inputs.predictions["CNN"]}
    responses = responses_of(tables, [(5.0, 35.0), (5.0, 30.0)], settings)
    few = ReportInputs("Response", MetricsTable(()), {}, responses=responses)
    text = build_report(few, tmp_path).read_text("utf-8")
    page = Page(text)
    assert page.open == []
    assert "response" in page.ids
    assert text.index("Zenith 5–30°") < text.index("Zenith 5–35°")
    assert "proton only; helium and electron were not simulated and are missing" in text
    assert "MAGIC, released" in text
    for name in (
        "area_cuts",
        "area_efficiency",
        "rate_gamma",
        "rate_background",
        "sensitivity",
        "sensitivity_integral",
    ):
        assert f'href="figures/{name}_za05to30.pdf"' in text
        assert f'href="figures/{name}_za05to35.ecsv"' in text
    gates = Table.read(tmp_path / "tables" / "gates_za05to30.ecsv")
    assert set(gates["state"]) <= {"pass", "fail", "open", "limit"}
    assert len(gates) == 5 + 2 * 11
    assert not (tmp_path / "tables" / "gates_za05to35.ecsv").exists()
    assert (tmp_path / "response" / "irf_CNN_za05to30.fits").is_file()
    curves = Table.read(tmp_path / "response" / "response.ecsv")
    assert "effective_area_efficiency_m2" in set(curves["quantity"])


def test_one_method_and_real_events_without_images(report_inputs, tmp_path):
    lut = {"LUT": report_inputs.predictions["LUT"]}
    real = dataclasses.replace(report_inputs.real, examples=None)
    rows = tuple(r for r in report_inputs.metrics.rows if r.method == "LUT" and r.zenith_min_deg == 62.0)
    inputs = ReportInputs("LUT alone", MetricsTable(rows), lut, real=real)
    page = Page(build_report(inputs, tmp_path).read_text("utf-8"))
    assert page.open == []
    assert "29796" in page.texts


def test_ranges_without_judged_events_are_named_and_not_shown(report_inputs, tmp_path):
    rows = tuple(
        dataclasses.replace(r, n_events=0) if r.zenith_min_deg in (30.0, 62.0) else r
        for r in report_inputs.metrics.rows
    )
    metrics = MetricsTable(rows, report_inputs.metrics.settings)
    inputs = ReportInputs("Low", metrics, report_inputs.predictions)
    text = build_report(inputs, tmp_path).read_text("utf-8")
    page = Page(text)
    assert "No event was judged at zenith 62–70°, so that nothing is shown for this range." in text
    assert "za05to35" in page.ids
    assert "za62to70" not in page.ids
    assert "Zenith 62–70°" not in page.texts
    assert "Zenith 5–30°" in page.texts
    assert "Zenith 30–45°" not in page.texts
    assert not (tmp_path / "figures" / "comparison_za62to70.png").exists()


def test_no_claim_about_the_training_and_verdicts_with_their_significance(built):
    text = built[0].read_text("utf-8")
    assert "trained on" not in text
    assert "No event was judged" not in text
    assert re.search(r'badge better">better, [\d.]+ σ<', text)


def test_text_is_escaped(report_inputs, tmp_path):
    inputs = ReportInputs("<script>alert(1)</script>", MetricsTable(()), {}, settings={"a": "</pre><b>"})
    text = build_report(inputs, tmp_path).read_text("utf-8")
    assert "<script>" not in text
    assert "</pre><b>" not in text


def test_masks_and_captions_must_fit(report_inputs):
    example = report_inputs.examples[0]
    with pytest.raises(InputError, match="cleaning masks"):
        ExampleImages("x", example.batch, np.zeros((3, 2, 1039), dtype=bool))
    with pytest.raises(InputError, match="3 captions for 1 events"):
        ExampleImages("x", example.batch, example.cleaned, ("a", "b", "c"))


def test_folder_that_cannot_be_written(report_inputs, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot create its folder"):
        build_report(ReportInputs("x", MetricsTable(()), {}), tmp_path / "file" / "report")
