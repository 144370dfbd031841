"""The web sites that the pages live on: hosts, what surrounds a page there, and the character set they send.

All hosts are under names that are reserved for examples (RFC 2606).
"""

import codecs
import re
import zlib
from dataclasses import dataclass
from html import escape

from pipeline.sample.languages import phrases
from pipeline.sample.pages import Page

ENGLISH_HOSTS = ("docs.stdlib.example", "reference.stdlib.example", "manual.scripting.example", "handbook.example.net")
MIRROR_HOST = "mirror.example.org"  # keeps pages of all sites in a frame of its own
DATED_HOSTS = {"manual.scripting.example"}  # print the day of the visit below each page
COMPRESSING_HOSTS = {"handbook.example.net"}  # their responses are stored with Content-Encoding: gzip

_NAVIGATION = ("Home", "Library", "Language reference", "Downloads", "About")
_FOOTER = (
    "Rendered by pydoc from the docstrings of the standard library. Terms of use. Privacy policy. Contact the editors."
)


@dataclass(frozen=True)
class Encoding:
    """A character set and where a response declares it: "header", "meta" or "nowhere"."""

    charset: str
    declared: str


_HEADER, _META, _NOWHERE = "header", "meta", "nowhere"
_WESTERN = [
    Encoding("utf-8", _HEADER),
    Encoding("iso-8859-1", _HEADER),
    Encoding("utf-8", _META),
    Encoding("windows-1252", _META),
    Encoding("utf-8", _HEADER),
    Encoding("iso-8859-1", _NOWHERE),
]

# In rotation over the pages of a language.
ENCODINGS = {
    "en": [Encoding("utf-8", _HEADER), Encoding("utf-8", _META)],
    "de": _WESTERN,
    "fr": _WESTERN,
    "es": _WESTERN,
    "ru": [
        Encoding("utf-8", _HEADER),
        Encoding("windows-1251", _HEADER),
        Encoding("utf-8", _META),
        Encoding("koi8-r", _META),
    ],
    "ar": [Encoding("utf-8", _HEADER), Encoding("windows-1256", _META), Encoding("utf-8", _META)],
    "zh": [
        Encoding("utf-8", _HEADER),
        Encoding("gbk", _HEADER),
        Encoding("gbk", _NOWHERE),
        Encoding("utf-8", _META),
        Encoding("gb18030", _META),
    ],
    "ja": [
        Encoding("utf-8", _HEADER),
        Encoding("shift_jis", _META),
        Encoding("euc-jp", _HEADER),
        Encoding("utf-8", _META),
        Encoding("shift_jis", _NOWHERE),
    ],
    "ko": [Encoding("utf-8", _HEADER), Encoding("euc-kr", _META), Encoding("utf-8", _META)],
}


def host_of(page: Page) -> str:
    """The site that a page is first published on."""
    if page.language != "en":
        return f"{page.language}.notes.example"
    return ENGLISH_HOSTS[_spread(page.path) % len(ENGLISH_HOSTS)]


def encoding_of(page: Page, host: str) -> Encoding:
    """What a host sends a page in; a mirror re-encodes everything as UTF-8."""
    if host == MIRROR_HOST:
        return Encoding("utf-8", "header")
    choices = ENCODINGS[page.language]
    number = re.search(r"/(\d+)\.html$", page.path)  # translated pages are numbered
    return choices[(int(number.group(1)) if number else _spread(page.path)) % len(choices)]


def rendered(page: Page, content: str, host: str, encoding: Encoding, day: str) -> bytes:
    """The body of the response: the page's content inside the frame of its host, in the host's character set."""
    frame = _mirror_frame if host == MIRROR_HOST else _site_frame
    html = frame(page, content, host, encoding, day)
    # What a character set lacks is written as a character reference, as editors of such pages do.
    return html.encode(codecs.lookup(encoding.charset).name, "xmlcharrefreplace")


def _site_frame(page: Page, content: str, host: str, encoding: Encoding, day: str) -> str:
    words = phrases().get(page.language)
    site = words["site"] if words else host
    links = words["navigation"] if words else _NAVIGATION
    footer = words["footer"] if words else _FOOTER
    menu = "".join(f'<li><a href="/{index}.html">{escape(label)}</a></li>' for index, label in enumerate(links))
    visit = f"<p>{day}</p>" if host in DATED_HOSTS else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{page.language}">\n<head>{_meta(encoding)}<title>{page.title}</title>\n'
        '<link rel="stylesheet" href="/pydoc.css"><script>window.visits = (window.visits || 0) + 1;</script></head>\n'
        f"<body><header><nav><ul>{menu}</ul></nav></header>\n<main><article>\n{content}</article></main>\n"
        f"<footer><p>{escape(site)}</p><p>{escape(footer)}</p>{visit}</footer></body></html>\n"
    )


def _mirror_frame(page: Page, content: str, host: str, encoding: Encoding, day: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="{page.language}">\n<head>{_meta(encoding)}'
        f"<title>{page.title} | {host}</title></head>\n"
        f'<body><header class="header"><nav class="navigation"><a href="/">{host}</a> '
        f'<a href="/recent">Recently added</a></nav></header>\n<main id="content">\n{content}</main>\n'
        f'<footer class="footer"><p>A copy kept by {host}. Last visit to the original: {day}.</p></footer>'
        "</body></html>\n"
    )


def _meta(encoding: Encoding) -> str:
    return f'<meta charset="{encoding.charset}">' if encoding.declared == "meta" else ""


def _spread(text: str) -> int:
    return zlib.crc32(text.encode())
