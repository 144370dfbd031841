"""Runs of words shared with evaluation sets, against plain Python, and planted questions among real pages."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given
from hypothesis import strategies as st
from plain_words import words_of

from filters.decontamination import EvaluationSet, build_index, overlap, overlapping_spans
from filters.decontamination_kernels import BLOCK
from filters.spans import replaced

WORDS = st.sampled_from(["a", "b", "C", "é", "漢", "12"])
GAPS = st.sampled_from([" ", ", ", "\n", "。", " - "])
TEXTS = st.lists(st.tuples(WORDS, GAPS), max_size=14).map(lambda pairs: "".join(word + gap for word, gap in pairs))


def evaluation_set(texts, ngram=13, shortest=8, name="set", items=None):
    numbers = np.arange(len(texts)) if items is None else np.array(items)
    return EvaluationSet(name, pa.array(texts, pa.large_string()), numbers.astype(np.int64), ngram, shortest)


def runs_of(text: str, ngram: int, shortest: int) -> set[tuple[str, ...]]:
    words = words_of(text)
    length = min(len(words), ngram)
    if len(words) < min(shortest, ngram):
        return set()
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


def plain_overlap(document: str, texts: list[str], ngram: int, shortest: int) -> tuple[int, list[float]]:
    """Places in the document at which a run of the set stands, and the share of each text's runs that it has."""
    words = words_of(document)
    runs = [runs_of(text, ngram, shortest) for text in texts]
    every = set().union(*runs)
    places = [
        run
        for length in {len(run) for run in every}
        for run in (tuple(words[i : i + length]) for i in range(len(words) - length + 1))
        if run in every
    ]
    return len(places), [len(own & set(places)) / len(own) if own else 0.0 for own in runs]


@given(st.lists(TEXTS, max_size=5), st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4), st.integers(1, 5))
def test_overlap_equals_plain_python(documents, first, second, ngram):
    settings_of = {"first": (first, ngram, 2), "second": (second, 3, 1)}
    sets = [evaluation_set(texts, n, least, name) for name, (texts, n, least) in settings_of.items()]
    found = overlap(pa.array(documents, pa.string()), build_index(sets))
    by_text = []
    for number, (texts, n, least) in enumerate(settings_of.values()):
        expected = [plain_overlap(document, texts, n, least) for document in documents]
        assert found.runs[:, number].tolist() == [places for places, _ in expected]
        largest = [max(shares, default=0.0) for _, shares in expected]
        assert found.shares[:, number].tolist() == np.array(largest, np.float32).tolist()
        by_text += [[shares[text] for _, shares in expected] for text in range(len(texts))]
    assert found.found.tolist() == [sum(share > 0 for share in shares) for shares in by_text]
    assert found.best.tolist() == [np.float32(max(shares, default=0)) for shares in by_text]
    assert found.best_document.tolist() == [
        shares.index(max(shares)) if any(shares) else -1 for shares in by_text
    ]  # fmt: skip


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=3), st.integers(1, 4))
def test_spans_are_the_shared_words(documents, texts, ngram):
    every = set().union(*(runs_of(text, ngram, 2) for text in texts))
    column = pa.array(documents, pa.large_string())
    spans = overlapping_spans(
        column, build_index([evaluation_set(texts, ngram, 2)]), np.ones((len(documents), 1), bool)
    )
    for row, document in enumerate(documents):
        words = list(re.finditer(r"[a-zA-Zé]|12|漢", document))
        inside = set()
        for length in {len(run) for run in every}:
            for i in range(len(words) - length + 1):
                if tuple(word[0].lower() for word in words[i : i + length]) in every:
                    inside |= set(range(words[i].start(), words[i + length - 1].end()))
        marked = set()
        for start, end in zip(spans.starts[spans.documents == row], spans.ends[spans.documents == row]):
            assert marked.isdisjoint(range(start, end))
            data = document.encode()
            first = len(data[:start].decode())
            marked |= set(range(first, first + len(data[start:end].decode())))
        assert marked == inside


@pytest.mark.parametrize(
    "before", [0, 1, BLOCK - 14, BLOCK - 13, BLOCK - 1, BLOCK, BLOCK + 12, BLOCK + 13, 3 * BLOCK + 5]
)
def test_a_run_is_found_wherever_blocks_of_words_end(before):
    question = " ".join(f"q{i}" for i in range(13))
    text = " ".join([*(f"w{i}" for i in range(before)), question, "behind"])
    column, index = (
        pa.array(["nothing here", text]),
        build_index([evaluation_set([question, "q0 q1 q2 q3 q4 q5 q6 q7"])]),
    )
    assert overlap(column, index).runs.tolist() == [[0], [2]]
    spans = overlapping_spans(column, index, np.ones((2, 1), bool))
    assert [text[a:b] for a, b in zip(spans.starts, spans.ends)] == [question]


def test_a_text_is_looked_for_by_runs_and_a_short_one_as_a_whole():
    thirteen = "one two three four five six seven eight nine ten eleven twelve thirteen"
    nine, seven = "alpha beta gamma delta epsilon zeta eta theta iota", "red orange yellow green blue indigo violet"
    index = build_index([evaluation_set([thirteen + " fourteen", nine, seven])])
    assert index.text_runs.tolist() == [2, 1, 0]  # the last is too short to be told from common speech
    documents = [
        f"So: {thirteen.upper()}!",
        "two three four five six seven eight nine ten eleven twelve thirteen",  # twelve of them
        f"({nine.replace(' ', ', ')})",
        nine.removesuffix(" iota"),
        seven,
    ]
    found = overlap(pa.array(documents), index)
    assert found.runs[:, 0].tolist() == [1, 0, 1, 0, 0]
    assert found.shares[:, 0].tolist() == [0.5, 0, 1, 0, 0]


def test_sets_have_lengths_of_their_own_and_only_the_wanted_are_masked():
    shared = "the capital of the little country by the sea is called"
    index = build_index([evaluation_set([shared], 5, name="a"), evaluation_set([f"{shared} Lumen"], 12, name="b")])
    text = f"We know that {shared} Salt today."
    found = overlap(pa.array([text, text]), index)
    assert found.runs.tolist() == [[7, 0], [7, 0]]
    spans = overlapping_spans(pa.array([text, text]), index, np.array([[False, True], [True, False]]))
    masked = replaced(pa.array([text, text]), spans, ["[…]"])
    assert masked.to_pylist() == [text, "We know that […] Salt today."]


def test_one_other_word_ends_a_run():
    question = [f"word{i}" for i in range(14)]
    index = build_index([evaluation_set([" ".join(question)])])
    changed = [" ".join([*question[:i], "other", *question[i + 1 :]]) for i in range(len(question))]
    assert overlap(pa.array(changed), index).runs[:, 0].tolist() == [1, *[0] * 12, 1]


def test_without_sets_texts_or_documents():
    assert overlap(pa.array(["some words"]), build_index([])).runs.shape == (1, 0)
    empty = build_index([evaluation_set([])])
    assert overlap(pa.array(["some words", None, ""]), empty).runs.tolist() == [[0], [0], [0]]
    assert overlap(pa.array([], pa.string()), build_index([evaluation_set(["a b c d e f g h"])])).runs.shape == (0, 1)
    with pytest.raises(ValueError, match="a run needs a word"):
        build_index([evaluation_set(["a"], ngram=0)])


QUESTIONS = [
    "Marisol bakes 14 loaves of rye bread every morning and sells each of them for 6 dollars. How many "
    "dollars does she earn in a week of five working days?",
    "Which of the following best explains why the leaves of a cactus have evolved into narrow spines "
    "rather than broad blades?",
    "A lighthouse keeper climbs 212 steps to the lamp room, rests for ten minutes, and descends twice as "
    "fast. What is his average speed?",
    "Write a function that returns the second smallest distinct element of a list of integers, or None "
    "if there is no such element.",
    "In the passage, the author implies that the merchants of Veldhaven distrusted paper money chiefly "
    "because of what event?",
    "The patient presents with sudden loss of vision in the left eye and a cherry red spot on the "
    "macula. What is the most likely diagnosis?",
    "Determine all pairs of positive integers m and n such that m squared minus four n and n squared "
    "minus four m are perfect squares.",
    "小明家到学校的距离是一千二百米，他每分钟走六十米，请问他走到学校一共需要多少分钟？",
    "Under the statute described above, may the tenant withhold rent if the landlord fails to repair the "
    "heating within fourteen days?",
    "Das Orchester probt jeden Dienstag drei Stunden lang; wie viele Stunden hat es nach neun Wochen "
    "ohne Pause insgesamt geprobt?",
]


def disguised(question: str, number: int) -> str:
    """The question as the web writes it: in capitals, over several lines, with other punctuation."""
    text = question.upper() if number % 3 == 0 else question.lower() if number % 3 == 1 else question
    text = text.replace(", ", " — ").replace("?", " ??").replace("，", "\n")
    words = text.split(" ")
    return "\n".join(" ".join(words[i : i + 4]) for i in range(0, len(words), 4)) if number % 2 else "«" + text + "»"


def test_ten_planted_questions_among_ten_thousand_pages_are_found_and_nothing_else(shared_data):
    pages = []
    for path in sorted((shared_data / "dumps").glob("*.warc.wet.gz")):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.conversion):
                text = record.reader.read().decode()
                pages += [text] if len(text) < 8000 else [text[: len(text) // 2], text[len(text) // 2 :]]
    pages = pages[:10_000]
    assert len(pages) == 10_000
    rows = [37 + 991 * number for number in range(10)]
    for number, (row, question) in enumerate(zip(rows, QUESTIONS)):
        middle = pages[row].find("\n", len(pages[row]) // 2)
        pages[row] = f"{pages[row][:middle]}\n{disguised(question, number)}\n{pages[row][middle:]}"
    index = build_index([evaluation_set(QUESTIONS)])
    found = overlap(pa.array(pages, pa.large_string()), index)
    assert np.flatnonzero(found.runs[:, 0]).tolist() == rows
    assert found.best.tolist() == [1.0] * 10 and found.found.tolist() == [1] * 10
    assert found.best_document.tolist() == rows
