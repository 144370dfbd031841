"""Samples out of memory-mapped shards: the right tokens, each once an epoch, from any position at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import ShardSet, ValidationSet
from training.data import Loader, in_order, prefetch
from training.errors import TrainingError
from training.stream import check_tokens, open_sets, open_split, validation_sets

END = 1


def stream(shards: Path, split: str = "train") -> np.ndarray:
    """Every token of a split in order, read with pyarrow alone."""
    files = json.loads((shards / "shards.json").read_text())["splits"][split]["files"]
    tables = [pa.ipc.open_file(shards / f["path"]).read_all() for f in files]
    return np.concatenate([t.column("tokens").combine_chunks().flatten().to_numpy() for t in tables])


def loader(shards: Path, context: int, seed: int = 0) -> Loader:
    return Loader([open_split(shards)], [1.0], context, seed, 64)


def test_an_epoch_holds_every_sample_once_and_only_the_remainder_is_left_out(shards: Path) -> None:
    tokens, context = stream(shards), 32
    reader = loader(shards, context)
    samples = int(reader.samples[0])
    assert samples == (len(tokens) - 1) // context > 100
    batch = reader.batch(0, samples)
    assert batch.dtype == np.int64 and batch.shape == (samples, context + 1)
    expected = np.stack([tokens[i * context : (i + 1) * context + 1] for i in range(samples)])
    _, order, epoch = reader.locate(np.arange(samples))
    assert np.array_equal(batch, expected[order]) and set(epoch) == {0}
    assert np.array_equal(np.sort(order), np.arange(samples))
    assert not np.array_equal(order, np.arange(samples))
    second = reader.locate(np.arange(samples, 2 * samples))
    assert np.array_equal(np.sort(second[1]), np.arange(samples)) and set(second[2]) == {1}
    assert not np.array_equal(second[1], order)


def test_samples_cross_documents_record_batches_and_files(shards: Path) -> None:
    tokens = stream(shards)
    split = open_split(shards)
    assert len(split.segments) > 10 and len({*split.files}) == 2
    everything = np.empty(len(tokens), np.int64)
    split.read(0, everything)
    assert np.array_equal(everything, tokens)


@given(st.integers(0, 10**9), st.integers(1, 9), st.integers(1, 100))
def test_the_cursor_is_the_whole_state(cursor: int, count: int, context: int) -> None:
    reader = loader(_shared_shards(), context)
    together = reader.batch(cursor, count)
    alone = [loader(_shared_shards(), context).batch(cursor + i, 1)[0] for i in range(count)]
    assert np.array_equal(together, np.stack(alone))


def test_seeds_give_other_orders(shards: Path) -> None:
    assert not np.array_equal(loader(shards, 32, 0).batch(0, 8), loader(shards, 32, 1).batch(0, 8))


def test_tokens_are_views_of_the_mapped_file(shards: Path) -> None:
    before = pa.total_allocated_bytes()
    split = open_split(shards)
    assert split.tokens == len(stream(shards))
    assert pa.total_allocated_bytes() - before < 4096
    assert not any(s.flags.owndata or s.flags.writeable for s in split.segments)


def test_a_mixture_deals_each_set_its_share_and_every_sample(tmp_path: Path, make_shards: Callable[..., Path]) -> None:
    folders = []
    for i, name in enumerate("abc"):
        documents = [("s", [2 + 20 * i + j % 20 for j in range(99)]) for _ in range(20 + 10 * i)]
        folders.append(make_shards(tmp_path / name, {"train": [documents]}))
    weights = [0.6, 0.3, 0.1]
    splits = open_sets([ShardSet(path=str(f)) for f in folders], "train")
    reader = Loader(splits, weights, 10, 5, 64)
    chosen, sample, epoch = reader.locate(np.arange(4096 * 3))
    for start in range(0, len(chosen), 4096):
        counts = np.bincount(chosen[start : start + 4096], minlength=3)
        assert np.abs(counts / 4096 - weights).max() <= 1 / 4096
    for i in range(3):
        visits = np.bincount(sample[chosen == i], minlength=reader.samples[i])
        assert visits.max() - visits.min() <= 1  # every sample equally often
        assert set(np.diff(epoch[chosen == i])) <= {0, 1}  # an epoch is over before the next begins
    row = reader.batch(77, 1)[0]
    assert set(row) - {END} <= set(range(2 + 20 * chosen[77], 22 + 20 * chosen[77]))


def test_validation_reads_every_token_once_in_order(shards: Path) -> None:
    tokens = stream(shards, "validation")
    split = open_split(shards, "validation")
    for context in (1, 7, 32, len(tokens) - 1, len(tokens) + 50):
        parts = list(in_order(split, context, 3))
        targets = np.concatenate([part[:, 1:].ravel() for _, part in parts])
        assert np.array_equal(targets, tokens[1:])
        for start, part in parts:
            assert np.array_equal(part[0], tokens[start : start + part.shape[1]])
    assert sum(part[:, 1:].size for _, part in in_order(split, 16, 3, most_tokens=100)) == 96


def test_the_source_of_every_token_is_known(shards: Path) -> None:
    names: list[str] = []
    split = open_split(shards)
    files = json.loads((shards / "shards.json").read_text())["splits"]["train"]["files"]
    expected = []
    for file in files:
        for row in pa.ipc.open_file(shards / file["path"]).read_all().to_pylist():
            expected += [row["source"]] * len(row["tokens"])
    for start, stop in ((0, split.tokens), (17, 900), (300, 301)):
        assert [names[i] for i in split.sources(start, stop, names)] == expected[start:stop]


def test_the_documents_of_every_sample_are_known(tmp_path: Path, make_shards: Callable[..., Path]) -> None:
    rng = np.random.default_rng(1)
    documents = [("s", [5] * int(n)) for n in rng.integers(0, 40, 300)]  # also documents of their end token alone
    folder = make_shards(tmp_path / "s", {"train": [documents[:170], documents[170:]]})
    number = np.repeat(np.arange(300), [len(tokens) + 1 for _, tokens in documents])
    split = open_split(folder)
    for start, stop in ((0, split.tokens), (1, 2), (13, 600), (split.tokens - 9, split.tokens)):
        assert np.array_equal(split.documents(start, stop), number[start:stop] - number[start])
    reader = loader(folder, 50)
    _, samples, _ = reader.locate(np.arange(7, 27))
    expected = np.stack([number[i * 50 : (i + 1) * 50] - number[i * 50] for i in samples])
    assert np.array_equal(reader.documents(7, 20), expected)


def test_prefetching_keeps_the_order_and_passes_errors_on() -> None:
    assert list(prefetch(lambda i: i * i, 3, 8)) == [9, 16, 25, 36, 49]
    assert list(prefetch(lambda i: i, 5, 5)) == []
    assert list(prefetch(lambda i: i, 0, 1, ahead=4)) == [0]
    made: list[int] = []
    batches = prefetch(made.append, 0, 100, ahead=3)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert made == list(range(len(made))) and len(made) <= 4  # no more than was ahead
    with pytest.raises(ZeroDivisionError):
        list(prefetch(lambda i: 1 // (2 - i), 0, 5))


def test_shards_that_are_not_there_or_damaged_are_named(tmp_path: Path, shards: Path) -> None:
    with pytest.raises(TrainingError, match=r"there is no shards\.json in .*; did you mean .*shards\?"):
        open_split(tmp_path)
    with pytest.raises(TrainingError, match=r"there is no shards\.json in .*nowhere$"):
        open_split(tmp_path / "nowhere")
    path = shards / "train-00001.arrow"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        TrainingError, match=rf"train-00001\.arrow has {len(content) // 2} bytes instead of {len(content)}"
    ):
        open_split(shards)
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    with pytest.raises(TrainingError, match=r"train-00001\.arrow cannot be read as a token shard"):
        open_split(shards)
    replace_shard(shards, "train-00001.arrow", (shards / "train-00000.arrow").read_bytes())
    with pytest.raises(TrainingError, match=r"train-00001\.arrow holds \d+ tokens, shards\.json says \d+"):
        open_split(shards)
    table = pa.ipc.open_file(shards / "train-00000.arrow").read_all()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema.with_metadata({"gristmill.tokenizer": "c" * 64})) as writer:
        writer.write(table)
    replace_shard(shards, "train-00001.arrow", sink.getvalue().to_pybytes())
    with pytest.raises(TrainingError, match=r"train-00001\.arrow was written with tokenizer c+, shards\.json says a+"):
        open_split(shards)
    path.unlink()
    with pytest.raises(TrainingError, match=r"train-00001\.arrow cannot be read"):
        open_split(shards)
    (shards / "shards.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"shards\.json: has no 'tokenizer'; write the shards again"):
        open_split(shards)


def replace_shard(shards: Path, name: str, content: bytes) -> None:
    """Puts another file into a shard's place, its size in the index corrected."""
    (shards / name).write_bytes(content)
    index = json.loads((shards / "shards.json").read_text())
    next(f for f in index["splits"]["train"]["files"] if f["path"] == name)["bytes"] = len(content)
    (shards / "shards.json").write_text(json.dumps(index))


def test_a_flipped_bit_is_found_when_asked_for(shards: Path) -> None:
    path = shards / "train-00000.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"train-00000\.arrow does not match its checksum"):
        open_split(shards, verify=True)


def test_shards_of_two_tokenizers_do_not_mix(tmp_path: Path, shards: Path, make_shards: Callable[..., Path]) -> None:
    other = make_shards(tmp_path / "other", {"train": [[("s", [5] * 99)]]}, tokenizer="b" * 64)
    with pytest.raises(
        TrainingError, match=r"other was written with tokenizer bbbbbbbbbbbb, .*shards with aaaaaaaaaaaa"
    ):
        open_sets([ShardSet(path=str(shards)), ShardSet(path=str(other))], "train")


def test_validation_sets_are_those_named_or_the_training_folders_own(
    tmp_path: Path, shards: Path, make_shards: Callable[..., Path]
) -> None:
    held_out = make_shards(tmp_path / "b" / "shards", {"train": [[("s", [5] * 9)]], "validation": [[("s", [6] * 9)]]})
    bare = make_shards(tmp_path / "c", {"train": [[("s", [5] * 9)]]})
    like = open_split(shards)
    training = [ShardSet(path=str(folder)) for folder in (shards, held_out, bare)]
    own = validation_sets(None, training, like)
    assert {name: split.folder for name, split in own.items()} == {tmp_path.name: shards, "b": held_out}
    chosen = [ValidationSet(path=str(held_out), name="easy"), ValidationSet(path=str(bare), split="train")]
    assert {name: s.name for name, s in validation_sets(chosen, training, like).items()} == {
        "easy": "validation", "c": "train"
    }  # fmt: skip
    with pytest.raises(TrainingError, match=r"validation\.shards: the validation split in .*c has no tokens to score"):
        validation_sets([ValidationSet(path=str(bare))], training, like)
    other = make_shards(tmp_path / "o", {"validation": [[("s", [5] * 9)]]}, tokenizer="b" * 64)
    with pytest.raises(TrainingError, match=r"validation\.shards: .*o was written with tokenizer bbbbbbbbbbbb"):
        validation_sets([ValidationSet(path=str(other))], training, like)


def test_tokens_that_the_model_has_no_row_for_are_refused(tmp_path: Path, make_shards: Callable[..., Path]) -> None:
    documents = [("s", [5] * 70_000 + [99])]
    lying = make_shards(tmp_path / "lying", {"train": [documents]}, vocabulary=64)
    split = open_split(lying)
    with pytest.raises(TrainingError, match=r"model\.vocabulary: 32 is smaller than the 64 entries of the shards in"):
        check_tokens([split], 32)
    check_tokens([split], 64)  # the first tokens are fine
    with pytest.raises(TrainingError, match=r"train-00000\.arrow holds token 99, model\.vocabulary is 64"):
        check_tokens([split], 64, thorough=True)
    with pytest.raises(TrainingError, match="holds token 99"):
        Loader([split], [1.0], 70_001, 0, 64).batch(0, 1)


def test_too_few_tokens_for_a_sample_are_refused(tmp_path: Path, make_shards: Callable[..., Path]) -> None:
    small = make_shards(tmp_path / "small", {"train": [[("s", [5] * 9)]]})
    with pytest.raises(TrainingError, match=r"has 10 tokens, too few for one sample of 10 \+ 1; lower data\.context"):
        loader(small, 10)
    assert loader(small, 9).batch(0, 1).tolist() == [[5] * 9 + [END]]


_cached: list[Path] = []


def _shared_shards() -> Path:
    return _cached[0]


@pytest.fixture(autouse=True, scope="module")
def _keep_shards(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder for the property test, which may not take a fixture made anew for each example."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("shard_writer", Path(__file__).with_name("conftest.py"))
    assert spec and spec.loader
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    documents = writer.counting_documents(np.random.default_rng(0), 60, 64, "s")
    _cached.append(writer.write_shards(tmp_path_factory.mktemp("data") / "shards", {"train": [documents]}))
