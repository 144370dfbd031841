"""Deduplication: how much is removed, what the dumps share, which clusters there are, and pairs to judge by eye."""

from __future__ import annotations

from pipeline.report.markup import Section
from pipeline.report.sections.dedup import clusters, method, overlap, pairs, paragraphs, rates
from pipeline.report.sections.dedup.tiles import tiles
from pipeline.report.sections.shared import Report, absent, partial, with_content


def section(report: Report) -> Section:
    """Everything on one page with the other stages."""
    if not report["match"] and not report["cluster"]:
        return absent(report, "deduplication", "Deduplication", "cluster")
    cards = [card for part in parts(report) for card in part.cards]
    problems = filter(None, (partial(report, "match", "cluster"), report["texts_missing"]))
    return Section("deduplication", "Deduplication", "", tiles(report), cards, " ".join(problems))


def parts(report: Report) -> list[Section]:
    """The same as a page of its own; a part without anything to show is left out."""
    found = [
        Section("rates", "Removed", cards=rates.cards(report), problem=_missing(report)),
        Section("overlap", "Overlap", cards=overlap.cards(report)),
        Section("clusters", "Clusters", cards=clusters.cards(report), problem=report["texts_missing"]),
        Section("pairs", "Pairs", cards=pairs.cards(report)),
        Section("paragraphs", "Paragraphs", cards=paragraphs.cards(report)),
        Section("method", "Method", cards=method.cards(report)),
    ]
    cleaned = [part._replace(cards=with_content(part.cards)) for part in found]
    return [part for part in cleaned if part.cards or part.problem]


def _missing(report: Report) -> str:
    if report["cluster"] and report["cluster"]["counts"].get("documents") == 0:
        return "There are no documents, so there is nothing to remove."
    return partial(report, "match", "cluster")
