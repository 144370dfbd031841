# ruff: noqa: E501 (tables of examples)
"""Presets as data: what they remove, what they refuse, and how they are changed."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.decisions import Decisions, decide
from filters.line_rules import LineRules
from filters.presets import (
    Preset,
    Rule,
    language_preset,
    load_preset,
    preset_names,
    quality_preset,
)
from filters.statistics import STATISTICS, statistics

SENTENCES = [
    "The river was wide that morning and the boats had not yet come back with their nets.",
    "People stood along the bank to see whether any of them would return before the storm.",
    "A boy climbed the old wall, shaded his eyes and shouted that he could see one sail.",
    "Nobody believed him at first, for he had cried out twice already without a reason.",
    "Then an old fisherman walked slowly to the end of the pier and nodded to the others.",
    "By noon every boat lay safe in the harbour, and the market opened as it always did.",
]
GOOD = "\n\n".join(SENTENCES)
LONG_GOOD = "\n\n".join(
    f"{sentence[:-1]}, as told on day {i} by traveller {i * 7919} from road {i * 104729}."
    for i, sentence in enumerate(SENTENCES)
)
CHINESE = "\n".join(
    [
        "清晨的河面很宽，渔船还没有从海上回来，岸边的人们都在等待他们的家人。",
        "一个男孩爬上了旧城墙，用手遮住眼睛，大声喊道他看见了远处的一片白帆。",
        "起初谁也不相信他，因为他已经两次无缘无故地叫喊过，大家觉得这是玩笑。",
        "后来一位老渔夫慢慢走到码头的尽头，向其他人点了点头，这才让他们安心。",
        "到了中午，每一条船都安全地停在港口里，市场和往常一样开门，人们又笑了。",
    ]
)


def failing(decisions: Decisions, row: int) -> set[str]:
    """All rules that fail for a document."""
    return {decisions.rules[number] for number in decisions.failing[row].as_py()}


def removed_by(text: str, *names: str, languages: tuple[str, ...] = ()) -> set[str]:
    """All rules that fail for a text."""
    decisions = decide(statistics(pa.array([text])), [load_preset(name, languages=None) for name in names])
    return failing(decisions, 0)


ENGLISH = ("gopher-quality", "gopher-repetition", "c4", "c4-tfds", "c4-datatrove", "c4-fineweb", "fineweb", "fineweb-code", "refinedweb-lines")  # fmt: skip


def test_good_text_passes_every_rule_of_every_preset():
    for text in (GOOD, LONG_GOOD):
        for name in ENGLISH:
            assert removed_by(text, name) == set()


def words(count: int, length: int = 5) -> str:
    """Different words of one length, with two stop words so that nothing but the length or number is wrong."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    made = []
    for i in range(count - 2):
        word = ""
        for _ in range(length):
            word += letters[i % 26]
            i //= 26
        made.append(word)
    return "the of " + " ".join(made)


PLANTED = {
    "gopher-quality/min-words": "The end of a short story with a point.",
    "gopher-quality/max-words": words(100_001),
    "gopher-quality/min-mean-word-length": "the " + " ".join("of a be to in it" for _ in range(15)),
    "gopher-quality/max-mean-word-length": words(80, 12),
    "gopher-quality/hashes": GOOD + " # river" * 20,
    "gopher-quality/ellipses": GOOD.replace(" the ", " the... ").replace(" to ", " to… ").replace(" and ", " and... "),
    "gopher-quality/bullet-lines": "\n".join("- " + sentence for sentence in SENTENCES),
    "gopher-quality/ellipsis-lines": GOOD.replace("did.", "did...").replace("storm.", "storm…"),
    "gopher-quality/alphabetic-words": GOOD + " " + " ".join(str(1000 + i) for i in range(40)),
    "gopher-quality/stop-words": words(60).replace("the of ", ""),
    "gopher-repetition/duplicate-lines": "\n".join(f"{s}\nYes, {i}" for i, s in enumerate(SENTENCES)) + "\nOk then" * 7,
    "gopher-repetition/duplicate-paragraphs": "\n".join(SENTENCES) + "\n\nOk." * 4,
    "gopher-repetition/duplicate-line-characters": GOOD + "\n" + "x" * 200 + "\nShort.\n" + "x" * 200,
    "c4/sentences": "The one long line of this page ends here and that is all there is to it.",
    "c4/lorem-ipsum": GOOD + "\n\nThere was lorem ipsum in the template.",
    "c4/curly-braces": GOOD + "\n\nThe code said { and went on with it.",
    "c4/length": "\n".join(f"{SENTENCES[i % 6][:-1]} {i}." for i in range(2300)),
    "c4-tfds/sentences": "The one long line of this page ends here and that is all there is to it.",
    "c4-tfds/lorem-ipsum": GOOD + "\n\nThere was lorem ipsum in the template.",
    "c4-tfds/curly-braces": GOOD + "\n\nThe code said { and went on with it.",
    "c4-tfds/length": "\n".join(f"{SENTENCES[i % 6][:-1]} {i}." for i in range(2300)),
    "c4-datatrove/lorem-ipsum": GOOD + "\n\nThere was lorem ipsum in the template.",
    "c4-datatrove/curly-braces": GOOD + "\n\nThe code said { and went on with it.",
    "c4-datatrove/sentences": "\n".join(SENTENCES[:4]),
    "c4-fineweb/lorem-ipsum": GOOD + "\n\nThere was lorem ipsum in the template",
    "c4-fineweb/curly-braces": GOOD + "\n\nThe code said { and went on",
    "c4-fineweb/sentences": "\n".join(SENTENCES[:4]),
    "fineweb/terminal-punctuation": GOOD.replace(".\n", ";\n").removesuffix("."),
    "fineweb/duplicated-line-characters": GOOD + "\n" + SENTENCES[0],
    "fineweb/short-lines": GOOD + "".join(f"\nShort one {i}." for i in range(13)),
    "fineweb-code/terminal-punctuation": GOOD.replace(".\n", ";\n").removesuffix("."),
    "fineweb-code/short-lines": GOOD + "".join(f"\nShort one {i}." for i in range(13)),
    "fineweb-code/duplicated-line-characters": GOOD + "\nA line of some words.\nA line of some words.",
    "fineweb-code/newlines": GOOD + "\n" * 40,
    "refinedweb-lines/removed-words": GOOD + "\nHOME CONTACT IMPRINT LOGIN SEARCH TOP" + "\n3 likes",
    "chinese/min-characters": CHINESE[:80] + "。",
    "chinese/max-characters": CHINESE + "\n" + "\n".join(f"第{i}行写着这样的话，我们也在这里等着他们回来。" for i in range(12000)),
    "chinese/han": CHINESE + "\n" + GOOD + GOOD.upper(),
    "chinese/function-characters": "春天花园里开满鲜花。" * 12,
    "chinese/function-character-fraction": "\n".join(chr(0x4E00 + 16 * i) + "春天花园里开满鲜花，小鸟快乐歌唱，孩子奔跑游玩，老师认真讲课。" for i in range(12)) + "我有这。",
    "chinese/punctuation": CHINESE + "\n" + "\n".join("＝" * (20 + i) + "。" for i in range(5)),
    "chinese/terminal-punctuation": CHINESE.replace("。\n", "：\n").removesuffix("。"),
    "chinese/duplicated-line-characters": CHINESE + "\n" + CHINESE.split("\n")[0],
}  # fmt: skip
# No different function characters, so no share of them either.
TOGETHER = {
    "chinese/function-characters": {"chinese/function-character-fraction"},
}


@pytest.mark.parametrize("rule", PLANTED)
def test_a_document_that_violates_one_rule_is_removed_by_that_rule(rule):
    text = PLANTED[rule]
    preset = load_preset(rule.split("/")[0], languages=())
    preset = dataclasses.replace(preset, languages=None)
    decisions = decide(statistics(pa.array([text])), [preset])
    fails = failing(decisions, 0)
    assert fails == {rule} | TOGETHER.get(rule, set())
    switched_off = load_preset(preset.name, dict.fromkeys(name.split("/")[1] for name in fails), languages=())
    switched_off = dataclasses.replace(switched_off, languages=None)
    assert decide(statistics(pa.array([text])), [switched_off]).first[0] == -1


@pytest.mark.parametrize("n", range(2, 11))
def test_repeated_word_runs_are_removed(n):
    # A phrase of n words between different words makes up a third of the text; shorter runs repeat with it.
    phrase = " ".join(["apple", "bread", "cloud", "dream", "eagle", "flame", "grass", "house", "ivory", "jelly"][:n])
    fillers = words(30 * n).split()[2:]
    text = " ".join(f"{phrase} {' '.join(fillers[i * n : i * n + n])}" for i in range(20))
    fails = removed_by(text, "gopher-repetition")
    name = f"gopher-repetition/top-{n}-grams" if n <= 4 else f"gopher-repetition/duplicate-{n}-grams"
    assert name in fails
    assert not any(f"-{longer}-grams" in rule for rule in fails for longer in range(n + 1, 11))


def test_duplicated_paragraph_characters_are_removed():
    text = GOOD + "\n\n" + "\n\n".join(SENTENCES[:2]) + "\n\nOne more.\n\nAnd another."
    assert "gopher-repetition/duplicate-paragraph-characters" in removed_by(text, "gopher-repetition")


def test_chinese_prose_passes_the_chinese_preset():
    preset = dataclasses.replace(load_preset("chinese"), languages=None)
    assert decide(statistics(pa.array([CHINESE])), [preset]).first[0] == -1


def test_the_first_failing_rule_follows_the_order_of_the_presets():
    annotations = statistics(pa.array(["{ }", GOOD]))
    repetition, quality = load_preset("gopher-repetition"), load_preset("gopher-quality")
    one = decide(annotations, [quality, repetition, load_preset("c4")])
    other = decide(annotations, [load_preset("c4"), quality])
    assert one.rules[one.first[0]] == "gopher-quality/min-words"
    assert other.rules[other.first[0]] == "c4/sentences"
    assert one.first[1] == other.first[1] == -1
    assert one.first.dtype == np.int32
    assert one.failing.type == pa.list_(pa.uint16())
    assert other.failing.to_pylist()[0][:2] == [0, 2]  # c4/sentences and c4/curly-braces


def table(**columns):
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


def test_language_and_quality_are_rules_like_any_other():
    annotations = pa.record_batch(
        {
            "language": pa.array(["en", "fr", "en", None]),
            "language_score": pa.array([0.9, 0.9, 0.3, None], pa.float32()),
            "quality_mine": pa.array([0.1, 0.9, float("nan"), None], pa.float32()),
        }
    )
    decisions = decide(annotations, [language_preset(["en", "zh"], 0.65), quality_preset("mine", 0.5)])
    assert decisions.rules == ["language/language", "language/score", "quality/mine"]
    assert decisions.first.tolist() == [2, 0, 1, 0]
    assert decisions.failing.to_pylist() == [[2], [0], [1, 2], [0, 1, 2]]


def test_a_preset_can_be_limited_to_languages():
    annotations = statistics(pa.array(["short", "short", "short"]))
    annotations = annotations.append_column("language", pa.array(["en", "zh", None]))
    preset = load_preset("gopher-quality", {"stop-words": None}, languages=["en"])
    assert decide(annotations, [preset]).first.tolist() == [0, -1, -1]
    german = load_preset("gopher-quality", {"min-words": 1}, languages=["zh"], label="gopher-quality-zh")
    both = decide(annotations, [preset, german])
    assert both.first[1] >= 0 and both.rules[both.first[1]].startswith("gopher-quality-zh/")
    with pytest.raises(ValueError, match="'gopher-quality/min-words' is there twice; give one of the presets a label"):
        decide(annotations, [preset, preset])


def test_shares_that_equal_their_threshold_meet_an_inclusive_bound():
    share = pa.record_batch({"hash_word_ratio": pa.array([0.1], pa.float32())})  # float32(0.1) > 0.1

    def kept(bound):
        return decide(share, [Preset("p", (Rule("r", "hash_word_ratio", bound, 0.1),))]).first[0] == -1

    assert kept("maximum") and kept("minimum") and not kept("above") and not kept("below")


def test_no_documents_and_tables_of_chunks():
    empty = pa.Table.from_batches([], statistics(pa.array([], pa.string())).schema)
    assert len(decide(empty, [load_preset("c4")]).first) == 0
    whole = statistics(pa.array(["{ }", GOOD, "x"]))
    chunks = pa.Table.from_batches([whole.slice(0, 1), whole.slice(1)])
    assert decide(chunks, [load_preset("c4")]).first.tolist() == decide(whole, [load_preset("c4")]).first.tolist()


def test_shipped_presets_say_where_they_come_from():
    assert preset_names() == sorted((*ENGLISH, "chinese"))
    for name in preset_names():
        preset = load_preset(name)
        assert preset.name == name
        assert len(preset.source) > 20 and preset.divergences
        for rule in preset.rules:
            assert rule.reason and rule.statistic in STATISTICS


def test_the_paper_and_the_code_of_c4_differ_where_a_line_is_dropped_first():
    """TFDS looks for braces and lorem ipsum in lines that its rules before keep, the paper in the page."""
    text = GOOD + "\n\nif (x) { lorem ipsum"
    assert removed_by(text, "c4") == {"c4/curly-braces", "c4/lorem-ipsum"}
    assert removed_by(text, "c4-tfds") == set()
    assert load_preset("c4").lines == load_preset("c4-tfds").lines
    assert "c4_tfds_kept_lines" not in STATISTICS  # measured once


@pytest.mark.parametrize("name", [*ENGLISH, "chinese"])
def test_every_threshold_of_every_preset_can_be_overridden(name):
    preset = load_preset(name)
    changed = load_preset(name, {rule.name: rule.threshold / 2 for rule in preset.rules})
    assert [rule.threshold for rule in changed.rules] == [rule.threshold / 2 for rule in preset.rules]
    off = load_preset(name, {rule.name: None for rule in preset.rules})
    assert not off.rules
    if preset.lines:
        plain = {f"lines.{field}": None for field, _ in preset.lines.in_force()}
        assert load_preset(name, plain).lines == LineRules()


DOCS = Path(__file__).resolve().parents[2] / "docs" / "filter.md"


def test_the_page_lists_every_preset_and_every_rule_as_the_files_have_them():
    page = DOCS.read_text(encoding="utf-8").split("\n")
    told = [line for line in page if re.match(r"\| `[a-z0-9-]+` \| `[a-z0-9-]+` \|", line)]
    wanted = [
        f"| `{name}` | `{rule.name}` | {rule} | {rule.reason} |"
        for name in (*ENGLISH[1::-1], *ENGLISH[2:], "chinese")
        for rule in load_preset(name).rules
    ]
    assert told == wanted
    for name in preset_names():
        assert any(line.startswith(f"| `{name}` | ") for line in page if line not in told), name


def test_thresholds_can_be_changed_and_rules_switched_off():
    changed = load_preset("fineweb", {"short-lines": 0.5, "terminal-punctuation": None})
    assert [rule.name for rule in changed.rules] == ["duplicated-line-characters", "short-lines"]
    assert changed.rules[1].threshold == 0.5
    assert load_preset("fineweb").rules[2].threshold == 0.67
    assert load_preset("c4", {"lines.min_words": 3}).lines.min_words == 3
    assert load_preset("c4", {"lines.end_marks": None}).lines.end_marks is None


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("gopher-qualty", {}, "unknown preset 'gopher-qualty'; did you mean 'gopher-quality'"),
        ("fineweb", {"short-line": 0.5}, "unknown rule 'short-line'; did you mean 'short-lines'"),
        ("fineweb", {"short-lines": 67}, "between 0 and 1, not 67"),
        ("fineweb", {"short-lines": True}, "must be a number, not True"),
        ("fineweb", {"short-lines": float("nan")}, "must be a number"),
        ("gopher-quality", {"min-words": -1}, "0 or more, not -1"),
        ("fineweb", {"lines.min_words": 3}, "has no line rules"),
        ("c4", {"lines.min_word": 3}, "unknown line rule 'min_word'; did you mean 'min_words'"),
        ("c4", {"lines.min_words": "3"}, "cannot be '3'"),
        ("missing.yaml", {}, "no such file"),
    ],
)
def test_mistakes_are_named_with_the_nearest_name(name, overrides, message):
    with pytest.raises(ValueError, match=message):
        load_preset(name, overrides)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [{name: a, statistic: wrods, minimum: 1}]\nname: x", "unknown statistic 'wrods'; did you mean 'words'"),
        ("rules: [{name: a, statistic: words}]\nname: x", "exactly one of minimum"),
        ("rules: [{name: a, statistic: words, minimum: 1, maximum: 2}]\nname: x", "exactly one of"),
        ("rules: [{name: a, statistic: words, minimun: 1}]\nname: x", "unknown key 'minimun'; did you mean 'minimum'"),
        ("rules: [{statistic: words, minimum: 1}]\nname: x", "needs a name"),
        ("rules: [{name: a, statistic: words, minimum: 1}, {name: a, statistic: words, minimum: 2}]\nname: x", "two rules"),
        ("rule: []\nname: x", "at least the keys"),
        ("rules: []\nname: x\nlanguage: en", "unknown key 'language'; did you mean 'languages'"),
        ("a: [", "is not YAML"),
    ],
)  # fmt: skip
def test_broken_preset_files_are_refused(tmp_path, text, message):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_preset(str(path))


def test_users_bring_presets_of_their_own(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("name: own\nrules: [{name: few, statistic: words, below: 3, reason: too many}]")
    decisions = decide(statistics(pa.array(["one two", "one two three"])), [load_preset(str(path))])
    assert decisions.first.tolist() == [-1, 0] and decisions.rules == ["own/few"]


@given(st.lists(st.lists(st.integers(0, 4), min_size=7, max_size=7), max_size=20), st.integers(0, 300))
def test_first_and_all_failing_rules_are_what_each_rule_says_by_itself(rows, copies):
    """However many rules there are; a rule of one column and threshold can stand there often."""
    columns = pa.table({f"c{i}": pa.array([row[i] for row in rows], pa.uint32()) for i in range(7)})
    bounds = ("minimum", "maximum", "above", "below")
    rules = tuple(Rule(f"r{i}", f"c{i % 7}", bounds[i % 4], i % 5) for i in range(copies))
    decisions = decide(columns, [Preset("p", rules[:40]), Preset("q", rules[40:])])
    meets = {"minimum": int.__ge__, "maximum": int.__le__, "above": int.__gt__, "below": int.__lt__}
    wanted = [[i for i, rule in enumerate(rules) if not meets[rule.bound](row[i % 7], rule.threshold)] for row in rows]
    assert decisions.failing.to_pylist() == wanted
    assert decisions.first.tolist() == [fails[0] if fails else -1 for fails in wanted]


def test_missing_columns_are_refused():
    with pytest.raises(ValueError, match=r"rule quality/mine: unknown column 'quality_mine'.*annotate"):
        decide(statistics(pa.array(["x"])), [quality_preset("mine", 0.5)])
    with pytest.raises(ValueError, match="no languages"):
        language_preset([])
    with pytest.raises(ValueError, match="needs numbers"):
        decide(table(quality_mine=["good"]), [quality_preset("mine", 0.5)])
    with pytest.raises(ValueError, match="not between 0 and 1"):
        quality_preset("mine", 50)
