"""The mixture of filtered documents: shares that are reached, draws that nest and do not depend on the workers."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import planted
import pytest
from planted import Part

from pipeline.corpus import Corpus
from pipeline.errors import GristmillError
from pipeline.jobs import mix

SOURCES = ("web", "books")
_RNG = random.Random(11)


def part(dump: str, number: int, source: str, **documents: int) -> Part:
    """So many documents in each language, mingled."""
    languages = [language for language, count in documents.items() for _ in range(count)]
    _RNG.shuffle(languages)
    return Part(dump, number, [planted.prose(_RNG, _RNG.randrange(1, 30)) for _ in languages], source, languages)


PARTS = [
    part("2021", 0, "web", en=400, ru=80, zh=30),
    part("2021", 1, "books", en=40, zh=200),
    part("2021", 2, "web"),
    part("2022", 0, "web", en=300, zh=20, fi=5),
    part("2022", 1, "books", ru=150),
]


def drawn(output: Path, parts: list[Part] = PARTS, workers: int = 1, **settings: Any) -> tuple[Corpus, dict[int, int]]:
    """The corpus with its mixture, and the copies of every document by key."""
    corpus = planted.corpus_of(output, SOURCES, workers, mix=settings)
    planted.plant(corpus, parts, "filtered")
    planted.run(corpus, mix.JOB)
    found = planted.table(output, "mixture")
    return corpus, dict(zip(found["key"].to_pylist(), found["copies"].to_pylist()))


def rows(output: Path) -> list[dict[str, Any]]:
    return planted.table(output, "filtered").to_pylist()


def cells(output: Path) -> dict[tuple[str, str], list[int]]:
    """Keys by source and language."""
    found = defaultdict(list)
    for row in rows(output):
        found[row["source"], row["language"]].append(row["key"])
    return found


def test_without_settings_every_document_is_read_once(tmp_path):
    corpus, copies = drawn(tmp_path)
    assert copies == {row["key"]: 1 for row in rows(tmp_path)}
    size = sum(len(row["text"].encode()) for row in rows(tmp_path))
    assert corpus.manifest("mixture")["counts"] == {"documents": 1225, "copies": 1225, "bytes": size}


def test_shares_by_source_and_by_language_are_reached_together(tmp_path):
    shares = {"sources": {"web": 0.5, "books": 0.5}, "languages": {"en": 0.4, "zh": 0.3, "other": 0.3}}
    corpus, copies = drawn(tmp_path, max_epochs=4.0, **shares)
    total = read = 0
    by: dict[str, int] = defaultdict(int)
    for row in rows(tmp_path):
        read += 1
        size = len(row["text"].encode()) * copies[row["key"]]
        total += size
        by[row["source"]] += size
        by[row["language"] if row["language"] in shares["languages"] else "other"] += size
    assert read == len(copies)
    for name, share in (shares["sources"] | shares["languages"]).items():
        assert by[name] / total == pytest.approx(share, abs=0.03)
    # What a cell is to be read is in the manifest, and each of its documents is read that often or once more.
    table = {(cell["source"], cell["language"]): cell for cell in corpus.manifest("mixture")["details"]["cells"]}
    of_cells = cells(tmp_path)
    assert table.keys() == of_cells.keys()
    assert max(cell["epochs"] for cell in table.values()) == 4
    for name, keys in of_cells.items():
        epochs = table[name]["epochs"]
        assert {copies[key] for key in keys} <= {math.floor(epochs), math.ceil(epochs)}
        spread = 4 * math.sqrt(len(keys) * (epochs % 1) * (1 - epochs % 1)) + 1
        assert sum(copies[key] for key in keys) == pytest.approx(len(keys) * epochs, abs=spread)


def test_the_table_of_the_mixture_is_what_was_drawn(tmp_path):
    corpus, copies = drawn(tmp_path, languages={"en": 0.6, "zh": 0.4}, max_epochs=1.5)
    manifest = corpus.manifest("mixture")
    wanted: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows(tmp_path):
        cell = wanted.setdefault((row["source"], row["language"]), defaultdict(int))
        size = len(row["text"].encode())
        cell["documents"] += 1
        cell["bytes_before"] += size
        cell["copies"] += copies[row["key"]]
        cell["bytes_after"] += size * copies[row["key"]]
    found = {(cell.pop("source"), cell.pop("language")): cell for cell in manifest["details"]["cells"]}
    assert {name: {key: cell[key] for key in cell if key != "epochs"} for name, cell in found.items()} == wanted
    assert manifest["counts"]["copies"] == sum(copies.values())
    assert manifest["counts"]["bytes"] == sum(cell["bytes_after"] for cell in wanted.values())
    for name, key in (("before", "bytes_before"), ("after", "bytes_after")):
        whole = sum(cell[key] for cell in wanted.values())
        for axis, shares in enumerate(["sources", "languages"]):
            for group, share in manifest["details"][shares].items():
                own = sum(cell[key] for cell_name, cell in wanted.items() if cell_name[axis] == group)
                assert share[name] == own / whole
    assert {language: share["target"] for language, share in manifest["details"]["languages"].items()} == {
        "en": 0.6, "zh": 0.4, "fi": None, "ru": None,
    }  # fmt: skip
    # Languages without a share are left out, and are still in the table.
    assert all(copies[key] == 0 for name, keys in cells(tmp_path).items() if name[1] in ("fi", "ru") for key in keys)


def test_a_larger_mixture_only_adds(tmp_path):
    size = sum(len(text) for part in PARTS for text in part.texts)
    before = None
    for total in (0.1, 0.3, 0.95, 1.0, 1.4, 2.0, 2.6):
        corpus, copies = drawn(tmp_path, max_epochs=3.0, total_bytes=int(total * size))
        assert corpus.manifest("mixture")["counts"]["bytes"] == pytest.approx(total * size, rel=0.15)
        if before is not None:
            assert all(before[key] <= copies[key] for key in copies)
            assert before != copies
        before = copies


def test_a_larger_share_adds_to_its_own_and_takes_from_the_others(tmp_path):
    # A total that no cap binds: only the shares move.
    size = sum(len(text) for part in PARTS for text in part.texts) // 4
    little = drawn(tmp_path, max_epochs=5.0, total_bytes=size, languages={"en": 0.7, "zh": 0.1, "ru": 0.2})[1]
    more = drawn(tmp_path, max_epochs=5.0, total_bytes=size, languages={"en": 0.5, "zh": 0.3, "ru": 0.2})[1]
    language_of = {row["key"]: row["language"] for row in rows(tmp_path)}
    for key, language in language_of.items():
        if language == "zh":
            assert little[key] <= more[key]
        elif language == "en":
            assert little[key] >= more[key]
        else:
            assert little[key] == more[key]
    assert sum(more.values()) != sum(little.values())


def test_documents_that_are_added_move_no_other(tmp_path):
    settings: dict[str, Any] = {"max_epochs": 0.4, "total_bytes": 10**9}
    _, before = drawn(tmp_path, PARTS[:3], **settings)
    more = [*PARTS[:3], part("2022", 0, "web", en=30, zh=10)]
    corpus, after = drawn(tmp_path, more, **settings)
    assert corpus.manifest("mixture")["tasks_run"] == 1
    assert len(after) == len(before) + 40
    assert {key: after[key] for key in before} == before
    _, whole = drawn(tmp_path, **settings)
    assert {key: whole[key] for key in before} == before


def test_another_seed_draws_others(tmp_path):
    _, first = drawn(tmp_path, total_bytes=20_000)
    _, second = drawn(tmp_path, total_bytes=20_000, seed=1)
    both = sum(first[key] and second[key] for key in first)
    assert 0 < both < 0.6 * sum(first.values())


@pytest.mark.parametrize("change", ["two workers", "three workers", "order of parts", "row groups"])
def test_nothing_changes_what_is_drawn(tmp_path, monkeypatch, change):
    settings = {"languages": {"en": 0.5, "zh": 0.3, "other": 0.2}, "max_epochs": 2.5}
    first, copies = drawn(tmp_path / "first", **settings)
    if change == "row groups":
        monkeypatch.setattr("pipeline.parts._ROW_GROUP_BYTES", 1)
    workers = {"two workers": 2, "three workers": 3}.get(change, 1)
    parts = PARTS[::-1] if change == "order of parts" else PARTS
    again, same = drawn(tmp_path / "again", parts, workers, **settings)
    assert same == copies
    if change != "row groups":
        assert planted.digests(tmp_path / "again", "mixture") == planted.digests(tmp_path / "first", "mixture")
    for name in ("counts", "details"):
        assert again.manifest("mixture")[name] == first.manifest("mixture")[name]


def test_a_mixture_of_nothing_is_refused(tmp_path):
    with pytest.raises(GristmillError, match="no document is left in the mixture"):
        drawn(tmp_path, total_bytes=1)
