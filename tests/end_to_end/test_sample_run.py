"""The sample crawl through ingest, dedup and filter, checked against the truth that was written beside it."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import runs

from pipeline import config_file, stages
from pipeline.corpus import Corpus
from pipeline.sample import write_sample

PAGES, DUMPS = 60, 3
# Damage that leaves the page readable: behind garbage, or with the bytes that are no UTF-8 replaced.
READABLE = {"garbage-between-records", "invalid-utf8"}
# Damage to a record or to a whole file → why a reader rejects it. Bytes that are no UTF-8 are repaired.
REASONS = {
    "truncated-member": "truncated",
    "garbage-between-records": "garbage",
    "broken-member": "broken-compression",
    "content-length-too-long": "bad-length",
    "content-length-too-short": "bad-length",
    "broken-header": "garbage",
    "empty-file": "empty-file",
    "not-a-warc": "wrong-format",
}
# Whole records that are no documents → as what they are counted.
SKIPPED = {
    "request": "request",
    "metadata": "metadata",
    "warcinfo": "warcinfo",
    "redirect": "not-200",
    "not-found": "not-200",
    "picture": "not-html",
}
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")  # what the preset c4-fineweb takes out of lines


class Run:
    """A finished run and the truth about what went into it."""

    def __init__(self, folder: Path):
        write_sample(folder, dumps=DUMPS, pages=PAGES)
        self.folder, self.output = folder, folder / "corpus"
        self.truth = json.loads((folder / "sample.json").read_text("utf-8"))
        self.documents = {document["id"]: document for document in self.truth["documents"]}
        loaded = config_file.load(folder / "corpus.yaml")
        loaded.engine.workers = 2
        self.corpus = Corpus(loaded)
        stages.run(self.corpus, stages.until("filter"), runs.Silent())
        self.ids = self.column("documents", "id")

    def column(self, folder: str, name: str) -> dict[int, object]:
        """One column of a stage by key."""
        table = runs.table(self.output, folder, ["key", name])
        return dict(zip(table["key"].to_pylist(), table[name].to_pylist()))

    def broken(self):
        """(file, damage) of everything that is broken."""
        return [(path, broken) for path, file in self.truth["files"].items() for broken in file["broken"]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("sample"))


# ------------------------------------------------------------------------------------------------------------- ingest


def test_the_documents_are_those_of_the_crawl_and_the_broken_pages_that_can_be_read(run):
    readable = {broken["record"] for _, broken in run.broken() if broken["kind"] in READABLE}
    assert len(run.ids) == len(set(run.ids.values()))
    assert set(run.ids.values()) == run.documents.keys() | readable
    # Keys follow dumps, files and records, which is the order of the truth.
    whole = [id for _, id in sorted(run.ids.items()) if id in run.documents]
    assert whole == list(run.documents)
    dumps = run.column("documents", "dump")
    urls = run.column("documents", "url")
    for key, id in run.ids.items():
        if id in run.documents:
            assert (dumps[key], urls[key]) == (run.documents[id]["dump"], run.documents[id]["url"])


def test_every_broken_record_is_rejected_where_it_lies(run):
    rejects = runs.table(run.output, "rejects").to_pylist()
    found = sorted((row["file"], row["offset"], row["reason"]) for row in rejects)
    wanted = sorted(
        (str(run.folder / path), broken["offset"], REASONS[broken["kind"]])
        for path, broken in run.broken()
        if broken["kind"] != "invalid-utf8"
    )
    assert found == wanted
    assert {broken["kind"] for _, broken in run.broken()} == {*REASONS, "invalid-utf8"}
    details = run.corpus.manifest("documents")["details"]
    assert details["rejects"] == Counter(reason for _, _, reason in wanted)
    assert sorted((row["file"], row["offset"], row["reason"]) for row in details["reject_samples"]) == wanted


def test_a_page_with_bytes_that_are_no_utf8_is_kept_but_for_these(run):
    [record] = [broken["record"] for _, broken in run.broken() if broken["kind"] == "invalid-utf8"]
    texts = run.column("documents", "text")
    [text] = [texts[key] for key, id in run.ids.items() if id == record]
    odd = [character for character in text if character > "\xa0"]
    assert 0 < len(odd) <= 12  # bytes that were overwritten in English text; some may lie in markup
    assert len(text) > 500


def test_what_is_no_document_is_skipped_and_counted_by_kind(run):
    wanted: Counter[str] = Counter()
    for file in run.truth["files"].values():
        for kind, count in file["records"].items():
            if kind != "document":
                wanted[SKIPPED[kind]] += count
    manifest = run.corpus.manifest("documents")
    assert manifest["details"]["skipped"] == wanted
    counts = manifest["counts"]
    assert counts["skipped"] == wanted.total()
    assert counts["files"] == len(run.truth["files"])
    assert counts["documents"] == len(run.ids)
    assert counts["records"] == counts["documents"] + counts["rejects"] + counts["skipped"]
    for dump, count in run.truth["dumps"].items():
        inside = sum(broken["kind"] in READABLE for path, broken in run.broken() if path.startswith(f"crawl/{dump}/"))
        assert manifest["details"]["dumps"][dump]["documents"] == count + inside


# -------------------------------------------------------------------------------------------------------------- dedup


def test_one_document_of_each_cluster_stays_the_earliest(run):
    kept = {run.ids[key] for key, kept in run.column("clusters", "kept").items() if kept}
    assert kept & run.documents.keys() == {document["cluster"] for document in run.documents.values()}
    # A page that is broken has no copy.
    assert kept - run.documents.keys() == set(run.ids.values()) - run.documents.keys()


def test_clusters_are_the_true_ones(run):
    found = defaultdict(set)
    for key, cluster in run.column("clusters", "cluster").items():
        found[run.ids[cluster]].add(run.ids[key])
    wanted = defaultdict(set)
    for id in run.ids.values():
        wanted[run.documents[id]["cluster"] if id in run.documents else id].add(id)
    assert found == wanted
    relations = Counter(document["relation"] for document in run.documents.values())
    assert min(relations[kind] for kind in ("identical", "same-text", "near")) >= 10


def test_the_curve_says_what_the_truth_says(run):
    """Clusters grow with the dumps: after n of them, one document stays of each cluster seen by then."""
    dumps = list(run.truth["dumps"])
    for count, point in enumerate(run.corpus.manifest("clusters")["details"]["curve"], 1):
        seen = [document["cluster"] for document in run.documents.values() if dumps.index(document["dump"]) < count]
        assert point["dump"] == dumps[count - 1]
        assert point["removed"] == len(seen) - len(set(seen))


# ------------------------------------------------------------------------------------------------------------- filter


def test_every_kept_document_is_judged_and_in_its_language(run):
    kept = {key for key, kept in run.column("clusters", "kept").items() if kept}
    languages = run.column("annotations", "language")
    assert languages.keys() == kept == run.column("decisions", "kept").keys()
    right, total = Counter[str](), Counter[str]()
    for key, language in languages.items():
        true = run.documents.get(run.ids[key], {"language": "en"})["language"]  # what is broken was English
        right[true] += language == true
        total[true] += 1
    assert total.keys() == {"en", "zh", "ru", "de", "fr", "es", "ja", "ko", "ar"}
    assert right == total
    counted = run.corpus.manifest("annotations")["details"]["languages"]
    assert {language: counts["documents"] for language, counts in counted.items()} == total


def test_what_stays_has_its_text_and_what_goes_its_rule(run):
    kept, rules = run.column("decisions", "kept"), run.column("decisions", "rule")
    filtered = run.column("filtered", "text")
    passing = {key for key, stays in kept.items() if stays}
    assert filtered.keys() <= passing
    assert all(filtered.values())
    assert all((rules[key] is None) == stays for key, stays in kept.items())
    manifest = run.corpus.manifest("filtered")
    funnel = {row["rule"]: row["documents"] for row in run.corpus.manifest("decisions")["details"]["funnel"]}
    assert {rule: count for rule, count in funnel.items() if count} == Counter(filter(None, rules.values()))
    assert manifest["counts"]["kept"] == len(filtered) == len(passing) - manifest["counts"]["removed"]
    # The presets that the sample's config chooses leave most of a library's documentation standing.
    assert len(filtered) > 0.7 * len(kept)
    texts = run.column("documents", "text")
    for key, text in filtered.items():
        remaining = iter(_CITATION.sub("", texts[key]).split("\n"))
        assert all(any(line == original.strip() for original in remaining) for line in text.split("\n"))
