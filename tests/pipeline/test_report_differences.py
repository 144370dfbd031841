"""Two texts side by side: every word accounted for, differences where they are, bounded place and time."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st
from report_example import PAYLOADS

from pipeline.report import markup
from pipeline.report.differences import LONGEST, difference
from pipeline.report.markup import Comparison

PROSE = "The mill grinds grain. Water turns the wheel, and the stone turns with it.\n"


def changed(found: dict, side: str) -> str:
    runs = [run for row in found["rows"] if side in row for run in row[side]]
    return "|".join(run["text"].strip() for run in runs if run["kind"] == "changed")


def words_of(found: dict, side: str) -> int:
    """Words shown, counted or said to be left out."""
    total = 0
    for row in found["rows"]:
        total += row.get("same", 0)
        for run in row.get(side, []):
            omitted = run["kind"] == "omitted"
            total += int(run["text"].split()[1].replace(",", "")) if omitted else len(run["text"].split())
    return total


def test_equal_texts_are_one_line() -> None:
    found = difference(PROSE * 3, PROSE.replace(" ", "  ") * 3)
    assert found["rows"] == [{"same": 42}] and found["alike"] == 1 and not found["cut"]


def test_only_the_words_that_differ_are_marked() -> None:
    left = PROSE * 20 + "An old ending here.\n" + PROSE * 20
    right = PROSE * 20 + "A new ending here.\n" + PROSE * 20 + "One line more.\n"
    found = difference(left, right)
    assert changed(found, "left") == "An old"
    assert changed(found, "right") == "A new|One line more."
    assert [row["same"] for row in found["rows"] if "same" in row] == [268, 258]
    assert found["left_words"] == 564 and found["right_words"] == 567 and found["same_words"] == 562
    assert found["alike"] == 2 * 562 / (564 + 567)


def test_scripts_without_spaces_are_compared_by_character() -> None:
    found = difference("深度学习框架很好。" * 3, "深度学习框架真好。" * 3)
    assert changed(found, "left") == "很|很|很" and changed(found, "right") == "真|真|真"
    assert found["left_words"] == 27


def test_texts_with_nothing_in_common_show_their_beginnings() -> None:
    left = " ".join(f"a{n}" for n in range(500))
    found = difference(left, " ".join(f"b{n}" for n in range(300)))
    assert found["same_words"] == 0 and len(found["rows"]) == 1
    assert found["rows"][0]["left"][0]["text"].split()[-1] == "a79"
    assert found["rows"][0]["left"][1] == {"kind": "omitted", "text": "… 420 more words"}
    assert [run["kind"] for run in difference("", "one")["rows"][0]["right"]] == ["changed"]
    assert difference("", "")["rows"] == []


def test_of_many_places_the_first_are_shown_and_the_others_counted() -> None:
    pages = [" ".join(f"w{place}-{n}" for n in range(60)) for place in range(30)]
    left, right = (".\n".join(f"{page}. {side} {n}" for n, page in enumerate(pages)) for side in ("old", "new"))
    found = difference(left, right)
    assert found["more"] == 18
    assert ["same" in row for row in found["rows"]] == [True, False] * 12 + [True]
    assert changed(found, "left") == "|".join(["old"] * 12)


word = st.sampled_from(["mill", "grain", "wheel.", "stone", "磨", "<b>", "=1+1", "the"])
prose = st.lists(word, max_size=120).map(" ".join)


@given(prose, prose)
def test_every_word_is_shown_counted_or_said_to_be_left_out(left: str, right: str) -> None:
    found = difference(left, right)
    assert found["left_words"] == len(left.split()) and found["right_words"] == len(right.split())
    if not found["more"]:
        assert words_of(found, "left") == found["left_words"]
        assert words_of(found, "right") == found["right_words"]
    assert 0 <= found["alike"] <= 1
    assert found["same_words"] <= min(found["left_words"], found["right_words"])


@given(prose, prose)
def test_what_is_the_same_stands_in_both(left: str, right: str) -> None:
    found = difference(left, right)
    for row in found["rows"]:
        if "left" in row:
            same = [[run["text"].split() for run in row[side] if run["kind"] == "same"] for side in ("left", "right")]
            assert same[0] == same[1]


def test_any_text_costs_a_bounded_time_and_place() -> None:
    chance = random.Random(0)
    endless = ["a b " * 40_000, "x" * 200_000, "\n" * 200_000, "word. " * 40_000, "深" * 150_000]
    endless.append(" ".join(f"w{chance.randrange(300)}" for _ in range(40_000)))
    endless.append(". ".join(f"w{chance.randrange(300)}" for _ in range(40_000)))
    began = time.monotonic()
    for left in endless:
        for right in endless:
            found = difference(left, right)
            assert found["cut"]
            shown = sum(
                len(run["text"]) for row in found["rows"] for side in row if side != "same" for run in row[side]
            )
            assert shown <= 2 * LONGEST + 20_000 and len(found["rows"]) <= 25
    assert time.monotonic() - began < 60


def test_a_hostile_text_stays_text() -> None:
    chance = random.Random(1)
    for payload in PAYLOADS[:-1]:
        words = [chance.choice(["mill", "stone", "wheel"]) for _ in range(60)]
        found = difference(" ".join(words), " ".join([*words[:30], payload, *words[30:]]))
        shown = markup.comparison(Comparison(payload, payload, payload, payload, found))
        allowed = ("<details class=comparison>", "</details>", "<summary>", "</summary>", "<span>", "</span>", "<div>",
                   "</div>", "<bdi dir=auto>", "</bdi>", "<ins>", "</ins>", "<del>", "</del>", "<p class=same>", "</p>",
                   '<div class="pair names">', "<div class=pair>", "<div class=side dir=auto>")  # fmt: skip
        for element in allowed:
            shown = shown.replace(element, "")
        assert "<" not in shown and ">" not in shown and '"' not in shown
