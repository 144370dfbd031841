"""The texts behind the numbers of deduplication: pairs near the threshold and members of the largest clusters, side by
side, and the most frequent paragraphs. They are read by key when a report is written, a bounded number of them, and
never by the jobs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipeline import storage
from pipeline.corpus import part_of, part_path
from pipeline.errors import GristmillError
from pipeline.parts import read_rows
from pipeline.report.differences import LONGEST, difference

_PAIRS = 10  # pairs shown on each side of the threshold
_CLUSTERS, _MEMBERS = 10, 5
_PARAGRAPH = 400  # characters of a paragraph

_Stage = dict[str, Any] | None


def add_texts(output: str, match: _Stage, cluster: _Stage, paragraphs: _Stage) -> str:
    """Adds a ``difference`` to sampled pairs (nearest to the threshold first) and to the largest clusters, and its
    ``text`` to the most frequent paragraphs.

    A cluster is shown by its first listed member and the one of the others that is least like it, whose keys stand in
    ``compared``.

    Args:
        output: the output folder, whose ``documents/`` are read.
        match, cluster, paragraphs: what a report holds of these stages, changed in place.

    Returns:
        Why texts are missing; empty when none is.
    """
    pairs = [
        pair
        for verdict in ("accepted_samples", "rejected_samples")
        for pair in (match[verdict][:_PAIRS] if match else [])
        if pair["left"] is not None and pair["right"] is not None
    ]
    clusters = [each for each in (cluster["largest"][:_CLUSTERS] if cluster else []) if len(each["keys"]) > 1]
    members = {id(each): [int(key) for key in each["keys"][:_MEMBERS]] for each in clusters}
    wanted = {int(pair[side]) for pair in pairs for side in ("left", "right")}
    frequent = [each for each in (paragraphs["paragraphs"] if paragraphs else []) if each["key"] is not None]
    texts, problem = texts_of(output, wanted.union(*members.values(), (int(each["key"]) for each in frequent)))
    for pair in pairs:
        left, right = texts.get(int(pair["left"])), texts.get(int(pair["right"]))
        if left is not None and right is not None:
            pair["difference"] = difference(left, right)
    for each in clusters:
        first, *others = [key for key in members[id(each)] if key in texts] or [0]
        compared = [(difference(texts[first], texts[other]), other) for other in others]
        if compared:
            each["difference"], other = min(compared, key=lambda found: found[0]["alike"])
            each["compared"] = [str(first), str(other)]
    for each in frequent:
        lines = texts.get(int(each["key"]), "").split("\n")
        if each["line"] < len(lines):
            each["text"] = lines[each["line"]][:_PARAGRAPH]
    return problem


def texts_of(output: str, keys: Iterable[int]) -> tuple[dict[int, str], str]:
    """The beginnings of some documents' texts by key, and why some are missing."""
    wanted = np.array(sorted(keys), np.uint64)
    texts: dict[int, str] = {}
    if not len(wanted):
        return texts, ""
    problem = ""
    try:
        dumps: Sequence[str] = storage.read_json(storage.join(output, "dumps.json"))["dumps"]
    except (OSError, ValueError, KeyError, TypeError):
        return texts, "dumps.json is missing or damaged, so no text can be found."
    parts = part_of(wanted)
    for part in np.unique(parts).tolist():
        try:
            path = storage.join(output, "documents", f"{part_path(part, list(dumps))}.parquet")
            for batch in read_rows(path, ["key", "text"], wanted[parts == part]):
                texts |= {
                    key: text[: LONGEST + 1]
                    for key, text in zip(batch["key"].to_pylist(), batch["text"].to_pylist(), strict=True)
                }
        except (GristmillError, IndexError, OSError) as error:
            problem = problem or str(error)
    missing = len(wanted) - len(texts)
    if missing:
        why = f": {problem}" if problem else ""
        problem = f"{missing:,} of {len(wanted):,} documents to compare are not in documents/ any more{why}."
    return texts, problem
