"""Six real dumps through every stage, checked against what can be counted without our code."""

import json
import shutil
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import runs
from tokenizers import Tokenizer

from pipeline.config import Mix

CONFIG = runs.HERE / "snapshots.yaml"


@pytest.fixture(scope="module")
def done(shared_data, tmp_path_factory):
    output = tmp_path_factory.mktemp("snapshots") / "two"
    corpus, ran = runs.run(CONFIG, output, workers=2)
    return corpus, ran, output


def shard_rows(output):
    """(split, key, tokens) of every row of every shard, read with pyarrow alone."""
    for path in sorted((output / "shards").glob("*.arrow")):
        with pa.memory_map(str(path)) as file:
            rows = pa.ipc.open_file(file).read_all()
            yield from zip(
                [path.name.split("-")[0]] * rows.num_rows, rows["key"].to_pylist(), rows["tokens"].to_pylist()
            )


def test_every_job_ran_and_nothing_runs_again(done):
    _, ran, output = done
    assert len(ran) == 12
    before = runs.fingerprint(output)
    assert runs.run(CONFIG, output, workers=1)[1] == []
    assert runs.fingerprint(output) == before


def test_one_worker_gives_the_same_bytes(done, tmp_path):
    _, _, output = done
    runs.run(CONFIG, tmp_path / "one", workers=1)
    assert runs.fingerprint(tmp_path / "one") == runs.fingerprint(output)


def test_a_changed_setting_runs_what_depends_on_it(done):
    _, _, output = done
    before = runs.fingerprint(output)

    def more_validation(config):
        config.shards.validation_share = 0.05

    assert runs.run(CONFIG, output, 2, more_validation)[1] == ["encode", "tokenize"]

    def latest(config):
        config.dedup.keep = "latest"

    ran = runs.run(CONFIG, output, 2, latest)[1]
    assert ran[0] == "cluster"
    assert "sign" not in ran
    runs.run(CONFIG, output, workers=2)
    assert runs.fingerprint(output) == before


def test_every_record_is_accounted_for(done, shared_data):
    corpus, _, output = done
    in_files = sum(runs.count_records(path, "conversion") for path in (shared_data / "dumps").glob("*.gz"))
    counts = corpus.manifest("documents")["counts"]
    assert counts["documents"] + counts["rejects"] == in_files == 9537
    assert counts["records"] == counts["documents"] + counts["rejects"] + counts["skipped"]
    keys = runs.table(output, "documents", ["key"])["key"].to_numpy()
    assert len(np.unique(keys)) == len(keys) == counts["documents"]


def test_kept_and_removed_add_up_at_each_step(done):
    corpus, _, output = done
    documents = runs.table(output, "documents", ["key"])["key"].to_pylist()
    clusters = runs.table(output, "clusters")
    assert clusters["key"].to_pylist() == documents
    kept = clusters.filter(clusters["kept"])["key"].to_pylist()
    counts = corpus.manifest("clusters")["counts"]
    assert len(kept) == counts["kept"] == counts["documents"] - counts["removed"]
    assert pc.count_distinct(clusters["cluster"]).as_py() == len(kept)  # one of each cluster stays
    decisions = runs.table(output, "decisions")
    assert decisions["key"].to_pylist() == kept
    filtered = runs.table(output, "filtered", ["key"])["key"].to_pylist()
    passing = decisions.filter(decisions["kept"])["key"].to_pylist()
    assert set(filtered) <= set(passing) and filtered == sorted(filtered)
    assert len(passing) - len(filtered) == corpus.manifest("filtered")["counts"]["removed"]
    removed = decisions.filter(pc.invert(decisions["kept"]))
    assert removed["rule"].null_count == 0
    funnel = corpus.manifest("decisions")["details"]["funnel"]
    assert sum(rule["documents"] for rule in funnel) == removed.num_rows > 0


def test_the_earliest_copy_stays_and_scripts_never_mix(done):
    _, _, output = done
    documents = runs.table(output, "documents", ["key", "text", "url"]).to_pydict()
    clusters = runs.table(output, "clusters").to_pydict()
    han = [
        sum("\u4e00" <= c <= "\u9fff" for c in text) / max(1, sum(unicodedata.category(c)[0] == "L" for c in text))
        for text in documents["text"]
    ]
    of_cluster: dict[int, list[int]] = {}
    for row, cluster in enumerate(clusters["cluster"]):
        of_cluster.setdefault(cluster, []).append(row)
    for rows in of_cluster.values():
        kept = [clusters["key"][row] for row in rows if clusters["kept"][row]]
        assert kept == [min(clusters["key"][row] for row in rows)]
        assert {clusters["cluster_size"][row] for row in rows} == {len(rows)}
        shares = [han[row] for row in rows]
        assert not (max(shares) > 0.3 and min(shares) < 0.05), [documents["url"][row] for row in rows]


def test_equal_texts_share_a_cluster(done):
    _, _, output = done
    texts = runs.table(output, "documents", ["text"])["text"].to_pylist()
    clusters = runs.table(output, "clusters", ["cluster"])["cluster"].to_pylist()
    seen: dict[str, int] = {}
    for text, cluster in zip(texts, clusters):
        assert seen.setdefault(text, cluster) == cluster


def test_every_kept_document_decodes_from_its_tokens(done):
    _, _, output = done
    independent = Tokenizer.from_file(str(output / "tokenizer" / "tokenizer.json"))
    filtered = runs.table(output, "filtered", ["key", "text"])
    texts = dict(zip(filtered["key"].to_pylist(), filtered["text"].to_pylist()))
    mixture = runs.table(output, "mixture")
    drawn = dict(zip(mixture["key"].to_pylist(), mixture["copies"].to_pylist()))
    index = json.loads((output / "shards" / "shards.json").read_text())
    end = len(independent.get_vocab()) and independent.token_to_id(
        json.loads((output / "tokenizer" / "tokenizer_config.json").read_text())["eos_token"]
    )
    splits: dict[int, set[str]] = {}
    seen: dict[int, int] = {}
    tokens_of_split: dict[str, int] = {}
    rows = list(shard_rows(output))
    for split, key, tokens in rows:
        seen[key] = seen.get(key, 0) + 1
        splits.setdefault(key, set()).add(split)
        tokens_of_split[split] = tokens_of_split.get(split, 0) + len(tokens)
        assert tokens[-1] == end
    for (_, key, _), text in zip(rows, independent.decode_batch([tokens[:-1] for _, _, tokens in rows])):
        assert text == texts[key]
    assert seen == {key: copies for key, copies in drawn.items() if copies}
    assert all(len(found) == 1 for found in splits.values())
    assert set(tokens_of_split) == {"train", "validation"}
    assert tokens_of_split == {name: split["tokens"] for name, split in index["splits"].items()}


def test_shards_are_shuffled_across_dumps(done):
    _, _, output = done
    dumps = [key >> 52 for split, key, _ in shard_rows(output) if split == "train"]
    first, second = dumps[: len(dumps) // 2], dumps[len(dumps) // 2 :]
    assert set(first) == set(second)


def test_the_dedup_curve_is_what_brute_force_says(done):
    """Deduplicating only the first n dumps removes what the curve says for n."""
    corpus, _, output = done
    curve = corpus.manifest("clusters")["details"]["curve"]
    pairs = runs.table(output, "candidates").to_pydict()
    keys = runs.table(output, "documents", ["key"])["key"].to_pylist()
    for point in curve:
        dumps = point["dumps"]
        inside = {key: key for key in keys if key >> 52 < dumps}

        def root(key, inside=inside):
            while inside[key] != key:
                key = inside[key]
            return key

        for left, right in zip(pairs["left"], pairs["right"]):
            if left in inside and right in inside:
                low, high = sorted((root(left), root(right)))
                inside[high] = low
        removed = sum(key != parent for key, parent in inside.items())
        assert (point["documents"], point["removed"]) == (len(inside), removed)
    assert [point["dumps"] for point in curve] == [1, 2, 3, 4, 5, 6]
    assert curve[-1]["share"] > 0.5


@pytest.mark.parametrize("shares", [{"en": 0.5, "zh": 0.5}, {"en": 0.15, "zh": 0.85}])
def test_a_mixture_in_tokens_is_within_one_per_cent_in_the_shards(done, tmp_path, shares):
    _, _, output = done
    shutil.copytree(output, tmp_path / "mixed")
    given = shutil.copytree(output / "tokenizer", tmp_path / "given")

    def mixed(config):
        config.mix = Mix(languages=shares, max_epochs=6, total=2_000_000)
        config.tokenizer = config.tokenizer.model_validate({"path": str(given)})
        config.shards.validation_share = 0.0

    corpus, ran = runs.run(CONFIG, tmp_path / "mixed", 2, mixed)
    assert "sign" not in ran and "select" not in ran and "yardstick" not in ran
    filtered = runs.table(tmp_path / "mixed", "filtered", ["key", "language"])
    language_of = dict(zip(filtered["key"].to_pylist(), filtered["language"].to_pylist()))
    tokens: dict[str, int] = {}
    for _, key, row in shard_rows(tmp_path / "mixed"):
        tokens[language_of[key]] = tokens.get(language_of[key], 0) + len(row)
    assert sum(tokens.values()) == pytest.approx(2_000_000, rel=0.01)
    absent = set(language_of.values()) - set(tokens)
    for name, share in shares.items():
        assert tokens[name] / sum(tokens.values()) == pytest.approx(share, rel=0.01)
    assert corpus.manifest("runs")["details"]["domains"]["language"] == {**dict.fromkeys(absent, 0), **tokens}
