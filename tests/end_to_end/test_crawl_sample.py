"""Genuine Common Crawl files and broken ones: every record ends up somewhere, and the run ends well."""

import pyarrow.compute as pc
import pytest
import runs

CONFIG = runs.HERE / "crawl-sample.yaml"


@pytest.fixture(scope="module")
def done(shared_data, tmp_path_factory):
    output = tmp_path_factory.mktemp("crawl") / "out"
    corpus, _ = runs.run(CONFIG, output, workers=2)
    return corpus, output


def test_damage_is_counted_and_shown(done):
    corpus, output = done
    manifest = corpus.manifest("documents")
    rejects = runs.table(output, "rejects")
    assert rejects.num_rows == manifest["counts"]["rejects"] > 0
    assert sum(manifest["details"]["rejects"].values()) == rejects.num_rows
    broken = {row["file"].rsplit("/", 1)[1] for row in rejects.to_pylist()}
    assert {"clipped.warc.gz", "fragment1_incomplete_last.wet.gz"} <= broken
    assert pc.min(rejects["offset"]).as_py() >= 0


def test_every_record_of_the_wet_files_is_accounted_for(done, shared_data):
    corpus, output = done
    documents = runs.table(output, "documents", ["key", "source", "id"]).to_pylist()
    wets = (shared_data / "commoncrawl").glob("*.wet.gz")
    expected = sum(runs.count_records(path, "conversion") for path in wets)
    # One file had its line ends rewritten by whoever kept it: two texts are no UTF-8 any more, and one length is wrong.
    rejects = runs.table(output, "rejects").to_pylist()
    rejected = [row["reason"] for row in rejects if "/commoncrawl/" in row["file"]]
    assert sorted(rejected) == ["bad-length", "invalid-utf8", "invalid-utf8"]
    assert sum(row["source"] == "wet" for row in documents) + len(rejected) == expected == 94
    keys = [row["key"] for row in documents]
    assert len(set(keys)) == len(keys)
    counts = corpus.manifest("documents")["counts"]
    assert counts["records"] == counts["documents"] + counts["rejects"] + counts["skipped"]


def test_chinese_pages_in_gbk_are_read_as_chinese(done):
    _, output = done
    documents = runs.table(output, "documents", ["source", "text", "url"])
    chinese = [row["text"] for row in documents.to_pylist() if row["source"] == "warc"]
    han = sum("\u4e00" <= c <= "\u9fff" for text in chinese for c in text)
    assert han > 3000
    assert sum(text.count("\ufffd") for text in chinese) < han / 100


def test_languages_are_told_apart(done):
    corpus, _ = done
    languages = corpus.manifest("annotations")["details"]["languages"]
    assert {"en", "ru", "zh"} <= set(languages)
