"""Token runs → shards: each shard is one range of the shuffle's hash, merged out of every run."""

from __future__ import annotations

from typing import Any

from pipeline import manifests, progress, storage
from pipeline.config import CorpusConfig
from pipeline.corpus import Corpus
from pipeline.job import Job, Task
from pipeline.jobs.train_tokenizer import shard_facts
from pipeline.manifests import Outcome, Receipt
from pipeline.storage import StoredFile
from tokenizer import shards, shuffle
from tokenizer.shard_index import INDEX_NAME, index_of


def settings_of(config: CorpusConfig) -> dict[str, Any]:
    """What the shards depend on, the runs apart."""
    return config.shards.model_dump(include={"seed", "test_share", "tokens_per_shard", "begin_token", "end_token"})


def plan(corpus: Corpus) -> list[Task]:
    """One task a shard; as many shards as the tokens fill."""
    receipts = corpus.receipts("runs")
    tokenizer = shard_facts(corpus)
    tasks = []
    for split in shuffle.SPLITS:
        runs = runs_of(receipts, split)
        contents = manifests.fingerprint([(run.path, run.sha256) for run in runs])
        tokens = sum(receipt.outcome.counts[f"{split}_tokens"] for receipt in receipts)
        count = -(-tokens // corpus.config.shards.tokens_per_shard)
        for number in range(count):
            name = f"{split}-{number:05d}-of-{count:05d}"
            arguments = {"split": split, "number": number, "of": count, "runs": contents, "tokenizer": tokenizer}
            tasks.append(Task(name, arguments, (), 4 * tokens // count))
    return tasks


def runs_of(receipts: list[Receipt], split: str) -> list[StoredFile]:
    """The runs of a split."""
    return [file for r in receipts for file in r.outcome.files if file.path.startswith(f"runs/{split}/")]


def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
    """Merges one shard."""
    bounds = shuffle.shard_bounds(task.arguments["of"])
    low, high = bounds[task.arguments["number"]], bounds[task.arguments["number"] + 1]
    # Every shard reads of every run: they are named by the manifest, not by each task.
    runs = runs_of(corpus.receipts("runs"), task.arguments["split"])
    parts = [_read(corpus.path(run.path), low, high) for run in runs]
    with storage.atomic_write(corpus.path(f"shards/{task.name}.arrow")) as file:
        summary = shards.write_shard(file.stream, parts, shards.schema(**task.arguments["tokenizer"]))
    progress.advance(summary.documents, task.bytes)
    counts = {"documents": summary.documents, "tokens": summary.tokens, "bytes": summary.bytes, "files": 1}
    return Outcome(counts, {"split": task.arguments["split"], "summary": vars(summary)}, (corpus.stored(file),))


def _read(path: str, low: int, high: int) -> shuffle.Documents:
    if storage.is_local(path):
        return shuffle.read_run_range(path, low, high)
    with storage.open_read(path) as file:
        return shuffle.read_run_range(file, low, high)


def summarise(corpus: Corpus, outcomes: list[Outcome]) -> Outcome:
    """Counts by split and source; writes the index of the shards."""
    splits: dict[str, list[tuple[str, shards.ShardSummary]]] = {split: [] for split in shuffle.SPLITS}
    for outcome in outcomes:
        summary = shards.ShardSummary(**outcome.details["summary"])
        splits[outcome.details["split"]].append((outcome.files[0].path.removeprefix("shards/"), summary))
    if not corpus.config.shards.test_share:
        del splits["test"]  # a split that nobody asked for
    content = index_of(splits, seed=corpus.config.shards.seed, **shard_facts(corpus))
    index = storage.write_json(corpus.path(f"shards/{INDEX_NAME}"), content)
    index = index._replace(path=f"shards/{INDEX_NAME}")
    details = {
        "splits": {
            name: {key: split[key] for key in ("documents", "tokens")} for name, split in content["splits"].items()
        },
        "sources": content["sources"],
    }
    return Outcome(manifests.add_counts([outcome.counts for outcome in outcomes]), details, (index,))


JOB = Job("tokenize", "shards", 1, settings_of, plan, work, summarise=summarise)
