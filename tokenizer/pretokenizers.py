"""Pre-tokenizers by name: which characters may share a piece, and therefore a token.

A preset is four sets of code points and the order of steps that the DeepSeek LLM tokenizer defines (arXiv 2401.02954,
section 2.1: newlines, punctuation and CJK isolated, digits one by one). The same sets make the tables the scanner reads
and the ``tokenizers`` pre-tokenizer that Hugging Face libraries load, so the two cannot drift apart.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from tokenizer.scanner_kernels import (
    APART,
    CASED,
    ISOLATED,
    KINDS,
    LOOK_AHEAD,
    NEWLINE,
    NUMBER,
    PUNCTUATION,
    SPACE,
    TOGETHER,
)

# \s as Oniguruma, the regex engine inside `tokenizers`, defines it (Unicode White_Space).
_SPACES = "9-D 20 85 A0 1680 2000-200A 2028 2029 202F 205F 3000"

# What `tokenizers`' Digits step takes for a digit: Rust's char::is_numeric, categories Nd, Nl and No of Unicode 17.
# Frozen here, because Python's own table changes with its version.
_NUMBERS = """
30-39 B2-B3 B9 BC-BE 660-669 6F0-6F9 7C0-7C9 966-96F 9E6-9EF 9F4-9F9 A66-A6F AE6-AEF B66-B6F B72-B77 BE6-BF2 C66-C6F
C78-C7E CE6-CEF D58-D5E D66-D78 DE6-DEF E50-E59 ED0-ED9 F20-F33 1040-1049 1090-1099 1369-137C 16EE-16F0 17E0-17E9
17F0-17F9 1810-1819 1946-194F 19D0-19DA 1A80-1A89 1A90-1A99 1B50-1B59 1BB0-1BB9 1C40-1C49 1C50-1C59 2070 2074-2079
2080-2089 2150-2182 2185-2189 2460-249B 24EA-24FF 2776-2793 2CFD 3007 3021-3029 3038-303A 3192-3195 3220-3229 3248-324F
3251-325F 3280-3289 32B1-32BF A620-A629 A6E6-A6EF A830-A835 A8D0-A8D9 A900-A909 A9D0-A9D9 A9F0-A9F9 AA50-AA59 ABF0-ABF9
FF10-FF19 10107-10133 10140-10178 1018A-1018B 102E1-102FB 10320-10323 10341 1034A 103D1-103D5 104A0-104A9 10858-1085F
10879-1087F 108A7-108AF 108FB-108FF 10916-1091B 109BC-109BD 109C0-109CF 109D2-109FF 10A40-10A48 10A7D-10A7E 10A9D-10A9F
10AEB-10AEF 10B58-10B5F 10B78-10B7F 10BA9-10BAF 10CFA-10CFF 10D30-10D39 10D40-10D49 10E60-10E7E 10F1D-10F26 10F51-10F54
10FC5-10FCB 11052-1106F 110F0-110F9 11136-1113F 111D0-111D9 111E1-111F4 112F0-112F9 11450-11459 114D0-114D9 11650-11659
116C0-116C9 116D0-116E3 11730-1173B 118E0-118F2 11950-11959 11BF0-11BF9 11C50-11C6C 11D50-11D59 11DA0-11DA9 11DE0-11DE9
11F50-11F59 11FC0-11FD4 12400-1246E 16130-16139 16A60-16A69 16AC0-16AC9 16B50-16B59 16B5B-16B61 16D70-16D79 16E80-16E96
16FF4-16FF6 1CCF0-1CCF9 1D2C0-1D2D3 1D2E0-1D2F3 1D360-1D378 1D7CE-1D7FF 1E140-1E149 1E2F0-1E2F9 1E4F0-1E4F9 1E5F1-1E5FA
1E8C7-1E8CF 1E950-1E959 1EC71-1ECAB 1ECAD-1ECAF 1ECB1-1ECB4 1ED01-1ED2D 1ED2F-1ED3D 1F100-1F10C 1FBF0-1FBF9
"""

# The published DeepSeek LLM classes, as code points: several of the characters change under Unicode normalization.
_DEEPSEEK_CASED = """
41-5A 61-7A B5 C0-D6 D8-F6 F8-1BA 1BC-1BF 1C4-293 295-2AF 370-373 376 377 37B-37D 37F 386 388-38A 38C 38E-3A1 3A3-3F5
3F7-481 48A-52F 531-556 10A0-10C5 13A0-13F5 13F8-13FD 1C90-1CBA 1CBD-1CBF 1D00-1D2B 1D6B-1D77 1D79-1D9A 1E00-1F15
1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D 1F5F-1F7D 1F80-1FB4 1FB6-1FBC 1FBE 1FC2-1FC4 1FC6-1FCC 1FD0-1FD3
1FD6-1FDB 1FE0-1FEC 1FF2-1FF4 1FF6-1FFC 2102 2107 210A-2113 2115 2119-211D 2124 2126 2128 212A-212D 212F-2134 2139
213C-213F 2145-2149 214E 2183 2184 2C00-2C7B 2C7E-2CE4 2CEB-2CEE 2CF2 2CF3 A640-A66D A680-A69B A722-A76F A771-A787
A78B-A78E AB70-ABBF FB00-FB06 FB13-FB17 FF21-FF3A FF41-FF5A 10400-1044F 104B0-104D3 104D8-104FB 10C80-10CB2 10CC0-10CF2
118A0-118DF 1E900-1E943
"""
_DEEPSEEK_PUNCTUATION = "21-2F 3A-7E FF01-FF0F FF1A-FF5E 2018-201F 3000-3002"
_DEEPSEEK_ISOLATED = "800-4E00 4E00-9FA5 AC00-D7FF"


def _ranges(points: str) -> list[tuple[int, int]]:
    """Reads ``"41-5A B5"`` as [(0x41, 0x5A), (0xB5, 0xB5)]."""
    bounds = (part.split("-") for part in points.split())
    return [(int(bound[0], 16), int(bound[-1], 16)) for bound in bounds]


def _regex_class(points: str) -> str:
    spelled = (part.upper().split("-") for part in points.split())
    return "[" + "".join("-".join(f"\\x{{{point}}}" for point in bound) for bound in spelled) + "]"


class ScannerTables(NamedTuple):
    """What ``scanner_kernels`` reads."""

    kinds: np.ndarray  # uint8 [0x110000], kind of each code point; 0 for line breaks
    windows: np.ndarray  # uint8 [4096], verdict for three neighbouring kinds, left << 8 | middle << 4 | right
    classes: np.ndarray  # uint8 [KINDS], class bits of each kind


def scanner_tables(cased: str, punctuation: str, isolated: str) -> ScannerTables:
    """The tables for three sets of code points in this module's notation."""
    points = np.zeros(0x110000, np.uint8)
    sets = {CASED: cased, PUNCTUATION: punctuation, ISOLATED: isolated, NUMBER: _NUMBERS, SPACE: _SPACES}
    for bit, ranges in sets.items():
        for low, high in _ranges(ranges):
            points[low : high + 1] |= bit
    points[[ord("\r"), ord("\n")]] = NEWLINE
    used = [NEWLINE, *(value for value in np.unique(points).tolist() if value != NEWLINE)]
    if len(used) > KINDS:
        raise ValueError(f"these sets overlap in {len(used)} ways: the scanner tells {KINDS} kinds of characters apart")
    kind_of_class = np.zeros(256, np.uint8)
    kind_of_class[used] = np.arange(len(used))
    classes = np.zeros(KINDS, np.uint8)
    classes[: len(used)] = used
    return ScannerTables(kind_of_class[points], window_table(classes), classes)


def window_table(classes: np.ndarray) -> np.ndarray:
    """uint8 [4096]: whether a piece starts at the middle one of three neighbours of given kinds."""
    table = np.full(4096, TOGETHER, np.uint8)
    for left, middle, right in itertools.product(range(KINDS), repeat=3):
        table[left << 8 | middle << 4 | right] = _verdict(*classes[[left, middle, right]].tolist())
    return table


def _verdict(left: int, middle: int, right: int) -> int:
    if (
        (left | middle) & (NEWLINE | NUMBER)  # steps 1 and 6
        or (left & CASED and not middle & CASED)  # step 2
        or (not left & CASED and middle & CASED and not left & SPACE)
        or (left & PUNCTUATION and not middle & PUNCTUATION)  # step 3
        or (not left & PUNCTUATION and middle & PUNCTUATION and not left & SPACE)
        or (left ^ middle) & ISOLATED  # step 5
    ):
        return APART
    if not middle & SPACE:
        return TOGETHER
    if right & CASED:
        return APART  # white space goes with the word behind it
    if right & PUNCTUATION and not middle & PUNCTUATION:
        return LOOK_AHEAD if right & SPACE else APART
    if left & SPACE:
        return TOGETHER
    if right & NEWLINE or (middle & PUNCTUATION and not right & PUNCTUATION):
        return APART  # step 4: the end of what steps 1-3 left together
    return LOOK_AHEAD if right & SPACE else TOGETHER


@dataclass(frozen=True)
class Pretokenizer:
    """A named chain of the seven steps over three sets of code points, written as ``"41-5A B5"`` in hexadecimal."""

    name: str
    cased: str
    punctuation: str
    isolated: str

    @functools.cached_property
    def tables(self) -> ScannerTables:
        """What ``scanner_kernels`` reads."""
        return scanner_tables(self.cased, self.punctuation, self.isolated)

    @functools.cached_property
    def fingerprint(self) -> str:
        """sha256 of what decides the pieces: equal fingerprints cut every text alike, whatever their names."""
        digest = hashlib.sha256(b"gristmill seven steps 1")
        digest.update(self.tables.classes[self.tables.kinds].tobytes())
        return digest.hexdigest()

    def to_tokenizers(self) -> dict[str, Any]:
        """The same pre-tokenizer as the ``pre_tokenizer`` object of a Hugging Face ``tokenizer.json``."""
        patterns = [
            "[\r\n]",
            rf"\s?{_regex_class(self.cased)}+",
            rf"\s?{_regex_class(self.punctuation)}+",
            r"\s+$",
            _regex_class(self.isolated) + "+",
        ]
        splits: list[dict[str, Any]] = [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
            for pattern in patterns
        ]
        digits = {"type": "Digits", "individual_digits": True}
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        return {"type": "Sequence", "pretokenizers": [*splits, digits, byte_level]}


PRETOKENIZERS: dict[str, Pretokenizer] = {
    preset.name: preset
    for preset in [
        Pretokenizer("deepseek-llm", _DEEPSEEK_CASED, _DEEPSEEK_PUNCTUATION, _DEEPSEEK_ISOLATED),
    ]
}


def pretokenizer(name: str) -> Pretokenizer:
    """The preset of that name; a ``ValueError`` names the nearest one."""
    if name in PRETOKENIZERS:
        return PRETOKENIZERS[name]
    near = get_close_matches(name, PRETOKENIZERS, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(PRETOKENIZERS)}"
    raise ValueError(f"pretokenizer {name!r} is unknown: {hint}")


def from_tokenizers(description: dict[str, Any] | None) -> Pretokenizer:
    """The preset that a ``tokenizer.json``'s ``pre_tokenizer`` object spells; a ``ValueError`` when none does."""
    canonical = json.dumps(description, sort_keys=True)
    for preset in PRETOKENIZERS.values():
        if json.dumps(preset.to_tokenizers(), sort_keys=True) == canonical:
            return preset
    kind = "none" if description is None else str(description.get("type"))
    raise ValueError(
        f"pre_tokenizer ({kind}) is none that this reader runs ({', '.join(PRETOKENIZERS)}): "
        "train a tokenizer with one of these presets, or re-export with one of them"
    )
