"""Where datatrove reads a statistic of our presets differently, each difference a switch.

A measure computes the statistics of a preset from a text's words, with the definitions in ``theirs`` as datatrove has
them (0.10, ``pipeline/filters``) and all others as ours. With none it must give our kernels' values, with all of them
datatrove's decision: ``benchmarks.filter_agreement`` checks both for every document on which the two disagree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping

from filters.vocabulary import BULLET, JAVASCRIPT, LOREM_IPSUM, POLICIES, STOP_WORDS, TERMINAL, vocabulary
from text.code_points import WORD, code_points

Statistics = dict[str, float]
Words = Callable[[str], list[str]]
Sentences = Callable[[str], int]

LINES = "only line feeds separate paragraphs, and lines of spaces and the empty ones at the ends are lines"
SINGLE = "the most frequent n-gram counts even if it occurs once"
JOINED = "repeated n-grams are compared without the spaces between words"
SYMBOLS = "what is a word with something in it goes by a list of punctuation, so • and © alone are words"
TOUCHING = "punctuation that touches a word counts in its length"
LINE_ENDS = "blank lines are lines, and form feeds and other separators end one"
BULLETS = "only • and - are bullets"
EXACT_STOP_WORDS = "stop words count in lower case and without punctuation that touches them"
CITED_WORDS = "words of a line are counted before citations leave it, and only spaces separate them"
CITED_SPACES = "a space that a citation leaves behind stays at the end of the line"
SPACES = "spaces around a line count in its length and at its end"
END_MARKS = "quotation marks and … do not end a sentence"

DEFINITIONS = {
    "gopher-repetition": (LINES, SINGLE, JOINED),
    "gopher-quality": (SYMBOLS, TOUCHING, LINE_ENDS, BULLETS, EXACT_STOP_WORDS),
    "c4-datatrove": (LINE_ENDS, CITED_WORDS, CITED_SPACES),
    "c4-fineweb": (LINE_ENDS, CITED_WORDS),
    "fineweb-code": (SPACES, END_MARKS),
}
_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]", re.ASCII)


def measure(preset: str, text: str, words: Words, sentences: Sentences, theirs: Collection[str]) -> Statistics:
    """The statistics that a preset's rules ask for."""
    if preset == "gopher-repetition":
        return _gopher_repetition(text, words(text), theirs)
    if preset == "gopher-quality":
        return _gopher_quality(text, words(text), theirs)
    if preset == "fineweb-code":
        return _fineweb(text, words(text), theirs)
    return _c4(text, preset, words, sentences, theirs)


def _ratio(one: float, other: float) -> float:
    return one / other if other else 0.0


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.split("\n")) if line]


def _paragraphs(text: str) -> list[str]:
    paragraphs, open_lines = [], list[str]()
    for line in [*text.split("\n"), ""]:
        if line.strip():
            open_lines.append(line)
        elif open_lines:
            paragraphs.append("\n".join(open_lines))
            open_lines = []
    return paragraphs


def _duplicates(items: list[str]) -> tuple[int, int]:
    seen, again = set[str](), list[str]()
    for item in items:
        if item in seen:
            again.append(item)
        seen.add(item)
    return len(again), sum(map(len, again))


def _gopher_repetition(text: str, words: list[str], theirs: Collection[str]) -> Statistics:
    lines, paragraphs = [line for line in text.split("\n") if line.strip()], _paragraphs(text)
    if LINES in theirs:
        lines, paragraphs = re.split("\n+", text), re.split("\n{2,}", text.strip())
    line_count, line_characters = _duplicates(lines)
    paragraph_count, paragraph_characters = _duplicates(paragraphs)
    found = {
        "duplicate_line_fraction": _ratio(line_count, len(lines)),
        "duplicate_line_character_fraction": _ratio(line_characters, len(text)),
        "duplicate_paragraph_fraction": _ratio(paragraph_count, len(paragraphs)),
        "duplicate_paragraph_character_fraction": _ratio(paragraph_characters, len(text)),
    }
    for n in range(2, 5):
        grams = Counter(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
        gram, count = grams.most_common(1)[0] if grams else ("", 0)
        counts = count > 1 or SINGLE in theirs
        found[f"top_{n}_gram_fraction"] = _ratio(len(gram) * count, len(text)) if counts else 0.0
    separator = "" if JOINED in theirs else "\0"
    for n in range(5, 11):
        seen, characters, i = set[str](), 0, 0
        while i + n <= len(words):
            joined = separator.join(words[i : i + n])
            if joined in seen:
                characters += sum(map(len, words[i : i + n]))
                i += n
            else:
                seen.add(joined)
                i += 1
        found[f"duplicate_{n}_gram_fraction"] = _ratio(characters, len(text))
    return found


def _content(word: str) -> str:
    flags = code_points().flags
    kept = [i for i, character in enumerate(word) if flags[ord(character)] & WORD]
    return word[kept[0] : kept[-1] + 1] if kept else ""


def _gopher_quality(text: str, words: list[str], theirs: Collection[str]) -> Statistics:
    from datatrove.utils.text import PUNCTUATION_SET

    marks = vocabulary().marks
    contents = [_content(word) for word in words]
    if SYMBOLS in theirs:
        chosen = [i for i, word in enumerate(words) if not all(character in PUNCTUATION_SET for character in word)]
    else:
        chosen = [i for i, content in enumerate(contents) if content]
    lengths = [len(words[i] if TOUCHING in theirs else contents[i] or words[i]) for i in chosen]
    lines = text.splitlines() if LINE_ENDS in theirs else _lines(text)
    if BULLETS in theirs:
        bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines)
    else:
        firsts = [line.lstrip()[:1] for line in lines]
        bullets = sum(first != "" and ord(first) < 0x10000 and bool(marks[ord(first)] & BULLET) for first in firsts)
    stop_words = set(words) if EXACT_STOP_WORDS in theirs else {content.lower() for content in contents}
    return {
        "content_words": len(chosen),
        "mean_word_length": _ratio(sum(lengths), len(lengths)),
        "hash_word_ratio": _ratio(text.count("#"), len(words)),
        "ellipsis_word_ratio": _ratio(text.count("...") + text.count("…"), len(words)),
        "bullet_line_fraction": _ratio(bullets, len(lines)),
        "ellipsis_line_fraction": _ratio(sum(line.rstrip().endswith(("...", "…")) for line in lines), len(lines)),
        "alphabetic_word_fraction": _ratio(sum(any(map(str.isalpha, word)) for word in words), len(words)),
        "distinct_stop_words": len(stop_words.intersection(STOP_WORDS)),
    }


def _c4(text: str, preset: str, words: Words, sentences: Sentences, theirs: Collection[str]) -> Statistics:
    kept_sentences = lorem_lines = curly_lines = 0
    for line in text.splitlines() if LINE_ENDS in theirs else text.split("\n"):
        line = line.strip()
        whole = line
        if not line or any(len(word) > 1000 for word in words(line)):
            continue
        line = _CITATION.sub("", line)
        if CITED_SPACES not in theirs:
            line = line.strip()
        if preset == "c4-datatrove" and (not line.endswith((".", "?", "!", '"', "'")) or line.endswith("...")):
            continue
        if len(whole.split() if CITED_WORDS in theirs else words(line)) < 3:
            continue
        lowered = line.lower()
        lorem_lines += any(phrase in lowered for phrase in LOREM_IPSUM)
        if any(phrase in lowered for phrase in JAVASCRIPT):
            continue
        curly_lines += "{" in line
        if any(phrase in lowered for phrase in POLICIES):
            continue
        kept_sentences += sentences(line)
    prefix = preset.replace("-", "_")
    return {
        f"{prefix}_lorem_ipsum_lines": lorem_lines,
        f"{prefix}_curly_brace_lines": curly_lines,
        f"{prefix}_kept_sentences": kept_sentences,
    }


def _fineweb(text: str, words: list[str], theirs: Collection[str]) -> Statistics:
    from datatrove.utils.text import TERMINAL_PUNCTUATION

    written = [line for line in text.split("\n") if line.strip()]
    lines = written if SPACES in theirs else _lines(text)
    marks = vocabulary().marks
    if END_MARKS in theirs:
        ended = sum(line.endswith(tuple(TERMINAL_PUNCTUATION)) for line in lines)
    else:
        ended = sum(ord(line[-1]) < 0x10000 and bool(marks[ord(line[-1])] & TERMINAL) for line in lines)
    return {
        "terminal_line_fraction": _ratio(ended, len(lines)),
        "short_line_fraction": _ratio(sum(len(line) <= 30 for line in lines), len(lines)),
        "duplicate_line_text_fraction": _ratio(_duplicates(written)[1], len(text.replace("\n", ""))),
        "newline_word_ratio": _ratio(text.count("\n"), len(words)),
    }


def same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two sets of statistics are equal to the last place of a float32."""
    return all(abs(value - other[name]) <= 1e-6 * max(1.0, abs(value)) for name, value in one.items())
