# ruff: noqa: E501, SIM905 (tables of examples)
"""Every rule of every shipped preset, on documents that do more and more of one thing until a rule removes them.

Each builder makes running text in which one thing grows with ``amount``. The first document that the preset removes must
fail exactly the rule that the thing is planted for. Where that is follows the preset's file.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from filters.decisions import decide
from filters.presets import Preset, load_preset, preset_names
from filters.statistics import statistics

NOUNS = """river miller wagon orchard market bridge harbour letter teacher window garden forest valley blanket candle kettle
    ladder saddle village meadow lantern basket copper silver timber winter summer morning evening shadow corner""".split()
VERBS = """carried followed painted repaired forgot counted measured opened gathered answered covered watched crossed
    borrowed finished planted sharpened studied welcomed lifted""".split()
LINKS = "with under beyond beside against towards behind without across around".split()
LONG = "extraordinarily comprehensively misunderstandings responsibilities internationally characteristics".split()
HAN = "春天花园里开满鲜红色小鸟快乐歌唱孩子奔跑游玩老师认真讲课山水云雨风雪星光海浪石桥村庄田野牛羊马鱼米茶酒书画琴棋灯火门窗"
STOP = "the be to of and that have with".split()


def sentence(seed: int) -> str:
    """One of many sentences; no two share a run of words to speak of."""
    pick = random.Random(seed)
    one, two, three = pick.sample(NOUNS, 3)
    return (
        f"{pick.choice(['The', 'That', 'A', 'Their'])} {one} {pick.choice(VERBS)} {two} {seed % 89} "
        f"{pick.choice(LINKS)} {pick.choice(STOP)} {three} and {pick.choice(VERBS)} {pick.choice(NOUNS)}."
    )


def sentences(count: int) -> list[str]:
    return [sentence(seed) for seed in range(count)]


def fresh(count: int, size: int = 6, first: int = 0) -> list[str]:
    """Words that stand nowhere else."""
    made = []
    for i in range(first, first + count):
        pick = random.Random(i)
        made.append("".join(pick.choice("bdfgklmnprstvz") + pick.choice("aeiou") for _ in range(size // 2)) + f"q{i:x}")
    return made


def chinese(seed: int, functions: str = "的了是我") -> str:
    pick = random.Random(seed)
    letters = [pick.choice(HAN) for _ in range(16)]
    for i, function in enumerate(functions):
        letters.insert(4 * i + 2, function)
    return "".join(letters) + "。"


def planted(phrase_words: int, amount: int) -> str:
    """``amount`` phrases that stand in two places each, between other words."""
    phrases = [" ".join(fresh(phrase_words, 6, 100 * i)) for i in range(amount)]
    others = iter(fresh(600, 6, 50_000))
    body = sentences(40)
    for part in (phrases, phrases[::-1]):
        body += [f"{phrase} {next(others)} {next(others)}." for phrase in part]
    return "\n".join(body)


def frequent(words: int, amount: int) -> str:
    """One run of words that stands in ``amount`` places, between other words."""
    others = iter(fresh(600, 6, 50_000))
    run = " ".join(LONG[:words])
    return "\n".join([*sentences(30), *(f"{next(others)} {run} {next(others)}." for _ in range(amount))])


def repeated_line(amount: int) -> str:
    """An address without a space, so that only lines repeat and no run of words."""
    address = "https://example.org/" + "path/" * amount + "."
    return "\n".join([*sentences(8), address, *sentences(16)[8:], address])


def repeated_paragraphs(amount: int) -> str:
    """Paragraphs of two lines of a word each: their line feeds count in paragraphs and not in lines."""
    words = [word + "a" * ((amount + i) // 20) for i, word in enumerate(fresh(20, 20))]
    pairs = [f"{words[2 * i]}\n{words[2 * i + 1]}" for i in range(10)]
    lines = sentences(40)
    return "\n\n".join([*lines[:20], *pairs, *lines[20:39], *pairs[::2], lines[39], *pairs[1::2]])


def without_stop_words(kinds: int) -> str:
    gone = STOP[:kinds]
    return "\n".join(" ".join(w for w in line.split() if w.lower() not in gone) for line in sentences(60))


def replaced(amount: int, with_: Callable[[int], str]) -> str:
    """The first words replaced, all over the text."""
    words = " ".join(sentences(20)).split()
    return " ".join(with_(i) if i < amount else word for i, word in enumerate(words))


def lines_but(amount: int, change: Callable[[str], str], count: int = 60) -> str:
    return "\n".join(change(line) if i < amount else line for i, line in enumerate(sentences(count)))


def chinese_lines(count: int) -> list[str]:
    return [chinese(seed) for seed in range(count)]


def until(rule: str, unit: Callable[[int], str], size: int) -> Iterator[str]:
    """Texts of about as many units as a large threshold, from a little below it; ``size`` of it a unit has."""
    preset, name = rule.split("/")
    threshold = next(each.threshold for each in load_preset(preset).rules if each.name == name)
    assert threshold is not None
    whole = [unit(i) for i in range(int(threshold) // size - 2)]
    for more in range(40):
        yield "\n".join([*whole, *(unit(i) for i in range(more))])


CUT = [" ".join(" ".join(sentences(30)).split()[: 200 - i]) for i in range(190)]
C4 = {
    "sentences": [" ".join(["\n".join(sentences(12 - i))]) for i in range(12)],
    "lorem-ipsum": [
        "\n".join([*sentences(12), *["The template said lorem ipsum to all of them."] * i]) for i in range(2)
    ],
    "curly-braces": ["\n".join([*sentences(12), *["The page said { to all of the readers."] * i]) for i in range(2)],
}
FINEWEB = {
    "terminal-punctuation": [lines_but(i, lambda line: line[:-1] + ";") for i in range(61)],
    "short-lines": ["\n".join([*sentences(20), *(f"Short line {j}." for j in range(i))]) for i in range(80)],
    "duplicated-line-characters": ["\n".join([*sentences(20), *["word " * i + "end."] * 2]) for i in range(90)],
}
GOPHER_REPETITION = {
    "duplicate-lines": [
        "\n".join(x for j, line in enumerate(sentences(60)) for x in ([line, "Next"] if j < i else [line]))
        for i in range(50)
    ],
    "duplicate-paragraphs": [
        "\n\n".join(
            x
            for j in range(20)
            for x in (
                ["\n".join(sentences(80)[4 * j : 4 * j + 4]), "Next"]
                if j < i
                else ["\n".join(sentences(80)[4 * j : 4 * j + 4])]
            )
        )
        for i in range(20)
    ],
    "duplicate-line-characters": [repeated_line(i) for i in range(150)],
    "duplicate-paragraph-characters": [repeated_paragraphs(i) for i in range(0, 900, 3)],
    **{f"top-{n}-grams": [frequent(n, i) for i in range(120)] for n in (2, 3, 4)},
    **{f"duplicate-{n}-grams": [planted(n, i) for i in range(40)] for n in range(5, 11)},
}
PLANTED: dict[str, list[str] | Iterator[str]] = {
    "gopher-quality/min-words": CUT,
    "gopher-quality/max-words": until("gopher-quality/max-words", lambda i: " ".join(fresh(9, 4, 9 * i)) + " the of.", 11),
    "gopher-quality/min-mean-word-length": [replaced(i, lambda j: ["to", "of", "it", "a"][j % 4]) for i in range(200)],
    "gopher-quality/max-mean-word-length": [replaced(i, lambda j: LONG[j % 6]) for i in range(200)],
    "gopher-quality/hashes": ["\n".join(sentences(20)) + " #" * i for i in range(60)],
    "gopher-quality/ellipses": [replaced(i, lambda j: f"word{'…' if j % 2 else '...'}") for i in range(60)],
    "gopher-quality/bullet-lines": [lines_but(i, lambda line: f"- {line}") for i in range(61)],
    "gopher-quality/ellipsis-lines": [lines_but(i, lambda line: line[:-1] + "...") for i in range(61)],
    "gopher-quality/alphabetic-words": [replaced(i, lambda j: str(1900 + j)) for i in range(100)],
    "gopher-quality/stop-words": [without_stop_words(i) for i in range(9)],
    **{f"gopher-repetition/{rule}": texts for rule, texts in GOPHER_REPETITION.items()},
    **{f"{preset}/{rule}": texts for preset in ("c4", "c4-tfds", "c4-datatrove", "c4-fineweb") for rule, texts in C4.items()},
    **{f"{preset}/length": until(f"{preset}/length", lambda i: f"{sentence(i)[:-1]:s<74.74}.", 76) for preset in ("c4", "c4-tfds")},
    **{f"{preset}/{rule}": texts for preset in ("fineweb", "fineweb-code") for rule, texts in FINEWEB.items()},
    "fineweb-code/newlines": ["\n".join(sentences(20)) + "\n" * i for i in range(100)],
    "refinedweb-lines/removed-words": ["\n".join([*sentences(30), *["HOME CONTACT LOGIN"] * i]) for i in range(20)],
    "chinese/min-characters": ["\n".join(chinese_lines(9))[: 180 - i] + "。" for i in range(170)],
    "chinese/max-characters": until("chinese/max-characters", chinese, 20),
    "chinese/han": ["\n".join([*chinese_lines(20), *(f"{line[:-1]}。" for line in sentences(i))]) for i in range(60)],
    "chinese/function-characters": ["\n".join(chinese(s, "的了是我"[: 4 - i] + "的" * i) for s in range(20)) for i in range(3)],
    "chinese/function-character-fraction": ["\n".join([*chinese_lines(6), *(chinese(s, "") for s in range(i))]) for i in range(90)],
    "chinese/punctuation": ["\n".join(line[:-1] + "＝" * i + "。" for line in chinese_lines(20)) for i in range(20)],
    "chinese/terminal-punctuation": ["\n".join(line[:-1] + "；" if j < i else line for j, line in enumerate(chinese_lines(60))) for i in range(61)],
    "chinese/duplicated-line-characters": ["\n".join([*chinese_lines(20), *["山" * i + "。"] * 2]) for i in range(80)],
}  # fmt: skip


def everywhere(name: str) -> Preset:
    """A preset, asked of documents in any language."""
    preset = load_preset(name)
    return Preset(preset.name, preset.rules, lines=preset.lines)


def test_every_rule_of_every_shipped_preset_is_planted():
    assert set(PLANTED) == {f"{name}/{rule.name}" for name in preset_names() for rule in load_preset(name).rules}


@pytest.mark.parametrize("rule", PLANTED)
def test_what_grows_until_it_is_removed_is_removed_by_the_one_rule_it_was_planted_for(rule):
    texts = list(PLANTED[rule])
    decisions = decide(statistics(pa.array(texts, pa.large_string())), [everywhere(rule.split("/")[0])])
    removed = [i for i, first in enumerate(decisions.first) if first >= 0]
    assert removed, "nothing is removed: plant more of it"
    assert removed[0] > 0, "removed before anything was planted"
    failing = [decisions.rules[number] for number in decisions.failing[removed[0]].as_py()]
    assert failing == [rule], (removed[0], texts[removed[0]][:300])
