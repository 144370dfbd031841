"""Documents with known clusters, from files on disk through the jobs to clusters that agree with the truth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from runs import Silent

from benchmarks.generated.agreement import adjusted_rand_index
from benchmarks.generated.corpus import GeneratedCorpus
from benchmarks.generated.files import new_corpus, write_documents, write_parquet, write_signatures, write_wet
from pipeline import config_file, job, stages
from pipeline.corpus import Corpus
from pipeline.parts import read_whole


def column(corpus, folder, name):
    """A column of all parts, in the order of keys."""
    paths = [corpus.path(f"{folder}/{receipt.task}.parquet") for receipt in corpus.receipts("documents")]
    table = pa.concat_tables([read_whole(path, ["key", name]) for path in paths]).sort_by("key")
    return table[name].combine_chunks()


def agreement(generated, corpus):
    assert np.array_equal(column(corpus, "clusters", "key").to_numpy(), generated.keys())
    return adjusted_rand_index(generated.labels(), column(corpus, "clusters", "cluster").to_numpy())


@pytest.mark.parametrize(
    "generated",
    [
        GeneratedCorpus(4000),
        GeneratedCorpus(3000, dumps=9, files=1, copies=0.85, seed=3),
        GeneratedCorpus(3000, dumps=1, copies=0.7, exact=0.0, decoys=0.2, seed=4),
    ],
    ids=["half copies", "most copies, nine dumps", "no exact copy, many decoys"],
)
def test_clusters_agree_with_the_truth(tmp_path, generated):
    corpus = new_corpus(tmp_path / "out")
    write_documents(generated, corpus)
    stages.run(corpus, ["dedup"], Silent())
    assert agreement(generated, corpus) >= 0.98
    kept = int(np.sum(column(corpus, "clusters", "kept").to_numpy(zero_copy_only=False)))
    assert abs(kept - generated.true_clusters) <= 0.005 * generated.documents


def test_signatures_alone_can_be_matched_and_clustered(tmp_path):
    generated = GeneratedCorpus(3000)
    corpus = new_corpus(tmp_path / "out")
    write_signatures(generated, corpus)
    for each in stages.jobs("dedup", corpus.config)[1:]:
        job.run(each, corpus)
    assert agreement(generated, corpus) >= 0.98


@pytest.mark.parametrize(("write", "form"), [(write_wet, "wet"), (write_parquet, "parquet")])
def test_crawl_files_hold_the_documents(tmp_path, write, form):
    generated = GeneratedCorpus(400, dumps=2, files=2)
    source = {"name": "generated", "format": form, "paths": [write(generated, tmp_path / "in")]}
    read = Corpus(config_file.parse({"name": "read", "output": str(tmp_path / "read"), "sources": [source]}))
    stages.run(read, ["ingest"], Silent())
    written = new_corpus(tmp_path / "written")
    write_documents(generated, written)
    assert column(read, "documents", "text").equals(column(written, "documents", "text"))
    assert column(read, "documents", "url").equals(column(written, "documents", "url"))
    if form == "parquet":  # record 0 of a WET file is no page
        assert column(read, "documents", "key").equals(column(written, "documents", "key"))
