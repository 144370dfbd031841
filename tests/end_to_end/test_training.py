"""From documents to a model: the pipeline's own shards train one, which is measured, asked, charted and published."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import runs
import torch
import yaml
from typer.testing import CliRunner

from pipeline import config_file, stages
from pipeline.cli import app
from pipeline.corpus import Corpus
from training.stream import open_split

SUBJECTS = "The miller", "A baker", "Her aunt", "The old clerk", "Nobody"
VERBS = "carries", "forgets", "mends", "sells", "paints"
OBJECTS = "the stone wheel", "a loaf of bread", "the river road", "two letters", "an oak door"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a small corpus of simple sentences."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    texts = [
        " ".join(f"{SUBJECTS[s]} {VERBS[v]} {OBJECTS[o]}." for s, v, o in rng.integers(0, 5, (rng.integers(5, 60), 3)))
        for _ in range(300)
    ]
    pq.write_table(pa.table({"text": texts}), folder / "documents.parquet")
    config = {
        "name": "sentences", "output": str(folder / "out"), "filter": {"presets": []},
        "sources": [{"name": "made", "format": "parquet", "paths": [str(folder / "documents.parquet")]}],
        "tokenizer": {"vocabulary": 400}, "shards": {"validation_share": 0.1},
    }  # fmt: skip
    stages.run(Corpus(config_file.parse(config)), stages.until(None), runs.Silent())
    return folder / "out"


def test_the_shards_of_a_corpus_train_a_model_that_can_be_looked_at(corpus: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run, path = tmp_path / "run", tmp_path / "training.yaml"
    settings = {
        "model": {"layers": 2, "width": 64, "feed_forward": 128, "heads": 2, "kv_heads": 1, "context": 128,
                  "init_std": 0.02},
        "data": {"shards": str(corpus / "shards"), "batch": 8, "mask_documents": True}, "output": str(run), "steps": 80,
        "optimizer": {"learning_rate": 1e-2}, "schedule": {"warmup_steps": 5}, "validation": {"every": 40},
        "threads": 1, "device": "cpu",
    }  # fmt: skip
    path.write_text(yaml.safe_dump(settings))

    def gristmill(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    gristmill("train", path)
    measured = [r for r in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()) if "bits_per_byte" in r]
    assert [r["step"] for r in measured] == [0, 40, 80]
    first, last = measured[0]["bits_per_byte"], measured[-1]["bits_per_byte"]
    assert last < 0.5 * first  # five choices of five: the text holds little more than 7 bits a sentence of 35 bytes
    found = json.loads(gristmill("evaluate", run, corpus / "shards", "--json"))
    assert found["bits_per_byte"] == pytest.approx(last)
    written = gristmill("generate", run, "--prompt", "The miller", "--tokens", 30, "--temperature", 0)
    assert written.startswith("The miller") and any(verb in written for verb in VERBS)
    assert Path(gristmill("report", run).strip()).read_text().count("bits per byte") > 1
    gristmill("export", run, tmp_path / "published")
    assert (tmp_path / "published" / "tokenizer.json").is_file()


def test_documents_are_where_the_pipeline_says(corpus: Path) -> None:
    split = open_split(corpus / "shards", verify=True)
    assert split.end_token is not None
    tokens = np.empty(split.tokens, np.int64)
    split.read(0, tokens)
    ends = np.flatnonzero(tokens == split.end_token)
    numbers = split.documents(0, split.tokens)
    assert np.array_equal(np.flatnonzero(np.diff(numbers)), ends[:-1])  # an end token is the last of its document
    assert ends[-1] == split.tokens - 1
