# ruff: noqa: E501, RUF007 (tables of examples)
"""The statistics kernels against a plain-Python reading of the same definitions."""

import gzip
import re
import subprocess
import sys
import time
import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import statistics as module
from filters.line_rules import LineRules, published_line_rules
from filters.statistics import STATISTICS, schema, statistics
from filters.vocabulary import ANCHORS, COUNTED, FUNCTION_CHARACTERS, JAVASCRIPT, LOREM_IPSUM, POLICIES, STOP_WORDS
from text import code_points

FLAGS = code_points.code_points().flags
CITATION = re.compile(r"\[[0-9]*\]|\[edit\]|\[citation needed\]")
TERMINAL = ".?!…\"'”’」』。！？．｡؟۔।॥։።၊။។៕‼⁇⁈⁉‽⸮"
BULLETS = "•‣◦▪▫●○■□►▶∙·・-*"
SOFT, WIDE, CLOSERS = ".?!…؟۔।॥։።‼⁇⁈⁉", "。！？｡", "\"'”’»)]」』）】》"


def has(character: str, flag: int) -> bool:
    return bool(FLAGS[ord(character)] & flag)


def stripped(text: str) -> str:
    kept = [i for i, character in enumerate(text) if not has(character, code_points.SPACE)]
    return text[kept[0] : kept[-1] + 1] if kept else ""


def runs(line: str) -> list[str]:
    found, run = [], ""
    for character in line + " ":
        if has(character, code_points.SPACE):
            found += [run] if run else []
            run = ""
        else:
            run += character
    return found


def split_run(run: str) -> list[tuple[str, bool]]:
    """The pieces of a run between spaces and whether each is an unsegmented character (with its marks)."""
    pieces: list[tuple[str, bool]] = []
    for character in run:
        mark = has(character, code_points.MARK)
        if has(character, code_points.UNSEGMENTED) and not mark:
            pieces.append((character, True))
        elif pieces and (mark or not pieces[-1][1]):
            pieces[-1] = (pieces[-1][0] + character, pieces[-1][1])
        else:
            pieces.append((character, False))
    return [
        (piece, alone)
        for piece, alone in pieces
        if len(pieces) == 1 or alone or any(has(c, code_points.WORD) for c in piece)
    ]


def content(word: str) -> str:
    """The word from its first to its last letter, mark or number."""
    kept = [i for i, character in enumerate(word) if has(character, code_points.WORD)]
    return word[kept[0] : kept[-1] + 1] if kept else ""


def ascii_lower(text: str) -> str:
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def sentences_in(line: str) -> int:
    """Cuts behind end marks, unless what follows shows that the sentence goes on."""
    count, begin, i = 0, 0, 0
    while i < len(line):
        if line[i] not in SOFT + WIDE:
            i += 1
            continue
        before = i
        while before > 0 and has(line[before - 1], code_points.WORD):
            before -= 1
        initial = i - before == 1 and has(line[i - 1], code_points.UPPER)
        end, marks = i, ""
        while end < len(line):
            if line[end] in SOFT + WIDE:
                marks += line[end]
                end += 1
            elif line[end] in CLOSERS and not has(line[end - 1], code_points.SPACE):
                end += 1
            elif has(line[end], code_points.SPACE):
                # Marks may follow after spaces: ". . ."
                behind = end
                while behind < len(line) and has(line[behind], code_points.SPACE):
                    behind += 1
                if behind < len(line) and line[behind] in SOFT + WIDE:
                    end = behind
                else:
                    break
            else:
                break
        spaced = end < len(line) and has(line[end], code_points.SPACE)
        following = end
        while following < len(line) and has(line[following], code_points.SPACE):
            following += 1
        wide = any(mark in WIDE for mark in marks)
        if following == len(line):
            break
        dots = set(marks) == {"."}
        goes_on = dots and (has(line[following], code_points.LOWER) or initial)
        if wide or (spaced and not goes_on):
            count += any(has(c, code_points.WORD) for c in line[begin:end])
            begin = end
        i = following
    return count + any(has(c, code_points.WORD) for c in line[begin:])


def verdict(line: str, rules: LineRules) -> str:
    """Why line rules drop a stripped line, or "keep"."""
    words = [piece for run in runs(line) for piece, _ in split_run(run)]
    if rules.max_word_characters and any(len(word) > rules.max_word_characters for word in words):
        return "long word"
    if rules.remove_citations:
        line = stripped(CITATION.sub("", line))
        words = [piece for run in runs(line) for piece, _ in split_run(run)]
    if rules.end_marks is not None and (
        not line.endswith(tuple(rules.end_marks)) or (rules.refuse_ellipsis and line.endswith("..."))
    ):
        return "end mark"
    if len(words) < rules.min_words:
        return "few words"
    if rules.drop_javascript and "javascript" in ascii_lower(line):
        return "javascript"
    if rules.drop_policies and any(phrase in ascii_lower(line) for phrase in POLICIES):
        return "policy"
    letters = [c for c in line if has(c, code_points.LETTER)]
    upper = sum(has(c, code_points.UPPER) for c in letters)
    if rules.max_upper_fraction is not None and upper > rules.max_upper_fraction * len(letters):
        return "upper case"
    if (
        rules.drop_numeric
        and not letters
        and any(has(c, code_points.NUMBER) and not has(c, code_points.LETTER) for c in line)
    ):
        return "numeric"
    starts_with_digit = len(words) == 2 and content(words[0])[:1] in tuple("0123456789")
    if rules.drop_counters and starts_with_digit and ascii_lower(content(words[1])) in COUNTED:
        return "counter"
    return "keep"


def duplicates(items: list, size) -> tuple[int, int]:
    seen, count, characters = set(), 0, 0
    for item in items:
        if item in seen:
            count += 1
            characters += size(item)
        seen.add(item)
    return count, characters


def top_gram(words: list[tuple[str, bool]], n: int) -> int:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    if not grams:
        return 0
    gram, count = Counter(grams).most_common(1)[0]
    if count < 2:
        return 0
    spaces = sum(not (one[1] or other[1]) for one, other in zip(gram, gram[1:]))
    return count * (sum(len(word) for word, _ in gram) + spaces)


def duplicate_grams(words: list[tuple[str, bool]], n: int) -> int:
    seen, characters, i = set(), 0, 0
    while i + n <= len(words):
        gram = tuple(words[i : i + n])
        if gram in seen:
            characters += sum(len(word) for word, _ in gram)
            i += n
        else:
            seen.add(gram)
            i += 1
    return characters


def ratio(numerator: float, denominator: float) -> np.float32:
    return np.float32(numerator / denominator if denominator else 0)


def reference(text: str) -> dict[str, float]:
    """Every statistic, from its definition."""
    raw = text.split("\n")
    lines = [line for line in map(stripped, raw) if line]
    paragraphs: list[tuple[str, ...]] = []
    open_paragraph: list[str] = []
    for line in [*raw, ""]:
        if stripped(line):
            open_paragraph.append(line)
        elif open_paragraph:
            paragraphs.append(tuple(open_paragraph))
            open_paragraph = []
    marked = [piece for line in lines for run in runs(line) for piece in split_run(run)]
    words = [word for word, _ in marked]
    contents = [content(word) for word in words if content(word)]
    listed = [ascii_lower(word) for word in contents]
    letters = [c for c in text if has(c, code_points.LETTER)]
    phrase_count = lambda phrases: sum(  # noqa: E731
        len(re.findall(f"(?={re.escape(phrase)})", ascii_lower(line))) for line in lines for phrase in phrases
    )
    dots = sum(len(run) // 3 for run in re.findall(r"\.+", text))
    duplicate_lines, duplicate_characters = duplicates(list(filter(stripped, raw)), len)
    duplicate_paragraphs, duplicate_paragraph_characters = duplicates(
        paragraphs, lambda paragraph: sum(map(len, paragraph)) + len(paragraph) - 1
    )
    han = sum(has(c, code_points.HAN) for c in letters)
    functions = [word for word in listed if word in FUNCTION_CHARACTERS]
    stops = [word for word in listed if word in STOP_WORDS]
    out = {
        "characters": len(text),
        "words": len(words),
        "content_words": len(contents),
        "mean_word_length": ratio(sum(map(len, contents)), len(contents)),
        "longest_word": max(map(len, words), default=0),
        "alphabetic_word_fraction": ratio(sum(any(has(c, code_points.LETTER) for c in w) for w in words), len(words)),
        "hash_word_ratio": ratio(text.count("#"), len(words)),
        "ellipsis_word_ratio": ratio(dots + text.count("…"), len(words)),
        "distinct_stop_words": len(set(stops)),
        "stop_words": len(stops),
        "distinct_function_characters": len(set(functions)),
        "function_character_fraction": ratio(len(functions), han),
        "lines": len(lines),
        "mean_line_length": ratio(sum(map(len, lines)), len(lines)),
        "bullet_line_fraction": ratio(sum(line[0] in BULLETS for line in lines), len(lines)),
        "ellipsis_line_fraction": ratio(sum(line.endswith(("...", "…")) for line in lines), len(lines)),
        "terminal_line_fraction": ratio(sum(line[-1] in TERMINAL for line in lines), len(lines)),
        "short_line_fraction": ratio(sum(len(line) <= 30 for line in lines), len(lines)),
        "newline_word_ratio": ratio(text.count("\n"), len(words)),
        "paragraphs": len(paragraphs),
        "sentences": sum(map(sentences_in, lines)),
        "duplicate_line_fraction": ratio(duplicate_lines, len(lines)),
        "duplicate_line_character_fraction": ratio(duplicate_characters, len(text)),
        "duplicate_line_text_fraction": ratio(duplicate_characters, len(text) - text.count("\n")),
        "duplicate_paragraph_fraction": ratio(duplicate_paragraphs, len(paragraphs)),
        "duplicate_paragraph_character_fraction": ratio(duplicate_paragraph_characters, len(text)),
        **{f"top_{n}_gram_fraction": ratio(top_gram(marked, n), len(text)) for n in range(2, 5)},
        **{f"duplicate_{n}_gram_fraction": ratio(duplicate_grams(marked, n), len(text)) for n in range(5, 11)},
        "letter_fraction": ratio(len(letters), len(text)),
        "upper_case_fraction": ratio(sum(has(c, code_points.UPPER) for c in letters), len(letters)),
        "digit_fraction": ratio(sum(has(c, code_points.DIGIT) for c in text), len(text)),
        "punctuation_fraction": ratio(
            sum(has(c, code_points.PUNCTUATION | code_points.SYMBOL) for c in text), len(text)
        ),
        "han_fraction": ratio(han, len(letters)),
        "unsegmented_fraction": ratio(sum(has(c, code_points.UNSEGMENTED) for c in letters), len(letters)),
        "curly_braces": text.count("{"),
        "javascript_mentions": phrase_count(JAVASCRIPT),
        "lorem_ipsum_mentions": phrase_count(LOREM_IPSUM),
        "policy_mentions": phrase_count(POLICIES),
    }
    for name, rules in published_line_rules().items():
        verdicts = [(line, verdict(line, rules)) for line in lines]
        version = (lambda line: stripped(CITATION.sub("", line))) if rules.remove_citations else (lambda line: line)
        kept = [version(line) for line, why in verdicts if why == "keep"]
        kept_words = sum(len(split_run(run)) for line in kept for run in runs(line))
        curly = [line for line, why in verdicts if why in ("keep", "policy")]
        lorem = [line for line, why in verdicts if why in ("keep", "policy", "javascript")]
        out |= {
            f"{name}_kept_lines": len(kept),
            f"{name}_kept_sentences": sum(map(sentences_in, kept)),
            f"{name}_removed_word_fraction": ratio(len(words) - kept_words, len(words)),
            f"{name}_curly_brace_lines": sum("{" in version(line) for line in curly),
            f"{name}_lorem_ipsum_lines": sum("lorem ipsum" in ascii_lower(version(line)) for line in lorem),
        }
    return out


def assert_equal_to_reference(texts: list[str]) -> None:
    batch = statistics(pa.array(texts, pa.large_string()))
    assert batch.schema == schema()
    for row, text in zip(batch.to_pylist(), texts, strict=True):
        expected = reference(text)
        assert list(row) == list(expected) == list(STATISTICS)
        different = {name: (row[name], value) for name, value in expected.items() if row[name] != value}
        assert not different, (different, text[:500])


PIECES = [
    *"abcdeXYZ .\n?!,-*#[]{}…'\"”。，！我的是了をカไทกำ0123456789٣½\t\r\u00a0\u3000\u0301\u3099éßДשمá́🙂\x00\ufeff",
    "the ", "be", " and ", "That,", "with", "...", ". ", "\n\n", "[12]", "[edit]", "[citation needed]", "e.g. this", "J. Smith ",
    "javascript", "JavaScript", "Lorem ipsum", "privacy policy", "uses cookies", "3 likes\n", "5 Comments!", "a b c d e f ",
    "one two three four five six seven eight nine ten eleven. ", "这是一个测试，对不对？", "LOUD TEXT\n", "\n12:30\n", ". . .", "( \"He",
    "}\n", "  }\n", "} \n", "w" * 56, "x" * 70, "é" * 40, "好" * 30, "\u0301" * 33, "." * 65, " " * 63, "\u3000" * 22, "-" * 130, "Terms of Use ", "cookie policy",
]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), min_size=1, max_size=4))
@settings(max_examples=300)
def test_equals_the_reference_on_built_text(texts):
    assert_equal_to_reference(texts)


@given(st.lists(st.text(max_size=80), min_size=1, max_size=4))
@settings(max_examples=150)
def test_equals_the_reference_on_any_unicode(texts):
    assert_equal_to_reference(texts)


def wet_texts(path) -> list[str]:
    """The bodies of a WET file's records, cut plainly at the record headers."""
    records = re.split(rb"WARC/1.0\r?\n", gzip.decompress(path.read_bytes()))[2:]
    return [re.split(rb"\r?\n\r?\n", record, maxsplit=1)[1].decode("utf-8", "replace") for record in records]


@pytest.mark.parametrize(
    ("file", "step"),
    [("commoncrawl/sparkwarc-2016.warc.wet.gz", 1), ("commoncrawl/filter-test.warc.wet.gz", 1), ("dumps/2020-07-01.warc.wet.gz", 31)],
)  # fmt: skip
def test_equals_the_reference_on_real_pages(shared_data, file, step):
    texts = wet_texts(shared_data / file)[::step]
    assert len(texts) >= 20
    assert_equal_to_reference(texts)


def test_every_code_point_is_read_as_the_reference_reads_it():
    points = [chr(p) for p in range(0x110000) if unicodedata.category(chr(p)) not in ("Cs", "Cn", "Co")]
    assert_equal_to_reference([" ".join(points[i : i + 4000]) for i in range(0, len(points), 40_000)])


@given(st.integers(0, 130), st.sampled_from(PIECES), st.sampled_from(PIECES), st.sampled_from("x 好.é"))
@settings(max_examples=200)
def test_equals_the_reference_wherever_blocks_of_64_bytes_end(before, piece, other, filler):
    assert_equal_to_reference([filler * before + piece + other + " end."])


def test_every_listed_phrase_holds_an_anchor():
    for phrase in (*JAVASCRIPT, *LOREM_IPSUM, *POLICIES):
        assert any(anchor in phrase for anchor in ANCHORS), phrase


def test_slices_chunks_and_nulls_are_documents_like_any_other():
    texts = ["Dropped.", "Some words here.", None, "好的。"]
    sliced = pa.chunked_array([pa.array(texts[:2]), pa.array(texts[2:])]).slice(1)
    assert statistics(sliced).equals(statistics(pa.array(["Some words here.", "", "好的。"])))


def test_no_documents():
    assert statistics(pa.array([], pa.string())).num_rows == 0


def test_chinese_characters_are_words():
    row = statistics(pa.array(["我爱你。你爱我！\n他也是。"])).to_pylist()[0]
    assert row["words"] == row["content_words"] == 9
    assert row["sentences"] == 3
    assert row["terminal_line_fraction"] == 1
    assert row["mean_word_length"] == 1
    assert row["distinct_function_characters"] == 3  # 我 也 是


@pytest.mark.parametrize("text", ["ภาษาไทยเขียนติดกันโดยไม่เว้นวรรค", "ພາສາລາວຂຽນຕິດກັນ", "ភាសាខ្មែរសរសេរជាប់គ្នា", "မြန်မာဘာသာစကား", "これは日本語の文章です", "这是一段中文"])  # fmt: skip
def test_scripts_without_spaces_have_a_word_a_letter_and_repeat_like_any_other(text):
    """Marks belong to the letter they are written on; vowels that are letters of their own are words."""
    letters = [c for c in text if not has(c, code_points.MARK)]
    row = statistics(pa.array([text + "\n" + text])).to_pylist()[0]
    assert row["words"] == row["content_words"] == 2 * len(letters)
    assert row["unsegmented_fraction"] == 1
    assert row["mean_word_length"] < 2.5
    assert row["duplicate_line_fraction"] == 0.5
    assert row["top_2_gram_fraction"] > 0
    assert_equal_to_reference([text + "\n" + text])


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\0", " \n\t\n ", "\0" * 1000, "\n" * 1000, " " * 1000, "\u3000\n" * 500, "\0\n" * 300]
)
def test_documents_of_nothing(text):
    assert_equal_to_reference([text, "A word.", text])
    assert np.isfinite([value for row in statistics(pa.array([text])).to_pylist() for value in row.values()]).all()


@pytest.mark.long
@pytest.mark.parametrize("piece", ["a word and another, ", "x", "字", "[1] ", "{. "])
def test_one_line_of_200_megabytes(piece):
    """Time in proportion to the text, and memory of at most six times its size, the two copies of the text included."""
    script = f"""
import resource, time
import pyarrow as pa
from filters.statistics import statistics
statistics(pa.array(["warm up"]))
column = pa.array([{piece!r} * (200_000_000 // len({piece!r}.encode()))], pa.large_string())
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
statistics(column)
print(time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 200_000_000 * 1024)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    seconds, times_its_size = map(float, done.stdout.split())
    assert seconds < 60
    assert times_its_size < 6


def test_repetition_is_measured_over_the_first_words_of_an_absurd_document():
    begins = "a b c d e f " * 50
    counts = module._counts(pa.array([begins + " ".join(f"w{i}" for i in range(5000))]), most_words=300)
    row = module._batch(counts, published_line_rules()).to_pylist()[0]
    expected = reference(begins.strip())
    for name in expected:
        if "_gram_" in name:
            assert row[name] == expected[name] > 0


@pytest.mark.parametrize("text", ["a " * 3_000_000, "x" * 6_000_000, "\n" * 6_000_000, "好" * 2_000_000, "[" * 6_000_000, "." * 6_000_000,
                                  "".join(f"{i}\n" for i in range(700_000))])  # fmt: skip
def test_absurd_documents_take_linear_time(text):
    statistics(pa.array(["warm up"]))
    start = time.process_time()
    batch = statistics(pa.array([text]))
    assert time.process_time() - start < 10  # quadratic work would take hours
    assert batch.column("characters")[0].as_py() == len(text)
