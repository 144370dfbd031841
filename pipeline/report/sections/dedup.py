"""Deduplication: how much is removed, what the dumps share, which clusters there are, and pairs to judge by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.report.charts import dedup as charts
from pipeline.report.markup import Card, Column, Comparison, Section, Tile
from pipeline.report.sections.shared import Report, absent, partial, with_content

_MOST_COLUMNS = 24  # dumps up to which the overlap stands in a table too
_URLS = 4  # addresses of a cluster in its table


def section(report: Report) -> Section:
    """Everything on one page with the other stages."""
    if not report["match"] and not report["cluster"]:
        return absent(report, "deduplication", "Deduplication", "cluster")
    cards = [card for part in parts(report) for card in part.cards]
    return Section("deduplication", "Deduplication", "", tiles(report), cards, partial(report, "match", "cluster"))


def parts(report: Report) -> list[Section]:
    """The same as a page of its own; a part without anything to show is left out."""
    found = [
        Section("rates", "Removed", cards=_rates(report)),
        Section("overlap", "Overlap", cards=_overlap(report)),
        Section("clusters", "Clusters", cards=_clusters(report)),
        Section("pairs", "Pairs", cards=_pairs(report)),
        Section("method", "Method", cards=_method(report)),
    ]
    cleaned = [part._replace(cards=with_content(part.cards)) for part in found]
    return [part for part in cleaned if part.cards]


def tiles(report: Report) -> list[Tile]:
    """The figures at the top."""
    match, cluster = report["match"], report["cluster"]
    found = []
    if cluster:
        counts, removed = cluster["counts"], cluster["removed"]
        documents, kept = counts.get("documents"), counts.get("kept")
        share = removed["documents"] / documents if documents and removed["documents"] is not None else None
        found += [
            Tile(
                "Documents",
                f"{formats.compact(documents)} → {formats.compact(kept)}",
                f"{formats.count(removed['documents'])} removed, {formats.share(share)}",
            ),
            Tile("Text removed", formats.size(removed["bytes"]), _of_the_text(report)),
            Tile("Words removed", formats.compact(removed["words"]), "in the removed documents"),
        ]
        if removed["tokens_estimated"] is not None:
            found.append(
                Tile("Tokens removed", f"≈ {formats.compact(removed['tokens_estimated'])}", "by the bytes a token here")
            )
        several = sum(clusters for size, clusters in cluster["sizes"] if size > 1)
        found.append(Tile("Clusters", formats.compact(several), "of two or more documents"))
        if removed["outside"]:
            found.append(Tile("Known elsewhere", formats.compact(removed["outside"]), "removed for copies outside"))
    if match and match["counts"].get("pairs_accepted") is not None:
        counts = match["counts"]
        rejected = f"{formats.compact(counts.get('pairs_rejected'))} candidates rejected"
        found.append(Tile("Pairs joined", formats.compact(counts["pairs_accepted"]), rejected))
    return [tile for tile in found if tile.value != formats.ABSENT]


def _of_the_text(report: Report) -> str:
    left = {step["step"]: step["text_bytes"] for step in report["steps"]}
    removed = report["cluster"]["removed"]["bytes"]
    documents = left.get("documents")
    return f"{formats.share(removed / documents)} of all text" if documents and removed is not None else "in UTF-8"


def _rates(report: Report) -> list[Card]:
    cluster = report["cluster"]
    if not cluster:
        return []
    points, from_the_last = cluster["curve"], cluster["curve_reversed"]
    reading = (
        "A point is the share of documents removed when that many dumps are deduplicated together, each exactly as a "
        f"run over only those dumps; the dotted line is what {report['reference']['source']}, gives for Common Crawl."
    )
    if from_the_last:
        reading += " Dumps are taken from the first on, and from the last back."
    return [
        Card(
            "Removed against number of dumps",
            reading,
            charts.curve(points, from_the_last, report["reference"]["curve"]),
            [
                Column("dumps", "dumps", "count"),
                Column("dump", "up to"),
                Column("documents", "documents", "count"),
                Column("removed", "removed", "count"),
                Column("share", "share", "share"),
                Column("reversed_dump", "back to"),
                Column("reversed_removed", "removed backwards", "count"),
                Column("reversed_share", "share backwards", "share"),
                Column("published", "DeepSeek LLM", "share"),
            ],
            _beside_reference(points, from_the_last, report["reference"]["curve"]) if points else [],
        ),
        Card(
            "What each dump brings",
            "The pale bar is the share of a dump's documents removed when it is deduplicated by itself, the strong one "
            "when the dumps before it are there too: a strong bar near 100 % is a dump that is hardly worth its "
            "processing.",
            charts.by_dump(each_dump(points)),
            [
                Column("dump", "dump"),
                Column("documents", "documents", "count"),
                Column("alone_removed", "removed by itself", "count"),
                Column("alone_share", "share", "share"),
                Column("known", "removed after those before", "count"),
                Column("known_share", "share", "share"),
                Column("new", "new documents", "count"),
            ],
            each_dump(points),
        ),
    ]


def each_dump(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The curve dump by dump: ``documents`` of it, ``known`` of them removed once the dumps before it are there, and
    ``new`` ones that stay on top of theirs.
    """
    rows = []
    for before, point in zip([{"documents": 0, "removed": 0}, *points], points):
        documents, known = point["documents"] - before["documents"], point["removed"] - before["removed"]
        rows.append(
            {
                "dump": point["dump"],
                "documents": documents,
                "alone_removed": point["alone_removed"],
                "alone_share": point["alone_share"],
                "known": known,
                "known_share": known / documents if documents else None,
                "new": documents - known,
            }
        )
    return rows


def _beside_reference(
    points: Sequence[Mapping[str, Any]],
    from_the_last: Sequence[Mapping[str, Any]],
    reference: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """One row a number of dumps that this corpus or the published table has."""
    forward = {point["dumps"]: point for point in points}
    backward = {point["dumps"]: point for point in from_the_last}
    published = {point["dumps"]: point["share"] for point in reference}
    return [
        {
            "dumps": dumps,
            **{field: forward.get(dumps, {}).get(field) for field in ("dump", "documents", "removed", "share")},
            **{f"reversed_{field}": backward.get(dumps, {}).get(field) for field in ("dump", "removed", "share")},
            "published": published.get(dumps),
        }
        for dumps in sorted({*forward, *backward, *published})
    ]


def _overlap(report: Report) -> list[Card]:
    cluster = report["cluster"]
    if not cluster:
        return []
    dumps, matrix = cluster["overlap"]["dumps"], cluster["overlap"]["matrix"]
    documents = {row["dump"]: row["documents"] for row in each_dump(cluster["curve"])}
    chart = charts.overlap(dumps, matrix, documents)
    small = chart is not None and len(dumps) <= _MOST_COLUMNS
    columns = [Column(str(place), name, "count") for place, name in enumerate(dumps)]
    rows = [{"dump": name, **{str(place): n for place, n in enumerate(row)}} for name, row in zip(dumps, matrix)]
    return [
        Card(
            "Overlap between dumps",
            "A cell is the share of its row's dump whose documents have a copy in its column's dump; a row of strong "
            "colour is a dump that brings little of its own. The table counts documents, on the diagonal those with "
            "another copy in the same dump.",
            chart,
            [Column("dump", "dump"), *columns] if small else (),
            rows if small else (),
        )
    ]


def _clusters(report: Report) -> list[Card]:
    cluster = report["cluster"]
    if not cluster:
        return []
    sizes = [{"size": size, "clusters": clusters, "documents": size * clusters} for size, clusters in cluster["sizes"]]
    return [
        Card(
            "Cluster sizes",
            "Points that fall along a line are a natural web; a lone point far to the right is boilerplate or a chain "
            "that merged too much, so look at the largest clusters.",
            charts.cluster_sizes(cluster["sizes"]),
            [
                Column("size", "documents in it", "count"),
                Column("clusters", "clusters", "count"),
                Column("documents", "documents", "count"),
            ],
            sizes,
            beside=True,
        ),
        Card(
            "Largest clusters",
            "Some members of each, and the first of them beside the one that is least like it: addresses or texts that "
            "do not belong together are a sign of over-merging.",
            None,
            [Column("cluster", "cluster"), Column("size", "documents", "count"), Column("sample", "members")],
            [
                {**large, "sample": "  ·  ".join(map(_url, large["urls"][:_URLS])) or None}
                for large in cluster["largest"]
            ],
            comparisons=[
                Comparison(
                    f"{formats.count(large['size'])} documents",
                    f"the two shown have {formats.share(large['difference']['alike'])} of their words in common",
                    *_names(large),
                    large["difference"],
                )
                for large in cluster["largest"]
                if large.get("difference")
            ],
        ),
    ]


def _names(large: Mapping[str, Any]) -> tuple[str, str]:
    urls = dict(zip(large["keys"], large["urls"]))
    left, right = (_url(urls.get(key)) for key in large["compared"])
    return left, right


def _url(url: str | None) -> str:
    return url or "(no URL)"


def _pairs(report: Report) -> list[Card]:
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
            "in the next pass.",
            None,
            [
                Column("pass", "pass", "count"),
                Column("candidates", "candidates", "count"),
                Column("accepted", "accepted", "count"),
                Column("rejected", "rejected", "count"),
                Column("share", "accepted", "share"),
            ],
            passes,
        )
    ]
    for verdict, title, advice in (
        (
            "accepted",
            "Accepted, just above the threshold",
            "If these are not copies, raise min_jaccard.",
        ),
        (
            "rejected",
            "Rejected, just below the threshold",
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
                        _url(pair["left_url"]),
                        _url(pair["right_url"]),
                        pair["difference"],
                    )
                    for pair in samples
                    if pair.get("difference")
                ],
            )
        )
    return cards


def _method(report: Report) -> list[Card]:
    rows = [{"what": what, "how": how} for what, how in _facts(report) if how]
    return [
        Card(
            "How copies were decided",
            "The choices behind the numbers above.",
            None,
            [Column("what", "what"), Column("how", "how")],
            rows,
        )
    ]


def _facts(report: Report) -> list[tuple[str, str]]:
    match, cluster = report["match"], report["cluster"]
    facts = []
    if match:
        judged = {"estimate": "estimated from signatures", "exact": "exact, on shingles", "off": "not verified"}
        how = judged.get(match["method"], match["method"])
        facts.append(("similarity", f"{how}, at least {match['threshold']:g}" if match["threshold"] else how))
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
            spared = formats.count(chains["documents_spared"])
            facts.append(
                ("chains", f"at most {chains['max_chain']} pairs to the kept copy; {spared} documents stay for it")
            )
        elif components["method"]:
            facts.append(("chains", "of any length: documents joined by a chain of pairs are one cluster"))
        if cluster["removed"]["tokens_estimated"] is not None:
            facts.append(("tokens removed", "estimated: bytes removed by the bytes a token of this corpus's shards"))
    return facts
