"""report.html in a real browser: all charts drawn, nothing on the console, no network, payloads inert."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from report_browser import CHROMIUM, Browser
from report_example import write_example, write_training_run

from pipeline.report.corpus_report import write_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")

# Of each place for a chart: its id, its traces on screen (bars, lines, markers, cells of a heat map) and its size.
CHARTS = """[...document.querySelectorAll(".chart")].map((chart) => ({
  id: chart.id,
  plotly: chart.classList.contains("js-plotly-plot"),
  expected: chart.data ? chart.data.length : 0,
  drawn: chart.querySelectorAll(".trace, .hm").length,
  marks: chart.querySelectorAll(".trace path, .hm image").length,
  width: chart.querySelector("svg.main-svg")?.getBoundingClientRect().width ?? 0,
  room: chart.getBoundingClientRect().width,
  colours: JSON.stringify(chart.data ?? "").includes("var(--"),
}))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = write_example(tmp_path_factory.mktemp("corpus"))
    write_training_run(output / "training" / "small")
    write_training_run(output / "training" / "large", seed=1)
    return Path(write_report(output))


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(write_report(write_example(tmp_path_factory.mktemp("hostile"), hostile=True)))


@pytest.mark.parametrize(("width", "dark"), [(1360, False), (1360, True), (390, False)])
def test_every_chart_is_drawn(browser: Browser, report: Path, width: int, dark: bool) -> None:
    browser.open(report, width=width, dark=dark)
    charts = browser.evaluate(CHARTS)
    assert {chart["id"].split("-")[1] for chart in charts} == {
        "overview", "input", "deduplication", "filters", "quality", "mixture", "tokenizer", "shards", "training",
        "stages",
    }  # fmt: skip
    for chart in charts:
        assert chart["plotly"] and chart["drawn"] >= chart["expected"] > 0 and chart["marks"] > 0, chart
        assert 200 < chart["width"] <= chart["room"] + 1, chart
        assert not chart["colours"], chart
    assert browser.problems == []
    assert {url for url in browser.requests if not url.startswith("data:")} <= {report.as_uri()}
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_theme_follows_the_device_and_the_button(browser: Browser, report: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    bar = "document.getElementById('chart-overview-0').data[0].marker.color[2]"
    browser.open(report, dark=True)
    dark = browser.evaluate(paper), browser.evaluate(bar)
    browser.evaluate("document.getElementById('theme').click()")
    light = browser.evaluate(paper), browser.evaluate(bar)
    assert dark[0] != light[0] and dark[1] != light[1]
    browser.open(report, dark=False)
    assert (browser.evaluate(paper), browser.evaluate(bar)) == light
    assert browser.problems == []


def test_a_table_is_copied_exactly_for_a_spreadsheet(browser: Browser, report: Path) -> None:
    browser.open(report)
    browser.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    browser.evaluate("document.querySelector('#overview .copy').click()")
    browser.wait_for("window.copied")
    rows = [line.split("\t") for line in browser.evaluate("window.copied").split("\n")]
    assert rows[0] == ["step", "documents", "text"]
    assert rows[2] == ["Documents", "9537", str(9537 * 6502)]


def test_what_a_crawl_says_stays_inert(browser: Browser, hostile_report: Path) -> None:
    browser.open(hostile_report)
    assert browser.evaluate("typeof window.owned") == "undefined"
    for chart in browser.evaluate(CHARTS):
        assert chart["drawn"] >= chart["expected"] > 0, chart
    # Nothing came to life: no element that only a payload would make, no handler, no link but the page's own.
    foreign = "main img, main a, main script, main style, main iframe, svg a"
    assert browser.evaluate(f"document.querySelectorAll('{foreign}').length") == 0
    names = "[...document.querySelectorAll('*')].flatMap((element) => element.getAttributeNames())"
    assert browser.evaluate(f"{names}.filter((name) => name.startsWith('on'))") == []
    assert browser.evaluate("document.querySelectorAll('script').length") == 3
    # It can be read as it was written, in tables and in charts.
    assert "<script>window.owned=1</script>" in browser.evaluate("document.querySelector('main').textContent")
    assert browser.evaluate(
        "[...document.querySelectorAll('.chart text')].some((e) => e.textContent.includes('<script>window.owned'))"
    )
    assert browser.evaluate("document.querySelector('main').textContent.includes('\\u202e')") is False
    assert browser.problems == []
    assert {url for url in browser.requests if not url.startswith("data:")} <= {hostile_report.as_uri()}


def test_the_page_would_refuse_a_script_that_slipped_in(browser: Browser, report: Path) -> None:
    browser.open(report)
    browser.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.owned = 1'}))"
    )
    browser.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.owned = 2\">')")
    browser.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert browser.evaluate("typeof window.owned") == "undefined"
    assert any("Content Security Policy" in problem for problem in browser.problems)
