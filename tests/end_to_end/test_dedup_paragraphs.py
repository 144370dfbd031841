"""Paragraph deduplication as a user switches it on and off."""

from __future__ import annotations

import re

import pyarrow.compute as pc
import pytest
import runs
import snapshot_crawl
from command_line import gristmill
from snapshot_crawl import config, deduplicate, write_config

FILTER = ("annotations", "decisions", "filtered")


@pytest.fixture(scope="module")
def crawl(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("snapshots") / "crawl"
    snapshot_crawl.cut(shared_data / "dumps", folder, 30)
    return folder


def test_it_is_free_when_off_and_leaves_no_trace_when_switched_off_again(crawl, tmp_path):
    output = tmp_path / "out"
    path = write_config(tmp_path / "corpus.yaml", config(crawl, output))
    off = gristmill("run", path, "--until", "filter")
    assert off.code == 0, off.err
    assert "paragraph" not in off.err
    assert not (output / "paragraphs").exists()
    before = runs.fingerprint(output)
    texts = runs.table(output, "filtered", ["text"])

    write_config(path, config(crawl, output, dedup={"paragraphs": True}))
    on = gristmill("run", path, "--until", "filter")
    assert on.code == 0, on.err
    said = re.search(
        r"^✓ paragraphs  ([\d,]+) paragraphs → ([\d,]+) copies removed, [\d.]+ [kM]?B; (\d+) emptied", on.err, re.M
    )
    assert said, on.err
    removed, emptied = (int(number.replace(",", "")) for number in said.groups()[1:])
    assert removed > 1000
    kept = runs.table(output, "filtered", ["text"])
    assert kept.num_rows == texts.num_rows - emptied
    lost = pc.sum(pc.binary_length(texts["text"])).as_py() - pc.sum(pc.binary_length(kept["text"])).as_py()
    assert lost >= int(runs.Corpus(runs.config_file.load(path)).manifest("paragraphs")["counts"]["removed_bytes"])
    same = [name for name in before if name.split("/")[0] in ("documents", "signatures", "candidates", "clusters")]
    assert {name: sha for name, sha in runs.fingerprint(output).items() if name in same} == {n: before[n] for n in same}

    # Fewer words make more paragraphs, and touch nothing before.
    assert deduplicate(config(crawl, output, dedup={"paragraphs": True, "paragraph_words": 4}))[1] == [
        "hash",
        "paragraphs",
    ]

    write_config(path, config(crawl, output))
    back = gristmill("run", path, "--until", "filter")
    assert re.findall(r"^✓ (\w+)", back.err, re.M) == ["annotate", "decide", "select"]
    assert runs.fingerprint(output) == before
