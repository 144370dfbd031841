"""The character classes of DeepSeek LLM's pre-tokenizer and of DeepSeek Coder's, and ours with what is wrong mended."""

from __future__ import annotations

from tokenizer.class_splits import ClassSplits, by_code_points
from tokenizer.unicode_classes import points, spelled, unicode_class

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


def deepseek_llm() -> ClassSplits:
    """The published pre-tokenizer of DeepSeek LLM to the letter, quirks included."""
    return by_code_points("deepseek-llm", _DEEPSEEK_CASED, _DEEPSEEK_PUNCTUATION, _DEEPSEEK_ISOLATED)


def deepseek_coder() -> ClassSplits:
    """The published pre-tokenizer of DeepSeek Coder (``tokenizer.json`` of deepseek-ai/deepseek-coder-6.7b-base)."""
    letters, punctuation = spelled(unicode_class("L")), spelled(unicode_class("P"))
    as_regex = (r"\p{L}", r"\p{P}", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]")
    return ClassSplits("deepseek-coder", letters, punctuation, _DEEPSEEK_ISOLATED, as_regex, trailing_space=False)


# What is plainly unintended in ``deepseek-llm``, by the name of its repair.
REPAIRS = {
    "words": "the punctuation class no longer spans the ASCII and fullwidth letters, so words stay whole",
    "scripts": "letters without case, combining marks and joiners belong to words",
    "han": "the ideographs beyond U+9FA5 are isolated like the others",
    "symbols": "all punctuation, symbols and emoji belong to the punctuation class",
    "spaced": "only scripts written without spaces are isolated; Korean, Indic and others belong to words",
}
_LATIN = "41-5A 61-7A FF21-FF3A FF41-FF5A"
_MORE_HAN = "9FA6-9FFF F900-FAFF 20000-2FA1F 30000-3347F"  # extensions A to J and the compatibility ideographs
# Han with its radicals and iteration marks, kana, bopomofo, Yi; Thai, Lao, Tibetan, Myanmar, Khmer and the Tai scripts.
_UNSPACED = """
2E80-2FDF 3005-3007 3021-3029 3031-3035 3038-303C 3040-312F 31A0-31BF 31F0-31FF 3400-4DBF 4E00-9FFF A000-A4CF F900-FAFF
FF66-FF9F 1AFF0-1B16F 20000-2FA1F 30000-3347F E00-FFF 1000-109F 1780-17FF 1950-19FF 1A20-1AAF A9E0-A9FF AA60-AADF
"""
_JOINERS = "200C-200D"
_WITH_SYMBOLS = "FE00-FE0F E0020-E007F"  # variation selectors and the tags of flags: parts of emoji, by category marks


def deepseek_llm_mended(repairs: frozenset[str] = frozenset(REPAIRS), name: str = "deepseek-llm-mended") -> ClassSplits:
    """DeepSeek LLM's chain with repaired classes; fewer ``repairs`` (keys of ``REPAIRS``) are for measuring them."""
    unknown = repairs - REPAIRS.keys()
    if unknown:
        raise ValueError(f"repair {sorted(unknown)[0]!r} is unknown: choose among {', '.join(REPAIRS)}")
    letters, punctuation, isolated = (points(x) for x in (_DEEPSEEK_CASED, _DEEPSEEK_PUNCTUATION, _DEEPSEEK_ISOLATED))
    all_letters = (unicode_class("L") | unicode_class("M")) & ~points(_WITH_SYMBOLS)
    if "han" not in repairs:
        all_letters &= ~points(_MORE_HAN)
    all_symbols = unicode_class("P") | unicode_class("S") | points(_WITH_SYMBOLS)
    if "words" in repairs:
        punctuation &= ~points(_LATIN)
    if "han" in repairs:
        isolated |= points(_MORE_HAN)
    if "spaced" in repairs:
        unspaced = points(_UNSPACED) & ~all_symbols
        freed = isolated & ~unspaced
        isolated &= ~(freed & (all_letters | all_symbols))
        if "scripts" in repairs:
            isolated |= points(_UNSPACED) & all_letters  # beyond the published range: halfwidth kana, Yi
        letters |= freed & all_letters
        punctuation |= freed & all_symbols
    if "scripts" in repairs:
        letters |= all_letters & ~isolated | points(_JOINERS)
        isolated &= ~points(_JOINERS)
    if "symbols" in repairs:
        punctuation |= all_symbols & ~isolated
    return by_code_points(name, spelled(letters), spelled(punctuation), spelled(isolated))
