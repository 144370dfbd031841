"""sign → match → cluster against brute force: every two documents that share a hash, compared in plain Python."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
from planted import Part

from dedup.banding import Banding, band_hashes
from dedup.signature_files import SettingsMismatch
from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.jobs import cluster, match, sign

JOBS = (sign.JOB, match.JOB, cluster.JOB)
FOLDERS = ("signatures", "candidates", "clusters")
# Bands this narrow let many pairs meet by chance: verification has work to do.
SETTINGS = {"ngram": 3, "bands": 10, "rows": 5, "min_jaccard": 0.7}
VALUES = SETTINGS["bands"] * SETTINGS["rows"]
# Each document is compared with the first of its bucket and the one before it, not with all: a copy stays undiscovered
# where in every bucket these two are unlike it. Most documents, as a share: eight seeds of this corpus, in which half
# of the pairs that meet are none, gave 0 to 0.6 %, on average 0.18 %; with 14 bands of 8, none.
LOST = 0.003
PARTS = [("2021", 0), ("2021", 1), ("2021", 2), ("2022", 0), ("2022", 1), ("2020", 0), ("2020", 1), ("2020", 2)]

Pair = tuple[int, int]


class Document(NamedTuple):
    """What a signature file says of a document."""

    key: int
    content: int
    words: int
    bands: frozenset[tuple[int, int]]
    minima: list[int]


def texts_of_parts(seed: int) -> list[list[str]]:
    """Pages with copies of every kind, dealt out to the parts at random."""
    rng = random.Random(seed)
    texts = []
    for _ in range(90):
        page = planted.prose(rng, rng.randrange(40, 160))
        texts += [page] * rng.choice([1, 1, 1, 2, 4])
        texts += [planted.with_changes(rng, page, rng.choice([1, 1, 2, 3])) for _ in range(rng.randrange(4))]
        texts += [page.upper(), f"({page.replace(' ', ', ')})!"][: rng.choice([0, 0, 0, 1, 2])]
    for _ in range(12):
        # A site's frame around pages of its own: alike enough to meet in a band, too unlike to be copies.
        frame, length = planted.prose(rng, 60), rng.randrange(20, 40)
        for _ in range(10):
            page = f"{frame} {planted.prose(rng, length)}"
            texts += [page, *(planted.with_changes(rng, page, 2) for _ in range(rng.choice([0, 0, 1, 2])))]
    texts += [""] * 7 + [" \n "] * 3 + ["!!!"] * 2 + ["… ?", "---"]  # without a word
    texts += ["one"] * 3 + ["One."] * 2 + ["two words", "Two words!", "two words"] * 2  # fewer than a shingle has
    texts += [planted.prose(rng, 80) for _ in range(60)]
    rng.shuffle(texts)
    places = [rng.randrange(len(PARTS) - 1) for _ in texts]  # nothing for the last one
    return [[text for text, place in zip(texts, places) if place == part] for part in range(len(PARTS))]


TEXTS = dict(zip(PARTS, texts_of_parts(4)))


def parts(names: Iterable[tuple[str, int]] = PARTS) -> list[Part]:
    return [Part(dump, number, TEXTS[dump, number]) for dump, number in names]


def done(output: Path, names: Iterable[tuple[str, int]] = PARTS, workers: int = 1, **dedup) -> Corpus:
    """A corpus whose dump 2020 was seen after the two others: it comes first by name and last by key."""
    corpus = planted.corpus_of(output, workers=workers, dedup=SETTINGS | dedup)
    corpus.register_dumps(["2021", "2022"])
    planted.plant(corpus, parts(names))
    planted.run(corpus, *JOBS)
    return corpus


@pytest.fixture(scope="module")
def verified(tmp_path_factory) -> tuple[Corpus, Path]:
    output = tmp_path_factory.mktemp("match") / "verified"
    return done(output), output


@pytest.fixture(scope="module")
def unverified(tmp_path_factory) -> tuple[Corpus, Path]:
    output = tmp_path_factory.mktemp("match") / "unverified"
    return done(output, verify="off"), output


@pytest.fixture(scope="module")
def signed(verified) -> dict[int, Document]:
    """Every document by key, out of the signature files."""
    rows = planted.table(verified[1], "signatures").to_pylist()
    banding = Banding(SETTINGS["bands"], SETTINGS["rows"])
    bands = band_hashes(np.array([row["minima"] for row in rows], np.uint32), banding).tolist()
    found = [
        Document(row["key"], row["content"], row["words"], frozenset(enumerate(of_row)), row["minima"])
        for row, of_row in zip(rows, bands, strict=True)
    ]
    assert len(found) == sum(map(len, TEXTS.values())) > 600
    return {document.key: document for document in found}


def meet(left: Document, right: Document) -> bool:
    """Whether two documents are candidates: the same bytes, or words in common in a band."""
    in_a_band = left.words > 0 and right.words > 0 and not left.bands.isdisjoint(right.bands)
    return in_a_band or left.content == right.content


def equal_values(left: Document, right: Document) -> int:
    return sum(a == b for a, b in zip(left.minima, right.minima, strict=True))


@pytest.fixture(scope="module")
def meeting(signed) -> dict[Pair, float]:
    """Brute force: every two documents of a bucket, and the share of their equal values."""
    return {
        (left.key, right.key): equal_values(left, right) / VALUES
        for left, right in itertools.combinations(sorted(signed.values()), 2)
        if meet(left, right)
    }


def components(keys: Iterable[int], pairs: Iterable[Pair]) -> dict[int, int]:
    """The smallest key of each key's component, by relabelling."""
    of = {key: {key} for key in keys}
    for left, right in pairs:
        if of[left] is not of[right]:
            joined = of[left] | of[right]
            of.update(dict.fromkeys(joined, joined))
    smallest = {id(members): min(members) for members in of.values()}
    return {key: smallest[id(members)] for key, members in of.items()}


def candidates(output: Path) -> dict[Pair, float]:
    rows = planted.table(output, "candidates").to_pylist()
    found = {(row["left"], row["right"]): row["jaccard"] for row in rows}
    assert len(found) == len(rows)
    return found


def clusters(output: Path) -> dict[int, int]:
    found = planted.table(output, "clusters")
    return dict(zip(found["key"].to_pylist(), found["cluster"].to_pylist()))


# ---------------------------------------------------------------------------------------------------- what is found


def test_the_documents_put_every_rule_to_the_test(signed, meeting):
    shares = list(meeting.values())
    assert sum(share < 0.7 for share in shares) > 200  # met by chance
    assert sum(0.7 <= share < 1 for share in shares) > 200
    assert 0.7 in shares  # right at the threshold
    buckets = Counter(band for document in signed.values() for band in document.bands)
    assert max(buckets.values()) >= 10
    assert sum(document.words == 0 for document in signed.values()) == 14
    assert {key >> 52 for pair in meeting for key in pair} == {0, 1, 2}


def test_every_pair_met_and_is_alike_enough(verified, signed, meeting):
    found = candidates(verified[1])
    assert found
    for (left, right), jaccard in found.items():
        assert left < right
        assert meet(signed[left], signed[right])
        assert jaccard == np.float32(equal_values(signed[left], signed[right]) / VALUES)
        assert jaccard >= np.float32(SETTINGS["min_jaccard"])
    assert found.keys() <= meeting.keys()


def test_pairs_lie_sorted_beside_the_part_of_the_later_document(verified):
    corpus, output = verified
    for dump, number in PARTS:
        rows = pq.read_table(output / f"candidates/dump={dump}/part-{number:05d}.parquet", partitioning=None)
        pairs = list(zip(rows["right"].to_pylist(), rows["left"].to_pylist()))
        assert pairs == sorted(pairs)
        first = corpus.dumps().index(dump) << 52 | number << 28
        assert all(first <= right < first + (1 << 28) for right, _ in pairs)


def test_without_verification_clusters_are_those_of_brute_force(unverified, signed, meeting):
    corpus, output = unverified
    wanted = components(signed, meeting)
    assert clusters(output) == wanted
    sizes = Counter(wanted.values())
    for row in planted.table(output, "clusters").to_pylist():
        assert row["cluster_size"] == sizes[row["cluster"]]
        assert row["kept"] == (row["key"] == row["cluster"])
    assert all(np.isnan(jaccard) for jaccard in candidates(output).values())
    counts = corpus.manifest("clusters")["counts"]
    assert counts == {
        "documents": len(signed),
        "clusters": len(sizes),
        "kept": len(sizes),
        "removed": len(signed) - len(sizes),
    }


def test_with_verification_clusters_are_those_of_brute_force_but_for_a_rare_copy(verified, signed, meeting):
    alike = [pair for pair, share in meeting.items() if share >= SETTINGS["min_jaccard"]]
    wanted = components(signed, alike)
    found = clusters(verified[1])
    assert all(wanted[key] == wanted[smallest] for key, smallest in found.items())  # never too much
    lost = len(set(found.values())) - len(set(wanted.values()))
    assert 0 <= lost <= LOST * len(signed)
    assert len(set(wanted.values())) < 0.7 * len(signed)


def test_accepted_and_rejected_pairs_add_up(verified, unverified, signed):
    counts, passes = (verified[0].manifest("candidates")[key] for key in ("counts", "details"))
    passes = passes["passes"]
    all_counts = unverified[0].manifest("candidates")["counts"]
    assert counts["pairs_accepted"] == len(candidates(verified[1]))
    assert all_counts["pairs_accepted"] == len(candidates(unverified[1])) == passes[0]["candidates"]
    assert len(passes) == verified[0].config.dedup.passes == 3
    assert all(each["accepted"] + each["rejected"] == each["candidates"] > 0 for each in passes)
    assert counts["pairs_rejected"] == sum(each["rejected"] for each in passes) > 100
    assert counts["pairs_accepted"] <= sum(each["accepted"] for each in passes)
    assert all_counts["pairs_rejected"] == 0
    assert counts["documents"] == all_counts["documents"] == len(signed)


def test_equal_texts_share_a_cluster_and_wordless_ones_only_with_their_equals(verified):
    found = clusters(verified[1])
    documents = planted.table(verified[1], "documents")
    texts = dict(zip(documents["key"].to_pylist(), documents["text"].to_pylist()))
    cluster_of: dict[str, int] = {}
    for key, text in texts.items():
        assert cluster_of.setdefault(text, found[key]) == found[key]
    wordless = ["", " \n ", "!!!", "… ?", "---"]
    assert len({cluster_of[text] for text in wordless}) == len(wordless)
    assert cluster_of["one"] == cluster_of["One."]
    assert cluster_of["two words"] == cluster_of["Two words!"]


def test_the_pairs_shown_are_the_closest_calls(verified, meeting):
    _, output = verified
    documents = planted.table(output, "documents")
    urls = dict(zip(documents["key"].to_pylist(), documents["url"].to_pylist()))
    details = verified[0].manifest("candidates")["details"]
    found = candidates(output)
    accepted, rejected = details["accepted_samples"], details["rejected_samples"]
    of_part = defaultdict(dict)  # of each part the pairs of different left documents
    for (left, right), jaccard in sorted(found.items(), key=lambda item: (round(float(item[1]), 4), item[0])):
        of_part[right >> 28].setdefault(left, (round(float(jaccard), 4), left))
    nearest = {}
    for jaccard, left in sorted(pair for part in of_part.values() for pair in list(part.values())[:5]):
        nearest.setdefault(left, jaccard)
    assert [sample["jaccard"] for sample in accepted] == list(nearest.values())[:20]
    assert len({sample["left"] for sample in accepted}) == len(accepted)
    assert len({sample["left"] for sample in rejected}) == len(rejected)
    for sample in [*accepted, *rejected]:
        pair = int(sample["left"]), int(sample["right"])
        assert pair in meeting and sample["jaccard"] == round(meeting[pair], 4)
        assert (sample["left_url"], sample["right_url"]) == (urls[pair[0]], urls[pair[1]])
        assert (pair in found) == (sample in accepted)
    assert len(rejected) == 20 and all(sample["jaccard"] < 0.7 for sample in rejected)
    assert [sample["jaccard"] for sample in rejected] == sorted((s["jaccard"] for s in rejected), reverse=True)


def test_rates_are_those_of_brute_force_on_the_first_dumps_and_on_each_alone(unverified, signed, meeting):
    corpus, output = unverified

    def removed(dumps: set[int]) -> tuple[int, int]:
        keys = [key for key in signed if key >> 52 in dumps]
        inside = [pair for pair in meeting if all(key >> 52 in dumps for key in pair)]
        return len(keys), len(keys) - len(set(components(keys, inside).values()))

    details = corpus.manifest("clusters")["details"]
    assert [point["dump"] for point in details["curve"]] == corpus.dumps() == ["2021", "2022", "2020"]
    for index, point in enumerate(details["curve"]):
        documents, together = removed(set(range(index + 1)))
        assert (point["dumps"], point["documents"], point["removed"]) == (index + 1, documents, together)
        assert point["share"] == together / documents
        own, alone = removed({index})
        assert (point["alone_removed"], point["alone_share"]) == (alone, alone / own)

    members = defaultdict(list)
    for key, smallest in clusters(output).items():
        members[smallest].append(key)
    sizes = Counter(map(len, members.values()))
    assert details["sizes"] == [list(item) for item in sorted(sizes.items())]
    assert [each["size"] for each in details["largest"]] == sorted(sizes.elements(), reverse=True)[:20]
    in_dump = [[0] * 3 for _ in range(3)]
    for keys in members.values():
        for key, other in itertools.product(range(3), range(3)):
            there = sum(k >> 52 == other for k in keys)
            of_dump = sum(k >> 52 == key for k in keys)
            in_dump[key][other] += of_dump if there > (key == other) else 0
    assert details["overlap"] == {"dumps": corpus.dumps(), "matrix": in_dump}


def test_the_latest_copy_stays_where_that_is_asked(verified, tmp_path):
    corpus = done(tmp_path / "latest", keep="latest")
    earliest, latest = (planted.table(output, "clusters") for output in (verified[1], tmp_path / "latest"))
    assert latest.drop_columns("kept").equals(earliest.drop_columns("kept"))
    last = {smallest: key for key, smallest in sorted(clusters(tmp_path / "latest").items())}
    kept = {row["key"] for row in latest.to_pylist() if row["kept"]}
    assert kept == set(last.values())
    assert corpus.manifest("clusters")["counts"] == verified[0].manifest("clusters")["counts"]


# ---------------------------------------------------------------------------------------------- the same every time


@pytest.mark.parametrize(("partitions", "workers"), [(1, 2), (7, 3)])  # the others: 16 and 1
def test_partitions_and_workers_change_no_byte(verified, tmp_path, partitions, workers):
    corpus = done(tmp_path, workers=workers, partitions=partitions)
    assert corpus.config.dedup.partitions == partitions
    assert planted.digests(tmp_path, *FOLDERS) == planted.digests(verified[1], *FOLDERS)
    for folder in FOLDERS:
        again, first = corpus.manifest(folder), verified[0].manifest(folder)
        assert (again["counts"], again["details"]) == (first["counts"], first["details"])


def test_the_order_of_the_parts_changes_no_byte(verified, tmp_path):
    order = random.Random(3).sample(PARTS, len(PARTS))
    corpus = done(tmp_path, order, workers=2)
    tasks = [receipt.task for receipt in corpus.receipts("signatures")]
    assert tasks == [f"dump={dump}/part-{number:05d}" for dump, number in order]
    assert planted.digests(tmp_path, *FOLDERS) == planted.digests(verified[1], *FOLDERS)


def test_row_groups_of_a_few_documents_change_nothing_but_where_they_end(verified, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.parts._ROW_GROUP_BYTES", 1)
    done(tmp_path, workers=2)
    for folder in FOLDERS:
        assert planted.table(tmp_path, folder).equals(planted.table(verified[1], folder))


def test_one_more_dump_signs_itself_alone_and_gives_what_all_at_once_would(verified, tmp_path):
    first = [name for name in PARTS if name[0] != "2020"]
    corpus = done(tmp_path, first, workers=2)
    before = clusters(tmp_path)
    assert corpus.dumps() == ["2021", "2022"]
    planted.plant(corpus, parts())
    assert planted.run(corpus, *JOBS) == ["sign", "match", "cluster"]
    assert corpus.manifest("signatures")["tasks_run"] == len(PARTS) - len(first)
    assert planted.digests(tmp_path, *FOLDERS) == planted.digests(verified[1], *FOLDERS)
    after = clusters(tmp_path)
    assert all(after[key] == after[smallest] for key, smallest in before.items())  # what was joined stays joined
    assert planted.run(corpus, *JOBS) == []


def test_another_threshold_signs_nothing_again(verified, tmp_path):
    corpus = done(tmp_path, min_jaccard=0.8)
    corpus.config.dedup.min_jaccard = SETTINGS["min_jaccard"]
    assert planted.run(corpus, *JOBS) == ["match", "cluster"]
    assert planted.digests(tmp_path, *FOLDERS) == planted.digests(verified[1], *FOLDERS)


def test_signatures_of_other_settings_are_refused(tmp_path):
    """A file put in place by hand may have the size of the old one; it says itself what it was made with."""
    name = "signatures/dump=2021/part-00000.parquet"
    for seed in (1, 5):
        corpus = planted.corpus_of(tmp_path / str(seed), dedup=SETTINGS | {"seed": seed})
        planted.plant(corpus, parts(PARTS[:1]))
        planted.run(corpus, sign.JOB)
    (tmp_path / "5" / name).write_bytes((tmp_path / "1" / name).read_bytes())
    with pytest.raises((SettingsMismatch, GristmillError), match="seed 1 there, 5 asked for"):
        planted.run(corpus, match.JOB)
