"""What match can be asked: passes, orders, scopes, exact similarity, addresses, other corpora; and what it refuses."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted import Part

from dedup.banding import Banding
from dedup.candidates import FORWARD, REVERSED, WITHIN, orders_of
from dedup.matching import match as match_in_memory
from dedup.minhash import Signatures
from dedup.shingles import distinct_shingles
from dedup.signature_files import matrix
from pipeline import preflight
from pipeline.config import Dedup
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.jobs import match, sign
from pipeline.matching.buckets import documents_together
from pipeline.matching.question import enough_groups, enough_left_groups, enough_partitions, memberships_of

SETTINGS = {"ngram": 3, "bands": 10, "rows": 5, "min_jaccard": 0.7}
BANDING = Banding(10, 5)
DUMPS = ["2019", "2020", "2021"]


def pages(seed: int, count: int = 45) -> list[str]:
    """Pages, copies of them with a few other words, and pages of one frame that meet without being copies."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        page = planted.prose(rng, rng.randrange(40, 120))
        texts += [page] * rng.choice([1, 1, 2, 3])
        texts += [planted.with_changes(rng, page, rng.choice([1, 2, 3, 5])) for _ in range(rng.randrange(5))]
    for _ in range(6):
        frame, length = planted.prose(rng, 60), rng.randrange(20, 40)
        for _ in range(16):
            page = f"{frame} {planted.prose(rng, length)}"
            texts += [page, *(planted.with_changes(rng, page, 2) for _ in range(rng.choice([0, 0, 1, 2])))]
    texts += ["", "", "...", "...", "---"]
    rng.shuffle(texts)
    return texts


def parts_of(texts: list[str], dumps: list[str] = DUMPS) -> list[Part]:
    share = -(-len(texts) // (2 * len(dumps)))
    return [
        Part(dump, number, texts[(2 * index + number) * share : (2 * index + number + 1) * share])
        for index, dump in enumerate(dumps)
        for number in range(2)
    ]


PARTS = parts_of(pages(8))


def matched(output: Path, parts: list[Part] = PARTS, workers: int = 2, **dedup) -> Corpus:
    corpus = planted.corpus_of(output, workers=workers, dedup=SETTINGS | dedup)
    corpus.claim()
    planted.plant(corpus, parts)
    planted.run(corpus, sign.JOB, match.JOB)
    return corpus


def found(output: Path) -> dict[tuple[int, int], tuple[float, int]]:
    rows = planted.table(output, "candidates").to_pylist()
    return {(row["left"], row["right"]): (row["jaccard"], row["orders"]) for row in rows}


def signed(output: Path) -> tuple[np.ndarray, Signatures]:
    table = planted.table(output, "signatures")
    columns = {name: table[name].to_numpy() for name in ("content", "normalised", "words", "text_bytes")}
    return table["key"].to_numpy(), Signatures(**columns, minima=matrix(table["minima"]))


def texts_by_key(output: Path) -> dict[int, str]:
    table = planted.table(output, "documents")
    return dict(zip(table["key"].to_pylist(), table["text"].to_pylist(), strict=True))


# ------------------------------------------------------------------------------------- the same as in memory


@pytest.mark.parametrize(
    ("dedup", "levels"),
    [
        ({"passes": 1}, FORWARD | WITHIN),
        ({"passes": 2, "partitions": 3}, FORWARD | WITHIN),
        ({"passes": 5}, FORWARD | WITHIN),
        ({"scope": "per-dump"}, WITHIN),
        ({"both_orders": True}, FORWARD | WITHIN | REVERSED),
        ({"both_orders": True, "scope": "per-dump"}, WITHIN),
    ],
)
def test_the_job_finds_what_memory_finds(tmp_path, dedup, levels):
    corpus = matched(tmp_path, **dedup)
    keys, signatures = signed(tmp_path)
    passes = corpus.config.dedup.passes
    wanted = match_in_memory(keys, signatures, BANDING, 0.7, passes, levels)
    orders = orders_of(wanted.pairs.levels) & (3 if dedup.get("both_orders") or "scope" in dedup else 1)
    pairs = zip(wanted.pairs.left.tolist(), wanted.pairs.right.tolist(), strict=True)
    assert found(tmp_path) == dict(zip(pairs, zip(wanted.jaccard.tolist(), orders.tolist()), strict=True))
    done = corpus.manifest("candidates")["details"]["passes"]
    assert [(each["candidates"], each["accepted"]) for each in done] == wanted.passes
    assert all(each.candidates > each.accepted for each in wanted.passes[:3])  # some refused, and tried again


# ------------------------------------------------------------------------------------------------- equal documents

CROWDED = {"ngram": 3, "bands": 40, "rows": 1}  # buckets so full that strangers take up all passes


def pages_of_one_template(count: int = 600) -> list[str]:
    """Different pages of the same thirty sentences, each in one of two wordings."""
    rng = np.random.default_rng(1)
    wording = np.unique(rng.choice(2, size=(count, 30), p=[0.75, 0.25]), axis=0)
    sentences = [[" ".join(f"{letter}{n}w{word}" for word in range(4)) + "." for letter in "ab"] for n in range(30)]
    pages = [" ".join(sentences[n][which] for n, which in enumerate(row)) for row in rng.permutation(wording)]
    assert len(set(pages)) == len(pages)
    return pages


def test_equal_documents_join_however_many_strangers_share_their_buckets(tmp_path):
    first = pages_of_one_template()
    second = [page.upper() for page in first]  # the same words
    random.Random(1).shuffle(second)
    matched(tmp_path, [Part("2019", 0, first), Part("2020", 0, second)], **CROWDED)
    texts, joined = texts_by_key(tmp_path), set(found(tmp_path))
    place = {texts[key].lower(): key for key in sorted(texts, reverse=True)}
    assert all((place[text.lower()], key) in joined for key, text in texts.items() if key != place[text.lower()])
    assert len(place) == len(first) == len(second)


def test_equal_documents_of_another_corpus_are_found_among_strangers(tmp_path):
    pages = pages_of_one_template()
    matched(tmp_path / "index", [Part("old", 0, pages)], **CROWDED)
    random.Random(1).shuffle(pages)
    matched(tmp_path / "out", [Part("2019", 0, pages)], **CROWDED, against=[str(tmp_path / "index")])
    own, other = texts_by_key(tmp_path / "out"), texts_by_key(tmp_path / "index")
    assert {key for key, _, copy in outside(tmp_path / "out") if own[key] == other[copy]} == set(own)


def test_more_stored_values_are_used_and_other_bands_need_no_new_signatures(tmp_path):
    corpus = matched(tmp_path, permutations=96)
    keys, signatures = signed(tmp_path)
    assert signatures.minima.shape[1] == 96
    wanted = match_in_memory(keys, signatures, BANDING, 0.7, 3)
    assert {pair: jaccard for pair, (jaccard, _) in found(tmp_path).items()} == dict(
        zip(zip(wanted.pairs.left.tolist(), wanted.pairs.right.tolist()), wanted.jaccard.tolist(), strict=True)
    )
    corpus = planted.corpus_of(tmp_path, dedup=SETTINGS | {"permutations": 96, "bands": 24, "rows": 4})
    assert planted.run(corpus, sign.JOB, match.JOB) == ["match"]
    corpus = planted.corpus_of(tmp_path, dedup={"ngram": 3, "permutations": 96, "threshold": 0.6})
    assert planted.run(corpus, sign.JOB, match.JOB) == ["match"]


@pytest.mark.parametrize(
    ("kept", "changed"),
    [
        ({"verify": "off"}, {"min_jaccard": 0.9, "passes": 1}),
        ({"scope": "per-dump"}, {"both_orders": True}),
        ({}, {"partitions": 5, "max_chain": 1}),
    ],
)
def test_keys_that_change_no_pair_do_no_work_again(tmp_path, kept, changed):
    matched(tmp_path, **kept)
    assert planted.run(planted.corpus_of(tmp_path, dedup=SETTINGS | kept | changed), match.JOB) == []


def test_a_dump_that_is_signed_again_leaves_the_others_alone_inside_each_dump(tmp_path):
    for scope, again in [("per-dump", 2), ("global", 6)]:
        corpus = matched(tmp_path / scope, scope=scope, both_orders=True)
        changed = [Part(part.dump, part.number, [*part.texts, "one more"]) for part in PARTS[:2]]
        planted.plant(corpus, [*changed, *PARTS[2:]])
        planted.run(corpus, sign.JOB, match.JOB)
        assert corpus.manifest("candidates")["tasks_run"] == again


def test_redpajamas_one_band_of_128_values_finds_equal_documents(tmp_path):
    corpus = planted.corpus_of(tmp_path, dedup={"bands": 1, "rows": 128, "min_jaccard": 0.8})
    text = planted.prose(random.Random(1), 50)
    planted.plant(corpus, [Part("a", 0, [text, "another text"]), Part("b", 0, [text])])
    planted.run(corpus, sign.JOB, match.JOB)
    assert set(found(tmp_path)) == {(0, 1 << 52)}


# ------------------------------------------------------------------------------------------- how the work is cut


def test_a_local_run_takes_as_many_pieces_as_memory_asks_and_another_engine_those_it_is_told():
    dedup = Dedup(partitions=64, bands=14, rows=8)
    assert memberships_of(dedup, 10) == 150 and memberships_of(Dedup(urls=True), 10) == 160
    for documents, local, elsewhere in [(10**5, (64, 2, 2), (64, 1, 1)), (10**8, (750, 50, 500), (64, 50, 256))]:
        memberships = memberships_of(dedup, documents)
        for workers, wanted in [(2, local), (None, elsewhere)]:
            taken = (
                enough_partitions(dedup, memberships, workers),
                enough_groups(dedup, documents, workers),
                enough_left_groups(dedup, documents, workers),
            )
            assert taken == wanted
    crawl = 2 * 10**11
    assert enough_partitions(dedup, memberships_of(dedup, crawl), 64) == 4096
    wide = Dedup(partitions=8192)
    assert enough_partitions(wide, memberships_of(wide, crawl), None) == 8192
    assert (enough_groups(wide, crawl, None), enough_left_groups(wide, crawl, None)) == (8192, 4 * 8192)


def test_more_partitions_send_more_documents_together():
    """So that a message is worth its envelope, up to what a worker can hold."""
    assert [documents_together(partitions) for partitions in (1, 1024, 8192, 65536)] == [
        1 << 17,
        1 << 17,
        1 << 19,
        1 << 20,
    ]


def test_the_manifest_says_into_how_many_pieces_the_work_was_cut(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.matching.question._MEMBERSHIPS_IN_A_PARTITION", 100)
    monkeypatch.setattr("pipeline.matching.question._DOCUMENTS_IN_A_GROUP", {"estimate": 50})
    corpus = matched(tmp_path / "cut", partitions=4)
    documents = corpus.manifest("signatures")["counts"]["documents"]
    assert corpus.manifest("candidates")["division"] == {
        "partitions": -(-documents * 11 // 100),
        "partitions_asked_for": 4,
        "groups": -(-documents // 50),
    }
    monkeypatch.undo()
    matched(tmp_path / "whole", partitions=4)
    assert planted.digests(tmp_path / "cut", "candidates", "refusals") == planted.digests(
        tmp_path / "whole", "candidates", "refusals"
    )


# ------------------------------------------------------------------------------------------ prefixes of dumps


@pytest.mark.parametrize("dedup", [{}, {"verify": "exact"}, {"verify": "off"}])
def test_dumps_added_one_by_one_give_the_same_bytes_and_leave_the_others_alone(tmp_path, dedup):
    matched(tmp_path / "all", **dedup)
    corpus = planted.corpus_of(tmp_path / "grown", dedup=SETTINGS | dedup)
    for count in (2, 4, 6):
        planted.plant(corpus, PARTS[:count])
        planted.run(corpus, sign.JOB, match.JOB)
        assert corpus.manifest("candidates")["tasks_run"] == 2
    folders = ("signatures", "candidates", "refusals")
    assert planted.digests(tmp_path / "grown", *folders) == planted.digests(tmp_path / "all", *folders)
    details = [Corpus(c.config).manifest("candidates") for c in (corpus, planted.corpus_of(tmp_path / "all"))]
    assert details[0]["details"] == details[1]["details"] and details[0]["counts"] == details[1]["counts"]


def test_pairs_of_last_dumps_are_those_of_the_last_dumps_alone_in_reversed_order(tmp_path):
    matched(tmp_path / "all", both_orders=True)
    everything = {pair for pair, (_, orders) in found(tmp_path / "all").items() if orders & 2}
    for first in (1, 2):
        alone = planted.corpus_of(tmp_path / str(first), dedup=SETTINGS | {"both_orders": True})
        alone.register_dumps(DUMPS)
        planted.plant(alone, PARTS[2 * first :])
        planted.run(alone, sign.JOB, match.JOB)
        wanted = {pair for pair, (_, orders) in found(tmp_path / str(first)).items() if orders & 2}
        assert wanted == {pair for pair in everything if pair[0] >> 52 >= first}


def test_scope_per_dump_gives_what_each_dump_alone_would(tmp_path):
    matched(tmp_path / "all", scope="per-dump")
    together = found(tmp_path / "all")
    assert all(left >> 52 == right >> 52 for left, right in together)
    for index in range(3):
        alone = planted.corpus_of(tmp_path / str(index), dedup=SETTINGS)
        alone.register_dumps(DUMPS)
        planted.plant(alone, PARTS[2 * index : 2 * index + 2])
        planted.run(alone, sign.JOB, match.JOB)
        wanted = {pair: jaccard for pair, (jaccard, _) in together.items() if pair[0] >> 52 == index}
        assert {pair: jaccard for pair, (jaccard, _) in found(tmp_path / str(index)).items()} == wanted


# ------------------------------------------------------------------------------------------------ exact similarity


def test_exact_similarity_is_that_of_the_shingle_sets(tmp_path):
    corpus = matched(tmp_path, verify="exact")
    texts = texts_by_key(tmp_path)
    sets = {}
    for key, text in texts.items():
        shingles, _ = distinct_shingles(pa.array([text]), 3)
        sets[key] = set(shingles.tolist())
    for (left, right), (jaccard, _) in found(tmp_path).items():
        either = sets[left] | sets[right]
        exact = len(sets[left] & sets[right]) / len(either) if either else 1.0
        assert jaccard == np.float32(exact) and exact >= 0.7 - 1e-9
        assert either or texts[left] == texts[right]
    details = corpus.manifest("candidates")["details"]
    assert details["method"] == "exact"
    for sample in details["rejected_samples"]:
        a, b = sets[int(sample["left"])], sets[int(sample["right"])]
        assert sample["jaccard"] == pytest.approx(len(a & b) / len(a | b), abs=1e-4) and sample["jaccard"] < 0.7
    exact = {
        (a, b)
        for a in sets
        for b in sets
        if a < b and sets[a] and len(sets[a] & sets[b]) >= 0.9 * len(sets[a] | sets[b])
    }
    reached = {key: key for key in sets}
    for left, right in sorted(found(tmp_path)):  # the smallest key that pairs lead to
        root = min(_root(reached, left), _root(reached, right))
        reached[_root(reached, left)] = reached[_root(reached, right)] = root
    assert len(exact) > 50 and all(_root(reached, a) == _root(reached, b) for a, b in exact)


def _root(reached: dict[int, int], key: int) -> int:
    while reached[key] != key:
        key = reached[key]
    return key


# ------------------------------------------------------------------------------------------------------- addresses


def test_equal_addresses_join_whatever_the_texts_say(tmp_path):
    rng = random.Random(2)
    texts = [planted.prose(rng, 60) for _ in range(6)]
    urls = ["https://a.example/", "https://b.example/", "https://a.example/", None, "", "https://a.example"]
    parts = [Part("a", 0, texts[:3], urls=urls[:3]), Part("b", 0, texts[3:] + texts[1:2], urls=[*urls[3:], urls[0]])]
    matched(tmp_path / "off", parts)
    dump = 1 << 52
    assert set(found(tmp_path / "off")) == {(1, dump + 3)}
    corpus = matched(tmp_path / "on", parts, urls=True)
    joined = found(tmp_path / "on")
    assert set(joined) == {(0, 2), (0, dump + 3), (1, dump + 3)}
    assert joined[1, dump + 3][0] == 1 and joined[0, 2][0] < 0.2  # measured, but not asked
    assert all(sample["jaccard"] >= 0.7 for sample in corpus.manifest("candidates")["details"]["accepted_samples"])


# --------------------------------------------------------------------------------------------------- other corpora


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("index") / "index"
    matched(output, [Part("old", 0, pages(8)[::3]), Part("old", 1, pages(9)[:40])], permutations=64)
    return output


def outside(output: Path) -> dict[tuple[int, int, int], float]:
    rows = planted.table(output, "outside").to_pylist()
    return {(row["key"], row["index"], row["other"]): row["jaccard"] for row in rows}


def test_documents_with_a_copy_in_another_corpus_are_named(tmp_path, index):
    corpus = matched(tmp_path / "out", against=[str(index)])
    matched(tmp_path / "alone")
    assert found(tmp_path / "out") == found(tmp_path / "alone")
    (keys, own), (other_keys, other) = signed(tmp_path / "out"), signed(index)
    minima = own.minima[:, None, :] == other.minima[None, :, :50]
    alike, bands = minima.mean(axis=2), minima.reshape(len(keys), -1, 10, 5).all(axis=3).any(axis=2)
    worded = (own.words[:, None] > 0) & (other.words[None] > 0)
    meet = np.where(worded, bands, own.content[:, None] == other.content[None])
    wanted = {int(key) for key in keys[(meet & (alike >= 0.7)).any(axis=1)]}
    rows = outside(tmp_path / "out")
    named = {key for key, _, _ in rows}
    assert named <= wanted and len(named) >= 0.99 * len(wanted) and len(wanted) > 50
    at = {int(key): row for row, key in enumerate(keys)}, {int(key): row for row, key in enumerate(other_keys)}
    for (key, number, copy), jaccard in rows.items():
        assert number == 0 and meet[at[0][key], at[1][copy]]
        assert jaccard == np.float32(alike[at[0][key], at[1][copy]]) and jaccard >= np.float32(0.7)
    details = corpus.manifest("candidates")["details"]
    assert details["against"] == [{"folder": str(index), "documents_removed": len(named)}]


def test_another_corpus_is_asked_again_only_when_it_changed(tmp_path, index):
    copy = tmp_path / "index"
    shutil.copytree(index, copy)
    corpus = matched(tmp_path / "out", against=[str(copy)])
    assert planted.run(corpus, match.JOB) == []
    other = planted.corpus_of(copy, dedup=SETTINGS | {"permutations": 64})
    planted.plant(other, [Part("old", 0, pages(8)[::3]), Part("old", 1, pages(9)[:41])])
    planted.run(other, sign.JOB)
    assert planted.run(corpus, match.JOB) == ["match"]
    corpus = planted.corpus_of(tmp_path / "out", dedup=SETTINGS)
    assert planted.run(corpus, match.JOB) == ["match"]
    assert not list((tmp_path / "out" / "outside").rglob("*.parquet"))


def refusal(corpus: Corpus) -> str:
    with pytest.raises(GristmillError) as told:
        preflight.check(corpus.config, ["dedup"])
        planted.run(corpus, sign.JOB, match.JOB)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("dedup", "words"),
    [
        ({"bands": 13, "rows": 5}, ["64 values a document there", "bands × rows = 65 asked for"]),
        ({"ngram": 4}, ["ngram 3 there, 4 asked for"]),
        ({"seed": 8}, ["seed 1 there, 8 asked for"]),
    ],
)
def test_an_index_of_other_settings_is_refused_before_any_work(tmp_path, index, dedup, words):
    corpus = planted.corpus_of(tmp_path / "out", dedup=SETTINGS | dedup | {"against": [str(index)]})
    with pytest.raises(ConfigError) as told:
        preflight.check(corpus.config, ["dedup"])
    assert all(word in str(told.value) for word in [*words, str(index)])


def test_an_index_that_is_none_is_refused(tmp_path, index):
    for folder, words in [(tmp_path / "nothing", "no output folder of a corpus"), (tmp_path / "out", "corpus itself")]:
        corpus = planted.corpus_of(tmp_path / "out", dedup=SETTINGS | {"against": [str(folder)]})
        assert words in refusal(corpus) and str(folder) in refusal(corpus)


def test_an_index_whose_dump_stands_here_too_is_refused(tmp_path, index):
    corpus = planted.corpus_of(tmp_path / "out", dedup=SETTINGS | {"against": [str(index)]})
    planted.plant(corpus, [Part("old", 0, ["one"])])
    told = refusal(corpus)
    assert "`old`" in told and str(index) in told and str(tmp_path / "out") in told


def test_a_truncated_file_of_an_index_is_refused_with_both_sizes(tmp_path, index):
    copy = tmp_path / "index"
    shutil.copytree(index, copy)
    file = copy / "signatures/dump=old/part-00001.parquet"
    whole = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-100])
    corpus = planted.corpus_of(tmp_path / "out", dedup=SETTINGS | {"against": [str(copy)]})
    planted.plant(corpus, PARTS[:1])
    told = refusal(corpus)
    assert str(file) in told and f"{whole - 100:,}" in told and f"{whole:,}" in told


def damaged(folder: Path, damage: str) -> Path:
    """Damages a file of an index in a way that its size does not tell."""
    file = folder / "signatures/dump=old/part-00001.parquet"
    size = file.stat().st_size
    if damage == "unreadable":
        file.write_bytes(b"x" * size)
    else:
        table = pq.read_table(file, partitioning=None)
        again = {"twice": table.slice(3, 1), "foreign": table.slice(0, 1)}[damage]
        if damage == "foreign":
            again = again.set_column(0, table.schema.field("key"), pa.array([1], pa.uint64()))
            pq.write_table(pa.concat_tables([again, table.slice(1)]), file)
        else:
            pq.write_table(pa.concat_tables([table.slice(0, 4), again, table.slice(4)]), file)
        manifest = folder / "signatures/manifest.json"
        manifest.write_text(manifest.read_text().replace(f'"bytes": {size}', f'"bytes": {file.stat().st_size}'))
    return file


@pytest.mark.parametrize("damage", ["unreadable", "twice", "foreign"])
def test_a_file_of_another_corpus_is_for_that_one_to_mend(tmp_path, index, damage):
    shutil.copytree(index, tmp_path / "index")
    file = damaged(tmp_path / "index", damage)
    corpus = planted.corpus_of(tmp_path / "out", dedup=SETTINGS | {"against": [str(tmp_path / "index")]})
    planted.plant(corpus, PARTS[:1])
    told = refusal(corpus)
    assert str(file) in told and "delete" not in told
    assert f"the corpus in {tmp_path / 'index'}" in told and "run `gristmill dedup` there" in told


# ------------------------------------------------------------------------------------------------------- bad input


def signatures_of_one_part(output: Path) -> tuple[Corpus, Path]:
    corpus = planted.corpus_of(output, dedup=SETTINGS)
    planted.plant(corpus, PARTS[:2])
    planted.run(corpus, sign.JOB)
    return corpus, output / "signatures/dump=2019"


def test_a_truncated_signature_file_is_made_again(tmp_path):
    corpus, folder = signatures_of_one_part(tmp_path)
    whole = (folder / "part-00001.parquet").read_bytes()
    (folder / "part-00001.parquet").write_bytes(whole[:-50])
    assert planted.run(corpus, sign.JOB, match.JOB) == ["sign", "match"]
    assert (folder / "part-00001.parquet").read_bytes() == whole


def test_a_key_that_stands_twice_in_a_file_is_refused(tmp_path):
    corpus, folder = signatures_of_one_part(tmp_path)
    path = folder / "part-00001.parquet"
    table = pq.read_table(path, partitioning=None)
    pq.write_table(pa.concat_tables([table, table.slice(3, 1)]), path)
    told = refusal_of_match(corpus)
    assert str(path) in told and str(table["key"][3].as_py()) in told and str(table["key"][-1].as_py()) in told


def test_a_key_that_stands_in_two_files_is_refused_with_both_named(tmp_path):
    corpus, folder = signatures_of_one_part(tmp_path)
    shutil.copy(folder / "part-00000.parquet", folder / "part-00001.parquet")
    told = refusal_of_match(corpus)
    assert str(folder / "part-00000.parquet") in told and str(folder / "part-00001.parquet") in told


def refusal_of_match(corpus: Corpus) -> str:
    with pytest.raises(GristmillError) as told:
        planted.run(corpus, match.JOB)
    assert "\n" not in str(told.value)
    return str(told.value)
