"""Shuffle, runs and shards: the same bytes however the work is cut, and damage is found."""

import io
import itertools
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from text.hashing import keyed_hash
from tokenizer import shards, shuffle
from tokenizer.shard_index import index_of, read_index, write_index
from tokenizer.shard_statistics import head, stats
from tokenizer.shard_verification import verify
from tokenizer.shards import open_shard, write_shard
from tokenizer.shuffle import Documents, read_run_range, shard_bounds, shuffle_hash, splits_of, write_run

SCHEMA = shards.schema("a" * 64, 5000, None, 4000)


def some_documents(count, seed=0):
    """(keys, sources, tokens, offsets), keys in no order, some documents empty."""
    random = np.random.default_rng(seed)
    keys = random.permutation(10 * count)[:count].astype(np.uint64)
    lengths = random.integers(0, 60, count) * (random.random(count) < 0.9)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    # The tokens follow from the key, so that a document can be recognised anywhere.
    tokens = np.concatenate([(np.arange(n) + int(key)) % 5000 for key, n in zip(keys, lengths)]).astype(np.uint32)
    return keys, [f"source-{key % 3}" for key in keys], tokens, offsets


def runs_of(count, pieces, folder):
    """The documents as ``pieces`` runs."""
    keys, sources, tokens, offsets = some_documents(count)
    hashes = shuffle_hash(keys, 0, 7)
    paths = []
    for i, part in enumerate(np.array_split(np.arange(count), pieces)):
        rows = slice(part[0], part[-1] + 1)
        cut = offsets[rows.start : rows.stop + 1]
        path = folder / f"{pieces}-{i}.run"
        write_run(path, hashes[rows], keys[rows], sources[rows], tokens, cut)
        paths.append(str(path))
    return paths


def shards_of(paths, count, opened=lambda path: path):
    bounds = shard_bounds(count)
    written = []
    for low, high in itertools.pairwise(bounds):
        file = io.BytesIO()
        summary = write_shard(file, [read_run_range(opened(path), low, high) for path in paths], SCHEMA)
        written.append((file.getvalue(), summary))
    return written


@pytest.fixture
def folder(tmp_path):
    """A finished folder of three training shards and one for validation."""
    paths = runs_of(400, 2, tmp_path)
    entries = []
    for i, (content, summary) in enumerate(shards_of(paths, 4)):
        (tmp_path / f"part-{i}.arrow").write_bytes(content)
        entries.append((f"part-{i}.arrow", summary))
    splits = {"train": entries[:3], "validation": entries[3:]}
    write_index(tmp_path, index_of(splits, tokenizer="a" * 64, vocabulary=5000, seed=7, end=4000))
    return tmp_path


def test_shuffle_hash_is_the_projects_hash_of_keys():
    keys = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    for seed in (0, 1, 2**64 - 1):
        assert shuffle_hash(keys, 0, seed).tolist() == keyed_hash(keys, np.uint64(seed)).tolist()


def test_copies_and_seeds_land_elsewhere_and_evenly():
    keys = np.arange(20_000, dtype=np.uint64)
    places = [shuffle_hash(keys, 0, 1), shuffle_hash(keys, 1, 1), shuffle_hash(keys, 0, 2)]
    for place in places:
        filled = np.histogram(place.astype(np.float64), 16, (0, 2.0**64))[0]
        assert np.abs(filled - 1250).max() < 6 * 1250**0.5
    ranks = [np.argsort(np.argsort(place)) for place in places]
    assert abs(np.corrcoef(ranks)[np.triu_indices(3, 1)]).max() < 0.03
    copies = np.array([0, 1], np.uint16)
    mixed = shuffle_hash(keys[:2], copies, 1)
    assert mixed.tolist() == [places[0][0], places[1][1]]


def test_split_is_by_key_and_grows_with_its_share():
    keys = np.arange(50_000, dtype=np.uint64)
    small, large = splits_of(keys, 3, 0.01), splits_of(keys, 3, 0.05, 0.02)
    assert 400 < (small == 1).sum() < 600 and (small < 2).all()
    assert 800 < (large == 2).sum() < 1200
    assert (large[small == 1] == 1).all(), "a larger share only adds, and the test split moves none"
    assert abs(np.corrcoef(large, shuffle_hash(keys, 0, 3).astype(float))[0, 1]) < 0.02
    assert (
        not splits_of(keys, 3, 0).any() and (splits_of(keys, 3, 1) == 1).all() and (splits_of(keys, 3, 0, 1) == 2).all()
    )
    assert np.bincount(splits_of(keys, 3, 0.5, 0.5))[0] == 0
    with pytest.raises(ValueError, match=r"validation_share 1\.5 is outside"):
        splits_of(keys, 3, 1.5)
    with pytest.raises(ValueError, match=r"0\.7 and test_share 0\.4 are more than 1"):
        splits_of(keys, 3, 0.7, 0.4)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_bounds_cover_every_hash_once(count):
    bounds = shard_bounds(count)
    assert bounds[0] == 0 and bounds[-1] == 2**64 and sorted(set(bounds)) == bounds


@given(st.integers(1, 6), st.integers(1, 5), st.integers(16, 300))
@settings(max_examples=25)
def test_the_same_shards_however_the_runs_are_cut(tmp_path_factory, pieces, count, batch_tokens):
    folder = tmp_path_factory.mktemp("runs")
    expected = shards_of(runs_of(150, 1, folder), count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shuffle.batches, "__defaults__", (batch_tokens,))  # runs of many batches
        paths = runs_of(150, pieces, folder)
    assert shards_of(paths[::-1], count) == expected
    assert shards_of(paths, count, lambda path: open(path, "rb")) == expected  # noqa: SIM115


def test_every_document_arrives_once_in_the_order_of_its_hash(tmp_path):
    keys, sources, tokens, offsets = some_documents(300)
    rows = {int(key): i for i, key in enumerate(keys)}
    seen = []
    for content, summary in shards_of(runs_of(300, 3, tmp_path), 4):
        table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
        assert (summary.documents, summary.bytes) == (table.num_rows, len(content))
        for row in table.to_pylist():
            i = rows[row["key"]]
            assert row["tokens"] == tokens[offsets[i] : offsets[i + 1]].tolist()
            assert row["source"] == sources[i]
            seen.append(row["key"])
    order = shuffle_hash(np.array(seen, np.uint64), 0, 7)
    assert (np.diff(order.astype(object)) > 0).all()
    assert sorted(seen) == sorted(rows)


def test_large_shards_are_several_batches_and_one_dictionary(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle.batches, "__defaults__", (100,))
    path = tmp_path / "shard.arrow"
    keys, sources, tokens, offsets = some_documents(100)
    part = Documents(shuffle_hash(keys, 0, 1), keys, shuffle.as_sources(sources), tokens, offsets)
    summary = write_shard(path, [part], SCHEMA)
    table = open_shard(path)
    assert table["tokens"].num_chunks > 5
    assert max(len(chunk.flatten()) for chunk in table["tokens"].chunks) <= 100
    assert summary.tokens == len(tokens) and summary.largest_token == tokens.max()
    assert {name: amounts["documents"] for name, amounts in summary.sources.items()} == {
        name: sources.count(name) for name in sorted(set(sources))
    }


def test_parts_in_any_order_give_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(shuffle.batches, "__defaults__", (200,))
    keys, sources, tokens, offsets = some_documents(300)
    part = Documents(shuffle_hash(keys, 0, 1), keys, shuffle.as_sources(sources), tokens, offsets)
    summary = write_shard(tmp_path / "one.arrow", [part], SCHEMA)
    sorted_at_once = shuffle.by_place(shuffle.concatenate([part]))
    table = open_shard(tmp_path / "one.arrow")
    lists = np.split(sorted_at_once.tokens, sorted_at_once.offsets[1:-1])
    assert table["tokens"].to_pylist() == [each.tolist() for each in lists]
    assert table["key"].to_pylist() == sorted_at_once.keys.tolist()
    assert table["source"].to_pylist() == sorted_at_once.sources.to_pylist()
    random = np.random.default_rng(2)
    for count in (2, 9, 50):
        cut = []
        for rows in np.array_split(random.permutation(300), count):
            picked = [tokens[offsets[i] : offsets[i + 1]] for i in rows]
            ends = np.concatenate([[0], np.cumsum([len(each) for each in picked])])
            cut.append(
                Documents(
                    part.hashes[rows], keys[rows], part.sources.take(pa.array(rows)), np.concatenate(picked), ends
                )
            )
        cut.insert(1, shuffle.concatenate([]))
        assert write_shard(tmp_path / "cut.arrow", cut, SCHEMA) == summary


BUILD = """
import resource, sys
import numpy as np
from tokenizer import shards, shuffle
shuffle.batches.__defaults__ = (1 << 18,)
random, parts = np.random.default_rng(1), []
for part in range(8):
    keys = random.integers(0, 2**62, 2048).astype(np.uint64)
    tokens = random.integers(0, 5000, 2048 * 1024).astype(np.uint32)
    offsets = np.arange(2049, dtype=np.int64) * 1024
    parts.append(shuffle.Documents(np.sort(keys), keys, shuffle.as_sources(["web"] * 2048), tokens, offsets))
shards.write_shard(sys.argv[1], parts[:1], shards.schema("a" * 64, 5000))  # what is loaded only once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
summary = shards.write_shard(sys.argv[1], parts, shards.schema("a" * 64, 5000))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / summary.tokens)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_a_shard_is_built_beside_its_parts_a_batch_at_a_time(tmp_path):
    """Bytes a token beyond the 4 of the parts: less than one more copy of the tokens."""
    out = subprocess.run(
        [sys.executable, "-c", BUILD, str(tmp_path / "shard.arrow")], capture_output=True, text=True, check=True
    )
    assert float(out.stdout) < 3


def test_an_empty_shard_is_a_shard(tmp_path):
    summary = write_shard(tmp_path / "empty.arrow", [], SCHEMA)
    assert (summary.documents, summary.tokens, summary.sources) == (0, 0, {})
    assert open_shard(tmp_path / "empty.arrow").num_rows == 0


def test_reading_shards_needs_no_numba():
    code = (
        "import sys, tokenizer.shards, tokenizer.shard_index; sys.exit(len({'numba', 'tokenizers'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_stats_and_head(folder):
    summary = stats(folder)
    assert sum(split["documents"] for split in summary["splits"].values()) == 400
    assert summary["splits"]["train"]["files"] == 3
    assert sum(source["tokens"] for source in summary["sources"].values()) == len(some_documents(400)[2])
    rows = head(folder, 200)
    first = open_shard(folder / "part-0.arrow")
    assert [row["key"] for row in rows][: first.num_rows] == first["key"].to_pylist()
    assert len(rows) == 200 and rows[5]["tokens"].tolist() == first["tokens"][5].as_py()
    with pytest.raises(ValueError, match="split 'test' is unknown"):
        head(folder, 1, "test")


def test_verify_finds_nothing_wrong_with_what_was_written(folder):
    assert verify(folder) == []
    assert verify(folder, "a" * 64) == []


def test_verify_finds_damage(folder):
    assert verify(folder, "b" * 64) == ["shards.json: made with tokenizer aaaaaaaaaaaa, not bbbbbbbbbbbb"]
    path = folder / "part-1.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert next(line for line in verify(folder) if "checksum" in line).startswith("part-1.arrow (train): ")
    path.write_bytes(content[:-9])
    assert "bytes, the index says" in verify(folder)[0]
    path.unlink()
    assert verify(folder) == ["part-1.arrow (train): is missing"]


def test_verify_compares_shards_with_the_index(folder):
    content = read_index(folder)
    content["tokenizer"] = "c" * 64
    content["vocabulary"] = 10
    content["splits"]["train"]["documents"] += 1
    content["splits"]["validation"]["files"][0]["tokens"] += 1
    write_index(folder, content)
    problems = "\n".join(verify(folder))
    assert "was made with tokenizer aaaaaaaaaaaa, the index says cccccccccccc" in problems
    assert "outside the vocabulary of 10" in problems
    assert "split train says" in problems
    assert "documents and" in problems


def test_bad_input_is_named(tmp_path):
    keys, sources, tokens, offsets = some_documents(5)
    part = Documents(shuffle_hash(keys, 0, 1), keys, shuffle.as_sources(sources), tokens + np.uint32(5000), offsets)
    with pytest.raises(ValueError, match="outside the vocabulary of 5000"):
        write_shard(tmp_path / "shard.arrow", [part], SCHEMA)
    (tmp_path / "text.arrow").write_text("not arrow")
    with pytest.raises(ValueError, match=r"text.arrow: is no Arrow file"):
        open_shard(tmp_path / "text.arrow")
    with pytest.raises(FileNotFoundError, match=r"shards.json: there is no such index"):
        read_index(tmp_path)
    (tmp_path / "shards.json").write_text('{"tokenizer": "a"}')
    with pytest.raises(ValueError, match="has no 'vocabulary'"):
        read_index(tmp_path)
    with pytest.raises(FileNotFoundError) as missing:
        open_shard(tmp_path / "gone.arrow")
    assert missing.value.filename == str(tmp_path / "gone.arrow")


def test_an_index_that_lacks_a_field_is_named(folder):
    whole = read_index(folder)
    for change, told in [
        (lambda content: content["splits"]["train"].pop("files"), "splits.train has no 'files'"),
        (lambda content: content["splits"]["train"].update(files=None), "splits.train has no 'files'"),
        (lambda content: content["splits"]["train"].pop("tokens"), "splits.train has no 'tokens'"),
        (lambda content: content.update(splits=["train"]), "has no 'splits'"),
        (lambda content: content["splits"]["train"]["files"][2].pop("sha256"), "entry 2, has no 'sha256'"),
        (lambda content: content["splits"]["train"]["files"].append("a"), "entry 3, has no 'path'"),
    ]:
        content = json.loads(json.dumps(whole))
        change(content)
        write_index(folder, content)
        for reader in (verify, stats, head):
            with pytest.raises(ValueError, match=rf"shards\.json: .*{told}; write the shards again"):
                reader(folder)


FLIPS = """
import random, sys
from pathlib import Path
from tokenizer import megatron, shard_statistics
folder, of = Path(sys.argv[1]), sys.argv[2]
whole, refused, chance = (folder / of).read_bytes(), 0, random.Random(5)
reads = [
    lambda: shard_statistics.stats(folder),
    lambda: [row["tokens"].sum() for row in shard_statistics.head(folder, 1000)],
    lambda: megatron.export(folder, "train", folder / "out"),
]
places = [*range(0, 3000, 5), *range(len(whole) - 1500, len(whole), 5)]
for at in places:
    damaged = bytearray(whole)
    damaged[at] ^= 1 << chance.randrange(8)
    print(at, file=sys.stderr, flush=True)
    (folder / of).unlink()  # what is mapped stays as it is
    (folder / of).write_bytes(damaged)
    for read in reads:
        try:
            read()
        except ValueError as error:
            assert str(folder / of) in str(error), error
            refused += 1
print(refused / len(places) / len(reads))
"""


def test_no_flipped_bit_kills_a_reader(folder):
    """In the schema, the first batch's header and offsets, and the footer; in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", FLIPS, str(folder), "part-0.arrow"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.returncode} after a flip at {done.stderr.splitlines()[-1]}: {done.stderr}"
    assert 0.1 < float(done.stdout) < 1


def changed_batch(path, change):
    """Writes the shard again with other columns."""
    table = pa.ipc.open_file(path.read_bytes()).read_all()
    changed = pa.table(change(table.combine_chunks()), table.column_names).replace_schema_metadata(
        table.schema.metadata
    )
    with pa.ipc.new_file(path, changed.schema) as writer:
        writer.write(changed)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: [t["tokens"].cast(pa.list_(pa.int32())), t["key"], t["source"]], "column tokens is list"),
        (lambda t: [pa.array([None, *t["tokens"].to_pylist()[1:]], t["tokens"].type), t["key"], t["source"]], "nulls"),
        (lambda t: [t["tokens"], pa.array([None, *t["key"].to_pylist()[1:]], pa.uint64()), t["source"]], "nulls"),
    ],
)  # fmt: skip
def test_columns_of_another_kind_are_refused(folder, change, told):
    changed_batch(folder / "part-0.arrow", change)
    with pytest.raises(ValueError, match=rf"part-0\.arrow: .*{told}.*; write the shards again"):
        stats(folder)
