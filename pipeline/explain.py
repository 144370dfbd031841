"""Why one document went or stayed, from what the jobs left of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc
from rich.console import Console
from rich.text import Text

from filters import urls
from filters.decisions import decide
from filters.decisions import judged as judges
from filters.presets import Preset, Rule
from pipeline import job, manifests, url_lists
from pipeline.corpus import Corpus, part_of, part_path
from pipeline.errors import GristmillError
from pipeline.jobs import decide as deciding
from pipeline.jobs import select
from pipeline.parts import read_part, read_rows, read_schema
from pipeline.rules import presets_of
from pipeline.tables import Cell, show_table
from pipeline.units import size

_DIGITS = 20  # a key of 64 bits has no more


@dataclass(frozen=True)
class Judged:
    """A rule and what it said. ``value``: of its statistic; ``asked`` is false where the preset passes the language."""

    preset: Preset
    rule: Rule
    value: Any
    asked: bool
    fails: bool

    @property
    def name(self) -> str:
        """``preset/rule``."""
        return f"{self.preset.name}/{self.rule.name}"


@dataclass(frozen=True)
class Explanation:
    """What became of a document. ``verdict``: one line; ``notes``: more of them; ``rules``: none if none was asked."""

    key: int
    part: str
    document: dict[str, Any]
    verdict: str
    notes: list[str] = field(default_factory=list)
    rules: list[Judged] = field(default_factory=list)


def explain(corpus: Corpus, which: str) -> Explanation:
    """Says why a document is kept or not, by the rules that the config has now.

    Args:
        corpus: whose documents are deduplicated and measured.
        which: a document's key, or the URL of one.

    Raises:
        GristmillError: there is no such document, or it was not measured yet.
    """
    notes: list[str] = []
    key = _key_of(corpus, which, notes)
    part = _part_of(corpus, key)
    document = _row(corpus, "documents", part, key, ["id", "url", "source", "date"]) if part else None
    if part is None or document is None:
        raise GristmillError(f"there is no document {key} in {corpus.config.output}: keys stand in documents/")
    cluster = _row(corpus, "clusters", part, key, ["cluster", "cluster_size", "kept"])
    if cluster is None:
        raise GristmillError("filter explain: nothing is deduplicated yet: `gristmill run --until filter` comes first")
    if not cluster["kept"]:
        return Explanation(key, part, document, f"removed by deduplication: {_copy(corpus, cluster)}", notes)
    measured = _row(corpus, "annotations", part, key)
    if measured is None:
        return Explanation(key, part, document, _unmeasured(corpus, part, key), notes)
    rules = _judged(corpus, part, key, measured)
    if not job.state_of(deciding.JOB, corpus).current:
        notes.append(
            "The rules below are those of the config as it is now; decisions/ was made with others or of other "
            "documents: `gristmill filter --select-only` brings it up to date."
        )
    document |= {name: measured[name] for name in ("text_bytes", "language", "language_score")}
    if corpus.config.filter.urls.given():
        found = urls.matches(document["url"], url_lists.rules_of(corpus.config.filter.urls))
        notes += [f"Its address is on filter.urls.{name}: {entry}" for name, entry in found.items()]
    failing = [rule for rule in rules if rule.fails]
    if failing:
        more = f", and {len(failing) - 1} more of {len(rules)} rules fail" if len(failing) > 1 else ""
        return Explanation(key, part, document, f"removed by {failing[0].name}{more}", notes, rules)
    if job.state_of(deciding.JOB, corpus).current and job.state_of(select.JOB, corpus).current:
        written = _row(corpus, "filtered", part, key, ["text"])
        if written is None:
            verdict = f"passes all {len(rules)} rules, and {select.EMPTIED}: line rules took every line of it"
            return Explanation(key, part, document, verdict, notes, rules)
        cut = measured["text_bytes"] - len(written["text"].encode())
        notes += [f"Line rules and other edits took {size(cut)} of its {size(measured['text_bytes'])}."] if cut else []
    return Explanation(key, part, document, f"stays: it passes all {len(rules)} rules", notes, rules)


def _key_of(corpus: Corpus, which: str, notes: list[str]) -> int:
    """The key that is meant; of several documents with the URL the first that dedup kept, and a note on the others."""
    if which.isascii() and which.isdigit() and len(which) <= _DIGITS and int(which) < 1 << 64:
        return int(which)
    found = []
    for receipt in corpus.receipts("documents"):
        for file in receipt.outcome.files:
            if file.path.startswith("documents/"):
                for batch in read_part(corpus.path(file.path), ["key", "url"]):
                    found += batch["key"].filter(pc.fill_null(pc.equal(batch["url"], which), False)).to_pylist()
    if not found:
        raise GristmillError(
            f"`{which}` is neither a document's key nor the URL of one in {corpus.config.output}: keys are whole "
            "numbers, and URLs are compared as the crawl wrote them"
        )
    kept = [key for key in found if (_row(corpus, "clusters", _part_of(corpus, key), key, ["kept"]) or {}).get("kept")]
    chosen = (kept or found)[0]
    if len(found) > 1:
        others = ", ".join(str(key) for key in found if key != chosen)
        notes.append(f"{len(found):,} documents have this URL; the others are {others}.")
    return chosen


def _part_of(corpus: Corpus, key: int) -> str | None:
    dumps = corpus.dumps()
    part = int(part_of(np.array([key], np.uint64))[0])
    try:
        return part_path(part, dumps)
    except IndexError:  # a dump that is not there
        return None


def _row(
    corpus: Corpus, folder: str, part: str | None, key: int, columns: list[str] | None = None
) -> dict[str, Any] | None:
    """What a job's folder holds of a document; None where it holds nothing of it."""
    if part is None or manifests.read_manifest(corpus.folder(folder)) is None:
        return None
    path = f"{folder}/{part}.parquet"
    files = [file.path for receipt in corpus.receipts(folder) for file in receipt.outcome.files]
    if path not in files:
        return None
    names = columns or [name for name in read_schema(corpus.path(path)).names if name != "key"]
    for batch in read_rows(corpus.path(path), names, np.array([key], np.uint64)):
        return batch.to_pylist()[0]
    return None


def _copy(corpus: Corpus, cluster: dict[str, Any]) -> str:
    """Which copy of it stays."""
    first = _part_of(corpus, cluster["cluster"])
    head = f"one of {cluster['cluster_size']:,} copies, cluster {cluster['cluster']}"
    row = _row(corpus, "documents", first, cluster["cluster"], ["url"])
    stays = _row(corpus, "clusters", first, cluster["cluster"], ["kept"])
    if cluster["cluster_size"] == 1:
        return "another corpus has a copy (dedup.against)"
    if row and stays and stays["kept"]:
        return f"{head}, of which {cluster['cluster']} stays" + (f" ({row['url']})" if row["url"] else "")
    return head


def _unmeasured(corpus: Corpus, part: str, key: int) -> str:
    """The verdict on a document that dedup kept and that has no annotations."""
    dropped = _row(corpus, "paragraphs", part, key, ["emptied"])
    if dropped and dropped["emptied"]:
        return "removed by deduplication of paragraphs: every one of its paragraphs stands in another document"
    raise GristmillError(
        f"filter explain: document {key} was not measured yet: `gristmill run --until filter` comes first"
    )


def _judged(corpus: Corpus, part: str, key: int, measured: dict[str, Any]) -> list[Judged]:
    """What each rule says of the document."""
    presets = presets_of(corpus.config.filter)
    inputs = next(task.inputs for task in deciding.plan(corpus) if task.name == part)
    row = deciding.measured(corpus, inputs, np.array([key], np.uint64))
    decisions = decide(row, presets)
    failing = set(decisions.failing[0].as_py())
    pairs = [(preset, rule) for preset in presets for rule in preset.rules]
    return [
        Judged(
            preset,
            rule,
            row[rule.statistic][0].as_py(),
            bool(judges(preset, row["language"])[0]),
            number in failing,
        )
        for number, (preset, rule) in enumerate(pairs)
    ]


def show(explanation: Explanation, console: Console | None = None) -> None:
    """Prints an explanation: the document, the verdict, every rule, and the reason and source of those that fail."""
    console = console or Console(highlight=False)

    def line(*parts: Any) -> None:
        console.print(Text.assemble(*parts), soft_wrap=True)

    document = explanation.document
    line((f"document {explanation.key}", "bold"), f"  {explanation.part}")
    for name in ("url", "id", "source", "date"):
        if document.get(name) is not None:
            line(f"  {name:<9} {document[name]}")
    if "language" in document:
        line(f"  language  {document['language']} ({document['language_score']:.2f}), {size(document['text_bytes'])}")
    gone = explanation.verdict.startswith("removed") or select.EMPTIED in explanation.verdict
    line((explanation.verdict, "bold red" if gone else "bold green"))
    for note in explanation.notes:
        line(note)
    if not explanation.rules:
        return
    rows: list[list[Cell]] = []
    for judged in explanation.rules:
        said = "FAILS" if judged.fails else "ok" if judged.asked else "not for its language"
        value = f"{judged.value:.4g}" if isinstance(judged.value, float) else str(judged.value)
        rows.append([judged.name, Text(said, "red" if judged.fails else ""), value, str(judged.rule)])
    show_table("rules, in the order in which they are asked", ["rule", "", "value", "stays if"], rows, (), console, 2)
    for number, judged in enumerate(judged for judged in explanation.rules if judged.fails):
        first = "first failing rule" if number == 0 else "fails too"
        line((f"{first}: {judged.name}", "bold"))
        line(f"  {judged.rule.reason or 'no reason is given'}")
        line(f"  source: {_source(judged.preset)}")


def _source(preset: Preset) -> str:
    return preset.source or "the corpus configuration"
