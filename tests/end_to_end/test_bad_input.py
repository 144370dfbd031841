"""Bad input, bad moments: one clear line that says what, where and what to do, and nothing finished is lost."""

import gzip
import json
import os
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import command_line
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import runs
import yaml
from command_line import another_output, gristmill

WORDS = Path(__file__).read_text().replace('"', "").split()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return command_line.finished(tmp_path_factory)


def when_written(output, folder="."):
    """When each file of a stage was written; what is not written again keeps its time."""
    return {
        path.relative_to(output).as_posix(): path.stat().st_mtime_ns
        for path in sorted((output / folder).rglob("*"))
        if path.is_file() and path.name not in (".lock", "corpus.yaml")
    }


def data_files(output):
    """Files that only ever become more during a run: no receipts, no manifests, nothing half-written."""
    return [name for _, _, names in os.walk(output) for name in names if name.endswith((".parquet", ".arrow"))]


# Damaged files


def wet_record(text, number):
    head = (
        f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Record-ID: <urn:uuid:{number}>\r\n"
        f"WARC-Date: 2024-01-15T00:00:00Z\r\nWARC-Target-URI: https://example.org/{number}\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text + b"\r\n\r\n"


def documents(seed, count=12):
    choose = random.Random(seed)
    return [" ".join(choose.choices(WORDS, k=80)).encode() for _ in range(count)]


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A corpus whose files are wrong in every way the product promises to survive: its config."""
    folder = tmp_path_factory.mktemp("damaged")
    wet = [gzip.compress(wet_record(text, i), mtime=0) for i, text in enumerate(documents(0))]
    (folder / "whole.wet.gz").write_bytes(b"".join(wet))
    (folder / "clipped.wet.gz").write_bytes(b"".join(wet)[: -len(wet[-1]) // 2])
    (folder / "junk.wet.gz").write_bytes(b"".join(wet[:6]) + b"not a record at all\n" * 9 + b"".join(wet[6:]))
    binary = gzip.compress(wet_record(documents(1)[0] + b"\xff\xfe \xc3", 99), mtime=0)
    (folder / "binary.wet.gz").write_bytes(b"".join(wet[:3]) + binary)
    (folder / "empty.wet.gz").write_bytes(b"")
    (folder / "picture.wet.gz").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    lines = [json.dumps({"text": text.decode()}) for text in documents(2)]
    (folder / "lines.jsonl").write_text("\n".join([*lines[:5], '{"text": "cut', *lines[5:]]) + "\n")
    table = pa.table({"text": [text.decode() for text in documents(3)]})
    pq.write_table(table, folder / "whole.parquet")
    (folder / "text.parquet").write_text("This is not a Parquet file. " * 50)
    config = {
        "name": "damaged",
        "output": "out",
        "sources": [
            {"name": "wet", "format": "wet", "paths": ["*.wet.gz"]},
            {"name": "lines", "format": "jsonl", "paths": ["*.jsonl"]},
            {"name": "tables", "format": "parquet", "paths": ["*.parquet"]},
        ],
        "ingest": {"max_reject_share": 0.01},
        "filter": {"presets": []},
        "tokenizer": {"vocabulary": 60_000},
        "shards": {"validation_share": 0.1},
        "engine": {"workers": 2},
    }
    (folder / "corpus.yaml").write_text(yaml.safe_dump(config))
    return folder / "corpus.yaml"


def change(config, **keys):
    """Changes keys of a config file, ``section__key=value``."""
    content = yaml.safe_load(config.read_text())
    for key, value in keys.items():
        *sections, last = key.split("__")
        section = content
        for name in sections:
            section = section.setdefault(name, {})
        section[last] = value
    config.write_text(yaml.safe_dump(content))


def test_damaged_files_are_counted_told_and_survived(damaged):
    folder = damaged.parent
    output = folder / "out"

    # More than the share that is allowed: an error with the first of them, and the key that allows more.
    refused = gristmill("run", damaged)
    assert refused.code == 1
    [line] = refused.errors
    assert re.search(r"\d+ of \d+ records were rejected, more than ingest\.max_reject_share = 0\.01 allows", line)
    assert re.search(r"the first: \S+ at byte \d+", line)
    assert "raise the share" in line
    assert "Traceback" not in refused.err
    read = when_written(output, "documents")

    # Allowed: nothing is read again, every reason is one line with a place, and the run goes to the shards.
    change(damaged, ingest__max_reject_share=1)
    allowed = gristmill("run", damaged)
    assert allowed.code == 0, allowed.err
    parts = {path: when for path, when in read.items() if path.endswith(".parquet")}
    assert len(parts) == 9
    assert parts.items() <= when_written(output, "documents").items()
    places = {
        "broken-compression|truncated": "clipped.wet.gz",
        "garbage": "junk.wet.gz",
        "invalid-utf8": "binary.wet.gz",
        "empty-file": "empty.wet.gz",
        "wrong-format": "(picture.wet.gz|text.parquet)",
        "bad-json": "lines.jsonl",
    }
    for reason, file in places.items():
        found = rf"^! \d+ rejected, ({reason}): .+; the first: \S+/{file} at byte [\d,]+$"
        assert re.search(found, allowed.err, re.MULTILINE), (reason, allowed.err)
    assert "! rejects/ lists every one with its place; fetch those files again, or go on without" in allowed.err

    rejects = runs.table(output, "rejects").to_pylist()
    assert {row["file"].rsplit("/", 1)[1] for row in rejects} == {
        "clipped.wet.gz", "junk.wet.gz", "binary.wet.gz", "empty.wet.gz", "picture.wet.gz", "lines.jsonl",
        "text.parquet",
    }  # fmt: skip
    # What is whole is all there, also behind the damage: 12 + 11 + 12 + 3 of WET, 12 lines, 12 rows.
    assert runs.table(output, "documents", ["key"]).num_rows == 12 + 11 + 12 + 3 + 12 + 12

    # Too little text for its vocabulary is said, not refused, unless asked for.
    short = r"^! the text has pairs for [\d,]+ tokens, not for tokenizer\.vocabulary = 60,000: give more text or ask"
    assert re.search(short, allowed.err, re.MULTILINE)
    change(damaged, tokenizer__strict=True)
    strict = gristmill("run", damaged)
    assert strict.code == 1
    [line] = strict.errors
    assert re.search(r"tokenizer: vocabulary 60000 is more than this text holds: it has pairs .*for \d+ tokens", line)
    assert "give more text or ask for fewer" in line
    assert strict.err.count("up to date") == 9
    change(damaged, tokenizer__strict=False)

    # A filter that nothing passes.
    finished = when_written(output, "signatures") | when_written(output, "shards")
    change(damaged, filter__language={"keep": ["xal"]})
    nothing = gristmill("run", damaged)
    assert nothing.code == 1
    [line] = nothing.errors
    assert re.search(r"filter: no document of \d+ passes; language/\w+ alone fails \d+: .*filter\.language\.keep", line)
    assert finished.items() <= when_written(output).items()

    # Back to what worked: only what the change had touched is done again.
    change(damaged, filter__language={"keep": []})
    back = gristmill("run", damaged)
    assert back.code == 0, back.err
    assert re.findall(r"^✓ (\w+)", back.err, re.MULTILINE) == ["decide", "tokenizer"]

    # The folder belongs to this corpus: another config is refused, and so is a folder with other things in it.
    before = when_written(output)
    change(damaged, name="stranger")
    stranger = gristmill("run", damaged)
    assert stranger.code == 2
    assert stranger.errors == [
        f"output: {output} holds the corpus `damaged`, and this config is named `stranger`: choose another output "
        "folder, or delete that one"
    ]
    assert when_written(output) == before
    assert gristmill("run", damaged, "--dry-run").errors == stranger.errors
    thesis = folder / "thesis"
    thesis.mkdir()
    (thesis / "chapter.tex").write_text("x")
    change(damaged, output=str(thesis))
    foreign = gristmill("run", damaged)
    assert foreign.code == 2
    assert foreign.errors == [
        f"output: {thesis} is not empty (chapter.tex) and no corpus of gristmill's: choose another folder"
    ]
    assert [path.name for path in thesis.iterdir()] == ["chapter.tex"]
    change(damaged, output=str(thesis / "chapter.tex"))
    assert gristmill("run", damaged).errors == [f"output: {thesis / 'chapter.tex'} is a file: name a folder"]


def test_files_without_a_document_are_an_error_where_it_shows_first(made, tmp_path):
    crawl = made.folder / "crawl" / "2024-01" / "part-00000.warc.gz"
    config = {"name": "none", "output": "out", "sources": [{"name": "s", "format": "wet", "paths": [str(crawl)]}]}
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(config | {"ingest": {"max_reject_share": 1}}))
    said = gristmill("run", tmp_path / "corpus.yaml")
    assert said.code == 1
    [line] = said.errors
    assert re.search(r"there is no document in 1 files of s \(skipped: .*\d+ response.*\)", line)
    assert "are sources.format and sources.paths right?" in line


def test_a_column_that_is_not_there_names_the_near_one(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"texts": "one two three"}\n')
    config = {"name": "c", "output": "out", "sources": [{"name": "s", "format": "jsonl", "paths": ["a.jsonl"]}]}
    (tmp_path / "corpus.yaml").write_text(yaml.safe_dump(config))
    said = gristmill("run", tmp_path / "corpus.yaml")
    assert said.code == 2
    [line] = said.errors
    assert "has no column `text` for columns.text; did you mean `texts`?" in line
    assert "Traceback" not in said.err


# A full disk


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk, leave):
    """Fills the disk but for some bytes; returns the file that does it."""
    free = int(subprocess.run(["df", "-B1", "--output=avail", disk], capture_output=True, text=True).stdout.split()[1])
    filler = disk / "filler"
    filler.write_bytes(b"\0" * (free - leave))
    return filler


def test_a_full_disk_loses_nothing_that_was_finished(made, small_disk, tmp_path):
    config, _ = another_output(made, tmp_path, output=str(small_disk / "out"))
    output = small_disk / "out"
    assert gristmill("run", config, "--until", "dedup").code == 0
    before = when_written(output)
    filler = fill(small_disk, 64_000)
    full = gristmill("run", config, "--workers", 1)
    assert full.code == 1
    [line] = full.errors
    assert re.search(rf"no space left on the device while writing {re.escape(str(output))}/annotations/\S+: ", line)
    assert "free some space or choose another output folder, then run again; finished files are kept" in line
    assert "Traceback" not in full.err
    assert full.err.count("up to date") == 4
    assert when_written(output).items() >= before.items()
    assert not list(output.rglob("*.tmp"))
    annotated = when_written(output, "annotations")
    finished = {path: when for path, when in annotated.items() if path.endswith(".parquet")}
    assert 0 < len(finished) < 8

    filler.unlink()
    again = gristmill("run", config)
    assert again.code == 0, again.err
    assert again.err.count("up to date") == 4
    assert when_written(output).items() >= (before | finished).items()
    assert json.loads((output / "annotations" / "manifest.json").read_text())["tasks_run"] == 8 - len(finished)
    assert runs.fingerprint(output) == without_report(made)

    # So full that not even the lock can be noted.
    fill(small_disk, 0)
    lock = gristmill("run", config)
    assert lock.code == 1
    assert re.search(r"no space left on the device while writing \S+/out/(\.lock|corpus\.yaml): ", lock.errors[0])


def test_a_folder_that_cannot_be_written_is_named(made, small_disk, tmp_path):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    config, _ = another_output(made, tmp_path, output=str(small_disk / "out"))
    said = gristmill("run", config)
    assert said.code == 2
    assert said.errors == [
        f"output: {small_disk / 'out'} cannot be made (Read-only file system): choose another folder"
    ]


# Killed


def without_report(made):
    """What the undisturbed run made; a report is no part of a run."""
    return {path: sha for path, sha in runs.fingerprint(made.output).items() if not path.startswith("report.")}


def run_until_files(config, output, count, how):
    """Starts a run and sends it a signal as soon as that many files lie there; its exit code and stderr."""
    process = command_line.start("run", config, "--workers", 2)
    while len(data_files(output)) < count:
        if process.poll() is not None:
            raise AssertionError(f"the run ended before it had {count} files: {process.communicate()[1]}")
        time.sleep(0.001)
    process.send_signal(how)
    return process.wait(timeout=30), process.communicate()[1]


def killed_at(made, folder, moments):
    """Runs over and over in one folder, killed as the files reach each of the moments, then to the end."""
    config, output = another_output(made, folder)
    for moment in moments:
        code, err = run_until_files(config, output, moment, signal.SIGKILL)
        assert code == -signal.SIGKILL, err
    last = gristmill("run", config)
    assert last.code == 0, last.err
    assert runs.fingerprint(output) == without_report(made)
    assert not list(output.rglob("*.tmp"))
    assert not list(output.rglob("receipts"))


def test_kill_9_at_three_moments_changes_nothing(made, tmp_path):
    total = len(data_files(made.output))
    killed_at(made, tmp_path, sorted(random.Random(2).sample(range(1, total - 1), 3)))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_kill_9_at_any_moment_changes_nothing(made, tmp_path, seed):
    total = len(data_files(made.output))
    killed_at(made, tmp_path, [random.Random(seed).randrange(1, total - 1)])


def test_a_second_run_on_the_same_folder_waits_its_turn(made, tmp_path):
    config, output = another_output(made, tmp_path)
    first = command_line.start("run", config, "--until", "ingest")
    while not (output / ".lock").exists() or not (output / ".lock").read_text():
        assert first.poll() is None
        time.sleep(0.002)
    # The first is stopped, not slow, so that the second is sure to meet it.
    first.send_signal(signal.SIGSTOP)
    second = gristmill("run", config, "--until", "ingest")
    first.send_signal(signal.SIGCONT)
    assert second.code == 1
    assert re.search(rf"out is in use by another run \(process {first.pid} on .+\): wait for it or stop it", second.err)
    _, err = first.communicate(timeout=120)
    assert first.returncode == 0, err
