"""Lists of addresses: which host an address has, and which lists it is on, against plain Python."""

from __future__ import annotations

import re
import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.decisions import decide
from filters.urls import UrlRules, columns_of, hosts_of, matches, url_list, url_preset

HOSTS = {
    "https://Example.ORG/path": "example.org",
    "http://user:pass@example.org:8080/a?b@c": "example.org",
    "example.org": "example.org",
    "example.org/a//b": "example.org",
    "//example.org/a": "example.org",
    "  https://example.org.:443  ": "example.org",
    "https://bücher.example/ä": "xn--bcher-kva.example",
    "https://B%C3%BCcher.example/": "xn--bcher-kva.example",
    "https://例え.テスト/": "xn--r8jz45g.xn--zckzah",
    "https://straße.example": "xn--strae-oqa.example",
    "http://[2001:DB8::1]:80/": "[2001:db8::1]",
    "http://127.0.0.1:9/": "127.0.0.1",
    "https://example.org?q=https://other.example/": "example.org",
    "https://example.org#x@other.example": "example.org",
    "https://evil.example\\@good.example/": "evil.example",
    "https://a@b@example.org/": "example.org",
    "file:///etc/passwd": "",
    "https://": "",
    "": "",
    "https://-_.%/": "-_.%",
}


def test_hosts_are_found_however_an_address_is_spelt():
    assert dict(zip(HOSTS, hosts_of(pa.array(list(HOSTS))).to_pylist())) == HOSTS
    chunks = pa.chunked_array([["https://a.example", None], [], ["B.example"]], pa.string())
    assert hosts_of(chunks).to_pylist() == ["a.example", "", "b.example"]
    assert hosts_of(pa.array(["x.example", "https://a.example/"])[1:]).to_pylist() == ["a.example"]


def plain_host(url: str) -> str:
    """What ``hosts_of`` says of ASCII addresses without escapes, by other means."""
    url = url.strip(" \t\n\r").lower()
    authority = re.match(r"(?:[^/\\?#]*:)?//([^/\\?#]*)|([^/\\?#]*)", url)
    host = (authority[1] if authority[1] is not None else authority[2]).rpartition("@")[2]
    found = re.match(r"\[[^\]]*\]?|[^:]*", host)[0]
    return found.rstrip(".")


@given(st.lists(st.text("aB.:/@[]?#\\- 1", max_size=14)))
def test_hosts_equal_a_plain_reference(urls):
    assert hosts_of(pa.array(urls, pa.string())).to_pylist() == [plain_host(url) for url in urls]


def rules(block=None, allow=None, soft_minimum=2) -> UrlRules:
    made = [{kind: url_list(kind, each, kind) for kind, each in (side or {}).items()} for side in (block, allow)]
    return UrlRules(made[0], made[1], soft_minimum)


def removed(urls: list[str | None], block=None, allow=None, soft_minimum=2, only_allowed=False) -> list[str | None]:
    """The first rule that removes each address."""
    preset = url_preset(list(block or {}), soft_minimum, only_allowed)
    columns = columns_of(pa.array(urls, pa.string()), rules(block, allow, soft_minimum))
    decisions = decide(pa.table(columns), [preset])
    return [decisions.rules[first] if first >= 0 else None for first in decisions.first]


def test_a_host_is_blocked_with_its_subdomains_and_no_other():
    block = {"hosts": ["spam.example", "  Bücher.example  # books", "*.wild.example", "localhost", "xxx", "10.0.0.1"]}
    urls = [
        *("https://spam.example/", "http://ads.SPAM.example:81/", "spam.example", "https://xn--bcher-kva.example"),
        *("https://a.b.wild.example", "http://localhost:8/", "http://10.0.0.1/"),
        *("https://notspam.example/", "https://spam.example.org/", "https://org.example/spam.example", "https://a.xxx"),
        *("https://user:spam.example@good.example/", None, ""),
    ]
    assert removed(urls, block) == ["url/hosts"] * 7 + [None] * 7


def test_a_suffix_is_the_end_of_a_host_by_whole_labels():
    urls = ["https://a.xxx/", "https://xxx/", "https://a.gov.uk", "https://gov.uk", "https://agov.uk", "https://b.xxxx"]
    assert removed(urls, {"suffixes": [".xxx", "gov.uk"]}) == ["url/suffixes"] * 4 + [None] * 2


def test_words_stand_between_what_is_no_letter_and_no_digit():
    urls = [
        "https://a.example/free-CASINO.html",
        "https://casino.example",
        "https://casinos.example",
        "https://a/x?casino2",
    ]
    assert removed(urls, {"words": ["Casino"]}) == ["url/words", "url/words", None, None]


def test_soft_words_remove_when_enough_different_ones_meet():
    urls = ["https://a.example/win-now", "https://a.example/win/win", "https://win.example/now/free", "https://a/free"]
    block = {"soft_words": ["win", "now", "free"]}
    assert removed(urls, block) == ["url/soft-words", None, "url/soft-words", None]
    assert removed(urls, block, soft_minimum=3) == [None, None, "url/soft-words", None]


def test_parts_are_found_across_punctuation():
    urls = ["http://foobann.edsub-wo.rdbar.com/any", "https://a.example/banned/sub", "https://banned-sub.word"]
    assert removed(urls, {"parts": ["bannedsubword", "q"]}) == ["url/parts", None, "url/parts"]


def test_allow_lists_win_and_can_limit():
    urls = ["https://good.spam.example/", "https://spam.example/", "https://other.example/", None]
    block, allow = {"hosts": ["spam.example"]}, {"hosts": ["good.spam.example"]}
    assert removed(urls, block, allow) == [None, "url/hosts", None, None]
    assert removed(urls, block, allow, only_allowed=True) == [None, "url/hosts", "url/not-allowed", "url/not-allowed"]
    assert removed(urls, {}, {"suffixes": ["example"]}, only_allowed=True) == [None] * 3 + ["url/not-allowed"]
    assert removed(urls, block, {"words": ["spam"]}) == [None] * 4


def test_what_an_address_matches_is_told():
    found = rules({"hosts": ["a.example", "spam.example"], "soft_words": ["x", "ads"]}, {"suffixes": ["de"]})
    assert matches("https://ads.spam.example/", found) == {"block.hosts": "spam.example", "block.soft_words": "ads"}
    assert matches("https://good.de/", found) == {"allow.suffixes": "de"}
    assert matches(None, found) == {}


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=4).map(".".join), max_size=8),
    st.lists(st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=1, max_size=3).map(".".join), min_size=1),
)
def test_hosts_and_suffixes_equal_a_plain_reference(hosts, entries):
    def on_list(host: str, single_alone: bool) -> bool:
        endings = [entry for entry in entries if not single_alone or "." in entry]
        return host in entries or any(host.endswith(f".{entry}") for entry in endings)

    columns = columns_of(pa.array(hosts, pa.string()), rules({"hosts": entries, "suffixes": entries}))
    assert columns["url_hosts"].to_pylist() == [on_list(host, True) for host in hosts]
    assert columns["url_suffixes"].to_pylist() == [on_list(host, False) for host in hosts]


@given(
    st.lists(st.text("abc-./é", max_size=20), max_size=8),
    st.lists(st.text("abcé", min_size=1, max_size=4), min_size=1, max_size=6),
)
def test_words_and_parts_equal_a_plain_reference(urls, entries):
    kinds = {"words": entries, "soft_words": entries, "parts": entries}
    columns = columns_of(pa.array(urls, pa.string()), rules(kinds, soft_minimum=3))
    words = [set(re.split(r"[^abcé]+", url)) & set(entries) for url in urls]
    assert columns["url_words"].to_pylist() == [bool(found) for found in words]
    assert columns["url_soft_words"].to_pylist() == [min(3, len(found)) for found in words]
    joined = [re.sub(r"[^abcé]", "", url) for url in urls]
    assert columns["url_parts"].to_pylist() == [any(entry in text for entry in entries) for text in joined]


@pytest.mark.parametrize(
    ("kind", "entry", "message"),
    [
        ("hosts", "https://spam.example/", "list.txt: entry 3, 'https://spam.example/', is not a host"),
        ("hosts", "spam.example/path", "entry 3, 'spam.example/path', is not a host"),
        ("hosts", "0.0.0.0 spam.example", "is not a host"),
        ("hosts", "a@spam.example", "is not a host"),
        ("hosts", "spam.example:80", "is not a host"),
        ("hosts", "a" * 254, "is not a host"),
        ("suffixes", ".", "is not the end of a host"),
        ("words", "two words", "is not a word, which has letters and digits only"),
        ("parts", "a-b", "is not a word"),
    ],
)
def test_entries_that_can_match_nothing_are_refused(kind, entry, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        url_list(kind, ["# a comment", "fine", entry], "list.txt")


def test_lists_of_nothing_are_refused():
    with pytest.raises(ValueError, match=r"list.txt: there is no entry in it"):
        url_list("hosts", ["", "  ", "# only this"], "list.txt")


def test_time_is_linear_in_addresses_and_does_not_grow_with_the_list():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 1 << 40, 200_000)
    short, long = (url_list("hosts", [f"h{n:x}.example" for n in some], "x") for some in (numbers[:100], numbers))
    urls = pa.array([f"https://www.h{n:x}.example/page/{n}" for n in rng.integers(0, 1 << 40, 50_000)])
    columns_of(urls[:10], UrlRules({"hosts": short}, {}))

    def seconds(each, some):
        best = 1e9
        for _ in range(3):
            began = time.process_time()
            columns_of(some, UrlRules({"hosts": each}, {}))
            best = min(best, time.process_time() - began)
        return best

    assert seconds(long, urls) < 6 * seconds(short, urls) + 0.01
    hostile = pa.array(["a." * 500_000, "https://" + "a/" * 500_000, "@" * 1_000_000, ":" * 1_000_000])
    assert seconds(long, hostile) < 2
