"""What cannot be deduplicated together is refused in one line that names both sides, as a user meets it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snapshot_crawl
from command_line import gristmill
from snapshot_crawl import add, config, deduplicate, write_config

from pipeline.errors import told


@pytest.fixture(scope="module")
def crawl(shared_data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("snapshots") / "crawl"
    snapshot_crawl.cut(shared_data / "dumps", folder, 40)
    return folder


@pytest.fixture(scope="module")
def made(crawl, tmp_path_factory) -> Path:
    """Three dumps, deduplicated: folder of the crawl and of the output."""
    folder = tmp_path_factory.mktemp("made")
    add(crawl, folder / "crawl", "2020-07-01", "2021-07-01", "2022-07-01")
    deduplicate(config(folder / "crawl", folder / "out"))
    return folder


@pytest.fixture
def output(made, tmp_path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(made / "out", tmp_path / "out"))


def refused(crawl: Path, output: Path, **settings: Any) -> str:
    """The line that a deduplication is refused with."""
    with pytest.raises(Exception, match=r".") as caught:
        deduplicate(config(crawl, output, dedup=settings))
    meant = told(caught.value)
    assert meant is not None, caught.value  # else the command line calls it a defect
    assert "\n" not in str(meant)
    return str(meant)


def rewrite(path: Path, table: pa.Table) -> None:
    """Puts other content where a file of a finished stage lies, and tells the manifest, as a restored copy would."""
    pq.write_table(table, path)
    output = path.parents[2]
    manifest = output / path.parts[-3] / "manifest.json"
    content = json.loads(manifest.read_text())
    name = path.relative_to(output).as_posix()
    for file in [*content["files"], *(f for task in content["tasks"] for f in task["outcome"]["files"])]:
        if file["path"] == name:
            file["bytes"] = path.stat().st_size
            file["sha256"] = "0" * 64
    manifest.write_text(json.dumps(content))


@pytest.fixture
def later(crawl, tmp_path) -> Path:
    """A crawl of one more dump, to be held against the three."""
    add(crawl, tmp_path / "later" / "crawl", "2024-07-01")
    return tmp_path / "later" / "crawl"


def test_bands_that_need_more_values_than_are_stored(made, output):
    line = refused(made / "crawl", output, permutations=112, bands=20, rows=8)
    assert re.search(r"bands × rows = 20 × 8 = 160 values, but `permutations` stores 112", line)


def test_an_index_of_too_few_values_names_both_sides(made, later, tmp_path):
    index = str(made / "out")
    path = tmp_path / "corpus.yaml"
    write_config(path, config(later, tmp_path / "own", dedup={"against": [index], "bands": 20, "rows": 8}))
    said = gristmill("run", path, "--until", "dedup")
    assert said.code in (1, 2)
    [line] = said.errors
    assert "112" in line and "160" in line and index in line and "Traceback" not in said.err
    # With no more than is stored it works, whatever the bands.
    write_config(path, config(later, tmp_path / "own", dedup={"against": [index], "bands": 20, "rows": 5}))
    done = gristmill("run", path, "--until", "dedup")
    assert done.code == 0, done.err


@pytest.mark.parametrize(("setting", "there", "here"), [("seed", 1, 7), ("ngram", 5, 3)])
def test_an_index_signed_with_other_settings_names_both_sides(made, later, tmp_path, setting, there, here):
    index = str(made / "out")
    line = refused(later, tmp_path / "own", against=[index], **{setting: here})
    assert index in line
    assert re.search(rf"{setting}\D+\b({there}\b.*\b{here}|{here}\b.*\b{there})\b", line)


def test_an_index_whose_dump_stands_in_the_config(made, crawl, later, tmp_path):
    add(crawl, later, "2022-07-01")
    index = str(made / "out")
    path = write_config(tmp_path / "corpus.yaml", config(later, tmp_path / "own", dedup={"against": [index]}))
    said = gristmill("run", path, "--until", "dedup")
    assert said.code == 2
    [line] = said.errors
    assert "2022-07-01" in line and "dedup.against" in line and index in line
    assert "2024-07-01" not in line


def test_an_index_that_is_none(crawl, later, tmp_path):
    for index in (tmp_path / "nothing", crawl):
        line = refused(later, tmp_path / "own", against=[str(index)])
        assert "against" in line and str(index) in line


def test_an_index_that_is_this_corpus_itself(made, output):
    line = refused(made / "crawl", output, against=[str(output)])
    assert "against" in line and str(output) in line


def test_a_truncated_signature_file(made, output):
    victim = output / "signatures" / "dump=2021-07-01" / "part-00001.parquet"
    whole = victim.read_bytes()
    # Found by its size: signed again, and nothing is lost.
    victim.write_bytes(whole[: len(whole) // 2])
    assert deduplicate(config(made / "crawl", output))[1] == ["sign"]
    assert victim.read_bytes() == whole
    # Of the size in the books, as where a copy was broken off and noted: refused, by name.
    manifest = output / "signatures" / "manifest.json"
    noted = manifest.read_text().replace(f'"bytes": {len(whole)}', f'"bytes": {len(whole) // 2}')
    victim.write_bytes(whole[: len(whole) // 2])
    manifest.write_text(noted)
    shutil.rmtree(output / "candidates")
    line = refused(made / "crawl", output)
    assert str(victim) in line and "cannot be read" in line and "run again" in line


def test_a_truncated_signature_file_of_an_index(output, later, tmp_path):
    victim = output / "signatures" / "dump=2021-07-01" / "part-00001.parquet"
    victim.write_bytes(victim.read_bytes()[:-300])
    line = refused(later, tmp_path / "own", against=[str(output)])
    assert "signatures/dump=2021-07-01/part-00001.parquet" in line


def test_signatures_of_other_settings_in_the_own_folder(made, output, tmp_path):
    deduplicate(config(made / "crawl", tmp_path / "other", dedup={"seed": 9}))
    part = "dump=2021-07-01/part-00001.parquet"
    rewrite(output / "signatures" / part, pq.read_table(tmp_path / "other" / "signatures" / part, partitioning=None))
    line = refused(made / "crawl", output)
    assert re.search(r"seed\D+(9\b.*\b1|1\b.*\b9)\b", line)
    assert part in line


@pytest.mark.parametrize("other", ["dump=2021-07-01/part-00001.parquet", "dump=2020-07-01/part-00000.parquet"])
def test_a_key_that_appears_twice(made, output, other):
    victim = output / "signatures" / "dump=2021-07-01" / "part-00001.parquet"
    table = pq.read_table(victim, partitioning=None)
    more = pq.read_table(output / "signatures" / other, partitioning=None).slice(1, 1)
    rewrite(victim, pa.concat_tables([table, more.cast(table.schema)]).sort_by("key"))
    line = refused(made / "crawl", output)
    assert str(more["key"][0].as_py()) in line
    assert "dump=2021-07-01/part-00001.parquet" in line


def test_a_score_without_a_model(made, output):
    line = refused(made / "crawl", output, keep="best-quality")
    assert "dedup.keep" in line and "filter.quality" in line
