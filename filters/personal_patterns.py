"""What phone numbers, cards, accounts and national ids look like, as data.

A pattern is read by ``filters.patterns`` from the first to the last sign of a number; what may stand before and behind
is the same for all numbers and for all addresses (``filters.personal_data_kernels``).
"""

from __future__ import annotations

from typing import NamedTuple

from filters import checksum_kernels as checks

EMAIL, IP, PHONE, CARD, IBAN, NATIONAL_ID = KINDS = ("email", "ip", "phone", "card", "iban", "national_id")


class Pattern(NamedTuple):
    """One form of a number: its kind and name, the regular expression, its check and where all that is from."""

    kind: str
    name: str
    expression: str
    check: int
    source: str


def _grouped(first: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    """A number in groups of digits: without anything between them, or with a space or a hyphen between all.

    ``first`` are its first digits, one expression each.
    """
    digits = [*first, *["\\d"] * (sum(sizes) - len(first))]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    groups = ["".join(digits[end - size : end]) for size, end in zip(sizes, ends)]
    return "|".join(separator.join(groups) for separator in ("", " ", "-"))


_ISSUERS = (
    "ISO/IEC 7812 issuer ranges, https://en.wikipedia.org/wiki/Payment_card_number; Luhn: ISO/IEC 7812-1, annex B"
)
_FOURS = (4, 4, 4, 4)
_MASTERCARD = (("5", "[1-5]"), ("2", "2", "2", "[1-9]"), ("2", "2", "[3-9]"), ("2", "[3-6]"), ("2", "7", "[01]"),
               ("2", "7", "2", "0"))  # fmt: skip
_DISCOVER = (("6", "0", "1", "1"), ("6", "4", "[4-9]"), ("6", "5"))
_DINERS = (("3", "0", "[0-5]"), ("3", "[689]"))
_JCB = (("3", "5", "2", "[89]"), ("3", "5", "[3-8]"))
_COUNTRY_CODE = (  # ITU-T E.164, list of assigned country codes
    "(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    "|2[1-689]\\d|3[578]\\d|42\\d|5[09]\\d|6[789]\\d|8[058]\\d|9[679]\\d)"
)
_E164 = "ITU-T E.164"

PATTERNS = (
    Pattern(
        PHONE,
        "international",
        f"\\+{_COUNTRY_CODE}[ .-]?(\\(\\d{{1,4}}\\)[ .-]?)?\\d{{1,12}}([ ./-]\\d{{2,10}}){{0,5}}",
        checks.DIGITS_9_TO_15,
        f"{_E164}: + and at most 15 digits; fewer than 9 are rarely a person's",
    ),
    Pattern(
        PHONE,
        "North America",
        "(1[ -])?\\([2-9]\\d\\d\\)[ -]?[2-9](1[02-9]|[02-9]\\d)[ .-]\\d{4}"
        "|(1-)?[2-9]\\d\\d-[2-9](1[02-9]|[02-9]\\d)-\\d{4}"
        "|(1\\.)?[2-9]\\d\\d\\.[2-9](1[02-9]|[02-9]\\d)\\.\\d{4}",
        checks.NONE,
        "North American Numbering Plan: area and exchange begin with 2 to 9, no exchange is N11",
    ),
    Pattern(
        PHONE,
        "Chinese mobile",
        "(86[ -]?)?1(3\\d|4[014-9]|5[0-35-9]|6[2567]|7[0-8]|8\\d|9[0-35-9])(\\d{8}| \\d{4} \\d{4}|-\\d{4}-\\d{4})",
        checks.NONE,
        "MIIT numbering plan, https://en.wikipedia.org/wiki/Telephone_numbers_in_China",
    ),
    Pattern(
        PHONE,
        "trunk zero with hyphens",
        "0\\d{1,4}-\\d{1,4}-\\d{3,4}|0\\d{2,3}-\\d{7,8}",
        checks.DIGITS_10_TO_11,
        "Japan (MIC numbering plan) and Chinese landlines: 10 or 11 digits with the trunk 0",
    ),
    Pattern(
        PHONE,
        "France",
        "0[1-9]( \\d\\d){4}|0[1-9](\\.\\d\\d){4}",
        checks.NONE,
        "ARCEP numbering plan: five pairs",
    ),
    Pattern(
        PHONE,
        "United Kingdom",
        "02\\d \\d{4} \\d{4}|01\\d1 \\d{3} \\d{4}|011\\d \\d{3} \\d{4}|01\\d{3} \\d{5,6}|07\\d{3} \\d{6}"
        "|07\\d{3} \\d{3} \\d{3}",
        checks.NONE,
        "Ofcom national numbering plan",
    ),
    Pattern(PHONE, "Germany", "0[2-9]\\d{1,4}/ ?\\d{5,8}", checks.NONE, "DIN 5008, the older form with a slash"),
    Pattern(PHONE, "Brazil", "\\([1-9]\\d\\) ?9?\\d{4}-\\d{4}", checks.NONE, "Anatel numbering plan"),
    Pattern(CARD, "Visa", _grouped(("4",), _FOURS), checks.LUHN, _ISSUERS),
    Pattern(CARD, "Mastercard", "|".join(_grouped(start, _FOURS) for start in _MASTERCARD), checks.LUHN, _ISSUERS),
    Pattern(CARD, "American Express", _grouped(("3", "[47]"), (4, 6, 5)), checks.LUHN, _ISSUERS),
    Pattern(
        CARD,
        "Diners Club",
        "|".join(_grouped(start, (4, 6, 4)) for start in _DINERS),
        checks.LUHN,
        _ISSUERS,
    ),
    Pattern(CARD, "Discover", "|".join(_grouped(start, _FOURS) for start in _DISCOVER), checks.LUHN, _ISSUERS),
    Pattern(CARD, "JCB", "|".join(_grouped(start, _FOURS) for start in _JCB), checks.LUHN, _ISSUERS),
    Pattern(CARD, "Mir", _grouped(("2", "2", "0", "[0-4]"), _FOURS), checks.LUHN, _ISSUERS),
    Pattern(
        CARD,
        "UnionPay",
        f"{_grouped(('6', '2'), _FOURS)}|62\\d{{17}}|62\\d\\d \\d{{4}} \\d{{4}} \\d{{4}} \\d{{3}}|62\\d{{4}} \\d{{13}}",
        checks.LUHN,
        _ISSUERS,
    ),
    Pattern(
        IBAN,
        "IBAN",
        "[A-Z]{2}\\d\\d([A-Z0-9]{11,28}|( [A-Z0-9]{4}){2,7}( [A-Z0-9]{1,3})?)",
        checks.IBAN,
        "ISO 13616, lengths from SWIFT's registry; check by ISO/IEC 7064 modulo 97",
    ),
    Pattern(
        NATIONAL_ID,
        "United States SSN",
        "\\d{3}-\\d\\d-\\d{4}",
        checks.SSN,
        "Social Security Administration: area not 000, 666 or from 900 on; no group or serial of zeros",
    ),
    Pattern(
        NATIONAL_ID,
        "China resident identity",
        "[1-8]\\d{5}(19|20)\\d{2}(0[1-9]|1[0-2])([0-2]\\d|3[01])\\d{3}[\\dXx]",
        checks.CHINESE_ID,
        "GB 11643-1999: region, date of birth, check by ISO/IEC 7064 modulo 11-2",
    ),
    Pattern(
        NATIONAL_ID,
        "United Kingdom NINO",
        "[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](\\d{6}[A-D]| \\d\\d \\d\\d \\d\\d [A-D])",
        checks.NINO,
        "HMRC manual NIM39110",
    ),
    Pattern(
        NATIONAL_ID,
        "Spain DNI and NIE",
        "(\\d{8}|[X-Z]\\d{7}|[X-Z]-\\d{7})-?[A-HJ-NP-TV-Z]",
        checks.DNI,
        "Real Decreto 1553/2005, letter of the number modulo 23",
    ),
    Pattern(
        NATIONAL_ID,
        "Italy codice fiscale",
        "[A-Z]{6}\\d\\d[A-EHLMPRST]\\d\\d[A-Z]\\d{3}[A-Z]",
        checks.CODICE_FISCALE,
        "DM 12 March 1974 no. 2227",
    ),
    Pattern(
        NATIONAL_ID,
        "France NIR",
        "[12]\\d\\d(0[1-9]|1[0-2]|[2-9]\\d)(\\d\\d|2[AB])\\d{8}"
        "|[12] \\d\\d (0[1-9]|1[0-2]|[2-9]\\d) (\\d\\d|2[AB]) \\d{3} \\d{3} \\d\\d",
        checks.NIR,
        "INSEE: 13 digits, key 97 less the number modulo 97",
    ),
    Pattern(NATIONAL_ID, "Poland PESEL", "\\d{11}", checks.PESEL, "Act on population records of 24 September 2010"),
    Pattern(
        NATIONAL_ID,
        "Sweden personnummer",
        "((18|19|20)\\d\\d|\\d\\d)[01]\\d{3}[+-]\\d{4}",
        checks.PERSONNUMMER,
        "Skatteverket SKV 704, SKV 707: date of birth, Luhn",
    ),
    Pattern(
        NATIONAL_ID,
        "Finland henkilötunnus",
        "[0-3]\\d[01]\\d{3}[+A-FU-Y-]\\d{3}[0-9A-FHJ-NPR-Y]",
        checks.HETU,
        "Digital and Population Data Services Agency: date of birth, modulo 31",
    ),
    Pattern(
        NATIONAL_ID,
        "Switzerland AHV number",
        "756\\.\\d{4}\\.\\d{4}\\.\\d\\d|756\\d{10}",
        checks.EAN,
        "Federal Social Insurance Office: 756 and the check of EAN-13",
    ),
    Pattern(
        NATIONAL_ID,
        "Brazil CPF",
        "\\d{3}\\.\\d{3}\\.\\d{3}-\\d\\d",
        checks.CPF,
        "Receita Federal, two checks modulo 11",
    ),
    Pattern(NATIONAL_ID, "India Aadhaar", "[2-9]\\d{3} \\d{4} \\d{4}", checks.VERHOEFF, "UIDAI, check after Verhoeff"),
    Pattern(
        NATIONAL_ID,
        "Korea resident registration",
        "\\d\\d[01]\\d{3}-[1-8]\\d{6}",
        checks.KOREAN_ID,
        "date of birth and a sign of 1 to 8; numbers given since October 2020 have no check",
    ),
    Pattern(
        NATIONAL_ID, "Taiwan national identity", "[A-Z][1289]\\d{8}", checks.TAIWANESE_ID, "Ministry of the Interior"
    ),
    Pattern(
        NATIONAL_ID,
        "Singapore NRIC and FIN",
        "[STFG]\\d{7}[A-Z]",
        checks.SINGAPOREAN_ID,
        "Immigration & Checkpoints Authority",
    ),
    Pattern(
        NATIONAL_ID,
        "Hong Kong identity",
        "[A-Z]{1,2}\\d{6}\\([0-9A]\\)",
        checks.HONG_KONG_ID,
        "Immigration Department; the check stands in brackets",
    ),
    Pattern(
        IP,
        "IPv4",
        "((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)",
        checks.IPV4,
        "RFC 791 in dotted decimals without leading zeros; special networks by IANA's registry (RFC 6890)",
    ),
    Pattern(
        IP,
        "IPv6",
        "[23][0-9a-fA-F]{3}((:[0-9a-fA-F]{1,4}){7}"
        "|(:[0-9a-fA-F]{1,4}){0,6}::([0-9a-fA-F]{1,4}(:[0-9a-fA-F]{1,4}){0,5})?)",
        checks.IPV6,
        "RFC 4291; global unicast 2000::/3 only (RFC 3587), less documentation 2001:db8::/32 and 3fff::/20",
    ),
)
