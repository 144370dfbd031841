"""What the settings of a corpus do to a real run: sources of other formats, mixtures, models, added files."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import runs
from tokenizers import Tokenizer

from filters.quality_training import Settings, train
from pipeline import config_file, stages
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.sources.read import read_documents


@pytest.fixture(scope="module")
def pages(shared_data):
    """English and Chinese pages of two dumps, as the sites publish them."""
    english, chinese = [], []
    for batch in read_documents(str(shared_data / "dumps" / "2025-07-01.warc.wet.gz"), "wet"):
        for text in batch.documents["text"].to_pylist():
            han = sum("\u4e00" <= c <= "\u9fff" for c in text)
            if len(text) > 1500 and "\n" in text:
                (chinese if han > 0.3 * len(text) else english if han == 0 else []).append(text)
    return english[:300], chinese[:60]


@pytest.fixture
def corpus_of(tmp_path, pages):
    """Makes a corpus of two sources: English as JSONL, Chinese as Parquet with a column of another name."""
    english, chinese = pages
    half = len(english) // 2
    for number, some in enumerate([english[:half], english[half:]]):
        (tmp_path / f"english-{number}.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in some))
    pq.write_table(
        pa.table({"content": chinese, "isbn": [str(i) for i in range(len(chinese))]}), tmp_path / "zh.parquet"
    )

    def make(files="english-*.jsonl", **sections):
        raw = {
            "name": "settings",
            "output": str(tmp_path / "out"),
            "sources": [
                {"name": "web", "format": "jsonl", "paths": [str(tmp_path / files)]},
                {
                    "name": "books",
                    "format": "parquet",
                    "paths": [str(tmp_path / "zh.parquet")],
                    "columns": {"text": "content", "id": "isbn"},
                },
            ],
            "filter": {"presets": []},
            "tokenizer": {"vocabulary": 400},
            "shards": {"validation_share": 0.1},
            "engine": {"workers": 2},
        }
        return Corpus(config_file.parse(raw | sections)), tmp_path / "out"

    return make


def run(corpus, until=None):
    watcher = runs.Silent()
    stages.run(corpus, stages.until(until), watcher)
    return watcher.ran


def test_formats_and_their_columns(corpus_of, pages):
    corpus, output = corpus_of()
    run(corpus, "ingest")
    documents = runs.table(output, "documents").to_pylist()
    assert [row["text"] for row in documents if row["source"] == "web"] == pages[0]
    assert [row["text"] for row in documents if row["source"] == "books"] == pages[1]
    assert [row["id"] for row in documents if row["source"] == "books"] == [str(i) for i in range(len(pages[1]))]
    assert {row["dump"] for row in documents} == {"main"}


def test_a_mixture_reaches_its_shares_by_repeating(corpus_of):
    corpus, output = corpus_of(mix={"languages": {"en": 0.5, "zh": 0.5}, "max_epochs": 3.0})
    run(corpus)
    details = corpus.manifest("mixture")["details"]
    languages = details["axes"]["language"]
    assert details["unit"] == "tokens"
    assert languages["zh"]["before"] < 0.4
    assert details["planned"] == pytest.approx(details["most"])  # Chinese at its cap, which is told
    assert "at the cap: zh (3 epochs)" in details["message"]
    for language in ("en", "zh"):
        assert languages[language]["after"] == pytest.approx(0.5, rel=0.01)
    mixture = runs.table(output, "mixture")
    assert pc.max(mixture["copies"]).as_py() == 3
    drawn = dict(zip(mixture["key"].to_pylist(), mixture["copies"].to_pylist()))
    seen: dict[str, Counter] = {"train": Counter(), "validation": Counter()}
    for path in (output / "shards").glob("*.arrow"):
        with pa.memory_map(str(path)) as file:
            seen[path.name.split("-")[0]].update(pa.ipc.open_file(file).read_all()["key"].to_pylist())
    assert not set(seen["train"]) & set(seen["validation"])
    assert set(seen["validation"].values()) == {1}  # held out once, however often it would have been read
    assert all(drawn[key] == copies for key, copies in seen["train"].items())
    assert set(seen["train"]) | set(seen["validation"]) == {key for key, copies in drawn.items() if copies}


def test_a_share_of_what_is_not_there_is_refused(corpus_of):
    corpus, _ = corpus_of(mix={"languages": {"en": 0.5, "fi": 0.5}})
    with pytest.raises(GristmillError, match=r"mix: .*fi"):
        run(corpus)


def test_an_existing_tokenizer_is_taken(corpus_of, tmp_path):
    corpus, output = corpus_of()
    run(corpus)
    first = corpus.manifest("tokenizer")["details"]["hash"]
    (output / "tokenizer").rename(tmp_path / "kept")
    again, _ = corpus_of(tokenizer={"path": str(tmp_path / "kept")}, shards={"tokens_per_shard": 20_000})
    ran = run(again)
    assert "tokenizer" in ran
    assert again.manifest("tokenizer")["details"]["hash"] == first
    index = json.loads((output / "shards" / "shards.json").read_text())
    assert index["tokenizer"] == first
    assert len(index["splits"]["train"]["files"]) > 2


def test_a_quality_model_of_the_users_own(corpus_of, pages, tmp_path):
    english, chinese = pages
    classes = {"positive": pa.array(english[:40]), "negative": pa.array(chinese[:40])}
    train(classes, tmp_path / "quality.bin", Settings(held_out=0))
    corpus, output = corpus_of(
        filter={"presets": [], "quality": {"mine": {"model": str(tmp_path / "quality.bin"), "minimum": 0.5}}}
    )
    run(corpus, "filter")
    removed = runs.table(output, "decisions").filter(pc.invert(runs.table(output, "decisions")["kept"]))
    assert set(removed["rule"].to_pylist()) == {"quality/mine"}
    sources = Counter(runs.table(output, "filtered", ["source"])["source"].to_pylist())
    assert sources["web"] > 250
    assert sources["books"] < 5
    wrong, _ = corpus_of(
        filter={"presets": [], "quality": {"mine": {"model": str(tmp_path / "quality.bin"), "label": "god"}}}
    )
    with pytest.raises(GristmillError, match="god"):
        run(wrong, "filter")


def test_only_the_languages_asked_for(corpus_of):
    corpus, output = corpus_of(filter={"presets": [], "language": {"keep": ["zh"]}})
    run(corpus, "filter")
    assert set(runs.table(output, "filtered", ["language"])["language"].to_pylist()) == {"zh"}
    rules = Counter(runs.table(output, "decisions", ["rule"])["rule"].to_pylist())
    assert rules["language/language"] > 250


def test_an_added_file_costs_one_task_in_each_stage_that_reads_files(corpus_of):
    corpus, output = corpus_of(files="english-0.jsonl")
    run(corpus, "filter")
    before = runs.fingerprint(output)
    corpus, _ = corpus_of()
    run(corpus, "filter")
    after = runs.fingerprint(output)
    for folder in ("documents", "signatures", "annotations"):
        manifest = corpus.manifest(folder)
        assert (len(manifest["tasks"]), manifest["tasks_run"]) == (3, 1), folder
    of = ("documents", "signatures", "annotations")
    kept = [name for name in before if name.endswith(".parquet") and name.startswith(of)]
    assert len(kept) == 6
    assert all(after[name] == before[name] for name in kept)


def test_too_many_rejects_fail_the_stage_and_say_where(corpus_of, tmp_path):
    corpus, _ = corpus_of(ingest={"max_reject_share": 0.01})
    with open(tmp_path / "english-1.jsonl", "a") as file:
        file.write("not json\n" * 30)
    with pytest.raises(GristmillError, match=r"30 of \d+ records were rejected.*english-1.jsonl at byte \d+: bad-json"):
        run(corpus)


def test_a_preset_of_no_such_language_and_a_model_that_is_none(corpus_of, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"not a model")
    corpus, _ = corpus_of(filter={"language": {"model": str(tmp_path / "model.bin")}})
    with pytest.raises(GristmillError, match=r"model\.bin"):
        run(corpus, "filter")
    with pytest.raises(ConfigError, match="languages"):
        corpus_of(filter={"presets": [{"name": "c4", "languages": []}]})


def test_a_stage_is_not_built_on_one_that_has_changed(corpus_of, pages, tmp_path):
    corpus, output = corpus_of()
    run(corpus)
    (tmp_path / "english-0.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in pages[0][150:280]))
    watcher = runs.Silent()
    stages.run(corpus, ["ingest"], watcher)
    assert watcher.ran == ["ingest"]
    with pytest.raises(GristmillError, match=r"filter: .*signatures is not up to date .*gristmill run --until filter"):
        stages.run(corpus, ["filter"], watcher)
    run(corpus)
    texts = runs.table(output, "filtered", ["text"])["text"].to_pylist()
    assert len(set(texts)) == len(texts)


def test_a_lost_index_of_the_shards_is_written_again(corpus_of):
    corpus, output = corpus_of()
    run(corpus)
    index = output / "shards" / "shards.json"
    before = index.read_bytes()
    index.unlink()
    assert run(corpus) == ["tokenize"]
    assert index.read_bytes() == before


def test_another_padding_of_a_given_tokenizer_is_noticed(corpus_of, tmp_path):
    corpus, output = corpus_of()
    run(corpus)
    (output / "tokenizer").rename(tmp_path / "kept")
    again, _ = corpus_of(tokenizer={"path": str(tmp_path / "kept")})
    run(again)
    padded = tmp_path / "kept" / "tokenizer_config.json"
    padded.write_text(padded.read_text().replace("4096", "8192"))
    assert "tokenize" in run(again)
    assert json.loads((output / "shards" / "shards.json").read_text())["vocabulary"] == 8192


def test_a_test_split_and_gaps_to_fill(corpus_of):
    shares = {"validation_share": 0.1, "test_share": 0.1}
    corpus, output = corpus_of(shards=shares | {"fill_in_middle": 0.5}, mix={"sources": {"web": 0.7, "books": 0.3}})
    run(corpus)
    texts = {row["key"]: row["text"] for row in runs.table(output, "filtered").to_pylist()}
    oracle = Tokenizer.from_file(str(output / "tokenizer" / "tokenizer.json"))
    keys, rearranged = {}, 0
    for path in sorted((output / "shards").glob("*.arrow")):
        split = path.name.split("-")[0]
        for row in pa.ipc.open_file(path).read_all().to_pylist():
            keys.setdefault(split, []).append(row["key"])
            text = oracle.decode(row["tokens"], skip_special_tokens=False).removesuffix("<|end_of_text|>")
            if text.startswith("<|fim_prefix|>"):
                assert split == "train"
                rearranged += 1
                prefix, rest = text.removeprefix("<|fim_prefix|>").split("<|fim_suffix|>")
                suffix, middle = rest.split("<|fim_middle|>")
                text = prefix + middle + suffix
            assert text == texts[row["key"]]
    assert keys.keys() == {"train", "validation", "test"}
    held_out = keys["validation"] + keys["test"]
    assert len(held_out) == len(set(held_out)) and not set(keys["train"]) & set(held_out)
    assert 0.4 < rearranged / len(keys["train"]) < 0.6
    assert rearranged == corpus.manifest("runs")["counts"]["rearranged"]
    index = json.loads((output / "shards" / "shards.json").read_text())
    assert {name: split["documents"] for name, split in index["splits"].items()} == {k: len(v) for k, v in keys.items()}

    other, _ = corpus_of(shards=shares | {"fill_in_middle": 0.5}, engine={"workers": 1}, name="settings")
    other.config.output = str(output.with_name("one-worker"))
    other.config.mix = corpus.config.mix
    run(other)
    for path in (output / "shards").glob("*.arrow"):
        assert (output.with_name("one-worker") / "shards" / path.name).read_bytes() == path.read_bytes()


def test_gaps_need_their_tokens(corpus_of):
    only_end = {"vocabulary": 300, "special_tokens": {"end": "<|end|>"}}
    corpus, _ = corpus_of(tokenizer=only_end, shards={"fill_in_middle": 0.5})
    with pytest.raises(
        ConfigError, match=r"shards\.fill_in_middle: the tokenizer has no fim_prefix, fim_suffix, fim_middle"
    ):
        run(corpus)
