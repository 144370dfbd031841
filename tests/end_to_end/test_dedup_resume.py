"""A deduplication that is killed goes on at the parts it had not finished, and ends as if nothing had been."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import command_line
import pytest
import snapshot_crawl
from snapshot_crawl import config, deduplicate, promised, write_config

JOBS = {"sign": "signatures", "match": "candidates", "cluster": "clusters"}


@pytest.fixture(scope="module")
def crawl(shared_data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("snapshots") / "crawl"
    snapshot_crawl.cut(shared_data / "dumps", folder, 12)
    return folder


@pytest.fixture(scope="module")
def undisturbed(crawl, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    deduplicate(config(crawl, output))
    return output


def ingested(undisturbed: Path, output: Path) -> None:
    """What an output folder holds before it is deduplicated."""
    shutil.copytree(undisturbed, output, ignore=lambda folder, names: set(JOBS.values()) | {".lock"})


def finished(output: Path, folder: str) -> dict[str, int]:
    """When the files of finished tasks were written: those that have a receipt."""
    receipts = list((output / folder / "receipts").glob("*.json"))
    files = [file["path"] for receipt in receipts for file in json.loads(receipt.read_text())["outcome"]["files"]]
    return {path: (output / path).stat().st_mtime_ns for path in files}


def killed(process: subprocess.Popen, output: Path, folder: str, files: int) -> None:
    """Waits until a stage's folder has that many files and kills the run; none stands for: as soon as it is begun."""
    place = output / folder
    while not (place / "manifest.json").exists() if not files else len(list(place.glob("*/*.parquet"))) < files:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=30) == -signal.SIGKILL
    process.communicate()


def killed_and_resumed(
    crawl: Path, undisturbed: Path, folder: Path, moments: list[tuple[str, int]], **dedup: Any
) -> None:
    """One output folder, killed at each of the moments in turn, then left to end."""
    output = folder / "out"
    ingested(undisturbed, output)
    path = write_config(folder / "corpus.yaml", config(crawl, output, dedup=dedup))
    kept: dict[str, int] = {}
    for job, files in moments:
        process = command_line.start("run", path, "--until", "dedup", "--workers", 2)
        killed(process, output, JOBS[job], files)
        kept |= finished(output, JOBS[job])
    last = command_line.gristmill("run", path, "--until", "dedup")
    assert last.code == 0, last.err
    assert promised(output) == promised(undisturbed)
    assert {name: (output / name).stat().st_mtime_ns for name in kept} == kept
    assert not list(output.rglob("*.tmp"))
    assert not list(output.rglob("receipts"))
    for job, stage in JOBS.items():
        manifest = json.loads((output / stage / "manifest.json").read_text())
        if manifest["tasks_run"] < len(manifest["tasks"]):
            done = sum(name.startswith(stage + "/") for name in kept)
            assert manifest["tasks_run"] == len(manifest["tasks"]) - done, job


def test_a_run_killed_in_each_job_of_dedup_ends_as_if_nothing_had_been(crawl, undisturbed, tmp_path):
    killed_and_resumed(crawl, undisturbed, tmp_path, [("sign", 4), ("match", 0), ("cluster", 3)])


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("components", ["one-worker", "rounds"])
def test_a_run_killed_at_any_moments_ends_as_if_nothing_had_been(crawl, undisturbed, tmp_path, seed, components):
    choose = random.Random(seed)
    moments = [(job, choose.randrange(18)) for job in JOBS]
    whole = tmp_path / "whole"  # which says in its manifest how the pairs were united
    ingested(undisturbed, whole)
    deduplicate(config(crawl, whole, dedup={"components": components}))
    killed_and_resumed(crawl, whole, tmp_path, moments, components=components)


@pytest.mark.long
def test_paragraphs_too(crawl, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setitem(JOBS, "hash", "paragraph_hashes")
    monkeypatch.setitem(JOBS, "paragraphs", "paragraphs")
    whole = tmp_path / "whole"
    ingested(undisturbed, whole)
    deduplicate(config(crawl, whole, dedup={"paragraphs": True}))
    monkeypatch.setattr(snapshot_crawl, "DEDUP", (*snapshot_crawl.DEDUP, "paragraph_hashes", "paragraphs"))
    killed_and_resumed(crawl, whole, tmp_path, [("hash", 5), ("paragraphs", 0), ("paragraphs", 2)], paragraphs=True)
