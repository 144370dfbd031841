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
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pipeline import storage
from pipeline.storage import StoredFile

MANIFEST = "manifest.json"
RECEIPTS = "receipts"


@dataclass(frozen=True)
class Outcome:
    """What a task made: integer ``counts`` that add up over tasks, JSON ``details``, and its files."""

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
        """From JSON."""
        outcome = value["outcome"]
        files = tuple(StoredFile(**file) for file in outcome["files"])
        return Receipt(value["task"], value["fingerprint"], Outcome(outcome["counts"], outcome["details"], files))


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
    with contextlib.suppress(FileNotFoundError, ValueError):
        return storage.read_json(storage.join(folder, MANIFEST))
    return None


def write_receipt(folder: str, receipt: Receipt) -> None:
    """Leaves the receipt of a finished task; called on the worker that finished it."""
    storage.write_json(storage.join(folder, RECEIPTS, f"{receipt.task.replace('/', '+')}.json"), receipt.to_json())


def known_receipts(folder: str) -> dict[str, Receipt]:
    """Receipts by task: those of the manifest, overridden by those an unfinished run left."""
    known = {}
    manifest = read_manifest(folder)
    for value in (manifest or {}).get("tasks", []):
        known[value["task"]] = Receipt.from_json(value)
    for name in storage.list_files(storage.join(folder, RECEIPTS)):
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a damaged receipt: its task is done again
            receipt = Receipt.from_json(storage.read_json(storage.join(folder, RECEIPTS, name)))
            known[receipt.task] = receipt
    return known


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
