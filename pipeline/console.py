"""What a person sees of a run: a live line on a terminal, a plain log elsewhere."""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from pipeline import progress
from pipeline.sources.batches import REASONS
from pipeline.stages import Watcher
from pipeline.units import duration, singular, size

_LOG_EVERY = 30.0  # seconds between lines of a plain log while a job runs


def status(now: progress.Progress) -> str:
    """Files, documents, speed and time left of the running job."""
    parts = [f"{now.tasks_done}/{now.tasks} files"] if now.tasks else []
    if now.documents:
        parts.append(f"{now.documents:,} documents")
    if now.bytes:
        parts.append(f"{now.megabytes_per_second:.1f} MB/s")
    if 0.02 < now.share_done < 1 and now.seconds > 2:
        parts.append(f"{duration(now.seconds * (1 / now.share_done - 1))} left")
    return " · ".join(parts)


class Display(Watcher):
    """Shows a run. Use as a context manager around it."""

    def __init__(self, console: Console | None = None):
        self._console = console or Console(stderr=True, highlight=False)
        self._live = self._console.is_terminal
        self._bar = Progress(
            TextColumn("[bold]{task.description:<10}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[status]}"),
            console=self._console,
            transient=True,
        )
        self._line: Any = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Display:
        """Begins to show."""
        if self._live:
            self._bar.start()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stops showing."""
        self._stop.set()
        self._thread.join()
        if self._live:
            self._bar.stop()

    def started(self, stage: str, job: str) -> None:
        """A new line for the job."""
        progress.start(job, 0, 0)
        if self._live:
            self._line = self._bar.add_task(job, total=1.0, status="planning")
            self._bar.refresh()  # a job may end before the next turn of the clock

    def finished(self, stage: str, job: str, manifest: dict[str, Any], seconds: float, ran: bool) -> None:
        """Replaces the live line by what the job made."""
        if self._live and self._line is not None:
            self._bar.update(self._line, completed=1.0, status=status(progress.current))
            self._bar.refresh()
            self._bar.remove_task(self._line)
            self._line = None
        line = Text.assemble(
            ("✓ " if ran else "· ", "green" if ran else "dim"), (f"{job:<10}", "bold" if ran else "dim")
        )
        told = summary(job, manifest.get("counts", {})) + elsewhere(job, manifest.get("details", {}))
        line.append(f"  {told}", "" if ran else "dim")
        line.append(reused(manifest) if ran else "", "dim")
        line.append(f"  {duration(seconds)}" if ran else "  up to date", "dim")
        self._console.print(line, soft_wrap=True)
        if ran and manifest.get("details", {}).get("message"):
            self._console.print(
                f"  {'':<10}  {manifest['details']['message']}", style="dim", markup=False, soft_wrap=True
            )
        for warning in warnings(job, manifest) if ran else []:
            self._console.print(Text.assemble(("! ", "yellow"), warning), soft_wrap=True)

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(0.2):
            now = progress.current
            if self._live and self._line is not None:
                try:
                    self._bar.update(self._line, completed=now.share_done, status=status(now))
                except KeyError:  # the job ended between the two lines
                    continue
            elif not self._live and time.monotonic() - last >= _LOG_EVERY and now.tasks:
                last = time.monotonic()
                self._console.print(f"  {now.job:<10}  {status(now)}")


# What each job's line says: a format over its counts.
_SUMMARIES = {
    "ingest": "{files:,} files → {documents:,} documents, {text_bytes}; {rejects:,} rejects, {skipped:,} skipped",
    "sign": "{documents:,} signatures",
    "match": "{pairs_accepted:,} pairs of copies, {pairs_rejected:,} candidates refused",
    "cluster": "{documents:,} documents → {kept:,} kept, {removed:,} copies removed",
    "hash": "{paragraphs:,} paragraphs of {documents:,} documents",
    "paragraphs": "{paragraphs:,} paragraphs → {removed:,} copies removed, {removed_bytes}; {emptied:,} emptied",
    "annotate": "{documents:,} documents measured, {text_bytes}",
    "quality": "{judged:,} documents judged, {judged_bytes}",
    "overlap": "{documents:,} documents searched for evaluation texts, {text_bytes}",
    "decide": "{documents:,} documents → {kept:,} pass, {removed:,} removed",
    "select": "{kept:,} texts written, {kept_bytes}; {edited_bytes} cut from them; {removed:,} left empty",
    "survey": "{documents:,} documents, the domain of each",
    "yardstick": "{vocabulary:,} tokens to weigh documents by",
    "weigh": "{documents:,} documents weighed, {tokens:,} tokens",
    "tally": "{rows:,} sums over the range of the hash",
    "mix": "{documents:,} documents → {copies:,} drawn, {bytes}",
    "count": "{distinct_pieces:,} counts of pieces",
    "tokenizer": "{vocabulary:,} tokens",
    "encode": "{documents:,} documents → {tokens:,} tokens",
    "tokenize": "{files:,} shards, {documents:,} documents, {tokens:,} tokens",
}


def summary(job: str, counts: dict[str, int]) -> str:
    """One line on what a job made."""
    shown = {name: size(value) if name.endswith("bytes") else value for name, value in counts.items()}
    try:
        return singular(_SUMMARIES.get(job, "").format(**shown))
    except KeyError:
        return ""


def reused(manifest: dict[str, Any]) -> str:
    """How much of a job this run did, where earlier runs had done a part: 4 new, 24 as they were."""
    tasks, run = len(manifest.get("tasks", ())), manifest.get("tasks_run")
    return f"  ({run:,} new, {tasks - run:,} as they were)" if run is not None and run < tasks else ""


def elsewhere(job: str, details: dict[str, Any]) -> str:
    """What of it other corpora have, where this one is held against some."""
    if job == "match":
        return "".join(
            f"; {other['documents_removed']:,} documents have a copy in {other['folder']}"
            for other in details.get("against", ())
        )
    outside = details.get("removed", {}).get("outside") if job == "cluster" else None
    return f", {outside:,} of them copies in another corpus" if outside else ""


def warnings(job: str, manifest: dict[str, Any]) -> list[str]:
    """What a person should know of a job that did not fail: damaged input by reason, too little text."""
    counts, details = manifest.get("counts", {}), manifest.get("details", {})
    if job == "ingest" and details.get("rejects"):
        first: dict[str, dict[str, Any]] = {}
        for row in details["reject_samples"]:
            first.setdefault(row["reason"], row)
        lines = []
        for reason, count in details["rejects"].items():
            place = (
                f"; the first: {first[reason]['file']} at byte {first[reason]['offset']:,}" if reason in first else ""
            )
            lines.append(f"{count:,} rejected, {reason}: {REASONS.get(reason, 'broken')}{place}")
        remedy = "rejects/ lists every one with its place; fetch those files again, or go on without what was rejected"
        return [*lines, remedy]
    if job == "count" and details.get("slow"):
        return [f"tokenizer.pretokenizer is run by `tokenizers`, far slower than tables: {details['slow']}"]
    if job == "tokenizer" and counts.get("vocabulary", 0) < counts.get("asked", 0):
        return [
            f"the text has pairs for {counts['vocabulary']:,} tokens, not for tokenizer.vocabulary = "
            f"{counts['asked']:,}: give more text or ask for fewer; tokenizer.strict makes this an error"
        ]
    if job == "tokenize" and not details.get("splits", {}).get("validation", {}).get("documents"):
        return ["no document fell to the validation split: raise shards.validation_share to have some held out"]
    return []
