"""What must be equal: one by one and all at once, few workers and many, each dump and the scope per-dump, any order."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
import runs
import snapshot_crawl
from snapshot_crawl import add, config, deduplicate, promised

from dedup.shingles import distinct_shingles, exact_jaccard
from pipeline.corpus import Corpus

LOST = 0.01  # of the documents with a copy outside, those that meet it only behind others they are no copies of


class Crawl(NamedTuple):
    folder: Path
    dumps: list[str]


@pytest.fixture(scope="module")
def crawl(shared_data, tmp_path_factory) -> Crawl:
    folder = tmp_path_factory.mktemp("snapshots") / "crawl"
    return Crawl(folder, snapshot_crawl.cut(shared_data / "dumps", folder, 6))


@pytest.fixture(scope="module")
def whole(crawl, tmp_path_factory) -> tuple[Corpus, Path]:
    """All dumps at once."""
    output = tmp_path_factory.mktemp("whole") / "out"
    return deduplicate(config(crawl.folder, output))[0], output


def figures(corpus: Corpus) -> dict[str, object]:
    return {
        folder: corpus.manifest(folder)[what] for folder in ("candidates", "clusters") for what in ("counts", "details")
    }


def clusters(output: Path) -> dict[int, tuple[int, int, bool]]:
    return {
        row["key"]: (row["cluster"], row["cluster_size"], row["kept"])
        for row in runs.table(output, "clusters").to_pylist()
    }


def moved(key: int, by: int) -> int:
    """The key of the same document where its dump has another index."""
    return key + (by << 52)


# ------------------------------------------------------------------------------------------------------ dump by dump


def wipe_texts(output: Path) -> int:
    """Makes every text unreadable where it lies, and nothing else; returns how many parts there are."""
    paths = sorted((output / "documents").glob("*/*.parquet"))
    for path in paths:
        content = bytearray(path.read_bytes())
        metadata = pq.read_metadata(path)
        place = metadata.schema.to_arrow_schema().names.index("text")
        for group in range(metadata.num_row_groups):
            chunk = metadata.row_group(group).column(place)
            start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
            content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
        path.write_bytes(content)
    return len(paths)


STEPS_AT_ONCE = [[0], [1], [2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ({}, STEPS_AT_ONCE),
        pytest.param({"max_chain": 1}, None, marks=pytest.mark.long),
        pytest.param({"keep": "latest", "scope": "per-dump"}, None, marks=pytest.mark.long),
        pytest.param({"both_orders": True, "components": "rounds"}, None, marks=pytest.mark.long),
        pytest.param({"urls": True, "keep": "longest", "partitions": 3}, None, marks=pytest.mark.long),
    ],
)
def test_dumps_added_give_what_they_give_at_once_and_no_old_text_is_read(crawl, tmp_path, settings, steps):
    settings = {"dedup": settings | {"paragraphs": True}}
    output = tmp_path / "out"
    curves = []
    for step in steps or [[number] for number in range(len(crawl.dumps))]:
        add(crawl.folder, tmp_path / "crawl", *(crawl.dumps[number] for number in step))
        corpus, ran = deduplicate(config(tmp_path / "crawl", output, **settings))
        assert {"ingest", "sign", "match", "cluster", "hash", "paragraphs"} <= set(ran)
        for folder in ("documents", "signatures", "candidates", "paragraph_hashes"):
            if folder != "candidates" or not corpus.config.dedup.both_orders:  # the reversed order begins with the new
                assert corpus.manifest(folder)["tasks_run"] == len(step) * snapshot_crawl.FILES_A_DUMP, folder
        assert wipe_texts(output) == (step[-1] + 1) * snapshot_crawl.FILES_A_DUMP
        with pytest.raises(OSError):
            runs.table(output, "documents", ["text"])
        curves.append(corpus.manifest("clusters")["details"]["curve"])
    at_once, _ = deduplicate(config(crawl.folder, tmp_path / "at-once", **settings))
    folders = ("signatures", "candidates", "clusters", "paragraph_hashes", "paragraphs")
    mine, its = (
        {path: sha for path, sha in promised(place, *folders).items() if not path.endswith("manifest.json")}
        for place in (output, tmp_path / "at-once")
    )
    assert mine == its
    assert len(mine) == len(folders) * len(crawl.dumps) * snapshot_crawl.FILES_A_DUMP
    assert figures(corpus) == figures(at_once)
    # The curve of all dumps goes on where those of the runs over the first of them ended.
    assert curves == [curves[-1][: len(curve)] for curve in curves]


# ----------------------------------------------------------------------------------------------------- the same bytes


@pytest.mark.parametrize("workers", [1, 7])  # the other: 2
def test_workers_change_no_byte(crawl, whole, tmp_path, workers):
    deduplicate(config(crawl.folder, tmp_path, workers=workers))
    assert promised(tmp_path) == promised(whole[1])


def test_the_order_in_which_files_are_listed_changes_no_byte(crawl, whole, tmp_path):
    paths = [f"{crawl.folder}/{{dump}}/{number}.warc.wet.gz" for number in range(snapshot_crawl.FILES_A_DUMP)]
    backwards = config(crawl.folder, tmp_path)
    backwards["sources"][0]["paths"] = [path.replace("wet.gz", "wet.g[z]") for path in reversed(paths)]
    deduplicate(backwards)
    assert promised(tmp_path) == promised(whole[1])


def by_id(output: Path) -> set[frozenset[str]]:
    """The clusters as sets of record ids."""
    documents = runs.table(output, "documents", ["key", "id"])
    ids = dict(zip(documents["key"].to_pylist(), documents["id"].to_pylist()))
    members = defaultdict(set)
    for key, (cluster, _, _) in clusters(output).items():
        members[cluster].add(ids[key])
    assert len(ids) == sum(map(len, members.values()))
    return {frozenset(some) for some in members.values()}


def apart(one: set[frozenset[str]], other: set[frozenset[str]]) -> int:
    """How many splits and unions lie between two partitions of the same documents."""
    where = {id: number for number, some in enumerate(other) for id in some}
    common = sum(len({where[id] for id in some}) for some in one)
    return 2 * common - len(one) - len(other)


@pytest.mark.parametrize(("verify", "most"), [pytest.param("off", 0, marks=pytest.mark.long), ("estimate", 3)])
def test_files_that_come_in_another_order_have_other_keys_and_the_same_clusters(crawl, tmp_path, verify, most):
    """A file's number, and so the order of keys, is that of its first sight.

    Who meets whom does not depend on it, hence the clusters without verification do not. Verification compares with the
    first of a bucket, not with all: who is first decides over a few borderline copies.
    """
    output = tmp_path / "out"
    settings = {"dedup": {"verify": verify}}
    for numbers in ([2], [1, 0]):
        for dump in crawl.dumps:
            place = tmp_path / "crawl" / dump
            place.mkdir(parents=True, exist_ok=True)
            for number in numbers:
                (place / f"{number}.warc.wet.gz").hardlink_to(crawl.folder / dump / f"{number}.warc.wet.gz")
        deduplicate(config(tmp_path / "crawl", output, **settings))
    deduplicate(config(crawl.folder, tmp_path / "at-once", **settings))
    assert runs.table(output, "documents", ["id"]) != runs.table(tmp_path / "at-once", "documents", ["id"])
    found, wanted = by_id(output), by_id(tmp_path / "at-once")
    assert apart(found, wanted) <= most
    assert sum(len(some) > 1 for some in found) > 200


# -------------------------------------------------------------------------------------------------------------- scopes


@pytest.mark.parametrize("indices", [[0, 3], pytest.param([1, 2, 4, 5], marks=pytest.mark.long)])
def test_each_dump_by_itself_is_what_it_is_alone(crawl, whole, tmp_path, indices):
    corpus, _ = deduplicate(config(crawl.folder, tmp_path / "out", dedup={"scope": "per-dump"}))
    assert promised(tmp_path / "out", "signatures") == promised(whole[1], "signatures")
    together = clusters(tmp_path / "out")
    pairs = runs.table(tmp_path / "out", "candidates").to_pylist()
    for index, dump in ((index, crawl.dumps[index]) for index in indices):
        add(crawl.folder, tmp_path / dump / "crawl", dump)
        alone, _ = deduplicate(config(tmp_path / dump / "crawl", tmp_path / dump / "out"))
        found = {
            moved(key, index): (moved(cluster, index), size, kept)
            for key, (cluster, size, kept) in clusters(tmp_path / dump / "out").items()
        }
        assert found == {key: row for key, row in together.items() if key >> 52 == index}
        own = [row | {side: moved(row[side], index) for side in ("left", "right")} for row in
               runs.table(tmp_path / dump / "out", "candidates").to_pylist()]  # fmt: skip
        # Inside a dump a pair serves the reversed order too, which the run of the dump alone was not asked for.
        assert [row | {"orders": 3} for row in own] == [row for row in pairs if row["right"] >> 52 == index]
        counts = alone.manifest("clusters")["counts"]
        point = whole[0].manifest("clusters")["details"]["curve"][index]
        assert (point["alone_removed"], point["dump"]) == (counts["removed"], dump)
    assert corpus.manifest("clusters")["counts"]["removed"] < whole[0].manifest("clusters")["counts"]["removed"]


class Met(NamedTuple):
    """Two documents with a band or all bytes in common."""

    other: int
    estimate: float
    exact: float


def meeting(left: Path, right: Path, bands: int = 14) -> dict[int, list[Met]]:
    """For every document of the left output those of the right one that it meets, out of all pairs."""
    texts, minima, sets = [], [], []
    for output in (left, right):
        texts.append(runs.table(output, "documents", ["key", "text"]).sort_by("key"))
        signed = runs.table(output, "signatures", ["key", "minima"]).sort_by("key")
        assert signed["key"].equals(texts[-1]["key"])
        minima.append(np.array(signed["minima"].to_pylist(), np.uint32))
        sets.append(distinct_shingles(texts[-1]["text"], 5))
    keys = [table["key"].to_pylist() for table in texts]
    found: dict[int, list[Met]] = {}
    others = texts[1]["text"].to_pylist()
    for i, (key, text) in enumerate(zip(keys[0], texts[0]["text"].to_pylist())):
        equal = minima[0][i] == minima[1]
        in_a_band = equal.reshape(len(equal), bands, -1).all(axis=2).any(axis=1)
        own = sets[0][0][sets[0][1][i] : sets[0][1][i + 1]]
        found[key] = [
            Met(keys[1][j], equal[j].mean(), exact_jaccard(own, sets[1][0][sets[1][1][j] : sets[1][1][j + 1]]))
            for j in np.flatnonzero(in_a_band | np.array([text == other for other in others])).tolist()
        ]
    return found


def test_what_lies_in_another_corpus_goes(crawl, tmp_path):
    """A against B: a document of A with a copy in B goes, whatever its cluster in A; against every pair of both."""
    add(crawl.folder, tmp_path / "b" / "crawl", *crawl.dumps[:3])
    add(crawl.folder, tmp_path / "a" / "crawl", *crawl.dumps[3:])
    index, output = tmp_path / "b" / "out", tmp_path / "a" / "out"
    deduplicate(config(tmp_path / "b" / "crawl", index))
    shutil.copytree(index, tmp_path / "b" / "copy")
    for folder in ("documents", "candidates", "clusters"):  # only the signatures of B are read
        shutil.rmtree(index / folder)
    settings = {"against": [str(index)], "max_chain": 1}
    corpus, _ = deduplicate(config(tmp_path / "a" / "crawl", output, dedup=settings))

    met = meeting(output, tmp_path / "b" / "copy")
    copies = {key: {each.other for each in those if each.estimate >= 0.7} for key, those in met.items()}
    wanted = {key for key, those in copies.items() if those}
    rows = runs.table(output, "outside").to_pylist()
    outside = {row["key"] for row in rows}
    assert all(row["other"] in copies[row["key"]] and row["index"] == 0 for row in rows)
    assert len(wanted) > 300
    assert len(wanted - outside) <= LOST * len(wanted)
    found = clusters(output)
    assert not any(found[key][2] for key in outside)
    assert corpus.manifest("clusters")["details"]["removed"]["outside"] == len(outside)
    # What is no copy of anything outside is removed or kept as if there were nothing else.
    deduplicate(config(tmp_path / "a" / "crawl", tmp_path / "a" / "alone", dedup={"max_chain": 1}))
    assert {key for key, row in clusters(tmp_path / "a" / "alone").items() if row[2]} - outside <= {
        key for key, row in found.items() if row[2]
    }
