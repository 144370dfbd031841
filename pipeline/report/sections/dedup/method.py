"""The choices behind the numbers."""

from __future__ import annotations

from typing import Any

from pipeline.report import formats
from pipeline.report.markup import Card, Column
from pipeline.report.sections.shared import Report


def cards(report: Report) -> list[Card]:
    """What was done, and the settings it follows from."""
    settings = [{"key": key, "value": _shown(value)} for key, value in report["dedup_settings"].items()]
    return [
        Card(
            "How copies were decided",
            "The choices behind the numbers above.",
            None,
            [Column("what", "what"), Column("how", "how")],
            [{"what": what, "how": how} for what, how in _facts(report) if how],
        ),
        Card(
            "Settings",
            "The section dedup of the corpus file that was last run on this folder; what is off or empty is left out.",
            None,
            [Column("key", "key", "code"), Column("value", "value", "code")],
            [row for row in settings if row["value"]],
        ),
    ]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None or value is False else "true" if value is True else str(value)


def _facts(report: Report) -> list[tuple[str, str]]:
    match, cluster = report["match"], report["cluster"]
    facts = []
    if match:
        judged = {"estimate": "estimated from signatures", "exact": "exact, on shingles", "off": "not verified"}
        how = judged.get(match["method"], match["method"])
        least = match["threshold"]
        facts.append(("similarity", how if least is None else f"{how}, at least {least:g}"))
        facts += [
            (f"against {other['folder']}", f"{formats.count(other['documents_removed'])} documents have a copy there")
            for other in match["against"]
        ]
    if cluster:
        components, chains = cluster["components"], cluster["chains"]
        words = [components["method"]]
        if components["rounds"]:
            words.append(f"{formats.count(components['rounds'])} rounds")
        if components["pairs"] is not None:
            words.append(f"{formats.count(components['pairs'])} pairs")
        if components["limit"] is not None:
            words.append(f"limit {formats.count(components['limit'])}")
        facts.append(("components", ", ".join(word for word in words if word)))
        facts.append(("why so", components["reason"]))
        if chains["max_chain"] is not None:
            most, spared = chains["max_chain"], chains["documents_spared"]
            kept = f"; it keeps {formats.count(spared)} more" if spared is not None else ""
            facts.append(("chains", f"at most {most} {'pair' if most == 1 else 'pairs'} to the kept copy{kept}"))
        elif components["method"]:
            facts.append(("chains", "of any length: documents joined by a chain of pairs are one cluster"))
        if chains["by_distance"]:
            removed = sum(documents for _, documents in chains["by_distance"])
            beyond = removed - dict(chains["by_distance"]).get(1, 0)
            share = f"{formats.count(beyond)} of {formats.count(removed)} ({formats.share(beyond / removed)})"
            facts.append(("removed, more than one pair from the copy that stays", share))
        if cluster["removed"]["tokens_estimated"] is not None:
            facts.append(("tokens removed", "estimated: bytes removed by the bytes a token of this corpus's shards"))
    return facts
