"""overlap → decide → select: documents that have evaluation texts go, lose them or are counted, as the config says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import planted
import pyarrow.parquet as pq
import pytest
from planted import Part

from pipeline import stages
from pipeline.corpus import Corpus
from pipeline.jobs import cluster, match, overlap, sign

QUESTION = "How many apples does Tom have after he gives half of his twelve apples to his little sister Ann?"
ANSWER = "Tom gives six apples away, and so he has six apples left for the rest of the long week."
PASSAGE = "The observatory on the hill above the harbour was closed in the winter of 1911 because of heavy snow."
SHORT = "Name the capital of the republic of Eastern Varia."
SECRET = "Write to jo@site.org or to 8.8.8.8."

TEXTS = {
    "clean": "The weather in the north has been mild this year, and nobody complains about it in the village.",
    "question": f"A riddle!\n{QUESTION.upper()}\nWho knows?",
    "half": "Tom gives six apples away, and so he has six apples left for the winter, they say in town.",
    "passage": f"Before. {PASSAGE.replace(' ', chr(10), 3)} {SECRET}",
    "short": "Quiz: name the capital of the Republic of Eastern Varia!",
    "only a passage": PASSAGE.lower(),
    "all": f"{QUESTION} {ANSWER} {PASSAGE}",
}
KEYS = dict(zip(TEXTS, range(len(TEXTS))))
PARTS = [Part("2021", 0, list(TEXTS.values())[:4]), Part("2021", 1, list(TEXTS.values())[4:]), Part("2021", 2, [])]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("sets")
    quiz = [{"q": {"text": QUESTION}, "a": [ANSWER]}, {"q": {"text": SHORT}, "a": ["Lumen", "No"]}]
    reading = [
        {"passage": PASSAGE},
        {"passage": "Another passage of more than thirteen words which stands in none of the documents."},
    ]
    (folder / "quiz.jsonl").write_text("\n".join(json.dumps(each) for each in quiz))
    (folder / "reading.jsonl.gz").write_bytes(gzip.compress("\n".join(json.dumps(each) for each in reading).encode()))
    return {"quiz": str(folder / "quiz.jsonl"), "reading": str(folder / "reading.jsonl.gz")}


def corpus_of(
    output: Path, files: dict[str, str], quiz: Any = None, reading: Any = None, workers: int = 1, **more: Any
) -> Corpus:
    sets = {
        "quiz": {"paths": [files["quiz"]], "fields": ["q.text", "a"]} | (quiz or {}),
        "reading": {"paths": [files["reading"]], "fields": ["passage"], "action": "mask"} | (reading or {}),
    }
    settings = {"presets": [], "decontamination": {"sets": sets}} | more
    return planted.corpus_of(output, workers=workers, dedup={"verify": "exact"}, filter=settings)


def done(corpus: Corpus) -> Corpus:
    planted.plant(corpus, PARTS)
    planted.run(corpus, sign.JOB, match.JOB, cluster.JOB, *stages.jobs("filter", corpus.config))
    return corpus


@pytest.fixture(scope="module")
def made(files, tmp_path_factory) -> Corpus:
    return done(corpus_of(tmp_path_factory.mktemp("overlap") / "out", files))


def by_name(corpus: Corpus, folder: str) -> dict[str, dict[str, Any]]:
    """Rows by the names of the documents."""
    rows = planted.table(Path(corpus.config.output), folder).to_pylist()
    names = {
        row["key"]: name for row, name in zip(planted.table(Path(corpus.config.output), "documents").to_pylist(), TEXTS)
    }
    return {names[row["key"]]: row for row in rows}


def test_what_each_document_shares_with_each_set(made):
    rows = by_name(made, "contamination")
    runs = {name: (row["contamination_quiz"], row["contamination_reading"]) for name, row in rows.items()}
    assert len(QUESTION.split()) == len(PASSAGE.split()) == len(ANSWER.split()) == 19  # so each has 7 runs
    assert runs == {
        "clean": (0, 0),
        "question": (7, 0),
        "half": (2, 0),
        "passage": (0, 7),
        "short": (1, 0),
        "only a passage": (0, 7),
        "all": (14, 7),
    }
    assert rows["half"]["contamination_share_quiz"] == pytest.approx(2 / 7)
    assert rows["question"]["contamination_share_quiz"] == rows["short"]["contamination_share_quiz"] == 1


def test_documents_with_texts_of_a_set_are_dropped_by_its_rule(made):
    rows = by_name(made, "decisions")
    gone = {"question", "half", "short", "all"}
    assert {name for name, row in rows.items() if not row["kept"]} == gone
    assert {rows[name]["rule"] for name in gone} == {"decontamination/quiz"}
    funnel = made.manifest("decisions")["details"]["funnel"]
    assert [(rule["rule"], rule["documents"]) for rule in funnel] == [("decontamination/quiz", 4)]


def test_shared_text_is_masked_before_personal_data_is_replaced(made):
    texts = {name: row["text"] for name, row in by_name(made, "filtered").items()}
    assert texts == {"clean": TEXTS["clean"], "passage": "Before. . Write to email@example.com or to 192.0.2.1."}
    manifest = made.manifest("filtered")
    counts = manifest["counts"]
    assert counts["masked_documents"] == 2 and counts["removed"] == 1  # of one document nothing is left
    assert counts["masked_bytes"] == len(PASSAGE) - 1
    assert counts["replaced_bytes"] == len("jo@site.org8.8.8.8") - len("email@example.com192.0.2.1")
    cut = sum(
        counts[name] for name in ("kept_bytes", "edited_bytes", "masked_bytes", "replaced_bytes", "removed_bytes")
    )
    assert cut == made.manifest("decisions")["counts"]["kept_bytes"]
    personal = manifest["details"]["personal_data"]
    assert personal["email"] == {"found": 1, "documents": 1, "bytes": 11} and personal["card"]["found"] == 0


def test_which_items_were_found(made, files):
    details = made.manifest("contamination")["details"]
    assert details["sets"]["quiz"] == {
        "items": 2, "items_found": 2, "texts": 5, "texts_too_short": 2, "documents": 4, "runs": 24
    }  # fmt: skip
    assert details["sets"]["reading"]["items"] == 2 and details["sets"]["reading"]["items_found"] == 1
    items = pq.read_table(Path(made.config.output) / "contamination" / "items.parquet").to_pylist()
    assert [(row["set"], row["file"], row["line"], row["share"]) for row in items] == [
        ("quiz", files["quiz"], 1, 1.0), ("quiz", files["quiz"], 2, 1.0), ("reading", files["reading"], 1, 1.0)
    ]  # fmt: skip
    best = details["samples"][0]
    assert best["set"] == "quiz" and best["share"] == 1 and best["text"] == QUESTION
    assert QUESTION.upper() in best["document"]


def test_a_threshold_measures_nothing_again(made, files, tmp_path):
    corpus = done(corpus_of(tmp_path / "out", files))
    jobs = stages.jobs("filter", corpus.config)
    softer = corpus_of(tmp_path / "out", files, quiz={"runs": 2, "share": 0.6})
    assert planted.run(softer, *jobs) == ["decide", "select"]
    assert {name for name, row in by_name(softer, "decisions").items() if not row["kept"]} == {"question", "all"}
    reported = corpus_of(tmp_path / "out", files, quiz={"action": "report"}, reading={"action": "report"})
    assert planted.run(reported, *stages.jobs("filter", reported.config)) == ["decide", "select"]
    assert by_name(reported, "decisions").keys() == by_name(reported, "filtered").keys()
    Path(files["reading"]).touch()
    assert planted.run(reported, *jobs) == []
    shorter = corpus_of(tmp_path / "out", files, quiz={"action": "report", "ngram": 9}, reading={"action": "report"})
    assert planted.run(shorter, *jobs) == ["overlap"]


def test_bytes_do_not_depend_on_workers(made, files, tmp_path):
    corpus = done(corpus_of(tmp_path / "out", files, workers=2))
    folders = ("contamination", overlap.ITEMS, "decisions", "filtered")
    assert planted.digests(tmp_path / "out", *folders) == planted.digests(Path(made.config.output), *folders)
    assert corpus.manifest("contamination")["details"] == made.manifest("contamination")["details"]


def test_without_sets_there_is_no_trace(files, tmp_path):
    corpus = planted.corpus_of(tmp_path / "out", filter={"presets": []})
    done(corpus)
    assert not (tmp_path / "out" / "contamination").exists()
    assert planted.table(tmp_path / "out", "filtered").num_rows == len(TEXTS)


def test_placeholders_and_kinds_are_settings(files, tmp_path):
    settings = {"kinds": ["email"], "placeholders": {"email": "user####@example.com"}, "key": 3}
    corpus = done(corpus_of(tmp_path / "out", files, reading={"action": "report"}, personal_data=settings))
    text = by_name(corpus, "filtered")["passage"]["text"]
    assert "8.8.8.8" in text and "jo@site.org" not in text
    assert text.split("Write to ")[1][:4] == "user" and text.split("@")[1].startswith("example.com")
