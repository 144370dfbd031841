"""The mixture of filtered documents: shares that are reached, draws that nest and do not depend on the workers."""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from planted import Part

from pipeline import job, mixture_tables, storage
from pipeline.corpus import Corpus
from pipeline.errors import ConfigError, GristmillError
from pipeline.job import Job, Task
from pipeline.jobs import count, encode, gather, mix, survey, tally, train_tokenizer, weigh, yardstick
from pipeline.manifests import Outcome
from pipeline.parts import write_part

SOURCES = ("web", "books")
MIXING = (survey.JOB, yardstick.JOB, weigh.JOB, tally.JOB, mix.JOB)
_RNG = random.Random(11)
_WORDS = {language: [f"{language}{_RNG.randrange(10**5)}" for _ in range(300)] for language in ("en", "ru", "zh", "fi")}


def part(dump: str, number: int, source: str, hosts: list[str] | None = None, **documents: int) -> Part:
    """So many documents in each language, mingled, each of words of its own language."""
    languages = [language for language, many in documents.items() for _ in range(many)]
    _RNG.shuffle(languages)
    texts = [" ".join(_RNG.choices(_WORDS[language], k=_RNG.randrange(1, 30))) for language in languages]
    urls = [f"https://{_RNG.choice(hosts)}/{row}" for row in range(len(texts))] if hosts else None
    return Part(dump, number, texts, source, languages, urls)


HOSTS = ["docs.python.org", "en.wikipedia.org", "shop.example", "de.wikipedia.org", "wiki.example"]
PARTS = [
    part("2021", 0, "web", HOSTS, en=400, ru=80, zh=30),
    part("2021", 1, "books", en=40, zh=200),
    part("2021", 2, "web"),
    part("2022", 0, "web", HOSTS, en=300, zh=20, fi=5),
    part("2022", 1, "books", ru=150),
]


def drawn(
    output: Path, parts: list[Part] = PARTS, workers: int = 1, tokenizer: Any = None, **settings: Any
) -> tuple[Corpus, dict[int, int]]:
    """The corpus with its mixture, and the copies of every document by key. In bytes where no unit is given."""
    settings = {"unit": "bytes"} | settings
    corpus = planted.corpus_of(output, SOURCES, workers, mix=settings, tokenizer=tokenizer or {"vocabulary": 400})
    planted.plant(corpus, parts, "filtered")
    planted.run(corpus, *(each for each in MIXING if each.asked_for(corpus.config)))
    return corpus, copies_in(output)


def copies_in(output: Path) -> dict[int, int]:
    found = planted.table(output, "mixture")
    return dict(zip(found["key"].to_pylist(), found["copies"].to_pylist()))


def rows(output: Path) -> list[dict[str, Any]]:
    return planted.table(output, "filtered").to_pylist()


def sizes_by(
    output: Path, copies: dict[int, int], *fields: str, amounts: dict[int, int] | None = None
) -> dict[Any, int]:
    """Bytes in the mixture (or another amount) by some columns, counted without our code."""
    found: dict[Any, int] = defaultdict(int)
    for row in rows(output):
        size = len(row["text"].encode()) if amounts is None else amounts[row["key"]]
        found[tuple(row[field] for field in fields) if len(fields) > 1 else row[fields[0]]] += size * copies[row["key"]]
    return found


def axes(corpus: Corpus) -> dict[str, dict[str, dict[str, Any]]]:
    return corpus.manifest("mixture")["details"]["axes"]


def test_without_settings_every_document_is_read_once_and_nothing_is_measured(tmp_path):
    corpus, copies = drawn(tmp_path)
    assert copies == {row["key"]: 1 for row in rows(tmp_path)}
    size = sum(len(row["text"].encode()) for row in rows(tmp_path))
    assert corpus.manifest("mixture")["counts"] == {"documents": 1225, "copies": 1225, "bytes": size}
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"filtered", "mixture"}
    english = axes(corpus)["language"]["en"]
    assert english["documents"] == english["copies"] == 740
    assert english["before"] == english["after"] == english["amount_after"] / size


def test_shares_by_source_and_by_language_are_reached_together(tmp_path):
    shares = {"sources": {"web": 0.5, "books": 0.5}, "languages": {"en": 0.4, "zh": 0.3, "other": 0.3}}
    corpus, copies = drawn(tmp_path, max_epochs=4.0, **shares)
    total = sum(sizes_by(tmp_path, copies, "source").values())
    by_language = sizes_by(tmp_path, copies, "language")
    by_language["other"] = by_language["ru"] + by_language["fi"]
    for name, share in shares["sources"].items():
        assert sizes_by(tmp_path, copies, "source")[name] / total == pytest.approx(share, rel=0.01)
    for name, share in shares["languages"].items():
        assert by_language[name] / total == pytest.approx(share, rel=0.01)
    for axis, targets in zip(("source", "language"), shares.values()):
        for name, row in axes(corpus)[axis].items():
            assert row["target"] == targets[name]
            assert row["planned"] == pytest.approx(row["target"], rel=1e-5)
            assert row["after"] == pytest.approx(row["planned"], rel=0.01)
    assert max(copies.values()) <= 4


def test_the_table_of_the_mixture_is_what_was_drawn(tmp_path):
    corpus, copies = drawn(tmp_path, languages={"en": 0.6, "zh": 0.4}, max_epochs=1.5)
    manifest = corpus.manifest("mixture")
    once = dict.fromkeys(copies, 1)
    before, after = sizes_by(tmp_path, once, "language"), sizes_by(tmp_path, copies, "language")
    for name, row in axes(corpus)["language"].items():
        assert (row["bytes_before"], row["bytes_after"]) == (before[name], after[name])
        assert (row["amount_before"], row["amount_after"]) == (before[name], after[name])
        assert row["documents"] == sum(each["language"] == name for each in rows(tmp_path))
        assert row["copies"] == sum(copies[each["key"]] for each in rows(tmp_path) if each["language"] == name)
    assert manifest["counts"]["copies"] == sum(copies.values())
    assert manifest["counts"]["bytes"] == sum(after.values())
    cells = {cell["domains"]["language"]: cell for cell in manifest["details"]["cells"]}
    assert cells.keys() == {"en", "zh", "ru", "fi"}  # those without a share are left out, and are still in the table
    assert after["ru"] == after["fi"] == cells["ru"]["epochs"] == 0
    for name in ("en", "zh"):
        assert cells[name]["epochs"] == pytest.approx(after[name] / before[name])
        assert cells[name]["epochs"] == pytest.approx(cells[name]["planned_epochs"], rel=0.01)
        used = {copies[each["key"]] for each in rows(tmp_path) if each["language"] == name}
        assert used <= {math.floor(cells[name]["planned_epochs"]), math.ceil(cells[name]["planned_epochs"])}


def test_a_larger_mixture_only_adds(tmp_path):
    size = sum(len(text) for part in PARTS for text in part.texts)
    before = None
    for total in (0.1, 0.3, 0.95, 1.0, 1.4, 2.0, 2.6):
        corpus, copies = drawn(tmp_path, max_epochs=3.0, total=int(total * size))
        assert corpus.manifest("mixture")["counts"]["bytes"] == pytest.approx(total * size, rel=0.003)
        if before is not None:
            assert all(before[key] <= copies[key] for key in copies)
            assert before != copies
        before = copies


def test_a_larger_share_adds_to_its_own_and_takes_from_the_others(tmp_path):
    # A total that no cap binds: only the shares move.
    size = sum(len(text) for part in PARTS for text in part.texts) // 4
    settings = {"max_epochs": 5.0, "total": size}
    little = drawn(tmp_path, **settings, languages={"en": 0.7, "zh": 0.1, "ru": 0.2})[1]
    before = (tmp_path / "domains/manifest.json").read_bytes(), (tmp_path / "cells/manifest.json").read_bytes()
    more = drawn(tmp_path, **settings, languages={"en": 0.5, "zh": 0.3, "ru": 0.2})[1]
    assert before == (
        (tmp_path / "domains/manifest.json").read_bytes(),
        (tmp_path / "cells/manifest.json").read_bytes(),
    )
    language_of = {row["key"]: row["language"] for row in rows(tmp_path)}
    for key, language in language_of.items():
        if language == "zh":
            assert little[key] <= more[key]
        elif language == "en":
            assert little[key] >= more[key]
        else:
            assert little[key] == more[key]
    assert sum(more.values()) != sum(little.values())


def test_weights_of_one_domain_leave_the_documents_of_all_others(tmp_path):
    first = drawn(tmp_path, languages={"weights": {"zh": 0.3, "ru": 0.6}})[1]
    second = drawn(tmp_path, languages={"weights": {"zh": 2.5, "ru": 0.6}}, max_epochs=3)[1]
    for row in rows(tmp_path):
        one, other = first[row["key"]], second[row["key"]]
        assert one < other if row["language"] == "zh" else one == other
    by_language = sizes_by(tmp_path, second, "language")
    once = sizes_by(tmp_path, dict.fromkeys(second, 1), "language")
    assert by_language["zh"] == pytest.approx(2.5 * once["zh"], rel=0.01)
    assert by_language["ru"] == pytest.approx(0.6 * once["ru"], rel=0.01)
    assert by_language["en"] == once["en"]


def test_documents_that_are_added_only_move_the_line(tmp_path):
    settings: dict[str, Any] = {"max_epochs": 0.4}
    _, before = drawn(tmp_path, PARTS[:3], **settings)
    more = [*PARTS[:3], part("2022", 0, "web", en=30, zh=10)]
    corpus, after = drawn(tmp_path, more, **settings)
    assert corpus.manifest("domains")["tasks_run"] == 1
    assert len(after) == len(before) + 40
    changed = [after[key] - before[key] for key in before if after[key] != before[key]]
    assert len(changed) < 20
    assert len(set(changed)) <= 1  # all came in, or all fell out: the line moved, nothing was shuffled
    _, whole = drawn(tmp_path, **settings)
    assert sum(whole.values()) > sum(after.values())


def test_another_seed_draws_others(tmp_path):
    _, first = drawn(tmp_path, total=20_000)
    _, second = drawn(tmp_path, total=20_000, seed=1)
    both = sum(first[key] and second[key] for key in first)
    assert 0 < both < 0.6 * sum(first.values())


@pytest.mark.parametrize("unit", ["bytes", "tokens", "documents"])
@pytest.mark.parametrize("change", ["two workers", "seven workers", "order of parts", "row groups"])
def test_nothing_changes_what_is_drawn(tmp_path, monkeypatch, change, unit):
    settings = {"languages": {"en": 0.5, "zh": 0.3, "other": 0.2}, "max_epochs": 2.5, "unit": unit}
    first, copies = drawn(tmp_path / "first", **settings)
    if change == "row groups":
        monkeypatch.setattr("pipeline.parts._ROW_GROUP_BYTES", 1)
    workers = {"two workers": 2, "seven workers": 7}.get(change, 1)
    parts = PARTS[::-1] if change == "order of parts" else PARTS
    again, same = drawn(tmp_path / "again", parts, workers, **settings)
    assert same == copies
    if change != "row groups":
        assert planted.digests(tmp_path / "again", "mixture") == planted.digests(tmp_path / "first", "mixture")
    for name in ("counts", "details"):
        assert again.manifest("mixture")[name] == first.manifest("mixture")[name]


def test_a_mixture_of_nothing_is_refused(tmp_path):
    with pytest.raises(GristmillError, match="no document is left in the mixture"):
        drawn(tmp_path, total=1)
    with pytest.raises(GristmillError, match="mix: no documents for the share of unknown language 'nl'"):
        drawn(tmp_path, languages={"en": 0.5, "nl": 0.5})


# Tokens


def test_tokens_are_weighed_by_a_yardstick_and_told_in_those_of_the_shards(tmp_path):
    corpus, copies = drawn(tmp_path, unit="tokens", languages={"en": 0.5, "zh": 0.3, "ru": 0.2}, max_epochs=3)
    weighed = planted.table(tmp_path, "tokens")
    tokens = dict(zip(weighed["key"].to_pylist(), weighed["tokens"].to_pylist()))
    by_language = sizes_by(tmp_path, copies, "language", amounts=tokens)
    total = sum(by_language.values())
    for name, share in {"en": 0.5, "zh": 0.3, "ru": 0.2}.items():
        assert by_language[name] / total == pytest.approx(share, rel=0.01)
        assert axes(corpus)["language"][name]["amount_after"] == by_language[name]
    planted.run(corpus, count.JOB, train_tokenizer.JOB, encode.JOB, gather.JOB)
    index = json.loads((tmp_path / "shards" / "shards.json").read_text())
    told = corpus.manifest("runs")["details"]["domains"]
    written = sum(split["tokens"] for split in index["splits"].values())
    assert sum(told["language"].values()) == sum(told["source"].values()) == written
    for name, source in index["sources"].items():
        assert told["source"][name] == source["tokens"]


def test_a_given_tokenizer_weighs_exactly(tmp_path):
    made, _ = drawn(tmp_path / "first")
    planted.run(made, count.JOB, train_tokenizer.JOB)
    given = {"path": str(tmp_path / "first" / "tokenizer")}
    corpus, _ = drawn(
        tmp_path / "second", unit="tokens", languages={"en": 0.4, "zh": 0.6}, max_epochs=9, tokenizer=given
    )
    assert not (tmp_path / "second" / "yardstick").exists()
    planted.run(corpus, count.JOB, train_tokenizer.JOB, encode.JOB)
    told = corpus.manifest("runs")["details"]["domains"]["language"]
    # Held-out documents are written once however often they are mixed: 0.1 %.
    assert told["zh"] / (told["zh"] + told["en"]) == pytest.approx(0.6, rel=0.01)


def test_the_yardstick_does_not_depend_on_the_shares(tmp_path):
    drawn(tmp_path, unit="tokens", languages={"en": 0.5, "zh": 0.5}, max_epochs=3)
    before = planted.digests(tmp_path, "tokens", "domains", "yardstick")
    corpus, _ = drawn(tmp_path, unit="tokens", languages={"en": 0.1, "zh": 0.9}, max_epochs=9)
    assert planted.digests(tmp_path, "tokens", "domains", "yardstick") == before
    assert corpus.manifest("tokens")["tasks_run"] == len(PARTS)  # of the first run: the second had nothing to weigh


# Other axes


def test_lists_of_hosts_are_domains(tmp_path):
    listed = tmp_path / "wiki.txt"
    listed.write_text("# encyclopedias\nwikipedia.org\nwiki.example # another\n")
    hosts = {
        "lists": {"code": ["docs.python.org"]},
        "files": {"wiki": str(listed)},
        "weights": {"code": 2, "wiki": 0.5},
    }
    corpus, copies = drawn(tmp_path / "out", hosts=hosts, max_epochs=2)
    host_of = {row["key"]: row["url"].split("/")[2] for row in rows(tmp_path / "out")}
    for key, host in host_of.items():
        if host == "docs.python.org":
            assert copies[key] == 2
        elif "wiki" not in host:
            assert copies[key] == 1
    found = axes(corpus)["host"]
    assert found["wiki"]["epochs"] == pytest.approx(0.5, rel=0.01)
    assert found["wiki"]["documents"] == sum("wiki" in host for host in host_of.values())
    listed.write_text("docs.python.org\n")
    with pytest.raises(ConfigError, match=r"mix.hosts: 'docs.python.org' is in two lists, 'code' and 'wiki'"):
        drawn(tmp_path / "out", hosts=hosts, max_epochs=2)


def label(corpus: Corpus, name: str, labels: list[str | None]) -> None:
    """What a model says of documents, as the filter stage leaves it: of more of them, in order of key."""
    receipts = corpus.receipts("filtered")

    def plan(corpus: Corpus) -> list[Task]:
        return [Task(f"{name}/{receipt.task}", {}, receipt.outcome.files) for receipt in receipts]

    def work(task: Task, settings: dict[str, Any], corpus: Corpus) -> Outcome:
        keys = pq.read_table(corpus.path(task.inputs[0].path), partitioning=None)["key"].to_pylist()
        keys = sorted({*keys, *(key + 10**6 for key in keys)})
        said = pa.array([labels[key % len(labels)] for key in keys], pa.string())
        batch = pa.record_batch({"key": pa.array(keys, pa.uint64()), f"label_{name}": said})
        with write_part(corpus.path(f"quality/{task.name}.parquet"), batch.schema) as (out, file):
            out.write(batch)
        return Outcome({}, {}, (corpus.stored(file),))

    job.run(Job("quality", "quality", 1, lambda config: {}, plan, work), corpus)


def test_labels_of_a_classifier_are_domains(tmp_path):
    settings = {
        "unit": "documents",
        "labels": {"topic": {"science": 0.5, "other": 0.5}},
        "sources": {"weights": {"web": 1}},
    }
    models = {"quality": {"topic": {"model": "topic.bin", "classify": True}}}
    corpus = planted.corpus_of(tmp_path, SOURCES, mix=settings, filter=models)
    planted.plant(corpus, PARTS, "filtered")
    labels = ["science", "shopping", "science", "sport", None, "shopping", "shopping"]
    label(corpus, "topic", labels)
    planted.run(corpus, survey.JOB, tally.JOB, mix.JOB)
    copies = copies_in(tmp_path)
    science = sum(copies[key] for key in copies if labels[key % 7] == "science")
    assert science / sum(copies.values()) == pytest.approx(0.5, abs=0.01)
    assert set(axes(corpus)["label_topic"]) == {"science", "other"}


def sized(corpus: Corpus) -> dict[int, int]:
    """Gives the filtered documents cluster sizes, as deduplication found them; by key."""
    sizes = {}
    for receipt in corpus.receipts("filtered"):
        path = corpus.path(receipt.outcome.files[0].path)
        table = pq.read_table(path, partitioning=None)
        own = [(1, 1, 2, 4, 120)[key % 5] for key in table["key"].to_pylist()]
        sizes |= dict(zip(table["key"].to_pylist(), own))
        table = table.append_column("cluster", table["key"]).append_column("cluster_size", pa.array(own, pa.uint32()))
        with write_part(path, table.schema) as (out, _):
            for batch in table.to_batches():
                out.write(batch)
    return sizes


def test_documents_of_large_clusters_come_back(tmp_path):
    settings = {"unit": "bytes", "rehydrate": {"weights": {1: 1, 2: 2, 3: 3, 100: 0}}, "max_epochs": 3}
    corpus = planted.corpus_of(tmp_path, SOURCES, mix=settings)
    planted.plant(corpus, PARTS, "filtered")
    sizes = sized(corpus)
    planted.run(corpus, survey.JOB, tally.JOB, mix.JOB)
    assert {key: {1: 1, 2: 2, 4: 3, 120: 0}[size] for key, size in sizes.items()} == copies_in(tmp_path)
    # With shares and a cap: within a language documents keep the proportions of their weights, under the cap.
    shared = planted.corpus_of(
        tmp_path, SOURCES, mix=settings | {"languages": {"en": 0.5, "zh": 0.5}, "max_epochs": 2, "total": 20_000}
    )
    planted.run(shared, survey.JOB, tally.JOB, mix.JOB)
    details = shared.manifest("mixture")["details"]
    for row in details["axes"]["language"].values():
        assert row["after"] == pytest.approx(row["planned"], abs=0.01)
    epochs = {
        (cell["domains"]["language"], cell["domains"]["cluster_size"]): cell["planned_epochs"]
        for cell in details["cells"]
    }
    assert epochs["en", "2"] == pytest.approx(min(2, 2 * epochs["en", "1"]), rel=1e-4)
    assert epochs["en", "3-99"] == pytest.approx(min(2, 3 * epochs["en", "1"]), rel=1e-4)
    assert epochs["en", "100+"] == 0


# The plan ahead


def test_the_plan_is_known_before_anything_is_drawn(tmp_path):
    settings = {"unit": "tokens", "languages": {"en": 0.3, "zh": 0.7}, "max_epochs": 2}
    corpus = planted.corpus_of(tmp_path, SOURCES, mix=settings, tokenizer={"vocabulary": 400})
    planted.plant(corpus, PARTS, "filtered")
    planted.run(corpus, *MIXING[:-1])
    ahead = mixture_tables.planned_details(corpus)
    assert not storage.exists(corpus.path("mixture/manifest.json"))
    assert "at the cap: zh (2 epochs)" in ahead["message"]
    assert ahead["axes"]["language"]["zh"]["binds"]
    planted.run(corpus, mix.JOB)
    after = corpus.manifest("mixture")["details"]
    for key in ("message", "asked", "planned", "most", "steered", "unit"):
        assert after[key] == ahead[key]
    for axis, domains in after["axes"].items():
        for name, row in domains.items():
            for key in ("documents", "bytes_before", "amount_before", "before", "target", "planned", "binds"):
                assert row[key] == ahead["axes"][axis][name][key]
            drawn_ahead = ahead["axes"][axis][name]["amount_after"]
            assert row["amount_after"] == pytest.approx(drawn_ahead, rel=0.01 if axis == "language" else 0.03, abs=30)
