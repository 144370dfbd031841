# ruff: noqa: E501 (tables of examples)
"""The line editor against a plain-Python reading of the rules that it applies."""

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.line_rules import LineRules, edit_lines, line_rules, published_line_rules
from filters.presets import load_preset

C4, REFINEDWEB = load_preset("c4").lines, load_preset("refinedweb-lines").lines


def edited(text: str, rules: LineRules) -> str:
    texts, removed = edit_lines(pa.array([text]), rules)
    new = texts[0].as_py()
    assert removed[0] == len(text.encode()) - len(new.encode())
    return new


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("This line ends as it should.", True),
        ('He said "it ends as well"', True),
        ("This line ends nowhere at all", False),
        ("This line trails off into nothing...", False),
        ("Only four words here.", False),
        ("Please enable JavaScript to view this page.", False),
        ("Our Privacy Policy has changed since last year.", False),
        ("This site uses cookies to make you happy.", False),
        ("A word of this line is " + "x" * 1001 + " too long.", False),
        ("A word of this line is " + "x" * 1000 + " in size.", True),
    ],
)
def test_c4_keeps_lines_that_end_and_say_something(line, kept):
    assert edited(f"The first line of the page.\n{line}\nThe last line of the page.", C4) == (
        f"The first line of the page.\n{line}\nThe last line of the page."
        if kept
        else "The first line of the page.\nThe last line of the page."
    )


def test_citations_leave_the_line_before_it_is_judged():
    assert edited("It was founded in 1850.[3][citation needed]", C4) == "It was founded in 1850."
    assert edited("It was [edit] founded in [x] 1850. [12]", C4) == "It was  founded in [x] 1850."
    assert edited("[1][2][3] [4] [5].", C4) == ""
    assert edited("[1][2]", C4) == ""


def test_refinedweb_drops_navigation_and_keeps_paragraphs():
    text = "HOME AND CONTACT\nThe story begins.\n\nhere\n12:30\n3 likes\n5 Comments\n1 apple\n\n  It ends.\n"
    assert edited(text, REFINEDWEB) == "The story begins.\n\n1 apple\n\nIt ends."


def test_documents_of_which_nothing_stays_become_empty():
    texts, removed = edit_lines(pa.array(["menu", "", None, "This one line stays here."]), C4)
    assert texts.to_pylist() == ["", "", "", "This one line stays here."]
    assert removed.tolist() == [4, 0, 0, 0]


POLICY = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"]


def c4_by_hand(text: str) -> str:
    """TFDS' ``clean_page`` without its page rules; a line is stripped again after its citations have gone."""
    kept = []
    for line in text.split("\n"):
        line = line.strip()
        if any(len(word) > 1000 for word in line.split()):
            continue
        line = re.sub(r"\[\d*\]|\[edit\]|\[citation needed\]", "", line).strip()
        if not line.endswith((".", "?", "!", '"')) or line.endswith("..."):
            continue
        if len(line.split()) < 5 or "javascript" in line.lower() or any(p in line.lower() for p in POLICY):
            continue
        kept.append(line)
    return "\n".join(kept)


LINES = ["The quick brown fox jumps", " over it.", "\n", "\n\n", "?", '"', "...", "[1]", "[edit]", "[", "]", " ", "\t", "use", " cookies",
         "JavaScript", "éà ü", "privacy policy", "12", "A", "x" * 999]  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=40).map("".join))
@settings(max_examples=300)
def test_c4_equals_the_reference(text):
    assert edited(text, C4) == c4_by_hand(text)


@given(st.lists(st.text(max_size=60), max_size=5), st.sampled_from(sorted(published_line_rules())))
def test_editing_again_changes_nothing(texts, name):
    rules = published_line_rules()[name]
    if rules.remove_citations:  # "[[1]1]" holds a second citation once the first has gone
        texts = [text.replace("[", "(") for text in texts]
    once, _ = edit_lines(pa.array(texts, pa.string()), rules)
    again, removed = edit_lines(once, rules)
    assert again.equals(once)
    assert not removed.any()


def test_slices_and_chunks_are_edited_alike():
    texts = ["no", "This line is kept here. ", "menu\nThis line is kept too."]
    sliced = pa.chunked_array([pa.array(texts[:2]), pa.array(texts[2:])]).slice(1)
    assert edit_lines(sliced, C4)[0].to_pylist() == ["This line is kept here.", "This line is kept too."]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="x: unknown line rule 'minwords'; did you mean 'min_words'"):
        line_rules("x", {"minwords": 3})
    with pytest.raises(ValueError, match="'max_upper_fraction' cannot be 50"):
        line_rules("x", {"max_upper_fraction": 50})
    with pytest.raises(ValueError, match="'end_marks' cannot be ''"):
        line_rules("x", {"end_marks": ""})
