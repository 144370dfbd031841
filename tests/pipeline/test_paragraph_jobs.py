"""Paragraphs of real dumps through the jobs, against a plain reading of all kept documents in order of their keys."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zlib import crc32

import planted
import pyarrow.parquet as pq
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from plain_words import without, words_of
from planted import Part

from pipeline import stages
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.jobs import annotate, drop_paragraphs

NOTICE = "We and our partners use cookies on this site to make it better for you, whoever you are."
FOLDERS = ("paragraph_hashes", "paragraphs")


def crc32_of(text: str) -> int:
    return crc32(text.encode())


@pytest.fixture(scope="module")
def parts(shared_data) -> list[Part]:
    """Some pages of each snapshot dump, in two files each; a notice stands on many of them, and on some alone."""
    found = []
    for path in sorted((shared_data / "dumps").glob("*.warc.wet.gz")):
        texts: list[list[str]] = [[], []]
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.conversion):
                number = crc32_of(urlsplit(record.headers["WARC-Target-URI"]).path)
                if number % 16 == 0:
                    text = record.reader.read().decode()
                    if number % 3 == 0:
                        text = f"{text}\n\n{NOTICE.upper()}\n"
                    texts[number // 16 % 2].append(text)
        texts[1] += [f"{NOTICE}\n***", "", f"Hello, world\n\n{NOTICE}", f"{NOTICE}\n \n{NOTICE.replace(' ', '  ')}\n"]
        # Pages that say nothing of their own, alike to no other.
        said = sorted({line for text in texts[0] for line in text.split("\n") if len(line.split()) > 20}, key=crc32_of)
        texts[1] += ["\n\n".join([*said[start : start + 4], "* * *"]) for start in range(0, 12, 4)]
        found += [Part(path.name.split(".")[0], number, texts[number]) for number in (0, 1)]
    return found


def done(output: Path, parts: list[Part], workers: int = 1, **dedup: Any) -> Corpus:
    corpus = planted.corpus_of(
        output,
        workers=workers,
        dedup={"paragraphs": True} | dedup,
        filter={"presets": [], "personal_data": {"kinds": []}},
    )
    planted.plant(corpus, parts)
    planted.run(corpus, *stages.jobs("dedup", corpus.config))
    return corpus


class Truth(NamedTuple):
    """By key: the kept texts as they were, the lines that go from them, and what is left; and how often each stands."""

    texts: dict[int, str]
    dropped: dict[int, set[int]]
    left: dict[int, str]
    copies: Counter
    first: dict[tuple[str, ...], tuple[int, int]]


def truth(output: Path, words: int = 10, per_dump: bool = False) -> Truth:
    clusters = planted.table(output, "clusters")
    kept = set(clusters.filter(clusters["kept"])["key"].to_pylist())
    documents = planted.table(output, "documents")
    texts = {k: t for k, t in zip(documents["key"].to_pylist(), documents["text"].to_pylist()) if k in kept}
    found = Truth(texts, {}, {}, Counter(), {})
    for key, text in sorted(texts.items()):
        for number, line in enumerate(text.split("\n")):
            paragraph = (*words_of(line), key >> 52 if per_dump else "")
            if len(paragraph) <= words:
                continue
            found.copies[paragraph] += 1
            if found.first.setdefault(paragraph, (key, number)) != (key, number):
                found.dropped.setdefault(key, set()).add(number)
        found.left[key] = without(text, found.dropped.get(key, set()))
    return found


def emptied(found: Truth) -> set[int]:
    return {key for key in found.dropped if not words_of(found.left[key])}


@pytest.fixture(scope="module")
def made(parts, tmp_path_factory) -> tuple[Corpus, Path, Truth]:
    output = tmp_path_factory.mktemp("paragraphs") / "global"
    return done(output, parts), output, truth(output)


def lists(output: Path) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for row in planted.table(output, "paragraphs").to_pylist():
        found.setdefault(row["key"], set()).add(row["line"])
    return found


def test_the_first_copy_stays_and_all_others_go(made):
    _, output, wanted = made
    assert lists(output) == wanted.dropped
    assert sum(map(len, wanted.dropped.values())) > 1000
    assert max(wanted.copies.values()) > 50
    rows = planted.table(output, "paragraphs").to_pylist()
    gone = emptied(wanted)
    assert len(gone) >= 5
    assert all(row["emptied"] == (row["key"] in gone) for row in rows)
    for path in sorted((output / "paragraphs").glob("*/*.parquet")):
        places = [(row["key"], row["line"]) for row in pq.read_table(path, partitioning=None).to_pylist()]
        assert places == sorted(places)


def test_the_filter_reads_what_is_left(made):
    corpus, output, wanted = made
    planted.run(corpus, *stages.jobs("filter", corpus.config))
    gone = emptied(wanted)
    left = {key: text for key, text in sorted(wanted.left.items()) if key not in gone}
    annotations = planted.table(output, "annotations")
    assert annotations["key"].to_pylist() == list(left)
    assert annotations["text_bytes"].to_pylist() == [len(text.encode()) for text in left.values()]
    assert planted.table(output, "decisions")["key"].equals(annotations["key"])
    filtered = planted.table(output, "filtered")
    assert dict(zip(filtered["key"].to_pylist(), filtered["text"].to_pylist())) == {k: t for k, t in left.items() if t}


def test_counts_and_samples(made):
    corpus, _, wanted = made
    manifest = corpus.manifest("paragraphs")
    lines = {key: text.split("\n") for key, text in wanted.texts.items()}
    assert manifest["counts"] == {
        "documents": len(wanted.texts),
        "paragraphs": wanted.copies.total(),
        "removed": sum(map(len, wanted.dropped.values())),
        "removed_bytes": sum(len(lines[k][n].encode()) for k, numbers in wanted.dropped.items() for n in numbers),
        "edited": len(wanted.dropped),
        "emptied": len(emptied(wanted)),
    }
    repeated = [(-count, wanted.first[paragraph]) for paragraph, count in wanted.copies.items() if count > 1]
    assert manifest["details"] == {
        "paragraphs": [
            {"key": str(key), "line": line, "copies": -count} for count, (key, line) in sorted(repeated)[:20]
        ]
    }


@pytest.mark.parametrize(("partitions", "workers"), [(1, 2), (7, 3)])  # the other: 16 and 1
def test_partitions_and_workers_change_no_byte(made, parts, tmp_path, partitions, workers):
    corpus = done(tmp_path, parts, workers, partitions=partitions)
    assert planted.digests(tmp_path, *FOLDERS) == planted.digests(made[1], *FOLDERS)
    for key in ("counts", "details"):
        assert corpus.manifest("paragraphs")[key] == made[0].manifest("paragraphs")[key]


def test_within_each_dump_where_that_is_the_scope(parts, made, tmp_path):
    done(tmp_path, parts, scope="per-dump")
    wanted = truth(tmp_path, per_dump=True)
    assert lists(tmp_path) == wanted.dropped
    # As a dump alone.
    alone: dict[int, set[int]] = {}
    for index, dump in list(enumerate(sorted({part.dump for part in parts})))[::2]:
        done(tmp_path / dump, [part for part in parts if part.dump == dump])
        alone |= {key + (index << 52): lines for key, lines in lists(tmp_path / dump).items()}
    assert alone == {key: lines for key, lines in wanted.dropped.items() if (key >> 52) % 2 == 0}


def test_paragraph_words_says_what_a_paragraph_is(parts, tmp_path):
    done(tmp_path, parts[-4:], paragraph_words=3, keep="latest")
    wanted = truth(tmp_path, words=3)
    assert lists(tmp_path) == wanted.dropped
    assert {len(paragraph) - 1 for paragraph in wanted.copies} >= {3, 4, 5}


def test_one_more_dump_reads_no_text_of_the_others_and_gives_what_all_at_once_would(made, parts, tmp_path):
    corpus = done(tmp_path, parts[:-2])
    planted.run(corpus, annotate.JOB)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "paragraph_hashes").glob("*/*.parquet")}
    planted.plant(corpus, parts)
    for part in parts[:-2]:  # who reads a text of theirs from here on fails
        path = tmp_path / "documents" / f"dump={part.dump}" / f"part-{part.number:05d}.parquet"
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns("text"), path)
    planted.run(corpus, *stages.jobs("dedup", corpus.config), annotate.JOB)
    planted.run(made[0], annotate.JOB)
    assert planted.digests(tmp_path, *FOLDERS, "annotations") == planted.digests(made[1], *FOLDERS, "annotations")
    assert {path: path.stat().st_mtime_ns for path in written} == written
    for folder, more in [("paragraph_hashes", 0), ("paragraphs", 1), ("annotations", 0)]:  # samples are of all dumps
        assert corpus.manifest(folder)["tasks_run"] == 2 + more


def test_only_the_files_that_are_not_done_are_done_again(made, parts, tmp_path):
    corpus = done(tmp_path, parts)
    victim = tmp_path / "paragraphs" / f"dump={parts[3].dump}" / "part-00001.parquet"
    victim.unlink()
    assert planted.run(corpus, *stages.jobs("dedup", corpus.config)) == ["paragraphs"]
    assert corpus.manifest("paragraphs")["tasks_run"] == 1
    assert planted.digests(tmp_path, *FOLDERS) == planted.digests(made[1], *FOLDERS)


def test_a_hash_file_of_other_documents_is_told(parts, tmp_path):
    corpus = done(tmp_path, parts[:2])
    victim = tmp_path / "paragraph_hashes" / f"dump={parts[0].dump}" / "part-00000.parquet"
    victim.write_bytes(victim.read_bytes()[:-100])
    (tmp_path / "paragraphs" / "manifest.json").unlink()
    with pytest.raises(GristmillError, match="paragraph_hashes"):
        planted.run(corpus, drop_paragraphs.JOB)
