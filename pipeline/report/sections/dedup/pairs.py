"""How candidate pairs were judged, and those near the threshold to judge by eye."""

from __future__ import annotations

from pipeline.report import formats
from pipeline.report.markup import Card, Column, Comparison
from pipeline.report.sections.shared import Report, url


def cards(report: Report) -> list[Card]:
    """Passes, and pairs on both sides of the threshold."""
    match = report["match"]
    if not match:
        return []
    passes = [
        {"pass": number, **each, "share": each["accepted"] / each["candidates"] if each["candidates"] else None}
        for number, each in enumerate(match["passes"], 1)
    ]
    cards = [
        Card(
            "Verification",
            "Candidates are pairs that share a band; those refused by a bucket's centre are tried against further ones "
            "in the next pass, where a pair may be met again.",
            None,
            [
                Column("pass", "pass", "count"),
                Column("candidates", "candidates", "count"),
                Column("accepted", "accepted", "count"),
                Column("rejected", "rejected", "count"),
                Column("share", "share accepted", "share"),
            ],
            passes,
        )
    ]
    for verdict, title, advice in (
        (
            "accepted",
            "Accepted, nearest to the threshold",
            "If these are not copies, raise min_jaccard.",
        ),
        (
            "rejected",
            "Rejected, nearest to the threshold",
            "If these are copies after all, lower min_jaccard.",
        ),
    ):
        samples = match[f"{verdict}_samples"]
        cards.append(
            Card(
                title,
                f"{advice} Judge by eye: each pair unfolds into both texts, differences marked.",
                None,
                [
                    Column("jaccard", "similarity", "similarity"),
                    Column("left_url", "one"),
                    Column("right_url", "other"),
                ],
                samples,
                comparisons=[
                    Comparison(
                        f"Similarity {formats.similarity(pair['jaccard'])}",
                        f"{formats.share(pair['difference']['alike'])} of the words in common",
                        url(pair["left_url"]),
                        url(pair["right_url"]),
                        pair["difference"],
                    )
                    for pair in samples
                    if pair.get("difference")
                ],
            )
        )
    return cards
