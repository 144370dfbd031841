"""Pairs of real pages become the same clusters in one worker and by rounds, and policies keep their promises there."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path

import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snapshot_crawl

from pipeline.corpus import Corpus


@pytest.fixture(scope="module")
def crawl(shared_data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("crawl")
    snapshot_crawl.cut(shared_data / "dumps", folder, 4)
    return folder


@pytest.fixture(scope="module")
def one_worker(crawl, tmp_path_factory) -> tuple[Corpus, Path]:
    output = tmp_path_factory.mktemp("one worker") / "out"
    return snapshot_crawl.deduplicate(snapshot_crawl.config(crawl, output))[0], output


def again(crawl: Path, whole: Path, output: Path, **dedup) -> Corpus:
    """The same corpus clustered anew under other settings."""
    shutil.copytree(whole, output)
    shutil.rmtree(output / "clusters")
    corpus, ran = snapshot_crawl.deduplicate(snapshot_crawl.config(crawl, output, dedup=dedup))
    assert ran == ["cluster"]
    return corpus


def test_rounds_over_real_pairs_leave_the_bytes_of_one_worker(crawl, one_worker, tmp_path):
    first, whole = one_worker
    corpus = again(crawl, whole, tmp_path / "out", components="rounds")
    assert planted.digests(tmp_path / "out", "clusters") == planted.digests(whole, "clusters")
    found, wanted = (each.manifest("clusters") for each in (corpus, first))
    assert found["counts"] == wanted["counts"] and found["counts"]["removed"] > 1000
    told = found["details"].pop("components")
    assert (told["method"], wanted["details"].pop("components")["method"]) == ("rounds", "one worker")
    assert 3 <= told["rounds"] <= 8
    assert found["details"] == wanted["details"]


@pytest.mark.parametrize(("keep", "chain"), [("earliest", 1), ("latest", 2), ("longest", 2)])
def test_every_page_removed_is_near_one_that_stays(crawl, one_worker, tmp_path, keep, chain):
    whole = one_worker[1]
    again(crawl, whole, tmp_path / "out", keep=keep, max_chain=chain)
    pairs = pa.concat_tables(
        pq.read_table(file, partitioning=None) for file in sorted((whole / "candidates").glob("*/*.parquet"))
    )
    near = defaultdict(set)
    for left, right in zip(pairs["left"].to_pylist(), pairs["right"].to_pylist()):
        near[left].add(right)
        near[right].add(left)
    clusters = planted.table(tmp_path / "out", "clusters")
    reached = set(clusters.filter(clusters["kept"])["key"].to_pylist())
    assert len(reached) < clusters.num_rows / 2
    for _ in range(chain):
        reached |= {other for key in reached for other in near[key]}
    assert reached == set(clusters["key"].to_pylist())
