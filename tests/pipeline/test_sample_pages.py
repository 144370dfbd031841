"""How the sample's pages are made: reflowed prose, sentences with facts, edits of a known size."""

import datetime
import random
import re
import string
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sample.edits import NEAR_AT_LEAST, STUB_AT_MOST, small_edit, stub
from pipeline.sample.languages import phrases, translated_pages
from pipeline.sample.pages import english_pages, module_outlines
from pipeline.sample.render import join_wrapped_lines, sanitised
from pipeline.sample.similarity import DistinctTexts, jaccard, shingles, visible_text, words

LANGUAGES = ("zh", "ja", "ko", "ru", "ar", "de", "fr", "es")


def test_wrapped_prose_becomes_one_line_and_other_text_keeps_its_lines() -> None:
    prose = "This is the first line of a paragraph that somebody wrapped\nat some width or other."
    example = ">>> from textwrap import wrap, fill, dedent, indent, shorten\n>>> wrap('a')"
    items = "- one item of a list, which is as long as a line of wrapped prose\n- another item"
    assert join_wrapped_lines(prose) == prose.replace("\n", " ")
    assert (
        join_wrapped_lines(f"{prose}\n\n{example}\n\n{items}")
        == f"{prose.replace(chr(10), ' ')}\n\n{example}\n\n{items}"
    )


@given(st.text(alphabet="ab \n.", max_size=300))
def test_joining_lines_changes_nothing_but_white_space(text: str) -> None:
    assert join_wrapped_lines(text).split() == text.split()


def test_addresses_and_the_order_of_a_set_are_taken_out() -> None:
    assert sanitised("&lt;function f at 0x7f00deadbeef&gt;") == "&lt;function f&gt;"
    assert sanitised("&amp;lt;object&nbsp;object&nbsp;at&nbsp;0x7f0001&amp;gt;") == "&lt;object object&gt;"
    assert sanitised("frozenset({'b', 'c', 'a'})") == "frozenset({'a', 'b', 'c'})"
    assert sanitised("a&nbsp;b<br>\n&nbsp;&nbsp;&nbsp;c") == "a b<br>\n&nbsp;&nbsp;&nbsp;c"


def test_the_library_gives_enough_pages_under_different_paths() -> None:
    pages = english_pages()
    assert len(pages) > 800
    assert len({page.path for page in pages}) == len(pages)
    assert {page.path.partition("/")[0] for page in pages} >= {"library"}
    assert all(re.fullmatch(r"[\w./-]+\.html", page.path) for page in pages)
    assert len(module_outlines()) > 150


def test_a_class_without_what_it_inherits_keeps_its_own_members() -> None:
    page = next(page for page in english_pages() if page.path == "library/collections.OrderedDict.html")
    own = page.without_inherited()
    assert "inherited from" in visible_text(page.content)
    assert "inherited from" not in visible_text(own.content)
    assert "move_to_end" in own.content
    assert own.content.count("<table") == own.content.count("</table>")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_finds_its_facts(language: str) -> None:
    pages = translated_pages(language, 8, random.Random(3))
    assert all(page.language == language for page in pages)
    for page in pages:
        text = visible_text(page.content)
        assert "{" not in text
        assert len(words(text)) > 150
    sentences = phrases()[language]
    assert len(sentences["months"]) == 12 and len(sentences["weekdays"]) == 7
    for kind in ("module", "character", "calendar"):
        used = {
            slot for line in sentences[kind].splitlines() for _, slot, _, _ in string.Formatter().parse(line) if slot
        }
        assert len(used) >= 7, f"{language}: sentences about a {kind} say little"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_on_a_page_twice(language: str) -> None:
    """Repetition is what filters take pages out for."""
    lines = [line for kind in ("module", "character", "calendar") for line in phrases()[language][kind].splitlines()]
    tails = [re.sub(r"^(\{\w+\}|.)", "", line) for line in lines]  # a first letter may have become a capital
    patterns = [re.compile(".+?".join(map(re.escape, re.split(r"\{\w+\}", tail)))) for tail in tails]
    for page in translated_pages(language, 8, random.Random(5)):
        text = unescape(visible_text(page.content))
        counts = [len(pattern.findall(text)) for pattern in patterns]
        assert max(counts) == 1
        assert sum(counts) >= 16


def test_calendar_sentences_are_true() -> None:
    page = next(p for p in translated_pages("zh", 40, random.Random(1)) if "calendar" in p.path)
    year = int(re.search(r"\d+", page.title).group())  # type: ignore[union-attr]
    dates = re.findall(rf"{year} 年(\w+?月) (\d+) 日是(星期.)，也是这一年的第 (\d+) 天", visible_text(page.content))
    for month, day, weekday, ordinal in dates:
        date = datetime.date(year, phrases()["zh"]["months"].index(month) + 1, int(day))
        assert phrases()["zh"]["weekdays"][date.weekday()] == weekday
        assert date.timetuple().tm_yday == int(ordinal)
    assert dates


@pytest.mark.parametrize("seed", range(3))
def test_a_small_edit_is_small_and_a_stub_is_another_document(seed: int) -> None:
    rng = random.Random(seed)
    pages = [*rng.sample(english_pages(), 60), *translated_pages("ru", 6, rng), *translated_pages("zh", 6, rng)]
    edited = drafts = 0
    for page in pages:
        original = shingles(visible_text(page.content))
        if (version := small_edit(page.content, page.language, rng)) is not None:
            assert NEAR_AT_LEAST <= jaccard(original, shingles(visible_text(version))) < 1
            edited += 1
        if (draft := stub(page.content)) is not None:
            assert jaccard(original, shingles(visible_text(draft))) <= STUB_AT_MOST
            assert len(words(visible_text(draft))) >= 50
            drafts += 1
    assert edited > 35
    assert drafts > 5


@given(st.lists(st.text(alphabet="abc ", min_size=1, max_size=60), max_size=12))
def test_distinct_texts_are_those_that_comparing_with_each_would_accept(texts: list[str]) -> None:
    accepted: list[str] = []
    quick = DistinctTexts(0.5)
    for text in texts:
        alike = any(shingles(text) and jaccard(shingles(text), shingles(other)) >= 0.5 for other in accepted)
        assert quick.accept(text) == (not alike)
        if not alike:
            accepted.append(text)


def test_a_character_of_a_script_without_spaces_is_a_word() -> None:
    assert words("Das Wort 水火 und カナ, don't") == ["das", "wort", "水", "火", "und", "カ", "ナ", "don", "t"]
