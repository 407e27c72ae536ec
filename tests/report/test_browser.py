"""The pages in a real browser: nothing asked from outside, nothing wider than the screen, everything readable."""

import dataclasses
import shutil

import pytest

from magicnn.evaluation import MetricsTable
from magicnn.evaluation.response import ResponseSettings
from magicnn.evaluation.response.many import responses_of
from magicnn.evaluation.signal import find_signal
from magicnn.evaluation.source import SignalSettings
from magicnn.report.page import build_report
from magicnn.report.run_comparison import build_comparison
from magicnn.report.signal_page import build_signal_page

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# relative luminance and contrast as in WCAG 2; the background is that of the nearest element that has one
CONTRAST = """selector => {
  const parse = c => {
    const m = c.match(/[\\d.]+/g).map(Number);
    return {rgb: m.slice(0, 3), a: m.length > 3 ? m[3] : 1};
  };
  const linear = v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
  const light = rgb => { const [r, g, b] = rgb.map(linear); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.a > .5) return c.rgb;
    }
    return [255, 255, 255];
  };
  const shown = [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length).slice(0, 300);
  const found = shown.map(e => {
    const style = getComputedStyle(e), ink = parse(e instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink.rgb), light(behind(e))].sort((x, y) => y - x);
    return (a + .05) / (b + .05);
  });
  return [found.length, Math.min(...found)];
}"""
BROKEN = "[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length"
SMALL = "[...document.querySelectorAll('svg.figure')].filter(s => s.getBoundingClientRect().height < 80).length"
OPEN = "document.querySelectorAll('details').forEach(d => { d.open = true; })"
WIDE = """width => [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > width + 0.5
  && !e.closest('.scroll, pre, svg')).map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'magicnn[browser]'")
    installed = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with api.sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(
                f"no browser: install chromium, or `playwright install chromium` ({str(error).splitlines()[0]})"
            )
        yield started
        started.close()


@pytest.fixture(scope="module")
def pages(report_inputs, tmp_path_factory):
    """Report with every section, comparison of two runs, and page about a source."""
    folder = tmp_path_factory.mktemp("pages")
    settings = SignalSettings.model_validate({"source": {"x_deg": 0.4, "y_deg": 0.0}, "gammaness_cut": 0.5})
    proton = next(t for t in report_inputs.predictions["CNN"] if t.particle == "proton")
    signals = (find_signal(proton, 0.5, settings),)
    real = dataclasses.replace(report_inputs.real, source="a source", signals=signals)
    of_one = {"CNN": report_inputs.predictions["CNN"]}
    responses = responses_of(of_one, [(5.0, 30.0), (5.0, 35.0)], ResponseSettings(n_replicates=20))
    runs = dict.fromkeys(("first", "second"), report_inputs.metrics)
    runs["second"] = MetricsTable(report_inputs.metrics.rows, {"seed": 2})
    return {
        "report": build_report(dataclasses.replace(report_inputs, real=real, responses=responses), folder / "report"),
        "comparison": build_comparison(runs, folder / "comparison", title="Two runs"),
        "signal": build_signal_page(real, {}, folder / "signal", title="A source", settings={}),
    }


@pytest.mark.parametrize("name", ["report", "comparison", "signal"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")])
def test_on_screens(browser, pages, name, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests, errors = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(pages[name].as_uri())
    page.evaluate(OPEN)
    assert [r for r in requests if not r.startswith("data:")] == [pages[name].as_uri()]
    assert errors == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDE, width) == []
    assert page.evaluate(BROKEN) == 0
    assert page.evaluate("document.querySelectorAll('svg.figure').length") > 0
    assert page.evaluate(SMALL) == 0
    for selector in ("p", "h2", "td", "figcaption", "a", ".badge", "svg.figure text"):
        n, contrast = page.evaluate(CONTRAST, selector)
        assert n == 0 or contrast > 4.5, (selector, contrast)
    page.close()


def test_dark_is_dark(browser, pages):
    shades = []
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(pages["report"].as_uri())
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades.append(sum(int(v) for v in colour.removeprefix("rgb(").removesuffix(")").split(",")))
        page.close()
    assert shades[0] > 3 * 200
    assert shades[1] < 3 * 60


@pytest.mark.parametrize("name", ["report", "comparison", "signal"])
def test_on_paper(browser, pages, name):
    """A4 with margins of 1 cm: nothing is cut off, dark screens print black on white."""
    page = browser.new_page(viewport={"width": 718, "height": 1000}, color_scheme="dark")
    page.goto(pages[name].as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    n, contrast = page.evaluate(CONTRAST, "svg.figure text")
    assert n > 0
    assert contrast > 4.5
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
