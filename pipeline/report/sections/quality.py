"""What quality models say of the documents, and where their scores are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts import quality as charts
from pipeline.report.charts.amounts import ranked
from pipeline.report.charts.drawing import BEFORE
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.sections.shared import Report, with_content


def section(report: Report) -> Section:
    """A tile for each threshold, and a card for each model's scores and labels."""
    models, funnel = report["quality"]["models"], (report["decide"] or {}).get("funnel", [])
    tiles: list[Tile] = []
    cards: list[Card] = []
    for name, model in models.items():
        rules = [rule for rule in funnel if rule.get("statistic") == f"quality_{name}"]
        tiles += [_tile(name, model, rule) for rule in rules]
        if sum(model["scores"]["documents"]):
            cards.append(_scores(name, model, rules))
        if model["labels"]:
            cards.append(_labels(name, model))
    return Section("quality", "Quality models", "", tiles, with_content(cards))


def _tile(name: str, model: Mapping[str, Any], rule: Mapping[str, Any]) -> Tile:
    failing, judged = rule["failing"] or 0, model["judged"]
    share = formats.share(failing / judged if judged else None)
    return Tile(
        f"Below {rule['threshold']:g} by {name}" if rule["threshold"] is not None else name,
        formats.compact(failing),
        f"{share} of {formats.compact(judged)} documents, by {rule['rule']}; "
        f"{formats.compact(rule['documents'])} pass every rule before it",
    )


def _scores(name: str, model: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> Card:
    documents = model["scores"]["documents"]
    sizes = model["scores"]["text_bytes"] or [0] * len(documents)
    cuts = [rule["threshold"] for rule in rules if rule["threshold"] is not None]
    judged = "" if model["languages"] is None else f" Only {', '.join(model['languages'])} is judged."
    return Card(
        f"Scores of {name}",
        f"The probability of {model['label']} by document; dotted is what is cut. The table says how much would stay "
        f"from each score on; `gristmill quality threshold` finds the score for a share.{judged}",
        charts.score_histogram(documents, cuts),
        [
            Column("minimum", "from a score of", "number"),
            Column("documents", "documents", "count"),
            Column("share", "of them", "share"),
            Column("text_bytes", "text", "size"),
            Column("text_share", "of it", "share"),
        ],
        _kept(documents, sizes),
        beside=True,
    )


def _kept(documents: Sequence[int], sizes: Sequence[int]) -> list[dict[str, Any]]:
    """What scores at least each tenth."""
    step = max(1, len(documents) // 10)
    rows = []
    for start in range(0, len(documents), step):
        kept, text = sum(documents[start:]), sum(sizes[start:])
        rows.append(
            {
                "minimum": start / len(documents),
                "documents": kept,
                "share": kept / sum(documents) if sum(documents) else None,
                "text_bytes": text,
                "text_share": text / sum(sizes) if sum(sizes) else None,
            }
        )
    return rows


def _labels(name: str, model: Mapping[str, Any]) -> Card:
    total = sum(row["text_bytes"] for row in model["labels"].values())
    rows = [
        {"label": label or "(none: it knows no word)", **row, "share": row["text_bytes"] / total if total else None}
        for label, row in sorted(model["labels"].items(), key=lambda item: (-item[1]["text_bytes"], item[0]))
    ]
    return Card(
        f"Labels by {name}",
        "Documents whose most probable label is this one, before any rule; the mixture can take labels for domains.",
        ranked({row["label"]: row["documents"] for row in rows}, "documents", BEFORE),
        [
            Column("label", "label"),
            Column("documents", "documents", "count"),
            Column("text_bytes", "text", "size"),
            Column("share", "share", "share"),
        ],
        rows,
        beside=True,
    )
