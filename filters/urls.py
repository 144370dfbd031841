"""Rules over addresses: block and allow lists of hosts, suffixes, words and parts of words.

What RefinedWeb (arXiv 2306.01116, appendix G.1) and datatrove's URLFilter do with their own lists, for lists of the
user's: a host on a block list, one hard word, two different soft words, or a part found in the address without its
punctuation. Lists are tables, so an address costs the same whatever their length.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import idna
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import urls_kernels
from filters.presets import Preset, Rule
from text.arrow_buffers import text_array, text_buffers

HOST_KINDS = ("hosts", "suffixes")
KINDS = (*HOST_KINDS, "words", "soft_words", "parts")
NAME = "url"
SOURCE = (
    "lists of the user's own, applied as RefinedWeb's: arXiv 2306.01116, appendix G.1; datatrove, "
    "pipeline/filters/url_filter.py"
)
_REASONS = {
    "hosts": "its host, or one above it, is on a block list",
    "suffixes": "its host ends in a suffix of a block list",
    "words": "its address has a word of a block list",
    "soft_words": "its address has too many words of the soft list",
    "parts": "a part of a block list stands in its address without punctuation",
}
_NOT_IN_WORDS = r"[^a-z0-9\x{80}-\x{10FFFF}]"


class UrlList(NamedTuple):
    """The entries of one kind of list, normalised, and their table."""

    kind: str
    entries: pa.LargeStringArray
    table: np.ndarray


class UrlRules(NamedTuple):
    """Lists by kind. ``soft_minimum``: different soft words that remove."""

    block: Mapping[str, UrlList]
    allow: Mapping[str, UrlList]
    soft_minimum: int = 2


def hosts_of(urls: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """The host of each address in lower case and in ASCII (IDNA, UTS 46), without port and user; "" where none is.

    An address without a scheme begins with its host; null has none.
    """
    data, offsets = text_buffers(pc.ascii_lower(urls))
    starts, stops, odd = urls_kernels.host_spans(data, offsets)
    hosts = text_array(*urls_kernels.gather(data, starts, stops))
    rows = np.flatnonzero(odd)
    if not len(rows):
        return hosts
    spelt = pa.array([_in_ascii(host) for host in hosts.take(pa.array(rows)).to_pylist()], pa.large_string())
    return pc.replace_with_mask(hosts, pa.array(odd), spelt)


def _in_ascii(host: str) -> str:
    """A host with other letters or escapes as it goes over the wire; as it is where IDNA does not allow it."""
    host = unquote(host, errors="replace").lower()
    try:
        return idna.encode(host, uts46=True, transitional=False).decode().rstrip(".")
    except idna.IDNAError:
        return host


def url_list(kind: str, entries: Sequence[str] | pa.Array, where: str) -> UrlList:
    """Makes a list, spaces and comments taken off its lines.

    Args:
        kind: one of ``KINDS``.
        entries: lines, one entry each; ``#`` begins a comment, blank lines are none.
        where: for messages, the file or key that they stand in.

    Raises:
        ValueError: an entry that nothing can match, such as an address where a host is wanted, or no entry at all.
    """
    lines = pc.utf8_lower(pc.utf8_trim_whitespace(pa.array(entries, pa.large_string())))
    if pc.any(pc.match_substring(lines, "#")).as_py():
        lines = pc.utf8_trim_whitespace(pc.replace_substring_regex(lines, "#.*", ""))
    found = lines.filter(pc.not_equal(lines, ""))
    if not len(found):
        raise ValueError(f"{where}: there is no entry in it")
    if kind in HOST_KINDS:
        plain = pc.replace_substring_regex(found, r"^(\*?\.)|\.$", "")
        values = hosts_of(plain)
        # Whatever a host is not, such as a path, would be dropped and the whole host be listed.
        same = pc.equal(pc.binary_length(values), pc.binary_length(plain))
        odd = pc.invert(pc.string_is_ascii(plain))
        broken = pc.or_(pc.invert(pc.or_(same, odd)), pc.match_substring_regex(plain, r"[\s/?@]|^$"))
        broken = pc.or_(broken, pc.greater(pc.binary_length(values), urls_kernels.LONGEST))
        wanted = "a host" if kind == "hosts" else "the end of a host"
    else:
        values, broken = found, pc.match_substring_regex(found, _NOT_IN_WORDS)
        wanted = "a word, which has letters and digits only"
    bad = np.flatnonzero(broken.to_numpy(zero_copy_only=False))
    if len(bad):
        first = found[int(bad[0])].as_py()
        line = pc.index(lines, pa.scalar(first, pa.large_string())).as_py() + 1
        raise ValueError(f"{where}: entry {line:,}, {first[:100]!r}, is not {wanted}")
    return UrlList(kind, values, urls_kernels.build(*text_buffers(values)))


def url_preset(blocked: Collection[str], soft_minimum: int = 2, only_allowed: bool = False) -> Preset:
    """The rules that lists make, over the columns of ``columns_of``. ``blocked``: kinds that have a block list."""
    asked = []
    for kind in KINDS:
        if kind in blocked:
            name = kind.replace("_", "-")
            if kind == "soft_words":
                asked.append(Rule(name, f"url_{kind}", "below", soft_minimum, reason=_REASONS[kind]))
            else:
                asked.append(Rule(name, f"url_{kind}", "maximum", 0, reason=_REASONS[kind]))
    if only_allowed:
        asked.append(Rule("not-allowed", "url_allowed", "minimum", 1, reason="its address is on no allow list"))
    return Preset(NAME, tuple(asked), SOURCE)


def columns_of(urls: pa.Array | pa.ChunkedArray, rules: UrlRules) -> dict[str, pa.Array]:
    """What the rules ask of each address: ``url_KIND`` uint32 [n], entries of a block list found in it (0 or 1; soft
    words are counted up to their minimum), and ``url_allowed``, whether it is on an allow list.

    Allow lists win: an address on one has nothing of a block list. Null is on no list.
    """
    lower = pc.ascii_lower(urls)
    hosts = hosts_of(urls)
    allowed = np.zeros(len(hosts), bool)
    for each in rules.allow.values():
        allowed |= _found(each, lower, hosts, 1)[0] > 0
    columns = {"url_allowed": pa.array(allowed.astype(np.uint32))}
    for kind, each in rules.block.items():
        count, _ = _found(each, lower, hosts, rules.soft_minimum if kind == "soft_words" else 1)
        columns[f"url_{kind}"] = pa.array(np.where(allowed, 0, count).astype(np.uint32))
    return columns


def matches(url: str | None, rules: UrlRules) -> dict[str, str]:
    """The entry of each list that an address is on: ``{"block.hosts": "spam.example"}``."""
    lower, hosts = pc.ascii_lower(pa.array([url], pa.string())), hosts_of(pa.array([url], pa.string()))
    told = {}
    for side, lists in (("allow", rules.allow), ("block", rules.block)):
        for kind, each in lists.items():
            entry = int(_found(each, lower, hosts, 1)[1][0])
            if entry >= 0:
                told[f"{side}.{kind}"] = each.entries[entry].as_py()
    return told


def _found(each: UrlList, urls: pa.Array, hosts: pa.Array, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Entries of a list in each address, counted up to ``most``, and the first, -1 for none."""
    entries, offsets = text_buffers(each.entries)
    if each.kind in HOST_KINDS:
        first = urls_kernels.find_hosts(*text_buffers(hosts), each.table, entries, offsets, each.kind == "hosts")
    elif each.kind == "parts":
        lengths = np.unique(np.diff(offsets))
        first = urls_kernels.find_parts(
            *text_buffers(urls), each.table, entries, offsets, lengths, _beginnings(entries, offsets)
        )
    else:
        return urls_kernels.find_words(*text_buffers(urls), each.table, entries, offsets, most)
    return (first >= 0).astype(np.int32), first


def _beginnings(entries: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Bool [65536]: which pairs of bytes entries begin with."""
    marks = np.zeros((256, 256), bool)
    first, long = entries[offsets[:-1]], np.diff(offsets) > 1
    marks[first[~long]] = True
    marks[first[long], entries[offsets[:-1][long] + 1]] = True
    return marks.reshape(-1)
