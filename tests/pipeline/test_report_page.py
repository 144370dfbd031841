"""report.html: escaping, its policy, its figures, and numbers as people read them."""

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_example import PAYLOADS, write_example, write_training_run

from pipeline.report import formats, markup
from pipeline.report.charts import amounts, drawing
from pipeline.report.corpus_report import render
from pipeline.report.data import assemble
from pipeline.report.markup import Column
from pipeline.report.sections import quality
from pipeline.report.visible import visible


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes, and the content of its scripts."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("runs")
    plain = write_example(folder / "plain")
    write_training_run(plain / "training")
    return {
        "plain": render(assemble(str(plain))),
        "hostile": render(assemble(str(write_example(folder / "hostile", hostile=True)))),
    }


def test_a_hostile_crawl_adds_no_element_and_no_attribute(pages: dict[str, str]) -> None:
    known = {(tag, name) for tag, attributes in Elements(pages["plain"]).found for name in (*attributes, "")}
    hostile = {(tag, name) for tag, attributes in Elements(pages["hostile"]).found for name in (*attributes, "")}
    assert hostile <= known
    assert not {name for _, name in known if name.startswith("on")}
    assert not {tag for tag, _ in known} & {"img", "iframe", "object", "form", "base"}


def test_the_page_loads_nothing(pages: dict[str, str]) -> None:
    for tag, attributes in Elements(pages["plain"]).found:
        for name in ("src", "href", "action", "data"):
            assert (
                attributes.get(name) is None or attributes[name] in ("data:,",) or attributes[name].startswith("#")
            ), tag


@pytest.mark.parametrize("page", ["plain", "hostile"])
def test_the_policy_allows_exactly_the_two_scripts(pages: dict[str, str], page: str) -> None:
    elements = Elements(pages[page])
    policy = next(
        each["content"] for tag, each in elements.found if each.get("http-equiv") == "Content-Security-Policy"
    )
    figures, *scripts = elements.scripts
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert re.findall(r"'sha256-([^']+)'", policy) == digests and len(digests) == 2
    assert "default-src 'none'" in policy and "unsafe-eval" not in policy
    json.loads(figures)


def test_every_figure_is_one_that_plotly_knows(pages: dict[str, str]) -> None:
    for page in pages.values():
        figures: dict[str, Any] = json.loads(re.sub(r"var\(--[\w-]+\)", "#123456", Elements(page).scripts[0]))
        assert len(figures) >= 15
        for figure in figures.values():
            go.Figure(figure)  # raises on unknown properties and on values of the wrong kind


def test_every_figure_has_its_place(pages: dict[str, str]) -> None:
    elements = Elements(pages["plain"])
    places = {attributes["id"] for _, attributes in elements.found if attributes.get("class") == "chart"}
    assert places == set(json.loads(elements.scripts[0]))


def test_every_colour_a_figure_names_is_one_of_both_themes(pages: dict[str, str]) -> None:
    used = set(re.findall(r"var\((--[\w-]+)\)", Elements(pages["plain"]).scripts[0]))
    style = re.search(r"<style>(.*?)</style>", pages["plain"], re.DOTALL)[1]
    for selector in (r":root \{", r':root\[data-theme="dark"\] \{', r':root:not\(\[data-theme="light"\]\) \{'):
        block = re.search(selector + r"(.*?)\}", style, re.DOTALL)[1]
        assert used <= set(re.findall(r"(--[\w-]+):", block))


@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    for escaped in (markup.text(text), drawing.label(text)):
        assert not set(escaped) & set("<>")
        assert re.sub(r"&(amp|lt|gt|quot|#x27);", "", escaped).count("&") == 0
    assert html.unescape(drawing.label(text, 10**9)) == visible(text)


@given(st.text())
def test_visible_text_hides_nothing(text: str) -> None:
    shown = visible(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", shown)


def test_visible_text_leaves_scripts_alone() -> None:
    for text in ("plain", "naïve Straße", "深度学习框架", "قابلیت‌ها", "हिन्दी", "👩‍💻"):
        assert visible(text) == text
    assert visible("a\u202eb\x00\n") == "a⟨U+202E⟩b␀␊"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_cell_shows_a_payload_as_text(payload: str) -> None:
    elements = Elements(markup.table([Column("text", payload)], [{"text": payload}], payload))
    assert {tag for tag, _ in elements.found} == {"div", "button", "table", "thead", "tbody", "tr", "th", "td", "bdi"}


@pytest.mark.parametrize(
    ("format", "value", "shown"),
    [
        (formats.count, 1234567, "1,234,567"), (formats.count, None, "–"),
        (formats.compact, 9537, "9,537"), (formats.compact, 10_000, "10.0 k"), (formats.compact, 62_100, "62.1 k"),
        (formats.compact, 999_960, "1.00 M"), (formats.compact, 2_000_000_000_000, "2.00 T"), (formats.compact, 0, "0"),
        (formats.size, 812, "812 B"), (formats.size, 62_012_345, "62.0 MB"), (formats.size, 999_999, "1.00 MB"),
        (formats.size, 36e12, "36.0 TB"),
        (formats.share, 0.785, "78.5 %"), (formats.share, 0, "0.0 %"), (formats.share, 0.00012, "0.012 %"),
        (formats.share, 2.5e-8, "< 0.001 %"),
        (formats.share, 1, "100.0 %"),
        (formats.number, 4.128, "4.13"), (formats.number, 1250, "1,250"), (formats.number, 0.00213, "0.0021"),
        (formats.number, 0, "0"), (formats.number, 17.25, "17.2"),
        (formats.duration, 0.83, "0.8 s"), (formats.duration, 59.6, "1 min"), (formats.duration, 185, "3 min 5 s"),
        (formats.duration, 7440, "2 h 4 min"), (formats.duration, 7200, "2 h"), (formats.duration, 90_000, "1 d 1 h"),
        (formats.rate, 31_000_000, "31.0 MB/s"),
        (formats.time, "2026-11-22T08:14:09+02:00", "2026-11-22 06:14 UTC"), (formats.time, "today", "today"),
    ],
)  # fmt: skip
def test_numbers_read_as_people_write_them(format: Any, value: Any, shown: str) -> None:
    assert format(value) == shown


@given(st.floats(min_value=0, max_value=1e17))
def test_a_short_number_is_within_half_a_per_cent(value: float) -> None:
    number, _, unit = formats.compact(value).replace(",", "").partition(" ")
    scale = {"": 1, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}[unit]
    assert float(number) * scale == pytest.approx(value, rel=0.005, abs=0.5)


@pytest.mark.parametrize(
    ("wide", "placed"),
    [("", ""), ("n", "w"), ("nn", "nn"), ("nnn", "nnw"), ("wnw", "www"), ("nwnn", "wwnn"), ("nnwn", "nnww")],
)
def test_no_narrow_card_stands_alone(wide: str, placed: str) -> None:
    cards = [markup.Card("", "", wide=letter == "w") for letter in wide]
    page, _ = markup.section(markup.Section("x", "x", cards=cards))
    assert "".join("w" if "wide" in kind else "n" for kind in re.findall('class="card( wide)?"', page)) == placed


def test_two_names_shown_alike_stay_two_bars() -> None:
    long = "x" * 60
    drawn = amounts.ranked({long + "a": 2, long + "b": 1}, "records", drawing.REMOVED)
    assert drawn is not None
    assert drawn["data"][0]["y"] == [0, 1] and len(set(drawn["layout"]["yaxis"]["ticktext"])) == 1


def test_quality_models_show_their_scores_with_the_cut_and_what_would_stay(tmp_path) -> None:
    report = assemble(str(write_example(tmp_path)))
    section = quality.section(report)
    edu, kinds = section.cards
    scored = report["quality"]["models"]["edu"]["scores"]["documents"]
    assert edu.figure["data"][0]["y"] == scored
    assert [shape["x0"] for shape in edu.figure["layout"]["shapes"]] == [0.4]
    assert edu.rows[0]["share"] == 1
    assert edu.rows[-1]["documents"] == scored[-1]
    assert [row["label"] for row in kinds.rows] == ["news", "code", "(none: it knows no word)", "law"]
    rule = report["decide"]["funnel"][-1]
    assert section.tiles[0].title == "Below 0.4 by edu"
    assert section.tiles[0].value == formats.compact(rule["failing"])
    assert "Quality models" in render(report)
    assert "Quality models" not in render(report | {"quality": None})
