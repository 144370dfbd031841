"""annotate → decide → select on documents whose fate is known: which rule takes them, which lines go, which bytes."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import planted
import pytest
from planted import Part

from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.jobs import annotate, cluster, decide, match, select, sign

JOBS = (sign.JOB, match.JOB, cluster.JOB, annotate.JOB, decide.JOB, select.JOB)
OWN = """\
name: own
lines: {min_words: 3, drop_javascript: true}
rules:
  - {name: words, statistic: words, minimum: 5}
  - {name: braces, statistic: curly_braces, maximum: 0}
"""
QUALITY = {"min-words": 12.0, "max-mean-word-length": None}  # what of gopher-quality is another way here

_NOUNS = ["river", "garden", "letter", "market", "window", "teacher", "bridge", "village", "doctor", "engine", "forest"]
_VERBS = ["crossed", "painted", "followed", "carried", "opened", "measured", "repaired", "visited", "described", "sold"]


def sentence(rng: random.Random) -> str:
    a, b, c = rng.sample(_NOUNS, 3)
    number = rng.randrange(10**6)
    return f"The {a} of the {b} {rng.choice(_VERBS)} {number} and {rng.choice(_VERBS)} the {c} to be with them."


def prose(seed: int, lines: int = 3) -> str:
    rng = random.Random(seed)
    return "\n".join(sentence(rng) for _ in range(lines))


class Planted(NamedTuple):
    """A document with every rule that it fails, and the text it is left with where it stays, which may be none."""

    text: str
    fails: set[str]
    left: str | None = None

    @property
    def passes(self) -> bool:
        return not self.fails

    @property
    def kept(self) -> bool:
        return self.passes and bool(self.left)


def clean(seed: int) -> Planted:
    return Planted(prose(seed), set(), prose(seed))


NO_STOP_WORDS = "Autumn painted gardens slowly, winter guarded villages, engines hummed gently, doctors visited islands"
DOCUMENTS = {
    "clean": clean(1),
    "four words": Planted(
        "Only four words here.", {"own/words", "gopher-quality/min-words", "gopher-quality/stop-words"}
    ),
    "eight words": Planted("The eight words and the full stop here.", {"gopher-quality/min-words"}),
    "a brace": Planted(prose(2) + "\nif the value is set { return to sender", {"own/braces"}),
    "hash tags": Planted(prose(3) + "\n" + "#tag " * 9, {"gopher-quality/hashes"}),
    "a brace, hash tags": Planted("{ " + NO_STOP_WORDS + " #a #b #c #d",
                                  {"own/braces", "gopher-quality/hashes", "gopher-quality/stop-words"}),
    "nothing": Planted("", {
        "own/words", "gopher-quality/min-words", "gopher-quality/min-mean-word-length",
        "gopher-quality/alphabetic-words", "gopher-quality/stop-words",
    }),
    "a menu": Planted(f"Home\n\nAbout us\n{prose(4)}\nPlease enable JavaScript to go on\nTop", set(), prose(4)),
    "wide margins": Planted("\n   ".join(["", *prose(5).split("\n"), "", ""]), set(), prose(5)),
    "every line": Planted("\n".join(f"{line} JavaScript" for line in prose(6).split("\n")), set(), ""),
    "every line, 漢字": Planted("\n".join(f"{line} javascript: 漢字" for line in prose(7).split("\n")), set(), ""),
    "every line, and a brace": Planted(
        "\n".join(f"{line} {{ javascript" for line in prose(8).split("\n")), {"own/braces"}
    ),
    "漢字": Planted(f"漢\n{prose(9)} 漢字。", set(), f"{prose(9)} 漢字。"),
}  # fmt: skip
# Two dumps; a part of clean documents, one of none, and one of copies only, of which dedup leaves nothing.
FIRST = list(DOCUMENTS.values())
PARTS = [
    Part("2021", 0, [document.text for document in FIRST[:6]]),
    Part("2021", 1, [document.text for document in FIRST[6:]]),
    Part("2021", 2, []),
    Part("2022", 0, [FIRST[0].text, FIRST[9].text]),
    Part("2022", 1, [clean(seed).text for seed in range(20, 30)]),
]
RULES = [
    *("own/words", "own/braces"),
    *(f"gopher-quality/{rule}" for rule in (
        "min-words", "max-words", "min-mean-word-length", "hashes", "ellipses", "bullet-lines", "ellipsis-lines",
        "alphabetic-words", "stop-words",
    )),
]  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("presets") / "own.yaml"
    path.write_text(OWN)
    return str(path)


def corpus_of(output: Path, own: str, workers: int = 1, **changes: Any) -> Corpus:
    settings = {"presets": [own, "gopher-quality"], "overrides": {"gopher-quality": QUALITY}}
    return planted.corpus_of(output, workers=workers, filter=settings | changes)


def done(output: Path, own: str, workers: int = 1, **changes: Any) -> Corpus:
    corpus = corpus_of(output, own, workers, **changes)
    planted.plant(corpus, PARTS)
    planted.run(corpus, *JOBS)
    return corpus


@pytest.fixture(scope="module")
def selected(own, tmp_path_factory) -> tuple[Corpus, Path]:
    output = tmp_path_factory.mktemp("select") / "out"
    return done(output, own), output


def by_key(output: Path, folder: str) -> dict[int, dict[str, Any]]:
    return {row["key"]: row for row in planted.table(output, folder).to_pylist()}


def key_of(part: Part, row: int) -> int:
    return ["2021", "2022"].index(part.dump) << 52 | part.number << 28 | row


def documents_by_key() -> dict[int, Planted]:
    """What dedup leaves of the planted documents."""
    first = dict(zip([key_of(PARTS[0], row) for row in range(6)], FIRST[:6]))
    second = dict(zip([key_of(PARTS[1], row) for row in range(len(FIRST) - 6)], FIRST[6:]))
    return first | second | {key_of(PARTS[4], row): clean(20 + row) for row in range(10)}


def failing(corpus: Corpus, row: dict[str, Any]) -> set[str]:
    """The rules that it failed, by name."""
    assert row["failing"] == sorted(set(row["failing"]))
    return {funnel(corpus)[number]["rule"] for number in row["failing"]}


def funnel(corpus: Corpus) -> list[dict[str, Any]]:
    return corpus.manifest("decisions")["details"]["funnel"]


# ----------------------------------------------------------------------------------------------------------- decisions


def test_every_document_fails_the_rules_it_was_written_to_fail(selected):
    corpus, output = selected
    assert [row["rule"] for row in funnel(corpus)] == RULES
    wanted = documents_by_key()
    decisions = by_key(output, "decisions")
    assert decisions.keys() == wanted.keys() == by_key(output, "annotations").keys()
    for key, document in wanted.items():
        assert failing(corpus, decisions[key]) == document.fails, document
        assert decisions[key]["kept"] == document.passes
        assert decisions[key]["rule"] == min(document.fails, key=RULES.index, default=None)


def test_lines_go_from_the_documents_that_stay(selected):
    _, output = selected
    filtered = by_key(output, "filtered")
    wanted = documents_by_key()
    assert {key: row["text"] for key, row in filtered.items()} == {
        key: document.left for key, document in wanted.items() if document.kept
    }
    documents, annotations = by_key(output, "documents"), by_key(output, "annotations")
    for key, row in filtered.items():
        assert row["language"] == annotations[key]["language"] is not None
        assert row["language_score"] == annotations[key]["language_score"]
        same = ("id", "url", "dump", "source", "date")
        assert [row[name] for name in same] == [documents[key][name] for name in same]


def test_documents_that_stay_say_which_cluster_they_are_of_and_how_large_it_is(selected):
    _, output = selected
    filtered, clusters = by_key(output, "filtered"), by_key(output, "clusters")
    for key, row in filtered.items():
        assert [row[name] for name in ("cluster", "cluster_size")] == [
            clusters[key][name] for name in ("cluster", "cluster_size")
        ]
    assert {row["cluster_size"] for row in filtered.values()} >= {1, 2}


def test_documents_and_bytes_add_up(selected):
    corpus, _ = selected
    wanted = documents_by_key()
    size = {key: len(document.text.encode()) for key, document in wanted.items()}
    left = {key: len((document.left or "").encode()) for key, document in wanted.items()}
    kept = [key for key, document in wanted.items() if document.kept]
    emptied = [key for key, document in wanted.items() if document.passes and not document.kept]
    removed = [key for key, document in wanted.items() if not document.passes]
    decided = corpus.manifest("decisions")["counts"]
    assert decided == {
        "documents": len(wanted),
        "kept": len(kept) + len(emptied),
        "removed": len(removed),
        "text_bytes": sum(size.values()),
        "kept_bytes": sum(size[key] for key in [*kept, *emptied]),
        "removed_bytes": sum(size[key] for key in removed),
    }
    assert decided["text_bytes"] == corpus.manifest("annotations")["counts"]["text_bytes"]
    counts = corpus.manifest("filtered")["counts"]
    assert counts == {
        "documents": decided["kept"],
        "kept": len(kept),
        "removed": len(emptied),
        "kept_bytes": sum(left[key] for key in kept),
        "edited_bytes": sum(size[key] - left[key] for key in kept),
        "masked_documents": 0,
        "masked_bytes": 0,
        "replaced_bytes": 0,
        "removed_bytes": sum(size[key] for key in emptied),
    }
    assert counts["edited_bytes"] > 0 and counts["removed"] == 2
    details = corpus.manifest("decisions")["details"]
    for name in ("documents", "text_bytes"):
        amount = decided["kept" if name == "documents" else "kept_bytes"]
        assert sum(row[name] for row in details["languages"].values()) == amount
    assert details["sources"] == {"web": decided}
    languages = corpus.manifest("filtered")["details"]["languages"]
    assert sum(row["documents"] for row in languages.values()) == counts["kept"]
    assert sum(row["text_bytes"] for row in languages.values()) == counts["kept_bytes"]


def test_the_funnel_counts_who_goes_first_and_who_would_have_gone(selected):
    wanted = documents_by_key().values()
    for row in funnel(selected[0]):
        rule = row["rule"]
        first = [document for document in wanted if document.fails and min(document.fails, key=RULES.index) == rule]
        assert row["documents"] == len(first)
        assert row["bytes"] == sum(len(document.text.encode()) for document in first)
        assert row["failing"] == sum(rule in document.fails for document in wanted)


def test_another_order_of_presets_blames_others_for_the_same(selected, own, tmp_path):
    corpus = done(tmp_path, own, presets=["gopher-quality", own])
    order = [*RULES[2:], *RULES[:2]]
    assert [row["rule"] for row in funnel(corpus)] == order
    decisions = by_key(tmp_path, "decisions")
    for key, document in documents_by_key().items():
        assert failing(corpus, decisions[key]) == document.fails
        assert decisions[key]["rule"] == min(document.fails, key=order.index, default=None)
    assert planted.digests(tmp_path, "filtered") == planted.digests(selected[1], "filtered")


def test_another_threshold_reads_no_text_again_for_its_statistics(own, tmp_path):
    corpus = done(tmp_path, own)
    annotations = planted.digests(tmp_path, "annotations")
    corpus = corpus_of(
        tmp_path, own, overrides={"gopher-quality": QUALITY | {"min-words": 8.0}, "own": {"braces": None}}
    )
    assert planted.run(corpus, *JOBS) == ["decide", "select"]
    assert planted.digests(tmp_path, "annotations") == annotations
    assert "own/braces" not in [row["rule"] for row in funnel(corpus)]
    decisions = by_key(tmp_path, "decisions")
    for key, document in documents_by_key().items():
        eight = document is DOCUMENTS["eight words"]
        assert failing(corpus, decisions[key]) == (set() if eight else document.fails - {"own/braces"})


def test_texts_are_written_again_only_where_other_documents_stay_or_lines_go(own, tmp_path):
    done(tmp_path, own)
    filtered = planted.digests(tmp_path, "filtered")
    # A looser rule that the same documents fail for another reason: the same texts.
    corpus = corpus_of(tmp_path, own, overrides={"gopher-quality": QUALITY | {"min-words": 11.0}})
    assert planted.run(corpus, *JOBS) == ["decide"]
    assert planted.digests(tmp_path, "filtered") == filtered
    # One document more, in one part.
    corpus = corpus_of(tmp_path, own, overrides={"gopher-quality": QUALITY | {"min-words": 8.0}})
    assert planted.run(corpus, *JOBS) == ["decide", "select"]
    assert corpus.manifest("filtered")["tasks_run"] == 1
    # Another line rule: the same decisions.
    decisions = planted.digests(tmp_path, "decisions")
    edits = {"gopher-quality": QUALITY | {"min-words": 8.0}, "own": {"lines.min_words": 1}}
    corpus = corpus_of(tmp_path, own, overrides=edits)
    assert planted.run(corpus, *JOBS) == ["select"]
    assert planted.digests(tmp_path, "decisions") == decisions
    assert "About us" in "".join(row["text"] for row in by_key(tmp_path, "filtered").values())


def test_decisions_read_annotations_alone(own, tmp_path):
    done(tmp_path, own)
    before = planted.digests(tmp_path, "decisions")
    for path in [*(tmp_path / "documents").rglob("*.parquet"), *(tmp_path / "decisions").rglob("*")]:
        if path.is_file():
            path.unlink()
    assert planted.run(corpus_of(tmp_path, own), decide.JOB) == ["decide"]
    assert planted.digests(tmp_path, "decisions") == before


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_change_no_byte(selected, own, tmp_path, workers):
    corpus = done(tmp_path, own, workers)
    folders = ("annotations", "decisions", "filtered")
    assert planted.digests(tmp_path, *folders) == planted.digests(selected[1], *folders)
    for folder in ("decisions", "filtered"):
        for name in ("counts", "details"):
            assert corpus.manifest(folder)[name] == selected[0].manifest(folder)[name]


def test_row_groups_of_a_few_documents_change_nothing_but_where_they_end(selected, own, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.parts._ROW_GROUP_BYTES", 1)
    corpus = done(tmp_path, own, 2)
    for folder in ("annotations", "decisions", "filtered"):
        assert planted.table(tmp_path, folder).equals(planted.table(selected[1], folder))
    assert corpus.manifest("filtered")["counts"] == selected[0].manifest("filtered")["counts"]


def test_line_rules_that_leave_nothing_at_all_are_named(own, tmp_path):
    with pytest.raises(GristmillError, match=r"line rules leave nothing of the \d+ documents that pass"):
        done(tmp_path, own, overrides={"gopher-quality": QUALITY, "own": {"lines.min_words": 1000}})


def test_nothing_left_at_all_names_the_rule_that_takes_the_most(own, tmp_path):
    with pytest.raises(GristmillError, match=r"no document of 23 passes; own/words alone fails 23: loosen it"):
        done(tmp_path, own, overrides={"own": {"words": 10**6}})


# ----------------------------------------------------------------------------------------------------------- languages

ENGLISH = "The old lighthouse stood on a rock far from the coast, and nobody had lived there for many years."
RUSSIAN = "Старый маяк стоял на скале далеко от берега, и уже много лет там никто не жил, кроме морских птиц."
CHINESE = "那座古老的灯塔矗立在远离海岸的礁石上,多年来一直没有人在那里居住,只有海鸟偶尔停留。"
OF_LANGUAGE = {"en": ENGLISH, "ru": RUSSIAN, "zh": CHINESE}


def in_three_languages() -> list[str]:
    """In each language a plain text, one with a brace and one with a line that line rules refuse."""
    return [
        text for line in OF_LANGUAGE.values() for text in (line, f"{line} {{ 1", f"{line} 2\nJavaScript\n{line[::-1]}")
    ]


def judged(output: Path, **changes: Any) -> tuple[Corpus, list[dict[str, Any]], dict[int, str]]:
    corpus = planted.corpus_of(output, filter=changes, dedup={"ngram": 64})  # so that only equal texts are copies
    planted.plant(corpus, [Part("2021", 0, in_three_languages())])
    planted.run(corpus, *JOBS)
    languages = planted.table(output, "annotations")["language"].to_pylist()
    assert languages == ["en"] * 3 + ["ru"] * 3 + ["zh"] * 3
    texts = {key: row["text"] for key, row in by_key(output, "filtered").items()}
    return corpus, planted.table(output, "decisions").to_pylist(), texts


def test_a_preset_judges_and_edits_its_languages_only(own, tmp_path):
    _, decisions, texts = judged(tmp_path, presets=[{"name": own, "languages": ["en", "zh"]}])
    assert [row["rule"] for row in decisions] == [
        *(None, "own/braces", None),
        *(None, None, None),  # Russian passes, brace or no brace
        *(None, "own/braces", None),
    ]
    written = in_three_languages()
    for key, text in texts.items():
        edited = key in (2, 8)
        assert text == (written[key].replace("\nJavaScript", "") if edited else written[key])


def test_a_preset_has_thresholds_of_its_own_for_a_language(own, tmp_path):
    uses = [{"name": own, "languages": ["en"]}, {"name": own, "languages": ["ru"]}]
    corpus, decisions, texts = judged(tmp_path, presets=uses, overrides={"own-ru": {"words": 21, "braces": None}})
    rules = [row["rule"] for row in funnel(corpus)]
    assert rules == ["own-en/words", "own-en/braces", "own-ru/words"]
    words = [len(text.split()) for text in in_three_languages()]
    assert words[3] < 21 <= words[4]
    assert [row["rule"] for row in decisions] == [
        *(None, "own-en/braces", None),
        *("own-ru/words", None, None),
        *(None, None, None),
    ]
    assert "JavaScript" not in texts[2]
    assert "JavaScript" not in texts[5]
    assert "JavaScript" in texts[8]


def test_languages_that_are_not_asked_for_go_first(own, tmp_path):
    corpus, decisions, _ = judged(tmp_path, presets=[own], language={"keep": ["ru"], "minimum_score": 0.3})
    assert Counter(row["rule"] for row in decisions) == {"language/language": 6, "own/braces": 1, None: 2}
    assert failing(corpus, decisions[1]) == {"language/language", "own/braces"}
    assert set(corpus.manifest("filtered")["details"]["languages"]) == {"ru"}
