"""What the report says: one function a section, from ``report.json`` to figures, tables and how to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import charts, formats
from pipeline.report.markup import Card, Column, Section, Tile
from pipeline.report.schema import NOT_RUN, UNFINISHED
from pipeline.report.visible import visible

Report = Mapping[str, Any]


def sections(report: Report) -> list[Section]:
    """All sections in the order of the pipeline. Training is there only when the folder holds a training run."""
    parts = [
        overview(report),
        ingest(report),
        deduplication(report),
        filters(report),
        mixture(report),
        tokenizer(report),
        shards(report),
    ]
    return [*parts, *([training(report)] if report["training"] else []), stages(report)]


def headline(report: Report) -> list[Tile]:
    """The figures at the top; those of stages that have not run are left out."""
    summary, tiles = report["summary"], []
    documents, kept, tokens = summary["documents"], summary["kept"], summary["tokens"]
    if documents is not None:
        value = formats.compact(documents) + (f" → {formats.compact(kept)}" if kept is not None else "")
        note = f"{formats.share(kept / documents)} kept" if kept is not None and documents else "read from the crawl"
        tiles.append(Tile("Documents", value, note))
    if summary["text_bytes"] is not None:
        value = formats.size(summary["text_bytes"]) + (f" → {formats.compact(tokens)}" if tokens is not None else "")
        note = "of text"
        if summary["bytes_per_token"]:
            note = f"tokens, {formats.number(summary['bytes_per_token'])} bytes each"
        tiles.append(Tile("Text to tokens" if tokens is not None else "Text", value, note))
    if summary["removed_by_deduplication"] is not None:
        counts = report["cluster"]["counts"]
        note = f"{formats.count(counts['removed'])} of {formats.count(counts['documents'])} documents"
        tiles.append(Tile("Removed by deduplication", formats.share(summary["removed_by_deduplication"]), note))
    if summary["removed_by_filters"] is not None:
        counts = report["select"]["counts"]
        note = f"{formats.count(counts['removed'])} of {formats.count(counts['documents'])} documents"
        tiles.append(Tile("Removed by filters", formats.share(summary["removed_by_filters"]), note))
    if summary["seconds"] is not None:
        workers = summary["workers"]
        note = f"{workers} worker{'' if workers == 1 else 's'}, all stages" if workers else "all stages"
        tiles.append(Tile("Run time", formats.duration(summary["seconds"]), note))
    if summary["bytes_per_second"] is not None:
        apart = ", tokenizer training apart" if report["tokenizer"] else ""
        tiles.append(Tile("Speed", formats.rate(summary["bytes_per_second"]), f"of text read{apart}"))
    return tiles


def overview(report: Report) -> Section:
    """Documents left after each step."""
    columns = [Column("title", "step"), Column("documents", "documents", "count"), Column("text_bytes", "text", "size")]
    card = Card(
        "From crawl to shards",
        "Each bar is what one step left for the next; the mixture can hold more documents than the filters kept, "
        "because it repeats those of a source that it raises.",
        charts.steps(report["steps"]),
        columns,
        report["steps"],
        beside=True,
    )
    missing = [stage["stage"] for stage in report["stages"] if stage["problem"]]
    problem = ""
    if missing:
        problem = (
            "No stage has run in this folder yet."
            if len(missing) == len(report["stages"])
            else (
                f"Not in this report: {', '.join(missing)}. {'Its' if len(missing) == 1 else 'Their'} part "
                f"below says why."
            )
        )
    return Section("overview", "Overview", cards=[card] if report["steps"] else [], problem=problem)


def ingest(report: Report) -> Section:
    """What was read, and what could not be."""
    found = report["ingest"]
    if not found:
        return _absent(report, "input", "Input", "ingest")
    counts = found["counts"]
    tiles = [
        Tile("Files", formats.count(counts.get("files")), f"{formats.size(counts.get('input_bytes'))} as they lie"),
        Tile(
            "Records",
            formats.compact(counts.get("records")),
            f"{formats.compact(counts.get('documents'))} became documents",
        ),
        Tile("Skipped", formats.compact(counts.get("skipped")), "no documents by design"),
        Tile(
            "Rejected",
            formats.compact(counts.get("rejects")),
            f"{formats.share(report['summary']['rejected'])} of the records",
        ),
    ]
    amounts = [
        Column("documents", "documents", "count"),
        Column("text_bytes", "text", "size"),
        Column("rejects", "rejects", "count"),
        Column("files", "files", "count"),
    ]
    cards = [
        Card(
            "Text by dump",
            "The height of a bar is the text read from that dump, before anything was removed.",
            charts.input_by_dump(found["dumps"]),
            [Column("name", "dump"), *amounts],
            _named(found["dumps"]),
            beside=True,
        ),
        Card(
            "Sources",
            "Each source of the configuration, and what it brought.",
            None,
            [Column("name", "source"), *amounts],
            _named(found["sources"]),
            wide=False,
        ),
        Card(
            "Skipped records",
            "Records that are no documents by design, such as requests and redirects; they are counted and nothing is "
            "wrong.",
            None,
            [Column("name", "kind"), Column("count", "records", "count")],
            _counted(found["skipped"]),
            wide=False,
        ),
        Card(
            "Rejects by reason",
            "Records that should have been documents and could not be read; a long bar is worth a look at the files "
            "below.",
            charts.counts(found["rejects"], "records", charts.REMOVED),
            [Column("name", "reason"), Column("count", "records", "count")],
            _counted(found["rejects"]),
            beside=True,
        ),
        Card(
            "Rejected records",
            "A sample; all of them, with the same file, offset and reason, are in the folder rejects/.",
            None,
            [
                Column("file", "file"),
                Column("offset", "offset", "count"),
                Column("reason", "reason"),
                Column("detail", "detail"),
            ],
            found["reject_samples"],
        ),
    ]
    intro = "Every record of the input is a document, a reject or skipped; nothing disappears."
    return Section("input", "Input", intro, tiles, _with_content(cards))


def deduplication(report: Report) -> Section:
    """The curve, overlap, cluster sizes and candidate pairs."""
    match, cluster = report["match"], report["cluster"]
    if not match and not cluster:
        return _absent(report, "deduplication", "Deduplication", "cluster")
    tiles, cards = [], []
    if cluster:
        counts = cluster["counts"]
        tiles += [
            Tile("Removed", formats.compact(counts.get("removed")), _text_removed(report)),
            Tile(
                "Kept", formats.compact(counts.get("kept")), f"of {formats.compact(counts.get('documents'))} documents"
            ),
        ]
        if cluster["sizes"]:
            several = sum(clusters for size, clusters in cluster["sizes"] if size > 1)
            tiles.append(Tile("Clusters", formats.compact(several), "of two or more documents"))
        cards += [
            Card(
                "Removed against number of dumps",
                "A point is the share of documents removed when that many dumps, in their order, are deduplicated "
                "together; the dotted line is what DeepSeek LLM measured on Common Crawl, and circles are each dump "
                "deduplicated by itself.",
                charts.dedup_curve(cluster["curve"], report["reference"]["curve"]),
                [
                    Column("dumps", "dumps", "count"),
                    Column("dump", "up to"),
                    Column("documents", "documents", "count"),
                    Column("removed", "removed", "count"),
                    Column("share", "share", "share"),
                    Column("alone_share", "alone", "share"),
                ],
                cluster["curve"],
            ),
            Card(
                "Overlap between dumps",
                "A cell is the number of documents of its row's dump that have a copy in its column's dump; a row of "
                "strong colour is a dump that brings little of its own.",
                charts.overlap(cluster["overlap"]["dumps"], cluster["overlap"]["matrix"]),
                wide=False,
            ),
            Card(
                "Cluster sizes",
                "Points that fall along a line are a natural web; a lone point far to the right is boilerplate or a "
                "chain that merged too much, so look at the largest clusters.",
                charts.cluster_sizes(cluster["sizes"]),
                wide=False,
            ),
            Card(
                "Largest clusters",
                "Some members of each; URLs that do not belong together are a sign of over-merging.",
                None,
                [Column("cluster", "cluster"), Column("size", "documents", "count"), Column("sample", "members")],
                [
                    {**large, "sample": "  ·  ".join(url or "(no URL)" for url in large["urls"][:4])}
                    for large in cluster["largest"]
                ],
            ),
            Card(
                "The published curve",
                f"Documents removed with n Common Crawl dumps together, from {report['reference']['source']}.",
                None,
                [Column("dumps", "dumps", "count"), Column("share", "removed", "share")],
                report["reference"]["curve"],
                wide=False,
            ),
        ]
    if match:
        counts = match["counts"]
        accepted, rejected = counts.get("pairs_accepted"), counts.get("pairs_rejected")
        if accepted is not None:
            tiles.append(
                Tile("Pairs verified", formats.compact(accepted), f"{formats.compact(rejected)} candidates rejected")
            )
        threshold = match["threshold"]
        cards += [
            Card(
                "Similarity of candidate pairs",
                "Sampled candidates by their estimated similarity; those left of the threshold were rejected.",
                charts.pair_similarity(match["samples"], threshold),
                wide=False,
            ),
            Card(
                "Candidate pairs to judge by eye",
                "Open both pages of a pair near the threshold: if they are the same text lower it, if not raise it.",
                None,
                [Column("jaccard", "similarity", "number"), Column("left_url", "one"), Column("right_url", "other")],
                sorted(match["samples"], key=lambda pair: abs((pair["jaccard"] or 0) - (threshold or 0))),
            ),
        ]
    return Section(
        "deduplication", "Deduplication", "", tiles, _with_content(cards), _partial(report, "match", "cluster")
    )


def filters(report: Report) -> Section:
    """The funnel by rule, and languages before and after."""
    annotate, select = report["annotate"], report["select"]
    if not select and not annotate:
        return _absent(report, "filters", "Filters", "select")
    tiles, cards = [], []
    if select:
        counts = select["counts"]
        left, rows = counts.get("documents", 0), []
        for rule in select["funnel"]:
            left -= rule["documents"]
            rows.append({**rule, "left": left})
        tiles += [
            Tile("Kept", formats.compact(counts.get("kept")), f"{formats.size(counts.get('kept_bytes'))} of text"),
            Tile(
                "Removed",
                formats.compact(counts.get("removed")),
                f"{formats.size(counts.get('removed_bytes'))} of text",
            ),
        ]
        if counts.get("edited_bytes"):
            tiles.append(Tile("Cut from kept text", formats.size(counts["edited_bytes"]), "by rules that edit lines"))
        cards.append(
            Card(
                "Funnel by rule",
                "Rules stand in the order in which they are applied; the strong bar is what a rule was first to "
                "remove, the pale one all that fail it, so a pale bar alone is a rule that others make unnecessary.",
                charts.filter_funnel(select["funnel"]),
                [
                    Column("rule", "rule"),
                    Column("documents", "removed first", "count"),
                    Column("failing", "failing at all", "count"),
                    Column("bytes", "text removed", "size"),
                    Column("left", "documents left", "count"),
                ],
                rows,
            )
        )
    before = annotate["languages"] if annotate else {}
    after = select["languages"] if select else {}
    rows = _languages(before, after)
    shares = {row["language"]: {"before": row["share_before"], "after": row["share_after"]} for row in rows}
    cards.append(
        Card(
            "Languages",
            "The share of the text in each language before and after the filters; a bar that shrinks is a language "
            "that the rules treat worse than the others.",
            charts.shares_before_after(shares, "after filters") if select else charts.shares_before_after(shares),
            [
                Column("language", "language"),
                Column("documents_before", "documents", "count"),
                Column("before", "text", "size"),
                Column("documents_after", "kept", "count"),
                Column("after", "text kept", "size"),
            ],
            rows,
            beside=True,
        )
    )
    return Section("filters", "Filters", "", tiles, _with_content(cards), _partial(report, "annotate", "select"))


def mixture(report: Report) -> Section:
    """Shares before and after mixing, and how often each cell is repeated."""
    mix = report["mix"]
    if not mix:
        return _absent(report, "mixture", "Mixture", "mix")
    counts = mix["counts"]
    tiles = [
        Tile("Documents", formats.compact(counts.get("documents")), "to draw from"),
        Tile("Copies", formats.compact(counts.get("copies")), "in the mixture"),
        Tile("Text", formats.size(counts.get("bytes")), "in the mixture"),
    ]
    columns = [
        Column("before", "before", "share"),
        Column("target", "target", "share"),
        Column("after", "after", "share"),
    ]
    reading = (
        "The share of all text before and after mixing; the tick is the target, and a bar that ends short of it ran "
        "into the cap on epochs."
    )
    cards = [
        Card(
            f"Share by {kind}",
            reading,
            charts.shares_before_after(mix[field]),
            [Column("name", kind), *columns],
            _named(mix[field]),
            wide=False,
        )
        for kind, field in (("source", "sources"), ("language", "languages"))
    ]
    cells = sorted(mix["cells"], key=lambda cell: -cell["bytes_after"])
    cards.append(
        Card(
            "Epochs by source and language",
            "How often each document is repeated on average: below one a part is left out, above one it is repeated.",
            charts.epochs(cells),
            [
                Column("source", "source"),
                Column("language", "language"),
                Column("documents", "documents", "count"),
                Column("bytes_before", "text before", "size"),
                Column("epochs", "epochs", "number"),
                Column("bytes_after", "text after", "size"),
            ],
            cells,
        )
    )
    return Section("mixture", "Mixture", "", tiles, _with_content(cards))


def tokenizer(report: Report) -> Section:
    """Compression by language, and the longest tokens."""
    found = report["tokenizer"]
    if not found:
        return _absent(report, "tokenizer", "Tokenizer", "tokenizer")
    counts = found["counts"]
    tiles = [
        Tile("Vocabulary", formats.count(counts.get("vocabulary")), _asked(counts)),
        Tile("Pieces", formats.compact(counts.get("pieces")), "counted in the training text"),
        Tile("Distinct pieces", formats.compact(counts.get("distinct_pieces")), "merged into tokens"),
    ]
    longest = [{**(item if isinstance(item, dict) else {}), "token": _token(item)} for item in found["longest"]]
    cards = [
        Card(
            "Compression by language",
            "Bytes of text one token stands for: longer bars need fewer tokens for the same text. Compare a language "
            "between tokenizers, not languages with each other, since scripts differ in bytes per character.",
            charts.compression(found["compression"]),
            [
                Column("language", "language"),
                Column("bytes", "text", "size"),
                Column("tokens", "tokens", "count"),
                Column("bytes_per_token", "bytes per token", "number"),
            ],
            found["compression"],
            wide=False,
        ),
        Card(
            "Longest tokens",
            "Boilerplate shows here first: a whole sentence in one token is text that should have been removed. A dot "
            "in the middle of the line (·) is a space.",
            None,
            [Column("token", "token", "code"), Column("bytes", "bytes", "count"), Column("id", "id", "count")],
            [row for row in longest if row["token"]],
            wide=False,
        ),
    ]
    return Section("tokenizer", "Tokenizer", "", tiles, _with_content(cards))


def shards(report: Report) -> Section:
    """Tokens by source and split, and the files."""
    found = report["tokenize"]
    if not found:
        return _absent(report, "shards", "Shards", "tokenize")
    counts = found["counts"]
    stage = next(stage for stage in report["stages"] if stage["stage"] == "tokenize")
    tiles = [
        Tile(
            "Tokens", formats.compact(counts.get("tokens")), f"in {formats.compact(counts.get('documents'))} documents"
        ),
        Tile("Files", formats.count(counts.get("files")), f"{formats.size(stage['written_bytes'])} written"),
    ]
    for name, split in found["splits"].items():
        tiles.append(
            Tile(
                name.capitalize(),
                formats.compact(split["tokens"]),
                f"tokens in {formats.compact(split['documents'])} documents",
            )
        )
    total = counts.get("tokens") or 0
    rows = [{**row, "share": row["tokens"] / total if total else None} for row in _named(found["sources"])]
    cards = [
        Card(
            "Tokens by source",
            "What a training run will see of each source.",
            charts.counts({name: source["tokens"] for name, source in found["sources"].items()}, "tokens", charts.KEPT),
            [
                Column("name", "source"),
                Column("documents", "documents", "count"),
                Column("tokens", "tokens", "count"),
                Column("share", "share", "share"),
            ],
            rows,
            beside=True,
        ),
        Card(
            "Files",
            "The checksums are those in shards.json; sha256sum prints the same.",
            None,
            [
                Column("path", "file"),
                Column("rows", "documents", "count"),
                Column("bytes", "size", "size"),
                Column("sha256", "SHA-256", "code"),
            ],
            stage["files"],
        ),
    ]
    return Section("shards", "Shards", "", tiles, _with_content(cards))


def training(report: Report) -> Section:
    """Curves of the training runs in the folder."""
    runs = report["training"]
    rows = [
        {
            "name": run["name"],
            "step": run["steps"][-1]["step"] if run["steps"] else None,
            "tokens": run["steps"][-1]["tokens"] if run["steps"] else None,
            "loss": run["steps"][-1]["loss"] if run["steps"] else None,
            "validation": run["validations"][-1]["validation_loss"] if run["validations"] else None,
            "bits": run["validations"][-1]["bits_per_byte"] if run["validations"] else None,
        }
        for run in runs
    ]
    cards = [
        Card(
            "Loss",
            "Training loss in nats a token; the dotted line is the loss on validation shards, and where it turns up "
            "the model has begun to memorise.",
            charts.training_curve(runs, "loss", "loss", "validation_loss"),
            [
                Column("name", "run"),
                Column("step", "steps", "count"),
                Column("tokens", "tokens", "count"),
                Column("loss", "last loss", "number"),
                Column("validation", "validation", "number"),
                Column("bits", "bits per byte", "number"),
            ],
            rows,
        ),
        Card(
            "Learning rate",
            "The schedule as it was run: warm-up, the plateau, and the steps down.",
            charts.training_curve(runs, "learning_rate", "learning rate"),
            wide=False,
        ),
        Card(
            "Gradient norm",
            "Before clipping; a spike that the loss repeats is a bad batch, a slow rise a learning rate that is too "
            "high.",
            charts.training_curve(runs, "gradient_norm", "gradient norm"),
            wide=False,
        ),
        Card(
            "Speed",
            "Tokens a second at each step; dips are validation, checkpoints or a slow disk.",
            charts.training_curve(runs, "tokens_per_s", "tokens per second"),
        ),
    ]
    return Section("training", "Training", "", (), _with_content(cards))


def stages(report: Report) -> Section:
    """Time and speed of each stage, and where everything came from."""
    rows = [
        {
            **stage,
            "state": stage["problem"] or "done",
            "ran": f"{stage['tasks_run']:,} of {stage['tasks']:,}" if stage.get("tasks") else None,
        }
        for stage in report["stages"]
    ]
    ran = [stage for stage in report["stages"] if not stage["problem"]]
    cards = [
        Card(
            "Time",
            "Wall time of each stage when it last ran; what had been done before and still held is not in it.",
            charts.stage_seconds(ran),
            wide=False,
        ),
        Card(
            "Speed",
            "Text each stage read in a second; stages that read signatures or statistics instead of text have no bar.",
            charts.stage_rates(ran),
            wide=False,
        ),
        Card(
            "Stages",
            "A stage runs again when its fingerprint changes: its inputs, its part of the configuration or its code.",
            None,
            [
                Column("stage", "stage"),
                Column("state", "state"),
                Column("seconds", "time", "duration"),
                Column("ran", "tasks run"),
                Column("bytes_per_second", "text", "rate"),
                Column("documents_per_second", "documents/s", "count"),
                Column("workers", "workers", "count"),
                Column("written_files", "files", "count"),
                Column("written_bytes", "written", "size"),
                Column("created", "finished", "time"),
                Column("version", "version"),
                Column("fingerprint", "fingerprint", "code"),
            ],
            rows,
        ),
    ]
    return Section("stages", "Time and stages", "", (), _with_content(cards))


def _absent(report: Report, anchor: str, title: str, stage: str) -> Section:
    return Section(anchor, title, problem=_problem(report, stage))


def _partial(report: Report, *stages: str) -> str:
    return " ".join(_problem(report, stage) for stage in stages if not report[stage])


def _problem(report: Report, stage: str) -> str:
    found = next(row for row in report["stages"] if row["stage"] == stage)
    if found["problem"] == NOT_RUN:
        return f"The stage {stage} has not run yet: there is no {found['folder']}/manifest.json in this folder."
    if found["problem"] == UNFINISHED:
        return f"The stage {stage} has not finished: run the corpus again, and it goes on where it stopped."
    return f"{found['problem'][:1].upper()}{found['problem'][1:]}."


def _with_content(cards: Sequence[Card]) -> list[Card]:
    return [card for card in cards if card.figure or card.rows]


def _named(rows: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, **row} for name, row in rows.items()]


def _counted(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "count": value} for name, value in sorted(counts.items(), key=lambda row: (-row[1], row[0]))]


def _languages(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a language, the largest before filtering first, with its shares of all text."""
    total_before = sum(row["text_bytes"] for row in before.values())
    total_after = sum(row["text_bytes"] for row in after.values())
    rows = []
    for language in {**before, **after}:
        old, new = before.get(language), after.get(language)
        rows.append(
            {
                "language": language,
                "documents_before": old and old["documents"],
                "before": old and old["text_bytes"],
                "share_before": old["text_bytes"] / total_before if old and total_before else None,
                "documents_after": new["documents"] if new else 0 if after else None,
                "after": new["text_bytes"] if new else 0 if after else None,
                "share_after": new["text_bytes"] / total_after if new and total_after else None,
            }
        )
    return sorted(rows, key=lambda row: (-(row["before"] or 0), row["language"]))


def _text_removed(report: Report) -> str:
    left = {step["step"]: step["text_bytes"] for step in report["steps"]}
    before, after = left.get("documents"), left.get("unique")
    return "documents" if before is None or after is None else f"documents, {formats.size(before - after)} of text"


def _asked(counts: Mapping[str, int]) -> str:
    asked, got = counts.get("asked"), counts.get("vocabulary")
    if asked is None or got is None or asked == got:
        return "tokens"
    return f"tokens; {formats.count(asked)} were asked for"


def _token(item: Any) -> str:
    token = item if isinstance(item, str) else item.get("token", item.get("text", "")) if isinstance(item, dict) else ""
    return visible(token).replace(" ", "·")
