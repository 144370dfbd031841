"""What a stage has done: the manifest in its folder, and the receipts of tasks while it runs.

Resume in one paragraph: a job is a list of tasks, and each task's fingerprint covers the job's version, the settings
it depends on, its arguments and the checksums of the files it reads. A task whose receipt carries the same
fingerprint and whose files lie there with their sizes is done. While a job runs, each finished task leaves a receipt;
when all are done, the receipts move into ``manifest.json``. So a killed run loses the tasks in flight and nothing
else, an added input file costs one task in each stage, and a changed setting re-runs what its outcome changes,
because what is written again with the same bytes has the same checksum and stops the chain there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline import storage
from pipeline.storage import StoredFile

MANIFEST = "manifest.json"
RECEIPTS = "receipts"
DAMAGED = (ValueError, KeyError, TypeError, AttributeError)  # what reading a damaged receipt or manifest raises
_READERS = 16  # receipts read at once: a remote store takes its time for each


@dataclass(frozen=True)
class Outcome:
    """What a task made: integer ``counts`` that add up over tasks, JSON ``details``, and its files.

    A true ``details["retry"]`` says that it is to be done again by the next run, for what was wrong may have passed.
    """

    counts: dict[str, int] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    files: tuple[StoredFile, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """A finished task; file paths are relative to the output folder."""

    task: str
    fingerprint: str
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {
            "outcome": {
                "counts": self.outcome.counts,
                "details": self.outcome.details,
                "files": [file._asdict() for file in self.outcome.files],
            }
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> Receipt:
        """From JSON.

        Raises:
            one of DAMAGED: it is not what ``to_json`` writes.
        """
        outcome = value["outcome"]
        files = tuple(StoredFile(**file) for file in outcome["files"])
        receipt = Receipt(value["task"], value["fingerprint"], Outcome(outcome["counts"], outcome["details"], files))
        texts = [receipt.task, receipt.fingerprint, *(file.path for file in files)]
        objects = [receipt.outcome.counts, receipt.outcome.details]
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(each, dict) for each in objects):
            raise ValueError(f"{value!r:.200} is no receipt")
        return receipt


def fingerprint(*values: Any) -> str:
    """SHA-256 over the canonical JSON of the values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def add_counts(counts: list[dict[str, int]]) -> dict[str, int]:
    """Adds integer counts key by key; keys sorted."""
    total: dict[str, int] = {}
    for each in counts:
        for key, value in each.items():
            total[key] = total.get(key, 0) + value
    return dict(sorted(total.items()))


def add_nested(values: list[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """Adds ``{group: {count: n}}`` group by group; groups sorted."""
    groups = sorted({group for value in values for group in value})
    return {group: add_counts([value[group] for value in values if group in value]) for group in groups}


def read_manifest(folder: str) -> dict[str, Any] | None:
    """The manifest of a stage folder; None where there is none or it is damaged, which means: do the work again."""
    try:
        manifest = storage.read_json(storage.join(folder, MANIFEST))
    except (FileNotFoundError, ValueError):
        return None
    kinds: dict[str, type] = {"tasks": list}
    if isinstance(manifest, dict) and manifest.get("complete"):
        kinds |= {"fingerprint": str, "counts": dict, "details": dict, "files": list}
    whole = isinstance(manifest, dict) and all(isinstance(manifest.get(key), kind) for key, kind in kinds.items())
    return manifest if whole else None


def exists(folder: str) -> bool:
    """Whether a stage folder has a manifest, whole or not: whether the stage was begun."""
    return storage.exists(storage.join(folder, MANIFEST))


def write_receipt(folder: str, receipt: Receipt) -> None:
    """Leaves the receipt of a finished task; called on the worker that finished it."""
    storage.write_json(storage.join(folder, RECEIPTS, f"{receipt.task.replace('/', '+')}.json"), receipt.to_json())


def known_receipts(folder: str) -> dict[str, Receipt]:
    """Receipts by task: those of the manifest, overridden by those an unfinished run left."""
    known = {}
    for value in (read_manifest(folder) or {}).get("tasks", []):
        with contextlib.suppress(*DAMAGED):  # a damaged receipt: its task is done again
            receipt = Receipt.from_json(value)
            known[receipt.task] = receipt
    paths = [
        storage.join(folder, RECEIPTS, name)
        for name in storage.list_files(storage.join(folder, RECEIPTS))
        if name.endswith(".json")
    ]
    with ThreadPoolExecutor(_READERS) as pool:
        known |= {receipt.task: receipt for receipt in pool.map(_read_receipt, paths) if receipt is not None}
    return known


def _read_receipt(path: str) -> Receipt | None:
    """The receipt in a file; None if it is damaged."""
    with contextlib.suppress(FileNotFoundError, *DAMAGED):
        return Receipt.from_json(storage.read_json(path))
    return None


def delete_receipts(folder: str) -> None:
    """Deletes the receipts once a manifest holds them."""
    receipts = storage.join(folder, RECEIPTS)
    storage.delete([storage.join(receipts, name) for name in storage.list_files(receipts)])
    if storage.is_local(receipts):
        with contextlib.suppress(OSError):
            os.rmdir(receipts)


def code_version() -> str:
    """The installed version of gristmill."""
    try:
        return version("gristmill")
    except PackageNotFoundError:
        return "unknown"
