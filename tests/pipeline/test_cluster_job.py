"""Pairs that a test writes itself → cluster: in one worker and by rounds, under every policy, killed and resumed."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import planted
import pyarrow as pa
import pytest
from deciding import by_distance, decided, removed
from planted import Part

from dedup import star_rounds
from dedup.limits import FARTHEST
from dedup.policies import Policy
from filters import quality
from filters.quality_training import Settings, train
from pipeline import job, preflight
from pipeline.corpus import Corpus, part_path
from pipeline.errors import ConfigError, GristmillError
from pipeline.job import Job, Task
from pipeline.jobs import cluster, join_rounds, score, sign
from pipeline.manifests import Outcome
from pipeline.parts import write_part

PARTS = [("2021", 0), ("2021", 1), ("2022", 0), ("2022", 1), ("2020", 0), ("2020", 1)]
PAIRS = pa.schema([("left", pa.uint64()), ("right", pa.uint64()), ("jaccard", pa.float32()), ("orders", pa.uint8())])
OUTSIDE = pa.schema([("key", pa.uint64()), ("index", pa.uint16()), ("other", pa.uint64()), ("jaccard", pa.float32())])

Pairs = dict[tuple[int, int], int]  # to their orders


def match_of(pairs: Pairs, outside: Iterable[int] = ()) -> Job:
    """A job in place of match that leaves these pairs, and these documents as copies of another corpus's."""

    def plan(corpus: Corpus) -> list[Task]:
        dumps = corpus.dumps()
        rows: dict[str, list[Any]] = {receipt.task: [] for receipt in corpus.receipts("signatures")}
        for (left, right), orders in pairs.items():
            rows[part_path(right >> 28, dumps)].append([left, right, 0.9, orders])
        return [Task(part, {"rows": found, "outside": sorted(outside)}) for part, found in rows.items()]

    def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
        rows = sorted(task.arguments["rows"], key=lambda row: (row[1], row[0]))
        with write_part(corpus.path(f"candidates/{task.name}.parquet"), PAIRS) as (out, file):
            for start in range(0, len(rows), 1000):  # several messages a file
                columns = list(zip(*rows[start : start + 1000]))
                out.write(pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, PAIRS)], schema=PAIRS))
                out.flush()
        files = [corpus.stored(file)]
        if corpus.config.dedup.against:
            here = [key for key in task.arguments["outside"] if part_path(key >> 28, corpus.dumps()) == task.name]
            with write_part(corpus.path(f"outside/{task.name}.parquet"), OUTSIDE) as (out, file):
                found = [here, [0] * len(here), [1] * len(here), [0.8] * len(here)]
                out.write(pa.record_batch([pa.array(c, f.type) for c, f in zip(found, OUTSIDE)], schema=OUTSIDE))
            files.append(corpus.stored(file))
        return Outcome({"pairs_accepted": len(rows)}, {}, tuple(files))

    return Job("match", "candidates", 1, lambda config: {}, plan, work, beside=("outside",))


def texts(seed: int) -> dict[tuple[str, int], list[str]]:
    rng = random.Random(seed)
    return {part: [planted.prose(rng, rng.randrange(3, 60)) for _ in range(40)] for part in PARTS}


TEXTS = texts(5)


def signed(output: Path, workers: int = 1, **sections: Any) -> Corpus:
    corpus = planted.corpus_of(output, workers=workers, **sections)
    corpus.register_dumps(["2021", "2022"])  # the dump 2020 comes first by name and last by key
    planted.plant(corpus, [Part(dump, number, TEXTS[dump, number]) for dump, number in PARTS])
    planted.run(corpus, sign.JOB)
    return corpus


def done(output: Path, pairs: Pairs, outside: Iterable[int] = (), workers: int = 1, **sections: Any) -> Corpus:
    corpus = signed(output, workers, **sections)
    job.run(match_of(pairs, outside), corpus)
    if score.asked_for(corpus.config):
        job.run(score.JOB, corpus)
    job.run(cluster.JOB, corpus)
    return corpus


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> list[int]:
    output = tmp_path_factory.mktemp("cluster")
    signed(output)
    found = planted.table(output, "signatures")["key"].to_pylist()
    assert len(found) == len(PARTS) * 40
    return found


@pytest.fixture(scope="module")
def pairs(keys) -> Pairs:
    """About three quarters of the documents in components of all forms: pairs, stars, long chains, loops."""
    rng = random.Random(7)
    chosen = rng.sample(keys, 180)
    edges = {tuple(sorted(rng.sample(chosen, 2))) for _ in range(110)}
    chain = rng.sample(chosen, 40)
    edges |= {tuple(sorted(edge)) for edge in itertools.pairwise(chain)}
    return {edge: rng.choice([1, 1, 3, 3, 2]) for edge in sorted(edges)}


def forward(pairs: Pairs) -> list[tuple[int, int]]:
    return [pair for pair, orders in pairs.items() if orders & 1]


def rows(output: Path) -> dict[int, tuple[int, int, bool]]:
    found = planted.table(output, "clusters")
    return dict(zip(found["key"].to_pylist(), zip(*(found[name].to_pylist() for name in found.column_names[1:]))))


def lengths() -> dict[int, float]:
    """Bytes of text by key."""
    names = ["2021", "2022", "2020"]
    return {
        names.index(dump) << 52 | number << 28 | row: float(len(text.encode()))
        for (dump, number), found in TEXTS.items()
        for row, text in enumerate(found)
    }


ROUNDS = {"components": "rounds", "partitions": 3}


# ------------------------------------------------------------------------------------------------- what is decided


@pytest.mark.parametrize(
    ("dedup", "how"),
    [
        ({}, {}),
        ({"keep": "latest", "max_chain": 2}, {}),
        ({"keep": "longest", "min_cluster_size": 3}, {}),
        ({"keep": "longest", "max_chain": 1, "both_orders": True, "against": ["elsewhere"]}, ROUNDS),
        ({"max_chain": 3, "min_cluster_size": 3, "against": ["elsewhere"]}, {}),
        ({"both_orders": True, "against": ["elsewhere"]}, ROUNDS),
    ],
    ids=str,
)
def test_files_and_figures_are_those_of_plain_python(tmp_path, keys, pairs, dedup, how):
    outside = frozenset(random.Random(2).sample(keys, 9)) if "against" in dedup else frozenset()
    corpus = done(tmp_path, pairs, outside, workers=2, dedup=dedup | how)
    policy = Policy(dedup.get("keep", "earliest"), dedup.get("max_chain"), dedup.get("min_cluster_size", 2))
    wanted = decided(keys, forward(pairs), policy, lengths(), outside)
    assert rows(tmp_path) == wanted
    manifest = corpus.manifest("clusters")
    gone = [key for key, (_, _, kept) in wanted.items() if not kept]
    clusters = {each[:2] for each in wanted.values()}
    assert manifest["counts"] == {
        "documents": len(keys),
        "clusters": len(clusters),
        "kept": len(keys) - len(gone),
        "removed": len(gone),
    }
    details = manifest["details"]
    assert details["removed"]["documents"] == len(gone)
    assert details["removed"]["bytes"] == sum(lengths()[key] for key in gone)
    words = dict(zip(*(planted.table(tmp_path, "signatures")[name].to_pylist() for name in ("key", "words"))))
    assert details["removed"]["words"] == sum(words[key] for key in gone)
    sizes = [size for _, size in clusters]
    assert details["sizes"] == [[size, sizes.count(size)] for size in sorted(set(sizes))]
    assert [each["size"] for each in details["largest"]] == sorted((s for s in sizes if s > 1), reverse=True)[:20]
    for each in details["largest"]:
        members = sorted(key for key in keys if wanted[key][0] == int(each["cluster"]))
        assert each["keys"] == [str(key) for key in members[:5]] and len(members) == each["size"]
        assert [url.split("/", 3)[3] for url in each["urls"]] == [name_of(key) for key in members[:5]]
    spared = removed(keys, forward(pairs), Policy(policy.keep, None, policy.min_cluster_size), lengths(), outside)
    far: Counter[int] = Counter()
    for away, documents in by_distance(keys, forward(pairs), wanted, outside).items():
        far[min(away, FARTHEST)] += documents
    assert details["chains"] == {
        "max_chain": policy.max_chain,
        "documents_spared": spared - len(gone),
        "by_distance": [list(each) for each in sorted(far.items())],
    }
    assert sum(n for _, n in details["chains"]["by_distance"]) == len(gone)
    assert policy.max_chain is None or max(far) <= policy.max_chain

    dumps = corpus.dumps()
    for number, point in enumerate(details["curve"], 1):
        together, alone = ([k for k in keys if k >> 52 < number], [k for k in keys if k >> 52 == number - 1])
        gone_of = [removed(chosen, forward(pairs), policy, lengths(), outside) for chosen in (together, alone)]
        assert (point["dump"], point["dumps"], point["documents"]) == (dumps[number - 1], number, len(together))
        assert [point["removed"], point["alone_removed"]] == gone_of
        assert (point["share"], point["alone_share"]) == (gone_of[0] / len(together), gone_of[1] / len(alone))
    assert details["curve"][-1]["removed"] == len(gone)
    matrix = details["overlap"]["matrix"]
    for i, j in [(0, 1), (2, 0), (1, 1)]:
        assert matrix[i][j] == sum(
            any(other >> 52 == j and other != key and wanted[other][0] == wanted[key][0] for other in keys)
            for key in keys
            if key >> 52 == i
        )
    if not dedup.get("both_orders"):
        assert "curve_reversed" not in details
        return
    backward = [pair for pair, orders in pairs.items() if orders & 2]

    def mirror(key):
        return (2 - (key >> 52)) << 52 | key & ((1 << 52) - 1)

    for number, point in enumerate(details["curve_reversed"], 1):
        chosen = [mirror(key) for key in keys if key >> 52 > 2 - number]
        wanted_count = removed(
            chosen,
            [(mirror(a), mirror(b)) for a, b in backward],
            policy,
            {mirror(key): length for key, length in lengths().items()},
            frozenset(map(mirror, outside)),
        )
        assert (point["dump"], point["documents"], point["removed"]) == (dumps[3 - number], len(chosen), wanted_count)


def name_of(key: int) -> str:
    """The path of a planted document's address."""
    return f"{['2021', '2022', '2020'][key >> 52]}/{key >> 28 & 0xFFFFFF}/{key & 0xFFFFFFF}"


def test_without_pairs_every_document_stays(tmp_path, keys):
    for number, how in enumerate([{}, ROUNDS]):
        corpus = done(tmp_path / str(number), {}, dedup=how)
        assert rows(tmp_path / str(number)) == {key: (key, 1, True) for key in keys}
        details = corpus.manifest("clusters")["details"]
        assert [point["removed"] for point in details["curve"]] == [0, 0, 0]
        assert details["sizes"] == [[1, len(keys)]] and details["largest"] == []


def test_pairs_within_dumps_never_make_a_cluster_across_them(tmp_path, keys):
    rng = random.Random(3)
    inside: Pairs = {}
    for dump in range(3):
        own = [key for key in keys if key >> 52 == dump]
        inside |= {tuple(sorted(rng.sample(own, 2))): 1 for _ in range(60)}
    done(tmp_path, inside, dedup={"scope": "per-dump"})
    assert all(key >> 52 == smallest >> 52 for key, (smallest, _, _) in rows(tmp_path).items())


# ------------------------------------------------------------------------------------------- one worker and rounds


def test_one_worker_and_rounds_leave_the_same_bytes(tmp_path, pairs):
    variants = [({}, 1), (ROUNDS, 1), (ROUNDS | {"partitions": 7}, 3)]
    outputs = [tmp_path / str(number) for number in range(len(variants))]
    corpora = [done(out, pairs, workers=n, dedup=how) for out, (how, n) in zip(outputs, variants)]
    digests = [planted.digests(output, "clusters") for output in outputs]
    assert all(each == digests[0] for each in digests)
    details = [corpus.manifest("clusters")["details"] for corpus in corpora]
    told = [each.pop("components") for each in details]
    assert all(each == details[0] for each in details)
    assert [each["method"] for each in told] == ["one worker", "rounds", "rounds"]
    assert told[0]["rounds"] == 0 and 2 <= told[1]["rounds"] == told[2]["rounds"] <= 10


def test_the_number_of_pairs_chooses_and_says_so(tmp_path, pairs):
    corpus = signed(tmp_path)
    job.run(match_of(pairs), corpus)
    dedup = corpus.config.dedup
    for limit, rounds in [(len(pairs), False), (len(pairs) - 1, True)]:
        dedup.max_pairs_in_memory = limit
        chosen = join_rounds.method(corpus)
        assert (chosen.rounds, chosen.pairs, chosen.limit) == (rounds, len(pairs), limit)
        assert f"{len(pairs)} pairs" in chosen.reason and f"max_pairs_in_memory = {limit}" in chosen.reason
    dedup.components = "one-worker"
    assert join_rounds.method(corpus)[::3] == (False, "dedup.components is one-worker")
    dedup.components, dedup.max_pairs_in_memory = "rounds", 10**9
    assert join_rounds.method(corpus)[::3] == (True, "dedup.components is rounds")


def test_rounds_that_do_not_converge_are_an_error(tmp_path, pairs, monkeypatch):
    monkeypatch.setattr(star_rounds, "MOST_ROUNDS", 2)
    with pytest.raises(GristmillError, match=r"have not converged: \d+ edges still move after 2 rounds"):
        done(tmp_path, pairs, dedup=ROUNDS)
    assert not list((tmp_path / "clusters").rglob("*.parquet"))


class Killed(BaseException):
    """Ends a run as a signal would."""


def test_rounds_resume_where_they_were(tmp_path, pairs, monkeypatch):
    whole = done(tmp_path / "whole", pairs, dedup=ROUNDS)
    corpus = signed(tmp_path / "killed", dedup=ROUNDS)
    job.run(match_of(pairs), corpus)
    last = whole.manifest("clusters")["details"]["components"]["rounds"]
    run, ran, kills = job.run, [], {"round 2", f"round {last}"}

    def watched(each: Job, corpus: Corpus) -> bool:
        if each.name in kills:
            kills.remove(each.name)
            raise Killed
        ran.append(each.name)
        return run(each, corpus)

    monkeypatch.setattr(job, "run", watched)
    for _ in range(3):
        with contextlib.suppress(Killed):
            job.run(cluster.JOB, corpus)
    assert not kills
    assert [name for name in ran if name != "cluster"] == [f"round {number}" for number in range(1, last + 1)]
    assert planted.digests(tmp_path / "killed", "clusters", "components") == planted.digests(
        tmp_path / "whole", "clusters", "components"
    )
    assert {path.split("/")[0] for path in planted.digests(tmp_path / "killed", "components")} == {"components"}
    kept = {path.split("/")[1] for path in planted.digests(tmp_path / "killed", "components")}
    assert kept == {f"round-{last:02d}"}  # earlier rounds are deleted


@pytest.mark.long
def test_other_pairs_make_other_rounds_and_one_worker_leaves_none(tmp_path, pairs):
    corpus = done(tmp_path / "a", pairs, dedup=ROUNDS)
    fewer = dict(list(pairs.items())[:5])  # which take fewer rounds
    job.run(match_of(fewer), corpus)
    job.run(cluster.JOB, corpus)
    done(tmp_path / "b", fewer)
    rounds = corpus.manifest("clusters")["details"]["components"]["rounds"]
    left = {path.split("/")[1] for path in planted.digests(tmp_path / "a", "components")}
    assert left == {f"round-{rounds:02d}"}
    assert planted.digests(tmp_path / "a", "clusters") == planted.digests(tmp_path / "b", "clusters")
    corpus.config.dedup.components = "one-worker"
    assert job.run(cluster.JOB, corpus) is False  # every way gives the same
    job.run(match_of(pairs), corpus)
    job.run(cluster.JOB, corpus)
    assert planted.digests(tmp_path / "a", "components") == {}


def test_lost_files_alone_are_written_again(tmp_path, pairs):
    corpus = done(tmp_path, pairs)
    before = planted.digests(tmp_path, "clusters")
    details = corpus.manifest("clusters")["details"]
    (tmp_path / next(iter(before))).unlink()
    assert job.run(cluster.JOB, corpus) is True
    assert corpus.manifest("clusters")["tasks_run"] == 1
    assert planted.digests(tmp_path, "clusters") == before
    assert corpus.manifest("clusters")["details"] == details


def path_of_a_hundred_thousand(output: Path, **dedup: Any) -> Corpus:
    corpus = planted.corpus_of(output, workers=2, dedup=dedup)
    planted.plant(corpus, [Part("2021", number, ["no pair needs a text"] * 25_000) for number in range(4)])
    planted.run(corpus, sign.JOB)
    keys = planted.table(output, "signatures")["key"].to_pylist()
    random.Random(1).shuffle(keys)
    job.run(match_of({tuple(sorted(edge)): 1 for edge in itertools.pairwise(keys)}), corpus)
    job.run(cluster.JOB, corpus)
    return corpus


@pytest.mark.long
def test_a_path_of_a_hundred_thousand_documents_through_rounds(tmp_path):
    corpus = path_of_a_hundred_thousand(tmp_path, components="rounds", partitions=4)
    assert corpus.manifest("clusters")["counts"] == {
        "documents": 100_000,
        "clusters": 1,
        "kept": 1,
        "removed": 99_999,
    }
    assert corpus.manifest("clusters")["details"]["components"]["rounds"] <= 20
    found = planted.table(tmp_path, "clusters")
    assert found["cluster"].unique().to_pylist() == [0] and found["cluster_size"].unique().to_pylist() == [100_000]


# ----------------------------------------------------------------------------------------------------- best quality


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    rng = random.Random(11)
    good = pa.array([" ".join(f"w{rng.randrange(0, 2000)}" for _ in range(30)) for _ in range(200)])
    bad = pa.array([" ".join(f"w{rng.randrange(2000, 4000)}" for _ in range(30)) for _ in range(200)])
    path = tmp_path_factory.mktemp("model") / "quality.bin"
    train({"positive": good, "negative": bad}, path, Settings(dimension=8, epochs=5, held_out=0))
    return str(path)


def test_the_copy_that_scores_best_stays(tmp_path, keys, pairs, model):
    sections = {"dedup": {"keep": "best-quality"}, "filter": {"quality": {"mine": {"model": model}}}}
    done(tmp_path, pairs, workers=2, **sections)
    documents = planted.table(tmp_path, "documents")
    scores = dict(zip(documents["key"].to_pylist(), quality.QualityModel(model).score(documents["text"]).tolist()))
    assert rows(tmp_path) == decided(keys, forward(pairs), Policy("best-quality"), scores)
    assert rows(tmp_path) != decided(keys, forward(pairs), Policy("earliest"))
    in_pairs = sorted({key for pair in pairs for key in pair})
    written = planted.table(tmp_path, "scores")
    assert written["key"].to_pylist() == in_pairs  # no other document is scored
    assert written["score"].to_pylist() == [scores[key] for key in in_pairs]


def test_quality_without_a_model_is_refused_at_once(tmp_path, model):
    with pytest.raises(ConfigError, match=r"(?s)dedup\.keep: best-quality.*filter\.quality"):
        planted.corpus_of(tmp_path, dedup={"keep": "best-quality"})
    missing = planted.corpus_of(
        tmp_path, dedup={"keep": "best-quality"}, filter={"quality": {"mine": {"model": str(tmp_path / "none.bin")}}}
    )
    with pytest.raises(ConfigError, match=r"filter\.quality"):
        preflight.check(missing.config, ["dedup"])


def test_a_pair_of_an_unknown_document_is_refused(tmp_path, pairs):
    corpus = signed(tmp_path)
    job.run(match_of(pairs | {(5 << 20, 6 << 20): 1}), corpus)
    with pytest.raises(GristmillError, match=f"pair key {5 << 20} is no document's key"):
        job.run(cluster.JOB, corpus)
