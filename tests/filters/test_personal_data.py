"""Personal data against plain Python, real numbers of every pattern, and what looks like a number of somebody's."""

from __future__ import annotations

import ipaddress
import re
import time

import numpy as np
import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given
from hypothesis import strategies as st

from filters import checksum_kernels as checks
from filters.personal_data import NO_DOMAINS, PLACEHOLDERS, VERSION_WORDS, find, replace
from filters.personal_patterns import KINDS, PATTERNS

# One number of each pattern, from the sources' own examples or the issuers' test numbers.
EXAMPLES = {
    "international": ["+49 30 1234567", "+86 138 1234 5678", "+1 (212) 555-0199", "+380931111111", "+7(903)-123-45-67"],
    "North America": ["(212) 555-0199", "212-555-0199", "1-800-555-0199", "212.555.0199"],
    "Chinese mobile": ["13812345678", "138 1234 5678", "138-1234-5678", "8613812345678"],
    "trunk zero with hyphens": ["03-1234-5678", "090-1234-5678", "010-62781234"],
    "France": ["01 23 45 67 89", "06.12.34.56.78"],
    "United Kingdom": ["020 7946 0958", "07700 900123", "0117 496 0123", "01632 960123"],
    "Germany": ["030/1234567"],
    "Brazil": ["(11) 98765-4321"],
    "Visa": ["4111111111111111", "4111 1111 1111 1111", "4012-8888-8888-1881"],
    "Mastercard": ["5555555555554444", "2223 0031 2200 3222"],
    "American Express": ["378282246310005", "3782 822463 10005"],
    "Diners Club": ["30569309025904", "3852 000002 3237"],
    "Discover": ["6011111111111117"],
    "JCB": ["3530111333300000"],
    "Mir": ["2200 0000 0000 0004"],
    "UnionPay": ["6200000000000005"],
    "IBAN": ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR14 2004 1010 0505 0001 3M02 606"],
    "United States SSN": ["219-09-9999"],
    "China resident identity": ["11010519491231002X"],
    "United Kingdom NINO": ["AB123456C", "AB 12 34 56 C"],
    "Spain DNI and NIE": ["12345678Z", "12345678-Z", "X1234567L", "X-1234567-L"],
    "Italy codice fiscale": ["RSSMRA85T10A562S"],
    "France NIR": ["255081416802538", "2 55 08 14 168 025 38"],
    "Poland PESEL": ["44051401359"],
    "Sweden personnummer": ["811228-9874", "19811228-9874"],
    "Finland henkilötunnus": ["131052-308T"],
    "Switzerland AHV number": ["756.9217.0769.85", "7569217076985"],
    "Brazil CPF": ["529.982.247-25"],
    "India Aadhaar": ["9999 4105 7058"],
    "Korea resident registration": ["900101-1234567"],
    "Taiwan national identity": ["A123456789"],
    "Singapore NRIC and FIN": ["S1234567D", "F1234567N"],
    "Hong Kong identity": ["A123456(3)", "AB987654(3)"],
    "IPv4": ["8.8.8.8", "93.184.216.34"],
    "IPv6": ["2001:4860:4860::8888", "2607:f8b0:4005:0802:0000:0000:0000:1007", "2a00::1"],
}  # fmt: skip


def found_in(text: str, kinds=KINDS, public_only: bool = True) -> list[tuple[str, str]]:
    spans = find(pa.array([text]), kinds, public_only).spans
    data = text.encode()
    return [(data[a:b].decode(), KINDS[kind]) for a, b, kind in zip(spans.starts, spans.ends, spans.kinds)]


# The specification: signs, what may stand around a number, and regular expressions tried at every place.


def folded(text: str) -> str:
    """One ASCII sign for each character; \x80 for what is none."""
    signs = {0xA0: " ", 0x202F: " ", 0x3000: " "} | dict.fromkeys(range(0x2010, 0x2015), "-")
    signs |= {0xFEE0 + point: chr(point) for point in range(0x21, 0x7F)}
    signs |= {start + digit: str(digit) for start in (0x660, 0x6F0) for digit in range(10)}
    return "".join(character if character.isascii() else signs.get(ord(character), "\x80") for character in text)


def plain_emails(signs: str) -> list[tuple[int, int, int]]:
    found, floor = [], 0
    for at in (place for place, sign in enumerate(signs) if sign == "@"):
        if at < floor:
            continue
        local = re.search(r"[A-Za-z0-9._%+-]*\Z", signs[floor:at])[0]
        if local.endswith("."):
            continue
        dots = ".." in local
        local = local.split("..")[-1]
        if len(local) + dots > 64:
            continue
        local = local.lstrip(".%+-")
        if not local:
            continue
        end = plain_domain_end(signs, at + 1)
        if end is not None and not re.match(r":[A-Za-z/~]", signs[end:]):
            found.append((at - len(local), end, 0))
            floor = end
    return found


def plain_domain_end(signs: str, start: int) -> int | None:
    end, labels = None, 0
    while label := re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*").match(signs, start):
        if label.end() - signs.rindex("@", 0, start) - 1 > 253:
            return None
        name = label[0].rstrip("-")
        labels += 1
        if labels > 1 and len(label[0]) >= 2 and name.isalpha():
            end = None if label[0].lower() in NO_DOMAINS else start + len(name)
        if name != label[0] or signs[label.end() : label.end() + 1] != ".":
            return end
        start = label.end() + 1
    return end


BEFORE_NUMBER = r"(?<![A-Za-z0-9_#$%&=@\\~])(?<![0-9][.,:])(?<![A-Za-z0-9][-+/])"
BEHIND_NUMBER = r"(?![A-Za-z0-9_%=@]|[.+/-][A-Za-z0-9]|[,:][0-9])"
BEFORE_ADDRESS = r"(?<![A-Za-z0-9_])(?<![0-9][.,])(?<![A-Za-z0-9]-)"
BEHIND_ADDRESS = r"(?![A-Za-z0-9_]|\.[A-Za-z0-9]|[-:][A-Za-z])"
EXPRESSIONS = [re.compile(pattern.expression) for pattern in PATTERNS]


def good(signs: str, start: int, end: int, check: int, public_only: bool) -> bool:
    text = signs[start:end]
    if check in (checks.IPV4, checks.IPV6):
        return (
            re.compile(BEFORE_ADDRESS).match(signs, start)
            and re.compile(BEHIND_ADDRESS).match(signs, end)
            and not is_special(text, signs[:start], public_only)
        )
    if not re.compile(BEFORE_NUMBER).match(signs, start) or not re.compile(BEHIND_NUMBER).match(signs, end):
        return False
    if " " in text and (re.search(r"[0-9] \Z", signs[:start]) or re.match(r" [0-9]", signs[end:])):
        return False
    number = re.sub(r"[^A-Za-z0-9]", "", text).upper().encode()
    return checks.passes(check, np.frombuffer(number.ljust(64), np.uint8), len(number))


def is_special(text: str, before: str, public_only: bool) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return True
    if address.version == 6:
        return public_only and any(
            address in ipaddress.ip_network(network) for network in ("2001:db8::/32", "3fff::/20")
        )
    word = re.search(r"([A-Za-z]*)[^A-Za-z0-9\x80]{0,3}\Z", before)
    if address.packed[3] == 0 or (word and word[1].lower() in VERSION_WORDS):
        return True
    networks = [f"{'.'.join(map(str, row[:4]))}/{row[4]}" for row in checks.SPECIAL_NETWORKS.tolist()]
    return public_only and any(address in ipaddress.ip_network(network) for network in networks)


def plain_find(text: str, public_only: bool) -> list[tuple[int, int, int]]:
    """Places in characters, and the kind."""
    signs = folded(text)
    emails = plain_emails(signs)
    found, place = [], 0
    for start, end, _ in [*emails, (len(text), len(text), 0)]:
        while place < start:
            longest = None
            begun = [row for row, expression in enumerate(EXPRESSIONS) if expression.match(signs, place)]
            for reach in range(min(start, place + 50), place, -1) if begun else ():
                rows = [row for row in begun if EXPRESSIONS[row].fullmatch(signs, place, reach)]
                right = [row for row in rows if good(signs, place, reach, PATTERNS[row].check, public_only)]
                if right:
                    longest = (place, reach, KINDS.index(PATTERNS[right[0]].kind))
                    break
            if longest:
                found.append(longest)
            place = longest[1] if longest else place + 1
        found += [(start, end, 0)] if end > start else []
        place = end
    return found


PIECES = [number for numbers in EXAMPLES.values() for number in numbers]
PIECES += ["a.b-c@example.org", "x@y", "@", "..", ".", "-", "+", "(", " ", ",", ":", "/", "_", "=", "\u00a0", "\u2011"]
PIECES += ["1", "12", "4", "0", "2001:", "::", "v", "version ", "A", "AB", "abc", "漢", "é", "\n", "10.0.0.1"]
PIECES += ["１３８", "＠", "٣", "۴"]
NOISE = st.text(st.sampled_from("0123456789 .-+()@:/AZaz漢１＠٣"), max_size=12)


@given(
    st.lists(st.lists(st.one_of(st.sampled_from(PIECES), NOISE), max_size=6).map("".join), max_size=3), st.booleans()
)
def test_found_is_what_plain_python_finds(texts, public_only):
    spans = find(pa.array(texts, pa.large_string()), KINDS, public_only).spans
    for row, text in enumerate(texts):
        data = text.encode()
        of_row = [
            (len(data[:a].decode()), len(data[:b].decode()), kind)
            for document, a, b, kind in zip(spans.documents, spans.starts, spans.ends, spans.kinds)
            if document == row
        ]
        assert of_row == plain_find(text, public_only)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_every_pattern_finds_its_numbers_in_any_text(pattern):
    assert EXAMPLES[pattern.name]
    for number in EXAMPLES[pattern.name]:
        for text in (number, f"it is {number}.", f"号码{number}，请", f"({number})\n", f"a: {number}, b"):
            assert found_in(text) == [(number, pattern.kind)], text
            assert found_in(text, [kind for kind in KINDS if kind != pattern.kind]) in ([], [(number[1:], "phone")])
        wide = "".join(chr(ord(sign) + 0xFEE0) if sign.isalnum() else sign for sign in number)
        assert found_in(wide) == [(wide, pattern.kind)]


CHECKED = [pattern.name for pattern in PATTERNS if pattern.kind in ("card", "national_id", "iban")]
UNCHECKED = {"United States SSN", "United Kingdom NINO", "Korea resident registration"}


@pytest.mark.parametrize("name", [name for name in CHECKED if name not in UNCHECKED])
def test_one_other_last_sign_is_no_number(name):
    for number in EXAMPLES[name]:
        place = max(i for i, sign in enumerate(number) if sign.isalnum())
        signs = "0123456789" if number[place].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        kind = next(pattern.kind for pattern in PATTERNS if pattern.name == name)
        right = [
            sign for sign in signs if (number[:place] + sign + number[place + 1 :], kind)
            in found_in(number[:place] + sign + number[place + 1 :], [kind])
        ]  # fmt: skip
        assert right == [number[place]]


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4, v1.2.3.4, Python 3.11.4.1.2, build 9.1.2.3, 9.0.0.0",
        "10.0.0.1 127.0.0.1 192.168.1.20 172.16.5.4 169.254.1.1 192.0.2.7 224.0.0.5 100.64.0.1",
        "300.1.2.3 1.2.3 1.2.3.4.5 01.02.03.04 ::1 fe80::1 2001:db8::5 12:30:45 std::vector<dead::beef>",
        "2024-01-02 12:30:45, 20240102123045, 1700000000, 1700000000000, 02.01.2024, 01/02/2024 10:20",
        "ISBN 978-3-16-148410-0, 0-306-40615-2, 9783161484100; ISSN 2049-3630; EAN 4006381333931",
        "3.141592653589793 2,718,281,828,459 $4,111,111.11 1 000 000 000 123 456 789 12",
        "d41d8cd98f00b204e9800998ecf8427e 550e8400-e29b-41d4-a716-446655440000 0x4111111111111111",
        "https://example.org/id/13812345678?n=4111111111111111&m=13912345678#13912345678",
        "SKU AB-212-555-0199, part 212-555-0199-B, 4111111111111112, 1234567812345678",
        "icon@2x.png vue@3.2.1 @types/node@20.1.0 user@host git@github.com:a/b.git foo@bar@",
        "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
        "01 02 03 04 05 06 07 08 09 10 11 12",
    ],
)
def test_what_only_looks_like_it_stays(text):
    assert found_in(text) == []


def test_addresses_have_their_longest():
    for local, domain, there in [("a" * 64, "b.org", True), ("a" * 65, "b.org", False), ("a", "b." * 125 + "or", True),
                                 ("a", "b." * 126 + "or", False)]:  # fmt: skip
        address = f"{local}@{domain}"
        assert found_in(f" {address} ") == [(address, "email")] * there
        assert [(a, b) for a, b, _ in plain_find(address, True)] == [(0, len(address))] * there


def test_addresses_of_private_networks_are_taken_on_request():
    assert found_in("at 10.0.0.1 or 8.8.8.8", ["ip"], public_only=False) == [("10.0.0.1", "ip"), ("8.8.8.8", "ip")]


def test_text_with_placeholders():
    texts = pa.array(["Ask Jo.Doe@site.org or +49 30 1234567!", "nothing", None, "卡4111 1111 1111 1111，谢谢"])
    found = find(texts)
    assert replace(texts, found).to_pylist() == [
        "Ask email@example.com or 555-0100!", "nothing", "", "卡0000 0000 0000 0000，谢谢"
    ]  # fmt: skip
    assert {kind: amount["found"] for kind, amount in found.amounts.items()} == {
        "email": 1, "ip": 0, "phone": 1, "card": 1, "iban": 0, "national_id": 0
    }  # fmt: skip
    assert found.amounts["phone"] == {"found": 1, "documents": 1, "bytes": len("+49 30 1234567")}
    assert replace(pa.array(["nothing"]), find(pa.array(["nothing"]))).to_pylist() == ["nothing"]


def test_placeholders_are_never_found_again():
    texts = pa.array([f"before {number} behind" for number in PIECES])
    once = replace(texts, find(texts))
    mails = sum("email@" in text.as_py() for text in once)
    again = {kind: amount["found"] for kind, amount in find(once).amounts.items()}
    assert again == dict.fromkeys(KINDS, 0) | {"email": mails}
    assert replace(once, find(once)).to_pylist() == once.to_pylist()


def test_a_placeholder_with_digits_is_the_same_for_the_same_number_under_a_key():
    texts = pa.array(["Jo@Site.org, jo@site.org, al@site.org", "+49 30 1234567 and +49 (30) 1234567", "+49.30.1234567"])
    placeholders = dict(PLACEHOLDERS) | {"email": "user######@example.com", "phone": "555-01##"}

    def written(key: int) -> list[str]:
        return replace(texts, find(texts, key=key), placeholders).to_pylist()

    first, second, other = re.findall(r"user\d{6}@example\.com", written(1)[0])
    assert first == second != other
    numbers = re.findall(r"555-01\d\d", " ".join(written(1)))
    assert len(numbers) == 3 and len(set(numbers)) == 1
    assert written(1) == written(1) != written(2)


@pytest.mark.parametrize(
    "piece",
    [
        "@",
        "a@",
        "1.",
        "1",
        "1.1.1.1.",
        "+1",
        "(",
        "4111 ",
        "a.",
        "a@b.",
        "1:",
        "2001:",
        "AB 12 ",
        "１",
        "＠",
        "٣",
        "-",
        "12-",
    ],
)
def test_no_text_takes_more_than_linear_time(piece):
    def seconds(size: int) -> float:
        texts = pa.array([piece * (size // len(piece.encode()))])
        best = np.inf
        for _ in range(3):
            started = time.process_time()
            find(texts)
            best = min(best, time.process_time() - started)
        return best

    find(pa.array(["warm"]))
    assert seconds(1_000_000) < 16 * seconds(125_000) + 0.05
    assert seconds(1_000_000) < 1


def test_unknown_kind():
    with pytest.raises(ValueError, match="kind 'mail'; there are email, ip"):
        find(pa.array(["x"]), ["mail"])


def test_what_is_found_on_real_pages(shared_data):
    """Looked through by hand: docs/log.md."""
    path = sorted((shared_data / "dumps").glob("*.warc.wet.gz"))[-1]
    with path.open("rb") as stream:
        texts = [r.reader.read().decode() for r in ArchiveIterator(stream, record_types=WarcRecordType.conversion)]
    spans = find(pa.array(texts, pa.large_string())).spans
    found = {(texts[row].encode()[a:b].decode(), KINDS[kind]) for row, a, b, kind in zip(*spans[:4])}
    assert {value for value, kind in found if kind == "ip"} == {"2607:f8b0:4005:802::1007"}
    assert {value for value, kind in found if kind == "phone"} == {"+7(903)-123-45-67"}
    assert {kind for _, kind in found} == {"email", "ip", "phone"}
    assert all(re.fullmatch(r"[\w.-]+@[\w-]+(\.[\w-]+)+", value) for value, kind in found if kind == "email")
