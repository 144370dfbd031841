"""Lists of addresses in a corpus: from the config and from files, applied without a text being read again."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import planted
import pytest
from planted import Part
from test_select_job import JOBS, prose

from pipeline import explain, preflight, url_lists
from pipeline.config_file import parse
from pipeline.errors import ConfigError

URLS = [
    *("https://Ads.spam.example/1", "https://good.example/1", "https://news.xxx/1", "https://shop.example/casino"),
    *(None, "https://bücher.example/x"),
]
PART = Part("2021", 0, [prose(seed) for seed in range(len(URLS))], urls=URLS)


def decided(output: Path, urls: dict[str, Any]) -> tuple[list[str], list[str | None], dict[str, int]]:
    """Which jobs ran, the rule that took each document, and the funnel."""
    corpus = planted.corpus_of(output, filter={"presets": [], "urls": urls})
    planted.plant(corpus, [PART])
    ran = planted.run(corpus, *JOBS)
    funnel = corpus.manifest("decisions")["details"]["funnel"]
    rules = planted.table(output, "decisions")["rule"].to_pylist()
    return ran, rules, {row["rule"]: row["documents"] for row in funnel}


def test_lists_remove_by_address_and_a_changed_list_costs_decisions_alone(tmp_path):
    hosts = tmp_path / "hosts.gz"
    hosts.write_bytes(gzip.compress(b"# bad ones\r\nspam.example\r\n\r\nb\xc3\xbccher.example # with a letter\r\n"))
    lists = {"block": {"host_files": [str(hosts)], "suffixes": ["xxx"], "words": ["casino"]}}
    ran, rules, funnel = decided(tmp_path / "out", lists)
    assert ran[-2:] == ["decide", "select"]
    assert rules == ["url/hosts", None, "url/suffixes", "url/words", None, "url/hosts"]
    assert funnel == {"url/hosts": 2, "url/suffixes": 1, "url/words": 1}
    assert planted.table(tmp_path / "out", "filtered")["url"].to_pylist() == [URLS[1], None]

    # The same file with other content is another list; annotations stay as they are.
    hosts.write_bytes(b"good.example\n")
    ran, rules, _ = decided(tmp_path / "out", lists)
    assert ran == ["decide", "select"]
    assert rules == [None, "url/hosts", "url/suffixes", "url/words", None, None]
    assert decided(tmp_path / "out", lists)[0] == []

    # An allow list wins over all of them, and alone it removes nothing.
    ran, rules, _ = decided(tmp_path / "out", lists | {"allow": {"suffixes": ["example"]}})
    assert rules == [None, None, "url/suffixes", None, None, None]
    _, rules, _ = decided(tmp_path / "out", {"allow": {"hosts": ["good.example"]}, "only_allowed": True})
    assert rules == ["url/not-allowed", None, *["url/not-allowed"] * 4]


def test_the_entry_that_took_a_document_is_told(tmp_path):
    lists = {"block": {"hosts": ["spam.example"], "words": ["casino"]}}
    decided(tmp_path, lists)
    corpus = planted.corpus_of(tmp_path, filter={"presets": [], "urls": lists})
    told = explain.explain(corpus, "0")
    assert told.verdict == "removed by url/hosts"
    assert "Its address is on filter.urls.block.hosts: spam.example" in told.notes
    [failing] = [judged for judged in told.rules if judged.fails]
    assert (failing.value, str(failing.rule)) == (1, "url_hosts ≤ 0")
    assert explain.explain(corpus, "1").verdict == "stays: it passes all 2 rules"


CONFIG = {
    "name": "lists",
    "output": "out",
    "sources": [{"name": "web", "format": "jsonl", "paths": ["x.jsonl"]}],
}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"filter\.urls: .*hosts\.txt: No such file or directory"),
        (b"", r"filter\.urls\.block\.hosts: .*hosts\.txt: there is no entry in it"),
        (b"# nothing\n\n", r"hosts\.txt: there is no entry in it"),
        (b"spam.example\n\xff\xfe\n", r"hosts\.txt: this is no text in UTF-8 \(byte 13\)"),
        (b"PK\x03\x04\0\0", r"hosts\.txt: this is no text, it has zero bytes"),
        (b"\x1f\x8bnot gzip", r"hosts\.txt: broken gzip"),
        (gzip.compress(b"a.example\n" * 99, mtime=0)[:-20], r"hosts\.txt: broken gzip"),
        (b"a.example\nhttps://b.example/x\n", r"hosts\.txt: entry 2, 'https://b\.example/x', is not a host"),
    ],
)
def test_a_file_that_is_no_list_is_refused_before_anything_runs(tmp_path, content, message):
    if content is not None:
        (tmp_path / "hosts.txt").write_bytes(content)
    filter = {"urls": {"block": {"host_files": ["hosts.txt"]}}}
    config = parse(CONFIG | {"filter": filter}, folder=tmp_path)
    with pytest.raises(ConfigError, match=message) as error:
        preflight.check(config, ["filter"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ({"blok": {}}, r"filter\.urls\.blok.*did you mean.*block"),
        ({"block": {"host": ["a.example"]}}, r"filter\.urls\.block\.host.*did you mean.*hosts"),
        ({"only_allowed": True}, r"only_allowed removes everything where filter\.urls\.allow has no list"),
        ({"block": {"soft_words": ["a"], "soft_words_minimum": 1}}, r"soft_words_minimum"),
    ],
)
def test_mistakes_in_the_section_are_named(urls, message):
    with pytest.raises(ConfigError, match=message):
        parse(CONFIG | {"filter": {"urls": urls}})


def test_files_lie_beside_the_config(tmp_path):
    config = parse(CONFIG | {"filter": {"urls": {"allow": {"word_files": ["w.txt"]}}}}, folder=tmp_path)
    assert config.filter.urls.allow.word_files == [str(tmp_path / "w.txt")]
    (tmp_path / "w.txt").write_text("\ufeffgood\n")
    assert url_lists.rules_of(config.filter.urls).allow["words"].entries.to_pylist() == ["good"]
