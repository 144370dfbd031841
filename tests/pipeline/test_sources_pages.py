"""Pages to text: charsets, encodings, main content, and pages that are none."""

from __future__ import annotations

import gzip
import hashlib
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.batches import Limits
from pipeline.sources.extraction import ExtractionError, declared_charset, decode, extract, media_type
from pipeline.sources.http_response import HttpError, dechunk, parse_response
from pipeline.sources.markup_kernels import FORMATTING_ELEMENTS, VOID_ELEMENTS, nesting, reopened
from pipeline.sources.read import read_documents

CHINESE = "你好，世界。这是一个关于蒸馏和磨坊的测试页面，里面有足够多的汉字。"
RUSSIAN = "Привет, мир. Это страница о мельницах и зерне, на ней достаточно букв для проверки."
JAPANESE = "こんにちは、世界。これは水車と穀物についてのテストページです。"


def page(text: str, charset: str | None = None) -> str:
    meta = f'<meta charset="{charset}">' if charset else ""
    return f"<html><head>{meta}<title>t</title></head><body><p>{text}</p></body></html>"


@pytest.mark.parametrize(
    ("text", "codec", "http", "meta"),
    [
        (CHINESE, "gbk", "gbk", None),
        (CHINESE, "gbk", None, "gb2312"),
        (CHINESE + "𠀀㐀", "gb18030", "GB2312", None),  # pages said to be GB2312 hold what only GB18030 has
        (CHINESE, "gbk", "utf-8", None),  # a wrong header: what the bytes look like
        (CHINESE, "gbk", "utf-8", "gbk"),
        (CHINESE, "gbk", None, None),
        (CHINESE, "utf-8", None, None),
        (CHINESE, "utf-8", "iso-8859-1", None),  # a server's default
        (CHINESE, "utf-8-sig", "gbk", "gbk"),  # the byte order mark decides
        (CHINESE, "utf-16", None, None),
        ("你好，世界，測試頁面", "big5", "Big5", None),
        (RUSSIAN, "cp1251", "windows-1251", None),
        (RUSSIAN, "koi8-r", None, "koi8-r"),
        (JAPANESE, "euc-jp", "EUC-JP", None),
        (JAPANESE + "①", "cp932", None, "Shift_JIS"),
        (JAPANESE, "iso-2022-jp", None, "iso-2022-jp"),
        ("naïve café – “quoted” €5", "cp1252", "ISO-8859-1", None),
        ("naïve café", "latin-1", "latin1", None),
    ],
)
def test_charset(text: str, codec: str, http: str | None, meta: str | None) -> None:
    assert extract(page(text, meta).encode(codec), http) == text


def test_charset_is_found_where_it_is_declared() -> None:
    assert declared_charset(b"<META http-equiv=Content-Type content='text/html; charset=GB2312'>") == "GB2312"
    assert declared_charset(b'<?xml version="1.0" encoding="EUC-KR"?><html>') == "EUC-KR"
    assert declared_charset(b"<html><p>charset=gbk") is None
    assert media_type('Text/HTML; Charset="UTF-8"; x=y') == ("text/html", "UTF-8")
    assert media_type("") == ("", None)


def test_a_page_cut_in_the_midst_of_a_character_keeps_its_charset() -> None:
    body = page(CHINESE * 50).encode("gbk")
    cut = body[: body.rindex("。".encode("gbk")) + 1]
    assert extract(cut, "gbk").startswith(CHINESE)


def test_utf8_with_a_few_bytes_astray_stays_utf8() -> None:
    text = "磨坊把谷物磨成面粉。Müller mahlen Getreide. " * 40
    damaged = text[:100].encode() + b"\xff\xfe" + text[100:].encode()
    for http in (None, "utf-8"):
        repaired = decode(damaged, http)
        assert repaired.replace("\ufffd", "") == text
    assert decode(text.encode("gb18030"), "utf-8") == text  # declared wrongly: no UTF-8 at all


def test_real_gbk_pages_decode_to_chinese(shared_data: Path) -> None:
    batches = list(read_documents(str(shared_data / "commoncrawl/chinese-gbk-2020.warc.gz"), "warc"))
    texts = {row["url"]: row["text"] for batch in batches for row in batch.documents.to_pylist()}
    assert len(texts) == 16
    assert "广东省人民政府首页" in texts["http://003338.cn/l41/481397.html"]
    assert "\ufffd" not in "".join(texts.values())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ExtractionError, match="characters are lost or controls") as caught:
        decode(np.random.default_rng(1).bytes(5000), "utf-8")
    assert caught.value.reason == "undecodable"


def test_only_the_main_content_is_kept() -> None:
    sentence = "Grain is ground between two stones, and what comes out is called grist or meal. "
    body = f"""<html><body><nav><ul><li><a href=/>Home</a><li><a href=/b>Blog</a></ul></nav>
    <main><div><div><article><h1>Grist</h1><p>{sentence * 3}</p><ul><li>{sentence}</li><li>{sentence}</li></ul>
    <p>{sentence}<img alt="a picture"><script>var x = 1;</script><noscript>none</noscript></p>
    </article></div></div></main>    <aside>Also</aside><footer>Imprint</footer></body></html>"""
    text = extract(body.encode())
    assert text.startswith("Grist\n\nGrain is ground")  # resiliparse keeps lists from the fourth level below <body> on
    assert f"• {sentence.strip()}\n" in text
    for gone in ("Home", "Also", "Imprint", "a picture", "var x", "none"):
        assert gone not in text


def test_control_characters_are_no_part_of_a_page() -> None:
    assert extract(page("a\0b\x07c\x7fd &#11; e\ufeff").encode()) == "abcd e"
    assert extract(b"one\r\ntwo\rthree\tx", plain=True) == "one\ntwo\nthree\tx"


def test_deep_nesting_is_refused_before_it_takes_quadratic_time() -> None:
    with pytest.raises(ExtractionError) as caught:
        extract(b"<html><body>" + b"<div>" * 200_000 + b"text")
    assert caught.value.reason == "too-deep"
    with pytest.raises(ExtractionError):
        extract(b"<html><body>" + b"<dd><li>" * 50_000 + b"text")  # neither closes the other
    with pytest.raises(ExtractionError):
        extract(b"<html><body>" + b"<div></b>" * 50_000 + b"text")  # end tags of nothing
    assert "item" in extract(b"<html><body><ol>" + b"<li>item" * 5000)
    assert "flat" in extract(b"<html><body>" + b"<p>flat<br><img>" * 5000)  # many, not deep
    assert "misnested" in extract(b"<html><body>" + b"<i>" * 3 + b"misnested" + b"</b>" * 5000)
    assert "unclosed" in extract(b"<html><body>" + b"<a href=x>unclosed" * 1400)  # closed by the parser


def plain_nesting(data: bytes, limit: int) -> int:
    """The kernel's specification."""
    ignored = {int(name).to_bytes(8, "big").lstrip(b"\0") for name in VOID_ELEMENTS}
    stack: list[bytes] = []
    deepest = 0
    for slash, name in re.findall(rb"<(/?)([A-Za-z][A-Za-z0-9]*)", data):
        name = name.lower()[:8]
        if name in ignored:
            continue
        if not slash:
            stack.append(name)
            deepest = max(deepest, len(stack))
            if deepest > limit:
                break
        elif name in stack:
            while stack.pop() != name:
                pass
    return deepest


def plain_reopened(data: bytes) -> int:
    """The kernel's specification."""
    formatting = {int(name).to_bytes(8, "big").lstrip(b"\0") for name in FORMATTING_ELEMENTS}
    total = left_open = 0
    for slash, name in re.findall(rb"<(/?)([A-Za-z][A-Za-z0-9]*)", data):
        if not slash:
            total += left_open
        if name.lower()[:8] in formatting:
            left_open = max(0, left_open - 1) if slash else left_open + 1
    return total


TOKENS = ["<div>", "</div>", "<P>", "<br/>", "</p>", "<b", "<i>", "<", "/", ">", "text", "<h1>", "</h1>", "<basefont"]


@given(st.lists(st.sampled_from(TOKENS)), st.integers(1, 20))
def test_nesting_equals_its_specification(tokens: list[str], limit: int) -> None:
    data = "".join(tokens).encode()
    assert nesting(np.frombuffer(data, np.uint8), VOID_ELEMENTS, limit) == plain_nesting(data, limit)


@given(st.lists(st.sampled_from([*TOKENS, "</b>", "<Font x=y>", "</FONT>"])))
def test_reopened_equals_its_specification(tokens: list[str]) -> None:
    data = "".join(tokens).encode()
    assert reopened(np.frombuffer(data, np.uint8), FORMATTING_ELEMENTS) == plain_reopened(data)


def test_formatting_left_open_is_refused_before_it_takes_gigabytes() -> None:
    for bomb in ("".join(f"<p><b id={i}>x" for i in range(8000)), "<b>" * 500 + "<p>x" * 20_000):
        with pytest.raises(ExtractionError, match="formatting left open") as caught:
            extract(f"<html><body>{bomb}".encode())
        assert caught.value.reason == "too-deep"
    assert "fine" in extract(b"<html><body>" + b"<p><font color=red>fine</p>" * 300)


def test_nesting_of_real_pages(shared_data: Path) -> None:
    data = gzip.decompress((shared_data / "commoncrawl/wget-0000.warc.gz").read_bytes())
    assert nesting(np.frombuffer(data, np.uint8), VOID_ELEMENTS, 512) == plain_nesting(data, 512) > 10
    assert reopened(np.frombuffer(data, np.uint8), FORMATTING_ELEMENTS) == plain_reopened(data)


def chunked(body: bytes, size: int) -> bytes:
    chunks = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@given(st.binary(max_size=300), st.integers(1, 64))
def test_dechunk(body: bytes, size: int) -> None:
    assert dechunk(chunked(body, size)) == body


def response(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


BODY = page("grist " * 100).encode()


def brotli(data: bytes) -> bytes:
    """A brotli stream of one uncompressed meta-block (RFC 7932, section 9.2), and an empty last one."""
    assert 0 < len(data) <= 1 << 16
    bits = 0b0 | 0 << 1 | 0b00 << 2 | (len(data) - 1) << 4 | 1 << 20  # WBITS 16, not last, 4 nibbles, uncompressed
    return bits.to_bytes(3, "little") + data + b"\x03"


@pytest.mark.parametrize(
    ("stored", "fields"),
    [
        (BODY, []),
        (gzip.compress(BODY, mtime=0), [b"Content-Encoding: gzip"]),
        (zlib.compress(BODY), [b"Content-Encoding: deflate"]),
        (zlib.compress(BODY)[2:-4], [b"content-encoding: deflate"]),
        (brotli(BODY), [b"Content-Encoding: br"]),
        (chunked(BODY, 100), [b"Transfer-Encoding: chunked"]),
        (chunked(gzip.compress(BODY, mtime=0), 100), [b"Transfer-Encoding: chunked", b"Content-Encoding: gzip"]),
        (BODY, [b"Content-Encoding: gzip"]),  # stored decoded
        (BODY, [b"Content-Encoding: deflate"]),
        (BODY, [b"Content-Encoding: br"]),
        (BODY, [b"Transfer-Encoding: chunked"]),
        (zlib.compress(gzip.compress(BODY, mtime=0)), [b"Content-Encoding: gzip, deflate"]),
    ],
)
def test_encodings_are_undone_where_the_body_has_them(stored: bytes, fields: list[bytes]) -> None:
    assert parse_response(response(stored, *fields), Limits()).body() == BODY


def test_a_cut_body_gives_what_it_has() -> None:
    for coding, stored in ((b"gzip", gzip.compress(BODY * 20)), (b"deflate", zlib.compress(BODY * 20))):
        body = parse_response(response(stored[:-20], b"Content-Encoding: " + coding), Limits()).body()
        assert BODY.startswith(body[: len(BODY)]) and body


def test_bombs_and_unknown_encodings_are_refused() -> None:
    bomb = gzip.compress(bytes(1 << 20))
    with pytest.raises(HttpError, match="more than 1000 bytes"):
        parse_response(response(bomb, b"Content-Encoding: gzip"), Limits(record_bytes=1000)).body()
    with pytest.raises(HttpError, match="'compress' is not supported"):
        parse_response(response(BODY, b"Content-Encoding: compress"), Limits()).body()
    with pytest.raises(HttpError, match="no HTTP status line"):
        parse_response(b"HTTP/ what", Limits())
    with pytest.raises(HttpError, match="does not end"):
        parse_response(b"HTTP/1.1 200 OK\r\nA: b", Limits())


def warc(*responses: bytes) -> bytes:
    out = b""
    for i, content in enumerate(responses):
        fields = f"WARC-Type: response\r\nWARC-Target-URI: http://x/{i}\r\nContent-Length: {len(content)}"
        out += b"WARC/1.0\r\n" + fields.encode() + b"\r\n\r\n" + content + b"\r\n\r\n"
    return out


def test_which_responses_become_documents(tmp_path: Path) -> None:
    html = b"Content-Type: text/html; charset=utf-8"
    cases: list[tuple[bytes, str]] = [
        (response(BODY, html), "document"),
        (response(BODY, b"Content-Type: application/xhtml+xml"), "document"),
        (response(b"plain text", b"Content-Type: text/plain"), "document"),
        (response(BODY), "document"),
        (response(BODY, html, status=b"404 Not Found"), "not-200"),
        (response(BODY, html, status=b"301 Moved"), "not-200"),
        (response(b"%PDF-1.4", b"Content-Type: application/pdf"), "not-html"),
        (response(b"\x89PNG..."), "not-html"),
        (response(page("").encode(), html), "empty-text"),
        (b"20240101 1.2.3.4", "not-http"),
        (b"HTTP/junk", "bad-http"),
        (response(b"\x1f\x8b\x08 broken", html, b"Content-Encoding: gzip"), "bad-http"),
        (response(bytes(range(128, 256)) * 40 + bytes(2000), html), "undecodable"),
        (response(b"<body>" + b"<div>" * 9000 + b"x", html), "too-deep"),
    ]
    path = tmp_path / "a.warc"
    path.write_bytes(warc(*(content for content, _ in cases)))
    found: dict[int, str] = {}
    skipped: dict[str, int] = {}
    for batch in read_documents(str(path), "warc"):
        found |= {row["record"]: "document" for row in batch.documents.to_pylist()}
        found |= {row["record"]: row["reason"] for row in batch.rejects.to_pylist()}
        skipped |= batch.skipped
    expected = {i: what for i, (_, what) in enumerate(cases)}
    assert found == {i: what for i, what in expected.items() if what not in skipped}
    assert skipped == {"not-200": 2, "not-html": 2, "empty-text": 1, "not-http": 1}


@given(st.binary(max_size=400))
def test_any_bytes_give_text_or_a_reason(body: bytes) -> None:
    reason = text = ""
    try:
        text = extract(body, None)
    except ExtractionError as error:
        reason = error.reason
    assert reason in ("", "undecodable", "too-deep")
    assert "\0" not in text and "\r" not in text and text.encode().decode() == text


def test_extraction_is_the_same_in_another_process(shared_data: Path) -> None:
    """No state of the process, such as its locale or hash seed, is in the text."""
    path = shared_data / "commoncrawl/chinese-gbk-2020.warc.gz"
    code = (
        "import hashlib, sys; from pipeline.sources.read import read_documents\n"
        "text = [t for b in read_documents(sys.argv[1], 'warc') for t in b.documents['text'].to_pylist()]\n"
        "print(hashlib.sha256(repr(text).encode()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={"LC_ALL": "C", "PYTHONHASHSEED": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
    ).stdout.strip()
    texts = [text for batch in read_documents(str(path), "warc") for text in batch.documents["text"].to_pylist()]
    assert other.decode() == hashlib.sha256(repr(texts).encode()).hexdigest()
