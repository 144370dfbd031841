"""Pages to text: find the charset, parse, keep the main content."""

from __future__ import annotations

import codecs
import re

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5
from resiliparse.parse.html import HTMLTree
from resiliparse.parse.html.node import Node

from pipeline.sources.markup_kernels import FORMATTING_ELEMENTS, VOID_ELEMENTS, nesting, reopened

HTML_TYPES = ("text/html", "application/xhtml+xml")

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# WHATWG's names stand for more than Python's codecs of the same name: https://encoding.spec.whatwg.org/#names-and-labels
_SUPERSETS = {"gbk": "gb18030", "gb2312": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs"}
_META = re.compile(rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.I)
_XML = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{1,40})", re.I)
_META_WITHIN = 4096  # bytes; the standard says 1,024, pages do not keep to it
_MAX_UNDECODABLE = 0.01  # characters lost or control characters, of all
_MAX_REOPENED = 1 << 20  # elements, at about half a kilobyte each
_TOLERATED = 8  # of them in any page, however short
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f]")
_LINE_ENDS = re.compile("\r\n?")


class ExtractionError(ValueError):
    """A page that gives no text for a reason; ``reason`` is one of ``batches.REASONS``."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


def extract(body: bytes, charset: str | None = None, max_depth: int = 512, plain: bool = False) -> str:
    """The text of a page.

    Main content by resiliparse's rules (Bevendorff et al., ECIR 2018): no navigation, header, footer or side bars.
    Paragraphs and list bullets stay, because filters read them; alternative texts, link targets, form fields and
    ``noscript`` do not. Control characters other than tab and line feed are no part of a page (HTML, section 13.2.3.5)
    and are dropped.

    Args:
        body: the page as bytes, content encodings undone.
        charset: the one that the HTTP header declares.
        max_depth: how deep elements may be nested.
        plain: the body is plain text; nothing is parsed.

    Raises:
        ExtractionError: ``undecodable`` or ``too-deep``.
    """
    text = decode(body, charset, html=not plain)
    if not plain:
        data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
        if reopened(data, FORMATTING_ELEMENTS) > _MAX_REOPENED:
            raise ExtractionError("too-deep", f"formatting left open makes more than {_MAX_REOPENED} elements")
        deep = nesting(data, VOID_ELEMENTS, max_depth) > max_depth
        if deep and _depth(HTMLTree.parse(text), max_depth) > max_depth:  # the parser closes some elements by itself
            raise ExtractionError("too-deep", f"its elements are nested more than {max_depth} deep")
        text = extract_plain_text(
            text,
            preserve_formatting=True,
            main_content=True,
            list_bullets=True,
            alt_texts=False,
            links=False,
            form_fields=False,
            noscript=False,
            comments=True,
        )
    if "\r" in text:
        text = _LINE_ENDS.sub("\n", text)
    text = _CONTROL.sub("", text).replace("\ufeff", "")
    return text.encode("utf-8", "replace").decode().strip()


def decode(body: bytes, charset: str | None = None, html: bool = True) -> str:
    """Decodes a page by the first of these charsets that it is valid in.

    Byte order mark, HTTP header, ``<meta>`` or XML declaration, UTF-8, UTF-8 with few bytes astray, the one that its
    bytes look like. A page that is valid in none is read in the one that loses least, with U+FFFD for what is lost.

    Raises:
        ExtractionError: ``undecodable``, when more than 8 characters and one in a hundred are lost or controls.
    """
    for mark, codec in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _checked(body[len(mark) :].decode(codec, "replace"), codec)
    candidates = [charset, declared_charset(body) if html else None, "utf-8"]
    names = list(dict.fromkeys(found for label in candidates if label and (found := python_codec(label))))
    if names[0] == "cp1252":  # what servers say by default; text that is valid UTF-8 by chance is not known
        names.sort(key=lambda name: name != "utf-8")
    for name in names:
        try:
            return _checked(body.decode(name), name)
        except (UnicodeDecodeError, ExtractionError):
            continue
    if "utf-8" in names:  # by far most of what is not ASCII reads as UTF-8: some bytes went astray
        repaired = body.decode("utf-8", "replace")
        lost, beyond_ascii = repaired.count("\ufffd"), len(repaired) - len(repaired.encode("ascii", "ignore"))
        if beyond_ascii > 10 * lost:
            return _checked(repaired, "utf-8")
    detected = python_codec(detect_encoding(body) or "")
    if detected and detected not in names:
        try:
            return _checked(body.decode(detected), detected)
        except (UnicodeDecodeError, ExtractionError):
            names.append(detected)
    # A page cut in the midst of a character, or with some bytes astray: the charset that loses least.
    decoded = [(body.decode(name, "replace"), name) for name in names]
    text, name = min(decoded, key=lambda pair: pair[0].count("\ufffd"))
    return _checked(text, name)


def declared_charset(body: bytes) -> str | None:
    """The charset of the first ``<meta>`` or of the XML declaration that names one."""
    head = body[:_META_WITHIN]
    match = _XML.match(head) or _META.search(head)
    return match[1].decode() if match else None


def python_codec(label: str) -> str | None:
    """The Python codec for a charset label of the web, None if there is none; ``utf-16`` in a page is a mistake."""
    name = map_encoding_to_html5(label.strip().strip("\"'"), False)
    if not name:
        return None
    if name.startswith("utf-16"):
        return None
    name = _SUPERSETS.get(name, name)
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def media_type(content_type: str) -> tuple[str, str | None]:
    """Splits a Content-Type into the type in lower case and its charset."""
    kind, _, rest = content_type.partition(";")
    match = re.search(r"charset\s*=\s*[\"']?\s*([^\s;\"']+)", rest, re.I)
    return kind.strip().lower(), match[1] if match else None


def _checked(text: str, name: str) -> str:
    lost = text.count("\ufffd") + len(_CONTROL.findall(text)) - text.count("\r")
    if lost > _MAX_UNDECODABLE * len(text) + _TOLERATED:
        raise ExtractionError("undecodable", f"read as {name}, {lost} of {len(text)} characters are lost or controls")
    return text


def _depth(tree: HTMLTree, limit: int) -> int:
    """How deep the elements of a parsed page are nested, counted to just above ``limit``."""
    node: Node | None = tree.document
    depth = deepest = 0
    while node is not None and deepest <= limit:
        deepest = max(deepest, depth)
        if node.first_child is not None:
            node, depth = node.first_child, depth + 1
            continue
        while node is not None and node.next is None:
            node, depth = node.parent, depth - 1
        node = node.next if node is not None else None
    return deepest
